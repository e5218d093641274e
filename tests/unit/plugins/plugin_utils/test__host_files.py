# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _host_files


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_hosts_never_share_a_file(one: t.Any, other: t.Any) -> None:
    assert (_host_files.key(one) == _host_files.key(other)) == (one == other)


# What turns names into each other where a file system does not tell small letters from capitals.
NAMES = st.text("aAbB%cC~.é\u0130", max_size=4) | st.text("xX", min_size=125, max_size=220)


@given(NAMES, NAMES)
def test_nor_where_capitals_do_not_count(one: t.Any, other: t.Any) -> None:
    assert (_host_files.key(one).lower() == _host_files.key(other).lower()) == (one == other)


def test_what_a_name_is_made_into() -> None:
    assert _host_files.key("web-01.example.org") == "web-01.example.org.json"
    assert _host_files.key("é b") == "%C3%A9%20b.json"
    assert re.fullmatch("Web01~[0-9a-f]{40}[.]json", _host_files.key("Web01"))
