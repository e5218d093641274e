# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was not read is said, what could not be judged is counted, and what leaves the node is bounded and holds no secrets."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal, readers, runtimes
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Deadline, Node, NodeError

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 4 + ["fixtures"])
with io.open(os.path.join(FIXTURES, "logs", "peers", "cgroup_oom.messages"), "rb") as _stream:
    REPORT = _stream.read()
FAILED = (
    'Nov 21 01:00:00 node-1 kubelet[1]: E1121 01:00:00.000000 1 kuberuntime_sandbox.go:68] CreatePodSandbox for pod "pod-%d_ns" failed: '
    "rpc error: code = Unknown desc = %s: no space left on device\n"
)


def collect(*files, **options):
    options.setdefault("since", "1970-01-01")
    return journal.collect(Node("/"), dict(options, files=[str(name) for name in files]))


# --- no silent all-clear ------------------------------------------------------------------------------------------------


@pytest.fixture(name="command")
def command_fixture(tmp_path, monkeypatch):
    """-> a function that puts a shell script on the path"""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path / "bin", os.environ["PATH"]))

    def put(name, script):
        (tmp_path / "bin" / name).write_bytes(b"#!/bin/sh\n" + script.encode("ascii"))
        (tmp_path / "bin" / name).chmod(0o755)

    return put


# As journal-util.c has them.
HINT = """echo 'Hint: You are currently not seeing messages from other users and the system.
      Users in groups adm, systemd-journal can see all messages.
      Pass -q to turn off this notice.' >&2"""


def of_journal(tmp_path, **options):
    (tmp_path / "j").mkdir()
    return journal.collect(Node("/"), dict(options, journal_directory=str(tmp_path / "j")))["sources"]


def test_a_user_who_may_not_read_the_system_journal(tmp_path, command):
    # --quiet keeps journalctl from saying so.
    command("journalctl", 'case "$*" in *-q*|*--quiet*) exit 0;; esac\n%s\necho "-- No entries --"' % HINT)
    for source in of_journal(tmp_path):
        assert source["status"] == "partial"
        assert "not seeing messages from other users and the system" in source["reason"]
        assert not source["bytes"]


@pytest.mark.parametrize(
    "words",
    [
        "No journal files were opened due to insufficient permissions.",
        "No journal files were found.",
        "Failed to open /x: Permission denied",
    ],
)
@pytest.mark.parametrize("status", [0, 1])
def test_a_journal_that_cannot_be_opened(tmp_path, command, words, status):
    command("journalctl", "echo '%s' >&2; exit %d" % (words, status))
    for source in of_journal(tmp_path):
        assert (source["status"], source["reason"]) == ("failed", "journalctl: " + words)


def test_remarks_of_journalctl_are_no_messages(tmp_path, command):
    line = "1795222923.000000 node-1 kernel: x"
    command(
        "journalctl",
        "echo '-- Logs begin at Sat 2026-11-21 --'; echo '%s'; echo '-- Boot 4f --'; echo '%s'" % (line, line),
    )
    source = of_journal(tmp_path)[0]
    assert (source["status"], source["bytes"]) == ("read", 2 * len(line) + 2)
    assert source["first_time"] == "2026-11-21T01:02:03Z"


def test_journals_of_another_machine_id(tmp_path):
    own, other = "a" * 32, "b" * 32
    for name in (own, other, "remote"):
        (tmp_path / "var/log/journal" / name).mkdir(parents=True)
        (tmp_path / "var/log/journal" / name / "system.journal").write_bytes(b"")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_bytes(own.encode("ascii") + b"\n")
    node = Node(str(tmp_path))
    assert readers.other_journals(node, None) == (
        "journal files of another machine id were not read; give /var/log/journal/%s as journal_directory" % other
    )
    assert readers.other_journals(node, time.time() + 1000) is None
    (tmp_path / "var/log/journal" / other / "system.journal").unlink()
    assert readers.other_journals(node, None) is None


def test_below_a_root_the_journal_with_something_in_it_is_read(tmp_path):
    (tmp_path / "var/log/journal").mkdir(parents=True)
    (tmp_path / "run/log/journal/x").mkdir(parents=True)
    (tmp_path / "run/log/journal/x/system.journal").write_bytes(b"")
    arguments = readers.journal_arguments(Node(str(tmp_path)), None, None, None)
    assert arguments[-1] == "--directory=%s/run/log/journal" % tmp_path


@pytest.mark.parametrize(
    "words", ["dmesg: read kernel buffer failed: Operation not permitted", "dmesg: klogctl: Permission denied"]
)
def test_a_ring_buffer_that_is_kept_from_users(command, words):
    command("dmesg", "echo '%s' >&2; exit 1" % words)
    state = journal.Journal(Node("/"), {}, time.time())
    state.ring_buffer()
    source = state.result()["sources"][0]
    assert source["status"] == "failed"
    assert "dmesg_restrict" in source["reason"]


class _Closed(Node):
    """Directories and files that this user may not read (tests run as root)"""

    closed = ()

    def readable(self, path):
        return not path.endswith(self.closed)

    def glob(self, pattern):
        return [path for path in Node.glob(self, pattern) if not any(name + "/" in path for name in self.closed)]

    def open_binary(self, path):
        if path.endswith(self.closed):
            raise NodeError(path, "permission denied, root can read it", 13)
        return Node.open_binary(self, path)


