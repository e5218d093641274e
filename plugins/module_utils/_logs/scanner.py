# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Lines out of a stream of bytes, as few of them as possible.

A scanner gives them to a ``sink``: take(raw line, number, cursor) -> whether the line was part of something, and lookahead() -> in how many
of the next lines more of what was seen may come; queue() and settle() where every line is looked at anyhow, which leaves the sink time to
join what has been broken. A large log is searched for literals (GATES) without being cut into lines;
only around a hit are lines made. Lines are cut at MAX_LINE.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .gates import KERNEL_GATES
from .lazy import contains_any
from .literals import Literals
from .prefixes import MAX_LINE, split
from .years import STAMP

# Up to this size every line is looked at: pasted logs may be wrapped in the middle of a literal.
WHOLE = 2 * 1024 * 1024

# The tag of kernel messages: where logs have it, one search for it replaces those for KERNEL_GATES.
KERNEL_TAG = b"kernel: "
_OF_KERNEL = re.compile(KERNEL_TAG + b"[^\n]*")
# With a line of the kernel every so many bytes, and more, searching for each literal is cheaper than looking at its lines.
SPARSE = 500


class Scanner:
    """Gives the lines of one source that matter to the sink."""

    def __init__(self, sink, source, gates, whole=False):
        self.sink, self.source = sink, source
        # None: every line is looked at, until the source turns out to be larger than it seemed.
        self.gates = None if whole else gates
        self._later = gates
        self.number = 0
        self.offset = 0
        self.counting = True
        self.last = b""
        self.tagged = None
        self._runtime = self._kernel = self._begins = None
        self._idle = 0
        self._carry = b""
        self._skipping = self._cut = False

    def chunks(self, chunks):
        """Takes a stream of bytes to its end. Whatever ends it early, the lines so far have been taken."""
        clock, passed = self.source.clock, 0
        try:
            for data in chunks:
                if clock.finding:
                    if not passed and not STAMP.search(data[:4096]):
                        clock.years, clock.finding = None, False
                    else:
                        clock.years.pass_over(data, passed)
                        passed += len(data)
                self.source.bytes = (self.source.bytes or 0) + len(data)
                if self.gates is None and self.source.bytes > 2 * WHOLE:
                    self.gates = self._later
                    self.sink.settle()
                self.feed(data)
        finally:
            if self._carry:
                self._block(self._carry[:MAX_LINE] + b"\n", min(len(self._carry), MAX_LINE) + 1)
                self._carry = b""
            self.sink.settle()

    def feed(self, data):
        if self._skipping:
            # The tail of a line that was cut: nobody needs it.
            end = data.find(b"\n")
            if end < 0:
                self.offset += len(data)
                return
            self.offset += end + 1
            data, self._skipping = data[end + 1 :], False
        if self._carry:
            data = self._carry + data
        end = data.rfind(b"\n") + 1
        if end:
            self._block(data, end)
        self._carry = data[end:]
        if len(self._carry) > MAX_LINE:
            if not self._cut:
                self.source.notes.append("lines of more than %d bytes were cut" % MAX_LINE)
                self._cut = True
            lost = len(self._carry) - MAX_LINE
            self._block(self._carry[:MAX_LINE] + b"\n", MAX_LINE + 1)
            self.offset += lost - 1
            self._carry, self._skipping = b"", True

    def _block(self, block, size):
        """Whole lines: the first ``size`` bytes of ``block``."""
        if not self.last:
            self._first(block)
        if self.tagged is None:
            self.tagged = KERNEL_TAG in block
        self.last = block
        if self.gates is None:
            for raw in block[:size].split(b"\n")[:-1]:
                self.number += 1
                self.sink.queue(raw[:MAX_LINE].decode("utf-8", "replace"), self.number, self.offset)
                self.offset += len(raw) + 1
            return
        position = counted = 0
        sink, hits = self.sink, self._hits(block, 0, size)
        while position < size:
            while hits and hits[-1] < position:
                hits.pop()
            following = sink.lookahead() > self._idle
            if not following:
                if self._idle:
                    sink.flush()
                    self._idle = 0
                if not hits:
                    break
            start = position if following else block.rfind(b"\n", position, hits[-1]) + 1 or position
            if self.counting:
                if counted != start:
                    self.number += block.count(b"\n", counted, start)
                self.number += 1
            end = block.find(b"\n", start)
            position = counted = end + 1
            if following:
                self._follow(block[start:end], self.offset + start, bool(hits) and hits[-1] < end)
            else:
                self._give(block[start:end], self.offset + start)
        if self.counting and counted < size:
            self.number += block.count(b"\n", counted, size)
        self.offset += size

    def _hits(self, block, position, size):
        """Positions of literals at or after ``position``, the last one first."""
        if self._runtime is None:
            self._runtime, self._kernel = Literals(self.gates), Literals(KERNEL_GATES)
        found = self._runtime.places(block, position, size)
        lines = _kernel_lines(block, position, size) if self.tagged else None
        found += self._kernel.places(block, position, size) if lines is None else lines
        found.sort(reverse=True)
        return found

    def _follow(self, raw, offset, hit):
        """A line after a hit: of a tagged log, only the kernel's lines and those with a literal (``hit``) are worth cutting up."""
        if self.tagged and not hit and KERNEL_TAG not in raw[:300] and raw[:1] != b" ":
            self._idle += 1
        elif self._give(raw, offset):
            self._idle = 0
        else:
            self._idle += 1

    def _give(self, raw, offset):
        return self.sink.take(raw[:MAX_LINE].decode("utf-8", "replace"), self.number if self.counting else None, offset)

    def _first(self, block):
        for raw in block[:4096].split(b"\n")[:5]:
            self._begins = split(raw.decode("utf-8", "replace"))
            if self.source.clock.of(self._begins) is not None:
                self._begins.offset = self.offset
                return

    def finish(self):
        """Fills in what is known of the source once its end is reached."""
        self.source.lines = self.number if self.counting else None
        if self._begins is not None:
            self.source.first = self.source.clock.of(self._begins, self._begins.offset)
        for raw in reversed(self.last[-4096:].split(b"\n")[-6:]):
            if raw:
                self.source.last = self.source.clock.of(split(raw.decode("utf-8", "replace")))
                if self.source.last is not None:
                    return


def _kernel_lines(block, position, size):
    """Where the tag stands in the kernel's lines that have a literal; None where these are so many that the literals are better looked for."""
    lines = _OF_KERNEL.findall(block, position, size)
    if len(lines) * SPARSE > size - position:
        return None
    # Hardly ever one of them has a literal: all at once are asked for the price of one.
    if not contains_any(b"\n".join(lines), KERNEL_GATES):
        return []
    return [
        found.start()
        for found in _OF_KERNEL.finditer(block, position, size)
        if contains_any(found.group(), KERNEL_GATES)
    ]
