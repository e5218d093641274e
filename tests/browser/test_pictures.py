# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pictures of report.html in a real browser: what they show, that they lead somewhere, and that nobody needs them."""

from __future__ import annotations

import base64
import json
import time

import pytest
from test_report import HOSTILE, NUMA, SHOWN, make, state, text, url, visible

from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import (
    FRAGMENTED,
    facts_of,
    journal_of,
    make_record,
)

MANY = 3000
WIDTHS = [1920, 1280, 768, 390, 320]
# A cell per pageblock, and the letters that a survey has.
CELLS = "mmmmkkssmmpprr..hhccuuoox?ff"


def survey(zone="Normal", **more):
    held_by = {"movable": 60, "kernel": 25, "slab": 10, "page_table": 5}
    yields = [{"order": 9, "now": 1, "low": 20, "expected": 30, "high": 44}]
    surveyed = {"node": 0, "zone": zone, "blocks": 100, "sampled": 50, "held_by": held_by, "yields": yields, **more}
    callers = [{"name": HOSTILE, "pages": 512}]
    return {"sampled": 50, "total": 100, "complete": False, "zones": [surveyed], "callers": callers}


def surveyed_record(*arguments, survey, **options):
    record = make_record(*arguments, **options)
    record["facts"]["pageblock_survey"] = survey
    record["facts"]["watch"] = {
        "seconds": 60.0,
        "events": 130,
        "overrun": 0,
        "stopped_early": True,
        "fragmenters": [
            {
                "comm": HOSTILE[:200],
                "cgroup": "/system.slice/" + HOSTILE[:200],
                "container": None,
                "function": "pipe_write",
                "stack": ["pipe_write"],
                "alloc_migratetype": "Unmovable",
                "fallback_migratetype": "Movable",
                "pollutes": True,
                "pageblocks": 130,
                "taken": 30,
                "events": 130,
            }
        ],
    }
    return record


@pytest.fixture(name="fleet", scope="module")
def fleet_fixture(tmp_path_factory):
    """Three runs of a small fleet: with incidents, surveys, NUMA, a hostile node, one that was not audited."""
    early = journal_of("plain", "disk_full")
    early["incidents"][0].update(first_time="2026-11-14T03:00:00Z", last_time="2026-11-14T09:00:00Z", count=1)
    early["incidents"] += journal_of("plain", "memcg_limit")["incidents"]
    records = [
        surveyed_record(
            "ill", FRAGMENTED, journal=early, groups=["web"], survey=survey(map={"cell_blocks": 4, "cells": CELLS})
        ),
        surveyed_record("shares", FRAGMENTED, groups=["db"], survey=survey()),
        make_record(HOSTILE, FRAGMENTED, journal=journal_of(HOSTILE), groups=[HOSTILE]),
        make_record("numa", NUMA, groups=["db"]),
        make_record("dead", None, groups=["db"]),
        *(make_record(f"well{number}", groups=["web"]) for number in range(8)),
        *(
            make_record(f"well{number}", groups=["web"], day=day, run=run)
            for number in range(8)
            for day, run in ((6, "r0"), (13, "r1"))
        ),
        make_record("ill", day=6, run="r0"),
        make_record("ill", FRAGMENTED, day=13, run="r1"),
    ]
    return make(tmp_path_factory.mktemp("fleet"), records, run_id="r2")


@pytest.fixture(name="racks", scope="module")
def racks_fixture(tmp_path_factory):
    records = [
        make_record(
            f"node{number:04}",
            FRAGMENTED if number % 40 == 7 and number < 600 else "6.1.0-56-cloud-amd64/healthy",
            groups=[f"rack{number % 40}"],
        )
        for number in range(MANY)
    ]
    return make(tmp_path_factory.mktemp("racks"), records)


def test_the_pages_of_nodes_are_drawn_without_the_script(browser, fleet):
    browser.open(url(fleet, node="ill"), script=False)
    inside = "document.querySelector('[id=\"node=ill\"]').closest('details')"
    assert browser.run(f"{inside}.querySelectorAll('.profile svg').length") == 3
    label = browser.run(f"{inside}.querySelector('.profile svg').getAttribute('aria-label')")
    assert label.startswith("Normal: order 0 ")
    assert browser.run(f"{inside}.querySelector('.profile').getBoundingClientRect().height") > 100
    assert "Pageblocks of Normal: kernel 25.0 %, slab 10.0 %, page table 5.0 %, movable 60.0 %" in browser.run(
        f"{inside}.innerText"
    )
    assert browser.run(f"{inside}.querySelectorAll('svg.bar rect').length") == 4


