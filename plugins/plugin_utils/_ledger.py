# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The alerts that the loop has had, over its runs, and what became of them: by that it knows when to stop."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from collections.abc import Iterator

from ansible.errors import AnsibleActionFail

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _books, _loop, _records, _shapes

LEDGER = "loop.jsonl"

# So much of the past is kept.
_KEPT_SECONDS = 24 * 3600
_KEPT_LINES = 10_000

_ENTRY = _shapes.Fields(
    {
        "run_id": _shapes.Text(100, _records.RUN_ID, "a run id"),
        "host": _shapes.Text(4096),
        "at": _shapes.Number(),
        "refused": _shapes.Nullable(_shapes.Text(_shapes.LONGEST_TEXT)),
    }
)
_REMEDY = _shapes.Fields({"host": _shapes.Text(4096)}, others=False)


class Ledger:
    """``<records_dir>/loop.jsonl``: a line for each alert that came so far, {run_id, host, at, refused: why or null}."""

    def __init__(self, records_dir: str) -> None:
        self.records_dir = records_dir
        self.path = os.path.join(records_dir, LEDGER)

    def read(self) -> list[dict[str, t.Any]]:
        if not os.path.lexists(self.path):
            return []
        try:
            return _records.load_lines(self.path, _ENTRY)
        except _records.RecordError as error:
            # Without its past the loop does not know when to stop.
            raise AnsibleActionFail(f"Nothing is done: {error}") from error

    def write(self, entries: list[dict[str, t.Any]], now: float) -> None:
        kept = [entry for entry in entries if now - entry["at"] < _KEPT_SECONDS][-_KEPT_LINES:]
        _records.write_file(self.path, (json.dumps(entry) + "\n" for entry in kept))

    def taken(self, entries: list[dict[str, t.Any]]) -> list[_loop.Taken]:
        return [
            _loop.Taken(
                *(entry["host"], entry["run_id"], entry["at"]),
                _loop.outcome_of(self.books(entry["run_id"]), entry["host"])[0],
            )
            for entry in entries
            if entry["refused"] is None
        ]

    def books(self, run_id: str) -> list[dict[str, t.Any]] | None:
        path = os.path.join(_records.run_directory(self.records_dir, run_id), _books.BOOKS)
        try:
            return _records.load_lines(path, _REMEDY)
        except _records.RecordError:
            return None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        _records.make_directory(self.records_dir)
        with _records.locked(os.path.join(self.records_dir, f".{LEDGER}.lock")):
            yield
