# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a kernel report, by the arithmetic on its own zones."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import callers, prefixes, reports
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs.kernel import KernelLog

FAILURE = "x: page allocation failure: order:%d, mode:%s"
OOM = "x invoked oom-killer: gfp_mask=%s, order=%d, oom_score_adj=0"
KERNEL, ATOMIC = "0xcc0(GFP_KERNEL)", "0xa20(GFP_ATOMIC)"
MOVABLE = "0x100cca(GFP_HIGHUSER_MOVABLE)"
NEW, OLD = (
    "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0-56-cloud-amd64 #1",
    "CPU: 1 PID: 7 Comm: x Not tainted 3.10.0-957.1.3.el7.x86_64 #1",
)


def zone(name, blocks, low=1000, reserve="0 0 0 0 0", node=0, extra="", types="UME", free=None):
    """The lines of a zone in Mem-Info; watermarks min = low * 4 / 5, high = low * 6 / 5 in kB"""
    total = sum(count * (4 << order) for order, count in enumerate(blocks))
    letters = types if isinstance(types, list) else [types if count else "" for count in blocks]
    return (
        "Node %d %s free:%dkB min:%dkB low:%dkB high:%dkB %smanaged:9000000kB\nlowmem_reserve[]: %s\nNode %d %s: %s= %dkB"
        % (
            node,
            name,
            total if free is None else free,
            low * 4 // 5,
            low,
            low * 6 // 5,
            extra,
            reserve,
            node,
            name,
            "".join(
                "%d*%dkB %s" % (count, 4 << order, "(%s) " % letters[order] if letters[order] else "")
                for order, count in enumerate(blocks)
            ),
            total,
        )
    )


def judge_all(*lines):
    found = []
    log = KernelLog(lambda report: found.append((report, reports.judge(report))))
    for raw in "\n".join(lines).split("\n"):
        log.feed(prefixes.split(raw))
    log.close()
    return found


def judge(*lines):
    found = judge_all(*lines)
    assert len(found) == 1, [report.message for report, _verdict in found]
    return found[0][1]


SMALL = [20000, 10000, 500, 10, 0, 0, 0, 0, 0, 0, 0]
LARGE = [20000, 10000, 500, 10, 5, 4, 3, 2, 1, 1, 50]
NOTHING = [10, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]

