# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Which causes the kernel's own code path allows: by what printed the report, and by what was asked for.

The table is read from top to bottom, the first row that fits counts. It says nothing about the state of memory: that is for the
numbers (diagnosis), which choose among the causes that a row leaves. Where there are no numbers, ``alone`` is what the path by itself
is good for: (cause, confidence), or None where more than one cause remains and none is likelier.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections

from .. import _gfp
from .._fragmentation import PAGE_ALLOC_COSTLY_ORDER
from . import callers

FRAGMENTATION, SHORTAGE, BURST = "fragmentation", "memory_shortage", "atomic_burst"
MEMCG, VMALLOC, INVALID, UNKNOWN = "memcg_limit", "vmalloc_exhaustion", "invalid_request", "unknown"
# Stands for SHORTAGE or BURST, whichever the request allows: one that may not sleep has only the reserves.
SHORT = "short"

Row = collections.namedtuple("Row", "name when causes alone why")


class Request:
    """What was asked of the kernel, in the terms that its code decides by."""

    def __init__(self, report):
        names = report.gfp_flags or []
        bare = {name.replace("__GFP_", "").replace("GFP_", "") for name in names}
        traits = _gfp.traits(names)
        self.report = report
        self.printer = report.kind or "page_allocation_failure"
        self.order = report.order
        self.zone, self.eligible = traits["zone"], traits["eligible"]
        self.sleeps, self.atomic, self.movable = traits["can_reclaim"], traits["atomic"], traits["movable"]
        # Nothing is known of a report without its head; it is taken for the ordinary request, GFP_KERNEL.
        self.known = report.mask is not None
        if not self.known:
            self.sleeps = True
        self.bare = names == ["GFP_KERNEL"]
        self.noretry = "NORETRY" in bare
        self.charged = "ACCOUNT" in bare or "KERNEL_ACCOUNT" in bare
        self.bound = self.zone in ("DMA", "DMA32") or "THISNODE" in bare
        self.scope = report.scope
        self.reclaims = callers.reclaims(report)
        # The idle task cannot sleep: a swapper that may is kernel_init(), and everything before it (init/main.c).
        self.boots = callers.early(report) or (
            (report.comm or "").startswith("swapper")
            and (self.known and self.sleeps or report.pid == 1 or self.bound and not self.atomic)
        )
        # From 4.4 on every ordinary mask has a reclaim flag, and gfp_allowed_mask takes it off until the allocator is up.
        self.masked = (
            self.known
            and not self.sleeps
            and not self.atomic
            and not self.bound
            and not self.movable
            and "KSWAPD_RECLAIM" not in bare
            and "NOWAIT" not in bare
            and (
                report.mask == 0
                and report.flags is not None
                or self.boots
                and _gfp.era_of(report.mask, report.kernel)[0] >= (4, 4)
            )
        )

    @property
    def short(self):
        """The cause that "too little is free" is called for this request."""
        return SHORTAGE if self.sleeps or self.printer == "oom_kill" else BURST

    @property
    def within(self):
        """Whether the report itself shows that the machine has as much memory as vmalloc() was asked for."""
        shown = [report for report in (self.report, self.report.second) if report is not None]
        pages = max([report.ram_pages or report.free_pages or 0 for report in shown])
        return self.report.size // 1024 <= pages * self.report.page_kb

    @property
    def beyond(self):
        """Whether the machine does not even have as much memory."""
        pages = self.report.ram_pages or self.report.second and self.report.second.ram_pages
        if not pages or self.printer == "vmalloc_failure":
            return bool(pages and self.report.size and self.report.size // 1024 > pages * self.report.page_kb)
        return self.order is not None and self.order > 0 and 1 << self.order > pages


_FAILURE = (
    Row(
        "before the allocator is up",
        lambda request: request.masked,
        (INVALID,),
        (INVALID, "medium"),
        "its mask has lost every flag that lets the kernel reclaim, as gfp_allowed_mask makes it until the allocator is up: it was "
        "asked for too early",
    ),
    Row(
        "more than the machine has",
        lambda request: request.beyond,
        (INVALID,),
        (INVALID, "high"),
        "the machine has less memory than that",
    ),
    Row(
        "single pages",
        lambda request: request.order == 0,
        (SHORT,),
        (SHORT, "medium"),
        "every free block serves a single page (rmqueue()), so a watermark refused it",
    ),
    Row(
        "a lower zone while booting",
        lambda request: request.boots and request.bound,
        (SHORT,),
        (SHORT, "medium"),
        "the machine was still booting, and nothing can have fragmented that early: the zone is too small or has no memory",
    ),
    Row(
        "while booting",
        lambda request: request.boots,
        (SHORT, FRAGMENTATION),
        None,
        "the machine was still booting",
    ),
    Row(
        "from reclaim itself",
        lambda request: request.reclaims,
        (SHORT, FRAGMENTATION),
        None,
        "it came from reclaim itself (PF_MEMALLOC), for which __alloc_pages_slowpath() neither reclaims nor compacts",
    ),
    Row(
        "optional",
        lambda request: request.noretry,
        (SHORT, FRAGMENTATION),
        None,
        "it was optional (__GFP_NORETRY): __alloc_pages_slowpath() gives up where an ordinary request would have gone on, and the caller "
        "has another way",
    ),
    Row(
        "may not sleep",
        lambda request: request.known and not request.sleeps,
        (FRAGMENTATION, SHORT),
        (FRAGMENTATION, "low"),
        "it may not sleep, so the kernel could not compact for it",
    ),
    Row(
        "bound to a zone",
        lambda request: request.bound and request.order is not None and request.order > PAGE_ALLOC_COSTLY_ORDER,
        (FRAGMENTATION, SHORT),
        (FRAGMENTATION, "low"),
        "it could be served by the lower zones only",
    ),
    Row(
        "costly",
        lambda request: request.order is not None and request.order > PAGE_ALLOC_COSTLY_ORDER,
        (FRAGMENTATION, SHORT),
        (FRAGMENTATION, "low"),
        "it may sleep, so the kernel had reclaimed and compacted before it gave up: had memory been short, smaller requests would have "
        "called the OOM killer, which this log may not show",
    ),
    Row(
        "retried",
        lambda request: request.order is not None,
        (SHORT, FRAGMENTATION),
        None,
        "a request of that size that may sleep is retried until it is served (should_reclaim_retry()), unless its task was being killed "
        "or its nodes are restricted",
    ),
    Row(
        "again and again",
        lambda request: request.report.tries > 1,
        (SHORT, FRAGMENTATION),
        None,
        "XFS asks until it is served (kmem_alloc()), and the line does not say for how much",
    ),
    Row("no head", lambda request: True, (SHORT, FRAGMENTATION), None, "the head of the report is not in the log"),
)

_OOM = (
    Row(
        "asked for by SysRq-f",
        lambda request: request.order == -1,
        (),
        (UNKNOWN, "medium"),
        "order -1 is the OOM killer called by hand, with SysRq-f (moom_callback()): no request failed",
    ),
    Row(
        "the limit of a cgroup",
        lambda request: request.scope == "memcg",
        (MEMCG,),
        (MEMCG, "high"),
        "mem_cgroup_out_of_memory() was called for a charge",
    ),
    Row(
        "a page fault",
        lambda request: request.known and request.report.mask == 0,
        (MEMCG, SHORT),
        None,
        "it is that of a page fault (pagefault_out_of_memory() has no mask): some request on the way had failed before, of the page "
        "allocator or of a cgroup",
    ),
    Row(
        "costly",
        lambda request: request.scope is None and request.order is not None and request.order > PAGE_ALLOC_COSTLY_ORDER,
        (MEMCG,),
        (MEMCG, "low"),
        "__alloc_pages_may_oom() kills for no order above 3, a charge to a cgroup does",
    ),
    Row(
        "as charges are",
        lambda request: request.scope is None and request.order == 0 and request.bare and not request.boots,
        (MEMCG, SHORT),
        (MEMCG, "low"),
        "nothing in the log tells whether the machine's memory or a cgroup's limit had run out; charges ask for one page of GFP_KERNEL and "
        "nothing else (mem_cgroup_charge()), while what the page allocator is asked for nearly always has more flags",
    ),
    Row(
        "nothing tells whose",
        lambda request: request.scope is None and not request.order,
        (SHORT, MEMCG),
        (SHORT, "low"),
        "nothing in the log tells whether the machine's memory or a cgroup's limit had run out",
    ),
    Row(
        "nothing tells whose, and blocks",
        lambda request: request.scope is None,
        (SHORT, FRAGMENTATION, MEMCG),
        None,
        "nothing in the log tells whether the machine's memory or a cgroup's limit had run out",
    ),
    Row(
        "some nodes only",
        lambda request: request.scope in ("cpuset", "mempolicy") and not request.order,
        (SHORT,),
        (SHORT, "low"),
        "the memory nodes that it was allowed were full, or had no zone for it",
    ),
    Row(
        "single pages",
        lambda request: request.order == 0,
        (SHORT,),
        (SHORT, "high"),
        "every free block serves a single page, so memory had run out",
    ),
    Row(
        "no head",
        lambda request: request.order is None,
        (SHORT, FRAGMENTATION),
        (SHORT, "low"),
        "the head of the report, which tells for how much, is not in the log",
    ),
    Row(
        "blocks",
        lambda request: True,
        (SHORT, FRAGMENTATION),
        None,
        "up to order 3 the kernel kills both for lack of memory and for lack of blocks",
    ),
)

_SLAB = (
    Row(
        "a cgroup's own cache",
        lambda request: "(" in (request.report.cache or ""),
        (MEMCG,),
        (MEMCG, "medium"),
        "the cache belongs to a cgroup (memcg_create_kmem_cache()) and no page allocation failure goes with it: the cgroup's limit "
        "refused the charge",
    ),
    Row(
        "single pages",
        lambda request: request.order == 0,
        (SHORT,),
        (SHORT, "medium"),
        "not even a slab of single pages could be had (allocate_slab() falls back to the smallest order)",
    ),
    Row(
        "blocks",
        lambda request: request.order is not None,
        (SHORT, FRAGMENTATION),
        (FRAGMENTATION, "low"),
        "allocate_slab() had fallen back to the smallest order that holds an object",
    ),
    Row(
        "no order",
        lambda request: True,
        (SHORT, FRAGMENTATION, MEMCG),
        None,
        "the line that names the cache is not in the log",
    ),
)

_VMALLOC = (
    Row(
        "no head",
        lambda request: request.report.size is None,
        (VMALLOC, SHORTAGE, INVALID),
        (UNKNOWN, "low"),
        "the line that tells for how much, and what was missing, is not in the log",
    ),
    Row(
        "nothing",
        lambda request: request.report.size == 0 and request.report.problem != "pages",
        (INVALID,),
        (INVALID, "medium"),
        "the caller asked for no bytes at all, which __vmalloc_node_range() refuses",
    ),
    Row(
        "more than the machine has",
        lambda request: request.beyond or request.report.problem == "size",
        (INVALID,),
        (INVALID, "high"),
        "the machine has less memory than that (__vmalloc_node_range() compares with totalram_pages())",
    ),
    # The size is what it had got by then.
    Row(
        "blocks of pages",
        lambda request: request.report.problem == "pages" and request.order,
        (FRAGMENTATION, SHORT),
        (FRAGMENTATION, "low"),
        "vmalloc() tries large blocks first and goes back to single pages (__vmalloc_node_range(), up to 6.3 with a warning)",
    ),
    Row(
        "pages charged to a cgroup",
        lambda request: request.report.problem == "pages" and request.charged,
        (SHORTAGE, MEMCG),
        (SHORTAGE, "low"),
        "an address range was found, but not the single pages to fill it, or a cgroup refused the charge for them (__GFP_ACCOUNT)",
    ),
    Row(
        "pages",
        lambda request: request.report.problem == "pages",
        (SHORTAGE,),
        (SHORTAGE, "medium"),
        "an address range was found, but not the single pages to fill it",
    ),
    Row(
        "an address range, or what describes it",
        lambda request: request.report.problem == "area",
        (VMALLOC,),
        (VMALLOC, "medium"),
        "no address range of that size was left in the vmalloc area of the kernel, or no memory to describe it (__get_vm_area_node())",
    ),
    Row(
        "address space",
        lambda request: request.report.problem == "address space",
        (VMALLOC,),
        (VMALLOC, "high"),
        "no address range of that size was left in the vmalloc area of the kernel (alloc_vmap_area())",
    ),
    # Up to 5.14 one line stands for a size of 0 or above totalram_pages(), for no vm_struct, and for no address range, of which
    # alloc_vmap_area() speaks itself unless the rate of messages is limited.
    Row(
        "no more than the machine has",
        lambda request: request.within,
        (VMALLOC,),
        (VMALLOC, "medium"),
        "the machine has as much memory, so no address range of that size was left in the vmalloc area of the kernel, or no memory to "
        "describe it (__get_vm_area_node())",
    ),
    Row(
        "more than 32 bits can say",
        lambda request: request.report.size >> 32,
        (INVALID, VMALLOC),
        (INVALID, "low"),
        "so large a size is that of a 64-bit kernel, whose vmalloc area has hundreds of gigabytes at least, and no line says that an "
        "address range was missing: more was asked for than the machine has (__vmalloc_node_range() compares with totalram_pages())",
    ),
    Row(
        "one line for both",
        lambda request: True,
        (VMALLOC, INVALID),
        (VMALLOC, "low"),
        "up to Linux 5.14 the line is the same for a size above the machine's memory and for an address range that is missing, and what "
        "alloc_vmap_area() says of the latter is not in the log",
    ),
)

_CMA = (
    Row(
        "a CMA area",
        lambda request: True,
        (),
        (UNKNOWN, "low"),
        "cma_alloc() takes from its own area only, so neither the machine's free memory nor its blocks have to do with it",
    ),
)

TABLE = {
    "page_allocation_failure": _FAILURE,
    "oom_kill": _OOM,
    "slab_allocation_failure": _SLAB,
    "vmalloc_failure": _VMALLOC,
    "cma_allocation_failure": _CMA,
}


def row_for(request):
    """The row of the table that a Request falls under."""
    for row in TABLE[request.printer]:
        if row.when(request):
            return row
    raise LookupError(request.printer)
