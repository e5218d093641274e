# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The places that a run reads, one after the other, and what has to be told of each."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._text import strip_controls
from . import readers

# So many are told of one by one: the rotated logs of all containers of a node can be more.
MAX_TOLD = 500
# So many reports that could not be judged are named in the notes of their source.
MAX_UNJUDGED = 5


class Sources:
    """``current`` is the Source that is being read, ``order`` its number from 1 on."""

    def __init__(self, node, now, zone):
        self.node, self.now, self.zone = node, now, zone
        self.all = []
        self.current = None
        self.order = 0
        self.suppressed = {}

    def begin(self, name, kind):
        self.current = readers.Source(name, kind)
        self.current.clock = readers.clock_for(self.node, self.now, kind == "command", self.zone)
        self.all.append(self.current)
        self.order += 1
        return self.current

    def end(self, kernel):
        """``kernel``: the KernelLog of its lines, None where it had none."""
        if self.current.faults > MAX_UNJUDGED:
            self.current.notes.append("%d more could not be judged" % (self.current.faults - MAX_UNJUDGED))
        if kernel is not None:
            self.kernel_notes(kernel)

    def of(self, line):
        """The source of a Line's report is that of its first line: rotation may have split it."""
        return self.all[line.place[0] - 1]

    def fault(self, number, error):
        """Something in the log that could not be judged at all."""
        source = self.current
        source.faults += 1
        if source.faults <= MAX_UNJUDGED:
            where = "" if number is None else " of line %d" % number
            source.notes.append("a report%s could not be judged (%s: %s)" % (where, type(error).__name__, error))

    def kernel_notes(self, kernel):
        """What the kernel's part of the log has to be told of besides its events."""
        for number, message, error in kernel.unjudged[:MAX_UNJUDGED]:
            where = "" if number is None else " of line %d" % number
            self.current.notes.append(
                "the report%s could not be judged (%s): %s" % (where, error, strip_controls(message))
            )
        if len(kernel.unjudged) > MAX_UNJUDGED:
            self.current.notes.append("%d more could not be judged" % (len(kernel.unjudged) - MAX_UNJUDGED))
        del kernel.unjudged[:]
        if kernel.suppressed:
            for what, count in sorted(kernel.suppressed.items()):
                self.current.notes.append(
                    "%d messages of %s were suppressed by the kernel: counts are lower bounds" % (count, what)
                )
                self.suppressed[what] = self.suppressed.get(what, 0) + count
            kernel.suppressed = {}

    def told(self, iso):
        """-> entries of the result. Of too many the last one is for all the rest, those before it above all for what could not be read."""
        entries = [source.as_dict(iso) for source in self.all]
        if len(entries) <= MAX_TOLD:
            return entries
        failed = [entry for entry in entries if entry["status"] in ("failed", "partial")]
        fine = [entry for entry in entries if entry["status"] not in ("failed", "partial")]
        entries = (failed + fine)[: MAX_TOLD - 1]
        rest = readers.Source("%d more" % (len(self.all) - len(entries)), "file")
        if len(failed) > len(entries):
            rest.failed("%d of them could not be read, or not whole" % (len(failed) - len(entries)), partial=True)
        return entries + [rest.as_dict(iso)]

    def note_silence(self):
        """No kernel report was found anywhere."""
        for source in self.all:
            if source.status in ("read", "partial") and "units" not in source.name:
                source.notes.append(
                    "no kernel report: that proves little, the kernel limits how many it prints and many requests ask for none"
                )
