#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_audit
short_description: Audits one node for memory fragmentation and keeps the record
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Gathers the facts of M(kernelops.memfrag.memfrag_facts) and the incidents of the node's logs in one round trip, and writes
    them into one record file per host on the controller. Returns a short summary only, so that thousands of hosts need no more
    of the controller than a ping does.
  - A host that fails or cannot be reached leaves a record as well. The report made by M(kernelops.memfrag.memfrag_report)
    counts it.
  - It is what the playbook C(kernelops.memfrag.audit) runs on each host.
notes:
  - Everything that touches the node only reads. The record is written on the controller, in check mode too, since it is the
    result of the audit and not a change.
  - Run it as root (C(become=true)) for complete facts.
attributes:
  check_mode:
    support: full
    details:
      - The node is only read. The record is written on the controller in check mode, too.
  diff_mode:
    support: N/A
    details:
      - Nothing on the node changes.
  idempotent:
    support: full
    details:
      - Nothing on the node changes.
extends_documentation_fragment:
  - kernelops.memfrag._attributes
  - kernelops.memfrag._attributes.action
  - kernelops.memfrag._facts
options:
  journal:
    description:
      - Whether to look for incidents in the node's logs.
    type: bool
    default: true
  journal_files:
    description:
      - Log files or globs on the node to read in place of the live journal; plain, C(.gz), C(.xz) or C(.bz2).
    type: list
    elements: str
    default: []
  journal_directory:
    description:
      - A directory of systemd journal files on the node to read in place of the live journal.
    type: path
  since:
    description:
      - The beginning of the time window, ISO 8601 or relative as in V(-24h), V(-7d).
    type: str
    default: -7d
  until:
    description:
      - The end of the time window, in the same forms. Now, if not given.
    type: str
  max_events:
    description:
      - At most so many events are kept in the record. Their counts are exact all the same.
    type: int
    default: 200
  redact:
    description:
      - Whether passwords, tokens and keys in log lines are replaced on the node, before anything leaves it.
    type: bool
    default: true
  pageblocks:
    description:
      - Whether to go to the node a second time, with M(kernelops.memfrag.memfrag_facts), for a survey of what holds its pageblocks. Then
        the assessment says how many blocks a compaction would bring, and who stands in the way.
      - V(auto) does so where the assessment hinges on it. The level is not V(low), and what is advised is to compact, or to drain and
        reboot since compaction would not help, or whether it would help cannot be told. Not below another O(root) than V(/), and not where
        the first look was refused for want of root.
      - It needs root and about 0.2 seconds of CPU on the node. That it cannot be had is noted in the facts of the record, under
        C(unavailable), and changes nothing else.
    type: str
    choices: [auto, 'true', 'false']
    default: auto
    version_added: 1.0.0
  watch_seconds:
    description:
      - For how long to watch, with M(kernelops.memfrag.memfrag_watch) and after everything else, who fragments the node's memory, at most
        600 seconds. The default is not to watch.
      - It needs root and tracefs. What it saw is in the facts of the record, under C(watch). That it cannot be watched is noted there
        under C(unavailable), and changes nothing else. In check mode nothing is watched.
    type: int
    default: 0
    version_added: 1.0.0
  policy:
    description:
      - What this node is held to.
    type: dict
    default: {}
  records_dir:
    description:
      - Directory on the controller for the records, C(<records_dir>/<run_id>/<host>.json). A relative path starts at the current
        directory.
    type: path
    default: ./memfrag-audit
  run_id:
    description:
      - Name of this run. All hosts of one run must have the same; the playbook takes care of that.
      - The UTC time if not given.
    type: str
seealso:
  - module: kernelops.memfrag.memfrag_facts
  - module: kernelops.memfrag.memfrag_journal_info
  - module: kernelops.memfrag.memfrag_audit_facts
  - module: kernelops.memfrag.memfrag_report
  - module: kernelops.memfrag.memfrag_watch
  - plugin: kernelops.memfrag.risk
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Audit the node and keep the record
  kernelops.memfrag.memfrag_audit:
    run_id: nightly
  become: true

- name: Audit the node, and measure what a compaction would bring
  kernelops.memfrag.memfrag_audit:
    run_id: nightly
    pageblocks: 'true'
  become: true

- name: Audit an unpacked sosreport on the controller
  kernelops.memfrag.memfrag_audit:
    root: /srv/sosreport-node17-2026-11-20
    run_id: sosreports
    journal: false
  delegate_to: localhost
"""

RETURN = r"""
status:
  description: Whether the host was V(audited), V(failed) or V(unreachable).
  returned: always
  type: str
  sample: audited
record:
  description: Path of the record on the controller.
  returned: always
  type: str
  sample: /home/ops/memfrag-audit/20261121T030000Z/node17.json
run_id:
  description: The run that the record belongs to.
  returned: always
  type: str
  sample: 20261121T030000Z
level:
  description: The risk level, V(null) if the node was not assessed.
  returned: always
  type: str
  sample: critical
summary:
  description: One sentence.
  returned: always
  type: str
  sample: order 5 and above cannot be allocated
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import _audit, _watch


def main():
    module = AnsibleModule(argument_spec=_audit.OPTIONS, supports_check_mode=True)
    try:
        observed = _audit.collect(module.params)
    except _watch.CollectError as error:
        module.fail_json(msg=str(error))
    # One string: Ansible walks every leaf of a nested result on the controller, which costs more than all the rest.
    module.exit_json(observed=observed)


if __name__ == "__main__":
    main()
