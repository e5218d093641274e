# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The kernel's arithmetic as recording rules, from node_buddyinfo_blocks and node_zoneinfo_* of a stock node_exporter.

``size`` is node_exporter's label for the order. What is summed keeps every other label that a site has ("without", "ignoring"). All
amounts are whole numbers below 2**53, so that floor() of a division is the kernel's own division, and n / 1000 the number that "0.366"
is read as: the indices equal debugfs to the digit. They are the formulas of _fragmentation.py and _outlook.py; a test holds one to the other.
"""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring._rules import ORDERS, Group, Rule

PAGES_PER_BLOCK = "memfrag:pages_per_block"
PAGE_SIZE = "instance:memfrag_page_size:bytes"
FREE_PAGES = "node_zone:memfrag_free_pages:sum"
FREE_BLOCKS = "node_zone:memfrag_free_blocks:sum"
SUITABLE = "node_zone_size:memfrag_suitable_pages:sum"
UNUSABLE = "node_zone_size:memfrag_unusable:ratio"
EXTFRAG = "node_zone_size:memfrag_extfrag:ratio"
WATERMARK = "node_zone_size:memfrag_watermark_ok:bool"
AVAILABLE = "node_size:memfrag_available_blocks:sum"
_DIVISOR = "node_zone:memfrag_free_%s:divisor"
_LOW_ZONES = "instance:memfrag_low_zones:count"
_RESERVE = "node_zone:memfrag_kernel_reserve:pages"
_ABOVE_MARK = "node_zone:memfrag_above_mark:pages"
_USABLE = "node_zone:memfrag_usable:pages"
_SCALED_MIN = "node_zone:memfrag_scaled_min:pages"
_SCALED = "node_zone_size:memfrag_scaled_margin:min"

# Zones that serve ordinary kernel requests.
KERNEL_ZONES = 'zone=~"DMA|DMA32|Normal"'
# Up to 4.3, el6 and el7 (_releases.scaled_check()).
SCALED_RELEASES = r"[23]\\..*|4\\.[0-3]([^0-9].*)?|.*\\.el[67].*"


def recording() -> Group:
    """Sums come first, and largest orders: Prometheus evaluates the rules of a group one after the other, at the same time."""
    rules = [*_constants(), *_suitable(), *_zones(), *_indices(), *_scaled()]
    for about in (_watermark, _available):
        of_orders = [about(order) for order in ORDERS]
        rules += [of_orders[0], *(rule._replace(why="") for rule in of_orders[1:])]
    return Group("memfrag-stock", rules, "1m")


def _of(order: int, name: str = SUITABLE, zones: str = "") -> str:
    return f'{name}{{size="{order}"{"," + zones if zones else ""}}}'


def _size(order: int) -> dict[str, str]:
    return {"size": str(order)}


def _constants() -> list[Rule]:
    rules = [Rule(PAGES_PER_BLOCK, f"vector({1 << order})", _size(order)) for order in ORDERS]
    return [rules[0]._replace(why="Joined by size."), *rules[1:]]


def _suitable() -> list[Rule]:
    rules = []
    for order in reversed(ORDERS):
        larger = f" or {_of(order + 1)}" if order + 1 in ORDERS else ""
        expression = f'sum without (size) (node_buddyinfo_blocks{{size="{order}"}} * {1 << order}{larger})'
        rules.append(Rule(SUITABLE, expression, _size(order)))
    why = "Free pages in blocks of this order and of larger ones. A zone has series for the orders that it lists, and no others."
    return [rules[0]._replace(why=why), *rules[1:]]


def _zones() -> list[Rule]:
    """What there is once for a zone, or a machine."""
    return [
        Rule(FREE_PAGES, f"sum without (size) ({_of(0)})"),
        Rule(FREE_BLOCKS, "sum without (size) (node_buddyinfo_blocks)"),
        Rule(
            PAGE_SIZE,
            """2 ^ round(log2(
  node_memory_MemTotal_bytes
  / ignoring (node, zone) sum without (node, zone) (node_zoneinfo_managed_pages)
))""",
            why="MemTotal is what all zones manage; the rest is rounding, balloons and memory that came or went between two reads.",
        ),
        Rule(
            _LOW_ZONES,
            'count without (node, zone) (max without (node) (node_zoneinfo_min_pages{zone=~"DMA|DMA32"}))',
            why="Where Normal, the class of GFP_KERNEL, stands in the lists of lowmem_reserve: behind DMA and DMA32, where the kernel has them.",
        ),
        Rule(
            _RESERVE,
            f"""node_zoneinfo_protection_2{{{KERNEL_ZONES}}} and ignoring (node, zone) {_LOW_ZONES} == 2
