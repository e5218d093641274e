# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pictures are drawn from, and the tables that say the same; tests/browser looks at the pictures."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _pictures
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils._report.test__as_html import Page, data_of
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import (
    FRAGMENTED,
    HOSTILE,
    journal_of,
    make_record,
)


def surveyed(record: t.Any, **held_by: int) -> t.Any:
    zone = {"node": 0, "zone": "Normal", "blocks": sum(held_by.values()), "sampled": 7, "held_by": held_by}
    record["facts"]["pageblock_survey"] = {"sampled": 7, "total": 90, "complete": False, "zones": [zone]}
    return record


@pytest.fixture(name="pictures_of")
def pictures_of_fixture(store: t.Any, make_report: t.Any) -> t.Any:
    """-> a function: records by run -> (data of the pictures, data of the page, report.html)"""

    def pictures_of(runs: t.Any, **options: t.Any) -> t.Any:
        for run, records in runs.items():
            where = store(*records, run=run)
        _report, text = make_report(where, formats=["html"], **options)
        data = data_of(text("html"))
        return data["pictures"], data, text("html")

    return pictures_of


def counts(pictures: t.Any) -> t.Any:
    """[{standing: nodes}] of each run, without those that no node has."""
    return [
        {name: count for name, count in zip(pictures["standings"], row, strict=True) if count}
        for _age, row, _run_id in pictures["runs"]
    ]


def test_each_run_has_its_levels(pictures_of: t.Any) -> None:
    runs = {
        "r1": [make_record("a", day=10), make_record("b", day=10), make_record("c", None, day=10)],
        "r2": [make_record("a", FRAGMENTED, day=12), make_record("c", day=12)],
        "r3": [make_record("a", FRAGMENTED), make_record("b"), make_record("c", None)],
    }
    pictures, _data, page = pictures_of(runs, run_id="r3", hosts=["d"])
    assert counts(pictures) == [
        {"low": 2, "missing": 1},
        {"high": 1, "low": 1},
        {"high": 1, "missing": 2, "low": 1},
    ]
    assert [(age, run_id) for age, _counts, run_id in pictures["runs"]] == [(864000, "r1"), (691200, "r2"), (0, "r3")]
    table = page.split('id="picture-levels"')[1].split("</section>")[0]
    assert '<th scope="row"><bdi>10 Nov 2026, 06:00 UTC</bdi></th>' in table and table.count("<tr>") == 4


def test_runs_that_are_known_in_part_are_left_out(pictures_of: t.Any) -> None:
    runs = {f"r{day}": [make_record("a", day=day)] for day in range(10, 20)}
    # The history of a node reaches back further if it was not there each time.
    runs["r01"] = [make_record("b", day=1)]
    runs["r19"].append(make_record("b", day=19))
    pictures, _data, _page = pictures_of(runs, run_id="r19", history=3)
    assert counts(pictures) == [{"low": 1}] * 3 + [{"low": 2}]


def test_incidents_have_their_time_and_their_node(pictures_of: t.Any) -> None:
    journal = journal_of("plain", "disk_full")
    journal["incidents"] += [{**journal["incidents"][0], "cause": "memcg_limit", "first_time": None, "last_time": None}]
    runs = {"r1": [make_record("well"), make_record("ill", FRAGMENTED, journal=journal)]}
    pictures, data, page = pictures_of(runs)
    ((place, cause, first, last, count),) = pictures["spans"]
    assert data["hosts"][place][0] == "ill" and data["strings"][cause] == "disk_full" and count == 37
    # From 04:00 to 05:41:02; the newest record is of 06:00.
    assert (first, last) == (7200, 1138) and pictures["all_spans"] == 1
    table = page.split('id="picture-incidents"')[1].split("</section>")[0]
    assert "A disk is full" in table and "20 Nov 2026, 04:00 UTC" in table


def test_there_are_bounds_for_the_incidents_of_a_fleet(pictures_of: t.Any, monkeypatch: t.Any) -> None:
    monkeypatch.setattr(_pictures, "SPANS_OF_NODE", 3)
    monkeypatch.setattr(_pictures, "MOST_SPANS", 5)
    journal = journal_of("plain")
    journal["incidents"] *= 9
    runs = {"r1": [make_record(name, FRAGMENTED, journal=journal) for name in "abc"]}
    pictures, _data, page = pictures_of(runs)
    assert [span[0] for span in pictures["spans"]] == [0, 0, 0, 1, 1] and pictures["all_spans"] == 9
    assert "The 5 incidents of the worst nodes, of 9." in page


