# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import copy
import io
import json
import os
import re

import build_roots
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _outlook
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import policy as _policy
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess as judge
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

CAPTURES = [name for name in build_roots.names() if not name.startswith("seeds/")]
LEVELS = ("low", "unknown", "medium", "high", "critical")


@pytest.fixture(name="assess")
def assess_fixture(node_root):
    def assess(name, **options):
        return judge(_facts.collect(Node(node_root(name))), **options)

    return assess


def idents(assessment):
    return [found["id"] for found in assessment["findings"]]


def finding(assessment, ident):
    return [found for found in assessment["findings"] if found["id"] == ident][0]


# --- the nodes of the write-ups, by their files alone --------------------------------------------------------------


def test_the_failing_node_of_the_write_up(assess):
    assessment = assess("seeds/001-failing")
    assert assessment["level"] == "critical"
    found = finding(assessment, "MF201")
    gone = [row["order"] for row in found["evidence"]["orders"] if row["blocks_left"] == 0]
    assert gone == [5, 6]
    zones = {zone["zone"]: zone["extfrag_index"] for zone in found["evidence"]["zones"]}
    assert zones["Normal"] > 900 and zones["DMA32"] > 900
    assert found["evidence"]["causes"] == ["fragmentation"]
    assert "Orders 5 (128 kB), 6 (256 kB) cannot be allocated, with 381 MB free" in assessment["summary"]
    assert "MF601" in idents(assessment)


def test_compaction_helped_that_node_only_for_a_while(assess):
    assessment = assess("seeds/001-compacted")
    assert assessment["level"] == "high"
    assert "Order 6 (256 kB) can be allocated only once more" in assessment["summary"]


def test_the_other_nodes_of_the_write_ups(assess):
    assert assess("seeds/001-healthy")["level"] == "low"
    assert assess("seeds/002")["level"] in ("high", "critical")


# --- captures of real kernels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CAPTURES)
def test_every_capture_gets_its_level_and_its_advice(name, assess):
    state = name.split("/")[1]
    assessment = assess(name)
    level, remediation = assessment["level"], assessment["remediation"]
    if state in ("healthy", "numa-healthy", "released-3s", "oom", "slab-sparse", "fragmented-movable-then-compacted"):
        assert level in ("low", "medium")
        assert remediation["action"] == "none"
    elif state == "fragmented-movable":
        assert (remediation["action"], remediation["will_help"]) == ("compact", True)
    elif state == "oom-highorder":
        assert level == "critical"
        assert finding(assessment, "MF201")["evidence"]["causes"] == ["fragmentation"]
    else:
        assert level in ("high", "critical")
        assert (remediation["action"], remediation["will_help"]) == ("drain_and_reboot", False)
        assert "compaction will not help" in remediation["reason"]
    assert "MF205" not in idents(assessment)


FEW_FILES = (("buddyinfo", "meminfo"), ("buddyinfo", "pagetypeinfo"))


@pytest.mark.parametrize("files", FEW_FILES, ids="+".join)
@pytest.mark.parametrize("name", CAPTURES)
def test_what_is_advised_fits_the_level(name, files, node_root):
    """Of nodes of which little could be read, too: who is well is not taken out of service for a guess."""
    root = node_root(name)
    for directory, _directories, names in os.walk(root):
        for entry in names:
            if entry not in files:
                os.unlink(os.path.join(directory, entry))
    facts = _facts.collect(Node(root))
    for policy in ({}, {"ignore": dict.fromkeys(("MF201", "MF202", "MF203", "MF301", "MF306"), "known")}):
        assessment = judge(facts, policy=policy)
        if assessment["level"] == "low":
            assert assessment["remediation"]["action"] == "none" or assessment["remediation"]["will_help"] is True


# --- the snapshots on which other tools contradict each other ------------------------------------------------------

