# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets each system call of everything that writes on a node fail: disks that are full, broken, read-only, over quota, or take a part.

Each way of writing is done once to count its calls, and then anew for every call and every fault. Whatever fails, files are whole and
the last good ones, no setting is changed that is not on record, the error names a file and says why, and the next run heals it.

    python tests/robustness/failing_io.py [--way settings]

It needs the collection on the path: python3 tests/tools/sessions.py has it there.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import errno
import json
import os
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable, Iterator
from unittest import mock

import interrupt

from ansible_collections.kernelops.memfrag.plugins.module_utils import (
    _install,
    _metrics,
    _policy_file,
    _record,
    _self_audit,
    _settings,
    _yields,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import state
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import complete
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

CALLS = ("open", "write", "fsync", "rename", "unlink", "rmdir", "fchmod", "chmod", "makedirs", "mkdir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

# What goes wrong, and whether it goes on doing so.
FAULTS: dict[str, tuple[int | None, bool]] = {
    "ENOSPC": (errno.ENOSPC, False),
    "ENOSPC for good": (errno.ENOSPC, True),
    "EDQUOT": (errno.EDQUOT, False),
    "EIO": (errno.EIO, False),
    "EIO for good": (errno.EIO, True),
    "EROFS for good": (errno.EROFS, True),
    "short": (None, False),
    "killed": (0, True),
}


class Killed(BaseException):
    """The process is no more: no call of it has an effect."""


class Calls:
    """The calls of a run that change files. The one of the number ``at`` fails, and with ``good`` those behind it."""

    def __init__(self, at: int = -1, fault: str = "EIO") -> None:
        self.at, self.fault, self.count, self.hit = at, fault, 0, ""

    def _fails(self, name: str) -> bool:
        number, self.count = self.count, self.count + 1
        due = number == self.at or (FAULTS[self.fault][1] and 0 <= self.at < number)
        if due and not self.hit:
            self.hit = name
        return due

    def wrapped(self, name: str, real: Callable[..., t.Any]) -> Callable[..., t.Any]:
        def call(*arguments: t.Any, **options: t.Any) -> t.Any:
            if name == "open" and not arguments[1] & _WRITING:
                if self.fault == "killed" and 0 <= self.at < self.count:
                    raise Killed
                return real(*arguments, **options)
            if not self._fails(name):
                return None if name == "fsync" else real(*arguments, **options)
            code = FAULTS[self.fault][0]
            if code is None:
                return (
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                    if name == "write"
                    else real(*arguments, **options)
                )
            if not code:
                raise Killed
            raise OSError(code, os.strerror(code))

        return call

    @contextlib.contextmanager
    def watched(self) -> Iterator[Calls]:
        kept = {name: getattr(os, name) for name in CALLS}
        try:
            for name, real in kept.items():
                setattr(os, name, self.wrapped(name, real))
            yield self
        finally:
            for name, real in kept.items():
                setattr(os, name, real)


# --- the ways of writing ------------------------------------------------------------------------------------------


class Way(t.NamedTuple):
    """prepare, act: what is done to a root; check: what holds at any moment; healed: what holds after one more, whole ``act``."""

    prepare: Callable[[str], None]
    act: Callable[[str], None]
    check: Callable[[str, dict[str, int]], None]
    healed: Callable[[str, dict[str, int]], None]


def apply(settings: dict[str, t.Any], state_: str = "present") -> Callable[[str], None]:
    def applied(root: str) -> None:
        _settings.apply(WritableNode(root), settings, state=state_, pause=lambda seconds: None)

    return applied


def each(*ways: Callable[[str], None]) -> Callable[[str], None]:
    def all_of_them(root: str) -> None:
        for way in ways:
            way(root)

    return all_of_them


def nothing(*_given: t.Any) -> None:
    pass


def at_rest(root: str, first: dict[str, int]) -> None:
    interrupt.check_settings(root, first, at_rest=True)


def install(root: str) -> None:
    _install.install(WritableNode(root), interrupt.TOOL, interrupt.PYTHON, purpose="metrics")


def installed(root: str) -> None:
    _install.install(WritableNode(root), interrupt.TOOL, interrupt.PYTHON, purpose="compaction")
    _metrics.write(WritableNode(root), "/prom", "one 1\n")


def tool_is_whole(root: str, first: dict[str, int]) -> None:
    node = WritableNode(root)
    interrupt.promise(
        "compaction" in _install.purposes(node), "one role has taken the tool from the other:", _install.purposes(node)
    )
    text = node.read_bytes(interrupt.TOOL)
    interrupt.promise(len(_install.sources(text)) == 4, "half a tool:", len(text))


def tool_is_there(root: str, first: dict[str, int]) -> None:
    tool_is_whole(root, first)
    interrupt.promise("metrics" in _install.purposes(WritableNode(root)), "not noted")


def remove(root: str) -> None:
    _install.remove(WritableNode(root), interrupt.TOOL, wait_seconds=0, purpose="metrics")


def remove_the_last(root: str) -> None:
    _install.remove(WritableNode(root), interrupt.TOOL, wait_seconds=0)


def nothing_is_left(root: str, first: dict[str, int]) -> None:
    node = WritableNode(root)
    own = (interrupt.TOOL, interrupt.METRICS, *_install._OWN_DIRECTORIES)
    left = [path for path in own if node.exists(path)]
    interrupt.promise(not left, "left behind by the next run:", left)


def metrics(root: str) -> None:
    node = WritableNode(root)
    _metrics.update(node, _policy_file.load(node), "/prom/second")


def metrics_are_whole(root: str, first: dict[str, int]) -> None:
    node = WritableNode(root)
    known = _metrics.written(node)
    interrupt.promise("/prom/memfrag.prom" in known, "forgotten:", known)
    for path in ("/prom/memfrag.prom", "/prom/second/memfrag.prom"):
        if node.exists(path):
            interrupt.promise(path in known, "a stray file:", path, known)
            interrupt.promise(node.read_text(path).endswith("\n"), "half a file:", path)
            interrupt.promise(
                "one 1\n" in node.read_text(path) or "memfrag_collected" in node.read_text(path), "half:", path
            )


def second_place(root: str) -> None:
    installed(root)
    os.makedirs(os.path.join(root, "prom/second"))


def metrics_are_there(root: str, first: dict[str, int]) -> None:
    metrics_are_whole(root, first)
    interrupt.promise(WritableNode(root).exists("/prom/second/memfrag.prom"), "no metrics")


RESULT = {
    "started_at": "2026-11-20T06:00:00Z",
    "duration_seconds": 1.0,
    "reason": "needed",
    "acted": True,
    "satisfied": False,
    "helped": False,
    "error": None,
}


def remember(root: str) -> None:
    result = dict(RESULT)
    state.remember(WritableNode(root), complete({}), result)
    if result["error"]:
        raise NodeError("", str(result["error"]))


def promised(root: str) -> None:
    _yields.remember(WritableNode(root), _yields.Learned(), [], {}, [], "2026-11-20T06:00:00Z")


def state_is_whole(root: str, first: dict[str, int]) -> None:
    node = WritableNode(root)
    interrupt.promise(state.read(node)["broken"] is None, state.read(node))
    interrupt.promise(state.load(node)["runs"]["needed"] >= 1, "the last good state is lost")


def yields_are_whole(root: str, first: dict[str, int]) -> None:
    interrupt.promise(_yields.load(WritableNode(root)).last is not None, "the last good record is lost")


def audit(root: str) -> None:
    _self_audit.Store(os.path.join(root, "prom"), "node17").keep(_record.empty("node17", (), time.time()))


def record_is_whole(root: str, first: dict[str, int]) -> None:
    interrupt.promise(
        json.loads(WritableNode(root).read_text("/prom/node17.json"))["host"] == "node17", "half a record"
    )


ONE, OTHER = (
    {"extfrag_threshold": 300, "vfs_cache_pressure": 200},
    {"extfrag_threshold": 200, "min_free_kbytes": 300000},
)
WAYS = {
    "settings": Way(nothing, apply(ONE), interrupt.check_settings, at_rest),
    "settings anew": Way(apply(ONE), apply(OTHER), interrupt.check_settings, at_rest),
    "settings taken back": Way(apply(OTHER), apply({}, "absent"), interrupt.check_settings, at_rest),
    "install": Way(installed, install, tool_is_whole, tool_is_there),
    "remove": Way(each(installed, install), remove, tool_is_whole, tool_is_whole),
    "remove the last": Way(each(installed, install), remove_the_last, nothing, nothing_is_left),
    "metrics": Way(second_place, metrics, metrics_are_whole, metrics_are_there),
    "state": Way(remember, remember, state_is_whole, state_is_whole),
    "yields": Way(each(remember, promised), promised, yields_are_whole, yields_are_whole),
    "record": Way(audit, audit, record_is_whole, record_is_whole),
}
# Failures are told as one of these, with the file that could not be written.
TOLD = (NodeError, _settings.ApplyError)


def written(root: str) -> dict[str, bytes | None]:
    """{path: content, None for a directory} of all that any way writes to."""
    found: dict[str, bytes | None] = {}
    for top in ("etc", "prom", "proc/sys/vm", "run", "sbin", "var"):
        for where, folders, files in os.walk(os.path.join(root, top)):
            found.update(dict.fromkeys(os.path.join(where, name) for name in folders))
            for file in (os.path.join(where, name) for name in files):
                with open(file, "rb") as stream:
                    found[file] = stream.read()
    return found


def restore(root: str, kept: dict[str, bytes | None]) -> None:
    now = written(root)
    for path in sorted(set(now) - set(kept), reverse=True):
        (os.rmdir if now[path] is None else os.unlink)(path)
    for path, content in sorted(kept.items()):
        if content is None:
            os.makedirs(path, exist_ok=True)
        elif now.get(path) != content:
            with open(path, "wb") as stream:
                stream.write(content)


def fail(
    name: str, directory: str, faults: t.Iterable[str] = tuple(FAULTS), every: int = 1
) -> collections.Counter[str]:
    """-> how often each fault was met. Raises interrupt.Broken."""
    way, met = WAYS[name], collections.Counter[str]()
    tool = _install.build(interrupt.PYTHON, compiled=_install.is_this_python(WritableNode(), interrupt.PYTHON))
    root = interrupt.make_node(directory)
    kept, values = written(root), interrupt.live(root)

    def anew() -> None:
        restore(root, kept)
        way.prepare(root)

    # Compiling the library anew each time says nothing of writing.
    with mock.patch.object(_install, "build", lambda *_given, **_more: tool), Calls().watched() as calls:
        anew()
        before, calls.count = calls.count, 0
        way.act(root)
        number = calls.count
        assert before >= 0 and number
        for fault in faults:
            for at in range(0, number, every):
                calls.at = -1
                anew()
                before_it = written(root)
                calls.count, calls.hit, calls.at, calls.fault = 0, "", at, fault
                where = f"{name}, {fault} at call {at}: "
                try:
                    way.act(root)
                except TOLD as error:
                    interrupt.promise("/" in str(error) and ": " in str(error), where, "no file or no reason:", error)
                except Killed:
                    pass
                met[fault] += bool(calls.hit)
                calls.at = -1
                try:
                    way.check(root, values)
                    if fault != "killed":
                        left = sorted(path for path in set(written(root)) - set(before_it) if path.endswith(".tmp"))
                        interrupt.promise(
                            not left or "for good" in fault or calls.hit == "unlink", "left behind:", left
                        )
                    way.act(root)
                    way.healed(root, values)
                    left = sorted(path for path in written(root) if path.endswith(".tmp"))
                    interrupt.promise(not left, "left behind by the next run:", left)
                except interrupt.Broken as error:
                    raise interrupt.Broken(f"{where}({calls.hit}) {error}") from error
    return met


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--way", choices=list(WAYS), action="append")
    for name in parser.parse_args().way or WAYS:
        begun = time.time()
        with tempfile.TemporaryDirectory(prefix="memfrag-failing-") as directory:
            met = fail(name, directory)
        print(
            f"{name:20} {sum(met.values())} faults, {time.time() - begun:.0f} s: files whole, the next run heals",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
