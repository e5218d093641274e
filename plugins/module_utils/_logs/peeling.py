# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Taking known tokens off the front of a line, in any order, until nothing is left to take.

Each taker gets a Line and what is left of its text; it notes in the Line what its token says and returns what is left then, or None
when the text does not begin with such a token.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import tokens

# More than so many tokens stand before no message.
MAX_TOKENS = 24


def peel(line, text):
    """Takes known tokens off the text, and notes in the Line what they said. -> the message"""
    for _count in range(MAX_TOKENS):
        if line.tag is not None and line.tag != "kernel" and line.tag not in tokens.RELAYS:
            return text
        stripped = text.lstrip() if text[:1].isspace() else text
        if line.tag == "kernel" and _said(stripped):
            return text
        for take in _TAKERS.get(stripped[:1], _OTHERS):
            rest = take(line, stripped)
            if rest is not None:
                break
        else:
            take, rest = _foreign, _foreign(line, stripped)
            if rest is None:
                return text
        line.prefixed = line.prefixed or take not in _TRANSPORT and not (take is _time and line.part is not None)
        text = rest
    return text


def kernel_text(line, text):
    """peel() of what stands behind the kernel's tag. Nearly always that is the message, or one stamp before it: no expression is needed."""
    if _said(text.lstrip() if text[:1].isspace() else text):
        return text
    if text[:1] == "[" and line.uptime is None:
        end = text.find("] ", 2, 28)
        uptime, rest = text[1:end].lstrip() if end > 0 else "", text[end + 2 :]
        if (
            uptime[-7:-6] == "."
            and _DIGITS.issuperset(uptime)
            and uptime.count(".") == 1
            and (rest[:1] not in _VENDORS or tokens.CPU.match(rest) is None)
            and _said(rest.lstrip() if rest[:1] == " " else rest)
        ):
            line.uptime = uptime
            return rest
    return peel(line, text)


def _said(text):
    """Whether the text behind the kernel's tag is surely its own: cheap, as it is asked of each of its lines."""
    first = text[:1]
    if first.isalpha() or first == "_":
        return "KERNEL" not in text[:40] and not _tagged(text[:100])
    if first.isdigit():
        return "," not in text[:6] and ":" not in text[:40]
    if first == "<":
        # <IRQ>, </TASK>, and no level.
        return not text[1:2].isdigit() and not _tagged(text[:200])
    if first != "[":
        return False
    if text[1:2] == "<":
        return text[2:3] not in (" ", "0")
    # The tasks of an OOM report, and their heading: neither has a time.
    inside = text[1 : text.find("]", 1, 16)].strip()
    return (inside == "pid" or inside.isdigit()) and ": [" not in text and not _tagged(text[:200])


def _tagged(head):
    """Whether there may be a tag of the kernel, and not only a name such as kernel_misc_reclaimable."""
    return "kernel" in head and "kernel" in head.replace("kernel_", "")


def _stamped(line, match, text):
    if line.stamp is None or tokens.CLOCK_ONLY.match(line.stamp) and not tokens.CLOCK_ONLY.match(match.group("stamp")):
        line.stamp = match.group("stamp")
    return text[match.end() :]


def _time(line, text):
    match = tokens.STAMP.match(text)
    if match is None:
        return None
    rest = _stamped(line, match, text)
    part = tokens.CRI.match(rest)
    if part:
        line.part = part.group("part") == "P"
        return rest[part.end() :]
    if rest[:1] in "|,;":
        rest = rest[1:]
    tagged = tokens.TAG.match(rest) if line.tag is None else None
    if tagged:
        host, tag, pid = tagged.group("host", "tag", "pid")
        known = tag in tokens.PROGRAMS or tag in tokens.RELAYS or tag in tokens.KERNELS
        if (
            tag not in tokens.NO_PROGRAM
            and (host or pid or known)
            and not (host and tokens.WORD_OF_LEVEL.match(host) and not known)
        ):
            line.tag = program(tag)
            line.host = line.host or (None if host and tokens.WORD_OF_LEVEL.match(host) else host)
            return rest[tagged.end() + 1 :]
    return rest[1:] if rest[:1].isspace() else rest


def program(tag):
    tag = tag.rsplit("/", 1)[-1]
    return "kernel" if tag in tokens.KERNELS else tag


