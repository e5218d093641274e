# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The audit that a node makes of itself: the record that a controller would have written, for fleets that none reaches.

What it says of itself is for whoever is on the node. A report that is made of such records takes facts and journal, and judges them anew.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import time

from . import _audit, _facts, _grading, _node_locks, _record, _watch
from ._assessment.assess import assess
from ._assessment.remediation import SURVEY_SUBSET, hinges_on_survey
from ._node import Node, NodeError, seconds_now
from ._node_writes import WritableNode
from ._text import strip_controls

LOCK_SECONDS = 10
# So many findings are told in words.
_TOLD = 10


def own_name(node):
    """What the node calls itself, None where it has no name."""
    if node.root == "/":
        return os.uname()[1] or None
    try:
        return node.read_text("/etc/hostname", 4096).strip().split("\n")[0].strip() or None
    except NodeError:
        return None


def audit(name, options, rules, pageblocks="auto", previous=None):
    """-> the record.

    options      values of _audit.NODE_OPTIONS
    rules        the assessment's policy, which holds
    pageblocks   whether to look into them: "true", "false", "auto" for where the assessment hinges on it
    previous     facts of the record before this one, for rates
    """
    started, begun = time.time(), seconds_now()
    record = _record.empty(name, (), started)
    try:
        record.update(json.loads(_audit.collect(options)))
    except _watch.CollectError as error:
        record["error"] = strip_controls("%s" % error)
    else:
        _grading.grade(record["facts"])
        record["status"] = "audited"
        record["assessment"] = assess(record["facts"], record["journal"], rules, previous, started)
        if _wants_survey(record, options["root"], pageblocks):
            _survey(record["facts"], options)
            record["assessment"] = assess(record["facts"], record["journal"], rules, previous, started)
    record["duration_seconds"] = round(seconds_now() - begun, 3)
    return record


def _wants_survey(record, root, pageblocks):
    if pageblocks != "auto":
        return pageblocks == "true"
    return root == "/" and hinges_on_survey(record["facts"], record["assessment"])


def _survey(facts, options):
    """What holds the pageblocks. That it cannot be had costs nothing of the audit."""

    def work(deadline, tell):
        tell("facts", _facts.collect(Node(options["root"], deadline), SURVEY_SUBSET))

    try:
        seen = json.loads(_watch.collect(options["deadline_seconds"], work).get("facts") or "{}")
        why = (seen.get("unavailable") or {}).get("pageblocks")
    except _watch.CollectError as error:
        seen, why = {}, strip_controls("%s" % error)
    for key in ("pageblock_survey", "hugepages"):
        facts[key] = seen.get(key)
    if not facts["pageblock_survey"]:
        facts["unavailable"]["pageblocks"] = why or "the node did not say what holds its pageblocks"


class Store:
    """The directory that records of this node go to: one file, which is replaced as a whole, for its owner alone.

    It may lie on a share. Only the name of the file says whose record it is, so let nobody but the node write there.
    """

    def __init__(self, directory, name):
        try:
            self._place = WritableNode(directory)
        except NodeError:
            raise NodeError(directory, "this is no directory to write a record in")
        self._file = "/" + _record.file_name(name)

    def previous(self):
        """The facts of the last record, if nobody else can have written it, or None."""
        try:
            facts = self._place.read_json(self._file, _record.LARGEST)["facts"]
            # What the rates are made of, and no more.
            counters = {name: int(value) for name, value in facts["vmstat"].items()}
            uptime = float(facts["kernel"]["uptime_seconds"])
            return {"collected_at": facts["collected_at"], "vmstat": counters, "kernel": {"uptime_seconds": uptime}}
        except (NodeError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, record):
        """-> the path of the file. NodeError where it cannot be written, or another run goes on writing it."""
        text = _record.text(record)
        if len(text) > _record.LARGEST:
            raise NodeError(
                self._file[1:], "the record would have %d bytes, of at most %d" % (len(text), _record.LARGEST)
            )
        # Two runs at once share a temporary file.
        lock = "/." + self._file[1:] + ".lock"
        with _node_locks.lock(self._place, lock, wait_seconds=LOCK_SECONDS, remove=True) as held:
            if not held:
                raise NodeError(lock[1:], "another run has held the lock for %d seconds" % LOCK_SECONDS)
            self._place.write_file(self._file, text, 0o600)
        return self._place.path(self._file)


def lines(record):
    """A record in words, for who is on the node."""
    if record["status"] != "audited":
        yield "%s: %s" % (record["host"], record["error"])
        return
    assessment, journal = record["assessment"], record["journal"]
    yield "%s: %s, score %d of 100" % (record["host"], assessment["level"], assessment["score"])
    yield assessment["summary"]
    for found in assessment["findings"][:_TOLD]:
        yield "%s  %-8s %s" % (found["id"], found["severity"], strip_controls(found["title"]))
    if len(assessment["findings"]) > _TOLD:
        yield "and %d more" % (len(assessment["findings"]) - _TOLD)
    for incident in ((journal or {}).get("incidents") or ())[:1]:
        yield "log    %s: %s" % (incident["cause"], strip_controls(incident["reason"]))
    advice = assessment["remediation"]
    yield "do     %s: %s" % (advice["action"].replace("_", " "), strip_controls(advice["reason"]))
