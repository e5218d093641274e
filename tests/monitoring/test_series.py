# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules and alerts on what virtual machines went through: each alert fires in the stages it is for, and is silent in all others.

A moment, of which one was taken each three seconds, stands for MINUTES: what took a machine minutes takes it most of a day here.
"""

from __future__ import annotations

import functools
import pathlib
import re
import typing as t

import exporter
import promtool
import pytest
import series
import test_alerts
import test_forecast
import test_rules

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _alerts, _stock

# On the path since test_forecast: the benchmarks of the forecast.
import methods  # isort: skip
import recorded  # isort: skip
import workloads  # isort: skip

# Rules are evaluated, and have a value, each STEP; LOOK minutes into a moment it is looked at what fires, when what has just happened is
# still within the quarter of an hour that MemfragIncident looks back.
MINUTES, STEP, LOOK = 14, 7, 7
WAIT = {
    (rule.name, rule.labels["severity"]): int(rule.wait[:-1] or 0) * {"h": 60, "m": 1}[rule.wait[-1:] or "m"]
    if rule.wait
    else 0
    for group in _alerts.groups().values()
    for rule in group.rules
}
INCIDENT = {"alertname": "MemfragIncident", "severity": "critical", "cause": "fragmentation"}
NAMES = series.names()
Alerts = list[dict[str, str]]


def stages(name: str) -> list[str]:
    return [moment.stage for moment in series.moments(name)]


def events(name: str) -> list[float]:
    """Of each moment, how many allocations had failed for fragmentation by then."""
    wanted = re.compile(r"memfrag_incidents_total\{.*cause=\"fragmentation\"")
    return [sum(value for text, value in moment.tool.items() if wanted.match(text)) for moment in series.moments(name)]


def firing(name: str, which: str) -> list[Alerts]:
    """Of each moment, what has held for as long as its "for" asks for, and so fires then. ``which`` is stock or tool."""
    since: dict[tuple[tuple[str, str], ...], int] = {}
    found = []
    for number, moment in enumerate(series.moments(name)):
        held = [tuple(sorted(alert.items())) for alert in getattr(moment, which + "_alerts")]
        since = {key: since.get(key, number) for key in held}
        lasted = {key: (number - begun) * MINUTES + LOOK for key, begun in since.items()}
        found.append([dict(key) for key, minutes in lasted.items() if minutes >= WAIT[_alert(key)]])
    if which == "tool":
        counts = events(name)
        for number in range(1, len(counts)):
            if counts[number] > counts[number - 1]:
                found[number].append(INCIDENT)
    return found


def _alert(key: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    labels = dict(key)
    return labels["alertname"], labels["severity"]


def at(number: int) -> str:
    return f"{number * MINUTES + LOOK}m"


def played(name: str, which: str) -> promtool.Test:
    """The machine as a test: its series, and at each moment what fires and the kernel's own indices."""
    seen, steps = series.moments(name), MINUTES // STEP
    inputs = test_alerts.phases(*[(moment.stock, steps) for moment in seen])
    if which == "tool":
        inputs.update(test_alerts.phases(*[(moment.tool, steps) for moment in seen]))
        inputs[test_alerts.COLLECTED] = f"0+{60 * STEP}x{len(seen) * steps}"
    expected = [test_alerts.firing(alerts, at(number)) for number, alerts in enumerate(firing(name, which))]
    for number, moment in enumerate(seen):
        for rule, indices in ((_stock.UNUSABLE, moment.unusable), (_stock.EXTFRAG, moment.extfrag)):
            expected.append(promtool.expecting(rule, test_rules.labelled(rule, indices), at(number)))
    return test_alerts.a_test(f"{name}, {which}", inputs, *expected)


