# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _consumers, _releases


def test_orders_by_bytes_and_page_size():
    assert [_releases.order_of(16384, page) for page in (4096, 16384, 65536)] == [2, 0, 0]
    assert _releases.order_of(1, 4096) == 0
    assert _releases.order_of(4097, 4096) == 1


# KERNEL: array size 6142 gives order 4, 12286 order 5, 24574 order 6; up to 766 entries come from a slab cache.
@pytest.mark.parametrize(
    "cgroups, order", [(10, 0), (765, 0), (766, 2), (1534, 3), (3070, 4), (6142, 5), (12286, 6), (24574, 7), (65535, 8)]
)
def test_the_array_of_the_memory_cgroups(cgroups, order):
    assert _consumers.memcg_array_order(cgroups, 4096) == order


def orders_of(word, conntrack_caches=None, memory_cgroups=None, **values):
    kernel = {"release": "6.12.1", "page_size": 4096, "possible_cpus": None, "hugepage_order": None}
    kernel.update(values)
    needed = _consumers.needed_by(kernel, conntrack_caches, memory_cgroups)
    return sorted(order for order, texts in needed.items() if any(word in text for text in texts))


def test_who_needs_what():
    assert orders_of("network namespace", release="3.10.0-957.el7.x86_64", conntrack_caches=8, memory_cgroups=7000) == [
        5
    ]
    assert orders_of("network namespace", release="3.10.0-957.el7.x86_64", conntrack_caches=8) == [4, 5, 6]
    assert orders_of("network namespace", conntrack_caches=0) == []
    assert orders_of("veth", release="5.15.0-25-generic", possible_cpus=64) == [4]
    assert orders_of("veth", release="6.1.80", possible_cpus=256) == [6]
    assert orders_of("veth", release="6.1.81", possible_cpus=256) == []
    assert orders_of("veth", release="5.15.0-25-generic", possible_cpus=8) == []
    assert orders_of("veth", release="5.14.0-427.el9.x86_64", possible_cpus=256) == []
    assert orders_of("stack", release="3.10.0-957.el7.x86_64", vmap_stack=False) == [2]
    assert orders_of("stack", release="6.1.0", vmap_stack=True) == []
    assert orders_of("huge", hugepage_order=13, page_size=65536) == [13]
    assert orders_of("top page table", machine="x86_64", page_table_isolation=True) == [1]
    assert orders_of("top page table", machine="aarch64", page_table_isolation=True) == []


@pytest.mark.parametrize("page_size, orders", [(4096, range(2, 9)), (16384, range(2, 7)), (65536, range(2, 5))])
def test_the_array_gives_away_how_many_cgroups_there_were(page_size, orders):
    for order in orders:
        least = _consumers.memcg_array_cgroups(order, page_size)
        assert _consumers.memcg_array_order(least, page_size) == order
        assert _consumers.memcg_array_order(least - 1, page_size) < order
    assert _consumers.memcg_array_cgroups(0, page_size) is None
    assert _consumers.memcg_array_cgroups(9, page_size) is None


@pytest.mark.parametrize(
    "release, scaled",
    [
        ("3.10.0-1160.el7.x86_64", True),
        ("2.6.32-754.el6.x86_64", True),
        ("4.3.6", True),
        ("4.4.0-210-generic", False),
        ("4.18.0-305.el8.x86_64", False),
        ("6.12.1", False),
        (None, False),
    ],
)
def test_the_watermark_check_by_release(release, scaled):
    assert _releases.scaled_check(release) is scaled
