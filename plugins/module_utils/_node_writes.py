# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Acting on a node: settings and files written, locks, and the kernel watched at work.

Only of a policy's or an administrator's making, and never of an unpacked archive. It is apart from what looks at the node, because
the node compiles what it imports at every run, and an audit only looks.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import fcntl
import os
import signal
import time

from ._node import Node, NodeError, is_root

# How long a child that was told to end may go on before it is left to the kernel.
_GRACE_SECONDS = 10


class WritableNode(Node):
    """A node that may be changed. Every failure is a NodeError that says what could not be written, and why."""

    def write_value(self, path, value):
        """Writes a setting to a file of the kernel, in one write and in place, as /proc/sys and /sys want it."""
        try:
            _write_value(self.path(path), value)
        except (IOError, OSError) as error:
            raise _translated_write(path, error)

    def write_value_watched(self, path, value, stop, interval=1.0):
        """As write_value() with a file that keeps its writer busy in the kernel. -> None, or why it was broken off.

        A child process writes, with the lowest priority; it inherits the locks held here, so that they last as long as the
        kernel is at it. ``stop(seconds)`` is asked every ``interval`` and gives a reason to end the child, or None.
        """
        real = self.path(path)
        return self._watch(path, lambda: _write_value(real, value), stop, interval)

    def sync(self, stop, interval=1.0):
        """Writes dirty pages back. -> None, or why it was broken off."""
        return self._watch("sync", lambda: os.execvp("sync", ["sync"]), stop, interval)

    @staticmethod
    def _watch(what, action, stop, interval):
        started = time.time()
        child = os.fork()
        if not child:
            code = 255
            try:
                os.nice(19)
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
            now = time.time()
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
            raise _translated_write(what, OSError(code, os.strerror(code)))
        return None

    def check_writable(self, path):
        """Raises NodeError where the file is missing, or may not be written: by its mode, or by the mount it is on."""
        try:
            os.close(os.open(self.path(path), os.O_WRONLY))
        except (IOError, OSError) as error:
            raise _translated_write(path, error)

    def write_file(self, path, text, mode=0o644):
        """Puts a whole file (text, or bytes) in place of another, through a temporary one beside it. Whoever reads sees one or the other.

        The temporary name is a fixed one, so that a run that was killed leaves at most one, which the next run replaces.
        """
        real = self.path(path)
        temporary = _temporary(real)
        try:
            if os.path.lexists(temporary):
                os.unlink(temporary)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            try:
                os.fchmod(descriptor, mode)
                data = text if isinstance(text, bytes) else text.encode("utf-8")
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, real)
        except (IOError, OSError) as error:
            raise _translated_write(path, error)

    def make_directory(self, path, mode=0o755):
        """-> whether it had to be made."""
        real = self.path(path)
        try:
            if os.path.isdir(real):
                return False
            os.makedirs(real, mode)
            os.chmod(real, mode)
        except (IOError, OSError) as error:
            raise _translated_write(path, error)
        return True

    def remove(self, path):
        """Removes a file, or a directory that is empty, and what write_file() may have left of it. -> whether it was there."""
        there = False
        for real in (_temporary(self.path(path)), self.path(path)):
            try:
                if os.path.isdir(real) and not os.path.islink(real):
                    os.rmdir(real)
                else:
                    os.unlink(real)
                there = True
            except (IOError, OSError) as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY):
                    raise _translated_write(path, error)
        return there

    @contextlib.contextmanager
    def lock(self, path, create=True):
        """Gives whether the lock was free and is held now. The kernel releases it with the process, whatever ends that.

        With ``create`` off nothing is written: where there is no file, nobody holds the lock.
        """
        real, descriptor = self.path(path), None
        try:
            flags = os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
            descriptor = os.open(real, flags, 0o600)
        except (IOError, OSError) as error:
            if create or error.errno != errno.ENOENT:
                raise _translated_write(path, error)
        try:
            held = True
            if descriptor is not None:
                fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except (IOError, OSError) as error:
                    if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                        raise _translated_write(path, error)
                    held = False
            yield held
        finally:
            if descriptor is not None:
                os.close(descriptor)


def _write_value(real, value):
    data = ("%s\n" % value).encode("ascii")
    descriptor = os.open(real, os.O_WRONLY)
    try:
        os.write(descriptor, data)
        # The kernel's files have no length. Of a plain file, in a tree of them, the rest of a longer value goes last: at no
        # moment is it empty.
        try:
            os.ftruncate(descriptor, len(data))
        except (IOError, OSError):
            pass
    finally:
        os.close(descriptor)


def _temporary(path):
    """Beside the file, and of a name that no directory of configuration files reads."""
    return os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".tmp")


def _translated_write(path, error):
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        reason = (
            "permission denied, even for root (a container?)" if is_root() else "permission denied, root can write it"
        )
    elif error.errno == errno.EROFS:
        reason = "mounted read-only (a container?)"
    elif error.errno == errno.EINVAL:
        reason = "the kernel refuses this value"
    elif error.errno == errno.ENOENT:
        reason = "no such file"
    return NodeError(path, reason, error.errno)
