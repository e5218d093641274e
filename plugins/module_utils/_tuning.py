# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The vm.* settings that may be tuned: what each is, its range, the computed values, and what would be changed and why.

Pure functions on the facts of a node. Amounts are kB, watermark_scale_factor counts in ten-thousandths of memory.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

from . import _options
from ._fragmentation import KERNEL_ZONES
from ._options import OptionError
from ._procfs.meminfo import available, without_huge_pages

LEAVE = "leave"
AUTO = "auto"

# The settings in the order in which they are written. "min" and "max" are the collection's range, within every kernel's that has
# the setting; where a later kernel allows more, "max" is its range and the kernel at hand has the last word.
# KERNEL: the ctl_table entries in mm/page_alloc.c, mm/compaction.c, fs/dcache.c and kernel/sysctl.c of 2.6.32 to 7.2.
SETTINGS = (
    {
        "name": "min_free_kbytes",
        "auto": True,
        # The upper end is computed for the node, see limits().
        "min": 1024,
        "max": None,
        "about": "kB that the kernel keeps free; below 1024 it is prone to deadlock, and too much of it ends in the OOM killer",
    },
    {
        "name": "watermark_scale_factor",
        "auto": True,
        "min": 1,
        # 1000 up to Linux 5.16, el8 and early stable releases of 5.10 and 5.15.
        "max": 3000,
        "about": "distance between the watermarks, in ten-thousandths of memory; with more of it kswapd starts earlier",
    },
    {
        "name": "watermark_boost_factor",
        "auto": False,
        "min": 0,
        "max": 50000,
        "about": "extra reclaim after pageblocks were mixed, in ten-thousandths of the high watermark; 0 is off",
    },
    {
        "name": "extfrag_threshold",
        "auto": False,
        "min": 0,
        "max": 1000,
        "about": "fragmentation index up to which reclaim is tried instead of compaction",
    },
    {
        "name": "compaction_proactiveness",
        "auto": True,
        "min": 0,
        "max": 100,
        "about": "how eagerly the kernel compacts in the background; 0 is off, and extremes cost latency",
    },
    {
        "name": "compact_unevictable_allowed",
        "auto": False,
        "min": 0,
        "max": 1,
        "about": "whether mlocked pages may be moved; 0 for hosts with low latency",
    },
    {
        "name": "defrag_mode",
        "auto": False,
        "min": 0,
        "max": 1,
        "about": "whether the kernel keeps pageblocks unmixed at the price of more reclaim; of most use right after boot",
    },
    {
        "name": "vfs_cache_pressure",
        "auto": False,
        "min": 1,
        "max": 1000,
        "about": "how eagerly dentries and inodes are reclaimed; 0 would never reclaim them",
    },
    {
        "name": "zone_reclaim_mode",
        "auto": False,
        "min": 0,
        "max": 7,
        "about": "whether a NUMA node reclaims its own memory before it takes another's; bits 1, 2 and 4",
    },
)
NAMES = tuple(setting["name"] for setting in SETTINGS)
WRITE_ONLY = ("compact_memory", "drop_caches")

# --- the numbers of the computed values ---------------------------------------------------------------------------

_MIB, _GIB = 1024, 1024 * 1024

# min_free_kbytes: this share of the usable memory (Koordinator; the low end of Alibaba's and AWS's 1 to 3 %) ...
_MIN_FREE_PERCENT = 1.0
# ... but at least this much for each of several NUMA nodes (half of what Oracle's memstate wants), as far as it stays below ...
_MIN_FREE_PER_NODE = 512 * _MIB
_MIN_FREE_NUMA_PERCENT = 2.0
# ... and never more than this for each node: what needs the reserve grows with devices and CPUs, not with terabytes.
_MIN_FREE_MOST_PER_NODE = 4 * _GIB
# The cap, also for numbers given by hand: the kernel's own limit for its THP rule; Red Hat warns of OOM from 5 % on.
_CAP_PERCENT = 5.0
# mm/page_alloc.c, calculate_min_free_kbytes(); the upper limit was 65536 up to Linux 5.4.
_KERNEL_LEAST, _KERNEL_MOST = 128, 262144
# mm/khugepaged.c, set_recommended_min_free_kbytes(): two pageblocks, and MIGRATE_PCPTYPES squared, for each zone.
_THP_PAGEBLOCKS = 2 + 3 * 3

