# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs of all kinds to incidents: captures, the write-ups, the comparison cases, and whatever else a file can hold."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import bz2
import gzip
import io
import json
import os
import random
import re
import subprocess

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal, readers, scanner, streams, window
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

LOGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), *([os.pardir] * 4 + ["fixtures", "logs"]))
LOGS = os.path.normpath(LOGS)


def collect(*files, **options):
    options.setdefault("since", "1970-01-01")
    return journal.collect(Node("/"), dict(options, files=[str(name) for name in files]))


def fixture(*parts):
    with io.open(os.path.join(LOGS, *parts), "rb") as stream:
        return stream.read()


REPORT = fixture("peers", "frag_paf_order4.messages")
NOISE = b"Nov 21 01:00:00 node-1 kubelet[1]: I1121 01:00:00.000000    1 reconciler.go:207] operationExecutor started for volume\n"


def names(folder):
    return sorted(os.listdir(os.path.join(LOGS, folder)))


# --- real reports -----------------------------------------------------------------------------------------------------

CAPTURED = {
    # scenario: kinds, scopes, causes
    "alloc-failure": ({"page_allocation_failure", "slab_allocation_failure"}, {None}, {"fragmentation"}),
    "oom": ({"oom_kill"}, {"system"}, {"memory_shortage"}),
    "oom-highorder": ({"oom_kill", "page_allocation_failure"}, {"system", None}, {"fragmentation"}),
    "memcg-oom-v1": ({"oom_kill"}, {"memcg"}, {"memcg_limit"}),
    "memcg-oom-v2": ({"oom_kill"}, {"memcg"}, {"memcg_limit"}),
    "memcg-oom-v2-group": ({"oom_kill"}, {"memcg"}, {"memcg_limit"}),
    "numa-oom-cpuset": ({"oom_kill"}, {"cpuset"}, {"memory_shortage"}),
    "numa-oom-mempolicy": ({"oom_kill"}, {"mempolicy"}, {"memory_shortage"}),
}


@pytest.mark.parametrize("name", names("captures"))
def test_captures_of_real_kernels(name):
    result = collect(os.path.join(LOGS, "captures", name))
    scenario = name[: -len(".dmesg")].split("64-", 1)[1]
    scenario = scenario[len("16k-") :] if scenario.startswith("16k-") else scenario
    kinds, scopes, causes = CAPTURED[scenario]
    events = result["events"]
    assert {event["kind"] for event in events} == kinds
    assert {event.get("scope") for event in events} == scopes
    assert {event["cause"] for event in events} == causes
    # Every header of the file is one event, and nothing else is.
    text = fixture("captures", name).decode("utf-8")
    heads = [
        line
        for line in text.split("\n")
        if " page allocation failure: " in line or " invoked oom-killer: " in line or "SLUB: Unable" in line
    ]
    assert len(events) == len(heads) == result["counts"]["events"]
    for event, head in zip(events, heads):
        assert event["message"] == head.split("] ", 1)[1].strip()
        assert text.split("\n")[event["line"] - 1] == head
        if event["kind"] != "slab_allocation_failure":
            assert "order:%d," % event["order"] in head or "order=%d," % event["order"] in head
            assert "%s(%s)" % (event["gfp_mask"], "|".join(event["gfp_flags"])) in head
            assert (event["kernel"] or "").startswith(name.split("-", 1)[0])
        if event["kind"] == "page_allocation_failure" or event.get("scope") in ("system", "cpuset", "mempolicy"):
            for zone in event["zones"]:
                size = 16 if "16k" in name else 4
                assert sum(count * size << order for order, count in enumerate(zone["free_blocks"])) == pytest.approx(
                    zone["free_kb"], rel=0.05, abs=600
                )
        if event["kind"] == "oom_kill":
            assert event["victim_comm"] in ("memtool", "sh")
            assert "Killed process %d (%s)" % (event["victim_pid"], event["victim_comm"]) in text


