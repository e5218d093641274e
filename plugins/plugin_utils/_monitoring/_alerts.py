# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Alerts that say what to do. Each has its section in the runbook, docs/runbook/alerts.yml, which its link leads to.

A node whose tool writes metrics is judged by these alone: they know which orders its kernel needs, and how many blocks are enough. Of
all others the recording rules on a stock node_exporter tell.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import _forecast_rules, _stock
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring._rules import Group, Rule

RUNBOOK = "https://github.com/kernelops/kernelops.memfrag/blob/main/docs/docsite/rst/runbook_alerts.rst#"

# Alert and what it is about: its severity. A policy of the same form goes before; "off" leaves an alert out.
SEVERITIES = {
    ("MemfragOrderGone", "required"): "critical",
    ("MemfragOrderGone", "wanted"): "warning",
    ("MemfragOrderGone", "assumed"): "info",
    ("MemfragOrderScarce", "required"): "warning",
    ("MemfragOrderScarce", "wanted"): "info",
    ("MemfragNodeGone", "required"): "warning",
    ("MemfragIncident", ""): "critical",
    ("MemfragCompactionHelps", ""): "warning",
    ("MemfragRebootNeeded", ""): "warning",
    ("MemfragJobIneffective", ""): "warning",
    ("MemfragToolStale", ""): "warning",
    ("MemfragSourceUnread", ""): "info",
    ("MemfragOrderGoneSoon", ""): "info",
    ("MemfragNoBuddyinfo", ""): "info",
}
LEVELS = ("critical", "warning", "info", "off")

# The tool writes each minute. After so many seconds its metrics say nothing of now.
STALE_SECONDS = 900
FRESH = f"memfrag_collected_timestamp_seconds > time() - {STALE_SECONDS}"
_HERE = "on (job, instance)"

# Bytes that a stock exporter cannot be asked about: requests up to the first may not fail, the others are what drivers and containers
# want. Blocks that are to be in reserve, as a machine of 4 to 16 GiB is held to by the assessment.
_REQUIRED, _WANTED = 32 << 10, (64 << 10, 128 << 10, 256 << 10)
_FEW = 16
_PAGE_SIZES = (4096, 8192, 16384, 65536)
_DAYS_AHEAD = 3

Severities = t.Mapping[tuple[str, str], str]


class _Table:
    """Rules in the making, with the severities of a policy."""

    def __init__(self, severities: Severities) -> None:
        self.severities = severities
        self.rules: list[Rule] = []

    def alert(
        self,
        name: str,
        expression: str,
        wait: str,
        summary: str,
        description: str,
        about: str = "",
        why: str = "",
        **labels: str,
    ) -> None:
        severity = self.severities[name, about]
        if severity == "off":
            return
        notes = {"summary": summary, "description": description, "runbook_url": RUNBOOK + name.lower()}
        self.rules.append(Rule(name, expression, {"severity": severity, **labels}, notes, wait, why))


def groups(severities: Severities | None = None) -> dict[str, Group]:
    """The alerts of "stock", of "tool" and of the "forecast". ValueError for a severity, or an alert, that there is none of."""
    table = dict(SEVERITIES)
    for key, severity in (severities or {}).items():
        if key not in table:
            raise ValueError(
                f"there is no alert {' '.join(key).strip()}; there are {', '.join(sorted({name for name, _about in table}))}"
            )
        if severity not in LEVELS:
            raise ValueError(f"{key[0]}: the severity {severity!r} is none of {', '.join(LEVELS)}")
        table[key] = severity
    return {
        "stock": Group("memfrag-stock-alerts", _stock_alerts(_Table(table)), "1m"),
        "tool": Group("memfrag-tool-alerts", _tool_alerts(_Table(table)), "1m"),
        "forecast": Group("memfrag-forecast-alerts", _forecast_alerts(_Table(table)), "1m"),
    }


# --- of a stock node_exporter -----------------------------------------------------------------------------------------


def _blocks(size: int, condition: str) -> list[str]:
    """Of the machine, for each size of its pages: whether ``condition`` holds of its blocks of so many bytes. Larger pages need none."""
    return [
        f'(sum without (node) ({_stock.AVAILABLE}{{size="{(size // page).bit_length() - 1}"}}) {condition}'
        f"\n  and {_HERE} {_stock.PAGE_SIZE} == {page})"
        for page in _PAGE_SIZES
        if page <= size
    ]


def _any(size_and_condition: t.Iterable[tuple[int, str]]) -> str:
    parts = [part for size, condition in size_and_condition for part in _blocks(size, condition)]
    return "(\n  " + "\n  or\n  ".join(parts) + f"\n)\nunless {_HERE} {FRESH}"


