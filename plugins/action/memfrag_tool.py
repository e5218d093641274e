# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has memfrag_tool done on the node, and takes of its answer what it is documented to return."""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._node_action import NodeAction


class ActionModule(NodeAction):
    pass
