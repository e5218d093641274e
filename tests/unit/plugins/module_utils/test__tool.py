# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _install, _metrics, _tool
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import OPTIONS, SUBSET, complete
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

MOVABLE = "6.1.0-56-cloud-amd64/fragmented-movable"
PINNED = "6.1.0-56-cloud-amd64/fragmented"
HEALTHY = "6.1.0-56-cloud-amd64/healthy"


@pytest.fixture(name="running")
def running_fixture(node_root):
    """-> a function that makes the root of a kernel that may be compacted, which changes nothing in it"""

    def make(name):
        root = node_root(name)
        build_roots.write(
            root, "proc/sys/kernel/random/boot_id", Node("/").read_text("/proc/sys/kernel/random/boot_id")
        )
        build_roots.write(root, "sys/devices/system/node/node0/compact")
        build_roots.write(root, "run/keep")
        return root

    return make


@pytest.fixture(name="memfrag")
def memfrag_fixture(capsys):
    """-> a function that runs the command: (exit status, what it printed, its errors)"""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = _tool.main(list(arguments))
        except SystemExit as ended:
            status = ended.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


# --- options ------------------------------------------------------------------------------------------------------


def test_help_has_every_command_option_and_exit_status(memfrag):
    status, text, dummy = memfrag("--help")
    assert status == 0
    assert all(word in text for word in ("status", "compact", "metrics", "policy", "exit status:"))
    status, text, dummy = memfrag("compact", "--help")
    assert status == 0
    assert all("--" + name.replace("_", "-") in text for name in OPTIONS)
    assert all("\n  %d  " % number in text for number in range(5))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "too few arguments"),
        (("frobnicate",), "frobnicate"),
        (("compact", "--order", "nine"), 'order: "nine" is not a whole number from 1 to 20'),
        (("compact", "--order", "14"), "order: 14 is more than this kernel has; its orders are 0 to 10"),
        (("compact", "--nodes", "0,x"), 'nodes: "x" is not a whole number from 0 to 1023'),
        (("compact", "--nodes", "5"), "nodes: there is no node 5; there are 0"),
        (("compact", "--window", "now"), 'window: "now" is not of the form HH:MM-HH:MM'),
        (("compact", "--drop-caches", "4"), 'drop_caches: "4" is not one of'),
    ],
)
def test_wrong_options(arguments, words, memfrag, node_root):
    healthy = node_root(HEALTHY)
    build_roots.write(healthy, "run/keep")
    root = ("--root", healthy) if arguments and arguments[0] == "compact" else ()
    status, dummy, errors = memfrag(*(arguments + root))
    assert status == 2
    assert words in errors


@pytest.mark.parametrize(
    "text, status, words",
    [
        ('{"order": 12}', 2, "order: 12 is more than this kernel has"),
        ('{"odrer": 4}', 2, "/etc/memfrag/policy.json: odrer: no such option"),
        ('{"order": false}', 2, "/etc/memfrag/policy.json: order: false is not a whole number"),
        ("order: 4", 2, "/etc/memfrag/policy.json: this is not a policy"),
        ("[4]", 2, "/etc/memfrag/policy.json: this is not a policy: it is not an object"),
        ('{"textfile_directory": "x"}', 2, 'textfile_directory: "x" is not an absolute path'),
    ],
)
def test_wrong_policy_files(text, status, words, memfrag, node_root):
    root = node_root(HEALTHY)
    build_roots.write(root, "etc/memfrag/policy.json", text)
    found = memfrag("compact", "--dry-run", "--root", root)
    assert found[0] == status
    assert words in found[2]


def test_options_go_before_the_policy_file(memfrag, node_root, tmp_path):
    root = node_root(HEALTHY)
    build_roots.write(root, "etc/memfrag/policy.json", '{"order": 4, "min_free_blocks": 3}')
    policy = json.loads(memfrag("policy", "--root", root, "--order", "7", "--nodes", "0,1", "--zones", "Normal")[1])
    assert (policy["order"], policy["min_free_blocks"], policy["nodes"], policy["zones"]) == (7, 3, [0, 1], ["Normal"])
    build_roots.write(str(tmp_path), "other.json", '{"order": 2}')
    assert json.loads(memfrag("policy", "--root", root, "--policy", str(tmp_path / "other.json"))[1])["order"] == 2
    status, dummy, errors = memfrag("policy", "--policy", str(tmp_path / "none.json"))
    assert status == 1 and "none.json: no such file" in errors


def test_a_root_that_is_not_there(memfrag):
    assert memfrag("status", "--root", "/nowhere") == (1, "", "memfrag: /nowhere: root is not a directory\n")


# --- commands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, status, words",
    [
        (HEALTHY, 0, "not compacted (met): every node has what is wanted of order 5\n"),
        (MOVABLE, 0, "would compact (needed): node 0: unusable index 985, at most 950 is wanted\n"),
        (PINNED, 3, "not compacted (unmovable): compaction would not help: "),
    ],
)
def test_dry_run(name, status, words, memfrag, node_root):
    found = memfrag("compact", "--dry-run", "--root", node_root(name))
    assert (found[0], found[2]) == (status, "")
    assert found[1].startswith(words)


