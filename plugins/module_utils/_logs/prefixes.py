# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What stands in front of a message: time, host, program, in the dozens of forms that logs come in.

split() takes one line apart and never fails: what it does not know stays part of the message.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from . import records, tokens
from .peeling import kernel_text, peel, program

# Longer lines are cut: no kernel or runtime message that means anything is longer.
MAX_LINE = 65536

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
# A reason to look closer: control characters, escapes of syslog daemons, /dev/kmsg and browsers.
_UNCLEAN = re.compile(
    b"[\x00-\x08\x0b-\x1f\x7f\xc2\xa0\xe2\x80\x8b\xef\xbb\xbf&]|#0[0-7]{2}|\\\\x[01]|\\^[\\[MI]".decode("utf-8")
)
_ESCAPED = re.compile(r"#(0[0-3][0-7])|\\x([01][0-9a-fA-F])")
_INVISIBLE = re.compile(b"[\xe2\x80\x8b\xef\xbb\xbf]|\\^M$".decode("utf-8"))
_BLANK = re.compile(b"\xc2\xa0|\\^I".decode("utf-8"))
_PRINTABLE = getattr(type(b"".decode("ascii")), "isprintable", None)
_ENTITIES = (
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", '"'),
    ("&#34;", '"'),
    ("&#39;", "'"),
    ("&nbsp;", " "),
    ("&amp;", "&"),
)
# What the kernel says of a task: the word before it is no tag.
_OF_TASKS = ("page allocation", "vmalloc", "vmap ")
# A syslog line and a kernel stamp of the usual form: nearly all lines are one of these.
_SYSLOG = re.compile(
    r"(?P<stamp>[^\W\d_]{3,5}\.?\s{1,2}\d{1,2}\s\d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)) "
    r"(?P<host>[^\s:\[\]<>(){}=\"'|,;]{1,255}) (?P<tag>[^\s:\[\]<>(){}=\"'|,;]{1,64})(?:\[\d{1,10}\])?: "
    r"(?!" + "|".join(_OF_TASKS) + r")",
    re.UNICODE,
)
_SHORT_UNIX = re.compile(r"\d{10}\.\d{6}(?P<tag> (?P<host>[^\s:]{1,255}) kernel: )")

# The last prefix of a kernel line, and that of a program's: text, stamp, host, tag.
_before = [None, None, None, "kernel"]
_programs = [None, None, None, None]
# What stands behind the time of a kernel line in the journal, and the host in it.
_NO_JOURNAL = ("\n", None)
_journal = list(_NO_JOURNAL)

# How many layers of wrapping are taken off.
_LAYERS = 4
_OPENING, _CLOSING = ("{", "["), ("}", "]", ")")


class Line:
    """One line of a log: the message and what stood in front of it."""

    # What a line does not say is the class's: to set all of it for each line would cost as much as taking the line apart.
    number = offset = stamp = uptime = host = tag = caller = place = cursor = context = part = None
    prefixed = False
    # Whether blanks stood at its end, and of how many broken lines it was made.
    trailing, parts = False, 1

    def __init__(self, text):
        self.text = text
        # How long it was.
        self.width = len(text)

    @property
    def userland(self):
        return self.tag is not None and self.tag != "kernel"


def split(raw):
    """One line of text (no line end) -> Line."""
    # What can be printed and has none of _MARKS is clean. Python 3 tells quickly, with Python 2 the expression has to.
    if (
        not (_PRINTABLE and _PRINTABLE(raw))
        or "&" in raw
        or "#0" in raw
        or "\\x" in raw
        or "^" in raw
        or len(raw) > MAX_LINE
    ):
        raw = _clean(raw[:MAX_LINE])
    return _split(raw, _LAYERS)


def _clean(raw):
    """A line without colours, escapes and what a browser or word processor put in place of characters."""
    if _UNCLEAN.search(raw):
        if "#0" in raw or "\\x0" in raw or "\\x1b" in raw:
            raw = _ESCAPED.sub(_unescaped, raw)
        if "&" in raw:
            for entity, character in _ENTITIES:
                raw = raw.replace(entity, character)
        if "^[" in raw:
            raw = raw.replace("^[", "\x1b")
        raw = _BLANK.sub(" ", _INVISIBLE.sub("", _ESCAPES.sub("", raw)))
    return raw.rstrip("\r\n")


def _unescaped(match):
    octal, hexadecimal = match.groups()
    return chr(int(octal, 8) if octal else int(hexadecimal, 16))


def _split(raw, layers):
    line = Line(raw)
    raw = raw.rstrip()
    line.trailing = len(raw) < line.width
    if _before[0] and raw.startswith(_before[0]):
        # The line before began alike, as those of a report do.
        (line.stamp, line.host, line.tag), line.prefixed = _before[1:], True
        line.text = kernel_text(line, raw[len(_before[0]) :])
        return line
    if raw[10:11] == ".":
        # journalctl as this collection asks it, host after host alike: worth a way of its own.
        if not raw.startswith(_journal[0], 17):
            match = _SHORT_UNIX.match(raw)
            _journal[:] = match.group("tag", "host") if match else _NO_JOURNAL
        if raw.startswith(_journal[0], 17) and raw[:10].isdigit() and raw[11:17].isdigit():
            line.stamp, line.host, line.tag, line.prefixed = raw[:17], _journal[1], "kernel", True
            line.text = kernel_text(line, raw[17 + len(_journal[0]) :])
            return line
    if _programs[0] and raw.startswith(_programs[0]) and not raw.startswith(_OF_TASKS, len(_programs[0])):
        raw, (line.stamp, line.host, line.tag), line.prefixed = raw[len(_programs[0]) :], _programs[1:], True
    else:
        match = _SYSLOG.match(raw)
        if match is not None and match.group("tag") not in tokens.NO_PROGRAM:
            line.stamp, line.host, tag = match.groups()
            line.tag, line.prefixed = program(tag), True
            (_before if tag == "kernel" else _programs)[:] = raw[: match.end()], line.stamp, line.host, line.tag
            raw = raw[match.end() :]
    rest = raw if raw[:2] == '{"' else peel(line, raw)
    if layers and rest[-1:] in _CLOSING and rest.lstrip()[:1] in _OPENING:
        record = records.unwrap(rest)
        if record is not None:
            return _unwrapped(line, record, rest, layers)
    line.text = rest
    return line


def _unwrapped(outer, record, text, layers):
    """The Line of a record's message, with what the record and the line around it know besides."""
    if record.message is None:
        line = outer
        line.text = text
    else:
        message = _clean(record.message[:MAX_LINE])
        line = _split(message, layers - 1)
        line.part = record.part
    line.prefixed = line.prefixed or record.whole or record.tag == "kernel" or outer.tag == "kernel"
    line.host = line.host or record.host or outer.host
    line.tag = line.tag or record.tag or (outer.tag if outer.tag == "kernel" else None)
    line.cursor = line.cursor or record.cursor
    line.stamp = record.stamp if record.whole and record.stamp else line.stamp or record.stamp or outer.stamp
    return line
