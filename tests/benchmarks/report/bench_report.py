# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report costs: CPU and memory to make it, bytes per node, and how soon a browser shows it.

The browser's measure is a plain table of the same nodes with one SVG rectangle per zone and order, in the same run.

usage: python3 tests/benchmarks/report/bench_report.py [--hosts 10000] [--no-browser]      exits with 1 if a target is missed
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path[:0] = [os.path.join(ROOT, "tests", "fixtures"), os.path.join(ROOT, "tests", "browser")]

import build_roots  # noqa: E402
import chromium  # noqa: E402

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts  # noqa: E402
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess  # noqa: E402
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal  # noqa: E402
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node  # noqa: E402
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records  # noqa: E402

# name: (target, unit)
TARGETS = {
    "CPU for all formats": (3.0, "s per 10,000 nodes"),
    "report.html per healthy node": (0.5, "KB"),
    "first frame against SVG rectangles": (0.1, "x"),
    "search": (200, "ms"),
    "sort": (200, "ms"),
    "report.html, every tenth node sick": (8, "MB per 10,000 nodes"),
    "300 nodes: first frame against all": (1.0, "x"),
    "300 nodes: search": (200, "ms"),
    "300 nodes: sort": (200, "ms"),
}

SICK = (
    "6.1.0-56-cloud-amd64/fragmented",
    "6.1.0-56-cloud-amd64/fragmented-pipes",
    "6.1.0-56-cloud-amd64/oom-highorder",
    "5.10.0-46-cloud-amd64/numa-fragmented",
)


def records(directory: str, count: int) -> None:
    """Nodes that are well, with the sizes of large machines: real captures with other numbers in them."""
    chance = random.Random(1)
    seen = []
    for capture in ("6.1.0-56-cloud-amd64/healthy", "5.10.0-46-cloud-amd64/numa-healthy"):
        with tempfile.TemporaryDirectory() as root:
            facts = _facts.collect(Node(build_roots.build(capture, root + "/root")))
        facts["collected_at"] = "2026-11-20T06:00:00Z"
        seen.append((json.dumps(facts), assess(facts)))
    for number in range(count):
        text, assessment = seen[number % 2]
        facts = json.loads(text)
        for zone in facts["zones"]:
            zone["managed_pages"] = (zone["managed_pages"] or 0) * 300
            zone["free_blocks"] = [
                count + chance.randrange(60000 >> order) for order, count in enumerate(zone["free_blocks"])
            ]
        facts["meminfo"]["memtotal"] = 131072000 + chance.randrange(9999)
        record = {
            "schema_version": 1,
            "host": f"node{number:05}.rack{number % 300:03}.example.net",
            "groups": ["k8s", f"rack{number % 300:03}"],
            "status": "audited",
            "error": None,
            "started_at": f"2026-11-20T06:{number // 60 % 60:02}:{number % 60:02}Z",
            "duration_seconds": 0.7,
            "assessment": assessment,
            "journal": {"events": [], "incidents": [], "counts": {}, "sources": []},
            "facts": facts,
        }
        _records.write(directory, "r1", record)


def sick(directory: str, count: int) -> None:
    """Every tenth node is sick, with logs that say so: real captures and logs under other names."""
    records(directory, count)
    texts = []
    for capture, log in zip(SICK, ["frag_oom_order3_free1.5G", "frag_paf_order4", "cgroup_oom", None], strict=True):
        with tempfile.TemporaryDirectory() as scratch:
            node = Node(build_roots.build(capture, scratch + "/root"))
            facts, messages = _facts.collect(node), os.path.join(scratch, "root", "var", "log", "messages")
            os.makedirs(os.path.dirname(messages))
            with open(messages, "w", encoding="utf-8") as target:
                if log:
                    with open(os.path.join(ROOT, "tests/fixtures/report", log + ".messages"), encoding="utf-8") as said:
                        target.write(said.read())
            found = journal.collect(node, {"files": ["/var/log/messages"], "since": "2026-10-01T00:00:00Z"})
        texts.append(json.dumps({"facts": facts, "journal": found, "assessment": assess(facts, found)}))
    run = os.path.join(directory, "r1")
    for number, name in enumerate(sorted(os.listdir(run))[::10]):
        with open(os.path.join(run, name), encoding="utf-8") as stream:
            record = json.load(stream)
        record.update(json.loads(texts[number % len(texts)].replace("NODE", record["host"])))
        _records.write(directory, "r1", record)


def make(directory: str, report: str) -> dict[str, float]:
    """In a process of its own, as the controller's fork is one."""
    code = (
        "import resource, sys, time\n"
        "from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _report\n"
        "begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "_report.make([sys.argv[1]], sys.argv[2], run_id='r1')\n"
        "print(time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, before / 1024)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, directory, report], check=True, capture_output=True, text=True
    ).stdout
    cpu, peak, before = map(float, out.split())
    return {"cpu": cpu, "peak": peak, "before": before}


