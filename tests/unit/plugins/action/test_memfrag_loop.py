# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import re
import time
import typing as t
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.kernelops.memfrag.plugins.action import memfrag_loop
from ansible_collections.kernelops.memfrag.plugins.modules import memfrag_loop as documentation
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _kill_switch
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.test__loop import ODD

Act = t.Callable[..., dict[str, t.Any]]


@pytest.fixture(name="records")
def records_fixture(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(_kill_switch, "PATH", str(tmp_path / "disable"))
    return tmp_path / "records"


@pytest.fixture(name="act")
def act_fixture(records: pathlib.Path) -> Act:
    """-> a function that takes a step for a run of that name, about the host "a" and limited to it"""

    def act(
        step: str, run_id: t.Any = "r1", host: t.Any = "a", check_mode: bool = False, **options: t.Any
    ) -> dict[str, t.Any]:
        asked = {"step": step, "hosts": ["a"], "records_dir": str(records), **options}
        action = memfrag_loop.ActionModule(
            task=mock.MagicMock(args=asked, async_val=0, check_mode=check_mode),
            connection=mock.MagicMock(),
            play_context=mock.MagicMock(),
            loader=mock.MagicMock(),
            templar=mock.MagicMock(),
            shared_loader_obj=None,
        )
        action._load_name = "memfrag_loop"
        names = {"memfrag_loop_host": host, "memfrag_loop_run_id": run_id}
        known = {"inventory_hostname": "a", "groups": {"all": ["a"], "web": []}, **names}
        return action.run(task_vars={key: value for key, value in known.items() if value is not None})

    return act


def came_to(records: pathlib.Path, run_id: str, outcome: str, host: str = "a") -> None:
    (records / run_id).mkdir()
    remedy = {"host": host, "outcome": outcome, "reason": "so it is", "before": {"score": 60}, "after": {"score": 10}}
    (records / run_id / "remediation.jsonl").write_text(json.dumps(remedy) + "\n")


def ledger(records: pathlib.Path) -> list[dict[str, t.Any]]:
    return [json.loads(line) for line in (records / "loop.jsonl").read_text().splitlines()]


def later(records: pathlib.Path, minutes: float) -> None:
    """As if all that was so long ago."""
    lines = [json.dumps({**entry, "at": entry["at"] - minutes * 60}) + "\n" for entry in ledger(records)]
    (records / "loop.jsonl").write_text("".join(lines))


@pytest.mark.parametrize("host", [*ODD, "b", "all", "web"], ids=lambda host: ascii(host)[:30])
@pytest.mark.parametrize("step", ["admit", "tell"])
def test_an_odd_host_leads_to_nothing(act: Act, records: pathlib.Path, step: str, host: t.Any) -> None:
    with pytest.raises(AnsibleError, match="Nothing is done"):
        act(step, host=host)
    assert not records.exists()


@pytest.mark.parametrize("hosts", [[], ["a", "b"], ["b"]])
def test_a_run_that_is_not_limited_to_the_host_leads_to_nothing(
    act: Act, records: pathlib.Path, hosts: list[str]
) -> None:
    with pytest.raises(AnsibleError, match="has to be limited to that one"):
        act("admit", hosts=hosts)
    assert not records.exists()


def test_the_node_is_let_in_once(act: Act, records: pathlib.Path) -> None:
    first = act("admit")
    assert first["admitted"] and first["reason"] is None and first["report_dir"] == str(records / "r1")
    came_to(records, "r1", "mended")
    again = act("admit", "r2")
    assert not again["admitted"] and again["reason"].startswith("it was taken 0 minutes ago (run r1, mended")
    assert act("admit", "r1")["reason"] == "there has been a run r1"
    later(records, 31)
    assert act("admit", "r3")["admitted"]
    assert [(entry["run_id"], entry["refused"] is None) for entry in ledger(records)] == [
        ("r1", True),
        ("r2", False),
        ("r3", True),
    ]
    later(records, 24 * 60)
    act("admit", "r4")
    assert [entry["run_id"] for entry in ledger(records)] == ["r4"]


@pytest.mark.parametrize("outcome", ["no_better", "worse", "failed", None])
def test_after_one_that_did_not_get_better_there_is_a_pause_for_all(
    act: Act, records: pathlib.Path, outcome: str | None
) -> None:
    act("admit")
    if outcome:
        came_to(records, "r1", outcome)
    others = {"host": "b", "hosts": ["b"]}
    assert "tend to be alike" in act("admit", "r2", **others)["reason"]
    assert act("admit", "r3", **others, pause_minutes=0)["admitted"]


def test_the_kill_switch_and_check_mode(act: Act, records: pathlib.Path) -> None:
    (records.parent / "disable").write_text("change freeze, ask Ada\n")
    assert "change freeze, ask Ada" in act("admit")["reason"]
    (records.parent / "disable").unlink()
    assert act("admit", "r2", kill_switch="True")["reason"] == "the kill switch is on (memfrag_kill_switch)"
    assert len(ledger(records)) == 2
    assert act("admit", "r3", check_mode=True)["admitted"] and len(ledger(records)) == 2
    assert act("admit", None, kill_switch="false")["run_id"].endswith("Z-alert")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"records_dir": "memfrag-audit"}, "memfrag_records_dir"),
        ({"records_dir": ""}, "memfrag_records_dir"),
        # It would be looked for in a directory that has just been made, and never be found there.
        ({"kill_switch": "stop"}, "memfrag_kill_switch"),
        ({"run_id": "{{ 7 }}"}, "memfrag_loop_run_id"),
        ({"run_id": "../r1"}, "memfrag_loop_run_id"),
    ],
)
def test_what_would_be_lost_or_lead_elsewhere_is_refused(act: Act, options: dict[str, str], named: str) -> None:
    with pytest.raises(AnsibleError, match=named):
        act("admit", **options)


