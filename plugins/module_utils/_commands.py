# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Commands of the node: no shell, the C locale, and an end for each with all that it has started, whatever becomes of its caller.

Apart from _node, since what an audit without a journal asks of a node needs none.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import io
import os
import signal
import time

from ._node import ON_LEAVING, NodeError, seconds_now

# How long a killed one may take to be gone.
_GONE_SECONDS = 1.0

# Those that go on, and the signals upon which somebody calls end_all().
_RUNNING = []
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def running(node, argv):
    """Runs a command on the node (no shell, C locale); gives its running process with binary ``stdout``.

    It is ended with all that it has started when the caller is done with it, so that one may stop reading early; and of its own
    alarm, which execve() keeps, where nobody is left to do that.
    """
    # Loading it costs as much as reading a log of a few MB, and most runs that may need a command need none.
    import subprocess

    def begin():
        # So that whatever it has started ends with it.
        os.setsid()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        _mask("SIG_UNBLOCK", _ENDING + (signal.SIGALRM,))
        signal.alarm(int(node.deadline.share()) + 2)

    options = {"preexec_fn": begin, "env": dict(os.environ, LC_ALL="C", LANG="C"), "close_fds": True}
    with io.open(os.devnull, "r+b") as null:
        options.update(stdin=null, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Between its start and its place in the list nobody could end it.
        _mask("SIG_BLOCK", _ENDING)
        try:
            # The library runs without Ansible, too, and has no run_command().
            process = subprocess.Popen(argv, **options)  # pylint: disable=ansible-bad-function
            _RUNNING.append(process)
        except (IOError, OSError) as error:
            raise NodeError(argv[0], error.strerror or str(error), error.errno)
        finally:
            _mask("SIG_UNBLOCK", _ENDING)
    try:
        yield process
    finally:
        _kill_group(process)
        # One that hangs in the kernel is left to it.
        wait_for(process, _GONE_SECONDS)
        _RUNNING.remove(process)
        process.stdout.close()
        process.stderr.close()


def end_all():
    """For who ends without coming back to those that have started them. No signal of a terminal's reaches them."""
    for process in _RUNNING:
        _kill_group(process)


def _mask(how, signals):
    """Python 2.7 cannot; there the alarm is what ends a command that was started in that very moment."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(getattr(signal, how), signals)


def _kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (IOError, OSError):
        # Nobody is left.
        pass


def wait_for(process, seconds):
    """-> the exit status, None if it has not ended after so many seconds. Old Pythons cannot wait with a limit."""
    pause, end = 0.001, seconds_now() + seconds
    while process.poll() is None:
        if seconds_now() >= end:
            return None
        time.sleep(pause)
        pause = min(0.05, 2 * pause)
    return process.returncode


ON_LEAVING.append(end_all)
