# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of container runtimes: which they are, which pod and container they are about, and what is none."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import (
    attempts,
    clock,
    errors,
    notices,
    prefixes,
    quotes,
    runtimes,
    signatures,
)

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

cpu_clock = getattr(time, "process_time", None) or time.clock


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
        "request_cancelled",
        "runtime_hang",
        'time="2018-11-13T18:26:20Z" level=error msg="StopContainer for "9758a90e48241" failed" error="failed to kill container: context canceled"',
    ),
    (
        "runtime_hang",
        "runtime_hang",
        "  Warning  Failed  5m22s (x53 over 3h33m)  kubelet  Error: context deadline exceeded",
    ),
    (
        "forbidden",
        "unknown",
        "qm[11433]: Error: crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied",
    ),
    (
        "forbidden",
        "unknown",
        "Cannot start container "
        + CID
        + ": [8] System error: open /sys/fs/cgroup/memory/docker/x/memory.memsw.limit_in_bytes: permission denied",
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
    ("fork_enomem", "unknown", SANDBOX + "fork/exec /usr/bin/runc: cannot allocate memory"),
    (
        "enomem",
        "unknown",
        SANDBOX + "write /var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db: cannot allocate memory",
    ),
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
    # runc 1.0 to 1.5 (libcontainer/cgroups, process_linux.go), as the write to the limit is reported by each
    (
        "limit_write_busy",
        "memcg_limit",
        SANDBOX
        + 'container init caused \\"process_linux.go:367: setting cgroup config for procHooks process caused \\\\\\"failed to write 8388608 '
        'to memory.limit_in_bytes: write /sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes: device or resource busy\\\\\\"\\""',
    ),
    (
        "limit_write_busy",
        "memcg_limit",
        'ERRO[0000] runc run failed: unable to start container process: error during container init: failed to write "4096": '
        "write /sys/fs/cgroup/user.slice/box/memory.max: device or resource busy",
    ),
    (
        "limit_write_invalid",
        "memcg_limit",
        "crun: write to `/sys/fs/cgroup/memory/machine.slice/libpod-x/memory.memsw.limit_in_bytes`: Invalid argument: OCI runtime error",
    ),
    (
        "limit_below_usage",
        "memcg_limit",
        "Error: OCI runtime error: crun: cannot set the memory limit lower than its current usage",
    ),
    (
        "limit_too_low",
        "memcg_limit",
        "Warning  FailedCreatePodSandBox  3s (x4 over 41s)  kubelet  Failed to create pod sandbox: rpc error: code = Unknown desc = "
        "set memory limit 4096000 too low; should be at least 12582912 bytes",
    ),
    ("limit_too_low", "memcg_limit", "docker: Error response from daemon: Minimum memory limit allowed is 6MB."),
    (
        "exec_oom_killed",
        "memcg_limit",
        'time="2026-03-01T10:00:00Z" level=error msg="exec failed: unable to start container process: error executing setns process: '
        'exit status 1 (possibly OOM-killed)"',
    ),
    (
        "init_killed",
        "memcg_limit",
        "runc create failed: unable to start container process: can't copy bootstrap data to pipe: write init-p: broken pipe: unknown",
    ),
    (
        "init_stopped",
        "memcg_limit",
        "Failed to create pod sandbox: rpc error: code = Unknown desc = `/usr/bin/runc start x` failed: cannot start a container that has stopped",
    ),
    (
        "init_silent",
        "memcg_limit",
        'Error: container create failed: time="2021-06-07T12:54:21Z" level=error msg="container_linux.go:370: starting container '
        'process caused: process_linux.go:459: container init caused: "',
    ),
    # cgroups
    (
        "cgroup_enospc",
        "memcg_leak",
        "Warning FailedCreatePodContainer 2s (x9 over 2m) kubelet unable to ensure pod container exists: failed to create container for "
        "[kubepods burstable podx] : mkdir /sys/fs/cgroup/memory/kubepods/burstable/podx: no space left on device",
    ),
    (
        "cgroup_enospc",
        "memcg_leak",
        "Error: OCI runtime error: crun: creating container: mkdir `/sys/fs/cgroup/machine.slice/libpod-0a.scope`: No space left on device",
    ),
    (
        "other_cgroup_enospc",
        "unknown",
        "Error: OCI runtime error: crun: creating container: mkdir `/sys/fs/cgroup/net_cls,net_prio/docker/x`: No space left on device",
    ),
    (
        "enomem",
        "unknown",
        "lxc-start: a: cgroups/cgfsng.c: mkdir_eexist_on_last: 1165 Cannot allocate memory - Failed to create directory "
        '"/sys/fs/cgroup/schedtune//lxc.monitor/a"',
    ),
    (
        "kmem_limit_enomem",
        "memcg_leak",
        SANDBOX
        + 'failed to set memory.kmem.limit_in_bytes: write /sys/fs/cgroup/memory/kubepods/x/memory.kmem.limit_in_bytes: cannot allocate memory"',
    ),
    (
        "kmem_limit_busy",
        "unknown",
        SANDBOX + 'write /sys/fs/cgroup/memory/docker/x/memory.kmem.limit_in_bytes: device or resource busy"',
    ),
    (
        "cgroup_not_empty",
        "unknown",
        KUBELET
        + "pod_container_manager_linux.go:191] Failed to delete cgroup paths for [kubepods podx] : unable to destroy cgroup paths: "
        "rmdir /sys/fs/cgroup/memory/kubepods/podx: device or resource busy",
    ),
    (
        "cgroup_remains",
        "unknown",
        KUBELET
        + "pod_container_manager_linux.go:200] failed to delete cgroup paths for [kubepods podx] : unable to destroy cgroup paths for cgroup "
        "[kubepods podx] : Failed to remove paths: map[blkio:/sys/fs/cgroup/blkio/kubepods/podx memory:/sys/fs/cgroup/memory/kubepods/podx]",
    ),
    # LXC: the errno first
    (
        "cgroup_enospc",
        "memcg_leak",
        "lxc 20260301 ERROR lxc_utils - utils.c:mkdir_p:253 - No space left on device - failed to create directory '/sys/fs/cgroup/memory//lxc/a'",
    ),
    (
        "cgroup_enospc",
        "memcg_leak",
        "Mar  1 10:00:00 n systemd[1]: Failed to create cgroup /system.slice/docker-x.scope: No space left on device",
    ),
    (
        "mount_busy",
        "mount_busy",
        KUBELET
        + 'nestedpendingoperations.go:1] Error: "UnmountVolume.TearDown failed for volume x pod y with: rename /var/lib/kubelet/pods/a/volumes/b '
        '/var/lib/kubelet/pods/a/volumes/c: device or resource busy"',
    ),
    (
        "runtime_hang",
        "runtime_hang",
        KUBELET
        + "remote_runtime.go:434] Status from runtime service failed: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
    (
        "unshare_enomem",
        "unknown",
        "nsenter: unable to unshare namespaces: Cannot allocate memory",
    ),
    # processes
    (
        "pid_limit",
        "pid_limit",
        "Error: OCI runtime error: crun: clone: Resource temporarily unavailable",
    ),
    (
        "pid_limit",
        "pid_limit",
        'time="2026-01-01T00:00:00Z" level=fatal msg="nsexec-1[4242]: failed to fork: Resource temporarily unavailable"',
    ),
    (
        "pid_limit_write",
        "pid_limit",
        SANDBOX + 'failed to write "0": write /sys/fs/cgroup/pids/kubepods/x/pids.max: invalid argument',
    ),
    (
        "pid_limit_thread",
        "pid_limit",
        "OCI runtime create failed: runtime: failed to create new OS thread (have 5 already; errno=11)",
    ),
    (
        "start_eagain",
        "pid_limit",
        SANDBOX + 'starting container process caused "resource temporarily unavailable"',
    ),
    # limits with misleading errnos
    (
        "seccomp_bpf_jit",
        "vmalloc_exhaustion",
        "Error: OCI runtime error: crun: seccomp (SECCOMP_SET_MODE_FILTER): Unknown error 524",
    ),
    (
        "seccomp_cut",
        "vmalloc_exhaustion",
        SANDBOX + "unable to init seccomp: error loading seccomp filter into kernel: err...",
    ),
    (
        "seccomp",
        "unknown",
        SANDBOX + "unable to init seccomp: error loading seccomp filter: invalid argument",
    ),
    (
        "apparmor",
        "unknown",
        SANDBOX
        + "unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/exec: no such file or directory",
    ),
    (
        "key_quota",
        "unknown",
        SANDBOX + "unable to join session keyring: unable to create session key: disk quota exceeded",
    ),
    (
        "inotify_limit",
        "unknown",
        KUBELET
        + "container.go:1] Failed to start container manager: inotify_add_watch /sys/fs/cgroup/memory/x: no space left on device",
    ),
    (
        "inotify_limit",
        "unknown",
        KUBELET
        + "run.go:72] command failed: failed to create fsnotify watcher for starting container: too many open files",
    ),
    (
        "open_files",
        "unknown",
        SANDBOX + "open /run/containerd/io.containerd.runtime.v2.task/k8s.io/x/log: too many open files",
    ),
    (
        "namespace_limit",
        "unknown",
        "OCI runtime create failed: nsexec-1[99]: failed to unshare remaining namespaces (except cgroupns): No space left on device",
    ),
    (
        "mount_enospc",
        "unknown",
        SANDBOX
        + 'container init caused: rootfs_linux.go:60: mounting "/proc" to rootfs at "/proc" caused: mount through procfd: no space left on device',
    ),
    (
        "mount_enospc",
        "unknown",
        'level=error msg="StartContainer failed" error="failed to create containerd task: OCI runtime create failed: mounting '
        '\\"/run/containerd/x/shm\\" to rootfs at \\"/dev/shm\\" caused: no space left on device: unknown"',
    ),
    # ENOMEM
    (
        "unshare_enomem",
        "unknown",
        "OCI runtime create failed: nsexec-1[99]: failed to unshare remaining namespaces (except cgroupns): Cannot allocate memory",
    ),
    ("go_out_of_memory", "unknown", "OCI runtime create failed: fatal error: runtime: out of memory"),
    # disks
    (
        "thin_pool_full",
        "disk_full",
        "docker: Error response from daemon: devmapper: Thin Pool has 1000 free data blocks which is less than minimum required 2000 free data blocks.",
    ),
    (
        "disk_full",
        "disk_full",
        "Failed to pull image: failed to register layer: Error processing tar file(exit status 1): write /usr/lib/x: no space left on device",
    ),
    (
        "disk_full",
        "disk_full",
        "Error: OCI runtime error: crun: mkdir `/var/lib/containers/storage/overlay/x/merged/dev`: No space left on device",
    ),
    (
        "disk_quota",
        "disk_full",
        DOCKERD + 'Failed to create container: mkdir /var/lib/docker/overlay2/x: disk quota exceeded"',
    ),
    (
        "io_error",
        "unknown",
        DOCKERD
        + 'Handler for POST /containers/create returned error: mkdir /var/lib/docker/overlay2/x: read-only file system"',
    ),
    # networks
    (
        "network_plugin",
        "network_plugin",
        "failed to create pod network sandbox k8s_a_b_0(00): error adding pod a to CNI network: plugin type=x failed (add): EOF",
    ),
    (
        "network_plugin",
        "network_plugin",
        KUBELET
        + 'kuberuntime_gc.go:1] Failed to stop sandbox before removing: failed to destroy network for sandbox "x": context deadline exceeded',
    ),
    # what is to be run
    (
        "image",
        "image",
        'OCI runtime create failed: unable to start container process: exec: "app": executable file not found in $PATH: unknown',
    ),
    (
        "image_command",
        "image",
        'OCI runtime create failed: unable to start container process: exec: "/app/run.sh": permission denied: unknown',
    ),
    (
        "image_command",
        "image",
        "standard_init_linux.go:228: exec user process caused: no such file or directory",
    ),
    (
        "image_lookup",
        "image",
        'OCI runtime create failed: unable to start container process: exec: "/app/run.sh": stat /app/run.sh: no such file or directory: unknown',
    ),
    (
        "runtime_hang",
        "runtime_hang",
        KUBELET
        + "generic.go:1] GenericPLEG: Unable to retrieve pods: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    ),
    # the runtime
    (
        "name_reserved",
        "runtime_state_mismatch",
        'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve sandbox name "a_b_'
        + UID
        + '_0": name '
        '"a_b_' + UID + '_0" is reserved for "' + CID + '"',
    ),
    (
        "name_reserved",
        "runtime_state_mismatch",
        'Error response from daemon: Conflict. The container name "/k8s_POD_a_b_'
        + UID
        + '_0" is already in use by container "'
        + CID
        + '"'
        ": Failed to create pod sandbox",
    ),
    (
        "runtime_hang",
        "runtime_hang",
        KUBELET
        + "kubelet.go:1] skipping pod synchronization - PLEG is not healthy: pleg was last seen active 3m1s ago; threshold is 3m0s",
    ),
    (
        "runtime_loaded",
        "runtime_hang",
        "Error: kubelet may be retrying requests that are timing out in CRI-O due to system load. Currently at stage container storage "
        "start: context deadline exceeded: error reserving ctr name k8s_x for id y: name is reserved: Failed to create container",
    ),
    (
        "killed",
        "unknown",
        SANDBOX + "runc did not terminate successfully: signal: killed",
    ),
    ("other", "unknown", SANDBOX + "something never seen before"),
    # podman and its storage
    (
        "mount_busy",
        "mount_busy",
        "ERRO[0012] cleaning up storage: removing container "
        + CID
        + ' root filesystem: replacing mount point "/s/overlay/x/merged": device or resource busy',
    ),
    (
        "other",
        "unknown",
        'Error: removing storage for container "web": unmounting "/s/overlay/x/merged": invalid argument',
    ),
    (
        "other",
        "unknown",
        "Error: unmounting container "
        + CID
        + " storage: cleaning up container "
        + CID
        + ' storage: removing mount point "/s/overlay/x/merged": directory not empty',
    ),
    (
        "other",
        "unknown",
        "Error: mounting storage for container "
        + CID
        + ': creating overlay mount to /s/overlay/x/merged, mount_data="lowerdir=/s/overlay/l/476PP3JD',
    ),
    # LXC and LXD
    (
        "other",
        "unknown",
        '            lxc 20260203132925.891 ERROR    lxc_start - start.c:__lxc_start:1358 - Failed to spawn container "web".',
    ),
    (
        "other",
        "unknown",
        "error: Error calling 'lxd forkstart web /var/lib/lxd/containers /var/log/lxd/web/lxc.conf': err='exit status 1'",
    ),
    # Proxmox
    (
        "other",
        "unknown",
        "Mar  1 10:00:00 n pvedaemon[9]: startup for container '101' failed",
    ),
    # systemd-nspawn
    (
        "other",
        "unknown",
        "Failed to create /machine.slice/web.service/payload subcgroup: Operation not supported",
    ),
    (
        "nspawn_cgroup_enospc",
        "memcg_leak",
        "Mar  1 10:00:00 n systemd-nspawn[9]: Failed to create /machine.slice/web.service/payload subcgroup: No space left on device",
    ),
    # runc, containerd
    (
        "other",
        "unknown",
        "runc run failed: no cgroup mount found in mountinfo",
    ),
    (
        "other",
        "unknown",
        DOCKERD + 'failed to kill runc x: runc did not terminate sucessfully: container \\"x\\" does not exist\\n"',
    ),
    (
        "init_stopped",
        "memcg_limit",
        "docker: Error response from daemon: cannot start a stopped process: unknown.",
    ),
    # Apptainer, Singularity
    (
        "other",
        "unknown",
        "FATAL:   container creation failed: open /etc/resolv.conf: no such file or directory",
    ),
    (
        "other",
        "unknown",
        "FATAL   [U=0,P=9]      Master()                      container creation failed: cgroups: cgroup mountpoint does not exist",
    ),
    # Swarm and docker-compose
    (
        "network_plugin",
        "network_plugin",
        '1/1: network sandbox join failed: subnet sandbox join failed for "10.0.0.0/24"',
    ),
    (
        "other",
        "unknown",
        DOCKERD
        + 'fatal task error" error="starting container failed: Address already in use" module="node/agent/taskmanager"',
    ),
    (
        "state_mismatch",
        "runtime_state_mismatch",
        "ERROR: for web  Cannot start service web: service endpoint with name web_1 already exists",
    ),
    # containerd with kata, old CRI-O
    (
        "other",
        "unknown",
        'time="2026-07-01T12:09:51Z" level=error msg="failed to shutdown shim task" error="Others(\\"do shutdown\\"): unknown" id='
        + CID,
    ),
    (
        "pipe_eof",
        "unknown",
        "Creating container failed: rpc error: code = 2 desc = error reading container (probably exited) json message: EOF",
    ),
    (
        "cpuset_enospc",
        "unknown",
        "lxc web 20260301134452.612 ERROR    cgfsng - cgroups/cgfsng.c:__do_cgroup_enter:1395 - No space left on device - "
        'Failed to enter cgroup "/sys/fs/cgroup/cpuset//lxc.monitor/web/cgroup.procs"',
    ),
    (
        "pipe_eof",
        "unknown",
        "Creating the pod sandbox failed: rpc error: code = 2 desc = reading pid from init pipe: EOF",
    ),
    (
        "cgroup_join",
        "unknown",
        "driver failure: could not set the cpuset of web-1: write /sys/fs/cgroup/cpuset/jobs/shared/cgroup.procs: invalid argument",
    ),
    (
        "cgroup_join",
        "unknown",
        "Error: crun: write `/sys/fs/cgroup/web/cgroup.procs`: No such device: OCI runtime error",
    ),
    (
        "cgroup_enomem",
        "memcg_leak",
        "slurmstepd: error: xcgroup_instantiate: unable to create cgroup '/sys/fs/cgroup/memory/slurm/uid_7/job_12' : Cannot allocate memory",
    ),
    (
        "cgroup_enospc",
        "memcg_leak",
        "slurmstepd: error: xcgroup_instantiate: unable to create cgroup '/sys/fs/cgroup/memory/slurm/uid_7' : No space left on device",
    ),
    ("cloned_binary", "unknown", "nsenter: could not ensure we are a cloned binary: Device or resource busy"),
    # runc 1.0 without a word of failing
    (
        "init_killed",
        "memcg_limit",
        "container_linux.go:380: starting container process caused \"process_linux.go:402: getting the final child's pid from pipe "
        'caused \\"read init-p: connection reset by peer\\""',
    ),
    (
        "state_mismatch",
        "runtime_state_mismatch",
        "2026-03-01T10:00:00.1Z: sd-bus call: Unit crun-web.scope was already loaded or has a fragment file.: File exists",
    ),
    (
        "fork_enomem",
        "unknown",
        "rpc error: code = Unknown desc = shim error: fork/exec /usr/bin/docker-runc: cannot allocate memory",
    ),
    (
        "pid_limit",
        "pid_limit",
        "failed to start: fork/exec /opt/bin/containerd-shim-runc-v2: resource temporarily unavailable",
    ),
    ("fork_enomem", "unknown", "lxc-start: Cannot allocate memory - failed to fork into a new namespace"),
]


@pytest.mark.parametrize(
    "ident,cause,text", ERRORS, ids=["%s-%d" % (case[0], number) for number, case in enumerate(ERRORS)]
)
def test_signatures(ident, cause, text):
    found = read(text)
    assert (found["signature"].ident, found["signature"].cause) == (ident, cause)


def test_every_signature_has_a_line_above():
    assert {row.ident for row in signatures.SIGNATURES} - {case[0] for case in ERRORS} == {"exec_failed"}


@pytest.mark.parametrize(
    "text",
    [
        # LXC 1.0, LXD and Incus with its log
        "lxc-start: failed to spawn 'web'",
        "      lxc-start 1408385801.186 ERROR    lxc_start - failed to spawn 'web'",
        "lxc-start: web: tools/lxc_start.c: main: 330 The container failed to start",
        # docker run, the daemon up to 1.12, runc up to 0.1
        "docker: Error response from daemon: symlink a /var/lib/docker/vfs/dir/x/usr/lib/a: quota is gone, cannot go on.",
        "Cannot start container 029ce88eb5e7: [8] System error: write /sys/fs/cgroup/memory/docker/x/memory.swappiness: invalid argument",
        "FATA[0000] Container start failed: [9] System error: not a directory",
        # crun by itself, podman without a storage for it
        "writing file `/proc/2352/uid_map`: Invalid argument",
        'Error: error creating container storage: error creating an ID-mapped copy of layer "ded7": exit status 1: error during chown',
        # What the kubelet itself failed at, in a sentence about the pod
        'At 2016-04-11 - event for web: {kubelet 10.0.0.1} FailedSync: Error syncing pod, skipping: failed to "StartContainer" for "app" '
        'with RunContainerError: "failed to apply oom-score-adj to container \\"open /proc/609/cgroup: no such file or directory\\""',
        # podman, CRI-O, buildah, youki, firecracker-containerd
        "Error: crun: cannot open sd-bus: No such file or directory",
        "Error: krun: could not load libkrun: OCI runtime error",
        "level=error msg=\"Container creation error: writing file 'cpu.weight': Bad file descriptor\"",
        "error running container: error from /usr/bin/crun creating container for [/bin/true]: Transport endpoint is not connected",
        "ERROR libcontainer::process::container_intermediate_process: failed to fork init process",
        "ctr: failed to start: aws.firecracker: unexpected error from CreateVM: rpc error: code = Unknown desc = failed to create VM",
    ],
)
def test_a_start_that_failed_for_no_reason_that_is_known(text):
    found = read(text)
    assert (found["kind"], found["signature"].ident) == ("container_start_failure", "other")


@pytest.mark.parametrize(
    "text",
    [
        # Go
        '\t\treturn fmt.Errorf("failed to reserve sandbox name %q: %w", name, err)',
        '    return nil, errors.New("container create failed: no space left on device")',
        '\tlog.G(ctx).WithError(err).Errorf("Failed to destroy network for sandbox %q", id)',
        '\tif strings.Contains(err.Error(), "OCI runtime create failed: mkdir /sys/fs/cgroup/x: no space left on device") {',
        "func (c *service) RunPodSandbox(ctx context.Context, r *api.Request) (*api.Response, error) {",
        "// OCI runtime create failed: starting container process caused: write memory.max: device or resource busy",
        'assert.ErrorContains(t, err, "OCI runtime create failed: permission denied")',
        'const want = "OCI runtime create failed: unable to start container process: permission denied"',
        'message := "OCI runtime create failed: unable to start container process: permission denied"',
        # Rust, C, Python, a shell
        'error!(logger, "create container process failed: permission denied {:?}", e);',
        '      return crun_make_error (err, errno, "open `%s` for the OCI runtime: permission denied", path);',
        '\tret = crun_make_error (err, get_errno (&error), "sd-bus call: %s", message);',
        '    nexitf("Failed to create container: exit status %d", status);',
        '    if "fork: Resource temporarily unavailable" in output:',
        '    raise RuntimeError("OCI runtime create failed: permission denied")',
        '    logger.error("OCI runtime create failed: permission denied: %s", name)',
        '\t[[ "$output" == *"runc run failed: unable to start container process: permission denied"* ]]',
        # A query
        'expr: rate({job="kubelet"} |= "FailedCreatePodSandBox" |= "cannot allocate memory" [5m]) > 0',
        # Prose
        "An OCI runtime error may be the reason why a container creation fails, then the kubelet removes it again.",
        "The container creation timeout is set in seconds and it is an error to set it to less than half a minute.",
    ],
)
def test_source_text_and_prose_have_not_failed(text):
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    [
        # How other languages print an error of theirs
        'docker.errors.APIError("500 Server Error: OCI runtime create failed: mkdir /sys/fs/cgroup/memory/x: no space left on device")',
        'Error: DockerException(APIError("OCI runtime create failed: mkdir /sys/fs/cgroup/memory/x: no space left on device"))',
        'Err(Docker { code: 500, message: "OCI runtime create failed: mkdir /sys/fs/cgroup/memory/x: no space left on device" })',
        # The table of kubectl describe
        "  Warning  FailedCreatePodSandBox  1m (x12 over 1m)  kubelet, node-1  Failed create pod sandbox because mkdir "
        "/sys/fs/cgroup/memory/kubepods: no space left on device",
        # A format that was printed with too few arguments, and a command with one
        DOCKERD + 'OCI runtime create failed for %!v(MISSING): mkdir /sys/fs/cgroup/memory/x: no space left on device"',
        DOCKERD
        + 'failed to create task for [date +%s]: OCI runtime create failed: mkdir /sys/fs/cgroup/memory/x: no space left on device"',
    ],
)
def test_errors_that_look_like_source_have_failed(text):
    assert read(text)["signature"].ident == "cgroup_enospc"


def test_kind_pod_and_container():
    found = read(SANDBOX + RUNC + 'EOF"')
    assert (found["kind"], found["fields"]["pod"], found["fields"]["namespace"], found["fields"]["pod_uid"]) == (
        "container_start_failure",
        "web-0",
        "shop",
        UID,
    )
    assert found["fields"]["runtime"] == "kubelet"
    found = read(
        DOCKERD + "Handler for DELETE /v1.38/containers/" + CID + ' returned error: remove /x: device or resource busy"'
    )
    assert (found["kind"], found["fields"]["container_id"], found["fields"]["runtime"]) == (
        "container_remove_failure",
        CID,
        "dockerd",
    )
    found = read(
        'E0701 12:09:55.247057    6153 pod_workers.go:1] "Error syncing pod, skipping" err="failed to start '
        'container: OCI runtime create failed" pod="shop/web-0" podUID=' + UID
    )
    assert (found["fields"]["pod"], found["fields"]["namespace"], found["fields"]["pod_uid"]) == ("web-0", "shop", UID)
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
        KUBELET
        + 'remote_runtime.go:1] "ExecSync cmd from runtime service failed" err="rpc error: code = DeadlineExceeded desc = x"',
        KUBELET
        + 'remote_runtime.go:1] "ContainerStatus from runtime service failed" err="rpc error: code = NotFound desc = not found"',
        "Jul 01 00:45:30 node sshd[1]: error: maximum authentication attempts exceeded",
        "Jul 01 00:45:30 node app[1]: ERROR cannot allocate memory for the picture",
        "Jul 01 00:45:30 node app[1]: write failed: no space left on device",
        # LXC, whose errors of one line are on the next, and what is none
        "      lxc-start 20260804055017.333 WARN     lxc_monitor - monitor.c:lxc_monitor_fifo_send:111 - Failed to open fifo: No such file or directory.",
        "      lxc-start 20260804055017.334 DEBUG    lxc_start - start.c:__lxc_start:1329 - Not dropping CAP_SYS_BOOT or watching utmp.",
    ],
)
def test_what_is_no_failure_of_a_container(text):
    assert read(text) is None


