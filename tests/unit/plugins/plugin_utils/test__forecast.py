# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a trend carries a forecast, and when it does not. How good they are is measured by tests/benchmarks/forecast."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _forecast
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._forecast import DAY, Mark

Points = list[tuple[float, float]]
START = 1.7e9


def days(blocks: list[float], every: float = 1.0) -> Points:
    return [(START + number * every * DAY, count) for number, count in enumerate(blocks)]


def halving(start: float, each_days: float, count: int = 11, every: float = 1.0) -> Points:
    return days([float(round(start * 0.5 ** (number * every / each_days))) for number in range(count)], every)


def forecast(points: Points) -> _forecast.Forecast:
    found = _forecast.forecast(points)
    assert isinstance(found, _forecast.Forecast), found
    return found


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "each_days"),
    [(20000, 1.5), (5000, 2.0), (1000, 2.5), (4000, 3.0)],
)
def test_blocks_that_halve_are_gone_when_one_is_left_to_halve(start: float, each_days: float) -> None:
    points = halving(start, each_days)
    truth = each_days * math.log2(points[-1][1])
    found = forecast(points)
    assert found.expected / DAY == pytest.approx(truth, rel=0.25)
    assert found.low < truth * DAY < found.high
    assert found.halving / DAY == pytest.approx(each_days, rel=0.1)
    assert found.points == 11
    assert found.days == pytest.approx(10)


def test_blocks_that_fall_by_number_are_gone_by_the_straight_line() -> None:
    points = days([1000.0 - 90 * number for number in range(11)])
    found = forecast(points)
    assert found.expected / DAY == pytest.approx(100 / 90, rel=0.05)
    assert found.low < 100 / 90 * DAY < found.high


def test_a_fall_that_either_law_may_be_is_as_wide_as_both() -> None:
    chance = random.Random(2)
    points = days([30 * 0.5 ** (number / 7 + chance.gauss(0, 0.2)) for number in range(15)])
    found = forecast(points)
    straight = points[-1][1] / ((points[0][1] - points[-1][1]) / 14)
    assert found.low / DAY < straight < found.expected / DAY and found.high > 5 * found.low


def test_dips_do_not_move_it() -> None:
    points = halving(20000, 2.0, 41, 0.25)
    dipped = [(time, blocks / 50 if number % 3 == 1 else blocks) for number, (time, blocks) in enumerate(points)]
    assert forecast(dipped).expected == pytest.approx(forecast(points).expected, rel=0.1)


def test_one_wrong_point_does_not_move_it() -> None:
    points = halving(20000, 2.0)
    points[4] = (points[4][0], points[4][1] / 1.9)
    assert forecast(points).expected == pytest.approx(forecast(halving(20000, 2.0)).expected, rel=0.1)


# --- what is not said -------------------------------------------------------------------------------------------------

SILENT: dict[str, tuple[Points, _forecast.Silence]] = {
    "nothing": ([], _forecast.FEW),
    "four audits": (halving(1000, 2.0, 4, 3.0), _forecast.FEW),
    "many, in three days": (halving(1000, 0.5, 40, 0.08), _forecast.SHORT),
    "a day of many and one long ago": (
        [(START, 9000.0), *((START + (90 + n / 30) * DAY, 900.0 - n) for n in range(20))],
        _forecast.FEW,
    ),
    "gone": (days([1000.0, 500, 250, 100, 50, 20, 8, 2, 0]), _forecast.GONE),
    "the same all the time": (days([500.0] * 11), _forecast.LEVEL),
    "rising": (days([100.0 * 1.5**n for n in range(11)]), _forecast.LEVEL),
    "up and down": (days([900.0, 500, 950, 480, 900, 520, 910, 470, 880, 510, 900]), _forecast.LEVEL),
    "less than halved": (days([1000.0 - 30 * n for n in range(11)]), _forecast.LEVEL),
    "a step": (days([1000.0, 1010, 990, 1000, 1005, 150, 149, 151, 150, 149, 150]), _forecast.LEVEL),
    "a late step": (days([1000.0, 980, 990, 985, 980, 990, 985, 980, 100, 99, 98]), _forecast.FEW),
    "compacted, and falling again": (days([900.0, 600, 400, 270, 180, 120, 80, 900, 600, 400]), _forecast.FEW),
    "levelling off": (days([4000.0, 2000, 1100, 750, 600, 520, 480, 460, 450, 446, 444]), _forecast.SLOWING),
    "far": (days([1000000.0 * 0.9**n for n in range(11)]), _forecast.FAR),
}


@pytest.mark.parametrize("name", SILENT)
def test_no_forecast(name: str) -> None:
    points, why = SILENT[name]
    assert _forecast.forecast(points) == why


def test_it_recovers() -> None:
    points = [*halving(4000, 1.5, 12)[:-1], (START + 11 * DAY, 110.0)]
    assert isinstance(_forecast.forecast(points), _forecast.Silence)


def test_noise_rarely_has_a_forecast() -> None:
    chance = random.Random(7)
    said = sum(
        isinstance(
            _forecast.forecast(days([300 * 2 ** chance.gauss(0, 0.6) for _day in range(11)])), _forecast.Forecast
        )
        for _node in range(400)
    )
    assert said <= 4


# --- always -----------------------------------------------------------------------------------------------------------

SERIES = st.lists(
    st.tuples(st.floats(0.01, 20), st.integers(0, 10**7)), min_size=0, max_size=40
)  # (days since the one before, blocks)


def series(steps: list[tuple[float, int]]) -> Points:
    time, points = START, []
    for gap, blocks in steps:
        time += gap * DAY
        points.append((time, float(blocks)))
    return points


