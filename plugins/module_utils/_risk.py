# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Facts and incidents of a node, held against a policy: risk level, findings, and what would mend it.

The rules are few, so that a level can be followed back. Every finding has a severity; the level is that of the worst finding
(level_of()), and the score adds to it what else was found (score_of()). No finding is worse for more memory or more blocks.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import datetime
import re
import time

from . import _consumers, _fragmentation, _outlook, _policy
from ._findings import REMEDY_BY_ACTION, REMEDY_OF_ACTION, SEVERITIES, make

# What level the worst severity makes, where its score starts, and what each further finding of a severity adds.
LEVELS = {"info": "low", "low": "low", "unknown": "unknown", "medium": "medium", "high": "high", "critical": "critical"}
BASE = {"info": 0, "low": 10, "unknown": 20, "medium": 30, "high": 55, "critical": 80}
WEIGHT = {"info": 0, "low": 1, "unknown": 1, "medium": 2, "high": 4, "critical": 6}
HIGHEST = {"info": 9, "low": 19, "unknown": 29, "medium": 54, "high": 79, "critical": 100}

# Requests of up to 32 kB may not fail: the kernel reclaims, compacts and in the end kills for them (PAGE_ALLOC_COSTLY_ORDER).
# Larger ones are asked for by drivers, core dumps, and containers on older kernels.
_MUST_NOT_FAIL = 32 * 1024
_GENERAL = (64 * 1024, 128 * 1024, 256 * 1024)

# Where neither meminfo nor watermarks tell, so much must be free in bytes not to be short: medium, high, critical below.
_SHORT_BYTES = ((4 << 20, "critical"), (8 << 20, "high"), (16 << 20, "medium"))

# Zones with less than a tenth of the machine's memory do not decide about it.
_SMALL_SHARE = 10


def assess(facts, journal=None, policy=None, previous=None, now=None):
    """-> the assessment: {level, score, summary, findings, ignored, remediation, policy: as given}.

    facts, journal   contracts memfrag_facts and memfrag_journal_info, or None
    policy           see _policy.complete(); raises PolicyError
    previous         facts of an earlier run, for rates
    now              seconds since the epoch that "recent" is counted from; the time of the facts if not given
    """
    rules = _policy.complete(policy)
    view = _View(facts or {}, previous, rules)
    findings = _what_failed(journal, rules, now or _seconds(view.facts.get("collected_at")) or time.time())
    findings += view.findings()
    ignored = [dict(found, reason=rules["ignore"][found["id"]]) for found in findings if found["id"] in rules["ignore"]]
    findings = [found for found in findings if found["id"] not in rules["ignore"]]
    findings.sort(key=lambda found: (-SEVERITIES.index(found["severity"]), found["id"]))
    remediation = view.remediation()
    for found in findings:
        if found["id"] in REMEDY_BY_ACTION and remediation["action"] in REMEDY_OF_ACTION:
            found["remedy"] = REMEDY_OF_ACTION[remediation["action"]]
    return {
        "level": level_of(findings),
        "score": score_of(findings),
        "summary": _summary(findings),
        "findings": findings,
        "ignored": ignored,
        "remediation": remediation,
        "policy": dict(policy or {}),
    }


def blocks_left(facts, order, node=None):
    """How many blocks of ``order`` ordinary requests could still take, on the machine or on one NUMA node."""
    view = _View(facts, None, _policy.complete(None))
    return view.room(order, [zone for zone in view.serving if node is None or zone["node"] == node])


def level_of(findings):
    """The level of the worst finding; low without any."""
    return LEVELS[_worst(findings)]


def score_of(findings):
    """The base of the worst finding, plus the weight of each other one, but never as much as the next worse severity."""
    worst = _worst(findings)
    total = BASE[worst] - WEIGHT[worst] if findings else BASE[worst]
    total += sum(WEIGHT[found["severity"]] for found in findings)
    return min(total, HIGHEST[worst])


