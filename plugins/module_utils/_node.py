# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The one place that touches the node: files below a root directory, and commands.

The root is ``/`` on the node itself, ``/host`` in a container that has the host mounted there, the directory of an
unpacked sosreport, or a test's fixture tree: for the rest of the library they are the same case.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import glob as _glob
import io
import os
import signal
import subprocess
import time

# Nothing that is read as a whole is larger; a /proc/zoneinfo with a thousand CPUs has about 4 MiB.
MAX_TEXT = 64 * 1024 * 1024


class NodeError(Exception):
    """A source that could not be used. ``str()`` is a sentence that names the path and the reason."""

    def __init__(self, path, reason, errno_=None):
        super(NodeError, self).__init__("%s: %s" % (path, reason))
        self.path = path
        self.reason = reason
        self.errno = errno_

    @property
    def missing(self):
        """The file is not there, which is often an answer and not a fault."""
        return self.errno in (errno.ENOENT, errno.ENOTDIR)


def _translated(path, error):
    """An OSError in the words of somebody who has to act on it."""
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        reason = "permission denied" if _is_root() else "permission denied, root can read it"
    elif error.errno == errno.ENOENT:
        reason = "no such file"
    return NodeError(path, reason, error.errno)


def _is_root():
    return not hasattr(os, "geteuid") or os.geteuid() == 0


class Node:
    """A Linux node, seen through its file system below ``root``. Paths are absolute, as on the node."""

    def __init__(self, root="/"):
        self.root = os.path.realpath(root)
        if not os.path.isdir(self.root):
            raise NodeError(root, "root is not a directory", errno.ENOENT)

    def path(self, path):
        """Where ``path`` of the node is here. Links that lead out of an unpacked archive are refused."""
        real = os.path.join(self.root, path.lstrip("/"))
        if self.root != "/":
            resolved = os.path.realpath(real)
            if resolved != self.root and not resolved.startswith(self.root + os.sep):
                raise NodeError(path, "a symbolic link leads out of %s" % self.root, errno.EACCES)
        return real

    @property
    def live(self):
        """Whether the root shows the running kernel: uname and sysconf speak of this node then, not of another."""
        boot_id = "/proc/sys/kernel/random/boot_id"
        try:
            return self.root == "/" or self.read_text(boot_id) == Node("/").read_text(boot_id)
        except NodeError:
            return False

    def read_bytes(self, path, limit=MAX_TEXT):
        # The kernel allocates as much contiguous memory as one read of a sysctl asks for. Just what the node is short of.
        piece = 4095 if path.startswith("/proc/sys/") else 65536
        data = []
        try:
            with io.open(self.path(path), "rb", buffering=0) as stream:
                while limit >= 0:
                    data.append(stream.read(piece))
                    if not data[-1]:
                        return b"".join(data)
                    limit -= len(data[-1])
        except (IOError, OSError) as error:
            raise _translated(path, error)
        raise NodeError(path, "too large", errno.EFBIG)

    def read_text(self, path, limit=MAX_TEXT):
        """The whole file as text; bytes that are not UTF-8 become replacement characters."""
        return self.read_bytes(path, limit).decode("utf-8", "replace")

    def exists(self, path):
        """Existence, also of files that may not be read (write-only sysctls)."""
        try:
            return os.path.lexists(self.path(path))
        except NodeError:
            return False

    def stat(self, path):
        try:
            return os.stat(self.path(path))
        except (IOError, OSError) as error:
            raise _translated(path, error)

    def listdir(self, path):
        try:
            return sorted(os.listdir(self.path(path)))
        except (IOError, OSError) as error:
            raise _translated(path, error)

    def glob(self, pattern):
        """Paths of the node that match, in order."""
        strip = len(self.root.rstrip("/"))
        return sorted(found[strip:] for found in _glob.glob(os.path.join(self.root, pattern.lstrip("/"))))

    def count_directories(self, path, limit=200000):
        """Directories in the tree below ``path``, itself included; they may come and go while it counts."""
        count, pending = 0, [self.path(path)]
        if not os.path.isdir(pending[0]):
            raise NodeError(path, "no such directory", errno.ENOENT)
        while pending and count < limit:
            here = pending.pop()
            try:
                # On cgroupfs the link count says how many directories are below, which saves looking for them.
                children = os.lstat(here).st_nlink - 2
                names = os.listdir(here) if children else ()
            except (IOError, OSError):
                continue
            count += 1
            for name in names:
                below = os.path.join(here, name)
                if os.path.isdir(below) and not os.path.islink(below):
                    pending.append(below)
                    children -= 1
                    if not children:
                        break
        return count

    def open_binary(self, path):
        """The file for reading piece by piece; the caller closes it."""
        try:
            return io.open(self.path(path), "rb")
        except (IOError, OSError) as error:
            raise _translated(path, error)

    @contextlib.contextmanager
    def stream_command(self, argv):
        """Runs a command on the node (no shell, C locale); gives its running process with binary ``stdout``.

        It is ended when the caller is done with it, so that one may stop reading early.
        """
        environment = dict(os.environ, LC_ALL="C", LANG="C")
        with io.open(os.devnull, "r+b") as null:
            try:
                # The library runs without Ansible, too, and has no run_command().
                process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                    argv, stdin=null, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, close_fds=True
                )
            except (IOError, OSError) as error:
                raise NodeError(argv[0], error.strerror or str(error), error.errno)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.stdout.close()
            process.stderr.close()
            process.wait()

    def uname(self):
        """(release, machine) of the running kernel; only meaningful for a live root."""
        name = os.uname()
        return name[2], name[4]

    def page_size(self):
        """Bytes per page of the running kernel; only meaningful for a live root."""
        return os.sysconf("SC_PAGE_SIZE")

    # --- changes: only of a policy's or an administrator's making, and never of an unpacked archive ------------------

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
        import fcntl

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


# How long a child that was told to end may go on before it is left to the kernel.
_GRACE_SECONDS = 10


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
            "permission denied, even for root (a container?)" if _is_root() else "permission denied, root can write it"
        )
    elif error.errno == errno.EROFS:
        reason = "mounted read-only (a container?)"
    elif error.errno == errno.EINVAL:
        reason = "the kernel refuses this value"
    elif error.errno == errno.ENOENT:
        reason = "no such file"
    return NodeError(path, reason, error.errno)
