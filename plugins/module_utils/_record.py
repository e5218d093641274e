# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The record of one node and run: what is in it, as a file and by its name. The controller writes it, or the node tool on the node itself.

A record's first line holds everything but the journal and the facts, so that the history of a fleet is read without
parsing the measurements of every earlier run. It is plain JSON all the same.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import hashlib
import json
import re
import sys
import time

from . import _trend

SCHEMA_VERSION = 1

# Bytes of a record in its file: what a report reads of one at most.
LARGEST = 8 * 1024 * 1024

# Report files lie beside the records; a host of that name must not take their place.
RESERVED = frozenset(("report.json",))

# A file name has 255 bytes on every common file system; the temporary file's prefix and suffix need some of them.
LONGEST_NAME = 200

_BULKY = ("journal", "facts")
_UNSAFE = re.compile(b"[^A-Za-z0-9._-]")
# Python 2 encodes half of a pair of surrogates as it is.
_UNENCODABLE = "strict" if sys.version_info < (3,) else "surrogatepass"


def empty(host, groups, started):
    """A record of which nothing is known yet but whose it is; ``started``: seconds since the epoch."""
    return {
        "schema_version": SCHEMA_VERSION,
        "host": host,
        "groups": sorted(groups),
        "status": "failed",
        "error": None,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "duration_seconds": None,
        "facts": None,
        "journal": None,
        "assessment": None,
    }


def file_name(host):
    """A file name for any host name: one to one, flat, ASCII, never hidden, at most 205 bytes.

    Other characters become ``%XX`` as in a URL. Long names keep their start and end in ``~`` and a digest; a plain
    name cannot contain ``~``, so the two never meet.
    """
    raw = host if isinstance(host, bytes) else host.encode("utf-8", _UNENCODABLE)
    name = _UNSAFE.sub(lambda match: ("%%%02X" % ord(match.group())).encode("ascii"), raw).decode("ascii")
    if name.startswith(".") or name + ".json" in RESERVED:
        name = "%%%02X%s" % (ord(name[0]), name[1:])
    if len(name) > LONGEST_NAME:
        name = "%s~%s" % (name[:128], hashlib.sha256(raw).hexdigest()[:40])
    return (name or "%") + ".json"


def head_of(record):
    """-> the first line of the record's file as data: everything but journal and facts, and what later reports read of those"""
    head = {key: value for key, value in record.items() if key not in _BULKY}
    if record.get("facts"):
        # For the comparison of runs and for the forecast, which read no facts.
        try:
            head["allocatable_states"] = [row["state"] for row in record["facts"]["allocatable"]]
            head["trend"] = _trend.of_facts(record["facts"])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError):
            # What does not hold the contract is told of by who reads it.
            pass
    return head


def text(record):
    """-> the content of the record's file"""
    lines = [_dumps(head_of(record))[:-1]]
    lines += ["%s: %s" % (_dumps(key), _dumps(record[key])) for key in _BULKY if key in record]
    return ",\n".join(lines) + "}\n"


def _dumps(value):
    return json.dumps(value, separators=(",", ":"))
