# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/contracts/*.schema.json from the table in plugins/plugin_utils/_contracts.py.

usage: PYTHONPATH=<a directory with ansible_collections/kernelops/memfrag> python3 tests/tools/contracts.py
"""

from __future__ import annotations

import json

from paths import ROOT

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts

if __name__ == "__main__":
    for name in _contracts.CONTRACTS:
        path = ROOT / "docs" / "contracts" / f"{name}.schema.json"
        path.write_text(json.dumps(_contracts.schema(name), indent=2) + "\n")
