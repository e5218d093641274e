# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF204, MF205: memory is short, whatever pieces it is in."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._procfs.meminfo import available as available_kb
from .catalogue import make
from .node_state import percent

# Where neither meminfo nor watermarks tell, so much must be free in bytes not to be short, on a machine of the size below.
_FREE_BYTES = ((4 << 20, "critical"), (8 << 20, "high"), (16 << 20, "medium"))
_FULL_KB = 4 << 20


def find(state):
    """Findings that say so; without any the machine is not short."""
    return _available(state) + _atomic(state)


def _available(state):
    """MF205, by MemAvailable, or by what is free where nothing else is known."""
    total, available = state.usable_kb, available_kb(state.memory)
    if total and available is not None:
        share, limit = percent(available, total), state.policy["available_percent"]
        for part, severity in ((5.0, "critical"), (2.5, "high"), (1.0, "medium")):
            if share * part < limit:
                title = "%d MB of %d MB are available, %.1f %%" % (available >> 10, total >> 10, share)
                return [make("MF205", severity, title, memavailable_kb=available, usable_kb=total)]
    elif state.zones and (state.estimated or not any(zone["watermarks"] for zone in state.zones)):
        return _free(state)
    return []


def _free(state):
    free = state.free_pages() * state.kernel["page_size"]
    part = min(1.0, (state.memory_kb or _FULL_KB) / float(_FULL_KB))
    for limit, severity in _FREE_BYTES:
        if free < limit * part:
            title = "Only %.1f MB are free" % (free / 1048576.0)
            # A machine whose size is not known may be a small one, which lives like this.
            severity = "high" if severity == "critical" and free and not state.memory_kb else severity
            return [make("MF205", severity, title, free_kb=free >> 10)]
    return []


def _atomic(state):
    atomic = [zone for zone in state.zones if zone.get("atomic")]
    if not atomic or any(zone["atomic"][0] for zone in atomic):
        return []
    return [make("MF204", "medium", "Not a single page is left for an atomic request", zones=len(atomic))]
