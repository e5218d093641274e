# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _consumers
from ansible_collections.kernelops.memfrag.plugins.module_utils._fragmentation import (
    allocatable,
    fragmentation_index,
    headroom,
    normal_index,
    unusable_index,
    watermark_ok,
    zone_states,
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


def make_zone(**values):
    zone = {
        "node": 0,
        "zone": "Normal",
        "free_blocks": [0] * 11,
        "managed_pages": 100000,
        "watermarks": {"min": 100, "low": 125, "high": 150},
        "lowmem_reserve": [0, 0, 0, 0, 0],
        "migratetypes": None,
        "free_cma_pages": 0,
        "reserved_highatomic_pages": None,
        "reclaimable_pages": 0,
    }
    zone.update(values)
    return zone


def test_states_of_a_zone():
    names = {"Normal"}
    scattered = [20000, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert zone_states(make_zone(free_blocks=scattered), names, False)[0] == ["ok"] * 5 + ["needs_compaction"] * 6
    # Short of memory: reclaim helps where there is enough to reclaim, else nothing does.
    assert (
        zone_states(make_zone(free_blocks=[90] + [0] * 10, reclaimable_pages=5000), names, False)[0]
        == ["needs_reclaim"] * 11
    )
    assert (
        zone_states(make_zone(free_blocks=[90] + [0] * 10, reclaimable_pages=5), names, False)[0] == ["exhausted"] * 11
    )
    # All that is free sits in unmovable pageblocks: nothing to move pages into, unless much of the zone is reclaimable.
    stuck = make_zone(free_blocks=scattered, migratetypes={"Unmovable": scattered, "Movable": [0] * 11})
    stuck["reclaimable_pages"] = 9999
    assert zone_states(stuck, names, False)[0][5:] == ["exhausted"] * 6
    stuck["reclaimable_pages"] = 10000
    assert zone_states(stuck, names, False)[0][5:] == ["needs_compaction"] * 6


def test_free_cma_and_highatomic_blocks_are_not_for_ordinary_requests():
    blocks = [1000, 0, 0, 0, 0, 8]
    types = {
        "Unmovable": [1000, 0, 0, 0, 0, 0],
        "HighAtomic": [0, 0, 0, 0, 0, 3],
        "CMA": [0, 0, 0, 0, 0, 5],
        "Movable": [0] * 6,
    }
    zone = make_zone(free_blocks=blocks, migratetypes=types, free_cma_pages=160, reserved_highatomic_pages=96)
    states, atomic = zone_states(zone, {"Normal"}, False)
    assert states[5] == "exhausted"
    assert atomic[5]


def test_the_dma_zone_is_reserved_where_larger_zones_exist():
    dma = make_zone(
        zone="DMA",
        free_blocks=[1, 0, 0, 1, 2, 1, 1, 0, 1, 1, 3],
        managed_pages=3977,
        lowmem_reserve=[0, 1706, 64137, 64137],
    )
    names = {"DMA", "DMA32", "Normal"}
    assert zone_states(dma, names, True)[0] == ["reserved"] * 11
    # Without /proc/zoneinfo the size tells.
    unknown = dict(dma, managed_pages=None, lowmem_reserve=None, watermarks=None)
    assert zone_states(unknown, names, True)[0] == ["reserved"] * 11
    assert zone_states(unknown, {"DMA"}, True)[0] == ["ok"] * 11


def test_the_machine_is_as_good_as_its_best_node_and_a_node_as_its_best_zone():
    zones = [
        {"node": 0, "zone": "DMA", "free_blocks": [0, 0], "states": ["reserved", "reserved"], "atomic": [False, True]},
        {"node": 0, "zone": "Normal", "free_blocks": [0, 0], "states": ["ok", "exhausted"], "atomic": [True, False]},
        {
            "node": 1,
            "zone": "Normal",
            "free_blocks": [0, 0, 0],
            "states": ["ok", "needs_compaction", "exhausted"],
            "atomic": [1, 0, 0],
        },
        {"node": 1, "zone": "Movable", "free_blocks": [0, 9], "states": ["ok", "ok"], "atomic": [True, True]},
    ]
    answer = allocatable(zones, {1: ["somebody"]})
    assert [entry["state"] for entry in answer] == ["ok", "needs_compaction", "exhausted"]
    assert answer[1]["nodes"] == {"0": "exhausted", "1": "needs_compaction"}
    assert answer[1]["needed_by"] == ["somebody"]
    assert answer[2]["nodes"] == {"1": "exhausted"}
    assert allocatable([], {}) == []


def test_orders_by_bytes_and_page_size():
    assert [_consumers.order_of(16384, page) for page in (4096, 16384, 65536)] == [2, 0, 0]
    assert _consumers.order_of(1, 4096) == 0
    assert _consumers.order_of(4097, 4096) == 1


# KERNEL: array size 6142 gives order 4, 12286 order 5, 24574 order 6; up to 766 entries come from a slab cache.
@pytest.mark.parametrize(
    "cgroups, order", [(10, 0), (765, 0), (766, 2), (1534, 3), (3070, 4), (6142, 5), (12286, 6), (24574, 7), (65535, 8)]
)
def test_the_array_of_the_memory_cgroups(cgroups, order):
    assert _consumers.memcg_array_order(cgroups, 4096) == order


def orders_of(word, conntrack_caches=None, memory_cgroups=None, **values):
    kernel = {"release": "6.12.1", "page_size": 4096, "possible_cpus": None, "hugepage_order": None}
    kernel.update(values)
    needed = _consumers.needed_by(kernel, conntrack_caches, memory_cgroups)
    return sorted(order for order, texts in needed.items() if any(word in text for text in texts))


def test_who_needs_what():
    assert orders_of("network namespace", release="3.10.0-957.el7.x86_64", conntrack_caches=8, memory_cgroups=7000) == [
        5
    ]
    assert orders_of("network namespace", release="3.10.0-957.el7.x86_64", conntrack_caches=8) == [4, 5, 6]
    assert orders_of("network namespace", conntrack_caches=0) == []
    assert orders_of("veth", release="5.15.0-25-generic", possible_cpus=64) == [4]
    assert orders_of("veth", release="6.1.80", possible_cpus=256) == [6]
    assert orders_of("veth", release="6.1.81", possible_cpus=256) == []
    assert orders_of("veth", release="5.15.0-25-generic", possible_cpus=8) == []
    assert orders_of("veth", release="5.14.0-427.el9.x86_64", possible_cpus=256) == []
    assert orders_of("stack", release="3.10.0-957.el7.x86_64", vmap_stack=False) == [2]
    assert orders_of("stack", release="6.1.0", vmap_stack=True) == []
    assert orders_of("huge", hugepage_order=13, page_size=65536) == [13]


def test_headroom_is_the_watermark_check_as_a_number():
    names = {"Normal"}
    for scaled in (False, True):
        for count in range(12):
            zone = make_zone(
                free_blocks=[300, 100, 60, 40, 30, count, 0, 0, 0, 0, 0],
                watermarks={"min": 2500, "low": 3000, "high": 3500},
            )
            expected, left = 0, list(zone["free_blocks"])
            while watermark_ok(left, 5, 2500, scaled=scaled):
                left[5] -= 1
                expected += 1
            assert headroom(zone, names, 5, scaled) == expected
    assert headroom(make_zone(free_blocks=[0] * 5 + [7], reclaimable_pages=0), names, 5, False) == 3
    assert headroom(make_zone(free_blocks=[0] * 5 + [7], reclaimable_pages=500), names, 5, False) == 7
