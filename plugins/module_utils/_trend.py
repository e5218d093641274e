# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a record keeps in its first line for the forecast: the blocks that could be had, and what tells whether the machine is still the same.

Later reports read the first lines of earlier records alone.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._assessment.node_state import NodeState
from ._assessment.policy import complete

# /proc/vmstat counts what all compactions have looked at, and apart from that what kcompactd has, which runs by itself all the time.
_SCANNED = ("compact_migrate_scanned", "compact_free_scanned")
_BY_DAEMON = ("compact_daemon_migrate_scanned", "compact_daemon_free_scanned")
_DROPS = ("drop_pagecache", "drop_slab")


def of_facts(facts):
    """-> {blocks: per order, uptime_seconds, memory_kb, swept_pages, caches_dropped}; None for what is not known."""
    state = NodeState(facts, None, complete(None), estimates=False)
    counters = facts.get("vmstat") or {}
    swept = None
    if _SCANNED[0] in counters:
        swept = max(0, _sum(counters, _SCANNED) - _sum(counters, _BY_DAEMON))
    return {
        "blocks": [max(0, state.allocatable_blocks(order)) for order in range(state.orders)],
        "uptime_seconds": state.kernel.get("uptime_seconds"),
        "memory_kb": (facts.get("meminfo") or {}).get("memtotal"),
        "swept_pages": swept,
        "caches_dropped": _sum(counters, _DROPS) if _DROPS[0] in counters else None,
    }


def _sum(counters, names):
    return sum(counters.get(name) or 0 for name in names)