def _bracketed(line, text):
    match = tokens.BRACKETED.match(text)
    if match is None:
        return None
    rest = _stamped(line, match, text)
    caller = tokens.CALLER.match(rest.lstrip())
    if caller is None and rest[:1] not in (" ", "\t", "", "<", "["):
        return None
    return rest[1:] if rest[:1] == " " else rest


def _uptime(line, text):
    match = tokens.UPTIME.match(text)
    if match is not None:
        line.uptime = line.uptime or match.group("uptime")
    else:
        match = tokens.RELATIVE.match(text)
        if match is None:
            return None
        line.tag = line.tag or "kernel"
    line.caller = line.caller or match.group("caller")
    rest = text[match.end() :]
    rest = rest[1:] if rest[:1] == " " else rest
    behind = rest.lstrip()
    vendor = tokens.CPU.match(behind) if behind[:1] in _VENDORS else None
    while vendor:
        rest = behind = behind[vendor.end() :].lstrip()
        vendor = tokens.CPU.match(behind)
    if line.tag is None and "]: " in rest[:100]:
        # journalctl -o short-monotonic, and what systemd writes to the kernel's log.
        told = tokens.PROGRAM.match(rest)
        if told:
            line.tag, line.host = told.group("tag"), line.host or told.group("host")
            return rest[told.end() :]
    return rest


def _lxc(line, text):
    """LXC's log, in which times are UTC (lxc_unix_epoch_to_utc())."""
    match = tokens.LXC.match(text)
    if match is None:
        return None
    date, clock = match.group("date", "clock")
    line.stamp = line.stamp or "%s-%s-%sT%s:%s:%sZ" % (date[:4], date[4:6], date[6:], clock[:2], clock[2:4], clock[4:])
    line.tag = line.tag or match.group("tag")
    return text[match.start("level") :]


def _cut_uptime(line, text):
    match = None if line.prefixed else tokens.CUT_UPTIME.match(text)
    if match is None:
        return None
    line.caller = match.group("caller")
    return text[match.end() :].lstrip(" ")


def _task(line, text):
    """What a vendor's kernel says of the task, where dmesg -t or a viewer took the stamp off."""
    match = tokens.TASK.match(text)
    return text[match.end() :] if match else None


def _code(line, text):
    """A line that was quoted as code; what is left of it has its own tokens."""
    if line.prefixed:
        return None
    text = text.lstrip("`").rstrip("` ")
    return text if "`" not in text and (text[:1].isalnum() or text[:1] in "[<") else None


def _caller(line, text):
    match = tokens.CALLER.match(text)
    if match is None or line.caller is not None:
        return None
    line.caller = match.group("caller")
    return text[match.end() :].lstrip(" ")


def _kmsg(line, text):
    match = tokens.KMSG.match(text)
    if match is None:
        return None
    level, usec, more = match.group("level", "usec", "more")
    caller = tokens.KMSG_CALLER.search(more)
    line.caller = line.caller or (caller and caller.group(1))
    line.uptime = line.uptime or "%d.%06d" % divmod(int(usec), 1000000)
    if int(level) < 8:
        line.tag = line.tag or "kernel"
    return text[match.end() :]


def _level(line, text):
    match = tokens.LEVEL.match(text)
    if match is None:
        return None
    line.host = line.host or match.group("host")
    return text[match.end() :]


def _rfc5424(line, text):
    match = tokens.RFC5424.match(text)
    if match is None or line.stamp is not None:
        return None
    line.stamp, line.host, line.tag = match.group("stamp", "host", "tag")
    line.host, line.tag = (None if word == "-" else word for word in (line.host, line.tag))
    return text[match.end() :]


def _kernel(line, text):
    match = tokens.KERNEL.match(text)
    if match is None:
        return None
    line.tag = "kernel"
    return text[match.end() :]


def _colon(line, text):
    """The second half of "kernel: : "."""
    return text[2:] if line.tag == "kernel" and text[:2] == ": " else None


def _labels(line, text):
    match = tokens.LABELS.match(text)
    if match is None:
        return None
    host = tokens.LABEL_HOST.search(match.group())
    line.host = line.host or (host and host.group(1))
    return text[match.end() :]


def _quote(line, text):
    match = tokens.QUOTE.match(text)
    if match is None:
        return None
    if text[:1] == "|":
        text = text.rstrip(" |")
    return text[match.end() :]


def _number(line, text):
    match = None if line.prefixed else tokens.NUMBER.match(text) or tokens.FILE.match(text)
    return text[match.end() :] if match else None


