# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Much changed: numbers instead of computed values, and a timer of systemd."""

from __future__ import annotations

import json
import re
import time
import typing as t
from collections.abc import Iterator

import pytest

SETTINGS = {
    "min_free_kbytes": 131072,
    "watermark_scale_factor": 25,
    "watermark_boost_factor": 10000,
    "extfrag_threshold": 400,
    "vfs_cache_pressure": 150,
    "zone_reclaim_mode": 0,
}


def test_drop_in_has_what_was_asked_for(host: t.Any) -> None:
    text = host.file("/etc/sysctl.d/90-memfrag.conf").content_string
    there = {name for name in SETTINGS if host.file("/proc/sys/vm/" + name).exists}
    assert re.findall(r"^vm\.([a-z_]+) = ([0-9]+)$", text, re.MULTILINE) == [
        (name, str(value)) for name, value in SETTINGS.items() if name in there
    ]


def test_policy_is_what_was_asked_for(host: t.Any) -> None:
    policy = json.loads(host.run("/usr/local/sbin/memfrag policy").stdout)
    assert policy["order"] == 9
    assert policy["min_free_blocks"] == 1000000
    assert policy["drop_caches"] == "none"
    assert policy["time_limit_seconds"] == 60
    assert policy["textfile_directory"] == "/var/lib/prometheus/node-exporter"


def test_timer_is_enabled_and_cron_has_nothing(host: t.Any) -> None:
    timer = host.service("memfrag-compact.timer")
    assert timer.is_enabled
    assert timer.is_running
    assert not host.file("/etc/cron.d/memfrag").exists


def test_systemd_finds_no_fault_with_the_units(host: t.Any) -> None:
    verified = host.run("systemd-analyze verify /etc/systemd/system/memfrag-compact.timer")
    assert (verified.rc, verified.stderr) == (0, "")


def test_the_service_is_hardened(host: t.Any) -> None:
    analysed = host.run("systemd-analyze security --no-pager memfrag-compact.service")
    overall = re.search(r"Overall exposure level for memfrag-compact\.service: ([0-9.]+)", analysed.stdout)
    assert overall, analysed.stdout + analysed.stderr
    assert float(overall.group(1)) < 2.5, analysed.stdout


def test_in_a_container_the_service_is_skipped(host: t.Any) -> None:
    assert host.run("systemctl start memfrag-compact.service").rc == 0
    assert host.run("systemctl show --property ConditionResult memfrag-compact.service").stdout.strip() == (
        "ConditionResult=no"
    )


@pytest.fixture(name="in_spite_of_the_container")
def in_spite_of_the_container_fixture(host: t.Any) -> Iterator[None]:
    """The service as it is on a node, where nothing skips it; the guard of the tool itself stays."""
    overrides = "/run/systemd/system/memfrag-compact.service.d"
    text = "[Unit]\\nConditionVirtualization=\\n"
    host.run_test(f"mkdir -p {overrides} && printf '{text}' > {overrides}/molecule.conf && systemctl daemon-reload")
    yield
    host.run_test(f"rm -r {overrides} && systemctl daemon-reload")


@pytest.mark.usefixtures("in_spite_of_the_container")
def test_timer_runs_the_job_and_the_journal_has_its_line(host: t.Any) -> None:
    deadline = time.time() + 130
    line = ""
    while not line and time.time() < deadline:
        time.sleep(3)
        line = host.run("journalctl --quiet --output cat --identifier memfrag --unit memfrag-compact.service").stdout
    journal = host.run("journalctl --unit memfrag-compact.service --no-pager").stdout
    assert re.match(r"acted=false reason=[a-z_]+ satisfied=(true|false) order=9 ", line), journal
    # Whatever the outcome, the unit has not failed.
    assert host.run("systemctl is-failed memfrag-compact.service").stdout.strip() != "failed", journal


def test_run_has_written_metrics(host: t.Any) -> None:
    metrics = host.file("/var/lib/prometheus/node-exporter/memfrag.prom")
    assert metrics.mode == 0o644
    assert re.search(r'^memfrag_compaction_target_met\{node="0",size="9"\} [01]$', metrics.content_string, re.MULTILINE)
    assert re.search(
        r'^memfrag_compaction_runs_total\{reason="[a-z_]+"\} [1-9][0-9]*$', metrics.content_string, re.MULTILINE
    )
