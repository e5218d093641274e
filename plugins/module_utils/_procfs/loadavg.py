# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/loadavg (fs/proc/loadavg.c): "0.96 0.49 0.24 1/345 21"."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_LINE = re.compile(r"\s*([0-9]{1,9}\.[0-9]{2}) ([0-9]{1,9}\.[0-9]{2}) ([0-9]{1,9}\.[0-9]{2})(?: |$)")


def parse_loadavg(text):
    """-> ([load of 1, 5 and 15 minutes] or None, unparsed lines)."""
    match = _LINE.match(text)
    return ([float(value) for value in match.groups()], 0) if match else (None, 1)
