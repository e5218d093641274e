# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import loadavg, process, uptime


def test_loadavg():
    assert loadavg.parse_loadavg("0.96 10.49 0.24 1/345 21\n") == ([0.96, 10.49, 0.24], 0)


@pytest.mark.parametrize("text", ["", "x", "1.0 2.0", "0.96 0.49\n", "1 2 3 4/5 6"])
def test_no_loadavg(text):
    assert loadavg.parse_loadavg(text) == (None, 1)


def test_uptime():
    assert uptime.parse_uptime("84423.08 165203.14\n") == (84423.08, 0)
    assert uptime.parse_uptime("12\n") == (12.0, 0)


@pytest.mark.parametrize("text", ["", "x", "nan 1", "1e400 2", "1" * 400, "-3.0 1.0"])
def test_no_uptime(text):
    assert uptime.parse_uptime(text) == (None, 1)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("36 (kcompactd0) S 2 0 0 0 -1 2129984 0", {"pid": 36, "comm": "kcompactd0", "state": "S", "ppid": 2}),
        ("7 (a) R 2 (b) D 1 0 0", {"pid": 7, "comm": "a) R 2 (b", "state": "D", "ppid": 1}),
        ("7 (two\nlines) Z 1 0", {"pid": 7, "comm": "two\nlines", "state": "Z", "ppid": 1}),
    ],
)
def test_process(text, expected):
    assert process.parse_stat(text) == (expected, 0)


@pytest.mark.parametrize("text", ["", "36 kcompactd0 S 2", "x (y) S 2 0"])
def test_no_process(text):
    assert process.parse_stat(text) == (None, 1)
