# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import reading


@pytest.fixture(name="quiet")
def quiet_fixture():
    """-> a function that gives what the guards have read where none has anything against it; a difference is a value, or a whole reading"""

    def quiet(**differences):
        values = {
            "kill_switch": None,
            "container": None,
            "window": None,
            "backoff": {},
            "pressure": 0.0,
            "load": (0.1, 2),
            "kcompactd_busy": [],
            "low_memory": 20.0,
        }
        now = {"now": 1000000, "minute_of_day": 600, "boot_id": "b"}
        now.update((name, reading.of(value)) for name, value in values.items())
        for name, value in differences.items():
            whole = name in ("now", "minute_of_day", "boot_id") or isinstance(value, dict) and "broken" in value
            now[name] = value if whole else reading.of(value)
        return now

    return quiet
