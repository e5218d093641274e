# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Logs of a node into a sink: files, the systemd journal, the ring buffer.

Every reader takes a node, what to read, and a sink (see scanner). Memory does not grow with the input; grep(1), which is used for large
plain files because nothing in Python is as fast, runs with a limit.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import re
import zlib

from .._node import NodeError, TimedOut
from .._procfs.uptime import parse_uptime
from . import scanner as scanning
from . import streams, years
from .clock import Clock
from .gates import KERNEL_GATES
from .lazy import contains_any
from .literals import Ends
from .prefixes import MAX_LINE, split

GREP_MEMORY = 48 * 1024 * 1024
# A line that begins farther before a literal begins with it.
BACK = 8192
MAX_NOTES = 20
JOURNALS = ("/var/log/journal", "/run/log/journal")
_REMARK = re.compile(b"(?m)^-- .*\n")


class Source:
    """What became of one place that was read; as_dict() is an entry of the result's ``sources``."""

    def __init__(self, name, kind):
        self.name, self.kind = name, kind
        self.status, self.reason = "read", None
        self.bytes = self.lines = None
        self.first = self.last = None
        self.notes = []
        self.faults = 0
        self.timed_out = False
        self.clock = None

    def failed(self, reason, partial=False):
        self.status, self.reason = "partial" if partial else "failed", reason

    def broke_off(self, error):
        """A NodeError while it was read: what came before it counts."""
        self.failed(error.reason, partial=bool(self.bytes))
        self.timed_out = error.timed_out

    def cursor(self, line):
        """Where a Line without a number stands, for a person who looks for it."""
        return "@" + line.stamp if self.kind == "journal" and line.stamp else "byte %d" % line.offset

    def as_dict(self, iso):
        return {
            "source": self.name,
            "kind": self.kind,
            "status": self.status,
            "reason": self.reason,
            "timed_out": self.timed_out,
            "bytes": self.bytes,
            "lines": self.lines,
            "first_time": iso(self.first),
            "last_time": iso(self.last),
            "notes": self.notes[:MAX_NOTES],
        }


# --- files ------------------------------------------------------------------------------------------------------------


def read_file(node, path, source, sink, since, gates):
    """One log file of any kind into the sink."""
    status = node.stat(path)
    # A file of tomorrow says nothing of when its lines are from, as one that was copied does not.
    source.clock.reference = status.st_mtime if status.st_mtime <= source.clock.reference + 86400 else 0
    if since is not None and status.st_mtime < since:
        source.status, source.reason = "skipped", "last written to before the window"
        return
    kind, chunks = streams.open_chunks(node, path)
    source.kind = kind if kind != "plain" else "file"
    small = status.st_size <= (scanning.WHOLE if kind == "plain" else scanning.WHOLE // 16)
    scanner = scanning.Scanner(sink, source, gates, small)
    _years(node, path, source.clock, kind == "plain" and not (small and status.st_size <= years.CLOSELY))
    try:
        if kind == "plain" and not small:
            chunks.close()
            _large(node, path, status.st_size, scanner, since)
        else:
            scanner.chunks(chunks)
    except (EOFError, IOError, OSError, ValueError, zlib.error) as error:
        source.failed("%s after %d bytes" % (str(error) or "unreadable", source.bytes or 0), partial=bool(source.bytes))
    except NodeError as error:
        source.broke_off(error)
    except Exception as error:  # lzma.LZMAError, where there is lzma
        if type(error).__name__ != "LZMAError":
            raise
        source.failed("%s after %d bytes" % (error, source.bytes or 0), partial=bool(source.bytes))
    finally:
        source.clock.finding = False
    scanner.finish()


def _years(node, path, clock, sampled):
    """Samples of a large plain file say beforehand of which years its lines are; of others that is found out while they are read."""
    if sampled:
        with contextlib.closing(node.open_binary(path)) as stream:
            clock.years = years.of_stream(stream, node.stat(path).st_size)
    else:
        clock.years, clock.finding = years.Years(), True


def _large(node, path, size, scanner, since):
    """A large plain file: from where the window begins, or with the help of grep."""
    stream = node.open_binary(path)
    try:
        start = _window(stream, size, scanner.source.clock, since) if since is not None else 0
        if start:
            stream.seek(start)
            scanner.offset, scanner.counting = start, False
            scanner.source.notes.append("read from byte %d on, where the window begins" % start)
        elif _with_grep(node, path, stream, scanner):
            scanner.source.bytes = size
            return
        scanner.chunks(streams.timed(node, path, streams.plain(stream)))
    finally:
        if not scanner.last:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 4096))
            scanner.last = stream.read(4096)
        stream.close()


