# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs together and what comes first: whole logs in, incidents out."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import clock, incidents, journal
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

CID = "%064x" % 0x1234
OTHER = "%064x" % 0x9999
UID = "1bcd0d00-baf1-11ea-88c6-0242c0219250"

cpu_clock = getattr(time, "process_time", None) or time.clock


def kubelet(second, text, pod="web-0", host="n"):
    return (
        "Mar  1 10:00:%02d %s kubelet[1]: E0301 10:00:%02d.000000       1 pod_workers.go:190] Error syncing pod %s "
        '("%s_shop(%s)"), skipping: failed to "CreatePodSandbox": rpc error: code = Unknown desc = %s'
        % (second, host, second, UID, pod, UID, text)
    )


def killed(second, comm="java", pid=4711, cgroup="/kubepods/burstable/pod%s/%s" % (UID, CID), host="n"):
    head = "Mar  1 10:00:%02d %s kernel: " % (second, host)
    return [
        head + "%s invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=900" % comm,
        head + "memory: usage 65536kB, limit 65536kB, failcnt 9",
        head
        + "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=%s,task_memcg=%s,task=%s,pid=%d,uid=0"
        % (cgroup.rsplit("/", 1)[0], cgroup, comm, pid),
        head + "Memory cgroup out of memory: Killed process %d (%s) total-vm:200000kB, anon-rss:60000kB, file-rss:0kB, "
        "shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:900" % (pid, comm),
    ]


@pytest.fixture
def judge(tmp_path):
    def run(*lines):
        path = tmp_path / "messages"
        path.write_bytes("\n".join(lines).encode("utf-8") + b"\n")
        return journal.collect(Node("/"), {"files": [str(path)], "since": "1970-01-01T00:00:00Z"})

    return run


TASK_OOM = 'Mar  1 10:00:%02d n containerd[1]: time="2026-03-01T10:00:%02dZ" level=info msg="TaskOOM event container_id:\\"%s\\""'


EARLYOOM = "Mar  1 10:00:%02d n earlyoom[9]: "
KILLING = 'sending SIG%s to process %d uid 1000 "%s": oom_score 800, oom_score_adj 0, VmRSS 1204 MiB'


def test_a_daemon_tells_of_one_kill_in_several_lines(judge):
    result = judge(
        EARLYOOM % 5 + "low memory! at or below SIGTERM limits: mem  4.00%, swap 10.00%",
        EARLYOOM % 5 + KILLING % ("TERM", 4711, "firefox"),
        EARLYOOM % 9 + "low memory! at or below SIGKILL limits: mem  2.00%, swap  5.00%",
        EARLYOOM % 9 + KILLING % ("KILL", 4711, "firefox"),
    )
    (event,) = result["events"]
    assert (event["victim_comm"], event["victim_pid"], event["line"]) == ("firefox", 4711, 1)
    assert result["incidents"][0]["count"] == 1


def test_two_victims_are_two_kills(judge):
    result = judge(
        EARLYOOM % 5 + "low memory! at or below SIGTERM limits: mem  4.00%, swap 10.00%",
        EARLYOOM % 5 + KILLING % ("TERM", 4711, "firefox"),
        EARLYOOM % 6 + "low memory! at or below SIGTERM limits: mem  4.00%, swap 10.00%",
        EARLYOOM % 6 + KILLING % ("TERM", 4712, "java"),
        EARLYOOM % 50 + KILLING % ("TERM", 4712, "java"),
    )
    assert [event["victim_pid"] for event in result["events"]] == [4711, 4712, 4712]


def test_a_unit_that_is_killed_is_told_of_by_the_daemon_and_by_systemd(judge):
    head = "Mar  1 10:00:05 n "
    lines = [
        head
        + "systemd-oomd[7]: Killed /user.slice/%s.scope due to memory pressure for /user.slice being 74.23%% > 20.00%% for > 2s"
        % name
        for name in "ab"
    ]
    told = head + "systemd[1]: %s.scope: systemd-oomd killed 3 process(es) in this unit."
    assert len(judge(lines[0], told % "a")["events"]) == 1
    assert len(judge(lines[0], told % "b")["events"]) == 2
    assert len(judge(*lines)["events"]) == 2


