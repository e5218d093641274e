# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Which year a syslog stamp is of, which does not say so.

The end of a file is dated by when it was last written to. From there it goes back by the order of the lines: where the month goes
backwards a year has changed, and where two lines of one boot have the kernel's own seconds, these say how many years lie between them.
Where a step has two explanations (a clock set back by days, a silence unlike the others of this log, or of more than a month, a boot that
contradicts the line before it) the years before it are not known. Lines that have a date of their own behind those that have none, as after a
change of the format, are an end like that of the file. 29 February in a year that has none contradicts all that follows from that end.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import re
import time

_NAMES = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
# Only these lines are looked at; the kernel's with its seconds since the boot.
STAMP = re.compile(
    b"(?m)^(?:<\\d{1,3}>)?("
    + b"|".join(_NAMES)
    + b") ([ \\d]\\d) \\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)? (?:\\S{1,64} kernel: \\[ *(\\d{1,9})\\.)?"
)
_KERNEL = b" kernel: ["
DATED = re.compile(b"(?m)^(?:<\\d{1,3}>)?(\\d{4})-(\\d\\d)-(\\d\\d)[T ]\\d\\d:\\d\\d")

YEAR = 365.25
# Days: lines may be out of order by the first; a step back by more than the second is a year; a silence longer than the third could hide one.
DISORDER, TURN, SILENCE = 2, 183, 30
# So could one of more days than these, off for a week, that is not this log's habit: with fewer than so many others a third as long.
REST, HABIT = 7, 2
# Up to so many bytes a log is looked at line by line, behind that at both ends of each piece; the stamp is in one of so many lines there.
CLOSELY = 2 * 1024 * 1024
_TRIES = 5


class Years:
    """What is known of the years of one file. Offsets are bytes of the text."""

    def __init__(self):
        # (offset, years that have passed there, None where that is not known)
        self.steps = []
        # (offset, days) of silences that may hide a year, should they not be the log's habit
        self.silences = []
        self.days = None
        # (offset, epoch, days of the line before) of lines that have a date, behind such that have none
        self.ends = []
        # offsets of lines of 29 February, but of those that an end follows at once: which year that is they say themselves
        self.leaps = []
        self._leap = None
        self._kernel = None

    def pass_over(self, data, offset):
        """feed() for a small part of its price: a piece is looked at only where it begins and ends, unless its days are apart."""
        if offset < CLOSELY:
            self.feed(data, offset)
            return
        first, last = _first_stamp(data), _last_stamp(data)
        if first is None or last is None:
            if first is not None or self.days is not None:
                self.feed(data, offset)
            return
        if 0 <= _days(*last.groups()[:2]) - _days(*first.groups()[:2]) <= DISORDER:
            for found in (first, last):
                self._see(offset + found.start(), *found.groups())
        else:
            self.feed(data, offset)

    def feed(self, data, offset):
        """Takes a piece of the text."""
        self._feed(data, offset)
        if self.days is not None and _last_line(data, DATED) is not None:
            behind = 0
            for found in STAMP.finditer(data):
                behind = found.end()
            self._see_date(offset, DATED.search(data, behind))

    def _see_date(self, offset, found):
        if found is None:
            return
        try:
            epoch = calendar.timegm(tuple(map(int, found.groups())) + (23, 59, 59))
        except (ValueError, OverflowError):
            return
        year = end_year(epoch, self.days)
        if epoch - start_of(year) - (self.days - 1) * 86400 > (SILENCE + 1) * 86400:
            self.steps.append((offset + found.start(), None))
        self.ends.append((offset + found.start(), epoch, self.days))
        self.days = self._kernel = self._leap = None

    def _feed(self, data, offset):
        first, tail = STAMP.search(data), data.rfind(b"\n")
        if first is None:
            return
        day = b"\n" + first.group(1) + b" " + first.group(2) + b" "
        if data.count(day, 0, tail) != data.count(b"\n", 0, tail):
            for found in STAMP.finditer(data):
                self._see(offset + found.start(), *found.groups())
            return
        # All of one day, as nearly every piece of a large log is: of its lines only the kernel's say more.
        starts, at = {first.start(), tail + 1}, data.find(_KERNEL)
        while at >= 0:
            starts.add(data.rfind(b"\n", 0, at) + 1)
            at = data.find(_KERNEL, at + 1)
        for start in sorted(starts):
            found = STAMP.match(data, start)
            if found is not None:
                self._see(offset + start, *found.groups())

    def _see(self, offset, month, day, uptime):
        days = _days(month, day)
        if month == b"Feb" and days == 60:
            self._leap = offset if self._leap is None else self._leap
        elif self._leap is not None:
            self.leaps.append(self._leap)
            self._leap = None
        before, self.days = self.days, days
        gap = 0 if before is None else days - before
        passed = 1 if gap < -TURN else 0
        known = gap >= -DISORDER and gap <= SILENCE or gap < -TURN
        if REST < gap <= SILENCE:
            self.silences.append((offset, gap))
        if uptime is not None:
            up = int(uptime) / 86400.0
            if self._kernel is not None and up >= self._kernel[1]:
                # The same boot, if the seconds fit.
                since, ran = self._kernel[0], up - self._kernel[1]
                years = int(round((ran - (days - since)) / YEAR))
                if years >= 0 and abs(days - since + years * YEAR - ran) <= DISORDER:
                    passed, known = self._settle(self._kernel[2], offset, years, known), True
            elif self._kernel is not None and not passed and self._is_of_another_year(days, up, offset):
                known = False
            self._kernel = (days, up, offset)
        if not known:
            self.steps.append((offset, None))
        elif passed > 0:
            self.steps.append((offset, passed))

    def _is_of_another_year(self, days, up, offset):
        """Whether the boot of this line had begun before the kernel's line above, which has more seconds and so is of an earlier boot.

        Of the same year that line would be of this boot. How many years lie between is not told. A machine that was suspended has too few
        seconds, never too many.
        """
        since, _ran, first = self._kernel
        return (
            up > days - since + DISORDER
            and days >= since - DISORDER
            and not any(step[0] > first for step in self.steps)
        )

    def _settle(self, first, last, years, known):
        """So many years lie between two lines of one boot. -> how many of them have passed where the second one stands"""
        self.silences = [silence for silence in self.silences if not first < silence[0] <= last]
        inside = [step for step in self.steps if first < step[0] < last]
        years -= sum(passed or 0 for _offset, passed in inside)
        unknown = [step for step in inside if step[1] is None]
        if len(unknown) == 1 and known:
            # A program's line came first after the silence: there they have passed.
            self.steps[self.steps.index(unknown[0])] = (unknown[0][0], max(0, years))
            return 0
        return years

    def _doubtful(self):
        """Offsets of silences that this log has no others like."""
        for offset, gap in self.silences:
            if sum(other * 3 >= gap for _offset, other in self.silences) <= HABIT:
                yield offset

    def end_after(self, offset):
        """-> (offset, epoch, days of the last line before it) of the next line with a date, None where there is none but the file's end."""
        return next((end for end in self.ends if end[0] > offset), None)

    def until_the_end(self, offset):
        """Years between a line and the next end, None where that is not known."""
        end = self.end_after(offset)
        last = None if end is None else end[0]
        if any(where > offset and (last is None or where < last) for where in self._doubtful()):
            return None
        count = 0
        for where, years in self.steps:
            if where > offset and (last is None or where <= last):
                if years is None:
                    return None
                count += years
        return count

    def contradicted(self, offset, year):
        """Whether with this year of the last line before its end there would be a 29 February in a year that has none."""
        end = self.end_after(offset)
        last = [] if self._leap is None or offset >= self._leap else [self._leap]
        for where in self.leaps + last:
            if self.end_after(where) == end:
                ago = self.until_the_end(where)
                if ago is not None and not calendar.isleap(year - ago):
                    return True
        return False


