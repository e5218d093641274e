# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools: how each is run on the root of a node, and what it says of it, in the words of cases.py."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import typing as t
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import environment  # noqa: E402
import system  # noqa: E402
import usage  # noqa: E402

INSIGHTS, HOTSOS = "insights-core==3.8.4", "hotsos==1.30.post8"


@dataclasses.dataclass
class Run:
    cpu: float
    memory_mb: float
    said: t.Any
    # What it found worth saying, and what it takes that for; None is no word of a cause.
    found: bool = False
    verdict: str | None = None


def _measured(command: list[str]) -> tuple[float, float, str]:
    """-> (CPU seconds, peak memory in MB, what it printed)"""
    used = usage.of(command)
    return used.cpu_seconds, used.peak_kb / 1024, used.said


class Ours:
    """The node tool: the audit of one node, with its log."""

    name = "kernelops.memfrag"

    def __init__(self, work: pathlib.Path) -> None:
        sys.path.insert(0, str(environment.collections()))
        from ansible_collections.kernelops.memfrag.plugins.module_utils import _install

        self._tool = work / "memfrag"
        # As it is where the Python that runs it has installed it.
        self._tool.write_bytes(_install.build(sys.executable, compiled=True))
        self.version = re.search(r"(?m)^version: (\S+)", (ROOT / "galaxy.yml").read_text(encoding="utf-8")).group(1)  # type: ignore[union-attr]

    def run(self, root: pathlib.Path) -> Run:
        command = [sys.executable, "-Es", str(self._tool), "audit", "--root", str(root), "--name", "node", "--json"]
        run = Run(*_measured([*command, "--since", "1970-01-01"]))
        record = json.loads(run.said)
        incidents = (record.get("journal") or {}).get("incidents") or []
        if (root / "var/log/messages").exists():
            run.found = bool(incidents)
            run.verdict = incidents[0]["cause"] if incidents else None
        else:
            action = record["assessment"]["remediation"]["action"] if record["assessment"] else "none"
            run.verdict = {"none": "fine", "add_memory": "short"}.get(action, "fragmented")
            run.found = run.verdict != "fine"
        return run


class Hotsos:
    """Its kernel plugin, with all logs: the one of its plugins that looks at memory."""

    name = "hotsos"
    version = HOTSOS.partition("==")[2]

    def __init__(self, work: pathlib.Path) -> None:
        self._program = environment.ensure("peer-hotsos", [HOTSOS]) / "bin" / "hotsos"

    def run(self, root: pathlib.Path) -> Run:
        run = Run(*_measured([str(self._program), "--kernel", "--all-logs", "--format", "json", str(root)]))
        try:
            said = json.loads(run.said[run.said.index("{") :])
        except ValueError:
            return run
        issues = [
            text
            for plugin in said.values()
            if isinstance(plugin, dict)
            for texts in (plugin.get("potential-issues") or {}).values()
            for text in texts
        ]
        text = "\n".join(map(str, issues))
        if (root / "var/log/kern.log").exists():
            # It counts reports of the OOM killer and says no more of them.
            run.found = "oom-killer" in text
        else:
            run.verdict = "fragmented" if "limited high order memory" in text else "fine"
            run.found = run.verdict != "fine"
        return run


class Insights:
    """Its parsers, by a rule as its documentation writes one: it ships none for memory."""

    name = "insights-core"
    version = INSIGHTS.partition("==")[2]

    def __init__(self, work: pathlib.Path) -> None:
        self._python = environment.ensure("peer-insights", [INSIGHTS]) / "bin" / "python"

    def run(self, root: pathlib.Path) -> Run:
        run = Run(*_measured([str(self._python), str(HERE / "insights_lines.py"), str(root)]))
        lines = [line for line in run.said.splitlines() if line.startswith('{"lines"')]
        run.found = bool(lines and json.loads(lines[-1])["lines"])
        return run


class NodeExporter:
    """One scrape. It reads no logs and judges nothing: its numbers are for rules that somebody else writes."""

    name = "node_exporter"
    _SERIES = re.compile(r"^node_(buddyinfo|zoneinfo|slabinfo|vmstat_(compact|allocstall)|.*extfrag)")

    def __init__(self, work: pathlib.Path, *flags: str) -> None:
        system.require({"prometheus-node-exporter": "prometheus-node-exporter"}, "a comparison with node_exporter")
        self._flags = flags
        said = subprocess.run(
            ["prometheus-node-exporter", "--version"],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ).stdout
        self.version = said.split()[2]
        if flags:
            self.name = "node_exporter, collectors on"

    def run(self, root: pathlib.Path) -> Run:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [
            "prometheus-node-exporter",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--path.procfs={root}/proc",
            *self._flags,
        ]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        said, until = "", time.monotonic() + 30
        while not said and time.monotonic() < until:
            try:
                said = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20).read().decode()
            except OSError:
                time.sleep(0.05)
        with open(f"/proc/{process.pid}/status", encoding="ascii") as stream:
            peak = next(int(line.split()[1]) for line in stream if line.startswith("VmHWM"))
        process.send_signal(signal.SIGTERM)
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        series = [line for line in said.splitlines() if self._SERIES.match(line)]
        return Run(used.ru_utime + used.ru_stime, peak / 1024, series, bool(series))
