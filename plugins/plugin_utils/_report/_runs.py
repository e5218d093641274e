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


def of(host: _types.Host, fleet: _types.Fleet) -> list[tuple[str, _types.Past | _types.Host]]:
    """The runs that a node is in, oldest first; one without a record is missing in the run that is reported on."""
    audits: list[_types.Past | _types.Host] = [*host.past, host]
    return [(run_id, each) for each in audits if (run_id := each.run_id or fleet.run_id)]


def runs(fleet: _types.Fleet) -> dict[str, datetime.datetime | None]:
    """Run -> when its first node was begun; oldest first."""
    begun: dict[str, datetime.datetime | None] = {}
    for host in fleet.hosts:
        for run_id, each in of(host, fleet):
            first = begun.setdefault(run_id, each.time)
            if each.time and (first is None or each.time < first):
                begun[run_id] = each.time
    earliest = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
    return dict(sorted(begun.items(), key=lambda run: (run[1] or earliest, run[0])))


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
    newest, begun = fleet.finished, runs(fleet)
    if len(begun) < 2 or newest is None:
        return None

    def age(time: datetime.datetime | None) -> int:
        return int((newest - time).total_seconds()) if time else -1

    numbers = {run_id: number for number, run_id in enumerate(begun)}
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
        "runs": [[run_id, age(time)] for run_id, time in begun.items()],
        "nodes": [nodes[row] for row in range(len(fleet.hosts))],
        "remedies": remedies,
        "titles": titles,
    }
