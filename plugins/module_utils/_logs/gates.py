# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Literals that tell whether a log has anything to say of memory, before anything else is loaded to look at it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# Every kernel report, and every runtime failure that a signature knows, has one of these.
KERNEL_GATES = (
    b"allocation f",
    b"invoked oom-killer",
    b"ut of memory: Kill",
    b"kmem_cache_create",
    b"alloc failed, req-size",
    b"soft lockup",
    b"blocked for more than",
    b"vmalloc error",
    b"allocation stall",
    b"to allocate memory on",
    b"allocation deadlock",
)
RUNTIME_GATES = (b"rpc error: code = ", b"level=error msg=", b"failed to create container")
# One literal per source of notices, long ones, as short ones cost more.
NOTICE_GATES = (b"TaskOOM event", b"killed by the OOM killer", b"systemd-oomd", b"low memory! at or below")
