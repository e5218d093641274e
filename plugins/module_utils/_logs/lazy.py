# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Expressions that are compiled when they are first used, and the cheap test before them."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re


class Lazy:
    """A regular expression that is compiled when it is first used: most of them never are on a healthy node."""

    def __init__(self, pattern, flags=0):
        self._made_of = (pattern, flags)

    def __getattr__(self, name):
        compiled = re.compile(*self._made_of)
        for method in ("search", "match", "findall", "sub"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def contains_any(text, literals):
    """Whether the text contains one of the literals. Asked of every line: a generator would cost more than the search."""
    for literal in literals:  # noqa: SIM110
        if literal in text:
            return True
    return False
