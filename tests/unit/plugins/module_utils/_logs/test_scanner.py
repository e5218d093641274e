# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The short cuts of the search for literals find what a plain search finds."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import random

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import gates, scanner

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
