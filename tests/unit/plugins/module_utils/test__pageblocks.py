# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import random
import struct

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import (
    _blockmap,
    _facts,
    _hugepages,
    _pageblocks,
    _scanners,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node, NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import zoneinfo

WORDS = {
    "f": 1 << 10,
    "m": 1 << 5,
    "s": 1 << 7,
    "p": 1 << 26,
    "k": 0,
    "h": 1 << 17,
    "r": 1 << 32,
    ".": 1 << 20,
    "u": 1 << 5 | 1 << 18,
    # A large page of a process or a file, and one of the kernel's: head and tails.
    "C": 1 << 5 | 1 << 15 | 1 << 22,
    "c": 1 << 16 | 1 << 22,
    "K": 1 << 15,
    "t": 1 << 16,
}
SIZE = 16
CAPTURE = "6.1.0-56-cloud-amd64/fragmented-movable"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(_pageblocks, "_BURST", 60)


def write(root, letters, start=0):
    """A /proc/kpageflags with these pages, from page frame ``start`` on; a sparse file before."""
    path = os.path.join(str(root), "proc", "kpageflags")
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with open(path, "wb") as stream:
        stream.seek(start * 8)
        stream.write(struct.pack("=%dQ" % len(letters), *[WORDS[letter] for letter in letters]))
    return Node(str(root))


def zone(letters, tmp_path, sample=None, start=0, seed=1, moves="fm"):
    """A zone with these pages, looked at."""
    found = _pageblocks.Zone(0, "Normal", start, start + len(letters), SIZE)
    _pageblocks.read(write(tmp_path, letters, start), [found], sample, moves, seed)
    return found


def order_of(found, order, now=0, **options):
    return _pageblocks.yields(found, [now] * (order + 1), **options)[order]


def test_what_holds_a_pageblock_is_what_most_of_its_resident_pages_are(tmp_path):
    letters = "f" * 16 + "m" * 8 + "f" * 8 + "mmmssspmmmmmmmmm" + "k" * 16 + "h" * 16 + "u" * 16
    found = zone(letters, tmp_path)
    assert _pageblocks.holders(found) == {"movable": 2, "slab": 1, "kernel": 1, "hugetlb": 1, "unevictable": 1}
    assert _pageblocks.holders(zone(letters, tmp_path, moves="fmu"))["movable"] == 3


def test_holes_are_no_pageblocks_and_zone_ends_may_lie_within_one(tmp_path):
    found = zone("m" * 10 + "." * 16 + "f" * 16 + "s" * 3, tmp_path, start=6)
    assert [found.frames(index) for index in range(found.span)] == [(6, 16), (16, 32), (32, 48), (48, 51)]
    assert _pageblocks.holders(found) == {"movable": 2, "slab": 1}


def test_one_compaction_empties_the_zone_from_its_start(tmp_path):
    # Every second page is free: half of the pageblocks can be emptied into the other half.
    found = zone("mf" * 8 * 40, tmp_path)
    row = order_of(found, 4)
    assert row["now"] == 0
    assert row["high"] == 20
    # The last pages of the pageblock below the one that is filled find no room: the free scanner does not look there any more.
    assert 0 < row["low"] < row["expected"] == 19


def test_what_a_per_cpu_list_may_keep_is_promised_for_later(tmp_path):
    # Each of the 20 pageblocks that are emptied gives 8 pages to the list of that CPU; the last ones stay there.
    found = zone("mf" * 8 * 40, tmp_path)
    found.kept, found.most_kept = 24, 48
    row = order_of(found, 4)
    # And one pageblock in ten that resists.
    assert (row["low"], row["expected"], row["high"]) == (11, 16, 20)


def test_two_lists_may_share_what_they_keep_of_a_pageblock(tmp_path, monkeypatch):
    monkeypatch.setattr(_scanners, "_CLUSTER", 4)
    found = zone("mf" * 8 * 40, tmp_path)
    found.kept, found.most_kept = 24, 48
    row = order_of(found, 4)
    # 12 pageblocks of which a list has 4 pages, and one in ten that resists; 3 of which one has all 8.
    assert (row["low"], row["expected"], row["high"]) == (6, 16, 20)


def test_pages_that_are_free_on_a_per_cpu_list_may_come_back(tmp_path):
    found = zone(("mf" * 8 + "mfkkmfmfmfmfmfmf") * 20, tmp_path)
    assert order_of(found, 4)["high"] == 11
    # 12 pages are on lists: at the most 6 pageblocks of those that are emptied and have two such pages wait for nothing else.
    found.listed = 12
    row = order_of(found, 4)
    # What a compaction moves itself is told apart.
    assert (row["expected"], row["high"], row["moved"]) == (10, 17, 11)
    # Each of them has all but one of its blocks of order 2 anyway.
    assert order_of(found, 2)["high"] == 11 * 4 + 10 * 3 + 6
    # All of them on one list, and two thirds of the pageblocks movable: they are likely to have as many of these pages.
    found.targets = (300, 27)
    alone = order_of(found, 4)["expected"]
    found.turned_over = 12
    assert order_of(found, 4)["expected"] == alone + 4
    # Of two lists it is that of the CPU which compacts.
    found.turned_over = 6
    assert order_of(found, 4)["expected"] == alone + 2


def test_a_lone_page_is_rather_the_kernels_than_on_a_list(tmp_path):
    found = zone(("mf" * 8 + "mfmkmfmfmfmfmfmf") * 20, tmp_path)
    alone = order_of(found, 4)["expected"]
    found.listed = found.turned_over = 6
    found.targets = (300, 40)
    row = order_of(found, 4)
    # Expected by nobody, but it may be.
    assert (row["expected"], row["high"]) == (alone, 16)


def test_pages_on_lists_stand_close_together(tmp_path):
    # Three of seven pages, rather than each its share.
    found = zone(("m" * 3 + "f" * 13 + "mmmkkk" + "f" * 10 + "mmmmkkkk" + "f" * 8) * 10, tmp_path)
    alone = order_of(found, 4)["high"]
    found.listed = 3 * 4
    assert order_of(found, 4)["high"] == alone + 4


def test_what_lists_give_back_needs_no_scanner(tmp_path):
    # Pageblocks with no movable page, which no compaction has anything to do with.
    found = zone(("kkk" + "f" * 13) * 400, tmp_path)
    found.listed = 120
    row = order_of(found, 4)
    assert (row["expected"], row["high"], row["moved"]) == (0, 40, 0)
    found.listed = 2
    assert order_of(found, 4)["high"] == 0


def charge(node, charged, start=0):
    """A /proc/kpagecgroup where the pages with an x belong to somebody."""
    with open(os.path.join(node.root, "proc", "kpagecgroup"), "wb") as stream:
        stream.seek(start * 8)
        stream.write(struct.pack("=%dQ" % len(charged), *[4711 * (letter == "x") for letter in charged]))


@pytest.mark.parametrize("sample", [None, 64])
def test_a_page_that_is_charged_to_a_cgroup_is_not_free(tmp_path, sample):
    node = write(tmp_path, ("mkkk" + "f" * 12) * 200)
    # Of every other pageblock one of the three pages is; in the others a page of a file, which says nothing.
    charge(node, ("--x-" + "-" * 12 + "x---" + "-" * 12) * 100)
    found = _pageblocks.Zone(0, "Normal", 0, 3200, SIZE)
    found.listed = 3200
    _pageblocks.read(node, [found], sample and sample * 512 // SIZE, "fm", 1)
    for place, block in zip(found.places, found.surveyed):
        assert block.unflagged == (3 if place % 2 else 0)
        assert block.held_by == "kernel"


def test_only_so_many_pageblocks_are_looked_up_as_may_wait_for_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(_pageblocks, "_LOOKED_UP", 3)
    node = write(tmp_path, ("kk" + "f" * 14) * 4 + "k" * 16)
    charge(node, "x" * 80)
    found = _pageblocks.Zone(0, "Normal", 0, 80, SIZE)
    found.listed = 4
    _pageblocks.read(node, [found], None, "fm")
    assert [block.unflagged for block in found.surveyed] == [0, 0, 0, 2, 16]


def test_which_pageblocks_take_pages_in_decides_how_far_it_gets(tmp_path):
    # Behind 20 movable pageblocks 20 that look like targets, with and without pages of the kernel in turn; only the latter are.
    found = zone(("mm" + "f" * 14) * 20 + ("kkm" + "f" * 13 + "mmm" + "f" * 13) * 10, tmp_path)
    found.targets = (14 * 20 + 13 * 10, 30)
    least, likely, most = _scanners._meetings(found, 0.0)
    # With all of the room at the end of the zone the free scanner need not come down that far, with as little as may be there it must.
    assert least < likely < most
    # With nothing told all of it is room.
    found.targets = None
    assert least < _scanners._meetings(found, 0.0)[0] < most


def known(about, **options):
    found = _pageblocks.Zone(0, "Normal", 0, 40960, SIZE)
    _pageblocks.know_lists([found], [dict({"node": 0, "zone": "Normal", "pcp_pages": 12}, **about)], **options)
    return found


def test_how_long_the_lists_get():
    # What one may grow to while memory is compacted it gives back (high_max, 6.7 and later).
    found = known({"pcp_high": [100, 300, 200], "high_max": 900})
    assert (found.kept, found.most_kept, found.listed, found.turned_over) == (200, 500, 12, 4.0)


@pytest.mark.parametrize(
    "kernel, high, batch, kept",
    [
        # A batch goes back when it is full: between 155 and 186.
        ({"scaled": False, "grows": False}, 186, 31, 170.5),
        # All but a batch: between 31 and 370.
        ({"scaled": True, "grows": False}, 370, 31, 200.5),
        # It grows to 33 batches and gives back 32: between 31 and 1,023, of which it keeps 366 at the most.
        ({"scaled": True, "grows": True}, 366, 31, (335 * 397 / 2.0 + 657 * 366) / 992),
        # Long enough as it is: between 100 and 2,116.
        ({"scaled": True, "grows": True}, 2116, 63, 1108),
        # Nothing is told.
        ({"scaled": True, "grows": True}, 300, 0, 300),
        ({"scaled": True, "grows": True}, 0, 1, 0),
        ({"scaled": False, "grows": False}, 8, 31, 8),
    ],
)
def test_what_a_list_is_left_with(kernel, high, batch, kept):
    assert known({"pcp_high": [high, high], "batch": batch}, **kernel).kept == pytest.approx(kept)


def simulated(high, batch, pages, scaled, grows):
    """What is left on a list of so many pages given one by one: mm/page_alloc.c, free_frozen_page_commit()."""
    count, limit, in_a_row, factor = 0, high, 0, 0
    for _page in range(pages):
        count += 1
        in_a_row = min(in_a_row + 1, batch << 5)
        if count < limit:
            continue
        if grows:
            limit = max(limit, high, in_a_row + batch)
            if count < limit:
                continue
            give = min(max(in_a_row, batch), limit - batch)
        elif scaled:
            give = min(max(batch << factor, batch), limit - batch)
            factor += batch << factor < limit - batch
        else:
            give = batch
        count -= give
    return min(count, high)


@pytest.mark.parametrize("scaled, grows", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("high, batch", [(186, 31), (366, 31), (533, 15), (2116, 63)])
def test_what_a_list_is_left_with_is_the_mean_of_many(high, batch, scaled, grows):
    left = [simulated(high, batch, pages, scaled, grows) for pages in range(12000, 18000, 53)]
    kept = known({"pcp_high": [high], "batch": batch}, scaled=scaled, grows=grows).kept
    assert kept == pytest.approx(sum(left) / float(len(left)), rel=0.1)


def test_a_large_page_of_the_kernels_is_not_on_a_list(tmp_path):
    single = zone(("mf" * 8 + "mfkkmfmfmfmfmfmf") * 20, tmp_path)
    large = zone(("mf" * 8 + "mfKtmfmfmfmfmfmf") * 20, tmp_path)
    for found in (single, large):
        found.listed = 12
    assert order_of(single, 4)["high"] == order_of(large, 4)["high"] + 6 == order_of(large, 4)["moved"] + 6
    assert _pageblocks.holders(large) == {"movable": 20, "kernel": 20}


def test_a_page_as_large_as_a_pageblock_is_not_moved(tmp_path):
    # Room for the smaller ones of the first half, and no need of any for the others.
    small, huge = ("C" + "c" * 3) * 2 + "f" * 8, "C" + "c" * 15
    row = order_of(zone(small * 20 + huge * 20, tmp_path, moves="fmc"), 4)
    assert (row["expected"], row["high"]) == (9, 10)
    found = zone((small + huge) * 20, tmp_path, moves="fmc")
    assert _pageblocks.holders(found) == {"movable": 20, "compound": 20}
    assert [block.movable for block in found.surveyed[:2]] == [8, 0]
    assert order_of(found, 4)["high"] == 10


def test_pages_that_stay_are_not_promised(tmp_path):
    row = order_of(zone("kfffffffffffffff" * 40, tmp_path), 4)
    assert (row["low"], row["expected"], row["high"]) == (0, 0, 0)
    # Blocks of a smaller order beside the page that stays are there already.
    assert order_of(zone("kfffffffffffffff" * 40, tmp_path), 3, now=40)["high"] == 40


def test_without_room_nothing_can_be_moved(tmp_path):
    row = order_of(zone("m" * 16 * 40, tmp_path), 4)
    assert (row["low"], row["expected"], row["high"]) == (0, 0, 0)
    row = order_of(zone("m" * 16 * 40, tmp_path), 4, reclaimed=0.5)
    assert row["high"] == 20 and row["expected"] > 10


def test_what_is_free_already_is_never_lost(tmp_path):
    row = order_of(zone("f" * 16 * 10 + "s" * 16 * 30, tmp_path), 4, now=10)
    assert (row["low"], row["expected"], row["high"]) == (10, 10, 10)


def test_blocks_larger_than_a_pageblock_stand_in_a_row(tmp_path):
    letters = ("f" * 16 * 4 + "s" * 16 * 4) * 4
    assert order_of(zone(letters, tmp_path), 6)["high"] == 4
    # The same, but no row starts where such a block may.
    assert order_of(zone("s" * 16 + letters[:-16], tmp_path), 6)["high"] == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_is_right_nineteen_times_in_twenty(tmp_path, seed):
    chance = random.Random(seed)
    kinds = [chance.choice(["mf" * 8, "mf" * 8, "s" * 16, "fffkffffffffffff", "p" * 16]) for _block in range(2000)]
    whole = _pageblocks.holders(zone("".join(kinds), tmp_path))
    right = 0
    for draw in range(20):
        found = zone("".join(kinds), tmp_path, sample=300, seed=100 * seed + draw)
        assert len(found.observed) == 300
        low, high = _pageblocks.interval(found, "slab")
        right += low <= whole["slab"] <= high
    assert right >= 17


def test_a_sample_of_four_tebibytes_reads_no_more_than_one_of_a_laptop(tmp_path):
    node = write(tmp_path, "f" * 512, start=(1 << 30) - 512)
    found = _pageblocks.Zone(0, "Normal", 0, 1 << 30, 512)
    assert _pageblocks.read(node, [found], 2000) is False
    assert len(found.surveyed) == 2000
    assert _pageblocks.holders(found).get("kernel", 0) > 2000000


def managed_zone(kinds, tmp_path, managed, sample=None):
    """A zone of 2,000 pageblocks of which so many pages are the allocator's."""
    letters = "".join(kinds)
    found = _pageblocks.Zone(0, "Normal", 0, len(letters), SIZE, len(letters), managed)
    _pageblocks.read(write(tmp_path, letters), [found], sample, "fm", 1)
    return _pageblocks.holders(found)


@pytest.mark.parametrize("sample", [None, 400])
def test_memory_that_was_taken_from_the_kernel_is_not_its_own(tmp_path, sample):
    kinds = (["k" * 16] * 3 + ["mf" * 8] + ["r" * 16]) * 400
    # Two thirds of what carries no flags, and all that is reserved, is not managed.
    held = managed_zone(kinds, tmp_path, managed=32000 - 400 * 16 - 800 * 16, sample=sample)
    assert "kernel" not in held and 1000 < held["offline"] < 1400
    # All of it is managed: pages of the kernel.
    assert "offline" not in managed_zone(kinds, tmp_path, managed=32000 - 400 * 16, sample=sample)
    # A little is missing beside many pages of the kernel.
    assert "offline" not in managed_zone(kinds, tmp_path, managed=32000 - 400 * 16 - 300 * 16, sample=sample)
    assert "offline" not in managed_zone(kinds, tmp_path, managed=None, sample=sample)


def test_pageblocks_outside_of_the_memory_are_holes(tmp_path):
    letters = "m" * 16 * 50 + "k" * 16 * 50
    node = write(tmp_path, letters)
    for ram, held in (
        ([(0, 16 * 50)], {"movable": 50}),
        # Half of a pageblock is one.
        ([(0, 16 * 50 + 8)], {"movable": 50, "kernel": 1}),
        ([(0, 16 * 50), (16 * 90, 16 * 999)], {"movable": 50, "kernel": 10}),
        # Not believed: no memory at all, or less than the zone has.
        ([], {"movable": 50, "kernel": 50}),
        ([(0, 16 * 20)], {"movable": 50, "kernel": 50}),
    ):
        found = _pageblocks.Zone(0, "Normal", 0, len(letters), SIZE, present=16 * 50)
        found.lies_in(ram)
        _pageblocks.read(node, [found], None)
        assert _pageblocks.holders(found) == held


def test_the_map_of_a_zone(tmp_path):
    letters = "f" * 16 + "m" * 8 + "f" * 8 + "mmmssspmmmmmmmmm" + "." * 16 + "p" * 16
    assert _blockmap.draw(zone(letters, tmp_path)) == {"cell_blocks": 1, "cells": "fms.p"}


def test_the_map_of_a_large_zone_has_cells_of_several_pageblocks(tmp_path):
    letters = "f" * 16 * 3 + "m" * 16 + "m" * 16 * 2 + "s" * 16 * 2 + "." * 16 * 2000
    drawn = _blockmap.draw(zone(letters, tmp_path))
    # 2,008 pageblocks by fours. Of as many of the one as of the other, the one that stays is shown.
    assert drawn == {"cell_blocks": 4, "cells": "fs" + "." * 500}


def test_the_map_of_a_sample_says_where_nobody_looked(tmp_path):
    found = zone("s" * 16 * 4000, tmp_path, sample=100)
    cells = _blockmap.draw(found)["cells"]
    assert len(cells) == 500 and set(cells) == {"s", "?"}
    assert cells.count("s") <= 100


# --- the facts -----------------------------------------------------------------------------------------------------


def looked_at(root, letters, sample=None):
    """Facts of a capture with a made-up /proc/kpageflags over the frames of its zones."""
    node = Node(root)
    about = zoneinfo.parse_zoneinfo(node.read_text("/proc/zoneinfo"))[0]
    with open(os.path.join(root, "proc/kpageflags"), "wb") as stream:
        for one in _pageblocks.zones_of(about, 512):
            # Patterns start where pageblocks do.
            first, pages = one.first * 512, one.span * 512
            stream.seek(first * 8)
            stream.write(
                struct.pack("=%dQ" % len(letters), *[WORDS[letter] for letter in letters]) * (pages // len(letters) + 1)
            )
    return _facts.collect(
        Node(root), ["all", "pageblocks"], survey=lambda node, facts: _hugepages.collect(node, facts, sample)
    )


def test_the_subset_is_not_part_of_all(node_root):
    facts = _facts.collect(Node(node_root(CAPTURE)), survey=_hugepages.collect)
    assert facts["pageblock_survey"] is None and facts["hugepages"] is None


def test_the_facts_of_a_capture(node_root):
    facts = looked_at(node_root(CAPTURE), "mfmf" * 128 + "s" * 512)
    survey = facts["pageblock_survey"]
    assert survey["complete"] is True
    assert survey["sampled"] == survey["total"] == sum(one["blocks"] for one in survey["zones"])
    for one, zone_ in zip(survey["zones"], facts["zones"]):
        assert (one["node"], one["zone"]) == (zone_["node"], zone_["zone"])
        assert set(one["held_by"]) == {"movable", "slab"}
        assert set(one["map"]["cells"]) <= set("ms.") and one["map"]["cell_blocks"] >= 1
        assert [row["order"] for row in one["yields"]] == list(range(11))
        for row in one["yields"]:
            assert row["now"] <= row["low"] <= row["expected"] <= row["high"]
        assert one["yields"][10]["now"] == zone_["free_blocks"][10]
    assert survey["callers"] is None
    assert "pageblocks" not in facts["unavailable"]


ALLOCINFO = """\
allocinfo - version: 1.0
#     <size>  <calls> <tag info>
  2147483648   524288 mm/memory.c:1063 func:folio_prealloc
  1073741824   262144 mm/filemap.c:1950 func:__filemap_get_folio
   104857600    25600 mm/slub.c:2424 func:alloc_slab_page
    94371840    90000 fs/ext4/super.c:1400 [ext4] func:ext4_alloc_inode
    83886080    20480 fs/pipe.c:120 func:anon_pipe_write
    52428800    12800 arch/x86/mm/pgtable.c:33 func:pte_alloc_one
    33554432     1024 net/core/skbuff.c:6602 func:alloc_skb_with_frags
"""


def test_callers_are_those_of_the_kernels_own_pages(node_root):
    root = node_root(CAPTURE)
    with open(os.path.join(root, "proc/allocinfo"), "w") as stream:
        stream.write(ALLOCINFO)
    assert looked_at(root, "mfmf" * 128)["pageblock_survey"]["callers"] == [
        {"name": "anon_pipe_write (fs/pipe.c:120)", "pages": 20480},
        {"name": "alloc_skb_with_frags (net/core/skbuff.c:6602)", "pages": 8192},
    ]


def test_without_the_file_the_reason_is_given(node_root):
    facts = _facts.collect(Node(node_root(CAPTURE)), ["pageblocks"], survey=_hugepages.collect)
    assert facts["pageblock_survey"] is None
    assert facts["unavailable"]["pageblocks"].startswith("/proc/kpageflags: no such file (a kernel without")


def test_without_spans_the_reason_is_given(node_root):
    facts = _facts.collect(Node(node_root(CAPTURE, ["zoneinfo"])), ["pageblocks"], survey=_hugepages.collect)
    assert "zoneinfo" in facts["unavailable"]["pageblocks"]


def test_pools_of_huge_pages(node_root):
    root = node_root(CAPTURE)
    pool = os.path.join(root, "sys/devices/system/node/node0/hugepages/hugepages-2048kB")
    os.makedirs(pool)
    for name, text in (("nr_hugepages", "64\n"), ("free_hugepages", "60\n")):
        with open(os.path.join(pool, name), "w") as stream:
            stream.write(text)
    rows = looked_at(root, "mfmf" * 128)["hugepages"]
    assert len(rows) == 1
    row = rows[0]
    assert (row["node"], row["size_kb"], row["reserved"], row["free"]) == (0, 2048, 64, 60)
    assert row["now"] < row["after_compaction"]["expected"] <= row["after_compaction"]["high"]
    assert row["after_compaction"]["high"] <= row["after_reclaim"]["high"]


def test_pools_are_known_without_a_survey(node_root):
    pools = [{"node": 0, "size_kb": 2048, "reserved": 0, "free": 0}]
    zones = [{"node": 0, "zone": "Normal", "free_blocks": [0] * 9 + [3, 2], "reclaimable_pages": 0}]
    told = {"kernel": {"page_size": 4096}, "zones": zones}
    assert _hugepages.plan(pools, told) == [dict(pools[0], now=7, after_compaction=None, after_reclaim=None)]
    # As many are left as the watermark wants free.
    told["zones"] = [dict(zones[0], watermarks={"min": 1000, "low": 1250, "high": 1500}, managed_pages=10000)]
    assert _hugepages.plan(pools, told)[0]["now"] == 5


def put_pool(root, node=0, size_kb=2048):
    pool = os.path.join(root, "sys/devices/system/node/node%d/hugepages/hugepages-%dkB" % (node, size_kb))
    os.makedirs(pool)
    for name in ("nr_hugepages", "free_hugepages"):
        with open(os.path.join(pool, name), "w") as stream:
            stream.write("0\n")


@pytest.mark.parametrize(
    "name", [CAPTURE, "6.1.0-56-cloud-amd64/healthy", "6.12.107+deb13-cloud-amd64/numa-fragmented"]
)
@pytest.mark.parametrize("letters", ["mf" * 256, "mfmf" * 128 + "s" * 512, "f" * 512])
def test_huge_pages_and_the_test_allocatable_do_not_contradict_each_other(name, letters, node_root):
    root = node_root(name)
    nodes = sorted({zone["node"] for zone in _facts.collect(Node(root))["zones"]})
    for number in nodes:
        put_pool(root, number)
    facts = looked_at(root, letters)
    rows = {row["node"]: row for row in facts["hugepages"]}
    assert sorted(rows) == nodes
    for number, row in rows.items():
        assert assess.blocks_left(facts, 9, number) == row["now"]
        assert assess.blocks_after(facts, 9, "compaction", number) == row["after_compaction"]["low"]
        assert assess.blocks_after(facts, 9, "reclaim", number) == row["after_reclaim"]["low"]
        assert row["now"] <= row["after_compaction"]["low"] <= row["after_compaction"]["expected"]
        for key in ("low", "expected", "high"):
            assert row["after_compaction"][key] <= row["after_reclaim"][key]
    assert assess.blocks_after(facts, 9, "compaction") == sum(row["after_compaction"]["low"] for row in rows.values())


def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path):
    with pytest.raises(NodeError) as error:
        _pageblocks.read(Node(str(tmp_path)), [_pageblocks.Zone(0, "Normal", 0, 512, 512)])
    assert "/proc/kpageflags" in str(error.value)


def test_pages_move_only_to_where_the_kernel_lets_them(tmp_path):
    # In each pageblock are free and movable pages, but none of it is free in a movable pageblock.
    found = zone("kkkkmfffffffffff" * 40, tmp_path)
    assert order_of(found, 3, now=3)["expected"] > 3
    unmovable = {(0, "Normal"): {"Movable": [0] * 5, "Unmovable": [440, 0, 0, 0, 0]}}
    pageblocks = {(0, "Normal"): {"Movable": 3, "Unmovable": 37}}
    _pageblocks.know_targets([found], {"free": unmovable, "pageblocks": pageblocks, "capped": set()})
    assert found.targets == (0, 3)
    assert order_of(found, 3, now=3) == {"order": 3, "now": 3, "low": 3, "expected": 3, "high": 3, "moved": 3}
    # Reclaim makes room in the movable pageblocks that there are.
    assert 3 < order_of(found, 3, now=3, reclaimed=0.5)["expected"] < 40
    movable = {(0, "Normal"): {"Movable": [440, 0, 0, 0, 0]}}
    _pageblocks.know_targets([found], {"free": movable, "pageblocks": pageblocks, "capped": set()})
    assert order_of(found, 3, now=3)["expected"] > 3
    # Counts that are capped tell nothing, nor do whole pageblocks that are free.
    found.targets = None
    _pageblocks.know_targets([found], {"free": movable, "pageblocks": pageblocks, "capped": {(0, "Normal")}})
    assert found.targets is None
    _pageblocks.know_targets(
        [found], {"free": {(0, "Normal"): {"Movable": [0, 0, 0, 0, 9]}}, "pageblocks": pageblocks, "capped": set()}
    )
    assert found.targets == (0, 3)


def test_memory_that_is_set_aside_for_devices_takes_pages_in_as_well(tmp_path):
    found = zone("mf" * 8 * 40, tmp_path)
    place = 0, "Normal"
    types = {
        "free": {place: {"Movable": [80, 0, 0, 0, 9], "CMA": [200, 20, 0, 0, 9], "HighAtomic": [80], "Isolate": [80]}},
        "pageblocks": {place: {"Movable": 10, "CMA": 28, "HighAtomic": 1, "Isolate": 1}},
        "capped": set(),
    }
    _pageblocks.know_targets([found], types)
    assert found.targets == (80 + 200 + 20 * 2, 38)
    assert order_of(found, 4)["expected"] >= 17
