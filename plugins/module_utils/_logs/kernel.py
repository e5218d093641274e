# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Reports of the Linux kernel about memory, put together from their lines.

KernelLog.feed() takes the lines of a log one after the other. It knows the heads of reports and which open report a line belongs to;
the report itself reads what the line says (report), finished ones are judged with those of the same moment (clusters), and ``emit``
gets each Report with its verdict.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import breaks, callers, heads, listings, patterns, tokens
from .clusters import Cluster
from .lazy import contains_any
from .report import Report, base_name, held, plain

# A report whose next line has not come after so many others is taken for finished.
LOOKAHEAD = 200
# Longer than any message of the kernel, its lines joined by syslog included.
MAX_MESSAGE = 8192
# Heads that may be waiting for their end at one time, and hosts whose kernel is remembered.
MAX_OPEN, MAX_HOSTS = 16, 64
# A broken line goes on for at most so many more.
MAX_PIECES = 4
# The line that says who asked is so many lines before the trace at most.
WHO_REACH = 12


class _Who:
    """What "CPU: 3 PID: 332 Comm: x Not tainted 5.4.26" said last, for a report whose head is not in the log."""

    __slots__ = ("seen", "host", "caller", "found", "kernel")

    def __init__(self, seen, line, found, kernel):
        self.seen, self.host, self.caller, self.found, self.kernel = seen, line.host, line.caller, found, kernel


