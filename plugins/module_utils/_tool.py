# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The node tool ``memfrag``: its command line. What it knows and does is in the library, which it is shipped with."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import argparse
import json
import sys

from . import _checks, _entry, _facts, _fragmenters, _logline, _metrics, _policy_file, _yields
from ._compaction import guards, promise, state
from ._compaction.plan import HELD_OFF as HELD_OFF_REASONS
from ._compaction.plan import plan
from ._compaction.run import run
from ._compaction.target import OPTIONS, subset
from ._node import NodeError
from ._node_writes import WritableNode
from ._options import OptionError
from ._policy_file import POLICY_FILE, PolicyFileError

DONE, ERROR, USAGE, NOT_MET, HELD_OFF = 0, 1, 2, 3, 4

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


def main(argv=None):
    arguments = _parser().parse_args(argv)
    if not getattr(arguments, "command", None):
        # Python 2 asks for a command by itself, Python 3 does not.
        _parser().error("too few arguments")
    try:
        return arguments.command(arguments, WritableNode(arguments.root))
    except (PolicyFileError, OptionError) as error:
        return _failed(arguments, error, USAGE)
    except NodeError as error:
        return _failed(arguments, error, ERROR)


def _failed(arguments, error, status):
    """Says what is wrong where somebody reads it: of a job that is the system log."""
    sys.stderr.write("memfrag: %s\n" % error)
    if getattr(arguments, "syslog", False):
        _logline.send("error=%s" % _logline.quoted(error), True)
    return status


