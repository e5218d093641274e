# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recording rules on what a real node_exporter says of each capture, held to what the kernel and the library say."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import re
import tempfile
import typing as t

import build_roots
import exporter
import promtool
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _fragmentation, _outlook
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _stock

# More captures, for whoever has them: MEMFRAG_CAPTURES is a directory of KERNEL/STATE.
CAPTURES = os.environ.get("MEMFRAG_CAPTURES") or build_roots.CAPTURES
SCALED_RELEASE = "3.10.0-1160.el7.x86_64"


def names() -> list[str]:
    """Captures that a node_exporter could be run on: those of the seeds have a free list alone."""
    whole = ("buddyinfo", "zoneinfo", "meminfo", "unusable_index", "extfrag_index", "version")
    found = []
    for kernel in sorted(os.listdir(CAPTURES)):
        for state in (
            sorted(os.listdir(os.path.join(CAPTURES, kernel))) if os.path.isdir(os.path.join(CAPTURES, kernel)) else ()
        ):
            if all(os.path.isfile(os.path.join(CAPTURES, kernel, state, name)) for name in whole):
                found.append(f"{kernel}/{state}")
    return found


def printed(name: str, file: str) -> dict[tuple[str, str, int], float]:
    """{(node, zone, order): index} as debugfs printed it."""
    with open(os.path.join(CAPTURES, name, file), encoding="utf-8") as stream:
        return indices(stream.read())


def indices(text: str) -> dict[tuple[str, str, int], float]:
    """The kernel prints "%d.%03d", and so "0.-500"."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"Node (\d+), zone\s+(\S+)\s+(.*)", line)
        assert match, line
        for order, word in enumerate(match[3].split()):
            whole, part = word.split(".")
            found[match[1], match[2], order] = (int(whole) * 1000 + int(part)) / 1000
    return found


def labelled(rule: str, values: dict[tuple[str, str, int], float]) -> dict[str, float]:
    return {
        f'{rule}{{{exporter.INSTANCE},node="{node}",size="{order}",zone="{zone}"}}': value
        for (node, zone, order), value in values.items()
    }


def answers(facts: t.Any) -> tuple[dict[tuple[str, str, int], float], dict[str, float]]:
    """What the library says of the facts that node_exporter sees: (the watermark check by zone, blocks to be had by NUMA node)."""
    scaled = facts["kernel"]["watermark_check"] == "scaled"
    machine = {zone["zone"] for zone in facts["zones"]}
    served: dict[tuple[str, str, int], float] = {}
    blocks: dict[str, float] = {}
    for zone in facts["zones"]:
        if zone["zone"] not in _fragmentation.KERNEL_ZONES:
            continue
        # Which free pages are closed to a request is not in the exporter's series.
        plain = dict(zone, migratetypes=None, free_cma_pages=None, reserved_highatomic_pages=None)
        outlook = _outlook.Outlook(plain, machine, scaled)
        for order in range(len(zone["free_blocks"])):
            served[str(zone["node"]), zone["zone"], order] = float(
                _fragmentation.watermark_ok(
                    zone["free_blocks"], order, outlook.marks["min"], outlook.reserve, scaled=scaled
                )
            )
            name = f'{_stock.AVAILABLE}{{{exporter.INSTANCE},node="{zone["node"]}",size="{order}"}}'
            blocks[name] = blocks.get(name, 0) + outlook.now(order)
    return served, blocks


@functools.cache
def looked_at(name: str) -> tuple[dict[str, float], str]:
    """-> (what the exporter, and what the library says of a capture: the facts, as JSON)"""
    with tempfile.TemporaryDirectory() as place:
        root = build_roots.build(name, os.path.join(place, "node"), captures=CAPTURES)
        return exporter.series_of(root), json.dumps(_facts.collect(Node(root), ["all"]))


def a_test(name: str, old_kernel: bool = False) -> promtool.Test:
    values, text = looked_at(name)
    facts = json.loads(text)
    if old_kernel:
        values = {series: value for series, value in values.items() if not series.startswith("node_uname_info")}
        values[f'node_uname_info{{{exporter.INSTANCE},release="{SCALED_RELEASE}"}}'] = 1.0
        facts["kernel"]["watermark_check"] = "scaled"
    served, blocks = answers(facts)
    page_size = f"{_stock.PAGE_SIZE}{{{exporter.INSTANCE}}}"
    return {
        "name": name,
        "interval": "1m",
        "input_series": promtool.series(values),
        "promql_expr_test": [
            promtool.expecting(_stock.UNUSABLE, labelled(_stock.UNUSABLE, printed(name, "unusable_index"))),
            promtool.expecting(_stock.EXTFRAG, labelled(_stock.EXTFRAG, printed(name, "extfrag_index"))),
            promtool.expecting(_stock.WATERMARK, labelled(_stock.WATERMARK, served)),
            promtool.expecting(_stock.AVAILABLE, blocks),
            promtool.expecting(_stock.PAGE_SIZE, {page_size: facts["kernel"]["page_size"]}),
        ],
    }


def as_a_fleet(tests: list[promtool.Test]) -> promtool.Test:
    """Captures as nodes of one fleet, in one test: rules cost by the group, hardly by the node. What holds of each has to hold of all."""
    series, expected = [], {}
    for test in tests:
        node = exporter.INSTANCE.replace("node17:9100", test["name"])
        for each in test["input_series"]:
            series.append({**each, "series": each["series"].replace(exporter.INSTANCE, node)})
        for each in test["promql_expr_test"]:
            of_all = expected.setdefault(each["expr"], {**each, "exp_samples": []})
            for sample in each["exp_samples"]:
                of_all["exp_samples"].append({**sample, "labels": sample["labels"].replace(exporter.INSTANCE, node)})
    return {"name": "fleet", "interval": "1m", "input_series": series, "promql_expr_test": list(expected.values())}


def counted(tests: list[promtool.Test]) -> int:
    return sum(len(each["exp_samples"]) for test in tests for each in test["promql_expr_test"])


def test_every_capture_has_the_indices_of_its_kernel_and_the_answers_of_the_library(tmp_path: pathlib.Path) -> None:
    tests = [a_test(name) for name in names()]
    fleet = as_a_fleet(tests)
    right, said = promtool.run(tmp_path, [fleet])
    assert right, said
    orders = {sample["labels"] for each in fleet["promql_expr_test"] for sample in each["exp_samples"]}
    assert len(tests) >= 20 and counted([fleet]) == counted(tests) > 2000
    # Both page sizes, and a second NUMA node, are among them.
    assert any('size="11"' in labels for labels in orders) and any('node="1"' in labels for labels in orders)
    print(f"{counted(tests)} values of {len(tests)} captures")


def test_kernels_with_the_scaled_check(tmp_path: pathlib.Path) -> None:
    tests = [a_test(name, old_kernel=True) for name in names()]
    differing = [
        test for test in tests if test["promql_expr_test"][2:4] != a_test(test["name"])["promql_expr_test"][2:4]
    ]
    assert differing, "the old check answers as the new one does: nothing is tested"
    right, said = promtool.run(tmp_path, [as_a_fleet(tests)])
    assert right, said


@pytest.mark.parametrize("which", range(5))
def test_one_wrong_value_is_seen(which: int, tmp_path: pathlib.Path) -> None:
    tests = [a_test(name) for name in names()[-2:]]
    sample = tests[1]["promql_expr_test"][which]["exp_samples"][-1]
    sample["value"] += 0.001
    assert not promtool.run(tmp_path, [as_a_fleet(tests)])[0]
