# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Lines from files, compressed files, journals and commands, as few of them as possible.

Every reader takes a node, what to read, and a ``sink`` with two methods: take(raw line, number, cursor) -> whether the line was
part of something, and patience() -> in how many of the next lines more of what was seen may come. A large log is searched for literals
(GATES) without being cut into lines; only around a hit are lines made. Memory does not grow with the input: lines are cut at
MAX_LINE, and grep(1), which is used for large plain files because nothing in Python is as fast, runs with a limit.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import bz2
import itertools
import re
import threading
import zlib

from .._node import NodeError
from .prefixes import MAX_LINE, Clock, has, split

# Up to this size every line is looked at: pasted logs may be wrapped in the middle of a literal.
WHOLE = 2 * 1024 * 1024
CHUNK = 65536
GREP_MEMORY = 48 * 1024 * 1024

# Literals that every kernel report, and every runtime failure that a signature knows, has one of.
KERNEL_GATES = (
    b"allocation f",
    b"invoked oom-killer",
    b"ut of memory: Kill",
    b"kmem_cache_create",
    b"alloc failed, req-size",
    b"soft lockup",
    b"blocked for more than",
    b"vmalloc error",
    b"allocation stall",
    b"to allocate memory on",
)
RUNTIME_GATES = (b"rpc error: code = ", b"level=error msg=", b"failed to create container")
# The tag of kernel messages: where logs have it, one search for it replaces those for KERNEL_GATES.
KERNEL_TAG = b"kernel: "


class Source:
    """What became of one place that was read; as_dict() is an entry of the result's ``sources``."""

    def __init__(self, name, kind):
        self.name, self.kind = name, kind
        self.status, self.reason = "read", None
        self.bytes = self.lines = None
        self.first = self.last = None
        self.notes = []
        self.clock = None

    def failed(self, reason, partial=False):
        self.status, self.reason = "partial" if partial else "failed", reason

    def as_dict(self, iso):
        return {
            "source": self.name,
            "kind": self.kind,
            "status": self.status,
            "reason": self.reason,
            "bytes": self.bytes,
            "lines": self.lines,
            "first_time": iso(self.first),
            "last_time": iso(self.last),
            "notes": self.notes,
        }


# --- bytes ------------------------------------------------------------------------------------------------------------


def _plain(stream, _first):
    while True:
        data = stream.read(CHUNK)
        if not data:
            return
        yield data


def _gzip(stream, data):
    engine = zlib.decompressobj(47)
    while data:
        out = engine.decompress(data, CHUNK)
        if out:
            yield out
        if engine.unconsumed_tail:
            data = engine.unconsumed_tail
            continue
        if engine.unused_data:
            # Several members in one file, as gzip -c >> makes them.
            data = engine.unused_data.lstrip(b"\0")
            if data:
                engine = zlib.decompressobj(47)
                continue
            return
        data = stream.read(CHUNK)
    if not _ended(engine):
        raise EOFError("the file ends in the middle of the compressed data")


def _ended(engine):
    """Whether a zlib decompressor has come to the end of its data; with Python 2.7 only what it leaves over tells."""
    if hasattr(engine, "eof"):
        return engine.eof
    try:
        engine.decompress(b"\0")
    except zlib.error:
        return False
    return bool(engine.unused_data)


def _blocks(stream, data, engine, bounded):
    """bz2 and lzma: decompressors with the same manners; old ones cannot bound what one call returns."""
    make = type(engine)
    step = CHUNK if bounded else 1024
    rest = data
    while True:
        piece, rest = rest[:step], rest[step:]
        out = engine.decompress(piece, CHUNK) if bounded else engine.decompress(piece)
        if out:
            yield out
        while bounded and not engine.eof and not engine.needs_input:
            yield engine.decompress(b"", CHUNK)
        if engine.unused_data:
            rest = engine.unused_data.lstrip(b"\0") + rest
            if not rest:
                return
            engine = make()
            continue
        if not rest:
            rest = stream.read(CHUNK)
            if not rest:
                if getattr(engine, "eof", True):
                    return
                raise EOFError("the file ends in the middle of the compressed data")
            if getattr(engine, "eof", False):
                engine = make()


def _bzip2(stream, data):
    engine = bz2.BZ2Decompressor()
    return _blocks(stream, data, engine, hasattr(engine, "needs_input"))


