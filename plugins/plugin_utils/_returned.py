# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What is taken of the answers of the modules that run on nodes: name of the module -> its keys, each held to its shape.

The roles write of it into units, jobs and policies of that node, and name files by it. Meaning and units are in the modules' documentation.
"""

from __future__ import annotations

from ansible_collections.kernelops.memfrag.plugins.module_utils import _exporter, _tuning
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import run, target
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _contracts
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._shapes import (
    MOST,
    AnyOf,
    Bool,
    Fields,
    Int,
    ListOf,
    MapOf,
    Nullable,
    Number,
    OneOf,
    Shape,
    Text,
)

_LINE = Text(4096, r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*", "one line of text")
_PATH = Text(4096, r"/[^\x00-\x1f\x7f]*", "an absolute path")
_PATHS = ListOf(_PATH, 4096)
_UNIT = Text(255, r"[A-Za-z0-9:_.@\\-]*", "the name of a unit")
_FLAG = Text(4096, r"--[^\x00-\x20\x7f]*", "a flag")
_ORDER = Int(0, _contracts.MOST_ORDERS - 1)
_VALUE = Nullable(Int(0, MOST))
_WANTED = AnyOf("leave, auto or a number", OneOf("leave", "auto"), Int(0, MOST))
# The fields of cron, and of OnCalendar= of a timer.
_TIMES = Text(200, r"[0-9*/,-]+", "a field of cron")
_CALENDAR = Text(2000, r"\*-\*-\* [0-9*/,.:-]+", "a calendar event")

_SETTING = Fields(
    {"name": OneOf(*map(str, _tuning.NAMES)), "wanted": _WANTED, "current": _VALUE, "value": _VALUE, "why": _LINE},
    {
        "previous": _VALUE,
        "reached": _VALUE,
        "file": _VALUE,
        "steps": ListOf(Int(0, MOST), 1024),
        "changed": Bool(),
        "warning": _LINE,
        "refused": Bool(),
    },
)
_SETTINGS = ListOf(_SETTING, len(_tuning.NAMES))
_OPTION = AnyOf(
    "a word, a number, or a list of these",
    Nullable(Bool()),
    Number(-MOST, MOST),
    _LINE,
    ListOf(AnyOf("a word or a number", Number(-MOST, MOST), _LINE), 4096),
)
_POLICY = Fields(
    {"time_limit_seconds": Int(1, 3600), "allow_container": Bool()},
    {name: _OPTION for name in target.OPTIONS if name not in ("time_limit_seconds", "allow_container")},
)
_NUMBER = AnyOf("a number, true or false", Nullable(Bool()), Number(-MOST, MOST))
# Any part of the facts may be left out.
FACTS = Fields({}, {**_contracts.FACTS.needed, **_contracts.FACTS.optional})

# None: whatever it is.
RETURNED: dict[str, dict[str, Shape | None]] = {
    # The remediation knows what to make of each of them, whatever it is.
    "memfrag_compact": dict.fromkeys(run.RETURNED),
    "memfrag_exporter": {
        "way": OneOf("none", *(str(row[0]) for row in _exporter.WAYS), _exporter.COLLECTION),
        "service": _UNIT,
        "textfile_directory": AnyOf("an absolute path, or nothing", Text(0), _PATH),
        "flags": ListOf(_FLAG, 64),
    },
    "memfrag_facts": {"ansible_facts": Fields({"memfrag": FACTS})},
    "memfrag_journal_info": {**_contracts.JOURNAL.needed, **_contracts.JOURNAL.optional},
    "memfrag_sysctl": {"settings": _SETTINGS, "read_only": Nullable(_LINE), "drop_in": _PATH, "record": _PATH},
    "memfrag_tool": {"path": _PATH, "removed": _PATHS},
    "memfrag_tuning_info": {
        "settings": _SETTINGS,
        "policy": _POLICY,
        "orders": ListOf(Fields({"order": _ORDER, "needed_by": ListOf(_LINE, 64)}), _contracts.MOST_ORDERS),
        "schedule": Fields(
            {
                "scheduler": OneOf("cron", "systemd"),
                "minute": _TIMES,
                "hour": _TIMES,
                "on_calendar": _CALENDAR,
            }
        ),
        "proactive": Bool(),
        "memory": MapOf(Text(64), _NUMBER, 64),
    },
    "memfrag_watch": {**_contracts.WATCH.needed, **_contracts.WATCH.optional, "skipped": Bool()},
}
