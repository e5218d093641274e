# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MF701: made of the first lines of earlier records, shown everywhere, and without a say in level, score and remediation."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _trend
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts, _records
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _forecasts
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import HEALTHY, make_record

DAYS = 11


def leaking(day: int, host: str = "leaky", each_days: float | None = 1.3, **changed: t.Any) -> t.Any:
    """The healthy capture with ever fewer blocks: all orders from 3 on halve in so many days; None: they stay."""
    record = make_record(host, HEALTHY, day=10 + day)
    facts = record["facts"]
    facts["collected_at"] = record["started_at"]
    facts["kernel"]["uptime_seconds"] = 86400.0 * (30 + day)
    share = 0.5 ** (day / each_days) if each_days else 1.0
    for zone in facts["zones"]:
        free = zone["free_blocks"]
        zone["free_blocks"] = [*free[:3], *(int(64 * count * share) if share < 1 else 64 * count for count in free[3:])]
        zone["free_pages"] = sum(count << order for order, count in enumerate(zone["free_blocks"]))
        zone["migratetypes"] = None
    for name, value in changed.items():
        part, _dot, key = name.partition("__")
        facts[part][key] = value
    return record


def weeks(store: t.Any, *more: t.Any, each_days: float | None = 1.3, **changed: dict[int, t.Any]) -> str:
    """A run each day, with a leaking node and a well one. ``changed``: part__key={day: value from that day on}."""
    for day in range(DAYS):
        values = {name: value for name, at in changed.items() for since, value in at.items() if day >= since}
        directory = store(
            leaking(day, each_days=each_days, **values), leaking(day, "well", None), *more, run=f"r{day:02}"
        )
    return str(directory)


@pytest.fixture(name="directory")
def directory_fixture(store: t.Any) -> str:
    return weeks(store)


def test_records_keep_what_the_forecast_asks_for_in_their_first_line(directory: str) -> None:
    record = _records.load(f"{directory}/r04/leaky.json")
    trend = _records.load_head(f"{directory}/r04/leaky.json")["trend"]
    assert trend == _trend.of_facts(record["facts"])
    assert trend["uptime_seconds"] == 86400.0 * 34 and trend["memory_kb"] == record["facts"]["meminfo"]["memtotal"]
    assert len(trend["blocks"]) == 11 and trend["blocks"] == sorted(trend["blocks"], reverse=True)
    _contracts.RECORD.check(record)
    _contracts.RECORD_HEAD.check({**record, "trend": trend})


def test_a_leaking_node_has_the_finding_and_the_well_one_has_none(directory: str, make_report: t.Any) -> None:
    report, text = make_report(directory, run_id="r10")
    hosts = {host.name: host for host in report.fleet.hosts}
    assert "MF701" in hosts["leaky"].findings and "MF701" not in hosts["well"].findings
    assert hosts["leaky"].losing and not hosts["well"].losing
    found = next(finding for finding in report.fleet.findings if finding.id == "MF701")
    assert (found.severity, found.hosts, found.title) == ("info", ["leaky"], catalogue.FINDINGS["MF701"].about)
    nodes = {node["host"]: node for node in json.loads(text("json"))["hosts"]}
    made = next(finding for finding in nodes["leaky"]["measured"]["findings"] if finding["id"] == "MF701")
    for row, losing in zip(made["evidence"]["orders"], hosts["leaky"].losing, strict=True):
        assert row["order"] == losing.order and losing.low <= losing.expected <= losing.high
        assert "2026-11-20" <= row["at_the_earliest"] <= row["expected"] <= row["at_the_latest"]
        # The truth: halved each 1.3 days until less than one is left.
        assert row["halved_each_days"] == pytest.approx(1.3, abs=0.3)
    assert "factor of" in made["evidence"]["error"]
    assert f"order {hosts['leaky'].losing[0].order} (" in made["title"]
    page = text("html")
    assert made["title"] in page and "MF701" in page
    line = next(line for line in report.summary if line.startswith("Forecast: "))
    assert line.startswith("Forecast: 1 node running out of blocks, first leaky of order ")
    assert 'memfrag_finding_nodes{finding="MF701"} 1' in text("prom")


