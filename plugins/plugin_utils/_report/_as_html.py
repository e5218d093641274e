# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""report.html: one file that needs no network and, for its summary, findings and worst nodes, no JavaScript either.

``templates/`` has the page with the worst nodes; ``assets/report.js`` puts the list of all nodes
and the page of one node in the table's place. It gets its data as compact JSON: rows of numbers with tables of the
strings that nodes share, and the details of the nodes that need a look.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import heapq
import json
import os
import typing as t
from collections.abc import Iterator

import markupsafe

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import score
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts, _records, _shape_code
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import (
    _actions,
    _as_json,
    _failures,
    _html_detail,
    _html_node,
    _html_pictures,
    _html_static,
    _outliers,
    _pictures,
    _runs,
    _templates,
    _types,
    _words,
)

ASSETS = os.path.join(os.path.dirname(__file__), "assets")

# Put together in this order; the scripts share one scope.
STYLES = ("report.css", "pictures.css")
SCRIPTS = (
    "basics.js",
    "picture-orders.js",
    "picture-levels.js",
    "picture-incidents.js",
    "picture-profile.js",
    "picture-pageblocks.js",
    "watch.js",
    "pictures.js",
    "compare.js",
    "node.js",
    "keys.js",
    "print.js",
    "report.js",
)

# Details weigh some kilobytes each: up to the first number all nodes have them, above it the worst, up to the second.
ALL_DETAILS = 200
MOST_DETAILS = 400
# Characters of the details of a node, and of a reason why something could not be read. The most that honest nodes have is half of it: a
# few in somebody else's hands must not make a page of hundreds of megabytes that no browser opens.
LARGEST_DETAIL = 500_000
_LONGEST_REASON = 400

_SLABS_IN_ROW = 3


class _Table:
    """Strings (or what else there is) by number, for values that many nodes share."""

    def __init__(self) -> None:
        self.values: list[t.Any] = []
        self._numbers: dict[t.Hashable, int] = {}

    def number(self, value: t.Any, key: t.Hashable = None) -> int:
        """``key`` tells values of the table apart; by itself that is their JSON."""
        if key is None:
            key = value if isinstance(value, str) else _as_json.dumps(value)
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]


