# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node's drawings for readers without JavaScript."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _html_node

ZONES = [[0, 0, 100, 1, 0, 2], [0, 1, 4000, 64, 32, 16]]
ABOUT: list[dict[str, t.Any]] = [
    {"watermarks": {"min": 40, "low": 60, "high": 80}, "migratetypes": {}, "states": ["exhausted"] * 3},
    {
        "watermarks": {"min": 10, "low": None, "high": None},
        "migratetypes": {"Unmovable": [64, 0, 0], "Movable": [0, 32, 16]},
        "states": ["ok", "needs_compaction", "exhausted"],
    },
]


def profiles() -> list[_html_node.Profile]:
    return _html_node.profiles(ZONES, ["DMA", "Normal"], ABOUT, 4096)


def test_the_zone_with_most_of_the_memory_stands_first() -> None:
    assert [(each.title, each.free) for each in profiles()] == [("Normal", "768 kB"), ("DMA", "36 kB")]
    assert profiles()[0].label == "Normal: order 0 256 kB, order 1 256 kB, order 2 256 kB"


def test_bars_are_as_high_as_what_is_free() -> None:
    normal, dma = profiles()
    assert [kind for kind, _path in normal.bars] == ["g-U", "g-M"]
    heights = [
        float(floor) - float(roof)
        for _kind, path in normal.bars
        for roof, floor in re.findall(r"M[0-9.]+ ([0-9.]+)h[0-9.]+V([0-9.]+)", path)
    ]
    # A third of the memory each, and the room is for all of it.
    assert heights == [40.0, 40.0, 40.0]
    # Nothing is known of the migratetypes of the other.
    assert [kind for kind, _path in dma.bars] == ["g-o"]


def test_what_can_be_had_and_what_the_kernel_keeps_is_marked() -> None:
    normal, dma = profiles()
    assert [heat for heat, _path in normal.cells] == ["0", "3", "5"]
    assert [text.words for text in normal.texts if text.y > 150] == ["✓", "2", "–"]
    assert (len(normal.watermarks), len(dma.watermarks)) == (1, 2)
    # Watermarks above what is free still lie in the picture.
    assert dma.watermarks[1].startswith("M50 10.0H")


def test_what_is_in_the_way_stands_first() -> None:
    survey = {
        "zones": [{"node": 0, "zone": "Normal", "held_by": {"movable": 60, "slab": 10, "page_table": 30, "kernel": 0}}]
    }
    (zone,) = _html_node.holders(survey)
    assert [(letter, kind, width) for letter, kind, _start, width in zone["parts"]] == [
        ("p", "page table", 30.0),
        ("s", "slab", 10.0),
        ("m", "movable", 60.0),
    ]
    assert _html_node.holders(None) == []
