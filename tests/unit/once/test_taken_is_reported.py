# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the contract lets in is either reported or that host's failure: no answer makes its node vanish from the report.

The answers are made from the contract's own table: each key that may be missing is left out, and each number is taken to its ends.
"""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t
from collections.abc import Iterator

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _answer, _contracts, _records, _report, _shapes
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils import fleets

Path = tuple[t.Any, ...]


def observed(capture: str) -> dict[str, t.Any]:
    facts = copy.deepcopy(fleets.facts_of(capture))
    where = [(zone["node"], zone["zone"]) for zone in facts["zones"]]
    row = {"order": 4, "now": 1, "low": 1, "expected": 3, "high": 5}
    facts["pageblock_survey"] = {
        "sampled": 100,
        "total": 200,
        "complete": False,
        "zones": [
            {
                **dict(zip(("node", "zone"), place, strict=True)),
                "blocks": 200,
                "sampled": 100,
                "held_by": {"movable": 50, "slab": 20, "kernel": 30},
                "held_by_interval": {"movable": [40, 60]},
                "yields": [{**row, "uncorrected": 2}],
                "after_reclaim": [dict(row)],
                "map": {"cell_blocks": 2, "cells": "mm.s?k"},
            }
            for place in where
        ],
        "callers": [{"name": "anon_pipe_write", "pages": 3}],
        "last_compaction": {
            "ended_at": "2026-11-20T06:00:00Z",
            "promised": [{"node": 0, "zone": where[-1][1], "obtained": 3, **row}],
        },
    }
    # Large enough, and empty enough, for a rule to look at it.
    facts["slab"]["caches"].append({"name": "dentry", "size_kb": 1 << 22, "utilization_percent": 5})
    reach = {"low": 1, "expected": 2, "high": 3}
    facts["hugepages"] = [
        {
            "node": 0,
            "size_kb": 2048,
            "reserved": 0,
            "free": 0,
            "now": 3,
            "after_compaction": reach,
            "after_reclaim": reach,
        }
    ]
    facts["watch"] = {
        "seconds": 5,
        "events": 3,
        "overrun": 0,
        "stopped_early": False,
        "fragmenters": [{"comm": "x", "pollutes": True, "pageblocks": 3, "container": "ab12", "stack": ["a"]}],
    }
    return {"facts": facts, "journal": copy.deepcopy(fleets.journal_of("x"))}


def parts(value: t.Any, shape: t.Any, path: Path = ()) -> Iterator[tuple[Path, t.Any, t.Any]]:
    """(where, what stands there, its shape) of all that the contract has a row for; of lists the first entry."""
    if value is not None:
        yield path, value, shape
    shape = shape.shape if isinstance(shape, _shapes.Nullable) else shape
    if isinstance(shape, _shapes.Fields) and isinstance(value, dict):
        for key, below in {**shape.needed, **shape.optional}.items():
            if key in value:
                yield from parts(value[key], below, (*path, key))
    elif isinstance(shape, _shapes.MapOf) and isinstance(value, dict):
        for key in list(value)[:2]:
            yield from parts(value[key], shape.shape, (*path, key))
    elif isinstance(shape, _shapes.ListOf) and isinstance(value, list) and value:
        yield from parts(value[-1], shape.shape, (*path, len(value) - 1))


def with_change(value: t.Any, path: Path, new: t.Any = None, *, remove: bool = False) -> t.Any:
    value = copy.deepcopy(value)
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


def variants(seen: dict[str, t.Any]) -> Iterator[dict[str, t.Any]]:
    everywhere = with_change(seen, ("facts", "zones"), copy.deepcopy(seen["facts"]["zones"]))
    for part, contract in (("facts", _contracts.FACTS), ("journal", _contracts.JOURNAL)):
        for path, value, shape in parts(seen[part], contract):
            if isinstance(shape, _shapes.Fields):
                for key in shape.optional:
                    if key in value:
                        yield with_change(seen, (part, *path, key), remove=True)
                        if len(path) < 3:
                            yield with_change(seen, (part, *path, key), None)
            elif isinstance(shape, (_shapes.Int, _shapes.Number)):
                for end in (shape.lowest, shape.highest):
                    yield with_change(seen, (part, *path), end)
            elif isinstance(shape, (_shapes.ListOf, _shapes.MapOf)):
                yield with_change(seen, (part, *path), type(value)())
    # Each number is in order, and their sums over the zones are not.
    for zone in everywhere["facts"]["zones"]:
        zone["free_blocks"] = [_shapes.MOST] * len(zone["free_blocks"])
        zone["migratetypes"] = None
    yield everywhere
    # A zone of each of more NUMA nodes than there can be.
    zones = seen["facts"]["zones"][-1:] * (_contracts.MOST_NODES + 1)
    yield with_change(seen, ("facts", "zones"), [{**zone, "node": number} for number, zone in enumerate(zones)])


def stored(directory: pathlib.Path, name: str, answer: dict[str, t.Any]) -> bool:
    """As the audit does it. -> whether there is a record of an audited host"""
    record = _records.empty(name, ["g"], 1.8e9)
    try:
        record.update(_answer.take({"observed": json.dumps(answer)}))
        record.update(status="audited", duration_seconds=1.0, assessment=assess(record["facts"], record["journal"]))
        _records.write(str(directory), "r1", record, check=True)
    except _answer.AnswerError as error:
        assert " is not valid: facts." in str(error) or " is not valid: journal." in str(error), error
        return False
    except _records.RecordError as error:
        assert "would not hold its contract: " in str(error)
        return False
    return True


def test_an_answer_that_is_taken_is_reported(tmp_path: pathlib.Path) -> None:
    kept, refused = 0, 0
    for answer in variants(observed(fleets.FRAGMENTED)):
        if stored(tmp_path, f"h{kept:05d}", answer):
            kept += 1
        else:
            refused += 1
    assert kept > 300 and refused >= 4
    report = _report.make([str(tmp_path)], str(tmp_path / "report"))
    assert not report.fleet.problems
    assert report.fleet.coverage["audited"] == kept


class Tagged(str):
    """As ansible-core marks what comes from an inventory."""


def test_names_of_ansibles_own_kind_are_names(tmp_path: pathlib.Path) -> None:
    record = fleets.make_record("node17", "6.1.0-56-cloud-amd64/healthy")
    record.update(host=Tagged("node17"), groups=[Tagged("web")])
    path = _records.write(str(tmp_path), "r1", record, check=True)
    assert _records.load(path)["groups"] == ["web"]
