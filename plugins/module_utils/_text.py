# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Text that others wrote, for a terminal: nothing in it moves the cursor, colours, hides or reorders."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# Terminal sequences (ECMA-48) as a whole, so that no "[31m" is left of them.
_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)


def _class(*ranges):
    """Code points as a character class. Not as a literal: a formatter takes away the u that Python 2.7 needs."""
    return "".join("\\u%04x-\\u%04x" % pair for pair in ranges).encode("ascii").decode("unicode_escape")


# Control characters of both ranges but the tab, line and paragraph separators.
_BREAKS = _class((0x00, 0x08), (0x0A, 0x1F), (0x7F, 0x9F), (0x2028, 0x2029))
# Characters without a width, among them those that turn the direction of writing round (Unicode category Cf, below U+10000).
_INVISIBLE = _class(
    (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB)
)  # fmt: skip
_CONTROL = re.compile("[" + _BREAKS + _INVISIBLE + "]")
_BREAK = re.compile("[" + _BREAKS + "]")
_HIDDEN = re.compile("[" + _INVISIBLE + "]")
# Of nearly all lines Python 3 tells much sooner that there is nothing of the kind in them; with Python 2 the expression has to.
_PRINTABLE = getattr(type(b"".decode("ascii")), "isprintable", None)


def strip_controls(text):
    """One line without what a terminal or a line-based format would act on, or what would make it read otherwise."""
    if _PRINTABLE is not None and isinstance(text, str) and _PRINTABLE(text) or not _CONTROL.search(text):
        return text
    return _BREAK.sub(" ", _HIDDEN.sub("", _SEQUENCES.sub("", text)))
