# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Whom a line of a container runtime is about: the pod and the container that it names, and how often it says so."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .lazy import Lazy

_UID = r"[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}"
_NAME = r"[\w.-]{1,253}"
# Who wrote it: kubelet format.Pod(), klog's pod=, its JSON; containerd's PodSandboxMetadata and its names; docker's and CRI-O's names.
_PODS = (
    Lazy(r"\"pod\": ?\{\"name\": ?\"(?P<pod>" + _NAME + r")\", ?\"namespace\": ?\"(?P<namespace>" + _NAME + r")\""),
    Lazy(r"[Pp]od ?\"(?P<pod>[^\"\s_(]{1,253})(?:_(?P<namespace>[^\"\s(]{1,253}))?(?:\((?P<uid>[^)\s]{1,64})\))?\""),
    Lazy(r"\(\"(?P<pod>" + _NAME + r"?)_(?P<namespace>[\w-]{1,63})\((?P<uid>[\w-]{1,64})\)\"\)"),
    Lazy(r"\bpod=\"?(?P<namespace>" + _NAME + r")/(?P<pod>" + _NAME + r")"),
    Lazy(r"\bName:(?P<pod>" + _NAME + r"),Uid:(?P<uid>" + _NAME + r"),Namespace:(?P<namespace>" + _NAME + r"),"),
    Lazy(
        r"\bname:\"(?P<pod>"
        + _NAME
        + r")\" {1,3}uid:\"(?P<uid>"
        + _NAME
        + r")\" {1,3}namespace:\"(?P<namespace>"
        + _NAME
        + r")\""
    ),
    Lazy(
        r"\bk8s_[^\W_]{1,63}(?:-[^\W_]{1,63}){0,8}_(?P<pod>[a-z0-9.-]{1,253})_(?P<namespace>[a-z0-9-]{1,63})_(?P<uid>"
        + _UID
        + r"|[0-9a-f]{32})_"
    ),
    Lazy(r"\"(?P<pod>[a-z0-9.-]{1,253})_(?P<namespace>[a-z0-9-]{1,63})_(?P<uid>" + _UID + r"|[0-9a-f]{32})_\d{1,6}\""),
)
_POD_UID = Lazy(r"(?:podUID=\"?|[Pp]od |pod|\()(" + _UID + r"|[0-9a-f]{32})\b")
_ID = r"([0-9a-f]{64})"
_CONTAINER = Lazy(
    r"(?:containers?/|container(?: with id)? \"?|[cC]ontainer_?[iI][dD]\W{1,3}|\bid=|--?\s?start |sandbox \"|filesystem for |/docker[/-]|"
    r"cri-containerd-|crio-|libpod-|(?:docker|containerd|cri-o)://|\"ID\":\")"
    + _ID
    + r"|^(?:time=\S{1,60} level=\w{1,10} msg=\")?"
    + _ID
    + r"(?: cleanup|: )"
)
HEX = Lazy(r"[0-9a-f]{64}")
_REPEATED = Lazy(r"\(x(\d{1,9}) over ")


def names(text):
    """Pod, namespace, uid and container that a text names."""
    found = {}
    for pattern in _PODS:
        match = pattern.search(text)
        if match is not None:
            found = match.groupdict()
            break
    uid = found.get("uid")
    if not uid:
        match = _POD_UID.search(text)
        uid = match and match.group(1)
    container = _CONTAINER.search(text) if HEX.search(text) else None
    return {
        "pod": found.get("pod"),
        "namespace": found.get("namespace"),
        "pod_uid": uid and uid.replace("_", "-"),
        "container_id": container and (container.group(1) or container.group(2)),
    }


def repeats(text):
    repeated = _REPEATED.search(text) if "(x" in text else None
    return max(1, min(int(repeated.group(1)), 1000000)) if repeated else 1
