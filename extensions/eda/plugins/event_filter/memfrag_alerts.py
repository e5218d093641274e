# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event filter of ansible-rulebook: a notification of Alertmanager -> one event for each node that is to be mended, nothing of anything else.

What comes in is data from anywhere, and ansible-rulebook hands events to Ansible as variables, which are templates there. So nothing is passed
on but a host name that is plain, an alert name that is plain, and what is made here:

    {"memfrag": {"host": "node17", "alert": "MemfragCompactionHelps", "run_id": "20261126T080000Z-alert-5f3a9c21"}, "meta": {"hosts": ["node17"]}}

ansible-rulebook runs this file by itself, without the collection around it.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
import typing as t

DOCUMENTATION = r"""
short_description: Takes from a notification of Alertmanager the nodes that compaction will help.
description:
  - An alert counts if it is firing, its label C(remedy) is C(compact), it has no label C(will_help) that says otherwise, and its label
    C(instance) is the plain name of one host, letters, digits and C(. _ -), no pattern of any kind. All others are left out.
  - If a notification is about more nodes than O(max_nodes), none is taken. That is a case for people.
options:
  max_nodes:
    description: So many nodes in one notification are mended by themselves. ansible-rulebook puts no variables in here.
    type: int
    default: 20
"""

EXAMPLES = r"""
- eda.builtin.webhook:
    host: 127.0.0.1
    port: 5055
    token: "{{ memfrag_eda_token }}"
  filters:
    - kernelops.memfrag.memfrag_alerts:
        max_nodes: 20
"""

LOGGER = logging.getLogger("kernelops.memfrag.memfrag_alerts")

REMEDY = "compact"
# A letter or a digit at both ends: nothing that Ansible takes for a pattern, a file or an option.
PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
# Groups that every inventory has.
GROUPS = frozenset(("all", "ungrouped"))

_ALERT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_MOST_SAID = 5


def main(event: t.Any, max_nodes: int = 20) -> list[dict[str, t.Any]]:
    """``event``: what eda.builtin.webhook has made of a request; whatever it is, none is an error."""
    payload = event.get("payload") if isinstance(event, dict) else None
    alerts = payload.get("alerts") if isinstance(payload, dict) else None
    if not isinstance(alerts, list):
        LOGGER.warning("Not a notification of Alertmanager, left out")
        return []
    wanted = [alert for alert in alerts if _wants_compaction(alert)]
    # Alertmanager may have kept some back (max_alerts). It says how many, not which.
    kept_back = payload.get("truncatedAlerts", 0) if wanted else 0
    if not isinstance(kept_back, int) or kept_back < 0 or len(wanted) + kept_back > max_nodes:
        LOGGER.warning(
            "%d alerts at once, %s more not shown; at most %d are acted on by themselves, so none is",
            *(len(wanted), _shown(kept_back)[:20], max_nodes),
        )
        return []
    found: dict[str, str] = {}
    odd = []
    for alert in wanted:
        host, name = alert["labels"].get("instance"), alert["labels"].get("alertname")
        if plain(host):
            found.setdefault(host, name if isinstance(name, str) and _ALERT.fullmatch(name) else "unnamed")
        else:
            odd.append(host)
    for host in odd[:_MOST_SAID]:
        LOGGER.warning("The label instance is not the plain name of a host, left out: %s", _shown(host))
    return [_event(host, alert) for host, alert in found.items()]


def plain(host: t.Any) -> bool:
    """Whether this can only be the name of one host."""
    return isinstance(host, str) and PLAIN.fullmatch(host) is not None and host.lower() not in GROUPS


def _shown(value: t.Any) -> str:
    """Text and numbers as they are, of anything else what it is: a list may be nested without end."""
    if isinstance(value, str):
        return ascii(value[:80])[:80]
    return str(value) if isinstance(value, (int, float)) and -1e18 < value < 1e18 else type(value).__name__


def _wants_compaction(alert: t.Any) -> bool:
    labels = alert.get("labels") if isinstance(alert, dict) else None
    return (
        isinstance(labels, dict)
        and alert.get("status") == "firing"
        and labels.get("remedy") == REMEDY
        and labels.get("will_help", "true") in ("true", "1")
    )


def _event(host: str, alert: str) -> dict[str, t.Any]:
    run_id = time.strftime("%Y%m%dT%H%M%SZ-alert-", time.gmtime()) + secrets.token_hex(4)
    return {"memfrag": {"host": host, "alert": alert, "run_id": run_id}, "meta": {"hosts": [host]}}
