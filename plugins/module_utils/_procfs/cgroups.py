# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/cgroups (kernel/cgroup/cgroup-v1.c, proc_cgroupstats_show())."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._lines import is_number


def parse_cgroups(text):
    """-> ({controller: {hierarchy, num_cgroups, enabled}}, unparsed lines).

    num_cgroups counts the ones that were removed but still hold charges as well; newer kernels leave out controllers
    of version 2.
    """
    controllers, unparsed = {}, 0
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) == 4 and all(map(is_number, words[1:])):
            hierarchy, number, enabled = map(int, words[1:])
            controllers[words[0]] = {"hierarchy": hierarchy, "num_cgroups": number, "enabled": bool(enabled)}
        else:
            unparsed += 1
    return controllers, unparsed
