# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets the node of an alert in, or not, and says what became of it. No node is spoken to here."""

from __future__ import annotations

import contextlib
import json
import os
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import (
    _books,
    _kill_switch,
    _ledger,
    _loop,
    _paths,
    _records,
    _variables,
)

RUN_ID_FORMAT = "%Y%m%dT%H%M%SZ-alert"

# The documentation of the options is in plugins/modules/memfrag_loop.py.
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "step": {"type": "str", "required": True, "choices": ["admit", "tell"]},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "records_dir": {"type": "str"},
    "kill_switch": {"type": "str"},
    **{name: {"type": "int", "default": getattr(_loop.Limits(), name)} for name in _loop.Limits.__slots__},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _variables.refuse_facts(task_vars)
        options = self.validate_argument_spec(argument_spec=ARGUMENTS)[1]
        options = json.loads(json.dumps(options))
        known = task_vars or {}
        # Straight from the variables: as an option it would have been a template, written by whoever has written the alert.
        name, run_id = known.get("memfrag_loop_host"), known.get("memfrag_loop_run_id")
        why = _loop.odd_host(name, options["hosts"], known.get("groups") or {})
        if why:
            raise AnsibleActionFail(f"Nothing is done: {why}")
        host = str(name)
        try:
            step = _admit if options["step"] == "admit" else _tell
            found = step(options, host, run_id, bool(self._task.check_mode))
        except _records.RecordError as error:
            raise AnsibleActionFail(f"memfrag_loop_run_id: {error}") from error
        except OSError as error:
            raise AnsibleActionFail(f"The step {options['step']} failed: {error}") from error
        result.update({"changed": False, "host": host, "_ansible_verbose_always": True, **found})
        return result


def _admit(options: dict[str, t.Any], host: str, run_id: t.Any, check_mode: bool) -> dict[str, t.Any]:
    records_dir = _lasting("memfrag_records_dir", options["records_dir"])
    switch = options["kill_switch"] or _kill_switch.PATH
    if switch.strip().lower() not in _kill_switch.WORDS:
        switch = _lasting("memfrag_kill_switch", switch)
    now = time.time()
    if run_id is None:
        run_id = time.strftime(RUN_ID_FORMAT, time.gmtime(now))
    report_dir = _records.run_directory(records_dir, str(run_id))
    ledger = _ledger.Ledger(records_dir)
    with ledger.locked():
        entries = ledger.read()
        if any(entry["run_id"] == run_id for entry in entries):
            reason: str | None = f"there has been a run {run_id}"
        else:
            reason = _kill_switch.reason(switch) or _loop.refusal(ledger.taken(entries), host, now, _limits(options))
            if not check_mode:
                ledger.write([*entries, {"run_id": str(run_id), "host": host, "at": int(now), "refused": reason}], now)
    return {
        "admitted": reason is None,
        "reason": reason,
        "run_id": str(run_id),
        "records_dir": records_dir,
        "report_dir": report_dir,
    }


def _tell(options: dict[str, t.Any], host: str, run_id: t.Any, dummy_check_mode: bool) -> dict[str, t.Any]:
    if not isinstance(run_id, str) or not run_id:
        raise AnsibleActionFail("memfrag_loop_run_id is missing: which run is to be told of?")
    now = began = time.time()
    report = ""
    # What went wrong before there were books is told, too.
    outcome, reason, remedy = _loop.outcome_of(None, host)
    with contextlib.suppress(AnsibleActionFail):
        records_dir = _lasting("memfrag_records_dir", options["records_dir"])
        report = os.path.join(_records.run_directory(records_dir, run_id), _books.TEXT)
        ledger = _ledger.Ledger(records_dir)
        for entry in ledger.read():
            if (entry["run_id"], entry["host"]) == (run_id, host):
                began = entry["at"]
                if entry["refused"] is None:
                    outcome, reason, remedy = _loop.outcome_of(ledger.books(run_id), host)
                else:
                    outcome, reason = _loop.REFUSED, entry["refused"]
    words = _loop.in_words(host, outcome, reason, remedy)
    return {
        "outcome": outcome,
        "summary": words,
        "alert": _loop.alert(host, outcome, words, run_id, report, now, _limits(options)),
        "annotation": _loop.annotation(host, outcome, words, began, now),
    }


def _limits(options: dict[str, t.Any]) -> _loop.Limits:
    return _loop.Limits(**{name: options[name] for name in _loop.Limits.__slots__})


def _lasting(variable: str, path: str | None) -> str:
    """ansible-rulebook runs playbooks in a directory that it removes: what is relative would be lost, or never be found."""
    if not path or not os.path.isabs(os.path.expanduser(os.path.expandvars(path))):
        raise AnsibleActionFail(
            f"Nothing is done: {variable} has to be an absolute path, and is {path!r}. It belongs into the inventory."
        )
    return _paths.absolute(path)
