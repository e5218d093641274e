# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""usage: make_inventory.py DIRECTORY PYTHON     makes root trees and an inventory of two slices in DIRECTORY"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import sys

# ansible-test runs a copy of the targets alone; the rest of the collection is where Ansible finds it.
COLLECTIONS = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]
sys.path.insert(0, os.path.join(COLLECTIONS, "ansible_collections", "kernelops", "memfrag", "tests", "fixtures"))

import build_roots  # noqa: E402  pylint: disable=wrong-import-position,import-error

CAPTURES = ["6.1.0-56-cloud-amd64/healthy", "6.1.0-56-cloud-amd64/fragmented", "5.10.0-46-cloud-amd64/numa-fragmented"]
HOSTILE = [
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "knoten-\u00fc-\u8282\u70b9",
    "x" * 300,
    "=cmd|calc",
    "report",
]


def main():
    directory, python = sys.argv[1:]
    roots = [
        build_roots.build(name, os.path.join(directory, "roots", str(number))) for number, name in enumerate(CAPTURES)
    ]
    hosts = {name: {"memfrag_root": roots[number % 3]} for number, name in enumerate(["a", "b", "c", "d"] + HOSTILE)}
    hosts["dead"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    hosts["broken"] = {"ansible_python_interpreter": "/nonexistent/python"}
    slices = {"one": {"hosts": {}}, "two": {"hosts": {}}}
    for number, name in enumerate(sorted(hosts)):
        slices["one" if number % 2 else "two"]["hosts"][name] = hosts[name]
    common = {"ansible_connection": "local", "ansible_python_interpreter": python, "memfrag_journal": False}
    with open(os.path.join(directory, "inventory.json"), "w") as stream:
        json.dump({"all": {"vars": common, "children": slices}}, stream)


if __name__ == "__main__":
    main()
