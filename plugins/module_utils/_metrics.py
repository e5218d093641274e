# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""A node's contiguous memory as Prometheus metrics, for the textfile collector of node_exporter on that node.

Run each minute, so that it has to be cheap: what is loaded here is loaded each time, and the reader of logs only when a log has
something to say.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import time

from . import _facts, _families, _log_cursor, _metrics_state, _node_locks, _yields
from ._assessment.assess import assess
from ._assessment.node_state import NodeState
from ._assessment.policy import complete
from ._compaction import state as compaction_state
from ._exposition import Exposition
from ._node import NodeError, is_root, seconds_now
from ._node_writes import WritableNode

FILE_NAME = "memfrag.prom"

# Where metrics were ever written on this node, a path a line: they go with the tool.
WRITTEN = compaction_state.DIRECTORY + "/textfiles"

# The job and the timer may both be about to write: one after the other, so that no event is counted twice.
LOCK_FILES = ("/run/memfrag-metrics.lock", "/var/run/memfrag-metrics.lock")
LOCK_SECONDS = 10

# What the audit looks at, but for the kernel's own indices: they are computed, with the same result.
SUBSET = ("all", "!extfrag")
# As long a free list as the kernel itself goes through since Linux 5.4, where it stops counting.
_LONG_FREE_LIST = 100000
# Walking thousands of cgroups each minute is more than the answer is worth.
_DIRECTORIES_SECONDS = 900


class _SparingNode(WritableNode):
    """A node whose cgroups are counted now and then. ``known`` is {count, at} of the last time."""

    def __init__(self, root, known, now):
        super(_SparingNode, self).__init__(root)
        self._known, self._now = known, now

    def count_directories(self, path, limit=200000):
        if "count" not in self._known or not 0 <= self._now - self._known.get("at", 0) < _DIRECTORIES_SECONDS:
            self._known.update(count=super(_SparingNode, self).count_directories(path, limit), at=int(self._now))
        return self._known["count"]


# --- the file -----------------------------------------------------------------------------------------------------


def update(node, policy, directory, installed=None):
    """Looks, counts what is new in the log, and puts the file in place. -> whether it did: not if the tool was removed meanwhile.

    policy      of _policy_file.load()
    installed   asked under the lock: whether whoever runs this is still there
    Raises NodeError; the file that was there stays then.
    """
    path = lock_file(node)
    if path is None:
        raise NodeError(LOCK_FILES[0], "no directory for the lock")
    with _node_locks.lock(node, path, wait_seconds=LOCK_SECONDS, remove=True) as held:
        if not held:
            raise NodeError(path, "another run has held the lock for %d seconds" % LOCK_SECONDS)
        if installed and not installed():
            return False
        state = _metrics_state.load(node)
        text = _look(node, policy, state)
        # First what was counted: of a run that is killed in between, the next one tells.
        if may_keep(node):
            _metrics_state.save(node, state)
        write(node, directory, text)
    return True


def may_keep(node):
    """Whether counters can be kept on the node; somebody who is not root only looks."""
    return is_root() or node.root != "/"


def current(node, policy):
    """-> the text of the file, to be looked at: the log is left to the next run that writes."""
    return _look(node, policy, _metrics_state.load(node), read_log=False)


def lock_file(node):
    return next((path for path in LOCK_FILES if node.exists(path.rpartition("/")[0])), None)


def write(node, directory, text):
    """Writes the file in a directory of a textfile collector, and notes that first, so that a run that is killed leaves no stray one."""
    path = directory.rstrip("/") + "/" + FILE_NAME
    try:
        _note(node, path)
    except NodeError:
        # Whoever is not root writes for themselves.
        if is_root():
            raise
    node.write_file(path, text)


def _note(node, path):
    known = written(node)
    if path not in known:
        node.own_directory(compaction_state.DIRECTORY)
        node.write_file(WRITTEN, "".join(one + "\n" for one in sorted([path] + known)))


def written(node):
    """-> paths of the files that were written, none of a list that others could have written. NodeError where it cannot be read."""
    try:
        lines = node.read_trusted(WRITTEN).splitlines()
    except NodeError as error:
        if not (error.missing or error.errno == errno.EPERM):
            # Written anew it would lack what it has.
            raise
        return []
    return sorted(
        {line for line in lines if line.startswith("/") and line.endswith("/" + FILE_NAME) and "\0" not in line}
    )


# --- what is in it ------------------------------------------------------------------------------------------------


def _look(node, policy, state, read_log=True):
    began, now = seconds_now(), time.time()
    sparing = _SparingNode(node.root, state["directories"], now)
    facts = _facts.collect(sparing, SUBSET, long_free_list=_LONG_FREE_LIST)
    unavailable = dict(facts["unavailable"])
    if read_log:
        error = count_new(node, state, now)
        if error:
            unavailable["log"] = error
    sources = [name for name in _families.SOURCES if read_log or name != "log"]
    _metrics_state.note_sources(state, sources, unavailable, now)
    return render(facts, policy, compaction_state.load(node), state, _yields.load(node).last, began)


def count_new(node, state, now):
    """Counts in the ``state`` what the log has new. -> why it could not be read, or None"""
    reading = _log_cursor.read_new(node, state["log"], now)
    pieces = [piece for piece in reading.pieces if piece.says_something()]
    if pieces:
        from ._logs.pieces import count

        _metrics_state.count(state, count(node, pieces, now))
    state["log"] = reading.place
    state["gaps"] += reading.gaps
    return reading.error


def render(facts, policy, runs, state, last=None, began=None):
    """-> the text of the file.

    runs    what _compaction.state.load() gives
    state   that of _metrics_state.load()
    last    the last compaction that was promised something, of _yields.load()
    """
    rules = complete(policy["assessment"])
    verdict = assess(facts, None, policy["assessment"])
    page = Exposition()
    rows = _families.families(facts, verdict, NodeState(facts, None, rules), policy["target"], runs, state, last)
    for name, kind, words, samples in rows:
        # What this node cannot tell is not there, not even by name.
        for labels, value in samples:
            page.family(name, kind, words).sample(labels, value)
    page.family(
        "memfrag_collected_timestamp_seconds", "gauge", "When the node was looked at, in seconds since 1970."
    ).sample((), _families.seconds(facts["collected_at"]))
    if began is not None:
        page.family("memfrag_collect_duration_seconds", "gauge", "How long it took to look.").sample(
            (), round(seconds_now() - began, 4)
        )
    return page.text()
