# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import shutil
import signal

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _fragmenters, _tool
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_locks import lock
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import extfrag_events

# As Linux 6.18 printed it while a process filled pipes.
TRACE = """\
# tracer: nop
#
# entries-in-buffer/entries-written: 180/180   #P:2
#
         python3-17204   [000] d..3.  3084.914387: mm_page_alloc_extfrag: page=00000000c4dee638 pfn=0x202000 alloc_order=0 fallback_order=10 pageblock_order=9 alloc_migratetype=0 fallback_migratetype=1 fragmenting=0 change_ownership=1
         python3-17204   [000] d..3.  3084.917034: <stack trace>
 => trace_event_raw_event_mm_page_alloc_extfrag
 => __rmqueue_pcplist
 => get_page_from_freelist
 => __alloc_frozen_pages_noprof
 => alloc_pages_mpol
 => alloc_pages_noprof
 => anon_pipe_write
 => vfs_write
 => ksys_write
         python3-17204   [000] d..3.  3084.940747: mm_page_alloc_extfrag: page=00000000e4576c2b pfn=0x202400 alloc_order=0 fallback_order=10 pageblock_order=9 alloc_migratetype=0 fallback_migratetype=1 fragmenting=0 change_ownership=1
         python3-17204   [000] d..3.  3084.940773: <stack trace>
 => get_page_from_freelist
 => anon_pipe_write
 Web Content-5 (  77) [001] d..3.  3085.000001: mm_page_alloc_extfrag: page=00000000e4576c2b pfn=0x202400 alloc_order=0 fallback_order=3 pageblock_order=9 alloc_migratetype=0 fallback_migratetype=1 fragmenting=1 change_ownership=0
 => get_page_from_freelist
 => pte_alloc_one
"""  # noqa: E501

# As Linux 6.1 printed it.
HISTOGRAM = """\
# event histogram
#
# trigger info: hist:keys=common_pid.execname,alloc_migratetype,stacktrace:vals=hitcount:sort=hitcount:size=2048 if fallback_migratetype == 0 && change_ownership == 1 [active]
#

{ common_pid: python3         [       413], alloc_migratetype:          2, stacktrace:
         get_page_from_freelist+0xc53/0x11a0
         __alloc_pages+0x1dc/0x330
         allocate_slab+0x334/0x490
         ___slab_alloc+0x379/0x990
         kmem_cache_alloc_lru+0x33b/0x400
         alloc_inode+0x59/0xc0
} hitcount:          3
{ common_pid: Web Content     [        77], alloc_migratetype:          1, stacktrace:
         get_page_from_freelist+0xc53/0x11a0
         vma_alloc_folio+0x9c/0x370
         __handle_mm_fault+0x92f/0xfa0
} hitcount:          1

Totals:
    Hits: 4
    Entries: 2
    Dropped: 5


# event histogram
#
# trigger info: hist:keys=common_pid.execname,alloc_migratetype,stacktrace:vals=hitcount:sort=hitcount:size=2048 if fallback_migratetype == 1 && change_ownership == 0 [active]
#


Totals:
    Hits: 0
    Entries: 0
    Dropped: 0
"""  # noqa: E501
PAGETYPES = "".join(
    "Node    0, zone   Normal, type %12s      1      0\n" % name for name in ("Unmovable", "Movable", "Reclaimable")
)


class Tracefs:
    """A tracefs below ``root``: what the kernel would do is done when the watch sleeps."""

    def __init__(self, root, histogram=None, trace="", entries=6, overrun=0):
        self.root, self.histogram, self.trace = root, histogram, trace
        self.entries, self.overrun, self.now = entries, overrun, 0.0
        self.base = os.path.join(root, "sys/kernel/tracing")
        os.makedirs(os.path.join(self.base, "events/kmem/mm_page_alloc_extfrag"))
        os.makedirs(os.path.join(self.base, "instances"))
        os.makedirs(os.path.join(root, "run"))
        self.put("/proc/pagetypeinfo", PAGETYPES)
        self.put("/proc/17204/cgroup", "0::/kubepods.slice/cri-containerd-%s.scope\n" % ("ab" * 32))

    def put(self, path, text):
        path = os.path.join(self.root, path.lstrip("/"))
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        with open(path, "w") as stream:
            stream.write(text)

    def instance(self):
        """mkdir in instances: the kernel fills the directory."""
        at = "/sys/kernel/tracing/instances/memfrag-watch"
        event = at + "/events/kmem/mm_page_alloc_extfrag"
        for name in (event + "/enable", event + "/trigger", at + "/buffer_size_kb", at + "/options/stacktrace"):
            self.put(name, "0\n")
        self.put(at + "/trace", self.trace)
        self.put(
            at + "/per_cpu/cpu0/stats", "entries: %d\noverrun: %d\ndropped events: 0\n" % (self.entries, self.overrun)
        )
        if self.histogram is not None:
            self.put(event + "/hist", self.histogram)

    @property
    def left(self):
        return os.listdir(os.path.join(self.base, "instances"))


