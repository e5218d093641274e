# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dashboards are what Grafana's published types want, and each of their queries has an answer in a real Prometheus.

That Prometheus scrapes real node_exporters, which have captures for their node and what the node tool has written of them; one node has no
tool. Its rules are those of the role, evaluated each second, and their alerts do not wait.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

import build_roots
import exporter
import promtool
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _exporter, _metrics
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.run import run
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import complete
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

HERE = pathlib.Path(__file__).resolve().parent
BOARDS = sorted(promtool.FILES.glob("*.json"))
KERNEL = "6.1.0-56-cloud-amd64/"
# The first three have the node tool.
CAPTURES = (
    KERNEL + "fragmented",
    KERNEL + "fragmented-movable",
    KERNEL + "healthy",
    "5.10.0-46-cloud-amd64/numa-fragmented",
)
FAILURE = (
    "%(time)s node17 kernel: [ 4242.000000] runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0\n"
    "%(time)s node17 kernel: [ 4242.000001] CPU: 3 PID: 332 Comm: runc:[1:CHILD] Not tainted 3.10.0-862.el7.x86_64 #1\n"
    "%(time)s node17 kernel: [ 4242.000002] Call Trace:\n"
    "%(time)s node17 kernel: [ 4242.000003]  [<ffffffff8171e5a0>] warn_alloc_failed+0x110/0x180\n"
    "%(time)s node17 kernel: [ 4242.000004] Node 0 Normal free:1048576kB min:11264kB low:14080kB high:16896kB managed:16777216kB\n"
    "%(time)s node17 kernel: [ 4242.000005] Node 0 Normal: 262144*4kB (UEM) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB"
    " 0*2048kB 0*4096kB = 1048576kB\n"
)


# --- Grafana's types ------------------------------------------------------------------------------------------------------


