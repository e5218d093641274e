# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The alerts on series of captures: each fires when it is due, with its labels, and everything else is silent."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import re
import tempfile
import typing as t

import build_roots
import exporter
import promtool
import pytest
import test_rules

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _metrics, _metrics_state
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import complete
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _alerts

KERNEL = "6.1.0-56-cloud-amd64/"
HEALTHY, MOVABLE, COMPACTED = (
    KERNEL + "healthy",
    KERNEL + "fragmented-movable",
    KERNEL + "fragmented-movable-then-compacted",
)
PINNED = KERNEL + "fragmented"
STOCK_FILES = ("memfrag-stock.rules.yml", "memfrag-stock-alerts.rules.yml")
TOOL_FILES = ("memfrag-tool-alerts.rules.yml",)
ALL_FILES = STOCK_FILES + TOOL_FILES
HOURS_3 = 180
Labels = dict[str, str]


# --- series -----------------------------------------------------------------------------------------------------------


@functools.cache
def tool_series(name: str) -> dict[str, float]:
    """What the node tool writes of a capture, with INSTANCE's labels; when it was collected is for the test to say."""
    with tempfile.TemporaryDirectory() as place:
        root = build_roots.build(name, os.path.join(place, "node"), captures=test_rules.CAPTURES)
        return samples(_facts.collect(Node(root), ["all", "!extfrag"]), _metrics_state.load(WritableNode(root)))


def samples(facts: t.Any, state: t.Any) -> dict[str, float]:
    """What the node tool writes of facts and of its state."""
    policy = {"target": complete({}), "textfile": None, "assessment": {}}
    text = _metrics.render(facts, policy, {"failures": 0}, state)
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match and match[1] != "memfrag_collected_timestamp_seconds" and not match[1].startswith("memfrag_source"):
            found[f"{match[1]}{{{','.join(filter(None, (exporter.INSTANCE, match[2])))}}}"] = float(match[3])
    return found


def one(name: str, *labels: str) -> str:
    return f"{name}{{{','.join((exporter.INSTANCE, *labels))}}}"


COLLECTED = one("memfrag_collected_timestamp_seconds")
FRESH = {COLLECTED: f"0+60x{2 * HOURS_3}"}


def phases(*parts: tuple[dict[str, float], int]) -> dict[str, str]:
    """{series: values, a minute apart} of what there was for so many minutes after each other."""
    names = sorted({name for values, _minutes in parts for name in values})
    return {
        name: " ".join(
            f"{promtool.number(values[name])}+0x{minutes - 1}" if name in values else f"_x{minutes}"
            for values, minutes in parts
        )
        for name in names
    }


def firing(labels: t.Iterable[Labels], when: str) -> promtool.Test:
    """All that fires then, and nothing else."""
    wanted = {}
    for each in labels:
        pairs = {"instance": "node17:9100", "job": "node", "alertstate": "firing", **each}
        wanted["ALERTS{" + ",".join(f'{name}="{value}"' for name, value in sorted(pairs.items())) + "}"] = 1.0
    return promtool.expecting('ALERTS{alertstate="firing"}', wanted, when)


def a_test(name: str, series: dict[str, t.Any], *expected: promtool.Test) -> promtool.Test:
    return {"name": name, "interval": "1m", "input_series": promtool.series(series), "promql_expr_test": list(expected)}


def passes(place: pathlib.Path, tests: list[promtool.Test], files: t.Sequence[str]) -> None:
    right, said = promtool.run(place, tests, files)
    assert right, said


# --- what is to fire, by the library ----------------------------------------------------------------------------------


def stock_alerts(name: str) -> list[Labels]:
    """After three hours in the state of the capture, as a stock node_exporter sees it."""
    return stock_alerts_of(json.loads(test_rules.looked_at(name)[1]))