PEERS = {
    "frag_paf_order4": "fragmentation",
    "atomic_paf_order0": "atomic_burst",
    "cgroup_oom": "memcg_limit",
    "system_oom_order0": "memory_shortage",
    "frag_oom_order3_free1.5G": "fragmentation",
    "frag_oom_order3_free120M": "fragmentation",
    "shortage_oom_order3_free9M": "memory_shortage",
}


@pytest.mark.parametrize("name", names("peers"))
def test_the_cases_on_which_other_tools_were_compared(name):
    result = collect(os.path.join(LOGS, "peers", name))
    assert [incident["cause"] for incident in result["incidents"]] == [PEERS[name.rsplit(".", 1)[0]]]
    assert result["incidents"][0]["confidence"] == "high"


@pytest.mark.parametrize(
    "name,order,pod",
    [
        ("000", 5, "job-app/turing-schedule-46-20200701004530-zhq44"),
        ("001", 6, None),
        ("002", 6, "basic/matchdataserver-1255064836-t4b2w"),
    ],
)
def test_the_write_ups_with_fragmentation(name, order, pod):
    result = collect(os.path.join(LOGS, "seeds", name + ".log"))
    incident = result["incidents"][0]
    assert incident["cause"] == "fragmentation"
    for words in ("order %d " % order, "nf_conntrack_init_net", "3.8 to 4.13 and el7", "failed container start"):
        assert words in incident["reason"]
    assert incident["pods"] == ([pod] if pod else [])
    assert incident["containers"]
    assert {"MF103"} <= set(incident["remedies"])
    assert {entry["cause"] for entry in incident["rejected"]} >= {"memcg_leak"}
    assert len([one for one in result["incidents"] if one["pods"]]) <= 1


def test_the_write_up_with_other_causes():
    result = collect(os.path.join(LOGS, "seeds", "003.log"))
    assert [incident["cause"] for incident in result["incidents"]] == [
        "disk_full",
        "runtime_hang",
        "immutable_file",
        "mount_busy",
    ]
    assert [incident["count"] for incident in result["incidents"]] == [1, 408, 1, 1]


def test_the_write_up_with_the_tiny_limit():
    result = collect(os.path.join(LOGS, "seeds", "004.log"))
    assert {incident["cause"] for incident in result["incidents"]} == {"memcg_limit"}
    assert result["incidents"][0]["confidence"] == "low"
    assert result["incidents"][0]["pods"] == ["default/61f983b5-19ca-4b33-8647-6b279ae93812"]


# --- one log, many forms ----------------------------------------------------------------------------------------------


def test_compressed_files(tmp_path):
    plain = tmp_path / "messages"
    plain.write_bytes(REPORT)
    (tmp_path / "messages.1").write_bytes(gzip_bytes(REPORT[:1000]) + gzip_bytes(REPORT[1000:]))
    (tmp_path / "messages.2").write_bytes(bz2.compress(REPORT[:1000]) + bz2.compress(REPORT[1000:]))
    expected = strip(collect(plain))
    assert strip(collect(tmp_path / "messages.1")) == expected
    assert strip(collect(tmp_path / "messages.2")) == expected
    lzma = pytest.importorskip("lzma")
    (tmp_path / "messages.3").write_bytes(lzma.compress(REPORT[:1000]) + lzma.compress(REPORT[1000:]))
    assert strip(collect(tmp_path / "messages.3")) == expected


def gzip_bytes(data):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as stream:
        stream.write(data)
    return buffer.getvalue()


def strip(result):
    return [dict(event, source=None) for event in result["events"]], result["incidents"], result["counts"]


@pytest.mark.parametrize("wrap", ["plain", "gzip"])
def test_large_files_are_searched_and_small_ones_read_with_the_same_result(tmp_path, wrap, monkeypatch):
    seed = fixture("seeds", "000.log")
    parts = [
        NOISE * 3000,
        REPORT,
        NOISE * 3000,
        seed,
        NOISE * 12000,
        fixture("peers", "cgroup_oom.messages"),
        NOISE * 10,
    ]
    data = b"".join(parts)
    path = tmp_path / "messages"
    path.write_bytes(gzip_bytes(data) if wrap == "gzip" else data)
    monkeypatch.setattr(scanner, "WHOLE", 1 << 40)
    whole = strip(collect(path))
    monkeypatch.setattr(scanner, "WHOLE", 1)
    searched = strip(collect(path))
    assert searched[0] == whole[0]
    assert searched[1:] == whole[1:]
    lines = data.split(b"\n")
    for event in searched[0]:
        assert event["message"][:40].encode("utf-8") in lines[event["line"] - 1].replace(b"\\", b"")


