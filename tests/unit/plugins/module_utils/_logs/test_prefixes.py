# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in front of messages, and when they were written."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _text
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
    ("[ 1197.288649] node kernel: ", "node", "kernel", None, None),
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
    # the beginning of a paste, cut off or marked as code
    ("197.288649] ", None, None, None, None),
    (".288649][  T12] ", None, None, "T12", None),
    ("`Jul  1 00:45:31 node kernel: ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("```[ 1197.288649] ", None, None, None, None),
    (">> > Jul  1 00:45:31 node kernel: ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("4,123,456789,-;", None, "kernel", None, None),
    ("4,123,456789,-,caller=T12;", None, "kernel", "T12", None),
    ("Jul  1 00:45:31 node kernel: : [  123.000001] ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("kernel: kernel: ", None, "kernel", None, None),
    ("[  +0.000012] ", None, "kernel", None, None),
    ("[<    0.000012>] ", None, "kernel", None, None),
    ("Wed Jul  1 00:45:31 2020 kern.warn kernel: [   12.345678] ", None, "kernel", None, "2020-07-01T00:45:31Z"),
    ("2020-07-01 00:45:31 [WARN] [node-17] kernel: ", "node-17", "kernel", None, "2020-07-01T00:45:31Z"),
    ("2020-07-01T00:45:31Z WARNING node-17 kernel: ", "node-17", "kernel", None, "2020-07-01T00:45:31Z"),
    ('2020-07-01T00:45:31Z {job="kernel", nodename="n1"} ', "n1", None, None, "2020-07-01T00:45:31Z"),
    (
        "Jul  1 00:45:31 relay Jul  1 00:45:30 node kernel: [   12.345678] ",
        "node",
        "kernel",
        None,
        "2026-07-01T00:45:31Z",
    ),
    ("09-22 15:36:44.117 <4>[ 1304.482941] c2 ", None, None, None, None),
    ("09-22 15:36:44.117   123   456 W kernel  : [ 12.345678] ", None, "kernel", None, None),
    ("<4>[   12.345678]  (0)[1:swapper/0]", None, None, None, None),
    ("[   12.345678]  [3:      swapper/3:    0] ", None, None, None, None),
    ("[   12.345678] I[3:      swapper/3:    0] ", None, None, None, None),
    ("[3:      swapper/3:    0] ", None, None, None, None),
    ("<4>I[0:    kworker/0:1:14321] ", None, None, None, None),
    ("<6>[7: ServiceManager: 1234] ", None, None, None, None),
    ("/var/log/messages:123:Jul  1 00:45:31 node kernel: ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("   123\tJul  1 00:45:31 node kernel: ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("123:Jul  1 00:45:31 node kernel: ", "node", "kernel", None, "2026-07-01T00:45:31Z"),
    ("node-17 | [   16.869199] ", None, None, None, None),
    ("[pod/ns/name] 2020-07-01T00:45:31Z [   16.869199] ", None, None, None, "2020-07-01T00:45:31Z"),
    ("JD> > [   26.078981] ", None, None, None, None),
    ("&lt;4&gt;[   16.869199] ", None, None, None, None),
    ("#033[33m[   16.869199] #033[0m", None, None, None, None),
    ("^[[33m[   16.869199] ^[[0m", None, None, None, None),
    ("Jul  1 00:45:31 node fluentd[12]: [   12.345678] ", "node", "fluentd", None, "2026-07-01T00:45:31Z"),
    (
        '<4>1 2020-07-01T00:45:31.1Z node kernel - - [a@1 b="c ]"][d e="f"] ',
        "node",
        "kernel",
        None,
        "2020-07-01T00:45:31Z",
    ),
    ("node-17: kern: warning: [2020-07-01T00:45:31.000000001Z]: ", "node-17", None, None, "2020-07-01T00:45:31Z"),
    ("10.5.0.2: kern: err: [2020-07-01T00:45:31.000000001Z]: ", "10.5.0.2", None, None, "2020-07-01T00:45:31Z"),
    ("/var/log/messages-20200701:12:", None, None, None, None),
    ("dmesg.txt:12:", None, None, None, None),
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


@pytest.mark.parametrize(
    "head,tag", [("lxc web-1 ", "lxc"), ("            lxc ", "lxc"), ("lxc-start web ", "lxc-start")]
)
def test_the_log_of_lxc(head, tag):
    line = prefixes.split(
        head + "20200701004531.612 ERROR    start - start.c:__lxc_start:1975 - Failed to spawn container"
    )
    assert line.text == "ERROR    start - start.c:__lxc_start:1975 - Failed to spawn container"
    assert (line.tag, clock.iso(clock.Clock(NOW, local=False).of(line))) == (tag, "2020-07-01T00:45:31Z")


OTHER_TIMES = [
    "{dec}. 03 21:58:33", "[Mi Jul  1 00:45:31 2020]", "[Oct28 16:58]", "{july} 01 00:45:31", "2020{year}07{month}01{day} 00:45:31",
    "01/Jul/2020:00:45:31 +0000", "Wed, 01 Jul 2020 00:45:31 +0200", "1 juil. 00:45:31", "Jul 1, 2020 @ 00:45:31.000",
    "01.07.2020 00:45:31", "2020/07/01 00:45:31", "Jul 01 12:45:31 AM", "20200701T004531Z", "Wed Jul  1 00:45:31 CEST 2020",
]  # fmt: skip
_LETTERS = {
    "dec": b"d\xc3\xa9c", "july": b"7\xe6\x9c\x88", "year": b"\xe5\xb9\xb4", "month": b"\xe6\x9c\x88", "day": b"\xe6\x97\xa5"
}  # fmt: skip


@pytest.mark.parametrize("stamp", OTHER_TIMES)
@pytest.mark.parametrize("behind", [" ", " node kernel: ", " node kernel: [   12.345678] "])
def test_times_in_the_forms_of_other_places_do_not_hide_the_message(stamp, behind):
    letters = {name: text.decode("utf-8") for name, text in _LETTERS.items()}
    for name, text in letters.items():
        stamp = stamp.replace("{%s}" % name, text)
    line = prefixes.split(stamp + behind + REPORT)
    assert line.text == REPORT
    assert line.stamp is not None
    assert line.tag == ("kernel" if "kernel" in behind else None)


BODIES = [
    "[28438]     0 28438  5063909   119961    1661   136409          -998 java",
    "Call Trace:",
    " [<ffffffff81179a95>] warn_alloc_failed+0xf5/0x160",
    " </IRQ> [<ffffffff81179a95>] x+0x1/0x2",
    "[<c0123456>] (dump_stack) from [<c0123456>]",
    "Node 0 DMA: 1*4kB (U) 0*8kB = 15908kB",
    "Normal free:5kB min:4kB",
    "CPU: 0 PID: 12 Comm: foo Not tainted 4.4.0",
    "  cache: kmalloc-64, object size: 64, buffer size: 64, default order: 0, min order: 0",
    "  node 0: slabs: 1, objs: 2, free: 0",
    "swapper/0: page allocation failure. order:1, mode:0x20",
    "kernel stats: page allocation failure: order:4",
    "CPU 0/KVM invoked oom-killer: gfp_mask=",
    "(sd-pam) invoked oom-killer: x",
    "123456 total pagecache pages",
    "memory: usage 1kB, limit 2kB, failcnt 3",
    "INFO: task foo:12 blocked for more than 120 seconds.",
    "[ pid ]   uid  tgid",
    "Hardware name: QEMU",
    "Workqueue: events x",
    " __alloc_pages_slowpath.constprop.0+0xb1c/0xbe0",
    " kernel_misc_reclaimable:0 pagetables:12",
    "kernelmode_fixup_or_oops+0x84/0x110",
    " </IRQ>",
    "[ 1234]     0  1234    12345      123    45056        0         -1000 systemd-udevd",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "Jul  1 00:45:31 node kernel: ",
        "[   12.345678] ",
        "2020-07-01T00:45:31Z ",
        "[Wed Jul  1 00:45:31 2020] ",
        "4,1,2,-;",
        "kernel: ",
        "> ",
    ],
)
def test_what_the_kernel_says_is_no_prefix(prefix, body):
    line = prefixes.split(prefix + body)
    assert line.text.strip() == body.strip()
    assert not line.userland


@pytest.mark.parametrize(
    "text",
    [
        "<4>" + REPORT,
        "<4>[   12.345678] " + REPORT,
        "[   12.345678] " + REPORT,
        "[T1234] " + REPORT,
        "[ 20200701 004531] " + REPORT,
        "kernel: " + REPORT,
        "kernel[0]: " + REPORT,
        "_x kernel_y kernel: " + REPORT,
    ],
)
def test_what_stands_behind_the_tag_of_the_kernel_may_be_one_more_prefix(text):
    line = prefixes.split("Jul  1 00:45:31 node kernel: " + text)
    assert line.text.strip() == REPORT
    assert line.tag == "kernel"


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


RECORDS = [
    # record around %s, host, tag
    ('{"log":"%s\\n","stream":"stderr","time":"2026-03-01T07:00:00.000000001Z"}', None, None),
    ('2020-07-01T00:45:31Z stdout F {"log":"%s"}', None, None),
    ('2020-07-01 00:45:31.000000000 +0000 kern.warn: {"message":"%s","host":"n1","ident":"kernel"}', "n1", "kernel"),
    ('2020-07-01T00:45:31+00:00\tkern.warn\t{"message":"%s","host":"n1"}', "n1", "kernel"),
    ('[0] kernel: [1593564331.000000000, {"priority"=>4, "sec"=>12, "msg"=>"%s"}]', None, None),
    ('[12] tail.0: [[1669160706.737650473, {}], {"log"=>"[   12.345678] %s"}]', None, None),
    (
        '{"@timestamp":"2020-07-01T00:45:31.000Z","host":{"name":"n1"},"log":{"file":{"path":"/var/log/messages"}},'
        '"message":"Jul  1 00:45:31 node kernel: %s","agent":{"type":"filebeat","hostname":"n1"}}',
        "node",
        "kernel",
    ),
    ('["1593564331000000000", "%s"]', None, None),
    ('{"stream":{"nodename":"n1"},"values":[["1593564331000000000","%s"]]}', "n1", None),
    ('{"body":{"stringValue":"%s"},"timeUnixNano":"1593564331000000000"}', None, None),
    ('{"timestamp":1593564331.5,"message":"%s","appname":"kernel","facility":"kern","host":"h"}', "h", "kernel"),
    ('{"a_name_nobody_knows":"%s","another":3}', None, None),
    ('{"result":{"_raw":"Jul  1 00:45:31 node kernel: %s","host":"n"}}', "node", "kernel"),
    ('{"jsonPayload":{"message":"%s","_HOSTNAME":"n","_TRANSPORT":"kernel"}}', "n", "kernel"),
    ('{"_index":"x","_source":{"message":"%s"}}', None, None),
    (
        '{"message":"{\\"MESSAGE\\":\\"%s\\",\\"_HOSTNAME\\":\\"x\\",\\"SYSLOG_IDENTIFIER\\":\\"kernel\\"}"}',
        "x",
        "kernel",
    ),
    ('   "message" => "%s",', None, None),
    ('\t"MESSAGE" : "%s",', None, None),
    ("MESSAGE=%s", None, None),
    ('  "[   12.345678] %s",', None, None),
]


@pytest.mark.parametrize("record,host,tag", RECORDS)
def test_records_of_runtimes_and_shippers_are_unwrapped(record, host, tag):
    line = prefixes.split(record % REPORT)
    assert (line.text, line.host, line.tag) == (REPORT, host, tag)


def test_a_record_with_an_error_of_its_own_stays_whole():
    raw = '{"timestamp":"1472766268.56","source":"guardian","message":"guardian.create.failed","data":{"error":"mkdir: no space"}}'
    line = prefixes.split(raw)
    assert (line.text, line.stamp) == (raw, "1472766268.56")
    raw = '{"ts":"2020-07-01T00:45:31Z","caller":"pod_workers.go:1","msg":"Error syncing pod","err":"EOF"}'
    assert prefixes.split(raw).text == raw


@pytest.mark.parametrize(
    "raw",
    [
        "{",
        '{"a":1}',
        '{"MESSAGE":null}',
        '{"MESSAGE":[1,"x",999]}',
        "[1]",
        '{"log":"' + "x" * 9,
        '{"a":' * 30000 + "}" * 30000,
        '{"log":"x","n":' + "9" * 60000 + "}",
        '{"MESSAGE":[' + "9" * 60000 + "]}",
        '{"log":{"log":{"log":"x"}}}',
    ],
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
    assert _text.strip_controls(text) == "abcd e f foo 0289 u"
    text = b"plain \xc3\xa9".decode("utf-8")
    assert _text.strip_controls(text) == text
    # Fillers, variation selectors, tags, and a pile of marks on one letter.
    hidden = b"a\xe3\x85\xa4b\xef\xb8\x8fc\xf3\xa0\x81\x81d\xe2\xa0\x80e".decode("utf-8")
    assert _text.strip_controls(hidden) == "abcde"
    mark = b"\xcc\x81".decode("utf-8")
    assert _text.strip_controls("a" + mark * 500 + "b") == "a" + mark * 4 + "b"
    assert _text.strip_controls("a" + mark * 4) == "a" + mark * 4


@pytest.mark.parametrize(
    "form",
    [
        '- "%s"',
        '[0] kernel: [[1593564331.000000007, {}], {"log": "%s"}]',
        '{"id": "A", "attributes": {"host": "node", "service": "kernel", "message": "%s"}}',
        '{"attributes": {"message": "another"}, "body": {"stringValue": "%s"}}',
    ],
)
def test_records_that_hold_the_message_further_in(form):
    assert prefixes.split(form % REPORT).text == REPORT


@pytest.mark.parametrize(
    "text",
    ["process_linux.go:297: applying cgroup configuration", "/usr/src/oom.c:12: error", "container_linux.go:345:x"],
)
def test_a_line_of_a_source_file_is_no_prefix_of_greps(text):
    assert prefixes.split(text).text == text