@pytest.mark.parametrize(
    "text,pod,namespace,uid",
    [
        (
            'E0701 12:09:55.2 1 x.go:1] "Error syncing pod, skipping" err="failed to create pod sandbox" pod="shop/web-0" podUID="%s"'
            % UID,
            "web-0",
            "shop",
            UID,
        ),
        (
            'time="x" level=error msg="RunPodSandbox for &PodSandboxMetadata{Name:web-0,Uid:%s,Namespace:shop,Attempt:0,} failed"'
            % UID,
            "web-0",
            "shop",
            UID,
        ),
        (
            'level=error msg="RunPodSandbox for name:\\"web-0\\" uid:\\"%s\\" namespace:\\"shop\\" failed, error"'
            % UID,
            "web-0",
            "shop",
            UID,
        ),
        ('Failed to create pod sandbox: failed to reserve sandbox name "web-0_shop_%s_0"' % UID, "web-0", "shop", UID),
        ("Failed to create pod sandbox: error reserving pod name k8s_web-0_shop_%s_0 for id x" % UID, None, None, None),
        (
            "Error: create container: the container name /k8s_POD_web-0_shop_%s_0 is already in use by container" % UID,
            "web-0",
            "shop",
            UID,
        ),
        (
            '{"ts":1,"msg":"Error syncing pod","pod":{"name":"web-0","namespace":"shop"},"err":"failed to create pod sandbox: x"}',
            "web-0",
            "shop",
            None,
        ),
    ],
)
def test_who_it_was(text, pod, namespace, uid):
    fields = read(text)["fields"]
    assert (fields["pod"], fields["namespace"]) == (pod, namespace)
    if uid:
        assert fields["pod_uid"] == UID


