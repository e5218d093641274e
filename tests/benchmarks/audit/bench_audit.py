# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an audit costs beside a ping: ratios of one run, since absolute times say little on shared machines.

usage: bench_audit.py [--hosts 60] [--controller-hosts 200] [--rounds 3]

- node and controller together: memfrag_audit without journal over local hosts, CPU of the whole process tree, against ping, and the
  same without the kernel's own time for the files whose cost is this machine's: it walks the free lists and the slab caches for them
- controller alone: hosts whose connection answers every command with what a real node answered, CPU and peak memory

ansible-playbook must be on PATH. Targets: PERF of the project asks for at most 1.25 (CPU) and 1.6 (memory).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

# A connection that answers every command with the same text, so that nothing but the controller works.
CANNED = '''
DOCUMENTATION = """
name: canned
short_description: answers every command with one text
description: For benchmarks.
author: KernelOps engineers (@kernelops)
"""
import os
from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    transport = "bench.canned.canned"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        with open(os.environ["CANNED_ANSWER"], "rb") as stream:
            return 0, stream.read(), b""

    def put_file(self, in_path, out_path):
        pass

    def fetch_file(self, in_path, out_path):
        pass

    def close(self):
        self._connected = False
'''

PLAYS = {
    "ping": [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.ping": None}]}],
    "audit": [
        {
            "hosts": "all",
            "gather_facts": False,
            "tasks": [
                {"kernelops.memfrag.memfrag_audit": {"journal": False, "run_id": "bench", "records_dir": "records"}}
            ],
        }
    ],
}


def measure(play: str, inventory: str, work: str, **environment: str) -> tuple[float, float]:
    """-> (CPU seconds of the process tree, peak memory of the main process in MB)"""
    command = ["ansible-playbook", "-i", inventory, "-f", "20", os.path.join(work, play + ".json")]
    process = subprocess.Popen(
        command,
        cwd=work,
        env=dict(os.environ, **environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    peak = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            try:
                with open(f"/proc/{process.pid}/status", encoding="ascii") as stream:
                    peak[0] = next((int(line.split()[1]) for line in stream if line.startswith("VmHWM")), peak[0])
            except OSError:
                pass

    thread = threading.Thread(target=watch)
    thread.start()
    assert process.stdout
    output = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    done.set()
    thread.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output.decode(errors='replace')[-3000:]}")
    return usage.ru_utime + usage.ru_stime, peak[0] / 1024


def compare(label: str, rounds: int, inventory: str, work: str, answers: dict[str, str], nodes: int = 0) -> None:
    """nodes: how many hosts are this machine, and have its kernel count."""
    results: dict[str, list[tuple[float, float]]] = {"ping": [], "audit": []}
    counting: dict[str, list[float]] = {path: [] for path in COUNTED}
    for _round in range(rounds):
        for path, seconds in counting.items():
            seconds.append(kernel_time(path))
        for play, rows in results.items():
            rows.append(measure(play, inventory, work, **({"CANNED_ANSWER": answers[play]} if answers else {})))
    cpu = {play: statistics.median(row[0] for row in rows) for play, rows in results.items()}
    memory = {play: statistics.median(row[1] for row in rows) for play, rows in results.items()}
    print(
        f"{label}: CPU {cpu['audit'] / cpu['ping']:.2f} x ping ({cpu['audit']:.1f} s / {cpu['ping']:.1f} s),"
        f" peak memory of the controller {memory['audit'] / memory['ping']:.2f} x ping ({memory['audit']:.0f} MB / {memory['ping']:.0f} MB)",
        flush=True,
    )
    if nodes:
        costs = {path: statistics.median(seconds) for path, seconds in counting.items()}
        rest = cpu["audit"] - nodes * sum(costs.values())
        print(
            f"  of it this machine's kernel, per host: {', '.join(f'{cost * 1000:.0f} ms for {path}' for path, cost in costs.items())};"
            f" without that: CPU {rest / cpu['ping']:.2f} x ping",
            flush=True,
        )


# What the kernel counts one by one while it is read: blocks of each free list (mm/vmstat.c, pagetypeinfo_showfree_print()), caches
# (mm/slab_common.c, slab_show()). A fragmented machine of many gigabytes takes fifty times as long for it as a small one.
COUNTED = ("/proc/pagetypeinfo", "/proc/slabinfo")


def kernel_time(path: str, times: int = 5) -> float:
    """Seconds of CPU that the file costs who reads it, nearly all of them in the kernel; 0 where it cannot be read."""
    before = time.process_time()
    try:
        for _time in range(times):
            with open(path, "rb") as stream:
                stream.read()
    except OSError:
        return 0.0
    return (time.process_time() - before) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=60)
    parser.add_argument("--controller-hosts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        collections = os.path.join(work, "collections", "ansible_collections")
        os.makedirs(os.path.join(collections, "kernelops"))
        os.symlink(ROOT, os.path.join(collections, "kernelops", "memfrag"))
        os.makedirs(os.path.join(collections, "bench", "canned", "plugins", "connection"))
        with open(
            os.path.join(collections, "bench", "canned", "plugins", "connection", "canned.py"), "w", encoding="utf-8"
        ) as stream:
            stream.write(CANNED)
        for name, play in PLAYS.items():
            with open(os.path.join(work, name + ".json"), "w", encoding="utf-8") as stream:
                json.dump(play, stream)
        os.environ["ANSIBLE_COLLECTIONS_PATH"] = os.path.join(work, "collections")
        os.environ["ANSIBLE_PIPELINING"] = "true"

        local = os.path.join(work, "local.ini")
        with open(local, "w", encoding="utf-8") as stream:
            stream.writelines(f"node{number}\n" for number in range(options.hosts))
            stream.write("[all:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n")
        compare(f"controller and {options.hosts} local nodes", options.rounds, local, work, {}, nodes=options.hosts)

        # What one real node answers without a journal, for the hosts that only pretend.
        asked = {"root": "/"}
        module = os.path.join(ROOT, "plugins", "modules", "memfrag_audit_facts.py")
        code = (
            "import json, runpy, sys; from ansible.module_utils import basic;"
            f"basic._ANSIBLE_ARGS = {json.dumps(json.dumps({'ANSIBLE_MODULE_ARGS': asked}))}.encode(); basic._ANSIBLE_PROFILE = 'legacy';"
            f"runpy.run_path({module!r}, run_name='__main__')"
        )
        interpreter = open_shebang("ansible-playbook")
        environment = dict(os.environ, PYTHONPATH=os.path.join(work, "collections"))
        answer = subprocess.run([interpreter, "-c", code], env=environment, stdout=subprocess.PIPE, check=True).stdout
        answers = {"ping": b'{"changed": false, "ping": "pong"}', "audit": answer}
        for name, text in answers.items():
            with open(os.path.join(work, name + ".answer"), "wb") as answered:
                answered.write(text)
        canned = os.path.join(work, "canned.ini")
        with open(canned, "w", encoding="utf-8") as stream:
            stream.writelines(f"node{number}\n" for number in range(options.controller_hosts))
            stream.write(
                "[all:vars]\nansible_connection=bench.canned.canned\nansible_python_interpreter=/usr/bin/python3\n"
            )
        paths = {name: os.path.join(work, name + ".answer") for name in answers}
        compare(
            f"controller alone, {options.controller_hosts} hosts, {len(answer) >> 10} kB each",
            options.rounds,
            canned,
            work,
            paths,
        )


def open_shebang(command: str) -> str:
    """The Python that runs ``command``."""
    for directory in os.environ["PATH"].split(os.pathsep):
        path = os.path.join(directory, command)
        if os.access(path, os.X_OK):
            with open(path, encoding="utf-8") as stream:
                return stream.readline().removeprefix("#!").split()[0]
    sys.exit(f"{command} is not on PATH")


if __name__ == "__main__":
    main()
