# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The whole of a run: look, decide, act within limits, measure, and remember it for the back-off."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import time

from .. import _facts, _node_locks
from .._node import NodeError, seconds_now
from .._states import STATES
from . import guards, lists, promise, state
from .plan import FAILED, SURVEYED, plan
from .steps import Steps
from .target import measure, resolve, row_of, subset

# Directories that only root may write to, so that nobody else can hold the lock; the second is for el6.
LOCK_FILES = ("/run/memfrag.lock", "/var/run/memfrag.lock")

# What a run takes over from its plan.
# Of the result, what M(kernelops.memfrag.memfrag_compact) returns.
RETURNED = (
    "reason message satisfied helped order orders before after nodes steps counters guard unchecked_guards promised"
    " survey_unavailable duration_seconds"
).split()

_OF_THE_PLAN = ("act", "reason", "message", "order", "orders", "nodes", "before", "guard", "unchecked_guards")

# The fall of the unusable index, in thousandths, from which on a run has helped that did not reach its goal.
_HELPED = 50


def run(
    node,
    target,
    dry_run=False,
    remember=True,
    gather=_facts.collect,
    survey=promise.survey,
    installed=None,
    afterwards=None,
):
    """Looks, decides, acts and measures. Raises OptionError alone; whatever else goes wrong is a reason in the result.

    node      a WritableNode; one that is not live is only looked at
    dry_run   decides and writes nothing, not even a lock file
    remember  keeps the outcome on the node for the back-off (state.FILE), and where the tool's directory is there, for the next promise
    survey    looks at the pageblocks where something is lacking; -> why it could not
    installed   asked under the lock: whether whoever runs this is still there, or was removed while it waited
    afterwards  called with the result at the end, still under the lock; whoever removes the tool waits for it. May raise NodeError

    -> {"schema_version": 1, "started_at", "duration_seconds", "dry_run", "acted" (something was written to the kernel), "act" (in a
    dry run: something would be), "reason", "message", "order", "orders": as plan() has them, "nodes": [compacted], "steps": [{"action",
    "node", "path", "seconds", "ended": "done" or why not}], "promised": [rows of promise.py], "survey_unavailable": why nothing is
    promised, or None, "before", "after": measure() or None, "satisfied", "helped": bool or None, "counters": {vmstat
    field: increase}, "guard": which one held it off or None, "unchecked_guards": {guard: why this kernel does not answer it},
    "error": what failed or None}
    """
    started = seconds_now()
    result = _nothing_yet(dry_run)
    with _lock(node, dry_run) as held:
        if held is not True:
            result.update(reason="locked" if held is False else "not_writable", error=held or None)
            result["message"] = held or "another run holds the lock"
            result["guard"] = "locked" if held is False else None
        elif installed and not installed():
            result.update(reason="removed", guard="removed", message="the tool was removed before this run began")
            if not dry_run:
                node.remove(lock_file(node))
        else:
            _run_locked(_Look(node, target, gather, survey), result, remember, started)
            result["duration_seconds"] = round(seconds_now() - started, 3)
            if remember and not dry_run and result["reason"] not in FAILED:
                state.remember(node, target, result)
            if afterwards:
                _do_afterwards(afterwards, result)
    result["duration_seconds"] = round(seconds_now() - started, 3)
    return result


def _nothing_yet(dry_run):
    """The result of a run that has done nothing so far."""
    return {
        "schema_version": 1,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "dry_run": dry_run,
        "act": False,
        "acted": False,
        "order": None,
        "orders": [],
        "nodes": [],
        "steps": [],
        "promised": [],
        "survey_unavailable": None,
        "before": None,
        "after": None,
        "satisfied": None,
        "helped": None,
        "counters": {},
        "guard": None,
        "unchecked_guards": {},
        "error": None,
    }


def _do_afterwards(afterwards, result):
    try:
        afterwards(result)
    except NodeError as error:
        result["error"] = result["error"] or str(error)


def lock_file(node):
    """-> the first of LOCK_FILES that there is a directory for, or None"""
    return next((path for path in LOCK_FILES if node.exists(path.rpartition("/")[0])), None)


@contextlib.contextmanager
def _lock(node, dry_run):
    """Gives True where this run holds the lock, False where another one does, and otherwise the error."""
    path = lock_file(node)
    if path is None:
        yield True if dry_run else "no directory for the lock: none of %s" % ", ".join(LOCK_FILES)
        return
    # What happens while the lock is held is not the lock's to translate.
    lock = _node_locks.lock(node, path, create=not dry_run)
    try:
        held = lock.__enter__()
    except NodeError as error:
        # Whoever may not even open the lock may look, but not act.
        yield True if dry_run else str(error)
        return
    try:
        yield held
    finally:
        lock.__exit__(None, None, None)


class _Look:
    """Looking at the node, by what was asked for."""

    def __init__(self, node, target, gather, survey):
        self.node, self._gather, self._survey = node, gather, survey
        self.facts = gather(node, subset(target))
        # Resolved once: it is the orders of before that are measured afterwards.
        self.target = resolve(self.facts, target)

    def again(self):
        return self._gather(self.node, subset(self.target))

    def survey(self, facts, result):
        """-> whether the facts have a survey now."""
        result["survey_unavailable"] = self._survey(self.node, facts)
        return bool(facts["pageblock_survey"])

    def settle(self):
        """A survey cannot tell the pages on per-cpu lists from the kernel's own: look again with as few of them as may be.

        -> whether it did
        """
        if not self.node.live or not lists.give_back(self.node):
            return False
        self.facts = self.again()
        return True


