# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import json
import os
import typing as t

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue, policy, score
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _loop
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _alerts

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def tool(name: str) -> t.Any:
    spec = importlib.util.spec_from_file_location(name, os.path.join(ROOT, "tests", "tools", f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_measured_sensitivity_is_that_of_the_rules_as_they_are() -> None:
    module = tool("sensitivity")
    measured = json.loads(json.dumps(module.measure(list(module.captures()))))
    assert measured == json.loads(module.RESULT.read_text())["captures"], "run: tests/tools/sensitivity.py"
    assert set(tool("findings_guide").measurements()) == {"captures", "snapshots", "corpus"}


def test_the_catalogue_of_findings_is_that_of_the_tables() -> None:
    module = tool("findings_guide")
    with open(os.path.join(ROOT, "docs", "docsite", "rst", "findings_guide.rst"), encoding="utf-8") as stream:
        assert stream.read() == module.guide(catalogue, policy, score, module.measurements()), (
            "run: python3 tests/tools/findings_guide.py"
        )


def test_the_runbook_is_that_of_the_tables_and_of_its_words() -> None:
    module = tool("runbook")
    made = {
        "runbook_findings.rst": module.findings(catalogue),
        "runbook_alerts.rst": module.alerts(_alerts.groups(), _loop.ALERTS),
    }
    for name, text in made.items():
        with open(os.path.join(ROOT, "docs", "docsite", "rst", name), encoding="utf-8") as stream:
            assert stream.read() == text, "run: python tests/tools/runbook.py"


def test_the_link_of_a_finding_leads_to_its_section() -> None:
    page = catalogue.DOCS.partition("/blob/main/")[2]
    with open(os.path.join(ROOT, *page.split("/")), encoding="utf-8") as stream:
        text = stream.read()
    for ident in catalogue.FINDINGS:
        link = catalogue.make(ident, "low", "A title.")["docs"]
        assert link == f"{catalogue.DOCS}#{ident.lower()}"
        assert f"\n{ident}\n{'^' * len(ident)}\n" in text
