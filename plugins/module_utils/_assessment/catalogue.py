# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The findings an assessment can come to: one table, one row per stable id. The catalogue in the documentation is checked against it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections

from .._options import TEXT_TYPES

# How much a finding weighs, least first. "unknown" outranks "low": not knowing is no reason for calm.
SEVERITIES = ("info", "low", "unknown", "medium", "high", "critical")

DOCS = "https://github.com/kernelops/kernelops.memfrag/blob/main/docs/docsite/rst/runbook_findings.rst"

# First aid for fragmentation, in the order of what it costs. Both need root.
_COMPACT = "echo 1 > /proc/sys/vm/compact_memory"
_RECLAIM_COMPACT = "sync; echo 2 > /proc/sys/vm/drop_caches; " + _COMPACT

# The command for each way of remediation; findings about blocks that are missing take it in place of their own.
REMEDY_OF_ACTION = {
    "compact": _COMPACT,
    "reclaim_then_compact": _RECLAIM_COMPACT,
    "add_memory": "ps -eo pid,rss,comm --sort=-rss | head -20    # compaction will not help, memory is short",
    "drain_and_reboot": "systemctl reboot    # once the work is moved away; compaction will not help",
}
REMEDY_BY_ACTION = ("MF101", "MF102", "MF103", "MF104", "MF201", "MF202", "MF203")
# Of MF306 where compaction would not help.
NO_HUGE_PAGES = "grep -i huge /proc/meminfo    # compaction will not bring huge pages back"
COMPACTING = ("compact", "reclaim_then_compact")

# about: what it is about; meaning: what that says of the node; remedy: the command that helps or shows more; variable: what of the
# tuning role sets it for good, or None
Finding = collections.namedtuple("Finding", "about meaning remedy variable")

