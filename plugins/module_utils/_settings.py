# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Applies the plan of _tuning.py to a node: record, live values, drop-in file, in this order; and takes it all back.

The record of the previous values is written before the first setting is. A run that is killed at any point leaves a record
for every setting it may have changed, and no file that is only half written.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import re
import time

from . import _facts, _tuning
from ._node import NodeError
from ._options import OptionError
from ._procfs import pressure

DROP_IN = "/etc/sysctl.d/90-memfrag.conf"
RECORD_DIRECTORY = "/var/lib/memfrag"
RECORD = RECORD_DIRECTORY + "/sysctl.json"

_SUBSET = ("kernel", "zones", "migratetypes", "meminfo", "sysctl", "transparent_hugepage")

_HEADER = """\
# Made by the Ansible collection kernelops.memfrag; changes here will be lost. The role memfrag_tuning has a variable for each
# of these settings. With memfrag_tuning_state=absent it puts the values from before back.
"""

# systemd-sysctl(8), sysctl(8): of files of the same name the first directory wins, of settings the last file by name.
_SYSCTL_DIRECTORIES = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)

# Between two steps of a large rise, and the memory pressure, in percent, at which it is broken off and taken back.
STEP_PAUSE = 1.0
_STEP_PRESSURE = 5.0


class ApplyError(Exception):
    """Nothing was changed, or what was changed was taken back; the message says which setting, and why."""


def path_of(name):
    return "/proc/sys/vm/" + name


def gather(node):
    return _facts.collect(node, _SUBSET)


def load_record(node):
    """-> {name: {"previous", "applied", maybe "also"}} of the settings that were tuned; raises ApplyError for a damaged record."""
    try:
        text = node.read_text(RECORD, 1048576)
    except NodeError as error:
        if error.missing:
            return {}
        raise ApplyError(str(error))
    try:
        record = json.loads(text)["settings"]
        if all(isinstance(known[value], int) for known in record.values() for value in ("previous", "applied")):
            return record
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ApplyError("%s: this is no record of previous values; mend it, or remove it to forget them" % RECORD)


def apply(node, settings, state="present", read_only="warn", check_mode=False, prefix="vm.", pause=time.sleep):
    """Makes the settings so, or with ``state`` absent takes everything back.

    settings   {name: "leave", "auto" or a number}; checked here, before anything is written
    read_only  "warn" or "fail", for nodes whose /proc/sys cannot be written to
    -> {"changed", "settings": rows of _tuning.plan() with "changed" and "reached", "drop_in": {"path", "before", "after"},
    "live": {"before": {...}, "after": {...}}, "warnings": [...], "read_only": why, or None}
    Raises OptionError, or ApplyError with nothing left changed.
    """
    facts = gather(node)
    wanted = _tuning.check(settings, prefix, facts) if state == "present" else {}
    record = load_record(node)
    rows = _tuning.plan(wanted, facts, record)
    refused = [row for row in rows if row["refused"]]
    if refused:
        raise OptionError("; ".join("%s%s: %s" % (prefix, row["name"], row["why"]) for row in refused))
    changes = [row for row in rows if row["steps"]]
    blocked = _blocked(node, changes)
    if blocked and read_only == "fail":
        raise ApplyError("the settings cannot be changed: %s" % blocked)
    after = _new_record(rows, record, blocked)
    drop_in = {"path": DROP_IN, "before": _read(node, DROP_IN), "after": drop_in_text(rows)}
    result = {
        "changed": bool(changes and not blocked) or drop_in["before"] != drop_in["after"] or record != after,
        "settings": rows,
        "drop_in": drop_in,
        "live": {"before": _values(rows, "current"), "after": _values(rows, "current" if blocked else "value")},
        "warnings": [row["warning"] for row in rows if row["warning"]] + _overridden(node, rows),
        "read_only": blocked,
    }
    for row in rows:
        row["changed"] = bool(row["steps"]) and not blocked
        row["reached"] = row["value"] if row["changed"] else row["current"]
    if blocked:
        result["warnings"].append("the running kernel keeps its settings, only the files were written: %s" % blocked)
    if not check_mode:
        _write(node, rows, record, after, [] if blocked else changes, drop_in, pause)
    return result


def _values(rows, which):
    return {"vm." + row["name"]: row[which] for row in rows if row["current"] is not None}


def _read(node, path):
    try:
        return node.read_text(path, 1048576)
    except NodeError as error:
        if error.missing:
            return ""
        raise ApplyError(str(error))


def _blocked(node, changes):
    """Why /proc/sys cannot be written to, or None. Opening does not change anything."""
    for row in changes:
        try:
            node.check_writable(path_of(row["name"]))
        except NodeError as error:
            return str(error)
    return None


def _new_record(rows, record, blocked):
    """What has been tuned when all is done: {name: {previous, applied}}."""
    new = {}
    for row in rows:
        known = record.get(row["name"])
        if row["file"] is not None:
            new[row["name"]] = {"previous": known["previous"] if known else row["current"], "applied": row["file"]}
        elif known and blocked and row["steps"]:
            # It could not be put back, so it must not be forgotten.
            new[row["name"]] = known
    return new


def drop_in_text(rows):
    """The drop-in file; "" where there is nothing to be in it."""
    lines = [
        "# %s\nvm.%s = %d\n" % (row["why"].partition("; ")[0], row["name"], row["file"])
        for row in rows
        if row["file"] is not None
    ]
    return _HEADER + "".join(lines) if lines else ""


