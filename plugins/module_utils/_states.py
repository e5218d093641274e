# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The graded answer: whether a zone serves a block of an order now, and what it lacks.

A Standing is what each audit asks of each zone. What would help as well is for an Outlook (``_outlook``), which most audits leave on
the controller: what travels to a node costs there.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._fragmentation import (
    KERNEL_ZONES,
    OPEN_MIGRATETYPES,
    PAGE_ALLOC_COSTLY_ORDER,
    free_pages,
    kernel_reserve,
    usable_blocks,
    watermark_ok,
)
from ._procfs.meminfo import without_huge_pages

# The answers to "can I have a block of this order?", best first.
STATES = ("ok", "needs_reclaim", "needs_compaction", "exhausted")

# The answer of a zone that lowmem_reserve keeps from ordinary requests however much of it is free.
RESERVED = "reserved"

# The 16 MiB that ISA devices reach: all that the DMA zone of a PC has.
_DMA_PAGES = 4096

# A guess, tried on the captures. Reclaim turns up contiguous memory only where it frees at least a tenth of the zone.
_RECLAIM_SHARE = 10


# What a zone of the facts has beyond node, zone and free_blocks, for facts that were made by others or cut short.
_DEFAULTS = {
    "managed_pages": None,
    "watermarks": None,
    "lowmem_reserve": None,
    "migratetypes": None,
    "pageblocks": None,
    "pcp_pages": None,
    "free_cma_pages": None,
    "reserved_highatomic_pages": None,
    "reclaimable_pages": 0,
}


def complete(zone, memory=None):
    """A copy of a zone of the facts with every key that a Standing reads; memory is the facts' meminfo, which tells of pools of huge pages."""
    zone = dict(_DEFAULTS, **zone)
    usable = without_huge_pages(memory or {})
    # The kernel tells of no zone how much of it is in a pool: the share of the machine stands for it.
    zone["usable_share"] = usable / float(memory["memtotal"]) if usable else 1.0
    # Of what is not known there is nothing to reclaim; everything else may be unknown.
    zone["reclaimable_pages"] = zone["reclaimable_pages"] or 0
    return zone


def best(states):
    return min(states, key=STATES.index)


class Standing:
    """How one zone stands to an ordinary kernel request (GFP_KERNEL, unmovable). Counts in pages, and in blocks of the order asked about.

    zone     as in the facts: free_blocks, managed_pages, watermarks, lowmem_reserve, migratetypes, free_cma_pages,
             reserved_highatomic_pages, reclaimable_pages (complete() adds what is missing)
    names    the zone names of the machine
    scaled   whether the kernel's watermark check is that of Linux up to 4.3 (_releases.scaled_check())
    withheld free blocks per order that are most likely kept for others, where the migratetypes are not known
    """

    __slots__ = ("zone", "scaled", "free", "marks", "reserve", "cma", "closed", "reserved", "usable")

    def __init__(self, zone, names, scaled, withheld=None):
        self.zone, self.scaled = zone, scaled
        self.free = free_pages(zone["free_blocks"])
        self.usable = usable_blocks(zone)
        if withheld:
            self.usable = [max(0, count - kept) for count, kept in zip(self.usable, withheld)]
        self.marks = zone["watermarks"] or {"min": 0, "low": 0}
        self.cma = zone["free_cma_pages"] or 0
        # Free pages that are counted, but closed to the request.
        self.closed = self.cma + (zone["reserved_highatomic_pages"] or 0) + set_apart(zone)
        self.reserve = kernel_reserve(zone, names)
        if self.reserve is None:
            # Without /proc/zoneinfo there are no watermarks to hold the request to, and the small DMA zone counts as reserved,
            # as lowmem_reserve_ratio makes it on every machine that has a larger zone.
            self.reserved = zone["zone"] == "DMA" and len(names) > 1 and self.free <= _DMA_PAGES
            self.reserve = self.free if self.reserved else 0
        else:
            self.reserved = self.reserve > 0 and (zone["managed_pages"] or 0) <= self.marks["min"] + self.reserve

    def serves(self, order):
        """Whether the allocator would hand out a block at once."""
        return not self.reserved and watermark_ok(
            self.zone["free_blocks"],
            order,
            self.marks["min"],
            self.reserve,
            self.closed,
            self.usable,
            scaled=self.scaled,
        )

    def state(self, order):
        """One of STATES, or RESERVED."""
        if self.reserved:
            return RESERVED
        if self.serves(order):
            return "ok"
        short = self.missing_pages(order)
        if short > 0:
            return "needs_reclaim" if self.zone["reclaimable_pages"] >= short else "exhausted"
        if self.has_targets(order) is False and not self.worth_reclaiming():
            return "exhausted"
        return "needs_compaction"

    def missing_pages(self, order):
        """Pages that must become free before compaction may run at all; 0 or less where enough are.

        mm/compaction.c, compaction_suitable(): the watermark (the low one for each order, up to 4.7), what is reserved from the request, and
        compact_gap() to move pages into, for which since then CMA has room, too. The request itself is held to the min watermark without it.
        """
        mark = self.marks["low"] if order > PAGE_ALLOC_COSTLY_ORDER or self.scaled else self.marks["min"]
        room = self.free - self.closed
        compaction = mark + (2 << order) + 1 - (0 if self.scaled else self.cma)
        return max(compaction, self.marks["min"] + (1 << order)) + self.reserve - room

    def has_targets(self, order):
        """Whether there is a place to move pages to: free pages in movable pageblocks. None if not known.

        mm/compaction.c, suitable_migration_target(): free pages of unmovable pageblocks are no target. Those of CMA are one, but where nothing is
        free in movable pageblocks, there is next to nothing to be moved there.
        """
        if not self.zone["migratetypes"]:
            return None
        return free_pages(self.zone["migratetypes"].get("Movable", ())) >= 2 << order

    def worth_reclaiming(self):
        """Whether page cache and slab are so much of what is in no pool of huge pages that reclaiming them turns up contiguous memory."""
        pages = (self.zone["managed_pages"] or 0) * self.zone.get("usable_share", 1.0)
        return self.zone["reclaimable_pages"] * _RECLAIM_SHARE >= (pages or self.free or 1)


