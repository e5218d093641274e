# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Notices that memory ran out, by others than the kernel: container runtimes, kubelet, systemd, user-space OOM killers.

They come where the kernel's report is missing, rotated away or on another machine's disk. Each is an ``oom_kill`` event with a
``reporter``; beside a report of the kernel it joins that incident, and the kernel's cause counts. What a notice can know differs:
a counter in memory.events (TaskOOM, systemd) also counts kills for a lack of memory of the whole machine.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import listings
from .lazy import Lazy, contains_any


class Notice:
    """One form of notice. ``contains``: literals of which a line has one. Named groups of the pattern: victim, pid, cgroup, container.

    tagged   its words say too little: only a line counts that the reporter is known to have written
    """

    weak = True

    def __init__(self, ident, reporter, scope, cause, confidence, reason, contains, pattern, unit=False, tagged=False):
        self.ident, self.reporter, self.scope, self.tagged = ident, reporter, scope, tagged
        self.cause, self.confidence, self.reason = cause, confidence, reason
        self.contains = tuple(contains)
        self.pattern = Lazy(pattern)
        # Whether the word before it, as in "docker.service: ", names the unit.
        self.unit = unit
        self.rejected = []


_BY_COUNTER = "a process of the container was killed by the OOM killer; that its own limit was reached is likely, the notice does not say"
_TASK = r"(?P<victim>[^,\n]{1,64})"

