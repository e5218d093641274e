# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Records in, a ranked fleet out. One record is in memory at a time; renderers keep of it what they need."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import math
import statistics
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words

LEVELS = ("critical", "high", "medium", "low", "unknown")

# Worst first. Nodes that nobody has looked at stand before those that are known to be well.
_LEVEL_RANK = {"critical": 0, "high": 1, "medium": 2, "unknown": 3, None: 4, "low": 7}
_STATUS_RANK = {"failed": 5, "unreachable": 6}

CHANGES = ("worse", "better", "new", "lost")

# Orders from here on come and go with every huge page.
_LAST_COMPARED = 9

# A change of the score below this is noise of one busy moment.
SCORE_STEP = 10

Record = dict[str, t.Any]
Assess = Callable[[t.Any, t.Any], t.Any]


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
    will_help: bool = False
    findings: tuple[str, ...] = ()
    incidents: int = 0
    states: str = ""
    release: str = ""
    machine: str = ""
    page_size: int = 4096
    memory_kb: int | None = None
    metrics: tuple[int | None, ...] = ()
    outliers: tuple[Outlier, ...] = ()
    past: tuple[Past, ...] = ()
    """Earlier runs, oldest first."""
    change: str | None = None
    """worse or better than before, new (audited for the first time), lost (audited last time), None: nothing to tell."""
    path: str = ""

    @property
    def previous(self) -> Past | None:
        """The node the last time it was audited."""
        return next((past for past in reversed(self.past) if past.status == "audited"), None)

    @property
    def rank(self) -> tuple[t.Any, ...]:
        place = _LEVEL_RANK[self.level] if self.status == "audited" else _STATUS_RANK[self.status]
        return (place, -(self.score or 0), -badness(self.states), _words.natural(self.name), self.name)


@dataclasses.dataclass(slots=True)
class Finding:
    """A finding across the fleet, with the severity of the worst node that has it."""

    id: str
    severity: str
    title: str
    meaning: str
    remedy: str
    variable: str
    """The role variable that sets it right for good, or nothing."""
    docs: str
    hosts: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Fleet:
    hosts: list[Host]
    """Worst first."""
    findings: list[Finding]
    problems: list[str]
    """Records that were skipped, and why."""
    run_id: str | None
    directories: int
    version: str

    @property
    def started(self) -> datetime.datetime | None:
        return min((host.time for host in self.hosts if host.time), default=None)

    @property
    def finished(self) -> datetime.datetime | None:
        return max((host.time for host in self.hosts if host.time), default=None)

    @property
    def coverage(self) -> dict[str, int]:
        count = collections.Counter(host.status for host in self.hosts)
        return {
            "asked": len(self.hosts),
            **{status: count[status] for status in _records.STATUSES},
            "stale": sum(host.stale for host in self.hosts),
            "not_assessed": sum(host.status == "audited" and host.level is None for host in self.hosts),
            "skipped_records": len(self.problems),
        }

    @property
    def levels(self) -> dict[str, int]:
        count = collections.Counter(host.level for host in self.hosts if host.status == "audited")
        return {level: count[level] for level in LEVELS}

    @property
    def changes(self) -> dict[str, list[str]]:
        """worse, better, new, lost -> nodes, worst first; empty without an earlier run."""
        changes: dict[str, list[str]] = {change: [] for change in CHANGES}
        for host in self.hosts:
            if host.change:
                changes[host.change].append(host.name)
        return changes

    @property
    def previous_time(self) -> datetime.datetime | None:
        return max((host.past[-1].time for host in self.hosts if host.past and host.past[-1].time), default=None)


@dataclasses.dataclass(slots=True)
class Metric:
    """What nodes of one kind are compared in: an outlier has ``factor`` times the median and ``floor`` more."""

    id: str
    title: str
    unit: str
    factor: float
    floor: int
    value: Callable[[Record], t.Any]


def _pageblocks_unmovable(facts: Record) -> int | None:
    """Percent of the page blocks that compaction cannot empty."""
    total = fixed = 0
    for zone in facts["zones"]:
        for kind, count in (zone["pageblocks"] or {}).items():
            total += count
            fixed += count if kind == "Unmovable" else 0
    return 100 * fixed // total if total else None


def _unusable(facts: Record) -> int | None:
    """Percent of the free memory in blocks too small for a huge page, over all zones."""
    order = facts["kernel"].get("hugepage_order")
    order = 9 if order is None else order
    free = usable = 0
    for zone in facts["zones"]:
        for index, count in enumerate(zone["free_blocks"]):
            free += count << index
            usable += count << index if index >= order else 0
    return 100 * (free - usable) // free if free else None


