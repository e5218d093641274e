# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action, with what came from the node in the place of a connection to it."""

from __future__ import annotations

import json
import types
import typing as t

import pytest
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.kernelops.memfrag.plugins.action.memfrag_compact import ActionModule
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.run import RETURNED

Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture(name="run")
def run_fixture(monkeypatch: pytest.MonkeyPatch) -> Run:
    """-> a function that runs the action; ``output`` is what came from the node."""

    def run(output: str, stderr: str = "", in_background: int = 0) -> dict[str, t.Any]:
        task = Task()
        task.action = "kernelops.memfrag.memfrag_compact"
        task.args, task.async_val = {}, in_background
        action = ActionModule(
            task=task,
            connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
            play_context=types.SimpleNamespace(check_mode=False, diff=False),
            loader=None,
            templar=Templar(loader=None),
            shared_loader_obj=None,
        )

        def execute(**_options: t.Any) -> dict[str, t.Any]:
            return dict(action._parse_returned_data({"rc": 0, "stdout": output, "stderr": stderr}))

        # What Ansible makes of an answer differs from version to version; this is what it gets to see.
        monkeypatch.setattr(ActionBase, "_parse_returned_data", lambda _self, res, *_more: json.loads(res["stdout"]))
        monkeypatch.setattr(action, "_execute_module", execute)
        return action.run(task_vars={})

    return run


def test_an_honest_answer_comes_through(run: Run) -> None:
    answer = {
        **dict.fromkeys(RETURNED, 1),
        "message": "met",
        "changed": True,
        "diff": {"before": "a\n", "after": "b\n"},
    }
    assert run(json.dumps(answer)) == answer
    failed = run(json.dumps({"failed": True, "msg": "no", "warnings": ["w"]}))
    assert (failed["failed"], failed["msg"], failed["warnings"]) == (True, "no", ["w"])


@pytest.mark.parametrize("in_background", [0, 60])
def test_an_answer_makes_no_variables_and_no_hosts(run: Run, in_background: int) -> None:
    answer = {
        "changed": False,
        "reason": "met",
        "message": "x",
        "ansible_facts": {"k8s_name": "other-node; curl evil.example", "ansible_connection": "ssh"},
        "add_host": {"host_name": "owned"},
        "add_group": "owned",
        "unreachable": True,
        "skipped": True,
        "results": [{"ansible_facts": {"a": 1}}],
        "include": "owned.yml",
        "ansible_stats": {"data": {"x": 1}},
        "invocation": {"module_args": {}},
        "later": 1,
    }
    assert run(json.dumps(answer), in_background=in_background) == {"changed": False, "reason": "met", "message": "x"}


def test_what_people_read_is_text_that_a_terminal_takes(run: Run) -> None:
    answer = {
        "reason": "met",
        "message": "\x1b[2J\u202eok" + "x" * 100000,
        "msg": {"a": "\x1b[2J"},
        "warnings": ["\x1b]0;owned\x07", 7, {"a": 1}] + ["w"] * 1000,
        "diff": {"before": "\x1b[31mred\n", "after": ["x"], "prepared": "owned"},
        "exception": "\x1b[2J",
        "deprecations": [{"msg": "\x1b[2J"}],
    }
    got = run(json.dumps(answer))
    assert not any(sign in json.dumps(got, ensure_ascii=False) for sign in ("\x1b", "\\u001b", "\u202e", "owned]"))
    assert len(got["message"]) <= 2000 and isinstance(got["msg"], str)
    assert len(got["warnings"]) < 20 and set(got["diff"]) == {"before"}
    assert "exception" not in got and "deprecations" not in got


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ('{"message": "' + "x" * (8 << 20) + '"}', "of at most 8,388,608"),
        ('{"message": ' + "[" * 200000, "nested too deeply"),
    ],
)
def test_what_no_parser_is_to_see(run: Run, output: str, says: str) -> None:
    got = run(output)
    assert got["failed"] is True and says in got["msg"] and len(json.dumps(got)) < 3000
