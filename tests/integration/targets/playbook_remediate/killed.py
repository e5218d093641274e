# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""usage: killed.py DIRECTORY PYTHON [POINTS [JOBS [SIGNAL ...]]]     kills remediations, and sees whether the next run heals it

Two nodes are mended with both hooks. The run is killed (SIGKILL, every process) at POINTS of its events, or shortly after one, so that it
dies within a step as well as between steps. Then, each time: a node that is out of service has a mark; and a second run brings
every node back, leaves no mark, and nothing in the collection. SIGNAL: TERM, INT or HUP in the place of KILL, in turn where there are several.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import signal
import sys
import threading
import time

import fleet
import remediation

# Seconds after the event: at once, and within what follows.
DELAYS = (0, 0.05, 0.3)
HOSTS = ("a", "six")


class Killing:
    def __init__(self, directory, python, collections):
        self.nodes = remediation.Fleet(directory, python, collections)
        self.records = self.nodes.path("cwd", "memfrag-audit")
        self.log = self.nodes.path("events")

    def run(self, number, event, delay, how=signal.SIGKILL):
        """-> how many events there were"""
        fleet.reset(self.nodes.directory)
        if os.path.exists(self.log):
            os.unlink(self.log)
        environment = {
            "ANSIBLE_CALLBACK_PLUGINS": os.path.join(remediation.HERE, "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "killer",
            "KILLER_LOG": self.log,
            "KILLER_EVENT": str(event),
            "KILLER_DELAY": str(delay),
            "KILLER_SIGNAL": str(int(how)),
        }
        variables = {"memfrag_run_id": "killed%d" % number}
        status, output = self.nodes.remediate(":".join(HOSTS), variables, environment=environment)
        # Where it is ended late it may have come to its end; Ansible has statuses of its own for an interruption.
        ended = (-how, 128 + how, 0) if how == signal.SIGKILL else (-how, 128 + how, 0, 1, 2, 4, 99, 250)
        assert event == 0 and status == 0 or event and status in ended, (status, output)
        with open(self.log) as stream:
            events = stream.read().splitlines()
        drained, marks = self.nodes.drained(), self.nodes.marks(self.records)
        assert {host + ".json" for host in drained} <= set(marks), ("a node without a mark", drained, marks, output)
        if event:
            status, again = self.nodes.remediate(":".join(HOSTS), {"memfrag_run_id": "healed%d" % number})
            assert status == 0, (events[-1], again)
            found = self.nodes.outcomes(self.records, "healed%d" % number)
            assert {one["outcome"] for one in found.values()} <= {"mended", "healthy"} and len(found) == 2, found
        left = (self.nodes.drained(), self.nodes.marks(self.records))
        assert left == ([], []), (events[-1], left)
        print("%3d %-50s %4.2f s after it: drained %s, marked %s" % (event, events[-1], delay, drained, marks))
        sys.stdout.flush()
        return len(events)


def main():
    directory, python = sys.argv[1:3]
    points, jobs = [int(word) for word in sys.argv[3:5]] + [30, 2][len(sys.argv[:5]) - 3 :]
    signals = [getattr(signal, "SIG" + word) for word in sys.argv[5:] or ["KILL"]]
    collections = remediation.read_only_copy(os.path.join(directory, "installed"))
    before = remediation.snapshot(collections)
    started = time.time()
    killings = [Killing(os.path.join(directory, "fleet%d" % job), python, collections) for job in range(jobs)]
    events = killings[0].run(0, 0, 0)
    work = [(1 + number * (events - 1) // points, DELAYS[number % len(DELAYS)]) for number in range(points)]
    work = list(enumerate(work, 1))
    wrong = []

    def labour(killing):
        while work and not wrong:
            number, (event, delay) = work.pop(0)
            try:
                killing.run(number, event, delay, signals[number % len(signals)])
            except Exception as error:  # pylint: disable=broad-except
                wrong.append(error)
                raise

    threads = [threading.Thread(target=labour, args=(killing,)) for killing in killings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert remediation.snapshot(collections) == before, "something was written into the collection"
    print("killed at %d of %d events, healed each time, in %d s" % (points, events, time.time() - started))


if __name__ == "__main__":
    main()
