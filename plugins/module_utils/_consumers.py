# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Who asks the kernel for contiguous memory, and for how much: sizes in bytes, orders by the node's page size.

What comes with a kernel's version or memory layout is here alone: facts, readers of logs and the assessment ask these functions.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._releases import is_el, order_of, version_of

# Pointer array of the per-memcg slab caches, by the number of kernel-memory cgroups (mm/memcontrol.c, memcg_caches_array_size()).
_MEMCG_ARRAY_MIN, _MEMCG_ARRAY_MAX = 4, 65535
_MEMCG_ARRAY_HEADER, _POINTER = 80, 8
# Of an unknown number of cgroups: what was seen to fail.
_MEMCG_ARRAYS_SEEN = (64 * 1024, 128 * 1024, 256 * 1024)
# kmalloc() above this many pages bypasses the slab caches and asks for one block (include/linux/slab.h).
_KMALLOC_SLAB_PAGES = 2


def _memcg_arrays(page_size):
    """[(cgroups from which on it is needed, order)] for each size that the array grows through."""
    cgroups, entries, sizes = 0, _MEMCG_ARRAY_MIN, []
    while True:
        size = _MEMCG_ARRAY_HEADER + entries * _POINTER
        sizes.append((cgroups, order_of(size, page_size) if size > _KMALLOC_SLAB_PAGES * page_size else 0))
        if entries == _MEMCG_ARRAY_MAX:
            return sizes
        cgroups, entries = entries, min(2 * (entries + 1), _MEMCG_ARRAY_MAX)


def memcg_array_order(memory_cgroups, page_size):
    """Order of the array that each new slab cache of Linux 3.8 to 4.13 and el7 has, 0 where it comes from a slab cache.

    The array doubles whenever a cgroup gets an id beyond it, and never shrinks.
    """
    return [order for cgroups, order in _memcg_arrays(page_size) if cgroups <= memory_cgroups][-1]


def memcg_array_cgroups(order, page_size):
    """How many kernel-memory cgroups there must once have been for the array to have this order; None where it never has."""
    for cgroups, reached in _memcg_arrays(page_size):
        if order and reached == order:
            return cgroups
    return None


def has_memcg_array(release):
    """Whether new slab caches of a kernel have that array, or may have, where the release is not known."""
    version = version_of(release)
    return version is None or (3, 8) <= version < (4, 14) or is_el(release, 7)


# Which kernels ask that way, as part of a sentence.
_KNOWN_KERNELS = {
    "memcg_array": "Linux 3.8 to 4.13 and el7 allocate it that way (one conntrack cache per namespace: 2.6.33 to 4.6 and el7)",
    "veth": "Linux 5.13 to 6.7 allocate them in one block, mended in 6.8, 6.7.9, 6.6.21 and 6.1.81",
    "stack": "kernels from 3.15 and el7 without CONFIG_VMAP_STACK",
}


def known_kernels(consumer):
    return _KNOWN_KERNELS.get(consumer)


def may_have_conntrack_caches(release):
    """Whether a kernel makes one connection tracking cache per network namespace, or may do so, where the release is not known."""
    version = version_of(release)
    return version is None or (2, 6, 33) <= version < (4, 7) or is_el(release, 6, 7)


