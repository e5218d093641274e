# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The kernel's build configuration: /boot/config-RELEASE, /proc/config.gz (scripts/kconfig)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


def parse_kconfig(text, names):
    """-> ({name: "y", "m" or the value; None where it says "is not set"}, unparsed lines).

    Only what is asked for, for the file is long; a name that it does not have is not in the result. Never unparsed.
    """
    values = {}
    lines = "\n" + text
    for name in names:
        start = lines.find("\n%s=" % name)
        if start >= 0:
            values[name] = lines[start + len(name) + 2 :].split("\n", 1)[0].strip()
        elif "\n# %s is not set" % name in lines:
            values[name] = None
    return values, 0
