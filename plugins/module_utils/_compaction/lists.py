# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The per-cpu lists: what a compaction frees goes there first, and is missing among the free blocks until they give it back.

Up to Linux 6.6 a list keeps a few hundred pages, which a promise reckons with (_scanners.yields()). Since 6.7 it grows with its use, up
to an eighth of the zone for all CPUs together, and shrinks by an eighth with each look of its CPU at its counters, once a second
(mm/page_alloc.c, decay_pcp_high(); mm/vmstat.c, refresh_cpu_vm_stats()). Whoever reads stat_refresh has every CPU look at once.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._node import NodeError
from .._procfs import zoneinfo

# Linux 4.7 and later (mm/vmstat.c, vmstat_refresh()).
REFRESH = "/proc/sys/vm/stat_refresh"

# So often at the most, which leaves 1 of 200 pages; ended before where neither the pages nor what the lists may hold falls by
# one in so many, twice.
_ROUNDS, _WORTH_IT, _IDLE_ROUNDS = 40, 32, 2


def read(node):
    """-> {(NUMA node, zone): (pages on the lists, the most that one of them may hold)}; {} where that is not told."""
    try:
        zones = zoneinfo.parse_zoneinfo(node.read_text("/proc/zoneinfo"))[0]
    except NodeError:
        return {}
    return {
        (zone["node"], zone["zone"]): (zone["pcp_pages"], max(zone["pcp_high"]))
        for zone in zones
        if zone["pcp_pages"] is not None and zone["pcp_high"]
    }


def give_back(node, stop=lambda: None):
    """Have the lists give back what they need not keep. -> whether the kernel was asked to.

    stop   gives a reason to end it, or None
    """
    asked, idle, sizes = False, 0, _sizes(node)
    for _round in range(_ROUNDS):
        if not sizes[0] or idle == _IDLE_ROUNDS or stop():
            break
        try:
            node.read_text(REFRESH)
        except NodeError:
            break
        asked, left = True, _sizes(node)
        # A list gives nothing back while it may hold more than it does, but may hold less each time.
        falls = any((was - now) * _WORTH_IT >= was > 0 for was, now in zip(sizes, left))
        idle = 0 if falls else idle + 1
        sizes = left
    return asked


def _sizes(node):
    """(pages on the lists, what the longest of each zone may hold)"""
    found = read(node).values()
    return sum(pages for pages, _most in found), sum(most for _pages, most in found)


def grown(before, after):
    """Pages on the lists beyond what they held before, and what one of them may keep anyway: both as read() has them."""
    return sum(
        max(0, pages - before[place][0] - before[place][1])
        for place, (pages, _most) in after.items()
        if place in before
    )