def test_parts_of_a_pattern_that_may_not_be_read(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.log").write_bytes(REPORT)
    node = _Closed("/")
    node.closed = ("/b",)
    result = journal.collect(node, {"files": [str(tmp_path / "*" / "*.log")], "since": "1970-01-01"})
    assert {source["source"].rsplit("/", 2)[1]: source["status"] for source in result["sources"]} == {
        "*": "failed",
        "a": "read",
    }
    assert [source["reason"] for source in result["sources"] if source["reason"]] == [
        "permission denied in %s/b, root can read it" % tmp_path
    ]
    node.closed = ("/a/x.log",)
    result = journal.collect(node, {"files": [str(tmp_path / "*" / "*.log")], "since": "1970-01-01"})
    assert sorted((source["status"], source["reason"]) for source in result["sources"]) == [
        ("failed", "permission denied, root can read it"),
        ("read", None),
    ]


def test_a_log_directory_that_may_not_be_listed(tmp_path):
    (tmp_path / "var/log").mkdir(parents=True)
    node = _Closed(str(tmp_path))
    node.closed = ("/var/log",)
    sources = journal.collect(node, {})["sources"]
    assert "permission denied in /var/log, root can read it" in [source["reason"] for source in sources]


# --- deadlines ----------------------------------------------------------------------------------------------------------


def test_what_came_before_the_journal_hung_is_kept(tmp_path, command):
    (tmp_path / "lines").write_bytes(
        b"".join(b"1795222923.000000 " + line.split(b" ", 3)[3] + b"\n" for line in REPORT.split(b"\n") if line)
    )
    command("journalctl", "cat %s; exec sleep 1000" % (tmp_path / "lines"))
    (tmp_path / "j").mkdir()
    started = time.time()
    result = journal.collect(Node("/", Deadline(2)), {"journal_directory": str(tmp_path / "j"), "units": ["a.service"]})
    assert time.time() - started < 8
    assert [(source["status"], source["timed_out"]) for source in result["sources"]] == [("partial", True)] * 2
    assert result["counts"]["by_cause"].get("memcg_limit")


def test_sources_for_which_no_time_is_left_are_named(tmp_path):
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(REPORT)
    node = Node("/")
    node.deadline = Deadline(0)
    result = journal.collect(node, {"files": [str(tmp_path / "*.log"), "/x.log"], "since": "1970-01-01"})
    assert {source["timed_out"] for source in result["sources"]} == {True}
    assert {source["status"] for source in result["sources"]} == {"failed"}


def test_a_file_that_hung_is_left_out(tmp_path):
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(REPORT)
    node = Node("/", Deadline(60, [str(tmp_path / "a.log")]))
    result = journal.collect(node, {"files": [str(tmp_path / "*.log")], "since": "1970-01-01"})
    assert [(source["source"][-5:], source["status"], source["timed_out"]) for source in result["sources"]] == [
        ("a.log", "failed", True),
        ("b.log", "read", False),
    ]
    assert result["counts"]["events"] == 1


# --- one guard around each report -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 9])
def test_what_cannot_be_judged_is_counted_and_the_run_goes_on(tmp_path, monkeypatch, count):
    read = runtimes.read

    def failing(line, signatures):
        if "pod-1_ns" in line.text:
            raise IndexError("fault")
        return read(line, signatures)

    monkeypatch.setattr(runtimes, "read", failing)
    text = FAILED % (0, "x") + (FAILED % (1, "x")) * count + FAILED % (2, "x")
    (tmp_path / "x.log").write_bytes(text.encode("ascii") + REPORT)
    result = collect(tmp_path / "x.log")
    assert result["counts"]["by_kind"]["container_start_failure"] == 2
    assert result["counts"]["by_kind"]["oom_kill"] == 1
    notes = result["sources"][0]["notes"]
    assert "a report of line 2 could not be judged (IndexError: fault)" in notes
    assert ("4 more could not be judged" in notes) == (count == 9)


def test_nested_json_is_no_end(tmp_path):
    (tmp_path / "x.log").write_bytes(b'{"a":' * 30000 + b"\n" + REPORT)
    assert collect(tmp_path / "x.log")["counts"]["events"] == 1


# --- what leaves the node -------------------------------------------------------------------------------------------------


SECRET = "hunter" + "2Xy"


@pytest.mark.parametrize("redact", [True, False])
def test_secrets_stay_on_the_node(tmp_path, redact):
    words = "pull https://bob:%s@registry.example.com/app" % SECRET
    (tmp_path / "x.log").write_bytes((FAILED % (1, words)).encode("ascii"))
    result = collect(tmp_path / "x.log", redact=redact)
    assert (SECRET in json.dumps(result)) != redact
    event = result["events"][0]
    assert ("[redacted]@registry.example.com" in event["message"]) == redact
    assert event["pod"] == "pod-1"


def test_a_secret_is_seen_before_the_message_is_cut(tmp_path):
    for length in range(100, 300, 7):
        words = "x" * length + " https://bob:%s@registry.example.com/app" % ("s3cr3t" * 6)
        (tmp_path / "x.log").write_bytes((FAILED % (1, words)).encode("ascii"))
        result = collect(tmp_path / "x.log")
        assert "s3cr" not in json.dumps(result)
        assert len(result["events"][0]["message"]) <= 300


def test_numbers_and_texts_are_bounded(tmp_path):
    text = REPORT.replace(b"Killed process 4242", b"Killed process " + b"9" * 60)
    text = text.replace(b"limit 524288kB", b"limit " + b"9" * 60 + b"kB")
    (tmp_path / "x.log").write_bytes(text + (FAILED % (1, "y" * 20000)).encode("ascii"))

    def check(value):
        if isinstance(value, dict):
            for entry in value.values():
                check(entry)
        elif isinstance(value, list):
            for entry in value:
                check(entry)
        elif hasattr(value, "splitlines"):
            assert len(value) <= 1000
        elif value is not None:
            assert abs(value) < 1 << 63

    result = collect(tmp_path / "x.log")
    assert result["counts"]["events"] == 2
    check(result)
