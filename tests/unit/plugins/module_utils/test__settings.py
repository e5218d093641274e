# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import shutil

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _node_locks, _options, _settings, _tuning
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_locks import lock
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

HEALTHY = "6.1.0-56-cloud-amd64/healthy"
AUTO = {"min_free_kbytes": "auto", "watermark_scale_factor": "auto"}


class Stopped(Exception):
    """kill -9, as far as a test can have it: nothing after it is done."""


class Watched(WritableNode):
    """Notes what is written; stops before the write number ``stop``, or lets the kernel refuse a value."""

    def __init__(self, root, stop=None, refuse=()):
        WritableNode.__init__(self, root)
        self.log, self.stop, self.refuse = [], stop, refuse

    def note(self, what, path):
        if self.stop is not None and len(self.log) >= self.stop:
            raise Stopped()
        self.log.append((what, path))

    def write_value(self, path, value):
        if (path, value) in self.refuse:
            raise NodeError(path, "the kernel refuses this value")
        self.note(value, path)
        WritableNode.write_value(self, path, value)

    def write_file(self, path, text, mode=0o644):
        self.note("file", path)
        WritableNode.write_file(self, path, text, mode)

    def remove(self, path):
        if not path.endswith(".tmp"):
            self.note("remove", path)
        return WritableNode.remove(self, path)


@pytest.fixture(name="root")
def root_fixture(node_root):
    root = node_root(HEALTHY)
    os.makedirs(os.path.join(root, "etc/sysctl.d"))
    os.mkdir(os.path.join(root, "run"))
    return root


def apply(root, settings=None, **options):
    node = root if isinstance(root, WritableNode) else WritableNode(root)
    return _settings.apply(node, settings or {}, pause=lambda seconds: None, **options)


def live(root):
    return {
        name: int(WritableNode(root).read_text("/proc/sys/vm/" + name))
        for name in _tuning.NAMES
        if WritableNode(root).exists("/proc/sys/vm/" + name)
    }


def tree(root):
    return sorted((where, sorted(folders), sorted(files)) for where, folders, files in os.walk(root))


def contents(root):
    found = {}
    for where, _dummy, files in os.walk(root):
        for name in files:
            path = os.path.join(where, name)[len(root) :]
            found[path] = WritableNode(root).read_text(path)
    return found


def test_apply_then_nothing_then_back(root):
    before, files = live(root), contents(root)
    first = apply(root, AUTO)
    assert first["changed"]
    assert live(root) == dict(before, min_free_kbytes=2007, watermark_scale_factor=50)
    record = json.loads(WritableNode(root).read_text("/var/lib/memfrag/sysctl.json"))
    assert record["settings"] == {
        "min_free_kbytes": {"previous": 1746, "applied": 2007},
        "watermark_scale_factor": {"previous": 10, "applied": 50},
    }
    text = WritableNode(root).read_text("/etc/sysctl.d/90-memfrag.conf")
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "vm.min_free_kbytes = 2007",
        "vm.watermark_scale_factor = 50",
    ]
    assert not apply(root, AUTO)["changed"]
    back = apply(root, state="absent")
    assert back["changed"]
    assert contents(root) == files
    assert not apply(root, state="absent")["changed"]


def test_check_mode_says_the_same_and_writes_nothing(root):
    files = contents(root)
    predicted = apply(root, AUTO, check_mode=True)
    assert contents(root) == files
    done = apply(root, AUTO)
    assert predicted == done
    assert apply(root, AUTO, check_mode=True)["changed"] is False


def test_other_settings_and_files_are_left_alone(root):
    others = {path: text for path, text in contents(root).items() if path.startswith("/proc/sys/vm/")}
    apply(root, {"extfrag_threshold": 300})
    after = {path: text for path, text in contents(root).items() if path.startswith("/proc/sys/vm/")}
    assert after.pop("/proc/sys/vm/extfrag_threshold") == "300\n"
    others.pop("/proc/sys/vm/extfrag_threshold")
    assert after == others


