# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _node_files
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode


@pytest.fixture(name="node")
def node_fixture(tmp_path):
    return WritableNode(str(tmp_path))


@pytest.mark.parametrize("by_libc", [True, False])
def test_the_selinux_label_of_a_file_goes_over_to_what_replaces_it(by_libc, node, monkeypatch):
    if not hasattr(os, "setxattr"):
        pytest.skip("needs Python 3 to look at labels; molecule has Python 2.7 write files")
    label = b"system_u:object_r:memfrag_test_t:s0\0"
    node.write_file("/labelled", "one")
    path = node.path("/labelled")
    try:
        os.setxattr(path, "security.selinux", label)
    except OSError:
        pytest.skip("labels can be set by root alone, and not on every file system")
    if by_libc:
        monkeypatch.setattr(_node_files, "os", _WithoutAttributes())
    node.write_file("/labelled", "two")
    assert node.read_text("/labelled") == "two"
    assert os.getxattr(path, "security.selinux") == label
    node.write_file("/new", "three")


class _WithoutAttributes(object):
    """The module os, as Python 2.7 has it."""

    def __getattr__(self, name):
        if name.endswith("xattr"):
            raise AttributeError(name)
        return getattr(os, name)
