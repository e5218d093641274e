# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Lists of CPUs as /sys/devices/system/cpu has them (lib/bitmap.c, %*pbl): "0-3,8"."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# Beyond every kernel's NR_CPUS: the list has some of them twice.
_MOST = 1 << 20


def count_cpus(text):
    """ "0-3,8" -> 5"""
    count = 0
    for part in text.strip().split(","):
        match = re.match(r"([0-9]{1,6})(?:-([0-9]{1,6}))?\Z", part)
        if not match:
            return None, 1
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        count += max(0, last - first + 1)
    return (count, 0) if count <= _MOST else (None, 1)
