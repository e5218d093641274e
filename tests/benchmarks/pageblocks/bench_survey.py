# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a survey of the pageblocks costs on machines of 24 GiB and 4 TiB, and with pages of 64 KiB: CPU seconds and peak memory.

usage: PYTHONPATH=<a directory with ansible_collections/kernelops/memfrag> bench_survey.py [--rounds 3] [--limit-seconds 0.3] [--limit-mb 30]

The machines are made up: a sparse /proc/kpageflags, with pages at those pageblocks that the seeded survey draws. Each survey runs in a process
of its own, and what the process had before it (Python, the library, the facts) is not counted. Ends with 1 beyond a limit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _hugepages, _pageblocks
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

SEED = 1
SYSTEMS = {
    "24 GiB, pages of 4 KiB": (24 << 30, 4096, 9),
    "4 TiB, pages of 4 KiB": (4 << 40, 4096, 9),
    "4 TiB, pages of 64 KiB": (4 << 40, 65536, 13),
}
# Flag words of what is on a machine that has run for a while (include/uapi/linux/kernel-page-flags.h).
FREE, LRU, SLAB, KERNEL, TABLE = 1 << 10, 1 << 5 | 1 << 11 | 1 << 12, 1 << 7, 0, 1 << 26

ZONEINFO = """\
Node 0, zone   Normal
  pages free     {free}
        min      16000
        low      20000
        high     24000
        spanned  {pages}
        present  {pages}
        managed  {pages}
        protection: (0, 0, 0)
  start_pfn:           0
"""


def build(root: str, size: int, page_size: int, order: int) -> None:
    pages = size // page_size
    files = {
        "zoneinfo": ZONEINFO.format(free=pages // 4, pages=pages),
        "buddyinfo": "Node 0, zone   Normal " + " ".join([str(pages // 8)] + ["100"] * (order + 1)) + "\n",
        "pagetypeinfo": f"Page block order: {order}\nPages per block:  {1 << order}\n",
        "iomem": f"00000000-{size - 1:x} : System RAM\n",
        "meminfo": f"MemTotal: {size // 1024} kB\nPercpu: 4 kB\n",
    }
    os.makedirs(root + "/proc")
    for name, text in files.items():
        with open(f"{root}/proc/{name}", "w", encoding="ascii") as stream:
            stream.write(text)
    with open(root + "/proc/kpageflags", "wb") as stream:
        stream.truncate(pages * 8)
    # Where the survey looks, it is to see what a machine has.
    chance, places = random.Random(2), []

    class Noting(Node):
        def span_reader(self, path: str) -> object:
            def read(offset: int, length: int) -> bytes:
                places.append((offset, length))
                return b"\0" * length

            return read

    survey(Noting(root), page_size, order)
    with open(root + "/proc/kpageflags", "r+b") as stream:
        for offset, length in places:
            stream.seek(offset)
            stream.write(words(chance, length // 8))


def words(chance: random.Random, count: int) -> bytes:
    """Half of the pageblocks are free and movable pages mixed, the others have something that stays among them."""
    stays = chance.choice([None, None, SLAB, KERNEL, TABLE])
    pages = chance.choices([FREE, LRU], k=count)
    if stays is not None:
        for place in chance.sample(range(count), chance.choice([1, count // 64, count // 4]) or 1):
            pages[place] = stays
    return struct.pack(f"={count}Q", *pages)


def survey(node: Node, page_size: int, order: int) -> dict[str, object]:
    facts = _facts.collect(node, ["zones", "!migratetypes"])
    facts["kernel"].update(page_size=page_size, hugepage_order=order)
    started = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _hugepages.collect(node, facts, _pageblocks.SAMPLE, SEED)
    seen = facts["pageblock_survey"]
    if not seen:
        sys.exit(facts["unavailable"]["pageblocks"])
    return {
        "cpu": time.process_time() - started[0],
        "mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - started[1]) / 1024,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sampled": seen["sampled"],
        "total": seen["total"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit-seconds", type=float, default=0.3)
    parser.add_argument("--limit-mb", type=float, default=30)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(survey(Node(options.one[0]), int(options.one[1]), int(options.one[2]))))
        return 0
    beyond = 0
    for name, (size, page_size, order) in SYSTEMS.items():
        with tempfile.TemporaryDirectory() as work:
            build(work + "/root", size, page_size, order)
            command = [sys.executable, __file__, "--one", work + "/root", str(page_size), str(order)]
            rows = [json.loads(subprocess.check_output(command)) for _round in range(options.rounds)]
        cpu, memory = statistics.median(row["cpu"] for row in rows), max(row["mb"] for row in rows)
        print(
            f"{name}: {rows[0]['sampled']} of {rows[0]['total']} pageblocks, CPU {cpu:.2f} s, memory {memory:.1f} MB more"
            f" (peak of the process {rows[0]['peak']:.0f} MB)"
        )
        beyond |= cpu > options.limit_seconds or memory > options.limit_mb
    return int(beyond)


if __name__ == "__main__":
    sys.exit(main())
