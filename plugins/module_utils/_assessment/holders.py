# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF307 to MF312: who holds the pageblocks, and what moves them. Only where the pageblocks were surveyed (facts: pageblock_survey)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections

from .catalogue import make, remedy_of_kind
from .node_state import percent

# finding and gravest severity; what it is, and what moves it
Holder = collections.namedtuple("Holder", "ident severity what moved_by")

_WITHHELD = "deflate the balloon, or bring the memory online"

# By the kinds of _procfs/kpageflags.py; those that compaction moves are not among them.
KINDS = {
    "slab": Holder("MF307", "low", "slab", "it goes when its objects are freed"),
    "kernel": Holder("MF308", "low", "pages of the kernel", "restart what holds pipes, sockets and buffers"),
    "page_table": Holder("MF309", "low", "page tables", "restart the processes that map the most"),
    # Somebody decided on these.
    "hugetlb": Holder("MF310", "info", "reserved huge pages", "free the pool (vm.nr_hugepages) where it is not needed"),
    "balloon": Holder("MF311", "low", "balloon pages", _WITHHELD),
    "offline": Holder("MF311", "low", "ballooned or offline pages", _WITHHELD),
    "poisoned": Holder("MF311", "info", "poisoned pages", "the memory is faulty: replace it, and reboot"),
    "reserved": Holder(
        "MF311", "info", "reserved pages", "they are the firmware's and the kernel's own, and stay until a reboot"
    ),
    "unevictable": Holder("MF312", "low", "locked pages", "restart what locks memory"),
    "compound": Holder("MF312", "info", "large pages", "they go when their owners free them"),
}

# Fewer pageblocks than this of all that were looked at are not worth a word.
_NOTABLE_PERCENT = 10

# So many of them are named as being in the way, and so much of a caller's name.
_NAMED, _LONGEST_NAME = 3, 60

# Caches that the kernel shrinks on request: names and inodes of files, and what comes with the page cache.
_SHRINKS = ("dentry", "inode", "radix_tree_node", "xa_node", "buffer_head")


def find(state):
    """A finding for each that holds a good part of the surveyed pageblocks of the zones that serve."""
    held, total, zones = {}, 0, {}
    for outlook in state.serving:
        survey = outlook.survey or {}
        total += survey.get("blocks") or 0
        for kind, count in (survey.get("held_by") or {}).items():
            if kind in KINDS and count:
                held[kind] = held.get(kind, 0) + count
                zones.setdefault(kind, []).append(_zone(survey, kind, count))
    found = []
    for kind in sorted(held, key=lambda kind: (-held[kind], kind)):
        share, about = percent(held[kind], total), KINDS[kind]
        if share < _NOTABLE_PERCENT:
            continue
        severity = about.severity if share >= state.policy["unmovable_percent"] else "info"
        words = _capitalized(_named(state, kind)), held[kind], total, share
        title = "%s: in %d of %d pageblocks (%d %%)" % words
        finding = make(about.ident, severity, title, kind=kind, zones=zones[kind], **_known(state, kind))
        finding["remedy"] = remedy_of_kind(about.ident, finding["evidence"]) or finding["remedy"]
        found.append(finding)
    return found


def _zone(survey, kind, count):
    return {
        "node": survey["node"],
        "zone": survey["zone"],
        "pageblocks": count,
        "interval": (survey.get("held_by_interval") or {}).get(kind),
    }


def in_the_way(state, outlook):
    """Who holds the pageblocks of a zone, the largest first, and what moves them: for a sentence."""
    held = (outlook.survey or {}).get("held_by") or {}
    kinds = sorted((kind for kind in held if kind in KINDS and held[kind]), key=lambda kind: (-held[kind], kind))
    if not kinds:
        return "nobody in particular, too little is free to move pages into"
    return "; ".join(
        "%s in %d pageblocks, %s" % (_named(state, kind), held[kind], _moved_by(state, kind)) for kind in kinds[:_NAMED]
    )


def _known(state, kind):
    """What else is known of a kind, for the evidence: whose it is, and how much in all."""
    if kind == "slab":
        caches = [{"name": cache["name"], "size_kb": cache["size_kb"]} for cache in _caches(state)]
        return {"caches": caches, "shrinks": _shrinks(state)}
    if kind == "kernel":
        return {"callers": _callers(state), "named": _callers(state) is not None}
    if kind == "hugetlb":
        pools = [row for row in state.facts.get("hugepages") or () if row.get("reserved")]
        return {"pools": [{key: row.get(key) for key in ("node", "size_kb", "reserved", "free")} for row in pools]}
    return {field: state.memory[field] for field in _FIELDS.get(kind, ()) if state.memory.get(field) is not None}


# Of /proc/meminfo, in kB.
_FIELDS = {
    "page_table": ("pagetables",),
    "unevictable": ("unevictable", "mlocked"),
    "compound": ("anonhugepages",),
}


def _caches(state):
    return (state.slab.get("caches") or [])[:_NAMED]


def _callers(state):
    """Who allocated the kernel's pages, None where the kernel keeps no count of that."""
    callers = (state.facts.get("pageblock_survey") or {}).get("callers")
    return None if callers is None else callers[:_NAMED]


def _named(state, kind):
    """What it is, with the names that are known."""
    named = {"slab": _caches, "kernel": _callers}.get(kind)
    names = [row["name"][:_LONGEST_NAME] for row in named(state) or ()] if named else []
    if names:
        return "%s (mostly %s)" % (KINDS[kind].what, ", ".join(names))
    unknown = " (whose is not known: this kernel has neither /proc/allocinfo nor page_owner)"
    return KINDS[kind].what + (unknown if kind == "kernel" and _callers(state) is None else "")


def _moved_by(state, kind):
    if kind == "slab" and _shrinks(state):
        return "drop it (echo 2 > /proc/sys/vm/drop_caches)"
    return KINDS[kind].moved_by


def _shrinks(state):
    """Whether the slab is for the most part of the kind that can be dropped."""
    caches = state.slab.get("caches") or ()
    if caches:
        return any(word in caches[0]["name"] for word in _SHRINKS)
    return (state.slab.get("reclaimable_kb") or 0) > (state.slab.get("unreclaimable_kb") or 0)


def _capitalized(text):
    return text[0].upper() + text[1:]
