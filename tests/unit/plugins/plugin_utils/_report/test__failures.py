# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of Ansible and ssh, and what mends them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _failures, _types
from ansible_collections.kernelops.memfrag.tests.unit.plugins.plugin_utils.fleets import make_record

# As OpenSSH, sudo and ansible-core 2.16 to 2.21 write them.
ERRORS = {
    "Failed to connect to the host via ssh: No ED25519 host key is known for n and you have requested strict checking.\r\n"
    "Host key verification failed.": "The host key is not the one that is known",
    "Failed to connect to the host via ssh: root@10.0.0.4: Permission denied (publickey,password).": "The login was refused",
    "Invalid/incorrect password: Permission denied, please try again.": "The login was refused",
    "ssh: Could not resolve hostname n: Name or service not known": "The name has no address",
    "ssh: connect to host n port 2222: Connection refused": "Nothing listens on the port",
    "ssh: connect to host 10.0.9.9 port 22: No route to host": "It does not answer",
    "Failed to connect to the host via ssh: ssh: connect to host n port 22: Connection timed out": "It does not answer",
    "Timeout (12s) waiting for privilege escalation prompt: ": "Becoming root got no answer",
    "Missing sudo password": "The user may not become root",
    "sudo: a password is required": "The user may not become root",
    "monitor is not in the sudoers file.": "The user may not become root",
    "The module interpreter '/usr/bin/python3' was not found.": "No Python where Ansible looked for one",
    "/bin/sh: 1: /usr/bin/python3: not found": "No Python where Ansible looked for one",
    "SyntaxError: future feature annotations is not defined": "Its Python is too old for this Ansible",
    "OSError: [Errno 28] No space left on device: '/root/.ansible/tmp'": "Ansible cannot write its files there",
    "No record: it was asked for, but no result came.": "Asked for, and not audited",
    "Its record cannot be read: x.json: not valid JSON": "The record cannot be read",
    "segmentation fault": "Something else",
}


def failures(*errors: t.Any, **options: t.Any) -> t.Any:
    hosts = [_types.Host(f"n{number}", "failed", error=error) for number, error in enumerate(errors)]
    return _failures.of(hosts, **options)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_has_its_kind(error: t.Any) -> None:
    (failure,) = failures(error)
    assert failure.title == ERRORS[error] and failure.mend and failure.error == error


def test_the_reason_with_the_most_nodes_comes_first_and_has_a_command() -> None:
    found = failures(
        "Missing sudo password", "a is not in the sudoers file.", "No route to host", options=["-i", "prod"]
    )
    assert [(failure.title, len(failure.hosts)) for failure in found] == [
        ("The user may not become root", 2),
        ("It does not answer", 1),
    ]
    assert found[0].command == "ansible-playbook kernelops.memfrag.audit -i prod -l n0,n1"
    assert found[1].command == "ansible n2 -i prod -m ansible.builtin.ping"


def test_what_is_known_stands_before_what_is_not() -> None:
    found = failures("killed", "Missing sudo password")
    assert [failure.title for failure in found] == ["The user may not become root", "Something else"]


def test_the_only_node_is_called_by_its_name(store: t.Any, make_report: t.Any) -> None:
    _report, text = make_report(store(make_record("web1", None, error="No route to host\r\nGood bye.")))
    page = text("html")
    assert "<h1>web1 could not be audited</h1>" in page and "Nothing is known about its memory." in page
    assert "No route to host\nGood bye." in page


def test_what_nobody_knows_is_told_apart_by_its_words() -> None:
    found = failures("n0: exit status 3", "n1: exit status 77", "killed", "")
    assert [len(failure.hosts) for failure in found] == [2, 1, 1]
    assert found[-1].error == "no reason given"


@pytest.mark.parametrize("error", ERRORS)
def test_a_node_has_what_mends_it_as_the_list_has_it(error: t.Any) -> None:
    options = ["-i", "prod"]
    (failure,) = failures(error, options=options)
    mend = _failures.of_node(failure.hosts[0], options)
    assert mend and (mend.title, mend.mend) == (failure.title, failure.mend)
    assert "n0".join(mend.around) == failure.command


def test_without_javascript_a_node_says_what_mends_it(store: t.Any, make_report: t.Any) -> None:
    records = [make_record(f"dead{number}", None, error="Missing sudo password") for number in range(2)]
    _report, text = make_report(store(*records, make_record("well")))
    node = text("html").partition('id="node=dead1"')[2].partition("</details>")[0]
    assert "Missing sudo password" in node and "pass --ask-become-pass" in node
    assert "<code>ansible-playbook kernelops.memfrag.audit -l dead1</code>" in node
    assert "ask-become-pass" not in text("html").partition('id="node=well"')[2].partition("</details>")[0]


def test_those_that_were_audited_are_none() -> None:
    assert _failures.of([_types.Host("a", "audited")]) == []