# name: (level, causes or None, what the summary says, what helps)
SNAPSHOTS = {
    "healthy 6.18": ("low", None, "nothing stands against", "none"),
    "insights doc 2": ("low", None, "nothing stands against", "none"),
    "2.2 GB free, orders 5 and up empty": (
        "high",
        ["fragmentation"],
        "Orders 5 (128 kB), 6 (256 kB) cannot",
        "compact",
    ),
    "orders 3 and up empty": ("critical", ["fragmentation"], "Order 3 (32 kB) cannot be allocated", "compact"),
    "13.6 MB free, orders 2 and up empty": (
        "critical",
        ["fragmentation", "shortage"],
        "fragmented, and short of memory",
        "add_memory",
    ),
    "two zones, tail empty": ("high", ["fragmentation"], "Orders 4 (64 kB), 5 (128 kB), 6 (256 kB) cannot", "compact"),
    "5 MB free, not fragmented": ("high", ["shortage"], "Only 5.9 MB are free", "add_memory"),
    "node 1, orders 5 and up empty": ("high", ["fragmentation"], "Orders 5 (128 kB), 6 (256 kB) cannot", "compact"),
    "two nodes, node 0 bad, node 1 fine": (
        "medium",
        None,
        "NUMA node 0 cannot serve order 3 (32 kB); the machine",
        "compact",
    ),
    "empty zone": ("critical", ["shortage"], "with 0 MB free: short of memory", "add_memory"),
    "64 kB pages, 14 orders, only orders 0 to 2": ("low", None, "nothing stands against", "none"),
    "64 kB pages, 14 orders, one block of order 13": ("low", None, "nothing stands against", "none"),
    "DMA32-only 3 GB guest": ("high", ["fragmentation"], "Orders 4 (64 kB), 5 (128 kB), 6 (256 kB) cannot", "compact"),
    "Movable zone full of blocks, Normal fragmented": (
        "critical",
        ["fragmentation"],
        "Order 3 (32 kB) cannot",
        "compact",
    ),
}


def test_the_snapshots(fixture_path):
    with io.open(fixture_path("snapshots.json"), encoding="utf-8") as stream:
        snapshots = json.load(stream)
    assert {snapshot["name"] for snapshot in snapshots} == set(SNAPSHOTS)
    for snapshot in snapshots:
        level, causes, words, action = SNAPSHOTS[snapshot["name"]]
        assessment = judge({"kernel": {"page_size": snapshot["page_size"]}, "zones": snapshot["zones"]})
        assert (snapshot["name"], assessment["level"]) == (snapshot["name"], level)
        assert words in assessment["summary"]
        assert assessment["remediation"]["action"] == action
        if causes:
            assert finding(assessment, "MF201")["evidence"]["causes"] == causes
        else:
            assert "MF201" not in idents(assessment)


# --- rules ---------------------------------------------------------------------------------------------------------


def by_hand(findings):
    """Level and score as the guide to the findings tells a reader to work them out."""
    ranks = ["info", "low", "unknown", "medium", "high", "critical"]
    base = {"info": 0, "low": 10, "unknown": 20, "medium": 30, "high": 55, "critical": 80}
    weight = {"info": 0, "low": 1, "unknown": 1, "medium": 2, "high": 4, "critical": 6}
    below = {"info": 9, "low": 19, "unknown": 29, "medium": 54, "high": 79, "critical": 100}
    severities = sorted((found["severity"] for found in findings), key=ranks.index, reverse=True)
    if not severities:
        return "low", 0
    worst = severities[0]
    score = base[worst] + sum(weight[severity] for severity in severities[1:])
    return ("low" if worst == "info" else worst), min(score, below[worst])


@pytest.mark.parametrize("name", build_roots.names())
def test_level_and_score_follow_from_the_findings(name, assess):
    assessment = assess(name)
    assert by_hand(assessment["findings"]) == (assessment["level"], assessment["score"])
    ranks = [catalogue.SEVERITIES.index(found["severity"]) for found in assessment["findings"]]
    assert ranks == sorted(ranks, reverse=True)


def test_every_finding_says_what_to_do(assess):
    for found in assess("seeds/001-failing")["findings"]:
        assert found["title"] and found["remedy"] and found["evidence"]
        assert found["docs"].endswith("#" + found["id"].lower())


def test_the_remedy_follows_what_would_help(assess):
    for name, words in (
        ("6.1.0-56-cloud-amd64/fragmented", "compaction will not help"),
        ("6.1.0-56-cloud-amd64/fragmented-movable", "echo 1 > /proc/sys/vm/compact_memory"),
    ):
        assert words in finding(assess(name), "MF203")["remedy"]


def test_without_the_free_lists_nothing_is_taken_to_be_well(tmp_path):
    assessment = judge(_facts.collect(Node(str(tmp_path))))
    assert assessment["level"] == "unknown"
    assert idents(assessment) == ["MF901"]
    assert assessment["remediation"]["will_help"] is None
    assert judge({})["level"] == "unknown"