def drawn(browser, name):
    """Wait for a picture of the fleet."""
    for _attempt in range(100):
        if browser.run(f"!!document.querySelector('#picture-{name} .drawing :is(svg, table)')"):
            return
        time.sleep(0.05)
    raise AssertionError(f"no picture {name}")


def names(browser, selector):
    return browser.run(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.getAttribute('aria-label'))"
    )


def titles(browser):
    """What the links of the incidents are called; a text may be cut."""
    links = "[...document.querySelectorAll('#picture-incidents svg a')]"
    return browser.run(f"{links}.map((each) => each.querySelector(':scope > title').textContent)")


def point(browser, place):
    """Where the column of the node stands that is so many from the worst."""
    return browser.run(
        "(() => { const picture = document.querySelector('.map svg'), box = picture.getBoundingClientRect();"
        " const step = document.querySelector('.map .mark').getAttribute('width') - 1, scale = box.width / picture.viewBox.baseVal.width;"
        f" return [box.left + (20 + step * ({place} + .5)) * scale, box.top + 20 * scale]; }})()"
    )


def test_the_map_has_a_column_for_each_node(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "orders")
    data = browser.run("JSON.parse(document.getElementById('data').textContent).hosts.map((row) => row[15])")
    cells = browser.run(
        "[...document.querySelectorAll('.map .m0, .map .m1, .map .m2, .map .m3')].map((each) =>"
        " [each.getAttribute('class'), each.getAttribute('d').split('z').length - 1])"
    )
    assert dict(cells) == {
        f"m{digit}": count for digit in "0123" if (count := sum(states.count(digit) for states in data))
    }
    # Each state but "at once" has a sign of its own, for those who do not see the colours.
    assert browser.run(
        "[...document.querySelectorAll('.map .n3, .map .n2')].map((each) => each.getAttribute('d').length > 9).every(Boolean)"
    )
    assert browser.run("document.querySelectorAll('.map .gap')[0].getAttribute('d').split('M').length - 1") == 1


def test_the_map_leads_to_the_nodes_by_pointer(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "orders")
    browser.run("document.querySelector('.map').scrollIntoView({ block: 'center' })")
    wanted = browser.run("JSON.parse(document.getElementById('data').textContent).hosts[2][0]")
    x, y = point(browser, 2)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.settle()
    assert text(browser, ".readout").startswith(wanted) and "not at all" in text(browser, ".readout")
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    browser.settle()
    assert state(browser) == {"node": wanted} and text(browser, ".node h2") == wanted


def test_the_map_leads_to_the_nodes_by_the_keyboard(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "orders")
    browser.run("document.querySelector('.map').focus()")
    heard = [text_of_option(browser)]
    for key in ("ArrowRight", "End", "ArrowLeft", "Home", "ArrowRight"):
        browser.key(key)
        heard.append(text_of_option(browser))
    rows = browser.run("JSON.parse(document.getElementById('data').textContent).hosts.map((row) => row[0])")
    assert [each[0].split(": ")[0] for each in heard] == [rows[place] for place in (0, 1, -1, -2, 0, 1)]
    assert heard[2][1:] == [str(len(rows)), str(len(rows))]
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Enter")
    browser.settle()
    assert text(browser, ".node h2") == rows[1]
    browser.key("Escape")
    assert visible(browser, ".map")


def test_who_walks_in_the_map_stays_in_it(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "orders")
    browser.run("document.querySelector('.map').focus()")
    browser.key("ArrowRight")
    before = text_of_option(browser)
    # Longer than the map waits with a change.
    time.sleep(0.2)
    assert text_of_option(browser) == before
    # Other nodes: another map, and the keyboard is still there.
    browser.run("document.querySelector('.tools [data-key=group]').value = 'db'")
    browser.run("document.querySelector('.tools [data-key=group]').dispatchEvent(new Event('change'))")
    time.sleep(0.2)
    browser.settle()
    assert browser.run("document.activeElement.className") == "map" and text_of_option(browser)[2] == "3"


def text_of_option(browser):
    return browser.run(
        "(() => { const option = document.getElementById(document.activeElement.getAttribute('aria-activedescendant'));"
        " return [option.textContent, option.getAttribute('aria-posinset'), option.getAttribute('aria-setsize')]; })()"
    )


