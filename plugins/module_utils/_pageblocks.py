# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What holds each pageblock, and how many blocks of an order one compaction would bring.

A survey reads /proc/kpageflags for pageblocks drawn at random, or for all of them, so that a terabyte costs what a laptop does. What
it says of a zone is an estimate then, with a 95 % interval. Amounts are pageblocks, pages, or blocks of an order.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import copy
import math
import random
import time

from . import _blockmap
from ._node import NodeError, seconds_now
from ._procfs import kpageflags
from ._scanners import free_per_order, wilson, yields

PATH = "/proc/kpageflags"
# Of each page the cgroup that it is charged to, 0 for none (CONFIG_MEMCG).
CHARGED = "/proc/kpagecgroup"

# Pageblocks that a sample draws, in all: a fifth of a second of CPU. Of larger ones than that (pages of 16 and 64 KiB) so many fewer.
SAMPLE, _SAMPLED_PAGES = 2000, 512

# Of a small zone so many at least, so that its estimate means something.
_FEWEST = 32

# Seconds of work after which the reader gives way for as long again.
_BURST = 0.004

# In so many pageblocks of a zone at the most it is looked up what is charged.
_LOOKED_UP = 256

# Of what a per-cpu list may give back in one go, by its batch (CONFIG_PCP_BATCH_SCALE_MAX is 5).
_MOST_BATCHES = 32

# The migratetypes of pageblocks that take pages in which are moved (mm/compaction.c, suitable_migration_target()).
_TARGETS = ("Movable", "CMA")

# Memory that the kernel was never given, or had taken away, carries no flags; so do pages of its own. It is told by the zone's
# managed pages where it is a twentieth of the zone at least, and accounts for half of such pageblocks.
_TAKEN_SHARE, _TAKEN_OF_BARE = 20, 0.5


class Block:
    """One surveyed pageblock: pages by kind, and per order the aligned blocks without a page that stays where it is."""

    __slots__ = ("bare", "clean", "free", "held_by", "movable", "pages", "reserved", "unflagged")

    def __init__(self, letters, moves):
        self.pages = len(letters) - letters.count(kpageflags.HOLE)
        self.free = letters.count(kpageflags.FREE)
        self.reserved = letters.count("r")
        self.bare = not letters.strip("k" + kpageflags.IN_USE)
        stays = [place for place, letter in enumerate(letters) if letter not in moves] if letters.strip(moves) else []
        self.movable = len(letters) - len(stays) - self.free
        # Pages without a flag, where nothing else stays: the kernel's, or free on a per-cpu list.
        self.unflagged = len(stays) if letters.count("k") == len(stays) else 0
        self.held_by = _largest(letters, moves) if len(letters) - len(stays) < self.pages else "movable"
        self.clean = _clean(stays, len(letters))


def _largest(letters, moves):
    """The kind that most of the pages which stay are of."""
    counts = {}
    for letter in set(letters) - set(moves + kpageflags.HOLE):
        kind = kpageflags.kind(letter)
        counts[kind] = counts.get(kind, 0) + letters.count(letter)
    return max(sorted(counts), key=counts.get)


def _clean(stays, size):
    """[aligned blocks of each order, up to the pageblock's, that have none of the pages at ``stays``]."""
    if len(stays) == size:
        return [0] * size.bit_length()
    clean, taken, order = [], set(stays), 0
    while size >> order:
        clean.append((size >> order) - len(taken))
        taken = {place >> 1 for place in taken}
        order += 1
    return clean


def _as_offline(block):
    # The one at hand may stand for many, of other zones as well.
    other = copy.copy(block)
    other.held_by = "offline"
    return other


def _without_listed(block):
    # The one at hand may stand for many.
    other = copy.copy(block)
    other.unflagged = 0
    return other


