# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import re
import shutil
import struct

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import (
    _consumers,
    _facts,
    _install,
    _logline,
    _metrics,
    _metrics_state,
    _node_work,
    _pageblocks,
    _releases,
    _scanners,
    _yields,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import node_state
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import policy as assess_policy
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import (
    lists,
    plan,
    promise,
    run,
    state,
    steps,
    target,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_locks import lock
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.module_utils._options import OptionError
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import zoneinfo

MOVABLE = "6.1.0-56-cloud-amd64/fragmented-movable"
COMPACTED = "6.1.0-56-cloud-amd64/fragmented-movable-then-compacted"
PINNED = "6.1.0-56-cloud-amd64/fragmented"
HEALTHY = "6.1.0-56-cloud-amd64/healthy"
NUMA = "6.12.107+deb13-cloud-amd64/numa-fragmented"

# What the job has to make of each capture, with the policy as it comes.
DECISIONS = {
    "5.10.0-46-cloud-amd64/fragmented": "unmovable",
    "5.10.0-46-cloud-amd64/fragmented-movable": "needed",
    "5.10.0-46-cloud-amd64/healthy": "met",
    "5.10.0-46-cloud-amd64/numa-fragmented": "unmovable",
    "5.10.0-46-cloud-amd64/numa-healthy": "met",
    "6.1.0-56-cloud-amd64/fragmented": "unmovable",
    "6.1.0-56-cloud-amd64/fragmented-movable": "needed",
    "6.1.0-56-cloud-amd64/fragmented-movable-then-compacted": "met",
    "6.1.0-56-cloud-amd64/fragmented-pipes": "unmovable",
    "6.1.0-56-cloud-amd64/fragmented-pipes-then-compacted": "unmovable",
    "6.1.0-56-cloud-amd64/fragmented-then-compacted": "unmovable",
    "6.1.0-56-cloud-amd64/healthy": "met",
    "6.1.0-56-cloud-amd64/oom": "met",
    "6.1.0-56-cloud-amd64/oom-highorder": "unmovable",
    "6.1.0-56-cloud-amd64/released-3s": "met",
    "6.1.0-56-cloud-amd64/slab-sparse": "met",
    # A quarter of the free memory is in blocks of order 5: what is fragmented there is order 11, below.
    "6.12.107+deb13-arm64-16k/fragmented-movable": "met",
    "6.12.107+deb13-arm64-16k/fragmented-pipes": "met",
    "6.12.107+deb13-arm64-16k/healthy": "met",
    "6.12.107+deb13-cloud-amd64/fragmented": "unmovable",
    "6.12.107+deb13-cloud-amd64/fragmented-movable": "needed",
    "6.12.107+deb13-cloud-amd64/fragmented-pipes": "unmovable",
    "6.12.107+deb13-cloud-amd64/healthy": "met",
    "6.12.107+deb13-cloud-amd64/numa-fragmented": "unmovable",
    "seeds/001-compacted": "needed",
    "seeds/001-failing": "needed",
    "seeds/001-healthy": "met",
    "seeds/002": "needed",
}


def policy(**options):
    """The captures are told apart best at the order that a network namespace asks for on old kernels."""
    return target.complete(dict({"order": 5}, **options))


def collect(root, order=5):
    return _facts.collect(Node(root), target.subset({"order": order}))


class Kernel(WritableNode):
    """The root tree of a capture that turns into the next of ``states`` whenever it is told to compact."""

    def __init__(self, root, states=()):
        WritableNode.__init__(self, root)
        self.states, self.written = list(states), []

    def work(self, path, value, stop):
        self.written.append((path, value))
        if self.states and path.endswith(("compact", "compact_memory")):
            state = self.states.pop(0)
            for name in ("buddyinfo", "pagetypeinfo", "zoneinfo", "vmstat", "meminfo"):
                shutil.copy(os.path.join(state, "proc", name), os.path.join(self.root, "proc", name))
        return stop(0)


@pytest.fixture(name="kernel")
def kernel_fixture(monkeypatch, node_root, tmp_path):
    """-> a function that makes a Kernel: a capture, and those that follow it with each compaction"""
    made = []
    monkeypatch.setattr(_node_work, "write_value", lambda node, path, value, stop: node.work(path, value, stop))
    monkeypatch.setattr(_node_work, "sync", lambda stop: stop(0))

    def make(name, *following, **options):
        root = build_roots.build(name, str(tmp_path / ("kernel-%d" % len(made))), ("extfrag_index", "unusable_index"))
        made.append(root)
        # What a root shows is the running kernel's if it has its boot id.
        build_roots.write(
            root, "proc/sys/kernel/random/boot_id", Node("/").read_text("/proc/sys/kernel/random/boot_id")
        )
        for number in range(options.get("nodes", 1)):
            build_roots.write(root, "sys/devices/system/node/node%d/compact" % number)
        build_roots.write(root, "run/keep")
        return Kernel(root, [node_root(one) for one in following])

    return make


FREE, MOVABLE_PAGE, SLAB = 1 << 10, 1 << 5, 1 << 7


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(_pageblocks, "_BURST", 60)


def put_pages(root, words):
    """A /proc/kpageflags of the capture's zones: these flag words over and over, from where pageblocks start."""
    about = zoneinfo.parse_zoneinfo(Node(root).read_text("/proc/zoneinfo"))[0]
    with open(os.path.join(root, "proc/kpageflags"), "wb") as stream:
        for zone in _pageblocks.zones_of(about, 512):
            stream.seek(zone.first * 512 * 8)
            stream.write(struct.pack("=%dQ" % len(words), *words) * (zone.span * 512 // len(words) + 1))


# Every second page is free, so that half of the pageblocks can be emptied into the others; and the same with a page of slab in each.
HALF_FREE = [FREE, MOVABLE_PAGE] * 256
PINNED_PAGES = ([FREE, MOVABLE_PAGE] * 8)[:-1] + [SLAB]


# --- the policy ---------------------------------------------------------------------------------------------------


def test_a_policy_is_complete_and_a_copy_of_no_default():
    complete = policy(order=4)
    assert set(complete) == set(target.OPTIONS)
    assert complete["order"] == 4
    assert complete["min_free_blocks"] == target.OPTIONS["min_free_blocks"]["default"]
    assert target.complete(complete) == complete
    assert complete["zones"] is not target.OPTIONS["zones"]["default"]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"odrer": 5}, "odrer: no such option; there are abort_pressure_percent"),
        ({"order": 0}, "order: 0 is out of range: auto or a whole number from 1 to 20"),
        ({"order": True}, "order: true is not allowed: auto or a whole number"),
        ({"order": "five"}, 'order: "five" is not allowed: auto or a whole number from 1 to 20'),
        ({"order": 5.5}, "order: 5.5 is not allowed: auto or a whole number"),
        ({"max_pressure_percent": 101}, "max_pressure_percent: 101 is not a number from 0 to 100"),
        ({"max_pressure_percent": 6}, "max_pressure_percent: 6.0 is above abort_pressure_percent (5.0)"),
        ({"nodes": "0"}, 'nodes: "0" is not a list'),
        ({"nodes": [-1]}, "nodes: -1 is not a whole number from 0 to 1023"),
        ({"zones": ["Normal", "normal"]}, 'zones: "normal" is not one of DMA, DMA32, Normal, HighMem, Movable'),
        ({"force": "yes"}, 'force: "yes" is neither true nor false'),
        ({"drop_caches": "3"}, 'drop_caches: "3" is not one of auto, none, slab, pagecache, all'),
        ({"window": "9-17"}, 'window: "9-17" is not of the form HH:MM-HH:MM'),
        ({"window": "24:00-01:00"}, "window:"),
    ],
)
def test_a_wrong_policy_is_refused_by_name(options, words):
    with pytest.raises(OptionError) as caught:
        target.complete(options)
    assert words in str(caught.value)