class KernelLog:
    """The state between the lines of one log: which reports are open, what kernel wrote them."""

    def __init__(self, emit):
        self._cluster = Cluster(emit)
        self.open = []
        self.slab = None
        self._pending = None
        self.kernels = {}
        self.seen = 0
        self.failed_create = self.failure = None
        self.vmalloc_failed = self.vmapped = (-LOOKAHEAD, None, None)
        self._unreleased = (-10, None)
        self._introduced = self._frame = None
        self.asked = -LOOKAHEAD
        self.suppressed = {}

    @property
    def unjudged(self):
        """[(line number, message, error)] of the reports that could not be judged; taken away by who reads it."""
        return self._cluster.unjudged

    def lookahead(self):
        """In how many of the next lines more of the open reports may come; 0 when none is open."""
        if self._pending:
            return 5
        if self.open:
            for report in self.open:
                if not report.complete:
                    return 60
            return 8
        return 12 if self.slab else 0

    def close(self):
        """The log ends: what is open is all there is."""
        if self._pending:
            self._finish_pending()
        for report in self.open:
            self.deliver(report)
        self.open = []
        self.end_slab()
        self._cluster.close()

    # -- one line ---------------------------------------------------------------------------------------------------

    def feed(self, line):
        """Takes one Line that is not from a program; True when it is part of a report."""
        if not line.prefixed and tokens.is_field(line.text):
            return False
        self.seen += 1
        if len(line.text) > MAX_MESSAGE:
            line.text = line.text[:MAX_MESSAGE]
        text = line.text
        if not self.open:
            self._cluster.advance(line, self.seen)
        if self._pending:
            taken = self._continue(line)
            if taken is not None:
                return taken
        if self._unreleased[0] == self.seen - 1:
            # The line that names the kernel was wrapped before it did.
            release = patterns.WRAPPED_RELEASE.match(text)
            if release:
                self.release(line, self._unreleased[1], release.group("kernel"))
                return True
        if "+0x" not in text and contains_any(text, _GATE) and not _is_source(line, text) and self._head(line, text):
            return True
        if self.open or self.slab:
            taken = self._body(line, text)
            if not taken:
                self._expire()
            return taken
        return contains_any(text, _OPENERS) and not _is_source(line, text) and self._headless(line, text)

    def _head(self, line, text):
        """Lines that begin or end a report. -> whether it was one."""
        for literal, method in heads.HEADS:  # noqa: SIM110
            if literal in text and method(self, line, text):
                return True
        return False

    def new(self, line, kind, **found):
        report = Report(line, kind, **found)
        report.begun = report.last = self.seen
        if "comm" in found and found["comm"] is None and line.tag not in (None, "kernel"):
            report.comm = held(line.tag)
        return report

    def start(self, line, kind, **found):
        """Opens a report. The one before it from the same context gets no more lines."""
        report = self.new(line, kind, **found)
        for other in list(self.open):
            if other.caller == line.caller and (other.caller or other.pid is not None or other.zones):
                self.open.remove(other)
                self.deliver(other)
        self.open.append(report)
        if len(self.open) > MAX_OPEN:
            self.deliver(self.open.pop(0))
        return report

    def current(self, line):
        """The open report that a line without a head belongs to: of the same caller if printed, else the latest that goes on."""
        found = None
        for report in reversed(self.open):
            if line.caller is None or report.caller is None or report.caller == line.caller:
                if not report.complete:
                    return report
                found = found or report
        return found

    def deliver(self, report):
        if report.kind in ("soft_lockup", "hung_task"):
            inside = [name for name in report.trace + report.doubtful if base_name(name) in callers.COMPACTION]
            if not inside and not (report.comm or "").startswith("kcompactd"):
                return
            report.kind = "compaction_stall"
            report.function = base_name(inside[0]) if inside else "kcompactd"
        if not report.trace:
            report.trace = report.doubtful
        if report.headless and report.kind == "page_allocation_failure" and callers.for_vmalloc(report.functions):
            report.kind = "vmalloc_failure"
        if report.kernel is None:
            report.kernel = self.kernels.get(report.host)
        self._cluster.add(report)

    def end_slab(self):
        report, self.slab = self.slab, None
        if report is not None:
            self.deliver(report)

    def _expire(self):
        for report in list(self.open):
            if self.seen - report.last > LOOKAHEAD:
                self.open.remove(report)
                self.deliver(report)
        if self.slab and self.seen - self.slab.last > 30:
            self.end_slab()

    # -- wrapped lines ----------------------------------------------------------------------------------------------

    def wait(self, line, done):
        """The line breaks off in the middle (mail, terminals): keep it until ``done`` finds its end."""
        self._pending = [line, line.text, done, 0]
        return True

    def _continue(self, line):
        """-> True when the line belongs to the one waiting, None when it has to be looked at by itself."""
        first, text, done, count = self._pending
        more = line.text.strip()
        fresh = line.prefixed and (first.prefixed and (line.uptime, line.stamp) != (first.uptime, first.stamp))
        if (
            count >= MAX_PIECES
            or not more
            or fresh
            or more.startswith(_WHOLE)
            or done is breaks.list_ends
            and not patterns.LIST_GOES_ON.match(more)
        ):
            self._finish_pending()
            return None
        joined = (text.rstrip("\\") + (" " if not text.endswith("\\") else "") + more)[:MAX_MESSAGE]
        if done(joined):
            self._pending = None
            first.text = joined
            if not self._head(first, joined):
                self._body(first, joined)
            return True
        self._pending = [first, joined, done, count + 1]
        return True

    def _finish_pending(self):
        first = self._pending[0]
        self._pending = None
        # Not a broken line after all, or one that nothing can complete: use what is there.
        first.prefixed = True
        if not self._head(first, first.text + "\0"):
            self._body(first, first.text + "\0")

    # -- reports without a head, and the lines of all ---------------------------------------------------------------

    def _headless(self, line, text):
        """A line that only such a report prints opens one. -> whether it was one."""
        if "omm: " in text and "+0x" not in text:
            match = patterns.WHO.search(text)
            return bool(match) and self.who(line, text)
        kind = False
        if "+0x" in text:
            kind = self._printer(line, text)
        elif patterns.TASKS.search(text) or patterns.TASK.match(text):
            kind = "oom_kill"
        elif "cgroup" in text or "Task in" in text or ": usage " in text or "oom.group" in text:
            probe = Report(line, None)
            kind = "oom_kill" if probe.cgroup(text) else False
        elif self.seen - self.asked > LOOKAHEAD and (
            text[:8].lower() == "mem-info"
            or patterns.ZONE.search(text)
            and "min:" in text
            or patterns.FREE_LIST.search(text)
        ):
            kind = None
        if kind is False:
            return False
        report = self.start(line, kind, headless=True)
        who = self._introduced
        if (
            who
            and who.host == line.host
            and who.caller == line.caller
            and self.seen - who.seen <= WHO_REACH
            and kind is not None
        ):
            report.comm, report.pid, report.cpu, report.kernel = who.found + (who.kernel,)
        report.take(text)
        return True

    def _printer(self, line, text):
        """Whether a frame is that of a function that prints a report: called by it and not by something that waits in it."""
        match = patterns.FRAME.search(text)
        if not match or match.group("doubt"):
            return False
        name, before = plain(match.group("name")), self._frame
        # What unwound the stack stands above it, or else another of the printers; where nothing does, the lines were cut off.
        called = before is None or self.seen - before[0] > 3 or before[1] in callers.UNWINDERS or before[2]
        printer = called and (name in callers.FAILURE_PRINTERS or name in callers.OOM_PRINTERS)
        self._frame = (self.seen, name, printer)
        if not printer:
            return False
        return "page_allocation_failure" if name in callers.FAILURE_PRINTERS else "oom_kill"

    def _late_mode(self, text):
        """From 4.9 to 4.14 the head was printed in pieces, and other CPUs came between: the mask stands alone then."""
        match = patterns.MODE.search(text)
        for report in reversed(self.open):
            if match and report.kind == "page_allocation_failure" and report.mask is None and not report.headless:
                report.mask, report.flags = int(match.group("mask"), 16), match.group("flags")
                report.flags = report.flags and report.flags.split("|")
                report.last = self.seen
                return True
        return False

    def _body(self, line, text):
        if text.startswith(", mode:") and self._late_mode(text):
            return True
        report = self.current(line)
        if self.slab is not None and "slabs: " in text and "objs: " in text:
            self.slab.last = self.seen
            return True
        if "omm: " in text and "+0x" not in text and patterns.WHO.search(text):
            return self.who(line, text)
        # After its victim a report has nothing more to say but who else was killed.
        done = report is None or report.complete and report.kind == "oom_kill" and "oom.group" not in text
        if done and contains_any(text, _OPENERS) and self._headless(line, text):
            return True
        if report is None:
            return False
        if report.kind is None and "+0x" not in text and patterns.TASKS.search(text):
            # The list of tasks is the OOM killer's.
            report.kind = "oom_kill"
        if "+0x" not in text and ("free:" in text or "*" in text or "_" in text) and not text.endswith("\0"):
            wait = breaks.broken(text)
            if wait:
                return self.wait(line, wait)
        taken = report.take(text)
        if taken:
            report.last, report.until = self.seen, line
        return taken

    def who(self, line, text):
        match = patterns.WHO.search(text)
        if not match:
            return False
        comm, pid, cpu = held(match.group("comm").strip()), int(match.group("pid")), match.group("cpu")
        at = text.find("ainted", match.start())
        release = patterns.RELEASE.search(text, at) if at >= 0 else None
        kernel = release and release.group("kernel")
        self._introduced = _Who(self.seen, line, (comm, pid, None if cpu is None else int(cpu)), kernel)
        target = None
        for report in reversed(self.open):
            if report.pid is None and report.comm in (comm, None):
                target = report
                break
        if target is None:
            current = self.current(line)
            target = current if current and current.pid is None and current.kind != "oom_kill" else None
        if target is None:
            return True
        target.pid, target.comm, target.last = pid, target.comm or comm, self.seen
        if cpu is not None:
            target.cpu = int(cpu)
        # What comes next belongs to the one that introduced itself last.
        self.open.remove(target)
        self.open.append(target)
        if kernel:
            self.release(line, target, kernel)
        else:
            self._unreleased = (self.seen, target)
        return True

    def release(self, line, report, kernel):
        if len(self.kernels) > MAX_HOSTS:
            self.kernels.clear()
        self.kernels[line.host] = kernel
        if report is not None:
            report.kernel = kernel


def _is_source(line, text):
    """Whether a line without a prefix is of a program's source or a sentence, and what looks like a report is quoted in it."""
    return not line.prefixed and (patterns.QUOTED.search(text) is not None or listings.is_listing(text))


# At least one of these is in every head; most lines of a log have none.
_GATE = (
    "alloc",
    "oom-kill",
    "invoked",
    " process",
    "cache",
    "lockup",
    "blocked for",
    "callbacks",
    "emory",
    "Linux version",
)

# With these a message begins: none is the rest of one that was broken.
_WHOLE = ("Memory cgroup out of memory: Kill", "Out of memory: Kill", "oom-kill:constraint=")

# What is in the lines that open a report without its head, and in the one that says who asked.
_OPENERS = (
    "+0x",
    "cgroup",
    "Task in",
    ": usage ",
    "Mem-",
    "min:",
    "*4kB",
    "*64kB",
    "*16kB",
    "omm: ",
    "Tasks state",
    " tgid",
    "oom.group",
    "]   ",
)
