# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Reports of one host within one moment, judged together: what one of them says outright decides about those that say nothing.

Cluster collects reports as they are finished and judges them when the moment is over. A report whose own numbers or lines settle it
is never overruled.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# Reports this many seconds apart are of one moment...
MOMENT = 2.0
# ...or, where times are missing as in pasted text, this many lines.
NEAR_LINES = 120
# In a storm of failures they are judged in portions of this size.
MAX_REPORTS = 64

_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6}))?)?")
# What each zone class contains, lowest first: who may use a zone may use all before it.
_ZONES = ("DMA", "DMA32", "Normal", "HighMem", "Movable")
_STRONG = ("numbers", "lines")


class Moment:
    """When a line was written, as well as it tells: by uptime, by the clock, or by its place among the lines."""

    __slots__ = ("uptime", "day", "clock", "place")

    def __init__(self, line, place):
        self.uptime = self.day = self.clock = None
        self.place = place
        try:
            self.uptime = None if line.uptime is None else float(line.uptime)
            if line.stamp is not None:
                match = _CLOCK.search(line.stamp)
                if match:
                    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
                    self.day, self.clock = line.stamp[: match.start()], hour * 3600 + minute * 60 + second
                elif line.stamp[:9].isdigit():
                    self.day, self.clock = "", float(line.stamp)
        except ValueError:
            pass

    def after(self, other):
        """By how many moments this one is later than the other: more than 1 is another moment."""
        if self.uptime is not None and other.uptime is not None:
            return (self.uptime - other.uptime) / MOMENT
        if self.clock is not None and other.clock is not None:
            return (self.clock - other.clock) / MOMENT if self.day == other.day else float("inf")
        return (self.place - other.place) / float(NEAR_LINES)


class Span:
    """From the first line of a report to its last: what stands between them is of the same moment, however long printing took."""

    __slots__ = ("first", "last")

    def __init__(self, report):
        self.first = Moment(report.line, report.begun)
        self.last = Moment(report.until, report.last) if report.until is not None else self.first

    def near(self, other):
        return self.first.after(other.last) <= 1 and other.first.after(self.last) <= 1


class Cluster:
    """The reports of the moment. ``emit`` gets each with its verdict; what cannot be judged goes to ``unjudged``."""

    def __init__(self, emit):
        self._emit = emit
        self._members = []
        self._stamp = None
        self._last = None
        self.unjudged = []

    def add(self, report):
        """A finished report."""
        span = Span(report)
        if not self._members or self._last.after(span.last) < 0:
            self._last = span.last
        self._stamp = None
        self._members.append((report, span))
        if len(self._members) >= MAX_REPORTS:
            self.close()

    def advance(self, line, place):
        """The log has come to this line: what is open is closed when the line is of another moment."""
        if self._members:
            stamp = line.uptime or line.stamp
            if stamp is not None and stamp == self._stamp:
                return
            self._stamp = stamp
            if abs(Moment(line, place).after(self._last)) > 1:
                self.close()

    def close(self):
        members, self._members = self._members, []
        for report, verdict in self._judged(members):
            try:
                report.verdict = verdict
                self._emit(report)
            except Exception as error:
                self._refuse(report, error)

    def _refuse(self, report, error):
        self.unjudged.append((report.line.number, report.message[:80], repr(error)[:160]))

    def _judged(self, members):
        """-> [(report, verdict)] of those that are events."""
        # Loaded with the first report: most nodes have none.
        from . import diagnosis, reports

        judged = []
        for report, _span in members:
            reports.decode(report)
        for link in (_link_slabs, _link_caches, _inherit_scope):
            link(members)
        for report, span in sorted(members, key=lambda member: member[0].after is not None):
            try:
                judged.append((report, span, reports.judge(report)))
            except Exception as error:
                self._refuse(report, error)
        for report, span, verdict in judged:
            siblings = [other for other in judged if other[0] is not report and _beside((report, span), other[:2])]
            try:
                decided = _decide(report, verdict, siblings, diagnosis)
            except Exception as error:
                self._refuse(report, error)
                continue
            if report.kind is None and not _is_failure(report, decided) or _only_shown(report, decided):
                continue
            report.kind = report.kind or "page_allocation_failure"
            yield report, decided


def _beside(one, other):
    return one[0].host == other[0].host and one[1].near(other[1])


def _is_failure(report, verdict):
    """Mem-Info without a head is printed for SysRq-m as well: it is a failure only where its numbers are those of one."""
    return verdict["cause"] != "unknown" and verdict["basis"] == "numbers" and verdict["confidence"] != "low"


def _only_shown(report, verdict):
    """Vendors' kernels print memory and tasks for other reasons than a kill: a list of tasks alone shows one only where memory is short."""
    if report.kind != "oom_kill" or not report.headless or not report.zones or verdict["basis"] == "numbers":
        return False
    said = (report.killed, report.chosen, report.summary_victim, report.panic, report.constraint, report.trace)
    return not any(said) and not report.said_memcg


# --- what belongs to what ----------------------------------------------------------------------------------------------


def _link_slabs(members):
    """A SLUB report and the page allocator's about the same request, however far apart their lines came."""
    for member in members:
        report = member[0]
        if report.kind == "slab_allocation_failure" and report.after is None and report.order is not None:
            for other in members:
                if (
                    other[0].kind == "page_allocation_failure"
                    and other[0].order == report.order
                    and other[0].mask == report.mask
                    and _beside(member, other)
                ):
                    report.after = other[0]
                    break


