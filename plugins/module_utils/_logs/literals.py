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
