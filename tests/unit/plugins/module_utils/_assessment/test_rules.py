# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a level means is the same on every machine: size, NUMA nodes, fallbacks, containers, parts that are missing."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _states
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import estimate
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess, blocks_left
from ansible_collections.kernelops.memfrag.plugins.module_utils._grading import grade

PLENTY = [5000, 5000, 3000, 2000, 1000, 500, 400, 300, 200, 100, 400]
SINGLE_PAGES = [110000, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0]
OLD = {"release": "3.10.0-957.el7.x86_64", "page_size": 4096}
NEW = {"release": "6.1.0", "page_size": 4096, "hugepage_order": 9}


def zone(name, blocks, node=0, **values):
    return dict({"node": node, "zone": name, "free_blocks": list(blocks)}, **values)


def judged(zones, kernel=None, journal=None, **facts):
    return assess(dict({"kernel": kernel or {}, "zones": zones}, **facts), journal)


def found(assessment, ident):
    return ([one for one in assessment["findings"] if one["id"] == ident] or [None])[0]


# --- NUMA nodes and fallbacks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [1, 2, 3])
def test_every_node_counts(position):
    zones = [zone("DMA32", PLENTY)] + [zone("Normal", PLENTY, node) for node in range(4)]
    assert found(judged(zones), "MF203") is None
    zones[1 + position]["free_blocks"] = SINGLE_PAGES
    finding = found(judged(zones, meminfo={"memtotal": 128 << 20}), "MF203")
    assert finding["severity"] == "medium"
    assert [(row["node"], row["fallback"]) for row in finding["evidence"]["zones"]] == [(position, "none")]


def test_a_machine_of_one_zone_has_no_main_zone():
    assert found(judged([zone("Normal", SINGLE_PAGES)]), "MF203") is None


@pytest.mark.parametrize(
    "behind, severity, fallback",
    [
        (PLENTY, "low", "ample"),
        ([5000, 5000, 3000, 2000, 20, 0, 0, 0, 0, 0, 0], "medium", "poor"),
        # Plenty of what is missing, but not of what may be asked for as well.
        ([5000, 5000, 3000, 2000, 1000, 0, 0, 0, 0, 0, 0], "medium", "poor"),
    ],
)
def test_a_fallback_with_ample_room(behind, severity, fallback):
    zones = [zone("DMA32", behind), zone("Normal", [30000, 9000, 3000, 2000] + [0] * 7)]
    finding = found(judged(zones), "MF203")
    assert (finding["severity"], finding["evidence"]["zones"][0]["fallback"]) == (severity, fallback)
    assert ("plenty" in finding["title"]) == (severity == "low")


# --- one large block is not a supply -------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel, counts", [({}, False), (OLD, False), ({"release": "6.1.0", "page_size": 4096}, True)])
def test_the_largest_block_of_a_zone_is_its_reserve(kernel, counts):
    alone = [30000, 9000, 3000, 900, 0, 0, 0, 0, 0, 0, 1]
    assert (found(judged([zone("Normal", alone)], kernel=kernel), "MF201") is None) == counts


def test_how_many_blocks_are_left_is_told_without_estimates():
    facts = {"zones": [zone("Normal", [30000, 9000, 3000, 900, 0, 0, 0, 0, 0, 0, 1])], "kernel": OLD}
    assert [blocks_left(facts, order) for order in (5, 10)] == [32, 1]
    assert [blocks_left(facts, 5, node) for node in (0, 1)] == [32, 0]


def test_what_the_reserve_is_and_is_not():
    assert estimate.withheld(zone("Normal", [9] * 11), 4096) == [0] * 10 + [1]
    assert estimate.withheld(zone("Normal", [9] * 9 + [1, 0]), 4096) == [0] * 9 + [1, 0]
    assert estimate.withheld(zone("Normal", [9] * 9 + [5, 0]), 4096) == [0] * 9 + [2, 0]
    assert estimate.withheld(zone("Normal", [9] * 9 + [0, 0]), 4096) == [0] * 11
    assert estimate.withheld(zone("Normal", [9] * 13 + [4]), 65536) == [0] * 13 + [2]