def test_it_changes_neither_level_nor_score_nor_what_to_do(directory: str, make_report: t.Any) -> None:
    report, _text = make_report(directory, run_id="r10")
    with_past = next(host for host in report.fleet.hosts if host.name == "leaky")
    alone = make_report(directory, run_id="r10", history=0)[0]
    without = next(host for host in alone.fleet.hosts if host.name == "leaky")
    assert without.losing == () and "MF701" not in without.findings
    for name in ("level", "score", "sentence", "action", "will_help", "rank", "todo"):
        assert getattr(with_past, name) == getattr(without, name)
    assert [action.key for action in report.fleet.actions] == [action.key for action in alone.fleet.actions]


def test_the_comparison_of_runs_has_none(directory: str, make_report: t.Any) -> None:
    """Earlier records have no forecasts: each would be new in each run."""
    text = make_report(directory, run_id="r10", formats=["html"])[1]("html")
    assert r"const FORECAST = /^MF7\d\d$/;" in text and "!FORECAST.test(id)" in text


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel__uptime_seconds": {8: 3600.0}},
        {"meminfo__memtotal": {8: 1 << 20}},
        {"vmstat__drop_slab": {8: 1}},
        {"vmstat__compact_migrate_scanned": {8: 10**7}},
    ],
)
def test_no_forecast_since_the_machine_is_another(changed: dict[str, t.Any], store: t.Any, make_report: t.Any) -> None:
    report, _text = make_report(weeks(store, **changed), run_id="r10")
    assert all(not host.losing for host in report.fleet.hosts)
    assert not any(line.startswith("Forecast") for line in report.summary)


def test_kcompactd_does_not_end_a_history(store: t.Any, make_report: t.Any) -> None:
    changed: dict[str, t.Any] = {
        "vmstat__compact_migrate_scanned": {8: 10**7},
        "vmstat__compact_daemon_migrate_scanned": {8: 10**7},
    }
    report, _text = make_report(weeks(store, **changed), run_id="r10")
    assert any(host.losing for host in report.fleet.hosts)


def test_a_short_history_has_no_forecast(directory: str, make_report: t.Any) -> None:
    for options in ({"run_id": "r10", "history": 3}, {"run_id": "r03"}):
        assert all(not host.losing for host in make_report(directory, **options)[0].fleet.hosts)


def test_the_policy_ignores_it_with_a_reason(directory: str, make_report: t.Any) -> None:
    report, text = make_report(directory, run_id="r10", policy={"ignore": {"MF701": "nodes live for a week"}})
    leaky = next(host for host in report.fleet.hosts if host.name == "leaky")
    assert "MF701" not in leaky.findings and not leaky.losing
    assert "nodes live for a week" in text("html")


@pytest.mark.parametrize("ago", ["no trend", "odd"])
def test_records_of_before_count_for_nothing(ago: str, directory: str, make_report: t.Any) -> None:
    for day in range(10):
        path = f"{directory}/r{day:02}/leaky.json"
        with open(path, encoding="utf-8") as stream:
            head, rest = stream.read().split("\n", 1)
        record = json.loads(head[:-1] + "}")
        if ago == "no trend":
            del record["trend"]
        else:
            record["trend"]["blocks"] = ["many"]
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(record)[:-1] + ",\n" + rest)
    fleet = make_report(directory, run_id="r10")[0].fleet
    assert all(not host.losing for host in fleet.hosts)
    assert bool(fleet.problems) is (ago == "odd")


def test_a_forecast_that_a_record_brings_along_is_taken_for_what_it_is(store: t.Any, make_report: t.Any) -> None:
    """Records are anybody's files: what one says of the future is a finding like others, and one is made once."""
    directory = weeks(store)
    path = f"{directory}/r10/leaky.json"
    record = _records.load(path)
    record["assessment"]["findings"].append(catalogue.make("MF701", "info", "gone tomorrow"))
    _records.write(directory, "r10", record)
    fleet = make_report(directory, run_id="r10")[0].fleet
    leaky = next(host for host in fleet.hosts if host.name == "leaky")
    assert leaky.findings.count("MF701") == 1 and leaky.losing


@pytest.mark.parametrize(
    ("days", "words"), [(0.01, "1 hour"), (0.5, "12 hours"), (1.2, "1 day"), (12.4, "12 days"), (90, "13 weeks")]
)
def test_spans_have_no_more_digits_than_a_forecast(days: float, words: str) -> None:
    assert _forecasts.span(days) == words
