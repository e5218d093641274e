# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Where a node has its logs: units, usual files, and what a path or pattern stands for."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .._node import NodeError

UNITS = (
    "kubelet.service",
    "docker.service",
    "containerd.service",
    "crio.service",
    "cri-docker.service",
    "k3s.service",
    "k3s-agent.service",
    "rke2-server.service",
    "rke2-agent.service",
    "podman.service",
    "snap.kubelet-eks.daemon.service",
    # Who else says that memory ran out.
    "init.scope",
    "systemd-oomd.service",
    "earlyoom.service",
    "nohang.service",
    "nohang-desktop.service",
    "slurmd.service",
)
# Where logs lie without a journal; the second row is for unpacked sosreports.
USUAL_FILES = ("/var/log/messages*", "/var/log/kern.log*", "/var/log/syslog*")
SOSREPORT_FILES = (
    "/sos_commands/logs/journalctl_--no-pager*",
    "/sos_commands/kernel/dmesg",
    "/sos_commands/kernel/dmesg_-T",
)

_MAGIC = re.compile(r"[*?\[]")
_ROTATION = re.compile(r"(?:[-.](?:\d{8}(?:[-.]\d+)?|\d{1,3})|\.old)?(?:\.(?:gz|xz|bz2|zst))?$")


def log_files(node, patterns):
    """Paths and patterns -> ([(log, time of its last line, path)] with the oldest part of each log first, [(path, why it cannot be read)])."""
    found, missing = {}, []
    for pattern in patterns:
        if not pattern.startswith("/"):
            missing.append((pattern, "not an absolute path"))
            continue
        try:
            paths = _matching(node, pattern, missing)
        except NodeError as error:
            missing.append((pattern, error))
            continue
        for path in paths:
            try:
                status = node.stat(path)
            except NodeError as error:
                missing.append((path, error))
                continue
            # No directories, and nothing that one could wait for or that never ends.
            if status.st_mode & 0o170000 != 0o100000:
                missing.append((path, "not a regular file"))
                continue
            found[path] = (_ROTATION.sub("", path), status.st_mtime, path)
    return sorted(found.values()), missing


def is_there(node, pattern):
    """Whether there is something to read or to complain of."""
    try:
        return bool(node.glob(pattern)) or any(_closed(node, pattern))
    except NodeError:
        return True


def _matching(node, pattern, missing):
    """Paths that a pattern stands for. Directories in which one may not look are missing: there may be more."""
    if not _MAGIC.search(pattern):
        return [pattern]
    paths = [path for path in node.glob(pattern) if not path.endswith("~")]
    for path in _closed(node, pattern):
        missing.append((pattern, "permission denied in %s, root can read it" % path))
        return paths
    if not paths:
        missing.append((pattern, "no such file"))
    return paths


def _closed(node, pattern):
    """Directories of a pattern that cannot be listed."""
    parts = pattern.split("/")
    for number, part in enumerate(parts):
        if _MAGIC.search(part):
            before = "/".join(parts[:number]) or "/"
            for path in node.glob(before) if _MAGIC.search(before) else [before]:
                if node.exists(path) and not node.readable(path):
                    yield path
