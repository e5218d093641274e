# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What facts, journal, assessment and record are: the one table that answers are held to and docs/contracts is made from.

Meaning and units of the fields are in the documentation of the modules that return them. Limits are those of the kernel
where it has one, with room to spare: 11 orders at most in mainline, 1,024 NUMA nodes of at most 6 zones each, of which
only populated ones are listed.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._shapes import (
    LONGEST_TEXT,
    MOST,
    AnyOf,
    Anything,
    Bool,
    Fields,
    Int,
    ListOf,
    MapOf,
    Nullable,
    Number,
    OneOf,
    PowerOfTwo,
    Shape,
    Text,
)

# Bytes of an answer. A record is little more than that, and has its limit in module_utils/_record.py.
LARGEST_ANSWER = 8 * 1024 * 1024

MOST_ORDERS = 64
MOST_ZONES = 4096
MOST_NODES = 1024
MOST_CACHES = 4096
MOST_EVENTS = 10000
MOST_INCIDENTS = 10000
MOST_FINDINGS = 256

STATES = ("ok", "needs_reclaim", "needs_compaction", "exhausted")
LEVELS = ("critical", "high", "medium", "low", "unknown")
SEVERITIES = ("info", "low", "unknown", "medium", "high", "critical")
STATUSES = ("audited", "failed", "unreachable")
ACTIONS = ("none", "compact", "reclaim_then_compact", "add_memory", "drain_and_reboot")
CONFIDENCE = ("high", "medium", "low")

# Numbers
_COUNT = Int()
# Counters of /proc/vmstat are printed without a sign, whatever they are.
_COUNTER = Int(0, 2**64 - 1)
_ORDER = Int(0, MOST_ORDERS - 1)
_NODE = Int(0, 65535)
# Of a log line, which may hold anything; nothing is computed from it.
_LOGGED = Int(-MOST, 2**64 - 1)
_PER_ORDER = ListOf(_COUNT, MOST_ORDERS)
_UPTIME = Number(0, 1e12)