def test_a_setting_that_is_let_go_goes_back(root):
    apply(root, {"extfrag_threshold": 300, "vfs_cache_pressure": 200})
    apply(root, {"vfs_cache_pressure": 200})
    assert (live(root)["extfrag_threshold"], live(root)["vfs_cache_pressure"]) == (500, 200)
    assert "extfrag" not in WritableNode(root).read_text("/etc/sysctl.d/90-memfrag.conf")
    assert list(_settings.load_record(WritableNode(root))) == ["vfs_cache_pressure"]


def test_the_record_keeps_the_first_value(root):
    apply(root, {"extfrag_threshold": 300})
    apply(root, {"extfrag_threshold": 200})
    assert _settings.load_record(WritableNode(root)) == {"extfrag_threshold": {"previous": 500, "applied": 200}}
    apply(root, state="absent")
    assert live(root)["extfrag_threshold"] == 500


def test_bad_settings_write_nothing(root):
    files = contents(root)
    for settings in ({"min_free_kbytes": 0}, {"extfrag_threshold": 300, "compact_memory": 1}):
        with pytest.raises(_options.OptionError):
            apply(root, settings)
    assert contents(root) == files


def test_a_refused_raise_writes_nothing(root):
    text = WritableNode(root).read_text("/proc/meminfo")
    WritableNode(root).write_file(
        "/proc/meminfo", text.replace("MemAvailable:     168088 kB", "MemAvailable:      12000 kB")
    )
    files = contents(root)
    with pytest.raises(_options.OptionError) as caught:
        apply(root, {"min_free_kbytes": 9000, "extfrag_threshold": 300})
    assert "12000 kB are available now" in str(caught.value)
    assert contents(root) == files
    # A computed value that does not fit is a warning, and the rest is done.
    result = apply(
        root,
        {"min_free_kbytes": "auto", "watermark_scale_factor": 3000 // 30, "extfrag_threshold": 300},
        check_mode=True,
    )
    assert result["warnings"] == []


def test_a_value_that_the_kernel_refuses_takes_all_back(root):
    files = contents(root)
    node = Watched(root, refuse=[("/proc/sys/vm/watermark_scale_factor", 2000)])
    text = WritableNode(root).read_text("/proc/meminfo")
    assert "MemAvailable:     168088 kB" in text
    with pytest.raises(_settings.ApplyError) as caught:
        apply(node, {"min_free_kbytes": 2048, "watermark_scale_factor": 2000, "extfrag_threshold": 300})
    assert "watermark_scale_factor: the kernel refuses this value" in str(caught.value)
    assert "everything is as it was before" in str(caught.value)
    assert contents(root) == files


def test_pressure_on_the_way_up_takes_all_back(root):
    files = contents(root)

    def pause(seconds):
        WritableNode(root).write_file("/proc/pressure/memory", "some avg10=9.50 avg60=0.00 avg300=0.00 total=1\n")

    text = (
        WritableNode(root)
        .read_text("/proc/meminfo")
        .replace("200744 kB", "24684092 kB")
        .replace("168088 kB", "24000000 kB")
    )
    WritableNode(root).write_file("/proc/meminfo", text)
    with pytest.raises(_settings.ApplyError) as caught:
        _settings.apply(WritableNode(root), {"min_free_kbytes": 400000}, pause=pause)
    assert "memory pressure rose to 9.50 %" in str(caught.value)
    assert live(root)["min_free_kbytes"] == 1746
    assert set(contents(root)) == set(files)


class ReadOnly(WritableNode):
    def check_writable(self, path):
        raise NodeError(path, "mounted read-only (a container?)")

    def write_value(self, path, value):
        raise AssertionError("nothing may be written here")


def test_read_only_nodes_get_the_files(root):
    result = apply(ReadOnly(root), AUTO)
    assert result["changed"]
    assert result["read_only"] == "/proc/sys/vm/min_free_kbytes: mounted read-only (a container?)"
    assert result["live"]["before"] == result["live"]["after"]
    assert "only the files were written" in result["warnings"][-1]
    assert WritableNode(root).exists(_settings.DROP_IN) and WritableNode(root).exists(_settings.RECORD)
    assert not apply(ReadOnly(root), AUTO)["changed"]
    assert apply(ReadOnly(root), state="absent")["changed"]
    assert not WritableNode(root).exists(_settings.DROP_IN) and not WritableNode(root).exists(_settings.RECORD)


def test_read_only_nodes_may_be_a_failure(root):
    files = contents(root)
    with pytest.raises(_settings.ApplyError) as caught:
        apply(ReadOnly(root), AUTO, read_only="fail")
    assert "mounted read-only" in str(caught.value)
    assert contents(root) == files


def test_a_record_is_not_forgotten_while_its_setting_cannot_be_put_back(root):
    apply(root, {"extfrag_threshold": 300})
    apply(ReadOnly(root), state="absent")
    assert _settings.load_record(WritableNode(root)) == {"extfrag_threshold": {"previous": 500, "applied": 300}}
    apply(root, state="absent")
    assert live(root)["extfrag_threshold"] == 500 and not WritableNode(root).exists(_settings.RECORD)


def test_what_a_read_only_node_keeps_is_ours_to_put_back(root):
    """The files were made anew, and the kernel has what an earlier run gave it: neither the old value nor the one of the files."""
    apply(root, {"extfrag_threshold": 300})
    apply(ReadOnly(root), {"extfrag_threshold": 200})
    record = _settings.load_record(WritableNode(root))
    assert record == {"extfrag_threshold": {"previous": 500, "applied": 200, "steps": [300]}}
    apply(root, state="absent")
    assert live(root)["extfrag_threshold"] == 500


@pytest.mark.parametrize(
    "text",
    [
        "200 300",
        "0x10",
        "9" * 30,
        # A digit of another script.
        b"\xd9\xa5".decode("utf-8"),
    ],
)
def test_a_value_that_is_no_number_is_neither_forgotten_nor_written(text, root):
    apply(root, {"extfrag_threshold": 300})
    files = contents(root)
    path = "/proc/sys/vm/extfrag_threshold"
    WritableNode(root).write_file(path, text + "\n")
    for settings, state in (({"extfrag_threshold": 200}, "present"), (AUTO, "present"), ({}, "absent")):
        with pytest.raises(_options.OptionError) as caught:
            apply(root, settings, state=state)
        assert str(caught.value).startswith("vm.extfrag_threshold: %s: not a number: " % path)
    WritableNode(root).write_file(path, "300\n")
    assert contents(root) == files


def test_a_lock_file_that_cannot_be_removed_is_no_failure(root, monkeypatch):
    refused, unlink = [], os.unlink

    def refuse(path):
        if path.endswith(_settings.LOCK_FILES):
            refused.append(path)
            raise OSError(30, "Read-only file system")
        unlink(path)

    monkeypatch.setattr(_node_locks.os, "unlink", refuse)
    apply(root, {"extfrag_threshold": 300})
    assert refused and live(root)["extfrag_threshold"] == 300
    # Nor does whoever failed to remove it hold it still.
    assert apply(root, {"extfrag_threshold": 200})["changed"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100000,
        '{"settings": {"extfrag_threshold": 5}}',
        '{"settings": {"a": {"previous": "x", "applied": 1}}}',
    ],
)
def test_a_damaged_record_is_an_error_and_stays(text, root):
    WritableNode(root).make_directory("/var/lib/memfrag")
    WritableNode(root).write_file(_settings.RECORD, text)
    for state in ("present", "absent"):
        with pytest.raises(_settings.ApplyError) as caught:
            apply(root, AUTO, state=state)
        assert str(caught.value).startswith("/var/lib/memfrag/sysctl.json: this is no record")
    assert WritableNode(root).read_text(_settings.RECORD) == text


