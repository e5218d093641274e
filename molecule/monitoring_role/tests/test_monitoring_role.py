# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role with real node_exporter and Prometheus: a timer of systemd on one node, cron on the other."""

from __future__ import annotations

import json
import re
import time
import typing as t
import urllib.parse

import pytest

# There is no curl in the containers.
FETCH = "python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "
PROM = "/var/lib/prometheus/node-exporter/memfrag.prom"


def fetched(host: t.Any, url: str) -> str:
    text: str = host.check_output(FETCH + f"'{url}'")
    return text


def asked(host: t.Any, query: str) -> list[t.Any]:
    answer = json.loads(fetched(host, "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})))
    result: list[t.Any] = answer["data"]["result"]
    return result


def within(seconds: float, look: t.Callable[[], t.Any]) -> t.Any:
    end = time.time() + seconds
    while True:
        found = look()
        if found or time.time() > end:
            return found
        time.sleep(2)


def test_the_job_writes_metrics_each_minute_and_node_exporter_shows_them(host: t.Any) -> None:
    assert within(90, lambda: host.file(PROM).exists), host.run("journalctl --no-pager --lines 40").stdout
    metrics = host.file(PROM)
    assert (metrics.user, metrics.group, metrics.mode) == ("root", "root", 0o644)
    text = fetched(host, "http://127.0.0.1:9100/metrics")
    assert re.search(r"^memfrag_risk_score [0-9]+$", text, re.MULTILINE)
    assert re.search(r"^node_buddyinfo_blocks\{", text, re.MULTILINE)
    assert re.search(r"^node_zoneinfo_min_pages\{", text, re.MULTILINE)
    assert "node_vmstat_compact_" in text and "node_vmstat_allocstall" in text
    assert "node_textfile_scrape_error 0" in text
    before = host.check_output(f"stat -c %Y {PROM}")
    assert within(80, lambda: host.check_output(f"stat -c %Y {PROM}") != before)


def test_the_timer_is_quiet_and_hardened_where_it_is_one(host: t.Any) -> None:
    if host.file("/etc/cron.d/memfrag-metrics").exists:
        assert not host.file("/etc/systemd/system/memfrag-metrics.timer").exists
        return
    timer = host.service("memfrag-metrics.timer")
    assert timer.is_enabled and timer.is_running
    verified = host.run("systemd-analyze verify /etc/systemd/system/memfrag-metrics.timer")
    assert (verified.rc, verified.stderr) == (0, "")
    analysed = host.run("systemd-analyze security --no-pager memfrag-metrics.service").stdout
    overall = re.search(r"Overall exposure level for memfrag-metrics\.service: ([0-9.]+)", analysed)
    assert overall and float(overall[1]) < 3, analysed
    # It has run by now, and had nothing to say. systemd names what a container keeps it from.
    assert host.check_output("systemctl show --property Result --value memfrag-metrics.service") == "success"
    said = host.run("journalctl --quiet --no-pager --output cat --unit memfrag-metrics.service").stdout.splitlines()
    assert [line for line in said if "ignoring" not in line] == []


def test_prometheus_has_the_rules_and_they_work(host: t.Any) -> None:
    groups = json.loads(fetched(host, "http://127.0.0.1:9090/api/v1/rules"))["data"]["groups"]
    files = host.check_output("ls /etc/prometheus/rules/*.rules.yml").split()
    assert len(files) >= 3 and {group["file"] for group in groups} == set(files)
    # The groups run each minute.
    assert within(90, lambda: asked(host, "node_size:memfrag_available_blocks:sum"))
    assert asked(host, "memfrag_collected_timestamp_seconds > time() - 120")
    groups = json.loads(fetched(host, "http://127.0.0.1:9090/api/v1/rules"))["data"]["groups"]
    wrong = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]
    assert wrong == []
    # The rules say what the node says: both look at the same machine, which goes on meanwhile.
    of_rules = asked(host, "instance:memfrag_page_size:bytes")[0]["value"][1]
    assert of_rules == asked(host, "memfrag_page_size_bytes")[0]["value"][1]


def test_dashboards_and_conditions_are_in_place(host: t.Any) -> None:
    provider = host.file("/etc/grafana/provisioning/dashboards/memfrag.yml").content_string
    assert 'path: "/etc/grafana/memfrag-dashboards"' in provider
    for name in ("memfrag-fleet", "memfrag-node"):
        board = json.loads(host.file(f"/etc/grafana/memfrag-dashboards/{name}.json").content_string)
        assert board["uid"] == name
    monitor = json.loads(host.file("/etc/node-problem-detector/memfrag-monitor.json").content_string)
    done = host.run(monitor["rules"][0]["path"])
    # Whatever the machine that runs this is like, it is known.
    assert done.rc in (0, 1) and done.stdout.startswith("MEMFRAG ")


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/usr/local/sbin/memfrag", 0o755),
        ("/var/lib/memfrag/metrics.json", 0o644),
        ("/etc/prometheus/rules", 0o755),
        ("/etc/prometheus/rules/memfrag-stock.rules.yml", 0o644),
        ("/etc/default/prometheus-node-exporter", 0o644),
        ("/etc/node-problem-detector/memfrag-condition.sh", 0o755),
    ],
)
def test_owner_and_mode(host: t.Any, path: str, mode: int) -> None:
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", mode)
