# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``risk``: the assessment of memory facts, for playbooks that gather and judge in their own way."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.policy import PolicyError
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _answer, _contracts, _returned, _shapes


def _mapping(name: str, value: t.Any, shape: _shapes.Shape | None = None) -> t.Any:
    if value is not None and not isinstance(value, Mapping):
        raise AnsibleFilterError(f"{name} of kernelops.memfrag.risk must be a dictionary, not {type(value).__name__}")
    return value if value is None or shape is None else _answer.held(name, value, shape)


def risk(facts: t.Any, journal: t.Any = None, policy: t.Any = None, previous: t.Any = None) -> dict[str, t.Any]:
    if not isinstance(facts, Mapping):
        raise AnsibleFilterError(
            f"Input of kernelops.memfrag.risk must be the facts of memfrag_facts, not {type(facts).__name__}"
        )
    try:
        return assess(
            _answer.held("facts", facts, _returned.FACTS),
            _mapping("journal", journal, _contracts.JOURNAL),
            _mapping("policy", policy),
            _mapping("previous", previous, _returned.FACTS),
        )
    except PolicyError as error:
        raise AnsibleFilterError(str(error)) from error
    except _answer.AnswerError as error:
        raise AnsibleFilterError(f"Input of kernelops.memfrag.risk is {error}") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"risk": risk}
