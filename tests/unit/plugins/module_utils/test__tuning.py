# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _options, _settings, _tuning
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

MIB, GIB = 1024, 1024 * 1024
HEALTHY = "6.1.0-56-cloud-amd64/healthy"

# From the smallest to the largest: memory in GiB.
SIZES = (
    0.25,
    0.5,
    1,
    2,
    4,
    8,
    16,
    24,
    32,
    48,
    64,
    96,
    128,
    192,
    256,
    384,
    512,
    768,
    1024,
    1536,
    2048,
    3072,
    4096,
    6144,
    8192,
    12288,
)
# 4 kB pages have pageblocks of 2 MiB, 64 kB pages (arm64) of 512 MiB.
PAGEBLOCKS = {4: 2 * MIB, 64: 512 * MIB}


def machine(gigabytes, nodes=1, page_kb=4, thp=True, huge=0.0, used=0.0):
    total = int(gigabytes * GIB)
    # x86: DMA, DMA32 and one Normal per node; arm64: DMA, and one Normal per node.
    zones = nodes + (2 if page_kb == 4 else 1) if gigabytes >= 4 else 2
    return {
        "total": total,
        "usable": total - int(huge * GIB),
        "lowmem": total,
        "managed": total,
        "zones": zones,
        "nodes": nodes,
        "pageblock": PAGEBLOCKS[page_kb],
        "thp": thp,
        "available": int(total * (1 - used)),
        "free": int(total * (1 - used)),
    }


MACHINES = [
    machine(size, nodes, page_kb, thp)
    for size in SIZES
    for nodes in (1, 2, 4, 8)
    if size >= nodes
    for page_kb in (4, 64)
    for thp in (True, False)
]


# --- what the kernel does by itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gigabytes, expected",
    # The table of mm/page_alloc.c, calculate_min_free_kbytes().
    [
        (0.015625, 512),
        (0.0625, 1024),
        (0.25, 2048),
        (1, 4096),
        (4, 8192),
        (16, 16384),
        (64, 32768),
        (256, 65536),
        (1024, 131072),
        (16384, 262144),
    ],
)
def test_kernel_default(gigabytes, expected):
    assert _tuning.kernel_min_free(machine(gigabytes, thp=False)) == expected


@pytest.mark.parametrize(
    "zones, expected",
    # Seen on machines: one node, two nodes, and the tuned profile hpc-compute.
    [(3, 67584), (4, 90112), (6, 135168)],
)
def test_kernel_with_huge_pages(zones, expected):
    assert _tuning.kernel_min_free(dict(machine(64), zones=zones)) == expected


def test_kernel_with_huge_pages_is_limited_to_five_percent():
    small = machine(0.25)
    assert _tuning.kernel_min_free(small) == small["lowmem"] // 20
    large_blocks = machine(64, page_kb=64)
    assert _tuning.kernel_min_free(large_blocks) == large_blocks["lowmem"] // 20


