# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t
from unittest import mock

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError

from ansible_collections.kernelops.memfrag.plugins.action import memfrag_report
from ansible_collections.kernelops.memfrag.plugins.modules import memfrag_report as documentation
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import FRAGMENTED, make_record


@pytest.fixture(name="act")
def act_fixture(tmp_path: t.Any, monkeypatch: t.Any) -> t.Any:
    """-> a function that runs the action with options in a directory of its own, where the records of a run "r1" are"""
    monkeypatch.chdir(tmp_path)
    for record in (make_record("a", FRAGMENTED), make_record("b"), make_record("dead", None)):
        _records.write("memfrag-audit", "r1", record)

    def act(**options: t.Any) -> t.Any:
        task = mock.MagicMock(args=options, async_val=0, check_mode=False)
        action = memfrag_report.ActionModule(
            task=task,
            connection=mock.MagicMock(),
            play_context=mock.MagicMock(),
            loader=mock.MagicMock(),
            templar=mock.MagicMock(),
            shared_loader_obj=None,
        )
        # The plugin loader's part, which ansible-core 2.16 uses in messages.
        action._load_name = "memfrag_report"
        return action.run(task_vars={"groups": {"all": ["a", "b"], "web": ["a"]}})

    return act


def test_the_report_of_a_run_lies_beside_its_records(act: t.Any, tmp_path: t.Any) -> None:
    result = act(run_id="r1", hosts=["a", "b", "dead", "never"])
    assert result["files"] == {
        "html": str(tmp_path / "memfrag-audit/r1/report.html"),
        "json": str(tmp_path / "memfrag-audit/r1/report.json"),
        "csv": str(tmp_path / "memfrag-audit/r1/report.csv"),
        "prom": str(tmp_path / "memfrag-audit/r1/memfrag.prom"),
    }
    assert all(os.path.isfile(path) for path in result["files"].values())
    assert result["changed"] and not result.get("failed")
    assert result["coverage"]["asked"] == 4 and result["levels"]["low"] == 1
    assert result["summary"][0].startswith("Coverage: 2 of 4 nodes audited")
    with open(result["files"]["csv"], encoding="utf-8") as stream:
        assert ",web," in stream.read()


def test_a_second_report_of_the_same_records_changes_nothing(act: t.Any) -> None:
    assert act(run_id="r1")["changed"]
    assert not act(run_id="r1")["changed"]


def test_without_a_run_the_report_lies_beside_the_runs(act: t.Any, tmp_path: t.Any) -> None:
    files = act(report_formats=["prom"])["files"]
    assert files == {"prom": str(tmp_path / "memfrag-audit/memfrag.prom")}


def test_several_directories_and_a_place_of_ones_own(act: t.Any, tmp_path: t.Any) -> None:
    _records.write("slice", "r1", make_record("c"))
    result = act(records_dirs=["memfrag-audit", "slice/r1"], report_dir="out/report")
    assert result["coverage"]["asked"] == 4
    assert os.path.dirname(result["files"]["html"]) == str(tmp_path / "out/report")


@pytest.mark.parametrize(
    ("fail_on", "message"),
    [
        (["unreachable"], "fail_on: unreachable: dead"),
        (["low", "unreachable"], "fail_on: unreachable: dead; low: b"),
        (["failed"], "fail_on: failed: never"),
        (["critical", "high", "medium"], ": a"),
    ],
)
def test_it_fails_after_everything_has_been_written(act: t.Any, fail_on: t.Any, message: t.Any) -> None:
    result = act(run_id="r1", hosts=["never"], fail_on=fail_on)
    assert result["failed"] and message in result["msg"]
    assert os.path.isfile(result["files"]["html"]) and result["summary"]


def test_it_does_not_fail_for_what_is_not_there(act: t.Any) -> None:
    assert not act(run_id="r1", fail_on=["unknown", "stale", "failed"]).get("failed")