def test_a_large_file_without_grep(tmp_path, monkeypatch):
    path = tmp_path / "messages"
    path.write_bytes(NOISE * 3000 + REPORT + NOISE * 3000)
    monkeypatch.setattr(scanner, "WHOLE", 1)
    with_grep = strip(collect(path))
    monkeypatch.setenv("PATH", "/nonexistent")
    without = collect(path)
    assert strip(without) == with_grep
    assert "without grep" in without["sources"][0]["notes"][0]


def test_an_own_signature_in_another_language_is_found_in_a_large_file(tmp_path, monkeypatch):
    monkeypatch.setattr(scanner, "WHOLE", 1)
    words = b"der Speicher f\xc3\xbcr den Dienst fehlt"
    path = tmp_path / "x.log"
    path.write_bytes(NOISE * 5 + NOISE.replace(b"operationExecutor", words) + NOISE * 5)
    own = {"id": "own", "cause": "unknown", "contains": [words.decode("utf-8")]}
    assert [event["line"] for event in collect(path, signatures=[own])["events"]] == [6]


def test_a_large_log_without_the_tag_of_the_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(scanner, "WHOLE", 1)
    path = tmp_path / "dmesg"
    path.write_bytes(b"[    1.000000] usb 1-1: new device\n" * 20000 + fixture("peers", "frag_paf_order4.dmesg"))
    assert collect(path)["counts"]["by_cause"] == {"fragmentation": 3}
    path.write_bytes(gzip_bytes(path.read_bytes()))
    assert collect(path)["counts"]["by_cause"] == {"fragmentation": 3}


def test_a_report_that_rotation_has_split(tmp_path):
    lines = REPORT.split(b"\n")
    (tmp_path / "messages").write_bytes(b"\n".join(lines[20:]))
    (tmp_path / "messages-20261121").write_bytes(b"\n".join(lines[:20]) + b"\n")
    os.utime(str(tmp_path / "messages-20261121"), (1795230000, 1795230000))
    os.utime(str(tmp_path / "messages"), (1795230100, 1795230100))
    result = collect(tmp_path / "messages*")
    event = result["events"][0]
    assert (event["kind"], event["cause"], event["source"]) == (
        "page_allocation_failure",
        "fragmentation",
        str(tmp_path / "messages-20261121"),
    )
    assert len(event["zones"]) == 2
    assert len(result["incidents"]) == 1


def test_the_same_message_in_two_files_counts_once(tmp_path):
    for name in ("kern.log", "syslog"):
        (tmp_path / name).write_bytes(REPORT)
    assert collect(tmp_path / "kern.log", tmp_path / "syslog")["counts"]["events"] == 3


# --- windows ----------------------------------------------------------------------------------------------------------


def days(count):
    """One report a day and noise between"""
    return b"".join(
        NOISE.replace(b"Nov 21", b"Nov %02d" % day if bytes is not str else "Nov %02d" % day) * 400
        + REPORT.replace(b"Nov 21 01:02", (b"Nov %02d 12:02" % day) if bytes is not str else "Nov %02d 12:02" % day)
        for day in range(10, 20)
    )


@pytest.mark.parametrize("whole", [1, 1 << 40])
@pytest.mark.parametrize(
    "since,until,expected",
    [
        ("2026-11-10", None, 10),
        ("2026-11-15", None, 5),
        ("2026-11-15T13:00:00Z", None, 4),
        ("2026-11-15", "2026-11-16T13:00:00Z", 2),
        ("2026-11-25", None, 0),
    ],
)
def test_the_window(tmp_path, monkeypatch, whole, since, until, expected):
    monkeypatch.setattr(scanner, "WHOLE", whole)
    monkeypatch.setattr(streams, "CHUNK", 4096)
    path = tmp_path / "messages"
    path.write_bytes(days(10))
    os.utime(str(path), (1795230000, 1795230000))
    result = collect(path, since=since, until=until)
    assert result["counts"]["by_kind"].get("page_allocation_failure", 0) == expected
    if whole == 1 and since == "2026-11-15":
        assert "where the window begins" in result["sources"][0]["notes"][0]
        assert result["sources"][0]["bytes"] < path.stat().st_size * 0.7