def test_killed_at_any_point_every_change_is_on_record(node_root, tmp_path):
    """First tuned, then tuned otherwise, then taken back: stopped before each single write of each of the three."""
    origin = node_root(HEALTHY)
    os.mkdir(os.path.join(origin, "run"))
    before = live(origin)
    first = {"min_free_kbytes": 4096, "extfrag_threshold": 300}
    second = {"min_free_kbytes": 2048, "vfs_cache_pressure": 200}
    ways = [
        ([], first, "present"),
        ([first], second, "present"),
        ([first], {}, "absent"),
        ([first, second], first, "present"),
    ]
    stops = 0
    for number, (earlier, settings, state) in enumerate(ways):
        for stop in range(100):
            root = str(tmp_path / ("%d-%d" % (number, stop)))
            shutil.copytree(origin, root)
            for one in earlier:
                apply(root, one)
            node = Watched(root, stop)
            try:
                apply(node, settings, state=state)
            except Stopped:
                stops += 1
                record = _settings.load_record(WritableNode(root))
                changed = {name: value for name, value in live(root).items() if value != before[name]}
                assert set(changed) <= set(record), (number, stop)
                assert all(record[name]["previous"] == before[name] for name in changed)
                # And from there it can be taken back, as if nothing had been.
                apply(root, state="absent")
                assert live(root) == before, (number, stop)
                assert contents(root) == contents(origin), (number, stop)
            else:
                break
    assert stops >= 20


