# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The loop from an alert to a remediation and back: whether the node that an alert names may be taken, and how to say what became of it.

    why = odd_host(name, hosts, groups)             the boundary: None only of the plain name of the one host that the run is limited to
    why = refusal(earlier, host, now, limits)       how often, and what went wrong lately
    alert(...), annotation(...)                     for Alertmanager and Grafana

Each alert is a run of its own, so that what the remediation keeps within a run, how many nodes and none after one that it did not help,
is kept here over the runs. Pure functions; files are for the action.
"""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _remediation
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words

# The same as in extensions/eda/plugins/event_filter/memfrag_alerts.py, which has to do without the collection; a test compares them.
PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")

# What may well become of the next node, too.
BAD = ("worse", "no_better", "failed")
REFUSED = "refused"

# Told to Alertmanager: what is well, or nobody's fault, and what is BAD.
ALERTS = ("MemfragRemediation", "MemfragRemediationFailed")

HOUR = 3600
# An alert that nobody renews ends by itself.
_STANDS_SECONDS = HOUR

_DONE = {
    "mended": "was mended",
    "worse": "is worse than before",
    "no_better": "was compacted, and is no better",
    "held_off": "was held off by a guard",
    "failed": "could not be mended",
    "waiting": "would be helped, and was not begun",
    "left_alone": "was left alone",
    "unknown": "could not be audited",
    "healthy": "has nothing to mend any more",
    REFUSED: "was not taken",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A node that the loop has taken before."""

    host: str
    run_id: str
    at: float
    outcome: str


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """0 is none of that kind."""

    # The same node again after so long.
    again_minutes: int = 30
    # Nodes within an hour.
    nodes_per_hour: int = 10
    # No node for so long after one of BAD.
    pause_minutes: int = 60


def odd_host(name: t.Any, hosts: Sequence[str], groups: Iterable[str]) -> str | None:
    """Why ``name`` cannot be acted on, or None.

    hosts    all hosts that the run is about, after its limit
    groups   of the inventory: as a pattern the name of a group is its hosts
    """
    if name is None or name == "":
        return "memfrag_loop_host is missing: the alert names no host"
    said = ascii(name)[:80]
    if not isinstance(name, str) or not PLAIN.fullmatch(name):
        return f"memfrag_loop_host is not the plain name of a host: {said}"
    if name in groups:
        return f"memfrag_loop_host is the name of a group: {said}"
    if list(hosts) != [name]:
        return (
            f"the alert is about {said}, and the run about {len(hosts)} hosts, {_words.listing(sorted(hosts), 3)};"
            " it has to be limited to that one (--limit)"
        )
    return None


def refusal(earlier: Iterable[Taken], host: str, now: float, limits: Limits) -> str | None:
    """Why the node is not taken now, or None. What is said to be of the future counts as of now."""
    earlier = sorted(earlier, key=lambda one: one.at, reverse=True)
    for one in earlier:
        if one.host == host and _within(one, now, limits.again_minutes * 60):
            return f"it was taken {_ago(one, now)} (run {one.run_id}, {one.outcome}; memfrag_loop_again_minutes)"
    for one in earlier:
        if one.outcome in BAD and _within(one, now, limits.pause_minutes * 60):
            return (
                f"{one.host} {_DONE[one.outcome]} {_ago(one, now)} (run {one.run_id}), and the nodes of a fleet tend to be alike"
                " (memfrag_loop_pause_minutes)"
            )
    number = sum(_within(one, now, HOUR) for one in earlier)
    if limits.nodes_per_hour and number >= limits.nodes_per_hour:
        return f"{number} nodes were taken within the last hour (memfrag_loop_nodes_per_hour)"
    return None


def _within(one: Taken, now: float, seconds: float) -> bool:
    return now - one.at < seconds


def _ago(one: Taken, now: float) -> str:
    minutes = max(0, int(now - one.at) // 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'} ago"


def outcome_of(remedies: Iterable[Mapping[str, t.Any]] | None, host: str) -> tuple[str, str, Mapping[str, t.Any]]:
    """(outcome, reason, remedy) of a host by the books of its run. None: there are no books that can be read."""
    for remedy in remedies or ():
        if remedy.get("host") == host and remedy.get("outcome") in _DONE:
            return str(remedy["outcome"]), _remediation.sentence(remedy.get("reason") or ""), remedy
    return "failed", "the remediation ended before it had looked at the node; the log of its run says why", {}


# --- what is told ---------------------------------------------------------------------------------------------------


def in_words(host: str, outcome: str, reason: str, remedy: Mapping[str, t.Any]) -> str:
    """One sentence or two, for people."""
    scores = [about.get("score") for about in (remedy.get("before") or {}, remedy.get("after") or {})]
    change = f", score {scores[0]} -> {scores[1]}" if all(isinstance(score, int) for score in scores) else ""
    return _remediation.sentence(f"{host} {_DONE[outcome]}{change}: {reason or 'no reason given'}")


def alert(
    host: str, outcome: str, words: str, run_id: str, report: str, now: float, limits: Limits
) -> dict[str, t.Any]:
    """For POST /api/v2/alerts of Alertmanager. Of what went wrong it stands as long as the loop pauses for it."""
    bad = outcome in BAD
    stands = limits.pause_minutes * 60 if bad and limits.pause_minutes else _STANDS_SECONDS
    return {
        "labels": {
            "alertname": ALERTS[bad],
            "instance": host,
            "outcome": outcome,
            "severity": "warning" if bad else "info",
        },
        "annotations": {"summary": words, "report": report, "run_id": run_id},
        "startsAt": _rfc3339(now),
        "endsAt": _rfc3339(now + stands),
    }


def annotation(host: str, outcome: str, words: str, began: float, now: float) -> dict[str, t.Any]:
    """For POST /api/annotations of Grafana; its times are milliseconds."""
    return {
        "time": int(began * 1000),
        "timeEnd": int(now * 1000),
        "tags": ["memfrag", "remediation", host, outcome],
        "text": words,
    }


def _rfc3339(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
