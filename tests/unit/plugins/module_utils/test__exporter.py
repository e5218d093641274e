# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

import build_roots
import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _exporter
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import NodeError

DEBIAN = "etc/default/prometheus-node-exporter"
UNIT = "[Service]\nUser=prometheus\nEnvironmentFile=/etc/default/x\nExecStart=%s\n"
# A program that knows the flags that node_exporter 1.5 does; what it prints is what is looked at.
PROGRAM = "#!/bin/sh\necho 'usage: node_exporter [<flags>]'\nprintf '      --%s\\n' %s\n"
KNOWN = (
    'collector.buddyinfo collector.zoneinfo "collector.vmstat.fields=X" "[no-]collector.textfile" "[no-]collector.uname" '
    '"[no-]collector.vmstat" "[no-]collector.meminfo" "[no-]collector.pressure" "collector.textfile.directory=/x"'
)
ADDED = "--collector.buddyinfo --collector.zoneinfo --collector.vmstat.fields=" + _exporter.VMSTAT_FIELDS


def debian(node, text, start="/usr/bin/prometheus-node-exporter $ARGS", known=KNOWN):
    build_roots.write(node.root, DEBIAN, text)
    build_roots.write(node.root, "lib/systemd/system/prometheus-node-exporter.service", UNIT % start)
    build_roots.write(node.root, "usr/bin/prometheus-node-exporter", PROGRAM % ("%s", known))
    os.chmod(node.path("/usr/bin/prometheus-node-exporter"), 0o755)


def block(line):
    return _exporter._BEGIN + line + "\n" + _exporter._END


# Text of a file of variables, and the line that is to be added; None for no block.
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('# words\nARGS=""\n', 'ARGS="%s"' % ADDED),
        ("", 'ARGS="%s"' % ADDED),
        ('ARGS="--web.listen-address=:9101"\n', 'ARGS="--web.listen-address=:9101 %s"' % ADDED),
        ("ARGS='--a.b=\"c\"'\n", "ARGS='--a.b=\"c\" %s'" % ADDED),
        ("ARGS=--a --b  \n", 'ARGS="--a --b %s"' % ADDED),
        # The last one counts, and lines go on.
        ('ARGS="--a"\nARGS="--b \\\n      --c"\nOTHER=1\n', 'ARGS="--b --c %s"' % ADDED),
        # A comment says nothing.
        ('ARGS="--a"\n# ARGS="--collector.buddyinfo"\n', 'ARGS="--a %s"' % ADDED),
        # What is there is not given twice: node_exporter would not start.
        ('ARGS="--collector.buddyinfo --collector.vmstat.fields=^x"\n', None),
        ("ARGS=\"--collector.zoneinfo --collector.buddyinfo --collector.vmstat.fields '^x'\"\n", None),
    ],
)
def test_what_is_missing_is_added_in_a_block_and_taken_back(text, line, node):
    debian(node, text)
    looked = _exporter.configure(node, "present", check_mode=True)
    assert node.read_text("/" + DEBIAN) == text
    result = _exporter.configure(node, "present")
    assert dict(result, diff=None) == dict(looked, diff=None) and result["way"] == "debian"
    if line is None and "zoneinfo" not in text:
        line = text.strip()[:-1] + ' --collector.zoneinfo"'
    assert node.read_text("/" + DEBIAN) == text + (block(line) if line else "")
    assert result["changed"] is bool(line)
    assert _exporter.configure(node, "present")["changed"] is False
    assert _exporter.configure(node, "absent")["changed"] is bool(line)
    assert node.read_text("/" + DEBIAN) == text
    assert _exporter.configure(node, "absent")["changed"] is False


def test_a_change_above_the_block_is_taken_over_and_the_mode_stays(node):
    debian(node, 'ARGS="--a"\n')
    os.chmod(node.path("/" + DEBIAN), 0o640)
    _exporter.configure(node, "present")
    assert node.mode("/" + DEBIAN) == 0o640
    build_roots.write(node.root, DEBIAN, node.read_text("/" + DEBIAN).replace('"--a"', '"--b"'))
    assert _exporter.configure(node, "present")["changed"] is True
    assert node.read_text("/" + DEBIAN) == 'ARGS="--b"\n' + block('ARGS="--b %s"' % ADDED)


