# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""How many blocks of an order one compaction would bring: where its two scanners meet, and what becomes of the pages that it frees.

Of a surveyed zone (_pageblocks.Zone), by mm/compaction.c and mm/page_alloc.c. Amounts are pageblocks, pages, or blocks of an order.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import math

# Of the pageblocks that a compaction could empty one in ten may keep a page that resists: under writeback, pinned, or locked just then
# (migrate_pages() gives up after ten passes, and compaction goes on behind it).
_RESISTING = 0.1

# So many pages are moved, and given to a list, in one go; compaction may go on at another CPU then (COMPACT_CLUSTER_MAX).
_CLUSTER = 32

# The last pages of a pageblock are moved when the migration scanner stands at its end already, and then the free scanner does not look at
# the next one either (isolate_freepages(), low_pfn).
_GAP = 2

_Z95 = 1.96


def wilson(share, drawn, total):
    """(low, high) of Wilson's interval for a share, drawn without putting back."""
    if not drawn or drawn >= total:
        return share, share
    square = _Z95**2 / drawn
    middle = (share + square / 2) / (1 + square)
    spread = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    spread *= math.sqrt((total - drawn) / (total - 1.0))
    return max(0.0, min(share, middle - spread)), min(1.0, max(share, middle + spread))


def yields(zone, now, correction=1.0, reclaimed=0.0):
    """[{order, now, low, expected, high, moved}]: blocks per order that would be free after one compaction.

    now          blocks per order that are free now; the list's length says which orders are asked for
    correction   what a compaction here brought before, as a share of what was promised
    reclaimed    share of the movable pages that is given up before, to make room

    Low and high are bounds of where the two scanners meet (_meetings()), expected is where they are likely to. What compaction frees goes
    to the list of the CPU that it runs on, and of what it freed last the list keeps as much as it may (mm/page_alloc.c,
    free_unref_page()): those pageblocks are whole again only when the list is given back. Expected is what is there with a list of
    usual content; low with the longest ones, where each pageblock has pages on two; high is what there is when the lists are given
    back. Then those pages are free as well that stand on lists now, and high counts each pageblock that may have waited for
    nothing else (_held_up()). Expected counts those that look like it, for as many pages as one list has, since a compaction turns over
    that of its CPU, and of these the share of movable pageblocks in the zone. moved is high without them: no compaction is needed for
    what lists give back.
    """
    blocks = zone.observed
    least, likely, most = _meetings(zone, reclaimed)
    ends = [
        least - _on_lists(zone, blocks[:least], zone.most_kept, _CLUSTER),
        likely - _on_lists(zone, blocks[:likely], zone.kept, zone.size),
    ]
    turned_over = _held_up(zone, filter(_looks_listed, blocks[: ends[1]]), zone.turned_over * _movable_share(zone))
    listed = _held_up(zone, blocks[:most] + [block for block in blocks[most:] if not block.movable], zone.listed)
    answer = []
    for order, ready in enumerate(now):
        all_ = max(1.0, zone.blocks * zone.size / float(1 << order))
        room = sum(block.free + reclaimed * block.movable for block in blocks) * zone.scale / (1 << order)
        if 1 << order <= zone.size:
            low, expected, high = (min(room, _reached(zone, blocks, end, order)) for end in ends + [most])
            moved = high
            expected += _brought(zone, turned_over, order)
            high += _brought(zone, listed, order)
        else:
            low, expected, high = (min(room, count) for count in _in_rows(zone, order, ends))
            moved = high
        low = wilson(min(1.0, low / all_), len(blocks), zone.blocks)[0] * all_ * correction * (1 - _RESISTING)
        moved, high = (wilson(min(1.0, count / all_), len(blocks), zone.blocks)[1] * all_ for count in (moved, high))
        answer.append(
            {
                "order": order,
                "now": ready,
                "low": max(ready, int(low)),
                "expected": max(ready, int(round(expected * correction))),
                "high": max(ready, int(math.ceil(high))),
                "moved": max(ready, int(math.ceil(moved))),
            }
        )
        answer[-1]["high"] = max(answer[-1]["high"], answer[-1]["expected"])
    return answer


def _reached(zone, blocks, end, order):
    """Blocks of ``order`` in the first ``end`` of the pageblocks, emptied, and in those behind that are free already."""
    clean = [block.clean[order] if order < len(block.clean) else 0 for block in blocks]
    untouched = sum(count for count, block in zip(clean[end:], blocks[end:]) if block.free == block.pages)
    return (sum(clean[:end]) + untouched) * zone.scale


def _in_rows(zone, order, ends):
    """Blocks larger than a pageblock: (among the first of the pageblocks up to each of the ``ends``, anywhere).

    That many pageblocks in a row, from where such a block may start. A sample does not see rows: there may be as many as it has
    pageblocks for, or none.
    """
    row = (1 << order) // zone.size
    whole = [block.pages == zone.size and block.clean[-1] == 1 for block in zone.surveyed]
    if not zone.complete:
        return [0 for _end in ends] + [sum(whole) * zone.scale / row]
    starts = range(-zone.first % row, len(whole) - row + 1, row)
    rows = [start for start in starts if all(whole[start : start + row])]
    return [sum(1 for start in rows if start + row <= end) for end in ends] + [len(rows)]


