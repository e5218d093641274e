# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What the runs of "memfrag metrics" leave for the next: counters that only grow, and how far the log was read.

All of it is one file, so that an event and the place behind it in the log are remembered together or not at all.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

from . import _log_cursor
from ._compaction.state import DIRECTORY
from ._node import NodeError

FILE = DIRECTORY + "/metrics.json"
_LIMIT = 262144
_LARGEST = 1 << 53


def load(node):
    """-> {incidents: {"kind/cause": n}, gaps, sources: {name: {read, errors}}, log: see _log_cursor.py, directories: {count, at}}

    Of what is not there, not whole, or not only root's to write, everything begins anew: a counter that starts again is what
    Prometheus expects of them.
    """
    try:
        found = node.read_json(FILE, _LIMIT)
    except (NodeError, ValueError):
        found = None
    found = found if isinstance(found, dict) else {}
    return {
        "schema_version": 1,
        "incidents": _numbers(found.get("incidents")),
        "gaps": _number(found.get("gaps")),
        "sources": {
            name: {"read": _number(about.get("read")), "errors": _number(about.get("errors"))}
            for name, about in _objects(found.get("sources")).items()
        },
        "log": _log_cursor.known(found.get("log")),
        "directories": _numbers(found.get("directories")),
    }


def save(node, state):
    """Raises NodeError."""
    text = json.dumps(state, sort_keys=True) + "\n"
    node.own_directory(DIRECTORY)
    if node.file_differs(FILE, text):
        node.write_file(FILE, text)


def count(state, incidents):
    """Adds {(kind, cause): n}."""
    for (kind, cause), number in incidents.items():
        key = "%s/%s" % (kind, cause)
        state["incidents"][key] = state["incidents"].get(key, 0) + number


def note_sources(state, names, unavailable, now):
    """Keeps for each source when it was read last, and how often it could not be."""
    for name in names:
        about = state["sources"].setdefault(name, {"read": 0, "errors": 0})
        if name in unavailable:
            about["errors"] += 1
        else:
            about["read"] = int(now)


def _number(value):
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST else 0


def _numbers(value):
    return {name: _number(number) for name, number in (value if isinstance(value, dict) else {}).items()}


def _objects(value):
    return {
        name: about for name, about in (value if isinstance(value, dict) else {}).items() if isinstance(about, dict)
    }