class Page:
    """report.html: what the lists show of each node, and all about the MOST_DETAILS worst, as JSON that the page's scripts read."""

    file = "report.html"

    def __init__(self) -> None:
        self._strings = _Table()
        self._kernels = _Table()
        self._groups = _Table()
        self._needs = _Table()
        self._unavailable = _Table()
        self._settings = _Table()
        self._abouts = _Table()
        self._pictures = _pictures.Pictures()
        self._finding_lists = _Table()
        self._rows: dict[str, str] = {}
        # A heap with the best of the kept nodes on top; the count breaks ties before texts are compared.
        self._details: list[tuple[_Reversed, str, str]] = []
        self._check = _shape_code.compiled(_contracts.RECORD)

    def take(self, record: _types.Record, host: _types.Host) -> None:
        rank = _Reversed(host.rank)
        full = len(self._details) == MOST_DETAILS
        if not full or self._details[0][0] < rank:
            if host.level == "low" and not host.incidents:
                # Of a node that is well nobody has looked at all of it so far.
                self._check(record)
            text = _as_json.dumps(self._detail(record))
            if len(text) <= LARGEST_DETAIL:
                keep = heapq.heapreplace if full else heapq.heappush
                keep(self._details, (rank, host.name, text))
        self._pictures.take(record, host)
        self._rows[host.name] = _as_json.dumps(self._measured(record["facts"]))

    def _measured(self, facts: _types.Record) -> list[t.Any]:
        """What the list and the page of a healthy node show; the script's ``M`` names the places."""
        strings = self._strings
        meminfo, slab = facts.get("meminfo") or {}, facts.get("slab") or {}
        unavailable = {name: _words.text(why, _LONGEST_REASON) for name, why in facts["unavailable"].items()}
        answers = facts["allocatable"]
        needs = [row.get("needed_by") or [] for row in answers]
        return [
            _by_node(answers) if len(set().union(*(row["nodes"] for row in answers))) > 1 else 0,
            self._needs.number(needs, tuple(map(tuple, needs))),
            [
                [zone["node"], strings.number(zone["zone"]), zone.get("managed_pages") or 0, *zone["free_blocks"]]
                for zone in facts["zones"]
            ],
            [meminfo.get(field) for field in ("memfree", "memavailable")]
            + [slab.get(field) for field in ("reclaimable_kb", "unreclaimable_kb")],
            [
                [strings.number(_words.text(cache["name"], 100)), cache["size_kb"]]
                for cache in (slab.get("caches") or ())[:_SLABS_IN_ROW]
            ],
            self._unavailable.number(unavailable, tuple(unavailable.items())),
        ]

    def _detail(self, record: _types.Record) -> _types.Record:
        """What the page of one node shows beyond the list. Settings and remedies are the same on many nodes."""
        detail = _html_detail.of(record)
        detail["findings"] = [self._finding(finding) for finding in detail["findings"]]
        detail["settings"] = self._settings.number(detail["settings"])
        return detail

    def _finding(self, finding: _types.Record) -> list[t.Any]:
        about = [finding.get(key) for key in ("remedy", "variable", "docs")]
        return [
            finding["id"],
            finding.get("severity"),
            finding.get("title"),
            finding.get("evidence"),
            self._abouts.number(about),
        ]

    def render(self, fleet: _types.Fleet) -> Iterator[str]:
        style, script = "".join(map(_asset, STYLES)), _script()
        policy = (
            f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
            "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
        )
        values = {
            **_html_static.values(fleet, self._worst(fleet)),
            "pictures": _html_pictures.tables(fleet, self._pictures),
            "policy": policy,
            "icon": _favicon(fleet),
            # Our own, and JSON in which no element ends.
            "style": markupsafe.Markup(style),
            "script": markupsafe.Markup(script),
            "data": (markupsafe.Markup(_words.visible_json(text)) for text in self._data(fleet)),
        }
        yield from _templates.render("page.html.j2", values)

    def _worst(self, fleet: _types.Fleet) -> dict[str, _types.Record]:
        """What is known of the nodes that stand in full without JavaScript."""
        sizes = {host.name: host.page_size for host in _html_static.static_hosts(fleet)}
        found = {name: json.loads(text) for _rank, name, text in self._details if name in sizes}
        for name, detail in found.items():
            row = json.loads(self._rows[name])
            detail["profiles"] = _html_node.profiles(row[2], self._strings.values, detail["zones"], sizes[name])
            detail["holders"] = _html_node.holders(detail["survey"])
            needs = self._needs.values[row[1]]
            detail["needs"] = [(order, words) for order, words in enumerate(needs) if words]
            for finding in detail["findings"]:
                finding[-1] = self._abouts.values[finding[-1]]
        return found

    def _data(self, fleet: _types.Fleet) -> Iterator[str]:
        # The rows fill the tables.
        rows = list(self._host_rows(fleet))
        yield _as_json.dumps(self._shared(fleet))[:-1]
        details = (f'"{number}":{text}' for number, text in self._kept_details(fleet))
        yield ',"details":{' + ",".join(details) + '},"hosts":[\n'
        yield ",\n".join(rows) + "]}"

    def _host_rows(self, fleet: _types.Fleet) -> Iterator[str]:
        """A row per node; the script has the names of the places."""
        finding_numbers = {finding.id: number for number, finding in enumerate(fleet.findings)}
        metric_numbers = {metric.id: number for number, metric in enumerate(_outliers.METRICS)}
        action_numbers = {action.key: number for number, action in enumerate(fleet.actions)}
        newest = fleet.finished

        def age(time: datetime.datetime | None) -> int:
            return int((newest - time).total_seconds()) if newest and time else -1

        for host in fleet.hosts:
            kernel = [host.release, host.machine, host.page_size]
            head = [
                host.name,
                _records.STATUSES.index(host.status),
                _types.LEVELS.index(host.level) if host.level else -1,
                -1 if host.score is None else host.score,
                self._strings.number(host.sentence or host.error),
                self._kernels.number(kernel, tuple(kernel)),
                host.memory_kb or 0,
                age(host.time),
                host.stale + 2 * (_types.CHANGES.index(host.change) + 1 if host.change else 0),
                self._groups.number(host.groups, host.groups),
                [finding_numbers[name] for name in host.findings],
                [
                    number
                    for past in host.past
                    for number in (age(past.time), _mark(past.status, past.level, past.score, past.states))
                ],
                [[metric_numbers[out.metric], out.value, out.median, out.peers] for out in host.outliers],
                host.incidents,
                self._strings.number(host.cause) if host.cause else -1,
                host.states,
                action_numbers.get(host.todo, -1),
            ]
            measured = self._rows.get(host.name) if host.status == "audited" else None
            yield _as_json.dumps(head)[:-1] + "," + (measured or "0") + "]"

    def _kept_details(self, fleet: _types.Fleet) -> list[tuple[int, str]]:
        """-> [(row of the node, its details)]"""
        places = {host.name: number for number, host in enumerate(fleet.hosts)}
        healthy_too = len(fleet.hosts) <= ALL_DETAILS
        return sorted(
            (places[name], text)
            for _rank, name, text in self._details
            if name in places and (healthy_too or _needs_a_look(fleet.hosts[places[name]]))
        )

    def _shared(self, fleet: _types.Fleet) -> _types.Record:
        """What is not of one node."""
        places = {host.name: number for number, host in enumerate(fleet.hosts)}
        compare = _runs.data(fleet, self._strings.number, self._finding_lists.number)
        mends = _Table()
        unseen = {
            number: mends.number(mend, mend.title)
            for number, host in enumerate(fleet.hosts)
            if (mend := _failures.of_node(host, fleet.options))
        }
        return {
            "version": 1,
            "newest": _as_json.timestamp(fleet.finished),
            # What to do: key, title, advice, and the command around the name of a node.
            "actions": [
                [
                    action.key,
                    action.title,
                    _actions.helps(action),
                    action.advice,
                    _actions.around(action, fleet.options),
                    _actions.between(action),
                ]
                for action in fleet.actions
            ],
            # Names that are spelled out in a command.
            "targets": {
                number: _actions.shown_pattern(host.name)
                for number, host in enumerate(fleet.hosts)
                if _actions.shown_pattern(host.name) != host.name
            },
            # What mends a node that could not be audited: title, advice, and the command around its name; and which of them.
            "mends": mends.values,
            "unseen": unseen,
            "causes": _words.CAUSES,
            "levels": _types.LEVELS,
            "statuses": _records.STATUSES,
            "strings": self._strings.values,
            "kernels": self._kernels.values,
            "groups": self._groups.values,
            "needs": self._needs.values,
            "unavailable": self._unavailable.values,
            "settings": self._settings.values,
            "abouts": self._abouts.values,
            "compare": compare,
            # What a score is made of.
            "score": {"base": score.BASE, "weight": score.WEIGHT, "highest": score.HIGHEST},
            "finding_lists": self._finding_lists.values,
            "findings": [[finding.id, finding.severity, finding.title] for finding in fleet.findings],
            "metrics": [[metric.title, metric.unit] for metric in _outliers.METRICS],
            "pictures": _pictures.data(self._pictures, fleet, self._strings.number, places),
        }


