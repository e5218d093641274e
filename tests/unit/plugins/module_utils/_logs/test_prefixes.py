# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in front of messages, and when they were written."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import clock, prefixes

REPORT = "runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0"
# 2026-11-21T03:00:00Z
NOW = 1795230000

FORMS = [
    # prefix, host, tag, caller, time
    ("", None, None, None, None),
    ("Jul  1 00:45:31 node kernel: ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("Jul 01 00:45:31 node.example.com kernel: ", "node.example.com", "kernel", None, "2026-07-01T00:45:31Z"),
    ("Dec 31 23:59:59 node kernel: ", "node", "kernel", None, "2025-12-31T23:59:59Z"),
    ("Jul  1 00:45:31.123456 node kernel: ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("Jul  1 00:45:31  kernel: ", None, "kernel", None, "2026-07-01T00:45:31Z"),
    ("Jul  1 00:45:31 kernel: ", None, "kernel", None, "2026-07-01T00:45:31Z"),
    ("Jul  1 00:45:31 node kernel: [23178.419715] ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("2020-07-01T00:45:31.5+08:00 node kernel: ", "node", "kernel", None, "2020-06-30T16:45:31Z"),
    ("2020-07-01T00:45:31+0800 node kernel: [   12.000001] ", "node", "kernel", None, "2020-06-30T16:45:31Z"),
    ("2020-07-01T00:45:31Z node kernel: ", "node", "kernel", None, "2020-07-01T00:45:31Z"),
    ("Wed 2020-07-01 00:45:31 UTC node kernel: ", "node", "kernel", None, "2020-07-01T00:45:31Z"),
    ("<4>1 2020-07-01T00:45:31.1Z node kernel - - - ", "node", "kernel", None, "2020-07-01T00:45:31Z"),
    ("1593564331.000007 node kernel: ", "node", "kernel", None, "2020-07-01T00:45:31Z"),
    ("2020-07-01T00:45:31.46Z stderr F ", None, None, None, "2020-07-01T00:45:31Z"),
    ("[ 1197.288649] ", None, None, None, None),
    ("[ 1197.288649] node kernel: ", None, "kernel", None, None),
    ("[2681891.757523] [ T416120] ", None, None, "T416120", None),
    ("[  261.362982][ T1770] ", None, None, "T1770", None),
    ("[  261.362982][    C3] ", None, None, "C3", None),
    ("<4>[    0.000000] ", None, None, None, None),
    ("kern  :warn  : [ 1197.288649] ", None, None, None, None),
    ("[ 1197.288649 <    0.000012>] ", None, None, None, None),
    ("[Wed Jul  1 00:45:31 2020] ", None, None, None, "2020-07-01T00:45:31Z"),
    ("[Jul 1 00:45] ", None, None, None, "2026-07-01T00:45:00Z"),
    ("2020-07-01T00:45:31,465721+08:00 ", None, None, None, "2020-06-30T16:45:31Z"),
    ("kernel: ", None, "kernel", None, None),
    ("    kernel: ", None, "kernel", None, None),
    ("18:20:47 kernel: ", None, "kernel", None, None),
    ("> [   26.078981] ", None, None, None, None),
    (">> > Jul  1 00:45:31 node kernel: ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("vm1 # [   16.869199] ", None, None, None, None),
    ("   [   16.869199] ", None, None, None, None),
    ("\x1b[32m[   16.869199] \x1b[0m", None, None, None, None),
]


@pytest.mark.parametrize("prefix,host,tag,caller,time", FORMS)
def test_every_prefix_leaves_the_message(prefix, host, tag, caller, time):
    line = prefixes.split(prefix + REPORT)
    assert line.text == REPORT
    assert (line.host, line.tag, line.caller) == (host, tag, caller)
    assert clock.iso(clock.Clock(NOW, local=False).of(line)) == time


def test_names_of_months_in_another_language_do_not_hide_the_message():
    line = prefixes.split(b"d\xc3\xa9c. 03 21:58:33 node kernel: ".decode("utf-8") + REPORT)
    assert (line.text, line.tag) == (REPORT, "kernel")
    assert clock.Clock(NOW).of(line) is None


def test_programs_are_told_from_the_kernel():
    line = prefixes.split(
        "Jul  1 00:45:31 node kubelet[12227]: E0701 00:45:31.465721   12227 remote_runtime.go:96] failed"
    )
    assert line.userland
    assert (line.tag, line.text[:5]) == ("kubelet", "E0701")
    assert not prefixes.split("Jul  1 00:45:31 node kernel: x").userland
    assert not prefixes.split("x").userland


def test_rows_of_a_task_table_are_no_stamps():
    line = prefixes.split("[28438]     0 28438  5063909   119961    1661   136409          -998 java")
    assert line.uptime is None
    assert line.text.startswith("[28438]")


def test_escaped_line_ends_are_line_ends():
    line = prefixes.split("Jul  1 00:45:31 node kernel: active_anon:1 isolated_anon:0#012 active_file:2#011x")
    assert line.text == "active_anon:1 isolated_anon:0\n active_file:2\tx"


@pytest.mark.parametrize(
    "entry",
    [
        {
            "MESSAGE": REPORT,
            "__REALTIME_TIMESTAMP": "1593564331000007",
            "_HOSTNAME": "node",
            "SYSLOG_IDENTIFIER": "kernel",
        },
        {
            "MESSAGE": list(bytearray(REPORT.encode("ascii"))),
            "__REALTIME_TIMESTAMP": "1593564331000007",
            "_HOSTNAME": "node",
            "SYSLOG_IDENTIFIER": "kernel",
        },
    ],
)
def test_json_of_journalctl(entry):
    line = prefixes.split(json.dumps(entry))
    assert (line.text, line.host, line.tag) == (REPORT, "node", "kernel")
    assert clock.iso(clock.Clock(NOW).of(line)) == "2020-07-01T00:45:31Z"


@pytest.mark.parametrize(
    "raw", ["{", '{"a":1}', '{"MESSAGE":null}', '{"MESSAGE":[1,"x",999]}', "[1]", '{"log":"' + "x" * 9]
)
def test_json_that_is_no_log_entry_is_text(raw):
    assert prefixes.split(raw).text is not None


def test_a_leap_day_belongs_to_a_leap_year():
    line = prefixes.split("Feb 29 10:00:00 node kernel: x")
    assert clock.iso(clock.Clock(NOW, local=False).of(line)) == "2024-02-29T10:00:00Z"


def test_uptime_has_a_date_only_where_the_boot_time_is_known():
    line = prefixes.split("[   90.500000] x")
    assert clock.Clock(NOW).of(line) is None
    assert clock.Clock(NOW, boot=1000.0).of(line) == 1090.5


@pytest.mark.parametrize("stamp", ["Foo 99 99:99:99", "9999-99-99T99:99:99Z", "2020-13-01T00:00:00", "Jan 32 00:00:00"])
def test_impossible_times_are_unknown(stamp):
    line = prefixes.Line("x")
    line.stamp = stamp
    assert clock.Clock(NOW).of(line) is None


def test_long_lines_are_cut():
    assert len(prefixes.split("x" * 1000000).text) == prefixes.MAX_LINE


def test_nothing_that_a_terminal_obeys_is_left():
    text = b"a\x1b[31mb\x1b]0;evil\x07c\x07d\xc2\x9be\xe2\x80\xa8f\nfoo 0289 u".decode("utf-8")
    assert prefixes.harmless(text) == "abcd e f foo 0289 u"
    text = b"plain \xc3\xa9".decode("utf-8")
    assert prefixes.harmless(text) == text
