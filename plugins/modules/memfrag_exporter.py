#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_exporter
short_description: Give a node_exporter that is there the flags that contiguous memory needs
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Finds out how node_exporter is configured on a node, where it reads textfiles, and which flags it lacks.
  - Packages give the flags in a file of variables. Nothing of it is changed. The last assignment is repeated, with the flags that are
    missing, in a block at its end, which O(state=absent) takes away.
  - A flag that the program does not know would keep it from starting, and is refused before anything is written.
  - It installs nothing, and restarts nothing.
options:
  state:
    description:
      - V(found) only looks. V(absent) takes the block away.
    type: str
    choices: [present, absent, found]
    default: present
  way:
    description:
      - How node_exporter is configured. V(auto) is the first of them that is there.
      - V(debian) is C(/etc/default/prometheus-node-exporter), as in the packages of Debian and Ubuntu. V(sysconfig) is
        C(/etc/sysconfig/node_exporter), and V(default) C(/etc/default/node_exporter), as in packages for EL.
      - V(prometheus_collection) is a unit C(node_exporter.service) that the role C(prometheus.prometheus.node_exporter) writes. It is
        only looked at. If flags are missing, the module fails and names the variables of that role.
    type: str
    choices: [auto, debian, sysconfig, default, prometheus_collection]
    default: auto
  textfile_directory:
    description:
      - The directory of the textfile collector that is wanted. Without it, it is the one that node_exporter reads, or is usual.
    type: path
  root:
    description:
      - The directory that holds the node's files.
    type: path
    default: /
extends_documentation_fragment:
  - kernelops.memfrag._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: kernelops.memfrag.memfrag_tool
"""

EXAMPLES = r"""
- name: Have node_exporter tell of free blocks and zones
  kernelops.memfrag.memfrag_exporter:
  register: exporter

- name: Restart it
  ansible.builtin.systemd_service:
    name: "{{ exporter.service }}"
    state: restarted
  when: exporter is changed
"""

RETURN = r"""
way:
  description: How node_exporter is configured, V(none) where there is none.
  returned: success
  type: str
  sample: debian
service:
  description: The unit of node_exporter, empty where there is none.
  returned: success
  type: str
  sample: prometheus-node-exporter.service
textfile_directory:
  description: The directory that node_exporter reads textfiles of, empty where there is none.
  returned: success
  type: str
  sample: /var/lib/prometheus/node-exporter
flags:
  description: The flags that were missing.
  returned: success
  type: list
  elements: str
  sample: [--collector.buddyinfo, --collector.zoneinfo]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import _exporter
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "found"], "default": "present"},
            "way": {
                "type": "str",
                "choices": ["auto", "debian", "sysconfig", "default", "prometheus_collection"],
                "default": "auto",
            },
            "textfile_directory": {"type": "path"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        result = _exporter.configure(
            WritableNode(options["root"]),
            options["state"],
            None if options["way"] == "auto" else options["way"],
            options["textfile_directory"],
            module.check_mode,
        )
    except NodeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