CASES = [
    # what, lines, cause, confidence, words of the reason
    (
        "plenty free, no block",
        [FAILURE % (5, KERNEL), NEW, zone("Normal", SMALL)],
        "fragmentation",
        "high",
        ["order 5 (128 kB", "no block above order 3", "index 0.9"],
    ),
    (
        "nothing free",
        [FAILURE % (5, KERNEL), NEW, zone("Normal", NOTHING)],
        "memory_shortage",
        "high",
        ["80 kB free", "min watermark 800 kB"],
    ),
    (
        "on the mark itself",
        [FAILURE % (5, KERNEL), NEW, zone("Normal", [10, 6, 10, 10, 2, 1] + [0] * 5)],
        "memory_shortage",
        "low",
        ["min watermark 800 kB"],
    ),
    (
        "one page is never fragmentation",
        [FAILURE % (0, KERNEL), NEW, zone("Normal", NOTHING)],
        "memory_shortage",
        "high",
        ["one page"],
    ),
    (
        "an interrupt and empty reserves",
        [FAILURE % (0, ATOMIC), NEW, zone("Normal", NOTHING)],
        "atomic_burst",
        "high",
        ["may not sleep"],
    ),
    (
        "an interrupt and no large block",
        [FAILURE % (3, ATOMIC), NEW, zone("Normal", [9000, 3000] + [0] * 9)],
        "fragmentation",
        "high",
        ["could not compact"],
    ),
    (
        "an interrupt may use high-atomic blocks",
        [FAILURE % (3, ATOMIC), NEW, zone("Normal", SMALL, types=["UME", "UME", "UME", "H"] + [""] * 7)],
        "unknown",
        "low",
        [],
    ),
    (
        "blocks of the high-atomic reserve",
        [FAILURE % (3, KERNEL), NEW, zone("Normal", SMALL, types=["UME", "UME", "UME", "H"] + [""] * 7)],
        "fragmentation",
        "high",
        ["closed to it"],
    ),
    (
        "blocks of CMA",
        [
            FAILURE % (4, KERNEL),
            NEW,
            zone("Normal", [9000, 900, 0, 0, 40] + [0] * 6, types=["UME", "UME", "", "", "C"] + [""] * 6),
        ],
        "fragmentation",
        "high",
        ["CMA"],
    ),
    (
        "CMA is open to user pages",
        [
            OOM % (MOVABLE, 4),
            NEW,
            zone("Normal", [9000, 900, 0, 0, 40] + [0] * 6, types=["UME", "UME", "", "", "C"] + [""] * 6),
        ],
        "unknown",
        "low",
        [],
    ),
    (
        "free CMA does not count for the watermark",
        [FAILURE % (0, KERNEL), NEW, zone("Normal", [0] * 10 + [1], types="C", extra="free_cma:4096kB ")],
        "memory_shortage",
        "high",
        ["closed to the request"],
    ),
    (
        "the numbers explain nothing",
        [FAILURE % (5, KERNEL), NEW, zone("Normal", LARGE)],
        "unknown",
        "low",
        ["do not explain"],
    ),
    (
        "nor about one page: it failed, so they were printed later",
        [FAILURE % (0, KERNEL), NEW, zone("Normal", LARGE)],
        "memory_shortage",
        "low",
        ["printed after the event"],
    ),
    (
        "a mask without any flag is one that gfp_allowed_mask has emptied",
        [FAILURE % (0, "0x0()"), NEW, zone("Normal", LARGE)],
        "invalid_request",
        "medium",
        ["too early"],
    ),
    (
        "a zone that lowmem_reserve protects",
        [FAILURE % (4, KERNEL), NEW, zone("DMA32", LARGE, reserve="0 0 900000 900000 900000"), zone("Normal", SMALL)],
        "fragmentation",
        "high",
        ["node 0 Normal"],
    ),
    (
        "only a protected zone has memory",
        [FAILURE % (4, KERNEL), NEW, zone("DMA32", LARGE, reserve="0 0 900000 900000 900000"), zone("Normal", NOTHING)],
        "memory_shortage",
        "high",
        ["keeps for others"],
    ),
    (
        "zones that the request may not use",
        [FAILURE % (4, "0xcc1(GFP_KERNEL|GFP_DMA)"), NEW, zone("DMA", NOTHING), zone("Normal", LARGE)],
        "memory_shortage",
        "high",
        ["node 0 DMA"],
    ),
    (
        "HighMem is not for the kernel",
        [OOM % (KERNEL, 0), NEW, zone("Normal", NOTHING), zone("HighMem", LARGE)],
        "memory_shortage",
        "high",
        ["node 0 Normal"],
    ),
    (
        "HighMem is for user pages",
        [OOM % (MOVABLE, 0), NEW, zone("Normal", NOTHING), zone("HighMem", LARGE)],
        "memory_shortage",
        "low",
        [],
    ),
    (
        "a movable node for an unmovable page",
        [OOM % ("0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT)", 0), NEW, zone("Movable", LARGE, node=4)],
        "unknown",
        "medium",
        ["configuration"],
    ),
    (
        "an empty zone",
        [
            FAILURE % (5, "0xcc1(GFP_KERNEL|GFP_DMA)"),
            NEW,
            zone("DMA", [0] * 11, low=0).replace("managed:9000000", "managed:0"),
        ],
        "memory_shortage",
        "high",
        ["no memory at all"],
    ),
    (
        "the check of el7 wants more in large blocks",
        [FAILURE % (5, "0xc0d0"), OLD, zone("Normal", [200000, 10000, 500, 10, 0, 1] + [0] * 5, low=100000)],
        "fragmentation",
        "high",
        ["of this kernel"],
    ),
    (
        "that of later kernels does not",
        [FAILURE % (5, KERNEL), NEW, zone("Normal", [200000, 10000, 500, 10, 0, 1] + [0] * 5, low=100000)],
        "unknown",
        "low",
        [],
    ),
    (
        "an OOM kill with memory free",
        [OOM % (KERNEL, 3), NEW, zone("Normal", [200000, 10000, 500] + [0] * 8)],
        "fragmentation",
        "high",
        ["order 3"],
    ),
    ("an OOM kill without", [OOM % (KERNEL, 3), NEW, zone("Normal", NOTHING)], "memory_shortage", "high", []),
    (
        "an OOM kill with blocks, but little free",
        [OOM % (KERNEL, 1), NEW, zone("Normal", [50, 60, 20] + [0] * 8, low=1000)],
        "memory_shortage",
        "medium",
        ["hardly above"],
    ),
    (
        "nodes of a cpuset",
        [
            OOM % (KERNEL, 0),
            "x cpuset=/a mems_allowed=1",
            NEW,
            zone("Normal", LARGE),
            zone("Normal", NOTHING, node=1),
            "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=a,mems_allowed=1,global_oom,task_memcg=/,task=x,pid=7,uid=0",
        ],
        "memory_shortage",
        "high",
        ["memory nodes 1 of its cpuset"],
    ),
    ("no state of memory, high order", [FAILURE % (6, KERNEL), NEW], "fragmentation", "low", ["not in the log"]),
    ("no state of memory, low order", [FAILURE % (2, ATOMIC), NEW], "fragmentation", "low", ["may not sleep"]),
    ("no state of memory, one page", [FAILURE % (0, ATOMIC), NEW], "atomic_burst", "medium", []),
    ("no state of memory, OOM", [OOM % (KERNEL, 2), NEW], "unknown", "low", []),
    (
        "watermarks but no lists",
        [FAILURE % (4, KERNEL), NEW, zone("Normal", SMALL).split("\nNode 0 Normal: ")[0]],
        "fragmentation",
        "medium",
        ["free lists are not in the log"],
    ),
    (
        "totals but no zones",
        [FAILURE % (4, KERNEL), NEW, "Mem-Info:", " free:100 free_pcp:1 free_cma:0", "1000000 pages RAM"],
        "memory_shortage",
        "medium",
        ["whole machine"],
    ),
    (
        "a zone's line that was wrapped behind its watermarks, most of what is free in CMA",
        [
            OOM % ("0x100cc0(GFP_USER)", 0),
            NEW,
            "Mem-Info:",
            "DMA free:187396kB min:22528kB low:28160kB high:33792kB",
            "reserved_highatomic:0KB active_anon:0kB",
            "present:783360kB managed:668264kB free_pcp:880kB",
            "local_pcp:216kB free_cma:163840kB",
            "lowmem_reserve[]: 0 0 0 0",
            "Out of memory: Killed process 7 (x) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB",
        ],
        "memory_shortage",
        "medium",
        ["187396 kB free, 163840 kB of it closed", "hardly above its min watermark of 22528 kB"],
    ),
    (
        "hardly below the mark, where reclaim keeps it, a block may be missing as well",
        [FAILURE % (6, KERNEL), NEW, zone("Normal", [1900] + [0] * 10, low=10000)],
        "memory_shortage",
        "medium",
        ["7600 kB free, min watermark 8000 kB"],
    ),
    (
        "what is left would be less than any machine's watermarks",
        [FAILURE % (5, KERNEL), NEW, "Mem-Info:", " free:60 free_pcp:0 free_cma:0"],
        "memory_shortage",
        "medium",
        ["240 kB free in the whole machine"],
    ),
    (
        "a list out of which somebody took the large blocks",
        [
            OOM % ("0x0()", 0),
            NEW,
            "Mem-Info:",
            "Node 0 Normal: 2743*4kB (UME) <...> = 6904828kB",
            "4095866 pages RAM",
            "Out of memory: Killed process 7 (x) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB",
        ],
        "unknown",
        "low",
        ["page fault"],
    ),
    (
        "one page with a tenth free",
        [FAILURE % (0, KERNEL), NEW, "Mem-Info:", " free:500000 free_pcp:1 free_cma:0", "1000000 pages RAM"],
        "memory_shortage",
        "low",
        [],
    ),
    (
        "a list that begins with the zone above, since what stands before it was cut off",
        [
            "HighMem: 151*4kB 136*8kB 232*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 5404kB",
            "Out of memory (oom_kill_allocating_task): Kill process 6 (sh) score 0 or sacrifice child",
            "Killed process 6 (sh) total-vm:1736kB, anon-rss:44kB, file-rss:200kB",
        ],
        "memory_shortage",
        "low",
        ["head of the report"],
    ),
    (
        "no block, in a report without watermarks",
        [
            FAILURE % (4, KERNEL),
            "Node 0 Normal: 9000*4kB (UME) 900*8kB (UME) 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 43200kB",
        ],
        "fragmentation",
        "medium",
        ["43200 kB free, its watermarks are not in the log, but no block above order 1"],
    ),
    (
        "the DMA zone at boot",
        [
            "swapper/0: page allocation failure: order:10, mode:0xcc1(GFP_KERNEL|GFP_DMA)",
            "CPU: 0 PID: 1 Comm: swapper/0 Not tainted 5.14.21 #1",
        ],
        "memory_shortage",
        "medium",
        ["booting"],
    ),
]


