# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Whether this is a container, whose memory is that of its host. Several signs, since no manager of containers leaves all of them.

On the node itself it is this process that is looked at, which may share the process numbers of the host and still be in a pod.
Below another root it is the node's process 1: what this process is in says nothing about that node.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .._node import NodeError
from . import reading

# Files that managers of containers put in them.
_MARKERS = (
    ("/.dockerenv", "docker"),
    ("/run/.containerenv", "podman"),
    ("/var/run/secrets/kubernetes.io", "kubernetes"),
)

# The numbers of the namespaces that the kernel boots with (include/linux/proc_ns.h, PROC_*_INIT_INO; fixed since 3.8).
_INITIAL = {"ipc": 0xEFFFFFFF, "uts": 0xEFFFFFFE, "user": 0xEFFFFFFD, "pid": 0xEFFFFFFC, "cgroup": 0xEFFFFFFB}
# One of the first speaks for itself. The others count together: services of the host get one of them from systemd (ProtectHostname).
_DECISIVE = ("pid", "user", "cgroup")
_TOGETHER = ("uts", "ipc")

# What managers of containers call the cgroups of theirs; most have the container's id in it, whatever the directory is called.
_CGROUP = re.compile(
    r"kubepods|docker|containerd|nerdctl|crio|libpod|podman|isulad|pouch|buildkit|^(?:lxc|machine|garden|ecs|mesos|k8s\.io)(?:\.|$)|[0-9a-f]{64}"
)
_CGROUP_LINE = re.compile(r"[0-9]{1,10}:[^:\n]*:(/.*)\Z")
_SCHED = re.compile(r"(.*) \(([0-9]{1,10}), #threads: [0-9]+\)")


def find(node):
    """-> a reading: "docker (/.dockerenv is there)" or None; broken where too little could be read to rule a container out."""
    process = "/proc/self" if node.root == "/" else "/proc/1"
    marked = _marked(node)
    if marked:
        return reading.of(marked)
    namespaces = _namespaces(node, process)
    others = [_environment(node), _cgroup(node, "/proc/1"), _scheduler(node)]
    if process != "/proc/1":
        others.append(_cgroup(node, process))
    spoken = [sign for sign in [namespaces] + others if sign["value"]]
    if spoken:
        return spoken[0]
    unread = [sign for sign in [namespaces] + others if sign["broken"]]
    # Namespaces that are the initial ones settle it; process 1 may keep its environment from a service with few capabilities.
    if unread and (namespaces["missing"] or namespaces["broken"]):
        return unread[0]
    if all(sign["missing"] for sign in [namespaces] + others):
        return reading.of(missing="no marker file, and %s" % namespaces["missing"])
    return reading.of(None)


def _marked(node):
    path = "/run/systemd/container"
    if reading.is_there(node, path):
        # Only systemd puts it there, and only in a container; what is in it says which.
        try:
            named = "".join(sign for sign in node.read_text(path, 4096).partition("\n")[0] if 32 < ord(sign) < 127)
        except NodeError:
            named = ""
        return "%s (%s)" % (named[:40] or "unnamed", path)
    for path, name in _MARKERS:
        if reading.is_there(node, path):
            return "%s (%s is there)" % (name, path)
    if node.exists("/proc/vz") and not node.exists("/proc/bc"):
        return "openvz (/proc/vz is there, /proc/bc is not)"
    return None


def _namespaces(node, process):
    other, read = [], False
    for name in _DECISIVE + _TOGETHER:
        path = "%s/ns/%s" % (process, name)
        try:
            link = node.readlink(path)
        except NodeError as error:
            if error.missing:
                continue
            return reading.of(broken=str(error))
        match = re.match(r"%s:\[([0-9]{1,10})\]\Z" % name, link)
        if not match:
            return reading.of(broken="%s: not understood" % path)
        read = True
        if int(match.group(1)) != _INITIAL[name]:
            other.append(name)
    if not read:
        return reading.of(missing="%s/ns: no such file" % process)
    if set(other) & set(_DECISIVE) or set(_TOGETHER) <= set(other):
        return reading.of("other namespaces than the kernel's first ones (%s of %s/ns)" % (", ".join(other), process))
    return reading.of(None)


def _environment(node):
    """Of process 1: "container=lxc" by the container interface of systemd, or what kubernetes tells every pod."""
    path = "/proc/1/environ"
    try:
        variables = node.read_text(path, 1048576).split("\0")
    except NodeError as error:
        return reading.failed(error)
    for word in variables:
        name, dummy, value = word.partition("=")
        if name == "container" and value:
            return reading.of("%s (container= in %s)" % (value[:40], path))
        if name == "KUBERNETES_SERVICE_HOST":
            return reading.of("kubernetes (%s in %s)" % (name, path))
    return reading.of(None)


def _cgroup(node, process):
    path = process + "/cgroup"
    try:
        text = node.read_text(path, 65536)
    except NodeError as error:
        return reading.failed(error)
    for line in text.split("\n"):
        match = _CGROUP_LINE.match(line)
        if line and not match:
            return reading.of(broken="%s: not understood" % path)
        for name in match.group(1).split("/") if match else ():
            # A service of the host may be called like what it is about: docker.service, lxcfs.service.
            match = None if name.endswith(".service") else _CGROUP.search(name)
            if match:
                return reading.of("%s (%s)" % (match.group().rstrip("."), path))
    return reading.of(None)


def _scheduler(node):
    """Process 1 calls itself by its number on the host here, on kernels before 4.15 that were built with CONFIG_SCHED_DEBUG."""
    path = "/proc/1/sched"
    try:
        text = node.read_text(path, 65536)
    except NodeError as error:
        return reading.failed(error)
    match = _SCHED.match(text.partition("\n")[0])
    if text and not match:
        return reading.of(broken="%s: not understood" % path)
    if match and match.group(2) != "1":
        return reading.of("process 1 is %s of the host (%s)" % (match.group(2), path))
    return reading.of(None)
