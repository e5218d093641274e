# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a real node_exporter exports of a capture, which it takes for its /proc."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
import typing as t
import urllib.request

INSTANCE = 'instance="node17:9100",job="node"'
# What the rules read.
COLLECTORS = ("--collector.buddyinfo", "--collector.zoneinfo", "--collector.meminfo")
_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(root: str, *arguments: str) -> t.Iterator[str]:
    """Gives the address of a node_exporter with the tree ``root`` as its node."""
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            "prometheus-node-exporter",
            f"--web.listen-address={address}",
            f"--path.procfs={os.path.join(root, 'proc')}",
            "--collector.disable-defaults",
            *arguments,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield address
    finally:
        process.kill()
        process.wait()


def scrape(address: str, patience: float = 20.0) -> str:
    end = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def series_of(root: str) -> dict[str, float]:
    """{series in PromQL's form, with INSTANCE's labels: value} of what the rules read."""
    with running(root, *COLLECTORS) as address:
        return samples(scrape(address), root)


def samples(text: str, root: str) -> dict[str, float]:
    """The same of what an exporter with COLLECTORS has said of the tree ``root``."""
    found = {}
    for line in text.splitlines():
        if not line.startswith(("node_buddyinfo", "node_zoneinfo", "node_memory_MemTotal")):
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, line
        labels = ",".join(filter(None, (INSTANCE, match["labels"])))
        found[f"{match['name']}{{{labels}}}"] = float(match["value"])
    with open(os.path.join(root, "proc", "version"), encoding="utf-8") as stream:
        release = stream.read().split()[2]
    # This one the exporter asks the running kernel for.
    found[f'node_uname_info{{{INSTANCE},release="{release}"}}'] = 1.0
    return found
