# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/slabinfo, version 2 (mm/slab_common.c, cache_show())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ._lines import DIGITS

_CACHE = re.compile(
    r"(\S.{0,200}?)\s+([0-9]{1,15})\s+([0-9]{1,15})\s+([0-9]{1,15})\s+([0-9]{1,15})\s+([0-9]{1,15})"
    r"(?:\s+:\s+tunables\s.*?:\s+slabdata\s+([0-9]{1,15})\s+([0-9]{1,15})\s.*)?\Z"
)


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
        match = _CACHE.match(line)
        if not match:
            unparsed += 1
            continue
        name, active, objects, size, per_slab, pages, _active_slabs, slabs = match.groups()
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
