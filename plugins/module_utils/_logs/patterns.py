# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The lines of the kernel's memory reports, as regular expressions.

Formats: mm/page_alloc.c, mm/show_mem.c, mm/oom_kill.c, mm/memcontrol.c, mm/slub.c, mm/slab.c, mm/vmalloc.c, mm/cma.c of 2.4 to 7.2
(show_free_areas() is lib/show_mem.c in some).

Log lines are written by anybody. So every repetition here is bounded, or is of characters that what comes after it cannot begin with:
the time for a line grows with its length and not faster. Numbers are bounded too: what has more digits than the kernel can print is
no number of the kernel's.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .lazy import Lazy

# The mask as every kernel prints it, since 4.6 with its names.
MASK = r"(?P<mask>0x[0-9a-fA-F]{1,16})(?![0-9a-fA-F])(?:\((?P<flags>[^)]{0,1000})\))?"
# SysRq-f asks for the OOM killer with order -1; MAX_ORDER never was above 63 anywhere.
_ORDER = r"(?P<order>-?\d{1,2})(?!\d)"

# --- heads ----------------------------------------------------------------------------------------------------------

FAILURE = Lazy(r"page allocation failure[:.]\s{0,9}order:" + _ORDER + r"\s{0,9},\s{0,9}mode:\s{0,9}" + MASK)
# All that is left of one whose line was cut behind the order.
FAILURE_SHORT = Lazy(
    r"page allocation failure[:.]\s{0,9}order:" + _ORDER + r",?\s{0,9}(?:m(?:o(?:d(?:e:?)?)?)?)?\s{0,9}\\?\x00?$"
)
# The console's next message began in the middle: from 4.9 to 4.14 the mask was printed by itself.
FAILURE_TORN = Lazy(r"page allocation failure[:.] order:" + _ORDER + r",?\s{0,3}(?=\[\s{0,12}\d{1,12}\.\d{6}\])")
FAILURE_CUT = Lazy(
    r"page allocation failure[:.]?(?:\s{1,9}order:\d{0,2},?)?(?:\s{1,9}m(?:o(?:d(?:e:?)?)?)?)?\s{0,9}\\?$"
)
OLD_FAILURE = Lazy(r"__alloc_pages: (?P<order>\d{1,2})-order allocation failed \(gfp=(?P<mask>0x[0-9a-f]{1,16})")
OOM_MASK = Lazy(r"\s{0,9}gfp_mask=" + MASK)
OOM_ORDER = Lazy(r"\border=" + _ORDER)
STALL = Lazy(
    r": page allocation stalls? for (?P<time>\d{1,9}) ?(?P<unit>ms|secs)[,:] order:(?P<order>\d{1,2}),? mode:" + MASK
)
SLAB = Lazy(
    r"SL[UA]B: Unable to allocate memory on (?:CPU \d{1,5} \(of node -?\d{1,5}\) on )?node (?P<node>-?\d{1,5}),? ?\(?gfp="
    + MASK
)
SLAB_CACHE = Lazy(
    r"cache: (?P<cache>[^,]{1,300}), object size: (?P<size>\d{1,9})(?:, buffer size: \d{1,9})?(?P<orders>[^\n]{0,60})"
)
SLAB_ORDER = Lazy(r"(?:min )?order: (\d{1,2})\s{0,9}$")
CACHE_CREATE = Lazy(
    r"kmem_cache_create\w{0,30}\((?P<cache>[^\s()]{1,100})\) failed with error (?P<errno>-?\d{1,4})(?!\d)"
)
CONNTRACK = Lazy(r"^\s{0,40}(?:nf_conntrack: )?Unable to create nf_conn slab cache")
FALLING_BACK = Lazy(r"^\s{0,40}nf_conntrack: falling back to vmalloc")
VMAP = Lazy(r"vm(?:ap allocation|alloc_node_range) for size (?P<size>\d{1,20}) failed(?=:|$|\0)")
VMAP_CUT = Lazy(r"vmap allocation for(?: size \d{1,20} failed: use| size)?$")
VMALLOC = Lazy(
    r"vmalloc(?:: allocation failure(?:, allocated (?P<done>\d{1,20}) of (?P<size>\d{1,20}) bytes|: (?P<size2>\d{1,20}) bytes)"
    r"| error: size (?P<size3>\d{1,20}), (?P<why>[^,]{0,60}(?:, failed to [a-z ]{1,30})?))"
)
PAGE_ORDER = Lazy(r"page order (\d{1,2})")
MODE = Lazy(r"mode:\s{0,9}" + MASK)
CMA = Lazy(
    r"cma_alloc: (?:\S{1,64}: )?alloc failed, req-size: (?P<pages>\d{1,15}) pages, ret: (?P<errno>-?\d{1,4})(?!\d)"
)
# fs/xfs/kmem.c kmem_alloc() up to 6.8 (up to 3.18 without task and size): every hundredth try of a kmalloc() that says nothing itself.
XFS = Lazy(
    r"XFS: (?:(?P<comm>.{1,40})\((?P<pid>\d{1,10})\) )?possible memory allocation deadlock (?:size (?P<size>\d{1,15}) )?in \w{1,40} \(mode:\s{0,9}"
    + MASK
)
LOCKUP = Lazy(
    r"soft lockup - CPU#(?P<cpu>\d{1,5}) stuck for (?P<seconds>\d{1,9})s! \[(?P<comm>.{1,40}):(?P<pid>\d{1,10})\]"
)
HUNG = Lazy(r"task (?P<comm>.{1,40}):(?P<pid>\d{1,10}) blocked for more than (?P<seconds>\d{1,9}) seconds")
HUNG_CUT = Lazy(r"blocked for more(?: than(?: \d{1,9})?)?$")
KILL = Lazy(
    r"(?:(?P<why>(?:Memory cgroup out|Out) of [mM]emory(?: in UB(?: \w{1,10})?)?(?: \([\w ]{1,40}\))?): (?:OOM )?)?"
    r"(?P<verb>[Kk]ill(?:ed)?) process (?P<pid>\d{1,10})"
    r"(?:, UID \d{1,10},)? \((?P<comm>.{1,64}?)\)(?=[ ,.]|$)"
)
# Wrapped behind the reason, or within what follows it.
KILL_CUT = Lazy(
    r"[Kk]ill(?:ed)? process(?: \d{1,10})?(?: \([^)]{0,64})?$|"
    r"ut of [mM]emory(?: in UB(?: \w{1,10})?)?(?: \([\w ]{1,40}\))?:(?: (?:OOM|Kill)(?: ?killed|ed)?)?\s?$"
)
OLD_KILL = Lazy(r"VM: killing process (?P<comm>\S{1,64})")
# A message that a sentence goes on to quote, the task's name in front of it at most.
QUOTED = Lazy(
    r"[A-Za-z] [\"'`(][^\"'`()]{0,40}?"
    r"(?:page allocation failure[:.] ?order:|invoked oom-killer: ?gfp_mask|SL[UA]B: Unable to allocate|vmalloc error: size|vmalloc: allocation f|"
    r"vmap allocation for size|ut of memory: Kill)"
)
# Behind a quotation mark or a bracket it is quoted: prose, or the source.
NO_KILLABLE = Lazy(r"(?<![\"'(`])Out of memory and no killable processes")
PANIC = Lazy(r"Kernel panic - not syncing: (?:Out of memory|System is deadlocked on memory)")
SUPPRESSED = Lazy(
    r"(?P<what>warn_alloc\w{0,20}|oom_kill_process|slab_out_of_memory|__alloc_pages\w{0,20}): (?P<count>\d{1,9}) callbacks suppressed"
)
BOOT = Lazy(r"^Linux version (?P<kernel>\d{1,3}\.\d{1,3}[^\s,:]{0,100})")