NOTICES = (
    # containerd internal/cri/server/events.go "TaskOOM event %+v"; core/runtime/events.go TaskOOMEventTopic, which ctr and dockerd print
    Notice(
        "task_oom",
        "containerd",
        "memcg",
        "memcg_limit",
        "medium",
        _BY_COUNTER,
        ("TaskOOM event", "/tasks/oom", "events.TaskOOM"),
        r"TaskOOM event.{0,80}?(?:ontainerID:|ontainer_id:\"?)(?P<container>[0-9a-f]{64})|TaskOOM event|/tasks/oom.{0,200}?(?P<task>[0-9a-f]{64})"
        r"|(?<![0-9a-f])(?P<before>[0-9a-f]{64})(?![0-9a-f]).{0,200}?/tasks/oom|/tasks/oom|events\.TaskOOM(?![\w{:])",
    ),
    # docker events: api/types/events, daemon/events.go: TIME container oom ID (image=..., name=...)
    Notice(
        "docker_oom",
        "docker",
        "memcg",
        "memcg_limit",
        "medium",
        _BY_COUNTER,
        ("container oom ",),
        r"\bcontainer oom (?P<container>[0-9a-f]{12,64})\b",
    ),
    # docker and podman inspect: State.OOMKilled (moby container/state.go)
    Notice(
        "inspect_oom",
        "docker",
        "memcg",
        "memcg_limit",
        "medium",
        _BY_COUNTER,
        ('"OOMKilled": true', '"OOMKilled":true', "OOMKilled:true"),
        r"\"?OOMKilled\"?: ?true",
    ),
    # conmon src/oom.c, which writes with the id in front: conmon ID20 <ninfo>: OOM received
    Notice(
        "conmon_oom",
        "conmon",
        "memcg",
        "memcg_limit",
        "medium",
        _BY_COUNTER,
        ("OOM received", "OOM event received"),
        r"(?:conmon )?(?P<container>[0-9a-f]{20})?.{0,12}: OOM (?:event )?received|OOM event received",
    ),
    # kubelet pkg/kubelet/oom/oom_watcher_linux.go
    Notice(
        "system_oom",
        "kubelet",
        "system",
        "memory_shortage",
        "medium",
        "the kubelet saw the OOM killer end a process outside of all containers: the machine ran out of memory",
        ("System OOM encountered", "SystemOOM"),
        r"System OOM encountered(?:, victim process: " + _TASK + r", pid: (?P<pid>\d{1,9}))?",
    ),
    # cAdvisor manager/manager.go, in the kubelet's log; "/" stands for the machine
    Notice(
        "cadvisor_system",
        "kubelet",
        "system",
        "memory_shortage",
        "medium",
        "the kubelet read of an OOM kill outside of all containers: the machine ran out of memory",
        ("Created an OOM event in container",),
        r"Created an OOM event in container \"/\"",
    ),
    Notice(
        "cadvisor_oom",
        "kubelet",
        "memcg",
        "memcg_limit",
        "medium",
        _BY_COUNTER,
        ("Created an OOM event in container",),
        r"Created an OOM event in container \"(?P<cgroup>[^\"]{2,1024})\"",
    ),
    # node-problem-detector config/kernel-monitor.json, reason OOMKilling: the kernel's line in an event
    Notice(
        "kernel_monitor_memcg",
        "kernel-monitor",
        "memcg",
        "memcg_limit",
        "medium",
        "the kernel's own line, as an event: the limit of a cgroup was reached",
        ("OOMKilling",),
        r"OOMKilling.{0,200}?emory cgroup out of memory: Kill(?:ed)? process (?P<pid>\d{1,9}) \((?P<victim>[^\n]{1,32}?)\)",
    ),
    Notice(
        "kernel_monitor",
        "kernel-monitor",
        "system",
        "memory_shortage",
        "medium",
        "the kernel's own line, as an event: the machine ran out of memory",
        ("OOMKilling",),
        r"OOMKilling.{0,200}?Out of memory: Kill(?:ed)? process (?P<pid>\d{1,9}) \((?P<victim>[^\n]{1,32}?)\)",
    ),
    # api/core/v1 ContainerStateTerminated.Reason; dockershim, containerd and CRI-O set it from the runtime's flag
    Notice(
        "pod_oom_killed",
        "kubelet",
        "memcg",
        "memcg_limit",
        "medium",
        _BY_COUNTER,
        ("OOMKilled",),
        # What a field says does not end in the period of a sentence.
        r"(?:[Rr]eason\"?[:=] {0,20}\"?|with reason \"?|terminated: |terminated \(|State: {0,20}Terminated.{0,40})OOMKilled(?!\.(?: [A-Z]|$))|"
        r"^\S{1,253} {1,20}\d{1,4}/\d{1,4} {1,20}(?:Init:)?OOMKilled ",
    ),
    # systemd src/core/unit.c unit_check_oomd_kill()
    Notice(
        "unit_oomd",
        "systemd-oomd",
        None,
        "memory_shortage",
        "medium",
        "systemd-oomd killed the unit for memory pressure or full swap",
        ("systemd-oomd killed",),
        r"systemd-oomd killed",
        unit=True,
    ),
    # systemd src/core/unit.c unit_check_oom(), unit_log_failure(); until 243 src/core/service.c
    Notice(
        "unit_oom",
        "systemd",
        None,
        "unknown",
        "low",
        "a process of the unit was killed by the OOM killer: the memory limit of a cgroup or a lack of memory, the notice does not tell which",
        ("killed by the OOM killer", "killed some processes in this unit", "result 'oom-kill'"),
        r"A process of this unit has been killed by the OOM killer"
        r"|The kernel OOM killer killed some processes in this unit|Failed with result 'oom-kill'",
        unit=True,
    ),
    # systemd src/oom/oomd-manager.c
    Notice(
        "oomd_swap",
        "systemd-oomd",
        "system",
        "memory_shortage",
        "high",
        "systemd-oomd killed a cgroup as the memory and the swap of the machine were used up",
        ("due to memory used",),
        r"(?:Killed|Marked) (?P<cgroup>\S{1,1024}) (?:for killing )?due to memory used",
    ),
    Notice(
        "oomd_pressure",
        "systemd-oomd",
        None,
        "memory_shortage",
        "medium",
        "systemd-oomd killed a cgroup as processes spent their time waiting for memory",
        ("due to memory pressure",),
        r"(?:Killed|Marked) (?P<cgroup>\S{1,1024}) (?:for killing )?due to memory pressure",
    ),
    # the same where a pager has cut it: the daemon kills for nothing else
    Notice(
        "oomd_cut",
        "systemd-oomd",
        None,
        "memory_shortage",
        "medium",
        "systemd-oomd killed a cgroup for memory pressure or full swap, the line breaks off before it tells which",
        ("Killed /",),
        r"^Killed (?P<cgroup>/\S{1,1024}?)(?:\.{3}|>|\u2026)?$",
        tagged=True,
    ),
    # earlyoom kill.c kill_process(), main.c poll_loop()
    Notice(
        "earlyoom_kill",
        "earlyoom",
        "system",
        "memory_shortage",
        "medium",
        "earlyoom killed a process as too little memory and swap were left on the machine",
        ("sending SIG",),
        r"sending SIG(?:TERM|KILL) to process (?P<pid>\d{1,9}) (?:uid \d{1,10} )?\"(?P<victim>[^\"]{1,64})\": (?:badness|oom_score) ",
    ),
    # the same up to 1.2, and in between
    Notice(
        "earlyoom_kill_old",
        "earlyoom",
        "system",
        "memory_shortage",
        "medium",
        "earlyoom killed a process as too little memory and swap were left on the machine",
        ("badness",),
        r"[Kk]illing process:? (?:(?P<pid>\d{1,9}) )?['\"]?(?P<victim>[^'\",\n]{1,64})['\"]?(?: with signal \d{1,2})?[,:] "
        r"(?:pid: (?P<number>\d{1,9}), )?badness:? \d",
    ),
    Notice(
        "earlyoom_low",
        "earlyoom",
        "system",
        "memory_shortage",
        "medium",
        "earlyoom found too little memory and swap left on the machine",
        ("low memory! at or below",),
        r"low memory! at or below SIG(?:TERM|KILL) limits",
    ),
    # nohang src/nohang implement_corrective_action()
    Notice(
        "nohang",
        "nohang",
        "system",
        "memory_shortage",
        "medium",
        "nohang ended a process as too little memory was left on the machine, or processes spent their time waiting for it",
        ("to the victim",),
        r"Sending SIG(?:TERM|KILL) to the victim",
    ),
    # Talos internal/app/machined/pkg/controllers/runtime/oom.go: acts on pressure
    Notice(
        "talos_oom",
        "talos",
        None,
        "unknown",
        "low",
        "the OOM controller of the machine killed a cgroup for memory pressure; what memory was short of, it does not say",
        ("Sending SIGKILL to cgroup",),
        r"Sending SIGKILL to cgroup(?:.{0,200}?\"cgroup\": ?\"(?P<cgroup>[^\"]{1,1024})\")?",
    ),
    # Slurm src/plugins/task/cgroup/task_cgroup_memory.c task_cgroup_memory_check_oom(): until 20.11 it counts what memory.oom_control
    # notifies of, later oom_kill of memory.events
    Notice(
        "slurm_oom",
        "slurmstepd",
        "memcg",
        "memcg_limit",
        "medium",
        "a process of the job was killed by the OOM killer; that the memory limit of the job was reached is likely, the notice does not say",
        ("oom-kill event", "oom_kill event"),
        r"Detected \d{1,9} oom[-_]kill event(?:\(s\)|s)? in ",
    ),
    # Amazon ECS agent agent/api/task: OutOfMemoryError; Nomad drivers/docker: OOM Killed
    Notice(
        "agent_oom",
        "agent",
        "memcg",
        "memcg_limit",
        "medium",
        _BY_COUNTER,
        ("Container killed due to memory usage", "OOM Killed"),
        r"OutOfMemoryError: Container killed due to memory usage|Exit Message: \"?OOM Killed",
    ),
)
_UNIT = Lazy(r"[\w:@\\.-]{3,256}$")
# In the order of the table: gates of large logs are searched for one by one.
LITERALS = tuple(sorted({literal for notice in NOTICES if not notice.tagged for literal in notice.contains}))
# Those of a program's own that are not gates: it is known by its name.
_TAGGED = {notice.reporter: notice.contains for notice in NOTICES if notice.tagged}
# All of the others have one of these: fewer to search every line for.
_QUICK = ("OOM", "oom", "due to memory", "ending SIG", "low memory!", "badness")


