# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The bytes of files, compressed files and commands, piece by piece, so that memory does not grow with the input."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import bz2
import codecs
import errno
import itertools
import os
import select
import time
import zlib

from .._commands import running, wait_for
from .._node import NodeError, TimedOut, seconds_now

CHUNK = 65536
# Bytes that decompressors may work with (xz -9 wants 65 MB), and that one file may become.
MEMORY = 80 * 1000 * 1000
MAX_OUTPUT = 4 * 1000 * 1000 * 1000
# So much is kept of what a command writes to standard error, and so often is looked whether it still runs.
MAX_SAID = 2000
_TICK = 0.5
# A program that writes page after page wakes its reader for each; in so many seconds more of it gathers in the pipe.
_GATHER = 0.001


def plain(stream):
    while True:
        data = stream.read(CHUNK)
        if not data:
            return
        yield data


def _gzip(stream, data):
    engine = zlib.decompressobj(47)
    while data:
        yield engine.decompress(data, CHUNK)
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


def _blocks(stream, data, engine, make):
    """bz2 and lzma: decompressors with the same manners."""
    rest = data
    while True:
        piece, rest = rest[:CHUNK], rest[CHUNK:]
        yield engine.decompress(piece, CHUNK)
        while not engine.eof and not engine.needs_input:
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
                if engine.eof:
                    return
                raise EOFError("the file ends in the middle of the compressed data")
            if engine.eof:
                engine = make()


def _bzip2():
    # The one of Python 2.7 cannot be told how much to return at most: 40 bytes of a bomb make 45 MB.
    return bz2.BZ2Decompressor() if hasattr(bz2.BZ2Decompressor, "needs_input") else None


def _xz():
    try:
        import lzma
    except ImportError:
        return None
    return lzma.LZMADecompressor(memlimit=MEMORY)


# Kind, how it begins, its decompressor (None where this Python has none that bounds memory), the program that does it then.
_COMPRESSED = (
    ("bzip2", b"BZh", _bzip2, ["bzip2", "-dc", "--"]),
    ("xz", b"\xfd7zXZ\x00", _xz, ["xz", "-dc", "--memlimit-decompress=%d" % MEMORY, "--"]),
    ("zstd", b"\x28\xb5\x2f\xfd", lambda: None, ["zstd", "-dcq", "--memory=%d" % MEMORY, "--"]),
)
# What other programs make. Read as text it would be a log in which nothing happened.
_FOREIGN = (
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress"),
    (b"\x1f\xa0", "compress"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf", "7z"),
    (b"LZIP", "lzip"),
    (b"\x89LZO", "lzop"),
)


def _utf_16(stream, head):
    """What Windows makes of a log that is pasted or redirected there, as UTF-8. Read as it is it would be a log in which nothing happened."""
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for data in itertools.chain([head], plain(stream)):
        yield decoder.decode(data).encode("utf-8", "replace")


def open_chunks(node, path):
    """-> (kind, generator of bytes) of a file, decompressed by what it is and not by its name."""
    stream = node.open_binary(path)
    try:
        head = stream.read(CHUNK)
    except (IOError, OSError) as error:
        stream.close()
        raise NodeError(path, error.strerror or str(error), error.errno)
    if head[:2] == b"\x1f\x8b":
        return "gzip", _limited(timed(node, path, _gzip(stream, head), stream))
    for kind, begin, make, argv in _COMPRESSED:
        if head.startswith(begin):
            engine = make()
            if engine is not None:
                return kind, _limited(timed(node, path, _blocks(stream, head, engine, make), stream))
            stream.close()
            return kind, _limited(command(node, argv + [node.path(path)], path))
    for begin, program in _FOREIGN:
        if head.startswith(begin):
            stream.close()
            raise NodeError(path, "compressed with %s, which is not known here" % program)
    # Two bytes alone may begin anything; every other byte of what logs are made of is 0 in UTF-16.
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and 4 * head.count(b"\0") >= len(head):
        return "utf-16", timed(node, path, _utf_16(stream, head), stream)
    if head[:8] == b"LPKSHHRH":
        stream.close()
        raise NodeError(path, "a journal file: give it, or its directory, as journal_directory")
    return "plain", timed(node, path, itertools.chain([head], plain(stream)), stream)


def timed(node, path, chunks, stream=None):
    """The deadline is looked at for each piece, also those that hold nothing. ``stream`` is closed at the end, whatever ends it."""
    try:
        for data in chunks:
            node.deadline.check(path)
            if data:
                yield data
    finally:
        if stream is not None:
            stream.close()


def _limited(chunks):
    """What is decompressed, up to MAX_OUTPUT: a few kilobytes can be made that have no end worth waiting for."""
    size = 0
    for data in chunks:
        size += len(data)
        yield data
        if size > MAX_OUTPUT:
            raise EOFError("more than %d MB when decompressed, the rest was left out" % (MAX_OUTPUT // 1000000))


def command(node, argv, name):
    """Output of a command piece by piece. NodeError, at the end, when it says that it failed or could not be waited for."""
    limit = node.deadline.share()
    end = seconds_now() + limit
    said, held, size, why = b"", [], 0, None
    node.deadline.check(name)
    with running(node, argv) as process:
        out, errors = process.stdout.fileno(), process.stderr.fileno()
        waiting = select.poll()
        for descriptor in (out, errors):
            waiting.register(descriptor, select.POLLIN)
        listening = {out, errors}
        while listening and why is None:
            ready = _ready(waiting, max(0.0, min(_TICK, end - seconds_now())))
            if seconds_now() >= end:
                why = "stopped after %d seconds without coming to an end" % limit
            elif not ready and process.poll() is not None:
                # It has ended, but what it has started keeps its output open.
                break
            _pulse(node, name)
            for descriptor in ready:
                data = os.read(descriptor, CHUNK)
                if not data:
                    waiting.unregister(descriptor)
                    listening.discard(descriptor)
                elif descriptor == errors:
                    said = (said + data)[:MAX_SAID]
                else:
                    held.append(data)
                    size += len(data)
                    if len(data) < CHUNK // 4:
                        time.sleep(_GATHER)
            if size and (size >= CHUNK or out not in listening or why):
                yield b"".join(held)
                held, size = [], 0
        if held:
            yield b"".join(held)
        code = None if why else wait_for(process, max(0.0, end - seconds_now()))
        if code is None and why is None:
            why = "closed its output and did not end"
    if why:
        raise TimedOut(name, "%s: %s" % (argv[0], why))
    said = said.decode("utf-8", "replace").strip().split("\n")[0]
    # 1 alone is the answer "nothing found"; journalctl ends with 0 although it left out damaged files, but says so.
    if said or code not in (0, 1):
        raise NodeError(name, "%s: %s" % (argv[0], said or "ended with status %d" % code))


def _pulse(node, name):
    """A sign of life. That the time is up is for the command's own share of it to say."""
    if node.deadline.pulse is not None:
        node.deadline.pulse(name)


def _ready(waiting, seconds):
    """Descriptors with something to read, or at their end, within so many seconds."""
    try:
        return [descriptor for descriptor, _what in waiting.poll(int(seconds * 1000) + 1)]
    except select.error as error:
        # Python 2.7 does not go on by itself after a signal.
        if error.args[0] != errno.EINTR:
            raise
        return []
