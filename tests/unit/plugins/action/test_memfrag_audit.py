# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action, with its connection to the node taken by the module's own main()."""

from __future__ import annotations

import contextlib
import json
import os
import time
import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.playbook.task import Task
from ansible.template import Templar

from ansible_collections.kernelops.memfrag.plugins.action import memfrag_audit
from ansible_collections.kernelops.memfrag.plugins.action.memfrag_audit import ActionModule
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess

with contextlib.suppress(ImportError):
    from ansible._internal._datatag._tags import TrustedAsTemplate  # ansible-core 2.19 and newer

Answer = t.Callable[[dict[str, t.Any]], dict[str, t.Any]]
Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture(name="run")
def run_fixture(monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any) -> Run:
    """-> a function that runs the action for a host; ``answer`` stands for the node, ``survey`` for it the second time, ``watch`` the third."""
    monkeypatch.chdir(tmp_path)

    def run(
        answer: Answer, host: str = "node1", survey: Answer | None = None, watch: Answer | None = None, **options: t.Any
    ) -> dict[str, t.Any]:
        task = Task()
        task.action = "kernelops.memfrag.memfrag_audit"
        # Without somebody who answers the second time nobody is asked.
        task.args = {**({} if survey else {"pageblocks": "false"}), **options}
        task.async_val = 0
        action = ActionModule(
            task=task,
            connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
            play_context=types.SimpleNamespace(check_mode=False, diff=False),
            loader=None,
            templar=Templar(loader=None),
            shared_loader_obj=None,
        )

        def execute(module_name: str, module_args: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
            if module_name == "kernelops.memfrag.memfrag_facts":
                assert survey is not None
                return survey(module_args)
            if module_name == "kernelops.memfrag.memfrag_watch":
                assert watch is not None
                return watch(module_args)
            wanted = "memfrag_audit" if options.get("journal", True) else "memfrag_audit_facts"
            assert module_name == "kernelops.memfrag." + wanted
            return answer(module_args)

        monkeypatch.setattr(action, "_execute_module", execute)
        return action.run(task_vars={"inventory_hostname": host, "group_names": ["web", "all"]})

    return run


@pytest.fixture(name="node")
def node_fixture(run_module: t.Any, node_root: t.Any) -> Answer:
    root = node_root("seeds/001-failing")
    return lambda options: dict(run_module("memfrag_audit", dict(options, root=root, journal=False)))


def record_of(result: dict[str, t.Any]) -> dict[str, t.Any]:
    with open(result["record"], encoding="utf-8") as stream:
        return dict(json.load(stream))


def test_an_audited_host(run: Run, node: Answer) -> None:
    result = run(node, run_id="r1")
    assert (result["status"], result["level"], result["failed"], result["changed"]) == (
        "audited",
        "critical",
        False,
        False,
    )
    assert os.path.isabs(result["record"]) and result["record"].endswith("/memfrag-audit/r1/node1.json")
    # What comes back to the controller's memory stays small.
    assert len(json.dumps(result)) < 1000
    record = record_of(result)
    assert (record["host"], record["status"], record["error"]) == ("node1", "audited", None)
    assert record["groups"] == ["all", "web"]
    assert record["facts"]["slab"]["nf_conntrack_caches"] == 8
    assert record["assessment"]["level"] == "critical"
    assert record["duration_seconds"] >= 0


def test_only_what_the_node_needs_goes_there(run: Run) -> None:
    seen: list[dict[str, t.Any]] = []

    def answer(options: dict[str, t.Any]) -> dict[str, t.Any]:
        seen.append(options)
        return {"failed": True, "msg": "no"}

    run(answer, policy={"spare_blocks": 3}, since="-1h")
    assert seen[0]["since"] == "-1h"
    assert not {"policy", "records_dir", "run_id"} & set(seen[0])


def test_without_a_journal_the_node_gets_the_facts_module_alone(
    run: Run, node: Answer, run_module: t.Any, node_root: t.Any
) -> None:
    root = node_root("seeds/001-failing")
    seen: list[dict[str, t.Any]] = []

    def answer(options: dict[str, t.Any]) -> dict[str, t.Any]:
        seen.append(options)
        return dict(run_module("memfrag_audit_facts", dict(options, root=root)))

    record = record_of(run(answer, run_id="r1", journal=False, top_slabs=3))
    assert seen == [{"root": "/", "gather_subset": ["all"], "top_slabs": 3, "deadline_seconds": 120}]
    other = record_of(run(node, run_id="r2", top_slabs=3))
    for one in (record, other):
        one["facts"].pop("collected_at")
    assert record["status"] == "audited" and record["journal"] is None
    assert (record["facts"], record["assessment"]) == (other["facts"], other["assessment"])


def test_a_failed_host_without_a_journal_says_why(run: Run, run_module: t.Any) -> None:
    result = run(
        lambda options: dict(run_module("memfrag_audit_facts", dict(options, root="/nowhere"))),
        run_id="r1",
        journal=False,
    )
    assert result["failed"] and result["msg"] == record_of(result)["error"] == "/nowhere: root is not a directory"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"failed": True, "msg": "/x: root is not a directory"}, "/x: root is not a directory"),
        (
            {"failed": True, "msg": "MODULE FAILURE", "module_stderr": "sh: python9: not found\nmore\n"},
            "MODULE FAILURE: sh: python9: not found",
        ),
        (
            {
                "failed": True,
                "msg": "MODULE FAILURE",
                "module_stderr": "Traceback (most recent call last):\n  x\nKeyError: 'y'\n",
            },
            "MODULE FAILURE: KeyError: 'y'",
        ),
        ({"observed": "{nonsense"}, "the module's answer is not JSON"),
    ],
)
def test_a_failed_host_leaves_a_record(run: Run, answer: dict[str, t.Any], error: str) -> None:
    result = run(lambda options: answer, host="<script>../x", run_id="r1")
    assert result["failed"] and error in result["msg"]
    record = record_of(result)
    assert (record["status"], record["facts"], record["host"]) == ("failed", None, "<script>../x")
    assert error in record["error"]