def _by_node(answers: list[_types.Record]) -> list[tuple[str, str]]:
    """-> [(NUMA node, its graded answer, a digit per order)]"""
    nodes: dict[str, str] = {}
    for row in answers:
        for node, state in row["nodes"].items():
            nodes[node] = nodes.get(node, "") + (_words.DIGITS.get(state, "?") if isinstance(state, str) else "?")
    return sorted(nodes.items())


class _Reversed:
    """Order the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: tuple[t.Any, ...]) -> None:
        self.value = value

    def __lt__(self, other: _Reversed) -> bool:
        return self.value > other.value


def _needs_a_look(host: _types.Host) -> bool:
    return host.level != "low" or bool(host.incidents or host.outliers or host.losing)


def _mark(status: str, level: str | None, score: int | None, states: str) -> int:
    """A node in a run as one number: 1000 * (level + 1) + height out of 100; -1 where it was not audited."""
    if status != "audited":
        return -1
    if score is None:
        first = next((order for order, state in enumerate(states) if state != "0"), len(states))
        score = 100 * (len(states) - first) // len(states) if states else 0
    return 1000 * (_types.LEVELS.index(level) + 1 if level else 0) + min(score, 100)


def _asset(name: str) -> str:
    with open(os.path.join(ASSETS, name), encoding="utf-8") as stream:
        text = stream.read()
    # The licence header is for the source tree.
    return text[text.index("*/") + 2 :].strip() + "\n"


def _script() -> str:
    return '(() => {\n"use strict";\n' + "".join(map(_asset, SCRIPTS)) + "})();\n"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _favicon(fleet: _types.Fleet) -> str:
    worst = next(
        (level for level in ("critical", "high", "medium", "unknown", "low") if fleet.levels[level]), "unknown"
    )
    colour = {"critical": "8c1d2f", "high": "b8480a", "medium": "d19a16", "low": "2b7a66", "unknown": "6b7280"}[worst]
    bars = "".join(f"<path d='M{3 + 7 * x} {20 - y}h5v{9 + y}h-5z'/>" for x, y in enumerate((17, 11, 5, 0)))
    box = "xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'"
    return f"data:image/svg+xml,<svg {box} fill='%23{colour}'>{bars}</svg>"
