# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_locks import lock


def test_a_lock_is_held_once_and_goes_with_its_holder(node):
    with lock(node, "/lock") as first, lock(node, "/lock") as second, lock(node, "/lock", create=False) as third:
        assert (first, second, third) == (True, False, False)
    with lock(node, "/lock") as again:
        assert again


def test_a_lock_that_is_only_looked_at_is_not_made(node):
    with lock(node, "/lock", create=False) as held:
        assert held
    assert node.listdir("/") == []


def test_a_lock_is_no_link_to_elsewhere(node):
    node.write_file("/elsewhere", "")
    os.symlink("elsewhere", node.path("/lock"))
    with pytest.raises(NodeError), lock(node, "/lock"):
        pass
