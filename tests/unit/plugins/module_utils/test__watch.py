# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""There is an answer whatever hangs, and it has all that did not."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import json
import os
import signal
import subprocess
import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _watch
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import streams
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Deadline, Node, NodeError, TimedOut


def collect(seconds, work):
    started = time.time()
    parts = _watch.collect(seconds, work)
    assert time.time() - started < seconds + 10
    return {name: json.loads(text) for name, text in parts.items()}, parts.gave_up


def test_what_is_told_comes_back():
    def work(deadline, tell):
        tell("facts", {"large": "x" * 300000})
        tell("journal", [1, None, b"\xe2\x98\x83".decode("utf-8")])

    assert collect(10, work) == (
        {"facts": {"large": "x" * 300000}, "journal": [1, None, b"\xe2\x98\x83".decode("utf-8")]},
        None,
    )


def test_what_hangs_is_left_out_and_named():
    def work(deadline, tell):
        seen = {}
        for what in ("/a", "/stuck", "/b"):
            try:
                deadline.check(what)
                if what == "/stuck":
                    time.sleep(60)
                seen[what] = "fine"
            except TimedOut as error:
                seen[what] = str(error)
        tell("seen", seen)

    parts, gave_up = collect(3, work)
    assert parts == {"seen": {"/a": "fine", "/stuck": "/stuck: gave no answer and was left out", "/b": "fine"}}
    assert gave_up is None


def test_what_was_told_before_everything_hung_is_kept():
    def work(deadline, tell):
        tell("facts", {"a": 1})
        time.sleep(60)

    parts, gave_up = collect(1, work)
    assert parts == {"facts": {"a": 1}}
    assert "gave no answer" in gave_up


def test_work_that_goes_on_is_not_hanging():
    """Longer than what counts as hanging, but with signs of life."""

    def work(deadline, tell):
        for _number in range(12):
            deadline.check("/log")
            time.sleep(0.1)
        tell("done", True)

    assert collect(3, work) == ({"done": True}, None)


def test_work_without_an_end():
    def work(deadline, tell):
        number = 0
        try:
            while True:
                number += 1
                deadline.check("/%d" % (number % 7))
        except TimedOut as error:
            tell("end", str(error))

    parts, gave_up = collect(1, work)
    assert "the time was up, see deadline_seconds" in parts["end"]
    assert gave_up is None


@pytest.mark.parametrize("error", [NodeError("/x", "no such file"), ValueError("since: 'x' is no time")])
def test_what_the_user_has_to_know(error):
    def work(deadline, tell):
        raise error

    with pytest.raises(_watch.CollectError) as caught:
        _watch.collect(10, work)
    assert str(caught.value) == str(error)


def test_faults_of_the_library_come_with_their_traceback():
    def work(deadline, tell):
        raise KeyError("fault")

    with pytest.raises(RuntimeError) as caught:
        _watch.collect(10, work)
    assert "in work" in str(caught.value)
    assert "KeyError: 'fault'" in str(caught.value)


def test_a_deadline_that_is_none():
    with pytest.raises(_watch.CollectError):
        _watch.collect(0, lambda deadline, tell: None)


def test_a_node_without_memory_for_a_process(monkeypatch):
    def fork():
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(os, "fork", fork)
    before = len(os.listdir("/proc/self/fd"))
    assert collect(10, lambda deadline, tell: tell("facts", Node("/", deadline).root)) == ({"facts": "/"}, None)
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_is_left_open():
    before = len(os.listdir("/proc/self/fd"))
    for _number in range(3):
        collect(10, lambda deadline, tell: tell("x", 1))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_deadline():
    deadline = Deadline(0.05)
    assert 0 < deadline.left() <= 0.05
    assert deadline.share() <= 0.025
    deadline.check("/x")
    time.sleep(0.06)
    with pytest.raises(TimedOut) as caught:
        deadline.check("/x")
    assert caught.value.timed_out
    assert deadline.left() == 0
    free = Deadline()
    assert free.left() is None
    free.check("/x")


def test_a_root_without_devices(monkeypatch):
    monkeypatch.setattr(os, "devnull", "/nonexistent/null")
    assert collect(10, lambda deadline, tell: tell("facts", {})) == ({"facts": {}}, None)


# --- what ends the whole before it is done --------------------------------------------------------------------------


def looking(mark, seconds):
    """-> the process that has another one look at a node, which has started a command that never ends and tells its number in ``mark``"""

    def work(deadline, tell):
        script = "echo $$ > %s.new; mv %s.new %s; exec sleep 300" % (mark, mark, mark)
        for _dummy in streams.command(Node("/", deadline), ["sh", "-c", script], "a command"):
            pass

    child = os.fork()
    if not child:
        try:
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            _watch.collect(seconds, work)
        finally:
            os._exit(0)
    return child


def lives(process):
    try:
        os.kill(process, 0)
    except OSError:
        return False
    with open("/proc/%d/stat" % process) as stream:
        return stream.read().rpartition(")")[2].split()[0] != "Z"


def within(seconds, kept):
    end = time.time() + seconds
    while not kept() and time.time() < end:
        time.sleep(0.02)
    return kept()


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_ends_with_who_has_started_it(number, everybody, tmp_path):
    """A signal for the process that was called, or as of a terminal for all of its group; the command has a group of its own."""
    mark = tmp_path / "command"
    # SIGKILL to all leaves nobody who could end the command: then half of that is what it has, and the two seconds that its reader would need.
    caller = looking(mark, 2 if everybody and number == signal.SIGKILL else 100)
    assert within(30, mark.exists)
    command = int(mark.read_text())
    assert lives(command)
    (os.killpg if everybody else os.kill)(caller, number)
    status = os.waitpid(caller, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number
    assert within(30, lambda: not lives(command)), "the command goes on"


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this Python cannot hold signals back")
def test_a_command_that_is_just_being_started_ends_too(monkeypatch, tmp_path):
    mark = tmp_path / "command"

    class Interrupted(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super(Interrupted, self).__init__(*args, **kwargs)
            within(30, mark.exists)
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", Interrupted)
        caller = looking(mark, 100)
    os.waitpid(caller, 0)
    assert within(30, lambda: not lives(int(mark.read_text()))), "the command goes on"


def test_a_child_that_the_kernel_ends_is_told_of():
    """By the out-of-memory killer, for one: this looks at nodes that are short of memory."""

    def work(deadline, tell):
        tell("facts", {"a": 1})
        os.kill(os.getpid(), signal.SIGKILL)

    parts, gave_up = collect(10, work)
    assert parts == {"facts": {"a": 1}} and gave_up.startswith("it was ended by a signal, or by the kernel")
