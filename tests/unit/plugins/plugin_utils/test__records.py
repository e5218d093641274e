# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import pathlib
import resource
import shutil
import stat
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _record
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _host_files, _marks, _records

HOSTILE = [
    "node17",
    "10.0.0.1",
    "2001:db8::1",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "..",
    ".",
    "",
    "/etc/passwd",
    "a/b",
    "a%2Fb",
    "report",
    ".report",
    "node\n17",
    "node\x00",
    "knoten-ü",
    "节点十七",
    "\U0001f9e0",
    "\udcff",
    "~",
    "x" * 200,
    "x" * 201,
    "x" * 5000,
    "节" * 500,
]


def record(host: t.Any = "node17", **more: t.Any) -> t.Any:
    made = {
        "schema_version": 1,
        "host": host,
        "status": "audited",
        "error": None,
        "started_at": "2026-11-20T06:00:00Z",
        "duration_seconds": 0.5,
        "facts": {"zones": []},
        "journal": None,
        "assessment": {"level": "low", "score": 1},
    }
    made.update(more)
    return made


@pytest.mark.parametrize("host", HOSTILE, ids=lambda host: ascii(host)[:40])
def test_any_host_name_makes_one_flat_short_file_name(host: t.Any, tmp_path: t.Any) -> None:
    name = _host_files.key(host)
    assert name.isascii() and name.isprintable()
    assert "/" not in name and not name.startswith(".") and name != "report.json"
    assert len(name) <= 210
    path = _records.write(str(tmp_path), "run", record(host))
    assert os.path.dirname(path) == str(tmp_path / "run")
    assert _records.load(path)["host"] == host


CAPITALS = pytest.mark.parametrize("host", ["Web01", "É/X", "a" * 150 + "B", "R\u202e"])


@CAPITALS
def test_a_record_is_called_as_its_host(tmp_path: t.Any, host: t.Any) -> None:
    path = _records.write(str(tmp_path), "r1", record(host))
    assert os.path.basename(path) == _record.file_name(host)
    (run,) = _records.runs([str(tmp_path)])
    assert run.keys == {_host_files.key(host)} and run.file(_host_files.key(host)) == path
    assert _host_files.path(run.path, host) == path


