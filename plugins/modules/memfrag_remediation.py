#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_remediation
short_description: Keeps the books of a remediation on the controller
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Makes the paths of a remediation absolute, marks the nodes that it has in its hands, looks after limit and kill switch, and writes the
    report C(remediation.jsonl) and C(remediation.txt). It never speaks to a node.
  - It is what the playbook C(kernelops.memfrag.remediate) is held together by. The steps belong into that order; for a remediation of
    your own, copy the playbook.
notes:
  - This action runs on the controller and needs no connection.
  - The mark of a node is on disk before the step V(take) ends, and appears whole or not at all. What ends a run in between leaves it, and
    the next run with the same O(records_dir) gives the node back.
attributes:
  check_mode:
    support: full
    details:
      - The report is written in check mode, too. No node is marked.
  diff_mode:
    support: none
  idempotent:
    support: none
  platform:
    support: full
    platforms: linux
extends_documentation_fragment:
  - kernelops.memfrag._attributes
  - kernelops.memfrag._attributes.action
options:
  step:
    description:
      - V(enter) fails for a host that has variables of the playbook among its facts, which a node may have brought. Run it first, and on all
        of them, or on all that have failed in an action of this collection, so that what is run once is not run with such a host's variables.
      - V(prepare) checks what the run goes by, before anything is done, and returns it as RV(run). Run it once.
      - V(open) begins the report with what is to become of each node. Run it once.
      - V(ask) asks whether the node may be begun. Not if the kill switch is on, a node before it stopped the roll-out, or O(limit) is
        reached.
      - V(take) asks the same, counts the node and marks it.
      - V(give_back) takes the mark away. Run it when the second hook has come to its end.
      - V(note) enters what a node came to.
      - V(close) shows the report, and fails if the roll-out was stopped. Run it once.
    type: str
    required: true
    choices: [enter, prepare, open, ask, take, give_back, note, close]
  records_dir:
    description:
      - Directory with the records, as of M(kernelops.memfrag.memfrag_audit). A relative path starts at the directory that
        ansible-playbook was started from. Marks are in C(remediating) below it.
    type: path
    default: ./memfrag-audit
  report_dir:
    description:
      - Where to write the report. The directory of the run if not given.
    type: path
  run_id:
    description:
      - The name of the run. The time and C(-remediate), if not given.
    type: str
  before:
    description:
      - A file with tasks that take a node out of service.
    type: path
  after:
    description:
      - A file with tasks that put a node back into service. Nodes are marked only if it is given.
    type: path
  reclaim:
    description:
      - What to free on nodes that need room before compaction can help.
    type: str
    choices: [none, slab, pagecache, all]
    default: all
  limit:
    description:
      - How many nodes one run may mend, a number or a percentage of O(hosts), rounded up. A tenth of them if not given, and at least 5.
    type: str
  kill_switch:
    description:
      - A truth, or a file on the controller, C(/etc/memfrag/disable) if not given. While it is V(true), or the file is there, or cannot be
        looked at, no node is begun. The first line of the file is given as the reason.
    type: str
  hosts:
    description:
      - The nodes that were asked for, in the steps V(prepare) and V(open).
    type: list
    elements: str
    default: []
  run:
    description:
      - What the step V(prepare) returned as RV(run). All steps after it need it.
    type: dict
  remedy:
    description:
      - What P(kernelops.memfrag.remedy#filter) or P(kernelops.memfrag.remedy_outcome#filter) said of this node, in the steps V(ask),
        V(take) and V(note).
    type: dict
  remedies:
    description:
      - The same of all nodes, in the step V(open).
    type: list
    elements: dict
    default: []
seealso:
  - module: kernelops.memfrag.memfrag_audit
  - module: kernelops.memfrag.memfrag_compact
  - plugin: kernelops.memfrag.remedy
    plugin_type: filter
  - plugin: kernelops.memfrag.remedy_outcome
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Prepare
  kernelops.memfrag.memfrag_remediation:
    step: prepare
    after: uncordon.yml
    limit: 10%
    hosts: "{{ ansible_play_hosts_all }}"
  register: prepared
  run_once: true

- name: See which nodes an interrupted run has left out of service
  ansible.builtin.debug:
    var: prepared.run.taken
  run_once: true
"""

RETURN = r"""
run:
  description: What the run goes by, with absolute paths.
  returned: step V(prepare)
  type: dict
  sample:
    run_id: 20261126T030000Z-remediate
    records_dir: /home/ops/memfrag-audit
    report_dir: /home/ops/memfrag-audit/20261126T030000Z-remediate
    before: /home/ops/drain.yml
    after: /home/ops/uncordon.yml
    reclaim: all
    limit: 12
    kill_switch: /etc/memfrag/disable
    check_mode: false
    process: 4711
    taken: [node17]
    give_back: [node17]
to_mend:
  description: The nodes that compaction will help.
  returned: step V(open)
  type: list
  elements: str
  sample: [node3]
remedy:
  description: The O(remedy), with C(go) saying whether to go on with this node, C(taken) whether it is this run's.
  returned: steps V(ask) and V(take)
  type: dict
  sample: {host: node3, outcome: waiting, go: true, taken: true}
summary:
  description: The report for people, line by line.
  returned: step V(close)
  type: list
  elements: str
  sample: ['Remediation 20261126T030000Z-remediate', '', 'Mended: 1']
report:
  description: The path of C(remediation.txt).
  returned: step V(close)
  type: str
  sample: /home/ops/memfrag-audit/20261126T030000Z-remediate/remediation.txt
"""
