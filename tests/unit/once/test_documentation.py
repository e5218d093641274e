# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation within plugins can be read, which ansible-doc and the sanity tests would say minutes later."""

from __future__ import annotations

import ast
import pathlib
import typing as t

import pytest
import yaml

PLUGINS = pathlib.Path(__file__).resolve().parents[3] / "plugins"
NAMES = ("DOCUMENTATION", "EXAMPLES", "RETURN")
# What ansible-doc puts before a line of an example, in a terminal of 80 columns.
EXAMPLE_WIDTH = 76
YAML_FILES = sorted(path for kind in ("filter", "test") for path in (PLUGINS / kind).glob("*.yml"))
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


def parsed(path: pathlib.Path) -> dict[str, t.Any]:
    """DOCUMENTATION as data, EXAMPLES as text."""
    if path.suffix == ".yml":
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    found = documents(path)
    return {"DOCUMENTATION": yaml.safe_load(found["DOCUMENTATION"]), "EXAMPLES": found["EXAMPLES"]}


PLUGIN_FILES = [path for path in FILES if path.parent.name == "modules"] + YAML_FILES


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=lambda path: path.stem)
def test_a_plugin_reads_well_in_80_columns_and_names_its_neighbours(path: pathlib.Path) -> None:
    found = parsed(path)
    for line in found["EXAMPLES"].splitlines():
        assert len(line) <= EXAMPLE_WIDTH, line
    neighbours = [each.get("module") or each.get("plugin") or "" for each in found["DOCUMENTATION"]["seealso"]]
    ours = {name.rpartition(".")[2] for name in neighbours if name.startswith("kernelops.memfrag.")}
    assert ours and path.stem not in ours
    assert ours <= {each.stem for each in PLUGIN_FILES} | {each.name for each in (PLUGINS.parent / "roles").iterdir()}
