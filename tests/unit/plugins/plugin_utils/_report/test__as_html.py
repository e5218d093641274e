# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be said of report.html without a browser; tests/browser has the rest."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import typing as t
import urllib.parse

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _as_html, _html_static, _words
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import (
    FRAGMENTED,
    HOSTILE,
    journal_of,
    make_record,
)

# Elements without an end tag.
VOID = {"meta", "link", "br", "rect", "path"}


class Page(html.parser.HTMLParser):
    """Tags in order, text by tag; fails on tags that do not match."""

    def __init__(self, text: t.Any) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, t.Any]]] = []
        self.open: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: t.Any, attrs: t.Any) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        assert "style" not in attributes and not any(name.startswith("on") for name in attributes), attributes
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if tag == "a" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: t.Any, attrs: t.Any) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: t.Any) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: t.Any) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)


def data_of(text: t.Any) -> t.Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found[1])


@pytest.fixture(name="hostile")
def hostile_fixture(store: t.Any, make_report: t.Any) -> t.Any:
    record = make_record(HOSTILE, FRAGMENTED, journal=journal_of(HOSTILE), groups=[HOSTILE])
    record["facts"]["slab"]["caches"][0]["name"] = HOSTILE
    record["facts"]["kernel"]["release"] = HOSTILE
    record["facts"]["unavailable"][HOSTILE] = HOSTILE
    record["facts"]["zones"][0]["zone"] = HOSTILE[:64]
    record["assessment"] = {
        "level": "critical",
        "score": 99,
        "summary": HOSTILE,
        "findings": [
            {
                "id": "MF998",
                "severity": "critical",
                "title": HOSTILE,
                "evidence": {HOSTILE: HOSTILE},
                "remedy": HOSTILE,
                "docs": "javascript:alert(1)",
            }
        ],
        "remediation": {"action": "compact", "will_help": None, "reason": HOSTILE},
    }
    bad = make_record("dead" + HOSTILE, None, error=HOSTILE)
    report, text = make_report(store(record, bad), hosts=["no record \udcff" + HOSTILE])
    return report, text("html")


def test_text_of_others_stays_text(hostile: t.Any) -> None:
    page = Page(hostile[1])
    assert [tag for tag, _attributes in page.tags].count("script") == 2
    assert not [tag for tag, _attributes in page.tags if tag == "img"]
    assert all(link.startswith(("#", "https://github.com/kernelops/")) for link in page.links)
    assert data_of(hostile[1])["hosts"][0][0] == _words.visible(HOSTILE) != HOSTILE


def test_a_name_reads_as_what_it_is(store: t.Any, make_report: t.Any) -> None:
    turned = "web-01\u202e10-bd"
    record = make_record(turned, FRAGMENTED, journal=journal_of("a\u202eb\u200bc\U000e0041\x1b[31m\\u202e\x08"))
    _report, text = make_report(store(record, make_record("web-02", FRAGMENTED)))
    page = text("html")
    assert not _words._INVISIBLE.search(page)
    assert "<bdi>web-01U+202E10-bd</bdi>" in page
    data = data_of(page)
    (number,) = [number for number, row in enumerate(data["hosts"]) if row[0] == "web-01U+202E10-bd"]
    assert data["targets"][str(number)] == r"$'web-01\u202e10-bd'"
    assert data["details"][str(number)]["incidents"][0]["pods"] == ["aU+202EbU+200BcU+E0041U+001B[31m\\u202eU+0008"]
    assert f'href="#node={"web-01U%2B202E10-bd"}"' in page


