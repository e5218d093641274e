# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Nodes unlike their peers: the comparison one makes by hand between a failing node and a healthy one."""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
import statistics
import typing as t
from collections.abc import Callable, Iterable

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import Host, Outlier, Record


@dataclasses.dataclass(slots=True)
class Metric:
    """What nodes of one kind are compared in: an outlier has ``factor`` times the median and ``floor`` more."""

    id: str
    title: str
    unit: str
    factor: float
    floor: int
    value: Callable[[Record], t.Any]


def _pageblocks_unmovable(facts: Record) -> int | None:
    """Percent of the page blocks that compaction cannot empty."""
    total = fixed = 0
    for zone in facts["zones"]:
        blocks = zone["pageblocks"]
        if blocks:
            total += sum(blocks.values())
            fixed += blocks.get("Unmovable", 0)
    return 100 * fixed // total if total else None


def _unusable(facts: Record) -> int | None:
    """Percent of the free memory in blocks too small for a huge page, over all zones."""
    order = facts["kernel"].get("hugepage_order")
    order = 9 if order is None else order
    blocks = list(map(sum, itertools.zip_longest(*[zone["free_blocks"] for zone in facts["zones"]], fillvalue=0)))
    pages = list(map(operator.lshift, blocks, itertools.count()))
    free, usable = sum(pages), sum(pages[order:])
    return 100 * (free - usable) // free if free else None


def _cgroups(facts: Record) -> int | None:
    return (facts["cgroups"] or {}).get("memory_cgroups")


def _slab(field: str) -> Callable[[Record], t.Any]:
    return lambda facts: facts["slab"][field]


def _meminfo(field: str) -> Callable[[Record], t.Any]:
    return lambda facts: facts["meminfo"].get(field)


METRICS = (
    Metric("slab_unreclaimable", "Unreclaimable slab", "kB", 3, 262144, _slab("unreclaimable_kb")),
    Metric("slab_reclaimable", "Reclaimable slab", "kB", 4, 524288, _slab("reclaimable_kb")),
    Metric("nf_conntrack_caches", "nf_conntrack slab caches", "", 3, 20, _slab("nf_conntrack_caches")),
    Metric("memory_cgroups", "Memory cgroups", "", 3, 500, _cgroups),
    Metric("percpu", "Per-CPU memory", "kB", 3, 131072, _meminfo("percpu")),
    Metric("page_tables", "Page tables", "kB", 4, 262144, _meminfo("pagetables")),
    Metric("kernel_stacks", "Kernel stacks", "kB", 4, 65536, _meminfo("kernelstack")),
    Metric("pageblocks_unmovable", "Unmovable page blocks", "%", 2, 20, _pageblocks_unmovable),
    Metric("free_unusable", "Free memory in pieces too small for a huge page", "%", 2, 40, _unusable),
)

# Below this many nodes a median says nothing about what is normal.
FEWEST_PEERS = 5


def measured(metric: Metric, facts: Record) -> int | None:
    try:
        return _words.number(metric.value(facts))
    except (AttributeError, KeyError, TypeError):
        return None  # a source that this node does not have


def kind(host: Host) -> tuple[str, str, int]:
    """Kernel and size: whom a node is compared with."""
    return (host.release, host.machine, round(math.log2(host.memory_kb)) if host.memory_kb else 0)


def mark(hosts: Iterable[Host]) -> None:
    """Mark what is far from the median of the same kind."""
    kinds: dict[tuple[str, str, int], list[Host]] = {}
    for host in hosts:
        if host.metrics:
            kinds.setdefault(kind(host), []).append(host)
    for peers in kinds.values():
        if len(peers) < FEWEST_PEERS:
            continue
        for index, metric in enumerate(METRICS):
            values = [value for host in peers if (value := host.metrics[index]) is not None]
            if len(values) < FEWEST_PEERS:
                continue
            median = int(statistics.median(values))
            limit = max(median * metric.factor, median + metric.floor)
            for host in peers:
                value = host.metrics[index]
                if value is not None and value >= limit:
                    host.outliers += (Outlier(metric.id, value, median, len(values)),)
