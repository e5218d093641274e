# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of causes that the kernel's code path leaves for a request."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import diagnosis, possible, prefixes, reports
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs.report import Report

KERNEL, ATOMIC, NOWAIT = 0xCC0, 0xA20, 0x800


def report(kind="page_allocation_failure", mask=KERNEL, kernel="5.10.0", trace="", **found):
    made = Report(prefixes.Line("x"), kind, mask=mask, kernel=kernel, trace=trace.split(), **found)
    reports.decode(made)
    if kind == "oom_kill":
        made.scope = diagnosis.scope_of(made)
    return made


# what, report, row, causes that remain
ROWS = [
    ("one page", {"order": 0}, "single pages", {"memory_shortage"}),
    ("one page, at once", {"order": 0, "mask": NOWAIT}, "single pages", {"atomic_burst"}),
    ("a block that is not retried", {"order": 5}, "costly", {"fragmentation", "memory_shortage"}),
    ("a block that is", {"order": 2}, "retried", {"fragmentation", "memory_shortage"}),
    ("a block for an interrupt", {"order": 2, "mask": ATOMIC}, "may not sleep", {"fragmentation", "atomic_burst"}),
    ("__GFP_NORETRY", {"order": 9, "mask": KERNEL | 0x10000}, "optional", {"fragmentation", "memory_shortage"}),
    ("kswapd", {"order": 7, "comm": "kswapd0"}, "from reclaim itself", {"fragmentation", "memory_shortage"}),
    (
        "below direct reclaim",
        {"order": 7, "trace": "dump_stack warn_alloc kmem_cache_alloc shrink_slab do_try_to_free_pages"},
        "from reclaim itself",
        {"fragmentation", "memory_shortage"},
    ),
    ("a lower zone", {"order": 4, "mask": KERNEL | 1}, "bound to a zone", {"fragmentation", "memory_shortage"}),
    (
        "a lower zone at boot: the idle task does not sleep, so this is kernel_init()",
        {"order": 5, "mask": KERNEL | 1, "comm": "swapper/0"},
        "a lower zone while booting",
        {"memory_shortage"},
    ),
    ("a mask of nothing", {"order": 0, "mask": 0, "flags": ""}, "before the allocator is up", {"invalid_request"}),
    (
        "up to 4.3 that was GFP_NOWAIT",
        {"order": 0, "mask": 0, "kernel": "3.10.0-514.el7"},
        "single pages",
        {"atomic_burst"},
    ),
    (
        "what is left of GFP_KERNEL|__GFP_ZERO",
        {"order": 0, "mask": 0x100, "trace": "dump_stack warn_alloc new_slab kmem_cache_init mm_init start_kernel"},
        "before the allocator is up",
        {"invalid_request"},
    ),
    (
        "an early name on a stack that an interrupt had used",
        {
            "order": 3,
            "mask": ATOMIC,
            "comm": "swapper",
            "trace": "setup_arch __alloc_pages __alloc_skb ret_from_irq start_kernel",
        },
        "may not sleep",
        {"fragmentation", "atomic_burst"},
    ),
    ("more than there is", {"order": 10, "ram_pages": 1000}, "more than the machine has", {"invalid_request"}),
    ("all that is left is its trace", {"mask": None}, "no head", {"fragmentation", "memory_shortage"}),
    ("SysRq-f", {"kind": "oom_kill", "order": -1}, "asked for by SysRq-f", set()),
    ("a limit", {"kind": "oom_kill", "order": 3, "said_memcg": True}, "the limit of a cgroup", {"memcg_limit"}),
    (
        "a charge, by the trace",
        {"kind": "oom_kill", "order": 0, "trace": "dump_header oom_kill_process mem_cgroup_out_of_memory try_charge"},
        "the limit of a cgroup",
        {"memcg_limit"},
    ),
    (
        "the page allocator, by the trace, though it was on its way to a charge",
        {
            "kind": "oom_kill",
            "order": 0,
            "trace": "dump_header out_of_memory __alloc_pages_slowpath alloc_pages try_charge",
        },
        "single pages",
        {"memory_shortage"},
    ),
    (
        "accounting on the way is no charge",
        {
            "kind": "oom_kill",
            "order": 0,
            "mask": 0x100CCA,
            "trace": "dump_header mem_cgroup_update_page_stat swapin_readahead",
        },
        "nothing tells whose",
        {"memory_shortage", "memcg_limit"},
    ),
    (
        "first lines only, of a charge or not",
        {"kind": "oom_kill", "order": 0},
        "as charges are",
        {"memory_shortage", "memcg_limit"},
    ),
    (
        "first lines only",
        {"kind": "oom_kill", "order": 0, "mask": 0x100CCA},
        "nothing tells whose",
        {"memory_shortage", "memcg_limit"},
    ),
    (
        "first lines only, and a block",
        {"kind": "oom_kill", "order": 3},
        "nothing tells whose, and blocks",
        {"memory_shortage", "memcg_limit", "fragmentation"},
    ),
    ("no OOM kill for a costly order", {"kind": "oom_kill", "order": 4}, "costly", {"memcg_limit"}),
    (
        "a zeroed page for a user is charged without __GFP_ZERO",
        {"kind": "oom_kill", "order": 0, "mask": 0x100DCA},
        "single pages",
        {"memory_shortage"},
    ),
    (
        "a page fault",
        {"kind": "oom_kill", "order": 0, "mask": 0, "memory_info": True},
        "a page fault",
        {"memcg_limit", "memory_shortage"},
    ),
    (
        "a cpuset",
        {"kind": "oom_kill", "order": 0, "constraint": "CPUSET"},
        "some nodes only",
        {"memory_shortage"},
    ),
    (
        "a system's",
        {"kind": "oom_kill", "order": 1, "said_system": True},
        "blocks",
        {"memory_shortage", "fragmentation"},
    ),
    (
        "a kill line",
        {"kind": "oom_kill", "said_system": True, "mask": None},
        "no head",
        {"memory_shortage", "fragmentation"},
    ),
    (
        "a cgroup's slab",
        {"kind": "slab_allocation_failure", "cache": "kmalloc-64(12:abc)", "order": 0},
        "a cgroup's own cache",
        {"memcg_limit"},
    ),
    (
        "a slab of a page",
        {"kind": "slab_allocation_failure", "cache": "skb", "order": 0, "mask": ATOMIC},
        "single pages",
        {"atomic_burst"},
    ),
    (
        "a larger one",
        {"kind": "slab_allocation_failure", "cache": "skb", "order": 1},
        "blocks",
        {"fragmentation", "memory_shortage"},
    ),
    (
        "vmalloc of nothing",
        {"kind": "vmalloc_failure", "size": 0, "problem": "address space"},
        "nothing",
        {"invalid_request"},
    ),
    (
        "vmalloc of everything",
        {"kind": "vmalloc_failure", "size": 1099511627776, "problem": "address space", "ram_pages": 1000},
        "more than the machine has",
        {"invalid_request"},
    ),
    (
        "vmalloc's addresses",
        {"kind": "vmalloc_failure", "size": 4096, "problem": "address space"},
        "address space",
        {"vmalloc_exhaustion"},
    ),
    (
        "vmalloc without its head",
        {"kind": "vmalloc_failure"},
        "no head",
        {"vmalloc_exhaustion", "memory_shortage", "invalid_request"},
    ),
    (
        "vmalloc of less than there is",
        {"kind": "vmalloc_failure", "size": 4096, "free_pages": 1000},
        "no more than the machine has",
        {"vmalloc_exhaustion"},
    ),
    (
        "vmalloc of more than an address of 32 bits can say",
        {"kind": "vmalloc_failure", "size": 17178296320, "free_pages": 1000},
        "more than 32 bits can say",
        {"invalid_request", "vmalloc_exhaustion"},
    ),
    (
        "vmalloc that does not say what was missing",
        {"kind": "vmalloc_failure", "size": 33554432},
        "one line for both",
        {"vmalloc_exhaustion", "invalid_request"},
    ),
    (
        "vmalloc's pages",
        {"kind": "vmalloc_failure", "size": 4096, "problem": "pages"},
        "pages",
        {"memory_shortage"},
    ),
    (
        "vmalloc's large blocks, the first of them",
        {"kind": "vmalloc_failure", "size": 0, "problem": "pages", "order": 9},
        "blocks of pages",
        {"fragmentation", "memory_shortage"},
    ),
    ("vmalloc's first page", {"kind": "vmalloc_failure", "size": 0, "problem": "pages"}, "pages", {"memory_shortage"}),
    (
        "vmalloc's pages, charged",
        {"kind": "vmalloc_failure", "size": 4096, "problem": "pages", "mask": 0x400CC0},
        "pages charged to a cgroup",
        {"memory_shortage", "memcg_limit"},
    ),
    (
        "vmalloc's bookkeeping",
        {"kind": "vmalloc_failure", "size": 4096, "problem": "area"},
        "an address range, or what describes it",
        {"vmalloc_exhaustion"},
    ),
    ("XFS, without a size", {"tries": 100}, "again and again", {"memory_shortage", "fragmentation"}),
    ("CMA", {"kind": "cma_allocation_failure", "pages": 512, "errno": -12}, "a CMA area", set()),
]


@pytest.mark.parametrize("what,found,name,causes", ROWS, ids=[row[0] for row in ROWS])
def test_what_the_code_path_leaves(what, found, name, causes):
    request = possible.Request(report(**found))
    row = possible.row_for(request)
    assert row.name == name
    assert {request.short if cause == possible.SHORT else cause for cause in row.causes} == causes


def test_every_row_can_be_reached_and_gives_its_reason():
    reached = {(found.get("kind", "page_allocation_failure"), name) for _what, found, name, _causes in ROWS}
    for printer, rows in possible.TABLE.items():
        for row in rows:
            assert row.why
            assert row.alone is None or row.alone[1] in ("high", "medium", "low")
            assert row.alone is None or row.alone[0] in row.causes or row.alone[0] == "unknown"
            if row.name not in ("while booting", "no order"):
                assert (printer, row.name) in reached


def test_where_more_than_one_cause_is_left_the_path_alone_is_sure_of_none():
    for rows in possible.TABLE.values():
        for row in rows:
            if row.alone and row.alone[1] != "low" and row.alone[0] != possible.UNKNOWN:
                assert len(row.causes) == 1
