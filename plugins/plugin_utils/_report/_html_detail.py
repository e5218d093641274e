# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What the page of one node shows of its record beyond the list of all nodes."""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _pictures, _types

_MOST_INCIDENTS = 8
_MOST_EVENTS = 6
_MOST_WATCHED = 20

# What the page of a node shows of each; the rest stays in the record.
_EVENT = frozenset(
    "kind time time_raw source line message order gfp_mask gfp_flags comm pid call_site call_module trace cache errno "
    "size_bytes pages seconds function scope victim_comm victim_pid cgroup usage_kb limit_kb pod namespace runtime "
    "error cause reason".split()
)
_EVENT_ZONE = ("node", "zone", "free_blocks", "migratetypes", "free_kb", "min_kb", "extfrag_index")
_INCIDENT = frozenset("cause reason confidence first_time last_time count pods containers rejected remedies".split())
_ZONE = frozenset("watermarks extfrag_index unusable_index index_source pageblocks states".split())
_SLAB = ("name", "size_kb", "utilization_percent", "order")


def of(record: _types.Record) -> _types.Record:
    """Findings and settings as they are: _as_html.Page keeps what is the same on many nodes once."""
    facts, journal, assessment = record["facts"], record.get("journal") or {}, record.get("assessment") or {}
    slab, kernel = facts.get("slab") or {}, dict(facts["kernel"])
    return {
        "uptime": kernel.pop("uptime_seconds", None),
        "findings": assessment.get("findings") or [],
        "ignored": [[each["id"], each["title"], each.get("reason")] for each in assessment.get("ignored") or ()],
        "remediation": assessment.get("remediation"),
        "incidents": _incidents(journal),
        "searched": [
            [each.get("source"), each.get("status"), each.get("lines"), each.get("reason")]
            for each in journal.get("sources") or ()
        ],
        "zones": [_zone(zone) for zone in facts["zones"]],
        "slabs": [[cache.get(key) for key in _SLAB] for cache in slab.get("caches") or ()],
        "settings": {
            "kernel": {**kernel, **(facts.get("transparent_hugepage") or {})},
            "sysctl": {key: value for key, value in (facts.get("sysctl") or {}).items() if value is not None},
        },
        "counters": {
            **{
                key: value
                for key, value in (facts.get("vmstat") or {}).items()
                if key.startswith(("compact_", "allocstall", "thp_fault_", "oom_kill")) and value
            },
            **(facts.get("cgroups") or {}),
            "nf_conntrack_caches": slab.get("nf_conntrack_caches"),
        },
        "pressure": facts.get("pressure"),
        "survey": _pictures.survey(facts),
        "watch": _watch(facts.get("watch")),
        "unparsed_lines": facts.get("unparsed_lines") or {},
    }


def _watch(watch: _types.Record | None) -> _types.Record | None:
    """Who fragments the node, the worst of them and without their stacks."""
    if not watch:
        return None
    rows = [
        {key: value for key, value in row.items() if key != "stack"} for row in watch["fragmenters"][:_MOST_WATCHED]
    ]
    return {**watch, "fragmenters": rows}


def _zone(zone: _types.Record) -> _types.Record:
    about = {key: value for key, value in zone.items() if key in _ZONE}
    about["migratetypes"] = {kind: blocks for kind, blocks in (zone.get("migratetypes") or {}).items() if any(blocks)}
    return about


def _incidents(journal: _types.Record) -> list[_types.Record]:
    """The weightiest incidents, each with a few of its events: kernel reports before the words of the runtimes."""
    events = journal.get("events") or []
    found = []
    for incident in (journal.get("incidents") or [])[:_MOST_INCIDENTS]:
        own = [events[number] for number in incident.get("events") or () if number < len(events)]
        own.sort(key=lambda event: event["kind"].startswith("container_"))
        shown = []
        for event in own[:_MOST_EVENTS]:
            entry = {key: value for key, value in event.items() if key in _EVENT and value not in (None, "", [])}
            if event.get("zones"):
                entry["zones"] = [{key: zone.get(key) for key in _EVENT_ZONE} for zone in event["zones"]]
            shown.append(entry)
        found.append({key: value for key, value in incident.items() if key in _INCIDENT})
        found[-1].update(events=shown, more_events=len(own) - len(shown))
    return found
