# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import struct

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import allocations, kpageflags

# Numbers of include/uapi/linux/kernel-page-flags.h, written down once more.
BITS = {
    "LOCKED": 0, "REFERENCED": 2, "UPTODATE": 3, "DIRTY": 4, "LRU": 5, "ACTIVE": 6, "SLAB": 7, "BUDDY": 10, "MMAP": 11, "ANON": 12,
    "SWAPBACKED": 14, "HEAD": 15, "TAIL": 16, "HUGE": 17, "UNEVICTABLE": 18, "HWPOISON": 19, "NOPAGE": 20, "THP": 22, "OFFLINE": 23,
    "ZERO_PAGE": 24, "PGTABLE": 26, "RESERVED": 32, "MLOCKED": 33,
}  # fmt: skip


def words(*pages):
    return struct.pack("=%dQ" % len(pages), *[sum(1 << BITS[name] for name in page.split()) for page in pages])


@pytest.mark.parametrize(
    "flags, kind",
    [
        ("BUDDY", "free"),
        ("UPTODATE LRU ACTIVE MMAP ANON SWAPBACKED", "movable"),
        ("REFERENCED UPTODATE LRU", "movable"),
        ("LOCKED UPTODATE MMAP ANON SWAPBACKED", "movable"),
        ("UPTODATE LRU UNEVICTABLE MLOCKED MMAP ANON", "unevictable"),
        ("SLAB", "slab"),
        ("SLAB HEAD", "slab"),
        ("SLAB TAIL", "slab"),
        ("MMAP PGTABLE", "page_table"),
        ("HUGE HEAD", "hugetlb"),
        ("HUGE TAIL", "hugetlb"),
        ("THP HEAD LRU ANON MMAP", "compound"),
        ("THP TAIL", "compound"),
        ("LRU HEAD UPTODATE", "compound"),
        ("RESERVED", "reserved"),
        ("ZERO_PAGE RESERVED", "reserved"),
        ("OFFLINE", "offline"),
        ("HWPOISON LRU", "poisoned"),
        ("", "kernel"),
        ("MMAP", "kernel"),
        ("HEAD", "kernel"),
        # In front of the LRU lists: a page of a file that was just read.
        ("REFERENCED UPTODATE", "movable"),
        ("UPTODATE HEAD", "kernel"),
    ],
)
def test_the_kind_of_a_page(flags, kind):
    assert kpageflags.kind(kpageflags.parse_kpageflags(words(flags))) == kind


def test_a_tail_without_flags_is_what_its_head_is():
    assert kpageflags.parse_kpageflags(words("SLAB HEAD", "TAIL", "TAIL", "LRU", "HEAD", "TAIL", "BUDDY")) == "sssmKKf"


@pytest.mark.parametrize("flags", ["HEAD", "LOCKED", "MMAP", "ACTIVE"])
def test_a_page_of_the_kernels_with_a_flag_is_no_free_one_on_a_list(flags):
    assert kpageflags.parse_kpageflags(words(flags, "")) == "Kk"


@pytest.mark.parametrize(
    "head, tail, letter",
    [
        ("THP HEAD LRU ANON MMAP", "THP TAIL", "C"),
        ("LRU HEAD UPTODATE", "TAIL", "C"),
        ("LRU HEAD UNEVICTABLE MLOCKED", "TAIL", "U"),
        # A part of a gigantic one, whose head is elsewhere.
        ("TAIL", "TAIL", "C"),
        ("HUGE HEAD", "HUGE TAIL", "h"),
        ("HEAD", "TAIL", "K"),
        ("SLAB HEAD", "TAIL", "s"),
    ],
)
def test_a_page_as_large_as_a_pageblock_is_told_from_smaller_ones(head, tail, letter):
    assert kpageflags.parse_kpageflags(words(head, *[tail] * 15)) == letter * 16
    two = kpageflags.parse_kpageflags(words(head, *[tail] * 7 + [head] + [tail] * 7))
    assert two == (letter * 16 if head == "TAIL" else letter.lower() * 16 if letter in "CU" else letter * 16)


def test_a_tail_whose_head_is_elsewhere_is_part_of_something_larger():
    assert kpageflags.parse_kpageflags(words("TAIL", "TAIL", "LRU")) == "ccm"


def test_a_hole_is_no_page_and_a_cut_word_is_left_out():
    assert kpageflags.parse_kpageflags(words("NOPAGE", "BUDDY") + b"\x00\x00\x00") == ".f"
    assert kpageflags.parse_kpageflags(b"") == ""


def test_allocinfo_of_6_12():
    text = (
        "allocinfo - version: 1.0\n"
        "#     <size>  <calls> <tag info>\n"
        "           0        0 init/main.c:1314 func:do_initcalls \n"
        "    20185088     4928 mm/slub.c:2424 func:alloc_slab_page \n"
        "       98304        6 drivers/net/virtio_net.c:941 [virtio_net] func:virtnet_probe \n"
        "nonsense\n"
    )
    found, unparsed = allocations.parse_allocinfo(text)
    assert unparsed == 1
    assert found == [
        {"name": "alloc_slab_page (mm/slub.c:2424)", "bytes": 20185088, "calls": 4928},
        {"name": "virtnet_probe (drivers/net/virtio_net.c:941)", "bytes": 98304, "calls": 6},
    ]


def test_the_caller_of_a_stack_is_the_first_function_that_is_no_allocator():
    text = (
        " get_page_from_freelist+0x14ab/0x16d0\n __alloc_pages+0x1b9/0x380\n anon_pipe_write+0x1d4/0x5f0\n vfs_write+0x2f/0x420\n"
        "nr_base_pages: 512\n\n"
        " __alloc_pages+0x1b9/0x380\n anon_pipe_write+0x1e4/0x5f0\nstack_count: 8\n\n"
        " pte_alloc_one+0x14/0x80\nnr_base_pages: 7\n\nnr_base_pages: 3\nnonsense\n"
        " post_alloc_hook+0x14/0x80\n allocate_slab+0x7/0x90\n ext4_alloc_inode+0x1/0x2\nnr_base_pages: 9\n"
    )
    found, unparsed = allocations.parse_page_owner_stacks(text)
    assert unparsed == 2
    assert sorted(found, key=lambda row: row["name"]) == [
        {"name": "alloc_slab_page", "pages": 9},
        {"name": "anon_pipe_write", "pages": 520},
        {"name": "pte_alloc_one", "pages": 7},
    ]
