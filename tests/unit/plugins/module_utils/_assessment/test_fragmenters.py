# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who fragments a node, where the audit was asked to watch."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess


def row(comm, pageblocks, pollutes=True, **more):
    entry = {
        "comm": comm,
        "cgroup": "/system.slice/%s.service" % comm,
        "container": None,
        "function": "anon_pipe_write",
        "stack": ["get_page_from_freelist", "anon_pipe_write"],
        "alloc_migratetype": "Unmovable",
        "fallback_migratetype": "Movable",
        "pollutes": pollutes,
        "pageblocks": pageblocks,
        "taken": pageblocks,
        "events": pageblocks,
    }
    return dict(entry, **more)


def findings(rows, stopped_early=False, blocks=1000):
    zone = {"node": 0, "zone": "Normal", "free_blocks": [0] * 10 + [400], "managed_pages": 512000}
    zone.update(
        watermarks={"min": 1000, "low": 1250, "high": 1500},
        lowmem_reserve=[0],
        pageblocks={"Movable": blocks - 10, "Unmovable": 10},
    )
    watch = {"seconds": 60.04, "events": 99, "overrun": 0, "stopped_early": stopped_early, "fragmenters": rows}
    kernel = {"release": "6.1.0", "page_size": 4096, "hugepage_order": 9}
    found = assess({"kernel": kernel, "zones": [zone], "watch": watch})["findings"]
    return [one for one in found if one["id"] == "MF313"]


@pytest.mark.parametrize(
    "pageblocks, severity", [(1, "info"), (9, "info"), (10, "low"), (99, "low"), (100, "medium"), (999, "medium")]
)
def test_it_is_as_grave_as_the_share_of_the_memory(pageblocks, severity):
    (found,) = findings([row("stress", pageblocks)])
    assert found["severity"] == severity
    assert (found["evidence"]["pageblocks"], found["evidence"]["of"]) == (pageblocks, 1000)


def test_it_names_the_worst_and_what_they_ask_through():
    rows = [
        row("stress", 50),
        row("relay", 40, container="ab" * 32),
        row("stress", 20, function="pte_alloc_one"),
        row("x", 1),
    ]
    (found,) = findings(rows, stopped_early=True)
    assert found["title"] == (
        "In 60 seconds 111 pageblocks were broken up for good, mostly by stress (anon_pipe_write, 70) and relay in container "
        "abababababab (anon_pipe_write, 40); there was so much of it that the watch ended early"
    )
    assert [one["comm"] for one in found["evidence"]["fragmenters"]] == ["stress", "relay", "stress", "x"]


def test_without_anybody_who_pollutes_there_is_nothing_to_say():
    assert findings([row("bystander", 500, pollutes=False)]) == []
    assert findings([]) == []
