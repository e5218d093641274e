# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernels that the oracle speaks for: what each prints, and how its page allocator decides.

One row a kernel, read from the sources of that version (mm/page_alloc.c, mm/oom_kill.c, mm/memcontrol.c, mm/slub.c,
lib/show_mem.c, include/linux/gfp.h). Written independently of the library that the oracle tries.
"""

from __future__ import annotations

import dataclasses
import re

# gfp bits by era: (name in the log, bit). Compound masks are built from these.
_OLD = {"WAIT": 0x10, "HIGH": 0x20, "IO": 0x40, "FS": 0x80, "NOWARN": 0x200, "NORETRY": 0x1000, "COMP": 0x4000}
_OLD |= {"ZERO": 0x8000, "DMA": 0x1, "DMA32": 0x4, "HIGHMEM": 0x2, "MOVABLE": 0x8, "HARDWALL": 0x20000}

# era: {compound or flag: bits}; the compounds contain the reclaim bits of their time.
GFP = {
    "old": _OLD | {"GFP_KERNEL": 0xD0, "GFP_ATOMIC": 0x20, "GFP_NOFS": 0x50, "GFP_HIGHUSER_MOVABLE": 0x200DA},
    "4.4": _OLD
    | {"GFP_KERNEL": 0x24000C0, "GFP_ATOMIC": 0x2080020, "GFP_NOFS": 0x2400040, "GFP_HIGHUSER_MOVABLE": 0x24200CA},
    "4.10": _OLD
    | {"GFP_KERNEL": 0x14000C0, "GFP_ATOMIC": 0x1080020, "GFP_NOFS": 0x1400040, "GFP_HIGHUSER_MOVABLE": 0x14200CA},
    "4.18": _OLD
    | {"GFP_KERNEL": 0x6000C0, "GFP_ATOMIC": 0x480020, "GFP_NOFS": 0x600040, "GFP_HIGHUSER_MOVABLE": 0x6200CA},
    "5.1": {
        "GFP_KERNEL": 0xCC0,
        "GFP_ATOMIC": 0xA20,
        "GFP_NOFS": 0xC40,
        "GFP_HIGHUSER_MOVABLE": 0x100CCA,
        "ZERO": 0x100,
    }
    | {"COMP": 0x40000, "NOWARN": 0x2000, "NORETRY": 0x10000, "DMA": 0x1, "DMA32": 0x4},
    "6.3": {
        "GFP_KERNEL": 0xCC0,
        "GFP_ATOMIC": 0x820,
        "GFP_NOFS": 0xC40,
        "GFP_HIGHUSER_MOVABLE": 0x100CCA,
        "ZERO": 0x100,
    }
    | {"COMP": 0x40000, "NOWARN": 0x2000, "NORETRY": 0x10000, "DMA": 0x1, "DMA32": 0x4},
}


@dataclasses.dataclass(frozen=True)
class Kernel:
    """One build; what it prints follows from its version, but for what distributions carried back."""

    release: str
    version: tuple[int, int]
    era: str  # of the gfp bits
    machine: str = "x86"
    page_size: int = 4096
    orders: int = 11

    @property
    def enterprise(self) -> str:
        """ "el7-1160", or nothing."""
        found = re.search(r"-(\d+)\..*(el\d)|-(\d+)\.(el\d)", self.release)
        return f"{found.group(2) or found.group(4)}-{found.group(1) or found.group(3)}" if found else ""

    @property
    def names(self) -> bool:
        """Are masks printed with their names?"""
        return self.version >= (4, 6)

    @property
    def head(self) -> tuple[str, str]:
        """What stands before the order and after the mask of a page allocation failure."""
        if self.version < (3, 1):
            return "page allocation failure. order:", ""
        rest = ", nodemask=(null)" if self.version >= (4, 11) else ""
        return "page allocation failure: order:", rest + (",cpuset=/,mems_allowed=0" if self.version >= (5, 0) else "")

    @property
    def cpuset_line(self) -> bool:
        return (4, 11) <= self.version < (5, 0)

    @property
    def scaled(self) -> bool:
        """The watermark check that asks for ever larger blocks: up to 4.3."""
        return self.version < (4, 4)

    @property
    def letters(self) -> str:
        """The migratetypes an ordinary request may take from, as printed; the first three in the kernel's order."""
        return "" if self.version < (3, 10) else "UEMR" if self.version < (4, 4) else "UMEH"

    @property
    def summary(self) -> bool:
        """Does an OOM kill end with oom-kill:constraint=...?"""
        return self.version >= (5, 0)

    def killed(self, pid: int, comm: str, rss_kb: int, why: str) -> list[str]:
        """The lines of the kill."""
        sizes = f"total-vm:{2 * rss_kb}kB, anon-rss:{rss_kb}kB, file-rss:120kB"
        if self.version >= (5, 4):
            return [
                f"{why}: Killed process {pid} ({comm}) {sizes}, shmem-rss:0kB, UID:0 pgtables:400kB oom_score_adj:0"
            ]
        sizes += ", shmem-rss:0kB" if self.version >= (4, 5) or self.enterprise == "el7-1160" else ""
        who = {"el6-754": f"{pid}, UID 0, ({comm})", "el7-1160": f"{pid} ({comm}), UID 0,"}.get(
            self.enterprise, f"{pid} ({comm})"
        )
        return [f"{why}: Kill process {pid} ({comm}) score 917 or sacrifice child", f"Killed process {who} {sizes}"]

    def slub(self, node: int, mask: str) -> str:
        """The head of SLUB's report."""
        if self.version >= (6, 12):
            return f"SLUB: Unable to allocate memory on CPU 1 (of node 0) on node {node}, gfp={mask}"
        return f"SLUB: Unable to allocate memory on node {node}" + (f", gfp={mask}" if self.names else f" (gfp={mask})")