def _cgroups(facts: Record) -> int | None:
    return (facts["cgroups"] or {}).get("memory_cgroups")


def _slab(field: str) -> Callable[[Record], t.Any]:
    return lambda facts: facts["slab"][field]


def _meminfo(field: str) -> Callable[[Record], t.Any]:
    return lambda facts: facts["meminfo"].get(field)


# The comparison one makes by hand between a failing node and a healthy one.
METRICS = (
    Metric("slab_unreclaimable", "Unreclaimable slab", "kB", 3, 262144, _slab("unreclaimable_kb")),
    Metric("slab_reclaimable", "Reclaimable slab", "kB", 4, 524288, _slab("reclaimable_kb")),
    Metric("nf_conntrack_caches", "nf_conntrack slab caches", "", 3, 20, _slab("nf_conntrack_caches")),
    Metric("memory_cgroups", "Memory cgroups", "", 3, 500, _cgroups),
    Metric("percpu", "Per-CPU memory", "kB", 3, 131072, _meminfo("percpu")),
    Metric("page_tables", "Page tables", "kB", 4, 262144, _meminfo("pagetables")),
    Metric("kernel_stacks", "Kernel stacks", "kB", 4, 65536, _meminfo("kernelstack")),
    Metric("pageblocks_unmovable", "Unmovable page blocks", "%", 2, 20, _pageblocks_unmovable),
    Metric("free_unusable", "Free memory in pieces too small for a huge page", "%", 2, 40, _unusable),
)

# Below this many nodes a median says nothing about what is normal.
FEWEST_PEERS = 5


def badness(states: str) -> int:
    """Graded answers in one number: what is amiss at a low order outweighs everything above it."""
    value = 0
    for state in states[:16].ljust(16, "0"):
        value = value * 4 + (0 if state == "?" else int(state))
    return value


def _standing(level: str | None, score: int | None, states: str) -> tuple[int, int]:
    """For the comparison with an earlier run: level and score, or the graded answer."""
    if level is None:
        return (0, badness(states[:_LAST_COMPARED]))
    return (-_LEVEL_RANK[level], (score or 0) // SCORE_STEP)


def _change(host: Host) -> str | None:
    if not host.past:
        return "new" if host.status == "audited" else None
    if host.status != "audited":
        return "lost" if host.past[-1].status == "audited" else None
    before = host.previous
    if before is None:
        return None
    now = _standing(host.level, host.score, host.states)
    then = _standing(before.level, before.score, before.states)
    # An assessment and none have nothing in common.
    if (host.level is None) != (before.level is None) or now == then:
        return None
    return "worse" if now > then else "better"


def allocatable_states(facts: Record) -> str:
    """One digit per order, an index into STATES; "?" for a word this version does not know."""
    states = {state: str(index) for index, state in enumerate(_words.STATES)}
    return "".join(states.get(row["state"], "?") for row in facts["allocatable"])


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
    version: str = "",
) -> Fleet:
    """Read the newest record of every node, rank the nodes and compare them with their past and with each other.

    run_id     only records of this run are current, earlier ones are history; None: the newest of each node is current
    asked      names of nodes that are in the report even without a record
    groups     inventory group -> nodes, for records that do not name their groups
    assess     facts, journal -> assessment; for records without one, and with a policy for those assessed by another
    """
    reader = _Reader(runs, renderers, run_id, history, assess, policy)
    hosts = reader.hosts()
    known = {host.name for host in hosts}
    for name in sorted(set(asked) - known):
        why = reader.damaged.get(_records.file_name(name))
        why = f"Its record cannot be read: {why}" if why else "No record: it was asked for, but no result came."
        hosts.append(Host(name, "failed", error=why))
    if groups:
        _set_groups(hosts, groups)
    _compare(hosts)
    hosts.sort(key=lambda host: host.rank)
    if run_id is None and (newest := max((host.time for host in hosts if host.time), default=None)):
        for host in hosts:
            host.stale = host.time is not None and newest - host.time > stale_after
    if any(host.past for host in hosts):
        for host in hosts:
            host.change = _change(host)
    places = {host.name: place for place, host in enumerate(hosts)}
    for finding in reader.findings.values():
        finding.hosts.sort(key=places.__getitem__)
    return Fleet(
        hosts=hosts,
        findings=sorted(
            reader.findings.values(), key=lambda found: (_severity(found.severity), -len(found.hosts), found.id)
        ),
        problems=sorted(reader.problems),
        run_id=run_id,
        directories=len({run.path for run in runs}),
        version=version,
    )


