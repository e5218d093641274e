# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rules cost a real Prometheus: seconds that each group takes to evaluate for so many simulated nodes, and the series it records.

usage: bench_rules.py [--nodes 1000] [--interval 60] [--evaluations 4] [--numa 1] [--rules 10]

Each simulated node has the series of a stock node_exporter that the rules read, three zones of 11 orders and more with --numa. They
are served as targets of 500 nodes each. The share is that of the interval, and is to be below a tenth for 1,000 nodes.
"""

from __future__ import annotations

import argparse
import http.server
import json
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
import urllib.parse
import urllib.request

FILES = pathlib.Path(__file__).resolve().parents[3] / "roles" / "memfrag_monitoring" / "files"
BATCH = 500
# Of which the share is said.
CORES = 2
ZONES = (
    ("DMA", 3840, (0, 3019, 16000, 16000, 16000)),
    ("DMA32", 770000, (0, 0, 13000, 13000, 13000)),
    ("Normal", 15000000, (0,) * 5),
)


def node(number: int, numa: int, chance: random.Random) -> t.Iterator[str]:
    instance = f'instance="node{number}:9100",job="node"'
    pages = 0
    for nid in range(numa):
        for zone, managed, protection in ZONES if nid == 0 else ZONES[2:]:
            where = f'{{{instance},node="{nid}",zone="{zone}"'
            pages += managed
            for order in range(11):
                count = chance.randrange(managed >> (order + 8)) if managed >> (order + 8) else chance.randrange(3)
                yield f'node_buddyinfo_blocks{where},size="{order}"}} {count}'
            yield f"node_zoneinfo_min_pages{where}}} {managed // 500}"
            yield f"node_zoneinfo_managed_pages{where}}} {managed}"
            for index, value in enumerate(protection):
                yield f"node_zoneinfo_protection_{index}{where}}} {value}"
        for name in ("nr_active_file", "nr_inactive_file", "nr_slab_reclaimable"):
            yield f'node_zoneinfo_{name}_pages{{{instance},node="{nid}",zone="DMA"}} {chance.randrange(1000000)}'
    yield f"node_memory_MemTotal_bytes{{{instance}}} {pages * 4096}"
    yield f'node_uname_info{{{instance},release="6.12.0"}} 1'


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    batches: t.ClassVar[list[bytes]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        text = Server.batches[int(self.path.rsplit("/", 1)[1])]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


def configuration(port: int, interval: int, batches: int, rules: list[str]) -> dict[str, t.Any]:
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"__metrics_path__": f"/{number}"}} for number in range(batches)
    ]
    return {
        "global": {
            "scrape_interval": f"{interval}s",
            "scrape_timeout": f"{interval}s",
            "evaluation_interval": f"{interval}s",
        },
        "rule_files": rules,
        "scrape_configs": [{"job_name": "node", "honor_labels": True, "static_configs": targets}],
    }


def query(address: str, expression: str) -> list[dict[str, t.Any]]:
    url = f"http://{address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)["data"]["result"]  # type: ignore[no-any-return]


def own_metrics(address: str, names: tuple[str, ...]) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(names)}


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--interval", type=int, default=60)
    parser.add_argument("--evaluations", type=int, default=4)
    parser.add_argument("--numa", type=int, default=1)
    parser.add_argument("--rules", type=int, default=0, help="print so many of the dearest rules")
    options = parser.parse_args()
    chance = random.Random(1)
    lines = [list(node(number, options.numa, chance)) for number in range(options.nodes)]
    Server.batches = [
        ("\n".join(sum(lines[at : at + BATCH], [])) + "\n").encode() for at in range(0, len(lines), BATCH)
    ]
    print(
        f"{options.nodes} nodes of {len(lines[0])} series that the rules read, an evaluation each {options.interval} s"
    )
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    spent = {}
    for with_rules in (False, True):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        with tempfile.TemporaryDirectory() as place:
            rules = []
            for path in sorted(FILES.glob("*.rules.yml")) if with_rules else ():
                text = path.read_text(encoding="utf-8").replace("interval: 1m\n", f"interval: {options.interval}s\n")
                pathlib.Path(place, path.name).write_text(text, encoding="utf-8")
                rules.append(str(pathlib.Path(place, path.name)))
            settings = pathlib.Path(place, "prometheus.yml")
            settings.write_text(
                json.dumps(configuration(server.server_address[1], options.interval, len(Server.batches), rules))
            )
            process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={settings}",
                    f"--storage.tsdb.path={place}/data",
                    f"--web.listen-address={address}",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                spent[with_rules] = watch(address, process.pid, options)
            finally:
                process.kill()
                process.wait()
    each = (spent[True] - spent[False]) / options.evaluations
    print(
        f"CPU: {spent[False] / options.evaluations:.2f} s to scrape, {each:.2f} s to evaluate: {each / options.interval:.1%} of the"
        f" interval, {each / options.interval / CORES:.1%} of what {CORES} cores can do, {each / options.nodes * 1000:.2f} ms a node"
    )


def watch(address: str, pid: int, options: argparse.Namespace) -> float:
    """-> CPU seconds of so many evaluations"""
    # The first evaluation meets series that are new to it.
    time.sleep(2 * options.interval)
    seen: dict[str, list[float]] = {}
    before = cpu_seconds(pid)
    for _number in range(options.evaluations):
        time.sleep(options.interval)
        for name, value in own_metrics(address, ("prometheus_rule_group_last_duration_seconds",)).items():
            seen.setdefault(name.rpartition(";")[2].rstrip('"}'), []).append(value)
    spent = cpu_seconds(pid) - before
    names = ("prometheus_rule_evaluation_failures_total", "prometheus_rule_group_iterations_missed_total")
    bad = {name: value for name, value in own_metrics(address, names).items() if value}
    if bad:
        sys.exit(f"evaluations failed or were late: {bad}")
    for name, values in sorted(seen.items()):
        print(
            f"{name:24} {sorted(values)[len(values) // 2]:7.3f} s by the clock (of {' '.join(f'{each:.2f}' for each in values)})"
        )
    if seen and options.rules:
        dearest(address, options.rules)
    for row in query(address, 'count({__name__=~".*memfrag.*"})'):
        print(f"{row['value'][1]} series recorded, {float(row['value'][1]) / options.nodes:.0f} a node")
    return spent


def dearest(address: str, count: int) -> None:
    with urllib.request.urlopen(f"http://{address}/api/v1/rules", timeout=60) as answer:
        groups = json.load(answer)["data"]["groups"]
    rules = [
        (rule["evaluationTime"], rule["name"], rule.get("labels", {}).get("size", ""))
        for group in groups
        for rule in group["rules"]
    ]
    for seconds, name, size in sorted(rules, reverse=True)[:count]:
        print(f"  {seconds * 1000:9.1f} ms  {name} {size}")


if __name__ == "__main__":
    main()