def test_numbers_may_come_as_text_and_guards_may_be_off():
    complete = policy(order="7", max_load_per_cpu="1.5", max_pressure_percent=None, window=None)
    assert (complete["order"], complete["max_load_per_cpu"], complete["max_pressure_percent"]) == (7, 1.5, None)
    assert policy(order=None)["order"] == "auto"


def test_an_order_or_node_that_is_not_there_is_refused(node_root):
    facts = collect(node_root(HEALTHY))
    with pytest.raises(OptionError) as caught:
        plan.plan(facts, policy(order=11))
    assert str(caught.value) == "order: 11 is more than this kernel has; its orders are 0 to 10"
    with pytest.raises(OptionError) as caught:
        plan.plan(facts, policy(nodes=[0, 3]))
    assert str(caught.value) == "nodes: there is no node 3; there are 0"
    # 16 kB pages: twelve orders.
    facts = collect(node_root("6.12.107+deb13-arm64-16k/healthy"))
    assert plan.plan(facts, policy(order=11))["reason"] == "met"


# --- the order "auto" ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", build_roots.names())
def test_auto_is_each_order_without_which_something_fails(name, node_root):
    rule = target.complete({})
    facts = collect(node_root(name), rule["order"])
    orders = target.resolve(facts, rule)["orders"]
    kernel = dict(facts["kernel"], containers=facts["containers"])
    caches, groups = facts["slab"]["nf_conntrack_caches"], (facts["cgroups"] or {}).get("memory_cgroups")
    fails = {order for order, dummy, hard in _consumers.requests(kernel, caches, groups) if hard}
    fails.add(_releases.order_of(32768, facts["kernel"]["page_size"]))
    assert {row["order"] for row in orders} == fails
    assert all(row["needed_by"] for row in orders)
    # The assessment holds the node to the same.
    assert sorted(node_state.NodeState(facts, None, assess_policy.complete(None)).needed) == sorted(fails)
    verdict = plan.plan(facts, rule)
    assert verdict["orders"] == orders and verdict["order"] in fails
    for node in verdict["before"]["nodes"].values():
        assert [row["order"] for row in node["orders"]] == [row["order"] for row in orders]
        assert node["satisfied"] == all(row["satisfied"] for row in node["orders"])


