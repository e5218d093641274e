# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What the line-oriented formats have in common."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# Twenty digits hold any unsigned 64-bit value. Python refuses to convert thousands of digits, the parsers never raise.
NUMBER = r"[0-9]{1,20}"

# "Node 0, zone   Normal" heads the lines of buddyinfo, pagetypeinfo, extfrag and zoneinfo (mm/vmstat.c, walk_zones_in_node()).
ZONE = r"Node\s+([0-9]{1,9}),\s+zone\s+([^\s,]+)"

_ZONE_LINE = re.compile(ZONE + r"\s+(\S.*)")
_NUMBER = re.compile(NUMBER + r"\Z")


def is_number(word):
    return bool(_NUMBER.match(word))


def zone_lines(text):
    """Yields (node, zone, words) of each line; words is None for a line of another shape."""
    for line in text.splitlines():
        if not line.strip():
            continue
        match = _ZONE_LINE.match(line)
        if match:
            yield int(match.group(1)), match.group(2), match.group(3).split()
        else:
            yield None, None, None
