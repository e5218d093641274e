# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import plan
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _remediation
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._marks import Mark
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._remediation import decide, outcome

HOSTILE = "\x1b[2J web\u202e\n{{ lookup('pipe', 'id') }}" + "x" * 3000


def assessment(
    action: str = "compact", will_help: bool | None = True, level: str = "high", score: int = 60, **more: t.Any
) -> dict[str, t.Any]:
    remediation = {
        "action": action,
        "will_help": will_help,
        "reason": f"why {action}",
        "order": 4,
        "node": 1,
        "zone": "Normal",
    }
    return {
        "level": level,
        "score": score,
        "summary": "as it is",
        "findings": [],
        "remediation": {**remediation, "blocks": None, **more},
    }


def remedy(**more: t.Any) -> dict[str, t.Any]:
    return {**decide("n", assessment(), None, None), **more}


WELL = assessment("none", None, "low", 0)
MARK = Mark("n", "r0", False)


@pytest.mark.parametrize(
    ("verdict", "options", "expected", "reason"),
    [
        (assessment(), {}, "waiting", "why compact"),
        (assessment("reclaim_then_compact"), {}, "waiting", "why reclaim_then_compact"),
        (assessment("reclaim_then_compact"), {"reclaim": "none"}, "left_alone", "memfrag_remediate_reclaim is none"),
        (assessment(will_help=None), {}, "left_alone", "why compact"),
        (assessment(order=None), {}, "left_alone", "why compact"),
        (assessment(order=True), {}, "left_alone", "why compact"),
        (assessment("drain_and_reboot", False), {}, "left_alone", "why drain_and_reboot"),
        (assessment("add_memory", False), {}, "left_alone", "why add_memory"),
        (assessment("none", None), {}, "left_alone", "why none"),
        (WELL, {}, "healthy", "why none"),
        (assessment("none", None, "unknown"), {}, "left_alone", "why none"),
        (None, {"trouble": "no ssh"}, "unknown", "no ssh"),
        (None, {}, "unknown", "could not be audited"),
        # Given back first of all, if there is a mark. Where it still is, that failed.
        (assessment(), {"mark": MARK, "trouble": "uncordon: no"}, "failed", "uncordon: no"),
        (WELL, {"mark": MARK}, "failed", "was not given back"),
        (None, {"mark": MARK, "trouble": "no ssh"}, "failed", "r0"),
        (assessment(), {"mark": MARK, "check_mode": True}, "waiting", "would be given back"),
        (assessment(), {"mark": MARK, "can_return": False}, "left_alone", "memfrag_remediate_after"),
        (assessment(), {"mark": Mark("n", "r0", True)}, "left_alone", "goes on"),
    ],
)
def test_decide(verdict: t.Any, options: t.Any, expected: str, reason: str) -> None:
    decided = decide("n", verdict, None, options.pop("trouble", None), **options)
    assert decided["outcome"] == expected and reason in decided["reason"]
    assert decided["go"] is (expected == "waiting" and "mark" not in options)
    assert decided["before"].get("score") == (verdict or {}).get("score") and "findings" not in decided["before"]
    assert not decided["taken"]


@pytest.mark.parametrize(
    ("reason", "expected", "go"),
    [
        ("needed", "waiting", True),
        ("met", "waiting", True),
        ("forced", "waiting", True),
        ("unmovable", "left_alone", False),
        ("memory_shortage", "left_alone", False),
        ("unsupported", "left_alone", False),
        ("kill_switch", "held_off", False),
        ("container", "held_off", False),
        # Another matter once the node is out of service.
        ("load", "waiting", True),
        ("pressure", "waiting", True),
        ("locked", "waiting", True),
        ("not_writable", "failed", False),
        ("not_live", "failed", False),
        ("no_zones", "failed", False),
        (None, "failed", False),
        ("rm -rf", "failed", False),
        (["needed"], "failed", False),
        (5, "failed", False),
    ],
)
def test_asked(reason: t.Any, expected: str, go: bool) -> None:
    answer = _remediation.asked(remedy(), {"reason": reason, "message": HOSTILE})
    assert (answer["outcome"], answer["go"]) == (expected, go)
    assert expected == "waiting" or len(answer["reason"]) < 2000 and answer["reason"].isprintable()


def test_every_reason_of_the_module_is_known_here() -> None:
    for reason in ("needed", "forced", *plan.NOT_NEEDED, *plan.HELD_OFF, *plan.NO_HELP, *plan.FAILED):
        assert _remediation._answered({"reason": reason, "message": "m"}) == (reason, "m")


DONE = {"reason": "forced", "message": "compacted node 0", "helped": True, "duration_seconds": 0.5, "nodes": [0]}

