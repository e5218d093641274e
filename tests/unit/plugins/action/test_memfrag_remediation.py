# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import time
import typing as t
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.kernelops.memfrag.plugins.action import memfrag_remediation
from ansible_collections.kernelops.memfrag.plugins.filter.remedy import FilterModule as RemedyFilter
from ansible_collections.kernelops.memfrag.plugins.filter.remedy_outcome import FilterModule as OutcomeFilter
from ansible_collections.kernelops.memfrag.plugins.modules import memfrag_remediation as documentation
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _kill_switch, _marks, _records
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import make_record

decide = RemedyFilter().filters()["remedy"]
outcome = OutcomeFilter().filters()["remedy_outcome"]
HELP = {
    "action": "compact",
    "will_help": True,
    "reason": "movable",
    "order": 5,
    "node": 0,
    "zone": "Normal",
    "blocks": None,
}


@pytest.fixture(name="act")
def act_fixture(tmp_path: t.Any, monkeypatch: t.Any) -> t.Any:
    """-> a function that takes a step of a remediation for a host, started in an empty directory"""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_kill_switch, "PATH", str(tmp_path / "disable"))
    for name in ("drain.yml", "return.yml"):
        (tmp_path / name).write_text("---\n")

    def act(
        step: str, host: str = "a", check_mode: bool = False, facts: dict[str, t.Any] | None = None, **options: t.Any
    ) -> t.Any:
        task = mock.MagicMock(args={"step": step, **options}, async_val=0, check_mode=check_mode)
        action = memfrag_remediation.ActionModule(
            task=task,
            connection=mock.MagicMock(),
            play_context=mock.MagicMock(),
            loader=mock.MagicMock(),
            templar=mock.MagicMock(),
            shared_loader_obj=None,
        )
        action._load_name = "memfrag_remediation"
        return action.run(task_vars={"inventory_hostname": host, "ansible_facts": facts or {}})

    return act


def remedy(host: str, **more: t.Any) -> dict[str, t.Any]:
    run = {"reclaim": "all", "records_dir": "/nonexistent", "process": 1, "after": None, "check_mode": False}
    return {**decide({"status": "failed"}, host, run), "outcome": "waiting", "go": True, "order": 5, **more}


def books(run: dict[str, t.Any]) -> dict[str, str]:
    with open(os.path.join(run["report_dir"], "remediation.jsonl"), encoding="utf-8") as stream:
        return {one["host"]: one["outcome"] for one in map(json.loads, stream)}


def test_every_path_is_made_absolute_once(act: t.Any, tmp_path: t.Any) -> None:
    run = act("prepare", before="drain.yml", after="./return.yml", hosts=["a", "b"], run_id="r1")["run"]
    assert run["records_dir"] == str(tmp_path / "memfrag-audit")
    assert run["report_dir"] == str(tmp_path / "memfrag-audit" / "r1")
    assert (run["before"], run["after"]) == (str(tmp_path / "drain.yml"), str(tmp_path / "return.yml"))
    assert run["limit"] == 5 and not run["check_mode"]
    assert act("prepare", report_dir="out", run_id="r1")["run"]["report_dir"] == str(tmp_path / "out")
    for path in ("memfrag-audit", "memfrag-audit/r1"):
        assert os.stat(tmp_path / path).st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": "prepare", "after": "none.yml"}, r"memfrag_remediate_after: there is no file .*/none\.yml"),
        ({"step": "prepare", "before": "none.yml"}, "memfrag_remediate_before: there is no file"),
        ({"step": "prepare", "limit": "many"}, "memfrag_remediate_limit: 'many' is neither a number"),
        ({"step": "prepare", "run_id": "../x"}, r"run_id must start with .* not '\.\./x'"),
        ({"step": "prepare", "reclaim": "some"}, "some"),
        ({"step": "prepare", "records_dir": "drain.yml"}, "The step prepare failed: .*drain.yml"),
        ({"step": "take"}, "step take needs run"),
        ({"step": "leap"}, "leap"),
    ],
)
def test_what_is_wrong_is_named(act: t.Any, options: t.Any, message: str) -> None:
    with pytest.raises(AnsibleError, match=message):
        act(**options)


