# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The families of a node's metrics, from its facts and its assessment. Docs: monitoring_guide.rst has all of them.

As in node_exporter's node_buddyinfo_blocks, ``size`` is the order; ``node`` is the NUMA node. How many series there are is bounded by
the machine and by the tables here, never by what runs on it or by what a log says.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._compaction.target import measure
from ._options import OptionError
from ._states import STATES

LEVELS = ("low", "medium", "high", "critical", "unknown")
ACTIONS = ("none", "compact", "reclaim_then_compact", "add_memory", "drain_and_reboot")

# What the tool looks at; the names are those of the facts' "unavailable".
SOURCES = ("buddyinfo", "zoneinfo", "pagetypeinfo", "meminfo", "vmstat", "slabinfo", "cgroups", "log")

# Causes that each kind of event is known to have. They are there from the first run on, at 0: of a series that begins with its first
# event, Prometheus sees no increase. What else is found comes in addition; both words are of the journal's tables.
_CAUSES = {
    "page_allocation_failure": "fragmentation memory_shortage atomic_burst invalid_request unknown",
    "slab_allocation_failure": "fragmentation memory_shortage unknown",
    "slab_cache_create_failure": "fragmentation memory_shortage memcg_leak unknown",
    "vmalloc_failure": "vmalloc_exhaustion memory_shortage unknown",
    "oom_kill": "fragmentation memory_shortage memcg_limit unknown",
    "cma_allocation_failure": "fragmentation unknown",
    "compaction_stall": "fragmentation unknown",
    "container_start_failure": "fragmentation memory_shortage memcg_limit memcg_leak unknown",
    "container_remove_failure": "unknown",
}


def families(facts, verdict, node_state, target, runs, state, last):
    """-> [(name, type, what it is, [(labels, value)])]

    verdict     of the assessment of the facts, and node_state the NodeState that it came from
    target      of the compaction job; runs as _compaction.state.load() gives them
    state       of _metrics_state.py
    last        the last compaction that was promised something, of _yields.load()
    """
    return (
        _memory(facts, node_state)
        + _orders(node_state)
        + _free(facts)
        + _verdict(verdict)
        + _counted(facts, state)
        + _target(facts, target)
        + _runs(runs)
        + _promises(last)
        + _sources(state)
    )


def _by_node(state):
    """[(NUMA node, its Outlooks)], those without memory for ordinary requests included."""
    return [(node, state.by_node.get(node, ())) for node in sorted({zone["node"] for zone in state.zones})]


def _memory(facts, state):
    blocks = [
        ((("node", node), ("size", order)), state.allocatable_blocks(order, outlooks))
        for node, outlooks in _by_node(state)
        for order in range(state.orders)
    ]
    states = [
        ((("node", node), ("size", entry["order"])), STATES.index(entry["nodes"][node]))
        for entry in facts["allocatable"]
        for node in sorted(entry["nodes"], key=int)
    ]
    return [
        (
            "memfrag_page_size_bytes",
            "gauge",
            "Size of a page of memory.",
            [((), facts["kernel"]["page_size"])],
        ),
        (
            "memfrag_allocatable_blocks",
            "gauge",
            "Blocks of the order that ordinary kernel requests can take one after the other, within the watermarks.",
            blocks,
        ),
        (
            "memfrag_allocatable_state",
            "gauge",
            "How a block of the order can be had: %s." % ", ".join("%d %s" % pair for pair in enumerate(STATES)),
            states,
        ),
    ]


def _orders(state):
    """Which orders matter here, how many of them are enough, and what a compaction would leave."""
    needs = [(order, "required" if order in state.needed else "wanted") for order in state.targets]
    needs = [(order, "assumed" if order in state.assumed else need) for order, need in needs]
    expected = []
    for node, outlooks in _by_node(state):
        for order in state.targets:
            after = [outlook.after_compaction(order) for outlook in outlooks if order < len(outlook.usable)]
            if after and None not in after:
                expected += [
                    ((("node", node), ("size", order), ("bound", bound)), sum(row[bound] for row in after))
                    for bound in ("low", "expected", "high")
                ]
    return [
        (
            "memfrag_order_needed",
            "gauge",
            "Orders that count on this kernel: something fails without the required ones, the others are wanted, or assumed to be.",
            [((("size", order), ("need", need)), 1) for order, need in needs],
        ),
        (
            "memfrag_order_spare_blocks",
            "gauge",
            "Blocks of the order that are to be in reserve on this machine, by the assessment's policy.",
            [
                ((("size", order),), state.few() if order in state.needed else state.spare(order))
                for order in state.targets
            ],
        ),
        (
            "memfrag_after_compaction_blocks",
            "gauge",
            "Free blocks of the order that a compaction would leave, as far as can be told: at the least, expected, at the most.",
            expected,
        ),
    ]