OUTCOMES = [
    (DONE, WELL, None, "mended"),
    (DONE, assessment(level="medium"), None, "mended"),
    (DONE, assessment("none", level="high"), None, "mended"),
    (DONE, assessment(), None, "no_better"),
    (DONE, assessment(score=59), None, "no_better"),
    (DONE, assessment(score=61), None, "worse"),
    (DONE, assessment(level="low", score=61), None, "worse"),
    (DONE, None, None, "failed"),
    (dict(DONE, reason="met"), WELL, None, "mended"),
    (dict(DONE, reason="load"), assessment(), None, "held_off"),
    (dict(DONE, reason="kill_switch"), WELL, None, "held_off"),
    (dict(DONE, reason="unmovable"), WELL, None, "left_alone"),
    (dict(DONE, reason="not_writable"), WELL, None, "failed"),
    (dict(DONE, unreachable=True), WELL, None, "failed"),
    ({"unreachable": True, "msg": "no ssh"}, WELL, None, "failed"),
    ({"skipped": True}, WELL, None, "failed"),
    (None, WELL, None, "failed"),
    ("compacted", WELL, None, "failed"),
    (DONE, WELL, "uncordon", "failed"),
    (dict(DONE, reason="load"), assessment(), "uncordon", "failed"),
    (None, None, "drain", "failed"),
]


@pytest.mark.parametrize(("compaction", "after", "trouble", "expected"), OUTCOMES)
def test_outcome(compaction: t.Any, after: t.Any, trouble: t.Any, expected: str) -> None:
    done = outcome(remedy(taken=True), compaction, after, "timed out", trouble)
    assert done["outcome"] == expected
    assert bool(done["after"]) == bool(after) and done["before"]["score"] == 60
    assert done["reason"]
    if trouble:
        assert done["reason"] == trouble
    elif after is None:
        assert "timed out" in done["reason"]


@pytest.mark.parametrize(
    ("settled", "reason"),
    [("left_alone", "unmovable"), ("held_off", "disabled"), ("waiting", "limit"), ("failed", "gone")],
)
def test_a_node_that_was_not_begun_keeps_its_outcome(settled: str, reason: str) -> None:
    done = outcome(remedy(go=False, outcome=settled, reason=reason), {"skipped": True}, WELL)
    assert (done["outcome"], done["reason"], done["compaction"]) == (settled, reason, {})


def test_check_mode_compares_nothing() -> None:
    assert outcome(remedy(), dict(DONE, reason="needed"), None, check_mode=True)["outcome"] == "waiting"


@pytest.mark.parametrize("field", ["reason", "message", "msg", "nodes", "helped", "satisfied", "duration_seconds"])
@pytest.mark.parametrize(
    "value", [HOSTILE, -1, 1e999, float("nan"), True, None, [], [HOSTILE] * 2000, {"a": {"b": 1}}, {}]
)
def test_what_a_node_answers_is_data(field: str, value: t.Any) -> None:
    done = outcome(remedy(taken=True), {**DONE, field: value}, WELL)
    assert done["outcome"] in ("mended", "failed")
    assert set(done["compaction"]) <= {"reason", "message", "helped", "satisfied", "duration_seconds", "nodes"}
    assert len(str(done)) < 10000
    assert all(line.isprintable() for line in _remediation.summary("r", [done]))


def test_the_order_that_is_missing_is_compacted_for(node_root: t.Any) -> None:
    facts = _facts.collect(Node(node_root("6.12.107+deb13-arm64-16k/fragmented-movable")))
    decided = decide("n", assess(facts), facts, None)
    assert decided["go"]
    assert (decided["order"], decided["nodes"], decided["zones"]) == (11, [0], ["DMA"])


def test_other_numa_nodes_that_need_compaction_go_with_it() -> None:
    compaction = "needs_compaction"
    facts: dict[str, t.Any] = {
        "kernel": {"hugepage_order": 9},
        "allocatable": [
            {
                "order": 4,
                "needed_by": [],
                "nodes": {"0": compaction, "1": compaction, "2": "ok", "3": "exhausted", "9": compaction},
            },
            {"order": 5, "needed_by": ["net"], "nodes": {"2": compaction}},
            {"order": 6, "needed_by": [], "nodes": {"3": compaction}},
            {"order": 9, "needed_by": ["thp"], "nodes": {"3": compaction}},
        ],
        "zones": [
            {"node": 0, "zone": "DMA", "managed_pages": 4000, "free_pages": 9},
            {"node": 0, "zone": "DMA32", "managed_pages": 90000, "free_pages": 9},
            {"node": 0, "zone": "Movable", "managed_pages": 99999, "free_pages": 9},
            {"node": 1, "zone": "Normal", "managed_pages": None, "free_pages": 9},
            {"node": 2, "zone": "Normal", "managed_pages": 5, "free_pages": 9},
            {"node": 3, "zone": "Normal", "managed_pages": 5, "free_pages": 9},
        ],
    }
    decided = decide("n", assessment(), facts, None)
    assert (decided["nodes"], decided["zones"]) == ([0, 1, 2], ["DMA32", "Normal"])
    for broken in (
        {},
        {"allocatable": 5},
        {**facts, "allocatable": [{"order": 4}]},
        {**facts, "allocatable": [{"order": 4, "nodes": {"x": compaction}}]},
        {**facts, "zones": None},
    ):
        decided = decide("n", assessment(), broken, None)
        assert (decided["go"], decided["nodes"], decided["zones"]) == (True, [1], ["Normal"])


