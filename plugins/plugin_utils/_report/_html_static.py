# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What the templates of report.html show and a fleet does not say by itself: the verdict, bars, the worst nodes, outliers."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import (
    _actions,
    _failures,
    _outliers,
    _types,
    _words,
)

# Nodes in full without JavaScript, rows of the outliers across the fleet, and how many nodes are named in cards and lists.
MOST_STATIC = 50
MOST_OUTLIERS = 25
NAMED = 5
CHANGED = 3
LISTED = 100

CHANGE_WORDS = {"worse": "got worse", "better": "got better", "new": "new", "lost": "answered then, not now"}


def values(fleet: _types.Fleet, details: Mapping[str, _types.Record]) -> dict[str, t.Any]:
    """What the templates are given.

    details    node -> what _as_html.Page keeps of it
    """
    failures = _failures.of(fleet.hosts, fleet.options)
    shown = _shown(fleet, failures)
    return {
        "fleet": fleet,
        "headline": headline(fleet),
        "span": _span(fleet),
        "worst": _worst(fleet),
        "levels": _levels(fleet),
        "answers": _answers(fleet),
        "failures": failures,
        "missing": sum(len(failure.hosts) for failure in failures),
        "shown": _in_full(fleet, shown, details),
        "shown_names": {host.name for host in shown},
        "lists": _lists(fleet),
        "alone_reason": _reason(details.get(fleet.hosts[0].name)) if len(fleet.hosts) == 1 else "",
        "MOST_IN_COMMAND": _actions.MOST_IN_COMMAND,
        "outliers": [(host, _METRICS[out.metric], out) for host in fleet.hosts for out in host.outliers],
        "MOST_STATIC": MOST_STATIC,
        "NAMED": NAMED,
        "CHANGED": CHANGED,
        "CHANGE_WORDS": CHANGE_WORDS,
        "LISTED": LISTED,
        "MOST_OUTLIERS": MOST_OUTLIERS,
    }


def _reason(detail: _types.Record | None) -> str:
    """Why the assessment asks for its action."""
    remediation = (detail or {}).get("remediation") or {}
    return _words.text(remediation.get("reason"))


_METRICS = {metric.id: metric for metric in _outliers.METRICS}


def headline(fleet: _types.Fleet) -> tuple[str, str]:
    """-> (the most important sentence, the next one)."""
    coverage, levels = fleet.coverage, fleet.levels
    audited = [host for host in fleet.hosts if host.status == "audited"]
    nodes = _words.plural(len(audited), "node")
    if not audited and len(fleet.hosts) == 1:
        return f"{fleet.hosts[0].name} could not be audited", "Nothing is known about its memory."
    if not audited:
        return "No node could be audited", "Nothing is known about the memory of this fleet."
    if len(fleet.hosts) == 1:
        host = audited[0]
        return (f"{host.name}: {host.level} risk" if host.level else host.name), host.sentence
    if coverage["not_assessed"] < len(audited):
        bad = levels["critical"] + levels["high"]
        if bad:
            parts = [f"{levels[level]:,} {level}" for level in ("critical", "high") if levels[level]]
            dark = levels["unknown"] + coverage["not_assessed"]
            unknown = f" About {_words.plural(dark, 'node')} too little could be read to tell." if dark else ""
            return f"{bad:,} of {nodes} {'needs' if bad == 1 else 'need'} attention", _words.listing(
                parts
            ) + "." + unknown
        dark = levels["unknown"] + coverage["not_assessed"]
        unknown = f"About {_words.plural(dark, 'node')} too little could be read to tell." if dark else ""
        if levels["medium"]:
            watched = f"{levels['medium']:,} should be watched. {unknown}".strip()
            if dark:
                return f"No node is known to be at high risk, and {dark:,} of {len(audited):,} are not known", watched
            return f"No node of {len(audited):,} is at high risk", watched
        if dark:
            return f"{levels['low']:,} of {nodes} are well", unknown
        if len(audited) < len(fleet.hosts):
            missing = len(fleet.hosts) - len(audited)
            title = f"{len(audited):,} of {len(fleet.hosts):,} nodes {'is' if len(audited) == 1 else 'are'} well"
            return (
                title,
                f"About {_words.plural(missing, 'node')} nothing is known: {'it' if missing == 1 else 'they'} could not be audited.",
            )
        return f"All {nodes} are well", "Contiguous memory can be had wherever it was looked for."
    short = [host for host in audited if is_short(host)]
    order = f"order 3 ({_words.block_size(3, audited[0].page_size)})"
    if short:
        title = f"{len(short):,} of {nodes} cannot hand out blocks of {order} at once"
    else:
        title = f"All {nodes} hand out blocks up to {order} at once"
    return title, "The nodes were measured, not assessed."


def is_short(host: _types.Host) -> bool:
    """Something is amiss at an order that the kernel itself counts as ordinary (PAGE_ALLOC_COSTLY_ORDER is 3)."""
    return host.states[:4].strip("0") != ""


