# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Where the variables of the playbooks come from: from whoever owns the fleet, never from a node."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleActionFail

PREFIX = "memfrag_"
_MOST_NAMED = 5


def refuse_facts(task_vars: Mapping[str, t.Any] | None) -> None:
    """AnsibleActionFail where the host has a variable of the playbooks among its facts.

    Any module's answer may hold ansible_facts, of a setup run last week as well (a fact cache), and Ansible puts them before the
    inventory's variables. Where records are written, which hook is run and how many nodes are mended is nothing that a node says.
    """
    known = task_vars or {}
    facts = known.get("ansible_facts")
    found = sorted(str(name) for name in facts if str(name).startswith(PREFIX)) if isinstance(facts, Mapping) else []
    if found:
        names = ", ".join(ascii(name[:60])[1:-1] for name in found[:_MOST_NAMED])
        raise AnsibleActionFail(
            f"Nothing is done: among the facts of {ascii(str(known.get('inventory_hostname', 'the host')))[1:-1]} there is {names}."
            " A node may have brought it. Variables of this collection belong into the inventory, or to set_fact without cacheable;"
            " facts go with the fact cache, or with meta: clear_facts"
        )
