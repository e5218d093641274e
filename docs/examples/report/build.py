# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the sample report beside this file: a fleet out of the captures below tests/fixtures, over four weeks.

All sizes are real, and what a node's log says is of the machine that its memory is of.

usage: python3 docs/examples/report/build.py [DIRECTORY]      needs Python 3.10 and nothing else; the same bytes each time
"""

from __future__ import annotations

import datetime
import os
import sys
import tempfile
import typing as t

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
FIXTURES = os.path.join(ROOT, "tests", "fixtures")

CLOUD61, CLOUD510, CLOUD612, ARM = (
    "6.1.0-56-cloud-amd64",
    "5.10.0-46-cloud-amd64",
    "6.12.107+deb13-cloud-amd64",
    "6.12.107+deb13-arm64-16k",
)

# host: (groups, its state in each of the four weeks, log of the last one, which is that of the same machine as the state).
# "-": not there, "!": no answer, "?": failed.
FLEET = {
    "k8s-node-01": ("k8s", (f"{CLOUD61}/healthy",) * 4, None),
    "k8s-node-02": (
        "k8s",
        (f"{CLOUD61}/healthy", f"{CLOUD61}/fragmented-movable", f"{CLOUD61}/slab-sparse", f"{CLOUD61}/oom-highorder"),
        f"captures/{CLOUD61}-oom-highorder.dmesg",
    ),
    "k8s-node-03": (
        "k8s",
        (f"{CLOUD61}/fragmented", f"{CLOUD61}/fragmented-then-compacted") * 2,
        None,
    ),
    "k8s-node-04": ("k8s", (f"{CLOUD61}/released-3s",) * 4, f"captures/{CLOUD61}-memcg-oom-v2.dmesg"),
    "k8s-node-05": ("k8s", ("-", "-", f"{CLOUD61}/healthy", f"{CLOUD61}/fragmented-pipes"), None),
    "k8s-node-06": (
        "k8s",
        (f"{CLOUD61}/fragmented-pipes",) * 3 + (f"{CLOUD61}/fragmented-pipes-then-compacted",),
        None,
    ),
    "k8s-node-07": ("k8s", (f"{CLOUD61}/healthy",) * 4, None),
    "k8s-node-08": ("k8s", (f"{CLOUD61}/slab-sparse",) * 4, None),
    "k8s-node-09": ("k8s", (f"{CLOUD61}/healthy",) * 3 + ("!",), None),
    "k8s-node-10": ("k8s", ("seeds/002",) * 4, "seeds/002.log"),
    "docker-17": (
        "docker",
        ("seeds/001-healthy", "seeds/001-compacted", "seeds/001-compacted", "seeds/001-failing"),
        "seeds/001.log",
    ),
    "docker-18": ("docker", ("seeds/001-healthy",) * 4, None),
    "docker-19": ("docker", ("seeds/001-compacted",) * 4, None),
    "mysql-01": ("db", (f"{CLOUD510}/numa-healthy",) * 4, None),
    "mysql-02": ("db", (f"{CLOUD510}/numa-healthy",) * 3 + (f"{CLOUD510}/numa-fragmented",), None),
    "mysql-03": ("db", (f"{CLOUD510}/numa-healthy",) * 4, None),
    "batch-01": ("batch", (f"{CLOUD510}/healthy",) * 4, None),
    "batch-02": ("batch", (f"{CLOUD510}/fragmented-movable",) * 4, None),
    "batch-03": ("batch", (f"{CLOUD510}/fragmented",) * 4, None),
    "batch-04": ("batch", (f"{CLOUD612}/healthy",) * 4, None),
    "batch-05": (
        "batch",
        (f"{CLOUD612}/fragmented", f"{CLOUD612}/fragmented-movable") * 2,
        None,
    ),
    "batch-06": ("batch", (f"{CLOUD612}/numa-fragmented",) * 4, None),
    "batch-07": ("batch", (f"{CLOUD612}/fragmented-pipes",) * 4, None),
    "edge-01": ("edge", (f"{ARM}/healthy",) * 4, None),
    "edge-02": ("edge", (f"{ARM}/fragmented-movable",) * 4, None),
    "edge-03": ("edge", (f"{ARM}/fragmented-pipes",) * 4, None),
    "edge-04": ("edge", (f"{ARM}/healthy",) * 3 + ("?",), None),
}

WEEKS = ("2026-10-30", "2026-11-06", "2026-11-13", "2026-11-20")

# What the logs of write-ups say of time and place -> the same in this fleet, so that it is of the last week.
MOVED = {
    "seeds/001.log": (
        ("slave-138", "NODE"),
        ("Nov 12 15:15:41 kernel:", "Nov 17 15:15:41 NODE kernel:"),
        ("Nov 12", "Nov 17"),
        ("2017-11-12", "2026-11-17"),
    ),
    "seeds/002.log": (
        ("dc05", "NODE"),
        ("Jan 23", "Nov 18"),
        ("2019-01-23", "2026-11-18"),
        ("0123 14:15", "1118 14:15"),
    ),
}

FAILURES: dict[str, tuple[str, str]] = {
    "!": ("unreachable", "Failed to connect to the host via ssh: connect to host 10.0.9.9 port 22: No route to host"),
    "?": ("failed", "The module interpreter '/usr/bin/python3' was not found."),
}


def log_of(name: str, host: str) -> str:
    """/var/log/messages of a node; a virtual machine's dmesg was begun that morning."""
    with open(os.path.join(FIXTURES, "logs", name), encoding="utf-8") as source:
        text = source.read()
    if name.startswith("captures/"):
        begun = datetime.datetime(2026, 11, 20, 5, 41)
        lines = []
        for line in text.splitlines():
            time = begun + datetime.timedelta(seconds=int(float(line[1:].split("]")[0])))
            lines.append(f"{time:%Y-%m-%dT%H:%M:%SZ} {host} kernel: {line}\n")
        return "".join(lines)
    for before, after in MOVED[name]:
        text = text.replace(before, after)
    return text.replace("NODE", host)


