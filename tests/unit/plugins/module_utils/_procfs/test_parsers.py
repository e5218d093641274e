# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.buddyinfo import parse_buddyinfo
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.cgroups import parse_cgroups
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.choice import parse_choice
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.extfrag import parse_extfrag, thousandths
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.kconfig import parse_kconfig
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.meminfo import parse_meminfo
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.pagetypeinfo import parse_pagetypeinfo
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.pressure import parse_pressure
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.slabinfo import parse_slabinfo
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.sysctl import (
    parse_sysctl_list,
    parse_sysctl_value,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.vmstat import parse_vmstat
from ansible_collections.kernelops.memfrag.plugins.module_utils._procfs.zoneinfo import parse_zoneinfo


def test_buddyinfo_takes_any_number_of_orders_nodes_and_zones():
    text = "Node 0, zone      DMA %s\nNode 0, zone   Normal %s\nNode 12, zone  Movable %s\n"
    for orders in (1, 9, 11, 14):
        zones, unparsed = parse_buddyinfo(text % ((" ".join(map(str, range(orders))) + " ",) * 3))
        assert [(zone["node"], zone["zone"]) for zone in zones] == [(0, "DMA"), (0, "Normal"), (12, "Movable")]
        assert all(zone["free_blocks"] == list(range(orders)) for zone in zones)
        assert unparsed == 0


THREE_ZONES = """\
Node 0, zone      DMA      1      0      1      0      2
Node 0, zone    DMA32    130    120     25      9      4
Node 0, zone   Normal   4015   1277    302     17      0
"""


@pytest.mark.parametrize(
    "change, unparsed",
    [
        (lambda text: text, 0),
        (lambda text: text.replace("\n", "\r\n"), 0),
        (lambda text: "    " + text.replace("\n", "\n    "), 0),
        # A mail of 40 columns.
        (lambda text: "\n".join(line[:38] + "\n " + line[38:] for line in text.splitlines()), 0),
        (lambda text: "$ cat /proc/buddyinfo\n" + text + "$ cat /proc/buddyinfo\n" + text, 5),
    ],
)
def test_buddyinfo_as_people_hand_it_on(change, unparsed):
    assert parse_buddyinfo(change(THREE_ZONES)) == (parse_buddyinfo(THREE_ZONES)[0], unparsed)


def test_a_line_that_was_cut_is_not_taken_for_a_zone_with_fewer_orders():
    zones, unparsed = parse_buddyinfo(THREE_ZONES[:-12])
    assert [zone["zone"] for zone in zones] == ["DMA", "DMA32"]
    assert unparsed == 1
    # Nor does a number that stands alone turn the whole zones into cut ones.
    zones, unparsed = parse_buddyinfo(THREE_ZONES + "42\n")
    assert [zone["zone"] for zone in zones] == ["DMA", "DMA32"]
    assert unparsed == 1


@pytest.mark.parametrize(
    "line",
    [
        "Node 0, zone   Normal  1  x  2",
        "Node 0, zone   Normal  1  -2",
        "Node 0, zone   Normal",
        "Node zero, zone Normal 1 2",
        "Node 0, zone   Normal  " + "9" * 5000,
        # nr_free that fell to -1, on 64 and on 32 bits.
        "Node 0, zone   Normal  18446744073709551615 2 1",
        "Node 0, zone   Normal  4294967295 2 1",
        "\x00\x01 garbage",
        b"Node 0, zone \xe5\xa4\xa7 \xd9\xa1\xd9\xa2".decode("utf-8"),
    ],
)
def test_buddyinfo_counts_what_it_does_not_understand(line):
    zones, unparsed = parse_buddyinfo("Node 0, zone DMA 1 2 3\n" + line + "\n")
    assert [zone["zone"] for zone in zones] == ["DMA"]
    assert unparsed == 1


@pytest.mark.parametrize(
    "word, value",
    [
        ("-1.000", -1000),
        ("0.984", 984),
        ("1.000", 1000),
        ("0.000", 0),
        ("0.-500", -500),
        ("0.-15", -15),
        ("-1.-500", -1500),
        ("-0.062", -62),
        ("nan", None),
        ("1", None),
        ("1.2.3", None),
    ],
)
def test_thousandths_as_c_divides_them(word, value):
    assert thousandths(word) == value


def test_extfrag_lines():
    zones, unparsed = parse_extfrag("Node 0, zone      DMA -1.000 0.-500  0.996 \nNode 1, zone Normal 0.1x\nnonsense\n")
    assert zones == {(0, "DMA"): [-1000, -500, 996]}
    assert unparsed == 2


PAGETYPEINFO = """\
Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1      2
Node    0, zone   Normal, type    Unmovable    501 >100000   1669
Node    0, zone   Normal, type  Reclaimable      0      1      0
Node    0, zone   Normal, type      Reserve      0      0      2

Number of blocks type     Unmovable  Reclaimable      Reserve
Node 0, zone   Normal           72           20            4

Number of mixed blocks    Unmovable  Reclaimable      Reserve
Node 0, zone   Normal            3            2            1
"""


def test_pagetypeinfo_with_capped_counts_and_mixed_blocks():
    data, unparsed = parse_pagetypeinfo(PAGETYPEINFO)
    assert (data["pageblock_order"], data["pages_per_block"]) == (9, 512)
    assert data["free"][0, "Normal"]["Unmovable"] == [501, 100000, 1669]
    assert data["free"][0, "Normal"]["Reserve"] == [0, 0, 2]
    assert data["capped"] == {(0, "Normal")}
    assert data["pageblocks"] == {(0, "Normal"): {"Unmovable": 72, "Reclaimable": 20, "Reserve": 4}}
    assert unparsed == 0


def test_pagetypeinfo_wrapped_and_cut():
    text = PAGETYPEINFO.replace("1      2\nNode", "1\n      2\nNode").replace(
        "501 >100000   1669", "501 >100000\n   1669"
    )
    assert parse_pagetypeinfo(text) == parse_pagetypeinfo(PAGETYPEINFO)
    data, unparsed = parse_pagetypeinfo(PAGETYPEINFO.replace("      0      1      0\n", "      0\n"))
    assert sorted(data["free"][0, "Normal"]) == ["Reserve", "Unmovable"]
    assert unparsed == 1


def test_pagetypeinfo_with_a_column_too_many_keeps_what_has_a_name():
    data, unparsed = parse_pagetypeinfo("Number of blocks type  Unmovable  Movable\nNode 0, zone DMA  1  2  3\n")
    assert data["pageblocks"] == {(0, "DMA"): {"Unmovable": 1, "Movable": 2}}
    assert unparsed == 1


def test_pagetypeinfo_gives_up_on_long_numbers_at_once():
    # Numbers that may be cut anywhere would be tried in exponentially many ways.
    text = "Node 0, zone Normal, type Movable %s x\nNumber of blocks type  Movable\nNode 0, zone Normal %s x\n" % (
        ("9" * 60,) * 2
    )
    assert parse_pagetypeinfo(text)[1] == 2


ZONEINFO_310 = """\
Node 0, zone   Normal
  pages free     81296
        min      10932
        low      13665
        high     16398
        scanned  0
        spanned  16252928
        present  16252928
        managed  15983065
    nr_free_pages 81296
    nr_inactive_file 7733255
        protection: (0, 0, 0, 0)
  pagesets
    cpu: 0
              count: 12
              high:  186
              batch: 31
  vm stats threshold: 84
    cpu: 1
              count: 30
              high:  186
              batch: 31
  all_unreclaimable: 0
  start_pfn:         1048576
  inactive_ratio:    1
"""


def test_zoneinfo_of_linux_3_10():
    (zone,), unparsed = parse_zoneinfo(ZONEINFO_310)
    assert (zone["min"], zone["low"], zone["high"], zone["managed"]) == (10932, 13665, 16398, 15983065)
    assert zone["protection"] == [0, 0, 0, 0]
    assert zone["pcp_pages"] == 42
    assert zone["nr_inactive_file"] == 7733255
    assert unparsed == 0


def test_zoneinfo_counts_what_it_does_not_understand():
    zones, unparsed = parse_zoneinfo(
        "  pages free 3\nNode 0, zone\nNode 0, zone DMA\n  min x\n  protection: (1, y)\n  low 4\n"
    )
    assert [(zone["zone"], zone.get("low"), zone["protection"]) for zone in zones] == [("DMA", 4, None)]
    assert unparsed == 4


def test_slabinfo_names_with_blanks_duplicates_and_short_lines():
    text = (
        "slabinfo - version: 2.1\n"
        "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables ...\n"
        "kmalloc-1024(1793:c8ed)   5   16   1024   16    4 : tunables    0    0    0 : slabdata      1      1      0\n"
        "odd name           1     30    136   30    1 : tunables    0    0    0 : slabdata      1      1      0 : globalstat 1 2\n"
        "odd name           1     30    136   30    1\n"
        "broken             1     x\n"
    )
    caches, unparsed = parse_slabinfo(text)
    assert [cache["name"] for cache in caches] == ["kmalloc-1024(1793:c8ed)", "odd name", "odd name"]
    assert [cache["slabs"] for cache in caches] == [1, 1, 1]
    assert caches[0]["pages_per_slab"] == 4
    assert unparsed == 1


def test_single_value_files():
    assert parse_vmstat("compact_stall 12\nodd\nnr_free_pages 7\n") == ({"compact_stall": 12, "nr_free_pages": 7}, 1)
    assert parse_meminfo("MemTotal:  24684092 kB\nActive(anon): 5 kB\nHugePages_Total:  2\n?\n") == (
        {"memtotal": 24684092, "active(anon)": 5, "hugepages_total": 2},
        1,
    )
    assert parse_cgroups("#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t8\t1\nbad line\n") == (
        {"memory": {"hierarchy": 4, "num_cgroups": 8, "enabled": True}},
        1,
    )
    assert parse_vmstat("compact_stall 12\r\n") == ({"compact_stall": 12}, 0)
    assert parse_meminfo("MemTotal:  24684092 kB\r\n") == ({"memtotal": 24684092}, 0)
    assert parse_choice("always madvise [never]\n") == ("never", 0)
    assert parse_choice("always madvise never\n") == (None, 1)


def test_pressure():
    text = "some avg10=0.18 avg60=0.03 avg300=0.00 total=37434\nfull avg10=1.00 avg60=0.50 avg300=0.25 total=8\nelse\n"
    assert parse_pressure(text) == (
        {
            "some_avg10": 0.18,
            "some_avg60": 0.03,
            "some_avg300": 0.0,
            "some_total": 37434,
            "full_avg10": 1.0,
            "full_avg60": 0.5,
            "full_avg300": 0.25,
            "full_total": 8,
        },
        1,
    )


def test_kconfig_tells_not_set_from_not_there():
    text = "#\n# Automatically generated\nCONFIG_COMPACTION=y\n# CONFIG_VMAP_STACK is not set\nCONFIG_NODES_SHIFT=10"
    names = ("CONFIG_COMPACTION", "CONFIG_VMAP_STACK", "CONFIG_NODES_SHIFT", "CONFIG_COMPACT")
    values = parse_kconfig(text, names)[0]
    assert values == {"CONFIG_COMPACTION": "y", "CONFIG_VMAP_STACK": None, "CONFIG_NODES_SHIFT": "10"}


def test_sysctl_values():
    assert parse_sysctl_value("67584\n")[0] == 67584
    assert parse_sysctl_value("256\t256\t32\t0\t0\n")[0] == [256, 256, 32, 0, 0]
    assert parse_sysctl_value("Node\n")[0] == "Node"
    values, unparsed = parse_sysctl_list(
        "vm.min_free_kbytes = 67584\nvm.stat_refresh = \nsysctl: reading key: denied\n"
    )
    assert values == {"vm.min_free_kbytes": 67584, "vm.stat_refresh": ""}
    assert unparsed == 1
