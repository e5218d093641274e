# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What the dashboards show: the fleet, and one node. A node's own metrics go before what a stock node_exporter lets one compute.

Every query is run against a real Prometheus by tests/monitoring, which holds data of captures: none may fail, and none give nothing.
"""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _alerts, _stock
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring._panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    YELLOW,
    Panel,
    Query,
    bands,
    colored,
    dashboard,
    lines,
    link,
    matrix,
    number,
    override,
    steps,
    table,
    values,
    variable,
)

FLEET, NODE = "memfrag-fleet", "memfrag-node"

_JOB = 'job=~"$job"'
_ONE = 'job=~"$job",instance=~"$instance"'

# As a heat map of more nodes than this nobody reads it, and no browser likes it.
_MOST_ROWS = 50

_LEVELS = (("low", GREEN), ("medium", YELLOW), ("high", ORANGE), ("critical", RED), ("unknown", GREY))
_STATES = (
    ("0", "ok", GREEN),
    ("1", "needs reclaim", YELLOW),
    ("2", "needs compaction", ORANGE),
    ("3", "exhausted", RED),
)
_ACTIONS = (
    ("none", GREEN),
    ("compact", YELLOW),
    ("reclaim_then_compact", ORANGE),
    ("add_memory", BLUE),
    ("drain_and_reboot", RED),
)
# What somebody is to do whom an alert reaches; the runbook has more.
_TO_DO = (
    ("MemfragOrderGone", "audit the node: something fails there", RED),
    ("MemfragOrderScarce", "have the job see to that order", YELLOW),
    ("MemfragNodeGone", "compact that NUMA node", ORANGE),
    ("MemfragIncident", "audit the node: something has failed", RED),
    ("MemfragCompactionHelps", "run the remediation", ORANGE),
    ("MemfragRebootNeeded", "drain and reboot", RED),
    ("MemfragJobIneffective", "see what holds the pageblocks", ORANGE),
    ("MemfragToolStale", "see why the timer does not run", YELLOW),
    ("MemfragSourceUnread", "see memfrag status", GREY),
    ("MemfragOrderGoneSoon", "for information", BLUE),
    ("MemfragNoBuddyinfo", "switch two collectors on", GREY),
)
_SIZE = 'size="$size"'
_FIRING = 'ALERTS{alertname=~"Memfrag.+",alertstate="firing",%s}'
_SCORES = steps((None, GREEN), (30, YELLOW), (55, ORANGE), (80, RED))
_FEW_BLOCKS = steps((None, RED), (1, ORANGE), (16, YELLOW), (64, GREEN))
_NODE_LINK = link("The node", f"/d/{NODE}?var-datasource=${{datasource}}&var-job=$job&var-instance=${{__value.raw}}")


def blocks(selector: str) -> str:
    """Blocks that can be had by machine and order: what the node says, else what a stock exporter lets one compute."""
    return (
        f"(sum by (job, instance, size) (memfrag_allocatable_blocks{{{selector}}})\n"
        f"or\nsum by (job, instance, size) ({_stock.AVAILABLE}{{{selector}}}))"
    )


def shipped() -> dict[str, str]:
    """-> {file: text}"""
    return {FLEET + ".json": _fleet(), NODE + ".json": _node()}


def _variables(*more: str) -> list[dict[str, object]]:
    named = '{__name__=~"memfrag_collected_timestamp_seconds|node_buddyinfo_blocks"%s}'
    sizes = f'{{__name__=~"memfrag_allocatable_blocks|{_stock.AVAILABLE}",{_JOB}}}'
    every = {
        "instance": variable("instance", "Node", f"label_values({named % (',' + _JOB)}, instance)"),
        "size": variable("size", "Order", f"label_values({sizes}, size)", current="5"),
    }
    return [variable("job", "Job", f"label_values({named % ''}, job)", several=True), *(every[name] for name in more)]


# --- the fleet ------------------------------------------------------------------------------------------------------------


def _fleet() -> str:
    rows = [
        ("Now", _fleet_now()),
        ("Levels, and what would help", _fleet_over_time()),
        ("Nodes and orders", _fleet_orders()),
        ("What has happened", _fleet_events()),
    ]
    return dashboard(
        FLEET,
        "Contiguous memory: the fleet",
        "Which nodes can no longer hand out contiguous memory, and what to do. Made by the Ansible collection kernelops.memfrag.",
        _variables("size"),
        rows,
        _FIRING % _JOB,
    )


def _fleet_now() -> list[Panel]:
    stale = _alerts.STALE_SECONDS
    return [
        number(
            "Nodes that tell of themselves",
            Query(f"count(time() - memfrag_collected_timestamp_seconds{{{_JOB}}} <= {stale}) or vector(0)", now=True),
            "The node tool writes their metrics each minute.",
        ),
        number(
            "Nodes by a stock exporter",
            Query(
                f"count(count by (job, instance) ({_stock.AVAILABLE}{{{_JOB}}})"
                f"\nunless on (job, instance) memfrag_collected_timestamp_seconds{{{_JOB}}}) or vector(0)",
                now=True,
            ),
            "No tool is there; the recording rules tell how many blocks they have.",
        ),
        number(
            "Nodes whose metrics are old",
            Query(f"count(time() - memfrag_collected_timestamp_seconds{{{_JOB}}} > {stale}) or vector(0)", now=True),
            "What they say is not believed, and no alert but MemfragToolStale speaks of them.",
            color="value",
            thresholds=steps((None, GREEN), (1, YELLOW)),
        ),
        number(
            "Nodes by level",
            Query(f"sum by (level) (memfrag_risk_level{{{_JOB}}})", "{{level}}", now=True),
            "By the assessment, as the audit has it.",
            width=12,
            text="value_and_name",
        )._replace(overrides=colored(_LEVELS)),
        table(
            "Alerts, by what to do",
            Query(f"sort_desc(count by (alertname, severity) ({_FIRING % _JOB}))"),
            "How many of each are firing. The runbook has a section for each.",
            overrides=[
                override(
                    "byName",
                    "alertname",
                    {"id": "displayName", "value": "what to do"},
                    {
                        "id": "mappings",
                        "value": values((name, f"{name}: {words}", color) for name, words, color in _TO_DO),
                    },
                    {"id": "custom.cellOptions", "value": {"type": "color-text"}},
                    {"id": "custom.width", "value": 460},
                    link("The runbook", _alerts.RUNBOOK.rstrip("#")),
                )
            ],
        ),
        table(
            "Worst nodes",
            Query(f"topk({_MOST_ROWS}, memfrag_risk_score{{{_JOB}}})"),
            "By the score of the assessment.",
            sort="Value",
            overrides=[
                override("byName", "instance", _NODE_LINK),
                override(
                    "byName",
                    "Value",
                    {"id": "displayName", "value": "score"},
                    {"id": "thresholds", "value": _SCORES},
                    {"id": "color", "value": {"mode": "thresholds"}},
                    {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}},
                ),
                override("byName", "__name__", {"id": "custom.hideFrom.viz", "value": True}),
            ],
        ),
    ]


def _fleet_over_time() -> list[Panel]:
    return [
        lines(
            "Nodes by level",
            [Query(f"sum by (level) (memfrag_risk_level{{{_JOB}}})", "{{level}}")],
            "By the assessment of each node.",
            stacked=True,
            overrides=colored(_LEVELS),
        ),
        lines(
            "Nodes by what would help them",
            [Query(f"sum by (action) (memfrag_remediation{{{_JOB}}})", "{{action}}")],
            "The one action that is advised for each node.",
            stacked=True,
            overrides=colored(_ACTIONS),
        ),
        lines(
            "Alerts firing",
            [Query(f"count by (alertname) ({_FIRING % _JOB})", "{{alertname}}")],
            "",
            stacked=True,
        ),
        lines(
            "Nodes by how a block of order $size can be had",
            [
                Query(
                    f"sum(max by (job, instance) (memfrag_allocatable_state{{{_JOB},{_SIZE}}}) == bool {value})",
                    words,
                )
                for value, words, _color in _STATES
            ],
            "Of several NUMA nodes, the worst counts.",
            stacked=True,
            overrides=colored((words, color) for _value, words, color in _STATES),
        ),
    ]


def _fleet_orders() -> list[Panel]:
    worst = f"and on (job, instance) topk({_MOST_ROWS}, memfrag_risk_score{{{_JOB}}})"
    fewest = f"and on (job, instance) bottomk({_MOST_ROWS}, {blocks(_JOB + ',' + _SIZE)})"
    return [
        matrix(
            "How a block can be had, nodes and orders",
            Query(f"max by (job, instance, size) (memfrag_allocatable_state{{{_JOB}}})\n{worst}"),
            f"Of the {_MOST_ROWS} nodes with the highest score.",
            rows="instance",
            columns="size",
            mappings=values(_STATES),
        ),
        matrix(
            "Blocks that can be had, nodes and orders",
            Query(f"{blocks(_JOB)}\n{fewest}"),
            f"Of the {_MOST_ROWS} nodes that have the fewest of order $size, those without the tool included.",
            rows="instance",
            columns="size",
            thresholds=_FEW_BLOCKS,
            unit="short",
            decimals=0,
        ),
        lines(
            "Fewest blocks of order $size",
            [Query(f"bottomk(10, {blocks(_JOB + ',' + _SIZE)})", "{{instance}}")],
            "Blocks that ordinary requests can take one after the other, within the watermarks.",
            width=24,
            logarithmic=True,
            unit="short",
            min=0,
        ),
    ]


def _fleet_events() -> list[Panel]:
    return [
        lines(
            "Events in the logs, an hour",
            [Query(f"sum by (cause) (increase(memfrag_incidents_total{{{_JOB}}}[1h]))", "{{cause}}")],
            "By cause; each event counts once.",
            stacked=True,
            unit="short",
        ),
        lines(
            "Runs of the compaction job, an hour",
            [Query(f"sum by (reason) (increase(memfrag_compaction_runs_total{{{_JOB}}}[1h]))", "{{reason}}")],
            "By outcome; needed and forced are those that compacted.",
            stacked=True,
            unit="short",
        ),
    ]


# --- a node ---------------------------------------------------------------------------------------------------------------


def _node() -> str:
    rows = [
        ("Now", _node_now()),
        ("Orders", _node_orders()),
        ("Where the memory is", _node_memory()),
        ("What happens", _node_events()),
    ]
    return dashboard(
        NODE,
        "Contiguous memory: a node",
        "Of which order a node has blocks left, why, and what would help. Made by the Ansible collection kernelops.memfrag.",
        _variables("instance", "size"),
        rows,
        _FIRING % _ONE,
    )


def _node_now() -> list[Panel]:
    return [
        number(
            "Score",
            Query(f"memfrag_risk_score{{{_ONE}}}", now=True),
            "Of the assessment, 0 to 100.",
            color="background",
            thresholds=_SCORES,
        ),
        number(
            "What would help",
            Query(f"memfrag_remediation{{{_ONE}}} == 1", "{{action}}", now=True),
            "The action that the assessment advises.",
            text="name",
        ),
        number(
            "Will it help?",
            Query(f"memfrag_remediation_will_help{{{_ONE}}}", now=True),
            "",
            mappings=values((("1", "yes", GREEN), ("0", "no", RED), ("-1", "cannot be told", GREY))),
            color="value",
        ),
        number(
            "Age of the metrics",
            Query(f"time() - memfrag_collected_timestamp_seconds{{{_ONE}}}", now=True),
            "The tool writes them each minute; what is older than 15 is not believed.",
            unit="s",
            color="value",
            thresholds=steps((None, GREEN), (300, YELLOW), (_alerts.STALE_SECONDS, RED)),
        ),
        table(
            "Findings",
            Query(f"max by (finding, severity) (memfrag_finding{{{_ONE}}})"),
            "The guide to the findings says what each means.",
            width=8,
            height=5,
        ),
    ]


def _node_orders() -> list[Panel]:
    return [
        bands(
            "How a block can be had",
            Query(f"memfrag_allocatable_state{{{_ONE}}}", "NUMA node {{node}}, order {{size}}"),
            "At once, after reclaim, after compaction, or not at all.",
            mappings=values(_STATES),
        ),
        lines(
            "Blocks that can be had",
            [Query(blocks(_ONE), "order {{size}}")],
            "By ordinary kernel requests, one after the other, within the watermarks.",
            logarithmic=True,
            unit="short",
            min=0,
        ),
        lines(
            "Order $size now, and after a compaction",
            [
                Query(f"sum by (job, instance) (memfrag_allocatable_blocks{{{_ONE},{_SIZE}}})", "now"),
                Query(
                    f"sum by (job, instance, bound) (memfrag_after_compaction_blocks{{{_ONE},{_SIZE}}})",
                    "after compaction, {{bound}}",
                ),
                Query(f"memfrag_order_spare_blocks{{{_ONE},{_SIZE}}}", "wanted in reserve"),
            ],
            "What a compaction would leave, as far as can be told; for orders that count on this kernel.",
            logarithmic=True,
            unit="short",
            min=0,
        ),
        lines(
            "Unusable index of order $size",
            [Query(f"{_stock.UNUSABLE}{{{_ONE},{_SIZE}}}", "{{node}} {{zone}}")],
            "Share of the free memory in smaller blocks, the kernel's own: 0 is none of it, 1 all.",
            unit="percentunit",
            min=0,
            max=1,
        ),
        lines(
            "Fragmentation index of order $size",
            [Query(f"{_stock.EXTFRAG}{{{_ONE},{_SIZE}}}", "{{node}} {{zone}}")],
            "The kernel's own: -1 where a block is free; else towards 0 a request fails for want of memory, towards 1 for fragmentation.",
            min=-1,
            max=1,
        ),
        lines(
            "Would a request of order $size be served at once?",
            [Query(f"{_stock.WATERMARK}{{{_ONE},{_SIZE}}}", "{{node}} {{zone}}")],
            "The watermark check, zone by zone: 1 yes, 0 no.",
            min=0,
            max=1,
        ),
    ]


def _node_memory() -> list[Panel]:
    return [
        lines(
            "Free memory by size of block",
            [
                Query(
                    f"sum by (job, instance, size) (node_buddyinfo_blocks{{{_ONE}}} * on (size) group_left () {_stock.PAGES_PER_BLOCK})"
                    f"\n* on (job, instance) group_left () {_stock.PAGE_SIZE}{{{_ONE}}}",
                    "order {{size}}",
                )
            ],
            "What is free, by the order that it lies about in.",
            stacked=True,
            unit="bytes",
        ),
        lines(
            "Free memory by migratetype",
            [Query(f"sum by (migratetype) (memfrag_free_bytes{{{_ONE}}})", "{{migratetype}}")],
            "By the list that it is on.",
            stacked=True,
            unit="bytes",
        ),
        lines(
            "Pageblocks by migratetype",
            [Query(f"sum by (migratetype) (memfrag_pageblocks{{{_ONE}}})", "{{migratetype}}")],
            "What compaction can empty is movable.",
            stacked=True,
            unit="short",
        ),
        lines(
            "Share of pageblocks that compaction cannot empty",
            [
                Query(
                    f'sum by (node, zone) (memfrag_pageblocks{{{_ONE},migratetype!~"movable|cma"}})'
                    f"\n/ (sum by (node, zone) (memfrag_pageblocks{{{_ONE}}}) > 0)",
                    "{{node}} {{zone}}",
                )
            ],
            "Where it grows, unmovable pages spread.",
            unit="percentunit",
            min=0,
            max=1,
        ),
        lines(
            "Connection tracking caches, memory cgroups",
            [
                Query(f"memfrag_conntrack_slab_caches{{{_ONE}}}", "nf_conntrack caches"),
                Query(f"memfrag_memory_cgroups{{{_ONE}}}", "memory cgroups"),
                Query(f"memfrag_memory_cgroup_directories{{{_ONE}}}", "of these with a directory"),
            ],
            "Many more cgroups than directories are the leak of kernel memory that old kernels have.",
            unit="short",
        ),
        lines(
            "Memory pressure",
            [
                Query(f"rate(node_pressure_memory_waiting_seconds_total{{{_ONE}}}[$__rate_interval])", "some"),
                Query(f"rate(node_pressure_memory_stalled_seconds_total{{{_ONE}}}[$__rate_interval])", "full"),
            ],
            "Share of the time in which tasks waited for memory.",
            unit="percentunit",
            min=0,
        ),
    ]


def _node_events() -> list[Panel]:
    vmstat = [
        ("compact_stall", "begun"),
        ("compact_success", "with success"),
        ("compact_fail", "without"),
        ("compact_daemon_wake", "kcompactd woken"),
    ]
    return [
        lines(
            "Events in the log, an hour",
            [
                Query(
                    f"sum by (kind, cause) (increase(memfrag_incidents_total{{{_ONE}}}[1h])) > 0", "{{kind}}: {{cause}}"
                )
            ],
            "Since the tool began to read it; each event counts once.",
            stacked=True,
            unit="short",
        ),
        lines(
            "Compactions for a request, a second",
            [Query(f"rate(node_vmstat_{name}{{{_ONE}}}[$__rate_interval])", words) for name, words in vmstat],
            "The kernel's own counters; node_exporter needs --collector.vmstat.fields for them.",
            unit="ops",
            min=0,
        ),
        lines(
            "Requests that had to reclaim, a second",
            [
                Query(
                    # Up to Linux 4.9 there is one counter, since then one for each zone.
                    "".join(
                        f"{' + ' if number else ''}rate(node_vmstat_allocstall_{zone}{{{_ONE}}}[$__rate_interval])"
                        for number, zone in enumerate(("normal", "movable"))
                    )
                    + f"\nor\nrate(node_vmstat_allocstall{{{_ONE}}}[$__rate_interval])",
                    "direct reclaim",
                )
            ],
            "",
            unit="ops",
            min=0,
        ),
        lines(
            "The compaction job, runs an hour",
            [
                Query(f"sum by (reason) (increase(memfrag_compaction_runs_total{{{_ONE}}}[1h]))", "{{reason}}"),
                Query(f"memfrag_compaction_ineffective_runs{{{_ONE}}}", "in a row without help"),
            ],
            "By outcome; needed and forced are those that compacted.",
            unit="short",
        ),
    ]