# watermark_scale_factor: a distance of this share of the usable memory, at most so much per NUMA node ...
_DISTANCE_PERCENT = 0.5
_DISTANCE_MOST_PER_NODE = 1 * _GIB
# ... not less than the kernel's default, not more than what Oracle's memstate reports as too much.
_SCALE_DEFAULT, _SCALE_MOST = 10, 100

# compaction_proactiveness: the kernel's default since 5.9, which el8 has set to 0.
_PROACTIVENESS = 20

# A value computed earlier stays, unless the one computed now is further from it than one part in so many.
_DRIFT = 10

# The rise of all watermarks together must fit so many times into the memory that is available now.
_AVAILABLE_TIMES = 2
# A larger rise is made in steps of this much, or of this part of the free memory.
_STEP_LEAST, _STEP_SHARE = 64 * _MIB, 8


def table():
    return {setting["name"]: setting for setting in SETTINGS}


# --- the node's memory --------------------------------------------------------------------------------------------


def memory(facts):
    """What the calculation needs of the facts, in kB: {total, usable (without reserved huge pages), lowmem, managed, zones (populated,
    Movable excepted), nodes (with such zones: what is kept free is shared out among those), pageblock, thp (may be used), available, free}."""
    meminfo, page_kb = facts["meminfo"] or {}, facts["kernel"]["page_size"] // 1024
    zones = [zone for zone in facts["zones"] if zone["zone"] not in ("Movable", "Device")]
    total = meminfo.get("memtotal", 0)
    known = [zone for zone in zones if zone["managed_pages"]]
    lowmem = sum(
        max(0, zone["managed_pages"] - (zone["watermarks"] or {"high": 0})["high"]) * page_kb
        for zone in known
        if zone["zone"] in KERNEL_ZONES
    )
    managed = sum((zone["managed_pages"] or 0) * page_kb for zone in facts["zones"])
    order = facts["kernel"]["hugepage_order"]
    free, possible = meminfo.get("memfree", 0), available(meminfo)
    thp = facts["transparent_hugepage"]
    return {
        "total": total,
        "usable": without_huge_pages(meminfo) or 0,
        "lowmem": lowmem or total,
        "managed": managed or total,
        "zones": len(known) or len(zones) or 1,
        "nodes": len({zone["node"] for zone in zones}) or 1,
        "pageblock": (page_kb << order) if order is not None else None,
        "thp": bool(thp) and thp["enabled"] != "never",
        "available": free if possible is None else possible,
        "free": free,
    }


# --- the computed values ------------------------------------------------------------------------------------------


def _isqrt(number):
    root = int(number**0.5)
    while root * root > number:
        root -= 1
    while (root + 1) * (root + 1) <= number:
        root += 1
    return root


