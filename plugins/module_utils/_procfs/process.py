# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""/proc/PID/stat (fs/proc/array.c, do_task_stat()): "36 (kcompactd0) S 2 0 0 ..."."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

# The name is whatever the process calls itself, so the fields are those after the last parenthesis.
_LINE = re.compile(r"([0-9]{1,10}) \((.*)\) ([A-Za-z]) ([0-9]{1,10}) ", re.DOTALL)


def parse_stat(text):
    """-> ({pid, comm, state, ppid} or None, unparsed lines)."""
    match = _LINE.match(text)
    if not match:
        return None, 1
    pid, comm, state, parent = match.groups()
    return {"pid": int(pid), "comm": comm, "state": state, "ppid": int(parent)}, 0
