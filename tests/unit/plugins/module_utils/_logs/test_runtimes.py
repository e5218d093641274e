# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of container runtimes: which they are, which pod and container they are about, and what is none."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import clock, prefixes, runtimes

CID = "029ce88eb5e7ed97a7a52134c5ca26748e104d90cc3ba5434d2ef501b4d74b85"
UID = "1bcd0d00-baf1-11ea-88c6-0242c0219250"
KUBELET = "Jul 01 00:45:31 node kubelet[12227]: E0701 00:45:31.465799   12227 "
DOCKERD = 'Jul  1 00:45:31 node dockerd[77]: time="2020-07-01T00:45:31.465215676+08:00" level=error msg="'
SANDBOX = (
    KUBELET
    + 'kuberuntime_sandbox.go:68] CreatePodSandbox for pod "web-0_shop('
    + UID
    + ')" failed: rpc error: code = Unknown desc = '
    'failed to start sandbox container for pod "web-0": Error response from daemon: OCI runtime create failed: '
)
RUNC = 'container_linux.go:344: starting container process caused \\"process_linux.go:297: '


def read(text):
    line = prefixes.split(text)
    return runtimes.read(line)


ERRORS = [
    # signature, cause, text
    (
        "pipe_eof",
        "unknown",
        SANDBOX + RUNC + 'getting the final child\'s pid from pipe caused \\\\\\"EOF\\\\\\"\\": unknown',
    ),
    (
        "pipe_eof",
        "unknown",
        DOCKERD
        + "starting container failed: OCI runtime create failed: unable to start container process: can't get final "
        "child's PID from pipe: EOF: unknown\"",
    ),
    (
        "setns_exit_6",
        "fragmentation",
        DOCKERD
        + 'oci runtime error: container_linux.go:247: starting container process caused \\"process_linux.go:245: '
        'running exec setns process for init caused \\\\\\"exit status 6\\\\\\"\\""',
    ),
    (
        "setns_exit",
        "unknown",
        DOCKERD
        + 'oci runtime error: starting container process caused \\"running exec setns process for init caused \\\\\\"exit status 34\\\\\\"\\""',
    ),
    (
        "init_killed",
        "memcg_limit",
        SANDBOX + 'decoding sync type from init pipe caused "read parent: connection reset by peer"',
    ),
    (
        "init_killed",
        "memcg_limit",
        SANDBOX + 'getting the final child\'s pid from pipe caused "read init-p: connection reset by peer": unknown',
    ),
    (
        "init_killed",
        "memcg_limit",
        "  Warning  Failed  53m  kubelet  Error: container create failed: sending config to init process caused: write init-p: broken pipe",
    ),
    (
        "init_oom_killed",
        "memcg_limit",
        "Error response from daemon: failed to create task for container: OCI runtime create failed: container init "
        "was OOM-killed (memory limit too low?): unknown",
    ),
    (
        "limit_below_usage",
        "memcg_limit",
        "Error: OCI runtime create failed: unable to set memory limit to 4194304 (current usage: 5000000, peak usage: 6000000)",
    ),
    (
        "cgroup_enomem",
        "memcg_leak",
        KUBELET
        + "pod_workers.go:190] Error syncing pod x, skipping: failed to create container for [kubepods] : mkdir "
        "/sys/fs/cgroup/memory/kubepods/x: cannot allocate memory, starting container",
    ),
    (
        "cgroup_enospc",
        "memcg_leak",
        SANDBOX
        + 'applying cgroup configuration for process caused "mkdir /sys/fs/cgroup/memory/kubepods/x: no space left on device"',
    ),
    (
        "cpuset_enospc",
        "unknown",
        SANDBOX + "write /sys/fs/cgroup/cpuset/kubepods/x/cgroup.procs: no space left on device",
    ),
    (
        "disk_full",
        "disk_full",
        DOCKERD + 'Failed to create container: write /var/lib/docker/overlay2/x: no space left on device"',
    ),
    (
        "disk_full",
        "disk_full",
        DOCKERD
        + 'Failed to log msg \\"\\" for logger json-file: write /opt/docker/x-json.log: no space left on device"',
    ),
    (
        "immutable_file",
        "immutable_file",
        KUBELET
        + 'remote_runtime.go:250] RemoveContainer "'
        + CID
        + '" from runtime service failed: rpc error: code = Unknown desc = failed to remove root filesystem: remove /a/bash: operation not permitted',
    ),
    (
        "mount_busy",
        "mount_busy",
        DOCKERD
        + "Handler for DELETE /v1.38/containers/"
        + CID
        + ' returned error: driver \\"overlay2\\" failed to remove root filesystem: remove /x/merged: device or resource busy"',
    ),
    ("pid_limit", "pid_limit", "runtime/cgo: pthread_create failed: Resource temporarily unavailable"),
    ("pid_limit", "pid_limit", SANDBOX + "fork/exec /proc/self/exe: resource temporarily unavailable"),
    (
        "network_plugin",
        "network_plugin",
        SANDBOX.split("rpc", 1)[0]
        + 'rpc error: code = Unknown desc = failed to setup network for sandbox "'
        + CID
        + '": failed to find plugin "loopback" in path [/opt/cni/bin]',
    ),
    (
        "network_plugin",
        "network_plugin",
        'Failed create pod sandbox: rpc error: code = Unknown desc = NetworkPlugin cni failed to set up pod "a_b" '
        "network: stat /var/lib/calico/nodename: no such file",
    ),
    (
        "veth_enomem",
        "fragmentation",
        DOCKERD
        + "Handler for POST /containers/"
        + CID
        + "/start returned error: failed to create endpoint x on network bridge: failed to add the host (veth1a2b3c) "
        '<=> sandbox (veth4d5e6f) pair interfaces: cannot allocate memory, starting container"',
    ),
    ("enomem", "unknown", SANDBOX + "fork/exec /usr/bin/runc: cannot allocate memory"),
    (
        "runtime_hang",
        "runtime_hang",
        "Warning FailedSync 3m (x408 over 1h) kubelet, 10.1.1.1 error determining status: rpc error: code = "
        "DeadlineExceeded desc = context deadline exceeded",
    ),
    (
        "state_mismatch",
        "runtime_state_mismatch",
        DOCKERD + CID + ' cleanup: failed to delete container from containerd: no such container"',
    ),
    (
        "overlay_links",
        "image",
        "Error response from daemon: error creating overlay mount to /var/lib/docker/overlay2/x/merged: too many levels of symbolic links",
    ),
    (
        "image",
        "image",
        KUBELET
        + "kuberuntime_manager.go:1] container start failed: ErrImagePull: rpc error: code = NotFound desc = manifest unknown",
    ),
    (
        "seccomp_bpf_jit",
        "vmalloc_exhaustion",
        SANDBOX
        + "unable to init seccomp: error loading seccomp filter into kernel: error loading seccomp filter: errno 524",
    ),
    (
        "io_error",
        "unknown",
        "Apr 14 23:53:09 node kubelet[27036]: F0414 23:53:09.157669   27036 server.go:141] read /var/lib/kubelet/pki/kubelet.crt: input/output error",
    ),
    ("other", "unknown", SANDBOX + "something never seen before"),
]


