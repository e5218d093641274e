# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The kill switch of the remediation, and of the loop that answers alerts: memfrag_kill_switch, and a file of the controller."""

from __future__ import annotations

import contextlib
import os

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _paths, _records, _remediation

PATH = "/etc/memfrag/disable"

_ON, _OFF = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")
# Whatever else it is set to is a file.
WORDS = (*_ON, *_OFF)


def reason(value: str) -> str | None:
    """What it says, or None where it is off: a truth, or a file that is there. What cannot be looked at counts as on."""
    word = value.strip().lower()
    if word in _ON:
        return "the kill switch is on (memfrag_kill_switch)"
    path = PATH if word in _OFF else _paths.absolute(value)
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"the kill switch {path} cannot be looked at: {error.strerror}"
    said = ""
    with contextlib.suppress(_records.RecordError):
        said = _records.load_text(path, errors="replace").partition("\n")[0][:200].strip()
    return _remediation.sentence(f"the kill switch {path} is on: {said or 'no reason given'}")
