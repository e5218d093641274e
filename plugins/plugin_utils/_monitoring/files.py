# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The files that the role memfrag_monitoring ships, by their names."""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring import (
    _alerts,
    _dashboards,
    _forecast_rules,
    _stock,
)
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._monitoring._rules import render

_STOCK = """\
What a stock node_exporter with --collector.buddyinfo and --collector.zoneinfo lets Prometheus know of contiguous memory.
One group, in this order: Prometheus evaluates its rules one after the other, at the same time."""

_ALERTS = """\
Alerts that say what to do, for %s.
What each means, and which to inhibit by which, is in the guide to monitoring."""

_FORECAST = """\
By when a machine will have no block of an order left, where the last days carry that, and an alert for information. For nodes with
the node tool, and with memfrag-stock.rules.yml for others. Prometheus has to keep eight days."""


def shipped() -> dict[str, str]:
    """-> {name: text}"""
    alerts = _alerts.groups()
    return {
        "memfrag-stock.rules.yml": render(_STOCK, [_stock.recording()]),
        "memfrag-stock-alerts.rules.yml": render(
            _ALERTS % "nodes without the node tool. They need memfrag-stock.rules.yml", [alerts["stock"]]
        ),
        "memfrag-tool-alerts.rules.yml": render(
            _ALERTS % "nodes whose node tool writes metrics. They need nothing else", [alerts["tool"]]
        ),
        "memfrag-forecast.rules.yml": render(_FORECAST, [_forecast_rules.recording(_alerts.FRESH), alerts["forecast"]]),
        **_dashboards.shipped(),
    }
