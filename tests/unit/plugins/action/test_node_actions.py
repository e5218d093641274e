# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is taken of the answers of the modules that run on nodes, and that no variable of the playbooks comes from one."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import build_roots  # type: ignore[import-not-found]  # tests/unit/conftest.py has made it importable
import jinja2
import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.filter.core import FilterModule
from ansible.plugins.filter.mathstuff import FilterModule as Sets

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _preview, _settings
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _node_action, _variables
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._returned import RETURNED

COLLECTION = Path(__file__).resolve().parents[4]
CAPTURE = "6.1.0-56-cloud-amd64/fragmented"

Answers = dict[str, dict[str, t.Any]]

EXPORTER = {"way": "debian", "service": "x.service", "textfile_directory": "/var/lib/x", "flags": ["--a=/b"]}
WATCH = {"seconds": 1.0, "events": 0, "overrun": 0, "stopped_early": False, "fragmenters": []}
OPTIONS: dict[str, t.Any] = {"files": [], "journal_directory": None, "since": None, "until": None, "redact": True}


@pytest.fixture(name="honest", scope="module")
def honest_fixture(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the modules themselves return, of one node."""
    root = build_roots.build(CAPTURE, str(tmp_path_factory.mktemp("node") / "root"))
    build_roots.write(root, "run/systemd/system/x")
    node = WritableNode(root)
    seen = _preview.preview(node, {"min_free_kbytes": "auto"}, {"window": "22:00-04:30"}, {}, "x", "memfrag_tuning_")
    applied = _settings.apply(node, {"min_free_kbytes": "auto"}, check_mode=True)
    found = journal.collect(Node(root), {**OPTIONS, "units": [], "max_events": 200, "signatures": []})
    answers: Answers = json.loads(
        json.dumps(
            {
                "memfrag_exporter": EXPORTER,
                "memfrag_facts": {"ansible_facts": {"memfrag": _facts.collect(Node(root))}},
                "memfrag_journal_info": found,
                "memfrag_sysctl": {
                    "settings": applied["settings"],
                    "read_only": None,
                    "drop_in": _settings.DROP_IN,
                    "record": _settings.RECORD,
                    "diff": _settings.differences(applied),
                },
                "memfrag_tool": {"path": "/usr/local/sbin/memfrag", "removed": ["/x y"]},
                "memfrag_tuning_info": seen,
                "memfrag_watch": WATCH,
            }
        )
    )
    return answers


MODULES = sorted(set(RETURNED) - {"memfrag_compact"})


def test_each_module_that_runs_on_a_node_has_its_action() -> None:
    """But those whose answer the action of the audit takes itself."""
    there = {path.stem for path in (COLLECTION / "plugins" / "action").glob("memfrag_*.py")}
    modules = {path.stem for path in (COLLECTION / "plugins" / "modules").glob("memfrag_*.py")}
    assert modules - there == {"memfrag_audit_facts"}
    for name in there:
        text = (COLLECTION / "plugins" / "action" / f"{name}.py").read_text()
        assert ("NodeAction" in text) == (name in RETURNED), name


@pytest.mark.parametrize("module", MODULES)
def test_an_honest_answer_comes_through_whole(module: str, honest: Answers) -> None:
    answer = {**honest[module], "changed": True}
    assert _node_action.taken(module, answer) == answer
    assert set(RETURNED[module]) >= set(honest[module]) - {"diff"}


@pytest.mark.parametrize("module", sorted(RETURNED))
def test_nothing_becomes_a_variable_a_host_or_a_file(module: str, honest: Answers) -> None:
    facts = {"memfrag_tuning_state": "../x", "memfrag_monitoring_state": "../x", "memfrag_kill_switch": "false"}
    answer = copy.deepcopy(honest.get(module, {"reason": "met"}))
    more = {**(answer.get("ansible_facts") or {}), **facts, "ansible_connection": "ssh"}
    names = ("add_host", "add_group", "include", "results", "invocation", "ansible_stats", "unreachable", "later")
    kept = _node_action.taken(module, {**answer, "ansible_facts": more, **dict.fromkeys(names, {"x": 1})})
    assert not set(kept) & set(names)
    assert set(kept.get("ansible_facts") or ()) <= {"memfrag"}
    if module == "memfrag_facts":
        assert kept["ansible_facts"]["memfrag"] == answer["ansible_facts"]["memfrag"]
    else:
        assert "ansible_facts" not in kept


# Module, path in the answer, value: what the roles write into files of the node, and name things by.
LIES: list[tuple[str, tuple[t.Any, ...], t.Any]] = [
    ("memfrag_exporter", ("textfile_directory",), "/x\nExecStart=/owned"),
    ("memfrag_exporter", ("textfile_directory",), ["/x"]),
    ("memfrag_exporter", ("service",), "x.service; reboot"),
    ("memfrag_exporter", ("way",), "{{ 7 }}"),
    ("memfrag_exporter", ("flags",), "--x"),
    ("memfrag_tool", ("removed",), None),
    ("memfrag_tool", ("path",), "memfrag"),
    ("memfrag_sysctl", ("settings", 0, "name"), "kernel.core_pattern"),
    ("memfrag_sysctl", ("settings", 0, "why"), "x\x1b[2J"),
    ("memfrag_sysctl", ("read_only",), {}),
    ("memfrag_tuning_info", ("settings",), {}),
    ("memfrag_tuning_info", ("settings", 0, "wanted"), "{{ 7 }}"),
    ("memfrag_tuning_info", ("schedule", "scheduler"), "../owned"),
    ("memfrag_tuning_info", ("schedule", "minute"), "* * * * * root /owned\n"),
    ("memfrag_tuning_info", ("schedule", "on_calendar"), "*-*-* 00:00:00\nOnBootSec=1"),
    ("memfrag_tuning_info", ("policy", "time_limit_seconds"), "300\nExecStart=/owned"),
    ("memfrag_tuning_info", ("policy", "allow_container"), "no"),
    ("memfrag_tuning_info", ("orders", 0, "order"), 10**30),
    ("memfrag_tuning_info", ("proactive",), "x"),
    ("memfrag_watch", ("events",), -1),
    ("memfrag_watch", ("seconds",), float("nan")),
    ("memfrag_facts", ("ansible_facts", "memfrag", "zones"), 7),
    ("memfrag_facts", ("ansible_facts",), {}),
    ("memfrag_journal_info", ("incidents",), "x"),
]


@pytest.mark.parametrize(("module", "path", "value"), LIES, ids=lambda part: ascii(part)[:40])
def test_what_does_not_hold_is_that_hosts_failure(
    module: str, path: tuple[t.Any, ...], value: t.Any, honest: Answers
) -> None:
    answer = copy.deepcopy(honest[module])
    inner: t.Any = answer
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    found = _node_action.taken(module, {**answer, "changed": True})
    assert set(found) == {"failed", "changed", "msg"} and found["failed"] is True
    assert found["msg"].startswith(f"the node's answer is not valid: {path[0]}") or "no number" in found["msg"]
    # One that failed anyway fails in its own words, without what does not hold.
    failed = _node_action.taken(module, {**answer, "failed": True, "msg": "no"})
    assert failed["failed"] is True and failed["msg"] == "no"


@pytest.mark.parametrize("value", ["x", [1], {}, 1, None])
def test_how_a_module_ended_is_true_or_false(value: t.Any) -> None:
    found = _node_action.taken("memfrag_tool", {"failed": value, "changed": value, "rc": value})
    assert found["failed"] is bool(value) and found["changed"] is bool(value)


# --- variables ------------------------------------------------------------------------------------------------------


def test_a_variable_of_the_playbooks_that_is_a_fact_is_refused() -> None:
    facts = {"memfrag": {}, "os_family": "Debian", "memfragile": 1}
    _variables.refuse_facts({"ansible_facts": facts, "inventory_hostname": "node17", "memfrag_kill_switch": "x"})
    _variables.refuse_facts(None)
    _variables.refuse_facts({"ansible_facts": None})
    with pytest.raises(
        AnsibleActionFail, match=r"among the facts of node17 there is memfrag_kill_switch, memfrag_x\\n\."
    ):
        _variables.refuse_facts(
            {
                "inventory_hostname": "node17",
                "ansible_facts": {**facts, "memfrag_x\n": 1, "memfrag_kill_switch": "false"},
            }
        )


def test_each_action_that_goes_by_variables_looks_where_they_come_from() -> None:
    """Before anything else: options are made of variables."""
    for name in ("audit", "report", "remediation", "loop"):
        text = (COLLECTION / "plugins" / "action" / f"memfrag_{name}.py").read_text()
        assert 0 < text.find("_variables.refuse_facts(task_vars)") < text.find("self.validate_argument_spec("), name


def test_a_node_with_such_facts_fails_alone_in_an_audit() -> None:
    """A failure of the audit is the node's own, but for this one: the report, run once, has the variables of the first host that has not failed."""
    play = yaml.safe_load((COLLECTION / "playbooks" / "audit.yml").read_text())[0]
    assert play["any_errors_fatal"] is False
    (task,) = [task for task in play["tasks"] if "rescue" in task]
    (audit,), (again,) = task["block"], task["rescue"]
    assert "kernelops.memfrag.memfrag_audit" in audit and "ignore_errors" not in audit
    assert again.keys() == {"name", "kernelops.memfrag.memfrag_remediation"}
    assert again["kernelops.memfrag.memfrag_remediation"] == {"step": "enter"}


def test_a_node_with_such_facts_fails_alone_before_a_remediation_begins() -> None:
    first = yaml.safe_load((COLLECTION / "playbooks" / "remediate.yml").read_text())[0]["tasks"][0]
    assert first.keys() == {"name", "kernelops.memfrag.memfrag_remediation"}
    assert first["kernelops.memfrag.memfrag_remediation"] == {"step": "enter"}


# A fact of a variable's name goes before the inventory's variable.
OUTSIDE = "../../../../../../tmp/owned"
# Arguments of modules that name files of the controller, and the folder of the role that they are in.
READ = (("include_tasks", "file", "tasks"), ("copy", "src", "files"), ("template", "src", "templates"))


def files_read(role: Path, variables: dict[str, t.Any]) -> t.Iterator[Path]:
    """The files of the controller that the role's tasks read with these variables."""
    environment = jinja2.Environment(autoescape=False)
    environment.filters.update({**FilterModule().filters(), **Sets().filters()})

    def listed(value: t.Any, known: dict[str, t.Any]) -> list[t.Any]:
        while isinstance(value, str):
            value = environment.compile_expression(value.strip().removeprefix("{{").removesuffix("}}"))(**known)
        return list(value)

    known = {**variables, **yaml.safe_load((role / "vars" / "main.yml").read_text())}
    for path in sorted((role / "tasks").glob("*.yml")):
        for task in yaml.safe_load(path.read_text()):
            for module, key, folder in READ:
                asked = str((task.get(f"ansible.builtin.{module}") or {}).get(key) or "")
                for item in listed(task.get("loop", [None]), known) if asked else []:
                    mine = {**known, "part": item, "item": item}
                    if isinstance(item, str):
                        mine["item"] = environment.from_string(item).render(mine)
                    yield role / folder / environment.from_string(asked).render(mine)


@pytest.mark.parametrize("role", ["memfrag_tuning", "memfrag_monitoring"])
@pytest.mark.parametrize("state", ["present", "absent", OUTSIDE])
def test_which_files_of_the_controller_are_read_is_not_up_to_a_node(role: str, state: str) -> None:
    place = COLLECTION / "roles" / role
    defaults = yaml.safe_load((place / "defaults" / "main.yml").read_text())
    hostile: dict[str, t.Any] = {
        name: [OUTSIDE] if isinstance(value, list) else OUTSIDE for name, value in defaults.items()
    }
    parts = {f"memfrag_monitoring_{name}": True for name in ("node", "prometheus", "grafana", "npd")}
    hostile.update(parts if role in "memfrag_monitoring" else {}, **{f"{role}_state": state})
    found = list(files_read(place, hostile))
    assert len(found) > 4
    for path in found:
        # Of a template the name is that of the file it makes.
        assert path.is_file() and ".." not in path.parts, path
    honest = {
        **defaults,
        **hostile,
        "memfrag_monitoring_prometheus_rules": defaults.get("memfrag_monitoring_prometheus_rules", []),
    }
    rules = {path.name for path in files_read(place, honest) if path.name.endswith(".rules.yml")}
    assert len(rules) == (4 if (role, state) == ("memfrag_monitoring", "present") else 0)
