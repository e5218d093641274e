# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the books of a remediation on the controller: paths, marks, limit, kill switch, report. No node is spoken to here."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import typing as t
from collections.abc import Iterator

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import (
    _marks,
    _paths,
    _records,
    _remediation,
    _shapes,
    _variables,
)

RUN_ID_FORMAT = "%Y%m%dT%H%M%SZ-remediate"
KILL_SWITCH = "/etc/memfrag/disable"
BOOKS = "remediation.jsonl"
TEXT = "remediation.txt"

_ON, _OFF = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")
# What the roll-out goes by in a line of the books.
_ENTRY = _shapes.Fields(
    {
        "host": _shapes.Text(4096),
        "outcome": _shapes.OneOf(*_remediation.OUTCOMES),
        "reason": _shapes.Text(_shapes.LONGEST_TEXT),
        "taken": _shapes.Bool(),
    },
    others=False,
)

# Whatever else the kill switch is set to is a file.
WORDS = (*_ON, *_OFF)

# The documentation of the options is in plugins/modules/memfrag_remediation.py.
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "step": {
        "type": "str",
        "required": True,
        "choices": ["enter", "prepare", "open", "ask", "take", "give_back", "note", "close"],
    },
    "records_dir": {"type": "path", "default": "./memfrag-audit"},
    "report_dir": {"type": "path"},
    "run_id": {"type": "str"},
    "before": {"type": "path"},
    "after": {"type": "path"},
    "reclaim": {"type": "str", "choices": list(_remediation.RECLAIM), "default": "all"},
    "limit": {"type": "str"},
    "kill_switch": {"type": "str"},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "run": {"type": "dict"},
    "remedy": {"type": "dict"},
    "remedies": {"type": "list", "elements": "dict", "default": []},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    # Nothing here needs the connection that delegate_to would open.
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _variables.refuse_facts(task_vars)
        options = self.validate_argument_spec(argument_spec=ARGUMENTS)[1]
        options = json.loads(json.dumps(options))
        host = str((task_vars or {}).get("inventory_hostname", ""))
        try:
            if options["step"] == "enter":
                # All that there is to it has been asked of this host above.
                found: dict[str, t.Any] = {}
            elif options["step"] == "prepare":
                found = _prepare(options, bool(self._task.check_mode))
            else:
                if not options["run"]:
                    raise AnsibleActionFail(f"step {options['step']} needs run, what the step prepare has returned")
                found = getattr(Books(options["run"]), options["step"])(host, options)
        except (_records.RecordError, _remediation.RemediationError) as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(f"The step {options['step']} failed: {error}") from error
        result.update({"changed": False, **found})
        return result


def _prepare(options: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Everything that the run goes by, paths made absolute; nothing has been done yet, so that what is wrong is told now."""
    records_dir = _paths.absolute(options["records_dir"])
    run: dict[str, t.Any] = {
        "records_dir": records_dir,
        "before": _hook("memfrag_remediate_before", options["before"]),
        "after": _hook("memfrag_remediate_after", options["after"]),
        "reclaim": options["reclaim"],
        "limit": _remediation.limit_of(options["limit"], len(options["hosts"])),
        "kill_switch": options["kill_switch"] or KILL_SWITCH,
        "check_mode": check_mode,
        "process": os.getppid(),
    }
    started = time.time()
    while True:
        run["run_id"] = options["run_id"] or time.strftime(RUN_ID_FORMAT, time.gmtime(started))
        directory = _records.run_directory(records_dir, run["run_id"])
        run["report_dir"] = _paths.absolute(options["report_dir"] or directory)
        if Books(run).begin():
            break
        if options["run_id"] or options["report_dir"]:
            raise _remediation.RemediationError(
                f"another remediation goes on that keeps its books in {run['report_dir']}:"
                " give this one a memfrag_run_id, or memfrag_report_dir, of its own"
            )
        # Two that were started at once, for two parts of the fleet.
        started += 1
    _marks.sweep(records_dir)
    _records.sweep(run["report_dir"], time.time())
    marks = _marks.standing(records_dir, run["process"])
    asked_for = set(options["hosts"])
    run["taken"] = [mark.host for mark in marks if mark.host in asked_for and not mark.busy]
    run["give_back"] = run["taken"] if run["after"] and not check_mode else []
    return {"run": run}


def _hook(variable: str, path: str | None) -> str | None:
    if not path:
        return None
    path = _paths.absolute(path)
    if not os.path.isfile(path):
        raise _remediation.RemediationError(f"{variable}: there is no file {path}")
    return path


def kill_switch(value: str) -> str | None:
    """What the kill switch says, or None where it is off: a truth, or a file that is there. What cannot be looked at counts as on."""
    word = value.strip().lower()
    if word in _ON:
        return "the kill switch is on (memfrag_kill_switch)"
    path = KILL_SWITCH if word in _OFF else _paths.absolute(value)
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"the kill switch {path} cannot be looked at: {error.strerror}"
    reason = ""
    with contextlib.suppress(_records.RecordError):
        reason = _records.load_text(path, errors="replace").partition("\n")[0][:200].strip()
    return _remediation.sentence(f"the kill switch {path} is on: {reason or 'no reason given'}")


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
        reason = _remediation.held_back(others, self.about["limit"], kill_switch(self.about["kill_switch"]))
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
        return _records.load_lines(os.path.join(self.directory, BOOKS), _ENTRY)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """One process at a time; the lock ends with its process, and the file stays for the next one: it says whose the books are."""
        self._make_directory()
        descriptor = os.open(os.path.join(self.directory, ".remediation.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)
