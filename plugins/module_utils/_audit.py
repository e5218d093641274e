# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What one audit of one node is: its options, and the look at facts and journal in a single round trip."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import _watch
from ._node import Node

# Of the module M(kernelops.memfrag.memfrag_audit) and of its action alike. The first part is that of
# M(kernelops.memfrag.memfrag_audit_facts) as well, which the action runs where no journal is wanted; the last is for the controller only.
FACTS_OPTIONS = {
    "root": {"type": "path", "default": "/"},
    "gather_subset": {"type": "list", "elements": "str", "default": ["all"]},
    "top_slabs": {"type": "int", "default": 10},
    "deadline_seconds": {"type": "int", "default": _watch.DEADLINE_SECONDS},
}
JOURNAL_OPTIONS = {
    "journal": {"type": "bool", "default": True},
    "journal_files": {"type": "list", "elements": "str", "default": []},
    "journal_directory": {"type": "path"},
    "since": {"type": "str", "default": "-7d"},
    "until": {"type": "str"},
    "max_events": {"type": "int", "default": 200},
    "redact": {"type": "bool", "default": True},
}
NODE_OPTIONS = dict(FACTS_OPTIONS, **JOURNAL_OPTIONS)
CONTROLLER_OPTIONS = {
    "pageblocks": {"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
    "watch_seconds": {"type": "int", "default": 0},
    "policy": {"type": "dict", "default": {}},
    "records_dir": {"type": "path", "default": "./memfrag-audit"},
    "run_id": {"type": "str"},
}
OPTIONS = dict(NODE_OPTIONS, **CONTROLLER_OPTIONS)


def collect(params):
    """-> JSON text of {"facts": what _observation.observe() saw, "journal": contract memfrag_journal_info or None}.

    The controller grades the facts (``_grading``).
    _watch.CollectError when not even the facts could be had. What became of the logs never costs the facts.
    """
    parts = _watch.collect(params["deadline_seconds"], lambda deadline, tell: _work(params, deadline, tell))
    if "facts" not in parts:
        raise _watch.CollectError(parts.gave_up or "the node gave no answer")
    journal = parts.get("journal")
    if journal is None:
        journal = _watch.as_text(_no_journal(parts.gave_up, True) if params["journal"] else None)
    # Text, put together as it came: taking it apart again would cost more than to gather it.
    return '{"facts":%s,"journal":%s}' % (parts["facts"], journal)


def _work(params, deadline, tell):
    from . import _observation

    node = Node(params["root"], deadline)
    subset = _observation.resolve_subset(params["gather_subset"])
    tell("facts", _observation.observe(node, subset, params["top_slabs"]))
    if not params["journal"]:
        return
    try:
        # Compiling the log readers costs more than all the facts; who does not want them does not pay for them.
        from ._logs import journal as _journal

        tell("journal", _journal.collect(node, dict(params, files=params["journal_files"])))
    except ValueError:
        # An option that makes no sense.
        raise
    except Exception as error:
        tell("journal", _no_journal("the log reader failed: %s: %s" % (type(error).__name__, error), False))


def _no_journal(reason, timed_out):
    """What stands in the place of a journal that could not be read."""
    counts = dict.fromkeys(("events", "events_returned", "incidents", "suppressed"), 0)
    return {
        "events": [],
        "incidents": [],
        "counts": dict(counts, by_kind={}, by_cause={}),
        "sources": [
            {
                "source": "logs",
                "kind": "journal",
                "status": "failed",
                "reason": (reason or "the node gave no answer")[:300],
                "timed_out": timed_out,
                "bytes": None,
                "lines": None,
                "first_time": None,
                "last_time": None,
                "notes": [],
            }
        ],
    }