@pytest.mark.parametrize("count,cause", [(735, "runtime_hang"), (2, None)])
def test_a_kill_that_is_repeated_for_hours_does_not_happen(count, cause):
    found = read(
        "Normal  Killing  39s (x%d over 15h)  kubelet, n  Killing container with id docker://a:Need to kill Pod" % count
    )
    assert (found and found["signature"].cause) == cause


def _cost(text):
    """Seconds of this process, the better of two."""
    spent = []
    for _round in range(2):
        line = prefixes.Line(text)
        begun = cpu_clock()
        if runtimes.speaks(line):
            runtimes.read(line)
        spent.append(cpu_clock() - begun)
    return min(spent)


LITERALS = [text for _name, texts in errors.ERRNOS for text in texts]
LITERALS += list(errors.OPERATIONS) + [phrase for phrase, _operation in errors.PHRASES]
LITERALS += [word for row in signatures.SIGNATURES for word in row.words]
LITERALS += list(attempts.STARTING + attempts.REMOVING + notices.LITERALS)
PIECES = [
    "\\",
    '\\"',
    "pod=",
    'pod "',
    "k8s_",
    "k8s_a_",
    "a-",
    "_",
    ":",
    "a" * 64,
    "0" * 64,
    "0",
    "mkdir /",
    "(x",
    " ",
    '{"a":',
    "[",
    "create ",
]


