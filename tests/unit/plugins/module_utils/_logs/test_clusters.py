# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports of one moment, judged together."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import clusters, prefixes
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs.kernel import KernelLog
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs.report import Report

STAMP = "Jul  1 00:45:%02d node%d kernel: [%d.000000] "
FAILURE = "x: page allocation failure: order:%d, mode:%s"
SLUB = "SLUB: Unable to allocate memory on node -1, gfp=0x820(GFP_ATOMIC)"
CACHE = "  cache: %s, object size: 416, buffer size: 480, default order: 1, min order: %d"
SHORT_ZONE = (
    "Node 0 Normal free:40kB min:800kB low:1000kB high:1200kB managed:9000000kB",
    "lowmem_reserve[]: 0 0 0 0",
    "Node 0 Normal: 10*4kB (U) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 40kB",
)
WHO = "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0 #1"


def read(lines):
    """[(second, host, text)] -> [(kind, order, cause, confidence)] in the order in which they were judged"""
    found = []
    log = KernelLog(found.append)
    for number, (second, host, text) in enumerate(lines):
        line = prefixes.split(STAMP % (second, host, second + 100) + text)
        line.number = number + 1
        log.feed(line)
    log.close()
    assert log.unjudged == []
    return sorted((one.kind, one.order, one.verdict["cause"], one.verdict["confidence"]) for one in found)


def at(second, *lines, **more):
    return [(second, more.get("host", 1), text) for text in lines]


def test_a_slab_that_failed_beside_single_pages_failed_for_shortage():
    single = at(1, FAILURE % (0, "0x820(GFP_ATOMIC)"), WHO, *SHORT_ZONE)
    slab = at(1, SLUB, CACHE % ("skbuff_head_cache", 1))
    alone = read(slab)
    assert alone == [("slab_allocation_failure", 1, "fragmentation", "low")]
    assert read(single + slab)[1] == ("slab_allocation_failure", 1, "atomic_burst", "medium")
    assert read(slab + single)[1] == ("slab_allocation_failure", 1, "atomic_burst", "medium")


def test_vmalloc_that_does_not_say_what_was_missing_beside_one_that_does():
    lacked = at(1, "vmap allocation for size 36864 failed: use vmalloc=<size> to increase size")
    unsaid = at(1, "x: vmalloc: allocation failure: 53248 bytes, mode:0xcc0(GFP_KERNEL)")
    between = at(1, *["eth0: link up"] * 20)
    high, medium, low = [("vmalloc_failure", None, "vmalloc_exhaustion", sure) for sure in ("high", "medium", "low")]
    assert read(unsaid) == [low]
    assert read(lacked + between + unsaid) == [high, medium]
    assert read(lacked + unsaid) == [high, high]


def test_what_stands_in_the_middle_of_a_report_is_of_its_moment_however_long_printing_took():
    around = at(1, FAILURE % (0, "0x820(GFP_ATOMIC)"), WHO)
    inside = at(20, SLUB, CACHE % ("skbuff_head_cache", 1))
    assert ("slab_allocation_failure", 1, "atomic_burst", "medium") in read(around + inside + at(40, *SHORT_ZONE))
    assert ("slab_allocation_failure", 1, "fragmentation", "low") in read(around + inside)


@pytest.mark.parametrize("second,host", [(30, 1), (1, 2)], ids=["of another moment", "of another host"])
def test_others_decide_nothing(second, host):
    single = at(second, FAILURE % (0, "0x820(GFP_ATOMIC)"), WHO, *SHORT_ZONE, host=host)
    slab = at(1, SLUB, CACHE % ("skbuff_head_cache", 1))
    assert ("slab_allocation_failure", 1, "fragmentation", "low") in read(slab + single)


def test_a_lower_zone_that_is_full_says_nothing_about_the_others():
    low = at(1, FAILURE % (0, "0xcc1(GFP_KERNEL|GFP_DMA)"), "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0 #1")
    high = at(1, FAILURE % (5, "0xcc0(GFP_KERNEL)"), "CPU: 2 PID: 8 Comm: x Not tainted 6.1.0 #1")
    assert ("page_allocation_failure", 5, "fragmentation", "low") in read(low + high)


def test_what_was_printed_once_holds_for_all_failures_of_the_moment():
    first = at(1, FAILURE % (4, "0xcc0(GFP_KERNEL)"), "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0 #1", *SHORT_ZONE)
    second = at(1, FAILURE % (6, "0xcc0(GFP_KERNEL)"), "CPU: 2 PID: 8 Comm: x Not tainted 6.1.0 #1")
    assert read(first + second) == [
        ("page_allocation_failure", 4, "memory_shortage", "high"),
        ("page_allocation_failure", 6, "memory_shortage", "medium"),
    ]


def test_a_kill_line_without_a_head_has_the_scope_of_those_beside_it():
    lost = at(1, "Killed process 7637 (x) total-vm:37044kB, anon-rss:76kB")
    other = at(
        1,
        "Memory cgroup out of memory: Kill process 284 (x) score 9 or sacrifice child",
        "Killed process 284 (x) total-vm:1kB",
    )
    assert {(kind, cause) for kind, _order, cause, _sure in read(lost + other)} == {("oom_kill", "memcg_limit")}
    assert read(lost)[0][2:] == ("memory_shortage", "low")


