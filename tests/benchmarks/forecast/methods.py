# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forecasts that are compared: each takes a series up to an hour and gives (low, expected, high) in days, or None for no forecast."""

from __future__ import annotations

import math
import statistics
import typing as t

import workloads

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _forecast
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _forecast_rules as _rules

HOUR = 3600.0
Answer = tuple[float, float, float] | None


class Audits(t.NamedTuple):
    """How often a node is audited, and how many audits the report reads."""

    hours: int
    history: int


def points(series: workloads.Series, hour: int, audits: Audits) -> list[tuple[float, float]]:
    hours = range(hour - min(audits.history, hour // audits.hours) * audits.hours, hour + 1, audits.hours)
    return [(each * HOUR, series.now[each]) for each in hours]


def ours(series: workloads.Series, hour: int, audits: Audits) -> Answer:
    """The finding of the report."""
    known = points(series, hour, audits)
    first = max((upheaval for upheaval in series.upheavals if upheaval <= hour), default=-1)
    found = _forecast.forecast([point for point in known if point[0] > first * HOUR])
    if isinstance(found, _forecast.Silence):
        return None
    return found.low / _forecast.DAY, found.expected / _forecast.DAY, found.high / _forecast.DAY


def naive(series: workloads.Series, hour: int, audits: Audits) -> Answer:
    """A straight line by least squares through the blocks of all audits, no farther ahead than ours."""
    known = points(series, hour, audits)
    if len(known) < 3 or known[-1][1] < 1:
        return None
    slope, level = statistics.linear_regression(
        [time - known[-1][0] for time, _blocks in known], [blocks for _time, blocks in known]
    )
    if slope >= 0:
        return None
    left = max(0.0, level) / -slope
    if left > _forecast.FARTHEST * (known[-1][0] - known[0][0]):
        return None
    return left / _forecast.DAY, left / _forecast.DAY, left / _forecast.DAY


# --- with Prometheus --------------------------------------------------------------------------------------------------

DAY = 24
DAYS_AHEAD = 3


def rules(series: workloads.Series, hour: int) -> Answer:
    """memfrag-forecast.rules.yml, and its alert: the same arithmetic on a value each hour."""
    span = _rules.SPAN_DAYS * DAY
    first = max((upheaval for upheaval in series.upheavals if upheaval <= hour), default=0)
    if hour - first < span + DAY:
        return None
    hours = list(range(hour - span, hour + 1, 3))
    most = [max(series.most[each - DAY + 1 : each + 1]) for each in hours]
    logs = [math.log2(1 + blocks) for blocks in most]
    fall = logs[0] - logs[-1]
    if (
        most[-1] < 1
        or fall < _rules.LEAST_FALL
        or max(a - b for a, b in zip(logs, logs[8:], strict=False)) > _rules.STEP * fall
    ):
        return None
    if logs[-1] > min(logs) + _rules.RECOVERED:
        return None
    slope = statistics.linear_regression(hours, logs).slope
    later = statistics.linear_regression(hours[len(hours) // 2 :], logs[len(hours) // 2 :]).slope
    explained = (slope * _rules.DEVIATION_OF_TIME / 3600 / statistics.pstdev(logs)) ** 2
    if slope >= 0 or explained < _rules.EXPLAINED or later > _rules.LATER * slope:
        return None
    expected = max(0.0, (logs[-1] - _rules.ENOUGH) / -slope / DAY - 0.5)
    if expected > DAYS_AHEAD:
        return None
    return expected / _rules.WIDE, expected, expected * _rules.WIDE


def predict_linear(series: workloads.Series, hour: int) -> Answer:
    """predict_linear(blocks[1d], 3 * 86400) <= 0, the alert that everybody writes."""
    if hour < DAY or series.now[hour] < 1:
        return None
    hours = list(range(hour - DAY + 1, hour + 1))
    slope, level = statistics.linear_regression(hours, [series.now[each] for each in hours])
    if slope >= 0 or level + slope * (hour + DAYS_AHEAD * DAY) > 0:
        return None
    left = max(0.0, (level + slope * hour) / -slope / DAY)
    return left, left, left
