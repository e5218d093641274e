# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Secrets that programs write into logs, replaced before anything leaves the node. The rest of the line stays readable."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .lazy import Lazy, contains_any
from .secrets import TABLE

MARK = "[redacted]"
_ROWS = [(literals, Lazy(expression, re.IGNORECASE)) for literals, expression in TABLE]
_ANY = tuple(sorted({literal for literals, _expression in TABLE for literal in literals}))
_QUOTE = Lazy(r"\\*[\"']")

# Texts without a secret, which events have in common: hosts, reasons, names of tasks.
_innocent, _MAX_INNOCENT = set(), 500


def redact(text):
    """The text with every secret of a form that is known replaced by MARK."""
    if text in _innocent:
        return text
    lower = text.lower()
    if not contains_any(lower, _ANY):
        if len(_innocent) >= _MAX_INNOCENT:
            _innocent.clear()
        _innocent.add(text)
        return text
    for literals, expression in _ROWS:
        if contains_any(lower, literals):
            text = expression.sub(_replaced, text)
    return text


def _replaced(found):
    """The mark in the quotes that the secret had, so that JSON stays JSON, behind what the expression keeps."""
    kept = found.group(1) if found.re.groups else ""
    secret = found.group()[len(kept) :]
    opening = _QUOTE.match(secret)
    quote = opening.group() if opening else ""
    return kept + quote + MARK + (quote if len(secret) > len(quote) and secret.endswith(quote) else "")
