# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What the pictures of report.html show of the fleet as a whole: levels of each run, incidents in time, who holds pageblocks.

What can be had of each order stands in the rows of the nodes already.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import typing as t

from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import kpageflags
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _runs, _types, _words

# A picture has bounds however large the fleet is: incidents of one node and of all, and groups.
SPANS_OF_NODE = 20
MOST_SPANS = 2000
MOST_GROUPS = 40
# Of the survey of one node.
MOST_ZONES = 16
MOST_CALLERS = 8

# What becomes of a node in a run, worst first; "none" was not assessed, "missing" not audited.
STANDINGS = ("critical", "high", "medium", "unknown", "none", "missing", "low")

# Kinds of pageblocks, those in nobody's way first. A node may name others: they are "other".
KINDS = (*kpageflags.KINDS.values(), "other")
NOT_IN_THE_WAY = ("free", "movable")


@dataclasses.dataclass(slots=True)
class Run:
    run_id: str
    time: datetime.datetime | None
    """When its first node was begun."""
    counts: collections.Counter[str]
    """Nodes by STANDINGS."""


@dataclasses.dataclass(slots=True)
class Span:
    """An incident of a node, from its first event to its last."""

    host: str
    cause: str
    first: datetime.datetime
    last: datetime.datetime
    count: int


@dataclasses.dataclass(slots=True)
class Held:
    """Pageblocks of a group's nodes by kind."""

    group: str
    """Empty for the fleet."""
    nodes: int
    pageblocks: collections.Counter[str]

    @property
    def in_the_way(self) -> float:
        """The share that compaction cannot empty."""
        total = self.pageblocks.total()
        return 1 - sum(self.pageblocks[kind] for kind in NOT_IN_THE_WAY) / total if total else 0.0


class Pictures:
    """Takes the records like a renderer does, one at a time, and keeps little of each."""

    def __init__(self) -> None:
        self._spans: dict[str, list[Span]] = {}
        self._held: dict[str, collections.Counter[str]] = {}

    def take(self, record: _types.Record, host: _types.Host) -> None:
        incidents = (record.get("journal") or {}).get("incidents") or ()
        spans = [span for incident in incidents[:SPANS_OF_NODE] if (span := _span(incident, host.name))]
        if spans:
            self._spans[host.name] = spans
        surveyed = record["facts"].get("pageblock_survey")
        if surveyed:
            held: collections.Counter[str] = collections.Counter()
            for zone in surveyed.get("zones") or ():
                held.update(_by_kind(zone))
            self._held[host.name] = held

    def spans(self, fleet: _types.Fleet) -> tuple[list[Span], int]:
        """-> (incidents of the worst nodes, how many there are of all)."""
        total = sum(map(len, self._spans.values()))
        found = [span for host in fleet.hosts for span in self._spans.get(host.name, ())]
        return found[:MOST_SPANS], total

    def held(self, fleet: _types.Fleet) -> list[Held]:
        """The fleet, then its groups, the worst first; empty where no node was surveyed."""
        rows: dict[str, Held] = {}
        for host in fleet.hosts:
            counts = self._held.get(host.name)
            if counts:
                for group in ("", *host.groups):
                    row = rows.setdefault(group, Held(group, 0, collections.Counter()))
                    row.nodes += 1
                    row.pageblocks.update(counts)
        whole = rows.pop("", None)
        worst = sorted(rows.values(), key=lambda row: (-row.in_the_way, _words.natural(row.group)))
        # A single group says what the fleet does.
        return [whole, *(worst[:MOST_GROUPS] if len(worst) > 1 else ())] if whole else []


def _by_kind(zone: _types.Record) -> collections.Counter[str]:
    held: collections.Counter[str] = collections.Counter()
    for kind, count in (zone.get("held_by") or {}).items():
        held[kind if kind in KINDS else "other"] += count
    return held