class KernelNode(WritableNode):
    """A node whose tracefs makes and removes instances as a whole."""

    kernel = None

    def make_directory(self, path, mode=0o755):
        made = super(KernelNode, self).make_directory(path, mode)
        if path.endswith("memfrag-watch"):
            self.kernel.instance()
        return made

    def remove(self, path):
        if not path.endswith("memfrag-watch"):
            return super(KernelNode, self).remove(path)
        with open(os.path.join(self.path(path), "events/kmem/mm_page_alloc_extfrag/enable")) as stream:
            assert stream.read() == "0\n", "the kernel does not remove an instance that is at work"
        shutil.rmtree(self.path(path))
        return True


@pytest.fixture(name="machine")
def machine_fixture(tmp_path):
    def make(**options):
        kernel = Tracefs(str(tmp_path), **options)
        node = KernelNode(str(tmp_path))
        node.kernel = kernel
        return node, kernel

    return make


def watch(node, seconds=3):
    def sleep(duration):
        node.kernel.now += max(duration, 0.01)

    return _fragmenters.watch(node, seconds, lambda: node.kernel.now, sleep)


def test_events_of_the_buffer():
    events, unparsed = extfrag_events.parse_trace(TRACE)
    assert unparsed == 0
    assert [event["comm"] for event in events] == ["python3", "python3", "Web Content"]
    assert [event["pageblocks"] for event in events] == [{4112, 4113}, {4114, 4115}, {4114}]
    assert [extfrag_events.caller(event["stack"]) for event in events] == [
        "anon_pipe_write",
        "anon_pipe_write",
        "pte_alloc_one",
    ]


def test_a_histogram():
    rows, unparsed = extfrag_events.parse_histogram(HISTOGRAM)
    assert unparsed == 0
    assert [(row["comm"], row["pid"], row["count"]) for row in rows] == [("python3", 413, 3), ("Web Content", 77, 1)]
    assert [(row["alloc_migratetype"], row["fallback_migratetype"]) for row in rows] == [(2, 0), (1, 0)]
    assert [extfrag_events.caller(row["stack"]) for row in rows] == ["alloc_inode", "__handle_mm_fault"]


@pytest.mark.parametrize("parse", [extfrag_events.parse_trace, extfrag_events.parse_histogram])
@pytest.mark.parametrize("text", [TRACE, HISTOGRAM])
def test_cut_text_is_read_as_far_as_it_goes(parse, text):
    for end in range(0, len(text), 7):
        parse(text[:end])


def test_watching_by_the_buffer(machine):
    node, kernel = machine(trace=TRACE, overrun=2)
    result = watch(node)
    assert (result["events"], result["overrun"], result["stopped_early"], result["seconds"]) == (3, 2, False, 3.0)
    worst = result["fragmenters"][0]
    assert (worst["comm"], worst["container"], worst["function"]) == ("python3", "ab" * 32, "anon_pipe_write")
    assert (worst["alloc_migratetype"], worst["fallback_migratetype"], worst["pageblocks"]) == (
        "Unmovable",
        "Movable",
        4,
    )
    assert kernel.left == []


def test_watching_by_histogram(machine):
    node, kernel = machine(histogram=HISTOGRAM)
    result = watch(node)
    assert (result["events"], result["overrun"]) == (4, 5)
    assert result["fragmenters"][0]["function"] == "alloc_inode"
    assert result["fragmenters"][0]["alloc_migratetype"] == "Reclaimable"
    assert kernel.left == []


def test_too_many_events_end_the_watch(machine):
    node, _kernel = machine(trace=TRACE, entries=10**6)
    result = watch(node, 600)
    assert result["stopped_early"] is True
    assert result["seconds"] < 2


def test_what_a_killed_run_left_is_removed(machine):
    node, kernel = machine(trace=TRACE)
    node.make_directory("/sys/kernel/tracing/instances/memfrag-watch")
    node.write_value("/sys/kernel/tracing/instances/memfrag-watch/events/kmem/mm_page_alloc_extfrag/enable", "1")
    assert watch(node)["events"] == 3
    assert kernel.left == []


