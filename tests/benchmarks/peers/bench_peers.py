# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection beside insights-core and hotsos (PyPI) and node_exporter (Debian), as they are shipped, on the same logs and nodes.

usage: bench_peers.py [--sizes 100e6,1e9] [--rounds 3] [--few N] [--shared ../shared] [--only verdicts|costs] [--tools NAME,...]

Verdicts: reports in logs and states of nodes whose truth is known; where ../shared lies beside the checkout, what people posted as well. --few
takes every Nth of those. Costs: CPU with that of all children, and peak memory of the largest process, of whole processes with their start, as
somebody who types the command pays them. Environments are made in .cache; prometheus-node-exporter is Debian's.
"""

from __future__ import annotations

import argparse
import collections
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import typing as t

import cases
import tools

GENERATOR = tools.ROOT / "tests" / "benchmarks" / "logs" / "generate_logs.py"
LONG = 30
COLLECTORS = ("--collector.buddyinfo", "--collector.zoneinfo", "--collector.slabinfo", "--collector.vmstat.fields=.*")
CAPTURE = "6.1.0-56-cloud-amd64/fragmented"


# hotsos looks back from the date of the sosreport: the day after the last line of the log, where that has one.
_STAMP = re.compile(r"(?m)^([A-Z][a-z]{2}) +([0-9]{1,2}) [0-9:]{8} ")
_DATE = "Thu Nov 26 12:00:00 UTC 2026"


def date(log: str) -> str:
    stamps = _STAMP.findall(log)
    return f"Thu {stamps[-1][0]} {stamps[-1][1]} 23:59:59 UTC 2026" if stamps else _DATE


def tree(root: pathlib.Path, files: dict[str, str], tool: t.Any) -> pathlib.Path:
    """The root of a node as an unpacked sosreport has it, with the log where the tool reads it."""
    shutil.rmtree(root, ignore_errors=True)
    when = date(files.get("var/log/messages", ""))
    for place, text in {**files, "sos_commands/date/date": when + "\n"}.items():
        if tool.name == "hotsos":
            place = place.replace("var/log/messages", "var/log/kern.log")
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def right(case: cases.Case, verdict: str | None) -> bool:
    return verdict in case.truth if case.truth else verdict not in cases.MEMORY


def verdicts(title: str, todo: list[cases.Case], contestants: list[t.Any], work: pathlib.Path, verbose: bool) -> None:
    groups = list(dict.fromkeys(case.group for case in todo))
    print(f"\n{title}: right, and (in brackets) what was found worth saying, of all", flush=True)
    for tool in contestants:
        count: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
        for case in todo:
            run = tool.run(tree(work / "case", case.files, tool))
            ok = right(case, run.verdict)
            for index, value in enumerate((ok, run.found, True)):
                count[case.group][index] += value
            if verbose and not ok:
                print(
                    f"    {tool.name}: {case.group}: {case.name}: {run.verdict}, not {sorted(case.truth)}", flush=True
                )
        row = "".join(f"{group}: {count[group][0]} ({count[group][1]}) of {count[group][2]};  " for group in groups)
        print(f"  {tool.name:26}{row}", flush=True)


def costs(label: str, roots: dict[str, pathlib.Path], contestants: list[t.Any], rounds: int) -> None:
    for tool in contestants:
        runs: list[tools.Run] = []
        # What takes minutes is done once.
        while len(runs) < rounds and sum(run.cpu for run in runs) < LONG:
            runs.append(tool.run(roots[tool.name]))
        cpu, memory = statistics.median(run.cpu for run in runs), max(run.memory_mb for run in runs)
        print(f"  {label:28}{tool.name:30}{cpu:8.2f} s{memory:8.0f} MB", flush=True)


def sized(work: pathlib.Path, size: float) -> dict[str, pathlib.Path]:
    """A week of a busy node's syslog; hotsos reads the kernel's lines of it, as rsyslog of Debian writes them to a file of their own."""
    whole = work / "whole"
    with whole.open("wb") as stream:
        subprocess.run([sys.executable, str(GENERATOR), "syslog", str(size)], check=True, stdout=stream)
    roots = {}
    for name in ("kernelops.memfrag", "insights-core", "hotsos"):
        roots[name] = tree(work / name, {}, collections.namedtuple("Named", "name")(name))
        log = roots[name] / "var/log"
        log.mkdir(parents=True)
        if name == "hotsos":
            with (log / "kern.log").open("wb") as stream:
                subprocess.run(["grep", "-F", " kernel: ", str(whole)], check=True, stdout=stream)
            print(f"  {size / 1e6:.0f} MB of log, {(log / 'kern.log').stat().st_size / 1e6:.0f} MB of it the kernel's")
            (log / "syslog").hardlink_to(whole)
        else:
            (log / "messages").hardlink_to(whole)
    return roots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100e6,1e9")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--few", type=int, default=1)
    parser.add_argument("--shared", type=pathlib.Path, default=cases.SHARED, help="what people posted, with its truth")
    parser.add_argument("--only", choices=("verdicts", "costs"))
    parser.add_argument("--tools", default="kernelops.memfrag,insights-core,hotsos,node_exporter")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memfrag-peers-") as name:
        work = pathlib.Path(name)
        readers = [
            tool(work) for tool in (tools.Ours, tools.Insights, tools.Hotsos) if tool.name in options.tools.split(",")
        ]
        exporters = [
            tools.NodeExporter(work, *flags)
            for flags in ((), COLLECTORS)
            if tools.NodeExporter.name in options.tools.split(",")
        ]
        print("versions:", ", ".join(f"{tool.name} {tool.version}" for tool in (*readers, *exporters[:1])), flush=True)
        if options.only != "costs":
            judge(options, readers, work)
        if options.only != "verdicts":
            measure(options, readers, exporters, work)


def judge(options: argparse.Namespace, readers: list[t.Any], work: pathlib.Path) -> None:
    for title, todo in (
        ("causes of what logs say", cases.logs(options.shared)),
        ("states of nodes", cases.states(options.shared)),
    ):
        own, posted = [], []
        for case in todo:
            (own if case.own else posted).append(case)
        verdicts(title, own + posted[:: options.few], readers, work, options.verbose)


def measure(options: argparse.Namespace, readers: list[t.Any], exporters: list[t.Any], work: pathlib.Path) -> None:
    print("\nCPU and peak memory")
    capture = next(case for case in cases.states(options.shared) if case.name == CAPTURE)
    for tool in (*readers, *exporters):
        root = tree(work / "state", capture.files, tool)
        costs("the state of a node", {tool.name: root}, [tool], options.rounds)
    for tool in exporters:
        print(f"  series of memory in blocks of {tool.name}: {len(tool.run(root).said)}")
    for size in map(float, filter(None, options.sizes.split(","))):
        folder = work / f"{size:.0f}"
        folder.mkdir()
        costs(f"{size / 1e6:.0f} MB of log", sized(folder, size), readers, options.rounds)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
