# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the files that the role memfrag_monitoring ships anew, from the tables of plugin_utils/_monitoring.

usage: python3 tests/tools/monitoring_files.py
"""

from __future__ import annotations

import pathlib
import sys

import environment

sys.path.insert(0, str(environment.collections()))

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import files

PLACE = pathlib.Path(__file__).resolve().parents[2] / "roles" / "memfrag_monitoring" / "files"

if __name__ == "__main__":
    PLACE.mkdir(parents=True, exist_ok=True)
    for name, text in files.shipped().items():
        (PLACE / name).write_text(text, encoding="utf-8")
        print(PLACE / name)
