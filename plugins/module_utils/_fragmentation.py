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

from ._procfs.buddyinfo import free_pages

# What the kernel prints as -1.000: a block is free, so the index does not apply.
BLOCK_FREE = -1000

# include/linux/mmzone.h: orders above this one are "costly": they may fail, lower ones are retried or OOM-kill.
PAGE_ALLOC_COSTLY_ORDER = 3


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


# --- what of a zone is open to whom ------------------------------------------------------------------------------

# Zones that serve an ordinary kernel request (GFP_KERNEL); HighMem, Movable and Device do not (include/linux/gfp.h).
KERNEL_ZONES = ("DMA", "DMA32", "Normal")

# The free lists that an ordinary request is served from (MIGRATE_PCPTYPES, and Reserve up to 4.3). Those of HighAtomic, CMA, Isolate and of
# whatever else a vendor adds are counted in /proc/buddyinfo, but closed to it (mm/page_alloc.c, __zone_watermark_ok()).
OPEN_MIGRATETYPES = ("Unmovable", "Movable", "Reclaimable", "Reserve")


def usable_blocks(zone, also=()):
    """Free blocks per order that an unmovable request may take; all of them where the migratetypes are not known.

    also    further migratetypes that are open to it
    """
    blocks = list(zone["free_blocks"])
    for name, counts in (zone["migratetypes"] or {}).items():
        if name not in OPEN_MIGRATETYPES and name not in also:
            for order, count in enumerate(counts[: len(blocks)]):
                # The two files are read one after the other, so the difference may be off by what happened in between.
                blocks[order] = max(0, blocks[order] - count)
    return blocks


def kernel_reserve(zone, names):
    """Pages of ``zone`` kept from a GFP_KERNEL request by lowmem_reserve; None where /proc/zoneinfo was not read.

    names are the zones in use of the machine, which do not tell all the zone types that the list has an entry for. Each populated zone
    above adds to what is kept, an empty one adds nothing (mm/page_alloc.c, setup_per_zone_lowmem_reserve()).
    """
    if not zone["lowmem_reserve"]:
        return None
    above = KERNEL_ZONES[KERNEL_ZONES.index(zone["zone"]) + 1 :] if zone["zone"] in KERNEL_ZONES else ()
    higher = sum(name in names for name in above)
    kept = sorted(set(zone["lowmem_reserve"]) - {0})
    return kept[min(higher, len(kept)) - 1] if higher and kept else 0


def normal_index(names, types):
    """Where Normal stands among the kernel's ``types`` zone types, of which ``names`` are in use: for logs, which may lack a zone.

    Every kernel has Normal and Movable (enum zone_type); the others come with the configuration, the likelier first.
    """
    built = set(names) | {"Normal", "Movable"}
    for likely in ("Device", "DMA32", "DMA", "HighMem"):
        if len(built) < types:
            built.add(likely)
    return sum(name in built for name in ("DMA", "DMA32"))