def _run_locked(look, result, remember, started):
    node = look.node
    verdict = _decide(look, result)
    switch = guards.switched_off(node)
    if switch:
        verdict.update(act=False, reason="kill_switch", guard="kill_switch", message=switch, nodes=[])
    result.update((name, verdict[name]) for name in _OF_THE_PLAN)
    result["satisfied"] = verdict["before"]["satisfied"] if verdict["before"] else None
    if not verdict["act"] or result["dry_run"]:
        return
    if not node.live:
        result.update(act=False, reason="not_live", error="%s is not the running kernel's" % node.root)
        result["message"] = "nothing to compact: " + result["error"]
        return
    steps = Steps(node, look.target, verdict["nodes"], result, started)
    try:
        steps.check_writable(verdict["drop_caches"])
    except NodeError as error:
        result.update(act=False, reason="not_writable", message="cannot compact: %s" % error, error=str(error))
        return
    try:
        after = _act(look, verdict, steps, result, remember)
    except NodeError as error:
        result.update(reason="not_writable", message="broke off: %s" % error, error=str(error))
        after = look.again()
    _settle(result, look.facts, after, look.target)


def _decide(look, result):
    """-> the plan, by a survey of the pageblocks where something is lacking. Whoever a guard holds off does not pay for one."""
    target, now = look.target, None
    verdict = plan(look.facts, target)
    if verdict["act"]:
        now = guards.conditions(look.node, look.facts)
        verdict = plan(look.facts, target, now)
    if verdict["reason"] in SURVEYED and not result["dry_run"] and look.settle():
        verdict = plan(look.facts, target, now)
    facts = look.facts
    if verdict["reason"] in SURVEYED and look.survey(facts, result):
        verdict = plan(facts, target, now)
        if verdict["act"] and now is None:
            verdict = plan(facts, target, guards.conditions(look.node, facts))
        lacking = [int(name) for name, about in verdict["before"]["nodes"].items() if not about["satisfied"]]
        result["promised"] = promise.of(facts, target, verdict["nodes"] or lacking)
        if verdict["act"] and result["promised"]:
            verdict["message"] += "; " + promise.in_words(result["promised"], verdict["order"])
    return verdict


def _act(look, verdict, steps, result, remember):
    """-> the facts after it."""
    node, target = look.node, look.target
    before, going = look.facts, True
    if verdict["drop_caches"]:
        going = steps.drop(verdict["drop_caches"])
        if going and before["pageblock_survey"]:
            # What is to come of the compaction is another thing now.
            before = look.again()
            look.survey(before, result)
            result["promised"] = promise.of(before, target, verdict["nodes"])
    listed = lists.read(node)
    going = going and steps.compact()
    after = _afterwards(look, steps)
    # What has not come back from the lists was won, and cannot be counted.
    all_back = not lists.grown(listed, lists.read(node))
    _keep_promises(look, verdict, result, before, after, going and remember and all_back)
    fallback = target["drop_caches"] == "auto" and verdict["slab_in_the_way"] and not target["force"]
    if going and fallback and not measure(after, target)["satisfied"] and steps.drop("slab") and steps.compact():
        after = _afterwards(look, steps)
    return after


def _afterwards(look, steps):
    """-> the facts after a compaction, once the per-cpu lists have given back what it freed."""
    lists.give_back(look.node, steps.stop)
    return look.again()


def _keep_promises(look, verdict, result, before, after, learn):
    if not result["acted"]:
        return
    result["promised"] = promise.kept(result["promised"], after)
    if learn and before["pageblock_survey"]:
        try:
            promise.learn(look.node, before, after, verdict["nodes"], result["promised"])
        except NodeError as error:
            result["error"] = result["error"] or str(error)


def _settle(result, facts, after, target):
    """Puts into the result what the run has done to memory."""
    before, measured, order = result["before"], measure(after, target), result["order"]
    result["after"] = measured
    result["satisfied"] = measured["satisfied"]
    result["counters"] = _increases(facts["vmstat"], after["vmstat"])
    pairs = [
        (number, before["nodes"][str(number)], measured["nodes"][str(number)])
        for number in result["nodes"]
        if str(number) in measured["nodes"]
    ]
    result["helped"] = measured["satisfied"] or any(_is_better(old, new) for dummy, old, new in pairs)
    broken_off = [step for step in result["steps"] if step["ended"] != "done"]
    if result["error"] is None and result["acted"]:
        result["message"] = "compacted %s: %s" % (
            "node " + ", ".join(map(str, result["nodes"])),
            "; ".join(_change(number, row_of(old, order), row_of(new, order)) for number, old, new in pairs),
        )
        promised = promise.in_words(result["promised"], order)
        result["message"] += "; " + promised if promised else ""
    if broken_off:
        result["message"] += "; broke off: " + broken_off[0]["ended"]


def _is_better(before, after):
    """Whether a node has more of what it lacked."""
    lacked = [row for row in before["orders"] if not row["satisfied"]] or before["orders"]
    return any(
        new["satisfied"]
        or STATES.index(new["state"]) < STATES.index(old["state"])
        or old["unusable_index"] - new["unusable_index"] >= _HELPED
        for old, new in ((old, row_of(after, old["order"])) for old in lacked)
    )


def _change(number, old, new):
    return "node %s: free blocks of order %d %d -> %d, unusable index %d -> %d" % (
        number,
        old["order"],
        old["free_blocks"],
        new["free_blocks"],
        old["unusable_index"],
        new["unusable_index"],
    )


def _increases(before, after):
    """Counters of /proc/vmstat that went up in between: compact_*, pgmigrate_*, drop_*."""
    names = [name for name in after or () if name.startswith(("compact_", "pgmigrate_", "drop_"))]
    increases = {name: after[name] - (before or {}).get(name, 0) for name in names}
    return {name: value for name, value in increases.items() if value > 0}
