# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done to nodes between two runs, and what the page compares runs by."""

from __future__ import annotations

import json
import os
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _remedies
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils._report.test__as_html import data_of
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import FRAGMENTED, make_record

REMEDIATION = "20261115T060000Z-remediate"


def keep(directory: t.Any, *entries: t.Any, run: str = REMEDIATION) -> None:
    """As the action memfrag_remediation does."""
    os.makedirs(os.path.join(directory, run), exist_ok=True)
    with open(os.path.join(directory, run, _remedies.BOOKS), "w", encoding="utf-8") as stream:
        stream.writelines((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in entries)


def remedy(host: str, outcome: str = "mended", **more: t.Any) -> dict[str, t.Any]:
    return {"host": host, "outcome": outcome, "action": "compact", "reason": "compacted", **more}


@pytest.fixture(name="weeks")
def weeks_fixture(store: t.Any) -> t.Any:
    """a was fragmented, was remediated and is well; b was well and is fragmented; c is new."""
    store(make_record("a", FRAGMENTED, day=13), make_record("b", day=13), run="r1")
    store(make_record("a", day=15), run=REMEDIATION)
    return store(make_record("a"), make_record("b", FRAGMENTED), make_record("c"), run="r2")


def test_what_was_done_is_known_with_its_time(weeks: t.Any, make_report: t.Any) -> None:
    keep(weeks, remedy("a"), remedy("b", "left_alone"), remedy("gone"))
    hosts = {host.name: host for host in make_report(weeks, run_id="r2")[0].fleet.hosts}
    (found,) = hosts["a"].remedies
    assert (found.action, found.outcome, str(found.time)) == ("compact", "mended", "2026-11-15 06:00:00+00:00")
    assert hosts["b"].remedies == hosts["c"].remedies == ()


@pytest.mark.parametrize("line", ["{", "[]", '{"host": 7}', "\udcff", "[" * 100000])
def test_books_that_cannot_be_read_are_named(weeks: t.Any, make_report: t.Any, line: str) -> None:
    keep(weeks, remedy("a"), line.encode("utf-8", "surrogateescape").decode("latin-1"))
    fleet = make_report(weeks, run_id="r2")[0].fleet
    assert len(fleet.hosts) == 3 and not fleet.hosts[0].remedies
    (problem,) = fleet.problems
    assert _remedies.BOOKS + ":2:" in problem


def test_words_of_others_are_bounded_and_known(weeks: t.Any, make_report: t.Any) -> None:
    keep(
        weeks,
        remedy("a", action={"x": 1}, reason="\x1b[31m" + "x" * 9999),
        {**remedy("a"), "outcome": ["mended"]},
        remedy("a", "new word"),
    )
    hosts = {host.name: host for host in make_report(weeks, run_id="r2")[0].fleet.hosts}
    (found,) = hosts["a"].remedies
    assert found.action == "none" and len(found.reason) <= 200 and "\x1b" not in found.reason


def test_the_page_has_each_run_of_each_node(weeks: t.Any, make_report: t.Any) -> None:
    keep(weeks, remedy("a"))
    report, text = make_report(weeks, run_id="r2", formats=["html"])
    data = data_of(text("html"))
    compare = data["compare"]
    assert [run[0] for run in compare["runs"]] == ["r1", REMEDIATION, "r2"]
    places = {host.name: place for place, host in enumerate(report.fleet.hosts)}
    now, first, states, findings, second, *_rest = compare["nodes"][places["a"]]
    assert (now, first, second) == (2, 0, 1)
    # Of the record's head alone: the facts of earlier runs are not read.
    assert len(data["strings"][states]) == 11 and data["strings"][states].strip("0")
    assert data["finding_lists"][findings][0] in compare["titles"]
    assert compare["nodes"][places["c"]] == [2]
    assert compare["remedies"] == {str(places["a"]): [[432000, "compact", "mended", "compacted"]]}


def test_records_of_before_have_no_answers_in_their_head(weeks: t.Any, make_report: t.Any) -> None:
    path = os.path.join(weeks, "r1", "a.json")
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    assert "allocatable_states" in _records.load_head(path)
    cut = json.loads(text.split("\n")[0][:-1] + "}")
    del cut["allocatable_states"]
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(cut)[:-1] + ",\n" + "\n".join(text.split("\n")[1:]))
    hosts = {host.name: host for host in make_report(weeks, run_id="r2")[0].fleet.hosts}
    assert hosts["a"].past[0].states == "" and hosts["a"].past[0].level == "high"


def test_a_single_run_is_compared_with_nothing(store: t.Any, make_report: t.Any) -> None:
    _report, text = make_report(store(make_record("a")), formats=["html"])
    assert data_of(text("html"))["compare"] is None
