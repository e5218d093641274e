# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role with its variables at their defaults."""

from __future__ import annotations

import json
import re
import time
import typing as t
from collections.abc import Iterator

import pytest
import testinfra

TOOL = "/usr/local/sbin/memfrag"
DROP_IN = "/etc/sysctl.d/90-memfrag.conf"


def live(host: t.Any, name: str) -> int:
    return int(host.file("/proc/sys/vm/" + name).content_string)


def test_drop_in_has_the_computed_settings_alone(host: t.Any) -> None:
    drop_in = host.file(DROP_IN)
    assert (drop_in.user, drop_in.group, drop_in.mode) == ("root", "root", 0o644)
    settings = dict(re.findall(r"^vm\.([a-z_]+) = ([0-9]+)$", drop_in.content_string, re.MULTILINE))
    assert set(settings) <= {"min_free_kbytes", "watermark_scale_factor"}
    assert settings
    total = int(host.run("awk '/^MemTotal:/ { print $2 }' /proc/meminfo").stdout)
    for name, value in settings.items():
        assert int(value) > live(host, name)
    assert int(settings.get("min_free_kbytes", 0)) <= total // 20
    assert int(settings.get("watermark_scale_factor", 0)) <= 100


def test_record_has_the_values_from_before(host: t.Any) -> None:
    record = json.loads(host.file("/var/lib/memfrag/sysctl.json").content_string)["settings"]
    assert record
    # /proc/sys is read-only here, so the kernel still has them.
    assert {name: entry["previous"] for name, entry in record.items()} == {name: live(host, name) for name in record}
    drop_in = host.file(DROP_IN).content_string
    assert all(f"vm.{name} = {entry['applied']}\n" in drop_in for name, entry in record.items())


def test_cron_job(host: t.Any) -> None:
    job = host.file("/etc/cron.d/memfrag")
    assert (job.user, job.group, job.mode) == ("root", "root", 0o644)
    assert re.search(
        rf"^[0-9]+ [0-9*/-]+ \* \* \* root .*{TOOL} compact --quiet --syslog$", job.content_string, re.MULTILINE
    )
    assert not host.file("/etc/systemd/system/memfrag-compact.timer").exists
    assert not host.file("/etc/systemd/system/memfrag-compact.service").exists


@pytest.fixture(name="each_minute", scope="session")
def each_minute_fixture(request: pytest.FixtureRequest) -> Iterator[str]:
    """The cron job once more, in all containers, and for each minute: nobody wants to wait for an hour. -> when that began"""
    hosts = [testinfra.get_host(name) for name in request.config.getoption("hosts").split(",")]
    begun = hosts[0].run("date '+%F %T'").stdout.strip()
    for host in hosts:
        host.run_test("sed 's/^[0-9].* root/* * * * * root/' /etc/cron.d/memfrag > /etc/cron.d/memfrag-each-minute")
    yield begun
    for host in hosts:
        host.run_test("rm /etc/cron.d/memfrag-each-minute")


def test_cron_runs_the_command_and_the_journal_has_its_line(host: t.Any, each_minute: str) -> None:
    deadline = time.time() + 130
    line = ""
    while not line and time.time() < deadline:
        time.sleep(3)
        line = host.run(f"journalctl --quiet --output cat --identifier memfrag --since '{each_minute}'").stdout
    journal = host.run("journalctl --unit cron --no-pager --lines 20").stdout
    assert re.match(r"acted=false reason=[a-z_]+ satisfied=(true|false) order=[0-9]+ ", line), journal
    assert re.search(r' node0_before=[a-z_]+/[0-9]+/[0-9]+ seconds=[0-9.]+ message=".+"$', line, re.MULTILINE)


def test_tool_speaks_of_this_node(host: t.Any) -> None:
    status = host.run(TOOL + " status --json")
    assert status.rc in (0, 3), status.stderr
    facts = json.loads(status.stdout)["facts"]
    assert facts["kernel"]["release"] == host.run("uname -r").stdout.strip()
    assert [entry["order"] for entry in facts["allocatable"]] == list(range(len(facts["allocatable"])))


