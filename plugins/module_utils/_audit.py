# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What one audit of one node is: its options, and the look at facts and journal in a single round trip."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# Of the module M(kernelops.memfrag.memfrag_audit) and of its action alike. The first part is that of
# M(kernelops.memfrag.memfrag_facts) as well, which the action runs where no journal is wanted; the last is for the controller only.
FACTS_OPTIONS = {
    "root": {"type": "path", "default": "/"},
    "gather_subset": {"type": "list", "elements": "str", "default": ["all"]},
    "top_slabs": {"type": "int", "default": 10},
}
JOURNAL_OPTIONS = {
    "journal": {"type": "bool", "default": True},
    "journal_files": {"type": "list", "elements": "str", "default": []},
    "journal_directory": {"type": "path"},
    "since": {"type": "str", "default": "-7d"},
    "until": {"type": "str"},
    "max_events": {"type": "int", "default": 200},
}
NODE_OPTIONS = dict(FACTS_OPTIONS, **JOURNAL_OPTIONS)
CONTROLLER_OPTIONS = {
    "policy": {"type": "dict", "default": {}},
    "records_dir": {"type": "path", "default": "./memfrag-audit"},
    "run_id": {"type": "str"},
}
OPTIONS = dict(NODE_OPTIONS, **CONTROLLER_OPTIONS)


def look(node, params):
    """-> {"facts": contract memfrag_facts, "journal": contract memfrag_journal_info or None}."""
    from . import _facts

    facts = _facts.collect(node, params["gather_subset"], params["top_slabs"])
    journal = None
    if params["journal"]:
        # Compiling the log readers costs more than all the facts; who does not want them does not pay for them.
        from ._logs import journal as _journal

        journal = _journal.collect(
            node,
            {
                "files": params["journal_files"],
                "journal_directory": params["journal_directory"],
                "since": params["since"],
                "until": params["until"],
                "max_events": params["max_events"],
            },
        )
    return {"facts": facts, "journal": journal}
