# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The command line of the node tool: its commands' options, and what was typed as values of them."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import argparse
import json

from . import _checks, _fragmenters, _metrics
from ._compaction import guards
from ._compaction.target import OPTIONS
from ._policy_file import POLICY_FILE, PolicyFileError

_EPILOG = """\
exit status:
  0  the policy's goal is met, if need be after a compaction; watch, audit: it was done
  1  something could not be read or written
  2  wrong options, or a wrong policy
  3  the goal is not met, and compaction does not help, or has not helped enough
  4  the goal is not met, and a guard, the window, the back-off or another run holds it off (compact only)
  "check" ends with 0 for OK, 1 for WARNING, 2 for CRITICAL, and 3 where no answer could be had.

The policy is read from %s if that is there, and obeyed if nobody but root could have written it; options here go
before it. While %s is there, nothing is compacted on this node.
""" % (POLICY_FILE, guards.KILL_SWITCH)

# What the options of a policy mean, for --help; names and ranges are those of the library's table.
_HELP = {
    "order": "the target: blocks of 2**ORDER pages; auto is each order without which something fails on this kernel",
    "min_free_blocks": "free blocks of the order wanted on each NUMA node",
    "max_unusable_index": "share of free memory in smaller blocks from which on to compact, in thousandths; 1000 is off",
    "nodes": "NUMA nodes to look at, with commas between them; all by default",
    "zones": "zones to look at, with commas between them",
    "force": "compact whether or not it is needed or helps; the guards stay",
    "drop_caches": "caches to drop before; auto is slab, where it is in the way and compaction alone has failed",
    "max_pressure_percent": "memory pressure (some avg10) up to which to start",
    "abort_pressure_percent": "memory pressure above which to break off",
    "max_load_per_cpu": "load of 5 minutes per CPU up to which to start",
    "min_free_percent": "free memory, in percent of all, from which on to start",
    "time_limit_seconds": "time after which to break off",
    "backoff_seconds": "pause after a run that did not help, doubled each time",
    "backoff_max_seconds": "longest such pause",
    "window": "time of the day to compact in, HH:MM-HH:MM",
    "allow_container": "act inside a container as well",
}


def parser(commands):
    """The command line for (name, function, words of help) of each command; ``command`` of the result is its function."""
    made = argparse.ArgumentParser(
        prog="memfrag",
        description="Contiguous memory of this node: what can be had, compaction where it helps, who fragments it, metrics, its record.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added = made.add_subparsers(metavar="COMMAND")
    for name, command, words in commands:
        sub = added.add_parser(
            name,
            help=words,
            description=words[0].upper() + words[1:] + ".",
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(command=command)
        sub.add_argument(
            "--root",
            default="/",
            metavar="DIR",
            help="where the node's files are; only / and a mounted host can be compacted",
        )
        for add_options in _OPTIONS_OF[name]:
            add_options(sub)
    return made


def _add_watch_options(parser):
    parser.add_argument(
        "--seconds", default="30", metavar="N", help="how long, at most %d (30)" % _fragmenters.LONGEST_SECONDS
    )


def _add_json(parser):
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_metrics_options(parser):
    parser.add_argument("--textfile", metavar="DIR", help="write %s in this directory" % _metrics.FILE_NAME)


def _add_check_options(parser):
    for status, level in (("warning", _checks.WARNING_FROM), ("critical", _checks.CRITICAL_FROM)):
        parser.add_argument(
            "--" + status,
            choices=_checks.LEVELS,
            metavar="LEVEL",
            help="level of the assessment from which on it is %s (%s)" % (status.upper(), level),
        )


def _add_compact_options(parser):
    parser.add_argument("--dry-run", action="store_true", help="decide only, write nothing")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--syslog", action="store_true", help="send the outcome to the system log, as one line")
    parser.add_argument("--textfile", metavar="DIR", help="write %s in this directory afterwards" % _metrics.FILE_NAME)


def _add_policy_file(parser):
    parser.add_argument("--policy", metavar="FILE", help="policy to use instead of " + POLICY_FILE)


def _add_target(parser):
    """What of the policy's target the command line puts in its place."""
    for option in sorted(OPTIONS):
        _add_option(parser, option, OPTIONS[option])


def _add_audit_options(parser):
    parser.add_argument("--json", action="store_true", help="print the record")
    parser.add_argument(
        "--output", metavar="DIR", help="write the record in this directory, as HOST.json, readable by its owner"
    )
    parser.add_argument("--name", metavar="HOST", help="what the report is to call this node; its own name by default")
    parser.add_argument(
        "--since", default="-7d", metavar="TIME", help="where to begin in the logs, as -24h or 2026-11-20 (-7d)"
    )
    parser.add_argument(
        "--journal-files", default="", metavar="LIST", help="log files or globs in place of the live journal"
    )
    parser.add_argument("--journal-directory", metavar="DIR", help="journal files in place of the live journal")
    parser.add_argument("--no-journal", action="store_true", help="leave the logs alone")
    parser.add_argument("--deadline-seconds", default="120", metavar="N", help="how long looking may take (120)")
    parser.add_argument(
        "--pageblocks",
        choices=("auto", "true", "false"),
        default="auto",
        help="whether to look into the pageblocks as well; auto is where the assessment hinges on it",
    )


_OPTIONS_OF = {
    "status": (_add_policy_file, _add_json, _add_target),
    "compact": (_add_policy_file, _add_json, _add_compact_options, _add_target),
    "watch": (_add_watch_options, _add_json),
    "metrics": (_add_policy_file, _add_metrics_options, _add_target),
    "check": (_add_policy_file, _add_check_options, _add_target),
    "audit": (_add_policy_file, _add_audit_options),
    "policy": (_add_policy_file, _add_json, _add_target),
}


def _add_option(parser, name, about):
    default = about["default"]
    words = _HELP[name]
    if about["type"] == "bool":
        parser.add_argument(
            "--" + name.replace("_", "-"), dest=name, action="store_const", const=True, default=None, help=words
        )
        return
    if default not in (None, []):
        words += " (%s)" % (",".join(default) if isinstance(default, list) else default)
    metavar = {"int": "N", "float": "N"}.get(
        about["type"], "LIST" if about["type"] == "list" else about.get("form", "WHAT")
    )
    parser.add_argument(
        "--" + name.replace("_", "-"), dest=name, default=None, metavar=metavar, help=words.replace("%", "%%")
    )


def _typed(name, text):
    """An option of the command line as the policy's check wants it; what is no number is left to that."""
    about = OPTIONS[name]
    if about["type"] == "list":
        return [_number(word, about["elements"]) for word in text.split(",") if word]
    return _number(text, about["type"])


def _number(text, kind):
    try:
        return {"int": int, "float": float}[kind](text)
    except (KeyError, ValueError):
        return text


def whole_number(name, text, most):
    number = _number(text, "int")
    if number not in range(1, most + 1):
        raise PolicyFileError("%s: must be a whole number from 1 to %d, not %s" % (name, most, json.dumps(text)))
    return number


def typed_options(arguments):
    """{option: value} of a target, as far as the command line has them."""
    given = [(name, getattr(arguments, name)) for name in OPTIONS]
    return {name: value if value is True else _typed(name, value) for name, value in given if value is not None}
