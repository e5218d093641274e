# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the collection so that the same checkout gives the same bytes, whoever builds it, where and when.

usage: tarball.py COLLECTION DIRECTORY      with ``ansible-galaxy`` on PATH; prints the path of the tarball

``ansible-galaxy collection build`` lists the files as the file system does, and writes down the time. Here they are in the order of their names,
and have the time of SOURCE_DATE_EPOCH, or of the last commit.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


def build(collection, directory):
    """The tarball of the ``collection``, a folder with a galaxy.yml, in ``directory`` -> its path."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = ["ansible-galaxy", "collection", "build", "--output-path", scratch]
        subprocess.run(command, cwd=str(collection), check=True, stdout=subprocess.DEVNULL)
        (made,) = Path(scratch).glob("*.tar.gz")
        (directory / made.name).write_bytes(normal(made.read_bytes(), date()))
    return directory / made.name


def date():
    """Seconds since 1970."""
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return int(os.environ["SOURCE_DATE_EPOCH"])
    return int(subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=str(Path(__file__).parent)))


def normal(tarball, seconds):
    """The same tarball: entries by name, one time, one owner."""
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        contents = {each.name: (each, archive.extractfile(each).read() if each.isfile() else b"") for each in archive}
    files = json.loads(contents["FILES.json"][1])
    files["files"].sort(key=lambda entry: entry["name"])
    listed = _json(files)
    manifest = json.loads(contents["MANIFEST.json"][1])
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(listed).hexdigest()
    changed = {"FILES.json": listed, "MANIFEST.json": _json(manifest)}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        # The manifest comes first: Galaxy and ansible-galaxy read it before all else.
        for name in sorted(contents, key=lambda name: (name != "MANIFEST.json", name != "FILES.json", name)):
            entry, content = contents[name]
            content = changed.get(name, content)
            entry.mtime, entry.size, entry.pax_headers = seconds, len(content), {}
            archive.addfile(entry, io.BytesIO(content))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=seconds) as stream:
        stream.write(plain.getvalue())
    return packed.getvalue()


def _json(content):
    return json.dumps(content, indent=True).encode()


if __name__ == "__main__":
    print(build(*sys.argv[1:]))
