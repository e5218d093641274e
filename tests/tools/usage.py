# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command costs, with all that it has started."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import typing as t

# A process begins with the peak memory of the one that has started it (fs/exec.c, exec_mmap), so that one is small.
_LAUNCHER = """\
import os, sys
child = os.fork()
if not child:
    os.execvp(sys.argv[2], sys.argv[2:])
status, usage = os.wait4(child, 0)[1:]
with open(sys.argv[1], "w") as stream:
    print(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=stream)
"""


class Usage(t.NamedTuple):
    status: int
    cpu_seconds: float
    peak_kb: int
    said: str


def of(command: list[str], **variables: str) -> Usage:
    """Runs it -> CPU of all its processes, peak memory of the largest one (at least the 9 MB of what starts it), and what it has printed."""
    with tempfile.NamedTemporaryFile("r") as told:
        said = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, told.name, *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **variables},
        ).stdout
        status, cpu, peak = told.read().split()
    return Usage(os.waitstatus_to_exitcode(int(status)), float(cpu), int(peak), said.decode(errors="replace"))
