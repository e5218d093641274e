# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a line of a program tries: to start a container, or to remove one. The words of each, and those of a failure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import errors, notices, subjects
from .lazy import Lazy, contains_any
from .quotes import plain
from .signatures import REMOVE, SIGNATURES, START
from .wording import Wording

# A line has one of these, or it tells of no failure: asked of every line of a program, hence as it is written.
_FAILING = (
    "rror",
    "ail",
    "annot",
    "nable to",
    "can't",
    "ot permitted",
    "o space left",
    "busy",
    "o such file",
    "xceeded",
    "imeout",
    "imed out",
    "iming out",
    "s reserved",
    "healthy",
    "eed to kill Pod",
    # runc up to 1.0 put this between the steps of an error, whatever came last; crun's EEXIST.
    " caused",
    "ile exists",
    "RRO[",
    "ATA[",
    # Of crun by itself nothing but what was done to what, and the errno.
    "nvalid arg",
    "ermission den",
    "navailable",
)
# Application crashes, endless repetitions of what was said before, information.
_NOISE = (
    "CrashLoopBackOff",
    "Back-off restarting",
    "Back-off pulling",
    "callbacks suppressed",
    # The kernel's own words (mm/page_alloc.c, mm/oom_kill.c), of whatever task.
    "page allocation failure",
    "page allocation stall",
    " invoked oom-killer: ",
    "level=info",
    "level=debug",
    '"level":"info"',
    '"level":"debug"',
    "already stopped",
    # The kubelet, when it has just begun.
    "has yet to be successful",
    "INFO[",
    "DEBU[",
    "<ninfo>",
    "<ndebug>",
)
_NOISE_START = Lazy(r"\s*[ID]\d{4} ")
# In lower case: kubelet events, pod workers, CRI and OCI runtimes. What is said of containers alone counts without a known error as well.
# The places of the first word of starting and of the first of removing decide what was tried.
_STARTING = (
    "runpodsandbox",
    "createpodsandbox",
    "create pod sandbox",
    "create a sandbox",
    "failedcreatepodcontainer",
    "pod container exists",
    "oci runtime",
    "start container",
    "starting container",
    "starting a container",
    # docker's cli/command/container/run.go, create.go: only these two put their name in front of what the daemon said
    "docker: error response from daemon: ",
    "start sandbox container",
    "run pod sandbox",
    "startcontainer",
    "createcontainer",
    "create container",
    "creating container",
    "created container",
    "container creation",
    "create task",
    "create shim",
    "containerd task",
    "shim task",
    "start shim",
    "starting shim",
    "runc create",
    # containerd process/init_state.go, of a process that ended between its creation and its start
    "start a stopped process",
    "crun:",
    "runcontainererror",
    "overlay mount",
    "register layer",
    "extract layer",
    "runtime-create",
    "start a container",
    "determining status",
    "ull image",
    "errimage",
    "container init",
    "init-p:",
    "pthread_create failed",
    "new os thread",
    "nsexec",
    "pinns",
    "sandbox add",
    "create new sandbox",
    "pod network",
    "network for sandbox",
    "networkplugin cni failed to set up",
    "failed to create endpoint",
    "driver failed programming",
    "container_linux.go",
    "process_linux.go",
    "reserve sandbox name",
    "reserve container name",
    "reserving pod name",
    "reserving ctr name",
    "pleg is not healthy",
    "container runtime is down",
    "connect to the docker daemon",
    "minimum memory limit",
    "run container",
    "running container",
    "startup of container",
    "failed to launch qemu",
    "thin pool has",
    "exec user process",
    "exec container process",
    "nsenter: unable",
    "nsenter: failed",
    "unshare namespaces",
    "fork: retry",
    "fork: resource temp",
    "mkdir /sys/fs/cgroup",
    # LXC src/lxc/cgroups/cgfsng.c, utils.c mkdir_p(); the quotes were others from version to version
    "directory '/sys/fs/cgroup",
    'create directory "/sys/fs/cgroup',
    "create directory /sys/fs/cgroup",
    "failed to create cgroup",
    # the same, __do_cgroup_enter(): the directory is there, and the monitor of the container may not go into it
    "failed to enter cgroup",
    "failed to enter monitor cgroup",
    # Slurm src/common/xcgroup.c xcgroup_instantiate(), since 21.08 src/plugins/cgroup/common/cgroup_common.c
    "unable to create cgroup",
    # Go's os/exec and os.PathError, of the path of what starts containers: fork/exec /usr/bin/runc: ... A name alone is a task's as well.
    "/runc: ",
    "/docker-runc: ",
    "/balena-runc: ",
    "/crun: ",
    "/conmon: ",
    "/containerd-shim: ",
    "/containerd-shim-runc-v2: ",
    # A process is put into its cgroup when it starts, whoever does that.
    "/cgroup.procs: ",
    "/cgroup.procs`: ",
    # docker-compose compose/service.py
    "cannot start service",
    # CRI-O's client before crictl, cmd/client/sandbox.go
    "creating the pod sandbox",
)
_SURELY_STARTING = (
    # podman libpod/define/errors.go, from 4.0 on
    "oci permission denied",
    # runc up to 0.1 start.go
    "container start failed",
    # CRI-O server/container_create.go, and podman; runc utils.go fatalWithMsg()
    "container create failed",
    "runc run failed",
    # Proxmox pve-container src/PVE/LXC.pm vm_start()
    "startup for container",
    # LXC src/lxc/start.c: its log names file and function; what __lxc_start() calls an error, it ends with
    "start.c:__lxc_start",
    "failed to spawn container",
    # LXD and Incus, of the helper that starts a container: lxd/instance/drivers/driver_lxc.go, until 3.0 lxd/container_lxc.go
    "lxd forkstart",
    "incusd forkstart",
    # LXC src/lxc/start.c lxc_spawn() up to 1.0, src/lxc/tools/lxc_start.c
    "lxc-start: failed to spawn '",
    "lxc-execute: failed to spawn '",
    "lxc_start - failed to spawn '",
    "failed to fork into a new namespace",
    "the container failed to start",
    # systemd src/nspawn/nspawn-cgroup.c create_subcgroup()
    "/payload subcgroup",
    # crun src/libcrun/cgroup-systemd.c; runc libcontainer/nsenter/nsexec.c; buildah run_common.go setupStdioPipes() and its kin
    "sd-bus call: ",
    "cannot open sd-bus",
    "a cloned binary",
    "creating container for [",
    # youki crates/libcontainer/src/process: what its logger puts in front; firecracker-containerd runtime/service.go
    "libcontainer::process::",
    "error from createvm",
    # libnetwork drivers/overlay/joinleave.go
    "sandbox join failed",
    # podman libpod/container_internal.go mountStorage(), setupStorage()
    "mounting storage for container",
    "creating container storage",
    # crun src/libcrun/linux.c: nobody else has files in such quotes, and maps of ids are written when a container starts
    "/uid_map`: ",
    "/gid_map`: ",
    # Nomad drivers/docker/coordinator.go
    "failed pulling container",
)
_REMOVING = (
    "removecontainer",
    "failed to remove",
    "unable to remove",
    "could not remove",
    "cannot remove",
    "error removing",
    "killpodsandbox",
    "stoppodsandbox",
    "removepodsandbox",
    "killcontainer",
    "stopcontainer",
    "stop sandbox",
    "stop container",
    "stopping container",
    "handler for delete",
    "failedkillpod",
    "error killing pod",
    "need to kill pod",
    "failed to delete",
    "failed to kill",
    "cannot kill container",
    "failed to destroy",
    "failed to unmount",
    "failed to umount",
    "error unmounting",
    "network teardown",
    "teardown pod",
    "unlinkat ",
    "rmdir ",
    "orphaned pod",
    "failed to exit within",
    "can not be killed",
    "destroy subsystem",
    "destroy cgroup",
    "remove cgroup",
    "error deleting",
    "deleting pod",
    "teardown failed",
    "error cleaning subpath",
    # podman libpod/container_internal.go cleanupStorage(), runtime_cstorage.go removeStorageContainer(), runtime_ctr.go; below them
    # containers/storage drivers/overlay/overlay.go Put()
    "cleaning up container",
    "removing mount point",
    "replacing mount point",
    # cri-tools cmd/crictl/sandbox.go, what it failed at in front
    "removing the pod sandbox",
    "stopping the pod sandbox",
)
_SURELY_REMOVING = (
    # podman libpod/container_internal.go cleanupStorage(), runtime_cstorage.go removeStorageContainer(), runtime_ctr.go; below them
    # containers/storage drivers/overlay/overlay.go Put()
    "removing storage for container",
    "unmounting container",
    # containerd core/runtime/v2/shim.go
    "shutdown shim task",
    # podman libpod/runtime_ctr.go, runtime_cstorage.go RemoveStorageContainer()
    "is mounted and cannot be removed",
)
# Of one or the other, or of something else that is done with a container.
_SURELY = (
    "podsandbox",
    "pod sandbox",
    # containerd cmd/containerd-shim-runc-v2 runtimeError(), moby libcontainerd; podman libpod/define/errors.go
    "oci runtime create failed",
    "oci runtime start failed",
    "oci runtime exec failed",
    "oci runtime restore failed",
    "oci runtime killall failed",
    "oci runtime state failed",
    "oci runtime delete failed",
    "oci runtime error",
    "oci runtime permission denied",
    "oci runtime command not found",
    "oci runtime attempted to invoke",
    "container process",
    # moby daemon/start.go up to 1.12; libcontainer/generic_error.go, with the number of the error in front
    "cannot start container",
    "] system error: ",
    # kubelet pkg/kubelet/container/sync_result.go, of what the kubelet itself failed at
    "runcontainererror: ",
    "createcontainererror: ",
    "createcontainerconfigerror: ",
    # containerd go-runc runc.go, until 1.0 with a letter less
    "did not terminate suc",
    "from daemon: ",
    "from runtime service failed",
    "remove root filesystem",
    "failed to create task",
    "failed to create containerd task",
    "failed to create shim",
    "failed to start shim",
    "failed to create container",
    "failed to start container",
    "starting container failed",
    # CRI-O internal/oci/runtime_oci.go
    "container creation error",
    # podman libpod/oci_util.go getOCIRuntimeError(): the name of the runtime, then what it said
    "error: crun: ",
    "error: runc: ",
    "error: krun: ",
    "error: youki: ",
    "error: kata-runtime: ",
    "error: runsc: ",
    "as it could not be stopped",
    # Apptainer and Singularity, the last word of their starter; pkg/sylog puts the level in front, and when it debugs the function
    "fatal:   container creation failed",
    "     container creation failed",
)
STARTING, REMOVING = _STARTING + _SURELY_STARTING, _REMOVING + _SURELY_REMOVING
CERTAIN = _SURELY + _SURELY_STARTING + _SURELY_REMOVING
# What became of an order of the kubelet's: an event of that name, as kubectl, the log and the API print it
# (kubelet pkg/kubelet/events/event.go FailedToCreateContainer, FailedToStartContainer).
_EVENT = Lazy(r"Warning['\"]?[\s,]{1,20}(?:reason[:=] ?['\"])?Failed['\"]?\s.{0,120}Error: ")
# The kubelet asks the runtime for many things; that it does not answer is trouble whatever was asked, but for commands of probes.
_ASKED, _NO_ANSWER = (
    ("from runtime service failed", "genericpleg: "),
    ("deadlineexceeded", "deadline exceeded", "code = unavailable"),
)
WORDING = Wording(
    STARTING
    + REMOVING
    + errors.LITERALS
    + CERTAIN
    + tuple(word for row in SIGNATURES if not row.errnos for word in row.words)
)
_STARTS, _REMOVES = ({word: number for number, word in enumerate(words)} for words in (STARTING, REMOVING))
_TELLING = frozenset(REMOVING + errors.LITERALS).union(*[row.errnos or row.words for row in SIGNATURES])
# What a removal must name to be that of a container: others remove things as well.
_CONTAINERS = ("container", "sandbox", "docker", "pod", "overlay", "runc", "crun", "cri-o", "storage-pools", "layer")
# Daemons of container hosts whose plain disk errors count although no container is named.
_DAEMON = frozenset("kubelet dockerd docker containerd crio cri-o k3s rke2 k3s-agent rke2-agent".split())
_DAEMON_ERRORS = ("o space left on device", "nput/output error", "ead-only file system")
_SEVERE = Lazy(r"\s*[EF]\d{4} |.{0,120}level=(?:error|fatal)")


