#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_tuning_info
short_description: Check settings and a compaction policy against a node, and compute their values
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Says what M(kernelops.memfrag.memfrag_sysctl) would make of settings on this node, and why, and completes and checks the policy
    and the schedule of the compaction job. Nothing is written.
  - The role P(kernelops.memfrag.memfrag_tuning#role) calls it before it changes anything. It is also the calculator to ask
    what V(auto) would be across a fleet.
options:
  settings:
    description: As in M(kernelops.memfrag.memfrag_sysctl).
    type: dict
    default: {}
  policy:
    description:
      - The policy of the compaction job. The names, ranges and defaults are those of C(memfrag compact --help), and the variables
        of the role without C(memfrag_tuning_compaction_) in front.
    type: dict
    default: {}
  schedule:
    description:
      - When the job is to run, as a dictionary of C(scheduler) (V(auto), V(cron) or V(systemd)), C(minute) and C(hour) (V(auto),
        or a field as in a crontab).
    type: dict
    default: {}
  seed:
    description:
      - The node's name in the fleet, from which its offset in the schedule comes.
    type: str
    default: ''
  variable_prefix:
    description:
      - What to put before names in error messages, so that users of a role read the names of its variables. Names of the policy
        and of the schedule get C(compaction_) as well then.
    type: str
    default: ''
  root:
    description: The directory that holds the node's files.
    type: path
    default: /
extends_documentation_fragment:
  - kernelops.memfrag._attributes
  - kernelops.memfrag._attributes.info_module
seealso:
  - module: kernelops.memfrag.memfrag_sysctl
  - module: kernelops.memfrag.memfrag_facts
  - name: The role kernelops.memfrag.memfrag_tuning
    description: Settings, node tool and compaction job together.
    link: https://github.com/kernelops/kernelops.memfrag/tree/main/roles/memfrag_tuning
"""

EXAMPLES = r"""
- name: What would be computed for this node?
  kernelops.memfrag.memfrag_tuning_info:
    settings:
      min_free_kbytes: auto
      watermark_scale_factor: auto
  register: tuning

- name: Show it
  ansible.builtin.debug:
    msg: >-
      vm.{{ item.name }}: {{ item.current }} -> {{ item.value }},
      {{ item.why }}
  loop: "{{ tuning.settings }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
settings:
  description: As RV(kernelops.memfrag.memfrag_sysctl#module:settings), without what only a change can say.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: min_free_kbytes, wanted: auto, current: 67584, previous: 67584, value: 251658, file: 251658, steps: [251658],
       why: computed for 24105 MiB of memory on 1 NUMA node, warning: null, refused: false}
policy:
  description: The policy with all its defaults.
  returned: success
  type: dict
  sample: {order: auto, min_free_blocks: 16, max_unusable_index: 950, drop_caches: auto}
orders:
  description: The orders that the job sees to on this node, and who needs them.
  returned: success
  type: list
  elements: dict
  contains:
    order:
      description: The order.
      returned: always
      type: int
      sample: 3
    needed_by:
      description: Who asks for it on this kernel. Empty where nobody is known to.
      returned: always
      type: list
      elements: str
      sample: ['requests up to 32 kB, which may not fail']
schedule:
  description: The schedule of this node.
  returned: success
  type: dict
  contains:
    scheduler:
      description: V(cron) or V(systemd).
      returned: always
      type: str
      sample: cron
    minute:
      description: Field for cron.
      returned: always
      type: str
      sample: '37'
    hour:
      description: Field for cron.
      returned: always
      type: str
      sample: '*'
    on_calendar:
      description: The same for a timer of systemd.
      returned: always
      type: str
      sample: '*-*-* *:37:00'
proactive:
  description: Whether the kernel compacts in the background by itself, once the settings are made.
  returned: success
  type: bool
  sample: true
memory:
  description: What the computed values come from, in kB where it is an amount.
  returned: success
  type: dict
  sample: {total: 24684092, usable: 24684092, nodes: 1, zones: 3}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import _preview
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.module_utils._settings import ApplyError


def main():
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "policy": {"type": "dict", "default": {}},
            "schedule": {"type": "dict", "default": {}},
            "seed": {"type": "str", "default": ""},
            "variable_prefix": {"type": "str", "default": ""},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    options = dict(module.params)
    try:
        result = _preview.preview(WritableNode(options.pop("root")), **options)
    except (NodeError, ValueError, ApplyError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
