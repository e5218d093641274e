# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills the ansible-playbook that it is loaded by, with all of its processes, at the n-th event, or so many seconds after it."""

from __future__ import annotations

import os
import signal
import threading
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: killer
type: aggregate
short_description: kills ansible-playbook
description: The environment says when, KILLER_EVENT and KILLER_DELAY, and where the events are noted, KILLER_LOG.
"""


def family(root: int) -> list[int]:
    """Processes below ``root``, whatever session they have made for themselves."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:
                parents.setdefault(int(stream.read().rpartition(b")")[2].split()[1]), []).append(int(name))
        except (OSError, ValueError):
            continue
    found, open_ = [], [root]
    while open_:
        children = parents.get(open_.pop(), [])
        found += children
        open_ += children
    return found


def end(number: int) -> None:
    """As somebody would who has enough of it: a terminal tells all of its processes, a service manager the first one."""
    run = os.getpid()
    for process in [run] if number == signal.SIGTERM else [*family(run), run]:
        send(process, number)


def kill() -> None:
    """From a process beside it, which stops the run before it kills the workers: a run that sees a worker die ends by itself."""
    run = os.getpid()
    if os.fork():
        time.sleep(60)
        return
    try:
        os.kill(run, signal.SIGSTOP)
        # Twice, since a worker may make another process in between.
        for number in (signal.SIGSTOP, signal.SIGSTOP, signal.SIGKILL):
            for process in family(run):
                if process != os.getpid():
                    send(process, number)
        os.kill(run, signal.SIGKILL)
    finally:
        os._exit(0)


def send(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "killer"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.name = ""
        self.event = int(os.environ.get("KILLER_EVENT", "0"))
        self.signal = int(os.environ.get("KILLER_SIGNAL", signal.SIGKILL))
        self.delay = float(os.environ.get("KILLER_DELAY", "0"))
        self.log = os.environ["KILLER_LOG"]

    def happened(self, what: str) -> None:
        self.count += 1
        with open(self.log, "a", encoding="utf-8") as stream:
            stream.write(f"{self.count} {what} {self.name}\n")
        if self.count == self.event:
            how, arguments = (kill, []) if self.signal == signal.SIGKILL else (end, [self.signal])
            if self.delay:
                threading.Timer(self.delay, how, arguments).start()
            else:
                how(*arguments)

    def v2_playbook_on_task_start(self, task, is_conditional):  # type: ignore[no-untyped-def]
        self.name = task.get_name()
        self.happened("start")

    def v2_runner_on_ok(self, result):  # type: ignore[no-untyped-def]
        self.happened("ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):  # type: ignore[no-untyped-def]
        self.happened("failed")