def test_many_failing_nodes_are_counted(act: t.Any) -> None:
    result = act(run_id="r1", hosts=[f"n{number:02}" for number in range(30)], fail_on=["failed"])
    assert "n00, n01" in result["msg"] and result["msg"].endswith("n19 and 10 more")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"records_dir": "nowhere"}, "Cannot read the records directory .*/nowhere"),
        ({"run_id": "r9"}, "No records of run r9 in .*/memfrag-audit"),
        ({"run_id": "../r1"}, r"run_id must start with a letter or digit .* not '\.\./r1'"),
        ({"policy": {"spare_block": 1}}, "policy has no spare_block"),
        ({"report_dir": "memfrag-audit/r1/a.json"}, "Cannot write the report: .*a.json"),
        ({"fail_on": ["severe"]}, "severe"),
        ({"report_formats": ["pdf"]}, "pdf"),
        ({"record_dir": "x"}, "record_dir"),
    ],
)
def test_what_is_wrong_is_named(act: t.Any, options: t.Any, message: t.Any) -> None:
    with pytest.raises(AnsibleError, match=message):
        act(**options)


def test_the_documentation_has_the_options_of_the_action() -> None:
    documented = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    assert set(documented) == set(memfrag_report.ARGUMENTS)
    for name, spec in memfrag_report.ARGUMENTS.items():
        assert documented[name]["type"] == spec["type"], name
        assert documented[name].get("elements") == spec.get("elements"), name
        assert documented[name].get("default", {} if spec["type"] == "dict" else None) == spec.get("default"), name
        assert sorted(documented[name].get("choices", [])) == sorted(spec.get("choices", [])), name


def test_the_files_are_their_owners_unless_asked_otherwise(act: t.Any) -> None:
    old = os.umask(0)
    try:
        first = act(run_id="r1")["files"]
        assert {os.stat(path).st_mode & 0o777 for path in first.values()} == {0o600}
        again = act(run_id="r1", report_mode="0644")
    finally:
        os.umask(old)
    assert again["changed"] and {os.stat(path).st_mode & 0o777 for path in again["files"].values()} == {0o644}
    with pytest.raises(AnsibleError, match="report_mode must be a mode in octal digits as in '0640', not 'u=rw'"):
        act(run_id="r1", report_mode="u=rw")


def test_a_report_in_which_nobody_was_audited_fails(act: t.Any) -> None:
    _records.write("memfrag-audit", "r2", make_record("dead", None))
    result = act(run_id="r2", hosts=["dead", "never"])
    assert result["failed"] and result["msg"] == "The report is written; none of 2 nodes could be audited"
    assert os.path.isfile(result["files"]["html"])


def test_commands_get_inventory_and_privileges_and_no_variables() -> None:
    given = {
        "inventory": ("/srv/hosts", "/srv/more hosts"),
        "become": True,
        "become_method": "sudo",
        "become_user": "admin",
        "become_ask_pass": True,
        "remote_user": None,
        "connection": "ssh",
        "extra_vars": ("ansible_become_password=secret",),
    }
    assert memfrag_report._run_options(given) == [
        *("-i", "/srv/hosts", "-i", "/srv/more hosts", "-b", "--become-user", "admin", "-K")
    ]
    assert memfrag_report._run_options({}) == []
    usual = constants.DEFAULT_HOST_LIST
    assert memfrag_report._run_options({"inventory": usual, "become": False}) == []


@pytest.mark.parametrize(("callback", "shown"), [("ansible.builtin.default", True), ("ansible.posix.json", False)])
def test_the_summary_is_text_for_people(act: t.Any, monkeypatch: t.Any, callback: str, shown: bool) -> None:
    asked = constants.config.get_config_value
    monkeypatch.setattr(
        constants.config,
        "get_config_value",
        lambda name, *rest, **more: callback if name == "DEFAULT_STDOUT_CALLBACK" else asked(name, *rest, **more),
    )
    with mock.patch("ansible.utils.display.Display.display") as display:
        result = act(run_id="r1")
    said = [call.args[0] for call in display.call_args_list if result["summary"][0] in call.args[0]]
    assert len(said) == shown
    assert not shown or said[0].splitlines()[1:] == result["summary"]