@pytest.mark.parametrize("what,lines,cause,confidence,words", CASES, ids=[case[0] for case in CASES])
def test_verdicts(what, lines, cause, confidence, words):
    verdict = judge(*lines)
    assert (verdict["cause"], verdict["confidence"]) == (cause, confidence), verdict["reason"]
    for word in words:
        assert word in verdict["reason"]
    assert all(entry["cause"] != cause and entry["why"] for entry in verdict["rejected"])


CONSUMERS = [
    (
        ["memcg_alloc_cache_params", "kmem_cache_create", "nf_conntrack_init_net", "copy_net_ns"],
        "memcg_array",
        ["nf_conntrack_init_net", "at least 6142", "3.8 to 4.13"],
    ),
    (["memcg_update_all_caches"], "memcg_array", ["growing"]),
    (["veth_alloc_queues", "veth_newlink"], "veth", ["one per possible CPU", "5.13 to 6.7"]),
    (["copy_net_ns"], "netns", ["a new network namespace"]),
    (["alloc_thread_stack_node", "copy_process"], "stack", ["kernel stack"]),
    (["__alloc_skb"], "network", ["network buffers"]),
    (["dma_direct_alloc", "mhi_fw_load_handler"], "dma", ["DMA buffer"]),
    (["fill_thread_core_info", "elf_core_dump"], "coredump", ["core dump"]),
    (["__kmalloc_noprof", "btrfs_lookup_bio_sums"], None, ["btrfs_lookup_bio_sums"]),
]


