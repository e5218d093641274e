# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What leaves the node: secrets replaced, texts and numbers no larger than the contract has them."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

from .._text import strip_controls
from . import redaction

MAX_MESSAGE = 300
# Longer while it may still have a secret in it that the cut would make unrecognizable; and what other texts may have.
MAX_KEPT = 1000
# Bytes of the zones and traces of all events: a report can list a thousand zones, and a controller takes 8 MB.
MAX_EVIDENCE = 3 * 1000 * 1000
# Names, ids and words of our own: nobody hides a password there, and other hosts' logs are searched for them.
_NAMES = frozenset(
    "kind time time_raw first_time last_time cause confidence signature pod namespace pod_uid container_id pods containers kinds remedies "
    "source status gfp_mask gfp_flags zone trace".split()
)


def presentable(value, redacts, name=None):
    """Plain data of a result as it may leave the node. ``redacts``: whether secrets are replaced; ``name``: the key of the value."""
    # Numbers first: most of a result are such.
    if isinstance(value, (int, float)):
        # One that no kernel prints is somebody's joke, and one that is none is no number.
        return value if isinstance(value, bool) or abs(value) < 1 << 63 else None
    if value is None:
        return value
    if isinstance(value, dict):
        return {key: presentable(entry, redacts, key) for key, entry in value.items()}
    if isinstance(value, list):
        return [presentable(entry, redacts, name) for entry in value]
    if hasattr(value, "splitlines"):
        text = strip_controls(value)
        if redacts and name not in _NAMES:
            text = redaction.redact(text)
        return text[: MAX_MESSAGE if name == "message" else MAX_KEPT]
    # Python 2 has longer ones of another kind.
    return value if abs(value) < 1 << 63 else None


def fit(events, incidents):
    """Takes zones and traces from the events of the lightest incidents where there is too much of them. -> how many have lost theirs."""
    left, poorer = MAX_EVIDENCE, 0
    for event in (events[index] for incident in incidents for index in incident["events"]):
        evidence = [name for name in ("zones", "trace") if event.get(name)]
        left -= sum(len(json.dumps(event[name])) for name in evidence)
        if evidence and left < 0:
            poorer += 1
            event.update((name, []) for name in evidence)
    return poorer


def sanitise(event):
    """Log lines are written by anybody: nothing of them that a terminal would obey gets into a result."""
    for name, value in event.items():
        if value is None:
            continue
        if hasattr(value, "splitlines"):
            event[name] = strip_controls(value)
        elif name == "trace":
            event[name] = [strip_controls(function) for function in value]
