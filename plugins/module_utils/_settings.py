# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Applies the plan of _tuning.py to a node: record, live values, drop-in file, in this order; and takes it all back.

The record of the previous values is written before the first setting is. A run that is killed at any point leaves a record
for every setting it may have changed, and no file that is only half written. One run at a time: each holds a lock from its first
look at the node to its end.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import re
import time

from . import _node_locks, _tuning
from ._node import NodeError
from ._observation import observe, resolve_subset
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

# In a directory that only root may write to, so that nobody else can hold it; the second is for el6. It goes with the run.
LOCK_FILES = ("/run/memfrag-settings.lock", "/var/run/memfrag-settings.lock")
# A large rise takes a minute in steps.
LOCK_SECONDS = 300

# Between two steps of a large rise, and the memory pressure, in percent, at which it is broken off and taken back.
STEP_PAUSE = 1.0
_STEP_PRESSURE = 5.0


class ApplyError(Exception):
    """Nothing was changed, or what was changed was taken back; the message says which setting, and why. ``left`` is what was not."""

    def __init__(self, message, left=()):
        super(ApplyError, self).__init__(message)
        self.left = left


def path_of(name):
    return "/proc/sys/vm/" + name


def gather(node, more=()):
    """The facts that settings are computed from, as they were seen, and ``more`` subsets of them."""
    return observe(node, resolve_subset(_SUBSET + tuple(more)))


def load_record(node):
    """-> {name: {"previous", "applied", and while a run is on its way "steps"}} of the settings that were tuned.

    Raises ApplyError for a record that is damaged, or that somebody else than root could have written.
    """
    if not node.exists(RECORD):
        return {}
    try:
        record = node.read_json(RECORD)["settings"]
        if all(_is_entry(known) for known in record.values()):
            return record
    except NodeError as error:
        raise ApplyError(str(error))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ApplyError("%s: this is no record of previous values; mend it, or remove it to forget them" % RECORD)


def _is_entry(known):
    values = [known["previous"], known["applied"]] + list(known.get("steps", ()))
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def apply(node, settings, state="present", read_only="warn", check_mode=False, prefix="vm.", pause=time.sleep):
    """Makes the settings so, or with ``state`` absent takes everything back.

    settings   {name: "leave", "auto" or a number}; checked here, before anything is written
    read_only  "warn" or "fail", for nodes whose /proc/sys cannot be written to
    -> {"changed", "settings": rows of _tuning.plan() with "changed" and "reached", "drop_in": {"path", "before", "after"},
    "live": {"before": {...}, "after": {...}}, "warnings": [...], "read_only": why, or None}
    Raises OptionError, or ApplyError with nothing left changed.
    """
    path = next((path for path in LOCK_FILES if node.exists(path.rpartition("/")[0])), None)
    if path is None:
        raise ApplyError("no directory for the lock: none of %s" % ", ".join(LOCK_FILES))
    try:
        with _node_locks.lock(node, path, not check_mode, LOCK_SECONDS, remove=True) as held:
            if not held:
                raise ApplyError("%s: another run has been changing the settings for %d seconds" % (path, LOCK_SECONDS))
            return _apply(node, settings, state, read_only, check_mode, prefix, pause)
    except NodeError as error:
        raise ApplyError(str(error))


def _apply(node, settings, state, read_only, check_mode, prefix, pause):
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
    files = _files(node, drop_in["after"], after)
    result = {
        "changed": bool(changes and not blocked) or any(files.values()),
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
        _clear(node)
        if result["changed"]:
            _write(node, record, after, [] if blocked else changes, drop_in, pause)
        _clear(node, with_directory=not after)
    return result


def _files(node, drop_in, record):
    """{path: whether it has to be written, removed, or given its owner and mode back}"""
    wanted = {DROP_IN: drop_in, RECORD: _record_text(record)}
    differ = {path: node.file_differs(path, text) if text else node.exists(path) for path, text in wanted.items()}
    if record:
        differ[RECORD_DIRECTORY] = node.own_directory(RECORD_DIRECTORY, check_mode=True)
    return differ


def _clear(node, with_directory=False):
    """Removes what runs that were killed have left; the directory only where it is empty, since the node tool has it, too."""
    node.remove_temporary(DROP_IN)
    node.remove_temporary(RECORD)
    if with_directory and node.is_empty_directory(RECORD_DIRECTORY):
        node.remove(RECORD_DIRECTORY)


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
            entry = {"previous": known["previous"] if known else row["current"], "applied": row["file"]}
            if known and blocked and row["steps"]:
                # The kernel keeps what an earlier run gave it: that is ours to put back all the same.
                entry = _with_steps(entry, [known["applied"]] + list(known.get("steps", ())))
            new[row["name"]] = entry
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


def _write(node, record, after, changes, drop_in, pause):
    meanwhile = _meanwhile(record, after, changes)
    _write_record(node, meanwhile)
    try:
        _write_live(node, changes, pause)
        try:
            _write_drop_in(node, drop_in["after"])
            _write_record(node, after)
        except NodeError as error:
            raise _taken_back(node, changes, error, drop_in["before"])
    except ApplyError as error:
        if not error.left:
            _restore_record(node, record)
        raise


def _restore_record(node, record):
    try:
        _write_record(node, record)
    except NodeError:
        # The one that is there has all that this one has, and more.
        pass


def _meanwhile(record, after, changes):
    """The record while a run is on its way: of every setting all values that it may have at any moment.

    What is about to change is on record before it changes; what is put back is forgotten only afterwards.
    """
    steps = {row["name"]: row["steps"] for row in changes}
    meanwhile = {}
    for name in sorted(set(record) | set(after)):
        known, new = record.get(name), after.get(name)
        entry = dict(new or known)
        ours = set(steps.get(name, ()))
        if known:
            ours.update([known["applied"]], known.get("steps", ()))
        meanwhile[name] = _with_steps(entry, ours.union(entry.get("steps", ())))
    return meanwhile


def _with_steps(entry, values):
    """The entry of a setting that may have any of the values as well."""
    steps = sorted(set(values) - {entry["previous"], entry["applied"]})
    entry = {"previous": entry["previous"], "applied": entry["applied"]}
    return dict(entry, steps=steps) if steps else entry


def _record_text(record):
    if not record:
        return ""
    return json.dumps({"schema_version": 1, "settings": record}, indent=1, sort_keys=True) + "\n"


def _write_record(node, record):
    text = _record_text(record)
    if text:
        node.own_directory(RECORD_DIRECTORY)
        if node.file_differs(RECORD, text):
            node.write_file(RECORD, text)
            # The drop-in may be on another file system, and outlive a loss of power without its record.
            node.settle(RECORD)
    else:
        node.remove(RECORD)


def _write_drop_in(node, text):
    if not text:
        node.remove(DROP_IN)
    elif node.file_differs(DROP_IN, text):
        node.make_directory(DROP_IN.rpartition("/")[0])
        node.write_file(DROP_IN, text)


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
        raise _taken_back(node, done, error)


def _taken_back(node, changes, error, drop_in=None):
    """Gives the running kernel, and the file, what they had. -> the ApplyError that says so, and what could not be taken back."""
    left = []
    try:
        if drop_in is not None:
            _write_drop_in(node, drop_in)
    except NodeError as failure:
        left.append(str(failure))
    for row in reversed(changes):
        try:
            node.write_value(path_of(row["name"]), row["current"])
        except NodeError as failure:
            left.append(str(failure))
    return ApplyError("%s; %s" % (error, "; ".join(left) if left else "everything is as it was before"), left)


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
