#!/usr/bin/python
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: memfrag_journal_info
short_description: Finds memory trouble in a node's logs and names its cause
version_added: 0.1.0
author:
  - KernelOps engineers (@kernelops)
description:
  - Reads kernel and container runtime messages from the systemd journal, from log files or from the kernel ring buffer, and
    returns the reports in them as data. There are page allocation failures, OOM kills, slab, vmalloc and CMA failures, stalls in
    compaction, and containers that could not be started or removed.
  - Says for each why it happened. The cause of a kernel report comes from the kernel's own arithmetic on the zones that the
    report lists, so that fragmentation, shortage, drained reserves and cgroup limits are told apart.
  - Joins what belongs together into incidents. A pod that hangs in C(ContainerCreating), the error of the runtime and the
    kernel report behind both are one incident with one cause, however often the kubelet tried.
  - Where the log does not tell, the cause is V(unknown).
notes:
  - The kernel limits how many reports it prints, and many requests ask it to print none. Counts are lower bounds, and a log
    without reports proves nothing.
  - Reading the journal and most log files needs root.
  - C(.zst) files need the C(zstd) command, C(.xz) files need the C(xz) command with Python 2.7.
extends_documentation_fragment:
  - kernelops.memfrag._attributes
  - kernelops.memfrag._attributes.info_module
options:
  files:
    description:
      - Log files to read, absolute paths or globs on the node. Plain files and files compressed with gzip, xz or bzip2, of any
        common format, pasted text included.
      - With neither O(files) nor O(journal_directory), the systemd journal is read. For the time before it began, or without
        one, C(/var/log/messages*), C(/var/log/kern.log*) and C(/var/log/syslog*) are, and where there is none of these, the
        kernel ring buffer.
    type: list
    elements: str
    default: []
  journal_directory:
    description:
      - A directory with systemd journal files to read, or a single journal file.
    type: path
  root:
    description:
      - The directory that holds the node's files. V(/) is the node itself, V(/host) the host of a container that has it
        mounted there. The directory of an unpacked sosreport works as well.
      - All other paths are below it.
    type: path
    default: /
  since:
    description:
      - The beginning of the time window, ISO 8601 or an age such as V(-24h) or V(-7d). A time without a zone is in the local
        time of the node.
      - V(-7d) if not given, but no limit with O(files) or O(journal_directory).
      - Messages whose time is not known are always in the window.
    type: str
  until:
    description:
      - The end of the time window, in the same forms. Now, if not given.
    type: str
  deadline_seconds:
    description:
      - How long the module may take. What was read until then is returned, the rest has RV(sources[].timed_out).
      - Something on the node that gives no answer for 15 seconds, or for a quarter of this time, is left out.
        A command gets at most half of the time that is left.
    type: int
    default: 120
  redact:
    description:
      - Whether passwords, tokens and keys in log lines are replaced by C([redacted]) before anything leaves the node.
      - What is known is passwords in URLs, bearer and basic authorization, JSON web tokens, the keys of the large clouds and
        registries, private keys, and values of names such as C(password), C(token), C(secret) and C(api_key).
    type: bool
    default: true
  units:
    description:
      - Systemd units of the container runtimes, whose messages are read from the journal together with those of the kernel.
      - The units of kubelet, Docker, containerd, CRI-O, Podman, k3s and RKE2, of systemd itself, and of user-space OOM killers, if not
        given.
    type: list
    elements: str
    default: []
  max_events:
    description:
      - Return at most so many events, and as many incidents. The numbers in RV(counts) are exact all the same, and each
        incident that is returned has at least one event.
    type: int
    default: 200
  signatures:
    description:
      - Errors of container runtimes to look for besides the built-in ones, and before them.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: A name for it, returned as RV(events[].signature).
        type: str
        required: true
      contains:
        description: Literals of which a line must contain at least one. Large logs are searched for these.
        type: list
        elements: str
        required: true
      pattern:
        description: A regular expression that must match as well, regardless of case.
        type: str
      cause:
        description: The cause of such an error.
        type: str
        required: true
        choices:
          - fragmentation
          - memory_shortage
          - atomic_burst
          - memcg_limit
          - memcg_leak
          - vmalloc_exhaustion
          - disk_full
          - immutable_file
          - mount_busy
          - pid_limit
          - network_plugin
          - runtime_hang
          - runtime_state_mismatch
          - image
          - invalid_request
          - unknown
      kind:
        description: The kind of event it is.
        type: str
        choices: [container_start_failure, container_remove_failure]
        default: container_start_failure
      reason:
        description: One sentence that explains it.
        type: str
      confidence:
        description: How sure the cause is.
        type: str
        choices: [high, medium, low]
        default: high
      weak:
        description: Whether it is only a symptom, so that a kernel report of the moment takes precedence.
        type: bool
        default: false
seealso:
  - module: kernelops.memfrag.memfrag_audit
  - module: kernelops.memfrag.memfrag_facts
  - plugin: kernelops.memfrag.risk
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look for memory trouble in the last day
  kernelops.memfrag.memfrag_journal_info:
    since: -24h
  register: journal
  become: true

