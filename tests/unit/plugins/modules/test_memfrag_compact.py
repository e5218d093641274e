# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import io
import os
import shutil

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _node_work
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_locks import lock
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

MOVABLE = "6.1.0-56-cloud-amd64/fragmented-movable"
COMPACTED = "6.1.0-56-cloud-amd64/fragmented-movable-then-compacted"
UNMOVABLE = "6.1.0-56-cloud-amd64/fragmented-pipes"
HEALTHY = "6.1.0-56-cloud-amd64/healthy"
COMPACT = "/proc/sys/vm/compact_memory"
DROP = "/proc/sys/vm/drop_caches"


@pytest.fixture(name="kernel")
def kernel_fixture(monkeypatch, node_root):
    """-> a function that makes a capture a live node; writing to compact_memory turns it into another capture.

    Gives the root and the list of (path, value) that were written.
    """

    def make(name, compacted=COMPACTED):
        root, written = node_root(name), []
        os.mkdir(os.path.join(root, "run"))

        def write(node, path, value, stop):
            written.append((path, str(value)))
            if path == COMPACT and compacted:
                other = node_root(compacted)
                for entry in ("buddyinfo", "pagetypeinfo", "zoneinfo", "vmstat", "meminfo"):
                    shutil.copy(os.path.join(other, "proc", entry), os.path.join(node.root, "proc", entry))
                indices = "sys/kernel/debug/extfrag"
                shutil.rmtree(os.path.join(node.root, indices))
                shutil.copytree(os.path.join(other, indices), os.path.join(node.root, indices))

        monkeypatch.setattr(WritableNode, "live", True)
        monkeypatch.setattr(WritableNode, "uname", lambda node: ("6.1.0-56-cloud-amd64", "x86_64"))
        monkeypatch.setattr(WritableNode, "page_size", lambda node: 4096)
        monkeypatch.setattr(_node_work, "write_value", write)
        return root, written

    return make


def put(root, path, text):
    with io.open(root + path, "wb") as stream:
        stream.write(text.encode("ascii"))


def test_compacts_what_is_fragmented_and_measures_it(run_module, kernel):
    root, written = kernel(MOVABLE)
    result = run_module("memfrag_compact", {"root": root, "order": 9}, diff=True)
    assert result["changed"] and result["satisfied"] and result["helped"]
    assert result["reason"] == "needed"
    assert written == [(COMPACT, "1")]
    assert [(step["action"], step["path"], step["ended"]) for step in result["steps"]] == [("compact", COMPACT, "done")]
    before, after = result["before"]["nodes"]["0"], result["after"]["nodes"]["0"]
    assert before["state"] != "ok" or before["missing"]
    assert before["unusable_index"] > 900 and after["unusable_index"] < 300
    assert result["counters"]["compact_isolated"] > 0
    assert "Normal" in result["diff"]["before"] and result["diff"]["before"] != result["diff"]["after"]

    again = run_module("memfrag_compact", {"root": root, "order": 9})
    assert not again["changed"] and again["reason"] == "met" and again["after"] is None
    assert len(written) == 1


def test_a_healthy_node_is_left_alone(run_module, kernel):
    root, written = kernel(HEALTHY)
    result = run_module("memfrag_compact", {"root": root, "fail_if_unsatisfied": True}, diff=True)
    assert not result["changed"] and result["satisfied"] and result["reason"] == "met"
    assert result["diff"]["before"] == result["diff"]["after"]
    assert written == []


def test_check_mode_decides_and_writes_nothing(run_module, kernel):
    root, written = kernel(MOVABLE)
    result = run_module("memfrag_compact", {"root": root, "order": 9}, check_mode=True, diff=True)
    assert result["changed"] and result["nodes"] == [0] and result["after"] is None
    assert result["diff"]["after"] == "unknown\n"
    assert written == [] and os.listdir(os.path.join(root, "run")) == []
    assert not os.path.exists(root + "/var/lib/memfrag")


def test_unmovable_pages_are_no_failure_unless_asked(run_module, kernel):
    root, written = kernel(UNMOVABLE)
    options = {"root": root, "order": 9}
    result = run_module("memfrag_compact", options)
    assert not result.get("failed") and not result["changed"] and not result["satisfied"]
    assert result["reason"] == "unmovable" and "compaction would not help" in result["message"]
    failed = run_module("memfrag_compact", dict(options, fail_if_unsatisfied=True))
    assert failed["failed"] and "not in the wanted condition" in failed["msg"] and failed["reason"] == "unmovable"
    assert written == []