def tells_of_failure(text):
    """Whether a line tells of a failure at all, as nearly all of a program's lines do not."""
    if not contains_any(text, _FAILING) or contains_any(text, _NOISE):
        return False
    # The kubelet up to 1.15 calls this information.
    return not _NOISE_START.match(text) or "PLEG is not healthy" in text


def kind_of(line, text, low, said):
    """Whether a text speaks first of starting or of removing a container; None when of neither. ``said``: WORDING.of(low)."""
    starting, removing = _first(low, _STARTS, said), _first(low, _REMOVES, said)
    if (
        removing >= 0
        and starting < 0
        and not (contains_any(low, _CONTAINERS) or subjects.HEX.search(text) or line.tag in _DAEMON)
    ):
        removing = -1
    if starting >= 0 or removing >= 0:
        return START if starting >= 0 and (removing < 0 or starting < removing) else REMOVE
    if "Failed" in text and "Error: " in text and _EVENT.search(text):
        return START
    if contains_any(low, _ASKED) and contains_any(low, _NO_ANSWER) and "execsync" not in low:
        return START
    if line.tag in _DAEMON and contains_any(text, _DAEMON_ERRORS) and (_SEVERE.match(text) or "exiting" in text):
        return START
    return None


def only_wraps(head):
    """Whether what stands before a known error of a start says no more than that a start failed."""
    if notices.speaks(head):
        return False
    said = WORDING.of(plain(head).lower())
    return not said.isdisjoint(STARTING) and said.isdisjoint(_TELLING) and not subjects.HEX.search(head)


def _first(low, words, said):
    """Where the first of the words is; -1 when there is none. ``words``: {word: its rank}; ``said``: those that are anywhere."""
    first = -1
    for word in sorted(said.intersection(words), key=words.get):
        at = low.find(word, 0, first) if first >= 0 else low.find(word)
        if at >= 0:
            first = at
    return first