@pytest.fixture(name="compiler", scope="session")
def compiler_fixture(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[dict[str, str]], str]:
    """-> a function that says what TypeScript finds wrong with {name: JSON}"""
    packages = pathlib.Path(os.environ.get("GRAFANA_SCHEMA", "/nowhere"))
    if not (packages / "typescript").is_dir():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no @grafana/schema: run by make monitoring")
    place = tmp_path_factory.mktemp("types")
    (place / "node_modules").symlink_to(packages)
    shutil.copy(HERE / "dashboards.ts", place)

    def compile_(boards: dict[str, str]) -> str:
        names = []
        for name, text in boards.items():
            names.append(f"{name}.ts")
            (place / names[-1]).write_text(
                f"import type {{ Board }} from './dashboards';\nexport const board: Board = {text};\n"
            )
        options = ["--noEmit", "--strict", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022"]
        done = subprocess.run(
            ["node", str(packages / "typescript" / "bin" / "tsc"), *options, *names],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    return compile_


def test_the_dashboards_are_of_grafanas_types(compiler: t.Callable[[dict[str, str]], str]) -> None:
    assert compiler({path.stem: path.read_text(encoding="utf-8") for path in BOARDS}) == ""


def test_what_grafana_does_not_know_is_seen(compiler: t.Callable[[dict[str, str]], str]) -> None:
    text = BOARDS[0].read_text(encoding="utf-8")
    changes = {
        "option": ('"showHeader"', '"showHeaders"'),
        "field": ('"drawStyle": "line"', '"drawStyle": "lines"'),
        "panel": ('"type": "stat"', '"type": "state"'),
        "board": ('"graphTooltip": 1', '"graphTooltip": 7'),
        "query": ('"instant": true', '"instant": "yes"'),
    }
    assert all(old in text for old, _new in changes.values())
    said = compiler({name: text.replace(*change) for name, change in changes.items()})
    assert {line.partition(".ts")[0] for line in said.splitlines() if ": error TS" in line} == set(changes)


# --- a real Prometheus ----------------------------------------------------------------------------------------------------


class Prometheus(t.NamedTuple):
    address: str

    def get(self, path: str, **query: t.Any) -> t.Any:
        """-> the answer of its API, also where it says what is wrong"""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def ask(self, expression: str) -> list[t.Any]:
        found: list[t.Any] = self.get("query", query=expression)["data"]["result"]
        return found

    def has(self, expression: str, patience: float = 60.0) -> None:
        """Waits until there is an answer."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if self.ask(expression):
                    return
            time.sleep(0.3)
        pytest.fail(f"Prometheus has no answer to {expression}")


class OneNode:
    """A capture as a node that can be written to, with a log and what its tool writes."""

    def __init__(self, capture: str, place: pathlib.Path) -> None:
        self.root = build_roots.build(capture, str(place))
        self.node = WritableNode(self.root)
        for name, text in (
            ("run/keep", ""),
            ("prom/keep", ""),
            ("var/log/messages", "a line\n"),
            # The captures lack them; a tab apart, as the kernel prints them.
            ("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t39\t1\n"),
            ("sys/fs/cgroup/memory/kubepods/keep", ""),
            # As of a kernel that is this one's: else nothing would be compacted there.
            ("proc/sys/kernel/random/boot_id", Node("/").read_text("/proc/sys/kernel/random/boot_id")),
            ("sys/devices/system/node/node0/compact", ""),
        ):
            build_roots.write(self.root, name, text)
        # The collector wants all three.
        memory = pathlib.Path(self.root, "proc/pressure/memory").read_text(encoding="utf-8")
        for name in ("cpu", "io"):
            build_roots.write(self.root, f"proc/pressure/{name}", memory)
        self.target = complete({})

    def compact(self) -> None:
        """The job; what it is held off by is an outcome as well."""
        run(self.node, self.target)

    def fail(self) -> None:
        stamp = time.strftime("%b %d %H:%M:%S", time.localtime())
        with open(os.path.join(self.root, "var/log/messages"), "a", encoding="utf-8") as stream:
            stream.write(FAILURE % {"time": stamp})
        # A report that may still go on is left for the next look.
        os.utime(stream.name, (time.time() - 120,) * 2)

    def write_metrics(self) -> None:
        assert _metrics.update(self.node, {"target": self.target, "textfile": None, "assessment": {}}, "/prom")

    @property
    def exporter(self) -> t.ContextManager[str]:
        names = ("buddyinfo", "zoneinfo", "meminfo", "vmstat", "pressure", "textfile", "uname")
        return exporter.running(
            self.root,
            *(f"--collector.{name}" for name in names),
            f"--collector.vmstat.fields={_exporter.VMSTAT_FIELDS}",
            f"--collector.textfile.directory={self.root}/prom",
        )


def impatient_rules(place: pathlib.Path) -> list[str]:
    """The rules of the role, each second, with alerts that do not wait."""
    names = []
    for path in sorted(promtool.FILES.glob("*.rules.yml")):
        text = path.read_text(encoding="utf-8").replace("interval: 1m\n", "interval: 1s\n")
        (place / path.name).write_text(re.sub(r"^ +for: \w+\n", "", text, flags=re.MULTILINE), encoding="utf-8")
        names.append(str(place / path.name))
    return names


@contextlib.contextmanager
def prometheus_of(place: pathlib.Path, addresses: list[str]) -> t.Iterator[Prometheus]:
    place.mkdir()
    scrape = {"job_name": "node", "static_configs": [{"targets": addresses}]}
    intervals = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    configuration = {"global": intervals, "rule_files": impatient_rules(place), "scrape_configs": [scrape]}
    # JSON is YAML.
    (place / "prometheus.yml").write_text(json.dumps(configuration), encoding="utf-8")
    address = f"127.0.0.1:{exporter.free_port()}"
    command = ["prometheus", f"--config.file={place / 'prometheus.yml'}", f"--storage.tsdb.path={place / 'data'}"]
    with open(place / "log", "wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
        try:
            yield Prometheus(address)
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(name="prometheus", scope="module")
def prometheus_fixture(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Prometheus]:
    place = tmp_path_factory.mktemp("fleet")
    nodes = [OneNode(capture, place / capture.replace("/", "-")) for capture in CAPTURES]
    with contextlib.ExitStack() as stack:
        for node in nodes[:3]:
            node.compact()
            node.write_metrics()
        addresses = [stack.enter_context(node.exporter) for node in nodes]
        prometheus = stack.enter_context(prometheus_of(place / "prometheus", addresses))
        # Only when each of them was seen something happens: of a counter that begins with it, nobody sees an increase.
        prometheus.has(f"count(count by (instance) (memfrag_incidents_total)) == {len(nodes[:3])}")
        nodes[0].fail()
        nodes[0].compact()
        nodes[0].write_metrics()
        prometheus.has('ALERTS{alertname="MemfragIncident",alertstate="firing"}')
        prometheus.has("sum(increase(memfrag_compaction_runs_total[1h])) > 0")
        # rate() wants two of each.
        prometheus.has("rate(node_vmstat_compact_stall[10s])")
        yield prometheus


def pick(prometheus: Prometheus, board: t.Any, instance: str) -> dict[str, str]:
    """What Grafana puts in the place of the variables, all of whose queries have to give something."""
    chosen = {"__rate_interval": "10s"}
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
        assert match, variable["query"]
        answer = prometheus.get(f"label/{match[2]}/values", **{"match[]": filled(match[1], chosen)})
        assert answer["status"] == "success" and answer["data"], (variable["name"], answer)
        chosen[variable["name"]] = variable.get("allValue") or variable.get("current", {}).get("value") or instance
        assert chosen[variable["name"]] in (".+", *answer["data"])
    return chosen


def filled(text: str, chosen: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: chosen.get(match[1], match[0]), text)


def answers(prometheus: Prometheus, board: t.Any, chosen: dict[str, str]) -> dict[str, t.Any]:
    """{panel, number of the query: what Prometheus says}"""
    end = time.time()
    found = {}
    for panel in board["panels"]:
        for number, target in enumerate(panel.get("targets", ())):
            query = filled(target["expr"], chosen)
            assert "$" not in query.replace("$1", ""), query
            kind, when = (
                ("query", {"time": end})
                if target["instant"]
                else ("query_range", {"start": end - 5, "end": end, "step": 1})
            )
            found[f"{panel['title']} ({panel['id']}.{number})"] = prometheus.get(kind, query=query, **when)
    return found


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_query_has_an_answer(path: pathlib.Path, prometheus: Prometheus) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    failing = prometheus.ask('ALERTS{alertname="MemfragIncident",alertstate="firing"}')[0]["metric"]["instance"]
    chosen = pick(prometheus, board, failing)
    found = answers(prometheus, board, chosen)
    assert {name: answer for name, answer in found.items() if answer["status"] != "success"} == {}
    empty = [name for name, answer in found.items() if not answer["data"]["result"]]
    assert empty == []
    marks = prometheus.ask(filled(board["annotations"]["list"][0]["expr"], chosen))
    assert any(mark["metric"]["alertname"] == "MemfragIncident" for mark in marks)
    print(f"{len(found)} queries, {sum(len(answer['data']['result']) for answer in found.values())} series")


def test_a_query_that_fails_or_gives_nothing_is_seen(prometheus: Prometheus) -> None:
    assert prometheus.get("query", query="sum by (")["status"] == "error"
    assert prometheus.ask("memfrag_no_such_thing") == []


def test_the_fleet_shows_nodes_without_the_tool_and_the_worst_first(prometheus: Prometheus) -> None:
    board = json.loads((promtool.FILES / "memfrag-fleet.json").read_text(encoding="utf-8"))
    found = answers(prometheus, board, pick(prometheus, board, ""))
    by_title = {name.rpartition(" (")[0]: answer["data"]["result"] for name, answer in found.items()}
    assert [row["value"][1] for row in by_title["Nodes that tell of themselves"]] == ["3"]
    assert [row["value"][1] for row in by_title["Nodes by a stock exporter"]] == ["1"]
    assert len({row["metric"]["instance"] for row in by_title["Blocks that can be had, nodes and orders"]}) == 4
    assert len({row["metric"]["instance"] for row in by_title["How a block can be had, nodes and orders"]}) == 3
    assert {row["metric"]["size"] for row in by_title["Blocks that can be had, nodes and orders"]} >= set(
        map(str, range(11))
    )
    scores = [float(row["value"][1]) for row in by_title["Worst nodes"]]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]
    assert {row["metric"]["alertname"] for row in by_title["Alerts, by what to do"]} >= {
        "MemfragIncident",
        "MemfragCompactionHelps",
        "MemfragRebootNeeded",
    }
    # Each that fires has words for what to do.
    mapped = json.dumps(board)
    assert all(f"{row['metric']['alertname']}: " in mapped for row in by_title["Alerts, by what to do"])
