# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.html in a real browser, as its readers use it."""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.parse
import zlib

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records, _report
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import (
    FRAGMENTED,
    HOSTILE,
    facts_of,
    journal_of,
    make_record,
)

# Parts of rows that stick out of their row or stand over another part.
OVERLAPS = """[...document.querySelectorAll('.list .row')].flatMap((row) => {
    const outer = row.getBoundingClientRect(), bad = [];
    const parts = [...row.children].map((part) => ({ name: part.className, box: part.getBoundingClientRect() }))
        .filter((part) => part.box.width && part.box.height);
    for (const one of parts) {
        if (one.box.bottom > outer.bottom + .5 || one.box.right > outer.right + .5) bad.push('cut: ' + one.name);
        for (const other of parts)
            if (one.name < other.name && one.box.left < other.box.right - .5 && other.box.left < one.box.right - .5
                && one.box.top < other.box.bottom - .5 && other.box.top < one.box.bottom - .5)
                bad.push(one.name + ' over ' + other.name);
    }
    return bad;
})"""

NUMA = "5.10.0-46-cloud-amd64/numa-fragmented"
MANY = 2000
# As the page has it: what nobody sees is spelled out.
SHOWN = _words.visible(HOSTILE)
LONG = "node" * 60


def url(path, **state):
    return "file://" + urllib.parse.quote(path) + ("#" + urllib.parse.urlencode(state) if state else "")


def make(directory, records, **options):
    for record in records:
        _records.write(str(directory / "records"), record.pop("run", "r2"), record)
    return _report.make([str(directory / "records")], str(directory / "report"), ["html"], **options).files["html"]


@pytest.fixture(name="small", scope="module")
def small_fixture(tmp_path_factory):
    """A dozen nodes: sick, well, NUMA, hostile, unreachable; with history."""
    hostile = make_record(HOSTILE, FRAGMENTED, journal=journal_of(HOSTILE), groups=[HOSTILE])
    hostile["assessment"]["findings"][0].update(
        title=HOSTILE, remedy=HOSTILE, docs="javascript:alert(1)", evidence={HOSTILE: HOSTILE}
    )
    hostile["assessment"]["summary"] = HOSTILE
    hostile["facts"]["slab"]["caches"][0]["name"] = HOSTILE
    hostile["facts"]["unavailable"][HOSTILE] = HOSTILE
    hostile["facts"]["zones"][0]["zone"] = HOSTILE[:64]
    records = [
        make_record("ill", FRAGMENTED, journal=journal_of("plain"), groups=["web"]),
        make_record("numa", NUMA, groups=["db"]),
        make_record(LONG, groups=[LONG]),
        make_record("measured", assessed=False, facts=facts_of(FRAGMENTED)),
        make_record("dead", None),
        make_record("broken", None, status="failed", error="/proc/buddyinfo: permission denied"),
        hostile,
        *(make_record(f"well{number}", groups=["web"]) for number in range(12)),
        *(make_record(f"well{number}", groups=["web"], day=13, run="r1") for number in range(12)),
        make_record("ill", day=13, run="r1"),
    ]
    return make(tmp_path_factory.mktemp("small"), records, run_id="r2")


@pytest.fixture(name="large", scope="module")
def large_fixture(tmp_path_factory):
    records = [
        make_record(f"node{number:04}.rack{number % 40}", groups=[f"rack{number % 40}"]) for number in range(MANY)
    ]
    return make(tmp_path_factory.mktemp("large"), [*records, make_record("ill", FRAGMENTED)])


def rows(browser):
    """Names of the rows in the order in which they stand."""
    return browser.run(
        "[...document.querySelectorAll('.list .item')].sort((a, b) => a.offsetTop - b.offsetTop)"
        ".map((row) => row.querySelector('.who b').textContent)"
    )


def visible(browser, selector):
    return browser.run(f"!!document.querySelector({json.dumps(selector)})?.checkVisibility()")


def text(browser, selector):
    return browser.run(f"document.querySelector({json.dumps(selector)}).innerText")


def state(browser):
    return dict(urllib.parse.parse_qsl(browser.run("location.hash.slice(1)")))


