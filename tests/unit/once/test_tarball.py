# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import pathlib
import tarfile
import typing as t

PATH = pathlib.Path(__file__).resolve().parents[2] / "tools" / "tarball.py"


def tool() -> t.Any:
    spec = importlib.util.spec_from_file_location("tarball", PATH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_galaxy_builds_it(names: list[str], seconds: int) -> bytes:
    """A tarball whose files are in that order, and have that time."""
    texts = {name: f"text of {name}".encode() for name in names}
    listed = json.dumps(
        {
            "files": [{"name": name, "chksum_sha256": hashlib.sha256(texts[name]).hexdigest()} for name in names],
            "format": 1,
        }
    ).encode()
    manifest = {"file_manifest_file": {"name": "FILES.json", "chksum_sha256": hashlib.sha256(listed).hexdigest()}}
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in {"MANIFEST.json": json.dumps(manifest).encode(), "FILES.json": listed, **texts}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(text), seconds, 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(entry, io.BytesIO(text))
    return made.getvalue()


def test_order_and_time_leave_no_trace() -> None:
    normal = tool().normal
    one = normal(as_galaxy_builds_it(["README.md", "a.sh", "plugins/b.py"], 1_700_000_000), 1_800_000_000)
    other = normal(as_galaxy_builds_it(["plugins/b.py", "README.md", "a.sh"], 1_700_000_123), 1_800_000_000)
    assert one == other
    assert normal(one, 1_800_000_000) == one


def test_nothing_is_lost_and_every_checksum_holds() -> None:
    names = ["plugins/b.py", "README.md", "a.sh"]
    with tarfile.open(fileobj=io.BytesIO(tool().normal(as_galaxy_builds_it(names, 1), 2)), mode="r:gz") as archive:
        contents = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
        modes = {each.name: each.mode for each in archive.getmembers()}
        assert {each.mtime for each in archive.getmembers()} == {2}
    assert sorted(contents) == ["FILES.json", "MANIFEST.json", "README.md", "a.sh", "plugins/b.py"]
    assert list(contents)[0] == "MANIFEST.json" and modes["a.sh"] == 0o755
    manifest = json.loads(contents["MANIFEST.json"])
    assert manifest["file_manifest_file"]["chksum_sha256"] == hashlib.sha256(contents["FILES.json"]).hexdigest()
    for entry in json.loads(contents["FILES.json"])["files"]:
        assert entry["chksum_sha256"] == hashlib.sha256(contents[entry["name"]]).hexdigest()
