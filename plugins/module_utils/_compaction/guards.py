# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What speaks against compacting now, whatever is wanted.

A guard whose source is there and cannot be read or understood holds off; one whose source this kernel does not have is named.

    answer = ask(target, conditions(node, facts), nodes)
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import re
import time

from .._node import NodeError
from .._procfs import cpulist, loadavg, meminfo, pressure, process
from .._timezone import in_zone, zone_of
from . import container, reading, state

# Whoever runs a fleet puts this file on a node to stop every job on it at once. What is in it is the reason that is given.
KILL_SWITCH = "/etc/memfrag/disable"

_LOCALTIME = "/etc/localtime"
_PRESSURE = "/proc/pressure/memory"
_CPUS = "/sys/devices/system/cpu/online"


# --- what the guards look at --------------------------------------------------------------------------------------


def conditions(node, facts):
    """-> {"now", "minute_of_day", "boot_id", and by the name of the guard what it has read, as reading.py has it}"""
    now = time.time()
    local, window = _local_time(node, now)
    return {
        "now": int(now),
        "minute_of_day": local.tm_hour * 60 + local.tm_min,
        "boot_id": state.boot_id(node),
        "kill_switch": kill_switch(node),
        "container": container.find(node),
        "window": window,
        "backoff": state.read(node),
        "pressure": memory_pressure(node),
        "load": _load(node, facts["kernel"]["possible_cpus"]),
        "kcompactd_busy": _kcompactd_busy(node),
        "low_memory": reading.parsed(node, "/proc/meminfo", _free_percent),
    }


def _local_time(node, now):
    """-> (the time of the day in the node's time zone, a reading: broken where that is not known)"""
    if node.root == "/":
        return time.localtime(now), reading.of()
    zone = zone_of(node)
    if zone:
        return in_zone(zone, lambda: time.localtime(now)), reading.of()
    # Without a word of it the C library takes UTC.
    broken = reading.is_there(node, _LOCALTIME)
    return time.gmtime(now), reading.of(broken="%s: not understood" % _LOCALTIME if broken else None)


def kill_switch(node):
    """-> a reading: the reason that the file gives, or None where it is not there. A directory, a dangling link: all of it counts."""
    if not reading.is_there(node, KILL_SWITCH):
        return reading.of()
    try:
        text = node.read_text(KILL_SWITCH, 4096).partition("\n")[0].strip()
    except NodeError as error:
        return reading.of(error.reason)
    return reading.of("".join(sign for sign in text if 32 <= ord(sign) < 127)[:200] or "no reason given")


def switched_off(node):
    """-> the sentence of the kill switch, or None. It is asked on its own, too: it ends what is going on."""
    return _is_switched_off(None, kill_switch(node)["value"], None, None)


def memory_pressure(node):
    """-> a reading: the share of the time that some task waited for memory, percent of 10 seconds."""

    def some(text):
        values, unparsed = pressure.parse_pressure(text)
        return None if unparsed else values.get("some_avg10")

    return reading.parsed(node, _PRESSURE, some)


def _load(node, possible_cpus):
    """-> a reading: (load of 5 minutes, CPUs)"""
    load = reading.parsed(node, "/proc/loadavg", lambda text: (loadavg.parse_loadavg(text)[0] or [None, None])[1])
    cpus = reading.parsed(node, _CPUS, lambda text: cpulist.count_cpus(text)[0])
    if cpus["missing"] and possible_cpus:
        cpus = reading.of(possible_cpus)
    for one in (load, cpus):
        if one["value"] is None:
            return one
    return reading.of((load["value"], cpus["value"]))


def _kcompactd_busy(node):
    """-> a reading: NUMA nodes whose kcompactd runs or waits for the disk. It is a child of kthreadd, which is process 2."""
    try:
        children = node.read_text("/proc/2/task/2/children", 65536).split()
    except NodeError:
        # CONFIG_PROC_CHILDREN is off, or the kernel is older than 3.5.
        children = []
    paths = ["/proc/%s/stat" % pid for pid in children] if children else node.glob("/proc/[0-9]*/stat")
    busy, found = [], False
    for path in paths:
        try:
            text = node.read_text(path, 4096)
            about = process.parse_stat(text)[0]
        except NodeError as error:
            if error.missing or error.errno == errno.ESRCH:
                # Processes end.
                continue
            return reading.failed(error)
        if text.strip() and not about:
            return reading.of(broken="%s: not understood" % path)
        match = re.match(r"kcompactd([0-9]+)\Z", about["comm"]) if about and about["ppid"] == 2 else None
        if match:
            found = True
            if about["state"] in "RD":
                busy.append(int(match.group(1)))
    # Linux before 4.6 has none, and from inside a container none is seen.
    return reading.of(busy) if found else reading.of(missing="no kcompactd among the processes")