@pytest.mark.parametrize(
    "ident,cause,text", ERRORS, ids=["%s-%d" % (case[0], number) for number, case in enumerate(ERRORS)]
)
def test_signatures(ident, cause, text):
    found = read(text)
    assert (found["signature"].ident, found["signature"].cause) == (ident, cause)


def test_every_signature_has_a_line_above():
    assert {row.ident for row in runtimes.SIGNATURES} - {case[0] for case in ERRORS} == {"exec_failed"}


def test_kind_pod_and_container():
    found = read(SANDBOX + RUNC + 'EOF"')
    assert (found["kind"], found["pod"], found["namespace"], found["pod_uid"]) == (
        "container_start_failure",
        "web-0",
        "shop",
        UID,
    )
    assert found["runtime"] == "kubelet"
    found = read(
        DOCKERD + "Handler for DELETE /v1.38/containers/" + CID + ' returned error: remove /x: device or resource busy"'
    )
    assert (found["kind"], found["container_id"], found["runtime"]) == ("container_remove_failure", CID, "dockerd")
    found = read(
        'E0701 12:09:55.247057    6153 pod_workers.go:1] "Error syncing pod, skipping" err="failed to start '
        'container: OCI runtime create failed" pod="shop/web-0" podUID=' + UID
    )
    assert (found["pod"], found["namespace"], found["pod_uid"]) == ("web-0", "shop", UID)
    assert clock.iso(clock.Clock(1795230000, local=False).of(found["line"])) == "2026-07-01T12:09:55Z"


