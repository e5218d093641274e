# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What stands in front of a message: time, host, program, in the dozens of forms that logs come in.

split() takes one line apart and never fails: what it does not know stays part of the message.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import re


class Lazy:
    """A regular expression that is compiled when it is first used: most of them never are on a healthy node."""

    def __init__(self, pattern, flags=0):
        self._made_of = (pattern, flags)

    def __getattr__(self, name):
        compiled = re.compile(*self._made_of)
        for method in ("search", "match", "findall", "sub"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def has(text, literals):
    """Whether the text contains one of the literals. Asked of every line: a generator would cost more than the search."""
    for literal in literals:  # noqa: SIM110
        if literal in text:
            return True
    return False


# Longer lines are cut: no kernel or runtime message that means anything is longer.
MAX_LINE = 65536

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
# Control characters of both ranges, line and paragraph separators. As bytes: a formatter takes away the u of a literal.
_CONTROL = re.compile(b"[\x00-\x08\x0a-\x1f\x7f\xc2\x80-\xc2\x9f\xe2\x80\xa8\xe2\x80\xa9]".decode("utf-8"))
_QUOTE = re.compile(r"\s?(?:>\s?)+")

_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?"
# rsyslog, syslog-ng and all short formats of journalctl. Month names follow the locale of whoever ran journalctl.
_SYSLOG = re.compile(
    r"(?:<\d+>)?(?P<stamp>[^\W\d_]{3,5}\.?\s{1,2}\d{1,2}\s(?:\d{4}\s)?\d\d:\d\d:\d\d(?:\.\d+)?"
    r"|(?:[^\W\d_]{2,4}\.?\s)?" + _ISO + r"(?:\s[A-Z]{3,5}(?=\s))?|\d{9,10}\.\d{3,6}|\d\d:\d\d:\d\d(?:\.\d+)?)"
    r"(?:\s+(?P<host>[^\s:\[\]<>(){}=\"]+))?\s+(?P<tag>[^\s:\[\]<>(){}=\"]+)(?:\[(?P<pid>\d+)\])?:(?:\s|$)",
    re.UNICODE,
)
_SHORT_UNIX = re.compile(r"\d{10}\.\d{6} [^\s:]+ kernel: ")
_STAMP_ONLY = re.compile(r"(?:<\d+>)?(?P<stamp>" + _ISO + r"|[A-Z][a-z]{2}\s{1,2}\d{1,2}\s\d\d:\d\d:\d\d(?:\.\d+)?)\s")
_RFC5424 = re.compile(
    r"<\d{1,3}>1 (?P<stamp>\S+) (?P<host>\S+) (?P<tag>\S+) (?P<pid>\S+) \S+ (?:-|(?:\[(?:[^\]\"]|\"[^\"]*\")*\])+) ?"
)
# Container logs as the kubelet keeps them: time, stream, partial or full, message.
_CRI = re.compile(r"(?P<stamp>\d{4}-\d\d-\d\dT\S+) (?:stdout|stderr) [FP] ")
# dmesg: seconds, -T, --time-format=iso, -H; with -x the facility before, with CONFIG_PRINTK_CALLER the caller behind.
_SECONDS = re.compile(
    r"(?:<\d+>|\w+ *:\w+ *: )?\[\s*(?P<uptime>\d+\.\d+)(?:\s<[^>]*>)?\](?:\s?\[\s*(?P<caller>[TC]\d+)\])?(?:\s|$)"
)
_CTIME = re.compile(
    r"(?:<\d+>|\w+ *:\w+ *: )?\[(?P<stamp>(?:[^\W\d_]{2,4}\.?\s)?[^\W\d_]{3,5}\.?\s+\d{1,2}\s\d\d:\d\d(?::\d\d)?(?:\s\d{4})?)\]"
    r"(?:\s?\[\s*(?P<caller>[TC]\d+)\])?(?:\s|$)",
    re.UNICODE,
)
_DMESG_ISO = re.compile(
    r"(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d+[+-]\d\d:?\d\d)(?:\s?\[\s*(?P<caller>[TC]\d+)\])?\s"
)
_KERNEL = re.compile(r"\s*(?:[\w.-]+ )?kernel: ?")
_FOREIGN = re.compile(r"[^\[]{1,80}?\[\s*(?P<uptime>\d{1,9}\.\d{6})\](?:\s?\[\s*(?P<caller>[TC]\d+)\])?\s")

# The last prefix of a kernel line: text, stamp, host.
_before = [None, None, None]

_PROGRAMS = frozenset("kernel kubelet dockerd docker containerd crio cri-o runc podman systemd nomad k3s rke2".split())


class Line:
    """One line of a log: the message and what stood in front of it."""

    __slots__ = ("text", "number", "stamp", "uptime", "host", "tag", "caller", "place", "cursor", "prefixed", "context")

    def __init__(self, text):
        self.text = text
        self.number = self.stamp = self.uptime = self.host = self.tag = self.caller = self.place = self.cursor = (
            self.context
        ) = None
        self.prefixed = False

    @property
    def userland(self):
        return self.tag is not None and self.tag != "kernel"


def split(raw):
    """One line of text (no line end) -> Line."""
    if "\x1b" in raw or "\x00" in raw:
        raw = _ESCAPES.sub("", raw)
    raw = raw[:MAX_LINE].rstrip()
    first = raw[:1]
    if first == "{" and '"' in raw[:40]:
        line = _from_json(raw)
        if line is not None:
            return line
    if first in "> " and ">" in raw[:3]:
        match = _QUOTE.match(raw)
        raw = raw[match.end() :] if match else raw
    line = Line(raw)
    rest = raw
    if rest[:1].isspace():
        stripped = rest.lstrip()
        if stripped[:1] in "[<" or stripped[:7] == "kernel:" or stripped[:1].isalnum() and _SYSLOG.match(stripped):
            rest = stripped
    match = None
    if _before[0] and rest.startswith(_before[0]):
        # The line before began alike, as those of a report do.
        line.stamp, line.host, line.tag, line.prefixed = _before[1], _before[2], "kernel", True
        rest = rest[len(_before[0]) :]
    elif rest[10:11] == "." and " kernel: " in rest[:300] and _SHORT_UNIX.match(rest):
        # journalctl as this collection asks it: worth a way of its own.
        line.stamp, line.host, _tag, rest = rest.split(" ", 3)
        line.tag, line.prefixed = "kernel", True
    elif rest[:1].isalnum() or rest[:1] == "<":
        match = _SYSLOG.match(rest) or _RFC5424.match(rest) or _CRI.match(rest)
        if match is not None:
            found = match.groupdict()
            tag = found.get("tag")
            if tag is None or found.get("host") or found.get("pid") or tag in _PROGRAMS:
                line.stamp, line.host, line.prefixed = found["stamp"], found.get("host"), True
                if tag is not None:
                    line.tag = tag.rsplit("/", 1)[-1]
                if tag == "kernel":
                    _before[:] = rest[: match.end()], line.stamp, line.host
                rest = rest[match.end() :]
            else:
                match = None
        if match is None:
            match = _DMESG_ISO.match(rest) or _STAMP_ONLY.match(rest)
            if match is not None:
                line.stamp, line.prefixed = match.group("stamp"), True
                line.caller = match.groupdict().get("caller")
                rest = rest[match.end() :]
    if line.tag is None or line.tag == "kernel":
        stripped = rest.lstrip()
        match = _SECONDS.match(stripped) if stripped[:1] in ("[", "<", "k") else None
        if match is None and line.stamp is None:
            match = _CTIME.match(rest) if rest[:1] in "[<k" else None
            if match is not None:
                line.stamp = match.group("stamp")
            elif "] " in rest[:120]:
                match = _FOREIGN.match(rest)
            if match is not None:
                line.uptime = match.groupdict().get("uptime")
        elif match is not None:
            rest = stripped
            line.uptime = match.group("uptime")
        if match is not None:
            line.caller, line.prefixed = match.group("caller"), True
            rest = rest[match.end() :]
        # journalctl -o short-monotonic, and what is left when people cut the columns before.
        if line.tag is None and "kernel:" in rest[:80]:
            match = _KERNEL.match(rest)
            if match is not None:
                line.tag, line.prefixed = "kernel", True
                rest = rest[match.end() :]
    if "#0" in rest:
        rest = rest.replace("#012", "\n").replace("#011", "\t")
    line.text = rest
    return line


def _from_json(raw):
    """journalctl -o json, docker's json-file logs."""
    try:
        entry = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    message = entry.get("MESSAGE", entry.get("log"))
    if isinstance(message, list):
        # journalctl prints what is not UTF-8 as a list of bytes.
        message = bytearray(byte for byte in message if isinstance(byte, int) and 0 <= byte < 256).decode(
            "utf-8", "replace"
        )
    if not hasattr(message, "splitlines"):
        return None
    inner = split(message[:MAX_LINE].rstrip("\n")) if not message.startswith("{") else Line(message)
    inner.prefixed = True
    inner.host = inner.host or _word(entry.get("_HOSTNAME"))
    inner.tag = inner.tag or _word(entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM"))
    inner.cursor = _word(entry.get("__CURSOR"))
    stamp = _word(entry.get("__REALTIME_TIMESTAMP"))
    if stamp and stamp.isdigit():
        inner.stamp = "%d.%06d" % divmod(int(stamp), 1000000)
    else:
        inner.stamp = inner.stamp or _word(entry.get("time"))
    return inner


def _word(value):
    return value[:256] if hasattr(value, "splitlines") else None


def harmless(text):
    """Text of a log without what a terminal or a line-based format would act on."""
    return _CONTROL.sub(" ", _ESCAPES.sub("", text)) if _CONTROL.search(text) else text
