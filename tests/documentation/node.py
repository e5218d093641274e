# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node to try things on: this machine, with a capture in the place of its memory, in a mount namespace of its own.

Commands run as on a real node, with the real paths. What they read of ``/proc`` and ``/sys`` is the capture's, everything else there is
read-only, and what they write elsewhere goes with the namespace. A write to a file that compacts brings the capture that was made
after a compaction.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

import build_roots  # noqa: E402

BEFORE = "6.1.0-56-cloud-amd64/fragmented-movable"
AFTER = "6.1.0-56-cloud-amd64/fragmented-movable-then-compacted"

# Changes to what is below them are lost with the namespace.
WRITABLE = ("/etc", "/usr/local", "/var", "/srv")
# What a node has and no capture: one NUMA node, no huge pages, no log but for the one that is made here.
FILES = {
    # A guard asks for it, and this machine may be busy.
    "proc/loadavg": "0.10 0.10 0.10 1/200 4711\n",
    "proc/pressure/memory": "".join(f"{kind} avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" for kind in ("some", "full")),
    "sys/devices/system/node/online": "0\n",
    "sys/devices/system/node/node0/cpulist": "0\n",
    "sys/devices/system/node/node0/compact": "",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "0\n",
}
# Directories that the capture has as a whole; of all others, single files.
WHOLE = ("proc/sys/vm", "proc/pressure", "sys/devices/system/node", "sys/kernel/mm")
# Pages of this machine would not fit the capture's.
MACHINES_OWN = ("/proc/kpageflags", "/proc/kpagecount")
COMPACTING = ("proc/sys/vm/compact_memory", "sys/devices/system/node/node0/compact")


def inside() -> list[str]:
    """What to put before a command that is to become such a node by ``become()``. Root is not needed where users may have namespaces."""
    return ["unshare", "--mount", "--map-root-user"] if os.geteuid() else ["unshare", "--mount"]


def become(scratch: Path, log: Path) -> None:
    """Turn this process's mount namespace, which must be its own, into the node's. ``log`` becomes /var/log/messages."""
    mount("--make-rprivate", "/")
    scratch.mkdir()
    mount("-t", "tmpfs", "tmpfs", scratch)
    after = build_roots.build(AFTER, str(scratch / "after"))
    root = Path(build_roots.build(BEFORE, str(scratch / "root")))
    for place, text in FILES.items():
        if not (root / place).exists():
            build_roots.write(str(root), place, text)
    for place in WRITABLE:
        lose_changes(Path(place), scratch)
    mount("-t", "tmpfs", "tmpfs", "/run")
    shutil.copy(log, "/var/log/messages")
    for place in WHOLE:
        if Path("/", place).is_dir():
            mount("--bind", root / place, f"/{place}")
    for path in sorted((root / "proc").rglob("*")):
        there = Path("/") / path.relative_to(root)
        if path.is_file() and there.is_file() and not any(path.is_relative_to(root / whole) for whole in WHOLE):
            mount("--bind", path, there)
    for place in MACHINES_OWN:
        if Path(place).exists():
            mount("--bind", "/dev/null", place)
    for place in ("/proc", "/sys"):
        mount("-o", "remount,bind,ro", place)
    threading.Thread(target=_compact_when_told, args=(root, Path(after)), daemon=True).start()


def lose_changes(place: Path, scratch: Path) -> None:
    """What is written below ``place`` from now on goes with the namespace, and nobody else sees it."""
    layer = scratch / ("layer" + str(place).replace("/", "-"))
    for name in ("upper", "work"):
        (layer / name).mkdir(parents=True)
    options = f"lowerdir={place},upperdir={layer}/upper,workdir={layer}/work"
    mount("-t", "overlay", "overlay", "-o", options, place)


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def _compact_when_told(root: Path, after: Path) -> None:
    asked = [root / place for place in COMPACTING]
    seen = [path.stat().st_mtime_ns for path in asked]
    while True:
        now = [path.stat().st_mtime_ns for path in asked]
        if now != seen:
            seen = now
            for name in ("buddyinfo", "pagetypeinfo", "zoneinfo", "meminfo", "vmstat"):
                # The same file: a rename would leave what is mounted over /proc as it was.
                (root / "proc" / name).write_bytes((after / "proc" / name).read_bytes())
        threading.Event().wait(0.02)
