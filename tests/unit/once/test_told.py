# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a miss in the virtual machines is explained by: molecule/kernels/files/told.py."""

import importlib.util
import os
import types

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _pageblocks

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SIZE = 16
ZONE = "zone_start=0x1000 migrate_pfn=0x1000 free_pfn=0x1400 zone_end=0x1400, mode=sync"
# Of Linux 5.10 and 7; fields of another task's compaction between.
TRACE = f"""\
# tracer: nop
#
# entries-in-buffer/entries-written: 9/9   #P:2
          python3-411     [001] d..1.    99.1: mm_compaction_begin: {ZONE}
     kcompactd0-38        [000] .....    99.1: mm_compaction_isolate_migratepages: range=(0x9000 ~ 0x9040) nr_scanned=64 nr_taken=7
          python3-411     [001] .....    99.1: mm_compaction_isolate_migratepages: range=(0x1000 ~ 0x1010) nr_scanned=16 nr_taken=8
          python3-411     [001] .....    99.1: mm_compaction_migratepages: nr_migrated=7 nr_failed=1
          python3-411     [001] .....    99.1: mm_compaction_isolate_migratepages: range=(0x1010 ~ 0x1020) nr_scanned=16 nr_taken=0
          python3-411     [001] .....    99.1: mm_compaction_isolate_migratepages: range=(0x1024 ~ 0x1030) nr_scanned=16 nr_taken=8
          python3-411     [001] .....    99.1: mm_compaction_migratepages: nr_migrated=8 nr_failed=0
          python3-411     [001] .....    99.1: mm_compaction_end: {ZONE} status=complete
"""


@pytest.fixture(name="told")
def told_fixture(tmp_path):
    spec = importlib.util.spec_from_file_location("told", os.path.join(ROOT, "molecule", "kernels", "files", "told.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.TRACE, module.DRAIN = str(tmp_path), str(tmp_path / "drain") + "/"
    (tmp_path / "per_cpu" / "cpu0").mkdir(parents=True)
    (tmp_path / "per_cpu" / "cpu0" / "stats").write_text("entries: 9\noverrun: 0\ncommit overrun: 5\n")
    (tmp_path / "trace").write_text(TRACE)
    return module


def test_what_the_tracepoints_tell_of_a_zone(told, tmp_path):
    answer = told.told()
    assert answer["zones"] == {
        0x1000: {
            "taken": [[0x1000, 8], [0x1024, 8]],
            "stuck": [0x1000],
            "failed": 1,
            "ends": [ZONE + " status=complete"],
            "cpu": 1,
        }
    }
    assert answer["sums"] == {"nr_migrated": 15, "nr_failed": 1}
    assert (answer["drained"], answer["lost"]) == (None, 0)
    (tmp_path / "drain").mkdir()
    (tmp_path / "drain" / "hist").write_text(
        "{ migratetype: 1 } hitcount: 12\n\nTotals:\n    Hits: 15\n    Entries: 2\n"
    )
    (tmp_path / "per_cpu" / "cpu0" / "stats").write_text("overrun: 3\n")
    assert (told.told()["drained"], told.told()["lost"]) == (15, 3)


def zone(*letters):
    found = _pageblocks.Zone(0, "Normal", 0x1000, 0x1000 + SIZE * len(letters), SIZE)
    found.surveyed = [_pageblocks.Block((block * SIZE)[:SIZE], "fm") for block in letters]
    return found


def explained(told, before, after, taken, stuck=(), listed=0):
    story = dict(told.nothing(), taken=[[0x1000 + SIZE * place, pages] for place, pages in taken], failed=len(stuck))
    story["stuck"] = [0x1000 + SIZE * place for place in stuck]
    return types.SimpleNamespace(**told.explained(zone(*before), zone(*after), story, listed))


def test_what_follows_from_that(told):
    before = ["mf"] * 6 + ["f"] * 2
    taken = [(0, 8), (1, 5), (1, 3), (2, 8), (3, 8), (4, 3)]
    about = explained(told, before, ["f"] * 4 + ["m"] * 4, taken)
    # The scanners met in the fifth; what was whole before is no more.
    assert (about.blocks, about.emptied, about.reached) == (4, 4, 5)
    # One page could not be moved, and what was freed last is on a list: the pages of the fifth, and some of the fourth.
    about = explained(told, before, ["f"] * 8, taken, stuck=[1], listed=5)
    assert (about.blocks, about.stuck, about.kept, about.failed) == (4, 1, 1, 1)
    assert explained(told, before, ["f"] * 4 + ["m"] * 4, taken, stuck=[1], listed=12).blocks == 1


def test_what_lists_have_given_back_follows_as_well(told):
    before = ["mf", "mfk" + "f" * 13, "k" * 3 + "f" * 13, "mfkf"]
    about = explained(told, before, ["f", "f", "f", "kf"], [(0, 8), (1, 1), (3, 4)])
    # The second and the third; the fourth has pages of the kernel's still.
    assert (about.blocks, about.emptied, about.came_back) == (3, 1, 2)
