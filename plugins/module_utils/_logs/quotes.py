# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Texts that were quoted by one program after the other on their way into the log."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from . import errors

# What word processors make of quotes. As bytes: a formatter takes away the u of a literal.
_CURLY_OPEN, _CURLY_CLOSE = b"\xe2\x80\x9c".decode("utf-8"), b"\xe2\x80\x9d".decode("utf-8")
# A run of backslashes is taken whole, with the quote if there is one: each is looked at once.
_ESCAPED = re.compile(r"\\+\"?")


def _unescape(match):
    return '"' if match.group().endswith('"') else match.group()


def plain(text):
    """Quotes as they were before they were escaped, once per log they went through."""
    if "\\" in text or "&" in text or _CURLY_OPEN in text:
        text = _ESCAPED.sub(_unescape, text).replace(_CURLY_OPEN, '"').replace(_CURLY_CLOSE, '"')
        text = text.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
    return text


# Where the error of the runtime begins that the kubelet quotes.
INNER = "rpc error: code"


def inner(text):
    """The error that a line of the kubelet quotes, as it is written there; None where it quotes none."""
    at = text.find(INNER)
    return text[at:].rstrip('"') if at >= 0 and len(text) <= errors.MAX_HEAD else None