- name: Show causes, the weightiest first
  ansible.builtin.debug:
    msg: >-
      {{ item.count }} x {{ item.cause }} ({{ item.confidence }}):
      {{ item.reason }}
  loop: "{{ journal.incidents }}"
  loop_control:
    label: "{{ item.cause }}"

- name: Diagnose a log that somebody has sent
  kernelops.memfrag.memfrag_journal_info:
    files: [/tmp/messages-from-node17.gz]
  delegate_to: localhost

- name: Read rotated files and know an error of our own storage driver
  kernelops.memfrag.memfrag_journal_info:
    files: ['/var/log/messages*']
    since: 2026-11-20T08:00:00Z
    signatures:
      - id: acme_volume
        contains: ['acme-csi']
        pattern: 'acme-csi.*pool .* exhausted'
        cause: disk_full
        reason: the pool of the ACME storage driver is full
  become: true
"""

RETURN = r"""
events:
  description:
    - Single reports and errors, in the order of the log.
    - Besides the fields below each kind has its own. Page allocation failures have C(kernel), C(cpu), C(call_site),
      C(call_module), C(trace), C(slab_reclaimable_pages) and C(slab_unreclaimable_pages). OOM kills have C(reporter) (V(kernel),
      or who gave notice of it), C(scope) (V(system), V(memcg), V(cpuset) or V(mempolicy), V(null) where nothing in the log tells),
      C(victim_comm), C(victim_pid), C(cgroup), C(usage_kb) and C(limit_kb). Slab failures have C(cache), C(node), C(object_size) and C(errno),
      vmalloc failures C(size_bytes), CMA failures C(pages) and C(errno), stalls C(seconds) and C(function).
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description:
        - One of V(page_allocation_failure), V(slab_allocation_failure), V(slab_cache_create_failure), V(vmalloc_failure),
          V(oom_kill), V(cma_allocation_failure), V(compaction_stall), V(container_start_failure) and
          V(container_remove_failure).
      type: str
    time:
      description: When it happened, ISO 8601 in UTC. V(null) if the log does not tell the date.
      type: str
    time_raw:
      description: The time as it stands in the log.
      type: str
    host:
      description: The host name in the log.
      type: str
    source:
      description: The file, journal or command it was found in.
      type: str
    line:
      description: Number of its first line in the source, V(null) where lines were not counted.
      type: int
    cursor:
      description: Where it is in sources without line numbers, a journal time or a byte offset.
      type: str
    message:
      description: The first line, at most 300 characters.
      type: str
    cause:
      description: Why it happened, one of the causes of O(signatures[].cause).
      type: str
    reason:
      description: The cause in one sentence, with the numbers it rests on.
      type: str
    confidence:
      description: V(high), V(medium) or V(low).
      type: str
    comm:
      description: The process that asked for memory.
      type: str
    pid:
      description: Its process id.
      type: int
    order:
      description: The order of the request.
      type: int
    gfp_mask:
      description: The gfp mask of the request, hexadecimal.
      type: str
    gfp_flags:
      description: The names of its flags on the kernel that wrote the report.
      type: list
      elements: str
    zones:
      description: The zones that the report lists.
      type: list
      elements: dict
      contains:
        node:
          description: NUMA node, V(null) on kernels without NUMA.
          type: int
        zone:
          description: Name of the zone.
          type: str
        free_blocks:
          description: Free blocks per order, V(null) if the list is not or not wholly in the log.
          type: list
          elements: int
        migratetypes:
          description: Letters of the migratetypes that have blocks of the order.
          type: list
          elements: str
        free_kb:
          description: Free memory. Likewise C(min_kb), C(low_kb) and C(high_kb) for the watermarks, and C(managed_kb).
          type: int
        extfrag_index:
          description: Fragmentation index at the order of the request in thousandths, -1000 if a block was free.
          type: int
    pod:
      description: Name of the pod, with C(namespace) and C(pod_uid) where the log has them.
      type: str
    container_id:
      description: Id of the container.
      type: str
    signature:
      description: Which known error of a container runtime it is.
      type: str
  sample:
    - kind: page_allocation_failure
      time: "2020-07-01T00:45:31Z"
      time_raw: Jul  1 00:45:31
      host: prod-k8s-node
      source: /var/log/messages
      line: 107
      message: 'runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0'
      cause: fragmentation
      reason: >-
        order 5 (128 kB contiguous): node 1 Normal has 117572 kB free, above its low watermark of 56468 kB, but no block above
        order 4 (fragmentation index 0.959)
      confidence: high
      comm: runc:[1:CHILD]
      pid: 70623
      order: 5
      gfp_mask: '0x10c0d0'
      gfp_flags: [GFP_KERNEL, __GFP_COMP, __GFP_ZERO, __GFP_KMEMCG]
      kernel: 3.10.0-957.1.3.el7.x86_64
      call_site: nf_conntrack_init_net
      call_module: nf_conntrack
