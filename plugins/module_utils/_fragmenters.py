# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Who fragments the memory now: watches a node for some seconds through a tracefs instance of its own.

The instance is removed at the end; one that a killed run left is removed by the next. Nothing else of the node's tracing is touched.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import os
import re
import signal
import time

from ._node import NodeError
from ._node_locks import lock
from ._procfs import extfrag_events
from ._text import strip_controls

LONGEST_SECONDS = 600

_TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_NAME = "memfrag-watch"
_LOCK = "/run/memfrag-watch.lock"
_EVENT = "/events/kmem/mm_page_alloc_extfrag"

# A histogram has three keys at the most (kernel/trace/tracing_map.h), so there is one for each migratetype that is taken from, and for
# whether the pageblock changed hands as a whole.
_HIST = "hist:keys=common_pid.execname,alloc_migratetype,stacktrace:size=2048 if fallback_migratetype == %d && change_ownership == %d"
_TAKEN_FROM = range(5)
_TRIGGERS = tuple(_HIST % (taken, whole) for taken in _TAKEN_FROM for whole in (0, 1))

# Kilobytes of buffer per CPU, and events after which the watch ends by itself: they would cost more than they tell. An event that the
# kernel counts by itself costs some microseconds, most of them for its stack.
_BUFFER_KB = 8192
_MOST_BUFFERED, _MOST_COUNTED = 20000, 500000
# Seconds from look to look; a histogram costs more to read, and has to be read for who they are while they live.
_BUFFER_INTERVAL, _HIST_INTERVAL = 0.5, 2.0

_MOST_FRAGMENTERS = 100
_LONGEST_CGROUP = 250
_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)
# Of the unified hierarchy, or of systemd's, or of the one for memory.
_CGROUP = re.compile(r"^[0-9]+:(?:|name=systemd|(?:[a-z_,=]*,)?memory(?:,[a-z_,=]*)?):(/.*)$", re.MULTILINE)

# Of these names of /proc/pagetypeinfo the kernel's own pages are; from that they take for good what could have been compacted.
_STAYING, _MOVING = ("Unmovable", "Reclaimable", "HighAtomic"), "Movable"


class WatchError(Exception):
    """Why it cannot be watched; a sentence."""


def watch(node, seconds, clock=time.time, sleep=time.sleep):
    """-> contract memfrag_watch: {seconds, events, overrun, stopped_early, fragmenters}. Raises WatchError.

    node   a WritableNode
    Ctrl-C ends the watch, not the answer.
    """
    try:
        tracefs = _find(node)
        with lock(node, _LOCK) as held, _tidy_end():
            if not held:
                raise WatchError("another watch is running on this node (%s)" % _LOCK)
            _clear(node, tracefs)
            instance = tracefs + "/instances/" + _NAME
            try:
                node.make_directory(instance)
                return _watch(node, instance, seconds, clock, sleep)
            finally:
                _clear(node, tracefs)
    except NodeError as error:
        raise WatchError(str(error))


@contextlib.contextmanager
def _tidy_end():
    """Ends the process by an exception where a signal would end it without one, so that what is to be removed is."""

    def leave(number, _frame):
        raise SystemExit(128 + number)

    before = {}
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            before[number] = signal.signal(number, leave)
    except ValueError:
        pass  # Not the main thread, which alone gets signals.
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
    for path, value in [(_EVENT + "/trigger", "!" + trigger) for trigger in _triggers(node, instance)] + [
        (_EVENT + "/enable", "0")
    ]:
        try:
            node.write_value(instance + path, value)
        except NodeError:
            pass  # There was none; if it is in the way all the same, removing the instance says so.
    node.remove(instance)


def _triggers(node, instance):
    """Those that are there, in the kernel's words: they may be of another version of this file."""
    try:
        lines = node.read_text(instance + _EVENT + "/trigger").splitlines()
    except NodeError:
        return ()
    return [re.sub(r" \[(?:active|paused)\]$", "", line) for line in lines if line.startswith("hist:")]


def _watch(node, instance, seconds, clock, sleep):
    counted = _count(node, instance)
    if not counted:
        node.write_value(instance + "/buffer_size_kb", str(_BUFFER_KB))
        node.write_value(instance + "/options/stacktrace", "1")
        node.write_value(instance + _EVENT + "/enable", "1")
    interval, owners = _HIST_INTERVAL if counted else _BUFFER_INTERVAL, {}
    started, early = clock(), False
    try:
        while clock() - started < seconds and not early:
            sleep(min(interval, max(0.0, seconds - (clock() - started))))
            early = _too_many(node, instance, counted, owners)
    except KeyboardInterrupt:
        early = True
    lasted = clock() - started
    if counted:
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
        "fragmenters": _fragmenters(node, rows, owners),
    }