def test_missing_parts_are_named(node_root):
    facts = _facts.collect(Node(node_root("6.1.0-56-cloud-amd64/healthy", without=("slabinfo", "zoneinfo"))))
    found = finding(judge(facts), "MF902")
    assert set(found["evidence"]["unavailable"]) >= {"slabinfo", "zoneinfo"}
    assert "slabinfo" in found["title"]


# --- policy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy, message",
    [
        ({"spare_block": 3}, "policy has no spare_block; it knows"),
        ({"spare_blocks": 0}, "policy.spare_blocks must be a whole number from 1 to 1000000, not 0"),
        ({"spare_blocks": True}, "policy.spare_blocks must be a whole number"),
        ({"spare_blocks": "many"}, "not 'many'"),
        ({"target_orders": 5}, "policy.target_orders must be a list of orders, not 5"),
        ({"target_orders": [5, 99]}, "policy.target_orders must be a whole number from 0 to 30, not 99"),
        ({"ignore": ["MF504"]}, "policy.ignore must map finding ids to reasons"),
        ({"ignore": {"MF999": "no"}}, "policy.ignore names MF999, which is no finding"),
        ({"ignore": {"MF504": " "}}, "policy.ignore.MF504 must give a reason"),
    ],
)
def test_wrong_policies_are_named(policy, message):
    with pytest.raises(_policy.PolicyError, match=re.escape(message)):
        _policy.complete(policy)


def test_an_ignored_finding_does_not_count_and_is_not_lost(assess):
    assessment = assess("6.1.0-56-cloud-amd64/fragmented", policy={"ignore": {"MF301": "to be rebooted on Sunday"}})
    assert assessment["level"] == "medium"
    assert "MF301" not in idents(assessment)
    assert [(found["id"], found["reason"]) for found in assessment["ignored"]] == [
        ("MF301", "to be rebooted on Sunday")
    ]


