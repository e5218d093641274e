# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forecast's rules and alert on nine days of a machine: when they speak, when they are silent, and that they are what was measured.

How good they are is measured by tests/benchmarks/forecast, with the same arithmetic in Python.
"""

from __future__ import annotations

import math
import pathlib
import random
import re
import sys
import typing as t

import exporter
import promtool
import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _forecast_rules

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "benchmarks" / "forecast"))
import methods
import workloads

FILES = ("memfrag-forecast.rules.yml",)
MINUTES, DAY = 4, 24 * 60
DAYS = 9
WHEN = f"{(DAYS * 24 - 1) * 60}m"
Blocks = t.Callable[[float], float]


def one(name: str, *labels: str) -> str:
    return f"{name}{{{','.join((exporter.INSTANCE, *labels))}}}"


def values(of: Blocks) -> list[int]:
    """Whole blocks, each four minutes."""
    return [max(0, int(of(minute / DAY))) for minute in range(0, DAYS * DAY, MINUTES)]


def words(numbers: t.Iterable[float]) -> str:
    return " ".join(promtool.number(number) for number in numbers)


def named(series: dict[str, str], name: str) -> dict[str, str]:
    """The same machine under another name."""
    return {each.replace("node17:9100", name): text for each, text in series.items()}


def machine(blocks: Blocks, **changed: t.Any) -> dict[str, str]:
    """A machine with the tool that needs order 3; it was started a month before."""
    steps = DAYS * DAY // MINUTES
    series = {
        one("memfrag_allocatable_blocks", 'node="0"', 'size="3"'): words(values(blocks)),
        one("memfrag_order_needed", 'size="3"', 'need="required"'): f"1+0x{steps}",
        one("memfrag_collected_timestamp_seconds"): f"0+240x{steps}",
        one("memfrag_compaction_runs_total", 'reason="needed"'): f"4+0x{steps}",
        one("memfrag_compaction_runs_total", 'reason="satisfied"'): f"4+1x{steps}",
        one("node_boot_time_seconds"): f"-2592000+0x{steps}",
        one("node_memory_MemTotal_bytes"): f"8000000000+0x{steps}",
    }
    return {**series, **{one(*name.split("/")): text for name, text in changed.items()}}


def leaking(day: float) -> float:
    """Halved each day, with what comes and goes with it, and a sawtooth."""
    return 3000 * 0.5 ** (day / 1.0) * (0.8 + 0.2 * math.cos(2 * math.pi * day)) * (1 - 0.5 * (day * 31 % 1.0))


def expected_days(blocks: Blocks) -> float:
    """What the benchmark's method makes of the same machine, an hour before the end."""
    found, each = values(blocks), 60 // MINUTES
    hours = [found[number : number + each] for number in range(0, len(found), each)]
    series = workloads.Series("", True, [float(hour[0]) for hour in hours], [float(max(hour)) for hour in hours], [])
    answer = methods.rules(series, DAYS * 24 - 2)
    assert answer
    return answer[1]


def a_test(name: str, series: dict[str, str], *expected: promtool.Test) -> promtool.Test:
    return {"name": name, "interval": "4m", "input_series": promtool.series(series), "promql_expr_test": list(expected)}


def firing(*found: dict[str, str], when: str = WHEN) -> promtool.Test:
    wanted = {}
    for labels in found:
        pairs = {"instance": "node17:9100", "job": "node", "alertstate": "firing", "bound": "expected", **labels}
        wanted["ALERTS{" + ",".join(f'{name}="{value}"' for name, value in sorted(pairs.items())) + "}"] = 1.0
    return promtool.expecting('ALERTS{alertstate="firing"}', wanted, when)


def passes(place: pathlib.Path, *tests: promtool.Test) -> None:
    """Evaluated each 20 minutes, at which every step of a subquery has a sample: more often says the same and takes longer."""
    for name in FILES:
        text = (promtool.FILES / name).read_text(encoding="utf-8")
        (place / name).write_text(re.sub("interval: [14]m\n", "interval: 20m\n", text), encoding="utf-8")
    right, said = promtool.run(place, list(tests), [str(place / name) for name in FILES], "20m")
    assert right, said


ALERT = {"alertname": "MemfragOrderGoneSoon", "severity": "info", "size": "3"}


def within(low: float, high: float, bound: str = "expected") -> promtool.Test:
    """That the forecast lies between two numbers of days."""
    series = f'{_forecast_rules.LEFT}{{bound="{bound}"}}'
    expression = f"({series} > bool {low * 86400:.0f}) * ({series} < bool {high * 86400:.0f})"
    return promtool.expecting(expression, {f'{{bound="{bound}",{exporter.INSTANCE},size="3"}}': 1.0}, WHEN)


