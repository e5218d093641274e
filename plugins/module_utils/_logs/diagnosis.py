# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Why a kernel report was printed: the kernel's own arithmetic on the zones that the report itself lists.

diagnose() takes a report of kernel.KernelLog with its gfp flags decoded and returns
{cause, reason, confidence, rejected: [{cause, why}], consumer}. ``unknown`` is an answer: the
numbers of a report may not explain it, and then nothing is blamed.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .. import _gfp
from .._consumers import is_el, version_of
from .._fragmentation import (
    BLOCK_FREE,
    PAGE_ALLOC_COSTLY_ORDER,
    fragmentation_index,
    free_pages,
    normal_index,
    watermark_ok,
)
from .kernel import _MEMCG_CHARGE, base_name

# Free blocks of these types are listed, but closed to an ordinary request; "C" is open to movable ones and "H" to atomic ones.
_CLOSED_LETTERS = "HCIR"

# A cgroup limit below this cannot hold even the runtime's own start-up (runc needs about 6 MiB, pause under 1 MiB).
TINY_LIMIT_KB = 8192

# Functions in the trace -> who wanted the memory, and on which kernels that is known. First match wins.
_CONSUMERS = (
    (
        "memcg_alloc_cache_params memcg_register_cache init_memcg_params",
        "memcg_array",
        "an array with one pointer per kernel-memory cgroup, for a new slab cache",
    ),
    (
        "memcg_update_all_caches memcg_update_cache_size memcg_update_cache_params",
        "memcg_array",
        "the growing of the arrays with one pointer per kernel-memory cgroup",
    ),
    ("nf_conntrack_init_net nf_conntrack_pernet_init", "netns", "connection tracking of a new network namespace"),
    ("veth_alloc_queues veth_newlink", "veth", "the queues of a new veth pair, one per possible CPU"),
    ("setup_net copy_net_ns ops_init", "netns", "a new network namespace"),
    (
        "alloc_thread_info alloc_thread_info_node alloc_thread_stack_node dup_task_struct",
        "stack",
        "the kernel stack of a new thread",
    ),
    ("crst_table_alloc pgd_alloc pmd_alloc pte_alloc_one __pmd_alloc", "page_table", "a page table"),
    ("copy_process", "fork", "a new process"),
    ("do_huge_pmd_anonymous_page alloc_hugepage_vma khugepaged alloc_fresh_huge_page", "huge_page", "a huge page"),
    ("elf_core_dump fill_thread_core_info do_coredump", "coredump", "a core dump"),
    (
        "__dma_direct_alloc_pages dma_direct_alloc dma_alloc_attrs dma_generic_alloc_coherent atomic_pool_expand dma_atomic_pool_init"
        " __dma_alloc alloc_page_interleave",
        "dma",
        "a DMA buffer of a driver",
    ),
    (
        "__alloc_skb __napi_alloc_skb napi_alloc_skb __netdev_alloc_skb __netdev_alloc_frag page_frag_alloc netdev_alloc_frag"
        " alloc_skb_with_frags sk_prot_alloc __kmalloc_reserve alloc_rx_agg skb_page_frag_refill netlink_dump",
        "network",
        "network buffers",
    ),
    ("seq_read seq_read_iter traverse", "proc", "the reading of a file of /proc"),
)

# Frames that say how memory was asked for, not who asked.
_PLUMBING = frozenset(
    "dump_stack dump_stack_lvl show_stack show_trace dump_backtrace unwind_backtrace dump_header warn_alloc warn_alloc_failed "
    "out_of_memory oom_kill_process __alloc_pages_may_oom alloc_pages alloc_pages_current alloc_pages_node alloc_pages_vma "
    "alloc_pages_mpol __get_free_pages get_zeroed_page get_free_pages kmalloc_order kmalloc_order_trace kmalloc_large "
    "kmalloc_large_node kmem_getpages cache_grow cache_grow_begin fallback_alloc cache_alloc_refill new_slab allocate_slab "
    "alloc_slab_page kmem_cache_create kmem_cache_create_memcg kmem_cache_create_usercopy kmem_cache_create_args "
    "do_kmem_cache_create memcg_alloc_cache_params memcg_register_cache init_memcg_params create_cache kvmalloc_node folio_alloc "
    "vmalloc_node_range mem_cgroup_out_of_memory mem_cgroup_oom_synchronize pagefault_out_of_memory try_charge mem_cgroup_charge "
    "page_allocation_failure alloc_frozen_pages vmalloc vzalloc vmalloc_node".split()
)
_PLUMBING_STARTS = (
    "alloc_pages",
    "kmalloc",
    "kmem_cache_alloc",
    "slab_alloc",
    "alloc_frozen",
    "alloc_pages",
    "vmalloc",
    "mem_cgroup",
    "kvmalloc",
)

