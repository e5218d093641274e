# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What an error says failed: how (errno), in doing what (operation), to what (object).

Programs of all languages end an error in the text of an errno, and what stands directly before it is the call that returned
it: ``mkdir /sys/fs/cgroup/memory/x: cannot allocate memory`` (Go's os.PathError), ``open `/x`: Permission denied`` (crun,
src/libcrun/error.c). The words around it change from version to version; these three do not. All of it is plain searching
of text of a bounded length: what a tenant writes into a pod's command is in these lines as well.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# Of longer texts the beginning, which names the pod, and the end, which names the error, are looked at.
MAX_HEAD, MAX_TAIL = 4096, 4096
# So much of what stands before an errno is looked at for what returned it; so many errors of a line are.
MAX_CONTEXT, MAX_ERRORS = 1200, 24

# name, its texts in lower case: Go (syscall/zerrors_linux.go) and glibc; musl, where it has another
ERRNOS = (
    ("ENOMEM", ("cannot allocate memory",)),
    ("ENOSPC", ("no space left on device",)),
    ("EDQUOT", ("disk quota exceeded", "quota exceeded")),
    ("EBUSY", ("device or resource busy", "device is busy", "target is busy", "resource busy")),
    ("EINVAL", ("invalid argument",)),
    ("EPERM", ("operation not permitted",)),
    ("EACCES", ("permission denied",)),
    ("EAGAIN", ("resource temporarily unavailable", "try again")),
    ("EIO", ("input/output error", "i/o error")),
    ("EROFS", ("read-only file system",)),
    ("EUCLEAN", ("structure needs cleaning", "filesystem corrupted")),
    ("ELOOP", ("too many levels of symbolic links", "symbolic link loop")),
    ("EMFILE", ("too many open files", "no file descriptors available")),
    ("ENOENT", ("no such file or directory",)),
    ("ENOEXEC", ("exec format error",)),
    ("ESRCH", ("no such process",)),
    ("ENODEV", ("no such device",)),
    ("EOPNOTSUPP", ("operation not supported",)),
    ("ENOTSUPP", ("errno 524", "error 524")),
    ("ERRNO", ("error loading seccomp filter into kernel: err",)),
    ("ECONNRESET", ("connection reset by peer",)),
    ("EPIPE", ("broken pipe",)),
    ("EOF", ("eof",)),
    ("EXIT", ("exit status ",)),
    ("KILLED", ("signal: killed",)),
)

