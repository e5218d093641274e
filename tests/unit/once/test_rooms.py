# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports of the library go down only, in the order in which CONTRIBUTING.md has its rooms."""

from __future__ import annotations

import ast
import pathlib
import re

from ansible_collections.kernelops.memfrag.plugins.module_utils import _library

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
LIBRARY = CHECKOUT / "plugins" / "module_utils"


def rooms() -> list[list[str]]:
    """The rows of CONTRIBUTING's table: files and packages of the library, lowest first."""
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| `plugins/module_utils/` | holds |\n")[2].partition("\n\n")[0]
    return [re.findall(r"`(_[a-z_]+)(?:/|\.py)`", line.split("|")[1]) for line in table.splitlines()[1:]]


def imported(path: pathlib.Path) -> set[str]:
    """Rooms of the library that a file imports from."""
    package = ("module_utils", *path.relative_to(LIBRARY).parent.parts)
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [part for part in base if part]
            names |= {base[1]} if len(base) > 1 else {alias.name for alias in node.names}
    return names


def test_every_room_is_in_the_picture() -> None:
    there = {path.stem if path.is_file() else path.name for path in LIBRARY.glob("_*") if "cache" not in path.name}
    assert there == {name for row in rooms() for name in row}


def test_imports_go_down_only() -> None:
    level = {name: number for number, row in enumerate(rooms()) for name in row}
    upwards = [
        f"{path.relative_to(LIBRARY)} imports {name}"
        for path in sorted(LIBRARY.rglob("*.py"))
        for name in sorted(imported(path))
        if level[name] > level[path.relative_to(LIBRARY).parts[0].removesuffix(".py")]
    ]
    assert not upwards


def modules_imported(name: str) -> set[str]:
    """Modules of the library that one of them imports, also in its functions, and the packages that they are in."""
    path = LIBRARY.joinpath(*name.split("."))
    package = name.split(".") if path.is_dir() else name.split(".")[:-1]
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
    names = {".".join(name.split(".")[:-1])}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [part for part in base if part]
            for alias in node.names:
                whole = LIBRARY.joinpath(*base, alias.name)
                found = whole.is_dir() or whole.with_suffix(".py").is_file()
                names.add(".".join([*base, alias.name] if found else base))
    return names - {""}


def test_the_node_tool_is_made_of_all_that_it_imports_and_its_module_brings_it_along() -> None:
    # What its __main__ imports.
    waiting = ["_bundle", "_entry"]
    wanted = set(waiting)
    while waiting:
        new = modules_imported(waiting.pop()) - wanted
        wanted |= new
        waiting += new
    assert sorted(wanted) == sorted(_library.LIBRARY)
    # What Ansible sends to a node is what the module imports, in functions as well.
    assert {"_bundle", "_entry"} <= modules_imported("_install")
