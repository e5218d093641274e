# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What is seen of the memory of one node: reads the kernel's files through a Node. Whoever wants facts grades it (``_grading``).

The two are apart since an audit takes only this one to its nodes: what a module brings along is most of what it costs there.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import time

from . import _kernel, _zones
from ._node import NodeError
from ._procfs import (
    buddyinfo,
    cgroups,
    choice,
    extfrag,
    meminfo,
    pagetypeinfo,
    pressure,
    slabinfo,
    sysctl,
    vmstat,
    zoneinfo,
)
from ._releases import order_of
from ._sources import Sources

SCHEMA_VERSION = 1

# What can be left out. The names are those of the result, "migratetypes" and "extfrag" are parts of the zones.
SUBSETS = (
    "kernel",
    "zones",
    "migratetypes",
    "extfrag",
    "cgroups",
    "slab",
    "meminfo",
    "vmstat",
    "pressure",
    "sysctl",
    "transparent_hugepage",
)
MINIMUM = ("kernel", "zones")
# Needs root and costs CPU: not part of "all".
EXTRA = ("pageblocks",)

# Fields of /proc/meminfo and /proc/vmstat that say something about contiguous memory; the rest is left on the node.
_MEMINFO = (
    "memtotal memfree memavailable buffers cached swapcached active(anon) inactive(anon) active(file) inactive(file) "
    "unevictable mlocked swaptotal swapfree dirty writeback anonpages mapped shmem kreclaimable slab sreclaimable "
    "sunreclaim kernelstack pagetables percpu vmallocused anonhugepages hugepages_total hugepages_free hugepages_rsvd "
    "hugepages_surp hugepagesize hugetlb cmatotal cmafree"
).split()
_VMSTAT = (
    "nr_free_",
    "nr_slab_",
    "compact_",
    "allocstall",
    "thp_fault_",
    "thp_collapse_alloc",
    "htlb_buddy_alloc",
    "kswapd_",
    "pageoutrun",
    "pgmigrate_",
    "drop_",
    "oom_kill",
)

# Where "sysctl -a" is in an unpacked sosreport or insights archive.
_SYSCTL_LISTS = ("/sos_commands/kernel/sysctl_-a", "/insights_commands/sysctl_-a")

# What container runtimes leave on a node: sockets, and where they keep their containers.
_RUNTIMES = (
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/var/lib/kubelet/pods",
    "/var/lib/docker/containers",
    "/var/lib/containers/storage/overlay-containers",
    "/sys/fs/cgroup/kubepods.slice",
    "/sys/fs/cgroup/memory/kubepods.slice",
    "/sys/fs/cgroup/memory/kubepods",
    "/sys/fs/cgroup/memory/docker",
)

# Up to Linux 5.3 a reader of pagetypeinfo holds the zone lock, with interrupts off, while it walks each free list.
LONG_FREE_LIST = 1000000


class SubsetError(ValueError):
    """gather_subset names something that does not exist."""


def resolve_subset(wanted):
    """["all", "!slab"] -> the set of subsets to gather, by the rules of ansible.builtin.setup.

    Names add to the minimum, "!name" takes away, "!all" leaves the minimum, "!min" not even that.
    """
    chosen, dropped = set(), set()
    for name in wanted:
        bare = name.lstrip("!")
        if bare not in SUBSETS + EXTRA and bare not in ("all", "min"):
            raise SubsetError("gather_subset has no %r; it knows all, min, %s" % (name, ", ".join(SUBSETS + EXTRA)))
        if bare == name:
            chosen.update({"all": SUBSETS, "min": MINIMUM}.get(name, (name,)))
        elif bare in SUBSETS + EXTRA:
            dropped.add(bare)
    if not chosen and "!all" not in wanted:
        chosen.update(SUBSETS)
        if "!min" in wanted:
            dropped.update(MINIMUM)
    if "!min" not in wanted:
        chosen.update(MINIMUM)
    return chosen - dropped