# The calls as Go, crun and runc write them directly before the path or the errno.
OPERATIONS = {
    "write": "write",
    "writing": "write",
    "mkdir": "mkdir",
    "mkdirat": "mkdir",
    "mount": "mount",
    "mounting": "mount",
    "remount": "mount",
    "move_mount": "mount",
    "fsconfig": "mount",
    "fsmount": "mount",
    "umount": "unmount",
    "umount2": "unmount",
    "unmount": "unmount",
    "unmounting": "unmount",
    "remove": "remove",
    "removing": "remove",
    "unlink": "remove",
    "unlinkat": "remove",
    "rmdir": "remove",
    "rename": "rename",
    "renameat": "rename",
    "open": "open",
    "openat": "open",
    "openat2": "open",
    "opening": "open",
    "creat": "open",
    "mknod": "open",
    "mknodat": "open",
    "mkfifo": "open",
    "symlink": "open",
    "link": "open",
    "chmod": "chmod",
    "chown": "chmod",
    "fchown": "chmod",
    "lchown": "chmod",
    "lsetxattr": "chmod",
    "stat": "stat",
    "lstat": "stat",
    "statfs": "stat",
    "readlink": "stat",
    "read": "read",
    "readdirent": "read",
    "clone": "clone",
    "clone3": "clone",
    "fork": "clone",
    "forking": "clone",
    "vfork": "clone",
    "fork/exec": "clone",
    "execve": "exec",
    "exec": "exec",
    "execv": "exec",
    "unshare": "unshare",
    "setns": "setns",
    "inotify_add_watch": "inotify",
    "inotify_init": "inotify",
    "bpf": "bpf",
    "keyctl": "keyctl",
}
# Where no call stands there: what the program says it was doing. The last one said is the innermost.
PHRASES = (
    ("create directory", "mkdir"),
    ("create cgroup", "mkdir"),
    ("mounting ", "mount"),
    ("mount src=", "mount"),
    ("failed to mount", "mount"),
    ("error creating overlay mount", "mount"),
    ("failed to umount", "unmount"),
    ("failed to unmount", "unmount"),
    ("unable to unmount", "unmount"),
    ("failed to write", "write"),
    ("cannot set memory limit", "write"),
    ("failed to remove", "remove"),
    ("unable to remove", "remove"),
    ("error removing", "remove"),
    ("cannot rm ", "remove"),
    ("cannot delete path", "remove"),
    ("cannot destroy subsystem", "remove"),
    ("pthread_create failed", "clone"),
    ("new os thread", "clone"),
    ("newosproc", "clone"),
    ("create thread", "clone"),
    ("can't fork", "clone"),
    ("cannot fork", "clone"),
    ("unable to fork", "clone"),
    ("failed to fork", "clone"),
    ("fork error", "clone"),
    ("failed to clone", "clone"),
    ("failed to unshare", "unshare"),
    ("unable to unshare", "unshare"),
    ("unsharing", "unshare"),
    ("failed to setns", "setns"),
    ("session key", "keyctl"),
    ("keyring", "keyctl"),
    ("inotify", "inotify"),
    ("fsnotify", "inotify"),
    ("error loading seccomp filter", "seccomp"),
    ("seccomp_set_mode_filter", "seccomp"),
    ("init seccomp", "seccomp"),
    ("exec user process", "exec"),
    ("exec container process", "exec"),
    ("unable to start container process: exec:", "exec"),
    ("starting container process caused: exec:", "exec"),
    ("copying bootstrap data", "init"),
    ("bootstrap data to pipe", "init"),
    ("sending config to init", "init"),
    ("final child's pid", "init"),
    ("sync type from init", "init"),
    ("syncing with", "init"),
    ("container init", "init"),
    ("init-p", "init"),
    ("init pipe", "init"),
    ("init error from pipe", "init"),
    # CRI-O internal/oci/runtime_oci.go: conmon ended before it could say the pid
    ("reading container (probably exited)", "init"),
    ("read parent", "init"),
    ("read child", "init"),
    ("sync pipe", "init"),
    ("sync socket", "init"),
    ("exec setns process", "setns"),
)
# What a text has to be searched for before failures() can tell.
LITERALS = tuple(text for _errno, texts in ERRNOS for text in texts) + tuple(phrase for phrase, _operation in PHRASES)

# Files of a memory cgroup that set a limit (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
_LIMITS = ("limit_in_bytes", "memory.max", "memory.high", "memory.swap.max", "memory.low", "memory.min")
_STORES = (
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/docker/",
    "/overlay",
    "overlay2",
    "devicemapper",
    "devmapper",
    "/aufs",
    "/btrfs",
    "/zfs",
    "/vfs/dir",
    "snapshotter",
    "storage-pools",
    "/merged",
    "rootfs",
)
_CONTROLLERS = frozenset("cgroup cpu cpuacct io blkio memory hugetlb devices freezer rdma misc pids".split())
# Hierarchies of the first version of cgroups in which no memory is accounted; a name of several joins them with commas.
_NOT_MEMORY = frozenset(
    "cpu cpuacct cpuset blkio devices freezer hugetlb net_cls net_prio perf_event pids rdma misc systemd elogind schedtune".split()
)
_NETWORK_NAMESPACES = ("/netns", "/ns/net", "network namespace")


class Failure:
    """One errno of a text and what it answered. ``value``: the number of an exit status."""

    __slots__ = ("errno", "operation", "object", "context", "value", "mark")

    def __init__(self, errno, operation, what, context, value, mark):
        self.errno, self.operation, self.object = errno, operation, what
        self.context, self.value, self.mark = context, value, mark


