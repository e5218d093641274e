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
    """

    def __init__(self, reference, boot=None, local=True):
        self.reference, self.boot, self.local = reference, boot, local
        self._cache = (None, None)

    def of(self, line):
        """Epoch seconds of a Line, None where only the uptime is known."""
        if line.stamp is not None:
            if self._cache[0] != line.stamp:
                self._cache = (line.stamp, self._stamp(line.stamp))
            return self._cache[1]
        if line.uptime is not None and self.boot is not None:
            return self.boot + float(line.uptime)
        return None

    def _stamp(self, stamp):
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
            newest = time.gmtime(self.reference + 86400).tm_year
            # Four years back: 29 February is not in every year.
            for guess in range(newest, newest - 5, -1):
                if month == 2 and clock[0] == 29 and not calendar.isleap(guess):
                    continue
                epoch = self._seconds([guess, month] + clock, fraction, None)
                if epoch <= self.reference + 86400:
                    return epoch
        except (ValueError, OverflowError):
            pass
        return None

    def _seconds(self, parts, fraction, zone):
        epoch = calendar.timegm(tuple(parts) + (0, 0, 0))
        if parts[1] > 12 or parts[2] > 31:
            raise ValueError("no such day")
        if zone and zone[0] in "+-":
            digits = zone[1:].replace(":", "")
            offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
            epoch += -offset if zone[0] == "+" else offset
        elif not zone and self.local:
            epoch = time.mktime(tuple(parts) + (0, 0, -1))
        return epoch + (float("0." + fraction) if fraction else 0)


def iso(epoch):
    """Epoch seconds -> "2020-07-01T00:45:31Z"; None stays None."""
    if epoch is None:
        return None
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    except (ValueError, OverflowError):
        return None
