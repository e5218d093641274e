# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has the module done on the node, and takes of its answer what it is documented to return.

Ansible makes variables of the host of any ansible_facts that come back, before those of the inventory: a hook of the remediation, run on
the controller, would act on what a node in somebody else's hands calls itself.
"""

from __future__ import annotations

import json
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.kernelops.memfrag.plugins.module_utils import _text
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.run import RETURNED
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _answer

# What Ansible's own machinery says of a module: how it ended, and of one in the background where it is.
_OF_ANSIBLE = ("changed", "failed", "rc")
_OF_A_JOB = ("ansible_job_id", "started", "finished", "results_file")
# What people read: never more than a terminal takes.
_TEXTS = ("msg", "message", "module_stderr", "module_stdout")
_OF_A_DIFF = ("before_header", "after_header", "before", "after")
_MOST_WARNINGS = 20
_LONGEST_DIFF = 65536


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        background = bool(self._task.async_val)
        returned = self._execute_module(task_vars=task_vars or {}, wrap_async=background)
        kept = {*RETURNED, *_OF_ANSIBLE, *(_OF_A_JOB if background else ())}
        result.update({name: value for name, value in returned.items() if name in kept})
        result.update({name: _shown(returned[name]) for name in _TEXTS if name in returned})
        result.update(_said(returned))
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
            output = _lines(output)
        return super()._parse_returned_data({**res, "stdout": output, "stderr": _lines(res.get("stderr") or "")}, *more)


def _said(returned: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Warnings and the diff, where they are what they ought to be."""
    found: dict[str, t.Any] = {}
    warnings, diff = returned.get("warnings"), returned.get("diff")
    if isinstance(warnings, list):
        found["warnings"] = [_shown(one) for one in warnings[:_MOST_WARNINGS] if isinstance(one, str)]
    if isinstance(diff, dict):
        found["diff"] = {
            name: _lines(diff[name][:_LONGEST_DIFF]) for name in _OF_A_DIFF if isinstance(diff.get(name), str)
        }
    return found


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


def _lines(text: str) -> str:
    return "\n".join(map(_text.strip_controls, text[: _answer.LARGEST].split("\n")))


def _shown(text: t.Any) -> str:
    return _lines(str(text)[: _answer.LONGEST_MESSAGE])