def set_apart(zone):
    """Free pages on lists that are open to nobody here: of pageblocks that are isolated, and of migratetypes that a vendor added."""
    others = OPEN_MIGRATETYPES + ("HighAtomic", "CMA")
    return sum(free_pages(counts) for name, counts in (zone["migratetypes"] or {}).items() if name not in others)


def zone_states(zone, names, scaled):
    """-> ([state per order] for a request with GFP_KERNEL, [would GFP_ATOMIC be served, per order]) of one zone, as for Standing."""
    standing, orders = Standing(zone, names, scaled), range(len(zone["free_blocks"]))
    # An atomic request may go below the mark, and take of the blocks that are set aside for it.
    usable, closed = usable_blocks(zone, ("HighAtomic",)), standing.cma + set_apart(zone)
    # For a single page its mark is not raised by the boost (zone_watermark_fast()).
    marks = [standing.marks["min"] - (0 if order else zone.get("boost_pages") or 0) for order in orders]
    atomic = [
        watermark_ok(zone["free_blocks"], order, mark, standing.reserve, closed, usable, atomic=True, scaled=scaled)
        for order, mark in enumerate(marks)
    ]
    return [standing.state(order) for order in orders], atomic


def allocatable(zones, needed_by):
    """The graded answer: [{order, state, nodes: {"0": state}, atomic, needed_by}], one entry per order.

    zones carry ``states`` and ``atomic`` of zone_states(). A request that is not bound to a node falls back to the others
    (zonelists), so the machine's state is that of its best node, and a node's that of its best zone. Orders that only
    some zones list are answered by those.
    """
    answer = []
    for order in range(max([len(zone["free_blocks"]) for zone in zones] or [0])):
        nodes, atomic = {}, False
        for zone in zones:
            if zone["zone"] in KERNEL_ZONES and order < len(zone["states"]):
                name, state = str(zone["node"]), zone["states"][order]
                nodes[name] = best([nodes.get(name, "exhausted"), "exhausted" if state == RESERVED else state])
                atomic = atomic or zone["atomic"][order]
        answer.append(
            {
                "order": order,
                "state": best(nodes.values()) if nodes else "exhausted",
                "nodes": nodes,
                "atomic": atomic,
                "needed_by": needed_by.get(order, []),
            }
        )
    return answer
