# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices of memory that ran out by others than the kernel: which they are, what they know, and what is none."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import notices, prefixes, runtimes

CID = "029ce88eb5e7ed97a7a52134c5ca26748e104d90cc3ba5434d2ef501b4d74b85"


def read(text):
    found = runtimes.read(prefixes.split(text))
    return found if found is not None and found["kind"] == "oom_kill" else None


NOTICES = [
    # id, reporter, scope, cause, text
    (
        "task_oom",
        "containerd",
        "memcg",
        "memcg_limit",
        'Mar  1 10:00:00 n containerd[1]: time="2026-03-01T10:00:00Z" level=info msg="TaskOOM event container_id:\\"'
        + CID
        + '\\""',
    ),
    (
        "task_oom",
        "containerd",
        "memcg",
        "memcg_limit",
        'time="2020-01-01T10:00:00Z" level=info msg="TaskOOM event &TaskOOM{ContainerID:'
        + CID
        + ',XXX_unrecognized:[],}"',
    ),
    (
        "task_oom",
        "containerd",
        "memcg",
        "memcg_limit",
        '2026-03-01 10:00:00.1 +0000 UTC k8s.io /tasks/oom {"container_id":"' + CID + '"}',
    ),
    (
        "docker_oom",
        "docker",
        "memcg",
        "memcg_limit",
        "2026-03-01T10:00:00.123456789Z container oom " + CID + " (image=app:1, name=app)",
    ),
    ("inspect_oom", "docker", "memcg", "memcg_limit", '            "OOMKilled": true,'),
    (
        "conmon_oom",
        "conmon",
        "memcg",
        "memcg_limit",
        "Mar  1 10:00:00 n conmon[77]: conmon 029ce88eb5e7ed97a7a5 <ninfo>: OOM received",
    ),
    (
        "system_oom",
        "kubelet",
        "system",
        "memory_shortage",
        "  Warning  SystemOOM  3m57s  kubelet  System OOM encountered, victim process: stress-ng-vm, pid: 3103923",
    ),
    (
        "kernel_monitor",
        "kernel-monitor",
        "system",
        "memory_shortage",
        "  Warning  OOMKilling  3m  kernel-monitor  Out of memory: Killed process 31 (stress-ng-vm) total-vm:15kB, anon-rss:1kB",
    ),
    (
        "kernel_monitor_memcg",
        "kernel-monitor",
        "memcg",
        "memcg_limit",
        "  Warning  OOMKilling  3m  kernel-monitor  Memory cgroup out of memory: Killed process 31 (java) total-vm:15kB",
    ),
    (
        "cadvisor_system",
        "kubelet",
        "system",
        "memory_shortage",
        'Mar  1 10:00:00 n kubelet[9]: I0301 10:00:00.1    9 manager.go:1126] Created an OOM event in container "/" at 2026-03-01 10:00:00',
    ),
    (
        "cadvisor_oom",
        "kubelet",
        "memcg",
        "memcg_limit",
        'Mar  1 10:00:00 n kubelet[9]: I0301 10:00:00.1    9 manager.go:1126] Created an OOM event in container "/kubepods/x" at 2026',
    ),
    (
        "oomd_pressure",
        "systemd-oomd",
        None,
        "memory_shortage",
        "Mar  1 10:00:00 n systemd-oomd[5]: Marked /a.slice/b.service for killing due to memory pressure for /a.slice being 85.03% > 80.00%",
    ),
    ("pod_oom_killed", "kubelet", "memcg", "memcg_limit", "      Reason:       OOMKilled"),
    (
        "pod_oom_killed",
        "kubelet",
        "memcg",
        "memcg_limit",
        '  "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}',
    ),
    ("pod_oom_killed", "kubelet", "memcg", "memcg_limit", "web-0   0/1     OOMKilled   4 (30s ago)   2m"),
    (
        "unit_oom",
        "systemd",
        None,
        "unknown",
        "Mar  1 10:00:00 n systemd[1]: docker.service: A process of this unit has been killed by the OOM killer.",
    ),
    (
        "unit_oom",
        "systemd",
        None,
        "unknown",
        "Mar  1 10:00:00 n systemd[1]: docker.service: Failed with result 'oom-kill'.",
    ),
    (
        "unit_oomd",
        "systemd-oomd",
        None,
        "memory_shortage",
        "Mar  1 10:00:00 n systemd[1]: app.service: systemd-oomd killed 12 process(es) in this unit.",
    ),
    (
        "oomd_swap",
        "systemd-oomd",
        "system",
        "memory_shortage",
        "Mar  1 10:00:00 n systemd-oomd[5]: Killed /system.slice/app.service due to memory used (16400) / total (16500) and swap used "
        "(950) / total (1000) being more than 90.00%",
    ),
    (
        "oomd_pressure",
        "systemd-oomd",
        None,
        "memory_shortage",
        "Mar  1 10:00:00 n systemd-oomd[5]: Killed /user.slice/x.scope due to memory pressure for /user.slice being 70.00% > 50.00% for "
        "> 20s with reclaim activity",
    ),
    (
        "earlyoom_kill",
        "earlyoom",
        "system",
        "memory_shortage",
        'Mar  1 10:00:00 n earlyoom[9]: sending SIGTERM to process 4711 uid 1000 "firefox": oom_score 800, oom_score_adj 0, VmRSS 1204 MiB',
    ),
    (
        "earlyoom_kill_old",
        "earlyoom",
        "system",
        "memory_shortage",
        "Killing process: gnome-shell, pid: 4711, badness: 538, VmRSS: 1160 MiB",
    ),
    (
        "earlyoom_kill_old",
        "earlyoom",
        "system",
        "memory_shortage",
        "Mar  1 10:00:00 n earlyoom[9]: Killing process 'gnome-shell' with signal 15, pid: 4711, badness: 538, VmRSS: 1160 MiB",
    ),
    (
        "earlyoom_kill_old",
        "earlyoom",
        "system",
        "memory_shortage",
        'killing process 4711 "gnome-shell" with signal 15: badness 550, VmRSS 1609 MiB',
    ),
    (
        "oomd_cut",
        "systemd-oomd",
        None,
        "memory_shortage",
        "Mar  1 10:00:00 n systemd-oomd[5]: Killed /user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-x>",
    ),
    (
        "earlyoom_low",
        "earlyoom",
        "system",
        "memory_shortage",
        "Mar  1 10:00:00 n earlyoom[9]: low memory! at or below SIGKILL limits: mem  2.00%, swap  5.00%",
    ),
    ("nohang", "nohang", "system", "memory_shortage", "Mar  1 10:00:00 n nohang[9]:   Sending SIGTERM to the victim"),
    (
        "talos_oom",
        "talos",
        None,
        "unknown",
        'user: warning: [2026-01-12T20:27:31Z]: [talos] Sending SIGKILL to cgroup {"component": "c", "cgroup": "/sys/fs/cgroup/x"}',
    ),
    (
        "slurm_oom",
        "slurmstepd",
        "memcg",
        "memcg_limit",
        "Mar  1 10:00:00 n slurmstepd[9]: error: Detected 2 oom-kill event(s) in StepId=191.batch cgroup. Some of your processes may",
    ),
    (
        "slurm_oom",
        "slurmstepd",
        "memcg",
        "memcg_limit",
        "slurmstepd: error: Detected 1 oom_kill event in StepId=440575.0. Some of the step tasks have been OOM Killed.",
    ),
    (
        "agent_oom",
        "agent",
        "memcg",
        "memcg_limit",
        "Status reason  OutOfMemoryError: Container killed due to memory usage",
    ),
]


