# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The parts of report.html that need no JavaScript: the top, the worst nodes, findings, outliers, the legend."""

from __future__ import annotations

import html
import typing as t
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _actions, _outliers, _types, _words

# Nodes in full without JavaScript, rows of the outliers across the fleet, and nodes named in a card.
MOST_STATIC = 50
MOST_OUTLIERS = 25
_NAMED = 5
_LONG_COMMAND = 120

# Levels have a sign and a word besides the colour.
_SIGNS = {"critical": "▲", "high": "◆", "medium": "●", "low": "✓", "unknown": "?", "info": "i"}

_CHANGE_WORDS = {"worse": "got worse", "better": "got better", "new": "new", "lost": "answered then, not now"}

# The steps of the colour scale; the script's heat() has the same bounds.
_HEAT = ("75 % or more", "50 %", "25 %", "5 %", "less", "no block")

_LEGEND = """<section aria-labelledby="legend"><h2 id="legend">How to read the strips</h2>
<p>One strip per memory zone, one cell per order: order 0 is a single page, each further one a block of twice the size.
The number is how many blocks of that size the free memory can be cut into, the colour how much of the free memory they
hold:</p>
<p class="legend">{cells}</p>
<p>A node with gigabytes free and no block of an order cannot serve a request of that order before it has compacted its
memory.</p></section>
"""


def escape(value: t.Any) -> str:
    # A lone surrogate has no place in UTF-8.
    return html.escape(_words.visible(value).encode("utf-8", "replace").decode("utf-8"))


def name_of(host: str) -> str:
    """A name that no other text beside it can be drawn into, whatever the direction of its letters."""
    return f"<bdi>{escape(host)}</bdi>"


def link(**state: str) -> str:
    """A link to a state of the list, which the script keeps in the part of the address behind "#"."""
    # As the script has it.
    shown = {key: _words.visible(value) for key, value in state.items()}
    quoted = (f"{key}={urllib.parse.quote(value, safe='', errors='replace')}" for key, value in shown.items())
    return "#" + "&amp;".join(quoted)


def headline(fleet: _types.Fleet) -> tuple[str, str]:
    """-> (the most important sentence, the next one)."""
    coverage, levels = fleet.coverage, fleet.levels
    audited = [host for host in fleet.hosts if host.status == "audited"]
    nodes = _words.plural(len(audited), "node")
    if not audited:
        return "No node could be audited", "Nothing is known about the memory of this fleet."
    if len(fleet.hosts) == 1:
        host = audited[0]
        return (f"{host.name}: {host.level} risk" if host.level else host.name), host.sentence
    if coverage["not_assessed"] < len(audited):
        bad = levels["critical"] + levels["high"]
        if bad:
            parts = [f"{levels[level]:,} {level}" for level in ("critical", "high") if levels[level]]
            dark = levels["unknown"] + coverage["not_assessed"]
            unknown = f" About {_words.plural(dark, 'node')} too little could be read to tell." if dark else ""
            return f"{bad:,} of {nodes} {'needs' if bad == 1 else 'need'} attention", _words.listing(
                parts
            ) + "." + unknown
        dark = levels["unknown"] + coverage["not_assessed"]
        unknown = f"About {_words.plural(dark, 'node')} too little could be read to tell." if dark else ""
        if levels["medium"]:
            watched = f"{levels['medium']:,} should be watched. {unknown}".strip()
            if dark:
                return f"No node is known to be at high risk, and {dark:,} of {len(audited):,} are not known", watched
            return f"No node of {len(audited):,} is at high risk", watched
        if dark:
            return f"{levels['low']:,} of {nodes} are well", unknown
        return f"All {nodes} are well", "Contiguous memory can be had wherever it was looked for."
    short = [host for host in audited if is_short(host)]
    order = f"order 3 ({_words.block_size(3, audited[0].page_size)})"
    if short:
        title = f"{len(short):,} of {nodes} cannot hand out blocks of {order} at once"
    else:
        title = f"All {nodes} hand out blocks up to {order} at once"
    return title, "The nodes were measured, not assessed."


def is_short(host: _types.Host) -> bool:
    """Something is amiss at an order that the kernel itself counts as ordinary (PAGE_ALLOC_COSTLY_ORDER is 3)."""
    return host.states[:4].strip("0") != ""