KERNELS = [
    Kernel("2.6.32-754.el6.x86_64", (2, 6), "old"),
    Kernel("3.2.0-6-amd64", (3, 2), "old"),
    Kernel("3.10.0-514.el7.x86_64", (3, 10), "old"),
    Kernel("3.10.0-1160.el7.x86_64", (3, 10), "old"),
    Kernel("3.16.0-11-amd64", (3, 16), "old"),
    Kernel("4.4.0-210-generic", (4, 4), "4.4"),
    Kernel("4.9.0-19-amd64", (4, 9), "4.4"),
    Kernel("4.14.336-amzn2.x86_64", (4, 14), "4.10"),
    Kernel("4.18.0-147.el8.x86_64", (4, 18), "4.18"),
    Kernel("4.19.0-26-amd64", (4, 19), "4.18"),
    Kernel("5.4.0-182-generic", (5, 4), "5.1"),
    Kernel("5.10.0-46-amd64", (5, 10), "5.1"),
    Kernel("5.15.0-105-generic", (5, 15), "5.1"),
    Kernel("6.1.0-56-amd64", (6, 1), "5.1"),
    Kernel("6.6.52-0-lts", (6, 6), "6.3"),
    Kernel("6.12.107+deb13-amd64", (6, 12), "6.3"),
    Kernel("6.18.2-arch1-1", (6, 18), "6.3"),
    Kernel("7.2.13+deb14-amd64", (7, 2), "6.3"),
    Kernel("5.10.0-46-arm64", (5, 10), "5.1", "arm64"),
    Kernel("6.12.107+deb13-arm64", (6, 12), "6.3", "arm64"),
    Kernel("6.12.107+deb13-arm64-16k", (6, 12), "6.3", "arm64", 16384, 12),
    Kernel("5.15.0-105-generic-64k", (5, 15), "5.1", "arm64", 65536, 14),
]


def mask(kernel: Kernel, *flags: str) -> int:
    value = 0
    for flag in flags:
        value |= GFP[kernel.era][flag]
    return value


def shown(kernel: Kernel, *flags: str) -> str:
    """The mask as the kernel prints it."""
    text = f"{mask(kernel, *flags):#x}"
    if kernel.names:
        text += "(" + "|".join(flag if flag.startswith("GFP_") else "__GFP_" + flag for flag in flags) + ")"
    return text
