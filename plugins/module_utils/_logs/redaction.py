# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Secrets that programs write into logs, replaced before anything leaves the node. The rest of the line stays readable."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .lazy import Lazy, contains_any
from .secrets import NEAR, OPTION, TABLE

MARK = "[redacted]"
_ROWS = [(literals, Lazy(expression, re.IGNORECASE)) for literals, expression in TABLE]
_ANY = tuple(sorted({literal for literals, _expression in TABLE for literal in literals}.union(NEAR, (" -",))))
_QUOTE = Lazy(r"\\*[\"']")
# What may be random: what letters and digits go on in, but the digests of images and fingerprints.
_LETTERS = Lazy(r"(?<![A-Za-z0-9_+/~-])(?<!sha256:)(?<!SHA256:)[A-Za-z0-9_+/~-]{10,}={0,2}")
_CHANGE = Lazy(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]")
_OPTION = Lazy(OPTION)
# How far before it a word tells what it is.
_FAR = 80

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
    return _LETTERS.sub(_judged, text)


def _replaced(found):
    """The mark in the quotes that the secret had, so that JSON stays JSON, behind what the expression keeps."""
    kept = found.group(1) if found.re.groups else ""
    secret = found.group()[len(kept) :]
    opening = _QUOTE.match(secret)
    quote = opening.group() if opening else ""
    return kept + quote + MARK + (quote if len(secret) > len(quote) and secret.endswith(quote) else "")


def _judged(found):
    """The mark for what is random, and said to be a secret: a form that no row knows."""
    value = found.group()
    if not _is_random(value):
        return value
    before = found.string[max(0, found.start() - _FAR) : found.start()]
    named = value.startswith("-") or contains_any(before.lower(), NEAR) or _OPTION.search(before)
    return MARK if named else value


def _is_random(value):
    """Whether capitals, small letters and digits change as often as nobody writes: words, names, hexadecimal ids and dates do not."""
    if sum(character.isdigit() for character in value) < 2 or value.lower() == value or value.upper() == value:
        return False
    return 5 * len(_CHANGE.findall(value)) >= 2 * len(value)
