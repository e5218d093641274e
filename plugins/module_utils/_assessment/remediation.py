# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What would help a node: one action for it, by the zones that lack blocks."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._outlook import at_most
from . import blocks, holders
from .node_state import percent

ONLY_HUGE_PAGES = "only huge pages are missing, and compaction would not bring them back"
NOT_GRAVE = "nothing here is worse than low, and what would help is not sure"

# Why, by what decided (_outlook.Outlook.what_helps()).
_REASONS = {
    "shortage": "%(place)s is short of memory (%(free)d MB free), compaction needs room: add memory or move work",
    "movable": "%(place)s has %(movable)d MB free in movable pageblocks, into which pages can be moved",
    "reclaimable": (
        "%(place)s has %(reclaimable)d MB of page cache and reclaimable slab; freed first, they make room to compact"
    ),
    "unknown": (
        "%(place)s has %(free)d MB free in small blocks; whether they can be joined cannot be told without /proc/pagetypeinfo"
    ),
    "unmovable": (
        "the %(free)d MB free in %(place)s stand among unmovable pages (%(percent)d %% of the pageblocks), compaction will"
        " not help: drain and reboot"
    ),
    # With a survey of the pageblocks.
    "measured": (
        "a compaction of %(place)s leaves %(expected)d free blocks of order %(order)d by its pageblocks (%(low)d to %(high)d;"
        " now %(now)d)"
    ),
    "doubtful": (
        "a compaction of %(place)s may leave %(moved)d free blocks of order %(order)d by its pageblocks, %(expected)d are"
        " expected (now %(now)d). In the way: %(held_by)s"
    ),
    "held_reclaimable": (
        "%(place)s has %(reclaimable)d MB of page cache and reclaimable slab, to be freed first; a compaction alone leaves"
        " %(expected)d free blocks of order %(order)d by its pageblocks, after that it leaves %(freed)d (now %(now)d). In the way: %(held_by)s"
    ),
    "scattered": (
        "a compaction of %(place)s leaves %(expected)d free blocks of order %(order)d by its pageblocks (%(low)d to %(high)d;"
        " now %(now)d), next to nothing beside %(free)d MB free: it will not help. In the way: %(held_by)s"
    ),
    "held": (
        "a compaction of %(place)s would leave %(moved)d free blocks of order %(order)d at most (now %(now)d), it will not help."
        " In the way: %(held_by)s"
    ),
}


def remediation(state, short, unmovable):
    """-> {action, will_help: true, false or None (cannot be told), reason, order, node, zone, blocks}.

    order, NUMA node and zone are those that it speaks of, None where no zone lacks anything. blocks are the free ones of the order after
    what the action does, {low, expected, high}, where the pageblocks were surveyed. short and unmovable as for blocks.find().
    """
    if not state.zones:
        return _answer("none", None, "what is free is not known")
    deficient = deficient_zones(state)
    if not deficient:
        if short:
            return _answer("add_memory", False, "memory is short, and not fragmented: add some, or move work away")
        return _answer("none", None, "nothing is missing")
    verdicts = [_verdict(state, outlook, order, short) for outlook, order in deficient]
    only_huge_pages = deficient[0][1] not in state.targets
    if only_huge_pages and verdicts[0]["action"] != "compact" and not blocks.beyond_help(state, unmovable):
        return _only_huge_pages(verdicts[0])
    for action in ("compact", "reclaim_then_compact"):
        for verdict in verdicts:
            if verdict["action"] == action:
                return verdict
    return verdicts[0]


def _only_huge_pages(verdict):
    if verdict["blocks"] is None:
        return _answer("none", None, ONLY_HUGE_PAGES)
    # What is in their way was measured: worth saying, even if nothing is to be done.
    return dict(verdict, action="none", will_help=None, reason="%s: %s" % (ONLY_HUGE_PAGES, verdict["reason"]))


