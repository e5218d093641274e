# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The one place that looks at the node: files below a root directory. Running commands is for _commands, changing it for _node_writes.

The root is ``/`` on the node itself, ``/host`` in a container that has the host mounted there, the directory of an
unpacked sosreport, or a test's fixture tree: for the rest of the library they are the same case.

Nothing here waits for ever: what is opened is a regular file, and Deadline is asked before each step.
A call that hangs inside the kernel is for _watch to give up.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import io
import os
import stat
import time

# Nothing that is read as a whole is larger; a /proc/zoneinfo with a thousand CPUs has about 4 MiB.
MAX_TEXT = 64 * 1024 * 1024
# What one command or search may take where nobody has set a deadline.
SHARE_SECONDS = 600.0

# Old Pythons have no clock that nobody can set.
seconds_now = getattr(time, "monotonic", time.time)


class NodeError(Exception):
    """A source that could not be used. ``str()`` is a sentence that names the path and the reason."""

    timed_out = False

    def __init__(self, path, reason, errno_=None):
        super(NodeError, self).__init__("%s: %s" % (path, reason))
        self.path = path
        self.reason = reason
        self.errno = errno_

    @property
    def missing(self):
        """The file is not there, which is often an answer and not a fault."""
        return self.errno in (errno.ENOENT, errno.ENOTDIR)


class TimedOut(NodeError):
    """A source that did not come to its end in time."""

    timed_out = True


# Called by who ends without coming back to those that have started something: functions without arguments.
ON_LEAVING = []


class Deadline:
    """How long looking at a node may take. One object for a whole run, which its Node carries; without seconds there is no limit.

    hung   what an earlier try got stuck at: it is left alone
    pulse  called with what is looked at next, so that somebody else can tell work from hanging
    """

    def __init__(self, seconds=None, hung=(), pulse=None):
        self.hung, self.pulse = frozenset(hung), pulse
        self._end = None if seconds is None else seconds_now() + seconds

    def left(self):
        """Seconds, at least 0; None where there is no limit."""
        return None if self._end is None else max(0.0, self._end - seconds_now())

    def check(self, what):
        """Before each step. TimedOut when there is no time for it."""
        if what in self.hung:
            raise TimedOut(what, "gave no answer and was left out")
        if self._end is not None and seconds_now() >= self._end:
            raise TimedOut(what, "the time was up, see deadline_seconds")
        if self.pulse is not None:
            self.pulse(what)

    def share(self):
        """Seconds for one command or search: half of what is left, so that one that hangs leaves time for the others."""
        left = self.left()
        return SHARE_SECONDS if left is None else left / 2


def translated(path, error):
    """An OSError in the words of somebody who has to act on it."""
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        reason = "permission denied" if is_root() else "permission denied, root can read it"
    elif error.errno == errno.ENOENT:
        reason = "no such file"
    return NodeError(path, reason, error.errno)


def is_root():
    return not hasattr(os, "geteuid") or os.geteuid() == 0


