# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What the page compares any two runs by: the answers and findings of each node in each run, and what was done to it in between."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _types


def data(
    fleet: _types.Fleet, strings: t.Callable[[str], int], lists: t.Callable[[t.Any], int]
) -> dict[str, t.Any] | None:
    """None where there is a single run. Times are seconds before the newest record, -1 where they are not known.

    strings, lists    a text, or a list -> its number in the table

    runs       [[run id, begun]], oldest first
    nodes      row -> [its run now, for each of its earlier runs, oldest first: run, answers, findings]
    remedies   row -> [[time, action, outcome, reason]], oldest first
    titles     finding -> its title, of those that earlier runs had
    """
    newest = fleet.finished
    begun: dict[str, datetime.datetime | None] = {}
    for host in fleet.hosts:
        audits: list[_types.Past | _types.Host] = [*host.past, host]
        for each in audits:
            if each.run_id:
                before = begun.get(each.run_id)
                begun[each.run_id] = min(filter(None, (before, each.time)), default=None)
    if len(begun) < 2 or newest is None:
        return None

    def age(time: datetime.datetime | None) -> int:
        return int((newest - time).total_seconds()) if time else -1

    earliest = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
    ordered = sorted(begun, key=lambda run_id: (begun[run_id] or earliest, run_id))
    numbers = {run_id: number for number, run_id in enumerate(ordered)}
    nodes, remedies = {}, {}
    for row, host in enumerate(fleet.hosts):
        flat = [numbers.get(host.run_id, -1)]
        for past in host.past:
            flat += [numbers[past.run_id], strings(past.states), lists(past.findings)]
        nodes[row] = flat
        if host.remedies:
            remedies[row] = [[age(each.time), each.action, each.outcome, each.reason] for each in host.remedies]
    seen = {name for host in fleet.hosts for past in host.past for name in past.findings}
    titles = {name: catalogue.FINDINGS[name].about if name in catalogue.FINDINGS else name for name in sorted(seen)}
    return {
        "runs": [[run_id, age(begun[run_id])] for run_id in ordered],
        "nodes": [nodes[row] for row in range(len(fleet.hosts))],
        "remedies": remedies,
        "titles": titles,
    }
