# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The journal of a node: collect() reads its logs and returns what docs/contracts/journal.schema.json promises.

{"events": [...], "incidents": [...], "counts": {...}, "sources": [...]}, plain data only.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import time

from .._node import NodeError
from .._text import strip_controls
from . import readers, redaction, runtimes, scanner
from .clock import Clock, iso, zone_of
from .incidents import Store
from .joining import Joiner
from .kernel import KernelLog
from .prefixes import Line, split

UNITS = (
    "kubelet.service",
    "docker.service",
    "containerd.service",
    "crio.service",
    "cri-docker.service",
    "k3s.service",
    "k3s-agent.service",
    "rke2-server.service",
    "rke2-agent.service",
    "podman.service",
    "snap.kubelet-eks.daemon.service",
    # Who else says that memory ran out.
    "init.scope",
    "systemd-oomd.service",
    "earlyoom.service",
    "nohang.service",
    "nohang-desktop.service",
)
# A journal that begins so long after the window is complete: machines are not always busy.
SLACK = 3600
# Where logs lie without a journal; the second row is for unpacked sosreports.
USUAL_FILES = ("/var/log/messages*", "/var/log/kern.log*", "/var/log/syslog*")
SOSREPORT_FILES = (
    "/sos_commands/logs/journalctl_--no-pager*",
    "/sos_commands/kernel/dmesg",
    "/sos_commands/kernel/dmesg_-T",
)

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

# How far back the node's own logs are read when nothing else is asked for.
DEFAULT_SINCE = "-7d"
MAX_MESSAGE = 300
# Longer while it may still have a secret in it that the cut would make unrecognizable; and what other texts may have.
MAX_KEPT = 1000
# So many reports that could not be judged are named in the notes of their source.
MAX_UNJUDGED = 5
# A program's line that a mail or terminal has wrapped goes on for at most so many lines.
MAX_WRAPS = 6

