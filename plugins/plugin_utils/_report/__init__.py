# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The fleet report: records in, files and a summary out. Reads what ``_records`` keeps, never a node."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import os
import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import policy as _policy
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import (
    _actions,
    _as_csv,
    _as_html,
    _as_json,
    _as_prom,
    _as_text,
    _assessed,
    _reader,
    _types,
)

RENDERERS: dict[str, t.Callable[[], _types.Renderer]] = {
    "html": _as_html.Page,
    "json": _as_json.Document,
    "csv": _as_csv.Sheet,
    "prom": _as_prom.Metrics,
}

# What the report can be told to fail on: levels, and outcomes of the audit.
FAIL_ON = (*_types.LEVELS, "unreachable", "failed", "stale")


@dataclasses.dataclass(slots=True)
class Report:
    fleet: _types.Fleet
    files: dict[str, str]
    changed: bool
    summary: list[str]

    def failing(self, fail_on: Iterable[str]) -> dict[str, list[str]]:
        """What of ``fail_on`` is there -> the nodes, worst first."""
        found: dict[str, list[str]] = {}
        for host in self.fleet.hosts:
            words = [host.level if host.status == "audited" else host.status, "stale" if host.stale else None]
            for word in words:
                if word and word in fail_on:
                    found.setdefault(word, []).append(host.name)
        return found


def make(
    records_dirs: Sequence[str],
    report_dir: str,
    formats: Sequence[str] = tuple(RENDERERS),
    *,
    collected_dirs: Sequence[str] = (),
    run_id: str | None = None,
    hosts: Iterable[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    policy: Mapping[str, t.Any] | None = None,
    history: int = 10,
    stale_after: datetime.timedelta = datetime.timedelta(days=1),
    mode: int = _records.MODE,
    options: Sequence[str] = (),
    kubernetes_groups: Sequence[str] | None = None,
) -> Report:
    """Write the report files of a run, or of the newest record of every node without a ``run_id``.

    collected_dirs    of records that nodes have written of themselves, see _records.collected()
    options           of the ansible-playbook that made the audit, for commands: which inventory, which privileges

    kubernetes_groups    whose hosts are drained by kubectl: patterns of names, None for the usual ones and what the logs say

    Raises RecordError for directories that cannot be used, PolicyError, and OSError for what cannot be written.
    """
    renderers = {name: RENDERERS[name]() for name in formats}
    collected, strange = _records.collected(collected_dirs)
    fleet = _reader.read(
        [*_records.runs(records_dirs), *collected],
        list(renderers.values()),
        run_id=run_id,
        asked=hosts,
        groups=groups,
        history=history,
        stale_after=stale_after,
        assess=_assess(policy or {}),
        policy=policy or None,
        kubernetes_groups=kubernetes_groups,
        version=version(),
    )
    fleet.problems = sorted([*fleet.problems, *strange])
    if not fleet.hosts:
        where = ", ".join([*records_dirs, *collected_dirs])
        skipped = f", but {len(fleet.problems)} that cannot be read: {fleet.problems[0]}" if fleet.problems else ""
        raise _records.RecordError(f"No records{f' of run {run_id}' if run_id else ''} in {where}{skipped}")
    fleet.options = tuple(options)
    fleet.actions = _actions.of(fleet.hosts, options)
    for finding in fleet.findings:
        finding.remedies = dict(sorted(finding.remedies.items(), key=lambda remedy: _actions.urgency(*remedy[0][:2])))
    _records.make_directory(report_dir)
    files, changed = {}, False
    for name, renderer in renderers.items():
        files[name] = os.path.join(report_dir, renderer.file)
        changed |= _records.write_file(files[name], renderer.render(fleet), mode)
    return Report(fleet, files, changed, _as_text.lines(fleet, files))


def _assess(policy: Mapping[str, t.Any]) -> _assessed.Assess:
    _policy.complete(policy)  # raises before the first record is read, and not for each of them
    return lambda facts, journal: assess(facts, journal, policy)


@functools.cache
def version() -> str:
    """The collection's: MANIFEST.json where it was installed, galaxy.yml in a source tree."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    try:
        with open(os.path.join(root, "MANIFEST.json"), encoding="utf-8") as stream:
            return str(json.load(stream)["collection_info"]["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        with open(os.path.join(root, "galaxy.yml"), encoding="utf-8") as stream:
            match = re.search(r"(?m)^version:\s*[\"']?([^\s\"']+)", stream.read())
    except OSError:
        return "unknown"
    return match.group(1) if match else "unknown"