def survey(facts: _types.Record) -> _types.Record | None:
    """What the page of a node shows of its survey; a node can name kinds and callers without end."""
    found = facts.get("pageblock_survey")
    if not found:
        return None
    order = facts["kernel"].get("hugepage_order")
    zones = [zone for zone in found.get("zones") or () if zone.get("blocks")]
    return {
        "last_compaction": found.get("last_compaction"),
        "callers": [
            {"name": _words.text(caller["name"], 200), "pages": caller["pages"]}
            for caller in (found.get("callers") or ())[:MOST_CALLERS]
        ],
        "zones": [
            {
                **{key: zone.get(key) for key in ("node", "zone", "blocks", "sampled", "map")},
                "held_by": _by_kind(zone),
                "gain": next(
                    (gain for gain in zone.get("yields") or () if gain["order"] == (9 if order is None else order)),
                    None,
                ),
            }
            for zone in zones[:MOST_ZONES]
        ],
        "more_zones": max(0, len(zones) - MOST_ZONES),
    }


def runs(fleet: _types.Fleet) -> list[Run]:
    """The levels of each run, oldest first. Only as many runs as each node can have in its history are complete."""
    found = {run_id: Run(run_id, time, collections.Counter()) for run_id, time in _runs.runs(fleet).items()}
    for host in fleet.hosts:
        for run_id, each in _runs.of(host, fleet):
            found[run_id].counts[_standing(each)] += 1
    longest = max((1 + len(host.past) for host in fleet.hosts), default=1)
    return list(found.values())[-longest:]


def _standing(each: _types.Past | _types.Host) -> str:
    return (each.level or "none") if each.status == "audited" else "missing"


def _span(incident: _types.Record, host: str) -> Span | None:
    first, last = _words.parse_time(incident.get("first_time")), _words.parse_time(incident.get("last_time"))
    first, last = first or last, last or first
    if first is None or last is None:
        return None
    count = incident.get("count")
    return Span(host, incident["cause"], min(first, last), max(first, last), count if isinstance(count, int) else 1)


def orders(fleet: _types.Fleet) -> list[collections.Counter[str]]:
    """Per order how many nodes have a block of it at once ("0"), after reclaim, after compaction, not at all ("3")."""
    same = collections.Counter(host.states for host in fleet.hosts if host.states)
    rows: list[collections.Counter[str]] = [collections.Counter() for _order in range(max(map(len, same), default=0))]
    for states, count in same.items():
        for row, state in zip(rows, states, strict=False):
            row[state] += count
    return rows


def causes(spans: list[Span]) -> list[tuple[str, int, int, datetime.datetime, datetime.datetime]]:
    """-> [(cause, nodes, incidents, first, last)], those of the most nodes first."""
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span.cause, []).append(span)
    rows = [
        (
            cause,
            len({span.host for span in own}),
            len(own),
            min(span.first for span in own),
            max(span.last for span in own),
        )
        for cause, own in found.items()
    ]
    return sorted(rows, key=lambda row: (-row[1], -row[2], row[0]))


def data(
    pictures: Pictures, fleet: _types.Fleet, strings: t.Callable[[str], int], places: dict[str, int]
) -> dict[str, t.Any]:
    """What the script draws from. Times are seconds before the newest record.

    strings    a text -> its number in the table of strings
    places     name of a node -> its row
    """
    newest = fleet.finished
    if newest is None:
        return {}

    def age(time: datetime.datetime) -> int:
        return int((newest - time).total_seconds())

    spans, total = pictures.spans(fleet)
    return {
        "standings": STANDINGS,
        "runs": [
            [age(run.time) if run.time else -1, [run.counts[standing] for standing in STANDINGS], run.run_id]
            for run in runs(fleet)
        ],
        "spans": [
            [places[span.host], strings(span.cause), age(span.first), age(span.last), span.count] for span in spans
        ],
        "all_spans": total,
        "kinds": KINDS,
        "held": [[row.group, row.nodes, [row.pageblocks[kind] for kind in KINDS]] for row in pictures.held(fleet)],
    }