@functools.cache
def all_played() -> promtool.Test:
    """Each machine twice, with the node tool and without, beside each other: rules cost by the group, hardly by the node."""
    whole: promtool.Test = test_alerts.a_test("fleet", {})
    expected: dict[tuple[str, str], list[dict[str, t.Any]]] = {}
    for name in NAMES:
        for which in ("stock", "tool"):
            test = played(name, which)
            for each in test["input_series"]:
                text = each["series"].replace(exporter.INSTANCE, test_alerts.instance_of(test["name"]))
                whole["input_series"].append({**each, "series": text})
            for each in test["promql_expr_test"]:
                for sample in each["exp_samples"]:
                    labels = sample["labels"].replace("node17:9100", test["name"])
                    expected.setdefault((each["expr"], each["eval_time"]), []).append({**sample, "labels": labels})
    # Of a machine whose series have ended nothing is said any more.
    last = max(len(series.moments(name)) for name in NAMES)
    for rule in ('ALERTS{alertstate="firing"}', _stock.UNUSABLE, _stock.EXTFRAG):
        for number in range(last):
            found = sorted(expected.get((rule, at(number)), []), key=lambda sample: str(sample["labels"]))
            whole["promql_expr_test"].append({"expr": rule, "eval_time": at(number), "exp_samples": found})
    return {**whole, "interval": f"{STEP}m"}


def runs(place: pathlib.Path, test: promtool.Test) -> tuple[bool, str]:
    files = [(promtool.FILES / name).read_text(encoding="utf-8") for name in test_alerts.ALL_FILES]
    for name, text in zip(test_alerts.ALL_FILES, files, strict=True):
        (place / name).write_text(text.replace("interval: 1m\n", f"interval: {STEP}m\n"), encoding="utf-8")
    return promtool.run(place, [test], [str(place / name) for name in test_alerts.ALL_FILES], f"{STEP}m")


# --- what was recorded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_went_through_it_all(name: str) -> None:
    seen = stages(name)
    for stage in EXPECTED:
        assert seen.count(stage) >= 6, stage
    counts = events(name)
    assert counts[0] == 0 and counts[-1] >= 1 and len(set(counts)) == counts[-1] + 1
    # An application that was killed for lack of memory has not failed for fragmentation.
    killed = [
        sum(
            value
            for text, value in moment.tool.items()
            if 'kind="oom_kill"' in text and 'cause="memory_shortage"' in text
        )
        for moment in series.moments(name)
    ]
    assert killed[0] == 0 and killed[-1] >= 1


# Stage, and what fires at its end: (with the node tool, with a stock exporter alone).
GONE, SCARCE, HELPS, REBOOT = "MemfragOrderGone", "MemfragOrderScarce", "MemfragCompactionHelps", "MemfragRebootNeeded"
NOTHING: tuple[set[str], set[str]] = (set(), set())
EXPECTED = {
    "healthy": NOTHING,
    "movable": ({GONE, HELPS}, {GONE}),
    "compacted": NOTHING,
    "released": NOTHING,
    "unmovable": ({GONE, REBOOT}, {GONE}),
    "compacted_in_vain": ({GONE, REBOOT}, {GONE}),
    "failed": ({GONE, REBOOT}, {GONE, SCARCE}),
    "released_again": NOTHING,
    "killed": NOTHING,
}
# Of two NUMA nodes one had a few blocks left after that; reclaim for the request that failed left pages there that could be moved.
OTHERS = {"linux-6.12": {"compacted_in_vain": ({REBOOT}, set()), "failed": ({HELPS}, {SCARCE})}}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["tool", "stock"])
def test_what_fires_at_the_end_of_each_stage(name: str, which: t.Literal["tool", "stock"]) -> None:
    """By the library, in words; that the rules say so is the next test's."""
    alerts = firing(name, which)
    ends = {stage: number for number, stage in enumerate(stages(name))}
    found = {stage: {alert["alertname"] for alert in alerts[ends[stage]]} for stage in EXPECTED}
    wanted = {**EXPECTED, **OTHERS.get(name, {})}
    assert found == {stage: names[which == "stock"] for stage, names in wanted.items()}


# --- what the rules make of it ----------------------------------------------------------------------------------------


def test_rules_and_alerts_at_every_moment(tmp_path: pathlib.Path) -> None:
    assert len(NAMES) >= 2
    right, said = runs(tmp_path, all_played())
    assert right, said
    print(f"{test_rules.counted([all_played()])} values of {len(NAMES)} machines")


