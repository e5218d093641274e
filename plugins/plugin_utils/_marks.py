# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Marks on the controller: which nodes a remediation has in its hands, ``<records>/remediating/<host>.json``.

A mark is there before the node is taken out of service, and until it is back in. Whatever ends the run in between leaves it, and
the next run gives the node back. A mark appears whole or not at all, and only where there is none: two runs cannot take one node.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import re
import typing as t
import urllib.parse

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _host_files, _records

DIRECTORY = "remediating"

_LARGEST = 65536
# .<file of the mark>.<process>.tmp
_TEMPORARY = re.compile(r"\..*\.([0-9]{1,10})\.tmp")


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    host: str
    run_id: str
    # The process of the run goes on.
    busy: bool


def directory(records_dir: str) -> str:
    return os.path.join(records_dir, DIRECTORY)


def path(records_dir: str, host: str) -> str:
    return _host_files.path(directory(records_dir), host)


def put(records_dir: str, host: str, run_id: str, process: int) -> bool:
    """Marks the node for the run of that process; on disk when this returns. -> False where it is marked already, by whomever"""
    for folder in (records_dir, directory(records_dir)):
        _records.make_directory(folder)
    final = path(records_dir, host)
    about = {"host": host, "run_id": run_id, **stands_for(process)}
    temporary = os.path.join(directory(records_dir), f".{os.path.basename(final)}.{process}.tmp")
    _remove(temporary)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with _records.named(final), open(descriptor, "w", encoding="ascii") as stream:
            stream.write(json.dumps(about) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            # Unlike a rename, a link takes nobody's place.
            os.link(temporary, final)
        except FileExistsError:
            return False
    finally:
        _remove(temporary)
    _sync(directory(records_dir))
    return True


def take_away(records_dir: str, host: str) -> None:
    if _remove(path(records_dir, host)):
        _sync(directory(records_dir))


def find(records_dir: str, host: str, process: int) -> Mark | None:
    """process is that of the run that asks: its own marks are not busy."""
    file = path(records_dir, host)
    return _read(file, host, process) if os.path.lexists(file) else None


def standing(records_dir: str, process: int) -> list[Mark]:
    """Every mark there is, by host. A file that cannot be understood is one, too: something stands for a node there."""
    try:
        names = sorted(os.listdir(directory(records_dir)))
    except FileNotFoundError:
        return []
    files = [name for name in names if name.endswith(".json") and not name.startswith(".")]
    return [_read(os.path.join(directory(records_dir), name), None, process) for name in files]


def sweep(records_dir: str) -> None:
    """Removes what processes that are no more have left half made."""
    try:
        names = os.listdir(directory(records_dir))
    except FileNotFoundError:
        return
    for name in names:
        match = _TEMPORARY.fullmatch(name)
        if match and not _alive(int(match.group(1))):
            _remove(os.path.join(directory(records_dir), name))


def _read(file: str, host: str | None, own: int) -> Mark:
    """The file's name says which node it is, and what is in it who took it."""
    about: t.Any = None
    with contextlib.suppress(_records.RecordError, ValueError, RecursionError):
        about = json.loads(_records.load_text(file, _LARGEST))
    about = about if isinstance(about, dict) else {}
    named = about.get("host")
    if host is None:
        base = os.path.basename(file)
        host = urllib.parse.unquote(base[: -len(".json")], errors="replace")
        if isinstance(named, str) and _host_files.key(named) == _host_files.key_of(base):
            host = named
    run_id = about.get("run_id")
    return Mark(host, run_id if isinstance(run_id, str) and run_id else "unknown", goes_on(about, own))


def stands_for(process: int) -> dict[str, t.Any]:
    """What a file says of the process that it was written for."""
    return {"controller": platform.node(), "pid": process, "started": _started(process)}


def goes_on(about: dict[str, t.Any], own: int) -> bool:
    """Whether that process is another one than our own, and alive on this controller."""
    process = about.get("pid")
    return (
        isinstance(process, int)
        and process != own
        and about.get("controller") == platform.node()
        and _alive(process)
        and about.get("started") == _started(process)
    )


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return process > 0


def _started(process: int) -> int | None:
    """When a process began, in ticks of its kernel (proc(5), field 22), so that a number used again is not taken for it."""
    try:
        with open(f"/proc/{process}/stat", "rb") as stream:
            return int(stream.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _remove(file: str) -> bool:
    try:
        os.unlink(file)
    except FileNotFoundError:
        return False
    return True


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
