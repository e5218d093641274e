# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _node_work
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError


def put(node, path, text=""):
    with open(node.path(path), "w") as stream:
        stream.write(text)


def test_a_watched_write(node):
    put(node, "/setting")
    assert _node_work.write_value(node, "/setting", 1, lambda seconds: None) is None
    assert node.read_text("/setting") == "1\n"


def test_a_watched_write_that_fails_says_why(node):
    os.mkdir(node.path("/setting"))
    with pytest.raises(NodeError) as caught:
        _node_work.write_value(node, "/setting", 1, lambda seconds: None)
    assert str(caught.value) == "/setting: Is a directory"


def test_a_watched_write_is_ended(node):
    # Nobody reads from the other end: the writer would wait for ever.
    os.mkfifo(node.path("/setting"))
    asked = []

    def stop(seconds):
        asked.append(seconds)
        return "long enough" if len(asked) == 3 else None

    assert _node_work.write_value(node, "/setting", 1, stop, interval=0) == "long enough"
    assert asked == sorted(asked)
    with pytest.raises(OSError):
        os.waitpid(-1, os.WNOHANG)


def test_a_writer_that_cannot_be_ended_is_left_to_the_kernel(node, monkeypatch):
    os.mkfifo(node.path("/setting"))
    monkeypatch.setattr(_node_work, "_GRACE_SECONDS", -1)
    monkeypatch.setattr(_node_work.os, "kill", lambda child, number: killed.append(child))
    killed = []
    assert _node_work.write_value(node, "/setting", 1, lambda seconds: "enough", interval=0).startswith("enough; ")
    monkeypatch.undo()
    os.kill(killed[0], 9)
    os.waitpid(killed[0], 0)
