# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``remedy``: what is to become of a node after its audit."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _marks, _records, _remediation


def audited(result: t.Any) -> tuple[dict[str, t.Any] | None, str | None]:
    """What memfrag_audit returned -> the record that it has kept, or why there is none."""
    if not isinstance(result, Mapping):
        return None, "the node was not audited"
    if result.get("status") != "audited" or not isinstance(result.get("record"), str):
        return None, _remediation.sentence(result.get("msg") or "the node could not be audited")
    try:
        record = _records.load(str(result["record"]))
    except _records.RecordError as error:
        return None, _remediation.sentence(error)
    return (record, None) if record.get("assessment") else (None, "the record has no assessment")


def remedy(result: t.Any, host: t.Any, run: t.Any, trouble: t.Any = None) -> dict[str, t.Any]:
    if not isinstance(host, str) or not isinstance(run, Mapping):
        raise AnsibleFilterError(
            "kernelops.memfrag.remedy needs the name of the host and what memfrag_remediation returned"
        )
    record, why = audited(result)
    return _remediation.decide(
        str(host),
        record["assessment"] if record else None,
        record.get("facts") if record else None,
        _remediation.complaint(trouble) or why,
        reclaim=run["reclaim"],
        mark=_marks.find(run["records_dir"], str(host), run["process"]),
        can_return=bool(run["after"]),
        check_mode=run["check_mode"],
    )


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"remedy": remedy}
