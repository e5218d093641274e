# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import gzip
import io
import json
import os

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts, _observation
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

CAPTURES = [name for name in build_roots.names() if not name.startswith("seeds/")]
DEBUGFS = ("extfrag_index", "unusable_index")


def collect(root, *subset):
    return _facts.collect(Node(root), subset or ["all"])


@pytest.mark.parametrize("name", CAPTURES)
def test_the_indices_are_those_that_the_kernel_printed(name, node_root):
    printed = collect(node_root(name))
    computed = collect(node_root(name, without=DEBUGFS))
    assert printed["zones"]
    for theirs, ours in zip(printed["zones"], computed["zones"]):
        assert (theirs["index_source"], ours["index_source"]) == ("debugfs", "computed")
        assert theirs["extfrag_index"] == ours["extfrag_index"]
        assert theirs["unusable_index"] == ours["unusable_index"]
    assert "extfrag" in computed["unavailable"] and "extfrag" not in printed["unavailable"]
    assert printed["unparsed_lines"] == {}


@pytest.mark.parametrize("name", CAPTURES)
def test_what_was_captured_is_understood(name, node_root):
    facts = collect(node_root(name))
    kernel = facts["kernel"]
    assert kernel["release"] == name.split("/")[0]
    assert kernel["page_size"] == (16384 if "16k" in name else 4096)
    assert kernel["machine"] == ("aarch64" if "arm64" in name else "x86_64")
    assert kernel["hugepage_order"] == (11 if "16k" in name else 9)
    assert kernel["config_compaction"] is True
    assert kernel["watermark_check"] == "order0"
    assert len(facts["allocatable"]) == (12 if "16k" in name else 11)
    assert facts["sysctl"]["vm.min_free_kbytes"] > 0
    assert facts["sysctl"]["vm.compact_memory"] == "write-only"
    assert facts["sysctl"]["vm.defrag_mode"] is None
    assert facts["pressure"]["some_avg10"] >= 0
    for zone in facts["zones"]:
        assert sum(zone["pageblocks"].values()) > 0
        by_type = [sum(counts) for counts in zip(*zone["migratetypes"].values())]
        assert by_type == zone["free_blocks"]
        assert zone["watermarks"]["min"] < zone["watermarks"]["low"] < zone["watermarks"]["high"]
    json.dumps(facts)


def states(facts, zone="Normal"):
    return [found["states"] for found in facts["zones"] if found["zone"] == zone][-1]


@pytest.mark.parametrize("kernel", ["5.10.0-46-cloud-amd64", "6.1.0-56-cloud-amd64", "6.12.107+deb13-cloud-amd64"])
def test_movable_fragmentation_wants_compaction_and_unmovable_is_beyond_it(kernel, node_root):
    assert states(collect(node_root(kernel + "/fragmented-movable")))[9] == "needs_compaction"
    assert states(collect(node_root(kernel + "/fragmented")))[9] == "exhausted"
    assert set(states(collect(node_root(kernel + "/healthy")))) == {"ok"}


def test_compaction_did_what_the_grade_foretold(node_root):
    kernel = "6.1.0-56-cloud-amd64/"
    assert states(collect(node_root(kernel + "fragmented-movable-then-compacted")))[9] == "ok"
    assert states(collect(node_root(kernel + "fragmented-then-compacted")))[9] == "exhausted"


def test_the_nodes_of_the_write_ups_by_buddyinfo_alone(node_root):
    failing = collect(node_root("seeds/001-failing"))
    assert [entry["state"] for entry in failing["allocatable"]] == ["ok"] * 5 + ["needs_compaction"] * 6
    assert failing["kernel"]["config_compaction"] is True
    assert failing["kernel"]["watermark_check"] == "scaled"
    assert failing["slab"]["nf_conntrack_caches"] == 8
    assert "network namespace" in failing["allocatable"][5]["needed_by"][0]
    healthy = collect(node_root("seeds/001-healthy"))
    assert [entry["state"] for entry in healthy["allocatable"]][:10] == ["ok"] * 10
    assert healthy["slab"]["nf_conntrack_caches"] == 3
    plain = collect(node_root("seeds/002"))
    assert [entry["state"] for entry in plain["allocatable"]] == ["ok"] * 4 + ["needs_compaction"] * 7
    assert plain["kernel"]["release"] is None
    assert "kernel" in plain["unavailable"]