def _window(stream, size, clock, since):
    """Offset of a line not later than the first of the window, found by halving; 0 when stamps do not tell."""
    low, high = 0, size
    while high - low > streams.CHUNK * 4:
        middle = (low + high) // 2
        epoch = _stamp_at(stream, middle, clock)
        if epoch is None:
            return 0
        if epoch < since:
            low = middle
        else:
            high = middle
    if not low:
        return 0
    stream.seek(low)
    data = stream.read(streams.CHUNK)
    return low + data.find(b"\n") + 1


def _stamp_at(stream, offset, clock):
    stream.seek(offset)
    lines = stream.read(streams.CHUNK).split(b"\n")[1:-1]
    for raw in lines[:50]:
        epoch = clock.of(split(raw[:4096].decode("utf-8", "replace")), offset)
        if epoch is not None:
            return epoch
    return None


def _with_grep(node, path, stream, scanner):
    """Lets grep find the hits of a large file; False when there is no grep that can, and nothing has been taken."""
    stream.seek(0)
    head = stream.read(streams.CHUNK)
    ends = Ends(KERNEL_GATES + scanner.gates, head)
    argv = ["prlimit", "--as=%d" % GREP_MEMORY, "grep", "-F", "-a", "-o", "-b", "-n"]
    for end in ends.wanted:
        argv += [b"-e", end]
    scanner.tagged = scanning.KERNEL_TAG in head
    scanner._first(head)
    position = 0
    try:
        output = streams.command(node, argv + ["--", node.path(path)], path)
        rest = b""
        for data in output:
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            for line in lines:
                number, offset, end = line.split(b":", 2)
                if int(offset) >= position:
                    position = _around(stream, scanner, int(number), int(offset), position, ends, end)
    except TimedOut:
        scanner.source.bytes = stream.tell() if position or scanner.sink.taken else None
        raise
    except (NodeError, ValueError) as error:
        # No such options (busybox), or a line beyond its memory: go on without it from where it was.
        scanner.source.notes.append(
            "searched without grep from byte %d on (%s)" % (position, getattr(error, "reason", error))
        )
        stream.seek(position)
        scanner.source.bytes = position or None
        scanner.offset, scanner.counting = position, not position
        if not position:
            scanner.number = 0
        return False
    scanner.counting = False
    return True


def _around(stream, scanner, number, offset, position, ends, end):
    """The line of a hit and those after it until nothing more belongs to it. -> where that ended."""
    back = max(position, offset - ends.most - BACK)
    stream.seek(back)
    data = stream.read(16384)
    place = ends.literal_at(data, offset - back, end)
    if place < 0:
        return position
    low = max(0, place - BACK)
    start = data.rfind(b"\n", low, place) + 1
    if not start and back + low > position:
        start = place
    sink = scanner.sink
    scanner._idle = 0
    at, first = start, True
    while True:
        end = data.find(b"\n", at)
        while end < 0:
            more = stream.read(16384)
            data, back, at = data[at:] + more, back + at, 0
            end = data.find(b"\n")
            if end < 0 and (not more or len(data) > MAX_LINE):
                end = len(data)
                if not end:
                    return back
                if more:
                    # Nobody needs the rest of such a line.
                    data, back = data[:MAX_LINE] + b"\n", _next_line(stream) - MAX_LINE - 1
                    end = MAX_LINE
        scanner.number = number
        if first:
            scanner._give(data[at:end], back + at)
        else:
            scanner._follow(data[at:end], back + at, contains_any(data[at:end], scanner.gates))
        number, at, first = number + 1, end + 1, False
        lookahead = sink.lookahead()
        if scanner._idle >= lookahead:
            if lookahead:
                sink.flush()
            scanner._idle = 0
            return back + at


def _next_line(stream):
    """Goes on to the next line, however far that is. -> where it begins"""
    while True:
        data = stream.read(streams.CHUNK)
        end = data.find(b"\n")
        if end >= 0 or not data:
            return stream.seek(stream.tell() - len(data) + end + 1) if data else stream.tell()


# --- journal and ring buffer ------------------------------------------------------------------------------------------


def read_command(node, argv, source, sink, gates):
    """The output of dmesg."""
    scanner = scanning.Scanner(sink, source, gates, True)
    try:
        scanner.chunks(streams.command(node, argv, source.name))
    except NodeError as error:
        source.broke_off(error)
        if "not permitted" in error.reason or "ermission denied" in error.reason:
            # util-linux: "read kernel buffer failed: Operation not permitted".
            source.reason += " (kernel.dmesg_restrict: root can read it)"
    scanner.finish()