def choose(browser, key, value):
    browser.run(
        f"(() => {{ const s = document.querySelector('.tools [data-key={key}]'); s.value = {json.dumps(value)};"
        " s.dispatchEvent(new Event('change')); })()"
    )
    browser.settle()


def test_the_sick_node_is_found_at_once(browser, small):
    browser.open(url(small))
    assert rows(browser)[0] in ("ill", SHOWN)
    assert "need attention" in text(browser, "h1")
    assert not visible(browser, "#static")
    assert "17 of 19 nodes audited" in text(browser, "header").replace("\n", " ")
    assert text(browser, ".row .badge").startswith("▲")


def test_search_filters_as_one_types_and_keeps_it_in_the_address(browser, small):
    browser.open(url(small))
    browser.key("/")
    browser.type("NUMA 5.10")
    assert rows(browser) == ["numa"]
    assert state(browser) == {"q": "NUMA 5.10"}
    assert text(browser, ".chips span") == "1 of 19 nodes"
    browser.key("Escape")
    assert len(rows(browser)) == 19
    browser.type("no such node")
    assert visible(browser, ".empty") and rows(browser) == []
    browser.click(".empty button")
    assert len(rows(browser)) == 19 and state(browser) == {}


def test_filters_and_order(browser, small):
    browser.open(url(small))
    choose(browser, "group", "db")
    assert rows(browser) == ["numa"]
    choose(browser, "group", "")
    choose(browser, "status", "unreachable")
    assert rows(browser) == ["dead"]
    choose(browser, "status", "")
    choose(browser, "cause", "fragmentation")
    assert sorted(rows(browser)) == sorted(["ill", SHOWN])
    choose(browser, "cause", "")
    choose(browser, "sort", "name")
    assert rows(browser)[-3:] == ["well9", "well10", "well11"]
    assert state(browser) == {"sort": "name"}


def test_the_first_screen_says_what_to_do(browser, small):
    browser.open(url(small))
    cards = "[...document.querySelectorAll('#actions article')]"
    count = browser.run(f"{cards}.reduce((sum, card) => sum + Number(card.querySelector('.count').textContent), 0)")
    assert count == browser.run(
        "JSON.parse(document.getElementById('data').textContent).hosts.filter((row) => row[16] >= 0).length"
    )
    assert "ansible" in text(browser, "#actions code")
    assert browser.run(
        "document.getElementById('findings').compareDocumentPosition(document.getElementById('nodes'))"
        " & Node.DOCUMENT_POSITION_FOLLOWING"
    )
    # Its logs speak of pods, so that kubectl drains it.
    key = browser.run(
        f"{cards}.find((card) => card.querySelector('.who a[href=\"#node=ill\"]')).id.slice('action='.length)"
    )
    assert key == "drain_kubernetes" and "kubectl drain" in text(browser, "[id='action=drain_kubernetes'] code")
    browser.click(f"#actions a[href='#action={key}']")
    assert state(browser) == {"action": key} and "ill" in rows(browser) and "well1" not in rows(browser)
    assert "Nothing to do" not in text(browser, ".list") and text(browser, ".list .act b") != ""


def test_a_link_that_leads_nowhere_says_so(browser, small):
    browser.open(url(small, node="gone"))
    assert text(browser, ".notice") == "This report has no node gone." and len(rows(browser)) == 19
    browser.open(url(small, finding="MF999"))
    assert text(browser, ".notice") == "This report has no finding MF999."
    browser.open(url(small, node="ill"))
    assert not visible(browser, ".notice") and browser.run("document.title").startswith("ill ")


def test_a_link_may_have_a_name_with_what_nobody_sees_in_it(browser, small):
    browser.open(url(small, node=HOSTILE))
    assert not visible(browser, ".notice") and "U+" in browser.run("document.title")


def test_the_worst_zones_are_shown(browser, tmp_path):
    record = make_record("many", NUMA)
    good = [zone for zone in facts_of("6.1.0-56-cloud-amd64/healthy")["zones"] if zone["zone"] == "DMA32"]
    bad = record["facts"]["zones"][-1]
    zones = [{**good[0], "node": node, "managed_pages": 9 * good[0]["managed_pages"]} for node in range(2, 8)]
    record["facts"]["zones"] = [*zones, {**bad, "node": 9}]
    browser.open(url(make(tmp_path, [record, make_record("other")])))
    strips = "[...document.querySelectorAll('.row[href*=many] .strips .strip > span')].map((each) => each.textContent)"
    assert len(browser.run(strips)) == 3 and any("NUMA 9" in name for name in browser.run(strips))
    assert text(browser, ".row[href*=many] .rest") == "The worst 3; 4 zones not shown"