@settings(max_examples=300)
@given(SERIES)
def test_whatever_the_series_it_is_a_sound_interval_or_a_reason(steps: list[tuple[float, int]]) -> None:
    points = series(steps)
    found = _forecast.forecast(points)
    if isinstance(found, _forecast.Silence):
        assert found.why
        return
    assert 0 <= found.low <= found.expected <= found.high < math.inf
    assert found.high >= _forecast.NARROWEST * found.expected and found.low * _forecast.NARROWEST <= found.expected
    assert found.expected <= _forecast.FARTHEST * found.days * DAY
    assert points[-1][1] >= 1 and found.halving > 0
    assert _forecast.SHORTEST_DAYS * 0.9 <= found.days <= (points[-1][0] - points[0][0]) / DAY + 0.01


@settings(max_examples=100)
@given(SERIES, st.floats(-1e8, 1e8))
def test_when_it_was_does_not_matter(steps: list[tuple[float, int]], later: float) -> None:
    points = series(steps)
    here, there = (_forecast.forecast(each) for each in (points, [(time + later, blocks) for time, blocks in points]))
    assert isinstance(here, _forecast.Silence) == isinstance(there, _forecast.Silence)
    if isinstance(here, _forecast.Forecast) and isinstance(there, _forecast.Forecast):
        assert there.expected == pytest.approx(here.expected, rel=1e-3, abs=60)


@settings(max_examples=100)
@given(st.lists(st.integers(0, 10**6), min_size=6, max_size=30), st.integers(0, 10**6))
def test_who_never_falls_has_no_forecast(blocks: list[int], least: int) -> None:
    assert isinstance(_forecast.forecast(days([float(least + each) for each in sorted(blocks)])), _forecast.Silence)


# --- the line ---------------------------------------------------------------------------------------------------------


def test_the_line_is_that_of_the_median_slope() -> None:
    line = _forecast.theil_sen([(float(x), 7.0 - 2 * x) for x in range(9)])
    assert (line.expected, line.low, line.high, line.level) == (-2, -2, -2, 7)
    # Kendall's score of 36 pairs that all fall, less one for continuity, over its deviation.
    assert line.certainty == pytest.approx(35 / math.sqrt(9 * 8 * 23 / 18))
    assert _forecast.theil_sen([(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]).certainty < 0


def test_its_interval_holds_the_true_slope_about_four_times_in_five() -> None:
    chance = random.Random(3)
    held = 0
    for _line in range(500):
        line = _forecast.theil_sen([(float(x), -0.4 * x + chance.gauss(0, 1)) for x in range(11)])
        held += line.low <= -0.4 <= line.high
    assert 0.74 <= held / 500 <= 0.9


def test_windows_are_whole_days_that_end_now() -> None:
    points = [(START + hour * 3600.0, float(hour % 24)) for hour in range(24 * 6 + 1)]
    windows = _forecast.maxima(points)
    assert [blocks for _time, blocks in windows] == [23] * 6
    assert windows[-1][0] - windows[-2][0] == pytest.approx(DAY, rel=0.1)
    # Audits that are some minutes early or late each have their own.
    chance = random.Random(1)
    assert len(_forecast.maxima([(time + chance.uniform(-1800, 1800), b) for time, b in halving(500, 2.0)])) == 11


# --- whether it is the same machine -----------------------------------------------------------------------------------

GB = 1 << 20


def marks(*changed: tuple[int, dict[str, float]]) -> list[Mark]:
    """Ten daily audits of a machine of 16 GB that was started a day before the first; from the given ones on something is different."""
    found = [Mark(START + n * DAY, (n + 1) * DAY, 16 * GB, 1000 * n, 0) for n in range(10)]
    for first, values in changed:
        for number in range(first, 10):
            found[number] = found[number]._replace(**values)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("changed", "first"),
    [
        ([], 0),
        ([(4, {"memory_kb": 12 * GB})], 4),
        ([(4, {"memory_kb": 16 * GB - 4096})], 0),
        ([(2, {"dropped": 1}), (7, {"dropped": 2})], 7),
        ([(6, {"swept": 3 * GB})], 6),
        ([(6, {"swept": 3000000})], 6),
        ([(6, {"swept": 900000})], 0),
        ([(0, {"swept": None, "dropped": None, "memory_kb": None, "uptime": None})], 0),
        ([(0, {"swept": None}), (5, {"swept": 10**9})], 6),
    ],
)
def test_what_breaks_a_history(changed: list[tuple[int, dict[str, float]]], first: int) -> None:
    found = marks(*changed)
    if changed and changed[-1][1].get("swept") == 10**9:
        # Known from the sixth audit on: nothing to compare it with before.
        found[6] = found[6]._replace(swept=2 * 10**9)
        found[7:] = [each._replace(swept=2 * 10**9) for each in found[7:]]
    assert _forecast.unbroken(found) == first


def test_a_reboot_breaks_it_and_a_clock_that_is_set_a_little_does_not() -> None:
    rebooted = [each._replace(uptime=(n - 4) * DAY + 600) if n >= 5 else each for n, each in enumerate(marks())]
    assert _forecast.unbroken(rebooted) == 5
    shifted = [each._replace(time=each.time + 120) if n >= 5 else each for n, each in enumerate(marks())]
    assert _forecast.unbroken(shifted) == 0
    assert _forecast.unbroken([]) == 0


def test_large_pages_are_fewer_to_a_sweep() -> None:
    swept = marks((6, {"swept": 300000}))
    assert _forecast.unbroken(swept) == 0 and _forecast.unbroken(swept, page_kb=64) == 6
