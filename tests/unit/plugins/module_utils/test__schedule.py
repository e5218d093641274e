# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _options, _schedule


def resolve(seed="node1", cron=True, systemd=True, proactive=False, **schedule):
    return _schedule.resolve(_schedule.check(schedule), seed, cron, systemd, proactive)


@pytest.mark.parametrize(
    "schedule, words",
    [
        ({"minute": "60"}, 'compaction_minute: "60" is neither auto nor a field of cron: *, numbers from 0 to 59'),
        ({"minute": "* * * * root reboot\n"}, "compaction_minute: "),
        ({"minute": "$(reboot)"}, 'compaction_minute: "$(reboot)" is neither'),
        ({"minute": "5;reboot"}, "compaction_minute: "),
        ({"minute": "5%"}, "compaction_minute: "),
        ({"minute": ""}, "compaction_minute: "),
        ({"minute": "9-5"}, "compaction_minute: "),
        ({"minute": "*/0"}, "compaction_minute: "),
        ({"minute": "5/15"}, "compaction_minute: "),
        ({"minute": True}, "compaction_minute: true is neither"),
        ({"minute": "1\n"}, "compaction_minute: "),
        ({"hour": "24"}, 'compaction_hour: "24" is neither auto nor a field of cron: *, numbers from 0 to 23'),
        ({"hour": "1,,2"}, "compaction_hour: "),
        ({"scheduler": "at"}, 'compaction_scheduler: "at" is not one of auto, cron, systemd'),
    ],
)
def test_wrong_fields_are_refused_by_name(schedule, words):
    with pytest.raises(_options.OptionError) as caught:
        _schedule.check(schedule, "compaction_")
    assert words in str(caught.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(_options.OptionError) as caught:
        _schedule.check({"minute": "x", "hour": "y", "scheduler": "z"})
    assert all(name + ": " in str(caught.value) for name in ("minute", "hour", "scheduler"))


@pytest.mark.parametrize(
    "minute, hour, calendar",
    # "systemd-analyze calendar" accepts each of these.
    [
        ("5", "*", "*-*-* *:05:00"),
        (7, 3, "*-*-* 03:07:00"),
        ("*/15", "1-5", "*-*-* 01..05:00/15:00"),
        ("0,30", "0-23/2", "*-*-* 00..23/2:00,30:00"),
        ("10-20/5,40", "*/3,22", "*-*-* 00/3,22:10..20/5,40:00"),
        ("*,5", "*", "*-*-* *:*:00"),
    ],
)
def test_cron_and_calendar_say_the_same(minute, hour, calendar):
    found = resolve(minute=minute, hour=hour)
    assert (found["minute"], found["hour"], found["on_calendar"]) == (str(minute), str(hour), calendar)


def test_the_offset_is_the_hosts_own_and_stays():
    assert resolve(seed="node17.example.org") == resolve(seed="node17.example.org")
    minutes = [int(resolve(seed="node%d.example.org" % number)["minute"]) for number in range(6000)]
    assert set(minutes) == set(range(60))
    # A hundred hosts to a minute, give or take.
    assert all(60 <= minutes.count(minute) <= 140 for minute in range(60))
    assert resolve(seed="n\u00f6de")["minute"].isdigit()


def test_where_the_kernel_compacts_the_job_comes_every_six_hours():
    assert resolve()["hour"] == "*"
    hours = {resolve(seed="node%d" % number, proactive=True)["hour"] for number in range(200)}
    assert hours == {"%d-23/6" % hour for hour in range(6)}
    assert resolve(proactive=True, hour="3")["hour"] == "3"


@pytest.mark.parametrize(
    "scheduler, cron, systemd, expected",
    [
        ("auto", True, True, "cron"),
        ("auto", True, False, "cron"),
        ("auto", False, True, "systemd"),
        ("systemd", True, True, "systemd"),
        ("cron", True, True, "cron"),
    ],
)
def test_scheduler(scheduler, cron, systemd, expected):
    assert resolve(scheduler=scheduler, cron=cron, systemd=systemd)["scheduler"] == expected


@pytest.mark.parametrize(
    "scheduler, words", [("cron", "no /etc/cron.d"), ("auto", "no /etc/cron.d"), ("systemd", "does not run")]
)
def test_a_scheduler_that_is_not_there(scheduler, words):
    with pytest.raises(_options.OptionError) as caught:
        resolve(scheduler=scheduler, cron=False, systemd=False)
    assert words in str(caught.value)
