# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/vmstat (mm/vmstat.c, vmstat_show()): "name value" lines."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._lines import is_number


def parse_vmstat(text):
    """-> ({name: value}, unparsed lines). Gauges in pages, counters since boot."""
    values, unparsed = {}, 0
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and is_number(words[1]):
            values[words[0]] = int(words[1])
        elif words:
            unparsed += 1
    return values, unparsed
