# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Messages out of the JSON that runtimes, journald and log shippers put around them.

unwrap() knows the usual names of fields and no shipper by its name: another one differs in names at most. A record that a program
wrote itself, with its error in a field of its own, is no wrapping: its text stays whole, as the error is what matters.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import re

# Names in the order in which they are believed, in lower case. Nested ones are found where they lie.
_MESSAGE = "message log msg _msg line _raw @message textpayload short_message full_message body text event original content raw".split()
_TIME = (
    "__realtime_timestamp _source_realtime_timestamp @timestamp timestamp time ts date _time @t eventtime timereported"
    " timegenerated timeunixnano observedtimestamp"
).split()
_HOST = "_hostname hostname host nodename node_name node syslog_hostname source_host".split()
_TAG = "syslog_identifier identifier appname app_name app-name ident program programname syslogtag _comm tag process unit".split()
# An error beside the message: then the record is what a program said.
_OWN = frozenset(("err", "error", "data", "exception", "caller", "stacktrace"))
_DEPTH = 4
_MAX_FIELDS = 256
_BYTE = re.compile(r"^[0-9]{1,3}$")
# Ruby's way to print a hash, which fluent-bit and logstash use for the console.
_RUBY = re.compile(r"\"=>\s?(?=[\"\d\[{tfn-])")


class Record:
    """What a record says: message (None: the text is the message), stamp, host, tag, cursor; whole: an entry of a journal."""

    def __init__(self):
        self.message = self.stamp = self.host = self.tag = self.cursor = None
        self.whole = self.part = False


def unwrap(text):
    """A line that may be a JSON object or array -> Record, None when it is none."""
    text = text.strip().rstrip(",")
    if text[-1:] not in ("}", "]", ")"):
        return None
    if text[:1] == "{":
        # fluent-bit's [[time, {}], {record}], of which the first half is off.
        text = text.rstrip("])")
    if '"=>' in text:
        text = _RUBY.sub('":', text)
    try:
        # Numbers as they stand: nobody wants to compute with those of a stranger, and long ones take long.
        entry = json.loads(text, parse_int=_short, parse_float=_short, parse_constant=_short)
    except (ValueError, RuntimeError, MemoryError):
        # RuntimeError is what too deep a nesting raises.
        return None
    if isinstance(entry, list):
        return _pair(entry)
    if not isinstance(entry, dict):
        return None
    fields = {}
    _collect(entry, fields, _DEPTH)
    return _record(entry, fields)


def _short(number):
    return number[:32]


def _pair(entry):
    """Loki's ["1593564331000000000", "line"]."""
    if len(entry) < 2 or not all(_is_text(value) for value in entry[:2]) or not entry[0].isdigit():
        return None
    record = Record()
    record.stamp, record.message = _epoch(entry[0]), entry[1]
    return record


def _collect(entry, fields, depth):
    """Every field of a record by its name in lower case; the outermost of a name is the one that counts."""
    inner = []
    for name, value in entry.items():
        if len(fields) >= _MAX_FIELDS:
            return
        name = name.lower()
        if isinstance(value, dict):
            inner.append((name, value))
        elif isinstance(value, list) and name == "message":
            fields.setdefault(name, _bytes(value))
        elif isinstance(value, list) and name == "values" and value and isinstance(value[0], list):
            pair = _pair(value[0])
            if pair:
                fields.setdefault("message", pair.message)
                fields.setdefault("time", pair.stamp)
        elif _is_text(value):
            fields.setdefault(name, value)
            if "." in name:
                fields.setdefault(name.rsplit(".", 1)[1], value)
    if depth:
        # What is called the body is the message, whatever stands before it.
        for name, value in sorted(inner, key=lambda item: item[0] not in ("body", "event")):
            if name in ("body", "event") and "message" not in fields:
                # OpenTelemetry's {"body": {"stringValue": ...}}, Elastic's {"event": {"original": ...}}
                text = value.get("stringValue", value.get("original"))
                if _is_text(text):
                    fields.setdefault("message", text)
            if name in (
                "host",
                "agent",
                "beat",
                "process",
                "log",
                "resource",
                "syslog",
                "attributes",
                "labels",
                "metadata",
            ):
                for key in ("hostname", "name", "host"):
                    if name in ("host", "agent", "beat", "resource") and _is_text(value.get(key)):
                        fields.setdefault("hostname", value[key])
                # Datadog's {"id": ..., "attributes": {"message": ..., "service": ...}} has all in there.
                own = ("name", "text") if name == "attributes" else ("name", "message", "text")
                value = {key: what for key, what in value.items() if key not in own}
            _collect(value, fields, depth - 1)


def _bytes(value):
    """journalctl prints what is not UTF-8 as a list of bytes."""
    numbers = [int(byte) for byte in value[:65536] if _is_text(byte) and _BYTE.match(byte)]
    return bytearray(number for number in numbers if number < 256).decode("utf-8", "replace")


def _record(entry, fields):
    record = Record()
    message = next((fields[name] for name in _MESSAGE if name in fields), None)
    own = message is not None and "__realtime_timestamp" not in fields and not _OWN.isdisjoint(_lower(entry))
    if message is None:
        # A shipper with names of its own: its longest text is the message.
        message = max(fields.values(), key=len) if fields else ""
        if " " not in message or len(message) < 16:
            return None
    record.message = None if own else message
    record.whole = "__realtime_timestamp" in fields
    stream = fields.get("stream")
    record.part = stream in ("stdout", "stderr") and "log" in fields and not fields["log"].endswith("\n")
    record.stamp = _epoch(next((fields[name] for name in _TIME if name in fields), None))
    record.host = next((fields[name][:256] for name in _HOST if name in fields), None)
    kernel = fields.get("_transport") == "kernel" or fields.get("facility") in ("kern", "kernel")
    record.tag = "kernel" if kernel else next((_tag(fields[name]) for name in _TAG if name in fields), None)
    cursor = fields.get("__cursor")
    record.cursor = cursor[:256] if cursor else None
    return record


def _lower(entry):
    return [name.lower() for name in entry]


def _tag(text):
    """ "kern.warn", "kernel[0]:", "host.kernel" -> the program."""
    text = text[:256].split("[")[0].rstrip(":")
    return "kernel" if text.startswith(("kern.", "kernel.")) or text.endswith(".kernel") else text


def _epoch(text):
    """Numbers of seconds, milli-, micro- and nanoseconds as seconds with a fraction; other stamps as they are."""
    if not text:
        return None
    text = text[:64]
    whole = text.split(".")[0]
    if not whole.isdigit() or len(whole) < 9:
        return text
    if len(whole) <= 10:
        return text if "." in text else whole + ".000000"
    return "%s.%s" % (whole[:10], (whole[10:] + "000000")[:6])


def _is_text(value):
    return hasattr(value, "splitlines")
