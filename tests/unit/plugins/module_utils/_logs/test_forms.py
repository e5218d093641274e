# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""However a log was shipped, quoted or printed, it says the same: our own logs through up to three layers of prefixes."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import random

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node

LOGS = os.path.normpath(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), *([os.pardir] * 4 + ["fixtures", "logs"]))
)


def dumps(**fields):
    return json.dumps(fields, ensure_ascii=False)


# What may be put around any line, several times over.
AROUND = {
    "quoted": lambda n, line: "> " + line,
    "quoted twice": lambda n, line: ">> " + line,
    "indented": lambda n, line: "    " + line,
    "tab": lambda n, line: "\t" + line,
    "colour": lambda n, line: "\x1b[33m" + line + "\x1b[0m",
    "escaped colour": lambda n, line: "#033[1;33m" + line + "#033[0m",
    "dos": lambda n, line: line + "\r",
    "html": lambda n, line: line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "docker": lambda n, line: dumps(log=line + "\n", stream="stderr", time="2026-03-01T07:00:00.000000001Z"),
    "cri": lambda n, line: "2026-03-01T07:00:00.%09dZ stdout F %s" % (n, line),
    "numbers of cat": lambda n, line: "%6d\t%s" % (n, line),
    "loki": lambda n, line: json.dumps(["%d" % (1772000000000000000 + n), line]),
    "logcli": lambda n, line: '2026-03-01T07:00:00Z {job="node", level="warn"} ' + line,
    "filebeat": lambda n, line: dumps(message=line, agent={"type": "filebeat", "hostname": "n"}, log={"offset": n}),
    "fluentd": lambda n, line: "2026-03-01T07:00:00+00:00\tnode.log\t" + dumps(message=line),
    "vector": lambda n, line: dumps(file="/var/log/messages", host="n", message=line, source_type="file"),
    "splunk": lambda n, line: dumps(preview=False, result={"_raw": line, "host": "n"}),
    "opentelemetry": lambda n, line: dumps(timeUnixNano="1772000000000000000", body={"stringValue": line}),
    "list": lambda n, line: "  %s," % json.dumps(line, ensure_ascii=False),
    "ts": lambda n, line: "Mar 01 07:00:%02d %s" % (n % 60, line),
    "time": lambda n, line: "2026-03-01T07:00:%02d.000+01:00 %s" % (n % 60, line),
}
# What stands before lines of the kernel alone, the outermost of the layers that are the log's own.
BEFORE = {
    "syslog": lambda n, line: "Mar  1 07:00:%02d node-17 kernel: %s" % (n % 60, line),
    "two colons": lambda n, line: "Mar  1 07:00:%02d node-17 kernel: : %s" % (n % 60, line),
    "iso": lambda n, line: "2026-03-01T07:00:%02d.000001+01:00 node-17 kernel: %s" % (n % 60, line),
    "rfc5424": lambda n, line: "<4>1 2026-03-01T07:00:%02dZ node-17 kernel - - - %s" % (n % 60, line),
    "level": lambda n, line: "<4>" + line,
    "dmesg -x": lambda n, line: "kern  :warn  : " + line,
    "openwrt": lambda n, line: "Sun Mar  1 07:00:%02d 2026 kern.warn kernel: %s" % (n % 60, line),
    "console": lambda n, line: "ttyS0: " + line,
    "japanese": lambda n, line: b" 3\xe6\x9c\x88 01 07:00:00 node-17 kernel: ".decode("utf-8") + line,
    "relay": lambda n, line: "Mar  1 07:00:01 10.0.0.1 Mar  1 07:00:%02d node-17 kernel: %s" % (n % 60, line),
    "logcat": lambda n, line: "03-01 07:00:00.117   123   456 W kernel  : " + line,
    "shipper": lambda n, line: dumps(
        MESSAGE=line, _TRANSPORT="kernel", _HOSTNAME="node-17", __REALTIME_TIMESTAMP="1772000000000000"
    ),
    "kmsg": lambda n, line: "4,%d,%d,-;%s" % (n, n * 7, line),
    "nothing": lambda n, line: line,
}
# Where and when are told anew by what is put around.
ASIDE = ("time", "time_raw", "host", "source", "runtime")


def said(lines, path):
    with io.open(str(path), "wb") as stream:
        for line in lines:
            stream.write((line if isinstance(line, bytes) else line.encode("utf-8")) + b"\n")
    result = journal.collect(Node("/"), {"files": [str(path)], "since": "1970-01-01"})
    events = [{name: value for name, value in event.items() if name not in ASIDE} for event in result["events"]]
    return events, sorted((incident["cause"], incident["count"]) for incident in result["incidents"])


def lines_of(folder, name):
    with io.open(os.path.join(LOGS, folder, name), encoding="utf-8") as stream:
        return stream.read().rstrip("\n").split("\n")


CASES = [
    (folder, name)
    for folder in ("captures", "peers")
    for name in sorted(os.listdir(os.path.join(LOGS, folder)))
    if name.endswith(".dmesg")
]


def one_of(rows, chance):
    """random.choice() of Python 2 chooses others."""
    return rows[int(chance.random() * len(rows))]


@pytest.mark.parametrize("folder,name", CASES)
def test_prefixes_change_nothing_that_is_said(folder, name, tmp_path):
    lines = lines_of(folder, name)
    expected = said(lines, tmp_path / "as-it-is")
    chance = random.Random(len(name) * 1000 + sum(map(ord, name)))
    for _round in range(3):
        layers = [one_of(sorted(BEFORE), chance)]
        layers += [one_of(sorted(AROUND), chance) for _layer in range(int(3 * chance.random()))]
        changed = lines
        for layer in layers:
            change = BEFORE.get(layer) or AROUND[layer]
            changed = [change(number, line) for number, line in enumerate(changed, 1)]
        assert said(changed, tmp_path / "changed") == expected, layers


@pytest.mark.parametrize("layer", sorted(BEFORE) + sorted(AROUND))
def test_every_prefix_alone_changes_nothing(layer, tmp_path):
    lines = lines_of("captures", "6.12.107+deb13-cloud-amd64-oom-highorder.dmesg")
    change = BEFORE.get(layer) or AROUND[layer]
    changed = [change(number, line) for number, line in enumerate(lines, 1)]
    assert said(changed, tmp_path / "changed") == said(lines, tmp_path / "as-it-is")


@pytest.mark.parametrize("layer", ["quoted", "colour", "html", "docker", "filebeat", "loki", "list", "numbers of cat"])
@pytest.mark.parametrize("name", ["000.log", "001.log", "002.log", "003.log"])
def test_write_ups_say_the_same_however_they_are_shipped(name, layer, tmp_path):
    lines = lines_of("seeds", name)
    changed = [AROUND[layer](number, line) for number, line in enumerate(lines, 1)]
    # A shipper's own times are others: what belongs together by time is not compared.
    answers = [said(which, tmp_path / "log")[0] for which in (changed, lines)]
    answers = [[(event["kind"], event["cause"], event["line"]) for event in events] for events in answers]
    assert answers[0] == answers[1]
