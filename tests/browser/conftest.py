# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A browser for all tests, and reports in it."""

from __future__ import annotations

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "fixtures"))
sys.path.insert(0, HERE)

import chromium  # noqa: E402


@pytest.fixture(name="browser", scope="session")
def browser_fixture():
    executable = chromium.find()
    if not executable:
        # What CI is there for is not to be skipped there.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no browser: install the Debian package chromium")
    browser = chromium.Chromium(executable)
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def clean(browser):
    """Whatever a test does: no error, no dialog, no request but for the file itself."""
    yield
    assert browser.errors == []
    assert [each for each in browser.requests if not each.startswith(("file:", "data:", "about:"))] == []
    assert len({each.split("#")[0] for each in browser.requests if each.startswith("file:")}) <= 1


@pytest.fixture(name="axe", scope="module")
def axe_fixture():
    path = os.environ.get("AXE", "")
    if not os.path.isfile(path):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no axe: the session browser of nox brings it")
    with open(path, encoding="utf-8") as stream:
        return stream.read()
