# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import re
import time

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import (
    _checks,
    _entry,
    _facts,
    _families,
    _metrics,
    _metrics_state,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess, blocks_left
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import complete
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

HEALTHY = "6.1.0-56-cloud-amd64/healthy"
PINNED = "6.1.0-56-cloud-amd64/fragmented"
NUMA = "5.10.0-46-cloud-amd64/numa-fragmented"

# A report of the kernel that stands for itself, as syslog has it.
FAILURE = (
    "%(time)s node17 kernel: [ 4242.000000] runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0\n"
    "%(time)s node17 kernel: [ 4242.000001] CPU: 3 PID: 332 Comm: runc:[1:CHILD] Not tainted 3.10.0-862.el7.x86_64 #1\n"
    "%(time)s node17 kernel: [ 4242.000002] Call Trace:\n"
    "%(time)s node17 kernel: [ 4242.000003]  [<ffffffff8171e5a0>] warn_alloc_failed+0x110/0x180\n"
    "%(time)s node17 kernel: [ 4242.000004]  [<ffffffff8171e5a0>] __alloc_pages_slowpath+0x6bc/0x724\n"
    "%(time)s node17 kernel: [ 4242.000005] Node 0 Normal free:1048576kB min:11264kB low:14080kB high:16896kB managed:16777216kB\n"
    "%(time)s node17 kernel: [ 4242.000006] Node 0 Normal: 262144*4kB (UEM) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB"
    " 0*2048kB 0*4096kB = 1048576kB\n"
)
QUIET = "%(time)s node17 systemd[1]: Started Session 42 of user root.\n"
EVENT = 'memfrag_incidents_total{kind="page_allocation_failure",cause="fragmentation"}'


def stamp(seconds_ago=0):
    return {"time": time.strftime("%b %d %H:%M:%S", time.localtime(time.time() - seconds_ago))}


@pytest.fixture(name="node")
def node_fixture(node_root):
    """A node whose metrics go to /prom"""
    root = node_root(HEALTHY)
    for place in ("run/keep", "prom/keep"):
        build_roots.write(root, place)
    return WritableNode(root)


def policy(**assessment):
    return {"target": complete({}), "textfile": None, "assessment": assessment}


def samples(text):
    """{series: value} of a file that keeps to the format."""
    found, typed = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in typed and name.startswith("memfrag_")
            assert (kind == "counter") is name.endswith("_total")
            typed[name] = kind
        elif not line.startswith("# HELP "):
            series, dummy, value = line.rpartition(" ")
            assert series.partition("{")[0] in typed and series not in found
            found[series] = float(value)
    return found


def rendered(name, node_root, **runs):
    facts = _facts.collect(Node(node_root(name)), ("all", "!extfrag"))
    return facts, _metrics.render(facts, policy(), runs, _metrics_state.load(WritableNode(node_root(name))))


# --- what is in it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", build_roots.names())
def test_every_capture_has_its_metrics_and_they_say_what_the_audit_says(name, node_root):
    runs = {
        "failures": 2,
        "runs": {'a"b\\c': 1, "met": 7},
        "last_run": {"started_at": "2026-11-21T03:00:00Z", "duration_seconds": 0.5},
    }
    facts, text = rendered(name, node_root, **runs)
    found, verdict = samples(text), assess(facts)
    assert found["memfrag_risk_score"] == verdict["score"]
    assert found['memfrag_risk_level{level="%s"}' % verdict["level"]] == 1
    assert sum(value for series, value in found.items() if series.startswith("memfrag_risk_level")) == 1
    advice = verdict["remediation"]
    assert found['memfrag_remediation{action="%s"}' % advice["action"]] == 1
    assert found["memfrag_remediation_will_help"] == {True: 1, False: 0, None: -1}[advice["will_help"]]
    for entry in facts["allocatable"]:
        for number in sorted({zone["node"] for zone in facts["zones"]}):
            series = 'memfrag_allocatable_blocks{node="%d",size="%d"}' % (number, entry["order"])
            # Where nothing tells of watermarks, the assessment estimates them.
            if facts["zones"][0]["watermarks"]:
                assert found[series] == blocks_left(facts, entry["order"], number)
    assert {finding["id"] for finding in verdict["findings"]} == {
        re.search('finding="(MF[0-9]+)"', series).group(1) for series in found if series.startswith("memfrag_finding{")
    }
    assert found["memfrag_compaction_last_run_timestamp_seconds"] == 1795230000
    assert found['memfrag_compaction_runs_total{reason="a\\"b\\\\c"}'] == 1


@pytest.mark.parametrize("name, most", [(HEALTHY, 180), (PINNED, 180), (NUMA, 260)])
def test_the_number_of_series_is_bounded(name, most, node_root):
    assert len(samples(rendered(name, node_root)[1])) <= most


def test_incidents_are_there_before_the_first(node_root):
    found = samples(rendered(HEALTHY, node_root)[1])
    zeros = [series for series, value in found.items() if series.startswith("memfrag_incidents_total")]
    assert EVENT in zeros and not any(found[series] for series in zeros)


def test_the_policy_of_the_assessment_counts(node_root):
    facts = _facts.collect(Node(node_root(HEALTHY)), ("all", "!extfrag"))
    state = _metrics_state.load(WritableNode(node_root(HEALTHY)))
    text = _metrics.render(facts, policy(target_orders=[10], spare_blocks=1000000), {}, state)
    assert 'memfrag_order_needed{size="10",need="required"} 1\n' in text
    assert 'memfrag_risk_level{level="low"} 0\n' in text


# --- the file -----------------------------------------------------------------------------------------------------


def test_the_file_is_replaced_as_a_whole_and_on_record(node):
    assert _metrics.update(node, policy(), "/prom") is True
    text = node.read_text("/prom/memfrag.prom")
    assert text.endswith("\n") and samples(text)
    assert node.read_text(_metrics.WRITTEN) == "/prom/memfrag.prom\n"
    assert sorted(node.listdir("/prom")) == ["keep", "memfrag.prom"]
    assert node.listdir("/run") == ["keep"]
    node.remove("/proc/buddyinfo")
    _metrics.update(node, policy(), "/prom")
    found = samples(node.read_text("/prom/memfrag.prom"))
    assert found['memfrag_source_errors_total{source="buddyinfo"}'] == 1
    assert 0 < found['memfrag_source_read_timestamp_seconds{source="buddyinfo"}'] <= time.time()
    # Nothing is said of what is not known.
    assert not [series for series in found if series.startswith("memfrag_allocatable")]
    assert found['memfrag_risk_level{level="unknown"}'] == 1


def test_a_removed_tool_writes_nothing(node):
    assert _metrics.update(node, policy(), "/prom", installed=lambda: False) is False
    assert node.listdir("/prom") == ["keep"] and node.listdir("/run") == ["keep"]
    assert not node.exists("/var/lib/memfrag")


def test_a_file_that_cannot_be_written_leaves_the_one_before(node, monkeypatch):
    _metrics.update(node, policy(), "/prom")
    before = node.read_bytes("/prom/memfrag.prom")

    def full(dummy_old, dummy_new):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(Exception, match="No space left"):
        _metrics.update(node, policy(), "/prom")
    monkeypatch.undo()
    assert node.read_bytes("/prom/memfrag.prom") == before


def test_counters_that_others_could_have_written_begin_anew(node):
    _metrics.update(node, policy(), "/prom")
    path = node.path(_metrics_state.FILE)
    for text, mode in (
        ('{"incidents": {"page_allocation_failure/fragmentation": 7}}', 0o666),
        ("{", 0o644),
        ("[]", 0o644),
    ):
        with io.open(path, "wb") as stream:
            stream.write(text.encode("ascii"))
        os.chmod(path, mode)
        _metrics.update(node, policy(), "/prom")
        assert samples(node.read_text("/prom/memfrag.prom"))[EVENT] == 0
        assert os.stat(path).st_mode & 0o777 == 0o644


# --- the log ------------------------------------------------------------------------------------------------------


class Log(object):
    """/var/log/syslog of a node, its last line so many seconds old"""

    def __init__(self, node):
        self.node = node
        build_roots.write(node.root, "var/log/syslog", FAILURE % stamp(7200))
        self.path = node.path("/var/log/syslog")
        self.age(120)

    def age(self, seconds):
        os.utime(self.path, (time.time() - seconds,) * 2)

    def add(self, text, age=120):
        with io.open(self.path, "ab") as stream:
            stream.write(text.encode("utf-8"))
        self.age(age)

    def count(self):
        _metrics.update(self.node, policy(), "/prom")
        return samples(self.node.read_text("/prom/memfrag.prom"))[EVENT]

    def gaps(self):
        return samples(self.node.read_text("/prom/memfrag.prom"))["memfrag_log_gaps_total"]


def test_each_event_counts_once_over_runs(node):
    log = Log(node)
    # What was there before the first run has been.
    assert log.count() == 0
    log.add(QUIET % stamp() + FAILURE % stamp())
    assert log.count() == 1
    assert log.count() == 1
    log.add(QUIET % stamp())
    assert log.count() == 1
    log.add(FAILURE % stamp(60) + QUIET % stamp() * 300 + FAILURE % stamp())
    assert log.count() == 3
    # Looking is not reading.
    log.add(FAILURE % stamp(30))
    assert samples(_metrics.current(node, policy()))[EVENT] == 3
    assert log.count() == 4 and log.gaps() == 0


def test_events_of_a_rotated_log_count_once(node):
    log = Log(node)
    log.count()
    log.add(FAILURE % stamp(50))
    os.rename(log.path, log.path + ".1")
    build_roots.write(node.root, "var/log/syslog", FAILURE % stamp(5))
    log.age(60)
    assert log.count() == 2
    assert log.count() == 2 and log.gaps() == 0


def test_a_log_that_was_cut_back_or_is_gone_is_a_gap(node):
    log = Log(node)
    log.add(QUIET % stamp() * 50)
    log.count()
    build_roots.write(node.root, "var/log/syslog", FAILURE % stamp())
    log.age(60)
    assert log.count() == 1 and log.gaps() == 1
    os.rename(log.path, node.path("/var/log/elsewhere"))
    build_roots.write(node.root, "var/log/syslog", FAILURE % stamp())
    log.age(60)
    assert log.count() == 2 and log.gaps() == 2


def test_a_report_that_is_being_written_counts_when_it_is_whole(node):
    log = Log(node)
    log.count()
    lines = (FAILURE % stamp()).splitlines(True)
    log.add("".join(lines[:2]) + lines[2][:20], age=0)
    assert log.count() == 0
    log.add(lines[2][20:] + "".join(lines[3:]), age=0)
    # It had begun at the run before, so that it is taken now, however lively the log is.
    assert log.count() == 1
    log.add(QUIET % stamp(), age=0)
    assert log.count() == 1


def test_counts_survive_whatever_ends_a_run(node, monkeypatch):
    """Killed after what was counted is on record and before the file is in place: the next run tells."""
    log = Log(node)
    log.count()
    log.add(FAILURE % stamp())
    with monkeypatch.context() as patch:
        patch.setattr(_metrics, "write", lambda *dummy: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            _metrics.update(node, policy(), "/prom")
    assert log.count() == 1
    log.add(FAILURE % stamp())
    with monkeypatch.context() as patch:
        patch.setattr(_metrics_state, "save", lambda *dummy: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            _metrics.update(node, policy(), "/prom")
    assert log.count() == 2


def test_a_node_without_a_log_says_so(node):
    _metrics.update(node, policy(), "/prom")
    found = samples(node.read_text("/prom/memfrag.prom"))
    assert found['memfrag_source_errors_total{source="log"}'] == 1
    assert found['memfrag_source_read_timestamp_seconds{source="log"}'] == 0


# --- the check ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, options, status, words",
    [
        (
            HEALTHY,
            (),
            0,
            "MEMFRAG OK - nothing stands against allocating contiguous memory | score=0;;;0;100 order3_blocks=",
        ),
        (PINNED, (), 1, "MEMFRAG WARNING - "),
        (PINNED, ("--critical", "medium"), 2, "MEMFRAG CRITICAL - "),
        (PINNED, ("--warning", "critical"), 0, "MEMFRAG OK - "),
        (
            PINNED,
            ("--warning", "worse"),
            3,
            "MEMFRAG UNKNOWN - --warning: worse is none of low, medium, high, critical",
        ),
        (HEALTHY, ("--policy", "/nowhere.json"), 3, "MEMFRAG UNKNOWN - /nowhere.json: no such file"),
    ],
)
def test_the_check_is_one_line_and_a_status(name, options, status, words, node_root, capsys):
    ended = _entry.main(["check", "--root", node_root(name)] + list(options))
    text = capsys.readouterr().out
    assert (ended, text.count("\n")) == (status, 1) and text.startswith(words)
    assert text.count("|") == (status != 3)


def test_a_node_that_says_nothing_is_unknown(node_root, capsys):
    root = node_root(HEALTHY, without=("buddyinfo",))
    assert _entry.main(["check", "--root", root]) == 3
    assert capsys.readouterr().out.startswith("MEMFRAG UNKNOWN - What can be allocated is not known")


@pytest.mark.parametrize(
    "level, status", [("low", 0), ("medium", 1), ("high", 1), ("critical", 2), ("unknown", 3), ("?", 3)]
)
def test_levels_and_statuses(level, status):
    assert _checks.status_of(level) == status


# --- the command --------------------------------------------------------------------------------------------------


def test_the_short_way_and_the_long_way_say_the_same(node, capsys):
    for command in (["metrics"], ["check"]):
        short = command + ["--root", node.root]
        assert _entry._quick(short) is not None and _entry._quick(short + ["--order", "4"]) is None
        assert _entry.main(short) == 0
        first = capsys.readouterr().out
        assert _entry.main(short + ["--order", "4"]) == 0
        known = {line.partition("{")[0].partition(" ")[0] for line in first.splitlines()}
        assert known == {line.partition("{")[0].partition(" ")[0] for line in capsys.readouterr().out.splitlines()}


@pytest.mark.parametrize(
    "text, words",
    [
        ('{"assessment": []}', "assessment: [] is not an object"),
        ('{"assessment": {"spare": 1}}', "assessment: policy has no spare"),
        ('{"assessment": {"spare_blocks": -1}}', "assessment: policy.spare_blocks must be a whole number"),
    ],
)
def test_wrong_policies_of_the_assessment(text, words, node, capsys):
    build_roots.write(node.root, "etc/memfrag/policy.json", text)
    assert _entry.main(["metrics", "--root", node.root]) == 2
    assert "/etc/memfrag/policy.json: " + words in capsys.readouterr().err
    assert _entry.main(["check", "--root", node.root]) == 3


def test_the_directory_of_metrics_has_to_be_there(node, capsys):
    assert _entry.main(["metrics", "--root", node.root, "--textfile", "/nowhere"]) == 1
    assert "/nowhere/memfrag.prom: no such file" in capsys.readouterr().err


def test_kinds_and_causes_are_those_of_the_journal():
    from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal, reports

    causes = {cause for causes in _families._CAUSES.values() for cause in causes.split()}
    assert causes <= set(journal.CAUSES)
    assert set(reports.FIELDS) <= set(_families._CAUSES)
    assert json.dumps(sorted(_families._CAUSES))


@pytest.mark.parametrize(
    "known",
    [
        {"log": {"path": "/var/log/syslog"}},
        {
            "log": {
                "path": "/var/log/syslog",
                "inode": 1,
                "offset": -1,
                "seen": 0,
                "head_size": 1 << 40,
                "head": 0,
            }
        },
        {"log": {"cursor": 7, "at": 1}},
        {"directories": {"at": int(time.time())}},
        {"incidents": {'a"b\\\n': 1, "x": "y"}, "sources": {"log": [], "slabinfo": {"read": "x"}}},
        {"sources": 7, "incidents": [], "gaps": None, "log": "x", "directories": True},
    ],
)
def test_a_state_of_another_shape_is_none(known, node):
    build_roots.write(node.root, "var/log/syslog", QUIET % stamp(60))
    build_roots.write(node.root, "proc/cgroups", "memory\t0\t120\t1\n")
    build_roots.write(node.root, "sys/fs/cgroup/keep")
    for text in (json.dumps(known), "[" * 100000):
        node.own_directory(_metrics_state.DIRECTORY)
        node.write_file(_metrics_state.FILE, text)
        assert _entry.metrics(node.root, None, {}, "/prom") == 0
        assert node.read_text("/prom/memfrag.prom").endswith("\n")
        assert _metrics_state.load(node)["log"]["path"] == "/var/log/syslog"