@pytest.mark.parametrize("what", ["ALERTS", _stock.UNUSABLE])
def test_one_that_is_another_is_seen(what: str, tmp_path: pathlib.Path) -> None:
    # A few moments are enough for that.
    early = [each for each in all_played()["promql_expr_test"] if int(each["eval_time"][:-1]) <= 20 * MINUTES]
    which = next(each for each in reversed(early) if each["exp_samples"] and what in each["expr"])
    sample = which["exp_samples"][-1]
    other = {**which, "exp_samples": [*which["exp_samples"][:-1], {**sample, "value": sample["value"] + 0.001}]}
    assert not runs(tmp_path, {**all_played(), "promql_expr_test": [*early, other]})[0]


# --- the forecast -----------------------------------------------------------------------------------------------------

# Of these machines 20 seconds are a day: the period of their load. The last nine days of a recording.
SECONDS_A_DAY, FROM_DAY = 20, 1.8
# Recordings of tests/fixtures/forecast, and whether an order is lost: in some of them pages that cannot be moved stayed for good.
LEAKS = {
    "leakcache-62, order 5": True,
    "leakcache-63, order 6": True,
    "cache-81, order 4": False,
    "cache-82, order 5": False,
}


def test_what_leaked_is_told_of_and_what_did_not_is_not(tmp_path: pathlib.Path) -> None:
    inputs: dict[str, str] = {}
    for run in recorded.runs():
        if run.name not in LEAKS:
            continue
        blocks = _blocks(run)
        hours = [[blocks((hour + part / 4) / 24) for part in range(4)] for hour in range(test_forecast.DAYS * 24)]
        node = workloads.Series("", True, [hour[0] for hour in hours], [max(hour) for hour in hours], [])
        # For hours: neither the alert's "for" nor that the rules see a value each four minutes makes a difference.
        spoken = sum(methods.rules(node, hour) is not None for hour in range(len(hours)))
        assert spoken > 8 if LEAKS[run.name] else not spoken
        inputs.update(test_forecast.named(test_forecast.machine(blocks), run.name))
    expression = (
        'max by (instance) (max_over_time(ALERTS{alertname="MemfragOrderGoneSoon",alertstate="firing"}[9d:1h]))'
    )
    told = {f'{{instance="{name}"}}': 1.0 for name, leaks in LEAKS.items() if leaks}
    found = promtool.expecting(expression, told, test_forecast.WHEN)
    test_forecast.passes(tmp_path, test_forecast.a_test("leaks", inputs, found))


def _blocks(run: recorded.Run) -> test_forecast.Blocks:
    return lambda day: run.series[min(int((day + FROM_DAY) * SECONDS_A_DAY), len(run.series) - 1)][1]


def test_a_step_a_compaction_and_a_release_are_no_trend(tmp_path: pathlib.Path) -> None:
    """A moment stands for some hours here, so that the whole of it takes nine days."""
    inputs: dict[str, str] = {}
    for name in NAMES:
        seen = series.moments(name)
        each = test_forecast.DAYS * test_forecast.DAY // test_forecast.MINUTES // len(seen)
        of_tool = [
            {
                text: value
                for text, value in moment.tool.items()
                if text.startswith(("memfrag_allocatable_blocks", "memfrag_order_needed"))
            }
            for moment in seen
        ]
        played_slowly = test_alerts.phases(*[(values, each) for values in of_tool])
        machine = {
            text: values
            for text, values in test_forecast.machine(lambda _day: 1).items()
            if not text.startswith(("memfrag_allocatable_blocks", "memfrag_order_needed", "memfrag_compaction"))
        }
        inputs.update(test_forecast.named({**machine, **played_slowly}, name))
    alerts = promtool.expecting(
        'max_over_time(ALERTS{alertname="MemfragOrderGoneSoon"}[9d:1h])', {}, test_forecast.WHEN
    )
    # That the rules had something to look at.
    there = promtool.expecting(
        "count by (instance) (size:memfrag_log_blocks:max1d) > bool 0",
        {f'{{instance="{name}"}}': 1.0 for name in NAMES},
        test_forecast.WHEN,
    )
    test_forecast.passes(tmp_path, test_forecast.a_test("steps", inputs, alerts, there))
