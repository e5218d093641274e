#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_facts
short_description: Facts about physical memory fragmentation
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Says which sizes of contiguous memory a Linux node can still hand out, per order, zone and NUMA node, and who asks for them.
  - A node can have gigabytes free and no block of 32 pages. Containers stop starting then, and C(free) does not tell why.
  - The indices are the kernel's own arithmetic. They are the same with and without debugfs.
  - An order is the power of two of the pages in a block. With pages of 4 kB, order 5 is 128 kB.
notes:
  - Without root everything readable is reported; what is not is listed in RV(ansible_facts.memfrag.unavailable).
  - Reading costs the node a few milliseconds. C(/proc/pagetypeinfo) is left alone on old kernels whose zone lock it would
    hold for long.
extends_documentation_fragment:
  - kernelops.memfrag._attributes
  - kernelops.memfrag._attributes.info_module
  - kernelops.memfrag._attributes.facts
  - kernelops.memfrag._facts
options:
  pageblocks:
    description:
      - How the subset V(pageblocks) of O(gather_subset) looks at the pageblocks. It is not part of V(all), needs root, and costs
        0.2 seconds of CPU on a machine of any size, for which what it says is an estimate with an interval.
      - V(sample) reads 2000 pageblocks, drawn at random; of pageblocks with more than 512 pages so many fewer.
      - V(full) reads every pageblock, which takes about 0.1 seconds of CPU per GB of memory with pages of 4 kB.
    type: str
    choices: [sample, full]
    default: sample
    version_added: 1.0.0
seealso:
  - module: kernelops.memfrag.memfrag_audit
  - module: kernelops.memfrag.memfrag_journal_info
  - module: kernelops.memfrag.memfrag_watch
  - module: kernelops.memfrag.memfrag_compact
  - plugin: kernelops.memfrag.risk
    plugin_type: filter
  - plugin: kernelops.memfrag.allocatable
    plugin_type: test
"""

EXAMPLES = r"""
- name: Gather everything about contiguous memory
  kernelops.memfrag.memfrag_facts:

- name: Show what the node can still allocate
  ansible.builtin.debug:
    msg: >-
      order {{ item.order }}: {{ item.state }}
      {{ item.needed_by | join('; ') }}
  loop: "{{ ansible_facts.memfrag.allocatable }}"
  loop_control:
    label: "{{ item.order }}"

- name: Refuse to go on without what a network namespace needs on el7
  ansible.builtin.assert:
    that: ansible_facts.memfrag.allocatable[5].state == 'ok'
    fail_msg: "order 5 is {{ ansible_facts.memfrag.allocatable[5].state }}"

- name: Gather without the files that need root
  kernelops.memfrag.memfrag_facts:
    gather_subset:
      - '!slab'
      - '!migratetypes'
      - '!extfrag'

- name: Ask what holds the pageblocks, and for huge pages after compaction
  kernelops.memfrag.memfrag_facts:
    gather_subset:
      - all
      - pageblocks

- name: Look at the host from inside a container that has it at /host
  kernelops.memfrag.memfrag_facts:
    root: /host
