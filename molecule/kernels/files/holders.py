# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes memory for one purpose and holds it until it is ended: ``holders.py KIND MB [SECONDS]``. Only for machines that nobody needs.

``holders.py none`` takes most of the memory that is free for itself and gives it back: pageblocks that had become the kernel's are for
pages that move again, so that the next one has to take them anew.

  pipes        data in pipes, a page for each write
  sockets      data in pairs of Unix sockets
  slab         System V messages, each of which fills an object of a slab cache (kmalloc-4k, since 6.11 msg_msg-4k)
  page_tables  a large mapping of which one page in each 2 MiB was looked at: a page table for each, and nothing else
  hugetlb      the pool of huge pages
  bystander    memory of its own and pages of a file, given back and taken again: nothing that could not be moved

With SECONDS the memory is taken bit by bit in about that time, once the process got SIGUSR1. Its name is that of the kind, as in
"lab-pipes".
"""

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import time

PAGE = mmap.PAGESIZE
MB = 1 << 20
F_SETPIPE_SZ = 1031
PIPE_BYTES = MB
HUGE_PAGE = 2 * MB
SO_SNDBUFFORCE = 32
CLONE_NEWIPC = 0x08000000
MAP_NORESERVE = 0x4000
# System calls of x86-64.
MSGGET, MSGSND = 68, 69
# With its header (struct msg_msg, 48 bytes) a message of this size fills a page (ipc/msgutil.c, DATALEN_MSG).
MESSAGE = PAGE - 48
POOL = "/proc/sys/vm/nr_hugepages"

# Each is a generator: of what it takes a MB, and yields what is to be kept of it.


def pipes():
    page = bytes(PAGE)
    while True:
        reader, writer = os.pipe()
        fcntl.fcntl(writer, F_SETPIPE_SZ, PIPE_BYTES)
        for _page in range(PIPE_BYTES // PAGE):
            os.write(writer, page)
        yield reader, writer


def sockets():
    chunk = bytes(MB // 32)
    while True:
        near, far = socket.socketpair()
        near.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4 * MB)
        near.setblocking(False)
        sent = 0
        while sent < MB:
            sent += near.send(chunk)
        yield near, far


def slab():
    libc = ctypes.CDLL(None, use_errno=True)
    # A namespace of its own goes with the process, and its messages with it.
    if libc.unshare(CLONE_NEWIPC):
        sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
    for name, most in (("msgmax", MESSAGE), ("msgmnb", 64 * MB)):
        write("/proc/sys/kernel/" + name, str(most))
    message = ctypes.create_string_buffer(struct.pack("l", 1) + bytes(MESSAGE))
    while True:
        queue = libc.syscall(MSGGET, 0, 0o600)
        for _mb in range(32):
            for _object in range(MB // PAGE):
                if libc.syscall(MSGSND, queue, message, ctypes.c_size_t(MESSAGE), 0):
                    sys.exit("msgsnd: " + os.strerror(ctypes.get_errno()))
            yield queue


def page_tables():
    while True:
        # A page table maps 2 MiB: so many of them are a MB.
        area = mmap.mmap(-1, MB // PAGE * HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
        area.madvise(mmap.MADV_NOHUGEPAGE)
        for offset in range(0, len(area), HUGE_PAGE):
            area[offset]
        yield area


def hugetlb():
    for half in range(1 << 30):
        if half % 2:
            write(POOL, str((half + 1) // 2))
        yield None


def bystander():
    stored, page = tempfile.TemporaryFile(dir="/var/tmp"), bytes(PAGE)  # noqa: SIM115
    while True:
        area = mmap.mmap(-1, MB // 2, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for offset in range(0, len(area), PAGE):
            area[offset] = 1
        for _page in range(MB // 2 // PAGE):
            stored.write(page)
        if stored.tell() > 16 * MB:
            stored.seek(0)
            stored.truncate()
        yield area


def none():
    """As much as is free, but for what the machine lives on; -> MB."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemFree:"))
    amount = max(0, free // 1024 - 48)
    area = mmap.mmap(-1, amount * MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for offset in range(0, amount * MB, PAGE):
        area[offset] = 1
    return amount


KINDS = {one.__name__: one for one in (pipes, sockets, slab, page_tables, hugetlb, bystander)}


def write(path, text):
    with open(path, "w", encoding="ascii") as setting:
        setting.write(text)


def ready():
    """sd_notify(3)"""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.send(b"READY=1")


def main():
    if sys.argv[1] == "none":
        print(none())
        return
    kind, amount = sys.argv[1], int(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    write("/proc/self/comm", "lab-" + kind)
    source, held = KINDS[kind](), []
    if seconds:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        ready()
        signal.sigwait([signal.SIGUSR1])
    for _mb in range(amount):
        held.append(next(source))
        time.sleep(seconds / amount)
    if not seconds:
        ready()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        while True:
            signal.pause()
    finally:
        if kind == "hugetlb":
            write(POOL, "0")


if __name__ == "__main__":
    main()
