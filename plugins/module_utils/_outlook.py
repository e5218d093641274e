# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""THE answer to "what would help here": for a zone and an order, what can be had now, after compaction, after reclaim, and why.

The compaction plan (``obstacle()``) and the assessment (``now()``, ``what_helps()``) ask an Outlook, the facts the Standing that it begins
with (``state()``), so that they cannot contradict each other. It speaks of an ordinary kernel request (GFP_KERNEL, unmovable) unless it
says otherwise, and counts in pages and in blocks of the order asked about.

A survey of the zone's pageblocks, where one was taken, puts its measured yields in the place of the estimates.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._fragmentation import free_pages, suitable_blocks
from ._states import Standing

# What keeps compaction from making blocks: too little is free to move pages into, or it is free among unmovable pages only.
SHORTAGE, UNMOVABLE = "memory_shortage", "unmovable"

# A guess, tried on the captures: compaction matters where what it has to do with is a tenth, at least, of the free memory in small blocks.
_WORTHWHILE_SHARE = 10


class Outlook(Standing):
    """What one zone can give.

    survey   the zone's entry of the facts' ``pageblock_survey``, or None. Of it ``yields`` counts: [{order, now, low, expected, high}],
             the free blocks after one compaction
    """

    __slots__ = ("survey",)

    def __init__(self, zone, names, scaled, survey=None, withheld=None):
        super(Outlook, self).__init__(zone, names, scaled, withheld)
        self.survey = survey

    # --- now

    def now(self, order):
        """How many blocks can be taken, one after the other: serves() as a number.

        The order-0 watermark counts what can be reclaimed as free, since kswapd keeps that up by itself.
        """
        blocks, size = self.zone["free_blocks"], 1 << order
        if self.reserved or order >= len(blocks):
            return 0
        margins = [self._margin()]
        if self.scaled:
            free, mark = self.free, self.marks["min"]
            for smaller in range(order):
                free -= blocks[smaller] << smaller
                mark >>= 1
                margins.append(free - mark)
        # The request itself must leave more than the mark: free - (size - 1) > mark, and the same again for each further one.
        limits = [suitable_blocks(self.usable, order)] + [(margin - size) // size + 1 for margin in margins]
        return max(0, min(limits))

    def _margin(self):
        """Pages above the mark that ordinary requests may take one after the other."""
        return self.free - self.closed + self.zone["reclaimable_pages"] - self.marks["min"] - self.reserve

    # --- what stands in the way of more

    def movable_pages(self, order):
        """Free pages in movable pageblocks, in blocks smaller than ``order``: what compaction makes such blocks of. None if not known.

        0 where they are next to nothing beside those in unmovable pageblocks: a block here and there does not help the zone.
        """
        if not self.zone["migratetypes"]:
            return None
        movable = free_pages(self.zone["migratetypes"].get("Movable", ())[:order])
        return movable if self._matters(movable, order) else 0

    def _matters(self, pages, order):
        """Whether blocks of ``order`` made of so many pages are more than next to nothing beside what is free in smaller ones."""
        return pages * _WORTHWHILE_SHARE >= free_pages(self.zone["free_blocks"][:order])

    def obstacle(self, order):
        """What keeps compaction from making blocks of the order: None, SHORTAGE or UNMOVABLE. By the survey, where there is one."""
        row = self.surveyed(order)
        if row:
            # Whoever writes to compact_memory is not asked for the low watermark; no page is taken from below the min watermark
            # to move another into, however (mm/page_alloc.c, __isolate_free_page()).
            if self.free - self.closed <= self.marks["min"]:
                return SHORTAGE
            return None if row["expected"] > row["now"] else SHORTAGE if self.missing_pages(order) > 0 else UNMOVABLE
        if self.missing_pages(order) > 0:
            return SHORTAGE
        return UNMOVABLE if self.beyond_compaction(order) else None

    def beyond_compaction(self, order):
        """Whether no compaction brings blocks of the order, but for next to nothing. By the survey, where there is one."""
        row = self.surveyed(order)
        if row:
            return row["expected"] <= row["now"] and not self._matters(at_most(row) - row["now"] << order, order)
        movable = self.movable_pages(order)
        return movable is not None and movable < 2 << order

    # --- after it

    def after_compaction(self, order):
        """Free blocks after a compaction: {low, expected, high}; None where nothing tells."""
        row = self.surveyed(order)
        return {name: row[name] for name in ("low", "expected", "high")} if row else self._joined(order, 0)

    def sure(self, order):
        """How many blocks can be taken after a compaction, at the least and within the watermarks: now() if no survey tells."""
        row = self.surveyed(order)
        return self.now(order) if row is None else self.bounded(order, row["low"])

    def bounded(self, order, blocks):
        """How many of so many free ``blocks`` can be taken within the watermarks, those that can be taken now included."""
        if self.reserved:
            return 0
        size = 1 << order
        return max(self.now(order), min(blocks, (self._margin() - size) // size + 1))

    def surveyed(self, order, what="yields"):
        """The survey's row for the order, of a compaction alone or ``after_reclaim``; None where there is none."""
        for row in (self.survey or {}).get(what) or ():
            if row["order"] == order:
                return row
        return None

    def after_reclaim(self, order):
        """The same, for page cache and reclaimable slab freed before the compaction."""
        row = self.surveyed(order, "after_reclaim")
        if row:
            return {name: row[name] for name in ("low", "expected", "high")}
        return self._joined(order, self.zone["reclaimable_pages"])

    def _joined(self, order, freed):
        """Blocks there are, and those that the pages in movable pageblocks make if they can all be joined; half of that is expected."""
        movable, now = self.movable_pages(order), suitable_blocks(self.usable, order)
        if movable is None:
            return None
        if self.missing_pages(order) > freed:
            return {"low": now, "expected": now, "high": now}
        return {
            "low": now,
            "expected": now + (movable + freed >> order + 1),
            "high": now + (movable + freed >> order),
        }

    def of(self, order):
        """All of it for one order, as plain data."""
        return {
            "order": order,
            "state": self.state(order),
            "now": self.now(order),
            "after_compaction": self.after_compaction(order),
            "after_reclaim": self.after_reclaim(order),
            "obstacle": self.obstacle(order),
            "free_pages": self.free,
            "missing_pages": max(0, self.missing_pages(order)),
            "movable_pages": self.movable_pages(order),
            "reclaimable_pages": self.zone["reclaimable_pages"],
        }

    def what_helps(self, order, wanted, short=False):
        """What to do for ``wanted`` more blocks of the order. -> (action, will it help: True, False or None, why)

        short    the machine is short of memory, whatever this zone has
        action   "compact", "reclaim_then_compact", "add_memory" or "drain_and_reboot"
        why      what decided: "shortage", "movable", "reclaimable", "unknown" or "unmovable"; with a survey "measured", "doubtful",
                 "held_reclaimable", "scattered" or "held"
        """
        targets = self.has_targets(order)
        short = short or (not self.serves(order) and self.missing_pages(order) > 0)
        if short and not self.worth_reclaiming():
            return "add_memory", False, "shortage"
        row = self.surveyed(order)
        if row:
            return self._measured(row, max(1, wanted - self.now(order)), short)
        # There must be pages for as many blocks as are wanted: one here and there is no help.
        if targets and not short and (self.movable_pages(order) or 0) >= wanted << order:
            return "compact", True, "movable"
        if self.worth_reclaiming():
            return "reclaim_then_compact", None if targets is None else True, "reclaimable"
        if targets is None:
            return "compact", None, "unknown"
        return "drain_and_reboot", False, "unmovable"

    def _measured(self, row, lacking, short):
        """what_helps() by a survey: ``lacking`` blocks more than there are must be sure, or expected and more than next to nothing.

        On a small machine a list of one CPU is as much as a compaction makes of the few movable pages among those of the kernel.
        Doubt is of what a compaction itself moves: a request that fails has had the per-cpu lists given back before
        (mm/page_alloc.c, drain_all_pages()), so that nobody need compact for what stands on those.
        """
        order, now = row["order"], row["now"]
        expected, most = row["expected"] - now, at_most(row) - now
        if self._enough(row, lacking) and not short:
            return "compact", True, "measured"
        if self.worth_reclaiming():
            # Freed page cache is room to move others into. Freed slab clears pageblocks, too: how many, the survey does not tell.
            freed = self.surveyed(order, "after_reclaim") or row
            return (
                "reclaim_then_compact",
                True if self._enough(freed, lacking) else None,
                "held_reclaimable",
            )
        if max(expected, most) < lacking:
            return "drain_and_reboot", False, "held"
        # One block here and there is no help, and of a sample nobody can tell that there is none.
        if not self._matters(max(expected, most) << order, order):
            return "drain_and_reboot", False, "scattered"
        return "compact", None, "doubtful"

    def _enough(self, row, lacking):
        gained, order = row["expected"] - row["now"], row["order"]
        return row["low"] - row["now"] >= lacking or (gained >= lacking and self._matters(gained << order, order))


def at_most(row):
    """Blocks at the most after a compaction, by what it moves itself; records of earlier versions do not tell that apart."""
    return row.get("moved", row["high"])
