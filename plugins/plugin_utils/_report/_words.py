# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Numbers and states in words, the same in every output of the report."""

from __future__ import annotations

import datetime
import functools
import json
import re
import shlex
import typing as t
from collections.abc import Iterable, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._shapes import MOST

# Index into this tuple is how the report keeps a state; "?" is any other word.
STATES = ("ok", "needs_reclaim", "needs_compaction", "exhausted")
DIGITS = {state: str(index) for index, state in enumerate(STATES)}
_STATE_WORDS = ("can be had at once", "need reclaim first", "need compaction first", "cannot be had")
_STATE_WORDS_ONE = ("can be had at once", "needs reclaim first", "needs compaction first", "cannot be had")

# What broke, by the cause of an incident (contract of memfrag_journal_info), for a reader in a hurry.
CAUSES = {
    "fragmentation": "Memory is fragmented",
    "memory_shortage": "Memory is short",
    "atomic_burst": "A burst of atomic requests drained the reserves",
    "memcg_limit": "A container hit its own memory limit",
    "memcg_leak": "Memory cgroups leak",
    "vmalloc_exhaustion": "The vmalloc area is full",
    "disk_full": "A disk is full",
    "immutable_file": "A file is immutable",
    "mount_busy": "A mount is busy",
    "pid_limit": "Process ids ran out",
    "network_plugin": "The network plugin failed",
    "runtime_hang": "The container runtime hangs",
    "runtime_state_mismatch": "The container runtime lost track of a container",
    "image": "An image cannot be used",
    "invalid_request": "The kernel was asked for what no memory could serve",
    "unknown": "Something failed, and its cause is not known",
}

# What nobody sees, or what makes text read otherwise: control characters, those without a width (category Cf), those that
# turn the direction round, halves of characters, and what Unicode has to be ignored where it cannot be drawn (Default_Ignorable_Code_Point:
# fillers, variation selectors, tags) or draws as nothing. Names with them are names all the same, so they are shown, not dropped.
_UNSEEN = (
    "\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROL = re.compile(f"[\x00-\x1f\x7f-\x9f{_UNSEEN}\ud800-\udfff]")
_INVISIBLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_UNSEEN}]")
# What stands for a character in JSON of ASCII alone; an even number of backslashes before it are none of its own.
_ESCAPED_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u(d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|[0-9a-f]{4})|([bf]))")


def printable(value: t.Any) -> str:
    """One line that a terminal prints as it stands."""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value  # nearly all
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", str(value))


def visible(value: t.Any) -> str:
    """Text for the page: what nobody would see is shown as in U+202E."""
    return _INVISIBLE.sub(lambda match: f"U+{ord(match.group()):04X}", str(value))


def visible_json(text: str) -> str:
    """The same for all strings of a JSON text."""
    if "\\u" not in text and "\\b" not in text and "\\f" not in text:
        return text
    return _ESCAPED_JSON.sub(_shown_escape, text)


def _shown_escape(match: re.Match[str]) -> str:
    before, code, letter = match.groups()
    if letter:
        return f"{before}U+00{'08' if letter == 'b' else '0C'}"
    character = json.loads(chr(34) + chr(92) + "u" + code + chr(34))
    return f"{before}U+{ord(character):04X}" if _INVISIBLE.match(character) else match.group()


