# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Has a module done on the node, and takes of its answer what it is documented to return, held to ``_returned``.

Ansible makes variables of the host of any ansible_facts that come back, before those of the inventory: a role would name files of the
controller by them, and a hook of the remediation, run on the controller, act on what a node in somebody else's hands calls itself.
"""

from __future__ import annotations

import json
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _answer, _shapes
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._returned import RETURNED

OURS = "memfrag"

# What Ansible's own machinery says of a module: how it ended, and of one in the background where it is.
_OF_ANSIBLE = ("changed", "failed")
_OF_A_JOB = ("ansible_job_id", "started", "finished", "results_file")
# What people read: never more than a terminal takes.
_TEXTS = ("msg", "message", "module_stderr", "module_stdout")
_OF_A_DIFF = ("before_header", "after_header", "before", "after")
_MOST_WARNINGS = 20
_LONGEST_DIFF = 65536


class NodeAction(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        background = bool(self._task.async_val)
        returned = self._execute_module(task_vars=task_vars or {}, wrap_async=background)
        result.update(taken(self._task.action.rpartition(".")[2], returned, background))
        if not background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _parse_returned_data(self, res: dict[str, t.Any], *more: t.Any) -> t.Any:
        """Too large an answer, or one without end, is kept from any parser; what is none, from the terminal."""
        output = str(res.get("stdout") or "")
        refused = _refused(output)
        if refused:
            output = json.dumps({"failed": True, "msg": refused})
        elif not output.lstrip().startswith("{"):
            output = _answer.lines(output)
        return super()._parse_returned_data(
            {**res, "stdout": output, "stderr": _answer.lines(res.get("stderr") or "")}, *more
        )


def taken(module: str, returned: t.Mapping[str, t.Any], background: bool = False) -> dict[str, t.Any]:
    """What is left of an answer; one that does not hold what the module is known to return is a failure."""
    found: dict[str, t.Any] = {}
    for name in _OF_ANSIBLE:
        if name in returned:
            found[name] = bool(returned[name])
    if isinstance(returned.get("rc"), int):
        found["rc"] = returned["rc"]
    if background:
        found.update({name: returned[name] for name in _OF_A_JOB if name in returned})
    found.update({name: _shown(returned[name]) for name in _TEXTS if name in returned})
    found.update(_said(returned))
    if found.get("failed"):
        return {**_held(module, returned, lenient=True), **found}
    try:
        return {**_held(module, returned), **found}
    except _answer.AnswerError as error:
        return {"failed": True, "changed": bool(found.get("changed")), "msg": str(error)}


def _held(module: str, returned: t.Mapping[str, t.Any], lenient: bool = False) -> dict[str, t.Any]:
    """The keys of the module's own. lenient: those that do not hold are left out."""
    kept: dict[str, t.Any] = {}
    for name, shape in RETURNED[module].items():
        if name not in returned:
            continue
        value = returned[name]
        try:
            if shape is not None:
                shape.check(_answer.plain(value))
        except (_shapes.ShapeError, _answer.AnswerError) as error:
            if lenient:
                continue
            place = error.inside(name) if isinstance(error, _shapes.ShapeError) else error
            raise _answer.AnswerError(f"the node's answer is not valid: {place}") from error
        # Of facts those of ours: they become variables.
        kept[name] = {OURS: value[OURS]} if name == "ansible_facts" else value
    return kept


def _said(returned: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Warnings and the diff, where they are what they ought to be."""
    found: dict[str, t.Any] = {}
    warnings, diff = returned.get("warnings"), returned.get("diff")
    if isinstance(warnings, list):
        found["warnings"] = [_shown(one) for one in warnings[:_MOST_WARNINGS] if isinstance(one, str)]
    if isinstance(diff, dict):
        found["diff"] = _difference(diff)
    elif isinstance(diff, list):
        found["diff"] = [_difference(one) for one in diff[:_MOST_WARNINGS] if isinstance(one, dict)]
    return found


def _difference(diff: dict[str, t.Any]) -> dict[str, str]:
    return {name: _answer.lines(diff[name][:_LONGEST_DIFF]) for name in _OF_A_DIFF if isinstance(diff.get(name), str)}


def _refused(output: str) -> str | None:
    """Why an answer is not even to be parsed, or None."""
    try:
        _answer.check_size(len(output))
        if output.lstrip().startswith("{"):
            json.loads(output)
    except _answer.AnswerError as error:
        return str(error)
    except (RecursionError, MemoryError):
        return _answer.TOO_MUCH
    except ValueError:
        # Text around it, or a half: Ansible knows what to make of it.
        pass
    return None


def _shown(text: t.Any) -> str:
    return _answer.lines(str(text)[: _answer.LONGEST_MESSAGE])
