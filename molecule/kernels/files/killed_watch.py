# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills a watch without warning after so many seconds, each of the arguments, and looks at what is left after the next one.

Both ways of watching in turn: the kernel's own counting, and its buffer. The seconds count from the start of the process, which under
an emulated processor takes one to get going. Prints JSON: {kills, instances_found, left}.
"""

import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
INSTANCES = "/sys/kernel/tracing/instances"
OWN = "memfrag-watch"
# What is watched elsewhere must be as it was.
ELSEWHERE = "/sys/kernel/tracing/events/kmem/mm_page_alloc_extfrag"
WATCH = """
import sys
sys.path.insert(0, %r)
from ansible_collections.kernelops.memfrag.plugins.module_utils import _fragmenters
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
if %r == "buffer":
    _fragmenters._count = lambda node, instance: False
print("begins", flush=True)
_fragmenters.watch(WritableNode("/"), %d)
"""


def start(how, seconds):
    """-> a process that is about to watch"""
    process = subprocess.Popen([sys.executable, "-c", WATCH % (HERE, how, seconds)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def state():
    """What the node's tracing looks like."""
    texts = []
    for name in ("enable", "trigger"):
        with open(os.path.join(ELSEWHERE, name), encoding="ascii") as stream:
            texts.append(stream.read())
    return sorted(os.listdir(INSTANCES)), texts


def main():
    before, found, left = state(), 0, []
    for how in ("hist", "buffer"):
        for seconds in map(float, sys.argv[1:]):
            process = start(how, 3)
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            process.wait()
            found += OWN in os.listdir(INSTANCES)
            following = start("hist", 1)
            if following.wait():
                left.append([how, seconds, "the next watch failed"])
            elif state() != before:
                left.append([how, seconds, state()])
    json.dump({"kills": 2 * len(sys.argv[1:]), "instances_found": found, "left": left}, sys.stdout)


main()