def test_files_that_win_at_boot_are_named(root):
    node = WritableNode(root)
    node.write_file(
        "/etc/sysctl.d/99-custom.conf", "net.ipv4.ip_forward = 1\n-vm/min_free_kbytes = 1\n#vm.extfrag_threshold = 1\n"
    )
    node.write_file("/etc/sysctl.d/10-early.conf", "vm.min_free_kbytes = 1\n")
    node.write_file("/etc/sysctl.conf", "vm.watermark_scale_factor=10\n")
    assert apply(root, dict(AUTO, extfrag_threshold=300))["warnings"] == [
        "/etc/sysctl.d/99-custom.conf sets vm.min_free_kbytes as well, and may win over /etc/sysctl.d/90-memfrag.conf at boot",
        "/etc/sysctl.conf sets vm.watermark_scale_factor as well, and may win over /etc/sysctl.d/90-memfrag.conf at boot",
    ]


def test_the_difference_shows_values_and_reasons(root):
    shown = _settings.differences(apply(root, dict(AUTO, defrag_mode=1, extfrag_threshold=500), check_mode=True))
    assert shown[0]["before"] == "" and "vm.min_free_kbytes = 2007\n" in shown[0]["after"]
    assert "vm.min_free_kbytes = 1746\n" in shown[1]["before"]
    assert "vm.min_free_kbytes = 2007  # computed for 196 MiB of memory on 1 NUMA node\n" in shown[1]["after"]
    assert "vm.defrag_mode  # left out: this kernel has no vm.defrag_mode\n" in shown[1]["after"]
    assert "vm.extfrag_threshold = 500\n" in shown[1]["after"]


def test_the_difference_of_a_read_only_node_says_what_is_in_the_way(root):
    shown = _settings.differences(apply(ReadOnly(root), AUTO, check_mode=True))
    assert "vm.min_free_kbytes = 2007\n" in shown[0]["after"]
    assert "vm.min_free_kbytes = 1746  # stays: /proc/sys/vm/min_free_kbytes: mounted read-only" in shown[1]["after"]


# --- whose files they are, and one run at a time -------------------------------------------------------------------


def test_owner_and_mode_are_compared_and_set(root):
    apply(root, AUTO)
    node = WritableNode(root)
    for path, mode in ((_settings.DROP_IN, 0o666), (_settings.RECORD_DIRECTORY, 0o700)):
        os.chmod(node.path(path), mode)
        assert apply(root, AUTO, check_mode=True)["changed"]
        assert apply(root, AUTO)["changed"] and not apply(root, AUTO)["changed"]
    assert node.stat(_settings.DROP_IN).st_mode & 0o7777 == 0o644
    assert node.stat(_settings.RECORD_DIRECTORY).st_mode & 0o7777 == 0o755
    if os.geteuid() == 0:
        os.chown(node.path(_settings.DROP_IN), 65534, 65534)
        assert apply(root, AUTO)["changed"] and node.stat(_settings.DROP_IN).st_uid == 0


