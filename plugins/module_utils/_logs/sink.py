# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Lines of one source after the other: to the kernel's log or to the runtimes', the wrapped ones joined."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import notices, runtimes
from .joining import Joiner
from .kernel import KernelLog
from .lazy import Lazy
from .prefixes import split
from .quotes import plain

# A program's line that a mail or terminal has wrapped goes on for at most so many lines.
MAX_WRAPS = 6

# A message in YAML (kubectl get -o yaml): it goes on in lines that are indented, until the next key.
_FOLDED = Lazy(r"(?:^|[\s`{])message: \S")
_KEY = Lazy(r"(?:- )?[A-Za-z]\w{1,60}:(?: |$)")


class Sink:
    """Takes the lines of one source after the other and turns them into events."""

    def __init__(self, sources, events, signatures):
        self.sources, self.events, self.signatures = sources, events, signatures
        self.kernel = None
        self.family = None
        self.held = None
        self.wraps = 0
        self.taken = 0
        self.joiner = Joiner(lambda line: self._guarded(line.number, self._line, line), self._time_of)

    def _time_of(self, line):
        return self.sources.current.clock.of(line)

    def open(self, family):
        """The next source. What was open stays open only when it is the continuation of the same log."""
        if family != self.family or self.kernel is None:
            self.flush()
            self.kernel = KernelLog(self.events.kernel_report)
        self.family = family
        self.taken = 0

    def settle(self):
        """No more lines of this source come soon."""
        self._guarded(None, self.joiner.finish)

    def flush(self):
        self.settle()
        held, self.held = self.held, None
        if held is not None:
            self._guarded(held.number, self._runtime, held)
        if self.kernel is not None:
            self._guarded(None, self.kernel.close)

    def lookahead(self):
        return self.kernel.lookahead() or (1 if self.held is not None else 0)

    def take(self, raw, number, offset):
        """A line of a large source -> whether it was part of something."""
        try:
            return self._line(self._split(raw, number, offset))
        except Exception as error:
            return self._faulty(number, error)

    def queue(self, raw, number, offset):
        """A line of a source of which every line is looked at: it may belong to the one before."""
        self._guarded(number, self._queue, raw, number, offset)

    def _guarded(self, number, step, *arguments):
        """One line that nobody foresaw costs its report, not the run, and is told of."""
        try:
            return step(*arguments)
        except Exception as error:
            return self._faulty(number, error)

    def _faulty(self, number, error):
        self.sources.fault(number, error)
        self.held = None
        if self.kernel is not None:
            self.sources.kernel_notes(self.kernel)
            self.kernel = KernelLog(self.events.kernel_report)
        return False

    def _queue(self, raw, number, offset):
        self.joiner.add(self._split(raw, number, offset))

    def _split(self, raw, number, offset):
        line = split(raw)
        line.number, line.offset = number, offset
        self.taken += 1
        if number is not None and number > self.taken:
            # Where lines are counted, those that nobody looked at lie between, too.
            self.taken = number
        line.place = (self.sources.order, self.taken)
        return line

    def _line(self, line):
        if self.held is not None:
            if self._goes_on(line):
                return True
            held, self.held = self.held, None
            self._guarded(held.number, self._runtime, held)
        if line.tag == "kernel":
            return self.kernel.feed(line)
        if line.userland and self.events.told(line):
            return True
        # With an uptime, a line is the kernel's, or one of a program that says that memory ran out.
        told = line.uptime is None or line.userland or notices.speaks(line.text)
        if told and runtimes.speaks(line, self.signatures):
            # It may have been wrapped: wait for the next line.
            self.held, self.wraps = line, 0
            return True
        if line.userland:
            return False
        return self.kernel.feed(line)

    def _goes_on(self, line):
        """Joins a wrapped line to the one that waits; False when the next line is a new one."""
        text = line.text.strip()
        held = self.held
        if line.prefixed or not text or text.startswith("```") or self.wraps >= MAX_WRAPS:
            return False
        open_quote = plain(held.text).count('"') % 2 == 1 or held.text.rstrip().endswith((":", ","))
        folded = line.text[:1].isspace() and _FOLDED.search(held.text) and not _KEY.match(text)
        if held.prefixed and line.text[:1].isspace() or open_quote or folded:
            held.text = held.text.rstrip() + " " + text
            self.wraps += 1
            return True
        return False

    def _runtime(self, line):
        found = runtimes.read(line, self.signatures)
        if found is None:
            if not line.userland and not line.prefixed:
                return self.kernel.feed(line)
            return False
        self.events.runtime_failure(found)
        return True