def test_whose_facts_are_variables_of_the_playbooks_does_not_get_in(act: t.Any, tmp_path: t.Any) -> None:
    assert act("enter", facts={"memfrag": {}, "os_family": "x"}) == {"changed": False}
    with pytest.raises(AnsibleError, match="Nothing is done: among the facts of a there is memfrag_remediate_after"):
        act("enter", facts={"memfrag_remediate_after": "x"})
    assert not (tmp_path / "memfrag-audit").exists()


def test_a_node_is_taken_and_given_back(act: t.Any) -> None:
    run = act("prepare", after="return.yml", hosts=["a", "b"], run_id="r1")["run"]
    assert act("open", run=run, hosts=["a", "b"], remedies=[remedy("a"), remedy("b")])["to_mend"] == ["a", "b"]
    taken = act("take", run=run, remedy=remedy("a"))["remedy"]
    assert taken["go"] and taken["taken"]
    assert [mark.host for mark in _marks.standing(run["records_dir"], run["process"])] == ["a"]
    # What is left if the run ends here.
    assert books(run) == {"a": "failed", "b": "waiting"}
    act("give_back", run=run)
    act("note", run=run, remedy=dict(taken, outcome="mended"))
    assert books(run) == {"a": "mended", "b": "waiting"}
    closed = act("close", run=run)
    assert not closed.get("failed") and "Mended: 1" in closed["summary"]
    for name in ("remediation.txt", "remediation.jsonl"):
        assert os.stat(os.path.join(run["report_dir"], name)).st_mode & 0o777 == 0o600


def test_no_mark_without_a_second_hook_and_none_in_check_mode(act: t.Any) -> None:
    run = act("prepare", hosts=["a"], run_id="r1")["run"]
    act("open", run=run, hosts=["a"], remedies=[remedy("a")])
    assert act("take", run=run, remedy=remedy("a"))["remedy"]["taken"]
    run = act("prepare", check_mode=True, after="return.yml", hosts=["a"], run_id="r2")["run"]
    act("open", run=run, hosts=["a"], remedies=[remedy("a")])
    assert not act("take", run=run, remedy=remedy("a"))["remedy"]["taken"]
    assert _marks.standing(run["records_dir"], run["process"]) == []


def test_the_next_run_gives_back_what_it_was_asked_for(act: t.Any) -> None:
    run = act("prepare", after="return.yml", hosts=["a", "b"], run_id="r1")["run"]
    for host in ("a", "b"):
        _marks.put(run["records_dir"], host, "r0", 1 << 30)
    after = {"after": "return.yml", "hosts": ["b", "c"], "run_id": "r2"}
    again = act("prepare", **after)["run"]
    assert again["taken"] == again["give_back"] == ["b"]
    assert act("prepare", check_mode=True, **after)["run"]["give_back"] == []
    assert act("prepare", hosts=["b"], run_id="r3")["run"]["give_back"] == []
    # The other one's mark is in the report.
    act("open", run=again, hosts=["b", "c"], remedies=[remedy("c")])
    lines = act("close", run=again)["summary"]
    assert any(line.startswith("  a: taken by run r0") for line in lines)
    # b was lost on the way.
    assert books(again)["b"] == "failed"


def test_a_node_in_the_hands_of_another_run_is_not_touched(act: t.Any) -> None:
    run = act("prepare", after="return.yml", hosts=["a"], run_id="r1")["run"]
    _marks.put(run["records_dir"], "a", "r0", os.getpid())
    assert act("prepare", after="return.yml", hosts=["a"], run_id="r1")["run"]["give_back"] == []
    act("open", run=run, hosts=["a"], remedies=[remedy("a")])
    taken = act("take", run=run, remedy=remedy("a"))["remedy"]
    assert not taken["go"] and not taken["taken"] and taken["outcome"] == "left_alone"
    assert _marks.find(run["records_dir"], "a", 0) is not None


