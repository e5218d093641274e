# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Why nodes could not be audited, and what mends that: their errors, which are Ansible's and ssh's words, by kind."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterable, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _actions, _types


class _Kind(t.NamedTuple):
    title: str
    said: re.Pattern[str] | None
    """What errors of this kind say; None: those that nobody knows."""
    mend: str
    command: tuple[str, ...]
    """As in _actions: what to run next."""


_AUDIT = ("ansible-playbook", "kernelops.memfrag.audit", "-l", "HOSTS")
_PING = ("ansible", "HOSTS", "-m", "ansible.builtin.ping")
_PYTHONS = "for python in python3 python2.7 python /usr/libexec/platform-python; do command -v $python; done"


def _said(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# The first that fits; what stops ssh stands before what stops become, and both before what stops Python.
KINDS = (
    _Kind(
        "The host key is not the one that is known",
        _said(
            r"host key verification failed",
            r"host identification has changed",
            r"host key (?:is )?(?:unknown|changed|mismatch)",
            r"authenticity of host",
        ),
        "Was the node installed anew, or is it new here? Compare the key's fingerprint with the node's own, then accept it by logging in once with ssh.",
        _AUDIT,
    ),
    _Kind(
        "The login was refused",
        _said(
            r"permission denied \(",
            r"permission denied, please try",
            r"authentication (?:failed|failure)",
            r"too many authentication",
            r"invalid/incorrect password",
            r"no more authentication methods",
        ),
        "User, key or password are not the node's: --user, --private-key, or --ask-pass.",
        _AUDIT,
    ),
    _Kind(
        "The name has no address",
        _said(
            r"could not resolve",
            r"name or service not known",
            r"nodename nor servname",
            r"temporary failure in name resolution",
        ),
        "Set ansible_host in the inventory, or mend the name service.",
        _AUDIT,
    ),
    _Kind(
        "Nothing listens on the port",
        _said(r"connection refused"),
        "Does sshd run, and is it on this port? Else set ansible_port.",
        _AUDIT,
    ),
    _Kind(
        "Becoming root got no answer",
        _said(r"waiting for privilege escalation", r"privilege escalation .*timed? ?out"),
        "sudo asks for a password, or waits for a slow name service: --ask-become-pass, or a larger --timeout.",
        _AUDIT,
    ),
    _Kind(
        "It does not answer",
        _said(
            r"no route to host",
            r"network is unreachable",
            r"host is down",
            r"timed? ?out",
            r"connection reset",
            r"connection closed",
            r"broken pipe",
            r"unreachable",
        ),
        "Is it up, and does a firewall stand between? A slow one needs a larger --timeout.",
        _PING,
    ),
    _Kind(
        "The user may not become root",
        _said(
            r"missing (?:sudo|su|become) password",
            r"incorrect (?:sudo|su|become) password",
            r"password is required",
            r"not in the sudoers",
            r"not allowed to (?:execute|run sudo)",
            r"incorrect password",
            r"must have a tty",
        ),
        "Let the user use sudo without a password, or pass --ask-become-pass. Without root the audit reads less, and works: leave out --become.",
        _AUDIT,
    ),
    _Kind(
        "No Python where Ansible looked for one",
        _said(
            r"interpreter .*not found",
            r"no python interpreters? found",
            r"python[0-9.]*:? .*(?:not found|no such file)",
            r"could not find .*python",
            r"requires a python interpreter",
        ),
        "Set ansible_python_interpreter to one of those that the command finds, or install Python 3.",
        ("ansible", "HOSTS", "-m", "ansible.builtin.raw", "-a", _PYTHONS),
    ),
    _Kind(
        "Its Python is too old for this Ansible",
        _said(
            r"annotations is not defined",
            r"requires a (?:newer|minimum).*python",
            r"python .*not supported",
            r"ansible requires a minimum",
        ),
        "ansible-core 2.16 is the last one for nodes with Python 2.7 or 3.6.",
        (),
    ),
    _Kind(
        "Ansible cannot write its files there",
        _said(
            r"no space left",
            r"read-only file system",
            r"disk quota exceeded",
            r"failed to (?:create|write).*(?:temp|directory)",
            r"unable to create.*director",
        ),
        "Make room, or set ansible_remote_tmp to a directory that can be written.",
        _AUDIT,
    ),
    _Kind(
        "No answer within the time for one node",
        _said(r"deadline", r"too long"),
        "The node is slow or its logs are large: a shorter memfrag_since, or a larger memfrag_deadline_seconds.",
        _AUDIT,
    ),
    _Kind(
        "The record cannot be read",
        _said(r"^its record "),
        "Audit again.",
        _AUDIT,
    ),
    _Kind(
        "Asked for, and not audited",
        _said(r"^no record"),
        "Was the audit limited or ended? Audit again.",
        _AUDIT,
    ),
    _Kind("Something else", None, "See what they say; -vvv says more.", _AUDIT),
)


@dataclasses.dataclass(slots=True)
class Failure:
    """Nodes that could not be audited for one reason."""

    title: str
    mend: str
    error: str
    """What the first of them said."""
    command: str
    hosts: list[_types.Host]


def of(hosts: Iterable[_types.Host], options: Sequence[str] = ()) -> list[Failure]:
    """Those of ``hosts`` that were not audited, by what mends it; the reason with the most nodes first, and before one that nobody knows."""
    found: dict[tuple[str, str], Failure] = {}
    for host in hosts:
        if host.status == "audited":
            continue
        kind = _kind(host.error)
        # What is not known is told apart by its words.
        key = (kind.title, "" if kind.said else _alike(host))
        if key not in found:
            found[key] = Failure(kind.title, kind.mend, host.error or "no reason given", "", [])
        found[key].hosts.append(host)
    for (title, _words), failure in found.items():
        command = next(kind.command for kind in KINDS if kind.title == title)
        failure.command = _actions.command_for(command, failure.hosts, options, become=False)
    unknown = KINDS[-1].title
    return sorted(found.values(), key=lambda failure: (-len(failure.hosts), failure.title == unknown))


class Mend(t.NamedTuple):
    """What mends a node that could not be audited."""

    title: str
    mend: str
    around: list[str]
    """What stands before and behind the name in the command for one node; empty for none."""


def of_node(host: _types.Host, options: Sequence[str] = ()) -> Mend | None:
    """None for a node that was audited."""
    if host.status == "audited":
        return None
    kind = _kind(host.error)
    return Mend(kind.title, kind.mend, _actions.around_words(kind.command, options, become=False))


def _kind(error: str) -> _Kind:
    return next(kind for kind in KINDS if kind.said is None or kind.said.search(error))


def _alike(host: _types.Host) -> str:
    """The error without what differs from node to node."""
    return re.sub(r"[0-9]+", "0", host.error.replace(host.name, ""))[:80]
