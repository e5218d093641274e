# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""axe finds nothing in any state of report.html, in both themes, from a phone's width to a wide screen's."""

from __future__ import annotations

import urllib.parse

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records, _report
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import (
    FRAGMENTED,
    HEALTHY,
    HOSTILE,
    facts_of,
    journal_of,
    make_record,
)

NUMA = "5.10.0-46-cloud-amd64/numa-fragmented"
WIDTHS = (320, 390, 1280, 1920)

# What axe says of each finding, as one line.
RUN = """axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations.flatMap((each) =>
    each.nodes.map((node) => each.id + ': ' + node.target.join(' ') + ' ' + node.html.slice(0, 120))))"""


def mixed():
    yield make_record("ill", FRAGMENTED, journal=journal_of("plain"), groups=["web"])
    yield make_record("numa", NUMA, groups=["db"])
    yield make_record("dead", None)
    yield make_record("broken", None, status="failed", error="Missing sudo password")
    yield make_record("blind", FRAGMENTED, facts=facts_of(HEALTHY, ("buddyinfo", "zoneinfo")), assessment=None)
    yield from (make_record(f"well{number}", groups=["web"]) for number in range(12))
    yield from (make_record(f"well{number}", groups=["web"], day=13, run="r1") for number in range(12))
    yield make_record("ill", day=13, run="r1")


def hostile():
    yield make_record(HOSTILE, FRAGMENTED, journal=journal_of(HOSTILE), groups=[HOSTILE])
    yield make_record("node" * 60, groups=["node" * 60])
    yield make_record("web\u202e10", None, error=HOSTILE)


FLEETS = {
    "mixed": mixed,
    "one": lambda: [make_record("localhost", FRAGMENTED, journal=journal_of("plain"))],
    "well": lambda: [make_record(f"well{number}") for number in range(3)],
    "failed": lambda: [make_record(f"dead{number}", None) for number in range(3)],
    "unassessed": lambda: [make_record("a", FRAGMENTED, assessed=False), make_record("b", assessed=False)],
    "hostile": hostile,
}

# Fleet and address; "script": False for readers without it.
STATES = {
    "list": ("mixed", {}),
    "node": ("mixed", {"node": "ill"}),
    "node with two NUMA nodes": ("mixed", {"node": "numa"}),
    "node of which nothing is known": ("mixed", {"node": "dead"}),
    "node that could not be read": ("mixed", {"node": "blind"}),
    "comparison": ("mixed", {"from": "r1", "to": "r2"}),
    "nothing fits": ("mixed", {"q": "no such node"}),
    "lost link": ("mixed", {"node": "gone"}),
    "one host": ("one", {}),
    "all well": ("well", {}),
    "all failed": ("failed", {}),
    "not assessed": ("unassessed", {}),
    "hostile names": ("hostile", {}),
}


@pytest.fixture(name="page", scope="module")
def page_fixture(tmp_path_factory):
    made = {}

    def page(fleet):
        if fleet not in made:
            directory = tmp_path_factory.mktemp(fleet)
            with pytest.MonkeyPatch.context() as patch:
                if fleet == "unassessed":
                    patch.setattr(_report, "_assess", lambda policy: None)
                for record in FLEETS[fleet]():
                    _records.write(str(directory / "records"), record.pop("run", "r2"), record)
                report = _report.make([str(directory / "records")], str(directory / "report"), ["html"], run_id="r2")
            made[fleet] = "file://" + urllib.parse.quote(report.files["html"])
        return made[fleet]

    return page


def findings(browser, axe):
    """In both themes and all widths; the page is opened once, for it is axe that takes the time."""
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    browser.run(axe + ";0")
    found = {}
    for dark in (False, True):
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.call("Emulation.setEmulatedMedia", media="", features=[theme])
        for width in WIDTHS:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
            browser.call("Emulation.setDeviceMetricsOverride", **size)
            browser.settle()
            browser.settle()
            for line in browser.run(RUN):
                found.setdefault(line, []).append(f"{'dark' if dark else 'light'} {width}")
    return found


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(browser, axe, page, state):
    fleet, address = STATES[state]
    fragment = "#" + urllib.parse.urlencode(address, quote_via=urllib.parse.quote)
    browser.open(page(fleet) + fragment, width=WIDTHS[0])
    assert findings(browser, axe) == {}


@pytest.mark.parametrize("fleet", FLEETS)
def test_axe_finds_nothing_in_what_stands_there_without_the_script(browser, axe, page, fleet):
    browser.open(page(fleet), width=WIDTHS[0], script=False)
    # The page's own script has not run and will not; axe needs timers.
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.run("!!document.querySelector('#static')")
    assert findings(browser, axe) == {}


def test_axe_would_find_something(browser, axe, page):
    browser.open(page("mixed"))
    browser.run("document.querySelector('main').append(document.createElement('button'))")
    assert any(each.startswith("button-name") for each in findings(browser, axe))
