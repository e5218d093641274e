# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""snapshot.py DIRECTORY: copies of the kernel's files of one moment, as a root tree.

Free memory changes all the time. The indices belong to the free lists if those were the same before and after.
"""

import os
import sys
import time

BUDDYINFO = "/proc/buddyinfo"
INDICES = ("/sys/kernel/debug/extfrag/extfrag_index", "/sys/kernel/debug/extfrag/unusable_index")
OTHERS = ("/proc/zoneinfo", "/proc/meminfo", "/proc/version", "/proc/vmstat", "/proc/pagetypeinfo")


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def main():
    for _try in range(500):
        before = read(BUDDYINFO)
        texts = {path: read(path) for path in INDICES}
        if read(BUDDYINFO) == before:
            break
        time.sleep(0.05)
    else:
        sys.exit("free memory never stood still")
    texts[BUDDYINFO] = before
    texts.update((path, read(path)) for path in OTHERS)
    for path, text in texts.items():
        target = sys.argv[1] + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            stream.write(text)


main()
