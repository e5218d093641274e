# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Whether to compact, on which NUMA nodes, and why (not): is it needed, will it help, does a guard speak against it. Pure functions."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._outlook import UNMOVABLE, Outlook
from . import guards, promise
from .target import measure, named, of_order, orders_of, resolve, that_matter, zones_of

COMPACT_ALL = "/proc/sys/vm/compact_memory"

# drop_caches: what is asked for -> what is written (mm/vmscan.c, fs/drop_caches.c).
DROP_VALUES = {"pagecache": 1, "slab": 2, "all": 3}

# Why a run did not act, or broke off. Those of the second group hold off something that is needed.
NOT_NEEDED = ("met",)
HELD_OFF = ("locked", "removed") + guards.NAMES
NO_HELP = ("unsupported", "unmovable", "memory_shortage")
FAILED = ("not_live", "not_writable", "no_zones")

# What a survey of the pageblocks may overrule, or has to say more about.
SURVEYED = ("needed", "forced", "unmovable", "memory_shortage")

# Slab is in the way where one page in so many is reclaimable slab, or one pageblock in so many belongs to it.
_SLAB_SHARE = 20


def _slab_in_the_way(facts, zones):
    memory = facts["meminfo"] or {}
    if memory.get("sreclaimable", 0) * _SLAB_SHARE >= memory.get("memtotal", float("inf")):
        return True
    blocks = [zone["pageblocks"] for zone in zones if zone["pageblocks"]]
    reclaimable = sum(block.get("Reclaimable", 0) for block in blocks)
    return reclaimable and reclaimable * _SLAB_SHARE >= sum(sum(block.values()) for block in blocks)


def plan(facts, target, conditions=None):
    """Whether to act, on which nodes, and why (not). Pure.

    facts       as _facts.collect() gives them, at least target.subset(). A survey of the pageblocks in them goes before what the
                migratetypes let expect
    target      as target.complete() gives it, or target.resolve()
    conditions  as guards.conditions() gives them; without them the guards are left out

    -> {"act", "reason" (one word: "needed", "forced", or one of NOT_NEEDED, HELD_OFF, NO_HELP, FAILED), "message" (a sentence),
    "order": the one that decided (the largest that is lacking and can be had, else the largest lacking, or wanted) or None,
    "orders": as target.resolve() has them, "nodes": [NUMA nodes to compact], "drop_caches": what to drop before it or None,
    "slab_in_the_way", "before": measure(), "guard": the one that holds it off or None, "unchecked_guards": {guard: why it could not be
    asked}}
    """
    verdict = _nothing_yet()

    def no(reason, message):
        return dict(verdict, reason=reason, message=message)

    zones = zones_of(facts, target)
    cannot = _cannot(facts, target, zones)
    if cannot:
        return no(*cannot)
    target = resolve(facts, target)
    before = verdict["before"] = measure(facts, target)
    verdict.update(orders=target["orders"], order=_lacking(before) or orders_of(target)[-1])
    verdict["slab_in_the_way"] = bool(_slab_in_the_way(facts, zones))
    if target["drop_caches"] in DROP_VALUES:
        verdict["drop_caches"] = target["drop_caches"]
    if target["force"]:
        verdict["nodes"] = sorted({zone["node"] for zone in zones})
        reason, message = "forced", "asked to compact unconditionally"
    else:
        if before["satisfied"]:
            return no("met", "every node has what is wanted of %s" % named(orders_of(target)))
        reason, message = _need(verdict, facts, zones, before, target)
        if reason != "needed":
            return no(reason, message)
    if conditions is not None:
        answer = guards.ask(target, conditions, verdict["nodes"])
        verdict.update(guard=answer["guard"], unchecked_guards=answer["unchecked"])
        if answer["guard"]:
            return no(answer["guard"], answer["message"])
    return dict(verdict, act=True, reason=reason, message=message)


def _nothing_yet():
    """A verdict but for its reason and message."""
    return {
        "act": False,
        "order": None,
        "orders": [],
        "nodes": [],
        "drop_caches": None,
        "slab_in_the_way": False,
        "before": None,
        "guard": None,
        "unchecked_guards": {},
    }


def _cannot(facts, target, zones):
    """-> (reason, message) where there is nothing that could be compacted, or None"""
    if not zones:
        why = facts["unavailable"].get("buddyinfo", "nothing like it in /proc/buddyinfo")
        return "no_zones", "no zone %s on this node: %s" % (" or ".join(target["zones"]), why)
    if facts["kernel"]["config_compaction"] is False:
        return "unsupported", "the kernel was built without CONFIG_COMPACTION: %s does not exist" % COMPACT_ALL
    return None


def _lacking(measured):
    """The largest order that any node lacks, None where nothing is lacking."""
    orders = [node["order"] for node in measured["nodes"].values() if not node["satisfied"]]
    return max(orders) if orders else None


def _need(verdict, facts, zones, before, target):
    """Sets the nodes that compaction would help, and the order that it is for. -> (reason, message)"""
    obstacles, served = [], []
    names, scaled = {zone["zone"] for zone in facts["zones"]}, facts["kernel"]["watermark_check"] == "scaled"
    surveys = {(one["node"], one["zone"]): one for one in (facts.get("pageblock_survey") or {"zones": ()})["zones"]}

    def obstacle(zone, order):
        return Outlook(zone, names, scaled, survey=surveys.get((zone["node"], zone["zone"]))).obstacle(order)

    for name in sorted(before["nodes"], key=int):
        lacking = [row["order"] for row in before["nodes"][name]["orders"] if not row["satisfied"]]
        here = [zone for zone in zones if str(zone["node"]) == name]
        # The largest first: where that cannot be had, a smaller one may be.
        for order in reversed(lacking):
            found = [obstacle(zone, order) for zone in that_matter(of_order(here, order))]
            if None in found or verdict["drop_caches"] and found:
                verdict["nodes"].append(int(name))
                served.append(order)
                break
            obstacles.extend(found)
    if served:
        verdict["order"] = max(served)
    if verdict["nodes"]:
        return "needed", "; ".join(
            "node %d: %s" % (node, ", ".join(before["nodes"][str(node)]["missing"])) for node in verdict["nodes"]
        )
    if UNMOVABLE in obstacles:
        return "unmovable", _unmovable(facts, target, before, verdict["order"])
    return (
        "memory_shortage",
        "compaction would not help: too little memory is free to move pages into; free or add memory",
    )


def _unmovable(facts, target, before, order):
    nodes = [int(name) for name, node in before["nodes"].items() if not node["satisfied"]]
    expected = promise.in_words(promise.of(facts, target, nodes), order)
    if not expected:
        return (
            "compaction would not help: the free memory is in pageblocks of unmovable pages; drain and reboot the node"
        )
    held = promise.in_the_way(facts, nodes)
    return "compaction would not help: %s%s" % (expected, "; in the way: " + held if held else "")
