# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Where the node tool begins. What runs each minute takes a short way: the command line of all the rest costs more than its work."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import sys

DONE, ERROR, USAGE = 0, 1, 2

# Commands that need nothing but these options, each with a value.
_QUICK = {
    "metrics": ("--root", "--policy", "--textfile"),
    "check": ("--root", "--policy", "--warning", "--critical"),
}
# What of a monitoring plugin means that it has no answer: 1 would be a warning about the node.
_UNANSWERED = {"check": 3}


def run():
    """What the installed tool does: main(), and the end of the process.

    To tidy up behind a run takes Python a tenth of what a quick one takes. The others go the usual way: journald asks for the unit of
    a line's sender when it reads the line, and does not find it where that is gone already.
    """
    try:
        _complete_streams()
        status = main()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (IOError, OSError) as error:
        status = _unheard(error)
        # Python would try once more to say what cannot be said.
        os._exit(status)
    if sys.argv[1:2] and sys.argv[1] in _QUICK:
        os._exit(status)
    raise SystemExit(status)


def _complete_streams():
    """Where the caller has closed one of the first three descriptors, no file that is opened later is to become a standard stream."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest that is free is taken: this one.
            if os.open(os.devnull, os.O_RDWR) == number and getattr(sys, name) is None:
                setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _unheard(error):
    """Nobody reads any more, or there is no space. -> exit status"""
    status = _UNANSWERED.get(sys.argv[1] if len(sys.argv) > 1 else None, ERROR)
    try:
        if sys.stderr is not None:
            _failed(error, status)
            sys.stderr.flush()
    except (IOError, OSError):
        # Not even that can be said.
        pass
    return status


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    options = _quick(argv)
    if options is None:
        from . import _tool

        return _tool.main(argv)
    command = {"metrics": metrics, "check": check}[argv[0]]
    return command(options.pop("root", "/"), options.pop("policy", None), {}, **options)


def _quick(argv):
    """-> {option: value} of a command line that can go the short way, else None."""
    options, known = {}, _QUICK.get(argv[0] if argv else None)
    if known is None or len(argv) % 2 == 0:
        return None
    for name, value in zip(argv[1::2], argv[2::2]):
        if name not in known or value.startswith("-") or name[2:] in options:
            return None
        options[name[2:]] = value
    return options


def metrics(root, policy_file, typed, textfile=None):
    """Writes the metrics to a directory, or prints them. -> exit status"""
    from . import _metrics, _policy_file
    from ._node import NodeError
    from ._node_writes import WritableNode

    try:
        node = WritableNode(root)
        policy = _policy_file.load(node, policy_file, typed)
        if textfile:
            _metrics.update(node, policy, textfile, installed)
        else:
            sys.stdout.write(_metrics.current(node, policy))
    except _policy_file.PolicyFileError as error:
        return _failed(error, USAGE)
    except NodeError as error:
        return _failed(error, ERROR)
    return DONE


def check(root, policy_file, typed, warning=None, critical=None):
    """Prints one line. -> 0, 1, 2 or 3, as monitoring plugins end; whatever keeps it from an answer is 3."""
    from . import _checks, _policy_file
    from ._node import NodeError
    from ._node_writes import WritableNode

    try:
        warning, critical = warning or _checks.WARNING_FROM, critical or _checks.CRITICAL_FROM
        for name, level in (("warning", warning), ("critical", critical)):
            if level not in _checks.LEVELS:
                raise _policy_file.PolicyFileError("--%s: %s is none of %s" % (name, level, ", ".join(_checks.LEVELS)))
        node = WritableNode(root)
        line, status = _checks.check(node, _policy_file.load(node, policy_file, typed), warning, critical)
    except (NodeError, _policy_file.PolicyFileError) as error:
        line, status = "MEMFRAG UNKNOWN - %s" % error, _checks.UNKNOWN
    sys.stdout.write(line + "\n")
    return status


def _failed(error, status):
    sys.stderr.write("memfrag: %s\n" % error)
    return status


def installed():
    """Whether the file that this runs from is still there. Tests have no such file."""
    archive = getattr(globals().get("__loader__"), "archive", None)
    if archive is None:
        return True
    from ._node_writes import WritableNode

    return WritableNode().exists(archive)
