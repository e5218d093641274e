# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import os

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import catalogue, policy, score

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))


def test_the_catalogue_of_findings_is_that_of_the_tables() -> None:
    path = os.path.join(ROOT, "tests", "tools", "findings_guide.py")
    spec = importlib.util.spec_from_file_location("findings_guide", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with open(os.path.join(ROOT, "docs", "docsite", "rst", "findings_guide.rst"), encoding="utf-8") as stream:
        assert stream.read() == module.guide(catalogue, policy, score), "run: make docs-findings"
