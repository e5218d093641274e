# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""When to compact memory, and to reclaim slab before it; the guards; doing it, and measuring what it did.

A policy states a wanted condition: so many free blocks of an order on each NUMA node. A run acts where the condition is not
met, where compaction can meet it, and where no guard speaks against it; otherwise it says why it did not.

    policy = complete(options)              every option checked, the rest at its default; PolicyError names the wrong one
    verdict = plan(facts, policy)           pure: is it needed, will it help
    verdict = plan(facts, policy, conditions(node, facts))     with the guards
    result = run(node, policy)              the whole of it, with lock, limits, back-off and measurement

Everything goes in and out as plain dicts; pages, kB, thousandths and seconds as the names say.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import json
import re
import time

from . import _facts, _fragmentation
from ._fragmentation import KERNEL_ZONES, RESERVED, STATES
from ._node import NodeError
from ._procfs import loadavg, process

# What a run needs of the facts; slabs and settings play no part in it.
SUBSET = ("kernel", "zones", "migratetypes", "meminfo", "vmstat", "pressure")

COMPACT_ALL = "/proc/sys/vm/compact_memory"
COMPACT_NODE = "/sys/devices/system/node/node%d/compact"
DROP_CACHES = "/proc/sys/vm/drop_caches"

STATE_DIRECTORY = "/var/lib/memfrag"
STATE_FILE = STATE_DIRECTORY + "/compaction.json"
# Directories that only root may write to, so that nobody else can hold the lock; the second is for el6.
LOCK_FILES = ("/run/memfrag.lock", "/var/run/memfrag.lock")

# drop_caches: what is asked for -> what is written (mm/vmscan.c, fs/drop_caches.c).
_DROP_VALUES = {"pagecache": 1, "slab": 2, "all": 3}

# Every option of a policy: type, default, range or choices. A default of None switches the option off.
OPTIONS = {
    # The wanted condition. Order 5 is what a network namespace asks for on old kernels, and veth pairs on many CPUs.
    "order": {"type": "int", "default": 5, "min": 1, "max": 20},
    "min_free_blocks": {"type": "int", "default": 16, "min": 1, "max": 1000000},
    # Thousandths; Oracle's memstate calls a zone fragmented above 950, 1000 switches this off.
    "max_unusable_index": {"type": "int", "default": 950, "min": 0, "max": 1000},
    "nodes": {"type": "list", "elements": "int", "default": [], "min": 0, "max": 1023},
    "zones": {
        "type": "list",
        "elements": "str",
        "default": list(KERNEL_ZONES),
        "choices": list(KERNEL_ZONES) + ["HighMem", "Movable"],
    },
    "force": {"type": "bool", "default": False},
    # "auto" drops slab, and only where slab is what is in the way and compaction alone has failed.
    "drop_caches": {"type": "str", "default": "auto", "choices": ["auto", "none", "slab", "pagecache", "all"]},
    # The guards.
    "max_pressure_percent": {"type": "float", "default": 1.0, "min": 0, "max": 100},
    "abort_pressure_percent": {"type": "float", "default": 5.0, "min": 0, "max": 100},
    "max_load_per_cpu": {"type": "float", "default": 1.0, "min": 0, "max": 1000},
    "min_free_percent": {"type": "float", "default": 1.0, "min": 0, "max": 50},
    "time_limit_seconds": {"type": "int", "default": 300, "min": 1, "max": 3600},
    "backoff_seconds": {"type": "int", "default": 14400, "min": 0, "max": 604800},
    "backoff_max_seconds": {"type": "int", "default": 86400, "min": 0, "max": 2592000},
    # "22:00-04:30", local time; None is at any time.
    "window": {
        "type": "str",
        "default": None,
        "pattern": r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z",
        "form": "HH:MM-HH:MM",
    },
    "allow_container": {"type": "bool", "default": False},
}
# Guards that may be switched off altogether.
_MAY_BE_NONE = ("max_pressure_percent", "abort_pressure_percent", "max_load_per_cpu", "min_free_percent", "window")