def _stock_alerts(table: _Table) -> list[Rule]:
    why = "Orders by their bytes: 32 kB is order 3 with pages of 4 kB, and order 1 with pages of 16 kB."
    for about, sizes in (("required", (_REQUIRED,)), ("wanted", _WANTED)):
        table.alert(
            "MemfragOrderGone",
            _any((size, "== 0") for size in sizes),
            "5m",
            "No contiguous memory of order {{ $labels.size }} on {{ $labels.instance }}.",
            "No kernel request of {{ $labels.instance }} finds a block of 2**{{ $labels.size }} pages within the watermarks. Audit the node, it"
            " says what helps: ansible-playbook kernelops.memfrag.audit -l {{ $labels.instance }}.",
            about=about,
            why=why,
        )
        table.alert(
            "MemfragOrderScarce",
            _any((size, f"> 0 < {_FEW if about == 'required' else _FEW * _WANTED[-1] // size}") for size in sizes),
            "30m" if about == "required" else "2h",
            "Little contiguous memory of order {{ $labels.size }} on {{ $labels.instance }}.",
            "{{ $labels.instance }} has {{ $value }} blocks of 2**{{ $labels.size }} pages left. Audit the node before they are gone:"
            " ansible-playbook kernelops.memfrag.audit -l {{ $labels.instance }}.",
            about=about,
        )
        why = ""
    table.alert(
        "MemfragNoBuddyinfo",
        f"node_uname_info unless {_HERE} node_buddyinfo_blocks\nunless {_HERE} {FRESH}",
        "1h",
        "node_exporter of {{ $labels.instance }} tells nothing of contiguous memory.",
        "Start node_exporter of {{ $labels.instance }} with --collector.buddyinfo and --collector.zoneinfo, or install the node tool.",
    )
    return table.rules


# --- of the node tool -------------------------------------------------------------------------------------------------


def _tool_alerts(table: _Table) -> list[Rule]:
    fresh = f"\nand {_HERE} {FRESH}"
    _order_alerts(table, fresh)
    _node_alerts(table, fresh)
    return table.rules


def _order_alerts(table: _Table, fresh: str) -> None:
    machine = "sum without (node) (memfrag_allocatable_blocks)"
    for about in ("required", "wanted", "assumed"):
        needed = f'\nand on (job, instance, size) memfrag_order_needed{{need="{about}"}}{fresh}'
        table.alert(
            "MemfragOrderGone",
            f"{machine} == 0{needed}",
            "5m",
            "No contiguous memory of order {{ $labels.size }} on {{ $labels.instance }}.",
            "No kernel request of {{ $labels.instance }} finds a block of 2**{{ $labels.size }} pages within the watermarks. What helps"
            " is said by MemfragCompactionHelps or MemfragRebootNeeded, and by the audit.",
            about=about,
        )
    for about in ("required", "wanted"):
        needed = f'\nand on (job, instance, size) memfrag_order_needed{{need="{about}"}}{fresh}'
        table.alert(
            "MemfragOrderScarce",
            f"0 < {machine} < on (job, instance, size) memfrag_order_spare_blocks{needed}",
            "30m" if about == "required" else "2h",
            "Little contiguous memory of order {{ $labels.size }} on {{ $labels.instance }}.",
            "{{ $labels.instance }} has {{ $value }} blocks of 2**{{ $labels.size }} pages left, fewer than its policy wants in reserve."
            " Have the compaction job see to it, or audit the node.",
            about=about,
        )
    table.alert(
        "MemfragNodeGone",
        f'memfrag_allocatable_blocks == 0\nand on (job, instance, size) memfrag_order_needed{{need="required"}}'
        f"\nand on (job, instance, size) {machine} > 0{fresh}",
        "15m",
        "No contiguous memory of order {{ $labels.size }} on NUMA node {{ $labels.node }} of {{ $labels.instance }}.",
        "Others have some, but requests that are bound to NUMA node {{ $labels.node }} of {{ $labels.instance }} fail. Compact that node:"
        " echo 1 > /sys/devices/system/node/node{{ $labels.node }}/compact.",
        about="required",
    )


