# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes with a fate: the blocks of one order, hour by hour, of machines that lose them, and of machines that do not.

A machine has blocks that are its own to give (``envelope``), and a share of them that is in use at the moment by what comes back: page
cache that grows until reclaim cuts it back (a sawtooth), the day's and the week's load, and processes (noise with a memory of some
hours). The envelope falls where pages that cannot be moved spread, in one way or another; everything else only hides that.
"""

from __future__ import annotations

import dataclasses
import math
import random
import typing as t

HOURS_A_DAY = 24
# A forecast is looked at in the first part of a series; the rest says whether it came true.
WATCHED_DAYS, DAYS = 70, 200


@dataclasses.dataclass
class Series:
    workload: str
    leaks: bool
    now: list[float]
    """Blocks at each hour."""
    most: list[float]
    """The most blocks within each hour, which a scrape each minute sees."""
    upheavals: list[int]
    """Hours of a reboot, of a compaction, or of memory that came or went: what marks in the records tell."""

    @property
    def gone(self) -> int | None:
        """The hour from which on, for a day, half of the time or more there is no block."""
        empty = [blocks < 1 for blocks in self.now]
        count = sum(empty[:HOURS_A_DAY])
        for hour in range(len(empty) - HOURS_A_DAY):
            if empty[hour] and 2 * count >= HOURS_A_DAY:
                return hour
            count += empty[hour + HOURS_A_DAY] - empty[hour]
        return None


Envelope = t.Callable[[float], float]


def _exponential(chance: random.Random, start: float) -> Envelope:
    """Unmovable pages at random places: each day takes the same share of what is left."""
    days = chance.uniform(10, 60)
    return lambda day: start ** (1 - day / days)


def _linear(chance: random.Random, start: float) -> Envelope:
    """A leak that fills one pageblock after the other."""
    days = chance.uniform(10, 60)
    return lambda day: start * (1 - day / days)


def _accelerating(chance: random.Random, start: float) -> Envelope:
    """A leak that grows with what leaks."""
    days = chance.uniform(15, 60)
    return lambda day: start ** (1 - (day / days) ** 2)


def _late(chance: random.Random, start: float) -> Envelope:
    """Well for weeks, until something new is deployed that leaks."""
    begin, days = chance.uniform(8, 40), chance.uniform(8, 30)
    return lambda day: start if day < begin else start ** (1 - (day - begin) / days)


def _flat(_chance: random.Random, start: float) -> Envelope:
    return lambda _day: start


def _steps(chance: random.Random, start: float) -> Envelope:
    """Each deployment takes its share at once, or gives it back."""
    days = sorted(chance.uniform(3, WATCHED_DAYS) for _each in range(chance.randint(2, 6)))
    sizes = [chance.choice((0.3, 0.45, 0.6, 0.75, 1.6)) for _each in days]

    def envelope(day: float) -> float:
        level = start
        for when, size in zip(days, sizes, strict=True):
            level *= size if day >= when else 1
        return max(level, 12.0)

    return envelope


def _warming(chance: random.Random, start: float) -> Envelope:
    """Caches fill after a start, and then are full."""
    floor, days = chance.uniform(0.03, 0.3), chance.uniform(1.5, 12)
    return lambda day: max(12.0, start * (floor + (1 - floor) * math.exp(-day / days)))


def _slow_cycle(chance: random.Random, start: float) -> Envelope:
    """What has its period in weeks: a month's end, a rota."""
    period, phase, depth = chance.uniform(9, 35), chance.random(), chance.uniform(0.5, 3)
    return lambda day: max(8.0, start * 2 ** (depth * (math.cos(2 * math.pi * (day / period + phase)) - 1) / 2))


