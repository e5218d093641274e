# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF2xx and MF3xx: which blocks cannot be had, on the machine, on a NUMA node, of its main zone; what the pageblocks are filled with."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._fragmentation import BLOCK_FREE, fragmentation_index, unusable_index
from .catalogue import NO_HUGE_PAGES, REMEDY_OF_ACTION, make
from .node_state import percent
from .score import worst

# By how grave it is to have none of an order: severity with none, below the first and below the second limit of _limits().
_LADDERS = {
    "critical": ("critical", "high", "medium"),
    "high": ("high", "medium", "low"),
    "medium": ("medium", "low", None),
}

# A fallback has ample room if it alone has four times what would be enough.
_AMPLE = 4

# Zones with less than a tenth of the machine's memory do not decide about it.
_SMALL_SHARE = 10

_CAUSES = {"fragmentation": "fragmented", "shortage": "short of memory"}


def find(state, short, unmovable):
    """All findings of these rules. short: the machine is short of memory; unmovable: unmovable_zones() of it."""
    found = _orders(state, short) + _nodes(state) + _main_zones(state)
    return found + _unmovable(state, unmovable) + _huge_pages(state, short)


# --- MF201: for each target order how many blocks are left on the machine ------------------------------------------


def _orders(state, short):
    rows = []
    for order in state.targets:
        gravest = "critical" if order in state.needed else state.wanted[order]
        left = state.allocatable_blocks(order)
        severity = _severity(gravest, left, _limits(state, order))
        if severity and order < state.orders:
            rows.append(
                {"order": order, "blocks_left": left, "severity": severity, "needed_by": state.needed_by(order)}
            )
    if not rows:
        return []
    gravest = worst(row["severity"] for row in rows)
    graves = [row for row in rows if row["severity"] == gravest]
    gone = [row for row in graves if not row["blocks_left"]]
    order = (gone or graves)[0]["order"]
    causes = _causes(state, order, short)
    title = _title(state, gone, graves, causes)
    return [
        make(
            "MF201",
            gravest,
            title,
            orders=rows,
            zones=_zones_of(state, order),
            causes=causes,
            watermarks=_kind_of_marks(state),
        )
    ]


def _kind_of_marks(state):
    if state.estimated:
        return "estimated"
    return "known" if any(outlook.zone["watermarks"] for outlook in state.serving) else "unknown"


