# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest


@pytest.mark.parametrize("check_mode", [False, True])
def test_diagnoses_a_log(run_module, fixture_path, check_mode):
    options = {"files": [fixture_path("logs", "seeds", "000.log")], "since": "1970-01-01T00:00:00Z"}
    result = run_module("memfrag_journal_info", options, check_mode=check_mode)
    assert not result.get("failed")
    assert not result.get("changed")
    assert result["incidents"][0]["cause"] == "fragmentation"
    assert result["events"][result["incidents"][0]["events"][0]]["source"] == options["files"][0]
    assert result["counts"]["events_returned"] == len(result["events"])
    assert result["sources"][0]["status"] == "read"


def test_knows_errors_of_the_users_own(run_module, tmp_path):
    (tmp_path / "x.log").write_bytes(b"Nov 21 01:02:03 node acme[1]: acme-csi: pool 7 exhausted\n")
    options = {
        "files": [str(tmp_path / "x.log")],
        "signatures": [{"id": "acme", "contains": ["acme-csi"], "pattern": "pool .* exhausted", "cause": "disk_full"}],
    }
    result = run_module("memfrag_journal_info", options)
    assert [(event["signature"], event["cause"], event["kind"]) for event in result["events"]] == [
        ("acme", "disk_full", "container_start_failure")
    ]


@pytest.mark.parametrize(
    "options,words",
    [
        ({"since": "yesterday"}, "since: "),
        ({"until": "-1x"}, "until: "),
        ({"root": "/nonexistent"}, "root is not a directory"),
        ({"max_events": -1}, "max_events: -1"),
        (
            {"signatures": [{"id": "a", "contains": ["x"], "pattern": "(", "cause": "unknown"}]},
            "signature a: the pattern (",
        ),
        ({"signatures": [{"id": "a", "contains": ["x"], "cause": "gremlins"}]}, "gremlins"),
    ],
)
def test_says_what_is_wrong_with_an_option(run_module, tmp_path, options, words):
    result = run_module("memfrag_journal_info", dict({"files": [str(tmp_path / "x")]}, **options))
    assert result["failed"]
    assert words in result["msg"]
