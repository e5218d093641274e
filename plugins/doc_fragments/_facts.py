# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  root:
    description:
      - The directory that holds the node's files. V(/) is the node itself, V(/host) the host of a container that has it
        mounted there.
      - The directory of an unpacked sosreport works as well, so that a node can be looked at without access to it.
    type: path
    default: /
  gather_subset:
    description:
      - What to gather, by the rules of M(ansible.builtin.setup). V(all), names, and names to leave out with V(!) in front.
      - The names are V(kernel), V(zones), V(migratetypes), V(extfrag), V(cgroups), V(slab), V(meminfo), V(vmstat),
        V(pressure), V(sysctl) and V(transparent_hugepage); V(min) is V(kernel) and V(zones), which are always there
        unless V(!min) is given.
      - V(pageblocks) is not part of V(all); M(kernelops.memfrag.memfrag_facts) knows it.
      - What was left out is V(null) in the result.
    type: list
    elements: str
    default: [all]
  top_slabs:
    description:
      - How many slab caches to list, largest first.
    type: int
    default: 10
  deadline_seconds:
    description:
      - How long the module may take. What was read until then is returned, and what was not is named with the reason.
      - Something on the node that gives no answer for 15 seconds, or for a quarter of this time, is left out.
        A command gets at most half of the time that is left.
    type: int
    default: 120
"""
