# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of "memfrag metrics" costs this machine: CPU time of the process from its start to its end, by the kernel's account of it.

usage: bench_metrics.py [--runs 100] [--interpreter /usr/bin/python3] [CHECKOUT...]

Needs root. Of each checkout, this one if none is named, the tool is installed as the role does it, and run as its timer does, writing for
the textfile collector; the first run, which finds nothing of an earlier one, does not count. With several checkouts their runs
alternate, so that all of them meet the same machine. /var/lib/memfrag and /var/log are empty directories in a mount namespace of the
benchmark's own, with a log that gets some lines of nothing between the runs: the node's own files stay as they are.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
OWN = ("/var/lib/memfrag", "/var/log")
LOG = "/var/log/syslog"
INSIDE = "MEMFRAG_BENCHMARK_INSIDE"
INSTALL = """\
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.kernelops.memfrag.plugins.module_utils import _install
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
_install.install(WritableNode(), sys.argv[2], sys.executable)
"""


class Cost(t.NamedTuple):
    """Seconds of CPU, and the most memory, in kB."""

    user: float
    system: float
    memory: int

    @property
    def cpu(self) -> float:
        return self.user + self.system


def cost(argv: list[str]) -> Cost:
    """Of a command with all that it waits for."""
    child = os.fork()
    if not child:
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 1)
        os.execv(argv[0], argv)
    status, used = os.wait4(child, 0)[1:]
    if status:
        sys.exit(f"{' '.join(argv)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(used.ru_utime, used.ru_stime, used.ru_maxrss)


def row(name: str, costs: list[Cost]) -> str:
    cpu = sorted(each.cpu for each in costs)
    values = [cpu[len(cpu) // 2], cpu[len(cpu) * 9 // 10], cpu[0]]
    values += [sorted(getattr(each, part) for each in costs)[len(costs) // 2] for part in ("user", "system")]
    figures = "".join(f"{value * 1000:10.1f}" for value in values)
    return f"{name:44}{figures}{max(each.memory for each in costs) / 1024:10.1f}"


def installed(checkout: pathlib.Path, interpreter: str, place: pathlib.Path) -> str:
    """-> the path of the tool"""
    package = place / "ansible_collections" / "kernelops"
    package.mkdir(parents=True)
    (package / "memfrag").symlink_to(checkout.resolve())
    tool = place / "sbin" / "memfrag"
    tool.parent.mkdir(0o755)
    subprocess.run([interpreter, "-c", INSTALL, str(place), str(tool)], check=True)
    return str(tool)


def reading(path: str, times: int) -> float:
    """Milliseconds of the kernel for one reading of a file, the median."""
    spent = []
    for _number in range(times):
        descriptor = os.open(path, os.O_RDONLY)
        before = time.process_time()
        while os.read(descriptor, 65536):
            pass
        spent.append(time.process_time() - before)
        os.close(descriptor)
    return sorted(spent)[times // 2] * 1000


def compare(options: argparse.Namespace) -> None:
    # Below a directory that nobody else can write, or root would not run it.
    with tempfile.TemporaryDirectory(dir="/root") as place:
        commands = {}
        for number, checkout in enumerate(options.checkouts):
            tool = installed(checkout, options.interpreter, pathlib.Path(place, str(number)))
            prom = pathlib.Path(place, str(number), "prom")
            prom.mkdir()
            commands[str(checkout)] = [tool, "metrics", "--textfile", str(prom)]
        commands["Python alone"] = [options.interpreter, "-EsS", "-c", "pass"]
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        with open(LOG, "a", encoding="utf-8") as log:
            for run in range(options.runs + 1):
                for name, argv in commands.items():
                    log.write("Nov 26 10:00:00 node17 systemd[1]: Started a unit that is of no interest.\n" * 20)
                    log.flush()
                    spent = cost(argv)
                    if run:
                        costs[name].append(spent)
    print(f"{'ms of CPU, ' + str(options.runs) + ' runs':44}{'median':>10}{'90 %':>10}{'least':>10}", end="")
    print(f"{'user':>10}{'system':>10}{'MB':>10}")
    for name in commands:
        print(row(name[-43:], costs[name]))
    for path in ("/proc/pagetypeinfo", "/proc/slabinfo"):
        print(f"{'of it the kernel, for ' + path:44}{reading(path, options.runs):10.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--interpreter", default="/usr/bin/python3")
    parser.add_argument("checkouts", metavar="CHECKOUT", nargs="*", type=pathlib.Path, default=[CHECKOUT])
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("the tool is root's, and so is this")
    if INSIDE not in os.environ:
        os.execvpe("unshare", ["unshare", "--mount", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})
    fresh = [path for path in OWN if not os.path.isdir(path)]
    for path in OWN:
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path], check=True)
    compare(options)
    for path in fresh:
        subprocess.run(["umount", path], check=True)
        os.rmdir(path)


if __name__ == "__main__":
    main()
