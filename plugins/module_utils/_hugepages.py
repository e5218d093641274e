# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""How many huge pages a node can have: now, after a compaction, and after reclaim and a compaction. By NUMA node and size."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from . import _pageblocks
from ._consumers import order_of
from ._node import NodeError

# Pools by NUMA node (mm/hugetlb_sysfs.c); a kernel without NUMA has the machine's alone.
_PER_NODE = "/sys/devices/system/node/node[0-9]*/hugepages/hugepages-*kB"
_MACHINE = "/sys/kernel/mm/hugepages/hugepages-*kB"
_POOL = re.compile(r"(?:/node([0-9]{1,5}))?/hugepages/hugepages-([0-9]{1,12})kB\Z")

# hugetlb takes its pages from any zone that user memory comes from; the 16 MiB for ISA devices are not among them.
_ZONES = ("DMA32", "Normal", "HighMem", "Movable")


def pools(node):
    """-> [{node, size_kb, reserved, free}] of the pools there are, by NUMA node and size."""
    found = []
    for path in node.glob(_PER_NODE) or node.glob(_MACHINE):
        match = _POOL.search(path)
        reserved, free = (_number(node, path + name) for name in ("/nr_hugepages", "/free_hugepages"))
        if match and reserved is not None:
            found.append(
                {"node": int(match.group(1) or 0), "size_kb": int(match.group(2)), "reserved": reserved, "free": free}
            )
    return sorted(found, key=lambda pool: (pool["node"], pool["size_kb"]))


def _number(node, path):
    try:
        text = node.read_text(path, 64).strip()
    except NodeError:
        return None
    return int(text) if text.isdigit() and len(text) < 16 else None


def plan(pools_, zones, page_size, surveyed=None, correct=None):
    """-> contract memfrag_facts, ``hugepages``: the ``pools_`` with what there could be beside what they have.

    zones      of the facts: node, zone, free_blocks, reclaimable_pages
    surveyed   [_pageblocks.Zone], None where the pageblocks were not looked at: then only ``now`` is known
    correct    a function ((NUMA node, zone), row of _pageblocks.yields()) -> the row by what the node has learned
    """
    answer = []
    for pool in pools_:
        order = order_of(pool["size_kb"] * 1024, page_size)
        here = [zone for zone in zones if zone["node"] == pool["node"] and zone["zone"] in _ZONES]
        row = dict(
            pool, now=sum(_free(zone["free_blocks"], order) for zone in here), after_compaction=None, after_reclaim=None
        )
        if surveyed is not None:
            row["after_compaction"] = _after(here, surveyed, order, correct, reclaim=False)
            row["after_reclaim"] = _after(here, surveyed, order, correct, reclaim=True)
        answer.append(row)
    return answer


def _free(free_blocks, order):
    return sum(count << (larger - order) for larger, count in enumerate(free_blocks) if larger >= order)


def _after(zones, surveyed, order, correct, reclaim):
    """{low, expected, high} over the zones of a NUMA node."""
    total = {"low": 0, "expected": 0, "high": 0}
    spans = {(zone.node, zone.name): zone for zone in surveyed}
    for zone in zones:
        span = spans.get((zone["node"], zone["zone"]))
        if span is None or not span.observed:
            continue
        movable = sum(block.movable for block in span.observed) * span.scale
        share = min(1.0, (zone.get("reclaimable_pages") or 0) / movable) if reclaim and movable else 0.0
        now = _pageblocks.free_per_order(zone["free_blocks"], order + 1)
        row = _pageblocks.yields(span, now, reclaimed=share)[order]
        row = correct((span.node, span.name), row) if correct else row
        for key in total:
            total[key] += row[key]
    return total
