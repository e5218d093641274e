# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The zones of a node: what buddyinfo, zoneinfo, pagetypeinfo and debugfs each tell of them, put together."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._procfs._lines import MOST_PAGES
from ._procfs.buddyinfo import free_pages


def put_together(raw, page_size):
    """-> [a zone of the facts, but for what ``_grading`` adds]. The indices are the kernel's own, or None."""
    info = {(zone["node"], zone["zone"]): zone for zone in raw["zoneinfo"] or ()}
    types = raw["pagetypeinfo"] or {"free": {}, "pageblocks": {}, "capped": (), "pages_per_block": None}
    # Linux 6.12 came to count the free pages of the high-atomic reserve alone, just after it had got this counter.
    block = None if "nr_memmap_boot_pages" in (raw["vmstat"] or {}) else types["pages_per_block"]
    zones = []
    for found in raw["buddyinfo"] or ():
        blocks, key = found["free_blocks"], (found["node"], found["zone"])
        about = info.get(key)
        index, unusable = ((raw[name] or {}).get(key) for name in ("extfrag", "unusable"))
        printed = bool(index and unusable and len(index) == len(unusable) == len(blocks) and min(unusable) >= 0)
        marks = about and all(name in about for name in ("min", "low", "high"))
        about = about or {}
        migratetypes = types["free"].get(key)
        zones.append(
            {
                "node": found["node"],
                "zone": found["zone"],
                "free_blocks": blocks,
                "free_pages": free_pages(blocks),
                # Kernels before 3.10 do not tell managed from present.
                "managed_pages": about.get("managed", about.get("present")),
                "present_pages": about.get("present"),
                "watermarks": {name: about[name] for name in ("min", "low", "high")} if marks else None,
                "boost_pages": about.get("boost"),
                "lowmem_reserve": about.get("protection"),
                "pcp_pages": about.get("pcp_pages"),
                "free_cma_pages": _cma(about, migratetypes),
                "reserved_highatomic_pages": _highatomic(about, migratetypes, types["pageblocks"].get(key), block),
                "extfrag_index": index if printed else None,
                "unusable_index": unusable if printed else None,
                "index_source": "debugfs" if printed else "computed",
                "migratetypes": migratetypes,
                "migratetypes_capped": key in types["capped"],
                "pageblocks": types["pageblocks"].get(key),
            }
        )
    for zone, pages in zip(zones, _reclaimable_pages(raw, page_size, zones)):
        zone["reclaimable_pages"] = pages
    return zones


def _cma(about, migratetypes):
    """Free pages of CMA, which two files count. Linux 6.15 has the number of another counter beside the name of this one in zoneinfo."""
    counted = about.get("nr_free_cma")
    return max(counted or 0, free_pages(migratetypes["CMA"])) if "CMA" in (migratetypes or {}) else counted


def _highatomic(about, migratetypes, pageblocks, block):
    """Pages that the kernel takes off for atomic requests: as zoneinfo says (7.2+), all those of HighAtomic pageblocks, or the free ones.

    block   pages of a pageblock where the kernel takes off whole ones (zone.nr_reserved_highatomic, 4.4 to 6.11), else None
    """
    if "free_highatomic" in about:
        return about["free_highatomic"]
    if block and "HighAtomic" in (pageblocks or {}):
        return min(pageblocks["HighAtomic"] * block, MOST_PAGES)
    return free_pages(migratetypes["HighAtomic"]) if "HighAtomic" in (migratetypes or {}) else None


def _reclaimable_pages(raw, page_size, zones):
    """Page cache and reclaimable slab, in pages, for each zone: the node's spread over its zones by size.

    The kernel counts slab by node only; where /proc/zoneinfo is missing, the machine's sum is spread instead.
    """
    of_node, size = {}, {}
    for zone in zones:
        size[zone["node"]] = size.get(zone["node"], 0) + (zone["managed_pages"] or 0)
    for about in raw["zoneinfo"] or ():
        pages = sum(about.get(name, 0) for name in ("nr_active_file", "nr_inactive_file", "nr_slab_reclaimable"))
        of_node[about["node"]] = of_node.get(about["node"], 0) + pages
    if not raw["zoneinfo"] and zones:
        memory = raw["meminfo"] or {}
        kilobytes = sum(memory.get(name, 0) for name in ("active(file)", "inactive(file)", "sreclaimable"))
        return [kilobytes * 1024 // page_size // len(zones)] * len(zones)
    return [
        min(of_node.get(zone["node"], 0), MOST_PAGES) * (zone["managed_pages"] or 0) // (size[zone["node"]] or 1)
        for zone in zones
    ]