def hugepage_order(page_size):
    """The order of what one entry of the second page table maps, on 64-bit machines: 2 MiB with pages of 4 KiB (PMD_ORDER)."""
    return order_of(page_size // _POINTER, 1)


def makes_containers(facts_say, conntrack_caches):
    """Whether network namespaces come and go on a node: True, False, or None where nothing tells.

    facts_say         what the facts found of container runtimes
    conntrack_caches  one per network namespace on kernels of that kind, the first of them the node's own
    """
    if facts_say is not None:
        return facts_say or (conntrack_caches or 0) > 1
    return conntrack_caches > 1 if conntrack_caches else None


# Each answers with [(order, what asks for it, does something fail without it)] for one kernel.


def _conntrack(kernel, conntrack_caches, memory_cgroups):
    """net/netfilter/nf_conntrack_core.c up to 4.6 and el7 makes one slab cache per network namespace."""
    text = "each new network namespace: its own nf_conntrack slab cache (pods, containers)"
    if not conntrack_caches or makes_containers(kernel.get("containers"), conntrack_caches) is False:
        return []
    if memory_cgroups is None:
        text += "; the order follows from the number of memory cgroups"
        return [(order_of(size, kernel["page_size"]), text, True) for size in _MEMCG_ARRAYS_SEEN]
    return [(memcg_array_order(memory_cgroups, kernel["page_size"]), text, True)]


def _kernel_stack(kernel, conntrack_caches, memory_cgroups):
    """16 kB since 3.15 and on el7 (arch/x86/include/asm/page_64_types.h); in vmalloc space with CONFIG_VMAP_STACK."""
    version = version_of(kernel["release"])
    if kernel.get("vmap_stack") is not False or not version or not (version >= (3, 15) or is_el(kernel["release"], 7)):
        return []
    return [(order_of(16384, kernel["page_size"]), "the kernel stack of each new thread (no CONFIG_VMAP_STACK)", True)]


def _page_table(kernel, conntrack_caches, memory_cgroups):
    """Two pages for the top level with page table isolation (arch/x86/mm/pgtable.c, PGD_ALLOCATION_ORDER); arm64 has one with it, too."""
    isolated = kernel.get("page_table_isolation") and kernel.get("machine") != "aarch64"
    return [(1, "each new process: its top page table", True)] if isolated else []


def veth_affected(release):
    """Linux 5.13 to 6.7 but for the stable releases that were mended; what Red Hat's kernels have is not told by their number."""
    version = version_of(release)
    if not version or version < (5, 13) or version >= (6, 8) or ".el" in release:
        return False
    return not any(version[:2] == stable[:2] and version >= stable for stable in ((6, 7, 9), (6, 6, 21), (6, 1, 81)))


def veth_bytes(kernel):
    """drivers/net/veth.c, veth_alloc_queues(): 832 bytes per possible CPU in one block. 0 on kernels that do not ask for it so."""
    return 832 * (kernel["possible_cpus"] or 0) if veth_affected(kernel["release"]) else 0


def _veth(kernel, conntrack_caches, memory_cgroups):
    size = veth_bytes(kernel)
    if size <= _KMALLOC_SLAB_PAGES * kernel["page_size"] or kernel.get("containers") is False:
        return []
    text = "each new veth pair: its queues for %d possible CPUs" % kernel["possible_cpus"]
    return [(order_of(size, kernel["page_size"]), text, True)]


def _network_buffers(kernel, conntrack_caches, memory_cgroups):
    """net/core/sock.c, SKB_FRAG_PAGE_ORDER: 32 kB, given up without a sound for single pages."""
    order = order_of(32768, kernel["page_size"])
    return [(order, "network buffers and large slabs, which make do with less", False)]


def _huge_pages(kernel, conntrack_caches, memory_cgroups):
    if kernel["hugepage_order"] is None:
        return []
    return [(kernel["hugepage_order"], "huge pages, transparent and reserved ones (performance only)", False)]


_CONSUMERS = (_page_table, _kernel_stack, _network_buffers, _conntrack, _veth, _huge_pages)


def requests(kernel, conntrack_caches, memory_cgroups):
    """-> [(order, what asks for it, does something fail without it)] for the ``kernel`` of the facts; None is not known."""
    return [request for consumer in _CONSUMERS for request in consumer(kernel, conntrack_caches, memory_cgroups)]


# Requests of up to 32 kB may not fail: the kernel reclaims, compacts and in the end kills for them (PAGE_ALLOC_COSTLY_ORDER).
MUST_NOT_FAIL = 32 * 1024


def must_have(kernel, conntrack_caches, memory_cgroups):
    """-> {order: [who asks for it]} of those orders without which something fails on this kernel."""
    orders = {order_of(MUST_NOT_FAIL, kernel["page_size"]): ["requests up to 32 kB, which may not fail"]}
    for order, text, fails in requests(kernel, conntrack_caches, memory_cgroups):
        if fails:
            orders.setdefault(order, []).append(text)
    return orders


def needed_by(kernel, conntrack_caches, memory_cgroups):
    """-> {order: [what asks for it on this kernel]}."""
    orders = {}
    for order, text, _unused in requests(kernel, conntrack_caches, memory_cgroups):
        orders.setdefault(order, []).append(text)
    return orders
