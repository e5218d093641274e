# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What kubelet, dockerd, containerd, cri-o and runc say when a container cannot be started or removed.

A line is a failure when it speaks of starting or removing a container (START, REMOVE) and of failing; its cause is that of
the first row of SIGNATURES that matches. Many errors are only symptoms: "EOF" from a pipe means that the runtime's child
died, not why. Such rows are ``weak``: a kernel report that belongs to the line takes precedence.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .prefixes import Lazy, has


class Signature:
    """One known error. ``contains``: literals of which a line must have one, looked for before the pattern."""

    def __init__(self, ident, cause, reason, contains, pattern=None, kind=None, weak=False, confidence="high"):
        self.ident, self.cause, self.reason, self.kind = ident, cause, reason, kind
        self.contains = tuple(contains)
        self.weak, self.confidence = weak, confidence
        self.pattern = Lazy(pattern, re.I) if pattern else None

    def matches(self, text):
        return has(text, self.contains) and (self.pattern is None or self.pattern.search(text) is not None)


SIGNATURES = (
    # ident, cause, reason, literals, pattern
    Signature(
        "cgroup_enomem",
        "memcg_leak",
        "the kernel would not make another memory cgroup (ENOMEM): leaked kernel-memory cgroups, "
        "or no block for their bookkeeping",
        ["cannot allocate memory"],
        r"(?:mkdir|write) ?\S*/cgroup/\S*.*: cannot allocate memory|memory\.kmem\.limit_in_bytes.*cannot allocate memory",
        weak=True,
        confidence="medium",
    ),
    Signature(
        "cgroup_enospc",
        "memcg_leak",
        "the kernel has no id left for another memory cgroup (ENOSPC, at most 65535): leaked cgroups",
        ["no space left on device"],
        r"mkdir \S*/cgroup/\S*: no space left on device",
    ),
    Signature(
        "cpuset_enospc",
        "unknown",
        "the cpuset of the parent cgroup has no CPUs or memory nodes",
        ["no space left on device"],
        r"/cgroup/\S*cpuset\S*.*no space left on device",
        confidence="medium",
    ),
    Signature(
        "init_oom_killed",
        "memcg_limit",
        "the first process of the container was killed by its memory limit",
        ["OOM-killed", "OOMKilled", "oom-killed", "memory limit too low"],
        r"init was OOM-killed|memory limit too low|init process.*oom",
    ),
    Signature(
        "limit_below_usage",
        "memcg_limit",
        "the memory limit is lower than what the container already uses",
        ["unable to set memory limit", "inimum memory limit"],
        None,
    ),
    Signature(
        "seccomp_bpf_jit",
        "vmalloc_exhaustion",
        "the kernel has no room left for BPF programs (errno 524: net.core.bpf_jit_limit)",
        ["seccomp"],
        r"seccomp filter.*(?:524|into kernel: err(?:\W|o?r?\s*$))",
        confidence="medium",
    ),
    Signature(
        "veth_enomem",
        "fragmentation",
        "the kernel had no memory for a new veth pair; on hosts with many CPUs its queues need one large block "
        "(Linux 5.13 to 6.7)",
        ["cannot allocate memory"],
        r"veth\w* ?.*cannot allocate memory",
        weak=True,
        confidence="low",
    ),
    Signature(
        "pid_limit",
        "pid_limit",
        "no more processes or threads may be created: the pids limit of the cgroup or of the user",
        ["esource temporarily unavailable", "new OS thread", "fork rejected by pids"],
        r"pthread_create failed|fork/exec|newosproc|new OS thread|clone|fork: |setns|start(?:ing)? container process|fork rejected|nsenter",
    ),
    Signature(
        "network_plugin",
        "network_plugin",
        "the network plugin did not set up the pod's network",
        ["etwork", "cni"],
        r"network ?plugin|failed to set ?up (?:pod |sandbox |container )?\S* ?(?:for \S+ )?network|setup network|cni (?:plugin|config)|find plugin|"
        r"failed to set up pod .* network|network is not ready|add network|plugin type=",
    ),
    Signature(
        "setns_exit_6",
        "fragmentation",
        "runc could not make the namespaces of the container (exit status 6 is its failed unshare), for which el7 "
        "and Linux up to 4.6 need a large block of memory; only the kernel log can prove it",
        ["exec setns process"],
        r"exec\s+setns process for init caused\W*exit status 6\b",
        weak=True,
        confidence="low",
    ),
    Signature(
        "setns_exit",
        "unknown",
        "runc's child ended while it made the namespaces of the container; the kernel log may say why",
        ["exec setns process"],
        None,
        weak=True,
        confidence="low",
    ),
    Signature(
        "exec_failed",
        "unknown",
        "a command could not be started in a running container",
        ["exec failed: "],
        r"exec failed: .*(?:reset by peer|broken pipe|EOF)",
        weak=True,
        confidence="low",
    ),
    Signature(
        "init_killed",
        "memcg_limit",
        "the first process of the container was gone before it ran: most often killed by a memory limit too small for it",
        [
            "connection reset by peer",
            "broken pipe",
            "container init caused",
            "container that has stopped",
            "init process caused",
        ],
        r"(?:read init-p|write init-p|read parent|read child|init-p):? ?(?:connection reset|broken pipe)"
        r"|container init caused:? ?\W*$|cannot start a container that has stopped",
        weak=True,
        confidence="low",
    ),
    Signature(
        "pipe_eof",
        "unknown",
        "runc's child died before it answered (EOF); the kernel log may say why: no memory block, a memory limit, a lack of pids",
        ["EOF"],
        r"(?:pid from pipe|init pipe|init-p|sync type|parent|child).*\bEOF\b",
        weak=True,
        confidence="low",
    ),
    Signature(
        "enomem",
        "unknown",
        "the kernel answered ENOMEM; without a kernel report, shortage, fragmentation and cgroup limits cannot be told apart",
        ["cannot allocate memory", "Cannot allocate memory"],
        None,
        weak=True,
        confidence="low",
    ),
    Signature(
        "disk_full", "disk_full", "a file system is full", ["no space left on device", "disk quota exceeded"], None
    ),
    Signature(
        "immutable_file",
        "immutable_file",
        "a file may not be removed: it has the immutable or append-only attribute (lsattr, chattr -i)",
        ["peration not permitted"],
        r"(?:remove|unlink|rmdir|delete).*operation not permitted",
        kind="container_remove_failure",
    ),
    Signature(
        "mount_busy",
        "mount_busy",
        "a mount point or file is still in use by a process (grep its path in /proc/*/mountinfo)",
        ["device or resource busy"],
        None,
    ),
    Signature(
        "overlay_links",
        "image",
        "the overlay file system cannot be mounted: its layer links are damaged",
        ["too many levels of symbolic links"],
        None,
    ),
    Signature(
        "io_error",
        "unknown",
        "the disk or its file system returns errors",
        ["input/output error", "read-only file system"],
        None,
    ),
    Signature(
        "image",
        "image",
        "the image cannot be had or does not hold what is to be run",
        [
            "ull image",
            "ImagePull",
            "manifest unknown",
            "executable file not found",
            "exec format error",
            "no such image",
            "No such image",
        ],
        None,
    ),
    Signature(
        "runtime_hang",
        "runtime_hang",
        "the container runtime did not answer in time",
        [
            "eadline exceeded",
            "DeadlineExceeded",
            "operation timeout",
            "transport is closing",
            "code = Unavailable",
            "Cannot connect to the Docker daemon",
        ],
        None,
    ),
    Signature(
        "state_mismatch",
        "runtime_state_mismatch",
        "the parts of the container runtime disagree on which containers exist",
        [
            "o such container",
            "o such task",
            "already exists",
            "is already in use by container",
            "is reserved for",
            "not found: not found",
        ],
        None,
        confidence="medium",
    ),
)