def test_force_compacts_what_is_satisfied(run_module, kernel):
    root, written = kernel(HEALTHY, compacted=None)
    for _unused in range(2):
        assert run_module("memfrag_compact", {"root": root, "force": True, "drop_caches": "slab"})["changed"]
    assert written == [(DROP, "2"), (COMPACT, "1")] * 2


def test_single_numa_nodes(run_module, kernel):
    root, written = kernel("5.10.0-46-cloud-amd64/numa-fragmented", compacted=None)
    for number in (0, 1):
        os.makedirs(root + "/sys/devices/system/node/node%d" % number)
        put(root, "/sys/devices/system/node/node%d/compact" % number, "")
    result = run_module("memfrag_compact", {"root": root, "force": True, "nodes": [1]})
    assert written == [("/sys/devices/system/node/node1/compact", "1")]
    assert result["nodes"] == [1] and list(result["before"]["nodes"]) == ["1"]


@pytest.mark.parametrize(
    "options, path, text, reason",
    [
        ({"max_load_per_cpu": 2}, "/proc/loadavg", "9.00 900.00 9.00 1/100 4711\n", "load"),
        (
            {},
            "/proc/pressure/memory",
            "some avg10=7.50 avg60=1.00 avg300=0.20 total=3\nfull avg10=0 avg60=0 avg300=0 total=0\n",
            "pressure",
        ),
        ({}, "/proc/meminfo", "MemTotal: 316748 kB\nMemFree: 3000 kB\nMemAvailable: 3000 kB\n", "low_memory"),
        ({}, "/.dockerenv", "", "container"),
    ],
)
def test_guards_hold_it_off(run_module, kernel, options, path, text, reason):
    root, written = kernel(MOVABLE)
    if not os.path.isdir(os.path.dirname(root + path)):
        os.makedirs(os.path.dirname(root + path))
    put(root, path, text)
    if reason == "load":
        os.makedirs(root + "/sys/devices/system/cpu")
        put(root, "/sys/devices/system/cpu/online", "0-1\n")
    result = run_module("memfrag_compact", dict(options, root=root, order=9, force=True))
    assert (result["reason"], result["changed"], result.get("failed", False)) == (reason, False, False)
    assert written == []


def test_the_lock_is_heeded(run_module, kernel):
    root, written = kernel(MOVABLE)
    with lock(WritableNode(root), "/run/memfrag.lock") as held:
        assert held
        result = run_module("memfrag_compact", {"root": root, "order": 9})
    assert result["reason"] == "locked" and not result["changed"] and written == []


def test_a_kernel_without_compaction_is_named(run_module, kernel):
    root, written = kernel(MOVABLE)
    os.unlink(root + COMPACT)
    result = run_module("memfrag_compact", {"root": root, "order": 9})
    assert result["failed"] and "CONFIG_COMPACTION" in result["msg"] and written == []


@pytest.mark.parametrize("number, words", [(errno.EROFS, "read-only"), (errno.EACCES, "permission denied")])
def test_what_cannot_be_written_is_named(run_module, kernel, monkeypatch, number, words):
    root, written = kernel(MOVABLE)

    def refuse(node, path):
        raise NodeError(path, words, number)

    monkeypatch.setattr(WritableNode, "check_writable", refuse)
    result = run_module("memfrag_compact", {"root": root, "order": 9})
    assert result["failed"] and COMPACT in result["msg"] and words in result["msg"] and written == []


def test_only_the_running_kernel_is_compacted(run_module, node_root):
    root = node_root(MOVABLE)
    os.mkdir(os.path.join(root, "run"))
    result = run_module("memfrag_compact", {"root": root, "order": 9})
    assert result["failed"] and "is not the running kernel" in result["msg"]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"order": 11}, "order: 11 is more than this kernel has"),
        ({"order": 0}, "is out of range: auto or a whole number from 1 to 20"),
        ({"order": "many"}, 'order: "many" is not allowed: auto or a whole number from 1 to 20'),
        ({"nodes": [7]}, "nodes: there is no node 7; there are 0"),
        ({"min_free_blocks": -1}, "min_free_blocks: -1"),
        ({"max_unusable_index": 1001}, "max_unusable_index: 1001"),
        ({"window": "25:00-26:00"}, "window: "),
        ({"max_pressure_percent": 9.0}, "max_pressure_percent: 9.0 is above abort_pressure_percent"),
        ({"drop_caches": "4"}, "drop_caches"),
        ({"zones": ["normal"]}, "zones"),
        ({"root": "/no/such/root"}, "/no/such/root"),
    ],
)
def test_bad_options_are_named(run_module, kernel, options, words):
    root, written = kernel(HEALTHY)
    result = run_module("memfrag_compact", dict({"root": root}, **options))
    assert result["failed"] and words in result["msg"] and written == []
