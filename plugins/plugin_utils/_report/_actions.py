# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What is to be done: the assessed nodes by action, each action with one command that can be pasted."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _types, _words

# A command line has its limits, and nobody restarts more nodes than this with one.
MOST_IN_COMMAND = 100

WILL_HELP = {True: "yes", False: "no", None: "unknown"}
WILL_HELP_WORDS = {True: "this will help", False: "compaction will not help", None: "whether it helps cannot be told"}

_PLAYBOOK = "ansible-playbook"
_REMEDIATE = "kernelops.memfrag.remediate"
_AUDIT = "kernelops.memfrag.audit"
_AGAIN = "It audits first and acts only where it is then sure; without root it cannot be."


class _Kind(t.NamedTuple):
    title: str
    advice: str
    command: tuple[str, ...]
    """Program and arguments; the options of the run come behind the first, HOSTS are the nodes."""
    loop: str = ""
    """Or a line of the shell, for NAMES one after the other; ANSIBLE is the ``command`` for $node."""


# What to do, most urgent first. Keys that are no action of an assessment: "drain_kubernetes", the nodes of Kubernetes; "unknown", too
# little could be read; "watch", there are findings, and nothing to do about the memory as it is. fmt: off
KINDS = {
    "drain_and_reboot": _Kind(
        "Drain and restart",
        "Move the work away first: the command restarts one node after the other.",
        ("ansible", "HOSTS", "--forks", "1", "-m", "ansible.builtin.reboot"),
    ),
    "drain_kubernetes": _Kind(
        "Drain by kubectl and restart",
        "One node after the other, up to the first that fails; they must be called in Kubernetes as in the inventory.",
        ("ansible", "HOSTS", "-m", "ansible.builtin.reboot"),
        'for node in NAMES; do kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=600s'
        ' && ANSIBLE && kubectl uncordon "$node" || break; done',
    ),
    "add_memory": _Kind(
        "Add memory or take load away",
        "The command shows the largest processes.",
        ("ansible", "HOSTS", "-m", "ansible.builtin.shell", "-a", "ps -eo pid,rss,comm --sort=-rss | head -6"),
    ),
    "reclaim_then_compact": _Kind("Reclaim, then compact", "", (_PLAYBOOK, _REMEDIATE, "-l", "HOSTS")),
    "compact": _Kind("Compact the memory", "", (_PLAYBOOK, _REMEDIATE, "-l", "HOSTS")),
    "unknown": _Kind("Audit again as root", "Too little could be read to tell.", (_PLAYBOOK, _AUDIT, "-l", "HOSTS")),
    "watch": _Kind("Read the findings", "Nothing is to be compacted now, and not all is well.", ()),
    "none": _Kind("Nothing to do", "", ()),
}
# fmt: on


def key_of(host: _types.Host) -> str:
    """The kind of an assessed node. Not knowing is no reason for calm, and a finding is one to look."""
    if host.action == "drain_and_reboot" and host.kubernetes:
        return "drain_kubernetes"
    if host.action in KINDS and host.action != "none":
        return host.action
    if host.level == "unknown":
        return "unknown"
    return "none" if host.level == "low" else "watch"


def title_of(host: _types.Host) -> str:
    return KINDS[key_of(host)].title


def of(hosts: Iterable[_types.Host], options: Sequence[str] = ()) -> list[_types.Action]:
    """The assessed ones of ``hosts`` (worst first), by action and whether it will help; sets ``todo`` of each."""
    groups: dict[tuple[str, str, bool | None], list[_types.Host]] = {}
    for host in hosts:
        if host.status == "audited" and host.level is not None:
            groups.setdefault((key_of(host), host.action or "none", host.will_help), []).append(host)
    found = []
    for (key, action, will_help), members in sorted(
        groups.items(), key=lambda group: urgency(group[0][0], group[0][2])
    ):
        kind = KINDS[key]
        # One key for each, so that the page can filter by it.
        name = key if will_help is _usual(key) else f"{key}-{WILL_HELP[will_help]}"
        for host in members:
            host.todo = name
        helpless = _REMEDIATE in kind.command and will_help is False
        command = "" if helpless else _command(key, will_help, members, options)
        advice = _AGAIN if _REMEDIATE in kind.command and will_help is None else kind.advice
        covered = sum(bool(pattern_of(host.name)) for host in members[:MOST_IN_COMMAND]) if command else 0
        found.append(_types.Action(name, action, will_help, kind.title, advice, command, covered, members))
    return found