def _free_percent(text):
    memory = meminfo.parse_meminfo(text)[0]
    if not memory.get("memtotal") or "memfree" not in memory:
        return None
    return 100.0 * memory["memfree"] / memory["memtotal"]


# --- the guards: each gives a sentence where it holds off -----------------------------------------------------------


def _is_switched_off(dummy_target, found, dummy_conditions, dummy_nodes):
    return found and "%s is there: %s" % (KILL_SWITCH, found)


def _is_container(dummy_target, found, dummy_conditions, dummy_nodes):
    return found and "this is a container: %s; compaction is the host's business" % found


def _is_outside(target, dummy_found, now, dummy_nodes):
    if not in_window(target["window"], now["minute_of_day"]):
        return "outside the window %s" % target["window"]
    return None


def _is_backed_off(target, found, now, dummy_nodes):
    due = found.get("retry_after", 0)
    # A clock that was set back must not hold the job off for years.
    if found.get("boot_id") == now["boot_id"] and now["now"] < due <= now["now"] + target["backoff_max_seconds"]:
        return "the last %d runs did not help; the next one is due in %d seconds" % (
            found.get("failures", 1),
            due - now["now"],
        )
    return None


def _is_under_pressure(target, found, dummy_conditions, dummy_nodes):
    most = target["max_pressure_percent"]
    return found > most and "memory pressure is %.2f %%, at most %.2f %% is allowed" % (found, most)


def _is_loaded(target, found, dummy_conditions, dummy_nodes):
    load, cpus = found
    most = target["max_load_per_cpu"]
    return load > most * cpus and "the load is %.2f on %d CPUs, at most %.2f per CPU is allowed" % (load, cpus, most)


def _is_compacting(dummy_target, found, dummy_conditions, nodes):
    busy = sorted(set(found) & set(nodes))
    return busy and "the kernel is compacting node %s itself" % ", ".join(map(str, busy))


def _is_short(target, found, dummy_conditions, dummy_nodes):
    least = target["min_free_percent"]
    return found < least and "%.2f %% of the memory is free, at least %.2f %% is wanted" % (found, least)


# name, question, the option that switches it off with None or False, whether "force" goes before it
_GUARDS = (
    ("kill_switch", _is_switched_off, None, False),
    ("container", _is_container, "allow_container", False),
    ("window", _is_outside, "window", True),
    ("backoff", _is_backed_off, None, True),
    ("pressure", _is_under_pressure, "max_pressure_percent", False),
    ("load", _is_loaded, "max_load_per_cpu", False),
    ("kcompactd_busy", _is_compacting, None, False),
    ("low_memory", _is_short, "min_free_percent", False),
)
NAMES = tuple(guard[0] for guard in _GUARDS)


def ask(target, now, nodes):
    """Asks one guard after the other, to the first that holds off.

    -> {"guard": its name or None, "message": its sentence, "unchecked": {guard: why it could not be asked}}
    """
    unchecked = {}
    for name, question, option, unless_forced in _GUARDS:
        if unless_forced and target["force"] or _is_off(target, option):
            continue
        found = now[name]
        if found["missing"]:
            unchecked[name] = found["missing"]
            continue
        message = "cannot be judged: %s" % found["broken"] if found["broken"] else None
        message = message or question(target, found["value"], now, nodes)
        if message:
            return {"guard": name, "message": message, "unchecked": unchecked}
    return {"guard": None, "message": None, "unchecked": unchecked}


def _is_off(target, option):
    if option is None:
        return False
    return target[option] if option.startswith("allow_") else target[option] is None


def in_window(window, minute):
    """Whether the minute of the day is in "22:00-04:30"; a window may go past midnight, and of one moment it is the day."""
    begin, end = (int(part[:2]) * 60 + int(part[3:5]) for part in window.split("-"))
    return begin <= minute < end if begin < end else minute >= begin or minute < end
