# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Records in, a ranked fleet out. One record is in memory at a time; renderers keep of it what they need."""

from __future__ import annotations

import datetime
import os
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _host_files, _records, _shapes
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import (
    _comparison,
    _forecasts,
    _kubernetes,
    _outliers,
    _remedies,
)
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._assessed import Assess, Assessor
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._findings import Findings
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._intake import Intake, Words
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._timeline import Timeline
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import Fleet, Host, Past, Renderer

_Taken = t.TypeVar("_Taken", Host, Past)


def read(
    runs: Sequence[_records.Run],
    renderers: Sequence[Renderer],
    *,
    run_id: str | None = None,
    asked: Iterable[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    history: int = 10,
    stale_after: datetime.timedelta = datetime.timedelta(days=1),
    assess: Assess | None = None,
    policy: Mapping[str, t.Any] | None = None,
    kubernetes_groups: Sequence[str] | None = None,
    version: str = "",
    now: datetime.datetime | None = None,
) -> Fleet:
    """Read the newest record of every node, rank the nodes and compare them with their past and with each other.

    run_id     only records of this run are current, earlier ones are history; None: the newest of each node is current
    asked      names of nodes that are in the report even without a record
    groups     inventory group -> nodes, for records that do not name their groups
    assess     facts, journal -> assessment; for records without one, and with a policy for those assessed by another
    kubernetes_groups    as _kubernetes.mark() takes them
    now        no record is believed to be of later
    """
    reader = _Reader(runs, renderers, run_id, history, Assessor(assess, policy), now)
    hosts = reader.hosts()
    hosts += reader.lacking(set(asked) - {host.name for host in hosts})
    if groups:
        _set_groups(hosts, groups)
    _kubernetes.mark(hosts, kubernetes_groups)
    _outliers.mark(hosts)
    hosts.sort(key=lambda host: host.rank)
    if run_id is None:
        _mark_stale(hosts, stale_after)
    _remedies.mark(hosts, runs, reader.tell)
    if any(host.past for host in hosts):
        for host in hosts:
            host.change = _comparison.change(host)
    return Fleet(
        hosts=hosts,
        findings=reader.findings.ranked(hosts),
        problems=sorted(reader.problems),
        run_id=run_id,
        directories=len({run.path for run in runs}),
        version=version,
    )


# What a record ends in that keeps its contract and does not fit together all the same.
_ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError)


class _Reader:
    """One pass over the record files."""

    def __init__(
        self,
        runs: Sequence[_records.Run],
        renderers: Sequence[Renderer],
        run_id: str | None,
        history: int,
        assessor: Assessor,
        now: datetime.datetime | None,
    ) -> None:
        words = Words()
        self.renderers = renderers
        self.run_id = run_id
        self.history = history
        self.timeline = Timeline(runs, run_id, history, now, self._problem)
        self.intake = Intake(assessor, words.same, self.timeline.started)
        self.findings = Findings(words.same)
        self.problems: dict[str, None] = {}
        self._damaged: dict[str, str] = {}

    def hosts(self) -> list[Host]:
        where = self.timeline.candidates()
        return [host for name in sorted(where) if (host := self._host(name, where[name]))]

    def lacking(self, asked: Iterable[str]) -> list[Host]:
        """Nodes that were asked for and have no record that can be used."""
        hosts = []
        for name in sorted(asked):
            why = self._damaged.get(_host_files.key(name))
            why = f"Its record cannot be read: {why}" if why else "No record: it was asked for, but no result came."
            hosts.append(Host(name, "failed", error=why))
        return hosts

    def _host(self, name: str, candidates: list[_records.Run]) -> Host | None:
        current, earlier = self.timeline.by_time(name, candidates)
        for index, run in enumerate(current):

            def take(run: _records.Run, path: str, before: list[_records.Run] = current[index + 1 :]) -> Host:
                return self._current(run, path, [run for run in before if run.run_id != self.run_id] + earlier)

            host = self._sound(name, run, take)
            if host is not None:
                return host
        return None

    def _sound(self, name: str, run: _records.Run, take: t.Callable[[_records.Run, str], _Taken]) -> _Taken | None:
        """What ``take`` makes of a record. One that is damaged is told of, and ends nothing."""
        path = run.file(name)
        try:
            return take(run, path)
        except _records.RecordError as error:
            self._problem(name, str(error))
        except _ODD as error:
            what = str(error) if isinstance(error, _shapes.ShapeError) else f"{type(error).__name__}: {error}"
            self._problem(name, f"{path}: not in the form of this collection ({what})")
        return None

    def _current(self, run: _records.Run, path: str, before: list[_records.Run]) -> Host:
        record = _records.load(path)
        host, found = self.intake.host(record, run, path)
        name = _host_files.key_of(os.path.basename(path))
        past = [self._sound(name, run, self._past) for run in before[: self.history]]
        host.past = tuple(entry for entry in reversed(past) if entry)
        if host.status == "audited":
            found = [*found, *_forecasts.of(host, record)]
            for renderer in self.renderers:
                renderer.take(record, host)
        # Only now is the record known to be sound.
        self.findings.add(host, found)
        return host

    def _past(self, run: _records.Run, path: str) -> Past:
        return self.intake.past(_records.load_head(path), run, path)

    def tell(self, why: str) -> None:
        """Of a file that is not a record."""
        self.problems[why] = None

    def _problem(self, name: str, why: str) -> None:
        self.problems[why] = None
        self._damaged[name] = why


def _mark_stale(hosts: Iterable[Host], stale_after: datetime.timedelta) -> None:
    newest = max((host.time for host in hosts if host.time), default=None)
    for host in hosts:
        host.stale = host.time is not None and newest is not None and newest - host.time > stale_after


def _set_groups(hosts: Iterable[Host], groups: Mapping[str, Sequence[str]]) -> None:
    of: dict[str, list[str]] = {}
    for group in sorted(groups):
        if group not in ("all", "ungrouped"):
            for name in groups[group]:
                of.setdefault(name, []).append(group)
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    for host in hosts:
        if not host.groups:
            names = tuple(of.get(host.name, ()))
            host.groups = shared.setdefault(names, names)
