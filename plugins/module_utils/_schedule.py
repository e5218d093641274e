# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""When the compaction job runs: cron fields, the same for a systemd timer, and an offset that spreads a fleet. Pure functions."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import zlib

from . import _options
from ._options import OptionError

AUTO = "auto"
SCHEDULERS = ("auto", "cron", "systemd")

# Field of a schedule: its name, first and last value.
FIELDS = (("minute", 0, 59), ("hour", 0, 23))

# Where the kernel compacts by itself, the job is the fallback and looks only every so many hours.
_FALLBACK_HOURS = 6

_PART = re.compile(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?\Z")


def check(schedule, prefix=""):
    """-> {"scheduler", "minute", "hour"} as text. Raises OptionError with all that is wrong."""
    checks = {
        "scheduler": lambda: _options.check(
            prefix + "scheduler", schedule.get("scheduler", AUTO), {"type": "str", "choices": SCHEDULERS}
        )
    }
    for name, first, last in FIELDS:
        checks[name] = _check_of(prefix + name, schedule.get(name, AUTO), first, last)
    return _options.check_all(checks)


def _check_of(name, value, first, last):
    def check_one():
        text = "%s" % (value,)
        if isinstance(value, bool) or text != AUTO and _parts(text, first, last) is None:
            raise OptionError(
                "%s: %s is neither auto nor a field of cron: *, numbers from %d to %d, ranges (1-5), steps (*/2), and lists of "
                "these with commas" % (name, _options.shown(value), first, last)
            )
        return text

    return check_one


def _parts(text, first, last):
    """ "*/15,40-45" -> [("*", None, 15), (40, 45, None)], or None for what is no field of cron."""
    parts = []
    for part in text.split(","):
        match = _PART.match(part)
        if not match:
            return None
        low, high, step = (None if value is None else int(value) for value in match.groups())
        # A step from a single number, "5/15", means something to some crons only.
        if step is not None and (step < 1 or low is not None and high is None):
            return None
        if low is not None and not first <= low <= (low if high is None else high) <= last:
            return None
        parts.append(("*" if low is None else low, high, step))
    return parts


def resolve(schedule, seed, cron, systemd, proactive, prefix=""):
    """The schedule of one node. ``seed`` is its name in the fleet: the same node always gets the same offset.

    cron, systemd  what the node has; cron is preferred
    proactive  whether its kernel compacts in the background: the job is the fallback then, and runs every six hours
    -> {"scheduler": "cron" or "systemd", "minute", "hour": cron fields, "on_calendar": the same for a timer}
    """
    offset = zlib.crc32(seed if isinstance(seed, bytes) else seed.encode("utf-8")) & 0xFFFFFFFF
    minute, hour = schedule["minute"], schedule["hour"]
    if minute == AUTO:
        minute = "%d" % (offset % 60)
    if hour == AUTO:
        begin = offset // 60 % _FALLBACK_HOURS
        hour = "%d-23/%d" % (begin, _FALLBACK_HOURS) if proactive else "*"
    scheduler = schedule["scheduler"]
    if scheduler == AUTO:
        scheduler = "systemd" if systemd and not cron else "cron"
    if not {"cron": cron, "systemd": systemd}[scheduler]:
        raise OptionError(
            "%sscheduler: %s is not there: %s"
            % (prefix, scheduler, {"cron": "no /etc/cron.d", "systemd": "it does not run this node"}[scheduler])
        )
    return {
        "scheduler": scheduler,
        "minute": minute,
        "hour": hour,
        "on_calendar": "*-*-* %s:%s:00" % (_calendar(hour, 0, 23), _calendar(minute, 0, 59)),
    }


def _calendar(field, first, last):
    """A field of cron as systemd.time(7) wants it: "*/15" is 0/15, "1-5" is 01..05."""
    words = []
    for low, high, step in _parts(field, first, last):
        if low == "*":
            word = "*" if step is None else "%02d" % first
        else:
            word = "%02d" % low if high is None else "%02d..%02d" % (low, high)
        words.append(word if step is None else "%s/%d" % (word, step))
    return "*" if "*" in words else ",".join(words)
