# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""moments.py SECONDS: prints, each so many seconds, the kernel's files of one moment as a line of JSON. Runs on the machine.

The line is {file of a capture: its text}, with "uptime" in seconds and "kernel_log": what the kernel has said since the line before. Free
memory changes all the time: the indices belong to the free lists, since those were the same before and after.
"""

import ctypes
import errno
import json
import os
import sys
import time

FILES = {
    "extfrag_index": "/sys/kernel/debug/extfrag/extfrag_index",
    "unusable_index": "/sys/kernel/debug/extfrag/unusable_index",
    "pagetypeinfo": "/proc/pagetypeinfo",
    "zoneinfo": "/proc/zoneinfo",
    "buddyinfo": "/proc/buddyinfo",
    "meminfo": "/proc/meminfo",
    "pressure_memory": "/proc/pressure/memory",
    "slabinfo": "/proc/slabinfo",
    "thp_enabled": "/sys/kernel/mm/transparent_hugepage/enabled",
    "version": "/proc/version",
    "vmstat": "/proc/vmstat",
}
# Of which the free lists have to be the same.
FIRST = ("extfrag_index", "unusable_index", "pagetypeinfo", "zoneinfo")
TRIES = 500


def read(name):
    with open(FILES[name], encoding="utf-8") as stream:
        return stream.read()


def settings():
    found = []
    for key in sorted(os.listdir("/proc/sys/vm")):
        try:
            with open("/proc/sys/vm/" + key, encoding="utf-8") as stream:
                found.append(f"vm.{key} = {stream.read().strip()}\n")
        except OSError:
            # Some can only be written.
            pass
    return "".join(found)


def moment():
    for _try in range(TRIES):
        before = read("buddyinfo")
        texts = {name: read(name) for name in FIRST}
        if read("buddyinfo") == before:
            texts["buddyinfo"] = before
            break
        time.sleep(0.02)
    else:
        return None
    texts.update({name: read(name) for name in FILES if name not in texts})
    return dict(texts, **{"sysctl-vm": settings()})


def said(log):
    """Lines that the kernel has said since, as dmesg prints them."""
    lines = []
    while True:
        try:
            about, _semicolon, text = os.read(log, 8192).decode("utf-8", "replace").partition(";")
        except OSError as error:
            if error.errno == errno.EPIPE:
                # Overwritten before it was read.
                continue
            return lines
        lines.append(f"[{int(about.split(',')[2]) / 1e6:12.6f}] " + text.partition("\n")[0])


def main():
    ctypes.CDLL(None).mlockall(1)
    log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    said(log)
    due = time.monotonic()
    while True:
        found = moment()
        if found:
            found.update(uptime=round(time.monotonic(), 1), kernel_log=said(log))
            print(json.dumps(found), flush=True)
        due = max(due + float(sys.argv[1]), time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


main()
