# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cron has taken over from the timer, with the same minute."""

from __future__ import annotations

import time
import typing as t


def test_timer_is_gone(host: t.Any) -> None:
    assert host.run("systemctl list-timers --all --no-legend 'memfrag*'").stdout == ""
    assert host.run("find /etc/systemd/system -name 'memfrag*'").stdout == ""


def test_cron_runs_the_job_and_the_journal_has_its_line(host: t.Any) -> None:
    assert "\n* * * * * root nice -n 19 ionice -c 3 " in host.file("/etc/cron.d/memfrag").content_string
    # What the timer had started was of another unit.
    deadline = time.time() + 130
    line = ""
    while not line and time.time() < deadline:
        time.sleep(3)
        line = host.run("journalctl --quiet --output cat --identifier memfrag --unit cron.service").stdout
    assert line.startswith("acted=false reason="), host.run("journalctl --unit cron --no-pager --lines 20").stdout
