# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The kernel's arithmetic on the zones that a report lists: could the request have been served from them, and if not, why not.

The watermark check and the fragmentation index are those of the facts (_fragmentation), so logs and facts never disagree.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections

from .._fragmentation import BLOCK_FREE, fragmentation_index, free_pages, normal_index, watermark_ok
from .._releases import scaled_check

# Free blocks of these types are listed, but closed to an ordinary request; "C" is open to movable ones and "H" to atomic ones.
_CLOSED_LETTERS = "HCIR"

# More than one page in so many free in zones that are not listed: they are missing.
_UNLISTED = 8

# One zone that the request could use. state: "free" a block could be had, "fragmented" enough is free but not in such a block,
# "short" the watermark forbids it, "tight" it
# forbids a block of that size, but not a page, "reserved" only lowmem_reserve forbids it, "empty" the zone has no memory. Amounts in pages.
Zone = collections.namedtuple("Zone", "key state free closed reserve marks blocks usable index")


def name_of(key):
    return key[1] if key[0] is None else "node %d %s" % key


def nodes(text):
    """ "0-1,4" -> {0, 1, 4}"""
    found = set()
    for part in (text or "").split(","):
        first, _dash, last = part.partition("-")
        if first.isdigit() and (last.isdigit() or not last):
            found.update(range(int(first), min(int(last or first), int(first) + 1023) + 1))
    return found


def _reserve(zone, names, wanted):
    """Pages of the zone that lowmem_reserve keeps from requests whose highest zone is ``wanted``."""
    reserve = zone.get("lowmem_reserve")
    if not reserve:
        return 0
    normal = normal_index(names, len(reserve))
    above = {"DMA": -normal, "DMA32": -1, "Normal": 0, "HighMem": 1, "Movable": 2 if "HighMem" in names else 1}[wanted]
    return max(0, reserve[max(0, min(normal + above, len(reserve) - 1))])


def _allowed(report):
    """The memory nodes that the request was bound to, None for all of them."""
    allowed = nodes(report.mems_allowed) or None
    if report.constraint in ("MEMORY_POLICY", "CPUSET"):
        allowed = nodes(report.nodemask) or allowed
    return allowed


def examine(report, request):
    """-> [Zone] of the zones that the request could use, those of other nodes than it was bound to left out."""
    allowed = _allowed(report)
    names = [key[1] for key in report.zones]
    marked = any("min" in zone for zone in report.zones.values())
    seen = []
    for key, zone in report.zones.items():
        if key[1] not in request.eligible or "free" not in zone and (marked or "free_blocks" not in zone):
            # Without its watermarks, what a zone has free says nothing, where others have theirs in the log.
            continue
        if allowed and key[0] is not None and key[0] not in allowed:
            continue
        seen.append(_zone(report, request, key, zone, names))
    return seen


def _scaled(report):
    """Whether the watermark check is that of up to 4.3, by the release or by forms that no later kernel prints."""
    if report.kernel is not None:
        return scaled_check(report.kernel)
    types = {
        letter for zone in report.zones.values() for letters in zone.get("migratetypes") or () for letter in letters
    }
    # Until 2.6.39 "failure." ended in a period; until 4.3 there were blocks of the type Reserve.
    return report.old_form or "R" in types