# Cgroups for kernel memory that must once have existed for the array to have this order (8-byte pointers, 4 KiB pages).
_CGROUPS_OF_ORDER = {2: 766, 3: 1534, 4: 3070, 5: 6142, 6: 12286, 7: 24574, 8: 49150}

# What starts containers: a failure in one of these is a container that did not start.
STARTERS = (
    "runc",
    "exe",
    "containerd-shim",
    "dockerd",
    "docker",
    "containerd",
    "crun",
    "crio",
    "conmon",
    "pause",
    "kata-runtime",
    "runsc",
)


def call_site(trace):
    """The first function that is not allocator or report machinery, None where there is none."""
    for name in trace:
        plain = base_name(name).lstrip("_")
        if plain.endswith("_noprof"):
            plain = plain[:-7]
        if base_name(name) not in _PLUMBING and plain not in _PLUMBING and not plain.startswith(_PLUMBING_STARTS):
            return name
    return None


def consumer(trace):
    """-> (id, text) of who wanted the memory, (None, None) where the trace does not tell."""
    functions = {base_name(name) for name in trace}
    functions.update([name[:-7] for name in functions if name.endswith("_noprof")])
    for names, ident, text in _CONSUMERS:
        if functions.intersection(names.split()):
            if ident == "memcg_array" and "nf_conntrack_init_net" in functions:
                text += ", made by nf_conntrack_init_net for each new network namespace"
            return ident, text
    return None, None


def starts_container(comm):
    return (comm or "").split(":")[0] in STARTERS


def kernel_range(ident, release, trace=()):
    """The kernels known to be affected, as part of a sentence."""
    if ident == "memcg_array":
        return (
            "Linux 3.8 to 4.13 and el7 allocate it that way (one conntrack cache per namespace: 2.6.33 to 4.6 and el7)"
        )
    if ident == "veth":
        return "Linux 5.13 to 6.7 allocate them in one block, mended in 6.8, 6.7.9, 6.6.21 and 6.1.81"
    if ident == "stack":
        return "kernels from 3.15 and el7 without CONFIG_VMAP_STACK"
    return None


def _verdict(cause, reason, confidence, **more):
    found = {
        "cause": cause,
        "reason": reason,
        "confidence": confidence,
        "rejected": [],
        "consumer": None,
    }
    found.update(more)
    return found


def diagnose(report):
    """The one entry: report -> verdict (module documentation)."""
    judge = {
        "page_allocation_failure": _page_failure,
        "oom_kill": _oom,
        "slab_allocation_failure": _slab_failure,
        "slab_cache_create_failure": _cache_create,
        "vmalloc_failure": _vmalloc,
        "cma_allocation_failure": _cma,
        "compaction_stall": _stall,
    }[report["kind"]]
    return judge(report)


# --- zones ------------------------------------------------------------------------------------------------------------


def _kb(pages, page_kb):
    return "%d kB" % (pages * page_kb)


def _name(key):
    return key[1] if key[0] is None else "node %d %s" % key


def _nodes(text):
    """ "0-1,4" -> {0, 1, 4}"""
    nodes = set()
    for part in (text or "").split(","):
        first, _dash, last = part.partition("-")
        if first.isdigit() and (last.isdigit() or not last):
            nodes.update(range(int(first), min(int(last or first), int(first) + 1023) + 1))
    return nodes


def _reserve(zone, names, wanted):
    """Pages of the zone that lowmem_reserve keeps from requests whose highest zone is ``wanted``."""
    reserve = zone.get("lowmem_reserve")
    if not reserve:
        return 0
    normal = normal_index(names, len(reserve))
    above = {"DMA": -normal, "DMA32": -1, "Normal": 0, "HighMem": 1, "Movable": 2 if "HighMem" in names else 1}[wanted]
    return max(0, reserve[max(0, min(normal + above, len(reserve) - 1))])