FINDINGS = {
    # MF1xx: what failed
    "MF101": Finding(
        "Allocations failed because of fragmentation",
        "The kernel asked for a contiguous block, had memory enough, but not in one piece.",
        _RECLAIM_COMPACT,
        "memfrag_tuning_min_free_kbytes",
    ),
    "MF102": Finding(
        "Network namespaces could not be created",
        "Connection tracking could not create its slab cache for a new network namespace, so that a container did not start.",
        _RECLAIM_COMPACT,
        None,
    ),
    "MF103": Finding(
        "Containers did not start for want of contiguous memory",
        "A container runtime failed at the moment in which the kernel could not allocate a block.",
        _RECLAIM_COMPACT,
        None,
    ),
    "MF104": Finding(
        "The OOM killer ended processes because of fragmentation",
        "A request for a small block could not be served although memory was free. Orders up to 3 may not fail, so the kernel kills.",
        _RECLAIM_COMPACT,
        "memfrag_tuning_min_free_kbytes",
    ),
    "MF105": Finding(
        "Memory limits of containers were exceeded",
        "The limit of a memory cgroup was reached. That is no fragmentation; a limit too small to start in looks like it.",
        "dmesg | grep -i 'memory cgroup out of memory' | tail    # compare the limit with the usage in the evidence",
        None,
    ),
    "MF106": Finding(
        "The node ran out of memory",
        "Memory was short, not fragmented. Compaction cannot help.",
        "ps -eo pid,rss,comm --sort=-rss | head -20",
        None,
    ),
    "MF107": Finding(
        "Kernel-memory accounting of cgroups failed",
        "Memory cgroups leak in this kernel: creating one fails with ENOMEM or ENOSPC although memory is free.",
        "grubby --update-kernel=ALL --args=cgroup.memory=nokmem    # and reboot, or use a newer kernel",
        None,
    ),
    "MF108": Finding(
        "Atomic requests found the reserves drained",
        "An interrupt asked for memory faster than kswapd could free it. Larger watermarks give it a head start.",
        "sysctl vm.min_free_kbytes vm.watermark_scale_factor",
        "memfrag_tuning_watermark_scale_factor",
    ),
    "MF109": Finding(
        "Virtual address space of the kernel ran out",
        "A vmalloc request failed for want of addresses, not of memory.",
        "grep Vmalloc /proc/meminfo",
        None,
    ),
    "MF110": Finding(
        "Containers failed for reasons other than memory",
        "The runtime errors of this node have another cause, which the incident names.",
        "journalctl -u kubelet -u docker -u containerd --since -1d -p err",
        None,
    ),
    "MF111": Finding(
        "The kernel stalled in compaction",
        "A CPU or a task hung in the compaction code for so long that the watchdog reported it.",
        "sysctl vm.compaction_proactiveness vm.extfrag_threshold",
        "memfrag_tuning_compaction_proactiveness",
    ),
    # MF2xx: what cannot be allocated now
    "MF201": Finding(
        "Orders that are needed cannot be allocated, or hardly",
        "No zone that may serve an ordinary kernel request has a block of this size, or so few that the next requests take the last.",
        _RECLAIM_COMPACT,
        "memfrag_tuning_min_free_kbytes",
    ),
    "MF202": Finding(
        "A NUMA node cannot serve requests bound to it",
        "Requests of any node still find blocks elsewhere, those of a cpuset or memory policy bound to this node do not.",
        "echo 1 > /sys/devices/system/node/nodeN/compact    # N is the node",
        None,
    ),
    "MF203": Finding(
        "The main zone is out of blocks",
        "The zone that holds most of the memory is fragmented; requests fall back to the smaller zones, which do not last.",
        _COMPACT,
        None,
    ),
    "MF204": Finding(
        "Atomic requests would fail",
        "Not even the reserves below the min watermark hold a page for a request that cannot wait.",
        "sysctl vm.min_free_kbytes",
        "memfrag_tuning_min_free_kbytes",
    ),
    "MF205": Finding(
        "The node is short of memory",
        "Little is left even if everything reclaimable were reclaimed. Compaction cannot help; the index is low, not high.",
        "ps -eo pid,rss,comm --sort=-rss | head -20",
        None,
    ),
    "MF206": Finding(
        "A zone that devices depend on is exhausted",
        "Drivers of devices that reach only low addresses allocate from zone DMA or DMA32 alone (GFP_DMA, GFP_DMA32). Nothing else"
        " can stand in for it.",
        "grep -E 'DMA' /proc/buddyinfo; grep -A6 'zone *DMA' /proc/zoneinfo",
        None,
    ),
    # MF3xx: what is heading there
    "MF301": Finding(
        "Unmovable memory has spread over the pageblocks",
        "Pages that the kernel cannot move stand in most pageblocks. Where no huge page can be made any more, compaction no longer helps.",
        "grep -A9 'Number of blocks' /proc/pagetypeinfo",
        "memfrag_tuning_watermark_boost_factor",
    ),
    "MF302": Finding(
        "Direct compaction mostly fails",
        "Processes stop to compact memory and do not get the block they stopped for.",
        "grep compact_ /proc/vmstat",
        "memfrag_tuning_compaction_proactiveness",
    ),
    "MF303": Finding(
        "Processes stall to reclaim memory",
        "Requests enter direct reclaim, since kswapd starts too late or too little is reclaimable.",
        "grep -E 'allocstall|kswapd_low_wmark' /proc/vmstat",
        "memfrag_tuning_watermark_scale_factor",
    ),
    "MF304": Finding(
        "Memory pressure",
        "Tasks wait for memory, for reclaim or for compaction (PSI).",
        "cat /proc/pressure/memory",
        None,
    ),
    "MF305": Finding(
        "Huge page faults fall back to small pages",
        "The earliest sign of fragmentation, and a matter of performance only.",
        "grep thp_ /proc/vmstat",
        None,
    ),
    "MF306": Finding(
        "No huge page could be allocated now",
        "Nothing fails for want of a huge page, it only gets slower. Of severity low where the machine uses huge pages, else for information.",
        _COMPACT,
        "memfrag_tuning_compaction_proactiveness",
    ),
    # Who holds the pageblocks; where they were surveyed, by holders.py.
    "MF307": Finding(
        "Slab stands in many pageblocks",
        "Kernel objects cannot be moved. Freed ones give a pageblock back only when the last object in it is gone.",
        "slabtop -o -s c | head -20",
        "memfrag_tuning_vfs_cache_pressure",
    ),
    "MF308": Finding(
        "Pages of the kernel stand in many pageblocks",
        "Pipes, network buffers and drivers hold pages that cannot be moved. They go when their owner closes or is restarted.",
        "cat /proc/net/sockstat; ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c pipe:    # restart what holds them",
        None,
    ),
    "MF309": Finding(
        "Page tables stand in many pageblocks",
        "Page tables cannot be moved. They go with the processes that map that much; huge pages need far fewer.",
        "grep -H VmPTE /proc/[0-9]*/status | sort -k2 -n | tail -20    # restart the largest",
        None,
    ),
    "MF310": Finding(
        "Reserved huge pages fill many pageblocks",
        "The pool of huge pages (hugetlb) keeps them from everybody else, whether they are used or not. For information.",
        "grep -H . /sys/kernel/mm/hugepages/hugepages-*/*_hugepages    # lower vm.nr_hugepages where they are not needed",
        None,
    ),
    "MF311": Finding(
        "Memory was taken from the kernel",
        "Ballooned, offline, poisoned or reserved pages are out of the kernel's reach, and compaction leaves them where they are.",
        "grep -i -E 'HardwareCorrupted|DirectMap|Balloon' /proc/meminfo; lsmem    # deflate the balloon, or online the memory",
        None,
    ),
    "MF312": Finding(
        "Locked and large user pages stand in many pageblocks",
        "Locked pages, and large ones that this kernel cannot move, stay until their owner unlocks them or ends.",
        "grep -H VmLck /proc/[0-9]*/status | sort -k2 -n | tail -20    # restart the largest",
        None,
    ),
    # Who takes them, where it was watched; by fragmenters.py.
    "MF313": Finding(
        "Pageblocks are being broken up for good",
        "Pages that cannot be moved are put where compaction could make room so far. Named are the tasks, and the kernel functions that they "
        "ask through.",
        "memfrag watch --seconds 60    # again, once the task that is named was moved, limited or mended",
        "memfrag_tuning_watermark_boost_factor",
    ),
    # MF4xx: what feeds it
    "MF401": Finding(
        "Slab that cannot be reclaimed is large",
        "Kernel objects fill a good part of the memory, in pages that cannot be moved.",
        "slabtop -o -s c | head -20",
        None,
    ),
    "MF402": Finding(
        "Reclaimable slab is large",
        "Cached names and inodes fill a good part of the memory. They can be freed, but never moved.",
        "echo 2 > /proc/sys/vm/drop_caches",
        "memfrag_tuning_vfs_cache_pressure",
    ),
    "MF403": Finding(
        "Slab caches are sparse",
        "Few of their objects are in use, but each holds its slab, and so its pageblock.",
        "slabtop -o -s c | head -20",
        None,
    ),
    "MF405": Finding(
        "Per-cpu lists hold much free memory",
        "Free pages on these lists do not merge into blocks until they are given back.",
        "sysctl vm.percpu_pagelist_high_fraction",
        None,
    ),
    # MF5xx: what is configured against it
    "MF501": Finding(
        "min_free_kbytes is small for this memory",
        "Little is kept free, so that blocks are broken up before kswapd starts.",
        "sysctl vm.min_free_kbytes",
        "memfrag_tuning_min_free_kbytes",
    ),
    "MF502": Finding(
        "min_free_kbytes is dangerously large",
        "It takes memory from everything else; the kernel's documentation warns of an instant OOM.",
        "sysctl vm.min_free_kbytes",
        "memfrag_tuning_min_free_kbytes",
    ),
    "MF503": Finding(
        "The kernel cannot compact memory",
        "It was built without CONFIG_COMPACTION.",
        "grep CONFIG_COMPACTION /boot/config-$(uname -r)",
        None,
    ),
    "MF504": Finding(
        "Proactive compaction is switched off",
        "The kernel could compact in the background, and is told not to.",
        "sysctl vm.compaction_proactiveness",
        "memfrag_tuning_compaction_proactiveness",
    ),
    "MF505": Finding(
        "extfrag_threshold keeps the kernel from compacting",
        "Above the default of 500, direct compaction is skipped in zones that it would help.",
        "sysctl vm.extfrag_threshold",
        "memfrag_tuning_extfrag_threshold",
    ),
    "MF506": Finding(
        "zone_reclaim_mode is on",
        "Each NUMA node reclaims its own memory rather than using another's, which fragments it and stalls.",
        "sysctl vm.zone_reclaim_mode",
        "memfrag_tuning_zone_reclaim_mode",
    ),
    "MF508": Finding(
        "Caches are dropped again and again",
        "Somebody writes drop_caches regularly, perhaps a cron job. It costs the caches and hides the cause.",
        "journalctl -k -g drop_caches --since -1d; grep -rs drop_caches /etc/cron* /var/spool/cron",
        None,
    ),
    # MF6xx: kernels known for it
    "MF601": Finding(
        "This kernel has one connection tracking cache per network namespace",
        "Linux 2.6.33 to 4.6, el6 and el7: each new container needs a new slab cache, and on 3.8 to 4.13 and el7 with it an array"
        " whose size follows from the number of memory cgroups.",
        "ls /sys/kernel/slab | grep -c '^nf_conntrack_'",
        None,
    ),
    "MF602": Finding(
        "Memory cgroups leak",
        "Many more memory cgroups than directories: removed containers still hold kernel memory. Each new slab cache must reserve"
        " a pointer for every one of them, which is what asks for order 4, 5 or 6. Compaction is first aid only.",
        "grubby --update-kernel=ALL --args=cgroup.memory=nokmem    # and reboot, or use a newer kernel",
        None,
    ),
    "MF603": Finding(
        "Each veth pair needs a large block on this kernel",
        "Linux 5.13 to 6.7 allocates the queues of all possible CPUs in one piece; mended in 6.8, 6.7.9, 6.6.21 and 6.1.81.",
        "cat /sys/devices/system/cpu/possible; uname -r",
        None,
    ),
    # MF7xx: what is to come; of reports alone, which know a node's past
    "MF701": Finding(
        "Blocks of an order are running out",
        "The records of earlier runs show a steady fall: if it goes on, no block of that order is left by the time that is said. For"
        " information: it changes neither level nor score, and nothing acts on it. The report makes it from its history, where that carries"
        " one; how, and how often it is wrong, is in the guide to forecasts.",
        "ansible-playbook kernelops.memfrag.audit -e memfrag_pageblocks=true    # what holds the pageblocks, and who puts it there",
        None,
    ),
    # MF9xx: what is not known
    "MF901": Finding(
        "The free lists could not be read",
        "Without /proc/buddyinfo nothing can be said about contiguous memory.",
        "cat /proc/buddyinfo",
        None,
    ),
    "MF902": Finding(
        "Parts of the assessment are unknown",
        "Sources could not be read; what they would have told is left open, not taken to be well.",
        "ansible-playbook kernelops.memfrag.audit -b    # root reads everything",
        None,
    ),
}


