# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The record store: one JSON file per host and run, ``<records>/<run id>/<host>.json``.

Records come from anywhere: this run, other slices of the fleet, other controllers, nodes that ran by ansible-pull.
So nothing here trusts a file: what cannot be read is named in a ``RecordError`` and the others go on.

A record's first line holds everything but the journal and the facts, so that the history of a fleet is read without
parsing the measurements of every earlier run. It is plain JSON all the same.
"""

from __future__ import annotations

import dataclasses
import filecmp
import hashlib
import json
import os
import re
import secrets
import typing as t
from collections.abc import Iterable, Iterator

SCHEMA_VERSION = 1
STATUSES = ("audited", "failed", "unreachable")

# Report files lie beside the records; a host of that name must not take their place.
RESERVED = frozenset(("report.json",))

# A file name has 255 bytes on every common file system; the temporary file's prefix and suffix need some of them.
LONGEST_NAME = 200

_BULKY = ("journal", "facts")
_UNSAFE = re.compile(rb"[^A-Za-z0-9._-]")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+@-]{0,99}")


class RecordError(Exception):
    """A record, or a directory of records, that cannot be used; the text says which and why."""


@dataclasses.dataclass(slots=True)
class Run:
    """The record files of one run in one directory."""

    run_id: str
    path: str
    names: frozenset[str]

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)


def file_name(host: str) -> str:
    """A file name for any host name: one to one, flat, ASCII, never hidden, at most 205 bytes.

    Other characters become ``%XX`` as in a URL. Long names keep their start and end in ``~`` and a digest; a plain
    name cannot contain ``~``, so the two never meet.
    """
    raw = host.encode("utf-8", "surrogatepass")
    name = _UNSAFE.sub(lambda match: b"%%%02X" % match.group()[0], raw).decode("ascii")
    if name.startswith(".") or name + ".json" in RESERVED:
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) > LONGEST_NAME:
        name = f"{name[:128]}~{hashlib.sha256(raw).hexdigest()[:40]}"
    return (name or "%") + ".json"


def run_directory(records_dir: str, run_id: str) -> str:
    """Where the records of a run lie; the run id becomes one path component and must look like one."""
    if not _RUN_ID.fullmatch(run_id):
        raise RecordError(
            "run_id must start with a letter or digit and have up to 100 letters, digits and . _ : + @ - in all,"
            f" not {run_id!r}"
        )
    return os.path.join(records_dir, run_id)


def write(records_dir: str, run_id: str, record: dict[str, t.Any]) -> str:
    """Store a record for its host, readable by its owner only, and return the path."""
    directory = run_directory(records_dir, run_id)
    # makedirs() gives its mode to the last component only; log lines are nobody else's business at any depth.
    for path in (records_dir, directory):
        os.makedirs(path, mode=0o700, exist_ok=True)
    path = os.path.join(directory, file_name(record["host"]))
    head = {key: value for key, value in record.items() if key not in _BULKY}
    lines = [_dumps(head)[:-1]]
    lines += [f"{_dumps(key)}: {_dumps(record[key])}" for key in _BULKY if key in record]
    write_file(path, [",\n".join(lines), "}\n"], mode=0o600)
    return path


def write_file(path: str, parts: Iterable[str], mode: int = 0o666) -> bool:
    """Write a file so that a reader sees the old content or the new one, never a part. -> whether they differ"""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            stream.writelines(parts)
        changed = not (os.path.isfile(path) and filecmp.cmp(temporary, path, shallow=False))
        os.replace(temporary, path)
        return changed
    except BaseException:
        os.unlink(temporary)
        raise


def runs(directories: Iterable[str]) -> Iterator[Run]:
    """The runs below each directory, or the directory itself if it is one run. No record is opened."""
    for directory in directories:
        try:
            names, below = _listing(directory)
        except OSError as error:
            raise RecordError(f"Cannot read the records directory {directory}: {error.strerror}") from error
        if names:
            yield Run(os.path.basename(os.path.abspath(directory)), directory, names)
        for child in below:
            path = os.path.join(directory, child)
            try:
                names = _listing(path)[0]
            except OSError as error:
                raise RecordError(f"Cannot read the records directory {path}: {error.strerror}") from error
            if names:
                yield Run(child, path, names)


def load(path: str) -> dict[str, t.Any]:
    """One whole record."""
    try:
        with open(path, "rb") as stream:
            return _checked(path, json.loads(stream.read()))
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: not valid JSON ({error})") from error


def load_head(path: str) -> dict[str, t.Any]:
    """A record without its journal and facts, where it was written by ``write()``; else the whole record."""
    try:
        with open(path, "rb") as stream:
            line = stream.readline()
        if line.endswith(b",\n"):
            return _checked(path, json.loads(line[:-2] + b"}"))
    except (OSError, ValueError, RecursionError):
        pass  # load() says what is wrong
    return load(path)


def _checked(path: str, record: t.Any) -> dict[str, t.Any]:
    if not isinstance(record, dict) or not isinstance(record.get("host"), str) or record.get("status") not in STATUSES:
        raise RecordError(
            f"{path}: not a record of this collection (no host, or no status out of {', '.join(STATUSES)})"
        )
    version = record.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise RecordError(f"{path}: schema_version is {version!r}, not a number from 1 on")
    if version > SCHEMA_VERSION:
        raise RecordError(
            f"{path}: written by a newer version of this collection"
            f" (schema_version {version}, this one reads up to {SCHEMA_VERSION})"
        )
    if file_name(record["host"]) != os.path.basename(path):
        raise RecordError(f"{path}: holds the record of another host, {record['host']!r}")
    return record


def _listing(directory: str) -> tuple[frozenset[str], list[str]]:
    names, below = set(), []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                below.append(entry.name)
            elif entry.name.endswith(".json") and entry.name not in RESERVED and entry.is_file():
                names.add(entry.name)
    return frozenset(names), sorted(below)


def _dumps(value: t.Any) -> str:
    return json.dumps(value, separators=(",", ":"))