def _worst(findings):
    return max([found["severity"] for found in findings] or ["info"], key=SEVERITIES.index)


def _summary(findings):
    if not findings or findings[0]["severity"] == "info":
        return "nothing stands against allocating contiguous memory"
    more = sum(1 for found in findings[1:] if found["severity"] != "info")
    return findings[0]["title"] + (
        " (and %d more findings)" % more if more > 1 else " (and one more finding)" if more else ""
    )


# time.strptime() would load its tables anew in the process of every host.
_STAMP = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})")


def _seconds(stamp):
    """ISO 8601 UTC -> seconds since the epoch, or None."""
    match = _STAMP.match(str(stamp))
    try:
        return calendar.timegm(datetime.datetime(*map(int, match.groups())).timetuple()) if match else None
    except ValueError:
        return None


def _percent(part, whole):
    return 100.0 * part / whole if whole else 0.0


# --- what failed: the incidents of the journal --------------------------------------------------------------------

# Findings that incidents bring (_logs/incidents.py says which): severity while it is going on, and when it is over.
_INCIDENTS = {
    "MF101": ("critical", "high"),
    "MF102": ("critical", "high"),
    "MF103": ("critical", "high"),
    "MF104": ("critical", "high"),
    "MF105": ("medium", "low"),
    "MF106": ("high", "medium"),
    "MF107": ("high", "high"),
    "MF108": ("medium", "low"),
    "MF109": ("medium", "low"),
    "MF110": ("low", "info"),
    "MF111": ("high", "medium"),
}


def _what_failed(journal, rules, now):
    groups = {}
    for incident in (journal or {}).get("incidents") or ():
        last = _seconds(incident.get("last_time"))
        recent = last is None or now - last <= rules["recent_hours"] * 3600
        for ident in incident.get("remedies") or ():
            if ident in _INCIDENTS:
                groups.setdefault(ident, []).append((_INCIDENTS[ident][0 if recent else 1], incident))
    findings = []
    for ident, found in groups.items():
        severity = max([one[0] for one in found], key=SEVERITIES.index)
        count = sum(one[1].get("count") or 1 for one in found)
        # Incidents come weightiest first.
        reason = found[0][1]["reason"]
        times = [one[1].get("last_time") for one in found if one[1].get("last_time")]
        findings.append(
            make(
                ident,
                severity,
                _short_sentence(reason) + (" (%d times)" % count if count > 1 else ""),
                reason=reason,
                incidents=len(found),
                count=count,
                last_time=max(times) if times else None,
                causes=sorted({one[1]["cause"] for one in found}),
            )
        )
    return findings


