# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs that were wrapped, cut or turned round on their way say what they said before."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import textwrap

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import joining, journal
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

LOGS = os.path.normpath(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), *([os.pardir] * 4 + ["fixtures", "logs"]))
)
CASES = [
    (folder, name)
    for folder in ("captures", "peers")
    for name in sorted(os.listdir(os.path.join(LOGS, folder)))
    if name.endswith((".dmesg", ".messages"))
]
# The line and the first line's text are others when it was broken.
ASIDE = ("time_raw", "source", "line", "message")


def lines_of(folder, name):
    with io.open(os.path.join(LOGS, folder, name), encoding="utf-8") as stream:
        return stream.read().rstrip("\n").split("\n")


def said(lines, path):
    with io.open(str(path), "wb") as stream:
        for line in lines:
            stream.write((line if isinstance(line, bytes) else line.encode("utf-8")) + b"\n")
    result = journal.collect(Node("/"), {"files": [str(path)], "since": "1970-01-01"})
    return [{name: value for name, value in event.items() if name not in ASIDE} for event in result["events"]]


def wrapped(lines, width):
    parts = []
    for line in lines:
        parts += textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
    return parts


def cut(lines, width):
    for line in lines:
        for start in range(0, len(line), width) or [0]:
            yield line[start : start + width]


@pytest.mark.parametrize("folder,name", CASES)
def test_wrapped_at_any_width(folder, name, tmp_path):
    lines = lines_of(folder, name)
    expected = said(lines, tmp_path / "as-it-is")
    # Others for each log.
    for width in (72 + len(name) % 9, (64, 80, 100, 132)[len(lines) % 4]):
        assert said(list(wrapped(lines, width)), tmp_path / "wrapped") == expected, width


@pytest.mark.parametrize("folder,name", CASES)
def test_cut_by_a_terminal(folder, name, tmp_path):
    lines = lines_of(folder, name)
    expected = said(lines, tmp_path / "as-it-is")
    for width in (80, 100)[len(lines) % 2 :][:1]:
        assert said(list(cut(lines, width)), tmp_path / "cut") == expected, width


@pytest.mark.parametrize(
    "around",
    [
        lambda line: "> " + line,
        lambda line: "> > " + line,
        lambda line: "    " + line,
        lambda line: json.dumps({"log": line + "\n", "stream": "stderr", "time": "2026-03-01T07:00:00Z"}),
    ],
    ids=["quoted", "quoted twice", "indented", "docker"],
)
def test_wrapped_and_then_sent_on(around, tmp_path):
    lines = lines_of("captures", "6.12.107+deb13-cloud-amd64-oom-highorder.dmesg")
    expected = [
        (event["kind"], event["cause"], event["comm"], event["order"]) for event in said(lines, tmp_path / "log")
    ]
    changed = [around(line) for line in wrapped(lines, 76)]
    assert [
        (event["kind"], event["cause"], event["comm"], event["order"]) for event in said(changed, tmp_path / "log")
    ] == expected


