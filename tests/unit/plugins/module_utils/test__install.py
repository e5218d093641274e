# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _bundle, _install, _library, _metrics, _tool
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import run
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import complete
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node, NodeError
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_locks import lock
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

# Of a virtual environment the path is too long for a script's first line, and not root's alone.
PYTHON = os.path.join(
    getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", sys.prefix),
    "bin",
    "python%d.%d" % sys.version_info[:2],
)
MOVABLE = "6.1.0-56-cloud-amd64/fragmented-movable"


@pytest.fixture(name="tool")
def tool_fixture(tmp_path):
    node = WritableNode(str(tmp_path))
    _install.install(node, "/memfrag", PYTHON)
    return str(tmp_path / "memfrag")


def test_the_tool_is_made_of_the_library_and_of_nothing_else(tool):
    with zipfile.ZipFile(tool) as archive:
        names = archive.namelist()
        modules = {"memfrag_lib/%s.py" % _install._file_of(name) for name in _library.LIBRARY}
        modules |= {"__main__.py", "memfrag_lib/__init__.py"}
        # Compiled code is only that of the Python which runs the tool, and since 3.8 in one piece.
        compiled = {name + "c" for name in modules}
        if sys.version_info >= (3, 8):
            compiled = {name + "c" for name in _install._BEFORE_BUNDLE} | {_bundle.ENTRY}
        same = _install.is_this_python(Node("/"), PYTHON)
        assert set(names) == modules | (compiled if same else set())
        package = os.path.dirname(_tool.__file__)
        for name in _library.LIBRARY:
            path = _install._file_of(name) + ".py"
            assert archive.read("memfrag_lib/" + path) == Node("/").read_bytes(os.path.join(package, path))


def rebuilt(change):
    """-> the compiled tool for this Python with change(name, content) in the place of each content."""
    stream = io.BytesIO()
    with zipfile.ZipFile(
        io.BytesIO(_install.build(sys.executable, True).partition(b"\n")[2])
    ) as archive, zipfile.ZipFile(stream, "w") as other:
        for name in archive.namelist():
            _install._add(other, name, change(name, archive.read(name)))
    return stream.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        # The code is run where it fits, ...
        lambda name, content: b"raise SystemExit(9)" if name.endswith("_checks.py") else content,
        # ... and the source where it does not.
        lambda name, content: b"\0\0\0\0" + content[4:] if name.endswith(".pyc") else content,
    ],
)
def test_compiled_code_is_run_or_passed_over(change, tmp_path, node_root):
    path = str(tmp_path / "memfrag")
    with io.open(path, "wb") as stream:
        stream.write(rebuilt(change))
    root = node_root(MOVABLE)
    assert subprocess.call([sys.executable, path, "check", "--root", root], cwd="/", stdout=subprocess.PIPE) == 1


def test_a_bundle_of_another_python_is_passed_over(tmp_path, node_root):
    path = str(tmp_path / "memfrag")
    with io.open(path, "wb") as stream:
        stream.write(_install.build(sys.executable))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_bundle.ENTRY, b"\x00" * 32)
    arguments = [sys.executable, path, "check", "--root", node_root(MOVABLE)]
    assert subprocess.call(arguments, cwd="/", stdout=subprocess.PIPE) == 1


@pytest.mark.skipif(sys.version_info < (3, 8), reason="each module has compiled code of its own there")
def test_every_module_comes_from_the_bundle(tmp_path):
    path = str(tmp_path / "memfrag")
    with io.open(path, "wb") as stream:
        stream.write(_install.build(sys.executable, True))
    program = (
        "import sys, zipimport\n"
        "archive = zipimport.zipimporter(sys.argv[1])\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from memfrag_lib import _bundle\n"
        "_bundle.use(archive)\n"
        "from memfrag_lib import _metrics, _tool\n"
        "from memfrag_lib._logs import journal\n"
        "ours = [one for name, one in sys.modules.items() if name.startswith('memfrag_lib.') and one is not _bundle]\n"
        "assert len(ours) > 100, len(ours)\n"
        "assert {one.__loader__.archive for one in ours} == {sys.argv[1]}\n"
        "assert {type(one.__loader__) for one in ours} == {_bundle._Importer}\n"
        "assert _metrics.__package__ == 'memfrag_lib' and journal.__package__ == 'memfrag_lib._logs'\n"
    )
    assert subprocess.call([sys.executable, "-c", program, path], cwd="/") == 0


