# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a site of the collection's documentation: a landing page, the architecture, the contracts, the example of the report.

``furnish(rst, extra)`` puts them beside the pages that antsibull-docs has made. ``dead_links(html)`` follows every link of the site that
does not leave it, and those into this repository; ``dead_links_of_markdown()`` those of the Markdown files.
"""

from __future__ import annotations

import html.parser
import json
import re
import shutil
import typing as t
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "site"
REPORT = ROOT / "docs" / "examples" / "report"
REPOSITORY = "https://github.com/kernelops/kernelops.memfrag/"

SCHEMAS = {
    "facts": (ROOT / "docs" / "contracts" / "facts.schema.json", "What a node's memory can still do."),
    "journal": (ROOT / "docs" / "contracts" / "journal.schema.json", "What the logs say has failed, and why."),
    "assessment": (
        ROOT / "docs" / "contracts" / "assessment.schema.json",
        "How a node is judged, and what would help.",
    ),
    "record": (ROOT / "docs" / "contracts" / "record.schema.json", "One host in one run, a file."),
    "report": (ROOT / "docs" / "report.schema.json", "``report.json``, the fleet."),
}


# --- pages ------------------------------------------------------------------------------------------------------------


def furnish(rst: Path, extra: Path) -> None:
    """``extra`` is what Sphinx copies into the site as it is."""
    # The collection's own page makes room for the landing page.
    (rst / "index.rst").rename(rst / "collection.rst")
    for path in SITE.iterdir():
        shutil.copy(path, rst)
    contracts = rst / "contracts"
    contracts.mkdir()
    (extra / "contracts").mkdir(parents=True)
    for name, (path, about) in SCHEMAS.items():
        (contracts / f"{name}.rst").write_text(schema_page(name, about, json.loads(path.read_text(encoding="utf-8"))))
        shutil.copy(path, extra / "contracts" / f"{name}.schema.json")
    (contracts / "index.rst").write_text(contracts_page((ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")))
    (extra / "report").mkdir()
    for path in REPORT.iterdir():
        if path.suffix in (".html", ".json", ".csv", ".prom"):
            shutil.copy(path, extra / "report")


def titled(title: str, mark: str = "=") -> str:
    return f"{title}\n{mark * len(title)}\n\n"


def contracts_page(markdown: str) -> str:
    """docs/contracts.md as the page above the schemas."""
    text = markdown.partition("-->\n")[2].strip() + "\n"
    before, _bar, rest = text.partition("\n| contract |")
    after = rest.partition("\n\n")[2]
    listed = "".join(f"* :doc:`{name}`: {about}\n" for name, (_path, about) in SCHEMAS.items())
    toctree = ".. toctree::\n   :hidden:\n\n" + "".join(f"   {name}\n" for name in SCHEMAS)
    return _as_rst(f"{before}\n\n") + listed + "\n" + toctree + "\n" + _as_rst(after)


def _as_rst(markdown: str) -> str:
    """Headings, code and links of the little Markdown that the page has."""
    text = re.sub(
        r"^(#+) (.+)$", lambda m: titled(m[2], "=-"[len(m[1]) > 1]).rstrip("\n"), markdown, flags=re.MULTILINE
    )
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)


def schema_page(name: str, about: str, schema: dict[str, t.Any]) -> str:
    head = titled(f"Contract: {name}")
    head += f"{about} `The schema <{name}.schema.json>`__ is JSON Schema 2020-12; this page is made from it.\n\n"
    rows = [
        ".. list-table::\n   :header-rows: 1\n   :widths: 45 25 30\n\n   * - Field\n     - What it is\n     - Limits\n"
    ]
    for field, kind, limits, needed in fields(schema, ""):
        rows.append(f"   * - ``{field}``{' (needed)' if needed else ''}\n     - {kind}\n     - {limits}\n")
    return head + "".join(rows)


def fields(schema: dict[str, t.Any], path: str) -> t.Iterator[tuple[str, str, str, bool]]:
    """-> (path, type, limits, needed), depth first. ``[]`` are the items of a list, ``{}`` the values of a mapping without fixed names."""
    required = schema.get("required", [])
    for name, below in schema.get("properties", {}).items():
        yield from _one(below, f"{path}.{name}" if path else name, name in required)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _one(schema["additionalProperties"], f"{path}.{{}}", False)


def _one(schema: dict[str, t.Any], path: str, needed: bool) -> t.Iterator[tuple[str, str, str, bool]]:
    yield path, _kind(schema), _limits(schema), needed
    for part in [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]:
        yield from fields(part, path)
        if isinstance(part.get("items"), dict):
            yield from _items(part["items"], f"{path}[]")


def _items(schema: dict[str, t.Any], path: str) -> t.Iterator[tuple[str, str, str, bool]]:
    if schema.get("properties") or isinstance(schema.get("items"), dict):
        yield from fields(schema, path)
        if isinstance(schema.get("items"), dict):
            yield from _items(schema["items"], f"{path}[]")
    else:
        yield path, _kind(schema), _limits(schema), False


def _kind(schema: dict[str, t.Any]) -> str:
    if "const" in schema:
        return f"``{json.dumps(schema['const'])}``"
    kinds = schema.get("type") or ("one of" if "enum" in schema else "")
    parts = [kinds] if isinstance(kinds, str) else list(kinds)
    for below in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        parts.append(_kind(below))
    return " or ".join(dict.fromkeys(part for part in parts if part)) or "anything"


def _limits(schema: dict[str, t.Any]) -> str:
    said = []
    if "enum" in schema:
        said.append(
            ", ".join(f"``{json.dumps(each)}``" for each in schema["enum"][:20])
            + (" ..." if len(schema["enum"]) > 20 else "")
        )
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None or high is not None:
        said.append(f"{'' if low is None else low} to {'' if high is None else high}")
    for key, words in (("maxLength", "characters"), ("maxItems", "items"), ("maxProperties", "keys")):
        if key in schema:
            said.append(f"at most {schema[key]} {words}")
    if "pattern" in schema and len(schema["pattern"]) <= 120:
        said.append(f"``{schema['pattern']}``")
    return "; ".join(said) or "\\-"


# --- links ------------------------------------------------------------------------------------------------------------


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            if name in ("href", "src", "data") and value and tag != "meta":
                self.links.append(value)


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def dead_links(site: Path) -> list[str]:
    """-> what leads nowhere, "PAGE: LINK"."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    dead = []
    for path, page in pages.items():
        # The report's page makes its own anchors as it goes.
        live = path.is_relative_to(site / "report")
        for link in page.links:
            target, _hash, anchor = link.partition("#")
            target = target.partition("?")[0]
            if link == "/":
                # The theme's way home, which is the server's business.
                continue
            if link.startswith(REPOSITORY):
                if not in_the_repository(link):
                    dead.append(f"{path.relative_to(site)}: {link}")
            elif not urllib.parse.urlsplit(link).scheme and not link.startswith("//") and not live:
                there = (path.parent / urllib.parse.unquote(target)).resolve() if target else path
                there = there / "index.html" if there.is_dir() else there
                if not there.exists() or (anchor and there in pages and anchor not in pages[there].anchors):
                    dead.append(f"{path.relative_to(site)}: {link}")
    return sorted(set(dead))


def in_the_repository(link: str) -> bool:
    """Whether a link to the repository on GitHub leads to a file, and with an anchor to a heading, of this checkout."""
    found = re.match(re.escape(REPOSITORY) + r"(?:blob|tree|edit)/main/([^#?]*)(?:\?[^#]*)?(?:#(.*))?$", link)
    if not found:
        # Issues, and the like.
        return True
    path = ROOT / urllib.parse.unquote(found[1])
    if not path.exists():
        return False
    return not found[2] or path.suffix not in (".rst", ".md") or found[2] in headings(path)


def headings(path: Path) -> set[str]:
    """The anchors that GitHub makes of the headings of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    else:
        found = [title for title, _rule in re.findall(r"^(\S.*)\n([=~^\"'-])\2+$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def dead_links_of_markdown() -> list[str]:
    dead = []
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")]):
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if link.startswith(REPOSITORY):
                alive = in_the_repository(link)
            elif urllib.parse.urlsplit(link).scheme:
                continue
            else:
                target, _hash, anchor = link.partition("#")
                there = path.parent / target if target else path
                alive = there.exists() and (not anchor or there.suffix != ".md" or anchor in headings(there))
            if not alive:
                dead.append(f"{path.relative_to(ROOT)}: {link}")
    return dead
