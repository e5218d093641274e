# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at old and odd nodes, each for real, in a namespace of its own, and says what is reported there.

usage: odd_nodes.py [--json] [--busybox PATH] [CASE ...]        as root; needs a statically linked busybox for one of them

A node is looked at by the node tool, which is the library of the modules in one file: ``memfrag audit`` writes the record that an audit by
Ansible would have written. EXPECTED has what must be in it; the table of the documentation (support_guide.rst) is made of the same cases.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "tools"), str(ROOT / "tests" / "fixtures")]

import build_roots  # noqa: E402
import environment  # noqa: E402
import interpreters  # noqa: E402

CAPTURE = "6.1.0-56-cloud-amd64/fragmented"
# What gVisor has of /proc (pkg/sentry/fsimpl/proc/tasks.go): none of it says anything of free blocks.
SANDBOX = ("cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "stat", "sys", "uptime", "version")


class Case(t.NamedTuple):
    about: str
    prepare: str  # shell, in the namespaces; the tool is run where it ends
    run: str
    zones: bool  # whether the free lists are read
    level: str | None  # of the assessment, None for any
    unavailable: tuple[str, ...]  # what has to be named as not readable, at least


TOOL = "{python} -Es {tool} audit --json --name odd --no-journal"

CASES = {
    "bare": Case("a node as it is", "true", TOOL, True, None, ()),
    "read-only-root": Case(
        "everything mounted read-only",
        "mount -o remount,bind,ro / ; mount -o remount,bind,ro /sys ; mount -o remount,bind,ro /proc",
        TOOL,
        True,
        None,
        (),
    ),
    "hidepid": Case(
        "/proc with hidepid=2, as a user",
        "mount -t proc -o hidepid=2 proc /proc",
        "{as_user} " + TOOL,
        True,
        None,
        ("slabinfo",),
    ),
    "subset-pid": Case(
        "/proc with subset=pid",
        "mount -t proc -o subset=pid proc /proc",
        TOOL,
        False,
        "unknown",
        ("buddyinfo", "zoneinfo", "meminfo"),
    ),
    "no-sys": Case("no /sys at all", "mount -t tmpfs none /sys", TOOL, True, None, ()),
    "no-proc": Case("no /proc at all", "mount -t tmpfs none /proc", TOOL, False, "unknown", ("buddyinfo",)),
    "sandbox": Case(
        "a sandbox like gVisor",
        "true",
        TOOL + " --root {trees}/sandbox",
        False,
        "unknown",
        ("buddyinfo", "zoneinfo", "vmstat"),
    ),
    "no-zoneinfo": Case("no /proc/zoneinfo", "true", TOOL + " --root {trees}/no-zoneinfo", True, None, ("zoneinfo",)),
    "no-pagetypeinfo": Case(
        "no /proc/pagetypeinfo, as without root",
        "true",
        TOOL + " --root {trees}/no-pagetypeinfo",
        True,
        None,
        ("pagetypeinfo",),
    ),
    "only-buddyinfo": Case(
        "/proc/buddyinfo and nothing else", "true", TOOL + " --root {trees}/only-buddyinfo", True, None, ("zoneinfo",)
    ),
    "busybox": Case(
        "a userland of busybox alone, no systemd",
        "true",
        "chroot {trees}/busybox env LD_LIBRARY_PATH=/python/lib PATH=/bin "
        + TOOL.replace("{python}", "/python/bin/python3"),
        True,
        None,
        (),
    ),
}


def build_trees(trees: Path, busybox: str | None, python: Path) -> None:
    build_roots.build(CAPTURE, str(trees / "no-zoneinfo"), without=("zoneinfo",))
    build_roots.build(CAPTURE, str(trees / "no-pagetypeinfo"), without=("pagetypeinfo",))
    whole = Path(build_roots.build(CAPTURE, str(trees / "whole")))
    for name, kept in (("sandbox", SANDBOX), ("only-buddyinfo", ("buddyinfo",))):
        for path in whole.joinpath("proc").iterdir():
            if path.name in kept and path.is_file():
                (trees / name / "proc").mkdir(parents=True, exist_ok=True)
                shutil.copy(path, trees / name / "proc")
    if busybox:
        root = trees / "busybox"
        for folder in ("bin", "lib", "lib64", "usr/lib", "proc", "sys", "dev", "tmp", "etc", "python"):
            (root / folder).mkdir(parents=True)
        shutil.copy(busybox, root / "bin" / "busybox")
        subprocess.run([str(root / "bin" / "busybox"), "--install", "-s", str(root / "bin")], check=True)
        for link in (root / "bin").iterdir():
            if link.is_symlink():
                link.unlink()
                link.symlink_to("busybox")


def script(case: Case, words: dict[str, str], busybox: bool) -> str:
    lines = ["set -e", "mount --make-rprivate /", case.prepare.format(**words)]
    if busybox:
        tree = words["trees"] + "/busybox"
        for source, there in (
            ("/lib", "lib"),
            ("/lib64", "lib64"),
            ("/usr/lib", "usr/lib"),
            (words["prefix"], "python"),
        ):
            lines.append(f"[ ! -d {source} ] || mount --rbind {source} {tree}/{there}")
        lines += [
            f"mount -t proc proc {tree}/proc",
            f"mount --rbind /sys {tree}/sys",
            f"cp {words['tool']} {tree}/tool",
        ]
        words = dict(words, tool="/tool")
    lines.append(case.run.format(**words))
    return "\n".join(lines)


def look(name: str, words: dict[str, str]) -> dict[str, t.Any]:
    """-> what the record of a case has to say; RuntimeError with what was said where there is none."""
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script(CASES[name], words, name == "busybox")]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", errors="replace", timeout=120)
    found = re.search(r"^\{.*\}\s*$", done.stdout, re.MULTILINE | re.DOTALL)
    if not found:
        raise RuntimeError(f"{name}: status {done.returncode}: {(done.stderr or done.stdout).strip()[-600:]}")
    record = json.loads(found.group())
    facts, assessment = record.get("facts") or {}, record.get("assessment") or {}
    return {
        "case": name,
        "about": CASES[name].about,
        "error": record.get("error"),
        "status": record["status"],
        "zones": len(facts.get("zones") or []),
        "level": assessment.get("level"),
        "findings": [finding["id"] for finding in assessment.get("findings") or []],
        "unavailable": sorted(facts.get("unavailable") or {}),
    }


