# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Who holds the kernel's own pages: /proc/allocinfo (6.10+, lib/alloc_tag.c) and page_owner_stacks (6.9+, mm/page_owner.c)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_ALLOCINFO = re.compile(r" *([0-9]{1,18}) +([0-9]{1,18}) (\S+?):([0-9]{1,6}) (?:\[(\S+)\] )?func:(\S+) *\Z")
_STACK_PAGES = re.compile(r"(?:nr_base_pages|stack_count): *([0-9]{1,18}) *\Z")
_FUNCTION = re.compile(r" *([A-Za-z_][\w.]*)\+0x")

# Functions through which everybody allocates: the caller is the one behind them.
ALLOCATORS = re.compile(
    "_{0,3}(?:alloc_(?:frozen_)?pages?|alloc_slab_page|get_free_pages|get_page_from_freelist|rmqueue|folio_alloc|vma_alloc_folio|kmalloc|"
    "kzalloc|krealloc|kvmalloc|vmalloc|kmem_cache_alloc|post_alloc_hook|prep_new_page|set_page_owner|new_slab|allocate_slab|slab_alloc|"
    "slab_post_alloc_hook|refill_objects|pcs_replace)"
)

# What both files call the pages of slab caches.
SLAB_PAGES = "alloc_slab_page"
_OF_SLAB = re.compile("(?:alloc_slab_page|allocate_slab|new_slab|___slab_alloc)\\b")


def parse_allocinfo(text):
    """-> ([{name: function (file:line), bytes, calls}], unparsed lines); what holds nothing is left out."""
    found, unparsed = [], 0
    for line in text.splitlines():
        match = _ALLOCINFO.match(line)
        if match:
            size, calls = int(match.group(1)), int(match.group(2))
            if size:
                found.append(
                    {
                        "name": "%s (%s:%s)" % (match.group(6), match.group(3), match.group(4)),
                        "bytes": size,
                        "calls": calls,
                    }
                )
        elif line.strip() and not line.startswith(("allocinfo -", "#")):
            unparsed += 1
    return found, unparsed


def parse_page_owner_stacks(text):
    """-> ([{name: the first function that is no allocator, pages}], unparsed lines), stacks of one caller added up."""
    pages, unparsed, stack = {}, 0, []
    for line in text.splitlines():
        function, count = _FUNCTION.match(line), _STACK_PAGES.match(line)
        if function:
            stack.append(function.group(1))
        elif count:
            name = next((one for one in stack if not ALLOCATORS.match(one)), stack[0] if stack else None)
            if any(map(_OF_SLAB.match, stack)):
                # Of a slab's pages whoever happened to ask first is named no more than the others.
                name = SLAB_PAGES
            if name:
                pages[name] = pages.get(name, 0) + int(count.group(1))
            else:
                unparsed += 1
            stack = []
        elif line.strip():
            unparsed += 1
    return [{"name": name, "pages": count} for name, count in pages.items()], unparsed
