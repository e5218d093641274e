# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change changes for users: records, reports, metrics and exit statuses of all captures, before and after.

usage: python3 tests/tools/compare_versions.py BEFORE [AFTER] [--captures DIR] [--snapshots FILE] [--allow REGEX]

BEFORE and AFTER are commits; without AFTER it is the checkout as it stands. Both get the same input, that of this checkout, and the same
clock. What differs is printed by its place, how often and with an example; the exit status is 1 if anything does that is not allowed.
More input: --captures takes trees in which folders with a ``buddyinfo`` are captures as those below tests/fixtures/captures, --snapshots a
JSON list of {"id", "files": {name below /proc: text}}. --allow is searched for in a place, once per intended change.

Needs a Python 3.10 with ansible-core, as .nox/units-... has one; no node is looked at.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import html.parser
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import typing as t

from paths import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
# 2026-11-20T06:00:00Z, by which every version tells the time.
NOW = 1795154400
STARTED = {"r0": "2026-11-19T06:00:00Z", "r1": "2026-11-20T06:00:00Z"}
POLICIES: dict[str, dict[str, t.Any]] = {
    "": {},
    "-strict": {"spare_blocks": 400, "unmovable_percent": 5, "slab_percent": 3, "available_percent": 40},
}
# So much is shown of a value.
SHOWN = 120


# --- one version -------------------------------------------------------------------------------------------------------------


class _Page(html.parser.HTMLParser):
    """A report as its reader has it: the lines of text, and the data that its script draws from."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.data: t.Any = None
        self._within: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._within.append((tag, ("type", "application/json") in attrs))

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1][0] == tag:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if self._within:
            if self._within[-1][1]:
                self.data = json.loads(data)
        elif data.strip():
            self.lines.append(" ".join(data.split()))


def _roots(captures: list[str], snapshots: str | None, scratch: pathlib.Path) -> t.Iterator[tuple[str, str]]:
    """(name, root tree) of every machine, one tree at a time."""
    import build_roots

    root = str(scratch / "root")
    for base in (build_roots.CAPTURES, *captures):
        for folder in sorted(str(path.parent) for path in pathlib.Path(base).rglob("buddyinfo")):
            name = os.path.relpath(folder, base)
            yield f"{pathlib.Path(base).name}/{name}", build_roots.build(name, root, captures=base)
    if snapshots:
        for number, snapshot in enumerate(json.loads(pathlib.Path(snapshots).read_text(encoding="utf-8"))):
            tree = f"{root}-{number}"
            for name, text in snapshot["files"].items():
                build_roots.write(tree, "proc/" + name, text)
            yield f"snapshots/{snapshot['id']}", tree


def _dmesg(captures: list[str], name: str) -> str:
    """The kernel's log that was kept with a capture."""
    for base in (str(FIXTURES / "captures"), *captures):
        path = pathlib.Path(base, name.partition("/")[2], "dmesg.txt")
        if path.exists():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""


def _tool(*arguments: str) -> dict[str, t.Any]:
    from ansible_collections.kernelops.memfrag.plugins.module_utils import _tool as tool

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = tool.main(list(arguments))
        except SystemExit as end:
            status = end.code
    try:
        said = json.loads(out.getvalue())
    except ValueError:
        said = out.getvalue().splitlines()
    return {"exit_status": status, "says": said, "errors": err.getvalue().splitlines()}


def produce(captures: list[str], snapshots: str | None) -> dict[str, t.Any]:
    """All that the version on the path makes of the input. Runs in a folder of its own; paths in results are relative to it."""
    of_seconds = time.gmtime
    time.time = lambda: float(NOW)
    time.gmtime = lambda seconds=NOW: of_seconds(seconds)
    from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
    from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
    from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal
    from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
    from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records, _report

    scratch = pathlib.Path.cwd()
    found: dict[str, t.Any] = {}
    for name, root in _roots(captures, snapshots, scratch):
        log = pathlib.Path(root, "var/log/messages")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(_dmesg(captures, name), encoding="utf-8")
        logs = journal.collect(Node(root), {"files": ["/var/log/messages"], "since": "1970-01-01T00:00:00Z"})
        for run in STARTED:
            facts = _facts.collect(Node(root), ["all"])
            if run == "r0":
                facts["zones"] = facts["zones"][:1]
            facts["collected_at"] = STARTED[run]
            record = _records.empty(name.replace("/", ":"), [name.split("/")[0]], NOW)
            record.update(status="audited", started_at=STARTED[run], duration_seconds=0.5, facts=facts, journal=logs)
            record["assessment"] = assess(facts, logs)
            found[f"record {run} {name}"] = json.loads(json.dumps(record))
            _records.write("records", run, record)
        found[f"status {name}"] = _tool("status", "--root", root, "--json")
        found[f"text {name}"] = _tool("status", "--root", root)
        found[f"metrics {name}"] = _tool("metrics", "--root", root)
    for path in sorted((FIXTURES / "logs").rglob("*")):
        if path.is_file():
            options = {"files": [str(path)], "since": "1970-01-01T00:00:00Z"}
            found[f"log {path.relative_to(FIXTURES)}"] = json.loads(json.dumps(journal.collect(Node("/"), options)))
    for label, policy in POLICIES.items():
        report = _report.make(["records"], "report", run_id="r1", policy=policy)
        found[f"report{label} summary"] = report.summary
        found[f"report{label} fail_on"] = {word: report.failing([word]) for word in _report.FAIL_ON}
        for name, path in report.files.items():
            text = pathlib.Path(path).read_text(encoding="utf-8")
            if name == "html":
                page = _Page(text)
                found[f"report{label} html"] = {"text": page.lines, "data": page.data}
            else:
                found[f"report{label} {name}"] = json.loads(text) if name == "json" else text.splitlines()
    return found