def speaks(text, tag=None):
    """Whether a text may be a notice. ``tag``: the program that wrote it, where that is known."""
    return contains_any(text, _QUICK) and contains_any(text, LITERALS) or contains_any(text, _TAGGED.get(tag, ()))


def read(line, text):
    """A Line and its text with plain quotes -> {notice, fields}, None when it is no notice.

    fields: those of an oom_kill event of the journal's contract, as far as they are known.
    """
    if line.tag == "kernel":
        return None
    for notice in NOTICES:
        if not contains_any(text, notice.contains) or notice.tagged and line.tag != notice.reporter:
            continue
        match = notice.pattern.search(text)
        if match is not None and not listings.is_listing(text):
            found = match.groupdict()
            if notice.unit:
                found["cgroup"] = _unit_before(text[max(0, match.start() - 300) : match.start()])
                if found["cgroup"] is None and line.tag != "systemd":
                    # systemd names the unit in front of all that it says of one (src/core/unit.h log_unit_full()).
                    continue
            return {"notice": notice, "fields": _fields(line, notice, found)}
    return None


def _unit_before(text):
    """The name of a unit directly before what is said of it: of the letters that one may have (src/basic/unit-name.c)."""
    words = text.rsplit(None, 1)
    unit = words[-1].rstrip(":").lstrip("\"'`([") if text.rstrip().endswith(":") and words else ""
    return unit if "." in unit and _UNIT.match(unit) else None


def _fields(line, notice, found):
    reporter = notice.reporter
    if reporter == "agent" and line.tag:
        reporter = line.tag
    return {
        "reporter": reporter,
        "scope": notice.scope,
        "comm": None,
        "pid": None,
        "order": None,
        "kernel": None,
        "gfp_mask": None,
        "gfp_flags": [],
        "victim_comm": found.get("victim"),
        "victim_pid": int(found.get("pid") or found.get("number") or 0) or None,
        "cgroup": found.get("cgroup"),
        "container_id": found.get("container") or found.get("task") or found.get("before"),
        "usage_kb": None,
        "limit_kb": None,
        "zones": [],
    }
