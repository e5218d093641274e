# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What the kernel of a node is: release, page size, huge pages, how it checks watermarks. A live one is asked, a tree is inferred from."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import math
import re
import zlib

from ._node import NodeError
from ._procfs import cpulist, sysctl, uptime
from ._releases import order_of, scaled_check, version_of

# Where "uname -a" is in an unpacked sosreport or insights archive.
_UNAME = ("/sos_commands/kernel/uname_-a", "/sos_commands/host/uname_-a", "/insights_commands/uname_-a")

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

# Drivers whose devices reach addresses of 24, 30 or 31 bits, so that they allocate with GFP_DMA; module: what it is.
DMA_DRIVERS = {
    "aacraid": "RAID controllers of Adaptec (31 bits in old firmware)",
    "aha1542": "SCSI adapters on the ISA bus",
    "b43": "wireless adapters of Broadcom (30 bits)",
    "b43legacy": "wireless adapters of Broadcom (30 bits)",
    "b44": "network adapters of Broadcom (30 bits)",
    "dasd_eckd_mod": "disks of s390 (31 bits)",
    "dasd_fba_mod": "disks of s390 (31 bits)",
    "floppy": "disk drives on the ISA bus",
    "parport_pc": "parallel ports on the ISA bus",
    "qeth": "network adapters of s390 (31 bits)",
    "sound_sb": "sound cards on the ISA bus",
    "zfcp": "storage adapters of s390 (31 bits)",
}

# Pages by the number of orders, as kernels are built (arch/arm64/Kconfig, ARCH_FORCE_MAX_ORDER); no machine has smaller ones.
_PAGE_SIZES = {12: 16384, 14: 65536}
_LEAST_PAGE_KB = 4.0
# MemTotal is the managed pages to a few percent: far less is a limit that somebody has put there.
_CONTAINER_SHARE = 0.66


def collect(sources, raw, settings):
    node = sources.node
    live = node.live
    words = sources.take("uname", _UNAME, _words, record=False) or []
    version = sources.take("version", ("/proc/version",), _words, record=False) or []
    if live:
        release, machine = node.uname()
    else:
        release = words[2] if len(words) > 2 else version[2] if len(version) > 2 else None
        machine = _machine(words, release)
    if release is None:
        sources.unavailable["kernel"] = "/proc/version: no such file, so the kernel release is not known"
    config, configured = _config(sources, release, settings)
    page_size = node.page_size() if live else _page_size(sources, raw, machine)
    hugepage_order = _hugepage_order(sources, raw, page_size)
    leave_out_a_containers_meminfo(sources, raw, page_size)
    return {
        "release": release,
        "machine": machine,
        "page_size": page_size,
        "uptime_seconds": sources.take("uptime", ("/proc/uptime",), uptime.parse_uptime, record=False),
        "config_compaction": configured,
        "hugepage_order": hugepage_order,
        "possible_cpus": sources.take(
            "possible_cpus", ("/sys/devices/system/cpu/possible",), cpulist.count_cpus, record=False
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


def _words(text):
    """The words of a file, none longer than uname(2) has them (include/uapi/linux/utsname.h)."""
    return [word[:64] for word in text.split()], 0


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
    version = version_of(release)
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


def leave_out_a_containers_meminfo(sources, raw, page_size):
    """Inside LXC, /proc/meminfo is the container's (lxcfs) and every other file the host's. The host's memory is judged."""
    total, pages = (raw["meminfo"] or {}).get("memtotal"), _managed_pages(raw)
    if total and pages and total < pages * (page_size // 1024) * _CONTAINER_SHARE:
        sources.unavailable["meminfo"] = (
            "/proc/meminfo: says %d MB where the zones have %d MB, so it is that of a container (lxcfs), not of the host"
            % (total >> 10, pages * (page_size // 1024) >> 10)
        )
        raw["meminfo"] = None


def _hugepage_order(sources, raw, page_size):
    size = sources.take(
        "hpage_pmd_size",
        ("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",),
        sysctl.parse_sysctl_value,
        record=False,
    )
    if isinstance(size, int) and size:
        return order_of(size, page_size)
    size = (raw["meminfo"] or {}).get("hugepagesize", 0) * 1024
    order = order_of(size, page_size) if size else None
    if order is not None and order >= max([len(zone["free_blocks"]) for zone in raw["buddyinfo"] or ()] or [order + 1]):
        # The default size is that of a pool which no free list has blocks for (default_hugepagesz=1G).
        order = (raw["pagetypeinfo"] or {}).get("pageblock_order")
    return order


def _dma_drivers(text):
    """/proc/modules -> the loaded drivers whose devices reach only low addresses."""
    loaded = {line.split(" ", 1)[0] for line in text.splitlines()}
    return sorted(loaded.intersection(DMA_DRIVERS)), 0


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
    return "scaled" if scaled_check(release) else "order0"