def examine(report, traits):
    """-> [{key, state, ...}] of the zones that the request could use.

    state: "free" a block could be had, "fragmented" enough is free but not in such a block, "short" the watermark forbids it,
    "reserved" only lowmem_reserve forbids it, "empty" the zone has no memory. Zones of other nodes than the request was bound
    to are left out.
    """
    order = report["order"] or 0
    page_kb = report.get("page_kb") or 4
    names = [key[1] for key in report["zones"]]
    allowed = _nodes(report.get("mems_allowed")) or None
    if report.get("constraint") in ("MEMORY_POLICY", "CPUSET"):
        allowed = _nodes(report.get("nodemask")) or allowed
    scaled = _scaled(report.get("kernel"))
    closed_letters = _CLOSED_LETTERS.replace("C", "" if traits["movable"] else "C").replace(
        "H", "" if traits["atomic"] else "H"
    )
    seen = []
    for key, zone in report["zones"].items():
        if key[1] not in traits["eligible"] or "free" not in zone and "free_blocks" not in zone:
            continue
        if allowed and key[0] is not None and key[0] not in allowed:
            continue
        blocks = zone.get("free_blocks")
        free = zone["free"] // page_kb if "free" in zone else free_pages(blocks)
        marks = {mark: zone.get(mark, 0) // page_kb for mark in ("min", "low", "high")}
        reserve = _reserve(zone, names, traits["zone"])
        closed = 0 if traits["movable"] else zone.get("free_cma", 0) // page_kb
        closed += 0 if traits["atomic"] else zone.get("free_highatomic", zone.get("reserved_highatomic", 0)) // page_kb
        mark = marks["min"]
        usable = None
        if blocks:
            usable = [
                count if set(types or "U") - set(closed_letters) else 0
                for count, types in zip(blocks, zone["migratetypes"])
            ]
        state = None
        if zone.get("managed") == 0:
            state = "empty"
        elif watermark_ok(blocks or [free], 0, mark, reserve, closed, None, traits["atomic"]) and free - closed > 0:
            if not order:
                state = "free"
            elif blocks is None:
                state = "fragmented"
            else:
                got = watermark_ok(blocks, order, mark, reserve, closed, usable, traits["atomic"], scaled)
                enough = free - closed - (1 << order) + 1 > mark * (1 if not traits["atomic"] else 0) + reserve
                state = "free" if got else "fragmented" if enough else "short"
        elif free - closed > mark and reserve:
            state = "reserved"
        else:
            state = "short"
        seen.append(
            {
                "key": key,
                "state": state,
                "free": free,
                "closed": closed,
                "reserve": reserve,
                "marks": marks,
                "blocks": blocks,
                "usable": usable,
                "index": fragmentation_index(blocks, order) if blocks and order < len(blocks) else None,
                "low_room": free - closed - reserve - marks["low"],
            }
        )
    return seen


def _scaled(release):
    """Whether the kernel is one that wants half the watermark again free above every order (up to 4.3, el6 and el7)."""
    version = version_of(release)
    return bool(version and version < (4, 4, 0) or is_el(release, 6, 7))


def _traits(report):
    return _gfp.traits(report.get("gfp_flags") or [])


# --- judgements -------------------------------------------------------------------------------------------------------


def _asked(report, traits):
    order = report["order"] or 0
    page_kb = report.get("page_kb") or 4
    return "order %d (%d kB contiguous)" % (order, page_kb << order) if order else "one page"


def _with_consumer(report, verdict):
    """Names who asked, and what is known about that on this kernel."""
    ident, text = consumer(report["trace"])
    order = report["order"] or 0
    if (
        ident is None
        and not report["trace"]
        and starts_container(report["comm"])
        and 4 <= order <= 8
        and report["mask"] in (0x10C0D0, 0xC0D0, 0x1040D0, 0x40D0)
    ):
        # The header alone: kzalloc() of more than 8 KiB, in a process that is about to get its namespaces.
        ident, text = (
            "memcg_array",
            (
                "what is most likely an array with one pointer per kernel-memory cgroup, made by nf_conntrack_init_net for each new network namespace"
            ),
        )
    if ident is None:
        site = call_site(report["trace"])
        module = report["modules"].get(site)
        text = site and "%s%s" % (site, " of the module %s" % module if module else "")
    verdict["consumer"] = ident
    if text and verdict["cause"] in ("fragmentation", "memory_shortage", "atomic_burst", "unknown"):
        verdict["reason"] += "; wanted for %s" % text
        if ident == "memcg_array":
            cgroups = _CGROUPS_OF_ORDER.get(order)
            if cgroups:
                verdict["reason"] += (
                    ", order %d means that there once were at least %d such cgroups, most of them leaked"
                    % (order, cgroups)
                )
                verdict["rejected"].append(
                    {
                        "cause": "memcg_leak",
                        "why": "leaked cgroups raise the order, but it is the missing block that made this request fail",
                    }
                )
        known = kernel_range(ident, report.get("kernel"))
        if known and verdict["cause"] == "fragmentation":
            verdict["reason"] += "; " + known
    return verdict


def _by_zones(report, traits):
    """The verdict that the report's own zones give; None when it lists none."""
    if not report["zones"]:
        return None
    order = report["order"] or 0
    page_kb = report.get("page_kb") or 4
    zones = examine(report, traits)
    what = _asked(report, traits)
    if not zones:
        listed = ", ".join(sorted(_name(key) for key in report["zones"]))
        return _verdict(
            "unknown",
            "none of the zones listed (%s) may serve this request (%s and below%s): a matter of configuration, neither "
            "shortage nor fragmentation"
            % (listed, traits["zone"], ", nodes " + report["mems_allowed"] if report.get("mems_allowed") else ""),
            "medium",
            rejected=[{"cause": "fragmentation", "why": "no zone open to the request is listed"}],
        )
    by_state = {}
    for zone in zones:
        by_state.setdefault(zone["state"], []).append(zone)
    biggest = max(zones, key=lambda zone: zone["free"])
    sleeps = traits["can_reclaim"]
    short_cause = "memory_shortage" if sleeps or report["kind"] == "oom_kill" else "atomic_burst"
    short_text = "may not sleep and the reserves are drained" if short_cause == "atomic_burst" else "memory is short"

    if set(by_state) == {"empty"}:
        return _verdict(
            "memory_shortage",
            "%s was asked of zone %s, which has no memory at all" % (what, zones[0]["key"][1]),
            "high",
        )

    if order and by_state.get("fragmented"):
        zone = max(by_state["fragmented"], key=lambda item: item["free"])
        room = zone["free"] - zone["closed"] - zone["reserve"]
        above_low = room > zone["marks"]["low"]
        blocks = zone["blocks"]
        largest = max([index for index, count in enumerate(zone["usable"] or ()) if count] or [-1])
        text = "%s: %s has %s free, above its %s watermark of %s" % (
            what,
            _name(zone["key"]),
            _kb(zone["free"], page_kb),
            "low" if above_low else "min",
            _kb(zone["marks"]["low" if above_low else "min"], page_kb),
        )
        if blocks is None:
            text += " (its free lists are not in the log)"
        elif largest >= order:
            text += ", but too little of it in blocks of such orders for the watermark check of this kernel (up to 4.3, el6, el7)"
        elif any(blocks[order:]):
            text += (
                ", but blocks of order %d and above are only in types closed to it (high-atomic reserve, CMA)" % order
            )
        else:
            text += ", but no block above order %d" % largest if largest >= 0 else ", but no block it may use"
            if zone["index"] is not None and zone["index"] != BLOCK_FREE:
                text += " (fragmentation index 0.%03d)" % max(0, min(999, zone["index"]))
        if not sleeps:
            text += "; the request may not sleep, so the kernel could not compact for it"
        rejected = [
            {"cause": "memory_shortage", "why": "%s free in %s" % (_kb(zone["free"], page_kb), _name(zone["key"]))}
        ]
        sure = "high" if above_low and blocks is not None else "medium"
        return _verdict("fragmentation", text, sure, rejected=rejected)

    if by_state.get("free"):
        zone = max(by_state["free"], key=lambda item: item["low_room"])
        tight = zone["low_room"] <= 0 or (
            report["kind"] == "oom_kill" and zone["free"] - zone["reserve"] <= zone["marks"]["high"]
        )
        if tight and (order == 0 or report["kind"] == "oom_kill"):
            below = zone["free"] - zone["reserve"] <= zone["marks"]["min"]
            return _verdict(
                short_cause,
                "%s: %s has %s free, %s its min watermark of %s: %s"
                % (
                    what,
                    _name(zone["key"]),
                    _kb(zone["free"], page_kb),
                    "below" if below else "hardly above",
                    _kb(zone["marks"]["min"], page_kb),
                    short_text,
                ),
                "high" if below else "medium",
                rejected=[_not_fragmentation(order, zone)],
            )
        return _verdict(
            "unknown",
            "%s: %s has %s free and %s, so the numbers of the report do not explain the failure (freed since, or refused "
            "for another reason than memory)"
            % (
                what,
                _name(zone["key"]),
                _kb(zone["free"], page_kb),
                "blocks of that size" if order else "watermark min %s" % _kb(zone["marks"]["min"], page_kb),
            ),
            "low",
            rejected=[_not_fragmentation(order, zone)],
        )

    zone = max(by_state.get("short") or by_state.get("reserved"), key=lambda item: item["free"])
    text = "%s: %s has %s free, min watermark %s" % (
        what,
        _name(zone["key"]),
        _kb(zone["free"], page_kb),
        _kb(zone["marks"]["min"], page_kb),
    )
    if zone["closed"]:
        text += ", %s of it closed to the request (CMA, high-atomic reserve)" % _kb(zone["closed"], page_kb)
    if zone["state"] == "reserved" and zone["reserve"]:
        text += ", and lowmem_reserve keeps %s from it" % _kb(zone["reserve"], page_kb)
    if biggest is not zone and biggest["state"] == "reserved":
        text += "; %s has %s, which lowmem_reserve keeps for others" % (
            _name(biggest["key"]),
            _kb(biggest["free"], page_kb),
        )
    return _verdict(short_cause, text + ": " + short_text, "high", rejected=[_not_fragmentation(order, zone)])


def _not_fragmentation(order, zone):
    if not order:
        return {"cause": "fragmentation", "why": "a single page cannot fail for fragmentation"}
    if zone["state"] == "free":
        return {"cause": "fragmentation", "why": "a block of that order is free"}
    return {"cause": "fragmentation", "why": "too little is free for blocks to be made of it"}


def _by_totals(report, traits):
    """Where the zones were cut off but the machine's totals are there: only clear cases."""
    free, ram = report.get("free_pages"), report.get("ram_pages")
    if not free or not ram or traits["zone"] in ("DMA", "DMA32") and not report["order"]:
        return None
    what = _asked(report, traits)
    page_kb = report.get("page_kb") or 4
    if not report["order"] and free * 10 > ram:
        return _verdict(
            "unknown",
            "%s could not be had, with %s free in the whole machine: it was refused for another reason than memory"
            % (what, _kb(free, page_kb)),
            "low",
            rejected=[
                {"cause": "memory_shortage", "why": "%s are free" % _kb(free, page_kb)},
                {"cause": "fragmentation", "why": "a single page cannot fail for fragmentation"},
            ],
        )
    if report["order"] and free * 200 < ram:
        return _verdict(
            "memory_shortage",
            "%s could not be had, with only %s free in the whole machine" % (what, _kb(free, page_kb)),
            "medium",
        )
    return None


def _page_failure(report):
    traits = _traits(report)
    order = report["order"]
    what = _asked(report, traits)
    if report.get("of_vmalloc"):
        return _verdict(
            "vmalloc_exhaustion",
            "the second line of a failed vmalloc(), which asks for single pages: address space was missing, not pages",
            "medium",
            rejected=[{"cause": "memory_shortage", "why": "vmalloc() had failed before any page was asked for"}],
        )
    boot = report["pid"] == 1 and (report["comm"] or "").startswith("swapper") and traits["zone"] == "DMA"
    verdict = None if boot and order else _by_zones(report, traits)
    if verdict is None and boot and order:
        verdict = _verdict(
            "memory_shortage",
            "%s from zone DMA while booting: the zone is too small or has no memory, whatever its blocks" % what,
            "medium",
            rejected=[{"cause": "fragmentation", "why": "nothing can have fragmented that early"}],
        )
    elif verdict is None:
        verdict = _by_totals(report, traits)
    if verdict is not None:
        pass
    elif not order:
        cause = "memory_shortage" if traits["can_reclaim"] else "atomic_burst"
        verdict = _verdict(
            cause,
            "%s could not be had%s; the state of memory (Mem-Info) is not in the log"
            % (what, "" if traits["can_reclaim"] else " by a request that may not sleep"),
            "medium",
            rejected=[{"cause": "fragmentation", "why": "a single page cannot fail for fragmentation"}],
        )
    else:
        if traits["can_reclaim"]:
            text = ", though the request may sleep, so the kernel had reclaimed%s before it gave up" % (
                " and compacted" if order > PAGE_ALLOC_COSTLY_ORDER else ""
            )
            sure = "medium" if order > PAGE_ALLOC_COSTLY_ORDER else "low"
        else:
            text, sure = " by a request that may not sleep, for which the kernel cannot compact", "low"
        verdict = _verdict(
            "fragmentation",
            "%s could not be had%s; the state of memory (Mem-Info) is not in the log" % (what, text),
            sure,
        )
    return _with_consumer(report, verdict)


def scope_of(report):
    """Whose memory ran out: memcg, system, cpuset or mempolicy."""
    constraint = report.get("constraint")
    if constraint == "MEMCG" or any(_MEMCG_CHARGE.match(base_name(name)) for name in report["trace"]):
        return "memcg"
    if constraint in ("CPUSET", "MEMORY_POLICY"):
        return {"CPUSET": "cpuset", "MEMORY_POLICY": "mempolicy"}[constraint]
    # Of a report that was cut after its first lines: a charge is GFP_KERNEL, order 0, from a task in a container's cpuset.
    if (
        constraint is None
        and not report["zones"]
        and not report.get("said_system")
        and not report["order"]
        and (
            report.get("gfp_flags") == ["GFP_KERNEL"]
            and len((report.get("cpuset") or "/")) >= 64
            and not report["memory_info"]
        )
    ):
        return "memcg"
    return "system"


def _oom(report):
    scope = report["scope"] = scope_of(report)
    if scope == "memcg":
        return _memcg(report)
    traits = _traits(report)
    order = report["order"] or 0
    verdict = _by_zones(report, traits)
    slab = report.get("biggest_slab")
    if verdict is None and order and slab and slab[0] > 1048576:
        verdict = _verdict(
            "memory_shortage",
            "the kernel killed a process for %s while the slab cache %s held %d kB"
            % (_asked(report, traits), slab[1], slab[0]),
            "medium",
            rejected=[{"cause": "fragmentation", "why": "memory was in use, not in pieces"}],
        )
    elif verdict is None and order:
        verdict = _verdict(
            "unknown",
            "the kernel killed a process for %s; without the state of memory (Mem-Info) in the log, neither shortage nor "
            "fragmentation can be told" % _asked(report, traits),
            "low",
        )
    elif verdict is None:
        verdict = _verdict(
            "memory_shortage",
            "the kernel killed a process because memory ran out",
            "high" if report["mask"] is not None else "medium",
            rejected=[{"cause": "memcg_limit", "why": "no cgroup limit is named"}],
        )
    if scope == "cpuset" and verdict["cause"] == "memory_shortage":
        verdict["reason"] += " (on the memory nodes %s of its cpuset)" % (report.get("mems_allowed") or "")
    if scope == "mempolicy" and verdict["cause"] == "memory_shortage":
        verdict["reason"] += " (on the nodes that the memory policy of the process allows)"
    return _with_consumer(report, verdict) if order else verdict


def _memcg(report):
    limit, usage = report.get("limit_kb"), report.get("usage_kb")
    cgroup = report.get("limit_cgroup") or report.get("task_cgroup")
    text = "the memory limit of %s was reached" % ("cgroup " + cgroup if cgroup else "a cgroup")
    if limit is not None:
        text += ": %d of %d kB in use" % (usage, limit)
        if limit < TINY_LIMIT_KB:
            text += ", less than the runtime needs to start a container (a limit given in bytes?)"
    if report.get("kmem_usage_kb") and usage and report["kmem_usage_kb"] * 2 > usage:
        text += ", %d kB of it kernel memory" % report["kmem_usage_kb"]
    if starts_container(report["comm"]) or starts_container((report.get("killed") or [("", None)])[-1][0]):
        text += "; the process killed starts the container"
    return _verdict(
        "memcg_limit",
        text,
        "high",
        rejected=[
            {
                "cause": "fragmentation",
                "why": "a charge to a cgroup is refused by its limit, wherever the pages come from",
            },
            {"cause": "memory_shortage", "why": "the limit of the cgroup was reached, not that of the machine"},
        ],
    )


def _slab_failure(report):
    cache = report.get("cache") or "?"
    traits = _traits(report)
    after = report.get("after")
    order = report["order"]
    if after is not None and after["order"] and order != 0:
        verdict = dict(after["verdict"])
        verdict["reason"] = (
            "no new slab for the cache %s, because of the page allocation failure (order %d) just before it"
            % (cache, after["order"])
        )
        return verdict
    if "(" in cache and after is None:
        return _verdict(
            "memcg_limit",
            "the slab cache %s belongs to a cgroup and no page allocation failure goes with it: the cgroup's limit "
            "refused the charge" % cache,
            "medium",
            rejected=[{"cause": "fragmentation", "why": "the page allocator reported nothing"}],
        )
    if order:
        return _verdict(
            "fragmentation",
            "a new slab of order %d for the cache %s could not be had%s"
            % (order, cache, "" if traits["can_reclaim"] else " by a request that may not sleep"),
            "low",
        )
    cause = "memory_shortage" if traits["can_reclaim"] else "atomic_burst"
    return _verdict(
        cause,
        "not even a slab of single pages for the cache %s could be had%s"
        % (cache, "" if traits["can_reclaim"] else " by a request that may not sleep"),
        "medium",
        rejected=[{"cause": "fragmentation", "why": "a single page cannot fail for fragmentation"}]
        if order == 0
        else [],
    )


def _cache_create(report):
    after = report.get("after")
    if after is not None:
        verdict = dict(after["verdict"])
        verdict["reason"] = (
            "the slab cache %s could not be made because of the page allocation failure (order %s) just before it"
            % (report["cache"], after["order"])
        )
        return verdict
    if report["errno"] == -12:
        return _verdict(
            "unknown",
            "the slab cache %s could not be made (ENOMEM), and no page allocation failure is in the log: the kernel limits "
            "how many it prints" % report["cache"],
            "low",
            consumer="netns" if "nf_conntrack" in report["cache"] else None,
        )
    return _verdict(
        "unknown", "the slab cache %s could not be made (error %d)" % (report["cache"], report["errno"]), "low"
    )


def _vmalloc(report):
    if report["problem"] == "pages":
        return _verdict(
            "memory_shortage",
            "vmalloc() of %d bytes got no single pages" % report["size"],
            "medium",
            rejected=[{"cause": "fragmentation", "why": "vmalloc() needs no contiguous memory"}],
        )
    return _verdict(
        "vmalloc_exhaustion",
        "no address range for %d bytes in the vmalloc area of the kernel" % report["size"],
        "high",
        rejected=[
            {"cause": "memory_shortage", "why": "address space was missing, not pages"},
            {"cause": "fragmentation", "why": "vmalloc() needs no contiguous memory"},
        ],
    )


def _cma(report):
    if report["errno"] == -16:
        text = "pages in the area could not be moved away"
    else:
        text = "the area is too small or in use"
    return _verdict(
        "unknown",
        "no %d contiguous pages in the CMA area (error %d): %s" % (report["pages"], report["errno"], text),
        "low",
    )


def _stall(report):
    waits = [
        name
        for name in report["trace"]
        if base_name(name)
        in (
            "io_schedule",
            "__lock_page",
            "__folio_lock",
            "folio_wait_bit_common",
            "wait_on_page_bit",
            "wait_on_page_bit_common",
            "sleep_on_page",
        )
    ]
    verdict = _by_zones(report, _traits(report)) if report["zones"] and report["order"] else None
    if verdict is None:
        text = "%s spent %s seconds in %s" % (report["comm"], report.get("seconds"), report["function"])
        if waits:
            text += ", waiting for a page that is locked for I/O (%s): look at the file system or the disk" % waits[0]
        verdict = _verdict("unknown", text, "low")
    return verdict
