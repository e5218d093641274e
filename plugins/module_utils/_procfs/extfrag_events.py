# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The tracepoint kmem:mm_page_alloc_extfrag (include/trace/events/kmem.h), as ftrace prints it: from the buffer, or as a histogram.

It fires whenever an allocation takes a block from the free lists of another migratetype.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .allocations import ALLOCATORS

# "      comm-1234    [001] d..3. 3084.914387: mm_page_alloc_extfrag: ...": names may have blanks and hyphens.
_EVENT = re.compile(
    r" *(.{1,32}?)-([0-9]{1,10}) +(?:\([-\d ]+\) +)?\[[0-9]+\] .{0,40}? [0-9.]+: mm_page_alloc_extfrag: (.*)\Z"
)
_FIELD = re.compile(r"([a-z_]+)=([0-9a-fx]+)")
_FRAME = re.compile(r" => ([A-Za-z_][\w.]*)")
_HIST_FRAME = re.compile(r"\s+([A-Za-z_][\w.]*)\+0x")
_HIST_KEY = re.compile(r"(common_pid|alloc_migratetype): +(?:(.{1,32}?) +\[ *)?([0-9]+)")
_FILTER = re.compile(r"if fallback_migratetype == ([0-9]{1,3}) && change_ownership == ([01])")
_HITS = re.compile(r"\} hitcount: +([0-9]{1,18})")

# Of the tracing itself.
_TRACING = re.compile(
    "trace_event_|__traceiter_|__bpf_trace|perf_trace|ftrace_|event_hist|event_triggers|steal_suitable_fallback|try_to_claim_block"
)


def caller(stack):
    """The first function of a stack that neither traces nor allocates on behalf of others."""
    return next(
        (name for name in stack if not (ALLOCATORS.match(name) or _TRACING.match(name))), stack[0] if stack else None
    )


def parse_trace(text):
    """-> ([{comm, pid, stack: [functions], alloc_migratetype, fallback_migratetype, whole, pageblocks}], unparsed lines).

    whole        whether the pageblock became one of the other migratetype as a whole
    pageblocks   the numbers of those that the block is in, None where the kernel does not print page frame and pageblock order
    """
    events, unparsed, frames = [], 0, None
    for line in text.splitlines():
        frame = _FRAME.match(line)
        if frame:
            if frames is not None:
                frames.append(frame.group(1))
            continue
        match = _EVENT.match(line)
        if match:
            fields = dict(_FIELD.findall(match.group(3)))
            event = _event(match.group(1), int(match.group(2)), fields)
            if event:
                events.append(event)
                frames = event["stack"]
            else:
                unparsed += 1
        elif not line.startswith("#") and line.strip() and "<stack trace>" not in line:
            unparsed += 1
    return events, unparsed


def _event(comm, pid, fields):
    try:
        blocks = None
        if "pfn" in fields and "pageblock_order" in fields:
            order = min(int(fields["pageblock_order"]), 30)
            first = int(fields["pfn"], 0) >> order
            blocks = set(range(first, first + (1 << min(8, max(0, int(fields["fallback_order"]) - order)))))
        return {
            "comm": comm,
            "pid": pid,
            "stack": [],
            "alloc_migratetype": int(fields["alloc_migratetype"]),
            "fallback_migratetype": int(fields["fallback_migratetype"]),
            "whole": fields.get("change_ownership") == "1",
            "pageblocks": blocks,
        }
    except (KeyError, ValueError):
        return None


def parse_histogram(text):
    """-> ([{comm, pid, stack, alloc_migratetype, fallback_migratetype, whole, count}], unparsed lines)

    of hist triggers with the keys common_pid.execname, alloc_migratetype and stacktrace, one for each fallback_migratetype and
    change_ownership, which their filter names (Documentation/trace/histogram.rst).
    """
    rows, unparsed = [], 0
    for trigger in text.split("# event histogram")[1:]:
        taken = _FILTER.search(trigger)
        for record in re.split(r"^\{ ", trigger, flags=re.MULTILINE)[1:]:
            hits = _HITS.search(record)
            keys = {name: (word, int(number)) for name, word, number in _HIST_KEY.findall(record)}
            if not (hits and taken and "common_pid" in keys and "alloc_migratetype" in keys):
                unparsed += 1
                continue
            rows.append(
                {
                    "comm": keys["common_pid"][0],
                    "pid": keys["common_pid"][1],
                    "stack": _HIST_FRAME.findall(record),
                    "alloc_migratetype": keys["alloc_migratetype"][1],
                    "fallback_migratetype": int(taken.group(1)),
                    "whole": taken.group(2) == "1",
                    "count": int(hits.group(1)),
                }
            )
    return rows, unparsed
