# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the catalogue of findings, docs/docsite/rst/findings_guide.rst, from the tables that the assessment uses.

usage: python tests/tools/findings_guide.py > docs/docsite/rst/findings_guide.rst
"""

from __future__ import annotations

import json
import os
import sys
import typing as t

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

HEAD = """\
..
  Copyright (c) 2026, The kernelops.memfrag authors
  GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

  Made by tests/tools/findings_guide.py from the tables of the assessment; a test compares the two.

.. _ansible_collections.kernelops.memfrag.docsite.findings_guide:

The assessment and its findings
===============================

An assessment is a list of findings. Each has an id that stays the same, a severity, a sentence with the numbers of the node, the
evidence, a command to run and, where there is one, the variable of the tuning role that mends it for good.

.. contents::
   :local:
   :depth: 1

Level and score
---------------

The level is that of the worst finding: ``critical``, ``high``, ``medium``, ``unknown`` or ``low``. Findings of severity ``info`` do not
count, and without any other the level is ``low``. ``unknown`` outranks ``low``: not knowing is no reason for calm.

The score is for ranking. Take the base of the worst finding, add the weight of each other finding, and do not go beyond the limit:

"""

ORDERS = """
Which orders count
------------------

An order counts because something on this kernel asks for it. Sizes are in bytes and become orders by the page size of the node.

* 32 kB: requests up to this size may not fail. The kernel reclaims, compacts and in the end kills processes for them. Needed.
* What consumers of this kernel need for certain: one connection tracking cache per network namespace and the array of the memory
  cgroups that comes with it, kernel stacks without ``CONFIG_VMAP_STACK``, the queues of veth pairs. Needed.
* 64 kB: drivers and core dumps. Wanted.
* 128 kB and 256 kB: containers on kernels that could not be identified. Wanted where container runtimes or several network namespaces
  are seen, or where nothing tells whether there are any: then they are an assumption, and ``needed_by`` of the evidence says so.
* Huge pages: MF306, of severity ``low`` where the machine uses them.

What counts is how many blocks ordinary kernel requests could still take, within the watermarks, from the zones that serve them. With
none left of a needed order the finding is ``critical``, with fewer than ``spare_blocks`` it is ``high``. Wanted orders are ``high`` with
none left, and ``medium`` for 128 kB and 256 kB on a kernel or machine that is known not to need them.

How many are enough is a matter of bytes, and of the machine: ``spare_blocks`` speaks of blocks of 256 kB on a machine of 4 to 16 GiB. It
is half as many at half the memory below that, twice as many at four times the memory above it (four times as many at the most), and of
smaller blocks as many more as they are smaller. A wanted order with fewer is ``medium``, with fewer than twice as many ``low``; a needed
one ``medium``; one that is only assumed ``medium`` with a quarter, ``low`` with fewer.

Without ``/proc/zoneinfo`` the watermarks are estimated, as the kernel computes them for this memory, and the evidence says so. Without
the migratetypes the largest blocks of a zone, up to two pageblocks, count as its reserve on kernels that have one, or may have: a single
block of the largest order is no supply.

``target_orders`` of the policy replaces all of this: its orders are needed, and no other.

What would help
---------------

The ``remediation`` of an assessment is one of ``none``, ``compact``, ``reclaim_then_compact``, ``add_memory`` and ``drain_and_reboot``, with a
reason and ``will_help``: ``true``, ``false``, or ``null`` where that cannot be told. Compaction moves pages into free pages of movable
pageblocks. Where there are none, it will not help, and the assessment says so.

Where the pageblocks were surveyed (subset ``pageblocks`` of the facts, ``memfrag_pageblocks: true`` of the audit), this is measured and not
inferred: ``blocks`` of the remediation has how many blocks of the order a compaction leaves free (``low``, ``expected``, ``high``; the survey
of a sample is an estimate). ``will_help`` is ``true`` where as many as are lacking are sure, or where they are expected and more than next to
nothing: a tenth of what is free in smaller blocks. It is ``false`` where what a compaction moves makes fewer even at the most, or next to
nothing (``high`` also counts what per-cpu lists hold up, for which nobody need compact). Then the reason names who stands
in the way and what moves them. MF307 to MF312 say who holds the pageblocks.

An action fits the level: of a node whose level is ``low`` only what is sure to help is advised, and otherwise ``none``.

The policy
----------

``memfrag_policy`` is a dictionary, of the inventory or of a play. Group and host variables make it differ within a fleet.
Unknown keys are errors.

