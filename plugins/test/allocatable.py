# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test ``allocatable``: can this node hand out blocks of an order, and so many of them?"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleError

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import (
    SurveyError,
    blocks_after,
    blocks_left,
)
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _answer, _returned


def _whole(name: str, value: t.Any, smallest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
        raise AnsibleError(
            f"{name} of kernelops.memfrag.allocatable must be a whole number from {smallest}, not {value!r}"
        )
    return value


# What may come before the blocks are asked for.
AFTER = ("none", "compaction", "reclaim")


def allocatable(facts: t.Any, order: t.Any, count: t.Any = 1, node: t.Any = None, after: t.Any = "none") -> bool:
    if not isinstance(facts, Mapping):
        raise AnsibleError(
            f"Input of kernelops.memfrag.allocatable must be the facts of memfrag_facts, not {type(facts).__name__}"
        )
    order, count = _whole("order", order, 0), _whole("count", count, 1)
    if node is not None:
        node = _whole("node", node, 0)
    if after not in AFTER:
        raise AnsibleError(f"after of kernelops.memfrag.allocatable must be one of {', '.join(AFTER)}, not {after!r}")
    try:
        facts = _answer.held("facts", facts, _returned.FACTS)
    except _answer.AnswerError as error:
        raise AnsibleError(f"Input of kernelops.memfrag.allocatable is {error}") from error
    if after == "none":
        return blocks_left(facts, order, node) >= count
    try:
        return blocks_after(facts, order, after, node) >= count
    except SurveyError as error:
        raise AnsibleError(f"kernelops.memfrag.allocatable(after={after!r}): {error}") from error


class TestModule:
    def tests(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"allocatable": allocatable}
