# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import ctypes
import os
import struct

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _node_trust
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_trust import TrustingNode

PATH = "/etc/memfrag/policy.json"


@pytest.fixture(name="node")
def node_fixture(tmp_path):
    """A node with a policy that root has written."""
    build_roots.write(str(tmp_path), PATH.lstrip("/"), '{"order": 4}')
    for path in ("", "/etc", "/etc/memfrag"):
        os.chmod(str(tmp_path) + path, 0o755)
    os.chmod(str(tmp_path) + PATH, 0o644)
    return TrustingNode(str(tmp_path))


def refused(node, path=PATH):
    with pytest.raises(NodeError) as caught:
        node.read_trusted(path)
    assert "not obeyed, since " in str(caught.value)
    return caught.value.reason.replace(node.root, "")


def test_what_root_has_written_is_obeyed(node):
    assert node.weakness(PATH) is None
    assert node.read_trusted(PATH) == '{"order": 4}'
    for mode in (0o600, 0o640, 0o444):
        os.chmod(node.path(PATH), mode)
        assert node.read_trusted(PATH)


@pytest.mark.parametrize("mode", [0o646, 0o666, 0o602])
def test_a_file_that_everyone_may_write(node, mode):
    os.chmod(node.path(PATH), mode)
    assert refused(node) == "not obeyed, since %s may be written by everyone (mode %04o)" % (PATH, mode)


@pytest.mark.parametrize("path", ["/etc", "/etc/memfrag", ""])
def test_a_directory_on_the_way_that_everyone_may_write(node, path):
    os.chmod(node.root + path, 0o777)
    assert "%s may be written by everyone (mode 0777)" % path in refused(node)


# struct posix_acl_xattr_entry of the kernel's: tag, permissions, id. Users of the list are let in by its mask, the bits of the group.
LIST = [(1, 6, -1), (2, 6, 65534), (4, 4, -1), (16, 6, -1), (32, 4, -1)]


@pytest.mark.parametrize("path", [PATH, "/etc/memfrag", "/etc"])
def test_an_access_list_lets_others_write_to_what_looks_like_roots_groups(node, path, monkeypatch):
    """Mode 0664 of root's group: without a list only root's group may write."""
    real = node.path(path)
    os.chmod(real, 0o775 if os.path.isdir(real) else 0o664)
    os.chown(real, -1, os.getegid())
    assert node.read_trusted(PATH)
    data = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in LIST)
    library = ctypes.CDLL(None, use_errno=True)
    name = b"system.posix_acl_access"
    if library.setxattr(real.encode("utf-8"), name, data, ctypes.c_size_t(len(data)), 0):
        # The file system has none.
        monkeypatch.setattr(_node_trust, "_has_access_list", lambda path: path == real)
    assert "%s may be written by users of an access list" % path in refused(node)


def test_a_name_with_two_values_is_no_policy(node):
    build_roots.write(node.root, PATH.lstrip("/"), '{"window": "22:00-04:00", "window": null}')
    with pytest.raises(ValueError, match='"window" is there twice'):
        node.read_json(PATH)


def test_a_directory_with_the_sticky_bit_is_a_way(node):
    os.chmod(node.path("/etc"), 0o1777)
    assert node.read_trusted(PATH)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give files away")
@pytest.mark.parametrize("path", [PATH, "/etc/memfrag", "/etc"])
def test_what_belongs_to_somebody_else(node, path):
    os.chown(node.path(path), 65534, 0)
    assert refused(node) == "not obeyed, since %s belongs to user 65534" % path
    os.chown(node.path(path), 0, 65534)
    assert node.read_trusted(PATH)
    os.chmod(node.path(path), 0o775)
    assert refused(node) == "not obeyed, since %s may be written by group 65534 (mode 0775)" % path


def test_a_link_is_no_policy_and_a_way_all_the_same(node):
    os.rename(node.path(PATH), node.path("/etc/memfrag/real"))
    os.symlink("real", node.path(PATH))
    assert refused(node) == "not obeyed, since %s is a symbolic link" % PATH
    assert node.weakness(PATH, follow=True) is None
    os.symlink("memfrag", node.path("/etc/way"))
    assert node.read_trusted("/etc/way/real")
    # Absolute ones are those of the node.
    os.symlink("/etc/../etc/memfrag", node.path("/etc/other"))
    assert node.weakness("/etc/other/real") is None
    os.chmod(node.path("/etc/memfrag"), 0o777)
    assert "/etc/memfrag may be written by everyone" in node.weakness("/etc/way/real")
    os.symlink("circle", os.path.join(node.root, "etc/circle"))
    assert "one symbolic link too many" in node.weakness("/etc/circle", follow=True)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_plain_file(node, make):
    os.remove(node.path(PATH))
    make(node.path(PATH))
    os.chmod(node.path(PATH), 0o755)
    assert "is no plain file" in refused(node)


def test_what_is_not_there_or_too_large(node):
    with pytest.raises(NodeError) as caught:
        node.read_trusted("/etc/memfrag/none")
    assert caught.value.missing
    with pytest.raises(NodeError) as caught:
        node.read_trusted(PATH, limit=5)
    assert "is too large" in str(caught.value)