def test_the_address_brings_back_what_one_saw(browser, small):
    browser.open(url(small, q="well1", sort="name"))
    assert rows(browser) == ["well1", "well10", "well11"]
    assert browser.run("document.querySelector('.tools [data-key=q]').value") == "well1"
    assert browser.run("document.querySelector('.tools [data-key=sort]').value") == "name"
    browser.open(url(small, node="ill"))
    assert text(browser, ".node h2") == "ill"
    browser.open(url(small, level="critical,high"))
    assert browser.run("document.querySelector('.tools [data-key=level]').value") == "critical,high"
    browser.open(url(small, node="no such node", level="nonsense"))
    assert rows(browser) == [] and visible(browser, ".empty")


def test_links_of_the_top_filter(browser, small):
    browser.open(url(small))
    browser.click("a[href='#status=failed']")
    assert rows(browser) == ["broken"]
    browser.click("a[href='#change=worse']")
    assert rows(browser) == ["ill"]
    browser.run("history.back()")
    time.sleep(0.2)
    browser.settle()
    assert rows(browser) == ["broken"]


def test_a_node_opens_to_everything_that_is_known(browser, small):
    browser.open(url(small))
    browser.click(".row[href*='node=ill']")
    # The verdict stands once.
    assert text(browser, "body").count("Critical") == 1 and not visible(browser, "h1")
    browser.run("document.querySelectorAll('.node details').forEach((each) => { each.open = true; })")
    page = text(browser, ".node")
    for words in (
        "What broke",
        "Memory is fragmented",
        "page allocation failure: order:5",
        "Free memory at that moment",
        "37 times",
        "Findings",
        "What it can hand out",
        "Free memory by zone and order",
        "Zone Normal",
        "Free: Unmovable",
        "Memory and slab caches",
        "Earlier runs",
        "network buffers",
    ):
        assert words in page, words
    assert not visible(browser, ".list") and not visible(browser, "h1")
    assert "unexpected form" not in page
    assert browser.run("document.activeElement.tagName") == "H2"
    browser.key("Escape")
    assert visible(browser, ".list") and not visible(browser, ".node")
    assert browser.run("document.activeElement.querySelector('.who b').textContent") == "ill"


def test_a_node_that_could_not_be_audited_says_what_mends_it(browser, small):
    browser.open(url(small, node="dead"))
    assert "No route to host" in text(browser, "#app .lead")
    card = text(browser, "#app section[aria-label='What to do']")
    assert "It does not answer" in card and "firewall" in card
    assert text(browser, "#app section[aria-label='What to do'] code") == "ansible dead -m ansible.builtin.ping"
    browser.open(url(small, node="well1"))
    assert not visible(browser, "#app section[aria-label='What to do'] code")


def test_a_score_says_what_it_is_made_of(browser, small):
    browser.open(url(small, node="ill"))
    score = int(text(browser, ".node .badge b"))
    browser.click(".node .score summary")
    numbers = browser.run("[...document.querySelectorAll('.node .score td.num')].map((each) => each.textContent)")
    parts = [int(each.lstrip("+ ")) for each in numbers if not each.startswith("at most")]
    most = [int(each.split()[-1]) for each in numbers if each.startswith("at most")]
    assert min([sum(parts), *most]) == score > 0


def test_two_runs_are_compared_node_by_node(browser, small):
    browser.open(url(small))
    browser.click("#compare summary")
    assert "Worse: 1" in text(browser, "#compare .outcome")
    worse = text(browser, ".compared tbody tr")
    assert worse.startswith("ill") and "Lost orders" in worse and "New incident: " in worse and "MF1" in worse
    browser.run(
        "(() => { const [from, to] = document.querySelectorAll('#compare select'); [from.value, to.value] = [to.value, from.value];"
        " from.dispatchEvent(new Event('change')); })()"
    )
    assert state(browser) == {"from": "r2", "to": "r1"}
    better = text(browser, ".compared tbody tr")
    assert "Gained orders" in better and "Gone incident: " in better
    # The address brings it back.
    browser.open(url(small, **{"from": "r2", "to": "r1"}))
    assert text(browser, ".compared tbody tr") == better
    browser.open(url(small, to="r9"))
    assert text(browser, ".notice") == "This report has no run r9."
    browser.open(url(small, node="ill"))
    browser.run("document.querySelectorAll('.node details').forEach((each) => { each.open = true; })")
    assert "Lost orders" in text(browser, ".node .past")