def top(fleet: _types.Fleet) -> Iterator[str]:
    title, subtitle = headline(fleet)
    coverage = fleet.coverage
    yield '<a class="skip" href="#nodes">Skip to the nodes</a>\n<header>\n'
    about = f"Memory fragmentation report{_run_words(fleet)} · kernelops.memfrag {escape(fleet.version)}"
    yield f'<p class="kicker">{about}</p>\n<h1>{escape(title)}</h1>\n'
    yield f'<p class="lead">{escape(subtitle)}'
    worst = fleet.hosts[0]
    if len(fleet.hosts) > 1 and (worst.level in ("critical", "high") or (worst.level is None and is_short(worst))):
        yield f' Worst: <a href="{link(node=worst.name)}">{name_of(worst.name)}</a> – {_why(worst)}'
    yield "</p>\n"
    yield from actions(fleet)
    if len(fleet.hosts) > 1:
        yield '<div class="figures">\n' + _card("coverage", "Coverage", _coverage(fleet))
        if coverage["not_assessed"] < coverage["audited"]:
            yield _card("levels", "Risk", _levels(fleet))
        elif coverage["audited"]:
            yield _card("levels", "What the nodes can hand out", _answers(fleet))
        if fleet.previous_time:
            yield _card("changes", f"Since {_words.when(fleet.previous_time)}", _changes(fleet))
        yield "</div>\n"
    yield from _missing([host for host in fleet.hosts if host.status != "audited"])
    yield "</header>\n<main>\n"


def _why(host: _types.Host) -> str:
    cause = f"<b>{escape(_words.CAUSES.get(host.cause, host.cause))}.</b> " if host.cause else ""
    return cause + escape(host.sentence or host.error)


def _run_words(fleet: _types.Fleet) -> str:
    started, finished = fleet.started, fleet.finished
    if not started or not finished:
        return ""
    span = _words.when(started)
    if finished.date() != started.date():
        span += " to " + _words.when(finished)
    elif _words.when(finished) != span:
        span = span.replace(" UTC", f" to {finished:%H:%M} UTC")
    return " · " + span


def _card(name: str, title: str, content: str) -> str:
    return f'<section class="card" aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>{content}</section>\n'


def _missing(hosts: Sequence[_types.Host]) -> Iterator[str]:
    if not hosts:
        return
    names = _words.listing([name_of(host.name) for host in hosts], 5)
    yield '<details class="missing">'
    yield f"<summary>{_words.plural(len(hosts), 'node')} could not be audited: {names}</summary>\n<ul>"
    for host in hosts[:MOST_STATIC]:
        yield f"<li><b>{name_of(host.name)}</b> {host.status}: {escape(host.error or 'no reason given')}</li>\n"
    if len(hosts) > MOST_STATIC:
        yield f"<li>and {len(hosts) - MOST_STATIC:,} more, in the list below and in report.json</li>"
    yield "</ul></details>\n"


def _coverage(fleet: _types.Fleet) -> str:
    coverage = fleet.coverage
    items = [f'<p class="big"><b>{coverage["audited"]:,}</b> of {coverage["asked"]:,} nodes audited</p>']
    items.append('<ul class="counts">')
    for status in ("unreachable", "failed", "stale"):
        words = f"<b>{coverage[status]:,}</b> {status}"
        linked = f'<a class="warn" href="{link(status=status)}">{words}</a>' if coverage[status] else f"0 {status}"
        items.append(f"<li>{linked}</li>")
    return "".join(items) + "</ul>"


def _bar(counts: Iterable[tuple[str, int]], label: str) -> str:
    """A bar of counts; the words and numbers beside it say the same."""
    parts = [(name, count) for name, count in counts if count]
    total = sum(count for _name, count in parts) or 1
    cells, start = [], 0.0
    for name, count in parts:
        # No share is too small to be seen.
        width = max(100 * count / total, 1.2)
        cells.append(f'<rect class="f-{name}" x="{start:.2f}" width="{max(width - 0.4, 0.4):.2f}" height="10"/>')
        start += width
    box = f'viewBox="0 0 {start:.2f} 10" preserveAspectRatio="none" role="img" aria-label="{escape(label)}"'
    return f'<svg class="bar" {box}>{"".join(cells)}</svg>'


def sign(level: str, count: str = "") -> str:
    return f'<span class="badge l-{level}"><i>{_SIGNS[level]}</i>{level.capitalize()}{count}</span>'