def test_an_unreachable_host_leaves_a_record_and_stays_unreachable(run: Run) -> None:
    def answer(options: dict[str, t.Any]) -> dict[str, t.Any]:
        raise AnsibleConnectionFailure("Connection timed out")

    with pytest.raises(AnsibleConnectionFailure):
        run(answer, run_id="r1")
    with open("memfrag-audit/r1/node1.json", encoding="utf-8") as stream:
        record = json.load(stream)
    assert record["status"] == "unreachable" and "Connection timed out" in record["error"]


def test_a_wrong_policy_fails_before_the_node_is_asked(run: Run) -> None:
    def answer(options: dict[str, t.Any]) -> dict[str, t.Any]:
        raise AssertionError("the node was asked")

    with pytest.raises(AnsibleActionFail, match="policy has no spare; it knows"):
        run(answer, policy={"spare": 1})
    with pytest.raises(AnsibleActionFail, match="run_id must start with a letter or digit"):
        run(answer, run_id="../elsewhere")


def test_a_record_that_cannot_be_written_is_a_failure(run: Run, node: Answer) -> None:
    with pytest.raises(AnsibleActionFail, match="Cannot write the record: .*/dev/null"):
        run(node, run_id="r1", records_dir="/dev/null/records")


def test_rates_come_from_the_record_of_an_earlier_run(run: Run, run_module: t.Any, node_root: t.Any) -> None:
    root = node_root("6.1.0-56-cloud-amd64/healthy")

    def at(time: str, uptime: float, stalls: int) -> Answer:
        def answer(options: dict[str, t.Any]) -> dict[str, t.Any]:
            seen = json.loads(run_module("memfrag_audit", dict(options, root=root, journal=False))["observed"])
            seen["facts"]["collected_at"], seen["facts"]["kernel"]["uptime_seconds"] = time, uptime
            seen["facts"]["vmstat"].update(compact_stall=stalls, compact_fail=stalls)
            return {"observed": json.dumps(seen)}

        return answer

    first = run(at("2026-11-21T10:00:00Z", 3600.0, 1000), run_id="20261121T100000Z")
    assert "MF302" not in str(record_of(first)["assessment"])
    second = run(at("2026-11-21T11:00:00Z", 7200.0, 1500), run_id="20261121T110000Z")
    findings = {found["id"]: found["title"] for found in record_of(second)["assessment"]["findings"]}
    assert findings["MF302"] == "500 of 500 direct compactions failed in 1.0 hours"


