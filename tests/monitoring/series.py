# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual machines whose memory fragmented, tests/fixtures/series: at each moment what an exporter and the node tool say of it."""

from __future__ import annotations

import functools
import json
import lzma
import os
import pathlib
import tempfile
import time
import typing as t

import build_roots
import exporter
import test_alerts
import test_rules

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _metrics, _metrics_state
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

SERIES = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "series"
LOG = "var/log/kern.log"
Samples = dict[str, float]
Indices = dict[tuple[str, str, int], float]


class Moment(t.NamedTuple):
    """What was seen, and by the library what alerts are about then."""

    stage: str
    stock: Samples
    tool: Samples
    stock_alerts: list[dict[str, str]]
    tool_alerts: list[dict[str, str]]
    unusable: Indices
    extfrag: Indices


def names() -> list[str]:
    return sorted(path.name.partition(".json")[0] for path in SERIES.glob("*.json.xz"))


@functools.cache
def moments(name: str) -> list[Moment]:
    """Of one machine, in order."""
    recorded = json.loads(lzma.decompress((SERIES / f"{name}.json.xz").read_bytes()))["moments"]
    with tempfile.TemporaryDirectory() as root:
        _show({**recorded[0], "kernel_log": []}, {}, root)
        state = _metrics_state.load(WritableNode(root))
        with exporter.running(root, *exporter.COLLECTORS) as address:
            found = []
            for before, each in zip([{}, *recorded], recorded, strict=False):
                _show(each, before, root)
                found.append(_seen(each, root, address, state))
            return found


def _show(recorded: dict[str, t.Any], before: dict[str, t.Any], root: str) -> None:
    """A moment in the place of the one before; the log goes on."""
    build_roots.fill(root, {file: text for file, text in recorded.items() if before.get(file) != text})
    os.makedirs(os.path.join(root, os.path.dirname(LOG)), exist_ok=True)
    # As rsyslog writes what the kernel says.
    stamp = time.strftime("%b %d %H:%M:%S node17 kernel: ")
    with open(os.path.join(root, LOG), "a", encoding="utf-8") as stream:
        stream.writelines(f"{stamp}{line}\n" for line in recorded["kernel_log"])


def _seen(recorded: dict[str, t.Any], root: str, address: str, state: t.Any) -> Moment:
    node = WritableNode(root)
    # When the log has been still for a while: what is being written is left to the next look.
    error = _metrics.count_new(node, state, time.time() + 60)
    assert error is None, error
    facts = _facts.collect(node, ["all", "!extfrag"])
    tool = test_alerts.samples(facts, state)
    return Moment(
        recorded["stage"],
        exporter.samples(exporter.scrape(address), root),
        tool,
        test_alerts.stock_alerts_of(facts),
        test_alerts.tool_alerts_of(facts, tool),
        test_rules.indices(recorded["unusable_index"]),
        test_rules.indices(recorded["extfrag_index"]),
    )
