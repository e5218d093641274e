# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tools are shown, and what is true of it: reports in logs, and states of nodes."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests" / "fixtures"
# Cases that were collected for the project and are not part of it: other people's text.
SHARED = ROOT.parent / "shared"

MEMORY = frozenset(("fragmentation", "memory_shortage", "atomic_burst", "memcg_limit", "vmalloc_exhaustion"))
FRAGMENTED, SHORT, FINE = "fragmented", "short", "fine"


@dataclasses.dataclass(frozen=True)
class Case:
    """
    own        of the project; others are there where ../shared is
    files      below the root of a node -> their text
    truth      the words that are right; without any, a word out of MEMORY is wrong
    """

    group: str
    name: str
    files: dict[str, str]
    truth: frozenset[str]
    own: bool = True


_REPORTS = {
    "frag_paf_order4": "fragmentation",
    "atomic_paf_order0": "atomic_burst",
    "cgroup_oom": "memcg_limit",
    "system_oom_order0": "memory_shortage",
    "frag_oom_order3_free1.5G": "fragmentation",
    "frag_oom_order3_free120M": "fragmentation",
    "shortage_oom_order3_free9M": "memory_shortage",
}
_DIAGNOSES = {
    "fragmentation": {"fragmentation"},
    "low_memory": {"memory_shortage", "atomic_burst"},
    "system_oom": {"memory_shortage", "atomic_burst"},
    "memcg_limit": {"memcg_limit"},
    "vmalloc_exhaustion": {"vmalloc_exhaustion"},
}
# Truths of fixtures/snapshots.json, in its order. Both words are right where both are said to be so.
_SNAPSHOTS = (
    {FINE},
    {FINE},
    {FRAGMENTED},
    {FRAGMENTED},
    {FRAGMENTED, SHORT},
    {FRAGMENTED},
    {SHORT},
    {FRAGMENTED},
    # The bad one of two nodes; the machine as a whole can allocate. Both are said.
    {FRAGMENTED, FINE},
    {SHORT},
    {FINE},
    {FINE},
    {FRAGMENTED},
    {FRAGMENTED},
)
_JUDGEMENTS = {"healthy": {FINE}, "degraded": {FINE}, "fragmented": {FRAGMENTED}, "short": {SHORT}}


def log(text: str) -> dict[str, str]:
    """The same text wherever a tool looks for the kernel's."""
    return {"var/log/messages": text}


def _captures() -> Iterator[Case]:
    """Virtual machines with Debian's kernels whose memory was fragmented, or not, on purpose."""
    import sys

    sys.path.insert(0, str(FIXTURES))
    import build_roots

    for name in build_roots.names():
        state = name.rpartition("/")[2]
        if name.startswith("seeds") or state not in ("healthy", "numa-healthy", "fragmented", "numa-fragmented"):
            continue
        folder = FIXTURES / "captures" / name
        files = {
            build_roots.PLACES[path.name]: path.read_text(encoding="utf-8", errors="replace")
            for path in sorted(folder.iterdir())
            if path.name in build_roots.PLACES
        }
        yield Case("captures of machines", name, files, frozenset({FINE if "healthy" in state else FRAGMENTED}))


def _zones(zones: list[dict[str, object]]) -> str:
    return "".join(
        f"Node {zone['node']}, zone {zone['zone']:>8} {' '.join(f'{count:6}' for count in zone['free_blocks'])}\n"  # type: ignore[attr-defined]
        for zone in zones
    )


def _snapshots() -> Iterator[Case]:
    snapshots = json.loads((FIXTURES / "snapshots.json").read_text(encoding="utf-8"))
    for snapshot, truth in zip(snapshots, _SNAPSHOTS, strict=True):
        # What says that a page has 64 kB is not in a buddyinfo.
        if snapshot["page_size"] == 4096:
            yield Case(
                "12 states of a comparison",
                snapshot["name"],
                {"proc/buddyinfo": _zones(snapshot["zones"])},
                frozenset(truth),
            )


def logs(shared: pathlib.Path = SHARED) -> Iterator[Case]:
    for name, cause in _REPORTS.items():
        text = (FIXTURES / "logs" / "peers" / f"{name}.messages").read_text(encoding="utf-8")
        yield Case("7 reports", name, log(text), frozenset({cause}))
    index = shared / "corpus" / "index.json"
    if index.exists():
        for entry in json.loads(index.read_text(encoding="utf-8")):
            if entry["diagnosis"] in (*_DIAGNOSES, "not_memory"):
                text = (index.parent / entry["file"]).read_text(encoding="utf-8", errors="replace")
                group = "excerpts, not memory" if entry["diagnosis"] == "not_memory" else "excerpts that people posted"
                yield Case(group, entry["id"], log(text), frozenset(_DIAGNOSES.get(entry["diagnosis"], ())), own=False)


def states(shared: pathlib.Path = SHARED) -> Iterator[Case]:
    yield from _captures()
    yield from _snapshots()
    index = shared / "snapshots" / "index.json"
    if index.exists():
        for entry in json.loads(index.read_text(encoding="utf-8")):
            if entry["judgement"] in _JUDGEMENTS:
                files = {f"proc/{name}": text for name, text in entry["files"].items()}
                yield Case(
                    "states that people posted",
                    entry["id"],
                    files,
                    frozenset(_JUDGEMENTS[entry["judgement"]]),
                    own=False,
                )
