# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ansible-core is tested on which Python, and what each of them leaves out, since another one has done it."""

from __future__ import annotations

import os
from pathlib import Path

import interpreters
from paths import ROOT

PYTHONS = list(interpreters.find())

# ansible-core -> the Pythons that its controller runs on, and those that only its nodes may have; all oldest first.
CORES = {
    "2.16": (["3.10", "3.11", "3.12"], ["2.7", "3.6", "3.7", "3.8", "3.9"]),
    "2.19": (["3.11", "3.12", "3.13"], ["3.8", "3.9", "3.10"]),
    "2.21": (["3.12", "3.13", "3.14"], ["3.9", "3.10", "3.11"]),
}
# Tests that say the same on every Python: the newest ansible-core runs them.
ONCE = "tests/unit/once/"
# What 2.16 is there for: nodes with these.
OLD_TARGETS = ["2.7", "3.6"]
# The longest that hardly depend on the ansible-core: one that is not the newest has them with EVERY_PYTHON alone. Integration targets;
# and static checks, of which a newer pylint knows all that an older one does.
LONG_TARGETS = ["role_monitoring", "playbook_loop"]
LONG_CHECKS = ["pylint"]


def first(wanted: list[str]) -> str:
    """The first of the ``wanted`` Pythons that is here; without one nox says that the first is missing."""
    return next((python for python in wanted if python in PYTHONS), wanted[0])


def here(pythons: list[str]) -> list[str]:
    return [python for python in pythons if python in PYTHONS]


def newest_core() -> str:
    """The newest ansible-core that one of the Pythons here can run."""
    able = [core for core in CORES if here(CORES[core][0])]
    return able[-1] if able else list(CORES)[-1]


def requirement(core: str) -> str:
    """For pip: its newest release."""
    return f"ansible-core~={core}.0"


def for_units(core: str) -> tuple[list[str], list[str]]:
    """-> (Pythons for all unit tests, those for what differs from one Python or ansible-core to the next), each oldest first.

    A Python is for the oldest ansible-core that supports it, and the newest of each ansible-core is for that as well. All tests are
    for the oldest and the newest of all, whose language and library differ most; with EVERY_PYTHON for each of them.
    """
    older = [python for other in list(CORES)[: list(CORES).index(core)] for python in sum(CORES[other], [])]
    controller, target = CORES[core]
    new = [python for python in here(target + controller) if python not in older]
    both = new + [python for python in here(controller)[-1:] if python not in new]
    ends = [*OLD_TARGETS, *PYTHONS[-1:]]
    whole = both if os.environ.get("EVERY_PYTHON") else [python for python in new if python in ends]
    return whole, [python for python in both if python not in whole]


def repeated(option: str, values: list[str]) -> list[str]:
    return [argument for value in values for argument in (option, value)]


def unless_newest(core: str, option: str, values: list[str]) -> list[str]:
    """What the newest ansible-core alone does, for one that is older to leave out; with EVERY_PYTHON each does all."""
    return [] if core == newest_core() or os.environ.get("EVERY_PYTHON") else repeated(option, values)


def most_of_the_library() -> list[str]:
    """Its tests, but for those of parsers and facts. The library does without Ansible."""
    folder = Path("tests", "unit", "plugins", "module_utils")
    tests = {path.relative_to(ROOT / folder).parts[0] for path in (ROOT / folder).rglob("test_*.py")}
    return [
        f"{folder / name}{'' if name.endswith('.py') else '/'}"
        for name in sorted(tests - {"_procfs", "test__facts.py"})
    ]


def not_for(python: str) -> list[str]:
    """Integration targets that say in their aliases that they skip this Python.

    ansible-test by itself compares that with the Python of the controller when the target is the same host (PosixTargetFilter).
    """
    aliases = sorted(ROOT.glob("tests/integration/targets/*/aliases"))
    return [path.parent.name for path in aliases if f"skip/python{python}" in path.read_text().splitlines()]