def badge(host: _types.Host) -> str:
    if host.status != "audited":
        return f'<span class="badge l-none"><i>✕</i>{host.status.capitalize()}</span>'
    if host.level is None:
        return '<span class="badge l-none">Not assessed</span>'
    return sign(host.level, "" if host.score is None else f" <b>{host.score}</b>")


def _levels(fleet: _types.Fleet) -> str:
    levels, unassessed = fleet.levels, fleet.coverage["not_assessed"]
    label = ", ".join(f"{levels[level]} {level}" for level in _types.LEVELS)
    items = [_bar([*levels.items(), ("none", unassessed)], label), '<ul class="counts">']
    for level in _types.LEVELS:
        if levels[level]:
            items.append(f'<li><a href="{link(level=level)}">{sign(level, f" <b>{levels[level]:,}</b>")}</a></li>')
        elif level != "unknown":
            items.append(f"<li>0 {level}</li>")
    if unassessed:
        items.append(f'<li><a class="warn" href="{link(level="none")}">{unassessed:,} not assessed</a></li>')
    return "".join(items) + "</ul>"


def _answers(fleet: _types.Fleet) -> str:
    """For fleets that were not assessed: how many nodes have each order at hand."""
    audited = [host for host in fleet.hosts if host.status == "audited"]
    rows = []
    for order in (3, 5, 9):
        count = sum(host.states[order : order + 1] == "0" for host in audited)
        strip = _bar((("low", count), ("high", len(audited) - count)), f"{count} of {len(audited)}")
        size = _words.block_size(order, audited[0].page_size)
        rows.append(
            f'<tr><th scope="row">Order {order} <small>{size}</small></th><td>{strip}</td>'
            f"<td><b>{count:,}</b> of {len(audited):,} at once</td></tr>"
        )
    return f'<table class="answers">{"".join(rows)}</table>'


def _changes(fleet: _types.Fleet) -> str:
    items = []
    for change, names in fleet.changes.items():
        words = _CHANGE_WORDS[change]
        if names:
            some = ", ".join(f'<a href="{link(node=name)}">{name_of(name)}</a>' for name in names[:3])
            count = f'<a class="warn" href="{link(change=change)}"><b>{len(names):,}</b> {words}</a>'
            items.append(f"<li>{count}: {some}</li>")
        elif change in ("worse", "better"):
            items.append(f"<li>None {words}</li>")
    return f'<ul class="changes">{"".join(items)}</ul>'


def actions(fleet: _types.Fleet) -> Iterator[str]:
    """A card per action: how many nodes, which, and one command."""
    if not fleet.actions:
        return
    yield '<section id="actions" aria-labelledby="actions-title"><h2 id="actions-title">What to do</h2>\n<div class="todo">\n'
    for action in fleet.actions:
        yield from _action(action, len(fleet.hosts) == 1)
    yield "</div></section>\n"


def _action(action: _types.Action, alone: bool) -> Iterator[str]:
    name = f"action={action.key}"
    calm = " calm" if action.key == "none" else ""
    yield f'<article class="card do{calm}" id="{name}" aria-labelledby="{name}-title">'
    count = "" if alone else f'<b class="count">{len(action.hosts):,}</b> '
    title = escape(action.title) if alone else f'<a href="{link(action=action.key)}">{escape(action.title)}</a>'
    yield f'<h3 id="{name}-title">{count}{title}</h3>\n'
    about = _words.join((_actions.helps(action), action.advice))
    if about:
        yield f"<p>{escape(_words.sentence(about))}</p>"
    if not alone:
        names = ", ".join(
            f'<a href="{link(node=host.name)}">{name_of(host.name)}</a>' for host in action.hosts[:_NAMED]
        )
        more = f" and {len(action.hosts) - _NAMED:,} more" if len(action.hosts) > _NAMED else ""
        yield f'<p class="who">{names}{more}</p>'
    if action.command:
        yield _command(action.command)
        if action.covered < len(action.hosts):
            yield f"<p><small>For the worst {action.covered:,}; audit again after that.</small></p>"
    yield "</article>\n"


def _command(text: str) -> str:
    # What is long scrolls, and must be reached by the keyboard.
    focus = ' tabindex="0"' if len(text) > _LONG_COMMAND else ""
    return f'<div class="command"><code{focus}>{escape(text)}</code></div>'