def test_a_message_in_yaml_is_folded(judge):
    (event,) = judge(
        "    lastState:",
        "      terminated:",
        "        message: 'OCI runtime create failed: container_linux.go:348: starting container",
        "          process caused: setting cgroup config for procHooks process caused: failed to write 10485760",
        "          to memory.limit_in_bytes: write /sys/fs/cgroup/memory/kubepods/web/memory.limit_in_bytes:",
        "          device or resource busy: unknown'",
        "        reason: ContainerCannotRun",
    )["events"]
    assert (event["signature"], event["line"]) == ("limit_write_busy", 3)


def test_a_notice_alone_is_an_incident(judge):
    result = judge(TASK_OOM % (5, 5, CID))
    (incident,) = result["incidents"]
    assert (incident["cause"], incident["confidence"]) == ("memcg_limit", "medium")
    assert incident["containers"] == [CID]
    assert incident["remedies"] == ["MF105"]
    event = result["events"][0]
    assert (event["kind"], event["reporter"], event["scope"]) == ("oom_kill", "containerd", "memcg")


def test_a_notice_joins_the_report_of_the_kernel(judge):
    result = judge(*(killed(4) + [TASK_OOM % (5, 5, CID)]))
    (incident,) = result["incidents"]
    assert (incident["cause"], incident["confidence"]) == ("memcg_limit", "high")
    assert [event["reporter"] for event in result["events"]] == ["kernel", "containerd"]


def test_a_notice_of_another_container_does_not(judge):
    result = judge(*(killed(4) + [TASK_OOM % (5, 5, OTHER)]))
    assert len(result["incidents"]) == 2
    assert result["incidents"][0]["containers"] == [CID]


def test_systemd_takes_the_kernels_cause(judge):
    unit = "Mar  1 10:00:06 n systemd[1]: app.service: A process of this unit has been killed by the OOM killer."
    (alone,) = judge(unit)["incidents"]
    assert (alone["cause"], alone["confidence"]) == ("unknown", "low")
    (together,) = judge(*(killed(5) + [unit, unit.replace("A process", "a.b: A process")]))["incidents"]
    assert (together["cause"], together["count"]) == ("memcg_limit", 1)


def test_notices_of_one_kill_are_one_incident(judge):
    head = "Mar  1 10:00:0%d n "
    (incident,) = judge(
        head % 5
        + "systemd-oomd[7]: Killed /user.slice/a.scope due to memory pressure for /user.slice being 74.23% > 20.00% for > 2s",
        head % 5 + "systemd[1]: a.scope: systemd-oomd killed 3 process(es) in this unit.",
    )["incidents"]
    assert (incident["cause"], incident["count"]) == ("memory_shortage", 1)


def test_a_machine_without_memory_is_one_incident_whoever_is_killed(judge):
    (incident,) = judge(
        "3m  Warning  SystemOOM  node/n  System OOM encountered, victim process: nginx, pid: 9295",
        "3m  Warning  SystemOOM  node/n  System OOM encountered, victim process: coredns, pid: 478970",
    )["incidents"]
    assert (incident["cause"], incident["count"]) == ("memory_shortage", 2)


@pytest.mark.parametrize("prefix", ["", "[21160.626351] ", "Mar  1 10:00:00 n ", "2026-03-01T10:00:00+0000 n "])
def test_notices_are_read_behind_any_prefix(judge, prefix):
    (incident,) = judge(prefix + "earlyoom[84786]: low memory! at or below SIGTERM limits: mem  4.00%, swap 10.00%")[
        "incidents"
    ]
    assert incident["cause"] == "memory_shortage"


