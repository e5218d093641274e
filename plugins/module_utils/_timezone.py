# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The local time of a node that is seen below another root than this machine's."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import time

from ._node import Node, NodeError

# Where a tree names its time zone, beside the link /etc/localtime.
_ZONE_FILES = (
    ("/etc/timezone", r"^\s*([A-Za-z][\w+/-]{1,60})"),
    ("/etc/sysconfig/clock", r"(?m)^ZONE=\"?([A-Za-z][\w+/-]{1,60})"),
    ("/sos_commands/systemd/timedatectl", r"Time ?zone: ([A-Za-z][\w+/-]{1,60})"),
    ("/sos_commands/date/timedatectl", r"Time ?zone: ([A-Za-z][\w+/-]{1,60})"),
)
_ZONE_NAME = re.compile(r"[A-Za-z][\w+/-]{1,60}\Z")


def zone_of(node):
    """The TZ string of a tree that is not this machine's root, None where it does not tell: TZif data of its own before this machine's."""
    name = None
    try:
        name = node.readlink("/etc/localtime").partition("zoneinfo/")[2]
    except NodeError:
        pass
    for path, pattern in _ZONE_FILES:
        if not name:
            try:
                found = re.search(pattern, node.read_text(path, 65536))
            except NodeError:
                continue
            name = found.group(1) if found else None
    places = []
    if name and _ZONE_NAME.match(name) and ".." not in name:
        places = [(node, "/usr/share/zoneinfo/" + name), (Node("/", node.deadline), "/usr/share/zoneinfo/" + name)]
    for where, path in [(node, "/etc/localtime")] + places:
        try:
            if where.read_bytes(path, 65536)[:4] == b"TZif":
                return ":" + where.path(path)
        except NodeError:
            continue
    return None


def in_zone(zone, work):
    """-> what work() gives where local time is that of a TZ string: the C library knows the rules for all years, and how to read the files."""
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = zone
        time.tzset()
        return work()
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