def test_more_large_blocks_are_never_worse():
    for kernel in ({}, OLD, NEW):
        scores = []
        for count in range(6):
            blocks = [30000, 9000, 3000, 900, 0, 0, 0, 0, 0, 0, count]
            scores.append(judged([zone("DMA32", blocks), zone("Normal", blocks)], kernel=kernel)["score"])
        assert scores == sorted(scores, reverse=True)


# --- watermarks that are estimated ---------------------------------------------------------------------------------


def test_estimated_watermarks_are_those_of_the_kernel():
    # KERNEL 2.1: 64 GiB have 32768 kB; 2.3: spread by size.
    zones = [zone(name, PLENTY) for name in ("DMA", "DMA32", "Normal")]
    marks = estimate.watermarks(zones, 64 << 20, 4, None, True)
    assert sum(row["min"] for row in marks) in range(8180, 8193)
    assert marks[2]["min"] in range(7750, 7850) and marks[2]["low"] == marks[2]["min"] + marks[2]["min"] // 4
    # The upper bound, and a setting that is known.
    assert sum(row["min"] for row in estimate.watermarks(zones, 1 << 30, 4, None, True)) in range(16380, 16385)
    assert sum(row["min"] for row in estimate.watermarks(zones, 64 << 20, 4, 1 << 20, True)) in range(262140, 262145)
    # Since 4.6 the distance is a thousandth of the zone, if that is more.
    newer = estimate.watermarks(zones, 64 << 20, 4, None, False)[2]
    assert newer["low"] - newer["min"] > newer["min"] // 4


def test_estimates_count_and_are_said_to_be_estimates():
    # el7 wants a share of the watermark free in blocks above every order: with 1 GiB set, 40 blocks do not count.
    zones = [zone("DMA32", PLENTY[:4] + [0] * 7), zone("Normal", [50000, 9000, 3000, 2000, 0, 40, 0, 0, 0, 0, 0])]
    facts = {"meminfo": {"memtotal": 64 << 20}, "sysctl": {"vm.min_free_kbytes": 1 << 20}}
    evidence = found(judged(zones, kernel=OLD, **facts), "MF201")["evidence"]
    assert evidence["watermarks"] == "estimated"
    assert [row["blocks_left"] for row in evidence["orders"] if row["order"] == 5] == [0]
    assert found(judged(zones, kernel=OLD), "MF201")["evidence"]["watermarks"] == "unknown"