def old_kernel(facts, caches, groups):
    """The facts as those of el7 with containers: one conntrack cache per network namespace, and an array per memory cgroup with it."""
    kernel = dict(facts["kernel"], release="3.10.0-1160.el7.x86_64", vmap_stack=None)
    return dict(
        facts, kernel=kernel, containers=True, slab={"nf_conntrack_caches": caches}, cgroups={"memory_cgroups": groups}
    )


def test_the_largest_order_that_is_lacking_and_can_be_had_decides(node_root):
    facts = old_kernel(collect(node_root(PINNED)), 3, 10000)
    verdict = plan.plan(facts, target.complete({}))
    assert [row["order"] for row in verdict["orders"]] == [3, 5]
    largest = verdict["orders"][-1]
    assert "nf_conntrack" in largest["needed_by"][-1]
    assert (verdict["reason"], verdict["order"]) == ("unmovable", largest["order"])
    node = verdict["before"]["nodes"]["0"]
    assert (node["order"], node["satisfied"]) == (largest["order"], False)
    assert node["orders"][0]["satisfied"]
    # Compaction would bring it where the pages can be moved.
    facts = old_kernel(collect(node_root(MOVABLE)), 3, 10000)
    verdict = plan.plan(facts, target.complete({}))
    assert (verdict["reason"], verdict["order"]) == ("needed", largest["order"])


def test_where_the_largest_cannot_be_had_a_smaller_one_is_compacted_for(node_root, monkeypatch):
    facts = old_kernel(collect(node_root(MOVABLE)), 3, 10000)
    for zone in facts["zones"]:
        zone["unusable_index"] = [1000] * len(zone["unusable_index"])

    def obstacle(outlook, order):
        return "unmovable" if order > 3 else None

    monkeypatch.setattr(plan.Outlook, "obstacle", obstacle)
    verdict = plan.plan(facts, target.complete({}))
    assert (verdict["reason"], verdict["order"], verdict["nodes"]) == ("needed", 3, [0])


def test_pages_so_large_that_nobody_needs_two(node_root):
    facts = collect(node_root(HEALTHY), "auto")
    facts["kernel"] = dict(facts["kernel"], page_size=65536, page_table_isolation=False)
    assert target.resolve(facts, target.complete({}))["orders"] == [{"order": 1, "needed_by": []}]
    assert plan.plan(facts, target.complete({}))["reason"] == "met"


def test_a_number_is_that_order_and_says_who_needs_it(node_root):
    orders = target.resolve(collect(node_root(HEALTHY)), policy(order="9"))["orders"]
    assert orders == [{"order": 9, "needed_by": ["huge pages, transparent and reserved ones (performance only)"]}]


def test_a_run_for_several_orders_measures_what_decided(kernel):
    node = kernel(MOVABLE, COMPACTED)
    rule = dict(policy(), orders=[{"order": 3, "needed_by": []}, {"order": 5, "needed_by": ["somebody"]}])
    result = run.run(node, rule)
    orders = [row["order"] for row in result["orders"]]
    assert (orders, result["order"], result["acted"], result["satisfied"]) == ([3, 5], 5, True, True)
    assert "free blocks of order %d " % result["order"] in result["message"]
    assert [row["order"] for row in result["after"]["nodes"]["0"]["orders"]] == orders


# --- the plan -----------------------------------------------------------------------------------------------------


def test_every_capture_is_decided_on():
    assert sorted(DECISIONS) == build_roots.names()


@pytest.mark.parametrize("name", sorted(DECISIONS))
def test_decision(name, node_root):
    verdict = plan.plan(collect(node_root(name)), policy())
    assert verdict["reason"] == DECISIONS[name]
    assert verdict["act"] == (verdict["reason"] == "needed") == bool(verdict["nodes"])
    assert verdict["before"]["satisfied"] == (verdict["reason"] == "met")


@pytest.mark.parametrize(
    "name, reason",
    [
        ("6.12.107+deb13-arm64-16k/fragmented-movable", "needed"),
        ("6.12.107+deb13-arm64-16k/fragmented-pipes", "unmovable"),
        ("6.12.107+deb13-arm64-16k/healthy", "met"),
    ],
)
def test_decision_on_huge_pages(name, reason, node_root):
    assert plan.plan(collect(node_root(name)), policy(order=11))["reason"] == reason