def rectangles(report: str, path: str) -> None:
    """The same nodes as anybody would write them down first."""
    with (
        open(os.path.join(report, "report.json"), encoding="utf-8") as stream,
        open(path, "w", encoding="utf-8") as page,
    ):
        page.write("<!doctype html><meta charset=utf-8><title>rectangles</title><table>")
        for host in json.load(stream)["hosts"]:
            page.write(f"<tr><td>{host['host']}<td>{host['level']}<td>{host['summary']}<td><svg width=330 height=80>")
            for line, zone in enumerate(host["measured"]["zones"]):
                for order, free in enumerate(zone["free_blocks"]):
                    shade = min(99, free.bit_length() * 6)
                    page.write(
                        f'<rect x="{30 * order}" y="{20 * line}" width="29" height="19" fill="hsl(10 60% {shade}%)">'
                        f"<title>order {order}: {free}</title></rect>"
                    )
            page.write("</svg>")
        page.write("</table>")


def first_frame(browser: chromium.Chromium, path: str) -> float:
    """Milliseconds from the navigation to the first frame after the page has been loaded."""
    browser.call("Page.navigate", url="about:blank")
    begun = time.monotonic()
    browser.call("Page.navigate", url="file://" + path)
    while browser.run("document.readyState + location.protocol") != "completefile:":
        time.sleep(0.01)
    browser.settle()
    return (time.monotonic() - begun) * 1000


def answer(browser: chromium.Chromium, action: str) -> float:
    """Milliseconds until the list shows the outcome."""
    return browser.run(
        f"(async () => {{ const begun = performance.now(); {action}; document.body.offsetHeight;"
        " await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));"
        " return performance.now() - begun; })()"
    )


def put(key: str, event: str, value: str) -> str:
    return (
        f"const input = document.querySelector('.tools [data-key={key}]'); input.value = '{value}';"
        f" input.dispatchEvent(new Event('{event}'))"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10000)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    chromium.PATIENCE = 600
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        store, report = os.path.join(directory, "records"), os.path.join(directory, "report")
        records(store, options.hosts)
        small = os.path.join(directory, "small")
        records(small, 500)
        cost, base = make(store, report), make(small, small + "-report")
        bytes_ = {name: os.path.getsize(os.path.join(report, name)) for name in sorted(os.listdir(report))}
        html = bytes_["report.html"] - os.path.getsize(os.path.join(small + "-report", "report.html"))
        measured["CPU for all formats"] = cost["cpu"] * 10000 / options.hosts
        measured["report.html per healthy node"] = html / (options.hosts - 500) / 1024
        print(
            f"{options.hosts} nodes: {cost['cpu']:.2f} s CPU, {cost['peak']:.0f} MB (500 nodes: {base['peak']:.0f} MB)"
        )
        print("  " + ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in bytes_.items()))
        ill = os.path.join(directory, "ill")
        sick(ill, options.hosts)
        make(ill, ill + "-report")
        size = os.path.getsize(os.path.join(ill + "-report", "report.html")) / 1e6
        measured["report.html, every tenth node sick"] = size * 10000 / options.hosts
        few = os.path.join(directory, "few")
        sick(few, 300)
        make(few, few + "-report")
        executable = None if options.no_browser else chromium.find()
        if executable:
            plain = os.path.join(directory, "rectangles.html")
            rectangles(report, plain)
            browser = chromium.Chromium(executable)
            frames = {}
            pages = {"report": report, "300 nodes": few + "-report", "rectangles": plain}
            for name, path in pages.items():
                path = path if path.endswith(".html") else os.path.join(path, "report.html")
                first_frame(browser, os.path.join(small + "-report", "report.html"))
                frames[name] = first_frame(browser, path)
                if name != "rectangles":
                    prefix = "" if name == "report" else name + ": "
                    times = [answer(browser, put("q", "input", word)) for word in ("rack07", "node 0499", "")]
                    measured[prefix + "search"] = max(times)
                    times = [answer(browser, put("sort", "change", word)) for word in ("name", "memory", "kernel")]
                    measured[prefix + "sort"] = max(times)
            browser.close()
            measured["300 nodes: first frame against all"] = frames["300 nodes"] / frames["report"]
            measured["first frame against SVG rectangles"] = frames["report"] / frames["rectangles"]
            print("  first frame: " + ", ".join(f"{name} {value:.0f} ms" for name, value in frames.items()))
        elif not options.no_browser:
            print("  no browser: install the Debian package chromium")
    missed = 0
    for name, value in measured.items():
        target, unit = TARGETS[name]
        missed += value > target
        print(f"{name:40} {value:8.3f} {unit}, target {target:g}{'   MISSED' if value > target else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