def test_what_was_done_between_two_runs_is_told(browser, tmp_path):
    records = [
        make_record("a", FRAGMENTED, day=13, run="r1"),
        make_record("a", day=15, run="20261115T060000Z-remediate"),
        make_record("a"),
        make_record("b"),
    ]
    done = {"host": "a", "outcome": "mended", "action": "compact", "reason": HOSTILE}
    (tmp_path / "records" / "20261115T060000Z-remediate").mkdir(parents=True)
    (tmp_path / "records" / "20261115T060000Z-remediate" / "remediation.jsonl").write_text(json.dumps(done) + "\n")
    path = make(tmp_path, records, run_id="r2")
    browser.open(url(path, **{"from": "r1", "to": "r2"}))
    row = text(browser, ".compared tbody tr")
    assert "Compacted 2026-11-15 06:00 UTC: it helped" in row and "<img" in row
    browser.open(url(path, **{"from": "20261115T060000Z-remediate", "to": "r2"}))
    assert "Compacted" not in text(browser, "#compare .outcome")


def test_every_node_can_be_opened(browser, small):
    browser.open(url(small))
    names = rows(browser)
    for name in names:
        browser.run(f"location.hash = {json.dumps('node=' + urllib.parse.quote(name))}")
        browser.settle()
        assert browser.run("document.querySelector('.node h2').textContent") == name
        assert browser.run("document.querySelectorAll('.node .odd').length") == 0, name
    browser.open(url(small, node="numa"))
    assert "NUMA 1" in text(browser, ".answer")


