# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""report.json: the whole fleet for programs. Its schema is docs/report.schema.json."""

from __future__ import annotations

import datetime
import json
import typing as t
from collections.abc import Iterator

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _outliers, _types, _words

SCHEMA_VERSION = 1

_INCIDENT = ("cause", "reason", "confidence", "first_time", "last_time", "count", "pods", "containers", "remedies")


class Document:
    """report.json, as docs/report.schema.json has it."""

    file = "report.json"

    def __init__(self) -> None:
        self._measured: dict[str, str] = {}

    def take(self, record: _types.Record, host: _types.Host) -> None:
        facts, assessment, journal = record["facts"], record.get("assessment") or {}, record.get("journal") or {}
        measured = {
            "kernel": facts["kernel"],
            "memory_kb": host.memory_kb,
            "allocatable": [row["state"] for row in facts["allocatable"]],
            "zones": [
                {key: zone.get(key) for key in ("node", "zone", "free_blocks", "free_pages", "managed_pages")}
                for zone in facts["zones"]
            ],
            "findings": assessment.get("findings") or [],
            "remediation": assessment.get("remediation"),
            "last_compaction": host.last_compaction,
            "incidents": [{key: incident.get(key) for key in _INCIDENT} for incident in journal.get("incidents") or ()],
            "metrics": {
                metric.id: value
                for metric, value in zip(_outliers.METRICS, host.metrics, strict=True)
                if value is not None
            },
            "unavailable": facts["unavailable"],
        }
        self._measured[host.name] = dumps(measured)

    def render(self, fleet: _types.Fleet) -> Iterator[str]:
        """One line per node, so that a difference between two reports is one of lines."""
        yield dumps(_top(fleet))[:-1]
        yield ',\n"hosts":['
        for number, host in enumerate(fleet.hosts):
            yield ",\n" if number else "\n"
            yield self._host(host)
        yield "]}\n"

    def _host(self, host: _types.Host) -> str:
        head = {
            "host": host.name,
            "status": host.status,
            "error": host.error or None,
            "started_at": timestamp(host.time),
            "duration_seconds": host.duration,
            "run_id": host.run_id or None,
            "groups": host.groups,
            "stale": host.stale,
            "level": host.level,
            "score": host.score,
            "action": host.action,
            "will_help": host.will_help,
            "summary": host.sentence or None,
            "change": host.change,
            "outliers": [
                {"metric": found.metric, "value": found.value, "median": found.median, "peers": found.peers}
                for found in host.outliers
            ],
            "history": [
                {
                    "started_at": timestamp(past.time),
                    "run_id": past.run_id,
                    "status": past.status,
                    "level": past.level,
                    "score": past.score,
                }
                for past in host.past
            ],
        }
        measured = self._measured.get(host.name) if host.status == "audited" else None
        return dumps(head)[:-1] + ',"measured":' + (measured or "null") + "}"


def _top(fleet: _types.Fleet) -> dict[str, t.Any]:
    """Everything but the nodes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": "kernelops.memfrag", "version": fleet.version},
        "run": {
            "run_id": fleet.run_id,
            "started_at": timestamp(fleet.started),
            "finished_at": timestamp(fleet.finished),
            "directories": fleet.directories,
        },
        "coverage": fleet.coverage,
        "levels": fleet.levels,
        "actions": [_action(action) for action in fleet.actions],
        "changes": {"since": timestamp(fleet.previous_time), **fleet.changes},
        "findings": [_finding(finding) for finding in fleet.findings],
        "metrics": {
            metric.id: {"title": metric.title, "unit": metric.unit, "factor": metric.factor, "floor": metric.floor}
            for metric in _outliers.METRICS
        },
        "skipped_records": fleet.problems,
    }


def _action(action: _types.Action) -> dict[str, t.Any]:
    return {
        "action": action.action,
        "will_help": action.will_help,
        "title": action.title,
        "advice": action.advice or None,
        "count": len(action.hosts),
        "hosts": [host.name for host in action.hosts],
        "command": action.command or None,
        "command_hosts": action.covered,
    }


def _finding(finding: _types.Finding) -> dict[str, t.Any]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "title": finding.title,
        "meaning": finding.meaning,
        "remedy": finding.remedy or None,
        "remedies": [
            {
                "action": action,
                "will_help": will_help,
                "remedy": remedy or None,
                "count": len(hosts),
                "hosts": hosts,
            }
            for (action, will_help, remedy), hosts in finding.remedies.items()
        ],
        "variable": finding.variable or None,
        "docs": finding.docs or None,
        "hosts": finding.hosts,
    }


def timestamp(value: datetime.datetime | None) -> str | None:
    """Of a time in UTC."""
    return value.isoformat()[:19] + "Z" if value else None


# What records hold has been JSON, and has no circles.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False, default=_words.text)


def dumps(value: t.Any) -> str:
    """Compact, and safe inside of a script element; raises ValueError for numbers that JSON does not have."""
    return _ENCODER.encode(value).replace("<", "\\u003c")
