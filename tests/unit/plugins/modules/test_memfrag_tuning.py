# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import target
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

HEALTHY = "6.1.0-56-cloud-amd64/healthy"
AUTO = {"min_free_kbytes": "auto"}


@pytest.fixture(name="root")
def root_fixture(node_root):
    root = node_root(HEALTHY)
    os.makedirs(os.path.join(root, "etc/cron.d"))
    os.makedirs(os.path.join(root, "run"))
    return root


# --- memfrag_sysctl -----------------------------------------------------------------------------------------------


def test_sysctl(run_module, root):
    options = {"root": root, "settings": AUTO}
    predicted = run_module("memfrag_sysctl", options, check_mode=True, diff=True)
    assert predicted["changed"] and not Node(root).exists("/etc/sysctl.d")
    done = run_module("memfrag_sysctl", options, diff=True)
    assert (done["settings"], done["diff"]) == (predicted["settings"], predicted["diff"])
    assert Node(root).read_text("/proc/sys/vm/min_free_kbytes") == "2007\n"
    assert (done["drop_in"], done["record"], done["read_only"]) == (
        "/etc/sysctl.d/90-memfrag.conf",
        "/var/lib/memfrag/sysctl.json",
        None,
    )
    assert not run_module("memfrag_sysctl", options)["changed"]
    assert run_module("memfrag_sysctl", {"root": root, "state": "absent"})["changed"]
    assert Node(root).read_text("/proc/sys/vm/min_free_kbytes") == "1746\n"
    assert not run_module("memfrag_sysctl", {"root": root, "state": "absent"})["changed"]


def test_sysctl_refuses(run_module, root):
    result = run_module(
        "memfrag_sysctl", {"root": root, "settings": {"min_free_kbytes": True}, "variable_prefix": "my_"}
    )
    assert result["failed"]
    assert result["msg"].startswith(
        "my_min_free_kbytes: true is not allowed: leave, auto or a whole number from 1024 to 10037 kB"
    )
    assert not Node(root).exists("/etc/sysctl.d")


def test_sysctl_warns(run_module, root):
    result = run_module("memfrag_sysctl", {"root": root, "settings": {"min_free_kbytes": 1024}}, check_mode=True)
    words = [warning if isinstance(warning, str) else str(warning) for warning in result["warnings"]]
    assert any("less than the 1780 kB that the kernel sets by itself" in word for word in words)


# --- memfrag_tuning_info ------------------------------------------------------------------------------------------


def test_info(run_module, root):
    result = run_module("memfrag_tuning_info", {"root": root, "settings": AUTO, "seed": "node17"})
    assert not result["changed"]
    assert result["settings"][0]["value"] == 2007
    assert result["policy"] == target.complete({})
    assert (result["proactive"], result["schedule"]["scheduler"], result["memory"]["total"]) == (True, "cron", 200744)
    assert not Node(root).exists("/var/lib/memfrag")


@pytest.mark.parametrize("asked,order,who", [("auto", 3, "may not fail"), (9, 9, "huge pages"), (8, 8, None)])
def test_info_tells_who_asks_for_an_order(run_module, root, asked, order, who):
    result = run_module("memfrag_tuning_info", {"root": root, "policy": {"order": asked}})
    assert [entry["order"] for entry in result["orders"]] == [order]
    asking = " ".join(result["orders"][0]["needed_by"])
    assert who in asking if who else not asking


def test_info_names_all_that_is_wrong(run_module, root):
    result = run_module(
        "memfrag_tuning_info",
        {
            "root": root,
            "settings": {"min_free_kbytes": 0},
            "policy": {"order": 15},
            "schedule": {"minute": "*; reboot"},
            "variable_prefix": "memfrag_tuning_",
        },
    )
    assert result["failed"]
    for words in (
        "memfrag_tuning_min_free_kbytes: 0 is out of range",
        "memfrag_tuning_compaction_order: 15 is more than this kernel has; its orders are 0 to 10",
        'memfrag_tuning_compaction_minute: "*; reboot" is neither auto nor a field of cron',
    ):
        assert words in result["msg"]


# --- memfrag_tool -------------------------------------------------------------------------------------------------


def test_tool(run_module, tmp_path):
    # Only its own path: what its runs leave is the node's.
    options = {"path": str(tmp_path / "sbin" / "memfrag"), "interpreter": "/usr/bin/python3"}
    assert run_module("memfrag_tool", options, check_mode=True)["changed"] and not os.path.exists(options["path"])
    assert run_module("memfrag_tool", options)["changed"]
    with open(options["path"], "rb") as stream:
        assert stream.read(24) == b"#!/usr/bin/python3 -Es\nP"
    assert not run_module("memfrag_tool", options)["changed"]
    removed = run_module("memfrag_tool", {"path": options["path"], "state": "absent"}, check_mode=True)
    assert removed["changed"] and options["path"] in removed["removed"]