@pytest.mark.parametrize(
    "ident,reporter,scope,cause,text", NOTICES, ids=["%s-%d" % (case[0], number) for number, case in enumerate(NOTICES)]
)
def test_notices(ident, reporter, scope, cause, text):
    found = read(text)
    assert found["signature"].ident == ident
    assert (found["fields"]["reporter"], found["fields"]["scope"], found["signature"].cause) == (reporter, scope, cause)


def test_every_notice_has_a_line_above():
    assert {notice.ident for notice in notices.NOTICES} == {case[0] for case in NOTICES}


@pytest.mark.parametrize(
    "text,unit",
    [
        ("Mar  1 10:00:00 n systemd[1]: app@7.service: Failed with result 'oom-kill'.", "app@7.service"),
        ("app-x\\x2dy.scope: A process of this unit has been killed by the OOM killer.", "app-x\\x2dy.scope"),
        # A relay that took the unit off
        ("Mar  1 10:00:00 n systemd[1]: Failed with result 'oom-kill'.", None),
    ],
)
def test_the_unit_stands_before_what_systemd_says_of_it(text, unit):
    assert read(text)["fields"]["cgroup"] == unit


def test_only_what_measures_the_machine_itself_is_sure():
    assert {notice.ident for notice in notices.NOTICES if notice.confidence == "high"} == {"oomd_swap"}