def _record(line, text):
    match = tokens.RECORD.match(text)
    if match is None or text[-1:] not in ("}", "]", ")"):
        return None
    line.stamp = line.stamp or match.group("stamp")
    if (match.group("tag") or "").split(".")[0] in ("kern", "kernel"):
        line.tag = "kernel"
    return text[match.end() :]


def _field(line, text):
    """The message's line of a record that has a line for each field; the other lines are kept as they are."""
    match = tokens.FIELD.match(text)
    if match is None or line.prefixed or match.group("name") not in tokens.MESSAGE_FIELDS:
        return None
    if match.group("value") != '"':
        return text[match.end() :] if match.group("is") == "=" and match.group("name") == "MESSAGE" else None
    rest = text[match.end() :].rstrip(" ,")
    if text[match.start("name") - 1 : match.start("name")] != '"' or rest[-1:] != '"':
        return None
    return rest[:-1].replace('\\"', '"').replace("\\t", "\t").replace("\\n", "\n")


def _string(line, text):
    """A line of a list of strings, as JSON and YAML print one."""
    rest = (text[2:] if text[:3] == '- "' else text).rstrip(" ,")
    if line.prefixed or len(rest) < 3 or rest[:1] != '"' or rest[-1:] != '"' or '"' in rest[1:-1].replace('\\"', ""):
        return None
    return rest[1:-1].replace('\\"', '"').replace("\\t", "\t").replace("\\n", "\n")


def _foreign(line, text):
    """Whatever stands before a stamp or the tag of the kernel that is not known: consoles, test drivers, shippers without a name."""
    if text[:1] == "{" or text[:2] in _LITERALS:
        return None
    head = text[:200].lower() if line.tag is None else text[:100]
    if "kernel" in head and ":" in head:
        match = tokens.WORDS.match(text)
        if match is not None and match.group("words"):
            rest = _before_kernel(line, match, text)
            if rest is not None:
                return rest
    if line.tag is None and line.uptime is None and "] " in text[:140]:
        match = tokens.FOREIGN.match(text)
        if match is not None:
            stamp = None if line.stamp else _stamp_within(match.group())
            line.stamp = stamp.group("stamp") if stamp else line.stamp
            return text[match.end() :]
    return None


def _stamp_within(words):
    """A time anywhere in a few words."""
    for position in range(len(words)):
        if position == 0 or words[position - 1] in " \t[(<":
            match = tokens.STAMP.match(words, position)
            if match is not None:
                return match
    return None


def _before_kernel(line, match, text):
    words = match.group("words")
    known = line.stamp is not None or line.uptime is not None or line.tag is not None
    stamp = None if line.stamp else _stamp_within(words)
    if not known and stamp is None and words.count(" ") > 1:
        return None
    if stamp:
        line.stamp = stamp.group("stamp")
        words = words[stamp.end() :]
    for word in reversed(words.split()):
        word = word.strip("[]()<>,|\"'")
        if word.startswith(("host=", "hostname=")):
            word = word.split("=", 1)[1].strip('"')
        if line.host is None and word and "=" not in word and not tokens.WORD_OF_LEVEL.match(word.rstrip(":")):
            line.host = word.rstrip(":")
    return text[match.end() :]


# Tried in this order, by the first character of what is left.
_OTHERS = (_time, _kernel, _number, _field, _record, _level)
_TAKERS = {
    "[": (_uptime, _bracketed, _caller, _record, _task),
    "(": (_bracketed,),
    "<": (_rfc5424, _level),
    ">": (_quote,),
    "|": (_quote,),
    "{": (_labels,),
    '"': (_field, _string),
    "-": (_string,),
    "`": (_code,),
    "l": (_lxc,) + _OTHERS,
    ".": (_cut_uptime,),
    ":": (_colon,),
    "": (),
}
for _digit in "0123456789":
    _TAKERS[_digit] = (_kmsg, _number, _cut_uptime, _time, _rfc5424, _level)
for _letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
    _TAKERS[_letter] = (_time, _kernel, _quote, _number, _field, _record)
_TAKERS["I"] += (_task,)
_VENDORS = frozenset("cC-([<I")
_DIGITS = frozenset("0123456789.")
# How lists of strings and literals of Python begin.
_LITERALS = ('["', 'b"', "b'")
# What says nothing of where a message begins.
_TRANSPORT = frozenset((_quote, _number, _field, _string, _labels, _code))
