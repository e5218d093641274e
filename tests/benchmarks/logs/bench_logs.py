# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What reading logs costs beside the tools that do nothing else: ratios of one run.

usage: bench_logs.py [--size 1e9] [--rounds 3] [--directory DIR] [--journal-remote PROGRAM]

CPU of the process and of all it starts, median of the rounds, against the reference of the same round. The time of Python's own start is
not part of it. The journal needs systemd-journal-remote to be made; without it that row is left out. Ends with 1 when a row misses its target.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
UTILS = HERE.parents[2] / "plugins" / "module_utils"


def _cpu() -> float:
    """Seconds of this process and of those it has waited for; os.times() counts in hundredths."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _library():
    """The collection's library, as a plain package and without an Ansible around it."""
    package = pathlib.Path(tempfile.mkdtemp(prefix="bench-logs-"))
    (package / "memfrag").symlink_to(UTILS, target_is_directory=True)
    sys.path.insert(0, str(package))
    sys.dont_write_bytecode = True
    import importlib

    modules = [
        importlib.import_module("memfrag." + name)
        for name in ("_logs.journal", "_logs.readers", "_logs.gates", "_node")
    ]
    # Loaded with the first report otherwise, when the package is no longer there.
    importlib.import_module("memfrag._logs.reports")
    shutil.rmtree(package)
    return modules


def measure(options: dict[str, object]) -> dict[str, object]:
    """One run in this process."""
    journal, _readers, _gates, node = _library()
    before = _cpu()
    if options.get("kernel_only"):
        state = journal.Journal(node.Node("/"), options, time.time())
        arguments = _readers.journal_arguments(state.node, options["journal_directory"], None, None)
        source = state.begin("journal", "journal", "journal")
        _readers.read_journal_kernel(state.node, arguments, source, state.sink)
        state.sink.flush()
        result = state.result()
    else:
        result = journal.collect(node.Node("/"), options)
    return {
        "cpu": _cpu() - before,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "events": result["counts"]["events"],
        "status": [source["status"] for source in result["sources"]],
    }


def _ours(options: dict[str, object]) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, __file__, "--measure", json.dumps(options)], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)


def _theirs(*commands: list[str]) -> float:
    """CPU of a pipeline whose output goes nowhere. Not straight to /dev/null: grep stops at its first match then."""
    before = _cpu()
    running: list[subprocess.Popen[bytes]] = []
    for command in (*commands, ["cat"]):
        last = len(running) == len(commands)
        running.append(
            subprocess.Popen(
                command,
                stdin=running[-1].stdout if running else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if last else subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"},
            )
        )
    for process in reversed(running):
        process.wait()
    return _cpu() - before


def _prepare(directory: pathlib.Path, size: float, remote: str | None) -> dict[str, pathlib.Path]:
    made = {
        "plain": directory / "messages",
        "gz": directory / "part.gz",
        "xz": directory / "part.xz",
        "journal": directory / "journal",
    }
    generate = [sys.executable, str(HERE / "generate_logs.py")]
    if not made["plain"].exists():
        with made["plain"].open("wb") as stream:
            subprocess.run([*generate, "syslog", str(size)], check=True, stdout=stream)
        os.utime(made["plain"], (1795651200, 1795651200))
    part = directory / "part"
    if not made["gz"].exists():
        with part.open("wb") as stream:
            subprocess.run(["head", "-c", str(int(size / 5)), str(made["plain"])], check=True, stdout=stream)
        for name, program in (("gz", "gzip"), ("xz", "xz")):
            with made[name].open("wb") as stream:
                subprocess.run([program, "-c", str(part)], check=True, stdout=stream)
        part.unlink()
    if remote and not made["journal"].exists():
        made["journal"].mkdir()
        with subprocess.Popen([*generate, "journal", str(size / 2)], stdout=subprocess.PIPE) as source:
            subprocess.run(
                [remote, "-o", str(made["journal"] / "x.journal"), "-"],
                check=True,
                stdin=source.stdout,
                stderr=subprocess.DEVNULL,
            )
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=1e9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=pathlib.Path)
    parser.add_argument(
        "--journal-remote",
        default=shutil.which("systemd-journal-remote") or shutil.which("/lib/systemd/systemd-journal-remote"),
    )
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(json.loads(options.measure))))
        return 0
    _journal, _readers, gates, _node = _library()
    directory = options.directory or pathlib.Path(tempfile.mkdtemp(prefix="bench-logs-"))
    directory.mkdir(parents=True, exist_ok=True)
    made = {name: str(path) for name, path in _prepare(directory, options.size, options.journal_remote).items()}
    literals = [word.decode() for word in gates.KERNEL_GATES + gates.RUNTIME_GATES]
    grep = ["grep", "-F", *[part for literal in literals for part in ("-e", literal)], made["plain"]]
    always = "1970-01-01"
    rows = [
        # what, target, our options, their command
        ("a log file against grep -F with the same literals", 1.5, {"files": [made["plain"]], "since": always}, grep),
        (
            "its last 24 hours against grep on all of it",
            0.6,
            {"files": [made["plain"]], "since": "2026-11-25T00:00:00Z"},
            grep,
        ),
        (".gz against gzip -dc", 1.3, {"files": [made["gz"]], "since": always}, ["gzip", "-dc", made["gz"]]),
        (".xz against xz -dc", 1.5, {"files": [made["xz"]], "since": always}, ["xz", "-dc", made["xz"]]),
    ]
    if pathlib.Path(made["journal"]).exists():
        query = ["journalctl", "-q", "--no-pager", "-D", made["journal"], "_TRANSPORT=kernel", "-o", "short-unix"]
        rows.append(
            (
                "the kernel's part of a journal against journalctl",
                1.5,
                {"journal_directory": made["journal"], "kernel_only": True},
                query,
            )
        )
    missed = 0
    print(f"{'':52}{'ratio':>7}{'target':>8}{'ours':>8}{'theirs':>8}{'memory':>9}{'events':>8}")
    for what, target, ours, theirs in rows:
        pairs = [(_ours(ours), _theirs(theirs)) for _round in range(options.rounds)]
        ratio = statistics.median(float(run["cpu"]) / reference for run, reference in pairs)
        memory = max(int(run["memory"]) for run, _reference in pairs)
        missed += ratio > target or memory > 40
        run = pairs[-1][0]
        print(
            f"{what:52}{ratio:7.2f}{target:8.2f}{statistics.median(float(r['cpu']) for r, _t in pairs):7.2f}s"
            f"{statistics.median(t for _r, t in pairs):7.2f}s{memory:6d} MB{run['events']:8d}"
        )
    if not options.directory:
        shutil.rmtree(directory)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