# What a record of another shape than ours, or with a number that JSON does not have, ends in.
_ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError)


def _odd(path: str, error: Exception) -> str:
    return f"{path}: not in the form of this collection ({type(error).__name__}: {error})"


class _Reader:
    """One pass over the record files."""

    def __init__(
        self,
        runs: Sequence[_records.Run],
        renderers: Sequence[Renderer],
        run_id: str | None,
        history: int,
        assess: Assess | None,
        policy: Mapping[str, t.Any] | None,
    ) -> None:
        self.runs = runs
        self.renderers = renderers
        self.run_id = run_id
        self.history = history
        self.assess = assess
        self.policy = policy
        self.problems: dict[str, None] = {}
        self.damaged: dict[str, str] = {}
        self.findings: dict[str, Finding] = {}
        self._strings: dict[str, str] = {}
        self._finding_rank: dict[str, tuple[t.Any, ...]] = {}
        self._run_times: dict[int, str] = {}

    def hosts(self) -> list[Host]:
        where: dict[str, list[_records.Run]] = {}
        for run in sorted(self.runs, key=lambda run: (run.run_id, run.path)):
            for name in run.names:
                where.setdefault(name, []).append(run)
        if self.run_id is not None:
            where = {name: found for name, found in where.items() if any(run.run_id == self.run_id for run in found)}
        hosts = []
        for name in sorted(where):
            host = self._host(name, where[name])
            if host:
                hosts.append(host)
        return hosts

    def _host(self, name: str, candidates: list[_records.Run]) -> Host | None:
        current, earlier = self._by_time(name, candidates)
        for index, run in enumerate(current):
            try:
                record = _records.load(run.file(name))
                host = self._take(record, run, run.file(name))
            except _records.RecordError as error:
                self._problem(name, str(error))
                continue
            # A record of another shape than ours, or with a number that JSON does not have, whatever it is.
            except (
                AttributeError,
                IndexError,
                KeyError,
                TypeError,
                ValueError,
                OverflowError,
                RecursionError,
            ) as error:
                self._problem(
                    name, f"{run.file(name)}: not in the form of this collection ({type(error).__name__}: {error})"
                )
                continue
            past = [run for run in current[index + 1 :] if run.run_id != self.run_id] + earlier
            host.past = tuple(reversed([found for run in past[: self.history] if (found := self._past(name, run))]))
            return host
        return None

    def _by_time(self, name: str, candidates: list[_records.Run]) -> tuple[list[_records.Run], list[_records.Run]]:
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
                started = _words.moment(_records.load_head(run.file(name)).get("started_at"))
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
                started = _words.moment(_records.load_head(run.file(min(run.names))).get("started_at"))
            except _records.RecordError:
                started = None
            self._run_times[id(run)] = started.isoformat() if started else ""
        return self._run_times[id(run)]

    def _problem(self, name: str, why: str) -> None:
        self.problems[why] = None
        self.damaged[name] = why

    def _same(self, value: t.Any) -> str:
        """Fleets say the same few words thousands of times."""
        value = _words.text(value, 400)
        return self._strings.setdefault(value, value)

    def _assessment(self, record: Record) -> t.Any:
        facts = record.get("facts")
        if facts is not None and self.assess is not None and not self._is_assessed(record):
            record["assessment"] = self.assess(facts, record.get("journal"))
        return record.get("assessment")

    def _is_assessed(self, record: Record) -> bool:
        """By the policy that is asked for, where one is."""
        kept = record.get("assessment")
        return kept is not None and (self.policy is None or kept.get("policy") == self.policy)

    def _take(self, record: Record, run: _records.Run, path: str) -> Host:
        duration = record.get("duration_seconds")
        host = Host(
            name=record["host"],
            status=record["status"],
            error=_words.text(record.get("error")),
            time=_words.moment(record.get("started_at")),
            duration=duration if isinstance(duration, (int, float)) else None,
            groups=tuple(sorted(self._same(group) for group in record.get("groups") or ())),
            run_id=self._same(run.run_id),
            path=path,
        )
        facts = record.get("facts")
        if host.status != "audited" or facts is None:
            if host.status == "audited":
                host.status, host.error = "failed", host.error or "Its record has no facts."
            return host
        kernel = facts["kernel"]
        host.release = self._same(kernel.get("release") or "")
        host.machine = self._same(kernel.get("machine") or "")
        host.page_size = _words.number(kernel.get("page_size")) or 4096
        host.memory_kb = _words.number(facts["meminfo"].get("memtotal")) if facts.get("meminfo") else None
        host.states = self._same(allocatable_states(facts))
        host.metrics = tuple(_metric(metric, facts) for metric in METRICS)
        assessment = self._assessment(record)
        if assessment:
            host.level = self._same(assessment["level"]) if assessment["level"] in LEVELS else "unknown"
            score = _words.number(assessment.get("score"))
            host.score = None if score is None else min(max(score, 0), 100)
            host.sentence = self._same(_words.sentence(_words.text(assessment.get("summary"))))
            remediation = assessment.get("remediation") or {}
            host.action = self._same(remediation.get("action") or "") or None
            host.will_help = remediation.get("will_help") is True
            found = [(_words.text(finding["id"], 40), finding) for finding in assessment.get("findings") or ()]
            host.findings = tuple(dict.fromkeys(self._same(name) for name, _finding in found))
        else:
            found = []
        if not host.sentence:
            needs = [row.get("needed_by") or () for row in facts["allocatable"]]
            host.sentence = self._same(_words.graded(host.states, host.page_size, needs))
        incidents = (record.get("journal") or {}).get("incidents") or ()
        host.incidents = len(incidents)
        host.cause = self._same(incidents[0]["cause"]) if incidents else None
        for renderer in self.renderers:
            renderer.take(record, host)
        # Only now is the record known to be sound.
        for name, finding in found:
            entry = self.findings.get(name)
            if entry is None or host.rank < self._finding_rank[name]:
                self.findings[name] = _finding(name, finding, entry.hosts if entry else [])
                self._finding_rank[name] = host.rank
            if self.findings[name].hosts[-1:] != [host.name]:
                self.findings[name].hosts.append(host.name)
        return host

    def _past(self, name: str, run: _records.Run) -> Past | None:
        try:
            record = _records.load_head(run.file(name))
            if record["status"] == "audited" and "facts" not in record and not self._is_assessed(record):
                record = _records.load(run.file(name))
            facts = record.get("facts")
            assessment = self._assessment(record) or {}
            return Past(
                time=_words.moment(record.get("started_at")),
                run_id=self._same(run.run_id),
                status=self._same(record["status"]),
                level=self._same(assessment["level"]) if assessment.get("level") in LEVELS else None,
                score=_words.number(assessment.get("score")),
                states=self._same(allocatable_states(facts)) if facts else "",
            )
        except _records.RecordError as error:
            self._problem(name, str(error))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
            self._problem(
                name, f"{run.file(name)}: not in the form of this collection ({type(error).__name__}: {error})"
            )
        return None


