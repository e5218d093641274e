# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The bytes of files, compressed files and commands, piece by piece, so that memory does not grow with the input."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import bz2
import itertools
import threading
import zlib

from .._node import NodeError

CHUNK = 65536


def plain(stream):
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
            return "xz", command(node, ["xz", "-dc", "--", node.path(path)], path)
        engine = lzma.LZMADecompressor()
        return "xz", _closing(stream, _blocks(stream, head, engine, hasattr(engine, "needs_input")))
    if head[:4] == b"\x28\xb5\x2f\xfd":
        stream.close()
        return "zstd", command(node, ["zstd", "-dcq", "--", node.path(path)], path)
    if head[:8] == b"LPKSHHRH":
        stream.close()
        raise NodeError(path, "a journal file: give it, or its directory, as journal_directory")
    return "plain", _closing(stream, _chain(head, plain(stream)))


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


def command(node, argv, name):
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
