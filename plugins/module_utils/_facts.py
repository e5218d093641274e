# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The memory facts of one node: what is seen there, graded. Contract ``memfrag_facts``."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ._grading import grade
from ._observation import LONG_FREE_LIST, observe, resolve_subset


def collect(node, gather_subset=("all",), top_slabs=10, survey=None, long_free_list=LONG_FREE_LIST):
    """-> the facts of contract memfrag_facts (docs: M(kernelops.memfrag.memfrag_facts), RETURN). Parts not asked for are None.

    survey   a function (node, facts) that adds the subset "pageblocks" to the facts, for callers that bring its code along

    Never raises for what a node lacks: it says so under ``unavailable``. Raises SubsetError for a wrong gather_subset.
    """
    subset = resolve_subset(gather_subset)
    facts = grade(observe(node, subset, top_slabs, long_free_list))
    if "pageblocks" in subset and survey:
        survey(node, facts)
    return facts
