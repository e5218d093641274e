#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_compact
short_description: Compacts memory where that is needed and will help
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - States how much contiguous memory a node is to have, for example sixteen free blocks of each order that its kernel cannot do
    without, on each NUMA node. Where that is so, nothing happens. Where it is not, the module has the kernel compact its memory and measures what came of it.
  - It does not act where compaction cannot help, because the free memory stands among unmovable pages or because memory is
    short, and it does not act while one of its guards speaks against it. RV(reason) and RV(message) tell which.
  - Compaction moves the pages of programs and files together, in the kernel, while they go on. It takes milliseconds to seconds
    per gigabyte of one CPU's time, and pages on the move have to be waited for.
notes:
  - On a large machine this takes minutes. Use C(async) and C(poll) for nodes with terabytes, or O(nodes) to go node by node.
    O(time_limit_seconds) ends it in any case. What a task with C(async) ends with is taken by Ansible itself, unchecked; do so with nodes that
    nobody else has in hand.
  - RV(ignore:changed) says that something was written to the kernel, not that the numbers moved; they move by themselves, too.
    What came of it is in RV(satisfied) and RV(helped). A node that is still not satisfied is no failure, unless
    O(fail_if_unsatisfied=true) makes it one.
  - Where something is lacking, the pageblocks of the node are surveyed before, as for the subset V(pageblocks) of
    M(kernelops.memfrag.memfrag_facts), from C(/proc/kpageflags) and for a fifth of a second of CPU. What is expected by it goes
    before what the migratetypes let expect. What came of it is kept in C(/var/lib/memfrag/yields.json), if the node tool has that directory there, and
    corrects what is expected the next time.
  - What compaction frees stands on lists of single CPUs first, thousands of pages on Linux 6.7 and later. Before the survey and after the compaction
    C(/proc/sys/vm/stat_refresh) is read, upon which the kernel takes it back from them; not in check mode.
  - The lock, and the back-off after a run that did not help, are shared with the job of the role
    P(kernelops.memfrag.memfrag_tuning#role). Up to Linux 6.4 any value written compacts, newer kernels take V(1) only; this
    module writes V(1), to the files of single NUMA nodes where there are any.
attributes:
  check_mode:
    support: full
    details:
      - Looks, decides and writes nothing. RV(promised) says what is expected to come of it.
  diff_mode:
    support: full
    details:
      - Shows the free blocks of each zone before and after. In check mode, where it would act, what is after is what is expected,
        or V(unknown) where the pageblocks could not be surveyed.
  idempotent:
    support: partial
    details:
      - A second run changes nothing if the first one reached the wanted condition. Memory may break up again in between, and
        there is fragmentation that compaction cannot mend. With O(force=true) every run compacts.
extends_documentation_fragment:
  - kernelops.memfrag._attributes
  - kernelops.memfrag._attributes.action
options:
  root:
    description:
      - The directory that holds the node's files. V(/) is the node itself, V(/host) the host of a container that has it
        mounted there.
    type: path
    default: /
  order:
    description:
      - The order that is wanted, the power of two of the pages in a block, from 1 on. With pages of 4 kB, order 5 is 128 kB, which a
        new network namespace needs on old kernels, and order 9 is a huge page.
      - V(auto) is each order without which something fails on this kernel. That is order 3 with pages of 4 kB, since requests up to
        32 kB may not fail, and what this kernel asks for in one piece for a new process, a new thread, a network namespace or a veth
        pair. RV(orders) has them, and who needs them. Several are met when each is; the largest that is lacking is looked at first.
    type: str
    default: auto
  min_free_blocks:
    description:
      - So many free blocks of O(order) are wanted on each NUMA node, larger blocks counted as what they can be split into. With
        O(order=auto) so many of each.
      - At most as many as half of the node's free memory, however.
    type: int
    default: 16
  max_unusable_index:
    description:
      - The kernel's unusable free space index of O(order), in thousandths, that is not to be exceeded. It is the share of the free
        memory that sits in blocks smaller than O(order). V(1000) switches this condition off.
    type: int
    default: 950
  nodes:
    description:
      - The NUMA nodes to look at and to compact. All of them if empty.
      - Each of them has to have one of the O(zones). What is wanted is judged by these nodes and zones alone.
    type: list
    elements: int
    default: []
  zones:
    description:
      - The zones that count. Those that ordinary requests of the kernel are served from, by default.
      - The kernel compacts whole NUMA nodes, whatever zones are given here.
    type: list
    elements: str
    choices: [DMA, DMA32, Normal, HighMem, Movable]
    default: [DMA, DMA32, Normal]
  force:
    description:
      - Compact even if the wanted condition is met, or if it does not look as if that would help. Time window and back-off do not
        count then; the guards that protect the node do.
    type: bool
    default: false
  drop_caches:
    description:
      - What to free before memory is compacted. Freed pages are read from disk again, and directory entries looked up again, so
        that this costs more than compaction does. The kernel's documentation advises against it outside of testing.
      - V(auto) frees slab, and only if slab is in the way and compaction alone did not help.
    type: str
    choices: [none, auto, slab, pagecache, all]
    default: none
  fail_if_unsatisfied:
    description:
      - Fail if the node is not in the wanted condition in the end, whatever the reason.
    type: bool
    default: false
  max_pressure_percent:
    description:
      - Do not begin while tasks wait for memory more than this share of the time (C(some avg10) of C(/proc/pressure/memory)).
        V(100) switches this guard off.
    type: float
    default: 1.0
  abort_pressure_percent:
    description:
      - Break off when tasks wait for memory more than this share of the time. V(100) switches this guard off.
    type: float
    default: 5.0
  max_load_per_cpu:
    description:
      - Do not begin while the load of the last five minutes, per CPU, is above this.
    type: float
    default: 1.0
  min_free_percent:
    description:
      - Do not begin with less than this share of the memory free; compaction needs room. V(0) switches this guard off.
    type: float
    default: 1.0
  time_limit_seconds:
    description:
      - Break off after this time.
    type: int
    default: 300
  backoff_seconds:
    description:
      - After a run that did not help, so long nothing is tried; twice as long after the second, and so on. V(0) switches this guard
        off.
    type: int
    default: 14400
  backoff_max_seconds:
    description:
      - The longest back-off.
    type: int
    default: 86400
  window:
    description:
      - The time of day in which to compact, in the node's time zone, as in V(22:00-04:30). At any time if not given.
    type: str
  allow_container:
    description:
      - Compact from inside a container. It is the host's memory that is compacted.
    type: bool
    default: false
seealso:
  - module: kernelops.memfrag.memfrag_facts
  - module: kernelops.memfrag.memfrag_audit
  - module: kernelops.memfrag.memfrag_tool
  - module: kernelops.memfrag.memfrag_remediation
  - name: The role kernelops.memfrag.memfrag_tuning
    description: Settings, node tool and compaction job together.
    link: https://github.com/kernelops/kernelops.memfrag/tree/main/roles/memfrag_tuning
  - name: Documentation for /proc/sys/vm
    description: The kernel's own description of compact_memory, drop_caches and compaction_proactiveness.
    link: https://docs.kernel.org/admin-guide/sysctl/vm.html
"""

EXAMPLES = r"""
- name: Have 16 blocks of each order that the kernel cannot do without
  kernelops.memfrag.memfrag_compact:
  become: true

- name: Make room for huge pages on NUMA node 1, in the small hours
  kernelops.memfrag.memfrag_compact:
    order: 9
    min_free_blocks: 64
    nodes: [1]
    window: 01:00-04:00
  become: true

- name: Free slab first, and fail if order 4 is still not to be had
  kernelops.memfrag.memfrag_compact:
    order: 4
    drop_caches: slab
    fail_if_unsatisfied: true
  become: true
  register: compaction

- name: Say what it did, or why it did nothing
  ansible.builtin.debug:
    msg: "{{ compaction.reason }}: {{ compaction.message }}"
"""

RETURN = r"""
reason:
  description:
    - Why it acted or not, in one word.
    - V(needed) and V(forced), it acted. V(met), nothing was missing.
    - V(unmovable), V(memory_shortage) and V(unsupported), compaction would not help.
    - V(locked), V(kill_switch), V(container), V(window), V(backoff), V(pressure), V(load), V(kcompactd_busy) and V(low_memory),
      a guard held it off; it is in RV(guard) as well.
    - V(not_writable), V(not_live) and V(no_zones), it could not; the module fails.
  returned: always
  type: str
  sample: needed
message:
  description: The same as a sentence, with figures.
  returned: always
  type: str
  sample: "compacted node 0: node 0: free blocks of order 5 6 -> 1140, unusable index 961 -> 12"
satisfied:
  description: Whether the node is in the wanted condition now. In check mode, whether it was before.
  returned: always
  type: bool
  sample: true
helped:
  description:
    - Whether it made a difference that is worth it. V(null) if it did not act.
  returned: always
  type: bool
  sample: true
order:
  description:
    - The order that decided. Of those that are lacking the largest that compaction can bring, or the largest at all; V(null) if nothing
      could be told.
  returned: always
  type: int
  sample: 5
orders:
  description: The orders that were wanted, and who needs them on this kernel.
  returned: always
  type: list
  elements: dict
  contains:
    order:
      description: The order.
      returned: always
      type: int
      sample: 3
    needed_by:
      description: Who asks for it. Empty where nobody is known to.
      returned: always
      type: list
      elements: str
      sample: ['requests up to 32 kB, which may not fail']
before:
  description:
    - How far the condition was met before. V(null) if that could not be told.
    - What is said of a node is that of its largest order that is lacking, or of the largest. C(orders) has each of them.
  returned: always
  type: dict
  sample: &measure
    satisfied: false
    nodes:
      '0':
        satisfied: false
        order: 5
        state: needs_compaction
        free_blocks: 6
        unusable_index: 961
        missing: ['order 5 is in state needs_compaction']
        orders:
          - {order: 5, satisfied: false, state: needs_compaction, free_blocks: 6, unusable_index: 961,
             missing: ['order 5 is in state needs_compaction']}
        zones: {Normal: [5596, 5645, 5627, 19, 3, 0, 0, 0, 0, 0, 0]}
after:
  description: The same, after it. V(null) if it did not act.
  returned: always
  type: dict
  sample: *measure
nodes:
  description: The NUMA nodes that were, or in check mode would be, compacted.
  returned: always
  type: list
  elements: int
  sample: [0]
steps:
  description: What was written to the kernel, in order.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(compact), V(sync), V(drop_caches_slab), V(drop_caches_pagecache) or V(drop_caches_all).
      returned: always
      type: str
      sample: compact
    node:
      description: The NUMA node, V(null) for the whole machine.
      returned: always
      type: int
      sample: 0
    path:
      description: The file that was written to.
      returned: always
      type: str
      sample: /sys/devices/system/node/node0/compact
    seconds:
      description: How long it took.
      returned: always
      type: float
      sample: 0.35
    ended:
      description: V(done), or why it was broken off.
      returned: always
      type: str
      sample: done
promised:
  description:
    - What one compaction was expected to bring by a survey of the pageblocks, and what it brought, by zone and order. With O(drop_caches)
      it is that of the compaction after it; in check mode that of a compaction alone. Empty where nothing was lacking, where a guard
      held it off, and where the survey could not be had.
  returned: always
  type: list
  elements: dict
  contains:
    node:
      description: The NUMA node.
      returned: always
      type: int
      sample: 0
    zone:
      description: The zone.
      returned: always
      type: str
      sample: Normal
    order:
      description: The order.
      returned: always
      type: int
      sample: 9
    now:
      description: Free blocks of the order before it, larger ones counted as what they can be split into.
      returned: always
      type: int
      sample: 229
    low:
      description: As many are expected to be free after it at the least.
      returned: always
      type: int
      sample: 2510
    expected:
      description: So many are expected.
      returned: always
      type: int
      sample: 4100
    high:
      description: So many at the most.
      returned: always
      type: int
      sample: 6884
    obtained:
      description: So many there were after it, once the per-cpu lists had given back what they took of them. V(null) if it did not act.
      returned: always
      type: int
      sample: 4721
survey_unavailable:
  description: Why nothing is promised, V(null) where that was not tried or could be had.
  returned: always
  type: str
  sample: '/proc/kpageflags: permission denied, root can read it'
counters:
  description: Counters of C(/proc/vmstat) that went up in between, by how much.
  returned: always
  type: dict
  sample: {compact_migrate_scanned: 80522, compact_free_scanned: 120411, compact_isolated: 30121, pgmigrate_success: 15002}
guard:
  description:
    - The guard that held it off, V(null) if none did.
    - V(kill_switch) is the file C(/etc/memfrag/disable). As long as it is there, nothing is compacted on that node.
    - A guard whose source is there, but cannot be read or understood, holds off as well, and RV(message) says so.
  returned: always
  type: str
  sample: pressure
unchecked_guards:
  description: Guards that could not be asked, since this kernel does not have what they look at, and why.
  returned: always
  type: dict
  sample: {pressure: '/proc/pressure/memory: no such file'}
duration_seconds:
  description: How long it took, measurements included.
  returned: always
  type: float
  sample: 0.52
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.plan import FAILED
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.run import RETURNED, run
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import OPTIONS, complete
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.module_utils._options import OptionError


def argument_spec():
    """The options of a target, and those of the module itself. Ranges are checked by the library."""
    known = ("type", "elements", "default", "choices")
    spec = {}
    for name, about in OPTIONS.items():
        spec[name] = {key: about[key] for key in known if about.get(key) is not None}
        if "words" in about:
            # A number or a word: the library tells them apart.
            spec[name]["type"] = "str"
    spec["drop_caches"] = dict(spec["drop_caches"], default="none")
    spec["root"] = {"type": "path", "default": "/"}
    spec["fail_if_unsatisfied"] = {"type": "bool", "default": False}
    return spec


def table(measured):
    """Free blocks as in /proc/buddyinfo, for the diff."""
    lines = []
    for node, about in sorted(((measured or {}).get("nodes") or {}).items()):
        for zone, blocks in sorted(about["zones"].items()):
            lines.append("Node %s, zone %8s %s\n" % (node, zone, " ".join("%6d" % count for count in blocks)))
    return "".join(lines)


def expectation(promised):
    """What is expected after it, for the diff in check mode."""
    line = "Node %(node)d, zone %(zone)8s, order %(order)d: %(expected)d (%(low)d to %(high)d)\n"
    return "".join(line % row for row in promised) or "unknown\n"


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    options = {name: module.params[name] for name in OPTIONS}
    try:
        done = run(WritableNode(module.params["root"]), complete(options), dry_run=module.check_mode)
    except (NodeError, OptionError) as error:
        module.fail_json(msg=str(error))
    result = {name: done[name] for name in RETURNED}
    result["changed"] = done["act"] if module.check_mode else done["acted"]
    would = module.check_mode and done["act"]
    after = expectation(done["promised"]) if would else table(done["after"] or done["before"])
    result["diff"] = {"before_header": "free blocks", "after_header": "free blocks"}
    result["diff"].update(before=table(done["before"]), after=after)
    module.log("%(reason)s: %(message)s" % done)
    if done["error"] or done["reason"] in FAILED or done["reason"] == "unsupported":
        module.fail_json(msg=done["message"], **result)
    if module.params["fail_if_unsatisfied"] and not done["satisfied"] and not (module.check_mode and done["act"]):
        module.fail_json(msg="the node is not in the wanted condition: %(message)s" % done, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
