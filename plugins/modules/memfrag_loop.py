#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_loop
short_description: Lets the node of an alert in to a remediation, and says what became of it
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - It is what the playbooks C(kernelops.memfrag.loop_remediate) and C(kernelops.memfrag.loop_tell) are made of, which the rulebook
    C(kernelops.memfrag.memfrag_remediate) runs. It never speaks to a node.
  - Which node the alert is about it takes from the variable C(memfrag_loop_host), and the name of the run from C(memfrag_loop_run_id). They
    are no options, since Ansible would take what an alert says for a template.
notes:
  - This action runs on the controller and needs no connection.
  - What it has let in is in C(loop.jsonl) in O(records_dir), for a day.
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is noted in C(loop.jsonl).
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
      - V(admit) lets the node in, or not. It fails, and nothing goes on, unless C(memfrag_loop_host) is the plain name of a host, and
        O(hosts) are that host and no other. It lets no node in while the kill switch is on, and not against O(again_minutes),
        O(nodes_per_hour) and O(pause_minutes).
      - V(tell) says what became of the node, by the books of the run.
    type: str
    required: true
    choices: [admit, tell]
  hosts:
    description:
      - All hosts that the run is about, C(ansible_play_hosts_all).
    type: list
    elements: str
    default: []
  records_dir:
    description:
      - Directory with the records, as of M(kernelops.memfrag.memfrag_remediation). An absolute path, since ansible-rulebook runs playbooks
        in a directory that it removes.
    type: str
  kill_switch:
    description:
      - A truth, or a file on the controller, C(/etc/memfrag/disable) if not given; an absolute path as well.
    type: str
  again_minutes:
    description:
      - The same node is let in again after so many minutes.
    type: int
    default: 30
  nodes_per_hour:
    description:
      - So many nodes are let in within an hour. V(0) is no limit.
    type: int
    default: 10
  pause_minutes:
    description:
      - No node is let in for so many minutes after one that compaction did not help, that is worse than before or that could not be
        mended. V(0) is no pause.
    type: int
    default: 60
seealso:
  - module: kernelops.memfrag.memfrag_remediation
"""

EXAMPLES = r"""
- name: Let the node in, or not
  kernelops.memfrag.memfrag_loop:
    step: admit
    hosts: "{{ ansible_play_hosts_all }}"
    records_dir: /var/lib/memfrag/records
  register: admitted
  run_once: true
  delegate_to: localhost
  vars:
    memfrag_loop_host: node17
"""

RETURN = r"""
host:
  description: The node that the alert is about.
  returned: success
  type: str
  sample: node17
admitted:
  description: Whether it is let in.
  returned: step V(admit)
  type: bool
reason:
  description: Why not.
  returned: step V(admit)
  type: str
  sample: it was taken 4 minutes ago (run 20261126T080000Z-alert-5f3a9c21, mended; memfrag_loop_again_minutes)
run_id:
  description: The name of the run. The time and C(-alert), if C(memfrag_loop_run_id) is not given.
  returned: step V(admit)
  type: str
  sample: 20261126T080000Z-alert-5f3a9c21
records_dir:
  description: The same as O(records_dir), absolute.
  returned: step V(admit)
  type: str
  sample: /var/lib/memfrag/records
report_dir:
  description: Where the run keeps its books.
  returned: step V(admit)
  type: str
  sample: /var/lib/memfrag/records/20261126T080000Z-alert-5f3a9c21
outcome:
  description: What the node came to, as in C(remediation.jsonl), or V(refused).
  returned: step V(tell)
  type: str
  sample: mended
summary:
  description: The same in words.
  returned: step V(tell)
  type: str
  sample: "node17 was mended, score 60 -> 10: compacted"
alert:
  description: For C(POST /api/v2/alerts) of Alertmanager.
  returned: step V(tell)
  type: dict
  sample: {labels: {alertname: MemfragRemediation, instance: node17, outcome: mended, severity: info}}
annotation:
  description: For C(POST /api/annotations) of Grafana.
  returned: step V(tell)
  type: dict
  sample: {tags: [memfrag, remediation, node17, mended]}
"""
