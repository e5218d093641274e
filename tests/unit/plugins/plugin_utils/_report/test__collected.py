# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that nodes have written of themselves: what they have seen counts, what they make of it does not."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _audit, _record, _self_audit
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _host_files, _report
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import (
    FRAGMENTED,
    HEALTHY,
    HOSTILE,
    facts_of,
    journal_of,
    make_record,
)


def put(directory: pathlib.Path, record: t.Any, name: str | None = None) -> pathlib.Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (name or _host_files.key(record["host"]))
    path.write_text(_record.text(record) if isinstance(record, dict) else record, encoding="utf-8")
    return path


@pytest.fixture(name="report")
def report_fixture(tmp_path: pathlib.Path) -> t.Any:
    """-> a function that makes the report of what was collected: report.json"""

    def make(*directories: pathlib.Path, **options: t.Any) -> t.Any:
        options.setdefault("records_dirs", [])
        made = _report.make(
            options.pop("records_dirs"),
            str(tmp_path / "report"),
            ["json", "html"],
            collected_dirs=[str(directory) for directory in directories],
            **options,
        )
        with open(made.files["json"], encoding="utf-8") as stream:
            return json.load(stream)

    return make


def by_name(report: t.Any) -> t.Any:
    return {host["host"]: host for host in report["hosts"]}


def skipped(report: t.Any) -> str:
    return "\n".join(str(problem) for problem in report["skipped_records"])


def test_a_node_is_not_its_own_judge(tmp_path: pathlib.Path, report: t.Any) -> None:
    flattering = make_record("ill", FRAGMENTED, journal=journal_of("x"))
    flattering["assessment"] = dict(assess(facts_of(HEALTHY)), summary="all is well")
    flattering["groups"] = ["databases"]
    put(tmp_path / "c", flattering)
    (host,) = report(tmp_path / "c")["hosts"]
    own = assess(flattering["facts"] or facts_of(FRAGMENTED), flattering["journal"])
    assert own["level"] != "low"
    assert (host["level"], host["groups"]) == (own["level"], [])
    assert "all is well" not in json.dumps(host)
    # Who has audited it, and not the node, is believed.
    believed = report(records_dirs=[str(tmp_path / "c")])["hosts"][0]
    assert (believed["level"], believed["groups"]) == ("low", ["databases"])


def test_a_node_with_a_directory_of_its_own_speaks_of_no_other(tmp_path: pathlib.Path, report: t.Any) -> None:
    put(tmp_path / "c" / "web01", make_record("web01", HEALTHY))
    put(tmp_path / "c" / "web01", make_record("web02", FRAGMENTED, started_at="2026-11-21T06:00:00Z"))
    put(tmp_path / "c" / "web02", make_record("web02", HEALTHY))
    put(tmp_path / "c" / "web03", make_record("web02", FRAGMENTED, started_at="2026-11-21T06:00:00Z"), "web03.json")
    seen = report(tmp_path / "c")
    assert {name: host["level"] for name, host in by_name(seen).items()} == {"web01": "low", "web02": "low"}
    assert "web01/web02.json: lies in the directory of another node" in skipped(seen)
    assert "web03.json: holds the record of another host" in skipped(seen)


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda record: record["facts"]["zones"][0].update(free_blocks=["x"]), "facts.zones[0].free_blocks[0]"),
        (lambda record: record["facts"]["zones"][0].update(free_pages=-1), "facts.zones[0].free_pages"),
        (lambda record: record["journal"]["incidents"][0].update(events=[99]), "events beyond the 2"),
        (lambda record: record.update(status="fine"), "no status out of"),
        (lambda record: record.update(schema_version=99), "newer version"),
        (lambda record: record["facts"].pop("zones"), "facts"),
    ],
)
def test_what_breaks_the_contract_is_named_and_skipped(
    spoil: t.Any, says: str, tmp_path: pathlib.Path, report: t.Any
) -> None:
    # A node that is well and has incidents nowhere else: the report of an audit would not look at all of its facts.
    record = make_record("bad", HEALTHY, journal=journal_of("x"))
    spoil(record)
    put(tmp_path / "c", record)
    put(tmp_path / "c", make_record("good", HEALTHY))
    seen = report(tmp_path / "c")
    assert list(by_name(seen)) == ["good"]
    assert "bad.json" in skipped(seen) and says in skipped(seen)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"host": "bad"}', "[" * 100000, '{"a": NaN}', '{"host": "bad", "status": 1}']
)
def test_what_is_no_record_is_named_and_skipped(content: str, tmp_path: pathlib.Path, report: t.Any) -> None:
    put(tmp_path / "c", content, "bad.json")
    put(tmp_path / "c", make_record("good", HEALTHY))
    seen = report(tmp_path / "c")
    assert list(by_name(seen)) == ["good"] and "bad.json" in skipped(seen)


