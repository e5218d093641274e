# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Which of many literals a text has, at a price that does not grow with how often the same is said.

The kubelet says one error of the runtime in four lines, each time with other words around it, and of a thousand pods the same: only
names and numbers differ. Texts are cut at quotes and digits, which hardly any literal has, and what a piece has in it is remembered.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# Quotes, numbers, times, ids. One class at its beginning: such an expression is searched for fastest.
_CUT = re.compile(r"[\"\\\]0-9](?:[0-9a-f:._-]*[0-9])?")
_IN_NUMBERS = re.compile(r"[a-f:._-]*$")
# Pieces are remembered one by one from this length on, and so many new ones of a text; the rest of it together.
MIN_PIECE, MAX_NEW = 12, 8
# So many pieces and rests are remembered, of this length at most.
MAX_REMEMBERED, MAX_LENGTH = 512, 1024


class Wording:
    """A table of literals in lower case."""

    def __init__(self, literals):
        literals = sorted(set(literals))
        # These may lie across what is cut away, or in it.
        self._across = tuple(literal for literal in literals if _CUT.search(literal) or _IN_NUMBERS.match(literal))
        self._within = tuple(literal for literal in literals if literal not in self._across)
        self._shortest = min([len(literal) for literal in literals])
        self._remembered = {}

    def of(self, low):
        """Lower-case text -> set of the literals in it."""
        said = {literal for literal in self._across if literal in low}
        remembered, rest, new = self._remembered, [], 0
        for piece in _CUT.split(low):
            if len(piece) >= MIN_PIECE:
                known = remembered.get(piece)
                if known is None and new < MAX_NEW:
                    new += 1
                    known = self._remember(piece)
                if known is not None:
                    said.update(known)
                    continue
            elif len(piece) < self._shortest:
                continue
            rest.append(piece)
        if rest:
            # No literal has a quote, hence none lies across two of them.
            text = '"'.join(rest)
            known = remembered.get(text)
            said.update(self._remember(text) if known is None else known)
        return said

    def _remember(self, text):
        found = [literal for literal in self._within if literal in text]
        if len(text) <= MAX_LENGTH:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[text] = found
        return found
