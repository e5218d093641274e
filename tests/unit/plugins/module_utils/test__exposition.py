# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text format of Prometheus, as prometheus/docs/instrumenting/exposition_formats.md has it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import random
import re

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _exposition
from ansible_collections.kernelops.memfrag.plugins.module_utils._exposition import Exposition

# A reader of its own, from the grammar and not from the writer.
LINE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)\Z'
)
PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def read(text):
    """-> [(name, {label: text}, value)]; every rule of the format is asserted on the way."""
    assert not text or text.endswith("\n")
    found, families, series = [], [], set()
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            families.append(line.split(" ")[2])
            assert families.count(families[-1]) == 1
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == families[-1]
        else:
            match = LINE.match(line)
            assert match, line
            name, inside, value = match.groups()
            assert name == families[-1]
            labels = {
                label: re.sub(r"\\.", lambda escape: ESCAPES[escape.group()], words)
                for label, words in PAIR.findall(inside or "")
            }
            key = (name, tuple(sorted(labels.items())))
            assert key not in series
            series.add(key)
            found.append((name, labels, float(value)))
    return found


def test_a_page():
    page = Exposition()
    page.family("memfrag_nodes", "gauge", "Nodes\nby \\status.").sample([("status", "audited")], 3)
    page.family("memfrag_runs_total", "counter", "Runs.").sample((), 7)
    page.family("memfrag_nodes", "gauge", "Nodes by status.").sample({"status": "failed"}, 0.5)
    assert page.text() == (
        "# HELP memfrag_nodes Nodes\\nby \\\\status.\n"
        "# TYPE memfrag_nodes gauge\n"
        'memfrag_nodes{status="audited"} 3\n'
        'memfrag_nodes{status="failed"} 0.5\n'
        "# HELP memfrag_runs_total Runs.\n"
        "# TYPE memfrag_runs_total counter\n"
        "memfrag_runs_total 7\n"
    )


def test_nothing_is_no_text():
    assert Exposition().text() == ""


@pytest.mark.parametrize("seed", range(20))
def test_a_text_of_anybody_comes_back_as_it_was(seed):
    chance = random.Random(seed)
    page, given = Exposition(), {}
    for _sample in range(50):
        words = "".join(chance.choice('a"\\\n{}=, #n') for _letter in range(chance.randrange(8)))
        given.setdefault(words, chance.randrange(1000))
        page.family("memfrag_x", "gauge", words).sample([("words", words)], given[words])
    assert {labels["words"]: value for _name, labels, value in read(page.text())} == given


@pytest.mark.parametrize(
    "value, text",
    [
        (b"caf\xc3\xa9", b"caf\xc3\xa9"),
        (b"\xff", b"\xef\xbf\xbd"),
        (b"caf\xc3\xa9".decode("utf-8"), b"caf\xc3\xa9"),
        (b"\\ud800".decode("unicode_escape"), None),
        (9, b"9"),
    ],
)
def test_labels_are_utf8(value, text):
    page = Exposition()
    page.family("x", "gauge", "X.").sample([("a", value)], 1)
    written = page.text().encode("utf-8").split(b'"')[1]
    assert text is None or written == text


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (-1000, "-1000"),
        (1 << 70, "1180591620717411303424"),
        (0.1, "0.1"),
        (0.123, "0.123"),
        (1764131912.123456, "1764131912.123456"),
        (1e300, "1e+300"),
        (float("inf"), "+Inf"),
        (-float("inf"), "-Inf"),
        (float("nan"), "NaN"),
        (True, "1"),
        (False, "0"),
    ],
)
def test_numbers(value, text):
    assert _exposition.number(value) == text


@pytest.mark.parametrize("value", [None, "3", [], {}])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="is no number"):
        Exposition().family("x", "gauge", "X.").sample((), value)


def test_of_the_same_series_twice_the_first_counts():
    page = Exposition()
    family = page.family("x", "gauge", "X.")
    family.sample([("a", 1), ("b", 2)], 3)
    family.sample([("b", "2"), ("a", "1")], 4)
    family.sample([("a", 1)], 5)
    assert read(page.text()) == [("x", {"a": "1", "b": "2"}, 3.0), ("x", {"a": "1"}, 5.0)]


@pytest.mark.parametrize(
    "name, kind, labels, message",
    [
        ("a-b", "gauge", (), "'a-b': not a name"),
        ("1a", "gauge", (), "'1a': not a name"),
        ("a\n", "gauge", (), "not a name"),
        ("x", "gouge", (), "metric x: the type 'gouge' is none of counter, gauge, untyped"),
        ("x", "gauge", [("a b", 1)], "metric x: the label 'a b' is not a name"),
        ("x", "gauge", [("__name__", 1)], "metric x: the label '__name__' is not a name"),
        ("x", "gauge", [("a", 1), ("a", 2)], "metric x: a label is there twice in a, a"),
    ],
)
def test_names_that_prometheus_refuses(name, kind, labels, message):
    with pytest.raises(ValueError) as caught:
        Exposition().family(name, kind, "X.").sample(labels, 1)
    assert message in str(caught.value)


def test_a_metric_has_one_type():
    page = Exposition()
    page.family("x", "gauge", "X.")
    with pytest.raises(ValueError, match="metric x: it is a gauge already and cannot be a counter"):
        page.family("x", "counter", "X.")
