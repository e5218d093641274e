# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does what the documentation says: runs every block of commands and every playbook of it, as a reader would.

usage: run.py [DOCUMENT ...]

Nothing is installed beforehand: the README, which is done first, makes the environment and installs the collection in it, and all other
documents use that. Each has a clone of this checkout to stand in, a home of its own, the files that it speaks of, and a node (node.py) that may be broken.
What a comment says cannot be run is counted, with its reason. ``--inside`` is what this starts in the namespace of a node.
"""

from __future__ import annotations

import concurrent.futures
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "tools"), str(ROOT / "tests" / "fixtures")]

import blocks  # noqa: E402
import build_roots  # noqa: E402
import node  # noqa: E402
import workcopy  # noqa: E402
import yaml  # noqa: E402

URL = "https://github.com/kernelops/kernelops.memfrag"
LOG = ROOT / "tests" / "fixtures" / "report" / "frag_paf_order4.messages"
TOOL = Path("/usr/local/sbin/memfrag")
SECONDS = 600
SAID_AT_MOST = 40

INVENTORY = """\
[databases]
node17

[kvm]
node17

[dpdk]
node17

[rack1]
node17

[rack2]
node18

[all:vars]
# The machine that the test runs on may be a container. What would be compacted is the node's, which is made up.
memfrag_remediate_allow_container=true
"""

# Hosts are this machine, and sudo is nothing: the node is root's already, and its own.
SETTINGS = {
    "ANSIBLE_TRANSPORT": "local",
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
    "ANSIBLE_NOCOLOR": "1",
    "LC_ALL": "C.UTF-8",
}
SUDO = """\
#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -u|-p|-C) shift 2 ;; -*) shift ;; *) break ;; esac; done
exec "$@"
"""
# Modules of other collections that examples call. They take anything and do nothing.
STAND_INS = {
    "ansible/posix/plugins/modules/sysctl.py",
    "kubernetes/core/plugins/modules/k8s_drain.py",
}
STAND_IN = """\
import json
print(json.dumps({"changed": True}))
WANT_JSON = True
"""


class Result(t.NamedTuple):
    where: str
    outcome: str  # run, read, not run, FAILED
    said: str
    seconds: float


def documents() -> list[Path]:
    """README first."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs" / "docsite" / "rst").glob("*.rst"))]
    return [
        *found,
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "roles").glob("*/README.md")),
        ROOT / "CONTRIBUTING.md",
    ]


# --- in the namespace -------------------------------------------------------------------------------------------------


def furnish(place: Path, kept: Path) -> None:
    """The files that the documents speak of; the records and the node tool as the first document has left them."""
    (place / "inventory").write_text(INVENTORY)
    build_roots.build("6.1.0-56-cloud-amd64/fragmented", str(place / "sosreport-node17-2026-11-20"))
    (place / "messages.gz").write_bytes(gzip.compress(LOG.read_bytes()))
    if (kept / "memfrag-audit").is_dir():
        shutil.copytree(kept / "memfrag-audit", place / "memfrag-audit")
        shutil.copy(kept / "memfrag", TOOL)


def one(block: blocks.Block, place: Path, scratch: Path) -> Result:
    where = f"{block.path.relative_to(ROOT)}:{block.line}"
    began = time.monotonic()

    def result(outcome: str, said: str = "") -> Result:
        return Result(where, outcome, said, time.monotonic() - began)

    if block.file:
        (place / block.file).write_text(block.text)
    if "not run" in block.marks:
        return result("not run", block.marks["not run"])
    if block.language in blocks.SHELLS:
        script = block.script
    elif block.language.startswith("yaml"):
        try:
            script = playbook(block, place)
        except yaml.YAMLError as error:
            return result("FAILED", str(error))
    else:
        script = ""
    if not script.strip():
        return result("read")
    wanted = {int(status) for status in block.marks.get("exits", "0").split()}
    command = ["bash", "-u" if wanted != {0} else "-eu", "-c", script]
    output = scratch / "output"
    installs = block.marks.get("installs")
    folder = scratch / f"installed-{block.line}"
    variables = dict(os.environ, **({"ANSIBLE_COLLECTIONS_PATH": str(folder)} if installs else {}))
    with output.open("wb") as stream:
        try:
            status = subprocess.run(
                command,
                check=False,
                cwd=place,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
            ).returncode
        except subprocess.TimeoutExpired:
            status = -1
    said = output.read_text(encoding="utf-8", errors="replace")
    if installs and not (folder / "ansible_collections" / installs.replace(".", "/") / "MANIFEST.json").is_file():
        return result("FAILED", f"{script}\n{installs} is not installed by it\n{said}")
    return result("run" if status in wanted else "FAILED", f"{script}\nstatus {status}\n{said}")


