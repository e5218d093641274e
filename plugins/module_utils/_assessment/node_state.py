# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The facts of a node with what the rules ask of them: zones by NUMA node, orders that are needed, blocks that are left, rates."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import math
import re

from .. import _consumers, _outlook, _releases, _states
from .._fragmentation import KERNEL_ZONES
from .._procfs import meminfo
from . import estimate

# What drivers and core dumps ask for, and what only the cgroups and network namespaces of containers ask for.
_DRIVERS = 64 * 1024
_CONTAINERS = (128 * 1024, 256 * 1024)

# spare_blocks of the policy are blocks of so many bytes, on a machine of so many kB. Smaller machines and larger blocks need fewer; from
# the second size on the number grows with the square root of the memory, since what asks for blocks does not grow as fast.
_SPARE_BYTES = 256 * 1024
_SPARE_KB, _LARGE_KB = 4 << 20, 16 << 20
_MOST_TIMES = 4.0
# A machine of which nothing tells the size is taken for a small one.
_UNKNOWN_KB = 1 << 20

# Two runs are of the same boot if what they say of its time differs by no more than this.
_BOOT_SECONDS = 120

# Neither calendar nor datetime: they would be loaded anew by each run of the node tool, and in the process of every host.
_TIME = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})")
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def parse_time(text):
    """ISO 8601 UTC -> seconds since the epoch, or None."""
    match = _TIME.match(str(text))
    if not match:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    if not year or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
        return None
    leap = month == 2 and (year % 4 == 0 and year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _MONTHS[month - 1] + leap:
        return None
    # January and February count as the last months of the year before, so that a leap day is the last of its year.
    years, months = (year - 1, month + 9) if month < 3 else (year, month - 3)
    days = years * 365 + years // 4 - years // 100 + years // 400 + (months * 153 + 2) // 5 + day - 719469
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def percent(part, whole):
    return 100.0 * part / whole if whole else 0.0


class NodeState:
    """What the facts of one node say, in the form that the rules want it.

    zones      all of them, complete
    serving    an Outlook for each zone that serves ordinary kernel requests and is not reserved from them
    by_node    {NUMA node: its part of serving}; main the Outlook of the largest zone of each node, where there is more than one zone
    estimated  whether the watermarks are estimates, for want of /proc/zoneinfo
    memory_kb  size of the machine, as far as anything tells (estimate.py); usable_kb what of it is in no pool of huge pages, or None
    containers True, False, or None where nothing tells
    needed     {order: who asks for it, and fails without it}
    wanted     {order: severity when there is none}; assumed those of them that only containers ask for, where none are known
    targets    all of these orders
    estimates  whether to estimate what is missing (estimate.py), or to go by what was read alone
    rates      {counter: growth since the previous run}, over ``hours``; {} and None without one
    """

    def __init__(self, facts, previous, policy, estimates=True):
        self.facts, self.policy = facts, policy
        self.kernel = {"release": None, "page_size": 4096, "possible_cpus": None, "hugepage_order": None}
        self.kernel.update(facts.get("kernel") or {})
        self.slab = facts.get("slab") or {}
        self.memory = facts.get("meminfo") or {}
        # What there is for everybody: shares of memory are shares of this.
        self.usable_kb = meminfo.without_huge_pages(self.memory)
        self.sysctl = facts.get("sysctl") or {}
        self.cgroups = facts.get("cgroups") or {}
        self.page_kb = max(1, self.kernel["page_size"] // 1024)
        check = self.kernel.get("watermark_check")
        self.scaled = check == "scaled" if check else _releases.scaled_check(self.kernel["release"])
        caches = self.slab.get("nf_conntrack_caches")
        self.containers = _consumers.makes_containers(facts.get("containers"), caches)
        self.kernel["containers"] = self.containers
        self._look_at_zones(estimates)
        self.needed, self.wanted, self.assumed = self._target_orders(caches)
        self.targets = sorted(set(self.needed) | set(self.wanted))
        self.rates, self.hours = _rates(previous or {}, facts)

    def _look_at_zones(self, estimates):
        self.zones = [_states.complete(zone, self.memory) for zone in self.facts.get("zones") or ()]
        names = {zone["zone"] for zone in self.zones}
        self.memory_kb, at_least = estimate.memory_kb(self.memory, self.zones, self.page_kb)
        self.estimated = estimates and not at_least and not any(zone["watermarks"] for zone in self.zones)
        if self.estimated:
            minimum = self.sysctl.get("vm.min_free_kbytes")
            minimum = minimum if isinstance(minimum, int) else None
            marks = estimate.watermarks(self.zones, self.memory_kb, self.page_kb, minimum, self.scaled)
            for zone, computed in zip(self.zones, marks):
                zone["watermarks"] = computed
        self.serving = []
        surveyed = (self.facts.get("pageblock_survey") or {}).get("zones") or ()
        surveys = {(entry["node"], entry["zone"]): entry for entry in surveyed}
        for zone in self.zones:
            if zone["zone"] in KERNEL_ZONES:
                withheld = None
                if estimates and not zone["migratetypes"] and self._may_have_reserve():
                    withheld = estimate.withheld(zone, self.kernel["page_size"])
                survey = surveys.get((zone["node"], zone["zone"]))
                outlook = _outlook.Outlook(zone, names, self.scaled, survey=survey, withheld=withheld)
                if not outlook.reserved:
                    self.serving.append(outlook)
        self.orders = max([len(zone["free_blocks"]) for zone in self.zones] or [0])
        self._managed_pages = sum(outlook.zone["managed_pages"] or 0 for outlook in self.serving)
        self.by_node = {}
        for outlook in self.serving:
            self.by_node.setdefault(outlook.zone["node"], []).append(outlook)
        self.main = [
            max(outlooks, key=lambda outlook: (outlook.zone["managed_pages"] or 0, outlook.zone["zone"] == "Normal"))
            for dummy, outlooks in sorted(self.by_node.items())
            if len(self.serving) > 1
        ]
        order = self.kernel["hugepage_order"]
        if order is None and ("DMA32" in names or self.kernel.get("machine") == "x86_64"):
            # 64-bit machines alone have this zone.
            order = _consumers.hugepage_order(self.kernel["page_size"])
        self.hugepage_order = order

    def _may_have_reserve(self):
        """Whether the kernel is, or may be, one that keeps large blocks back (MIGRATE_RESERVE, up to 4.3)."""
        return self.scaled or self.kernel["release"] is None

    def _target_orders(self, caches):
        page = self.kernel["page_size"]
        if self.policy["target_orders"] is not None:
            return dict.fromkeys(self.policy["target_orders"], "the policy's target orders"), {}, set()
        orders = _consumers.must_have(self.kernel, caches, self.cgroups.get("memory_cgroups"))
        # Of several who ask for an order the last, which is no general rule, says the most.
        needed = {order: texts[-1] for order, texts in orders.items()}
        # A kernel that is known to need no more than that is judged more mildly for the larger sizes.
        unknown = (self.kernel["release"] is None or caches is None) and self.containers is not False
        wanted, assumed = {_releases.order_of(_DRIVERS, page): "high"}, set()
        for size in _CONTAINERS:
            order = _releases.order_of(size, page)
            if order not in wanted:
                wanted[order] = "high" if unknown else "medium"
                if unknown and not self.containers and _consumers.may_have_conntrack_caches(self.kernel["release"]):
                    assumed.add(order)
        for order in needed:
            wanted.pop(order, None)
        return needed, wanted, assumed.difference(needed)

    def needed_by(self, order):
        """Who asks for it, in words; None where it is only wanted."""
        if order in self.assumed:
            return "containers, if there are any: assumed, because nothing here tells"
        return self.needed.get(order)

    def few(self):
        """Blocks of a needed order below which the next requests take the last ones."""
        return max(2, int(math.ceil(self.policy["spare_blocks"] * self._times())))

    def spare(self, order):
        """Blocks of an order that are to be in reserve: a number of bytes that grows with the machine."""
        size = self.kernel["page_size"] << order
        return max(2, int(math.ceil(self.policy["spare_blocks"] * self._times() * _SPARE_BYTES / size)))

    def _times(self):
        memory = self.usable_kb or self.memory_kb or _UNKNOWN_KB
        if memory < _SPARE_KB:
            return memory / float(_SPARE_KB)
        return min(_MOST_TIMES, max(1.0, math.sqrt(memory / float(_LARGE_KB))))

    def bytes_of(self, order):
        kilobytes = self.page_kb << order
        return "%d kB" % kilobytes if kilobytes < 10240 else "%d MB" % (kilobytes >> 10)

    def megabytes(self, pages):
        return pages * self.page_kb >> 10

    def free_pages(self):
        return sum(outlook.free for outlook in self.serving)

    def managed_pages(self):
        return self._managed_pages

    def allocatable_blocks(self, order, outlooks=None):
        """Blocks of the order that ordinary requests can still take from these zones, of the machine if not said otherwise."""
        return sum(outlook.now(order) for outlook in (self.serving if outlooks is None else outlooks))


def _rates(before, after):
    """-> ({counter: growth}, hours between), from an earlier run of the same boot; ({}, None) where there is none.

    Counters of /proc/vmstat count since boot: on their own they say nothing of now.
    """
    times = [parse_time(run.get("collected_at")) for run in (before, after)]
    uptimes = [(run.get("kernel") or {}).get("uptime_seconds") for run in (before, after)]
    if None in times or None in uptimes or not before.get("vmstat") or not after.get("vmstat"):
        return {}, None
    hours = (times[1] - times[0]) / 3600.0
    if hours < 0.01 or abs((times[0] - uptimes[0]) - (times[1] - uptimes[1])) > _BOOT_SECONDS:
        return {}, None
    old = before["vmstat"]
    return {name: value - old[name] for name, value in after["vmstat"].items() if name in old}, hours