def observe(node, subset, top_slabs=10, long_free_list=LONG_FREE_LIST):
    """-> the facts of contract memfrag_facts, but for what ``_grading.grade()`` makes of them. Parts not asked for are None.

    subset   what resolve_subset() makes of the names that the user gave
    long_free_list  blocks of a free list from which on the migratetypes are left alone, where the kernel would count them all

    Never raises for what a node lacks: it says so under ``unavailable``.
    """
    sources = Sources(node)
    # The states of memory first and close together, so that they fit each other.
    raw = _read_memory(sources, subset, long_free_list)
    settings = _sysctls(sources) if "sysctl" in subset else None
    kernel = _kernel.collect(sources, raw, settings)
    caches = _slab_caches(sources) if "slab" in subset else None
    groups = _cgroups(sources) if "cgroups" in subset else None
    containers = _containers(node) if "cgroups" in subset else None
    conntrack = _conntrack_caches(sources, caches) if "slab" in subset else None
    return {
        "schema_version": SCHEMA_VERSION,
        "collected_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": kernel,
        "cgroups": groups,
        "containers": containers,
        "zones": _zones.put_together(raw, kernel["page_size"]),
        "slab": _slab(caches, conntrack, raw["meminfo"], kernel, top_slabs) if "slab" in subset else None,
        "meminfo": _only(raw["meminfo"], _MEMINFO.__contains__) if "meminfo" in subset else None,
        "vmstat": _only(raw["vmstat"], lambda name: name.startswith(tuple(_VMSTAT))) if "vmstat" in subset else None,
        "pressure": raw["pressure"],
        "sysctl": settings,
        "transparent_hugepage": _transparent_hugepage(sources) if "transparent_hugepage" in subset else None,
        "pageblock_survey": None,
        "hugepages": None,
        "unavailable": sources.unavailable,
        "unparsed_lines": sources.unparsed_lines,
    }


def _only(values, wanted):
    return None if values is None else {name: value for name, value in values.items() if wanted(name)}


def _read_memory(sources, subset, long_free_list):
    raw = dict.fromkeys(("buddyinfo", "extfrag", "unusable", "pagetypeinfo", "zoneinfo", "pressure"))
    if "zones" in subset:
        raw["buddyinfo"] = sources.take("buddyinfo", ("/proc/buddyinfo",), buddyinfo.parse_buddyinfo)
    if "zones" in subset and "extfrag" in subset:
        debugfs = "/sys/kernel/debug/extfrag/"
        raw["extfrag"] = sources.take("extfrag", (debugfs + "extfrag_index",), extfrag.parse_extfrag)
        if raw["extfrag"]:
            raw["unusable"] = sources.take("extfrag", (debugfs + "unusable_index",), extfrag.parse_extfrag)
    if "zones" in subset:
        if "migratetypes" in subset:
            raw["pagetypeinfo"] = _pagetypeinfo(sources, raw["buddyinfo"], long_free_list)
        raw["zoneinfo"] = sources.take("zoneinfo", ("/proc/zoneinfo",), zoneinfo.parse_zoneinfo)
    raw["meminfo"] = sources.take("meminfo", ("/proc/meminfo",), meminfo.parse_meminfo)
    raw["vmstat"] = sources.take("vmstat", ("/proc/vmstat",), vmstat.parse_vmstat)
    if "pressure" in subset:
        raw["pressure"] = sources.take("pressure", ("/proc/pressure/memory",), pressure.parse_pressure)
    return raw


def _pagetypeinfo(sources, zones, long_free_list):
    """Where reading would hold the zone lock for long, the migratetypes are left alone and the reason is given."""
    path = "/proc/pagetypeinfo"
    longest = max([max(zone["free_blocks"]) for zone in zones or ()] or [0])
    if longest > long_free_list and sources.node.live:
        try:
            # Mode 0400 came with the kernel that stops counting at 100000 (5.4, and the same backports).
            unbounded = sources.node.stat(path).st_mode & 0o044
        except NodeError:
            unbounded = False
        if unbounded:
            sources.unavailable["pagetypeinfo"] = (
                "%s: not read, because this kernel would hold the zone lock while it counts a free list of %d blocks"
                % (path, longest)
            )
            return None
    return sources.take("pagetypeinfo", (path,), pagetypeinfo.parse_pagetypeinfo)


