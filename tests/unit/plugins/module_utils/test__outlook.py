# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._fragmentation import watermark_ok
from ansible_collections.kernelops.memfrag.plugins.module_utils._outlook import Outlook
from ansible_collections.kernelops.memfrag.plugins.module_utils._states import allocatable, complete, zone_states


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
    blocks = [1000, 0, 0, 0, 0, 5]
    types = {
        "Unmovable": [1000, 0, 0, 0, 0, 0],
        "HighAtomic": [0, 0, 0, 0, 0, 3],
        "CMA": [0, 0, 0, 0, 0, 1],
        "Isolate": [0, 0, 0, 0, 0, 1],
        "Movable": [0] * 6,
    }
    zone = make_zone(free_blocks=blocks, migratetypes=types, free_cma_pages=32, reserved_highatomic_pages=96)
    states, atomic = zone_states(zone, {"Normal"}, False)
    assert states[5] == "exhausted"
    assert atomic[5]


@pytest.mark.parametrize("name", ["CMA", "Isolate", "Rbin", "OPPO2"])
def test_free_pages_of_lists_that_are_not_for_the_request_do_not_count(name):
    """Neither their blocks nor their pages: mainline's and those of vendors."""
    scattered = [150] + [0] * 10
    types = {"Unmovable": scattered, name: [0] * 10 + [1]}
    zone = make_zone(
        free_blocks=[150] + [0] * 9 + [1], migratetypes=types, watermarks={"min": 200, "low": 250, "high": 300}
    )
    zone["free_cma_pages"] = 1024 if name == "CMA" else 0
    states, atomic = zone_states(zone, {"Normal"}, False)
    assert (states[0], states[5], states[10]) == ("exhausted",) * 3
    # 150 of the 200 pages of the mark are enough for a single page to an atomic request, for which the mark is 75; for 128 pages they are not.
    assert [order for order in range(11) if atomic[order]] == [0]


def test_an_atomic_request_for_a_page_is_not_held_to_the_boost():
    zone = make_zone(free_blocks=[60, 20] + [0] * 9, watermarks={"min": 400, "low": 450, "high": 500}, boost_pages=300)
    assert zone_states(zone, {"Normal"}, False)[1][:2] == [True, False]
    assert not any(zone_states(dict(zone, boost_pages=None), {"Normal"}, False)[1])


@pytest.mark.parametrize(
    "values, scaled, order, missing",
    [
        # compaction_suitable(): the min watermark up to order 3, then the low one; up to 4.7 always. More than that must be free.
        ({}, False, 3, 100 + 16 + 1 - 1000),
        ({}, True, 3, 125 + 16 + 1 - 1000),
        ({}, False, 4, 125 + 32 + 1 - 1000),
        # CMA has room for pages that are moved, and not for the request.
        ({"free_cma_pages": 30}, False, 4, 125 + 32 + 1 - 1000),
        ({"free_cma_pages": 30}, True, 4, 125 + 32 + 1 - 970),
        ({"free_cma_pages": 950}, False, 4, 100 + 16 - 50),
        ({"reserved_highatomic_pages": 500}, False, 4, 125 + 32 + 1 - 500),
    ],
)
def test_what_must_be_free_before_compaction_runs(values, scaled, order, missing):
    zone = complete(make_zone(free_blocks=[1000] + [0] * 10, **values))
    assert Outlook(zone, {"Normal"}, scaled).missing_pages(order) == missing


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


def test_what_is_there_now_is_the_watermark_check_as_a_number():
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
            assert Outlook(zone, names, scaled).now(5) == expected
    assert Outlook(make_zone(free_blocks=[0] * 5 + [7], reclaimable_pages=0), names, False).now(5) == 3
    assert Outlook(make_zone(free_blocks=[0] * 5 + [7], reclaimable_pages=500), names, False).now(5) == 7


