# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make audit``: the audit playbook from this checkout, with an Ansible of its own.

make's ``INVENTORY`` (default: this machine alone) and ``ARGS`` (more arguments, quoted as in a shell) come through the environment.
"""

import json
import os
import shlex
import socket
import sys
from pathlib import Path

import environment
from paths import CACHE

# Overridden by the user's own environment, not by an ansible.cfg, which may name plugins that are not installed here.
SETTINGS = {
    "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    "ANSIBLE_DEPRECATION_WARNINGS": "false",
}


def main():
    folder = environment.ensure("audit", ["ansible-core"])
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    others = os.environ.get("ANSIBLE_COLLECTIONS_PATH") or "~/.ansible/collections:/usr/share/ansible/collections"
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = "%s:%s" % (environment.collections(), others)
    command = [str(folder / "bin" / "ansible-playbook"), "kernelops.memfrag.audit", "-i", inventory()]
    try:
        command += shlex.split(os.environ.get("GIVEN_ARGS", ""))
    except ValueError as error:
        sys.exit("ARGS is not a well-formed list of arguments (%s): %s" % (error, os.environ["GIVEN_ARGS"]))
    sys.stderr.flush()
    os.execv(command[0], command)


def inventory():
    named = os.environ.get("GIVEN_INVENTORY")
    if not named:
        return str(this_machine())
    if "," in named:
        return named
    # A relative path is meant from where the user stands, who may have said "make -C".
    for path in (Path(os.environ.get("CALLER", "."), named), Path(named)):
        if path.exists():
            return str(path)
    sys.exit("INVENTORY: there is no %s. Hosts without a file need a comma: INVENTORY=node17," % named)


def this_machine():
    """An inventory of the machine at hand, under its own name."""
    settings = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    path = CACHE / "this-machine.yml"
    path.write_text(json.dumps({"all": {"hosts": {socket.gethostname() or "localhost": settings}}}) + "\n")
    return path


if __name__ == "__main__":
    main()
