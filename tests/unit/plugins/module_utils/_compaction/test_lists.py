# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import lists
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

ZONE = "Node 0, zone   Normal\n  pagesets\n    cpu: 0\n              count: %d\n              high:  %d\n              batch: 63\n"
HIGH_MIN, BATCH = 189, 63


class Lists(WritableNode):
    """A machine with one list, which shrinks by the kernel's rule (mm/page_alloc.c, decay_pcp_high()) with each read of stat_refresh."""

    def __init__(self, root, count, high):
        WritableNode.__init__(self, root)
        self.count, self.high, self.asked = count, high, 0

    def read_text(self, path, limit=1 << 20):
        if path == "/proc/zoneinfo":
            return ZONE % (self.count, self.high)
        if path == lists.REFRESH and self.high is not None:
            self.asked += 1
            if self.high > HIGH_MIN:
                self.high = max(self.count - (BATCH << 5), self.high - (self.high >> 3), HIGH_MIN)
                self.count = min(self.count, self.high)
            return ""
        return WritableNode.read_text(self, path, limit)


def test_lists_that_have_grown_give_it_back(tmp_path):
    # As seen on Linux 7.3 after a compaction.
    node = Lists(str(tmp_path), 3505, 3505)
    assert lists.give_back(node)
    assert node.count == HIGH_MIN and node.asked < 30


def test_lists_of_a_fixed_length_are_let_be(tmp_path):
    node = Lists(str(tmp_path), 150, HIGH_MIN)
    assert lists.give_back(node)
    assert (node.count, node.asked) == (150, 2)
    assert not lists.give_back(Lists(str(tmp_path), 0, HIGH_MIN))


def test_lists_that_may_still_grow_lose_that_too(tmp_path):
    # Hardly filled now. What a compaction frees next they would keep.
    node = Lists(str(tmp_path), 352, 3505)
    assert lists.give_back(node)
    assert (node.count, node.high) == (HIGH_MIN, HIGH_MIN)


def test_lists_that_somebody_fills_do_not_keep_it_at_that(tmp_path):
    node = Lists(str(tmp_path), 3505, 3505)
    refresh = node.read_text

    def busy(path, limit=1 << 20):
        node.count = node.high = 3505
        return refresh(path, limit)

    node.read_text = busy
    lists.give_back(node)
    assert node.asked == 2


def test_it_ends_when_it_is_told_to(tmp_path):
    node, reasons = Lists(str(tmp_path), 3505, 3505), [None, None, None, "time limit of 1 seconds"]
    lists.give_back(node, lambda: reasons.pop(0))
    assert node.asked == 3


@pytest.mark.parametrize("text", ["", "Node 0, zone Normal\n", "Node 0, zone   Normal\n  pages free 7\n"])
def test_a_kernel_that_does_not_tell_is_asked_nothing(text, tmp_path):
    build_roots.write(str(tmp_path), "proc/zoneinfo", text)
    build_roots.write(str(tmp_path), "proc/sys/vm/stat_refresh")
    assert lists.read(WritableNode(str(tmp_path))) == {}
    assert not lists.give_back(WritableNode(str(tmp_path)))
    # Nor is one that has no such file (before Linux 4.7).
    build_roots.write(str(tmp_path), "proc/zoneinfo", ZONE % (150, HIGH_MIN))
    (tmp_path / "proc/sys/vm/stat_refresh").unlink()
    assert not lists.give_back(WritableNode(str(tmp_path)))


def test_what_a_list_has_beyond_its_due():
    before = {(0, "Normal"): (100, 189), (1, "Normal"): (0, 189)}
    assert lists.grown(before, {(0, "Normal"): (289, 400), (1, "Normal"): (150, 189), (2, "Normal"): (9999, 189)}) == 0
    assert lists.grown(before, {(0, "Normal"): (300, 400), (1, "Normal"): (200, 400)}) == 22
