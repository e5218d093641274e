# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The compiled code of the installed tool in one piece, and what imports it from there.

Since 3.8 Python's importer of archives is itself written in Python. To go through a directory of twice the library's files and to open
the archive anew for each module takes it a tenth of what a run each minute takes.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import marshal
import sys

# Where it is in the archive. It begins as a .pyc does, so that another Python is known by the same four bytes (PEP 552).
ENTRY = "memfrag_lib/bundle.pyc"
_HEADER = 16


def pack(header, modules):
    """-> the content of ENTRY of {full name: (whether it is a package, its code)}."""
    return header + marshal.dumps({name: (package, marshal.dumps(code)) for name, (package, code) in modules.items()})


def use(archive):
    """From now on imports from ENTRY what is in there; without one, or with one of another Python, all stays as it is.

    archive   the zipimporter of the tool
    """
    if sys.version_info < (3, 8):
        # None was made for these, and not all of them have what follows.
        return
    try:
        data = archive.get_data(ENTRY)
    except (IOError, OSError):
        return
    from importlib.machinery import ModuleSpec
    from importlib.util import MAGIC_NUMBER

    if data[:4] == MAGIC_NUMBER:
        sys.meta_path.insert(0, _Importer(archive.archive, marshal.loads(data[_HEADER:]), ModuleSpec))


class _Importer:
    """Finder and loader of PEP 451. ``archive`` is the path of the tool, as a zipimporter has it."""

    def __init__(self, archive, table, spec):
        self.archive, self._table, self._spec = archive, table, spec

    def find_spec(self, name, dummy_path=None, dummy_target=None):
        return self._spec(name, self, is_package=self._table[name][0]) if name in self._table else None

    def create_module(self, dummy_spec):
        # One as always.
        return None

    def exec_module(self, module):
        exec(marshal.loads(self._table[module.__name__][1]), module.__dict__)  # pylint: disable=exec-used
