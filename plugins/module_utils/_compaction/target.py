# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What is wanted of a node: so many free blocks of some orders on each NUMA node. How far it is met, and what may be done for it.

target = complete(options)         every option checked, the rest at its default; OptionError names the wrong one
target = resolve(facts, target)    with "orders", those that "auto" stands for on this kernel
measured = measure(facts, target)  pages and thousandths, as the names say
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .. import _consumers, _fragmentation, _options, _states
from .._fragmentation import KERNEL_ZONES
from .._options import OptionError
from .._states import RESERVED

# What a look at the target needs of the facts; slabs and settings play no part in it.
SUBSET = ("kernel", "zones", "migratetypes", "meminfo", "vmstat", "pressure")
# Who asks for what depends on containers, and on old kernels on their caches and cgroups.
_SUBSET_OF_AUTO = SUBSET + ("cgroups", "slab")

AUTO = "auto"

# A zone with less than this part of its node's memory does not speak for the node.
_ZONE_SHARE = 10

# Every option of a target: type, default, range or choices, as _options.py has it. A default of None switches the option off.
OPTIONS = {
    # The wanted condition. "auto" is each order without which something fails on this kernel.
    "order": {"type": "int", "default": AUTO, "words": (AUTO,), "min": 1, "max": 20},
    "min_free_blocks": {"type": "int", "default": 16, "min": 1, "max": 1000000},
    # Thousandths; Oracle's memstate calls a zone fragmented above 950, 1000 switches this off.
    "max_unusable_index": {"type": "int", "default": 950, "min": 0, "max": 1000},
    "nodes": {"type": "list", "elements": "int", "default": [], "min": 0, "max": 1023},
    "zones": {
        "type": "list",
        "elements": "str",
        "default": list(KERNEL_ZONES),
        "choices": list(KERNEL_ZONES) + ["HighMem", "Movable"],
    },
    "force": {"type": "bool", "default": False},
    # "auto" drops slab, and only where slab is what is in the way and compaction alone has failed.
    "drop_caches": {"type": "str", "default": "auto", "choices": ["auto", "none", "slab", "pagecache", "all"]},
    # The guards.
    "max_pressure_percent": {"type": "float", "may_be_none": True, "default": 1.0, "min": 0, "max": 100},
    "abort_pressure_percent": {"type": "float", "may_be_none": True, "default": 5.0, "min": 0, "max": 100},
    "max_load_per_cpu": {"type": "float", "may_be_none": True, "default": 1.0, "min": 0, "max": 1000},
    "min_free_percent": {"type": "float", "may_be_none": True, "default": 1.0, "min": 0, "max": 50},
    "time_limit_seconds": {"type": "int", "default": 300, "min": 1, "max": 3600},
    "backoff_seconds": {"type": "int", "default": 14400, "min": 0, "max": 604800},
    "backoff_max_seconds": {"type": "int", "default": 86400, "min": 0, "max": 2592000},
    # "22:00-04:30", local time; None is at any time.
    "window": {
        "type": "str",
        "default": None,
        "may_be_none": True,
        "pattern": r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z",
        "form": "HH:MM-HH:MM",
    },
    "allow_container": {"type": "bool", "default": False},
}


def complete(options):
    """-> a target with every option, from the ones given (None counts as not given, or as off where that is allowed)."""
    target = _options.complete(options, OPTIONS)
    low, high = target["max_pressure_percent"], target["abort_pressure_percent"]
    if low is not None and high is not None and low > high:
        raise OptionError("max_pressure_percent: %s is above abort_pressure_percent (%s)" % (low, high))
    return target


def subset(target):
    """The facts that resolve() and measure() go by."""
    return SUBSET if target["order"] != AUTO or "orders" in target else _SUBSET_OF_AUTO


def resolve(facts, target):
    """-> the target with "orders": [{order, needed_by: [who asks for it on this kernel]}], the smallest first. Once for a run."""
    if "orders" in target:
        return target
    zones = _zones_asked_for(facts, target)
    highest = max([len(zone["free_blocks"]) for zone in zones] or [0]) - 1
    if target["order"] == AUTO:
        found = _orders_needed(facts, highest)
    else:
        if zones and target["order"] > highest:
            raise OptionError(
                "order: %d is more than this kernel has; its orders are 0 to %d" % (target["order"], highest)
            )
        asked = [entry["needed_by"] for entry in facts["allocatable"] if entry["order"] == target["order"]]
        found = {target["order"]: list(asked[0]) if asked else []}
    return dict(target, orders=[{"order": order, "needed_by": found[order]} for order in sorted(found)])


