# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The node tool ``memfrag``: its command line. What it knows and does is in the library, which it is shipped with."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import signal
import sys

from . import _entry, _facts, _fragmenters, _logline, _metrics, _policy_file, _tool_options, _yields
from ._compaction import guards, promise, state
from ._compaction.plan import HELD_OFF as HELD_OFF_REASONS
from ._compaction.plan import plan
from ._compaction.run import run
from ._compaction.target import subset
from ._node import NodeError
from ._node_writes import WritableNode
from ._options import OptionError
from ._policy_file import PolicyFileError

DONE, ERROR, USAGE, NOT_MET, HELD_OFF = 0, 1, 2, 3, 4


def main(argv=None):
    arguments = _tool_options.parser(_COMMANDS).parse_args(argv)
    if not getattr(arguments, "command", None):
        # Python 2 asks for a command by itself, Python 3 does not.
        _tool_options.parser(_COMMANDS).error("too few arguments")
    try:
        return arguments.command(arguments, WritableNode(arguments.root))
    except (PolicyFileError, OptionError) as error:
        return _failed(arguments, error, USAGE)
    except NodeError as error:
        return _failed(arguments, error, ERROR)
    except KeyboardInterrupt:
        # Who has called it, a shell for example, has to see that it was the signal; and nobody a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


def _failed(arguments, error, status):
    """Says what is wrong where somebody reads it: of a job that is the system log."""
    sys.stderr.write("memfrag: %s\n" % error)
    if getattr(arguments, "syslog", False):
        _logline.send("error=%s" % _logline.quoted(error), True)
    return status


def _policy(arguments, node):
    return _policy_file.load(node, arguments.policy, _tool_options.typed_options(arguments))


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
    seconds = _tool_options.whole_number("seconds", arguments.seconds, _fragmenters.LONGEST_SECONDS)
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
    return _entry.metrics(arguments.root, arguments.policy, _tool_options.typed_options(arguments), arguments.textfile)


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
        deadline_seconds=_tool_options.whole_number("deadline_seconds", arguments.deadline_seconds, 3600),
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
    typed = _tool_options.typed_options(arguments)
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
    """Of a run, see what --help says (_tool_options)."""
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


# Name, what it runs, what --help says of it.
_COMMANDS = (
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
)