def fitting(advice, level):
    """What is advised fits the level: of a node that is well only what is sure to help, and otherwise nothing.

    Whoever acts on an action takes the node out of service for it. The zone and the order that it spoke of stay.
    """
    if level != "low" or advice["action"] == "none" or advice["will_help"] is True:
        return advice
    return dict(advice, action="none", will_help=None, reason="%s: %s" % (NOT_GRAVE, advice["reason"]))


# What a second look at a node is for: the pageblocks, and the settings that say what compaction moves.
SURVEY_SUBSET = ("!all", "sysctl", "pageblocks")


def hinges_on_survey(facts, assessment):
    """Whether a survey of the pageblocks, which there is none of yet, could change what is advised for a node that is not well.

    What a compaction brings, and whether only a reboot is left, is inferred from migratetypes without one. Of a shortage it says nothing. A
    look that was not let in the first time, for want of root, would not be the second time.
    """
    advice = assessment["remediation"]
    if facts.get("pageblock_survey") or assessment["level"] == "low" or advice["order"] is None:
        return False
    if (facts.get("kernel") or {}).get("config_compaction") is False:
        return False
    if any("permission denied" in why for why in (facts.get("unavailable") or {}).values()):
        return False
    return advice["action"] in ("compact", "reclaim_then_compact", "drain_and_reboot") or advice["will_help"] is None


def deficient_zones(state):
    """[(Outlook, the smallest order it lacks)]: the zones behind MF201, MF202, MF203 and MF301; of huge pages if of nothing else."""
    scarce = [order for order in state.targets if blocks.is_scarce(state, order)]
    main = state.main or state.serving
    among_main = set(map(id, main))
    deficient = []
    for outlook in sorted(
        state.serving, key=lambda outlook: (id(outlook) not in among_main, -(outlook.zone["managed_pages"] or 0))
    ):
        orders = blocks.lacking(state, outlook, scarce)
        if id(outlook) in among_main:
            orders = sorted(set(orders + blocks.lacking(state, outlook)))
        if orders:
            deficient.append((outlook, orders[0]))
    order = state.kernel["hugepage_order"]
    if deficient or order is None:
        return deficient
    return [
        (outlook, order)
        for outlook in main
        if order < len(outlook.zone["free_blocks"])
        and outlook.state(order) in ("needs_compaction", "exhausted")
        and not outlook.now(order)
    ]


def _verdict(state, outlook, order, short):
    zone, kinds = outlook.zone, outlook.zone["pageblocks"] or {}
    where = {"order": order, "node": zone["node"], "zone": zone["zone"]}
    if state.kernel.get("config_compaction") is False:
        return _answer(
            "drain_and_reboot", False, "this kernel cannot compact; only a reboot brings blocks back", **where
        )
    wanted = state.policy["spare_blocks"] if order in state.targets else 1
    action, will_help, why = outlook.what_helps(order, wanted, short)
    row = outlook.surveyed(order)
    words = {
        "place": "zone %s of node %d" % (zone["zone"], zone["node"]),
        "free": state.megabytes(outlook.free),
        "movable": state.megabytes(outlook.movable_pages(order) or 0),
        "reclaimable": state.megabytes(zone["reclaimable_pages"]),
        "percent": percent(kinds.get("Unmovable", 0), sum(kinds.values())),
        "held_by": holders.in_the_way(state, outlook),
    }
    if row:
        words.update(row, moved=at_most(row))
    expected = outlook.after_compaction(order) if row else None
    if row and action == "reclaim_then_compact":
        # Without a row for that, a compaction alone brings as much at the least.
        freed = outlook.surveyed(order, "after_reclaim")
        expected = outlook.after_reclaim(order) if freed else expected
        words["freed"] = expected["expected"]
    return _answer(action, will_help, _REASONS[why] % words, expected=expected, **where)


def _answer(action, will_help, reason, order=None, node=None, zone=None, expected=None):
    return {
        "action": action,
        "will_help": will_help,
        "reason": reason,
        "order": order,
        "node": node,
        "zone": zone,
        "blocks": expected,
    }
