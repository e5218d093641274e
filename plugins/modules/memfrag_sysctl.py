#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_sysctl
short_description: Tune the vm settings that matter for contiguous memory, and take it back
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Sets V(vm.min_free_kbytes), V(vm.watermark_scale_factor) and seven more settings, one by one, in the running kernel and in a
    file of its own, C(/etc/sysctl.d/90-memfrag.conf).
  - A setting can be left alone, be given as a number, or be computed for the node from its memory, zones and NUMA nodes.
  - The values from before are recorded on the node. A setting that is no longer asked for goes back to what it was.
  - A raise that the memory available now does not bear is refused, a large one is made in steps, and the first setting that the
    kernel does not accept takes back those before it. So does a file that cannot be written.
  - One run at a time. A second one waits for up to five minutes.
options:
  settings:
    description:
      - The settings by name, with or without C(vm.) in front. What is not mentioned counts as V(leave).
      - Each is V(leave), a number, or, for C(min_free_kbytes), C(watermark_scale_factor) and C(compaction_proactiveness), V(auto).
        A computed value is never below the one that the node had.
      - The names are C(min_free_kbytes) (from 1024 to 5 % of the memory without reserved huge pages), C(watermark_scale_factor)
        (1 to 3000, to 1000 on older kernels), C(watermark_boost_factor) (0 to 50000), C(extfrag_threshold) (0 to 1000),
        C(compaction_proactiveness) (0 to 100), C(compact_unevictable_allowed) (0 or 1), C(defrag_mode) (0 or 1),
        C(vfs_cache_pressure) (1 to 1000) and C(zone_reclaim_mode) (0 to 7).
      - Settings that the node's kernel does not have are left out.
    type: dict
    default: {}
  state:
    description:
      - With V(absent) everything that this module has set goes back to its value from before, and the file and the record are
        removed. A setting that has any other value than those that the record names was changed by somebody else, and stays.
        O(settings) is not looked at then.
    type: str
    choices: [present, absent]
    default: present
  read_only:
    description:
      - What to do on a node whose kernel settings cannot be written to, such as a container. V(warn) writes the files, and V(fail)
        fails before anything is written.
    type: str
    choices: [warn, fail]
    default: warn
  variable_prefix:
    description:
      - What to put before the names of settings in error messages, so that users of a role read the names of its variables.
    type: str
    default: vm.
  root:
    description:
      - The directory that holds the node's files. V(/) is the node itself, V(/host) the host of a container that has it mounted
        there.
    type: path
    default: /
notes:
  - The drop-in file is read by C(systemd-sysctl) or C(sysctl --system) at boot. This module runs neither, and does not touch any
    other setting.
  - Writing a number above 0 to C(vm.compaction_proactiveness) makes Linux 5.15 and later compact at once.
extends_documentation_fragment:
  - kernelops.memfrag._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the file, and the values of the running kernel.
  idempotent:
    support: full
seealso:
  - module: kernelops.memfrag.memfrag_tuning_info
  - module: kernelops.memfrag.memfrag_tool
  - name: The role kernelops.memfrag.memfrag_tuning
    description: Settings, node tool and compaction job together.
    link: https://github.com/kernelops/kernelops.memfrag/tree/main/roles/memfrag_tuning
  - module: ansible.posix.sysctl
"""

EXAMPLES = r"""
- name: Keep as much memory free as suits the node, and wake kswapd earlier
  kernelops.memfrag.memfrag_sysctl:
    settings:
      min_free_kbytes: auto
      watermark_scale_factor: auto

- name: See what would be done, and why not
  kernelops.memfrag.memfrag_sysctl:
    settings:
      min_free_kbytes: 1048576
      compaction_proactiveness: auto
  check_mode: true
  diff: true

- name: Take everything back
  kernelops.memfrag.memfrag_sysctl:
    state: absent
"""

RETURN = r"""
settings:
  description: All settings, in the order in which they are written.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name without C(vm.).
      returned: always
      type: str
      sample: min_free_kbytes
    wanted:
      description: What was asked for, V(leave), V(auto) or a number.
      returned: always
      type: raw
      sample: auto
    current:
      description: The value before, V(null) where the kernel has no such setting.
      returned: always
      type: int
      sample: 67584
    previous:
      description: The value before any tuning, which O(state=absent) puts back.
      returned: always
      type: int
      sample: 67584
    value:
      description: The value that the running kernel shall have.
      returned: always
      type: int
      sample: 251658
    reached:
      description: The value that the running kernel has now, or in check mode would have.
      returned: always
      type: int
      sample: 251658
    file:
      description: The value in the drop-in file, V(null) if it is not in it.
      returned: always
      type: int
      sample: 251658
    steps:
      description: The values written one after the other.
      returned: always
      type: list
      elements: int
      sample: [251658]
    changed:
      description: Whether the running kernel's value was changed.
      returned: always
      type: bool
      sample: true
    why:
      description: Where the value comes from, or why nothing is changed.
      returned: always
      type: str
      sample: computed for 24105 MiB of memory on 1 NUMA node
    warning:
      description: What to know about it.
      returned: always
      type: str
    refused:
      description: Always V(false), since a refused setting fails the module.
      returned: always
      type: bool
      sample: false
read_only:
  description: Why the running kernel's settings could not be changed, V(null) if they could.
  returned: success
  type: str
  sample: '/proc/sys/vm/min_free_kbytes: mounted read-only (a container?)'
drop_in:
  description: The path of the drop-in file.
  returned: success
  type: str
  sample: /etc/sysctl.d/90-memfrag.conf
record:
  description: The path of the record of the values from before.
  returned: success
  type: str
  sample: /var/lib/memfrag/sysctl.json
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import _settings
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.module_utils._options import OptionError


def main():
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "read_only": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
            "variable_prefix": {"type": "str", "default": "vm."},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    options = dict(module.params)
    try:
        result = _settings.apply(
            WritableNode(options["root"]),
            options["settings"],
            options["state"],
            options["read_only"],
            module.check_mode,
            options["variable_prefix"],
        )
    except (NodeError, OptionError, _settings.ApplyError) as error:
        module.fail_json(msg=str(error))
    for warning in result["warnings"]:
        module.warn(warning)
    module.exit_json(
        changed=result["changed"],
        settings=result["settings"],
        read_only=result["read_only"],
        drop_in=_settings.DROP_IN,
        record=_settings.RECORD,
        diff=_settings.differences(result),
    )


if __name__ == "__main__":
    main()
