# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a week of a busy container host's log: noise, kernel reports of tests/fixtures/logs, and failed pods.

usage: generate_logs.py syslog BYTES >messages         as rsyslog writes it
       generate_logs.py journal BYTES | systemd-journal-remote -o DIRECTORY/x.journal -

The same every time. 300 page allocation failures, 100 OOM kills and 1,200 failed pods per gigabyte.
"""

from __future__ import annotations

import pathlib
import random
import re
import sys
import time
from collections.abc import Iterator

PEERS = pathlib.Path(__file__).parents[2] / "fixtures" / "logs" / "peers"
START = 1795046400  # 2026-11-19T00:00:00Z
DAYS = 7
HOST = "node-1"
RANDOM = random.Random(20261121)


def _hex(digits: int) -> str:
    return f"{RANDOM.getrandbits(4 * digits):0{digits}x}"


PODS = [(f"web-{number}-{_hex(5)}", f"{_hex(8)}-baf1-11ea-88c6-{_hex(12)}") for number in range(300)]
KLOG = "%s%s.%06d   12227 %s] %s"


def _kubelet(level: str, place: str, text: str, moment: float) -> tuple[str, str]:
    pod, uid = RANDOM.choice(PODS)
    stamp = time.strftime("%m%d %H:%M:%S", time.gmtime(moment))
    return "kubelet", KLOG % (level, stamp, RANDOM.randrange(10**6), place, text.format(pod=pod, uid=uid, id=_hex(64)))


NOISE = [
    (
        25,
        "I",
        "reconciler.go:207",
        'operationExecutor.VerifyControllerAttachedVolume started for volume "default-token" (UniqueName: '
        '"kubernetes.io/secret/{uid}-default-token") pod "{pod}" (UID: "{uid}")',
    ),
    (
        25,
        "I",
        "operation_generator.go:571",
        'MountVolume.SetUp succeeded for volume "default-token" (UniqueName: "kubernetes.io/secret/{uid}-default-token") pod "{pod}" (UID: "{uid}")',
    ),
    (
        15,
        "W",
        "kubelet_pods.go:832",
        'Unable to retrieve pull secret shop/harbor for shop/{pod} due to secret "harbor" not found.  The image pull may not succeed.',
    ),
    (
        10,
        "I",
        "kuberuntime_manager.go:415",
        'No ready sandbox for pod "{pod}_shop({uid})" can be found. Need to start a new one',
    ),
    (
        10,
        "I",
        "kubelet.go:1953",
        'SyncLoop (PLEG): "{pod}_shop({uid})", event: &pleg.PodLifecycleEvent{{ID:"{uid}", Type:"ContainerDied", Data:"{id}"}}',
    ),
    (8, "I", "setters.go:74", "Using node IP: 10.7.0.1"),
]
WEIGHTS = [row[0] for row in NOISE]
OTHERS = [
    ("kernel", "docker0: port 7(veth{id:.7}) entered disabled state"),
    ("kernel", "IPv6: ADDRCONF(NETDEV_UP): veth{id:.7}: link is not ready"),
    ("sshd", "Accepted publickey for ops from 10.7.1.2 port 51234 ssh2: RSA SHA256:{id:.43}"),
    ("systemd", "Started Session 1234 of user root."),
]


def _report(name: str) -> list[str]:
    """The lines of a report without their stamps."""
    return [re.sub(r"^\[\d+\.\d+\] ", "", line) for line in (PEERS / name).read_text().splitlines()]


FAILURES = [_report("frag_paf_order4.dmesg"), _report("atomic_paf_order0.dmesg")]
KILLS = [_report("cgroup_oom.dmesg"), _report("system_oom_order0.dmesg"), _report("frag_oom_order3_free1.5G.dmesg")]


def _failed_pod(moment: float) -> list[tuple[str, str]]:
    pod, uid = RANDOM.choice(PODS)
    stamp = time.strftime("%m%d %H:%M:%S", time.gmtime(moment))
    tail = (
        f'rpc error: code = Unknown desc = failed to start sandbox container for pod "{pod}": Error response from daemon: OCI runtime create '
        "failed: container_linux.go:344: starting container process caused \"process_linux.go:297: getting the final child's pid from pipe "
        'caused \\"EOF\\"": unknown'
    )
    full = f"{pod}_shop({uid})"
    texts = [
        ("remote_runtime.go:96", f"RunPodSandbox from runtime service failed: {tail}"),
        ("kuberuntime_sandbox.go:68", f'CreatePodSandbox for pod "{full}" failed: {tail}'),
        ("kuberuntime_manager.go:662", f'createPodSandbox for pod "{full}" failed: {tail}'),
        (
            "pod_workers.go:190",
            f'Error syncing pod {uid} ("{full}"), skipping: failed to "CreatePodSandbox" for "{full}" with CreatePodSandboxError: "{tail}"',
        ),
    ]
    return [("kubelet", KLOG % ("E", stamp, RANDOM.randrange(10**6), place, text)) for place, text in texts]


def messages(size: int) -> Iterator[tuple[float, str, str]]:
    """-> (time, program, message) until about so many bytes of syslog are full."""
    written, chance = 0, 265 / 1e9  # bytes of a line, on average
    while written < size:
        moment = START + DAYS * 86400 * written / size
        dice = RANDOM.random()
        if dice < 300 * chance:
            lines = [("kernel", text) for text in RANDOM.choice(FAILURES)]
        elif dice < 400 * chance:
            lines = [("kernel", text) for text in RANDOM.choice(KILLS)]
        elif dice < 1600 * chance:
            lines = _failed_pod(moment)
        elif dice < 0.94:
            _weight, level, place, text = RANDOM.choices(NOISE, WEIGHTS)[0]
            lines = [_kubelet(level, place, text, moment)]
        else:
            program, text = RANDOM.choice(OTHERS)
            lines = [(program, text.format(id=_hex(64)))]
        for program, text in lines:
            written += len(text) + 42
            yield moment, program, text


def syslog(size: int) -> Iterator[str]:
    for moment, program, text in messages(size):
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(moment))
        tag = f"kernel: [{moment - START + 1000:12.6f}]" if program == "kernel" else f"{program}[12227]:"
        yield f"{stamp} {HOST} {tag} {text}\n"


def journal(size: int) -> Iterator[str]:
    boot = "a" * 32
    for number, (moment, program, text) in enumerate(messages(size), 1):
        realtime, monotonic = int(moment * 1e6) + number, int((moment - START) * 1e6) + number
        entry = [
            f"__CURSOR=s={'b' * 32};i={number:x};b={boot};m={monotonic:x};t={realtime:x};x={number:x}",
            f"__REALTIME_TIMESTAMP={realtime}",
            f"__MONOTONIC_TIMESTAMP={monotonic}",
            f"_BOOT_ID={boot}",
            f"_MACHINE_ID={'c' * 32}",
            f"_HOSTNAME={HOST}",
            f"SYSLOG_IDENTIFIER={program}",
            f"_TRANSPORT={'kernel' if program == 'kernel' else 'stdout'}",
            f"PRIORITY={4 if program == 'kernel' else 6}",
        ]
        if program != "kernel":
            entry += [f"_SYSTEMD_UNIT={program}.service", "_PID=12227", f"_COMM={program}"]
        yield "\n".join([*entry, f"MESSAGE={text}"]) + "\n\n"


def main() -> None:
    form, size = sys.argv[1], int(float(sys.argv[2]))
    sys.stdout.writelines({"syslog": syslog, "journal": journal}[form](size))


if __name__ == "__main__":
    main()