# A failure that no row explains is still a failure.
_OTHER = Signature("other", "unknown", "the container runtime gives no known reason", [""], weak=True, confidence="low")

START = Lazy(
    r"RunPodSandbox|reatePodSandbox|FailedCreatePodSandBox|[Ff]ailed (?:to )?create pod sandbox|FailedCreatePodContainer|pod container exists"
    r"|[Oo][Cc][Ii] runtime|start(?:ing)? container|to start container process|StartContainer|CreateContainer|[Cc]reate container|ontainer create failed"
    r"|(?:create|start)(?:ing)? (?:\w+ )?(?:task|shim|container|sandbox)\b|runc create|RunContainerError|overlay mount|register layer|runtime-create"
    r"|cannot start a container|determining status|ull image|ErrImagePull|container init|init-p:|pthread_create failed"
)
REMOVE = Lazy(
    r"RemoveContainer|ailed to remove|nable to remove|KillPodSandbox|StopPodSandbox|RemovePodSandbox|KillContainer|StopContainer|Handler for DELETE"
    r"|Error removing|FailedKillPod|failed to delete|unlinkat"
)
# Cheap tests before the expressions above and below are tried.
_FAILING = ("fail", "rror", "annot", "nable", "Failed", "can't")
_REMOVING = ("emov", "elet", "DELETE", "Kill", "StopPod", "StopCont", "unlinkat")
# Application crashes and endless repetitions of what was said before.
_NOISE = (
    "CrashLoopBackOff",
    "Back-off restarting",
    "Back-off pulling",
    "callbacks suppressed",
    "level=info",
    "level=debug",
    "already stopped",
)
_NOISE_START = Lazy(r"\s*[ID]\d{4} ")
# What is about a container even without a known error.
_CERTAIN = Lazy(
    r"PodSandbox|PodSandBox|pod sandbox|OCI runtime|oci runtime|container process|from daemon: |from runtime service failed"
    r"|failed to (?:create|start) (?:containerd )?(?:task|shim|container)|remove root filesystem"
)
# Daemons of container hosts whose plain I/O and disk errors count although no container is named.
_DAEMON = Lazy(r"^(?:kubelet|dockerd|docker|containerd|crio|cri-o|k3s|rke2)$")
_DAEMON_TROUBLE = Lazy(
    r"^[EF]\d{4} .*input/output error|exiting because of error.*input/output error"
    r"|level=(?:error|fatal).*(?:no space left on device|input/output error)|: input/output error$"
)

