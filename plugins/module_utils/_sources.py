# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Reading and parsing files of a node, with an account of what could not be read or understood."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._node import NodeError

_HINTS = {
    "extfrag": "debugfs is not mounted here, or not built into this kernel; the indices are computed, with the same result",
    "pressure": "no PSI in this kernel, or not switched on (psi=1)",
}


class Sources:
    """Reads and parses files of the node; what cannot be read or understood is kept for the record."""

    def __init__(self, node):
        self.node = node
        self.unavailable = {}
        self.unparsed_lines = {}

    def take(self, name, paths, parse, record=True):
        """The parsed content of the first of ``paths`` that can be read, or None."""
        failure = None
        for path in paths:
            try:
                text = self.node.read_text(path)
            except NodeError as error:
                # A file that is there and cannot be read says more than one that is not there.
                failure = failure if failure and not failure.missing else error
                continue
            data, unparsed = parse(text)
            if unparsed:
                self.unparsed_lines[name] = self.unparsed_lines.get(name, 0) + unparsed
            if not data and record:
                self.unavailable[name] = "%s: nothing in it could be understood" % path
            return data
        if record:
            self.miss(name, failure)
        return None

    def miss(self, name, error):
        hint = _HINTS.get(name) if getattr(error, "missing", False) else None
        self.unavailable[name] = "%s (%s)" % (error, hint) if hint else str(error)
