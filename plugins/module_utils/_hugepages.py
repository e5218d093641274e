# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""How many huge pages a node can have: now, after a compaction, and after reclaim and a compaction. By NUMA node and size."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from . import _outlook, _pageblocks, _scanners, _states, _survey, _yields
from ._node import NodeError
from ._procfs._lines import is_number
from ._releases import order_of

# Pools by NUMA node (mm/hugetlb_sysfs.c); a kernel without NUMA has the machine's alone.
_PER_NODE = "/sys/devices/system/node/node[0-9]*/hugepages/hugepages-*kB"
_MACHINE = "/sys/kernel/mm/hugepages/hugepages-*kB"
_POOL = re.compile(r"(?:/node([0-9]{1,5}))?/hugepages/hugepages-([0-9]{1,12})kB\Z")

# hugetlb takes its pages from any zone that user memory comes from: the 16 MiB for ISA devices, too, where lowmem_reserve lets it.
_ZONES = ("DMA", "DMA32", "Normal", "HighMem", "Movable")


def collect(node, facts, sample=_pageblocks.SAMPLE, seed=None, learned=None):
    """Puts the subset ``pageblocks`` into the ``facts`` of the node: ``pageblock_survey``, see _survey.survey(), and ``hugepages``. -> facts"""
    learned = learned or _yields.Learned()
    facts["pageblock_survey"], zones = _survey.survey(node, facts, sample, seed, learned)
    facts["hugepages"] = plan(pools(node), facts, zones, learned.corrected)
    return facts


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
    return int(text) if is_number(text) else None


def plan(pools_, facts, surveyed=None, correct=None):
    """-> contract memfrag_facts, ``hugepages``: the ``pools_`` with what there could be beside what they have.

    facts      their kernel and zones. What is free below the watermarks is nobody's to take, as the test allocatable has it
    surveyed   [_pageblocks.Zone], None where the pageblocks were not looked at: then only ``now`` is known
    correct    a function ((NUMA node, zone), row of _scanners.yields()) -> the row by what the node has learned
    """
    names, scaled = {zone["zone"] for zone in facts["zones"]}, facts["kernel"].get("watermark_check") == "scaled"
    outlooks = [
        _outlook.Outlook(_states.complete(zone), names, scaled) for zone in facts["zones"] if zone["zone"] in _ZONES
    ]
    answer = []
    for pool in pools_:
        order = order_of(pool["size_kb"] * 1024, facts["kernel"]["page_size"])
        here = [outlook for outlook in outlooks if outlook.zone["node"] == pool["node"]]
        row = dict(pool, now=sum(outlook.now(order) for outlook in here), after_compaction=None, after_reclaim=None)
        if surveyed is not None:
            row["after_compaction"] = _after(here, surveyed, order, correct, reclaim=False)
            row["after_reclaim"] = _after(here, surveyed, order, correct, reclaim=True)
        answer.append(row)
    return answer


def _after(outlooks, surveyed, order, correct, reclaim):
    """{low, expected, high} over the zones of a NUMA node."""
    total = {"low": 0, "expected": 0, "high": 0}
    spans = {(zone.node, zone.name): zone for zone in surveyed}
    for outlook in outlooks:
        zone = outlook.zone
        span = spans.get((zone["node"], zone["zone"]))
        if span is None or not span.observed:
            total = {key: total[key] + outlook.now(order) for key in total}
            continue
        share = _scanners.reclaimable_share(span, zone["reclaimable_pages"]) if reclaim else 0.0
        now = _scanners.free_per_order(zone["free_blocks"], order + 1)
        row = _scanners.yields(span, now, reclaimed=share)[order]
        row = correct((span.node, span.name), row) if correct else row
        for key in total:
            total[key] += outlook.bounded(order, row[key])
    return total