def test_hostile_lines_cost_what_they_weigh():
    """Every literal of the tables, repeated to 64 kB, behind what makes a line count and before the error that is looked for."""
    costs = []
    for number, literal in enumerate(LITERALS):
        start = ("", SANDBOX, DOCKERD + "Error removing container: ")[number % 3]
        end = (": cannot allocate memory", ": operation not permitted")[number % 2]
        costs.append((_cost(start + (literal + " ") * (65536 // len(literal)) + end), literal))
    for piece in PIECES:
        for start in (
            "",
            SANDBOX,
            DOCKERD + "Error removing container: ",
            "TaskOOM event /tasks/oom Killing OOMKilled OOMKilling ",
        ):
            costs.append((_cost(start + piece * (65536 // len(piece)) + ": no space left on device"), piece))
    assert max(costs)[0] < 0.2, max(costs)


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


@pytest.mark.parametrize(
    ("head", "wraps"),
    [
        ("E0701 00:45:31.465799   12227 remote_runtime.go:96] RunPodSandbox from runtime service failed: ", True),
        ('Error syncing pod, skipping: failed to "CreatePodSandbox" for "a_b" with CreatePodSandboxError: "', True),
        # Another thing was tried, another error stands before it, another container is named.
        ('Failed to "KillPodSandbox" before CreatePodSandbox: ', False),
        ("CreatePodSandbox: write /x: no space left on device: ", False),
        ("CreatePodSandbox: networkPlugin cni failed: ", False),
        ("StartContainer " + CID + " failed: ", False),
        ("StartContainer TaskOOM event failed: ", False),
        ("Something else failed: ", False),
    ],
)
def test_what_only_wraps_an_error_that_is_known(head, wraps):
    assert attempts.only_wraps(head + quotes.INNER) is wraps
