# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Where a line of a report that was broken in the middle ends: what the next one has to bring."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import patterns
from .lazy import contains_any


def brackets_closed(text):
    return ")" in text[text.find("mode:") :]


def failure_ends(text):
    return patterns.FAILURE.search(text) is not None


def oom_fields(text):
    """What follows "invoked oom-killer:" -> ({mask, flags, order}, the rest)."""
    mask, order = patterns.OOM_MASK.match(text), patterns.OOM_ORDER.search(text)
    found = mask.groupdict() if mask else {"mask": None, "flags": None}
    found["order"] = order and order.group("order")
    return found, text[order.end() :] if order else text


def oom_ends(text):
    found = oom_fields(text[text.find("oom-killer:") + 11 :])[0]
    return "oom-killer:" in text and found["mask"] is not None and found["order"] is not None


def slab_ends(text):
    return patterns.SLAB_ORDER.search(text) is not None and text.count("order:") != 1 or ", order:" in text


def list_ends(text):
    return patterns.LIST_END.search(text) is not None


def _zone_ends(text):
    return "high:" in text


def broken(text):
    """What a line of Mem-Info waits for when it breaks off in the middle, None when it is whole."""
    # The cheap questions first: nearly every line is whole.
    if "free:" in text:
        if "high:" in text:
            return None
        if patterns.ZONE.search(text):
            return _zone_ends
    if ": " in text and contains_any(text, patterns.ZONES) and not list_ends(text) and patterns.FREE_LIST.search(text):
        return list_ends
    return None