def test_shortage_is_not_for_compaction(node_root):
    facts = collect(node_root(MOVABLE))
    for zone in facts["zones"]:
        zone["free_blocks"] = [zone["watermarks"]["low"] // 2] + [0] * 10
        zone["free_pages"] = zone["free_blocks"][0]
        zone["migratetypes"]["Movable"] = list(zone["free_blocks"])
        zone["states"] = ["exhausted"] * 11
        zone["unusable_index"] = [0] + [1000] * 10
    verdict = plan.plan(facts, policy())
    assert (verdict["act"], verdict["reason"]) == (False, "memory_shortage")
    # Whoever asks for caches to be dropped first has an answer to that.
    assert plan.plan(facts, policy(drop_caches="all"))["reason"] == "needed"


def test_a_kernel_without_compaction_is_told_so(node_root):
    facts = collect(node_root(MOVABLE))
    facts["kernel"]["config_compaction"] = False
    verdict = plan.plan(facts, policy())
    assert (verdict["act"], verdict["reason"]) == (False, "unsupported")
    assert "CONFIG_COMPACTION" in verdict["message"]


def test_no_zone_is_no_silent_success(node_root):
    facts = collect(node_root(HEALTHY, without=("buddyinfo",)))
    verdict = plan.plan(facts, policy())
    assert (verdict["act"], verdict["reason"]) == (False, "no_zones")
    assert "/proc/buddyinfo" in verdict["message"]


def test_force_compacts_a_healthy_node_and_keeps_the_guards(node_root, quiet):
    facts = collect(node_root(HEALTHY))
    assert plan.plan(facts, policy(force=True), quiet())["reason"] == "forced"
    assert plan.plan(facts, policy(force=True), quiet(container="lxc"))["reason"] == "container"


def test_the_measure_speaks_for_each_node(node_root):
    facts = collect(node_root(NUMA))
    nodes = target.measure(facts, policy())["nodes"]
    assert sorted(nodes) == ["0", "1"]
    for name, about in nodes.items():
        assert about["state"] == facts["allocatable"][5]["nodes"][name]
    assert sorted(target.measure(facts, policy(nodes=[1]))["nodes"]) == ["1"]


def test_only_the_node_in_need_is_compacted(node_root):
    sick, well = collect(node_root(MOVABLE)), collect(node_root(HEALTHY))
    for zone in sick["zones"]:
        zone["node"] = 1
    facts = dict(well, zones=well["zones"] + sick["zones"])
    assert plan.plan(facts, policy())["nodes"] == [1]


def test_a_goal_beyond_half_of_the_free_memory_is_cut(node_root):
    # 768 MB in blocks of 32 MB: sixteen of them are not there to be had.
    facts = collect(node_root("6.12.107+deb13-arm64-16k/healthy"))
    assert target.measure(facts, policy(order=11, min_free_blocks=1000000))["satisfied"]


# --- the run ------------------------------------------------------------------------------------------------------


def test_a_run_that_helps(kernel):
    node = kernel(MOVABLE, COMPACTED)
    result = run.run(node, policy())
    assert node.written == [("/sys/devices/system/node/node0/compact", 1)]
    assert (result["acted"], result["reason"], result["satisfied"], result["helped"]) == (True, "needed", True, True)
    assert [(step["action"], step["node"], step["ended"]) for step in result["steps"]] == [("compact", 0, "done")]
    before, after = result["before"]["nodes"]["0"], result["after"]["nodes"]["0"]
    assert (before["unusable_index"], after["unusable_index"]) == (985, 135)
    assert after["free_blocks"] > before["free_blocks"]
    assert result["counters"]["compact_isolated"] > 0
    assert "unusable index 985 -> 135" in result["message"]
    found = state.load(node)
    assert (found["failures"], found["retry_after"], found["runs"]) == (0, 0, {"needed": 1})


def test_a_run_that_does_not_help_is_not_repeated_at_once(kernel):
    node = kernel("seeds/001-failing")
    first = run.run(node, policy())
    assert (first["acted"], first["helped"], first["satisfied"]) == (True, False, False)
    # It has no pagetypeinfo, so that nobody could know. Now it is known.
    second = run.run(node, policy())
    assert (second["acted"], second["reason"]) == (False, "backoff")
    assert len(node.written) == 1
    found = state.load(node)
    assert (found["failures"], found["runs"]) == (1, {"needed": 1, "backoff": 1})


def test_kernels_without_numa_have_one_file(kernel):
    node = kernel(MOVABLE, COMPACTED, nodes=0)
    assert run.run(node, policy())["satisfied"]
    assert node.written == [("/proc/sys/vm/compact_memory", 1)]


def test_a_dry_run_writes_nothing(kernel):
    node = kernel(MOVABLE)
    there = sorted(os.walk(node.root))
    result = run.run(node, policy(), dry_run=True)
    assert (result["act"], result["acted"], result["reason"]) == (True, False, "needed")
    assert (node.written, sorted(os.walk(node.root))) == ([], there)


def test_another_run_holds_the_lock(kernel):
    node = kernel(MOVABLE)
    with lock(node, "/run/memfrag.lock") as held:
        assert held
        for dry_run in (True, False):
            result = run.run(Kernel(node.root), policy(), dry_run=dry_run)
            assert (result["acted"], result["reason"]) == (False, "locked")
    assert run.run(node, policy())["acted"]


def test_an_archive_is_not_compacted(node_root):
    node = Kernel(node_root(MOVABLE))
    build_roots.write(node.root, "run/keep")
    result = run.run(node, policy())
    assert (result["acted"], result["reason"], node.written) == (False, "not_live", [])
    assert "not the running kernel" in result["error"]


def test_a_file_that_cannot_be_written_is_named(kernel):
    node = kernel(MOVABLE, nodes=0)
    os.remove(os.path.join(node.root, "proc/sys/vm/compact_memory"))
    os.mkdir(os.path.join(node.root, "proc/sys/vm/compact_memory"))
    result = run.run(node, policy())
    assert (result["acted"], result["reason"], node.written) == (False, "not_writable", [])
    assert result["error"].startswith("/proc/sys/vm/compact_memory: ")
    # A failure leaves no trace in the back-off.
    assert state.load(node) == {}


def test_slab_is_dropped_only_where_it_is_in_the_way_and_compaction_has_failed(kernel):
    drop = ("/proc/sys/vm/drop_caches", 2)
    compact = ("/sys/devices/system/node/node0/compact", 1)
    helped = kernel(MOVABLE, COMPACTED)
    run.run(helped, policy())
    assert helped.written == [compact]

    def with_slab(node):
        text = node.read_text("/proc/meminfo")
        build_roots.write(
            node.root,
            "proc/meminfo",
            "".join(
                "SReclaimable: 90000 kB\n" if line.startswith("SReclaimable") else line
                for line in text.splitlines(True)
            ),
        )
        return node

    failed = with_slab(kernel(MOVABLE))
    result = run.run(failed, policy())
    assert failed.written == [compact, drop, compact]
    assert [step["action"] for step in result["steps"]] == ["compact", "drop_caches_slab", "compact"]
    asked = with_slab(kernel(MOVABLE))
    run.run(asked, policy(drop_caches="none"))
    assert asked.written == [compact]
    without = kernel(MOVABLE)
    run.run(without, policy())
    assert without.written == [compact]


def test_caches_that_were_asked_for_go_first(kernel, monkeypatch):
    node = kernel(MOVABLE, COMPACTED)
    monkeypatch.setattr(_node_work, "sync", lambda stop: node.written.append(("sync", None)))
    run.run(node, policy(drop_caches="all"))
    assert node.written == [
        ("sync", None),
        ("/proc/sys/vm/drop_caches", 3),
        ("/sys/devices/system/node/node0/compact", 1),
    ]


def test_pressure_breaks_it_off(kernel):
    node = kernel(MOVABLE)
    build_roots.write(node.root, "proc/pressure/memory", "some avg10=0.90 avg60=0.00 avg300=0.00 total=1\n")

    class Busy(Kernel):
        def work(self, path, value, stop):
            build_roots.write(self.root, "proc/pressure/memory", "some avg10=7.25 avg60=0.00 avg300=0.00 total=9\n")
            return Kernel.work(self, path, value, stop)

    busy = Busy(node.root)
    result = run.run(busy, policy(drop_caches="slab"))
    assert busy.written == [("/proc/sys/vm/drop_caches", 2)]
    assert result["steps"][0]["ended"] == "memory pressure of 7.25 %"
    assert result["message"].endswith("broke off: memory pressure of 7.25 %")


def test_a_time_limit_breaks_it_off(kernel, monkeypatch):
    node = kernel(MOVABLE)
    clock = iter(range(0, 100000, 100))
    for module in (run, steps):
        monkeypatch.setattr(module, "seconds_now", lambda: float(next(clock)))
    result = run.run(node, policy(time_limit_seconds=1))
    assert result["steps"][0]["ended"] == "time limit of 1 seconds"
    assert (result["acted"], node.written) == (False, [])


def test_the_pause_doubles_up_to_its_limit_and_is_forgiven():
    rule, found, waits = policy(backoff_seconds=100, backoff_max_seconds=350), {}, []
    for _dummy in range(4):
        found = state.following(found, {"reason": "needed", "acted": True, "helped": False}, rule, "b", 1000)
        waits.append(found["retry_after"] - 1000)
    assert waits == [100, 200, 350, 350]
    found = state.following(found, {"reason": "met", "acted": False, "helped": None}, rule, "b", 1000)
    assert found["failures"] == 4
    rebooted = state.following(found, {"reason": "met", "acted": False, "helped": None}, rule, "c", 1000)
    assert (rebooted["failures"], rebooted["retry_after"]) == (0, 0)
    helped = state.following(found, {"reason": "needed", "acted": True, "helped": True}, rule, "b", 1000)
    assert (helped["failures"], helped["retry_after"], helped["runs"]["needed"]) == (0, 0, 5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"runs": 1}',
        "\x00",
        "[" * 60000,
        '{"runs": {"met": "x"}}',
        '{"runs": {}, "last_run": 7}',
        '{"runs": {}, "last_run": null}',
        '{"runs": {}, "last_run": {"started_at": "x", "reason": "met", "duration_seconds": "long"}}',
    ],
)
def test_a_damaged_state_is_no_state(text, kernel):
    node = kernel(HEALTHY)
    build_roots.write(node.root, "var/lib/memfrag/compaction.json", text)
    assert state.load(node) == {}
    assert run.run(node, policy())["reason"] == "met"
    assert state.load(node)["runs"] == {"met": 1}


