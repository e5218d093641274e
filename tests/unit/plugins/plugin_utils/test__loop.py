# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _loop, _remediation

# What Ansible makes something of, or a terminal does.
ODD = [
    *("", None, 17, ["node17"], {"node17": 1}, True),
    *("*", "node*", "node1?", "!node17", "~node.*", "&web", "@/etc/passwd", "node[1:9]", "node17,node18", "node17:node18", "node17 node18"),
    *("node17\n", "\nnode17", "node17\0", "node\x1b[31m17", "{{ 7 * 7 }}", "{% raw %}", "-i", "--limit", ".", "..", "../node17", "/"),
    *("node17.", "_node", "nöde", "n" * 254, "node17:9100", "[::1]", "$(reboot)", "node17;reboot", "\u202enode"),
]  # fmt: skip


@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name)[:30])
def test_what_is_no_plain_name_is_refused_even_where_the_inventory_has_it(name: t.Any) -> None:
    assert _loop.odd_host(name, [name], {})


@given(st.text(max_size=8))
def test_what_is_let_through_is_its_own_and_only_match(name: str) -> None:
    if _loop.odd_host(name, [name], {}) is None:
        assert name.isascii() and not set(name) & set("*?[]!&~@,:;{}%/ \n") and name[0].isalnum()


def test_the_run_is_about_the_host_of_the_alert_and_no_other() -> None:
    groups = {"all": ["node17"], "ungrouped": [], "web": ["node17"]}
    assert _loop.odd_host("node17", ["node17"], groups) is None
    for hosts in ([], ["node18"], ["node17", "node18"], ["node17", "node17"]):
        assert "has to be limited to that one" in str(_loop.odd_host("node17", hosts, groups))
    # A host may have the name of a group, and a pattern of that name is the group.
    for name in groups:
        assert "name of a group" in str(_loop.odd_host(name, [name], groups))


NOW = 1_800_000_000.0


def taken(host: str, minutes_ago: float, outcome: str = "mended") -> _loop.Taken:
    return _loop.Taken(host, f"run-{host}", NOW - minutes_ago * 60, outcome)


@pytest.mark.parametrize(
    ("earlier", "why"),
    [
        ([], None),
        ([taken("a", 29)], "it was taken 29 minutes ago (run run-a, mended"),
        ([taken("a", 31)], None),
        ([taken("b", 1)], None),
        # A clock that was set back.
        ([taken("a", -500)], "it was taken 0 minutes ago"),
        ([taken("b", 59, "no_better")], "b was compacted, and is no better 59 minutes ago (run run-b), and the nodes"),
        ([taken("b", 1, "worse")], "b is worse than before"),
        ([taken("b", 1, "failed")], "b could not be mended"),
        ([taken("b", 61, "no_better")], None),
        # A guard, or what is the matter with one node alone, is nobody else's trouble.
        ([taken("b", 1, outcome) for outcome in ("held_off", "left_alone", "healthy", "unknown", "waiting")], None),
        ([taken(f"b{number}", 59) for number in range(10)], "10 nodes were taken within the last hour"),
        ([taken(f"b{number}", 61) for number in range(10)], None),
    ],
)
def test_how_often_and_when_not(earlier: list[_loop.Taken], why: str | None) -> None:
    said = _loop.refusal(earlier, "a", NOW, _loop.Limits())
    assert said is None if why is None else str(said).startswith(why)
    assert _loop.refusal(earlier, "a", NOW, _loop.Limits(0, 0, 0)) is None or any(one.at > NOW for one in earlier)


def test_every_outcome_of_a_remediation_has_its_words() -> None:
    assert set(_loop._DONE) == {*_remediation.OUTCOMES, _loop.REFUSED}
    assert set(_loop.BAD) < set(_remediation.STOPPING)


def test_without_books_it_has_failed() -> None:
    remedy = {"host": "a", "outcome": "mended", "reason": "ok"}
    assert _loop.outcome_of([remedy], "a")[:2] == ("mended", "ok")
    for books in (None, [], [{"host": "b", "outcome": "mended"}], [{"host": "a", "outcome": "splendid"}]):
        assert _loop.outcome_of(books, "a")[0] == "failed"


def test_what_is_told_of_a_mended_node_and_of_one_that_is_no_better() -> None:
    remedy = {"before": {"score": 60}, "after": {"score": 10}}
    words = _loop.in_words("node17", "mended", "compacted\x1b[2J\nin 2 s", remedy)
    assert words == "node17 was mended, score 60 -> 10: compacted in 2 s"
    told = _loop.alert("node17", "mended", words, "r1", "/r/remediation.txt", NOW, _loop.Limits())
    assert told == {
        "labels": {"alertname": "MemfragRemediation", "instance": "node17", "outcome": "mended", "severity": "info"},
        "annotations": {"summary": words, "report": "/r/remediation.txt", "run_id": "r1"},
        "startsAt": "2027-01-15T08:00:00Z",
        "endsAt": "2027-01-15T09:00:00Z",
    }
    failed = _loop.alert("node17", "no_better", "", "r1", "", NOW, _loop.Limits(pause_minutes=90))
    assert failed["labels"]["alertname"] == "MemfragRemediationFailed" and failed["labels"]["severity"] == "warning"
    # As long as the loop pauses, so long it keeps the alert silent that would call for another compaction.
    assert failed["endsAt"] == "2027-01-15T09:30:00Z"
    assert _loop.annotation("node17", "mended", words, NOW - 9, NOW) == {
        "time": 1_799_999_991_000,
        "timeEnd": 1_800_000_000_000,
        "tags": ["memfrag", "remediation", "node17", "mended"],
        "text": words,
    }
