# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Why a kernel report was printed: what its code path allows (possible), narrowed by the numbers that it lists (zones).

diagnose() takes a Report with its gfp flags decoded and returns

    {cause, reason, confidence, rejected: [{cause, why}], consumer, basis}

``unknown`` is an answer: where two causes remain, none is named with any confidence. ``basis`` says what the verdict rests on and so
whose word counts when reports of one moment contradict each other (clusters): "numbers", "lines" that say it outright, "path" the
code path alone, "guess".
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import possible, zones
from .callers import asks_for_user_page, asks_like_charge, explained, oom_scope, starts_container
from .possible import FRAGMENTATION, INVALID, MEMCG, SHORT, SHORTAGE, UNKNOWN, VMALLOC
from .report import base_name

# A cgroup limit below this cannot hold even the runtime's own start-up (runc needs about 6 MiB, pause under 1 MiB).
TINY_LIMIT_KB = 8192
# A slab cache of this size says where memory went (kB).
HUGE_SLAB_KB = 1048576
# Of the whole machine's memory: it is short with less than a 200th of it free, and is not with more than a tenth.
SHORT_OF_ALL, PLENTY_OF_ALL = 200, 10
# More than watermarks add up to on any machine up to 2 TiB (min_free_kbytes is capped at 256 MiB, watermark_scale_factor is 0.1 %).
PLENTY_KB = 4194304
# init_per_zone_wmark_min() gives all zones' min together no less.
LEAST_MIN_KB = 128
# PAGE_COUNTER_MAX, the limit of a cgroup that has none, is 2^63 bytes less a page; RESOURCE_MAX before 3.19 is more.
NO_LIMIT_KB = 1 << 52

_LESS_SURE = {"high": "medium", "medium": "low", "low": "low"}

_NEVER_BLOCKS = {"cause": FRAGMENTATION, "why": "a single page cannot fail for fragmentation"}
_NO_PAGES_MISSING = {"cause": SHORTAGE, "why": "address space was missing, not pages"}
_VMALLOC_IS_PIECES = {"cause": FRAGMENTATION, "why": "vmalloc() needs no contiguous memory"}


def verdict_of(cause, reason, confidence, basis, rejected=()):
    return {
        "cause": cause,
        "reason": reason,
        "confidence": confidence,
        "rejected": list(rejected),
        "consumer": None,
        "basis": basis,
    }


def diagnose(report):
    """The one entry: report -> verdict (module documentation)."""
    return _JUDGES[report.kind or "page_allocation_failure"](report)


def asked(report):
    """ "order 5 (128 kB contiguous)", "one page": what was asked for."""
    if report.order is None:
        return "memory"
    return (
        "order %d (%d kB contiguous)" % (report.order, report.page_kb << report.order)
        if report.order > 0
        else "one page"
    )


def _cause(name, request):
    return request.short if name == SHORT else name


# --- the page allocator -----------------------------------------------------------------------------------------------


def _page_failure(report):
    if report.of_vmalloc:
        return _of_vmalloc(report.of_vmalloc)
    request = possible.Request(report)
    return explained(report, _allocation(report, request))


def _of_vmalloc(first):
    """The second line of a failed vmalloc(), which has the cause of the first."""
    verdict = _vmalloc(first)
    cause, confidence = verdict["cause"], "low" if verdict["confidence"] == "low" else "medium"
    why, rejected = "see there", []
    if cause == VMALLOC:
        why = "address space was missing, not pages" if confidence != "low" else "see there"
        rejected = [{"cause": SHORTAGE, "why": "vmalloc() had failed before any page was asked for"}]
    text = "the second line of a failed vmalloc(), which asks for single pages: %s" % why
    return verdict_of(cause, text, confidence, verdict["basis"], rejected)


def _allocation(report, request):
    """The verdict on a request to the page allocator, an OOM kill for one included."""
    row = possible.row_for(request)
    causes = {_cause(name, request) for name in row.causes}
    if causes <= {INVALID, MEMCG}:
        return _by_path(report, request, row)
    found = zones.verdict(report, request)
    if found is None:
        found = _by_totals(report, request)
    if found is None:
        return _by_path(report, request, row)
    cause, confidence, text, rejected = found
    if cause in causes or cause == UNKNOWN and confidence != "low":
        if row.name == "while booting":
            confidence = _LESS_SURE[confidence]
        return verdict_of(cause, text, confidence, "numbers", rejected)
    # The numbers contradict the event: they were printed later, when memory had been freed or an OOM kill had done its work.
    settled = row.alone if row.alone and (len(causes) == 1 or row.alone[0] == SHORT) else (UNKNOWN, "low")
    text += ": printed after the event, these numbers do not explain it"
    if settled[0] != UNKNOWN:
        text += "; %s" % row.why
    return verdict_of(_cause(settled[0], request), text, "low", "path", rejected)


