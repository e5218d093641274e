# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/meminfo (fs/proc/meminfo.c)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_LINE = re.compile(r"^([^:\n]{1,80}):[ \t]+([0-9]{1,15})(?:[ \t]+kB)?[ \t\r]*$", re.MULTILINE)


def parse_meminfo(text):
    """-> ({name in lower case: kB, or a count for hugepages_*}, unparsed lines).

    A value of more digits than _lines.DIGITS is a counter that fell below zero: no value, and an unparsed line.
    """
    found = _LINE.findall(text)
    lines = sum(1 for line in text.split("\n") if line.strip())
    return {name.strip().lower(): int(value) for name, value in found}, lines - len(found)


def without_huge_pages(values):
    """kB of memory outside the pools of huge pages, which nobody else is given, whether they are in use or not. None if MemTotal is not known."""
    # Hugetlb (4.20+) counts the pools of all sizes, the others that of the default size.
    pools = values.get("hugetlb", values.get("hugepages_total", 0) * values.get("hugepagesize", 0))
    return max(0, values["memtotal"] - pools) if "memtotal" in values else None


def available(values):
    """kB that can be had without swapping: MemAvailable, or else a cautious guess along its lines (Linux before 3.14). None if nothing tells."""
    if "memavailable" in values:
        return values["memavailable"]
    caches = [values[name] for name in ("active(file)", "inactive(file)", "sreclaimable") if name in values]
    return values["memfree"] + sum(caches) // 2 if caches and "memfree" in values else None
