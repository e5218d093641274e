# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import io
import os
import socket

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node, NodeError


def test_reads_below_its_root(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "buddyinfo").write_bytes(b"Node 0\xff\n")
    node = Node(str(tmp_path))
    assert node.read_text("/proc/buddyinfo") == b"Node 0\xef\xbf\xbd\n".decode("utf-8")
    assert node.exists("/proc/buddyinfo")
    assert not node.exists("/proc/zoneinfo")
    assert node.glob("/proc/b*") == ["/proc/buddyinfo"]
    assert node.listdir("/proc") == ["buddyinfo"]
    assert not node.live
    assert Node("/").live


def test_says_what_is_wrong(tmp_path):
    node = Node(str(tmp_path))
    with pytest.raises(NodeError) as caught:
        node.read_text("/proc/slabinfo")
    assert str(caught.value) == "/proc/slabinfo: no such file"
    assert caught.value.missing
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(NodeError, match="big: too large"):
        node.read_bytes("/big", limit=10)
    assert node.read_bytes("/big", limit=11) == b"x" * 11
    with pytest.raises(NodeError, match="root is not a directory"):
        Node(str(tmp_path / "nowhere"))


def test_links_do_not_lead_out_of_an_archive(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    os.symlink(str(tmp_path / "secret"), str(tmp_path / "root" / "out"))
    os.symlink("inside", str(tmp_path / "root" / "link"))
    (tmp_path / "root" / "inside").write_bytes(b"fine")
    node = Node(str(tmp_path / "root"))
    assert node.read_text("/link") == "fine"
    with pytest.raises(NodeError, match="a symbolic link leads out of"):
        node.read_text("/out")
    with pytest.raises(NodeError, match="a symbolic link leads out of"):
        node.read_text("/../secret")


def test_counts_directories(tmp_path):
    for name in ("a/b/c", "a/d", "e"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(b"")
    os.symlink("a", str(tmp_path / "link"))
    assert Node(str(tmp_path)).count_directories("/") == 6
    with pytest.raises(NodeError, match="no such directory"):
        Node(str(tmp_path)).count_directories("/nowhere")


def test_a_sysctl_is_read_in_pieces_smaller_than_a_page(tmp_path, monkeypatch):
    # The kernel allocates a buffer as large as the read, in one piece: 64 MB of it fail with ENOMEM, and on a fragmented
    # node much less does.
    sizes = []

    class Recorder(io.FileIO):
        def read(self, size=-1):
            sizes.append(size)
            return io.FileIO.read(self, size)

    (tmp_path / "proc" / "sys" / "vm").mkdir(parents=True)
    (tmp_path / "proc" / "sys" / "vm" / "min_free_kbytes").write_bytes(b"67584\n")
    monkeypatch.setattr(io, "open", lambda descriptor, mode, buffering: Recorder(descriptor, "rb"))
    assert Node(str(tmp_path)).read_text("/proc/sys/vm/min_free_kbytes") == "67584\n"
    assert sizes and max(sizes) < 4096


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(str(tmp_path / "fifo"))
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path in ("fifo", "socket", "."):
            for read in (Node(str(tmp_path)).read_bytes, Node(str(tmp_path)).open_binary):
                with pytest.raises(NodeError, match="not a regular file"):
                    read("/" + path)
    with pytest.raises(NodeError, match="/dev/zero: not a regular file"):
        Node("/").read_bytes("/dev/zero")


@pytest.mark.parametrize(
    "swap",
    [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)],
    ids=["fifo", "directory", "device"],
)
def test_what_came_in_between_looking_and_opening_is_not_read(tmp_path, monkeypatch, swap):
    path = str(tmp_path / "log")
    check = _node._must_be_regular

    def checked(name, status):
        check(name, status)
        if os.path.isfile(path):
            os.unlink(path)
            swap(path)

    monkeypatch.setattr(_node, "_must_be_regular", checked)
    before = len(os.listdir("/proc/self/fd"))
    for read in (Node("/").read_bytes, Node("/").open_binary):
        (tmp_path / "new").write_bytes(b"x")
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        os.rename(str(tmp_path / "new"), path)
        with pytest.raises(NodeError, match="not a regular file"):
            read(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_link_that_came_in_between_does_not_lead_out(tmp_path, monkeypatch):
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    os.symlink(str(tmp_path / "secret"), str(tmp_path / "root" / "out"))
    node = Node(str(tmp_path / "root"))
    monkeypatch.setattr(node, "path", lambda path: str(tmp_path / "root" / "out"))
    with pytest.raises(NodeError, match="a symbolic link leads out of"):
        node.read_bytes("/out")
