# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few of the kills and races that tests/robustness/interrupt.py can do by the hundred."""

import os
import random
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 2 + ["robustness"]))

import interrupt


@pytest.mark.parametrize("kind, count", [("settings", 5), ("absent", 3), ("tool", 3), ("metrics", 3), ("races", 5)])
def test_nothing_is_lost_and_nothing_left_behind(kind, count, tmp_path):
    seed = random.SystemRandom().randrange(1 << 30)
    try:
        interrupt.interrupt(kind, count, seed, str(tmp_path), signals=("KILL", "TERM", "INT", "HUP"))
    except interrupt.Broken as error:
        pytest.fail("seed %d: %s" % (seed, error))


def test_a_broken_promise_would_be_seen(tmp_path):
    root = interrupt.make_node(str(tmp_path))
    first, values = interrupt.picture(root), interrupt.live(root)
    interrupt.build_roots.write(root, "proc/sys/vm/extfrag_threshold", "1\n")
    with pytest.raises(interrupt.Broken):
        interrupt.check_settings(root, values)
    interrupt.build_roots.write(root, "proc/sys/vm/extfrag_threshold", "%d\n" % values["extfrag_threshold"])
    interrupt.check_settings(root, values)
    interrupt.build_roots.write(root, "etc/sysctl.d/.90-memfrag.conf.other")
    with pytest.raises(interrupt.Broken):
        interrupt.check_nothing_left(root, first)