def _link_caches(members):
    """nf_conntrack's two messages about one namespace: no cache, and a hash table that fell back to vmalloc."""
    if any(member[0].fell_back for member in members):
        for report, _span in members:
            if report.kind == "slab_cache_create_failure" and "nf_conn" in (report.cache or ""):
                report.fell_back = True


def _proves(report):
    """The scope that a report shows: its own, and that of a cgroup where a charge for a cgroup's slab cache was refused."""
    if report.kind == "slab_allocation_failure" and report.after is None and "(" in (report.cache or ""):
        return "memcg"
    return report.scope if report.kind == "oom_kill" else None


def _inherit_scope(members):
    """A kill line that lost its head has the scope that all others of the moment prove."""
    from .diagnosis import scope_of

    for report, _span in members:
        if report.kind == "oom_kill":
            report.scope = scope_of(report)
    for member in members:
        report = member[0]
        if report.kind == "oom_kill" and report.scope is None:
            scopes = {_proves(other[0]) for other in members if _beside(member, other)} - {None}
            if len(scopes) == 1:
                report.scope = scopes.pop()


# --- strong ones decide weak ones --------------------------------------------------------------------------------------


def _decide(report, verdict, siblings, diagnosis):
    """The verdict on a report in the light of those beside it."""
    if verdict["basis"] in _STRONG or report.kind in ("cma_allocation_failure", "compaction_stall"):
        return verdict
    for rule in (_the_cgroups, _the_same_area, _single_pages_too, _borrowed):
        found = rule(report, verdict, siblings, diagnosis)
        if found is not None:
            return found
    return verdict


def _the_cgroups(report, verdict, siblings, diagnosis):
    """The OOM kill of a page fault, and vmalloc()'s pages, beside a charge that a cgroup refused."""
    from .possible import Request

    refused = [other for other in siblings if other[2]["cause"] == "memcg_limit" and other[2]["basis"] == "lines"]
    if not refused:
        return None
    if report.kind == "vmalloc_failure":
        if not Request(report).charged:
            return None
        return diagnosis.verdict_of(
            "memcg_limit",
            "vmalloc() of %d bytes got an address range but not the single pages for it, and in the same moment a cgroup refused charges "
            "(line %s)" % (report.size, refused[0][0].line.number),
            "medium",
            "path",
            [{"cause": "fragmentation", "why": "vmalloc() needs no contiguous memory"}],
        )
    if report.kind != "oom_kill" or report.scope not in (None, "system") or report.mask != 0:
        return None
    return diagnosis.verdict_of(
        "memcg_limit",
        "a page fault called the OOM killer of the machine (it has no mask) because a cgroup had refused a charge: see the report of "
        "line %s beside it" % refused[0][0].line.number,
        "medium",
        "lines",
        [{"cause": "memory_shortage", "why": "what had failed was the charge to a cgroup"}],
    )


def _the_same_area(report, verdict, siblings, diagnosis):
    """vmalloc() that does not say what was missing, beside one for no more that lacked an address range."""
    if report.kind != "vmalloc_failure" or report.problem is not None or not report.size:
        return None
    for other, _span, theirs in siblings:
        if other.problem == "address space" and other.size <= report.size and theirs["basis"] == "lines":
            return diagnosis.verdict_of(
                theirs["cause"],
                "vmalloc() of %d bytes, and in the same moment no address range was left for %d (line %s)"
                % (report.size, other.size, other.line.number),
                "medium",
                "path",
                theirs["rejected"],
            )
    return None


def _class(report):
    from .possible import Request

    return _ZONES.index(Request(report).zone)


def _single_pages_too(report, verdict, siblings, diagnosis):
    """A block was not to be had, and in the same moment not even single pages were: memory was short."""
    if (
        report.order is None
        or report.order < 1
        or report.kind not in ("page_allocation_failure", "slab_allocation_failure", "oom_kill")
    ):
        return None
    if report.kind == "oom_kill" and report.scope not in ("system", "cpuset", "mempolicy"):
        return None
    for other, _span, theirs in siblings:
        if (
            other.order == 0
            and other.kind in ("page_allocation_failure", "slab_allocation_failure", "oom_kill")
            and theirs["cause"] in ("memory_shortage", "atomic_burst")
            and theirs["confidence"] != "low"
            and _class(other) >= _class(report)
        ):
            return diagnosis.verdict_of(
                theirs["cause"],
                "%s could not be had, and in the same moment not even single pages were (line %s): memory was short"
                % (diagnosis.asked(report), other.line.number),
                "medium",
                "path",
                [{"cause": "fragmentation", "why": "requests for single pages failed beside it"}],
            )
    return None


def _borrowed(report, verdict, siblings, diagnosis):
    """warn_alloc() prints Mem-Info for one of many failures: it holds for the others of the moment as well."""
    if (
        report.zones
        or report.kind not in ("page_allocation_failure", "oom_kill")
        or report.mask is None
        or report.of_vmalloc
    ):
        return None
    if report.kind == "oom_kill" and report.scope not in ("system", "cpuset", "mempolicy"):
        return None
    lender = next((other for other, _span, _theirs in siblings if other.zones and not other.truncated), None)
    if lender is None:
        return None
    report.zones, report.page_kb = lender.zones, lender.page_kb
    try:
        found = diagnosis.diagnose(report)
    finally:
        report.zones = {}
    if found["basis"] != "numbers" or found["cause"] == "unknown":
        return None
    found["confidence"] = "medium" if found["confidence"] == "high" else "low"
    found["reason"] += " (by the zones that line %s printed in the same moment)" % lender.line.number
    return found
