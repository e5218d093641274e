# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Reports of the Linux kernel about memory, put together from their lines.

KernelLog.feed() takes the lines of a log one after the other and gives each finished report to ``emit`` as a dict:

    kind, line (the first), message, comm, pid, cpu, order, mask (int), flags (as printed or None), kernel, trace
    [functions], modules {function: module}, zones {(node, zone): {...}}, lowmem_reserve in it, slab_reclaimable, ...

All amounts of zones are kept as printed (kB), lowmem_reserve in pages. Formats: mm/page_alloc.c, mm/show_mem.c,
mm/oom_kill.c, mm/memcontrol.c, mm/slub.c, mm/vmalloc.c of 2.6 to 6.18 (show_free_areas() is lib/show_mem.c in some).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .prefixes import Lazy, has

# A report whose next line has not come after so many others is taken for finished.
PATIENCE = 200
# Longer than any message of the kernel, its lines joined by syslog included.
MAX_MESSAGE = 8192
# Frames of a call trace, zones and victims that are kept, and headers that may be waiting for their end at one time.
MAX_FRAMES = 32
MAX_ZONES = 1024
MAX_OPEN = 16

_MASK = r"(?P<mask>0x[0-9a-fA-F]+)(?:\((?P<flags>[^)]*)\))?"
_FAILURE = Lazy(r"(?:^|(?P<comm>\S.{0,40}?): )page allocation failure[:.] order:(?P<order>\d+), ?mode:\s?" + _MASK)
_OLD_FAILURE = Lazy(r"__alloc_pages: (?P<order>\d+)-order allocation failed \(gfp=(?P<mask>0x[0-9a-f]+)")
_OOM = Lazy(r"(?P<comm>\S.{0,40}?) invoked oom-killer:\s+gfp_mask=" + _MASK + r".*?order=(?P<order>-?\d+)", re.S)
_STALL = Lazy(
    r"(?P<comm>\S.{0,40}?): page allocation stalls? for (?P<time>\d+) ?(?P<unit>ms|secs)[,:] order:(?P<order>\d+),? mode:"
    + _MASK
)
_SLAB = Lazy(
    r"SL[UA]B: Unable to allocate memory on (?:CPU \d+ \(of node -?\d+\) on )?node (?P<node>-?\d+),? ?\(?gfp=" + _MASK
)
_SLAB_CACHE = Lazy(r"cache: (?P<cache>.+?), object size: (?P<size>\d+)(?:, buffer size: \d+)?(?P<orders>.*)", re.S)
_ORDERS = Lazy(r"(?:min )?order: (\d+)\s*$")
_CACHE_CREATE = Lazy(r"kmem_cache_create\w*\((?P<cache>[^\s()]+)\) failed with error (?P<errno>-?\d+)")
_CONNTRACK = Lazy(r"\s*(?:nf_conntrack: )?Unable to create nf_conn slab cache")
_VMAP = Lazy(r"vm(?:ap allocation|alloc_node_range) for size (?P<size>\d+) failed")
_VMALLOC = Lazy(
    r"(?:(?P<comm>\S.{0,40}?): )?vmalloc(?:: allocation failure(?:, allocated (?P<done>\d+) of (?P<size>\d+) bytes|: (?P<size2>\d+) bytes)"
    r"| error: size (?P<size3>\d+), (?P<why>[^,]*(?:, failed to [a-z ]+)?))(?:.*?mode:" + _MASK + ")?",
    re.S,
)
_CMA = Lazy(r"cma_alloc: (?:\S+: )?alloc failed, req-size: (?P<pages>\d+) pages, ret: (?P<errno>-?\d+)")
_LOCKUP = Lazy(r"soft lockup - CPU#(?P<cpu>\d+) stuck for (?P<seconds>\d+)s! \[(?P<comm>.+):(?P<pid>\d+)\]")
_HUNG = Lazy(r"task (?P<comm>.{1,40}):(?P<pid>\d+) blocked for more than (?P<seconds>\d+) seconds")
_KILL = Lazy(
    r"(?:(?P<why>(?:Memory cgroup out|Out) of [mM]emory(?: \([\w ]+\))?): )?(?P<verb>[Kk]ill(?:ed)?) process (?P<pid>\d+)"
    r"(?:, UID \d+,)? \((?P<comm>.{1,64}?)\)(?=[ ,.]|$)"
)
_OLD_KILL = Lazy(r"VM: killing process (?P<comm>\S+)")
_SUMMARY = Lazy(
    r"oom-kill:constraint=CONSTRAINT_(?P<constraint>[A-Z_]+),.*?mems_allowed=[^a-z]*"
    r"(?:,oom_memcg=(?P<limit>.*?))?(?:,global_oom)?(?:,task_memcg=(?P<task_memcg>.*?))?,task=(?P<comm>.*),pid=(?P<pid>\d+)"
)
_SUPPRESSED = Lazy(
    r"(?P<what>warn_alloc\w*|oom_kill_process|slab_out_of_memory|__alloc_pages\w*): (?P<count>\d+) callbacks suppressed"
)
_BOOT = Lazy(r"^Linux version (?P<kernel>\d+\.\d+\S*)")

