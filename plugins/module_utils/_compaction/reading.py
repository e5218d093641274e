# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a guard has read: a value, a source that this kernel does not have, or one that is there and says nothing.

    {"value": ..., "missing": why or None, "broken": why or None}

The difference is what a guard acts on. What the kernel does not have cannot be asked, and is named; what is there and cannot be
read or understood holds off.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno

from .._node import NodeError

_LIMIT = 65536


def of(value=None, missing=None, broken=None):
    return {"value": value, "missing": missing, "broken": broken}


def failed(error):
    """Of a NodeError. Where the kernel was told at boot to do without (psi=0), opening gives EOPNOTSUPP."""
    if error.missing or error.errno == errno.EOPNOTSUPP:
        return of(missing=str(error))
    return of(broken=str(error))


def is_there(node, path):
    """Whether a file is there whose existence alone speaks. What cannot be told counts as there: a link that leads out of the node's root,
    as a link of the node does that begins at its own root, or a directory that does not answer."""
    if node.exists(path):
        return True
    try:
        node.stat(path)
    except NodeError as error:
        return not error.missing
    return True


def parsed(node, path, parse):
    """Reads a file; ``parse`` gives the value, or None for what it does not understand."""
    try:
        value = parse(node.read_text(path, _LIMIT))
    except NodeError as error:
        return failed(error)
    return of(broken="%s: not understood" % path) if value is None else of(value)
