# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""By when a node will have no block of an order left, if what its blocks did so far goes on; nothing where they do not carry that.

Free blocks come and go with every process and every read file, so what is looked at is the most that there was in each window: the
blocks that come back. Of that the logarithm, since pages that cannot be moved, scattered at random, take the same share of the blocks that
are left each day. A line is laid through it by the median of the slopes of all pairs (Theil 1950, Sen 1968), which a third of bad points
does not move. The sign of the slope and its interval are those of Kendall's rank correlation, without an assumption about the noise.

tests/benchmarks/forecast measures all of it on nodes whose fate is known; the numbers below were chosen there, on other seeds than
those of the table in the guide.
"""

from __future__ import annotations

import math
import statistics
import typing as t
from collections.abc import Sequence

DAY = 86400.0

# What a trend takes: windows with a point in them, and days from the first to the last. A window is a day at least, so that day and
# night are in each of them.
FEWEST_WINDOWS = 5
SHORTEST_DAYS = 4.0
_MOST_WINDOWS = 14

# Times the span that a trend was seen over, which it is drawn out for at the most.
FARTHEST = 3.0

# Powers of two. Blocks that were not halved over the span are no trend; what comes or goes at once, and is more than that and so many
# times what windows usually differ by, is a step.
_LEAST_FALL = 1.0
_STEP, _STEP_TIMES = 1.0, 5.0

# The interval is at least this factor wide to either side, however straight the line: no law is more than a model.
NARROWEST = 3.0

# Quantiles of the normal distribution: 95 % for the sign of the slope, 80 % of both sides together for the interval.
_CERTAIN = 1.645
_WIDTH = 1.282

# The later half falls at least this much as fast as the whole. What slows down ends on a plateau: caches that fill after a start.
_SLOWEST = 0.5


class Mark(t.NamedTuple):
    """What tells whether a machine is still the one that it was. None: not known."""

    time: float
    """Seconds since the epoch."""
    uptime: float | None = None
    """Seconds."""
    memory_kb: int | None = None
    swept: int | None = None
    """Pages that compactions other than the daemon's have looked at since boot."""
    dropped: int | None = None
    """How often caches were dropped since boot."""


class Forecast(t.NamedTuple):
    """Seconds from the last point until there is none; four times in five it is said to be between ``low`` and ``high``."""

    low: float
    expected: float
    high: float
    days: float
    """From the first to the last point that count."""
    points: int
    halving: float
    """Seconds in which half of the blocks go."""


class Silence(t.NamedTuple):
    """No forecast, and why."""

    why: str


FEW = Silence("too few points")
SHORT = Silence("too short a span")
GONE = Silence("nothing is left")
LEVEL = Silence("no trend")
SLOWING = Silence("the fall slows down")
STEPPED = Silence("one step makes up most of the fall")
RECOVERED = Silence("there are more again than the trend has")
FAR = Silence("farther ahead than the trend was seen")

# The logarithm of 1 + blocks at which there is none most of the time.
_ENOUGH = 0.6
# A law below this weight has no say in the interval. Errors are known no better than to so many powers of two.
_PRIOR, _UNLIKELY, _ERROR = 0.05, 0.05, 0.05
_LEAST_LEFT = 3600.0

# What the finding says of itself; measured, see above.
ERROR = (
    "half of such forecasts are off by a factor of 2 or more, one in ten by 5 or more, as seen in virtual machines;"
    " for information, nothing acts on it"
)

# Two audits are of the same boot if what they say of its time differs by no more than this.
_BOOT_SECONDS = 300.0
# A balloon, or memory that was plugged in: a change of the total by more than a hundredth.
_RESIZED = 0.01
# A compaction of the whole machine looks at nearly all its pages once, one that stalls a process at a few pageblocks.
_SWEEP = 0.25


def unbroken(marks: Sequence[Mark], page_kb: int = 4) -> int:
    """-> the first of the marks, oldest first, since which the machine was not started anew, resized, compacted or had its caches dropped."""
    first = 0
    for number in range(1, len(marks)):
        if _broken(marks[number - 1], marks[number], page_kb):
            first = number
    return first


def _broken(before: Mark, after: Mark, page_kb: int) -> bool:
    if before.uptime is not None and after.uptime is not None:
        elapsed = after.time - before.time
        if abs(after.uptime - before.uptime - elapsed) > _BOOT_SECONDS:
            return True
    if before.memory_kb and after.memory_kb and abs(after.memory_kb - before.memory_kb) > _RESIZED * before.memory_kb:
        return True
    if before.dropped is not None and after.dropped is not None and after.dropped > before.dropped:
        return True
    if before.swept is not None and after.swept is not None and after.memory_kb:
        return after.swept - before.swept > _SWEEP * after.memory_kb / page_kb
    return False