_WHO = Lazy(
    r"^\s*(?:CPU: (?P<cpu>\d+) (?:UID: \d+ )?)?P(?:ID|id): (?P<pid>\d+)(?:,)? [cC]omm: (?P<comm>.{1,40}?)(?:\s+(?:Kdump: |Not$|Not tainted|Tainted:|$)|$)"
)
_RELEASE = Lazy(r"ainted:?\s(?:.*?\s)??(?P<kernel>\d{1,2}\.\d{1,3}(?:\.\d+)?[^\s,:]*)", re.S)
_WRAPPED_RELEASE = Lazy(r"^\s*(?:tainted |[A-Z ]+)?(?P<kernel>\d{1,2}\.\d{1,3}\.\d[^\s,:]*)")
_FRAME = Lazy(r"(?P<doubt>\? )?(?P<name>[A-Za-z_][\w.$]*)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[(?P<module>[\w-]+))?")
_DECODED = Lazy(
    r"^\s*(?P<doubt>\? )?(?P<name>[A-Za-z_][\w.$]*) \([\w./-]+\.[chS]:\d+[^)]*\)\s*(?:(?P<module>[\w-]+)\s*)?$"
)
_REGISTER = Lazy(r"^\s*(?:RIP|R\d\d|pc|lr|epc|NIP|LR|EIP|PC is at|LR is at)\b")

_ZONE_NAME = r"(?:Node (?P<node>\d+) )?(?P<zone>DMA32|DMA|Normal|HighMem|Movable|Device)"
_ZONE = Lazy(_ZONE_NAME + r" free:(?P<free>\d+)kB(?P<rest>.*)", re.S)
_AMOUNT = Lazy(r"\b(boost|min|low|high|reserved_highatomic|free_highatomic|managed|free_cma):(\d+)[kK]B")
_FREE_LIST = Lazy(_ZONE_NAME + r": (?P<blocks>\d+\s?[*_].*)", re.S)
_FREE_BLOCK = Lazy(r"(\d+)[*_](\d+)kB(?:\s\(([A-Z]+)\))?")
_LIST_GOES_ON = Lazy(r"^\s*(?:\d+[*_]\d+kB|\([A-Z]+\)|= ?\d+kB|\d+kB\s*$)")
_RESERVE = Lazy(r"lowmem_reserve\[\]:((?: -?\d+)+)")
_SLAB_PAGES = Lazy(r"\bslab_(reclaimable|unreclaimable):(\d+)(?!\d*kB)")
_TOTAL_FREE = Lazy(r"\bfree:(\d+)(?= |\n|$)")
_NUMBER = Lazy(r"\d+")
_KILLED_BY_LIMIT = Lazy(
    r"Task in (?P<task>\S+) killed as a result of limit of (?P<limit>\S+)|Memory limit reached of cgroup (?P<limit2>\S+)"
)
_USAGE = Lazy(r"^\s*(?P<what>memory|memory\+swap|swap|kmem): usage (?P<usage>\d+)kB, limit (?P<limit>\d+)kB")
_STATS = Lazy(r"Memory cgroup stats for (?P<cgroup>/\S*?):?(?:\s|$)")
_GROUP_KILL = Lazy(r"Tasks in (?P<cgroup>\S+) are going to be killed due to memory.oom.group set")
_CPUSET = Lazy(r"cpuset=(?P<cpuset>[^\s,]+),? ?mems_allowed=(?P<mems>\d(?:[\d,-]*\d)?)")
_TASK_ROW = Lazy(r"^\s*\[\s*\d+\]\s+\d+\s")
_SLAB_ROW = Lazy(r"^(?P<name>\S+)\s+(?P<used>\d+)KB\s+(?P<total>\d+)KB\s*$")
_NODEMASK = Lazy(r"nodemask=([\d,-]+)")
# Lines of a Mem-Info block and around it that say nothing here but show that the report goes on.
_FILLER = Lazy(
    r"^\s*(?:CPU\s+\d+: hi:|Node \d+ |\d+ (?:total pagecache|pages)|Swap cache|Free swap|Total swap|<|Call [Tt]race|Hardware name|"
    r"Mem-[Ii]nfo|(?:in)?active_|active:|unevictable:|mapped:|free:|slab|Tasks state|oom_reaper|Unreclaimable slab|Name  |"
    r"DMA|Normal|HighMem|Workqueue|R[A-Z0-9]{2}: |"
    r"Code: |RIP|(?:[0-9a-f]{8,16} ){2}|\w+ \d+$|Memory allocations)"
)

