# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's defaults, specification, README, tables and files say the same; what it writes for others is what they understand."""

from __future__ import annotations

import json
import re
import subprocess
import time
import typing as t
from pathlib import Path

import build_roots
import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import FilterModule

from ansible_collections.kernelops.memfrag.plugins.module_utils import (
    _checks,
    _exporter,
    _facts,
    _install,
    _metrics,
    _metrics_state,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction.target import complete
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import files

ROLE = Path(__file__).resolve().parents[3] / "roles" / "memfrag_monitoring"
PREFIX = "memfrag_monitoring_"
LOGS = Path(__file__).resolve().parents[2] / "fixtures" / "logs"
KERNEL = "6.1.0-56-cloud-amd64/"


def load(path: str) -> t.Any:
    return yaml.safe_load((ROLE / path).read_text())


DEFAULTS = load("defaults/main.yml")
INTERNAL = load("vars/main.yml")
OPTIONS = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def test_every_default_is_specified_with_the_same_value() -> None:
    assert set(DEFAULTS) == set(OPTIONS)
    assert {name: about["default"] for name, about in OPTIONS.items()} == DEFAULTS


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_every_variable_is_in_the_readme_with_its_default_and_used(name: str) -> None:
    default = DEFAULTS[name]
    shown = default if isinstance(default, str) and default else json.dumps(default)
    readme = (ROLE / "README.md").read_text()
    assert f"\n### `{name}`\n\nDefault `{shown}`" in readme
    assert readme.count(f"### `{name}`\n") == 1
    used = "".join(
        path.read_text() for folder in ("handlers", "tasks", "templates", "vars") for path in (ROLE / folder).iterdir()
    )
    assert name in used


def test_the_readme_has_no_other_variable() -> None:
    assert set(re.findall(r"^### `(.*)`$", (ROLE / "README.md").read_text(), re.MULTILINE)) == set(DEFAULTS)


def test_the_role_ships_all_that_is_made_for_it() -> None:
    rules = {f"memfrag-{name}.rules.yml" for name in INTERNAL["__memfrag_monitoring_rule_files"]}
    assert rules | set(INTERNAL["__memfrag_monitoring_dashboards"]) == set(files.shipped())
    assert (
        OPTIONS[PREFIX + "prometheus_rules"]["choices"]
        == DEFAULTS[PREFIX + "prometheus_rules"]
        == INTERNAL["__memfrag_monitoring_rule_files"]
    )


def test_the_library_says_the_same() -> None:
    assert OPTIONS[PREFIX + "exporter"]["choices"] == ["leave", "auto", *_exporter.NAMES]
    assert set(OPTIONS[PREFIX + "npd_level"]["choices"]) <= set(_checks.LEVELS)
    assert INTERNAL["__memfrag_monitoring_tool"] == _install.PATH
    readme = (ROLE / "README.md").read_text()
    assert all(way[1] in readme for way in _exporter.WAYS)


# --- templates ------------------------------------------------------------------------------------------------------------


def rendered(name: str, **values: t.Any) -> str:
    """A template of the role as Ansible fills it in, as far as these go."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(ROLE / "templates")), trim_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(FilterModule().filters())
    given = {**DEFAULTS, **{name: value for name, value in INTERNAL.items() if "{{" not in str(value)}}
    text: str = environment.get_template(name).render({**given, **values})
    return text


def test_the_patterns_match_what_kernels_print_and_no_failure_of_single_pages() -> None:
    monitor = json.loads(rendered("memfrag-kernel-monitor.json.j2"))
    patterns = {rule["reason"]: re.compile(rule["pattern"]) for rule in monitor["rules"]}
    seen = dict.fromkeys(patterns, 0)
    for path in sorted(LOGS.rglob("*")):
        if not path.is_file() or path.suffix in (".gz", ".xz", ".bz2"):
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            for reason, pattern in patterns.items():
                seen[reason] += bool(pattern.fullmatch(line))
    assert all(seen.values()), seen
    failures = patterns["PageAllocationFailure"]
    assert failures.fullmatch(
        "swapper/0: page allocation failure: order:5, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)"
    )
    assert failures.fullmatch("java: page allocation failure. order:3, mode:0x20")
    assert not failures.fullmatch("swapper/0: page allocation failure: order:0, mode:0x20(GFP_ATOMIC)")
    creating = patterns["SlabCacheCreateFailure"]
    assert creating.fullmatch("kmem_cache_create(nf_conntrack_ffff8801e4c8a000) failed with error -12")
    assert creating.fullmatch("nf_conntrack: Unable to create nf_conn slab cache")
    assert not creating.fullmatch("kmem_cache_create(x) failed with error -22")


def test_the_monitor_runs_the_script_where_it_sees_it() -> None:
    monitor = json.loads(rendered("memfrag-monitor.json.j2", __memfrag_monitoring_npd_sees="/memfrag"))
    assert [rule["path"] for rule in monitor["rules"]] == ["/memfrag/memfrag-condition.sh"]
    assert {rule["condition"] for rule in monitor["rules"]} == {each["type"] for each in monitor["conditions"]}


# What node-problem-detector reads of its files: of any other name it takes no notice, so that a slip of the pen would go unseen.
# pkg/custompluginmonitor/types/{config,types}.go; pkg/systemlogmonitor/{config.go,types/types.go,logwatchers/types/log_watcher.go}
NPD_COMMON = {"plugin", "pluginConfig", "source", "conditions", "rules", "metricsReporting"}
NPD_CONDITION, NPD_RULE = {"type", "reason", "message"}, {"type", "condition", "reason"}
NPD_PLUGIN = (
    "invoke_interval timeout max_output_length concurrency enable_message_change_based_condition_update skip_initial_status"
).split()
NPD = {
    "memfrag-monitor.json.j2": (NPD_COMMON, NPD_RULE | {"path", "args", "timeout"}),
    "memfrag-kernel-monitor.json.j2": (
        NPD_COMMON | {"skipList", "logPath", "lookback", "delay", "bufferSize"},
        NPD_RULE | {"pattern"},
    ),
}


@pytest.mark.parametrize("name", NPD)
def test_node_problem_detector_knows_every_name_and_takes_every_value(name: str) -> None:
    monitor = json.loads(rendered(name, __memfrag_monitoring_npd_sees="/memfrag"))
    known, of_rules = NPD[name]
    assert set(monitor) <= known and isinstance(monitor["metricsReporting"], bool) and monitor["source"]
    assert monitor["plugin"] in (("custom",) if "logPath" not in monitor else ("kmsg", "filelog", "journald"))
    assert all(set(each) == NPD_CONDITION for each in monitor["conditions"])
    common = monitor.get("pluginConfig", {})
    assert set(common) <= set(NPD_PLUGIN)
    times = [common[key] for key in ("invoke_interval", "timeout") if key in common]
    times += [rule["timeout"] for rule in monitor["rules"] if "timeout" in rule]
    times += [monitor[key] for key in ("lookback", "delay") if key in monitor]
    # Of what time.ParseDuration of Go takes.
    assert times and all(re.fullmatch("[1-9][0-9]*(s|m|h)", each) for each in times)
    for rule in monitor["rules"]:
        assert set(rule) <= of_rules and rule["type"] in ("temporary", "permanent")
        if rule["type"] == "permanent":
            assert rule["condition"] in {each["type"] for each in monitor["conditions"]}
        if "path" in rule:
            assert int(rule["timeout"].rstrip("s")) <= int(common["timeout"].rstrip("s"))
        # Go's expressions look neither ahead nor behind, nor back at a group (RE2).
        assert not re.search(r"\(\?[=!<P]|\\[1-9]", rule.get("pattern", ""))


def metrics_of(name: str, place: Path, age: int = 0) -> Path:
    root = build_roots.build(name, str(place / "node"))
    facts = _facts.collect(Node(root), ["all", "!extfrag"])
    policy = {"target": complete({}), "textfile": None, "assessment": {}}
    text = _metrics.render(facts, policy, {"failures": 0}, _metrics_state.load(WritableNode(root)))
    stamp = f"memfrag_collected_timestamp_seconds {time.time() - age:.0f}"
    text = re.sub(r"^memfrag_collected_timestamp_seconds .*", stamp, text, flags=re.MULTILINE)
    path = place / "memfrag.prom"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("capture", "level", "age", "status", "words"),
    [
        ("healthy", "high", 0, 0, "level low"),
        ("fragmented", "high", 0, 1, "level "),
        ("fragmented-movable", "high", 0, 0, "level medium; advised: compact, which will help"),
        ("fragmented-movable", "medium", 0, 1, "; advised: compact, which will help"),
        ("fragmented", "high", 3600, 2, "are old"),
    ],
)
def test_the_condition_by_the_metrics(
    capture: str, level: str, age: int, status: int, words: str, tmp_path: Path
) -> None:
    script = tmp_path / "condition.sh"
    text = rendered(
        "memfrag-condition.sh.j2",
        memfrag_monitoring_npd_source="metrics",
        memfrag_monitoring_npd_level=level,
        __memfrag_monitoring_npd_metrics=str(metrics_of(KERNEL + capture, tmp_path, age)),
    )
    script.write_text(text)
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    assert words in done.stdout and len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(("said", "status"), [(0, 0), (1, 1), (2, 1), (3, 2), (127, 2)])
def test_the_condition_by_the_tool(said: int, status: int, tmp_path: Path) -> None:
    tool = tmp_path / "memfrag"
    tool.write_text(f'#!/bin/sh\necho "MEMFRAG $* | score=1;;;0;100"\nexit {said}\n')
    tool.chmod(0o755)
    script = tmp_path / "condition.sh"
    script.write_text(rendered("memfrag-condition.sh.j2", __memfrag_monitoring_tool=str(tool)))
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, "MEMFRAG check --warning high --critical critical\n")
    tool.unlink()
    assert subprocess.run(["sh", str(script)], capture_output=True, check=False).returncode == 2
