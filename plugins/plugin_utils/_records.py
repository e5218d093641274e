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
import filecmp
import hashlib
import json
import os
import re
import secrets
import stat
import typing as t
import urllib.parse
from collections.abc import Iterable, Iterator

from ansible_collections.kernelops.memfrag.plugins.module_utils import _record
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts, _shapes

SCHEMA_VERSION = _record.SCHEMA_VERSION
RESERVED = _record.RESERVED
STATUSES = _contracts.STATUSES
# What would help was called so before it was named "remediation"; records of 0.1 have it.
OLD_NAME = "mending"
LARGEST = _record.LARGEST

# Records and reports hold log lines and names: they are their owner's, unless asked otherwise.
MODE = 0o600

# What write_file() names its temporary files, and after how long nobody writes to one any more.
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
_LEFT_SECONDS = 86400

_CAPITAL = re.compile("[A-Z]")
_ESCAPE = re.compile("%[0-9A-F]{2}")

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+@-]{0,99}")


class RecordError(Exception):
    """A record, or a directory of records, that cannot be used; the text says which and why."""


@dataclasses.dataclass(slots=True)
class Run:
    """The record files of one run in one directory."""

    run_id: str
    path: str
    names: frozenset[str]
    # By the nodes themselves, whose word is good for what they have seen and for nothing else.
    collected: bool = False
    # name -> what the file is called, where capitals count.
    called: dict[str, str] = dataclasses.field(default_factory=dict)

    def file(self, name: str) -> str:
        return os.path.join(self.path, self.called.get(name, name))


def empty(host: str, groups: Iterable[str], started: float) -> dict[str, t.Any]:
    """A record of which nothing is known yet but whose it is; ``started``: seconds since the epoch."""
    return dict(_record.empty(host, groups, started))


def file_name(host: str) -> str:
    """A file name for any host name: one to one, flat, ASCII, never hidden, at most 205 bytes.

    Also where the file system takes ``Web01`` and ``web01`` for one: with capitals there is a digest in it, as in long ones. Elsewhere
    the file has the name without it (existing()), and this one stands for the host.
    """
    return canonical(str(_record.file_name(host)))


def canonical(name: str) -> str:
    """file_name() of the host that a file is called after, which has no digest for capitals where they count."""
    if name == name.lower() or "~" in name:
        return name
    base = name.removesuffix(".json")
    if not _CAPITAL.search(_ESCAPE.sub("", base)):
        return name
    return f"{base[:128]}~{hashlib.sha256(urllib.parse.unquote_to_bytes(base)).hexdigest()[:40]}.json"


def existing(directory: str, host: str) -> str:
    """The path of the host's file in a directory, that there is or that there would be: the directory may have come from elsewhere."""
    plain, folded = str(_record.file_name(host)), file_name(host)
    if plain == folded or _capitals_count(directory):
        here = os.path.join(directory, plain)
        other = os.path.join(directory, folded)
        return other if os.path.lexists(other) and not os.path.lexists(here) else here
    there: list[str] = []
    with contextlib.suppress(OSError):
        # In the list a file has its own name; it would be found by another one, too.
        there = os.listdir(directory)
    return os.path.join(directory, plain if plain in there and folded not in there else folded)


def _capitals_count(directory: str) -> bool:
    """Whether the file system of a directory tells ``Web01`` from ``web01``: one that does not finds the directory by both."""
    above, name = os.path.split(os.path.abspath(directory))
    if not name:
        return True
    if name.swapcase() == name:
        return _capitals_count(above)
    other = os.path.join(above, name.swapcase())
    return not (os.path.exists(other) and os.path.exists(directory) and os.path.samefile(other, directory))


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
    # makedirs() gives its mode to the last component only; log lines are nobody else's business at any depth.
    for path in (records_dir, directory):
        os.makedirs(path, mode=0o700, exist_ok=True)
    path = existing(directory, record["host"])
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
    names = {canonical(name): name for name in called}
    # Of two of the same host the one that this version has written.
    names.update({name: name for name in called if name in names})
    return Run(run_id, path, frozenset(names), called={name: file for name, file in names.items() if name != file})


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
                own = canonical(os.path.basename(run.path) + ".json")
                strange += [f"{run.file(name)}: lies in the directory of another node" for name in run.names - {own}]
                run.names &= {own}
            if run.names:
                found.append(run)
    return found, strange


def load(path: str) -> dict[str, t.Any]:
    """One whole record."""
    return _parsed(path, _content(path))


def load_head(path: str) -> dict[str, t.Any]:
    """A record without its journal and facts, where it was written by ``write()``; else the whole record."""
    with open(_open(path)[0], "rb") as stream:
        line = stream.readline(LARGEST)
        if line.endswith(b",\n"):
            with contextlib.suppress(RecordError):  # what is wrong with it shows in the whole
                return _parsed(path, _head_in(line))
    return load(path)


def _head_in(text: bytes) -> bytes:
    """-> the JSON object of a record's first line"""
    line = text.partition(b"\n")[0]
    return line[:-1] + b"}" if line.endswith(b",") else line


def load_text(path: str) -> str:
    """A file that lies beside the records, held to the same."""
    try:
        return _content(path).decode()
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: not UTF-8 ({error})") from error


def _open(path: str) -> tuple[int, int]:
    """-> (descriptor, size) of a regular file of at most LARGEST bytes, told before a byte of it is read.

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
    elif status.st_size > LARGEST:
        why = f"has {status.st_size:,} bytes, of at most {LARGEST:,}"
    if why:
        os.close(descriptor)
        raise RecordError(f"{path}: {why}")
    return descriptor, status.st_size


def _content(path: str) -> bytes:
    """All of a file that does not grow while it is read."""
    descriptor, size = _open(path)
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
    if canonical(path.rpartition("/")[2]) != file_name(record["host"]):
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