.. code-block:: yaml

   memfrag_policy:
     target_orders: [5, 6]
     spare_blocks: 64
     ignore:
       MF504: decided by the platform team in 2026

"""


def rows(widths: list[int], lines: list[list[str]]) -> str:
    rule = "  ".join("=" * width for width in widths)
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([rule, text[0], rule, *text[1:], rule]) + "\n"


def table(lines: list[list[str]]) -> str:
    return rows([max(len(line[column]) for line in lines) for column in range(len(lines[0]))], lines)


LABEL = "ansible_collections.kernelops.memfrag.docsite.runbook_"

FINDINGS = """
The findings
------------

What each means, how to be sure, what to do and how to undo it is in the runbook:

"""

SENSITIVITY = """
What the rules do
-----------------

Measured by ``tests/tools/sensitivity.py`` on machines whose condition is known otherwise: captures of kernels that were fragmented on
purpose, snapshots of machines that a reader has judged, and the memory state in kernel reports whose cause is known. Each number is
machines. A change of a threshold shows here what it does; ``spare_blocks`` at half and at twice its default shows how near the levels are
to tipping.

"""

RULES = """
How often each finding came up, of any severity but ``info``, on machines that are well and on machines that are fragmented:

"""

LEVELS = ("low", "unknown", "medium", "high", "critical")


def sensitivity(measured: dict[str, t.Any]) -> str:
    """The tables of tests/fixtures/sensitivity.json."""
    levels = [["Machines", "Condition", "Number", "Policy", *LEVELS]]
    for name, conditions in sorted(measured.items()):
        for condition, row in sorted(conditions.items()):
            for variant, counted in row["levels"].items():
                cells = [str(counted.get(level, 0) or "-") for level in LEVELS]
                levels.append([name, condition, str(row["machines"]), variant, *cells])
    columns = [(name, condition) for name in sorted(measured) for condition in ("healthy", "fragmented")]
    columns = [(name, condition) for name, condition in columns if condition in measured[name]]
    rules = [["Finding", *(f"{name}, {condition}" for name, condition in columns)]]
    found = sorted({ident for name, condition in columns for ident in measured[name][condition]["rules"]})
    for ident in found:
        counts = []
        for name, condition in columns:
            severities = measured[name][condition]["rules"].get(ident, {})
            number = sum(count for severity, count in severities.items() if severity != "info")
            counts.append(f"{number} of {measured[name][condition]['machines']}" if number else "-")
        if set(counts) != {"-"}:
            rules.append([ident, *counts])
    return SENSITIVITY + table(levels) + RULES + table(rules)


def guide(catalogue: t.Any, policy: t.Any, score: t.Any, measured: dict[str, t.Any]) -> str:
    """The whole page, from the modules of the assessment and what was measured of it."""
    parts = [HEAD]
    severities = [["Worst finding", "Base", "Weight of another", "Limit"]]
    for severity in reversed(catalogue.SEVERITIES):
        severities.append(
            [severity, str(score.BASE[severity]), str(score.WEIGHT[severity]), str(score.HIGHEST[severity])]
        )
    parts += [table(severities), ORDERS]
    keys = [["Key", "Default", "Range", "Meaning"]]
    for name, (default, smallest, largest, meaning) in policy.NUMBERS.items():
        keys.append([f"``{name}``", str(default), f"{smallest} to {largest}", meaning])
    keys.append(
        [
            "``target_orders``",
            "derived",
            f"0 to {policy.LARGEST_ORDER}",
            "list of the orders that are needed, and no other",
        ]
    )
    keys.append(["``ignore``", "{}", "", "ids of findings to leave out, each with a reason"])
    parts.append(table(keys))
    parts.append(FINDINGS)
    catalogued = [["Finding", "What it is about"]]
    for ident, known in sorted(catalogue.FINDINGS.items()):
        catalogued.append([f":ref:`{ident} <{LABEL}{ident.lower()}>`", known.about])
    parts.append(table(catalogued))
    parts.append(sensitivity(measured))
    return "".join(parts)


def measurements() -> dict[str, t.Any]:
    with open(os.path.join(ROOT, "tests", "fixtures", "sensitivity.json"), encoding="utf-8") as stream:
        return dict(json.load(stream))


def main() -> None:
    namespace = os.path.dirname(os.path.dirname(os.path.dirname(ROOT)))
    sys.path.insert(0, os.environ.get("ANSIBLE_COLLECTIONS_PATH", namespace).split(":")[0])
    from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue, policy, score

    sys.stdout.write(guide(catalogue, policy, score, measurements()))


if __name__ == "__main__":
    main()
