# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF4xx: what feeds fragmentation: slab, and the lists of the CPUs."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .catalogue import make
from .node_state import percent

_LARGE = (
    ("MF401", "medium", "Unreclaimable", "unreclaimable_kb"),
    ("MF402", "low", "Reclaimable", "reclaimable_kb"),
)

# Lists of the CPUs below this do not matter, whatever their share.
_PCP_KB = 256 * 1024


def find(state):
    return _large(state) + _sparse(state) + _per_cpu_lists(state)


def _large(state):
    total, caches = state.usable_kb, state.slab.get("caches") or ()
    found = []
    for ident, severity, word, name in _LARGE:
        size = state.slab.get(name)
        if total and size and percent(size, total) >= state.policy["slab_percent"]:
            title = "%s slab takes %d MB, %d %% of the memory" % (word, size >> 10, percent(size, total))
            largest = [cache["name"] for cache in caches[:3]]
            found.append(make(ident, severity, title, size_kb=size, usable_kb=total, largest_caches=largest))
    return found


def _sparse(state):
    sparse = [
        cache
        for cache in state.slab.get("caches") or ()
        if cache["size_kb"] >= state.policy["sparse_slab_mb"] * 1024
        and (cache.get("utilization_percent") or 0) < state.policy["sparse_slab_percent"]
    ]
    if not sparse:
        return []
    first = sparse[0]
    title = "Slab cache %s holds %d MB for %d %% of its objects"
    title %= (first["name"], first["size_kb"] >> 10, first.get("utilization_percent") or 0)
    return [make("MF403", "low", title, caches=[cache["name"] for cache in sparse])]


def _per_cpu_lists(state):
    for outlook in state.serving:
        pages = outlook.zone["pcp_pages"] or 0
        if pages * state.page_kb >= _PCP_KB and percent(pages, pages + outlook.free) >= state.policy["pcp_percent"]:
            title = "%d MB of zone %s stand on per-cpu lists" % (state.megabytes(pages), outlook.zone["zone"])
            return [make("MF405", "info", title, node=outlook.zone["node"], zone=outlook.zone["zone"], pcp_pages=pages)]
    return []
