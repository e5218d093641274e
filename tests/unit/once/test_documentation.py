# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation within plugins can be read, which ansible-doc and the sanity tests would say minutes later."""

from __future__ import annotations

import ast
import pathlib

import pytest
import yaml

PLUGINS = pathlib.Path(__file__).resolve().parents[3] / "plugins"
NAMES = ("DOCUMENTATION", "EXAMPLES", "RETURN")
FILES = sorted(path for kind in ("modules", "action", "doc_fragments") for path in (PLUGINS / kind).glob("*.py"))


def documents(path: pathlib.Path) -> dict[str, str]:
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            (target,) = node.targets
            if isinstance(target, ast.Name) and target.id in NAMES:
                found[target.id] = str(node.value.value)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_documentation_is_yaml(path: pathlib.Path) -> None:
    found = documents(path)
    assert path.parent.name != "modules" or found.keys() == set(NAMES)
    for name, text in found.items():
        assert yaml.safe_load(text), name
        for number, line in enumerate(text.splitlines(), 1):
            assert line == line.rstrip(), f"{name}, line {number}"
