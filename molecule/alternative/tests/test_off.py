# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The job is switched off, and one setting was let go; the rest is as it was."""

from __future__ import annotations

import typing as t


def test_neither_cron_nor_timer(host: t.Any) -> None:
    assert not host.file("/etc/cron.d/memfrag").exists
    assert host.run("systemctl list-timers --all --no-legend 'memfrag*'").stdout == ""
    assert host.run("find /etc/systemd/system -name 'memfrag*'").stdout == ""


def test_tool_and_settings_stay(host: t.Any) -> None:
    assert host.run("/usr/local/sbin/memfrag status").rc in (0, 3)
    text = host.file("/etc/sysctl.d/90-memfrag.conf").content_string
    assert "\nvm.min_free_kbytes = 131072\n" in text
    assert "extfrag_threshold" not in text
    assert "extfrag_threshold" not in host.file("/var/lib/memfrag/sysctl.json").content_string