def test_who_is_in_the_way_by_group(pictures_of: t.Any) -> None:
    runs = {
        "r1": [
            surveyed(make_record("a", groups=["db", "all-of-it"]), movable=60, slab=30, kernel=10),
            surveyed(make_record("b", groups=["web", "all-of-it"]), movable=95, page_table=5),
            surveyed(make_record("c", groups=["web", "all-of-it"]), movable=99, **{HOSTILE: 1}),
            make_record("not-looked-at", groups=["web"]),
        ]
    }
    pictures, _data, page = pictures_of(runs)
    held = [
        (group, nodes, {kind: count for kind, count in zip(pictures["kinds"], row, strict=True) if count})
        for group, nodes, row in pictures["held"]
    ]
    assert held[0] == ("", 3, {"movable": 254, "slab": 30, "kernel": 10, "page_table": 5, "other": 1})
    assert [row[0] for row in held[1:]] == ["db", "all-of-it", "web"]
    assert held[3] == ("web", 2, {"movable": 194, "page_table": 5, "other": 1})
    table = page.split('id="picture-held"')[1].split("</section>")[0]
    assert "84.7 %" in table and "page table" in table and "<img" not in table


def test_a_node_cannot_blow_up_its_survey(pictures_of: t.Any) -> None:
    record = surveyed(make_record("a", FRAGMENTED), movable=4, **{f"kind{number}": 1 for number in range(60)})
    shown = record["facts"]["pageblock_survey"]
    shown["zones"][0]["yields"] = [
        {"order": order, "now": 0, "low": 1, "expected": 2, "high": order} for order in range(11)
    ]
    shown["zones"] = shown["zones"] * 100 + [{"node": 1, "zone": "Movable", "blocks": 0}]
    shown["callers"] = [{"name": "x" * 60000, "pages": 5}] * 50
    _pictures_data, data, _page = pictures_of({"r1": [record, make_record("b")]})
    kept = data["details"]["0"]["survey"]
    assert len(kept["zones"]) == 16 and kept["more_zones"] == 84
    assert kept["zones"][0]["held_by"] == {"movable": 4, "other": 60} and kept["zones"][0]["gain"]["high"] == 9
    assert len(kept["callers"]) == 8 and len(str(kept)) < 8000


def test_a_survey_that_breaks_its_contract_is_no_part_of_a_report(store: t.Any, make_report: t.Any) -> None:
    bad = surveyed(make_record("bad"), movable=4)
    bad["facts"]["pageblock_survey"]["zones"][0]["held_by"] = {"slab": "x" * 9}
    report, text = make_report(store(bad, make_record("well")), formats=["html"])
    assert [host.name for host in report.fleet.hosts] == ["well"]
    assert "pageblock_survey.zones[0].held_by" in report.fleet.problems[0] and text("html")


def test_the_table_of_orders_counts_every_node(pictures_of: t.Any) -> None:
    runs = {
        "r1": [
            make_record("ill", FRAGMENTED),
            *(make_record(f"n{number}") for number in range(4)),
            make_record("x", None),
        ]
    }
    _pictures_data, data, page = pictures_of(runs)
    ill = next(row[15] for row in data["hosts"] if row[0] == "ill")
    rows = page.split('id="picture-orders"')[1].split("<tbody>")[1].split("</tbody>")[0].strip().splitlines()
    assert len(rows) == len(ill) == 11
    for order, row in enumerate(rows):
        state = int(ill[order])
        expected = [4 + (state == 0), *(int(state == other) for other in (1, 2, 3))]
        assert "".join(f'<td class="num">{count}</td>' for count in expected) in row, (order, row)


def test_a_node_that_is_alone_has_no_fleet(pictures_of: t.Any) -> None:
    assert 'id="pictures"' not in pictures_of({"r1": [make_record("alone", FRAGMENTED)]})[2]


def test_the_tables_are_sound(pictures_of: t.Any) -> None:
    runs = {
        "r1": [make_record("a", day=10, groups=[HOSTILE])],
        "r2": [
            surveyed(make_record("a", FRAGMENTED, journal=journal_of(HOSTILE), groups=[HOSTILE]), movable=6, slab=3),
            surveyed(make_record("b", groups=["web"]), movable=6),
        ],
    }
    page = Page(pictures_of(runs, run_id="r2")[2])
    assert [each for each in page.ids if each.startswith("picture-") and "title" not in each] == [
        f"picture-{name}" for name in ("orders", "levels", "incidents", "held")
    ]
    assert not [tag for tag, _attributes in page.tags if tag == "img"]