@pytest.mark.parametrize(
    "ident,field,value",
    [
        ("task_oom", "container_id", CID),
        ("docker_oom", "container_id", CID),
        ("conmon_oom", "container_id", "029ce88eb5e7ed97a7a5"),
        ("system_oom", "victim_comm", "stress-ng-vm"),
        ("system_oom", "victim_pid", 3103923),
        ("kernel_monitor_memcg", "victim_pid", 31),
        ("unit_oom", "cgroup", "docker.service"),
        ("unit_oomd", "cgroup", "app.service"),
        ("oomd_swap", "cgroup", "/system.slice/app.service"),
        ("earlyoom_kill", "victim_comm", "firefox"),
        ("earlyoom_kill", "victim_pid", 4711),
        ("earlyoom_kill_old", "victim_comm", "gnome-shell"),
        ("earlyoom_kill_old", "victim_pid", 4711),
        ("oomd_cut", "cgroup", "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-x"),
        ("talos_oom", "cgroup", "/sys/fs/cgroup/x"),
    ],
)
def test_what_a_notice_knows(ident, field, value):
    for case in NOTICES:
        if case[0] == ident:
            assert read(case[-1])["fields"][field] == value


@pytest.mark.parametrize(
    "text",
    [
        "Mar  1 10:00:00 n earlyoom[9]: sending SIGTERM when mem avail <= 10.00% and swap free <= 10.00%,",
        'time="x" level=error msg="failed to handle event" error="can\'t find container for event"',
        "Mar  1 10:00:00 n mysuper[5]: Killed /usr/bin/worker",
        "Mar  1 10:00:00 n systemd-oomd[5]:         Path: /user.slice/user-1000.slice/user@1000.service/app.slice/x.scope",
        '            "OOMKilled": false,',
        '            "OomKillDisable": true,',
        "Mar  1 10:00:00 n app[1]: the OOM killer is a part of the kernel",
        "Mar  1 10:00:00 n systemd[1]: app.service: Failed with result 'exit-code'.",
        "Mar  1 10:00:00 n java[1]: java.lang.OutOfMemoryError: Java heap space",
        "Mar  1 10:00:00 n kernel: x: A process of this unit has been killed by the OOM killer",
        # Sentences
        "The status has a reason: OOMKilled. That is the limit of the container.",
        "The last state has the reason: OOMKilled.",
        "| 1 | 07:59 | the shard | `Failed with result 'oom-kill'`; 2 GiB |",
        "The journal has it: `run-4g*.scope: A process of this unit has been killed by the OOM killer`",
        # Source
        "\ts.send(&events.TaskOOM{",
        "\tcase *events.TaskOOM:",
        '\tlog.Warnf("TaskOOM event %+v", e)',
    ],
)
def test_what_is_no_notice(text):
    assert read(text) is None
