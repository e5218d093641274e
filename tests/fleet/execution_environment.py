# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the execution environment in the directory beside this file with ansible-builder, and audits with it.

usage: execution_environment.py WORK [--tag localhost/memfrag-ee:latest]     WORK: a directory to build in

Needs podman, mmdebstrap and root; ansible-builder, ansible-galaxy and ansible-runner on PATH. Nothing is asked of a container registry.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import engines
import nodes

SUITE = "trixie"
# Its Python, which the wheels are for.
PYTHON = "3.13"
PACKAGES = ["ca-certificates", "openssh-client", "python3", "python3-pip", "sshpass"]
# What ansible-builder installs by itself as well.
WHEELS = ["ansible-core", "ansible-runner", "bindep", "dumb-init", "packaging", "pyyaml", "setuptools", "wheel"]
BASE = "localhost/memfrag-ee-base"


def run(*command: str, **options: object) -> None:
    print("+", *command, flush=True)
    subprocess.run(command, check=True, **options)  # type: ignore[call-overload]


def base_image() -> None:
    """Made of packages unless it is there: the same packages, the same image."""
    tag = f"{BASE}:{SUITE}-{hashlib.sha256(','.join(PACKAGES).encode()).hexdigest()[:12]}"
    if subprocess.run(["podman", "image", "exists", tag], check=False).returncode:
        with tempfile.TemporaryDirectory() as place:
            root = f"{place}/root.tar"
            run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, root)
            run("podman", "import", "--quiet", root, tag)
    run("podman", "tag", tag, f"{BASE}:latest")


def context(work: pathlib.Path) -> pathlib.Path:
    """The definition with what it asks for beside it."""
    folder = work / "definition"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pathlib.Path(__file__).parent / "execution-environment", folder)
    checkout = engines.ROOT
    run(
        "ansible-galaxy",
        "collection",
        "build",
        "--output-path",
        str(work),
        "--force",
        cwd=checkout,
        stdout=subprocess.DEVNULL,
    )
    (tarball,) = work.glob("kernelops-memfrag-*.tar.gz")
    tarball.rename(folder / "kernelops-memfrag.tar.gz")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder / "wheels"), "--only-binary=:all:"]
    run(
        *pip,
        "--python-version",
        PYTHON,
        "--implementation",
        "cp",
        "--abi",
        f"cp{PYTHON.replace('.', '')}",
        "--abi",
        "abi3",
        "--abi",
        "none",
        *platforms(),
        *WHEELS,
    )
    return folder


def platforms() -> list[str]:
    machine = os.uname().machine
    known = [
        "linux",
        "manylinux1",
        "manylinux2010",
        "manylinux2014",
        "manylinux_2_17",
        "manylinux_2_28",
        "manylinux_2_34",
    ]
    return [word for name in known for word in ("--platform", f"{name}_{machine}")] + ["--platform", "any"]


def audit(image: str) -> None:
    """Of one node by ansible-runner, and of the container itself by podman alone."""
    with tempfile.TemporaryDirectory(prefix="memfrag-ee-") as name:
        work = pathlib.Path(name)
        roots = nodes.make_roots(work)
        engine = engines.Runner(image, work, 5, {})
        variables = {
            "memfrag_run_id": "ee",
            "memfrag_since": "2000-01-01",
            "memfrag_records_dir": str(work / "records"),
        }
        seen = nodes.inventory(nodes.names(len(roots)), engine.python, list(map(str, roots)), None)
        engine.start("audit", "ee", work / "job", seen, variables).expect_success()
        report = json.loads((work / "records" / "ee" / "report.json").read_text(encoding="utf-8"))
        levels = [host["level"] for host in report["hosts"]]
        if report["coverage"]["audited"] != len(roots) or not {"low", "high"} <= set(levels):
            sys.exit(f"the audit in the execution environment went wrong: {report['coverage']}, {levels}")
        print(f"an audit of {len(roots)} captures by ansible-runner: {', '.join(levels)}")
        command = [
            "podman",
            "run",
            "--rm",
            "--network=none",
            "--user=root",
            "-v",
            f"{work}:/work",
            "-w",
            "/work",
            image,
        ]
        command += [
            "ansible-playbook",
            "kernelops.memfrag.audit",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-e",
            "memfrag_run_id=self",
        ]
        run(*command, stdout=subprocess.DEVNULL)
        own = json.loads((work / "memfrag-audit" / "self" / "report.json").read_text(encoding="utf-8"))
        if own["hosts"][0]["measured"]["kernel"]["release"] != os.uname().release:
            sys.exit("the audit of the container saw another kernel")
        print(f"an audit of the container itself by podman: {own['hosts'][0]['level']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--tag", default="localhost/memfrag-ee:latest")
    options = parser.parse_args()
    os.environ.setdefault("CONTAINERS_CONF", str(engines.ROOT / "molecule" / "shared" / "containers.conf"))
    options.work.mkdir(parents=True, exist_ok=True)
    base_image()
    folder = context(options.work.resolve())
    build = ["ansible-builder", "build", "--file", str(folder / "execution-environment.yml"), "--tag", options.tag]
    run(*build, "--context", str(options.work / "context"), "--container-runtime", "podman", "--verbosity", "1")
    audit(options.tag)


if __name__ == "__main__":
    main()
