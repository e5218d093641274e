# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""The templates of report.html, ``templates/``. What they are given is text of others: escaped, and what nobody would see spelled out.

Only Python gives them markup, as ``markupsafe.Markup``, and only our own. Jinja2 and markupsafe come with ansible-core.
"""

from __future__ import annotations

import functools
import os
import typing as t
import urllib.parse
from collections.abc import Iterator, Mapping

import jinja2
import markupsafe

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._report import _actions, _types, _words

DIRECTORY = os.path.join(os.path.dirname(__file__), "templates")

# Levels have a sign and a word besides the colour.
SIGNS = {"critical": "▲", "high": "◆", "medium": "●", "low": "✓", "unknown": "?", "info": "i"}


def shown(value: t.Any) -> t.Any:
    """Text as the page has it; markup as it is."""
    if isinstance(value, markupsafe.Markup):
        return value
    # A lone surrogate has no place in UTF-8.
    return _words.visible(value).encode("utf-8", "replace").decode("utf-8")


def link(**state: str) -> str:
    """A link to a state of the list, which the script keeps in the part of the address behind "#"."""
    # As the script has it.
    words = {key: _words.visible(value) for key, value in state.items()}
    return "#" + "&".join(
        f"{key}={urllib.parse.quote(value, safe='', errors='replace')}" for key, value in words.items()
    )


def _remedies(finding: _types.Finding) -> list[dict[str, t.Any]]:
    """What is to be done about a finding: what helps one node need not help the next."""
    found = []
    for (action, will_help, command), hosts in finding.remedies.items():
        title = _actions.KINDS[action].title if action in _actions.KINDS else action
        helps = _actions.WILL_HELP_WORDS[will_help] if action != "none" else ""
        what = f"{title} ({helps})" if helps else title if action != "none" else "To look closer"
        found.append({"what": what, "hosts": hosts, "command": command})
    return found


_FILTERS: dict[str, t.Callable[..., t.Any]] = {
    "dotted": _words.join,
    "lower_first": lambda words: words[:1].lower() + words[1:],
    "graded": lambda host: _words.graded(host.states, host.page_size, ()),
    "helps": _actions.helps,
    "plural": _words.plural,
    "quantity": _words.quantity,
    "remedies": _remedies,
    "sentence": _words.sentence,
    "size": _words.size,
    "thousands": "{:,}".format,
    "todo": _actions.title_of,
    "format_time": _words.format_time,
}


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DIRECTORY),
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(_FILTERS)
    made.globals.update(link=link, SIGNS=SIGNS, CAUSES=_words.CAUSES)
    return made


def render(name: str, values: Mapping[str, t.Any]) -> Iterator[str]:
    """The text of a template in parts."""
    return _environment().get_template(name).generate(values)
