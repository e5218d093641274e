# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Files that show their choices with the chosen one in brackets: /sys/kernel/mm/transparent_hugepage/{enabled,defrag}."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_CHOSEN = re.compile(r"\[([^\[\]\s]{1,80})\]")


def parse_choice(text):
    """ "always madvise [never]" -> ("never", unparsed lines); None where nothing is chosen."""
    match = _CHOSEN.search(text)
    return (match.group(1), 0) if match else (None, 1)
