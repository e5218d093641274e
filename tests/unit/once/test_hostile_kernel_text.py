# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the kernel with what no kernel prints, or only one whose counters fell below zero: the rest of the node is audited all the same.

A parser gives numbers that the contract has, or an unparsed line; a whole node is not refused for one of them.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import re
import time
import typing as t

import build_roots  # type: ignore[import-not-found]  # tests/unit/conftest.py has made it importable
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import (
    buddyinfo,
    cpulist,
    extfrag,
    meminfo,
    pagetypeinfo,
    pressure,
    slabinfo,
    vmstat,
    zoneinfo,
)
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _answer, _contracts

CAPTURE = "6.12.107+deb13-cloud-amd64/numa-fragmented"
NUMBERS = (
    # -1, -4 and the like as an unsigned long, and one more.
    "18446744073709551615",
    "18446744073709551612",
    "18446744073709551616",
    "9223372036854775808",
    "9" * 30,
    "9" * 5000,
    "-1",
    "-0",
    "+5",
    "1e30",
    "1_000",
    "0x10",
    "nan",
    "inf",
    "\u0661\u0662",
    "\u00b2",
    "\uff11",
    "\u00bd",
)
NAMES = ("\x1b[31mNormal\x1b[0m", "\u202eNormal", "No\x00rmal", "x" * 300, '"', "\u2028", "Node 0, zone")


@pytest.fixture(name="root", scope="module")
def root_fixture(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_roots.build(CAPTURE, str(tmp_path_factory.mktemp("root") / "node")))


def files(root: str) -> list[str]:
    return sorted(os.path.join(where, name) for where, _directories, names in os.walk(root) for name in names)


def seen(root: str) -> t.Any:
    return _answer.take({"observed": json.dumps({"facts": _facts.collect(Node(root)), "journal": None})})["facts"]


def changed(text: str, chance: random.Random) -> str:
    """Some lines with another number or name in the place of one of theirs, or more of them, or twice, or cut short."""
    lines = text.split("\n")
    for _time in range(chance.choice((1, 2, 8))):
        at = chance.randrange(len(lines))
        line = lines[at]
        pattern, others = (r"[0-9]+", NUMBERS) if chance.random() < 0.7 else (r"[A-Za-z_]+", NAMES)
        found = list(re.finditer(pattern, line))
        if found:
            part = chance.choice(found)
            line = line[: part.start()] + chance.choice(others) + line[part.end() :]
        lines[at : at + 1] = chance.choice(([line], [line], [line], [line] * 300, [line + " 7" * 100], [line[:20]]))
    return "\n".join(lines)


def test_a_node_is_audited_whatever_its_kernel_prints(root: str) -> None:
    chance = random.Random(7)
    for path in files(root):
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            kept = stream.read()
        try:
            for _time in range(1 if "/sys/vm/" in path else 8):
                with open(path, "w", encoding="utf-8", errors="surrogatepass", newline="") as stream:
                    stream.write(changed(kept, chance))
                facts = seen(root)
                _contracts.ASSESSMENT.check(assess(facts))
        finally:
            with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                stream.write(kept)


@pytest.mark.parametrize(
    ("file", "line", "lost"),
    [
        ("proc/meminfo", "Percpu:          18446744073709551612 kB", lambda facts: "percpu" not in facts["meminfo"]),
        ("proc/vmstat", "oom_kill 18446744073709551616", lambda facts: "oom_kill" not in facts["vmstat"]),
        ("proc/vmstat", "oom_kill 18446744073709551615", lambda facts: facts["vmstat"]["oom_kill"] == 2**64 - 1),
    ],
)
def test_a_counter_below_zero_costs_its_own_line(root: str, file: str, line: str, lost: t.Any) -> None:
    path = pathlib.Path(root, file)
    kept = path.read_text()
    name = line.split()[0]
    assert re.search(rf"(?m)^{name}\s.*$", kept)
    path.write_text(re.sub(rf"(?m)^{name}\s.*$", line, kept))
    try:
        facts = seen(root)
        assert lost(facts) and len(facts["meminfo"]) > 20 and len(facts["vmstat"]) > 20
    finally:
        path.write_text(kept)


