# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.json, report.csv, memfrag.prom and the console summary."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import typing as t

import jsonschema
import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _as_csv, _words
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import (
    FRAGMENTED,
    HOSTILE,
    journal_of,
    make_record,
)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 5)


@pytest.fixture(name="fleet")
def fleet_fixture(store: t.Any, make_report: t.Any) -> t.Any:
    """Some of everything, and history."""
    store(make_record("a", day=13), make_record("gone", FRAGMENTED, day=13), run="r1")
    records = store(
        make_record("a", FRAGMENTED, journal=journal_of("plain"), groups=["web"]),
        make_record("b"),
        make_record("measured", assessed=False, facts=make_record("x")["facts"]),
        make_record("gone", None),
        make_record(HOSTILE, FRAGMENTED, journal=journal_of(HOSTILE)),
        run="r2",
    )
    with open(os.path.join(records, "r2", "damaged.json"), "w", encoding="utf-8") as stream:
        stream.write("{")
    return make_report(records, run_id="r2", hosts=["a", "never"])


def test_the_same_records_give_the_same_bytes(store: t.Any, make_report: t.Any) -> None:
    records = store(make_record("a", FRAGMENTED), make_record("b"), make_record("c", None))
    first, text = make_report(records)
    bytes_of = {name: text(name) for name in first.files}
    again, text = make_report(records)
    assert first.changed and not again.changed
    other, text = make_report(records, to="other")
    assert {name: text(name) for name in other.files} == bytes_of


def test_json_is_what_its_schema_says(fleet: t.Any) -> None:
    with open(os.path.join(ROOT, "docs", "report.schema.json"), encoding="utf-8") as stream:
        schema = json.load(stream)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(fleet[1]("json")), schema)


def test_json_has_the_whole_fleet(fleet: t.Any) -> None:
    report, text = fleet
    document = json.loads(text("json"))
    assert document["run"]["run_id"] == "r2"
    assert [host["host"] for host in document["hosts"]] == [host.name for host in report.fleet.hosts]
    assert document["coverage"] == report.fleet.coverage and document["coverage"]["asked"] == 6
    assert document["changes"]["worse"] == ["a"] and document["changes"]["lost"] == ["gone"]
    assert document["changes"]["since"] == "2026-11-13T06:00:00Z"
    assert len(document["skipped_records"]) == 1
    by_name = {host["host"]: host for host in document["hosts"]}
    assert by_name["a"]["measured"]["incidents"][0]["cause"] == "fragmentation"
    assert by_name["a"]["measured"]["allocatable"][:2] == ["ok", "ok"]
    assert by_name["a"]["history"] == [
        {"started_at": "2026-11-13T06:00:00Z", "run_id": "r1", "status": "audited", "level": "low", "score": 0}
    ]
    assert by_name["gone"]["measured"] is None and by_name["gone"]["error"].startswith("ssh:")
    assert by_name["never"]["status"] == "failed"


def test_csv_has_a_line_per_node(fleet: t.Any) -> None:
    report, text = fleet
    rows = list(csv.DictReader(io.StringIO(text("csv"), newline="")))
    assert len(rows) == 6 and list(rows[0]) == list(_as_csv.COLUMNS)
    row = next(row for row in rows if row["host"] == "a")
    assert (row["status"], row["groups"], row["cause"], row["highest_order_at_once"]) == (
        "audited",
        "web",
        "fragmentation",
        "7",
    )
    gone = next(row for row in rows if row["host"] == "gone")
    assert (gone["level"], gone["score"], gone["change"]) == ("", "", "lost")


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=cmd|' /C calc'!A0", "\r=1", "＝1", "|x", "x;=1", 'y; "@SUM(A1)'),
        *("x;-1+cmd|' /C calc'!A0", "x;          =1", "x; \u00a0=1", "\u22121", "\ufe661", "x;\u207c1", "\u208b1"),
    ],
)
def test_no_cell_is_a_formula(store: t.Any, make_report: t.Any, text: t.Any) -> None:
    _report, read = make_report(store(make_record(text, None, error=text)))
    (row,) = csv.DictReader(io.StringIO(read("csv"), newline=""))
    for cell in row.values():
        # Also where a semicolon separates.
        assert not re.search(r"(?:^|;)[\s\"]*[=+\-@|＝\u2212\ufe66\u207c\u208b]", cell), cell
    assert row["host"].replace("'", "") == _words.printable(text).replace("'", "")


