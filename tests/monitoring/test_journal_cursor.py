# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each event of a real journal is counted once: what the real journalctl says of cursors, rotation and files that were vacuumed."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _log_cursor
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import pieces, readers
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT = "a" * 32
START = 1795600000
FAILURE = (
    "runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0",
    "CPU: 3 PID: 332 Comm: runc:[1:CHILD] Not tainted 3.10.0-862.el7.x86_64 #1",
    "Call Trace:",
    " [<ffffffff8171e5a0>] warn_alloc_failed+0x110/0x180",
    "Node 0 Normal free:1048576kB min:11264kB low:14080kB high:16896kB managed:16777216kB",
    "Node 0 Normal: 262144*4kB (UEM) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 1048576kB",
)


class Journal:
    """A directory of journal files, and what a node's tool has read of it."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.file = directory / "system.journal"
        self._written = 0
        self._place: dict[str, t.Any] = {}

    def write(self, moment: float, *messages: str, unit: str = "") -> None:
        """Entries of the kernel, or of a unit, as systemd's export format has them."""
        text = ""
        for message in messages:
            self._written += 1
            realtime = int((START + moment) * 1e6) + self._written
            source = f"_SYSTEMD_UNIT={unit}\n_TRANSPORT=stdout" if unit else "_TRANSPORT=kernel"
            text += (
                f"__REALTIME_TIMESTAMP={realtime}\n__MONOTONIC_TIMESTAMP={realtime - int(START * 1e6)}\n_BOOT_ID={BOOT}\n"
                f"_HOSTNAME=node17\nPRIORITY=4\nSYSLOG_IDENTIFIER={unit.partition('.')[0] or 'kernel'}\n{source}\nMESSAGE={message}\n\n"
            )
        subprocess.run(
            [REMOTE, "--split-mode=none", f"--output={self.file}", "-"],
            input=text.encode(),
            check=True,
            stderr=subprocess.DEVNULL,
        )

    def rotate(self) -> None:
        """As journald does: the file is archived under another name, and its successor has another sequence."""
        self.file.rename(self.directory / f"system@{self._written:032x}.journal")

    def look(self, moment: float) -> tuple[int, str | None]:
        """-> (events of the run at this time, why there could be none)"""
        node, now = Node("/"), START + moment
        reading = _log_cursor.read_new(node, self._place, now)
        self._place = reading.place
        assert reading.gaps == 0
        return sum(pieces.count(node, reading.pieces, now).values()), reading.error


@pytest.fixture(name="journal")
def journal_fixture(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    real = shutil.which("journalctl")
    if not real or not os.path.exists(REMOTE):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no journal: install systemd and systemd-journal-remote")
    directory = tmp_path / "journal"
    directory.mkdir()
    # The node's own journal is where it is; this journalctl looks here.
    binary = tmp_path / "bin" / "journalctl"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec {real} --directory={directory} "$@"\n', encoding="utf-8")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(readers, "JOURNALS", (str(directory),))
    monkeypatch.setattr(_log_cursor, "LOGS", ())
    return Journal(directory)


def test_each_event_counts_once(journal: Journal) -> None:
    journal.write(0, "Linux version 6.1.0-56-cloud-amd64", *FAILURE)
    # What was there before the first look counts no more.
    assert journal.look(10) == (0, None)
    assert journal.look(400) == (0, None)
    journal.write(500, *FAILURE)
    journal.write(501, "an ordinary line", unit="kubelet.service")
    assert journal.look(800) == (1, None)
    assert journal.look(1200) == (0, None)
    journal.write(1300, *FAILURE)
    # Not yet: the journal is asked each five minutes.
    assert journal.look(1400) == (0, None)
    assert journal.look(1600) == (1, None)


def test_a_character_in_the_name_of_a_task_hides_nothing(journal: Journal) -> None:
    journal.write(0, "Linux version 6.1.0-56-cloud-amd64")
    assert journal.look(10) == (0, None)
    journal.write(
        100, "Memory cgroup out of memory: Killed process 812 (ev\x01l) total-vm:9000kB, anon-rss:4096kB, file-rss:0kB"
    )
    assert journal.look(500) == (1, None)


def test_what_is_being_written_is_left_to_the_next_look(journal: Journal) -> None:
    journal.write(0, "Linux version 6.1.0-56-cloud-amd64")
    assert journal.look(10) == (0, None)
    journal.write(398, *FAILURE)
    assert journal.look(400) == (0, None)
    assert journal.look(800) == (1, None)
    assert journal.look(1200) == (0, None)


def test_over_a_rotation(journal: Journal) -> None:
    journal.write(0, "Linux version 6.1.0-56-cloud-amd64")
    assert journal.look(10) == (0, None)
    journal.write(100, *FAILURE)
    journal.rotate()
    journal.write(200, *FAILURE)
    assert journal.look(500) == (2, None)
    journal.write(600, *FAILURE)
    journal.rotate()
    journal.write(700, "an ordinary line")
    assert journal.look(1000) == (1, None)
    assert journal.look(1400) == (0, None)


def test_what_the_cursor_points_at_was_vacuumed(journal: Journal) -> None:
    journal.write(0, "Linux version 6.1.0-56-cloud-amd64")
    assert journal.look(10) == (0, None)
    journal.rotate()
    (old,) = journal.directory.glob("system@*")
    journal.write(100, *FAILURE)
    old.unlink()
    assert journal.look(500) == (1, None)
    assert journal.look(900) == (0, None)


def test_an_event_of_a_runtime(journal: Journal) -> None:
    journal.write(0, "Linux version 6.1.0-56-cloud-amd64")
    assert journal.look(10) == (0, None)
    journal.write(
        100,
        'time="2026-11-25T10:00:00Z" level=error msg="failed to create shim task: OCI runtime create failed: runc create failed:'
        " unable to start container process: unable to apply cgroup configuration: mkdir /sys/fs/cgroup/memory/kubepods/x:"
        ' cannot allocate memory: unknown"',
        unit="containerd.service",
    )
    # A tenant's line that says what the kernel says is no event.
    journal.write(101, *FAILURE, unit="tenant.service")
    assert journal.look(500) == (1, None)


def test_an_empty_journal_is_no_all_clear(journal: Journal) -> None:
    events, error = journal.look(10)
    assert events == 0 and error