def test_a_file_that_was_last_written_to_before_the_window_is_not_read(tmp_path):
    path = tmp_path / "messages.1"
    path.write_bytes(REPORT)
    os.utime(str(path), (1000000000, 1000000000))
    source = collect(path, since="-7d")["sources"][0]
    assert (source["status"], source["bytes"]) == ("skipped", None)


@pytest.mark.parametrize("name,value", [("since", "yesterday"), ("until", "-1y"), ("since", "2026-99-99T00:00:00")])
def test_times_that_are_none(name, value):
    with pytest.raises(ValueError) as error:
        collect("/nonexistent", **{name: value})
    assert name in str(error.value)
    assert value in str(error.value)


def test_a_window_that_ends_before_it_begins():
    with pytest.raises(ValueError) as error:
        collect("/nonexistent", since="-1d", until="-2d")
    assert "-2d" in str(error.value)


def test_relative_times():
    assert window.point_in_time("-24h", 1000000, "since") == 1000000 - 86400
    assert window.point_in_time("-7d", 1000000, "since") == 1000000 - 7 * 86400
    assert window.point_in_time("2020-07-01T00:45:31Z", 0, "since") == 1593564331
    assert window.point_in_time("2020-07-01T08:45:31+08:00", 0, "since") == 1593564331
    assert window.point_in_time(None, 0, "since") is None


# --- sizes ------------------------------------------------------------------------------------------------------------


