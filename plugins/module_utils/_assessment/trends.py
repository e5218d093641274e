# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""MF302 to MF305, MF508: what grew since the previous run, and who waits for memory."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .catalogue import make
from .node_state import percent


def find(state):
    found = []
    if state.hours:
        window = "in %.1f hours" % state.hours
        for rule in (_compactions, _reclaims, _huge_page_faults, _drops):
            found += rule(state, state.rates, window)
    return found + _pressure(state)


def _compactions(state, grown, window):
    stalls, fails = grown.get("compact_stall", 0), grown.get("compact_fail", 0)
    if stalls < state.policy["compaction_stalls_per_hour"] * state.hours:
        return []
    if percent(fails, stalls) < state.policy["compaction_fail_percent"]:
        return []
    title = "%d of %d direct compactions failed %s" % (fails, stalls, window)
    return [make("MF302", "medium", title, compact_stall=stalls, compact_fail=fails, hours=round(state.hours, 2))]


def _reclaims(state, grown, window):
    reclaims = sum(value for name, value in grown.items() if name.startswith("allocstall"))
    if reclaims < max(1, state.policy["allocation_stalls_per_hour"] * state.hours):
        return []
    title = "Processes entered direct reclaim %d times %s" % (reclaims, window)
    return [make("MF303", "medium", title, allocstall=reclaims, hours=round(state.hours, 2))]


def _huge_page_faults(state, grown, window):
    faults, fallbacks = grown.get("thp_fault_alloc", 0), grown.get("thp_fault_fallback", 0)
    if fallbacks < 100 or percent(fallbacks, faults + fallbacks) < state.policy["thp_fallback_percent"]:
        return []
    title = "%d of %d huge page faults fell back %s" % (fallbacks, faults + fallbacks, window)
    return [make("MF305", "info", title, thp_fault_fallback=fallbacks, thp_fault_alloc=faults)]


def _drops(state, grown, window):
    drops = grown.get("drop_slab", 0) + grown.get("drop_pagecache", 0)
    if drops < max(2, state.policy["drop_caches_per_day"] * state.hours / 24):
        return []
    return [make("MF508", "low", "Caches were dropped %d times %s" % (drops, window), drops=drops)]


def _pressure(state):
    pressure = state.facts.get("pressure") or {}
    waiting = pressure.get("some_avg300", 0)
    if waiting < state.policy["pressure_percent"]:
        return []
    title = "Some task waited for memory %.0f %% of the last five minutes" % waiting
    return [make("MF304", "medium", title, **pressure)]
