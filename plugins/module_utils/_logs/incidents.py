# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Events that belong together become incidents: repeats are counted, causes found in the kernel's log are carried over.

Events are grouped as they come, so that memory depends on how many different things happened and not on how often. A group
keeps its first and last events whole, and of all others the time.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections

from . import joins

# Groups beyond these share one group per cause; whole events kept per group, fewer once there are many groups. The kernel's reports
# have their own places, so that no flood of messages can take them.
MAX_GROUPS, MAX_KERNEL_GROUPS = 500, 250
KEEP_FEW_GROUPS, KEEP, KEEP_LATER = 25, 20, 4
MAX_TIMES, TIMES_LATER = 4000, 200
MAX_NAMES = 50
# The worst first: what costs most when it is overlooked.
SEVERITY = (
    "fragmentation",
    "memory_shortage",
    "memcg_leak",
    "vmalloc_exhaustion",
    "memcg_limit",
    "pid_limit",
    "disk_full",
    "runtime_hang",
    "immutable_file",
    "mount_busy",
    "network_plugin",
    "image",
    "runtime_state_mismatch",
    "atomic_burst",
    "invalid_request",
    "unknown",
)
_EXPLAINS = frozenset(("fragmentation", "memory_shortage", "memcg_limit", "vmalloc_exhaustion", "atomic_burst"))
# Ids of the findings (_findings.py) that say what to do, by cause; fragmentation by what it broke.
_REMEDIES = {
    "memory_shortage": "MF106",
    "atomic_burst": "MF108",
    "memcg_limit": "MF105",
    "memcg_leak": "MF107",
    "vmalloc_exhaustion": "MF109",
}
_REMEDIES_OF_FRAGMENTATION = (
    ("oom_kill", "MF104"),
    ("slab_cache_create_failure", "MF102"),
    ("container_start_failure", "MF103"),
)
_CONFIDENCE = ("high", "medium", "low")
# Daemons that tell of one kill in several lines: that memory is low, whom they kill, then that they did; within so many seconds or lines.
# Of so many hosts the last kills are known.
_TELL_AGAIN, _AGAIN, _AGAIN_LINES, MAX_KILLS = frozenset(("earlyoom", "systemd-oomd")), 15, 20, 1000


def _severity(cause):
    return SEVERITY.index(cause) if cause in SEVERITY else len(SEVERITY) - 1


