# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Of the subset ``pageblocks`` of the facts: looks at a node's pageblocks, and at who holds its pages.

It needs root and costs some CPU, so it is not part of ``all``, and the plain audit does not carry its code to the node.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from . import _consumers, _pageblocks, _scanners, _yields
from ._node import NodeError
from ._procfs import allocations, iomem, pagetypeinfo, sysctl, zoneinfo

SUBSET = "pageblocks"

_TOP_CALLERS = 10
# No kernel has free lists, nor pageblocks, of more than 2**20 pages; where a file says so, somebody made it up.
_HIGHEST_ORDER = 20
# By file, as /proc/allocinfo has them, or by function: mm/memory.c, mm/filemap.c, mm/readahead.c, mm/shmem.c, mm/mempolicy.c, mm/slub.c ...
_OTHERS = re.compile(
    r"\(mm/(?:memory|filemap|readahead|shmem|mempolicy|migrate|huge_memory|khugepaged|hugetlb\w*|ksm|slub|slab\w*|swap\w*|memory_hotplug)\.c:"
    r"|pgtable\.c:|pgalloc\.h:"
    r"|^(?:alloc_slab_page|allocate_slab|new_slab|\w*folio_prealloc|alloc_anon_folio|do_anonymous_page|do_fault\w*|do_cow_fault|wp_page_copy"
    r"|do_swap_page|vma_alloc\w*|\w*filemap_\w+|\w*page_cache_\w+|ractl_alloc_folio|grab_cache_page\w*|shmem_\w+|\w*hugetlb\w*"
    r"|do_huge_pmd_\w+|\w*alloc_migration_\w+|pte_alloc\w*|__(?:pte|pmd|pud|p4d)_alloc|pgd_alloc\w*|pagetable_alloc\w*)"
)
# Came with what per-cpu lists give back by how much they are given (5.14). Of lists whose length somebody has set with it none grows.
_FRACTION = "vm.percpu_pagelist_high_fraction"
_LARGE_FOLIOS = "/sys/kernel/mm/transparent_hugepage/hugepages-*kB"


def survey(node, facts, sample=_pageblocks.SAMPLE, seed=None, learned=None):
    """-> (``pageblock_survey`` of the facts, the _pageblocks.Zone that it was made of); (None, None) with the reason in ``unavailable``.

    sample    pageblocks to read in all, None for every one
    seed      what is drawn of them is the same with the same one, None for any
    learned   what compactions of this node brought before (_yields.py): it corrects what is expected
    """
    learned = learned or _yields.Learned()
    try:
        about, _unparsed = zoneinfo.parse_zoneinfo(node.read_text("/proc/zoneinfo"))
        types = _types(node)
        zones = _pageblocks.zones_of(about, _pages_per_block(types["pages_per_block"], facts))
        if not zones:
            facts["unavailable"][SUBSET] = (
                "/proc/zoneinfo: this kernel does not say where its zones are (start_pfn, spanned)"
            )
            return None, None
        ram = _ram(node, facts["kernel"]["page_size"])
        fraction = _setting(node, facts, _FRACTION)
        _pageblocks.know_lists(zones, about, fraction is not None, not fraction and _tuned(node))
        _pageblocks.know_targets(zones, types)
        for zone in zones:
            zone.lies_in(ram)
        complete = _pageblocks.read(node, zones, sample, _moves(node, facts), seed)
    except NodeError as error:
        hint = " (a kernel without CONFIG_PROC_PAGE_MONITOR has none)" if error.missing else ""
        facts["unavailable"][SUBSET] = "%s%s" % (error, hint)
        return None, None
    free_blocks = {(zone["node"], zone["zone"]): zone["free_blocks"][: _HIGHEST_ORDER + 1] for zone in facts["zones"]}
    found = _pageblocks.as_facts(zones, free_blocks, complete)
    reclaimable = {(zone["node"], zone["zone"]): zone.get("reclaimable_pages") or 0 for zone in facts["zones"]}
    for zone, told in zip(zones, found["zones"]):
        place = zone.node, zone.name
        share = _scanners.reclaimable_share(zone, reclaimable.get(place, 0))
        now = [row["now"] for row in told["yields"]]
        freed = _scanners.yields(zone, now, reclaimed=share) if share else told["yields"]
        told["yields"] = [learned.corrected(place, row) for row in told["yields"]]
        told["after_reclaim"] = [learned.corrected(place, row) for row in freed]
    found["callers"] = _callers(node, facts)
    found["last_compaction"] = learned.last
    return found, zones


