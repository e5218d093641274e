# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Text that others wrote, for a terminal: nothing in it moves the cursor, colours, hides or reorders."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import sys

# Terminal sequences (ECMA-48) as a whole, so that no "[31m" is left of them.
_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)


def _class(*ranges):
    """Code points as a character class. Not as a literal: a formatter takes away the u that Python 2.7 needs."""
    return "".join("\\u%04x-\\u%04x" % pair for pair in ranges).encode("ascii").decode("unicode_escape")


# Control characters of both ranges but the tab, line and paragraph separators.
_BREAKS = _class((0x00, 0x08), (0x0A, 0x1F), (0x7F, 0x9F), (0x2028, 0x2029))
# Characters without a width, among them those that turn the direction of writing round (Unicode category Cf), and what Unicode has to be
# ignored where it cannot be drawn: fillers, variation selectors and the like; below U+10000.
_INVISIBLE = _class(
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
)  # fmt: skip
# And above it: tags, in which whole sentences can be hidden. Some Pythons 2 have them as two halves.
_TAGS = b"[\\U000e0000-\\U000e0fff]" if sys.maxunicode > 0xFFFF else b"\\udb40[\\udc00-\\udfff]"
_TAGS = _TAGS.decode("unicode_escape")
# More marks on one letter than any language has cover the lines above and below.
_MARKS = (
    "["
    + _class((0x300, 0x36F), (0x483, 0x489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))
    + "]"
)
_PILE = re.compile("(" + _MARKS + "{4})" + _MARKS + "+")
_CONTROL = re.compile("[" + _BREAKS + _INVISIBLE + "]|" + _TAGS + "|" + _MARKS + "{5}")
_BREAK = re.compile("[" + _BREAKS + "]")
_HIDDEN = re.compile("[" + _INVISIBLE + "]|" + _TAGS)
# Of nearly all lines Python 3 tells much sooner that there is nothing of the kind in them; for others and with Python 2 the expression has to.
_PRINTABLE = getattr(type(b"".decode("ascii")), "isprintable", None)
_ASCII = getattr(type(b"".decode("ascii")), "isascii", None)


def strip_controls(text):
    """One line without what a terminal or a line-based format would act on, or what would make it read otherwise."""
    if _ASCII is not None and isinstance(text, str) and _ASCII(text) and _PRINTABLE(text) or not _CONTROL.search(text):
        return text
    return _BREAK.sub(" ", _PILE.sub(r"\1", _HIDDEN.sub("", _SEQUENCES.sub("", text))))