def _node_alerts(table: _Table, fresh: str) -> None:
    table.alert(
        "MemfragIncident",
        'sum without (kind) (increase(memfrag_incidents_total{cause="fragmentation"}[15m])) > 0',
        "",
        "The kernel of {{ $labels.instance }} could not allocate contiguous memory.",
        "Allocations or containers of {{ $labels.instance }} have failed for fragmentation in the last 15 minutes. Run the audit:"
        " ansible-playbook kernelops.memfrag.audit -l {{ $labels.instance }}.",
    )
    helps = 'max without (action) (memfrag_remediation{action=~"compact|reclaim_then_compact"}) == 1'
    table.alert(
        "MemfragCompactionHelps",
        f"{helps}\nand {_HERE} memfrag_remediation_will_help == 1{fresh}",
        "10m",
        "Compaction would bring contiguous memory back on {{ $labels.instance }}.",
        "{{ $labels.instance }} lacks contiguous memory, and compacting it will help:"
        " ansible-playbook kernelops.memfrag.remediate -l {{ $labels.instance }}.",
        why="The action itself is no label: an alert whose labels change is a new one each time.",
        remedy="compact",
    )
    table.alert(
        "MemfragRebootNeeded",
        f'max without (action) (memfrag_remediation{{action="drain_and_reboot"}}) == 1{fresh}',
        "1h",
        "Only a reboot brings contiguous memory back on {{ $labels.instance }}.",
        "What is free on {{ $labels.instance }} stands among pages that cannot be moved. Move the work away and reboot it; compaction will"
        " not help.",
        remedy="drain_and_reboot",
    )
    table.alert(
        "MemfragJobIneffective",
        f"memfrag_compaction_ineffective_runs >= 3{fresh}",
        "5m",
        "The compaction job of {{ $labels.instance }} does not help.",
        "{{ $value }} runs in a row have compacted {{ $labels.instance }} and did not help. Look at memfrag status there, and at what holds"
        " its pageblocks: ansible-playbook kernelops.memfrag.audit -l {{ $labels.instance }} -e memfrag_pageblocks=true.",
    )
    table.alert(
        "MemfragToolStale",
        f"time() - memfrag_collected_timestamp_seconds > {STALE_SECONDS}",
        "5m",
        "The metrics of memfrag on {{ $labels.instance }} are old.",
        "memfrag.prom of {{ $labels.instance }} was written {{ $value | humanizeDuration }} ago; other alerts of it are silent until it is"
        " written again. Look at the timer, and run memfrag metrics --textfile there.",
    )
    table.alert(
        "MemfragSourceUnread",
        f'time() - memfrag_source_read_timestamp_seconds{{source=~"buddyinfo|zoneinfo|pagetypeinfo|log"}} > 3600{fresh}',
        "15m",
        "memfrag cannot read {{ $labels.source }} on {{ $labels.instance }}.",
        "For an hour the tool could not read {{ $labels.source }} of {{ $labels.instance }}: what it would tell is missing. memfrag status"
        " says why.",
    )


# --- of the forecast --------------------------------------------------------------------------------------------------


def _forecast_alerts(table: _Table) -> list[Rule]:
    table.alert(
        "MemfragOrderGoneSoon",
        f'{_forecast_rules.LEFT}{{bound="expected"}} < {_DAYS_AHEAD * 86400}',
        "1h",
        "Contiguous memory of order {{ $labels.size }} is running out on {{ $labels.instance }}.",
        "If it goes on as in the last days, {{ $labels.instance }} has no block of 2**{{ $labels.size }} pages left in {{ $value |"
        " humanizeDuration }}. That is off by a factor of 1.6 or more half of the time, and of 4 or more one time in ten; nothing acts on it.",
    )
    return table.rules


# --- who is silent while another speaks -------------------------------------------------------------------------------

# (who speaks, who is silent then, labels that both have in common). For Alertmanager; the guide has it as its configuration.
INHIBITIONS = (
    ("MemfragOrderGone", ("MemfragOrderScarce", "MemfragOrderGoneSoon"), ("instance", "size")),
    ("MemfragOrderScarce", ("MemfragOrderGoneSoon",), ("instance", "size")),
    ("MemfragRebootNeeded", ("MemfragCompactionHelps", "MemfragJobIneffective"), ("instance",)),
    ("MemfragJobIneffective", ("MemfragCompactionHelps",), ("instance",)),
    ("MemfragToolStale", ("MemfragSourceUnread",), ("instance",)),
    # Not of Prometheus: what a remediation by alert came to (plugin_utils/_loop.py).
    ("MemfragRemediationFailed", ("MemfragCompactionHelps",), ("instance",)),
)


def inhibit_rules() -> list[dict[str, t.Any]]:
    """As Alertmanager's configuration has them."""
    return [
        {
            "source_matchers": [f'alertname="{source}"'],
            "target_matchers": [f'alertname=~"{"|".join(targets)}"'],
            "equal": list(equal),
        }
        for source, targets, equal in INHIBITIONS
    ]
