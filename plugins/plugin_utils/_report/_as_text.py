# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The console summary: what to do, and on which nodes, in lines of plain text that a terminal shows whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _actions, _forecasts, _types, _words

WIDTH = 100

# Nodes named in all, and of one action.
WORST = 10
MOST_OF_ONE = 4

_MOST_COMMAND_LINES = 4
_SHELL_WORDS = re.compile(r"(?:'[^']*'|\"[^\"]*\"|\$'(?:\\.|[^'])*'|\S)+")


def lines(fleet: _types.Fleet, files: dict[str, str]) -> list[str]:
    """The summary for the console; ``files`` are those of the report, {format: path}."""
    coverage, levels = fleet.coverage, fleet.levels
    counts = [f"{coverage['audited']:,} of {_words.plural(coverage['asked'], 'node')} audited"]
    counts += [f"{coverage[name]:,} {name}" for name in ("unreachable", "failed", "stale") if coverage[name]]
    found = ["Coverage: " + ", ".join(counts) + "."]
    if coverage["audited"]:
        if coverage["not_assessed"] < coverage["audited"]:
            named = [f"{levels[level]:,} {level}" for level in _types.LEVELS if levels[level]]
            named += [f"{coverage['not_assessed']:,} not assessed"] if coverage["not_assessed"] else []
            found.append("Risk: " + ", ".join(named) + ".")
        found += _losing(fleet.hosts)
        changes = [f"{len(names):,} {word}" for word, names in fleet.changes.items() if names]
        if changes:
            found.append("Since the previous run: " + ", ".join(changes) + ".")
    room = WORST
    for action in fleet.actions:
        shown = 0 if action.key == "none" and len(fleet.hosts) > 1 else max(1, min(room, MOST_OF_ONE))
        found += _action(action, shown, fleet.options)
        room -= min(shown, len(action.hosts))
    short = [host for host in fleet.hosts if host.status == "audited" and host.level is None and _amiss(host)]
    found += [_node(host) for host in short[:room]]
    missing = [host for host in fleet.hosts if host.status != "audited"]
    if missing:
        found.append(f"Could not be audited: {_words.plural(len(missing), 'node')}")
        found += [_node(host) for host in missing[:MOST_OF_ONE]]
        found += _more(len(missing) - MOST_OF_ONE)
    if coverage["skipped_records"]:
        found.append(f"{_words.plural(coverage['skipped_records'], 'record')} skipped; the report says which and why.")
    if files:
        found.append("Report: " + files.get("html", next(iter(files.values()))))
    return found


def _losing(hosts: list[_types.Host]) -> list[str]:
    """For information, in a line: how many nodes run out of an order, and which is the first."""
    losing = [host for host in hosts if host.losing]
    if not losing:
        return []
    first = min(losing, key=lambda host: host.losing[0].expected)
    order, _low, days, _high = first.losing[0]
    name = _words.text(_words.printable(first.name), 30)
    return [
        _cut(
            f"Forecast: {_words.plural(len(losing), 'node')} running out of blocks, first {name} of order {order} in about"
            f" {_forecasts.span(days)}."
        )
    ]


def _action(action: _types.Action, shown: int, options: tuple[str, ...]) -> Iterator[str]:
    about = ""
    if action.action != "none":
        about = f" ({_actions.WILL_HELP_WORDS[action.will_help]})"
    elif action.key == "none" and len(action.hosts) > 1:
        about = _at_hand(action.hosts)
    yield _cut(f"{action.title}{about}: {_words.plural(len(action.hosts), 'node')}")
    for host in action.hosts[:shown]:
        yield _node(host)
    if action.key != "none":
        yield from _more(len(action.hosts) - shown)
    if action.command:
        yield from _command(action, options)


def _command(action: _types.Action, options: tuple[str, ...]) -> Iterator[str]:
    """The command, for as many of the worst nodes as a few lines have room for."""
    for count in sorted({action.covered, 8, 4, 2, 1}, reverse=True):
        if count > action.covered:
            continue
        found = _wrapped(_actions.command_of(action, action.hosts[:count], options))
        if len(found) <= _MOST_COMMAND_LINES and all(len(line) <= WIDTH for line in found):
            if count < len(action.hosts):
                yield f"  For the worst {'one' if count == 1 else count}; the report has more:"
            yield from found
            return
    yield "  The command is in the report."


def _at_hand(hosts: list[_types.Host]) -> str:
    """The highest order that can be had on all of them at once."""
    sizes = {host.page_size for host in hosts}
    orders = [len(host.states) - len(host.states.lstrip("0")) for host in hosts]
    if not orders or min(orders) < 1:
        return ""
    size = f", {_words.block_size(min(orders) - 1, sizes.pop())}" if len(sizes) == 1 else ""
    return f" (orders up to {min(orders) - 1}{size} can be had at once)"


def _node(host: _types.Host) -> str:
    if host.status != "audited":
        label, why = host.status, host.error or "no reason given"
    else:
        label = f"{host.level} {host.score}" if host.level and host.score is not None else host.level or "not assessed"
        why = host.sentence
        if host.level == "low":
            why = _words.graded(host.states, host.page_size, ())
    return _cut(f"  {_words.text(_words.printable(host.name), 45)} ({label}): {_words.printable(why)}")


def _more(count: int) -> list[str]:
    return [f"  and {count:,} more, in the report"] if count > 0 else []


def _cut(line: str) -> str:
    return _words.text(line, WIDTH)


def _wrapped(command: str) -> list[str]:
    """A command over several lines that can be pasted as they stand; a word is never broken."""
    found = [""]
    for word in _SHELL_WORDS.findall(command):
        if found[-1] and len(found[-1]) + len(word) > WIDTH - 7:
            found.append("")
        found[-1] += (" " if found[-1] else "") + word
    last = len(found) - 1
    return [("    " if number else "  ") + line + (" \\" if number < last else "") for number, line in enumerate(found)]


def _amiss(host: _types.Host) -> bool:
    return host.states[:4].strip("0") != ""
