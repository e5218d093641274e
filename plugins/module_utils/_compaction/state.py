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

DIRECTORY = "/var/lib/memfrag"
FILE = DIRECTORY + "/compaction.json"


def boot_id(node):
    """The running kernel's, or None: what was learned before a reboot counts no longer."""
    try:
        return node.read_text("/proc/sys/kernel/random/boot_id", 65536).partition("\n")[0].strip() or None
    except NodeError:
        return None


def load(node):
    """What the runs before left for the next: {boot_id, failures, retry_after, runs: {reason: n}, ...}; {} without one."""
    try:
        state = json.loads(node.read_text(FILE, 65536))
    except (NodeError, ValueError):
        return {}
    return state if isinstance(state, dict) and isinstance(state.get("runs"), dict) else {}


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
    state = following(load(node), result, target, boot_id(node), int(time.time()))
    state["last_run"] = {
        name: result[name] for name in ("started_at", "duration_seconds", "reason", "acted", "satisfied", "helped")
    }
    try:
        node.make_directory(DIRECTORY, 0o755)
        node.write_file(FILE, json.dumps(state, indent=1, sort_keys=True) + "\n")
    except NodeError as error:
        result["error"] = result["error"] or str(error)
