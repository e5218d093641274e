# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What a path of the controller means: one rule for all of the collection."""

from __future__ import annotations

import os


def absolute(path: str) -> str:
    """An absolute path, from one that may begin with "~", hold variables of the environment, or be relative.

    A relative one starts where ansible-playbook was started: a plugin keeps that directory, in forks and for delegated tasks too,
    while a module that runs on the controller is started in the directory of the playbook.
    """
    return os.path.abspath(os.path.expanduser(os.path.expandvars(path)))
