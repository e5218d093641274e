# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs a playbook: ansible-playbook in a process of its own, or ansible-runner in a container of an execution environment."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")


class Job:
    """A playbook that runs: what it costs, and its end."""

    def __init__(
        self, command: list[str], work: pathlib.Path, environment: dict[str, str], container: str | None = None
    ):
        self.container = container
        self.cpu_seconds = 0.0
        self.peak_kb = 0
        self.main_kb = 0
        self.started = time.monotonic()
        self.seconds = 0.0
        self._log = work / f"{container or 'job'}.{time.monotonic_ns()}.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=work,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._inside = 0.0
        self._status: int | None = None
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()

    def kill(self) -> None:
        """As the kernel's OOM killer or a controller that dies would: nobody is asked."""
        if self.container:
            subprocess.run(["podman", "kill", self.container], check=True, stdout=subprocess.DEVNULL)
        else:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._watcher.join()

    def wait(self) -> int:
        self._watcher.join()
        assert self._status is not None
        return self._status

    def expect_success(self) -> None:
        if self.wait():
            sys.exit(f"{self.container or 'the playbook'} failed:\n{self.said()[-3000:]}")

    def said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _watch(self) -> None:
        """Memory and, of a container, the CPU that it has used: both from outside, once a second."""
        inner: int | None = None
        while True:
            done, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if done:
                break
            if self.container and not inner:
                inner = _pid_of(self.container)
            top = inner if self.container else self._process.pid
            if top:
                found = [about for about in map(_about, _tree(top)) if about]
                self.peak_kb = max(self.peak_kb, sum(about["pss"] for about in found))
                self.main_kb = max([self.main_kb, *(about["peak"] for about in found)])
                self._inside = max(self._inside, sum(about["cpu"] for about in found))
            time.sleep(1)
        self.seconds = time.monotonic() - self.started
        self.cpu_seconds = usage.ru_utime + usage.ru_stime + (self._inside if self.container else 0)
        self._status = self._process.returncode = os.waitstatus_to_exitcode(status)


def _pid_of(container: str) -> int | None:
    done = subprocess.run(
        ["podman", "inspect", "--format", "{{.State.Pid}}", container],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return int(done.stdout or b"0") or None


def _tree(top: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stream:
                    parent = int(stream.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found, waiting = [], [top]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], ())
    return found


def _about(pid: int) -> dict[str, t.Any] | None:
    """{pss, peak: kB; cpu: seconds, with those of children that have ended}"""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as stream:
            pss = next(int(line.split()[1]) for line in stream if line.startswith("Pss:"))
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as stream:
            peak = next((int(line.split()[1]) for line in stream if line.startswith("VmHWM")), 0)
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            times = stream.read().rpartition(")")[2].split()[11:15]
    except (OSError, StopIteration):
        return None
    return {"pss": pss, "peak": peak, "cpu": sum(map(int, times)) / TICK}


class Playbook:
    """ansible-playbook, here."""

    def __init__(self, work: pathlib.Path, forks: int, mounts: dict[str, str]) -> None:
        self._work, self._forks, self._mounts = work, forks, mounts
        self.python = sys.executable

    def inside(self, path: pathlib.Path) -> str:
        return str(path)

    def start(self, playbook: str, ident: str, place: pathlib.Path, inventory: t.Any, variables: t.Any) -> Job:
        """place: a directory of this job"""
        place.mkdir(parents=True, exist_ok=True)
        for name, data in (("inventory", inventory), ("variables", variables)):
            (place / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")
        command = ["ansible-playbook", f"kernelops.memfrag.{playbook}", "-i", str(place / "inventory.json")]
        command += ["-f", str(self._forks), "-e", f"@{place / 'variables.json'}"]
        paths = [os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""), *self._mounts.values()]
        return Job(command, place, {"ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(filter(None, paths))})


class Runner:
    """ansible-runner with podman: a container of an execution environment for each job, as AWX and automation controller run them."""

    def __init__(self, image: str, work: pathlib.Path, forks: int, mounts: dict[str, str]) -> None:
        self._image, self._work, self._forks, self._mounts = image, work, forks, mounts
        self.python = "/usr/bin/python3"
        os.environ.setdefault("CONTAINERS_CONF", str(ROOT / "molecule" / "shared" / "containers.conf"))

    def inside(self, path: pathlib.Path) -> str:
        """Everything below ``work`` is mounted at the same place."""
        return str(path)

    def start(self, playbook: str, ident: str, place: pathlib.Path, inventory: t.Any, variables: t.Any) -> Job:
        for folder in ("inventory", "env", "project"):
            (place / folder).mkdir(parents=True, exist_ok=True)
        (place / "inventory" / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
        (place / "env" / "extravars").write_text(json.dumps(variables), encoding="utf-8")
        paths = ["/usr/share/ansible/collections", *self._mounts.values()]
        (place / "env" / "envvars").write_text(
            json.dumps({"ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(paths)}), encoding="utf-8"
        )
        # A project's own playbook, as a job template has one.
        (place / "project" / f"{playbook}.yml").write_text(
            f"---\n- name: From the collection\n  ansible.builtin.import_playbook: kernelops.memfrag.{playbook}\n",
            encoding="utf-8",
        )
        command = [
            "ansible-runner",
            "run",
            str(place),
            "-p",
            f"{playbook}.yml",
            "-i",
            ident,
            "--forks",
            str(self._forks),
        ]
        command += ["--process-isolation", "--process-isolation-executable", "podman", "--container-image", self._image]
        command += ["--container-volume-mount", f"{self._work}:{self._work}", "--container-option=--network=none"]
        # What is mounted is root's, as podman is; a user's podman makes the user root in there.
        command += ["--container-option=--user=root"]
        return Job(command, place, {}, f"ansible_runner_{ident}")
