# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF313: who fragments the memory for good. Only where the audit was asked to watch (facts: watch)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .catalogue import make
from .node_state import percent

# Shares of all pageblocks, taken while it was watched: worth a word, worth more than that.
_NOTABLE_PERCENT, _GRAVE_PERCENT = 1, 10
_NAMED = 5
_LONGEST_NAME = 60


def find(state):
    """The finding where pages that stay took pageblocks from those that move; at low severity, since nothing has failed for it yet."""
    watched = state.facts.get("watch") or {}
    rows = [row for row in watched.get("fragmenters") or () if row.get("pollutes")]
    taken = sum(row["pageblocks"] for row in rows)
    if not rows:
        return []
    total = sum(sum((outlook.zone["pageblocks"] or {}).values()) for outlook in state.serving)
    share = percent(taken, total) if total else 0
    severity = "medium" if share >= _GRAVE_PERCENT else "low" if share >= _NOTABLE_PERCENT else "info"
    title = "In %d seconds %d pageblock%s broken up for good, mostly by %s" % (
        round(watched["seconds"]),
        taken,
        " was" if taken == 1 else "s were",
        " and ".join(_named(rows)[:2]),
    )
    if watched.get("stopped_early"):
        title += "; there was so much of it that the watch ended early"
    worst = [{name: row.get(name) for name in _TOLD} for row in rows[:_NAMED]]
    return [make("MF313", severity, title, seconds=watched["seconds"], pageblocks=taken, of=total, fragmenters=worst)]


_TOLD = ("comm", "cgroup", "container", "function", "alloc_migratetype", "fallback_migratetype", "pageblocks", "taken")


def _named(rows):
    """Each task once, with the functions through which it took the most; the worst first."""
    named = {}
    for row in rows:
        who = row["comm"], row.get("container")
        about = named.setdefault(who, {"blocks": 0, "function": row.get("function")})
        about["blocks"] += row["pageblocks"]
    order = sorted(named, key=lambda who: (-named[who]["blocks"], who[0]))
    return [
        "%s%s (%s%d)"
        % (
            who[0][:_LONGEST_NAME],
            " in container %s" % who[1][:12] if who[1] else "",
            "%s, " % named[who]["function"][:_LONGEST_NAME] if named[who]["function"] else "",
            named[who]["blocks"],
        )
        for who in order
    ]
