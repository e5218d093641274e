# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guide to monitoring shows, to be tried."""

from __future__ import annotations

import pathlib
import re
import textwrap
import typing as t

import yaml

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "monitoring_guide.rst"


def alertmanager_configuration() -> dict[str, t.Any]:
    """Of the section "Closing the loop"."""
    text = GUIDE.read_text(encoding="utf-8").partition("Alertmanager's configuration, with the rules of")[2]
    block = re.match(r"(?:\n|    .*\n)+", text.partition(".. code-block:: yaml\n")[2])
    assert block
    shown: dict[str, t.Any] = yaml.safe_load(textwrap.dedent(block.group()))
    return shown