or
node_zoneinfo_protection_1{{{KERNEL_ZONES}}} and ignoring (node, zone) {_LOW_ZONES} == 1
or
node_zoneinfo_protection_0{{{KERNEL_ZONES}}} unless ignoring (node, zone) {_LOW_ZONES}""",
        ),
        Rule(
            _ABOVE_MARK,
            f"{FREE_PAGES}{{{KERNEL_ZONES}}} - node_zoneinfo_min_pages - {_RESERVE}",
            why="Free pages above the watermark that an ordinary request is held to.",
        ),
        Rule(
            _USABLE,
            f"""clamp_min(
  {_ABOVE_MARK}
  + floor(
    node_zoneinfo_managed_pages
    * ignoring (zone) group_left () (
      sum without (zone) (node_zoneinfo_nr_active_file_pages)
      + sum without (zone) (node_zoneinfo_nr_inactive_file_pages)
      + (
        sum without (zone) (node_zoneinfo_nr_slab_reclaimable_pages)
        or
        sum without (zone) (node_zoneinfo_nr_active_file_pages) * 0
      )
    )
    / ignoring (zone) group_left () (sum without (zone) (node_zoneinfo_managed_pages) > 0)
  )
, 0)
unless (
  node_zoneinfo_managed_pages <= node_zoneinfo_min_pages + {_RESERVE}
  and {_RESERVE} > 0
)
or
{_RESERVE} * 0""",
            why="What ordinary requests may take. Page cache and reclaimable slab count as free there, since kswapd keeps that up by itself;\n"
            "the kernel counts them by node, so they are spread over its zones by size. A zone that is all reserve has nothing.",
        ),
        Rule(
            _SCALED_MIN,
            f"""node_zoneinfo_min_pages{{{KERNEL_ZONES}}}
and on (job, instance) node_uname_info{{release=~"{SCALED_RELEASES}"}}""",
            why="Linux up to 4.3, el6 and el7 want half the watermark again free above every order. Nothing on others.",
        ),
    ]


def _indices() -> list[Rule]:
    pages, blocks = _DIVISOR % "pages", _DIVISOR % "blocks"
    return [
        Rule(pages, f"{FREE_PAGES} + ({FREE_PAGES} == bool 0)", why="1 where nothing is free."),
        Rule(blocks, f"{FREE_BLOCKS} + ({FREE_BLOCKS} == bool 0)"),
        Rule(
            UNUSABLE,
            f"(1000 - ceil({SUITABLE} * 1000 / ignoring (size) group_left () {pages})) / 1000",
            why="mm/vmstat.c, unusable_free_index(); 1 for a zone with nothing free.",
        ),
        Rule(
            EXTFRAG,
            f"""({SUITABLE} > 0) * 0 - 1
or
(1000 - floor(
  (1000 + floor(
    (({SUITABLE} == 0) + ignoring (size) group_left () {FREE_PAGES})
    * 1000 / on (size) group_left () {PAGES_PER_BLOCK}
  ))
  / ignoring (size) group_left () {blocks}
)) / 1000""",
            why="mm/vmstat.c, __fragmentation_index(): -1 where a block is free, 0 where nothing is.",
        ),
    ]


def _scaled() -> list[Rule]:
    rules = []
    for order in ORDERS[1:]:
        margin = f"{_of(order, zones=KERNEL_ZONES)} - ignoring (size) floor({_SCALED_MIN} / {1 << order})"
        if order > 1:
            margin = f"min without (size) (\n  {_of(order - 1, _SCALED)}\n  or\n  {margin}\n) and ignoring (size) {_of(order)}"
        rules.append(Rule(_SCALED, margin, _size(order)))
    return rules


def _watermark(order: int) -> Rule:
    scaled = ""
    if order:
        scaled = f"""
unless ignoring (size) {_of(order, _SCALED)} < {1 << order}
or ignoring (size) {_of(order, _SCALED)} * 0"""
    return Rule(
        WATERMARK,
        f"""({_of(order, zones=KERNEL_ZONES)} > bool 0)
* ignoring (size) ({_ABOVE_MARK} >= bool {1 << order}){scaled}""",
        _size(order),
        why="mm/page_alloc.c, __zone_watermark_ok(), for GFP_KERNEL: would a block be handed out at once? Of CMA and the high-atomic\n"
        "reserve, which are free and closed to it, node_exporter does not tell.",
    )


def _available(order: int) -> Rule:
    pages = _of(order, zones=KERNEL_ZONES)
    pages = f"({_of(order, _SCALED)}\n    or {pages})" if order else pages
    return Rule(
        AVAILABLE,
        f"""sum without (zone) (floor(clamp_min(
  {pages}
  - ignoring (size) clamp_min(
    {pages}
    - ignoring (size) {_USABLE}
  , 0)
, 0) / {1 << order}))""",
        _size(order),
        why="Blocks that ordinary requests can take one after the other, of each NUMA node: as many as there are, and as the watermarks let go.",
    )
