# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what the rules of the assessment do to machines whose condition is known, so that a change of a threshold shows its effect.

usage: PYTHONPATH=<a directory with ansible_collections/kernelops/memfrag> python3 tests/tools/sensitivity.py [--snapshots DIR] [--corpus DIR]

Writes tests/fixtures/sensitivity.json, from which tests/tools/findings_guide.py makes the table of the guide. The captures are those
below tests/fixtures; snapshots (/proc of machines, with a reader's judgement) and corpus (kernel reports with their truth) are collections
outside of this repository. Sets that are not given keep the figures of the last time.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import sys
import tempfile
import typing as t
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RESULT = ROOT / "tests" / "fixtures" / "sensitivity.json"

# The condition in which a capture was taken, by the words of its name.
CONDITIONS = (
    ("then-compacted", "fragmented"),
    ("fragmented", "fragmented"),
    ("highorder", "fragmented"),
    ("failing", "fragmented"),
    ("001-compacted", "fragmented"),
    ("002", "fragmented"),
    ("", "healthy"),
)
# Of movable pages everything is free again after a compaction.
HEALED = ("fragmented-movable-then-compacted", "released-3s")

# The number of spare blocks is the threshold that most rules hang on.
VARIANTS: dict[str, dict[str, t.Any]] = {
    "default": {},
    "spare_blocks: 8": {"spare_blocks": 8},
    "spare_blocks: 32": {"spare_blocks": 32},
}

Case = tuple[str, dict[str, t.Any]]


def captures() -> Iterator[Case]:
    """-> (judgement, facts) of every capture of the project."""
    sys.path.insert(0, str(ROOT / "tests" / "fixtures"))
    import build_roots

    with tempfile.TemporaryDirectory() as scratch:
        for name in build_roots.names():
            condition = [condition for word, condition in CONDITIONS if word in name][0]
            if name.split("/")[1] in HEALED:
                condition = "healthy"
            yield condition, _collect(build_roots.build(name, os.path.join(scratch, "root")))


def snapshots(directory: Path) -> Iterator[Case]:
    for one in json.loads((directory / "index.json").read_text()):
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "proc").mkdir()
            for name, text in one["files"].items():
                (Path(scratch) / "proc" / name).write_text(text)
            yield one["judgement"], _collect(scratch)


def corpus(directory: Path) -> Iterator[Case]:
    """The Mem-Info of kernel reports, as if it were the node's state, by what was found to be the cause."""
    from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal
    from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

    for one in json.loads((directory / "index.json").read_text()):
        read = journal.collect(Node("/"), {"files": [str(directory / one["file"])]})
        for event in read["events"]:
            zones = [zone for zone in event.get("zones") or () if zone.get("free_blocks")]
            if zones:
                cause = one["truth"]["diagnosis"]
                yield "fragmented" if cause == "fragmentation" else cause, _facts_of(event, zones)
                break


def _facts_of(event: dict[str, t.Any], zones: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    pages = sum(count << order for zone in zones for order, count in enumerate(zone["free_blocks"]))
    free = sum(zone.get("free_kb") or 0 for zone in zones)
    page_kb = next((size for size in (4, 16, 64) if free < size * pages * 1.5), 64)
    return {
        "kernel": {"release": event.get("kernel"), "page_size": page_kb * 1024},
        "zones": [
            {
                "node": zone["node"] or 0,
                "zone": zone["zone"],
                "free_blocks": zone["free_blocks"],
                "managed_pages": (zone.get("managed_kb") or 0) // page_kb or None,
                "watermarks": {name: zone[f"{name}_kb"] // page_kb for name in ("min", "low", "high")}
                if zone.get("min_kb") is not None
                else None,
            }
            for zone in zones
        ],
    }


def _collect(root: str) -> dict[str, t.Any]:
    from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
    from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

    return dict(_facts.collect(Node(root)))


def measure(cases: list[Case]) -> dict[str, t.Any]:
    """-> {judgement: {"machines": n, "levels": {variant: {level: n}}, "rules": {finding id: {severity: n}}}}"""
    from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess

    result: dict[str, t.Any] = {}
    for judgement, facts in cases:
        row = result.setdefault(
            judgement,
            {
                "machines": 0,
                "levels": {name: collections.Counter() for name in VARIANTS},
                "rules": collections.defaultdict(collections.Counter),
            },
        )
        row["machines"] += 1
        for name, policy in VARIANTS.items():
            assessment = assess(facts, None, policy)
            row["levels"][name][assessment["level"]] += 1
            if not policy:
                for finding in assessment["findings"]:
                    if not finding["id"].startswith("MF9"):
                        row["rules"][finding["id"]][finding["severity"]] += 1
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--snapshots", type=Path, metavar="DIR")
    parser.add_argument("--corpus", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    result["captures"] = measure(list(captures()))
    for name, source in (("snapshots", snapshots), ("corpus", corpus)):
        if directory := getattr(arguments, name):
            result[name] = measure(list(source(directory)))
    RESULT.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