@pytest.mark.parametrize("functions,ident,words", CONSUMERS, ids=[case[0][0] for case in CONSUMERS])
def test_the_one_who_asked_is_named(functions, ident, words):
    trace = "\n".join(
        " %s+0x1/0x2" % name for name in ["dump_stack", "warn_alloc", "__alloc_pages_slowpath.constprop.0"] + functions
    )
    verdict = judge(FAILURE % (5, KERNEL), NEW, trace, zone("Normal", SMALL))
    assert verdict["consumer"] == ident
    for word in words:
        assert word in verdict["reason"]


def test_the_call_site_is_the_first_function_that_is_no_plumbing():
    assert (
        callers.call_site(
            ["dump_stack", "warn_alloc.cold", "__alloc_pages_noprof", "___kmalloc_large_node", "set_cmd.cold", "x"]
        )
        == "set_cmd.cold"
    )
    assert callers.call_site(["dump_stack", "warn_alloc"]) is None
    assert callers.call_site([]) is None


MEMCGS = [
    (
        "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n mem_cgroup_out_of_memory+0xbd/0xe0",
        [],
    ),
    (
        "x invoked oom-killer: gfp_mask=0xd0, order=3, oom_score_adj=0\nTask in /a killed as a result of limit of "
        "/a\nmemory: usage 4kB, limit 4kB, failcnt 9",
        ["4 of 4 kB", "bytes?"],
    ),
    (
        "runc:[1:CHILD] invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-998\nMemory cgroup "
        "out of memory: Killed process 7 (runc:[1:CHILD]) total-vm:1kB",
        ["starts the container"],
    ),
    (
        "memory: usage 10kB, limit 10kB, failcnt 9\nkmem: usage 8kB, limit 10kB, failcnt 9\nMemory cgroup stats for /a: cache:0KB",
        [],
    ),
    (
        "java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=-998\njava cpuset="
        + "1e479e75" * 8
        + " mems_allowed=0",
        [],
    ),
]


@pytest.mark.parametrize("text,words", MEMCGS)
def test_the_limit_of_a_cgroup_is_never_fragmentation(text, words):
    verdict = judge(text)
    assert verdict["cause"] == "memcg_limit"
    for word in words:
        assert word in verdict["reason"]


def test_a_cgroup_without_a_limit_reached_none():
    text = (
        "x invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\nmemory: usage 42240kB, limit %skB, failcnt 0\n"
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a,task=x,pid=7,uid=0"
    )
    assert judge(text % "9007199254740988")["cause"] == "unknown"
    assert judge(text % "42240")["cause"] == "memcg_limit"
    # With cgroup v1, kernel memory has a limit of its own.
    kmem = "\nkmem: usage 1000kB, limit 1000kB, failcnt 3"
    assert judge(text.replace("failcnt 0", "failcnt 0" + kmem) % "9007199254740988")["cause"] == "memcg_limit"


