# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a run writes to the kernel, step by step, each within the limits of its target."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .. import _node_work
from .._node import seconds_now
from . import guards
from .plan import COMPACT_ALL, DROP_VALUES

COMPACT_NODE = "/sys/devices/system/node/node%d/compact"
DROP_CACHES = "/proc/sys/vm/drop_caches"


def targets(node, nodes):
    """[(NUMA node or None for all, file to write)]; kernels without NUMA have one file for all."""
    by_node = [(number, COMPACT_NODE % number) for number in nodes]
    return by_node if all(node.exists(path) for dummy, path in by_node) else [(None, COMPACT_ALL)]


class Steps:
    """Writes, and keeps in the result what was written: "steps" and "acted", as run() has them. Raises NodeError."""

    def __init__(self, node, target, numa_nodes, result, started):
        self.node, self.target, self.result, self.started = node, target, result, started
        self.targets = targets(node, numa_nodes)

    def check_writable(self, drops):
        """Raises NodeError where a file that is to be written may not be."""
        for path in sorted({path for dummy, path in self.targets}):
            self.node.check_writable(path)
        if drops:
            self.node.check_writable(DROP_CACHES)

    def stop(self, dummy_seconds=0):
        """-> why to go no further, or None"""
        if seconds_now() - self.started > self.target["time_limit_seconds"]:
            return "time limit of %d seconds" % self.target["time_limit_seconds"]
        limit = self.target["abort_pressure_percent"]
        if limit is not None:
            pressure = guards.memory_pressure(self.node)
            if pressure["broken"]:
                return "memory pressure cannot be judged: %s" % pressure["broken"]
            if not pressure["missing"] and pressure["value"] > limit:
                return "memory pressure of %.2f %%" % pressure["value"]
        return guards.switched_off(self.node)

    def compact(self):
        """-> whether it got to the end"""
        return all(self._step("compact", number, path, 1) for number, path in self.targets)

    def drop(self, what):
        """-> whether it got to the end"""
        # Dirty pages cannot be dropped; slab does not wait for them.
        if what != "slab" and not self._step("sync", None, None, None):
            return False
        return self._step("drop_caches_" + what, None, DROP_CACHES, DROP_VALUES[what])

    def _step(self, action, number, path, value):
        reason = self.stop()
        begun = seconds_now()
        if reason is None:
            reason = self._write(action, path, value)
            self.result["acted"] = self.result["acted"] or action != "sync"
        self.result["steps"].append(
            {
                "action": action,
                "node": number,
                "path": path,
                "seconds": round(seconds_now() - begun, 3),
                "ended": reason or "done",
            }
        )
        return reason is None

    def _write(self, action, path, value):
        if action == "sync":
            return _node_work.sync(self.stop)
        return _node_work.write_value(self.node, path, value, self.stop)
