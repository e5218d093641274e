# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/pagetypeinfo (mm/vmstat.c, pagetypeinfo_show())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ._lines import ZONE

_HEADER = re.compile(r"(Page block order|Pages per block):\s+([0-9]{1,9})\s*\Z")
_FREE = re.compile(ZONE + r",\s+type\s+(\S+)((?:\s+>?[0-9]{1,20})+)\s*\Z")
_SECTION = re.compile(r"Number of (blocks type|mixed blocks)\s+(\S.*)")
_BLOCKS = re.compile(ZONE + r"((?:\s+[0-9]{1,20})+)\s*\Z")


def parse_pagetypeinfo(text):
    """-> (data, unparsed lines) with

    data: {pageblock_order, pages_per_block: int or None,
           free: {(node, zone): {migratetype: [free blocks per order]}},
           capped: set of (node, zone) in which a count is a lower bound (Linux 5.4+ stops counting at ">100000"),
           pageblocks: {(node, zone): {migratetype: pageblocks}}}

    Names and order of the migratetypes are the kernel's; "Number of mixed blocks" (page_owner=on) is passed over.
    """
    data = {"pageblock_order": None, "pages_per_block": None, "free": {}, "capped": set(), "pageblocks": {}}
    unparsed = 0
    section, names = None, []
    for line in text.splitlines():
        if not line.strip() or line.startswith("Free pages count"):
            continue
        match = _FREE.match(line)
        if match:
            key = (int(match.group(1)), match.group(2))
            counts = match.group(4).split()
            if any(count.startswith(">") for count in counts):
                data["capped"].add(key)
            data["free"].setdefault(key, {})[match.group(3)] = [int(count.lstrip(">")) for count in counts]
            continue
        match = _HEADER.match(line)
        if match:
            name = "pageblock_order" if match.group(1) == "Page block order" else "pages_per_block"
            data[name] = int(match.group(2))
            continue
        match = _SECTION.match(line)
        if match:
            section, names = match.group(1), match.group(2).split()
            continue
        match = _BLOCKS.match(line)
        if match and section == "blocks type":
            counts = match.group(3).split()
            data["pageblocks"][int(match.group(1)), match.group(2)] = dict(zip(names, map(int, counts)))
            unparsed += len(counts) != len(names)
        elif not (match and section):
            unparsed += 1
    return data, unparsed
