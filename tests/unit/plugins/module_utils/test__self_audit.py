# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import signal
import stat
import time

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _record, _self_audit
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.node_state import parse_time
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node, NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_locks import lock
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

FRAGMENTED = "6.1.0-56-cloud-amd64/fragmented"
HEALTHY = "6.1.0-56-cloud-amd64/healthy"


@pytest.fixture(name="share")
def share_fixture(tmp_path):
    """-> a directory for records that nobody else may write to, as text"""
    directory = tmp_path / "share"
    directory.mkdir()
    directory.chmod(0o700)
    return str(directory)


def read(path):
    with io.open(path, encoding="utf-8") as stream:
        return json.load(stream)


# --- the record ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capture, level", [(HEALTHY, "low"), (FRAGMENTED, "high")])
def test_the_record_has_what_the_library_says_of_the_node(capture, level, memfrag, node_root):
    status, text, errors = memfrag("audit", "--root", node_root(capture), "--name", "node17", "--no-journal", "--json")
    record = json.loads(text)
    assert (status, errors) == (0, "")
    assert (record["host"], record["status"], record["error"], record["journal"]) == ("node17", "audited", None, None)
    assert record["assessment"] == json.loads(json.dumps(assess(record["facts"], None)))
    assert record["assessment"]["level"] == level


def test_logs_of_the_root_are_read(memfrag, node_root, fixture_path):
    root = node_root(HEALTHY)
    with io.open(fixture_path("logs", "seeds", "001.log"), encoding="utf-8") as stream:
        build_roots.write(root, "var/log/messages", stream.read())
    status, text, dummy = memfrag("audit", "--root", root, "--name", "n", "--since", "2000-01-01", "--json")
    record = json.loads(text)
    assert status == 0
    assert record["journal"]["incidents"][0]["cause"] == "fragmentation"
    assert record["assessment"]["level"] != "low"


def test_words_for_who_is_on_the_node(memfrag, node_root):
    status, text, dummy = memfrag("audit", "--root", node_root(FRAGMENTED), "--name", "node17", "--no-journal")
    assert status == 0
    assert text.startswith("node17: high, score ")
    assert "\nMF" in text and "\ndo     " in text


def test_a_policy_holds(memfrag, node_root, tmp_path):
    build_roots.write(str(tmp_path), "policy.json", json.dumps({"assessment": {"ignore": {"MF203": "known"}}}))
    root = node_root(FRAGMENTED)
    found = {}
    for name, more in (("without", ()), ("with", ("--policy", str(tmp_path / "policy.json")))):
        text = memfrag(*(("audit", "--root", root, "--name", "n", "--no-journal", "--json") + more))[1]
        found[name] = {finding["id"] for finding in json.loads(text)["assessment"]["findings"]}
    assert found["without"] - found["with"] == {"MF203"}


def test_why_the_pageblocks_cannot_be_seen(memfrag, node_root):
    root = node_root(HEALTHY)
    text = memfrag("audit", "--root", root, "--name", "n", "--no-journal", "--pageblocks", "true", "--json")[1]
    facts = json.loads(text)["facts"]
    assert facts["pageblock_survey"] is None and facts["unavailable"]["pageblocks"]


def test_a_node_that_cannot_be_looked_at_leaves_a_record_that_says_so(memfrag, node_root, share, monkeypatch):
    def collect(dummy):
        raise _self_audit._watch.CollectError("the node\x1b[31m gave no answer")

    monkeypatch.setattr(_self_audit._audit, "collect", collect)
    status, dummy, errors = memfrag("audit", "--root", node_root(HEALTHY), "--name", "n", "--output", share)
    record = read(share + "/n.json")
    assert status == 1 and "gave no answer" in errors
    assert (record["status"], record["error"], record["facts"]) == ("failed", "the node gave no answer", None)


# --- its name -----------------------------------------------------------------------------------------------------


def test_the_node_calls_itself(node_root):
    root = node_root(HEALTHY)
    assert _self_audit.own_name(Node(root)) is None
    build_roots.write(root, "etc/hostname", "web 01\nweb02\n")
    assert _self_audit.own_name(Node(root)) == "web 01"
    assert _self_audit.own_name(Node("/")) == os.uname()[1]


def test_without_a_name_there_is_no_record(memfrag, node_root):
    status, dummy, errors = memfrag("audit", "--root", node_root(HEALTHY), "--no-journal")
    assert status == 2 and "--name" in errors


