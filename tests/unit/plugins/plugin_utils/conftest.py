# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores of records, and reports of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records, _report


@pytest.fixture(name="store")
def store_fixture(tmp_path: t.Any) -> t.Any:
    """-> a function that stores records and gives their directory: store(record, record, ..., run="r1", where="records")"""

    def store(*records: t.Any, run: t.Any = "r1", where: t.Any = "records") -> t.Any:
        directory = str(tmp_path / where)
        for record in records:
            _records.write(directory, run, record)
        return directory

    return store


@pytest.fixture(name="make_report")
def make_report_fixture(tmp_path: t.Any) -> t.Any:
    """-> a function that makes a report of directories and gives it; the text of a file is report.text("html")"""

    def make(
        *directories: t.Any, formats: t.Any = ("html", "json", "csv", "prom"), to: t.Any = "report", **options: t.Any
    ) -> t.Any:
        report = _report.make(list(directories), str(tmp_path / to), formats, **options)

        def text(name: t.Any) -> t.Any:
            with open(report.files[name], encoding="utf-8", newline="") as stream:
                return stream.read()

        return report, text

    return make