def test_a_few_movable_pages_do_not_mend_a_zone(node_root):
    facts = _facts.collect(Node(node_root("6.1.0-56-cloud-amd64/fragmented-pipes")))
    normal = [zone for zone in facts["zones"] if zone["zone"] == "Normal"][0]
    free = sum(count << order for order, count in enumerate(normal["free_blocks"]))
    normal["migratetypes"]["Movable"] = [free // 16] + [0] * 10
    assert judge(facts)["remediation"]["action"] == "drain_and_reboot"
    assert finding(judge(facts), "MF301")["severity"] == "high"
    normal["migratetypes"]["Movable"] = [free // 4] + [0] * 10
    assert judge(facts)["remediation"]["action"] == "compact"


def test_a_small_zone_does_not_decide_about_the_machine(node_root):
    facts = _facts.collect(Node(node_root("6.1.0-56-cloud-amd64/healthy")))
    zones = {zone["zone"]: zone for zone in facts["zones"]}
    zones["DMA"]["pageblocks"] = {"Unmovable": 7, "Movable": 1}
    assert finding(judge(facts), "MF301")["severity"] == "low"
    blocks = sum(zones["Normal"]["pageblocks"].values())
    zones["Normal"]["pageblocks"] = {"Unmovable": blocks - 1, "Movable": 1}
    assert finding(judge(facts), "MF301")["severity"] == "medium"


def test_target_orders_of_the_policy_take_the_place_of_the_derived_ones(assess):
    assert assess("seeds/001-failing", policy={"target_orders": [3]})["level"] != "critical"
    assert assess("seeds/002", policy={"target_orders": [4]})["level"] == "critical"
    assert assess("seeds/001-healthy", policy={"target_orders": [6], "spare_blocks": 100000})["level"] == "high"


# --- rates, settings, kernels --------------------------------------------------------------------------------------


def with_counters(facts, collected_at, uptime, **counters):
    facts = copy.deepcopy(facts)
    facts["collected_at"] = collected_at
    facts["kernel"]["uptime_seconds"] = uptime
    facts["vmstat"].update(counters)
    return facts


def test_counters_are_told_as_rates_of_one_boot_only(node_root):
    facts = _facts.collect(Node(node_root("6.1.0-56-cloud-amd64/healthy")))
    counters = {
        "compact_stall": 900,
        "compact_fail": 800,
        "compact_success": 100,
        "allocstall_normal": 90000,
        "drop_slab": 40,
    }
    after = with_counters(facts, "2026-11-21T12:00:00Z", 90000.0, **counters)
    assert not set(idents(judge(after))) & {"MF302", "MF303", "MF508"}
    before = with_counters(
        facts, "2026-11-21T10:00:00Z", 82800.0, compact_stall=100, compact_fail=100, allocstall_normal=0, drop_slab=20
    )
    assessment = judge(after, previous=before)
    assert finding(assessment, "MF302")["title"] == "700 of 800 direct compactions failed in 2.0 hours"
    assert finding(assessment, "MF303")["evidence"]["allocstall"] == 90000
    assert finding(assessment, "MF508")["evidence"]["drops"] == 20
    rebooted = with_counters(facts, "2026-11-21T10:00:00Z", 500.0)
    assert not set(idents(judge(after, previous=rebooted))) & {"MF302", "MF303", "MF508"}


def changed(facts, **parts):
    facts = copy.deepcopy(facts)
    for part, values in parts.items():
        facts[part] = dict(facts[part] or {}, **values)
    return facts


def test_settings_and_kernels(node_root):
    facts = _facts.collect(Node(node_root("5.10.0-46-cloud-amd64/numa-healthy")))
    for parts, ident, severity in (
        ({"sysctl": {"vm.min_free_kbytes": 512}}, "MF501", "medium"),
        ({"sysctl": {"vm.min_free_kbytes": 30000}}, "MF502", "medium"),
        ({"sysctl": {"vm.min_free_kbytes": 60000}}, "MF502", "high"),
        ({"kernel": {"config_compaction": False}}, "MF503", "medium"),
        ({"sysctl": {"vm.compaction_proactiveness": 0}}, "MF504", "low"),
        ({"sysctl": {"vm.extfrag_threshold": 900}}, "MF505", "low"),
        ({"sysctl": {"vm.zone_reclaim_mode": 1}}, "MF506", "medium"),
        ({"pressure": {"some_avg300": 25.0}}, "MF304", "medium"),
        ({"meminfo": {"memavailable": 20000}}, "MF205", "medium"),
        ({"meminfo": {"memavailable": 4000}}, "MF205", "critical"),
        ({"slab": {"unreclaimable_kb": 200000}}, "MF401", "medium"),
        ({"slab": {"reclaimable_kb": 200000}}, "MF402", "low"),
        ({"kernel": {"release": "5.15.0-25-generic", "possible_cpus": 96}}, "MF603", "low"),
    ):
        assessment = judge(changed(facts, **parts))
        assert (ident, finding(assessment, ident)["severity"]) == (ident, severity)
    assert not set(idents(judge(facts))) - {"MF902"}


def test_the_cgroup_leak_is_the_root_cause_of_the_large_orders(node_root):
    facts = _facts.collect(Node(node_root("seeds/001-failing")))
    facts["cgroups"] = {"memory_cgroups": 7000, "memory_directories": 140}
    assessment = judge(facts)
    found = finding(assessment, "MF602")
    assert (found["severity"], found["evidence"]["order"]) == ("high", 5)
    assert "each new slab cache therefore needs order 5" in found["title"]
    assert "nokmem" in found["remedy"]


def incident(cause, remedies, last_time="2026-11-21T11:00:00Z", count=1, reason="order 5 failed with 300 MB free"):
    return {
        "cause": cause,
        "reason": reason,
        "last_time": last_time,
        "count": count,
        "events": [],
        "remedies": remedies,
    }


def test_incidents_become_findings(node_root):
    facts = _facts.collect(Node(node_root("6.1.0-56-cloud-amd64/healthy")))
    journal = {
        "events": [],
        "incidents": [
            incident("fragmentation", ["MF102", "MF103"], count=300),
            incident("memcg_limit", ["MF105"]),
            incident("mount_busy", ["MF110"]),
            incident("atomic_burst", ["MF108"], last_time="2026-11-01T00:00:00Z"),
            incident("unknown", []),
        ],
    }
    now = 1795262400  # 2026-11-21 12:00 UTC
    assessment = judge(facts, journal, now=now)
    found = {one["id"]: one["severity"] for one in assessment["findings"]}
    assert (found["MF102"], found["MF103"], found["MF105"]) == ("critical", "critical", "medium")
    assert (found["MF110"], found["MF108"]) == ("low", "low")
    assert finding(assessment, "MF103")["title"] == "Order 5 failed with 300 MB free (300 times)"
    # What has no date, or one that is still to come, is not going on for that; a clock may be some hours ahead.
    for last, severity in ((None, "high"), ("2099-11-21T12:00:00Z", "high"), ("2026-11-21T20:00:00Z", "critical")):
        undated = judge(facts, {"incidents": [incident("fragmentation", ["MF102"], last_time=last)]}, now=now)
        assert finding(undated, "MF102")["severity"] == severity
    long = incident("fragmentation", ["MF104"], reason="order 5 failed, " + "and so on, " * 20)
    title = finding(judge(facts, {"incidents": [long]}, now=now), "MF104")["title"]
    assert title.startswith("Order 5 failed, and so on") and title.endswith("and so on") and len(title) <= 140
    assert judge(facts, {"incidents": [incident("unknown", [])]}, now=now)["level"] == "low"


def test_work_grows_with_the_number_of_zones_and_no_faster(monkeypatch):
    now, asked = _outlook.Outlook.now, []
    monkeypatch.setattr(_outlook.Outlook, "now", lambda self, order: asked.append(order) or now(self, order))

    def work(zones):
        blocks = [500, 100, 10] + [0] * 8
        del asked[:]
        judge({"zones": [{"node": node, "zone": "Normal", "free_blocks": blocks} for node in range(zones)]})
        return len(asked)

    assert work(200) < 4.5 * work(50)


# --- properties ----------------------------------------------------------------------------------------------------

BLOCKS = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 5000)), min_size=11, max_size=11)