def _by_path(report, request, row):
    """Where no numbers are in the log, or none that count."""
    cause, confidence = row.alone or (UNKNOWN, "low")
    if confidence == "high" and report.kind == "oom_kill" and report.constraint != "NONE" and report.cpuset != "/":
        # That no cpuset or memory policy restricted it is said by other lines, the last one from 5.0 on.
        confidence = "medium" if report.said_system else "low"
    text = "%s could not be had; the state of memory (Mem-Info) is not in the log" % asked(report)
    if report.kind == "oom_kill":
        text = "the kernel killed a process for %s" % asked(report)
    rejected = [_NEVER_BLOCKS] if report.order == 0 and cause != INVALID else []
    return verdict_of(_cause(cause, request), "%s: %s" % (text, row.why), confidence, "path", rejected)


def _by_totals(report, request):
    """Where the zones were cut off but the machine's totals are there: only clear cases."""
    free, ram = report.free_pages, report.ram_pages
    if not free or request.zone in ("DMA", "DMA32"):
        return None
    text = "%s could not be had, with %d kB free in the whole machine" % (asked(report), free * report.page_kb)
    if not report.order and (free * PLENTY_OF_ALL > ram if ram else free * report.page_kb > PLENTY_KB):
        return UNKNOWN, "low", text, [_NEVER_BLOCKS]
    # What the request would have left, as __zone_watermark_ok() counts.
    left = free - (1 << max(0, report.order or 0)) + 1
    if ram and free * SHORT_OF_ALL < ram or left * report.page_kb < LEAST_MIN_KB:
        return request.short, "medium", text, [_NEVER_BLOCKS] if not report.order else []
    return None


# --- the OOM killer ---------------------------------------------------------------------------------------------------


def scope_of(report):
    """Whose memory ran out: memcg, system, cpuset, mempolicy, None where nothing tells."""
    constraint = report.constraint
    if constraint == "MEMCG" or report.said_memcg:
        return "memcg"
    if constraint in ("CPUSET", "MEMORY_POLICY"):
        return {"CPUSET": "cpuset", "MEMORY_POLICY": "mempolicy"}[constraint]
    if constraint == "NONE" or report.said_system:
        return "system"
    called_by = oom_scope(report)
    if called_by is not None:
        return called_by
    # dump_header() shows the machine's memory for its own kills only.
    if report.memory_info or report.order is not None and report.order < 0 or asks_for_user_page(report):
        return "system"
    return None


def _oom(report):
    if report.scope is None:
        report.scope = scope_of(report)
    if report.scope is None and asks_like_charge(report):
        report.scope = "memcg"
        verdict = _memcg(report)
        verdict["reason"] += (
            ", as far as its first lines tell: one page of GFP_KERNEL for a task in a container, as charges are"
        )
        return dict(verdict, confidence="low", basis="guess")
    if report.scope == "memcg":
        return _memcg(report)
    request = possible.Request(report)
    verdict = _allocation(report, request)
    slab = report.biggest_slab
    if verdict["cause"] == UNKNOWN and report.order and report.order > 0 and slab and slab[0] > HUGE_SLAB_KB:
        verdict = verdict_of(
            SHORTAGE,
            "the kernel killed a process for %s while the slab cache %s held %d kB" % (asked(report), slab[1], slab[0]),
            "medium",
            "numbers",
            [{"cause": FRAGMENTATION, "why": "memory was in use, not in pieces"}],
        )
    if report.scope == "cpuset" and verdict["cause"] == SHORTAGE:
        verdict["reason"] += " (on the memory nodes %s of its cpuset)" % (report.mems_allowed or "")
    if report.scope == "mempolicy" and verdict["cause"] == SHORTAGE:
        verdict["reason"] += " (on the nodes that the memory policy of the process allows)"
    return explained(report, verdict) if report.order else verdict


def _memcg(report):
    limit, usage = report.limit_kb, report.usage_kb
    cgroup = report.limit_cgroup or report.task_cgroup
    name = "cgroup " + cgroup if cgroup else "a cgroup"
    text = "the memory limit of %s was reached" % name
    if limit is not None:
        if min(limit, report.kmem_limit_kb or limit) >= NO_LIMIT_KB:
            text = "the kernel killed a process for %s, which has no memory limit that could have been reached" % name
            return verdict_of(UNKNOWN, text, "medium", "lines")
        text += ": %d of %d kB in use" % (usage, limit)
        if limit < TINY_LIMIT_KB:
            text += ", less than the runtime needs to start a container (a limit given in bytes?)"
    if report.kmem_usage_kb and usage and report.kmem_usage_kb * 2 > usage:
        text += ", %d kB of it kernel memory" % report.kmem_usage_kb
    if starts_container(report.comm) or starts_container((report.killed or [("", None)])[-1][0]):
        text += "; the process killed starts the container"
    rejected = [
        {"cause": FRAGMENTATION, "why": "a charge to a cgroup is refused by its limit, wherever the pages come from"},
        {"cause": SHORTAGE, "why": "the limit of the cgroup was reached, not that of the machine"},
    ]
    return verdict_of(MEMCG, text, "high", "lines", rejected)


