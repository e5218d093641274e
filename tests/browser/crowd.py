# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A large fleet with a past, made fast: real captures and logs, each assessed once and stored under the names of many nodes."""

from __future__ import annotations

import functools
import os
import tempfile

import build_roots

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _host_files, _records

LOGS = os.path.join(os.path.dirname(build_roots.CAPTURES), "logs", "captures")
CLOUD = "6.1.0-56-cloud-amd64"

# What a node can be: capture, and the kernel's log of the same machine.
WELL = (f"{CLOUD}/healthy", None)
LEAKING = (f"{CLOUD}/slab-sparse", None)
MOVABLE = (f"{CLOUD}/fragmented-movable", None)
PINNED = (f"{CLOUD}/fragmented", None)
KILLED = (f"{CLOUD}/oom-highorder", f"{CLOUD}-oom-highorder.dmesg")

RACKS = 40
RUNS = {"last-week": "2026-11-13", "yesterday": "2026-11-19", "today": "2026-11-20"}


@functools.cache
def measured(capture, log):
    """-> (facts, journal) of a node in this state."""
    with tempfile.TemporaryDirectory() as scratch:
        node = Node(build_roots.build(capture, scratch + "/root"))
        messages = os.path.join(scratch, "root", "var", "log", "messages")
        os.makedirs(os.path.dirname(messages), exist_ok=True)
        with open(messages, "w", encoding="utf-8") as target:
            if log:
                with open(os.path.join(LOGS, log), encoding="utf-8") as source:
                    target.writelines(f"2026-11-20T05:41:03Z NODE kernel: {line}" for line in source)
        facts = _facts.collect(node)
        found = journal.collect(node, {"files": ["/var/log/messages"], "since": "2026-10-01T00:00:00Z"})
    facts["collected_at"] = "2026-11-20T06:00:00Z"
    return facts, found


@functools.cache
def record_text(kind, day, groups):
    """A record as the store has it, of a node that is called NODE."""
    facts, found = measured(*kind)
    record = {
        "schema_version": 1,
        "host": "NODE",
        "groups": list(groups),
        "status": "audited",
        "error": None,
        "started_at": f"{day}T06:00:00Z",
        "duration_seconds": 0.7,
        "facts": facts,
        "journal": found,
        "assessment": assess(facts, found),
    }
    with (
        tempfile.TemporaryDirectory() as scratch,
        open(_records.write(scratch, "run", record), encoding="utf-8") as stream,
    ):
        return stream.read()


def standing(number, run):
    """Rack 7 broke down since yesterday, rack 11 since last week; a tenth of the nodes is not quite well at any time."""
    rack = number % RACKS
    if rack == 7 and run == "today":
        return MOVABLE
    if rack == 11 and run != "last-week":
        return KILLED if number % 3 else PINNED
    return LEAKING if number % 10 == 3 else WELL


def write(directory, count, runs=None):
    """The records of so many nodes in each of the runs, in all of RUNS without any."""
    for run in runs or RUNS:
        folder = os.path.join(directory, run)
        os.makedirs(folder)
        for number in range(count):
            rack = f"rack{number % RACKS:02}"
            text = record_text(standing(number, run), RUNS[run], ("k8s" if number % RACKS < 10 else "db", rack))
            name = f"node{number:05}"
            with open(os.path.join(folder, _host_files.key(name)), "w", encoding="utf-8") as stream:
                stream.write(text.replace("NODE", name))
