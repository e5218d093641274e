# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the tests of the monitoring find the captures, and the programs of Prometheus."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "fixtures"))
sys.path.insert(0, HERE)

# What noxfile.py installs where it is missing.
PROGRAMS = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}


@pytest.fixture(autouse=True, scope="session")
def programs_fixture() -> None:
    missing = sorted(command for command in PROGRAMS if not shutil.which(command))
    if missing:
        # What CI is there for is not to be skipped there.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {', '.join(missing)}: install Debian's packages")
