#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_tool
short_description: Install the node tool memfrag
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Puts the command C(memfrag) on the node, made of the very code that the modules of this collection run. It says what contiguous
    memory can still be had, compacts memory where that is needed and helps, and prints metrics.
  - It is one file, needs Python 2.7 or 3.6 and nothing else, and is replaced as a whole. Owner and mode are compared and set as well,
    also of its directories C(/etc/memfrag) and C(/var/lib/memfrag).
options:
  state:
    description:
      - With V(absent) the tool goes, with its policy, its metrics wherever it has written them, and what its runs have left on the
        node. A job that is running is waited for. The record of M(kernelops.memfrag.memfrag_sysctl) stays, and so does
        C(/etc/memfrag/disable).
      - With O(needed_for) the tool stays for as long as something else needs it.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - Where to put it. No directory on the way may be writable by anybody but root.
    type: path
    default: /usr/local/sbin/memfrag
  interpreter:
    description:
      - The Python that it is run by. Without this option it is the one that runs this module.
      - Root will run it, so that nobody but root may be able to change it. The virtual environment of a user is refused.
    type: path
  needed_for:
    description:
      - What the tool is installed for, or no longer needed for. It is noted on the node. V(compaction) has the policy and what the
        job has left, V(metrics) the files of metrics and their counters.
      - Without this option O(state=absent) removes everything, whatever it was needed for.
    type: str
    choices: [compaction, metrics]
    version_added: 0.1.0
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
    support: none
    details:
      - The tool is a program, and its text is that of this collection.
  idempotent:
    support: full
seealso:
  - module: kernelops.memfrag.memfrag_sysctl
  - module: kernelops.memfrag.memfrag_compact
  - module: kernelops.memfrag.memfrag_watch
  - name: The role kernelops.memfrag.memfrag_tuning
    description: Settings, node tool and compaction job together.
    link: https://github.com/kernelops/kernelops.memfrag/tree/main/roles/memfrag_tuning
"""

EXAMPLES = r"""
- name: Install the node tool
  kernelops.memfrag.memfrag_tool:

- name: Ask it
  ansible.builtin.command: /usr/local/sbin/memfrag status
  register: status
  changed_when: false
  # 3 says that the wanted blocks are not there
  failed_when: status.rc not in [0, 3]

- name: Remove it
  kernelops.memfrag.memfrag_tool:
    state: absent
"""

RETURN = r"""
path:
  description: Where the tool is.
  returned: success
  type: str
  sample: /usr/local/sbin/memfrag
removed:
  description: Files that were there and were removed, or in check mode would be.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [/usr/local/sbin/memfrag, /var/lib/memfrag/compaction.json]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import _install
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "path", "default": _install.PATH},
            "interpreter": {"type": "path"},
            "needed_for": {"type": "str", "choices": list(_install.PURPOSES)},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    path, purpose = module.params["path"], module.params["needed_for"]
    try:
        node = WritableNode(module.params["root"])
        if module.params["state"] == "absent":
            removed = _install.remove(node, path, module.check_mode, purpose=purpose)
            module.exit_json(changed=bool(removed), path=path, removed=removed)
        changed = _install.install(node, path, module.params["interpreter"], module.check_mode, purpose)
    except NodeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=path)


if __name__ == "__main__":
    main()
