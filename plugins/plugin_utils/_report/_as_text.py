# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The console summary: what an engineer wants to know before opening the report, in lines of plain text."""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _types, _words

WORST = 10

# What the playbook "remediate" can do something about, and what no command mends.
_REMEDIABLE = ("compact", "reclaim_then_compact")
_ADVICE = {
    "add_memory": "add memory or move work away; compaction will not help",
    "drain_and_reboot": "drain the node and reboot it; compaction will not help",
}


def lines(fleet: _types.Fleet, files: dict[str, str]) -> list[str]:
    coverage, levels = fleet.coverage, fleet.levels
    counts = [f"{coverage['audited']:,} of {_words.plural(coverage['asked'], 'node')} audited"]
    counts += [f"{coverage[name]:,} {name}" for name in ("unreachable", "failed", "stale") if coverage[name]]
    found = ["Coverage: " + ", ".join(counts) + "."]
    if coverage["audited"]:
        if coverage["not_assessed"] < coverage["audited"]:
            named = [f"{levels[level]:,} {level}" for level in _types.LEVELS if levels[level]]
            named += [f"{coverage['not_assessed']:,} not assessed"] if coverage["not_assessed"] else []
            found.append("Risk: " + ", ".join(named) + ".")
        changes = [f"{len(names):,} {word}" for word, names in fleet.changes.items() if names]
        if changes:
            found.append("Since the previous run: " + ", ".join(changes) + ".")
    worst = [host for host in fleet.hosts if _worth_a_line(host)][:WORST]
    remedies = {finding.id: finding.remedy for finding in fleet.findings}
    for host in worst:
        label = f"{host.level} {host.score}" if host.level and host.score is not None else host.level or "not assessed"
        found.append(f"{_short(host.name, 60)} ({label}): {_short(host.sentence)}")
        if command := _next(host, remedies):
            found.append("  " + command)
    missing = [host for host in fleet.hosts if host.status != "audited"]
    for host in missing[: max(0, WORST - len(worst))]:
        found.append(f"{_short(host.name, 60)} ({host.status}): {_short(host.error)}")
    if coverage["skipped_records"]:
        found.append(f"{_words.plural(coverage['skipped_records'], 'record')} skipped; the report says which and why.")
    if files:
        found.append("Report: " + files.get("html", next(iter(files.values()))))
    return found


def _next(host: _types.Host, remedies: dict[str, str]) -> str:
    """The command to run next: the playbook where it is sure to help, or else what is proposed for the node."""
    if host.action in _REMEDIABLE and host.will_help and _words.REMEDIATE:
        return f"{_words.REMEDIATE} {_words.shell_word(host.name)}"
    if host.action in _ADVICE:
        return _ADVICE[host.action]
    remedy = catalogue.REMEDY_OF_ACTION.get(host.action or "") or (remedies[host.findings[0]] if host.findings else "")
    return f"on the node: {_words.printable(remedy)}" if remedy else ""


def _worth_a_line(host: _types.Host) -> bool:
    return host.status == "audited" and (
        host.level in ("critical", "high", "medium", "unknown")
        or (host.level is None and host.states[:4].strip("0") != "")
    )


def _short(text: str, most: int = 200) -> str:
    return _words.text(_words.printable(text), most) or "no reason given"
