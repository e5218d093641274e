# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF5xx: what is configured against it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import math

from .catalogue import make
from .node_state import percent

# kB. Below the first the kernel's documentation calls the machine prone to deadlock; above the other a quarter of a percent is little.
_BROKEN_BELOW = 1024
_LARGE_MACHINE = 16 << 20
_LITTLE_PERCENT = 0.25

_EXTFRAG_DEFAULT = 500


def find(state):
    found = _min_free(state)
    if state.kernel.get("config_compaction") is False:
        found.append(make("MF503", "medium", "The kernel was built without compaction", config_compaction=False))
    if state.sysctl.get("vm.compaction_proactiveness") == 0:
        found.append(make("MF504", "low", "vm.compaction_proactiveness is 0", compaction_proactiveness=0))
    threshold = state.sysctl.get("vm.extfrag_threshold")
    if isinstance(threshold, int) and threshold > _EXTFRAG_DEFAULT:
        title = "vm.extfrag_threshold is %d, above the default of %d" % (threshold, _EXTFRAG_DEFAULT)
        found.append(make("MF505", "low", title, extfrag_threshold=threshold))
    mode, nodes = state.sysctl.get("vm.zone_reclaim_mode"), len({zone["node"] for zone in state.zones})
    if mode and nodes > 1:
        title = "vm.zone_reclaim_mode is %s on a machine with %d NUMA nodes" % (mode, nodes)
        found.append(make("MF506", "medium", title, zone_reclaim_mode=mode))
    return found


def _min_free(state):
    total, minimum = state.usable_kb, state.sysctl.get("vm.min_free_kbytes")
    if not total or not isinstance(minimum, int):
        return []
    share, limit = percent(minimum, total), state.policy["min_free_percent"]
    evidence = {"min_free_kbytes": minimum, "usable_kb": total}
    if share > limit:
        title = "min_free_kbytes is %d, %.1f %% of the memory" % (minimum, share)
        return [make("MF502", "high" if share > 2 * limit else "medium", title, **evidence)]
    # A machine of a few megabytes has less than that of its own accord: the square root of 16 times its memory.
    broken = minimum < min(_BROKEN_BELOW, 0.9 * math.sqrt(16 * total))
    if broken or (total > _LARGE_MACHINE and share < _LITTLE_PERCENT):
        title = "min_free_kbytes is %d, %.2f %% of the memory" % (minimum, share)
        return [make("MF501", "medium" if broken else "low", title, **evidence)]
    return []
