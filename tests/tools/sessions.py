# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs sessions of noxfile.py: ``sessions.py [--jobs N] [SESSION ...]``; without a name, all that test.

Named sessions get make's ``ARGS``, quoted as in a shell, and take every Python. Ends with a line that counts the sessions.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys

import environment
import interpreters
from paths import CACHE, ROOT

NOX = "nox~=2026.10"
# nox begins the output of a session so: "========== ✓ lint: success, 2 minutes ==========".
SESSION = re.compile(r"=+ \S+ ([^:]+): (\w+)")
# Colours, and the gutter that molecule puts before the lines of the playbooks it runs.
DRESS = re.compile(r"\x1b\[[\d;]*m|^\s*│ ?")
# How pytest, ansible-test, molecule, Python and Ansible say what is wrong.
WRONG = re.compile(
    r"FAILED (?!- RETRYING)|ERROR: |FATAL: |AssertionError|E {3}|nox > .*(?:failed|Error)|task path: |(?:fatal|failed): \["
)
# What follows a task that failed, where results are printed as YAML.
DETAIL = re.compile(r" +(?:assertion|msg|stderr): ")
SAID_AT_MOST = 12


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default="1", help="sessions at a time")
    parser.add_argument("sessions", nargs="*")
    arguments = parser.parse_args()
    folder = environment.ensure("nox", [NOX])
    environment.complete(interpreters.find())
    report = CACHE / "report.json"
    if report.exists():
        report.unlink()
    command = [str(folder / "bin" / "python"), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py")]
    command += ["--non-interactive", "--report", str(report), "--parallel", arguments.jobs, "--allow-parallel"]
    if arguments.sessions:
        command += ["--session"] + arguments.sessions + ["--"] + shlex.split(os.environ.get("GIVEN_ARGS", ""))
        os.environ.setdefault("EVERY_PYTHON", "1")
    status, wrong = run(command)
    if not report.exists():
        sys.exit(status)
    sessions = json.loads(report.read_text())["sessions"]
    for session, lines in wrong.items():
        print(f"\n{session}:", *lines[-SAID_AT_MOST:], sep="\n  ")
    closing_line([session["result"] for session in sessions])
    sys.exit(status)


def run(command):
    """Run and show it -> (exit status, {session that failed: what it said of that}): an hour's output is long, its end is read."""
    wrong, lines = {}, []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            begins = SESSION.match(line)
            if begins:
                name, result = begins.groups()
                lines = [] if result in ("success", "skipped") else wrong.setdefault(name, [])
            else:
                note(DRESS.sub("", DRESS.sub("", line)).rstrip()[:300], lines)
    return process.returncode, wrong


def note(line, lines):
    """Add the line to those that say what is wrong, if it does."""
    of_a_task = bool(lines) and (lines[-1].startswith(("fatal: ", "failed: ")) or bool(DETAIL.match(lines[-1])))
    if WRONG.match(line) or (of_a_task and DETAIL.match(line)):
        lines.append(line)


def closing_line(results):
    passed = results.count("success")
    skipped = results.count("skipped")
    print("%d passed, %d failed, %d skipped" % (passed, len(results) - passed - skipped, skipped), flush=True)


if __name__ == "__main__":
    main()
