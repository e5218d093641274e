# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What becomes of a node in a remediation, and of the roll-out. Pure functions; files are for _marks and the action.

    remedy = decide(host, assessment, facts, trouble, ...)    after the first audit
    remedy = asked(remedy, answer)                            the node itself was asked whether compaction would help
    remedy = outcome(remedy, compaction, after, ...)          after the second audit
    reason = held_back(remedies, limit)                       why no further node is begun
    lines = summary(run_id, remedies, standing)

A remedy is {host, outcome, reason, action, go (it is to be compacted), taken, order, node, zone (what the assessment speaks of), nodes, zones,
drop_caches (for memfrag_compact), before, after: {level, score, summary, remediation} or {}, compaction: {} or what it came to, promised: rows of
_compaction/promise.py for that order, what was expected of the compaction and what it brought, pageblocks: whether the second audit surveys them}.

What a node has answered is data from anywhere: of it, known words, numbers and one sentence are kept.
"""

from __future__ import annotations

import math
import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.kernelops.memfrag.plugins.module_utils import _text
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import plan, promise
from ansible_collections.kernelops.memfrag.plugins.module_utils._fragmentation import KERNEL_ZONES
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._marks import Mark
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words

Remedy = dict[str, t.Any]

# outcome -> how the report calls it, in the order of the report. Those of STOPPING end the roll-out.
OUTCOMES = {
    "mended": "Mended",
    "worse": "Worse than before, the roll-out was stopped",
    "no_better": "Compacted, and no better, the roll-out was stopped",
    "held_off": "Held off by a guard, the roll-out was stopped",
    "failed": "Failed, the roll-out was stopped",
    "waiting": "Would be helped, and were not reached",
    "left_alone": "Left alone",
    "unknown": "Could not be audited",
    "healthy": "Nothing to mend",
}
STOPPING = ("worse", "no_better", "held_off", "failed")
RECLAIM = ("none", "slab", "pagecache", "all")

LEVELS = ("low", "unknown", "medium", "high", "critical")
_VERDICT = ("level", "score", "summary", "remediation")

# Reasons of memfrag_compact: it acted; it says that acting would not help; a guard spoke; it could not.
_ACTED = ("forced", "needed", *plan.NOT_NEEDED)
_REASONS = frozenset((*_ACTED, *plan.NO_HELP, *plan.HELD_OFF, *plan.FAILED))
# Guards whose word does not change by taking work off the node. The others are asked again once it is out of service.
_FINAL_GUARDS = ("kill_switch", "container")

# A tenth of the nodes, and in small fleets so many.
_LEAST = 5
_LONGEST = 500
_MOST_PROMISES = 4096


class RemediationError(ValueError):
    """A variable of the remediation that cannot be used; the text names it and what is allowed."""


# --- before ---------------------------------------------------------------------------------------------------------


def decide(
    host: str,
    assessment: Mapping[str, t.Any] | None,
    facts: Mapping[str, t.Any] | None,
    trouble: str | None,
    reclaim: str = "all",
    mark: Mark | None = None,
    can_return: bool = True,
    check_mode: bool = False,
) -> Remedy:
    """assessment and facts are those of the record; trouble says why there are none, or what went wrong with giving the node back."""
    before = {key: assessment[key] for key in _VERDICT if key in assessment} if assessment else {}
    advice = before.get("remediation") or {}
    remedy = _waiting(host, before, advice, reclaim)
    if mark is not None:
        held = _held_by(mark, trouble, can_return, check_mode)
        remedy.update(outcome=held[0], reason=held[1])
    elif not before:
        remedy.update(outcome="unknown", reason=trouble or "the node could not be audited")
    elif _helps(advice, reclaim):
        nodes = [advice["node"]] if advice.get("node") is not None else []
        zones = [advice["zone"]] if advice.get("zone") else []
        others = _others(advice, facts or {}) if nodes else []
        remedy.update(go=True, nodes=sorted({*nodes, *dict(others)}), zones=sorted({*zones, *dict(others).values()}))
    elif advice.get("action") == "none" and before.get("level") == "low":
        remedy["outcome"] = "healthy"
    else:
        remedy["outcome"] = "left_alone"
        if advice.get("will_help") is True and advice.get("action") == "reclaim_then_compact" and reclaim == "none":
            remedy["reason"] += "; memfrag_remediate_reclaim is none"
    return remedy


def _waiting(host: str, before: dict[str, t.Any], advice: Mapping[str, t.Any], reclaim: str) -> Remedy:
    """The remedy of a node of which nothing is decided yet."""
    return {
        "host": host,
        "outcome": "waiting",
        "reason": str(advice.get("reason") or ""),
        "action": advice.get("action"),
        "go": False,
        "taken": False,
        "order": advice.get("order"),
        "node": advice.get("node"),
        "zone": advice.get("zone"),
        "nodes": [],
        "zones": [],
        "drop_caches": reclaim if advice.get("action") == "reclaim_then_compact" else "none",
        "before": before,
        "after": {},
        "compaction": {},
        "promised": [],
        # The second audit looks as closely as the first: what a survey alone finds must not make a node look worse than before.
        "pageblocks": "true" if advice.get("blocks") else "false",
    }


def _helps(advice: Mapping[str, t.Any], reclaim: str) -> bool:
    """Only what the assessment is sure of, and only where it says what for: there is no order to fall back on."""
    order, action = advice.get("order"), advice.get("action")
    return (
        advice.get("will_help") is True
        and isinstance(order, int)
        and not isinstance(order, bool)
        and (action == "compact" or (action == "reclaim_then_compact" and reclaim != "none"))
    )


def _held_by(mark: Mark, trouble: str | None, can_return: bool, check_mode: bool) -> tuple[str, str]:
    if mark.busy:
        return "left_alone", f"run {mark.run_id} has it in its hands and goes on"
    if not can_return:
        return "left_alone", f"run {mark.run_id} took it and did not give it back: memfrag_remediate_after says how to"
    if check_mode:
        return "waiting", f"run {mark.run_id} took it and did not give it back; it would be given back first"
    return (
        "failed",
        f"run {mark.run_id} took it, and it was not given back: {trouble or 'the second hook did not come to its end'}",
    )


def _others(advice: Mapping[str, t.Any], facts: Mapping[str, t.Any]) -> list[tuple[int, str]]:
    """[(NUMA node, its largest zone)]: the other NUMA nodes that need compaction, for that order or another one that somebody asks for.

    They are mended while we are at it: the second audit would find them as they were, and the roll-out would stop for it. Huge pages
    alone are no reason.
    """
    found = []
    try:
        huge = facts["kernel"]["hugepage_order"]
        needed = [
            one["nodes"]
            for one in facts["allocatable"]
            if one["order"] == advice["order"] or (one["needed_by"] and (huge is None or one["order"] < huge))
        ]
        nodes = {int(name) for states in needed for name, state in states.items() if state == "needs_compaction"}
        for node in sorted(nodes - {advice["node"]}):
            zones = [zone for zone in facts["zones"] if zone["node"] == node and zone["zone"] in KERNEL_ZONES]
            if zones:
                found.append((node, max(zones, key=lambda zone: zone["managed_pages"] or zone["free_pages"])["zone"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        # A record that somebody has changed. What the assessment speaks of stays.
        return []
    return found


# --- the node's own word --------------------------------------------------------------------------------------------


def asked(remedy: Mapping[str, t.Any], answer: t.Any) -> Remedy:
    """After the node was asked, before anything is done to it. answer: what memfrag_compact said in check mode."""
    reason, message = _answered(answer)
    remedy = {**remedy, "promised": _promised(answer, remedy.get("order"))}
    if reason in plan.NO_HELP:
        return {**remedy, "go": False, "outcome": "left_alone", "reason": message}
    if reason in _FINAL_GUARDS:
        return {**remedy, "go": False, "outcome": "held_off", "reason": message}
    if reason is None or reason in plan.FAILED:
        return {**remedy, "go": False, "outcome": "failed", "reason": message}
    return dict(remedy)


def outcome(
    remedy: Mapping[str, t.Any],
    compaction: t.Any = None,
    after: Mapping[str, t.Any] | None = None,
    second_audit: str | None = None,
    trouble: str | None = None,
    check_mode: bool = False,
) -> Remedy:
    """What a node came to.

    compaction     what memfrag_compact said, None if it was not run
    after          the assessment of the second audit; second_audit says why there is none
    trouble        what failed: a hook, or giving the node back
    """
    done: Remedy = {**remedy, "after": {key: after[key] for key in _VERDICT if key in after} if after else {}}
    if compaction is not None:
        done["compaction"] = _compaction(compaction)
        # Of a compaction that did not come about what was expected of it stays.
        done["promised"] = _promised(compaction, remedy.get("order")) or remedy.get("promised") or []
    if trouble:
        return {**done, "outcome": "failed", "reason": trouble}
    if not remedy["go"]:
        return done
    if check_mode:
        return done
    reason, message = _answered(compaction)
    if reason in plan.HELD_OFF:
        return {**done, "outcome": "held_off", "reason": message}
    if reason in plan.NO_HELP:
        # It was asked before, and its memory has changed since; nothing was done to it.
        return {**done, "outcome": "left_alone", "reason": message}
    if reason not in _ACTED:
        return {**done, "outcome": "failed", "reason": message}
    if not after:
        return {**done, "outcome": "failed", "reason": f"the second audit failed: {second_audit or 'no reason given'}"}
    return {**done, "outcome": _compared(remedy["before"], after), "reason": message}


def _compared(before: Mapping[str, t.Any], after: Mapping[str, t.Any]) -> str:
    if after["score"] > before["score"]:
        return "worse"
    lower = LEVELS.index(after["level"]) < LEVELS.index(before["level"])
    return "mended" if lower or after["remediation"]["action"] == "none" else "no_better"


def _answered(answer: t.Any) -> tuple[str | None, str]:
    """(reason, sentence) of what memfrag_compact said; (None, why) of anything that it cannot have said."""
    if not isinstance(answer, Mapping):
        return None, "the node was not asked"
    message = sentence(answer.get("message") or answer.get("msg") or "the node did not answer")
    reason = answer.get("reason")
    if answer.get("unreachable") or reason is None:
        return None, message
    if not isinstance(reason, str) or reason not in _REASONS:
        return None, "the node's answer is not valid: reason"
    return str(reason), message


def _compaction(answer: t.Any) -> dict[str, t.Any]:
    """What is kept of an answer: words that are known, numbers, one sentence."""
    reason, message = _answered(answer)
    if reason is None:
        return {}
    kept: dict[str, t.Any] = {"reason": reason, "message": message}
    for name in ("helped", "satisfied"):
        kept[name] = answer.get(name) if isinstance(answer.get(name), bool) else None
    seconds = answer.get("duration_seconds")
    kept["duration_seconds"] = float(seconds) if _is_number(seconds) else None
    nodes = answer.get("nodes")
    kept["nodes"] = [one for one in nodes[:1024] if _is_number(one)] if isinstance(nodes, Sequence) else []
    return kept


def _promised(answer: t.Any, order: t.Any) -> list[dict[str, t.Any]]:
    """Of the promises in an answer those of that order, and of those only what is one."""
    rows = answer.get("promised") if isinstance(answer, Mapping) else None
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        return []
    kept = []
    for row in rows[:_MOST_PROMISES]:
        if not isinstance(row, Mapping) or row.get("order") != order:
            continue
        counts = {name: row.get(name) for name in ("node", "order", "now", "low", "expected", "high")}
        obtained, zone = row.get("obtained"), row.get("zone")
        if isinstance(zone, str) and all(map(_is_count, counts.values())) and (obtained is None or _is_count(obtained)):
            kept.append({**counts, "zone": zone[:64], "obtained": obtained})
    return kept


def _is_count(value: t.Any) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1 << 62


def sentence(words: t.Any) -> str:
    """What somebody else said, in one line of bounded length that a terminal takes as it stands."""
    return _words.printable(_text.strip_controls(_words.text(words, _LONGEST)).replace("\t", " "))


def complaint(trouble: t.Any) -> str | None:
    """{task, msg, hidden} of a task that failed -> a sentence; None of None."""
    if not isinstance(trouble, Mapping):
        return None
    said = "it asks not to be shown (no_log)" if trouble.get("hidden") else trouble.get("msg") or "failed"
    return sentence(f"{trouble.get('task') or 'a task'}: {said}")


# --- the roll-out ---------------------------------------------------------------------------------------------------


def limit_of(value: t.Any, asked_for: int) -> int:
    """How many nodes one run may mend: of None the default, of "20%" a part of those asked for, of a number that many."""
    if value is None:
        return max(_LEAST, math.ceil(asked_for / 10))
    match = re.fullmatch(r"([0-9]{1,6})(%?)", str(value).strip())
    if not match or isinstance(value, bool) or (match.group(2) and int(match.group(1)) > 100):
        raise RemediationError(f"memfrag_remediate_limit: {value!r} is neither a number nor a percentage such as 10%")
    number = int(match.group(1))
    return math.ceil(asked_for * number / 100) if match.group(2) else number


def held_back(remedies: Iterable[Mapping[str, t.Any]], limit: int, switch: str | None = None) -> str | None:
    """Why no further node may be begun, or None.

    switch: what the kill switch says. A batch that went wrong left word in its remedies.
    """
    if switch:
        return switch
    taken = 0
    for remedy in remedies:
        if remedy["outcome"] in STOPPING:
            return f"the roll-out was stopped at {_words.printable(remedy['host'])}"
        taken += bool(remedy["taken"])
    if taken >= limit:
        return f"{limit} nodes have been begun in this run, and more are not to be (memfrag_remediate_limit)"
    return None


def begun(remedy: Mapping[str, t.Any]) -> Remedy:
    """A node that the run takes into its hands; this is what is left of it if the run ends there."""
    return {**remedy, "taken": True, "outcome": "failed", "reason": "the run ended while it had the node in its hands"}


def verdict(remedies: Iterable[Mapping[str, t.Any]]) -> str | None:
    """Why the playbook fails, or None."""
    stopped = [remedy for remedy in remedies if remedy["outcome"] in STOPPING]
    if not stopped:
        return None
    hosts = _words.listing(sorted((_words.printable(remedy["host"]) for remedy in stopped), key=_words.natural), 20)
    return (
        f"The roll-out was stopped at {hosts}: {stopped[0]['outcome']}, {sentence(stopped[0]['reason']).rstrip('.')}."
    )


def summary(run_id: str, remedies: Sequence[Mapping[str, t.Any]], standing: Iterable[Mark] = ()) -> list[str]:
    """The report for people, line by line. standing: the marks that there are."""
    lines = [f"Remediation {run_id}"]
    for name, title in OUTCOMES.items():
        found = [remedy for remedy in remedies if remedy["outcome"] == name]
        if not found:
            continue
        lines += ["", f"{title}: {len(found)}"]
        if name == "healthy":
            continue
        for remedy in sorted(found, key=lambda remedy: _words.natural(remedy["host"])):
            lines.append(f"  {_words.printable(remedy['host'])}")
            for word, key in (("before", "before"), ("after ", "after")):
                if remedy[key]:
                    about = remedy[key]
                    lines.append(sentence(f"    {word}  {about['level']}, score {about['score']}: {about['summary']}"))
            lines.append(f"    {sentence(remedy['reason'])}")
            promised = promise.in_words(remedy.get("promised") or [], remedy.get("order"))
            # The node's own sentence has it already.
            if promised and promised not in remedy["reason"]:
                lines.append(f"    {promised}")
    marks = sorted(standing, key=lambda mark: _words.natural(mark.host))
    if marks:
        lines += ["", f"Not given back, and may be out of service: {len(marks)}"]
        for mark in marks:
            words = "which goes on" if mark.busy else "a run for this node, with memfrag_remediate_after, gives it back"
            lines.append(f"  {_words.printable(mark.host)}: taken by run {sentence(mark.run_id)}; {words}")
    return lines
