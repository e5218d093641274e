#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_watch
short_description: Watch who fragments a node's memory
version_added: 1.0.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Watches a node for some seconds, and says which task, container and kernel function takes pageblocks away from other
    migratetypes. That is how memory becomes fragmented for good.
  - It reads the kernel's tracepoint C(kmem:mm_page_alloc_extfrag) through a tracefs instance of its own, which is removed at the end.
    One that a killed run has left is removed by the next. No other tracing on the node is touched.
  - Where the kernel has hist triggers it counts by itself. Else the events come from its buffer; what was lost is in RV(overrun).
  - Where there are so many events that watching them would cost more than it tells, it ends by itself, after 20000 from the buffer or
    500000 that the kernel has counted; see RV(stopped_early).
options:
  seconds:
    description:
      - How long to watch, from 1 to 600 seconds.
    type: int
    default: 30
notes:
  - It needs root, and tracefs, which systemd mounts at C(/sys/kernel/tracing).
  - Cgroups and containers are told of processes that live for two seconds at least.
extends_documentation_fragment:
  - kernelops.memfrag._attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is watched.
  diff_mode:
    support: N/A
    details:
      - Nothing of the node is changed.
  idempotent:
    support: full
    details:
      - Nothing of the node is changed.
seealso:
  - module: kernelops.memfrag.memfrag_facts
  - module: kernelops.memfrag.memfrag_audit
  - module: kernelops.memfrag.memfrag_tool
"""

EXAMPLES = r"""
- name: Watch for a minute who breaks up the memory
  kernelops.memfrag.memfrag_watch:
    seconds: 60
  register: watched

- name: Show the worst
  ansible.builtin.debug:
    msg: >-
      {{ item.comm }} in {{ item.function }}: {{ item.pageblocks }}
      pageblocks of {{ item.fallback_migratetype }}
  loop: "{{ watched.fragmenters[:5] }}"
  loop_control:
    label: "{{ item.comm }}"
"""

RETURN = r"""
seconds:
  description: How long it watched.
  returned: always
  type: float
  sample: 60.0
events:
  description: Allocations that took a block of another migratetype.
  returned: always
  type: int
  sample: 2839
overrun:
  description: Events that were lost because the buffers were full.
  returned: always
  type: int
  sample: 0
stopped_early:
  description: Whether it ended by itself because there were too many events.
  returned: always
  type: bool
  sample: false
fragmenters:
  description: Who took them, at most 100; those first who RV(fragmenters[].pollutes), and of those the worst.
  returned: always
  type: list
  elements: dict
  contains:
    comm:
      description: Name of the task.
      returned: always
      type: str
      sample: stress-ng
    cgroup:
      description: Its cgroup, V(null) where it has ended.
      returned: always
      type: str
      sample: /system.slice/stress.service
    container:
      description: Id of its container, V(null) where it has none or has ended.
      returned: always
      type: str
      sample: null
    function:
      description: The first kernel function of the stack that does not allocate on behalf of others.
      returned: always
      type: str
      sample: anon_pipe_write
    stack:
      description: The functions of one such event, innermost first.
      returned: always
      type: list
      elements: str
      sample: [get_page_from_freelist, alloc_pages_noprof, anon_pipe_write, vfs_write]
    alloc_migratetype:
      description: What was asked for.
      returned: always
      type: str
      sample: Unmovable
    fallback_migratetype:
      description: Whose blocks were taken.
      returned: always
      type: str
      sample: Movable
    pollutes:
      description: Whether pages that stay where they are took from what could have been compacted.
      returned: always
      type: bool
      sample: true
    pageblocks:
      description: How many pageblocks; events, where the kernel does not say which.
      returned: always
      type: int
      sample: 157
    taken:
      description: Events by which a pageblock became one of the other migratetype as a whole.
      returned: always
      type: int
      sample: 157
    events:
      description: How many events.
      returned: always
      type: int
      sample: 157
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import _fragmenters
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode


def main():
    module = AnsibleModule(argument_spec={"seconds": {"type": "int", "default": 30}}, supports_check_mode=True)
    seconds = module.params["seconds"]
    if not 1 <= seconds <= _fragmenters.LONGEST_SECONDS:
        module.fail_json(msg="seconds must be from 1 to %d, not %d" % (_fragmenters.LONGEST_SECONDS, seconds))
    if module.check_mode:
        module.exit_json(skipped=True, msg="nothing is watched in check mode")
    try:
        module.exit_json(changed=False, **_fragmenters.watch(WritableNode("/"), seconds))
    except (NodeError, _fragmenters.WatchError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