def test_with_the_defaults_off_what_is_needed_of_them_is_switched_on(node):
    debian(node, 'ARGS="--collector.disable-defaults --collector.meminfo"\n')
    flags = _exporter.configure(node, "present")["flags"]
    assert [flag for flag in flags if "=" not in flag] == [
        "--collector." + name for name in ("buddyinfo", "zoneinfo", "textfile", "vmstat", "uname", "pressure")
    ]


def test_the_directory_is_what_the_exporter_reads(node):
    debian(node, 'ARGS="--collector.textfile.directory=/srv/prom"\n')
    assert _exporter.configure(node, "found")["textfile_directory"] == "/srv/prom"
    with pytest.raises(NodeError, match="node_exporter reads textfiles of /srv/prom, and not of /other"):
        _exporter.configure(node, "present", directory="/other")
    debian(node, 'ARGS=""\n')
    assert _exporter.configure(node, "found")["textfile_directory"] == "/var/lib/prometheus/node-exporter"
    assert (
        _exporter.configure(node, "present", directory="/other")["flags"][-1] == "--collector.textfile.directory=/other"
    )


def test_flags_of_the_unit_and_its_drop_ins_count(node):
    debian(node, 'ARGS="--a"\n', start="/usr/bin/prometheus-node-exporter --collector.buddyinfo \\\n  $ARGS")
    build_roots.write(
        node.root,
        "etc/systemd/system/prometheus-node-exporter.service.d/more.conf",
        "[Service]\nExecStart=\nExecStart=/usr/bin/prometheus-node-exporter --collector.zoneinfo $MORE\n",
    )
    build_roots.write(node.root, DEBIAN, 'ARGS="--a"\nMORE=""\n')
    result = _exporter.configure(node, "present")
    assert [flag.partition("=")[0] for flag in result["flags"]] == [
        "--collector.buddyinfo",
        "--collector.vmstat.fields",
    ]
    # The variable is the one that the unit names.
    assert '\nMORE="--collector.buddyinfo ' in node.read_text("/" + DEBIAN)


@pytest.mark.parametrize(
    ("path", "variable", "way"),
    [
        ("etc/sysconfig/node_exporter", "OPTIONS", "sysconfig"),
        ("etc/default/node_exporter", "NODE_EXPORTER_OPTS", "default"),
    ],
)
def test_packages_for_el(path, variable, way, node):
    build_roots.write(node.root, path, "%s='--a'\n" % variable)
    build_roots.write(node.root, "usr/sbin/node_exporter", PROGRAM % ("%s", KNOWN))
    os.chmod(node.path("/usr/sbin/node_exporter"), 0o755)
    result = _exporter.configure(node, "present")
    assert (result["way"], result["service"]) == (way, "node_exporter.service")
    # None is built in there.
    assert result["flags"][-1] == "--collector.textfile.directory=/var/lib/node_exporter/textfile_collector"
    assert node.read_text("/" + path).count("%s='--a " % variable) == 1


def test_the_unit_of_the_collection_is_looked_at_alone(node):
    path = "etc/systemd/system/node_exporter.service"
    start = "/usr/local/bin/node_exporter \\\n    '--collector.textfile' \\\n    '--collector.textfile.directory=/var/lib/node_exporter'"
    build_roots.write(node.root, path, UNIT % start)
    with pytest.raises(NodeError) as failed:
        _exporter.configure(node, "present")
    assert "node_exporter_enabled_collectors contain buddyinfo, zoneinfo, {vmstat: " in str(failed.value)
    assert "lacks --collector.buddyinfo --collector.zoneinfo --collector.vmstat.fields=" in str(failed.value)
    assert "{textfile: {directory: /var/lib/node_exporter}}" in str(failed.value)
    whole = (
        start + " \\\n    '--collector.buddyinfo' \\\n    '--collector.zoneinfo' \\\n    '--collector.vmstat.fields=^x'"
    )
    build_roots.write(node.root, path, UNIT % whole)
    result = _exporter.configure(node, "present")
    assert result == {
        "changed": False,
        "way": "prometheus_collection",
        "service": "node_exporter.service",
        "textfile_directory": "/var/lib/node_exporter",
        "flags": [],
    }
    assert _exporter.configure(node, "absent")["changed"] is False


