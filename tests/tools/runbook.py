# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the runbook anew, docs/docsite/rst/runbook_{findings,alerts}.rst, one section per finding and per alert.

usage: python tests/tools/runbook.py

What each means and which command helps comes from the catalogue of findings and from the rules of the alerts; how to be sure, what to do and
how to undo it from docs/runbook. ValueError where a finding or an alert has no entry there, or an entry is about none.
"""

from __future__ import annotations

import pathlib
import sys
import textwrap
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ROOT / "docs" / "runbook"
PAGES = ROOT / "docs" / "docsite" / "rst"
FORM = {"means", "finding", "sure", "look", "exits", "do", "act", "undo"}
NEEDED = {"sure", "do", "undo"}
LABEL = "ansible_collections.kernelops.memfrag.docsite.runbook_"

HEAD = """\
..
  Copyright (c) 2026, The kernelops.memfrag authors
  GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

  Made by tests/tools/runbook.py from docs/runbook and the tables of the collection; a test compares the two.

.. _ansible_collections.kernelops.memfrag.docsite.{name}:

{title}
{rule}

{words}

.. contents::
   :local:
   :depth: {depth}
"""

FINDINGS = """\
For each finding of the assessment: what it means, how to be sure, what to do, and how to undo that. Commands after ``#`` are typed on the node, as root;
those after ``$`` on the controller, and ``node17`` stands for the node. What the report shows for a finding is the command under *First aid*, or
the one that suits the node. Levels, scores and the policy are in
:ref:`the assessment and its findings <ansible_collections.kernelops.memfrag.docsite.findings_guide>`."""

ALERTS = """\
For each alert of ``roles/memfrag_monitoring``: what it means, how to be sure, what to do, and how to undo that. The links of the alerts lead here. How they
come about is in :ref:`the guide to monitoring <ansible_collections.kernelops.memfrag.docsite.monitoring_guide>`. Commands after ``#`` are typed on the
node, as root; those after ``$`` on the controller, and ``node17`` stands for the node."""

FAMILIES = {
    "MF1": "What failed",
    "MF2": "What cannot be allocated now",
    "MF3": "What is heading there",
    "MF4": "What feeds it",
    "MF5": "What is configured against it",
    "MF6": "Kernels that are known for it",
    "MF7": "What is to come if it goes on like this",
    "MF9": "What is not known",
}

_LEVELS = ("critical", "warning", "info")

# Part of a command -> why the documentation's tests do not run it.
NOT_RUN = {
    "reboot": "it reboots the machine",
    "grubby": "it changes how the machine boots",
    "nodeN": "N stands for a NUMA node",
    "memfrag watch": "it wants a kernel whose tracefs can be written to",
}


def words(name: str, known: t.Iterable[str]) -> dict[str, dict[str, t.Any]]:
    """The entries of docs/runbook/NAME.yml, one for each that is ``known`` and no other."""
    entries = yaml.safe_load((WORDS / f"{name}.yml").read_text(encoding="utf-8"))
    if set(entries) != set(known):
        raise ValueError(
            f"docs/runbook/{name}.yml: {', '.join(sorted(set(entries) ^ set(known)))} is missing, or is none"
        )
    for ident, entry in entries.items():
        if not NEEDED <= set(entry) <= FORM:
            raise ValueError(f"docs/runbook/{name}.yml: {ident}: {', '.join(sorted(set(entry) ^ NEEDED))}")
    return dict(entries)


def paragraph(text: str) -> str:
    return "\n" + textwrap.fill(" ".join(text.split()), 150, break_long_words=False, break_on_hyphens=False) + "\n"


def code(commands: str, language: str, exits: object = None) -> str:
    """A block, with what a test has to know of it."""
    marks = [f".. not run: {why}\n" for part, why in NOT_RUN.items() if part in commands][:1]
    if exits is not None and not marks:
        marks = [f".. exits: {exits}\n"]
    return f"\n{''.join(marks)}.. code-block:: {language}\n\n{textwrap.indent(commands.strip(), '   ')}\n"


def section(ident: str, mark: str) -> str:
    return f"\n{ident}\n{mark * len(ident)}\n"


def sure_do_undo(entry: dict[str, t.Any], first_aid: str = "", after: str = "") -> str:
    parts = [paragraph(f"**How to be sure.** {entry['sure']}")]
    if "look" in entry:
        parts.append(code(entry["look"], "console", entry.get("exits")))
    parts.append(paragraph(f"**What to do.** {entry['do']}"))
    if "act" in entry:
        parts.append(code(entry["act"], "console"))
    parts += [first_aid, paragraph(f"**How to undo it.** {entry['undo']}"), after]
    return "".join(parts)


def findings(catalogue: t.Any) -> str:
    title = "Runbook: the findings"
    parts = [HEAD.format(name="runbook_findings", title=title, rule="=" * len(title), words=FINDINGS, depth=2)]
    family = None
    entries = words("findings", catalogue.FINDINGS)
    for ident, known in sorted(catalogue.FINDINGS.items()):
        if ident[:3] != family:
            family = ident[:3]
            parts.append(section(FAMILIES[family], "-"))
        # The heading is the id alone, so that its anchor is what the findings link to.
        parts.append(f"\n.. _{LABEL}{ident.lower()}:\n" + section(ident, "^"))
        parts.append(paragraph(f"**{known.about}.** {known.meaning}"))
        # A machine may have nothing of what is looked for.
        aid = "\n**First aid**, by hand on the node:\n" + code(known.remedy, "shell", "0 1 2")
        for (name, kind), command in catalogue.REMEDY_OF_KIND.items():
            if name == ident:
                aid += f"\nWhere it is {kind}:\n" + code(command, "shell", "0 1 2")
        if known.variable:
            aid += f"\nFor good: ``{known.variable}`` of the role ``memfrag_tuning``.\n"
        silence = f"\n**Silence it** with ``ignore: {{{ident}: <reason>}}`` in ``memfrag_policy``.\n"
        parts.append(sure_do_undo(entries[ident], aid, silence))
    return "".join(parts)


def alerts(groups: t.Mapping[str, t.Any], others: t.Iterable[str]) -> str:
    """``others`` are alerts that no rule of ours raises."""
    title = "Runbook: the alerts"
    parts = [HEAD.format(name="runbook_alerts", title=title, rule="=" * len(title), words=ALERTS, depth=1)]
    rules: dict[str, list[t.Any]] = {}
    for group in groups.values():
        for rule in group.rules:
            rules.setdefault(rule.name, []).append(rule)
    rules.update({name: [] for name in others})
    entries = words("alerts", rules)
    for name, known in rules.items():
        entry = entries[name]
        parts.append(section(name, "-"))
        parts.append(paragraph(f"**What it means.** {entry['means']}"))
        waits = {f"``{rule.labels['severity']}`` {f'after {rule.wait}' if rule.wait else 'at once'}" for rule in known}
        said = sorted(waits, key=lambda text: [text.startswith(f"``{level}") for level in _LEVELS], reverse=True)
        if said:
            parts.append(paragraph(f"Severity: {', '.join(said)}."))
        finding = entry.get("finding")
        after = f"\nThe finding behind it: :ref:`{finding} <{LABEL}{finding.lower()}>`.\n" if finding else ""
        parts.append(sure_do_undo(entry, after=after))
    return "".join(parts)


def pages() -> dict[str, str]:
    """-> {file name: text}"""
    import environment

    sys.path.insert(0, str(environment.collections()))
    from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue
    from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _loop
    from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _alerts

    return {"runbook_findings.rst": findings(catalogue), "runbook_alerts.rst": alerts(_alerts.groups(), _loop.ALERTS)}


if __name__ == "__main__":
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")
        print(PAGES / name)