def playbook(block: blocks.Block, place: Path) -> str:
    """The command that runs what is a playbook, or tasks of one; nothing for other YAML."""
    content = yaml.safe_load(block.text)
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        return ""
    if not any("hosts" in each for each in content):
        if block.file:
            # Another block makes use of it.
            return ""
        if not any("." in key for each in content for key in each):
            return ""
        content = [{"name": "Tasks of the documentation", "hosts": "node17", "gather_facts": False, "tasks": content}]
    name = block.file or f"block-{block.line}.yml"
    (place / name).write_text(yaml.safe_dump(content, sort_keys=False))
    return f"ansible-playbook -i inventory {name} {block.marks.get('with', '')}\n"


def inside(scratch: Path, home: Path, place: Path, document: Path) -> None:
    node.become(scratch, LOG)
    if (home / "kept").exists():
        # Each document has the home as the first has left it: one says how to remove the collection.
        node.lose_changes(home, scratch)
    (scratch / "bin").mkdir()
    sudo = scratch / "bin" / "sudo"
    sudo.write_text(SUDO)
    sudo.chmod(0o755)
    for name in STAND_INS:
        path = scratch / "stand-ins" / "ansible_collections" / name
        path.parent.mkdir(parents=True)
        path.write_text(STAND_IN)
    collections = [str(home / ".ansible" / "collections"), str(scratch / "stand-ins")]
    os.environ.update(SETTINGS, HOME=str(home), ANSIBLE_COLLECTIONS_PATH=":".join(collections))
    os.environ["PATH"] = f"{scratch}/bin:{home}/memfrag/bin:/usr/local/sbin:{os.environ['PATH']}"
    os.environ.pop("PYTHONPATH", None)
    kept = home / "kept"
    furnish(place, kept)
    seen: dict[tuple[str, str], Result] = {}
    results = []
    for block in blocks.of(document):
        said_before = seen.get((block.language, block.text)) if block.language in blocks.SHELLS else None
        # What is typed again in the same document has been seen.
        result = said_before._replace(seconds=0.0) if said_before else one(block, place, scratch)
        results.append(result._replace(where=f"{block.path.relative_to(ROOT)}:{block.line}"))
        seen.setdefault((block.language, block.text), result)
    place.with_name(f"{place.name}.json").write_text(json.dumps(results))
    if not kept.exists() and (place / "memfrag-audit").is_dir():
        install = ["ansible", "node17", "-i", "inventory", "-m", "kernelops.memfrag.memfrag_tool"]
        subprocess.run(install, cwd=place, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(place / "memfrag-audit", kept / "memfrag-audit")
        shutil.copy(TOOL, kept)


# --- outside ----------------------------------------------------------------------------------------------------------


def done(document: Path, scratch: Path, home: Path, clone: Path) -> list[Result]:
    name = "-".join(document.relative_to(ROOT).with_suffix("").parts)
    place = scratch / name
    subprocess.run(["git", "clone", "--quiet", "--shared", str(clone), str(place)], check=True)
    (place / ".cache").symlink_to(scratch / "cache")
    command = [*node.inside(), sys.executable, __file__, "--inside", scratch / f"{name}-node", home, place, document]
    subprocess.run(list(map(str, command)), check=True)
    return [Result(*each) for each in json.loads(place.with_name(f"{name}.json").read_text())]


def report(results: list[Result]) -> None:
    for each in results:
        reason = f", {each.said}" if each.outcome == "not run" else ""
        print(f"{each.where}: {each.outcome}{reason} ({each.seconds:.1f} s)", flush=True)
        if each.outcome == "FAILED":
            print("    " + "\n    ".join(each.said.strip().splitlines()[-SAID_AT_MOST:]), flush=True)


def main() -> int:
    if sys.argv[1:2] == ["--inside"]:
        inside(*map(Path, sys.argv[2:]))
        return 0
    named = [Path(name).resolve() for name in sys.argv[1:]]
    scratch = Path(tempfile.mkdtemp(prefix="memfrag-documentation-"))
    home, clone = scratch / "home", scratch / "clone"
    for folder in (home, scratch / "cache"):
        folder.mkdir()
    if (Path.home() / ".cache").is_dir():
        # What pip has downloaded before.
        (home / ".cache").symlink_to(Path.home() / ".cache")
    workcopy.update(clone)
    clone = clone / workcopy.NAME
    git = ["git", "-C", str(clone), "-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid"]
    subprocess.run([*git, "commit", "--quiet", "-m", "As it is here"], check=True)
    subprocess.run([*git, "branch", "-M", "main"], check=True)
    (home / ".gitconfig").write_text(f'[url "file://{clone}"]\n\tinsteadOf = {URL}\n[safe]\n\tdirectory = *\n')
    first, *others = documents()
    others = [path for path in others if not named or path in named]
    results = done(first, scratch, home, clone)
    report(results)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for each in concurrent.futures.as_completed(pool.submit(done, path, scratch, home, clone) for path in others):
            report(each.result())
            results += each.result()
    shutil.rmtree(scratch, ignore_errors=True)
    counts = {
        outcome: sum(each.outcome == outcome for each in results) for outcome in ("run", "read", "not run", "FAILED")
    }
    print("Blocks of the documentation: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