class Group:
    """Events of the same kind of trouble."""

    def __init__(self, key, verdict, kernel, weak, keep):
        self.key, self.kernel, self.weak, self.keep = key, kernel, weak, keep
        self.cause, self.reason, self.confidence = verdict["cause"], verdict["reason"], verdict["confidence"]
        self.rejected = list(verdict.get("rejected") or ())
        self.count = 0
        self.first = self.last = None
        self.events, self.tail = [], collections.deque(maxlen=max(1, keep // 2))
        self.times = collections.deque(maxlen=MAX_TIMES if keep == KEEP else TIMES_LATER)
        self.places = collections.deque(maxlen=200)
        self.names = {"pods": [], "containers": [], "uids": [], "units": [], "victims": []}
        self.kinds = set()
        self.notice = False
        self.starter = False
        self.parent = None
        self.newest = None

    def add(self, event, epoch, place, repeats):
        self.count += repeats
        self.kinds.add(event["kind"])
        if epoch is not None:
            self.first = epoch if self.first is None else min(self.first, epoch)
            self.last = epoch if self.last is None else max(self.last, epoch)
            # Within a second, one time stands for all.
            if not self.times or abs(self.times[-1] - epoch) >= 1:
                self.times.append(epoch)
        self.places.append(place)
        if len(self.events) < max(1, self.keep // 2):
            self.events.append((place, event))
        else:
            self.tail.append((place, event))
        self.newest = (event, epoch, place)
        self.note(event)

    def note(self, event):
        pod, space = event.get("pod"), event.get("namespace")
        self._name("pods", "%s/%s" % (space, pod) if pod and space else pod)
        self._name("containers", event.get("container_id"))
        self._name("uids", event.get("pod_uid"))
        self._name("units", (event.get("cgroup") or "").rsplit("/", 1)[-1])
        if event.get("victim_pid"):
            self._name("victims", event["victim_pid"])

    def _name(self, kind, name):
        names = self.names[kind]
        if name and name not in names and len(names) < MAX_NAMES:
            if kind == "pods" and "/" in name and name.split("/", 1)[1] in names:
                names.remove(name.split("/", 1)[1])
            elif kind == "pods" and any(known.endswith("/" + name) for known in names):
                return
            names.append(name)

    def root(self):
        group = self
        while group.parent is not None:
            group = group.parent
        return group

    @property
    def rank(self):
        """Whose word counts when groups are one incident: lower is better."""
        known = self.cause != "unknown"
        if self.cause == "runtime_state_mismatch":
            # It is what a failed start leaves behind.
            evidence = 4
        elif self.kernel and known and self.confidence != "low":
            evidence = 0
        elif not self.kernel and not self.weak and self.confidence != "low":
            evidence = 1
        elif known:
            evidence = 2 if self.kernel else 3
        else:
            evidence = 5 if self.kernel else 6
        return (evidence, _CONFIDENCE.index(self.confidence), _severity(self.cause))


class Store:
    """All that was found so far."""

    def __init__(self):
        self.groups = collections.OrderedDict()
        self.places = {True: 0, False: 0}
        self.by_kind, self.by_cause = {}, {}
        self.total = 0
        self._seen = {}
        # The last kill of each daemon that tells of one more than once: (event, its group, time, place).
        self._kills = {}

    def duplicate(self, event, stamp):
        """The same message in another file (kern.log and syslog, messages and daemon.log)."""
        if stamp is None:
            return False
        key = hash((event["kind"], stamp, event["host"], event.get("pid"), event["message"]))
        source = self._seen.setdefault(key, event["source"])
        if len(self._seen) > 20000:
            self._seen.clear()
        return source != event["source"]

    def add_kernel(self, event, verdict, epoch, place, detail, starter):
        """``detail`` tells apart what has the same cause; ``starter``: it may have kept a container from starting."""
        group = self._group(("kernel", event["host"], verdict["cause"]) + detail, verdict, True, False)
        group.starter = group.starter or starter
        self._count(event, 1)
        group.add(event, epoch, place, 1)

    def add_runtime(self, event, signature, epoch, place, repeats):
        """-> the event that stands for this one: itself, or the first of the same attempt."""
        pod = event["pod"] or event["pod_uid"] or event["container_id"]
        key = ("runtime", event["host"], event["kind"], signature.ident, pod)
        group = self._group(key, _verdict(signature), False, signature.weak)
        # kubelet tells of one attempt in four lines.
        if group.newest is not None and repeats == 1 and self._same_attempt(group, event, epoch, place):
            kept = group.newest[0]
            for name in ("pod", "namespace", "pod_uid", "container_id"):
                kept[name] = kept[name] or event[name]
            group.note(event)
            group.newest = (kept, epoch, place)
            return kept
        self._count(event, 1)
        group.add(event, epoch, place, repeats)
        return event

    def add_notice(self, event, notice, epoch, place, repeats, pod):
        """A notice of memory that ran out, by others than the kernel. ``pod``: (name, namespace) where it names one."""
        daemon = (event["host"], event["reporter"])
        if event["reporter"] in _TELL_AGAIN and repeats == 1:
            kept, group, then, where = self._kills.get(daemon) or (None, None, None, None)
            if kept is not None and _same_kill(kept, event, then, epoch, where, place):
                for name in ("victim_comm", "victim_pid", "cgroup"):
                    kept[name] = kept[name] or event[name]
                group.note(event)
                return
        who = None
        if notice.scope != "system":
            # A lack of memory of the machine is one trouble, whoever is killed for it.
            who = event["container_id"] or event["pod_uid"] or pod[0] or event["cgroup"] or event["victim_pid"]
        group = self._group(
            ("notice", event["host"], notice.scope, event["reporter"], who), _verdict(notice), False, True
        )
        group.notice = True
        self._count(event, repeats)
        group.add(event, epoch, place, repeats)
        if pod[0]:
            group.note({"pod": pod[0], "namespace": pod[1]})
        if event["reporter"] in _TELL_AGAIN:
            if len(self._kills) >= MAX_KILLS:
                self._kills.clear()
            self._kills[daemon] = (event, group, epoch, place)

    @staticmethod
    def _same_attempt(group, event, epoch, place):
        before, then, where = group.newest
        if before["runtime"] != event["runtime"] or before["source"] != event["source"] or where[0] != place[0]:
            return False
        for name in ("pod", "container_id"):
            if before[name] and event[name] and before[name] != event[name]:
                return False
        if epoch is not None and then is not None:
            return abs(epoch - then) <= joins.ATTEMPT
        return epoch is None and then is None and place[1] - where[1] <= 3

    def _count(self, event, number):
        self.total += number
        for table, name in ((self.by_kind, event["kind"]), (self.by_cause, event["cause"])):
            table[name] = table.get(name, 0) + number

    def _group(self, key, verdict, kernel, weak):
        group = self.groups.get(key)
        if group is None:
            if self.places[kernel] >= (MAX_KERNEL_GROUPS if kernel else MAX_GROUPS):
                key = (key[0], None, verdict["cause"], "others")
                group = self.groups.get(key)
            if group is None:
                self.places[kernel] += 1
                keep = KEEP if len(self.groups) < KEEP_FEW_GROUPS else KEEP_LATER
                group = self.groups[key] = Group(key, verdict, kernel, weak, keep)
        return group

    # -- what belongs together -------------------------------------------------------------------------------------

    def incidents(self, max_events, iso):
        """-> (events, incidents, number of all incidents): incidents by weight, and of the events those that fit."""
        groups = list(self.groups.values())
        kernel = [group for group in groups if group.kernel]
        runtime = [group for group in groups if not group.kernel]
        joins.by_same_object(groups)
        joins.by_attempts([group for group in runtime if not group.notice])
        joins.by_kernel(
            [
                group
                for group in runtime
                if not group.notice and (group.weak or group.cause == "runtime_state_mismatch")
            ],
            [group for group in kernel if group.cause in _EXPLAINS and group.starter],
        )
        joins.by_notices(
            [group for group in runtime if group.notice], [group for group in kernel if "oom_kill" in group.kinds]
        )
        members = collections.OrderedDict()
        for group in groups:
            members.setdefault(group.root(), []).append(group)
        incidents = [_incident(parts, iso) for parts in members.values()]
        incidents.sort(key=lambda incident: incident.pop("_weight"))
        events = _select(incidents, max_events)
        return events, incidents[:max_events], len(incidents)


def _same_kill(kept, event, then, now, where, place):
    """Whether a daemon tells of the same kill again: soon after, and of no other victim."""
    if where[0] != place[0] or (
        abs(now - then) > _AGAIN if None not in (then, now) else place[1] - where[1] > _AGAIN_LINES
    ):
        return False
    known = False
    for name in ("victim_pid", "victim_comm", "cgroup"):
        one, other = (str(found[name] or "").rsplit("/", 1)[-1] for found in (kept, event))
        if one and other and one != other:
            return False
        known = known or bool(one or other)
    return known


def _verdict(signature):
    """A row of a table as the verdict of a group."""
    return {
        "cause": signature.cause,
        "reason": signature.reason,
        "confidence": signature.confidence,
        "rejected": signature.rejected,
    }


def _incident(parts, iso):
    parts.sort(key=lambda group: group.rank)
    best = parts[0]
    first = [group.first for group in parts if group.first is not None]
    last = [group.last for group in parts if group.last is not None]
    names = {kind: [] for kind in ("pods", "containers")}
    for kind in names:
        for group in parts:
            names[kind] += [name for name in group.names[kind] if name not in names[kind]]
        full = {name.split("/", 1)[1] for name in names[kind] if "/" in name}
        names[kind] = [name for name in names[kind] if name not in full][:MAX_NAMES]
    reason, rejected = best.reason, list(best.rejected)
    failed = [group for group in parts if not group.kernel]
    if best.kernel and failed:
        attempts = sum(group.count for group in failed if group.key[2] == "container_start_failure")
        if attempts:
            reason += "; behind %s" % (
                "one failed container start" if attempts == 1 else "%d failed container starts" % attempts
            )
            if names["pods"]:
                reason += " (%s%s)" % (", ".join(names["pods"][:3]), ", ..." if len(names["pods"]) > 3 else "")
        for group in failed:
            if group.cause not in ("unknown", best.cause) and not any(
                entry["cause"] == group.cause for entry in rejected
            ):
                rejected.append({"cause": group.cause, "why": "the kernel's own report of the moment says otherwise"})
    elif not best.kernel and best.weak and not best.notice and best.cause != "fragmentation":
        rejected.append(
            {
                "cause": "fragmentation",
                "why": "no page allocation failure is in the log at that time (the kernel does not print them all)",
            }
        )
    count = sum(group.count for group in (parts if not best.kernel else [group for group in parts if group.kernel]))
    if best.kernel and failed:
        count = max(count, sum(group.count for group in failed if not group.notice))
    kernel = any(group.kernel for group in parts)
    kinds = sorted({kind for group in parts for kind in group.kinds})
    return {
        "cause": best.cause,
        "reason": reason,
        "confidence": best.confidence,
        "first_time": iso(min(first)) if first else None,
        "last_time": iso(max(last)) if last else None,
        "count": count,
        "events": [],
        "pods": names["pods"],
        "containers": names["containers"],
        "rejected": rejected,
        "kinds": kinds,
        "remedies": _remedies(best.cause, kinds),
        "_parts": parts,
        "_weight": _weight(best, kernel, count, max(last) if last else 0),
    }


def _weight(best, kernel, count, last):
    """Where an incident stands: evidence and confidence first, then severity, count and recency.

    A guess of low confidence stands below all that is better founded, however bad its cause is.
    """
    return (
        best.confidence == "low",
        best.cause == "unknown",
        not (kernel and best.kernel),
        _CONFIDENCE.index(best.confidence),
        _severity(best.cause),
        -count,
        -last,
    )


def _remedies(cause, kinds):
    if cause == "fragmentation":
        found = [ident for kind, ident in _REMEDIES_OF_FRAGMENTATION if kind in kinds] or ["MF101"]
    elif cause in _REMEDIES:
        found = [_REMEDIES[cause]]
    else:
        found = ["MF110"] if any(kind.startswith("container_") for kind in kinds) else []
    return found + (["MF111"] if "compaction_stall" in kinds else [])


def _select(incidents, max_events):
    """The events to return, one of each incident first, then the others in turn; sets the incidents' indices."""
    queues = []
    for number, incident in enumerate(incidents):
        kept = []
        for rank, group in enumerate(incident.pop("_parts")):
            kept += [(rank, place, event) for place, event in group.events + list(group.tail)]
        kept.sort(key=lambda item: (item[0] > 0, item[1]))
        queues.append((number, [(place, event) for _rank, place, event in kept]))
    queues = queues[:max_events]
    chosen, turn = [], 0
    while len(chosen) < max_events and any(turn < len(queue) for _number, queue in queues):
        for number, queue in queues:
            if turn < len(queue) and len(chosen) < max_events:
                chosen.append((queue[turn][0], number, queue[turn][1]))
        turn += 1
    chosen.sort(key=lambda item: item[0])
    for index, (_place, number, _event) in enumerate(chosen):
        incidents[number]["events"].append(index)
    return [event for _place, _number, event in chosen]
