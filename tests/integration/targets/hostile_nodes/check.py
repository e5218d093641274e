# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""usage: check.py DIRECTORY     every liar is told by the field, and no honest record knows that there were any"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import csv
import io
import json
import os
import re
import stat
import sys

# What a terminal acts on, but for the colours that Ansible itself prints where it is asked to.
CONTROLS = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")


def read(path):
    with io.open(path, encoding="utf-8") as stream:
        return stream.read()


def records(directory):
    found = {}
    for name in sorted(os.listdir(directory)):
        if name.endswith(".json") and name != "report.json":
            found[name] = json.loads(read(os.path.join(directory, name)))
    return found


def timeless(record):
    record = json.loads(json.dumps(record))
    for part, keys in ((record, ("started_at", "duration_seconds")), (record["facts"], ("collected_at",))):
        for key in keys:
            del part[key]
    return record


def main():
    directory = sys.argv[1]
    expected = json.loads(read(os.path.join(directory, "expected.json")))
    alone, together = (records(os.path.join(directory, run, "r1")) for run in ("honest", "all"))
    assert len(alone) == 3 and len(together) == len(expected) + 3, (len(alone), len(together))
    assert len(expected) >= 40
    for name, record in alone.items():
        assert timeless(record) == timeless(together[name]), name
        assert record["status"] == "audited" and record["assessment"]["level"]

    for record in together.values():
        if record["host"] not in expected:
            continue
        says = expected[record["host"]]
        if says is None:
            assert record["status"] == "audited", (record["host"], record["error"])
            assert record["schema_version"] == 1 and record["started_at"] < "9999" and record["duration_seconds"] >= 0
            assert "evil" not in json.dumps(record) and "owned" not in json.dumps(record), record["host"]
        elif not (record["status"] == "audited" and says.endswith("|")):
            assert record["status"] == "failed" and record["facts"] is None, record["host"]
            fits = says in record["error"] if "|" not in says else re.search(says, record["error"])
            assert fits, (record["host"], says, record["error"])
            assert len(record["error"]) <= 2000 and not CONTROLS.search(record["error"]), record["host"]
            assert "Traceback" not in record["error"], record

    said = read(os.path.join(directory, "all.out"))
    assert not CONTROLS.search(said.replace("honest1\u202e10", "")), CONTROLS.search(
        said.replace("honest1\u202e10", "")
    )
    assert "Traceback" not in said and "curl evil" not in said and "Unexpected failure" not in said
    report = json.loads(read(os.path.join(directory, "all", "r1", "report.json")))
    assert report["coverage"]["asked"] == len(together) and not report["skipped_records"], report["coverage"]
    hosts = {host["host"]: host for host in report["hosts"]}
    assert set(hosts) == {record["host"] for record in together.values()}
    assert not [name for name, host in hosts.items() if host["stale"]]
    page = read(os.path.join(directory, "all", "r1", "report.html"))
    assert "curl evil" not in page and "<script>alert" not in page and not CONTROLS.search(page), CONTROLS.search(page)
    assert "honest1U+202E10" in page
    with io.open(os.path.join(directory, "all", "r1", "report.csv"), encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert len(rows) == len(together) + 1 and not [cell for row in rows for cell in row if cell[:1] in ("=", "@", "\t")]
    for name in ("report.html", "report.json", "report.csv", "memfrag.prom"):
        assert stat.S_IMODE(os.stat(os.path.join(directory, "all", "r1", name)).st_mode) == 0o600, name
    for name in os.listdir(directory):
        assert "OWNED" not in name

    # Of the honest ones the first, with a variable of the playbooks among its facts, fails alone.
    assert not os.path.exists(os.path.join(directory, "elsewhere"))
    assert "among the facts of honest0 there is memfrag_records_dir" in read(os.path.join(directory, "poisoned.out"))
    poisoned = os.path.join(directory, "poisoned", "r1")
    assert sorted(records(poisoned)) == ["honest1.json", "honest2.json"]
    coverage = json.loads(read(os.path.join(poisoned, "report.json")))["coverage"]
    assert (coverage["asked"], coverage["audited"]) == (3, 2), coverage


if __name__ == "__main__":
    main()
