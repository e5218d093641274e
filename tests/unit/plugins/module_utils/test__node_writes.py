# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _node_writes
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError


def put(node, path, text=""):
    with open(node.path(path), "w") as stream:
        stream.write(text)


@pytest.mark.parametrize("before", ["", "1\n", "100000\n"])
def test_a_value_is_written_in_place(before, node):
    put(node, "/setting", before)
    inode = node.stat("/setting").st_ino
    node.write_value("/setting", 42)
    assert (node.read_text("/setting"), node.stat("/setting").st_ino) == ("42\n", inode)


def test_a_setting_that_is_not_there_is_not_made(node):
    with pytest.raises(NodeError) as caught:
        node.write_value("/setting", 42)
    assert caught.value.missing and str(caught.value) == "/setting: no such file"
    assert node.listdir("/") == []


def test_a_file_is_replaced_as_a_whole(node):
    put(node, "/file", "old")
    # What a run that was killed has left, and what somebody who wants to write elsewhere would put there.
    os.symlink("/etc/passwd", os.path.join(node.root, ".file.tmp"))
    inode = node.stat("/file").st_ino
    node.write_file("/file", "new\n", 0o640)
    assert node.read_text("/file") == "new\n" and node.stat("/file").st_ino != inode
    assert node.stat("/file").st_mode & 0o7777 == 0o640
    assert node.listdir("/") == ["file"]
    node.write_file("/file", b"\x00\xff")
    assert node.read_bytes("/file") == b"\x00\xff"


def test_a_file_cannot_be_written_where_there_is_no_directory(node):
    with pytest.raises(NodeError) as caught:
        node.write_file("/none/file", "text")
    assert caught.value.missing


def test_a_directory_that_another_run_makes_at_the_same_time_is_there(node, monkeypatch):
    mkdir = os.mkdir

    def later(path, mode):
        mkdir(path, mode)
        mkdir(path, mode)

    monkeypatch.setattr(os, "mkdir", later)
    assert not node.make_directory("/a/b")
    assert node.listdir("/a") == ["b"]


def test_directories_are_made_and_removed_when_empty(node):
    assert node.make_directory("/a/b", 0o750) and not node.make_directory("/a/b")
    assert node.stat("/a/b").st_mode & 0o7777 == 0o750
    put(node, "/a/b/file")
    node.remove("/a/b")
    assert node.exists("/a/b/file")
    assert node.remove("/a/b/file") and not node.remove("/a/b/file")
    node.remove("/a/b")
    assert not node.exists("/a/b")


@pytest.mark.parametrize(
    "number, words",
    [
        (30, "mounted read-only"),
        (13, "permission denied"),
        (1, "permission denied"),
        (22, "the kernel refuses this value"),
    ],
)
def test_errors_are_said_in_words(number, words, node, monkeypatch):
    put(node, "/setting")

    def refuse(*dummy):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_node_writes.os, "open", refuse)
    for write in (lambda: node.write_value("/setting", 1), lambda: node.check_writable("/setting")):
        with pytest.raises(NodeError) as caught:
            write()
        assert words in str(caught.value)


def test_nobody_may_write_above_a_directory_that_is_made(node):
    """Whatever umask the caller has: os.makedirs() gives a mode to the last one alone."""
    before = os.umask(0)
    try:
        assert node.make_directory("/a/b/c", 0o700)
    finally:
        os.umask(before)
    assert [node.mode(path) for path in ("/a", "/a/b", "/a/b/c")] == [0o755, 0o755, 0o700]
