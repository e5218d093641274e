# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Sphinx inventory of what our pages refer to in Ansible's documentation, so that the build needs no network."""

import re
import zlib

URL = "https://docs.ansible.com/projects/ansible/devel/"

# Label -> page and title.
LABELS = {
    "action_plugins": ("plugins/action.html", "Action plugins"),
    "ansible_configuration_settings": ("reference_appendices/config.html", "Ansible Configuration Settings"),
    "check_mode_dry": ("playbook_guide/playbooks_checkmode.html", "Validating tasks: check mode and diff mode"),
    "common_return_values": ("reference_appendices/common_return_values.html", "Return Values"),
}

HEADER = """\
# Sphinx inventory version 2
# Project: Ansible
# Version: devel
# The remainder of this file is compressed using zlib.
"""


# Modules and plugins of other collections. Whether those of ansible-core exist, the linter of the documentation has checked.
OTHERS = re.compile(r"ansible_collections\.(?!kernelops\.)(\w+)\.(\w+)\.(\w+?_[a-z]+)(?![\w/])")


def write(path, pages):
    """Write the inventory for the reStructuredText files ``pages``."""
    labels = dict(LABELS)
    for page in pages:
        for names in OTHERS.findall(page.read_text()):
            labels["ansible_collections." + ".".join(names)] = ("collections/%s/%s/%s.html" % names, names[-1])
    lines = [
        "%s std:label -1 %s#%s %s\n" % (label, page, label.replace("_", "-"), title)
        for label, (page, title) in sorted(labels.items())
    ]
    path.write_bytes(HEADER.encode() + zlib.compress("".join(lines).encode()))
