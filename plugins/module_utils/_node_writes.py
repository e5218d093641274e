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
import json
import os
import signal
import stat
import time

from . import _node_trust
from ._node import Node, NodeError, is_root

# How long a child that was told to end may go on before it is left to the kernel.
_GRACE_SECONDS = 10

# What SELinux calls a file, and how long that is at most (fs/xattr.c has no limit below 64 kB; policies stay far below).
_LABEL = "security.selinux"
_LONGEST_LABEL = 4096

# Between two looks at a lock that is another's.
_LOCK_PAUSE = 0.1


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

        It belongs to whoever runs this, and has the SELinux label of the file that it replaces; a new one has its directory's. The temporary
        name is a fixed one, so that a run that was killed leaves at most one, which the next run replaces.
        """
        real = self.path(path)
        temporary = _temporary(real)
        try:
            if os.path.lexists(temporary):
                os.unlink(temporary)
            try:
                _write_whole(temporary, _bytes(text), mode)
                _keep_label(real, temporary)
                os.rename(temporary, real)
            except (IOError, OSError):
                # On a disk that is full it would take up what little there is, until somebody clears up.
                _forget(temporary)
                raise
        except (IOError, OSError) as error:
            raise _translated_write(path, error)

    def settle(self, path):
        """After write_file(): the file is there after a loss of power, too, before anything that comes later is."""
        try:
            _sync_directory(os.path.dirname(self.path(path)))
        except (IOError, OSError) as error:
            raise _translated_write(path, error)

    def file_differs(self, path, text, mode=0o644):
        """Whether write_file() has something to do: other content, owner, group or mode, no plain file, or none at all."""
        try:
            about = os.lstat(self.path(path))
        except (IOError, OSError) as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return True
            raise _translated_write(path, error)
        if not stat.S_ISREG(about.st_mode) or _is_other(about, mode):
            return True
        return self.read_bytes(path) != _bytes(text)

    def make_directory(self, path, mode=0o755):
        """Makes a directory, and those above it. -> whether it had to be made. One that is there is left as it is."""
        real = self.path(path)
        try:
            if os.path.isdir(real):
                return False
            os.makedirs(real, mode)
            os.chmod(real, mode)
        except (IOError, OSError) as error:
            raise _translated_write(path, error)
        return True

    def own_directory(self, path, mode=0o755, check_mode=False):
        """Makes a directory that is the collection's own, or gives it its owner and mode back. -> whether there is something to do."""
        real = self.path(path)
        try:
            try:
                about = os.lstat(real)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise
                return check_mode or self.make_directory(path, mode)
            if not stat.S_ISDIR(about.st_mode):
                raise NodeError(path, "this is no directory", errno.ENOTDIR)
            if not _is_other(about, mode):
                return False
            if not check_mode:
                descriptor = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    _take(descriptor)
                    os.fchmod(descriptor, mode)
                finally:
                    os.close(descriptor)
        except (IOError, OSError) as error:
            raise _translated_write(path, error)
        return True

    def mode(self, path):
        """The permission bits of a file itself, not of what a link leads to."""
        try:
            return stat.S_IMODE(os.lstat(self.path(path)).st_mode)
        except (IOError, OSError) as error:
            raise _translated_write(path, error)

    def left_of(self, path):
        """Whether there is something for remove() to do."""
        return self.exists(path) or self.exists(_temporary(path))

    def remove_temporary(self, path):
        """Removes what a write_file() that was killed has left beside the file."""
        self._unlink(_temporary(path))

    def remove(self, path):
        """Removes a file, or a directory that is empty, and what write_file() may have left of it. -> whether it was there."""
        left = self._unlink(_temporary(path))
        return self._unlink(path) or left

    def is_empty_directory(self, path):
        """A directory, and no link to one, with nothing in it."""
        real = self.path(path)
        try:
            return not os.path.islink(real) and not os.listdir(real)
        except (IOError, OSError):
            return False

    def _unlink(self, path):
        try:
            real = self.path(path)
            if os.path.isdir(real) and not os.path.islink(real):
                os.rmdir(real)
            else:
                os.unlink(real)
        except (IOError, OSError) as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY):
                raise _translated_write(path, error)
            return False
        return True

    def weakness(self, path, follow=False):
        """-> why somebody else than root, or whoever runs this, could change what is there, or None: see _node_trust.py."""
        try:
            return _node_trust.weakness(self.root, path, follow)
        except (IOError, OSError) as error:
            raise _translated_write(path, error)

    def read_trusted(self, path, limit=1048576):
        """As read_text(), of a plain file that only root could have written. Raises NodeError with the reason otherwise."""
        try:
            data, reason = _node_trust.read(self.root, path, self.path(path), limit)
        except (IOError, OSError) as error:
            raise _translated_write(path, error)
        if reason:
            raise NodeError(path, "not obeyed, since " + reason, errno.EPERM)
        return data.decode("utf-8", "replace")

    def read_json(self, path, limit=1048576):
        """The JSON of read_trusted(). Raises ValueError with the reason for what is none, and for a name with two values."""
        try:
            return json.loads(self.read_trusted(path, limit), object_pairs_hook=_mapping)
        except RuntimeError:
            # Python's own limit; a RecursionError in Python 3.
            raise ValueError("nested too deeply")

    # --- locks --------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self, path, create=True, wait_seconds=0, remove=False):
        """Gives whether the lock is held now. The kernel releases it with the process, whatever ends that.

        With ``create`` off nothing is written: where there is no file, nobody holds the lock. With ``remove`` the file goes with it.
        """
        real, deadline = self.path(path), time.time() + wait_seconds
        while True:
            try:
                descriptor, held = _lock(real, create)
            except (IOError, OSError) as error:
                raise _translated_write(path, error)
            if held or time.time() >= deadline:
                break
            time.sleep(_LOCK_PAUSE)
        try:
            yield held
        finally:
            if descriptor is not None:
                try:
                    if held and remove:
                        self._unlink(path)
                except NodeError:
                    # It stands in nobody's way. What was done under it is done, and its own failure is worth more.
                    pass
                finally:
                    os.close(descriptor)