# --- slab, vmalloc, CMA, stalls ---------------------------------------------------------------------------------------


def _slab_failure(report):
    cache = report.cache or "?"
    if report.after is not None and report.after.order and report.order != 0:
        return _consequence(report, "no new slab for the cache %s" % cache)
    request = possible.Request(report)
    row = possible.row_for(request)
    cause, confidence = row.alone or (UNKNOWN, "low")
    if MEMCG in row.causes and report.after is not None:
        # The page allocator had said no before the cgroup was asked.
        return _consequence(report, "no new slab for the cache %s" % cache)
    text = "no new slab%s for the cache %s: %s" % (
        "" if report.order is None else " of order %d" % report.order,
        cache,
        row.why,
    )
    if not request.sleeps and cause != MEMCG:
        text += ", by a request that may not sleep"
    rejected = [_NEVER_BLOCKS] if report.order == 0 else []
    if cause == MEMCG:
        rejected = [{"cause": FRAGMENTATION, "why": "the page allocator reported nothing"}]
    return verdict_of(_cause(cause, request), text, confidence, "lines" if cause == MEMCG else "path", rejected)


def _consequence(report, text):
    verdict = dict(report.after.verdict)
    verdict["reason"] = "%s, because of the page allocation failure (order %s) just before it" % (
        text,
        report.after.order,
    )
    return verdict


def _cache_create(report):
    text = "the slab cache %s could not be made" % report.cache
    if report.after is not None:
        return _consequence(report, text)
    if report.errno != -12:
        return verdict_of(UNKNOWN, "%s (error %d)" % (text, report.errno), "low", "guess")
    if report.fell_back:
        # nf_ct_alloc_hashtable() asks for one block first, without a warning, and for single pages then.
        verdict = verdict_of(
            FRAGMENTATION,
            text
            + " (ENOMEM), and its hash table fell back to vmalloc at that time: single pages were there, blocks were not",
            "low",
            "path",
            [{"cause": SHORTAGE, "why": "vmalloc found the same memory in single pages"}],
        )
    else:
        verdict = verdict_of(
            UNKNOWN,
            text + " (ENOMEM), and no page allocation failure is in the log: the kernel limits how many it prints",
            "low",
            "guess",
        )
    verdict["consumer"] = "netns" if "nf_conntrack" in report.cache else None
    return verdict


def _vmalloc(report):
    request = possible.Request(report)
    row = possible.row_for(request)
    if FRAGMENTATION in row.causes:
        found = zones.verdict(report, request)
        if found is not None and found[0] in (FRAGMENTATION, request.short):
            cause, confidence, text, rejected = found
            return verdict_of(cause, "%s; %s" % (text, row.why), confidence, "numbers", rejected)
    cause, confidence = row.alone
    rejected = {VMALLOC: [_NO_PAGES_MISSING, _VMALLOC_IS_PIECES], SHORTAGE: [_VMALLOC_IS_PIECES]}.get(cause, [])
    # "vmalloc error" says how much of it there was (area->nr_pages), all others how much it was to be.
    whole = report.size is not None and not (report.problem == "pages" and "vmalloc error" in report.message)
    return verdict_of(
        cause,
        "vmalloc()%s: %s" % (" of %d bytes" % report.size if whole else "", row.why),
        confidence,
        "path" if cause == SHORTAGE or report.problem is None and report.size != 0 else "lines",
        rejected,
    )


def _cma(report):
    row = possible.row_for(possible.Request(report))
    text = "pages in it could not be moved away" if report.errno == -16 else "it is too small or in use"
    return verdict_of(
        UNKNOWN,
        "no %d contiguous pages in the CMA area (error %d), %s: %s" % (report.pages, report.errno, text, row.why),
        row.alone[1],
        "lines",
    )


_PAGE_WAITS = frozenset(
    "io_schedule __lock_page __folio_lock folio_wait_bit_common wait_on_page_bit wait_on_page_bit_common sleep_on_page".split()
)


def _stall(report):
    if report.zones and report.order:
        found = zones.verdict(report, possible.Request(report))
        if found is not None:
            cause, confidence, text, rejected = found
            return verdict_of(cause, text, confidence, "numbers", rejected)
    text = "%s spent %s seconds in %s" % (report.comm, report.seconds, report.function)
    waits = [name for name in report.trace if base_name(name) in _PAGE_WAITS]
    if waits:
        text += ", waiting for a page that is locked for I/O (%s): look at the file system or the disk" % waits[0]
    return verdict_of(UNKNOWN, text, "low", "guess")


_JUDGES = {
    "page_allocation_failure": _page_failure,
    "oom_kill": _oom,
    "slab_allocation_failure": _slab_failure,
    "slab_cache_create_failure": _cache_create,
    "vmalloc_failure": _vmalloc,
    "cma_allocation_failure": _cma,
    "compaction_stall": _stall,
}
