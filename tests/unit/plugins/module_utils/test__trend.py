# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import build_roots

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _record, _trend
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import blocks_left
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

KERNEL = "6.1.0-56-cloud-amd64/"


def facts_of(tmp_path, capture):
    return _facts.collect(Node(build_roots.build(KERNEL + capture, str(tmp_path / capture))))


def test_blocks_are_those_that_ordinary_requests_can_take(tmp_path):
    facts = facts_of(tmp_path, "fragmented")
    trend = _trend.of_facts(facts)
    assert trend["blocks"] == [blocks_left(facts, order) for order in range(11)]
    assert trend["memory_kb"] == facts["meminfo"]["memtotal"]
    assert trend["uptime_seconds"] == facts["kernel"]["uptime_seconds"]


def test_a_compaction_of_the_machine_counts_and_that_of_the_daemon_does_not(tmp_path):
    """vmstat of the captures: 60421 + 1613 scanned, 22435 + 933 of it by kcompactd; then 137462 + 3094 and 23715 + 933."""
    before, after = (_trend.of_facts(facts_of(tmp_path, name)) for name in ("fragmented", "fragmented-then-compacted"))
    assert before["swept_pages"] == 38666
    assert after["swept_pages"] == 115908
    assert before["caches_dropped"] == 0
    assert _trend.of_facts(facts_of(tmp_path, "released-3s"))["caches_dropped"] == 2


def test_what_is_not_known_is_none():
    facts = {"zones": [], "kernel": {"page_size": 4096}, "allocatable": []}
    assert _trend.of_facts(facts) == {
        "blocks": [],
        "uptime_seconds": None,
        "memory_kb": None,
        "swept_pages": None,
        "caches_dropped": None,
    }


def test_a_record_has_it_in_its_first_line_and_one_of_odd_facts_does_without(tmp_path):
    record = dict(_record.empty("node17", [], 0), status="audited", facts=facts_of(tmp_path, "healthy"))
    assert '"trend":' in _record.text(record).splitlines()[0]
    odd = _record.text(dict(record, facts={"allocatable": [], "zones": "none"}))
    assert '"trend":' not in odd.splitlines()[0]