def test_the_map_of_a_large_fleet_leads_to_a_group_and_from_there_to_a_node(browser, racks):
    browser.open(url(racks))
    drawn(browser, "orders")
    rows = "[...document.querySelectorAll('.parts tbody tr')].map((row) => row.querySelector('a').textContent)"
    assert browser.run(rows)[0] == "rack7" and len(browser.run(rows)) == 12
    assert (
        "3 not at all" not in names(browser, ".parts tbody svg")[1]
        and "15 not at all" in names(browser, ".parts tbody svg")[0]
    )
    browser.click(".drawing p button")
    assert len(browser.run(rows)) == 40
    browser.click(".parts tbody a")
    drawn_nodes(browser)
    assert state(browser) == {"group": "rack7"}
    assert text(browser, ".views span") == "75 of 3,000 nodes" and text(browser, ".chips span") == "75 of 3,000 nodes"
    browser.run("document.querySelector('.map').focus()")
    assert "not at all" in text_of_option(browser)[0] and text_of_option(browser)[2] == "75"
    browser.click(".views > button")
    for _attempt in range(100):
        if visible(browser, ".parts"):
            break
        time.sleep(0.05)
    assert state(browser) == {} and visible(browser, ".parts")
    # All of it stays small, however large the fleet is.
    assert browser.run("document.getElementById('pictures').getElementsByTagName('*').length") < 2000


def drawn_nodes(browser):
    for _attempt in range(100):
        if browser.run("!!document.querySelector('.map')"):
            return
        time.sleep(0.05)
    raise AssertionError("no map of nodes")


def test_the_levels_of_each_run_are_told(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "levels")
    (words,) = names(browser, "#picture-levels .drawing svg")
    first, second, last = words.removeprefix("Oldest first. ").split("; ")
    assert first.startswith("2026-11-06: ") and "9 low" in first and "0 high" in first
    assert second.startswith("2026-11-13: ") and "1 high" in second
    assert last.startswith("2026-11-20: ") and "1 not audited" in last
    labels = browser.run(
        "[...document.querySelectorAll('#picture-levels svg text.start')].map((each) => each.textContent)"
    )
    # Signs beside the words, and no label over another.
    assert any(label.startswith("✓ ") for label in labels) and any(label.startswith(("◆ ", "▲ ")) for label in labels)
    places = browser.run(
        "[...document.querySelectorAll('#picture-levels svg text.start')].map((each) => +each.getAttribute('y'))"
    )
    assert all(abs(one - other) >= 14 for number, one in enumerate(places) for other in places[:number])


def test_a_run_leads_to_what_has_changed_since(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "levels")
    links = "[...document.querySelectorAll('#picture-levels svg a')]"
    assert browser.run(f"{links}.map((each) => each.getAttribute('href'))") == ["#from=r0&to=r2", "#from=r1&to=r2"]
    browser.run(f"{links}[0].focus()")
    browser.run(f"{links}[0].dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}))")
    browser.settle()
    assert state(browser) == {"from": "r0", "to": "r2"} and browser.run("document.getElementById('compare').open")
    assert "ill" in text(browser, "#compare")
    assert browser.run("document.getElementById('compare').getBoundingClientRect().top") < 200


def test_incidents_lead_to_their_cause_and_their_node(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "incidents")
    told = titles(browser)
    assert any(each.startswith("A disk is full: 1 node, 1 incident, from 2026-11-14 03:00 UTC") for each in told)
    assert "ill: 1 time, 2026-11-14 03:00 UTC to 2026-11-14 09:00 UTC" in told
    link = "#picture-incidents svg a[href='#cause=memcg_limit']"
    browser.run(
        f"document.querySelector({json.dumps(link)}).dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}))"
    )
    time.sleep(0.1)
    browser.settle()
    # Its weightiest incident has another cause.
    assert state(browser) == {"cause": "memcg_limit"} and text(browser, ".list .who b") == "ill"


def test_who_is_in_the_way_across_the_fleet(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "held")
    assert (
        names(browser, "#picture-held tbody svg")[0]
        == "free or movable 60 %, kernel, other 25 %, slab 10 %, page tables 5.0 %"
    )
    assert (
        browser.run("[...document.querySelectorAll('#picture-held .parts td.num')].map((each) => each.textContent)")[0]
        == "40 %"
    )
    browser.click("#picture-held .parts a[href='#group=db']")
    assert state(browser) == {"group": "db"}


