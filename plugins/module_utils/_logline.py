# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a run of the node tool says in the system log: one line of name=value."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

from ._compaction import promise


def logline(result):
    """The outcome of a run as one line of name=value, for the system log."""
    fields = [
        ("acted", result["acted"]),
        ("reason", result["reason"]),
        ("satisfied", result["satisfied"]),
        ("helped", result["helped"]),
        ("order", result["order"]),
    ]
    for moment in ("before", "after"):
        for node in sorted((result[moment] or {"nodes": {}})["nodes"], key=int):
            about = _of_order(result[moment]["nodes"][node], result["order"])
            fields.append(
                (
                    "node%s_%s" % (node, moment),
                    "%s/%d/%d" % (about["state"], about["free_blocks"], about["unusable_index"]),
                )
            )
    for node in sorted({row["node"] for row in result.get("promised") or ()}):
        summed = promise.total(result["promised"], result["order"], node)
        if summed:
            fields.append(("node%s_expected" % node, "%(low)d/%(expected)d/%(high)d" % summed))
            fields.append(("node%s_obtained" % node, summed["obtained"]))
    fields.extend((("seconds", result["duration_seconds"]), ("message", result["message"])))
    return " ".join("%s=%s" % (name, quoted(value)) for name, value in fields if value is not None)


def _of_order(node, order):
    """What is said of the order that decided, before and after alike."""
    return next((row for row in node.get("orders", ()) if row["order"] == order), node)


def quoted(value):
    """A word as it is, anything else as JSON has it: no control character gets into the log."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "%s" % (value,)
    return text if text and not set(text) & set(' "=') and min(text) > " " else json.dumps(text)


def send(line, is_error):
    """One line to the log of this machine."""
    import syslog

    syslog.openlog("memfrag", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_ERR if is_error else syslog.LOG_INFO, line)
    syslog.closelog()
