# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Facts and incidents of a node, held against a policy: risk level, findings, and what would help.

The rules are few, so that a level can be followed back. Every finding has a severity; the level is that of the worst finding, and the
score adds to it what else was found (score.py). No finding is worse for more memory or more blocks.

To add a finding: its row in catalogue.py, its rule in the file of its family.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

from . import blocks, constrained, fragmenters, holders, incidents, known_kernels, settings, shortage, slab, trends
from .catalogue import NO_HUGE_PAGES, REMEDY_BY_ACTION, REMEDY_OF_ACTION, SEVERITIES, make
from .node_state import NodeState, parse_time
from .policy import complete
from .remediation import ONLY_HUGE_PAGES, fitting, remediation
from .score import level_of, score_of, summary_of


class SurveyError(ValueError):
    """A question that only a survey of the pageblocks answers, and there is none."""


# Nothing of the judgement is missing without these: the indices are computed without debugfs, and an old kernel has no PSI.
_NOT_MISSED = ("buddyinfo", "extfrag", "pressure", "transparent_hugepage")


def assess(facts, journal=None, policy=None, previous=None, now=None):
    """-> the assessment: {level, score, summary, findings, ignored, remediation, policy: as given}.

    facts, journal   contracts memfrag_facts and memfrag_journal_info, or None
    policy           see policy.complete(); raises PolicyError
    previous         facts of an earlier run, for rates
    now              seconds since the epoch that "recent" is counted from; the time of the facts if not given
    """
    rules = complete(policy)
    state = NodeState(facts or {}, previous, rules)
    now = now or parse_time(state.facts.get("collected_at")) or time.time()
    short = shortage.find(state)
    unmovable = blocks.unmovable_zones(state)
    findings = incidents.find(journal, rules, now)
    findings += blocks.find(state, bool(short), unmovable) if state.zones else []
    findings += constrained.find(state, journal) + short
    for family in (holders, fragmenters, trends, slab, settings, known_kernels):
        findings += family.find(state)
    findings += _unknown(state)
    ignored = [dict(found, reason=rules["ignore"][found["id"]]) for found in findings if found["id"] in rules["ignore"]]
    findings = [found for found in findings if found["id"] not in rules["ignore"]]
    findings.sort(key=lambda found: (-SEVERITIES.index(found["severity"]), found["id"]))
    level = level_of(findings)
    advice = fitting(remediation(state, bool(short), unmovable), level)
    for found in findings:
        if found["id"] in REMEDY_BY_ACTION and advice["action"] in REMEDY_OF_ACTION:
            found["remedy"] = REMEDY_OF_ACTION[advice["action"]]
        elif found["id"] == "MF306" and (advice["will_help"] is False or advice["reason"].startswith(ONLY_HUGE_PAGES)):
            found["remedy"] = NO_HUGE_PAGES
    return {
        "level": level,
        "score": score_of(findings),
        "summary": summary_of(findings),
        "findings": findings,
        "ignored": ignored,
        "remediation": advice,
        "policy": dict(policy or {}),
    }


def blocks_left(facts, order, node=None):
    """How many blocks of ``order`` ordinary requests could still take, on the machine or on one NUMA node, by what was read alone."""
    state = NodeState(facts, None, complete(None), estimates=False)
    return state.allocatable_blocks(order, state.serving if node is None else state.by_node.get(node, ()))


def blocks_after(facts, order, after, node=None):
    """How many blocks of ``order`` there are at the least after a compaction, or after reclaim and compaction, by the survey.

    after   "compaction", or "reclaim" and a compaction: of the zones that serve ordinary requests, within their watermarks. Beyond the
            orders of the free lists, what the ``hugepages`` of the facts promise for pages of that size
    Raises SurveyError where the facts do not have what it takes.
    """
    if not facts.get("pageblock_survey"):
        why = (facts.get("unavailable") or {}).get("pageblocks")
        raise SurveyError(
            "the pageblocks were not surveyed: "
            + (
                why
                or "gather the facts with gather_subset [all, pageblocks] of kernelops.memfrag.memfrag_facts, as root"
            )
        )
    state = NodeState(facts, None, complete(None), estimates=False)
    if after == "compaction":
        return sum(outlook.sure(order) for outlook in (state.serving if node is None else state.by_node.get(node, ())))
    outlooks = state.serving if node is None else state.by_node.get(node, ())
    freed = [(outlook, outlook.surveyed(order, "after_reclaim")) for outlook in outlooks]
    if freed and all(row for dummy, row in freed):
        return sum(outlook.bounded(order, row["low"]) for outlook, row in freed)
    size_kb = state.page_kb << order
    rows = [row for row in facts.get("hugepages") or () if row["size_kb"] == size_kb]
    if not rows:
        sizes = sorted({row["size_kb"] for row in facts.get("hugepages") or ()})
        raise SurveyError(
            "what reclaim brings is known for huge pages alone (%s kB), order %d is %d kB"
            % (", ".join(map(str, sizes)) or "none", order, size_kb)
        )
    rows = [row for row in rows if node is None or row["node"] == node]
    return sum((row.get("after_reclaim") or {"low": row.get("now") or 0})["low"] for row in rows)


def _unknown(state):
    """MF9xx: what could not be read is left open, not taken to be well."""
    missing = state.facts.get("unavailable") or {}
    if not state.zones:
        why = missing.get("buddyinfo", "/proc/buddyinfo was not gathered")
        return [make("MF901", "unknown", "What can be allocated is not known: %s" % why, unavailable=why)]
    parts = sorted(set(missing) - set(_NOT_MISSED))
    if not parts:
        return []
    title = "Parts are unknown, because these could not be read: %s" % ", ".join(parts)
    return [make("MF902", "info", title, unavailable={name: missing[name] for name in parts})]