def test_numa_nodes_have_answers_of_their_own(node_root):
    facts = collect(node_root("6.1.0-56-cloud-amd64/healthy"))
    assert set(facts["allocatable"][0]["nodes"]) == {"0"}
    facts = collect(node_root("5.10.0-46-cloud-amd64/numa-fragmented"))
    assert facts["allocatable"][4]["nodes"] == {"0": "ok", "1": "ok"}
    assert set(facts["allocatable"][9]["nodes"]) == {"0", "1"}


@pytest.mark.parametrize(
    "wanted, gathered",
    [
        (["all"], set(_observation.SUBSETS)),
        (["min"], {"kernel", "zones"}),
        (["slab"], {"kernel", "zones", "slab"}),
        (["!slab"], set(_observation.SUBSETS) - {"slab"}),
        (["!all"], {"kernel", "zones"}),
        (["!all", "vmstat"], {"kernel", "zones", "vmstat"}),
        (["!all", "!min"], set()),
        (["!min", "slab"], {"slab"}),
        (["all", "!zones"], set(_observation.SUBSETS) - {"zones"}),
        ([], set(_observation.SUBSETS)),
    ],
)
def test_subsets(wanted, gathered):
    assert _observation.resolve_subset(wanted) == gathered


def test_what_is_left_out_is_none(node_root):
    facts = collect(node_root("6.1.0-56-cloud-amd64/healthy"), "min")
    assert facts["zones"] and facts["kernel"]["release"] == "6.1.0-56-cloud-amd64"
    left_out = ("cgroups", "slab", "meminfo", "vmstat", "pressure", "sysctl", "transparent_hugepage")
    assert [facts[name] for name in left_out] == [None] * 7
    assert facts["zones"][0]["migratetypes"] is None
    assert facts["zones"][0]["index_source"] == "computed"


def test_a_wrong_subset_is_named(node_root):
    with pytest.raises(_observation.SubsetError, match="gather_subset has no '!slabs'"):
        collect(node_root("6.1.0-56-cloud-amd64/healthy"), "!slabs")


def test_an_empty_root_still_gives_everything_a_reason(tmp_path):
    facts = collect(str(tmp_path))
    assert facts["zones"] == [] and facts["allocatable"] == []
    for source in (
        "buddyinfo",
        "zoneinfo",
        "pagetypeinfo",
        "meminfo",
        "vmstat",
        "slabinfo",
        "pressure",
        "sysctl",
        "cgroups",
        "kernel",
    ):
        assert "no such" in facts["unavailable"][source]
    assert set(facts["sysctl"].values()) == {None}


def write(root, path, text):
    path = os.path.join(root, path)
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with io.open(path, "wb") as stream:
        stream.write(text)


def test_an_unpacked_sosreport(node_root):
    root = node_root(
        "6.1.0-56-cloud-amd64/fragmented", without=("sysctl-vm", "version", "extfrag_index", "unusable_index")
    )
    write(root, "sos_commands/kernel/sysctl_-a", b"vm.min_free_kbytes = 1746\nvm.extfrag_threshold = 500\n")
    write(
        root,
        "sos_commands/kernel/uname_-a",
        b"Linux node17 6.1.0-56-cloud-amd64 #1 SMP Debian 6.1.192-2 x86_64 GNU/Linux\n",
    )
    facts = collect(root)
    assert facts["kernel"]["release"] == "6.1.0-56-cloud-amd64"
    assert facts["kernel"]["machine"] == "x86_64"
    assert facts["sysctl"]["vm.min_free_kbytes"] == 1746
    assert facts["sysctl"]["vm.swappiness"] is None
    assert states(facts)[9] == "exhausted"


def test_garbage_is_counted_and_the_rest_reported(node_root):
    root = node_root("6.1.0-56-cloud-amd64/healthy")
    write(root, "proc/slabinfo", b"\x00\xff binary\nmore\n")
    write(root, "proc/zoneinfo", b"")
    facts = collect(root)
    assert facts["unparsed_lines"] == {"slabinfo": 2}
    assert facts["unavailable"]["slabinfo"] == "/proc/slabinfo: nothing in it could be understood"
    assert facts["unavailable"]["zoneinfo"] == "/proc/zoneinfo: nothing in it could be understood"
    assert facts["zones"][0]["watermarks"] is None
    assert facts["allocatable"][9]["state"] == "ok"


