# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the fleet report on the controller, inside of the process that Ansible started for the task anyway."""

from __future__ import annotations

import datetime
import re
import time
import typing as t

from ansible import constants, context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.policy import PolicyError
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _paths, _records, _report, _variables
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words

# The documentation of the options is in plugins/modules/memfrag_report.py.
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "records_dirs": {"type": "list", "elements": "path"},
    "records_dir": {"type": "path", "default": "./memfrag-audit"},
    "collected_dirs": {"type": "list", "elements": "path", "default": []},
    "run_id": {"type": "str"},
    "report_dir": {"type": "path"},
    "report_formats": {
        "type": "list",
        "elements": "str",
        "choices": list(_report.RENDERERS),
        "default": list(_report.RENDERERS),
    },
    "report_mode": {"type": "str", "default": "0600"},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "fail_on": {"type": "list", "elements": "str", "choices": list(_report.FAIL_ON), "default": []},
    "policy": {"type": "dict", "default": {}},
    "kubernetes_groups": {"type": "list", "elements": "str"},
    "history": {"type": "int", "default": 10},
    "stale_after_hours": {"type": "float", "default": 24},
}

MOST_NAMES = 20


class ActionModule(ActionBase):
    # Nothing here needs the connection that delegate_to would open.
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _variables.refuse_facts(task_vars)
        options = self.validate_argument_spec(argument_spec=ARGUMENTS)[1]
        collected = [_paths.absolute(path) for path in options["collected_dirs"]]
        # Who has only collected, has no records of audits.
        default = [] if collected and "records_dir" not in self._task.args else [options["records_dir"]]
        directories = [_paths.absolute(path) for path in options["records_dirs"] or default]
        try:
            report_dir = _report_dir(options, directories or collected)
            _records.sweep(report_dir, time.time())
            report = _report.make(
                directories,
                report_dir,
                options["report_formats"],
                collected_dirs=collected,
                run_id=options["run_id"],
                hosts=options["hosts"],
                groups=(task_vars or {}).get("groups"),
                policy=options["policy"],
                history=options["history"],
                stale_after=datetime.timedelta(hours=options["stale_after_hours"]),
                mode=_mode(options["report_mode"]),
                options=_run_options(context.CLIARGS),
                kubernetes_groups=options["kubernetes_groups"],
            )
        except (_records.RecordError, PolicyError) as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(f"Cannot write the report: {error}") from error
        result.update(
            changed=report.changed,
            files=report.files,
            summary=report.summary,
            coverage=report.fleet.coverage,
            levels=report.fleet.levels,
        )
        self._show(report.summary)
        why = _failures(report, options["fail_on"])
        if why:
            result.update(failed=True, msg="; ".join(["The report is written", *why]))
        return result

    def _show(self, summary: list[str]) -> None:
        """The summary as text, where people read: callbacks that write for programs have it in the result."""
        if str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK")).rpartition(".")[2] in _FOR_PEOPLE:
            self._display.display("\n".join(["", *summary, ""]))


_FOR_PEOPLE = ("default", "yaml", "debug", "unixy", "dense", "minimal", "oneline")

# Options of ansible-playbook that a later command needs as well: (its name, how it is written, takes a value).
_KEPT = (
    ("become", "-b", False),
    ("become_method", "--become-method", True),
    ("become_user", "--become-user", True),
    ("become_ask_pass", "-K", False),
    ("remote_user", "-u", True),
    ("ask_pass", "-k", False),
    ("private_key_file", "--private-key", True),
    ("connection", "-c", True),
)
# What is so without being asked for.
_USUAL = {"become_method": ("sudo",), "become_user": ("root",), "connection": ("smart", "ssh")}


def _run_options(given: t.Mapping[str, t.Any]) -> list[str]:
    """Inventory and privileges as the command line had them. Variables are left out: they can be secrets."""
    found: list[str] = []
    inventories = given.get("inventory") or ()
    inventories = [inventories] if isinstance(inventories, str) else list(inventories)
    usual = constants.DEFAULT_HOST_LIST
    if inventories != ([usual] if isinstance(usual, str) else list(usual or ())):
        for inventory in inventories:
            found += ["-i", str(inventory)]
    for name, option, has_value in _KEPT:
        value = given.get(name)
        if value and str(value) not in _USUAL.get(name, ()):
            found += [option, str(value)] if has_value else [option]
    return found


def _mode(text: str) -> int:
    """ "0640" -> 0o640"""
    if not re.fullmatch("0?[0-7]{3}", text):
        raise AnsibleActionFail(f"report_mode must be a mode in octal digits as in '0640', not {text!r}")
    return int(text, 8)


def _report_dir(options: dict[str, t.Any], directories: list[str]) -> str:
    if options["report_dir"]:
        return _paths.absolute(options["report_dir"])
    return str(_records.run_directory(directories[0], options["run_id"])) if options["run_id"] else directories[0]


def _failures(report: _report.Report, fail_on: list[str]) -> list[str]:
    """Why the task fails though there is a report."""
    why = []
    if not report.fleet.coverage["audited"]:
        why.append(f"none of {_words.plural(report.fleet.coverage['asked'], 'node')} could be audited")
    failing = report.failing(fail_on)
    if failing:
        why.append("fail_on: " + "; ".join(map(_named, failing.items())))
    return why


def _named(found: tuple[str, list[str]]) -> str:
    word, names = found
    return f"{word}: {_words.listing([_words.printable(name) for name in names], MOST_NAMES)}"
