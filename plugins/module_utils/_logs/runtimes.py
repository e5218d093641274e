# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What kubelet, dockerd, containerd, CRI-O, podman and the OCI runtimes say when a container cannot be started or removed.

A line is a failure when it speaks of starting or removing a container (STARTING, REMOVING), of failing, and is no mere information.
Which cause it has is in signatures.py. Lines of memory that ran out without the kernel's own report are in notices.py.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from . import errors, notices, subjects
from .lazy import Lazy, contains_any
from .signatures import EMPTY_INIT, OTHER, REMOVE, SIGNATURES, START, Signature
from .wording import Wording

# What large logs are searched for beside scanner.RUNTIME_GATES: one literal per source of notices, long ones, as short ones cost more.
GATES = (b"TaskOOM event", b"killed by the OOM killer", b"systemd-oomd", b"low memory! at or below")

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
    "RRO[",
    "ATA[",
)
# Application crashes, endless repetitions of what was said before, information.
_NOISE = (
    "CrashLoopBackOff",
    "Back-off restarting",
    "Back-off pulling",
    "callbacks suppressed",
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
# kubelet events, pod workers, CRI and OCI runtimes; in lower case. The places of the first of each decide what was tried.
STARTING = (
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
    "start sandbox container",
    "run pod sandbox",
    "startcontainer",
    "createcontainer",
    "create container",
    "creating container",
    "created container",
    "container create failed",
    "container creation",
    "create task",
    "create shim",
    "containerd task",
    "shim task",
    "start shim",
    "starting shim",
    "runc create",
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
    "directory '/sys/fs/cgroup",
    "failed to create cgroup",
)
REMOVING = (
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
)
# The kubelet asks the runtime for many things; that it does not answer is trouble whatever was asked, but for commands of probes.
_ASKED, _NO_ANSWER = (
    ("from runtime service failed", "genericpleg: "),
    ("deadlineexceeded", "deadline exceeded", "code = unavailable"),
)
# What is about a container even without a known error.
_CERTAIN = (
    "podsandbox",
    "pod sandbox",
    "oci runtime",
    "container process",
    "from daemon: ",
    "from runtime service failed",
    "remove root filesystem",
    "failed to create task",
    "failed to create containerd task",
    "failed to create shim",
    "failed to start shim",
    "failed to create container",
    "failed to start container",
    "container create failed",
)
_WORDING = Wording(
    STARTING
    + REMOVING
    + errors.LITERALS
    + _CERTAIN
    + tuple(word for row in SIGNATURES if not row.errnos for word in row.words)
)
# Rows of SIGNATURES that may match, by errno and by word.
_ROWS = {}
for _number, _row in enumerate(SIGNATURES):
    for _shown in _row.errnos or _row.words:
        _ROWS.setdefault(_shown, []).append(_number)
_STARTS = frozenset(STARTING)
_TELLING = frozenset(REMOVING + errors.LITERALS).union(_ROWS)
# Where the error of the runtime begins that the kubelet quotes.
INNER = "rpc error: code"
# What a removal must name to be that of a container: others remove things as well.
_CONTAINERS = ("container", "sandbox", "docker", "pod", "overlay", "runc", "crun", "cri-o", "storage-pools", "layer")
# Daemons of container hosts whose plain disk errors count although no container is named.
_DAEMON = frozenset("kubelet dockerd docker containerd crio cri-o k3s rke2 k3s-agent rke2-agent".split())
_DAEMON_ERRORS = ("o space left on device", "nput/output error", "ead-only file system")
_SEVERE = Lazy(r"\s*[EF]\d{4} |.{0,120}level=(?:error|fatal)")

_KLOG = Lazy(r"^[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+)")
_LOGRUS = Lazy(r"time=\"?(\d{4}-\d\d-\d\dT[^\"\s]{1,40})")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
# A kill that the kubelet repeats so often does not happen.
_ENOUGH_KILLS = 10


def compile_signatures(rows):
    """The user's own signatures (option ``signatures``) in the built-in form. Raises ValueError with the row and what is wrong."""
    compiled = []
    for row in rows or ():
        try:
            re.compile(row.get("pattern") or "")
        except re.error as error:
            raise ValueError(
                "signature %s: the pattern %s is no regular expression: %s" % (row.get("id"), row.get("pattern"), error)
            )
        if not row["contains"] or not all(row["contains"]):
            raise ValueError("signature %s: contains needs at least one literal, none of them empty" % row.get("id"))
        compiled.append(
            Signature(
                row["id"],
                row["cause"],
                row.get("reason") or "matches the signature %s" % row["id"],
                kind=row.get("kind"),
                weak=bool(row.get("weak")),
                confidence=row.get("confidence") or "high",
                contains=row["contains"],
                pattern=row.get("pattern"),
                flags=re.I,
            )
        )
    return compiled


# What word processors make of quotes. As bytes: a formatter takes away the u of a literal.
_CURLY_OPEN, _CURLY_CLOSE = b"\xe2\x80\x9c".decode("utf-8"), b"\xe2\x80\x9d".decode("utf-8")
# A run of backslashes is taken whole, with the quote if there is one: each is looked at once.
_ESCAPED = re.compile(r"\\+\"?")


def _unescape(match):
    return '"' if match.group().endswith('"') else match.group()


def plain(text):
    """Quotes as they were before they were escaped, once per log they went through."""
    if "\\" in text or "&" in text or _CURLY_OPEN in text:
        text = _ESCAPED.sub(_unescape, text).replace(_CURLY_OPEN, '"').replace(_CURLY_CLOSE, '"')
        text = text.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
    return text


def speaks(line, own=()):
    """Whether a Line may tell of a container that could not be started or removed, or of memory that ran out.

    What it speaks of is kept with it: ("own", Signature), ("notice", found) or ("failure", (kind, length of the text)).
    """
    text = errors.bounded(line.text)
    for signature in own:
        if signature.matches(text):
            line.context = ("own", signature)
            return True
    if notices.speaks(text):
        found = notices.read(line, plain(text))
        if found is not None:
            line.context = ("notice", found)
            return True
    if not contains_any(text, _FAILING) or contains_any(text, _NOISE):
        return False
    # The kubelet up to 1.15 calls this information.
    if _NOISE_START.match(text) and "PLEG is not healthy" not in text:
        return False
    kind = _kind(line, text, text.lower())
    if kind is not None:
        line.context = ("failure", (kind, len(line.text)))
    return kind is not None


def _kind(line, text, low):
    """Whether a text speaks first of starting or of removing a container; None when of neither."""
    said = _WORDING.of(low)
    starting, removing = _first(low, STARTING, said), _first(low, REMOVING, said)
    if (
        removing >= 0
        and starting < 0
        and not (contains_any(low, _CONTAINERS) or subjects.HEX.search(text) or line.tag in _DAEMON)
    ):
        removing = -1
    if starting >= 0 or removing >= 0:
        return START if starting >= 0 and (removing < 0 or starting < removing) else REMOVE
    if contains_any(low, _ASKED) and contains_any(low, _NO_ANSWER) and "execsync" not in low:
        return START
    if line.tag in _DAEMON and contains_any(text, _DAEMON_ERRORS) and (_SEVERE.match(text) or "exiting" in text):
        return START
    return None


def inner(text):
    """The error that a line of the kubelet quotes, as it is written there; None where it quotes none."""
    at = text.find(INNER)
    return text[at:].rstrip('"') if at >= 0 and len(text) <= errors.MAX_HEAD else None


def only_wraps(head):
    """Whether what stands before a known error of a start says no more than that a start failed."""
    if notices.speaks(head):
        return False
    said = _WORDING.of(plain(head).lower())
    return not said.isdisjoint(_STARTS) and said.isdisjoint(_TELLING) and not subjects.HEX.search(head)


def _first(low, words, said):
    """Where the first of the words is; -1 when there is none. ``said``: those that are anywhere."""
    first = -1
    for word in words:
        if word not in said:
            continue
        at = low.find(word, 0, first) if first >= 0 else low.find(word)
        if at >= 0:
            first = at
    return first


def read(line, own=()):
    """A Line of a program -> {kind, signature, ...}, None when it tells of no failure of a container."""
    if line.context is None and not speaks(line, own):
        return None
    what, found = line.context
    text = plain(errors.bounded(line.text))
    if what == "own":
        return _event(line, text, found, found.kind or START, found.contains[0])
    if what == "notice":
        # The line may have been joined with the next one.
        return _notice(line, text, notices.read(line, text) or found)
    low = text.lower()
    signature, mark = _signature(low)
    if signature is None:
        return None
    if mark == "need to kill pod" and subjects.repeats(text) < _ENOUGH_KILLS:
        return None
    kind, length = found
    if len(line.text) != length:
        # It was joined with the next one.
        kind = _kind(line, text, low) or kind
    return _event(line, text, signature, kind, mark)


def _signature(low):
    said = _WORDING.of(low)
    failures = errors.failures(low, said)
    shown = said.union([failure.errno for failure in failures])
    for number in sorted({number for what in shown for number in _ROWS.get(what, ())}):
        mark = SIGNATURES[number].mark(said, failures)
        if mark is not None:
            return SIGNATURES[number], mark
    end = low[-200:].rstrip(" :\"'\\")
    if end.endswith(": unknown"):
        end = end[: -len(": unknown")].rstrip(" :\"'\\")
    if end.endswith(("container init caused", "container init:")):
        return EMPTY_INIT, "container init caused"
    # Without a known error, only the messages that are about nothing else count.
    for word in _CERTAIN:
        if word in said:
            return OTHER, word
    return None, None


def _date(line, text):
    """A line without a stamp may carry that of the program itself."""
    if line.stamp is None:
        klog, logrus = _KLOG.match(text.lstrip()), _LOGRUS.search(text)
        if logrus:
            line.stamp = logrus.group(1)
        elif klog and 1 <= int(klog.group(1)) <= 12:
            line.stamp = "%s %s %s" % (_MONTHS[int(klog.group(1)) - 1], klog.group(2), klog.group(3))


def _event(line, text, signature, kind, mark):
    _date(line, text)
    fields = subjects.names(text)
    fields.update(runtime=line.tag or _speaker(text), error=_error(text), signature=signature.ident)
    return {
        "kind": kind,
        "line": line,
        "message": text,
        "signature": signature,
        "fields": fields,
        "mark": mark,
        "repeats": subjects.repeats(text),
    }


def _notice(line, text, found):
    """As _event(), of memory that ran out: {reporter, scope, victim_comm, victim_pid, cgroup, ...} in ``fields``."""
    _date(line, text)
    fields = subjects.names(text)
    del fields["pod"], fields["namespace"]
    fields.update((name, value) for name, value in found["fields"].items() if value is not None or name not in fields)
    names = subjects.names(text)
    return {
        "kind": "oom_kill",
        "line": line,
        "message": text,
        "signature": found["notice"],
        "fields": fields,
        "pod": (names["pod"], names["namespace"]),
        "mark": None,
        "repeats": subjects.repeats(text),
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