def test_a_page_fault_without_a_mask_beside_a_charge_that_was_refused():
    refused = at(1, SLUB, CACHE % ("signal_cache(632851:3a16)", 0))
    killed = at(
        1,
        "x invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0",
        WHO,
        "Mem-Info:",
        " free:115901 free_pcp:2004 free_cma:0",
    )
    assert ("oom_kill", 0, "memcg_limit") in {found[:3] for found in read(refused + killed)}
    assert ("oom_kill", 0, "memcg_limit") not in {found[:3] for found in read(killed)}


def test_numbers_are_never_overruled():
    blocks = "Node 0 Normal: 20000*4kB (U) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 80000kB"
    zone = (SHORT_ZONE[0].replace("free:40kB", "free:80000kB"), SHORT_ZONE[1], blocks)
    fragmented = at(1, FAILURE % (5, "0xcc0(GFP_KERNEL)"), "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0 #1", *zone)
    single = at(1, FAILURE % (0, "0x820(GFP_ATOMIC)"), "CPU: 2 PID: 8 Comm: x Not tainted 6.1.0 #1")
    assert ("page_allocation_failure", 5, "fragmentation", "high") in read(fragmented + single)


def test_the_hash_table_that_fell_back_to_vmalloc_shows_that_pages_were_there():
    lost = at(1, "Unable to create nf_conn slab cache")
    assert read(lost) == [("slab_cache_create_failure", None, "unknown", "low")]
    assert read(lost + at(1, "nf_conntrack: falling back to vmalloc.")) == [
        ("slab_cache_create_failure", None, "fragmentation", "low")
    ]


MOMENTS = [
    ("[  12.500000] x", "[  13.900000] x", True),
    ("[  12.500000] x", "[  15.900000] x", False),
    ("Jul  1 00:45:31 node kernel: x", "Jul  1 00:45:32 node kernel: x", True),
    ("Jul  1 00:45:31 node kernel: x", "Jul  2 00:45:31 node kernel: x", False),
    ("2026-03-01T10:00:00.000001+01:00 node kernel: x", "2026-03-01T10:00:01.9+01:00 node kernel: x", True),
    ("x", "y", True),
]


@pytest.mark.parametrize("one,other,near", MOMENTS)
def test_moments(one, other, near):
    spans = [clusters.Span(Report(prefixes.split(text), "oom_kill")) for text in (one, other)]
    assert spans[0].near(spans[1]) is spans[1].near(spans[0]) is near


def test_a_storm_is_judged_in_portions():
    found = []
    log = KernelLog(found.append)
    for number in range(200):
        log.feed(prefixes.split(STAMP % (1, 1, 101) + FAILURE % (0, "0x820(GFP_ATOMIC)")))
        log.feed(prefixes.split(STAMP % (1, 1, 101) + "CPU: 1 PID: %d Comm: x Not tainted 6.1.0 #1" % (number + 1)))
        assert len(found) >= number - clusters.MAX_REPORTS - 16
    log.close()
    assert len(found) == 200


def test_a_report_that_cannot_be_judged_does_not_take_the_others_with_it(monkeypatch):
    from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import reports

    judge = reports.judge

    def broken(report):
        if report.order == 5:
            raise KeyError("trouble")
        return judge(report)

    monkeypatch.setattr(reports, "judge", broken)
    found = []
    log = KernelLog(found.append)
    for number, order in enumerate((5, 0)):
        line = prefixes.split("[%d.000000] " % (100 + number) + FAILURE % (order, "0xcc0(GFP_KERNEL)"))
        line.number = number + 1
        log.feed(line)
    log.close()
    assert [report.order for report in found] == [0]
    assert log.unjudged[0][0] == 1 and "trouble" in log.unjudged[0][2]


def test_tasks_beside_plenty_of_free_memory_are_no_kill():
    plenty = (
        "Mem-Info:",
        "Node 0 Normal free:5804944kB min:10284kB low:117448kB high:124740kB managed:7293996kB",
        "lowmem_reserve[]: 0 0",
        "Node 0 Normal: 81124*4kB (UME) 75034*8kB (UME) 54415*16kB (UME) 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB "
        "0*4096kB = 1795408kB",
    )
    tasks = (
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        "[    563]     0   563   582651     1217   122880      212         -1000 ueventd",
    )
    kill = ("Out of memory: Killed process 563 (ueventd) total-vm:1kB, anon-rss:1kB",)
    assert read(at(1, *(plenty + tasks))) == []
    assert [found[0] for found in read(at(1, *(SHORT_ZONE + tasks)))] == ["oom_kill"]
    assert [found[0] for found in read(at(1, *(plenty + tasks + kill)))] == ["oom_kill"]
    assert [found[0] for found in read(at(1, *tasks))] == ["oom_kill"]
