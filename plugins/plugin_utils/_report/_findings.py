# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Findings across the fleet: which nodes have each, and what helps them."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import Finding, Host, Record


class Findings:
    """Takes the findings of one node after the other."""

    def __init__(self, same: Callable[[t.Any], str]) -> None:
        self._same = same
        self._by_id: dict[str, Finding] = {}
        self._rank: dict[str, tuple[t.Any, ...]] = {}

    def add(self, host: Host, found: Sequence[Record]) -> None:
        rank = host.rank if found else ()
        for finding in found:
            name = _words.text(finding["id"], 40)
            known = self._by_id.get(name)
            if known is None or rank < self._rank[name]:
                known = self._by_id[name] = _finding(name, finding, known)
                self._rank[name] = rank
            if known.hosts[-1:] != [host.name]:
                known.hosts.append(host.name)
                remedy = (host.action or "none", host.will_help, self._same(finding.get("remedy") or ""))
                known.remedies.setdefault(remedy, []).append(host.name)

    def ranked(self, hosts: Iterable[Host]) -> list[Finding]:
        """Gravest first, then the most frequent; their nodes in the order of ``hosts``."""
        places = {host.name: place for place, host in enumerate(hosts)}
        for finding in self._by_id.values():
            finding.hosts.sort(key=places.__getitem__)
            for names in finding.remedies.values():
                names.sort(key=places.__getitem__)
        return sorted(
            self._by_id.values(), key=lambda found: (severity_rank(found.severity), -len(found.hosts), found.id)
        )


def severity_rank(severity: str) -> int:
    """Gravest first."""
    known = catalogue.SEVERITIES
    return -known.index(severity) if severity in known else len(known)


def _finding(name: str, finding: Record, before: Finding | None) -> Finding:
    """Title, meaning, remedy and link of the catalogue; of a finding that is not in it the title alone: commands come from here."""
    known = catalogue.FINDINGS.get(name)
    return Finding(
        id=name,
        severity=_words.text(finding.get("severity"), 20),
        title=known.about if known else _words.text(finding.get("title"), 400),
        meaning=known.meaning if known else "",
        variable=_words.text(finding.get("variable"), 100),
        docs=_words.text(finding.get("docs"), 400),
        hosts=before.hosts if before else [],
        remedies=before.remedies if before else {},
    )
