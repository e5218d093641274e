# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import copy

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _grading, _observation
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

FRAGMENTED = "6.1.0-56-cloud-amd64/fragmented"


@pytest.fixture
def facts(node_root):
    return _facts.collect(Node(node_root(FRAGMENTED)))


def test_facts_are_what_was_seen_and_graded(facts, node_root):
    seen = _observation.observe(Node(node_root(FRAGMENTED)), _observation.resolve_subset(["all"]))
    assert "allocatable" not in seen and not any("states" in zone for zone in seen["zones"])
    assert _grading.grade(dict(seen, collected_at=facts["collected_at"])) == facts


def test_what_the_node_says_of_it_is_not_asked_for(facts):
    told = copy.deepcopy(facts)
    told["allocatable"] = [{"order": 0, "state": "ok", "nodes": {}}]
    for zone in told["zones"]:
        zone.update(states=["ok"], atomic=[], index_source="computed", extfrag_index=[0], unusable_index=None)
    computed = copy.deepcopy(facts)
    for zone in computed["zones"]:
        zone["index_source"] = "computed"
    assert _grading.grade(told) == _grading.grade(computed)
    assert told["allocatable"] == facts["allocatable"]


def test_the_kernels_own_indices_stay_where_there_is_one_for_each_order(facts):
    zone = facts["zones"][-1]
    zone.update(index_source="debugfs", extfrag_index=[7] * len(zone["free_blocks"]), unusable_index=[7])
    zone = _grading.grade(facts)["zones"][-1]
    assert zone["extfrag_index"] == [7] * len(zone["free_blocks"])
    assert zone["unusable_index"][0] == 0 and len(zone["unusable_index"]) == len(zone["free_blocks"])


def test_the_least_that_an_answer_must_have():
    zone = {"node": 0, "zone": "Normal", "free_blocks": [8, 4, 0], "free_pages": 16}
    graded = _grading.grade({"kernel": {"page_size": 4096}, "zones": [zone]})
    assert [row["state"] for row in graded["allocatable"]] == ["ok", "ok", "needs_compaction"]
    assert graded["zones"][0]["unusable_index"] == [0, 500, 1000]
    assert _grading.grade({"kernel": {"page_size": 4096}, "zones": []})["allocatable"] == []