def test_prom_is_valid_exposition_format(fleet: t.Any) -> None:
    text = fleet[1]("prom")
    families, samples, current = set(), {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in families and line.endswith(".")
            families.add(current)
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {current} gauge"
        else:
            match = re.fullmatch(r'(memfrag_[a-z_]+)((?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\})?) (\d+)', line)
            assert match and match[1] == current, line
            assert match[1] + match[2] not in samples
            samples[match[1] + match[2]] = int(match[3])
    assert text.endswith("\n")
    assert samples["memfrag_last_run_timestamp_seconds"] == 1795154400
    assert samples['memfrag_nodes{status="audited"}'] == 4
    assert samples['memfrag_nodes{status="failed"}'] == 1
    assert samples['memfrag_allocatable_nodes{size="10",state="exhausted"}'] == 2
    assert samples["memfrag_skipped_records"] == 1
    assert sum(count for name, count in samples.items() if name.startswith("memfrag_level_nodes")) == 4


PROMISE = {"node": 0, "zone": "Normal", "order": 9, "now": 2, "low": 40, "expected": 70, "high": 90, "obtained": 66}


def test_what_compactions_brought_is_beside_what_was_expected(store: t.Any, make_report: t.Any) -> None:
    records = []
    for name, obtained in (("a", 66), ("b", 20), ("c", None)):
        record = make_record(name)
        if obtained is not None:
            last = {"ended_at": "2026-11-20T05:00:00Z", "promised": [{**PROMISE, "obtained": obtained}]}
            record["facts"]["pageblock_survey"] = {"zones": [], "last_compaction": last}
        records.append(record)
    text = make_report(store(*records))[1]
    lines = text("prom").splitlines()
    for line in (
        'memfrag_last_compaction_expected_blocks{size="9",bound="low"} 80',
        'memfrag_last_compaction_expected_blocks{size="9",bound="expected"} 140',
        'memfrag_last_compaction_obtained_blocks{size="9"} 86',
        'memfrag_last_compaction_promises{kept="true"} 1',
        'memfrag_last_compaction_promises{kept="false"} 1',
    ):
        assert line in lines
    measured = {host["host"]: host["measured"] for host in json.loads(text("json"))["hosts"]}
    assert measured["a"]["last_compaction"]["promised"] == [PROMISE] and measured["c"]["last_compaction"] is None


@pytest.mark.parametrize("last", [5, {"ended_at": "x"}, {"ended_at": "2026-11-20T05:00:00Z", "promised": [{}]}])
def test_a_compaction_of_another_form_makes_no_report_fail(store: t.Any, make_report: t.Any, last: t.Any) -> None:
    record = make_record("a")
    record["facts"]["pageblock_survey"] = {"zones": [], "last_compaction": last}
    document = json.loads(make_report(store(record, make_record("b")))[1]("json"))
    assert [host["host"] for host in document["hosts"]] == ["b"] and len(document["skipped_records"]) == 1


def test_a_node_cannot_make_series(store: t.Any, make_report: t.Any) -> None:
    journals = [journal_of("x", cause) for cause in ("disk_full", "a1", "a2")]
    text = make_report(store(*(make_record(f"h{row}", journal=each) for row, each in enumerate(journals))))[1]("prom")
    assert re.findall(r"(?m)^memfrag_cause_nodes(.*)$", text) == ['{cause="disk_full"} 1', '{cause="unknown"} 2']


def test_prom_has_no_series_per_node(store: t.Any, make_report: t.Any) -> None:
    records = store(*(make_record(f"a{number}") for number in range(3)))
    few = make_report(records)[1]("prom").count("\n")
    store(*(make_record(f"b{number}") for number in range(30)))
    assert make_report(records)[1]("prom").count("\n") == few


def test_the_summary_says_what_an_engineer_wants_first(fleet: t.Any) -> None:
    report, _text = fleet
    lines = report.summary
    assert lines[0] == "Coverage: 4 of 6 nodes audited, 1 unreachable, 1 failed."
    assert lines[1].startswith("Risk: ") and " low" in lines[1]
    assert lines[2] == "Since the previous run: 1 worse, 3 new, 1 lost."
    (named,) = [line for line in lines if line.startswith("  a (critical ")]
    group = [line for line in lines[: lines.index(named)] if not line.startswith(" ")][-1]
    # Its logs speak of pods; the other's name is none that Kubernetes takes.
    assert group == "Drain by kubectl and restart (compaction will not help): 1 node"
    assert "Drain and restart (compaction will not help): 1 node" in lines
    # Spelled out, the name of the other one takes more than a few lines.
    assert "  The command is in the report." in lines
    assert any(line.startswith("  gone (unreachable): ssh:") for line in lines)
    assert all(len(line) <= 100 for line in lines[:-1])
    assert lines[-2] == "1 record skipped; the report says which and why."
    assert lines[-1] == "Report: " + report.files["html"]


def test_the_summary_is_short_and_plain(store: t.Any, make_report: t.Any) -> None:
    records = [make_record(f"n{number}", FRAGMENTED) for number in range(30)]
    report, _text = make_report(store(*records, make_record("\x1b[31m" + HOSTILE, FRAGMENTED)))
    assert len(report.summary) <= 25
    assert all(line.isprintable() for line in report.summary)


def test_the_summary_has_commands_that_can_be_pasted(store: t.Any, make_report: t.Any) -> None:
    records = [make_record(f"rack{number:02}-node.example.net", FRAGMENTED) for number in range(12)]
    report, _text = make_report(store(*records), options=["-i", "/srv/inventories/of the fleet/hosts.yml"])
    begin = next(number for number, line in enumerate(report.summary) if line.startswith("  ansible "))
    end = next(number for number in range(begin, 99) if not report.summary[number].endswith(" \\"))
    words = shlex.split("\n".join(report.summary[begin : end + 1]).replace("\\\n", ""))
    assert words[1] == ",".join(f"rack{number:02}-node.example.net" for number in range(words[1].count(",") + 1))
    assert words[2:4] == ["-i", "/srv/inventories/of the fleet/hosts.yml"]
    assert all(len(line) <= 100 for line in report.summary[:-1])


def test_a_healthy_node_has_the_highest_order_that_can_be_had(store: t.Any, make_report: t.Any) -> None:
    report, _text = make_report(store(make_record("well")))
    assert "  well (low 0): Every order up to 10 (4 MB) can be had at once." in report.summary


def test_only_what_was_asked_for_is_written(store: t.Any, make_report: t.Any, tmp_path: t.Any) -> None:
    report, _text = make_report(store(make_record("a")), formats=["prom"])
    assert os.listdir(tmp_path / "report") == ["memfrag.prom"] == [os.path.basename(report.files["prom"])]
