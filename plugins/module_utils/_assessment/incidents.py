# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF1xx: what failed, by the incidents of the journal."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .catalogue import make
from .node_state import parse_time
from .score import worst

# Findings that incidents bring (_logs/incidents.py says which): severity while it is going on, and when it is over.
SEVERITY = {
    "MF101": ("critical", "high"),
    "MF102": ("critical", "high"),
    "MF103": ("critical", "high"),
    "MF104": ("critical", "high"),
    "MF105": ("medium", "low"),
    "MF106": ("high", "medium"),
    "MF107": ("high", "high"),
    "MF108": ("medium", "low"),
    "MF109": ("medium", "low"),
    "MF110": ("low", "info"),
    "MF111": ("high", "medium"),
}


def find(journal, policy, now):
    """One finding per id, however many incidents bring it."""
    groups = {}
    for incident in (journal or {}).get("incidents") or ():
        for ident in incident.get("remedies") or ():
            if ident in SEVERITY:
                recent = _recent(incident, policy, now)
                groups.setdefault(ident, []).append((SEVERITY[ident][0 if recent else 1], incident))
    return [_finding(ident, *zip(*rows)) for ident, rows in groups.items()]


def _recent(incident, policy, now):
    """Going on; what has no date may be long over, and is not called recent. Neither is what has one that is still to come."""
    last = parse_time(incident.get("last_time"))
    return last is not None and -86400 <= now - last <= policy["recent_hours"] * 3600


def _finding(ident, severities, incidents):
    count = sum(incident.get("count") or 1 for incident in incidents)
    # Incidents come weightiest first.
    reason = incidents[0]["reason"]
    times = [incident.get("last_time") for incident in incidents if incident.get("last_time")]
    return make(
        ident,
        worst(severities),
        _short_sentence(reason) + (" (%d times)" % count if count > 1 else ""),
        reason=reason,
        incidents=len(incidents),
        count=count,
        last_time=max(times) if times else None,
        causes=sorted({incident["cause"] for incident in incidents}),
    )


def _short_sentence(text, limit=140):
    """The sentence as a title: up to the last clause that ends within the limit."""
    text = text[:1].upper() + text[1:]
    if len(text) <= limit:
        return text
    end = max(text.rfind(mark, limit // 3, limit) for mark in ("; ", ", ", " (", ": "))
    return text[:end] if end > 0 else text[: limit - 3] + "..."
