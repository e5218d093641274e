# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The journal of a node: collect() reads its logs and returns what docs/contracts/journal.schema.json promises.

{"events": [...], "incidents": [...], "counts": {...}, "sources": [...]}, plain data only.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

from .._node import NodeError
from . import locations, readers, runtimes
from .clock import iso
from .events import Events
from .gates import NOTICE_GATES, RUNTIME_GATES
from .incidents import Store
from .presentation import fit, presentable
from .sink import Sink
from .sources import Sources
from .window import Window

# A journal that begins so long after the window is complete: machines are not always busy.
SLACK = 3600
CAUSES = (
    "fragmentation",
    "memory_shortage",
    "atomic_burst",
    "memcg_limit",
    "memcg_leak",
    "vmalloc_exhaustion",
    "disk_full",
    "immutable_file",
    "mount_busy",
    "pid_limit",
    "network_plugin",
    "runtime_hang",
    "runtime_state_mismatch",
    "image",
    "invalid_request",
    "unknown",
)


class Journal:
    """One run of collect()."""

    def __init__(self, node, options, now):
        self.node = node
        self.window = Window(node, options, now)
        signatures = runtimes.compile_signatures(options.get("signatures"))
        self.max_events = 200 if options.get("max_events") is None else options["max_events"]
        if self.max_events < 0:
            raise ValueError("max_events: %d is negative" % self.max_events)
        self.units = list(options.get("units") or locations.UNITS)
        self.redacts = options.get("redact") is not False
        self.store = Store()
        self.sources = Sources(node, now, self.window.zone)
        self.sink = Sink(self.sources, Events(self.window, self.sources, self.store, signatures), signatures)
        self.gates = (
            RUNTIME_GATES
            + NOTICE_GATES
            + tuple(literal.encode("utf-8") for signature in signatures for literal in signature.contains)
        )

    def begin(self, name, kind, family):
        """A source of its own; those of one ``family`` continue each other."""
        source = self.sources.begin(name, kind)
        self.sink.open(family)
        return source

    def end(self):
        self.sink.events.settle()
        self.sources.end(self.sink.kernel)

    def files(self, patterns):
        """Files by path or pattern, each log with its rotated parts, the oldest part first. -> whether there are any."""
        found, missing = locations.log_files(self.node, patterns)
        for path, reason in missing:
            source = self.begin(path, "file", None)
            if hasattr(reason, "timed_out"):
                source.broke_off(reason)
            else:
                source.failed(reason)
        for family, _mtime, path in found:
            source = self.begin(path, "file", family)
            try:
                readers.read_file(self.node, path, source, self.sink, self.window.since, self.gates)
            except NodeError as error:
                source.broke_off(error)
            self.end()
        self.sink.flush()
        return bool(found)

    def journal(self, directory):
        """The systemd journal. -> time of its first message, infinity for a journal without any, None where there is none."""
        arguments = readers.journal_arguments(self.node, directory, self.window.since, self.window.until)
        if arguments is None:
            return None
        name = directory or "systemd journal"
        kernel = self.begin("%s (kernel)" % name, "journal", ("journal", "kernel"))
        readers.read_journal_kernel(self.node, arguments, kernel, self.sink)
        self.end()
        self.sink.flush()
        if directory is None and self.node.root == "/" and kernel.status == "read":
            reason = readers.other_journals(self.node, self.window.since)
            if reason:
                kernel.failed(reason, partial=True)
        if kernel.status == "failed" and directory is None:
            return None
        units = self.begin(
            "%s (%s)" % (name, "units" if len(self.units) > 3 else ", ".join(self.units)),
            "journal",
            ("journal", "units"),
        )
        readers.read_journal_units(self.node, arguments, self.units, units, self.sink, self.gates)
        self.end()
        self.sink.flush()
        return min(source.first or float("inf") for source in (kernel, units))

    def own(self):
        """The node's own logs: the journal, and for the time before it began, or without one, the files, else the ring buffer."""
        first = self.journal(None)
        if first is not None and self.window.since is not None and first <= self.window.since + SLACK:
            return
        if first is not None:
            # Where the journal is in /run, as on RHEL 7, syslog reaches back farther. What both have is not to count twice.
            self.window.until = min(first - 1, self.window.until or first)
        patterns = locations.USUAL_FILES + (() if self.node.root == "/" else locations.SOSREPORT_FILES)
        read = self.files([pattern for pattern in patterns if locations.is_there(self.node, pattern)])
        if not read and first in (None, float("inf")):
            self.ring_buffer()

    def ring_buffer(self):
        if self.node.root != "/":
            self.begin("kernel ring buffer", "command", None).failed(
                "only the node itself has one, not %s" % self.node.root
            )
            self.sources.current.status = "skipped"
            return
        source = self.begin("dmesg", "command", "dmesg")
        readers.read_command(self.node, ["dmesg"], source, self.sink, self.gates)
        self.end()
        self.sink.flush()

    def result(self):
        events, incidents, number = self.store.incidents(self.max_events, iso)
        poorer = fit(events, incidents)
        if poorer:
            self.sources.current.notes.insert(
                0, "%d events are without their zones and traces: there were too many" % poorer
            )
        kernel = sum(count for kind, count in self.store.by_kind.items() if not kind.startswith("container_"))
        if not kernel:
            self.sources.note_silence()
        result = {
            "events": events,
            "incidents": incidents,
            "counts": {
                "events": self.store.total,
                "events_returned": len(events),
                "incidents": number,
                "by_kind": self.store.by_kind,
                "by_cause": self.store.by_cause,
                "suppressed": sum(self.sources.suppressed.values()),
            },
            "sources": self.sources.told(iso),
        }
        return presentable(result, self.redacts)


def collect(node, options):
    """Reads the logs of ``node`` (a Node) -> the contract of the journal. ValueError for options that make no sense.

    options: {files, journal_directory, since, until, units, max_events, signatures, redact}, all of them optional.
    """
    journal = Journal(node, options, time.time())
    files, directory = options.get("files"), options.get("journal_directory")
    if files:
        journal.files(files)
    if directory and journal.journal(directory) is None:
        journal.begin(directory, "journal", None).failed("no journal there")
    if not files and not directory:
        journal.own()
    return journal.result()