def _lock(real, create):
    """-> (descriptor or None where there is no file, whether the lock is held)"""
    while True:
        try:
            descriptor = os.open(real, os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0), 0o600)
        except (IOError, OSError) as error:
            if create or error.errno != errno.ENOENT:
                raise
            return None, True
        keep = False
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (IOError, OSError) as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                return None, False
            # Whoever held it may have removed the file in between; another run may hold the lock of a new one then.
            keep = _is_same(descriptor, real)
            if keep:
                return descriptor, True
        finally:
            if not keep:
                os.close(descriptor)


def _is_same(descriptor, real):
    try:
        there, here = os.stat(real), os.fstat(descriptor)
    except (IOError, OSError) as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


def _is_other(about, mode):
    return (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) != (os.geteuid(), os.getegid(), mode)


def _take(descriptor):
    """Makes a file that of whoever runs this: root, on a node. In a directory with the group's bit it comes with another group."""
    about = os.fstat(descriptor)
    if (about.st_uid, about.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, os.geteuid(), os.getegid())


def _write_whole(real, data, mode):
    """A new file, on disk when this returns."""
    descriptor = os.open(real, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _take(descriptor)
        while data:
            data = data[os.write(descriptor, data) :]
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(real):
    descriptor = os.open(real, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except (IOError, OSError) as error:
        # Some file systems have nothing to write back for a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _forget(real):
    try:
        os.unlink(real)
    except (IOError, OSError):
        # What keeps it from being written may keep it from being removed; it says so itself.
        pass


def _be_modest():
    try:
        os.nice(19)
    except (IOError, OSError):
        # A service that may not change priorities has been given its own.
        pass


def _write_value(real, value):
    data = ("%s\n" % value).encode("ascii")
    descriptor = os.open(real, os.O_WRONLY)
    try:
        written = os.write(descriptor, data)
        if written != len(data):
            # The first digits of a number are another number.
            raise OSError(errno.EIO, "only %d of %d bytes were taken" % (written, len(data)))
        # The kernel's files have no length. Of a plain file, in a tree of them, the rest of a longer value goes last: at no
        # moment is it empty.
        try:
            os.ftruncate(descriptor, len(data))
        except (IOError, OSError):
            pass
    finally:
        os.close(descriptor)


def _keep_label(path, other):
    """Gives the SELinux label of a file to another. Where there is none, or it may not be given, the kernel's choice stays."""
    try:
        if hasattr(os, "getxattr"):
            os.setxattr(other, _LABEL, os.getxattr(path, _LABEL, follow_symlinks=False))
        else:
            _keep_label_by_libc(path, other)
    except (IOError, OSError):
        pass


def _keep_label_by_libc(path, other):
    """The same for Python 2.7, which knows no extended attributes. Python 3 is as fast without ctypes, which takes 10 ms to import."""
    import ctypes

    libc = ctypes.CDLL(None)
    label = ctypes.create_string_buffer(_LONGEST_LABEL)
    length = libc.lgetxattr(_as_path(path), _as_path(_LABEL), label, ctypes.c_size_t(_LONGEST_LABEL))
    if length > 0:
        libc.setxattr(_as_path(other), _as_path(_LABEL), label, ctypes.c_size_t(length), 0)


def _as_path(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


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


def _mapping(pairs):
    """An object of JSON. Of two values of one name none is the one that was meant."""
    found = {}
    for name, value in pairs:
        if name in found:
            raise ValueError("%s is there twice" % json.dumps(name))
        found[name] = value
    return found
