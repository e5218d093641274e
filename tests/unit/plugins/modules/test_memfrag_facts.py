# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _grading


def test_facts_of_a_root(run_module, node_root):
    result = run_module(
        "memfrag_facts", {"root": node_root("6.1.0-56-cloud-amd64/fragmented"), "top_slabs": 3}, check_mode=True
    )
    assert not result.get("changed")
    facts = result["ansible_facts"]["memfrag"]
    assert facts["schema_version"] == 1
    assert len(facts["slab"]["caches"]) == 3
    sizes = [cache["size_kb"] for cache in facts["slab"]["caches"]]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"root": "/no/such/root"}, "/no/such/root: root is not a directory"),
        ({"gather_subset": ["everything"]}, "gather_subset has no 'everything'"),
    ],
)
@pytest.mark.parametrize("module", ["memfrag_facts", "memfrag_audit"])
def test_bad_options_are_named(run_module, module, options, message):
    result = run_module(module, options)
    assert result["failed"]
    assert message in result["msg"].replace("u'", "'")


def test_the_audit_answers_with_one_string(run_module, node_root):
    result = run_module("memfrag_audit", {"root": node_root("6.1.0-56-cloud-amd64/fragmented"), "journal": False})
    seen = json.loads(result["observed"])
    assert seen["journal"] is None
    # What follows from what was seen is left to the controller.
    assert "allocatable" not in seen["facts"] and "states" not in seen["facts"]["zones"][2]
    assert _grading.grade(seen["facts"])["zones"][2]["states"][9] == "exhausted"
