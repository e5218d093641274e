# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/kpageflags: one 64-bit word of flags per page frame (fs/proc/page.c, include/uapi/linux/kernel-page-flags.h).

What each page is becomes one letter, so that a pageblock is a string that can be counted, cut and searched.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import struct

WORD_BYTES = 8

# KPF_*, by bit number; the same since the file came to be, but for 23: BALLOON up to 5.0, OFFLINE since.
_UPTODATE, _LRU, _SLAB, _BUDDY, _MMAP, _ANON, _SWAPBACKED = 3, 5, 7, 10, 11, 12, 14
_HEAD, _TAIL, _HUGE, _UNEVICTABLE, _HWPOISON, _NOPAGE = 15, 16, 17, 18, 19, 20
_THP, _OFFLINE, _ZERO_PAGE, _PGTABLE, _RESERVED, _MLOCKED = 22, 23, 24, 26, 32, 33

FREE, MOVABLE, HOLE = "f", "m", "."
_OF_HEAD = "t"

# letter: the kind, by the names of contract memfrag_facts.
KINDS = {
    FREE: "free",
    MOVABLE: "movable",
    "u": "unevictable",
    "c": "compound",
    "h": "hugetlb",
    "s": "slab",
    "p": "page_table",
    "r": "reserved",
    "o": "offline",
    "x": "poisoned",
    "k": "kernel",
}

# In capitals, where it makes a difference to a compaction: a kernel's page that has a flag, or is a part of a larger one. A free one on a
# per-cpu list has none of them any more (mm/page_alloc.c, free_pages_prepare()).
IN_USE = "K"
# And a large page that is all of the pageblock, or more: compaction leaves it where it is (mm/compaction.c, skip_isolation_on_order()).
_WHOLE = {"c": "C", "u": "U"}

# The first row that matches decides: (all of these bits, letter).
_ROWS = (
    ((_NOPAGE,), HOLE),
    ((_HWPOISON,), "x"),
    ((_BUDDY,), FREE),
    ((_OFFLINE,), "o"),
    ((_RESERVED,), "r"),
    ((_HUGE,), "h"),
    ((_SLAB,), "s"),
    ((_PGTABLE,), "p"),
    ((_UNEVICTABLE,), "u"),
    ((_MLOCKED,), "u"),
    # A part of a larger page: what its head is. Tails carry few flags of their own, on older kernels none.
    ((_TAIL,), _OF_HEAD),
    ((_THP,), "c"),
    ((_LRU, _HEAD), "c"),
    ((_LRU,), MOVABLE),
    # Off the LRU lists for the moment, or not yet on them: still a page of a process or a file. Who compacts everything has what waits in
    # front of those lists put on them before (mm/compaction.c, compact_nodes()).
    ((_MMAP, _SWAPBACKED), MOVABLE),
    ((_MMAP, _ANON), MOVABLE),
    ((_HEAD,), IN_USE),
    ((_UPTODATE,), MOVABLE),
    ((), IN_USE),
)
_MASKS = tuple((sum(1 << bit for bit in bits), letter) for bits, letter in _ROWS)


class _Letters(dict):
    """Flag word -> letter, worked out once for each word that occurs."""

    def __missing__(self, word):
        self[word] = letter = next(letter for mask, letter in _MASKS if word & mask == mask)
        return letter


_LETTERS = _Letters({0: "k"})
_TAILS = re.compile("([^t])?(t+)")


def kind(letter):
    """Of KINDS, for a capital as well."""
    return KINDS[letter.lower()]


def parse_kpageflags(data):
    """bytes of a pageblock -> a string with a letter per page (KINDS, or a capital); bytes behind the last whole word are left out."""
    words = struct.unpack("=%dQ" % (len(data) // WORD_BYTES), data[: len(data) // WORD_BYTES * WORD_BYTES])
    letters = "".join(map(_LETTERS.__getitem__, words))
    if _OF_HEAD not in letters:
        return letters
    one = letters.count(_OF_HEAD) == len(letters) - (letters[0] != _OF_HEAD)
    letters = _TAILS.sub(_as_head, letters)
    return _WHOLE.get(letters[0], letters[0]) * len(letters) if one and len(letters) > 1 else letters


def has_charged(data, charged):
    """Whether one of the pages without a flag in ``data`` is charged to a cgroup, by as many words of /proc/kpagecgroup: not a free one then."""
    letters = parse_kpageflags(data)
    cgroups = struct.unpack("=%dQ" % (len(charged) // WORD_BYTES), charged[: len(charged) // WORD_BYTES * WORD_BYTES])
    return any(cgroup and letter == "k" for letter, cgroup in zip(letters, cgroups))


def _as_head(match):
    # Without its head in sight it is part of something larger than what was read, and of unknown use.
    head = match.group(1) or "c"
    return (match.group(1) or "") + ("c" if head in (FREE, HOLE) else head) * len(match.group(2))
