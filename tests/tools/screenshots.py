# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Screenshots of the sample report for README and documentation, docs/screenshots: both themes, and a phone's width.

usage: python3 tests/tools/screenshots.py [REPORT.html [DIRECTORY]]      needs Chromium and Pillow; the session "screenshots" of nox has them
"""

from __future__ import annotations

import os
import sys
import tempfile
import urllib.parse

from paths import ROOT
from PIL import Image

sys.path.insert(0, str(ROOT / "tests" / "browser"))

import chromium

# name: (width, height, dark, state of the page as its address has it)
PICTURES = {
    "fleet": (1280, 1240, False, ""),
    "fleet-dark": (1280, 1240, True, ""),
    "node": (1280, 1240, False, "node=k8s-node-02"),
    "phone": (390, 844, False, ""),
    "phone-node-dark": (390, 844, True, "node=k8s-node-02"),
}
# Of a picture in the repository. Text on plain ground needs few colours.
MOST_BYTES, COLOURS = 150_000, 128


def take(browser: chromium.Chromium, report: str, name: str, path: str) -> None:
    width, height, dark, state = PICTURES[name]
    browser.open("file://" + urllib.parse.quote(report) + ("#" + state if state else ""), width, height, dark)
    # Pictures are drawn a moment after the list.
    browser.run("new Promise((done) => setTimeout(done, 400))")
    browser.settle()
    with tempfile.TemporaryDirectory() as scratch:
        raw = os.path.join(scratch, "raw.png")
        browser.screenshot(raw)
        with Image.open(raw) as image:
            few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(path, optimize=True)
    size = os.path.getsize(path)
    print(f"{path}: {size:,} bytes")
    if size > MOST_BYTES:
        raise SystemExit(f"{path}: more than {MOST_BYTES:,} bytes")


def main() -> None:
    report = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "docs" / "examples" / "report" / "report.html")
    directory = sys.argv[2] if len(sys.argv) > 2 else str(ROOT / "docs" / "screenshots")
    executable = chromium.find()
    if not executable:
        raise SystemExit("no browser: install the Debian package chromium")
    os.makedirs(directory, exist_ok=True)
    browser = chromium.Chromium(executable)
    try:
        for name in PICTURES:
            take(browser, os.path.abspath(report), name, os.path.join(directory, name + ".png"))
    finally:
        browser.close()


if __name__ == "__main__":
    main()