def wrong(name: str, seen: dict[str, t.Any]) -> list[str]:
    """-> what is not as it must be."""
    case = CASES[name]
    faults = []
    if seen["status"] != "audited":
        faults.append(f"status is {seen['status']}")
    if bool(seen["zones"]) != case.zones:
        faults.append(f"{seen['zones']} zones")
    if case.level and seen["level"] != case.level:
        faults.append(f"level is {seen['level']}, and must be {case.level}")
    if seen["level"] == "low" and not case.zones:
        faults.append("calm without a reason")
    missing = set(case.unavailable) - set(seen["unavailable"])
    if missing:
        faults.append(f"{', '.join(sorted(missing))} not named as unavailable")
    return [f"{name}: {fault}" for fault in faults]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--busybox", default=shutil.which("busybox"), help="one that is linked statically")
    parser.add_argument("cases", nargs="*", default=[], metavar="CASE", help=", ".join(CASES))
    arguments = parser.parse_args()
    sys.path.insert(0, str(environment.collections()))
    from ansible_collections.kernelops.memfrag.plugins.module_utils import _install

    pythons = interpreters.find()
    newest = Path(pythons[list(pythons)[-1]]).resolve()
    faults, table = [], []
    with tempfile.TemporaryDirectory(prefix="memfrag-odd-") as scratch:
        os.chmod(scratch, 0o755)
        tool = Path(scratch, "memfrag")
        tool.write_bytes(_install.build("/usr/bin/env python3"))
        trees = Path(scratch, "trees")
        build_trees(trees, arguments.busybox, newest)
        words = {"tool": str(tool), "trees": str(trees), "prefix": str(newest.parents[1])}
        words["as_user"] = "setpriv --reuid 65534 --regid 65534 --clear-groups"
        runs = [(name, newest) for name in arguments.cases or CASES] + (
            [] if arguments.cases else [("bare", Path(path)) for path in pythons.values()]
        )
        for name, python in runs:
            if name == "busybox" and not arguments.busybox:
                print("busybox: left out, there is none (busybox-static)", file=sys.stderr)
                continue
            try:
                # A user cannot look into root's home.
                python = Path("/usr/bin/python3") if name == "hidepid" else python
                seen = look(name, dict(words, python=str(python)))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                faults.append(str(error))
                continue
            seen["python"] = subprocess.check_output(
                [str(python), "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"], encoding="utf-8"
            ).strip()
            table.append(seen)
            faults += wrong(name, seen)
    for seen in table:
        if arguments.json:
            print(json.dumps(seen))
        else:
            print(
                f"{seen['case']:16} {seen['python']:8} {seen['zones']:2} zones  {str(seen['level']):8} "
                f"without: {', '.join(seen['unavailable']) or '-'}"
            )
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
