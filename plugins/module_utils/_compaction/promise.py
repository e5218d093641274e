# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a compaction is expected to bring, by a survey of the pageblocks, and beside it what it brought. Pure but for survey() and learn().

A promise is a row {node, zone, order, now, low, expected, high, obtained}: free blocks of the order, larger ones counted as what they
can be split into; obtained is None until it is known.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

from .. import _scanners, _survey, _yields
from .target import orders_of

# So many kinds are named of what is in the way.
_NAMED = 3


def survey(node, facts):
    """Puts the survey into the facts, corrected by what was learned. -> why there is none, or None"""
    facts["pageblock_survey"], dummy = _survey.survey(node, facts, learned=_yields.load(node))
    return None if facts["pageblock_survey"] else facts["unavailable"].get(_survey.SUBSET, "the survey brought nothing")


def of(facts, target, nodes):
    """-> the promises for a target's zones on these NUMA nodes, by the facts' survey."""
    return [
        dict({name: row[name] for name in ("order", "now", "low", "expected", "high")}, obtained=None, **_place(zone))
        for zone in _surveyed(facts, nodes)
        if zone["zone"] in target["zones"]
        for row in zone["yields"]
        if row["order"] in orders_of(target)
    ]


def _place(zone):
    return {"node": zone["node"], "zone": zone["zone"]}


def _surveyed(facts, nodes):
    return [zone for zone in (facts["pageblock_survey"] or {"zones": ()})["zones"] if zone["node"] in nodes]


def kept(promises, after):
    """-> the promises with what is there now, by the facts ``after`` the compaction."""
    blocks = _blocks(after)
    return [dict(row, obtained=_at(blocks.get((row["node"], row["zone"]), ()), row["order"])) for row in promises]


def _blocks(facts):
    return {(zone["node"], zone["zone"]): _scanners.free_per_order(zone["free_blocks"]) for zone in facts["zones"]}


def _at(blocks, order):
    return blocks[order] if order < len(blocks) else 0


def learn(node, before, after, nodes, promises):
    """The node keeps what came of the promises. Raises NodeError.

    before, after   the facts with the survey, and those after the compaction of the NUMA ``nodes``
    """
    ended_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    _yields.remember(node, _yields.load(node), _surveyed(before, nodes), _blocks(after), promises, ended_at)


def total(promises, order, node=None):
    """{now, low, expected, high, obtained} of one order, over all zones, of one NUMA node if asked for; None where there is nothing."""
    rows = [row for row in promises or () if row["order"] == order and node in (None, row["node"])]
    if not rows:
        return None
    summed = {name: sum(row[name] for row in rows) for name in ("now", "low", "expected", "high")}
    unknown = any(row["obtained"] is None for row in rows)
    return dict(summed, obtained=None if unknown else sum(row["obtained"] for row in rows))


def in_words(promises, order):
    """ "expected 4100 free blocks of order 9 (2510 to 6884, 229 before)", and what was obtained; "" without a promise."""
    summed = total(promises, order)
    if summed is None:
        return ""
    words = "expected %(expected)d free blocks of order %(order)d (%(low)d to %(high)d, %(now)d before)"
    if summed["obtained"] is not None:
        words += ", obtained %(obtained)d"
    return words % dict(summed, order=order)


def in_the_way(facts, nodes):
    """ "kernel in 120 pageblocks, slab in 11": what holds most of the pageblocks that compaction cannot empty; "" where nothing does."""
    held = {}
    for zone in _surveyed(facts, nodes):
        for kind, count in zone["held_by"].items():
            if kind not in ("movable", "free") and count:
                held[kind] = held.get(kind, 0) + count
    kinds = sorted(held, key=lambda kind: (-held[kind], kind))[:_NAMED]
    return ", ".join("%s in %d pageblocks" % (kind, held[kind]) for kind in kinds)