def _table(name: str, caption: str, columns: Sequence[str], rows: Iterable[str]) -> Iterator[str]:
    """columns: titles, with "#" in front for a column of numbers."""
    yield f'<div class="scroll" tabindex="0" role="group" aria-label="{caption}">'
    yield f'<table class="plain {name}"><caption>{caption}</caption>\n<thead><tr>'
    for column in columns:
        number = ' class="num"' if column.startswith("#") else ""
        yield f'<th scope="col"{number}>{column.lstrip("#")}</th>'
    yield "</tr></thead>\n<tbody>\n"
    yield from rows
    yield "</tbody></table></div>\n"


def nodes(fleet: _types.Fleet, details: Mapping[str, _types.Record]) -> Iterator[str]:
    """The worst nodes in full for readers without JavaScript; the script hides them and shows its own list.

    details    node -> what _as_html.Page keeps of it
    """
    shown = fleet.hosts[:MOST_STATIC]
    about = "report.json and report.csv have all nodes."
    if len(shown) < len(fleet.hosts):
        about = f"The worst {len(shown)} of {len(fleet.hosts):,} nodes. The whole list needs JavaScript; {about}"
    yield '<section id="nodes" aria-labelledby="nodes-title"><h2 id="nodes-title">Nodes, worst first</h2>\n'
    yield f'<div id="app"></div>\n<div id="static">\n<p>{about}</p>\n'
    commands = {action.key: _actions.around(action, fleet.options) for action in fleet.actions}
    for host in shown:
        yield from _node(host, details.get(host.name), commands.get(host.todo) or ())
    yield "</div></section>\n"


def _node(host: _types.Host, detail: _types.Record | None, command: Sequence[str]) -> Iterator[str]:
    about = _words.join((host.release, _words.size(host.memory_kb) if host.memory_kb else ""))
    todo = f"<b>{escape(_actions.title_of(host))}</b>" if host.todo else ""
    # So that links to a node lead here.
    yield f'<details class="card one-node" id="{escape("node=" + host.name)}">'
    yield f"<summary>{badge(host)} <b>{name_of(host.name)}</b> <small>{escape(about)}</small> {todo}</summary>\n"
    yield f"<p>{_why(host)}</p>\n"
    pattern = _actions.shown_pattern(host.name)
    if command and pattern:
        yield _command(pattern.join(command))
    if detail:
        yield from _detail(host, detail)
    yield "</details>\n"


def _detail(host: _types.Host, detail: _types.Record) -> Iterator[str]:
    reason = (detail.get("remediation") or {}).get("reason")
    if reason:
        yield f"<p>{escape(_words.sentence(reason))}</p>\n"
    for incident in detail["incidents"]:
        cause = _words.CAUSES.get(incident["cause"], incident["cause"])
        yield f"<p><b>{escape(cause)}.</b> {escape(_words.sentence(incident.get('reason') or ''))}</p>\n"
        for event in incident["events"]:
            where = f"{event['source']}:{event['line']}" if event.get("source") and event.get("line") else ""
            where = _words.join((str(event.get("time") or ""), where))
            yield f'<div class="log"><small>{escape(where)}</small>{escape(event.get("message") or event["kind"])}</div>\n'
    if detail["findings"]:
        yield "<ul>"
        for name, severity, title, _evidence, (remedy, _variable, _docs) in detail["findings"]:
            command = f" <code>{escape(remedy)}</code>" if remedy else ""
            yield f"<li>{escape(name)}, {escape(severity)}: {escape(_words.sentence(title or ''))}{command}</li>\n"
        yield "</ul>"
    yield f"<p>{escape(_words.graded(host.states, host.page_size, ()))} Free blocks by order:</p>\n<ul>"
    many = len({node for node, _zone, _free in detail["free"]}) > 1
    for node, zone, free in detail["free"]:
        where = f"{zone}, NUMA node {node}" if many else zone
        yield f"<li>{escape(where)}: {', '.join(f'{count:,}' for count in free)}</li>\n"
    yield "</ul>\n"


def findings(fleet: _types.Fleet) -> Iterator[str]:
    if fleet.coverage["not_assessed"] == fleet.coverage["audited"] or len(fleet.hosts) == 1:
        return
    yield '<section id="findings" aria-labelledby="findings-title">'
    yield '<h2 id="findings-title">Findings across the fleet</h2>\n'
    if fleet.findings:
        yield '<div class="card findings">'
        for finding in fleet.findings:
            yield from _finding(finding)
        yield "</div>\n"
    else:
        yield "<p>None.</p>\n"
    yield "</section>\n"


