# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""By when a machine will have no block of an order left, as recording rules: a line through the logarithm of the most blocks of each day.

What _forecast.py does with records, as far as PromQL can: deriv() is a line by least squares, so that the daily maximum has to bear the
dips, and what is no straight fall is left out instead of being borne. tests/benchmarks/forecast measures the same arithmetic, in Python,
on nodes whose fate is known; tests/monitoring holds one to the other.
"""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _stock
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring._rules import Group, Rule

BLOCKS = "size:memfrag_blocks:sum"
MOST_HOUR = "size:memfrag_blocks:max1h"
LOG = "size:memfrag_log_blocks:max1d"
SLOPE = "size:memfrag_log_blocks:deriv"
SAME = "instance:memfrag_unbroken:bool"
LEFT = "size:memfrag_forecast_left:seconds"

# Days that the line is laid through, and seconds between its points.
SPAN_DAYS, STEP_SECONDS = 6, 10800
# Standard deviation of times that are spread evenly over the span.
DEVIATION_OF_TIME = SPAN_DAYS * 86400 / 12**0.5

# In powers of two: over the span it was halved once at the least; the newest is not more than so much above the lowest; at that the median
# is none, since the most of a day of few is some.
LEAST_FALL, RECOVERED, ENOUGH = 1.0, 1.0, 2.0
# Of the variance, so much is the line's. Of the fall, no day has more than so much: that would be a step. The later half falls at least so
# much as fast as the whole: else it ends on a plateau.
EXPLAINED, STEP, LATER = 0.7, 0.6, 0.5
# Times the span that it is drawn out for, and the factor to either side that the interval is wide.
FARTHEST, WIDE = 3, 3.0

# Bytes that a stock exporter cannot be asked about are those of the alerts.
_SIZES = (32 << 10, 64 << 10, 128 << 10, 256 << 10)
_PAGE_SIZES = (4096, 8192, 16384, 65536)
_HERE = "on (job, instance)"


def recording(fresh: str) -> Group:
    """``fresh``: what holds of a node whose tool writes its metrics."""
    span, step = f"{SPAN_DAYS}d", f"{STEP_SECONDS // 3600}h"
    over = f"{LOG}[{span}:{step}]"
    line = f"{SLOPE} * {DEVIATION_OF_TIME:.0f} / stddev_over_time({over})"
    conditions = (
        f"({LOG} offset {span} - {LOG} >= {LEAST_FALL:g})",
        f"(({line}) ^ 2 >= {EXPLAINED:g})",
        f"(deriv({LOG}[{SPAN_DAYS * 12}h:{step}]) <= {LATER:g} * {SLOPE})",
        f"(max_over_time(({LOG} offset 1d - {LOG})[{SPAN_DAYS - 1}d:{step}])\n  <= {STEP:g} * ({LOG} offset {span} - {LOG}))",
        f"({LOG} <= min_over_time({over}) + {RECOVERED:g})",
        f"({LOG} > 0)",
    )
    expected = (
        f"(clamp_min(({LOG} - {ENOUGH:g}) / ({SLOPE} < 0) * -1 - 43200, 0) <= {FARTHEST * SPAN_DAYS * 86400})"
        + "".join(f"\nand {condition}" for condition in conditions)
        + f"\nand {_HERE} {SAME} == 1"
    )
    bound = f'{LEFT}{{bound="expected"}}'
    rules = [
        Rule(
            BLOCKS,
            f"""(
  sum without (node) (memfrag_allocatable_blocks)
  and on (job, instance, size) memfrag_order_needed
  and {_HERE} {fresh}
)
or
(
{_stock_blocks(fresh)}""",
            why="Of the machine, and of orders that count there. Where the tool does not say which, those of 32 to 256 kB.",
        ),
        Rule(MOST_HOUR, f"max_over_time({BLOCKS}[1h])"),
        Rule(
            LOG,
            f"log2(1 + max_over_time({MOST_HOUR}[1d:1h]))",
            why="Blocks come and go with page cache and processes; those that come back each day are what a leak takes.",
        ),
        Rule(SLOPE, f"deriv({over}) and {LOG} offset {span}", why="Powers of two a second."),
        Rule(
            SAME,
            f"""(abs(node_memory_MemTotal_bytes / (node_memory_MemTotal_bytes offset {SPAN_DAYS + 1}d) - 1) < bool 0.01)
unless {_HERE} time() - node_boot_time_seconds < {(SPAN_DAYS + 1) * 86400}
unless {_HERE} (
  memfrag_compaction_runs_total{{reason=~"needed|forced"}}
  - (memfrag_compaction_runs_total{{reason=~"needed|forced"}} offset {SPAN_DAYS + 1}d) > 0
)""",
            why="Neither started anew, nor resized, nor compacted by the job since a day before the line begins.",
        ),
        Rule(
            LEFT,
            expected,
            {"bound": "expected"},
            why="Nothing where the trend does not carry it: it was not halved, is not a line, slows down, is a step, or was made good for.\n"
            "The most of a day is half a day old.",
        ),
        Rule(LEFT, f"{bound} / {WIDE:g}", {"bound": "low"}),
        Rule(LEFT, f"{bound} * {WIDE:g}", {"bound": "high"}),
    ]
    return Group("memfrag-forecast", rules, "4m")


def _stock_blocks(fresh: str) -> str:
    """Of machines without the tool, for each size of their pages, the orders of the sizes."""
    parts = []
    for page in _PAGE_SIZES:
        orders = "|".join(str((size // page).bit_length() - 1) for size in _SIZES if size >= page)
        if orders:
            blocks = f'sum without (node) ({_stock.AVAILABLE}{{size=~"{orders}"}})'
            parts.append(f"  {blocks} and {_HERE} {_stock.PAGE_SIZE} == {page}")
    return "\n  or\n".join(parts) + f"\n) unless {_HERE} {fresh}"
