# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Dashboards of Grafana: what a panel is, how panels are laid out, and their JSON. Types are Grafana's, of the package @grafana/schema."""

from __future__ import annotations

import json
import typing as t

Json = dict[str, t.Any]

# The variable that names the Prometheus to ask.
_SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH = 24
# The model of Grafana 10.4; later ones bring it up to date as they load it.
_SCHEMA_VERSION = 39

GREEN, YELLOW, ORANGE, RED, GREY, BLUE = "green", "yellow", "orange", "red", "#8e8e8e", "blue"


class Query(t.NamedTuple):
    """PromQL, and what its series are called. ``now`` asks for the moment alone, and gives a table its rows."""

    expression: str
    legend: str = ""
    now: bool = False


class Panel(t.NamedTuple):
    kind: str
    title: str
    queries: list[Query]
    width: int
    height: int
    words: str
    defaults: Json
    options: Json
    overrides: list[Json] = []
    transformations: list[Json] = []


# --- what a field looks like ----------------------------------------------------------------------------------------------


def steps(*pairs: tuple[float | None, str]) -> Json:
    """Colours from so much on; None is from the least on."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in pairs]}


def values(table: t.Iterable[tuple[str, str, str]]) -> list[Json]:
    """Words and colours for values: (value, text, colour)."""
    options = {
        value: {"text": text, "color": color, "index": index} for index, (value, text, color) in enumerate(table)
    }
    return [{"type": "value", "options": options}]


def colored(table: t.Iterable[tuple[str, str]]) -> list[Json]:
    """Overrides that give series by their names a colour."""
    return [
        override("byName", name, {"id": "color", "value": {"mode": "fixed", "fixedColor": color}})
        for name, color in table
    ]


def override(matcher: str, what: str, *properties: Json) -> Json:
    return {"matcher": {"id": matcher, "options": what}, "properties": list(properties)}


def link(title: str, url: str) -> Json:
    return {"id": "links", "value": [{"title": title, "url": url, "targetBlank": False}]}


_PLAIN: Json = {"color": {"mode": "palette-classic"}, "thresholds": steps((None, GREEN))}
_BY_THRESHOLD: Json = {"color": {"mode": "thresholds"}}


# --- kinds of panels ------------------------------------------------------------------------------------------------------


def lines(
    title: str,
    queries: list[Query],
    words: str,
    *,
    width: int = 12,
    stacked: bool = False,
    logarithmic: bool = False,
    overrides: list[Json] | None = None,
    **defaults: t.Any,
) -> Panel:
    custom: Json = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 0,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    if logarithmic:
        # With a place for 0, which is what matters.
        custom["scaleDistribution"] = {"type": "symlog", "log": 2, "linearThreshold": 1}
    options = {
        "legend": {"displayMode": "table", "placement": "right", "showLegend": True, "calcs": ["lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {**_PLAIN, **defaults, "custom": custom}
    return Panel("timeseries", title, queries, width, 9, words, defaults, options, overrides or [])


def number(
    title: str, query: Query, words: str, *, width: int = 4, text: str = "auto", color: str = "none", **defaults: t.Any
) -> Panel:
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "values": False, "fields": ""},
        "colorMode": color,
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": text,
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    return Panel("stat", title, [query], width, 5, words, {**_PLAIN, **_BY_THRESHOLD, **defaults}, options)


def table(
    title: str,
    query: Query,
    words: str,
    *,
    width: int = 12,
    height: int = 9,
    transformations: list[Json] | None = None,
    overrides: list[Json] | None = None,
    sort: str = "",
    **defaults: t.Any,
) -> Panel:
    options: Json = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": True}]
    plain = [{"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}}]
    return Panel(
        "table",
        title,
        [query._replace(now=True)],
        width,
        height,
        words,
        {**_PLAIN, **defaults},
        options,
        overrides or [],
        plain if transformations is None else transformations,
    )


def matrix(
    title: str, query: Query, words: str, *, rows: str, columns: str, height: int = 14, **defaults: t.Any
) -> Panel:
    """A heat map of one moment: two labels span it, the value is a cell's colour."""
    # The corner is called so by Grafana.
    corner = f"{rows}\\{columns}"
    pivot: Json = {
        "id": "groupingToMatrix",
        "options": {"columnField": columns, "rowField": rows, "valueField": "Value", "emptyValue": "null"},
    }
    custom = {"cellOptions": {"type": "color-background", "mode": "basic"}, "align": "center"}
    head = override(
        "byName",
        corner,
        {"id": "custom.cellOptions", "value": {"type": "auto"}},
        {"id": "custom.align", "value": "left"},
        {"id": "custom.width", "value": 260},
        link("The node", "/d/memfrag-node?var-datasource=${datasource}&var-job=$job&var-instance=${__value.raw}"),
    )
    return table(
        title,
        query,
        words,
        height=height,
        transformations=[pivot],
        overrides=[head],
        **{**_BY_THRESHOLD, "custom": custom, **defaults},
    )