_UID = r"[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}"
_POD = Lazy(r"[Pp]od ?\"(?P<pod>[^\"\s_(]+)(?:_(?P<namespace>[^\"\s(]+))?(?:\((?P<uid>[^)\s]{1,64})\))?\"")
_POD_KEY = Lazy(r"\bpod=\"?(?P<namespace>[\w.-]+)/(?P<pod>[\w.-]+)")
_POD_UID = Lazy(r"(?:podUID=\"?|[Pp]od |pod|\()(" + _UID + r"|[0-9a-f]{32})\b")
_ID = r"([0-9a-f]{64})"
_CONTAINER = Lazy(
    r"(?:containers?/|container(?: with id)? \"?|[cC]ontainer_?[iI][dD]\W{1,3}|\bid=|--?\s?start |sandbox \"|filesystem for |/docker[/-]|cri-containerd-|crio-)"
    + _ID
    + r"|^(?:time=\S+ level=\w+ msg=\")?"
    + _ID
    + r" cleanup"
)
_HEX = Lazy(r"[0-9a-f]{64}")
_REPEATED = Lazy(r"\(x(\d+) over ")
_KLOG = Lazy(r"^[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+)")
_LOGRUS = Lazy(r"time=\"?(\d{4}-\d\d-\d\dT[^\"\s]+)")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def compile_signatures(rows):
    """The user's own signatures (option ``signatures``) in the built-in form. Raises ValueError with the row and what is wrong."""
    compiled = []
    for row in rows or ():
        try:
            re.compile(row.get("pattern") or "")
            compiled.append(
                Signature(
                    row["id"],
                    row["cause"],
                    row.get("reason") or "matches the signature %s" % row["id"],
                    row["contains"],
                    row.get("pattern"),
                    row.get("kind"),
                    bool(row.get("weak")),
                    row.get("confidence") or "high",
                )
            )
        except re.error as error:
            raise ValueError(
                "signature %s: the pattern %s is no regular expression: %s" % (row.get("id"), row.get("pattern"), error)
            )
        if not all(compiled[-1].contains) or not compiled[-1].contains:
            raise ValueError("signature %s: contains needs at least one literal, none of them empty" % row.get("id"))
    return compiled