def _limits(state, order):
    """(blocks below which it is grave, blocks below which it is worth a word)."""
    spare = state.spare(order)
    if order in state.needed:
        # Orders that the policy names are held to its number as it stands.
        return state.few(), 2 * state.few() if state.policy["target_orders"] else max(2 * state.few(), spare)
    if order in state.assumed:
        # Nothing says that anybody asks for it, nor that nobody does.
        return max(2, spare // 4), max(spare, state.policy["spare_blocks"])
    return spare, 2 * spare


def is_scarce(state, order):
    """Whether MF201 has a word on the order."""
    gravest = "critical" if order in state.needed else state.wanted[order]
    return _severity(gravest, state.allocatable_blocks(order), _limits(state, order)) is not None


def _severity(gravest, left, limits):
    if left >= limits[1]:
        return None
    return _LADDERS[gravest][0 if not left else 1 if left < limits[0] else 2]


def _title(state, gone, graves, causes):
    rows = gone or graves
    named = ", ".join("%d (%s)" % (row["order"], state.bytes_of(row["order"])) for row in rows)
    subject = "Order%s %s" % ("s" if len(rows) > 1 else "", named)
    if gone:
        why = ", and ".join(_CAUSES[cause] for cause in causes)
        return "%s cannot be allocated, with %d MB free: %s" % (subject, state.megabytes(state.free_pages()), why)
    left = min(row["blocks_left"] for row in rows)
    return "%s can be allocated only %s more" % (subject, "once" if left == 1 else "%d times" % left)


def _causes(state, order, short):
    """What stands behind a missing order: the kernel's index above 500 speaks of fragmentation, MF205 of shortage."""
    indices = [
        fragmentation_index(outlook.zone["free_blocks"], order)
        for outlook in state.serving
        if order < len(outlook.zone["free_blocks"])
    ]
    causes = ["fragmentation"] if max(indices or [0]) > 500 else []
    if short:
        causes.append("shortage")
    return causes or ["fragmentation" if BLOCK_FREE in indices else "shortage"]


def _zones_of(state, order):
    return [
        {
            "node": outlook.zone["node"],
            "zone": outlook.zone["zone"],
            "free_mb": state.megabytes(outlook.free),
            "extfrag_index": fragmentation_index(outlook.zone["free_blocks"], order),
            "unusable_index": unusable_index(outlook.zone["free_blocks"], order),
        }
        for outlook in state.serving
        if order < len(outlook.zone["free_blocks"])
    ]


# --- MF202, MF203: NUMA nodes, and their main zones ----------------------------------------------------------------


def _nodes(state):
    """MF202: NUMA nodes without a block of a target order."""
    stuck = {}
    for node, outlooks in sorted(state.by_node.items()) if len(state.by_node) > 1 else ():
        orders = [
            order for order in state.targets if order < state.orders and not state.allocatable_blocks(order, outlooks)
        ]
        if orders:
            stuck[str(node)] = orders
    if not stuck:
        return []
    order = stuck[sorted(stuck)[0]][0]
    title = "NUMA node %s cannot serve order %d (%s)%s" % (
        ", ".join(sorted(stuck)),
        order,
        state.bytes_of(order),
        "; the machine as a whole can" if state.allocatable_blocks(order) else "",
    )
    return [make("MF202", "medium", title, nodes=stuck)]


def _main_zones(state):
    """MF203: the largest zone of a node is nearly out of blocks, and requests live on the node's smaller zones, if it has any."""
    poor = []
    for outlook in state.main:
        orders = lacking(state, outlook)
        if orders:
            others = [other for other in state.by_node[outlook.zone["node"]] if other is not outlook]
            others = [other for other in others if not _is_small(state, other)]
            # What is missing here is asked for there, and with it what nobody is known to ask for.
            wanted = [order for order in state.targets if order in orders or order > orders[0]]
            ample = all(state.allocatable_blocks(order, others) >= _AMPLE * enough(state) for order in wanted)
            poor.append(
                {
                    "node": outlook.zone["node"],
                    "zone": outlook.zone["zone"],
                    "orders": orders,
                    "fallback": "ample" if ample else "poor" if others else "none",
                }
            )
    if not poor:
        return []
    poor.sort(key=lambda row: (row["fallback"] == "ample", row["node"]))
    first = poor[0]
    order = first["orders"][0]
    title = "Zone %s of node %d has fewer than %d blocks of order %d (%s) left"
    title %= (first["zone"], first["node"], enough(state), order, state.bytes_of(order))
    if first["fallback"] == "ample":
        title += "; the node's other zones have plenty"
    return [make("MF203", "low" if first["fallback"] == "ample" else "medium", title, zones=poor)]


def _is_small(state, outlook):
    pages = outlook.zone["managed_pages"]
    return pages is not None and _SMALL_SHARE * pages < state.managed_pages()


def enough(state):
    """Blocks that a main zone is to have of each order, on a small machine, too: where it has fewer, its pages do not come together."""
    return max(state.policy["spare_blocks"], state.few())


def lacking(state, outlook, orders=None):
    """The target orders of which the zone has fewer blocks left than are wanted in reserve; without those that are only assumed."""
    if orders is None:
        orders = [order for order in state.targets if order not in state.assumed]
    return [
        order for order in orders if order < len(outlook.zone["free_blocks"]) and outlook.now(order) < enough(state)
    ]


# --- MF301, MF306: pageblocks and huge pages -----------------------------------------------------------------------


def unmovable_zones(state):
    """Zones with unmovable pageblocks all over: [{outlook, percent, exhausted: can no huge page be made even by compaction}]."""
    order, found = state.hugepage_order, []
    for outlook in state.serving:
        blocks = outlook.zone["pageblocks"] or {}
        share = percent(blocks.get("Unmovable", 0), sum(blocks.values()))
        if share >= state.policy["unmovable_percent"]:
            stuck = order is not None and not outlook.now(order) and not outlook.worth_reclaiming()
            found.append(
                {"outlook": outlook, "percent": share, "exhausted": bool(stuck and outlook.beyond_compaction(order))}
            )
    return found


def beyond_help(state, unmovable):
    """Whether half of the machine's memory or more is in zones in which no huge page can be made any more."""
    pages = sum(row["outlook"].zone["managed_pages"] or 0 for row in unmovable if row["exhausted"])
    return bool(pages and 2 * pages >= state.managed_pages())


def _unmovable(state, unmovable):
    if not unmovable:
        return []
    lost = beyond_help(state, unmovable)
    affected = sum(row["outlook"].zone["managed_pages"] or 0 for row in unmovable)
    main = max(unmovable, key=lambda row: (row["exhausted"], row["outlook"].zone["managed_pages"] or 0))
    title = "%d %% of the pageblocks of zone %s (node %d) are unmovable%s" % (
        main["percent"],
        main["outlook"].zone["zone"],
        main["outlook"].zone["node"],
        ", and no huge page can be made: compaction will not help" if lost else "",
    )
    zones = [
        {
            "node": row["outlook"].zone["node"],
            "zone": row["outlook"].zone["zone"],
            "unmovable_percent": int(row["percent"]),
            "exhausted": row["exhausted"],
        }
        for row in unmovable
    ]
    # Zone DMA alone, 16 MB that the others' reserves keep nearly everybody out of, is no reason to act.
    severity = "high" if lost else "medium" if _SMALL_SHARE * affected >= state.managed_pages() else "low"
    return [make("MF301", severity, title, zones=zones)]


def _huge_pages(state, short):
    order = state.hugepage_order
    if order is None or order >= state.orders or state.allocatable_blocks(order):
        return []
    users = _users_of_huge_pages(state)
    title = "No huge page is free (order %d, %s)" % (order, state.bytes_of(order))
    found = make("MF306", "low" if users else "info", title, order=order, used_by=users)
    # The remedy is that of the zone in which most can be done, which need not be compaction.
    actions = [outlook.what_helps(order, 1, short)[0] for outlook in state.main or state.serving]
    if state.kernel.get("config_compaction") is not False:
        for action in ("compact", "reclaim_then_compact"):
            if action in actions:
                found["remedy"] = REMEDY_OF_ACTION[action]
                return [found]
    found["remedy"] = NO_HUGE_PAGES
    return [found]


def _users_of_huge_pages(state):
    """What on this machine takes huge pages, as far as the facts tell."""
    thp, counters = state.facts.get("transparent_hugepage") or {}, state.facts.get("vmstat") or {}
    signs = (
        ("transparent huge pages are always tried", thp.get("enabled") == "always"),
        ("anonymous memory is in huge pages", state.memory.get("anonhugepages")),
        ("huge pages were faulted in", counters.get("thp_fault_alloc")),
        (
            "a pool of huge pages is reserved",
            state.memory.get("hugepages_total") or state.sysctl.get("vm.nr_hugepages"),
        ),
        ("huge pages may be taken on demand", state.sysctl.get("vm.nr_overcommit_hugepages")),
    )
    return [text for text, there in signs if there]
