# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/meminfo (fs/proc/meminfo.c)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_FIELD = re.compile(r"([^:]{1,80}):\s+([0-9]{1,20})(?:\s+kB)?\s*\Z")


def parse_meminfo(text):
    """-> ({name in lower case: kB, or a count for hugepages_*}, unparsed lines)."""
    values, unparsed = {}, 0
    for line in text.splitlines():
        match = _FIELD.match(line)
        if match:
            values[match.group(1).strip().lower()] = int(match.group(2))
        elif line.strip():
            unparsed += 1
    return values, unparsed
