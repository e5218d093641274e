# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _marks, _paths

HERE = os.getpid()


def test_a_mark_appears_once_and_goes(tmp_path: t.Any) -> None:
    records = str(tmp_path / "deep" / "records")
    assert _marks.find(records, "a", HERE) is None and _marks.standing(records, HERE) == []
    assert _marks.put(records, "a", "r1", HERE)
    assert not _marks.put(records, "a", "r2", HERE)
    assert _marks.find(records, "a", HERE) == _marks.Mark("a", "r1", False)
    assert os.stat(_marks.path(records, "a")).st_mode & 0o777 == 0o600
    assert os.stat(_marks.directory(records)).st_mode & 0o777 == 0o700
    assert os.listdir(_marks.directory(records)) == ["a.json"]
    _marks.take_away(records, "a")
    _marks.take_away(records, "a")
    assert os.listdir(_marks.directory(records)) == []


def test_a_mark_of_an_older_version_stands(tmp_path: t.Any) -> None:
    records, host = str(tmp_path), "Web01"
    _marks.put(records, host, "r1", HERE)
    os.rename(_marks.path(records, host), os.path.join(_marks.directory(records), "Web01.json"))
    assert [mark.host for mark in _marks.standing(records, HERE)] == [host]
    assert _marks.find(records, host, HERE) == _marks.Mark(host, "r1", False)
    assert _marks.find(records, "web01", HERE) is None
    assert not _marks.put(records, host, "r2", HERE)
    _marks.take_away(records, host)
    assert os.listdir(_marks.directory(records)) == []


@pytest.mark.parametrize(
    "host", ["Web01", "../../etc/passwd", "x" * 300, "\u8282\u70b9", "a\nb", ".hidden", "web-01\u202e"]
)
def test_a_host_may_have_any_name(host: str, tmp_path: t.Any) -> None:
    assert _marks.put(str(tmp_path), host, "r1", HERE)
    assert [mark.host for mark in _marks.standing(str(tmp_path), HERE)] == [host]
    assert os.listdir(tmp_path) == ["remediating"]


def test_the_mark_of_a_run_that_goes_on_is_busy_for_the_others(tmp_path: t.Any) -> None:
    _marks.put(str(tmp_path), "a", "r1", HERE)
    mark = _marks.find(str(tmp_path), "a", HERE + 1)
    assert mark is not None and mark.busy


def test_the_mark_of_a_process_that_is_no_more_is_not_busy(tmp_path: t.Any) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    _marks.put(str(tmp_path), "a", "r1", process.pid)
    mark = _marks.find(str(tmp_path), "a", HERE)
    assert mark is not None and not mark.busy


def test_a_process_number_used_again_is_not_the_run(tmp_path: t.Any, monkeypatch: t.Any) -> None:
    _marks.put(str(tmp_path), "a", "r1", HERE)
    monkeypatch.setattr(_marks, "_started", lambda process: 1)
    mark = _marks.find(str(tmp_path), "a", HERE + 1)
    assert mark is not None and not mark.busy


@pytest.mark.parametrize(
    "content",
    [b"", b"20261126T030000Z\n", b"{", b"[1]", b"\xff\xfe", b'{"host": "other"}', b'{"pid": "x"}', b"[" * 9999],
)
def test_a_mark_that_cannot_be_understood_is_one(content: bytes, tmp_path: t.Any) -> None:
    os.mkdir(tmp_path / "remediating")
    (tmp_path / "remediating" / "web%2F1.json").write_bytes(content)
    expected = _marks.Mark("web/1", "unknown", False)
    assert _marks.standing(str(tmp_path), HERE) == [expected]
    assert _marks.find(str(tmp_path), "web/1", HERE) == expected


def test_a_mark_that_no_reading_comes_to_the_end_of_is_one(tmp_path: t.Any) -> None:
    folder = tmp_path / "remediating"
    folder.mkdir()
    os.mkfifo(folder / "fifo.json")
    (folder / "zero.json").symlink_to("/dev/zero")
    (folder / "sparse.json").touch()
    os.truncate(folder / "sparse.json", 1 << 40)
    assert _marks.standing(str(tmp_path), HERE) == [
        _marks.Mark(host, "unknown", False) for host in ("fifo", "sparse", "zero")
    ]


def test_what_a_killed_run_left_half_made_is_swept(tmp_path: t.Any) -> None:
    _marks.sweep(str(tmp_path))
    folder = tmp_path / "remediating"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    for name in (f".a.json.{process.pid}.tmp", f".b.json.{HERE}.tmp", "c.json"):
        (folder / name).write_text("")
    _marks.sweep(str(tmp_path))
    assert sorted(os.listdir(folder)) == [f".b.json.{HERE}.tmp", "c.json"]
    assert [mark.host for mark in _marks.standing(str(tmp_path), HERE)] == ["c"]


def test_paths_start_where_we_are(tmp_path: t.Any, monkeypatch: t.Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ops")
    monkeypatch.setenv("RUNS", "runs")
    assert _paths.absolute("./memfrag-audit") == str(tmp_path / "memfrag-audit")
    assert _paths.absolute("~/x/../$RUNS") == "/home/ops/runs"
    assert _paths.absolute("/srv/x") == "/srv/x"
