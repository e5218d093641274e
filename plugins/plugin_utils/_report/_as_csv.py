# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""report.csv: one line per node, for spreadsheets."""

from __future__ import annotations

import csv
import functools
import io
import operator
import re
import typing as t
import unicodedata
from collections.abc import Iterable

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import (
    _actions,
    _as_json,
    _outliers,
    _types,
    _words,
)

# Column -> what stands in it.
COLUMNS: dict[str, t.Callable[[_types.Host], t.Any]] = {
    "host": operator.attrgetter("name"),
    "status": operator.attrgetter("status"),
    "level": operator.attrgetter("level"),
    "score": operator.attrgetter("score"),
    "summary": lambda host: host.sentence or host.error,
    "findings": lambda host: " ".join(host.findings),
    "cause": operator.attrgetter("cause"),
    "incidents": lambda host: host.incidents if host.status == "audited" else None,
    "action": operator.attrgetter("action"),
    "will_help": lambda host: _actions.WILL_HELP[host.will_help] if host.action not in (None, "none") else None,
    "what_to_do": lambda host: _actions.title_of(host) if host.todo else None,
    "change": operator.attrgetter("change"),
    "stale": lambda host: "yes" if host.stale else "no",
    "groups": lambda host: " ".join(host.groups),
    "kernel": operator.attrgetter("release"),
    "machine": operator.attrgetter("machine"),
    "memory_kb": operator.attrgetter("memory_kb"),
    "highest_order_at_once": lambda host: _highest(host.states),
    "started_at": lambda host: _as_json.timestamp(host.time),
    "run_id": operator.attrgetter("run_id"),
    **{
        metric.id: lambda host, index=index: host.metrics[index] if host.metrics else None  # type: ignore[misc]
        for index, metric in enumerate(_outliers.METRICS)
    },
}


# What is in front of the first character that counts, and what this one must not be: nor its wide, small and raised kin, which some
# spreadsheets take for it.
_BEFORE = re.compile(r"[\s\"']*")
_FORMULA = frozenset("=+-\u2212@|%")


class Sheet:
    file = "report.csv"

    def take(self, record: _types.Record, host: _types.Host) -> None:
        pass

    def render(self, fleet: _types.Fleet) -> list[str]:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        # Column by column: a fleet has a quarter of a million cells.
        writer.writerows(zip(*(_column(map(value, fleet.hosts)) for value in COLUMNS.values()), strict=True))
        return [stream.getvalue()]


def _highest(states: str) -> int | None:
    """The highest order up to which every order can be had at once; empty if there is none."""
    orders = len(states) - len(states.lstrip("0"))
    return orders - 1 if orders else None


def _column(values: Iterable[t.Any]) -> list[t.Any]:
    return [_text_cell(value) if isinstance(value, str) else value for value in values]


@functools.lru_cache(maxsize=1024)  # nodes share most of their words
def _text_cell(value: str) -> str:
    """Spreadsheets take text that begins like this for a formula, which can run programs; an apostrophe mends that."""
    # Where a semicolon separates cells, as it does in half of Europe, one begins behind each of them.
    return ";".join(map(_no_formula, _words.printable(value).split(";")))


def _no_formula(cell: str) -> str:
    first = cell[t.cast("re.Match[str]", _BEFORE.match(cell)).end() :][:1]
    return "'" + cell if unicodedata.normalize("NFKC", first) in _FORMULA else cell
