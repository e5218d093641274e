#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_audit_facts
short_description: The facts of a node, for an audit without a journal
version_added: 1.0.0
author:
  - KernelOps engineers (@kernelops)
description:
  - What M(kernelops.memfrag.memfrag_audit) runs on a node where no journal is wanted. It brings neither the readers of logs nor those of
    pageblocks along, nor what grades the facts, since a module's size is most of what an audit costs. The controller grades them.
  - Use M(kernelops.memfrag.memfrag_facts) in playbooks of your own. It returns the whole facts.
extends_documentation_fragment:
  - kernelops.memfrag._attributes
  - kernelops.memfrag._attributes.info_module
  - kernelops.memfrag._facts
seealso:
  - module: kernelops.memfrag.memfrag_audit
  - module: kernelops.memfrag.memfrag_facts
"""

EXAMPLES = r"""
- name: Audit without a journal, which runs this module
  kernelops.memfrag.memfrag_audit:
    journal: false
"""

RETURN = r"""
observed:
  description: The facts under C(facts), and C(journal) as V(null), as one JSON string.
  returned: success
  type: str
  sample: '{"facts":{"schema_version":1},"journal":null}'
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import _observation, _watch
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node


def main():
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/"},
            "gather_subset": {"type": "list", "elements": "str", "default": ["all"]},
            "top_slabs": {"type": "int", "default": 10},
            "deadline_seconds": {"type": "int", "default": _watch.DEADLINE_SECONDS},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work(deadline, tell):
        subset = _observation.resolve_subset(params["gather_subset"])
        tell("facts", _observation.observe(Node(params["root"], deadline), subset, params["top_slabs"]))

    try:
        parts = _watch.collect(params["deadline_seconds"], work)
    except _watch.CollectError as error:
        module.fail_json(msg=str(error))
    if "facts" not in parts:
        module.fail_json(msg=parts.gave_up)
    # One string: Ansible walks every leaf of a nested result on the controller, which costs more than all the rest.
    module.exit_json(observed='{"facts":%s,"journal":null}' % parts["facts"])


if __name__ == "__main__":
    main()
