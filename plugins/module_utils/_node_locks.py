# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Locks that one run on a node holds against another. The kernel releases them with the process, whatever ends that."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import fcntl
import os
import time

from ._node import seconds_now
from ._node_writes import in_words

# Between two looks at a lock that is another's.
_PAUSE = 0.1


@contextlib.contextmanager
def lock(node, path, create=True, wait_seconds=0, remove=False):
    """Gives whether the lock is held now. Raises NodeError where its file cannot be opened.

    With ``create`` off nothing is written: where there is no file, nobody holds the lock. With ``remove`` the file goes with it.
    """
    real, deadline = node.path(path), seconds_now() + wait_seconds
    while True:
        with in_words(path):
            descriptor, held = _take(real, create)
        if held or seconds_now() >= deadline:
            break
        time.sleep(_PAUSE)
    try:
        yield held
    finally:
        if descriptor is not None:
            try:
                if held and remove:
                    os.unlink(real)
            except (IOError, OSError):
                # It stands in nobody's way. What was done under it is done, and its own failure is worth more.
                pass
            finally:
                os.close(descriptor)


def _take(real, create):
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