@pytest.mark.parametrize(
    "host, name",
    [
        ("web01.example.org", "web01.example.org.json"),
        ("../../etc/cron.d/x", "%2E.%2F..%2Fetc%2Fcron.d%2Fx.json"),
        ("report", "%72eport.json"),
        (".hidden", "%2Ehidden.json"),
        ("", "%.json"),
        ("x" * 300, None),
    ],
)
def test_any_name_makes_one_flat_file(host, name, share):
    _self_audit.Store(share, host).keep(_record.empty(host, (), 0))
    (there,) = os.listdir(share)
    assert there == (name or there) == _record.file_name(host)
    assert len(there) <= 205 and read(share + "/" + there)["host"] == host


# --- the file -----------------------------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone_whatever_the_umask(memfrag, node_root, share):
    root = node_root(HEALTHY)
    before = os.umask(0)
    try:
        status, text, dummy = memfrag("audit", "--root", root, "--name", "n", "--no-journal", "--output", share)
    finally:
        os.umask(before)
    path = share + "/n.json"
    assert (status, text) == (0, path + "\n")
    about = os.stat(path)
    assert (stat.S_IMODE(about.st_mode), about.st_uid) == (0o600, os.geteuid())
    assert os.listdir(share) == ["n.json"]


def test_a_run_that_is_killed_leaves_the_last_record_whole(share, monkeypatch):
    store = _self_audit.Store(share, "n")
    store.keep(_record.empty("n", ("first",), 0))
    child = os.fork()
    if not child:
        # Written, and not yet in its place.
        os.rename = lambda *dummy: os.kill(os.getpid(), signal.SIGKILL)
        _self_audit.Store(share, "n").keep(_record.empty("n", ("second",), 0))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert read(share + "/n.json")["groups"] == ["first"]
    assert len([name for name in os.listdir(share) if not name.startswith(".")]) == 1
    store.keep(_record.empty("n", ("third",), 0))
    assert read(share + "/n.json")["groups"] == ["third"]
    assert os.listdir(share) == ["n.json"]


def test_two_runs_at_once_write_one_after_the_other(share, monkeypatch):
    monkeypatch.setattr(_self_audit, "LOCK_SECONDS", 0)
    store = _self_audit.Store(share, "n")
    with lock(WritableNode(share), "/.n.json.lock") as held:
        assert held
        with pytest.raises(NodeError) as refused:
            store.keep(_record.empty("n", (), 0))
    assert "another run" in str(refused.value)
    assert "n.json" not in os.listdir(share)


def test_where_there_is_no_directory(memfrag, node_root, share):
    root = node_root(HEALTHY)
    status, dummy, errors = memfrag("audit", "--root", root, "--name", "n", "--no-journal", "--output", share + "/none")
    assert status == 1 and share + "/none: this is no directory to write a record in" in errors


def test_a_record_beyond_what_a_report_reads_is_refused(share, monkeypatch):
    monkeypatch.setattr(_record, "LARGEST", 100)
    with pytest.raises(NodeError) as refused:
        _self_audit.Store(share, "n").keep(_record.empty("n", (), 0))
    assert "of at most 100" in str(refused.value)
    assert os.listdir(share) == []


# --- what the last one knew ---------------------------------------------------------------------------------------


def test_what_grew_since_the_last_record(memfrag, node_root, share):
    """Rates need an earlier look; one that others could have written is none."""
    root, path = node_root(HEALTHY), share + "/n.json"
    build_roots.write(root, "proc/uptime", "100000.00 1.00\n")
    arguments = ("audit", "--root", root, "--name", "n", "--no-journal", "--output", share)

    def findings():
        assert memfrag(*arguments)[0] == 0
        record = read(path)
        found = {finding["id"] for finding in record["assessment"]["findings"]}
        facts = record["facts"]
        earlier = parse_time(facts["collected_at"]) - 3600
        facts["collected_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(earlier))
        facts["kernel"]["uptime_seconds"] -= 3600
        facts["vmstat"]["compact_stall"] = facts["vmstat"]["compact_fail"] = -10000000
        build_roots.write(share, "n.json", _record.text(record))
        return found

    assert "MF302" not in findings()
    assert "MF302" in findings()
    os.chmod(path, 0o666)
    assert "MF302" not in findings()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"facts": null}', '{"facts": {"collected_at": 1, "vmstat": 5}}'])
def test_a_last_record_that_is_none(content, share):
    build_roots.write(share, "n.json", content)
    assert _self_audit.Store(share, "n").previous() is None