def test_events_say_how_often():
    assert (
        read(
            "Warning FailedCreatePodSandBox 2m (x12 over 2m) kubelet, n Failed create pod sandbox: rpc error: code = Unknown desc = x"
        )["repeats"]
        == 12
    )


@pytest.mark.parametrize(
    "text",
    [
        "Jul 01 00:45:30 node kubelet[1]: I0701 00:45:30.827755   12227 kuberuntime_manager.go:397] No sandbox for "
        'pod "a_b(c)" can be found. Need to start a new one',
        "Jul 01 00:45:30 node kubelet[1]: W0701 00:45:30.827719   1 kubelet_pods.go:832] Unable to retrieve pull "
        'secret a/b due to secret "b" not found.  The image pull may not succeed.',
        'Jul 01 00:45:30 node containerd[1]: time="2026-07-01T12:09:51Z" level=info msg="RunPodSandbox for name:failed-pod"',
        'Jul 01 00:45:30 node kubelet[1]: E0701 pod_workers.go:1] Error syncing pod: failed to "StartContainer" for '
        '"x" with CrashLoopBackOff: "Back-off 5m0s restarting failed container"',
        'Jul 01 00:45:30 node dockerd[1]: level=error msg="Handler for POST /v1.27/containers/x/stop returned error: Container x is already stopped"',
        "Jul 01 00:45:30 node sshd[1]: error: maximum authentication attempts exceeded",
        "Jul 01 00:45:30 node app[1]: ERROR cannot allocate memory for the picture",
        "Jul 01 00:45:30 node app[1]: write failed: no space left on device",
    ],
)
def test_what_is_no_failure_of_a_container(text):
    assert read(text) is None


def test_own_signatures_come_first():
    own = runtimes.compile_signatures(
        [
            {
                "id": "acme",
                "cause": "disk_full",
                "contains": ["acme-csi"],
                "pattern": "POOL \\d+ exhausted",
                "reason": "full",
            }
        ]
    )
    line = prefixes.split("Jul 01 00:45:30 node acme[1]: acme-csi: pool 7 exhausted")
    assert runtimes.read(line, own)["signature"].reason == "full"
    assert runtimes.read(prefixes.split("Jul 01 00:45:30 node acme[1]: acme-csi: pool is fine"), own) is None


@pytest.mark.parametrize(
    "row,words",
    [
        (
            {"id": "a", "cause": "unknown", "contains": ["x"], "pattern": "("},
            "signature a: the pattern ( is no regular expression",
        ),
        ({"id": "a", "cause": "unknown", "contains": []}, "signature a: contains needs at least one literal"),
        ({"id": "a", "cause": "unknown", "contains": ["x", ""]}, "signature a: contains needs at least one literal"),
    ],
)
def test_own_signatures_that_cannot_work(row, words):
    with pytest.raises(ValueError) as error:
        runtimes.compile_signatures([row])
    assert words in str(error.value)
