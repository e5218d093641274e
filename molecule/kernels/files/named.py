# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether whoever takes pageblocks is named, and whoever holds them: ``named.py KIND``, one of holders.py. Only for machines that nobody needs.

Starts it beside a bystander, watches both take memory, and surveys every pageblock while they hold it. Prints JSON, of it "wrong": what
is not called what it is. The collection's library is in ansible_collections/ beside this file.
"""

import json
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _fragmenters, _hugepages
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

HERE = sys.path[0]
NODE = WritableNode("/")
# So much is taken in about so many seconds, from when the watch has begun; and so long it goes on.
MEGABYTES, SECONDS, WATCHED = 220, 8, 40
HOLDER, BYSTANDER = "lab-holder", "lab-bystander"
# What the survey is to call it, which slab cache is to be the largest, and the functions through which its pages are asked for.
EXPECTED = {
    "pipes": ("kernel", None, "(anon_)?pipe_(write|prefill_and_lock)"),
    "sockets": ("kernel", None, "(alloc_skb_with_frags|sock_alloc_send_pskb|__alloc_skb)"),
    "page_tables": ("page_table", None, "(__)?pte_alloc"),
    "slab": ("slab", "(kmalloc-(cg-)?|msg_msg-)4k", "load_msg"),
    # Huge pages are movable to the kernel, and take pageblocks from nobody for good.
    "hugetlb": ("hugetlb", None, None),
}


def systemctl(*words):
    subprocess.run(["systemctl", *words], check=True)


def start(unit, kind, megabytes):
    command = [
        "systemd-run",
        "--quiet",
        "--collect",
        "--service-type=notify",
        f"--unit={unit}",
        "--property=LimitNOFILE=65536",
    ]
    command += [
        "--property=TimeoutStartSec=300",
        sys.executable,
        f"{HERE}/holders.py",
        kind,
        str(megabytes),
        str(SECONDS),
    ]
    subprocess.run(command, check=True)


def surveyed():
    """-> the facts of every pageblock of Normal: {kind: pageblocks}, and the name of the largest slab cache"""
    facts = _facts.collect(
        NODE,
        ["!all", "!min", "zones", "migratetypes", "slab", "sysctl", "pageblocks"],
        survey=lambda node, facts: _hugepages.collect(node, facts, None),
    )
    held = {}
    for zone in facts["pageblock_survey"]["zones"]:
        for kind, count in zone["held_by"].items() if zone["zone"] == "Normal" else ():
            held[kind] = held.get(kind, 0) + count
    return held, facts["slab"]["caches"][0]["name"]


def main():
    kind = sys.argv[1]
    # What the kernel took before and gave back stays among its own: for who comes next it is to be for movable pages again.
    subprocess.run([sys.executable, f"{HERE}/holders.py", "none"], check=True, stdout=subprocess.DEVNULL)
    before = surveyed()[0]
    start(HOLDER, kind, MEGABYTES)
    start(BYSTANDER, "bystander", 40)
    threading.Timer(3, systemctl, ("kill", "--signal=USR1", HOLDER, BYSTANDER)).start()
    try:
        watch = _fragmenters.watch(NODE, WATCHED)
        held, cache = surveyed()
    finally:
        systemctl("stop", HOLDER, BYSTANDER)
    answer = {
        "kind": kind,
        "before": before,
        "held_by": held,
        "cache": cache,
        "watch": dict(watch, fragmenters=watch["fragmenters"][:5]),
    }
    json.dump(dict(answer, wrong=wrong(kind, before, held, cache, watch)), sys.stdout)


def wrong(kind, before, held, cache, watch):
    """[what is not called what it is]"""
    holder, largest, function = EXPECTED[kind]
    said = []
    # The kind that has come to hold the most pageblocks, of those that stay.
    come = {name: count - before.get(name, 0) for name, count in held.items() if name not in ("movable", "reserved")}
    named = max(sorted(come), key=come.get)
    most = max((name for name in held if name not in ("movable", "reserved")), key=held.get)
    if (named, most) != (holder, holder):
        said.append(f"most pageblocks are held by {most}, most more by {named}, not by {holder}")
    if largest and not re.match(largest, cache):
        said.append(f"the largest slab cache is {cache}, not {largest}")
    if watch["overrun"] or watch["stopped_early"]:
        said.append("the watch has not seen all")
    polluters = [row for row in watch["fragmenters"] if row["pollutes"]]
    worst = polluters[0] if polluters else {"comm": None, "function": None, "cgroup": None}
    if function and (worst["comm"], worst["cgroup"]) != (f"lab-{kind}", f"/system.slice/{HOLDER}.service"):
        said.append(f"the worst is said to be {worst['comm']} of {worst['cgroup']}")
    if function and not re.match(function, worst["function"] or ""):
        said.append(f"it is said to take them in {worst['function']}")
    beside = sum(row["pageblocks"] for row in polluters if row["comm"] == "lab-bystander")
    if function and beside * 10 > sum(row["pageblocks"] for row in polluters):
        said.append(f"the bystander is said to have taken {beside} pageblocks")
    return said


main()
