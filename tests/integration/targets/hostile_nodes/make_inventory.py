# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""usage: make_inventory.py DIRECTORY PYTHON     makes honest and hostile nodes, and an inventory of each in DIRECTORY"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import sys

COLLECTIONS = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]
sys.path.insert(0, COLLECTIONS)
sys.path.insert(0, os.path.join(COLLECTIONS, "ansible_collections", "kernelops", "memfrag", "tests", "fixtures"))

import answers  # noqa: E402  pylint: disable=wrong-import-position
import build_roots  # noqa: E402  pylint: disable=wrong-import-position,import-error

from ansible_collections.kernelops.memfrag.plugins.module_utils import _facts  # noqa: E402  pylint: disable=wrong-import-position
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Node  # noqa: E402  pylint: disable=wrong-import-position

CAPTURES = ["6.1.0-56-cloud-amd64/healthy", "6.1.0-56-cloud-amd64/fragmented", "5.10.0-46-cloud-amd64/numa-fragmented"]

# The "interpreter" of a hostile node says what it likes, whatever it is given to run.
LIAR = '#!/bin/sh\ncat "$0.answer"\n'


def main():
    directory, python = sys.argv[1:]
    roots = [
        build_roots.build(name, os.path.join(directory, "roots", str(number))) for number, name in enumerate(CAPTURES)
    ]
    honest = {
        "honest%d" % number: {"memfrag_root": root, "memfrag_journal": False} for number, root in enumerate(roots)
    }
    lies = answers.hostile(_facts.collect(Node(roots[1])))
    hosts, expected = dict(honest), {}
    os.makedirs(os.path.join(directory, "liars"))
    for name, (output, says) in sorted(lies.items()):
        path = os.path.join(directory, "liars", name)
        for file, text in ((path, LIAR), (path + ".answer", output)):
            with io.open(file, "w", encoding="utf-8", errors="surrogatepass") as stream:
                stream.write(text)
        os.chmod(path, 0o700)
        hosts["liar_" + name] = {"ansible_python_interpreter": path, "memfrag_journal": not name.startswith("facts_")}
        expected["liar_" + name] = says
    # A name that reads as another one.
    hosts["honest1\u202e10"] = {"ansible_python_interpreter": os.path.join(directory, "liars", "silent")}
    expected["honest1\u202e10"] = answers.hostile(_facts.collect(Node(roots[1])))["silent"][1]
    # One that never answers, on which not even the module's deadline runs.
    path = os.path.join(directory, "liars", "hangs")
    with io.open(path, "w", encoding="utf-8") as stream:
        stream.write("#!/bin/sh\nexec sleep 600\n")
    os.chmod(path, 0o700)
    hosts["liar_hangs"] = {"ansible_python_interpreter": path, "memfrag_timeout": 5}
    expected["liar_hangs"] = "the audit was ended before the node had answered"
    common = {"ansible_connection": "local", "ansible_python_interpreter": python}
    common["memfrag_records_dir"] = os.path.join(directory, "poisoned")
    for name, members in (("honest", honest), ("all", hosts)):
        with io.open(os.path.join(directory, name + ".json"), "w") as stream:
            json.dump({"all": {"vars": common, "hosts": members}}, stream)
    with io.open(os.path.join(directory, "expected.json"), "w") as stream:
        json.dump(expected, stream)


if __name__ == "__main__":
    main()