# Python 2 has two types of text.
TEXT_TYPES = (str, type(b"".decode("ascii")))

# Why a run did not act, or broke off. Those of the second group hold off something that is needed.
NOT_NEEDED = ("met",)
HELD_OFF = ("locked", "window", "backoff", "container", "pressure", "load", "kcompactd_busy", "low_memory")
NO_HELP = ("unsupported", "unmovable", "memory_shortage")
FAILED = ("not_live", "not_writable", "no_zones")

# A zone with less than this part of its node's memory does not speak for the node.
_ZONE_SHARE = 10
# Slab is in the way where one page in so many is reclaimable slab, or one pageblock in so many belongs to it.
_SLAB_SHARE = 20
# The fall of the unusable index, in thousandths, from which on a run has helped that did not reach its goal.
_HELPED = 50


class PolicyError(ValueError):
    """An option of a policy that is unknown or out of range; the message names it and what is allowed."""


# --- the policy ---------------------------------------------------------------------------------------------------


def complete(options, options_table=None):
    """-> a policy with every option, from the ones given (None counts as not given, or as off where that is allowed)."""
    table = options_table or OPTIONS
    for name in options:
        if name not in table:
            raise PolicyError("%s: no such option; there are %s" % (name, ", ".join(sorted(table))))
    policy = {}
    for name, about in table.items():
        value = options.get(name, about["default"])
        if value is None and name in options and name not in _MAY_BE_NONE:
            value = about["default"]
        policy[name] = value if value is None else _checked(name, value, about)
    low, high = policy["max_pressure_percent"], policy["abort_pressure_percent"]
    if low is not None and high is not None and low > high:
        raise PolicyError("max_pressure_percent: %s is above abort_pressure_percent (%s)" % (low, high))
    return policy


def _shown(value):
    """A wrong value as its author wrote it, or nearly so."""
    return json.dumps(value, default=str)


