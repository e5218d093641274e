# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Who asked for the memory: the functions of a call trace, and the names of tasks."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .._consumers import has_memcg_array, known_kernels, memcg_array_cgroups
from .report import base_name, plain

# Functions in the trace -> who wanted the memory. First match wins.
_CONSUMERS = (
    (
        "memcg_alloc_cache_params memcg_register_cache init_memcg_params",
        "memcg_array",
        "an array with one pointer per kernel-memory cgroup, for a new slab cache",
    ),
    (
        "memcg_update_all_caches memcg_update_cache_size memcg_update_cache_params",
        "memcg_array",
        "the growing of the arrays with one pointer per kernel-memory cgroup",
    ),
    ("nf_conntrack_init_net nf_conntrack_pernet_init", "netns", "connection tracking of a new network namespace"),
    ("veth_alloc_queues veth_newlink", "veth", "the queues of a new veth pair, one per possible CPU"),
    ("setup_net copy_net_ns ops_init", "netns", "a new network namespace"),
    (
        "alloc_thread_info alloc_thread_info_node alloc_thread_stack_node dup_task_struct",
        "stack",
        "the kernel stack of a new thread",
    ),
    ("crst_table_alloc pgd_alloc pmd_alloc pte_alloc_one __pmd_alloc", "page_table", "a page table"),
    ("copy_process", "fork", "a new process"),
    ("do_huge_pmd_anonymous_page alloc_hugepage_vma khugepaged alloc_fresh_huge_page", "huge_page", "a huge page"),
    ("elf_core_dump fill_thread_core_info do_coredump", "coredump", "a core dump"),
    (
        "__dma_direct_alloc_pages dma_direct_alloc dma_alloc_attrs dma_generic_alloc_coherent atomic_pool_expand dma_atomic_pool_init"
        " __dma_alloc alloc_page_interleave",
        "dma",
        "a DMA buffer of a driver",
    ),
    (
        "__alloc_skb __napi_alloc_skb napi_alloc_skb __netdev_alloc_skb __netdev_alloc_frag page_frag_alloc netdev_alloc_frag"
        " alloc_skb_with_frags sk_prot_alloc __kmalloc_reserve alloc_rx_agg skb_page_frag_refill netlink_dump",
        "network",
        "network buffers",
    ),
    ("seq_read seq_read_iter traverse", "proc", "the reading of a file of /proc"),
)

# Frames that say how memory was asked for, not who asked.
_PLUMBING = frozenset(
    "dump_stack dump_stack_lvl show_stack show_trace dump_backtrace unwind_backtrace dump_header warn_alloc warn_alloc_failed "
    "out_of_memory oom_kill_process __alloc_pages_may_oom alloc_pages alloc_pages_current alloc_pages_node alloc_pages_vma "
    "alloc_pages_mpol __get_free_pages get_zeroed_page get_free_pages kmalloc_order kmalloc_order_trace kmalloc_large "
    "kmalloc_large_node kmem_getpages cache_grow cache_grow_begin fallback_alloc cache_alloc_refill new_slab allocate_slab "
    "alloc_slab_page kmem_cache_create kmem_cache_create_memcg kmem_cache_create_usercopy kmem_cache_create_args "
    "do_kmem_cache_create memcg_alloc_cache_params memcg_register_cache init_memcg_params create_cache kvmalloc_node folio_alloc "
    "vmalloc_node_range mem_cgroup_out_of_memory mem_cgroup_oom_synchronize pagefault_out_of_memory try_charge mem_cgroup_charge "
    "page_allocation_failure alloc_frozen_pages vmalloc vzalloc vmalloc_node".split()
)
_PLUMBING_STARTS = (
    "alloc_pages",
    "kmalloc",
    "kmem_cache_alloc",
    "slab_alloc",
    "alloc_frozen",
    "vmalloc",
    "mem_cgroup",
    "kvmalloc",
)

