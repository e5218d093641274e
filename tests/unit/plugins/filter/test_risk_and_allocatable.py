# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError

from ansible_collections.kernelops.memfrag.plugins.filter.risk import FilterModule
from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.test.allocatable import TestModule as AllocatableTests

risk = FilterModule().filters()["risk"]
allocatable = AllocatableTests().tests()["allocatable"]


@pytest.fixture(name="failing")
def failing_fixture(node_root: t.Callable[..., str]) -> dict[str, t.Any]:
    return dict(_facts.collect(Node(node_root("seeds/001-failing"))))


def test_risk(failing: dict[str, t.Any]) -> None:
    assert risk(failing)["level"] == "critical"
    assert risk(failing, policy={"target_orders": [3]})["level"] == "low"
    assert risk({})["level"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["not", "facts"],), "Input of kernelops.memfrag.risk must be the facts of memfrag_facts, not list"),
        (({}, "journal"), "journal of kernelops.memfrag.risk must be a dictionary, not str"),
        (({}, None, {"spare": 1}), "policy has no spare; it knows"),
    ],
)
def test_risk_refuses(arguments: tuple[t.Any, ...], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        risk(*arguments)


def test_facts_that_are_beyond_their_contract_are_refused(failing: dict[str, t.Any]) -> None:
    """They may be those of a fact cache, which any module's answer fills. With this order nothing would ever come to an end."""
    facts = {**failing, "kernel": {**failing["kernel"], "hugepage_order": 1 << 63}}
    for ask in (lambda: risk(facts), lambda: risk(failing, previous=facts), lambda: allocatable(facts, order=5)):
        with pytest.raises(
            AnsibleError, match=r"is not valid: (facts|previous)\.kernel\.hugepage_order: must be from 0"
        ):
            ask()
    with pytest.raises(AnsibleError, match=r"is not valid: journal: has no events, incidents"):
        risk(failing, {"x": 1})


def test_allocatable(failing: dict[str, t.Any]) -> None:
    assert allocatable(failing, order=3)
    # 17 blocks of order 3 in Normal, 74 and 6 of order 4 in DMA32.
    assert allocatable(failing, order=3, count=17 + 74 + 12)
    assert not allocatable(failing, order=3, count=17 + 74 + 12 + 1)
    assert not allocatable(failing, 5)
    assert allocatable(failing, order=3, node=0)
    assert not allocatable(failing, order=3, node=1)
    assert not allocatable({}, order=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "5"}, "order of kernelops.memfrag.allocatable must be a whole number from 0, not '5'"),
        ({"order": 5, "count": 0}, "count of kernelops.memfrag.allocatable must be a whole number from 1, not 0"),
        ({"order": True}, "order of kernelops.memfrag.allocatable must be a whole number"),
        ({"order": 5, "node": -1}, "node of kernelops.memfrag.allocatable must be a whole number from 0"),
    ],
)
def test_allocatable_refuses(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleError, match=message):
        allocatable({}, **options)
    with pytest.raises(AnsibleError, match="must be the facts of memfrag_facts, not str"):
        allocatable("facts", 3)


def test_allocatable_after_a_compaction(failing: dict[str, t.Any]) -> None:
    with pytest.raises(
        AnsibleError, match=r"allocatable\(after='compaction'\): the pageblocks were not surveyed: gather"
    ):
        allocatable(failing, order=5, after="compaction")
    with pytest.raises(AnsibleError, match="after of .* must be one of none, compaction, reclaim, not 'reboot'"):
        allocatable(failing, order=5, after="reboot")
    row = {"order": 5, "now": 0, "low": 20, "expected": 40, "high": 60}
    zone = {"node": 0, "zone": "Normal", "blocks": 100, "sampled": 100, "held_by": {}, "yields": [row]}
    failing["pageblock_survey"] = {"zones": [zone]}
    assert not allocatable(failing, order=5)
    assert allocatable(failing, order=5, count=20, after="compaction")
    assert not allocatable(failing, order=5, count=21, after="compaction")