def _checked(name, value, about):
    if about["type"] == "list":
        if not isinstance(value, (list, tuple)):
            raise PolicyError("%s: %s is not a list" % (name, _shown(value)))
        return [_checked(name, item, dict(about, type=about["elements"])) for item in value]
    if about["type"] == "bool":
        if not isinstance(value, bool):
            raise PolicyError("%s: %s is neither true nor false" % (name, _shown(value)))
        return value
    if about["type"] in ("int", "float"):
        # A boolean is no number, although Python would take it for one. Through Jinja a number may arrive as text.
        number = float("%s" % (value,)) if re.match(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z", "%s" % (value,)) else None
        if (
            number is None
            or about["type"] == "int"
            and number != int(number)
            or not about["min"] <= number <= about["max"]
        ):
            what = "a whole number" if about["type"] == "int" else "a number"
            raise PolicyError(
                "%s: %s is not %s from %s to %s" % (name, _shown(value), what, about["min"], about["max"])
            )
        return int(number) if about["type"] == "int" else number
    text = value if isinstance(value, TEXT_TYPES) else None
    if "choices" in about and text not in about["choices"]:
        raise PolicyError("%s: %s is not one of %s" % (name, _shown(value), ", ".join(about["choices"])))
    if "pattern" in about and not (text is not None and re.match(about["pattern"], text)):
        raise PolicyError("%s: %s is not of the form %s" % (name, _shown(value), about["form"]))
    return text


# --- the measure --------------------------------------------------------------------------------------------------


def measure(facts, policy):
    """How far the wanted condition is met.

    -> {"satisfied", "nodes": {"0": {"satisfied", "state", "free_blocks" (of the order, usable), "unusable_index" (the worst of
    the zones that matter), "missing": [what is not met, in words], "zones": {"Normal": [free blocks per order]}}}}
    """
    order, nodes = policy["order"], {}
    for zone in _zones(facts, policy):
        nodes.setdefault(str(zone["node"]), []).append(zone)
    measured = {name: _measure_node(zones, order, policy) for name, zones in nodes.items()}
    return {"satisfied": all(node["satisfied"] for node in measured.values()), "nodes": measured}


def _zones(facts, policy):
    zones = [
        zone
        for zone in facts["zones"]
        if zone["zone"] in policy["zones"] and (not policy["nodes"] or zone["node"] in policy["nodes"])
    ]
    highest = max([len(zone["free_blocks"]) for zone in zones] or [0]) - 1
    if zones and policy["order"] > highest:
        raise PolicyError("order: %d is more than this kernel has; its orders are 0 to %d" % (policy["order"], highest))
    missing = sorted(set(policy["nodes"]) - {zone["node"] for zone in facts["zones"]})
    if missing and facts["zones"]:
        there = sorted({zone["node"] for zone in facts["zones"]})
        raise PolicyError("nodes: there is no node %s; there are %s" % (missing[0], ", ".join(map(str, there))))
    return [zone for zone in zones if policy["order"] < len(zone["free_blocks"])]


def _measure_node(zones, order, policy):
    usable = [zone for zone in zones if zone["states"][order] != RESERVED]
    state = _fragmentation.best([zone["states"][order] for zone in usable] or ["exhausted"])
    blocks = sum(_fragmentation.suitable_blocks(_fragmentation.usable_blocks(zone), order) for zone in usable)
    unusable = max([zone["unusable_index"][order] for zone in _that_matter(usable)] or [1000])
    # More than half of the free memory in blocks of this size is not for compaction to bring about.
    wanted = min(policy["min_free_blocks"], max(1, sum(zone["free_pages"] for zone in usable) >> order + 1))
    missing = []
    if state != "ok":
        missing.append("order %d is in state %s" % (order, state))
    if blocks < wanted:
        missing.append("%d free blocks of order %d, %d are wanted" % (blocks, order, wanted))
    if unusable > policy["max_unusable_index"]:
        missing.append("unusable index %d, at most %d is wanted" % (unusable, policy["max_unusable_index"]))
    return {
        "satisfied": not missing,
        "state": state,
        "free_blocks": blocks,
        "unusable_index": unusable,
        "missing": missing,
        "zones": {zone["zone"]: list(zone["free_blocks"]) for zone in zones},
    }


def _size(zone):
    return zone["managed_pages"] or zone["free_pages"]


def _that_matter(zones):
    """The zones of a node without the small ones, whose few blocks say nothing."""
    return [zone for zone in zones if _size(zone) * _ZONE_SHARE >= sum(map(_size, zones))]


# --- will it help -------------------------------------------------------------------------------------------------


def obstacle(zone, order):
    """What keeps compaction of this zone from making blocks of the order: None, "memory_shortage" or "unmovable".

    Compaction moves pages into free pages of movable pageblocks (mm/compaction.c, suitable_migration_target()), and needs
    free memory above the watermark for it (compaction_suitable(); 2 << order is compact_gap()).
    """
    gap = 2 << order
    marks = zone["watermarks"] or {"min": 0, "low": 0}
    mark = marks["low"] if order > _fragmentation.PAGE_ALLOC_COSTLY_ORDER else marks["min"]
    if _fragmentation.free_pages(zone["free_blocks"]) < mark + gap:
        return "memory_shortage"
    room = _fragmentation.movable_room(zone, order)
    return "unmovable" if room is not None and room < gap else None


def _slab_in_the_way(facts, zones):
    memory = facts["meminfo"] or {}
    if memory.get("sreclaimable", 0) * _SLAB_SHARE >= memory.get("memtotal", float("inf")):
        return True
    blocks = [zone["pageblocks"] for zone in zones if zone["pageblocks"]]
    reclaimable = sum(block.get("Reclaimable", 0) for block in blocks)
    return reclaimable and reclaimable * _SLAB_SHARE >= sum(sum(block.values()) for block in blocks)


# --- the plan -----------------------------------------------------------------------------------------------------


def plan(facts, policy, conditions=None):
    """Whether to act, on which nodes, and why (not). Pure.

    facts       as _facts.collect() gives them, at least SUBSET
    policy      as complete() gives it
    conditions  as conditions() gives them; without them the guards are left out

    -> {"act", "reason" (one word: "needed", "forced", or one of NOT_NEEDED, HELD_OFF, NO_HELP, FAILED), "message" (a sentence),
    "nodes": [NUMA nodes to compact], "drop_caches": what to drop before it or None, "slab_in_the_way", "before": measure()}
    """
    verdict = {"act": False, "nodes": [], "drop_caches": None, "slab_in_the_way": False, "before": None}

    def no(reason, message):
        return dict(verdict, reason=reason, message=message)

    zones = _zones(facts, policy)
    if not zones:
        return no(
            "no_zones",
            "no zone %s on this node: %s"
            % (
                " or ".join(policy["zones"]),
                facts["unavailable"].get("buddyinfo", "nothing like it in /proc/buddyinfo"),
            ),
        )
    if facts["kernel"]["config_compaction"] is False:
        return no("unsupported", "the kernel was built without CONFIG_COMPACTION: %s does not exist" % COMPACT_ALL)
    before = verdict["before"] = measure(facts, policy)
    verdict["slab_in_the_way"] = bool(_slab_in_the_way(facts, zones))
    if policy["drop_caches"] in _DROP_VALUES:
        verdict["drop_caches"] = policy["drop_caches"]
    if policy["force"]:
        verdict["nodes"] = sorted({zone["node"] for zone in zones})
        reason, message = "forced", "asked to compact unconditionally"
    else:
        if before["satisfied"]:
            return no("met", "every node has what is wanted of order %d" % policy["order"])
        reason, message = _need(verdict, zones, before, policy)
        if reason != "needed":
            return no(reason, message)
    held = _held_off(facts, policy, conditions, verdict["nodes"]) if conditions is not None else None
    if held:
        return no(*held)
    return dict(verdict, act=True, reason=reason, message=message)


def _need(verdict, zones, before, policy):
    """Sets the nodes that compaction would help. -> (reason, message)"""
    order, obstacles = policy["order"], []
    for name in sorted(before["nodes"], key=int):
        if before["nodes"][name]["satisfied"]:
            continue
        usable = [zone for zone in zones if str(zone["node"]) == name and zone["states"][order] != RESERVED]
        found = [obstacle(zone, order) for zone in _that_matter(usable)]
        if None in found or verdict["drop_caches"] and found:
            verdict["nodes"].append(int(name))
        obstacles.extend(found)
    if verdict["nodes"]:
        return "needed", "; ".join(
            "node %d: %s" % (node, ", ".join(before["nodes"][str(node)]["missing"])) for node in verdict["nodes"]
        )
    if "unmovable" in obstacles:
        return "unmovable", (
            "compaction would not help: the free memory is in pageblocks of unmovable pages; drain and reboot the node"
        )
    return (
        "memory_shortage",
        "compaction would not help: too little memory is free to move pages into; free or add memory",
    )


def _held_off(facts, policy, conditions, nodes):
    """The first guard that speaks against it: (reason, message), or None."""
    now = conditions["now"]
    if conditions["container"] and not policy["allow_container"]:
        return "container", "this is a container (%s); compaction is the host's business" % conditions["container"]
    if not policy["force"]:
        if policy["window"] and not in_window(policy["window"], conditions["minute_of_day"]):
            return "window", "outside the window %s" % policy["window"]
        state = conditions["state"]
        if (
            state.get("boot_id") == conditions["boot_id"]
            and now < state.get("retry_after", 0) <= now + policy["backoff_max_seconds"]
        ):
            return "backoff", "the last %d runs did not help; the next one is due in %d seconds" % (
                state.get("failures", 1),
                state["retry_after"] - now,
            )
    pressure = (facts["pressure"] or {}).get("some_avg10")
    if None not in (pressure, policy["max_pressure_percent"]) and pressure > policy["max_pressure_percent"]:
        return "pressure", "memory pressure is %.2f %%, at most %.2f %% is allowed" % (
            pressure,
            policy["max_pressure_percent"],
        )
    load, cpus = conditions["load"], conditions["cpus"]
    if None not in (load, cpus, policy["max_load_per_cpu"]) and load > policy["max_load_per_cpu"] * cpus:
        return "load", "the load is %.2f on %d CPUs, at most %.2f per CPU is allowed" % (
            load,
            cpus,
            policy["max_load_per_cpu"],
        )
    busy = sorted(set(conditions["kcompactd_busy"]) & set(nodes))
    if busy:
        return "kcompactd_busy", "the kernel is compacting node %s itself" % ", ".join(map(str, busy))
    memory = facts["meminfo"] or {}
    if policy["min_free_percent"] is not None and memory.get("memtotal") and "memfree" in memory:
        percent = 100.0 * memory["memfree"] / memory["memtotal"]
        if percent < policy["min_free_percent"]:
            return "low_memory", "%.2f %% of the memory is free, at least %.2f %% is wanted" % (
                percent,
                policy["min_free_percent"],
            )
    return None


def in_window(window, minute):
    """Whether the minute of the day is in "22:00-04:30"; a window may go past midnight, and of one moment it is the day."""
    begin, end = (int(part[:2]) * 60 + int(part[3:5]) for part in window.split("-"))
    return begin <= minute < end if begin < end else minute >= begin or minute < end


# --- the node's condition -----------------------------------------------------------------------------------------


def conditions(node, facts):
    """What the guards look at, besides the facts; None, or empty, where the node does not say.

    -> {"now", "minute_of_day", "boot_id", "container", "load" (of 5 minutes), "cpus", "kcompactd_busy": [nodes], "state": {...}}
    """
    now = time.time()
    local = time.localtime(now)
    return {
        "now": int(now),
        "minute_of_day": local.tm_hour * 60 + local.tm_min,
        "boot_id": _first_line(node, "/proc/sys/kernel/random/boot_id"),
        "container": container(node),
        "load": (_parsed(node, "/proc/loadavg", loadavg.parse_loadavg) or [None, None])[1],
        "cpus": _parsed(node, "/sys/devices/system/cpu/online", _facts._count_cpus) or facts["kernel"]["possible_cpus"],
        "kcompactd_busy": _kcompactd_busy(node),
        "state": load_state(node),
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


# --- the back-off -------------------------------------------------------------------------------------------------


def load_state(node):
    """What the runs before left for the next: {boot_id, failures, retry_after, runs: {reason: n}, ...}; {} without one."""
    try:
        state = json.loads(node.read_text(STATE_FILE, 65536))
    except (NodeError, ValueError):
        return {}
    return state if isinstance(state, dict) and isinstance(state.get("runs"), dict) else {}


def next_state(state, result, policy, boot_id, now):
    """The state after a run. An effective run forgives the others; declining leaves the back-off as it is. Pure."""
    runs = dict(state.get("runs", {}))
    runs[result["reason"]] = runs.get(result["reason"], 0) + 1
    new = dict(state, schema_version=1, boot_id=boot_id, runs=runs)
    if state.get("boot_id") != boot_id:
        new.update(failures=0, retry_after=0)
    if result["acted"]:
        failures = 0 if result["helped"] else new.get("failures", 0) + 1
        wait = min(policy["backoff_seconds"] << min(failures - 1, 20), policy["backoff_max_seconds"]) if failures else 0
        new.update(failures=failures, retry_after=now + wait if failures else 0)
    return new


# --- the run ------------------------------------------------------------------------------------------------------


def run(node, policy, dry_run=False, remember=True, gather=_facts.collect):
    """Looks, decides, acts and measures. Raises PolicyError alone; whatever else goes wrong is a reason in the result.

    node      a WritableNode; one that is not live is only looked at
    dry_run   decides and writes nothing, not even a lock file
    remember  keeps the outcome on the node for the back-off (STATE_FILE)

    -> {"schema_version": 1, "started_at", "duration_seconds", "dry_run", "acted" (something was written to the kernel), "act" (in a
    dry run: something would be), "reason", "message", "order", "nodes": [compacted], "steps": [{"action", "node", "path", "seconds",
    "ended": "done" or why not}], "before", "after": measure() or None, "satisfied", "helped": bool or None, "counters": {vmstat
    field: increase}, "error": what failed or None}
    """
    started = time.time()
    result = {
        "schema_version": 1,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "dry_run": dry_run,
        "act": False,
        "acted": False,
        "order": policy["order"],
        "nodes": [],
        "steps": [],
        "before": None,
        "after": None,
        "satisfied": None,
        "helped": None,
        "counters": {},
        "error": None,
    }
    with _lock(node, dry_run) as held:
        if held is not True:
            result.update(reason="locked" if held is False else "not_writable", error=held or None)
            result["message"] = held or "another run holds the lock"
        else:
            _run_locked(node, policy, result, gather, started)
            result["duration_seconds"] = round(time.time() - started, 3)
            if remember and not dry_run and result["reason"] not in FAILED:
                _remember(node, policy, result)
    result["duration_seconds"] = round(time.time() - started, 3)
    return result


@contextlib.contextmanager
def _lock(node, dry_run):
    """Gives True where this run holds the lock, False where another one does, and otherwise the error."""
    path = next((path for path in LOCK_FILES if node.exists(path.rpartition("/")[0])), None)
    if path is None:
        yield True if dry_run else "no directory for the lock: none of %s" % ", ".join(LOCK_FILES)
        return
    # What happens while the lock is held is not the lock's to translate.
    lock = node.lock(path, create=not dry_run)
    try:
        held = lock.__enter__()
    except NodeError as error:
        # Whoever may not even open the lock may look, but not act.
        yield True if dry_run else str(error)
        return
    try:
        yield held
    finally:
        lock.__exit__(None, None, None)


def _run_locked(node, policy, result, gather, started):
    facts = gather(node, SUBSET)
    verdict = plan(facts, policy)
    if verdict["act"]:
        verdict = plan(facts, policy, conditions(node, facts))
    result.update((name, verdict[name]) for name in ("act", "reason", "message", "nodes", "before"))
    result["satisfied"] = verdict["before"]["satisfied"] if verdict["before"] else None
    if not verdict["act"] or result["dry_run"]:
        return
    if not node.live:
        result.update(act=False, reason="not_live", error="%s is not the running kernel's" % node.root)
        result["message"] = "nothing to compact: " + result["error"]
        return
    targets = _targets(node, verdict["nodes"])
    try:
        for path in sorted({path for dummy, path in targets}):
            node.check_writable(path)
        if verdict["drop_caches"]:
            node.check_writable(DROP_CACHES)
    except NodeError as error:
        result.update(act=False, reason="not_writable", message="cannot compact: %s" % error, error=str(error))
        return
    try:
        after = _act(node, policy, verdict, targets, result, gather, started)
    except NodeError as error:
        result.update(reason="not_writable", message="broke off: %s" % error, error=str(error))
        after = gather(node, SUBSET)
    _settle(result, facts, after, policy)


def _targets(node, nodes):
    """[(NUMA node or None for all, file to write)]; kernels without NUMA have one file for all."""
    by_node = [(number, COMPACT_NODE % number) for number in nodes]
    return by_node if all(node.exists(path) for dummy, path in by_node) else [(None, COMPACT_ALL)]


def _act(node, policy, verdict, targets, result, gather, started):
    """-> the facts after it."""

    def stop(dummy_seconds):
        if time.time() - started > policy["time_limit_seconds"]:
            return "time limit of %d seconds" % policy["time_limit_seconds"]
        limit, pressure = policy["abort_pressure_percent"], None
        if limit is not None:
            pressure = (gather(node, ("!all", "!min", "pressure"))["pressure"] or {}).get("some_avg10")
        if pressure is not None and pressure > limit:
            return "memory pressure of %.2f %%" % pressure
        return None

    def step(action, number, path, value):
        reason = stop(0)
        begun = time.time()
        if reason is None:
            reason = node.sync(stop) if action == "sync" else node.write_value_watched(path, value, stop)
            result["acted"] = result["acted"] or action != "sync"
        result["steps"].append(
            {
                "action": action,
                "node": number,
                "path": path,
                "seconds": round(time.time() - begun, 3),
                "ended": reason or "done",
            }
        )
        return reason is None

    def compact():
        return all(step("compact", number, path, 1) for number, path in targets)

    def drop(what):
        # Dirty pages cannot be dropped; slab does not wait for them.
        if what != "slab" and not step("sync", None, None, None):
            return False
        return step("drop_caches_" + what, None, DROP_CACHES, _DROP_VALUES[what])

    going = drop(verdict["drop_caches"]) if verdict["drop_caches"] else True
    going = going and compact()
    after = gather(node, SUBSET)
    fallback = policy["drop_caches"] == "auto" and verdict["slab_in_the_way"] and not policy["force"]
    if going and fallback and not measure(after, policy)["satisfied"] and drop("slab") and compact():
        after = gather(node, SUBSET)
    return after


def _settle(result, facts, after, policy):
    """Puts into the result what the run has done to memory."""
    before, measured = result["before"], measure(after, policy)
    result["after"] = measured
    result["satisfied"] = measured["satisfied"]
    result["counters"] = _increases(facts["vmstat"], after["vmstat"])
    pairs = [(before["nodes"][str(number)], measured["nodes"].get(str(number))) for number in result["nodes"]]
    result["helped"] = measured["satisfied"] or any(
        new
        and (
            new["satisfied"]
            or STATES.index(new["state"]) < STATES.index(old["state"])
            or old["unusable_index"] - new["unusable_index"] >= _HELPED
        )
        for old, new in pairs
    )
    broken_off = [step for step in result["steps"] if step["ended"] != "done"]
    if result["error"] is None and result["acted"]:
        result["message"] = "compacted %s: %s" % (
            "node " + ", ".join(map(str, result["nodes"])),
            "; ".join(
                "node %s: free blocks of order %d %d -> %d, unusable index %d -> %d"
                % (
                    number,
                    policy["order"],
                    old["free_blocks"],
                    new["free_blocks"],
                    old["unusable_index"],
                    new["unusable_index"],
                )
                for number, (old, new) in zip(result["nodes"], pairs)
                if new
            ),
        )
    if broken_off:
        result["message"] += "; broke off: " + broken_off[0]["ended"]


def _increases(before, after):
    """Counters of /proc/vmstat that went up in between: compact_*, pgmigrate_*, drop_*."""
    names = [name for name in after or () if name.startswith(("compact_", "pgmigrate_", "drop_"))]
    increases = {name: after[name] - (before or {}).get(name, 0) for name in names}
    return {name: value for name, value in increases.items() if value > 0}


def _remember(node, policy, result):
    boot_id = _first_line(node, "/proc/sys/kernel/random/boot_id")
    state = next_state(load_state(node), result, policy, boot_id, int(time.time()))
    state["last_run"] = {
        name: result[name] for name in ("started_at", "duration_seconds", "reason", "acted", "satisfied", "helped")
    }
    try:
        node.make_directory(STATE_DIRECTORY, 0o755)
        node.write_file(STATE_FILE, json.dumps(state, indent=1, sort_keys=True) + "\n")
    except NodeError as error:
        result["error"] = result["error"] or str(error)
