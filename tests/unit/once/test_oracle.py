# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few hundred of the reports that tests/oracle/oracle.py reads by the thousand."""

from __future__ import annotations

import os
import sys

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, os.pardir, "oracle"))

import oracle


@pytest.mark.parametrize("seed", range(3))
def test_reports_of_simulated_machines_are_read_as_they_were_meant(seed):
    node = Node("/")
    figures = oracle.run(lambda path: journal.collect(node, dict(oracle.OPTIONS, files=[path])), 120, seed)
    assert not figures.below(), "\n".join([str(figures), *figures.troubles[:10]])


def test_the_oracle_tells_a_wrong_answer():
    node = Node("/")

    def blind(path):
        result = journal.collect(node, dict(oracle.OPTIONS, files=[path]))
        for event in result["events"]:
            event["cause"] = "fragmentation"
        return result

    figures = oracle.run(blind, 60, 1)
    assert "causes" in figures.below() and "flipped" in figures.below()
