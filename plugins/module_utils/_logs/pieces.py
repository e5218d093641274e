# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Pieces of logs, read already, as counts of their events: what the journal's reader makes of lines, without a log to look for them in."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

from . import scanner
from .journal import Journal

# Whole events are made of so many; of more, only how many there are of a kind.
_MAX_EVENTS = 5000


def count(node, pieces, now=None):
    """-> {(kind, cause): events} of objects with a name, a kind and whole lines as data. A repetition that runtimes print counts as its first."""
    journal = Journal(node, {"files": [piece.name for piece in pieces], "max_events": _MAX_EVENTS}, now or time.time())
    for piece in pieces:
        source = journal.begin(piece.name, piece.kind, "pieces")
        lines = scanner.Scanner(journal.sink, source, journal.gates, whole=True)
        lines.chunks([piece.data])
        lines.finish()
        journal.end()
    journal.sink.flush()
    result = journal.result()
    found, left = {}, dict(result["counts"]["by_kind"])
    for event in result["events"]:
        key = (event["kind"], event["cause"])
        found[key] = found.get(key, 0) + 1
        left[event["kind"]] -= 1
    for kind, number in left.items():
        if number > 0:
            found[kind, "unknown"] = found.get((kind, "unknown"), 0) + number
    return found
