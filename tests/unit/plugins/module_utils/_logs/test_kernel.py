# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel reports put together from their lines: formats of all eras, cut, wrapped and woven into each other."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import joining, prefixes
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs.kernel import LOOKAHEAD, KernelLog


def reports(text):
    """-> the reports of a text, in the order in which they were finished"""
    found = []
    log = KernelLog(found.append)
    for number, raw in enumerate(text.split("\n")):
        line = prefixes.split(raw)
        line.number = number + 1
        log.feed(line)
    log.close()
    return found


def one(text):
    found = reports(text)
    assert [report.kind for report in found] == [found[0].kind], [report.message for report in found]
    return found[0]


HEADERS = [
    # the format of an era, and what it says
    ("mysqld: page allocation failure. order:4, mode:0x20", "mysqld", 4, 0x20, None),
    ("runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0", "runc:[1:CHILD]", 5, 0x10C0D0, None),
    ("a b: c/d: page allocation failure: order:0, mode:0x4020", "a b: c/d", 0, 0x4020, None),
    (
        "java: page allocation failure: order:2, mode:0x2084020(GFP_ATOMIC|__GFP_COMP)",
        "java",
        2,
        0x2084020,
        ["GFP_ATOMIC", "__GFP_COMP"],
    ),
    (
        "kworker/u33:5: page allocation failure: order:4, mode:0x14040c0(GFP_KERNEL|__GFP_COMP), nodemask=(null)",
        "kworker/u33:5",
        4,
        0x14040C0,
        ["GFP_KERNEL", "__GFP_COMP"],
    ),
    (
        "dockerd: page allocation failure: order:4, mode:0x40dc0(GFP_KERNEL|__GFP_COMP|__GFP_ZERO), nodemask=0-1,"
        "cpuset=/kubepods/x,mems_allowed=0-1",
        "dockerd",
        4,
        0x40DC0,
        ["GFP_KERNEL", "__GFP_COMP", "__GFP_ZERO"],
    ),
    ("swapper: page allocation failure: order:0, mode:0x0(), nodemask=(null)", "swapper", 0, 0, []),
    ("page allocation failure: order:5, mode:0x24000c0", None, 5, 0x24000C0, None),
    ("x: page allocation failure: order:4 , mode:0x24000c0(GFP_KERNEL)", "x", 4, 0x24000C0, ["GFP_KERNEL"]),
    ("x: page allocation failure: order:4, mo", "x", 4, None, None),
    ("__alloc_pages: 3-order allocation failed (gfp=0x1f0/0)", None, 3, 0x1F0, None),
]


@pytest.mark.parametrize("text,comm,order,mask,flags", HEADERS)
@pytest.mark.parametrize("prefix", ["", "[  12.345678] ", "Jul  1 00:45:31 node kernel: ", "> <4>[  12.345678][ T12] "])
def test_headers_of_allocation_failures(prefix, text, comm, order, mask, flags):
    report = one(prefix + text)
    assert report.kind == "page_allocation_failure"
    assert (report.comm, report.order, report.mask, report.flags) == (comm, order, mask, flags)


@pytest.mark.parametrize(
    "text",
    [
        "[  0.2] x: page allocation failure: order:2,\nmode:0x1(GFP_DMA), nodemask=(null)",
        "[  0.200000] x: page allocation failure:\norder:2, mode:0x1(GFP_DMA), nodemask=(null)",
        "x: page allocation\nfailure: order:2, mode:0x1(GFP_DMA), nodemask=(null)",
        "[  0.200000] x: page allocation failure: order:2, mode:0x1(\nGFP_DMA), nodemask=(null)",
    ],
)
def test_wrapped_headers(text):
    found = reports(text)
    assert [(report.order, report.flags) for report in found] in ([(2, ["GFP_DMA"])], [])
    if "failure" in text.split("\n")[0]:
        assert found


WHO = [
    (
        "CPU: 27 PID: 70623 Comm: x Kdump: loaded Tainted: P        W  OE  ------------   3.10.0-957.1.3.el7.x86_64 #1",
        "3.10.0-957.1.3.el7.x86_64",
    ),
    (
        "CPU: 0 UID: 0 PID: 70623 Comm: x Not tainted 6.12.107+deb13-cloud-amd64 #1  Debian 6.12.107-1",
        "6.12.107+deb13-cloud-amd64",
    ),
    ("Pid: 70623, comm: x Tainted: G           O 3.4.0-1.fc17.x86_64 #1", "3.4.0-1.fc17.x86_64"),
    ("CPU: 1 PID: 70623 Comm: x Not tainted 5.19.0-1-amd64 #1  Debian 5.19.6-1", "5.19.0-1-amd64"),
    ("CPU: 1 PID: 70623 Comm: x Not tainted\n5.7.0-rc5 #44", "5.7.0-rc5"),
    ("CPU: 1 PID: 70623 Comm: x Tainted: G        W\n5.18.0-rc2-next-20220412 #1", "5.18.0-rc2-next-20220412"),
    ("CPU: 1 PID: 70623 Comm: x Tainted: P           OE\nCall Trace:", None),
]


