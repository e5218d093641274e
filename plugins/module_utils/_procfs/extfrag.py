# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""extfrag_index and unusable_index of /sys/kernel/debug/extfrag (mm/vmstat.c, extfrag_show_print())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ._lines import zone_lines

_THOUSANDTHS = re.compile(r"(-?)([0-9]{1,4})\.(-?)([0-9]{1,3})\Z")


def thousandths(word):
    """ "0.984" -> 984. The kernel prints the two halves of C's division, so that -500 reads "0.-500". None if it is neither."""
    match = _THOUSANDTHS.match(word)
    if not match:
        return None
    value = int(match.group(2)) * 1000 + int(match.group(4))
    return -value if match.group(1) or match.group(3) else value


def parse_extfrag(text):
    """-> ({(node, zone): [thousandths per order]}, unparsed lines)."""
    zones, unparsed = {}, 0
    for node, zone, words in zone_lines(text):
        values = [thousandths(word) for word in words or ()]
        if values and None not in values and max(values) <= 1000 and min(values) >= -1000:
            zones[node, zone] = values
        else:
            unparsed += 1
    return zones, unparsed
