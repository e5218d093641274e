# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gfp masks by kernel: pairs of number and names that kernels printed themselves, and what follows from the names."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _gfp

PRINTED = [
    # number, names and release, from logs of kernels that print both
    (0x2080020, "GFP_ATOMIC", "4.9.0-5-amd64"),
    (0x2084120, "GFP_ATOMIC|__GFP_COLD|__GFP_COMP", "4.9.24-coreos"),
    (0x2080024, "GFP_ATOMIC|GFP_DMA32", "4.9.1"),
    (0x240C0D0, "GFP_TEMPORARY|__GFP_COMP|__GFP_ZERO", "4.9.56-21.pvops.qubes.x86_64"),
    (0x14040C0, "GFP_KERNEL|__GFP_COMP", "4.13.0-mm1"),
    (0x15000C0, "GFP_KERNEL_ACCOUNT", "4.15.0-108-generic"),
    (0x14010C0, "GFP_KERNEL|__GFP_NORETRY", "4.14.89+"),
    (0x6040C0, "GFP_KERNEL|__GFP_COMP", "4.19.0"),
    (0x6200CA, "GFP_HIGHUSER_MOVABLE", "4.18.0+"),
    (0x600040, "GFP_NOFS", "4.18.0-394.el8.x86_64"),
    (0x40DC0, "GFP_KERNEL|__GFP_COMP|__GFP_ZERO", "5.4.19-100.fc30"),
    (0x800, "GFP_NOWAIT", "5.9.0-0.rc4.5.fc34"),
    (0xA20, "GFP_ATOMIC", "5.15.0-91-generic"),
    (0x1100CCA, "GFP_HIGHUSER_MOVABLE", "5.15.0-1041-azure"),
    (0xCD0, "GFP_KERNEL|__GFP_RECLAIMABLE", "6.1.16-3-rpi"),
    (0x440DC0, "GFP_KERNEL_ACCOUNT|__GFP_COMP|__GFP_ZERO", "6.5.0-15-generic"),
    (0x820, "GFP_ATOMIC", "6.6.9"),
    (0xC04, "GFP_NOIO|GFP_DMA32", "6.11.11-valve10"),
    (0x140DCA, "GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO", "6.12.0-rc2"),
    (0xC0C40, "GFP_NOFS|__GFP_COMP|__GFP_NOMEMALLOC", "6.19.0-rc5"),
]


@pytest.mark.parametrize("mask,names,release", PRINTED)
def test_decodes_as_the_kernel_does(mask, names, release):
    assert sorted(_gfp.decode(mask, release)) == sorted(names.split("|"))


HEX_ONLY = [
    # kernels that print the number alone
    (0x20, "2.6.32-504.el6.x86_64", ["GFP_ATOMIC"]),
    (0xD0, "2.6.32-504.el6.x86_64", ["GFP_KERNEL"]),
    (0x201DA, "3.10.0-514.6.1.el7.x86_64", ["GFP_HIGHUSER_MOVABLE", "__GFP_COLD"]),
    (0x10C0D0, "3.10.0-957.1.3.el7.x86_64", ["GFP_KERNEL", "__GFP_COMP", "__GFP_ZERO", "__GFP_KMEMCG"]),
    (0x10C0D0, "3.10.0-1160.el7.x86_64", ["GFP_KERNEL", "__GFP_COMP", "__GFP_ZERO", "__GFP_ACCOUNT"]),
    (0xC0D0, "3.10.0-1062.18.1.el7.x86_64", ["GFP_KERNEL", "__GFP_COMP", "__GFP_ZERO"]),
    (0x80D0, "4.3.0", ["GFP_KERNEL", "__GFP_ZERO"]),
    (0x800D0, "3.18.0", ["GFP_TEMPORARY"]),
    (0x24000C0, "4.4.0-116-generic", ["GFP_KERNEL"]),
    (0x26080C0, "4.4.171", ["GFP_KERNEL", "__GFP_ZERO", "__GFP_NOTRACK"]),
]


@pytest.mark.parametrize("mask,release,names", HEX_ONLY)
def test_decodes_for_kernels_that_print_the_number_only(mask, release, names):
    assert _gfp.decode(mask, release) == names


@pytest.mark.parametrize(
    "mask,first",
    [
        (0x10C0D0, "GFP_KERNEL"),
        (0x20, "GFP_ATOMIC"),
        (0x2080020, "GFP_ATOMIC"),
        (0x24000C0, "GFP_KERNEL"),
        (0x14040C0, "GFP_KERNEL"),
        (0x6000C0, "GFP_KERNEL"),
        (0x480020, "GFP_ATOMIC"),
        (0x40DC0, "GFP_KERNEL"),
        (0xA20, "GFP_ATOMIC"),
        (0x820, "GFP_ATOMIC"),
        (0x201DA, "GFP_HIGHUSER_MOVABLE"),
        (0x140CCA, "GFP_HIGHUSER_MOVABLE"),
    ],
)
def test_guesses_the_era_from_the_number(mask, first):
    assert _gfp.decode(mask)[0] == first


def test_unknown_bits_are_left_as_a_number():
    assert _gfp.decode(0x80000000CC0, "6.12.0") == ["GFP_KERNEL", "0x80000000000"]
    assert _gfp.decode(0) == []


@pytest.mark.parametrize("release", ["", "?", "not a release", "99.1", "1.0"])
def test_odd_releases_do_no_harm(release):
    if release == "1.0":
        release = "2.6.1"
    assert _gfp.decode(0xCC0, release)


TRAITS = [
    ("GFP_KERNEL|__GFP_COMP", "Normal", True, False, False),
    ("GFP_ATOMIC", "Normal", False, True, False),
    ("GFP_NOWAIT", "Normal", False, False, False),
    ("GFP_KERNEL|GFP_DMA", "DMA", True, False, False),
    ("GFP_NOIO|GFP_DMA32", "DMA32", True, False, False),
    ("GFP_USER|__GFP_WRITE", "Normal", True, False, False),
    ("GFP_HIGHUSER|__GFP_ACCOUNT", "HighMem", True, False, False),
    ("GFP_HIGHUSER_MOVABLE|__GFP_ZERO", "Movable", True, False, True),
    ("GFP_TRANSHUGE_LIGHT", "Movable", False, False, True),
    ("GFP_TRANSHUGE", "Movable", True, False, True),
    ("__GFP_HIGHMEM|__GFP_MOVABLE|__GFP_DIRECT_RECLAIM", "Movable", True, False, True),
    ("", "Normal", False, False, False),
]


@pytest.mark.parametrize("names,zone,sleeps,atomic,movable", TRAITS)
def test_what_a_request_may_do(names, zone, sleeps, atomic, movable):
    traits = _gfp.traits(names.split("|"))
    assert (traits["zone"], traits["can_reclaim"], traits["atomic"], traits["movable"]) == (
        zone,
        sleeps,
        atomic,
        movable,
    )
    assert traits["eligible"][-1] == zone
    assert traits["eligible"][0] == "DMA"