@pytest.mark.parametrize("path", [_settings.RECORD, _settings.RECORD_DIRECTORY])
def test_a_record_that_others_could_have_written_is_not_obeyed(path, root):
    apply(root, {"extfrag_threshold": 300})
    node = WritableNode(root)
    os.chmod(node.path(path), 0o777)
    for state in ("present", "absent"):
        with pytest.raises(_settings.ApplyError) as caught:
            apply(root, AUTO, state=state)
        assert "not obeyed, since " in str(caught.value) and "may be written by everyone (mode 0777)" in str(
            caught.value
        )
    assert live(root)["extfrag_threshold"] == 300


def test_one_run_at_a_time(root, monkeypatch):
    monkeypatch.setattr(_settings, "LOCK_SECONDS", 0)
    files = contents(root)
    with lock(WritableNode(root), "/run/memfrag-settings.lock") as held:
        assert held
        for check_mode in (True, False):
            with pytest.raises(_settings.ApplyError) as caught:
                apply(root, AUTO, check_mode=check_mode)
            assert "another run has been changing the settings" in str(caught.value)
    os.remove(os.path.join(root, "run/memfrag-settings.lock"))
    assert contents(root) == files
    assert apply(root, AUTO)["changed"] and os.listdir(os.path.join(root, "run")) == []


@pytest.mark.parametrize(
    "fails, earlier",
    [
        (_settings.DROP_IN, {}),
        (_settings.DROP_IN, {"extfrag_threshold": 300}),
        # The record is written again at the end only where it had an earlier value as well.
        (_settings.RECORD, {"extfrag_threshold": 300}),
    ],
)
def test_a_file_that_cannot_be_written_takes_the_live_values_back(fails, earlier, root):
    if earlier:
        apply(root, earlier)
    before, files = live(root), contents(root)

    class Full(WritableNode):
        """The disk is full, for one file, from its second writing on."""

        written = []

        def write_file(self, path, text, mode=0o644):
            self.written.append(path)
            if path == fails and (fails == _settings.DROP_IN or self.written.count(path) == 2):
                raise NodeError(path, "No space left on device")
            WritableNode.write_file(self, path, text, mode)

    Full.written = []
    with pytest.raises(_settings.ApplyError) as caught:
        apply(Full(root), {"extfrag_threshold": 200, "vfs_cache_pressure": 150})
    assert "No space left on device; everything is as it was before" in str(caught.value)
    assert live(root) == before and contents(root) == files


def test_what_cannot_be_taken_back_stays_on_record(root):
    class Stuck(WritableNode):
        def write_value(self, path, value):
            if path.endswith("vfs_cache_pressure") or path.endswith("extfrag_threshold") and value == 500:
                raise NodeError(path, "Input/output error")
            WritableNode.write_value(self, path, value)

    with pytest.raises(_settings.ApplyError) as caught:
        apply(Stuck(root), {"extfrag_threshold": 300, "vfs_cache_pressure": 150})
    assert caught.value.left and live(root)["extfrag_threshold"] == 300
    assert _settings.load_record(WritableNode(root))["extfrag_threshold"]["previous"] == 500
    apply(root, state="absent")
    assert live(root)["extfrag_threshold"] == 500


def test_what_killed_runs_have_left_goes_with_the_next(root):
    files = contents(root)
    node = WritableNode(root)
    for state in ("present", "absent"):
        node.make_directory("/var/lib/memfrag")
        for path in ("/etc/sysctl.d/.90-memfrag.conf.tmp", "/var/lib/memfrag/.sysctl.json.tmp"):
            with open(node.path(path), "w") as stream:
                stream.write("half a fi")
        apply(root, {"extfrag_threshold": 500}, state=state)
        assert not node.exists("/etc/sysctl.d/.90-memfrag.conf.tmp")
        assert not node.exists("/var/lib/memfrag/.sysctl.json.tmp")
    assert contents(root) == files and not node.exists("/var/lib/memfrag")


def test_an_administrators_value_is_theirs(root):
    apply(root, {"min_free_kbytes": 4096})
    WritableNode(root).write_value("/proc/sys/vm/min_free_kbytes", 3000)
    result = apply(root, state="absent")
    assert "left at 3000: somebody else has changed it since it was set to 4096" in result["warnings"][0]
    assert live(root)["min_free_kbytes"] == 3000
