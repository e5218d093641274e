# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/uptime (fs/proc/uptime.c): "84423.08 165203.14", seconds since boot and idle seconds of all CPUs."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_LINE = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,20})?)(?:\s|$)")


def parse_uptime(text):
    """-> (seconds since boot or None, unparsed lines)."""
    match = _LINE.match(text)
    return (float(match.group(1)), 0) if match else (None, 1)
