# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection promises of a compaction, and what the kernel then obtains: ``trial.py [DRAWS]``. Only for machines that nobody needs.

Surveys DRAWS samples of the pageblocks, then every one, has the collection compact once with the kernel's tracepoints on, and prints it all
as JSON. The collection's library is in ansible_collections/ beside this file.
"""

import contextlib
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _survey
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import lists, run, target
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import zoneinfo

NODE = WritableNode("/")
ORDER = 9
# What a huge page may come from.
ZONES = ["DMA", "DMA32", "Normal"]
# So many pageblocks a draw looks at: of a large machine as many as the collection does, of a small one a third of them.
DRAWN = min(2000, os.sysconf("SC_PHYS_PAGES") // 512 // 3)
# The full read is within a tenth; of fewer than 40 blocks within four. Those come and go as wholes: the two scanners meet in one and spoil
# the one before, and a page that lists had, or keep, is as good as a pageblock.
WITHIN, WHOLES = 10, 4
TRACE = "/sys/kernel/tracing/instances/lab-trial"
EVENT = re.compile(r": mm_compaction_(\w+): (.*)")
FIELD = re.compile(r"(\w+)=(?:0x)?([0-9a-f]+)")
# Tracepoints (include/trace/events/compaction.h), and which of their fields are added up. The buffer is of pages of the kernel's own, and
# stands among those that are to be moved: as small as may be, and there before anything is promised.
SUMMED = {"migratepages": ("nr_migrated", "nr_failed"), "end": ()}
BUFFER_KB = 256
# No guard is to hold off what is to be measured.
WANTED = {
    "order": ORDER,
    "zones": ZONES,
    "force": True,
    "drop_caches": "none",
    "max_pressure_percent": None,
    "abort_pressure_percent": None,
    "max_load_per_cpu": None,
    "min_free_percent": None,
    "backoff_seconds": 0,
}


def write(path, text):
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)


def name(row):
    return f"{row['node']}/{row['zone']}"


def surveyed(sample, seed=None):
    """-> {zone: the survey of it}, by every pageblock or a sample of them"""
    facts = _facts.collect(
        NODE,
        ["!all", "!min", "zones", "migratetypes", "sysctl", "pageblocks"],
        survey=lambda node, facts: _survey.collect(node, facts, sample, seed),
    )
    if not facts["pageblock_survey"]:
        sys.exit(json.dumps(facts["unavailable"]))
    return {name(zone): zone for zone in facts["pageblock_survey"]["zones"] if zone["zone"] in ZONES}


def interval(zone):
    return {key: zone["yields"][ORDER][key] for key in ("now", "low", "expected", "high", "moved")}


@contextlib.contextmanager
def tracing():
    """-> a function that gives what the kernel said of compactions so far, as said() has it"""
    os.mkdir(TRACE)
    try:
        write(TRACE + "/buffer_size_kb", str(BUFFER_KB))
        for event in SUMMED:
            write(f"{TRACE}/events/compaction/mm_compaction_{event}/enable", "1")
        yield said
    finally:
        os.rmdir(TRACE)


def said():
    """-> {"ends": [a zone's scanners, and why they ended], "sums", "failed": [pages that could not be moved, for each of the ends]}"""
    with open(TRACE + "/trace", encoding="utf-8", errors="replace") as stream:
        events = EVENT.findall(stream.read())
    sums, failed, so_far = {}, [], 0
    for event, rest in events:
        fields = dict(FIELD.findall(rest))
        for field in SUMMED[event]:
            sums[field] = sums.get(field, 0) + int(fields[field])
        # One zone after the other is compacted.
        if event == "end":
            failed.append(sums.get("nr_failed", 0) - so_far)
            so_far += failed[-1]
    return {"ends": [rest for event, rest in events if event == "end"], "sums": sums, "failed": failed}


def by_zone(kernel):
    """-> ({zone: how its compaction ended} of those that the kernel did not go through until its scanners met, {zone: pages that could
    not be moved})"""
    zones, _unparsed = zoneinfo.parse_zoneinfo(NODE.read_text("/proc/zoneinfo"))
    unfinished, failed = {}, {}
    for number, rest in enumerate(kernel["ends"]):
        start = int(re.search(r"zone_start=(0x[0-9a-f]+)", rest).group(1), 16)
        zone = next((name(zone) for zone in zones if zone.get("start_pfn") == start), None)
        failed[zone] = failed.get(zone, 0) + kernel["failed"][number]
        unfinished.pop(zone, None)
        if not rest.endswith("status=complete"):
            unfinished[zone] = rest
    return unfinished, failed


def main():
    with tracing() as kernel:
        answer = trial(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
        answer["kernel"] = kernel()
    answer.update(judged(answer["zones"], *by_zone(answer["kernel"])))
    json.dump(answer, sys.stdout)


def trial(draws):
    lists.give_back(NODE)
    drawn = [surveyed(DRAWN, seed) for seed in range(draws)]
    # As the run does before its own survey: with pages on lists, another one finds another machine.
    lists.give_back(NODE)
    began = time.process_time()
    full = surveyed(None)
    cost = time.process_time() - began
    listed = lists.read(NODE)
    done = run.run(NODE, target.complete(WANTED), remember=False)
    if not done["acted"] or not done["promised"] or done["error"]:
        sys.exit(json.dumps(done))
    kept = lists.read(NODE)
    zones = {
        name(row): {
            "promised": {key: row[key] for key in ("now", "low", "expected", "high")},
            "obtained": row["obtained"],
            "full": interval(full[name(row)]),
            "drawn": [interval(one[name(row)]) for one in drawn],
            "held_by": full[name(row)]["held_by"],
            "listed": [one.get((row["node"], row["zone"]), [0])[0] for one in (listed, kept)],
        }
        for row in done["promised"]
    }
    seconds = {"survey_seconds": round(cost, 3), "compaction_seconds": sum(step["seconds"] for step in done["steps"])}
    return dict(seconds, zones=zones, seconds=done["duration_seconds"])


def judged(zones, unfinished, failed):
    """-> {words: [a sentence per zone that matters], missed: [zones that got something else than promised, and nothing the kernel
    says explains it], off: [those where the full read is off by more than WITHIN, the same], drawn: samples drawn of zones Normal,
    wrong_draws: those of them whose interval does not have what came of it}

    unfinished, failed   as by_zone() has them
    """
    answer = {"words": [], "missed": [], "off": [], "drawn": 0, "wrong_draws": 0}
    for zone, about in zones.items():
        row, obtained, full = about["promised"], about["obtained"], about["full"]["expected"]
        (before, after), stayed = about["listed"], failed.get(zone, 0)
        why = None
        if obtained < row["low"]:
            if zone in unfinished:
                why = f"the kernel stopped at {unfinished[zone]}"
            elif row["low"] - obtained <= stayed:
                why = f"the kernel could not move {stayed} pages"
        text = f"{zone} promised {row['low']} to {row['high']}, about {row['expected']}, obtained {obtained}"
        if row["high"] or obtained:
            answer["words"].append(f"{text}; {why}" if why else text)
        if not row["low"] <= obtained <= row["high"] and not why:
            answer["missed"].append(text)
        # A page is enough to spoil a pageblock: one that could not be moved, or that is free and on a per-cpu list. One that was on
        # a list before looked like the kernel's own, and may have been the last that was in the way, of as many as could wait for such.
        in_between, words = (
            (stayed + after, f"{stayed} pages could not be moved, {after} are on lists")
            if obtained < full
            else (about["full"]["high"] - about["full"]["moved"], f"{before} pages were on lists before")
        )
        text = f"{zone} by every pageblock about {full}, obtained {obtained}"
        beyond = abs(obtained - full) - max(WHOLES, obtained / WITHIN)
        if 0 < beyond <= in_between:
            answer["words"].append(f"{text}; {words}")
        elif beyond > 0:
            answer["off"].append(text)
        if zone.endswith("/Normal"):
            answer["drawn"] += len(about["drawn"])
            answer["wrong_draws"] += sum(not one["low"] <= obtained <= one["high"] for one in about["drawn"])
    return answer


main()