# Words
_WORD = Text(64, "[a-z0-9][a-z0-9_.-]*", "a word of small letters")
_NAME = Text(256)
_SENTENCE = Text(4096)
_LINE = Text(LONGEST_TEXT)
_STAMP = Text(20, r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", "a time as in 2026-11-20T06:00:00Z")
_DIGITS = Text(5, "[0-9]+", "a number")
_FINDING = Text(16, "MF[0-9]{3}", "the id of a finding as in MF101")
_STATE = OneOf(*STATES)
_ZONE_STATE = OneOf(*STATES, "reserved")
_COUNTS = MapOf(_NAME, _COUNT, 256)

# An expectation of blocks or pages, and what a survey has of it.
_RANGE = Fields({"low": _COUNT, "expected": _COUNT, "high": _COUNT})

_KERNEL = Fields(
    {"page_size": PowerOfTwo(4096, 1 << 20)},
    {
        "release": _NAME,
        "machine": _NAME,
        "uptime_seconds": _UPTIME,
        "config_compaction": Bool(),
        "hugepage_order": _ORDER,
        "possible_cpus": Int(0, 1 << 20),
        "watermark_check": OneOf("order0", "scaled"),
        "vmap_stack": Bool(),
        "page_table_isolation": Bool(),
        "dma_drivers": ListOf(_NAME, 64),
    },
)

_ZONE = Fields(
    {"node": _NODE, "zone": Text(64), "free_blocks": _PER_ORDER, "free_pages": Int(0, MOST << MOST_ORDERS)},
    {
        "managed_pages": _COUNT,
        "present_pages": _COUNT,
        "watermarks": Fields({"min": _COUNT, "low": _COUNT, "high": _COUNT}),
        "boost_pages": _COUNT,
        "lowmem_reserve": ListOf(_COUNT, 64),
        "pcp_pages": _COUNT,
        "free_cma_pages": _COUNT,
        "reserved_highatomic_pages": _COUNT,
        "reclaimable_pages": _COUNT,
        # Thousandths.
        "extfrag_index": ListOf(Int(-1000, 1000), MOST_ORDERS),
        "unusable_index": ListOf(Int(0, 1000), MOST_ORDERS),
        "index_source": OneOf("debugfs", "computed"),
        "states": ListOf(_ZONE_STATE, MOST_ORDERS),
        "atomic": ListOf(Bool(), MOST_ORDERS),
        "migratetypes": MapOf(Text(64), _PER_ORDER, 64),
        "migratetypes_capped": Bool(),
        "pageblocks": MapOf(Text(64), _COUNT, 64),
    },
)

_ALLOCATABLE = Fields(
    {"order": _ORDER, "state": _STATE, "nodes": MapOf(_DIGITS, _STATE, MOST_NODES)},
    {"atomic": Bool(), "needed_by": ListOf(Text(512), 64)},
)

_CACHE = Fields(
    {"name": _NAME, "size_kb": _COUNT},
    {
        "active_objects": _COUNT,
        "objects": _COUNT,
        "object_size": _COUNT,
        "objects_per_slab": _COUNT,
        "pages_per_slab": _COUNT,
        "order": Int(0, 64),
        "utilization_percent": Number(0, 1e9),
    },
)

_EXPECTATION: dict[str, Shape] = dict.fromkeys(("now", "low", "expected", "high"), _COUNT)
_PROMISE = Fields({"node": _NODE, "zone": Text(64), "order": _ORDER, "obtained": _COUNT, **_EXPECTATION})
_SURVEYED_ZONE = Fields(
    {"node": _NODE, "zone": Text(64)},
    {
        "blocks": _COUNT,
        "sampled": _COUNT,
        "held_by": MapOf(_NAME, _COUNT, 64),
        # Of 95 %: the fewest and the most pageblocks.
        "held_by_interval": MapOf(_NAME, ListOf(_COUNT, 2), 64),
        # Uncorrected: expected before what the node has learned of earlier compactions.
        "yields": ListOf(
            Fields({"order": _ORDER, **_EXPECTATION}, {"moved": _COUNT, "uncorrected": _COUNT}), MOST_ORDERS
        ),
        # The same, where page cache and reclaimable slab are freed before.
        "after_reclaim": ListOf(
            Fields({"order": _ORDER, **_EXPECTATION}, {"moved": _COUNT, "uncorrected": _COUNT}), MOST_ORDERS
        ),
        # A letter per so many pageblocks, from the start of the zone to its end.
        "map": Fields({"cell_blocks": Int(1, MOST), "cells": Text(512, "[a-z.?]+", "a row of letters")}),
    },
)
LAST_COMPACTION = Fields({"ended_at": _STAMP, "promised": ListOf(_PROMISE, 256)})
_SURVEY = Fields(
    {},
    {
        "sampled": _COUNT,
        "total": _COUNT,
        "complete": Bool(),
        "zones": ListOf(_SURVEYED_ZONE, MOST_ZONES),
        "callers": ListOf(Fields({"name": _LINE, "pages": _COUNT}), 256),
        # What the last compaction was expected to bring, and has brought.
        "last_compaction": LAST_COMPACTION,
    },
)
_HUGEPAGES = Fields(
    {"node": _NODE, "size_kb": _COUNT},
    {
        "reserved": _COUNT,
        "free": _COUNT,
        "now": _COUNT,
        "after_compaction": _RANGE,
        "after_reclaim": _RANGE,
    },
)

_FRAGMENTER = Fields(
    {"comm": _NAME, "pollutes": Bool(), "pageblocks": _COUNT},
    {
        "cgroup": _NAME,
        "container": Text(64, "[0-9a-f]+", "a container's id"),
        "function": _NAME,
        "stack": ListOf(_NAME, 64),
        "alloc_migratetype": Text(64),
        "fallback_migratetype": Text(64),
        "taken": _COUNT,
        "events": _COUNT,
    },
)
# What memfrag_watch returns.
WATCH = Fields(
    {"seconds": Number(0, 1e6), "events": _COUNT, "fragmenters": ListOf(_FRAGMENTER, 100)},
    {"overrun": _COUNT, "stopped_early": Bool()},
)

FACTS = Fields(
    {
        "collected_at": _STAMP,
        "kernel": _KERNEL,
        "zones": ListOf(_ZONE, MOST_ZONES),
        "allocatable": ListOf(_ALLOCATABLE, MOST_ORDERS),
        "unavailable": MapOf(_NAME, _SENTENCE, 256),
    },
    {
        "schema_version": Int(1, 1000),
        "containers": Bool(),
        "cgroups": Fields({"memory_cgroups": _COUNT}, {"memory_directories": _COUNT}),
        "slab": Fields(
            {"caches": ListOf(_CACHE, MOST_CACHES)},
            {"reclaimable_kb": _COUNT, "unreclaimable_kb": _COUNT, "nf_conntrack_caches": _COUNT},
        ),
        "meminfo": MapOf(_NAME, _COUNT, 512),
        "vmstat": MapOf(_NAME, _COUNTER, 1024),
        "pressure": MapOf(_NAME, Number(), 64),
        "sysctl": MapOf(
            _NAME,
            Nullable(AnyOf("a number, a list of numbers, or text", _LOGGED, Text(1024), ListOf(_LOGGED, 256))),
            512,
        ),
        "transparent_hugepage": Fields({}, {"enabled": _NAME, "defrag": _NAME}),
        "pageblock_survey": _SURVEY,
        "hugepages": ListOf(_HUGEPAGES, MOST_ZONES),
        # There where an audit was asked to watch.
        "watch": WATCH,
        "unparsed_lines": _COUNTS,
    },
)

_LOGGED_ZONE = Fields(
    {},
    {
        "node": _LOGGED,
        "zone": _LINE,
        "free_blocks": ListOf(_LOGGED, MOST_ORDERS),
        "migratetypes": ListOf(Nullable(Text(64)), MOST_ORDERS),
        **dict.fromkeys(("free_kb", "min_kb", "low_kb", "high_kb", "managed_kb"), _LOGGED),
        "extfrag_index": Int(-1000, 1000),
    },
)

_EVENT = Fields(
    {"kind": _WORD, "cause": _WORD},
    {
        "confidence": OneOf(*CONFIDENCE),
        "time": _STAMP,
        "zones": ListOf(_LOGGED_ZONE, MOST_ZONES),
        "trace": ListOf(_LINE, 256),
        "gfp_flags": ListOf(_LINE, 256),
        **dict.fromkeys(("line", "pid", "cpu", "order", "node", "errno", "pages", "size_bytes"), _LOGGED),
        **dict.fromkeys(("object_size", "victim_pid", "usage_kb", "limit_kb"), _LOGGED),
        **dict.fromkeys(("slab_reclaimable_pages", "slab_unreclaimable_pages"), _LOGGED),
        "seconds": Number(-MOST, 2.0**64),
        **dict.fromkeys(("time_raw", "host", "source", "cursor", "message", "reason"), _LINE),
        **dict.fromkeys(("comm", "gfp_mask", "kernel", "call_site", "call_module", "consumer"), _LINE),
        **dict.fromkeys(("cache", "reporter", "scope", "victim_comm", "cgroup", "function"), _LINE),
        **dict.fromkeys(("pod", "namespace", "pod_uid", "container_id", "runtime", "signature", "error"), _LINE),
    },
)

_INCIDENT = Fields(
    {"cause": _WORD, "reason": _LINE},
    {
        "confidence": OneOf(*CONFIDENCE),
        "first_time": _STAMP,
        "last_time": _STAMP,
        "count": _COUNT,
        "events": ListOf(Int(0, MOST_EVENTS - 1), MOST_EVENTS),
        "pods": ListOf(_LINE, 256),
        "containers": ListOf(_LINE, 256),
        "rejected": ListOf(Fields({"cause": _WORD}, {"why": _LINE}), 64),
        "kinds": ListOf(_WORD, 64),
        "remedies": ListOf(_FINDING, 64),
    },
)

_SOURCE = Fields(
    {"source": _LINE, "status": _WORD},
    {"reason": _LINE, "lines": _COUNT, "notes": ListOf(_LINE, 4096)},
)

JOURNAL = Fields(
    {"events": ListOf(_EVENT, MOST_EVENTS), "incidents": ListOf(_INCIDENT, MOST_INCIDENTS)},
    {
        "counts": Fields(
            {},
            {
                **dict.fromkeys(("events", "events_returned", "incidents", "suppressed"), _COUNT),
                "by_kind": MapOf(_WORD, _COUNT, 256),
                "by_cause": MapOf(_WORD, _COUNT, 256),
            },
        ),
        "sources": ListOf(_SOURCE, 4096),
    },
)

_FOUND = {"id": _FINDING, "severity": OneOf(*SEVERITIES), "title": _SENTENCE}
_FOUND_TOO: dict[str, Shape] = {
    "evidence": Anything(),
    "remedy": _SENTENCE,
    "variable": _NAME,
    "docs": _SENTENCE,
    "reason": _SENTENCE,
}

ASSESSMENT = Fields(
    {
        "level": OneOf(*LEVELS),
        "score": Int(0, 100),
        "summary": _SENTENCE,
        "findings": ListOf(Fields(_FOUND, _FOUND_TOO), MOST_FINDINGS),
    },
    {
        "ignored": ListOf(Fields(_FOUND, _FOUND_TOO), MOST_FINDINGS),
        "remediation": Fields(
            {"action": OneOf(*ACTIONS)},
            {
                "will_help": Bool(),
                "reason": _SENTENCE,
                "order": _ORDER,
                "node": _NODE,
                "zone": Text(64),
                "blocks": _RANGE,
            },
        ),
        "policy": Anything(),
    },
)

_RECORD_NEEDED: dict[str, Shape] = {"schema_version": Int(1, 1000), "host": Text(4096), "status": OneOf(*STATUSES)}
_RECORD_HEAD: dict[str, Shape] = {
    # Those of the inventory, as long as its owner makes them.
    "groups": ListOf(Text(4096), 4096),
    "error": _LINE,
    "started_at": Text(64),
    "duration_seconds": Number(0, 1e9),
    "assessment": ASSESSMENT,
    "allocatable_states": ListOf(_STATE, MOST_ORDERS),
    "trend": Fields(
        {"blocks": _PER_ORDER},
        {
            "uptime_seconds": _UPTIME,
            "memory_kb": _COUNT,
            "swept_pages": _COUNTER,
            "caches_dropped": _COUNTER,
        },
    ),
}
RECORD = Fields(_RECORD_NEEDED, {**_RECORD_HEAD, "facts": FACTS, "journal": JOURNAL})

# What the report reads of every record. The rest it reads of nodes that need a look, and holds those to FACTS and JOURNAL.
RECORD_HEAD = Fields(_RECORD_NEEDED, _RECORD_HEAD, others=False)
FACTS_SHOWN = Fields(
    {
        "kernel": _KERNEL,
        "zones": ListOf(
            Fields(
                {"node": _NODE, "zone": Text(64), "free_blocks": _PER_ORDER, "free_pages": Int(0, MOST << MOST_ORDERS)},
                {"managed_pages": _COUNT},
                others=False,
            ),
            MOST_ZONES,
        ),
        "allocatable": ListOf(
            Fields({"state": _STATE}, {"needed_by": ListOf(Text(512), 64)}, others=False), MOST_ORDERS
        ),
        "unavailable": FACTS.needed["unavailable"],
    },
    {"pageblock_survey": _SURVEY},
    others=False,
)

CONTRACTS: dict[str, Fields] = {"facts": FACTS, "journal": JOURNAL, "assessment": ASSESSMENT, "record": RECORD}


def schema(name: str) -> dict[str, t.Any]:
    """The JSON schema of one of CONTRACTS, as docs/contracts has it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"kernelops.memfrag: {name}",
        "description": "Made from plugins/plugin_utils/_contracts.py. Keys that are not named here may follow in later versions.",
        **CONTRACTS[name].schema(),
    }