_RELATIVE = re.compile(r"^-(\d+)\s*(s|m|min|h|d|w)?$")
_SECONDS = {None: 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_MAGIC = re.compile(r"[*?\[]")
# Names, ids and words of our own: nobody hides a password there, and other hosts' logs are searched for them.
_NAMES = frozenset(
    "kind time time_raw first_time last_time cause confidence signature pod namespace pod_uid container_id pods containers kinds remedies "
    "source status gfp_mask gfp_flags zone trace".split()
)
_ROTATION = re.compile(r"(?:[-.](?:\d{8}(?:[-.]\d+)?|\d{1,3})|\.old)?(?:\.(?:gz|xz|bz2|zst))?$")


def point_in_time(text, now, name, zone=None):
    """ "2026-11-20T08:00:00Z", "2026-11-20", "-24h" -> epoch seconds. Without a zone it is the time of the node."""
    if text is None or text == "":
        return None
    match = _RELATIVE.match(text.strip())
    if match:
        return now - int(match.group(1)) * _SECONDS[match.group(2)]
    line = Line("")
    line.stamp = text.strip() + ("T00:00:00" if re.match(r"^\d{4}-\d\d-\d\d$", text.strip()) else "")
    epoch = Clock(now, zone=zone).of(line) if re.match(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", line.stamp) else None
    if epoch is None:
        raise ValueError("%s: %r is neither an ISO-8601 time nor an age such as -24h" % (name, text))
    return epoch


class _Sink:
    """Takes the lines of one source after the other and turns them into events."""

    def __init__(self, journal):
        self.journal = journal
        self.kernel = None
        self.family = None
        self.held = None
        self.wraps = 0
        self.taken = 0
        self.joiner = Joiner(lambda line: self._guarded(line.number, self._line, line), self._time_of)

    def _time_of(self, line):
        return self.journal.source.clock.of(line)

    def open(self, family):
        """The next source. What was open stays open only when it is the continuation of the same log."""
        if family != self.family or self.kernel is None:
            self.flush()
            self.kernel = KernelLog(self.journal.kernel_report)
        self.family = family

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
        return self._guarded(number, self._take, raw, number, offset)

    def queue(self, raw, number, offset):
        """A line of a source of which every line is looked at: it may belong to the one before."""
        self._guarded(number, self._queue, raw, number, offset)

    def _guarded(self, number, step, *arguments):
        """One line that nobody foresaw costs its report, not the run, and is told of."""
        try:
            return step(*arguments)
        except Exception as error:
            self.journal.fault(number, error)
            self.held = None
            if self.kernel is not None:
                self.journal.kernel_notes(self.kernel)
                self.kernel = KernelLog(self.journal.kernel_report)
            return False

    def _take(self, raw, number, offset):
        return self._line(self._split(raw, number, offset))

    def _queue(self, raw, number, offset):
        self.joiner.add(self._split(raw, number, offset))

    def _split(self, raw, number, offset):
        line = split(raw)
        line.number, line.offset = number, offset
        journal = self.journal
        if line.cursor is None and number is None:
            line.cursor = "@" + line.stamp if journal.source.kind == "journal" and line.stamp else "byte %d" % offset
        # Where lines are counted, those that nobody looked at lie between, too.
        self.taken = max(self.taken + 1, number or 0)
        line.place = (journal.order, self.taken)
        return line

    def _line(self, line):
        journal = self.journal
        if self.held is not None:
            if self._goes_on(line):
                return True
            held, self.held = self.held, None
            self._guarded(held.number, self._runtime, held)
        if line.userland and journal.told(line):
            return True
        # With an uptime, a line is the kernel's, or one of a program that says that memory ran out.
        told = line.tag != "kernel" and (line.uptime is None or line.userland or runtimes.notices.speaks(line.text))
        if told and runtimes.speaks(line, journal.signatures):
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
        open_quote = runtimes.plain(held.text).count('"') % 2 == 1 or held.text.rstrip().endswith((":", ","))
        if held.prefixed and line.text[:1].isspace() or open_quote:
            held.text = held.text.rstrip() + " " + text
            self.wraps += 1
            return True
        return False

    def _runtime(self, line):
        found = runtimes.read(line, self.journal.signatures)
        if found is None:
            if not line.userland and not line.prefixed:
                return self.kernel.feed(line)
            return False
        self.journal.runtime_failure(found)
        return True


class _Journal:
    """One run of collect()."""

    def __init__(self, node, options, now):
        self.node, self.now = node, now
        since = options.get("since")
        if not since and not options.get("files") and not options.get("journal_directory"):
            since = DEFAULT_SINCE
        # Of a tree that is not this machine, never this machine's.
        self.zone = zone_of(node) if node.root != "/" else None
        self.since = point_in_time(since, now, "since", self.zone)
        self.until = point_in_time(options.get("until"), now, "until", self.zone)
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError("until: %r is before since %r" % (options["until"], options["since"]))
        self.signatures = runtimes.compile_signatures(options.get("signatures"))
        self.max_events = 200 if options.get("max_events") is None else options["max_events"]
        if self.max_events < 0:
            raise ValueError("max_events: %d is negative" % self.max_events)
        self.units = list(options.get("units") or UNITS)
        self.redacts = options.get("redact") is not False
        self.store = Store()
        self.sources = []
        self.source = None
        self.order = 0
        self.sink = _Sink(self)
        self.suppressed = {}
        self._last = (None, None, None)
        self.gates = (
            scanner.RUNTIME_GATES
            + runtimes.GATES
            + tuple(literal.encode("utf-8") for signature in self.signatures for literal in signature.contains)
        )

    # -- sources ----------------------------------------------------------------------------------------------------

    def _begin(self, name, kind, family):
        self.source = readers.Source(name, kind)
        self.source.clock = readers.clock_for(self.node, self.now, kind == "command", self.zone)
        self.sources.append(self.source)
        self.order += 1
        self.sink.open(family)
        self.sink.taken = 0
        return self.source

    def fault(self, number, error):
        """Something in the log that could not be judged at all."""
        source = self.source
        source.faults += 1
        if source.faults <= MAX_UNJUDGED:
            where = "" if number is None else " of line %d" % number
            source.notes.append("a report%s could not be judged (%s: %s)" % (where, type(error).__name__, error))

    def _end(self):
        if self.source.faults > MAX_UNJUDGED:
            self.source.notes.append("%d more could not be judged" % (self.source.faults - MAX_UNJUDGED))
        if self.sink.kernel is not None:
            self.kernel_notes(self.sink.kernel)

    def kernel_notes(self, kernel):
        """What the kernel's part of the log has to be told of besides its events."""
        for number, message, error in kernel.unjudged[:MAX_UNJUDGED]:
            where = "" if number is None else " of line %d" % number
            self.source.notes.append(
                "the report%s could not be judged (%s): %s" % (where, error, strip_controls(message))
            )
        if len(kernel.unjudged) > MAX_UNJUDGED:
            self.source.notes.append("%d more could not be judged" % (len(kernel.unjudged) - MAX_UNJUDGED))
        del kernel.unjudged[:]
        if kernel.suppressed:
            for what, count in sorted(kernel.suppressed.items()):
                self.source.notes.append(
                    "%d messages of %s were suppressed by the kernel: counts are lower bounds" % (count, what)
                )
                self.suppressed[what] = self.suppressed.get(what, 0) + count
            kernel.suppressed = {}

    def files(self, patterns):
        """Files by path or pattern, each log with its rotated parts, the oldest part first."""
        found, missing = {}, []
        for pattern in patterns:
            if not pattern.startswith("/"):
                missing.append((pattern, "not an absolute path"))
                continue
            try:
                paths = self._matching(pattern, missing)
            except NodeError as error:
                missing.append((pattern, error))
                continue
            for path in paths:
                try:
                    status = self.node.stat(path)
                except NodeError as error:
                    missing.append((path, error))
                    continue
                # No directories, and nothing that one could wait for or that never ends.
                if status.st_mode & 0o170000 != 0o100000:
                    missing.append((path, "not a regular file"))
                    continue
                found[path] = (_ROTATION.sub("", path), status.st_mtime, path)
        for path, reason in missing:
            source = self._begin(path, "file", None)
            if hasattr(reason, "timed_out"):
                source.broke_off(reason)
            else:
                source.failed(reason)
        for family, _mtime, path in sorted(found.values()):
            source = self._begin(path, "file", family)
            try:
                readers.read_file(self.node, path, source, self.sink, self.since, self.gates)
            except NodeError as error:
                source.broke_off(error)
            self._end()
        self.sink.flush()
        return list(found)

    def _matching(self, pattern, missing):
        """Paths that a pattern stands for. Directories in which one may not look are missing: there may be more."""
        if not _MAGIC.search(pattern):
            return [pattern]
        paths = [path for path in self.node.glob(pattern) if not path.endswith("~")]
        for path in self._closed(pattern):
            missing.append((pattern, "permission denied in %s, root can read it" % path))
            return paths
        if not paths:
            missing.append((pattern, "no such file"))
        return paths

    def _closed(self, pattern):
        """Directories of a pattern that cannot be listed."""
        parts = pattern.split("/")
        for number, part in enumerate(parts):
            if _MAGIC.search(part):
                before = "/".join(parts[:number]) or "/"
                for path in self.node.glob(before) if _MAGIC.search(before) else [before]:
                    if self.node.exists(path) and not self.node.readable(path):
                        yield path

    def journal(self, directory):
        """The systemd journal. -> time of its first message, infinity for a journal without any, None where there is none."""
        arguments = readers.journal_arguments(self.node, directory, self.since, self.until)
        if arguments is None:
            return None
        name = directory or "systemd journal"
        kernel = self._begin("%s (kernel)" % name, "journal", ("journal", "kernel"))
        readers.read_journal_kernel(self.node, arguments, kernel, self.sink)
        self._end()
        self.sink.flush()
        if directory is None and self.node.root == "/" and kernel.status == "read":
            reason = readers.other_journals(self.node, self.since)
            if reason:
                kernel.failed(reason, partial=True)
        if kernel.status == "failed" and directory is None:
            return None
        units = self._begin(
            "%s (%s)" % (name, "units" if len(self.units) > 3 else ", ".join(self.units)),
            "journal",
            ("journal", "units"),
        )
        readers.read_journal_units(self.node, arguments, self.units, units, self.sink, self.gates)
        self._end()
        self.sink.flush()
        return min(source.first or float("inf") for source in (kernel, units))

    def own(self):
        """The node's own logs: the journal, and for the time before it began, or without one, the files, else the ring buffer."""
        first = self.journal(None)
        if first is not None and self.since is not None and first <= self.since + SLACK:
            return
        if first is not None:
            # Where the journal is in /run, as on RHEL 7, syslog reaches back farther. What both have is not to count twice.
            self.until = min(first - 1, self.until or first)
        patterns = USUAL_FILES + (() if self.node.root == "/" else SOSREPORT_FILES)
        read = self.files([pattern for pattern in patterns if self._there(pattern)])
        if not read and first in (None, float("inf")):
            self.ring_buffer()

    def _there(self, pattern):
        """Whether there is something to read or to complain of."""
        try:
            return bool(self.node.glob(pattern)) or any(self._closed(pattern))
        except NodeError:
            return True

    def ring_buffer(self):
        if self.node.root != "/":
            self._begin("kernel ring buffer", "command", None).failed(
                "only the node itself has one, not %s" % self.node.root
            )
            self.sources[-1].status = "skipped"
            return
        source = self._begin("dmesg", "command", "dmesg")
        readers.read_command(self.node, ["dmesg"], source, self.sink, self.gates)
        self._end()
        self.sink.flush()

    # -- events -----------------------------------------------------------------------------------------------------

    def _base(self, kind, line, message, verdict):
        # The source of its first line: rotation may have split it.
        source = self.sources[line.place[0] - 1]
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

    def _outside(self, epoch):
        return epoch is not None and (
            self.since is not None and epoch < self.since or self.until is not None and epoch > self.until
        )

    def kernel_report(self, report):
        """A finished report of KernelLog."""
        # Loaded with the first report: most nodes have none.
        from . import reports

        verdict = reports.judge(report)
        event, epoch = self._base(report.kind, report.line, report.message, verdict)
        if self._outside(epoch):
            return
        event.update(reports.FIELDS[report.kind](report, verdict))
        if report.kind == "oom_kill":
            event["reporter"] = "kernel"
        _sanitise(event)
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
        return at >= 0 and runtimes.only_wraps(line.text[: at + len(runtimes.INNER)])

    def runtime_failure(self, found):
        signature = found["signature"]
        verdict = {"cause": signature.cause, "reason": signature.reason, "confidence": signature.confidence}
        event, epoch = self._base(found["kind"], found["line"], found["message"], verdict)
        if self._outside(epoch):
            return
        event.update(found["fields"])
        _sanitise(event)
        if self.store.duplicate(event, event["time_raw"]):
            return
        place = found["line"].place
        if found["kind"] == "oom_kill":
            self.store.add_notice(event, signature, epoch, place, found["repeats"], found["pod"])
            return
        event = self.store.add_runtime(event, signature, epoch, place, found["repeats"])
        inner = runtimes.inner(found["line"].text) if found["kind"] == runtimes.START else None
        known = event["pod"] and event["pod_uid"] and inner
        self._last = (event, inner, found["line"].stamp if known else None)

    def result(self):
        events, incidents, number = self.store.incidents(self.max_events, iso)
        kernel = sum(count for kind, count in self.store.by_kind.items() if not kind.startswith("container_"))
        if not kernel:
            for source in self.sources:
                if source.status in ("read", "partial") and "units" not in source.name:
                    source.notes.append(
                        "no kernel report: that proves little, the kernel limits how many it prints and many requests ask for none"
                    )
        result = {
            "events": events,
            "incidents": incidents,
            "counts": {
                "events": self.store.total,
                "events_returned": len(events),
                "incidents": number,
                "by_kind": self.store.by_kind,
                "by_cause": self.store.by_cause,
                "suppressed": sum(self.suppressed.values()),
            },
            "sources": [source.as_dict(iso) for source in self.sources],
        }
        return self._presentable(result)

    def _presentable(self, value, name=None):
        """What leaves the node: secrets replaced, texts and numbers no larger than the contract has them."""
        if isinstance(value, dict):
            return {key: self._presentable(entry, key) for key, entry in value.items()}
        if isinstance(value, list):
            return [self._presentable(entry, name) for entry in value]
        if hasattr(value, "splitlines"):
            text = strip_controls(value)
            if self.redacts and name not in _NAMES:
                text = redaction.redact(text)
            return text[: MAX_MESSAGE if name == "message" else MAX_KEPT]
        if isinstance(value, bool) or value is None:
            return value
        # A number that no kernel prints is somebody's joke, and one that is none is no number.
        return value if abs(value) < 1 << 63 else None


def _sanitise(event):
    """Log lines are written by anybody: nothing of them that a terminal would obey gets into a result."""
    for name, value in event.items():
        if value is None:
            continue
        if hasattr(value, "splitlines"):
            event[name] = strip_controls(value)
        elif name == "trace":
            event[name] = [strip_controls(function) for function in value]


def collect(node, options):
    """Reads the logs of ``node`` (a Node) -> the contract of the journal. ValueError for options that make no sense.

    options: {files, journal_directory, since, until, units, max_events, signatures, redact}, all of them optional.
    """
    journal = _Journal(node, options, time.time())
    files, directory = options.get("files"), options.get("journal_directory")
    if files:
        journal.files(files)
    if directory and journal.journal(directory) is None:
        journal._begin(directory, "journal", None).failed("no journal there")
    if not files and not directory:
        journal.own()
    return journal.result()