def test_nothing_is_left_when_something_goes_wrong(machine, monkeypatch):
    node, kernel = machine(trace=TRACE)

    def fail(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(_fragmenters, "_fragmenters", fail)
    with pytest.raises(KeyboardInterrupt):
        watch(node)
    assert kernel.left == []


def test_one_watch_at_a_time(machine):
    node, kernel = machine(trace=TRACE)
    with lock(node, "/run/memfrag-watch.lock"), pytest.raises(
        _fragmenters.WatchError, match="another watch is running"
    ):
        watch(node)
    assert kernel.left == []


def test_without_tracefs_it_says_what_to_do(tmp_path):
    with pytest.raises(_fragmenters.WatchError, match="is tracefs mounted"):
        _fragmenters.watch(WritableNode(str(tmp_path)), 1)


@pytest.mark.parametrize("seconds", [0, 601])
def test_the_module_names_the_option(run_module, seconds):
    result = run_module("memfrag_watch", {"seconds": seconds})
    assert result["failed"]
    assert result["msg"] == "seconds must be from 1 to 600, not %d" % seconds


def test_the_module_watches_nothing_in_check_mode(run_module):
    assert run_module("memfrag_watch", {"seconds": 5}, check_mode=True)["skipped"]


def test_who_puts_what_stays_where_pages_moved_is_named_first(machine):
    # 40 events of movable memory that took from the kernel's weigh nothing beside one the other way round.
    harmless = HISTOGRAM.replace("} hitcount:          1", "} hitcount:         40")
    taken = HISTOGRAM.replace("fallback_migratetype == 0 ", "fallback_migratetype == 1 ")
    node, _kernel = machine(histogram=harmless + taken)
    rows = watch(node)["fragmenters"]
    assert (rows[0]["comm"], rows[0]["pollutes"], rows[0]["pageblocks"], rows[0]["taken"]) == ("python3", True, 3, 3)
    assert [row["pollutes"] for row in rows[1:]] == [False] * len(rows[1:])
    assert max(row["pageblocks"] for row in rows) == 40


def test_the_owner_is_told_while_it_lives(machine):
    node, kernel = machine(histogram=HISTOGRAM)
    kernel.put("/proc/413/cgroup", "12:memory:/old\n0::/system.slice/loader.service\n")

    def sleep(duration):
        kernel.now += duration
        if kernel.now > 2:
            kernel.put("/proc/413/cgroup", "")

    rows = _fragmenters.watch(node, 3, lambda: kernel.now, sleep)["fragmenters"]
    assert [row["cgroup"] for row in rows if row["comm"] == "python3"] == ["/old"]


def test_too_many_counted_events_end_the_watch(machine):
    node, _kernel = machine(histogram=HISTOGRAM.replace("Hits: 4", "Hits: 600000"))
    result = watch(node, 600)
    assert result["stopped_early"] is True and result["seconds"] < 5


def test_ctrl_c_ends_the_watch_and_not_the_answer(machine):
    node, kernel = machine(histogram=HISTOGRAM)

    def interrupted(_duration):
        raise KeyboardInterrupt

    result = _fragmenters.watch(node, 60, lambda: kernel.now, interrupted)
    assert (result["events"], result["stopped_early"]) == (4, True)
    assert kernel.left == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(machine, number):
    node, kernel = machine(histogram=HISTOGRAM)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        _fragmenters.watch(node, 60, lambda: kernel.now, lambda _duration: os.kill(os.getpid(), number))
    assert ended.value.code == 128 + number
    assert kernel.left == [] and signal.getsignal(number) is before


def test_triggers_of_another_version_are_taken_back(machine):
    node, kernel = machine(histogram=HISTOGRAM)
    node.make_directory("/sys/kernel/tracing/instances/memfrag-watch")
    trigger = "/sys/kernel/tracing/instances/memfrag-watch/events/kmem/mm_page_alloc_extfrag/trigger"
    kernel.put(
        trigger, "# Available triggers:\n# hist\nhist:keys=common_pid:vals=hitcount:sort=hitcount:size=2048 [active]\n"
    )
    written = []
    original = node.write_value
    node.write_value = lambda path, value: (written.append((path, value)), original(path, value))
    watch(node)
    assert (trigger, "!hist:keys=common_pid:vals=hitcount:sort=hitcount:size=2048") in written


def test_as_text(machine):
    node, kernel = machine(trace=TRACE.replace("python3-", "py\x1b[2Jx-"), overrun=2)
    text = "\n".join(_fragmenters.lines(watch(node)))
    assert text.startswith("watched 3.0 s: 3 allocations took a block of another migratetype, 2 more were lost\n")
    assert "*       4        2  Movable -> Unmovable        pyx              anon_pipe_write, /kubepods.slice/" in text
    assert text.endswith("that is what fragments for good")


def test_the_command(machine, capsys, monkeypatch):
    node, _kernel = machine(histogram=HISTOGRAM)
    monkeypatch.setattr(_tool, "WritableNode", lambda root="/": node)
    monkeypatch.setattr(
        _fragmenters.watch, "__defaults__", (lambda: node.kernel.now, lambda duration: advance(node, duration))
    )
    assert _tool.main(["watch", "--seconds", "5", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["seconds"], seen["events"]) == (5.0, 4)
    assert _tool.main(["watch"]) == 0
    assert capsys.readouterr().out.startswith("watched 30.0 s: 4 allocations")
    for wrong in ("0", "601", "x", "1.5"):
        assert _tool.main(["watch", "--seconds", wrong]) == 2
        assert capsys.readouterr().err == 'memfrag: seconds: must be a whole number from 1 to 600, not "%s"\n' % wrong


def test_the_command_where_nothing_can_be_watched(tmp_path, capsys):
    assert _tool.main(["watch", "--root", str(tmp_path)]) == 1
    assert "no tracepoint kmem:mm_page_alloc_extfrag" in capsys.readouterr().err


def advance(node, duration):
    node.kernel.now += max(duration, 0.01)