def test_no_needless_compaction_in_a_replay(kernel, node_root):
    """A node that goes through all captures of its kernel, one every hour, sick and well: it compacts when that helps, and once."""
    history = [
        HEALTHY,
        PINNED,
        PINNED,
        MOVABLE,
        COMPACTED,
        COMPACTED,
        "6.1.0-56-cloud-amd64/fragmented-pipes",
        "6.1.0-56-cloud-amd64/fragmented-pipes-then-compacted",
        "6.1.0-56-cloud-amd64/released-3s",
        "6.1.0-56-cloud-amd64/slab-sparse",
        "6.1.0-56-cloud-amd64/oom",
        "6.1.0-56-cloud-amd64/oom-highorder",
        HEALTHY,
    ]
    node = kernel(HEALTHY)
    compacted = []
    for name in history:
        capture = node_root(name)
        for file in ("buddyinfo", "pagetypeinfo", "zoneinfo", "vmstat", "meminfo"):
            shutil.copy(os.path.join(capture, "proc", file), os.path.join(node.root, "proc", file))
        node.states = [node_root(COMPACTED)] if name == MOVABLE else []
        if run.run(node, policy())["acted"]:
            compacted.append(name)
    assert compacted == [MOVABLE]
    runs = json.loads(node.read_text(state.FILE))["runs"]
    assert runs == {"met": 7, "unmovable": 5, "needed": 1}