def test_a_zone_counts_once_and_has_as_many_orders_as_there_can_be(root: str) -> None:
    path = pathlib.Path(root, "proc/buddyinfo")
    kept, before = path.read_text(), seen(root)
    last = kept.splitlines()[-1]
    path.write_text(kept + last + "\n" + last.replace("Normal", "Odd").rstrip() + " 1" * 60 + "\n")
    try:
        after = seen(root)
        assert after["zones"] == before["zones"]
        assert after["unparsed_lines"]["buddyinfo"] == 2
    finally:
        path.write_text(kept)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("buddyinfo", "Node 65536, zone   Normal" + " 7" * 11),
        ("buddyinfo", "Node 999999999, zone   Normal" + " 7" * 11),
        ("buddyinfo", "Node 3, zone   " + "N" * 65 + " 7" * 11),
        ("buddyinfo", "Node 3, zone   Normal" + " 999999999999999" * 11),
        ("pagetypeinfo", "Node    0, zone   Normal, type   HighAtomic " + " 7" * 65),
        ("pagetypeinfo", "Node    0, zone   Normal, type   HighAtomic " + " 999999999999999" * 11),
        ("pagetypeinfo", "Node    0, zone   Normal, type   " + "T" * 65 + " 7" * 11),
        ("zoneinfo", "Node 0, zone   Normal\n        protection: (" + ", ".join("7" * 65) + ")"),
    ],
)
def test_no_line_is_worth_a_node(root: str, file: str, line: str) -> None:
    """Beyond what the contract has, and so beyond what any kernel prints: the line is left out, and not the node refused."""
    path = pathlib.Path(root, "proc", file)
    kept, before = path.read_text(), seen(root)
    try:
        path.write_text(kept + line + "\n")
        after = seen(root)
        assert after["zones"] == before["zones"]
        assert after["unparsed_lines"][file] > before["unparsed_lines"].get(file, 0)
    finally:
        path.write_text(kept)


def test_more_zones_counters_and_processors_than_there_can_be(root: str) -> None:
    written = {
        "proc/buddyinfo": "".join(f"Node {node}, zone   Normal" + " 7" * 11 + "\n" for node in range(5000)),
        "proc/pagetypeinfo": "".join(
            f"Node    0, zone   Normal, type   T{number}" + " 7" * 11 + "\n" for number in range(100)
        ),
        "proc/vmstat": "".join(f"compact_{number} 7\n" for number in range(2000)) + "compact_" + "x" * 300 + " 7\n",
        "sys/devices/system/cpu/possible": "0-999999,0-999999\n",
    }
    kept = {place: pathlib.Path(root, place).read_text() for place in written if pathlib.Path(root, place).exists()}
    try:
        for place, text in written.items():
            build_roots.write(root, place, text)
        facts = seen(root)
        assert len(facts["zones"]) == 1024 and len(facts["vmstat"]) == 1024 and facts["kernel"]["possible_cpus"] is None
        assert max(len(zone["migratetypes"] or ()) for zone in facts["zones"]) == 64
    finally:
        for place, text in kept.items():
            build_roots.write(root, place, text)


@pytest.mark.parametrize(
    ("parse", "line"),
    [
        (slabinfo.parse_slabinfo, "a" + " " * 65536 + "b"),
        (slabinfo.parse_slabinfo, "a " + "7 " * 32768 + "b"),
        (slabinfo.parse_slabinfo, "a 1 2 3 4 5 : tunables" + " : slabdata 1" * 5000),
        (meminfo.parse_meminfo, "a:" + " \t" * 32768 + "b"),
        (meminfo.parse_meminfo, "a" * 65536 + "\n" + ":" * 65536),
        (vmstat.parse_vmstat, "a" + " \t" * 32768 + "b"),
        (vmstat.parse_vmstat, " \t" * 32768 + "b"),
        (pressure.parse_pressure, "some" + " avg10=1" * 8000 + " x"),
        (cpulist.count_cpus, "0-3," * 16384 + "x"),
        (buddyinfo.parse_buddyinfo, "Node 0, zone   Normal" + " 7" * 32768),
        (pagetypeinfo.parse_pagetypeinfo, "Number of blocks type" + " x" * 32768),
        (zoneinfo.parse_zoneinfo, "Node 0, zone   Normal\n   protection: (" + "7, " * 20000 + ")"),
        (extfrag.parse_extfrag, "Node 0, zone   Normal" + " 0.984" * 10000 + " x"),
    ],
)
def test_a_line_costs_what_it_weighs(parse: t.Any, line: str) -> None:
    begun = time.process_time()
    parse(line)
    assert time.process_time() - begun < 0.5
