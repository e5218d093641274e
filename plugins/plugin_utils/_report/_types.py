# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What a report is made of: nodes with their past, findings, the fleet."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import functools
import typing as t
from collections.abc import Iterable

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words

LEVELS = _contracts.LEVELS

# Worst first. Nodes that nobody has looked at stand before those that are known to be well.
LEVEL_RANK = {"critical": 0, "high": 1, "medium": 2, "unknown": 3, None: 4, "low": 7}
_STATUS_RANK = {"failed": 5, "unreachable": 6}

CHANGES = ("worse", "better", "new", "lost")

Record = dict[str, t.Any]


class Renderer(t.Protocol):
    """``take`` sees the record of each audited node once; ``render`` gives the text of the file in parts."""

    file: str

    def take(self, record: Record, host: Host) -> None:
        """Called once for each audited node."""

    def render(self, fleet: Fleet) -> Iterable[str]:
        """Called once, after the last node."""


@dataclasses.dataclass(slots=True)
class Past:
    """A node in an earlier run."""

    time: datetime.datetime | None
    run_id: str
    status: str
    level: str | None
    score: int | None
    states: str
    """Empty where the record's head does not have them."""
    findings: tuple[str, ...] = ()
    trend: Record | None = None
    """What the forecast asks of it, until that is made."""


class Losing(t.NamedTuple):
    """An order that a node is losing, and in how many days it is gone."""

    order: int
    low: float
    expected: float
    high: float


@dataclasses.dataclass(slots=True)
class Remedy:
    """What a remediation did to a node."""

    time: datetime.datetime | None
    run_id: str
    action: str
    outcome: str
    reason: str


@dataclasses.dataclass(slots=True)
class Outlier:
    """A measurement far from the median of the nodes with the same kernel and about the same memory."""

    metric: str
    value: int
    median: int
    peers: int


@dataclasses.dataclass(slots=True)
class Host:
    name: str
    status: str
    error: str = ""
    time: datetime.datetime | None = None
    duration: float | None = None
    groups: tuple[str, ...] = ()
    run_id: str = ""
    stale: bool = False
    level: str | None = None
    score: int | None = None
    sentence: str = ""
    cause: str | None = None
    action: str | None = None
    will_help: bool | None = None
    """None: it cannot be told."""
    todo: str = ""
    """The key of its Action; empty if it was not assessed."""
    findings: tuple[str, ...] = ()
    incidents: int = 0
    kubernetes: bool = False
    """It is a node of Kubernetes, and called so there."""
    states: str = ""
    release: str = ""
    machine: str = ""
    page_size: int = 4096
    memory_kb: int | None = None
    metrics: tuple[int | None, ...] = ()
    outliers: tuple[Outlier, ...] = ()
    last_compaction: Record | None = None
    """{ended_at, promised: rows of what was expected and obtained}, where the node keeps count."""
    past: tuple[Past, ...] = ()
    """Earlier runs, oldest first."""
    remedies: tuple[Remedy, ...] = ()
    """What was done to it, oldest first."""
    change: str | None = None
    """worse or better than before, new (audited for the first time), lost (audited last time), None: nothing to tell."""
    losing: tuple[Losing, ...] = ()
    """The first to be gone first."""
    path: str = ""

    @property
    def previous(self) -> Past | None:
        """The node the last time it was audited."""
        return next((past for past in reversed(self.past) if past.status == "audited"), None)

    @property
    def rank(self) -> tuple[t.Any, ...]:
        place = LEVEL_RANK[self.level] if self.status == "audited" else _STATUS_RANK[self.status]
        return (place, -(self.score or 0), -badness(self.states), _words.natural(self.name), self.name)


@dataclasses.dataclass(slots=True)
class Finding:
    """A finding across the fleet, with the severity of the worst node that has it."""

    id: str
    severity: str
    title: str
    meaning: str
    variable: str
    """The role variable that sets it right for good, or nothing."""
    docs: str
    hosts: list[str] = dataclasses.field(default_factory=list)
    remedies: dict[tuple[str, bool | None, str], list[str]] = dataclasses.field(default_factory=dict)
    """(action, will it help, command) -> the nodes that it is for: what helps one node need not help the next."""

    @property
    def remedy(self) -> str:
        """The command, if it is the same for all nodes."""
        commands = {command for _action, _will_help, command in self.remedies}
        return commands.pop() if len(commands) == 1 else ""


@dataclasses.dataclass(slots=True)
class Action:
    """What is to be done about some nodes."""

    key: str
    action: str
    will_help: bool | None
    title: str
    advice: str
    command: str
    """Empty where there is nothing to run."""
    covered: int
    """The command is for the worst so many of the hosts."""
    hosts: list[Host]


@dataclasses.dataclass
class Fleet:
    """What is counted of the hosts is counted once: after the first question they are no longer changed."""

    hosts: list[Host]
    """Worst first."""
    findings: list[Finding]
    problems: list[str]
    """Records that were skipped, and why."""
    run_id: str | None
    directories: int
    version: str
    actions: list[Action] = dataclasses.field(default_factory=list)
    """What is to be done, most urgent first; each assessed node is in one of them."""
    options: tuple[str, ...] = ()
    """Inventory and privilege options of the run, for the commands."""

    @functools.cached_property
    def started(self) -> datetime.datetime | None:
        return min((host.time for host in self.hosts if host.time), default=None)

    @functools.cached_property
    def finished(self) -> datetime.datetime | None:
        return max((host.time for host in self.hosts if host.time), default=None)

    @functools.cached_property
    def coverage(self) -> dict[str, int]:
        count = collections.Counter([host.status for host in self.hosts])
        return {
            "asked": len(self.hosts),
            **{status: count[status] for status in _contracts.STATUSES},
            "stale": sum(host.stale for host in self.hosts),
            "not_assessed": sum(host.status == "audited" and host.level is None for host in self.hosts),
            "skipped_records": len(self.problems),
        }

    @functools.cached_property
    def levels(self) -> dict[str, int]:
        count = collections.Counter([host.level for host in self.hosts if host.status == "audited"])
        return {level: count[level] for level in LEVELS}

    @functools.cached_property
    def changes(self) -> dict[str, list[str]]:
        """worse, better, new, lost -> nodes, worst first; empty without an earlier run."""
        changes: dict[str, list[str]] = {change: [] for change in CHANGES}
        for host in self.hosts:
            if host.change:
                changes[host.change].append(host.name)
        return changes

    @functools.cached_property
    def previous_time(self) -> datetime.datetime | None:
        return max((host.past[-1].time for host in self.hosts if host.past and host.past[-1].time), default=None)


@functools.lru_cache(maxsize=1024)  # most nodes of a fleet answer alike
def badness(states: str) -> int:
    """Graded answers in one number: what is amiss at a low order outweighs everything above it."""
    value = 0
    for state in states[:16].ljust(16, "0"):
        value = value * 4 + (0 if state == "?" else int(state))
    return value
