# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""MF701: which orders a node is losing, and by when they will be gone.

It is found here and not by the assessment, since no single record knows of it: the report alone has a node's records beside each other. So
the records stay as they are, a report with more history may say more, and neither level nor remediation know of it.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Sequence

from ansible_collections.kernelops.memfrag.plugins.module_utils import _trend
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.node_state import NodeState
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.policy import PolicyError, complete
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _forecast
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import Host, Losing, Record

ID = "MF701"


def of(host: Host, record: Record) -> list[Record]:
    """The finding of a node whose past is known, if there is one. It is in the record's assessment then, among the ignored where the policy says so.

    Nothing for a node without a forecast, and for one that was not assessed.
    """
    assessment = record.get("assessment")
    points = [(each.time, each.trend) for each in host.past if each.time and each.trend]
    for each in host.past:
        each.trend = None
    if not assessment or not host.time or len(points) + 1 < _forecast.FEWEST_WINDOWS:
        return []
    policy = _policy(assessment)
    state = NodeState(record["facts"], None, policy)
    losing = _losing([*points, (host.time, _trend.of_facts(record["facts"]))], state.targets, host.page_size // 1024)
    if not losing:
        return []
    finding = _finding(host, losing)
    if ID in policy["ignore"]:
        ignored = {**finding, "reason": policy["ignore"][ID]}
        assessment["ignored"] = [*(assessment.get("ignored") or ()), ignored]
        return []
    host.losing = tuple(Losing(order, *(each / _forecast.DAY for each in found[:3])) for order, found in losing)
    host.findings = (*host.findings, ID) if ID not in host.findings else host.findings
    assessment["findings"] = [*(each for each in assessment.get("findings") or () if each["id"] != ID), finding]
    return [finding]


def _policy(assessment: Record) -> t.Any:
    """The policy that the record was assessed by, as far as this version knows it."""
    try:
        return complete(assessment.get("policy"))
    except (PolicyError, TypeError, ValueError):
        return complete(None)


def _losing(
    points: Sequence[tuple[datetime.datetime, Record]], orders: Sequence[int], page_kb: int
) -> list[tuple[int, _forecast.Forecast]]:
    """[(order, its forecast)], the first to be gone first."""
    first = _forecast.unbroken([_mark(time.timestamp(), trend) for time, trend in points], max(1, page_kb))
    found = []
    for order in orders:
        series = [
            (time.timestamp(), float(trend["blocks"][order]))
            for time, trend in points[first:]
            if order < len(trend["blocks"])
        ]
        forecast = _forecast.forecast(series)
        if isinstance(forecast, _forecast.Forecast):
            found.append((order, forecast))
    return sorted(found, key=lambda each: (each[1].expected, each[0]))


def _mark(time: float, trend: Record) -> _forecast.Mark:
    names = ("uptime_seconds", "memory_kb", "swept_pages", "caches_dropped")
    return _forecast.Mark(time, *(trend.get(name) for name in names))


def _finding(host: Host, losing: list[tuple[int, _forecast.Forecast]]) -> Record:
    order, first = losing[0]
    now = t.cast("datetime.datetime", host.time)
    soon, late = span(first.low / _forecast.DAY), span(first.high / _forecast.DAY)
    title = (
        f"No block of order {order} ({_words.block_size(order, host.page_size)}) is left in about"
        f" {span(first.expected / _forecast.DAY)} if it goes on as in the last {first.days:.0f} days, likely in {soon} to {late}"
    )
    made: Record = catalogue.make(
        ID,
        "info",
        title,
        orders=[
            {
                "order": order,
                "days_left": round(found.expected / _forecast.DAY, 1),
                "at_the_earliest": _date(now, found.low),
                "expected": _date(now, found.expected),
                "at_the_latest": _date(now, found.high),
                "halved_each_days": round(found.halving / _forecast.DAY, 1),
                "audits": found.points,
                "over_days": round(found.days, 1),
            }
            for order, found in losing
        ],
        error=_forecast.ERROR,
    )
    return made


def span(days: float) -> str:
    """20 hours, 3 days, 12 weeks: no more digits than a forecast has."""
    if days < 1:
        return _words.plural(max(1, round(days * 24)), "hour")
    return _words.plural(round(days), "day") if days < 60 else _words.plural(round(days / 7), "week")


def _date(now: datetime.datetime, seconds: float) -> str:
    return (now + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%d")
