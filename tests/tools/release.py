# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release, by commands that can be repeated. The session "release" has what it needs on PATH; CONTRIBUTING.md has the order.

prepare VERSION [SUMMARY]    version, changelog and the report's example of the checkout; nothing is committed
artifacts [DIRECTORY]        the tarball of a commit that nothing was changed since, its checksums, and a note of what it was made from; in dist
rehearse [VERSION]           all of it in a clone, twice: the same bytes, a clean importer, an upgrade from what is here, a tag; the checkout is not touched
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import tarball  # noqa: E402
import workcopy  # noqa: E402
import yaml  # noqa: E402
from paths import CACHE  # noqa: E402

VERSION = re.compile(r"\d+\.\d+\.\d+$")
NAME = "kernelops.memfrag"
TOOLS = ("ansible-core", "antsibull-changelog", "galaxy-importer")


class Refused(Exception):
    """Why there is no release."""


def run(*command: object, cwd: Path | str = ROOT, **variables: str) -> str:
    """-> what it printed; Refused with all of it where it failed."""
    done = subprocess.run(
        list(map(str, command)),
        check=False,
        cwd=str(cwd),
        env=dict(os.environ, **variables),
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise Refused(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


# --- the steps --------------------------------------------------------------------------------------------------------


def prepare(root: Path, version: str, summary: str | None = None) -> None:
    if not VERSION.match(version):
        raise Refused(f"{version} is no version, as 1.0.0 is")
    if version in _released(root):
        raise Refused(f"{version} is in changelogs/changelog.yaml already")
    _replace(root / "galaxy.yml", r"^version: .*$", f"version: {version}")
    # An empty page before the first release; from then on there is a changelog to show.
    _replace(root / "docs" / "docsite" / "config.yml", r"^  write_changelog: .*$", "  write_changelog: true")
    if summary:
        if _summaries(root):
            raise Refused(f"{', '.join(_summaries(root))} has a summary of the release already")
        text = yaml.safe_dump({"release_summary": summary}, explicit_start=True, width=150)
        fragments = root / "changelogs" / "fragments"
        # git keeps no folder in which nothing is left by the last release.
        fragments.mkdir(exist_ok=True)
        (fragments / f"{version}.yml").write_text(text, encoding="utf-8")
    elif not _summaries(root):
        raise Refused("what the release brings is said nowhere: give it, in a sentence")
    run("antsibull-changelog", "lint", cwd=root)
    run("antsibull-changelog", "release", "--version", version, "--date", _day(root), cwd=root)
    run(sys.executable, "docs/examples/report/build.py", cwd=root)


def artifacts(root: Path, directory: Path) -> list[Path]:
    """-> tarball, SHA256SUMS, PROVENANCE.json"""
    if run("git", "status", "--porcelain", cwd=root).strip():
        raise Refused("there is something that is not committed; a release is made of a commit")
    seconds = run("git", "log", "-1", "--format=%ct", cwd=root).strip()
    os.environ["SOURCE_DATE_EPOCH"] = seconds
    with tempfile.TemporaryDirectory() as scratch:
        # What git has, whatever else lies in the checkout.
        run("git", "archive", "--output", f"{scratch}/commit.tar", "HEAD", cwd=root)
        run("tar", "--extract", "--file", "../commit.tar", cwd=_folder(scratch, "commit"))
        made = tarball.build(Path(scratch, "commit"), directory)
    provenance = directory / "PROVENANCE.json"
    said = {
        "artifact": made.name,
        "sha256": _sum(made),
        "repository": "https://github.com/kernelops/kernelops.memfrag",
        "commit": run("git", "rev-parse", "HEAD", cwd=root).strip(),
        "source_date_epoch": int(seconds),
        "command": "python3 tests/tools/tarball.py . dist",
        "python": platform.python_version(),
        "tools": {name: _installed(name) for name in TOOLS},
        "compression": "gzip of Python's zlib, level 9; another zlib may give other bytes of the same content",
        "content_sha256": _content(made),
    }
    provenance.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    sums = directory / "SHA256SUMS"
    sums.write_text("".join(f"{_sum(path)}  {path.name}\n" for path in (made, provenance)), encoding="utf-8")
    return [made, sums, provenance]


def rehearse(version: str | None = None) -> None:
    scratch = CACHE / "release"
    shutil.rmtree(scratch, ignore_errors=True)
    here = _repository(scratch / "here")
    version = version or _next(here)
    (before,) = [path for path in artifacts(here, scratch / "before") if path.name.endswith(".tar.gz")]
    _say("built as it is", before.name)
    prepare(here, version, None if _summaries(here) else "Rehearsed.")
    for wanted, path in ((f"version: {version}", "galaxy.yml"), (f"  {version}:", "changelogs/changelog.yaml")):
        if wanted not in (here / path).read_text(encoding="utf-8").splitlines():
            raise Refused(f"{path} has no line {wanted!r}, which the release's workflow asks for")
    changelog = (here / "CHANGELOG.md").read_text(encoding="utf-8")
    if f'<a id="v{version.replace(".", "-")}">' not in changelog or list(
        (here / "changelogs" / "fragments").glob("*.yml")
    ):
        raise Refused("the changelog does not have this version, or fragments are left")
    _say("changelog", f"{len(changelog.splitlines())} lines")
    _git(here, "add", "--all")
    _git(here, "commit", "--quiet", "-m", f"Release {version}")
    _git(here, "tag", "-a", version, "-m", f"{NAME} {version}")
    _say("tagged", run("git", "describe", "--tags", cwd=here).strip())
    made = artifacts(here, scratch / "dist")
    elsewhere = scratch / "an other place, with a longer name" / "clone"
    run("git", "clone", "--quiet", "--branch", version, here, elsewhere)
    os.umask(0o077)
    again = artifacts(elsewhere, scratch / "again")
    if [path.read_bytes() for path in made] != [path.read_bytes() for path in again]:
        raise Refused("two builds of the same commit differ")
    _say("built twice, the same bytes", (scratch / "dist" / "SHA256SUMS").read_text().strip())
    run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=scratch / "dist")
    said = run(
        sys.executable, "-m", "galaxy_importer.main", made[0], cwd=scratch, GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false"
    )
    if re.search("^ERROR", said, re.MULTILINE):
        raise Refused(f"Galaxy's importer has errors\n{said}")
    _say("importer", "clean")
    _upgrade(scratch, before, made[0], version)


def _upgrade(scratch: Path, before: Path, after: Path, version: str) -> None:
    """What is here, and the new version over it: records of 0.1 are read by the new one."""
    place = scratch / "collections"
    variables = {"ANSIBLE_COLLECTIONS_PATH": str(place)}
    for path in (before, after):
        run("ansible-galaxy", "collection", "install", "--offline", "--upgrade", "-p", place, path, **variables)
    run("ansible-galaxy", "collection", "verify", "--offline", NAME, **variables)
    manifest = json.loads((place / "ansible_collections" / "kernelops" / "memfrag" / "MANIFEST.json").read_text())
    if manifest["collection_info"]["version"] != version:
        raise Refused(f"after the upgrade there is {manifest['collection_info']['version']}")
    records = scratch / "records"
    shutil.copytree(ROOT / "tests" / "fixtures" / "records" / "0.1", records)
    command = ["ansible-playbook", f"{NAME}.report", "-i", "localhost,", "-e", f"memfrag_records_dir={records}"]
    run(*command, "-e", "memfrag_run_id=2026-11-20", cwd=scratch, **variables)
    report = json.loads((records / "2026-11-20" / "report.json").read_text())
    if report["coverage"]["audited"] != 3 or report["skipped_records"]:
        raise Refused(f"of the records of 0.1: {report['coverage']}, skipped {report['skipped_records']}")
    _say("upgraded", f"{report['generator']['version']} reads the records of 0.1")


# --- what they need ---------------------------------------------------------------------------------------------------


def _repository(folder: Path) -> Path:
    """A clone of the checkout as it is, committed."""
    copy = Path(workcopy.update(folder))
    _git(copy, "commit", "--quiet", "-m", "As it is here")
    return copy


def _git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid", "-c", "tag.gpgSign=false"]
    # One date, as one commit has: what is made of it must not know when.
    run(
        "git",
        *who,
        *arguments,
        cwd=root,
        GIT_COMMITTER_DATE="2026-11-26T00:00:00Z",
        GIT_AUTHOR_DATE="2026-11-26T00:00:00Z",
    )


def _folder(*parts: str) -> Path:
    folder = Path(*parts)
    folder.mkdir()
    return folder


def _replace(path: Path, pattern: str, text: str) -> None:
    changed, count = re.subn(pattern, text, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if count != 1:
        raise Refused(f"{path}: {pattern!r} is there {count} times")
    path.write_text(changed, encoding="utf-8")


def _next(root: Path) -> str:
    """The version that the checkout says, or the one after it where that is released."""
    version = str(yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    if version not in _released(root):
        return version
    major, minor, patch = map(int, version.split("."))
    return f"{major}.{minor}.{patch + 1}"


def _released(root: Path) -> t.Container[str]:
    released: dict[str, t.Any] = yaml.safe_load((root / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))
    return released["releases"]


def _summaries(root: Path) -> list[str]:
    fragments = sorted((root / "changelogs" / "fragments").glob("*.yml"))
    return [
        path.name for path in fragments if "release_summary" in (yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    ]


def _day(root: Path) -> str:
    return run("git", "log", "-1", "--format=%cs", cwd=root).strip()


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _content(path: Path) -> str:
    """Of the archive within the compression."""
    import gzip

    return hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()


def _installed(name: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _say(what: str, more: str) -> None:
    print(f"{what}: {more}", flush=True)


def main(arguments: t.Sequence[str]) -> int:
    try:
        if arguments[:1] == ["prepare"] and len(arguments) in (2, 3):
            prepare(ROOT, *arguments[1:])
        elif arguments[:1] == ["artifacts"] and len(arguments) in (1, 2):
            for path in artifacts(ROOT, Path(*arguments[1:] or ["dist"]).resolve()):
                print(path)
        elif arguments[:1] in ([], ["rehearse"]) and len(arguments) < 3:
            rehearse(*arguments[1:])
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Refused as reason:
        print(f"No release: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