def test_a_run_that_has_ended_takes_nothing(act: t.Any) -> None:
    run = act("prepare", after="return.yml", hosts=["a"], run_id="r1")["run"]
    act("open", run=run, hosts=["a"], remedies=[remedy("a")])
    with pytest.raises(AnsibleError, match="the run has ended"):
        act("take", run=dict(run, process=1 << 30), remedy=remedy("a"))
    assert _marks.standing(run["records_dir"], 0) == []


def test_the_books_of_a_run_that_goes_on_are_its_own(act: t.Any, monkeypatch: t.Any) -> None:
    monkeypatch.setattr(time, "time", lambda: 1.8e9)
    ours, other = os.getpid(), os.getppid()

    def prepare(process: int, **options: t.Any) -> t.Any:
        monkeypatch.setattr(os, "getppid", lambda: process)
        return act("prepare", hosts=["a"], **options)["run"]

    first = prepare(ours)
    act("open", run=first, hosts=["a"], remedies=[remedy("a")])
    # Two that are started at once, for two parts of a fleet.
    assert prepare(other)["run_id"] > first["run_id"]
    same = ({"run_id": first["run_id"]}, {"report_dir": first["report_dir"]})
    for options in same:
        with pytest.raises(AnsibleError, match="another remediation goes on that keeps its books in "):
            prepare(other, **options)
    assert books(first) == {"a": "waiting"}
    monkeypatch.setattr(_marks, "_alive", lambda process: False)
    assert all(prepare(other, **options)["report_dir"] == first["report_dir"] for options in same)


def test_limit_and_stop_hold_for_the_whole_run(act: t.Any) -> None:
    hosts = ["a", "b", "c"]
    run = act("prepare", after="return.yml", hosts=hosts, run_id="r1", limit="2")["run"]
    act("open", run=run, hosts=hosts, remedies=[remedy(host) for host in hosts])
    for host in ("a", "b"):
        taken = act("take", host, run=run, remedy=remedy(host))["remedy"]
        act("note", host, run=run, remedy=dict(taken, outcome="mended"))
    held = act("ask", "c", run=run, remedy=remedy("c"))["remedy"]
    assert not held["go"] and held["outcome"] == "waiting" and "memfrag_remediate_limit" in held["reason"]
    act("note", "b", run=run, remedy=remedy("b", outcome="worse", reason="rose"))
    held = act("ask", "c", run=run, remedy=remedy("c"))["remedy"]
    assert held["reason"] == "the roll-out was stopped at b"
    closed = act("close", run=run)
    assert closed["failed"] and "stopped at b: worse, rose. The report is" in closed["msg"]


@pytest.mark.parametrize("line", ["[]", "{}", '{"host": "b"}', "[" * 100000, "{"])
def test_books_that_are_not_what_was_written_hold_every_node(act: t.Any, line: str) -> None:
    run = act("prepare", hosts=["a"], run_id="r1")["run"]
    act("open", run=run, hosts=["a"], remedies=[remedy("a")])
    with open(os.path.join(run["report_dir"], "remediation.jsonl"), "a", encoding="utf-8") as stream:
        stream.write(line)
    with pytest.raises(AnsibleError, match=r"remediation\.jsonl:2: not "):
        act("take", run=run, remedy=remedy("a"))


@pytest.mark.parametrize(
    "value", [True, "true", "YES", "on", "1", "here", "fifo", "dangling", "drain.yml/x", "x" * 5000]
)
def test_the_kill_switch_holds_every_node(act: t.Any, tmp_path: t.Any, value: t.Any) -> None:
    (tmp_path / "here").write_text("change freeze\x1b[2J\nsecond line\n")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    run = act("prepare", hosts=["a"], run_id="r1", kill_switch=value)["run"]
    act("open", run=run, hosts=["a"], remedies=[remedy("a")])
    held = act("take", run=run, remedy=remedy("a"))["remedy"]
    if value == "drain.yml/x":
        # Nothing can be below a file.
        assert held["taken"]
        return
    assert not held["go"] and held["outcome"] == "waiting" and "kill switch" in held["reason"]
    assert value != "here" or "change freeze" in held["reason"] and held["reason"].isprintable()


