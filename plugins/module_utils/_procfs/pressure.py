# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/pressure/memory (kernel/sched/psi.c, psi_show())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_LINE = re.compile(r"(some|full)((?:\s+(?:avg10|avg60|avg300|total)=[0-9]{1,20}(?:\.[0-9]{1,6})?)+)\s*\Z")


def parse_pressure(text):
    """-> ({some_avg10: percent, ..., full_avg300, some_total: microseconds, full_total}, unparsed lines)."""
    values, unparsed = {}, 0
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            for field in match.group(2).split():
                name, value = field.split("=")
                values[match.group(1) + "_" + name] = int(float(value)) if name == "total" else float(value)
        elif line.strip():
            unparsed += 1
    return values, unparsed
