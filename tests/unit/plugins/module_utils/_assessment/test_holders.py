# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a survey of the pageblocks changes: the promise, the advice, and who is named as being in the way."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue, holders, remediation
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import (
    SurveyError,
    assess,
    blocks_after,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import kpageflags

SCATTERED = [90000, 20000] + [0] * 9
MARKS = {"min": 1000, "low": 1250, "high": 1500}
MOVABLE = {"Movable": SCATTERED}


def facts(low, expected, high, held_by=None, reclaimable=0, interval=None, now=0, **more):
    """A machine of one zone of 1 GiB without a block of order 2 or more, its pageblocks surveyed."""
    zone = {"node": 0, "zone": "Normal", "free_blocks": SCATTERED, "managed_pages": 262144, "watermarks": MARKS}
    zone.update(lowmem_reserve=[0], migratetypes=MOVABLE, reclaimable_pages=reclaimable)
    held_by = held_by or {"movable": 400, "kernel": 112}
    row = {"now": now, "low": low, "expected": expected, "high": high}
    entry = {"node": 0, "zone": "Normal", "blocks": 512, "sampled": 512, "held_by": held_by}
    entry.update(held_by_interval=interval, yields=[dict(row, order=order) for order in range(11)])
    survey = {"sampled": 512, "total": 512, "complete": True, "zones": [entry], "callers": more.pop("callers", None)}
    kernel = {"release": "6.1.0", "page_size": 4096, "hugepage_order": 9}
    return dict({"kernel": kernel, "zones": [zone], "pageblock_survey": survey}, **more)


def advice(*args, **more):
    return assess(facts(*args, **more))["remediation"]


@pytest.mark.parametrize(
    "low, expected, high, reclaimable, action, will_help",
    [
        # Spare blocks are 32 at least.
        (30, 64, 90, 0, "compact", True),
        (0, 3, 4000, 0, "compact", None),
        # 90 blocks at the most, of 508 MB.
        (0, 3, 90, 0, "drain_and_reboot", False),
        (0, 3, 5, 0, "drain_and_reboot", False),
        (0, 0, 0, 0, "drain_and_reboot", False),
        (0, 3, 5, 100000, "reclaim_then_compact", None),
        (0, 0, 0, 100000, "reclaim_then_compact", None),
        (30, 64, 90, 100000, "compact", True),
    ],
)
def test_the_advice_follows_from_what_was_measured(low, expected, high, reclaimable, action, will_help):
    found = advice(low, expected, high, reclaimable=reclaimable)
    assert (found["action"], found["will_help"]) == (action, will_help)
    assert found["blocks"] == {"low": low, "expected": expected, "high": high}


def test_what_reclaim_and_a_compaction_bring_decides_whether_that_helps():
    told = facts(0, 3, 5, reclaimable=100000)
    zone = told["pageblock_survey"]["zones"][0]
    for expected, will_help in ((4000, True), (40, None), (12, None)):
        zone["after_reclaim"] = [
            {"order": order, "now": 0, "low": 10, "expected": expected, "high": 5000} for order in range(11)
        ]
        found = assess(told)["remediation"]
        assert (found["action"], found["will_help"]) == ("reclaim_then_compact", will_help)
        assert found["blocks"] == {"low": 10, "expected": expected, "high": 5000}
        assert "after that it leaves %d (now 0)" % expected in found["reason"]
    assert blocks_after(told, 5, "reclaim") == 10 and blocks_after(told, 5, "compaction") == 0


def test_without_a_survey_there_is_no_promise():
    told = facts(30, 64, 90)
    told["pageblock_survey"] = None
    found = assess(told)["remediation"]
    assert (found["action"], found["will_help"], found["blocks"]) == ("compact", True, None)
    # Nor with one of another zone, or of other orders.
    for change in ({"node": 1}, {"zone": "DMA32"}, {"yields": []}):
        told = facts(0, 0, 0)
        told["pageblock_survey"]["zones"][0].update(change)
        assert assess(told)["remediation"]["blocks"] is None


SLAB = {"caches": [{"name": "ext4_inode_cache", "size_kb": 9000, "utilization_percent": 90.0}]}
OBJECTS = {"caches": [{"name": "kmalloc-4k", "size_kb": 9000, "utilization_percent": 90.0}]}


@pytest.mark.parametrize(
    "kind, more, words",
    [
        ("slab", {"slab": SLAB}, "slab (mostly ext4_inode_cache) in 300 pageblocks, drop it (echo 2 > "),
        ("slab", {"slab": OBJECTS}, "slab (mostly kmalloc-4k) in 300 pageblocks, it goes when its objects are freed"),
        ("kernel", {}, "nor page_owner) in 300 pageblocks, restart what holds pipes, sockets and buffers"),
        (
            "kernel",
            {"callers": [{"name": "anon_pipe_write", "pages": 9}]},
            "pages of the kernel (mostly anon_pipe_write) in 300 pageblocks",
        ),
        ("hugetlb", {}, "free the pool"),
        ("page_table", {}, "restart the processes that map the most"),
        ("offline", {}, "deflate the balloon"),
        ("reserved", {}, "they are the firmware's"),
        ("unevictable", {}, "restart what locks memory"),
    ],
)
def test_who_is_in_the_way_is_named_with_what_moves_them(kind, more, words):
    told = facts(0, 1, 2, held_by={"movable": 200, kind: 300, "poisoned": 12}, **more)
    reason = assess(told)["remediation"]["reason"]
    assert reason.startswith(
        "a compaction of zone Normal of node 0 would leave 2 free blocks of order 3 at most (now 0)"
    )
    assert "In the way: " in reason and words in reason
    # The largest first.
    assert reason.index(holders.KINDS[kind].what) < reason.index("poisoned pages")


def test_nobody_is_in_the_way_of_what_lacks_room():
    assert "nobody in particular" in advice(0, 1, 2, held_by={"movable": 512})["reason"]


@pytest.mark.parametrize(
    "pageblocks, severity", [(30, None), (60, "info"), (400, "low")], ids=["a few", "a tenth", "most"]
)
@pytest.mark.parametrize("kind", ["slab", "kernel", "page_table", "offline", "unevictable"])
def test_findings_say_who_holds_the_pageblocks(kind, pageblocks, severity):
    told = facts(0, 1, 2, held_by={"movable": 512 - pageblocks, kind: pageblocks}, interval={kind: [20, 450]})
    found = [one for one in assess(told)["findings"] if one["id"] in [about.ident for about in holders.KINDS.values()]]
    if severity is None:
        assert found == []
        return
    assert [(one["id"], one["severity"]) for one in found] == [(holders.KINDS[kind].ident, severity)]
    assert " in %d of 512 pageblocks (" % pageblocks in found[0]["title"]
    row = {"node": 0, "zone": "Normal", "pageblocks": pageblocks, "interval": [20, 450]}
    assert (found[0]["evidence"]["kind"], found[0]["evidence"]["zones"]) == (kind, [row])


@pytest.mark.parametrize(
    "kind, more, evidence",
    [
        ("slab", {"slab": SLAB}, {"caches": [{"name": "ext4_inode_cache", "size_kb": 9000}], "shrinks": True}),
        ("slab", {"slab": OBJECTS}, {"caches": [{"name": "kmalloc-4k", "size_kb": 9000}], "shrinks": False}),
        ("kernel", {}, {"callers": None, "named": False}),
        (
            "kernel",
            {"callers": [{"name": "anon_pipe_write", "pages": 9}]},
            {"callers": [{"name": "anon_pipe_write", "pages": 9}], "named": True},
        ),
        (
            "hugetlb",
            {"hugepages": [{"node": 0, "size_kb": 2048, "reserved": 490, "free": 400, "now": 0}]},
            {"pools": [{"node": 0, "size_kb": 2048, "reserved": 490, "free": 400}]},
        ),
        ("page_table", {"meminfo": {"pagetables": 77, "mlocked": 5}}, {"pagetables": 77}),
        ("unevictable", {"meminfo": {"unevictable": 99, "mlocked": 5}}, {"unevictable": 99, "mlocked": 5}),
        ("offline", {}, {}),
        ("poisoned", {}, {}),
        ("reserved", {}, {}),
        ("compound", {"meminfo": {"anonhugepages": 2048}}, {"anonhugepages": 2048}),
    ],
)
def test_the_evidence_says_whose_it_is_and_the_report_has_the_same_remedy(kind, more, evidence):
    found = assess(facts(0, 1, 2, held_by={"movable": 12, kind: 500}, **more))["findings"]
    finding = [one for one in found if one["id"] == holders.KINDS[kind].ident][0]
    known = {key: value for key, value in finding["evidence"].items() if key not in ("kind", "zones")}
    assert known == evidence
    assert finding["remedy"] == catalogue.remedy_of(finding["id"], "compact", True, finding["evidence"])


def test_each_kind_has_a_remedy_of_its_own_or_of_its_finding():
    remedies = {}
    for kind, about in holders.KINDS.items():
        remedies[kind] = catalogue.remedy_of(about.ident, None, None, {"kind": kind})
        assert remedies[kind]
    assert "reboot" in remedies["poisoned"] and "reboot" in remedies["reserved"]
    assert "online" in remedies["offline"] and "nr_hugepages" in remedies["hugetlb"]
    known = {about.ident: kind for kind, about in holders.KINDS.items()}
    assert {ident for ident, kind in catalogue.REMEDY_OF_KIND} <= set(known)


@pytest.mark.parametrize("evidence", [None, 5, [], {"kind": ["slab"]}, {"kind": "rm -rf /"}, {"kind": "poisoned"}])
def test_what_a_record_says_of_the_evidence_is_no_command(evidence):
    assert catalogue.remedy_of("MF307", None, None, evidence) == catalogue.FINDINGS["MF307"].remedy


def test_whose_pages_the_kernel_does_not_say_is_said():
    reason = advice(0, 1, 2, held_by={"kernel": 400})["reason"]
    assert "(whose is not known: this kernel has neither /proc/allocinfo nor page_owner)" in reason


def test_a_pool_that_somebody_reserved_is_no_fault():
    found = assess(facts(0, 1, 2, held_by={"hugetlb": 500, "movable": 12}))["findings"]
    assert [one["severity"] for one in found if one["id"] == "MF310"] == ["info"]


def test_slab_that_can_be_dropped_has_its_own_remedy():
    for slab, word in ((SLAB, "drop_caches"), (OBJECTS, "slabtop")):
        findings = assess(facts(0, 1, 2, held_by={"slab": 500}, slab=slab))["findings"]
        assert word in [one["remedy"] for one in findings if one["id"] == "MF307"][0]


def test_each_kind_that_stays_has_a_holder():
    assert set(kpageflags.KINDS.values()) - set(holders.KINDS) == {"free", "movable"}
    assert {about.ident for about in holders.KINDS.values()} <= set(catalogue.FINDINGS)


def test_blocks_after_counts_the_lowest_estimate_within_the_watermarks():
    assert blocks_after(facts(30, 64, 90), 9, "compaction") == 30
    assert blocks_after(facts(30, 64, 90), 9, "compaction", node=1) == 0
    # (130000 free - 1000) pages are 251 huge pages at the most.
    assert blocks_after(facts(300, 400, 500), 9, "compaction") == 251


def test_blocks_after_reclaim_are_those_of_the_huge_pages():
    rows = [
        {"node": node, "size_kb": size, "now": 0, "after_reclaim": {"low": low, "expected": 99, "high": 99}}
        for node, size, low in ((0, 2048, 40), (1, 2048, 7), (0, 1048576, 1))
    ]
    told = facts(30, 64, 90, hugepages=rows)
    assert blocks_after(told, 9, "reclaim") == 47
    assert blocks_after(told, 9, "reclaim", node=1) == 7
    assert blocks_after(told, 18, "reclaim") == 1
    with pytest.raises(SurveyError, match=r"huge pages alone \(2048, 1048576 kB\), order 5 is 128 kB"):
        blocks_after(told, 5, "reclaim")


def test_blocks_after_need_a_survey():
    with pytest.raises(SurveyError, match=r"gather_subset \[all, pageblocks\]"):
        blocks_after({}, 9, "compaction")
    with pytest.raises(SurveyError, match="not surveyed: permission denied"):
        blocks_after({"unavailable": {"pageblocks": "permission denied"}}, 9, "compaction")


def hinges(seen, **changes):
    return remediation.hinges_on_survey(seen, dict(assess(seen), **changes))


def test_the_assessment_hinges_on_a_survey_where_compaction_or_a_reboot_is_inferred():
    movable = facts(0, 0, 0)
    assert not hinges(movable)
    plain = dict(movable, pageblock_survey=None)
    assert assess(plain)["remediation"]["action"] == "compact" and hinges(plain)
    unmovable = dict(plain, zones=[dict(plain["zones"][0], migratetypes={"Unmovable": SCATTERED})])
    assert assess(unmovable)["remediation"]["action"] == "drain_and_reboot" and hinges(unmovable)
    unknown = dict(plain, zones=[dict(plain["zones"][0], migratetypes=None)])
    assert assess(unknown)["remediation"]["will_help"] is None and hinges(unknown)
    # A shortage is told by the watermarks, a kernel that cannot compact by itself, and no root stays no root.
    short = dict(plain, meminfo={"memtotal": 1048576, "memfree": 3600, "memavailable": 3600})
    assert assess(short)["remediation"]["action"] == "add_memory" and not hinges(short)
    assert not hinges(dict(plain, kernel=dict(plain["kernel"], config_compaction=False)))
    assert not hinges(
        dict(plain, unavailable={"pagetypeinfo": "/proc/pagetypeinfo: permission denied, root can read it"})
    )
    # One that is well is left alone, whatever huge pages there are.
    assert not hinges(plain, level="low")


@pytest.mark.parametrize("name", [name for name in build_roots.names() if name.endswith("healthy")])
def test_a_healthy_node_is_not_asked_a_second_time(name, node_root):
    seen = _facts.collect(Node(node_root(name)))
    assert not hinges(seen)
