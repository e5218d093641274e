# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What a node may say: its facts and its journal, in the form of their contracts, and nothing else.

A node can be in anybody's hands. What it answers is data about itself: never about another host, never a judgement or a
command, never anything that Ansible would take for a variable, and never more than LARGEST_ANSWER.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.kernelops.memfrag.plugins.module_utils import _grading, _text
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts, _shapes

LARGEST = _contracts.LARGEST_ANSWER

# So much of what a failing module says is kept.
LONGEST_MESSAGE = 2000

TOO_MUCH = "the node's answer is not valid: it is nested too deeply, or memory did not suffice to read it"


class AnswerError(ValueError):
    """An answer that is not to be used; the text says which part of it."""


def check_size(size: int) -> None:
    """size: bytes or characters of an answer as it came"""
    if size > LARGEST:
        raise AnswerError(f"the node's answer is not valid: it has {size:,} bytes, of at most {LARGEST:,}")


def loads(text: str | bytes) -> t.Any:
    """JSON without numbers that are none; AnswerError for what cannot be read."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except AnswerError:
        raise
    except ValueError as error:
        raise AnswerError(f"the module's answer is not JSON: {error}") from error
    except (RecursionError, MemoryError):
        raise AnswerError(TOO_MUCH) from None


def _no_number(word: str) -> t.Any:
    raise AnswerError(f"the node's answer is not valid: {word} is no number of JSON")


def from_output(output: str) -> dict[str, t.Any] | None:
    """The one JSON object that a module has printed, as plain data; None for any other output, a failed module's included."""
    check_size(len(output))
    text = output.strip()
    if not text.startswith("{"):
        return None
    try:
        answer = json.loads(text, parse_constant=_no_number)
    except AnswerError:
        raise
    except (RecursionError, MemoryError):
        raise AnswerError(TOO_MUCH) from None
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("failed") or not _brings(answer):
        return None
    return answer


def _brings(answer: dict[str, t.Any]) -> bool:
    facts = answer.get("ansible_facts")
    return "observed" in answer or (isinstance(facts, dict) and "memfrag" in facts)


def take(answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """An answer of memfrag_audit or memfrag_facts -> {facts, journal}, checked and graded. Raises AnswerError.

    memfrag_audit answers with one string, ``observed``, since Ansible walks each leaf of a nested answer; memfrag_facts with
    ``ansible_facts.memfrag``. Whatever else is in an answer is dropped.
    """
    if answer.get("failed"):
        raise AnswerError(failure(answer))
    observed = answer.get("observed")
    if observed is not None:
        if not isinstance(observed, str):
            raise AnswerError("the node's answer is not valid: observed: must be text")
        check_size(len(observed))
        observed = loads(observed)
        if not isinstance(observed, dict):
            raise AnswerError("the node's answer is not valid: it must be a mapping")
    else:
        facts = answer.get("ansible_facts")
        facts = facts.get("memfrag") if isinstance(facts, dict) else None
        if facts is None:
            raise AnswerError(failure(answer))
        observed = {"facts": facts}
    taken = {"facts": observed.get("facts"), "journal": observed.get("journal")}
    if isinstance(taken["facts"], dict):
        taken["facts"].setdefault("allocatable", [])
    try:
        _check("facts", taken["facts"], _contracts.FACTS)
        if taken["journal"] is not None:
            _check("journal", taken["journal"], _contracts.JOURNAL)
            _check_events(taken["journal"])
        # What follows from the facts is computed here, whatever the node thinks of it.
        taken["facts"] = _graded(taken["facts"])
    except _shapes.ShapeError as error:
        raise AnswerError(f"the node's answer is not valid: {error}") from error
    return taken


def _graded(facts: t.Any) -> dict[str, t.Any]:
    """With what follows from the facts, held to the contract as well: it grows with what was said. ShapeError."""
    facts = dict(_grading.grade(facts))
    try:
        _check("allocatable", facts["allocatable"], _contracts.FACTS.needed["allocatable"])
    except _shapes.ShapeError as error:
        raise error.inside("facts") from None
    return facts


def take_watch(returned: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What memfrag_watch returned, checked and without anything that does not belong to it. Raises AnswerError."""
    if returned.get("skipped") or returned.get("failed"):
        raise AnswerError(failure(returned))
    names = {**_contracts.WATCH.needed, **_contracts.WATCH.optional}
    watched = _plain({name: returned[name] for name in names if name in returned})
    try:
        _check("watch", watched, _contracts.WATCH)
    except _shapes.ShapeError as error:
        raise AnswerError(f"the node's answer is not valid: {error}") from error
    return watched


def from_ansible(returned: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A module's answer as Ansible gives it, as plain data without the types that it marks them with."""
    if returned.get("failed"):
        raise AnswerError(failure(returned))
    return _plain({key: returned[key] for key in ("observed", "ansible_facts", "msg") if key in returned})


def plain(value: t.Any) -> t.Any:
    """A part of an answer without the types that Ansible marks it with."""
    try:
        return loads(json.dumps(value))
    except (TypeError, RecursionError) as error:
        raise AnswerError(f"the node's answer is not valid: {error}") from error


def held(name: str, value: t.Any, shape: _shapes.Shape) -> t.Any:
    """The same, held to its shape: facts can be those of a fact cache, which any module of a node may have filled. AnswerError."""
    value = plain(value)
    try:
        _check(name, value, shape)
    except _shapes.ShapeError as error:
        raise AnswerError(f"not valid: {error}") from error
    return value


def _plain(returned: dict[str, t.Any]) -> dict[str, t.Any]:
    return dict(plain(returned))


def _check(name: str, value: t.Any, contract: _shapes.Shape) -> None:
    try:
        contract.check(value)
    except _shapes.ShapeError as error:
        raise error.inside(name) from None


def take_record(record: dict[str, t.Any]) -> None:
    """A record that a node has written of itself: held to all of its contract, and left with what the node has seen. ShapeError.

    Which groups it is in and what is to be made of it is for others to say.
    """
    _contracts.RECORD.check(record)
    if record.get("journal") is not None:
        _check_events(record["journal"])
    if record.get("facts") is not None:
        record["facts"] = _graded(record["facts"])
    record.update(groups=[], assessment=None)


def _check_events(journal: dict[str, t.Any]) -> None:
    """Incidents speak of events that are there."""
    number = len(journal["events"])
    for index, incident in enumerate(journal["incidents"]):
        if max(incident.get("events") or (-1,)) >= number:
            raise (
                _shapes.ShapeError(f"speaks of events beyond the {number} that there are")
                .inside("events")
                .inside(index)
                .inside("incidents")
                .inside("journal")
            )


def failure(answer: t.Mapping[str, t.Any]) -> str:
    """A module that did not come through, in the words that a person can act on."""
    message = str(answer.get("msg") or "the module failed without a message")[:LONGEST_MESSAGE]
    said = str(answer.get("module_stderr") or "")
    lines = [line.strip() for line in (said[:LARGEST]).splitlines() if line.strip()]
    if lines:
        # A traceback says it last, everything else (a missing interpreter, a shell) says it first.
        message += ": " + (lines[-1] if "Traceback" in lines[0] else lines[0])
    return _text.strip_controls(message[:LONGEST_MESSAGE])


def lines(text: str) -> str:
    """What a node has said on some lines, without what a terminal would obey."""
    return "\n".join(map(_text.strip_controls, text[:LARGEST].split("\n")))