def without_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that takes Web01 and web01 for one name."""

    def lexists(path: str) -> bool:
        folder, name = os.path.split(path)
        return name.lower() in map(str.lower, os.listdir(folder or "."))

    monkeypatch.setattr(os.path, "lexists", lexists)
    monkeypatch.setattr(os.path, "exists", lexists)
    monkeypatch.setattr(os.path, "samefile", lambda one, other: one.lower() == other.lower())


@CAPITALS
def test_with_a_digest_where_capitals_do_not_count(
    tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch, host: t.Any
) -> None:
    without_capitals(monkeypatch)
    other = _records.write(str(tmp_path), "r1", record(host.lower()))
    path = _records.write(str(tmp_path), "r1", record(host))
    assert path.lower() != other.lower() and os.path.basename(path) == _host_files.key(host)
    assert _records.load(path)["host"] == host
    # One that was brought from where they do count is read, until there is another one.
    os.rename(path, os.path.join(os.path.dirname(path), _record.file_name(host)))
    assert os.path.basename(_host_files.path(os.path.dirname(path), host)) == _record.file_name(host)


def test_of_two_records_by_either_name_the_one_with_a_digest_counts(tmp_path: t.Any) -> None:
    path = _records.write(str(tmp_path), "r1", record("Web01"))
    shutil.copy(path, tmp_path / "r1" / _host_files.key("Web01"))
    (run,) = _records.runs([str(tmp_path)])
    assert run.keys == {_host_files.key("Web01")}
    assert os.path.basename(run.file(_host_files.key("Web01"))) == _host_files.key("Web01")


def test_the_record_of_a_host_that_differs_by_case_is_another_ones(tmp_path: t.Any) -> None:
    (tmp_path / "Web01.json").write_text(json.dumps(record("web01")))
    with pytest.raises(_records.RecordError, match="holds the record of another host, 'web01'"):
        _records.load(str(tmp_path / "Web01.json"))


def test_hostile_names_do_not_collide() -> None:
    assert len({_host_files.key(host) for host in HOSTILE}) == len(HOSTILE)


def test_only_the_owner_reads_records(tmp_path: t.Any) -> None:
    path = _records.write(str(tmp_path / "records"), "run", record())
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    for directory in (tmp_path / "records", tmp_path / "records" / "run"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_nobody_else_writes_above_the_records(tmp_path: t.Any) -> None:
    """Whatever the umask."""
    before = os.umask(0)
    try:
        path = _records.write(str(tmp_path / "srv" / "memfrag" / "records"), "r1", record())
    finally:
        os.umask(before)
    above = [parent for parent in pathlib.Path(path).parents if tmp_path in parent.parents]
    assert [stat.S_IMODE(parent.stat().st_mode) for parent in above] == [0o700, 0o700, 0o755, 0o755]


def test_a_record_is_replaced_as_a_whole(tmp_path: t.Any) -> None:
    first = _records.write(str(tmp_path), "run", record(duration_seconds=1))
    second = _records.write(str(tmp_path), "run", record(duration_seconds=2))
    assert first == second
    assert _records.load(first)["duration_seconds"] == 2
    assert os.listdir(tmp_path / "run") == ["node17.json"]


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path: t.Any) -> None:
    def parts() -> t.Any:
        yield "{"
        raise RuntimeError("half-way")

    (tmp_path / "f").write_text("old")
    with pytest.raises(RuntimeError, match="half-way"):
        _records.write_file(str(tmp_path / "f"), parts())
    assert os.listdir(tmp_path) == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def files(directory: pathlib.Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in directory.rglob("*.*") if path.is_file()}


@pytest.mark.parametrize("what", ["record", "mark"])
def test_a_disk_that_is_full_is_told_with_the_file(what: str, tmp_path: t.Any) -> None:
    """A limit on the size of files, which the kernel tells as it tells of a full disk: when it is written to."""
    directory = str(tmp_path / "records")
    write = {
        "record": lambda: _records.write(directory, "r1", {**_records.empty("h1", [], 0.0), "error": "x" * 100000}),
        "mark": lambda: _marks.put(directory, "h1", "r" * 1000, os.getpid()),
    }[what]
    path = os.path.join(directory, *(("r1", "h1.json") if what == "record" else ("remediating", "h1.json")))
    _records.write(directory, "r1", _records.empty("h1", [], 0.0))
    before = files(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, path)
    assert str(caught.value) == f"[Errno {errno.EFBIG}] File too large: '{path}'"
    assert files(tmp_path) == before


def test_what_killed_writers_have_left_is_removed_a_day_later(tmp_path: t.Any) -> None:
    kept = [".h1.json.0123456789ab.tmp", ".h1.json.tmp", "h1.json.0123456789ab.tmp", ".h2.json.0123456789ab.tmp"]
    for name in kept:
        (tmp_path / name).write_text("{")
        os.utime(tmp_path / name, (1000, 1000))
    os.utime(tmp_path / kept[0], (99000, 99000))
    (tmp_path / ".link.0123456789ab.tmp").symlink_to("h1.json")
    (tmp_path / ".directory.0123456789ab.tmp").mkdir()
    _records.sweep(str(tmp_path), 100000)
    _records.sweep(str(tmp_path / "none"), 100000)
    assert set(os.listdir(tmp_path)) == {*kept[:3], ".link.0123456789ab.tmp", ".directory.0123456789ab.tmp"}


def test_write_file_tells_whether_something_changed(tmp_path: t.Any) -> None:
    path = str(tmp_path / "f")
    assert _records.write_file(path, ["a", "b"]) is True
    assert _records.write_file(path, ["ab"]) is False
    assert _records.write_file(path, ["ac"]) is True


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "-x", "a b", "x" * 101, "a\n"])
def test_a_run_id_that_is_no_file_name_is_refused(tmp_path: t.Any, run_id: t.Any) -> None:
    with pytest.raises(_records.RecordError, match="run_id must start with a letter or digit") as caught:
        _records.write(str(tmp_path), run_id, record())
    assert repr(run_id) in str(caught.value)


def test_the_head_is_the_record_without_its_measurements(tmp_path: t.Any) -> None:
    path = _records.write(str(tmp_path), "run", record())
    whole, head = _records.load(path), _records.load_head(path)
    assert head == {key: value for key, value in whole.items() if key not in ("facts", "journal")}
    assert whole == record()


def test_a_record_in_another_layout_has_a_head_too(tmp_path: t.Any) -> None:
    path = tmp_path / "node17.json"
    path.write_text(json.dumps(record(), indent=2))
    assert _records.load_head(str(path)) == record()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "not valid JSON"),
        ('{"host": "node17", "status"', "not valid JSON"),
        ("[" * 100000, "not valid JSON"),
        ("[]", "not a record"),
        ("{}", "not a record"),
        (json.dumps(record(host=17)), "not a record"),
        (json.dumps(record(status="fine")), "not a record"),
        (json.dumps(record(schema_version=None)), "schema_version is None"),
        (json.dumps(record(schema_version="1")), "schema_version is '1'"),
        (json.dumps(record(schema_version=0)), "schema_version is 0"),
        (json.dumps(record(schema_version=2)), "written by a newer version of this collection (schema_version 2"),
        (json.dumps(record(host="node18")), "holds the record of another host, 'node18'"),
    ],
)
def test_a_record_that_cannot_be_used_is_named_with_the_reason(tmp_path: t.Any, content: t.Any, why: t.Any) -> None:
    path = tmp_path / "node17.json"
    path.write_text(content)
    for load in (_records.load, _records.load_head):
        with pytest.raises(_records.RecordError) as caught:
            load(str(path))
        assert str(caught.value).startswith(str(path)) and why in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: t.Any) -> None:
    path = tmp_path / "node17.json"
    path.write_bytes(b'{"host": "\xff"}')
    with pytest.raises(_records.RecordError, match="not valid JSON"):
        _records.load(str(path))


def test_runs_are_found_below_a_directory_or_are_the_directory(tmp_path: t.Any) -> None:
    for run in ("r1", "r2"):
        _records.write(str(tmp_path), run, record("a"))
        _records.write(str(tmp_path), run, record("b"))
    for stray in ("report.json", "report.html", ".node17.json.abc.tmp", ".hidden.json"):
        (tmp_path / "r1" / stray).write_text("{}")
    (tmp_path / "empty").mkdir()
    found = {run.run_id: run for run in _records.runs([str(tmp_path)])}
    assert sorted(found) == ["r1", "r2"]
    assert found["r1"].keys == {"a.json", "b.json"}
    assert found["r1"].file("a.json") == str(tmp_path / "r1" / "a.json")
    assert [run.run_id for run in _records.runs([str(tmp_path / "r2")])] == ["r2"]


def test_a_directory_that_is_not_there_is_named(tmp_path: t.Any) -> None:
    with pytest.raises(_records.RecordError, match="Cannot read the records directory .*/nowhere: No such file"):
        list(_records.runs([str(tmp_path / "nowhere")]))
