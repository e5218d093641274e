# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audits a small fleet over real ssh: three hosts in network namespaces with an sshd each, and an address where nobody answers.

Needs root, ip (iproute2) and sshd (openssh-server); ansible-playbook on PATH, and the collection in ANSIBLE_COLLECTIONS_PATH.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

HOSTS = 3
NETWORK = "10.213.78"
BRIDGE = "memfragbr0"
NAMESPACE = "memfrag{}"
# The network's own end is .254; nobody has this one.
NOBODY = f"{NETWORK}.99"


def run(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check, stdout=subprocess.DEVNULL, stderr=None if check else subprocess.DEVNULL)


def remove_network() -> None:
    for number in range(1, HOSTS + 1):
        run("ip", "link", "del", f"memfragv{number}", check=False)
        run("ip", "netns", "del", NAMESPACE.format(number), check=False)
    run("ip", "link", "del", BRIDGE, check=False)


@contextlib.contextmanager
def fleet(work: pathlib.Path) -> Iterator[pathlib.Path]:
    """-> the inventory of a running fleet"""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(work / "id"))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(work / "hostkey"))
    shutil.copy(work / "id.pub", work / "authorized_keys")
    os.makedirs("/run/sshd", exist_ok=True)
    remove_network()
    servers = []
    try:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{NETWORK}.254/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        lines = []
        for number in range(1, HOSTS + 1):
            namespace, address = NAMESPACE.format(number), f"{NETWORK}.{number}"
            run("ip", "netns", "add", namespace)
            run("ip", "link", "add", f"memfragv{number}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
            run("ip", "link", "set", f"memfragv{number}", "master", BRIDGE, "up")
            run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            run("ip", "-n", namespace, "link", "set", "eth0", "up")
            options = {
                "ListenAddress": address,
                "AuthorizedKeysFile": str(work / "authorized_keys"),
                "StrictModes": "no",
                "PidFile": "none",
                "UsePAM": "no",
                "PasswordAuthentication": "no",
                "PermitRootLogin": "prohibit-password",
                "Subsystem": "sftp internal-sftp",
            }
            command = [
                "ip",
                "netns",
                "exec",
                namespace,
                shutil.which("sshd") or "/usr/sbin/sshd",
                "-D",
                "-e",
                "-f",
                "/dev/null",
            ]
            command += ["-h", str(work / "hostkey")]
            command += [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
            with open(work / f"{namespace}.log", "wb") as log:
                servers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
            lines.append(f"host{number} ansible_host={address}\n")
        for number in range(1, HOSTS + 1):
            wait_for(f"{NETWORK}.{number}")
        arguments = "-F /dev/null -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o ConnectTimeout=3"
        lines += [
            f"nobody ansible_host={NOBODY}\n",
            "[all:vars]\n",
            "ansible_user=root\n",
            "ansible_python_interpreter=/usr/bin/python3\n",
        ]
        lines += [f"ansible_ssh_private_key_file={work / 'id'}\n", f"ansible_ssh_common_args='{arguments}'\n"]
        (work / "inventory.ini").write_text("".join(lines), encoding="utf-8")
        yield work / "inventory.ini"
    finally:
        for server in servers:
            server.terminate()
            server.wait()
        remove_network()


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((address, 22), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def audit(
    inventory: pathlib.Path, work: pathlib.Path, run_id: str, *arguments: str
) -> tuple[int, dict[str, object], str]:
    """-> (exit status, report.json, what was printed)"""
    command = [
        "ansible-playbook",
        "kernelops.memfrag.audit",
        "-i",
        str(inventory),
        "-e",
        f"memfrag_run_id={run_id}",
        *arguments,
    ]
    done = subprocess.run(
        command,
        check=False,
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    report = work / "memfrag-audit" / run_id / "report.json"
    if not report.exists():
        sys.exit(f"no report was written:\n{done.stdout}")
    return done.returncode, json.loads(report.read_text(encoding="utf-8")), done.stdout


def expect(what: str, seen: object, wanted: object) -> None:
    if seen != wanted:
        sys.exit(f"{what}: {seen!r}, not {wanted!r}")
    print(f"{what}: {seen!r}")


def main() -> None:
    missing = [
        tool
        for tool in ("ip", "sshd", "ssh", "ansible-playbook")
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin")
    ]
    if os.geteuid() or missing:
        sys.exit(f"needs root{''.join(', ' + tool for tool in missing)}")
    with tempfile.TemporaryDirectory(prefix="memfrag-fleet-") as name:
        work = pathlib.Path(name)
        with fleet(work) as inventory:
            status, report, output = audit(inventory, work, "all")
            hosts = {host["host"]: host for host in report["hosts"]}  # type: ignore[attr-defined,index]
            expect("hosts in the report", sorted(hosts), ["host1", "host2", "host3", "nobody"])
            expect(
                "audited",
                sorted(name for name, host in hosts.items() if host["status"] == "audited"),
                ["host1", "host2", "host3"],
            )
            expect("unreachable", [name for name, host in hosts.items() if host["status"] == "unreachable"], ["nobody"])
            expect("reason", NOBODY in str(hosts["nobody"]["error"]), True)
            expect(
                "kernels",
                {host["measured"]["kernel"]["release"] for name, host in hosts.items() if name != "nobody"},
                {os.uname().release},
            )
            expect("exit status", status, 0)
            expect(
                "exit status with memfrag_fail_on",
                audit(inventory, work, "strict", "-e", '{"memfrag_fail_on": ["unreachable"]}')[0] != 0,
                True,
            )
            status, report, output = audit(inventory, work, "limited", "-l", "host2")
            expect("hosts with --limit host2", [host["host"] for host in report["hosts"]], ["host2"])  # type: ignore[attr-defined]
            print(output[output.index("TASK [Make the report]") :] if "TASK [Make the report]" in output else output)
    print("fleet: 1 passed, 0 failed")


if __name__ == "__main__":
    main()
