# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that earlier versions have written are read for good: tests/fixtures/records has some of each, made by that version."""

from __future__ import annotations

import json
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _report

RECORDS = pathlib.Path(__file__).resolve().parents[5] / "tests" / "fixtures" / "records"
VERSIONS = sorted(path.name for path in RECORDS.iterdir())


@pytest.fixture(name="report", params=VERSIONS)
def report_fixture(request: t.Any, tmp_path: pathlib.Path) -> t.Any:
    shutil.copytree(RECORDS / request.param, tmp_path / "records")

    def make(**options: t.Any) -> t.Any:
        _report.make([str(tmp_path / "records")], str(tmp_path / "report"), **options)
        return json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))

    return make


def test_they_are_read_and_none_is_skipped(report: t.Any) -> None:
    made = report(run_id="2026-11-20")
    assert made["skipped_records"] == []
    assert (made["coverage"]["asked"], made["coverage"]["audited"], made["coverage"]["unreachable"]) == (4, 3, 1)
    hosts = {host["host"]: host for host in made["hosts"]}
    assert {name: host["level"] for name, host in hosts.items()} == {
        "docker-17": "critical",
        "k8s-node-02": "critical",
        "edge-01": "low",
        "k8s-node-09": None,
    }
    assert [len(host["measured"]["zones"]) for host in made["hosts"] if host["level"]] == [3, 3, 1]


def test_what_would_help_is_known_by_its_old_name(report: t.Any) -> None:
    made = report(run_id="2026-11-20")
    hosts = {host["host"]: host for host in made["hosts"]}
    assert (hosts["k8s-node-02"]["action"], hosts["k8s-node-02"]["will_help"]) == ("compact", True)
    assert hosts["docker-17"]["action"] == "compact" and hosts["docker-17"]["will_help"] is None


def test_they_are_the_history_of_a_newer_run(report: t.Any) -> None:
    made = report(run_id="2026-11-20")
    (host,) = [host for host in made["hosts"] if host["host"] == "k8s-node-02"]
    assert host["change"] == "worse" and [run["run_id"] for run in host["history"]] == ["2026-11-13"]


def test_they_can_be_judged_anew(report: t.Any) -> None:
    made = report(run_id="2026-11-20", policy={})
    hosts = {host["host"]: host for host in made["hosts"]}
    assert hosts["k8s-node-02"]["level"] == "critical" and hosts["edge-01"]["level"] == "low"
