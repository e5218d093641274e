# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""memfrag.prom: the fleet in numbers, for node_exporter's textfile collector on the controller.

No series per node, so that a fleet of any size costs the same few dozen; nodes export their own values themselves.
"""

from __future__ import annotations

import collections
import math
import typing as t
from collections.abc import Iterator

from ansible_collections.kernelops.memfrag.plugins.module_utils._exposition import Exposition
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _types, _words

Samples = list[tuple[dict[str, t.Any], int]]


class Metrics:
    file = "memfrag.prom"

    def take(self, record: _types.Record, host: _types.Host) -> None:
        pass

    def render(self, fleet: _types.Fleet) -> Iterator[str]:
        page = Exposition()
        for name, words, samples in _families(fleet):
            family = page.family(name, "gauge", words)
            for labels, value in samples:
                family.sample(labels, value)
        yield page.text()


def _families(fleet: _types.Fleet) -> Iterator[tuple[str, str, Samples]]:
    coverage, levels = fleet.coverage, fleet.levels
    audited = [host for host in fleet.hosts if host.status == "audited"]
    if fleet.finished:
        yield (
            "memfrag_last_run_timestamp_seconds",
            "When the newest record of the report was begun, in seconds since 1970.",
            [({}, math.floor(fleet.finished.timestamp()))],
        )
    yield (
        "memfrag_nodes",
        "Nodes of the fleet by the outcome of their audit.",
        [({"status": status}, coverage[status]) for status in _records.STATUSES],
    )
    yield (
        "memfrag_stale_nodes",
        "Nodes whose newest record is older than the report's limit.",
        [({}, coverage["stale"])],
    )
    yield (
        "memfrag_level_nodes",
        "Audited nodes by risk level.",
        [({"level": level}, levels[level]) for level in _types.LEVELS]
        + [({"level": "none"}, coverage["not_assessed"])],
    )
    # "size" is the order, as in node_exporter's node_buddyinfo_blocks.
    answers: collections.Counter[tuple[int, str]] = collections.Counter()
    for states, count in collections.Counter([host.states for host in audited]).items():
        for order, state in enumerate(states):
            answers[order, state] += count
    yield (
        "memfrag_allocatable_nodes",
        "Audited nodes by how a block of an order can be had; size is the order.",
        [
            ({"size": order, "state": state}, answers[order, str(digit)])
            for order in range(max((len(host.states) for host in audited), default=0))
            for digit, state in enumerate(_words.STATES)
        ],
    )
    yield (
        "memfrag_finding_nodes",
        "Nodes with a finding.",
        [({"finding": finding.id}, len(finding.hosts)) for finding in sorted(fleet.findings, key=lambda each: each.id)],
    )
    yield from _compactions(audited)
    # A node has no say in how many series there are.
    causes = collections.Counter(
        host.cause if host.cause in _words.CAUSES else "unknown" for host in audited if host.cause
    )
    yield (
        "memfrag_cause_nodes",
        "Nodes by the cause of their weightiest incident in the logs.",
        [({"cause": cause}, count) for cause, count in sorted(causes.items())],
    )
    yield "memfrag_skipped_records", "Records that could not be read.", [({}, coverage["skipped_records"])]


def _compactions(hosts: list[_types.Host]) -> Iterator[tuple[str, str, Samples]]:
    """The last compaction of each node that keeps count: what was expected of them all, and what they brought."""
    rows = [row for host in hosts for row in (host.last_compaction or {"promised": ()})["promised"]]
    if not rows:
        return
    sums: collections.Counter[tuple[int, str]] = collections.Counter()
    for row in rows:
        for name in ("now", "low", "expected", "high", "obtained"):
            sums[row["order"], name] += row[name]
    orders = sorted({row["order"] for row in rows})
    kept = [row for row in rows if row["low"] <= row["obtained"] <= row["high"]]
    yield (
        "memfrag_last_compaction_expected_blocks",
        "Free blocks that the last compactions of all nodes were expected to leave: low, expected and high.",
        [
            ({"size": order, "bound": bound}, sums[order, bound])
            for order in orders
            for bound in ("low", "expected", "high")
        ],
    )
    yield (
        "memfrag_last_compaction_obtained_blocks",
        "Free blocks that there were after them.",
        [({"size": order}, sums[order, "obtained"]) for order in orders],
    )
    yield (
        "memfrag_last_compaction_promises",
        "What was expected, by zone and order, and whether what came of it lies between low and high.",
        [({"kept": "true"}, len(kept)), ({"kept": "false"}, len(rows) - len(kept))],
    )
