# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a node with parts missing most likely has: watermarks without /proc/zoneinfo, reserves without the migratetypes, its size."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import math

from .. import _consumers

# mm/page_alloc.c, init_per_zone_wmark_min(): bounds of min_free_kbytes, the upper one of kernels up to 5.6 (the milder one).
_MIN_FREE_LEAST, _MIN_FREE_MOST = 128, 65536

# The layout of x86-64 and of arm64 with 4 KiB pages: 16 MiB for ISA devices, and what 32-bit devices reach below the PCI hole.
_DMA_KB, _BELOW_4G_KB = 16 << 10, 3 << 20
# Zone Normal begins at 4 GiB where there is a zone DMA32; as much memory must be there.
_LEAST_KB_BEHIND_DMA32 = 4 << 20
# Zone HighMem is what 32-bit kernels do not map (x86: from 896 MiB on; others are split lower down).
_LEAST_KB_BELOW_HIGHMEM = 512 << 10

# setup_zone_migrate_reserve() up to 4.3, reserve_highatomic_pageblock() since: two pageblocks of a zone at the least, in large blocks.
_RESERVED_PAGEBLOCKS = 2


def memory_kb(memory, zones, page_kb):
    """-> (kB of memory, is that a lower bound only), (None, True) where nothing tells."""
    if memory.get("memtotal"):
        return memory["memtotal"], False
    pages = sum(zone["managed_pages"] or 0 for zone in zones)
    if pages:
        return pages * page_kb, False
    if {"DMA32", "Normal"} <= {zone["zone"] for zone in zones}:
        return _LEAST_KB_BEHIND_DMA32, True
    if "HighMem" in {zone["zone"] for zone in zones}:
        return _LEAST_KB_BELOW_HIGHMEM, True
    return None, True


def watermarks(zones, total_kb, page_kb, min_free_kb, scaled):
    """What the kernel computes for zones of a machine with this memory. -> [{min, low, high} in pages, or None], one per zone.

    min_free_kb  the setting where it is known. Otherwise that of init_per_zone_wmark_min(), without what huge pages add.
    """
    sizes = _zone_sizes(zones, total_kb)
    if min_free_kb is None:
        root = int(math.sqrt(total_kb * 16))
        min_free_kb = max(_MIN_FREE_LEAST, min(_MIN_FREE_MOST, root))
    whole = float(sum(sizes)) or 1.0
    marks = []
    for size in sizes:
        # mm/page_alloc.c, __setup_per_zone_wmarks(); watermark_scale_factor's default of 10 came with 4.6.
        least = int(min_free_kb // page_kb * (size / whole))
        distance = least // 4 if scaled else max(least // 4, int(size // page_kb // 1000))
        marks.append({"min": least, "low": least + distance, "high": least + 2 * distance} if size else None)
    return marks


def _zone_sizes(zones, total_kb):
    """kB of each zone: the fixed ones where there are several, the rest spread over the largest of each node."""
    nodes = sorted({zone["node"] for zone in zones})
    names = {node: {zone["zone"] for zone in zones if zone["node"] == node} for node in nodes}
    share, sizes = total_kb // (len(nodes) or 1), []
    for zone in zones:
        there, name = names[zone["node"]], zone["zone"]
        if name == "DMA" and there & {"DMA32", "Normal"}:
            sizes.append(min(_DMA_KB, share))
        elif name == "DMA32" and "Normal" in there:
            sizes.append(min(_BELOW_4G_KB, share))
        elif name in ("DMA", "DMA32", "Normal"):
            below = _BELOW_4G_KB if name == "Normal" and "DMA32" in there else 0
            sizes.append(max(share // 4, share - below))
        else:
            sizes.append(0)
    return sizes


def withheld(zone, page_size):
    """Free blocks per order that stand in the zone's reserve, if it has the usual one: its largest, up to two pageblocks.

    One block of the largest order, which nobody has ever been given, is what is left of a zone out of blocks.
    """
    pageblock = _consumers.hugepage_order(page_size)
    blocks = zone["free_blocks"]
    kept, pages = [0] * len(blocks), _RESERVED_PAGEBLOCKS << pageblock
    for order in range(len(blocks) - 1, pageblock - 1, -1):
        kept[order] = min(blocks[order], pages >> order)
        pages -= kept[order] << order
    return kept
