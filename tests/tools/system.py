# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of the operating system."""

import fcntl
import os
import shutil
import subprocess
import sys

from paths import CACHE


class Unavailable(Exception):
    """What is missing, and how to get it."""


def require(commands, purpose):
    """Make sure of ``{command, or absolute path of a file: Debian packages}``. CI installs what is missing, a person is told what to install."""
    missing = sorted({name for command, names in commands.items() if not _there(command) for name in names.split()})
    if missing and not os.environ.get("CI"):
        raise Unavailable("%s: install %s" % (purpose, " ".join(missing)))
    if missing:
        install(missing, purpose)


def _there(command):
    return shutil.which(command) or os.path.isabs(command) and os.path.exists(command)


def install(packages, purpose):
    """Install Debian packages; raises Unavailable where that is not possible."""
    advice = "%s: install %s" % (purpose, " ".join(packages))
    prefix = _as_root()
    if prefix is None or not shutil.which("apt-get"):
        raise Unavailable(advice)
    print("Installing %s (%s)" % (" ".join(packages), purpose), file=sys.stderr, flush=True)
    apt = prefix + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / "apt.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["update"], ["install", "-y", "--no-install-recommends"] + packages):
            apt_get = subprocess.Popen(apt + command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            said = apt_get.communicate()[0].decode(errors="replace")
            if apt_get.returncode != 0:
                print(said, file=sys.stderr)
                raise Unavailable(advice)


def _as_root():
    """What to put before a command that needs root, None where there is no way. Only a person is asked a password."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    if sys.stdin.isatty():
        return ["sudo"]
    return ["sudo", "-n"] if subprocess.call(["sudo", "-n", "true"], stderr=subprocess.DEVNULL) == 0 else None