def test_without_an_exporter(node):
    with pytest.raises(
        NodeError, match="no node_exporter that could be configured: neither that file nor /etc/sysconfig"
    ):
        _exporter.configure(node, "present")
    with pytest.raises(NodeError, match="no node_exporter that could be configured as sysconfig"):
        _exporter.configure(node, "present", way="sysconfig")
    for state in ("found", "absent"):
        assert _exporter.configure(node, state)["way"] == "none"


@pytest.mark.parametrize(
    ("text", "known", "says"),
    [
        ('ARGS="--no-collector.buddyinfo"\n', KNOWN, "--no-collector.buddyinfo is there"),
        (
            'ARGS=""\n',
            KNOWN.replace("collector.zoneinfo", ""),
            "it does not know --collector.zoneinfo; a newer node_exporter",
        ),
        ('ARGS="--a\n', KNOWN, 'the quotes of ARGS="--a are not understood'),
        ("ARGS=--a\\ b\n", KNOWN, "the quotes of ARGS=--a\\ b are not understood"),
    ],
)
def test_what_is_refused_changes_nothing(text, known, says, node):
    debian(node, text, known=known)
    with pytest.raises(NodeError) as failed:
        _exporter.configure(node, "present")
    assert says in str(failed.value)
    assert node.read_text("/" + DEBIAN) == text


def test_a_program_that_is_missing(node):
    build_roots.write(node.root, DEBIAN, 'ARGS=""\n')
    with pytest.raises(NodeError, match="no such program; /etc/default/prometheus-node-exporter is there"):
        _exporter.configure(node, "present")


@pytest.mark.parametrize("mode", [0o757, 0o777, 0o666])
def test_a_program_that_others_can_write_is_not_run_as_root(node, mode, tmp_path):
    debian(node, 'ARGS=""\n')
    program = node.path("/usr/bin/prometheus-node-exporter")
    with open(program, "a") as stream:
        stream.write("touch %s\n" % (tmp_path / "owned"))
    os.chmod(program, mode)
    with pytest.raises(NodeError) as caught:
        _exporter.configure(node, "present")
    assert "may be written by everyone" in str(caught.value) and "node-exporter" in str(caught.value)
    assert not (tmp_path / "owned").exists()
    assert node.read_text("/" + DEBIAN) == 'ARGS=""\n'
    os.chmod(program, 0o755)
    assert _exporter.configure(node, "present")["changed"] is True
    assert (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "program",
    [
        "#!/bin/sh\nexec sleep 100\n",
        # One that has started another, which keeps its output open.
        "#!/bin/sh\nsleep 100 &\n",
        # And one that goes on talking, beyond what a pipe holds, to where nobody listened at first.
        "#!/bin/sh\nwhile :; do sleep 0.01; echo --x >&2; done\n",
    ],
)
def test_a_program_that_does_not_come_to_an_end(program, node, monkeypatch):
    debian(node, 'ARGS=""\n')
    build_roots.write(node.root, "usr/bin/prometheus-node-exporter", program)
    monkeypatch.setattr(_exporter, "HELP_SECONDS", 0.3)
    with pytest.raises(NodeError) as failed:
        _exporter.configure(node, "present")
    assert str(failed.value).startswith(
        "/usr/bin/prometheus-node-exporter: --help did not come to an end within 0 seconds"
    )
    assert node.read_text("/" + DEBIAN) == 'ARGS=""\n'


def test_a_program_that_says_it_all_on_the_other_output(node):
    debian(node, 'ARGS=""\n')
    text = (
        node.read_text("/usr/bin/prometheus-node-exporter").replace("printf", "seq 20000 >&2; printf") + "seq 20000\n"
    )
    build_roots.write(node.root, "usr/bin/prometheus-node-exporter", text.replace("%s\\n' ", "%s\\n' >&2 "))
    assert _exporter.configure(node, "present")["changed"]