def make(ident, severity, title, **evidence):
    """One finding of an assessment, in the form of its contract. The title is a sentence with the numbers of this node."""
    known = FINDINGS[ident]
    return {
        "id": ident,
        "severity": severity,
        "title": title,
        "evidence": evidence,
        "remedy": known.remedy,
        "variable": known.variable,
        "docs": "%s#%s" % (DOCS, ident.lower()),
    }


# What moves a kind of pages where it is not what the table has for its finding: (finding, kind in its evidence) -> command.
SHRINKING_SLAB = "shrinking slab"
REMEDY_OF_KIND = {
    ("MF307", SHRINKING_SLAB): "sync; echo 2 > /proc/sys/vm/drop_caches",
    (
        "MF311",
        "poisoned",
    ): "grep HardwareCorrupted /proc/meminfo    # faulty memory: replace it; systemctl reboot    # gives back what is sound",
    (
        "MF311",
        "reserved",
    ): "cat /proc/cmdline; dmesg | grep -i -E 'reserved|crashkernel|cma'    # set aside at boot: only a reboot without it helps",
    (
        "MF312",
        "compound",
    ): "grep -E 'HugePages:|HugePmd|Huge' /proc/meminfo    # they go with their owners; systemctl reboot if those are not known",
}


def remedy_of_kind(name, evidence):
    """-> the command for what holds the pageblocks by a finding's evidence, None where the finding's own command is the one."""
    kind = (evidence if isinstance(evidence, dict) else {}).get("kind")
    if kind == "slab" and evidence.get("shrinks") is True:
        kind = SHRINKING_SLAB
    return REMEDY_OF_KIND.get((name, kind)) if isinstance(kind, TEXT_TYPES) else None


def remedy_of(name, action, will_help, evidence=None):
    """-> the command for a finding on a node with that remediation, None for findings that are not in the table.

    evidence   of the finding, as a record has it: commands come from the tables here, whatever it says
    """
    if name not in FINDINGS:
        return None
    of_kind = remedy_of_kind(name, evidence)
    if of_kind:
        return of_kind
    if name in REMEDY_BY_ACTION and action in REMEDY_OF_ACTION:
        return REMEDY_OF_ACTION[action]
    if name == "MF306":
        if action in COMPACTING and will_help is not False:
            return REMEDY_OF_ACTION[action]
        return "grep -i huge /proc/meminfo" if action in (None, "none") else NO_HUGE_PAGES
    return FINDINGS[name].remedy
