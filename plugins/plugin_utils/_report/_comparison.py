# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""A node and its past: worse or better than in the run before."""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import LEVEL_RANK, Host, badness

# Orders from here on come and go with every huge page.
_LAST_COMPARED = 9

# A change of the score below this is noise of one busy moment.
SCORE_STEP = 10


def _standing(level: str | None, score: int | None, states: str) -> tuple[int, int]:
    """For the comparison with an earlier run: level and score, or the graded answer."""
    if level is None:
        return (0, badness(states[:_LAST_COMPARED]))
    return (-LEVEL_RANK[level], (score or 0) // SCORE_STEP)


def change(host: Host) -> str | None:
    """One of CHANGES; None where there is nothing to tell."""
    if not host.past:
        return "new" if host.status == "audited" else None
    if host.status != "audited":
        return "lost" if host.past[-1].status == "audited" else None
    before = host.previous
    if before is None:
        return None
    now = _standing(host.level, host.score, host.states)
    then = _standing(before.level, before.score, before.states)
    # An assessment and none have nothing in common.
    if (host.level is None) != (before.level is None) or now == then:
        return None
    return "worse" if now > then else "better"
