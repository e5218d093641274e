# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The kernel's own arithmetic of external fragmentation, on plain lists of free blocks.

``free_blocks`` is a list of block counts, one per order, as in a line of /proc/buddyinfo: the list index is the
order, a block of order ``o`` has ``2**o`` pages. Everything counts in pages and in thousandths; page size and
number of orders play no part. Integer division is the kernel's (floor), so results equal debugfs to the digit.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# What the kernel prints as -1.000: a block is free, so the index does not apply.
BLOCK_FREE = -1000

# include/linux/mmzone.h: orders above this one are "costly": they may fail, lower ones are retried or OOM-kill.
PAGE_ALLOC_COSTLY_ORDER = 3


def free_pages(free_blocks):
    """Pages on the free lists."""
    return sum(count << order for order, count in enumerate(free_blocks))


def suitable_blocks(free_blocks, order):
    """Blocks of ``order`` that the free lists can give without compaction, larger blocks split up."""
    return sum(count << (index - order) for index, count in enumerate(free_blocks) if index >= order)


def fragmentation_index(free_blocks, order):
    """``extfrag_index`` in thousandths: -1000 a block is free, towards 0 memory is short, towards 1000 it is fragmented.

    mm/vmstat.c, __fragmentation_index(). Between -500 and 0 when the zone's only free block is smaller than ``order``
    but larger than one page.
    """
    blocks = sum(free_blocks)
    if not blocks:
        return 0
    if any(free_blocks[order:]):
        return BLOCK_FREE
    return 1000 - (1000 + free_pages(free_blocks) * 1000 // (1 << order)) // blocks


def unusable_index(free_blocks, order):
    """Share of the free memory that sits in blocks too small for ``order``, in thousandths.

    mm/vmstat.c, unusable_free_index(); 1000 for a zone without any free page, as the kernel prints it.
    """
    pages = free_pages(free_blocks)
    if not pages:
        return 1000
    return (pages - (suitable_blocks(free_blocks, order) << order)) * 1000 // pages


def watermark_ok(free_blocks, order, mark, reserve=0, unusable_pages=0, usable_blocks=None, atomic=False, scaled=False):
    """Would the page allocator hand out a block of ``order`` from this zone without reclaim or compaction?

    mm/page_alloc.c, __zone_watermark_ok(). All amounts are pages.

    mark            the zone's watermark that the request is held to ("min" for one that may reclaim)
    reserve         lowmem_reserve of this zone against the request's zone class
    unusable_pages  free pages that the request may not touch: the high-atomic reserve and free CMA
    usable_blocks   free blocks per order of the migratetypes open to the request, where known (default: all)
    atomic          a GFP_ATOMIC request: ALLOC_HIGH halves the mark, ALLOC_HARDER takes another quarter off
    scaled          the check of Linux up to 4.3, el6 and el7: half the mark again must be free above every order
    """
    if atomic:
        mark -= mark // 2
        mark -= mark // 4
    free = free_pages(free_blocks) - ((1 << order) - 1)
    if free - unusable_pages <= mark + reserve:
        return False
    if scaled:
        for smaller in range(order):
            free -= free_blocks[smaller] << smaller
            mark >>= 1
            if free <= mark:
                return False
    return not order or any((free_blocks if usable_blocks is None else usable_blocks)[order:])


# --- what a node can still hand out -------------------------------------------------------------------------------

# The answers to "can I have a block of this order?", best first.
STATES = ("ok", "needs_reclaim", "needs_compaction", "exhausted")

# The answer of a zone that lowmem_reserve keeps from ordinary requests however much of it is free.
RESERVED = "reserved"

# Zones that serve an ordinary kernel request (GFP_KERNEL); HighMem, Movable and Device do not (include/linux/gfp.h).
KERNEL_ZONES = ("DMA", "DMA32", "Normal")

# Free blocks of these migratetypes are counted in /proc/buddyinfo, but closed to an ordinary request (mm/page_alloc.c);
# the first of them is there for atomic ones.
CLOSED_MIGRATETYPES = ("HighAtomic", "CMA", "Isolate")

# The 16 MiB that ISA devices reach: all that the DMA zone of a PC has.
_DMA_PAGES = 4096

# Reclaim turns up contiguous memory only where it frees a good part of the zone: one page in so many.
_RECLAIM_SHARE = 10
# Of the free memory in small blocks, at least one page in so many must be in movable pageblocks for compaction to matter.
_MOVABLE_SHARE = 10


def best(states):
    return min(states, key=STATES.index)


def usable_blocks(zone, closed=CLOSED_MIGRATETYPES):
    """Free blocks per order that an unmovable request may take; all of them where the migratetypes are not known."""
    blocks = list(zone["free_blocks"])
    for name in closed:
        for order, count in enumerate((zone["migratetypes"] or {}).get(name, ())[: len(blocks)]):
            # The two files are read one after the other, so the difference may be off by what happened in between.
            blocks[order] = max(0, blocks[order] - count)
    return blocks


def kernel_reserve(zone, names):
    """Pages of ``zone`` kept from a GFP_KERNEL request by lowmem_reserve; None where /proc/zoneinfo was not read.

    ``names`` are the zone names of the machine. lowmem_reserve has one entry per zone type the kernel was built with,
    and a GFP_KERNEL request is of the class of Normal.
    """
    reserve = zone["lowmem_reserve"]
    if not reserve:
        return None
    return reserve[min(normal_index(names, len(reserve)), len(reserve) - 1)]


def normal_index(names, types):
    """Where Normal stands among the kernel's ``types`` zone types, of which ``names`` are in use.

    Every kernel has Normal and Movable (enum zone_type); the others come with the configuration, the likelier first.
    """
    built = set(names) | {"Normal", "Movable"}
    for likely in ("Device", "DMA32", "DMA", "HighMem"):
        if len(built) < types:
            built.add(likely)
    return sum(name in built for name in ("DMA", "DMA32"))


def _limits(zone, names):
    """-> (watermarks, pages reserved from GFP_KERNEL, free pages closed to it, is the whole zone reserved from it)."""
    marks = zone["watermarks"] or {"min": 0, "low": 0}
    free = free_pages(zone["free_blocks"])
    reserve = kernel_reserve(zone, names)
    if reserve is None:
        # Without /proc/zoneinfo there are no watermarks to hold the request to, and the small DMA zone counts as reserved,
        # as lowmem_reserve_ratio makes it on every machine that has a larger zone.
        reserved = zone["zone"] == "DMA" and len(names) > 1 and free <= _DMA_PAGES
        reserve = free if reserved else 0
    else:
        reserved = reserve > 0 and (zone["managed_pages"] or 0) <= marks["min"] + reserve
    return marks, reserve, (zone["free_cma_pages"] or 0) + (zone["reserved_highatomic_pages"] or 0), reserved


def zone_states(zone, names, scaled):
    """-> ([state per order] for a request with GFP_KERNEL, [would GFP_ATOMIC be served, per order]) of one zone.

    zone    as in the facts: free_blocks, managed_pages, watermarks, lowmem_reserve, migratetypes, free_cma_pages,
            reserved_highatomic_pages, reclaimable_pages
    names   the zone names of the machine
    """
    blocks = zone["free_blocks"]
    usable, usable_atomic = usable_blocks(zone), usable_blocks(zone, CLOSED_MIGRATETYPES[1:])
    marks, reserve, closed, reserved = _limits(zone, names)
    cma = zone["free_cma_pages"] or 0

    states, atomic = [], []
    for order in range(len(blocks)):
        atomic.append(watermark_ok(blocks, order, marks["min"], reserve, cma, usable_atomic, True, scaled))
        if reserved:
            states.append(RESERVED)
            continue
        if watermark_ok(blocks, order, marks["min"], reserve, closed, usable, False, scaled):
            states.append("ok")
            continue
        # mm/compaction.c, compaction_suitable(): to compact, the zone must have this much free to move pages into.
        gap = 2 << order
        mark = marks["low"] if order > PAGE_ALLOC_COSTLY_ORDER else marks["min"]
        short = mark + reserve + gap - (free_pages(blocks) - closed)
        if short > 0:
            states.append("needs_reclaim" if zone["reclaimable_pages"] >= short else "exhausted")
        elif can_compact(zone, order) is False and not worth_reclaiming(zone):
            states.append("exhausted")
        else:
            states.append("needs_compaction")
    return states, atomic


def can_compact(zone, order):
    """Whether compaction has room to make a block: free pages in movable pageblocks, to move others into. None if not known.

    mm/compaction.c, suitable_migration_target(): free pages of unmovable pageblocks are no target.
    """
    if not zone["migratetypes"]:
        return None
    return free_pages(zone["migratetypes"].get("Movable", ())) >= 2 << order


def movable_room(zone, order):
    """Free pages in movable pageblocks, in blocks smaller than ``order``: what compaction can make such blocks of. None if not known.

    0 where they are next to nothing beside those in unmovable pageblocks: a block here and there does not mend the zone.
    """
    if not zone["migratetypes"]:
        return None
    movable = free_pages(zone["migratetypes"].get("Movable", ())[:order])
    return movable if movable * _MOVABLE_SHARE >= free_pages(zone["free_blocks"][:order]) else 0


def worth_reclaiming(zone):
    """Whether page cache and slab are so much of the zone that reclaiming them turns up contiguous memory."""
    return zone["reclaimable_pages"] * _RECLAIM_SHARE >= (zone["managed_pages"] or free_pages(zone["free_blocks"]) or 1)


def headroom(zone, names, order, scaled):
    """How many blocks of ``order`` an unmovable GFP_KERNEL request can take from the zone, one after the other.

    What watermark_ok() says yes to, as a number: the blocks there are, as far as the watermarks let them go. The order-0
    watermark counts what can be reclaimed as free, since kswapd keeps that up by itself.
    """
    marks, reserve, closed, reserved = _limits(zone, names)
    if reserved:
        return 0
    blocks, size = usable_blocks(zone), 1 << order
    free = free_pages(zone["free_blocks"])
    limits = [suitable_blocks(blocks, order)]
    margins = [free - closed + zone["reclaimable_pages"] - marks["min"] - reserve]
    if scaled:
        mark = marks["min"]
        for smaller in range(min(order, len(blocks))):
            free -= zone["free_blocks"][smaller] << smaller
            mark >>= 1
            margins.append(free - mark)
    # The request itself must leave more than the mark: free - (size - 1) > mark, and the same again for each further one.
    limits.extend((margin - size) // size + 1 for margin in margins)
    return max(0, min(limits))


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
