# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a kernel's lines on the way to whoever reads them.

A dress puts time, host and the rest in front, as loggers do. A change of form keeps all that is said; a loss takes lines away.
"""

from __future__ import annotations

import json
import random
import re
import textwrap
import time
from collections.abc import Callable

Lines = list[str]

_START = 1_771_000_000


def _dress(form: Callable[[float, str, int], str]) -> Callable[[Lines, random.Random], Lines]:
    def dress(lines: Lines, chance: random.Random) -> Lines:
        start, cpu = chance.uniform(60, 10**6), chance.randrange(4)
        return [form(start + number * 1e-5, line, cpu) for number, line in enumerate(lines)]

    return dress


def _clock(uptime: float, form: str) -> str:
    return time.strftime(form, time.gmtime(_START + uptime))


DRESSES = {
    "dmesg": _dress(lambda up, line, cpu: f"[{up:12.6f}] {line}"),
    "caller": _dress(lambda up, line, cpu: f"[{up:12.6f}][ T{cpu + 1200}] {line}"),
    "dmesg -T": _dress(lambda up, line, cpu: f"[{_clock(up, '%a %b %e %H:%M:%S %Y')}] {line}"),
    "dmesg -x": _dress(lambda up, line, cpu: f"kern  :warn  : [{up:12.6f}] {line}"),
    "level": _dress(lambda up, line, cpu: f"<4>[{up:12.6f}] {line}"),
    "kmsg": _dress(lambda up, line, cpu: f"4,{int(up)},{int(up * 1e6)},-;{line}"),
    "syslog": _dress(lambda up, line, cpu: f"{_clock(up, '%b %e %H:%M:%S')} node-7 kernel: [{up:12.6f}] {line}"),
    "messages": _dress(lambda up, line, cpu: f"{_clock(up, '%b %e %H:%M:%S')} node-7 kernel: {line}"),
    "rfc3339": _dress(
        lambda up, line, cpu: (
            f"{_clock(up, '%Y-%m-%dT%H:%M:%S')}.{int(up * 1e6) % 10**6:06d}+00:00 node-7 kernel: {line}"
        )
    ),
    "journalctl": _dress(lambda up, line, cpu: f"{_clock(up, '%b %d %H:%M:%S')} node-7.example.org kernel: {line}"),
    "bare": _dress(lambda up, line, cpu: line),
}


def _json(lines: Lines, chance: random.Random) -> Lines:
    return [json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-02-13T16:26:40Z"}) for line in lines]


def _wrapped(lines: Lines, chance: random.Random) -> Lines:
    width = chance.choice((72, 76, 80, 100))
    out = []
    for line in lines:
        out += textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False, drop_whitespace=True) or [""]
    return out


def _noise(lines: Lines, chance: random.Random) -> Lines:
    """Other programs' lines between: a stamped log has them, a bare one cannot be told from prose."""
    others = [
        "eth0: renamed from veth1a2b3c",
        "device veth1a2b3c entered promiscuous mode",
        "audit: backlog limit exceeded",
    ]
    if not lines or not re.match(r"[A-Z<\[\d]", lines[0]):
        return lines
    prefix = re.match(r".*?(?:kernel: (?:\[[^\]]*\] )?|\]\[ T\d+\] |\] |,-;)", lines[0])
    if not prefix:
        return lines
    out = []
    for line in lines:
        out.append(line)
        if chance.random() < 0.1:
            out.append(prefix.group() + chance.choice(others))
    return out


# What keeps everything that is said.
FORMS: dict[str, Callable[[Lines, random.Random], Lines]] = {
    "as it is": lambda lines, chance: lines,
    "carriage returns": lambda lines, chance: [line + "\r" for line in lines],
    "quoted": lambda lines, chance: ["> " + line for line in lines],
    "indented": lambda lines, chance: ["    " + line for line in lines],
    "coloured": lambda lines, chance: [f"\x1b[33m{line}\x1b[0m" for line in lines],
    "docker json": _json,
    "noise": _noise,
    "wrapped": _wrapped,
}


def _without(pattern: str) -> Callable[[Lines, random.Random], Lines]:
    return lambda lines, chance: [line for line in lines if not re.search(pattern, line)]


def _cut(lines: Lines, chance: random.Random) -> Lines:
    return lines[: max(1, int(len(lines) * chance.uniform(0.3, 0.9)))]


def _late(lines: Lines, chance: random.Random) -> Lines:
    return lines[int(len(lines) * chance.uniform(0.1, 0.7)) :]


# What takes something away: the cause may fade then, and never turn into another.
LOSSES = {
    "no head": _without(r"page allocation failure|invoked oom-killer"),
    "no trace": _without(r"\+0x[0-9a-f]+/0x|Call [Tt]race"),
    "no memory": _without(r"Mem-Info|active_anon|active_file|free:|lowmem_reserve|\d\*\d+kB|hugepages_|pages "),
    "end cut": _cut,
    "start cut": _late,
}