def _count(node, instance):
    """Have the kernel count by itself. -> can it?"""
    if not node.exists(instance + _EVENT + "/hist"):
        return False
    try:
        for trigger in _TRIGGERS:
            node.write_value(instance + _EVENT + "/trigger", trigger)
    except NodeError:
        return False
    return True


def _too_many(node, instance, counted, owners):
    if not counted:
        return _entries(node, instance)[0] >= _MOST_BUFFERED
    text = node.read_text(instance + _EVENT + "/hist")
    for pid in set(map(int, re.findall(r"common_pid: .{1,32}?\[ *([0-9]{1,10})\]", text))):
        _owner(node, pid, owners)
    return sum(map(int, re.findall(r"Hits: ([0-9]{1,18})", text))) >= _MOST_COUNTED


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


def _fragmenters(node, rows, owners):
    """-> contract memfrag_watch, ``fragmenters``: those first that take for good what could have been compacted, of them the worst."""
    names, groups = _migratetypes(node), {}
    for row in rows:
        if row["pid"] == os.getpid():
            continue  # The tables of the watch itself.
        function = extfrag_events.caller(row["stack"])
        key = row["comm"], _owner(node, row["pid"], owners), function, row["alloc_migratetype"]
        key += (row["fallback_migratetype"],)
        group = groups.setdefault(
            key, {"stack": row["stack"], "blocks": set(), "uncounted": 0, "events": 0, "taken": 0}
        )
        group["events"] += row.get("count", 1)
        group["taken"] += row.get("count", 1) if row["whole"] else 0
        if row.get("pageblocks"):
            group["blocks"].update(row["pageblocks"])
        else:
            group["uncounted"] += row.get("count", 1)
    found = []
    for (comm, (cgroup, container), function, wanted, taken), group in groups.items():
        wanted, taken = names.get(wanted, str(wanted)), names.get(taken, str(taken))
        found.append(
            {
                "comm": comm,
                "cgroup": cgroup,
                "container": container,
                "function": function,
                "stack": group["stack"],
                "alloc_migratetype": wanted,
                "fallback_migratetype": taken,
                "pollutes": wanted in _STAYING and taken == _MOVING,
                "pageblocks": len(group["blocks"]) + group["uncounted"],
                "taken": group["taken"],
                "events": group["events"],
            }
        )
    found.sort(
        key=lambda row: (not row["pollutes"], -row["pageblocks"], -row["events"], row["comm"], str(row["function"]))
    )
    return found[:_MOST_FRAGMENTERS]


def lines(seen):
    """The contract as text, for a terminal."""
    yield "watched %s s%s: %d allocations took a block of another migratetype%s" % (
        seen["seconds"],
        ", ended early" if seen["stopped_early"] else "",
        seen["events"],
        ", %d more were lost" % seen["overrun"] if seen["overrun"] else "",
    )
    if seen["fragmenters"]:
        yield "   blocks    taken  from -> to                  task             function, cgroup"
    for row in seen["fragmenters"]:
        yield "%s%8d %8d  %-26s  %-15s  %s" % (
            "*" if row["pollutes"] else " ",
            row["pageblocks"],
            row["taken"],
            "%s -> %s" % (row["fallback_migratetype"], row["alloc_migratetype"]),
            strip_controls(row["comm"]),
            strip_controls(", ".join(part for part in (row["function"], row["cgroup"]) if part)),
        )
    if any(row["pollutes"] for row in seen["fragmenters"]):
        yield "* pages that cannot be moved, put where those were that can: that is what fragments for good"


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


def _owner(node, pid, owners):
    """(cgroup, container) of a process that is still there, or was when it was seen before; None for what is not known."""
    if pid not in owners:
        try:
            text = node.read_text("/proc/%d/cgroup" % pid, 65536)
        except NodeError:
            text = ""
        group, container = _CGROUP.search(text), _CONTAINER.search(text)
        owners[pid] = (
            group.group(1)[-_LONGEST_CGROUP:] if group else None,
            container.group(1) if container else None,
        )
    return owners[pid]
