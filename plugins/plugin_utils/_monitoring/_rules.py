# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Rule files of Prometheus: what a rule and a group are, and their YAML, laid out for people who read it."""

from __future__ import annotations

import json
import textwrap
import typing as t

# Of the orders node_exporter may list: 11 on most machines, 12 and 14 with pages of 16 and 64 kB (arm64), 17 on ia64
# (CONFIG_ARCH_FORCE_MAX_ORDER). A rule for an order that a kernel does not have records nothing.
ORDERS = range(20)

_WIDTH = 130

_HEAD = """\
# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Made by tests/tools/monitoring_files.py; a test compares the two.
"""


class Rule(t.NamedTuple):
    """A recording rule, or with ``annotations`` an alert. ``wait`` is its "for"."""

    name: str
    expression: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    wait: str = ""
    why: str = ""


class Group(t.NamedTuple):
    name: str
    rules: list[Rule]
    interval: str = ""


def render(words: str, groups: t.Iterable[Group]) -> str:
    """The text of a rule file. ``words`` say at its top what it is."""
    lines = [
        _HEAD
        + "".join(f"#\n# {line}\n" if number == 0 else f"# {line}\n" for number, line in enumerate(words.splitlines()))
        + "---\ngroups:"
    ]
    for group in groups:
        lines.append(f"  - name: {group.name}")
        if group.interval:
            lines.append(f"    interval: {group.interval}")
        lines.append("    rules:")
        for rule in group.rules:
            lines += _rule(rule)
    return "\n".join(lines) + "\n"


def _rule(rule: Rule) -> t.Iterator[str]:
    for line in rule.why.splitlines():
        yield f"      # {line}"
    yield f"      - {'alert' if rule.annotations else 'record'}: {rule.name}"
    if "\n" in rule.expression:
        yield "        expr: |-"
        for line in rule.expression.splitlines():
            yield f"          {line}"
    else:
        yield f"        expr: {_text(rule.expression)}"
    if rule.wait:
        yield f"        for: {rule.wait}"
    for title, pairs in (("labels", rule.labels), ("annotations", rule.annotations)):
        if pairs:
            yield f"        {title}:"
            for name, value in pairs.items():
                yield from _pair(name, value)


def _pair(name: str, value: str) -> t.Iterator[str]:
    if len(value) <= _WIDTH:
        yield f"          {name}: {_text(value)}"
        return
    # Folded: YAML puts a space in the place of each line break.
    yield f"          {name}: >-"
    for line in textwrap.wrap(value, _WIDTH, break_long_words=False, break_on_hyphens=False):
        yield f"            {line}"


def _text(text: str) -> str:
    """As YAML reads it: JSON's strings are YAML's."""
    return json.dumps(text, ensure_ascii=False)