def open_chunks(node, path):
    """-> (kind, generator of bytes) of a file, decompressed by what it is and not by its name."""
    stream = node.open_binary(path)
    head = stream.read(CHUNK)
    if head[:2] == b"\x1f\x8b":
        return "gzip", _closing(stream, _gzip(stream, head))
    if head[:3] == b"BZh":
        return "bzip2", _closing(stream, _bzip2(stream, head))
    if head[:6] == b"\xfd7zXZ\x00":
        try:
            import lzma
        except ImportError:
            stream.close()
            return "xz", _command(node, ["xz", "-dc", "--", node.path(path)], path)
        engine = lzma.LZMADecompressor()
        return "xz", _closing(stream, _blocks(stream, head, engine, hasattr(engine, "needs_input")))
    if head[:4] == b"\x28\xb5\x2f\xfd":
        stream.close()
        return "zstd", _command(node, ["zstd", "-dcq", "--", node.path(path)], path)
    if head[:8] == b"LPKSHHRH":
        stream.close()
        raise NodeError(path, "a journal file: give it, or its directory, as journal_directory")
    return "plain", _closing(stream, _chain(head, _plain(stream, head)))


def _chain(first, rest):
    return itertools.chain([first] if first else [], rest)


def _closing(stream, chunks):
    try:
        for data in chunks:
            if data:
                yield data
    finally:
        stream.close()


class _Errors(threading.Thread):
    """Keeps the first words of a command's standard error, and the pipe from filling up."""

    def __init__(self, stream):
        threading.Thread.__init__(self)
        self.daemon, self.stream, self.text = True, stream, b""
        self.start()

    def run(self):
        try:
            while True:
                data = self.stream.read(4096)
                if not data:
                    return
                self.text = (self.text + data)[:2000]
        except (IOError, OSError, ValueError):
            return


def _command(node, argv, name):
    """Output of a command piece by piece; NodeError when it says that it failed."""
    with node.stream_command(argv) as process:
        errors = _Errors(process.stderr)
        while True:
            data = process.stdout.read(CHUNK)
            if not data:
                break
            yield data
        code = process.wait()
        errors.join(5)
    said = errors.text.decode("utf-8", "replace").strip().split("\n")[0]
    # 1 alone is the answer "nothing found"; journalctl ends with 0 although it left out damaged files, but says so.
    if said or code not in (0, 1):
        raise NodeError(name, "%s: %s" % (argv[0], said or "ended with status %d" % code))


# --- lines ------------------------------------------------------------------------------------------------------------