# --- the calculator -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", MACHINES)
def test_computed_values_keep_to_floor_and_cap(memory):
    value = _tuning.computed_min_free(memory)
    floor = _tuning.kernel_min_free(memory)
    assert value >= floor
    assert value <= max(floor, min(4 * GIB * memory["nodes"], memory["usable"] // 20))
    scale = _tuning.computed_scale_factor(memory)
    assert 10 <= scale <= 100
    # All watermarks together: 5 % at most, unless the kernel's own floor is there already.
    assert _tuning.watermarks(memory, value, scale) <= max(
        memory["total"] // 20, floor * 3 // 2, floor + memory["total"] // 100
    )


@pytest.mark.parametrize("page_kb", [4, 64])
@pytest.mark.parametrize("nodes", [1, 2, 4, 8])
def test_computed_values_are_monotone(nodes, page_kb):
    machines = [machine(size, nodes, page_kb) for size in SIZES if size >= nodes]
    values = [_tuning.computed_min_free(memory) for memory in machines]
    assert values == sorted(values)
    scales = [_tuning.computed_scale_factor(memory) for memory in machines]
    assert scales == sorted(scales, reverse=True)
    # In kB, the distance between the watermarks grows with memory as well.
    distances = [memory["managed"] * scale // 10000 for memory, scale in zip(machines, scales)]
    # The factor is a whole number: two hundredths of the distance at most are lost in it.
    assert all(after * 105 >= before * 100 for before, after in zip(distances, distances[1:]))


@pytest.mark.parametrize("gigabytes", [g for g in SIZES if g >= 8])
def test_computed_values_grow_with_nodes(gigabytes):
    values = [_tuning.computed_min_free(machine(gigabytes, nodes)) for nodes in (1, 2, 4, 8)]
    assert values == sorted(values)


# Vendors' guidance: (source, GiB, NUMA nodes, their kB), from KERNEL documentation and tools; see the tuning guide.
VENDORS = [
    ("Oracle oled-tools, memstate", 64, 1, 335544),
    ("Oracle oled-tools, memstate", 256, 2, 2097152),
    ("Oracle oled-tools, memstate", 1024, 4, 5368709),
    ("Red Hat Ceph Storage hardware guide", 64, 2, 1048576),
    ("Red Hat Ceph Storage hardware guide", 128, 2, 2097152),
    ("Red Hat Ceph Storage hardware guide", 256, 2, 3145728),
    ("ceph-ansible", 256, 2, 4194303),
    ("Alibaba Cloud Linux, 1 %", 64, 1, 671088),
    ("Alibaba Cloud Linux, 1 %", 512, 2, 5368709),
    ("Koordinator, factor 100", 128, 2, 1342177),
    ("StarlingX", 64, 1, 262144),
    ("StarlingX", 256, 2, 1310720),
]


@pytest.mark.parametrize("source, gigabytes, nodes, theirs", VENDORS)
def test_computed_value_is_of_the_vendors_magnitude(source, gigabytes, nodes, theirs):
    ours = _tuning.computed_min_free(machine(gigabytes, nodes))
    assert theirs / 2.6 <= ours <= theirs * 2.6, source


@pytest.mark.parametrize(
    "gigabytes, nodes, page_kb, min_free, scale",
    [
        (0.25, 1, 4, 13107, 50),
        (4, 1, 4, 67584, 50),
        (16, 1, 4, 167772, 50),
        (64, 1, 4, 671088, 50),
        (64, 2, 4, 1048576, 50),
        (256, 2, 4, 2684354, 50),
        (1024, 2, 4, 8388608, 19),
        (4096, 8, 4, 33554432, 19),
        (12288, 8, 4, 33554432, 10),
        (64, 1, 64, 3355443, 50),
        (1024, 4, 64, 28835840, 39),
    ],
)
def test_computed_values(gigabytes, nodes, page_kb, min_free, scale):
    """The table of the tuning guide."""
    memory = machine(gigabytes, nodes, page_kb)
    assert (_tuning.computed_min_free(memory), _tuning.computed_scale_factor(memory)) == (min_free, scale)


def test_reserved_huge_pages_do_not_count():
    assert _tuning.computed_min_free(machine(256, 2, huge=192)) == _tuning.computed_min_free(machine(64, 2))
    assert _tuning.computed_scale_factor(machine(256, 2, huge=192)) == 12


# --- the settings as given ----------------------------------------------------------------------------------------


@pytest.fixture(name="facts")
def facts_fixture(node_root):
    return _settings.gather(Node(node_root(HEALTHY)))


@pytest.mark.parametrize(
    "settings, words",
    [
        (
            {"min_free_kbytes": 0},
            "vm.min_free_kbytes: 0 is out of range: leave, auto or a whole number from 1024 to 10037 kB (5 % of",
        ),
        (
            {"min_free_kbytes": 180669},
            "vm.min_free_kbytes: 180669 is out of range: leave, auto or a whole number from 1024 to 10037 kB",
        ),
        (
            {"min_free_kbytes": "lots"},
            'vm.min_free_kbytes: "lots" is not allowed: leave, auto or a whole number from 1024 to 10037 kB',
        ),
        ({"min_free_kbytes": True}, "vm.min_free_kbytes: true is not allowed"),
        ({"min_free_kbytes": None}, "vm.min_free_kbytes: null is not allowed"),
        ({"min_free_kbytes": [67584]}, "vm.min_free_kbytes: [67584] is not allowed"),
        (
            {"zone_reclaim_mode": False},
            "vm.zone_reclaim_mode: false is not allowed: leave or a whole number from 0 to 7",
        ),
        ({"zone_reclaim_mode": 8}, "vm.zone_reclaim_mode: 8 is out of range"),
        (
            {"extfrag_threshold": "auto"},
            'vm.extfrag_threshold: "auto" is not allowed: leave or a whole number from 0 to 1000',
        ),
        ({"extfrag_threshold": -1}, "vm.extfrag_threshold: -1 is out of range"),
        (
            {"watermark_scale_factor": 0},
            "vm.watermark_scale_factor: 0 is out of range: leave, auto or a whole number from 1 to 3000",
        ),
        ({"vfs_cache_pressure": 0}, "vm.vfs_cache_pressure: 0 is out of range"),
        ({"defrag_mode": 2}, "vm.defrag_mode: 2 is out of range: leave or a whole number from 0 to 1"),
        ({"vm.compact_memory": 1}, "vm.compact_memory: can only be written"),
        ({"drop_caches": 3}, "vm.drop_caches: can only be written"),
        ({"swappiness": 10}, "vm.swappiness: no such setting; there are min_free_kbytes, "),
        ({"vm.min_free_kbytes; reboot": 1}, "no such setting"),
    ],
)
def test_wrong_settings_are_refused_by_name_and_range(settings, words, facts):
    with pytest.raises(_options.OptionError) as caught:
        _tuning.check(settings, facts=facts)
    assert words in str(caught.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(_options.OptionError) as caught:
        _tuning.check({"zone_reclaim_mode": 9, "defrag_mode": "on", "extfrag_threshold": 100}, "memfrag_tuning_")
    assert "memfrag_tuning_defrag_mode: " in str(caught.value) and "memfrag_tuning_zone_reclaim_mode: " in str(
        caught.value
    )
    assert "extfrag_threshold" not in str(caught.value)


def test_right_settings_are_taken(facts):
    given = {
        "vm.min_free_kbytes": "4096",
        "zone_reclaim_mode": 0,
        "extfrag_threshold": "leave",
        "watermark_scale_factor": "auto",
    }
    assert _tuning.check(given, facts=facts) == {
        "min_free_kbytes": 4096,
        "zone_reclaim_mode": 0,
        "extfrag_threshold": "leave",
        "watermark_scale_factor": "auto",
    }


# --- the plan -----------------------------------------------------------------------------------------------------


def plan(facts, record=None, **settings):
    return {row["name"]: row for row in _tuning.plan(_tuning.check(settings, facts=facts), facts, record or {})}


def test_every_setting_has_a_row_and_says_why(facts):
    rows = plan(facts, min_free_kbytes="auto", defrag_mode=1)
    assert set(rows) == set(_tuning.NAMES)
    assert all(row["why"] for row in rows.values())
    assert rows["extfrag_threshold"]["why"] == "left as it is"
    assert rows["defrag_mode"]["why"] == "left out: this kernel has no vm.defrag_mode"
    assert (rows["defrag_mode"]["value"], rows["defrag_mode"]["file"], rows["defrag_mode"]["steps"]) == (None, None, [])


def test_auto_raises_and_never_lowers(facts):
    row = plan(facts, min_free_kbytes="auto")["min_free_kbytes"]
    assert (row["current"], row["value"], row["file"], row["steps"]) == (1746, 2007, 2007, [2007])
    facts["sysctl"]["vm.min_free_kbytes"] = 9000
    row = plan(facts, min_free_kbytes="auto")["min_free_kbytes"]
    assert (row["value"], row["file"], row["steps"]) == (9000, None, [])
    assert row["why"] == "the node has 9000 of its own, and 2007 would be computed"


def test_auto_counts_from_before_the_tuning(facts):
    """Less memory than at the last run: what was computed then is not what the node had."""
    facts["sysctl"]["vm.min_free_kbytes"] = 9000
    row = plan(facts, {"min_free_kbytes": {"previous": 1746, "applied": 9000}}, min_free_kbytes="auto")[
        "min_free_kbytes"
    ]
    assert (row["previous"], row["value"], row["steps"]) == (1746, 2007, [2007])


@pytest.mark.parametrize(
    "applied, value",
    # 2007 is computed: a tenth up or down of what was applied is not worth a change.
    [(2200, 2200), (1830, 1830), (2300, 2007), (1800, 2007)],
)
def test_a_computed_value_does_not_follow_every_drift(applied, value, facts):
    facts["sysctl"]["vm.min_free_kbytes"] = applied
    row = plan(facts, {"min_free_kbytes": {"previous": 1746, "applied": applied}}, min_free_kbytes="auto")[
        "min_free_kbytes"
    ]
    assert (row["value"], row["file"], row["steps"]) == (value, value, [] if value == applied else [value])


def test_memory_that_is_handed_to_the_zones_little_by_little():
    late = dict(machine(24), managed=12 * GIB)
    assert _tuning.computed_scale_factor(late) == _tuning.computed_scale_factor(machine(24)) == 50


def test_proactive_compaction(facts):
    assert plan(facts, compaction_proactiveness="auto")["compaction_proactiveness"]["value"] == 20
    facts["sysctl"]["vm.compaction_proactiveness"] = 0
    row = plan(facts, compaction_proactiveness="auto")["compaction_proactiveness"]
    assert (row["value"], row["steps"]) == (20, [20])


def test_a_number_below_the_kernels_own_is_warned_of(facts):
    row = plan(facts, min_free_kbytes=1024)["min_free_kbytes"]
    assert row["value"] == 1024
    assert row["warning"] == "1024 kB is less than the 1780 kB that the kernel sets by itself"


def test_what_is_there_already_is_not_written(facts):
    row = plan(facts, extfrag_threshold=500)["extfrag_threshold"]
    assert (row["value"], row["file"], row["steps"], row["why"]) == (500, 500, [], "as given; already set")


def test_leave_puts_back_what_was_tuned(facts):
    facts["sysctl"]["vm.extfrag_threshold"] = 400
    row = plan(facts, {"extfrag_threshold": {"previous": 500, "applied": 400}})["extfrag_threshold"]
    assert (row["value"], row["file"], row["steps"]) == (500, None, [500])


def test_leave_respects_who_came_later(facts):
    facts["sysctl"]["vm.extfrag_threshold"] = 700
    row = plan(facts, {"extfrag_threshold": {"previous": 500, "applied": 400}})["extfrag_threshold"]
    assert (row["value"], row["steps"]) == (700, [])
    assert "somebody else has changed it" in row["warning"]


@pytest.mark.parametrize("current", [67584, 100000, 131072, 200000])
def test_leave_puts_back_what_a_killed_run_has_left(current, facts):
    facts["sysctl"]["vm.min_free_kbytes"] = current
    record = {"min_free_kbytes": {"previous": 67584, "applied": 131072, "steps": [100000, 200000]}}
    row = plan(facts, record)["min_free_kbytes"]
    assert row["value"] == 67584


@pytest.mark.parametrize("current", [67585, 99999, 131071, 150000])
def test_a_value_between_ours_is_somebody_elses(current, facts):
    facts["sysctl"]["vm.min_free_kbytes"] = current
    record = {"min_free_kbytes": {"previous": 67584, "applied": 131072, "steps": [100000]}}
    row = plan(facts, record)["min_free_kbytes"]
    assert (row["value"], row["steps"]) == (current, []) and "somebody else has changed it" in row["warning"]


def test_a_rise_that_available_memory_does_not_bear(facts):
    facts["meminfo"]["memavailable"] = 12000
    rows = plan(facts, min_free_kbytes=9000, watermark_scale_factor="auto")
    reserve, scale = rows["min_free_kbytes"], rows["watermark_scale_factor"]
    assert reserve["refused"] and not scale["refused"]
    for row in (reserve, scale):
        assert (row["value"], row["file"], row["steps"]) == (row["current"], None, [])
        assert "and 12000 kB are available now" in row["why"] and row["warning"]
    facts["meminfo"]["memavailable"] = 100000
    assert plan(facts, min_free_kbytes=9000)["min_free_kbytes"]["steps"] == [9000]


def test_both_settings_together_are_held_to_available_memory(facts):
    """Each of them fits, both do not."""
    now = _tuning.watermarks(_tuning.memory(facts), 1746, 10)
    both = _tuning.watermarks(_tuning.memory(facts), 9000, 200) - now
    facts["meminfo"]["memavailable"] = both * 2 - 1
    assert not plan(facts, min_free_kbytes=9000)["min_free_kbytes"]["refused"]
    assert not plan(facts, watermark_scale_factor=200)["watermark_scale_factor"]["refused"]
    rows = plan(facts, min_free_kbytes=9000, watermark_scale_factor=200)
    assert rows["min_free_kbytes"]["refused"] and rows["watermark_scale_factor"]["refused"]


def test_steps():
    assert _tuning.steps(67584, 100000, 0) == [100000]
    assert _tuning.steps(67584, 200000, 0) == [133120, 198656, 200000]
    assert _tuning.steps(67584, 2000000, 8 * GIB) == [67584 + GIB, 2000000]
    assert _tuning.steps(9000, 2000, 0) == [2000]


def test_watermarks_are_those_of_the_kernel(facts):
    """What the kernel has made of its settings in the captures: high, over all zones, to a few pages."""
    for scale in (10,):
        memory = _tuning.memory(facts)
        high = sum(zone["watermarks"]["high"] for zone in facts["zones"]) * 4
        assert abs(_tuning.watermarks(memory, facts["sysctl"]["vm.min_free_kbytes"], scale) - high) <= 64


def test_memory_of_a_node_without_zoneinfo_and_memavailable(node_root):
    facts = _settings.gather(Node(node_root(HEALTHY, without=("zoneinfo", "pagetypeinfo"))))
    facts["meminfo"].pop("memavailable")
    memory = _tuning.memory(facts)
    assert memory["lowmem"] == memory["managed"] == memory["total"] == 200744
    assert 0 < memory["free"] <= memory["available"] <= memory["total"]
    assert _tuning.computed_min_free(memory) >= _tuning.kernel_min_free(memory)


def test_nodes_of_movable_memory_alone_are_not_given_a_reserve(facts):
    """Memory of CXL or HBM: the kernel shares min_free_kbytes out among the zones that it asks for itself."""
    before = _tuning.memory(facts)
    facts["zones"] += [dict(facts["zones"][-1], node=node, zone="Movable") for node in (2, 5)]
    assert _tuning.memory(facts)["nodes"] == before["nodes"]