def test_the_kill_switch_stops_every_run_and_says_why(kernel):
    node = kernel(MOVABLE)
    build_roots.write(node.root, "etc/memfrag/disable", "change 4711\n")
    for options in ({}, {"force": True}, {"order": 1}):
        for dry_run in (True, False):
            result = run.run(node, policy(**options), dry_run=dry_run)
            assert (result["act"], result["acted"], result["reason"]) == (False, False, "kill_switch")
            assert (result["guard"], result["nodes"]) == ("kill_switch", [])
            assert result["message"] == "/etc/memfrag/disable is there: change 4711"
    assert node.written == []


def test_the_kill_switch_ends_what_is_going_on(kernel):
    node = kernel(MOVABLE)

    class Stopped(Kernel):
        def work(self, path, value, stop):
            build_roots.write(self.root, "etc/memfrag/disable", "now")
            return Kernel.work(self, path, value, stop)

    stopped = Stopped(node.root)
    result = run.run(stopped, policy(drop_caches="slab"))
    assert stopped.written == [("/proc/sys/vm/drop_caches", 2)]
    assert result["message"].endswith("broke off: /etc/memfrag/disable is there: now")


def test_pressure_that_can_no_longer_be_judged_breaks_it_off(kernel):
    node = kernel(MOVABLE)

    class Blind(Kernel):
        def work(self, path, value, stop):
            build_roots.write(self.root, "proc/pressure/memory", "what?\n")
            return Kernel.work(self, path, value, stop)

    result = run.run(Blind(node.root), policy(drop_caches="slab"))
    assert result["steps"][0]["ended"] == "memory pressure cannot be judged: /proc/pressure/memory: not understood"


def test_a_guard_that_was_not_asked_is_named(kernel):
    node = kernel(MOVABLE, COMPACTED)
    result = run.run(node, policy())
    assert result["acted"] and result["guard"] is None
    assert "kcompactd_busy" in result["unchecked_guards"] and "load" in result["unchecked_guards"]


def test_a_damaged_back_off_begins_anew(kernel):
    node = kernel(MOVABLE)
    build_roots.write(node.root, "var/lib/memfrag/compaction.json", "{")
    first = run.run(node, policy())
    assert (first["acted"], first["guard"]) == (False, "backoff") and "begins anew" in first["message"]
    assert run.run(node, policy())["message"].startswith("the last 1 runs did not help; the next one is due in ")
    assert state.load(node)["runs"] == {"backoff": 2}


