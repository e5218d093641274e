# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection promises of a compaction, and what the kernel then obtains: ``trial.py [DRAWS]``. Only for machines that nobody needs.

Surveys DRAWS samples of the pageblocks, then every one, has the collection compact once with the kernel's tracepoints on, and prints it all
as JSON. The collection's library is in ansible_collections/ beside this file.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import told

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _survey
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import lists, run, target
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

NODE = WritableNode("/")
ORDER = 9
# What a huge page may come from.
ZONES = ["DMA", "DMA32", "Normal"]
# So many pageblocks a draw looks at: of a large machine as many as the collection does, of a small one a third of them.
DRAWN = min(2000, os.sysconf("SC_PHYS_PAGES") // 512 // 3)
# The full read is within a tenth, of fewer than ten blocks within one. Where it is not, what the kernel's tracepoints told of the compaction,
# in the place of what was assumed, has to be.
WITHIN = 10
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


def name(row):
    return f"{row['node']}/{row['zone']}"


def surveyed(sample, seed=None):
    """-> ({zone: the survey of it}, {zone: it, as _pageblocks.Zone}), by every pageblock or a sample of them"""
    zones = []

    def survey(node, facts):
        facts["pageblock_survey"], found = _survey.survey(node, facts, sample, seed)
        zones.extend(found or ())
        return facts

    facts = _facts.collect(NODE, ["!all", "!min", "zones", "migratetypes", "sysctl", "pageblocks"], survey=survey)
    if not facts["pageblock_survey"]:
        sys.exit(json.dumps(facts["unavailable"]))
    told_of = {name(zone): zone for zone in facts["pageblock_survey"]["zones"] if zone["zone"] in ZONES}
    return told_of, {f"{zone.node}/{zone.name}": zone for zone in zones}


def interval(zone):
    return {key: zone["yields"][ORDER][key] for key in ("now", "low", "expected", "high", "moved")}


def main():
    with told.tracing() as tell:
        answer, zones = trial(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
        kernel = tell()
    off = [zone for zone, about in answer["zones"].items() if not within(about["obtained"], about["full"]["expected"])]
    after = surveyed(None)[1] if off else {}
    for zone, about in answer["zones"].items():
        before = zones[zone]
        story = kernel["zones"].get(before.start, told.nothing())
        about["ends"], about["stuck"], about["failed"] = story["ends"], len(set(story["stuck"])), story["failed"]
        if zone in off:
            about["told"] = told.explained(before, after[zone], story, about["listed"].get(story["cpu"], 0))
    answer["kernel"] = {key: kernel[key] for key in ("sums", "drained", "lost")}
    answer.update(judged(answer["zones"], answer["kernel"]))
    json.dump(answer, sys.stdout)


def within(obtained, blocks):
    return abs(obtained - blocks) <= max(1, obtained / WITHIN)


def trial(draws):
    lists.give_back(NODE)
    drawn = [surveyed(DRAWN, seed)[0] for seed in range(draws)]
    # As the run does before its own survey: with pages on lists, another one finds another machine.
    lists.give_back(NODE)
    began = time.process_time()
    full, looked_at = surveyed(None)
    cost = time.process_time() - began
    done = run.run(NODE, target.complete(WANTED), remember=False)
    if not done["acted"] or not done["promised"] or done["error"]:
        sys.exit(json.dumps(done))
    zones = {
        name(row): {
            "promised": {key: row[key] for key in ("now", "low", "expected", "high")},
            "obtained": row["obtained"],
            "full": interval(full[name(row)]),
            "drawn": [interval(one[name(row)]) for one in drawn],
            "held_by": full[name(row)]["held_by"],
            "listed": told.on_lists(row["node"], row["zone"]),
        }
        for row in done["promised"]
    }
    seconds = {"survey_seconds": round(cost, 3), "compaction_seconds": sum(step["seconds"] for step in done["steps"])}
    return dict(seconds, zones=zones, seconds=done["duration_seconds"]), looked_at


def judged(zones, kernel):
    """-> {words: [a sentence per zone that matters], missed: [zones that got something else than promised, and nothing the kernel
    tells explains it], off: [those where the full read is off by more than WITHIN, the same], drawn: samples drawn of zones Normal,
    wrong_draws: those of them whose interval does not have what came of it}
    """
    answer = {"words": [], "missed": [], "off": [], "drawn": 0, "wrong_draws": 0}
    for zone, about in zones.items():
        row, obtained, full = about["promised"], about["obtained"], about["full"]["expected"]
        why = None
        if obtained < row["low"]:
            if about["ends"] and not about["ends"][-1].endswith("status=complete"):
                why = f"the kernel stopped at {about['ends'][-1]}"
            elif row["low"] - obtained <= about["stuck"]:
                why = f"the kernel could not move {about['failed']} pages in {about['stuck']} pageblocks"
        text = f"{zone} promised {row['low']} to {row['high']}, about {row['expected']}, obtained {obtained}"
        if row["high"] or obtained:
            answer["words"].append(f"{text}; {why}" if why else text)
        if not row["low"] <= obtained <= row["high"] and not why:
            answer["missed"].append(text)
        if not within(obtained, full):
            words = told.in_words(about["told"], kernel["drained"], kernel["sums"]["nr_migrated"])
            text = f"{zone} by every pageblock about {full}, obtained {obtained}; {words}"
            explains = within(obtained, about["told"]["blocks"]) and not kernel["lost"]
            answer["words" if explains else "off"].append(text)
        if zone.endswith("/Normal"):
            answer["drawn"] += len(about["drawn"])
            answer["wrong_draws"] += sum(not one["low"] <= obtained <= one["high"] for one in about["drawn"])
    return answer


main()
