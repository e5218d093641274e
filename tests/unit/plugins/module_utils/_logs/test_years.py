# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The years of stamps that have none, and the time zone of a tree that is not this machine."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import gzip
import io
import os
import random
import struct
import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import (
    clock,
    events,
    journal,
    prefixes,
    readers,
    scanner,
    streams,
    years,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
END = calendar.timegm((2026, 11, 26, 10, 0, 0, 0, 0, 0))
DAY = 86400


def stamp(epoch):
    when = time.gmtime(epoch)
    return "%s %2d %02d:%02d:%02d" % (MONTHS[when.tm_mon - 1], when.tm_mday, when.tm_hour, when.tm_min, when.tm_sec)


def day(epoch):
    return time.strftime("%Y-%m-%d", time.gmtime(epoch))


def noise(epoch, uptime=None):
    if uptime is None:
        return "%s node-1 CRON[77]: (root) CMD (run-parts /etc/cron.hourly)\n" % stamp(epoch)
    return "%s node-1 kernel: [%6d.000000] eth0: link is up\n" % (stamp(epoch), uptime)


def oom(epoch, pid=7):
    head = "%s node-1 kernel: " % stamp(epoch)
    return (
        head
        + "memory: usage 524288kB, limit 524288kB, failcnt 1\n"
        + head
        + "Memory cgroup out of memory: Killed process %d (java) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB\n"
        % pid
    )


@pytest.fixture(name="dates")
def dates_fixture(tmp_path, monkeypatch):
    """-> a function: text of a file written to last at END -> the days of its events"""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def dates(text, packed=False):
        path = tmp_path / "syslog"
        data = text.encode("ascii")
        if packed:
            buffer = io.BytesIO()
            with gzip.GzipFile(fileobj=buffer, mode="wb") as stream:
                stream.write(data)
            data = buffer.getvalue()
        path.write_bytes(data)
        os.utime(str(path), (END, END))
        result = journal.collect(Node("/"), {"files": [str(path)], "since": "1970-01-01"})
        assert result["sources"][0]["status"] == "read"
        return [event["time"] and event["time"][:10] for event in result["events"]]

    yield dates
    monkeypatch.undo()
    time.tzset()


def through(first, last, step=DAY):
    return "".join(noise(epoch) for epoch in range(first, last, step))


@pytest.mark.parametrize("packed", [False, True])
def test_a_year_old_line_of_a_file_that_is_not_rotated(dates, packed):
    old = END - 367 * DAY
    text = oom(old) + through(old + DAY, END - DAY) + oom(END - DAY, 8)
    assert dates(text, packed) == ["2025-11-24", "2026-11-25"]


def test_three_years(dates):
    old = END - 3 * 366 * DAY
    assert dates(oom(old) + through(old, END, 5 * DAY) + oom(END - DAY, 8)) == ["2023-11-24", "2026-11-25"]


def test_the_turn_of_the_year(dates, monkeypatch):
    new_year = calendar.timegm((2026, 1, 1, 0, 0, 0, 0, 0, 0))
    monkeypatch.setitem(globals(), "END", new_year + 3600)
    assert dates(oom(new_year - 60) + noise(new_year + 60) + oom(new_year + 120, 8)) == ["2025-12-31", "2026-01-01"]


def test_the_29th_of_february(dates):
    leap = calendar.timegm((2024, 2, 29, 12, 0, 0, 0, 0, 0))
    assert dates(oom(leap) + through(leap, END, 10 * DAY)) == ["2024-02-29"]
    # Where the order says a year that has none, nothing is known.
    text = oom(leap) + through(calendar.timegm((2025, 3, 1, 0, 0, 0, 0, 0, 0)), END, 10 * DAY)
    assert dates(text) == [None]


@pytest.mark.parametrize(
    ("days", "known"),
    [
        (["Feb 29"], ["2024-02-29"]),
        (["Feb 28", "Feb 29"], [None, "2024-02-29"]),
        (["Feb 28", "Feb 29", "Feb 29", "Mar  1"], [None] * 4),
        (["Feb 29", "Mar  2"], [None, None]),
        (["Feb 27", "Feb 28", "Mar  1"], ["2026-02-27", "2026-02-28", "2026-03-01"]),
        (["Feb 30", "Mar  1"], [None, "2026-03-01"]),
    ],
)
def test_a_day_that_the_year_of_the_files_end_does_not_have(dates, monkeypatch, days, known):
    """The file was copied, and has the day of that: the year that it suggests is not that of the lines."""
    monkeypatch.setitem(globals(), "END", calendar.timegm((2026, 3, 5, 0, 0, 0, 0, 0, 0)))
    text = "".join(oom(0, 7 + at).replace("Jan  1", "%s" % one) for at, one in enumerate(days))
    assert dates(text) == known


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_lines_with_a_date_say_of_which_year_those_before_them_are(dates, monkeypatch, packed, large):
    """Two years after the format was changed, in a file that is not rotated, its end says nothing of the time before."""
    change = END - 732 * DAY
    monkeypatch.setattr(scanner, "WHOLE", 1 if large else scanner.WHOLE)
    monkeypatch.setattr(years, "CLOSELY", 4096 if large else years.CLOSELY)
    filler = "x" * (200 if large else 1)
    dated = "".join(
        "%s+00:00 node-1 app[7]: %s\n" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch)), filler)
        for epoch in range(change, END, DAY // 12 if large else 5 * DAY)
    )
    text = oom(change - 367 * DAY) + through(change - 366 * DAY, change - DAY) + oom(change - 3600, 8)
    assert dates(text + dated, packed) == ["2023-11-23", "2024-11-24"]
    # More than a month without a line could hide a year.
    assert dates(oom(change - 45 * DAY) + dated, packed) == [None]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-30T01:00:00Z",
        "2026-11-31T01:00:00Z",
        "2026-13-01T01:00:00Z",
        "2026-11-20T25:00:00Z",
        "2026-11-20T01:60:00Z",
        "2026-11-20T01:00:61Z",
        "2026-11-20T01:00:00+99:99",
        "0000-01-01T01:00:00Z",
    ],
)
def test_a_moment_that_never_was_is_none(moment):
    line = prefixes.Line("")
    line.stamp = moment
    assert clock.Clock(END).of(line) is None
    line.stamp = "2026-11-20T23:59:60+14:00"
    assert clock.iso(clock.Clock(END).of(line)) == "2026-11-20T10:00:00Z"