OTHERS = [
    (
        "SLUB: Unable to allocate memory on node -1 (gfp=0x20)\n cache: kmalloc-1024(1793:c8ed), object size: 8, "
        "buffer size: 8, default order: 3, min order: 0",
        "memcg_limit",
    ),
    (
        "SLUB: Unable to allocate memory on node -1, gfp=0xa20(GFP_ATOMIC)\n cache: skbuff, object size: 8, buffer "
        "size: 8, default order: 3, min order: 0",
        "atomic_burst",
    ),
    (
        "SLUB: Unable to allocate memory on node -1, gfp=0xcc0(GFP_KERNEL)\n cache: a, object size: 8, buffer size: "
        "8, default order: 3, min order: 0",
        "memory_shortage",
    ),
    (
        "SLUB: Unable to allocate memory on node -1, gfp=0xcc0(GFP_KERNEL)\n cache: a, object size: 8, buffer size: "
        "8, default order: 3, min order: 3",
        "fragmentation",
    ),
    ("kmem_cache_create(nf_conntrack_ffff8803eef66180) failed with error -12", "unknown"),
    ("vmap allocation for size 37806080 failed: use vmalloc=<size> to increase size.", "vmalloc_exhaustion"),
    ("x: vmalloc: allocation failure, allocated 0 of 475136 bytes, mode:0x14010c0(GFP_KERNEL)", "memory_shortage"),
    ("cma: cma_alloc: alloc failed, req-size: 8192 pages, ret: -12", "unknown"),
    (
        "INFO: task kcompactd0:35 blocked for more than 120 seconds.\n io_schedule+0x1/0x2\n __lock_page+0x1/0x2\n compact_zone+0x1/0x2",
        "unknown",
    ),
    ("VM: killing process apache", "memory_shortage"),
]


SECOND_LINES = [
    ("vmalloc: allocation failure: 0 bytes", "invalid_request"),
    ("vmalloc: allocation failure: 17178820608 bytes", "invalid_request"),
    ("vmalloc: allocation failure: 37798136 bytes", "vmalloc_exhaustion"),
    ("vmalloc: allocation failure, allocated 4096 of 475136 bytes", "memory_shortage"),
]


@pytest.mark.parametrize("text,cause", SECOND_LINES)
def test_the_second_line_of_vmalloc_has_the_cause_of_the_first(text, cause):
    found = judge_all(text, "modprobe: page allocation failure: order:0, mode:0xd0")
    assert [(report.kind, verdict["cause"]) for report, verdict in found] == [
        ("vmalloc_failure", cause),
        ("page_allocation_failure", cause),
    ]


@pytest.mark.parametrize("text,cause", OTHERS, ids=[case[0][:40] for case in OTHERS])
def test_other_reports(text, cause):
    assert judge(text)["cause"] == cause


def test_a_size_above_the_machines_memory_is_seen_in_what_the_page_allocator_adds():
    found = judge_all(
        "vmalloc: allocation failure: 17178820608 bytes",
        "x: page allocation failure: order:0, mode:0x24000c2",
        "Mem-Info:",
        "1965969 pages RAM",
    )
    assert [(verdict["cause"], verdict["confidence"]) for _report, verdict in found] == [
        ("invalid_request", "high"),
        ("invalid_request", "medium"),
    ]


@pytest.mark.parametrize(
    "head,types,cause",
    [
        ("x: page allocation failure. order:3, mode:0x4020", "", "fragmentation"),
        ("x: page allocation failure: order:3, mode:0x4020", "UMR", "fragmentation"),
        ("x: page allocation failure: order:3, mode:0x4020", "UME", "unknown"),
    ],
)
def test_forms_of_old_kernels_show_that_the_watermark_is_checked_for_every_order(head, types, cause):
    assert judge(head, zone("Normal", [72, 43, 23, 1] + [0] * 7, low=635, types=types))["cause"] == cause


@pytest.mark.parametrize(
    "blocks,cause", [(SMALL, "fragmentation"), (NOTHING, "memory_shortage"), (None, "fragmentation")]
)
def test_vmalloc_that_tried_large_blocks_first(blocks, cause):
    head = "x: vmalloc error: size 0, page order 9, failed to allocate pages, mode:0xcc2(GFP_KERNEL|__GFP_HIGHMEM), nodemask=(null)"
    verdict = judge(*[head, NEW] + (["Mem-Info:", zone("Normal", blocks)] if blocks else []))
    assert verdict["cause"] == cause
    assert (verdict["confidence"] == "low") == (blocks is None)
