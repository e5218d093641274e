# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""A surveyed zone as a row of letters, from its start to its end: what a map of it is drawn from."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._procfs import kpageflags

MOST_CELLS = 512

# Of a cell of which no pageblock was looked at.
UNKNOWN = "?"

_LETTERS = {kind: letter for letter, kind in kpageflags.KINDS.items()}


def draw(zone):
    """-> {cell_blocks, cells}: a letter per ``cell_blocks`` pageblocks, holes among them.

    zone   _pageblocks.Zone, after it was read
    cells  letters of _procfs/kpageflags.py: the kind that most of the cell's pageblocks are held by; "f" where they are free
           throughout, "m" where all of it is free or can be moved, "." for holes, UNKNOWN where a sample looked at none of them
    """
    width = -(-zone.span // MOST_CELLS) or 1
    counts = [{} for _cell in range(-(-zone.span // width))]
    for index, block in zip(zone.places, zone.surveyed):
        cell, letter = counts[index // width], _letter(block)
        cell[letter] = cell.get(letter, 0) + 1
    return {"cell_blocks": width, "cells": "".join(map(_most, counts))}


def _letter(block):
    if not block.pages:
        return kpageflags.HOLE
    return kpageflags.FREE if block.free == block.pages else _LETTERS[block.held_by]


def _most(counts):
    """The letter that is there most often; of as many, one that stays."""
    if not counts:
        return UNKNOWN
    return max(sorted(counts), key=lambda letter: (counts[letter], letter not in ".fm"))
