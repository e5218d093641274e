# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long something takes is measured by a clock that nobody can set: time.time() gives dates, and two of its answers are never compared.

A clock that is set back by an hour would keep the limits and guards of a compaction from being asked for an hour.
"""

from __future__ import annotations

import ast
import pathlib

import pytest

LIBRARY = pathlib.Path(__file__).resolve().parents[3] / "plugins" / "module_utils"


def durations(source: str) -> list[int]:
    """Lines that subtract or compare two answers of time.time(), or what a function, or an object, keeps of them."""
    tree = ast.parse(source)
    kept = {name for name in dated_names(tree) if "." in name}
    found: list[int] = []
    for scope in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)] or [tree]:
        names = dated_names(scope) | kept
        for node in ast.walk(scope):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
                sides = [node.left, node.right]
            elif isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
            else:
                continue
            if all(is_dated(side, names) for side in sides):
                found.append(node.lineno)
    return found


def dated_names(scope: ast.AST) -> set[str]:
    names = {"time.time()"}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            targets, values = node.targets, [node.value] * len(node.targets)
            if isinstance(node.value, ast.Tuple) and isinstance(targets[0], ast.Tuple):
                targets, values = targets[0].elts, node.value.elts
            names |= {
                ast.unparse(target) for target, value in zip(targets, values, strict=False) if is_dated(value, names)
            }
    return names


def is_dated(node: ast.AST, names: set[str]) -> bool:
    return any(ast.unparse(part) in names for part in ast.walk(node) if isinstance(part, ast.expr))


@pytest.mark.parametrize(
    "code",
    [
        "begun = time.time()\nleft = time.time() - begun",
        "end, path = time.time() + wait, 1\nwhile time.time() < end: pass",
        "self.started = time.time()\nnow = time.time()\nif now - self.started > 1: pass",
    ],
)
def test_the_search_finds_what_it_is_for(code: str) -> None:
    assert durations(code)


def test_what_something_takes_is_not_measured_by_the_date() -> None:
    found = {str(path.relative_to(LIBRARY)): durations(path.read_text("utf-8")) for path in LIBRARY.rglob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}
