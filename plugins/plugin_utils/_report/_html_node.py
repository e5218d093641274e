# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""A node for readers without JavaScript: its free memory by order as drawings, and what holds its pageblocks.

The drawings are those of assets/picture-profile.js with less in them, and have the same colours.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable, Sequence

from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import kpageflags
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _pictures, _types, _words

# Of one node; the others are in report.json.
MOST_ZONES = 6

# Pixels of a drawing: all of it, what stands left of the columns, and the room for the bars.
WIDE, LEFT, TOP, PLOT = 300, 50, 10, 120

# The kernel's own letters (mm/page_alloc.c, show_migration_types()).
_LETTERS = {"Unmovable": "U", "Reclaimable": "E", "Movable": "M", "HighAtomic": "H", "CMA": "C", "Isolate": "I"}
_SIGNS = {"ok": "✓", "needs_reclaim": "1", "needs_compaction": "2", "exhausted": "–", "reserved": "R"}
_HEAT = {"ok": "0", "needs_reclaim": "2", "needs_compaction": "3", "exhausted": "5"}
_HOLDERS = {kind: letter for letter, kind in kpageflags.KINDS.items()}


@dataclasses.dataclass(slots=True)
class Text:
    """Words at a place, or a letter at each of several places."""

    x: str
    y: float
    words: str
    kind: str


@dataclasses.dataclass(slots=True)
class Profile:
    """A zone's free memory by order."""

    title: str
    free: str
    label: str
    """The same in words."""
    bars: list[tuple[str, str]]
    """Class and path of what is free of a migratetype."""
    at_least: str
    """Path: what is free in blocks of an order or larger."""
    watermarks: list[str]
    cells: list[tuple[str, str]]
    """Class and path of what can be had of each order."""
    texts: list[Text]


def profiles(
    zones: Sequence[t.Any], names: Sequence[str], about: Sequence[_types.Record], page_size: int
) -> list[Profile]:
    """The largest zones first.

    zones    [node, number of the zone's name, managed pages, free blocks per order ...], as _as_html.Page keeps them
    names    the texts that the numbers stand for
    about    what else is known of each: watermarks, migratetypes, states
    """
    many = len({zone[0] for zone in zones}) > 1
    largest = sorted(range(len(zones)), key=lambda place: -zones[place][2])[:MOST_ZONES]
    found = []
    for place in largest:
        node, name, _managed, *free = zones[place]
        title = names[name] + (f", NUMA node {node}" if many else "")
        found.append(_profile(title, free, about[place], page_size))
    return found


def _profile(title: str, free: Sequence[int], about: _types.Record, page_size: int) -> Profile:
    pages = [count << order for order, count in enumerate(free)]
    marks = [mark for mark in map((about.get("watermarks") or {}).get, ("min", "low")) if isinstance(mark, int)]
    most = max(sum(pages), *marks, 1)
    column = (WIDE - LEFT - 4) / max(1, len(free))

    def height(amount: int) -> float:
        return TOP + PLOT * (1 - amount / most)

    def size(amount: int) -> str:
        return _words.size(amount * page_size / 1024)

    texts = [
        Text(str(LEFT - 4), TOP + 4, size(most), "axis end"),
        Text(str(LEFT - 4), TOP + PLOT / 2 + 4, size(most // 2), "axis end"),
        *_axis(len(free), column),
    ]
    cells = []
    for heat, places in _by_heat(about.get("states") or [], len(free)).items():
        lefts = [LEFT + order * column + 2 for order, _sign in places]
        cells.append(
            (heat, "".join(f"M{left:.1f} {TOP + PLOT + 18}h{column - 4:.1f}v16h-{column - 4:.1f}z" for left in lefts))
        )
        signs = "".join(sign for _order, sign in places)
        texts.append(Text(_middles([order for order, _sign in places], column), TOP + PLOT + 30, signs, "t" + heat))
    return Profile(
        title=title,
        free=size(sum(pages)),
        label=f"{title}: " + ", ".join(f"order {order} {size(amount)}" for order, amount in enumerate(pages)),
        bars=list(_bars(pages, about.get("migratetypes") or {}, column, height)),
        at_least=_at_least(pages, column, height),
        watermarks=[f"M{LEFT} {height(mark):.1f}H{WIDE - 4}" for mark in marks],
        cells=cells,
        texts=texts,
    )


def _middles(orders: Iterable[int], column: float) -> str:
    return " ".join(f"{LEFT + (order + 0.5) * column:.1f}" for order in orders)


def _axis(orders: int, column: float) -> t.Iterator[Text]:
    """The digits are one text, a place for each."""
    digits = min(orders, 10)
    yield Text(_middles(range(digits), column), TOP + PLOT + 13, "0123456789"[:digits], "axis")
    for order in range(10, orders):
        yield Text(_middles([order], column), TOP + PLOT + 13, str(order), "axis")


def _by_heat(states: Sequence[str], orders: int) -> dict[str, list[tuple[int, str]]]:
    """Step of the colour scale -> [(order, sign)]"""
    found: dict[str, list[tuple[int, str]]] = {}
    for order, state in enumerate(states[:orders]):
        found.setdefault(_HEAT.get(state, "2"), []).append((order, _SIGNS.get(state, "?")))
    return found


def _bars(
    pages: Sequence[int], types: t.Mapping[str, Sequence[int]], column: float, height: t.Callable[[int], float]
) -> t.Iterator[tuple[str, str]]:
    """The migratetypes of an order, one upon the other; as a whole where they are not known."""
    base = [0] * len(pages)
    for kind, blocks in types.items() or [("", [])]:
        path = ""
        for order, here in enumerate(pages):
            count = (blocks[order] if order < len(blocks) else 0) << order if kind else here
            if count:
                roof, floor = height(base[order] + count), height(base[order])
                path += f"M{LEFT + order * column + 2:.1f} {roof:.1f}h{column - 4:.1f}V{floor:.1f}h-{column - 4:.1f}z"
                base[order] += count
        if path:
            yield "g-" + _LETTERS.get(kind, "o"), path


def _at_least(pages: Sequence[int], column: float, height: t.Callable[[int], float]) -> str:
    rest, line = sum(pages), ""
    for order, here in enumerate(pages):
        line += f"{'V' if order else f'M{LEFT} '}{height(rest):.1f}h{column:.1f}"
        rest -= here
    return line


def holders(survey: _types.Record | None) -> list[dict[str, t.Any]]:
    """What holds the pageblocks of each zone: a bar, and its shares in words; what is in the way first.

    survey    as _pictures.survey() keeps it
    """
    zones = survey["zones"] if survey else []
    many = len({zone["node"] for zone in zones}) > 1
    return [
        {
            "title": f"{zone['zone']}" + (f", NUMA node {zone['node']}" if many else ""),
            "parts": list(_shares(zone["held_by"])),
        }
        for zone in zones
    ]


def _shares(held: t.Mapping[str, int]) -> Iterable[tuple[str, str, float, float]]:
    """-> (letter, kind, where its part of the bar begins, how wide it is), out of 100"""
    total, start = sum(held.values()), 0.0
    ways = sorted(held, key=lambda kind: (kind in _pictures.NOT_IN_THE_WAY, -held[kind]))
    for kind in ways:
        if held[kind]:
            width = 100 * held[kind] / total
            yield _HOLDERS.get(kind, "z"), kind.replace("_", " "), start, width
            start += width