def _zone(report, request, key, zone, names):
    order, page_kb = max(0, report.order or 0), report.page_kb
    letters = set(_CLOSED_LETTERS) - set("C" if request.movable else "") - set("H" if request.atomic else "")
    blocks = zone.get("free_blocks")
    free = zone["free"] // page_kb if "free" in zone else free_pages(blocks)
    marks = {mark: zone.get(mark, 0) // page_kb for mark in ("min", "low", "high")}
    reserve = _reserve(zone, names, request.zone)
    closed = 0 if request.movable else zone.get("free_cma", 0) // page_kb
    if not request.atomic:
        closed += zone.get("free_highatomic", zone.get("reserved_highatomic", 0)) // page_kb
    usable = None
    if blocks:
        usable = [count if set(types or "U") - letters else 0 for count, types in zip(blocks, zone["migratetypes"])]
    room = free - closed
    if zone.get("managed") == 0:
        state = "empty"
    elif room > 0 and watermark_ok(blocks or [free], 0, marks["min"], reserve, closed, None, request.atomic):
        state = "free"
        if order and blocks is None:
            state = "fragmented"
        elif order and not watermark_ok(
            blocks, order, marks["min"], reserve, closed, usable, request.atomic, _scaled(report)
        ):
            mark = 0 if request.atomic else marks["min"]
            state = "fragmented" if room - (1 << order) + 1 > mark + reserve else "tight"
    else:
        state = "reserved" if reserve and room > marks["min"] else "short"
    index = fragmentation_index(blocks, order) if blocks and order < len(blocks) else None
    return Zone(key, state, free, closed, reserve, marks, blocks, usable, index)


def missing(report, request, seen):
    """Whether zones that the request could use are not in what is left of the report.

    lowmem_reserve of a zone counts the memory of the zones above it: where it keeps something from this request, there is a zone
    above, and a report that does not show that one was cut. So was one whose zones have much less free than its first lines say.
    """
    if report.truncated:
        return True
    shown = {zone.key[1] for zone in seen}
    highest = [name for name in ("Movable", "HighMem", "Normal", "DMA32", "DMA") if name in shown][0]
    if any(zone.reserve and zone.key[1] == highest for zone in seen):
        return True
    if highest == request.zone and request.bound:
        return False
    if highest in ("DMA", "DMA32") and any(
        key[1] == highest and "free" in zone and "lowmem_reserve" not in zone for key, zone in report.zones.items()
    ):
        return True
    return _unlisted(report)


def verdict(report, request):
    """-> (cause, confidence, reason, rejected) by the zones of a report; None when it lists none."""
    if not report.zones:
        return None
    seen = examine(report, request)
    if not seen:
        if any(key[1] in request.eligible for key in report.zones) and not _allowed(report):
            # Their lines were cut off: nothing to reckon with.
            return None
        return _closed_to_it(report, request) if _is_whole(report) else None
    found = _judge(report, request, seen)
    if missing(report, request, seen):
        return (found[0], "low") + found[2:]
    if report.order is None:
        # For how much was asked is not known, so a mark that is hardly missed tells little.
        return (found[0], "medium" if found[1] == "high" else "low") + found[2:]
    return found


def _is_whole(report):
    """Whether a report says for what was asked and lists every zone: of one that was cut, what it does not list proves nothing.

    The nodes that the task may not use are not listed (show_free_areas(), SHOW_MEM_FILTER_NODES), but their pages are counted.
    """
    if report.mask is None or report.truncated:
        return False
    return bool(_allowed(report)) or not _unlisted(report)


def _unlisted(report):
    """Whether much more is free than in the zones that are listed."""
    listed = sum(zone.get("free", 0) for zone in report.zones.values()) // report.page_kb
    return bool(report.free_pages and (report.free_pages - listed) * _UNLISTED > report.free_pages)


def _closed_to_it(report, request):
    bound = ", nodes " + report.mems_allowed if report.mems_allowed else ""
    text = (
        "none of the zones listed (%s) may serve this request (%s and below%s): a matter of configuration, neither shortage nor "
        "fragmentation" % (", ".join(sorted(name_of(key) for key in report.zones)), request.zone, bound)
    )
    return "unknown", "medium", text, [{"cause": "fragmentation", "why": "no zone open to the request is listed"}]


def _judge(report, request, seen):
    states = {}
    for zone in seen:
        states.setdefault(zone.state, []).append(zone)
    if set(states) == {"empty"}:
        text = "%s was asked of zone %s, which has no memory at all" % (_asked(report), seen[0].key[1])
        return request.short, "high", text, [_not_fragmentation(report, seen[0])]
    if states.get("fragmented"):
        return _fragmented(report, request, max(states["fragmented"], key=lambda zone: zone.free))
    if states.get("free"):
        room = [
            (zone.free - zone.closed - zone.reserve - zone.marks["low"], number)
            for number, zone in enumerate(states["free"])
        ]
        return _free(report, request, states["free"][max(room)[1]])
    return _short(report, request, seen, states)


def _asked(report):
    order = report.order or 0
    return "order %d (%d kB contiguous)" % (order, report.page_kb << order) if order > 0 else "one page"


def _kb(report, pages):
    return "%d kB" % (pages * report.page_kb)


def _fragmented(report, request, zone):
    """Enough is free for the watermark, no block is."""
    order = report.order
    room = zone.free - zone.closed - zone.reserve
    marked = any(zone.marks.values())
    above_low = room > zone.marks["low"] and marked
    mark = "low" if above_low else "min"
    text = "%s: %s has %s free, %s" % (
        _asked(report),
        name_of(zone.key),
        _kb(report, zone.free),
        "above its %s watermark of %s" % (mark, _kb(report, zone.marks[mark]))
        if marked
        else "its watermarks are not in the log",
    )
    largest = max([index for index, count in enumerate(zone.usable or ()) if count] or [-1])
    if zone.blocks is None:
        text += " (its free lists are not in the log)"
    elif largest >= order:
        text += ", but too little of it in blocks of such orders for the watermark check of this kernel (up to 4.3, el6, el7)"
    elif any(zone.blocks[order:]):
        text += ", but blocks of order %d and above are only in types closed to it (high-atomic reserve, CMA)" % order
    else:
        text += ", but no block above order %d" % largest if largest >= 0 else ", but no block it may use"
        if zone.index is not None and zone.index != BLOCK_FREE:
            text += " (fragmentation index 0.%03d)" % max(0, min(999, zone.index))
    if not request.sleeps:
        text += "; the request may not sleep, so the kernel could not compact for it"
    rejected = [{"cause": "memory_shortage", "why": "%s free in %s" % (_kb(report, zone.free), name_of(zone.key))}]
    return "fragmentation", "high" if above_low and zone.blocks is not None else "medium", text, rejected


def _free(report, request, zone):
    """A zone could serve the request, when these numbers were printed."""
    order, room = report.order or 0, zone.free - zone.closed - zone.reserve
    killed = report.kind == "oom_kill"
    tight = room <= zone.marks["low"] or killed and room <= zone.marks["high"]
    rejected = [_not_fragmentation(report, zone)]
    if tight and (order <= 0 or killed):
        below = room <= zone.marks["min"]
        kept = " (lowmem_reserve keeps %s of it)" % _kb(report, zone.reserve) if zone.reserve else ""
        text = "%s: %s has %s free%s%s, %s its min watermark of %s: %s" % (
            _asked(report),
            name_of(zone.key),
            _kb(report, zone.free),
            _closed_words(report, zone),
            kept,
            "below" if below else "hardly above",
            _kb(report, zone.marks["min"]),
            _short_words(request),
        )
        return request.short, "high" if below else "medium", text, rejected
    text = "%s: %s has %s free and %s" % (
        _asked(report),
        name_of(zone.key),
        _kb(report, zone.free),
        "blocks of that size" if order > 0 else "watermark min %s" % _kb(report, zone.marks["min"]),
    )
    return "unknown", "low", text, rejected


def _short(report, request, seen, states):
    # On the mark itself, both what is free and what it is made of count: no cause is proved.
    tight = states.get("tight")
    zone = max(tight or states.get("short") or states.get("reserved") or seen, key=lambda item: item.free)
    text = "%s: %s has %s free, min watermark %s" % (
        _asked(report),
        name_of(zone.key),
        _kb(report, zone.free),
        _kb(report, zone.marks["min"]),
    )
    text += _closed_words(report, zone)
    if zone.state == "reserved" and zone.reserve:
        text += ", and lowmem_reserve keeps %s from it" % _kb(report, zone.reserve)
    biggest = max(seen, key=lambda item: item.free)
    if biggest is not zone and biggest.state == "reserved":
        text += "; %s has %s, which lowmem_reserve keeps for others" % (name_of(biggest.key), _kb(report, biggest.free))
    room = zone.free - zone.closed - zone.reserve
    # Reclaim keeps what is free near the mark; where there is no block either, it may as well be that which was waited for.
    order = report.order or 0
    near = order > 0 and room * 4 > zone.marks["min"] * 3 and not any((zone.usable or ())[order:])
    return (
        request.short,
        "low" if tight else "medium" if near else "high",
        text + ": " + _short_words(request),
        [_not_fragmentation(report, zone)],
    )


def _closed_words(report, zone):
    if not zone.closed:
        return ""
    return ", %s of it closed to the request (CMA, high-atomic reserve)" % _kb(report, zone.closed)


def _short_words(request):
    return "may not sleep and the reserves are drained" if request.short == "atomic_burst" else "memory is short"


def _not_fragmentation(report, zone):
    if not report.order or report.order < 0:
        why = "a single page cannot fail for fragmentation"
    elif zone.state == "free":
        why = "a block of that order is free"
    else:
        why = "too little is free for blocks to be made of it"
    return {"cause": "fragmentation", "why": why}