def _finding(finding: _types.Finding) -> Iterator[str]:
    level = sign(finding.severity if finding.severity in _SIGNS else "unknown")
    count = _words.plural(len(finding.hosts), "node")
    yield f'<details id="{escape("finding=" + finding.id)}"><summary>{level} <small>{escape(finding.id)}</small> '
    yield f"{escape(finding.title)} <b>{count}</b></summary>\n"
    # Only an address that leads to a page becomes a link.
    web = finding.docs.startswith("https://")
    docs = f' <a href="{escape(finding.docs)}" rel="noopener noreferrer">More about it</a>' if web else ""
    yield f"<p>{escape(finding.meaning)}{docs}</p>\n"
    yield f'<p><a href="{link(finding=finding.id)}">Show the {count}</a></p>\n'
    for (action, will_help, remedy), hosts in finding.remedies.items():
        title = _actions.KINDS[action].title if action in _actions.KINDS else action
        helps = _actions.WILL_HELP_WORDS[will_help] if action != "none" else ""
        names = ", ".join(f'<a href="{link(node=name)}">{name_of(name)}</a>' for name in hosts[:5])
        more = f" and {len(hosts) - 5:,} more" if len(hosts) > 5 else ""
        what = f"{title} ({helps})" if helps else title if action != "none" else "To look closer"
        yield f"<p><b>{escape(what)}</b>, {_words.plural(len(hosts), 'node')}: {names}{more}</p>\n"
        yield _command(remedy) if remedy else ""
    if finding.variable:
        yield f"<p>For good: <code>{escape(finding.variable)}</code> of the role memfrag_tuning.</p>\n"
    yield "</details>\n"


def outliers(fleet: _types.Fleet) -> Iterator[str]:
    found = [(host, out) for host in fleet.hosts for out in host.outliers]
    if not found:
        return
    yield '<section id="outliers" aria-labelledby="outliers-title"><h2 id="outliers-title">Unlike their peers</h2>\n'
    caption = "Nodes far from the median of those with the same kernel and about the same memory."
    columns = ("Node", "What", "#Here", "#Median", "#Peers")
    yield from _table("outliers", caption, columns, (_outlier(*each) for each in found[:MOST_OUTLIERS]))
    if len(found) > MOST_OUTLIERS:
        yield f"<p><small>And {len(found) - MOST_OUTLIERS:,} more, on the pages of the nodes.</small></p>\n"
    yield "</section>\n"


def _outlier(host: _types.Host, out: _types.Outlier) -> str:
    metric = next(metric for metric in _outliers.METRICS if metric.id == out.metric)
    return (
        f'<tr><th scope="row"><a href="{link(node=host.name)}">{name_of(host.name)}</a></th><td>{metric.title}</td>'
        f'<td class="num">{_quantity(out.value, metric.unit)}</td>'
        f'<td class="num">{_quantity(out.median, metric.unit)}</td><td class="num">{out.peers:,}</td></tr>\n'
    )


def _quantity(value: int, unit: str) -> str:
    return _words.size(value) if unit == "kB" else f"{value:,}{' %' if unit == '%' else ''}"


def problems(fleet: _types.Fleet) -> Iterator[str]:
    if not fleet.problems:
        return
    yield '<section id="skipped" aria-labelledby="skipped-title">'
    yield '<h2 id="skipped-title">Records that were skipped</h2>\n'
    yield '<ul class="skipped">'
    for problem in fleet.problems[:MOST_STATIC]:
        yield f"<li>{escape(problem)}</li>\n"
    if len(fleet.problems) > MOST_STATIC:
        yield f"<li>and {len(fleet.problems) - MOST_STATIC:,} more, in report.json</li>"
    yield "</ul></section>\n"


def footer(fleet: _types.Fleet) -> Iterator[str]:
    cells = "".join(
        f'<span class="h{step}">{"–" if step == len(_HEAT) - 1 else 12}</span><small>{words}</small>'
        for step, words in enumerate(_HEAT)
    )
    run = f" Run {escape(fleet.run_id)}." if fleet.run_id else ""
    where = _words.plural(fleet.directories, "directory", "directories")
    yield "</main>\n<footer>\n" + _LEGEND.format(cells=cells)
    yield f"<p>Made from records in {where}.{run} "
    yield "A level sums up the findings listed with it and serves to compare nodes; it is no promise of service.</p>\n"
    yield "</footer>\n"
