# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _yields
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

ROW = {"order": 9, "now": 10, "low": 60, "expected": 100, "high": 150}
PLACE = (0, "Normal")


def learned(*pairs):
    return _yields.Learned({PLACE + (9,): list(pairs)})


@pytest.fixture(name="node")
def node_fixture(tmp_path):
    os.makedirs(str(tmp_path / "var/lib/memfrag"))
    return WritableNode(str(tmp_path))


def remember(node, expected=100, obtained=80, known=None, **row):
    zone = dict(zip(("node", "zone"), PLACE), yields=[dict(ROW, expected=expected, **row)])
    promised = [dict(ROW, node=0, zone="Normal", obtained=obtained)]
    _yields.remember(
        node, known or _yields.load(node), [zone], {PLACE: [0] * 9 + [obtained]}, promised, "2026-11-26T04:00:00Z"
    )


def test_what_is_not_known_corrects_nothing():
    assert _yields.Learned().corrected(PLACE, ROW) == ROW
    assert learned((100, 50)).corrected((1, "Normal"), ROW) == ROW
    assert learned((100, 50)).corrected(PLACE, dict(ROW, order=8)) == dict(ROW, order=8)


def test_the_median_of_what_came_corrects_what_is_expected():
    row = learned((100, 80), (100, 70), (200, 20)).corrected(PLACE, ROW)
    assert (row["expected"], row["uncorrected"]) == (70, 100)
    # One that missed widens the interval down to what was seen, and not below what there is.
    assert (row["low"], row["high"]) == (10, 150)
    assert learned((100, 80), (100, 70), (200, 80)).corrected(PLACE, ROW)["low"] == 40


def test_more_than_was_thought_possible_raises_the_limit():
    row = learned((100, 120), (100, 250)).corrected(PLACE, ROW)
    assert (row["expected"], row["high"]) == (150, 250)


@pytest.mark.parametrize("pair, expected, high", [((100, 1), 25, 150), ((10, 1000), 150, 400)])
def test_the_correction_is_bounded(pair, expected, high):
    row = learned(pair).corrected(PLACE, ROW)
    assert (row["expected"], row["high"]) == (expected, high)
    assert row["now"] <= row["low"] <= row["expected"] <= row["high"]


def test_a_compaction_is_kept_and_corrects_the_next_promise(node):
    remember(node)
    known = _yields.load(node)
    assert known.runs == {(0, "Normal", 9): [(100, 80)]}
    assert known.last == {
        "ended_at": "2026-11-26T04:00:00Z",
        "promised": [dict(ROW, node=0, zone="Normal", obtained=80)],
    }
    row = known.corrected(PLACE, ROW)
    assert (row["expected"], row["uncorrected"]) == (80, 100)
    # Corrections do not pile up: the next one is held to the first expectation as well.
    remember(node, expected=80, obtained=80, uncorrected=100)
    assert _yields.load(node).corrected(PLACE, ROW)["expected"] == 80
    assert node.mode(_yields.FILE) == 0o644


def test_only_the_newest_count(node):
    for obtained in [20] * 8 + [90] * 8:
        remember(node, obtained=obtained)
    assert _yields.load(node).runs[(0, "Normal", 9)] == [(100, 90)] * 8


def test_the_file_is_bounded(node):
    runs = {(number, "Normal", order): [(100, 80)] * 8 for number in range(200) for order in range(11)}
    remember(node, known=_yields.Learned(runs))
    known = _yields.load(node)
    assert len({key[0] for key in known.runs}) == 64
    assert node.stat(_yields.FILE).st_size < 150000


@pytest.mark.parametrize(
    "expected, obtained, tells",
    [(10, 10, False), (11, 3, True), (3, 2, False), (10, 151, True), (10, 150, False)],
)
def test_what_promised_nothing_says_nothing_unless_more_came_than_was_possible(expected, obtained, tells, node):
    remember(node, expected=expected, obtained=obtained, now=min(10, expected) if expected > 3 else 0)
    assert bool(_yields.load(node).runs) is tells


def test_without_the_state_of_the_tool_nothing_is_left(tmp_path):
    node = WritableNode(str(tmp_path))
    remember(node)
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"zones": [{"node": 0, "zone": "Normal", "order": 9, "runs": [[1]]}]}',
        '{"zones": [{"node": true, "zone": "Normal", "order": 9, "runs": []}]}',
        '{"zones": [{"node": 0, "zone": "Normal", "order": 9, "runs": [[100, -1]]}]}',
        '{"zones": [], "last": {"ended_at": "yesterday", "promised": []}}',
        '{"zones": [], "last": {"ended_at": "2026-11-26T04:00:00Z", "promised": [{}]}}',
    ],
)
def test_a_damaged_file_is_none(text, node):
    build_roots.write(node.root, _yields.FILE.lstrip("/"), text)
    known = _yields.load(node)
    assert (known.runs, known.last) == ({}, None)
    remember(node)
    assert _yields.load(node).runs


def test_a_file_that_others_could_have_written_is_not_believed(node):
    remember(node)
    os.chmod(node.path(_yields.FILE), 0o666)
    assert _yields.load(node).runs == {}
    remember(node, obtained=90)
    assert json.loads(node.read_text(_yields.FILE))["zones"][0]["runs"] == [[100, 90]]
    assert node.mode(_yields.FILE) == 0o644
