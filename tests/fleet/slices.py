# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet in slices that run side by side, one of which is killed and run again: nothing is lost, nothing is there twice.

usage: slices.py [--hosts 20] [--slices 4] [--forks 5] [--canned] [--image EXECUTION_ENVIRONMENT]

Without an image each slice is an ansible-playbook, with one it is a job of ansible-runner in a container of its own. Nodes are local ones with
the root of a capture each; with --canned they answer what such a node did, and all that is measured is the controller's.

ansible-playbook (or ansible-runner and podman) must be on PATH, and the collection in ANSIBLE_COLLECTIONS_PATH and PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
import time
import typing as t

import engines
import nodes

RUN_ID = "week47"
SINCE = "2000-01-01"


def expect(what: str, seen: object, wanted: object) -> None:
    if seen != wanted:
        sys.exit(f"{what}: {seen!r}, not {wanted!r}")
    print(f"{what}: {seen!r}", flush=True)


def records(place: pathlib.Path) -> list[str]:
    return sorted(path.stem for path in (place / "records" / RUN_ID).glob("[!.]*.json") if path.name != "report.json")


def table(jobs: dict[str, engines.Job], hosts: dict[str, int]) -> None:
    print(f"{'':12}{'hosts':>7}{'seconds':>9}{'CPU s':>8}{'ms/host':>9}{'peak MB':>9}{'main MB':>9}")
    for name, job in jobs.items():
        each = 1000 * job.cpu_seconds / max(1, hosts[name])
        print(
            f"{name:12}{hosts[name]:7}{job.seconds:9.0f}{job.cpu_seconds:8.1f}{each:9.1f}{job.peak_kb / 1024:9.0f}{job.main_kb / 1024:9.0f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--slices", type=int, default=4)
    parser.add_argument("--forks", type=int, default=5)
    parser.add_argument("--canned", action="store_true")
    parser.add_argument("--image")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memfrag-slices-") as name:
        work = pathlib.Path(name)
        # What the roots and answers are read by runs in a container as root, too.
        roots = nodes.make_roots(work)
        if options.canned:
            nodes.can_answers(work, roots, SINCE)
        mounts = {"fleet": str(work / "fleet")} if options.canned else {}
        engine: t.Any
        if options.image:
            engine = engines.Runner(options.image, work, options.forks, mounts)
        else:
            engine = engines.Playbook(work, options.forks, mounts)
        run(engine, work, roots, options)
    print("slices: 1 passed, 0 failed")


def run(engine: t.Any, work: pathlib.Path, roots: list[pathlib.Path], options: argparse.Namespace) -> None:
    hosts = nodes.names(options.hosts)
    # As job slicing of AWX deals them out.
    parts = {f"slice{index + 1}": hosts[index :: options.slices] for index in range(options.slices)}
    places = {name: work / name for name in parts}

    def start(name: str, ident: str, waits: pathlib.Path | None = None) -> engines.Job:
        """waits: the interpreter of the last node"""
        seen = nodes.inventory(
            parts[name],
            engine.python,
            [engine.inside(root) for root in roots],
            engine.inside(work / "fleet") if options.canned else None,
        )
        if waits:
            seen["all"]["hosts"][parts[name][-1]]["ansible_python_interpreter"] = str(waits)
        variables = {
            "memfrag_run_id": RUN_ID,
            "memfrag_since": SINCE,
            "memfrag_records_dir": engine.inside(places[name] / "records"),
            # The slices' own reports are nobody's.
            "memfrag_report_formats": ["json"],
        }
        return engine.start("audit", ident, places[name], seen, variables)

    victim, waits = list(parts)[1], None
    if not options.image:
        # A few nodes are all done sooner than anybody can look.
        waits = work / "waits"
        waits.write_text("#!/bin/sh\nexec sleep 300\n", encoding="utf-8")
        waits.chmod(0o755)
    jobs = {name: start(name, name, waits if name == victim else None) for name in parts}
    while not records(places[victim]):
        if not jobs[victim]._watcher.is_alive():
            sys.exit(f"{victim} has ended before there was a record:\n{jobs[victim].said()[-3000:]}")
        time.sleep(0.05)
    jobs[victim].kill()
    before = records(places[victim])
    print(f"{victim} was killed with {len(before)} of {len(parts[victim])} records")
    expect("it ended by itself", jobs[victim].wait() == 0, False)
    expect("some of it was lacking", 0 < len(before) < len(parts[victim]), True)
    for name in before:
        # What is there is whole.
        json.loads((places[victim] / "records" / RUN_ID / f"{name}.json").read_text(encoding="utf-8"))
    again = start(victim, f"{victim}-again")
    for name, job in {**jobs, victim: again}.items():
        job.expect_success()
        expect(f"records of {name}", records(places[name]) == sorted(parts[name]), True)
    merged = engine.start(
        "report",
        "report",
        work / "merge",
        {"all": {"hosts": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": engine.python}}}},
        {
            "memfrag_records_dirs": [engine.inside(place / "records") for place in places.values()],
            "memfrag_run_id": RUN_ID,
            "memfrag_report_hosts": hosts,
            "memfrag_report_dir": engine.inside(work / "report"),
        },
    )
    merged.expect_success()
    check(work, hosts, {name: places[name] for name in parts})
    sizes = {name: len(part) for name, part in parts.items()}
    cost = {**jobs, victim: again}
    table({**cost, "merge": merged}, {**sizes, "merge": len(hosts)})
    # The killed one is not in it: it did not do all of its work.
    total = sum(job.cpu_seconds for job in cost.values())
    print(
        f"controller: {1000 * total / len(hosts):.1f} ms of CPU per host, {sum(job.peak_kb for job in cost.values()) / 1024:.0f} MB at most in all"
    )
    carried = [line.split() for path in work.glob("fleet/*.carried") for line in path.read_text().splitlines()]
    if carried:
        there, back = (sum(int(line[index]) for line in carried) / len(carried) / 1024 for index in (0, 1))
        print(f"network: {there:.0f} kB to each node and {back:.1f} kB back, in {len(carried)} round trips")
    one = next(iter(places.values())) / "records" / RUN_ID
    largest = [path.stat().st_size for path in one.glob("[!.]*.json") if path.name != "report.json"]
    print(
        f"record: {sum(largest) / len(largest) / 1024:.1f} kB each; report.html {(work / 'report' / 'report.html').stat().st_size / 1e6:.1f} MB"
    )


def check(work: pathlib.Path, hosts: list[str], places: dict[str, pathlib.Path]) -> None:
    report = json.loads((work / "report" / "report.json").read_text(encoding="utf-8"))
    rows = [host["host"] for host in report["hosts"]]
    expect("rows of the report", len(rows), len(hosts))
    expect("each host once", sorted(rows) == hosts, True)
    expect("audited", report["coverage"]["audited"], len(hosts))
    expect("skipped records", report["skipped_records"], [])
    levels = {host["host"]: host["level"] for host in report["hosts"]}
    kinds = len(nodes.CAPTURES)
    expect(
        "nodes with the same capture have the same level",
        all(levels[name] == levels[hosts[int(name[-5:]) % kinds]] for name in hosts),
        True,
    )
    with open(work / "report" / "report.csv", encoding="utf-8") as stream:
        expect("lines of report.csv", sum(1 for line in stream if line.startswith("node")), len(hosts))


if __name__ == "__main__":
    main()
