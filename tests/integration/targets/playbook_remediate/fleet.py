# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""usage: fleet.py DIRECTORY PYTHON     makes a small fleet in DIRECTORY: root trees, an inventory, hooks

The trees have the boot id of this kernel, so that memfrag_compact takes them for the running one and writes, into the tree alone.
Writing changes no numbers there: the second hook puts the capture of the compacted machine in place of the fragmented one, but
only if the tree says that it was compacted.

a, b, c, d     fragmented, and mended by compaction
six            the same, and it is order 6 that is missing
same           fragmented, and no better after it
healthy        nothing to mend
left           fragmented, and compaction would not help
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import shutil
import sys

# ansible-test runs a copy of the targets alone; the rest of the collection is where Ansible finds it.
COLLECTIONS = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]
sys.path.insert(0, os.path.join(COLLECTIONS, "ansible_collections", "kernelops", "memfrag", "tests", "fixtures"))

import build_roots  # noqa: E402  pylint: disable=wrong-import-position,import-error

KERNEL = "6.1.0-56-cloud-amd64/"
BOOT_ID = "proc/sys/kernel/random/boot_id"
FLEET = {
    "a": (KERNEL + "fragmented-movable", KERNEL + "fragmented-movable-then-compacted"),
    "b": (KERNEL + "fragmented-movable", KERNEL + "fragmented-movable-then-compacted"),
    "c": (KERNEL + "fragmented-movable", KERNEL + "fragmented-movable-then-compacted"),
    "d": (KERNEL + "fragmented-movable", KERNEL + "fragmented-movable-then-compacted"),
    "six": ("5.10.0-46-cloud-amd64/fragmented-movable", "5.10.0-46-cloud-amd64/healthy"),
    "same": (KERNEL + "fragmented-movable", KERNEL + "fragmented-movable"),
    "healthy": (KERNEL + "healthy", KERNEL + "healthy"),
    "left": (KERNEL + "fragmented", KERNEL + "fragmented"),
}

DRAIN = """---
- name: Take it out of service
  ansible.builtin.file:
    path: "{{ memfrag_test }}/drained/{{ inventory_hostname }}"
    state: touch
    mode: "0600"
  delegate_to: localhost
"""

RETURN = """---
- name: See what a compaction would have come to
  ansible.builtin.command:
    argv: ["{{ ansible_playbook_python }}", "{{ memfrag_test }}/settle.py", "{{ memfrag_root | default('/nonexistent') }}"]
  delegate_to: localhost

- name: Put it back into service
  ansible.builtin.file:
    path: "{{ memfrag_test }}/drained/{{ inventory_hostname }}"
    state: absent
  delegate_to: localhost
"""

# Puts <root>.after in place of <root> where something was written to a file that compacts.
SETTLE = """import glob, os, shutil, sys
root = sys.argv[1]
written = glob.glob(root + "/proc/sys/vm/compact_memory") + glob.glob(root + "/sys/devices/system/node/node*/compact")
if any(os.path.getsize(path) for path in written) and os.path.isdir(root + ".after"):
    for name in ("buddyinfo", "pagetypeinfo", "zoneinfo", "meminfo", "vmstat"):
        if os.path.isfile(root + ".after/proc/" + name):
            shutil.copy(root + ".after/proc/" + name, root + "/proc/" + name + ".new")
            os.rename(root + "/proc/" + name + ".new", root + "/proc/" + name)
"""


def write(path, text):
    with io.open(path, "wb") as stream:
        stream.write(text.encode("utf-8"))


def make_root(name, root):
    build_roots.build(name, root)
    with io.open("/" + BOOT_ID, encoding="ascii") as stream:
        build_roots.write(root, BOOT_ID, stream.read())
    for folder in ("run", "var/lib"):
        os.makedirs(os.path.join(root, folder))


def reset(directory):
    """Every node as in the beginning, in service, and without a mark or a record."""
    for name in ("drained", "roots"):
        shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
        os.makedirs(os.path.join(directory, name))
    for host, (before, after) in FLEET.items():
        root = os.path.join(directory, "roots", host)
        make_root(before, root)
        if after != before:
            build_roots.build(after, root + ".after")


def make(directory, python):
    if not os.path.isdir(directory):
        os.makedirs(directory)
    reset(directory)
    write(os.path.join(directory, "drain.yml"), DRAIN)
    write(os.path.join(directory, "return.yml"), RETURN)
    write(os.path.join(directory, "settle.py"), SETTLE)
    hosts = {host: {"memfrag_root": os.path.join(directory, "roots", host)} for host in FLEET}
    # Nobody answers for it. Its hooks are delegated, as most are.
    hosts["dead"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": python,
        "memfrag_journal": False,
        "memfrag_test": directory,
    }
    with open(os.path.join(directory, "inventory.json"), "w") as stream:
        json.dump({"all": {"vars": common, "hosts": hosts}}, stream)


if __name__ == "__main__":
    make(*sys.argv[1:])
