# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The memory facts of one node: reads the kernel's files through a Node and puts contract ``memfrag_facts`` together."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import math
import re
import time
import zlib

from . import _consumers, _fragmentation, _outlook
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
    uptime,
    vmstat,
    zoneinfo,
)

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

# Where "uname -a" and "sysctl -a" are in an unpacked sosreport or insights archive.
_UNAME = ("/sos_commands/kernel/uname_-a", "/sos_commands/host/uname_-a", "/insights_commands/uname_-a")
_SYSCTL_LISTS = ("/sos_commands/kernel/sysctl_-a", "/insights_commands/sysctl_-a")

# Architecture words that distributions put into their releases, for trees that do not say it otherwise.
_MACHINES = (
    ("x86_64", "x86_64"),
    ("amd64", "x86_64"),
    ("aarch64", "aarch64"),
    ("arm64", "aarch64"),
    ("ppc64le", "ppc64le"),
    ("powerpc64le", "ppc64le"),
    ("s390x", "s390x"),
)

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
_LONG_FREE_LIST = 1000000

# Pages by the number of orders, as kernels are built (arch/arm64/Kconfig, ARCH_FORCE_MAX_ORDER); no machine has smaller ones.
_PAGE_SIZES = {12: 16384, 14: 65536}
_LEAST_PAGE_KB = 4.0
# MemTotal is the managed pages to a few percent: far less is a limit that somebody has put there.
_CONTAINER_SHARE = 0.66

_HINTS = {
    "extfrag": "debugfs is not mounted here, or not built into this kernel; the indices are computed, with the same result",
    "pressure": "no PSI in this kernel, or not switched on (psi=1)",
}


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


class _Sources:
    """Reads and parses files of the node; what cannot be read or understood is kept for the record."""

    def __init__(self, node):
        self.node = node
        self.unavailable = {}
        self.unparsed_lines = {}

    def take(self, name, paths, parse, record=True):
        """The parsed content of the first of ``paths`` that can be read, or None."""
        failure = None
        for path in paths:
            try:
                text = self.node.read_text(path)
            except NodeError as error:
                # A file that is there and cannot be read says more than one that is not there.
                failure = failure if failure and not failure.missing else error
                continue
            data, unparsed = parse(text)
            if unparsed:
                self.unparsed_lines[name] = self.unparsed_lines.get(name, 0) + unparsed
            if not data and record:
                self.unavailable[name] = "%s: nothing in it could be understood" % path
            return data
        if record:
            self.miss(name, failure)
        return None

    def miss(self, name, error):
        hint = _HINTS.get(name) if getattr(error, "missing", False) else None
        self.unavailable[name] = "%s (%s)" % (error, hint) if hint else str(error)


