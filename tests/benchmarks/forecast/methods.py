# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forecasts that are compared: each takes a series up to an hour and gives (low, expected, high) in days, or None for no forecast."""

from __future__ import annotations

import statistics
import typing as t

import workloads

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _forecast

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
