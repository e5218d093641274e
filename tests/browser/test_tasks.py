# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody comes for who opens the report of 10,000 nodes at three in the morning, and how many actions it takes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
import urllib.parse

import crowd
import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _report

MANY = 10000
SIZES = [(1280, 900), (390, 844)]

# The middle of an element, if all of it is on the screen and nothing lies above it.
PLACE = """((found) => {
    if (!found) return null;
    const box = found.getBoundingClientRect(), x = box.left + Math.min(box.width, 400) / 2, y = box.top + box.height / 2;
    const seen = box.width > 0 && box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth + 1;
    const top = seen && document.elementFromPoint(x, y);
    return top && (found.contains(top) || top.contains(found)) ? [x, y] : null;
})"""


class Hand:
    """Somebody with a mouse or a thumb: counts what they do. A click reaches what is on the screen; scrolling to the rest is an action."""

    def __init__(self, browser):
        self.browser = browser
        self.actions = []

    def click(self, selector):
        self.scroll(selector)
        place = self._place(selector)
        assert place, f"{selector} cannot be pointed at"
        for kind in ("mousePressed", "mouseReleased"):
            self.browser.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )
        self._look()
        self.actions.append(f"click {selector}")

    def scroll(self, selector):
        """To what is not on the screen yet."""
        if self._place(selector):
            return
        found = self.browser.run(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            " found?.scrollIntoView({block: 'center'}); return !!found; })()"
        )
        assert found, f"there is no {selector}"
        self._look()
        self.actions.append(f"scroll to {selector}")

    def _look(self):
        """Until the page is at rest: the map follows the list a moment later, and nobody clicks faster."""
        self.browser.run("new Promise((done) => setTimeout(done, 250))")
        self.browser.settle()

    def _place(self, selector):
        return self.browser.run(f"{PLACE}(document.querySelector({json.dumps(selector)}))")

    def sees(self, selector, words):
        """Whether the first such element with these words is on the screen as it stands."""
        return self.browser.run(
            f"{PLACE}([...document.querySelectorAll({json.dumps(selector)})].find("
            f"(each) => each.innerText.includes({json.dumps(words)}))) !== null"
        )


@pytest.fixture(name="report", scope="module")
def report_fixture(tmp_path_factory):
    """-> (address of report.html, report.json)"""
    directory = tmp_path_factory.mktemp("crowd")
    crowd.write(str(directory / "records"), MANY)
    made = _report.make(
        [str(directory / "records")], str(directory), ["html", "json"], run_id="today", options=["-i", "inventory"]
    )
    with open(made.files["json"], encoding="utf-8") as stream:
        return "file://" + urllib.parse.quote(made.files["html"]), json.load(stream)


@pytest.fixture(name="hand", params=SIZES, ids=lambda size: str(size[0]))
def hand_fixture(request, browser, report):
    width, height = request.param
    browser.open(report[0], width=width, height=height)
    # The map comes a moment after the list.
    for _attempt in range(100):
        if browser.run("!!document.querySelector('#picture-orders .drawing table')"):
            break
        time.sleep(0.05)
    return Hand(browser)


@pytest.fixture(name="pasted")
def pasted_fixture(browser, tmp_path):
    """A function that pastes what was copied into a shell, and returns the words that the command got."""
    for name in ("ansible", "ansible-playbook"):
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])

    def paste():
        text = browser.run("navigator.clipboard.readText()")
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        run = subprocess.run(
            ["bash", "-c", text], env={"PATH": path}, capture_output=True, text=True, check=True, timeout=20
        )
        return run.stdout.splitlines()

    return paste


def test_the_command_for_what_is_most_urgent(hand, report, pasted):
    hand.click("#actions .card:first-child .command button")
    words = pasted()
    worst = report[1]["actions"][0]
    assert worst["count"] == MANY // crowd.RACKS and worst["hosts"][0] == report[1]["hosts"][0]["host"]
    assert words == shlex.split(worst["command"]) and worst["hosts"][0] in words[1].split(",")
    assert len(hand.actions) <= 3, hand.actions


def test_the_command_for_the_worst_group(hand, report, pasted):
    """By the map, which has the groups, the worst first."""
    hand.click("#picture-orders .parts tbody tr:first-child a")
    hand.click(".asked .command button")
    words = pasted()
    worst = [host for host in report[1]["hosts"] if "rack11" in host["groups"]]
    assert words[:1] == ["ansible"] and words[1].split(",") == [host["host"] for host in worst][:100]
    assert words[-2:] == ["-m", "ansible.builtin.reboot"] and words[2:4] == ["-i", "inventory"]
    assert len(hand.actions) <= 3, hand.actions


def worse_since_last_week(report):
    """Of those that are shown as worse: at most so many in one go."""
    ranks = ["low", "unknown", "medium", "high", "critical"]
    return [
        host["host"]
        for host in report["hosts"]
        if ranks.index(host["level"]) > ranks.index(host["history"][0]["level"])
    ]


def test_who_got_worse_since_last_week(hand, report):
    # The picture of the levels has the runs; the first is last week's.
    hand.click("#picture-levels svg a")
    outcome = hand.browser.run("document.querySelector('#compare .outcome').innerText")
    worse = worse_since_last_week(report[1])
    assert len(worse) == 2 * (MANY // crowd.RACKS)
    assert f"Worse: {len(worse)}" in outcome
    named = hand.browser.run(
        "[...document.querySelectorAll('#compare .compared')][0].innerText.split('\\n').join(' ').match(/node\\d+/g)"
    )
    assert named and set(named) <= set(worse)
    assert hand.sees(".compared tbody th", named[0])
    assert len(hand.actions) <= 2, hand.actions


def test_who_got_worse_since_the_run_before(hand, report):
    hand.click("a[href='#change=worse']")
    worse = report[1]["changes"]["worse"]
    assert len(worse) == MANY // crowd.RACKS and hand.sees(".list .who b", worse[0])
    assert len(hand.actions) <= 2, hand.actions


def test_the_log_line_that_proves_the_cause(hand, report):
    worst = report[1]["hosts"][0]
    assert worst["host"] in hand.browser.run("document.querySelector('header .lead').innerText")
    hand.click("header .lead a")
    line = "invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=3"
    hand.scroll(".node .log")
    assert hand.sees(".node .log", line)
    assert len(hand.actions) <= 2, hand.actions