def test_the_profile_of_a_node(browser, fleet):
    browser.open(url(fleet, node="ill"))
    told = names(browser, ".profile svg")
    assert len(told) == len(facts_of(FRAGMENTED)["zones"])
    normal = next(each for each in told if each.startswith("Normal: "))
    assert "Failed orders: 5." in normal and "Needed orders: 3, 9." in normal and "Watermarks: min " in normal
    zone = next(zone for zone in facts_of(FRAGMENTED)["zones"] if zone["zone"] == "Normal")
    place = [each.startswith("Normal: ") for each in told].index(True)
    profile = f".profile:nth-of-type({place + 1})"
    # A bar per order, as high as the migratetypes in it.
    bars = browser.run(
        f"[...document.querySelectorAll('{profile} .whole')].map((each) => +each.getAttribute('height'))"
    )
    pages = [count << order for order, count in enumerate(zone["free_blocks"])]
    assert [height > 0 for height in bars] == [count > 0 for count in pages] and bars.index(max(bars)) == pages.index(
        max(pages)
    )
    assert bars[1] / bars[2] == pytest.approx(pages[1] / pages[2], rel=0.02)
    parts = browser.run(
        f"[...document.querySelectorAll('{profile} [class^=g-]')].map((each) => [each.getAttribute('class'), +each.getAttribute('height')])"
    )
    unmovable = sum(height for name, height in parts if name == "g-U")
    blocks = zone["migratetypes"]["Unmovable"]
    assert unmovable / sum(bars) == pytest.approx(
        sum(count << order for order, count in enumerate(blocks)) / sum(pages), rel=0.05
    )
    assert browser.run(f"document.querySelectorAll('{profile} .watermark').length") == 2
    # What the zone itself can hand out, be it other than the node's answer.
    signs = browser.run(
        f"[...document.querySelectorAll('{profile} [class^=t], {profile} .ob-o')].map((each) => each.textContent).join('')"
    )
    words = {"ok": "✓", "needs_reclaim": "1", "needs_compaction": "2", "exhausted": "–", "reserved": "R"}
    assert signs.replace("min", "").replace("low", "") == "".join(words[state] for state in zone["states"])
    assert browser.run(f"[...document.querySelectorAll('{profile} .failed')].length") == 1


def test_a_profile_for_each_numa_node_to_one_scale(browser, fleet):
    browser.open(url(fleet, node="numa"))
    told = names(browser, ".profile svg")
    assert sum("NUMA 0" in each for each in told) >= 1 and sum("NUMA 1" in each for each in told) >= 1
    scales = browser.run(
        "[...document.querySelectorAll('.profile')].map((each) =>"
        " [each.querySelector('b').textContent.split(' ')[0], each.querySelector('text.end').textContent])"
    )
    of_zone = {}
    for zone, scale in scales:
        of_zone.setdefault(zone, set()).add(scale)
    assert all(len(each) == 1 for each in of_zone.values())


def test_who_breaks_up_the_memory(browser, fleet):
    browser.open(url(fleet, node="ill"))
    cards = "[...document.querySelectorAll('h3')].filter((each) => each.textContent === 'Who breaks up its memory')"
    card = cards + "[0].parentElement"
    assert browser.run(cards + ".length") == 1
    text = browser.run(card + ".textContent")
    assert "130 allocations took a block of another migratetype in 60 s; ended early" in text
    assert "pipe_write" in text and "Movable → Unmovable" in text and HOSTILE[:20] in text
    browser.open(url(fleet, node="numa"))
    assert browser.run(cards + ".length") == 0


def test_the_map_of_pageblocks(browser, fleet):
    browser.open(url(fleet, node="ill"))
    paths = browser.run(
        "Object.fromEntries([...document.querySelectorAll('.blocks path')].map((each) =>"
        " [each.getAttribute('class'), each.getAttribute('d').split('z').length - 1]))"
    )
    classes = {".": "hole", "?": "q"}
    assert paths == {"b-" + classes.get(letter, letter): CELLS.count(letter) for letter in set(CELLS)}
    letters = browser.run("[...document.querySelectorAll('.blocks text')].map((each) => each.textContent).join('')")
    assert letters == CELLS.replace(".", "·").replace("f", "")
    page = text(browser, ".node")
    assert "a cell is 4 pageblocks" in page and "In the way: kernel, other 25 %, slab 10 %, page tables 5.0 %." in page
    assert "one compaction would make it 30, between 20 and 44" in page
    browser.open(url(fleet, node="shares"))
    letters = browser.run("[...document.querySelectorAll('.blocks text')].map((each) => each.textContent).join('')")
    assert letters == "m" * 60 + "k" * 25 + "s" * 10 + "p" * 5
    assert "where they lie is not known" in text(browser, ".node")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("node", ["", "ill", "numa", SHOWN])
