# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what a kernel prints, line by line and without time stamps: heads, traces, Mem-Info, kills.

Formats by version: mm/page_alloc.c warn_alloc() and show_free_areas(), mm/slub.c slab_out_of_memory(), mm/oom_kill.c
dump_header() and __oom_kill_process(), mm/memcontrol.c mem_cgroup_print_oom_info().
"""

from __future__ import annotations

import random

from kernels import Kernel
from machine import Machine, Zone


def trace(kernel: Kernel, functions: list[str], comm: str, pid: int, chance: random.Random) -> list[str]:
    """The task's line, the machine's, and the call trace."""
    lines = [f"CPU: {chance.randrange(4)} PID: {pid} Comm: {comm} Not tainted {kernel.release} #1"]
    if kernel.version < (3, 10):
        lines = [f"Pid: {pid}, comm: {comm} Not tainted {kernel.release} #1"]
    else:
        lines.append("Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-1 04/01/2014")
    lines.append("Call trace:" if kernel.machine == "arm64" else "Call Trace:")
    if kernel.machine == "x86" and kernel.version >= (5, 16):
        lines.append(" <TASK>")
    for function in functions:
        offset = f"{function}+{chance.randrange(16, 4000):#x}/{chance.randrange(4000, 8000):#x}"
        old = kernel.version < (4, 10) and kernel.machine == "x86"
        lines.append(f" [<ffffffff{chance.getrandbits(32):08x}>] {offset}" if old else f" {offset}")
    if kernel.machine == "x86" and kernel.version >= (5, 16):
        lines.append(" </TASK>")
    return lines


def mem_info(
    made: Machine, chance: random.Random, reclaimable: int, unreclaimable: int, shown: list[Zone]
) -> list[str]:
    """show_free_areas(): the global lines, the nodes, the zones ``shown``, and their free lists."""
    kernel, page_kb = made.kernel, made.kernel.page_size // 1024
    free, cma = sum(zone.free for zone in made.zones), sum(zone.cma for zone in made.zones)
    modern = kernel.version >= (4, 4) or kernel.enterprise.startswith("el7")
    lines = ["Mem-Info:"]
    if not modern:
        for zone in shown:
            place = f"Node {zone.node} {zone.name}"
            lines += [
                f"{place} per-cpu:",
                "CPU    0: hi:  186, btch:  31 usd:   0",
                "CPU    1: hi:  186, btch:  31 usd:  42",
            ]
    lines += [
        f"active_anon:{chance.randrange(10**6)} inactive_anon:{chance.randrange(10**5)} isolated_anon:0",
        f" active_file:{chance.randrange(10**5)} inactive_file:{chance.randrange(10**5)} isolated_file:0",
        f" unevictable:0 dirty:{chance.randrange(500)} writeback:0"
        + (" unstable:0" if kernel.version < (5, 9) else ""),
    ]
    if modern:
        lines += [
            f" slab_reclaimable:{reclaimable} slab_unreclaimable:{unreclaimable}",
            f" mapped:{chance.randrange(10**5)} shmem:{chance.randrange(10**4)} pagetables:{chance.randrange(10**4)}"
            + ("" if kernel.version >= (6, 1) else " bounce:0"),
        ]
        lines += [" sec_pagetables:0 bounce:0"] if kernel.version >= (6, 1) else []
        lines += [" kernel_misc_reclaimable:0"] if kernel.version >= (5, 15) else []
        lines += [f" free:{free} free_pcp:{chance.randrange(500)} free_cma:{cma}"]
    else:
        lines += [
            f" free:{free} slab_reclaimable:{reclaimable} slab_unreclaimable:{unreclaimable}",
            f" mapped:{chance.randrange(10**5)} shmem:{chance.randrange(10**4)} pagetables:{chance.randrange(10**4)} bounce:0",
        ]
        lines += [f" free_cma:{cma}"] if kernel.version >= (3, 10) else []
    if kernel.version >= (4, 9):
        for node in sorted({zone.node for zone in made.zones}):
            lines.append(
                f"Node {node} active_anon:{chance.randrange(10**6)}kB inactive_anon:8324kB active_file:5124kB inactive_file:988kB"
                " unevictable:0kB isolated(anon):0kB isolated(file):0kB mapped:1284kB dirty:0kB writeback:0kB shmem:9876kB"
                " writeback_tmp:0kB all_unreclaimable? no"
            )
    for zone in shown:
        lines += [_zone_line(kernel, zone, page_kb), f"lowmem_reserve[]: {' '.join(map(str, zone.reserve))}"]
    lines += [_free_list(kernel, zone, page_kb) for zone in shown]
    if kernel.version >= (3, 10):
        for node in sorted({zone.node for zone in made.zones}):
            lines.append(f"Node {node} hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB")
    return [
        *lines,
        f"{chance.randrange(10**5)} total pagecache pages",
        "0 pages in swap cache",
        "Free swap  = 0kB",
        "Total swap = 0kB",
        f"{sum(zone.managed for zone in made.zones)} pages RAM",
        "0 pages HighMem/MovableOnly",
        f"{chance.randrange(10**4)} pages reserved",
    ]


def _zone_line(kernel: Kernel, zone: Zone, page_kb: int) -> str:
    fields = [("free", zone.free)] + ([("boost", 0)] if kernel.version >= (5, 17) else [])
    fields += [("min", zone.min), ("low", zone.low), ("high", zone.high)]
    text = " ".join(f"{name}:{value * page_kb}kB" for name, value in fields)
    if kernel.version >= (5, 7):
        # The capital K is the kernel's.
        text += f" reserved_highatomic:{zone.highatomic * page_kb}KB"
        text += " free_highatomic:0KB" if kernel.version >= (6, 17) else ""
    text += " active_anon:1024kB inactive_anon:0kB active_file:512kB inactive_file:64kB unevictable:0kB"
    text += " writepending:0kB" if kernel.version >= (4, 9) else " isolated(anon):0kB isolated(file):0kB"
    text += f" present:{(zone.managed + 100) * page_kb}kB"
    text += f" managed:{zone.managed * page_kb}kB" if kernel.version >= (3, 10) else ""
    text += " mlocked:0kB"
    if kernel.version < (4, 9):
        text += " dirty:0kB writeback:0kB mapped:0kB shmem:0kB slab_reclaimable:0kB slab_unreclaimable:0kB kernel_stack:16kB"
    text += " pagetables:0kB bounce:0kB"
    if kernel.version >= (3, 10):
        text += (
            f" free_pcp:0kB local_pcp:0kB free_cma:{zone.cma * page_kb}kB"
            if (kernel.version >= (4, 9))
            else f" free_cma:{zone.cma * page_kb}kB"
        )
    if kernel.version < (4, 9):
        text += " writeback_tmp:0kB pages_scanned:0 all_unreclaimable? no"
    return f"Node {zone.node} {zone.name} {text}"


def _free_list(kernel: Kernel, zone: Zone, page_kb: int) -> str:
    parts = []
    for order, count in enumerate(zone.blocks):
        letters = f" ({zone.letters[order]})" if kernel.letters and count else ""
        parts.append(f"{count}*{page_kb << order}kB{letters}")
    return f"Node {zone.node} {zone.name}: {' '.join(parts)} = {zone.free * page_kb}kB"


def tasks(kernel: Kernel, rows: list[tuple[str, int, int]]) -> list[str]:
    if kernel.version >= (4, 19):
        lines = [
            "Tasks state (memory values in pages):",
            "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        ]
        return lines + [
            f"[{pid:7d}]     0 {pid:5d} {rss * 2:8d} {rss:8d}    86016        0             0 {comm}"
            for comm, pid, rss in rows
        ]
    lines = ["[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name"]
    return lines + [
        f"[{pid:5d}]     0 {pid:5d} {rss * 2:8d} {rss:8d}      46        0             0 {comm}"
        for comm, pid, rss in rows
    ]
