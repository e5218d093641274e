# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments of the checkout's own, under .cache/: nothing is installed outside of it.

The packages of an environment are written down beside it, so pip runs only when they change.
"""

import os
import subprocess
import sys

import interpreters
import system
from paths import CACHE, ROOT

# What the newest ansible-core and the development tools run on.
OLDEST_PYTHON = (3, 10)


def ensure(name, requirements):
    """The folder of the environment ``name`` with ``requirements`` installed."""
    folder = CACHE / "env" / name
    stamp = folder / "requirements"
    wanted = "\n".join(requirements) + "\n"
    if stamp.is_file() and stamp.read_text() == wanted and _runs(folder / "bin" / "python"):
        return folder
    python = _python()
    print("Setting up %s with %s" % (folder.relative_to(ROOT), python), file=sys.stderr, flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.check_call([python, "-m", "venv", "--clear", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    if subprocess.call(pip + list(requirements)) != 0:
        sys.exit("Could not install %s. Is the Python package index reachable?" % ", ".join(requirements))
    stamp.write_text(wanted)
    return folder


def complete(pythons):
    """In CI, have Debian's own of the ``pythons`` ({version: path}) make environments, for which it has a package; a person is told by nox."""
    lacking = [
        path
        for version, path in pythons.items()
        if path.startswith("/usr/bin/") and _numbers(version) >= OLDEST_PYTHON and not _makes_environments(path)
    ]
    if lacking and os.environ.get("CI"):
        try:
            system.install(["python3-venv"], "virtual environments")
        except system.Unavailable as error:
            print("%s cannot make %s" % (lacking[0], error), file=sys.stderr)


def collections():
    """A collections folder that has this checkout under its name."""
    link = CACHE / "collections" / "ansible_collections" / "kernelops" / "memfrag"
    if not (link.is_symlink() and link.exists() and os.path.samefile(str(link), str(ROOT))):
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink():
            link.unlink()
        link.symlink_to(ROOT, target_is_directory=True)
    return CACHE / "collections"


def _runs(python):
    return subprocess.call([str(python), "-c", ""], stderr=subprocess.DEVNULL) == 0 if python.exists() else False


def _python():
    """An interpreter new enough that can make environments: the caller's own if possible, else the newest."""
    candidates = [sys.executable] if sys.version_info[:2] >= OLDEST_PYTHON else []
    for version, path in reversed(list(interpreters.find().items())):
        if _numbers(version) >= OLDEST_PYTHON:
            candidates.append(path)
    if not candidates:
        sys.exit(
            "ansible-core needs Python %d.%d or newer on this machine; %s is %d.%d and no other was found. "
            "Install one and name it: make PYTHON=python3.12 ..."
            % (OLDEST_PYTHON + (sys.executable,) + sys.version_info[:2])
        )
    for python in candidates:
        if _makes_environments(python):
            return python
    try:
        system.install(["python3-venv"], "virtual environments")
    except system.Unavailable as error:
        sys.exit("%s cannot make %s" % (candidates[0], error))
    if not _makes_environments(candidates[0]):
        sys.exit("%s cannot make virtual environments, not even with python3-venv installed." % candidates[0])
    return candidates[0]


def _numbers(version):
    return tuple(int(number) for number in version.split("."))


def _makes_environments(python):
    return subprocess.call([python, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL) == 0
