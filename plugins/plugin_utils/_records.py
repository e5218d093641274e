# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The record store: one JSON file per host and run, ``<records>/<run id>/<host>.json``.

Records come from anywhere: this run, other slices of the fleet, other controllers, nodes that ran by ansible-pull.
So nothing here trusts a file: what cannot be read is named in a ``RecordError`` and the others go on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import filecmp
import json
import os
import re
import secrets
import stat
import typing as t
from collections.abc import Iterable, Iterator

from ansible_collections.kernelops.memfrag.plugins.module_utils import _record
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts, _host_files, _shapes

SCHEMA_VERSION = _record.SCHEMA_VERSION
RESERVED = _record.RESERVED
STATUSES = _contracts.STATUSES
# What would help was called so before it was named "remediation"; records of 0.1 have it.
OLD_NAME = "mending"
LARGEST = _record.LARGEST
# Of a file with a line per node of a fleet.
LARGEST_BOOKS = 32 * LARGEST

# Records and reports hold log lines and names: they are their owner's, unless asked otherwise.
MODE = 0o600

# What write_file() names its temporary files, and after how long nobody writes to one any more.
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
_LEFT_SECONDS = 86400

RUN_ID = r"[A-Za-z0-9][A-Za-z0-9._:+@-]{0,99}"
_RUN_ID = re.compile(RUN_ID)


class RecordError(Exception):
    """A record, or a directory of records, that cannot be used; the text says which and why."""


@dataclasses.dataclass(slots=True)
class Run:
    """The record files of one run in one directory."""

    run_id: str
    path: str
    keys: frozenset[str]
    # By the nodes themselves, whose word is good for what they have seen and for nothing else.
    collected: bool = False
    # key -> what the file is called, where it is not called so.
    called: dict[str, str] = dataclasses.field(default_factory=dict)

    def file(self, key: str) -> str:
        return os.path.join(self.path, self.called.get(key, key))


def empty(host: str, groups: Iterable[str], started: float) -> dict[str, t.Any]:
    """A record of which nothing is known yet but whose it is; ``started``: seconds since the epoch."""
    return dict(_record.empty(host, groups, started))


def run_directory(records_dir: str, run_id: str) -> str:
    """Where the records of a run lie; the run id becomes one path component and must look like one."""
    if not _RUN_ID.fullmatch(run_id):
        raise RecordError(
            "run_id must start with a letter or digit and have up to 100 letters, digits and . _ : + @ - in all,"
            f" not {run_id!r}"
        )
    return os.path.join(records_dir, run_id)


def write(records_dir: str, run_id: str, record: dict[str, t.Any], check: bool = False) -> str:
    """Store a record for its host, readable by its owner only, and return the path.

    RecordError for one that no report would read: beyond LARGEST, or, with ``check``, of an audited host and with something in its
    first line that does not hold the contract. Sums of numbers that hold theirs one by one need not.
    """
    directory = run_directory(records_dir, run_id)
    for path in (records_dir, directory):
        make_directory(path)
    path = _host_files.path(directory, record["host"])
    text = _record.text(record)
    if check and record["status"] == "audited":
        try:
            # As a report reads it: Ansible's own kinds of text are no more than that in a file.
            _contracts.RECORD_HEAD.check(_parsed(path, _head_in(text.encode())))
        except _shapes.ShapeError as error:
            raise RecordError(f"{path}: the record would not hold its contract: {error}") from error
    if len(text) > LARGEST:
        raise RecordError(f"{path}: the record would have {len(text):,} bytes, of at most {LARGEST:,}")
    write_file(path, [text])
    return path


def make_directory(path: str, mode: int = 0o700) -> None:
    """A directory for its owner alone, where there is none. What lacks above it, nobody else may write to, whatever the umask."""
    if not os.path.isdir(path):
        make_directory(os.path.dirname(os.path.abspath(path)), 0o755)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)


