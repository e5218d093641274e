# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel's tracepoints tell of a compaction (include/trace/events/compaction.h, kmem.h), and what follows from that.

A promise assumes where the two scanners meet, what resists, and what per-cpu lists keep and give back. told() says what they were;
explained() counts the blocks that come of a survey with this in the place of what was assumed.
"""

import contextlib
import os
import re

TRACE = "/sys/kernel/tracing/instances/lab-trial"
EVENTS = ("begin", "isolate_migratepages", "migratepages", "end")
DRAIN, COUNT = TRACE + "/events/kmem/mm_page_pcpu_drain/", "hist:keys=migratetype"
LINE = re.compile(r"-(\d+) +\[(\d+)\].*: mm_compaction_(\w+): (.*)")
FIELD = re.compile(r"(\w+)=\(?(0x)?([0-9a-f]+)\b")


def write(path, text):
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


@contextlib.contextmanager
def tracing():
    """-> told(), as long as it lasts.

    The buffer is of pages of the kernel's own, and stands among those that are to be moved: as small as may be, and there before anything
    is promised. 32 pages that are moved take three events.
    """
    os.mkdir(TRACE)
    try:
        write(TRACE + "/buffer_size_kb", str(max(256, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20)))
        if os.path.exists(DRAIN + "hist"):
            write(DRAIN + "trigger", COUNT)
        for event in EVENTS:
            write(f"{TRACE}/events/compaction/mm_compaction_{event}/enable", "1")
        yield told
    finally:
        if os.path.exists(DRAIN + "hist"):
            write(DRAIN + "trigger", "!" + COUNT)
        os.rmdir(TRACE)


def told():
    """-> {"zones": {first page frame: what was told of that zone, as nothing() has it}, "sums", "drained": pages that all per-cpu lists gave
    back, None where this kernel does not count, "lost": events that found no room}"""
    zones, sums, at = {}, {"nr_migrated": 0, "nr_failed": 0}, {}
    for pid, cpu, event, rest in LINE.findall(read(TRACE + "/trace")):
        fields = {name: int(digits, 16 if hexadecimal else 10) for name, hexadecimal, digits in FIELD.findall(rest)}
        if event == "begin":
            at[pid] = zones.setdefault(fields["zone_start"], nothing())
        elif event == "end":
            zone = zones.setdefault(fields["zone_start"], nothing())
            zone["ends"].append(rest)
            zone["cpu"] = int(cpu)
            at.pop(pid, None)
        elif pid in at:
            zone = at[pid]
            if event == "isolate_migratepages" and fields["nr_taken"]:
                zone["taken"].append([fields["range"], fields["nr_taken"]])
            elif event == "migratepages":
                zone["failed"] += fields["nr_failed"]
                if fields["nr_failed"] and zone["taken"]:
                    zone["stuck"].append(zone["taken"][-1][0])
                for name in sums:
                    sums[name] += fields[name]
    lost = sum(
        int(count)
        for cpu in os.listdir(TRACE + "/per_cpu")
        for count in re.findall(r"^overrun: (\d+)", read(f"{TRACE}/per_cpu/{cpu}/stats"), re.MULTILINE)
    )
    hits = re.search(r"Hits: (\d+)", read(DRAIN + "hist")) if os.path.exists(DRAIN + "hist") else None
    return {"zones": zones, "sums": sums, "drained": int(hits.group(1)) if hits else None, "lost": lost}


def nothing():
    """taken: [[page frame, pages that were isolated from there on]], stuck: [page frames of those of which some could not be moved], failed:
    how many could not, ends: [the scanners, and why they ended], cpu: the one it ran on at last"""
    return {"taken": [], "stuck": [], "failed": 0, "ends": [], "cpu": None}


def on_lists(node, zone):
    """{CPU: pages on its list of this zone}"""
    text = read("/proc/zoneinfo").partition(f"Node {node}, zone {zone:>8}\n")[2]
    text = re.split("^Node ", text, flags=re.MULTILINE)[0]
    return {int(cpu): int(count) for cpu, count in re.findall(r"cpu: (\d+)\n\s+count: +(\d+)", text)}


def explained(before, after, story, listed):
    """-> {blocks: those that follow, reached, emptied, stuck, kept, came_back: pageblocks, failed, listed: pages, free_scanner: where it ended}

    before, after   the zone by every pageblock, as _pageblocks.Zone
    story, listed   of told(); pages that the list of its CPU keeps of what was freed
    """

    def place(frame):
        return frame // before.size - before.first

    pages = {}
    for frame, count in story["taken"]:
        pages[place(frame)] = pages.get(place(frame), 0) + count
    stuck, kept, left = {place(frame) for frame in story["stuck"]}, set(), listed
    # What was freed last is still there.
    for index in sorted(pages, reverse=True):
        if left <= 0:
            break
        left -= pages[index]
        kept.add(index)
    emptied = {
        index
        for index, count in pages.items()
        if index not in stuck and count >= before.surveyed[index].movable and before.surveyed[index].clean[-1] == 1
    }
    whole = {index for index, block in enumerate(after.surveyed) if block.pages and block.free == block.pages}
    untouched = {
        index for index in whole if before.surveyed[index].free == before.surveyed[index].pages and index not in pages
    }
    # Nothing but pages without a flag was in the way, and they are gone.
    back = {index for index in whole if before.surveyed[index].unflagged}
    return {
        "blocks": len((emptied - kept) | untouched | back),
        "reached": max(pages) + 1 if pages else 0,
        "emptied": len(emptied),
        "stuck": len(stuck),
        "kept": len(emptied & kept),
        "came_back": len(back),
        "failed": story["failed"],
        "listed": listed,
    }


def in_words(about, drained, moved):
    return (
        f"by its tracepoints {about['blocks']}: mm_compaction_isolate_migratepages emptied {about['emptied']} of the first {about['reached']} "
        f"pageblocks, mm_compaction_migratepages failed for {about['failed']} pages in {about['stuck']}, the list of its CPU keeps "
        f"{about['listed']} pages of {about['kept']}, {about['came_back']} had pages on lists"
        + ("" if drained is None else f" (mm_page_pcpu_drain: {drained}, for {moved} that were moved)")
    )