def test_a_node_says_nothing_about_others(run: Run, node: Answer) -> None:
    def answer(options: dict[str, t.Any]) -> dict[str, t.Any]:
        seen = json.loads(node(options)["observed"])
        lies = {
            "host": "honest",
            "status": "audited",
            "started_at": "9999-01-01T00:00:00Z",
            "assessment": {"level": "low"},
        }
        return {
            "observed": json.dumps({**seen, **lies}),
            "ansible_facts": {"ansible_connection": "local"},
            "warnings": ["x"],
        }

    honest = record_of(run(node, host="honest", run_id="r1"))
    result = run(answer, host="liar", run_id="r1")
    assert set(result) == {"changed", "failed", "status", "record", "run_id", "level", "summary"}
    assert sorted(os.listdir("memfrag-audit/r1")) == ["honest.json", "liar.json"]
    with open("memfrag-audit/r1/honest.json", encoding="utf-8") as stream:
        assert json.load(stream) == honest
    record = record_of(result)
    assert (record["host"], record["assessment"]["level"]) == ("liar", "critical") and record["started_at"] < "9999"


def test_a_wrong_answer_is_the_failure_of_that_host(run: Run) -> None:
    result = run(lambda options: {"observed": '{"facts": {"zones": 7}}'}, run_id="r1")
    assert result["failed"] and record_of(result)["facts"] is None
    assert result["msg"] == "the node's answer is not valid: facts: has no collected_at, kernel, unavailable"


def test_an_answer_that_cannot_be_assessed_is_a_failure(
    run: Run, node: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: t.Any, **options: t.Any) -> t.Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(memfrag_audit, "assess", broken)
    result = run(node, run_id="r1")
    assert result["failed"] and result["msg"] == "the node's answer cannot be assessed: ZeroDivisionError: by zero"
    assert record_of(result)["status"] == "failed"


def test_whatever_ends_the_task_there_is_a_record(run: Run) -> None:
    class TimedOut(BaseException):
        """As the timeout of a task comes."""

    def hang(options: dict[str, t.Any]) -> t.Any:
        raise TimedOut

    with pytest.raises(TimedOut):
        run(hang, run_id="r1")
    with open("memfrag-audit/r1/node1.json", encoding="utf-8") as stream:
        record = json.load(stream)
    assert (record["status"], record["error"]) == (
        "failed",
        "the audit was ended before the node had answered (TimedOut)",
    )


def test_a_clock_that_is_set_back_costs_no_host(run: Run, node: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    def set_back(options: dict[str, t.Any]) -> dict[str, t.Any]:
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now - 3600)
        return node(options)

    result = run(set_back, run_id="r1")
    assert result["status"] == "audited" and 0 <= record_of(result)["duration_seconds"] < 3600


def test_what_is_shown_is_clean_and_no_template(run: Run) -> None:
    result = run(lambda options: {"failed": True, "msg": "\x1b[2J{{ 7 * 7 }}\u202e" + "x" * 9000}, run_id="r1")
    assert result["msg"].startswith("{{ 7 * 7 }}xxx") and len(result["msg"]) <= 2000
    assert type(result["msg"]).__name__ == "AnsibleUnsafeText" or not TrustedAsTemplate.is_tagged_on(result["msg"])


def surveyed(node: Answer, **more: t.Any) -> Answer:
    """What memfrag_facts answers with the subset of the pageblocks, on the node that ``node`` stands for."""
    rows = [{"order": order, "now": 0, "low": 300, "expected": 400, "high": 500} for order in range(11)]
    zone = {"node": 0, "zone": "Normal", "blocks": 100, "sampled": 100, "held_by": {"movable": 90, "slab": 10}}
    survey = {"sampled": 100, "total": 100, "complete": True, "zones": [dict(zone, yields=rows)], "callers": None}
    told = {"pageblock_survey": survey, "hugepages": [{"node": 0, "size_kb": 2048, "now": 3}], **more}

    def answer(options: dict[str, t.Any]) -> dict[str, t.Any]:
        assert options == {
            "root": "/",
            "deadline_seconds": 120,
            "gather_subset": ["!all", "sysctl", "pageblocks"],
        }
        return {"ansible_facts": {"memfrag": {**json.loads(node({"top_slabs": 1})["observed"])["facts"], **told}}}

    return answer


