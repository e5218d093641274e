# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The stamps of lines as seconds since the epoch, as far as that can be known: syslog stamps have no year, uptime stamps no date."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import re
import time

from .._timezone import in_zone
from .years import end_year

# No log is older than Linux 2.6.
EARLIEST = calendar.timegm((2004, 1, 1, 0, 0, 0))

_MONTHS = {name: index + 1 for index, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split())}
_NUMERIC = re.compile(
    r"(?:[^\W\d_]{2,4}\.?\s)?(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s?(Z|[+-]\d\d:?\d\d|UTC|GMT)?",
    re.UNICODE,
)
_NAMED = re.compile(
    r"(?:[^\W\d_]{2,4}\.?\s)?([^\W\d_]{3,5})\.?\s+(\d{1,2})\s(?:(\d{4})\s)?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:\s(\d{4}))?$",
    re.UNICODE,
)


class Clock:
    """Stamps of one source as seconds since the epoch.

    reference  when the source was last written to: a stamp without a year is of the year that brings it closest before
    boot       when the kernel started, for uptime stamps of this node's own ring buffer; otherwise they have no date
    local      stamps without a zone are in the local time of this machine (else UTC)
    zone       or in that of this TZ string, for a tree with a time zone of its own
    years      what the order of the lines says of the years (Years), None where nothing is known of it
    finding    while that is still being found out: what depends on it has to wait for the end of the log
    """

    def __init__(self, reference, boot=None, local=True, zone=None):
        self.reference, self.boot, self.local, self.zone = reference, boot, local, zone
        self.years, self.finding = None, False
        self._cache = (None, None)

    def of(self, line, offset=None):
        """Epoch seconds of a Line, None where only the uptime is known, or the year is not. ``offset``: where it stands, None at the end."""
        if line.stamp is not None:
            ago, end = 0, None
            if self.years is not None and offset is not None:
                ago, end = self.years.until_the_end(offset), self.years.end_after(offset)
                if self._is_contradicted(offset, end):
                    ago = None
            if self._cache[0] != (line.stamp, ago, end):
                self._cache = ((line.stamp, ago, end), self._stamp(line.stamp, ago, end))
            return self._cache[1]
        if line.uptime is not None and self.boot is not None:
            return self.boot + float(line.uptime)
        return None

    def _is_contradicted(self, offset, end):
        """By a 29 February before the same end."""
        reference, days = (self.reference, self.years.days) if end is None else end[1:]
        return days is not None and self.years.contradicted(offset, end_year(reference, days))

    def _stamp(self, stamp, ago, end):
        try:
            match = _NUMERIC.match(stamp)
            if match:
                parts = [int(part) for part in match.groups()[:6]]
                return self._seconds(parts, match.group(7), match.group(8))
            if stamp[:9].isdigit():
                return float(stamp)
            match = _NAMED.match(stamp)
            month = match and _MONTHS.get(match.group(1)[:3].lower())
            if not month:
                return None
            day, year, hour, minute, second, fraction, last = match.groups()[1:]
            clock = [int(day), int(hour), int(minute), int(second or 0)]
            if year or last:
                return self._seconds([int(year or last), month] + clock, fraction, None)
            return None if ago is None else self._without_year(month, clock, fraction, ago, end)
        except (ValueError, OverflowError):
            return None

    def _without_year(self, month, clock, fraction, ago, end):
        """Of the year that brings it closest before the end (of the file, or a line with a date), or so many years before that of the last line."""
        reference, days = (self.reference, ago and self.years.days) if end is None else end[1:]
        if reference < EARLIEST:
            # Whoever has copied the file has not kept when it was written to.
            return None
        newest = end_year(reference, days) - ago if ago else time.gmtime(reference + 86400).tm_year
        # Eight years back: 29 February is not in every year, and once in a century not in every fourth.
        for guess in range(newest, newest - (1 if ago else 9), -1):
            if month == 2 and clock[0] == 29 and not calendar.isleap(guess):
                continue
            epoch = self._seconds([guess, month] + clock, fraction, None)
            if epoch <= reference + 86400:
                return epoch
        return None

    def _seconds(self, parts, fraction, zone):
        year, month, day, hour, minute, second = parts
        # A leap second is 60.
        if not (1 <= day <= calendar.monthrange(year, month)[1] and hour < 24 and minute < 60 and second < 61):
            raise ValueError("no such moment")
        epoch = calendar.timegm(tuple(parts) + (0, 0, 0))
        if zone and zone[0] in "+-":
            digits = zone[1:].replace(":", "")
            if digits > "1500" or digits[2:] > "59":
                raise ValueError("no such time zone")
            offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
            epoch += -offset if zone[0] == "+" else offset
        elif not zone and self.zone:
            epoch = in_zone(self.zone, lambda: time.mktime(tuple(parts) + (0, 0, -1)))
        elif not zone and self.local:
            epoch = time.mktime(tuple(parts) + (0, 0, -1))
        return epoch + (float("0." + fraction) if fraction else 0)


def iso(epoch):
    """Epoch seconds -> "2020-07-01T00:45:31Z"; None stays None, and so is a year that has not four digits."""
    if epoch is None:
        return None
    try:
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    except (ValueError, OverflowError):
        return None
    return text if len(text) == 20 else None