def many(pods, times=3):
    text = (
        'Nov 21 %02d:%02d:%02d node-1 kubelet[1]: E1121 01:00:00.000000 1 kuberuntime_sandbox.go:68] CreatePodSandbox for pod "pod-%d_ns" '
        'failed: rpc error: code = Unknown desc = OCI runtime create failed: pid from pipe caused "EOF": unknown\n'
    )
    return "".join(text % (step // 60 % 24, step % 60, 0, pod) for step in range(times) for pod in range(pods)).encode(
        "ascii"
    )


def test_hundreds_of_retries_are_one_incident(tmp_path):
    path = tmp_path / "messages"
    path.write_bytes(REPORT.replace(b"01:02:03", b"00:00:00") + many(1, 700))
    result = collect(path)
    assert len(result["incidents"]) == 1
    incident = result["incidents"][0]
    assert (incident["cause"], incident["pods"], incident["count"]) == ("fragmentation", ["ns/pod-0"], 700)
    assert result["counts"]["events"] == 703
    assert result["counts"]["events_returned"] == len(result["events"]) < 50


@pytest.mark.parametrize("max_events", [0, 1, 7, 200])
def test_results_are_bounded_and_totals_exact(tmp_path, max_events):
    path = tmp_path / "messages"
    path.write_bytes(many(900))
    result = collect(path, max_events=max_events)
    assert len(result["events"]) <= max_events
    assert len(result["incidents"]) <= max_events
    assert result["counts"]["events"] == 2700
    assert result["counts"]["by_kind"] == {"container_start_failure": 2700}
    for incident in result["incidents"]:
        assert incident["events"]
        assert max(incident["events"]) < len(result["events"])
    assert len(json.dumps(result)) < 400000


def test_negative_limits_are_refused():
    with pytest.raises(ValueError):
        collect("/nonexistent", max_events=-1)


def test_results_are_plain_data():
    def check(value):
        if isinstance(value, dict):
            for key, entry in value.items():
                assert isinstance(key, (str, type(b"".decode("ascii"))))
                check(entry)
        elif isinstance(value, list):
            for entry in value:
                check(entry)
        else:
            assert value is None or isinstance(value, (bool, int, float, str, type(b"".decode("ascii"))))

    for name in ("000.log", "001.log"):
        result = collect(os.path.join(LOGS, "seeds", name))
        check(result)
        assert json.loads(json.dumps(result)) == result


FIELDS = "kind time time_raw host source line message cause reason confidence".split()


def test_every_event_has_the_fields_of_the_contract():
    for folder in ("captures", "peers", "seeds"):
        for event in collect(os.path.join(LOGS, folder, "*"))["events"]:
            assert set(FIELDS) <= set(event)
            assert event["cause"] in journal.CAUSES
            assert event["confidence"] in ("high", "medium", "low")
            assert len(event["message"]) <= 300
            assert "\n" not in event["reason"]


# --- what else can be in a file -----------------------------------------------------------------------------------------


def test_binary_garbage(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes(os.urandom(3000000))
    assert collect(path)["sources"][0]["status"] == "read"
    path.write_bytes(b"\0" * 3000000 + b"\n" + REPORT)
    assert collect(path)["counts"]["events"] == 3


def test_an_endless_line(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "GREP_MEMORY", 12 * 1024 * 1024)
    path = tmp_path / "x.log"
    with io.open(str(path), "wb") as stream:
        stream.write(REPORT)
        for _number in range(30):
            stream.write(b"page allocation failure: " * 41944)
        stream.write(b"\n" + REPORT.replace(b"01:02:03", b"09:02:03"))
    result = collect(path)
    assert result["counts"]["by_kind"]["page_allocation_failure"] >= 2
    assert result["counts"]["events"] < 20
    assert [event["time_raw"] for event in result["events"] if event["kind"] == "slab_cache_create_failure"] == [
        "Nov 21 01:02:03",
        "Nov 21 09:02:03",
    ]


def test_text_that_is_not_utf8(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes(b"\xff\xfe\x80\n" + REPORT.replace(b"runc:[1:CHILD]", b"runc\xff\xc3(") + b"\xc3\x28")
    event = collect(path)["events"][0]
    assert (event["order"], event["cause"]) == (4, "fragmentation")


@pytest.mark.parametrize("cut", [10, 200, 2000])
def test_a_compressed_file_cut_short(tmp_path, cut):
    path = tmp_path / "x.gz"
    data = gzip_bytes(REPORT + os.urandom(100000))
    path.write_bytes(data[:-cut])
    result = collect(path)
    assert result["counts"]["events"] == 3
    assert result["sources"][0]["status"] == "partial"
    assert "ends in the middle" in result["sources"][0]["reason"]


@pytest.mark.parametrize(
    "head", [b"\x1f\x8b\x08\x00garbage", b"BZh9garbage", b"\xfd7zXZ\x00garbage", b"\x28\xb5\x2f\xfdgarbage"]
)
def test_a_file_that_is_not_what_it_begins_like(tmp_path, head):
    path = tmp_path / "x.log"
    path.write_bytes(head + b"x" * 1000)
    source = collect(path)["sources"][0]
    assert source["status"] == "failed"
    assert source["reason"]


def test_terminal_escapes_do_not_hide_and_do_not_get_out(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes(
        b"".join(
            b"\x1b[32m" + line + b"\x1b[0m\x1b]0;evil\x07\r\n"
            for line in REPORT.replace(b"runc:[1:CHILD]", b"run\x1b[31mc\x9b2J").split(b"\n")
        )
    )
    result = collect(path)
    assert result["counts"]["by_kind"]["page_allocation_failure"] == 1
    assert "\\u001b" not in json.dumps(result)
    assert "\\u009b" not in json.dumps(result)
    assert "evil" not in json.dumps(result)


def test_what_is_no_file(tmp_path):
    os.mkfifo(str(tmp_path / "fifo"))
    result = collect(tmp_path / "fifo", "/dev/zero", tmp_path, tmp_path / "missing", tmp_path / "none*", "relative.log")
    assert [source["status"] for source in result["sources"]] == ["failed"] * 6
    assert sorted(source["reason"] for source in result["sources"]) == [
        "no such file",
        "no such file",
        "not a regular file",
        "not a regular file",
        "not a regular file",
        "not an absolute path",
    ]


class _Vanishing(Node):
    """Files that are gone between being found and being read"""

    def open_binary(self, path):
        os.unlink(self.path(path))
        return Node.open_binary(self, path)


def test_a_file_that_vanishes(tmp_path):
    (tmp_path / "a.log").write_bytes(REPORT)
    result = journal.collect(_Vanishing("/"), {"files": [str(tmp_path / "*.log")], "since": "1970-01-01"})
    assert (result["sources"][0]["status"], result["sources"][0]["reason"]) == ("failed", "no such file")


class _Truncated(Node):
    """A file that ends while it is read"""

    def open_binary(self, path):
        stream = Node.open_binary(self, path)

        class _Stream:
            reads = 0

            def read(self, size=-1):
                self.reads += 1
                if self.reads > 1:
                    raise IOError(5, "Input/output error")
                return stream.read(size)

            close = stream.close

        return _Stream()


def test_a_disk_that_fails_while_reading(tmp_path):
    (tmp_path / "a.log").write_bytes(REPORT + NOISE * 1000)
    result = journal.collect(_Truncated("/"), {"files": [str(tmp_path / "*.log")], "since": "1970-01-01"})
    assert result["sources"][0]["status"] == "partial"
    assert "Input/output error" in result["sources"][0]["reason"]
    assert result["counts"]["events"] == 3


# --- where logs are found -----------------------------------------------------------------------------------------------


def test_the_usual_files_below_a_root(tmp_path):
    logs = tmp_path / "var" / "log"
    logs.mkdir(parents=True)
    (logs / "messages").write_bytes(REPORT)
    (logs / "other.log").write_bytes(REPORT)
    result = journal.collect(Node(str(tmp_path)), {"since": "1970-01-01"})
    assert [source["source"] for source in result["sources"]] == ["/var/log/messages"]
    assert result["counts"]["events"] == 3
    assert result["events"][0]["time"] == "%s-11-21T01:02:03Z" % result["events"][0]["time"][:4]


def test_a_root_without_any_log(tmp_path):
    result = journal.collect(Node(str(tmp_path)), {})
    assert result["counts"]["events"] == 0
    assert [(source["source"], source["status"]) for source in result["sources"]] == [("kernel ring buffer", "skipped")]


def test_quiet_logs_and_suppressed_messages_are_told(tmp_path):
    path = tmp_path / "messages"
    path.write_bytes(NOISE)
    assert "proves little" in collect(path)["sources"][0]["notes"][0]
    path.write_bytes(REPORT + b"Nov 21 01:02:04 node-1 kernel: warn_alloc: 96 callbacks suppressed\n")
    result = collect(path)
    assert "lower bounds" in result["sources"][0]["notes"][0]
    assert result["counts"]["suppressed"] == 96


FAKE = """#!/bin/sh
echo "$@" >>"$FAKE_LOG"
case "$*" in
*--grep=*old*) ;;
*--grep=*) [ -n "$FAKE_OLD" ] && { echo "journalctl: unrecognized option '--grep=x'" >&2; exit 1; }; cat "$FAKE_UNITS" ;;
*_TRANSPORT=kernel*) cat "$FAKE_KERNEL" ;;
*_SYSTEMD_UNIT=*) cat "$FAKE_UNITS" ;;
esac
[ -z "$FAKE_ERROR" ] || { echo "$FAKE_ERROR" >&2; exit 0; }
"""


@pytest.fixture(name="journalctl")
def journalctl_fixture(tmp_path, monkeypatch):
    """A journalctl that answers with files; its calls are kept."""
    binary = tmp_path / "bin" / "journalctl"
    binary.parent.mkdir()
    binary.write_bytes(FAKE.encode("ascii"))
    binary.chmod(0o755)
    (tmp_path / "journal").mkdir()
    stamp = b"1795222923.000000 node-1 kernel: "
    (tmp_path / "kernel").write_bytes(
        b"\n".join(stamp + line for line in fixture("peers", "frag_paf_order4.dmesg").split(b"\n") if line)
    )
    (tmp_path / "units").write_bytes(many(1, 1).replace(b"Nov 21 00:00:00", b"1795222924.000000"))
    monkeypatch.setenv("PATH", "%s:%s" % (binary.parent, os.environ["PATH"]))
    for name in ("kernel", "units", "log"):
        monkeypatch.setenv("FAKE_" + name.upper(), str(tmp_path / name))
    return tmp_path


@pytest.mark.parametrize("old", [False, True])
def test_the_journal_is_asked_twice(journalctl, monkeypatch, old):
    if old:
        monkeypatch.setenv("FAKE_OLD", "1")
    result = journal.collect(
        Node("/"),
        {
            "journal_directory": str(journalctl / "journal"),
            "since": "2026-11-20T00:00:00Z",
            "units": ["kubelet.service"],
        },
    )
    assert [source["status"] for source in result["sources"]] == ["read", "read"]
    assert [(incident["cause"], incident["pods"]) for incident in result["incidents"]] == [
        ("fragmentation", ["ns/pod-0"])
    ]
    assert result["events"][0]["cursor"] == "@1795222923.000000"
    calls = (journalctl / "log").read_bytes().decode("ascii").strip().split("\n")
    assert len(calls) == 3 if old else 2
    assert all("--since=@1795132800" in call and "--directory=%s/journal" % journalctl in call for call in calls)
    # Nothing is hidden for a character in it.
    assert all(" --all " in call for call in calls)
    assert "_TRANSPORT=kernel" in calls[0]
    assert calls[-1].endswith("_SYSTEMD_UNIT=kubelet.service")


def test_a_signature_of_any_letters_is_found_in_the_journal(journalctl):
    """What is asked of journalctl is ASCII: in the C locale Python 3.6 can pass nothing else on, and it matches all that is looked for."""
    words = json.loads(r'"Speicher f\u00fcr \ud83d\ude00 (\u8282\u70b9) fehlt"')
    line = b"1795222924.000000 node-1 kubelet[7]: E1121 pod ns/pod-0 " + words.encode("utf-8") + b"\n"
    (journalctl / "units").write_bytes(line)
    signature = {"id": "own", "contains": [words], "cause": "fragmentation", "kind": "container_start_failure"}
    signature.update(pattern=None, reason=None, confidence="high", weak=False)
    result = journal.collect(
        Node("/"),
        {
            "journal_directory": str(journalctl / "journal"),
            "since": "2026-11-20T00:00:00Z",
            "units": ["kubelet.service"],
            "signatures": [signature],
        },
    )
    assert [event.get("signature") for event in result["events"] if "signature" in event] == ["own"]
    call = (journalctl / "log").read_bytes().decode("ascii").strip().split("\n")[-1]
    pattern = call.partition("--grep=")[2].partition(" --case-sensitive")[0]
    for text, like in ((words, pattern), (words.encode("utf-8"), pattern.encode("ascii"))):
        assert re.search(like, text) and not re.search(like, text[:9])


def test_a_damaged_journal_is_read_as_far_as_it_goes(journalctl, monkeypatch):
    monkeypatch.setenv("FAKE_ERROR", "Journal file x.journal is truncated, ignoring file.")
    result = journal.collect(Node("/"), {"journal_directory": str(journalctl / "journal")})
    assert [source["status"] for source in result["sources"]] == ["partial", "partial"]
    assert "truncated" in result["sources"][0]["reason"]
    assert result["counts"]["events"] == 4


def test_files_are_read_for_the_time_before_the_journal_began(journalctl):
    """As on RHEL 7, where the journal is in /run; what is in both counts once."""
    root = journalctl / "root"
    (root / "run" / "log" / "journal").mkdir(parents=True)
    (root / "var" / "log").mkdir(parents=True)
    (root / "var" / "log" / "messages").write_bytes(REPORT.replace(b"Nov 21 01", b"Nov 19 01") + REPORT)
    os.utime(str(root / "var" / "log" / "messages"), (1795230000, 1795230000))
    result = journal.collect(Node(str(root)), {"since": "2026-11-15T00:00:00Z"})
    assert [source["kind"] for source in result["sources"]] == ["journal", "journal", "file"]
    assert result["counts"]["by_kind"]["page_allocation_failure"] == 2
    assert sorted(event["time"][:10] for event in result["events"] if event["kind"] == "page_allocation_failure") == [
        "2026-11-19",
        "2026-11-21",
    ]
    result = journal.collect(Node(str(root)), {"since": "2026-11-21T00:30:00Z"})
    assert [source["kind"] for source in result["sources"]] == ["journal", "journal"]


def test_a_journal_without_journalctl(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    result = journal.collect(Node("/"), {"journal_directory": str(tmp_path)})
    assert [source["status"] for source in result["sources"]] == ["failed", "failed"]


def installed(command):
    """shutil.which(), which Python 2 lacks"""
    return any(os.access(os.path.join(path, command), os.X_OK) for path in os.environ["PATH"].split(os.pathsep))


@pytest.mark.skipif(not installed("journalctl"), reason="needs journalctl")
def test_a_file_that_is_no_journal(tmp_path):
    (tmp_path / "x.journal").write_bytes(b"garbage" * 1000)
    result = journal.collect(Node("/"), {"journal_directory": str(tmp_path)})
    assert result["counts"]["events"] == 0
    assert subprocess.call(["journalctl", "--version"], stdout=subprocess.PIPE) == 0


# --- anything at all ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("whole", [1, 1 << 40])
def test_any_mixture_of_lines_gives_a_consistent_result(tmp_path, monkeypatch, seed, whole):
    monkeypatch.setattr(scanner, "WHOLE", whole)
    dice = random.Random(seed)
    lines = b"\n".join(fixture("seeds", name) for name in names("seeds")).split(b"\n")
    lines += b"\n".join(fixture("peers", name) for name in names("peers")).split(b"\n")
    words = b" ".join(lines).split(b" ")
    mixed = []
    for _number in range(dice.randrange(200)):
        line, what = dice.choice(lines), dice.randrange(8)
        at = dice.randrange(len(line) + 1)
        mixed += {
            0: [line[:at]],
            1: [line[at:]],
            2: [b"> " + line[:at], line[at:]],
            3: [b" ".join(dice.choice(words) for _word in range(9))],
            4: lines[at : at + 40],
        }.get(what, [line])
    path = tmp_path / "x.log"
    path.write_bytes(b"\n".join(mixed))
    result = collect(path, max_events=dice.choice([0, 3, 200]))
    assert result["sources"][0]["status"] == "read"
    assert (
        sum(result["counts"]["by_kind"].values())
        == sum(result["counts"]["by_cause"].values())
        == result["counts"]["events"]
    )
    assert result["counts"]["events_returned"] == len(result["events"]) <= result["counts"]["events"]
    for incident in result["incidents"]:
        assert incident["cause"] in journal.CAUSES
        assert incident["events"] == sorted(set(incident["events"]))
        assert {result["events"][index]["kind"] for index in incident["events"]} <= set(incident["kinds"])


# What starts containers asks for memory as well: up to fifteen characters of it name its task.
RUNTIMES = (
    "runc",
    "docker-runc",
    "crun",
    "conmon",
    "containerd-shim",
    "dockerd",
    "kubelet",
    "crio",
    "lxc-start",
    "slurmstepd",
    "systemd-oomd",
)


@pytest.mark.parametrize("prefix", ["[Sun Feb 15 04:12:52 2026] ", "[ 4812.120000] ", ""])
@pytest.mark.parametrize("name", RUNTIMES)
def test_the_kernels_report_about_a_runtime_is_the_kernels(tmp_path, name, prefix):
    failure = (
        "%s: page allocation failure: order:5, mode:0x40dc0(GFP_KERNEL|__GFP_COMP|__GFP_ZERO), nodemask=(null)" % name
    )
    kill = "%s invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0" % name
    for text, kind in ((failure, "page_allocation_failure"), (kill, "oom_kill")):
        path = tmp_path / "dmesg"
        path.write_bytes(("%s%s\n" % (prefix, text)).encode("ascii"))
        events = collect(path)["events"]
        assert [(event["kind"], event.get("comm", name)) for event in events] == [(kind, name)]