# What word processors make of quotes. As bytes: a formatter takes away the u of a literal.
_CURLY_OPEN, _CURLY_CLOSE = b"\xe2\x80\x9c".decode("utf-8"), b"\xe2\x80\x9d".decode("utf-8")


def plain(text):
    """Quotes as they were before they were escaped, once per log they went through."""
    if "\\" in text or "&" in text or _CURLY_OPEN in text:
        text = re.sub(r"\\+(?=\")", "", text).replace(_CURLY_OPEN, '"').replace(_CURLY_CLOSE, '"')
        text = text.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
    return text


def speaks(line, own=()):
    """Whether a Line may tell of a container that could not be started or removed; what it speaks of is kept with it."""
    text = line.text
    for signature in own:
        if signature.matches(text):
            line.context = (signature, None)
            return True
    if not has(text, _FAILING) or has(text, _NOISE) or _NOISE_START.match(text):
        return False
    starting = START.search(text)
    removing = REMOVE.search(text) if has(text, _REMOVING) else None
    daemon = line.tag is not None and _DAEMON.match(line.tag) is not None and _DAEMON_TROUBLE.search(text) is not None
    if not (starting or removing or daemon):
        return False
    line.context = (starting, removing)
    return True


def read(line, own=()):
    """A Line of a program -> {kind, signature, ...}, None when it tells of no failure of a container."""
    if line.context is None and not speaks(line, own):
        return None
    starting, removing = line.context
    text = line.text
    if isinstance(starting, Signature):
        return _event(line, plain(text), starting, starting.kind or "container_start_failure")
    text = plain(text)
    kind = "container_start_failure"
    if removing and not (starting and starting.start() < removing.start()):
        kind = "container_remove_failure"
    for signature in SIGNATURES:
        if (signature.kind is None or signature.kind == kind) and signature.matches(text):
            return _event(line, text, signature, kind)
    # Without a known error, only the messages that are about nothing else count.
    if _CERTAIN.search(text):
        return _event(line, text, _OTHER, kind)
    return None


def _event(line, text, signature, kind):
    pod = _POD.search(text) or _POD_KEY.search(text)
    found = pod.groupdict() if pod else {}
    uid = found.get("uid")
    if not uid:
        match = _POD_UID.search(text)
        uid = match and match.group(1)
    container = _CONTAINER.search(text) if _HEX.search(text) else None
    repeated = _REPEATED.search(text) if "(x" in text else None
    if line.stamp is None:
        klog, logrus = _KLOG.match(text.lstrip()), _LOGRUS.search(text)
        if logrus:
            line.stamp = logrus.group(1)
        elif klog and 1 <= int(klog.group(1)) <= 12:
            line.stamp = "%s %s %s" % (_MONTHS[int(klog.group(1)) - 1], klog.group(2), klog.group(3))
    return {
        "kind": kind,
        "line": line,
        "message": text,
        "pod": found.get("pod"),
        "namespace": found.get("namespace"),
        "pod_uid": uid and uid.replace("_", "-"),
        "container_id": container and (container.group(1) or container.group(2)),
        "runtime": line.tag or _speaker(text),
        "signature": signature,
        "error": _error(text),
        "repeats": min(int(repeated.group(1)), 1000000) if repeated else 1,
    }


def _speaker(text):
    """Who wrote an undated line, by its form."""
    if "remote_runtime.go" in text or "kuberuntime" in text or "kubelet" in text or "odSandBox" in text:
        return "kubelet"
    if "from daemon" in text or text.startswith("docker"):
        return "docker"
    return "runc" if "OCI runtime" in text or "container process" in text else None


def _error(text):
    """The innermost part of a chain of errors, which says most."""
    for mark in ("rpc error: code", "returned error: ", "error=", "err=", "msg="):
        start = text.find(mark)
        if start >= 0:
            text = text[start:]
            break
    return text[-300:] if len(text) > 300 else text