# What starts containers: a failure in one of these is a container that did not start.
CONTAINER_RUNTIMES = (
    "runc",
    "exe",
    "containerd-shim",
    "dockerd",
    "docker",
    "containerd",
    "crun",
    "crio",
    "conmon",
    "pause",
    "kata-runtime",
    "runsc",
)

# kzalloc() of more than 8 KiB on the kernels with the array: 3.8 to 4.3 and el7, with and without __GFP_KMEMCG.
_ARRAY_MASKS = (0x10C0D0, 0xC0D0, 0x1040D0, 0x40D0)

COMPACTION = frozenset(
    "compact_zone compact_zone_order compact_node compact_nodes compaction_alloc isolate_freepages isolate_freepages_block "
    "isolate_migratepages isolate_migratepages_block isolate_migratepages_range kcompactd kcompactd_do_work try_to_compact_pages "
    "__alloc_pages_direct_compact suitable_migration_target proactive_compact_node __compact_finished compact_finished".split()
)
# A task that reclaims: what it asks for on the way has PF_MEMALLOC (mm/vmscan.c).
_RECLAIM = frozenset(
    "kswapd balance_pgdat shrink_node shrink_zone shrink_slab shrink_slab_node do_shrink_slab shrink_list shrink_inactive_list "
    "try_to_free_pages do_try_to_free_pages __perform_reclaim shrink_folio_list shrink_page_list".split()
)
# mm/init.c and init/main.c before kernel_init(): the allocator itself is being set up.
_EARLY = frozenset("mm_init mm_core_init kmem_cache_init create_boot_cache setup_arch trap_init early_irq_init".split())
# None comes before start_kernel() enables interrupts, which is after all of the above: where a stack is only searched for what looks
# like an address of code (MIPS, csky), an early name beside these is a stray value.
_INTERRUPTS = frozenset(
    "do_IRQ asm_do_IRQ ret_from_irq ret_from_intr irq_exit do_softirq __do_softirq net_rx_action common_interrupt".split()
)

# What is at the top of a trace that was asked for, on one architecture or another.
UNWINDERS = frozenset(
    "dump_stack dump_stack_lvl show_stack show_trace dump_backtrace unwind_backtrace __dump_stack show_regs_print_info".split()
)

# What prints a report: mm/page_alloc.c and mm/oom_kill.c.
FAILURE_PRINTERS = frozenset(("warn_alloc", "warn_alloc_failed"))
OOM_PRINTERS = frozenset(
    "dump_header oom_kill_process check_panic_on_oom out_of_memory mem_cgroup_out_of_memory pagefault_out_of_memory".split()
)
_ALLOCATOR = re.compile(r"(?:__)?alloc_pages|__alloc_frozen_pages")
_CHARGE = re.compile(
    r"(?:__)?mem_cgroup_(?:[a-z_]{0,40}charge|out_of_memory|oom|handle_oom)|(?:__)?try_charge|memcg_charge|obj_cgroup_charge|memory_max_write|memory_high_write"
)
# What a charge of el7 leaves on the stack: mem_cgroup_try_charge() has returned when the page fault calls the OOM killer for it.
_REMAINS_OF_CHARGE = "try_get_mem_cgroup_from_mm"


def call_site(trace):
    """The first function that is not allocator or report machinery, None where there is none."""
    for name in trace:
        short = plain(name).lstrip("_")
        if base_name(name) not in _PLUMBING and short not in _PLUMBING and not short.startswith(_PLUMBING_STARTS):
            return name
    return None


def consumer(trace):
    """-> (id, text) of who wanted the memory, (None, None) where the trace does not tell."""
    functions = {plain(name) for name in trace}
    for names, ident, text in _CONSUMERS:
        if functions.intersection(names.split()):
            if ident == "memcg_array" and "nf_conntrack_init_net" in functions:
                text += ", made by nf_conntrack_init_net for each new network namespace"
            return ident, text
    return None, None


