# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenes: a machine is put into a state, a request fails, and the kernel prints. The truth follows from the machine.

A scene gives ``(lines, truths)``; a truth is what one event must say: kind, fields, and ``causes``, the causes that the text
settles (None where it does not settle any).
"""

from __future__ import annotations

import dataclasses
import random
import typing as t

import printers
from kernels import KERNELS, Kernel, mask, shown
from machine import CLASSES, NORMAL, Machine, fill, machine


@dataclasses.dataclass
class Truth:
    kind: str
    fields: dict[str, t.Any]
    causes: set[str] | None


Scene = tuple[list[str], list[Truth]]
MEMORY_CAUSES = {"fragmentation", "memory_shortage", "atomic_burst", "memcg_limit", "vmalloc_exhaustion", "memcg_leak"}
SHORT = {"memory_shortage", "atomic_burst"}

# Who asks for contiguous memory: command, functions of its trace from the caller outwards.
SLEEPERS = [
    (
        "runc:[1:CHILD]",
        ["nf_conntrack_init_net", "ops_init", "setup_net", "copy_net_ns", "create_new_namespaces", "sys_unshare"],
    ),
    (
        "containerd-shim",
        [
            "veth_alloc_queues",
            "veth_dev_init",
            "register_netdevice",
            "veth_newlink",
            "rtnl_newlink",
            "rtnetlink_rcv_msg",
        ],
    ),
    ("qemu-system-x86", ["kvm_vcpu_ioctl", "do_vfs_ioctl", "sys_ioctl"]),
    ("dockerd", ["alloc_fdmem", "expand_files", "__alloc_fd", "sys_open"]),
]
ATOMICS = [
    ("swapper/0", ["__alloc_skb", "__netdev_alloc_skb", "virtnet_receive", "net_rx_action", "__do_softirq"]),
    ("kworker/u8:2", ["__napi_alloc_skb", "mlx5e_poll_rx_cq", "net_rx_action", "__do_softirq"]),
    ("ksoftirqd/3", ["__alloc_skb", "tcp_send_ack", "tcp_rcv_established", "net_rx_action"]),
]
USERS = ["java", "mysqld", "postgres", "python3", "stress-ng", "prometheus", "kube-apiserver", "Web Content"]


def _entry(kernel: Kernel) -> list[str]:
    if kernel.version < (4, 0):
        return [
            "dump_stack",
            "warn_alloc_failed",
            "__alloc_pages_nodemask",
            "alloc_pages_current",
            "kmalloc_order_trace",
        ]
    if kernel.version < (5, 14):
        return ["dump_stack", "warn_alloc", "__alloc_pages_slowpath", "__alloc_pages_nodemask", "kmalloc_order"]
    return ["dump_stack_lvl", "warn_alloc", "__alloc_pages_slowpath", "__alloc_pages", "__kmalloc_large_node"]


def _zones(made: Machine) -> list[dict[str, t.Any]]:
    page_kb = made.kernel.page_size // 1024
    return [
        {
            "node": zone.node,
            "zone": zone.name,
            "free_blocks": zone.blocks,
            "free_kb": zone.free * page_kb,
            "min_kb": zone.min * page_kb,
        }
        for zone in made.zones
    ]


def _fill(made: Machine, chance: random.Random, kind: str, order: int, top: int = NORMAL) -> None:
    """Bring every zone of the zonelist into a state that fails ``order``: by "fragmentation" or by "shortage"."""
    for zone in made.zones:
        own = CLASSES.index(zone.name)
        if own > top:
            fill(made, zone, zone.managed // 3, made.kernel.orders - 1, chance)
        elif kind == "fragmentation" and zone.managed > 8 * (zone.high + zone.reserve[top] + (2 << order)):
            floor = zone.high + zone.reserve[top] + (2 << order)
            fill(made, zone, int(chance.uniform(1.2 * floor, min(8 * floor, zone.managed // 2))), order - 1, chance)
        else:
            # Below what the request must leave: the mark and the reserve against it.
            atomic_floor = max(1, (zone.min - zone.min // 2) * 3 // 4)
            fill(
                made,
                zone,
                max(1, int(atomic_floor * chance.uniform(0.2, 0.8))),
                chance.randrange(max(1, order), 5 + order),
                chance,
            )
            if zone.free > atomic_floor:
                zone.blocks = [atomic_floor // 2, *[0] * (made.kernel.orders - 1)]
                zone.letters = [
                    "UME" if "H" in made.kernel.letters else "UEM",
                    *[""] * (made.kernel.orders - 1),
                ]


def _failure(
    made: Machine,
    chance: random.Random,
    comm: str,
    functions: list[str],
    order: int,
    flags: tuple[str, ...],
    causes: set[str] | None,
) -> Scene:
    kernel, pid = made.kernel, chance.randrange(1, 60000)
    reclaimable, unreclaimable = chance.randrange(10**5), chance.randrange(10**5)
    before, behind = kernel.head
    lines = [f"{comm}: {before}{order}, mode:{shown(kernel, *flags)}{behind}"]
    lines += [f"{comm} cpuset=/ mems_allowed=0"] if kernel.cpuset_line else []
    lines += printers.trace(kernel, _entry(kernel) + functions, comm, pid, chance)
    lines += printers.mem_info(made, chance, reclaimable, unreclaimable, made.zones)
    fields = {"comm": comm, "pid": pid, "order": order, "gfp_mask": mask(kernel, *flags), "zones": _zones(made)}
    fields |= {"slab_reclaimable_pages": reclaimable, "slab_unreclaimable_pages": unreclaimable}
    return lines, [Truth("page_allocation_failure", fields, causes)]


def fragmented(kernel: Kernel, chance: random.Random) -> Scene | None:
    made, order = machine(kernel, chance), chance.randrange(4, kernel.orders - 2)
    comm, functions = chance.choice(SLEEPERS)
    _fill(made, chance, "fragmentation", order)
    if made.verdict(order, NORMAL) != "fragmentation":
        return None
    return _failure(made, chance, comm, functions, order, ("GFP_KERNEL", "COMP", "ZERO"), {"fragmentation"})


def short(kernel: Kernel, chance: random.Random) -> Scene | None:
    made, order = machine(kernel, chance), chance.randrange(4, kernel.orders - 2)
    comm, functions = chance.choice(SLEEPERS)
    _fill(made, chance, "shortage", order)
    if made.verdict(order, NORMAL) != "shortage":
        return None
    return _failure(made, chance, comm, functions, order, ("GFP_KERNEL", "COMP", "ZERO"), {"memory_shortage"})


def atomic_single(kernel: Kernel, chance: random.Random) -> Scene | None:
    """Order 0 without sleeping: nothing but reserves can be what lacks."""
    made = machine(kernel, chance)
    comm, functions = chance.choice(ATOMICS)
    _fill(made, chance, "shortage", 0)
    if made.verdict(0, NORMAL, atomic=True) == "served":
        return None
    return _failure(made, chance, comm, functions, 0, ("GFP_ATOMIC",), SHORT)


def atomic_large(kernel: Kernel, chance: random.Random) -> Scene | None:
    made, order = machine(kernel, chance), chance.randrange(1, 4)
    comm, functions = chance.choice(ATOMICS)
    kind = chance.choice(("fragmentation", "shortage"))
    _fill(made, chance, kind, order)
    if made.verdict(order, NORMAL, atomic=True) != kind:
        return None
    return _failure(
        made,
        chance,
        comm,
        functions,
        order,
        ("GFP_ATOMIC", "COMP"),
        {"fragmentation"} if kind == "fragmentation" else SHORT,
    )


def dma_alone(kernel: Kernel, chance: random.Random) -> Scene | None:
    """A request that only zone DMA may serve, which is exhausted, on a machine with memory to spare."""
    made = machine(kernel, chance)
    if kernel.machine != "x86":
        return None
    _fill(made, chance, "shortage", 0, top=0)
    if made.verdict(0, 0) != "shortage":
        return None
    comm, functions = "modprobe", ["dma_alloc_attrs", "floppy_module_init", "do_one_initcall"]
    return _failure(made, chance, comm, functions, 0, ("GFP_KERNEL", "DMA"), {"memory_shortage"})


def slub(kernel: Kernel, chance: random.Random) -> Scene | None:
    """A page allocation failure and the report of SLUB that comes with it: two reports, one cause."""
    made, order = machine(kernel, chance), chance.randrange(1, 4)
    comm, functions = chance.choice(ATOMICS)
    _fill(made, chance, "fragmentation", order)
    if made.verdict(order, NORMAL, atomic=True) != "fragmentation":
        return None
    lines, truths = _failure(
        made, chance, comm, ["new_slab", "___slab_alloc", *functions], order, ("GFP_ATOMIC", "COMP"), {"fragmentation"}
    )
    cache, size = chance.choice((("kmalloc-8192", 8192), ("skbuff_head_cache", 256), ("task_struct", 5952)))
    lines += [
        kernel.slub(-1, shown(kernel, "GFP_ATOMIC")),
        f"  cache: {cache}, object size: {size}, buffer size: {size}, default order: 3, min order: {order}",
        f"  node 0: slabs: {chance.randrange(900)}, objs: {chance.randrange(9000)}, free: 0",
    ]
    truths.append(
        Truth("slab_allocation_failure", {"cache": cache, "node": -1, "object_size": size}, {"fragmentation"})
    )
    return lines, truths


def conntrack(kernel: Kernel, chance: random.Random) -> Scene | None:
    """The write-ups' failure: a new network namespace wants a slab cache of its own, whose array is too large."""
    if "el7" not in kernel.release:
        return None
    made, order = machine(kernel, chance), chance.randrange(4, 7)
    comm, functions = SLEEPERS[0]
    _fill(made, chance, "fragmentation", order)
    if made.verdict(order, NORMAL) != "fragmentation":
        return None
    functions = ["memcg_register_cache", "kmem_cache_create_memcg", "kmem_cache_create", *functions]
    lines, truths = _failure(made, chance, comm, functions, order, ("GFP_KERNEL", "COMP", "ZERO"), {"fragmentation"})
    cache = f"nf_conntrack_ffff{chance.getrandbits(48):012x}"
    lines += [f"kmem_cache_create({cache}) failed with error -12", "Unable to create nf_conn slab cache"]
    truths.append(Truth("slab_cache_create_failure", {"cache": cache}, {"fragmentation"}))
    return lines, truths


