#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_report
short_description: Makes the memory fragmentation report of a fleet
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Reads the records that M(kernelops.memfrag.memfrag_audit) left on the controller and writes one report on all nodes. A
    self-contained HTML page, JSON, CSV, and metrics for the textfile collector of node_exporter.
  - Needs the records only. It never contacts a node, so a report can be made again, with another policy, from several slices of
    a fleet, or with the older runs as history.
  - Nodes that failed, could not be reached, or were asked for and left no record are in the report, too. Records that cannot be
    read are named in it.
  - It is what the playbooks C(kernelops.memfrag.audit) and C(kernelops.memfrag.report) end with.
notes:
  - This action runs on the controller and needs no connection. Use it with C(run_once) or in a play on C(localhost).
  - The same records give the same bytes.
attributes:
  check_mode:
    support: full
    details:
      - The report is written in check mode, too. It is the result of the audit and not a change of a node.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
extends_documentation_fragment:
  - kernelops.memfrag._attributes
  - kernelops.memfrag._attributes.action
options:
  records_dir:
    description:
      - Directory with the records, C(<records_dir>/<run_id>/<host>.json). A relative path starts at the current directory.
    type: path
    default: ./memfrag-audit
  records_dirs:
    description:
      - Several such directories, in place of O(records_dir), or directories of single runs. Their records are merged, the newest
        of each node counts.
    type: list
    elements: path
  collected_dirs:
    description:
      - Directories with records that nodes have written of themselves, with the node tool's C(memfrag audit --output), and that were
        collected. O(records_dir) is left out then unless it is given.
      - Each holds C(<host>.json), or a directory per node that only this node may write to, C(<host>/<host>.json).
      - They are held to the same as a node's answer, and assessed here, whatever they say of themselves. What breaks the contract, or
        speaks of another node, is named in the report and skipped.
    type: list
    elements: path
    default: []
    version_added: 1.0.0
  run_id:
    description:
      - The run to report on. Earlier runs in the same directories are the history.
      - Without it the report is on the newest record of every node, whatever its run.
    type: str
  hosts:
    description:
      - The nodes that were asked for. One without a record is in the report as failed.
      - Nodes with records are in the report whether they are named here or not.
    type: list
    elements: str
    default: []
  report_dir:
    description:
      - Where to write the report. The directory of the run if not given, or the first directory of records without O(run_id).
    type: path
  report_formats:
    description:
      - What to write.
      - V(html) is C(report.html), one file for people. It needs no network.
      - V(json) is C(report.json), everything for programs. Its schema is C(docs/report.schema.json) in the collection.
      - V(csv) is C(report.csv), one line per node.
      - V(prom) is C(memfrag.prom), metrics of the fleet for the textfile collector of node_exporter.
    type: list
    elements: str
    choices: [html, json, csv, prom]
    default: [html, json, csv, prom]
  report_mode:
    description:
      - Mode of the report's files, in octal digits, whatever the umask. They hold names and log lines of the nodes.
      - The textfile collector of node_exporter, or a web server, may need V('0640') or V('0644').
    type: str
    default: '0600'
    version_added: 0.1.0
  policy:
    description:
      - What the nodes are held to. If given, all records are assessed again by it, those of the history as well.
      - Without it each record keeps the assessment that it was stored with, and only records without one are assessed.
    type: dict
    default: {}
  kubernetes_groups:
    description:
      - Groups of the inventory whose hosts are nodes of Kubernetes, as patterns like C(kube*). Where such a host has to be restarted, the
        command drains it by C(kubectl) first and gives it back after that. The host has to be called there as in the inventory.
      - Without it these are the hosts of groups that begin with C(kube), C(k8s), C(k3s) or C(rke2), and those whose logs speak of pods.
      - With an empty list no host is, and C(kubectl) is in no command.
    type: list
    elements: str
    version_added: 0.1.0
  fail_on:
    description:
      - Fail if a node is at one of these levels, or in one of these states. The report is written first.
      - A report in which no node at all was audited fails whatever stands here.
      - Every level counts for itself. V(high) does not include V(critical).
    type: list
    elements: str
    default: []
    choices: [critical, high, medium, low, unknown, unreachable, failed, stale]
  history:
    description:
      - At most so many earlier runs of each node are in the report.
    type: int
    default: 10
  stale_after_hours:
    description:
      - Without O(run_id), a record that is so much older than the newest one is marked as stale.
    type: float
    default: 24
seealso:
  - module: kernelops.memfrag.memfrag_audit
  - plugin: kernelops.memfrag.risk
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make the report of a run, and fail for nodes in trouble
  kernelops.memfrag.memfrag_report:
    run_id: nightly
    hosts: "{{ ansible_play_hosts_all }}"
    fail_on: [critical, unreachable]
  run_once: true
  delegate_to: localhost

- name: Make one report from the slices of a fleet
  kernelops.memfrag.memfrag_report:
    records_dirs:
      - /srv/memfrag/slice-1
      - /srv/memfrag/slice-2
    report_dir: /srv/memfrag/report

- name: Make one report of what nodes have written, and of an audit
  kernelops.memfrag.memfrag_report:
    collected_dirs: [/srv/memfrag/nodes]
    records_dir: /srv/memfrag/audits
    report_dir: /srv/memfrag/report

- name: Keep the numbers of the fleet where node_exporter finds them
  kernelops.memfrag.memfrag_report:
    report_dir: /var/lib/prometheus/node-exporter
    report_formats: [prom]
    report_mode: '0644'
"""

RETURN = r"""
files:
  description: Path of each file of the report, by format.
  returned: success
  type: dict
  sample:
    html: /home/ops/memfrag-audit/20261121T030000Z/report.html
summary:
  description:
    - The report in some lines of text of at most 100 characters, nodes grouped by what is to be done, each group with a command.
    - Printed as well, except by callbacks that write for programs.
  returned: success
  type: list
  elements: str
  sample:
    - "Coverage: 117 of 120 nodes audited, 3 unreachable."
    - "Risk: 1 critical, 2 high, 114 low."
    - "Compact the memory (this will help): 2 nodes"
    - "  node7 (high 57): Order 4 (64 kB) cannot be allocated, with 2.1 GB free: fragmented."
    - "  node9 (high 51): Order 4 (64 kB) can be allocated only 3 times more."
    - "  ansible-playbook kernelops.memfrag.remediate -i /srv/inventory -b -l node7,node9"
coverage:
  description: How much of the fleet the report covers.
  returned: success
  type: dict
  contains:
    asked:
      description: All nodes of the report.
      type: int
      sample: 120
    audited:
      description: Nodes that were audited.
      type: int
      sample: 117
    failed:
      description: Nodes whose audit failed, and nodes that were asked for and left no record.
      type: int
      sample: 0
    unreachable:
      description: Nodes that could not be reached.
      type: int
      sample: 3
    stale:
      description: Nodes whose newest record is too old.
      type: int
      sample: 0
    not_assessed:
      description: Audited nodes without an assessment.
      type: int
      sample: 0
    skipped_records:
      description: Records that could not be read.
      type: int
      sample: 0
levels:
  description: Audited nodes by level.
  returned: success
  type: dict
  sample: {critical: 1, high: 2, medium: 0, low: 114, unknown: 0}
"""
