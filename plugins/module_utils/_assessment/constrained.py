# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF206: zones that only some devices depend on, and those devices wholly: DMA and DMA32."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._fragmentation import watermark_ok
from .catalogue import make

# Flags of a request that is confined to a zone (include/linux/gfp.h).
_FLAGS = {"GFP_DMA": "DMA", "__GFP_DMA": "DMA", "GFP_DMA32": "DMA32", "__GFP_DMA32": "DMA32"}


def find(state, journal):
    """Zones that are exhausted, and asked for: by a request that failed (the log), or by a driver that is loaded."""
    asked = _asked_for(journal)
    drivers = state.kernel.get("dma_drivers") or []
    rows = []
    for name in ("DMA", "DMA32"):
        zones = [zone for zone in state.zones if zone["zone"] == name]
        orders = asked.get(name) or ([0] if name == "DMA" and drivers else [])
        gone = [order for order in orders if zones and not any(_serves(state, zone, order) for zone in zones)]
        if gone:
            rows.append(
                {
                    "zone": name,
                    "order": min(gone),
                    "failures": len(asked.get(name, ())),
                    "drivers": drivers if name == "DMA" else [],
                    "free_kb": sum(zone["free_pages"] for zone in zones if "free_pages" in zone) * state.page_kb,
                }
            )
    if not rows:
        return []
    first = rows[0]
    why = "requests for it failed" if first["failures"] else "the driver %s asks for it" % drivers[0]
    title = "Zone %s has no block of order %d (%s) left, and %s"
    title %= (first["zone"], first["order"], state.bytes_of(first["order"]), why)
    return [make("MF206", "medium", title, zones=rows)]


def _asked_for(journal):
    """{zone: [orders]} of the page allocation failures that were confined to it."""
    asked = {}
    for event in (journal or {}).get("events") or ():
        if event.get("kind") == "page_allocation_failure":
            for name in {_FLAGS[flag] for flag in event.get("gfp_flags") or () if flag in _FLAGS}:
                asked.setdefault(name, []).append(event.get("order") or 0)
    return asked


def _serves(state, zone, order):
    """Whether a request confined to the zone would be served: nothing is reserved from it there (lowmem_reserve is for the others)."""
    marks = zone["watermarks"] or {"min": 0}
    return watermark_ok(zone["free_blocks"], order, marks["min"], scaled=state.scaled)
