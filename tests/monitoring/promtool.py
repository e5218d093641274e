# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unit tests of rules as promtool takes them: made, and run."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import typing as t

FILES = pathlib.Path(__file__).resolve().parents[2] / "roles" / "memfrag_monitoring" / "files"
STOCK = "memfrag-stock.rules.yml"
Test = dict[str, t.Any]


def series(values: dict[str, t.Any]) -> list[dict[str, str]]:
    """Of {series: value or promtool's notation of several}."""
    return [
        {"series": name, "values": value if isinstance(value, str) else number(value)} for name, value in values.items()
    ]


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def expecting(expression: str, samples: dict[str, float], when: str = "0m") -> Test:
    """Exactly these samples: {series: value}."""
    found = [{"labels": labels, "value": value} for labels, value in sorted(samples.items())]
    return {"expr": expression, "eval_time": when, "exp_samples": found}


GROUP = re.compile(r"^  - name: (\S+)$", re.MULTILINE)


def alerting(name: str, firing: list[dict[str, t.Any]], when: str) -> Test:
    return {"eval_time": when, "alertname": name, "exp_alerts": firing}


def run(
    place: pathlib.Path, tests: list[Test], rules: t.Sequence[str] = (STOCK,), interval: str = "1m"
) -> tuple[bool, str]:
    """-> (whether all of it is as expected, what promtool said)"""
    path = place / "rules.test.yml"
    files = [FILES / name for name in rules]
    content = {
        "rule_files": list(map(str, files)),
        # Those that compute before those that ask; Prometheus itself evaluates alerts more often than a sample is old.
        "group_eval_order": [name for file in files for name in GROUP.findall(file.read_text(encoding="utf-8"))],
        "evaluation_interval": interval,
        "tests": tests,
    }
    # JSON is YAML.
    path.write_text(json.dumps(content), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
    return done.returncode == 0, (done.stdout + done.stderr)[:6000]
