# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Records in, a ranked fleet out. One record is in memory at a time; renderers keep of it what they need."""

from __future__ import annotations

import datetime
import math
import os
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts, _records, _shapes
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _outliers, _words
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import (
    LEVEL_RANK,
    LEVELS,
    Finding,
    Fleet,
    Host,
    Past,
    Record,
    Renderer,
    badness,
)

# Orders from here on come and go with every huge page.
_LAST_COMPARED = 9

# A change of the score below this is noise of one busy moment.
SCORE_STEP = 10

Assess = Callable[[t.Any, t.Any], t.Any]


def _standing(level: str | None, score: int | None, states: str) -> tuple[int, int]:
    """For the comparison with an earlier run: level and score, or the graded answer."""
    if level is None:
        return (0, badness(states[:_LAST_COMPARED]))
    return (-LEVEL_RANK[level], (score or 0) // SCORE_STEP)


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
    now: datetime.datetime | None = None,
) -> Fleet:
    """Read the newest record of every node, rank the nodes and compare them with their past and with each other.

    run_id     only records of this run are current, earlier ones are history; None: the newest of each node is current
    asked      names of nodes that are in the report even without a record
    groups     inventory group -> nodes, for records that do not name their groups
    assess     facts, journal -> assessment; for records without one, and with a policy for those assessed by another
    now        no record is believed to be of later
    """
    reader = _Reader(runs, renderers, run_id, history, assess, policy, now)
    hosts = reader.hosts()
    known = {host.name for host in hosts}
    for name in sorted(set(asked) - known):
        why = reader.damaged.get(_records.file_name(name))
        why = f"Its record cannot be read: {why}" if why else "No record: it was asked for, but no result came."
        hosts.append(Host(name, "failed", error=why))
    if groups:
        _set_groups(hosts, groups)
    _outliers.mark(hosts)
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
        for names in finding.remedies.values():
            names.sort(key=places.__getitem__)
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


# What a record ends in that keeps its contract and does not fit together all the same.
_ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError)

