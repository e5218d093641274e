# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._fragmentation import (
    fragmentation_index,
    kernel_reserve,
    normal_index,
    unusable_index,
    watermark_ok,
)


# Worked out by hand from __fragmentation_index() and unusable_free_index() of mm/vmstat.c.
@pytest.mark.parametrize(
    "blocks, order, index, unusable",
    [
        ([100, 50, 10, 0, 0], 4, 900, 1000),
        ([0, 0, 0, 0, 1], 4, -1000, 0),
        ([0, 0, 0, 0, 0], 4, 0, 1000),
        ([0, 0, 0, 1, 0], 4, -500, 1000),
        ([40153, 12774, 302, 17, 0, 0, 0, 0, 0, 0, 0], 5, 961, 1000),
        ([1, 1], 9, 498, 1000),
        ([3], 0, -1000, 0),
    ],
)
def test_indices(blocks, order, index, unusable):
    assert (fragmentation_index(blocks, order), unusable_index(blocks, order)) == (index, unusable)


def test_order_zero_needs_more_than_the_watermark_and_the_reserve():
    assert not watermark_ok([100], 0, mark=60, reserve=40)
    assert watermark_ok([101], 0, mark=60, reserve=40)
    assert not watermark_ok([101], 0, mark=60, reserve=40, unusable_pages=1)


def test_a_free_block_is_enough_since_linux_4_4_but_not_before():
    # 1 GiB of min watermark on a large el7 node: more than min >> 5 pages must sit in blocks of order 5 and up.
    blocks = [400000, 100000, 20000, 10000, 5000, 255, 0, 0, 0, 0, 0]
    assert watermark_ok(blocks, 5, mark=262144)
    assert not watermark_ok(blocks, 5, mark=262144, scaled=True)
    blocks[5] += 3
    assert watermark_ok(blocks, 5, mark=262144, scaled=True)


def test_an_atomic_request_may_go_deeper():
    assert not watermark_ok([500], 0, mark=1000)
    assert watermark_ok([500], 0, mark=1000, atomic=True)
    assert not watermark_ok([375], 0, mark=1000, atomic=True)


def test_blocks_of_closed_migratetypes_do_not_count():
    assert not watermark_ok([1000, 0, 1], 2, mark=10, usable_blocks=[1000, 0, 0])


@pytest.mark.parametrize(
    "names, types, index",
    [
        (["DMA", "DMA32", "Normal"], 4, 2),  # el7 on x86-64
        (["DMA", "DMA32", "Normal"], 5, 2),  # with ZONE_DEVICE
        (["DMA32", "Normal"], 5, 2),  # DMA is built in, but empty
        (["DMA", "Normal"], 3, 1),  # s390x
        (["DMA", "Normal", "HighMem"], 4, 1),  # x86-32
        (["Normal"], 2, 0),
        (["DMA"], 5, 2),  # arm64 whose memory is all below 4 GiB
    ],
)
def test_the_class_of_a_kernel_request_in_lowmem_reserve(names, types, index):
    assert normal_index(names, types) == index


# Of setup_per_zone_lowmem_reserve(): what the populated zones above a zone have, up to that of the request, divided by its ratio.
@pytest.mark.parametrize(
    "names, zone, reserve, kept",
    [
        ("DMA DMA32 Normal", "DMA", [0, 1706, 64137, 64137, 64137], 64137),
        ("DMA DMA32 Normal", "DMA32", [0, 0, 62431, 62431], 62431),
        ("DMA DMA32 Normal", "Normal", [0, 0, 0, 0], 0),
        ("DMA DMA32 Normal Movable", "DMA", [0, 2961, 4928, 5440], 4928),
        ("DMA DMA32 Normal Movable", "Normal", [0, 0, 0, 4096], 0),
        # Built in, but empty: DMA and no ZONE_DEVICE, or ZONE_DEVICE and no DMA.
        ("DMA32 Normal", "DMA32", [0, 0, 4012, 4012], 4012),
        ("DMA32 Normal", "DMA32", [0, 4012, 4012, 4012], 4012),
        ("DMA Normal", "DMA", [0, 0, 3900, 3900], 3900),
        ("DMA Normal HighMem", "DMA", [0, 865, 3000, 3000], 865),
        ("DMA", "DMA", [0, 0, 0, 0], 0),
        # A machine of that NUMA node has Normal elsewhere alone, and one on which the ratio is 0.
        ("DMA DMA32 Normal", "DMA", [0, 1706, 1706, 1706], 1706),
        ("DMA DMA32 Normal", "DMA", [0, 0, 0, 0], 0),
        ("DMA DMA32 Normal", "DMA", None, None),
    ],
)
def test_what_is_kept_from_a_kernel_request(names, zone, reserve, kept):
    assert kernel_reserve({"zone": zone, "lowmem_reserve": reserve}, set(names.split())) == kept
