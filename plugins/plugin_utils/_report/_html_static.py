# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What the templates of report.html show and a fleet does not say by itself: the verdict, bars, the worst nodes, outliers."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _actions, _outliers, _types, _words

# Nodes in full without JavaScript, and rows of the outliers across the fleet.
MOST_STATIC = 50
MOST_OUTLIERS = 25


def values(fleet: _types.Fleet, details: Mapping[str, _types.Record]) -> dict[str, t.Any]:
    """What the templates are given.

    details    node -> what _as_html.Page keeps of it
    """
    return {
        "fleet": fleet,
        "headline": headline(fleet),
        "span": _span(fleet),
        "worst": _worst(fleet),
        "levels": _levels(fleet),
        "answers": _answers(fleet),
        "missing": [host for host in fleet.hosts if host.status != "audited"],
        "shown": _shown(fleet, details),
        "outliers": [(host, _METRICS[out.metric], out) for host in fleet.hosts for out in host.outliers],
        "MOST_STATIC": MOST_STATIC,
        "MOST_OUTLIERS": MOST_OUTLIERS,
    }


_METRICS = {metric.id: metric for metric in _outliers.METRICS}


def headline(fleet: _types.Fleet) -> tuple[str, str]:
    """-> (the most important sentence, the next one)."""
    coverage, levels = fleet.coverage, fleet.levels
    audited = [host for host in fleet.hosts if host.status == "audited"]
    nodes = _words.plural(len(audited), "node")
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
    span = _words.when(started)
    if finished.date() != started.date():
        span += " to " + _words.when(finished)
    elif _words.when(finished) != span:
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


def _shown(fleet: _types.Fleet, details: Mapping[str, _types.Record]) -> list[dict[str, t.Any]]:
    commands = {action.key: _actions.around(action, fleet.options) for action in fleet.actions}
    found = []
    for host in fleet.hosts[:MOST_STATIC]:
        pattern, command = _actions.shown_pattern(host.name), commands.get(host.todo) or ()
        found.append(
            {
                "host": host,
                "detail": details.get(host.name),
                "command": pattern.join(command) if pattern and command else "",
            }
        )
    return found
