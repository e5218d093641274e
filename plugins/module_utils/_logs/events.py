# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What was found in the lines becomes events of the contract, and goes to the store of incidents."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import attempts, quotes
from .clock import iso
from .presentation import MAX_KEPT, sanitise
from .signatures import START


class Events:
    """Takes reports of the kernel and errors of runtimes; keeps in ``store`` those of the window."""

    def __init__(self, window, sources, store, signatures):
        self.window, self.sources, self.store, self.signatures = window, sources, store, signatures
        self._last = (None, None, None)

    def _base(self, kind, line, message, verdict):
        source = self.sources.of(line)
        source.clock.offset = line.offset
        epoch = source.clock.of(line)
        raw = line.stamp if line.stamp is not None else "[%s]" % line.uptime if line.uptime is not None else None
        message = message.strip().rstrip("\0").split("\n")[0]
        event = {
            "kind": kind,
            "time": iso(epoch),
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
            event["line"], event["cursor"] = None, line.cursor
        return event, epoch

    def kernel_report(self, report):
        """A finished report of KernelLog."""
        # Loaded with the first report: most nodes have none.
        from . import reports

        verdict = reports.judge(report)
        event, epoch = self._base(report.kind, report.line, report.message, verdict)
        if self.window.leaves_out(epoch):
            return
        event.update(reports.FIELDS[report.kind](report, verdict))
        if report.kind == "oom_kill":
            event["reporter"] = "kernel"
        sanitise(event)
        if self.store.duplicate(event, event["time_raw"]):
            return
        verdict["reason"] = event["reason"]
        self.store.add_kernel(
            event,
            verdict,
            epoch,
            report.line.place,
            reports.detail(report, event),
            reports.starts_container(event, verdict),
        )

    def told(self, line):
        """Whether a line of the kubelet repeats the failure that it has just told of, with nothing new in it."""
        event, inner, stamp = self._last
        if stamp is None or line.stamp != stamp or event["pod"] not in line.text:
            return False
        if (line.tag, line.host) != (event["runtime"], event["host"]):
            return False
        for signature in self.signatures:
            if signature.matches(line.text):
                return False
        at = line.text.find(inner)
        return at >= 0 and attempts.only_wraps(line.text[: at + len(quotes.INNER)])

    def runtime_failure(self, found):
        signature = found["signature"]
        verdict = {"cause": signature.cause, "reason": signature.reason, "confidence": signature.confidence}
        event, epoch = self._base(found["kind"], found["line"], found["message"], verdict)
        if self.window.leaves_out(epoch):
            return
        event.update(found["fields"])
        sanitise(event)
        if self.store.duplicate(event, event["time_raw"]):
            return
        place = found["line"].place
        if found["kind"] == "oom_kill":
            self.store.add_notice(event, signature, epoch, place, found["repeats"], found["pod"])
            return
        event = self.store.add_runtime(event, signature, epoch, place, found["repeats"])
        inner = quotes.inner(found["line"].text) if found["kind"] == START else None
        known = event["pod"] and event["pod_uid"] and inner
        self._last = (event, inner, found["line"].stamp if known else None)