@pytest.mark.parametrize("name", ["frag_paf_order4", "system_oom_order0", "cgroup_oom", "frag_oom_order3_free1.5G"])
def test_newest_first(name, tmp_path):
    lines = lines_of("peers", name + ".dmesg")
    stamped = [
        "2026-03-01T07:00:%02d.%06dZ node kernel: %s" % (number // 20, number * 7, line)
        for number, line in enumerate(lines)
    ]
    expected = said(stamped, tmp_path / "log")
    assert expected
    turned = said(stamped[::-1], tmp_path / "log")
    assert turned == expected


def test_lines_without_a_prefix_stay_behind_theirs_when_a_log_is_turned(tmp_path):
    found = []
    stamps = iter([9, 8, None, 7, 6, 5])
    times = {}
    joiner = joining.Joiner(found.append, lambda line: times[line.text])
    for text in ("e", "d", "  more of d", "c", "b", "a"):
        line = joining.split(text)
        times[line.text] = next(stamps)
        line.prefixed = times[line.text] is not None
        joiner.add(line)
    joiner.finish()
    assert [line.text.strip() for line in found] == ["a", "b", "c", "d", "more of d", "e"]


@pytest.mark.parametrize(
    "raws,expected",
    [
        (["Jul  1 00:45:31 node kernel: runc: page allocation", "failure: order:5, mode:0xd0"], 1),
        (["java invoked oom-killer: gfp_mask=0x201da, \\", "order=0, oom_score_adj=0"], 1),
        (["[ 1.000000] SLUB: Unable to allocate memory on node -1", "(gfp=0x20)"], 1),
        (["[ 1.000000] x: page allocation failure: order:1,", "[ 1.000100] eth0: link up", "mode:0x20"], 2),
        (["[ 1.000000] Node 0 DMA: 1*4kB", "[ 1.000000] (U) ", "[ 1.000000] 2*8kB", "[ 1.000000] (M) = 20kB"], 1),
        (["Call Trace:", " [<ffffffff81179a95>] warn_alloc_failed+0xf5/0x160"], 2),
        (["Mem-Info:", "Node 0 DMA free:1kB min:1kB low:1kB high:1kB", "lowmem_reserve[]: 0 1"], 3),
        (
            [
                "2026-03-01T07:00:00Z stdout P java invoked oom-",
                "2026-03-01T07:00:00Z stdout F killer: gfp_mask=0x1, order=0",
            ],
            1,
        ),
        # a terminal's width in the middle of a word, of one line only
        (["Feb 16 00:24:05 aramis.x kernel: swapper: page allocation failure. order:0, mode", ":0x20"], 1),
        # a prefix that is not known
        ([":tracebox: page allocation failure: order:1, mode:0x", ":[<c0320a34>] (x) from [<c020c124>]"], 2),
        (["n1; page allocation failure: order:1,", "n1; Mem-Info: and something else that is long", "n2; x"], 3),
        # messages of one who says who he is, and one that is broken
        (["so:", "XFS: a(1) possible memory allocation deadlock in kmem_alloc (mode:0x250)", "XFS: a(2) possible"], 3),
        (["XFS: nginx(2514) possible memory allocation deadlock", "size 37264 in kmem_alloc (mode:0x250)"], 1),
        # fields of the journal's records
        (
            [
                '\t"PRIORITY" : "4",',
                '\t"MESSAGE" : "x: page allocation failure: order:1,"',
                '\t"_TRANSPORT" : "kernel"',
            ],
            3,
        ),
        (["order:=\n".strip(), "x"], 1),
        (["x: page allocation failure: order:5, mode:=", "0x20 a=3Db"], 1),
    ],
)
def test_what_goes_on_and_what_does_not(raws, expected):
    assert len(joining.lines_of(raws)) == expected


@pytest.mark.parametrize("width", (70, 72, 76, 80, 100))
def test_an_id_of_a_container_at_the_beginning_of_a_line_goes_on(width):
    container = "%064x" % (0xC << 248)
    text = (
        'E0701 12:09:55.247057    6153 remote_runtime.go:92] RemoveContainer "%s" from runtime service failed: rpc error: code = Unknown '
        'desc = failed to remove container "%s": Error response from daemon: container %s: driver "overlay2" failed to remove root '
        "filesystem: unlinkat /var/lib/docker/overlay2/%s/merged: device or resource busy"
        % (container, container, container, container)
    )
    raws = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    (line,) = joining.lines_of(raws)
    # Quotes around a whole line are none of the text.
    assert line.text.replace('"', "").split() == text.replace('"', "").split()


def test_nothing_is_put_between_the_parts_of_one_line():
    raws = ['{"log":"java invoked oom-","stream":"stderr"}', '{"log":"killer: x\\n","stream":"stderr"}']
    assert [line.text for line in joining.lines_of(raws)] == ["java invoked oom-killer: x"]


def test_a_message_does_not_grow_without_end():
    lines = joining.lines_of(
        ["Jul  1 00:45:31 node kernel: x: page allocation failure: order:"] + ["and so on,"] * 1000
    )
    assert max(line.parts for line in lines) <= joining.MAX_PARTS


def test_a_word_that_a_terminal_has_cut_is_put_together():
    raws = ["Feb 16 00:24:05 aramis kernel: swapper: page allocation failure. order:0, mode:0", "x20"]
    assert len(raws[0]) == 80
    assert [line.text for line in joining.lines_of(raws)] == ["swapper: page allocation failure. order:0, mode:0x20"]


def test_lines_that_are_as_wide_as_a_terminal_by_chance_are_not_cut():
    begun = "2026-02-14T02:08:20.651027+00:00 node-7 kernel: "
    raws = [
        begun + "modprobe: vmalloc error: size 0,",
        "exceeds total pages, mode:0xcc0(GFP_KERNEL),",
        "nodemask=(null),cpuset=/,mems_allowed=0",
        begun + "CPU: 3 PID: 50528 Comm: modprobe",
        "Not tainted 5.15.0-105-generic-64k #1",
        begun,
        "__vmalloc_node_range+0x28f/0x15b4",
    ]
    assert [len(raws[0]), len(raws[3])] == [80, 80]
    assert [line.text for line in joining.lines_of(raws)][:2] == [
        "modprobe: vmalloc error: size 0, exceeds total pages, mode:0xcc0(GFP_KERNEL), nodemask=(null),cpuset=/,mems_allowed=0",
        "CPU: 3 PID: 50528 Comm: modprobe Not tainted 5.15.0-105-generic-64k #1",
    ]