def shell_word(name: str) -> str:
    """A name as one word of a command for bash, in characters that everybody sees."""
    if not _CONTROL.search(name):
        return shlex.quote(name)
    return "$'" + _CONTROL.sub(_shell_escape, name.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def _shell_escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def text(value: t.Any, longest: int = 2000) -> str:
    """Any value of a record as text of bounded length."""
    words = "" if value is None else str(value)
    return words if len(words) <= longest else words[: longest - 1] + "…"


def number(value: t.Any) -> int | None:
    """Any value of a record as a count of something; None for what is none. Not all of a record has been held to its contract."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST:
        return None
    return int(value)


def size(kilobytes: float) -> str:
    """12 kB, 3.4 MB, 128 GB: two digits at least, three at most."""
    units = ["kB", "MB", "GB", "TB"]
    while kilobytes >= 1000 and len(units) > 1:
        kilobytes /= 1024
        del units[0]
    unit = units[0]
    return f"{kilobytes:.1f} {unit}" if kilobytes < 10 and kilobytes != int(kilobytes) else f"{kilobytes:.0f} {unit}"


def quantity(value: int, unit: str) -> str:
    """A measurement with its unit; one of kB in the unit that people read."""
    return size(value) if unit == "kB" else f"{value:,}{' %' if unit == '%' else ''}"


def block_size(order: int, page_size: int) -> str:
    return size((page_size << order) / 1024)


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def listing(names: Sequence[str], most: int = 10) -> str:
    """a, b and c; or a, b, c and 7 more."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


_FRACTION = re.compile(r"\.[0-9]+")


def parse_time(value: t.Any) -> datetime.datetime | None:
    """An ISO-8601 time of a record, in UTC."""
    if not isinstance(value, str):
        return None
    try:
        # Python 3.10 knows neither "Z" nor fractions of other than 3 or 6 digits.
        value = value.replace("Z", "+00:00")
        parsed = datetime.datetime.fromisoformat(_FRACTION.sub("", value) if "." in value else value)
        if parsed.tzinfo is datetime.timezone.utc:
            return parsed  # nearly all
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=datetime.timezone.utc)
        return parsed.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):
        return None


_KILOBYTES = re.compile(r"(?<![\w.])(?:([0-9]{1,15}) of )?([0-9]{4,15}) kB\b")


def in_units(words: str) -> str:
    """1.5 GB for 1568000 kB, and for one so many kB of another, in sentences of the assessment."""
    return _KILOBYTES.sub(lambda match: " of ".join(size(int(part)) for part in match.groups() if part), words)


@functools.lru_cache(maxsize=256)  # most nodes of a fleet are said to be the same
def sentence(words: str) -> str:
    """The library's summaries begin with a small letter and end without a full stop, to be put together with others."""
    words = in_units(words[:1].upper() + words[1:])
    return words if not words or words[-1] in ".!?" else words + "."


def format_time(value: datetime.datetime) -> str:
    """21 Nov 2026, 02:49 UTC, whatever the locale."""
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[value.month - 1]
    return f"{value.day} {month} {value.year}, {value:%H:%M} UTC"


def graded(states: str, page_size: int, needed_by: Sequence[Sequence[str]]) -> str:
    """A node's graded answer: "Orders 0 to 4 (64 kB) can be had at once, 5 to 10 need compaction first."

    states: one digit per order, an index into STATES.
    """
    parts: list[str] = []
    first = 0
    for order in range(1, len(states) + 1):
        if order < len(states) and states[order] == states[first]:
            continue
        last = order - 1
        state = int(states[first]) if states[first] != "?" else -1
        words = "are unknown" if state < 0 else _STATE_WORDS[state] if last > first else _STATE_WORDS_ONE[state]
        orders = f"{first} to {last}" if last > first + 1 else f"{first} and {last}" if last > first else str(last)
        parts.append(f"{orders} ({block_size(last, page_size)}) {words}" if not parts else f"{orders} {words}")
        first = order
    if not parts:
        return "No answer per order."
    if len(parts) == 1 and states[0] == "0":
        return f"Every order up to {len(states) - 1} ({block_size(len(states) - 1, page_size)}) can be had at once."
    sentence = ("Orders " if len(states) > 1 and states[0] == states[1] else "Order ") + ", ".join(parts) + "."
    for order, digit in enumerate(states):
        if digit != "0" and order < len(needed_by) and needed_by[order]:
            return f"{sentence} Order {order} ({block_size(order, page_size)}) is for {needed_by[order][0]}."
    return sentence


_NUMBERS = re.compile(r"([0-9]{1,18})")


@functools.lru_cache(maxsize=64)  # a node is ranked several times in a row
def natural(name: str) -> tuple[t.Any, ...]:
    """node2 before node10."""
    # Words and numbers by turns, so that like is compared with like; no word at all stands before any.
    parts: list[t.Any] = _NUMBERS.split(name.lower())
    parts[1::2] = map(int, parts[1::2])
    return tuple(parts)


def join(parts: Iterable[str]) -> str:
    return " · ".join(part for part in parts if part)