def record(host: str, group: str, state: str, log: str | None, day: str, second: int, scratch: str) -> dict[str, t.Any]:
    import build_roots

    from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts
    from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
    from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal
    from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

    made: dict[str, t.Any] = {
        "schema_version": 1,
        "host": host,
        "groups": [group],
        "status": "audited",
        "error": None,
        "started_at": f"{day}T06:00:{second:02}Z",
        "duration_seconds": 0.7,
        "facts": None,
        "journal": None,
        "assessment": None,
    }
    if state in FAILURES:
        made["status"], made["error"] = FAILURES[state]
        return made
    root = build_roots.build(state, os.path.join(scratch, "root"))
    messages = os.path.join(root, "var", "log", "messages")
    os.makedirs(os.path.dirname(messages))
    with open(messages, "w", encoding="utf-8") as target:
        target.write(log_of(log, host) if log else "")
    # Lines of syslog have no year: they are of before the file was written.
    written = datetime.datetime.fromisoformat(f"{day}T06:00:00+00:00").timestamp()
    os.utime(messages, (written, written))
    made["facts"] = _facts.collect(Node(root))
    made["facts"]["collected_at"] = made["started_at"]
    made["journal"] = journal.collect(Node(root), {"files": ["/var/log/messages"], "since": "2026-10-01T00:00:00Z"})
    made["assessment"] = assess(made["facts"], made["journal"])
    return made


def main() -> None:
    destination = sys.argv[1] if len(sys.argv) > 1 else HERE
    with tempfile.TemporaryDirectory() as scratch:
        # Python finds a collection by the folders around it, whatever the checkout is called.
        os.makedirs(os.path.join(scratch, "ansible_collections", "kernelops"))
        os.symlink(ROOT, os.path.join(scratch, "ansible_collections", "kernelops", "memfrag"))
        sys.path[:0] = [scratch, FIXTURES]
        from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records, _report

        records = os.path.join(scratch, "memfrag-audit")
        for week, day in enumerate(WEEKS):
            for second, (host, (group, states, log)) in enumerate(FLEET.items()):
                if states[week] != "-":
                    made = record(host, group, states[week], log if week == 3 else None, day, second, scratch)
                    _records.write(records, day, made)
        report = _report.make([records], destination, run_id=WEEKS[-1])
    print("\n".join(report.summary))


if __name__ == "__main__":
    main()
