# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a kernel's release says of it, and a size in pages of its: the little of ``_consumers`` that looking at a node takes along."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re


def order_of(size, page_size):
    """The order of the block that holds ``size`` bytes (get_order())."""
    order = 0
    while page_size << order < size:
        order += 1
    return order


_RELEASE = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?")


def version_of(release):
    """ "6.1.0-56-cloud-amd64" -> (6, 1, 0), for advisories only; None for what is not a kernel release."""
    match = _RELEASE.match(release or "")
    return tuple(int(part or 0) for part in match.groups()) if match else None


def is_el(release, *versions):
    """Whether the release is one of Red Hat's, whose kernels are not what their numbers say."""
    return any(".el%d" % version in (release or "") for version in versions)


def scaled_check(release):
    """Whether the kernel wants half the watermark again free above every order (up to 4.3, el6 and el7); for _fragmentation.watermark_ok()."""
    version = version_of(release)
    return bool(version and (version < (4, 4) or is_el(release, 6, 7)))