def _worst(fleet: _types.Fleet) -> _types.Host | None:
    """The node that the verdict names, if there is a reason to."""
    worst = fleet.hosts[0]
    bad = worst.level in ("critical", "high") or (worst.level is None and is_short(worst))
    return worst if bad and len(fleet.hosts) > 1 else None


def _span(fleet: _types.Fleet) -> str:
    started, finished = fleet.started, fleet.finished
    if not started or not finished:
        return ""
    span = _words.format_time(started)
    if finished.date() != started.date():
        span += " to " + _words.format_time(finished)
    elif _words.format_time(finished) != span:
        span = span.replace(" UTC", f" to {finished:%H:%M} UTC")
    return " · " + span


def _bar(counts: Iterable[tuple[str, int]]) -> tuple[list[tuple[str, float, float]], float]:
    """-> ([(name, x, width)], where the last one ends), out of about 100"""
    parts = [(name, count) for name, count in counts if count]
    total = sum(count for _name, count in parts) or 1
    cells, start = [], 0.0
    for name, count in parts:
        # No share is too small to be seen.
        width = max(100 * count / total, 1.2)
        cells.append((name, start, max(width - 0.4, 0.4)))
        start += width
    return cells, start


def _levels(fleet: _types.Fleet) -> dict[str, t.Any]:
    levels = fleet.levels
    return {
        "bar": _bar([*levels.items(), ("none", fleet.coverage["not_assessed"])]),
        "label": ", ".join(f"{levels[level]} {level}" for level in _types.LEVELS),
    }


def _answers(fleet: _types.Fleet) -> list[dict[str, t.Any]]:
    """For fleets that were not assessed: how many nodes have each order at hand."""
    audited = [host for host in fleet.hosts if host.status == "audited"]
    found = []
    for order in (3, 5, 9) if audited else ():
        count = sum(host.states[order : order + 1] == "0" for host in audited)
        found.append(
            {
                "order": order,
                "size": _words.block_size(order, audited[0].page_size),
                "bar": _bar((("low", count), ("high", len(audited) - count))),
                "label": f"{count} of {len(audited)}",
                "count": count,
            }
        )
    return found


def static_hosts(fleet: _types.Fleet) -> list[_types.Host]:
    """The nodes that stand on the page without JavaScript, worst first."""
    return _shown(fleet, _failures.of(fleet.hosts, fleet.options))


def _shown(fleet: _types.Fleet, failures: Sequence[_failures.Failure]) -> list[_types.Host]:
    """The worst, and whichever else the page links to: a link leads somewhere without JavaScript, too."""
    names = {host.name for host in fleet.hosts[:MOST_STATIC]}
    for action in fleet.actions:
        names.update(host.name for host in action.hosts[:NAMED])
    for failure in failures:
        names.update(host.name for host in failure.hosts[:NAMED])
    for finding in fleet.findings:
        for hosts in finding.remedies.values():
            names.update(hosts[:NAMED])
    for changed in fleet.changes.values():
        names.update(changed[:CHANGED])
    unlike = [host.name for host in fleet.hosts for _out in host.outliers]
    names.update(unlike[:MOST_OUTLIERS])
    return [host for host in fleet.hosts if host.name in names]


def _in_full(
    fleet: _types.Fleet, hosts: Sequence[_types.Host], details: Mapping[str, _types.Record]
) -> list[dict[str, t.Any]]:
    commands = {action.key: _actions.around(action, fleet.options) for action in fleet.actions}
    found = []
    for host in hosts:
        failure = _failures.of_node(host, fleet.options)
        pattern = _actions.shown_pattern(host.name)
        command = failure.around if failure else commands.get(host.todo) or ()
        found.append(
            {
                "host": host,
                "detail": details.get(host.name),
                "failure": failure,
                "command": pattern.join(command) if pattern and command else "",
            }
        )
    return found


def _lists(fleet: _types.Fleet) -> list[dict[str, t.Any]]:
    """What the figures at the top link to, as lists for readers without JavaScript."""
    if len(fleet.hosts) == 1:
        return []
    audited = [host for host in fleet.hosts if host.status == "audited"]
    found = [
        ("level", level, level.capitalize(), [host for host in audited if host.level == level])
        for level in _types.LEVELS
    ]
    found.append(("level", "none", "Not assessed", [host for host in audited if host.level is None]))
    found += [
        ("status", status, status.capitalize(), [host for host in fleet.hosts if host.status == status])
        for status in ("unreachable", "failed")
    ]
    found.append(("status", "stale", "Stale", [host for host in fleet.hosts if host.stale]))
    found += [
        ("change", change, CHANGE_WORDS[change].capitalize(), [host for host in fleet.hosts if host.change == change])
        for change in _types.CHANGES
    ]
    return [
        {"id": f"{key}={value}", "title": title, "names": [host.name for host in hosts]}
        for key, value, title, hosts in found
        if hosts
    ]
