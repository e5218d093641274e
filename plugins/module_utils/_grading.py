# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What follows from what was seen of a node: indices and states of each zone, and per order what can be had and who asks for it.

All of it is computed from the facts alone, so that an audit does it on the controller: a node does not pay for it, nor is it asked.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import _consumers, _fragmentation, _states

_INDICES = (
    ("extfrag_index", _fragmentation.fragmentation_index),
    ("unusable_index", _fragmentation.unusable_index),
)

# What a node need not say of its kernel.
_UNKNOWN_KERNEL = dict.fromkeys(("release", "possible_cpus", "hugepage_order", "watermark_check"))


def grade(facts):
    """-> the same facts with ``allocatable``, and in each zone ``states``, ``atomic`` and the indices that debugfs did not have.

    facts of ``_observation.observe()``, or a node's answer that holds the contract; what it says of these is not asked for.
    """
    kernel = dict(dict(_UNKNOWN_KERNEL, **facts["kernel"]), containers=facts.get("containers"))
    groups, slab = facts.get("cgroups") or {}, facts.get("slab") or {}
    zones = facts["zones"]
    names = {zone["zone"] for zone in zones}
    for zone in zones:
        _grade_zone(zone, names, kernel["watermark_check"] == "scaled", facts.get("meminfo"))
    needed_by = _consumers.needed_by(kernel, slab.get("nf_conntrack_caches"), groups.get("memory_cgroups"))
    facts["allocatable"] = _states.allocatable(zones, needed_by)
    return facts


def _grade_zone(zone, names, scaled, memory):
    blocks = zone["free_blocks"]
    for name, computed in _INDICES:
        if zone.get("index_source") != "debugfs" or len(zone.get(name) or ()) != len(blocks):
            zone[name] = [computed(blocks, order) for order in range(len(blocks))]
    zone["states"], zone["atomic"] = _states.zone_states(_states.complete(zone, memory), names, scaled)
