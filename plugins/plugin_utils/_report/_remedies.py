# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What remediations did to nodes: ``remediation.jsonl`` of the runs, which the action memfrag_remediation keeps beside its records."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable

from ansible_collections.kernelops.memfrag.plugins.module_utils._text import strip_controls
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts, _records, _shapes
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import Host, Record, Remedy

BOOKS = "remediation.jsonl"

# Outcomes of nodes that something was done to; the others were looked at and left alone.
OUTCOMES = ("mended", "worse", "no_better", "held_off", "failed")

_ENTRY = _shapes.Fields({"host": _shapes.Text(4096)}, others=False)
_MOST_OF_NODE = 20
_RUN_ID_TIME = "%Y%m%dT%H%M%SZ"


def mark(hosts: Iterable[Host], runs: Iterable[_records.Run], problem: Callable[[str], None]) -> None:
    """Sets ``remedies`` of each host. problem is told of books that cannot be read."""
    known = {host.name: host for host in hosts}
    found: dict[str, list[Remedy]] = {}
    for run in runs:
        path = os.path.join(run.path, BOOKS)
        # Nodes keep no books of what was done to them.
        if run.collected or not os.path.lexists(path):
            continue
        try:
            for entry in _records.load_lines(path, _ENTRY):
                remedy = _remedy(entry, run)
                host = known.get(entry["host"])
                if remedy and host:
                    remedy.time = _time_in(host, run.run_id) or remedy.time
                    found.setdefault(host.name, []).append(remedy)
        except _records.RecordError as error:
            problem(str(error))
    for name, remedies in found.items():
        remedies.sort(key=lambda remedy: (remedy.time.timestamp() if remedy.time else 0, remedy.run_id))
        known[name].remedies = tuple(remedies[-_MOST_OF_NODE:])


def _remedy(entry: Record, run: _records.Run) -> Remedy | None:
    if entry.get("outcome") not in OUTCOMES:
        return None
    action = entry.get("action")
    return Remedy(
        time=_begun(run),
        run_id=run.run_id,
        action=str(action) if action in _contracts.ACTIONS else "none",
        outcome=str(entry["outcome"]),
        reason=_words.text(strip_controls(_words.text(entry.get("reason"), 400)), 200),
    )


def _time_in(host: Host, run_id: str) -> datetime.datetime | None:
    """When the node was audited in that run, which is when it was mended."""
    if host.run_id == run_id:
        return host.time
    return next((past.time for past in host.past if past.run_id == run_id), None)


def _begun(run: _records.Run) -> datetime.datetime | None:
    """As the name of the run says, if nobody gave it another."""
    try:
        return datetime.datetime.strptime(run.run_id[:16], _RUN_ID_TIME).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
