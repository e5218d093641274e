# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ctypes
import os

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _node_files

# One that any user may give; what SELinux calls a file is root's to change.
LABEL = "user.memfrag"


class _WithoutAttributes(object):
    """The module os, as Python 2.7 has it."""

    def __getattr__(self, name):
        if name.endswith("xattr"):
            raise AttributeError(name)
        return getattr(os, name)


@pytest.mark.parametrize("by_libc", [True, False])
def test_the_label_of_a_file_goes_over_to_what_replaces_it(by_libc, tmp_path, monkeypatch):
    path, libc, found = str(tmp_path / "labelled"), ctypes.CDLL(None), ctypes.create_string_buffer(100)
    monkeypatch.setattr(_node_files, "_LABEL", LABEL)
    if by_libc:
        monkeypatch.setattr(_node_files, "os", _WithoutAttributes())
    _node_files.replace(path, b"one", 0o644)
    given = libc.setxattr(path.encode("utf-8"), LABEL.encode("ascii"), b"system_u:t:s0", ctypes.c_size_t(13), 0)
    assert given == 0, "a file system that keeps no attributes, see --basetemp"
    _node_files.replace(path, b"two", 0o644)
    length = libc.getxattr(path.encode("utf-8"), LABEL.encode("ascii"), found, ctypes.c_size_t(100))
    assert found.raw[: max(0, length)] == b"system_u:t:s0"
    with open(path, "rb") as stream:
        assert stream.read() == b"two"


def test_a_file_without_a_label_gets_none(tmp_path):
    _node_files.replace(str(tmp_path / "new"), b"three", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]
