# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Acting on a node: its settings, files and directories.

Only of a policy's or an administrator's making, and never of an unpacked archive. It is apart from what looks at the node, because
the node compiles what it imports at every run, and an audit only looks.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import os
import stat

from . import _node_files
from ._node import NodeError, is_root
from ._node_trust import TrustingNode


class WritableNode(TrustingNode):
    """A node that may be changed. Every failure is a NodeError that says what could not be written, and why."""

    def write_value(self, path, value):
        """Writes a setting to a file of the kernel, in one write and in place, as /proc/sys and /sys want it."""
        with in_words(path):
            put_value(self.path(path), value)

    def check_writable(self, path):
        """Raises NodeError where the file is missing, or may not be written: by its mode, or by the mount it is on."""
        with in_words(path):
            os.close(os.open(self.path(path), os.O_WRONLY))

    def write_file(self, path, text, mode=0o644):
        """Puts a whole file (text, or bytes) in place of another: see _node_files.replace()."""
        with in_words(path):
            _node_files.replace(self.path(path), _node_files.as_bytes(text), mode)

    def settle(self, path):
        """After write_file(): the file is there after a loss of power, too, before anything that comes later is."""
        with in_words(path):
            _node_files.settle(os.path.dirname(self.path(path)))

    def file_differs(self, path, text, mode=0o644):
        """Whether write_file() has something to do: other content, owner, group or mode, no plain file, or none at all."""
        with in_words(path):
            try:
                about = os.lstat(self.path(path))
            except (IOError, OSError) as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    raise
                return True
        if not stat.S_ISREG(about.st_mode) or _node_files.is_other(about, mode):
            return True
        return self.read_bytes(path) != _node_files.as_bytes(text)

    def make_directory(self, path, mode=0o755):
        """Makes a directory, and those above it. -> whether it had to be made. One that is there is left as it is.

        Each has its mode from the start but for what the caller's umask takes: with one of 0 the mode of os.makedirs() is the last one's alone,
        and anybody may write to those above.
        """
        real = self.path(path)
        with in_words(path):
            if os.path.isdir(real):
                return False
            if not os.path.isdir(os.path.dirname(real)):
                self.make_directory(os.path.dirname(path))
            try:
                os.mkdir(real, mode)
            except (IOError, OSError) as error:
                # Another run may have been quicker.
                if error.errno != errno.EEXIST or not os.path.isdir(real):
                    raise
                return False
            os.chmod(real, mode)
        return True

    def own_directory(self, path, mode=0o755, check_mode=False):
        """Makes a directory that is the collection's own, or gives it its owner and mode back. -> whether there is something to do."""
        real = self.path(path)
        with in_words(path):
            try:
                about = os.lstat(real)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise
                return check_mode or self.make_directory(path, mode)
            if not stat.S_ISDIR(about.st_mode):
                raise NodeError(path, "this is no directory", errno.ENOTDIR)
            if not _node_files.is_other(about, mode):
                return False
            if not check_mode:
                descriptor = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    _node_files.own(descriptor)
                    os.fchmod(descriptor, mode)
                finally:
                    os.close(descriptor)
        return True

    def mode(self, path):
        """The permission bits of a file itself, not of what a link leads to."""
        with in_words(path):
            return stat.S_IMODE(os.lstat(self.path(path)).st_mode)

    def left_of(self, path):
        """Whether there is something for remove() to do."""
        return self.exists(path) or self.exists(_node_files.temporary(path))

    def remove_temporary(self, path):
        """Removes what a write_file() that was killed has left beside the file."""
        self._unlink(_node_files.temporary(path))

    def remove(self, path):
        """Removes a file, or a directory that is empty, and what write_file() may have left of it. -> whether it was there."""
        left = self._unlink(_node_files.temporary(path))
        return self._unlink(path) or left

    def is_empty_directory(self, path):
        """A directory, and no link to one, with nothing in it."""
        real = self.path(path)
        try:
            return not os.path.islink(real) and not os.listdir(real)
        except (IOError, OSError):
            return False

    def _unlink(self, path):
        with in_words(path):
            try:
                real = self.path(path)
                if os.path.isdir(real) and not os.path.islink(real):
                    os.rmdir(real)
                else:
                    os.unlink(real)
            except (IOError, OSError) as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY):
                    raise
                return False
        return True


def put_value(real, value):
    """write_value() of where a file is here. Raises OSError."""
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


@contextlib.contextmanager
def in_words(what):
    """Makes an OSError a NodeError in the words of somebody who has to act on it: what could not be written, and why."""
    try:
        yield
    except (IOError, OSError) as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.EACCES, errno.EPERM):
            reason = "permission denied, %s" % ("even for root (a container?)" if is_root() else "root can write it")
        elif error.errno == errno.EROFS:
            reason = "mounted read-only (a container?)"
        elif error.errno == errno.EINVAL:
            reason = "the kernel refuses this value"
        elif error.errno == errno.ENOENT:
            reason = "no such file"
        raise NodeError(what, reason, error.errno)
