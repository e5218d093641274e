# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import pathlib
import typing as t

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


def tool() -> t.Any:
    spec = importlib.util.spec_from_file_location("docs_site", TOOLS / "docs_site.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_that_lead_nowhere_are_found(tmp_path: pathlib.Path) -> None:
    repository = tool().REPOSITORY
    dead = [
        "b.html",
        "#nowhere",
        "a.html#nowhere",
        f"{repository}blob/main/NOWHERE.md",
        f"{repository}blob/main/README.md#nowhere",
    ]
    alive = [
        "index.html",
        "#here",
        "a.html#there",
        f"{repository}blob/main/README.md#five-minutes",
        "https://example.org/x",
    ]
    links = "".join(f'<a href="{link}">x</a>' for link in dead + alive)
    (tmp_path / "index.html").write_text(f'<h1 id="here">x</h1>{links}')
    (tmp_path / "a.html").write_text('<h1 id="there">x</h1>')
    assert tool().dead_links(tmp_path) == sorted(f"index.html: {link}" for link in dead)


def test_markdown_leads_somewhere() -> None:
    assert tool().dead_links_of_markdown() == []


def test_a_page_has_every_field_of_a_schema() -> None:
    inner = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"enum": ["x", "y"]}},
    }
    schema = {
        "type": "object",
        "properties": {"list": {"type": "array", "items": inner}, "map": {"additionalProperties": {"type": "string"}}},
    }
    assert [(path, needed) for path, _kind, _limits, needed in tool().fields(schema, "")] == [
        ("list", False),
        ("list[].a", True),
        ("list[].b", False),
        ("map", False),
        ("map.{}", False),
    ]
    page = tool().schema_page("it", "About it.", schema)
    assert "``list[].a`` (needed)\n     - integer\n     - 0 to \n" in page and '``"x"``, ``"y"``' in page