class Node:
    """A Linux node, seen through its file system below ``root``. Paths are absolute, as on the node."""

    def __init__(self, root="/", deadline=None):
        self.deadline = deadline or Deadline()
        self.deadline.check(root)
        self.root = os.path.realpath(root)
        if not os.path.isdir(self.root):
            raise NodeError(root, "root is not a directory", errno.ENOENT)

    def path(self, path):
        """Where ``path`` of the node is here. Links that lead out of an unpacked archive are refused."""
        if "\0" in path:
            # Such as comes from the files of a damaged archive.
            raise NodeError(path.replace("\0", "?"), "no such file", errno.ENOENT)
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
            return self.root == "/" or self.read_text(boot_id) == Node("/", self.deadline).read_text(boot_id)
        except NodeError:
            return False

    def _open(self, path, buffering):
        """A regular file, or NodeError. What waits for a writer, or acts when it is opened, is never opened, nor read if it came in between."""
        self.deadline.check(path)
        real = self.path(path)
        try:
            _must_be_regular(path, os.stat(real))
            descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | getattr(os, "O_CLOEXEC", 0))
        except (IOError, OSError) as error:
            raise translated(path, error)
        try:
            _must_be_regular(path, os.fstat(descriptor))
            self._must_be_inside(path, descriptor)
            return io.open(descriptor, "rb", buffering=buffering)
        except Exception:
            os.close(descriptor)
            raise

    def _must_be_inside(self, path, descriptor):
        """A link may have come in between path() and the opening."""
        if self.root == "/":
            return
        try:
            real = os.readlink("/proc/self/fd/%d" % descriptor)
        except (IOError, OSError):
            return
        if not real.startswith(self.root + os.sep):
            raise NodeError(path, "a symbolic link leads out of %s" % self.root, errno.EACCES)

    def read_bytes(self, path, limit=MAX_TEXT):
        # The kernel allocates as much contiguous memory as one read of a sysctl asks for. Just what the node is short of.
        piece = 4095 if path.startswith("/proc/sys/") else 65536
        data = []
        with contextlib.closing(self._open(path, 0)) as stream:
            try:
                while limit >= 0:
                    data.append(stream.read(piece))
                    if not data[-1]:
                        # None: a file of the kernel that would have had to wait.
                        return b"".join(data[:-1])
                    limit -= len(data[-1])
                    if len(data) % 16 == 0:
                        self.deadline.check(path)
            except (IOError, OSError) as error:
                raise translated(path, error)
        raise NodeError(path, "too large", errno.EFBIG)

    def read_text(self, path, limit=MAX_TEXT):
        """The whole file as text; bytes that are not UTF-8 become replacement characters, a mark of their order at the beginning nothing."""
        return self.read_bytes(path, limit).decode("utf-8-sig", "replace")

    def exists(self, path):
        """Existence, also of files that may not be read (write-only sysctls)."""
        try:
            self.deadline.check(path)
            return os.path.lexists(self.path(path))
        except NodeError:
            return False

    def stat(self, path):
        self.deadline.check(path)
        try:
            return os.stat(self.path(path))
        except (IOError, OSError) as error:
            raise translated(path, error)

    def same_file(self, path, here):
        """Whether a path of the node is a file of this machine, by whatever links."""
        try:
            return os.path.samefile(self.path(path), here)
        except (IOError, OSError):
            return False

    def readlink(self, path):
        """Where a symbolic link leads, as it stands there."""
        self.deadline.check(path)
        try:
            # The link itself, wherever it leads.
            return os.readlink(os.path.join(self.path(os.path.dirname(path)), os.path.basename(path)))
        except (IOError, OSError) as error:
            raise translated(path, error)

    def readable(self, path):
        """Whether this process may read it, by mode, group and access list."""
        self.deadline.check(path)
        return os.access(self.path(path), os.R_OK)

    def listdir(self, path):
        self.deadline.check(path)
        try:
            return sorted(os.listdir(self.path(path)))
        except (IOError, OSError) as error:
            raise translated(path, error)

    def glob(self, pattern):
        """Paths of the node that match, in order."""
        # Imported only here: most callers name their paths and need no patterns.
        import glob

        self.deadline.check(pattern)
        strip = len(self.root.rstrip("/"))
        return sorted(found[strip:] for found in glob.glob(os.path.join(self.root, pattern.lstrip("/"))))

    def count_directories(self, path, limit=200000):
        """Directories in the tree below ``path``, itself included; they may come and go while it counts."""
        self.deadline.check(path)
        end = seconds_now() + self.deadline.share()
        count, pending = 0, [self.path(path)]
        if not os.path.isdir(pending[0]):
            raise NodeError(path, "no such directory", errno.ENOENT)
        while pending and count < limit:
            here = pending.pop()
            if count % 256 == 255:
                self.deadline.check(path)
                if seconds_now() > end:
                    raise TimedOut(path, "counting its directories took too long")
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
        """The regular file for reading piece by piece, a _Stream; the caller closes it."""
        return _Stream(self._open(path, io.DEFAULT_BUFFER_SIZE), lambda: self.deadline.check(path))

    def span_reader(self, path):
        """-> a function (offset, length) -> bytes of a file that is read here and there, unbuffered."""
        stream = self._open(path, 0)

        def read(offset, length):
            self.deadline.check(path)
            try:
                stream.seek(offset)
                return stream.read(length)
            except (IOError, OSError) as error:
                raise translated(path, error)

        return read

    def uname(self):
        """(release, machine) of the running kernel; only meaningful for a live root."""
        name = os.uname()
        return name[2], name[4]

    def page_size(self):
        """Bytes per page of the running kernel; only meaningful for a live root."""
        return os.sysconf("SC_PAGE_SIZE")


class _Stream:
    """A file that is read piece by piece. The deadline is asked before each piece, however much work the one before has made: whoever is
    busy shows that he lives, and hears that the time is up."""

    def __init__(self, stream, check):
        self._stream, self._check = stream, check
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size=-1):
        self._check()
        return self._stream.read(size)


def _must_be_regular(path, status):
    if not stat.S_ISREG(status.st_mode):
        raise NodeError(path, "not a regular file")