def kernel_min_free(memory_kb):
    """What the kernel sets by itself: the square root of 16 times lowmem, and more where huge pages are in use.

    mm/page_alloc.c, calculate_min_free_kbytes(); mm/khugepaged.c, set_recommended_min_free_kbytes().
    """
    value = min(max(_isqrt(memory_kb["lowmem"] * 16), _KERNEL_LEAST), _KERNEL_MOST)
    if memory_kb["thp"] and memory_kb["pageblock"]:
        value = max(
            value, min(memory_kb["pageblock"] * memory_kb["zones"] * _THP_PAGEBLOCKS, memory_kb["lowmem"] // 20)
        )
    return value


def limits(memory_kb):
    """The range of min_free_kbytes on this node, for numbers given by hand: (least, most)."""
    return 1024, max(1024, int(memory_kb["usable"] * _CAP_PERCENT / 100))


def computed_min_free(memory_kb):
    """min_free_kbytes for a node that has to hand out contiguous memory under load.

    ``clamp(max(1 % of usable, NUMA), floor, cap)``, where usable is MemTotal without reserved huge pages,

    NUMA   512 MiB for each of several NUMA nodes, but at most 2 % of usable
    floor  what the kernel sets by itself, kernel_min_free()
    cap    4 GiB per NUMA node and 5 % of usable, whichever is less; the floor where that is more

    Sources, and their values beside these: docs/docsite/rst/tuning_guide.rst.
    """
    usable, nodes = memory_kb["usable"], memory_kb["nodes"]
    wanted = usable * _MIN_FREE_PERCENT / 100
    if nodes > 1:
        wanted = max(wanted, min(_MIN_FREE_PER_NODE * nodes, usable * _MIN_FREE_NUMA_PERCENT / 100))
    most = min(_MIN_FREE_MOST_PER_NODE * nodes, limits(memory_kb)[1])
    return int(max(min(wanted, most), kernel_min_free(memory_kb)))


def computed_scale_factor(memory_kb):
    """watermark_scale_factor: kswapd starts, and stops, so much earlier that a burst of requests finds free memory.

    A distance of 0.5 % of usable, at most 1 GiB per NUMA node, in ten-thousandths of the managed memory (which contains the
    reserved huge pages, so that a node that is full of them does not pay for them): 10 to 100. Where memory is handed to the
    zones little by little, as on some virtual machines, it is MemTotal that counts.
    """
    distance = min(memory_kb["usable"] * _DISTANCE_PERCENT / 100, _DISTANCE_MOST_PER_NODE * memory_kb["nodes"])
    managed = max(memory_kb["managed"], memory_kb["total"])
    factor = int(distance * 10000 // managed) if managed else 0
    return min(max(factor, _SCALE_DEFAULT), _SCALE_MOST)


def watermarks(memory_kb, min_free, scale_factor):
    """The high watermarks of all zones together, in kB; scale_factor is None where the kernel has none.

    mm/page_alloc.c, __setup_per_zone_wmarks(): min/4 or the scale factor's share, whichever is more, lies between two marks.
    """
    distance = max(min_free // 4, memory_kb["managed"] * (scale_factor or 0) // 10000)
    return min_free + 2 * distance


# --- the settings as given ----------------------------------------------------------------------------------------


def check(settings, prefix="vm.", facts=None):
    """-> {name: "leave", "auto" or an int}. Raises OptionError with all that is wrong; ``prefix`` is what its reader puts before
    the names. With facts of the node the range of min_free_kbytes is the node's."""
    about, checks = table(), {}
    for given, value in settings.items():
        name = str(given)[3:] if str(given).startswith("vm.") else str(given)
        checks[name] = _check_of(name, value, prefix, about, facts)
    return _options.check_all(checks)


def _check_of(name, value, prefix, about, facts):
    def check_one():
        if name in WRITE_ONLY:
            raise OptionError("%s%s: can only be written, which sets it off; it is not a setting" % (prefix, name))
        if name not in about:
            raise OptionError("%s%s: no such setting; there are %s" % (prefix, name, ", ".join(NAMES)))
        return _options.check(prefix + name, value, _allowed(about[name], facts))

    return check_one


def _allowed(about, facts):
    """A setting as _options.py wants to have it described."""
    allowed = dict(about, type="int", words=(LEAVE, AUTO) if about["auto"] else (LEAVE,))
    if about["name"] == "min_free_kbytes":
        allowed["unit"] = " kB"
        if facts is not None:
            allowed["min"], allowed["max"] = limits(memory(facts))
            allowed["unit"] = " kB (5 % of this node's memory without reserved huge pages)"
    return allowed


# --- what would be changed ----------------------------------------------------------------------------------------


def plan(settings, facts, record):
    """What to do about each setting, in the order of SETTINGS.

    settings  as check() gives them; names that are not in it count as "leave"
    record    {name: {"previous", "applied"}} of what was tuned before; see _settings.py

    -> [{"name", "wanted", "current" (None where the kernel has none), "previous" (before any tuning), "value" (to be, live), "file"
    (in the drop-in, or None), "steps": [values to write], "why" (a sentence), "warning" (or None), "refused": bool}]
    """
    memory_kb = memory(facts)
    rows = []
    for name in NAMES:
        wanted, known, current = settings.get(name, LEAVE), record.get(name), facts["sysctl"].get("vm." + name)
        strange = _strange(name, current, facts["unavailable"])
        rows.append(_row(name, wanted, None if strange else current, known, memory_kb))
        if strange:
            # One that was tuned must neither be forgotten nor be given a value that nobody knows to be right.
            rows[-1].update(why=strange, refused=bool(known or wanted != LEAVE))
    _hold_to_available(rows, memory_kb)
    return rows


def _strange(name, current, unavailable):
    """Why the value of a setting that the kernel has is not known, or None."""
    if isinstance(current, int) or current is None:
        return unavailable.get("vm." + name)
    return "/proc/sys/vm/%s: not a number: %s" % (name, json.dumps(current)[:80])


def _row(name, wanted, current, known, memory_kb):
    previous = known["previous"] if known else current
    row = {
        "name": name,
        "wanted": wanted,
        "current": current,
        "previous": previous,
        "value": current,
        "file": None,
        "steps": [],
        "why": "",
        "warning": None,
        "refused": False,
    }
    if not isinstance(current, int):
        row["why"] = "left out: this kernel has no vm.%s" % name
        return row
    if wanted == LEAVE:
        if known:
            _put_back(row, known)
        else:
            row["why"] = "left as it is"
        return row
    value = row["file"] = wanted
    if wanted == AUTO:
        value, row["why"] = _computed(name, previous, memory_kb)
        applied = known["applied"] if known else value
        if value > previous and applied != value and abs(applied - value) * _DRIFT <= applied:
            # Balloons and hot-plugged memory come and go; not every run shall change the node for a few megabytes of it.
            value, row["why"] = applied, "computed earlier, and still right: %d would be computed now" % value
        # What the node has of its own accord it need not be told at boot.
        row["file"] = value if value != previous else None
    else:
        row["why"] = "as given"
        if name == "min_free_kbytes" and value < kernel_min_free(memory_kb):
            row["warning"] = "%d kB is less than the %d kB that the kernel sets by itself" % (
                value,
                kernel_min_free(memory_kb),
            )
    row["value"] = value
    if value == current and row["file"] is not None:
        row["why"] += "; already set"
    return row


def _put_back(row, known):
    """The value from before the tuning, unless somebody else has changed it since."""
    # A run that was killed may have left it at a step on the way, and the record names each. Any other value is somebody else's.
    if row["current"] in [known["previous"], known["applied"]] + list(known.get("steps", ())):
        row["value"] = known["previous"]
        row["why"] = "put back to what it was before"
    else:
        row["why"] = "left at %d: somebody else has changed it since it was set to %d" % (
            row["current"],
            known["applied"],
        )
        row["warning"] = "vm.%s is %s" % (row["name"], row["why"])


def _computed(name, previous, memory_kb):
    """The computed value, which never takes away what the node had before. -> (value, why)"""
    if name == "compaction_proactiveness":
        if previous:
            return previous, "the kernel compacts in the background already"
        return _PROACTIVENESS, "the kernel's own default"
    value = computed_min_free(memory_kb) if name == "min_free_kbytes" else computed_scale_factor(memory_kb)
    if value <= previous:
        return previous, "the node has %d of its own, and %d would be computed" % (previous, value)
    return value, "computed for %d MiB of memory on %d NUMA node%s" % (
        memory_kb["usable"] // 1024,
        memory_kb["nodes"],
        "s" if memory_kb["nodes"] > 1 else "",
    )


def _hold_to_available(rows, memory_kb):
    """Refuses a rise of the watermarks that the memory available now does not bear, and divides a large one into steps."""
    by_name = {row["name"]: row for row in rows}
    reserve, scale = by_name["min_free_kbytes"], by_name["watermark_scale_factor"]
    now = watermarks(memory_kb, reserve["current"] or 0, scale["current"])
    rise = watermarks(memory_kb, reserve["value"] or 0, scale["value"]) - now
    if rise > 0 and rise * _AVAILABLE_TIMES > memory_kb["available"]:
        for row in (reserve, scale):
            if row["value"] is None or row["value"] <= row["current"]:
                continue
            row["refused"] = row["wanted"] != AUTO
            row["why"] = (
                "stays at %d: %d would raise the watermarks of all zones together by up to %d kB, and %d kB are available now"
                % (row["current"], row["value"], rise, memory_kb["available"])
            )
            row["warning"] = "vm.%s %s" % (row["name"], row["why"])
            row["value"] = row["current"]
            # What was refused today shall not come with the next boot.
            row["file"] = row["current"] if row["current"] != row["previous"] else None
    for row in rows:
        if row["value"] != row["current"]:
            row["steps"] = steps(row["current"], row["value"], memory_kb["free"]) if row is reserve else [row["value"]]


def steps(current, value, free):
    """The values on the way up to ``value``: kswapd gets the time to free what the next step reserves."""
    step = max(_STEP_LEAST, free // _STEP_SHARE)
    return list(range(current + step, value, step)) + [value]
