# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Which error of a container runtime has which cause: a table, read from top to bottom, the first row that matches counts.

A row asks for an errno, and where that is not enough for the operation and the object (errors.py has the words), or for what a
program says without an errno (``words``, in lower case). ``weak`` rows are symptoms: a kernel report of the moment knows better.
Where two causes remain, the cause is ``unknown`` and the reason names both. The sources of the texts stand above the rows.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .lazy import Lazy, contains_any

START, REMOVE = "container_start_failure", "container_remove_failure"


class Signature:
    """One known error; the user's own have ``contains`` and ``pattern`` and are asked with matches()."""

    def __init__(
        self,
        ident,
        cause,
        reason,
        errnos=(),
        operations=(),
        objects=(),
        words=(),
        value=None,
        kind=None,
        weak=False,
        confidence="high",
        rejected=(),
        contains=(),
        pattern=None,
        flags=0,
    ):
        self.ident, self.cause, self.reason, self.kind = ident, cause, reason, kind
        self.errnos, self.operations, self.objects = frozenset(errnos), frozenset(operations), frozenset(objects)
        self.words, self.value = tuple(words), value
        self.weak, self.confidence = weak, confidence
        self.rejected = [{"cause": name, "why": why} for name, why in rejected]
        self.contains = tuple(contains)
        self.pattern = Lazy(pattern, flags) if pattern else None

    def matches(self, text):
        """Of a user's signature: whether it is this error."""
        return contains_any(text, self.contains) and (self.pattern is None or self.pattern.search(text) is not None)

    def mark(self, said, failures):
        """What of a text shows this error, None where nothing does. ``said``: which literals it has (wording)."""
        if not self.errnos:
            for word in self.words:
                if word in said:
                    return word
            return None
        for failure in reversed(failures):
            if (
                failure.errno in self.errnos
                and (not self.operations or failure.operation in self.operations)
                and (not self.objects or failure.object in self.objects)
                and (self.value is None or failure.value == self.value)
                and (not self.words or contains_any(failure.context, self.words))
            ):
                return failure.mark
        return None


_NOT_THE_DISK = (("disk_full", "the same errno, but the call that returned it asks for no room on a file system"),)
_NOT_BUSY = (("mount_busy", "the same errno, but what was written is a limit of a cgroup, no mount"),)
_NOT_MEMORY = (("memory_shortage", "the errno of a limit, not of a lack of memory"),)

