# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What the runs on a node leave for the next one: the back-off after runs that did not help, and what there was."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import time

from .._node import NodeError
from .._options import TEXT_TYPES
from . import reading

DIRECTORY = "/var/lib/memfrag"
FILE = DIRECTORY + "/compaction.json"
_LIMIT = 65536


def boot_id(node):
    """The running kernel's, or None: what was learned before a reboot counts no longer."""
    try:
        return node.read_text("/proc/sys/kernel/random/boot_id", 65536).partition("\n")[0].strip() or None
    except NodeError:
        return None


def read(node):
    """-> a reading of a TrustingNode:  what the runs before left for the next: {boot_id, failures, retry_after, runs: {reason: n}, ...}, {} before
    the first. Broken where that cannot be known, since runs that did not help may be among them."""
    try:
        state = node.read_json(FILE, _LIMIT)
    except NodeError as error:
        return reading.of({}) if error.missing else reading.of(broken=str(error))
    except ValueError:
        state = None
    if _is_state(state):
        return reading.of(state)
    return reading.of(broken="%s: this is no record of runs; the back-off begins anew" % FILE)


def _is_state(state):
    return (
        isinstance(state, dict)
        and ("last_run" not in state or _is_last(state["last_run"]))
        and isinstance(state.get("runs"), dict)
        and all(map(_is_number, state["runs"].values()))
        and _is_number(state.get("failures", 0))
        and _is_number(state.get("retry_after", 0))
    )


def _is_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _is_last(run):
    """What remember() keeps of a run, or nothing."""
    return (
        isinstance(run, dict)
        and isinstance(run.get("started_at"), TEXT_TYPES)
        and isinstance(run.get("reason"), TEXT_TYPES)
        and isinstance(run.get("duration_seconds"), (int, float))
        and 0 <= run["duration_seconds"] < 1 << 31
        and all(isinstance(run.get(name), (bool, type(None))) for name in ("acted", "satisfied", "helped"))
    )


def load(node):
    """What is known of the runs before, {} where nothing is."""
    return read(node)["value"] or {}


def following(state, result, target, boot, now):
    """The state after a run. An effective run forgives the others; declining leaves the back-off as it is. Pure."""
    runs = dict(state.get("runs", {}))
    runs[result["reason"]] = runs.get(result["reason"], 0) + 1
    new = dict(state, schema_version=1, boot_id=boot, runs=runs)
    if state.get("boot_id") != boot:
        new.update(failures=0, retry_after=0)
    if result["acted"]:
        failures = 0 if result["helped"] else new.get("failures", 0) + 1
        wait = min(target["backoff_seconds"] << min(failures - 1, 20), target["backoff_max_seconds"]) if failures else 0
        new.update(failures=failures, retry_after=now + wait if failures else 0)
    return new


def remember(node, target, result):
    """Keeps for the next run what came of this one, the ``result`` of run() so far; that it cannot be kept is its ``error``."""
    before, boot, now = read(node), boot_id(node), int(time.time())
    state = following(before["value"] or {}, result, target, boot, now)
    if before["broken"] and not result["helped"]:
        # What may have been learned is lost with it. The caution is not.
        state.update(failures=1, retry_after=now + target["backoff_seconds"])
    state["last_run"] = {
        name: result[name] for name in ("started_at", "duration_seconds", "reason", "acted", "satisfied", "helped")
    }
    try:
        node.own_directory(DIRECTORY)
        node.write_file(FILE, json.dumps(state, indent=1, sort_keys=True) + "\n")
    except NodeError as error:
        result["error"] = result["error"] or str(error)