def _sysctls(sources):
    """Every setting of the table: its value, "write-only" for one that may not be read, None where the kernel has none."""
    values = dict.fromkeys(sysctl.KEYS)
    node = sources.node
    if not node.exists("/proc/sys/vm"):
        for path in _SYSCTL_LISTS:
            listed = sources.take("sysctl", (path,), sysctl.parse_sysctl_list, record=False)
            if listed:
                values.update((key, listed[key]) for key in sysctl.KEYS if key in listed)
                return values
        sources.unavailable["sysctl"] = "/proc/sys/vm: no such directory"
        return values
    for key in sysctl.KEYS:
        path = "/proc/sys/" + key.replace(".", "/", 1)
        if sysctl.is_write_only(key):
            values[key] = sysctl.WRITE_ONLY if node.exists(path) else None
            continue
        try:
            values[key] = sysctl.parse_sysctl_value(node.read_text(path))[0]
        except NodeError as error:
            if not error.missing:
                sources.unavailable[key] = str(error)
    return values


def _cgroups(sources):
    controllers = sources.take("cgroups", ("/proc/cgroups",), cgroups.parse_cgroups)
    memory = (controllers or {}).get("memory")
    if not memory:
        if controllers:
            sources.unavailable["cgroups"] = "/proc/cgroups: does not count the memory controller's cgroups"
        return None
    directories = None
    for path in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        try:
            directories = sources.node.count_directories(path)
            break
        except NodeError as error:
            sources.unavailable["cgroup directories"] = str(error)
    if directories is not None:
        sources.unavailable.pop("cgroup directories", None)
    return {"memory_cgroups": memory["num_cgroups"], "memory_directories": directories}


def _containers(node):
    """Whether a container runtime is, or was, at work here: True, False, or None for a tree, which need not have what tells."""
    if any(node.exists(path) for path in _RUNTIMES):
        return True
    return False if node.live else None


def _slab_caches(sources):
    return sources.take("slabinfo", ("/proc/slabinfo",), slabinfo.parse_slabinfo)


# One cache per network namespace: nf_conntrack_ffff8803f0b7ba80, later nf_conntrack_12; the others of the name are not.
_PER_NAMESPACE = re.compile(r"nf_conntrack_[0-9a-f]+\Z")


def _conntrack_caches(sources, caches):
    if caches is not None:
        return sum(1 for cache in caches if _PER_NAMESPACE.match(cache["name"]))
    try:
        return sum(1 for name in sources.node.listdir("/sys/kernel/slab") if _PER_NAMESPACE.match(name))
    except NodeError:
        return None


def _slab(caches, conntrack, memory, kernel, top):
    memory = memory or {}
    page_kb = kernel["page_size"] // 1024
    sized = [(cache["slabs"] * cache["pages_per_slab"] * page_kb, cache) for cache in caches or ()]
    sized.sort(key=lambda row: (-row[0], row[1]["name"]))
    return {
        "reclaimable_kb": memory.get("sreclaimable"),
        "unreclaimable_kb": memory.get("sunreclaim"),
        "nf_conntrack_caches": conntrack,
        "caches": [
            {
                "name": cache["name"],
                "size_kb": size,
                "active_objects": cache["active_objects"],
                "objects": cache["objects"],
                "object_size": cache["object_size"],
                "objects_per_slab": cache["objects_per_slab"],
                "pages_per_slab": cache["pages_per_slab"],
                "order": order_of(cache["pages_per_slab"], 1),
                "utilization_percent": round(min(100.0 * cache["active_objects"] / cache["objects"], 1e9), 1)
                if cache["objects"]
                else None,
            }
            for size, cache in sized[: max(0, top)]
        ],
    }


def _transparent_hugepage(sources):
    directory = "/sys/kernel/mm/transparent_hugepage/"
    enabled = sources.take("transparent_hugepage", (directory + "enabled",), choice.parse_choice)
    if enabled is None:
        return None
    defrag = sources.take("transparent_hugepage", (directory + "defrag",), choice.parse_choice, record=False)
    return {"enabled": enabled, "defrag": defrag}