@pytest.mark.parametrize(
    ("value", "nodes", "expected"),
    [
        (None, 1, 5),
        (None, 50, 5),
        (None, 51, 6),
        (None, 10000, 1000),
        ("10%", 11, 2),
        ("0", 9, 0),
        (3, 9, 3),
        ("100%", 7, 7),
    ],
)
def test_limit(value: t.Any, nodes: int, expected: int) -> None:
    assert _remediation.limit_of(value, nodes) == expected


@pytest.mark.parametrize("value", ["", "-1", "ten", "101%", "0.1", True, [1], "1\n2"])
def test_a_wrong_limit_is_named(value: t.Any) -> None:
    with pytest.raises(_remediation.RemediationError, match="memfrag_remediate_limit: .* is neither"):
        _remediation.limit_of(value, 10)


def test_what_holds_back_the_next_node() -> None:
    taken = [remedy(taken=True, outcome="mended") for dummy in range(3)]
    assert _remediation.held_back(taken, 4) is None
    assert "3 nodes have been begun" in str(_remediation.held_back(taken, 3))
    assert _remediation.held_back([], 5, "off") == "off"
    assert "begun" in str(_remediation.held_back([], 0))
    for name in _remediation.OUTCOMES:
        stopped = _remediation.held_back([remedy(outcome=name)], 9)
        assert (stopped is not None) == (name in ("worse", "no_better", "held_off", "failed"))


def test_summary_has_every_mixture_of_outcomes() -> None:
    names = list(_remediation.OUTCOMES)
    for size in (1, 2, 9):
        for mixture in itertools.combinations(names, size):
            remedies = [remedy(host=f"n{number}", outcome=name) for number, name in enumerate(mixture)]
            lines = _remediation.summary("r1", remedies)
            titles = [line for line in lines if line.endswith(": 1")]
            assert titles == [f"{_remediation.OUTCOMES[name]}: 1" for name in mixture]
            stopping = [item["host"] for item in remedies if item["outcome"] in _remediation.STOPPING]
            verdict = _remediation.verdict(remedies)
            assert (verdict is None) == (not stopping)
            assert verdict is None or all(host in verdict for host in stopping)


def test_summary_names_the_marks() -> None:
    lines = _remediation.summary("r1", [], [Mark("n2", "r0", False), Mark("n10\x1b[2J", "r9", True)])
    assert lines[2] == "Not given back, and may be out of service: 2"
    assert lines[3].startswith("  n2: taken by run r0; a run for this node") and "which goes on" in lines[4]
    assert all(line.isprintable() for line in lines)


ROW = {"node": 1, "zone": "Normal", "order": 4, "now": 3, "low": 40, "expected": 70, "high": 90, "obtained": None}


def test_the_second_audit_looks_as_closely_as_the_first() -> None:
    assert remedy()["pageblocks"] == "false"
    measured = assessment(blocks={"low": 1, "expected": 2, "high": 3})
    assert decide("n", measured, None, None)["pageblocks"] == "true"


def test_what_was_expected_and_what_came_of_it_are_in_the_report() -> None:
    waiting = _remediation.asked(remedy(), {"reason": "needed", "message": "m", "promised": [ROW, {**ROW, "order": 9}]})
    assert waiting["promised"] == [ROW]
    expected = "expected 70 free blocks of order 4 (40 to 90, 3 before)"
    assert f"    {expected}" in _remediation.summary("r", [outcome(waiting, check_mode=True)])
    # It was not begun, or held off: what was expected stays.
    assert outcome(waiting, {**DONE, "reason": "load"}, assessment())["promised"] == [ROW]
    done = outcome(waiting, {**DONE, "promised": [{**ROW, "obtained": 66}]}, WELL)
    assert f"    {expected}, obtained 66" in _remediation.summary("r", [done])
    # Once is enough.
    said = outcome(
        waiting, {**DONE, "promised": [{**ROW, "obtained": 66}], "message": f"{expected}, obtained 66"}, WELL
    )
    assert sum("obtained 66" in line for line in _remediation.summary("r", [said])) == 1


@pytest.mark.parametrize(
    "promised",
    [None, 5, HOSTILE, [HOSTILE], [None], [{**ROW, "zone": 5}], [{**ROW, "high": -1}], [{**ROW, "low": True}],
     [{**ROW, "expected": 0.5}], [{**ROW, "obtained": "x"}], [{}]],
)  # fmt: skip
def test_what_is_no_promise_is_dropped(promised: t.Any) -> None:
    assert _remediation.asked(remedy(), {"reason": "needed", "message": "m", "promised": promised})["promised"] == []


def test_what_is_not_to_be_shown_is_not() -> None:
    assert _remediation.complaint(None) is None
    assert _remediation.complaint({"task": "drain", "msg": "a\nb"}) == "drain: a b"
    assert "secret" not in str(_remediation.complaint({"task": "drain", "msg": "secret", "hidden": True}))