COMPACTION = frozenset(
    "compact_zone compact_zone_order compact_node compact_nodes compaction_alloc isolate_freepages isolate_freepages_block "
    "isolate_migratepages isolate_migratepages_block isolate_migratepages_range kcompactd kcompactd_do_work try_to_compact_pages "
    "__alloc_pages_direct_compact suitable_migration_target proactive_compact_node __compact_finished compact_finished".split()
)
_MEMCG_CHARGE = Lazy(
    r"^(?:mem_cgroup_|__mem_cgroup_|try_charge|memcg_charge|memory_max_write|memory_high_write|pagefault_out_of_memory_memcg)"
)


def base_name(function):
    """ "__alloc_pages_slowpath.constprop.0" -> "__alloc_pages_slowpath": what the compiler appended is cut off."""
    return function.split(".", 1)[0]


class KernelLog:
    """The state between the lines of one log: which reports are open, what kernel wrote them."""

    def __init__(self, emit):
        self._emit = emit
        self._open = []
        self._slab = None
        self._pending = None
        self._kernel = {}
        self._seen = 0
        self._failed_create = self._failure = None
        self._vmalloc_failed = (-10, None)
        self._unreleased = (-10, None)
        self.suppressed = {}

    def patience(self):
        """In how many of the next lines more of the open reports may come; 0 when none is open."""
        if self._pending:
            return 5
        for report in self._open:
            if "complete" not in report:
                return 60
        return 8 if self._open else 12 if self._slab else 0

    def close(self):
        """The log ends: what is open is all there is."""
        if self._pending:
            self._finish_pending()
        for report in self._open:
            self._deliver(report)
        self._open = []
        if self._slab:
            self._emit(self._slab)
            self._slab = None

    # -- one line ---------------------------------------------------------------------------------------------------

    def feed(self, line):
        """Takes one Line that is not from a program; True when it is part of a report."""
        self._seen += 1
        if len(line.text) > MAX_MESSAGE:
            line.text = line.text[:MAX_MESSAGE]
        text = line.text
        if self._pending:
            taken = self._continue(line)
            if taken is not None:
                return taken
        if self._unreleased[0] == self._seen - 1:
            # The line that names the kernel was wrapped before it did.
            release = _WRAPPED_RELEASE.match(text)
            if release:
                self._release(line, self._unreleased[1], release.group("kernel"))
                return True
        if "+0x" not in text and has(text, _GATE) and self._head(line, text):
            return True
        if text.startswith("Linux version "):
            self._kernel[line.host] = _BOOT.match(text).group("kernel") if _BOOT.match(text) else None
        if not self._open and not self._slab:
            return has(text, _MEMCG_LINES) and self._memcg_part(line, text)
        taken = self._body(line, text)
        if not taken:
            self._expire()
        return taken

    def _head(self, line, text):
        """Lines that begin or end a report. -> whether it was one."""
        for literal, method in _HEADS:  # noqa: SIM110
            if literal in text and method(self, line, text):
                return True
        return False

    def _new(self, line, kind, **fields):
        report = {
            "kind": kind,
            "line": line,
            "message": line.text,
            "comm": None,
            "pid": None,
            "cpu": None,
            "order": None,
            "mask": None,
            "flags": None,
            "kernel": None,
            "trace": [],
            "modules": {},
            "doubtful": [],
            "zones": {},
            "last_zone": None,
            "memory_info": False,
            "caller": line.caller,
            "host": line.host,
            "last": self._seen,
        }
        report.update(fields)
        if report["comm"]:
            report["comm"] = report["comm"].strip()
        elif "comm" in fields and line.tag not in (None, "kernel"):
            report["comm"] = line.tag
        if report["mask"] is not None:
            report["mask"] = int(report["mask"], 16)
        for name in ("order", "pid"):
            if report[name] is not None:
                report[name] = int(report[name])
        if report["flags"] is not None:
            report["flags"] = [flag for flag in re.sub(r"[\\\s]", "", report["flags"]).split("|") if flag]
        return report

    def _start(self, line, kind, **fields):
        """Opens a report. The one before it from the same context gets no more lines."""
        report = self._new(line, kind, **fields)
        for other in list(self._open):
            if other["caller"] == line.caller and (other["caller"] or other["pid"] is not None or other["zones"]):
                self._open.remove(other)
                self._deliver(other)
        self._open.append(report)
        if len(self._open) > MAX_OPEN:
            self._deliver(self._open.pop(0))
        return report

    def _current(self, line):
        """The open report that a line without a header belongs to: of the same caller if printed, else the latest."""
        for report in reversed(self._open):
            if line.caller is None or report["caller"] is None or report["caller"] == line.caller:
                return report
        return None

    def _deliver(self, report):
        if report["kind"] in ("soft_lockup", "hung_task"):
            inside = [name for name in report["trace"] + report["doubtful"] if base_name(name) in COMPACTION]
            if not inside and not (report["comm"] or "").startswith("kcompactd"):
                return
            report["kind"] = "compaction_stall"
            report["function"] = base_name(inside[0]) if inside else "kcompactd"
        if not report["trace"]:
            report["trace"] = report["doubtful"]
        if report["kernel"] is None:
            report["kernel"] = self._kernel.get(report["host"])
        self._emit(report)

    def _expire(self):
        for report in list(self._open):
            if self._seen - report["last"] > PATIENCE:
                self._open.remove(report)
                self._deliver(report)
        if self._slab and self._seen - self._slab["last"] > 30:
            self._emit(self._slab)
            self._slab = None

    # -- wrapped lines ----------------------------------------------------------------------------------------------

    def _wait(self, line, pattern):
        """The line breaks off in the middle (mail, terminals): keep it until ``pattern`` is satisfied."""
        self._pending = [line, line.text, pattern, 0]
        return True

    def _continue(self, line):
        """-> True when the line belongs to the one waiting, None when it has to be looked at by itself."""
        first, text, pattern, count = self._pending
        more = line.text.strip()
        listing = pattern is _LIST_END
        fresh = line.prefixed and (first.prefixed and (line.uptime, line.stamp) != (first.uptime, first.stamp))
        if count >= 4 or not more or fresh or listing and not _LIST_GOES_ON.match(more):
            self._finish_pending()
            return None
        joined = text.rstrip("\\") + (" " if not text.endswith("\\") else "") + more
        if pattern.search(joined):
            self._pending = None
            first.text = joined
            if not self._head(first, joined):
                self._body(first, joined)
            return True
        self._pending = [first, joined, pattern, count + 1]
        return True

    def _finish_pending(self):
        first, text, pattern = self._pending[:3]
        self._pending = None
        if pattern is not _LIST_END and text != first.text:
            # Not a broken header after all, or one that nothing can complete: use what is there.
            first.text = text
        first.prefixed = True
        if not self._head(first, first.text + "\0"):
            self._body(first, first.text + "\0")

    # -- headers ----------------------------------------------------------------------------------------------------

    def _page_failure(self, line, text):
        match = _FAILURE.search(text)
        if match:
            # A bracket that is not closed was cut by a line end.
            if match.group("flags") is None and text[match.end() : match.end() + 1] == "(" and not text.endswith("\0"):
                return self._wait(line, re.compile(r"mode:.*?\)", re.S))
            report = self._start(line, "page_allocation_failure", **match.groupdict())
            seen, host = self._vmalloc_failed
            # vmalloc() reports through the page allocator: its own line, then this one with order 0.
            report["of_vmalloc"] = report["order"] == 0 and host == line.host and self._seen - seen <= 2
            self._failure = report
            self._cpuset(text)
            return True
        if not text.endswith("\0") and re.search(
            r"page allocation failure[:.]?(?: order:\d*,?)?(?: mode:?)?\s*\\?$", text
        ):
            return self._wait(line, _FAILURE)
        return False

    def _old_failure(self, line, text):
        match = _OLD_FAILURE.search(text)
        if match:
            self._start(line, "page_allocation_failure", **match.groupdict())
        return bool(match)

    def _oom(self, line, text):
        match = _OOM.search(text)
        if match:
            report = self._start(line, "oom_kill", **match.groupdict())
            nodemask = _NODEMASK.search(text)
            report["nodemask"] = nodemask and nodemask.group(1)
            self._cpuset(text)
            return True
        if not text.endswith("\0"):
            return self._wait(line, _OOM)
        match = re.search(r"(?P<comm>\S.{0,40}?) invoked oom-killer:", text)
        if match:
            self._start(line, "oom_kill", **match.groupdict())
        return bool(match)

    def _oom_broken(self, line, text):
        if text.rstrip().endswith("invoked"):
            return self._wait(line, _OOM)
        return False

    def _stall(self, line, text):
        match = _STALL.search(text)
        if match:
            found = match.groupdict()
            seconds, unit = int(found.pop("time")), found.pop("unit")
            if int(found["order"]):
                found["seconds"] = seconds // 1000 if unit == "ms" else seconds
                self._start(line, "compaction_stall", function="__alloc_pages_slowpath", **found)
        return bool(match)

    def _slab_failure(self, line, text):
        match = _SLAB.search(text)
        if match:
            if self._slab:
                self._emit(self._slab)
            self._slab = self._new(line, "slab_allocation_failure", **match.groupdict())
            self._slab["node"] = int(self._slab["node"])
            current = self._current(line)
            if current and current["kind"] == "page_allocation_failure":
                self._slab["after"] = current
        return bool(match)

    def _slab_cache(self, line, text):
        match = _SLAB_CACHE.search(text)
        if not match or self._slab is None or self._slab.get("cache"):
            return False
        order = _ORDERS.search(match.group("orders"))
        if order is None and not text.endswith("\0") and match.group("orders"):
            return self._wait(line, re.compile(r"min order: \d+|[^nt] order: \d+$"))
        self._slab["cache"] = match.group("cache")
        self._slab["object_size"] = int(match.group("size"))
        self._slab["order"] = int(order.group(1)) if order else None
        self._slab["last"] = self._seen
        return True

    def _cache_create(self, line, text):
        match = _CACHE_CREATE.search(text)
        if match:
            self._failed_create = (self._seen, line.host)
            before = self._failure
            self._start(line, "slab_cache_create_failure", cache=match.group("cache"), errno=int(match.group("errno")))
            if before and before["host"] == line.host and self._seen - before["last"] <= 20:
                self._open[-1]["after"] = before
        return bool(match)

    def _conntrack(self, line, text):
        if not _CONNTRACK.match(text):
            return False
        seen, self._failed_create = self._failed_create, None
        # The last line of the report that kmem_cache_create() began, or all that there is.
        if not (seen and seen[1] == line.host and self._seen - seen[0] < 80):
            self._start(line, "slab_cache_create_failure", cache="nf_conntrack", errno=-12)
        return True

    def _vmap(self, line, text):
        match = _VMAP.search(text)
        if match:
            self._vmalloc_failed = (self._seen, line.host)
            self._deliver(self._new(line, "vmalloc_failure", size=int(match.group("size")), problem="address space"))
        elif re.search(r"vmap allocation for size \d+ failed: use$|vmap allocation for(?: size)?$", text):
            return self._wait(line, _VMAP)
        return bool(match)

    def _vmalloc(self, line, text):
        match = _VMALLOC.search(text)
        if not match:
            return False
        if text.rstrip().endswith(",") and not text.endswith("\0"):
            return self._wait(line, re.compile(r"mode:0x[0-9a-f]+"))
        found = match.groupdict()
        size = found.pop("size") or found.pop("size2", None) or found.pop("size3", None)
        why, done = found.pop("why"), found.pop("done")
        pages = done is not None or "page" in (why or "")
        self._vmalloc_failed = (self._seen, line.host)
        found = {key: found.get(key) for key in ("comm", "mask", "flags")}
        self._start(line, "vmalloc_failure", size=int(size), problem="pages" if pages else "address space", **found)
        return True

    def _cma(self, line, text):
        match = _CMA.search(text)
        if match:
            self._deliver(
                self._new(
                    line, "cma_allocation_failure", pages=int(match.group("pages")), errno=int(match.group("errno"))
                )
            )
        return bool(match)

    def _lockup(self, line, text):
        match = _LOCKUP.search(text) or _HUNG.search(text)
        if match:
            found = match.groupdict()
            seconds = int(found.pop("seconds"))
            self._start(line, "soft_lockup" if "cpu" in found else "hung_task", seconds=seconds, **found)
        return bool(match)

    def _summary(self, line, text):
        match = _SUMMARY.search(text)
        if not match:
            if not text.endswith("\0") and "uid=" not in text:
                return self._wait(line, re.compile(r",uid=\d+"))
            return False
        report = self._oom_report(line)
        report.update(
            constraint=match.group("constraint"),
            limit_cgroup=match.group("limit"),
            task_cgroup=match.group("task_memcg"),
            summary_victim=(match.group("comm").strip(), int(match.group("pid"))),
            last=self._seen,
        )
        self._cpuset(text)
        return True

    def _kill(self, line, text):
        match = _KILL.search(text)
        if not match:
            broken = re.search(r"[Kk]ill(?:ed)? process(?: \d+)?(?: \([^)]*)?$", text)
            return (
                bool(broken)
                and not text.endswith("\0")
                and self._wait(line, re.compile(r"[Kk]ill(?:ed)? process \d+.*?\)", re.S))
            )
        victim = (match.group("comm"), int(match.group("pid")))
        why = match.group("why") or ""
        if not why and match.group("verb") == "Kill":
            return False
        report = self._oom_report(line, victim if why else None)
        report["last"] = self._seen
        if report.get("headless") and not report.get("chosen") and not report["killed"]:
            # Without the header, this line is the one that says what happened.
            report["line"], report["message"] = line, text
        if "cgroup" in why:
            report["constraint"] = "MEMCG"
        elif why:
            report.setdefault("constraint", None)
            report["said_system"] = True
        if match.group("verb") == "Killed":
            if len(report["killed"]) < MAX_ZONES:
                report["killed"].append(victim)
            report["complete"] = True
        else:
            report["chosen"] = victim
        return True

    def _old_kill(self, line, text):
        match = _OLD_KILL.search(text)
        if match:
            report = self._start(line, "oom_kill", said_system=True)
            report["killed"] = [(match.group("comm"), None)]
        return bool(match)

    def _oom_report(self, line, victim=None):
        """The OOM report that a kill line or summary belongs to; a new one when its header is not in the log."""
        for report in reversed(self._open):
            if report["kind"] != "oom_kill" or not (
                line.caller is None or report["caller"] is None or report["caller"] == line.caller
            ):
                continue
            if report.get("killed") and victim and not report.get("group"):
                break
            report.setdefault("killed", [])
            return report
        report = self._start(line, "oom_kill", headless=True)
        report["killed"] = []
        return report

    def _suppression(self, line, text):
        match = _SUPPRESSED.search(text)
        if match and len(self.suppressed) < MAX_OPEN:
            what = match.group("what")
            self.suppressed[what] = self.suppressed.get(what, 0) + int(match.group("count"))
        return bool(match)

    # -- bodies -----------------------------------------------------------------------------------------------------

    def _body(self, line, text):
        report = self._current(line)
        if self._slab is not None and "slabs: " in text and "objs: " in text:
            self._slab["last"] = self._seen
            return True
        if report is None:
            return False
        taken = self._part(line, report, text)
        if taken:
            report["last"] = self._seen
        return taken

    def _part(self, line, report, text):
        if "+0x" in text:
            return self._frame(report, text)
        if "kB" in text:
            if "free:" in text:
                return self._zone(line, report, text)
            if "*" in text or "_" in text:
                match = _FREE_LIST.search(text)
                if match:
                    return self._free_list(line, report, match, text)
            if "limit" in text:
                return self._memcg_part(line, text)
        if "omm: " in text:
            match = _WHO.search(text)
            if match:
                return self._who(line, match, text)
        if "lowmem_reserve" in text:
            match = _RESERVE.search(text)
            if match and report["last_zone"] is not None:
                report["zones"][report["last_zone"]]["lowmem_reserve"] = [int(word) for word in match.group(1).split()]
            return True
        if "slab_" in text or " free_pcp:" in text or " free_cma:" in text:
            return self._totals(report, text)
        if "pages reserved" in text and report["kind"] == "page_allocation_failure":
            report["complete"] = True
            return True
        if "pages RAM" in text:
            report["ram_pages"] = int((_NUMBER.search(text) or _NUMBER.search("0")).group())
            return True
        if "cgroup" in text or "Task in" in text or "Tasks in" in text:
            return self._memcg_part(line, text)
        if "cpuset=" in text:
            return self._cpuset(text)
        if "KB" in text:
            match = _SLAB_ROW.match(text)
            if match:
                biggest = report.get("biggest_slab", (0, None))
                report["biggest_slab"] = max(biggest, (int(match.group("total")), match.group("name")))
                return True
        if text[:1] == "[" and _TASK_ROW.match(text):
            return True
        if text[:8] == "Mem-Info" or text[:8] == "Mem-info":
            report["memory_info"] = True
            return True
        match = _DECODED.match(text) if "(" in text else None
        if match:
            return self._frame(report, text, match)
        return _FILLER.match(text) is not None or "[<" in text

    def _frame(self, report, text, match=None):
        if _REGISTER.match(text):
            return True
        match = match or _FRAME.search(text)
        if match and not report["zones"]:
            name = match.group("name")
            frames = report["doubtful"] if match.group("doubt") else report["trace"]
            if len(frames) < MAX_FRAMES:
                frames.append(name)
                if match.group("module"):
                    report["modules"][name] = match.group("module")
        return match is not None

    def _who(self, line, match, text):
        comm, pid = match.group("comm").strip(), int(match.group("pid"))
        target = None
        for report in reversed(self._open):
            if report["pid"] is None and report["comm"] in (comm, None):
                target = report
                break
        if target is None:
            current = self._current(line)
            target = current if current and current["pid"] is None and current["kind"] != "oom_kill" else None
        if target is None:
            return True
        target["pid"], target["comm"] = pid, target["comm"] or comm
        target["last"] = self._seen
        if match.group("cpu"):
            target["cpu"] = int(match.group("cpu"))
        # What comes next belongs to the one that introduced itself last.
        self._open.remove(target)
        self._open.append(target)
        release = _RELEASE.search(text)
        if release:
            self._release(line, target, release.group("kernel"))
        else:
            self._unreleased = (self._seen, target)
        return True

    def _release(self, line, report, kernel):
        report["kernel"] = self._kernel[line.host] = kernel
        if len(self._kernel) > 64:
            self._kernel.clear()

    def _zone(self, line, report, text):
        match = _ZONE.search(text)
        if not match:
            # The totals: "free:115901 free_pcp:2004", and the lines of each node.
            return self._totals(report, text)
        if "high:" not in text and not text.endswith("\0"):
            return self._wait(line, re.compile(r"high:\d+kB"))
        key = (match.group("node") and int(match.group("node")), match.group("zone"))
        zone = report["zones"].setdefault(key, {}) if len(report["zones"]) < MAX_ZONES else {}
        zone["free"] = int(match.group("free"))
        for name, amount in _AMOUNT.findall(match.group("rest")):
            zone.setdefault(name, int(amount))
        report["last_zone"] = key if key in report["zones"] else None
        report["memory_info"] = True
        return True

    @staticmethod
    def _totals(report, text):
        """The first lines of Mem-Info, about the whole machine, in pages."""
        for name, count in _SLAB_PAGES.findall(text):
            report.setdefault("slab_" + name, int(count))
        match = _TOTAL_FREE.search(text)
        if match:
            report.setdefault("free_pages", int(match.group(1)))
        report["memory_info"] = True
        return True

    def _free_list(self, line, report, match, text):
        if not _LIST_END.search(text) and not text.endswith("\0"):
            return self._wait(line, _LIST_END)
        key = (match.group("node") and int(match.group("node")), match.group("zone"))
        zone = report["zones"].setdefault(key, {}) if len(report["zones"]) < MAX_ZONES else {}
        blocks = _FREE_BLOCK.findall(match.group("blocks"))
        if blocks and _LIST_END.search(text):
            zone["free_blocks"] = [int(count) for count, size, types in blocks]
            zone["migratetypes"] = [types for count, size, types in blocks]
            report["page_kb"] = int(blocks[0][1])
        elif blocks:
            report["truncated"] = True
        return True

    def _memcg_part(self, line, text):
        """The lines that only the OOM killer of a memory cgroup prints; also opens a report that lost its header."""
        match = _KILLED_BY_LIMIT.search(text)
        usage = None if match else _USAGE.match(text)
        stats = None if match or usage else _STATS.search(text)
        group = None if match or usage or stats else _GROUP_KILL.search(text)
        if not (match or usage or stats or group):
            return False
        report = self._oom_report(line)
        report["last"] = self._seen
        report["constraint"] = "MEMCG"
        if match:
            report["task_cgroup"] = match.group("task")
            report["limit_cgroup"] = match.group("limit") or match.group("limit2")
        elif usage:
            if usage.group("what") == "memory":
                report["usage_kb"], report["limit_kb"] = int(usage.group("usage")), int(usage.group("limit"))
            elif usage.group("what") == "kmem":
                report["kmem_usage_kb"], report["kmem_limit_kb"] = int(usage.group("usage")), int(usage.group("limit"))
        elif stats:
            report.setdefault("limit_cgroup", stats.group("cgroup").rstrip(":"))
        else:
            report["group"] = True
            report.setdefault("limit_cgroup", group.group("cgroup"))
        return True

    def _cpuset(self, text):
        match = _CPUSET.search(text)
        if match and self._open:
            self._open[-1]["cpuset"], self._open[-1]["mems_allowed"] = match.group("cpuset"), match.group("mems")
        return bool(match)


