# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Which nodes are Kubernetes': only these are drained by kubectl. A database host is not told to be."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report._types import Host

# Groups of the inventories that kubespray, k3s-ansible, RKE2 and people's habits make.
GROUPS = ("kube*", "k8s*", "k3s*", "rke2*")

# What the API takes for a node's name (RFC 1123). A host that is called otherwise there cannot be named to it.
_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def mark(hosts: Iterable[Host], groups: Sequence[str] | None = None) -> None:
    """Sets ``kubernetes`` of each host, which is true before if its logs speak of pods.

    groups    patterns of groups, and nothing else counts; None: GROUPS, or pods in the logs
    """

    @functools.cache
    def belongs(names: tuple[str, ...]) -> bool:
        wanted = GROUPS if groups is None else groups
        return any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for name in names for pattern in wanted)

    for host in hosts:
        known = belongs(host.groups) or (groups is None and host.kubernetes)
        host.kubernetes = known and _NODE_NAME.fullmatch(host.name) is not None
