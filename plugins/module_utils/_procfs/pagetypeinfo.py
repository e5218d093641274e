# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/pagetypeinfo (mm/vmstat.c, pagetypeinfo_show())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._lines import LONGEST_NAME, is_free_lists, is_number, lines_of_words, whole, zone_of

_HEADERS = {"Page block order": "pageblock_order", "Pages per block": "pages_per_block"}
# Migratetypes; there are seven at most (include/linux/mmzone.h).
_MOST_TYPES = 64
_SECTIONS = ("Number of blocks type", "Number of mixed blocks")


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
    for words in lines_of_words(text):
        line = " ".join(words)
        if line.startswith("Free pages count"):
            continue
        free = _free_line(words)
        if free:
            key, name, counts = free
            blocks, there = [int(count.lstrip(">")) for count in counts], data["free"].setdefault(key, {})
            if not is_free_lists(blocks) or len(there) >= _MOST_TYPES or len(name) > LONGEST_NAME:
                unparsed += 1
                continue
            if any(count.startswith(">") for count in counts):
                data["capped"].add(key)
            there[name] = blocks
            continue
        header, colon, value = line.partition(":")
        if header in _HEADERS and value[:1].isspace() and is_number(value.strip(), 9):
            data[_HEADERS[header]] = int(value)
            continue
        title = next((title for title in _SECTIONS if line.startswith(title)), None)
        if title and line[len(title) :][:1].isspace() and len(words) > 4:
            section, names = title, words[4:]
            if len(names) > _MOST_TYPES or max(map(len, names)) > LONGEST_NAME:
                section = None
                unparsed += 1
            continue
        key, counts = zone_of(words), words[4:]
        blocks = bool(key and counts and all(map(is_number, counts)))
        if blocks and section == "Number of blocks type":
            data["pageblocks"][key] = dict(zip(names, map(int, counts)))
            unparsed += len(counts) != len(names)
        elif not (blocks and section):
            unparsed += 1
    rows = [(key, name) for key, types in data["free"].items() for name in types]
    uncut = whole(rows, lambda row: len(data["free"][row[0]][row[1]]))
    for key, name in set(rows).difference(uncut):
        del data["free"][key][name]
    return data, unparsed + len(rows) - len(uncut)


def _free_line(words):
    """((node, zone), migratetype, counts) of "Node 0, zone   Normal, type    Unmovable    107 ... >100000", else None."""
    if len(words) < 7 or words[4] != "type" or not words[3].endswith(","):
        return None
    key = zone_of(words[:3] + [words[3][:-1]])
    counts = words[6:]
    if not (key and key[1] and all(is_number(count[1:] if count[0] == ">" else count) for count in counts)):
        return None
    return key, words[5], counts
