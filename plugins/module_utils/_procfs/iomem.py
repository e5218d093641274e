# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/iomem (kernel/resource.c, r_show()): where the memory is. Who is not root reads addresses of 0.

00100000-bfffffff : System RAM
  01000000-01e02f31 : Kernel code
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# Nested resources are indented: they are parts of one that is not.
_LINE = re.compile(r"([0-9a-fA-F]{1,16})-([0-9a-fA-F]{1,16}) : (.*)\Z")
_RAM = "System RAM"


def parse_iomem(text):
    """-> ([(first byte, behind the last)] of memory, in order of address, unparsed lines)."""
    ranges, unparsed = [], 0
    for line in text.splitlines():
        match = _LINE.match(line.strip())
        if not match:
            unparsed += 1 if line.strip() else 0
        elif not line.startswith(" ") and match.group(3).startswith(_RAM):
            first, last = int(match.group(1), 16), int(match.group(2), 16)
            if last > first:
                ranges.append((first, last + 1))
    return sorted(ranges), unparsed
