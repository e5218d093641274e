# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated machine: zones with free lists and watermarks, and the page allocator's own decision about a request.

It is written from mm/page_alloc.c and shares nothing with the library: an oracle that asks the library proves nothing.
"""

from __future__ import annotations

import dataclasses
import random

from kernels import Kernel


@dataclasses.dataclass
class Zone:
    node: int
    name: str
    managed: int  # pages, as all amounts here
    min: int
    low: int
    high: int
    reserve: list[int]  # lowmem_reserve, by the zone class of the request
    blocks: list[int]  # free blocks per order
    letters: list[str]  # migratetypes with a block, per order
    highatomic: int = 0
    cma: int = 0

    @property
    def free(self) -> int:
        return sum(count << order for order, count in enumerate(self.blocks))


@dataclasses.dataclass
class Machine:
    kernel: Kernel
    zones: list[Zone]

    def usable(self, request_class: int) -> list[Zone]:
        """The zonelist: zones of the request's class and below, highest first."""
        return [zone for zone in self.zones if CLASSES.index(zone.name) <= request_class]

    def serves(self, zone: Zone, order: int, request_class: int, atomic: bool = False, mark: str = "min") -> bool:
        """__zone_watermark_ok(): would the zone serve a request of ``order``?"""
        limit = getattr(zone, mark)
        free = zone.free - ((1 << order) - 1)
        if atomic:
            limit -= limit // 2
            limit -= limit // 4
        else:
            free -= zone.highatomic
        free -= zone.cma
        if free <= limit + zone.reserve[request_class]:
            return False
        if self.kernel.scaled:
            left, need = zone.free - ((1 << order) - 1), limit
            for smaller in range(order):
                left -= zone.blocks[smaller] << smaller
                need >>= 1
                if left <= need:
                    return False
            return True
        open_to_it = set("UMER") | ({"H"} if atomic else set())
        return not order or any(
            count and set(letters) & open_to_it
            for count, letters in zip(zone.blocks[order:], zone.letters[order:], strict=True)
        )

    def verdict(self, order: int, request_class: int, atomic: bool = False) -> str:
        """Why the request fails: "shortage" (order 0 would fail as well), "fragmentation", or "served"."""
        zones = self.usable(request_class)
        if any(self.serves(zone, order, request_class, atomic) for zone in zones):
            return "served"
        if any(self.serves(zone, 0, request_class, atomic) for zone in zones):
            return "fragmentation"
        return "shortage"


CLASSES = ("DMA", "DMA32", "Normal", "Movable")
NORMAL = 2


def machine(kernel: Kernel, chance: random.Random) -> Machine:
    """A machine with empty free lists: 1 to 256 GiB, one or two NUMA nodes, watermarks as the kernel sets them."""
    page_kb = kernel.page_size // 1024
    total = int(2 ** chance.uniform(20, 28)) // page_kb  # pages
    nodes = chance.choice((1, 1, 1, 2))
    layout = (
        [(0, "DMA", 15900 // page_kb)]
        if kernel.machine == "x86"
        else [(0, "DMA", min(total // 2, (3 << 20) // page_kb))]
    )
    if kernel.machine == "x86":
        layout.append((0, "DMA32", min(total * 3 // 4, (3 << 20) // page_kb)))
    left = max(total - sum(size for _node, _zone, size in layout), total // 5)
    layout += [(node, "Normal", left // nodes) for node in range(nodes)]
    lowmem_kb = sum(size for _node, _zone, size in layout) * page_kb
    min_free = max(128, min(int((lowmem_kb * 16) ** 0.5), 262144)) * chance.choice((1, 1, 1, 4, 12))
    min_free = min(min_free, lowmem_kb // 25) // page_kb
    zones = []
    for index, (node, name, size) in enumerate(layout):
        lowest = max(4, min_free * size * page_kb // lowmem_kb)
        higher = sum(other[2] for other in layout[index + 1 :] if other[0] == node)
        own = CLASSES.index(name)
        reserve = [0 if cls <= own else higher // 256 for cls in range(len(CLASSES))]
        zones.append(
            Zone(
                node,
                name,
                size,
                lowest,
                lowest * 5 // 4,
                lowest * 3 // 2,
                reserve,
                [0] * kernel.orders,
                [""] * kernel.orders,
            )
        )
    return Machine(kernel, zones)


def fill(made: Machine, zone: Zone, pages: int, largest: int, chance: random.Random) -> None:
    """Free about so many pages in blocks of at most order ``largest``, most of them small."""
    zone.blocks = [0] * made.kernel.orders
    largest = min(largest, made.kernel.orders - 1)
    weights = [2.0 ** -(order * chance.uniform(0.2, 0.9)) for order in range(largest + 1)]
    for order in range(largest, -1, -1):
        share = pages * weights[order] / sum(weights)
        zone.blocks[order] = int(share) >> order
    zone.blocks[0] += max(0, pages - zone.free)
    types = "UME" if "H" in made.kernel.letters else "UEM"
    for order, count in enumerate(zone.blocks):
        zone.letters[order] = "".join(letter for letter in types if chance.random() < 0.7) or "M" if count else ""