def test_a_report_of_another_host_explains_nothing(judge):
    result = judge(
        *(
            killed(5, comm="runc:[2:INIT]", host="other")
            + [kubelet(6, "OCI runtime create failed: EOF: container init")]
        )
    )
    assert len(result["incidents"]) == 2


def test_a_start_without_a_reason_takes_the_kernels(judge):
    result = judge(
        *(
            killed(5, comm="runc:[2:INIT]")
            + [kubelet(6, "container init: getting the final child's pid from pipe: EOF")]
        )
    )
    (incident,) = result["incidents"]
    assert incident["cause"] == "memcg_limit"
    assert incident["pods"] == ["shop/web-0"]


def test_a_start_with_a_reason_of_its_own_keeps_it(judge):
    result = judge(
        *(
            killed(5, comm="runc:[2:INIT]", cgroup="/a/b")
            + [
                kubelet(
                    6,
                    "unable to join session keyring: unable to create session key: disk quota exceeded: container process",
                )
            ]
        )
    )
    assert {incident["cause"] for incident in result["incidents"]} == {"memcg_limit", "unknown"}


def test_what_was_considered_is_said(judge):
    (incident,) = judge(kubelet(5, "mkdir /sys/fs/cgroup/memory/kubepods/x: no space left on device"))["incidents"]
    assert incident["cause"] == "memcg_leak"
    assert [entry["cause"] for entry in incident["rejected"]] == ["disk_full"]
    (incident,) = judge(kubelet(5, "write /sys/fs/cgroup/memory/x/memory.limit_in_bytes: device or resource busy"))[
        "incidents"
    ]
    assert (incident["cause"], [entry["cause"] for entry in incident["rejected"]]) == ("memcg_limit", ["mount_busy"])


def _group(kernel, cause, confidence, weak=False):
    verdict = {"cause": cause, "reason": "", "confidence": confidence}
    return incidents.Group(("runtime", "n", "x", cause), verdict, kernel, weak, 4)


@pytest.mark.parametrize(
    "better,worse",
    [
        # Confidence before severity, a report of the kernel before a message, severity before number.
        ((True, "image", "medium", 1), (False, "fragmentation", "low", 900)),
        ((False, "image", "medium", 1), (True, "fragmentation", "low", 900)),
        ((False, "unknown", "medium", 1), (False, "fragmentation", "low", 900)),
        ((True, "atomic_burst", "medium", 1), (False, "memory_shortage", "high", 900)),
        ((False, "disk_full", "high", 1), (False, "fragmentation", "medium", 900)),
        ((True, "fragmentation", "high", 1), (True, "memcg_limit", "high", 900)),
        ((True, "fragmentation", "high", 2), (True, "fragmentation", "high", 1)),
        ((False, "fragmentation", "low", 1), (False, "unknown", "low", 900)),
    ],
)
def test_what_comes_first(better, worse):
    weights = [
        incidents._weight(_group(kernel, cause, confidence), kernel, count, 0)
        for kernel, cause, confidence, count in (better, worse)
    ]
    assert weights[0] < weights[1]


def test_a_hundred_thousand_pods_are_bounded_work():
    """Events are grouped as they come: neither memory nor time may depend on how many names somebody makes up."""
    store = incidents.Store()

    class Signature:
        ident, cause, reason, confidence, weak, rejected = "other", "unknown", "x", "low", True, []

    begun = cpu_clock()
    for number in range(100000):
        event = {
            "kind": "container_start_failure",
            "cause": "unknown",
            "host": "n",
            "source": "s",
            "message": "m",
            "pod": "pod-%d" % number,
            "namespace": "a",
            "pod_uid": None,
            "container_id": "%064x" % (number % 700),
            "runtime": "kubelet",
        }
        store.add_runtime(event, Signature, float(number // 10), (1, number), 1)
    events, found, number = store.incidents(200, clock.iso)
    assert cpu_clock() - begun < 10
    assert store.total >= 10000
    assert len(store.groups) <= incidents.MAX_GROUPS + 10
    assert len(events) == 200
    assert sum(incident["count"] for incident in found) <= store.total