def bounded(text):
    """The part of a text that is looked at."""
    if len(text) <= MAX_HEAD + MAX_TAIL:
        return text
    return text[:MAX_HEAD] + " ... " + text[-MAX_TAIL:]


def failures(low, said):
    """Lower-case text and which of LITERALS it has -> [Failure], the outermost first."""
    found = []
    for errno, texts in ERRNOS:
        for text in texts:
            if text not in said:
                continue
            end = len(low)
            for _number in range(MAX_ERRORS):
                at = low.rfind(text, 0, end)
                if at < 0:
                    break
                end = at
                if errno != "EOF" or _is_word(low, at, at + 3):
                    found.append((at, text, errno))
                if at == 0:
                    break
    found.sort()
    parsed, before = [], 0
    for at, text, errno in found[-MAX_ERRORS:]:
        end = at + len(text)
        context = low[max(before, at - MAX_CONTEXT) : at]
        number = _number_of(low[end : end + 3])
        if low.startswith(" - ", end):
            # LXC says what it was doing behind the errno (src/lxc/log.h SYSERROR).
            context = low[end + 3 : end + 3 + MAX_CONTEXT // 4].split("\n", 1)[0]
        operation, path = _call(context, said)
        parsed.append(Failure(errno, operation, _object(path, context), context, number, text))
        before = end
    return parsed


def _is_word(text, start, end):
    return not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())


def _number_of(text):
    digits = ""
    for letter in text:
        if not letter.isdigit():
            break
        digits += letter
    return int(digits) if digits else None


def _call(context, said):
    """-> (operation, path or None) of the call that stands directly before an errno, or of what was said to be done."""
    words = [word.strip("\"'`,():;[]{}<>\\") for word in context[-MAX_CONTEXT:].rsplit(None, 6)[-5:]]
    words = [word for word in words if word not in ("", "to", "file", "directory", "path", "caused", "error", "=")]
    path = words[-1] if words and "/" in words[-1] and words[-1] not in OPERATIONS else None
    rest = words[:-1] if path else words
    if rest and rest[-1] in OPERATIONS:
        return OPERATIONS[rest[-1]], path
    # os.LinkError: rename /a /b: errno
    if path and len(rest) > 1 and "/" in rest[-1] and rest[-2] in OPERATIONS:
        return OPERATIONS[rest[-2]], path
    best = (-1, None)
    for phrase, operation in PHRASES:
        if phrase not in said:
            continue
        at = context.rfind(phrase)
        if at > best[0]:
            best = (at, operation)
    return best[1], path


def _object(path, context):
    """The kind of thing that a path, or the text where there is none, names."""
    text = path or context
    if "memory." in text or "limit_in_bytes" in text:
        if "memory.kmem." in text:
            return "kmem_limit"
        for name in _LIMITS:
            if name in text:
                return "memory_limit"
    if path and ("/cgroup/" in path or path.startswith("/cgroup") or "cgroup " + path in context):
        return _cgroup_object(path)
    for name in _NETWORK_NAMESPACES:
        if name in text:
            return "netns"
    if path is None:
        if "veth" in text:
            return "veth"
        if "cgroup" in text and not ("/" in text and "rootfs" in text):
            return "cgroup"
    if path and path.startswith("/proc/"):
        return "self_exe" if path.endswith("/exe") else "proc"
    if path and path.startswith(("/dev/", "/sys/")):
        return "device"
    for name in _STORES:
        if name in text:
            return "store"
    return "file" if path else None


def _cgroup_object(path):
    name = path.rsplit("/", 1)[-1]
    if name == "pids.max":
        return "pids_limit"
    if name in ("cgroup.procs", "cgroup.threads", "tasks"):
        return "cpuset" if "/cpuset" in path else "cgroup_procs"
    if name.startswith("cpuset."):
        return "cpuset"
    controller, dot, _rest = name.partition(".")
    if dot and controller in _CONTROLLERS:
        return "cgroup_file"
    hierarchy = path.split("/cgroup/", 1)[-1].lstrip("/").split("/", 1)[0]
    return "other_cgroup" if _NOT_MEMORY.issuperset(hierarchy.split(",")) else "cgroup"