LINE = '{"run_id": "r0", "host": "a", "at": 1, "refused": null}\n'


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("half a li", "not valid JSON"),
        ("[" * 100000, "not valid JSON"),
        ("[]", "must be a mapping"),
        ("{}", "has no at, host, refused, run_id"),
        *((LINE.replace("1,", number + ","), "at: must be") for number in ("1e400", "1" + "0" * 400, "-1", "null")),
        (LINE.replace("1,", "NaN,"), "NaN is no number"),
        (LINE.replace("r0", "../x"), "run_id: must be a run id"),
    ],
)
def test_a_ledger_that_cannot_be_read_stops_the_loop(act: Act, records: pathlib.Path, line: str, says: str) -> None:
    records.mkdir()
    (records / "loop.jsonl").write_text(LINE + line)
    with pytest.raises(AnsibleError, match=r"Nothing is done: .*loop\.jsonl:2: .*" + re.escape(says)):
        act("admit")


def test_what_no_reading_comes_to_the_end_of_stops_the_loop(act: Act, records: pathlib.Path) -> None:
    (records / "r1").mkdir(parents=True)
    os.mkfifo(records / "r1" / "remediation.jsonl")
    entry = {"run_id": "r1", "host": "b", "at": time.time(), "refused": None}
    (records / "loop.jsonl").write_text(json.dumps(entry))
    assert act("admit", "r2")["reason"].startswith("b could not be mended")
    (records / "loop.jsonl").unlink()
    for make in (os.mkfifo, lambda path: os.symlink("nowhere", path)):
        make(records / "loop.jsonl")
        with pytest.raises(AnsibleError, match=r"Nothing is done: .*loop\.jsonl: "):
            act("admit")
        (records / "loop.jsonl").unlink()


def test_what_is_told(act: Act, records: pathlib.Path) -> None:
    act("admit")
    came_to(records, "r1", "mended")
    told = act("tell")
    assert told["summary"] == "a was mended, score 60 -> 10: so it is" and told["alert"]["labels"]["instance"] == "a"
    assert told["alert"]["annotations"]["report"] == str(records / "r1" / "remediation.txt")
    assert abs(told["annotation"]["time"] / 1000 - time.time()) < 60
    act("admit", "r2")
    refused = act("tell", "r2")
    assert refused["outcome"] == "refused" and refused["summary"].startswith(
        "a was not taken: it was taken 0 minutes ago"
    )
    assert refused["alert"]["labels"]["alertname"] == "MemfragRemediation"


def test_what_came_to_nothing_is_told_as_well(act: Act, records: pathlib.Path) -> None:
    # It never began, for a wrong setting; it was let in and then killed.
    assert act("tell", records_dir="relative")["outcome"] == "failed"
    assert act("tell", "r7")["alert"]["labels"]["alertname"] == "MemfragRemediationFailed"
    act("admit")
    assert act("tell")["outcome"] == "failed"
    with pytest.raises(AnsibleError, match="which run"):
        act("tell", None)


def test_the_documentation_has_the_options() -> None:
    options = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    assert {
        name: {key: one[key] for key in one if key != "description"} for name, one in options.items()
    } == memfrag_loop.ARGUMENTS
