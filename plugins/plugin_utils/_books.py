# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The books of a remediation on the controller: what has become of each node so far, and who may begin."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from collections.abc import Iterator

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import (
    _kill_switch,
    _marks,
    _records,
    _remediation,
    _shapes,
)

BOOKS = "remediation.jsonl"
TEXT = "remediation.txt"

# What the roll-out goes by in a line of the books.
_LINE = _shapes.Fields(
    {
        "host": _shapes.Text(4096),
        "outcome": _shapes.OneOf(*_remediation.OUTCOMES),
        "reason": _shapes.Text(_shapes.LONGEST_TEXT),
        "taken": _shapes.Bool(),
    },
    others=False,
)


class Books:
    """remediation.jsonl, a line per node, and remediation.txt. They are true at every moment, whatever ends the run.

    Every step but prepare and open is taken by several processes at once, one per host of a batch.
    """

    def __init__(self, run: dict[str, t.Any]) -> None:
        self.about = run
        self.directory = str(run["report_dir"])

    def begin(self) -> bool:
        """Opens empty books; False where another run goes on with these, which its limit and its stop go by."""
        with self._locked() as descriptor:
            about: t.Any = None
            with contextlib.suppress(ValueError, RecursionError):
                about = json.loads(os.pread(descriptor, 4096, 0))
            if isinstance(about, dict) and _marks.goes_on(about, self.about["process"]):
                return False
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_marks.stands_for(self.about["process"])).encode(), 0)
            self.keep([])
            return True

    # --- the steps: (host, options) -> what the task returns

    def open(self, dummy_host: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        remedies = {str(remedy["host"]): remedy for remedy in options["remedies"]}
        # Whoever was lost on the way, a hook's unreachable node for example, is in the report all the same.
        marked = {mark.host: mark for mark in self._standing()}
        for host in options["hosts"]:
            if host not in remedies:
                lost = "the node was lost on the way, before it was audited"
                remedies[host] = _remediation.decide(host, None, None, lost, mark=marked.get(host))
        with self._locked():
            self.keep(list(remedies.values()))
        return {"to_mend": [host for host, remedy in remedies.items() if remedy["go"]]}

    def ask(self, host: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """Before anything is done to the node, and again when its hook has come to an end."""
        with self._locked():
            remedies = self._read()
            others = [remedy for remedy in remedies if remedy["host"] != host]
            return {"remedy": self._may_begin(options["remedy"], others)}

    def take(self, host: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """The same, and the node is this run's then. The mark is on disk before the step ends."""
        with self._locked():
            others = [remedy for remedy in self._read() if remedy["host"] != host]
            remedy = self._may_begin(options["remedy"], others)
            if not remedy["go"] or self.about["check_mode"]:
                return {"remedy": remedy}
            if os.getppid() != self.about["process"]:
                raise _remediation.RemediationError("the run has ended")
            marks = self.about["records_dir"], host, self.about["run_id"], self.about["process"]
            if self.about["after"] and not _marks.put(*marks):
                return {
                    "remedy": {**remedy, "go": False, "outcome": "left_alone", "reason": "another run has taken it"}
                }
            try:
                self.keep([*others, _remediation.begun(remedy)])
            except BaseException:
                # Nothing has been done to it yet, and nothing will be.
                _marks.take_away(self.about["records_dir"], host)
                raise
            return {"remedy": {**remedy, "taken": True}}

    def give_back(self, host: str, dummy_options: dict[str, t.Any]) -> dict[str, t.Any]:
        """The second hook has come to its end."""
        _marks.take_away(self.about["records_dir"], host)
        return {}

    def note(self, host: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        with self._locked():
            self.keep([*(remedy for remedy in self._read() if remedy["host"] != host), options["remedy"]])
        return {}

    def close(self, dummy_host: str, dummy_options: dict[str, t.Any]) -> dict[str, t.Any]:
        with self._locked():
            remedies = self._read()
            lines = self.keep(remedies)
        # So that the summary shows without -v.
        found = {"summary": lines, "report": os.path.join(self.directory, TEXT), "_ansible_verbose_always": True}
        reason = _remediation.verdict(remedies)
        if reason:
            found.update(failed=True, msg=f"{reason} The report is {found['report']}")
        return found

    # --- what they are made of

    def _may_begin(self, remedy: dict[str, t.Any], others: list[dict[str, t.Any]]) -> dict[str, t.Any]:
        if not remedy["go"]:
            return remedy
        reason = _remediation.held_back(others, self.about["limit"], _kill_switch.reason(self.about["kill_switch"]))
        return {**remedy, "go": False, "reason": reason} if reason else remedy

    def _standing(self) -> list[_marks.Mark]:
        return _marks.standing(self.about["records_dir"], self.about["process"])

    def keep(self, remedies: list[dict[str, t.Any]]) -> list[str]:
        """Writes both files; -> the lines of the one for people."""
        self._make_directory()
        remedies = sorted(remedies, key=lambda remedy: str(remedy["host"]))
        lines = _remediation.summary(self.about["run_id"], remedies, self._standing())
        _records.write_file(
            os.path.join(self.directory, BOOKS), (json.dumps(remedy) + "\n" for remedy in remedies), mode=0o600
        )
        _records.write_file(os.path.join(self.directory, TEXT), (line + "\n" for line in lines), mode=0o600)
        return lines

    def _make_directory(self) -> None:
        for path in (str(self.about["records_dir"]), self.directory):
            _records.make_directory(path)

    def _read(self) -> list[dict[str, t.Any]]:
        return _records.load_lines(os.path.join(self.directory, BOOKS), _LINE)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The lock's file stays for the next run: it says whose the books are."""
        self._make_directory()
        with _records.locked(os.path.join(self.directory, ".remediation.lock")) as descriptor:
            yield descriptor