def journal_arguments(node, directory, since, until):
    """journalctl and its options for a place; None when there is no journal."""
    # Not with --quiet: that keeps it from saying that there are messages which this user may not see (systemd's journal-util.c).
    # With --all: a task that has a character in its name which cannot be printed would make "[112B blob data]" of the message otherwise
    # (logs-show.c, output_short()), and hide what became of it.
    argv = ["journalctl", "--no-pager", "--all", "-o", "short-unix"]
    if directory is None:
        places = [place for place in JOURNALS if node.exists(place)]
        if not places:
            return None
        if node.root != "/":
            # journalctl takes one directory: the one with something in it.
            directory = ([place for place in places if node.glob(place + "/*/*.journal")] or places)[0]
    if directory is not None:
        argv.append(("--file=%s" if re.search(r"\.journal~?$", directory) else "--directory=%s") % node.path(directory))
    if since is not None:
        argv.append("--since=@%d" % since)
    if until is not None:
        argv.append("--until=@%d" % (until + 1))
    return argv


def other_journals(node, since):
    """Why the journal of this node may not be all of it, None where it is: journalctl passes over journals of other machine ids in silence.

    An image that was cloned, or a changed /etc/machine-id, leaves such; those in JOURNALS/remote are of other machines indeed.
    """
    try:
        own = node.read_text("/etc/machine-id", 4096).strip()
    except NodeError:
        return None
    others = set()
    for place in JOURNALS if own else ():
        try:
            for name in node.listdir(place):
                if re.match(r"[0-9a-f]{32}$", name) and name != own:
                    paths = node.glob("%s/%s/system*.journal" % (place, name))
                    if any(since is None or node.stat(path).st_mtime >= since for path in paths):
                        others.add("%s/%s" % (place, name))
        except NodeError:
            continue
    if not others:
        return None
    return "journal files of another machine id were not read; give %s as journal_directory" % ", ".join(
        sorted(others)[:3]
    )


def read_journal_kernel(node, arguments, source, sink):
    """The kernel's messages of all boots, whole: the lines of a report have nothing else in common."""
    scanner = scanning.Scanner(sink, source, ())
    scanner.counting, scanner.tagged = False, False
    _journal(node, arguments + ["_TRANSPORT=kernel"], scanner)


def read_journal_units(node, arguments, units, source, sink, gates):
    """The messages of the container runtimes, found by journalctl itself where it can (systemd 237 with PCRE2)."""
    matches = ["_SYSTEMD_UNIT=%s" % unit for unit in units]
    pattern = "|".join(_as_pattern(gate) for gate in gates)
    scanner = scanning.Scanner(sink, source, gates)
    scanner.counting, scanner.tagged = False, True
    _journal(node, arguments + ["--grep=" + pattern, "--case-sensitive=true"] + matches, scanner)
    said = (source.reason or "").lower()
    if source.status == "failed" and ("grep" in said or "option" in said or "pattern" in said or "support" in said):
        source.status = "read"
        source.reason = None
        _journal(node, arguments + matches, scanner)


def _as_pattern(gate):
    """For --grep, in ASCII alone: what else an argument may hold depends on the locale, and so does how it is taken. The scanner looks closer."""
    return ".+".join(re.escape(part) for part in re.split(r"[^\x00-\x7f]+", gate.decode("utf-8", "replace")))


def _journal(node, argv, scanner):
    source = scanner.source
    try:
        scanner.chunks(_without_remarks(streams.command(node, argv, source.name)))
    except NodeError as error:
        source.broke_off(error)
        if "Hint: " in error.reason:
            # Some journal could be read, that of the user, and not that of the system.
            source.failed(error.reason, partial=True)
    scanner.finish()


def _without_remarks(chunks):
    """What journalctl says between the messages: "-- Boot 4f... --", "-- No entries --". Lines of a message are indented."""
    for data in chunks:
        if data.startswith(b"-- ") or b"\n-- " in data:
            data = _REMARK.sub(b"", data)
        if data:
            yield data


def clock_for(node, now, running, zone=None):
    """A Clock for a source of this node. Uptime stamps have a date only in the ring buffer of the ``running`` kernel."""
    boot = None
    if running:
        try:
            uptime = parse_uptime(node.read_text("/proc/uptime"))[0]
        except NodeError:
            uptime = None
        boot = None if uptime is None else now - uptime
    return Clock(now, boot, local=node.live, zone=zone)
