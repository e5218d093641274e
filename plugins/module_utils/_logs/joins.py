# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Which groups of events belong together: by what they name, and by the moment. Groups are those of incidents.py.

Two groups that belong together are joined by _union(); the better evidence leads. All work is bounded: a group is compared with a few
others of the same name or the same moment, however many there are.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import bisect
import collections

# So many groups with one name are compared with each other: more are all the same trouble.
MAX_OWNERS = 20
# A kernel report explains a failed start that is logged within this many seconds before or after it...
BEFORE, AFTER = 5, 2
# ...or, where times are missing as in pasted text, within as many lines.
NEAR_LINES = 200
# A notice of memory that ran out follows the kernel's report within this: runtimes and the kubelet poll.
NOTICE = 15
# One attempt to start a container is reported by several programs, several times, within this.
ATTEMPT = 2
# Things that happened to the same pod or container belong together when they are not farther apart than this.
SAME_OBJECT = 300


def _union(one, other):
    one, other = one.root(), other.root()
    if one is not other:
        # The better evidence leads, so that a group never loses a kernel report to a message.
        if other.rank < one.rank:
            one, other = other, one
        other.parent = one


def _same_host(one, other):
    return one.key[1] is None or other.key[1] is None or one.key[1].split(".")[0] == other.key[1].split(".")[0]


def _apart(one, other):
    """Seconds between two groups, 0 when they overlap or have no times."""
    if one.first is None or other.first is None:
        return 0
    return max(0, one.first - other.last, other.first - one.last)


def by_same_object(groups):
    """By pod, pod uid, container id and systemd unit."""
    for kind in ("uids", "containers", "pods", "units"):
        owners = {}
        for group in groups:
            for name in group.names[kind]:
                # A namespace is not always known.
                known = owners.setdefault(name.rsplit("/", 1)[-1], collections.deque(maxlen=MAX_OWNERS))
                for other in known:
                    if _same_host(group, other) and _apart(group, other) <= SAME_OBJECT:
                        _union(group, other)
                        break
                known.append(group)


class _Near:
    """Finds the groups that have an event close to a moment, or to a place in the same log."""

    # So many neighbours are looked at: more at one moment are all the same trouble.
    LIMIT = 10

    def __init__(self, groups):
        self.times = sorted((epoch, number) for number, group in enumerate(groups) for epoch in group.times)
        self.places = sorted((place, number) for number, group in enumerate(groups) for place in group.places)
        self.groups = groups

    def find(self, group, before, after, lines):
        """Those with an event at most so many seconds, or lines where one of the two has no times, from one of ``group``."""
        for epoch in group.times:
            for number in self._between(self.times, epoch - before, epoch + after):
                yield self.groups[number]
        for order, line in group.places:
            for number in self._between(self.places, (order, line - lines), (order, line + lines)):
                if not (group.times and self.groups[number].times):
                    yield self.groups[number]

    def _between(self, entries, low, high):
        start = bisect.bisect_left(entries, (low,))
        for value, number in entries[start : start + self.LIMIT]:
            if value > high:
                return
            yield number


def by_attempts(runtime):
    """dockerd knows the container and kubelet the pod: the same error in the same moment is the same attempt."""
    by_signature = {}
    for group in runtime:
        by_signature.setdefault(group.key[2:4], []).append(group)
    for alike in by_signature.values():
        near = _Near(alike)
        for group in alike:
            if not group.names["pods"]:
                for other in near.find(group, ATTEMPT, ATTEMPT, 10):
                    if other is not group and _same_host(group, other):
                        _union(group, other)
                        break


def by_kernel(runtime, kernel):
    """Starts that failed for no reason of their own, and the kernel reports of the moment."""
    near = _Near(kernel)
    for group in runtime:
        for other in near.find(group, BEFORE, AFTER, NEAR_LINES):
            if _same_host(group, other):
                _union(group, other)


def by_notices(notices, kernel):
    """A notice and the kernel's report of the same kill: by the process, or by the moment where nothing speaks against it."""
    near = _Near(kernel)
    for group in notices:
        for other in near.find(group, NOTICE, NOTICE, NEAR_LINES):
            if _same_host(group, other) and not _contradict(group, other):
                _union(group, other)


def _contradict(one, other):
    """Whether two groups name different processes or containers."""
    return any(
        one.names[kind] and other.names[kind] and not set(one.names[kind]) & set(other.names[kind])
        for kind in ("victims", "containers", "uids")
    )
