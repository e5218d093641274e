# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""A node's contiguous memory as Prometheus metrics, for the textfile collector of node_exporter on that node.

As in node_exporter's node_buddyinfo_blocks, ``size`` is the order; free blocks themselves are left to it.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import time

from ._compaction import state
from ._compaction.target import measure
from ._exposition import Exposition
from ._node import NodeError, is_root
from ._options import OptionError
from ._outlook import STATES

FILE_NAME = "memfrag.prom"

# Where metrics were ever written on this node, a path a line: they go with the tool.
WRITTEN = state.DIRECTORY + "/textfiles"


def write(node, directory, text):
    """Writes the file in a directory of a textfile collector, and notes that first, so that a run that is killed leaves no stray one."""
    path = directory.rstrip("/") + "/" + FILE_NAME
    known = written(node)
    if path not in known:
        try:
            node.own_directory(state.DIRECTORY)
            if not known:
                # It may be there, and not to be believed.
                node.remove(WRITTEN)
            node.append_line(WRITTEN, path)
        except NodeError:
            # Whoever is not root writes for themselves.
            if is_root():
                raise
    node.write_file(path, text)


def written(node):
    """-> paths of the files that were written, none of a list that others could have written."""
    try:
        lines = node.read_trusted(WRITTEN).splitlines()
    except NodeError:
        return []
    return sorted(
        {line for line in lines if line.startswith("/") and line.endswith("/" + FILE_NAME) and "\0" not in line}
    )


def render(facts, target, runs, last=None):
    """-> the text of the file.

    runs   what _compaction.state.load() gives
    last   the last compaction that was promised something, of _yields.load()
    """
    page = Exposition()
    for name, kind, words, samples in _zones(facts) + _target(facts, target) + _runs(runs) + _promises(last):
        # What this node cannot tell is not there, not even by name.
        for labels, value in samples:
            page.family(name, kind, words).sample(labels, value)
    return page.text()


def _zones(facts):
    def per_order(index):
        return [
            ((("node", zone["node"]), ("zone", zone["zone"]), ("size", order)), value / 1000.0)
            for zone in facts["zones"]
            for order, value in enumerate(zone[index])
        ]

    return [
        (
            "memfrag_unusable_ratio",
            "gauge",
            "Share of the free memory in blocks too small for the order.",
            per_order("unusable_index"),
        ),
        (
            "memfrag_extfrag_ratio",
            "gauge",
            "The kernel's fragmentation index: -1 a block is free, near 0 memory is short, near 1 it is fragmented.",
            per_order("extfrag_index"),
        ),
        (
            "memfrag_allocatable_state",
            "gauge",
            "How a block of the order can be had: %s." % ", ".join("%d %s" % pair for pair in enumerate(STATES)),
            [
                ((("node", node), ("size", entry["order"])), STATES.index(entry["nodes"][node]))
                for entry in facts["allocatable"]
                for node in sorted(entry["nodes"], key=int)
            ],
        ),
    ]


def _target(facts, target):
    try:
        nodes = measure(facts, target)["nodes"]
    except OptionError:
        nodes = {}
    rows = [
        ((("node", name), ("size", row["order"])), row)
        for name in sorted(nodes, key=int)
        for row in nodes[name]["orders"]
    ]
    return [
        (
            "memfrag_compaction_target_met",
            "gauge",
            "Whether the node has what the compaction job is to see to, by order.",
            [(labels, int(row["satisfied"])) for labels, row in rows],
        ),
        (
            "memfrag_compaction_target_free_blocks",
            "gauge",
            "Free blocks of the job's target orders that a kernel request could take.",
            [(labels, row["free_blocks"]) for labels, row in rows],
        ),
    ]


def _runs(runs):
    last = runs.get("last_run", {})
    return [
        (
            "memfrag_compaction_runs_total",
            "counter",
            "Runs of the compaction job by their outcome; needed and forced are those that compacted.",
            [((("reason", reason),), runs["runs"][reason]) for reason in sorted(runs.get("runs", {}))],
        ),
        (
            "memfrag_compaction_last_run_timestamp_seconds",
            "gauge",
            "When the last run was begun, in seconds since 1970.",
            [((), calendar.timegm(time.strptime(last["started_at"], "%Y-%m-%dT%H:%M:%SZ")))] if last else [],
        ),
        (
            "memfrag_compaction_last_run_duration_seconds",
            "gauge",
            "How long the last run took.",
            [((), last["duration_seconds"])] if last else [],
        ),
        (
            "memfrag_compaction_ineffective_runs",
            "gauge",
            "Runs in a row that compacted and did not help.",
            [((), runs["failures"])] if "failures" in runs else [],
        ),
    ]


def _promises(last):
    rows = [
        ((("node", row["node"]), ("zone", row["zone"]), ("size", row["order"])), row)
        for row in (last or {"promised": ()})["promised"]
    ]
    return [
        (
            "memfrag_compaction_expected_blocks",
            "gauge",
            "Free blocks that the last compaction was expected to leave, by a survey of the pageblocks: low, expected and high.",
            [
                (labels + (("bound", bound),), row[bound])
                for labels, row in rows
                for bound in ("low", "expected", "high")
            ],
        ),
        (
            "memfrag_compaction_obtained_blocks",
            "gauge",
            "Free blocks that there were after that compaction.",
            [(labels, row["obtained"]) for labels, row in rows],
        ),
        (
            "memfrag_compaction_before_blocks",
            "gauge",
            "Free blocks that there were before that compaction.",
            [(labels, row["now"]) for labels, row in rows],
        ),
    ]
