# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same forecast on series of virtual machines (tests/fixtures/forecast), for which the period of their load is a day."""

from __future__ import annotations

import math
import pathlib
import statistics
import typing as t

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _forecast

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "forecast"
ORDERS = range(4, 10)
# Four audits in each period, and so many at the most.
PERIOD_SECONDS, AUDITS_A_PERIOD, AUDITS = {"leakslow": 25, "leakother": 33, "cacheother": 33}, 4, 41


class Run(t.NamedTuple):
    name: str
    period: int
    series: list[tuple[float, float]]
    """Seconds, and blocks of one order, those of larger ones among them."""

    @property
    def gone(self) -> float | None:
        """From when on, to the end, half of the last period or more had none."""
        found = None
        blocks = [blocks for _time, blocks in self.series]
        for number, (time, _blocks) in enumerate(self.series):
            if statistics.median(blocks[max(0, number - self.period + 1) : number + 1]) >= 1:
                found = None
            elif found is None:
                found = time
        return found


def runs() -> t.Iterator[Run]:
    for path in sorted(FIXTURES.glob("*.txt")):
        rows = [list(map(int, line.split())) for line in path.read_text(encoding="ascii").splitlines()]
        period = PERIOD_SECONDS.get(path.stem.partition("-")[0], 20)
        for order in ORDERS:
            series = [
                (
                    float(row[0]),
                    float(sum(count << (larger - order) for larger, count in enumerate(row[1:]) if larger >= order)),
                )
                for row in rows
            ]
            yield Run(f"{path.stem}, order {order}", period, series)


Forecaster = t.Callable[[list[tuple[float, float]]], tuple[float, float, float] | None]


def ours(points: list[tuple[float, float]]) -> tuple[float, float, float] | None:
    found = _forecast.forecast(points)
    return None if isinstance(found, _forecast.Silence) else (found.low, found.expected, found.high)


def straight(points: list[tuple[float, float]]) -> tuple[float, float, float] | None:
    """By least squares, no farther ahead than ours."""
    if len(points) < 3 or points[-1][1] < 1:
        return None
    slope, level = statistics.linear_regression([time - points[-1][0] for time, _b in points], [b for _t, b in points])
    left = max(0.0, level) / -slope if slope < 0 else math.inf
    return None if left > _forecast.FARTHEST * (points[-1][0] - points[0][0]) else (left, left, left)


def row(forecaster: Forecaster) -> str:
    """Forecasts of orders that went, how many hold, by what factor they are off, and those of orders that stayed beyond three times the time."""
    errors: list[float] = []
    held = early = looks = events = missed = 0
    for run in runs():
        gone, seen, scale = run.gone, False, _forecast.DAY / run.period
        every = run.period // AUDITS_A_PERIOD
        end = run.series[-1][0]
        for number in range(run.period, len(run.series), every):
            time = run.series[number][0]
            if gone is not None and time >= gone:
                break
            looks += 1
            points = [(at * scale, blocks) for at, blocks in run.series[number % every : number + 1 : every][-AUDITS:]]
            answer = forecaster(points)
            if answer is None:
                continue
            low, expected, high = (each / scale for each in answer)
            left = (math.inf if gone is None else gone) - time
            if gone is None:
                # What was to come after the end of the recording is nobody's knowledge.
                early += end - time > 3 * max(expected, run.period)
                continue
            seen |= left >= run.period
            held += low <= left <= high
            errors.append(abs(math.log(max(expected, 1.0) / max(left, 1.0))))
        # An event that a forecast had time for.
        if gone is not None and gone > 6 * run.period:
            events += 1
            missed += not seen
    errors.sort()
    factors = [math.exp(errors[int(share * (len(errors) - 1))]) for share in (0.5, 0.9)]
    return (
        f"{len(errors)} forecasts, {100 * held / len(errors):.0f} % in interval, factor {factors[0]:.1f} / {factors[1]:.1f}, "
        f"missed {missed} of {events}, much too early {100 * early / looks:.1f} % of {looks} looks at all runs"
    )


def main() -> None:
    print("\nvirtual machines")
    for name, forecaster in (("straight line", straight), ("MF701", ours)):
        print(f"  {name:16} {row(forecaster)}")
