# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of pieces of a text is what a search of all of it finds."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import random

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import attempts, errors, wording

LITERALS = attempts.STARTING + attempts.REMOVING + errors.LITERALS + ("fade", 'a"b', "net-1.", "x]")
PIECES = [
    ' "', '"', "\\\"", " ", "] ", "1", "00:00:01.5 ", "1bcd0d00-baf1-11ea", "0fade1", "0fade", "fade", "deadbeef", "4f", "ef", "e", ": ", "words of no error, ",
    "a\"b", "net-1.", "x]", "ab",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_of_finds_what_is_there(seed):
    chance = random.Random(seed)
    table = wording.Wording(LITERALS)
    for _text in range(20):
        parts = [chance.choice(PIECES if chance.random() < 0.7 else LITERALS) for _part in range(chance.randrange(30))]
        # Broken and joined anywhere.
        text = "".join(part[chance.randrange(2) :] for part in parts)
        for low in (text, text + text, text):
            assert table.of(low) == {literal for literal in LITERALS if literal in low}


def test_what_is_remembered_is_bounded():
    table = wording.Wording(LITERALS)
    for number in range(3 * wording.MAX_REMEMBERED):
        table.of("".join(chr(97 + int(digit)) for digit in "%09d" % number) + ' and more words than a few" of eof')
        assert len(table._remembered) <= wording.MAX_REMEMBERED
    before = len(table._remembered)
    assert table.of("y" * 2 * wording.MAX_LENGTH + "unlinkat ") == {"unlinkat "}
    assert len(table._remembered) == before
