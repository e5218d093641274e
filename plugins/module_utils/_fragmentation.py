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
    free = free_pages(free_blocks) - unusable_pages - ((1 << order) - 1)
    if free <= mark + reserve:
        return False
    if scaled:
        for smaller in range(order):
            free -= free_blocks[smaller] << smaller
            mark >>= 1
            if free <= mark:
                return False
    return not order or any((free_blocks if usable_blocks is None else usable_blocks)[order:])
