# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""usage: scenarios.py DIRECTORY PYTHON     remediates a small fleet in several ways; the first that is wrong ends it"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import sys

import remediation


def show(result):
    print(result[1])
    return result[0]


def in_check_mode(nodes, records):
    """Check mode says what it would do, and does nothing."""
    assert show(nodes.remediate("a,healthy", {"memfrag_run_id": "check"}, check=True)) == 0
    found = nodes.outcomes(records, "check")
    assert {host: one["outcome"] for host, one in found.items()} == {"a": "waiting", "healthy": "healthy"}, found
    assert not nodes.compacted("a") and not nodes.drained() and not nodes.marks(records)


def as_documented(nodes, records):
    """The documented command, with a relative directory of records; and as many nodes as the limit says."""
    wanted = {
        "a": "mended",
        "six": "mended",
        "b": "waiting",
        "left": "left_alone",
        "healthy": "healthy",
        "dead": "unknown",
    }
    assert (
        show(
            nodes.remediate(
                "a:six:b:left:healthy:dead",
                {"memfrag_run_id": "r1", "memfrag_remediate_limit": 2, "memfrag_hosts": "a:six:b:left:healthy:dead"},
            )
        )
        == 0
    )
    found = nodes.outcomes(records, "r1")
    taken = [host for host in ("a", "six", "b") if found[host]["outcome"] == "mended"]
    assert len(taken) == 2 and sorted(nodes.compacted(host) for host in ("a", "b", "six")) == [False, True, True], found
    wanted.update(dict.fromkeys(("a", "six", "b"), "waiting"), **dict.fromkeys(taken, "mended"))
    assert {host: one["outcome"] for host, one in found.items()} == wanted, found
    assert not nodes.drained() and not nodes.marks(records)
    for host in taken:
        assert "order %d" % {"six": 6}.get(host, 5) in found[host]["compaction"]["message"], found[host]


def after_an_interruption(nodes, records):
    """An interrupted run has taken these. The one is dead, the other healthy, a third one is not asked for, and all remediation is stopped."""
    for host in ("dead", "healthy", "d"):
        for path in (nodes.path("drained", host), os.path.join(records, "remediating", host + ".json")):
            with io.open(path, "w", encoding="utf-8") as stream:
                stream.write("" if "drained" in path else json.dumps({"host": host, "run_id": "r0"}))
    assert show(nodes.remediate("dead:healthy:c", {"memfrag_run_id": "r2", "memfrag_kill_switch": True})) == 0
    found = nodes.outcomes(records, "r2")
    assert {host: one["outcome"] for host, one in found.items()} == {
        "dead": "unknown",
        "healthy": "healthy",
        "c": "waiting",
    }, found
    assert "kill switch" in found["c"]["reason"] and not nodes.compacted("c")
    assert (nodes.drained(), nodes.marks(records)) == (["d"], ["d.json"])
    with io.open(os.path.join(records, "r2", "remediation.txt"), encoding="utf-8") as stream:
        assert "  d: taken by run r0" in stream.read()


def with_a_hook_that_fails(nodes, records):
    """Absolute paths, from another directory; a hook that fails gives the node back, and nothing is done to the others."""
    os.mkdir(nodes.path("elsewhere"))
    with io.open(nodes.path("fails.yml"), "w", encoding="utf-8") as stream:
        stream.write(
            "- ansible.builtin.include_tasks: drain.yml\n- ansible.builtin.fail:\n    msg: it does not drain\n"
        )
    variables = {
        "memfrag_run_id": "r3",
        "memfrag_records_dir": records,
        "memfrag_remediate_before": nodes.path("fails.yml"),
        "memfrag_remediate_after": nodes.path("return.yml"),
    }
    assert show(nodes.remediate("c:d", variables, cwd="elsewhere")) != 0
    found = nodes.outcomes(records, "r3")
    assert sorted(one["outcome"] for one in found.values()) == ["failed", "waiting"], found
    assert "it does not drain" in [one for one in found.values() if one["outcome"] == "failed"][0]["reason"]
    assert not nodes.drained() and not nodes.marks(records) and not os.listdir(nodes.path("elsewhere"))


def imported_twice(nodes, records):
    """A playbook that imports it twice, for one part of the fleet after the other, takes each node once."""
    with io.open(nodes.path("cwd", "twice.yml"), "w", encoding="utf-8") as stream:
        for run, host in (("r4", "c"), ("r5", "d")):
            about = '"memfrag_run_id": "%s", "memfrag_hosts": "%s"' % (run, host)
            stream.write("- import_playbook: kernelops.memfrag.remediate\n  vars: {%s}\n" % about)
    status, output = nodes.remediate("c:d", playbook="twice.yml")
    assert show((status, output)) == 0
    assert [output.count("/drain.yml for %s" % host) for host in ("c", "d")] == [1, 1]
    assert nodes.outcomes(records, "r4")["c"]["outcome"] == nodes.outcomes(records, "r5")["d"]["outcome"] == "mended"


def main():
    directory, python = sys.argv[1:]
    collections = remediation.read_only_copy(os.path.join(directory, "installed"))
    before = remediation.snapshot(collections)
    nodes = remediation.Fleet(os.path.join(directory, "fleet"), python, collections)
    records = nodes.path("cwd", "memfrag-audit")
    for scenario in (in_check_mode, as_documented, after_an_interruption, with_a_hook_that_fails, imported_twice):
        scenario(nodes, records)
    assert remediation.snapshot(collections) == before, "something was written into the collection"


if __name__ == "__main__":
    main()
