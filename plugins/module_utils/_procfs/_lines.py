# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What the line-oriented formats have in common.

Words are compared rather than patterns: compiling a regular expression costs a node more than to parse a file with it.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# Twenty digits hold any unsigned 64-bit value. Python refuses to convert thousands of digits, the parsers never raise.
# What more digits count is no memory: the largest machines have 2^57 bytes, fewer kB or pages than that has digits, and the largest range
# of addresses that /proc/meminfo has (VmallocTotal) is smaller still. A counter that fell below zero is printed with twenty.
DIGITS = 15
# A zone with more pages, or a machine with more zones or NUMA nodes, is none: the contract ends here, far beyond what there is.
MOST_PAGES = 10**DIGITS
MOST_ZONES, MOST_NODES, MOST_NODE, LONGEST_NAME = 4096, 1024, 65535, 64
# The most that a line of zones has of them; mainline goes to 14.
MOST_ORDERS = 64
# A list of more blocks is none: it fell below zero in a kernel of 32 bits.
MOST_BLOCKS = 1 << 31


def is_number(word, digits=DIGITS):
    """ASCII digits alone, and not too many: str.isdigit() knows many more, and int() some of them."""
    return 0 < len(word) <= digits and not word.strip("0123456789")


def zone_of(words):
    """(node, zone) where a line of these words starts with "Node 0, zone   Normal", else None.

    That heads the lines of buddyinfo, pagetypeinfo, extfrag and zoneinfo (mm/vmstat.c, walk_zones_in_node()).
    """
    if len(words) < 4 or words[0] != "Node" or words[2] != "zone":
        return None
    node, zone = words[1], words[3]
    if not node.endswith(",") or not is_number(node[:-1], 9) or "," in zone:
        return None
    if int(node[:-1]) > MOST_NODE or len(zone) > LONGEST_NAME:
        return None
    return int(node[:-1]), zone


def is_free_lists(counts):
    """Whether numbers can be the free blocks of a zone, or of one of its migratetypes, per order."""
    if len(counts) > MOST_ORDERS or max(counts) >= MOST_BLOCKS:
        return False
    return sum(count << order for order, count in enumerate(counts)) < MOST_PAGES


def whole(rows, length):
    """Those of the rows that have as many numbers as most of them: one with another number was cut, or something was pasted into it."""
    lengths = [length(row) for row in rows]
    most = max(set(lengths), key=lambda each: (lengths.count(each), each)) if lengths else 0
    return [row for row in rows if length(row) == most]


def lines_of_words(text):
    """The words of each line that has any. The kernel prints no line of numbers alone: what mail has wrapped is the rest of the one before."""
    lines = []
    for line in text.splitlines():
        words = line.split()
        if lines and words and all(map(is_number, words)):
            lines[-1] += words
        elif words:
            lines.append(words)
    return lines


def zone_lines(text):
    """Yields (node, zone, words) of each line; words is None for a line of another shape."""
    for words in lines_of_words(text):
        key = zone_of(words)
        if key and len(words) > 4:
            yield key[0], key[1], words[4:]
        else:
            yield None, None, None