# workload: (loses its blocks, its envelope, noise in powers of two, hours that the noise remembers, depth of the day, of the sawtooth,
#            days between compactions of what is movable, days between reboots)
WORKLOADS: dict[
    str, tuple[bool, t.Callable[[random.Random, float], Envelope], float, float, float, float, float, float]
] = {
    "leak, scattered": (True, _exponential, 0.3, 4, 0.3, 0.5, 0, 0),
    "leak, by pageblocks": (True, _linear, 0.3, 4, 0.3, 0.5, 0, 0),
    "leak, accelerating": (True, _accelerating, 0.3, 4, 0.3, 0.5, 0, 0),
    "leak that begins late": (True, _late, 0.3, 4, 0.3, 0.5, 0, 0),
    "leak under a heavy day": (True, _exponential, 0.5, 6, 0.8, 0.8, 0, 0),
    "leak under loud noise": (True, _exponential, 1.2, 10, 0.3, 0.5, 0, 0),
    "leak, compacted now and then": (True, _exponential, 0.3, 4, 0.3, 0.5, 12, 0),
    "leak, rebooted in time": (False, _exponential, 0.3, 4, 0.3, 0.5, 0, 7),
    "noise": (False, _flat, 0.6, 6, 0.0, 0.0, 0, 0),
    "noise, long memory": (False, _flat, 1.0, 72, 0.0, 0.3, 0, 0),
    "day and week": (False, _flat, 0.3, 4, 0.8, 0.3, 0, 0),
    "sawtooth": (False, _flat, 0.3, 4, 0.2, 0.9, 0, 0),
    "steps": (False, _steps, 0.3, 4, 0.3, 0.5, 0, 0),
    "warming up": (False, _warming, 0.3, 4, 0.3, 0.5, 0, 0),
    "cycle of weeks": (False, _slow_cycle, 0.3, 4, 0.3, 0.5, 0, 0),
}


def make(workload: str, seed: int) -> Series:
    leaks, law, noise, memory, day_depth, saw_depth, compacted, rebooted = WORKLOADS[workload]
    chance = random.Random(f"{workload} {seed}")
    start = math.exp(chance.uniform(math.log(60), math.log(20000)))
    envelope = law(chance, start)
    saw_hours = chance.choice((0.3, 2.0, 9.0, 31.0, 60.0))
    weekend, phase, keep = chance.uniform(0.2, 1.0), chance.random(), math.exp(-1 / memory)
    now, most, upheavals = [], [], []
    drift, began, moved = chance.gauss(0, noise), 0.0, 1.0
    for hour in range(DAYS * HOURS_A_DAY):
        day = hour / HOURS_A_DAY
        if rebooted and day - began >= rebooted:
            began = day
            upheavals.append(hour)
        if compacted:
            # What is movable scatters, too, and a compaction brings that back.
            moved *= 0.5 ** (1 / (4 * HOURS_A_DAY))
            if hour and hour % int(compacted * HOURS_A_DAY) == 0:
                moved = 1.0
                upheavals.append(hour)
        drift = keep * drift + math.sqrt(1 - keep * keep) * chance.gauss(0, noise)
        load = day_depth * (0.5 - 0.5 * math.cos(2 * math.pi * (day + phase)))
        load *= weekend if int(day + phase) % 7 >= 5 else 1.0
        own = max(0.0, envelope(day - began)) * (0.4 + 0.6 * moved) * 2 ** (drift - 0.5)
        at, best = (hour / saw_hours) % 1.0, (hour / saw_hours) % 1.0
        if saw_hours < 1:
            at, best = chance.random(), 0.0
        now.append(_count(chance, own * (1 - load) * (1 - saw_depth * at)))
        most.append(max(now[-1], _count(chance, own * (1 - load) * (1 - saw_depth * best))))
    return Series(workload, leaks, now, most, upheavals)


def _count(chance: random.Random, mean: float) -> float:
    """Whole blocks, as chance has them."""
    if mean > 50:
        return float(max(0, round(chance.gauss(mean, math.sqrt(mean)))))
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return float(count)
