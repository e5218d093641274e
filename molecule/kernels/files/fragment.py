# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Breaks up the memory of a machine, for real; no kernel module needed. Only for machines that nobody needs.

  fragment.py movable       most of the memory in single anonymous pages, of which one in nine stays: compaction mends it
  fragment.py unmovable     most of the memory in pipes, written page by page in turn, of which one in fifteen stays:
                            those pages cannot be moved, compaction does not mend it
  fragment.py mixed         half of the memory the one way, half of it the other
  fragment.py slab          a third of the memory in objects of a slab cache, the rest in anonymous pages, of which one in nine stays
  fragment.py fail ORDER    makes the kernel ask for one block of ORDER: it reports a page allocation failure if there is none
  fragment.py eat           takes memory until it is killed

The first four hold that until they are ended. They take the larger blocks as well, those that are left and those that come back,
until they get SIGUSR1: from then on what becomes free stays free. They tell systemd when memory is fragmented, and are called
"soaked" once no more blocks come back.
"""

import contextlib
import ctypes
import fcntl
import mmap
import os
import re
import resource
import signal
import socket
import struct
import sys
import time

PAGE = mmap.PAGESIZE
STEP = 4 << 20
# So much stays free above the zones' high watermarks while memory is taken; with less, the kernel kills.
LEAVE_KB = 9 * 1024
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 20
SOL_PACKET, PACKET_RX_RING = 263, 5
# Of how many pages one stays. Odd numbers: with two NUMA nodes in turn, an even one would keep pages of one node only.
MOVABLE_KEEP, UNMOVABLE_KEEP = 9, 15
# Blocks of this order (64 kB) and larger are taken.
SMALLEST_SOAKED = 4
# So much is asked for at once.
SOAK_BYTES = 2 << 20
# After so many seconds without a larger block nobody gives any back any more.
QUIET_SECONDS = 3
FAIL_TRIES = 100
THRESHOLD = "/proc/sys/vm/extfrag_threshold"


def free_kb():
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("MemFree:"))


def zones():
    """{zone as in /proc/buddyinfo: {free, min, high, managed, reserve}} in pages.

    reserve   what the zone keeps from those who could do with another (lowmem_reserve): on a machine of 8 GiB all of DMA and DMA32
    """
    found = {}
    with open("/proc/zoneinfo", encoding="ascii") as lines:
        for line in lines:
            words = re.sub("[(),]", " ", line).split()
            if words[0] == "Node" and "zone" in words:
                zone = found[" ".join(words)] = {}
            elif line.startswith("  pages free "):
                zone["free"] = int(words[2])
            elif words[0] in ("min", "high", "managed"):
                zone[words[0]] = int(words[1])
            elif words[0] == "protection:":
                zone["reserve"] = max(map(int, words[1:]))
    return found


def floor_kb():
    pages = sum(min(zone["managed"], zone["high"] + zone["reserve"]) for zone in zones().values())
    return LEAVE_KB + pages * PAGE // 1024


def movable(keep=MOVABLE_KEEP, floor=None):
    held, floor = [], floor or floor_kb()
    while free_kb() > floor:
        area = mmap.mmap(-1, STEP, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        area.madvise(mmap.MADV_NOHUGEPAGE)
        for offset in range(0, STEP, PAGE):
            area[offset] = 1
        held.append(area)
    for area in held:
        for offset in range(0, STEP, PAGE * keep):
            length = min(PAGE * (keep - 1), STEP - offset - PAGE)
            if length:
                area.madvise(mmap.MADV_DONTNEED, offset + PAGE, length)
    return held


def unmovable(keep=UNMOVABLE_KEEP, floor=None):
    held, page, floor = [], bytes(PAGE), floor or floor_kb()
    while free_kb() > floor:
        group = []
        for _kept in range(keep):
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            fcntl.fcntl(writer, F_SETPIPE_SZ, PIPE_BYTES)
            group.append((reader, writer))
        held.append(group)
        for count in range(PIPE_BYTES // PAGE):
            # A group is a lot of memory: look more often than once a group.
            if count % 16 == 0 and free_kb() <= floor:
                break
            for _reader, writer in group:
                os.write(writer, page)
    for group in held:
        for reader, writer in group[1:]:
            os.close(reader)
            os.close(writer)
    return held


def mixed():
    # What the pipes give back is not for the others to take: it is to stay free among pipes.
    floor = floor_kb()
    half = (floor + free_kb()) // 2
    held = unmovable(floor=half)
    return held, movable(floor=max(floor, free_kb() - (half - floor)))


def slab():
    import holders  # For this alone: others bring this file and no other.

    objects = holders.slab()
    return [next(objects) for _mb in range(free_kb() // 3 >> 10)], movable()


def free_blocks():
    """Free blocks of each order, of all zones that give one: whoever asks for the others' waits for reclaim, and gets nothing.

    mm/page_alloc.c, __zone_watermark_ok()
    """
    about = zones()
    with open("/proc/buddyinfo", encoding="ascii") as lines:
        rows = [line.replace(",", " ").split() for line in lines]
    counts = [0] * len(rows[0][4:])
    for row in rows:
        zone = about[" ".join(row[:4])]
        for order, count in enumerate(map(int, row[4:])):
            if zone["free"] - (1 << order) + 1 > zone["min"] + zone["reserve"]:
                counts[order] += count
    return counts


@contextlib.contextmanager
def no_compaction():
    """With 1000 the kernel does not compact for those who ask for blocks, so that they get what is there, or nothing.

    Neither does kcompactd, which they wake, a moment later.
    """
    write(THRESHOLD, "1000")
    try:
        yield
    finally:
        write(THRESHOLD, "500")


def soak():
    """-> rings that hold the larger blocks there were: the ring of a packet socket has blocks of any order."""
    rings = []
    for order in reversed(range(SMALLEST_SOAKED, len(free_blocks()))):
        most, count = SOAK_BYTES // (PAGE << order) or 1, 1
        while count and free_blocks()[order]:
            ring = packet_ring(order, min(count, free_blocks()[order]))
            if ring:
                rings.append(ring)
                count = min(2 * count, most)
            else:
                # Not so many, or none at all: the zones keep the others back.
                count = 1 if count > 1 else 0
    return rings


def packet_ring(order, count):
    """-> a socket with a ring of ``count`` blocks, None if there were not so many."""
    ring = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    # struct tpacket_req: size and number of the blocks, size and number of the frames in them
    request = struct.pack("IIII", PAGE << order, count, PAGE, count << order)
    try:
        ring.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
    except OSError:
        ring.close()
        return None
    # Where the kernel has no block, it makes one up of single pages, which are not to be scattered about.
    if made_up_blocks(order):
        ring.close()
        return None
    return ring


def made_up_blocks(order):
    """How many blocks of packet rings are of single pages; behind each the kernel leaves a page of addresses unused."""
    size = str((PAGE << order) + PAGE)
    with open("/proc/vmallocinfo", encoding="ascii") as lines:
        return sum("packet_set_ring" in line and line.split()[1] == size for line in lines)


def fail(order):
    """A perf ring buffer keeps its list of pages in one piece of contiguous memory, eight bytes per page and a header.

    So one of 2**(order + 8) pages needs a block of ``order``, before it needs any of its pages.
    """
    pages = 1 << (order + 8)
    # struct perf_event_attr: type PERF_TYPE_SOFTWARE, size, config PERF_COUNT_SW_DUMMY
    attributes = struct.pack("IIQ", 1, 112, 9).ljust(112, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    event = libc.syscall(298, attributes, 0, -1, -1, 0)
    if event < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open: " + os.strerror(ctypes.get_errno()))
    rings = []
    with no_compaction():
        # The kernel reclaims for it, and so it may come by a block all the same; that one is taken next time.
        for _try in range(FAIL_TRIES):
            rings.append(soak())
            try:
                mmap.mmap(event, (pages + 1) * PAGE).close()
            except OSError as error:
                print(f"refused, as it should be: {error}")
                return
    sys.exit(f"the kernel had a block of order {order}, again and again")


def eat():
    held = []
    while True:
        held.append(bytearray(os.urandom(1) * STEP))


def interleave():
    """Take memory from all NUMA nodes in turn: set_mempolicy(MPOL_INTERLEAVE, all nodes)."""
    with open("/sys/devices/system/node/online", encoding="ascii") as text:
        nodes = int(text.read().strip().rpartition("-")[2] or 0) + 1
    ctypes.CDLL(None).syscall(238, 3, ctypes.byref(ctypes.c_ulong((1 << nodes) - 1)), 64)


FRAGMENTS = {one.__name__: one for one in (movable, unmovable, mixed, slab)}


def write(path, text):
    if os.path.exists(path):
        with open(path, "w", encoding="ascii") as setting:
            setting.write(text)


def ready():
    """sd_notify(3)"""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.send(b"READY=1")


def hold(fragment):
    """Fragment memory, take the blocks that come back until SIGUSR1, and hold it all."""
    soaking, quiet = [True], 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    signal.signal(signal.SIGUSR1, lambda *_: soaking.clear())
    with no_compaction():
        held = [fragment(), soak()]
        ready()
        # Whoever waited for that ends now, and what it had used comes back in one piece.
        while soaking:
            time.sleep(1)
            held.append(soak())
            quiet = 0 if held[-1] else quiet + 1
            if quiet == QUIET_SECONDS:
                write("/proc/self/comm", "soaked")
    while True:
        signal.pause()


def main():
    if sys.argv[1] != "eat":
        # Otherwise the page cache makes way in whole runs of pages while memory is taken.
        write("/proc/sys/vm/drop_caches", "3")
        # MCL_CURRENT: a program that has to read itself from disk again and again does not get anywhere.
        ctypes.CDLL(None).mlockall(1)
    if sys.argv[1] in FRAGMENTS:
        # The kernel is not to mend by itself, half a second later, what is to be audited (Linux 5.9 and later).
        write("/proc/sys/vm/compaction_proactiveness", "0")
        interleave()
        hold(FRAGMENTS[sys.argv[1]])
    elif sys.argv[1] == "fail":
        fail(int(sys.argv[2]))
    else:
        eat()


main()
