# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An oracle for the journal reader: reports of simulated machines, read back, and held against what the machines knew.

usage: oracle.py [--reports 20000] [--seed 1] [--verbose]

Each report is read as a logger would write it, once more in another form (which must keep fields and cause), and once with a
loss (after which the cause may fade, but not turn into another). The exit status is 1 where a figure is below its target.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import sys
import tempfile
import typing as t

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import mutations  # noqa: E402
import scenes  # noqa: E402
from scenes import MEMORY_CAUSES, Truth  # noqa: E402

TARGETS = {"found": 0.995, "fields": 0.995, "causes": 0.99, "form fields": 0.995, "form causes": 0.99}
NEVER = ("crashed", "false", "flipped")
OPTIONS = {"since": "1970-01-01T00:00:00Z", "until": None, "journal_directory": None, "max_events": 200}


class Figures:
    """What was right of how many, and where it was not."""

    def __init__(self) -> None:
        self.right: collections.Counter[str] = collections.Counter()
        self.total: collections.Counter[str] = collections.Counter()
        self.troubles: list[str] = []

    def count(self, figure: str, right: bool, trouble: str = "") -> None:
        self.total[figure] += 1
        self.right[figure] += right
        if not right:
            self.troubles.append(f"{figure}: {trouble}")

    def share(self, figure: str) -> float:
        return self.right[figure] / self.total[figure] if self.total[figure] else 1.0

    def below(self) -> list[str]:
        """The figures that miss their targets; of those in NEVER a single case is too much."""
        return [name for name, least in TARGETS.items() if self.share(name) < least] + [
            name for name in NEVER if self.right[name] < self.total[name]
        ]

    def __str__(self) -> str:
        rows = [f"{name} {self.right[name]}/{self.total[name]} = {self.share(name):.4f}" for name in TARGETS]
        return ", ".join(rows + [f"{name} {self.total[name] - self.right[name]}" for name in NEVER])


def _same(name: str, wanted: t.Any, got: t.Any) -> bool:
    if name == "gfp_mask":
        return got is not None and int(str(got), 16) == wanted
    if name == "zones":
        found = {(zone.get("node"), zone.get("zone")): zone for zone in got or ()}
        return all(
            (zone["node"], zone["zone"]) in found
            and all(found[zone["node"], zone["zone"]].get(key) == value for key, value in zone.items())
            for zone in wanted
        )
    return bool(got == wanted)


def _pairs(truths: list[Truth], events: list[dict[str, t.Any]]) -> list[tuple[Truth, dict[str, t.Any] | None]]:
    left, pairs = list(events), []
    for truth in truths:
        event = next((event for event in left if event["kind"] == truth.kind), None)
        if event:
            left.remove(event)
        pairs.append((truth, event))
    return pairs


def compare(figures: Figures, label: str, truths: list[Truth], result: dict[str, t.Any], form: str) -> None:
    """Hold what was read against the truths; ``form`` is the prefix of the figures that it counts for."""
    pairs = _pairs(truths, result["events"])
    for truth, event in pairs:
        figures.count("found", event is not None, f"{label}: no {truth.kind}")
        if event is None:
            continue
        for name, wanted in truth.fields.items():
            got = event.get(name)
            figures.count(
                form + "fields", _same(name, wanted, got), f"{label}: {truth.kind}.{name} is {got!r}, not {wanted!r}"
            )
        if truth.causes:
            figures.count(
                form + "causes",
                event["cause"] in truth.causes,
                f"{label}: {event['cause']} ({event['confidence']}), not {truth.causes}",
            )
    expected = collections.Counter(truth.kind for truth in truths)
    extra = collections.Counter(event["kind"] for event in result["events"]) - expected
    figures.count("false", not extra, f"{label}: {dict(extra)}")


def not_flipped(figures: Figures, label: str, truths: list[Truth], result: dict[str, t.Any]) -> None:
    """After a loss: no memory cause that the machine rules out, unless as a guess with low confidence."""
    allowed = set().union(*(truth.causes or MEMORY_CAUSES for truth in truths))
    for event in result["events"]:
        wrong = event["cause"] in MEMORY_CAUSES - allowed and event["confidence"] != "low"
        figures.count(
            "flipped", not wrong, f"{label}: {event['kind']} {event['cause']} ({event['confidence']}), not {allowed}"
        )


def run(collect: t.Callable[[str], dict[str, t.Any]], reports: int, seed: int, verbose: bool = False) -> Figures:
    """``collect`` gives contract memfrag_journal_info for the path of a log."""
    figures, chance = Figures(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kern.log")
        for number in range(reports):
            name, kernel, bare, truths = scenes.scene(chance)
            dress = chance.choice(list(mutations.DRESSES))
            lines = mutations.DRESSES[dress](bare, chance)
            form, loss = chance.choice(list(mutations.FORMS)), chance.choice(list(mutations.LOSSES))
            for kind, change in (("", "as it is"), ("form ", form), ("loss", loss)):
                changed = (mutations.LOSSES if kind == "loss" else mutations.FORMS)[change](lines, chance)
                label = f"#{number} {name} {kernel.release}, {dress}, {change}"
                with open(path, "w", encoding="utf-8", newline="") as stream:
                    stream.write("".join(line + "\n" for line in changed))
                try:
                    result = collect(path)
                except Exception as error:  # whatever it is, it is what is looked for
                    figures.count("crashed", False, f"{label}: {error!r}")
                    continue
                figures.count("crashed", True)
                if kind == "loss":
                    not_flipped(figures, label, truths, result)
                else:
                    compare(figures, label, truths, result, kind)
            if verbose and number % 1000 == 999:
                print(number + 1, figures, flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reports", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    from ansible_collections.kernelops.memfrag.plugins.module_utils import _node
    from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal

    node = _node.Node("/")
    figures = run(
        lambda path: journal.collect(node, dict(OPTIONS, files=[path])), options.reports, options.seed, options.verbose
    )
    for trouble in figures.troubles if options.verbose else figures.troubles[:20]:
        print(trouble)
    print(figures)
    if figures.below():
        sys.exit(f"below target: {', '.join(figures.below())}")


if __name__ == "__main__":
    main()