@pytest.mark.parametrize("value", [None, False, "off", "no", "", "none.stop"])
def test_the_kill_switch_is_off_where_there_is_none(act: t.Any, tmp_path: t.Any, value: t.Any) -> None:
    run = act("prepare", hosts=["a"], run_id="r1", kill_switch=value)["run"]
    act("open", run=run, hosts=["a"], remedies=[remedy("a")])
    assert act("ask", run=run, remedy=remedy("a"))["remedy"]["go"]
    if value != "none.stop":
        (tmp_path / "disable").touch()
        assert not act("ask", run=run, remedy=remedy("a"))["remedy"]["go"]


def test_the_filters_read_the_records(act: t.Any) -> None:
    run = act("prepare", hosts=["a"], run_id="r1")["run"]
    record = make_record("a")
    record["assessment"] = {"level": "high", "score": 60, "summary": "s", "findings": [], "remediation": HELP}
    path = _records.write(run["records_dir"], "r1", record)
    audited = {"status": "audited", "record": path}
    decided = decide(audited, "a", run)
    assert decided["go"] and decided["order"] == 5 and decided["zones"] == ["Normal"]
    assert outcome(decided, asked={"reason": "needed", "message": "m"})["go"]
    done = outcome(decided, compaction={"reason": "forced", "message": "did"}, audit=audited)
    assert (done["outcome"], done["reason"]) == ("no_better", "did")
    assert outcome(decided, trouble={"task": "drain", "msg": "no"})["reason"] == "drain: no"
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("{")
    broken = decide(audited, "a", run)
    assert broken["outcome"] == "unknown" and "not valid JSON" in broken["reason"]
    assert decide({"unreachable": True, "msg": "no\x1b ssh"}, "a", run)["reason"].isprintable()


def test_the_filters_refuse(act: t.Any) -> None:
    with pytest.raises(AnsibleError, match="must come from kernelops.memfrag.remedy, not str"):
        outcome("x")
    with pytest.raises(AnsibleError, match="needs the name of the host"):
        decide({}, "a", None)


def test_the_documentation_has_the_options_of_the_action() -> None:
    documented = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    assert set(documented) == set(memfrag_remediation.ARGUMENTS)
    for name, spec in memfrag_remediation.ARGUMENTS.items():
        assert documented[name]["type"] == spec["type"], name
        assert documented[name].get("elements") == spec.get("elements"), name
        assert documented[name].get("default") == spec.get("default"), name
        assert documented[name].get("choices") == spec.get("choices"), name
        assert documented[name].get("required", False) == spec.get("required", False), name


def test_the_audits_of_a_remediation_take_the_variables_of_the_audit() -> None:
    playbooks = os.path.join(os.path.dirname(documentation.__file__), "..", "..", "playbooks")

    def audits(name: str) -> list[dict[str, str]]:
        with open(os.path.join(playbooks, name), encoding="utf-8") as stream:
            plays = yaml.safe_load(stream)
        tasks = [task for play in plays for one in play.get("tasks", [play]) for task in one.get("block", [one])]
        return [task["kernelops.memfrag.memfrag_audit"] for task in tasks if "kernelops.memfrag.memfrag_audit" in task]

    (wanted,) = audits("audit.yml")
    (again,) = audits("tasks/remediate_batch.yml")
    # Where nobody says otherwise it looks as closely as the first one.
    assert again.pop("pageblocks") == "{{ memfrag_pageblocks | default(memfrag_remedy.pageblocks) }}"
    again["pageblocks"] = wanted["pageblocks"]
    for options in [*audits("remediate.yml"), again]:
        # To watch who fragments a node is for an audit: a remediation would do it three times.
        assert set(options) == set(wanted) - {"watch_seconds"}
        assert all(options[name] == wanted[name] for name in set(options) - {"records_dir", "run_id"})
