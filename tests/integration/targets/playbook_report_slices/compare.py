# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""usage: compare.py WHOLE MERGED     two report.json; all that may differ is the time"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import sys


def read(path):
    with io.open(path, encoding="utf-8") as stream:
        report = json.load(stream)
    # When it was, and from how many directories.
    del report["run"]
    for host in report["hosts"]:
        del host["started_at"], host["duration_seconds"]
    return report


def main():
    whole, merged = (read(path) for path in sys.argv[1:])
    coverage = whole["coverage"]
    assert coverage["asked"] == len(whole["hosts"]) == 12, coverage
    assert (coverage["audited"], coverage["failed"], coverage["unreachable"]) == (10, 1, 1), coverage
    for one, other in zip(whole["hosts"], merged["hosts"]):
        assert one == other, (one, other)
    assert whole == merged


if __name__ == "__main__":
    main()