def test_what_is_wanted_is_judged_by_the_nodes_and_zones_that_were_named(node_root):
    facts = collect(node_root(NUMA))
    zones = {(zone["node"], zone["zone"]) for zone in facts["zones"]}
    for number, name in sorted(zones):
        measured = target.measure(facts, policy(nodes=[number], zones=[name]))["nodes"]
        assert {node: sorted(about["zones"]) for node, about in measured.items()} == {str(number): [name]}
    # A node without the zone is no node that has what is wanted.
    absent = sorted({(number, name) for number in (0, 1) for name in ("DMA32", "Normal", "DMA")} - zones)
    assert absent
    for number, name in absent:
        other = 1 - number
        if (other, name) in zones:
            with pytest.raises(OptionError) as caught:
                target.measure(facts, policy(nodes=[0, 1], zones=[name]))
            assert str(caught.value) == "zones: node %d has no zone %s" % (number, name)


# --- with a survey of the pageblocks ------------------------------------------------------------------------------


def test_a_run_says_what_was_expected_and_what_came_of_it(kernel):
    node = kernel(MOVABLE, COMPACTED)
    put_pages(node.root, HALF_FREE)
    result = run.run(node, policy(order=9))
    assert result["acted"] and result["survey_unavailable"] is None
    assert [row["zone"] for row in result["promised"]] == [zone["zone"] for zone in _zones(node)]
    for row, zone in zip(result["promised"], _zones(node)):
        assert (row["node"], row["order"]) == (0, 9)
        assert row["now"] <= row["low"] <= row["expected"] <= row["high"]
        assert row["obtained"] == _scanners.free_per_order(zone["free_blocks"])[9]
    total = sum(row["obtained"] for row in result["promised"])
    assert result["message"].endswith(", obtained %d" % total)
    assert "node0_obtained=%d " % total in _logline.logline(result)


def _zones(node):
    return _facts.collect(node, target.SUBSET)["zones"]


def test_without_a_survey_it_says_why_and_goes_by_the_migratetypes(kernel):
    node = kernel(MOVABLE, COMPACTED)
    result = run.run(node, policy(order=9))
    assert (result["acted"], result["promised"]) == (True, [])
    assert result["survey_unavailable"].startswith("/proc/kpageflags: no such file")


def test_what_was_measured_goes_before_what_the_migratetypes_let_expect(kernel):
    # Movable by its migratetypes, and a page that stays in every block: nothing would come of it.
    node = kernel(MOVABLE)
    put_pages(node.root, PINNED_PAGES)
    result = run.run(node, policy(order=9))
    assert (result["act"], result["reason"], node.written) == (False, "unmovable", [])
    assert result["message"].startswith("compaction would not help: expected ")
    assert "in the way: slab in " in result["message"]
    assert [row["obtained"] for row in result["promised"]] == [None] * len(result["promised"]) != []
    # Pages that could be moved are of no use, either, where next to nothing is free in movable pageblocks to move them to.
    node = kernel(PINNED, COMPACTED)
    put_pages(node.root, HALF_FREE)
    result = run.run(node, policy())
    assert (result["act"], result["reason"], node.written) == (False, "unmovable", [])


def test_too_little_room_is_a_shortage_whatever_could_be_moved(kernel):
    node = kernel(MOVABLE)
    facts = collect(node.root)
    put_pages(node.root, HALF_FREE)
    promise.survey(node, facts)
    for zone in facts["zones"]:
        zone["watermarks"] = dict(zone["watermarks"], min=zone["free_pages"])
    assert plan.plan(facts, policy(order=9))["reason"] == "memory_shortage"


def test_check_mode_shows_the_promise_and_writes_nothing(kernel):
    node = kernel(MOVABLE)
    put_pages(node.root, HALF_FREE)
    os.makedirs(node.path("/var/lib/memfrag"))
    there = sorted(os.walk(node.root))
    result = run.run(node, policy(order=9), dry_run=True)
    assert (result["act"], node.written, sorted(os.walk(node.root))) == (True, [], there)
    assert promise.total(result["promised"], 9)["expected"] > promise.total(result["promised"], 9)["now"]
    assert "expected " in result["message"] and "obtained" not in result["message"]


def test_whoever_is_well_or_held_off_is_not_surveyed(kernel):
    def refuse(node, facts):
        raise AssertionError("it was surveyed")

    assert run.run(kernel(HEALTHY), policy(), survey=refuse)["reason"] == "met"
    node = kernel(MOVABLE)
    build_roots.write(node.root, ".dockerenv")
    assert run.run(node, policy(), survey=refuse)["reason"] == "container"


