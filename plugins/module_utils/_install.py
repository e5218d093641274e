# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Puts the node tool on a node, made of the very library that runs here, and takes it away with all that it left."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import importlib
import io
import sys
import zipfile

from . import _tool
from ._compaction import run, state
from ._node import Node, NodeError

PACKAGE = "memfrag_lib"
PATH = "/usr/local/sbin/memfrag"

_MAIN = (
    """\
from __future__ import absolute_import, division, print_function

__metaclass__ = type

import sys

from %s._tool import main

sys.exit(main())
"""
    % PACKAGE
)

# A fixed date, the first that a zip archive can hold: the same library always makes the same file.
_DATE = (1980, 1, 1, 0, 0, 0)


def build(interpreter):
    """-> the tool as one file: a line that names its Python, and an uncompressed archive of the library, which Python runs as it is."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        # A docstring would be enough to make it a package; its first line is what somebody who looks into it reads.
        _add(archive, PACKAGE + "/__init__.py", b'"""The library of the Ansible collection kernelops.memfrag."""\n')
        for name in _tool.LIBRARY:
            _add(archive, "%s/%s.py" % (PACKAGE, _file_of(name)), _source(name))
        _add(archive, "__main__.py", _MAIN.encode("ascii"))
    return ("#!%s\n" % interpreter).encode("ascii") + stream.getvalue()


def _add(archive, name, content):
    about = zipfile.ZipInfo(name, _DATE)
    about.external_attr = 0o644 << 16
    about.create_system = 3
    archive.writestr(about, content)


def _file_of(name):
    path = name.replace(".", "/")
    return path + "/__init__" if _is_package(name) else path


def _is_package(name):
    return any(other.startswith(name + ".") for other in _tool.LIBRARY)


def _source(name):
    """The source of a module of the library, wherever it was loaded from: files, or the archive of an Ansible module."""
    module = importlib.import_module("%s.%s" % (__name__.rpartition(".")[0], name))
    path = module.__file__[:-1] if module.__file__.endswith("c") else module.__file__
    loader = getattr(module, "__loader__", None)
    return loader.get_data(path) if hasattr(loader, "get_data") else Node("/").read_bytes(path)


def install(node, path=PATH, interpreter=None, check_mode=False):
    """-> whether the tool had to be written."""
    wanted = build(interpreter or sys.executable)
    try:
        same = node.read_bytes(path) == wanted and node.stat(path).st_mode & 0o7777 == 0o755
    except NodeError as error:
        if not error.missing:
            raise
        same = False
    if not same and not check_mode:
        node.make_directory(path.rpartition("/")[0])
        node.write_file(path, wanted, 0o755)
    return not same


def remove(node, path=PATH, check_mode=False):
    """Removes the tool, its policy and what its runs have left; the record of settings is not its own. -> what was there"""
    left = [path, _tool.POLICY_FILE, state.FILE] + [lock for lock in run.LOCK_FILES if node.exists(lock)]
    there = [one for one in left if node.exists(one)]
    if not check_mode:
        for one in left:
            node.remove(one)
        # Only if they are empty.
        node.remove(state.DIRECTORY)
        node.remove(_tool.POLICY_FILE.rpartition("/")[0])
    return there
