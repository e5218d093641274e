# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the scenario: ``run.py [--part PART] [--memory MIB] NAME...``, or ``run.py all``.

A machine whose kernel or emulator died gets another boot and begins again; one that failed a check does not. Needs Molecule in
the environment of its interpreter, and the programs of tests/tools/programs.py, MACHINES.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import lab

ROOT = lab.SCENARIO.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import environment  # noqa: E402

RECORDS = lab.CACHE / "records"
ATTEMPTS = 3
# molecule/kernels/PART.yml and what it is about; the template of vars.yml's lab_numbers has its numbers.
PARTS = {
    "fleet": "audit, tuning and remediation, as a fleet goes through them",
    "blocks": "what a compaction is promised to bring, who is in the way, and who takes the pageblocks",
    "large": "what a compaction is promised to bring on a machine of 8 GiB",
}
# MiB, where a part is not about the machines as molecule.yml has them.
MEMORY = {"large": 8192}


def molecule(command: str, kernels: list[str]) -> bool:
    """Whether ``molecule command`` went well for these machines."""
    environ = dict(
        os.environ,
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"]),
        MEMFRAG_KERNELS=" ".join(kernels),
        # Lines as wide as they are: Molecule breaks them for a terminal of 80 columns where there is none.
        COLUMNS=os.environ.get("COLUMNS", "200"),
        ANSIBLE_COLLECTIONS_PATH=str(environment.collections()),
        MOLECULE_GLOB="molecule/kernels/molecule.yml",
        MOLECULE_EPHEMERAL_DIRECTORY=str(lab.CACHE / "molecule"),
    )
    argv = [sys.executable, "-m", "molecule", command, "--scenario-name", "kernels"]
    return subprocess.run(argv, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, check=False).returncode == 0


def passed(name: str) -> bool:
    return (RECORDS / f"{name}.passed").exists()


def attempt(kernels: list[str]) -> tuple[bool, dict[str, str]]:
    """-> whether all has gone well, and which machines died of what."""
    shutil.rmtree(RECORDS, ignore_errors=True)
    platforms = lab.platforms()
    # Molecule creates nothing anew that it has created before.
    molecule("destroy", kernels)
    if not molecule("create", kernels):
        return False, {}
    well = molecule("converge", kernels)
    casualties = {name: died for name in kernels if not passed(name) and (died := lab.dead(platforms[name]))}
    for name in casualties:
        shutil.copy(platforms[name].run / "console.log", lab.CACHE / f"{name}.died.log")
    well = molecule("verify", [name for name in kernels if passed(name)] if casualties else kernels) and well
    return well, casualties


def main() -> int:
    machines = list(lab.platforms())
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="*", default=["all"], help=", ".join([*machines, "all"]))
    about = "; ".join(f"{part}: {words}" for part, words in PARTS.items())
    parser.add_argument("--part", choices=tuple(PARTS), default="fleet", help=about)
    parser.add_argument(
        "--memory", metavar="MIB", type=int, help="boot the machines with so much memory in place of their own"
    )
    asked = parser.parse_intermixed_args()
    names, memory = asked.names, asked.memory or MEMORY.get(asked.part)
    os.environ["MEMFRAG_PART"] = asked.part
    if memory:
        os.environ[lab.MEMORY] = str(memory)
    kernels = machines if "all" in names else names
    unknown = sorted(set(kernels) - set(machines))
    if unknown:
        parser.error(f"no machine {', '.join(unknown)}; there are {', '.join(machines)}")
    started, well = time.monotonic(), False
    try:
        for _attempt in range(ATTEMPTS):
            well, casualties = attempt(kernels)
            kernels = [name for name in kernels if not passed(name)]
            if well or not casualties or set(kernels) - set(casualties):
                break
            for name, reason in casualties.items():
                print(f"{name} died: {reason}. It gets another boot.", file=sys.stderr)
    finally:
        molecule("destroy", machines)
    minutes = (time.monotonic() - started) / 60
    print(f"{'All machines have passed' if well else 'FAILED: ' + ', '.join(kernels)} after {minutes:.1f} minutes")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
