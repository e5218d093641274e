# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop on loopback: ``stack.py up|healthy|hostile|watch|down``. Everything is below .cache/loop, and listens on free ports of 127.0.0.1.

The machine is one of ../kernels, of its image, but runs beside any that may run there. The node tool runs in it, by ssh; what it has
written is served by a node_exporter here, as if there. Rules and Alertmanager's configuration are those that are shipped and documented, with
a second in place of each minute; the rulebook and its playbooks are as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

SCENARIO = Path(__file__).resolve().parent
ROOT = SCENARIO.parents[1]
CACHE = ROOT / ".cache" / "loop"
sys.path[:0] = [str(SCENARIO.parent / "kernels"), str(ROOT / "tests" / "tools"), str(ROOT / "tests" / "monitoring")]

import environment  # noqa: E402
import guide  # noqa: E402
import lab  # noqa: E402
from exporter import free_port  # noqa: E402

NAME = "linux-6.1"
ALERT = "MemfragCompactionHelps"
STATE = CACHE / "stack.json"
RECORDS = CACHE / "records"
TEXTFILES = CACHE / "textfiles"
INSTANCES = CACHE / "instances.yml"

# Nobody waits for this one.
lab.BOOT_SECONDS = 600
READY_SECONDS = 120
LOOP_SECONDS = 600
COLLECT = "/usr/local/sbin/memfrag metrics --textfile /var/lib/node-textfile && cat /var/lib/node-textfile/memfrag.prom"
COLLECT_EVERY_SECONDS = 10


class StackError(Exception):
    """Something that cannot go on, in words for a person."""


class Machine(lab.Platform):
    """One of ../kernels, with its traces here."""

    @property
    def run(self) -> Path:
        return CACHE / "machine"


def machine() -> Machine:
    return Machine(*lab.platforms()[NAME])


def machine_died() -> str | None:
    return lab.dead(machine()) if INSTANCES.exists() else None


def environ() -> dict[str, str]:
    """For what calls Ansible by its name: that of this environment, with this checkout as the collection."""
    return dict(
        os.environ,
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"]),
        ANSIBLE_COLLECTIONS_PATH=str(environment.collections()),
        ANSIBLE_NOCOLOR="1",
    )


# --- configurations -----------------------------------------------------------------------------------------------


def quicker(duration: str) -> str:
    """A second for each minute: 10m is 10s, 1h is 60s."""
    number, unit = re.fullmatch(r"([0-9]+)([smh])", duration).groups()
    return f"{max(1, int(number) * {'s': 1, 'm': 60, 'h': 3600}[unit] // 60)}s"


def rules() -> dict[str, t.Any]:
    shipped = ROOT / "roles" / "memfrag_monitoring" / "files" / "memfrag-tool-alerts.rules.yml"
    groups = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    for group in groups["groups"]:
        group["interval"] = quicker(group["interval"])
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = quicker(rule["for"])
    return groups


def alertmanager(ports: dict[str, int], token_file: Path) -> dict[str, t.Any]:
    """What the guide shows."""
    shown = guide.alertmanager_configuration()
    for route in shown["route"]["routes"]:
        route.update(
            {key: quicker(route[key]) for key in ("group_wait", "group_interval", "repeat_interval") if key in route}
        )
    (webhook,) = shown["receivers"][1]["webhook_configs"]
    webhook["url"] = webhook["url"].replace(":5055/", f":{ports['eda']}/")
    webhook["http_config"]["authorization"]["credentials_file"] = str(token_file)
    return shown


def prometheus(ports: dict[str, int]) -> dict[str, t.Any]:
    targets = [{"targets": [f"127.0.0.1:{ports['exporter']}"], "labels": {"instance": NAME}}]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(CACHE / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}]},
        "scrape_configs": [{"job_name": "node", "static_configs": targets}],
    }


def inventory(ports: dict[str, int], state: dict[str, t.Any]) -> None:
    ssh = "-F /dev/null -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR"
    node = {
        "ansible_host": state["address"],
        "ansible_port": state["port"],
        "ansible_user": state["user"],
        "ansible_ssh_private_key_file": state["identity_file"],
    }
    # Nobody answers for the other one. It is there to be left alone.
    hosts = {NAME: node, "bystander": {"ansible_host": "127.0.0.1", "ansible_port": 9}}
    save(CACHE / "inventory" / "hosts.yml", {"all": {"hosts": hosts}})
    common = {
        "ansible_ssh_common_args": ssh,
        "ansible_ssh_pipelining": True,
        "ansible_python_interpreter": "/usr/bin/python3",
        "memfrag_records_dir": str(RECORDS),
        "memfrag_loop_alertmanager": f"http://127.0.0.1:{ports['alertmanager']}",
        # What would take all the blocks at once is drained.
        "memfrag_remediate_before": str(SCENARIO.parent / "kernels" / "hooks" / "drain.yml"),
        # An emulated processor is always busy.
        "memfrag_remediate_max_load_per_cpu": 20,
    }
    save(CACHE / "inventory" / "group_vars" / "all.yml", common)


