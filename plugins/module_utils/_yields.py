# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What compactions of this node brought, beside what a survey of its pageblocks had promised. It corrects the next promise.

    learned = load(node)                 what is known, nothing where there is no file, or none to be believed
    row = learned.corrected(zone, row)   a row of the survey's ``yields`` by it
    remember(node, learned, ...)         one more compaction, if the node keeps a state at all

The file lies with the state of the node tool, is root's, replaced as a whole, and bounded. Amounts are blocks of the order.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import re

from ._node import NodeError

DIRECTORY = "/var/lib/memfrag"
FILE = DIRECTORY + "/yields.json"

# Of each zone and order the newest so many compactions count; of a machine so many zones; of the last compaction so many promises.
_RUNS, _MOST_ZONES, _MOST_ROWS = 8, 64, 256
_LIMIT = 1048576

# A promise is multiplied by no less and no more than this, and its interval widened to no more than this, whatever was seen.
_LEAST, _MOST, _WIDEST = 0.25, 1.5, 4.0

# Fewer blocks than this say nothing about how good a promise is.
_FEWEST = 4

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_ROW = ("node", "order", "now", "low", "expected", "high", "obtained")


class Learned:
    """runs: {(NUMA node, zone, order): [(expected without correction, obtained)]}, the newest last; last: the last compaction or None."""

    def __init__(self, runs=None, last=None):
        self.runs, self.last = runs or {}, last

    def correction(self, node, zone, order):
        """(factor, lowest, highest) of what was obtained to what had been expected, None where that is not known."""
        ratios = sorted(obtained / float(expected) for expected, obtained in self.runs.get((node, zone, order), ()))
        if not ratios:
            return None
        half = len(ratios) // 2
        middle = ratios[half] if len(ratios) % 2 else (ratios[half - 1] + ratios[half]) / 2
        return max(_LEAST, min(_MOST, middle)), ratios[0], min(_WIDEST, ratios[-1])

    def corrected(self, zone, row):
        """A row {order, now, low, expected, high, moved} by what was learned of the zone: (NUMA node, name).

        Expected is multiplied by the median of what came of it before. The interval goes with it, and is widened to what was seen.
        ``uncorrected`` is what the row expected before.
        """
        known = self.correction(zone[0], zone[1], row["order"])
        if known is None:
            return row
        factor, lowest, highest = known
        high = max(row["high"], int(round(row["expected"] * highest)))
        expected = min(high, max(row["now"], int(round(row["expected"] * factor))))
        low = int(min(row["low"] * factor, row["expected"] * lowest))
        low = min(expected, max(row["now"], low))
        # What compactions here brought beyond what was expected, they may bring again.
        moved = max(row.get("moved", high), min(high, int(round(row["expected"] * highest))))
        return dict(row, low=low, expected=expected, high=high, moved=moved, uncorrected=row["expected"])


def load(node):
    """-> Learned, of a TrustingNode. Nothing is believed that somebody else than root could have written, or that is no such record."""
    try:
        record = node.read_json(FILE, _LIMIT)
        runs = {}
        for entry in record["zones"][: _MOST_ZONES * 64]:
            key = _count(entry["node"]), "%s" % entry["zone"], _count(entry["order"])
            pairs = [(_count(expected), _count(obtained)) for expected, obtained in entry["runs"][-_RUNS:]]
            runs[key] = [pair for pair in pairs if pair[0]]
        return Learned(runs, _last(record.get("last")))
    except (NodeError, ValueError, KeyError, TypeError, AttributeError):
        return Learned()


def _count(value):
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 48:
        raise ValueError("no number of blocks: %r" % (value,))
    return value


def _last(entry):
    """The last compaction as it was written, checked: {ended_at, promised: [rows]}."""
    if entry is None:
        return None
    rows = [
        dict({name: _count(row[name]) for name in _ROW}, zone="%s" % row["zone"])
        for row in entry["promised"][:_MOST_ROWS]
    ]
    if not _TIME.match(entry["ended_at"]):
        raise ValueError("no time: %r" % (entry["ended_at"],))
    return {"ended_at": "%s" % entry["ended_at"], "promised": rows}


def remember(node, learned, zones, obtained, promised, ended_at):
    """Keeps one compaction, where the node keeps a state: without the tool and its directory nothing is left on it. Raises NodeError.

    zones      the survey's zones that were compacted: node, zone, yields
    obtained   {(node, zone): [free blocks per order afterwards]}
    promised   what was said of it: rows of {node, zone, order, now, low, expected, high, obtained}
    """
    if not node.exists(DIRECTORY):
        return
    runs = dict(learned.runs)
    for zone in zones:
        after = obtained.get((zone["node"], zone["zone"]), ())
        for row in zone["yields"]:
            if row["order"] < len(after) and _tells(row, after[row["order"]]):
                key = zone["node"], zone["zone"], row["order"]
                pair = max(1, row.get("uncorrected", row["expected"])), after[row["order"]]
                runs[key] = (runs.get(key, []) + [pair])[-_RUNS:]
    places = sorted({key[:2] for key in runs})[:_MOST_ZONES]
    record = {
        "schema_version": 1,
        "zones": [
            {"node": key[0], "zone": key[1], "order": key[2], "runs": [list(pair) for pair in runs[key]]}
            for key in sorted(runs)
            if key[:2] in places
        ],
        "last": {"ended_at": ended_at, "promised": promised[:_MOST_ROWS]},
    }
    node.own_directory(DIRECTORY)
    node.write_file(FILE, json.dumps(record, sort_keys=True) + "\n")


def _tells(row, obtained):
    """Whether it tells how good the promise was: something was promised, or more came than was thought possible."""
    promised = row["expected"] > row["now"] and max(row["expected"], obtained) >= _FEWEST
    return promised or obtained >= max(_FEWEST, row["high"] + 1)
