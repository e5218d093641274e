# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a gfp mask of a kernel log asks for: ``mode:0x10c0d0`` -> names -> zone, may it sleep, may it use the reserves.

The bits were renumbered many times, so the same number means different things: 0x20 is GFP_ATOMIC up to 4.3 and only
__GFP_HIGH later. Kernels from 4.6 on print the names themselves; then the number is not looked at.
Read from include/linux/gfp.h and gfp_types.h of the kernels named in the tables.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_FIRST = "DMA HIGHMEM DMA32 MOVABLE "
_OLD = _FIRST + (
    "WAIT HIGH IO FS COLD NOWARN REPEAT NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE RECLAIMABLE "
    "%s NOTRACK NO_KSWAPD OTHER_NODE WRITE"
)
_MIDDLE = _FIRST + (
    "RECLAIMABLE HIGH IO FS %s NOWARN %s NOFAIL NORETRY MEMALLOC COMP ZERO NOMEMALLOC HARDWALL THISNODE ATOMIC %s"
)
_NEW = _FIRST + (
    "RECLAIMABLE HIGH IO FS ZERO %s DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC "
    "COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT %s"
)

# First version, name of the era, and the flags from bit 0 upwards ("-": not in use).
ERAS = (
    ((2, 6, 0), "2.6.32-3.7", _OLD % "-"),
    ((3, 8, 0), "3.8-3.15", _OLD % "KMEMCG"),
    ((3, 10, 999), "el7 from build 1000", _OLD % "ACCOUNT"),
    ((3, 16, 0), "3.16-4.0", _OLD % "-"),
    ((4, 1, 0), "4.1-4.3", _OLD % "NOACCOUNT"),
    (
        (4, 4, 0),
        "4.4",
        _MIDDLE % ("COLD", "REPEAT", "NOACCOUNT NOTRACK DIRECT_RECLAIM OTHER_NODE WRITE KSWAPD_RECLAIM"),
    ),
    (
        (4, 5, 0),
        "4.5-4.9",
        _MIDDLE % ("COLD", "REPEAT", "ACCOUNT NOTRACK DIRECT_RECLAIM OTHER_NODE WRITE KSWAPD_RECLAIM"),
    ),
    (
        (4, 10, 0),
        "4.10-4.12",
        _MIDDLE % ("COLD", "REPEAT", "ACCOUNT NOTRACK DIRECT_RECLAIM WRITE KSWAPD_RECLAIM NOLOCKDEP"),
    ),
    (
        (4, 13, 0),
        "4.13-4.14",
        _MIDDLE % ("COLD", "RETRY_MAYFAIL", "ACCOUNT NOTRACK DIRECT_RECLAIM WRITE KSWAPD_RECLAIM NOLOCKDEP"),
    ),
    (
        (4, 15, 0),
        "4.15-4.17",
        _MIDDLE % ("-", "RETRY_MAYFAIL", "ACCOUNT - DIRECT_RECLAIM WRITE KSWAPD_RECLAIM NOLOCKDEP"),
    ),
    ((4, 18, 0), "4.18-5.0", _MIDDLE % ("WRITE", "RETRY_MAYFAIL", "ACCOUNT DIRECT_RECLAIM KSWAPD_RECLAIM NOLOCKDEP")),
    ((5, 1, 0), "5.1-5.13", _NEW % ("ATOMIC", "NOLOCKDEP")),
    ((5, 14, 0), "5.14-5.17", _NEW % ("ATOMIC", "ZEROTAGS SKIP_KASAN_POISON NOLOCKDEP")),
    ((5, 18, 0), "5.18-6.2", _NEW % ("ATOMIC", "ZEROTAGS SKIP_ZERO SKIP_KASAN_UNPOISON SKIP_KASAN_POISON NOLOCKDEP")),
    ((6, 3, 0), "6.3", _NEW % ("-", "ZEROTAGS SKIP_ZERO SKIP_KASAN_UNPOISON SKIP_KASAN_POISON NOLOCKDEP")),
    ((6, 4, 0), "6.4-6.9", _NEW % ("-", "ZEROTAGS SKIP_ZERO SKIP_KASAN NOLOCKDEP")),
    ((6, 10, 0), "6.10+", _NEW % ("-", "ZEROTAGS NO_OBJ_EXT")),
)

# The compound names in the order in which the kernel tries them (include/trace/events/mmflags.h). RECLAIM stands for
# the flag or flags that let a request sleep: WAIT up to 4.3, DIRECT_RECLAIM and KSWAPD_RECLAIM later.
_COMPOUNDS = (
    ("GFP_TRANSHUGE", "HIGHMEM MOVABLE IO FS NOWARN COMP NOMEMALLOC HARDWALL DIRECT_RECLAIM"),
    ("GFP_TRANSHUGE", "HIGHMEM MOVABLE WAIT IO FS NOWARN NORETRY COMP NOMEMALLOC HARDWALL NO_KSWAPD"),
    ("GFP_TRANSHUGE_LIGHT", "HIGHMEM MOVABLE IO FS NOWARN COMP NOMEMALLOC HARDWALL"),
    ("GFP_HIGHUSER_MOVABLE", "HIGHMEM MOVABLE IO FS HARDWALL RECLAIM"),
    ("GFP_HIGHUSER", "HIGHMEM IO FS HARDWALL RECLAIM"),
    ("GFP_USER", "IO FS HARDWALL RECLAIM"),
    ("GFP_TEMPORARY", "IO FS RECLAIMABLE RECLAIM"),
    ("GFP_KERNEL_ACCOUNT", "IO FS ACCOUNT RECLAIM"),
    ("GFP_KERNEL", "IO FS RECLAIM"),
    ("GFP_NOFS", "IO RECLAIM"),
    ("GFP_ATOMIC", "HIGH ATOMIC KSWAPD_RECLAIM"),
    ("GFP_NOIO", "RECLAIM"),
    ("GFP_NOWAIT", "KSWAPD_RECLAIM"),
)
_PLAIN = {"DMA": "GFP_DMA", "DMA32": "GFP_DMA32"}

