# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the scenario, and again if the machine's kernel or emulator died on the way; a check that fails is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import stack

ROOT = stack.SCENARIO.parents[1]
ATTEMPTS = 3


def molecule(command: str) -> bool:
    environ = dict(
        stack.environ(),
        COLUMNS=os.environ.get("COLUMNS", "200"),
        MOLECULE_GLOB="molecule/monitoring/molecule.yml",
        MOLECULE_EPHEMERAL_DIRECTORY=str(stack.CACHE / "molecule"),
    )
    argv = [sys.executable, "-m", "molecule", command, "--scenario-name", "monitoring"]
    return subprocess.run(argv, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, check=False).returncode == 0


def main() -> int:
    well, began = False, time.monotonic()
    try:
        for _attempt in range(ATTEMPTS):
            molecule("destroy")
            began = time.monotonic()
            well = molecule("create") and molecule("converge") and molecule("verify")
            died = None if well else stack.machine_died()
            if well or not died:
                break
            print(f"The machine died: {died}. It gets another boot.", file=sys.stderr)
    finally:
        molecule("destroy")
    timeline = Path(stack.CACHE / "timeline.txt")
    if timeline.exists():
        print(timeline.read_text(encoding="utf-8"), end="")
    print(f"{'The loop is closed' if well else 'FAILED'} after {(time.monotonic() - began) / 60:.1f} minutes")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
