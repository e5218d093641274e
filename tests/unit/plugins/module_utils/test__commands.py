# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import os
import signal
import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._commands import running, wait_for
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Deadline, Node, NodeError


def test_commands_run_without_a_shell_in_the_c_locale():
    node = Node("/")
    with running(node, ["printenv", "LC_ALL"]) as process:
        assert process.stdout.read() == b"C\n"
    with pytest.raises(NodeError, match="no-such-command"), running(node, ["no-such-command; true"]):
        pass
    with running(node, ["yes"]) as process:
        assert process.stdout.readline() == b"y\n"
    assert process.returncode is not None


@pytest.mark.parametrize("setting", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_command_has_its_end_with_it(setting):
    before = signal.signal(signal.SIGALRM, setting)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]) if hasattr(signal, "pthread_sigmask") else None
    try:
        # A quarter of a second for it, and what whoever waits for it would need to end it.
        with running(Node("/", Deadline(0.5)), ["sleep", "1000"]) as process:
            assert wait_for(process, 30.0) == -signal.SIGALRM
    finally:
        signal.signal(signal.SIGALRM, before)
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert signal.alarm(0) == 0, "whoever starts commands has no alarm"


def test_what_a_command_has_started_ends_with_it():
    with running(Node("/"), ["sh", "-c", "sleep 1000 & echo $!; exec sleep 1000"]) as process:
        child = int(process.stdout.readline())
        os.kill(child, 0)
    for _try in range(100):
        if not os.path.exists("/proc/%d" % child):
            break
        with io.open("/proc/%d/stat" % child) as stream:
            if stream.read().rsplit(")", 1)[1].split()[0] == "Z":
                break
        time.sleep(0.02)
    else:
        pytest.fail("still running")
