# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes that audit themselves and leave their records on a share; a report of all of them, among which some lie.

usage: pull.py [--hosts 20] [--tools 20]

The node tool, as it is installed, runs for the first --tools nodes; the others have what one of those has seen, under their own name.
ansible-playbook must be on PATH, and the collection in ANSIBLE_COLLECTIONS_PATH and PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import engines
import nodes

sys.path.insert(0, str(nodes.ROOT / "tests" / "tools"))

import usage
from slices import SINCE, expect, table

from ansible_collections.kernelops.memfrag.plugins.module_utils import _install, _record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--tools", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memfrag-pull-") as name:
        work = pathlib.Path(name)
        roots = nodes.make_roots(work)
        tool, share = work / "memfrag", work / "share"
        # As it is where it was installed by the Python that runs it.
        tool.write_bytes(_install.build(sys.executable, compiled=True))
        hosts = nodes.names(options.hosts)
        for host in hosts:
            (share / host).mkdir(parents=True, mode=0o700)
        costs = [
            audit(tool, share / host, host, roots[index % len(roots)])
            for index, host in enumerate(hosts[: options.tools])
        ]
        print(
            f"node: {1000 * statistics.mean(cost[0] for cost in costs):.0f} ms of CPU, {max(cost[1] for cost in costs) / 1024:.0f} MB at most,"
            f" record {statistics.mean(cost[2] for cost in costs) / 1024:.1f} kB"
        )
        killed(tool, share / hosts[0], hosts[0], roots[0])
        for index, host in enumerate(hosts[options.tools :]):
            source = hosts[index % options.tools]
            record = json.loads((share / source / f"{source}.json").read_text(encoding="utf-8"))
            (share / host / f"{host}.json").write_text(_record.text(dict(record, host=host)), encoding="utf-8")
        lies = plant(share, hosts)
        report(work, share, hosts, lies)
    print("pull: 1 passed, 0 failed")


def command(tool: pathlib.Path, place: pathlib.Path, host: str, root: pathlib.Path) -> list[str]:
    # As its first line says it; kernels read no more than 127 characters of one.
    return [
        sys.executable,
        "-Es",
        str(tool),
        "audit",
        "--root",
        str(root),
        "--name",
        host,
        "--since",
        SINCE,
        "--output",
        str(place),
    ]


def audit(tool: pathlib.Path, place: pathlib.Path, host: str, root: pathlib.Path) -> tuple[float, int, int]:
    """-> (CPU seconds, peak memory in kB, bytes of the record)"""
    used = usage.of(command(tool, place, host, root))
    about = (place / f"{host}.json").stat()
    if used.status or about.st_mode & 0o777 != 0o600:
        sys.exit(f"{host}: status {used.status}, mode {about.st_mode:o}")
    return used.cpu_seconds, used.peak_kb, about.st_size


def killed(tool: pathlib.Path, place: pathlib.Path, host: str, root: pathlib.Path) -> None:
    """Whenever it is killed, there is one whole record afterwards."""
    for delay in (0.05, 0.15, 0.25, 0.3, 0.35, 0.4):
        process = subprocess.Popen(command(tool, place, host, root), stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        json.loads((place / f"{host}.json").read_text(encoding="utf-8"))
    audit(tool, place, host, root)
    expect("files after six runs that were killed and one that was not", os.listdir(place), [f"{host}.json"])


def plant(share: pathlib.Path, hosts: list[str]) -> int:
    """What nodes in other hands would leave. -> how many of it are to be skipped"""
    good = json.loads((share / hosts[0] / f"{hosts[0]}.json").read_text(encoding="utf-8"))
    # One speaks of another, in its own directory and under the other's name; of itself under the other's name.
    (share / hosts[0] / f"{hosts[1]}.json").write_text(_record.text(dict(good, host=hosts[1])), encoding="utf-8")
    (share / "liar").mkdir()
    (share / "liar" / "liar.json").write_text(_record.text(dict(good, host=hosts[1])), encoding="utf-8")
    broken = {
        "cut": _record.text(dict(good, host="cut"))[:5000],
        "wrong": _record.text(dict(good, host="wrong", facts=dict(good["facts"], zones=[{"node": "x"}]))),
        "deep": "[" * 100000,
        "large": "x" * (9 << 20),
    }
    for name, text in broken.items():
        (share / name).mkdir()
        (share / name / f"{name}.json").write_text(text, encoding="utf-8")
    (share / "pipe").mkdir()
    os.mkfifo(share / "pipe" / "pipe.json")
    return 2 + len(broken) + 1


def report(work: pathlib.Path, share: pathlib.Path, hosts: list[str], lies: int) -> None:
    engine = engines.Playbook(work, 5, {})
    job = engine.start(
        "report",
        "report",
        work / "merge",
        {"all": {"hosts": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": engine.python}}}},
        {
            "memfrag_collected_dirs": [str(share)],
            "memfrag_report_hosts": hosts,
            "memfrag_report_dir": str(work / "report"),
        },
    )
    job.expect_success()
    seen = json.loads((work / "report" / "report.json").read_text(encoding="utf-8"))
    rows = sorted(host["host"] for host in seen["hosts"])
    expect("rows of the report", len(rows), len(hosts))
    expect("each node once", rows == hosts, True)
    expect("audited", seen["coverage"]["audited"], len(hosts))
    expect("named and skipped", len(seen["skipped_records"]), lies)
    table({"report": job}, {"report": len(hosts)})


if __name__ == "__main__":
    main()