def test_files_that_are_none(tmp_path: pathlib.Path, report: t.Any) -> None:
    put(tmp_path / "c", make_record("good", HEALTHY))
    os.mkfifo(tmp_path / "c" / "fifo.json")
    (tmp_path / "c" / "link.json").symlink_to("/etc/passwd")
    with open(tmp_path / "c" / "large.json", "wb") as stream:
        stream.truncate(1 << 30)
    seen = report(tmp_path / "c")
    assert list(by_name(seen)) == ["good"]
    assert all(name in skipped(seen) for name in ("fifo.json", "link.json", "large.json"))
    assert "root:" not in skipped(seen)


def test_hostile_words_stay_words(tmp_path: pathlib.Path, report: t.Any) -> None:
    put(tmp_path / "c", make_record(HOSTILE, FRAGMENTED, journal=journal_of(HOSTILE)))
    (host,) = report(tmp_path / "c")["hosts"]
    assert host["host"] == HOSTILE
    assert "<script>alert(1)" not in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_what_nodes_wrote_and_what_a_controller_audited_make_one_report(
    tmp_path: pathlib.Path, report: t.Any, store: t.Any
) -> None:
    audits = store(make_record("a", HEALTHY), make_record("dead", None))
    put(tmp_path / "c" / "b", make_record("b", FRAGMENTED))
    seen = report(tmp_path / "c", records_dirs=[str(audits)], hosts=["silent"])
    assert set(by_name(seen)) == {"a", "b", "dead", "silent"}
    assert seen["coverage"]["audited"] == 2


def test_the_node_tool_writes_what_the_report_takes(tmp_path: pathlib.Path, report: t.Any, node_root: t.Any) -> None:
    known = t.cast("dict[str, dict[str, t.Any]]", _audit.NODE_OPTIONS)
    options = {name: about.get("default") for name, about in known.items()}
    options.update(root=node_root(FRAGMENTED), journal=False)
    record = _self_audit.audit("node17", options, {})
    (tmp_path / "c").mkdir()
    _self_audit.Store(str(tmp_path / "c"), "node17").keep(record)
    host = by_name(report(tmp_path / "c"))["node17"]
    assert (host["level"], host["score"]) == (record["assessment"]["level"], record["assessment"]["score"])


def test_earlier_records_are_held_to_the_same(tmp_path: pathlib.Path, report: t.Any) -> None:
    flattering = make_record("a", FRAGMENTED, started_at="2026-11-19T06:00:00Z")
    flattering["assessment"] = assess(facts_of(HEALTHY))
    put(tmp_path / "week46", flattering)
    put(tmp_path / "week47", make_record("a", HEALTHY, started_at="2026-11-20T06:00:00Z"))
    (host,) = report(tmp_path / "week46", tmp_path / "week47")["hosts"]
    assert [past["level"] for past in host["history"]][:1] == [assess(facts_of(FRAGMENTED))["level"]]