def forecast(points: Sequence[tuple[float, float]]) -> Forecast | Silence:
    """``points``: (seconds, blocks that can be had), oldest first, of an ``unbroken`` time of one machine and order."""
    if len(points) < FEWEST_WINDOWS:
        return FEW
    if points[-1][0] - points[0][0] < SHORTEST_DAYS * DAY:
        return SHORT
    if points[-1][1] < 1:
        return GONE
    blocks = [count for _time, count in points]
    if math.log2(1 + max(blocks)) - math.log2(1 + min(blocks)) < _LEAST_FALL:
        return LEVEL  # most nodes, and each in no time
    windows = since_step(maxima(points))
    if len(windows) < FEWEST_WINDOWS:
        return FEW
    now = points[-1][0]
    days = (windows[-1][0] - windows[0][0]) / DAY
    if days < SHORTEST_DAYS * 0.9:
        return SHORT
    logs = [(time - now, math.log2(1 + blocks)) for time, blocks in windows]
    slope = theil_sen(logs)
    fall = -slope.expected * days * DAY
    if slope.certainty < _CERTAIN or slope.high >= 0 or fall < _LEAST_FALL:
        return LEVEL
    if max(a[1] - b[1] for a, b in zip(logs, logs[1:], strict=False)) > fall / 2:
        return STEPPED
    if theil_sen(logs[-(len(logs) + 1) // 2 :]).expected > _SLOWEST * slope.expected:
        return SLOWING
    spread = statistics.median(abs(y - slope.at(x)) for x, y in logs)
    if logs[-1][1] > slope.at(logs[-1][0]) + max(0.5, 3 * spread):
        return RECOVERED
    laws = _laws(windows, logs, now, slope, spread)
    expected = max(laws, key=lambda law: law.weight).expected
    if expected > FARTHEST * days * DAY:
        return FAR
    likely = [law for law in laws if law.weight >= _UNLIKELY]
    low, high = min(law.low for law in likely), max(law.high for law in likely)
    low, high = min(low, expected / NARROWEST), max(high, expected * NARROWEST)
    return Forecast(low, expected, high, days, len(points), 1 / -slope.expected)


class _Law(t.NamedTuple):
    """Seconds left by one law, and how much of the windows speaks for it."""

    low: float
    expected: float
    high: float
    weight: float


def _laws(
    windows: list[tuple[float, float]], logs: list[tuple[float, float]], now: float, slope: Slope, spread: float
) -> list[_Law]:
    """The two ways to fall: by the same share each day, or by the same number of blocks."""
    left = max(0.0, slope.at(0) - _ENOUGH)
    shares = _Law(max(0.0, left - spread) / -slope.low, left / -slope.expected, (left + spread) / -slope.high, 1.0)
    straight = theil_sen([(time - now, blocks) for time, blocks in windows])
    if straight.expected >= 0 or straight.high >= 0:
        return [shares]
    noise = statistics.median(abs(blocks - straight.at(time - now)) for time, blocks in windows)
    numbers = _Law(
        max(0.0, straight.at(0) - noise) / -straight.low,
        max(0.0, straight.at(0)) / -straight.expected,
        (max(0.0, straight.at(0)) + noise) / -straight.high,
        1.0,
    )
    # Of two laws with as many parameters the likelihoods, where the errors of the logarithms are Laplace's.
    errors = [
        statistics.fmean(abs(y - slope.at(x)) for x, y in logs),
        statistics.fmean(abs(y - math.log2(1 + max(0.0, straight.at(x)))) for x, y in logs),
    ]
    likelihoods = [len(logs) * -math.log(error + _ERROR) for error in errors]
    odds = _PRIOR * math.exp(min(50.0, likelihoods[1] - likelihoods[0]))
    return [shares._replace(weight=1 / (1 + odds)), numbers._replace(weight=odds / (1 + odds))]


def maxima(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The most blocks of each window, at the middle of its points. The newest window is a whole one; the oldest is left out if it is a bit of one."""
    end, span = points[-1][0], points[-1][0] - points[0][0]
    width = max(DAY, span / _MOST_WINDOWS)
    windows: dict[int, list[tuple[float, float]]] = {}
    for time, blocks in points:
        # Audits each day are some minutes early or late.
        windows.setdefault(-int((end - time) / width + 0.05), []).append((time, blocks))
    ordered = [found for _number, found in sorted(windows.items())]
    if 2 * len(ordered[0]) < statistics.median(map(len, ordered)):
        del ordered[0]
    return [
        (statistics.fmean(time for time, _blocks in found), max(blocks for _time, blocks in found)) for found in ordered
    ]


def since_step(windows: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The windows since the last step, up or down: since something came or went at once."""
    logs = [math.log2(1 + blocks) for _time, blocks in windows]
    changes = [after - before for before, after in zip(logs, logs[1:], strict=False)]
    if not changes:
        return windows
    usual = statistics.median(changes)
    spread = statistics.median(abs(change - usual) for change in changes)
    first = 0
    for number, change in enumerate(changes, 1):
        if abs(change - usual) > max(_STEP, _STEP_TIMES * spread):
            first = number
    return windows[first:]


class Slope(t.NamedTuple):
    """``certainty``: of the fall, in standard deviations of Kendall's score, less than 0 for a rise."""

    low: float
    expected: float
    high: float
    level: float
    certainty: float

    def at(self, x: float) -> float:
        return self.level + self.expected * x


def theil_sen(points: Sequence[tuple[float, float]]) -> Slope:
    """The line through points of two or more different x; ``low`` and ``high`` have the slope between them four times in five."""
    slopes = sorted(
        (after[1] - before[1]) / (after[0] - before[0])
        for number, before in enumerate(points)
        for after in points[number + 1 :]
        if after[0] > before[0]
    )
    middle = statistics.median(slopes)
    count = len(points)
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    score = sum((slope > 0) - (slope < 0) for slope in slopes)
    reach = _WIDTH * deviation / 2
    return Slope(
        low=_ranked(slopes, (len(slopes) - 1) / 2 - reach),
        expected=middle,
        high=_ranked(slopes, (len(slopes) - 1) / 2 + reach),
        level=statistics.median(y - middle * x for x, y in points),
        certainty=(-score - 1) / deviation if score < 0 else -score / deviation,
    )


def _ranked(values: Sequence[float], rank: float) -> float:
    """Between the values on both sides of a rank; the first or the last one beyond them."""
    rank = min(max(rank, 0.0), len(values) - 1.0)
    below = int(rank)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (rank - below)
