# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Which of a node's records is the current one, and which are its past."""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Callable, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import Record

# Controllers that share a directory need not agree about the time to the second.
CLOCKS_APART = datetime.timedelta(minutes=10)


class Timeline:
    """The runs in the order of time, for one node after the other.

    problem    told of each record that cannot be opened: name of its file, why
    """

    def __init__(
        self,
        runs: Sequence[_records.Run],
        run_id: str | None,
        history: int,
        now: datetime.datetime | None,
        problem: Callable[[str, str], None],
    ) -> None:
        self.runs = runs
        self.run_id = run_id
        self.history = history
        self.latest = (now or datetime.datetime.now(datetime.timezone.utc)) + CLOCKS_APART
        self._problem = problem
        self._run_times: dict[int, str] = {}

    def candidates(self) -> dict[str, list[_records.Run]]:
        """Name of a record's file -> the runs that have one, of the nodes that belong into the report."""
        where: dict[str, list[_records.Run]] = {}
        for run in sorted(self.runs, key=lambda run: (run.run_id, run.path)):
            for name in run.keys:
                where.setdefault(name, []).append(run)
        if self.run_id is not None:
            where = {name: found for name, found in where.items() if any(run.run_id == self.run_id for run in found)}
        return where

    def by_time(self, name: str, candidates: list[_records.Run]) -> tuple[list[_records.Run], list[_records.Run]]:
        """-> (records that may be the current one, newest first; older ones, newest first)."""
        if len(candidates) == 1:
            return candidates, []
        if self.run_id is not None:
            own = [run for run in candidates if run.run_id == self.run_id]
            newest = max(map(self._run_time, own))
            candidates = [run for run in candidates if run.run_id != self.run_id and self._run_time(run) <= newest]
        else:
            own = []
        if len(candidates) > self.history + 1:
            # Only so many are opened, however long the history is.
            candidates = sorted(candidates, key=self._run_time)[-self.history - 1 :]
        candidates = own + candidates
        timed = []
        for run in candidates:
            try:
                started = self.started(_records.load_head(run.file(name)), run.file(name))
            except _records.RecordError as error:
                self._problem(name, str(error))
                continue
            timed.append((started.timestamp() if started else -math.inf, run.run_id, run.path, run))
        timed.sort(key=lambda entry: entry[:3], reverse=True)
        if self.run_id is None:
            return [entry[3] for entry in timed], []
        current = [entry[3] for entry in timed if entry[1] == self.run_id]
        return current, [entry[3] for entry in timed if entry[1] != self.run_id]

    def _run_time(self, run: _records.Run) -> str:
        """The start of any of the run's records stands for the run."""
        if id(run) not in self._run_times:
            try:
                path = run.file(min(run.keys))
                started = self.started(_records.load_head(path), path)
            except _records.RecordError:
                started = None
            self._run_times[id(run)] = started.isoformat() if started else ""
        return self._run_times[id(run)]

    def started(self, record: Record, path: str) -> datetime.datetime | None:
        """When the audit began. One that is yet to come would make all others look old: the file's time stands in for it."""
        started = _words.parse_time(record.get("started_at"))
        if started is None or started <= self.latest:
            return started
        try:
            written = datetime.datetime.fromtimestamp(os.stat(path).st_mtime, datetime.timezone.utc)
        except (OSError, ValueError, OverflowError):  # it has gone, or is of a year that no calendar has
            written = self.latest
        return min(written, self.latest).replace(microsecond=0)