@pytest.mark.parametrize("text,kernel", WHO)
def test_who_asked_on_which_kernel(text, kernel):
    report = one("x: page allocation failure: order:1, mode:0xd0\n" + text)
    assert (report.pid, report.comm, report.kernel) == (70623, "x", kernel)


def test_the_kernel_of_the_boot_message_is_that_of_later_reports():
    found = reports(
        "[ 0.000000] Linux version 5.10.0-46-cloud-amd64 (a@b) #1\n[ 9.000000] x: page allocation failure: order:1, mode:0xcc0"
    )
    assert found[0].kernel == "5.10.0-46-cloud-amd64"


FRAMES = [
    (
        "[<ffffffff9f161e41>] dump_stack+0x19/0x1b\n[<ffffffffc05099a1>] nf_conntrack_init_net+0xf1/0x260 [nf_conntrack]",
        "nf_conntrack",
    ),
    (" dump_stack+0x5d/0x80\n nf_conntrack_init_net+0xf1/0x260 [nf_conntrack 40df44e07c05479f]", "nf_conntrack"),
    (" <IRQ>  [<ffffffff9f161e41>] dump_stack+0x19/0x1b\n  nf_conntrack_init_net+0xf1/0x260", None),
    (
        "[f1033bb0] [c0d933c0] dump_stack+0x80/0xb0 (unreliable)\n[f1033bd0] [c0516128] nf_conntrack_init_net+0x11c/0x2b4",
        None,
    ),
    (
        "[<c0013a7c>] (dump_stack+0x0/0xf0) from [<c0092760>] (x+0xc4/0x11c)\n[<c009>] (nf_conntrack_init_net+0x3e0/0x63c) from [<c02>] (y+0x1/0x2)",
        None,
    ),
    ("dump_stack (lib/dump_stack.c:114)\nnf_conntrack_init_net (net/nf.c:1 net/nf.h:2) nf_conntrack", "nf_conntrack"),
    ("([<0000000000105eb4>] dump_stack+0x8c/0xd0)\n [<000000000019235e>] nf_conntrack_init_net+0x9e/0x220", None),
]


@pytest.mark.parametrize("text,module", FRAMES)
def test_call_traces_of_all_architectures(text, module):
    report = one(
        "x: page allocation failure: order:1, mode:0xd0\nCall Trace:\n"
        + text
        + "\n? doubtful+0x1/0x2\nRIP: 0010:not_a_frame+0x1/0x2"
    )
    assert report.trace == ["dump_stack", "nf_conntrack_init_net"]
    assert report.modules.get("nf_conntrack_init_net") == module


def test_doubtful_frames_are_better_than_none():
    report = one(
        "x: page allocation failure. order:1, mode:0x20\nCall Trace:\n[<ffffffff8112c207>] ? __alloc_pages_nodemask+0x757/0x8d0"
    )
    assert report.trace == ["__alloc_pages_nodemask"]


LIST = "%sNormal: 3*4kB (UME) 0*8kB 1*16kB (H) 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 28kB"
MEM_INFO = """Mem-Info:
active_anon:1 inactive_anon:2 isolated_anon:0
 slab_reclaimable:3007725 slab_unreclaimable:1685156
 free:115901 free_pcp:2004 free_cma:0
%sNormal free:28kB boost:0kB min:12kB low:16kB high:20kB reserved_highatomic:2048KB free_highatomic:16KB managed:4096kB
lowmem_reserve[]: 0 0 1 1
"""