# --- who, where ------------------------------------------------------------------------------------------------------

WHO = Lazy(
    r"(?:CPU: (?P<cpu>\d{1,5}) (?:UID: \d{1,10} )?)?P(?:ID|id): (?P<pid>\d{1,10}),? [cC]omm: (?P<comm>.{1,40}?)"
    r"(?:\s{1,9}(?:Kdump: |Not$|Not tainted|Tainted:|$)|$)"
)
_RELEASE = r"(?P<kernel>\d{1,2}\.\d{1,3}(?:\.\d{1,5})?[^\s,:]{0,100})"
RELEASE = Lazy(r"\s" + _RELEASE)
WRAPPED_RELEASE = Lazy(r"^\s{0,40}(?:tainted |[A-Z][A-Z ]{0,60})?(?P<kernel>\d{1,2}\.\d{1,3}\.\d[^\s,:]{0,100})")
FRAME = Lazy(
    r"(?P<doubt>\? )?(?<![\w.$])(?P<name>[A-Za-z_][\w.$]{0,99})\+0x[0-9a-f]{1,16}/0x[0-9a-f]{1,16}(?: \[(?P<module>[\w-]{1,64}))?"
)
DECODED = Lazy(
    r"^\s{0,40}(?P<doubt>\? )?(?P<name>[A-Za-z_][\w.$]{0,99}) \([\w./-]{1,200}:\d{1,9}[^)]{0,200}\)\s{0,9}(?:(?P<module>[\w-]{1,64})\s{0,9})?$"
)
REGISTER = Lazy(r"^\s{0,40}(?:RIP|R\d\d|pc|lr|epc|NIP|LR|EIP|PC is at|LR is at)\b")
CPUSET = Lazy(r"cpuset=(?P<cpuset>[^\s,=]{1,512}),? ?mems_allowed=(?P<mems>\d[\d,-]{0,200})")
NODEMASK = Lazy(r"nodemask=([\d,-]{1,200})")

