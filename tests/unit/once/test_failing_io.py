# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Some of the system calls that tests/robustness/failing_io.py lets fail, each of them in each way of failing."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 2 + ["robustness"]))

import failing_io
import interrupt


@pytest.mark.parametrize("way", sorted(failing_io.WAYS))
def test_files_stay_whole_and_the_next_run_heals(way, tmp_path):
    met = failing_io.fail(way, str(tmp_path), ("ENOSPC for good", "short", "killed"), every=5)
    assert min(met["ENOSPC for good"], met["killed"]) > 0


def test_half_a_line_would_be_seen(tmp_path, monkeypatch):
    """A list that is added to, as it once was: the name that comes after half of one is lost."""

    def append(node, path):
        with open(node.path(failing_io._metrics.WRITTEN), "ab", buffering=0) as stream:
            os.write(stream.fileno(), (path + "\n").encode("ascii"))

    monkeypatch.setattr(failing_io._metrics, "_note", append)
    with pytest.raises(interrupt.Broken, match="short at call"):
        failing_io.fail("metrics", str(tmp_path), ("short",))