# Controllers that share a directory need not agree about the time to the second.
CLOCKS_APART = datetime.timedelta(minutes=10)


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
        now: datetime.datetime | None,
    ) -> None:
        self.runs = runs
        self.renderers = renderers
        self.run_id = run_id
        self.history = history
        self.assess = assess
        self.policy = policy
        self.latest = (now or datetime.datetime.now(datetime.timezone.utc)) + CLOCKS_APART
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
            except _ODD as error:
                self._problem(name, _odd(run.file(name), error))
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
                started = self._started(_records.load_head(run.file(name)), run.file(name))
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
                path = run.file(min(run.names))
                started = self._started(_records.load_head(path), path)
            except _records.RecordError:
                started = None
            self._run_times[id(run)] = started.isoformat() if started else ""
        return self._run_times[id(run)]

    def _started(self, record: Record, path: str) -> datetime.datetime | None:
        """When the audit began. One that is yet to come would make all others look old: the file's time stands in for it."""
        started = _words.moment(record.get("started_at"))
        if started is None or started <= self.latest:
            return started
        written = datetime.datetime.fromtimestamp(os.stat(path).st_mtime, datetime.timezone.utc)
        return min(written, self.latest).replace(microsecond=0)

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
        kept = record.get("assessment")
        return _own_words(kept) if kept else kept

    def _is_assessed(self, record: Record) -> bool:
        """By the policy that is asked for, where one is."""
        kept = record.get("assessment")
        return kept is not None and (self.policy is None or kept.get("policy") == self.policy)

    def _take(self, record: Record, run: _records.Run, path: str) -> Host:
        """A record is anybody's file: what is used of it is held to its contract here, before it is used."""
        _contracts.RECORD_HEAD.check(record)
        duration = record.get("duration_seconds")
        host = Host(
            name=record["host"],
            status=record["status"],
            error=_words.text(record.get("error")),
            time=self._started(record, path),
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
        _contracts.FACTS_SHOWN.check(facts)
        kernel = facts["kernel"]
        host.release = self._same(kernel.get("release") or "")
        host.machine = self._same(kernel.get("machine") or "")
        host.page_size = _words.number(kernel.get("page_size")) or 4096
        host.memory_kb = _words.number(facts["meminfo"].get("memtotal")) if facts.get("meminfo") else None
        host.states = self._same(allocatable_states(facts))
        host.metrics = tuple(_outliers.measured(metric, facts) for metric in _outliers.METRICS)
        assessment = self._assessment(record)
        if assessment:
            host.level = self._same(assessment["level"]) if assessment["level"] in LEVELS else "unknown"
            score = _words.number(assessment.get("score"))
            host.score = None if score is None else min(max(score, 0), 100)
            host.sentence = self._same(_words.sentence(_words.text(assessment.get("summary"))))
            remediation = assessment.get("remediation") or {}
            host.action = self._same(remediation.get("action") or "") or None
            helps = remediation.get("will_help")
            host.will_help = helps if isinstance(helps, bool) else None
            found = [(_words.text(finding["id"], 40), finding) for finding in assessment.get("findings") or ()]
            host.findings = tuple(dict.fromkeys(self._same(name) for name, _finding in found))
        else:
            found = []
        journal = record.get("journal")
        if host.level != "low" or (isinstance(journal, dict) and journal.get("incidents")):
            # The page shows all of these, of the others only what has been looked at already, and what was searched.
            _contracts.RECORD.check(record)
        elif journal is not None:
            _check_journal(journal)
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
                self.findings[name] = _finding(name, finding, entry)
                self._finding_rank[name] = host.rank
            if self.findings[name].hosts[-1:] != [host.name]:
                self.findings[name].hosts.append(host.name)
                remedy = (host.action or "none", host.will_help, self._same(finding.get("remedy") or ""))
                self.findings[name].remedies.setdefault(remedy, []).append(host.name)
        return host

    def _past(self, name: str, run: _records.Run) -> Past | None:
        try:
            record = _records.load_head(run.file(name))
            if record["status"] == "audited" and "facts" not in record and not self._is_assessed(record):
                record = _records.load(run.file(name))
            _contracts.RECORD_HEAD.check(record)
            facts = record.get("facts")
            assessment = self._assessment(record) or {}
            return Past(
                time=self._started(record, run.file(name)),
                run_id=self._same(run.run_id),
                status=self._same(record["status"]),
                level=self._same(assessment["level"]) if assessment.get("level") in LEVELS else None,
                score=_words.number(assessment.get("score")),
                states=self._same(allocatable_states(facts)) if facts else "",
            )
        except _records.RecordError as error:
            self._problem(name, str(error))
        except _ODD as error:
            self._problem(name, _odd(run.file(name), error))
        return None


def _check_journal(journal: t.Any) -> None:
    try:
        _contracts.JOURNAL.check(journal)
    except _shapes.ShapeError as error:
        raise error.inside("journal") from None


def _finding(name: str, finding: Record, before: Finding | None) -> Finding:
    """Title, meaning, remedy and link of the catalogue; of a finding that is not in it the title alone: commands come from here."""
    known = catalogue.FINDINGS.get(name)
    return Finding(
        id=name,
        severity=_words.text(finding.get("severity"), 20),
        title=known.about if known else _words.text(finding.get("title"), 400),
        meaning=known.meaning if known else "",
        variable=_words.text(finding.get("variable"), 100),
        docs=_words.text(finding.get("docs"), 400),
        hosts=before.hosts if before else [],
        remedies=before.remedies if before else {},
    )


def _own_words(assessment: Record) -> Record:
    """The assessment with the commands and links of our own catalogue, whatever the record has in their place."""
    remediation = assessment.get("remediation") or {}
    action, will_help = remediation.get("action"), remediation.get("will_help")
    for finding in assessment["findings"] + (assessment.get("ignored") or []):
        known = catalogue.FINDINGS.get(finding["id"])
        finding["remedy"] = catalogue.remedy_of(finding["id"], action, will_help)
        finding["variable"] = known.variable if known else None
        finding["docs"] = f"{catalogue.DOCS}#{finding['id'].lower()}" if known else None
    return assessment


def _odd(path: str, error: Exception) -> str:
    what = str(error) if isinstance(error, _shapes.ShapeError) else f"{type(error).__name__}: {error}"
    return f"{path}: not in the form of this collection ({what})"


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
