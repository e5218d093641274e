# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The survey on machines that no capture is of: HighMem, large pages, other pageblocks, memory that is not there. Made up, as sparse files."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import random
import struct

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _hugepages, _pageblocks
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

WORDS = {"f": 1 << 10, "m": 1 << 5, "s": 1 << 7, "p": 1 << 26, "k": 0, "r": 1 << 32, ".": 1 << 20}
# A large page: head and tails.
WORDS.update({"C": 1 << 5 | 1 << 15 | 1 << 22, "c": 1 << 16 | 1 << 22})


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(_pageblocks, "_BURST", 60)


def machine(root, zones, page_size=4096, order=9, orders=11, pools=()):
    """The root of a machine. zones: [(name, first page frame, [the letters of each pageblock, over and over])] -> its Node."""
    about, free, total = [], [], 0
    size = 1 << order
    for name, start, blocks in zones:
        pages = [(block * size)[:size] for block in blocks]
        there = sum(size - page.count(".") for page in pages)
        total += there
        text = "Node 0, zone %8s\n  pages free     %d\n        min      0\n        low      0\n        high     0\n"
        text += "        spanned  %d\n        present  %d\n        managed  %d\n        protection: (0, 0, 0, 0)\n  start_pfn: %d\n"
        singles = sum(page.count("f") for page in pages)
        about.append(text % (name, singles, len(pages) * size, there, there, start))
        free.append("Node 0, zone %8s %s\n" % (name, " ".join(["%d" % singles] + ["0"] * (orders - 1))))
        if not about[1:]:
            build_roots.write(root, "proc/kpageflags")
        with open(os.path.join(root, "proc/kpageflags"), "r+b") as stream:
            for number, page in enumerate(pages):
                stream.seek((start + number * size) * 8)
                stream.write(struct.pack("=%dQ" % size, *[WORDS[letter] for letter in page]))
    kilobytes = page_size // 1024
    huge = kilobytes << order
    files = {
        "proc/zoneinfo": "".join(about),
        "proc/buddyinfo": "".join(free),
        "proc/pagetypeinfo": "Page block order: %d\nPages per block:  %d\n" % (order, size),
        "proc/meminfo": "MemTotal: %d kB\nHugepagesize: %d kB\n" % (total * kilobytes, huge),
    }
    for number in pools or (huge,):
        files["sys/devices/system/node/node0/hugepages/hugepages-%dkB/nr_hugepages" % number] = "0\n"
        files["sys/devices/system/node/node0/hugepages/hugepages-%dkB/free_hugepages" % number] = "0\n"
    for place, text in files.items():
        build_roots.write(root, place, text)
    return Node(root)


def survey(node, sample=None, seed=None):
    facts = _facts.collect(node, survey=lambda node, facts: None)
    return _hugepages.collect(node, facts, sample, seed)


def zones_of(facts):
    return {zone["zone"]: zone for zone in facts["pageblock_survey"]["zones"]}


def row_of(zone, order):
    return [row for row in zone["yields"] if row["order"] == order][0]


def test_highmem_gives_huge_pages_and_nothing_to_the_kernel(tmp_path):
    node = machine(
        str(tmp_path),
        [("Normal", 0, ["mfs" * 2] * 16), ("HighMem", 16 * 512, ["mf"] * 24)],
    )
    facts = survey(node)
    zones = zones_of(facts)
    assert (zones["Normal"]["held_by"], zones["HighMem"]["held_by"]) == ({"slab": 16}, {"movable": 24})
    assert row_of(zones["Normal"], 9)["high"] == 0 and row_of(zones["HighMem"], 9)["expected"] > 8
    pool = facts["hugepages"][0]
    assert (pool["size_kb"], pool["after_compaction"]["expected"]) == (2048, row_of(zones["HighMem"], 9)["expected"])
    assert assess.blocks_after(facts, 9, "compaction") == 0


