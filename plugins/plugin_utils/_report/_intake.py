# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""A record becomes a Host. It is anybody's file: what is used of it is held to its contract here, before it is used."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Callable, Iterable

from ansible_collections.kernelops.memfrag.plugins.module_utils import _trend
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import (
    _answer,
    _contracts,
    _records,
    _shape_code,
    _shapes,
)
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _outliers, _words
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._assessed import Assessor
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import LEVELS, Host, Past, Record


def allocatable_states(facts: Record) -> str:
    """One digit per order, an index into STATES; "?" for a word this version does not know."""
    return _digits([row["state"] for row in facts["allocatable"]])


def _digits(states: Iterable[str]) -> str:
    return "".join([_words.DIGITS.get(state, "?") for state in states])


class Words:
    """Fleets say the same few words thousands of times: each is kept once."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def same(self, value: t.Any) -> str:
        kept = self._kept.get(value) if value.__class__ is str else None
        if kept is not None:
            return kept
        value = _words.text(value, 400)
        return self._kept.setdefault(value, value)


class Intake:
    """Makes Hosts of records.

    same       text -> the same text, kept once
    started    record, its path -> when the audit began
    """

    def __init__(
        self,
        assessor: Assessor,
        same: Callable[[t.Any], str],
        started: Callable[[Record, str], datetime.datetime | None],
    ) -> None:
        self._assessor = assessor
        self._same = same
        self._started = started
        self._check_head = _shape_code.compiled(_contracts.RECORD_HEAD)
        self._check_shown = _shape_code.compiled(_contracts.FACTS_SHOWN)
        self._check_record = _shape_code.compiled(_contracts.RECORD)
        self._check_journal = _shape_code.compiled(_contracts.JOURNAL)

    def host(self, record: Record, run: _records.Run, path: str) -> tuple[Host, list[Record]]:
        """-> (the node as this record has it, its findings). ShapeError where the record breaks its contract."""
        if run.collected:
            _answer.take_record(record)
        self._check_head(record)
        duration = record.get("duration_seconds")
        host = Host(
            name=record["host"],
            status=record["status"],
            # ssh ends its lines as a terminal wants them.
            error=_words.text(record.get("error")).replace("\r\n", "\n"),
            time=self._started(record, path),
            duration=duration if isinstance(duration, (int, float)) else None,
            groups=tuple(sorted(self._same(group) for group in record.get("groups") or ())),
            run_id=self._same(run.run_id),
            path=path,
        )
        facts: t.Any = record.get("facts")
        if host.status == "audited" and facts is None:
            host.status, host.error = "failed", host.error or "Its record has no facts."
        if host.status != "audited":
            return host, []
        self._take_facts(host, facts)
        found = self._take_assessment(host, self._assessor.assessment(record))
        self._check_rest(record, host)
        if not host.sentence:
            needs = [row.get("needed_by") or () for row in facts["allocatable"]]
            host.sentence = self._same(_words.graded(host.states, host.page_size, needs))
        incidents = (record.get("journal") or {}).get("incidents") or ()
        host.incidents = len(incidents)
        host.kubernetes = any(incident.get("pods") for incident in incidents)
        host.cause = self._same(incidents[0]["cause"]) if incidents else None
        return host, found

    def _take_facts(self, host: Host, facts: t.Any) -> None:
        self._check_shown(facts)
        kernel = facts["kernel"]
        host.release = self._same(kernel.get("release") or "")
        host.machine = self._same(kernel.get("machine") or "")
        host.page_size = _words.number(kernel.get("page_size")) or 4096
        host.memory_kb = _words.number(facts["meminfo"].get("memtotal")) if facts.get("meminfo") else None
        host.states = self._same(allocatable_states(facts))
        host.last_compaction = self._last_compaction(facts)
        host.metrics = tuple([_outliers.measured(metric, facts) for metric in _outliers.METRICS])

    def _check_rest(self, record: Record, host: Host) -> None:
        """The page shows all of a node that is not well, of the others only what has been looked at already, and what was searched."""
        journal = record.get("journal")
        if host.level != "low" or (isinstance(journal, dict) and journal.get("incidents")):
            self._check_record(record)
        elif journal is not None:
            try:
                self._check_journal(journal)
            except _shapes.ShapeError as error:
                raise error.inside("journal") from None

    @staticmethod
    def _last_compaction(facts: t.Any) -> Record | None:
        """What the node's last compaction was expected to bring and has brought, where the node keeps count."""
        survey = facts.get("pageblock_survey")
        last = survey.get("last_compaction") if isinstance(survey, dict) else None
        if last is not None:
            _contracts.LAST_COMPACTION.check(last)
        return t.cast("Record | None", last)

    def _take_assessment(self, host: Host, assessment: t.Any) -> list[Record]:
        if not assessment:
            return []
        host.level = self._same(assessment["level"]) if assessment["level"] in LEVELS else "unknown"
        score = _words.number(assessment.get("score"))
        host.score = None if score is None else min(max(score, 0), 100)
        host.sentence = self._same(_words.sentence(_words.text(assessment.get("summary"))))
        remediation = assessment.get("remediation") or {}
        host.action = self._same(remediation.get("action") or "") or None
        helps = remediation.get("will_help")
        host.will_help = helps if isinstance(helps, bool) else None
        found: list[Record] = assessment.get("findings") or []
        host.findings = self._finding_ids(found)
        return found

    def _finding_ids(self, found: Iterable[Record]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._same(_words.text(finding["id"], 40)) for finding in found))

    def past(self, record: Record, run: _records.Run, path: str) -> Past:
        """The node as an earlier record has it."""
        again = run.collected or not self._assessor.is_assessed(record)
        if record["status"] == "audited" and "facts" not in record and again:
            record = _records.load(path)
        if run.collected:
            _answer.take_record(record)
        self._check_head(record)
        facts = record.get("facts")
        assessment = self._assessor.assessment(record) or {}
        return Past(
            time=self._started(record, path),
            run_id=self._same(run.run_id),
            status=self._same(record["status"]),
            level=self._same(assessment["level"]) if assessment.get("level") in LEVELS else None,
            score=_words.number(assessment.get("score")),
            states=self._same(allocatable_states(facts) if facts else _digits(record.get("allocatable_states") or ())),
            findings=self._finding_ids(assessment.get("findings") or ()),
            trend=_trend.of_facts(facts) if facts else record.get("trend"),
        )
