# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.iomem import parse_iomem

MACHINE = """\
00000000-00000fff : Reserved
00001000-0009fbff : System RAM
00100000-bfffffff : System RAM
  01000000-01e02f31 : Kernel code
  20000000-20000fff : System RAM (nested)
c0000000-febfffff : PCI Bus 0000:00
100000000-63fffffff : System RAM
640000000-65fffffff : System RAM (kmem)
"""


@pytest.mark.parametrize(
    "text, ranges, unparsed",
    [
        (
            MACHINE,
            [(0x1000, 0x9FC00), (0x100000, 0xC0000000), (0x100000000, 0x640000000), (0x640000000, 0x660000000)],
            0,
        ),
        # Not root.
        ("00000000-00000000 : System RAM\n", [], 0),
        ("", [], 0),
        ("nonsense\n00001000-0009fbff : System RAM\n\n", [(0x1000, 0x9FC00)], 1),
    ],
)
def test_where_the_memory_is(text, ranges, unparsed):
    assert parse_iomem(text) == (ranges, unparsed)