def save(path: Path, what: t.Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(what if isinstance(what, str) else yaml.safe_dump(what, sort_keys=False), encoding="utf-8")
    fresh.replace(path)


# --- processes ----------------------------------------------------------------------------------------------------


def start(name: str, command: list[str]) -> dict[str, t.Any]:
    with open(CACHE / f"{name}.log", "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environ(), cwd=CACHE
        )
    return {"name": name, "pid": process.pid, "start_time": lab._start_time(process.pid)}


def up() -> None:
    down()
    for leftover in ("prometheus", "alertmanager", "machine", "records", "textfiles", "inventory"):
        subprocess.run(["rm", "-rf", str(CACHE / leftover)], check=True)
    for leftover in (*CACHE.glob("timeline.*"), INSTANCES):
        leftover.unlink(missing_ok=True)
    TEXTFILES.mkdir(parents=True)
    ports = {name: free_port() for name in ("exporter", "prometheus", "alertmanager", "eda")}
    token = secrets.token_hex(32)
    token_file = CACHE / "token"
    save(token_file, token)
    token_file.chmod(0o600)
    save(CACHE / "rules.yml", rules())
    save(CACHE / "prometheus.yml", prometheus(ports))
    save(CACHE / "alertmanager.yml", alertmanager(ports, token_file))
    save(CACHE / "eda.yml", {"memfrag_eda_token": token, "memfrag_eda_port": ports["eda"]})
    # ansible-rulebook reads the inventory when it runs a playbook.
    (CACHE / "inventory").mkdir()
    here = "127.0.0.1:{}".format
    commands = {
        "exporter": [
            *("prometheus-node-exporter", f"--web.listen-address={here(ports['exporter'])}"),
            *("--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={TEXTFILES}"),
        ],
        "prometheus": [
            *("prometheus", f"--config.file={CACHE}/prometheus.yml", f"--storage.tsdb.path={CACHE}/prometheus"),
            f"--web.listen-address={here(ports['prometheus'])}",
        ],
        "alertmanager": [
            *(
                "prometheus-alertmanager",
                f"--config.file={CACHE}/alertmanager.yml",
                f"--storage.path={CACHE}/alertmanager",
            ),
            *(f"--web.listen-address={here(ports['alertmanager'])}", "--cluster.listen-address="),
        ],
        "eda": [
            *("ansible-rulebook", "--rulebook", "kernelops.memfrag.memfrag_remediate"),
            *("--inventory", str(CACHE / "inventory"), "--vars", str(CACHE / "eda.yml")),
        ],
    }
    state: dict[str, t.Any] = {"ports": ports, "processes": []}
    for name, command in commands.items():
        state["processes"].append(start(name, command))
        # So that whatever happens next, all of them can be ended.
        save(STATE, json.dumps(state))
    about = lab.up(machine())
    inventory(ports, about)
    save(INSTANCES, [about])
    for name, path in {"exporter": "metrics", "prometheus": "-/ready", "alertmanager": "-/ready", "eda": ""}.items():
        wait_for(name, f"{here(ports[name])}/{path}")
    print(f"Ready: {', '.join(f'{name} on {here(port)}' for name, port in ports.items())}")


def wait_for(name: str, address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            status, _text = ask(f"http://{address}")
            # The webhook wants its token, and says so.
            if status in (200, 401, 405):
                return
        time.sleep(0.2)
    raise StackError(f"{name} is not ready after {READY_SECONDS} s:\n{lab._tail(CACHE / f'{name}.log', 20)}")


def down() -> None:
    """End everything that was begun here, and nothing else: a process is known by its number and the moment it began."""
    with contextlib.suppress(OSError):
        running = json.loads(STATE.read_text(encoding="utf-8"))["processes"]
        for how in (signal.SIGTERM, signal.SIGKILL):
            running = [one for one in running if one["start_time"] and lab._start_time(one["pid"]) == one["start_time"]]
            for one in running:
                os.killpg(one["pid"], how)
            patience = time.monotonic() + 5
            while (
                any(lab._start_time(one["pid"]) == one["start_time"] for one in running) and time.monotonic() < patience
            ):
                time.sleep(0.05)
        STATE.unlink()
    lab.down(machine())


# --- asking -------------------------------------------------------------------------------------------------------


def ask(url: str, body: t.Any = None, **headers: str) -> tuple[int, str]:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def ports() -> dict[str, int]:
    return json.loads(STATE.read_text(encoding="utf-8"))["ports"]


def metric(query: str) -> float | None:
    """Of Prometheus; None without any series."""
    quoted = urllib.parse.urlencode({"query": query})
    answer = json.loads(ask(f"http://127.0.0.1:{ports()['prometheus']}/api/v1/query?{quoted}")[1])
    return max((float(one["value"][1]) for one in answer["data"]["result"]), default=None)


def alerts() -> list[dict[str, t.Any]]:
    """Of Prometheus."""
    answer = json.loads(ask(f"http://127.0.0.1:{ports()['prometheus']}/api/v1/alerts")[1])
    return answer["data"]["alerts"]


def told() -> list[dict[str, t.Any]]:
    """Alerts of Alertmanager."""
    return json.loads(ask(f"http://127.0.0.1:{ports()['alertmanager']}/api/v2/alerts")[1])


def collect() -> None:
    """One run of the node tool's timer, and its file on the way to node_exporter."""
    state = yaml.safe_load(INSTANCES.read_text(encoding="utf-8"))[0]
    text = lab.ssh(state, COLLECT, 60)
    if text:
        save(TEXTFILES / "memfrag.prom", text + "\n")


# --- the stages ---------------------------------------------------------------------------------------------------

HELPS = 'max(memfrag_remediation{action=~"compact|reclaim_then_compact"}) * max(memfrag_remediation_will_help)'


def healthy() -> None:
    collect()
    deadline = time.monotonic() + 30
    while metric("memfrag_risk_score") is None and time.monotonic() < deadline:
        time.sleep(0.5)
    score, helps = metric("memfrag_risk_score"), metric(HELPS)
    if score is None or helps == 1 or any(one["labels"]["alertname"] == ALERT for one in alerts()):
        raise StackError(f"The healthy machine is not: score {score}, remediation {helps}, alerts {alerts()}")
    print(f"Risk score {score:.0f}, and {len(alerts())} alerts")


def notification(*labels: dict[str, t.Any], status: str = "firing") -> dict[str, t.Any]:
    common = {"alertname": ALERT, "remedy": "compact"}
    return {"version": "4", "alerts": [{"status": status, "labels": {**common, **one}} for one in labels]}


def hostile() -> None:
    """What must lead to nothing, and at the end what leads to a playbook that finds no such host. Then there must be no trace of a remediation."""
    url = f"http://127.0.0.1:{ports()['eda']}/alerts"
    token = f"Bearer {(CACHE / 'token').read_text(encoding='utf-8')}"
    node = {"instance": NAME}
    # In less than the megabyte that the webhook takes.
    few_words = [
        {"status": "firing", "labels": {"remedy": "compact", "instance": f"n{number}"}} for number in range(10_000)
    ]
    many = json.dumps({"alerts": few_words}, separators=(",", ":")).encode()
    odd = [
        "",
        "all",
        "*",
        "linux*",
        "!bystander",
        "~.*",
        "@/etc/hosts",
        f"{NAME},bystander",
        f"{NAME}:bystander",
        f"{NAME}\n",
        "\x1b[2J",
    ]
    odd += ["{{ lookup('pipe', 'touch " + str(CACHE / "pwned") + "') }}", "-e", [NAME], {"a": NAME}, None]
    requests: list[tuple[str, t.Any, dict[str, str], int]] = [
        ("no token", notification(node), {}, 401),
        ("wrong token", notification(node), {"Authorization": token[:-1]}, 401),
        ("another scheme", notification(node), {"Authorization": token.replace("Bearer", "Basic")}, 401),
        ("no JSON", b"alerts", {"Authorization": token}, 400),
        ("no notification", [1, {"alerts": "all"}], {"Authorization": token}, 200),
        ("no instance", notification({}), {"Authorization": token}, 200),
        ("hosts of its own", {**notification({}), "meta": {"hosts": "all"}}, {"Authorization": token}, 200),
        *((f"instance {ascii(one)}", notification({"instance": one}), {"Authorization": token}, 200) for one in odd),
        ("resolved", notification(node, status="resolved"), {"Authorization": token}, 200),
        ("another remedy", notification({**node, "remedy": "drain_and_reboot"}), {"Authorization": token}, 200),
        ("will not help", notification({**node, "will_help": "false"}), {"Authorization": token}, 200),
        ("10,000 nodes", many, {"Authorization": token}, 200),
        ("more than a megabyte", notification(*([{**node, "x": "y" * 1000}] * 2000)), {"Authorization": token}, 413),
        ("not in the inventory", notification({"instance": "nowhere"}), {"Authorization": token}, 200),
    ]
    for what, body, headers, expected in requests:
        status, text = ask(url, body, **headers)
        if status != expected:
            raise StackError(f"{what}: status {status} instead of {expected}: {text}")
    log = CACHE / "eda.log"
    deadline = time.monotonic() + READY_SECONDS
    # The last one came after all the others; its two playbooks have found nobody.
    while (
        log.read_text(errors="replace").count(
            "ERROR]: Specified inventory, host pattern and/or --limit leaves us with no hosts"
        )
        < 2
    ):
        if time.monotonic() > deadline:
            raise StackError(f"The host that is not in the inventory was not looked for:\n{lab._tail(log, 30)}")
        time.sleep(0.5)
    if RECORDS.exists() or (CACHE / "pwned").exists() or "PLAY [" in log.read_text(errors="replace"):
        raise StackError(f"Something was done:\n{lab._tail(log, 60)}")
    print(f"{len(requests)} requests, and nothing was done")


def ledger() -> list[dict[str, t.Any]]:
    with contextlib.suppress(OSError):
        return [json.loads(line) for line in (RECORDS / "loop.jsonl").read_text(encoding="utf-8").splitlines()]
    return []


def books() -> list[dict[str, t.Any]]:
    with contextlib.suppress(OSError, IndexError):
        path = RECORDS / ledger()[0]["run_id"] / "remediation.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return []


def firing(name: str, **labels: str) -> bool:
    wanted = {"alertname": name, "instance": NAME, **labels}.items()
    return any(wanted <= one["labels"].items() for one in told())


def in_prometheus(*states: str) -> bool:
    return any(one["labels"]["alertname"] == ALERT and one["state"] in states for one in alerts())


# Those up to the compaction come in this order: each is looked for when the one before it has been seen. What follows it comes as it comes.
IN_ORDER = 6
MILESTONES: list[tuple[str, t.Callable[[], bool]]] = [
    ("the node's metrics say that compaction would help", lambda: metric(HELPS) == 1),
    (f"Prometheus: {ALERT} is pending", lambda: in_prometheus("pending", "firing")),
    (f"Prometheus: {ALERT} is firing", lambda: in_prometheus("firing")),
    (f"Alertmanager has {ALERT}", lambda: firing(ALERT)),
    ("ansible-rulebook has run the playbook, the node is let in", lambda: bool(ledger())),
    ("the first audit agrees, the remediation has the node in its hands", lambda: any(one["taken"] for one in books())),
    ("compacted, audited again: mended", lambda: any(one["outcome"] == "mended" for one in books())),
    (
        "Alertmanager was told: MemfragRemediation, outcome mended",
        lambda: firing("MemfragRemediation", outcome="mended"),
    ),
    ("the node's metrics say that nothing is missing", lambda: metric(HELPS) != 1),
    (f"Prometheus: {ALERT} is resolved", lambda: not in_prometheus("pending", "firing")),
    (f"Alertmanager: {ALERT} is resolved", lambda: not firing(ALERT)),
]


def watch() -> None:
    """Collects metrics as the node's timer would, and writes down when each of MILESTONES was first seen."""
    over = threading.Event()

    def timer() -> None:
        while not over.is_set():
            collect()
            over.wait(COLLECT_EVERY_SECONDS)

    began = time.time()
    seen: list[tuple[float, str]] = []
    collector = threading.Thread(target=timer, daemon=True)
    collector.start()
    try:
        for missing in [*([one] for one in MILESTONES[:IN_ORDER]), MILESTONES[IN_ORDER:]]:
            while missing := _look(missing, seen):
                bad = [
                    one
                    for one in books()
                    if one["outcome"] in ("no_better", "worse", "held_off", "left_alone", "unknown")
                ]
                if bad or time.time() - began > LOOP_SECONDS or machine_died():
                    said = f"After {time.time() - began:.0f} s not yet: {missing[0][0]}. {machine_died() or ''} {bad or books() or ledger()}"
                    raise StackError(f"{said}\n{lab._tail(CACHE / 'eda.log', 60)}")
                time.sleep(0.2)
    finally:
        over.set()
        collector.join(timeout=70)
        save(CACHE / "timeline.txt", "".join(_line(began, moment, words) for moment, words in seen))
    print((CACHE / "timeline.txt").read_text(encoding="utf-8"), end="")


def _look(
    milestones: list[tuple[str, t.Callable[[], bool]]], seen: list[tuple[float, str]]
) -> list[tuple[str, t.Callable[[], bool]]]:
    """-> those that are still to come; the others are noted."""
    waiting = []
    for words, there in milestones:
        if there():
            seen.append((time.time(), words))
        else:
            waiting.append((words, there))
    return waiting


def _line(began: float, moment: float, words: str) -> str:
    return f"{time.strftime('%H:%M:%S', time.gmtime(moment))}Z {moment - began:6.1f} s  {words}\n"


def main() -> int:
    stages = {stage.__name__: stage for stage in (up, healthy, hostile, watch, down)}
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("stage", choices=stages)
    try:
        stages[parser.parse_args().stage]()
    except (StackError, lab.LabError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
