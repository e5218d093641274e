# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The short cuts of the search for literals find what a plain search finds."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import random
import re

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import gates, literals, scanner

GATES = gates.RUNTIME_GATES + gates.NOTICE_GATES
NOISE = [b"I1119 reconciler.go:207] volume of pod web-1\n", b"a=b !\n", b"OOM = \xff\n", b"\n"]


def searched(blocks, tagged):
    one = scanner.Scanner(None, None, GATES)
    one.tagged = tagged
    return [one._hits(block, 0, len(block)) for block in blocks]


def plainly(block, gates):
    places = [at for gate in gates for at in range(len(block)) if block.startswith(gate, at)]
    return sorted(places, reverse=True)


@pytest.mark.parametrize("seed", range(40))
def test_rare_bytes_lead_to_every_literal(seed):
    """Whatever the first block made seem rare, in this block and in later ones."""
    chance = random.Random(seed)
    pieces = list(GATES + gates.KERNEL_GATES) + NOISE + NOISE
    blocks = [b"".join(chance.choice(pieces) for _piece in range(chance.randrange(40))) for _block in range(4)]
    assert searched(blocks, False) == [plainly(block, GATES + gates.KERNEL_GATES) for block in blocks]


@pytest.mark.parametrize("gate", GATES)
def test_a_byte_that_becomes_frequent(gate):
    quiet = b"no such thing here\n" * 3000
    loud = (gate[::-1] + b"\n") * 500
    blocks = [quiet, loud + gate + b"\n" + loud, quiet + gate]
    assert searched(blocks, True) == [plainly(block, GATES) for block in blocks]


OWN = (b"f memory leak", b"no more memory, says our own program")


def with_ends(text, wanted, ends):
    """Where literals begin, by what grep -F -o finds of their ends: from the left, the longest, and on behind it."""
    found = re.compile(b"|".join(re.escape(end) for end in sorted(wanted, key=len, reverse=True)))
    places = [ends.literal_at(text, match.start(), match.group()) for match in found.finditer(text)]
    return {place for place in places if place >= 0}


def first_of_lines(text, places):
    lines = {}
    for place in sorted(places, reverse=True):
        lines[text.count(b"\n", 0, place)] = place
    return lines


@pytest.mark.parametrize("seed", range(40))
def test_an_end_stands_for_its_literal_and_for_no_other_text(seed):
    """Whatever the sample makes seem rare: each line with a literal is found, where the first one begins, and no other."""
    chance = random.Random(seed)
    searched_for = gates.KERNEL_GATES + GATES + OWN
    pieces = [literal[chance.randrange(4) :] for literal in searched_for] + list(searched_for) + NOISE * 3
    text = b"".join(chance.choice(pieces) + chance.choice((b"", b"\n")) for _piece in range(200))
    ends = literals.Ends(searched_for, bytes(bytearray(chance.randrange(256) for _byte in range(9999))))
    assert first_of_lines(text, with_ends(text, ends.wanted, ends)) == first_of_lines(text, plainly(text, searched_for))


def test_an_end_that_is_none_hides_no_literal():
    ends = literals.Ends((b"our communication f", b"f memory leak"), b"our memory, all of it ours")
    assert ends.wanted == [b"communication f", b"f memory leak"]
    text = b"a communication f memory leak"
    assert with_ends(text, ends.wanted, ends) == {text.index(b"f memory leak")}


def test_ends_begin_with_few_bytes_that_are_rare():
    sample = b"an ordinary sentence of a daemon about its container, or three of them, all in lower case\n" * 9
    ends = literals.Ends(gates.KERNEL_GATES + GATES, sample)
    often = {end[:1] for end in ends.wanted}
    assert sum(sample.count(byte) for byte in often) * 5 < len(sample)
    assert min(len(end) for end in ends.wanted) >= min(literals.LONG, min(len(gate) for gate in gates.KERNEL_GATES))


def test_lines_and_short_literals_are_searched_for_whole():
    ends = literals.Ends((b"two\nlines of text", b"short"), b"two")
    assert ends.wanted == [b"short", b"two\nlines of text"]
    assert ends.literal_at(b"and two", 4, b"two") == 4
