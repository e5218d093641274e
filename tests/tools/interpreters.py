# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python interpreters of this machine that really run.

Version managers put launchers on PATH that exist for every version and fail for most of them. nox and ansible-test
take the first ``python3.8`` of PATH at its word, so they get a PATH without such launchers and with the real
interpreters. This file runs on any Python 3: it also has to say that a Python is too old.
"""

import json
import os
import re
import subprocess

# Set for child processes, which would find the same.
_KNOWN = "MEMFRAG_INTERPRETERS"
_NAME = re.compile(r"python([23]\.\d+)$")
_PROBE = "import sys; print('%d.%d' % sys.version_info[:2])"


def _version(path):
    """The version that ``path`` really has, None where it does not run."""
    try:
        return subprocess.check_output([path, "-c", _PROBE], stderr=subprocess.DEVNULL, timeout=30).decode().strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _managed():
    """Folders of interpreters that a version manager keeps away from PATH."""
    for root in [os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")]:
        versions = os.path.join(root or "", "versions")
        if root and os.path.isdir(versions):
            for name in sorted(os.listdir(versions), key=_numbers, reverse=True):
                yield os.path.join(versions, name, "bin")


def _numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def _in_virtual_environment(folder):
    return os.path.exists(os.path.join(os.path.dirname(folder), "pyvenv.cfg"))


def find():
    """``{"3.11": "/usr/bin/python3.11", ...}``, oldest first; on the way PATH gets those and loses the broken ones."""
    if _KNOWN in os.environ:
        return json.loads(os.environ[_KNOWN])
    found = {}
    kept = []
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) + list(_managed()):
        names = sorted(filter(_NAME.match, os.listdir(folder))) if os.path.isdir(folder) else []
        real = {}
        for name in names:
            if _version(os.path.join(folder, name)) == _NAME.match(name).group(1):
                real[_NAME.match(name).group(1)] = os.path.join(folder, name)
        if folder not in kept and len(real) == len(names):
            kept.append(folder)
            if not _in_virtual_environment(folder):
                found = dict(real, **found)
    found = {version: found[version] for version in sorted(found, key=_numbers)}
    os.environ["PATH"] = os.pathsep.join(kept)
    os.environ[_KNOWN] = json.dumps(found)
    return found