def _write(node, rows, record, after, changes, drop_in, pause):
    # What is about to change is on record before it changes; what is put back is forgotten only afterwards.
    meanwhile = dict(record)
    for name, entry in after.items():
        known = record.get(name, entry)
        meanwhile[name] = dict(entry, also=known["applied"]) if known["applied"] != entry["applied"] else entry
    try:
        _write_record(node, meanwhile, record)
        try:
            _write_live(node, changes, pause)
        except ApplyError:
            _write_record(node, record, meanwhile)
            raise
        if drop_in["after"] != drop_in["before"]:
            if drop_in["after"]:
                node.make_directory(DROP_IN.rpartition("/")[0])
                node.write_file(DROP_IN, drop_in["after"])
            else:
                node.remove(DROP_IN)
        _write_record(node, after, meanwhile)
    except NodeError as error:
        raise ApplyError(str(error))


def _write_record(node, record, there):
    if record == there:
        return
    if record:
        node.make_directory(RECORD_DIRECTORY)
        node.write_file(RECORD, json.dumps({"schema_version": 1, "settings": record}, indent=1, sort_keys=True) + "\n")
    else:
        node.remove(RECORD)


def _write_live(node, changes, pause):
    """All of the changes, or none: at the first that fails the others are taken back."""
    done = []
    try:
        for row in changes:
            done.append(row)
            for number, value in enumerate(row["steps"]):
                if number:
                    pause(STEP_PAUSE)
                    _stop_under_pressure(node, row)
                node.write_value(path_of(row["name"]), value)
            text = node.read_text(path_of(row["name"])).strip()
            if text != str(row["value"]):
                raise ApplyError("vm.%s: the kernel has made %s of %d" % (row["name"], text, row["value"]))
    except (NodeError, ApplyError) as error:
        kept = []
        for row in reversed(done):
            try:
                node.write_value(path_of(row["name"]), row["current"])
            except NodeError as failure:
                kept.append(str(failure))
        raise ApplyError("%s; %s" % (error, "; ".join(kept) if kept else "everything is as it was before"))


def _stop_under_pressure(node, row):
    try:
        some = pressure.parse_pressure(node.read_text("/proc/pressure/memory"))[0].get("some_avg10", 0)
    except NodeError:
        return
    if some > _STEP_PRESSURE:
        raise ApplyError("vm.%s: memory pressure rose to %.2f %% on the way to %d" % (row["name"], some, row["value"]))


# --- other files --------------------------------------------------------------------------------------------------

_ASSIGNMENT = re.compile(r"^[ \t]*-?[ \t]*vm[./]([a-z_]+)\s*=", re.MULTILINE)


def _overridden(node, rows):
    """Warnings of files that are read after the drop-in at boot, and set the same."""
    ours = DROP_IN.rpartition("/")[2]
    names = {row["name"] for row in rows if row["file"] is not None}
    files = {}
    for directory in reversed(_SYSCTL_DIRECTORIES):
        for path in node.glob(directory + "/*.conf"):
            files[path.rpartition("/")[2]] = path
    later = [(path, name) for name, path in sorted(files.items()) if name > ours] + [
        ("/etc/sysctl.conf", "sysctl.conf")
    ]
    warnings = []
    for path, _dummy in later:
        try:
            found = names & set(_ASSIGNMENT.findall(node.read_text(path, 1048576)))
        except NodeError:
            continue
        for name in sorted(found):
            warnings.append("%s sets vm.%s as well, and may win over %s at boot" % (path, name, DROP_IN))
    return warnings


def differences(result):
    """What a diff shows of apply()'s result: the file, and the values of the running kernel."""
    drop_in, live = result["drop_in"], result["live"]
    return [
        {
            "before_header": drop_in["path"],
            "after_header": drop_in["path"],
            "before": drop_in["before"],
            "after": drop_in["after"],
        },
        {
            "before_header": "running kernel",
            "after_header": "running kernel",
            "before": "".join(_shown(row, live["before"]) for row in result["settings"]),
            "after": "".join(_shown(row, live["after"], _reason(row, result)) for row in result["settings"]),
        },
    ]


def _reason(row, result):
    """Why a setting changes, or does not although it was asked for."""
    if row["steps"] and not row["changed"]:
        return "stays: " + result["read_only"]
    return row["why"] if row["steps"] or row["wanted"] != _tuning.LEAVE and row["file"] is None else ""


def _shown(row, values, reason=""):
    name, reason = "vm." + row["name"], "  # " + reason if reason else ""
    if name in values:
        return "%s = %s%s\n" % (name, values[name], reason)
    return name + reason + "\n" if reason else ""


# --- a look before anything is changed ----------------------------------------------------------------------------


def preview(node, settings, policy, schedule, seed, variable_prefix):
    """Everything that the role is about to do, checked: -> {"settings", "policy", "schedule", "proactive", "memory"}.

    Raises a ValueError that names all settings, options of the policy and fields of the schedule that are wrong.
    """
    from . import _schedule
    from ._compaction import target

    facts, job = gather(node), variable_prefix and variable_prefix + "compaction_"
    wrong, rows, complete, fields = [], [], None, None
    try:
        rows = _tuning.plan(_tuning.check(settings, variable_prefix or "vm.", facts), facts, load_record(node))
        wrong.extend("%s%s: %s" % (variable_prefix or "vm.", row["name"], row["why"]) for row in rows if row["refused"])
    except OptionError as error:
        wrong.append(str(error))
    try:
        complete = target.complete(policy)
        target.measure(facts, complete)
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
        "schedule": fields,
        "proactive": proactive,
        "memory": _tuning.memory(facts),
    }