def stock_alerts_of(facts: t.Any) -> list[Labels]:
    machine: dict[int, float] = {}
    for series, value in test_rules.answers(facts)[1].items():
        match = re.search(r'size="(\d+)"', series)
        assert match
        machine[int(match[1])] = machine.get(int(match[1]), 0) + value
    found = []
    for size, about, few in ((32, "required", 16), (64, "wanted", 64), (128, "wanted", 32), (256, "wanted", 16)):
        order = (size * 1024 // facts["kernel"]["page_size"]).bit_length() - 1
        kind = "MemfragOrderGone" if not machine[order] else "MemfragOrderScarce" if machine[order] < few else None
        if kind:
            found.append({"alertname": kind, "size": str(order), "severity": _alerts.SEVERITIES[kind, about]})
    return found


def tool_alerts(name: str) -> list[Labels]:
    """The same of the node tool."""
    with tempfile.TemporaryDirectory() as place:
        root = build_roots.build(name, os.path.join(place, "node"), captures=test_rules.CAPTURES)
        return tool_alerts_of(_facts.collect(Node(root), ["all", "!extfrag"]), tool_series(name))


def tool_alerts_of(facts: t.Any, values: dict[str, float]) -> list[Labels]:
    """``values`` are those that the tool writes of the facts."""
    advice = assess(facts)["remediation"]
    found = []
    for entry in facts["allocatable"]:
        order = entry["order"]
        need = next(
            (
                kind
                for kind in ("required", "wanted", "assumed")
                if one("memfrag_order_needed", f'size="{order}"', f'need="{kind}"') in values
            ),
            None,
        )
        blocks = {
            node: values[one("memfrag_allocatable_blocks", f'node="{node}"', f'size="{order}"')]
            for node in sorted({zone["node"] for zone in facts["zones"]})
        }
        labels = {"size": str(order)}
        if need is None:
            continue
        if not sum(blocks.values()):
            found.append(
                {"alertname": "MemfragOrderGone", "severity": _alerts.SEVERITIES["MemfragOrderGone", need], **labels}
            )
            continue
        spare = values[one("memfrag_order_spare_blocks", f'size="{order}"')]
        if need != "assumed" and sum(blocks.values()) < spare:
            found.append(
                {
                    "alertname": "MemfragOrderScarce",
                    "severity": _alerts.SEVERITIES["MemfragOrderScarce", need],
                    **labels,
                }
            )
        found += [
            {"alertname": "MemfragNodeGone", "severity": "warning", "node": str(node), **labels}
            for node, count in blocks.items()
            if need == "required" and not count
        ]
    if advice["action"] in ("compact", "reclaim_then_compact") and advice["will_help"]:
        found.append({"alertname": "MemfragCompactionHelps", "severity": "warning", "remedy": "compact"})
    if advice["action"] == "drain_and_reboot":
        found.append({"alertname": "MemfragRebootNeeded", "severity": "warning", "remedy": "drain_and_reboot"})
    return found


def slower(place: pathlib.Path, files: t.Sequence[str]) -> list[str]:
    """The files with an evaluation each four minutes: of so many captures each minute is more than the answer is worth."""
    for name in files:
        text = (promtool.FILES / name).read_text(encoding="utf-8")
        (place / name).write_text(text.replace("interval: 1m\n", "interval: 4m\n"), encoding="utf-8")
    return [str(place / name) for name in files]


# --- every capture ----------------------------------------------------------------------------------------------------


def of_a_fleet(fleet: dict[str, tuple[dict[str, str], list[Labels]]]) -> promtool.Test:
    """One test of captures that are nodes of one fleet, {capture: (series, what is to fire)}: rules cost by the group, hardly by the node."""
    series = {
        text.replace(exporter.INSTANCE, instance_of(name)): values
        for name, (found, _alerts_of) in fleet.items()
        for text, values in found.items()
    }
    alerts = [{**alert, "instance": name} for name, (_found, found) in fleet.items() for alert in found]
    return a_test("fleet", series, firing([], "4m"), firing(alerts, f"{HOURS_3}m"))


def instance_of(name: str) -> str:
    return exporter.INSTANCE.replace("node17:9100", name)


def test_what_fires_of_every_capture_on_a_stock_exporter(tmp_path: pathlib.Path) -> None:
    fleet = {
        name: (phases((test_rules.looked_at(name)[0], HOURS_3 + 10)), stock_alerts(name)) for name in test_rules.names()
    }
    assert [name for name, (_series, alerts) in fleet.items() if alerts and name.endswith("healthy")] == []
    assert sum(bool(alerts) for _series, alerts in fleet.values()) >= 3
    passes(tmp_path, [of_a_fleet(fleet)], slower(tmp_path, STOCK_FILES))


def test_what_fires_of_every_capture_with_the_node_tool(tmp_path: pathlib.Path) -> None:
    fleet = {}
    for name in test_rules.names():
        # The exporter of the node is there as well, and its alerts leave the word to the tool's.
        series = {
            **phases((test_rules.looked_at(name)[0], HOURS_3 + 10)),
            **phases((tool_series(name), HOURS_3 + 10)),
            **FRESH,
        }
        fleet[name] = (series, tool_alerts(name))
    assert [name for name, (_series, alerts) in fleet.items() if alerts and name.endswith("healthy")] == []
    seen = {alert["alertname"] for _series, alerts in fleet.values() for alert in alerts}
    assert {"MemfragOrderGone", "MemfragCompactionHelps", "MemfragRebootNeeded"} <= seen
    passes(tmp_path, [of_a_fleet(fleet)], slower(tmp_path, ALL_FILES))


def test_one_alert_of_a_fleet_that_is_another_is_seen(tmp_path: pathlib.Path) -> None:
    fleet = {name: (phases((tool_series(name), HOURS_3 + 10)), tool_alerts(name)) for name in (HEALTHY, MOVABLE)}
    fleet = {name: ({**series, **FRESH}, alerts) for name, (series, alerts) in fleet.items()}
    test = of_a_fleet({**fleet, HEALTHY: (fleet[HEALTHY][0], fleet[MOVABLE][1][:1])})
    assert not promtool.run(tmp_path, [test], slower(tmp_path, TOOL_FILES))[0]


def test_a_node_that_fragments_and_is_compacted(tmp_path: pathlib.Path) -> None:
    parts = [(tool_series(name), minutes) for name, minutes in ((HEALTHY, 60), (MOVABLE, 60), (COMPACTED, 60))]
    helps = [alert for alert in tool_alerts(MOVABLE) if alert["alertname"] == "MemfragCompactionHelps"]
    assert len(helps) == 1 and not [alert for alert in tool_alerts(COMPACTED) if "remedy" in alert]
    expected = [firing([], "59m"), firing([], "69m"), firing(helps, "70m"), firing(helps, "119m"), firing([], "120m")]
    passes(tmp_path, [a_test("loop", {**phases(*parts), **FRESH}, *expected)], TOOL_FILES)


# --- one by one -------------------------------------------------------------------------------------------------------


def with_healthy(**series: t.Any) -> dict[str, t.Any]:
    return {**phases((tool_series(HEALTHY), 2 * HOURS_3)), **FRESH, **series}


def test_an_incident_fires_for_a_quarter_of_an_hour_and_old_ones_do_not(tmp_path: pathlib.Path) -> None:
    failed = one("memfrag_incidents_total", 'kind="page_allocation_failure"', 'cause="fragmentation"')
    killed = one("memfrag_incidents_total", 'kind="oom_kill"', 'cause="memcg_limit"')
    incident = {"alertname": "MemfragIncident", "severity": "critical", "cause": "fragmentation"}
    tests = [
        a_test(
            "one",
            with_healthy(**{failed: "0+0x29 1+0x60"}),
            firing([], "29m"),
            firing([incident], "31m"),
            firing([], "50m"),
        ),
        a_test("before the first look", with_healthy(**{failed: "7+0x90"}), firing([], "30m")),
        a_test("another cause", with_healthy(**{killed: "0+1x90"}), firing([], "30m")),
        a_test("the tool begins anew", with_healthy(**{failed: "7+0x29 0+0x60"}), firing([], "40m")),
    ]
    passes(tmp_path, tests, TOOL_FILES)


def test_a_job_that_does_not_help(tmp_path: pathlib.Path) -> None:
    series = with_healthy(**{one("memfrag_compaction_ineffective_runs"): "2+0x29 3+0x29 0+0x60"})
    alert = {"alertname": "MemfragJobIneffective", "severity": "warning"}
    passes(tmp_path, [a_test("job", series, firing([], "34m"), firing([alert], "40m"), firing([], "70m"))], TOOL_FILES)


def test_a_tool_that_stopped_speaks_of_itself_alone_and_the_exporter_takes_over(tmp_path: pathlib.Path) -> None:
    helps = [alert for alert in tool_alerts(MOVABLE) if alert["alertname"] == "MemfragCompactionHelps"]
    seen = phases((tool_series(MOVABLE), 2 * HOURS_3))
    series = {**seen, COLLECTED: f"0+60x30 1800+0x{HOURS_3}"}
    stale = {"alertname": "MemfragToolStale", "severity": "warning"}
    tests = [
        a_test(
            "tool", series, firing(helps, "30m"), firing([], "46m"), firing([stale], "52m"), firing([stale], "170m")
        ),
    ]
    passes(tmp_path, tests, TOOL_FILES)
    both = {**phases((test_rules.looked_at(PINNED)[0], 2 * HOURS_3)), **series}
    passes(tmp_path, [a_test("both", both, firing([*stock_alerts(PINNED), stale], "200m"))], ALL_FILES)


def test_a_source_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    log, slab = (one("memfrag_source_read_timestamp_seconds", f'source="{name}"') for name in ("log", "slabinfo"))
    alert = {"alertname": "MemfragSourceUnread", "severity": "info", "source": "log"}
    tests = [
        a_test(
            "log",
            with_healthy(**{log: f"0+60x30 1800+0x{HOURS_3}", slab: f"0+0x{HOURS_3}"}),
            firing([], "90m"),
            firing([alert], "110m"),
        ),
        a_test("read", with_healthy(**{log: f"0+60x{HOURS_3}"}), firing([], "150m")),
    ]
    passes(tmp_path, tests, TOOL_FILES)


def test_an_exporter_that_tells_nothing(tmp_path: pathlib.Path) -> None:
    named = {one("node_uname_info", 'release="6.1.0"'): "1+0x120"}
    alert = {"alertname": "MemfragNoBuddyinfo", "severity": "info", "release": "6.1.0"}
    tests = [
        a_test("bare", named, firing([], "59m"), firing([alert], "61m")),
        a_test("tool", {**named, **FRESH}, firing([], "100m")),
    ]
    passes(tmp_path, tests, STOCK_FILES)


def test_words_are_filled_in(tmp_path: pathlib.Path) -> None:
    rule = next(rule for rule in _alerts.groups()["tool"].rules if rule.name == "MemfragJobIneffective")
    said = {
        name: text.replace("{{ $labels.instance }}", "node17:9100").replace("{{ $value }}", "3")
        for name, text in rule.annotations.items()
    }
    wanted = {"exp_labels": {"severity": "warning", "instance": "node17:9100", "job": "node"}, "exp_annotations": said}
    series = with_healthy(**{one("memfrag_compaction_ineffective_runs"): "3+0x60"})
    test = {**a_test("words", series), "alert_rule_test": [promtool.alerting(rule.name, [wanted], "30m")]}
    passes(tmp_path, [test], TOOL_FILES)


@pytest.mark.parametrize("change", ["missing", "other"])
def test_an_alert_that_is_missing_or_another_one_is_seen(change: str, tmp_path: pathlib.Path) -> None:
    series = with_healthy(**{one("memfrag_compaction_ineffective_runs"): "3+0x60"})
    alert = {"alertname": "MemfragJobIneffective", "severity": "warning" if change == "missing" else "info"}
    test = a_test("job", series, firing([] if change == "missing" else [alert], "40m"))
    assert not promtool.run(tmp_path, [test], TOOL_FILES)[0]
