# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
import unicodedata

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _words


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ("00000000000", "Every order up to 10 (4 MB) can be had at once."),
        ("33333333333", "Orders 0 to 10 (4 MB) cannot be had."),
        (
            "00002222333",
            "Orders 0 to 3 (32 kB) can be had at once, 4 to 7 need compaction first, 8 to 10 cannot be had.",
        ),
        ("01", "Order 0 (4 kB) can be had at once, 1 needs reclaim first."),
        ("00?", "Orders 0 and 1 (8 kB) can be had at once, 2 are unknown."),
        ("", "No answer per order."),
    ],
)
def test_the_graded_answer_in_a_sentence(states: t.Any, words: t.Any) -> None:
    assert _words.graded(states, 4096, []) == words


def test_the_sentence_names_who_asks_for_the_first_order_that_is_missing() -> None:
    needed_by = [[], [], [], ["network buffers"], [], ["network namespaces"]]
    assert _words.graded("000032", 4096, needed_by).endswith("Order 5 (128 kB) is for network namespaces.")
    assert _words.graded("000022", 16384, needed_by).endswith("Order 5 (512 kB) is for network namespaces.")


@pytest.mark.parametrize(
    ("kilobytes", "words"),
    [
        (0, "0 kB"),
        (4, "4 kB"),
        (999, "999 kB"),
        (1024, "1 MB"),
        (1536, "1.5 MB"),
        (131072000, "125 GB"),
        (2**40, "1024 TB"),
    ],
)
def test_sizes(kilobytes: t.Any, words: t.Any) -> None:
    assert _words.size(kilobytes) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-20T06:00:00Z", "20 Nov 2026, 06:00 UTC"),
        ("2026-11-20T08:00:00.123456+02:00", "20 Nov 2026, 06:00 UTC"),
        ("2026-11-20T06:00:00", "20 Nov 2026, 06:00 UTC"),
    ],
)
def test_times(text: t.Any, words: t.Any) -> None:
    moment = _words.parse_time(text)
    assert moment and _words.format_time(moment) == words


@pytest.mark.parametrize("text", [None, 7, "", "yesterday", "2026-13-40T00:00:00Z", "0001-01-01T00:00:00+23:59"])
def test_what_is_no_time(text: t.Any) -> None:
    assert _words.parse_time(text) is None


def test_nothing_that_a_terminal_acts_on_is_left() -> None:
    assert _words.printable("a\x1b[31m\r\nb\u202ec\x9b") == "a\\x1b[31m\\x0d\\x0ab\\x202ec\\x9b"


def test_listing() -> None:
    assert _words.listing([]) == ""
    assert _words.listing(["a"]) == "a"
    assert _words.listing(["a", "b", "c"]) == "a, b and c"
    assert _words.listing(list("abcd"), 2) == "a, b and 2 more"


def test_natural_order() -> None:
    assert sorted(["n10", "n9", "N1", "a", "7"], key=_words.natural) == ["7", "a", "N1", "n9", "n10"]


def test_sentences() -> None:
    assert _words.sentence("order 3 is gone") == "Order 3 is gone."
    assert _words.sentence("Is it?") == "Is it?"
    assert _words.sentence("") == ""


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("web-01", "web-01"),
        ("a b", "'a b'"),
        ("a'b", "'a'\"'\"'b'"),
        ("web-01\u202e10-bd", r"$'web-01\u202e10-bd'"),
        ("a\x1b'\\\U000e0041\udcff", r"$'a\u001b\'\\\U000e0041\xff'"),
    ],
)
def test_a_name_in_a_command_is_seen_and_meant(name: t.Any, word: t.Any) -> None:
    assert _words.shell_word(name) == word
    bash = shutil.which("bash")
    if bash:
        said = subprocess.run(
            [bash, "-c", f"printf %s {word}"], check=True, capture_output=True, env={"LC_ALL": "C.UTF-8"}
        ).stdout
        assert said == name.encode("utf-8", "surrogateescape")


# Unicode, DerivedCoreProperties.txt: Default_Ignorable_Code_Point; and a blank that is none.
IGNORABLE = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180e\u180f\u200b\u200f\u202a\u202e\u2060\u206f\u3164\ufe00\ufe0f\ufeff\uffa0\ufff0\ufff8"
    "\U0001bca0\U0001d173\U000e0000\U000e0041\U000e0100\U000e01ef\U000e0fff\u2800"
)


def test_no_name_reads_as_another() -> None:
    everything = map(chr, [*range(0x20), *range(0x7F, 0xD800), *range(0xE000, 0x30000), *range(0xE0000, 0xE1000)])
    hidden = [
        each for each in everything if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") or each in IGNORABLE
    ]
    assert len(hidden) > 200
    for each in hidden:
        name = f"web{each}01"
        assert _words.printable(name).isprintable() and each not in _words.printable(name)
        if each not in "\t\n":
            assert each not in _words.visible(name)
            assert json.loads(_words.visible_json(json.dumps(name))) == _words.visible(name) or each == "\r"


def test_visible_json_says_what_visible_says() -> None:
    for text in ("\u202e", "\\u202e", "\\\u202e", "\u200b\U000e0041\x08\x0c\n\t\x1b", "é節\U0001f9e0", "\U000110bd"):
        assert json.loads(_words.visible_json(json.dumps(text))) == _words.visible(text)
