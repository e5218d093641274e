# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What speaks against compacting now, whatever is wanted: containers, the hour, the back-off, pressure, load, too little memory.

reason = held_off(facts, target, conditions(node, facts), nodes)
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import time

from .. import _facts
from .._node import NodeError
from .._procfs import loadavg, process
from . import state

# The guards by name, in the order in which they are asked.
NAMES = ("container", "window", "backoff", "pressure", "load", "kcompactd_busy", "low_memory")


def held_off(facts, target, conditions, nodes):
    """The first guard that speaks against it: (reason, message), or None."""
    now = conditions["now"]
    if conditions["container"] and not target["allow_container"]:
        return "container", "this is a container (%s); compaction is the host's business" % conditions["container"]
    if not target["force"]:
        if target["window"] and not in_window(target["window"], conditions["minute_of_day"]):
            return "window", "outside the window %s" % target["window"]
        before = conditions["state"]
        if (
            before.get("boot_id") == conditions["boot_id"]
            and now < before.get("retry_after", 0) <= now + target["backoff_max_seconds"]
        ):
            return "backoff", "the last %d runs did not help; the next one is due in %d seconds" % (
                before.get("failures", 1),
                before["retry_after"] - now,
            )
    pressure = (facts["pressure"] or {}).get("some_avg10")
    if None not in (pressure, target["max_pressure_percent"]) and pressure > target["max_pressure_percent"]:
        return "pressure", "memory pressure is %.2f %%, at most %.2f %% is allowed" % (
            pressure,
            target["max_pressure_percent"],
        )
    load, cpus = conditions["load"], conditions["cpus"]
    if None not in (load, cpus, target["max_load_per_cpu"]) and load > target["max_load_per_cpu"] * cpus:
        return "load", "the load is %.2f on %d CPUs, at most %.2f per CPU is allowed" % (
            load,
            cpus,
            target["max_load_per_cpu"],
        )
    busy = sorted(set(conditions["kcompactd_busy"]) & set(nodes))
    if busy:
        return "kcompactd_busy", "the kernel is compacting node %s itself" % ", ".join(map(str, busy))
    memory = facts["meminfo"] or {}
    if target["min_free_percent"] is not None and memory.get("memtotal") and "memfree" in memory:
        percent = 100.0 * memory["memfree"] / memory["memtotal"]
        if percent < target["min_free_percent"]:
            return "low_memory", "%.2f %% of the memory is free, at least %.2f %% is wanted" % (
                percent,
                target["min_free_percent"],
            )
    return None


def in_window(window, minute):
    """Whether the minute of the day is in "22:00-04:30"; a window may go past midnight, and of one moment it is the day."""
    begin, end = (int(part[:2]) * 60 + int(part[3:5]) for part in window.split("-"))
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def conditions(node, facts):
    """What the guards look at, besides the facts; None, or empty, where the node does not say.

    -> {"now", "minute_of_day", "boot_id", "container", "load" (of 5 minutes), "cpus", "kcompactd_busy": [nodes], "state": {...}}
    """
    now = time.time()
    local = time.localtime(now)
    return {
        "now": int(now),
        "minute_of_day": local.tm_hour * 60 + local.tm_min,
        "boot_id": state.boot_id(node),
        "container": container(node),
        "load": (_parsed(node, "/proc/loadavg", loadavg.parse_loadavg) or [None, None])[1],
        "cpus": _parsed(node, "/sys/devices/system/cpu/online", _facts._count_cpus) or facts["kernel"]["possible_cpus"],
        "kcompactd_busy": _kcompactd_busy(node),
        "state": state.load(node),
    }


def _parsed(node, path, parse):
    try:
        return parse(node.read_text(path, 65536))[0]
    except NodeError:
        return None


def _first_line(node, path):
    return _parsed(node, path, lambda text: (text.partition("\n")[0].strip(), 0)) or None


def container(node):
    """What kind of container the node is, by what managers of containers leave in them, or None."""
    named = _first_line(node, "/run/systemd/container")
    if named:
        return named
    for path, name in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")):
        if node.exists(path):
            return name
    if node.exists("/proc/vz") and not node.exists("/proc/bc"):
        return "openvz"
    variables = _parsed(node, "/proc/1/environ", lambda text: (text.split("\0"), 0)) or []
    return next(
        (word.partition("=")[2] for word in variables if word.startswith("container=") and word != "container="), None
    )


def _kcompactd_busy(node):
    """NUMA nodes whose kcompactd runs or waits for the disk. It is a child of kthreadd, which is process 2."""
    children = _parsed(node, "/proc/2/task/2/children", lambda text: (text.split(), 0))
    paths = ["/proc/%s/stat" % pid for pid in children] if children else node.glob("/proc/[0-9]*/stat")
    busy = []
    for path in paths:
        about = _parsed(node, path, process.parse_stat)
        match = re.match(r"kcompactd([0-9]+)\Z", about["comm"]) if about and about["ppid"] == 2 else None
        if match and about["state"] in "RD":
            busy.append(int(match.group(1)))
    return busy