_LIST_END = Lazy(r"= ?\d+kB\s*$")

# Lines of a cgroup's OOM report that show what it is even when its header is lost.
_MEMCG_LINES = ("Memory cgroup stats", "as a result of limit", "memory.oom.group")

# At least one of these is in every header; most lines of a log have none.
_GATE = (
    "alloc",
    "oom-kill",
    "invoked",
    "ill process",
    "illed process",
    "killing process",
    "cache",
    "lockup",
    "blocked for",
    "callbacks",
)

# What a line must contain to begin (or end) a report, the likeliest first.
_HEADS = (
    ("page allocation", KernelLog._page_failure),
    ("oom-killer", KernelLog._oom),
    ("invoked", KernelLog._oom_broken),
    ("oom-kill:", KernelLog._summary),
    ("ill process", KernelLog._kill),
    ("illed process", KernelLog._kill),
    ("nable to allocate memory on", KernelLog._slab_failure),
    ("cache: ", KernelLog._slab_cache),
    ("kmem_cache_create", KernelLog._cache_create),
    ("nf_conn slab", KernelLog._conntrack),
    ("vmap allocation", KernelLog._vmap),
    ("vmalloc_node_range for", KernelLog._vmap),
    ("vmalloc", KernelLog._vmalloc),
    ("alloc failed", KernelLog._cma),
    ("soft lockup", KernelLog._lockup),
    ("blocked for more", KernelLog._lockup),
    ("page allocation stall", KernelLog._stall),
    ("-order allocation failed", KernelLog._old_failure),
    ("killing process", KernelLog._old_kill),
    ("callbacks suppressed", KernelLog._suppression),
)
