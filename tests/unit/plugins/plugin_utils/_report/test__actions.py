# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done, by action: groups, commands, names that would be patterns."""

from __future__ import annotations

import csv
import io
import json
import shlex
import subprocess
import typing as t

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _actions, _types
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import HEALTHY, make_record

COMPACT = {"action": "compact", "will_help": True, "reason": "there is room"}
REBOOT = {"action": "drain_and_reboot", "will_help": False, "reason": "there is none"}
NONE = {"action": "none", "will_help": None, "reason": "nothing is missing"}
UNSURE = {"action": "compact", "will_help": None, "reason": "cannot be told"}


def finding(name: str, severity: str = "high") -> dict[str, t.Any]:
    return {"id": name, "severity": severity, "title": name, "evidence": {}, "remedy": "rm -rf /", "docs": None}


def judged(host: str, remediation: t.Any, level: str = "high", findings: t.Any = ("MF201",), **more: t.Any) -> t.Any:
    record = make_record(host, HEALTHY, **more)
    record["assessment"] = {
        "level": level,
        "score": 50,
        "summary": "as it is",
        "findings": [finding(name) for name in findings],
        "remediation": remediation,
    }
    return record


@pytest.fixture(name="fleet")
def fleet_fixture(store: t.Any, make_report: t.Any) -> t.Any:
    records = store(
        *(judged(f"c{number}", COMPACT, findings=("MF201", "MF306")) for number in range(3)),
        judged("r", REBOOT, "critical", ("MF201", "MF306")),
        judged("unsure", UNSURE),
        judged("dark", NONE, "unknown", ("MF901",)),
        judged("watched", NONE, "medium", ("MF105",)),
        judged("well", NONE, "low", ()),
        make_record("dead", None),
    )
    return make_report(records, options=["-i", "/etc/my hosts", "-b"])


def test_each_assessed_host_is_in_one_action(fleet: t.Any) -> None:
    document = json.loads(fleet[1]("json"))
    by_title = {(each["title"], each["will_help"]): each for each in document["actions"]}
    assert len(by_title) == len(document["actions"])
    assert by_title["Compact the memory", True]["hosts"] == ["c0", "c1", "c2"]
    assert by_title["Compact the memory", None]["hosts"] == ["unsure"]
    assert by_title["Drain and restart", False]["hosts"] == ["r"]
    assert by_title["Audit again as root", None]["hosts"] == ["dark"]
    assert by_title["Read the findings", None]["hosts"] == ["watched"]
    named = sorted(name for each in document["actions"] for name in each["hosts"])
    assert named == sorted(host["host"] for host in document["hosts"] if host["level"])
    assert all(each["count"] == len(each["hosts"]) for each in document["actions"])


def test_a_remedy_is_given_to_those_that_it_helps(fleet: t.Any) -> None:
    document = json.loads(fleet[1]("json"))
    for found in document["findings"]:
        assert sorted(name for each in found["remedies"] for name in each["hosts"]) == sorted(found["hosts"])
        assert all("rm -rf" not in (each["remedy"] or "") for each in found["remedies"])
    (huge,) = [found for found in document["findings"] if found["id"] == "MF306"]
    remedies = {each["hosts"][0]: each["remedy"] for each in huge["remedies"]}
    assert "compact_memory" in remedies["c0"] and "compact_memory" not in remedies["r"]
    assert huge["remedy"] is None


def test_commands_have_the_options_of_the_run(fleet: t.Any) -> None:
    commands = {each["hosts"][0]: each["command"] for each in json.loads(fleet[1]("json"))["actions"]}
    words = shlex.split(commands["c0"])
    assert words == "ansible-playbook|kernelops.memfrag.remediate|-i|/etc/my hosts|-b|-l|c0,c1,c2".split("|")
    assert shlex.split(commands["dark"])[:2] == ["ansible-playbook", "kernelops.memfrag.audit"]
    assert shlex.split(commands["r"])[:2] == ["ansible", "r"]
    assert commands["watched"] is None
    assert not any("kubectl" in (command or "") or "NODE" in (command or "") for command in commands.values())


def test_action_and_whether_it_helps_stand_in_every_row(fleet: t.Any) -> None:
    rows = {row["host"]: row for row in csv.DictReader(io.StringIO(fleet[1]("csv")))}
    assert (rows["c0"]["action"], rows["c0"]["will_help"]) == ("compact", "yes")
    assert (rows["unsure"]["will_help"], rows["r"]["will_help"]) == ("unknown", "no")
    assert rows["dark"]["what_to_do"] == "Audit again as root" and rows["well"]["what_to_do"] == "Nothing to do"
    assert rows["dead"]["what_to_do"] == rows["dead"]["action"] == ""


def test_not_knowing_is_not_being_well(store: t.Any, make_report: t.Any) -> None:
    report, text = make_report(store(judged("dark", NONE, "unknown", ("MF901",))))
    assert "Nothing to do" not in text("html").split('id="data"')[0]
    assert not any("Nothing to do" in line for line in report.summary)