def _metric(metric: Metric, facts: Record) -> int | None:
    try:
        return _words.number(metric.value(facts))
    except (AttributeError, KeyError, TypeError):
        return None  # a source that this node does not have


def _finding(name: str, finding: Record, hosts: list[str]) -> Finding:
    """Title and meaning of the catalogue, which hold for the whole fleet; the node's own for what is not in it."""
    known = catalogue.FINDINGS.get(name)
    return Finding(
        id=name,
        severity=_words.text(finding.get("severity"), 20),
        title=known.about if known else _words.text(finding.get("title"), 400),
        meaning=known.meaning if known else "",
        remedy=_words.text(finding.get("remedy"), 400),
        variable=_words.text(finding.get("variable"), 100),
        docs=_words.text(finding.get("docs"), 400),
        hosts=hosts,
    )


def _severity(severity: str) -> int:
    """Gravest first."""
    known = catalogue.SEVERITIES
    return -known.index(severity) if severity in known else len(known)


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


def kind(host: Host) -> tuple[str, str, int]:
    """Kernel and size: whom a node is compared with."""
    return (host.release, host.machine, round(math.log2(host.memory_kb)) if host.memory_kb else 0)


def _compare(hosts: Iterable[Host]) -> None:
    """Mark what is far from the median of the same kind."""
    kinds: dict[tuple[str, str, int], list[Host]] = {}
    for host in hosts:
        if host.metrics:
            kinds.setdefault(kind(host), []).append(host)
    for peers in kinds.values():
        if len(peers) < FEWEST_PEERS:
            continue
        for index, metric in enumerate(METRICS):
            values = [value for host in peers if (value := host.metrics[index]) is not None]
            if len(values) < FEWEST_PEERS:
                continue
            median = int(statistics.median(values))
            limit = max(median * metric.factor, median + metric.floor)
            for host in peers:
                value = host.metrics[index]
                if value is not None and value >= limit:
                    host.outliers += (Outlier(metric.id, value, median, len(values)),)