SIGNATURES = (
    # --- memory limits ---------------------------------------------------------------------------------------------
    # runc libcontainer/process_linux.go: asks memory.events or memory.oom_control for kills when init died
    Signature(
        "init_oom_killed",
        "memcg_limit",
        "the first process of the container was killed by its memory limit",
        words=("init was oom-killed", "memory limit too low?"),
    ),
    # the same file, for a command in a running container
    Signature(
        "exec_oom_killed",
        "memcg_limit",
        "the memory limit of the container killed a process while a command was started in it",
        words=("(possibly oom-killed)",),
        confidence="medium",
    ),
    # runc fs/memory.go setMemory; crun src/libcrun/cgroup-resources.c; CRI-O server/container_update_resources.go
    Signature(
        "limit_below_usage",
        "memcg_limit",
        "the memory limit is lower than what the container already uses",
        words=(
            "unable to set memory limit to",
            "cannot set the memory limit lower than its current usage",
            "cannot decrease memory limit to",
        ),
    ),
    # mem_cgroup_resize_limit() answers EBUSY when reclaim cannot get the usage below the new limit
    Signature(
        "limit_write_busy",
        "memcg_limit",
        "the memory limit is lower than what the container already uses (the kernel answers EBUSY)",
        errnos=("EBUSY",),
        objects=("memory_limit",),
        rejected=_NOT_BUSY,
    ),
    # and EINVAL when limit and memory+swap limit contradict each other
    Signature(
        "limit_write_invalid",
        "memcg_limit",
        "the kernel refuses the memory limit: it is no amount, or contradicts that of memory and swap",
        errnos=("EINVAL",),
        objects=("memory_limit",),
        confidence="medium",
    ),
    # moby daemon/daemon_unix.go; CRI-O internal/config/cgmgr/cgmgr_linux.go VerifyMemoryIsEnough
    Signature(
        "limit_too_low",
        "memcg_limit",
        "the memory limit is below what the runtime needs to start a container",
        words=("minimum memory limit allowed is", "too low; should be at least"),
    ),
    # --- cgroups ---------------------------------------------------------------------------------------------------
    # kernel mm/memcontrol.c mem_cgroup_alloc(): the id comes from an idr of at most 65535
    Signature(
        "cgroup_enospc",
        "memcg_leak",
        "the kernel has no id left for another memory cgroup (ENOSPC, at most 65535): leaked cgroups",
        errnos=("ENOSPC",),
        operations=("mkdir",),
        objects=("cgroup",),
        rejected=_NOT_THE_DISK,
    ),
    Signature(
        "cgroup_enomem",
        "memcg_leak",
        "the kernel would not make another memory cgroup (ENOMEM): leaked kernel-memory cgroups, "
        "or no block for their bookkeeping",
        errnos=("ENOMEM",),
        operations=("mkdir",),
        objects=("cgroup",),
        weak=True,
        confidence="medium",
    ),
    # kernel cgroup_mkdir(): ids of cgroups and of the other controllers' states are only limited by the size of an int
    Signature(
        "other_cgroup_enospc",
        "unknown",
        "a cgroup of another controller than memory could not be made (ENOSPC); the number of these has no limit of its own",
        errnos=("ENOSPC",),
        operations=("mkdir",),
        objects=("other_cgroup",),
        confidence="medium",
        rejected=_NOT_THE_DISK,
    ),
    # systemd-nspawn names no hierarchy: the only one (cgroup v2), whose cgroups have ids of memory, or one without memory
    Signature(
        "nspawn_cgroup_enospc",
        "memcg_leak",
        "the cgroup of the container could not be made (ENOSPC): with cgroup v2, no id is left for another memory cgroup",
        errnos=("ENOSPC",),
        words=("payload subcgroup",),
        confidence="medium",
        rejected=_NOT_THE_DISK,
    ),
    # memcg_update_kmem_limit(): a cache per cgroup and an id of memcg_cache_ida
    Signature(
        "kmem_limit_enomem",
        "memcg_leak",
        "the kernel could not begin to account kernel memory for another cgroup: leaked ones, or no block for the caches",
        errnos=("ENOMEM",),
        objects=("kmem_limit",),
        weak=True,
        confidence="medium",
    ),
    # runc fs/kmem.go: "because either tasks have already joined this cgroup or it has children"
    Signature(
        "kmem_limit_busy",
        "unknown",
        "kernel memory of a cgroup can only be limited before the first process is in it",
        errnos=("EBUSY", "EINVAL"),
        objects=("kmem_limit",),
        confidence="medium",
        rejected=_NOT_BUSY,
    ),
    # kernel cpuset_can_attach(): no CPUs or no memory nodes
    Signature(
        "cpuset_enospc",
        "unknown",
        "the cpuset of the parent cgroup has no CPUs or memory nodes",
        errnos=("ENOSPC",),
        objects=("cpuset", "cgroup_procs"),
        confidence="medium",
        rejected=_NOT_THE_DISK,
    ),
    # kernel cgroup_procs_write(): cgroup_migrate_vet_dst() and cgroup_procs_write_permission() refuse the place, cgroup_procs_write_start()
    # the process, cpu_cgroup_can_attach() one of real time
    Signature(
        "cgroup_join",
        "unknown",
        "the process could not be put into its cgroup: the cgroup is gone, is no place for processes, or the process may not be moved",
        errnos=("EINVAL", "ENOENT", "ENODEV", "EOPNOTSUPP", "ESRCH"),
        operations=("write", "open"),
        objects=("cgroup_procs", "cpuset"),
        confidence="medium",
    ),
    # runc libcontainer/nsenter/cloned_binary.c: it copies itself into memory, or mounts itself read-only
    Signature(
        "cloned_binary",
        "unknown",
        "runc could not make the copy of itself that it starts containers from",
        errnos=("EBUSY", "EPERM", "EACCES", "EINVAL", "ENOENT"),
        words=("cloned binary",),
        confidence="medium",
        rejected=_NOT_BUSY,
    ),
    # runc fs.RemovePaths, crun "cannot destroy subsystem", kubelet pod_container_manager_linux.go
    Signature(
        "cgroup_not_empty",
        "unknown",
        "a cgroup cannot be removed while processes are in it that do not end, often for waiting on a disk",
        errnos=("EBUSY",),
        objects=("cgroup", "other_cgroup", "cgroup_file", "cgroup_procs"),
        confidence="medium",
    ),
    Signature(
        "cgroup_remains",
        "unknown",
        "a cgroup cannot be removed while processes are in it that do not end, often for waiting on a disk",
        words=("destroy cgroup paths", "failed to remove paths: map["),
        confidence="medium",
    ),
    # --- processes and threads -------------------------------------------------------------------------------------
    # kernel copy_process(): pids.max, RLIMIT_NPROC, threads-max and pid_max all answer EAGAIN. Go: runtime/os_linux.go newosproc
    Signature(
        "pid_limit",
        "pid_limit",
        "no more processes or threads may be created: the pids limit of the cgroup, the limit of the user, or pid_max",
        errnos=("EAGAIN",),
        operations=("clone", "exec", "setns", "init"),
        rejected=_NOT_MEMORY,
    ),
    Signature(
        "pid_limit_write",
        "pid_limit",
        "the pids limit of the container cannot be set",
        errnos=("EINVAL", "EBUSY", "EAGAIN"),
        objects=("pids_limit",),
        confidence="medium",
    ),
    Signature(
        "pid_limit_thread",
        "pid_limit",
        "no more processes or threads may be created: the pids limit of the cgroup, the limit of the user, or pid_max",
        words=("failed to create new os thread", "fork rejected by pids"),
        rejected=_NOT_MEMORY,
    ),
    # A Go program prints only this much before its stack when the line with the errno is missing.
    Signature(
        "start_eagain",
        "pid_limit",
        "a process could not be started for now (EAGAIN): most often a limit of processes",
        errnos=("EAGAIN",),
        words=("container process", "runc", "starting container", "shim"),
        confidence="medium",
    ),
    # --- seccomp, keys, watches, namespaces: limits with misleading texts --------------------------------------------
    # kernel bpf_prog_select_runtime(): ENOTSUPP where CONFIG_BPF_JIT_ALWAYS_ON and no room for the program
    Signature(
        "seccomp_bpf_jit",
        "vmalloc_exhaustion",
        "the kernel has no room left for BPF programs (errno 524: net.core.bpf_jit_limit)",
        errnos=("ENOTSUPP",),
        confidence="medium",
    ),
    Signature(
        "seccomp_cut",
        "vmalloc_exhaustion",
        "the kernel refused a seccomp filter, and the errno is cut off; for one that worked before it is 524, "
        "no room left for BPF programs",
        errnos=("ERRNO",),
        value=None,
        confidence="low",
    ),
    # runc libcontainer/keys; kernel key_alloc(): kernel.keys.maxkeys and maxbytes
    Signature(
        "key_quota",
        "unknown",
        "the user has as many keys as kernel.keys.maxkeys and maxbytes allow; runc makes one for each container",
        errnos=("EDQUOT", "ENOMEM"),
        operations=("keyctl",),
        confidence="medium",
        rejected=_NOT_THE_DISK,
    ),
    # kernel inotify_new_watch(): ENOSPC beyond max_user_watches, EMFILE beyond max_user_instances
    Signature(
        "inotify_limit",
        "unknown",
        "the user has as many inotify watches or instances as fs.inotify.max_user_watches and max_user_instances allow",
        errnos=("ENOSPC", "EMFILE"),
        operations=("inotify",),
        confidence="medium",
        rejected=_NOT_THE_DISK,
    ),
    Signature(
        "open_files",
        "unknown",
        "the program or the machine has as many files open as it may (ulimit -n, fs.file-max)",
        errnos=("EMFILE",),
        confidence="medium",
    ),
    # kernel inc_ucount(): user.max_net_namespaces and its kin answer ENOSPC
    Signature(
        "namespace_limit",
        "unknown",
        "as many namespaces exist as user.max_*_namespaces allow",
        errnos=("ENOSPC",),
        operations=("unshare", "clone", "setns"),
        confidence="medium",
        rejected=_NOT_THE_DISK,
    ),
    # kernel count_mounts(): beyond fs.mount-max. mount(2) itself writes nothing, but overlay makes its work directory
    Signature(
        "mount_enospc",
        "unknown",
        "mount(2) says ENOSPC: as many mounts exist as fs.mount-max allows, or the disk has no room for the work directory of an overlay",
        errnos=("ENOSPC",),
        operations=("mount",),
        confidence="medium",
    ),
    # --- ENOMEM ----------------------------------------------------------------------------------------------------
    # moby libnetwork drivers/bridge: "failed to add the host (%s) <=> sandbox (%s) pair interfaces"
    Signature(
        "veth_enomem",
        "fragmentation",
        "the kernel had no memory for a new veth pair; on hosts with many CPUs its queues need one large block "
        "(Linux 5.13 to 6.7)",
        errnos=("ENOMEM",),
        objects=("veth",),
        weak=True,
        confidence="low",
    ),
    # runc libcontainer/nsenter/nsexec.c: the new network namespace is the part that needs large blocks
    Signature(
        "unshare_enomem",
        "unknown",
        "the kernel had no memory for the namespaces of the container; only its log can tell whether memory was short or in pieces",
        errnos=("ENOMEM",),
        operations=("unshare", "setns"),
        weak=True,
        confidence="low",
    ),
    Signature(
        "fork_enomem",
        "unknown",
        "no memory for a new process: a memory limit, overcommit, shortage and fragmentation all answer so",
        errnos=("ENOMEM",),
        operations=("clone", "exec"),
        weak=True,
        confidence="low",
    ),
    Signature(
        "enomem",
        "unknown",
        "the kernel answered ENOMEM; without a kernel report, shortage, fragmentation and cgroup limits cannot be told apart",
        errnos=("ENOMEM",),
        weak=True,
        confidence="low",
    ),
    Signature(
        "go_out_of_memory",
        "unknown",
        "the runtime itself got no memory; without a kernel report, shortage and a limit cannot be told apart",
        words=("runtime: out of memory", "runtime: cannot allocate memory"),
        weak=True,
        confidence="low",
    ),
    # --- disks -----------------------------------------------------------------------------------------------------
    # moby daemon/graphdriver/devmapper/deviceset.go
    Signature(
        "thin_pool_full",
        "disk_full",
        "the thin pool of the storage driver has too few free blocks",
        words=("free data blocks which is less than minimum", "free metadata blocks which is less than minimum"),
    ),
    Signature("disk_full", "disk_full", "a file system is full", errnos=("ENOSPC",)),
    Signature(
        "disk_quota",
        "disk_full",
        "a quota of a file system is used up",
        errnos=("EDQUOT",),
        confidence="medium",
    ),
    Signature(
        "io_error",
        "unknown",
        "the disk or its file system returns errors",
        errnos=("EIO", "EROFS", "EUCLEAN"),
        confidence="medium",
    ),
    # --- the network -----------------------------------------------------------------------------------------------
    # kubelet network/cni, containerd internal/cri/server/sandbox_run.go, CRI-O server/sandbox_network.go, moby libnetwork
    Signature(
        "network_plugin",
        "network_plugin",
        "the network plugin did not set up the pod's network",
        words=(
            "networkplugin",
            "network plugin",
            "sandbox join failed",
            "setup network for sandbox",
            "set up network for sandbox",
            "set up sandbox container",
            "failed to set up pod",
            "failed to setup network",
            "failed to set up network",
            "create pod network",
            "destroy network for",
            "network for pod",
            "network teardown failed",
            "network is not ready",
            "networknotready",
            "failed to find plugin",
            "cni plugin",
            "cni config",
            "failed to teardown pod",
            "plugin type=",
            "error adding network",
            "error adding container to network",
            "add network list",
            "error deleting network",
            "driver failed programming external connectivity",
            "failed to create endpoint",
            "pair interfaces",
            "port is already allocated",
            "no available ipv4 addresses",
            "no ip addresses available in range",
        ),
    ),
    # --- symptoms of a child that died -----------------------------------------------------------------------------
    # runc nsexec.c up to 1.0-rc9 ends with the number of the bail() in its source; of 1.0-rc2, the sixth is the clone() of the child
    # with its new namespaces
    Signature(
        "setns_exit_6",
        "fragmentation",
        "runc could not make the child with the namespaces of the container (exit status 6 of runc 1.0-rc2 is its clone), "
        "for which el7 and Linux up to 4.6 need a large block of memory; only the kernel log can prove it",
        errnos=("EXIT",),
        operations=("setns",),
        words=("exec setns process for init",),
        value=6,
        weak=True,
        confidence="low",
    ),
    Signature(
        "setns_exit",
        "unknown",
        "runc's child ended while it made the namespaces of the container; the kernel log may say why",
        words=("exec setns process",),
        weak=True,
        confidence="low",
    ),
    Signature(
        "exec_failed",
        "unknown",
        "a command could not be started in a running container",
        errnos=("ECONNRESET", "EPIPE", "EOF"),
        words=("exec failed",),
        weak=True,
        confidence="low",
    ),
    # runc process_linux.go, container_linux.go: the parent's half of the pipe; start.go: "cannot start a container that has stopped"
    Signature(
        "init_killed",
        "memcg_limit",
        "the first process of the container was gone before it ran: most often killed by a memory limit too small for it",
        errnos=("ECONNRESET", "EPIPE"),
        operations=("init", "read", "write"),
        weak=True,
        confidence="low",
    ),
    Signature(
        "init_stopped",
        "memcg_limit",
        "the first process of the container was gone before it ran: most often killed by a memory limit too small for it",
        words=("cannot start a container that has stopped", "cannot start a stopped process"),
        weak=True,
        confidence="low",
    ),
    Signature(
        "pipe_eof",
        "unknown",
        "runc's child died before it answered (EOF); the kernel log may say why: no memory block, a memory limit, a lack of pids",
        errnos=("EOF",),
        operations=("init", "read"),
        weak=True,
        confidence="low",
    ),
    # --- images ----------------------------------------------------------------------------------------------------
    # moby daemon/graphdriver/overlay2: a link below l/ that points to itself
    Signature(
        "overlay_links",
        "image",
        "the overlay file system cannot be mounted: its layer links are damaged",
        errnos=("ELOOP",),
        objects=("store",),
    ),
    # kubelet pkg/kubelet/images, containerd core/remotes/docker, moby distribution, runc init_linux.go
    Signature(
        "image",
        "image",
        "the image cannot be had or does not hold what is to be run",
        words=(
            "ull image",
            "failed pulling container",
            "errimage",
            "imagepull",
            "imageinspecterror",
            "invalidimagename",
            "manifest unknown",
            "manifest for ",
            "no matching manifest",
            "no match for platform",
            "pull access denied",
            "repository does not exist",
            "failed to resolve reference",
            "failed to get sandbox image",
            "toomanyrequests",
            "executable file not found",
            "executable file `",
            "exec format error",
            "no such image",
            "failed to register layer",
            "failed to extract layer",
        ),
    ),
    # runc libcontainer/init_linux.go, crun src/libcrun/container.c: what the image names is not in it
    Signature(
        "image_command",
        "image",
        "what is to be run is not in the image, or may not be executed",
        errnos=("ENOENT", "EACCES", "ENOEXEC"),
        operations=("exec",),
        confidence="medium",
    ),
    Signature(
        "image_lookup",
        "image",
        "what is to be run is not in the image, or may not be executed",
        errnos=("ENOENT", "EACCES"),
        operations=("stat",),
        words=('exec: "',),
        confidence="medium",
    ),
    # --- files and mounts ------------------------------------------------------------------------------------------
    # kernel may_delete(): IS_APPEND and IS_IMMUTABLE answer EPERM even to root
    Signature(
        "immutable_file",
        "immutable_file",
        "a file may not be removed: it has the immutable or append-only attribute (lsattr, chattr -i)",
        errnos=("EPERM",),
        operations=("remove", "rename"),
        objects=("store", "file", "netns", None),
    ),
    Signature(
        "mount_busy",
        "mount_busy",
        "a mount point or file is still in use by a process (grep its path in /proc/*/mountinfo)",
        errnos=("EBUSY",),
    ),
    # runc libcontainer/apparmor, containerd contrib/apparmor
    Signature(
        "apparmor",
        "unknown",
        "the AppArmor profile of the container is not loaded or may not be changed to",
        words=("apparmor",),
        confidence="medium",
    ),
    Signature(
        "seccomp",
        "unknown",
        "the seccomp filter of the container cannot be loaded: the kernel, libseccomp and the profile do not fit together",
        words=("error loading seccomp filter", "init seccomp", "seccomp_set_mode_filter", "seccomp is not supported"),
        confidence="medium",
    ),
    # --- the runtime -----------------------------------------------------------------------------------------------
    # CRI-O server/utils.go: a name is reserved because the first request is still being worked on
    Signature(
        "runtime_loaded",
        "runtime_hang",
        "the container runtime is slower than the kubelet's patience: it still works on the first request",
        words=("timing out in cri-o", "check if another createcontainer request is in progress"),
        confidence="medium",
    ),
    # containerd internal/registrar; moby daemon/names.go; CRI-O internal/registrar, server/utils.go; crun status.c; runc factory
    Signature(
        "name_reserved",
        "runtime_state_mismatch",
        "the name is still taken by an earlier attempt, which has not ended or left its remains",
        words=(
            "is reserved for",
            "failed to reserve",
            "error reserving",
            "is already in use by",
            "name already in use",
            "container with id exists",
            "container with given id already exists",
        ),
        confidence="medium",
    ),
    # kubelet pleg/generic.go, CRI clients (status.DeadlineExceeded), moby daemon/kill.go, CRI-O server/utils.go, kata
    Signature(
        "runtime_hang",
        "runtime_hang",
        "the container runtime did not answer in time",
        words=(
            "deadline exceeded",
            "deadlineexceeded",
            "operation timeout",
            "request timed out",
            "timed out waiting for",
            "timeout waiting for",
            "container creation timeout (",
            "create container timeout: ",
            "transport is closing",
            "code = unavailable",
            "cannot connect to the docker daemon",
            "pleg is not healthy",
            "container runtime is down",
            "is the docker daemon running",
            "did not receive an exit event",
            "failed to exit within",
            "zombie and can not be killed",
            "stop timeout",
            "need to kill pod",
        ),
    ),
    # containerd pkg/cri StopContainer, kubelet: whoever had asked went away before the answer came
    Signature(
        "request_cancelled",
        "runtime_hang",
        "who asked the container runtime gave up before it answered",
        words=("context canceled", "context cancelled"),
        confidence="low",
    ),
    # containerd errdefs, task delete and kill; moby "No such container"; systemd "Unit %s already exists"; runc delete
    Signature(
        "state_mismatch",
        "runtime_state_mismatch",
        "the parts of the container runtime disagree on which containers exist",
        words=(
            "o such container",
            "o such task",
            "o such exec",
            "already exists",
            "already loaded or has a fragment file",
            "not found: not found",
            "not found in store",
            "is not fully stopped",
            "cannot delete running task",
            "cannot delete a running process",
            "removal of container",
            "is already in progress",
            "is unexpectedly nil",
            "cgroup is not empty",
            "volume paths are still present on disk",
            "ttrpc: closed",
            "process not found",
        ),
        confidence="medium",
    ),
    # rootless podman, nested containers, a read-only /sys/fs/cgroup: kernel security/, cgroup_procs_write_permission() and their kin
    Signature(
        "forbidden",
        "unknown",
        "the runtime may not do that: a capability or the delegation of a cgroup is missing, or a security module forbids it",
        errnos=("EPERM", "EACCES"),
        confidence="medium",
    ),
    Signature(
        "killed",
        "unknown",
        "a process of the runtime was killed; by whom, the OOM killer or a time limit, only the kernel log can tell",
        errnos=("KILLED",),
        weak=True,
        confidence="low",
    ),
)

# runc container_linux.go, process_linux.go: the error of init is empty when init could not send one.
EMPTY_INIT = Signature(
    "init_silent",
    "memcg_limit",
    "the first process of the container was gone before it ran: most often killed by a memory limit too small for it",
    weak=True,
    confidence="low",
)
# A failure that no row explains is still a failure.
OTHER = Signature("other", "unknown", "the container runtime gives no known reason", weak=True, confidence="low")
