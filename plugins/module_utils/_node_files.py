# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Whole files that come in place of others, with owner, mode and SELinux label. Paths are those here; whoever calls translates OSError."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import stat

# What SELinux calls a file, and how long that is at most (fs/xattr.c has no limit below 64 kB; policies stay far below).
_LABEL = "security.selinux"
_LONGEST_LABEL = 4096


def replace(real, data, mode):
    """Puts a file in place of another, through a temporary one beside it. Whoever reads sees one or the other.

    It belongs to whoever runs this, and has the SELinux label of the file that it replaces; a new one has its directory's. The temporary
    name is a fixed one, so that a run that was killed leaves at most one, which the next run replaces.
    """
    beside = temporary(real)
    if os.path.lexists(beside):
        os.unlink(beside)
    try:
        _write(beside, data, mode)
        _keep_label(real, beside)
        os.rename(beside, real)
    except (IOError, OSError):
        # On a disk that is full it would take up what little there is, until somebody clears up.
        _forget(beside)
        raise


def temporary(path):
    """Beside the file, and of a name that no directory of configuration files reads."""
    return os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".tmp")


def settle(directory):
    """What was renamed in the directory is so on disk when this returns."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except (IOError, OSError) as error:
        # Some file systems have nothing to write back for a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def is_other(about, mode):
    """Whether a file has another owner, group or mode than one that is made here."""
    return (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) != (os.geteuid(), os.getegid(), mode)


def own(descriptor):
    """Makes a file that of whoever runs this: root, on a node. In a directory with the group's bit it comes with another group."""
    about = os.fstat(descriptor)
    if (about.st_uid, about.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, os.geteuid(), os.getegid())


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


def _write(real, data, mode):
    """A new file, on disk when this returns."""
    descriptor = os.open(real, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        own(descriptor)
        while data:
            data = data[os.write(descriptor, data) :]
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget(real):
    try:
        os.unlink(real)
    except (IOError, OSError):
        # What keeps it from being written may keep it from being removed; it says so itself.
        pass


def _keep_label(real, other):
    """Gives the SELinux label of a file to another. Where there is none, or it may not be given, the kernel's choice stays."""
    try:
        if hasattr(os, "getxattr"):
            os.setxattr(other, _LABEL, os.getxattr(real, _LABEL, follow_symlinks=False))
        else:
            _keep_label_by_libc(as_bytes(real), as_bytes(other))
    except (IOError, OSError):
        pass


def _keep_label_by_libc(real, other):
    """The same for Python 2.7, which knows no extended attributes. Python 3 is as fast without ctypes, which takes 10 ms to import."""
    import ctypes

    libc, name, size = ctypes.CDLL(None), _LABEL.encode("ascii"), ctypes.c_size_t(_LONGEST_LABEL)
    label = ctypes.create_string_buffer(_LONGEST_LABEL)
    length = libc.lgetxattr(real, name, label, size)
    if length > 0:
        libc.setxattr(other, name, label, ctypes.c_size_t(length), 0)