def test_the_policy_lets_nothing_but_the_page_itself_run(hostile: t.Any) -> None:
    page = Page(hostile[1])
    (policy,) = [each["content"] for tag, each in page.tags if each.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and "unsafe" not in policy and "http" not in policy

    def digest(text: t.Any) -> t.Any:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    assert rules["style-src"] == digest(page.text["style"][0])
    assert rules["script-src"] == digest(page.text["script"][-1])


def test_nothing_is_fetched(hostile: t.Any) -> None:
    page = Page(hostile[1])
    for tag, attributes in page.tags:
        assert "src" not in attributes
        if tag == "link":
            assert attributes["href"].startswith("data:")
    style, script = page.text["style"][0], page.text["script"][-1]
    assert "url(" not in style and "@import" not in style
    assert not re.search(
        r"fetch\(|XMLHttpRequest|WebSocket|import\(|innerHTML|outerHTML|insertAdjacent|eval\(|Function\(", script
    )


def test_ids_are_unique_and_labels_lead_somewhere(hostile: t.Any) -> None:
    page = Page(hostile[1])
    assert len(page.ids) == len(set(page.ids))
    for _tag, attributes in page.tags:
        assert attributes.get("aria-labelledby", page.ids[0]) in page.ids


def test_tables_have_headers_and_captions(store: t.Any, make_report: t.Any) -> None:
    unlike = [make_record(f"n{number}") for number in range(9)] + [make_record("ill", FRAGMENTED)]
    page = make_report(store(*unlike), formats=["html"])[1]("html")
    tags = [tag for tag, _attributes in Page(page).tags]
    plain = page.count('class="plain')
    assert plain and tags.count("caption") == plain
    assert all("scope" in attributes for tag, attributes in Page(page).tags if tag == "th")


def test_without_javascript_the_worst_are_there_in_full(store: t.Any, make_report: t.Any) -> None:
    records = [make_record(f"n{number}") for number in range(120)] + [make_record("ill", FRAGMENTED)]
    _report, text = make_report(store(*records), formats=["html"])
    static = text("html").split('id="static"')[1].split("</section>")[0]
    # One list per link of the figures: critical and low nodes.
    assert static.count('id="node=') == _html_static.MOST_STATIC == static.count("<details") - 2
    assert static.index(">ill<") < static.index(">n0<")
    assert "The worst 50 of 121 nodes" in static
    ill = static.split('id="node=ill"')[1].split("</details>")[0]
    assert (
        "MF301" in ill and "Free memory by order" in ill and 'aria-label="DMA32: order 0 ' in ill and "ansible" in ill
    )


def test_every_link_within_the_page_leads_somewhere_without_javascript(store: t.Any, make_report: t.Any) -> None:
    before = [make_record(f"n{number:03}", day=13, run="r1") for number in range(150)]
    now = [make_record(f"n{number:03}") for number in range(150)]
    ill = [make_record(f"ill{number}", FRAGMENTED, journal=journal_of(HOSTILE)) for number in range(70)]
    turned = [make_record(f"n{number:03}", FRAGMENTED) for number in range(3)]
    gone = [make_record(f"gone{number}", None, error=HOSTILE) for number in range(60)]
    odd = make_record("odd", "5.10.0-46-cloud-amd64/numa-fragmented")
    later = store(*now[3:], *ill, *turned, *gone, odd, make_record(HOSTILE), run="r2")
    _report, text = make_report(later, *[store(*before, run="r1")], formats=["html"], run_id="r2")
    page = Page(text("html"))
    within = {urllib.parse.unquote(link[1:]) for link in page.links if link.startswith("#")}
    assert len(within) > 60 and {"change=worse", "level=low", "status=unreachable"} <= within
    assert within <= set(page.ids)


def test_large_fleets_keep_details_of_those_that_need_a_look(
    store: t.Any, make_report: t.Any, monkeypatch: t.Any
) -> None:
    monkeypatch.setattr(_as_html, "ALL_DETAILS", 2)
    monkeypatch.setattr(_as_html, "MOST_DETAILS", 3)
    records = [make_record(f"n{number}") for number in range(4)]
    ill = [make_record(f"ill{number}", FRAGMENTED) for number in range(5)]
    report, text = make_report(store(*records, *ill), formats=["html"])
    data = data_of(text("html"))
    assert sorted(data["details"]) == ["0", "1", "2"]
    assert [host.name for host in report.fleet.hosts[:3]] == ["ill0", "ill1", "ill2"]


def test_a_few_nodes_cannot_make_a_page_that_no_browser_opens(store: t.Any, make_report: t.Any) -> None:
    large = [make_record(f"h{number}", FRAGMENTED, journal=journal_of("x" * 60000)) for number in range(3)]
    for record in large:
        record["facts"]["unavailable"] = {f"{number}": "y" * 4096 for number in range(256)}
    text = make_report(store(*large, make_record("a", FRAGMENTED)))[1]("html")
    assert len(text) < 2e6
    data = data_of(text)
    assert [data["hosts"][int(row)][0] for row in data["details"]] == ["a"]


def test_small_fleets_have_all_details(store: t.Any, make_report: t.Any) -> None:
    _report, text = make_report(store(make_record("a"), make_record("b", FRAGMENTED)), formats=["html"])
    details = data_of(text("html"))["details"]
    assert len(details) == 2 and details["0"]["zones"][0]["migratetypes"]


def test_kernel_reports_come_before_what_the_runtimes_said(store: t.Any, make_report: t.Any) -> None:
    _report, text = make_report(store(make_record("a", FRAGMENTED, journal=journal_of("plain"))), formats=["html"])
    (incident,) = data_of(text("html"))["details"]["0"]["incidents"]
    assert [event["kind"] for event in incident["events"]] == ["page_allocation_failure", "container_start_failure"]
    assert incident["count"] == 37 and incident["more_events"] == 0


def test_a_healthy_node_costs_at_most_half_a_kilobyte(store: t.Any, make_report: t.Any, monkeypatch: t.Any) -> None:
    monkeypatch.setattr(_as_html, "ALL_DETAILS", 1)

    def size(count: t.Any, directory: t.Any) -> t.Any:
        records = [make_record(f"node{number:05}.rack7.example.net", groups=["web"]) for number in range(count)]
        _report, text = make_report(store(*records, where=directory), formats=["html"], to=directory)
        return len(text("html"))

    # Beyond the rows without JavaScript, which a report has a hundred of.
    assert (size(300, "many") - size(150, "few")) / 150 <= 512


def colours(block: t.Any) -> t.Any:
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block))


def luminance(colour: t.Any) -> t.Any:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: t.Any, other: t.Any) -> t.Any:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(theme: t.Any) -> None:
    named: dict[str, str] = {}
    for style in map(_as_html._asset, _as_html.STYLES):
        light, dark = re.findall(r":root \{(.*?)\}", style, re.S)[:2]
        named.update({**colours(light), **(colours(dark) if theme == "dark" else {})})
    pairs = [(named[name], named["on-" + name]) for name in named if "on-" + name in named]
    pairs += [(named[ground], named[ink]) for ground in ("page", "card", "well") for ink in ("muted", "link")]
    assert len(pairs) >= 30
    assert not [(one, other, round(contrast(one, other), 2)) for one, other in pairs if contrast(one, other) < 4.5]