incidents:
  description:
    - Events that belong together. Findings come before guesses of low confidence, kernel reports before mere messages, then the surer one,
      the worse cause, the more frequent and the more recent one.
  returned: success
  type: list
  elements: dict
  contains:
    cause:
      description: Why it happened.
      type: str
    reason:
      description: The cause in one sentence, with the numbers it rests on.
      type: str
    confidence:
      description: V(high), V(medium) or V(low).
      type: str
    first_time:
      description: When it was first seen, V(null) if the log does not tell.
      type: str
    last_time:
      description: When it was last seen.
      type: str
    count:
      description: How often it was seen, those included whose events are not returned.
      type: int
    events:
      description: Indices in RV(events) of the events that show it.
      type: list
      elements: int
    kinds:
      description: The kinds of all its events.
      type: list
      elements: str
    pods:
      description: Pods concerned, with their namespace where it is known.
      type: list
      elements: str
    containers:
      description: Ids of the containers concerned.
      type: list
      elements: str
    rejected:
      description: Causes that suggest themselves but were ruled out, as C(cause) and C(why).
      type: list
      elements: dict
    remedies:
      description: Ids of the findings that say what to do.
      type: list
      elements: str
  sample:
    - cause: memcg_limit
      reason: 'the memory limit of cgroup /kubepods/pod95387fa4/6895a3e1 was reached: 524288 of 524288 kB in use'
      confidence: high
      first_time: "2026-11-20T05:46:44Z"
      last_time: "2026-11-20T05:52:10Z"
      count: 3
      events: [0, 1, 2]
      kinds: [oom_kill]
      pods: []
      containers: []
      rejected:
        - cause: memory_shortage
          why: the limit of the cgroup was reached, not that of the machine
      remedies: [MF105]
counts:
  description: Exact totals, also where RV(events) is cut.
  returned: success
  type: dict
  contains:
    events:
      description: Number of events found.
      type: int
    events_returned:
      description: Number of events in RV(events).
      type: int
    incidents:
      description: Number of incidents found.
      type: int
    by_kind:
      description: Number of events of each kind.
      type: dict
    by_cause:
      description: Number of events of each cause.
      type: dict
    suppressed:
      description: Reports that the kernel says it did not print. If not zero, all numbers are lower bounds.
      type: int
sources:
  description: What was read, and what could not be.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: Path of the file, or name of the journal or command.
      type: str
    kind:
      description: V(file), V(utf-16), V(gzip), V(bzip2), V(xz), V(zstd), V(journal) or V(command).
      type: str
    status:
      description: V(read), V(partial), V(failed), or V(skipped) if it cannot hold anything of the time window.
      type: str
    reason:
      description: Why it was not read or not read to its end.
      type: str
    timed_out:
      description: Whether it was the time that ran out, see O(deadline_seconds).
      type: bool
    bytes:
      description: Number of bytes looked at, after decompression.
      type: int
    lines:
      description: Number of lines looked at, where they were counted.
      type: int
    first_time:
      description: Time of the first line.
      type: str
    last_time:
      description: Time of the last line.
      type: str
    notes:
      description: What to bear in mind, suppressed messages for example.
      type: list
      elements: str
  sample:
    - source: /var/log/messages-20261115.gz
      kind: gzip
      status: partial
      reason: the file ends in the middle of the compressed data after 4806636 bytes
      timed_out: false
      bytes: 4806636
      lines: 59863
      first_time: "2026-11-08T03:10:02Z"
      last_time: "2026-11-12T17:42:51Z"
      notes: []
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import _watch
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

# Of an error that only the user knows.
SIGNATURE = {
    "id": {"type": "str", "required": True},
    "contains": {"type": "list", "elements": "str", "required": True},
    "pattern": {"type": "str"},
    "cause": {"type": "str", "required": True, "choices": list(journal.CAUSES)},
    "kind": {
        "type": "str",
        "choices": ["container_start_failure", "container_remove_failure"],
        "default": "container_start_failure",
    },
    "reason": {"type": "str"},
    "confidence": {"type": "str", "choices": ["high", "medium", "low"], "default": "high"},
    "weak": {"type": "bool", "default": False},
}


def main():
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "str", "default": []},
            "journal_directory": {"type": "path"},
            "root": {"type": "path", "default": "/"},
            "since": {"type": "str"},
            "until": {"type": "str"},
            "deadline_seconds": {"type": "int", "default": _watch.DEADLINE_SECONDS},
            "redact": {"type": "bool", "default": True},
            "units": {"type": "list", "elements": "str", "default": []},
            "max_events": {"type": "int", "default": 200},
            "signatures": {"type": "list", "elements": "dict", "default": [], "options": SIGNATURE},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work(deadline, tell):
        tell("journal", journal.collect(Node(params["root"], deadline), params))

    try:
        parts = _watch.collect(params["deadline_seconds"], work)
    except _watch.CollectError as error:
        module.fail_json(msg=str(error))
    if "journal" not in parts:
        module.fail_json(msg=parts.gave_up)
    module.exit_json(**json.loads(parts["journal"]))


if __name__ == "__main__":
    main()
