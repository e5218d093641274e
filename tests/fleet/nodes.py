# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet of any size out of the captures: local nodes, each with the root of a capture, or nodes that answer what such a node did.

Nodes of the second kind cost nothing, so that all that is measured is the controller's.
"""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

import build_roots  # noqa: E402

CAPTURES = (
    "6.1.0-56-cloud-amd64/healthy",
    "6.1.0-56-cloud-amd64/fragmented",
    "6.1.0-56-cloud-amd64/fragmented-movable",
    "5.10.0-46-cloud-amd64/numa-fragmented",
    "6.12.107+deb13-cloud-amd64/healthy",
)
# The log of a node without any incident, and that of one with some.
LOGS = (None, "001.log")

CONNECTION = "fleet.canned.canned"
_PLUGIN = r'''
DOCUMENTATION = """
name: canned
short_description: answers every command with one text
description: For measurements of the controller.
author: KernelOps engineers (@kernelops)
options:
  answer:
    description: The file with the answer.
    vars: [{name: fleet_answer}]
"""
from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    transport = "fleet.canned.canned"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        with open(self.get_option("answer"), "rb") as stream:
            answer = stream.read()
        # What ssh would have carried, before it compresses.
        with open(self.get_option("answer") + ".carried", "ab") as stream:
            stream.write(b"%d %d\n" % (len(cmd) + len(in_data or b""), len(answer)))
        return 0, answer, b""

    def put_file(self, in_path, out_path):
        pass

    def fetch_file(self, in_path, out_path):
        pass

    def close(self):
        self._connected = False
'''


def names(number: int) -> list[str]:
    return [f"node{index:05d}" for index in range(number)]


def make_roots(work: pathlib.Path) -> list[pathlib.Path]:
    """A root per capture and log below ``work``/roots."""
    roots = []
    for index, capture in enumerate(CAPTURES):
        root = work / "roots" / str(index)
        build_roots.build(capture, str(root))
        build_roots.write(str(root), "proc/uptime", "86400.00 86400.00\n")
        log = LOGS[index % len(LOGS)]
        text = (ROOT / "tests/fixtures/logs/seeds" / log).read_text(encoding="utf-8") if log else ""
        build_roots.write(str(root), "var/log/messages", text)
        roots.append(root)
    return roots


def can_answers(work: pathlib.Path, roots: list[pathlib.Path], since: str) -> None:
    """What a node with each of the roots answers to the audit, below ``work``/fleet, with the connection that says it."""
    from ansible_collections.kernelops.memfrag.plugins.module_utils import _audit

    options = {name: about.get("default") for name, about in _audit.NODE_OPTIONS.items()}
    plugins = work / "fleet" / "ansible_collections" / "fleet" / "canned" / "plugins" / "connection"
    plugins.mkdir(parents=True)
    (plugins / "canned.py").write_text(_PLUGIN, encoding="utf-8")
    for index, root in enumerate(roots):
        answer = {"changed": False, "observed": _audit.collect({**options, "root": str(root), "since": since})}
        (work / "fleet" / f"{index}.json").write_text(json.dumps(answer), encoding="utf-8")


def inventory(hosts: list[str], python: str, roots: list[str], answers: str | None) -> dict[str, t.Any]:
    """
    roots      of the captures, as the controller sees them
    answers    directory of the canned answers there, None for local nodes
    """
    common = {
        "ansible_connection": CONNECTION if answers else "local",
        "ansible_python_interpreter": python,
        "ansible_pipelining": True,
    }
    lines = {}
    for host in hosts:
        index = int(host[-5:]) % len(roots)
        lines[host] = {"memfrag_root": roots[index]}
        if answers:
            lines[host]["fleet_answer"] = f"{answers}/{index}.json"
    return {"all": {"vars": common, "hosts": lines}}