# --- sizes, and who asks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "total, blocks, level",
    [
        (94 << 10, [100, 50, 30, 10, 8, 2, 1, 0, 0, 0, 0], "low"),
        (16 << 20, [100000, 5000, 3000, 300, 8, 2, 1, 0, 0, 0, 0], "medium"),
        (16 << 20, [100000, 5000, 3000, 900, 100, 60, 40, 0, 0, 0, 0], "low"),
        (256 << 20, [100000, 5000, 3000, 900, 100, 10, 0, 0, 0, 0, 0], "medium"),
    ],
)
def test_what_is_enough_grows_with_the_machine(total, blocks, level):
    memory = {"memtotal": total, "memavailable": total // 2}
    facts = {"meminfo": memory, "containers": False, "slab": {"nf_conntrack_caches": 0}}
    assert (
        judged([zone("Normal", blocks, watermarks={"min": 50, "low": 60, "high": 70})], NEW, **facts)["level"] == level
    )


def test_the_needs_of_containers_count_where_there_are_containers():
    blocks = [100000, 50000, 3000, 2000, 1000] + [0] * 6
    levels = {}
    for containers in (True, None, False):
        assessment = judged(
            [zone("Normal", blocks)], kernel=OLD, slab={"nf_conntrack_caches": 8}, containers=containers
        )
        levels[containers] = assessment["level"]
    assert levels == {True: "critical", None: "critical", False: "critical"}
    # One connection tracking cache is that of the machine itself.
    for caches, containers, level in (
        (1, None, "medium"),
        (1, False, "medium"),
        (1, True, "critical"),
        (0, False, "medium"),
    ):
        slab = {"nf_conntrack_caches": caches}
        assessment = judged([zone("Normal", blocks)], kernel=OLD, slab=slab, containers=containers)
        assert (caches, containers, assessment["level"]) == (caches, containers, level)


def test_an_assumption_is_called_one():
    rows = found(judged([zone("Normal", [100000, 50000, 3000, 2000, 1000] + [0] * 6)]), "MF201")["evidence"]["orders"]
    assert [row["order"] for row in rows] == [5, 6]
    assert all("assumed" in row["needed_by"] for row in rows)


def test_a_small_machine_lives_with_little():
    little = [258, 9, 5, 0, 1, 2, 0, 1, 1, 0, 0]
    assert judged([zone("Normal", little)])["level"] != "critical"
    assert judged([zone("Normal", little)], meminfo={"memtotal": 32 << 10})["level"] in ("low", "medium")
    assert judged([zone("DMA32", little), zone("Normal", [5] + [0] * 10)])["level"] == "critical"
    assert judged([zone("Normal", [0] * 11)])["level"] == "critical"


# --- zones that devices depend on ----------------------------------------------------------------------------------


def failure(*flags):
    return {"events": [{"kind": "page_allocation_failure", "order": 2, "gfp_flags": list(flags)}], "incidents": []}


def test_a_zone_that_devices_depend_on():
    marks = {"min": 100, "low": 120, "high": 140}
    zones = [zone("DMA", [90] + [0] * 10, watermarks=marks, lowmem_reserve=[0, 1000, 1000]), zone("Normal", PLENTY)]
    assert found(judged(zones), "MF206") is None
    assert found(judged(zones, journal=failure("GFP_KERNEL")), "MF206") is None
    finding = found(judged(zones, journal=failure("GFP_KERNEL", "__GFP_DMA")), "MF206")
    assert finding["severity"] == "medium"
    assert finding["title"] == "Zone DMA has no block of order 2 (16 kB) left, and requests for it failed"
    finding = found(judged(zones, kernel={"dma_drivers": ["b44"]}), "MF206")
    assert finding["title"].endswith("order 0 (4 kB) left, and the driver b44 asks for it")
    zones[0]["free_blocks"] = [900, 300, 200, 100] + [0] * 7
    assert found(judged(zones, kernel={"dma_drivers": ["b44"]}, journal=failure("GFP_DMA")), "MF206") is None


# --- huge pages ----------------------------------------------------------------------------------------------------

NO_HUGE_PAGE = [5000, 5000, 3000, 2000, 1000, 500, 400, 300, 200, 0, 0]


@pytest.mark.parametrize(
    "facts, severity, words",
    [
        ({}, "info", "nothing stands against allocating contiguous memory, but no huge page is free"),
        ({"transparent_hugepage": {"enabled": "always"}}, "low", "No huge page is free (order 9, 2048 kB)"),
        ({"meminfo": {"hugepages_total": 512}}, "low", "No huge page is free"),
        ({"vmstat": {"thp_fault_alloc": 3}}, "low", "No huge page is free"),
        ({"transparent_hugepage": {"enabled": "never"}}, "info", "nothing stands against"),
    ],
)
def test_huge_pages_are_said_plainly(facts, severity, words):
    # The size of a huge page is not known: where there is a zone DMA32, it is that of a 64-bit machine.
    assessment = judged([zone("DMA32", NO_HUGE_PAGE), zone("Normal", NO_HUGE_PAGE)], **facts)
    assert found(assessment, "MF306")["severity"] == severity
    assert words in assessment["summary"]
    assert assessment["level"] == "low"


def test_compaction_is_not_offered_for_huge_pages_where_it_will_not_help():
    types = {"Unmovable": NO_HUGE_PAGE, "Movable": [0] * 11}
    zones = [zone("DMA32", NO_HUGE_PAGE, migratetypes=types), zone("Normal", NO_HUGE_PAGE, migratetypes=types)]
    assert "compact_memory" not in found(judged(zones), "MF306")["remedy"]
    for one in zones:
        one["migratetypes"] = {"Unmovable": [0] * 11, "Movable": NO_HUGE_PAGE}
    assert "compact_memory" in found(judged(zones), "MF306")["remedy"]
    assert "compact_memory" not in found(judged(zones, kernel={"config_compaction": False}), "MF306")["remedy"]


def test_a_zone_of_the_facts_may_lack_all_but_its_blocks():
    assert set(_states.complete(zone("Normal", PLENTY))) > {"migratetypes", "watermarks"}


# --- pools of huge pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pools", [{"hugetlb": 370 << 20}, {"hugepages_total": 370, "hugepagesize": 1 << 20}])
def test_a_pool_of_huge_pages_is_no_memory_that_could_be_available(pools):
    """Of 400 GiB there are 30 GiB for everybody, and 12 of those are available: that is plenty."""
    facts = {"meminfo": dict(pools, memtotal=400 << 20, memavailable=12 << 20), "sysctl": {"vm.min_free_kbytes": 90112}}
    assert judged([zone("Normal", PLENTY)], **facts)["level"] == "low"
    facts["meminfo"]["memavailable"] = 1 << 20
    assert found(judged([zone("Normal", PLENTY)], **facts), "MF205")["severity"] == "medium"
    # Of 30 GiB, 4 are dangerously many to keep free.
    facts["sysctl"] = {"vm.min_free_kbytes": 4 << 20}
    assert found(judged([zone("Normal", PLENTY)], **facts), "MF502")["severity"] == "high"


def test_page_cache_is_weighed_against_what_is_in_no_pool():
    """27 of 30 GiB are in a pool. Of the others a third is page cache, among which pages are free that belong to the kernel: it frees room."""
    lists = {"Unmovable": SINGLE_PAGES, "Movable": [0] * 11}
    values = {
        "watermarks": {"min": 4000, "low": 5000, "high": 6000},
        "managed_pages": 30 << 18,
        "reclaimable_pages": 1 << 18,
    }
    zones = [zone("Normal", SINGLE_PAGES, migratetypes=lists, **values)]
    pool = {"memtotal": 30 << 20, "memavailable": 2 << 20, "hugetlb": 27 << 20}
    facts = grade({"kernel": NEW, "zones": zones, "meminfo": pool})
    assert facts["zones"][0]["states"][5] == "ok" and facts["zones"][0]["states"][9] == "needs_compaction"
    assert judged(facts["zones"], kernel=NEW, meminfo=pool)["remediation"]["action"] == "reclaim_then_compact"
    # Beside 30 GiB in use it is next to nothing.
    facts = grade({"kernel": NEW, "zones": zones, "meminfo": dict(pool, hugetlb=0)})
    assert facts["zones"][0]["states"][9] == "exhausted"


# --- small and old machines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "total, minimum, severity",
    [(58 << 10, 973, None), (28 << 10, 669, None), (58 << 10, 512, "medium"), (1 << 20, 973, "medium")],
)
def test_what_a_small_machine_keeps_free_of_its_own_accord_is_not_too_little(total, minimum, severity):
    blocks = [400, 100, 100, 50, 20, 10, 5, 2, 1, 1, 1]
    memory = {"memtotal": total, "memavailable": total // 2}
    finding = found(judged([zone("Normal", blocks)], meminfo=memory, sysctl={"vm.min_free_kbytes": minimum}), "MF501")
    assert (finding and finding["severity"]) == severity


def test_a_kernel_without_memavailable_can_be_short_of_memory():
    marks = {
        "watermarks": {"min": 22000, "low": 27500, "high": 33000},
        "managed_pages": 16 << 20,
        "reclaimable_pages": 60000,
    }
    memory = {"memtotal": 64 << 20, "memfree": 300000, "active(file)": 100000, "inactive(file)": 100000}
    zones = [zone("Normal", [75000] + [0] * 10, **marks)]
    assessment = judged(zones, kernel=OLD, meminfo=memory)
    assert found(assessment, "MF205")["severity"] == "critical"
    assert assessment["remediation"]["action"] == "add_memory"
    # Of a file that says no more than what is free nobody can tell.
    assert found(judged(zones, kernel=OLD, meminfo={"memtotal": 64 << 20, "memfree": 300000}), "MF205") is None


def test_a_zone_below_its_watermarks_is_not_helped_by_a_reboot():
    lists = {"Unmovable": [900] + [0] * 10, "Movable": [0] * 11}
    values = {"watermarks": {"min": 1000, "low": 1250, "high": 1500}, "managed_pages": 500000, "migratetypes": lists}
    assessment = judged([zone("Normal", [900] + [0] * 10, pageblocks={"Unmovable": 900, "Movable": 100}, **values)])
    assert assessment["remediation"]["action"] == "add_memory"
