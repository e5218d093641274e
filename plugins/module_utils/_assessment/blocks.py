# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF2xx and MF3xx: which blocks cannot be had, on the machine, on a NUMA node, of its main zone; what the pageblocks are filled with."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._fragmentation import BLOCK_FREE, fragmentation_index, unusable_index
from .catalogue import make
from .node_state import percent
from .score import worst

# By how grave it is to have none of an order: severity with none, with fewer than spare_blocks, with fewer than twice as many.
_LADDERS = {
    "critical": ("critical", "high", "medium"),
    "high": ("high", "medium", "low"),
    "medium": ("medium", "low", None),
}

# Zones with less than a tenth of the machine's memory do not decide about it.
_SMALL_SHARE = 10

_CAUSES = {"fragmentation": "fragmented", "shortage": "short of memory"}


def find(state, short, unmovable):
    """All findings of these rules. short: the machine is short of memory; unmovable: unmovable_zones() of it."""
    found = _orders(state, short) + _nodes(state) + _main_zones(state)
    return found + _unmovable(state, unmovable) + _huge_pages(state)


# --- MF201: for each target order how many blocks are left on the machine ------------------------------------------


def _orders(state, short):
    rows = []
    for order in state.targets:
        gravest = "critical" if order in state.needed else state.wanted[order]
        left = state.allocatable_blocks(order)
        severity = _severity(gravest, left, state.policy["spare_blocks"])
        if severity and order < state.orders:
            rows.append(
                {"order": order, "blocks_left": left, "severity": severity, "needed_by": state.needed.get(order)}
            )
    if not rows:
        return []
    gravest = worst(row["severity"] for row in rows)
    graves = [row for row in rows if row["severity"] == gravest]
    gone = [row for row in graves if not row["blocks_left"]]
    order = (gone or graves)[0]["order"]
    causes = _causes(state, order, short)
    title = _title(state, gone, graves, causes)
    return [make("MF201", gravest, title, orders=rows, zones=_zones_of(state, order), causes=causes)]


def _severity(gravest, left, spare):
    if left >= 2 * spare:
        return None
    return _LADDERS[gravest][0 if not left else 1 if left < spare else 2]


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
    """MF203: the largest zone of a node is nearly out of blocks, and requests live on the smaller ones."""
    spare, poor = state.policy["spare_blocks"], []
    for outlook in state.largest:
        orders = lacking(state, outlook)
        if orders:
            poor.append({"node": outlook.zone["node"], "zone": outlook.zone["zone"], "orders": orders})
    if not poor:
        return []
    first = poor[0]
    order = first["orders"][0]
    title = "Zone %s of node %d has fewer than %d blocks of order %d (%s) left"
    title %= (first["zone"], first["node"], spare, order, state.bytes_of(order))
    return [make("MF203", "medium", title, zones=poor)]


def lacking(state, outlook):
    """The target orders of which the zone has fewer blocks left than are wanted in reserve."""
    spare = state.policy["spare_blocks"]
    return [order for order in state.targets if order < len(outlook.zone["free_blocks"]) and outlook.now(order) < spare]


# --- MF301, MF306: pageblocks and huge pages -----------------------------------------------------------------------


def unmovable_zones(state):
    """Zones with unmovable pageblocks all over: [{outlook, percent, exhausted: can no huge page be made even by compaction}]."""
    order, found = state.kernel["hugepage_order"], []
    for outlook in state.serving:
        blocks = outlook.zone["pageblocks"] or {}
        share = percent(blocks.get("Unmovable", 0), sum(blocks.values()))
        if share >= state.policy["unmovable_percent"]:
            stuck = order is not None and not outlook.now(order) and not outlook.worth_reclaiming()
            found.append(
                {"outlook": outlook, "percent": share, "exhausted": bool(stuck and outlook.has_targets(order) is False)}
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


def _huge_pages(state):
    order = state.kernel["hugepage_order"]
    if order is None or order >= state.orders or state.allocatable_blocks(order):
        return []
    title = "No huge page (order %d, %s) is free" % (order, state.bytes_of(order))
    return [make("MF306", "info", title, order=order)]