class Zone:
    """A zone's span of page frames, and its surveyed pageblocks in order of address."""

    def __init__(self, node, name, start, end, pages_per_block, present=None, managed=None):
        self.node, self.name = node, name
        self.start, self.end, self.size = start, end, pages_per_block
        self.first = start // pages_per_block
        # Of the pageblocks within its span, holes among them, so many have memory, as far as is known.
        self.span = (end - 1) // pages_per_block - self.first + 1
        pages = end - start if present is None else present
        self._present = min(self.span, (pages + pages_per_block - 1) // pages_per_block)
        # What was looked at, and where: numbers of pageblocks from the start of the span.
        self.surveyed, self.places = [], ()
        # Pages that are there but not the allocator's: reserved ones, and those that a hypervisor has taken back.
        self.unmanaged = present - managed if present and managed else 0
        self._ram = None
        # Pages that the list of the CPU which compacts may keep of what it frees, usually and at the most; those on lists now, and of
        # them those on one list.
        self.kept, self.most_kept, self.listed, self.turned_over = 0, 0, 0, 0.0
        # (pages that are free where compaction may move pages to, pageblocks of that kind), None where nothing tells.
        self.targets = None

    def lies_in(self, ram):
        """Where the memory is, [(first page frame, behind the last)]; not believed where it has less than the zone."""
        inside = [(max(first, self.start), min(behind, self.end)) for first, behind in ram]
        inside = [(first, behind) for first, behind in inside if first < behind]
        pages = sum(behind - first for first, behind in inside)
        # The kernel does not count parts of pageblocks at the ends of ranges alike everywhere.
        self._ram = inside if pages and pages >= (self._present - 2 * len(inside)) * self.size else None

    def is_hole(self, first, behind):
        """Whether nothing is there. The kernel has page structures without flags for some holes."""
        return self._ram is not None and not any(first < end and start < behind for start, end in self._ram)

    def taken(self):
        """Name the pageblocks that were taken from the kernel as such, as far as the zone's counts tell."""
        missing = self.unmanaged - sum(block.reserved for block in self.observed) * self.scale
        bare = sum(block.pages for block in self.observed if block.bare) * self.scale
        if missing * _TAKEN_SHARE >= self._present * self.size and missing >= _TAKEN_OF_BARE * bare > 0:
            self.surveyed = [_as_offline(block) if block.bare else block for block in self.surveyed]

    def frames(self, index):
        """(first, behind the last) page frame of the zone in its pageblock ``index``; zones may start and end within one."""
        first = (self.first + index) * self.size
        return max(first, self.start), min(first + self.size, self.end)

    @property
    def observed(self):
        """The surveyed pageblocks that have memory: not those in holes, nor of memory that is offline."""
        return [block for block in self.surveyed if block.pages]

    @property
    def complete(self):
        return len(self.surveyed) >= self.span

    @property
    def blocks(self):
        """Pageblocks with memory: counted where each was looked at."""
        return len(self.observed) if self.complete else self._present

    @property
    def scale(self):
        """How many pageblocks a surveyed one stands for."""
        return self.blocks / len(self.observed) if self.observed else 0.0


def zones_of(zoneinfo, pages_per_block):
    """The zones with memory, by the spans that /proc/zoneinfo tells."""
    found = []
    for zone in zoneinfo or ():
        start, spanned = zone.get("start_pfn"), zone.get("spanned")
        if start is not None and spanned and zone.get("managed", zone.get("present")):
            found.append(
                Zone(
                    zone["node"],
                    zone["zone"],
                    start,
                    start + spanned,
                    pages_per_block,
                    zone.get("present"),
                    zone.get("managed"),
                )
            )
    return found


def know_lists(zones, zoneinfo, scaled=True, grows=True):
    """What the per-cpu lists of the zones hold and may keep, by /proc/zoneinfo.

    scaled   the more is given to a list, the more it gives back at once (Linux 5.14 and later)
    grows    it may grow with its use (6.7 and later), up to an eighth of the zone for the CPUs of its NUMA node. It gives that back
             (_compaction/lists.py): what it keeps is no more than it may hold while nobody compacts
    """
    about = {(zone["node"], zone["zone"]): zone for zone in zoneinfo}
    for zone in zones:
        told = about[zone.node, zone.name]
        lists, zone.listed = told["pcp_high"], told["pcp_pages"] or 0
        if lists:
            zone.kept = _usually_kept(sum(lists) / len(lists), told.get("batch", 0), scaled, grows)
            zone.turned_over = zone.listed / float(len(lists))
            # Whoever compacts may be moved to another CPU on the way.
            zone.most_kept = sum(sorted(lists)[-2:])


def _usually_kept(high, batch, scaled, grows):
    """How many pages are on a list, on average, that was given many more than the ``high`` that it may hold.

    It takes pages in until it is full, gives back the oldest, and takes in again; at the end it may be anywhere between. It gives back a
    ``batch`` before 5.14, all but a batch since then, and 32 of them at most since 6.7, where one that is given so much may hold 33
    (mm/page_alloc.c, nr_pcp_free(), nr_pcp_high()). Of those it keeps no more than ``high`` afterwards.
    """
    full = max(high, batch * (1 + _MOST_BATCHES)) if grows else high
    given = min(full - batch, batch * _MOST_BATCHES) if grows else full - batch if scaled else batch
    if not 0 < given <= full:
        return high
    least, most = full - given, min(high, full)
    if least >= most:
        return high
    return ((most - least) * (most + least) / 2.0 + (full - most) * most) / given


def know_targets(zones, types):
    """Where compaction may move pages to, by /proc/pagetypeinfo as parsed (``types``); not where counts are capped."""
    for zone in zones:
        place = zone.node, zone.name
        free, pageblocks = types["free"].get(place), types["pageblocks"].get(place)
        if free and pageblocks and place not in types["capped"]:
            # Whole free pageblocks are no targets.
            orders = range(zone.size.bit_length() - 1)
            zone.targets = (
                sum(count << order for name in _TARGETS for order, count in zip(orders, free.get(name, ()))),
                sum(pageblocks.get(name, 0) for name in _TARGETS),
            )


def read(node, zones, sample=SAMPLE, moves="fm", seed=None):
    """Survey the ``zones``: about ``sample`` pageblocks of 512 pages in all, None for every one. -> was every pageblock read?

    moves   letters of the pages that are free or that compaction can move (_procfs/kpageflags.py)
    Raises NodeError where the file cannot be read, or the time is up.
    """
    total = sum(zone.blocks for zone in zones)
    if sample is not None and zones:
        sample = max(1, sample * _SAMPLED_PAGES // max(_SAMPLED_PAGES, zones[0].size))
    complete = sample is None or sample >= total
    reader = _Reader(node, moves, random.Random(seed))
    for zone in zones:
        count = zone.span if complete else max(_FEWEST, int(round(sample * zone.blocks / total)))
        reader.survey(zone, count)
        reader.look_up(zone)
        zone.taken()
    return all(zone.complete for zone in zones)


_NOTHING = Block(kpageflags.HOLE, kpageflags.FREE)


class _Reader:
    """Looks at pageblocks, and gives way between."""

    def __init__(self, node, moves, chance):
        self.node, self.read = node, node.span_reader(PATH)
        self.moves, self.chance = moves, chance
        # Many pageblocks are one thing throughout: {(letter, pages): Block}.
        self.alike = {}
        self.started = seconds_now()

    def survey(self, zone, count):
        """Survey ``count`` pageblocks of the zone that have memory. Draws that end up in holes are made up for, within reason."""
        if count >= zone.blocks:
            zone.places = range(zone.span)
            zone.surveyed = [self._block(zone, index) for index in zone.places]
            return
        drawn, missing = {}, count
        while missing and len(drawn) < min(4 * count, zone.span):
            index = self.chance.randrange(zone.span)
            if index not in drawn:
                drawn[index] = self._block(zone, index)
                missing -= drawn[index].pages > 0
        zone.places = sorted(drawn)
        zone.surveyed = [drawn[index] for index in zone.places]

    def _give_way(self):
        if seconds_now() - self.started > _BURST:
            time.sleep(_BURST)
            self.started = seconds_now()

    def _block(self, zone, index):
        first, behind = zone.frames(index)
        if zone.is_hole(first, behind):
            return _NOTHING
        data = self.read(first * kpageflags.WORD_BYTES, (behind - first) * kpageflags.WORD_BYTES)
        self._give_way()
        letters = kpageflags.parse_kpageflags(data)
        if letters != letters[:1] * len(letters):
            return Block(letters, self.moves)
        key = letters[:1], len(letters)
        if key not in self.alike:
            self.alike[key] = Block(letters, self.moves)
        return self.alike[key]

    def look_up(self, zone):
        """Tell of the zone's pageblocks those that may wait for free pages on lists alone from those with pages that are charged to a cgroup.

        Pages of pipes and sockets are. Where there is no such file, nothing tells.
        """
        most = zone.listed / zone.scale if zone.scale else 0
        few = [(block.unflagged, number) for number, block in enumerate(zone.surveyed) if 0 < block.unflagged <= most]
        try:
            charged = self.node.span_reader(CHARGED) if few else None
            for _pages, number in sorted(few)[:_LOOKED_UP]:
                self._give_way()
                first, behind = zone.frames(zone.places[number])
                where = first * kpageflags.WORD_BYTES, (behind - first) * kpageflags.WORD_BYTES
                if kpageflags.has_charged(self.read(*where), charged(*where)):
                    zone.surveyed[number] = _without_listed(zone.surveyed[number])
        except NodeError:
            # That the time is up is another matter than that there is no such file.
            self.node.deadline.check(PATH)


def holders(zone):
    """{kind: pageblocks} of the zone, estimated from those surveyed."""
    counts = {}
    for block in zone.observed:
        counts[block.held_by] = counts.get(block.held_by, 0) + 1
    return {kind: int(round(count * zone.scale)) for kind, count in counts.items()}


def interval(zone, kind):
    """The 95 % interval of holders()[kind]: (low, high) pageblocks."""
    drawn = len(zone.observed)
    share = sum(1 for block in zone.observed if block.held_by == kind) / drawn
    low, high = wilson(share, drawn, zone.blocks)
    return int(math.floor(low * zone.blocks)), int(math.ceil(high * zone.blocks))


def as_facts(zones, free_blocks, complete, correction=1.0):
    """-> contract memfrag_facts, ``pageblock_survey``, but for its callers.

    free_blocks   {(node, zone): [blocks per order]} as in /proc/buddyinfo
    """
    answer = []
    for zone in zones:
        held_by = holders(zone)
        answer.append(
            {
                "node": zone.node,
                "zone": zone.name,
                "blocks": zone.blocks,
                "sampled": len(zone.observed),
                "held_by": held_by,
                "held_by_interval": None if complete else {kind: list(interval(zone, kind)) for kind in held_by},
                "yields": yields(zone, free_per_order(free_blocks.get((zone.node, zone.name), ())), correction),
                "map": _blockmap.draw(zone),
            }
        )
    return {
        "sampled": sum(len(zone.observed) for zone in zones),
        "total": sum(zone.blocks for zone in zones),
        "complete": complete,
        "zones": answer,
    }