def urgency(key: str, will_help: bool | None) -> tuple[int, int]:
    """For sorting: the most urgent first, and what is sure before what is not. How a node is drained makes no difference."""
    return list(KINDS).index("drain_and_reboot" if key == "drain_kubernetes" else key), (True, None, False).index(
        will_help
    )


def _usual(key: str) -> bool | None:
    return {
        "compact": True,
        "reclaim_then_compact": True,
        "drain_and_reboot": False,
        "drain_kubernetes": False,
        "add_memory": False,
    }.get(key)


def command_for(
    words: Sequence[str],
    hosts: Sequence[_types.Host],
    options: Sequence[str] = (),
    *,
    as_root: bool = False,
    become: bool = True,
) -> str:
    """One line for a shell; empty for no words and for no host that can be named.

    as_root    with -b for a playbook, too
    become     with -b for a module, unless the options have it
    """
    if not words:
        return ""
    pattern = ",".join(filter(None, (pattern_of(host.name) for host in hosts[:MOST_IN_COMMAND])))
    if not pattern:
        return ""
    words = [pattern if word == "HOSTS" else word for word in words]
    privileges = ["-b"] if as_root and "-b" not in options else []
    if words[0] == _PLAYBOOK:
        line = [words[0], words[1], *options, *privileges, *words[2:]]
    else:
        line = [*words[:2], *options, *([] if "-b" in options or not become else ["-b"]), *words[2:]]
    return " ".join(map(_words.shell_word, line))


# Nothing in a command is written like its name.
_ANY = _types.Host("0" * 40, "audited")


def helps(action: _types.Action) -> str:
    """Whether it will help, in words; nothing where there is nothing to do."""
    return WILL_HELP_WORDS[action.will_help] if action.action != "none" else ""


def around(action: _types.Action, options: Sequence[str]) -> list[str]:
    """What stands before and behind the name in the command for one node; empty for none."""
    return command_of(action, [_ANY], options).split(_ANY.name) if action.command else []


def around_words(words: Sequence[str], options: Sequence[str], *, become: bool = True) -> list[str]:
    """The same of ``command_for``."""
    return command_for(words, [_ANY], options, become=become).split(_ANY.name) if words else []


def command_of(action: _types.Action, hosts: Sequence[_types.Host], options: Sequence[str]) -> str:
    """The command of an action for other hosts than all of it."""
    return _command(key_of(action.hosts[0]), action.will_help, hosts, options)


def between(action: _types.Action) -> str:
    """What stands between the names of several nodes."""
    return " " if KINDS[key_of(action.hosts[0])].loop else ","


def _command(key: str, will_help: bool | None, hosts: Sequence[_types.Host], options: Sequence[str]) -> str:
    words, loop = KINDS[key].command, KINDS[key].loop
    if loop:
        names = " ".join(host.name for host in hosts[:MOST_IN_COMMAND] if pattern_of(host.name))
        line = command_for(words, [_types.Host("node", "audited")], options)
        return names and loop.replace("NAMES", names).replace("ANSIBLE", line.replace(" node ", ' "$node" ', 1))
    # What cannot be told could not be read, for which it takes root.
    return command_for(words, hosts, options, as_root=will_help is None)


# What Ansible takes for more than a name: sets, ranges, wildcards, files, options; and it splits at blanks.
_MEANS_MORE = re.compile(r"[,:&!~*?\[\]@\\\s]|^-")
_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_GROUPS = ("all", "ungrouped")


def pattern_of(name: str) -> str:
    """A pattern of Ansible for this host and no other; empty if there is none, since it is called like everything.

    A name can be a pattern itself, such as "*" or "!db"; then it is spelled out as a regular expression.
    """
    if _IPV6.fullmatch(name) or not _MEANS_MORE.search(name):
        return "" if name in _GROUPS else name
    return "~" + re.sub(r"[^A-Za-z0-9_-]", _spelled, name) + r"\Z"


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shown_pattern(name: str) -> str:
    """The same as one word of a command; empty if there is none."""
    pattern = pattern_of(name)
    return pattern and _words.shell_word(pattern)