@pytest.mark.parametrize("page_size, order, orders", [(16384, 11, 12), (65536, 13, 14)])
def test_large_pages(page_size, order, orders, tmp_path):
    node = machine(str(tmp_path), [("DMA", 0, ["mf"] * 6 + ["mfp"] * 2)], page_size, order, orders)
    facts = survey(node)
    assert facts["kernel"]["page_size"] == page_size and facts["kernel"]["hugepage_order"] == order
    zone = zones_of(facts)["DMA"]
    assert zone["blocks"] == zone["sampled"] == 8 and zone["held_by"] == {"movable": 6, "page_table": 2}
    assert [row["order"] for row in zone["yields"]] == list(range(orders))
    row = row_of(zone, order)
    assert 0 < row["low"] <= row["expected"] <= row["high"] <= 6
    pool = facts["hugepages"][0]
    assert pool["size_kb"] == (page_size // 1024) << order
    assert pool["after_compaction"]["expected"] == row["expected"]


@pytest.mark.parametrize("order", [4, 5, 7, 10])
def test_pageblocks_of_other_orders(order, tmp_path):
    blocks = ["mf"] * 40 + ["mfk"] * 24
    facts = survey(machine(str(tmp_path), [("Normal", 0, blocks)], order=order))
    zone = zones_of(facts)["Normal"]
    assert (zone["blocks"], zone["held_by"]) == (64, {"movable": 40, "kernel": 24})
    assert 10 < row_of(zone, order)["expected"] <= 40
    # Larger than a pageblock: as many in a row.
    above = order + 1
    if above < 11:
        assert 0 < row_of(zone, above)["expected"] <= row_of(zone, order)["expected"] // 2


def test_without_pagetypeinfo_a_pageblock_is_a_huge_page(tmp_path):
    node = machine(str(tmp_path), [("Normal", 0, ["mf"] * 16)])
    os.remove(node.path("/proc/pagetypeinfo"))
    assert zones_of(survey(node))["Normal"]["blocks"] == 16


# Of more lists than any kernel has, not one is believed, and a pageblock is a huge page.
@pytest.mark.parametrize("orders, expected", [(22, (1, 21)), (2000, (16, 0))])
def test_free_lists_that_no_kernel_has_cost_no_memory(orders, expected, tmp_path):
    node = machine(str(tmp_path), [("Normal", 0, ["mf"] * 16)])
    os.remove(node.path("/proc/pagetypeinfo"))
    os.remove(node.path("/proc/meminfo"))
    build_roots.write(str(tmp_path), "proc/buddyinfo", "Node 0, zone   Normal 5%s\n" % (" 0" * (orders - 1)))
    facts = survey(node)
    zone = zones_of(facts)["Normal"]
    assert (zone["blocks"], len(zone["yields"])) == expected


def test_memory_blocks_that_are_offline_are_no_pageblocks(tmp_path):
    blocks = ["mf"] * 20 + ["."] * 64 + ["s"] * 20
    facts = survey(machine(str(tmp_path), [("Normal", 0, blocks)]))
    zone = zones_of(facts)["Normal"]
    assert (zone["blocks"], zone["held_by"]) == (40, {"movable": 20, "slab": 20})
    assert zone["map"]["cells"].strip("ms") == "." * 64
    # In a sample as well: draws that end up there are made up for.
    zone = zones_of(survey(Node(str(tmp_path)), sample=36, seed=3))["Normal"]
    assert (zone["blocks"], zone["sampled"]) == (40, 36)
    assert set(zone["held_by"]) == {"movable", "slab"}


@pytest.mark.parametrize(
    "files, expected",
    [
        # Before 5.14; since then; since 6.7; where somebody has set how long the lists are.
        ({}, (False, False)),
        ({"fraction": "0"}, (True, False)),
        ({"fraction": "0", "folios": "always"}, (True, True)),
        ({"fraction": "8", "folios": "always"}, (True, False)),
    ],
)
def test_how_this_kernel_gives_back_its_lists(files, expected, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(_pageblocks, "know_lists", lambda zones, about, *options: seen.append(options))
    node = machine(str(tmp_path), [("Normal", 0, ["mf"] * 4)])
    places = {
        "fraction": "proc/sys/vm/percpu_pagelist_high_fraction",
        "folios": "sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled",
    }
    for name, text in files.items():
        build_roots.write(node.root, places[name], text + "\n")
    survey(node)
    assert seen == [expected]


# x86-64, arm64 with pages of 64 KiB, and one whose pageblocks are smaller than its huge pages (CONFIG_PAGE_BLOCK_MAX_ORDER, 6.17).
@pytest.mark.parametrize("page_size, order, large", [(4096, 9, 9), (65536, 13, 13), (65536, 10, 13)])
@pytest.mark.parametrize("folios", [False, True])
def test_a_page_as_large_as_a_pageblock_stays(page_size, order, large, folios, tmp_path):
    pages = "C" + "c" * ((1 << large) - 1)
    parts = [pages[start : start + (1 << order)] for start in range(0, 1 << large, 1 << order)]
    blocks = (["mf"] * len(parts) + parts) * 8
    node = machine(str(tmp_path), [("Normal", 0, blocks)], page_size, order, orders=large + 1)
    if folios:
        build_roots.write(node.root, "sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled", "always\n")
    zone = zones_of(survey(node))["Normal"]
    assert zone["held_by"] == {"movable": 8 * len(parts), "compound": 8 * len(parts)}
    row = row_of(zone, order)
    # Half of what is not such a page, and those cost no room.
    assert 4 * len(parts) - 2 <= row["expected"] <= row["high"] <= 4 * len(parts)


def test_a_numa_node_without_memory_has_no_pageblocks(tmp_path):
    node = machine(str(tmp_path), [("Normal", 0, ["mf"] * 8)])
    empty = "Node 1, zone   Normal\n  pages free     0\n        min      0\n        low      0\n        high     0\n"
    empty += "        spanned  %d\n        present  0\n        managed  0\n        protection: (0, 0, 0, 0)\n  start_pfn: 0\n"
    for spanned in (0, 4096):
        build_roots.write(node.root, "proc/zoneinfo", node.read_text("/proc/zoneinfo") + empty % spanned)
        zones = survey(node)["pageblock_survey"]["zones"]
        assert [(zone["node"], zone["zone"], zone["blocks"]) for zone in zones] == [(0, "Normal", 8)]


def test_memory_that_was_plugged_in_later_is_a_zone_with_holes(tmp_path):
    # Two memory blocks of 128 MiB with one between that is not there (memory_hotplug, online_movable).
    blocks = ["mf"] * 64 + ["."] * 64 + ["mf"] * 64
    facts = survey(machine(str(tmp_path), [("Normal", 0, ["s"] * 8), ("Movable", 1 << 18, blocks)]))
    zone = zones_of(facts)["Movable"]
    assert (zone["blocks"], zone["held_by"]) == (128, {"movable": 128})
    row = row_of(zone, 9)
    assert (row["now"], row["expected"], row["high"]) == (0, 63, 64)


def test_a_zone_may_begin_and_end_within_a_pageblock(tmp_path):
    node = machine(str(tmp_path), [("DMA32", 4096, ["mf"] * 8)])
    text = node.read_text("/proc/zoneinfo")
    text = text.replace("start_pfn: 4096", "start_pfn: 4196").replace("spanned  4096", "spanned  3896")
    build_roots.write(node.root, "proc/zoneinfo", text)
    zone = zones_of(survey(node))["DMA32"]
    assert (zone["blocks"], zone["sampled"]) == (8, 8)
    # What lies at its ends can hold no block of the whole pageblock.
    assert row_of(zone, 9)["high"] <= 6


def test_gigantic_pages_are_rows_of_movable_pageblocks(tmp_path):
    movable, held = ["mfff"] * 512, ["mffffs"] * 512
    node = machine(str(tmp_path), [("Normal", 0, movable + held + movable)], pools=(2048, 1048576))
    pools = {row["size_kb"]: row for row in survey(node)["hugepages"]}
    assert pools[1048576]["now"] == 0
    assert pools[1048576]["after_compaction"]["high"] == 2
    assert 1 <= pools[1048576]["after_compaction"]["expected"] <= 2
    # A sample does not see rows: there may be some, and none is promised.
    sampled = {row["size_kb"]: row for row in survey(node, sample=200, seed=1)["hugepages"]}
    assert sampled[1048576]["after_compaction"]["low"] == 0 < sampled[1048576]["after_compaction"]["high"]


def test_large_pageblocks_are_sampled_by_pages(tmp_path):
    node = machine(str(tmp_path), [("Normal", 0, ["mf"] * 40)], 65536, 13, 14)
    facts = survey(node, sample=512, seed=1)
    # Sixteen times as many pages in each; a zone has 32 at the least.
    assert facts["pageblock_survey"]["sampled"] == 32 and not facts["pageblock_survey"]["complete"]


def test_what_can_be_reclaimed_is_room_to_move_pages_into(tmp_path):
    node = machine(str(tmp_path), [("Normal", 0, ["mmmf"] * 40)])
    facts = _facts.collect(node, survey=lambda node, facts: None)
    facts["zones"][0]["reclaimable_pages"] = 40 * 512 // 4
    zone = zones_of(_hugepages.collect(node, facts, None))["Normal"]
    freed = [row for row in zone["after_reclaim"] if row["order"] == 9][0]
    assert 0 < row_of(zone, 9)["expected"] < freed["expected"] <= 20
    assert freed["now"] == row_of(zone, 9)["now"] <= freed["low"] <= freed["expected"] <= freed["high"]
    facts["zones"][0]["reclaimable_pages"] = 0
    zone = zones_of(_hugepages.collect(node, facts, None))["Normal"]
    assert zone["after_reclaim"] == zone["yields"]


# --- nineteen times out of twenty ---------------------------------------------------------------------------------

DRAWS = 60


def worn(chance, pageblocks, size):
    """Pageblocks as on a machine that has run for a while: what stays stands together for the most part, and here and there alone."""
    kinds, letters = "mmmmspk", []
    while len(letters) < pageblocks:
        kind = chance.choice(kinds)
        for _block in range(chance.randrange(5, 60)):
            block = [chance.choice("mmf") for _page in range(size)]
            for _page in range(0 if kind == "m" else chance.choice([1, size // 4, size // 2])):
                block[chance.randrange(size)] = kind
            letters.append("".join(block))
    return letters[:pageblocks]


def test_a_sample_is_within_its_interval_nineteen_times_in_twenty(tmp_path):
    chance, order = random.Random(7), 4
    node = machine(str(tmp_path), [("Normal", 0, worn(chance, 3000, 1 << order))], order=order)
    whole = zones_of(survey(node))["Normal"]
    right = dict.fromkeys(list(whole["held_by"]) + [3, 4], 0)
    for seed in range(DRAWS):
        zone = zones_of(survey_of_sample(node, seed))["Normal"]
        for kind, (low, high) in zone["held_by_interval"].items():
            right[kind] += low <= whole["held_by"][kind] <= high
        for order in (3, 4):
            row = row_of(zone, order)
            right[order] += row["low"] <= row_of(whole, order)["expected"] <= row["high"]
    assert set(whole["held_by"]) == {"movable", "slab", "page_table", "kernel"}
    # Of so few draws each kind by itself has its luck.
    assert sum(right.values()) >= 0.95 * DRAWS * len(right)
    assert {name: count for name, count in right.items() if count < 0.9 * DRAWS} == {}


def survey_of_sample(node, seed):
    facts = {"kernel": {"page_size": 4096, "hugepage_order": 4}, "sysctl": {"vm.compact_unevictable_allowed": 1}}
    facts.update(zones=FACTS.setdefault(node.root, _facts.collect(node))["zones"], unavailable={}, unparsed_lines={})
    return _hugepages.collect(node, facts, 300, seed)


FACTS = {}
