# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Who fragments the memory now: watches a node for some seconds through a tracefs instance of its own.

The instance is removed at the end; one that a killed run left is removed by the next. Nothing else of the node's tracing is touched.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import time

from ._node import NodeError
from ._procfs import extfrag_events

LONGEST_SECONDS = 600

_TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_NAME = "memfrag-watch"
_LOCK = "/run/memfrag-watch.lock"
_EVENT = "/events/kmem/mm_page_alloc_extfrag"
# A histogram has three keys at the most (kernel/trace/tracing_map.h), so there is one for each migratetype that is taken from.
_HIST = "hist:keys=common_pid.execname,alloc_migratetype,stacktrace:size=2048 if fallback_migratetype == %d"
_TAKEN_FROM = range(5)

# Kilobytes of buffer per CPU, and events after which the watch ends by itself: they would cost more than they tell.
_BUFFER_KB = 8192
_MOST_EVENTS = 20000
_INTERVAL = 0.5

_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)


class WatchError(Exception):
    """Why it cannot be watched; a sentence."""


def watch(node, seconds, clock=time.time, sleep=time.sleep):
    """-> contract memfrag_watch: {seconds, events, overrun, stopped_early, fragmenters}. Raises WatchError.

    node   a WritableNode
    """
    try:
        tracefs = _find(node)
        with node.lock(_LOCK) as held:
            if not held:
                raise WatchError("another watch is running on this node (%s)" % _LOCK)
            _clear(node, tracefs)
            instance = tracefs + "/instances/" + _NAME
            node.make_directory(instance)
            try:
                return _watch(node, instance, seconds, clock, sleep)
            finally:
                _clear(node, tracefs)
    except NodeError as error:
        raise WatchError(str(error))


def _find(node):
    for path in _TRACEFS:
        if node.exists(path + _EVENT):
            return path
    raise WatchError(
        "%s: no tracepoint kmem:mm_page_alloc_extfrag; is tracefs mounted (mount -t tracefs nodev %s), and is this root?"
        % (_TRACEFS[0] + _EVENT, _TRACEFS[0])
    )


def _clear(node, tracefs):
    """Remove the instance, if there is one: triggers and events first, or the kernel calls it busy."""
    instance = tracefs + "/instances/" + _NAME
    if not node.exists(instance):
        return
    undo = [(_EVENT + "/trigger", "!" + _HIST % taken) for taken in _TAKEN_FROM] + [(_EVENT + "/enable", "0")]
    for path, value in undo:
        try:
            node.write_value(instance + path, value)
        except NodeError:
            pass  # There was none; if it is in the way all the same, removing the instance says so.
    node.remove(instance)


def _watch(node, instance, seconds, clock, sleep):
    histogram = node.exists(instance + _EVENT + "/hist")
    if histogram:
        try:
            for taken in _TAKEN_FROM:
                node.write_value(instance + _EVENT + "/trigger", _HIST % taken)
        except NodeError:
            histogram = False
    if not histogram:
        node.write_value(instance + "/buffer_size_kb", str(_BUFFER_KB))
        node.write_value(instance + "/options/stacktrace", "1")
        node.write_value(instance + _EVENT + "/enable", "1")
    started, early = clock(), False
    while clock() - started < seconds and not early:
        sleep(min(_INTERVAL, max(0.0, seconds - (clock() - started))))
        early = not histogram and _entries(node, instance)[0] >= _MOST_EVENTS
    lasted = clock() - started
    if histogram:
        text = node.read_text(instance + _EVENT + "/hist")
        rows, _unparsed = extfrag_events.parse_histogram(text)
        lost = sum(map(int, re.findall(r"Dropped: ([0-9]{1,18})", text)))
    else:
        node.write_value(instance + _EVENT + "/enable", "0")
        lost = _entries(node, instance)[1]
        rows, _unparsed = extfrag_events.parse_trace(node.read_text(instance + "/trace"))
    return {
        "seconds": round(lasted, 1),
        "events": sum(row.get("count", 1) for row in rows),
        "overrun": lost,
        "stopped_early": early,
        "fragmenters": _fragmenters(node, rows),
    }


def _entries(node, instance):
    """(events in the buffers, events lost), over all CPUs."""
    entries = lost = 0
    for path in node.glob(instance + "/per_cpu/cpu*/stats"):
        try:
            found = dict(re.findall(r"^([a-z ]+): ([0-9]{1,18})$", node.read_text(path), re.MULTILINE))
        except NodeError:
            continue
        # Each event comes with its stack trace, an entry of its own.
        entries += int(found.get("entries", 0)) // 2
        lost += int(found.get("overrun", 0)) + int(found.get("dropped events", 0))
    return entries, lost


def _fragmenters(node, rows):
    """[{comm, container, function, stack, alloc_migratetype, fallback_migratetype, pageblocks, events}], the worst first."""
    names, containers, groups = _migratetypes(node), {}, {}
    for row in rows:
        if row["pid"] not in containers:
            containers[row["pid"]] = _container(node, row["pid"])
        function = extfrag_events.caller(row["stack"])
        key = (row["comm"], containers[row["pid"]], function, row["alloc_migratetype"], row["fallback_migratetype"])
        group = groups.setdefault(key, {"stack": row["stack"], "blocks": set(), "uncounted": 0, "events": 0})
        group["events"] += row.get("count", 1)
        if row.get("pageblocks"):
            group["blocks"].update(row["pageblocks"])
        else:
            group["uncounted"] += row.get("count", 1)
    found = [
        {
            "comm": comm,
            "container": container,
            "function": function,
            "stack": group["stack"],
            "alloc_migratetype": names.get(wanted, str(wanted)),
            "fallback_migratetype": names.get(taken, str(taken)),
            "pageblocks": len(group["blocks"]) + group["uncounted"],
            "events": group["events"],
        }
        for (comm, container, function, wanted, taken), group in groups.items()
    ]
    return sorted(found, key=lambda row: (-row["pageblocks"], -row["events"], row["comm"], str(row["function"])))[:100]


def _migratetypes(node):
    """{number: name}: the kernel lists them in the order of its enumeration, once for each zone."""
    try:
        text = node.read_text("/proc/pagetypeinfo")
    except NodeError:
        return {}
    names = []
    for name in re.findall(r"^Node +[0-9]+, zone +\S+, type +(\S+)", text, re.MULTILINE):
        if name in names:
            break
        names.append(name)
    return dict(enumerate(names))


def _container(node, pid):
    """The container of a process that is still there, by its cgroup; None for others."""
    try:
        match = _CONTAINER.search(node.read_text("/proc/%d/cgroup" % pid, 65536))
    except NodeError:
        return None
    return match.group(1) if match else None