def test_a_survey_of_the_pageblocks_is_merged_before_the_node_is_judged(run: Run, node: Answer) -> None:
    plain = record_of(run(node, run_id="r1"))
    assert plain["facts"]["pageblock_survey"] is None and plain["assessment"]["remediation"]["blocks"] is None
    record = record_of(run(node, survey=surveyed(node), run_id="r2", pageblocks=True))
    assert record["facts"]["pageblock_survey"]["zones"][0]["yields"][0]["low"] == 300
    assert record["facts"]["hugepages"] == [{"node": 0, "size_kb": 2048, "now": 3}]
    assert record["assessment"]["remediation"]["blocks"] == {"low": 300, "expected": 400, "high": 500}
    assert record["assessment"]["remediation"]["will_help"] is True
    # Nothing else of the second answer counts.
    assert record["facts"]["slab"] == plain["facts"]["slab"]
    assert record["facts"]["unavailable"] == plain["facts"]["unavailable"]


def unreachable(options: dict[str, t.Any]) -> dict[str, t.Any]:
    raise AnsibleConnectionFailure("\x1b[2Jtimed out")


@pytest.mark.parametrize(
    ("survey", "why"),
    [
        (unreachable, "timed out"),
        (lambda options: {"failed": True, "msg": "out of time"}, "out of time"),
        (lambda options: {"ansible_facts": {"memfrag": {"zones": 7}}}, "the node's answer is not valid: facts: has no"),
        ({"pageblock_survey": None}, "the node did not say what holds its pageblocks"),
        (
            {"pageblock_survey": None, "unavailable": {"pageblocks": "/proc/kpageflags: permission denied"}},
            "/proc/kpageflags: permission denied",
        ),
        ({"pageblock_survey": {"zones": 7}}, "facts.pageblock_survey.zones: must be a list"),
    ],
)
def test_a_survey_that_fails_is_noted_and_nothing_else(run: Run, node: Answer, survey: t.Any, why: str) -> None:
    plain = record_of(run(node, run_id="r1"))
    if isinstance(survey, dict):
        survey = surveyed(node, **{"hugepages": None, **survey})
    record = record_of(run(node, survey=survey, run_id="r2", pageblocks=True))
    note = record["facts"]["unavailable"].pop("pageblocks")
    assert why in note and "\x1b" not in note
    assert record["status"] == "audited"
    for one in (plain, record):
        one["facts"].pop("collected_at")
    assert record["facts"] == plain["facts"]
    assert record["assessment"]["level"] == plain["assessment"]["level"]
    assert record["assessment"]["remediation"] == plain["assessment"]["remediation"]


def refused(options: dict[str, t.Any]) -> dict[str, t.Any]:
    raise AssertionError("the node was asked a second time")


def test_a_node_whose_assessment_hinges_on_its_pageblocks_is_asked_for_them(run: Run, node: Answer) -> None:
    record = record_of(run(node, survey=surveyed(node), run_id="r1"))
    assert record["facts"]["pageblock_survey"]["complete"] is True
    assert record["assessment"]["remediation"]["blocks"] == {"low": 300, "expected": 400, "high": 500}


@pytest.mark.parametrize(("asked", "trips"), [(True, 1), ("true", 1), ("auto", 1), (False, 0), ("false", 0)])
def test_whether_to_ask_can_be_said(run: Run, node: Answer, asked: t.Any, trips: int) -> None:
    seen: list[dict[str, t.Any]] = []

    def survey(options: dict[str, t.Any]) -> dict[str, t.Any]:
        seen.append(options)
        return surveyed(node)(options)

    run(node, survey=survey, run_id="r1", pageblocks=asked)
    assert len(seen) == trips
    with pytest.raises(Exception, match="pageblocks must be one of: auto, true, false"):
        run(node, survey=survey, run_id="r1", pageblocks="now and then")


def test_nobody_else_costs_a_second_round_trip(run: Run, run_module: t.Any, node_root: t.Any, node: Answer) -> None:
    root = node_root("6.1.0-56-cloud-amd64/healthy")

    def healthy(options: dict[str, t.Any]) -> dict[str, t.Any]:
        return dict(run_module("memfrag_audit", dict(options, root=root, journal=False)))

    def elsewhere(options: dict[str, t.Any]) -> dict[str, t.Any]:
        return dict(node(dict(options, root="/")))

    assert run(healthy, survey=refused, run_id="r1")["level"] == "low"
    # Neither what lies on the controller, nor where root is wanting.
    assert run(elsewhere, survey=refused, run_id="r1", root="/host")["level"] == "critical"

    def without_root(options: dict[str, t.Any]) -> dict[str, t.Any]:
        seen = json.loads(node(options)["observed"])
        seen["facts"]["unavailable"]["pagetypeinfo"] = "/proc/pagetypeinfo: permission denied, root can read it"
        return {"observed": json.dumps(seen)}

    assert run(without_root, survey=refused, run_id="r1")["level"] == "critical"