def test_compact(memfrag, running):
    root = running(MOVABLE)
    build_roots.write(
        root,
        "etc/memfrag/policy.json",
        json.dumps({"textfile_directory": "/run", "backoff_seconds": 60}),
    )
    status, text, errors = memfrag("compact", "--json", "--root", root)
    result = json.loads(text)
    # This kernel does nothing when it is told to compact.
    assert (status, errors, result["acted"], result["helped"], result["reason"]) == (3, "", True, False, "needed")
    assert Node(root).read_text("/sys/devices/system/node/node0/compact") == "1\n"
    assert 'memfrag_compaction_runs_total{reason="needed"} 1\n' in Node(root).read_text("/run/memfrag.prom")
    status, text, errors = memfrag("compact", "--root", root)
    assert status == 4
    assert text.startswith("not compacted (backoff): the last 1 runs did not help; the next one is due in ")
    assert memfrag("compact", "--quiet", "--root", root)[1:] == ("", "")


def test_compact_on_an_archive_is_an_error(memfrag, node_root):
    root = node_root(MOVABLE)
    build_roots.write(root, "run/keep")
    status, text, errors = memfrag("compact", "--root", root)
    assert status == 1
    assert "not the running kernel" in errors


def test_status(memfrag, node_root):
    status, text, dummy = memfrag("status", "--root", node_root(PINNED))
    assert status == 3
    assert "    9   2048 kB  exhausted         huge pages" in text
    assert "compaction would not run now (unmovable)" in text
    status, text, dummy = memfrag("status", "--json", "--root", node_root(HEALTHY))
    assert status == 0
    found = json.loads(text)
    assert found["plan"]["reason"] == "met" and found["facts"]["zones"]


@pytest.mark.parametrize("name", build_roots.names())
def test_status_of_every_capture(name, memfrag, node_root):
    root = node_root(name)
    status, text, errors = memfrag("status", "--root", root)
    assert status in (0, 3) and not errors
    assert memfrag("metrics", "--root", root)[0] == 0


def test_the_log_line_is_one_line_of_fields():
    node = {"state": "needs_compaction", "free_blocks": 3, "unusable_index": 990}
    line = _tool.logline(
        {
            "acted": True,
            "reason": "needed",
            "satisfied": False,
            "helped": None,
            "order": 5,
            "duration_seconds": 0.25,
            "before": {"nodes": {"10": node, "2": node}},
            "after": None,
            "message": 'say "no"\nand = more',
        }
    )
    assert line == (
        "acted=true reason=needed satisfied=false order=5 node2_before=needs_compaction/3/990 "
        'node10_before=needs_compaction/3/990 seconds=0.25 message="say \\"no\\"\\nand = more"'
    )


@pytest.mark.parametrize(
    "differences, status",
    [
        ({"satisfied": True}, 0),
        ({"act": True, "dry_run": True}, 0),
        ({"reason": "unmovable"}, 3),
        ({"reason": "needed", "acted": True}, 3),
        ({"reason": "pressure"}, 4),
        ({"reason": "locked", "satisfied": None}, 4),
        ({"reason": "not_writable", "error": "x"}, 1),
    ],
)
def test_exit_status(differences, status):
    result = {"error": None, "satisfied": False, "dry_run": False, "act": False, "acted": False, "reason": "met"}
    assert _tool.exit_status(dict(result, **differences)) == status


# --- metrics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", build_roots.names())
def test_metrics_are_what_a_textfile_collector_takes(name, node_root):
    facts = _facts.collect(Node(node_root(name)), SUBSET)
    state = {
        "failures": 2,
        "runs": {'a"b\\c': 1, "met": 7},
        "last_run": {"started_at": "2026-11-21T03:00:00Z", "duration_seconds": 0.5},
    }
    text = _metrics.render(facts, complete({}), state)
    typed, seen = set(), set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name_, kind = line.split()[2:]
            assert name_ not in typed and kind == ("counter" if name_.endswith("_total") else "gauge")
            typed.add(name_)
        elif not line.startswith("# HELP "):
            sample, dummy, value = line.rpartition(" ")
            assert sample.partition("{")[0] in typed and sample not in seen
            seen.add(sample)
            float(value)
    assert "memfrag_compaction_last_run_timestamp_seconds 1795230000\n" in text
    assert 'memfrag_compaction_runs_total{reason="a\\"b\\\\c"} 1\n' in text
    assert len([sample for sample in seen if sample.startswith("memfrag_unusable_ratio")]) == sum(
        len(zone["free_blocks"]) for zone in facts["zones"]
    )


# --- the tool as a file -------------------------------------------------------------------------------------------


