# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The window of time that is asked for: since, until."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .._timezone import zone_of
from .clock import Clock
from .prefixes import Line

# How far back the node's own logs are read when nothing else is asked for.
DEFAULT_SINCE = "-7d"

_RELATIVE = re.compile(r"^-(\d+)\s*(s|m|min|h|d|w)?$")
_SECONDS = {None: 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def point_in_time(text, now, name, zone=None):
    """ "2026-11-20T08:00:00Z", "2026-11-20", "-24h" -> epoch seconds. Without a zone it is the time of the node."""
    if text is None or text == "":
        return None
    match = _RELATIVE.match(text.strip())
    if match:
        return now - int(match.group(1)) * _SECONDS[match.group(2)]
    line = Line("")
    line.stamp = text.strip() + ("T00:00:00" if re.match(r"^\d{4}-\d\d-\d\d$", text.strip()) else "")
    epoch = Clock(now, zone=zone).of(line) if re.match(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", line.stamp) else None
    if epoch is None:
        raise ValueError("%s: %r is neither an ISO-8601 time nor an age such as -24h" % (name, text))
    return epoch


class Window:
    """Options of a run -> ``since`` and ``until`` in epoch seconds, None for no limit; ``zone`` of the node, None for this machine's."""

    def __init__(self, node, options, now):
        since = options.get("since")
        if not since and not options.get("files") and not options.get("journal_directory"):
            since = DEFAULT_SINCE
        # Of a tree that is not this machine, never this machine's.
        self.zone = zone_of(node) if node.root != "/" else None
        self.since = point_in_time(since, now, "since", self.zone)
        self.until = point_in_time(options.get("until"), now, "until", self.zone)
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError("until: %r is before since %r" % (options["until"], options["since"]))

    def leaves_out(self, epoch):
        return epoch is not None and (
            self.since is not None and epoch < self.since or self.until is not None and epoch > self.until
        )
