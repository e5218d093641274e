# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role has not been here, or has taken everything back."""

from __future__ import annotations

import typing as t

import pytest


def test_no_file_of_the_role(host: t.Any) -> None:
    found = host.run("find / -xdev -name '*memfrag*' -not -path '/proc/*' -not -path '/srv/*'")
    # Under /var/lib/systemd/timers systemd keeps the time of timers that it no longer has.
    assert [path for path in found.stdout.split() if not path.startswith("/var/lib/systemd/timers/")] == []


def test_no_timer(host: t.Any) -> None:
    listed = host.run("systemctl list-timers --all --no-legend")
    assert listed.rc == 0
    assert "memfrag" not in listed.stdout


def test_no_failed_unit(host: t.Any) -> None:
    assert host.run("systemctl --failed --no-legend").stdout == ""


@pytest.mark.parametrize(
    "path", ["/etc", "/etc/cron.d", "/etc/sysctl.d", "/etc/systemd/system", "/usr/local/sbin", "/run", "/var/lib"]
)
def test_permissions_did_not_change(host: t.Any, path: str) -> None:
    directory = host.file(path)
    assert (directory.user, directory.group) == ("root", "root")
    assert directory.mode == 0o755
