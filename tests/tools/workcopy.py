# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of the checkout's own files in a collections folder.

ansible-test and others want the collection in a folder of its name, in a git repository, and not through a link.
The copy stays between runs, with what those tools keep beside it; only differences are copied.
"""

import filecmp
import os
import shutil
import subprocess

from paths import ROOT

NAME = os.path.join("ansible_collections", "kernelops", "memfrag")


def update(collections):
    """Bring ``collections``/ansible_collections/kernelops/memfrag up to date; returns that path."""
    copy = os.path.join(str(collections), NAME)
    os.makedirs(copy, exist_ok=True)
    if not os.path.isdir(os.path.join(copy, ".git")):
        subprocess.check_call(["git", "init", "--quiet"], cwd=copy)
    wanted = _files(ROOT)
    for path in _files(copy) - wanted:
        path = os.path.join(copy, path)
        os.unlink(path)
        if not os.listdir(os.path.dirname(path)):
            os.removedirs(os.path.dirname(path))
    for path in sorted(wanted):
        _copy(os.path.join(str(ROOT), path), os.path.join(copy, path))
    subprocess.check_call(["git", "add", "--all"], cwd=copy)
    return copy


def _files(folder):
    """What git knows in ``folder`` or would take up."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.check_output(command, cwd=str(folder)).decode().split("\0")
    return {path for path in listed if path and os.path.lexists(os.path.join(str(folder), path))}


def _copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(target):
        if os.path.islink(source) or os.path.islink(target):
            os.unlink(target)
        elif filecmp.cmp(source, target) and os.stat(source).st_mode == os.stat(target).st_mode:
            return
    shutil.copy2(source, target, follow_symlinks=False)
