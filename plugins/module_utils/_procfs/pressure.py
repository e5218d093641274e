# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/pressure/memory (kernel/sched/psi.c, psi_show())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._lines import is_number

_FIELDS = ("avg10", "avg60", "avg300", "total")


def parse_pressure(text):
    """-> ({some_avg10: percent, ..., full_avg300, some_total: microseconds, full_total}, unparsed lines)."""
    values, unparsed = {}, 0
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        fields = [word.partition("=") for word in words[1:]]
        known = words[0] in ("some", "full") and line.startswith(words[0])
        if known and fields and all(_is_field(field) for field in fields):
            for name, _dummy, value in fields:
                values[words[0] + "_" + name] = int(float(value)) if name == "total" else float(value)
        else:
            unparsed += 1
    return values, unparsed


def _is_field(field):
    """("avg10", "=", "0.18")"""
    whole, point, decimals = field[2].partition(".")
    return field[0] in _FIELDS and is_number(whole) and (not point or is_number(decimals, 6))