def _short_sentence(text, limit=140):
    """The sentence as a title: up to the last clause that ends within the limit."""
    text = text[:1].upper() + text[1:]
    if len(text) <= limit:
        return text
    end = max(text.rfind(mark, limit // 3, limit) for mark in ("; ", ", ", " (", ": "))
    return text[:end] if end > 0 else text[: limit - 3] + "..."


# --- what the facts say -------------------------------------------------------------------------------------------


class _View:
    """The facts of a node with what follows from them: target orders, headroom, rates."""

    def __init__(self, facts, previous, rules):
        self.facts = facts
        self.rules = rules
        self.kernel = {"release": None, "page_size": 4096, "possible_cpus": None, "hugepage_order": None}
        self.kernel.update(facts.get("kernel") or {})
        self.slab = facts.get("slab") or {}
        self.memory = facts.get("meminfo") or {}
        self.sysctl = facts.get("sysctl") or {}
        self.cgroups = facts.get("cgroups") or {}
        self.page_kb = max(1, self.kernel["page_size"] // 1024)
        self.zones = [_outlook.complete(zone) for zone in facts.get("zones") or ()]
        self.names = {zone["zone"] for zone in self.zones}
        check = self.kernel.get("watermark_check")
        self.scaled = check == "scaled" if check else _consumers.scaled_check(self.kernel["release"])
        # Zones that serve ordinary kernel requests; the states are worked out anew, for facts that do not have them.
        self.serving = []
        for zone in self.zones:
            if zone["zone"] in _fragmentation.KERNEL_ZONES:
                zone["outlook"] = _outlook.Outlook(zone, self.names, self.scaled)
                if not zone["outlook"].reserved:
                    self.serving.append(zone)
        self.orders = max([len(zone["free_blocks"]) for zone in self.zones] or [0])
        self.requests = _consumers.requests(
            self.kernel, self.slab.get("nf_conntrack_caches"), self.cgroups.get("memory_cgroups")
        )
        self.needed, self.general = self._targets()
        self.rates, self.hours = self._rates(previous)

    def _targets(self):
        """-> ({needed order: why}, {general order: severity when there is none})."""
        page = self.kernel["page_size"]
        if self.rules["target_orders"] is not None:
            return dict.fromkeys(self.rules["target_orders"], "the policy's target orders"), {}
        needed = {_consumers.order_of(_MUST_NOT_FAIL, page): "requests up to 32 kB, which may not fail"}
        for order, text, hard in self.requests:
            if hard:
                needed[order] = text
        # A kernel that is known to need no more than that is judged more mildly for the larger sizes.
        unknown = self.kernel["release"] is None or self.slab.get("nf_conntrack_caches") is None
        general = {}
        for size in _GENERAL:
            order = _consumers.order_of(size, page)
            if order not in needed:
                general[order] = "high" if unknown or size == _GENERAL[0] else "medium"
        return needed, general

    def _rates(self, previous):
        """-> ({counter: growth}, hours between), from an earlier run of the same boot; ({}, None) where there is none.

        Counters of /proc/vmstat count since boot: on their own they say nothing of now.
        """
        before, after = previous or {}, self.facts
        times = [_seconds(run.get("collected_at")) for run in (before, after)]
        uptimes = [(run.get("kernel") or {}).get("uptime_seconds") for run in (before, after)]
        if None in times or None in uptimes or not before.get("vmstat") or not after.get("vmstat"):
            return {}, None
        hours = (times[1] - times[0]) / 3600.0
        if hours < 0.01 or abs((times[0] - uptimes[0]) - (times[1] - uptimes[1])) > 120:
            return {}, None
        grown = {
            name: value - before["vmstat"][name] for name, value in after["vmstat"].items() if name in before["vmstat"]
        }
        return grown, hours

    def bytes_of(self, order):
        kilobytes = self.page_kb << order
        return "%d kB" % kilobytes if kilobytes < 10240 else "%d MB" % (kilobytes >> 10)

    def room(self, order, zones):
        return sum(zone["outlook"].now(order) for zone in zones)

    def findings(self):
        if not self.zones:
            why = (self.facts.get("unavailable") or {}).get("buddyinfo", "/proc/buddyinfo was not gathered")
            found = [make("MF901", "unknown", "What can be allocated is not known: %s" % why, unavailable=why)]
        else:
            found = self._orders() + self._nodes() + self._main_zones() + self._unmovable() + self._huge_pages()
        found += self._short() + self._trends() + self._slab() + self._settings() + self._known_kernels()
        missing = dict(self.facts.get("unavailable") or {})
        missing.pop("buddyinfo", None)
        # The indices are computed without debugfs, and an old kernel without PSI lacks nothing of the judgement.
        parts = sorted(name for name in missing if name not in ("extfrag", "pressure", "transparent_hugepage"))
        if parts and self.zones:
            title = "Parts are unknown, because these could not be read: %s" % ", ".join(parts)
            found.append(make("MF902", "info", title, unavailable={name: missing[name] for name in parts}))
        return found

    def _orders(self):
        """MF201: for each target order how many blocks are left on the machine."""
        spare, listed, worst = self.rules["spare_blocks"], [], None
        ladders = {
            "critical": ("critical", "high", "medium"),
            "high": ("high", "medium", "low"),
            "medium": ("medium", "low", None),
        }
        targets = dict.fromkeys(self.needed, "critical")
        targets.update((order, severity) for order, severity in self.general.items() if order not in targets)
        for order, gravest in sorted(targets.items()):
            if order >= self.orders:
                continue
            room = self.room(order, self.serving)
            severity = ladders[gravest][0 if not room else 1 if room < spare else 2] if room < 2 * spare else None
            if severity:
                listed.append((order, room, severity))
                worst = max([worst or "info", severity], key=SEVERITIES.index)
        if not listed:
            return []
        graves = [row for row in listed if row[2] == worst]
        gone = [row for row in graves if not row[1]]
        order = (gone or graves)[0][0]
        causes = self._causes(order)
        named = ", ".join("%d (%s)" % (row[0], self.bytes_of(row[0])) for row in gone or graves)
        subject = "Order%s %s" % ("s" if len(gone or graves) > 1 else "", named)
        free = sum(_fragmentation.free_pages(zone["free_blocks"]) for zone in self.serving) * self.page_kb
        if gone:
            words = {"fragmentation": "fragmented", "shortage": "short of memory"}
            why = ", and ".join(words[cause] for cause in causes)
            title = "%s cannot be allocated, with %d MB free: %s" % (subject, free >> 10, why)
        else:
            left = min(row[1] for row in graves)
            title = "%s can be allocated only %s more" % (subject, "once" if left == 1 else "%d times" % left)
        zones = [zone for zone in self.serving if order < len(zone["free_blocks"])]
        return [
            make(
                "MF201",
                worst,
                title,
                orders=[
                    {"order": row[0], "blocks_left": row[1], "severity": row[2], "needed_by": self.needed.get(row[0])}
                    for row in listed
                ],
                zones=[
                    {
                        "node": zone["node"],
                        "zone": zone["zone"],
                        "free_mb": _fragmentation.free_pages(zone["free_blocks"]) * self.page_kb >> 10,
                        "extfrag_index": _fragmentation.fragmentation_index(zone["free_blocks"], order),
                        "unusable_index": _fragmentation.unusable_index(zone["free_blocks"], order),
                    }
                    for zone in zones
                ],
                causes=causes,
            )
        ]

    def _causes(self, order):
        """What stands behind a missing order: the kernel's index above 500 speaks of fragmentation, MF205 of shortage."""
        indices = [
            _fragmentation.fragmentation_index(zone["free_blocks"], order)
            for zone in self.serving
            if order < len(zone["free_blocks"])
        ]
        causes = ["fragmentation"] if max(indices or [0]) > 500 else []
        if self._short():
            causes.append("shortage")
        return causes or ["fragmentation" if _fragmentation.BLOCK_FREE in indices else "shortage"]

    def _nodes(self):
        """MF202: NUMA nodes without a block of a target order."""
        nodes = sorted({zone["node"] for zone in self.serving})
        stuck = {}
        for node in nodes if len(nodes) > 1 else ():
            zones = [zone for zone in self.serving if zone["node"] == node]
            orders = [
                order
                for order in sorted(set(self.needed) | set(self.general))
                if order < self.orders and not self.room(order, zones)
            ]
            if orders:
                stuck[str(node)] = orders
        if not stuck:
            return []
        order = stuck[sorted(stuck)[0]][0]
        title = "NUMA node %s cannot serve order %d (%s)%s" % (
            ", ".join(sorted(stuck)),
            order,
            self.bytes_of(order),
            "; the machine as a whole can" if self.room(order, self.serving) else "",
        )
        return [make("MF202", "medium", title, nodes=stuck)]

    def _main_zones(self):
        """MF203: the largest zone of a node is nearly out of blocks, and requests live on the smaller ones."""
        poor = []
        for zone in self._largest_zones():
            orders = [
                order
                for order in sorted(set(self.needed) | set(self.general))
                if order < len(zone["free_blocks"]) and self.room(order, [zone]) < self.rules["spare_blocks"]
            ]
            if orders:
                poor.append({"node": zone["node"], "zone": zone["zone"], "orders": orders})
        if not poor:
            return []
        first = poor[0]
        title = "Zone %s of node %d has fewer than %d blocks of order %d (%s) left" % (
            first["zone"],
            first["node"],
            self.rules["spare_blocks"],
            first["orders"][0],
            self.bytes_of(first["orders"][0]),
        )
        return [make("MF203", "medium", title, zones=poor)]

    def _largest_zones(self):
        """The largest zone of each node that has more than one."""
        largest = []
        for node in sorted({zone["node"] for zone in self.serving}):
            zones = [zone for zone in self.serving if zone["node"] == node]
            if len(zones) > 1:
                largest.append(max(zones, key=lambda zone: (zone["managed_pages"] or 0, zone["zone"] == "Normal")))
        return largest

    def _spoiled(self):
        """Zones with unmovable pageblocks all over: [(zone, percent, can no huge page be made even by compaction)]."""
        order, found = self.kernel["hugepage_order"], []
        for zone in self.serving:
            blocks = zone["pageblocks"] or {}
            percent = _percent(blocks.get("Unmovable", 0), sum(blocks.values()))
            if percent >= self.rules["unmovable_percent"]:
                stuck = order is not None and not self.room(order, [zone]) and not zone["outlook"].worth_reclaiming()
                found.append((zone, percent, bool(stuck and zone["outlook"].has_targets(order) is False)))
        return found

    def _unmovable(self):
        spoiled = self._spoiled()
        if not spoiled:
            return []
        managed = sum(zone["managed_pages"] or 0 for zone in self.serving)
        affected = sum(zone["managed_pages"] or 0 for zone, _percent_, _exhausted in spoiled)
        beyond = sum(zone["managed_pages"] or 0 for zone, _percent_, exhausted in spoiled if exhausted)
        zone, percent = max(spoiled, key=lambda row: (row[2], row[0]["managed_pages"] or 0))[:2]
        beyond_help = managed and 2 * beyond >= managed
        title = "%d %% of the pageblocks of zone %s (node %d) are unmovable%s" % (
            percent,
            zone["zone"],
            zone["node"],
            ", and no huge page can be made: compaction will not help" if beyond_help else "",
        )
        return [
            make(
                "MF301",
                # Zone DMA alone, 16 MB that the others' reserves keep nearly everybody out of, is no reason to act.
                "high" if beyond_help else "medium" if _SMALL_SHARE * affected >= managed else "low",
                title,
                zones=[
                    {
                        "node": row[0]["node"],
                        "zone": row[0]["zone"],
                        "unmovable_percent": int(row[1]),
                        "exhausted": row[2],
                    }
                    for row in spoiled
                ],
            )
        ]

    def _huge_pages(self):
        order = self.kernel["hugepage_order"]
        if order is None or order >= self.orders or self.room(order, self.serving):
            return []
        title = "No huge page (order {0}, {1}) is free".format(order, self.bytes_of(order))
        return [make("MF306", "info", title, order=order)]

    def _is_short(self):
        return bool(self._short())

    def _short(self):
        """MF205, by MemAvailable, or by what is free where nothing else is known; MF204."""
        found = []
        total, available = self.memory.get("memtotal"), self.memory.get("memavailable")
        if total and available is not None:
            percent, limit = _percent(available, total), self.rules["available_percent"]
            severity = (
                "critical"
                if percent * 5 < limit
                else "high"
                if percent * 2.5 < limit
                else "medium"
                if percent < limit
                else None
            )
            if severity:
                title = "%d MB of %d MB are available, %.1f %%" % (available >> 10, total >> 10, percent)
                found.append(make("MF205", severity, title, memavailable_kb=available, memtotal_kb=total))
        elif self.zones and not any(zone["watermarks"] for zone in self.zones):
            free = (
                sum(_fragmentation.free_pages(zone["free_blocks"]) for zone in self.serving) * self.kernel["page_size"]
            )
            for limit, severity in _SHORT_BYTES:
                if free < limit:
                    title = "Only %.1f MB are free" % (free / 1048576.0)
                    found.append(make("MF205", severity, title, free_kb=free >> 10))
                    break
        atomic = [zone for zone in self.zones if zone.get("atomic")]
        if atomic and not any(zone["atomic"][0] for zone in atomic):
            found.append(make("MF204", "medium", "Not a single page is left for an atomic request", zones=len(atomic)))
        return found

    def _trends(self):
        found, grown, hours, rules = [], self.rates, self.hours, self.rules
        if hours:
            window = "in %.1f hours" % hours
            stalls, fails = grown.get("compact_stall", 0), grown.get("compact_fail", 0)
            if (
                stalls >= rules["compaction_stalls_per_hour"] * hours
                and _percent(fails, stalls) >= rules["compaction_fail_percent"]
            ):
                title = "%d of %d direct compactions failed %s" % (fails, stalls, window)
                found.append(
                    make("MF302", "medium", title, compact_stall=stalls, compact_fail=fails, hours=round(hours, 2))
                )
            reclaims = sum(value for name, value in grown.items() if name.startswith("allocstall"))
            if reclaims >= max(1, rules["allocation_stalls_per_hour"] * hours):
                title = "Processes entered direct reclaim %d times %s" % (reclaims, window)
                found.append(make("MF303", "medium", title, allocstall=reclaims, hours=round(hours, 2)))
            faults, fallbacks = grown.get("thp_fault_alloc", 0), grown.get("thp_fault_fallback", 0)
            if fallbacks >= 100 and _percent(fallbacks, faults + fallbacks) >= rules["thp_fallback_percent"]:
                title = "%d of %d huge page faults fell back %s" % (fallbacks, faults + fallbacks, window)
                found.append(make("MF305", "info", title, thp_fault_fallback=fallbacks, thp_fault_alloc=faults))
            drops = grown.get("drop_slab", 0) + grown.get("drop_pagecache", 0)
            if drops >= max(2, rules["drop_caches_per_day"] * hours / 24):
                found.append(make("MF508", "low", "Caches were dropped %d times %s" % (drops, window), drops=drops))
        pressure = self.facts.get("pressure") or {}
        waiting = pressure.get("some_avg300", 0)
        if waiting >= rules["pressure_percent"]:
            title = "Some task waited for memory %.0f %% of the last five minutes" % waiting
            found.append(make("MF304", "medium", title, **pressure))
        return found

    def _slab(self):
        found, rules, total = [], self.rules, self.memory.get("memtotal")
        for ident, severity, word, name in (
            ("MF401", "medium", "Unreclaimable", "unreclaimable_kb"),
            ("MF402", "low", "Reclaimable", "reclaimable_kb"),
        ):
            size = self.slab.get(name)
            if total and size and _percent(size, total) >= rules["slab_percent"]:
                largest = [cache["name"] for cache in self.slab.get("caches") or ()][:3]
                title = "%s slab takes %d MB, %d %% of the memory" % (word, size >> 10, _percent(size, total))
                found.append(make(ident, severity, title, size_kb=size, memtotal_kb=total, largest_caches=largest))
        sparse = [
            cache
            for cache in self.slab.get("caches") or ()
            if cache["size_kb"] >= rules["sparse_slab_mb"] * 1024
            and (cache["utilization_percent"] or 0) < rules["sparse_slab_percent"]
        ]
        if sparse:
            title = "Slab cache %s holds %d MB for %d %% of its objects" % (
                sparse[0]["name"],
                sparse[0]["size_kb"] >> 10,
                sparse[0]["utilization_percent"] or 0,
            )
            found.append(make("MF403", "low", title, caches=[cache["name"] for cache in sparse]))
        for zone in self.serving:
            pcp, free = zone["pcp_pages"] or 0, _fragmentation.free_pages(zone["free_blocks"])
            if pcp * self.page_kb >= 256 * 1024 and _percent(pcp, pcp + free) >= rules["pcp_percent"]:
                title = "%d MB of zone %s stand on per-cpu lists" % (pcp * self.page_kb >> 10, zone["zone"])
                found.append(make("MF405", "info", title, node=zone["node"], zone=zone["zone"], pcp_pages=pcp))
                break
        return found

    def _settings(self):
        found, rules, total = [], self.rules, self.memory.get("memtotal")
        minimum = self.sysctl.get("vm.min_free_kbytes")
        if isinstance(minimum, int) and total:
            percent = _percent(minimum, total)
            if percent > rules["min_free_percent"]:
                severity = "high" if percent > 2 * rules["min_free_percent"] else "medium"
                title = "min_free_kbytes is %d, %.1f %% of the memory" % (minimum, percent)
                found.append(make("MF502", severity, title, min_free_kbytes=minimum, memtotal_kb=total))
            elif minimum < 1024 or (total > 16 << 20 and percent < 0.25):
                title = "min_free_kbytes is %d, %.2f %% of the memory" % (minimum, percent)
                found.append(
                    make(
                        "MF501",
                        "medium" if minimum < 1024 else "low",
                        title,
                        min_free_kbytes=minimum,
                        memtotal_kb=total,
                    )
                )
        if self.kernel.get("config_compaction") is False:
            found.append(make("MF503", "medium", "The kernel was built without compaction", config_compaction=False))
        if self.sysctl.get("vm.compaction_proactiveness") == 0:
            found.append(make("MF504", "low", "vm.compaction_proactiveness is 0", compaction_proactiveness=0))
        threshold = self.sysctl.get("vm.extfrag_threshold")
        if isinstance(threshold, int) and threshold > 500:
            title = "vm.extfrag_threshold is %d, above the default of 500" % threshold
            found.append(make("MF505", "low", title, extfrag_threshold=threshold))
        nodes = len({zone["node"] for zone in self.zones})
        if self.sysctl.get("vm.zone_reclaim_mode") and nodes > 1:
            title = "vm.zone_reclaim_mode is %s on a machine with %d NUMA nodes" % (
                self.sysctl["vm.zone_reclaim_mode"],
                nodes,
            )
            found.append(make("MF506", "medium", title, zone_reclaim_mode=self.sysctl["vm.zone_reclaim_mode"]))
        return found

    def _known_kernels(self):
        found, release = [], self.kernel["release"]
        caches = self.slab.get("nf_conntrack_caches")
        if caches:
            title = (
                "%d network namespaces have a connection tracking cache of their own, and each new one needs another"
                % caches
            )
            found.append(make("MF601", "low", title, nf_conntrack_caches=caches, release=release))
        number, directories = self.cgroups.get("memory_cgroups"), self.cgroups.get("memory_directories")
        if number and directories and number > 3 * directories + 1000:
            order = _consumers.memcg_array_order(number, self.kernel["page_size"]) if self.scaled or caches else None
            title = "%d memory cgroups, but only %d directories: the others were removed and still hold memory" % (
                number,
                directories,
            )
            if order:
                title += "; each new slab cache therefore needs order %d" % order
            found.append(
                make(
                    "MF602",
                    "high" if order else "medium",
                    title,
                    memory_cgroups=number,
                    memory_directories=directories,
                    order=order,
                )
            )
        cpus = self.kernel["possible_cpus"] or 0
        if cpus >= 40 and _consumers.veth_affected(release):
            order = _consumers.order_of(_consumers.veth_bytes(self.kernel), self.kernel["page_size"])
            title = "Each veth pair needs order %d on this kernel, for %d possible CPUs" % (order, cpus)
            found.append(make("MF603", "low", title, possible_cpus=cpus, release=release, order=order))
        return found

    # --- what would help ------------------------------------------------------------------------------------------

    def remediation(self):
        """-> {action, will_help: true, false or None (cannot be told), reason, order, node, zone, blocks}.

        By the zones that lack blocks: order, NUMA node and zone are those that it speaks of, None where none lacks any.
        """
        if not self.zones:
            return _remediation("none", None, "what is free is not known")
        sick = self._sick_zones()
        if not sick:
            if self._is_short():
                return _remediation(
                    "add_memory", False, "memory is short, and not fragmented: add some, or move work away"
                )
            return _remediation("none", None, "nothing is missing")
        targets = set(self.needed) | set(self.general)
        verdicts = [self._would_help(zone, order, order in targets) for zone, order in sick]
        beyond_help = any(found["severity"] == "high" for found in self._unmovable())
        if sick[0][1] not in targets and not beyond_help and verdicts[0]["action"] != "compact":
            return _remediation("none", None, "only huge pages are missing, and compaction would not bring them back")
        for action in ("compact", "reclaim_then_compact"):
            for verdict, (zone, order) in zip(verdicts, sick):
                if verdict["action"] == action:
                    return dict(verdict, order=order, node=zone["node"], zone=zone["zone"])
        zone, order = sick[0]
        return dict(verdicts[0], order=order, node=zone["node"], zone=zone["zone"])

    def _sick_zones(self):
        """[(zone, the smallest order it lacks)]: the zones behind MF201, MF202, MF203 and MF301, and huge pages last."""
        targets = sorted(set(self.needed) | set(self.general))
        spare, sick = self.rules["spare_blocks"], []
        largest = self._largest_zones() or self.serving
        for zone in sorted(self.serving, key=lambda zone: (zone not in largest, -(zone["managed_pages"] or 0))):
            lacking = [
                order for order in targets if order < len(zone["free_blocks"]) and self.room(order, [zone]) < spare
            ]
            machine = [order for order in lacking if self.room(order, self.serving) < 2 * spare]
            if lacking and (zone in largest or machine):
                sick.append((zone, lacking[0]))
        order = self.kernel["hugepage_order"]
        if not sick and order is not None:
            sick = [
                (zone, order)
                for zone in largest
                if order < len(zone["free_blocks"])
                and zone["outlook"].state(order) in ("needs_compaction", "exhausted")
                and not self.room(order, [zone])
            ]
        return sick

    def _would_help(self, zone, order, needed):
        place = "zone %s of node %d" % (zone["zone"], zone["node"])
        free = _fragmentation.free_pages(zone["free_blocks"])
        if self.kernel.get("config_compaction") is False:
            return _remediation(
                "drain_and_reboot", False, "this kernel cannot compact; only a reboot brings blocks back"
            )
        wanted = self.rules["spare_blocks"] if needed else 1
        action, will_help, why = zone["outlook"].what_helps(order, wanted, self._is_short())
        blocks = zone["pageblocks"] or {}
        values = {
            "place": place,
            "free": free * self.page_kb >> 10,
            "movable": (zone["outlook"].movable_pages(order) or 0) * self.page_kb >> 10,
            "reclaimable": zone["reclaimable_pages"] * self.page_kb >> 10,
            "percent": _percent(blocks.get("Unmovable", 0), sum(blocks.values())),
        }
        return _remediation(action, will_help, _WHY_IT_HELPS[why] % values)


_WHY_IT_HELPS = {
    "shortage": "%(place)s is short of memory (%(free)d MB free), compaction needs room: add memory or move work",
    "movable": "%(place)s has %(movable)d MB free in movable pageblocks, into which pages can be moved",
    "reclaimable": "%(place)s has %(reclaimable)d MB of page cache and reclaimable slab; freed first, they make room to compact",
    "unknown": "%(place)s has %(free)d MB free in small blocks; whether they can be joined cannot be told without /proc/pagetypeinfo",
    "unmovable": (
        "the %(free)d MB free in %(place)s stand among unmovable pages (%(percent)d %% of the pageblocks), compaction will not help: drain and reboot"
    ),
}


def _remediation(action, will_help, reason):
    return {
        "action": action,
        "will_help": will_help,
        "reason": reason,
        "order": None,
        "node": None,
        "zone": None,
        "blocks": None,
    }