class Scanner:
    """Gives the lines of one source that matter to the sink."""

    def __init__(self, sink, source, gates, whole=False):
        self.sink, self.source = sink, source
        # None: every line is looked at, until the source turns out to be larger than it seemed.
        self.gates = None if whole else gates
        self._later = gates
        self.number = 0
        self.offset = 0
        self.counting = True
        self.last = b""
        self.tagged = None
        self._idle = 0
        self._carry = b""
        self._skipping = self._cut = False

    def chunks(self, chunks):
        """Takes a stream of bytes to its end. Whatever ends it early, the lines so far have been taken."""
        try:
            for data in chunks:
                self.source.bytes = (self.source.bytes or 0) + len(data)
                if self.gates is None and self.source.bytes > 2 * WHOLE:
                    self.gates = self._later
                self.feed(data)
        finally:
            if self._carry:
                self._block(self._carry[:MAX_LINE] + b"\n", min(len(self._carry), MAX_LINE) + 1)
                self._carry = b""

    def feed(self, data):
        if self._skipping:
            # The tail of a line that was cut: nobody needs it.
            end = data.find(b"\n")
            if end < 0:
                self.offset += len(data)
                return
            self.offset += end + 1
            data, self._skipping = data[end + 1 :], False
        if self._carry:
            data = self._carry + data
        end = data.rfind(b"\n") + 1
        if end:
            self._block(data, end)
        self._carry = data[end:]
        if len(self._carry) > MAX_LINE:
            if not self._cut:
                self.source.notes.append("lines of more than %d bytes were cut" % MAX_LINE)
                self._cut = True
            lost = len(self._carry) - MAX_LINE
            self._block(self._carry[:MAX_LINE] + b"\n", MAX_LINE + 1)
            self.offset += lost - 1
            self._carry, self._skipping = b"", True

    def _block(self, block, size):
        """Whole lines: the first ``size`` bytes of ``block``."""
        if not self.last:
            self._first(block)
        if self.tagged is None:
            self.tagged = KERNEL_TAG in block
        self.last = block
        if self.gates is None:
            for raw in block[:size].split(b"\n")[:-1]:
                self.number += 1
                self._give(raw, self.offset)
                self.offset += len(raw) + 1
            return
        position = counted = 0
        hits, sink = None, self.sink
        while position < size:
            following = sink.patience() > self._idle
            if not following and self._idle:
                sink.flush()
            if following:
                start = position
            else:
                self._idle = 0
                if hits is None:
                    hits = self._hits(block, position, size)
                while hits and hits[-1] < position:
                    hits.pop()
                if not hits:
                    break
                start = block.rfind(b"\n", position, hits.pop()) + 1 or position
            if self.counting:
                if counted != start:
                    self.number += block.count(b"\n", counted, start)
                self.number += 1
            end = block.find(b"\n", start)
            position = counted = end + 1
            if following:
                self._follow(block[start:end], self.offset + start)
            else:
                self._give(block[start:end], self.offset + start)
        if self.counting and counted < size:
            self.number += block.count(b"\n", counted, size)
        self.offset += size

    def _hits(self, block, position, size):
        """Positions of literals at or after ``position``, the last one first."""
        found, gates = [], self.gates
        if self.tagged:
            # A kernel line every 500 bytes and more: then searching for each literal is cheaper.
            limit = (size - position) // 500
            at = block.find(KERNEL_TAG, position, size)
            while at >= 0 and limit:
                limit -= 1
                end = block.find(b"\n", at)
                text = block[at:end]
                if has(text, KERNEL_GATES):
                    found.append(at)
                at = block.find(KERNEL_TAG, end, size)
            if at >= 0:
                found, gates = [], gates + KERNEL_GATES
        else:
            gates = gates + KERNEL_GATES
        for gate in gates:
            at = block.find(gate, position, size)
            while at >= 0:
                found.append(at)
                at = block.find(gate, at + 1, size)
        found.sort(reverse=True)
        return found

    def _follow(self, raw, offset):
        """A line after a hit: of a tagged log, only the kernel's lines and those with a literal are worth cutting up."""
        if self.tagged and KERNEL_TAG not in raw[:300] and not has(raw, self.gates) and raw[:1] != b" ":
            self._idle += 1
            return
        if self._give(raw, offset):
            self._idle = 0
        else:
            self._idle += 1

    def _give(self, raw, offset):
        return self.sink.take(raw[:MAX_LINE].decode("utf-8", "replace"), self.number if self.counting else None, offset)

    def _first(self, block):
        for raw in block[:4096].split(b"\n")[:5]:
            self.source.first = self.source.clock.of(split(raw.decode("utf-8", "replace")))
            if self.source.first is not None:
                return

    def finish(self):
        """Fills in what is known of the source once its end is reached."""
        self.source.lines = self.number if self.counting else None
        for raw in reversed(self.last[-4096:].split(b"\n")[-6:]):
            if raw:
                self.source.last = self.source.clock.of(split(raw.decode("utf-8", "replace")))
                if self.source.last is not None:
                    return


# --- files ------------------------------------------------------------------------------------------------------------


def read_file(node, path, source, sink, since, gates):
    """One log file of any kind into the sink."""
    status = node.stat(path)
    source.clock.reference = status.st_mtime
    if since is not None and status.st_mtime < since:
        source.status, source.reason = "skipped", "last written to before the window"
        return
    kind, chunks = open_chunks(node, path)
    source.kind = kind if kind != "plain" else "file"
    small = status.st_size <= (WHOLE if kind == "plain" else WHOLE // 16)
    scanner = Scanner(sink, source, gates, small)
    try:
        if kind == "plain" and not small:
            chunks.close()
            _large(node, path, status.st_size, scanner, since)
        else:
            scanner.chunks(chunks)
    except (EOFError, IOError, OSError, ValueError, zlib.error) as error:
        source.failed("%s after %d bytes" % (str(error) or "unreadable", source.bytes or 0), partial=bool(source.bytes))
    except NodeError as error:
        source.failed(error.reason, partial=bool(source.bytes))
    except Exception as error:  # lzma.LZMAError, where there is lzma
        if type(error).__name__ != "LZMAError":
            raise
        source.failed("%s after %d bytes" % (error, source.bytes or 0), partial=bool(source.bytes))
    scanner.finish()


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
        scanner.chunks(_plain(stream, None))
    finally:
        if not scanner.last:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 4096))
            scanner.last = stream.read(4096)
        stream.close()


def _window(stream, size, clock, since):
    """Offset of a line not later than the first of the window, found by halving; 0 when stamps do not tell."""
    low, high = 0, size
    while high - low > CHUNK * 4:
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
    data = stream.read(CHUNK)
    return low + data.find(b"\n") + 1