# --- Mem-Info --------------------------------------------------------------------------------------------------------

ZONES = ("Normal", "DMA", "HighMem", "Movable", "Device")
_ZONE_NAME = r"(?<!\w)(?:Node (?P<node>\d{1,4}) )?(?P<zone>DMA32|DMA|Normal|HighMem|Movable|Device)"
ZONE = Lazy(_ZONE_NAME + r" free:(?P<free>\d{1,15})kB")
# With a blank before it, as the kernel prints them: expressions that begin with a certain character are searched for fast.
AMOUNT = Lazy(r" (boost|min|low|high|reserved_highatomic|free_highatomic|managed|free_cma):(\d{1,15})[kK]B")
FREE_LIST = Lazy(_ZONE_NAME + r": (?P<blocks>\d{1,15}\s?[*_]\d)")
FREE_BLOCK = Lazy(r"(\d{1,15})[*_](\d{1,9})kB(?:\s\(([A-Z]{1,9})\))?")
LIST_END = Lazy(r"= ?(\d{1,15})kB\s{0,9}$")
LIST_GOES_ON = Lazy(r"^\s{0,40}(?:\d{1,15}[*_]\d{1,9}kB|\([A-Z]{1,9}\)|= ?\d{1,15}kB|\d{1,15}kB\s{0,9}$)")
RESERVE = Lazy(r"lowmem_reserve\[\]:((?: -?\d{1,15}){1,16})")
SLAB_PAGES = Lazy(r"\bslab_(reclaimable|unreclaimable):(\d{1,15})(?![\dk])")
TOTAL_FREE = Lazy(r"\bfree:(\d{1,15})(?=\s|$)")
NUMBER = Lazy(r"\d{1,15}")
RAM = Lazy(r"(\d{1,15}) pages RAM")
SLAB_ROW = Lazy(r"^(?P<name>\S{1,64})\s{1,40}(?P<used>\d{1,15})KB\s{1,40}(?P<total>\d{1,15})KB\s{0,9}$")
TASKS = Lazy(r"Tasks state \(memory values|\[\s{1,6}pid\s{1,6}\]\s{1,9}uid\s{1,9}tgid")
# dump_tasks(): pid, uid, the pid again as that of the thread group, sizes, oom_score_adj, name.
TASK = Lazy(r"^\[\s{0,9}(\d{1,10})\]\s{1,9}\d{1,10}\s{1,9}\1(?:\s{1,20}-?\d{1,15}){5,10}\s{1,9}\S")
TASK_ROW = Lazy(r"^\s{0,40}\[\s{0,9}\d{1,10}\]\s{1,9}\d{1,10}\s")

# --- memory cgroups --------------------------------------------------------------------------------------------------

KILLED_BY_LIMIT = Lazy(
    r"Task in (?P<task>\S{1,1000}) killed as a result of limit of (?P<limit>\S{1,1000})|Memory limit reached of cgroup (?P<limit2>\S{1,1000})"
)
USAGE = Lazy(
    r"^\s{0,40}(?P<what>memory|memory\+swap|swap|kmem): usage (?P<usage>\d{1,20})kB, limit (?P<limit>\d{1,20})kB"
)
STATS = Lazy(r"Memory cgroup stats for (?P<cgroup>/[^\s:]{0,1000}):?(?=\s|$)")
GROUP_KILL = Lazy(r"Tasks in (?P<cgroup>\S{1,1000}) are going to be killed due to memory.oom.group set")

# Lines of a report that say nothing here but show that it goes on.
FILLER = Lazy(
    r"^\s{0,40}(?:CPU\s{1,9}\d{1,5}: hi:|Node \d{1,4} |\d{1,15} (?:total pagecache|pages)|Swap cache|Free swap|Total swap|<|Call [Tt]race|"
    r"Hardware name|Mem-[Ii]nfo|(?:in)?active_|active:|unevictable:|mapped:|free:|slab|Tasks state|oom_reaper|Unreclaimable slab|Name  |"
    r"DMA|Normal|HighMem|Workqueue|R[A-Z0-9]{2}: |Code: |RIP|(?:[0-9a-f]{8,16} ){2}|\w{1,64} \d{1,20}$|Memory allocations)"
)

# Letters of the free lists and flags may be split by what quoted or wrapped them.
SPLIT_FLAGS = re.compile(r"[\\\s]")
