# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records what a virtual machine's kernel says while its memory fragments, is compacted, released, and while allocations fail.

usage: record.py NAME...         machines of molecule/kernels/molecule.yml; writes tests/fixtures/series/NAME.json.xz

A machine takes about five minutes, one after the other. What is written is {"release", "seconds", "moments": [{"stage", file of a
capture: its text, ...}]}: see STAGES for what is done in each, and moments.py for what a moment has. Needs what molecule/kernels needs.
"""

from __future__ import annotations

import itertools
import json
import lzma
import math
import pathlib
import shlex
import subprocess
import sys
import threading
import time
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
KERNELS = CHECKOUT / "molecule" / "kernels"
SERIES = CHECKOUT / "tests" / "fixtures" / "series"
sys.path.insert(0, str(KERNELS))

import lab  # noqa: E402

# Between two moments.
SECONDS = 3
STAGE_SECONDS = 300
# Moments that are kept of what comes between two stages.
MEANWHILE = 6

FRAGMENT = (
    "systemctl stop lab-fragment 2>/dev/null; systemd-run --quiet --collect --service-type=notify --unit=lab-fragment"
    " --property=OOMScoreAdjust=500 --property=TimeoutStartSec=300 /usr/bin/python3 /root/lab/fragment.py {}"
    " && until pgrep --exact soaked >/dev/null; do sleep 1; done"
)
CALM = "for _try in $(seq 40); do grep -q '^some avg10=0\\.[0-4]' /proc/pressure/memory && break; sleep 2; done"
# From now on what becomes free stays free.
STOP_SOAKING = "systemctl kill --signal=USR1 lab-fragment; sleep 2"
COMPACT = "echo 1 > /proc/sys/vm/compact_memory"
RELEASE = "systemctl stop lab-fragment; sysctl --quiet vm.compaction_proactiveness=20 vm.extfrag_threshold=500"
FAIL = "/usr/bin/python3 /root/lab/fragment.py fail 5"
EAT = (
    "systemd-run --quiet --collect --wait --unit=lab-greedy --property=OOMScoreAdjust=1000"
    " /usr/bin/python3 /root/lab/fragment.py eat || true"
)


class Stage(t.NamedTuple):
    """What is done, under which name moments go meanwhile, and how many are taken after it."""

    name: str
    does: str
    meanwhile: str
    moments: int


STAGES = (
    Stage("healthy", "true", "healthy", 8),
    Stage("movable", f"{FRAGMENT.format('movable')} && {CALM}", "fragmenting", 8),
    Stage("compacted", f"{STOP_SOAKING}; {COMPACT}; sleep 1", "compacting", 6),
    Stage("released", f"{RELEASE}; sleep 2", "releasing", 6),
    Stage("unmovable", f"{FRAGMENT.format('unmovable')} && {CALM}", "fragmenting", 8),
    Stage("compacted_in_vain", f"{STOP_SOAKING}; {COMPACT}; sleep 1", "compacting", 6),
    Stage("failed", FAIL, "failing", 6),
    Stage("released_again", f"{RELEASE}; sleep 2", "releasing", 6),
    Stage("killed", EAT, "eating", 6),
)


class Recorder:
    """moments.py on a machine, and what it says."""

    def __init__(self, machine: list[str]) -> None:
        self.stage = STAGES[0].name
        self.moments: list[dict[str, t.Any]] = []
        self._process = subprocess.Popen(
            [*machine, f"exec chrt --rr 1 /usr/bin/python3 /root/lab/moments.py {SECONDS}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.moments.append({"stage": self.stage, **json.loads(line)})

    def wait_for(self, count: int) -> None:
        """More of this stage."""
        end, wanted = time.monotonic() + STAGE_SECONDS, len(self.moments) + count
        while len(self.moments) < wanted:
            if self._process.poll() is not None or time.monotonic() > end:
                raise lab.LabError(f"no more moments in stage {self.stage}")
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def thinned(moments: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """No more than MEANWHILE of those between two stages; what the kernel has said goes with the next one that is kept."""
    kept: list[dict[str, t.Any]] = []
    waiting: list[str] = []
    for _stage, group in itertools.groupby(moments, key=lambda moment: moment["stage"]):
        run = list(group)
        every = 1 if run[0]["stage"] in {stage.name for stage in STAGES} else math.ceil(len(run) / MEANWHILE)
        for number, moment in enumerate(run):
            waiting += moment["kernel_log"]
            if (len(run) - 1 - number) % every == 0:
                kept.append({**moment, "kernel_log": waiting})
                waiting = []
    return kept


def ssh(state: dict[str, t.Any]) -> list[str]:
    options = ("UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "LogLevel=ERROR", "ConnectTimeout=60")
    argv = ["ssh", "-F", "/dev/null", "-p", str(state["port"]), "-i", state["identity_file"], "-l", state["user"]]
    return argv + [word for option in options for word in ("-o", option)] + [state["address"]]


def put(machine: list[str], path: pathlib.Path) -> None:
    command = f"mkdir -p /root/lab && cat > /root/lab/{shlex.quote(path.name)}"
    subprocess.run([*machine, command], input=path.read_bytes(), check=True)


def record(name: str) -> None:
    platform = lab.platforms()[name]
    state = lab.up(platform)
    try:
        machine = ssh(state)
        for path in (KERNELS / "files" / "fragment.py", pathlib.Path(__file__).with_name("moments.py")):
            put(machine, path)
        recorder = Recorder(machine)
        try:
            for stage in STAGES:
                recorder.stage = stage.meanwhile
                subprocess.run([*machine, stage.does], check=True, timeout=STAGE_SECONDS)
                # The moment that is being taken may have seen both.
                recorder.wait_for(1)
                recorder.stage = stage.name
                recorder.wait_for(stage.moments)
                lab.say(platform, f"{stage.name}: {len(recorder.moments)} moments so far")
        finally:
            recorder.stop()
        reason = lab.dead(platform)
        if reason:
            raise lab.LabError(f"{name}: {reason}")
    finally:
        lab.down(platform)
    SERIES.mkdir(exist_ok=True)
    moments = thinned(recorder.moments)
    text = json.dumps({"release": state["release"], "seconds": SECONDS, "moments": moments})
    # The same files over and over: what is the same is all but free.
    packed = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
    (SERIES / f"{name}.json.xz").write_bytes(packed)
    lab.say(platform, f"{len(moments)} moments, {len(text)} bytes, packed {len(packed)}")


def main() -> int:
    if len(sys.argv) < 2 or set(sys.argv[1:]) - set(lab.platforms()):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        for name in sys.argv[1:]:
            record(name)
    except (lab.LabError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