def _orders_needed(facts, highest):
    """{order: who asks for it} for "auto". Where pages are so large that nobody needs more than one, two in a row are seen to."""
    kernel = dict(facts["kernel"], containers=facts.get("containers"))
    caches = (facts.get("slab") or {}).get("nf_conntrack_caches")
    groups = (facts.get("cgroups") or {}).get("memory_cgroups")
    orders = _consumers.must_have(kernel, caches, groups)
    return {order: who for order, who in orders.items() if 1 <= order <= highest} or {1: []}


def orders_of(target):
    """[order] of a target that resolve() has seen."""
    return [row["order"] for row in target["orders"]]


def named(orders):
    """ "order 5", "orders 1, 3" """
    return "order%s %s" % ("" if len(orders) == 1 else "s", ", ".join(map(str, orders)))


def measure(facts, target):
    """How far the wanted condition is met.

    -> {"satisfied", "nodes": {"0": {"satisfied", "order", "state", "free_blocks", "unusable_index", "missing", "orders": [{"order",
    "satisfied", "state", "free_blocks" (usable), "unusable_index" (the worst of the zones that matter), "missing": [what is not met, in
    words]}], "zones": {"Normal": [free blocks per order]}}}}. What is said of a node itself is that of its largest order that is lacking,
    or of the largest; "missing" is that of all.
    """
    target, nodes = resolve(facts, target), {}
    for zone in zones_of(facts, target):
        nodes.setdefault(str(zone["node"]), []).append(zone)
    measured = {name: _measure_node(zones, target) for name, zones in nodes.items()}
    return {"satisfied": all(node["satisfied"] for node in measured.values()), "nodes": measured}


def _zones_asked_for(facts, target):
    return [
        zone
        for zone in facts["zones"]
        if zone["zone"] in target["zones"] and (not target["nodes"] or zone["node"] in target["nodes"])
    ]


def zones_of(facts, target):
    """The zones of the facts that a target speaks of. OptionError where it speaks of what is not there."""
    zones = _zones_asked_for(facts, target)
    missing = sorted(set(target["nodes"]) - {zone["node"] for zone in facts["zones"]})
    if missing and facts["zones"]:
        there = sorted({zone["node"] for zone in facts["zones"]})
        raise OptionError("nodes: there is no node %s; there are %s" % (missing[0], ", ".join(map(str, there))))
    without = sorted(set(target["nodes"]) - {zone["node"] for zone in zones})
    if without and zones:
        # Whoever asks for it would be told of the other nodes instead.
        raise OptionError("zones: node %s has no zone %s" % (without[0], " or ".join(target["zones"])))
    return zones


def of_order(zones, order):
    """Those that have blocks of that order at all, and give them to ordinary requests."""
    return [zone for zone in zones if order < len(zone["free_blocks"]) and zone["states"][order] != RESERVED]


def _measure_node(zones, target):
    rows = [_measure_order(of_order(zones, order), order, target) for order in orders_of(target)]
    lacking = [row for row in rows if not row["satisfied"]]
    about = dict((lacking or rows)[-1])
    about.update(
        satisfied=not lacking,
        missing=[words for row in rows for words in row["missing"]],
        orders=rows,
        zones={zone["zone"]: list(zone["free_blocks"]) for zone in zones},
    )
    return about


def _measure_order(usable, order, target):
    state = _states.best([zone["states"][order] for zone in usable] or ["exhausted"])
    blocks = sum(_fragmentation.suitable_blocks(_fragmentation.usable_blocks(zone), order) for zone in usable)
    unusable = max([zone["unusable_index"][order] for zone in that_matter(usable)] or [1000])
    # More than half of the free memory in blocks of this size is not for compaction to bring about.
    wanted = min(target["min_free_blocks"], max(1, sum(zone["free_pages"] for zone in usable) >> order + 1))
    missing = []
    if state != "ok":
        missing.append("order %d is in state %s" % (order, state))
    if blocks < wanted:
        missing.append("%d free blocks of order %d, %d are wanted" % (blocks, order, wanted))
    if unusable > target["max_unusable_index"]:
        words = "unusable index %d at order %d, at most %d is wanted"
        missing.append(words % (unusable, order, target["max_unusable_index"]))
    return {
        "order": order,
        "satisfied": not missing,
        "state": state,
        "free_blocks": blocks,
        "unusable_index": unusable,
        "missing": missing,
    }


def row_of(node, order):
    """What measure() says of one order of a node."""
    return next(row for row in node["orders"] if row["order"] == order)


def _size(zone):
    return zone["managed_pages"] or zone["free_pages"]


def that_matter(zones):
    """The zones of a node without the small ones, whose few blocks say nothing."""
    return [zone for zone in zones if _size(zone) * _ZONE_SHARE >= sum(map(_size, zones))]