def _parser():
    parser = argparse.ArgumentParser(
        prog="memfrag",
        description="Contiguous memory of this node: what can be had, compaction where it helps, who fragments it, metrics, its record.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, command, words in (
        ("status", _status, "say what this node can still hand out, and whether the policy's goal is met"),
        ("compact", _compact, "compact memory, if that is needed, will help, and no guard speaks against it"),
        ("metrics", _metrics_command, "print metrics for Prometheus, or write them for the textfile collector"),
        ("watch", _watch_command, "watch for some seconds who takes pageblocks from others; needs root"),
        (
            "audit",
            _audit_command,
            "audit this node: its record, as an audit by Ansible makes it, for a report of the fleet",
        ),
        ("check", _check_command, "say in one line how this node is, and end as monitoring plugins do"),
        ("policy", _policy_command, "check the policy and print it with all its defaults"),
    ):
        sub = commands.add_parser(
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
        if name == "watch":
            sub.add_argument(
                "--seconds", default="30", metavar="N", help="how long, at most %d (30)" % _fragmenters.LONGEST_SECONDS
            )
            sub.add_argument("--json", action="store_true", help="print JSON")
            continue
        sub.add_argument("--policy", metavar="FILE", help="policy to use instead of " + POLICY_FILE)
        if name == "audit":
            _add_audit_options(sub)
            continue
        if name not in ("metrics", "check"):
            sub.add_argument("--json", action="store_true", help="print JSON")
        if name == "metrics":
            sub.add_argument("--textfile", metavar="DIR", help="write %s in this directory" % _metrics.FILE_NAME)
        if name == "check":
            for status, level in (("warning", _checks.WARNING_FROM), ("critical", _checks.CRITICAL_FROM)):
                sub.add_argument(
                    "--" + status,
                    choices=_checks.LEVELS,
                    metavar="LEVEL",
                    help="level of the assessment from which on it is %s (%s)" % (status.upper(), level),
                )
        if name == "compact":
            sub.add_argument("--dry-run", action="store_true", help="decide only, write nothing")
            sub.add_argument("--quiet", action="store_true", help="print nothing but errors")
            sub.add_argument("--syslog", action="store_true", help="send the outcome to the system log, as one line")
            sub.add_argument(
                "--textfile", metavar="DIR", help="write %s in this directory afterwards" % _metrics.FILE_NAME
            )
        for option in sorted(OPTIONS):
            _add_option(sub, option, OPTIONS[option])
    return parser


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


def _whole_number(name, text, most):
    number = _number(text, "int")
    if number not in range(1, most + 1):
        raise PolicyFileError("%s: must be a whole number from 1 to %d, not %s" % (name, most, json.dumps(text)))
    return number


def _typed_options(arguments):
    """{option: value} of a target, as far as the command line has them."""
    given = [(name, getattr(arguments, name)) for name in OPTIONS]
    return {name: value if value is True else _typed(name, value) for name, value in given if value is not None}


def _policy(arguments, node):
    return _policy_file.load(node, arguments.policy, _typed_options(arguments))


def _say(text):
    sys.stdout.write(text + "\n")


def _print_json(data):
    _say(json.dumps(data, indent=2, sort_keys=True))


# --- the commands -------------------------------------------------------------------------------------------------


def _policy_command(arguments, node):
    policy = _policy(arguments, node)
    _print_json(dict(policy["target"], textfile_directory=policy["textfile"], assessment=policy["assessment"]))
    return DONE


def _watch_command(arguments, node):
    seconds = _whole_number("seconds", arguments.seconds, _fragmenters.LONGEST_SECONDS)
    try:
        seen = _fragmenters.watch(node, seconds)
    except _fragmenters.WatchError as error:
        sys.stderr.write("memfrag: %s\n" % error)
        return ERROR
    if arguments.json:
        _print_json(seen)
    else:
        _say("\n".join(_fragmenters.lines(seen)))
    return DONE


def _metrics_command(arguments, dummy_node):
    return _entry.metrics(arguments.root, arguments.policy, _typed_options(arguments), arguments.textfile)


def _audit_command(arguments, node):
    # Most who compact or ask for the status do without what reads logs and judges.
    from . import _audit, _self_audit

    rules = _policy_file.load(node, arguments.policy)["assessment"]
    options = {option: about.get("default") for option, about in _audit.NODE_OPTIONS.items()}
    options.update(
        root=arguments.root,
        journal=not arguments.no_journal,
        journal_files=[path for path in arguments.journal_files.split(",") if path],
        journal_directory=arguments.journal_directory,
        since=arguments.since,
        deadline_seconds=_whole_number("deadline_seconds", arguments.deadline_seconds, 3600),
    )
    name = arguments.name or _self_audit.own_name(node)
    if not name:
        raise PolicyFileError("name: there is no host name below %s; give one with --name" % arguments.root)
    store = _self_audit.Store(arguments.output, name) if arguments.output else None
    record = _self_audit.audit(name, options, rules, arguments.pageblocks, store and store.previous())
    path = store.keep(record) if store else None
    if arguments.json:
        _print_json(record)
    elif path:
        _say(path)
    else:
        _say("\n".join(_self_audit.lines(record)))
    if record["error"]:
        sys.stderr.write("memfrag: %s\n" % record["error"])
    return DONE if record["status"] == "audited" else ERROR


def _check_command(arguments, dummy_node):
    typed = _typed_options(arguments)
    return _entry.check(arguments.root, arguments.policy, typed, arguments.warning, arguments.critical)


def _compact(arguments, node):
    policy = _policy(arguments, node)
    textfile = arguments.textfile or policy["textfile"]

    def write_metrics(dummy_result):
        _metrics.update(node, policy, textfile)

    wanted = textfile and not arguments.dry_run
    result = run(
        node,
        policy["target"],
        dry_run=arguments.dry_run,
        installed=_entry.installed,
        afterwards=write_metrics if wanted else None,
    )
    if arguments.json:
        _print_json(result)
    elif not arguments.quiet:
        _say(_sentence(result))
    if arguments.syslog:
        _logline.send(_logline.logline(result), result["error"])
    if result["error"]:
        sys.stderr.write("memfrag: %s\n" % result["error"])
    return exit_status(result)


def exit_status(result):
    """Of a run, see _EPILOG."""
    if result["error"]:
        return ERROR
    if result["satisfied"] or result["dry_run"] and result["act"]:
        return DONE
    return HELD_OFF if result["reason"] in HELD_OFF_REASONS else NOT_MET


def _sentence(result):
    if result["act"] and result["dry_run"]:
        return "would compact (%s): %s" % (result["reason"], result["message"])
    return result["message"] if result["acted"] else "not compacted (%s): %s" % (result["reason"], result["message"])


def _status(arguments, node):
    policy = _policy(arguments, node)["target"]
    # Who needs what depends on slab caches, whatever the order of the policy.
    facts = _facts.collect(node, subset(policy) + ("slab",))
    verdict = plan(facts, policy, guards.conditions(node, facts))
    status = {
        "schema_version": 1,
        "facts": facts,
        "policy": policy,
        "plan": verdict,
        "runs": state.load(node),
        "last_compaction": _yields.load(node).last,
    }
    if arguments.json:
        _print_json(status)
    else:
        _say("\n".join(_status_lines(status)))
    return DONE if verdict["before"] and verdict["before"]["satisfied"] else ERROR if not facts["zones"] else NOT_MET


def _status_lines(status):
    facts, policy, verdict = status["facts"], status["policy"], status["plan"]
    kernel = facts["kernel"]
    nodes = sorted({zone["node"] for zone in facts["zones"]})
    yield "kernel %s, pages of %d kB, %d NUMA node%s" % (
        kernel["release"],
        kernel["page_size"] // 1024,
        len(nodes),
        "" if len(nodes) == 1 else "s",
    )
    yield ""
    yield "order      size  " + "".join("%-18s" % ("node %d" % node) for node in nodes) + "needed by"
    for entry in facts["allocatable"]:
        row = "%5d %6d kB  " % (entry["order"], (kernel["page_size"] << entry["order"]) // 1024)
        row += "".join("%-18s" % entry["nodes"].get(str(node), "-") for node in nodes)
        yield (row + "; ".join(entry["needed_by"])).rstrip()
    yield ""
    for wanted in verdict["orders"]:
        yield "wanted     order %d: at least %d free blocks on each node, unusable index at most %d%s" % (
            wanted["order"],
            policy["min_free_blocks"],
            policy["max_unusable_index"],
            "; for " + "; ".join(wanted["needed_by"]) if wanted["needed_by"] else "",
        )
    for node in sorted((verdict["before"] or {"nodes": {}})["nodes"], key=int):
        for row in verdict["before"]["nodes"][node]["orders"]:
            yield "node %-4s  order %d: %s (%d free blocks, unusable index %d)" % (
                node,
                row["order"],
                "; ".join(row["missing"]) or "has it",
                row["free_blocks"],
                row["unusable_index"],
            )
    yield "compaction %s: %s" % (
        "would run now" if verdict["act"] else "would not run now (%s)" % verdict["reason"],
        verdict["message"],
    )
    last = status["runs"].get("last_run")
    if last:
        yield "last run   %s, %s, goal %s" % (
            last["started_at"],
            "compacted" if last["acted"] else last["reason"],
            "met" if last["satisfied"] else "not met",
        )
    promised = (status["last_compaction"] or {"promised": ()})["promised"]
    for order in sorted({row["order"] for row in promised}):
        yield "compaction of %s: %s" % (status["last_compaction"]["ended_at"], promise.in_words(promised, order))
    for what in sorted(facts["unavailable"]):
        yield "not read   %s" % facts["unavailable"][what]