def test_a_file_that_has_lost_when_it_was_written_to(dates, monkeypatch):
    monkeypatch.setitem(globals(), "END", 3600)
    assert dates(oom(0)) == [None]


def test_the_kernels_seconds_tell_of_a_year_without_a_line(dates):
    old = END - 367 * DAY
    text = noise(old, 1000) + oom(old) + noise(END - DAY, 1000 + 366 * DAY) + oom(END - DAY, 8)
    assert dates(text) == ["2025-11-24", "2026-11-25"]


def test_the_kernels_seconds_tell_that_a_silence_was_short(dates):
    old = END - 90 * DAY
    text = noise(old, 1000) + oom(old) + noise(END - DAY, 1000 + 89 * DAY)
    assert dates(text) == ["2026-08-28"]


@pytest.mark.parametrize("between", [-20, 60])
def test_two_answers_are_none(dates, between):
    """A clock set back, or a year without a line; a silence of months, or of a year and months."""
    first = END - 70 * DAY
    text = oom(first) + noise(first + between * DAY) + through(first + between * DAY, END) + oom(END - DAY, 8)
    assert dates(text) == [None, "2026-11-25"]


def test_a_silence_unlike_any_other_leaves_two_answers(dates):
    """Twelve days, or a year and twelve days, in a log that has lines every day; where it has such silences always, it is one of them."""
    start = END - 40 * DAY
    daily = oom(start) + through(start, start + 5 * DAY)
    assert dates(daily + through(start + 17 * DAY, END)) == [None]
    assert dates(daily + through(start + 11 * DAY, END)) == ["2026-10-17"]
    assert dates(daily + through(start + 17 * DAY, END, 9 * DAY)) == ["2026-10-17"]


@pytest.mark.parametrize("silence,years_ago", [(12, 0), (60, 0), (377, 1), (800, 2)])
def test_seconds_that_come_after_a_silence_tell_how_long_it_was(dates, silence, years_ago):
    """The first line after it may be a program's."""
    start = END - (silence + 20) * DAY
    first = start + (5 + silence) * DAY
    text = oom(start) + noise(start, 1000) + through(start, start + 5 * DAY) + noise(first)
    text += noise(first + 60, 1060 + (5 + silence) * DAY) + through(first + DAY, END)
    assert dates(text) == [time.strftime("%Y-%m-%d", time.gmtime(start))]
    assert time.gmtime(END).tm_year - time.gmtime(start).tm_year - years_ago in (0, 1)


