# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Whether a file is to be obeyed by root: whether somebody else could have written it. As sudo and cron see it.

Looked at are the file itself, every directory on the way to it, and the way of every symbolic link among them. Trusted are root and
whoever runs this.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import json
import os
import stat

from ._node import Node, NodeError, translated

# The group's bits of a file with an access list are the mask of what is in it, whoever that is for.
_ACCESS_LIST = "system.posix_acl_access"
# As many symbolic links as the kernel follows (include/linux/namei.h, MAXSYMLINKS).
_LINKS = 40


class TrustingNode(Node):
    """A node whose files are obeyed, where nobody but root could have written them."""

    def weakness(self, path, follow=False):
        """-> why somebody else could change what is there, or None. The last part of ``path`` may be a link only with ``follow``."""
        try:
            return _weakness(self.root, path, follow)
        except (IOError, OSError) as error:
            raise translated(path, error)

    def read_trusted(self, path, limit=1048576):
        """As read_text(), of a plain file that only root could have written. Raises NodeError with the reason otherwise."""
        try:
            data, reason = _read(self.root, path, self.path(path), limit)
        except (IOError, OSError) as error:
            raise translated(path, error)
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


def _mapping(pairs):
    """An object of JSON. Of two values of one name none is the one that was meant."""
    found = {}
    for name, value in pairs:
        if name in found:
            raise ValueError("%s is there twice" % json.dumps(name))
        found[name] = value
    return found


def _weakness(root, path, follow=False):
    return _along(root, root, path, follow, _LINKS)


def _read(root, path, real, limit):
    """-> (content, None), or (b"", why the file is not to be obeyed). Raises OSError."""
    reason = _weakness(root, path)
    if reason:
        return b"", reason
    # Not followed, and not waited for: it may have been swapped in between.
    descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return b"", "%s is no plain file" % path
        reason = _fault(about, path)
        if reason:
            return b"", reason
        data = b""
        piece = os.read(descriptor, 65536)
        while piece and len(data) <= limit:
            data += piece
            piece = os.read(descriptor, 65536)
    finally:
        os.close(descriptor)
    return (data, None) if len(data) <= limit else (b"", "%s is too large" % path)


def _fault(about, name):
    """Why others could change a file or directory, or None."""
    if about.st_uid not in (0, os.geteuid()):
        return "%s belongs to user %d" % (name, about.st_uid)
    # In a directory with the sticky bit nobody replaces what is another's, and what is in it is looked at as well.
    if stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX:
        return None
    if about.st_mode & stat.S_IWOTH:
        return "%s may be written by everyone (mode %04o)" % (name, stat.S_IMODE(about.st_mode))
    if about.st_mode & stat.S_IWGRP and about.st_gid not in (0, os.getegid()):
        return "%s may be written by group %d (mode %04o)" % (name, about.st_gid, stat.S_IMODE(about.st_mode))
    return None


def _shared(about, path):
    """Why users of an access list could change a file that _fault() finds to be root's and its group's, or None."""
    if about.st_mode & stat.S_IWGRP and not about.st_mode & stat.S_ISVTX and _has_access_list(path):
        return "%s may be written by users of an access list (mode %04o)" % (path, stat.S_IMODE(about.st_mode))
    return None


def _has_access_list(path):
    if hasattr(os, "getxattr"):
        try:
            return bool(os.getxattr(path, _ACCESS_LIST))
        except OSError as error:
            # Without one there is no such attribute, and some file systems have none at all.
            return error.errno not in (errno.ENODATA, errno.EOPNOTSUPP)
    try:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        size = library.getxattr(path.encode("utf-8"), _ACCESS_LIST.encode("ascii"), None, ctypes.c_size_t(0))
        return size >= 0 or ctypes.get_errno() not in (errno.ENODATA, errno.EOPNOTSUPP)
    except (ImportError, OSError, AttributeError, UnicodeError):
        return True


def _along(root, base, path, follow, links):
    """Goes from ``base`` along ``path``; so many ``links`` may still be followed."""
    here, names = base, [name for name in path.split("/") if name not in ("", ".")]
    about = os.lstat(here)
    reason = _fault(about, here) or _shared(about, here)
    while names and not reason:
        name = names.pop(0)
        if name == "..":
            here = os.path.dirname(here) if here != root else root
            continue
        here = os.path.join(here, name)
        about = os.lstat(here)
        if not stat.S_ISLNK(about.st_mode):
            reason = _fault(about, here) or _shared(about, here)
        elif not names and not follow:
            reason = "%s is a symbolic link" % here
        elif about.st_uid not in (0, os.geteuid()):
            reason = "%s is a symbolic link of user %d" % (here, about.st_uid)
        elif not links:
            reason = "%s is one symbolic link too many" % here
        else:
            target = os.readlink(here)
            beyond = root if target.startswith("/") else os.path.dirname(here)
            return _along(root, beyond, "/".join([target] + names), follow, links - 1)
    return reason
