# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The vm.* settings that matter for contiguous memory (Documentation/admin-guide/sysctl/vm.rst), and their text forms."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ._lines import is_number

# Present or not, but never read: 0200 since Linux 5.5, and what drop_caches shows is the last value written, not a state.
# As the contract of the facts has them. No setting of ours has more than a value per zone, or more than a few words.
_MOST_VALUES, _LONGEST = 256, 1024
WRITE_ONLY = "write-only"
_WRITE_ONLY_KEYS = ("vm.compact_memory", "vm.drop_caches")

KEYS = _WRITE_ONLY_KEYS + (
    "vm.admin_reserve_kbytes",
    "vm.compact_unevictable_allowed",
    "vm.compaction_proactiveness",
    "vm.defrag_mode",
    "vm.extfrag_threshold",
    "vm.extra_free_kbytes",
    "vm.lowmem_reserve_ratio",
    "vm.max_map_count",
    "vm.min_free_kbytes",
    "vm.min_slab_ratio",
    "vm.min_unmapped_ratio",
    "vm.nr_hugepages",
    "vm.nr_overcommit_hugepages",
    "vm.numa_stat",
    "vm.numa_zonelist_order",
    "vm.oom_dump_tasks",
    "vm.oom_kill_allocating_task",
    "vm.overcommit_memory",
    "vm.page-cluster",
    "vm.panic_on_oom",
    "vm.percpu_pagelist_fraction",
    "vm.percpu_pagelist_high_fraction",
    "vm.swappiness",
    "vm.user_reserve_kbytes",
    "vm.vfs_cache_pressure",
    "vm.vfs_cache_pressure_denom",
    "vm.watermark_boost_factor",
    "vm.watermark_scale_factor",
    "vm.zone_reclaim_mode",
)


def is_write_only(key):
    return key in _WRITE_ONLY_KEYS


def parse_sysctl_value(text):
    """The content of a file below /proc/sys: an int, a list of ints ("256 256 32"), or else the text. -> (value, unparsed lines)

    A number of more digits than any setting has is text, and what is longer than the contract has it is cut.
    """
    words = text.split()
    if words and all(is_number(word[1:] if word.startswith("-") else word) for word in words):
        values = [int(word) for word in words[:_MOST_VALUES]]
        return (values if len(values) > 1 else values[0]), 0
    return text.strip()[:_LONGEST], 0


def parse_sysctl_list(text):
    """The output of "sysctl -a", as an unpacked sosreport holds it. -> ({key: value}, unparsed lines)"""
    values, unparsed = {}, 0
    assignment = re.compile(r"([A-Za-z0-9_./-]{1,200})\s*=\s*(.*?)\s*\Z")
    for line in text.splitlines():
        match = assignment.match(line)
        if match:
            values[match.group(1)] = parse_sysctl_value(match.group(2))[0]
        elif line.strip():
            unparsed += 1
    return values, unparsed
