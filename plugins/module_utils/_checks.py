# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""One line and an exit status, for Nagios, Icinga, node conditions and whoever asks a node in a script."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import _facts
from ._assessment.assess import assess
from ._assessment.catalogue import COMPACTING
from ._assessment.node_state import NodeState
from ._assessment.policy import complete
from ._text import strip_controls

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

# Levels of the assessment, least first, that make a status at the earliest; "unknown" is one of its own.
LEVELS = ("low", "medium", "high", "critical")
WARNING_FROM, CRITICAL_FROM = "medium", "critical"

_HELPS = {True: "%s will help", False: "%s will not help", None: "%s may help"}


def check(node, policy, warning=WARNING_FROM, critical=CRITICAL_FROM):
    """-> (the line, the exit status) of a node; policy of _policy_file.load()"""
    facts = _facts.collect(node, ("all", "!extfrag"))
    verdict = assess(facts, None, policy["assessment"])
    state = NodeState(facts, None, complete(policy["assessment"]))
    status = status_of(verdict["level"], warning, critical)
    words = "MEMFRAG %s - %s%s" % (_WORDS[status], verdict["summary"], _advice(verdict["remediation"]))
    # What a log or a kernel file says is nobody's to format: one line, and no bar but the one before the numbers.
    return "%s | %s" % (strip_controls(words).replace("|", "/"), " ".join(_numbers(verdict, state))), status


def status_of(level, warning=WARNING_FROM, critical=CRITICAL_FROM):
    """-> the exit status of a check, for a level of the assessment and the levels from which it warns, and is critical."""
    if level not in LEVELS:
        return UNKNOWN
    if LEVELS.index(level) >= LEVELS.index(critical):
        return CRITICAL
    return WARNING if LEVELS.index(level) >= LEVELS.index(warning) else OK


def _advice(advice):
    if advice["action"] == "none":
        return ""
    action = advice["action"].replace("_", " ")
    if advice["action"] in COMPACTING:
        action = _HELPS[advice["will_help"]] % action
    return "; %s: %s" % (action, advice["reason"])


def _numbers(verdict, state):
    """Performance data: label=value;warning;critical;least;most."""
    yield "score=%d;;;0;100" % verdict["score"]
    for order in state.targets:
        enough = state.few() if order in state.needed else state.spare(order)
        yield "order%d_blocks=%d;%d:;1:;0;" % (order, state.allocatable_blocks(order), enough)
