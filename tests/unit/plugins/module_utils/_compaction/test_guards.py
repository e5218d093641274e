# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import io
import os
import struct
import time

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import (
    container,
    guards,
    plan,
    reading,
    target,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node, NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

MOVABLE = "6.1.0-56-cloud-amd64/fragmented-movable"

# The numbers of the namespaces of a kernel's first processes, and those of some other.
INITIAL = {"ipc": 4026531839, "uts": 4026531838, "user": 4026531837, "pid": 4026531836, "cgroup": 4026531835}
OTHER = 4026532442


def goal(**options):
    return target.complete(options)


SPEAKS = {
    "kill_switch": {"kill_switch": "maintenance"},
    "container": {"container": "podman (/run/.containerenv is there)"},
    "window": {"minute_of_day": 59},
    "backoff": {"backoff": {"boot_id": "b", "failures": 2, "retry_after": 1000001}},
    "pressure": {"pressure": 1.01},
    "load": {"load": (2.01, 2)},
    "kcompactd_busy": {"kcompactd_busy": [0]},
    "low_memory": {"low_memory": 0.99},
}


def test_every_guard_is_tried_here():
    assert set(SPEAKS) == set(guards.NAMES) and set(guards.NAMES) < set(plan.HELD_OFF)


@pytest.mark.parametrize("name", sorted(SPEAKS))
def test_a_guard_holds_off(name, node_root, quiet):
    facts = _facts.collect(Node(node_root(MOVABLE)), target.SUBSET)
    wanted = goal(window="01:00-11:00")
    assert plan.plan(facts, wanted, quiet())["act"]
    verdict = plan.plan(facts, wanted, quiet(**SPEAKS[name]))
    assert (verdict["act"], verdict["reason"], verdict["guard"], verdict["nodes"]) == (False, name, name, [0])
    assert verdict["message"]


@pytest.mark.parametrize("name", sorted(set(SPEAKS)))
def test_a_source_that_says_nothing_holds_off(name, quiet):
    """It is there, and cannot be read or understood: nobody knows, so nothing is done."""
    answer = guards.ask(goal(window="01:00-11:00"), quiet(**{name: reading.of(broken="/x: not understood")}), [0])
    assert (answer["guard"], answer["message"]) == (name, "cannot be judged: /x: not understood")


@pytest.mark.parametrize("name", sorted(set(SPEAKS)))
def test_a_source_that_the_kernel_does_not_have_is_named(name, quiet):
    answer = guards.ask(goal(window="01:00-11:00"), quiet(**{name: reading.of(missing="/x: no such file")}), [0])
    assert answer == {"guard": None, "message": None, "unchecked": {name: "/x: no such file"}}


@pytest.mark.parametrize("name", sorted(SPEAKS))
def test_what_force_goes_before(name, quiet):
    answer = guards.ask(goal(window="01:00-11:00", force=True), quiet(**SPEAKS[name]), [0])
    assert answer["guard"] == (None if name in ("window", "backoff") else name)


@pytest.mark.parametrize(
    "name, options",
    [
        ("container", {"allow_container": True}),
        ("window", {"window": None}),
        ("pressure", {"max_pressure_percent": None}),
        ("load", {"max_load_per_cpu": None}),
        ("low_memory", {"min_free_percent": None}),
    ],
)
def test_a_guard_that_is_switched_off(name, options, quiet):
    for speaks in (SPEAKS[name], {name: reading.of(broken="/x: not understood")}):
        assert guards.ask(goal(**options), quiet(**speaks), [0])["guard"] is None


@pytest.mark.parametrize(
    "differences",
    [
        {"backoff": {"boot_id": "another boot", "failures": 2, "retry_after": 1000001}},
        {"backoff": {"boot_id": "b", "failures": 2, "retry_after": 999999}},
        # A clock that was set back must not hold the job off for years.
        {"backoff": {"boot_id": "b", "failures": 2, "retry_after": 90000000}},
        {"kcompactd_busy": [1]},
    ],
)
def test_what_is_over_or_of_another_node_does_not_hold_off(differences, quiet):
    assert guards.ask(goal(), quiet(**differences), [0])["guard"] is None


@pytest.mark.parametrize(
    "window, minute, inside",
    [
        ("01:00-05:00", 60, True),
        ("01:00-05:00", 300, False),
        ("01:00-05:00", 59, False),
        ("22:30-04:00", 1350, True),
        ("22:30-04:00", 239, True),
        ("22:30-04:00", 240, False),
        ("00:00-00:00", 777, True),
    ],
)
def test_window(window, minute, inside):
    assert guards.in_window(window, minute) is inside


# --- what the guards read -----------------------------------------------------------------------------------------


@pytest.fixture(name="root")
def root_fixture(node_root):
    return node_root(MOVABLE)


def found(root):
    return guards.conditions(WritableNode(root), {"kernel": {"possible_cpus": 2}})


def tzif(hours):
    """A zone that is always so many hours east (tzfile(5))."""
    name = ("T%+03d" % hours).encode("ascii") + b"\0"
    one = struct.pack(">4s1s15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, len(name))
    body = struct.pack(">lbb", hours * 3600, 0, 0) + name
    return one + body + one + body + ("\n<%+03d>%d\n" % (hours, -hours)).encode("ascii")


def test_the_window_is_in_the_time_zone_of_the_node_that_is_mounted_here(root, monkeypatch):
    """Whoever looks at it is in another one, as a container mostly is."""
    monkeypatch.setattr(time, "time", lambda: 1795262400.0 + 90)  # 12:01 UTC
    for here in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", here)
        time.tzset()
        assert found(root)["minute_of_day"] == 12 * 60 + 1
        build_roots.write(root, "etc/localtime", "")
        with io.open(os.path.join(root, "etc/localtime"), "wb") as stream:
            stream.write(tzif(5))
        seen = found(root)
        assert (seen["minute_of_day"], seen["window"]) == (17 * 60 + 1, reading.of())
        assert os.environ["TZ"] == here
        build_roots.write(root, "etc/localtime", "garbage")
        assert found(root)["window"] == reading.of(broken="/etc/localtime: not understood")
        answer = guards.ask(goal(order=5, window="17:00-17:30"), found(root), [])
        assert answer["guard"] == "window" and "cannot be judged: /etc/localtime" in answer["message"]
        os.remove(os.path.join(root, "etc/localtime"))
    monkeypatch.undo()
    time.tzset()


def test_conditions_are_read_from_the_node(root):
    before = found(root)
    assert before["load"]["missing"] and before["kcompactd_busy"]["missing"]
    assert before["backoff"] == reading.of({})
    assert before["low_memory"]["value"] > 1
    build_roots.write(root, "proc/loadavg", "3.00 2.50 2.00 1/345 21\n")
    build_roots.write(root, "sys/devices/system/cpu/online", "0-3\n")
    build_roots.write(root, "proc/36/stat", "36 (kcompactd1) D 2 0 0 0 -1 2129984\n")
    build_roots.write(root, "proc/37/stat", "37 (kcompactd0) S 2 0 0 0 -1 2129984\n")
    # A program that only calls itself so.
    build_roots.write(root, "proc/99/stat", "99 (kcompactd7) R 1 99 99 0 -1 4194304\n")
    build_roots.write(root, "proc/pressure/memory", "some avg10=2.25 avg60=0.00 avg300=0.00 total=1\n")
    after = found(root)
    assert after["load"]["value"] == (2.5, 4)
    assert after["kcompactd_busy"]["value"] == [1]
    assert after["pressure"]["value"] == 2.25
    assert after["boot_id"] is None or after["boot_id"]
    assert 0 <= after["minute_of_day"] < 1440


@pytest.mark.parametrize(
    "name, path, text",
    [
        ("pressure", "proc/pressure/memory", "some avg10=lots\n"),
        ("pressure", "proc/pressure/memory", ""),
        ("load", "proc/loadavg", "high\n"),
        ("low_memory", "proc/meminfo", "MemTotal: 0 kB\nMemFree: 5 kB\n"),
        ("low_memory", "proc/meminfo", "MemTotal: 100 kB\n"),
        ("kcompactd_busy", "proc/36/stat", "36 kcompactd0 D 2\n"),
        ("backoff", "var/lib/memfrag/compaction.json", '{"runs": {}, "retry_after": 1, "retry_after": 0}'),
        ("backoff", "var/lib/memfrag/compaction.json", "{"),
        ("backoff", "var/lib/memfrag/compaction.json", "[]"),
        ("backoff", "var/lib/memfrag/compaction.json", '{"runs": {}, "retry_after": "soon"}'),
        ("backoff", "var/lib/memfrag/compaction.json", '{"runs": {"met": "x"}}'),
    ],
)
def test_what_is_not_understood_is_broken(name, path, text, root):
    build_roots.write(root, path, text)
    broken = found(root)[name]
    assert broken["broken"].startswith("/" + path) and broken["value"] is None


@pytest.mark.parametrize(
    "number, kind",
    [(errno.EACCES, "broken"), (errno.EIO, "broken"), (errno.ENOENT, "missing"), (errno.EOPNOTSUPP, "missing")],
)
def test_what_cannot_be_read(number, kind):
    assert reading.failed(NodeError("/proc/pressure/memory", os.strerror(number), number))[kind]


def test_the_kill_switch(root):
    node = Node(root)
    assert guards.switched_off(node) is None
    build_roots.write(root, "etc/memfrag/disable", "change 4711\x1b[2J\nmore\n")
    assert guards.switched_off(node) == "/etc/memfrag/disable is there: change 4711[2J"
    build_roots.write(root, "etc/memfrag/disable", "")
    assert guards.switched_off(node) == "/etc/memfrag/disable is there: no reason given"
    os.remove(os.path.join(root, "etc/memfrag/disable"))
    # Whatever it is: somebody wanted it to be there.
    os.symlink("nowhere", os.path.join(root, "etc/memfrag/disable"))
    assert guards.switched_off(node)
    os.remove(os.path.join(root, "etc/memfrag/disable"))
    os.mkdir(os.path.join(root, "etc/memfrag/disable"))
    assert guards.switched_off(node)


@pytest.mark.parametrize("target", ["/opt/site/disable", "/nonexistent", "../../../../../../../../../../etc/hostname"])
@pytest.mark.parametrize("link", ["etc/memfrag/disable", "etc/memfrag"])
def test_a_kill_switch_that_is_a_link_counts_also_on_a_node_that_is_mounted_here(link, target, tmp_path):
    """Such a link begins at the node's own root. It is not followed from here, and so cannot be looked at."""
    root = str(tmp_path)
    build_roots.write(root, os.path.join(os.path.dirname(link), "keep"), "")
    os.symlink(target, os.path.join(root, link))
    assert "leads out of" in guards.kill_switch(Node(root))["value"]
    assert guards.switched_off(Node(root))


# --- containers ---------------------------------------------------------------------------------------------------


ID = "0123456789abcdef" * 4


def host(root, process="1", **numbers):
    """What a host shows of its process 1: the kernel's first namespaces, a slice of systemd's, no word of a container."""
    for name, number in dict(INITIAL, **numbers).items():
        build_roots.write(root, "proc/%s/ns/keep" % process)
        os.symlink("%s:[%d]" % (name, number), os.path.join(root, "proc", process, "ns", name))
    build_roots.write(root, "proc/1/environ", "HOME=/\0TERM=linux\0")
    build_roots.write(root, "proc/1/cgroup", "0::/init.scope\n")
    build_roots.write(root, "proc/1/sched", "systemd (1, #threads: 1)\n-----\n")
    return root


def test_a_host_is_none(tmp_path):
    assert container.find(Node(host(str(tmp_path)))) == reading.of(None)


@pytest.mark.parametrize(
    "path, text, words",
    [
        ("run/systemd/container", "systemd-nspawn\n", "systemd-nspawn (/run/systemd/container)"),
        (".dockerenv", "", "docker (/.dockerenv is there)"),
        ("run/.containerenv", "", "podman (/run/.containerenv is there)"),
        (
            "var/run/secrets/kubernetes.io/serviceaccount/token",
            "x",
            "kubernetes (/var/run/secrets/kubernetes.io is there)",
        ),
        ("proc/vz/veinfo", "", "openvz (/proc/vz is there, /proc/bc is not)"),
        ("proc/1/environ", "HOME=/\0container=lxc\0", "lxc (container= in /proc/1/environ)"),
        (
            "proc/1/environ",
            "KUBERNETES_SERVICE_HOST=10.0.0.1\0",
            "kubernetes (KUBERNETES_SERVICE_HOST in /proc/1/environ)",
        ),
        ("proc/1/cgroup", "11:memory:/kubepods/besteffort/podb1/1f\n", "kubepods (/proc/1/cgroup)"),
        ("proc/1/cgroup", "3:cpu:/docker/1f2e\n", "docker (/proc/1/cgroup)"),
        # Whatever the directory of its runtime is called, the id is there.
        ("proc/1/cgroup", "0::/jobs/%s\n" % ID, "%s (/proc/1/cgroup)" % ID),
        ("proc/1/cgroup", "0::/jobs.slice/nerdctl-%s.scope\n" % ID, "nerdctl (/proc/1/cgroup)"),
        ("proc/1/cgroup", "0::/lxc.payload.c1/init.scope\n", "lxc (/proc/1/cgroup)"),
        ("proc/1/cgroup", "0::/machine.slice/machine-c1.scope/payload\n", "machine (/proc/1/cgroup)"),
        # Their being there is enough, whatever is in them.
        ("run/systemd/container", "", "unnamed (/run/systemd/container)"),
        ("run/systemd/container", "x" * 5000, "unnamed (/run/systemd/container)"),
        ("run/systemd/container", "lxc\33[2J\n", "lxc[2J (/run/systemd/container)"),
        ("proc/1/sched", "java (4711, #threads: 12)\n", "process 1 is 4711 of the host (/proc/1/sched)"),
    ],
)
def test_each_sign_speaks_alone(path, text, words, tmp_path):
    root = host(str(tmp_path))
    build_roots.write(root, path, text)
    assert container.find(Node(root))["value"] == words


@pytest.mark.parametrize("target", ["/opt/elsewhere", "../../../../../../../../../../etc", "container"])
@pytest.mark.parametrize("path", [".dockerenv", "run/.containerenv", "run/systemd/container"])
def test_a_marker_that_is_a_link_speaks_wherever_that_leads(path, target, tmp_path):
    """Of a node that is mounted here a link begins at the node's own root, and is refused."""
    root = host(str(tmp_path))
    build_roots.write(root, os.path.join(os.path.dirname(path), "keep"), "")
    os.symlink(target, os.path.join(root, path))
    assert container.find(Node(root))["value"]


@pytest.mark.parametrize(
    "cgroup",
    ["/", "/system.slice/docker.service", "/system.slice/lxcfs.service", "/system.slice/gardener-node-agent.service"],
)
def test_a_service_of_the_host_is_none(cgroup, tmp_path):
    root = host(str(tmp_path))
    build_roots.write(root, "proc/1/cgroup", "4:cpu,cpuacct:%s\n0::%s\n" % (cgroup, cgroup))
    assert container.find(Node(root)) == reading.of(None)


@pytest.mark.parametrize("path", ["/proc/1/cgroup", "/proc/1/sched"])
def test_a_sign_that_is_not_understood_holds_off_where_no_namespace_settles_it(path, tmp_path):
    root = str(tmp_path)
    build_roots.write(root, path[1:], "\0\1\2")
    assert container.find(Node(root)) == reading.of(broken="%s: not understood" % path)
    assert container.find(Node(host(str(tmp_path / "host"))))["value"] is None


@pytest.mark.parametrize(
    "numbers, spoken",
    [
        ({"pid": OTHER}, "(pid of /proc/1/ns)"),
        ({"user": OTHER}, "(user of /proc/1/ns)"),
        ({"cgroup": OTHER}, "(cgroup of /proc/1/ns)"),
        ({"uts": OTHER, "ipc": OTHER}, "(uts, ipc of /proc/1/ns)"),
        ({"pid": OTHER, "uts": OTHER, "ipc": OTHER, "cgroup": OTHER}, "(pid, cgroup, uts, ipc of /proc/1/ns)"),
        # A service of the host with ProtectHostname=, or with PrivateIPC=.
        ({"uts": OTHER}, None),
        ({"ipc": OTHER}, None),
    ],
)
def test_a_pod_without_any_marker_is_known_by_its_namespaces(numbers, spoken, tmp_path):
    value = container.find(Node(host(str(tmp_path), **numbers)))["value"]
    assert value == (spoken and "other namespaces than the kernel's first ones " + spoken)


def test_a_kernel_of_el6_has_no_namespaces_to_look_at(tmp_path):
    root = str(tmp_path)
    assert container.find(Node(root))["missing"].startswith("no marker file, and ")
    build_roots.write(root, "proc/1/environ", "HOME=/\0container=\0xcontainer=lxc\0")
    assert container.find(Node(root)) == reading.of(None)
    build_roots.write(root, "proc/1/environ", "HOME=/\0container=lxc\0")
    assert container.find(Node(root))["value"] == "lxc (container= in /proc/1/environ)"


class Forbidden(Node):
    """A node whose files ``forbidden`` are there and may not be read."""

    forbidden = ()

    def _check(self, path):
        if path.startswith(self.forbidden):
            raise NodeError(path, "permission denied", errno.EACCES)

    def read_text(self, path, limit=65536):
        self._check(path)
        return Node.read_text(self, path, limit)

    def readlink(self, path):
        self._check(path)
        return Node.readlink(self, path)


@pytest.mark.parametrize(
    "forbidden, broken",
    [
        # The namespaces say it all.
        (("/proc/1/environ",), None),
        (("/proc/1/ns",), "/proc/1/ns/pid: permission denied"),
        (("/proc/1/ns", "/proc/1/environ"), "/proc/1/ns/pid: permission denied"),
    ],
)
def test_signs_that_may_not_be_looked_at(forbidden, broken, tmp_path):
    node = Forbidden(host(str(tmp_path)))
    node.forbidden = forbidden
    assert container.find(node) == reading.of(None, None, broken)


def test_on_the_node_itself_it_is_this_process_that_counts(tmp_path, monkeypatch):
    """A pod that shares the process numbers of its host: process 1 is the host's, and looks like it."""
    root = host(str(tmp_path))
    host(root, "self", cgroup=OTHER, ipc=OTHER)

    class Here(Node):
        def path(self, path):
            return os.path.join(root, path.lstrip("/"))

    assert "cgroup, ipc of /proc/self/ns" in container.find(Here("/"))["value"]