def test_tool_does_not_compact_inside_a_container(host: t.Any) -> None:
    result = host.run(TOOL + " compact --force --json")
    # 0 where the node that runs the tests has what is wanted.
    assert result.rc in (0, 4)
    assert json.loads(result.stdout)["guard"] == "container"
    # Which sign spoke: there are several, and one of them is enough.
    assert re.match(
        r"this is a container: .+ \(.+\); compaction is the host's business$", json.loads(result.stdout)["message"]
    )
    # The load and the pressure are those of the machine that runs the tests.
    forced = host.run(
        TOOL + " compact --force --allow-container --json --max-load-per-cpu 1000 --max-pressure-percent 5"
    )
    assert json.loads(forced.stdout)["reason"] in ("not_writable", "pressure", "kcompactd_busy")
    if json.loads(forced.stdout)["reason"] == "not_writable":
        assert forced.rc == 1
        assert "mounted read-only" in forced.stderr


@pytest.mark.parametrize(
    ("capture", "reason", "rc"),
    [
        ("seeds-001-failing", "needed", 0),
        ("6.1.0-56-cloud-amd64-fragmented", "unmovable", 3),
        ("6.1.0-56-cloud-amd64-fragmented-movable", "needed", 0),
        ("6.1.0-56-cloud-amd64-healthy", "met", 0),
    ],
)
def test_tool_decides_on_other_nodes(host: t.Any, capture: str, reason: str, rc: int) -> None:
    result = host.run(f"{TOOL} compact --dry-run --json --order 5 --root /srv/captures/{capture}")
    assert (json.loads(result.stdout)["reason"], result.rc) == (reason, rc)


def test_tool_runs_on_python_2(host: t.Any) -> None:
    if not host.exists("python2.7"):
        pytest.skip("bullseye alone has Python 2.7")
    arguments = " compact --dry-run --root /srv/captures/seeds-001-failing"
    assert host.run("python2.7 " + TOOL + arguments).stdout == host.run(TOOL + arguments).stdout != ""


def test_tool_obeys_no_policy_that_others_could_have_written(host: t.Any) -> None:
    policy = "/etc/memfrag/policy.json"
    begun = host.run("date '+%F %T'").stdout.strip()
    for change, back, words in (
        (f"chmod 666 {policy}", f"chmod 644 {policy}", "may be written by everyone"),
        (f"chown 65534 {policy}", f"chown 0 {policy}", "belongs to user 65534"),
        ("chmod 777 /etc/memfrag", "chmod 755 /etc/memfrag", "/etc/memfrag may be written by everyone"),
    ):
        host.run_test(change)
        refused = host.run(TOOL + " compact --quiet --syslog")
        host.run_test(back)
        assert refused.rc == 2
        assert "not obeyed, since " in refused.stderr and words in refused.stderr
        log = host.run(f"journalctl --quiet --output cat --identifier memfrag --priority err --since '{begun}'").stdout
        assert words in log
    assert host.run(TOOL + " policy").rc == 0


def test_kill_switch(host: t.Any) -> None:
    host.run_test("echo 'change 4711' > /etc/memfrag/disable")
    stopped = host.run(TOOL + " compact --force --json")
    host.run_test("rm /etc/memfrag/disable")
    assert stopped.rc in (0, 4)
    assert json.loads(stopped.stdout)["guard"] == "kill_switch"
    assert json.loads(stopped.stdout)["message"] == "/etc/memfrag/disable is there: change 4711"


def test_owner_and_mode_of_what_root_runs_and_obeys(host: t.Any) -> None:
    for path, mode in (
        (TOOL, 0o755),
        ("/etc/memfrag", 0o755),
        ("/etc/memfrag/policy.json", 0o644),
        ("/var/lib/memfrag", 0o755),
        ("/var/lib/memfrag/sysctl.json", 0o644),
        (DROP_IN, 0o644),
    ):
        file = host.file(path)
        assert (path, file.user, file.group, file.mode) == (path, "root", "root", mode)


def test_tool_refuses_a_wrong_policy(host: t.Any) -> None:
    refused = host.run(TOOL + " compact --order 40")
    assert refused.rc == 2
    assert "order: 40 is out of range: auto or a whole number from 1 to 20" in refused.stderr