"""

RETURN = r"""
ansible_facts:
  description: The facts, under one name.
  returned: always
  type: dict
  contains:
    memfrag:
      description: All about contiguous memory on this node. Parts that were not asked for, or that the kernel lacks, are V(null).
      returned: always
      type: dict
      contains:
        schema_version:
          description: Version of this structure.
          returned: always
          type: int
          sample: 1
        collected_at:
          description: When, in UTC, ISO 8601.
          returned: always
          type: str
          sample: '2026-11-21T03:00:00Z'
        kernel:
          description: The kernel and what it makes of memory.
          returned: always
          type: dict
          contains:
            release:
              description: As C(uname -r) has it.
              returned: always
              type: str
              sample: 6.1.0-56-cloud-amd64
            machine:
              description: As C(uname -m) has it.
              returned: always
              type: str
              sample: x86_64
            page_size:
              description: Bytes per page.
              returned: always
              type: int
              sample: 4096
            uptime_seconds:
              description: Seconds since boot.
              returned: always
              type: float
              sample: 86400.5
            config_compaction:
              description: Whether the kernel can compact memory (CONFIG_COMPACTION), V(null) if that cannot be told.
              returned: always
              type: bool
              sample: true
            hugepage_order:
              description: Order of a huge page.
              returned: always
              type: int
              sample: 9
            possible_cpus:
              description: Number of CPUs that the kernel is prepared for.
              returned: always
              type: int
              sample: 64
            watermark_check:
              description:
                - How this kernel holds a request to the watermarks. V(scaled) is the check of Linux up to 4.3, el6 and el7, which
                  asks for free memory above every order; V(order0) the one since.
              returned: always
              type: str
              sample: order0
            dma_drivers:
              description: Loaded drivers whose devices reach only low addresses, so that they depend on zone DMA. Null without C(/proc/modules).
              returned: always
              type: list
              elements: str
              sample: []
        containers:
          description:
            - Whether a container runtime is, or was, at work here, by its sockets and directories.
            - Null where nothing tells, as in an unpacked archive.
          returned: always
          type: bool
          sample: true
        cgroups:
          description: Many more memory cgroups than directories are the sign of a kernel-memory leak of old kernels.
          returned: always
          type: dict
          contains:
            memory_cgroups:
              description: Memory cgroups in the kernel, the removed ones that still hold memory included.
              returned: always
              type: int
              sample: 120
            memory_directories:
              description: Directories of the memory hierarchy.
              returned: always
              type: int
              sample: 118
        zones:
          description: One entry per NUMA node and zone, as C(/proc/buddyinfo) lists them.
          returned: always
          type: list
          elements: dict
          contains:
            node:
              description: NUMA node.
              returned: always
              type: int
              sample: 0
            zone:
              description: Name of the zone.
              returned: always
              type: str
              sample: Normal
            free_blocks:
              description: Free blocks per order; the list index is the order.
              returned: always
              type: list
              elements: int
              sample: [40153, 12774, 302, 17, 0, 0, 0, 0, 0, 0, 0]
            free_pages:
              description: Pages on these free lists.
              returned: always
              type: int
              sample: 67045
            managed_pages:
              description: Pages that the allocator manages.
              returned: always
              type: int
              sample: 3341755
            present_pages:
              description: Pages physically present.
              returned: always
              type: int
              sample: 3407872
            watermarks:
              description: The zone's watermarks min, low and high, in pages.
              returned: always
              type: dict
              sample: {min: 13884, low: 17355, high: 20826}
            boost_pages:
              description: What mixing of pageblocks has added to the watermarks for now (Linux 5.17 and later).
              returned: always
              type: int
              sample: 0
            lowmem_reserve:
              description: Pages kept from requests of each zone class.
              returned: always
              type: list
              elements: int
              sample: [0, 0, 13053, 13053]
            pcp_pages:
              description: Free pages on the per-cpu lists, which the free lists do not count.
              returned: always
              type: int
              sample: 512
            free_cma_pages:
              description: Free pages of contiguous memory areas, closed to ordinary requests.
              returned: always
              type: int
              sample: 0
            reserved_highatomic_pages:
              description: Free pages set aside for atomic requests.
              returned: always
              type: int
              sample: 0
            extfrag_index:
              description:
                - The kernel's fragmentation index per order, in thousandths. V(-1000) means that a block is free; near 0 the
                  zone is short of memory, near 1000 it is fragmented.
              returned: always
              type: list
              elements: int
              sample: [-1000, -1000, -1000, -1000, 940, 970, 985, 993, 997, 999, 1000]
            unusable_index:
              description: Share of the free memory in blocks too small for the order, in thousandths.
              returned: always
              type: list
              elements: int
              sample: [0, 598, 979, 997, 1000, 1000, 1000, 1000, 1000, 1000, 1000]
            index_source:
              description: Where the indices come from, V(debugfs) or V(computed). They are the same.
              returned: always
              type: str
              sample: computed
            states:
              description:
                - The answer of this zone to an ordinary kernel request, per order. One of RV(ansible_facts.memfrag.allocatable[].state),
                  or V(reserved) for a zone that lowmem_reserve keeps from such requests.
              returned: always
              type: list
              elements: str
              sample: [ok, ok, ok, ok, needs_compaction]
            atomic:
              description: Whether an atomic request would be served by this zone, per order.
              returned: always
              type: list
              elements: bool
              sample: [true, true, true, true, false]
            migratetypes:
              description: Free blocks per order of each migratetype.
              returned: always
              type: dict
              sample: {Unmovable: [501, 1685, 1669, 1658, 0], Movable: [0, 0, 0, 0, 0]}
            migratetypes_capped:
              description: Whether some of these counts are lower bounds, since the kernel stops counting at 100000.
              returned: always
              type: bool
              sample: false
            pageblocks:
              description: Pageblocks of each migratetype.
              returned: always
              type: dict
              sample: {Unmovable: 72, Movable: 20, Reclaimable: 4}
        allocatable:
          description:
            - What the node can still hand out, one entry per order, for an ordinary kernel request (GFP_KERNEL, unmovable)
              that may use any NUMA node.
          returned: always
          type: list
          elements: dict
          contains:
            order:
              description: The order.
              returned: always
              type: int
              sample: 5
            state:
              description:
                - V(ok), a block would be handed out at once. V(needs_reclaim), memory is short and there is some to reclaim.
                  V(needs_compaction), memory is free, but not in one piece, and pages can be moved to make one.
                  V(exhausted), neither reclaim nor compaction would help.
              returned: always
              type: str
              sample: needs_compaction
            nodes:
              description: The state of each NUMA node, for requests bound to it.
              returned: always
              type: dict
              sample: {'0': needs_compaction, '1': ok}
            atomic:
              description: Whether an atomic request would be served.
              returned: always
              type: bool
              sample: false
            needed_by:
              description: What asks for this order on this kernel.
              returned: always
              type: list
              elements: str
              sample: ['each new network namespace: its own nf_conntrack slab cache (pods, containers)']
        slab:
          description: The slab allocator, which takes contiguous memory and breaks it up.
          returned: always
          type: dict
          contains:
            reclaimable_kb:
              description: Reclaimable slab, in kB.
              returned: always
              type: int
              sample: 191036
            unreclaimable_kb:
              description: Unreclaimable slab, in kB.
              returned: always
              type: int
              sample: 27736
            nf_conntrack_caches:
              description: Slab caches of connection tracking that belong to one network namespace each (Linux up to 4.6, el7).
              returned: always
              type: int
              sample: 8
            caches:
              description: The largest caches; O(top_slabs) of them.
              returned: always
              type: list
              elements: dict
              sample:
                - {name: dentry, size_kb: 22308, active_objects: 117117, objects: 117117, object_size: 192,
                   objects_per_slab: 21, pages_per_slab: 1, order: 0, utilization_percent: 100.0}
        meminfo:
          description: Fields of C(/proc/meminfo), names in lower case, in kB.
          returned: always
          type: dict
          sample: {memtotal: 24684092, memfree: 23416404, memavailable: 24248780}
        vmstat:
          description: Fields of C(/proc/vmstat). The counters count since boot.
          returned: always
          type: dict
          sample: {compact_stall: 12, compact_fail: 9, compact_success: 3}
        pressure:
          description: Memory pressure in percent of time, C(total) in microseconds since boot.
          returned: always
          type: dict
          sample: {some_avg10: 0.18, full_avg10: 0.18, some_total: 37434}
        sysctl:
          description:
            - The vm settings that matter here, V(null) where the kernel has none. Settings that can only be written are
              V(write-only).
          returned: always
          type: dict
          sample: {vm.min_free_kbytes: 67584, vm.compact_memory: write-only, vm.defrag_mode: null}
        transparent_hugepage:
          description: The choices of transparent huge pages.
          returned: always
          type: dict
          sample: {enabled: madvise, defrag: madvise}
        pageblock_survey:
          description:
            - What holds the pageblocks, from C(/proc/kpageflags); V(null) unless the subset V(pageblocks) was asked for.
            - C(zones) has for each zone C(held_by), the pageblocks by what keeps them from becoming free (C(movable) is nothing), with their 95 %
              intervals where a sample was taken; and C(yields), the blocks of each order that would be free after one compaction,
              C(after_reclaim) the same with page cache and reclaimable slab freed before. C(map) is the zone from its start to its end, a letter
              for each C(cell_blocks) pageblocks, by what most of them are held by, V(f) being free throughout, V(m) free or movable, V(s) slab,
              V(p) page table, V(k) kernel, V(r) reserved, V(h) hugetlb, V(c) other compound pages, V(u) unevictable, V(o) offline or taken by a
              hypervisor, V(x) poisoned, V(.) a hole, V(?) not looked at.
            - C(low) of a row is what there is once the per-cpu lists have given back what they need not keep. C(high) counts what they hold up
              as well, which needs no compaction; C(moved) is at most what the compaction itself makes, and decides whether it may help.
            - Where the node tool is installed, what earlier compactions brought corrects C(yields); C(uncorrected) is what was expected
              without it. C(last_compaction) has what the last one was expected to bring and what it brought (C(obtained)).
            - C(callers) says who holds the kernel's pages, where the kernel keeps count (C(/proc/allocinfo), page_owner).
          returned: always
          type: dict
          sample:
            sampled: 2007
            total: 12800
            complete: false
            callers: null
            last_compaction: null
            zones:
              - node: 0
                zone: Normal
                blocks: 10752
                sampled: 1680
                held_by: {movable: 6460, kernel: 3104, slab: 704, page_table: 484}
                held_by_interval: {movable: [6210, 6700], kernel: [2880, 3340], slab: [590, 830], page_table: [390, 590]}
                yields:
                  - {order: 9, now: 229, low: 2510, expected: 4100, high: 6884}
                after_reclaim:
                  - {order: 9, now: 229, low: 3300, expected: 5200, high: 7100}
        hugepages:
          description:
            - Per NUMA node and size of huge page, what the pool has (C(reserved), C(free)) and how many could be allocated beside it,
              C(now), C(after_compaction) and C(after_reclaim) with a compaction after it. V(null) unless the subset V(pageblocks) was
              asked for.
          returned: always
          type: list
          elements: dict
          sample:
            - node: 0
              size_kb: 2048
              reserved: 0
              free: 0
              now: 229
              after_compaction: {low: 2510, expected: 4100, high: 6884}
              after_reclaim: {low: 3300, expected: 5200, high: 7100}
        unavailable:
          description: Every source that could not be read, and why.
          returned: always
          type: dict
          sample: {slabinfo: '/proc/slabinfo: permission denied, root can read it'}
        unparsed_lines:
          description: Lines that could not be understood, counted per source. Empty when all were.
          returned: always
          type: dict
          sample: {}
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import (
    _facts,
    _hugepages,
    _pageblocks,
    _watch,
    _yields,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_trust import TrustingNode


def main():
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/"},
            "gather_subset": {"type": "list", "elements": "str", "default": ["all"]},
            "top_slabs": {"type": "int", "default": 10},
            "deadline_seconds": {"type": "int", "default": _watch.DEADLINE_SECONDS},
            "pageblocks": {"type": "str", "choices": ["sample", "full"], "default": "sample"},
        },
        supports_check_mode=True,
    )
    params = module.params

    def survey(node, facts):
        learned = _yields.load(TrustingNode(node.root, node.deadline))
        _hugepages.collect(node, facts, None if params["pageblocks"] == "full" else _pageblocks.SAMPLE, learned=learned)

    def work(deadline, tell):
        node = Node(params["root"], deadline)
        tell("facts", _facts.collect(node, params["gather_subset"], params["top_slabs"], survey))

    try:
        parts = _watch.collect(params["deadline_seconds"], work)
    except _watch.CollectError as error:
        module.fail_json(msg=str(error))
    if "facts" not in parts:
        module.fail_json(msg=parts.gave_up)
    module.exit_json(ansible_facts={"memfrag": json.loads(parts["facts"])})


if __name__ == "__main__":
    main()