def test_a_survey_that_cannot_be_assessed_leaves_the_first_assessment(
    run: Run, node: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = record_of(run(node, run_id="r1"))

    def broken(facts: dict[str, t.Any], *arguments: t.Any, **options: t.Any) -> t.Any:
        if facts["pageblock_survey"]:
            raise ZeroDivisionError("by zero")
        return assess(facts, *arguments, **options)

    monkeypatch.setattr(memfrag_audit, "assess", broken)
    record = record_of(run(node, survey=surveyed(node), run_id="r2"))
    assert record["status"] == "audited" and record["facts"]["pageblock_survey"] is None
    assert record["facts"]["unavailable"]["pageblocks"] == "cannot be assessed: ZeroDivisionError: by zero"
    assert record["assessment"] == plain["assessment"]


def test_what_ends_the_second_round_trip_costs_nothing_of_the_first(run: Run, node: Answer) -> None:
    class TimedOut(BaseException):
        """As the timeout of a task comes."""

    def hang(options: dict[str, t.Any]) -> t.Any:
        raise TimedOut

    with pytest.raises(TimedOut):
        run(node, survey=hang, run_id="r1")
    with open("memfrag-audit/r1/node1.json", encoding="utf-8") as stream:
        record = json.load(stream)
    assert (record["status"], record["error"], record["assessment"]["level"]) == ("audited", None, "critical")
    assert "(TimedOut)" in record["facts"]["unavailable"]["audit"]


SEEN = {
    "seconds": 60.0,
    "events": 12,
    "overrun": 0,
    "stopped_early": False,
    "fragmenters": [
        {
            "comm": "relay",
            "cgroup": "/kubepods/relay",
            "container": None,
            "function": "anon_pipe_write",
            "stack": ["get_page_from_freelist", "anon_pipe_write"],
            "alloc_migratetype": "Unmovable",
            "fallback_migratetype": "Movable",
            "pollutes": True,
            "pageblocks": 12,
            "taken": 12,
            "events": 12,
        }
    ],
}


def test_a_watch_is_in_the_facts_and_in_the_findings(run: Run, node: Answer) -> None:
    asked: list[dict[str, t.Any]] = []

    def watch(options: dict[str, t.Any]) -> dict[str, t.Any]:
        asked.append(options)
        return {
            **SEEN,
            "changed": False,
            "invocation": {},
            "warnings": ["x"],
            "ansible_facts": {"ansible_connection": "x"},
        }

    assert "watch" not in record_of(run(node, run_id="r1"))["facts"]
    record = record_of(run(node, watch=watch, run_id="r2", watch_seconds=60))
    assert asked == [{"seconds": 60}]
    assert record["facts"]["watch"] == SEEN
    titles = {found["id"]: found["title"] for found in record["assessment"]["findings"]}
    assert (
        titles["MF313"] == "In 60 seconds 12 pageblocks were broken up for good, mostly by relay (anon_pipe_write, 12)"
    )


@pytest.mark.parametrize(
    ("watch", "why"),
    [
        (unreachable, "timed out"),
        (lambda options: {"failed": True, "msg": "no tracepoint"}, "no tracepoint"),
        (lambda options: {"skipped": True, "msg": "nothing is watched in check mode"}, "in check mode"),
        (lambda options: {**SEEN, "events": "many"}, "the node's answer is not valid: watch.events: must be"),
        (
            lambda options: {"changed": False},
            "the node's answer is not valid: watch: has no events, fragmenters, seconds",
        ),
    ],
)
def test_a_watch_that_fails_is_noted_and_nothing_else(run: Run, node: Answer, watch: Answer, why: str) -> None:
    record = record_of(run(node, watch=watch, run_id="r2", watch_seconds=1))
    assert record["status"] == "audited" and "watch" not in record["facts"]
    assert why in record["facts"]["unavailable"]["watch"] and "\x1b" not in record["facts"]["unavailable"]["watch"]


@pytest.mark.parametrize("seconds", [-1, 601])
def test_a_watch_without_end_is_refused_before_the_node_is_asked(run: Run, node: Answer, seconds: int) -> None:
    with pytest.raises(AnsibleActionFail, match=f"watch_seconds must be from 0 to 600, not {seconds}"):
        run(node, run_id="r1", watch_seconds=seconds)