def test_pictures_fit_into_every_window(browser, fleet, width, node):
    browser.open(url(fleet, node=node) if node else url(fleet), width=width)
    if not node:
        for name in ("orders", "levels", "incidents", "held"):
            drawn(browser, name)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('.odd').length") == 0
    outside = browser.run(
        "[...document.querySelectorAll('.drawing svg, .profile svg, .blocks')].filter((each) => {"
        " const box = each.getBoundingClientRect(), card = each.closest('.card').getBoundingClientRect();"
        " return box.right > card.right || box.left < card.left; }).length"
    )
    assert outside == 0


def test_pictures_are_drawn_anew_for_another_width(browser, fleet):
    browser.open(url(fleet), width=1280)
    drawn(browser, "levels")
    before = browser.run("document.querySelector('#picture-levels .drawing svg').getAttribute('width')")
    browser.call("Emulation.setDeviceMetricsOverride", width=600, height=900, deviceScaleFactor=1, mobile=False)
    for _attempt in range(100):
        if browser.run("document.querySelector('#picture-levels .drawing svg').getAttribute('width')") != before:
            break
        time.sleep(0.05)
    assert float(browser.run("document.querySelector('#picture-levels .drawing svg').getAttribute('width')")) < 600


def test_the_other_theme_has_other_colours(browser, fleet):
    seen = []
    for dark in (False, True):
        browser.open(url(fleet), dark=dark)
        drawn(browser, "orders")
        fills = "['m0', 'm2', 'm3'].map((name) => { const found = document.querySelector('.map .' + name); return found ? getComputedStyle(found).fill : ''; })"
        seen.append(browser.run(fills))
    assert seen[0][0] != seen[1][0] and seen[0][2] != seen[1][2]


def test_pictures_are_printed(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "orders")
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert visible(browser, ".map svg") and visible(browser, "#picture-levels .drawing svg")
    assert not visible(browser, ".views button") and not visible(browser, ".readout")
    browser.call("Emulation.setEmulatedMedia", media="")
    browser.run(
        "(() => { const width = () => +document.querySelector('#picture-incidents svg').getAttribute('width'); window.seen = [width()];"
        " for (const name of ['beforeprint', 'afterprint']) addEventListener(name, () => window.seen.push(width())); })()"
    )
    assert base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"]).startswith(b"%PDF")
    screen, paper, again = browser.run("window.seen")
    assert paper == 640 and again == screen != paper


def test_without_javascript_there_are_tables(browser, fleet):
    browser.open(url(fleet), script=False)
    browser.run("document.querySelectorAll('#pictures details').forEach((each) => { each.open = true; })")
    tables = [
        browser.run(f"document.querySelector('#picture-{name} table').innerText")
        for name in ("orders", "levels", "incidents", "held")
    ]
    assert (
        "after compaction" in tables[0]
        and "20 Nov 2026" in tables[1]
        and "A disk is full" in tables[2]
        and "slab" in tables[3]
    )
    assert browser.run("document.querySelectorAll('.drawing *').length") == 0


def test_nothing_of_others_is_markup_in_a_picture(browser, fleet):
    browser.open(url(fleet))
    drawn(browser, "incidents")
    assert any(each.startswith(SHOWN + ": ") for each in titles(browser))
    browser.open(url(fleet, node="ill"))
    assert SHOWN in text(browser, ".node")
    assert browser.run("document.querySelectorAll('img, iframe, script:not(#data)').length") == 1


@pytest.mark.parametrize("view", ["nodes", "group"])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_in_the_pictures_of_a_large_fleet(browser, axe, racks, view, dark):
    for width in (320, 1280):
        browser.open(url(racks), width=width, dark=dark)
        drawn(browser, "orders")
        browser.click(f".views [data-view={view}]")
        assert axe_says(browser, axe, "#pictures") == []


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_in_surveys(browser, axe, fleet, dark):
    for width in (320, 1280):
        browser.open(url(fleet), width=width, dark=dark)
        drawn(browser, "held")
        assert axe_says(browser, axe, "#pictures") == []
        browser.open(url(fleet, node="ill"), width=width, dark=dark)
        assert axe_says(browser, axe, "main") == []


def axe_says(browser, axe, selector):
    browser.run(axe + ";0")
    return browser.run(
        f"axe.run({json.dumps(selector)}, {{ resultTypes: ['violations'] }}).then((found) => found.violations.flatMap((each) =>"
        " each.nodes.map((node) => each.id + ': ' + node.html.slice(0, 120))))"
    )