# The zones of each class, lowest first (include/linux/gfp.h, gfp_zone(); enum zone_type).
_ZONES = ("DMA", "DMA32", "Normal", "HighMem", "Movable")


def era_of(mask, release=None):
    """The row of ERAS that a kernel release uses; without a release the likeliest for the number itself."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", release or "")
    if match:
        version = tuple(int(part or 0) for part in match.groups())
        if ".el8" in release:
            version = (4, 18, 0)
        elif ".el7" in release:
            # Up to at least build 957 bit 20 is __GFP_KMEMCG, by build 1062 the same call no longer sets it.
            build = re.search(r"-(\d{1,6})", release)
            version = (3, 10, 999) if build and int(build.group(1)) >= 1000 else (3, 8, 0)
        elif ".el6" in release:
            version = (2, 6, 32)
    elif mask & 0x2400000 == 0x2400000 or mask & 0x2080020 == 0x2080020:
        version = (4, 5, 0)
    elif mask & 0x1400000 == 0x1400000 or mask & 0x1080020 == 0x1080020:
        version = (4, 13, 0)
    elif mask & 0x600000 == 0x600000 and mask & 0x40 or mask & 0x480020 == 0x480020:
        version = (4, 18, 0)
    elif mask & 0xC00 == 0xC00 or mask in (0xA20, 0x40A20, 0x800, 0x900):
        version = (5, 1, 0)
    elif mask & 0x820 == 0x820:
        version = (6, 3, 0)
    else:
        version = (3, 8, 0)
    if (3, 10, 999) < version < (3, 16, 0):
        version = (3, 8, 0)
    return [era for era in ERAS if era[0] <= max(version, ERAS[0][0])][-1]


def decode(mask, release=None):
    """0x10c0d0 -> ["GFP_KERNEL", "__GFP_COMP", "__GFP_ZERO", "__GFP_KMEMCG"], what is not known as a number at the end.

    lib/vsprintf.c, format_flags(): compound names first, each takes its bits away.
    """
    flags = era_of(mask, release)[2].split()
    bits = {name: 1 << index for index, name in enumerate(flags) if name != "-"}
    old = "WAIT" in bits
    names = []
    sleep = ["WAIT"] if old else ["DIRECT_RECLAIM", "KSWAPD_RECLAIM"]
    for name, parts in _COMPOUNDS:
        parts = [word for part in parts.split() for word in (sleep if part == "RECLAIM" else [part])]
        if name == "GFP_ATOMIC":
            # Up to 4.3 all it has is HIGH, from 6.3 on it has no flag of its own.
            parts = [part for part in parts if part in bits]
        value = sum(bits.get(part, 0) for part in parts)
        if name == "GFP_TEMPORARY" and "COLD" not in bits or name == "GFP_KERNEL_ACCOUNT" and old:
            continue
        if all(part in bits for part in parts) and mask & value == value:
            names.append(name)
            mask &= ~value
            if "MOVABLE" in parts:
                # Part of these from 5.14 to 5.17, whatever the configuration.
                mask &= ~bits.get("SKIP_KASAN_POISON", 0)
    for name, bit in sorted(bits.items(), key=lambda item: item[1]):
        if mask & bit:
            names.append(_PLAIN.get(name, "__GFP_" + name))
            mask &= ~bit
    return names + (["0x%x" % mask] if mask else [])


def traits(names, zones=_ZONES):
    """What a request may do: {zone, eligible, can_reclaim, atomic, movable, thisnode}.

    zone         the highest zone it may use; eligible: that one and those below, as named in the log
    can_reclaim  may sleep, so the kernel reclaims and compacts for it before it fails
    atomic       may use part of the reserves below the min watermark
    """
    found = {name.replace("__GFP_", "").replace("GFP_", "") for name in names}
    user = [name for name in found if name.startswith(("HIGHUSER", "TRANSHUGE"))]
    movable = "MOVABLE" in found or "HIGHUSER_MOVABLE" in found or any(name.startswith("TRANSHUGE") for name in found)
    if "DMA" in found:
        zone = "DMA"
    elif "DMA32" in found:
        zone = "DMA32"
    elif user or "HIGHMEM" in found:
        zone = "Movable" if movable else "HighMem"
    else:
        zone = "Normal"
    sleeps = found & set("KERNEL KERNEL_ACCOUNT NOFS NOIO USER TEMPORARY TRANSHUGE WAIT RECLAIM DIRECT_RECLAIM".split())
    return {
        "zone": zone,
        "eligible": list(zones[: zones.index(zone) + 1]),
        "can_reclaim": bool(sleeps or [name for name in user if name != "TRANSHUGE_LIGHT"]),
        "atomic": bool(found & {"ATOMIC", "HIGH"}),
        "movable": movable,
        "thisnode": "THISNODE" in found,
    }
