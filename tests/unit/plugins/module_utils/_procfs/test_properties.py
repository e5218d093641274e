# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

"""Properties that hold for any text: no parser raises, nothing is lost without being counted."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.kernelops.memfrag.plugins.module_utils import _fragmentation
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs import (
    buddyinfo,
    cgroups,
    choice,
    extfrag,
    kconfig,
    meminfo,
    pagetypeinfo,
    pressure,
    slabinfo,
    sysctl,
    vmstat,
    zoneinfo,
)

PARSERS = (
    buddyinfo.parse_buddyinfo,
    cgroups.parse_cgroups,
    choice.parse_choice,
    extfrag.parse_extfrag,
    meminfo.parse_meminfo,
    pagetypeinfo.parse_pagetypeinfo,
    pressure.parse_pressure,
    slabinfo.parse_slabinfo,
    sysctl.parse_sysctl_list,
    sysctl.parse_sysctl_value,
    vmstat.parse_vmstat,
    zoneinfo.parse_zoneinfo,
    lambda text: kconfig.parse_kconfig(text, ("CONFIG_COMPACTION",)),
)

# Pieces of the real formats, so that the parsers get past the first word more often than chance would let them.
PIECES = st.sampled_from(
    "Node 0, zone|Normal|DMA32|type|Unmovable|Movable|>100000|-1.000|0.-500|pages free|min|low|high|managed|protection: (0, 1)|"
    "count:|cpu: 0|pagesets|Page block order:|Number of blocks type|Free pages count|memory|MemTotal:|kB|some avg10=0.1|total=9|"
    "slabinfo - version: 2.1|dentry|: tunables|: slabdata|1|0|7|99999999999999999999999|=|vm.x = 1|[never]|CONFIG_COMPACTION=".split(
        "|"
    )
)
TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(st.one_of(PIECES, st.sampled_from([" ", "\n", "\n", "\t", ", "]), st.text(max_size=3)), max_size=60).map(
        " ".join
    ),
)
BLOCKS = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 10**7)), min_size=1, max_size=16)


@settings(max_examples=300)
@given(TEXTS)
def test_no_parser_raises_on_any_text(text):
    for parse in PARSERS:
        unparsed = parse(text)[1]
        assert 0 <= unparsed <= len(text.splitlines()) + 1


@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.sampled_from(["DMA", "Normal", "Movable"]), BLOCKS),
        max_size=8,
        unique_by=lambda zone: zone[:2],
    ).map(lambda zones: [zone[:2] + (zone[2][: min(len(each[2]) for each in zones)],) for zone in zones])
)
def test_buddyinfo_round_trip(zones):
    text = "".join("Node %d, zone %8s %s \n" % (node, zone, " ".join(map(str, blocks))) for node, zone, blocks in zones)
    parsed, unparsed = buddyinfo.parse_buddyinfo(text)
    assert [(zone["node"], zone["zone"], zone["free_blocks"]) for zone in parsed] == zones
    assert unparsed == 0


@given(st.integers(-1500, 1000))
def test_thousandths_round_trip_through_the_printing_of_the_kernel(value):
    # "%d.%03d" of C's division, which cuts towards zero.
    whole = abs(value) // 1000 * (1 if value >= 0 else -1)
    assert extfrag.thousandths("%d.%03d" % (whole, value - whole * 1000)) == value


@given(BLOCKS, st.integers(0, 15))
def test_indices_stay_in_range_and_agree(blocks, order):
    index = _fragmentation.fragmentation_index(blocks, order)
    unusable = _fragmentation.unusable_index(blocks, order)
    suitable = _fragmentation.suitable_blocks(blocks, order)
    assert index == -1000 or -500 <= index <= 1000
    assert 0 <= unusable <= 1000
    assert (index == -1000) == bool(suitable)
    assert (unusable == 1000) >= (not suitable)
    assert _fragmentation.free_pages(blocks) >= suitable << order


@given(BLOCKS)
def test_the_unusable_share_only_grows_with_the_order(blocks):
    shares = [_fragmentation.unusable_index(blocks, order) for order in range(len(blocks))]
    assert shares == sorted(shares)


@given(BLOCKS, st.integers(0, 15), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_what_an_ordinary_request_gets_an_atomic_one_gets_too(blocks, order, mark, reserve, scaled):
    if _fragmentation.watermark_ok(blocks, order, mark, reserve, scaled=scaled):
        assert _fragmentation.watermark_ok(blocks, order, mark, reserve, atomic=True, scaled=scaled)
        assert _fragmentation.watermark_ok(blocks, order, mark, reserve)
