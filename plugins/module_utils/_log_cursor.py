# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a log has got since it was last looked at, whatever has become of the file in between.

A place in a file is its inode and an offset. A log that was rotated is read to its end under its new name, and then its successor; one
that was cut back begins anew. Nothing is loaded to read lines: "pieces" are bytes, and most have none of GATES.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import zlib

from ._logs.gates import KERNEL_GATES, NOTICE_GATES, RUNTIME_GATES
from ._node import NodeError
from ._options import TEXT_TYPES

GATES = KERNEL_GATES + RUNTIME_GATES + NOTICE_GATES

# One log alone, or what is in two of them would count twice: the one of EL and SUSE, that of Debian, what has the kernel's part alone.
LOGS = ("/var/log/messages", "/var/log/syslog", "/var/log/kern.log")
# One that nobody has written to for so long is a leftover.
_LEFTOVER_SECONDS = 2 * 86400
# So much is read at once; what is beyond it is a gap.
MAX_NEW = 32 * 1024 * 1024
# A report that begins so close to the end of a log that is being written may not be whole yet. The next run is a minute later.
_UNFINISHED_BYTES, _UNFINISHED_SECONDS = 65536, 30
# By this much of its beginning a file is known again.
_HEAD = 256
# journalctl costs as much as all the rest of a run, so that it is asked less often, and leaves what is being written alone.
JOURNAL_SECONDS = 300
_JOURNAL_LAG = 5


# Of a place in a file, beside its path.
_PLACE = ("inode", "offset", "seen", "head_size", "head")


class Piece:
    """Bytes of a log, whole lines. kind "file" or "journal"."""

    def __init__(self, name, kind, data):
        self.name, self.kind, self.data = name, kind, data

    def says_something(self):
        return _first_hit(self.data) >= 0


class Reading:
    """pieces; place: what the next run begins with; gaps: parts that were gone; error: why the log could not be read, or None."""

    def __init__(self, place):
        self.place, self.pieces, self.gaps, self.error = place, [], 0, None


def known(place):
    """A place as read_new() makes it, {} for anything else: then the log is read from its end on."""
    if not isinstance(place, dict):
        return {}
    of_file = place.get("path") in LOGS and all(_is_count(place.get(name)) for name in _PLACE)
    of_journal = isinstance(place.get("cursor"), TEXT_TYPES) and _is_count(place.get("at"))
    return place if of_file and place["head_size"] <= _HEAD or of_journal else {}


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def read_new(node, place, now):
    """-> Reading. The first time, with an empty place, it is at the end of the log: what is in it already counts no more."""
    reading = Reading(dict(place))
    path = _log_of(node, now)
    try:
        if path:
            _read_files(node, path, place if place.get("path") == path else {}, now, reading)
        elif node.root == "/":
            _read_journal(node, place if "cursor" in place else {}, now, reading)
        else:
            reading.error = "no log: none of %s was written to lately" % ", ".join(LOGS)
    except NodeError as error:
        reading.error = str(error)
    return reading


def _log_of(node, now):
    for path in LOGS:
        try:
            status = node.stat(path)
        except NodeError:
            continue
        if status.st_mode & 0o170000 == 0o100000 and now - status.st_mtime < _LEFTOVER_SECONDS:
            return path
    return None


# --- files --------------------------------------------------------------------------------------------------------


def _read_files(node, path, place, now, reading):
    status = node.stat(path)
    if not place:
        reading.place = _place(node, path, status, _line_end(node, path, status.st_size), status.st_size)
        return
    start, seen = place["offset"], place["seen"]
    if status.st_ino != place["inode"] or _head(node, path, place["head_size"]) != place["head"]:
        old = _rotated(node, path, place)
        if old is None:
            reading.gaps += 1
        else:
            # Nobody writes to it any more: all of it is whole.
            _take(node, old, start, node.stat(old).st_size, reading)
        start = seen = 0
    elif status.st_size < start:
        reading.gaps += 1
        start = seen = 0
    end = _line_end(node, path, status.st_size)
    if now - status.st_mtime < _UNFINISHED_SECONDS:
        end = _finished(node, path, max(start, seen, end - _UNFINISHED_BYTES), end)
    _take(node, path, start, end, reading)
    reading.place = _place(node, path, status, max(start, end), status.st_size)