def _ram(node, page_size):
    """[(first page frame, behind the last)] of the memory, [] where that is not told."""
    try:
        ranges = iomem.parse_iomem(node.read_text("/proc/iomem"))[0]
    except NodeError:
        return []
    return [(first // page_size, -(-behind // page_size)) for first, behind in ranges]


def _types(node):
    """/proc/pagetypeinfo as parsed; of no zone and no size where it cannot be read."""
    try:
        text = node.read_text("/proc/pagetypeinfo")
    except NodeError:
        text = ""
    return pagetypeinfo.parse_pagetypeinfo(text)[0]


def _pages_per_block(told, facts):
    """As /proc/pagetypeinfo has ``told``, else that of a huge page, else that of the largest order."""
    kernel = facts["kernel"]
    # Free lists that cannot be read say nothing of the largest.
    known = [len(zone["free_blocks"]) for zone in facts["zones"]] or [
        1 + _consumers.hugepage_order(kernel["page_size"])
    ]
    largest = min(_HIGHEST_ORDER, max(known) - 1)
    order = kernel["hugepage_order"]
    guess = 1 << (largest if order is None else min(order, largest))
    # A power of two, or something else was read.
    return told if told and told & (told - 1) == 0 and told <= 1 << _HIGHEST_ORDER else guess


def _moves(node, facts):
    """The letters of _procfs/kpageflags.py for pages that are free or that this kernel's compaction moves."""
    moves = "fm"
    # vm.compact_unevictable_allowed: 1 unless somebody, or a real-time kernel, said otherwise.
    if _setting(node, facts, "vm.compact_unevictable_allowed") != 0:
        moves += "u"
    # Large folios are moved since 6.9 (skip_isolation_on_order()); sizes of them can be chosen since 6.8.
    return moves + "c" if _tuned(node) else moves


def _tuned(node):
    """Whether this kernel is of those with large folios of several sizes, and with per-cpu lists that grow: one came a release after the other."""
    return bool(node.glob(_LARGE_FOLIOS))


def _setting(node, facts, name):
    """Of the facts, or where they were gathered without settings, of the node; None where this kernel has none."""
    if facts.get("sysctl"):
        return facts["sysctl"].get(name)
    try:
        return sysctl.parse_sysctl_value(node.read_text("/proc/sys/" + name.replace(".", "/", 1)))[0]
    except NodeError:
        return None


def _callers(node, facts):
    """[{name, pages}] of those who hold the most of the kernel's pages, None where the kernel does not keep count (normal).

    Left out is what has a kind of its own: pages of users and files, slab, page tables, pools of huge pages.
    """
    page = facts["kernel"]["page_size"]
    for path, parse in (
        ("/proc/allocinfo", allocations.parse_allocinfo),
        ("/sys/kernel/debug/page_owner_stacks/show_stacks", allocations.parse_page_owner_stacks),
    ):
        try:
            found, unparsed = parse(node.read_text(path))
        except NodeError:
            continue
        if unparsed:
            facts["unparsed_lines"][path] = unparsed
        # Objects of slab caches are counted for whoever asked for them, and their pages once more.
        found = [
            row
            for row in found
            if row.get("bytes", 0) >= row.get("calls", 0) * page and not _OTHERS.search(row["name"])
        ]
        rows = [{"name": row["name"], "pages": row.get("pages", row.get("bytes", 0) // page)} for row in found]
        return sorted(rows, key=lambda row: (-row["pages"], row["name"]))[:_TOP_CALLERS]
    return None
