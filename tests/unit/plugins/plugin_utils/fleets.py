# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of real captures, for fleets of any kind."""

from __future__ import annotations

import copy
import functools
import os
import tempfile
import typing as t

import build_roots  # type: ignore[import-not-found]  # tests/unit/conftest.py has made it importable

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

HEALTHY = "6.1.0-56-cloud-amd64/healthy"
FRAGMENTED = "6.1.0-56-cloud-amd64/fragmented"

SOURCES = tuple(sorted(os.listdir(os.path.join(build_roots.CAPTURES, HEALTHY))))

# What somebody who can write log lines, name pods or register hosts might try.
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&\"'`${7*7}{{7*7}}\u2028\x1b[31m"


@functools.cache
def _facts_of(capture: t.Any, without: t.Any = ()) -> t.Any:
    with tempfile.TemporaryDirectory() as root:
        facts = _facts.collect(Node(build_roots.build(capture, root + "/root", without)))
    facts["collected_at"] = "2026-11-20T06:00:00Z"
    return facts


def facts_of(capture: t.Any, without: t.Any = ()) -> t.Any:
    """``without``: files of the capture that the node does not have"""
    return copy.deepcopy(_facts_of(capture, without))


@functools.cache
def _assessment_of(capture: t.Any) -> t.Any:
    return assess(facts_of(capture))


def _assessment(capture: t.Any, facts: t.Any, journal: t.Any) -> t.Any:
    return assess(facts, journal) if journal else copy.deepcopy(_assessment_of(capture))


def journal_of(text: t.Any, cause: t.Any = "fragmentation") -> t.Any:
    """One incident with a kernel report and a runtime message; ``text`` is in every place that others fill."""
    zones = [{"node": 0, "zone": text, "free_blocks": [9, 4, 0, 0], "free_kb": 68, "min_kb": 9, "extfrag_index": 910}]
    common = {"time": "2026-11-20T05:41:02Z", "host": text, "source": text, "cause": cause, "reason": text}
    events = [
        {
            **common,
            "kind": "container_start_failure",
            "message": text,
            "pod": text,
            "namespace": text,
            "error": text,
            "line": 7,
        },
        {
            **common,
            "kind": "page_allocation_failure",
            "message": f"runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0 {text}",
            "line": 5,
            "order": 5,
            "gfp_flags": [text],
            "call_site": text,
            "call_module": text,
            "trace": [text, text],
            "zones": zones,
        },
    ]
    incident = {
        "cause": cause,
        "reason": f"No block of order 5. {text}",
        "confidence": "high",
        "first_time": "2026-11-20T04:00:00Z",
        "last_time": "2026-11-20T05:41:02Z",
        "count": 37,
        "events": [0, 1],
        "pods": [text],
        "containers": [text],
        "rejected": [{"cause": "memory_shortage", "why": text}],
        "remedies": ["MF101"],
    }
    return {"events": events, "incidents": [incident], "counts": {}, "sources": []}


def make_record(
    host: t.Any, capture: t.Any = HEALTHY, day: t.Any = 20, assessed: t.Any = True, journal: t.Any = None, **more: t.Any
) -> t.Any:
    facts = facts_of(capture) if capture else None
    made = {
        "schema_version": 1,
        "host": host,
        "groups": [],
        "status": "audited" if capture else "unreachable",
        "error": None if capture else "ssh: connect to host: No route to host",
        "started_at": f"2026-11-{day:02}T06:00:00Z",
        "duration_seconds": 0.5,
        "facts": facts,
        "journal": journal,
        "assessment": _assessment(capture, facts, journal) if assessed and facts else None,
    }
    made.update(more)
    return made
