# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills settings, node tool and their removal at random points, and lets two runs race: nothing may be lost or left behind.

All of it in a tree of files that stands for a node. After each interruption the promises are checked that hold at any moment; after
an uninterrupted removal the tree has to be, file by file, what it was at first.

    python tests/robustness/interrupt.py --kills 200 --races 200

The unit tests do a few of each. It needs the collection on the path: python3 tests/tools/sessions.py has it there.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import argparse
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures"))

import build_roots

from ansible_collections.kernelops.memfrag.plugins.module_utils import (
    _install,
    _metrics,
    _policy_file,
    _settings,
    _tuning,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._compaction import run, state
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_locks import lock
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import WritableNode

# Of a virtual environment the path may be too long for a script's first line.
PYTHON = os.path.join(
    getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", sys.prefix),
    "bin",
    "python%d.%d" % sys.version_info[:2],
)
CAPTURE = "6.1.0-56-cloud-amd64/healthy"
TOOL = "/sbin/memfrag"
METRICS = "/prom/memfrag.prom"

# What two administrators may want of one node; the large rises are made in steps.
SETTINGS = (
    {"min_free_kbytes": 400000, "extfrag_threshold": 300},
    {"min_free_kbytes": 300000, "vfs_cache_pressure": 200, "watermark_scale_factor": 50},
    {"extfrag_threshold": 200, "watermark_boost_factor": 10000},
    {"min_free_kbytes": "auto", "watermark_scale_factor": "auto"},
    {},
)


# A run may be done before it is killed. So many are begun for one that is.
_ATTEMPTS = 10


class Broken(AssertionError):
    """A promise that was not kept."""


def promise(kept, *words):
    if not kept:
        raise Broken(" ".join("%s" % (word,) for word in words))


def make_node(directory):
    """A tree of files with the boot id of this machine, so that it counts as running, and memory enough for rises in steps."""
    root = build_roots.build(CAPTURE, os.path.join(directory, "node"))
    node = Node(root)
    build_roots.write(root, "proc/sys/kernel/random/boot_id", Node("/").read_text("/proc/sys/kernel/random/boot_id"))
    build_roots.write(root, "sys/devices/system/node/node0/compact")
    memory = {"MemTotal:": 24684092, "MemFree:": 800000, "MemAvailable:": 24000000}
    lines = [line.split() for line in node.read_text("/proc/meminfo").splitlines()]
    text = "".join("%s %s kB\n" % (line[0], memory.get(line[0], line[1])) for line in lines)
    build_roots.write(root, "proc/meminfo", text)
    for path in ("run", "etc/sysctl.d", "etc/memfrag", "sbin", "prom", "var/lib"):
        if not os.path.isdir(os.path.join(root, path)):
            os.makedirs(os.path.join(root, path))
    os.rmdir(os.path.join(root, "etc/memfrag"))
    return root


def picture(root):
    """{path: content} of the whole tree, directories as well; what a compaction was told is the kernel's."""
    seen = {}
    for where, folders, files in os.walk(root):
        for name in folders:
            seen[os.path.join(where, name)[len(root) :]] = None
        for name in files:
            path = os.path.join(where, name)[len(root) :]
            seen[path] = Node(root).read_bytes(path)
    seen["/sys/devices/system/node/node0/compact"] = b""
    return seen


# --- what is interrupted -------------------------------------------------------------------------------------------


def tune(root, settings):
    _settings.apply(WritableNode(root), settings, pause=lambda seconds: time.sleep(0.002))


def install(root):
    node = WritableNode(root)
    _install.install(node, TOOL, PYTHON)
    node.own_directory("/etc/memfrag")
    node.write_file(_policy_file.POLICY_FILE, json.dumps({"textfile_directory": "/prom", "time_limit_seconds": 30}))


def take_back(root):
    _settings.apply(WritableNode(root), {}, state="absent", pause=lambda seconds: None)
    _install.remove(WritableNode(root), TOOL, wait_seconds=60)


def forked(function, *arguments):
    """-> the number of a process that does it, and ends with 0 if it could."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        function(*arguments)
        code = 0
    except KeyboardInterrupt:
        # As Python itself does where nobody catches it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def running(root, arguments):
    """-> the process of the node tool as its job runs it."""
    return subprocess.Popen(_command(root, arguments), cwd="/", stderr=subprocess.PIPE)


def _command(root, arguments):
    return [PYTHON, "-Es", root + TOOL] + list(arguments) + ["--root", root]


def become(root, arguments):
    """The same in the place of a process that was forked, for who only kills it."""
    os.chdir("/")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.execv(PYTHON, _command(root, arguments))


COMPACT = ("compact", "--force", "--quiet")
METER = ("metrics", "--textfile", "/prom")


# --- the promises --------------------------------------------------------------------------------------------------


def live(root):
    node = WritableNode(root)
    paths = [(name, _settings.path_of(name)) for name in _tuning.NAMES]
    return {name: int(node.read_text(path)) for name, path in paths if node.exists(path)}


def check_settings(root, first, at_rest=False):
    """Every value that is not the first one is on record with the first one; files are whole. At rest all of them say the same."""
    node = WritableNode(root)
    record = _settings.load_record(node)
    now = live(root)
    changed = {name: value for name, value in now.items() if value != first[name]}
    promise(set(changed) <= set(record), "changed and not on record:", changed, record)
    for name, entry in record.items():
        promise(entry["previous"] == first[name], "the first value is lost:", name, entry, first[name])
        ours = [entry["previous"], entry["applied"]] + entry.get("steps", [])
        promise(now[name] in ours, "not on record:", name, now[name], entry)
    text = node.read_text(_settings.DROP_IN) if node.exists(_settings.DROP_IN) else ""
    promise(not text or text.startswith("# Made by") and text.endswith("\n"), "half a file:", text)
    if at_rest:
        lines = sorted(line for line in text.splitlines() if line.startswith("vm."))
        wanted = sorted("vm.%s = %d" % (name, entry["applied"]) for name, entry in record.items())
        promise(lines == wanted, "file and record differ:", lines, wanted)
        promise(all(now[name] == entry["applied"] for name, entry in record.items()), "not as asked:", now, record)
        promise(not any("steps" in entry for entry in record.values()), "still on its way:", record)


def check_tool(root):
    """Files are whole, and the lock is free as soon as the kernel is done."""
    node = WritableNode(root)
    if node.exists(state.FILE):
        promise(state.read(node)["broken"] is None, "a broken state:", node.read_text(state.FILE))
    if node.exists(METRICS):
        promise(node.read_text(METRICS).endswith("\n"), "half a file of metrics")
        promise(METRICS in _metrics.written(node), "metrics that nobody would find")
    if node.exists(run.LOCK_FILES[0]):
        with lock(node, run.LOCK_FILES[0], wait_seconds=10) as held:
            promise(held, "the lock is still held")


def check_nothing_left(root, first):
    take_back(root)
    now = picture(root)
    left = sorted(set(now) - set(first))
    promise(not left, "left behind:", left)
    differ = [path for path in first if now.get(path, b"gone") != first[path]]
    promise(not differ, "not as it was:", differ)


# --- kills ---------------------------------------------------------------------------------------------------------


def longest(action):
    begun = time.time()
    action()
    return time.time() - begun


# Sent in turn.
SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT, "HUP": signal.SIGHUP}
SENT = [signal.SIGKILL]


def kill_often(count, begin, after, then):
    """Begins and kills until so many were killed before they were done. -> how many were. The status says by what.

    begin    -> the number of the process
    after    -> seconds until it is killed
    then     called with the number of the round, after each
    """
    killed = number = 0
    while killed < count and number < count * _ATTEMPTS:
        number += 1
        child = begin()
        time.sleep(after())
        sent = SENT[number % len(SENT)]
        os.kill(child, sent)
        status = os.waitpid(child, 0)[1]
        promise(os.WIFEXITED(status) or os.WTERMSIG(status) == sent, "ended with", status, "by", sent)
        killed += os.WIFSIGNALED(status)
        then(number)
    return killed


def kill_settings(root, count, chance):
    first, values = picture(root), live(root)
    whole = longest(lambda: tune(root, SETTINGS[0]))

    def check(number):
        check_settings(root, values)
        if number % 10 == 0:
            check_nothing_left(root, first)

    # Most of what there is to interrupt is at the beginning: the rest are the pauses between steps.
    killed = kill_often(
        count, lambda: forked(tune, root, chance.choice(SETTINGS)), lambda: whole * chance.random() ** 2, check
    )
    check_nothing_left(root, first)
    return killed


def kill_absent(root, count, chance):
    first, values = picture(root), live(root)

    def prepare():
        tune(root, chance.choice(SETTINGS))
        install(root)
        node = WritableNode(root)
        _metrics.write(node, "/prom", "x 1\n")
        node.write_file(state.FILE, '{"runs": {}}')
        build_roots.write(root, "run/memfrag.lock")
        build_roots.write(root, "etc/memfrag/.policy.json.tmp")

    def begin():
        prepare()
        return forked(take_back, root)

    def check(dummy_number):
        check_settings(root, values)
        check_tool(root)
        check_nothing_left(root, first)

    prepare()
    whole = longest(lambda: take_back(root))
    return kill_often(count, begin, lambda: chance.uniform(0, whole * 1.1), check)


def kill_tool(root, count, chance):
    first = picture(root)
    install(root)
    running(root, COMPACT).wait()
    whole = longest(lambda: running(root, COMPACT).wait())

    def check(number):
        check_tool(root)
        if number % 10 == 0:
            check_nothing_left(root, first)
            install(root)

    killed = kill_often(count, lambda: forked(become, root, COMPACT), lambda: chance.uniform(0, whole * 1.1), check)
    check_nothing_left(root, first)
    return killed


# An event of the log as syslog has it, and the series that counts it.
EVENT = (
    "%s node17 kernel: [ 42.0] runc:[1:CHILD]: page allocation failure: order:5, mode:0x10c0d0\n"
    "%s node17 kernel: [ 42.1] CPU: 3 PID: 332 Comm: runc:[1:CHILD] Not tainted 3.10.0-862.el7.x86_64 #1\n"
)
COUNTED = 'memfrag_incidents_total{kind="page_allocation_failure"'


def counted(root):
    """Events that the metrics tell of; the file is whole."""
    text = Node(root).read_text(METRICS)
    promise(text.endswith("\n") and "memfrag_collected_timestamp_seconds " in text, "half a file:", text[-200:])
    rows = [line for line in text.splitlines() if line.startswith(COUNTED)]
    promise(rows, "no counter of incidents")
    return sum(int(row.rpartition(" ")[2]) for row in rows)


def happen(root):
    """One more report in the log, long enough ago to be whole."""
    stamp = time.strftime("%b %d %H:%M:%S", time.localtime(time.time() - 60))
    path = os.path.join(root, "var/log/syslog")
    with io.open(path, "ab") as stream:
        stream.write((EVENT % (stamp, stamp)).encode("ascii"))
    os.utime(path, (time.time() - 60,) * 2)


def kill_metrics(root, count, chance):
    """Each event counts once, whenever a run is killed, and the file that is there is the last good one."""
    build_roots.write(root, "var/log/syslog", "Nov 26 00:00:00 node17 systemd[1]: Started.\n")
    first = picture(root)
    install(root)
    finished_metrics(root)
    happen(root)
    whole, told = longest(lambda: finished_metrics(root)), {"seen": 1, "happened": 1}
    promise(counted(root) == 1, "one event is counted as", counted(root))

    def begin():
        happen(root)
        told["happened"] += 1
        return forked(become, root, METER)

    def check(dummy_number):
        now = counted(root)
        promise(told["seen"] <= now <= told["happened"], "counted", now, "after", told)
        told["seen"] = now

    killed = kill_often(count, begin, lambda: chance.uniform(0, whole * 1.1), check)
    finished_metrics(root)
    promise(counted(root) == told["happened"], "counted", counted(root), "of", told["happened"])
    for path in ("var/log/syslog",):
        build_roots.write(root, path, "Nov 26 00:00:00 node17 systemd[1]: Started.\n")
    check_nothing_left(root, first)
    return killed


def finished_metrics(root):
    process = running(root, METER)
    errors = process.communicate()[1].decode("utf-8", "replace")
    promise(process.returncode == 0, "metrics have failed:", errors)


# --- races ---------------------------------------------------------------------------------------------------------


def finished(child):
    promise(os.waitpid(child, 0)[1] == 0, "a run has failed")


def race_settings(root, chance):
    values = live(root)
    pair = chance.sample(SETTINGS, 2)
    children = [forked(tune, root, settings) for settings in pair]
    for child in children:
        finished(child)
    check_settings(root, values, at_rest=True)
    record = _settings.load_record(WritableNode(root))
    explicit = [{name for name, value in settings.items() if value != "auto"} for settings in pair]
    promise(any(names <= set(record) for names in explicit), "neither has what it wants:", pair, record)


def race_settings_and_absent(root, chance):
    values = live(root)
    children = [forked(tune, root, chance.choice(SETTINGS)), forked(take_back, root)]
    for child in children:
        finished(child)
    check_settings(root, values, at_rest=True)


def race_absent(root, chance):
    tune(root, chance.choice(SETTINGS))
    install(root)
    for child in [forked(take_back, root), forked(take_back, root)]:
        finished(child)


def race_tool_and_absent(root, chance):
    install(root)
    process = running(root, COMPACT)
    time.sleep(chance.uniform(0, 0.3))
    finished(forked(take_back, root))
    errors = process.communicate()[1].decode("utf-8", "replace")
    # Python may not have read all of the file yet when it goes.
    failures = ("No such file", "find '__main__'", "ImportError", "No module named", "zipimport: can not open")
    gone = any(words in errors for words in failures)
    promise(process.returncode in (0, 2, 3, 4) or gone, "the job has failed:", process.returncode, errors)
    node = WritableNode(root)
    promise(not [path for path in (METRICS, state.DIRECTORY, TOOL) if node.exists(path)], "left behind by the job")


RACES = (race_settings, race_settings, race_settings_and_absent, race_absent, race_tool_and_absent)


def race(root, count, chance):
    first = picture(root)
    for number in range(count):
        RACES[number % len(RACES)](root, chance)
        check_nothing_left(root, first)
    return count


# --- all of it -----------------------------------------------------------------------------------------------------

KINDS = (
    ("settings", kill_settings),
    ("absent", kill_absent),
    ("tool", kill_tool),
    ("metrics", kill_metrics),
    ("races", race),
)


def interrupt(kind, count, seed, directory=None, signals=("KILL",)):
    """-> how many runs were killed before they were done, or raced. Raises Broken."""
    SENT[:] = [SIGNALS[name] for name in signals]
    place = directory or tempfile.mkdtemp(prefix="memfrag-interrupt-")
    try:
        return dict(KINDS)[kind](make_node(place), count, random.Random(seed))
    finally:
        if directory is None:
            shutil.rmtree(place)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--kills", type=int, default=200, help="of settings, of the removal, of the tool and of its metrics, each"
    )
    parser.add_argument("--signals", nargs="+", choices=sorted(SIGNALS), default=["KILL"], help="which, in turn")
    parser.add_argument("--races", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 30)
    print("seed %d" % seed)
    for kind, _dummy in KINDS:
        begun, count = time.time(), options.races if kind == "races" else options.kills
        done = interrupt(kind, count, seed, signals=options.signals)
        words = "%d races" % done if kind == "races" else "%d killed before they were done" % done
        print("%-9s %s, %.0f s: nothing lost, nothing left behind" % (kind, words, time.time() - begun))


if __name__ == "__main__":
    main()