@pytest.mark.parametrize("bits", [0, 300])
def test_a_compressed_file_is_read_once(dates, monkeypatch, bits):
    """The years are found out on the way, line by line or at the ends of its pieces, however many events there are."""
    opened = []
    open_chunks = streams.open_chunks
    monkeypatch.setattr(streams, "open_chunks", lambda node, path: opened.append(path) or open_chunks(node, path))
    monkeypatch.setattr(streams, "CHUNK", 2000)
    monkeypatch.setattr(years, "CLOSELY", bits)
    old = END - 400 * DAY
    text = oom(old) + through(old + DAY, END - DAY, DAY // 4) + oom(END - DAY, 8)
    assert dates(text, packed=True) == ["2025-10-22", "2026-11-25"]
    assert len(opened) == 1


def test_more_events_than_can_wait_for_the_end(dates, monkeypatch):
    monkeypatch.setattr(events, "MAX_WAITING", 3)
    text = "".join(oom(END - DAY + number * 60, number) + noise(END - DAY + number * 60) for number in range(1, 9))
    assert dates(text, packed=True) == ["2026-11-25"] * 8


def test_lines_out_of_order_change_no_year(dates):
    text = oom(END - 2 * DAY) + noise(END - 3 * DAY) + noise(END - 2 * DAY) + noise(END)
    assert dates(text) == ["2026-11-24"]


def test_a_large_file(dates, monkeypatch):
    monkeypatch.setattr(scanner, "WHOLE", 1)
    old = END - 400 * DAY
    quiet = oom(old) + through(old + DAY, END - 20 * DAY, DAY)
    text = quiet + through(END - 20 * DAY, END - DAY, 60) + oom(END - DAY, 8) + through(END - DAY, END, 60)
    assert len(text) > 1500000
    assert dates(text) == ["2025-10-22", "2026-11-25"]


def test_a_window_in_a_file_of_years(tmp_path, monkeypatch):
    monkeypatch.setattr(scanner, "WHOLE", 1)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    old = END - 400 * DAY
    path = tmp_path / "syslog"
    text = oom(END - 366 * DAY) + through(old + DAY, END, 900)[:3000000] + oom(END - DAY, 8)
    path.write_bytes(text.encode("ascii"))
    os.utime(str(path), (END, END))
    result = journal.collect(Node("/"), {"files": [str(path)], "since": "2026-11-20T00:00:00Z"})
    assert [event["time"][:10] for event in result["events"]] == ["2026-11-25"]
    monkeypatch.undo()
    time.tzset()


class Deaf:
    """A sink that makes nothing of the lines."""

    def queue(self, raw, number, offset):
        pass

    def settle(self):
        pass


def test_files_with_years_are_not_gone_through(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"2026-11-20T08:00:00Z node kernel: x\n" * 100)
    source = readers.Source(str(path), "file")
    source.clock = clock.Clock(END)
    readers.read_file(Node("/"), str(path), source, Deaf(), None, ())
    assert source.clock.years is None
    with io.open(str(path), "rb") as stream:
        assert years.of_stream(stream, 3600) is None


# --- time zones -----------------------------------------------------------------------------------------------------------


def tzif(hours):
    """A zone of its own, always so many hours east."""
    name = ("T%+03d" % hours).encode("ascii") + b"\0"
    one = struct.pack(">4s1s15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, len(name))
    body = struct.pack(">lbb", hours * 3600, 0, 0) + name
    return one + body + one + body + ("\n<%+03d>%d\n" % (hours, -hours)).encode("ascii")


@pytest.fixture(name="tree")
def tree_fixture(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    (tmp_path / "etc").mkdir()
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "var/log/messages").write_bytes(oom(END - DAY).encode("ascii"))
    os.utime(str(tmp_path / "var/log/messages"), (END, END))
    yield tmp_path
    assert os.environ["TZ"] == "Asia/Tokyo"
    monkeypatch.undo()
    time.tzset()


def hour(tree, **options):
    events = journal.collect(Node(str(tree)), dict({"since": "1970-01-01"}, **options))["events"]
    return [event["time"][11:16] for event in events]


def test_a_tree_without_a_zone_is_in_utc(tree):
    assert hour(tree) == ["10:00"]


def test_a_tree_with_data_of_its_own(tree):
    (tree / "etc/localtime").write_bytes(tzif(5))
    assert hour(tree) == ["05:00"]
    assert hour(tree, since="2026-11-25T09:59:00") == ["05:00"]
    assert hour(tree, since="2026-11-25T10:01:00") == []


def test_a_tree_with_a_link_and_its_own_data(tree):
    os.symlink("/usr/share/zoneinfo/Mars/Base", str(tree / "etc/localtime"))
    assert hour(tree) == ["10:00"]
    (tree / "usr/share/zoneinfo/Mars").mkdir(parents=True)
    (tree / "usr/share/zoneinfo/Mars/Base").write_bytes(tzif(-7))
    assert hour(tree) == ["17:00"]


@pytest.mark.skipif(not os.path.exists("/usr/share/zoneinfo/Europe/Berlin"), reason="needs zoneinfo")
@pytest.mark.parametrize(
    "path,text",
    [
        ("etc/timezone", "Europe/Berlin\n"),
        ("etc/sysconfig/clock", 'ZONE="Europe/Berlin"\nUTC=true\n'),
        ("sos_commands/systemd/timedatectl", "                Time zone: Europe/Berlin (CET, +0100)\n"),
    ],
)
def test_a_tree_that_names_its_zone(tree, path, text):
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_bytes(text.encode("ascii"))
    assert hour(tree) == ["09:00"]
    summer = calendar.timegm((2026, 7, 1, 10, 0, 0, 0, 0, 0))
    (tree / "var/log/messages").write_bytes(oom(summer).encode("ascii"))
    assert hour(tree) == ["08:00"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "Europe/../../../../etc/passwd", "Nowhere/City", "-x"]
)
def test_a_name_that_is_no_zone(tree, name):
    (tree / "etc/timezone").write_bytes(name.encode("ascii"))
    assert hour(tree) == ["10:00"]


def test_a_line_of_an_unknown_year_is_none():
    line = prefixes.split("Nov 24 10:00:00 node kernel: x")
    watch = clock.Clock(END, local=False)
    watch.years = years.Years()
    watch.years.steps = [(50, None)]
    watch.years.days = 330
    assert watch.of(line, 10) is None
    assert clock.iso(watch.of(line, 60)) == clock.iso(watch.of(line)) == "2026-11-24T10:00:00Z"


@pytest.mark.parametrize("seed", range(60))
def test_a_piece_of_one_day_is_looked_at_as_any_other(seed):
    """The short way says what a look at each line does."""
    chance = random.Random(seed)
    lines, day = [], 1
    for _line in range(chance.randrange(1, 30)):
        day = min(28, day + (chance.random() < 0.05))
        head = "%s%s %2d 10:00:00 n1 " % (chance.choice(["", "", "", "<13>"] if seed % 3 else [""]), "Nov", day)
        text = chance.choice(["kernel: [%d.5] x", "sshd: kernel: [%d.1] y", "a: b %d"]) % chance.randrange(10**7)
        lines.append(chance.choice(["", " more"] if seed % 5 == 0 and chance.random() < 0.1 else [head]) + text)
    data = "\n".join(lines).encode("ascii")[chance.choice([0, 0, 3]) : chance.choice([None, -1, -30])]
    data += chance.choice([b"", b"\n"])
    short, long_way = years.Years(), years.Years()
    short.feed(data, 7)
    for found in years.STAMP.finditer(data):
        long_way._see(7 + found.start(), *found.groups())
    assert vars(short) == vars(long_way)


def test_a_line_of_another_boot_that_this_one_leaves_no_room_for(dates):
    """Days before lines of a boot that had begun by then, and of an earlier one: a year older at the least, and no more is told."""
    after = "".join(noise(END - hours * 3600, 50 * DAY - hours * 3600) for hours in range(72, 0, -6))
    for days in (2, 4, 7):
        before = END - (365 + days) * DAY
        assert dates(noise(before, 104 * DAY) + oom(before) + after) == [None]
        # With a program's lines in between, too.
        assert dates(noise(before, 104 * DAY) + oom(before) + noise(END - 73 * 3600) + after) == [None]
    # A boot that began later does not contradict: the machine was restarted in between.
    began = "".join(noise(END - hours * 3600, 3 * DAY - hours * 3600) for hours in range(60, 0, -6))
    assert dates(noise(END - 5 * DAY, 104 * DAY) + oom(END - 5 * DAY) + began) == [day(END - 5 * DAY)]
    # Nor does one whose seconds stood still while the machine slept.
    slept = "".join(noise(END - hours * 3600, 104 * DAY + 3600 - hours) for hours in range(60, 0, -6))
    assert dates(noise(END - 6 * DAY, 104 * DAY - 3600) + oom(END - 6 * DAY) + slept) == [day(END - 6 * DAY)]
    # A turn of the year in between says which one it is.
    winter = "".join(noise(END - months * 30 * DAY) for months in range(12, 0, -1))
    assert dates(noise(END - 370 * DAY, 104 * DAY) + oom(END - 370 * DAY) + winter + after) == [day(END - 370 * DAY)]
