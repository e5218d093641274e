# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role has not been here, or has taken everything back; the servers run as they did."""

from __future__ import annotations

import typing as t

import pytest


def test_no_file_of_the_role(host: t.Any) -> None:
    found = host.run(
        "find / -xdev -name '*memfrag*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/sys/*'"
    ).stdout
    # systemd keeps the time of timers that it no longer has.
    assert [path for path in found.split() if not path.startswith("/var/lib/systemd/timers/")] == []
    assert not host.file("/etc/prometheus/rules").exists


@pytest.mark.parametrize("path", ["/etc/default/prometheus-node-exporter", "/etc/prometheus/prometheus.yml"])
def test_what_the_packages_have_is_as_it_was(host: t.Any, path: str) -> None:
    before = host.file("/srv/before/" + path.rpartition("/")[2])
    now = host.file(path)
    assert now.content == before.content
    assert (now.user, now.group, now.mode) == ("root", "root", 0o644)


def test_the_servers_run(host: t.Any) -> None:
    assert host.service("prometheus").is_running
    assert host.service("prometheus-node-exporter").is_running
    assert "memfrag" not in host.run("systemctl list-timers --all --no-legend").stdout
    assert host.run("systemctl --failed --no-legend").stdout == ""


@pytest.mark.parametrize(
    "path",
    [
        "/etc/cron.d",
        "/etc/prometheus",
        "/etc/grafana/provisioning/dashboards",
        "/etc/node-problem-detector",
        "/etc/systemd/system",
        "/usr/local/sbin",
    ],
)
def test_permissions_did_not_change(host: t.Any, path: str) -> None:
    directory = host.file(path)
    assert (directory.user, directory.group, directory.mode) == ("root", "root", 0o755)