@pytest.fixture(name="tool")
def tool_fixture(tmp_path):
    node = WritableNode(str(tmp_path))
    _install.install(node, "/memfrag", sys.executable)
    return str(tmp_path / "memfrag")


def test_the_tool_is_made_of_the_library_and_of_nothing_else(tool):
    with zipfile.ZipFile(tool) as archive:
        names = archive.namelist()
        assert set(names) == {"__main__.py", "memfrag_lib/__init__.py"} | {
            "memfrag_lib/%s.py" % _install._file_of(name) for name in _tool.LIBRARY
        }
        package = os.path.dirname(_tool.__file__)
        for name in _tool.LIBRARY:
            path = _install._file_of(name) + ".py"
            assert archive.read("memfrag_lib/" + path) == Node("/").read_bytes(os.path.join(package, path))


def test_the_tool_is_complete(tool, node_root):
    """Every command, in a Python that knows of nothing but the file: a module that is missing would be found here."""
    root = node_root(MOVABLE)
    for command in ("status", "metrics", "policy", "compact --dry-run"):
        process = subprocess.Popen(
            [sys.executable, "-I" if sys.version_info[0] > 2 else "-E", tool] + command.split() + ["--root", root],
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, errors = process.communicate()
        assert (errors, process.returncode) == (b"", 3 if command == "status" else 0)
        assert out


def test_the_tool_is_written_once(tmp_path):
    node = WritableNode(str(tmp_path))
    assert _install.install(node, "/sbin/memfrag", check_mode=True) and not node.exists("/sbin/memfrag")
    assert _install.install(node, "/sbin/memfrag")
    assert node.stat("/sbin/memfrag").st_mode & 0o7777 == 0o755
    assert not _install.install(node, "/sbin/memfrag")
    os.chmod(node.path("/sbin/memfrag"), 0o644)
    assert _install.install(node, "/sbin/memfrag", check_mode=True) and _install.install(node, "/sbin/memfrag")
    assert _install.build("/usr/bin/python3") == _install.build("/usr/bin/python3")
    assert _install.build("/usr/bin/python3").startswith(b"#!/usr/bin/python3\nPK")


def test_the_tool_goes_with_what_it_left(tmp_path):
    node = WritableNode(str(tmp_path))
    _install.install(node, "/sbin/memfrag")
    for path in (
        "/etc/memfrag/policy.json",
        "/run/memfrag.lock",
        "/var/lib/memfrag/compaction.json",
        "/var/lib/memfrag/.compaction.json.tmp",
    ):
        build_roots.write(node.root, path.lstrip("/"))
    there = _install.remove(node, "/sbin/memfrag", check_mode=True)
    assert node.exists("/sbin/memfrag")
    assert _install.remove(node, "/sbin/memfrag") == there
    assert there == [
        "/sbin/memfrag",
        "/etc/memfrag/policy.json",
        "/var/lib/memfrag/compaction.json",
        "/run/memfrag.lock",
    ]
    assert not node.exists("/var/lib/memfrag") and not node.exists("/etc/memfrag") and node.listdir("/run") == []
    assert _install.remove(node, "/sbin/memfrag") == []
    # The record of settings is not the tool's, nor is what others keep beside its policy.
    build_roots.write(node.root, "var/lib/memfrag/sysctl.json")
    build_roots.write(node.root, "etc/memfrag/other.json")
    _install.remove(node, "/sbin/memfrag")
    assert node.exists("/var/lib/memfrag/sysctl.json") and node.exists("/etc/memfrag/other.json")


def test_killed_at_any_time_it_leaves_no_lock_and_no_half_file(tool, running):
    root = running(MOVABLE)
    arguments = [
        sys.executable,
        tool,
        "compact",
        "--force",
        "--quiet",
        "--root",
        root,
        "--textfile",
        "/var/lib/memfrag",
    ]
    subprocess.Popen(arguments).wait()
    begun = time.time()
    subprocess.Popen(arguments).wait()
    whole, killed = time.time() - begun, 0
    for number in range(25):
        process = subprocess.Popen(arguments)
        # From its start to its end, in equal steps.
        time.sleep(whole * number / 24.0)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        # The child that writes to the kernel ends by itself.
        deadline, held = time.time() + 10, False
        while not held and time.time() < deadline:
            with WritableNode(root).lock("/run/memfrag.lock") as held:
                pass
        assert held
        # Files are whole, whichever run they are of.
        assert json.loads(Node(root).read_text("/var/lib/memfrag/compaction.json"))["runs"]
        assert Node(root).read_text("/var/lib/memfrag/memfrag.prom").endswith("\n")
        assert set(Node(root).listdir("/var/lib/memfrag")) <= {
            "compaction.json",
            "memfrag.prom",
            ".compaction.json.tmp",
            ".memfrag.prom.tmp",
        }
    assert killed
    subprocess.Popen(arguments).wait()
    assert Node(root).listdir("/var/lib/memfrag") == ["compaction.json", "memfrag.prom"]