def _free(facts):
    page, free, pageblocks = facts["kernel"]["page_size"], [], []
    for zone in facts["zones"]:
        where = (("node", zone["node"]), ("zone", zone["zone"]))
        for kind, blocks in sorted((zone["migratetypes"] or {}).items()):
            pages = sum(count << order for order, count in enumerate(blocks))
            free.append((where + (("migratetype", kind.lower()),), pages * page))
        for kind, count in sorted((zone["pageblocks"] or {}).items()):
            pageblocks.append((where + (("migratetype", kind.lower()),), count))
    return [
        ("memfrag_free_bytes", "gauge", "Free memory by the migratetype of the list that it is on.", free),
        ("memfrag_pageblocks", "gauge", "Pageblocks by their migratetype.", pageblocks),
    ]


def _verdict(verdict):
    advice = verdict["remediation"]
    found = sorted({(finding["id"], finding["severity"]) for finding in verdict["findings"]})
    return [
        ("memfrag_risk_score", "gauge", "Score of the assessment, 0 to 100.", [((), verdict["score"])]),
        (
            "memfrag_risk_level",
            "gauge",
            "Level of the assessment: 1 for the one that it is.",
            [((("level", level),), int(level == verdict["level"])) for level in LEVELS],
        ),
        (
            "memfrag_finding",
            "gauge",
            "A finding of the assessment, always 1.",
            [((("finding", ident), ("severity", severity)), 1) for ident, severity in found],
        ),
        (
            "memfrag_remediation",
            "gauge",
            "What would help the node: 1 for the one action that is advised.",
            [((("action", action),), int(action == advice["action"])) for action in ACTIONS],
        ),
        (
            "memfrag_remediation_will_help",
            "gauge",
            "Whether the advised action will help: 1 yes, 0 no, -1 cannot be told, or nothing is to be done.",
            [((), {True: 1, False: 0, None: -1}[advice["will_help"]])],
        ),
    ]


def _counted(facts, state):
    caches = (facts["slab"] or {}).get("nf_conntrack_caches")
    groups = facts["cgroups"] or {}
    known = ["%s/%s" % (kind, cause) for kind, causes in _CAUSES.items() for cause in causes.split()]
    names = sorted(set(known) | set(state["incidents"]))
    return [
        (
            "memfrag_conntrack_slab_caches",
            "gauge",
            "Slab caches of connection tracking, one per network namespace on kernels that make them so.",
            [] if caches is None else [((), caches)],
        ),
        (
            "memfrag_memory_cgroups",
            "gauge",
            "Memory cgroups that the kernel holds, those whose directory is gone included.",
            [((), groups["memory_cgroups"])] if groups else [],
        ),
        (
            "memfrag_memory_cgroup_directories",
            "gauge",
            "Memory cgroups that have a directory.",
            [((), groups["memory_directories"])] if groups.get("memory_directories") is not None else [],
        ),
        (
            "memfrag_incidents_total",
            "counter",
            "Events in the log by kind and cause, each once, since the tool began to read it.",
            [
                ((("kind", name.partition("/")[0]), ("cause", name.partition("/")[2])), state["incidents"].get(name, 0))
                for name in names
            ],
        ),
        (
            "memfrag_log_gaps_total",
            "counter",
            "How often a part of the log was gone before it was read.",
            [((), state["gaps"])],
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
    begun = seconds(last.get("started_at"))
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
            [] if begun is None else [((), begun)],
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


def seconds(text):
    """ "2026-11-21T03:00:00Z" -> seconds since 1970, None for what is no time."""
    from ._assessment.node_state import parse_time

    return parse_time(text) if text else None


def _sources(state):
    known = [(name, state["sources"][name]) for name in SOURCES if name in state["sources"]]
    return [
        (
            "memfrag_source_read_timestamp_seconds",
            "gauge",
            "When the source was last read, in seconds since 1970; 0 if it never was.",
            [((("source", name),), about["read"]) for name, about in known],
        ),
        (
            "memfrag_source_errors_total",
            "counter",
            "Runs in which the source could not be read.",
            [((("source", name),), about["errors"]) for name, about in known],
        ),
    ]