def test_a_damaged_release_does_not_end_it(node_root):
    root = node_root("seeds/001-healthy")
    write(root, "proc/version", b"Linux version 4.\x00bad/../x (gcc) #1\n")
    facts = collect(root)
    assert facts["zones"]
    assert facts["kernel"]["config_compaction"] is None


def test_compressed_kernel_configuration(node_root):
    root = node_root("seeds/001-healthy")
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as stream:
        stream.write(b"# CONFIG_COMPACTION is not set\n")
    write(root, "proc/config.gz", buffer.getvalue())
    assert collect(root)["kernel"]["config_compaction"] is False
    write(root, "proc/config.gz", buffer.getvalue()[:20])
    assert collect(root)["kernel"]["config_compaction"] in (None, False)
    write(root, "proc/config.gz", b"not gzip")
    assert collect(root)["kernel"]["config_compaction"] is None


def test_cgroups_and_their_directories(node_root):
    root = node_root("6.1.0-56-cloud-amd64/healthy")
    write(root, "proc/cgroups", b"#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t8123\t1\n")
    write(root, "sys/fs/cgroup/memory/kubepods/pod1/memory.stat", b"")
    assert collect(root)["cgroups"] == {"memory_cgroups": 8123, "memory_directories": 3}


@pytest.mark.parametrize("orders, page_size", [(11, 4096), (12, 16384), (14, 65536), (13, 4096)])
def test_the_page_size_by_the_number_of_orders_where_nothing_else_tells(tmp_path, orders, page_size):
    build_roots.write(str(tmp_path), "proc/buddyinfo", "Node 0, zone   Normal" + " 7" * orders + "\n")
    facts = collect(str(tmp_path))
    assert facts["kernel"]["page_size"] == page_size
    assert "taken to be %d" % page_size in facts["unavailable"]["page_size"]


