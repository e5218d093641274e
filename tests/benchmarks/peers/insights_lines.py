# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What insights-core has for memory, used as its documentation says: a rule with filters over its parsers. It ships no rule that judges them.

usage, in its own environment: insights_lines.py ROOT     prints JSON: {lines: [...], zones: number}
"""

from __future__ import annotations

import json
import sys

from insights import dr, load_default_plugins, make_info, rule, run
from insights.core.filters import add_filter
from insights.parsers.buddyinfo import BuddyInfo
from insights.parsers.messages import Messages
from insights.specs import Specs

load_default_plugins()
for specs in ("insights.specs.default", "insights.specs.sos_archive"):
    dr.load_components(specs)

WORDS = ["page allocation failure", "invoked oom-killer", "Out of memory"]
add_filter(Specs.messages, WORDS)


@rule(optional=[Messages, BuddyInfo])
def memory(messages, buddyinfo):
    lines = [line["raw_message"] for word in WORDS for line in messages.get(word)] if messages else []
    return make_info("MEMORY", lines=lines, zones=len(list(buddyinfo)) if buddyinfo else 0)


if __name__ == "__main__":
    found = run(memory, root=sys.argv[1])[memory]
    print(json.dumps({"lines": found["lines"], "zones": found["zones"]}))