def test_a_fleet_that_was_not_assessed(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(_report, "_assess", lambda policy: None)
    records = [make_record("ill", FRAGMENTED, assessed=False), make_record("well", assessed=False)]
    path = make(tmp_path, records)
    browser.open(url(path))
    assert rows(browser) == ["ill", "well"]
    assert "measured, not assessed" in text(browser, ".lead")
    browser.click("a.row")
    assert "Not assessed" in text(browser, ".node") and "cannot be had" in text(browser, ".node .lead")


def test_one_node_is_shown_at_once(browser, tmp_path):
    path = make(tmp_path, [make_record("localhost", FRAGMENTED)])
    browser.open(url(path))
    assert visible(browser, "h1") and visible(browser, ".answer") and not visible(browser, ".list")


def test_the_command_is_copied_as_it_stands(browser, small):
    browser.open(url(small, node="ill"))
    shown = text(browser, ".node .command code")
    browser.run("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    browser.click(".node .command button")
    assert browser.run("window.copied") == shown != ""
    assert text(browser, ".node .command button") == "Copied"


def test_the_keyboard_is_enough(browser, small):
    browser.open(url(small))
    for key in "jjjk":
        browser.key(key)
    assert browser.run("document.activeElement.parentElement.getAttribute('aria-posinset')") == "2"
    name = browser.run("document.activeElement.querySelector('.who b').textContent")
    browser.run("document.activeElement.click()")
    browser.settle()
    assert text(browser, ".node h2") == name
    browser.key("j")
    assert text(browser, ".node h2") != name
    browser.key("/")
    assert browser.run("document.activeElement.dataset.key") == "q"


def test_the_page_says_what_the_keys_do(browser, small):
    browser.open(url(small, node="ill"))
    browser.key("?")
    assert visible(browser, ".list") and visible(browser, ".keyhelp kbd")
    assert "search" in text(browser, ".keyhelp ul") and "previous node" in text(browser, ".keyhelp ul")
    browser.key("?")
    assert not visible(browser, ".keyhelp kbd")
    browser.key("/")
    browser.key("?")
    assert not visible(browser, ".keyhelp kbd") and state(browser) == {"q": "?"}


def test_nothing_of_others_is_markup(browser, small):
    browser.open(url(small))
    for name in rows(browser):
        browser.run(f"location.hash = {json.dumps('node=' + urllib.parse.quote(name))}")
        browser.settle()
        browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    browser.open(url(small, node=SHOWN))
    assert browser.run("document.querySelector('.node h2').textContent") == SHOWN
    assert browser.run("document.querySelectorAll('img, iframe, script:not(#data)').length") == 1
    assert browser.run("[...document.links].filter((link) => !/^(https|file):$/.test(link.protocol)).length") == 0
    assert text(browser, ".node").count("<img src=x") > 5


def test_the_policy_stops_what_would_be_injected(browser, small):
    browser.open(url(small))
    refused = browser.run(
        "(() => { try { document.body.innerHTML = '<b>'; return false; } catch (error) { return true; } })()"
    )
    assert refused
    browser.run(
        "(() => { const s = document.createElement('style'); s.textContent = 'body { display: none }';"
        " document.head.append(s); })()"
    )
    assert visible(browser, "h1")
    browser.errors.clear()


def test_dark_and_light(browser, small):
    grounds = []
    for dark in (False, True):
        browser.open(url(small), dark=dark)
        grounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(250, 249, 246)", "rgb(19, 22, 25)"]


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
@pytest.mark.parametrize("node", ["", "ill", "numa", SHOWN, LONG])
def test_nothing_is_wider_than_the_window(browser, small, width, node):
    browser.open(url(small, node=node) if node else url(small), width=width)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_nothing_in_a_row_overlaps_or_is_cut(browser, small, width):
    browser.open(url(small), width=width)
    assert browser.run(OVERLAPS) == []


def test_a_phone_shows_which_numa_node_a_strip_is_of(browser, small):
    browser.open(url(small), width=390)
    cut = "[...document.querySelectorAll('.row[href*=numa] .strip > span')].map((each) => [each.innerText, each.scrollWidth > each.clientWidth])"
    seen = browser.run(cut)
    assert ["DMA32 · N1", False] in seen and not any(cut for _name, cut in seen)


def test_what_could_not_be_read_is_not_an_empty_table(browser, tmp_path):
    blind = make_record("blind", facts=facts_of(FRAGMENTED, ("buddyinfo", "zoneinfo")), assessment=None)
    browser.open(url(make(tmp_path, [blind, make_record("other")]), node="blind"))
    assert text(browser, "[aria-label='What it can hand out'] p") == "This is not known."
    assert not visible(browser, ".answer")


def test_without_javascript(browser, small):
    browser.open(url(small), script=False)
    page = text(browser, "body")
    for words in (
        "need attention",
        "nodes audited",
        "Findings across the fleet",
        "How to read the strips",
        "ill",
        "well11",
    ):
        assert words in page
    assert visible(browser, "#static")
    assert browser.run("document.querySelectorAll('#static [id^=\"node=\"]').length") == 19
    assert text(browser, "#actions").count("ansible") >= 1
    browser.open(url(small, node="ill"), script=False)
    # What a link leads to unfolds.
    assert visible(browser, "[id='node=ill']") and not visible(browser, "[id='node=numa']")
    browser.open(url(small), script=False)
    browser.run("document.querySelector(\"#levels ~ ul a[href='#level=critical']\").click()")
    assert visible(browser, "[id='level=critical']") and "ill" in text(browser, "[id='level=critical']")


def pdf_text(browser):
    """The text objects of the printed page; enough of a PDF reader to count pages."""
    raw = base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"])
    assert raw.startswith(b"%PDF")
    streams = re.findall(rb"stream\r?\n(.*?)endstream", raw, re.S)
    inflated = []
    for stream in streams:
        try:
            inflated.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return raw.count(b"/Type /Page\n") + raw.count(b"/Type/Page/"), b"".join(inflated)


def printed(browser):
    """What is seen on paper, from the media type alone; the handlers of the page have run."""
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.settle()
    return text(browser, "body")


def test_print_says_how_many_of_how_many(browser, large):
    browser.open(url(large))
    on_screen = rows(browser)
    browser.run(
        "addEventListener('beforeprint', () => { window.printed = document.querySelectorAll('.list .row').length; })"
    )
    pages, _streams = pdf_text(browser)
    assert browser.run("window.printed") == 100 and 5 < pages < 40
    assert rows(browser) == on_screen
    page = printed(browser)
    assert f"The first 100 of {MANY + 1:,} nodes, worst first; report.csv has all." in page
    assert "need" in page and "What to do" in page and not visible(browser, ".tools")
    browser.open(url(large, q="rack7", sort="name"))
    assert f"{MANY // 40} nodes that fit, out of {MANY + 1:,}." in printed(browser)
    browser.open(url(large, q="rack", sort="name"))
    assert "The first 100 of 2,000 nodes that fit, by name, out of 2,001; report.csv has all." in printed(browser)


def test_print_opens_what_is_folded(browser, small):
    browser.open(url(small, node="ill"))
    browser.run("document.querySelector('.node details').open = true")
    # What a picture says is not said again as a table.
    browser.run(
        "addEventListener('beforeprint', () => { window.folded = [...document.querySelectorAll('details:not([open])')]"
        ".filter((each) => !each.closest('.picture')).length; })"
    )
    pdf_text(browser)
    assert browser.run("window.folded") == 0
    assert (
        browser.run("[...document.querySelectorAll('.node details')].map((each) => each.open).lastIndexOf(true)") == 0
    )
    browser.open(url(small))
    assert "Show the" in printed(browser)


def test_a_sheet_has_all_orders_of_a_zone(browser, small):
    browser.open(url(small, node="ill"), width=718)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.call("Emulation.setEmulatedMedia", media="print")
    wide = browser.run(
        "[...document.querySelectorAll('.zone')].map((each) => [each.offsetWidth, each.parentNode.clientWidth])"
    )
    browser.call("Emulation.setEmulatedMedia", media="")
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert wide and all(inner <= outer for inner, outer in wide)


def test_print_without_javascript(browser, small):
    browser.open(url(small), script=False)
    browser.call("Emulation.setEmulatedMedia", media="print")
    page = text(browser, "body")
    assert "page allocation failure: order:5" in page and "More about it" in page


def test_large_fleets_are_drawn_as_far_as_one_sees(browser, large):
    browser.open(url(large))
    assert len(rows(browser)) < 60
    assert browser.run("document.getElementsByTagName('*').length") < 6000
    browser.run(
        "scrollTo(0, document.querySelector('.list').offsetTop + document.querySelector('.list').offsetHeight / 2)"
    )
    browser.settle()
    middle = rows(browser)
    assert len(middle) < 60 and "ill" not in middle
    browser.click(f".row[href*='node={middle[len(middle) // 2]}']")
    before = text(browser, ".node h2")
    browser.run("history.back()")
    time.sleep(0.2)
    browser.settle()
    assert before in rows(browser)


def test_a_list_that_is_not_long_is_there_as_a_whole_in_the_end(browser, tmp_path):
    records = [make_record(f"node{number:03}", groups=[f"rack{number % 4}"]) for number in range(120)]
    browser.open(url(make(tmp_path, records)))
    names = [f"node{number:03}" for number in range(120)]
    soon = time.monotonic() + 20
    while len(rows(browser)) < 120 and time.monotonic() < soon:
        time.sleep(0.1)
    # For the browser's own search, and for screen readers in the order in which they stand.
    assert browser.run("[...document.querySelectorAll('.list .who b')].map((each) => each.textContent)") == names
    choose(browser, "group", "rack3")
    assert rows(browser) == names[3::4]
    choose(browser, "group", "")
    browser.click(".row[href*=node005]")
    browser.key("Escape")
    assert browser.run("document.activeElement.querySelector('.who b').textContent") == "node005"


def test_screen_readers_hear_the_list(browser, small):
    browser.open(url(small))
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = {}
    for each in tree:
        role = each.get("role", {}).get("value")
        roles.setdefault(role, []).append(each.get("name", {}).get("value", ""))
    assert "Nodes" in roles["list"] and len(roles["listitem"]) >= 19
    assert any(re.match(r".*: blocks up to order \d", name) for name in roles["image"])
    assert any(name.startswith("▲ Critical") and "ill" in name for name in roles["link"])
    assert all(roles["combobox"]) and all(roles["searchbox"])
    assert {"banner", "main", "contentinfo", "search"} <= set(roles)
