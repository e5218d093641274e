# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Kernel reports as events of the contract: their verdict, the fields of each kind, what makes two of them the same trouble."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .. import _gfp
from .._fragmentation import fragmentation_index
from . import callers, diagnosis

MAX_TRACE = 24
_POD_IN_CGROUP = re.compile(
    r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})"
)
_CONTAINER_IN_CGROUP = re.compile(r"(?:/|docker-|cri-containerd-|crio-|libpod-)([0-9a-f]{64})(?:\.scope)?(?:/|$)")
# Who asked for the memory when the start of a container was the reason.
_START_CONSUMERS = frozenset(("memcg_array", "netns", "veth", "stack", "fork"))


_decoded = {}


def _decode(mask, kernel):
    """A node asks for the same few masks again and again."""
    if (mask, kernel) not in _decoded:
        if len(_decoded) > 100:
            _decoded.clear()
        _decoded[mask, kernel] = _gfp.decode(mask, kernel)
    return list(_decoded[mask, kernel])


def decode(report):
    """The names of the mask: as printed, else by the kernel that printed it."""
    if report.flags is None and report.mask is not None:
        report.gfp_flags = _decode(report.mask, report.kernel)
    else:
        report.gfp_flags = report.flags


def judge(report):
    """The verdict on a report by itself; once, as other reports may refer to it before it is finished."""
    if report.verdict is None:
        decode(report)
        if report.after is not None:
            judge(report.after)
        report.verdict = diagnosis.diagnose(report)
    return report.verdict


def _mask(report):
    return {
        "gfp_mask": None if report.mask is None else "0x%x" % report.mask,
        "gfp_flags": report.gfp_flags or [],
    }


def _zones(report):
    zones = []
    for key, zone in report.zones.items():
        blocks = zone.get("free_blocks")
        index = None
        if blocks and report.order is not None and 0 <= report.order < len(blocks):
            index = fragmentation_index(blocks, report.order)
        zones.append(
            {
                "node": key[0],
                "zone": key[1],
                "free_blocks": blocks,
                "migratetypes": zone.get("migratetypes"),
                "free_kb": zone.get("free"),
                "min_kb": zone.get("min"),
                "low_kb": zone.get("low"),
                "high_kb": zone.get("high"),
                "managed_kb": zone.get("managed"),
                "extfrag_index": index,
            }
        )
    order = ("DMA", "DMA32", "Normal", "HighMem", "Movable", "Device")
    return sorted(zones, key=lambda zone: (zone["node"] or 0, order.index(zone["zone"])))


def _failure_fields(report, verdict):
    site = callers.call_site(report.trace)
    fields = {name: getattr(report, name) for name in ("comm", "pid", "order", "kernel")}
    fields.update(_mask(report))
    fields.update(
        cpu=report.cpu,
        call_site=site,
        call_module=report.modules.get(site),
        consumer=verdict["consumer"],
        trace=report.trace[:MAX_TRACE],
        zones=_zones(report),
        slab_reclaimable_pages=report.slab_reclaimable,
        slab_unreclaimable_pages=report.slab_unreclaimable,
    )
    return fields


def _oom_fields(report, verdict):
    victim = (report.killed or [None])[0] or report.summary_victim or report.chosen or (None, None)
    cgroup = report.limit_cgroup or report.task_cgroup
    paths = "%s %s" % (report.limit_cgroup or "", report.task_cgroup or "")
    uid, container = _POD_IN_CGROUP.search(paths), _CONTAINER_IN_CGROUP.search(paths.replace(" ", "/ "))
    fields = {name: getattr(report, name) for name in ("comm", "pid", "order", "kernel")}
    fields.update(_mask(report))
    fields.update(
        reporter="kernel",
        scope=report.scope,
        victim_comm=victim[0],
        victim_pid=victim[1],
        cgroup=cgroup if report.scope == "memcg" else report.task_cgroup,
        pod_uid=uid and uid.group(1).replace("_", "-"),
        container_id=container and container.group(1),
        usage_kb=report.usage_kb,
        limit_kb=report.limit_kb,
        zones=_zones(report),
    )
    return fields


def _vmalloc_fields(report, verdict):
    fields = {"size_bytes": report.size, "comm": report.comm, "pid": report.pid, "zones": _zones(report)}
    fields.update(_mask(report))
    return fields


def _slab_fields(report, verdict):
    fields = {
        "cache": report.cache,
        "node": report.node,
        "order": report.order,
        "object_size": report.object_size,
    }
    fields.update(_mask(report))
    return fields


FIELDS = {
    "page_allocation_failure": _failure_fields,
    "oom_kill": _oom_fields,
    "slab_allocation_failure": _slab_fields,
    "slab_cache_create_failure": lambda report, verdict: {"cache": report.cache, "errno": report.errno},
    "vmalloc_failure": _vmalloc_fields,
    "cma_allocation_failure": lambda report, verdict: {"pages": report.pages, "errno": report.errno},
    "compaction_stall": lambda report, verdict: {
        name: getattr(report, name) for name in ("comm", "pid", "seconds", "function")
    },
}


def detail(report, event):
    """What makes two reports with the same cause the same trouble."""
    kind = report.kind
    if kind == "oom_kill" and event["scope"] == "memcg":
        return (
            "memcg",
            event["pod_uid"] or event["container_id"] or event["cgroup"] or event["victim_comm"] or event["comm"],
        )
    before = report.after or report
    if before.kind == "page_allocation_failure" or kind == "oom_kill" and report.order:
        return (
            "pages",
            before.verdict["consumer"] or callers.call_site(before.trace) or (before.comm or "").split("/")[0],
            before.order,
        )
    if kind == "oom_kill":
        return ("oom", event["scope"])
    return (kind, event.get("cache") or event.get("comm"))


def starts_container(event, verdict):
    """Whether the report can be what made a container fail to start."""
    return verdict.get("consumer") in _START_CONSUMERS or any(
        callers.starts_container(event.get(name)) for name in ("comm", "victim_comm")
    )