def collect(node, gather_subset=("all",), top_slabs=10, survey=None):
    """-> the facts of contract memfrag_facts (docs: M(kernelops.memfrag.memfrag_facts), RETURN). Parts not asked for are None.

    survey   a function (node, facts) that adds the subset "pageblocks" to the facts, for callers that bring its code along

    Never raises for what a node lacks: it says so under ``unavailable``. Raises SubsetError for a wrong gather_subset.
    """
    subset = resolve_subset(gather_subset)
    sources = _Sources(node)
    # The states of memory first and close together, so that they fit each other.
    raw = _read_memory(sources, subset)
    settings = _sysctls(sources) if "sysctl" in subset else None
    kernel = _kernel(sources, raw, settings)
    caches = _slab_caches(sources) if "slab" in subset else None
    groups = _cgroups(sources) if "cgroups" in subset else None
    containers = _containers(node) if "cgroups" in subset else None
    zones = _zones(raw, kernel)
    conntrack = _conntrack_caches(sources, caches) if "slab" in subset else None
    needed_by = _consumers.needed_by(
        dict(kernel, containers=containers), conntrack, (groups or {}).get("memory_cgroups")
    )
    facts = {
        "schema_version": SCHEMA_VERSION,
        "collected_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": kernel,
        "cgroups": groups,
        "containers": containers,
        "zones": zones,
        "allocatable": _outlook.allocatable(zones, needed_by),
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
    if "pageblocks" in subset and survey:
        survey(node, facts)
    return facts


def _only(values, wanted):
    return None if values is None else {name: value for name, value in values.items() if wanted(name)}


def _read_memory(sources, subset):
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
            raw["pagetypeinfo"] = _pagetypeinfo(sources, raw["buddyinfo"])
        raw["zoneinfo"] = sources.take("zoneinfo", ("/proc/zoneinfo",), zoneinfo.parse_zoneinfo)
    raw["meminfo"] = sources.take("meminfo", ("/proc/meminfo",), meminfo.parse_meminfo)
    raw["vmstat"] = sources.take("vmstat", ("/proc/vmstat",), vmstat.parse_vmstat)
    if "pressure" in subset:
        raw["pressure"] = sources.take("pressure", ("/proc/pressure/memory",), pressure.parse_pressure)
    return raw


def _pagetypeinfo(sources, zones):
    """Where reading would hold the zone lock for long, the migratetypes are left alone and the reason is given."""
    path = "/proc/pagetypeinfo"
    longest = max([max(zone["free_blocks"]) for zone in zones or ()] or [0])
    if longest > _LONG_FREE_LIST and sources.node.live:
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


def _kernel(sources, raw, settings):
    node = sources.node
    live = node.live
    words = sources.take("uname", _UNAME, lambda text: (text.split(), 0), record=False) or []
    version = sources.take("version", ("/proc/version",), lambda text: (text.split(), 0), record=False) or []
    if live:
        release, machine = node.uname()
    else:
        release = words[2] if len(words) > 2 else version[2] if len(version) > 2 else None
        machine = _machine(words, release)
    if release is None:
        sources.unavailable["kernel"] = "/proc/version: no such file, so the kernel release is not known"
    config, configured = _config(sources, release, settings)
    page_size = node.page_size() if live else _page_size(sources, raw, machine)
    hugepage_order = _hugepage_order(sources, raw, page_size, machine)
    _leave_out_a_containers_meminfo(sources, raw, page_size)
    return {
        "release": release,
        "machine": machine,
        "page_size": page_size,
        "uptime_seconds": sources.take("uptime", ("/proc/uptime",), uptime.parse_uptime, record=False),
        "config_compaction": configured,
        "hugepage_order": hugepage_order,
        "possible_cpus": sources.take(
            "possible_cpus", ("/sys/devices/system/cpu/possible",), _count_cpus, record=False
        ),
        "watermark_check": _watermark_check(raw, settings, release),
        "dma_drivers": sources.take("modules", ("/proc/modules",), _dma_drivers, record=False),
        "vmap_stack": None if config is None else config.get("CONFIG_VMAP_STACK") == "y",
        "page_table_isolation": sources.take(
            "meltdown",
            ("/sys/devices/system/cpu/vulnerabilities/meltdown",),
            lambda text: ("PTI" in text, 0),
            record=False,
        ),
    }


def _machine(uname, release):
    for word, machine in _MACHINES:
        if word in uname or word in re.split(r"[.+-]", release or ""):
            return machine
    return None


def _config(sources, release, settings):
    """-> ({option: value} or None, was CONFIG_COMPACTION built in: True, False or None)."""
    node, names = sources.node, ("CONFIG_COMPACTION", "CONFIG_VMAP_STACK")
    # compact_memory is there exactly when compaction is; the configuration is for trees that show only part of /proc/sys,
    # and for the stacks of kernels before 4.9. It is long, so it is left alone otherwise.
    compacts = node.exists("/proc/sys/vm/compact_memory") or bool((settings or {}).get("vm.compact_memory"))
    version = _consumers.version_of(release)
    if compacts and version and version >= (4, 9):
        return None, True
    from ._procfs import kconfig

    config = None
    if release:
        config = sources.take(
            "config", ("/boot/config-" + release,), lambda text: kconfig.parse_kconfig(text, names), record=False
        )
    if config is None:
        try:
            inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
            text = inflate.decompress(node.read_bytes("/proc/config.gz"), 16 * 1024 * 1024)
            config = kconfig.parse_kconfig(text.decode("utf-8", "replace"), names)[0]
        except (NodeError, zlib.error):
            pass
    if compacts:
        return config, True
    if config is not None:
        return config, config.get("CONFIG_COMPACTION") == "y"
    return None, False if node.live and node.exists("/proc/sys/vm") else None


def _page_size(sources, raw, machine):
    """Bytes per page of a tree that is not this machine: MemTotal is the sum of the zones' managed pages, or else by the orders there are."""
    total, pages = (raw["meminfo"] or {}).get("memtotal"), _managed_pages(raw)
    if total and pages:
        kilobytes = max(_LEAST_PAGE_KB, min(total / pages, 1024.0))
        return 1024 << int(math.floor(math.log(kilobytes, 2) + 0.5))
    if machine == "x86_64":
        return 4096
    size = _PAGE_SIZES.get(max([len(zone["free_blocks"]) for zone in raw["buddyinfo"] or ()] or [0]), 4096)
    sources.unavailable["page_size"] = (
        "taken to be %d by the number of orders, for want of /proc/meminfo and /proc/zoneinfo together" % size
        if size != 4096
        else "taken to be 4096, for want of /proc/meminfo and /proc/zoneinfo together"
    )
    return size


def _managed_pages(raw):
    # Kernels before 3.10 do not tell managed from present.
    return sum(zone.get("managed", zone.get("present", 0)) for zone in raw["zoneinfo"] or ())


def _leave_out_a_containers_meminfo(sources, raw, page_size):
    """Inside LXC, /proc/meminfo is the container's (lxcfs) and every other file the host's. The host's memory is judged."""
    total, pages = (raw["meminfo"] or {}).get("memtotal"), _managed_pages(raw)
    if total and pages and total < pages * (page_size // 1024) * _CONTAINER_SHARE:
        sources.unavailable["meminfo"] = (
            "/proc/meminfo: says %d MB where the zones have %d MB, so it is that of a container (lxcfs), not of the host"
            % (total >> 10, pages * (page_size // 1024) >> 10)
        )
        raw["meminfo"] = None


def _hugepage_order(sources, raw, page_size, machine):
    size = sources.take(
        "hpage_pmd_size",
        ("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",),
        sysctl.parse_sysctl_value,
        record=False,
    )
    if not isinstance(size, int):
        size = (raw["meminfo"] or {}).get("hugepagesize", 0) * 1024
    if not size and machine == "x86_64":
        return _consumers.hugepage_order(page_size)
    return _consumers.order_of(size, page_size) if size else None


def _count_cpus(text):
    """ "0-3,8" -> 5"""
    count = 0
    for part in text.strip().split(","):
        match = re.match(r"([0-9]{1,6})(?:-([0-9]{1,6}))?\Z", part)
        if not match:
            return None, 1
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        count += max(0, last - first + 1)
    return count, 0


def _dma_drivers(text):
    """/proc/modules -> the loaded drivers whose devices reach only low addresses."""
    loaded = {line.split(" ", 1)[0] for line in text.splitlines()}
    return sorted(loaded.intersection(_consumers.DMA_DRIVERS)), 0


def _watermark_check(raw, settings, release):
    """ "order0", or "scaled" for the check of Linux up to 4.3, el6 and el7 (see _fragmentation.watermark_ok())."""
    types = set()
    for by_type in (raw["pagetypeinfo"] or {}).get("free", {}).values():
        types.update(by_type)
    # Linux 4.4 put HighAtomic in the place of Reserve and the check to the order-0 watermark alone, in one series.
    if "HighAtomic" in types:
        return "order0"
    if "Reserve" in types:
        return "scaled"
    if (settings or {}).get("vm.watermark_scale_factor") is not None or "compact_daemon_wake" in (raw["vmstat"] or {}):
        return "order0"
    return "scaled" if _consumers.scaled_check(release) else "order0"


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


def _zones(raw, kernel):
    info = {(zone["node"], zone["zone"]): zone for zone in raw["zoneinfo"] or ()}
    types = raw["pagetypeinfo"] or {"free": {}, "pageblocks": {}, "capped": ()}
    zones = []
    for found in raw["buddyinfo"] or ():
        blocks, key = found["free_blocks"], (found["node"], found["zone"])
        about = info.get(key)
        orders = range(len(blocks))
        index, unusable = ((raw[name] or {}).get(key) for name in ("extfrag", "unusable"))
        printed = bool(index and unusable and len(index) == len(unusable) == len(blocks))
        marks = about and all(name in about for name in ("min", "low", "high"))
        about = about or {}
        migratetypes = types["free"].get(key)
        zones.append(
            {
                "node": found["node"],
                "zone": found["zone"],
                "free_blocks": blocks,
                "free_pages": _fragmentation.free_pages(blocks),
                # Kernels before 3.10 do not tell managed from present.
                "managed_pages": about.get("managed", about.get("present")),
                "present_pages": about.get("present"),
                "watermarks": {name: about[name] for name in ("min", "low", "high")} if marks else None,
                "boost_pages": about.get("boost"),
                "lowmem_reserve": about.get("protection"),
                "pcp_pages": about.get("pcp_pages"),
                "free_cma_pages": about.get("nr_free_cma"),
                "reserved_highatomic_pages": _highatomic(about, migratetypes),
                "extfrag_index": index if printed else [_fragmentation.fragmentation_index(blocks, o) for o in orders],
                "unusable_index": unusable if printed else [_fragmentation.unusable_index(blocks, o) for o in orders],
                "index_source": "debugfs" if printed else "computed",
                "migratetypes": migratetypes,
                "migratetypes_capped": key in types["capped"],
                "pageblocks": types["pageblocks"].get(key),
            }
        )
    names = {zone["zone"] for zone in zones}
    for zone, pages in zip(zones, _reclaimable_pages(raw, kernel["page_size"], zones)):
        zone["reclaimable_pages"] = pages
        zone["states"], zone["atomic"] = _outlook.zone_states(zone, names, kernel["watermark_check"] == "scaled")
    return zones


def _highatomic(about, migratetypes):
    """Pages set aside for atomic requests: as zoneinfo says (7.2+), or else the free ones on the HighAtomic lists."""
    for name in ("free_highatomic", "reserved_highatomic"):
        if name in about:
            return about[name]
    return _fragmentation.free_pages(migratetypes["HighAtomic"]) if "HighAtomic" in (migratetypes or {}) else None


def _reclaimable_pages(raw, page_size, zones):
    """Page cache and reclaimable slab, in pages, for each zone: the node's spread over its zones by size.

    The kernel counts slab by node only; where /proc/zoneinfo is missing, the machine's sum is spread instead.
    """
    of_node, size = {}, {}
    for zone in zones:
        size[zone["node"]] = size.get(zone["node"], 0) + (zone["managed_pages"] or 0)
    for about in raw["zoneinfo"] or ():
        pages = sum(about.get(name, 0) for name in ("nr_active_file", "nr_inactive_file", "nr_slab_reclaimable"))
        of_node[about["node"]] = of_node.get(about["node"], 0) + pages
    if not raw["zoneinfo"] and zones:
        memory = raw["meminfo"] or {}
        kilobytes = sum(memory.get(name, 0) for name in ("active(file)", "inactive(file)", "sreclaimable"))
        return [kilobytes * 1024 // page_size // len(zones)] * len(zones)
    return [of_node.get(zone["node"], 0) * (zone["managed_pages"] or 0) // (size[zone["node"]] or 1) for zone in zones]


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
                "order": _consumers.order_of(cache["pages_per_slab"], 1),
                "utilization_percent": round(100.0 * cache["active_objects"] / cache["objects"], 1)
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
