# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Work of the kernel's that lasts: a child process waits for it, so that it can be watched, and be broken off."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import signal
import time

from ._node import seconds_now
from ._node_writes import in_words, put_value

# How long a child that was told to end may go on before it is left to the kernel.
_GRACE_SECONDS = 10


def write_value(node, path, value, stop, interval=1.0):
    """As node.write_value() with a file that keeps its writer busy in the kernel. -> None, or why it was broken off. Raises NodeError.

    A child process writes, with the lowest priority; it inherits the locks held here, so that they last as long as the
    kernel is at it. ``stop(seconds)`` is asked every ``interval`` and gives a reason to end the child, or None.
    """
    real = node.path(path)
    return _watch(path, lambda: put_value(real, value), stop, interval)


def sync(stop, interval=1.0):
    """Writes dirty pages back. -> None, or why it was broken off. Raises NodeError."""
    return _watch("sync", lambda: os.execvp("sync", ["sync"]), stop, interval)


def _watch(what, action, stop, interval):
    started = seconds_now()
    child = os.fork()
    if not child:
        code = 255
        try:
            _be_modest()
            action()
            code = 0
        except (IOError, OSError) as error:
            code = error.errno or 255
        finally:
            os._exit(code)
    pause, asked, reason, ended = 0.005, started, None, None
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        now = seconds_now()
        if ended is not None and now - ended > _GRACE_SECONDS:
            # Kernels that do not look for signals while they compact end the child once they are done.
            return reason + "; the kernel has not ended it yet"
        if ended is None and now - asked >= interval:
            asked, reason = now, stop(now - started)
            if reason:
                os.kill(child, signal.SIGKILL)
                ended = now
        time.sleep(pause)
        pause = min(0.1, 2 * pause)
    if os.WIFSIGNALED(status):
        return reason or "killed by signal %d" % os.WTERMSIG(status)
    code = os.WEXITSTATUS(status)
    if code:
        with in_words(what):
            raise OSError(code, os.strerror(code))
    return None


def _be_modest():
    try:
        os.nice(19)
    except (IOError, OSError):
        # A service that may not change priorities has been given its own.
        pass
