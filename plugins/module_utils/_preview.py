# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""A look before anything is changed: all that the tuning role is about to do on a node, checked against that node."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import _grading, _schedule, _settings, _tuning
from ._compaction import target
from ._options import OptionError


def preview(node, settings, policy, schedule, seed, variable_prefix):
    """Everything that the role is about to do, checked: -> {"settings", "policy", "orders", "schedule", "proactive", "memory"}.

    orders   what the job's order stands for on this node, as _compaction.target.resolve() has it

    Raises a ValueError that names all settings, options of the policy and fields of the schedule that are wrong.
    """
    facts = _grading.grade(_settings.gather(node, target.subset({"order": target.AUTO})))
    job = variable_prefix and variable_prefix + "compaction_"
    wrong, rows, complete, orders, fields = [], [], None, [], None
    try:
        rows = _tuning.plan(
            _tuning.check(settings, variable_prefix or "vm.", facts), facts, _settings.load_record(node)
        )
        wrong.extend("%s%s: %s" % (variable_prefix or "vm.", row["name"], row["why"]) for row in rows if row["refused"])
    except OptionError as error:
        wrong.append(str(error))
    try:
        complete = target.complete(policy)
        orders = target.resolve(facts, complete)["orders"]
        target.zones_of(facts, complete)
    except OptionError as error:
        wrong.append(job + str(error))
    values = {row["name"]: row["value"] for row in rows}
    proactive = bool(values.get("compaction_proactiveness"))
    try:
        fields = _schedule.resolve(
            _schedule.check(schedule, job),
            seed,
            cron=node.exists("/etc/cron.d"),
            systemd=node.exists("/run/systemd/system"),
            proactive=proactive,
            prefix=job,
        )
    except OptionError as error:
        wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))
    return {
        "settings": rows,
        "policy": complete,
        "orders": orders,
        "schedule": fields,
        "proactive": proactive,
        "memory": _tuning.memory(facts),
    }