def test_a_node_with_the_tools_state_learns(kernel):
    node = kernel(MOVABLE, COMPACTED, MOVABLE, COMPACTED)
    put_pages(node.root, HALF_FREE)
    first = run.run(node, policy(order=9))
    # There was no directory of the tool when it ran; the back-off made it.
    assert not node.exists(_yields.FILE)
    run.run(node, policy(order=9, force=True))
    second = run.run(node, policy(order=9, force=True))
    known = _yields.load(node)
    place = (0, first["promised"][-1]["zone"], 9)
    promised, obtained = known.runs[place][-1]
    assert promised == first["promised"][-1]["expected"] and obtained == second["promised"][-1]["obtained"]
    assert known.last["promised"] == second["promised"]
    whole = {"target": policy(order=9), "assessment": {}}
    text = _metrics.render(collect(node.root), whole, state.load(node), _metrics_state.load(node), known.last)
    labels = '{node="0",zone="%s",size="9"' % place[1]
    assert "memfrag_compaction_obtained_blocks%s} %d\n" % (labels, obtained) in text
    assert 'memfrag_compaction_expected_blocks%s,bound="low"} ' % labels in text
    third = run.run(node, policy(order=9, force=True), dry_run=True)
    uncorrected = dict(first["promised"][-1], now=third["promised"][-1]["now"])
    assert third["promised"][-1]["expected"] == known.corrected(place[:2], uncorrected)["expected"]
    # It goes with the tool.
    assert _yields.FILE in _install.remove(node) and not node.exists("/var/lib/memfrag")


class Lists(Kernel):
    """A Kernel whose compaction leaves the blocks that it made on a per-cpu list, until the list is told to give them back."""

    gives_back = True

    def work(self, path, value, stop):
        reason = Kernel.work(self, path, value, stop)
        if path.endswith("compact"):
            self.blocks = self.read_text("/proc/buddyinfo")
            build_roots.write(self.root, "proc/buddyinfo", re.sub(r"\d+(?= *\n)", "0", self.blocks))
            text = self.read_text("/proc/zoneinfo")
            self.lists = text, re.sub(r"(count:) +\d+", r"\1 2000", text)
            build_roots.write(self.root, "proc/zoneinfo", self.lists[1])
        return reason

    def read_text(self, path, limit=1 << 20):
        if path == lists.REFRESH:
            if self.gives_back and self.written:
                build_roots.write(self.root, "proc/buddyinfo", self.blocks)
                build_roots.write(self.root, "proc/zoneinfo", self.lists[0])
            return ""
        return Kernel.read_text(self, path, limit)


@pytest.mark.parametrize("gives_back", [True, False])
def test_what_stands_on_lists_is_counted_once_it_is_back_or_teaches_nothing(gives_back, kernel):
    node = kernel(MOVABLE, COMPACTED)
    put_pages(node.root, HALF_FREE)
    os.makedirs(node.path("/var/lib/memfrag"))
    machine = Lists(node.root, node.states)
    machine.gives_back = gives_back
    result = run.run(machine, policy(order=10))
    obtained = promise.total(result["promised"], 10)["obtained"]
    there = promise.kept(result["promised"], {"zones": _zones(node)})
    assert result["acted"] and obtained == sum(row["obtained"] for row in there)
    assert (obtained > 0, node.exists(_yields.FILE)) == (gives_back, gives_back)


def test_blocks_that_stood_on_lists_need_no_compaction(kernel):
    node = kernel(MOVABLE)
    machine = Lists(node.root)
    healthy = Kernel(
        node.root, [build_roots.build(COMPACTED, node.root + "-after", ("extfrag_index", "unusable_index"))]
    )
    machine.read_text = lambda path, limit=1 << 20: (
        healthy.work("compact", 1, lambda seconds: None) or ""
        if path == lists.REFRESH
        else Kernel.read_text(machine, path, limit)
    )
    # In check mode nobody is asked to give anything back.
    assert run.run(machine, policy(), dry_run=True)["reason"] == "needed"
    result = run.run(machine, policy())
    assert (result["reason"], result["acted"], result["satisfied"]) == ("met", False, True)


def test_what_was_broken_off_teaches_nothing(kernel):
    node = kernel(MOVABLE, COMPACTED)
    put_pages(node.root, HALF_FREE)
    os.makedirs(node.path("/var/lib/memfrag"))

    class Ended(Kernel):
        def work(self, path, value, stop):
            Kernel.work(self, path, value, stop)
            return "time limit of 1 seconds"

    result = run.run(Ended(node.root), policy(order=9))
    assert result["promised"][-1]["obtained"] is not None
    assert not node.exists(_yields.FILE)


def test_with_caches_dropped_first_the_promise_is_that_of_the_compaction_after_it(kernel):
    node = kernel(MOVABLE, COMPACTED)
    put_pages(node.root, PINNED_PAGES)

    class Dropping(Kernel):
        def work(self, path, value, stop):
            if path.endswith("drop_caches"):
                put_pages(self.root, HALF_FREE)
            return Kernel.work(self, path, value, stop)

    dropping = Dropping(node.root)
    dropping.states = node.states
    result = run.run(dropping, policy(order=9, drop_caches="slab"))
    assert [step["action"] for step in result["steps"]] == ["drop_caches_slab", "compact"]
    summed = promise.total(result["promised"], 9)
    assert summed["expected"] > summed["now"]
