# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of Alertmanager that the guide shows, by amtool and a real Alertmanager."""

from __future__ import annotations

import json
import pathlib
import subprocess
import time
import typing as t
import urllib.error
import urllib.request

import pytest
import yaml
from exporter import free_port
from guide import alertmanager_configuration

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _loop
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _alerts

COMPACT = ["alertname=MemfragCompactionHelps", "instance=node17", "remedy=compact"]


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(name="configuration")
def configuration_fixture(tmp_path: pathlib.Path) -> pathlib.Path:
    """As the guide has it, with all of its inhibitions."""
    shown = alertmanager_configuration()
    shown["inhibit_rules"] += [rule for rule in _alerts.inhibit_rules() if rule not in shown["inhibit_rules"]]
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(shown))
    return path


def test_what_compaction_helps_goes_to_the_rulebook_and_to_people_all_else_to_people(
    configuration: pathlib.Path,
) -> None:
    assert "SUCCESS" in amtool("check-config", str(configuration))
    routed = ["config", "routes", "test", f"--config.file={configuration}"]
    assert amtool(*routed, *COMPACT).strip() == "memfrag,people"
    for remedy in ("remedy=drain_and_reboot", "severity=critical"):
        assert amtool(*routed, "alertname=MemfragOrderGone", "instance=node17", remedy).strip() == "people"


def test_the_shown_inhibitions_are_those_of_the_list() -> None:
    assert all(rule in _alerts.inhibit_rules() for rule in alertmanager_configuration()["inhibit_rules"])


def test_where_compaction_did_not_help_or_a_reboot_is_needed_the_rulebook_hears_nothing(
    configuration: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(
        [
            *("prometheus-alertmanager", f"--config.file={configuration}", f"--storage.path={tmp_path / 'data'}"),
            *(f"--web.listen-address={address}", "--cluster.listen-address="),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            failed = _loop.alert("tried", "no_better", "no better", "r1", "/r", time.time(), _loop.Limits())
            mended = _loop.alert("mended", "mended", "mended", "r2", "/r", time.time(), _loop.Limits())
            helps = [labels("MemfragCompactionHelps", host) for host in ("tried", "mended", "reboot", "fresh")]
            post(address, [failed, mended, *helps, labels("MemfragRebootNeeded", "reboot")])
            found = json.loads(
                amtool(f"--alertmanager.url=http://{address}", "alert", "query", "--inhibited", "-o", "json")
            )
        finally:
            process.kill()
    assert sorted(alert["labels"]["instance"] for alert in found if alert["status"]["state"] == "suppressed") == [
        "reboot",
        "tried",
    ]
    assert {alert["labels"]["alertname"] for alert in found if alert["status"]["inhibitedBy"]} == {
        "MemfragCompactionHelps"
    }


def labels(name: str, host: str) -> dict[str, t.Any]:
    return {"labels": {"alertname": name, "instance": host}}


def post(address: str, alerts: list[dict[str, t.Any]]) -> None:
    """As the playbook loop_tell does, as soon as somebody listens."""
    request = urllib.request.Request(
        f"http://{address}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
    )
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 200
                return
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