def _stamp_at(stream, offset, clock):
    stream.seek(offset)
    lines = stream.read(CHUNK).split(b"\n")[1:-1]
    for raw in lines[:50]:
        epoch = clock.of(split(raw[:4096].decode("utf-8", "replace")))
        if epoch is not None:
            return epoch
    return None


def _with_grep(node, path, stream, scanner):
    """Lets grep find the hits of a large file; False when there is no grep that can, and nothing has been taken."""
    argv = ["prlimit", "--as=%d" % GREP_MEMORY, "grep", "-F", "-a", "-o", "-b", "-n"]
    for gate in KERNEL_GATES + scanner.gates:
        argv += ["-e", gate.decode("ascii")]
    stream.seek(0)
    head = stream.read(CHUNK)
    scanner.tagged = KERNEL_TAG in head
    scanner._first(head)
    position = 0
    try:
        output = _command(node, argv + ["--", node.path(path)], path)
        rest = b""
        for data in output:
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            for line in lines:
                number, offset = line.split(b":", 2)[:2]
                if int(offset) >= position:
                    position = _around(stream, scanner, int(number), int(offset), position)
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


def _around(stream, scanner, number, offset, position):
    """The line of a hit and those after it until nothing more belongs to it. -> where that ended."""
    back = max(position, offset - 8192)
    stream.seek(back)
    data = stream.read(16384)
    start = data.rfind(b"\n", 0, offset - back) + 1
    if not start and back > position:
        start = offset - back
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
            scanner._follow(data[at:end], back + at)
        number, at, first = number + 1, end + 1, False
        patience = sink.patience()
        if scanner._idle >= patience:
            if patience:
                sink.flush()
            scanner._idle = 0
            return back + at


def _next_line(stream):
    """Goes on to the next line, however far that is. -> where it begins"""
    while True:
        data = stream.read(CHUNK)
        end = data.find(b"\n")
        if end >= 0 or not data:
            return stream.seek(stream.tell() - len(data) + end + 1) if data else stream.tell()


# --- journal and ring buffer ------------------------------------------------------------------------------------------


def read_command(node, argv, source, sink, gates):
    """The output of dmesg."""
    scanner = Scanner(sink, source, gates, True)
    try:
        scanner.chunks(_command(node, argv, source.name))
    except NodeError as error:
        source.failed(error.reason, partial=bool(source.bytes))
    scanner.finish()


def journal_arguments(node, directory, since, until):
    """journalctl and its options for a place; None when there is no journal."""
    argv = ["journalctl", "-q", "--no-pager", "-o", "short-unix"]
    if directory is None:
        for place in ("/var/log/journal", "/run/log/journal"):
            if node.exists(place):
                directory = None if node.root == "/" else place
                break
        else:
            return None
    if directory is not None:
        argv.append(("--file=%s" if re.search(r"\.journal~?$", directory) else "--directory=%s") % node.path(directory))
    if since is not None:
        argv.append("--since=@%d" % since)
    if until is not None:
        argv.append("--until=@%d" % (until + 1))
    return argv


def read_journal_kernel(node, arguments, source, sink):
    """The kernel's messages of all boots, whole: the lines of a report have nothing else in common."""
    scanner = Scanner(sink, source, ())
    scanner.counting, scanner.tagged = False, False
    _journal(node, arguments + ["_TRANSPORT=kernel"], scanner)


def read_journal_units(node, arguments, units, source, sink, gates):
    """The messages of the container runtimes, found by journalctl itself where it can (systemd 237 with PCRE2)."""
    matches = ["_SYSTEMD_UNIT=%s" % unit for unit in units]
    pattern = "|".join(re.escape(gate.decode("ascii")) for gate in gates)
    scanner = Scanner(sink, source, gates)
    scanner.counting, scanner.tagged = False, True
    _journal(node, arguments + ["--grep=" + pattern, "--case-sensitive=true"] + matches, scanner)
    said = (source.reason or "").lower()
    if source.status == "failed" and ("grep" in said or "option" in said or "pattern" in said or "support" in said):
        source.status = "read"
        source.reason = None
        _journal(node, arguments + matches, scanner)


def _journal(node, argv, scanner):
    source = scanner.source
    try:
        scanner.chunks(_command(node, argv, source.name))
    except NodeError as error:
        source.failed(error.reason, partial=bool(source.bytes))
    scanner.finish()


def clock_for(node, now, running):
    """A Clock for a source of this node. Uptime stamps have a date only in the ring buffer of the ``running`` kernel."""
    boot = None
    if running:
        try:
            boot = now - float(node.read_text("/proc/uptime").split()[0])
        except (NodeError, ValueError, IndexError):
            boot = None
    return Clock(now, boot, local=node.live)