def _on_lists(zone, emptied, pages, together):
    """How many of the emptied pageblocks, the last ones, lack what a per-cpu list of so many ``pages`` keeps of them.

    together   so many of a pageblock's pages, or all of them where it has fewer, are kept or given back as one
    """
    kept, pages = 0, pages / zone.scale if zone.scale else 0
    for block in reversed(emptied):
        if pages <= 0:
            break
        pages -= min(block.movable, together)
        kept += 1
    return kept


def _held_up(zone, blocks, pages):
    """Of the pageblocks as many as there may be that so many free ``pages`` on per-cpu lists are all that is in the way of.

    Nothing sets such pages apart from the kernel's own. They stand close together, as they were freed: of all unflagged pages of a
    few pageblocks all may be such.
    """
    budget, found = pages / zone.scale if zone.scale else 0, []
    for block in sorted((block for block in blocks if block.unflagged), key=lambda block: block.unflagged):
        budget -= block.unflagged
        if budget < 0:
            break
        found.append(block)
    return found


def _looks_listed(block):
    """Whether its unflagged pages are rather free ones on lists than the kernel's.

    Those of the movable lists stand in movable pageblocks, and close together, as they were freed. A lone page among movable ones is
    one that the kernel took there, as often as not.
    """
    return 1 < block.unflagged <= block.movable


def _movable_share(zone):
    """Which share of the zone's pageblocks is movable, 0 where nothing tells: of the pages on its lists as many, as far as one can know."""
    return min(1.0, zone.targets[1] / float(zone.blocks)) if zone.targets and zone.blocks else 0.0


def _brought(zone, held_up, order):
    """Blocks of ``order`` more that these pageblocks have when nothing is in their way any more."""
    return (
        sum((block.pages >> order) - block.clean[order] for block in held_up if order < len(block.clean)) * zone.scale
    )


def _is_target(block):
    """Whole free pageblocks are no target, nor are those without a movable page (mm/compaction.c, suitable_migration_target())."""
    return block.movable and block.free < block.pages


def _meetings(zone, reclaimed):
    """(least, likely, most) pageblocks, from the start of the zone, that the migration scanner empties until it meets the free scanner.

    A target is of the migratetype Movable or CMA, which no page flag shows: pages of files stand in unmovable pageblocks as well. How
    much is free in real targets, and how many these are, is counted (/proc/pagetypeinfo). Which of those that look like targets are
    some decides where the scanners meet: with all the room at the end of the zone the free scanner stays up there, with none of it
    there it comes down. Likely are those with the fewest pages that stay, the strangers' share in them. Pages that cannot be moved leave
    their room to others, so that most is a pageblock more than there would be room for.
    """
    blocks = zone.observed
    needs = [block.movable * (1 - reclaimed) for block in blocks]
    rooms = [block.free + block.movable * reclaimed if _is_target(block) else 0 for block in blocks]
    # A sampled pageblock stands for many: none of them is the next one, and none makes a difference.
    gap, spare = (_GAP, 1) if zone.complete else (1, 0)
    if zone.targets is None:
        likely = _emptied(needs, rooms, gap)
        return likely, likely, min(len(blocks), _emptied(needs, rooms, 1) + spare)
    free, pageblocks = (
        zone.targets[0] / zone.scale if zone.scale else 0,
        zone.targets[1] / zone.scale if zone.scale else 0,
    )
    more = reclaimed * sum(block.movable for block in blocks if _is_target(block))
    usable = free + min(more, max(0, pageblocks * zone.size - free))
    ranked = sorted(
        (block.pages - block.free - block.movable, -place) for place, block in enumerate(blocks) if rooms[place]
    )
    chosen = [0] * len(blocks)
    for _stay, place in ranked[: int(round(pageblocks))]:
        chosen[-place] = rooms[-place]
    share = min(1.0, usable / sum(chosen)) if sum(chosen) else 0.0
    return (
        _emptied(needs, _last(rooms, usable), gap),
        _emptied(needs, [room * share for room in chosen], gap),
        min(len(blocks), _emptied(needs, _last(rooms[::-1], usable)[::-1], 1) + spare),
    )


def _last(rooms, usable):
    """The rooms, from the first on, until so much is ``usable`` of them; nothing behind."""
    found = []
    for room in rooms:
        found.append(min(room, usable))
        usable -= found[-1]
    return found


def _emptied(needs, rooms, gap):
    """How many pageblocks, from the start, are emptied until the scanners meet.

    mm/compaction.c: the migration scanner goes up from the start of the zone, and takes pages to where the free scanner, coming down from
    the end, has found room.

    gap   the free scanner finds room no nearer than so many pageblocks above the one that is emptied
    """
    low, high, room = 0, len(needs), 0
    while low < high:
        while room < needs[low] and low < high - gap:
            high -= 1
            room += rooms[high]
        if room < needs[low]:
            break
        room -= needs[low]
        low += 1
    return low


def reclaimable_share(zone, pages):
    """Which share of a zone's movable pages is given up where so many ``pages`` can be reclaimed, for yields()."""
    movable = sum(block.movable for block in zone.observed) * zone.scale
    return min(1.0, pages / movable) if movable else 0.0


def free_per_order(free_blocks, orders=None):
    """[blocks per order] with those that larger ones can be split into, for as many orders as asked for."""
    return [
        sum(count << (larger - order) for larger, count in enumerate(free_blocks) if larger >= order)
        for order in range(orders or len(free_blocks))
    ]
