# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The one place that looks at the node: files below a root directory, and commands. Changing it is for _node_writes.

The root is ``/`` on the node itself, ``/host`` in a container that has the host mounted there, the directory of an
unpacked sosreport, or a test's fixture tree: for the rest of the library they are the same case.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import io
import os
import subprocess

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
        reason = "permission denied" if is_root() else "permission denied, root can read it"
    elif error.errno == errno.ENOENT:
        reason = "no such file"
    return NodeError(path, reason, error.errno)


def is_root():
    return not hasattr(os, "geteuid") or os.geteuid() == 0


class Node:
    """A Linux node, seen through its file system below ``root``. Paths are absolute, as on the node."""

    def __init__(self, root="/"):
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

    def readlink(self, path):
        """Where a symbolic link leads, as it stands there."""
        try:
            return os.readlink(self.path(path))
        except (IOError, OSError) as error:
            raise _translated(path, error)

    def listdir(self, path):
        try:
            return sorted(os.listdir(self.path(path)))
        except (IOError, OSError) as error:
            raise _translated(path, error)

    def glob(self, pattern):
        """Paths of the node that match, in order."""
        # Most who look at a node know their paths.
        import glob

        strip = len(self.root.rstrip("/"))
        return sorted(found[strip:] for found in glob.glob(os.path.join(self.root, pattern.lstrip("/"))))

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

    def span_reader(self, path):
        """-> a function (offset, length) -> bytes of a file that is read here and there, unbuffered."""
        try:
            stream = io.open(self.path(path), "rb", buffering=0)
        except (IOError, OSError) as error:
            raise _translated(path, error)

        def read(offset, length):
            try:
                stream.seek(offset)
                return stream.read(length)
            except (IOError, OSError) as error:
                raise _translated(path, error)

        return read

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