def start_of(year):
    return calendar.timegm((year, 1, 1, 0, 0, 0))


def end_year(epoch, days):
    """The newest year in which that day has been, a day's difference of time zones allowed."""
    year = time.gmtime(epoch + 86400).tm_year
    return year - (1 if start_of(year) + (days - 1) * 86400 > epoch + 86400 else 0)


def _days(month, day):
    return _BEFORE[_NAMES.index(month)] + int(day)


def _first_stamp(data):
    """The stamp of one of the first whole lines of a piece, None where they have none."""
    at = data.find(b"\n") + 1
    for _line in range(_TRIES):
        found = STAMP.match(data, at) if at else None
        if found is not None:
            return found
        at = data.find(b"\n", at) + 1
    return None


def _last_stamp(data):
    return _last_line(data, STAMP)


def _last_line(data, pattern):
    """The stamp of one of the last whole lines of a piece, None where they have none."""
    end = data.rfind(b"\n")
    for _line in range(_TRIES):
        at = data.rfind(b"\n", 0, max(0, end)) + 1
        found = pattern.match(data, at) if at else None
        if found is not None:
            return found
        end = at - 1
    return None


def of_stream(stream, size, step=4096, pieces=64, closer=512):
    """-> Years of a plain file by samples, closer together where the days are apart; None where its stamps have years or no dates."""
    pieces_of = {}

    def sample(offset, length=step):
        stream.seek(offset)
        data = stream.read(length)
        start = data.find(b"\n") + 1 if offset else 0
        found = STAMP.search(data, start)
        if found is None:
            if not DATED.search(data, start):
                return None
            pieces_of[offset + start] = data[start:]
            return DATED
        pieces_of[offset + start] = data[start:]
        return _days(*found.groups()[:2])

    if sample(0) in (None, DATED):
        return None
    if size <= CLOSELY:
        sample(0, size)
        pieces = 0
    places = sorted({size * number // pieces for number in range(pieces)} | {max(0, size - step)}) if pieces else []
    known = [(place, sample(place)) for place in places]
    pending = list(zip(known, known[1:]))
    while pending and closer:
        (low, one), (high, other) = pending.pop()
        if (
            one is other is DATED
            or None not in (one, other)
            and DATED not in (one, other)
            and 0 <= other - one <= DISORDER
        ):
            continue
        closer -= 1
        if high - low > 4 * step:
            middle = (low + high) // 2
            between = (middle, sample(middle))
            pending += [((low, one), between), (between, (high, other))]
        else:
            sample(low, high - low + step)
    result, end = Years(), 0
    for offset in sorted(pieces_of):
        # What two pieces have in common is looked at once.
        data = pieces_of[offset]
        start = data.find(b"\n", end - offset) + 1 if end > offset else 0
        if end <= offset + len(data):
            result.feed(data[start:], offset + start)
            end = max(end, offset + len(data))
    return result
