# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What was found in the lines becomes events of the contract, and goes to the store of incidents."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import attempts, quotes, subjects
from .clock import iso
from .errors import bounded
from .presentation import MAX_KEPT, sanitise
from .signatures import START

# So many wait for the end of a log that tells their years; those of a log with more are dated by what was read of it up to then.
MAX_WAITING = 1000


class Events:
    """Takes reports of the kernel and errors of runtimes; keeps in ``store`` those of the window."""

    def __init__(self, window, sources, store, signatures):
        self.window, self.sources, self.store, self.signatures = window, sources, store, signatures
        # The last failure that a runtime told of: event, the error in it, stamp (None where no line can repeat it), signature.
        self._last = (None, None, None, None)
        self._waiting = []

    def settle(self):
        """A log has come to its end: the years of its lines are known."""
        waiting, self._waiting = self._waiting, []
        for line, event, add in waiting:
            try:
                self._dated(line, event, add)
            except Exception as error:
                self.sources.fault(line.number, error)

    def _keep(self, line, event, add):
        """Adds an event to the store with add(epoch). -> what that returns, None when the event is left out."""
        if self._waiting or self.sources.of(line).clock.finding:
            self._waiting.append((line, event, add))
            if len(self._waiting) >= MAX_WAITING:
                self.settle()
            return event
        return self._dated(line, event, add)

    def _dated(self, line, event, add):
        epoch = self.sources.of(line).clock.of(line, line.offset)
        if self.window.leaves_out(epoch):
            return None
        event["time"] = iso(epoch)
        return None if self.store.duplicate(event, event["time_raw"]) else add(epoch)

    def _base(self, kind, line, message, verdict):
        source = self.sources.of(line)
        raw = line.stamp if line.stamp is not None else "[%s]" % line.uptime if line.uptime is not None else None
        message = message.strip().rstrip("\0").split("\n")[0]
        event = {
            "kind": kind,
            "time": None,
            "time_raw": raw,
            "host": line.host,
            "source": source.name,
            "message": message[:MAX_KEPT],
            "cause": verdict["cause"],
            "reason": verdict["reason"],
            "confidence": verdict["confidence"],
        }
        if line.number is not None:
            event["line"] = line.number
        else:
            event["line"], event["cursor"] = None, line.cursor or source.cursor(line)
        return event

    def kernel_report(self, report):
        """A finished report of KernelLog."""
        # Loaded with the first report: most nodes have none.
        from . import reports

        verdict = reports.judge(report)
        event = self._base(report.kind, report.line, report.message, verdict)
        event.update(reports.FIELDS[report.kind](report, verdict))
        if report.kind == "oom_kill":
            event["reporter"] = "kernel"
        sanitise(event)
        verdict["reason"] = event["reason"]
        place, detail = report.line.place, reports.detail(report, event)
        starter = reports.starts_container(event, verdict)
        self._keep(
            report.line,
            event,
            lambda epoch: self.store.add_kernel(event, verdict, epoch, place, detail, starter),
        )

    def told(self, line):
        """Whether a line of the kubelet repeats the failure that it has just told of. Whom it names besides is noted."""
        event, inner, stamp, signature = self._last
        if stamp is None or line.stamp != stamp or event["pod"] not in line.text:
            return False
        if (line.tag, line.host) != (event["runtime"], event["host"]):
            return False
        for own in self.signatures:
            if own.matches(line.text):
                return False
        at = line.text.find(inner)
        if at < 0 or not attempts.only_wraps(line.text[: at + len(quotes.INNER)]):
            return False
        return bool(event["pod_uid"]) or self._named(line, event, signature)

    def _named(self, line, event, signature):
        """Whether a line that repeats an event is about the same pod, of which it may name more."""
        text = quotes.plain(bounded(line.text))
        names = subjects.names(text)
        if names["pod"] != event["pod"] or subjects.repeats(text) > 1:
            return False
        again = dict(event)
        again.update((name, value) for name, value in names.items() if value)
        sanitise(again)
        kept = self._keep(line, again, lambda epoch: self.store.add_runtime(again, signature, epoch, line.place, 1))
        self._last = (kept or again,) + self._last[1:]
        return True

    def runtime_failure(self, found):
        signature = found["signature"]
        verdict = {"cause": signature.cause, "reason": signature.reason, "confidence": signature.confidence}
        line, repeats = found["line"], found["repeats"]
        event = self._base(found["kind"], line, found["message"], verdict)
        event.update(found["fields"])
        sanitise(event)
        if found["kind"] == "oom_kill":
            pod = found["pod"]
            self._keep(
                line,
                event,
                lambda epoch: self.store.add_notice(event, signature, epoch, line.place, repeats, pod),
            )
            return
        kept = self._keep(
            line,
            event,
            lambda epoch: self.store.add_runtime(event, signature, epoch, line.place, repeats),
        )
        if kept is None:
            return
        inner = quotes.inner(line.text) if found["kind"] == START else None
        self._last = (kept, inner, line.stamp if kept["pod"] and inner else None, signature)
