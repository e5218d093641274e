# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook remediate, run for real against trees: what the scenarios and the kills have in common."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import shutil
import subprocess

import fleet

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = ("meta", "playbooks", "plugins")


def read_only_copy(directory):
    """The collection where nothing may be written; root can all the same, and snapshot() tells. -> its collections path"""
    source = os.path.join(fleet.COLLECTIONS, "ansible_collections", "kernelops", "memfrag")
    copy = os.path.join(directory, "ansible_collections", "kernelops", "memfrag")
    os.makedirs(copy)
    for part in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(os.path.join(source, part), os.path.join(copy, part), ignore=ignored)
    shutil.copy(os.path.join(source, "galaxy.yml"), copy)
    for folder, _folders, names in os.walk(directory, topdown=False):
        for name in names:
            os.chmod(os.path.join(folder, name), 0o444)
        os.chmod(folder, 0o555)
    return directory


def snapshot(directory):
    """Every path below it, with what tells whether somebody wrote there."""
    found = []
    for folder, folders, names in os.walk(directory):
        for name in folders + names:
            about = os.lstat(os.path.join(folder, name))
            found.append((os.path.join(folder, name), about.st_size, about.st_mtime, about.st_mode))
    return sorted(found)


class Fleet:
    """Trees, hooks and inventory below a directory, and the playbook on them."""

    def __init__(self, directory, python, collections):
        self.directory, self.collections = directory, collections
        if not os.path.isdir(os.path.join(directory, "cwd")):
            os.makedirs(os.path.join(directory, "cwd"))
        fleet.make(directory, python)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def remediate(
        self,
        limit,
        variables=None,
        cwd="cwd",
        check=False,
        hooks=True,
        environment=None,
        playbook="kernelops.memfrag.remediate",
    ):
        """-> (exit status, output). Hooks are named by relative paths, as the directory of records is unless told otherwise."""
        variables = dict(variables or {})
        if hooks:
            variables.setdefault("memfrag_remediate_before", os.path.relpath(self.path("drain.yml"), self.path(cwd)))
            variables.setdefault("memfrag_remediate_after", os.path.relpath(self.path("return.yml"), self.path(cwd)))
        command = ["ansible-playbook", playbook, "-i", self.path("inventory.json"), "-l", limit]
        command += ["-e", json.dumps(variables)] + (["--check"] if check else [])
        process = subprocess.Popen(
            command,
            cwd=self.path(cwd),
            env=dict(
                os.environ,
                ANSIBLE_COLLECTIONS_PATH=self.collections,
                PYTHONDONTWRITEBYTECODE="1",
                **(environment or {}),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = process.communicate()[0].decode("utf-8", "replace")
        return process.returncode, output

    def drained(self):
        return sorted(os.listdir(self.path("drained")))

    def compacted(self, host):
        with io.open(self.path("roots", host, "proc/sys/vm/compact_memory")) as stream:
            return bool(stream.read())

    def marks(self, records):
        folder = os.path.join(records, "remediating")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def outcomes(self, records, run):
        with io.open(os.path.join(records, run, "remediation.jsonl"), encoding="utf-8") as stream:
            return {one["host"]: one for one in map(json.loads, stream)}
