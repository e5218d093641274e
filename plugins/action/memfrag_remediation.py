# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the books of a remediation on the controller: paths, marks, limit, kill switch, report. No node is spoken to here."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import (
    _books,
    _kill_switch,
    _marks,
    _paths,
    _records,
    _remediation,
    _variables,
)

RUN_ID_FORMAT = "%Y%m%dT%H%M%SZ-remediate"
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
                found = getattr(_books.Books(options["run"]), options["step"])(host, options)
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
        "kill_switch": options["kill_switch"] or _kill_switch.PATH,
        "check_mode": check_mode,
        "process": os.getppid(),
    }
    started = time.time()
    while True:
        run["run_id"] = options["run_id"] or time.strftime(RUN_ID_FORMAT, time.gmtime(started))
        directory = _records.run_directory(records_dir, run["run_id"])
        run["report_dir"] = _paths.absolute(options["report_dir"] or directory)
        if _books.Books(run).begin():
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
