# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the library share: nodes, and the node tool."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _entry
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode


@pytest.fixture(name="node")
def node_fixture(tmp_path):
    """A node with no files"""
    return WritableNode(str(tmp_path))


@pytest.fixture(name="running")
def running_fixture(node_root):
    """-> a function that makes the root of a kernel that may be compacted, which changes nothing in it"""

    def make(name):
        root = node_root(name)
        build_roots.write(
            root, "proc/sys/kernel/random/boot_id", Node("/").read_text("/proc/sys/kernel/random/boot_id")
        )
        build_roots.write(root, "sys/devices/system/node/node0/compact")
        build_roots.write(root, "run/keep")
        return root

    return make


@pytest.fixture(name="memfrag")
def memfrag_fixture(capsys):
    """-> a function that runs the command: (exit status, what it printed, its errors)"""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = _entry.main(list(arguments))
        except SystemExit as ended:
            status = ended.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run
