# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Where literals stand in blocks of bytes, searched for in whole blocks: never line by line, and not with an expression of alternatives.

A search for a literal costs some 0.25 ns a byte, an expression of alternatives ten times that, memchr(3) next to nothing. So a literal
with a byte that is rare in this log is found by that byte; only the others cost a search of their own.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# A byte that comes at most once in so many is searched for in place of the literals that have it.
RARE = 1000
# An end that is as long says nearly as much as the whole literal. So much of it is left out at most.
LONG, FAR = 11, 256


class Literals:
    """Literals that are searched for together. What is rare is learnt from the first block, and unlearnt when it is no longer so."""

    def __init__(self, literals):
        self._literals = tuple(literals)
        # [rare byte, [(literal, place of the byte in it)]], and the literals without one. None until there is text to tell what is rare.
        self._led = self._plain = None

    def places(self, block, position, size):
        """Where one of them begins in block[position:size], in no order."""
        if self._led is None:
            self._learn(block)
        found = []
        for lead in list(self._led):
            if not _led_to(lead[0], lead[1], block, position, size, found):
                self._led.remove(lead)
                self._plain += tuple(literal for literal, _place in lead[1])
        for literal in self._plain:
            at = block.find(literal, position, size)
            while at >= 0:
                found.append(at)
                at = block.find(literal, at + 1, size)
        return found

    def _learn(self, block):
        led, self._plain = {}, ()
        counts = {}
        for literal in self._literals:
            letters = [literal[place : place + 1] for place in range(len(literal))]
            for letter in letters:
                if letter not in counts:
                    counts[letter] = block.count(letter)
            rarest = min(letters, key=lambda letter: (counts[letter], letter))
            if counts[rarest] * RARE < len(block):
                led.setdefault(rarest, []).append((literal, letters.index(rarest)))
            else:
                self._plain += (literal,)
        self._led = sorted(led.items())


def _led_to(byte, led, block, position, size, found):
    """Appends the places of literals that a byte leads to; False, and none, when it is not rare in this block."""
    limit = (size - position) * 4 // RARE + 4
    places = []
    at = block.find(byte, position, size)
    while at >= 0:
        limit -= 1
        if not limit:
            return False
        for literal, place in led:
            start = at - place
            if start >= position and block.startswith(literal, start, size):
                places.append(start)
        at = block.find(byte, at + 1, size)
    found.extend(places)
    return True


class Ends:
    """What a program is to search for in place of literals: the end of each, from a byte on that is rare in a sample of the text.

    One that searches for several literals at once (grep -F) looks closer at each byte that one of them begins with, and of the letters
    that words begin with half a text is made. ``wanted``: the ends; ``most``: how much of a literal stands before its end at most.
    """

    def __init__(self, literals, sample):
        self._literals = tuple(literals)
        self._before = {}
        self.most = 0
        costs = {}
        # Those first that have the least choice.
        for literal in sorted(self._literals, key=len):
            place = _cheapest(literal, costs, sample)
            costs[literal[place : place + 1]] = 0
            self._before.setdefault(literal[place:], []).append((literal, place))
            self.most = max(self.most, place)
        self.wanted = sorted(self._before)

    def literal_at(self, data, at, end):
        """Where the literal begins whose ``end`` is found at data[at], or another one that this end hides; -1 when there is none."""
        for literal, place in self._before.get(end, ((end, 0),)):
            if not place or at >= place and data.startswith(literal, at - place):
                return at - place
        low, high = max(0, at - self.most), at + len(end) - 1
        found = [data.find(literal, low, high + len(literal)) for literal in self._literals]
        return min([place for place in found if place >= 0] or [-1])


def _cheapest(literal, costs, sample):
    """Where an end begins with a byte that another one begins with as well, else with the one that the sample has least of."""
    last = 0 if b"\n" in literal else max(0, min(len(literal) - LONG, FAR))
    letters = [literal[place : place + 1] for place in range(last + 1)]
    for letter in letters:
        if letter not in costs:
            costs[letter] = sample.count(letter)
    return min(range(last + 1), key=lambda place: costs[letters[place]])