def wanted_for(report):
    """-> (id, text) of who wanted the memory of a report: by its trace, else by what the head alone allows."""
    ident, text = consumer(report.trace)
    if ident is not None:
        return ident, text
    if (
        not report.trace
        and starts_container(report.comm)
        and report.mask in _ARRAY_MASKS
        and has_memcg_array(report.kernel)
        and memcg_array_cgroups(report.order or 0, report.page_kb * 1024)
    ):
        return "memcg_array", (
            "what is most likely an array with one pointer per kernel-memory cgroup, made by nf_conntrack_init_net for each new "
            "network namespace"
        )
    site = call_site(report.trace)
    module = report.modules.get(site)
    return None, site and "%s%s" % (site, " of the module %s" % module if module else "")


def explained(report, verdict):
    """Names who asked in a verdict, and what is known about that on this kernel."""
    ident, text = wanted_for(report)
    verdict["consumer"] = ident
    if not text or verdict["cause"] not in ("fragmentation", "memory_shortage", "atomic_burst", "unknown"):
        return verdict
    verdict["reason"] += "; wanted for %s" % text
    if ident == "memcg_array":
        cgroups = memcg_array_cgroups(report.order or 0, report.page_kb * 1024)
        if cgroups:
            verdict["reason"] += (
                ", order %d means that there once were at least %d such cgroups, most of them leaked"
                % (
                    report.order,
                    cgroups,
                )
            )
            verdict["rejected"].append(
                {
                    "cause": "memcg_leak",
                    "why": "leaked cgroups raise the order, but it is the missing block that made this request fail",
                }
            )
    known = known_kernels(ident)
    if known and verdict["cause"] == "fragmentation":
        verdict["reason"] += "; " + known
    return verdict


def for_vmalloc(functions):
    """Whether it was vmalloc() that had the page allocator print its failure (__vmalloc_node_range(), __vmalloc_area_node())."""
    for printer, caller in zip(functions, functions[1:]):
        if printer in FAILURE_PRINTERS:
            return caller.startswith("__vmalloc_")
    return False


def starts_container(comm):
    return (comm or "").split(":")[0] in CONTAINER_RUNTIMES


def reclaims(report):
    """Whether the task was itself reclaiming memory when it asked: kswapd, or a frame of reclaim below the allocator."""
    return (report.comm or "").startswith("kswapd") or not _RECLAIM.isdisjoint(report.functions)


def early(report):
    """Whether the allocator itself was being set up."""
    return not _EARLY.isdisjoint(report.functions) and _INTERRUPTS.isdisjoint(report.functions)


def oom_scope(report):
    """Who called the OOM killer, by the trace: "memcg", "system", None where it does not show.

    mem_cgroup_out_of_memory() and out_of_memory() both end in dump_header(); what stands behind them is the difference. A charge
    deeper in the trace proves nothing: its reclaim may itself have asked for a page.
    """
    doubtful = [plain(name) for name in report.doubtful]
    for name in report.functions + doubtful:
        if _CHARGE.match(name):
            return "memcg"
        if _ALLOCATOR.match(name):
            return "system"
    return "memcg" if _REMAINS_OF_CHARGE in doubtful else None


def asks_for_user_page(report):
    """Whether the mask is one that only the page allocator itself sees.

    What fills a user's page is charged with the mask of the caller; __GFP_ZERO and __GFP_COMP are added below that
    (vma_alloc_zeroed_movable_folio(), folio_alloc(), clear_user_highpage() before).
    """
    flags = report.gfp_flags or []
    return "GFP_HIGHUSER_MOVABLE" in flags and ("__GFP_ZERO" in flags or "__GFP_COMP" in flags)


def asks_like_charge(report):
    """Whether it is GFP_KERNEL for one page by a task in a container, as charges are (mem_cgroup_try_charge()) and few others."""
    return report.order == 0 and report.gfp_flags == ["GFP_KERNEL"] and len(report.cpuset or "") >= 64
