# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that the role memfrag_monitoring ships are those of their source. What they say is for tests/monitoring, with promtool."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from ansible_collections.kernelops.memfrag.plugins.module_utils import _releases
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _loop
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _alerts, _rules, _stock, files

GUIDE = pathlib.Path(__file__).resolve().parents[4] / "docs" / "docsite" / "rst" / "monitoring_guide.rst"
ROLE = pathlib.Path(__file__).resolve().parents[4] / "roles" / "memfrag_monitoring" / "files"


def test_what_is_shipped_is_what_the_tables_make() -> None:
    shipped = files.shipped()
    assert {name: (ROLE / name).read_text(encoding="utf-8") for name in shipped} == shipped, (
        "run: python3 tests/tools/monitoring_files.py"
    )
    assert {path.name for path in ROLE.glob("*.rules.yml")} == {name for name in shipped if name.endswith(".rules.yml")}


@pytest.mark.parametrize(
    "release",
    [
        "2.6.32-754.el6.x86_64",
        "3.10.0-1160.el7.x86_64",
        "3.19.0",
        "4.0.9-generic",
        "4.3.0",
        "4.3-rc1",
        "4.18.0-553.el8.x86_64",
        "4.4.302",
        "4.30.0",
        "5.3.18-default",
        "6.12.107+deb13-cloud-amd64",
    ],
)
def test_which_kernels_scale_the_watermark_is_what_the_library_says(release: str) -> None:
    expression = _stock.SCALED_RELEASES.replace("\\\\", "\\")
    assert bool(re.fullmatch(expression, release)) is _releases.scaled_check(release)


def test_text_of_rules_is_yaml_that_says_the_same() -> None:
    rules = [
        _rules.Rule("a:b", 'x{y="z: #"}', {"size": "1"}, why="why\nand why"),
        _rules.Rule("Alert", "a\nand\nb", {"severity": "info"}, {"summary": 'say "{{ $value }}": é'}, "5m"),
    ]
    text = _rules.render("Words\nof it.", [_rules.Group("one", rules, "2m")])
    assert yaml.safe_load(text) == {
        "groups": [
            {
                "name": "one",
                "interval": "2m",
                "rules": [
                    {"record": "a:b", "expr": 'x{y="z: #"}', "labels": {"size": "1"}},
                    {
                        "alert": "Alert",
                        "expr": "a\nand\nb",
                        "for": "5m",
                        "labels": {"severity": "info"},
                        "annotations": {"summary": 'say "{{ $value }}": é'},
                    },
                ],
            }
        ]
    }


def rules_of(severities: dict[tuple[str, str], str] | None = None) -> list[_rules.Rule]:
    return [rule for group in _alerts.groups(severities).values() for rule in group.rules]


def test_every_alert_has_a_runbook_that_is_there() -> None:
    page = _alerts.RUNBOOK.partition("/blob/main/")[2].rstrip("#")
    text = (GUIDE.parents[3] / page).read_text(encoding="utf-8")
    sections = {name.lower() for name in re.findall(r"^(Memfrag\w+)\n-+$", text, re.MULTILINE)}
    assert sections == {rule.name.lower() for rule in rules_of()} | set(map(str.lower, _loop.ALERTS))
    assert all(rule.annotations["runbook_url"] == _alerts.RUNBOOK + rule.name.lower() for rule in rules_of())


def test_the_guide_has_the_inhibitions_and_they_name_alerts() -> None:
    block = GUIDE.read_text(encoding="utf-8").partition("    inhibit_rules:\n")[2].partition("\n\n")[0]
    assert yaml.safe_load(block) == _alerts.inhibit_rules()
    names = {rule.name for rule in rules_of()} | set(_loop.ALERTS)
    assert all({source, *targets} <= names for source, targets, _equal in _alerts.INHIBITIONS)


def test_severities_go_by_the_policy() -> None:
    chosen = rules_of({("MemfragIncident", ""): "warning", ("MemfragOrderGone", "wanted"): "off"})
    assert [rule.labels["severity"] for rule in chosen if rule.name == "MemfragIncident"] == ["warning"]
    assert len(rules_of()) - len(chosen) == 2
    with pytest.raises(
        ValueError, match="MemfragIncident: the severity 'page' is none of critical, warning, info, off"
    ):
        _alerts.groups({("MemfragIncident", ""): "page"})
    with pytest.raises(ValueError, match="there is no alert MemfragGone"):
        _alerts.groups({("MemfragGone", ""): "info"})