def _oom_head(kernel: Kernel, comm: str, order: int, flags: tuple[str, ...]) -> str:
    nodemask = " nodemask=(null)," if (4, 9) <= kernel.version < (5, 0) else ""
    return f"{comm} invoked oom-killer: gfp_mask={shown(kernel, *flags)},{nodemask} order={order}, oom_score_adj=0"


def _oom(
    made: Machine,
    chance: random.Random,
    order: int,
    flags: tuple[str, ...],
    causes: set[str] | None,
    constraint: str = "NONE",
) -> Scene:
    kernel, comm, victim = made.kernel, chance.choice(USERS), chance.choice(USERS)
    pid, victim_pid, rss = chance.randrange(1, 60000), chance.randrange(1, 60000), chance.randrange(10**5, 10**7)
    lines = [_oom_head(kernel, comm, order, flags)]
    lines += [f"{comm} cpuset=/ mems_allowed=0"] if not kernel.summary else []
    functions = [
        "dump_stack",
        "dump_header",
        "oom_kill_process",
        "out_of_memory",
        "__alloc_pages_slowpath",
        "handle_mm_fault",
        "do_page_fault",
    ]
    lines += printers.trace(kernel, functions, comm, pid, chance)
    lines += printers.mem_info(made, chance, chance.randrange(10**4), chance.randrange(10**4), made.zones)
    lines += printers.tasks(kernel, [(victim, victim_pid, rss // 4), ("systemd", 1, 2000)])
    scope = {"NONE": "system", "CPUSET": "cpuset", "MEMORY_POLICY": "mempolicy"}[constraint]
    fields: dict[str, t.Any] = {"comm": comm, "order": order, "gfp_mask": mask(kernel, *flags), "zones": _zones(made)}
    fields |= {"victim_comm": victim, "victim_pid": victim_pid, "reporter": "kernel"}
    if kernel.summary:
        everywhere = ",global_oom" if constraint == "NONE" else ""
        lines.append(
            f"oom-kill:constraint=CONSTRAINT_{constraint},nodemask=(null),cpuset=/,mems_allowed=0{everywhere},"
            f"task_memcg=/system.slice/x.service,task={victim},pid={victim_pid},uid=0"
        )
        fields["scope"] = scope
    lines += kernel.killed(victim_pid, victim, rss, "Out of memory")
    return lines, [Truth("oom_kill", fields, causes)]


def system_oom(kernel: Kernel, chance: random.Random) -> Scene | None:
    made = machine(kernel, chance)
    _fill(made, chance, "shortage", 0)
    if made.verdict(0, NORMAL) != "shortage":
        return None
    return _oom(made, chance, 0, ("GFP_HIGHUSER_MOVABLE",), {"memory_shortage"})


def fragmented_oom(kernel: Kernel, chance: random.Random) -> Scene | None:
    """Orders 1 to 3 must not fail, so the kernel kills for them, with plenty of single pages."""
    made, order = machine(kernel, chance), chance.randrange(2, 4)
    _fill(made, chance, "fragmentation", order)
    if made.verdict(order, NORMAL) != "fragmentation":
        return None
    return _oom(made, chance, order, ("GFP_KERNEL", "COMP"), {"fragmentation"})


def constrained_oom(kernel: Kernel, chance: random.Random) -> Scene | None:
    if not kernel.summary:
        return None
    made = machine(kernel, chance)
    _fill(made, chance, "shortage", 0)
    return _oom(
        made, chance, 0, ("GFP_HIGHUSER_MOVABLE",), {"memory_shortage"}, chance.choice(("CPUSET", "MEMORY_POLICY"))
    )


def memcg_oom(kernel: Kernel, chance: random.Random) -> Scene | None:
    comm, pid, rss = (
        chance.choice([*USERS, "runc:[2:INIT]", "pause"]),
        chance.randrange(1, 60000),
        chance.randrange(100, 10**7),
    )
    usage = chance.randrange(rss, rss * 2)
    uid = "-".join(f"{chance.getrandbits(4 * digits):0{digits}x}" for digits in (8, 4, 4, 4, 12))
    group = f"/kubepods/burstable/pod{uid}/{chance.getrandbits(256):064x}"
    flags = ("GFP_KERNEL",) if kernel.era != "old" or chance.random() < 0.5 else ("GFP_HIGHUSER_MOVABLE",)
    lines = [_oom_head(kernel, comm, 0, flags)]
    functions = [
        "dump_stack",
        "dump_header",
        "oom_kill_process",
        "mem_cgroup_out_of_memory",
        "try_charge",
        "handle_mm_fault",
    ]
    lines += printers.trace(kernel, functions, comm, pid, chance)
    if not kernel.summary:
        lines.append(f"Task in {group} killed as a result of limit of {group}")
    lines.append(f"memory: usage {usage}kB, limit {usage}kB, failcnt {chance.randrange(9000)}")
    lines.append(
        f"memory+swap: usage {usage}kB, limit 9007199254740988kB, failcnt 0"
        if not kernel.summary
        else f"swap: usage 0kB, limit {usage}kB, failcnt 0"
    )
    lines.append(
        f"Memory cgroup stats for {group}:" + ("" if kernel.summary else f" cache:0KB rss:{rss}KB mapped_file:0KB")
    )
    lines += [f"anon {rss * 1024}", "file 0", "kernel_stack 36864"] if kernel.summary else []
    lines += printers.tasks(kernel, [(comm, pid, rss // 4)])
    if kernel.summary:
        lines.append(
            f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={group},task_memcg={group},task={comm},pid={pid},uid=0"
        )
    lines += kernel.killed(pid, comm, rss, "Memory cgroup out of memory")
    fields = {
        "comm": comm,
        "scope": "memcg",
        "victim_comm": comm,
        "victim_pid": pid,
        "usage_kb": usage,
        "limit_kb": usage,
    }
    return lines, [
        Truth(
            "oom_kill", fields | {"order": 0, "gfp_mask": mask(kernel, *flags), "reporter": "kernel"}, {"memcg_limit"}
        )
    ]


def vmalloc(kernel: Kernel, chance: random.Random) -> Scene | None:
    """No address range: the vmalloc area is full. A size of 0, or beyond all memory, is the caller's error."""
    size, causes = chance.choice(((chance.randrange(1, 64) << 20, {"vmalloc_exhaustion"}), (0, {"invalid_request"})))
    comm, pid = chance.choice(("modprobe", "iptables-restor", "insmod")), chance.randrange(1, 60000)
    if kernel.version >= (5, 15):
        why = "exceeds total pages" if not size else "vm_struct allocation failed"
        text = f"vmalloc error: size {size}, {why}"
    else:
        text = f"vmalloc: allocation failure: {size} bytes"
    lines = [f"{comm}: {text}, mode:{shown(kernel, 'GFP_KERNEL')}{kernel.head[1]}"]
    lines += printers.trace(
        kernel, ["dump_stack", "warn_alloc", "__vmalloc_node_range", "module_alloc", "load_module"], comm, pid, chance
    )
    return lines, [Truth("vmalloc_failure", {"size_bytes": size, "comm": comm}, causes)]


def cma(kernel: Kernel, chance: random.Random) -> Scene | None:
    """The area's own matter: nothing that the page allocator says settles it."""
    if kernel.version < (4, 4):
        return None
    pages, errno = chance.choice((1, 8, 256, 1024)), chance.choice((-12, -16))
    area = " reserved:" if kernel.version >= (5, 17) else ""
    return [f"cma: cma_alloc:{area} alloc failed, req-size: {pages} pages, ret: {errno}"], [
        Truth("cma_allocation_failure", {"pages": pages, "errno": errno}, None)
    ]


SCENES = (
    fragmented,
    fragmented,
    short,
    atomic_single,
    atomic_large,
    dma_alone,
    slub,
    conntrack,
    system_oom,
    fragmented_oom,
)
SCENES += (constrained_oom, memcg_oom, memcg_oom, vmalloc, cma)


def scene(chance: random.Random) -> tuple[str, Kernel, list[str], list[Truth]]:
    """One scene, on one kernel, that its machine really fails in."""
    while True:
        play, kernel = chance.choice(SCENES), chance.choice(KERNELS)
        played = play(kernel, chance)
        if played:
            return (play.__name__, kernel, *played)