def bands(title: str, query: Query, words: str, *, width: int = 12, **defaults: t.Any) -> Panel:
    """States over time, a band for each series."""
    options = {
        "mergeValues": True,
        "showValue": "never",
        "alignValue": "left",
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 80, "lineWidth": 0}
    defaults = {**_PLAIN, **_BY_THRESHOLD, "custom": custom, **defaults}
    return Panel("state-timeline", title, [query], width, 9, words, defaults, options)


# --- a dashboard ----------------------------------------------------------------------------------------------------------


def variable(name: str, label: str, query: str, *, several: bool = False, current: str = "") -> Json:
    """One that Prometheus gives the values of."""
    made: Json = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": _SOURCE,
        "query": query,
        # Whenever the dashboard is opened or its time is changed; numbers in their order.
        "refresh": 2,
        "sort": 3,
        "multi": several,
        "includeAll": several,
        "hide": 0,
    }
    if several:
        made["allValue"] = ".+"
        made["current"] = {"text": ["All"], "value": ["$__all"]}
    elif current:
        made["current"] = {"text": current, "value": current}
    return made


def dashboard(
    uid: str, title: str, words: str, variables: list[Json], rows: list[tuple[str, list[Panel]]], marks: str
) -> str:
    """The JSON of rows of panels, each under its heading. ``marks`` is the query of what is drawn into all graphs."""
    source: Json = {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "multi": False,
        "includeAll": False,
        "hide": 0,
    }
    model: Json = {
        "uid": uid,
        "title": title,
        "description": words,
        "tags": ["memfrag"],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "timezone": "browser",
        "time": {"from": "now-24h", "to": "now"},
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "links": [
            {
                "type": "dashboards",
                "tags": ["memfrag"],
                "title": "memfrag",
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            }
        ],
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "enable": True,
                    "datasource": _SOURCE,
                    "expr": marks,
                    "titleFormat": "{{alertname}}",
                    "iconColor": RED,
                }
            ]
        },
        "templating": {"list": [source, *variables]},
        "panels": list(_laid_out(rows)),
    }
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


def _laid_out(rows: list[tuple[str, list[Panel]]]) -> t.Iterator[Json]:
    """Panels from left to right, in lines as high as the highest of them."""
    top = ident = 0
    for heading, panels in rows:
        ident += 1
        yield {
            "id": ident,
            "type": "row",
            "title": heading,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": _WIDTH, "h": 1},
        }
        top += 1
        left = height = 0
        for panel in panels:
            if left + panel.width > _WIDTH:
                top, left, height = top + height, 0, 0
            ident += 1
            yield _placed(panel, ident, left, top)
            left, height = left + panel.width, max(height, panel.height)
        top += height


def _placed(panel: Panel, ident: int, left: int, top: int) -> Json:
    placed: Json = {
        "id": ident,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.words,
        "datasource": _SOURCE,
        "gridPos": {"x": left, "y": top, "w": panel.width, "h": panel.height},
        "targets": [_target(query, chr(ord("A") + number)) for number, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": panel.defaults, "overrides": panel.overrides},
        "options": panel.options,
    }
    if panel.transformations:
        placed["transformations"] = panel.transformations
    return placed


def _target(query: Query, letter: str) -> Json:
    made: Json = {
        "datasource": _SOURCE,
        "refId": letter,
        "expr": query.expression,
        "range": not query.now,
        "instant": query.now,
        "editorMode": "code",
    }
    if query.legend:
        made["legendFormat"] = query.legend
    if query.now:
        made["format"] = "table"
    return made