SCATTERED = [20000, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
NOTHING = [0] * 11


def look(names=("Normal",), survey=None, **values):
    return Outlook(make_zone(free_blocks=SCATTERED, **values), set(names), False, survey)


def types(movable):
    return {"Unmovable": SCATTERED, "Movable": [movable] + NOTHING[1:]}


@pytest.mark.parametrize(
    "values, obstacle, helps",
    [
        # Nothing tells where the free pages are.
        ({}, None, ("compact", None, "unknown")),
        ({"migratetypes": types(10000)}, None, ("compact", True, "movable")),
        ({"migratetypes": types(0)}, "unmovable", ("drain_and_reboot", False, "unmovable")),
        # Less than a tenth of the small blocks.
        ({"migratetypes": types(1900)}, "unmovable", ("drain_and_reboot", False, "unmovable")),
        (
            {"migratetypes": types(0), "reclaimable_pages": 10000},
            "unmovable",
            ("reclaim_then_compact", True, "reclaimable"),
        ),
        # Free memory that lowmem_reserve or the reserve for atomic requests keeps away is no room to move pages into.
        ({"zone": "DMA32", "lowmem_reserve": [0, 0, 19900, 0], "migratetypes": types(10000)}, "memory_shortage", None),
        ({"reserved_highatomic_pages": 19900, "migratetypes": types(10000)}, "memory_shortage", None),
        ({"free_cma_pages": 19900, "migratetypes": types(10000)}, "memory_shortage", None),
    ],
)
def test_what_stands_in_the_way_and_what_helps(values, obstacle, helps):
    outlook = look(("DMA", "DMA32", "Normal") if "lowmem_reserve" in values else ("Normal",), **values)
    assert outlook.obstacle(5) == obstacle
    if helps:
        assert outlook.what_helps(5, 16) == helps


def test_a_zone_that_is_short_wants_memory_unless_there_is_something_to_reclaim():
    assert look(migratetypes=types(10000)).what_helps(5, 16, short=True) == ("add_memory", False, "shortage")
    assert (
        look(migratetypes=types(10000), reclaimable_pages=10000).what_helps(5, 16, short=True)[0]
        == "reclaim_then_compact"
    )


def test_amounts_after_compaction():
    outlook = look(migratetypes=types(12800), reclaimable_pages=3200)
    assert outlook.of(5) == {
        "order": 5,
        "state": "needs_compaction",
        "now": 0,
        "after_compaction": {"low": 0, "expected": 200, "high": 400},
        "after_reclaim": {"low": 0, "expected": 250, "high": 500},
        "obstacle": None,
        "free_pages": 20016,
        "missing_pages": 0,
        "movable_pages": 12800,
        "reclaimable_pages": 3200,
    }
    assert look().after_compaction(5) is None
    # Compaction that may not run leaves what there is; enough reclaimed before lets it run.
    short = look(migratetypes=types(12800), free_cma_pages=19900, reclaimable_pages=3200)
    assert short.after_compaction(5) == {"low": 0, "expected": 0, "high": 0}
    assert short.after_reclaim(5)["high"] == 500


def test_a_survey_knows_better():
    survey = {"yields": [{"order": 5, "now": 0, "low": 3, "expected": 7, "high": 9}]}
    outlook = look(survey=survey, migratetypes=types(12800))
    assert outlook.after_compaction(5) == {"low": 3, "expected": 7, "high": 9}
    assert outlook.after_compaction(6)["high"] == 200


@pytest.mark.parametrize(
    "row, helps",
    [
        ({"low": 16, "expected": 20, "high": 30, "moved": 25}, ("compact", True, "measured")),
        ({"low": 3, "expected": 70, "high": 90, "moved": 80}, ("compact", True, "measured")),
        ({"low": 0, "expected": 7, "high": 90, "moved": 70}, ("compact", None, "doubtful")),
        # What stands on per-cpu lists is no compaction's: a request that fails has had them given back before.
        ({"low": 0, "expected": 0, "high": 96, "moved": 0}, ("drain_and_reboot", False, "held")),
        # A few blocks beside 80 MB in single pages, and not even those for sure. Of a sample nobody can say that there is none.
        ({"low": 0, "expected": 0, "high": 96, "moved": 60}, ("drain_and_reboot", False, "scattered")),
        ({"low": 3, "expected": 26, "high": 71, "moved": 50}, ("drain_and_reboot", False, "scattered")),
        # A record of an earlier version.
        ({"low": 0, "expected": 0, "high": 96}, ("compact", None, "doubtful")),
    ],
)
def test_doubt_is_of_what_a_compaction_moves(row, helps):
    survey = {"yields": [dict(row, order=5, now=0)]}
    outlook = look(survey=survey, migratetypes=types(12800), reclaimable_pages=0)
    assert outlook.what_helps(5, 16) == helps


@pytest.mark.parametrize("moved, beyond", [(0, True), (3, True), (4, False)])
def test_a_zone_without_huge_pages_to_be_made_by_its_survey(moved, beyond):
    survey = {"yields": [{"order": 9, "now": 0, "low": 0, "expected": 0, "high": 30, "moved": moved}]}
    assert look(survey=survey, migratetypes=types(12800)).beyond_compaction(9) is beyond
    assert look(migratetypes=types(12800)).beyond_compaction(9) is False


def test_a_zone_of_the_bare_contract_is_enough():
    outlook = Outlook(complete({"node": 0, "zone": "Normal", "free_blocks": SCATTERED}), {"Normal"}, False)
    assert (outlook.now(4), outlook.now(5), outlook.now(12)) == (1, 0, 0)