@st.composite
def machines(draw):
    zones = []
    for node, name in draw(
        st.sampled_from(
            [
                [(0, "Normal")],
                [(0, "DMA32"), (0, "Normal")],
                [(0, "Normal"), (1, "Normal")],
                [(0, "DMA"), (0, "DMA32"), (0, "Normal"), (1, "Normal")],
            ]
        )
    ):
        zone = {"node": node, "zone": name, "free_blocks": draw(BLOCKS)}
        if draw(st.booleans()):
            minimum = draw(st.integers(0, 3000))
            zone.update(
                watermarks={"min": minimum, "low": minimum * 5 // 4, "high": minimum * 3 // 2},
                lowmem_reserve=[0, 0, 0, 0],
                managed_pages=draw(st.integers(50000, 500000)),
                reclaimable_pages=draw(st.integers(0, 60000)),
            )
        if draw(st.booleans()):
            zone.update(
                migratetypes={"Unmovable": [0] * 11, "Movable": draw(st.sampled_from([[0] * 11, [9000] + [0] * 10]))},
                pageblocks={"Unmovable": draw(st.integers(0, 100)), "Movable": 50},
            )
        zones.append(zone)
    release = draw(st.sampled_from(["6.1.0", "3.10.0-957.el7.x86_64", None]))
    conntrack = draw(st.sampled_from([0, 8, None]))
    kernel = {"release": release, "page_size": 4096, "possible_cpus": 8, "hugepage_order": 9}
    memory = draw(st.sampled_from([{}, {"memtotal": 90000}, {"memtotal": 2 << 20}, {"memtotal": 128 << 20}]))
    containers = draw(st.sampled_from([True, False, None]))
    slab = {"nf_conntrack_caches": conntrack}
    return {"kernel": kernel, "zones": zones, "slab": slab, "meminfo": memory, "containers": containers}


PROPERTIES = settings(max_examples=150)


@PROPERTIES
@given(machines(), st.integers(0, 10), st.integers(1, 5000))
def test_fewer_blocks_of_an_order_never_lower_the_score(facts, order, taken):
    before = judge(facts)["score"]
    poorer = copy.deepcopy(facts)
    for zone in poorer["zones"]:
        zone["free_blocks"][order] = max(0, zone["free_blocks"][order] - taken)
    assert judge(poorer)["score"] >= before


@PROPERTIES
@given(machines(), st.integers(0, 1))
def test_one_page_never_swings_the_level_by_two(facts, which):
    more = copy.deepcopy(facts)
    more["zones"][which % len(more["zones"])]["free_blocks"][0] += 1
    levels = [LEVELS.index(judge(one)["level"]) for one in (facts, more)]
    # "unknown" is no step between low and medium here: the free lists are known.
    steps = [0, 0, 1, 2, 3]
    assert abs(steps[levels[0]] - steps[levels[1]]) <= 1
