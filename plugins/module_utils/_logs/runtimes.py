# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What kubelet, dockerd, containerd, CRI-O, podman and the OCI runtimes say when a container cannot be started or removed.

A line is a failure when it speaks of starting or removing a container and of failing (attempts.py), and is no mere information.
Which cause it has is in signatures.py. Lines of memory that ran out without the kernel's own report are in notices.py.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from . import attempts, errors, listings, notices, subjects
from .lazy import Lazy, contains_any
from .quotes import plain
from .signatures import EMPTY_INIT, OTHER, SIGNATURES, START, Signature

# Rows of SIGNATURES that may match, by errno and by word.
_ROWS = {}
for _number, _row in enumerate(SIGNATURES):
    for _shown in _row.errnos or _row.words:
        _ROWS.setdefault(_shown, []).append(_number)

_KLOG = Lazy(r"^[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+)")
_LOGRUS = Lazy(r"time=\"?(\d{4}-\d\d-\d\dT[^\"\s]{1,40})")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
# What an error has that is no sentence about one.
_SAYING = (":", "=", "ERROR", "FATAL", "Warning ")
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


def speaks(line, own=()):
    """Whether a Line may tell of a container that could not be started or removed, or of memory that ran out.

    What it speaks of is kept with it: ("own", Signature), ("notice", found) or ("failure", _Heard).
    """
    text = errors.bounded(line.text)
    for signature in own:
        if signature.matches(text):
            line.context = ("own", signature)
            return True
    if notices.speaks(text, line.tag):
        found = notices.read(line, plain(text))
        if found is not None:
            line.context = ("notice", found)
            return True
    if not attempts.tells_of_failure(text):
        return False
    heard = _Heard(line, plain(text))
    if heard.kind is not None:
        line.context = ("failure", heard)
    return heard.kind is not None


class _Heard:
    """What was understood of a line whose text was so long: it may be joined with the next one before it is read."""

    __slots__ = ("length", "text", "low", "said", "kind")

    def __init__(self, line, text):
        self.length, self.text, self.low = len(line.text), text, text.lower()
        self.said = attempts.WORDING.of(self.low)
        self.kind = attempts.kind_of(line, text, self.low, self.said)


def read(line, own=()):
    """A Line of a program -> {kind, signature, ...}, None when it tells of no failure of a container."""
    if line.context is None and not speaks(line, own):
        return None
    what, found = line.context
    if what == "failure":
        return _failure(line, found)
    text = plain(errors.bounded(line.text))
    if what == "own":
        return _event(line, text, found, found.kind or START, found.contains[0])
    # The line may have been joined with the next one.
    return _notice(line, text, notices.read(line, text) or found)


def _failure(line, heard):
    kind = heard.kind
    if len(line.text) != heard.length:
        heard = _Heard(line, plain(errors.bounded(line.text)))
    signature, mark = _signature(heard.low, heard.said)
    if signature is None or mark == "need to kill pod" and subjects.repeats(heard.text) < _ENOUGH_KILLS:
        return None
    if listings.is_listing(heard.text) or not line.prefixed and _is_prose(heard, mark):
        return None
    return _event(line, heard.text, signature, heard.kind or kind, mark)


def _is_prose(heard, mark):
    """Whether a text without a prefix is a sentence about an error: one that is said names what it is of, or begins with it."""
    return not (contains_any(heard.text, _SAYING) or heard.low.lstrip(" \"'`").startswith(mark))


def _signature(low, said):
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
    for word in attempts.CERTAIN:
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
    if "crun" in text or " file `" in text:
        # crun src/libcrun: paths stand in the quotes of GNU.
        return "crun"
    return "runc" if "OCI runtime" in text or "container process" in text else None


def _error(text):
    """The innermost part of a chain of errors, which says most."""
    for mark in ("rpc error: code", "returned error: ", "error=", "err=", "msg="):
        start = text.find(mark)
        if start >= 0:
            text = text[start:]
            break
    return text[-300:] if len(text) > 300 else text
