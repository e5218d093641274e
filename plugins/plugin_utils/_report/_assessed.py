# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The assessment of a record: its own, or one that is made for it; commands and links are ours either way."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import Record

Assess = Callable[[t.Any, t.Any], t.Any]


class Assessor:
    """Assesses what is not assessed yet.

    assess    facts, journal -> assessment; for records without one, and with a policy for those assessed by another
    """

    def __init__(self, assess: Assess | None, policy: Mapping[str, t.Any] | None) -> None:
        self.assess = assess
        self.policy = policy

    def assessment(self, record: Record) -> t.Any:
        facts = record.get("facts")
        if facts is not None and self.assess is not None and not self.is_assessed(record):
            record["assessment"] = self.assess(facts, record.get("journal"))
        kept = record.get("assessment")
        return _own_words(kept) if kept else kept

    def is_assessed(self, record: Record) -> bool:
        """By the policy that is asked for, where one is."""
        kept = record.get("assessment")
        return kept is not None and (self.policy is None or kept.get("policy") == self.policy)


def _own_words(assessment: Record) -> Record:
    """The assessment with the commands and links of our own catalogue, whatever the record has in their place."""
    remediation = assessment.get("remediation") or {}
    action, will_help = remediation.get("action"), remediation.get("will_help")
    for finding in assessment["findings"] + (assessment.get("ignored") or []):
        known = catalogue.FINDINGS.get(finding["id"])
        finding["remedy"] = catalogue.remedy_of(finding["id"], action, will_help, finding.get("evidence"))
        finding["variable"] = known.variable if known else None
        finding["docs"] = f"{catalogue.DOCS}#{finding['id'].lower()}" if known else None
    return assessment
