# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/slabinfo, version 2 (mm/slab_common.c, cache_show())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._lines import DIGITS, is_number

_TUNABLES, _SLABDATA = ": tunables", ": slabdata"
_LONGEST_NAME = 200


def parse_slabinfo(text):
    """-> ([{name, active_objects, objects, object_size, objects_per_slab, pages_per_slab, slabs}], unparsed lines).

    Sizes in bytes. A name may occur twice, and hold blanks, colons and brackets ("kmalloc-1024(1793:0a1b)"). Without the
    slabdata part the number of slabs follows from the objects.
    """
    caches, unparsed = [], 0
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith(("#", "slabinfo - version")):
            continue
        found = _cache(line)
        if found is None:
            unparsed += 1
            continue
        name, active, objects, size, per_slab, pages, slabs = found
        objects, per_slab = int(objects), int(per_slab)
        if slabs is None:
            slabs = -(-objects // per_slab) if per_slab else 0
        if int(slabs) * int(pages) >= 10**DIGITS:
            # More pages than there is memory.
            unparsed += 1
            continue
        caches.append(
            {
                "name": name,
                "active_objects": int(active),
                "objects": objects,
                "object_size": int(size),
                "objects_per_slab": per_slab,
                "pages_per_slab": int(pages),
                "slabs": int(slabs),
            }
        )
    return caches, unparsed


def _cache(line):
    """-> [name, five numbers, slabs or None] as words, None for a line of another shape. From its end: only the name may hold blanks."""
    head, tunables, rest = line.partition(_TUNABLES)
    words = head.rsplit(None, 5)
    if len(words) != 6 or len(words[0]) > _LONGEST_NAME or not all(map(is_number, words[1:])):
        return None
    if not tunables:
        return words + [None]
    counts = rest.rpartition(_SLABDATA)[2].split(None, 2)
    if _SLABDATA not in rest or len(counts) != 3 or not all(map(is_number, counts[:2])):
        return None
    return words + [counts[1]]