def test_a_leak_is_told_and_by_when(tmp_path: pathlib.Path) -> None:
    days = expected_days(leaking)
    # The truth: of 3000 blocks that are halved each day one is left after eleven and a half.
    assert 0.5 < days < 3
    passes(
        tmp_path,
        a_test(
            "leak",
            machine(leaking),
            firing(ALERT),
            within(0.85 * days, 1.15 * days),
            within(0.85 * days / 3, 1.15 * days / 3, "low"),
            within(0.85 * days * 3, 1.15 * days * 3, "high"),
            # Not before there are days enough, whatever they say.
            firing(when=f"{6 * DAY}m"),
        ),
    )


def stock(page_size: int) -> dict[str, str]:
    """The leaking machine with a stock exporter and two NUMA nodes. Orders of more than 256 kB are nobody's business."""
    series = {name: text for name, text in machine(leaking).items() if name.startswith("node_")}
    half = words(blocks // 2 for blocks in values(leaking))
    for node, size in (("0", "3"), ("1", "3"), ("0", "9")):
        series[one("node_size:memfrag_available_blocks:sum", f'node="{node}"', f'size="{size}"')] = half
    return {**series, one("instance:memfrag_page_size:bytes"): f"{page_size}+0x{DAYS * DAY // MINUTES}"}


def _at(day: float, before: float, after: float) -> str:
    """A series that changes on that day."""
    steps = int(day * DAY / MINUTES)
    return f"{promtool.number(before)}+0x{steps - 1} {promtool.number(after)}+0x{DAYS * DAY // MINUTES - steps}"


CHANCE = random.Random(5)
NOISE = [2 ** CHANCE.gauss(0, 0.5) for _hour in range(DAYS * 24 + 1)]
SILENT: dict[str, dict[str, str]] = {
    "flat": machine(lambda _day: 300),
    "noise": machine(lambda day: 60 * NOISE[int(day * 24)]),
    "day and night": machine(lambda day: 200 * (0.55 + 0.45 * math.cos(2 * math.pi * day))),
    "a step": machine(lambda day: 400 if day < 5.3 else 20),
    "a plateau": machine(lambda day: 60 + 3000 * 0.5 ** (day / 0.7)),
    "rising": machine(lambda day: 10 * 2 ** (day / 2)),
    "gone": machine(lambda day: leaking(day) if day < 7 else 0),
    "recovered": machine(lambda day: leaking(day) if day < 8.5 else 2000),
    "rebooted": machine(leaking, node_boot_time_seconds=_at(4, -2592000, 4 * 86400)),
    "resized": machine(leaking, node_memory_MemTotal_bytes=_at(4, 8e9, 6e9)),
    "compacted": machine(leaking, **{'memfrag_compaction_runs_total/reason="needed"': _at(4, 4, 5)}),
    "not needed": machine(leaking, **{'memfrag_order_needed/size="3"/need="required"': f"_x{DAYS * DAY // MINUTES}"}),
}


def test_who_leaks_is_told_of_and_nobody_else(tmp_path: pathlib.Path) -> None:
    """All machines beside each other: promtool takes the longer the more tests there are, not machines."""
    series = {
        **named(stock(4096), "stock"),
        **named(stock(65536), "large pages"),
        **named(machine(leaking), "tool"),
    }
    for name, silent in SILENT.items():
        series.update(named(silent, name))
    told = [{**ALERT, "instance": name} for name in ("stock", "tool")]
    found = promtool.expecting(
        f"count by (instance, size) ({_forecast_rules.LEFT})",
        {f'{{instance="{name}",size="3"}}': 3.0 for name in ("stock", "tool")},
        WHEN,
    )
    passes(tmp_path, a_test("all", series, firing(*told), found))


@pytest.mark.parametrize("wrong", ["silent", "other"])
def test_an_alert_that_is_missing_is_seen(wrong: str, tmp_path: pathlib.Path) -> None:
    """Of a forecast that is there already."""
    left = one(_forecast_rules.LEFT, 'bound="expected"', 'size="3"')
    series = {left: "100000+0x40" if wrong == "other" else "300000+0x40"}
    expected = firing({**ALERT, "severity": "warning"} if wrong == "other" else ALERT, when="120m")
    right = a_test("right", {left: "100000+0x40"}, firing(ALERT, when="120m"), firing(when="56m"))
    assert promtool.run(tmp_path, [right], FILES, "4m")[0]
    assert not promtool.run(tmp_path, [a_test(wrong, series, expected)], FILES, "4m")[0]