def _place(node, path, status, offset, seen):
    size = min(_HEAD, offset)
    return {
        "path": path,
        "inode": status.st_ino,
        "offset": offset,
        "seen": seen,
        "head_size": size,
        "head": _head(node, path, size),
    }


def _head(node, path, size):
    return zlib.crc32(_bytes(node, path, 0, size)) & 0xFFFFFFFF


def _rotated(node, path, place):
    """-> where the file is now, None where it is gone or compressed."""
    for other in node.glob(path + "?*"):
        try:
            if node.stat(other).st_ino == place["inode"] and _head(node, other, place["head_size"]) == place["head"]:
                return other
        except NodeError:
            continue
    return None


def _take(node, path, start, end, reading):
    if end - start > MAX_NEW:
        reading.gaps += 1
        start = end - MAX_NEW
    if end > start:
        reading.pieces.append(Piece(path, "file", _bytes(node, path, start, end - start)))


def _bytes(node, path, offset, length):
    with contextlib.closing(node.open_binary(path)) as stream:
        try:
            stream.seek(offset)
            return stream.read(length)
        except (IOError, OSError) as error:
            raise NodeError(path, error.strerror or str(error), error.errno)


def _line_end(node, path, size):
    """The end of the last whole line."""
    start = max(0, size - _UNFINISHED_BYTES)
    end = _bytes(node, path, start, size - start).rfind(b"\n")
    # A line of that length is cut: no message is.
    return start + end + 1 if end >= 0 else size if start else 0


def _finished(node, path, start, end):
    """Where the first report begins that came after ``start`` and may go on; ``end`` where there is none."""
    data = _bytes(node, path, start, max(0, end - start))
    hit = _first_hit(data)
    return end if hit < 0 else start + data.rfind(b"\n", 0, hit) + 1


def _first_hit(data):
    found = [at for at in map(data.find, GATES) if at >= 0]
    return min(found) if found else -1


# --- the journal --------------------------------------------------------------------------------------------------


def _read_journal(node, place, now, reading):
    if place and 0 <= now - place["at"] < JOURNAL_SECONDS:
        return
    from ._logs import locations, readers, streams

    arguments = readers.journal_arguments(node, None, None, None)
    if arguments is None:
        reading.error = "no log: neither a journal nor any of %s" % ", ".join(LOGS)
        return
    arguments += ["--show-cursor"]
    if place:
        arguments += ["--after-cursor=" + place["cursor"], "--until=@%d" % (now - _JOURNAL_LAG)]
        arguments += ["_TRANSPORT=kernel", "+"] + ["_SYSTEMD_UNIT=" + unit for unit in locations.UNITS]
    else:
        arguments += ["--lines=1"]
    data = b"".join(streams.command(node, arguments, "journalctl"))
    lines, mark, cursor = data.rpartition(b"-- cursor: ")
    if not mark:
        lines, cursor = data, b""
    cursor = cursor.strip().decode("ascii", "replace") or place.get("cursor")
    if cursor is None:
        reading.error = "the journal is empty, or may not be read"
        return
    if place and lines:
        reading.pieces.append(Piece("systemd journal", "journal", _without_remarks(lines)[-MAX_NEW:]))
    reading.place = {"cursor": cursor, "at": int(now)}


def _without_remarks(data):
    """What journalctl says between the messages: "-- Boot 4f... --", "-- No entries --"."""
    return b"".join(line for line in data.splitlines(True) if not line.startswith(b"-- "))
