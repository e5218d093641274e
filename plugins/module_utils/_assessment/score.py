# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""From findings to a level, a score and one sentence. Nothing else plays a part, so that a level can be followed back."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .catalogue import SEVERITIES

# What level the worst severity makes, where its score starts, what each further finding of a severity adds, and how far it goes.
LEVELS = {"info": "low", "low": "low", "unknown": "unknown", "medium": "medium", "high": "high", "critical": "critical"}
BASE = {"info": 0, "low": 10, "unknown": 20, "medium": 30, "high": 55, "critical": 80}
WEIGHT = {"info": 0, "low": 1, "unknown": 1, "medium": 2, "high": 4, "critical": 6}
HIGHEST = {"info": 9, "low": 19, "unknown": 29, "medium": 54, "high": 79, "critical": 100}


def worst(severities):
    """The gravest of some severities; info of none."""
    return max(list(severities) or ["info"], key=SEVERITIES.index)


def level_of(findings):
    """The level of the worst finding; low without any."""
    return LEVELS[worst(found["severity"] for found in findings)]


def score_of(findings):
    """The base of the worst finding, plus the weight of each other one, but never as much as the next worse severity."""
    gravest = worst(found["severity"] for found in findings)
    total = BASE[gravest] - WEIGHT[gravest] if findings else BASE[gravest]
    total += sum(WEIGHT[found["severity"]] for found in findings)
    return min(total, HIGHEST[gravest])


def summary_of(findings):
    """One sentence. The findings come worst first."""
    if not findings or findings[0]["severity"] == "info":
        but = ", but no huge page is free" if any(found["id"] == "MF306" for found in findings) else ""
        return "nothing stands against allocating contiguous memory" + but
    more = sum(1 for found in findings[1:] if found["severity"] != "info")
    return findings[0]["title"] + (
        " (and %d more findings)" % more if more > 1 else " (and one more finding)" if more else ""
    )
