# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``remedy_outcome``: what a node came to, by what it answered and by its second audit."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.kernelops.memfrag.plugins.filter.remedy import audited
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _remediation


def remedy_outcome(
    remedy: t.Any,
    asked: t.Any = None,
    compaction: t.Any = None,
    audit: t.Any = None,
    trouble: t.Any = None,
    check_mode: bool = False,
) -> dict[str, t.Any]:
    if not isinstance(remedy, Mapping) or "outcome" not in remedy:
        raise AnsibleFilterError(
            f"Input of kernelops.memfrag.remedy_outcome must come from kernelops.memfrag.remedy, not {type(remedy).__name__}"
        )
    if asked is not None:
        return _remediation.asked(remedy, asked)
    record, why = audited(audit) if audit is not None else (None, None)
    return _remediation.outcome(
        remedy,
        compaction,
        record["assessment"] if record else None,
        why,
        _remediation.complaint(trouble),
        bool(check_mode),
    )


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"remedy_outcome": remedy_outcome}
