# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/buddyinfo (mm/vmstat.c, frag_show_print())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._lines import MOST_NODES, MOST_ZONES, is_free_lists, is_number, whole, zone_lines


def parse_buddyinfo(text):
    """-> ([{node, zone, free_blocks: [blocks per order]}] in the file's order, unparsed lines).

    One line per populated zone. The number of orders is whatever the kernel has: 11 on x86-64, 12 and 14 on arm64
    with 16 kB and 64 kB pages, and the same for all zones.
    """
    zones, unparsed, there, nodes = [], 0, set(), set()
    for node, zone, words in zone_lines(text):
        # A zone that is there twice would count twice.
        blocks = [int(word) for word in words] if words and all(map(is_number, words)) else None
        room = len(zones) < MOST_ZONES and (node in nodes or len(nodes) < MOST_NODES)
        if blocks and room and is_free_lists(blocks) and (node, zone) not in there:
            there.add((node, zone))
            nodes.add(node)
            zones.append({"node": node, "zone": zone, "free_blocks": blocks})
        else:
            unparsed += 1
    uncut = whole(zones, lambda zone: len(zone["free_blocks"]))
    return uncut, unparsed + len(zones) - len(uncut)


def free_pages(free_blocks):
    """Pages on the free lists."""
    return sum(count << order for order, count in enumerate(free_blocks))