NAMES = [
    "web-01",
    "*",
    "!web-01",
    "~.*",
    "a,b",
    "web[1:9]",
    "@/etc/passwd",
    "-e",
    "fd00::1",
    "x y",
    "$(id)",
    "a'b",
    "~web\n",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_host_whatever_it_looks_like(name: str) -> None:
    inventory = InventoryManager(DataLoader(), sources=[])
    for other in NAMES:
        # Hosts as plugins for inventories can make them; the parser of the command line would not.
        inventory._inventory.add_host(other, "ungrouped")
    for pattern in (_actions.pattern_of(name), _actions.pattern_of(name) + "," + _actions.pattern_of(name)):
        assert [host.name for host in inventory.get_hosts(pattern)] == [name]


def test_no_command_for_everything() -> None:
    assert _actions.pattern_of("all") == _actions.shown_pattern("all") == ""
    assert _actions.command_for(("ansible", "HOSTS"), [_types.Host("all", "audited")]) == ""


@pytest.mark.parametrize("inventory", ["HOSTS", "NAMES", "ANSIBLE", " node "])
def test_options_are_what_they_were_and_all_is_no_node_to_drain(inventory: str) -> None:
    about: dict[str, t.Any] = {"level": "high", "action": "drain_and_reboot", "will_help": False, "kubernetes": True}
    hosts = [_types.Host(name, "audited", **about) for name in ("all", "a", "b")]
    (action,) = _actions.of(hosts, ["-i", inventory])
    assert action.covered == 2
    assert action.command.startswith("for node in a b; do ")
    assert f'ansible "$node" -i {shlex.quote(inventory)} -b -m ' in action.command
    assert _actions.command_of(action, hosts[:1], []) == ""
    line = _actions.command_for(("ansible", "HOSTS", "-m", "ping"), hosts, ["-i", inventory])
    assert shlex.split(line) == ["ansible", "a,b", "-i", inventory, "-b", "-m", "ping"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "~web\n"])
def test_a_name_is_one_word_for_the_shell(name: str) -> None:
    command = _actions.command_for(("printf", "HOSTS"), [_types.Host(name, "audited")])
    word = command.removeprefix("printf ").removesuffix(" -b")
    out = subprocess.run(["bash", "-c", f"printf %s {word}"], check=True, capture_output=True, text=True).stdout
    assert out == _actions.pattern_of(name)


DRAIN = 'kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=600s'


@pytest.fixture(name="mixed")
def mixed_fixture(store: t.Any, make_report: t.Any) -> t.Any:
    """A function: options of the report -> title of a card -> the card."""
    pods = {
        "events": [],
        "incidents": [{"cause": "fragmentation", "reason": "", "pods": ["web-1"]}],
        "counts": {},
        "sources": [],
    }
    records = store(
        judged("kube1", REBOOT, "critical", groups=["kube_node", "rack1"]),
        judged("kube2", REBOOT, "critical", groups=["K8S-prod"]),
        judged("logs", REBOOT, "critical", groups=["web"], journal=pods),
        judged("mysql", REBOOT, "critical", groups=["db"]),
        # Its name cannot be that of a node in Kubernetes.
        judged("Kube_3", REBOOT, "critical", groups=["kube_node"]),
    )

    def cards(**options: t.Any) -> dict[str, t.Any]:
        document = json.loads(make_report(records, options=["-i", "my hosts"], **options)[1]("json"))
        return {each["title"]: each for each in document["actions"]}

    return cards


def test_kubectl_is_for_nodes_of_kubernetes(mixed: t.Any) -> None:
    cards = mixed()
    ours, others = cards["Drain by kubectl and restart"], cards["Drain and restart"]
    assert sorted(ours["hosts"]) == ["kube1", "kube2", "logs"] and sorted(others["hosts"]) == ["Kube_3", "mysql"]
    assert {ours["action"], others["action"]} == {"drain_and_reboot"}
    assert "kubectl" not in others["command"]
    assert (
        DRAIN in ours["command"] and "ansible \"$node\" -i 'my hosts' -b -m ansible.builtin.reboot" in ours["command"]
    )


def test_the_inventory_says_what_is_kubernetes(mixed: t.Any) -> None:
    assert mixed(kubernetes_groups=["d?"])["Drain by kubectl and restart"]["hosts"] == ["mysql"]
    assert set(mixed(kubernetes_groups=[])) == {"Drain and restart"}


@pytest.mark.parametrize("fails", ["", "kubectl drain kube2", "ansible kube1"])
def test_nodes_are_drained_restarted_and_given_back_one_after_the_other(
    mixed: t.Any, tmp_path: t.Any, fails: str
) -> None:
    for name in ("kubectl", "ansible"):
        script = (
            f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/log\ncase "{name} $*" in "{fails or "-"}"*) exit 1;; esac\n'
        )
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    command = mixed(kubernetes_groups=["kube_node", "k8s*"])["Drain by kubectl and restart"]["command"]
    subprocess.run(["bash", "-c", command], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    done = [" ".join(line.split()[:3]) for line in (tmp_path / "log").read_text().splitlines()]
    wanted = [
        f"{step} {node}" for node in ("kube1", "kube2") for step in ("kubectl drain", "ansible", "kubectl uncordon")
    ]
    done = [line if line.startswith("kubectl") else " ".join(line.split()[:2]) for line in done]
    # Nothing is begun behind what has failed, and that node is not given back.
    assert done == wanted[: wanted.index(fails) + 1 if fails else None]