def test_code_that_was_compiled_again_is_no_change(tmp_path):
    node = WritableNode(str(tmp_path))
    _install.install(node, "/memfrag", PYTHON)
    tool = rebuilt(lambda name, content: content + b" " if name.endswith(".pyc") else content)
    line = node.read_bytes("/memfrag").partition(b"\n")[0] + b"\n"
    if _install.is_this_python(Node("/"), PYTHON):
        assert node.read_bytes("/memfrag") != line + tool
        node.write_file("/memfrag", line + tool, 0o755)
        assert _install.install(node, "/memfrag", PYTHON) is False
    node.write_file("/memfrag", line + rebuilt(lambda name, content: content + b"\n"), 0o755)
    assert _install.install(node, "/memfrag", PYTHON) is True
    node.write_file("/memfrag", line + b"no archive", 0o755)
    assert _install.install(node, "/memfrag", PYTHON) is True


def test_the_tool_is_complete(tool, node_root):
    """Every command, in a Python that knows of nothing but the file: a module that is missing would be found here."""
    root = node_root(MOVABLE)
    for command in ("status", "metrics", "check", "policy", "compact --dry-run"):
        process = subprocess.Popen(
            [PYTHON, "-EsS", tool] + command.split() + ["--root", root],
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, errors = process.communicate()
        assert (errors, process.returncode) == (b"", {"status": 3, "check": 1}.get(command, 0))
        assert out


@pytest.mark.parametrize("command,status", [("check", 3), ("status", 1), ("metrics", 1)])
def test_what_cannot_be_said_is_an_error(tool, node_root, command, status):
    arguments = [PYTHON, tool, command, "--root", node_root(MOVABLE)]
    with io.open("/dev/full", "wb") as full:
        process = subprocess.Popen(arguments, cwd="/", stdout=full, stderr=subprocess.PIPE)
        assert b"No space left" in process.communicate()[1]
        assert process.returncode == status
        assert subprocess.call(arguments, cwd="/", stdout=full, stderr=full) == status


def test_who_has_closed_what_the_tool_says_has_its_status(tool, node_root):
    """With the first descriptors closed, what is opened next would take their place."""
    for command, status in (("check", 1), ("status", 3), ("metrics", 0)):
        arguments = [PYTHON, tool, command, "--root", node_root(MOVABLE)]
        process = subprocess.Popen(arguments, cwd="/", stderr=subprocess.PIPE, preexec_fn=lambda: os.closerange(0, 2))
        assert (process.communicate()[1], process.returncode) == (b"", status)


@pytest.mark.parametrize("compiled,virtual,options", [(1, 0, b"-EsS"), (1, 1, b"-Es"), (0, 0, b"-Es")])
def test_installed_packages_have_no_say_where_python_can_do_without(compiled, virtual, options, monkeypatch):
    monkeypatch.delattr(sys, "real_prefix", raising=False)
    monkeypatch.setattr(sys, "base_prefix", "/usr" if virtual else sys.prefix, raising=False)
    assert _install.build("/usr/bin/python3", compiled).startswith(b"#!/usr/bin/python3 " + options + b"\nPK")


def test_the_tool_is_written_once(tmp_path):
    node = WritableNode(str(tmp_path))
    assert _install.install(node, "/sbin/memfrag", PYTHON, check_mode=True) and not node.exists("/sbin/memfrag")
    assert _install.install(node, "/sbin/memfrag", PYTHON)
    assert node.stat("/sbin/memfrag").st_mode & 0o7777 == 0o755
    assert not _install.install(node, "/sbin/memfrag", PYTHON)
    os.chmod(node.path("/sbin/memfrag"), 0o644)
    assert _install.install(node, "/sbin/memfrag", PYTHON, check_mode=True) and _install.install(
        node, "/sbin/memfrag", PYTHON
    )
    assert _install.build("/usr/bin/python3") == _install.build("/usr/bin/python3")
    assert _install.build("/usr/bin/python3").startswith(b"#!/usr/bin/python3 -Es\nPK")


def test_the_tool_goes_with_what_it_left(tmp_path):
    node = WritableNode(str(tmp_path))
    _install.install(node, "/sbin/memfrag", PYTHON)
    for path in (
        "/etc/memfrag/policy.json",
        "/run/memfrag.lock",
        "/var/lib/memfrag/compaction.json",
        "/var/lib/memfrag/.compaction.json.tmp",
        "/var/lib/memfrag/yields.json",
    ):
        build_roots.write(node.root, path.lstrip("/"))
    there = _install.remove(node, "/sbin/memfrag", check_mode=True)
    assert node.exists("/sbin/memfrag")
    assert _install.remove(node, "/sbin/memfrag") == there
    assert there == [
        "/sbin/memfrag",
        "/var/lib/memfrag/yields.json",
        "/var/lib/memfrag/compaction.json",
        "/etc/memfrag/policy.json",
        "/run/memfrag.lock",
    ]
    assert not node.exists("/var/lib/memfrag") and not node.exists("/etc/memfrag") and node.listdir("/run") == []
    assert _install.remove(node, "/sbin/memfrag") == []
    # The record of settings is not the tool's, nor is what others keep beside its policy.
    build_roots.write(node.root, "var/lib/memfrag/sysctl.json")
    build_roots.write(node.root, "etc/memfrag/other.json")
    _install.remove(node, "/sbin/memfrag")
    assert node.exists("/var/lib/memfrag/sysctl.json") and node.exists("/etc/memfrag/other.json")


def test_it_stays_for_as_long_as_something_needs_it(tmp_path):
    node = WritableNode(str(tmp_path))
    assert _install.install(node, "/sbin/memfrag", PYTHON, purpose="compaction") is True
    assert _install.install(node, "/sbin/memfrag", PYTHON, purpose="metrics", check_mode=True) is True
    assert _install.install(node, "/sbin/memfrag", PYTHON, purpose="metrics") is True
    assert _install.install(node, "/sbin/memfrag", PYTHON, purpose="metrics") is False
    assert _install.purposes(node) == ["compaction", "metrics"]
    of_compaction = ("/etc/memfrag/policy.json", "/var/lib/memfrag/compaction.json", "/var/lib/memfrag/yields.json")
    of_metrics = ("/prom/memfrag.prom", "/var/lib/memfrag/textfiles", "/var/lib/memfrag/metrics.json")

    def leave():
        for name in of_compaction + of_metrics:
            build_roots.write(node.root, name.lstrip("/"), "/prom/memfrag.prom\n" if "textfiles" in name else "{}")

    for purpose, own, kept in (("compaction", of_compaction, of_metrics), ("metrics", of_metrics, of_compaction)):
        leave()
        _install.install(node, "/sbin/memfrag", PYTHON, purpose=purpose)
        there = _install.remove(node, "/sbin/memfrag", check_mode=True, purpose=purpose)
        assert sorted(there) == sorted(own + (_install.NEEDED_FOR,))
        assert _install.remove(node, "/sbin/memfrag", purpose=purpose) == there
        assert node.exists("/sbin/memfrag") and all(node.exists(name) for name in kept)
        assert not [name for name in own if node.exists(name)]
        assert _install.remove(node, "/sbin/memfrag", purpose=purpose) == []
        # The other one comes back, and goes the next time.
        _install.install(node, "/sbin/memfrag", PYTHON, purpose=purpose)
    _install.remove(node, "/sbin/memfrag", purpose="metrics")
    assert "/sbin/memfrag" in _install.remove(node, "/sbin/memfrag", purpose="compaction")
    assert not node.exists("/var/lib/memfrag") and not node.exists("/sbin/memfrag")


def test_a_note_that_others_could_have_written_keeps_nothing(tmp_path):
    node = WritableNode(str(tmp_path))
    _install.install(node, "/sbin/memfrag", PYTHON, purpose="compaction")
    build_roots.write(node.root, "var/lib/memfrag/needed_for", "compaction\nmetrics\n")
    os.chmod(node.path(_install.NEEDED_FOR), 0o666)
    assert _install.purposes(node) == []
    assert _install.install(node, "/sbin/memfrag", PYTHON, purpose="metrics") is True
    assert _install.purposes(node) == ["metrics"]
    # Whoever names no purpose removes it all.
    assert "/sbin/memfrag" in _install.remove(node, "/sbin/memfrag")


def test_killed_at_any_time_it_leaves_no_lock_and_no_half_file(tool, running):
    root = running(MOVABLE)
    arguments = [
        PYTHON,
        tool,
        "compact",
        "--force",
        "--quiet",
        "--root",
        root,
        "--textfile",
        "/var/lib/memfrag",
    ]
    subprocess.Popen(arguments).wait()
    begun = time.time()
    subprocess.Popen(arguments).wait()
    whole, killed = time.time() - begun, 0
    for number in range(8):
        process = subprocess.Popen(arguments)
        # From its start to its end, in equal steps.
        time.sleep(whole * number / 7.0)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        # The child that writes to the kernel ends by itself.
        deadline, held = time.time() + 10, False
        while not held and time.time() < deadline:
            with lock(WritableNode(root), "/run/memfrag.lock") as held:
                pass
        assert held
        # Files are whole, whichever run they are of.
        assert json.loads(Node(root).read_text("/var/lib/memfrag/compaction.json"))["runs"]
        assert Node(root).read_text("/var/lib/memfrag/memfrag.prom").endswith("\n")
        assert set(Node(root).listdir("/var/lib/memfrag")) <= {
            "compaction.json",
            "memfrag.prom",
            "metrics.json",
            "textfiles",
            ".compaction.json.tmp",
            ".memfrag.prom.tmp",
            ".metrics.json.tmp",
        }
    assert killed
    subprocess.Popen(arguments).wait()
    assert Node(root).listdir("/var/lib/memfrag") == [
        "compaction.json",
        "memfrag.prom",
        "metrics.json",
        "textfiles",
    ]


# --- whose it is --------------------------------------------------------------------------------------------------


def test_owner_and_mode_of_the_tool_and_its_directories_are_set(tmp_path):
    node = WritableNode(str(tmp_path))
    for path in ("etc/memfrag/policy.json", "var/lib/memfrag/keep"):
        build_roots.write(node.root, path, "{}")
    _install.install(node, "/sbin/memfrag", PYTHON)
    assert not _install.install(node, "/sbin/memfrag", PYTHON)
    for path, mode in (("/sbin/memfrag", 0o755), ("/etc/memfrag", 0o755), ("/var/lib/memfrag", 0o755)):
        os.chmod(node.path(path), 0o700)
        assert _install.install(node, "/sbin/memfrag", PYTHON, check_mode=True) and node.mode(path) == 0o700
        assert _install.install(node, "/sbin/memfrag", PYTHON) and node.mode(path) == mode
    if os.geteuid() == 0:
        for path in ("/sbin/memfrag", "/etc/memfrag", "/var/lib/memfrag"):
            os.chown(node.path(path), 65534, 65534)
            assert (
                _install.install(node, "/sbin/memfrag", PYTHON)
                and node.stat(path).st_uid == node.stat(path).st_gid == 0
            )
    assert not _install.install(node, "/sbin/memfrag", PYTHON)


def test_a_link_in_place_of_the_tool_is_replaced(tmp_path):
    node = WritableNode(str(tmp_path))
    build_roots.write(node.root, "sbin/other", "theirs")
    os.symlink("other", node.path("/sbin/memfrag"))
    assert _install.install(node, "/sbin/memfrag", PYTHON)
    assert node.read_text("/sbin/other") == "theirs" and not _install.install(node, "/sbin/memfrag", PYTHON)


def test_a_state_that_others_could_have_written_is_forgotten(tmp_path):
    node = WritableNode(str(tmp_path))
    for name in ("compaction.json", "textfiles"):
        build_roots.write(node.root, "var/lib/memfrag/" + name, "{}")
        os.chmod(node.path("/var/lib/memfrag/" + name), 0o666)
    assert _install.install(node, "/sbin/memfrag", PYTHON, check_mode=True)
    assert node.listdir("/var/lib/memfrag") == ["compaction.json", "textfiles"]
    assert _install.install(node, "/sbin/memfrag", PYTHON) and node.listdir("/var/lib/memfrag") == []


def test_a_directory_that_others_may_write_is_no_place_for_it(tmp_path):
    node = WritableNode(str(tmp_path))
    node.make_directory("/opt/bin", 0o777)
    with pytest.raises(NodeError) as caught:
        _install.install(node, "/opt/bin/memfrag", PYTHON)
    assert "root could be made to run something else, since " in str(caught.value) and "/opt/bin" in str(caught.value)
    assert node.listdir("/opt/bin") == []


def test_the_interpreter_is_one_that_only_root_can_change(tmp_path):
    node = WritableNode(str(tmp_path))
    build_roots.write(node.root, "usr/bin/python3.11")
    build_roots.write(node.root, "home/me/venv/bin/keep")
    os.symlink("python3.11", node.path("/usr/bin/python3"))
    os.symlink("../../../../usr/bin/python3", os.path.join(node.root, "home/me/venv/bin/python"))
    assert _install.checked_interpreter(node, "/usr/bin/python3") == "/usr/bin/python3"
    assert _install.checked_interpreter(node, "/home/me/venv/bin/python")
    os.chmod(node.path("/home/me/venv/bin"), 0o777)
    with pytest.raises(NodeError) as caught:
        _install.checked_interpreter(node, "/home/me/venv/bin/python")
    assert "no interpreter for a tool that root runs, since " in str(caught.value)
    os.chmod(node.path("/home/me/venv/bin"), 0o755)
    # What the links lead to counts as well.
    os.chmod(node.path("/usr/bin/python3.11"), 0o777)
    for path in ("/usr/bin/python3", "/home/me/venv/bin/python"):
        with pytest.raises(NodeError):
            _install.checked_interpreter(node, path)
    for path, reason in (
        ("python3", "no absolute path"),
        ("/usr/bin/python3 -c x", "no absolute path"),
        ("/" + 130 * "x", "longer than the 120 characters"),
    ):
        with pytest.raises(NodeError) as caught:
            _install.checked_interpreter(node, path)
        assert reason in str(caught.value)


# --- absent -------------------------------------------------------------------------------------------------------


def test_a_running_job_is_waited_for(tmp_path):
    node = WritableNode(str(tmp_path))
    _install.install(node, "/sbin/memfrag", PYTHON)
    build_roots.write(node.root, "run/memfrag.lock")
    with lock(WritableNode(node.root), "/run/memfrag.lock") as held:
        assert held
        with pytest.raises(NodeError) as caught:
            _install.remove(node, "/sbin/memfrag", wait_seconds=0.2)
        assert "a job is still running; nothing was removed" in str(caught.value)
        assert node.exists("/sbin/memfrag") and node.exists("/run/memfrag.lock")
    assert _install.remove(node, "/sbin/memfrag") == ["/sbin/memfrag", "/run/memfrag.lock"]


def test_whoever_begins_while_it_goes_waits(tmp_path, monkeypatch):
    """Also where nobody has ever held the lock: a job would look for its tool, and write when that is gone."""
    node = WritableNode(str(tmp_path))
    (tmp_path / "run").mkdir()
    _install.install(node, "/sbin/memfrag", PYTHON)
    assert not node.exists("/run/memfrag.lock")
    remove, waited = node.remove, []

    def during(path):
        for path_of_lock in (run.lock_file(node), _metrics.lock_file(node)):
            with lock(node, path_of_lock) as held:
                waited.append(not held)
        return remove(path)

    monkeypatch.setattr(node, "remove", during)
    assert "/sbin/memfrag" in _install.remove(node, "/sbin/memfrag")
    assert waited and all(waited)
    assert not node.exists("/run/memfrag.lock")


def test_it_waits_as_long_as_the_policy_lets_a_job_run(tmp_path):
    node = WritableNode(str(tmp_path))
    assert _install._longest_run(node) == 360
    build_roots.write(node.root, "etc/memfrag/policy.json", '{"time_limit_seconds": 1200}')
    assert _install._longest_run(node) == 1260
    build_roots.write(node.root, "etc/memfrag/policy.json", '{"time_limit_seconds": 1e9}')
    assert _install._longest_run(node) == 3660
    for odd in ("NaN", '"nan"', "-1", "null", "[]"):
        build_roots.write(node.root, "etc/memfrag/policy.json", '{"time_limit_seconds": %s}' % odd)
        assert _install._longest_run(node) == 360, odd


@pytest.mark.parametrize("directory", [r"/x\ud800", r"/x\u0000", r"/x\n/y"])
def test_an_odd_directory_in_the_policy_does_not_keep_the_tool_from_being_removed(tmp_path, directory):
    node = WritableNode(str(tmp_path))
    for path in ("run/keep", "memfrag"):
        build_roots.write(node.root, path)
    build_roots.write(node.root, "etc/memfrag/policy.json", '{"textfile_directory": "%s"}' % directory)
    for path in ("etc", "etc/memfrag", ""):
        os.chmod(os.path.join(node.root, path), 0o755)
    os.chmod(os.path.join(node.root, "etc/memfrag/policy.json"), 0o644)
    assert "/etc/memfrag/policy.json" in _install.remove(node, "/memfrag", wait_seconds=0)
    assert not node.exists("/memfrag") and not node.exists("/etc/memfrag")


def test_the_kill_switch_and_what_is_not_ours_stay(tmp_path):
    node = WritableNode(str(tmp_path))
    for path in (
        "etc/memfrag/disable",
        "etc/memfrag/.ansible_tmpx1policy.json",
        "etc/memfrag/.policy.json.tmp",
        "prom/memfrag.prom",
        "prom/.memfrag.prom.tmp",
        "prom/other.prom",
        "sbin/.memfrag.tmp",
    ):
        build_roots.write(node.root, path)
    build_roots.write(node.root, "etc/memfrag/policy.json", '{"textfile_directory": "/prom/"}')
    build_roots.write(
        node.root, "var/lib/memfrag/textfiles", "/gone/memfrag.prom\n/etc/passwd\nrelative/memfrag.prom\n"
    )
    build_roots.write(node.root, "etc/passwd")
    _install.remove(node, "/sbin/memfrag")
    assert node.listdir("/etc/memfrag") == ["disable"] and node.listdir("/prom") == ["other.prom"]
    assert node.exists("/etc/passwd") and node.listdir("/sbin") == [] and not node.exists("/var/lib/memfrag")


def test_a_removal_that_was_killed_at_its_very_end_is_taken_up(tmp_path):
    node = WritableNode(str(tmp_path))
    for path in ("run", "etc/memfrag", "var/lib/memfrag"):
        os.makedirs(str(tmp_path / path))
    own = ["/var/lib/memfrag", "/etc/memfrag"]
    assert _install.remove(node, "/sbin/memfrag", check_mode=True) == own and node.exists(own[0])
    assert _install.remove(node, "/sbin/memfrag") == own and not any(map(node.exists, own))
    assert _install.remove(node, "/sbin/memfrag") == [] and node.listdir("/run") == []


def test_a_directory_that_somebody_has_put_elsewhere_stays(tmp_path):
    node = WritableNode(str(tmp_path))
    (tmp_path / "etc").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "policies").mkdir()
    (tmp_path / "etc" / "memfrag").symlink_to(tmp_path / "policies")
    for content in ([], ["disable"]):
        for name in content:
            (tmp_path / "policies" / name).write_text(b"".decode("ascii"))
        _install.remove(node, "/sbin/memfrag")
        assert node.readlink("/etc/memfrag") and node.listdir("/etc/memfrag") == content


def test_a_run_that_had_to_wait_for_the_removal_leaves_nothing(running):
    """It was started before, and gets the lock afterwards: from a file that is no longer there."""
    root = running(MOVABLE)
    result = run.run(WritableNode(root), complete({}), installed=lambda: False)
    assert (result["acted"], result["reason"]) == (False, "removed")
    assert Node(root).listdir("/run") == ["keep"] and not Node(root).exists("/var/lib/memfrag")
