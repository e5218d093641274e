# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What the pictures of report.html show, as tables for its template."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _pictures, _types, _words

_STANDING_WORDS = {"none": "not assessed", "missing": "not audited"}
_STATE_WORDS = ("at once", "after reclaim", "after compaction", "not at all")


@dataclasses.dataclass(slots=True)
class Column:
    title: str
    number: bool


@dataclasses.dataclass(slots=True)
class Row:
    title: str
    cells: list[str]
    """One for each column but the first."""
    note: str = ""


@dataclasses.dataclass(slots=True)
class Table:
    name: str
    title: str
    about: str
    columns: list[Column]
    rows: list[Row]


def tables(fleet: _types.Fleet, pictures: _pictures.Pictures) -> list[Table]:
    return [*_orders(fleet), *_runs(fleet), *_incidents(fleet, pictures), *_held(fleet, pictures)]


def _columns(first: str, numbers: Sequence[str] = (), words: Sequence[str] = ()) -> list[Column]:
    return [
        Column(first, False),
        *(Column(title, True) for title in numbers),
        *(Column(title, False) for title in words),
    ]


def _orders(fleet: _types.Fleet) -> Iterator[Table]:
    found = _pictures.orders(fleet)
    if not found:
        return
    sizes = {host.page_size for host in fleet.hosts if host.states}
    same = sizes.pop() if len(sizes) == 1 else 0
    rows = [
        Row(
            str(order),
            [f"{row[str(state)]:,}" for state in range(len(_STATE_WORDS))],
            note=_words.block_size(order, same) if same else "",
        )
        for order, row in enumerate(found)
    ]
    about = "How each node can hand out a block of each order, the worst node first."
    yield Table("orders", "What can be had", about, _columns("Order", _STATE_WORDS), rows)


def _runs(fleet: _types.Fleet) -> Iterator[Table]:
    runs = _pictures.runs(fleet)
    if len(runs) < 2:
        return
    used = [standing for standing in _pictures.STANDINGS if any(run.counts[standing] for run in runs)]
    rows = [
        Row(
            _words.format_time(run.time) if run.time else run.run_id, [f"{run.counts[standing]:,}" for standing in used]
        )
        for run in runs
    ]
    columns = _columns("Run", [_STANDING_WORDS.get(standing, standing) for standing in used])
    yield Table("levels", "Levels of each run", "How many nodes had which level, run by run.", columns, rows)


def _incidents(fleet: _types.Fleet, pictures: _pictures.Pictures) -> Iterator[Table]:
    spans, total = pictures.spans(fleet)
    if not spans:
        return
    rows = [
        Row(
            _words.CAUSES.get(cause, cause),
            [f"{nodes:,}", f"{incidents:,}", _words.format_time(first), _words.format_time(last)],
        )
        for cause, nodes, incidents, first, last in _pictures.causes(spans)
    ]
    about = (
        "When something broke, by its cause; a bar is a stretch of time, as high as there were nodes with an incident."
    )
    if len(spans) < total:
        about += f" The {len(spans):,} incidents of the worst nodes, of {total:,}."
    columns = _columns("Cause", ("Nodes", "Incidents"), ("First", "Last"))
    yield Table("incidents", "Incidents across the fleet", about, columns, rows)


def _held(fleet: _types.Fleet, pictures: _pictures.Pictures) -> Iterator[Table]:
    found = pictures.held(fleet)
    if not found:
        return
    used = [kind for kind in _pictures.KINDS if any(row.pageblocks[kind] for row in found)]
    rows = []
    for row in found:
        total = row.pageblocks.total()
        shares = [f"{100 * row.pageblocks[kind] / total:.1f} %" if total else "–" for kind in used]
        rows.append(Row(row.group or "All", [f"{row.nodes:,}", *shares]))
    about = "What keeps pageblocks from becoming free, on the nodes whose pageblocks were looked at: the share of each kind."
    columns = _columns("Group", ["Nodes", *(kind.replace("_", " ") for kind in used)])
    yield Table("held", "Who is in the way", about, columns, rows)
