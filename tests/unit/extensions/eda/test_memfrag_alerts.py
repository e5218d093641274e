# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event filter, run as ansible-rulebook runs it: the file by itself."""

from __future__ import annotations

import importlib.machinery
import pathlib
import re
import types
import typing as t

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _loop, _records
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _alerts

EDA = pathlib.Path(__file__).resolve().parents[4] / "extensions" / "eda"
# Not by runpy: below a collection, Ansible's own importer takes the file for a package.
_LOADER = importlib.machinery.SourceFileLoader(
    "memfrag_alerts", str(EDA / "plugins" / "event_filter" / "memfrag_alerts.py")
)
_MODULE = types.ModuleType(_LOADER.name)
_LOADER.exec_module(_MODULE)
FILTER = vars(_MODULE)
events = FILTER["main"]


def alert(instance: t.Any = "node17", status: str = "firing", **labels: t.Any) -> dict[str, t.Any]:
    """As Alertmanager sends it."""
    known = {
        "alertname": "MemfragCompactionHelps",
        "instance": instance,
        "remedy": "compact",
        "severity": "warning",
        **labels,
    }
    return {
        "status": status,
        "labels": {name: value for name, value in known.items() if value is not None},
        "annotations": {"summary": "{{ lookup('pipe', 'reboot') }}"},
        "startsAt": "2026-11-26T08:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "5ef77f1f8a3ecfb7",
    }


def notification(*alerts: t.Any, **more: t.Any) -> dict[str, t.Any]:
    payload = {"version": "4", "status": "firing", "truncatedAlerts": 0, "alerts": list(alerts), **more}
    return {
        "payload": payload,
        "meta": {"endpoint": "alerts", "headers": {"authorization": "Bearer s3cret"}, "hosts": "all"},
    }


def hosts(*alerts: t.Any, **more: t.Any) -> list[str]:
    return [event["memfrag"]["host"] for event in events(notification(*alerts, **more))]


def test_an_event_has_the_host_and_nothing_that_somebody_else_has_written() -> None:
    (event,) = events(notification(alert()))
    run_id = event["memfrag"].pop("run_id")
    assert event == {"memfrag": {"host": "node17", "alert": "MemfragCompactionHelps"}, "meta": {"hosts": ["node17"]}}
    assert re.fullmatch(r"[0-9]{8}T[0-9]{6}Z-alert-[0-9a-f]{8}", run_id) and _records.run_directory("/r", run_id)


def test_each_node_once_each_with_a_run_of_its_own() -> None:
    found = events(notification(alert("a"), alert("b"), alert("a")))
    assert [event["meta"]["hosts"] for event in found] == [["a"], ["b"]]
    assert len({event["memfrag"]["run_id"] for event in found}) == 2


@pytest.mark.parametrize(
    "left_out",
    [
        alert(status="resolved"),
        alert(remedy="drain_and_reboot"),
        alert(remedy=None),
        alert(remedy=["compact"]),
        alert(will_help="false"),
        alert(will_help="0"),
        alert(will_help=False),
        alert(None),
        *map(alert, ("", "all", "ALL", "ungrouped", "*", "node*", "!node17", "~n.*", "@/etc/passwd", "a[1:3]", "a,b", "a:b", "a b")),
        *map(alert, ("node17\n", "node17\0", "\x1b[31mred", "{{ 7 }}", "-e", "node17:9100", ["node17"], {"a": 1}, 17, True, "n" * 300)),
        {},
        {"labels": None, "status": "firing"},
        {"labels": [], "status": "firing"},
        {"status": "firing", "labels": {"remedy": "compact"}},
        None,
        "alert",
        7,
    ],
    ids=lambda left_out: ascii(left_out.get("labels") if isinstance(left_out, dict) else left_out)[:60],
)  # fmt: skip
def test_nothing_comes_of_it_and_of_the_others_their_own(left_out: t.Any) -> None:
    assert hosts(left_out) == []
    assert hosts(left_out, alert("b")) == ["b"]