@pytest.mark.parametrize("node,key", [("Node 0 ", (0, "Normal")), ("", (None, "Normal"))])
def test_zones_and_free_lists(node, key):
    report = one("x: page allocation failure: order:1, mode:0xcc0\n" + MEM_INFO % node + LIST % node)
    zone = report.zones[key]
    assert zone["free_blocks"] == [3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert zone["migratetypes"] == ["UME", "", "H"] + [""] * 8
    assert (zone["free"], zone["min"], zone["low"], zone["high"], zone["managed"]) == (28, 12, 16, 20, 4096)
    assert (zone["reserved_highatomic"], zone["free_highatomic"], zone["lowmem_reserve"]) == (2048, 16, [0, 0, 1, 1])
    assert (report.slab_reclaimable, report.slab_unreclaimable, report.free_pages) == (
        3007725,
        1685156,
        115901,
    )


@pytest.mark.parametrize("at", [30, 50, 72, 90])
@pytest.mark.parametrize("prefix", ["", "[ 12.345678] "])
def test_wrapped_free_lists(prefix, at):
    text = LIST % "Node 0 "
    at = text.index(" ", at)
    report = one(
        prefix + "x: page allocation failure: order:1, mode:0xcc0\n" + prefix + text[:at] + "\n" + text[at + 1 :]
    )
    assert report.zones[(0, "Normal")]["free_blocks"] == [3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_a_list_that_is_cut_is_no_list():
    report = one(
        "x: page allocation failure: order:1, mode:0xcc0\nNode 0 Normal: 3*4kB (UME) 0*8kB 1*16kB 0*32\n0 pages in swap cache"
    )
    assert "free_blocks" not in report.zones.get((0, "Normal"), {})


def test_large_pages_and_other_numbers_of_orders():
    report = one(
        "x: page allocation failure: order:1, mode:0xcc0\nNode 0 Normal: 3*64kB (UME) 0*128kB 1*256kB (C) = 448kB"
    )
    assert report.zones[(0, "Normal")]["free_blocks"] == [3, 0, 1]
    assert report.page_kb == 64


def test_escaped_asterisks_of_a_web_page():
    report = one("x: page allocation failure: order:1, mode:0xcc0\nNormal: 3_4kB (UME) 0_8kB 1_16kB = 28kB")
    assert report.zones[(None, "Normal")]["free_blocks"] == [3, 0, 1]


def test_two_processors_at_the_same_time():
    found = reports(
        "[1.000001][ T1] a: page allocation failure: order:1, mode:0xcc0\n"
        "[1.000002][ T2] b: page allocation failure: order:2, mode:0xcc0\n"
        "[1.000003][ T1] CPU: 1 PID: 1 Comm: a Not tainted 5.10.1 #1\n"
        "[1.000004][ T2] CPU: 2 PID: 2 Comm: b Not tainted 5.10.1 #1\n"
        "[1.000005][ T1]  first+0x1/0x2\n"
        "[1.000006][ T2]  second+0x1/0x2\n"
        "[1.000007][ T1] Node 0 Normal: 1*4kB (U) 0*8kB = 4kB\n"
    )
    assert [(r.comm, r.pid, r.trace, len(r.zones)) for r in found] == [
        ("a", 1, ["first"], 1),
        ("b", 2, ["second"], 0),
    ]


def test_two_processors_without_caller_ids_are_told_apart_by_their_names():
    found = reports(
        "a: page allocation failure: order:1, mode:0xcc0\nb: page allocation failure: order:2, mode:0xcc0\n"
        "CPU: 1 PID: 1 Comm: a Not tainted 5.10.1 #1\nCPU: 2 PID: 2 Comm: b Not tainted 5.10.1 #1\n"
    )
    assert sorted((r.comm, r.pid, r.order) for r in found) == [("a", 1, 1), ("b", 2, 2)]


OOMS = [
    ("x invoked oom-killer: gfp_mask=0xd0, order=2, oomkilladj=0", 2, 0xD0, None),
    ("x invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=0, oom_score_adj=0", 0, 0x201DA, None),
    (
        "x invoked oom-killer: gfp_mask=0x24200ca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0",
        0,
        0x24200CA,
        ["GFP_HIGHUSER_MOVABLE"],
    ),
    (
        "x invoked oom-killer: gfp_mask=0x15000c0(GFP_KERNEL_ACCOUNT), nodemask=0,2-3, order=3, oom_score_adj=0",
        3,
        0x15000C0,
        ["GFP_KERNEL_ACCOUNT"],
    ),
    ("x invoked oom-killer: \ngfp_mask=0xcc0(GFP_KERNEL), order=1,\noom_score_adj=0", 1, 0xCC0, ["GFP_KERNEL"]),
    ("x invoked\noom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=1, oom_score_adj=0", 1, 0xCC0, ["GFP_KERNEL"]),
    (
        "x invoked oom-killer: gfp_mask=0xc2cc0(GFP_KERNEL|__GFP_NOWARN|\\\n\t__GFP_COMP), order=3, oom_score_adj=0",
        3,
        0xC2CC0,
        ["GFP_KERNEL", "__GFP_NOWARN", "__GFP_COMP"],
    ),
]


@pytest.mark.parametrize("text,order,mask,flags", OOMS)
def test_headers_of_oom_kills(text, order, mask, flags):
    report = one(text)
    assert (report.kind, report.comm) == ("oom_kill", "x")
    assert (report.order, report.mask, report.flags) == (order, mask, flags)


KILLS = [
    ("Out of Memory: Killed process 1336 (memtest).", 1336, "memtest", "system"),
    (
        "Out of memory: Kill process 7 (a b) score 844 or sacrifice child\nKilled process 7 (a b) total-vm:1kB, anon-rss:2kB",
        7,
        "a b",
        "system",
    ),
    (
        "Memory cgroup out of memory: Kill process 7 (x) score 1 or a child\nKilled process 8, UID 0, (y) total-vm:1kB",
        8,
        "y",
        "memcg",
    ),
    (
        "Out of memory: Killed process 9 (x (y)) total-vm:1kB, anon-rss:2kB, UID:0 pgtables:4kB oom_score_adj:0",
        9,
        "x (y)",
        "system",
    ),
    ("Memory cgroup out of memory: Killed process 946\n(x) total-vm:1kB", 946, "x", "memcg"),
    ("Memory cgroup out of memory:\nKilled process 946 (x) total-vm:1kB", 946, "x", "memcg"),
    ("Memory cgroup out of memory: Killed\nprocess 946 (x) total-vm:1kB", 946, "x", "memcg"),
    ("Out of memory in UB 17: OOM \nkilled process 946 (x) score 0 vm:1kB, rss:1kB, swap:1kB", 946, "x", "memcg"),
    # OpenVZ on 2.6.18 and 2.6.32
    (
        "Out of memory in UB 17: OOM killed process 946 (x) score 0 vm:1506164kB, rss:237752kB, swap:120052kB",
        946,
        "x",
        "memcg",
    ),
    ("Out of memory in UB XXXX: OOM killed process 946 (x) score 0 vm:1kB, rss:1kB, swap:1kB", 946, "x", "memcg"),
    (
        "Out of memory in UB: Kill process 946 (x) score -955 or sacrifice child\nOOM killed process 946 (x) vm:9kB, rss:8kB, swap:1kB",
        946,
        "x",
        "memcg",
    ),
    ("Out of memory (oom_kill_allocating_task): Killed process 5 (z) total-vm:1kB", 5, "z", "system"),
]


@pytest.mark.parametrize("header", ["x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n", ""])
@pytest.mark.parametrize("text,pid,comm,scope", KILLS)
def test_victims(header, text, pid, comm, scope):
    report = one(header + text)
    assert report.killed == [(comm, pid)]
    assert report.scope == scope


def test_a_process_killed_by_linux_2_4():
    assert one("VM: killing process apache").killed == [("apache", None)]


def test_kills_whose_headers_were_suppressed_are_kills_of_their_own():
    kill = "Out of memory: Killed process %d (x) total-vm:1kB, anon-rss:2kB\n"
    assert [r.killed for r in reports("".join(kill % pid for pid in (1, 2, 3)))] == [
        [("x", 1)],
        [("x", 2)],
        [("x", 3)],
    ]


def test_a_group_kill_is_one_report():
    kill = "Memory cgroup out of memory: Killed process %d (x) total-vm:1kB\n"
    report = one(
        "Tasks in /a are going to be killed due to memory.oom.group set\n" + "".join(kill % pid for pid in (1, 2, 3))
    )
    assert report.killed == [("x", 1), ("x", 2), ("x", 3)]
    assert report.limit_cgroup == "/a"


SUMMARY = "oom-kill:constraint=CONSTRAINT_%s,nodemask=(null),cpuset=/,mems_allowed=0-1,%stask_memcg=/b/c,task=x,y (z),pid=12,uid=0"


@pytest.mark.parametrize(
    "constraint,limit,expected",
    [("NONE", "global_oom,", None), ("MEMCG", "oom_memcg=/b,", "/b"), ("CPUSET", "global_oom,", None)],
)
def test_the_summary_of_5_0_and_later(constraint, limit, expected):
    report = one(SUMMARY % (constraint, limit))
    assert (report.constraint, report.limit_cgroup, report.task_cgroup) == (constraint, expected, "/b/c")
    assert report.summary_victim == ("x,y (z)", 12)


def test_usage_and_limit_of_a_cgroup():
    report = one(
        "x invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\nTask in /a/b killed as a result of limit of /a\n"
        "memory: usage 24576kB, limit 24576kB, failcnt 35\nmemory+swap: usage 1kB, limit 9007199254740988kB, failcnt 0\n"
        "kmem: usage 300kB, limit 9007199254740988kB, failcnt 0\nMemory cgroup stats for /a: cache:0KB rss:24444KB"
    )
    assert (report.usage_kb, report.limit_kb, report.limit_cgroup, report.task_cgroup) == (
        24576,
        24576,
        "/a",
        "/a/b",
    )
    assert report.kmem_usage_kb == 300


SLABS = [
    (
        "SLUB: Unable to allocate memory on node -1 (gfp=0x20)\n  cache: a(960:b c), object size: 232, buffer size: "
        "240, default order: 1, min order: 0",
        "a(960:b c)",
        0,
    ),
    (
        "SLUB: Unable to allocate memory on node 1, gfp=0xa20(GFP_ATOMIC)\n  cache: a, object size: 232, buffer size: "
        "240, default order: 3, min order: 2",
        "a",
        2,
    ),
    (
        "SLUB: Unable to allocate memory on CPU 3 (of node 0) on node -1, gfp=0xcc0(GFP_KERNEL)\n  cache: a, object "
        "size: 232, buffer size: 2, default order: 1, min order: 1",
        "a",
        1,
    ),
    (
        "SLAB: Unable to allocate memory on node 0 (gfp=0xd0)\n  cache: size-4096, object size: 232, order: 0",
        "size-4096",
        0,
    ),
    (
        "SLUB: Unable to allocate memory on node -1 (gfp=0x20)\n  cache: a, object size: 232, buffer size: 640, default\norder: 0, min order: 0",
        "a",
        0,
    ),
]


@pytest.mark.parametrize("text,cache,order", SLABS)
def test_slab_failures(text, cache, order):
    report = one(text + "\n  node 0: slabs: 5, objs: 170, free: 0")
    assert (report.kind, report.cache, report.order, report.object_size) == (
        "slab_allocation_failure",
        cache,
        order,
        232,
    )


def test_a_slab_failure_beside_a_page_failure_is_a_report_of_its_own():
    found = reports(
        "x: page allocation failure: order:1, mode:0x20\nSLUB: Unable to allocate memory on node -1 (gfp=0x20)\n"
        "CPU: 1 PID: 7 Comm: x Not tainted 3.10.1 #1\n  cache: a, object size: 232, buffer size: 240, default order: 1, min order: 1\n"
        " caller+0x1/0x2\n  node 0: slabs: 5, objs: 170, free: 0"
    )
    assert sorted(report.kind for report in found) == ["page_allocation_failure", "slab_allocation_failure"]
    assert [report.trace for report in found if report.kind == "page_allocation_failure"] == [["caller"]]


@pytest.mark.parametrize("function", ["kmem_cache_create", "kmem_cache_create_usercopy", "__kmem_cache_create_args"])
def test_a_cache_that_could_not_be_made_and_its_last_line(function):
    report = one(
        "%s(nf_conntrack_ffff8803eef66180) failed with error -12\nCPU: 1 PID: 7 Comm: exe Not tainted 3.10.0-514.el7.x86_64 #1\n"
        "Call Trace:\n [<ffffffff81685fac>] dump_stack+0x19/0x1b\nUnable to create nf_conn slab cache" % function
    )
    assert (report.cache, report.errno) == ("nf_conntrack_ffff8803eef66180", -12)


def test_the_last_line_alone_is_a_report_and_prose_about_it_is_not():
    assert one("Jul  1 00:45:31 node kernel: Unable to create nf_conn slab cache").cache == "nf_conntrack"
    assert reports("Containers do not start: Unable to create nf_conn slab cache, says the log") == []


VMALLOCS = [
    ("vmap allocation for size 37806080 failed: use vmalloc=<size> to increase size.", 37806080, "address space"),
    ("vmap allocation for size 37806080 failed: use\nvmalloc=<size> to increase size.", 37806080, "address space"),
    ("vmalloc_node_range for size 12288 failed: Address range restricted to 0x1 - 0x2", 12288, "address space"),
    # a size beyond the machine's memory, and the same broken by a terminal
    ("ipset: vmalloc error: size 1073741848, exceeds total pages, mode:0xdc0(GFP_KERNEL)", 1073741848, "size"),
    ("ipset: vmalloc error: size 1073741848, exceeds tot al pages, mode:0xdc0(GFP_KERNEL)", 1073741848, "size"),
    ("vmalloc: allocation failure: 37798136 bytes", 37798136, None),
    (
        "x: vmalloc: allocation failure, allocated 0 of 475136 bytes, mode:0x14010c0(GFP_KERNEL|__GFP_NORETRY), nodemask=(null)",
        475136,
        "pages",
    ),
    (
        "x: vmalloc error: size 33558528, vm_struct allocation failed, mode:0xcc0(GFP_KERNEL), nodemask=(null)",
        33558528,
        "area",
    ),
    (
        "x: vmalloc error: size 33558528, vm_struct allocation failed,\nmode:0xcc0(GFP_KERNEL), nodemask=(null)",
        33558528,
        "area",
    ),
    ("x: vmalloc error: size 4096, page order 0, failed to allocate pages, mode:0xcc0(GFP_KERNEL)", 4096, "pages"),
    ("x: vmalloc \nerror: size 0, page order 9, failed to allocate pages, \nmode:0xcc2(GFP_KERNEL)", 0, "pages"),
]


def test_what_vmalloc_lacked_is_said_by_the_line_before_it():
    found = reports(
        "vmap allocation for size 36864 failed: use vmalloc=<size> to increase size\nwarn_alloc: 3 callbacks suppressed\n"
        "x: vmalloc: allocation failure: 32768 bytes, mode:0xcc0(GFP_KERNEL)"
    )
    assert [(report.size, report.problem) for report in found] == [(36864, "address space"), (32768, "address space")]


@pytest.mark.parametrize("caller", ["__vmalloc_node_range+0x5/0x6f0", "__vmalloc_node_range_noprof+0x5/0x6f0"])
def test_a_trace_of_vmalloc_without_its_head_is_no_failure_of_the_page_allocator(caller):
    trace = "Call Trace:\n dump_stack+0x1/0x2\n warn_alloc.cold+0x1/0x2\n ? x+0x1/0x2\n %s\n vzalloc+0x1/0x2" % caller
    report = one(trace)
    assert (report.kind, report.size, report.headless) == ("vmalloc_failure", None, True)


def test_the_mask_of_a_head_that_was_printed_in_pieces():
    report = one(
        "[ 6203.880260] swapper/3: page allocation failure: order:0\n[ 6203.885871] Stack : 00000000 00000000 01080020\n"
        "[ 6203.891091] , mode:0x1080020(GFP_ATOMIC), nodemask=\n[ 6203.895517] (null)"
    )
    assert (report.comm, report.order, report.mask, report.flags) == ("swapper/3", 0, 0x1080020, ["GFP_ATOMIC"])


def test_each_choice_of_a_victim_is_a_report_of_its_own():
    """As a search for "Kill process" leaves them."""
    lines = [
        "[%d.000001] Memory cgroup out of memory: Kill process %d (x) score 9 or sacrifice child" % (n, n)
        for n in (7, 8)
    ]
    found = reports("\n".join(lines + ["[8.000002] Killed process 9 (child) total-vm:1kB, anon-rss:1kB, file-rss:0kB"]))
    assert [(report.chosen, report.killed) for report in found] == [(("x", 7), []), (("x", 8), [("child", 9)])]


def test_a_summary_that_was_cut_does_not_take_the_kill_that_follows():
    text = (
        "kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a/b,task_mem\n"
        "kernel: Memory cgroup out of memory: Killed process 31 (x y) total-vm:9kB, anon-rss:8kB, file-rss:1kB, shm"
    )
    assert one(text).killed == [("x y", 31)]


def test_each_line_of_a_kill_without_a_head_is_a_kill_of_its_own():
    kill = "Killed process %d (node), UID 1000, total-vm:606096kB, anon-rss:68308kB, file-rss:13648kB\n"
    assert [report.killed for report in reports(kill % 5 + kill % 6 + kill % 6)] == [[("node", 5)], [("node", 6)] * 2]


@pytest.mark.parametrize("text,size,problem", VMALLOCS)
def test_vmalloc_failures(text, size, problem):
    report = one("\n".join(line.text for line in joining.lines_of(text.split("\n"))))
    assert (report.kind, report.size, report.problem) == ("vmalloc_failure", size, problem)


@pytest.mark.parametrize(
    "text",
    [
        "cma: cma_alloc: alloc failed, req-size: 8192 pages, ret: -12",
        "cma: __cma_alloc: reserved: alloc failed, req-size: 8192 pages, ret: -16",
    ],
)
def test_cma_failures(text):
    report = one(text)
    assert (report.pages, report.errno) == (8192, -12 if "-12" in text else -16)


@pytest.mark.parametrize(
    "text,comm,order",
    [
        ("XFS: mysqld(2345) possible memory allocation deadlock size 65552 in kmem_alloc (mode:0x250)", "mysqld", 5),
        (
            "XFS: kworker/u8:1(9) possible memory allocation deadlock size 8192 in kmem_realloc (mode:0x2400240)",
            "kworker/u8:1",
            None,
        ),
        ("XFS: possible memory allocation deadlock in kmem_alloc (mode:0x8250)", None, None),
    ],
)
def test_a_file_system_that_asks_again_and_again(text, comm, order):
    report = one(text)
    assert (report.kind, report.comm, report.order) == ("page_allocation_failure", comm, order)
    assert report.mask and report.tries == 100


def test_stalls_in_compaction_and_elsewhere():
    hung = "INFO: task %s:35 blocked for more than 120 seconds.\nCall Trace:\n schedule+0x29/0x90\n %s+0x1/0x2\n"
    report = one(hung % ("kworker/1:2", "compact_zone"))
    assert (report.kind, report.comm, report.pid, report.seconds, report.function) == (
        "compaction_stall",
        "kworker/1:2",
        35,
        120,
        "compact_zone",
    )
    assert reports(hung % ("kworker/1:2", "btrfs_commit_transaction")) == []
    lockup = (
        "watchdog: BUG: soft lockup - CPU#2 stuck for 22s! [a:b c:8140]\n isolate_freepages_block.constprop.0+0x1/0x2"
    )
    assert (one(lockup).comm, one(lockup).function) == ("a:b c", "isolate_freepages_block")
    assert reports("watchdog: BUG: soft lockup - CPU#2 stuck for 22s! [a:8140]") == []
    stall = "x: page allocation stalls for 10004ms, order:%d, mode:0x14200ca(GFP_HIGHUSER_MOVABLE), nodemask=(null)"
    assert one(stall % 4).seconds == 10
    assert reports(stall % 0) == []


def test_suppressed_messages_are_counted():
    log = KernelLog(lambda report: None)
    for text in (
        "warn_alloc: 96 callbacks suppressed",
        "warn_alloc: 4 callbacks suppressed",
        "net_ratelimit: 7 callbacks suppressed",
    ):
        log.feed(prefixes.split(text))
    assert log.suppressed == {"warn_alloc": 100}


def test_a_report_ends_when_nothing_comes_any_more():
    found = []
    log = KernelLog(found.append)
    log.feed(prefixes.split("x: page allocation failure: order:1, mode:0xcc0"))
    assert log.lookahead() > 0
    for _number in range(LOOKAHEAD + 2):
        log.feed(prefixes.split("eth0: link up"))
    assert len(found) == 1
    assert log.lookahead() == 0


@pytest.mark.parametrize(
    "text",
    [
        "The page allocation failure of yesterday",
        "invoked oom-killer",
        "Out of memory",
        "page allocation failure: order:",
        "oom-kill:constraint=",
        "Killed process",
        "cache: x, object size: 1",
        "Node 0 Normal free:",
        "x: page allocation failure: order:99999999999999999999999, mode:0xffffffffffffffffffffffffffff",
    ],
)
def test_scraps_do_no_harm(text):
    for report in reports(text + "\n" + text + "\nx"):
        assert report.kind in ("page_allocation_failure", "oom_kill")


# --- reports that lost their head -----------------------------------------------------------------------------------

INTRODUCTION = "CPU: 3 PID: 332 Comm: kworker/3:2 Not tainted 5.4.26 #4\nCall Trace:\n"
ZONE = "Node 0 Normal free:%dkB min:800kB low:1000kB high:1200kB managed:9000000kB\nlowmem_reserve[]: 0 0 0 0\n"
HEADLESS = [
    # what is left, kind, cause
    (
        "the allocator's trace",
        INTRODUCTION
        + " dump_stack+0x6d/0x95\n warn_alloc+0xfe/0x160\n __alloc_pages_slowpath+0xe07/0xe40\nMem-Info:\n"
        + ZONE % 40,
        "page_allocation_failure",
        "memory_shortage",
    ),
    (
        "the OOM killer's",
        INTRODUCTION
        + " dump_stack+0x6d/0x95\n dump_header+0x4a/0x1e2\n out_of_memory+0x1/0x2\n __alloc_pages_slowpath+0x1/0x2",
        "oom_kill",
        "memory_shortage",
    ),
    (
        "a cgroup's",
        INTRODUCTION + " dump_stack+0x6d/0x95\n dump_header+0x4a/0x1e2\n mem_cgroup_out_of_memory+0x1/0x2",
        "oom_kill",
        "memcg_limit",
    ),
    (
        "the list of tasks",
        "Tasks state (memory values in pages):\n[    712]     0   712     1155      448    53248        0             0 x",
        "oom_kill",
        "memory_shortage",
    ),
    (
        "the list of tasks of old",
        "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
        "oom_kill",
        "memory_shortage",
    ),
    (
        "tasks without the head of their list",
        "[ 1804]    89  1804    25638        3      50      276             0 qmgr\n[ 2079]     0  2079    27509        1      10       32    0 agetty",
        "oom_kill",
        "memory_shortage",
    ),
    ("the state of memory, short", "Mem-Info:\n" + ZONE % 40, "page_allocation_failure", "memory_shortage"),
    ("one zone, short", ZONE % 40, "page_allocation_failure", "memory_shortage"),
    ("a cgroup's numbers", "memory: usage 10kB, limit 10kB, failcnt 9", "oom_kill", "memcg_limit"),
    (
        "a panic",
        "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled",
        "oom_kill",
        "memory_shortage",
    ),
    ("nobody to kill", "Out of memory and no killable processes...", "oom_kill", "memory_shortage"),
]


@pytest.mark.parametrize("prefix", ["", "Jul  1 00:45:31 node kernel: [  12.345678] "])
@pytest.mark.parametrize("what,text,kind,cause", HEADLESS, ids=[case[0] for case in HEADLESS])
def test_reports_without_a_head(what, text, kind, cause, prefix):
    report = one("\n".join(prefix + line for line in text.strip("\n").split("\n")))
    assert (report.kind, report.verdict["cause"], report.order) == (kind, cause, None)
    if "Comm" in text:
        assert (report.comm, report.pid, report.cpu, report.kernel) == ("kworker/3:2", 332, 3, "5.4.26")


NO_REPORTS = [
    ("a state of memory that is not short", "Mem-Info:\n" + ZONE % 9000),
    ("SysRq-m", "sysrq: Show Memory\nMem-Info:\n" + ZONE % 40),
    (
        "a stall inside the OOM killer's printing",
        "rcu: stall\n vprintk_emit+0x1/0x2\n printk+0x1/0x2\n dump_header+0x1/0x2\n out_of_memory+0x1/0x2",
    ),
    ("an oops", INTRODUCTION + " dump_stack+0x6d/0x95\n panic+0x1/0x2\n do_exit+0x1/0x2"),
    ("what only looks like a task", "[ 1804]    89  1805    25638        3      50      276             0 qmgr"),
    ("a cgroup's name", "systemd: cgroup /a is empty"),
]


@pytest.mark.parametrize("what,text", NO_REPORTS, ids=[case[0] for case in NO_REPORTS])
def test_what_looks_like_one_is_none(what, text):
    assert reports(text) == []


def test_a_report_that_is_complete_takes_no_lines_of_the_one_beside_it():
    head = "%s: page allocation failure: order:%d, mode:0xcc0(GFP_KERNEL)\n"
    who = "CPU: %d PID: %d Comm: %s Not tainted 6.1.0 #1\n"
    info = "Mem-Info:\n" + ZONE + "98441 pages reserved\n"
    found = reports(head % ("a", 1) + head % ("b", 2) + who % (0, 1, "a") + who % (1, 2, "b") + info % 40 + info % 60)
    assert sorted((report.comm, [zone["free"] for zone in report.zones.values()]) for report in found) == [
        ("a", [60]),
        ("b", [40]),
    ]


@pytest.mark.parametrize(
    "head,comm",
    [
        ("kworker/u64:3-events_unbound", "kworker/u64:3-events_unbound"),
        ("kworker/0:1H+kblockd", "kworker/0:1H+kblockd"),
        ("kworker/R-netns", "kworker/R-netns"),
        ("abcdefghijklmno", "abcdefghijklmno"),
        ("of unknown origin> runc:[1:CHILD]", "runc:[1:CHILD]"),
        # More than the kernel keeps of a name is something else, glued to it.
        ("abcdefghijklmnop", None),
        ("prefix-of-a-shipper|java", None),
        ("kworker/u64:3-", "kworker/u64:3-"),
        ("kworker/of/something/else", None),
    ],
)
def test_a_name_is_no_longer_than_the_kernel_keeps_it(head, comm):
    assert one(head + ": page allocation failure: order:5, mode:0x10c0d0").comm == comm
    assert one(head + " invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0").comm == comm


def test_a_victim_is_named_as_the_kernel_names_it():
    text = "Out of memory: Killed process 7 (%s) total-vm:9kB, anon-rss:8kB, file-rss:0kB"
    assert one(text % "Web Content").killed == [("Web Content", 7)]
    assert one(text % "more than a name has").killed == [(None, 7)]
    assert one("CPU: 1 PID: 7 Comm: more than a name has Not tainted 5.4.0 #1\n" + text % "java").comm is None


def test_the_other_fields_of_a_journals_record_do_not_stand_between_lines():
    entry = (
        "__REALTIME_TIMESTAMP=1772000000000000\n_TRANSPORT=kernel\nPRIORITY=4\nSYSLOG_IDENTIFIER=kernel\nMESSAGE=%s\n\n"
    )
    found = reports(
        "".join(
            entry % text
            for text in (
                "vmalloc: allocation failure: 17178820608 bytes",
                "x: page allocation failure: order:0, mode:0x24000c2",
                "1965969 pages RAM",
            )
        )
    )
    assert [report.kind for report in found] == ["vmalloc_failure", "page_allocation_failure"]
    assert found[1].of_vmalloc is found[0]
    assert found[1].ram_pages == 1965969


def test_the_machines_memory_is_the_number_before_its_unit():
    assert one("[ 48.1] x: page allocation failure: order:8, mode:0xcc0\nhost7 | 76670 pages RAM").ram_pages == 76670


@pytest.mark.parametrize(
    "text",
    [
        '-\tpr_warn("%s invoked oom-killer: gfp_mask=%#x(%pGg), order=%d, oom_score_adj=%hd\\n",',
        '+\t\t\t"page allocation failure: order:%u", order);',
        ' \t\t\t"vmalloc error: size %lu, page order %u, failed to allocate pages",',
        '\tpr_err("%s: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB"',
        '\t\tpr_warn("Out of memory and no killable processes...\\n");',
        # Rules of those who search for it
        "OOM = Search(r'(\\S+) invoked oom-killer: .+, ')",
        "# invoked oom-killer: gfp_mask=",
        "It says `Out of memory and no killable processes...` then.",
        "| `java invoked oom-killer: gfp_mask=0x201da, order=0` | memory had run out |",
        "* `SLUB: Unable to allocate memory on node -1 (gfp=0x20)`: a slab could not grow",
        'expr: count_over_time({job="kernel"} |= "x: page allocation failure: order:3, mode:0x20" [5m]) > 0',
        # A line that was had, in a literal of a test or a page
        '    b"[    9.000000] Memory cgroup out of memory: Killed process 7 (worker) total-vm:8kB, anon-rss:4kB\\n"',
        '\tline := "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,task=worker,pid=7,uid=0"',
        "const LINE = 'oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,global_oom,task=worker,pid=7,uid=0'; // seen",
        '  "Out of memory: Killed process 7 (worker) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB";',
        "      `${at(3)} [ERROR] Out of memory: Kill process 7 (worker) score 941 or sacrifice child`,",
        "      ['[ 9.000000] Out of memory: Killed process 7 (worker) total-vm:8kB', 'red'],",
        # Sentences
        'I get much the same "kswapd0: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL),nodemask=(null)" as before',
        'Turned out the "SLUB: Unable to allocate memory on node -1, gfp=0x820(GFP_ATOMIC)" I saw is another issue',
        "and then it was killed (java invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0) at night",
        "- `dmesg` has `oom-kill:constraint=CONSTRAINT_MEMCG` for it",
        "as the kernel says (`oom-kill:constraint=CONSTRAINT_MEMORY_POLICY`) it is a node",
    ],
)
def test_the_format_of_a_report_is_no_report(text):
    assert reports(text) == []


@pytest.mark.parametrize(
    "text",
    [
        # Lists of lines, as JSON and Python print them
        '    "[    9.000000] Out of memory: Killed process 7 (worker) total-vm:8kB",',
        "    '[    9.000000] Out of memory: Killed process 7 (worker) total-vm:8kB',",
        "['1593564331000000000', '[    9.000000] Out of memory: Killed process 7 (worker) total-vm:8kB'],",
        "oom-kill:constraint=CONSTRAINT_NONE, global_oom, task=worker, pid=7",
    ],
)
def test_lines_that_look_like_literals_are_reports(text):
    assert one(text).kind == "oom_kill"


def test_what_a_sentence_says_of_a_failed_vmap_is_no_report():
    assert not reports('and now this "vmap allocation for size 33562624 failed" error is gone')


def test_two_messages_in_one_line_of_the_console():
    first, second = reports(
        "[73815.265665] swapper/8: page allocation failure: order:0, mode:0x2080020(GFP_ATOMIC)\n"
        "[73815.265672] page allocation failure: order:0[73815.265672] Hardware name: x\n[73815.265674] , mode:0x2080020(GFP_ATOMIC)"
    )
    assert (first.comm, second.comm, second.order, second.mask) == ("swapper/8", None, 0, 0x2080020)