def write_file(path: str, parts: Iterable[str], mode: int = MODE) -> bool:
    """Write a file so that a reader sees the old content or the new one, never a part. -> whether they differ, or their modes"""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(6)}.tmp")
    with named(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
                os.fchmod(descriptor, mode)  # whatever the umask
                stream.writelines(parts)
            changed = not (
                os.path.isfile(path)
                and stat.S_IMODE(os.stat(path).st_mode) == mode
                and filecmp.cmp(temporary, path, shallow=False)
            )
            os.replace(temporary, path)
            return changed
        except BaseException:
            with contextlib.suppress(OSError):  # what has gone wrong is worth more than this
                os.unlink(temporary)
            raise


@contextlib.contextmanager
def locked(path: str) -> Iterator[int]:
    """One process at a time; gives the descriptor of the lock's file. The lock ends with its process, and the file stays."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def named(path: str) -> Iterator[None]:
    """A file is named by the OSError of its opening, and not by that of a full disk while it is written: it is then, too."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), path) from error


def sweep(directory: str, now: float) -> None:
    """Removes what writers that were killed have left beside the records and reports of a directory, a day later."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    if now - entry.stat(follow_symlinks=False).st_mtime > _LEFT_SECONDS:
                        os.unlink(entry.path)


def runs(directories: Iterable[str]) -> Iterator[Run]:
    """The runs below each directory, or the directory itself if it is one run. No record is opened."""
    for directory in directories:
        try:
            called, below = _listing(directory)
        except OSError as error:
            raise RecordError(f"Cannot read the records directory {directory}: {error.strerror}") from error
        if called:
            yield _run(os.path.basename(os.path.abspath(directory)), directory, called)
        for child in below:
            path = os.path.join(directory, child)
            try:
                called, deeper = _listing(path)
                # No run lies in a run: what has the name of a record there is to be told of.
                called += [name for name in deeper if name.endswith(".json")]
            except OSError as error:
                raise RecordError(f"Cannot read the records directory {path}: {error.strerror}") from error
            if called:
                yield _run(child, path, called)


def _run(run_id: str, path: str, called: list[str]) -> Run:
    files = {_host_files.key_of(name): name for name in called}
    # Of two of the same host the one that is called by its key.
    files.update({name: name for name in called if name in files})
    return Run(run_id, path, frozenset(files), called={key: name for key, name in files.items() if key != name})


def collected(directories: Iterable[str]) -> tuple[list[Run], list[str]]:
    """-> (records that nodes have written of themselves and somebody has collected, what else lies there and is not believed)

    A directory holds ``<host>.json``, or a directory for each node, ``<host>/<host>.json``: one that a node may write to holds
    this node's record and no other's.
    """
    found, strange = [], []
    for directory in directories:
        for run in runs([directory]):
            run.collected = True
            if os.path.abspath(run.path) != os.path.abspath(directory):
                own = _host_files.key_of(os.path.basename(run.path) + ".json")
                strange += [f"{run.file(key)}: lies in the directory of another node" for key in run.keys - {own}]
                run.keys &= {own}
            if run.keys:
                found.append(run)
    return found, strange


def load(path: str) -> dict[str, t.Any]:
    """One whole record."""
    return _parsed(path, _content(path))


def load_head(path: str) -> dict[str, t.Any]:
    """A record without its journal and facts, where it was written by ``write()``; else the whole record."""
    try:
        with open(_open(path)[0], "rb") as stream:
            line = stream.readline(LARGEST)
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from error
    if line.endswith(b",\n"):
        with contextlib.suppress(RecordError):  # what is wrong with it shows in the whole
            return _parsed(path, _head_in(line))
    return load(path)


def _head_in(text: bytes) -> bytes:
    """-> the JSON object of a record's first line"""
    line = text.partition(b"\n")[0]
    return line[:-1] + b"}" if line.endswith(b",") else line


def load_text(path: str, largest: int = LARGEST, errors: str = "strict") -> str:
    """A file that lies beside the records, held to the same."""
    try:
        return _content(path, largest).decode(errors=errors)
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: not UTF-8 ({error})") from error


def load_lines(path: str, shape: _shapes.Fields) -> list[dict[str, t.Any]]:
    """A file of an object of JSON per line, each of that shape."""
    entries = []
    for number, line in enumerate(load_text(path, LARGEST_BOOKS).splitlines(), 1):
        try:
            entries.append(_DECODER.decode(line))
            shape.check(entries[-1])
        except _shapes.ShapeError as error:
            raise RecordError(f"{path}:{number}: not what was written there ({error})") from error
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{path}:{number}: not valid JSON ({error})") from error
    return entries


def _open(path: str, largest: int = LARGEST) -> tuple[int, int]:
    """-> (descriptor, size) of a regular file of at most so many bytes, told before a byte of it is read.

    Nobody waits for a writer of a FIFO here, and what has been opened is looked at, not what the name led to before.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from error
    status = os.fstat(descriptor)
    why = ""
    if not stat.S_ISREG(status.st_mode):
        why = "not a regular file"
    elif status.st_size > largest:
        why = f"has {status.st_size:,} bytes, of at most {largest:,}"
    if why:
        os.close(descriptor)
        raise RecordError(f"{path}: {why}")
    return descriptor, status.st_size


def _content(path: str, largest: int = LARGEST) -> bytes:
    """All of a file that does not grow while it is read."""
    descriptor, size = _open(path, largest)
    data = b""
    try:
        # A byte more than there is; some file systems give less at a time than they are asked for.
        while len(data) < size and (part := os.read(descriptor, size + 1 - len(data))):
            data = data + part if data else part
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(data) > size:
        raise RecordError(f"{path}: it is still being written")
    return data


def _parsed(path: str, text: bytes) -> dict[str, t.Any]:
    try:
        return _checked(path, _DECODER.decode(text.decode()))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: not valid JSON ({error})") from error
    except MemoryError:
        raise RecordError(f"{path}: memory does not suffice to read it") from None


def _no_number(word: str) -> t.Any:
    raise ValueError(f"{word} is no number")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


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
    # No name of a file has a slash.
    if _host_files.key_of(path.rpartition("/")[2]) != _host_files.key(record["host"]):
        raise RecordError(f"{path}: holds the record of another host, {record['host']!r}")
    assessment = record.get("assessment")
    if isinstance(assessment, dict) and OLD_NAME in assessment:
        assessment.setdefault("remediation", assessment.pop(OLD_NAME))
    return record


def _listing(directory: str) -> tuple[list[str], list[str]]:
    names, below = [], []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_directory(entry):
                below.append(entry.name)
            elif entry.name.endswith(".json") and entry.name not in RESERVED:
                # A FIFO, a socket, a link to nowhere: load() says what is wrong with it.
                names.append(entry.name)
    return names, sorted(below)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
