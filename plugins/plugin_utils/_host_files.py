# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What a host's file is called: ``<host>.json``, and with a digest in it where the file system takes ``Web01`` and ``web01`` for one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import urllib.parse

from ansible_collections.kernelops.memfrag.plugins.module_utils import _record

_CAPITAL = re.compile("[A-Z]")
_ESCAPE = re.compile("%[0-9A-F]{2}")


def key(host: str) -> str:
    """The name that stands for any host, and that its file can have anywhere: one to one, flat, ASCII, never hidden, at most 205 bytes."""
    return key_of(str(_record.file_name(host)))


def key_of(name: str) -> str:
    """key() of the host that a file is called after."""
    if name == name.lower() or "~" in name:
        return name
    base = name.removesuffix(".json")
    if not _CAPITAL.search(_ESCAPE.sub("", base)):
        return name
    return f"{base[:128]}~{hashlib.sha256(urllib.parse.unquote_to_bytes(base)).hexdigest()[:40]}.json"


def path(directory: str, host: str) -> str:
    """The host's file in a directory, that there is or that there would be: the directory may have come from elsewhere."""
    plain, folded = str(_record.file_name(host)), key(host)
    if plain == folded or _capitals_count(directory):
        here = os.path.join(directory, plain)
        other = os.path.join(directory, folded)
        return other if os.path.lexists(other) and not os.path.lexists(here) else here
    there: list[str] = []
    with contextlib.suppress(OSError):
        # In the list a file has its own name; it would be found by another one, too.
        there = os.listdir(directory)
    return os.path.join(directory, plain if plain in there and folded not in there else folded)


def _capitals_count(directory: str) -> bool:
    """Whether the file system of a directory tells ``Web01`` from ``web01``: one that does not finds the directory by both."""
    above, name = os.path.split(os.path.abspath(directory))
    if not name:
        return True
    if name.swapcase() == name:
        return _capitals_count(above)
    other = os.path.join(above, name.swapcase())
    return not (os.path.exists(other) and os.path.exists(directory) and os.path.samefile(other, directory))