# --- two of them --------------------------------------------------------------------------------------------------------------


def _run(commit: str | None, arguments: argparse.Namespace, scratch: pathlib.Path) -> dict[str, t.Any]:
    """The results of a commit, None for the checkout; made by a Python of its own."""
    scratch.mkdir()
    collection = scratch / "ansible_collections" / "kernelops" / "memfrag"
    collection.parent.mkdir(parents=True)
    if commit is None:
        collection.symlink_to(ROOT)
    else:
        collection.mkdir()
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", str(collection)], input=packed, check=True)
    work = scratch / "work"
    work.mkdir()
    given = [word for folder in arguments.captures for word in ("--captures", os.path.abspath(folder))]
    if arguments.snapshots:
        given += ["--snapshots", os.path.abspath(arguments.snapshots)]
    paths = os.pathsep.join(map(str, (scratch, FIXTURES, pathlib.Path(__file__).parent)))
    made = scratch / "made.json"
    subprocess.run(
        [sys.executable, __file__, "--produce", str(made), "", *given],
        cwd=work,
        check=True,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0", "TZ": "UTC"},
    )
    return t.cast("dict[str, t.Any]", json.loads(made.read_text(encoding="utf-8")))


_NOTHING = object()


def differences(before: t.Any, after: t.Any, place: str = "") -> t.Iterator[tuple[str, t.Any, t.Any]]:
    """(place, before, after) of each leaf that differs; of lists of another length, the entries that only one has."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(set(before) | set(after)):
            # Numbers are names of nodes and rows of tables.
            named = "[]" if key.isdecimal() else f".{key}"
            yield from differences(before.get(key, _NOTHING), after.get(key, _NOTHING), place + named)
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) == len(after):
            for first, second in zip(before, after, strict=True):
                yield from differences(first, second, place + "[]")
        else:
            kept = [
                collections.Counter(json.dumps(entry, sort_keys=True) for entry in side) for side in (before, after)
            ]
            for entry in kept[0] - kept[1]:
                yield place + "[]", entry, _NOTHING
            for entry in kept[1] - kept[0]:
                yield place + "[]", _NOTHING, entry
    elif before != after:
        yield place, before, after


def _shown(value: t.Any) -> str:
    return "nothing" if value is _NOTHING else json.dumps(value)[:SHOWN]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", nargs="?", help="a commit; the checkout by default")
    parser.add_argument("--captures", action="append", default=[], metavar="DIR")
    parser.add_argument("--snapshots", metavar="FILE")
    parser.add_argument("--allow", action="append", default=[], metavar="REGEX")
    parser.add_argument("--produce", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.produce:
        text = json.dumps(produce(arguments.captures, arguments.snapshots))
        pathlib.Path(arguments.produce).write_text(text, encoding="utf-8")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        before = _run(arguments.before, arguments, pathlib.Path(scratch, "before"))
        after = _run(arguments.after, arguments, pathlib.Path(scratch, "after"))
    kinds: dict[str, list[tuple[str, t.Any, t.Any]]] = {}
    for key in sorted(set(before) | set(after)):
        what = key.split(" ")[0] + (f" {key.split(' ')[1]}" if key.startswith("report") else "")
        for place, old, new in differences(before.get(key, _NOTHING), after.get(key, _NOTHING)):
            kinds.setdefault(what + place, []).append((key, old, new))
    bad = 0
    for place, found in kinds.items():
        allowed = any(re.search(pattern, place) for pattern in arguments.allow)
        bad += not allowed
        key, old, new = found[0]
        print(
            f"{'allowed' if allowed else 'DIFFERS'}  {len(found):6}  {place}\n         {key}: {_shown(old)} -> {_shown(new)}"
        )
    print(f"{len(before)} results before, {len(after)} after; {len(kinds)} places differ, {bad} of them not allowed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