def test_a_containers_meminfo_is_not_the_hosts(node_root):
    root = node_root("6.1.0-56-cloud-amd64/healthy")
    host = collect(root)
    path = os.path.join(root, "proc", "meminfo")
    with io.open(path, encoding="utf-8") as stream:
        text = stream.read()
    total = host["meminfo"]["memtotal"]
    build_roots.write(root, "proc/meminfo", text.replace(" %d kB" % total, " %d kB" % (total // 8)))
    facts = collect(root)
    assert facts["kernel"]["page_size"] == 4096
    assert facts["kernel"]["hugepage_order"] == 9
    assert facts["meminfo"] is None
    assert "that of a container (lxcfs), not of the host" in facts["unavailable"]["meminfo"]
    assert facts["zones"] == host["zones"]


@pytest.mark.parametrize(
    "hugepagesize, pagetypeinfo, order",
    [
        (2048, None, 9),
        # default_hugepagesz=1G on a kernel that does not tell what a transparent huge page is (el7).
        (1048576, "Page block order: 9\nPages per block:  512\n", 9),
        (1048576, None, None),
    ],
)
def test_a_huge_page_is_one_that_the_free_lists_have(tmp_path, hugepagesize, pagetypeinfo, order):
    root = str(tmp_path)
    build_roots.write(root, "proc/buddyinfo", "Node 0, zone   Normal" + " 7" * 11 + "\n")
    build_roots.write(root, "proc/meminfo", "MemTotal: 400000000 kB\nHugepagesize: %d kB\n" % hugepagesize)
    if pagetypeinfo:
        build_roots.write(root, "proc/pagetypeinfo", pagetypeinfo)
    assert collect(root)["kernel"]["hugepage_order"] == order


@pytest.mark.parametrize(
    "vmstat, zoneinfo, pages",
    [
        # Linux 4.4 to 6.11 take off whole pageblocks, 6.12 and later what is free of them, and 7.2 says so itself.
        ("nr_free_pages 9\n", "", 1536),
        ("nr_free_pages 9\nnr_memmap_boot_pages 5\n", "", 40),
        ("nr_free_pages 9\n", "  reserved_highatomic: 1536\n  free_highatomic:     44\n", 44),
    ],
)
def test_the_reserve_for_atomic_requests_as_the_kernel_takes_it_off(tmp_path, vmstat, zoneinfo, pages):
    root = str(tmp_path)
    build_roots.write(root, "proc/buddyinfo", "Node 0, zone   Normal 100 50 10 5\n")
    build_roots.write(root, "proc/vmstat", vmstat)
    build_roots.write(root, "proc/zoneinfo", "Node 0, zone   Normal\n  pages free     280\n" + zoneinfo)
    build_roots.write(
        root,
        "proc/pagetypeinfo",
        "Page block order: 9\nPages per block:  512\n\n"
        "Node    0, zone   Normal, type    Unmovable    100     50     10      0\n"
        "Node    0, zone   Normal, type   HighAtomic      0      0      0      5\n\n"
        "Number of blocks type     Unmovable   HighAtomic\nNode 0, zone   Normal           72            3\n",
    )
    (zone,) = collect(root)["zones"]
    assert zone["reserved_highatomic_pages"] == pages


@pytest.mark.parametrize("zoneinfo", ["      nr_free_cma  40\n", "      nr_free_cma  0\n", ""])
def test_free_cma_by_whichever_file_has_it(tmp_path, zoneinfo):
    root = str(tmp_path)
    write(root, "proc/buddyinfo", b"\xef\xbb\xbfNode 0, zone   Normal 100 50 10 5\n")
    build_roots.write(root, "proc/zoneinfo", "Node 0, zone   Normal\n  pages free     280\n" + zoneinfo)
    build_roots.write(
        root, "proc/pagetypeinfo", "Node    0, zone   Normal, type          CMA      0      0      0      5\n"
    )
    (zone,) = collect(root)["zones"]
    assert zone["free_cma_pages"] == 40


def test_container_runtimes_and_drivers_leave_their_marks(node_root):
    root = node_root("6.1.0-56-cloud-amd64/healthy")
    facts = collect(root)
    # A tree need not have what tells.
    assert (facts["containers"], facts["kernel"]["dma_drivers"]) == (None, None)
    build_roots.write(root, "run/containerd/containerd.sock")
    build_roots.write(root, "proc/modules", "b44 57344 0 - Live 0x0\nssb 98304 1 b44, Live 0x0\next4 1 2 - Live 0x0\n")
    facts = collect(root)
    assert (facts["containers"], facts["kernel"]["dma_drivers"]) == (True, ["b44"])


def test_possible_cpus_and_uptime(node_root):
    root = node_root("6.1.0-56-cloud-amd64/healthy")
    write(root, "sys/devices/system/cpu/possible", b"0-3,8\n")
    write(root, "proc/uptime", b"1212.24 2400.00\n")
    kernel = collect(root)["kernel"]
    assert (kernel["possible_cpus"], kernel["uptime_seconds"]) == (5, 1212.24)
    write(root, "sys/devices/system/cpu/possible", b"0-x\n")
    assert collect(root)["kernel"]["possible_cpus"] is None


@pytest.mark.parametrize(
    "release, types, expected",
    [
        ("3.10.0-957.el7.x86_64", "Reserve", "scaled"),
        ("3.10.0-957.el7.x86_64", None, "scaled"),
        ("2.6.32-754.el6.x86_64", None, "scaled"),
        ("4.3.0", None, "scaled"),
        ("4.4.0", None, "order0"),
        ("4.3.0-custom", "HighAtomic", "order0"),
        ("4.18.0-394.el8.x86_64", None, "order0"),
        (None, None, "order0"),
    ],
)
def test_the_watermark_check_is_probed_before_it_is_guessed(tmp_path, release, types, expected):
    root = str(tmp_path)
    write(root, "proc/buddyinfo", b"Node 0, zone Normal 1 2 3\n")
    if release:
        write(root, "proc/version", ("Linux version %s (x)\n" % release).encode())
    if types:
        write(root, "proc/pagetypeinfo", ("Node 0, zone Normal, type %s 1 2 3\n" % types).encode())
    assert collect(root)["kernel"]["watermark_check"] == expected


def test_the_live_machine():
    facts = collect("/")
    kernel = facts["kernel"]
    assert (kernel["release"], kernel["machine"]) == (os.uname()[2], os.uname()[4])
    assert kernel["page_size"] == os.sysconf("SC_PAGE_SIZE")
    assert facts["zones"] and sum(zone["free_pages"] for zone in facts["zones"]) > 0
    assert facts["unparsed_lines"] == {}
