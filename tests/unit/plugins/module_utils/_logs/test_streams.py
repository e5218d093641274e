# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes out of commands that hang, and out of files that are made to hurt."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import bz2
import gzip
import io
import sys
import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import streams
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Deadline, Node, NodeError, TimedOut


def output(script, seconds=None):
    """-> (what a command printed before its end, the error it ended with)"""
    node, data = Node("/", Deadline(seconds)), []
    started = time.time()
    try:
        for piece in streams.command(node, ["sh", "-c", script], "x"):
            data.append(piece)
    except NodeError as error:
        return b"".join(data), error
    finally:
        assert time.time() - started < 10
    return b"".join(data), None


def test_a_command_that_ends():
    assert output("echo a; sleep 0.1; echo b") == (b"a\nb\n", None)
    assert output("exit 1") == (b"", None)
    assert len(output("head -c 3000000 /dev/zero")[0]) == 3000000


def test_a_command_that_complains():
    data, error = output("echo a; echo 'it is broken' >&2; echo more >&2")
    assert (data, str(error)) == (b"a\n", "x: sh: it is broken")
    assert "ended with status 3" in str(output("exit 3")[1])
    # More than a pipe holds.
    data, error = output("head -c 300000 /dev/zero | tr '\\0' e >&2; echo a")
    assert data == b"a\n"
    assert len(str(error)) < 2100


@pytest.mark.parametrize(
    "script,data",
    [
        ("sleep 1000", b""),
        ("echo a; sleep 1000", b"a\n"),
        ("echo a; exec >&- 2>&-; sleep 1000", b"a\n"),
        ("trap '' TERM INT HUP; echo a; while :; do sleep 1; done", b"a\n"),
    ],
)
def test_a_command_that_hangs(script, data):
    found, error = output(script, seconds=1)
    assert found == data
    assert isinstance(error, TimedOut)


def test_a_command_that_prints_for_ever():
    data, error = output("yes", seconds=0.4)
    assert data.startswith(b"y\ny\n")
    assert "without coming to an end" in str(error)


@pytest.mark.parametrize("script", ["sleep 1000 & echo a", "setsid sleep 5 & echo a"])
def test_a_command_whose_child_keeps_its_output_open(script):
    started = time.time()
    assert output(script) == (b"a\n", None)
    assert time.time() - started < 4


def gzipped(data):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as stream:
        stream.write(data)
    return buffer.getvalue()


def bomb(kind):
    zeros = b"\0" * 20000000
    if kind == "gzip":
        return gzipped(zeros)
    if kind == "bzip2":
        return bz2.compress(zeros)
    return pytest.importorskip("lzma").compress(zeros, preset=1)


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_a_bomb_comes_in_small_pieces_and_has_an_end(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(streams, "MAX_OUTPUT", 5000000)
    (tmp_path / "bomb").write_bytes(bomb(kind))
    found, chunks = streams.open_chunks(Node("/"), str(tmp_path / "bomb"))
    assert found == kind
    size = 0
    with pytest.raises(EOFError, match="more than 5 MB when decompressed"):
        for piece in chunks:
            # A program gives what it has once that is a chunk.
            assert len(piece) < 2 * streams.CHUNK
            size += len(piece)
    assert 5000000 < size < 5200000


# Python 2.7 leaves the others to programs, whose deadline is set when they start.
@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"] if sys.version_info[0] > 2 else ["gzip"])
def test_a_bomb_is_under_the_deadline(tmp_path, kind):
    (tmp_path / "bomb").write_bytes(bomb(kind))
    node = Node("/", Deadline(100))
    chunks = streams.open_chunks(node, str(tmp_path / "bomb"))[1]
    assert next(iter(chunks))
    node.deadline = Deadline(0.0)
    with pytest.raises(TimedOut):
        list(chunks)


def test_a_dictionary_larger_than_the_memory_for_it(tmp_path):
    lzma = pytest.importorskip("lzma")
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 512 * 1024 * 1024}]
    (tmp_path / "x.xz").write_bytes(lzma.compress(b"x" * 1000, filters=filters))
    with pytest.raises(lzma.LZMAError, match="[Mm]emory"):
        list(streams.open_chunks(Node("/"), str(tmp_path / "x.xz"))[1])
    (tmp_path / "x.xz").write_bytes(lzma.compress(b"x" * 1000, preset=9))
    assert b"".join(streams.open_chunks(Node("/"), str(tmp_path / "x.xz"))[1]) == b"x" * 1000


@pytest.mark.parametrize(
    "name,head", [("lz4", b"\x04\x22\x4d\x18"), ("compress", b"\x1f\x9d\x90"), ("zip", b"PK\x03\x04")]
)
def test_a_compression_that_is_not_known_is_no_quiet_log(tmp_path, name, head):
    (tmp_path / "x").write_bytes(head + b"x" * 1000)
    with pytest.raises(NodeError, match="compressed with " + name):
        streams.open_chunks(Node("/"), str(tmp_path / "x"))
