# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/vmstat (mm/vmstat.c, vmstat_show()): "name value" lines."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# An unsigned long, which has the same twenty digits as larger numbers.
_MOST = (1 << 64) - 1
# There are about 200 (enum vm_event_item, enum node_stat_item); the contract ends at 1,024.
_MOST_LINES = 1024

_LINE = re.compile(r"^[ \t]*(\S{1,80})[ \t]+([0-9]{1,20})[ \t\r]*$", re.MULTILINE)


def parse_vmstat(text):
    """-> ({name: value}, unparsed lines). Gauges in pages, counters since boot."""
    found = _LINE.findall(text)[:_MOST_LINES]
    lines = sum(1 for line in text.split("\n") if line.strip())
    values = {name: int(value) for name, value in found}
    if values and max(values.values()) > _MOST:
        values = {name: value for name, value in values.items() if value <= _MOST}
    return values, lines - len(found)
