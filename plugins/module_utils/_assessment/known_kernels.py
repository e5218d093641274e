# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF6xx: kernels that are known for asking for large blocks."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .. import _consumers, _releases
from .._consumers import MUST_NOT_FAIL
from .catalogue import make

# That many more cgroups than directories are no longer those on their way out.
_LEAK_TIMES, _LEAK_MORE = 3, 1000


def find(state):
    return _conntrack(state) + _cgroups(state) + _veth(state)


def _conntrack(state):
    caches = state.slab.get("nf_conntrack_caches")
    if not caches:
        return []
    title = (
        "%d network namespaces have a connection tracking cache of their own, and each new one needs another" % caches
    )
    return [make("MF601", "low", title, nf_conntrack_caches=caches, release=state.kernel["release"])]


def _cgroups(state):
    number, directories = state.cgroups.get("memory_cgroups"), state.cgroups.get("memory_directories")
    if not number or not directories or number <= _LEAK_TIMES * directories + _LEAK_MORE:
        return []
    release = state.kernel["release"]
    has_array = _consumers.has_memcg_array(release) if release else state.slab.get("nf_conntrack_caches")
    order = _consumers.memcg_array_order(number, state.kernel["page_size"]) if has_array else None
    title = "%d memory cgroups, but only %d directories: the others were removed and still hold memory"
    title %= (number, directories)
    if order:
        title += "; each new slab cache therefore needs order %d" % order
    evidence = {"memory_cgroups": number, "memory_directories": directories, "order": order}
    return [make("MF602", "high" if order else "medium", title, **evidence)]


def _veth(state):
    size, cpus, release = _consumers.veth_bytes(state.kernel), state.kernel["possible_cpus"], state.kernel["release"]
    if size <= MUST_NOT_FAIL:
        return []
    order = _releases.order_of(size, state.kernel["page_size"])
    title = "Each veth pair needs order %d on this kernel, for %d possible CPUs" % (order, cpus)
    return [make("MF603", "low", title, possible_cpus=cpus, release=release, order=order)]
