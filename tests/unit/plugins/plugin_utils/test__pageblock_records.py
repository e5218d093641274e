# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of a virtual machine with Linux 6.1 whose pageblocks were surveyed: memory fragmented by pages that can be moved, by pipes,
and by both (molecule/kernels/files/fragment.py)."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts


@pytest.mark.parametrize(
    ("name", "held", "most"),
    [("movable", "m", "movable"), ("mixed", "k", "kernel"), ("unmovable", "k", "kernel")],
)
def test_a_surveyed_machine(fixture_path: t.Callable[..., str], name: str, held: str, most: str) -> None:
    with open(fixture_path("pageblocks", name + ".json"), encoding="utf-8") as stream:
        record = json.load(stream)
    _contracts.RECORD.check(record)
    zones = {zone["zone"]: zone for zone in record["facts"]["pageblock_survey"]["zones"]}
    normal = zones["Normal"]
    # The zone has no holes, and each of its 224 pageblocks has a cell of its own.
    assert (normal["blocks"], normal["map"]["cell_blocks"], len(normal["map"]["cells"])) == (224, 1, 224)
    counts = {letter: normal["map"]["cells"].count(letter) for letter in set(normal["map"]["cells"])}
    assert max(counts, key=counts.__getitem__) == held
    assert normal["held_by"][most] >= 0.3 * normal["blocks"]
    # DMA32 ends at 4 GiB and has memory at its start alone.
    assert zones["DMA32"]["map"]["cells"].count(".") > 400