@pytest.mark.parametrize(
    "event",
    [None, [], "x", {}, {"payload": None}, {"payload": []}, {"payload": {"alerts": {}}}, {"payload": {"alerts": "a"}}],
)
def test_what_is_no_notification_is_nothing(event: t.Any) -> None:
    assert events(event) == []


def test_many_nodes_at_once_are_a_case_for_people() -> None:
    few = [alert(f"node{number}") for number in range(20)]
    assert len(hosts(*few)) == 20
    assert hosts(*few, alert("node20")) == []
    assert hosts(*[alert(f"node{number}") for number in range(10_000)]) == []
    # Alertmanager keeps some back: they count. What it cannot have said counts against.
    assert hosts(*few[:10], truncatedAlerts=10) and not hosts(*few[:10], truncatedAlerts=11)
    for odd in (-11, "0", None, 1e9, [1]):
        assert hosts(alert(), truncatedAlerts=odd) == []
    # Those that call for no compaction do not.
    assert hosts(alert(), *[alert(f"node{number}", remedy=None) for number in range(100)]) == ["node17"]
    assert events(notification(alert("a"), alert("b")), max_nodes=1) == []


@settings(max_examples=50)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["payload", "alerts", "labels", "status", "instance", "remedy", "truncatedAlerts"]) | st.text(max_size=3), inner, max_size=4)))  # fmt: skip
def test_whatever_comes_it_does_not_raise(event: t.Any) -> None:
    assert isinstance(events({"payload": event}), list) and isinstance(events({"payload": {"alerts": [event]}}), list)


@given(st.text(max_size=10))
def test_a_plain_name_is_the_same_to_the_filter_and_to_the_playbook(name: str) -> None:
    assert FILTER["PLAIN"].pattern == _loop.PLAIN.pattern
    if name.lower() not in FILTER["GROUPS"]:
        assert bool(hosts(alert(name))) is (_loop.odd_host(name, [name], {}) is None)


def test_the_label_is_that_of_the_alert_that_is_shipped() -> None:
    remedies = {rule.name: rule.labels.get("remedy") for rule in _alerts.groups()["tool"].rules}
    assert [name for name, remedy in remedies.items() if remedy == FILTER["REMEDY"]] == ["MemfragCompactionHelps"]


def test_the_rulebook_wants_a_token_listens_here_and_never_names_all_hosts() -> None:
    (rules,) = yaml.safe_load((EDA / "rulebooks" / "memfrag_remediate.yml").read_text(encoding="utf-8"))
    assert rules["hosts"] == "memfrag_nobody" and rules["execution_strategy"] == "sequential"
    (source,) = rules["sources"]
    webhook = source["eda.builtin.webhook"]
    assert webhook["token"] == "{{ memfrag_eda_token }}" and "127.0.0.1" in webhook["host"]
    assert [list(one) for one in source["filters"]] == [["kernelops.memfrag.memfrag_alerts"]]
    (rule,) = rules["rules"]
    assert rule["throttle"]["group_by_attributes"] == ["event.memfrag.host"]
    playbooks = [action["run_playbook"]["name"].rpartition(".") for action in rule["actions"]]
    assert [name for _collection, _dot, name in playbooks] == ["loop_remediate", "loop_tell"]
    assert all((EDA.parents[1] / "playbooks" / f"{name}.yml").is_file() for _collection, _dot, name in playbooks)


def nested(depth: int) -> t.Any:
    value: t.Any = []
    for _level in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("odd", [nested(100000), 10**5000, float("nan"), "a" * 10**6, {"a": nested(100000)}], ids=type)
def test_what_is_said_of_an_odd_value_ends_nothing(odd: t.Any, caplog: pytest.LogCaptureFixture) -> None:
    """A filter that ends by an exception takes the source of events with it."""
    assert hosts(alert(odd)) == [] and hosts(alert(), truncatedAlerts=odd) == []
    assert len(caplog.messages) == 2 and max(map(len, caplog.messages)) < 200
