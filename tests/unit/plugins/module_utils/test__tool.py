# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import syslog

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _install, _logline, _tool
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import OPTIONS
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

MOVABLE = "6.1.0-56-cloud-amd64/fragmented-movable"
PINNED = "6.1.0-56-cloud-amd64/fragmented"
HEALTHY = "6.1.0-56-cloud-amd64/healthy"


# --- options ------------------------------------------------------------------------------------------------------


def test_help_has_every_command_option_and_exit_status(memfrag):
    status, text, dummy = memfrag("--help")
    assert status == 0
    assert all(word in text for word in ("status", "compact", "metrics", "check", "policy", "exit status:"))
    status, text, dummy = memfrag("compact", "--help")
    assert status == 0
    assert all("--" + name.replace("_", "-") in text for name in OPTIONS)
    assert all("\n  %d  " % number in text for number in range(5))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "too few arguments"),
        (("frobnicate",), "frobnicate"),
        (("compact", "--order", "nine"), 'order: "nine" is not allowed: auto or a whole number from 1 to 20'),
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
        ('{"order": false}', 2, "/etc/memfrag/policy.json: order: false is not allowed: auto or"),
        ("order: 4", 2, "/etc/memfrag/policy.json: this is not a policy"),
        ("[4]", 2, "/etc/memfrag/policy.json: this is not a policy: it is not an object"),
        ('{"textfile_directory": "x"}', 2, 'textfile_directory: "x" is not an absolute path'),
        (r'{"textfile_directory": "/x\u0000"}', 2, r'textfile_directory: "/x\u0000" is not an absolute path'),
        (r'{"textfile_directory": "/x\ud800"}', 2, r'textfile_directory: "/x\ud800" is not an absolute path'),
        ('{"window": "22:00-04:00", "window": null}', 2, '"window" is there twice'),
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
        (MOVABLE, 0, "would compact (needed): node 0: unusable index 985 at order 5, at most 950 is wanted\n"),
        (PINNED, 3, "not compacted (unmovable): compaction would not help: "),
    ],
)
def test_dry_run(name, status, words, memfrag, node_root):
    found = memfrag("compact", "--dry-run", "--order", "5", "--root", node_root(name))
    assert (found[0], found[2]) == (status, "")
    assert found[1].startswith(words)


def test_compact(memfrag, running):
    root = running(MOVABLE)
    build_roots.write(
        root,
        "etc/memfrag/policy.json",
        json.dumps({"order": 5, "textfile_directory": "/run", "backoff_seconds": 60}),
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
    status, text, dummy = memfrag("status", "--order", "5", "--root", node_root(PINNED))
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
    line = _logline.logline(
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


@pytest.mark.parametrize("mode, words", [(0o666, "may be written by everyone (mode 0666)"), (0o644, None)])
def test_a_policy_that_others_could_have_written_is_not_obeyed(mode, words, memfrag, node_root):
    root = node_root(MOVABLE)
    build_roots.write(root, "etc/memfrag/policy.json", '{"order": 4}')
    os.chmod(os.path.join(root, "etc/memfrag/policy.json"), mode)
    for command in ("status", "compact --dry-run", "policy", "metrics"):
        status, dummy, errors = memfrag(*(command.split() + ["--root", root]))
        assert (status == 2) is (words is not None)
        assert not words or "policy.json: not obeyed, since " in errors and words in errors


@pytest.mark.parametrize(
    "text, mode, words",
    [
        ('{"odrer": 4}', 0o644, "/etc/memfrag/policy.json: odrer: no such option"),
        ("{", 0o644, "this is not a policy"),
        ('{"order": 4}', 0o666, "not obeyed, since "),
    ],
)
def test_a_broken_policy_is_said_in_the_system_log(text, mode, words, memfrag, node_root, monkeypatch):
    said = []
    monkeypatch.setattr(syslog, "syslog", lambda priority, line: said.append((priority, line)))
    root = node_root(MOVABLE)
    build_roots.write(root, "etc/memfrag/policy.json", text)
    os.chmod(os.path.join(root, "etc/memfrag/policy.json"), mode)
    arguments = ["compact", "--quiet", "--syslog", "--root", root]
    assert memfrag(*arguments)[0] == 2
    assert len(said) == 1 and said[0][0] == syslog.LOG_ERR
    assert said[0][1].startswith('error="') and words in said[0][1] and "\n" not in said[0][1]


def test_the_kill_switch_is_said(memfrag, running):
    root = running(MOVABLE)
    build_roots.write(root, "etc/memfrag/disable", "change 4711\n")
    status, text, dummy = memfrag("compact", "--root", root)
    assert (status, text) == (4, "not compacted (kill_switch): /etc/memfrag/disable is there: change 4711\n")
    assert "would not run now (kill_switch)" in memfrag("status", "--root", root)[1]
    assert Node(root).read_text("/sys/devices/system/node/node0/compact") == ""


def test_metrics_are_on_record_where_they_were_written(memfrag, running):
    root = running(MOVABLE)
    for name in ("one", "two"):
        build_roots.write(root, name + "/keep")
        for _dummy in range(2):
            memfrag("compact", "--quiet", "--root", root, "--textfile", "/" + name)
    node = WritableNode(root)
    assert node.read_text("/var/lib/memfrag/textfiles") == "/one/memfrag.prom\n/two/memfrag.prom\n"
    _install.remove(node, "/none")
    assert node.listdir("/one") == node.listdir("/two") == ["keep"] and not node.exists("/var/lib/memfrag")
