# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes that lie in the answer of one module, whichever it is, while a playbook of the collection is applied to them.

    python tests/robustness/hostile_answers.py [--sample N] [--keep DIRECTORY] [PLAYBOOK ...]

The "interpreter" of each node prints an answer and runs nothing, so nothing is done to this machine. It is the honest one for all modules but
one; what that one says is honest but for a single value, or has variables, hosts and keys of Ansible's own beside it, or is none.
Whatever it is: no playbook ends by an exception, an honest neighbour comes through, no file is read or written where none has to
be, and of what our own modules say nothing becomes a variable. It needs ansible-playbook, and the collection on its path.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import argparse
import copy
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
COLLECTIONS = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]
sys.path[:0] = [COLLECTIONS] * bool(COLLECTIONS) + [os.path.join(os.path.dirname(HERE), "fixtures")]

import build_roots  # noqa: E402  pylint: disable=wrong-import-position

from ansible_collections.kernelops.memfrag.plugins.module_utils import (  # noqa: E402  pylint: disable=wrong-import-position
    _facts,
    _preview,
    _settings,
)
from ansible_collections.kernelops.memfrag.plugins.module_utils._node_writes import (  # noqa: E402  pylint: disable=wrong-import-position
    WritableNode,
)

CAPTURE = "6.1.0-56-cloud-amd64/fragmented"

# $1 is the file of the module, AnsiballZ_<name>.py.
LIAR = """#!/bin/sh
module=${1##*/AnsiballZ_}
module=${module%.py}
lie=$0.$module
[ -f "$lie" ] || lie=${0%/*/*}/honest/$module
exec cat "$lie"
"""

STAT = {
    "exists": True,
    "isdir": True,
    "isreg": False,
    "islnk": False,
    "path": "/x",
    "mode": "0755",
    "uid": 0,
    "gid": 0,
    "checksum": "0" * 40,
}
MONITORING = {
    "memfrag_monitoring_prometheus": True,
    "memfrag_monitoring_grafana": True,
    "memfrag_monitoring_npd": True,
    "memfrag_monitoring_npd_source": "metrics",
    "memfrag_monitoring_exporter": "debian",
}

# Name -> (playbook of the collection, variables of the inventory, modules that lie).
PLAYS = {
    "audit": ("audit", {}, ("memfrag_audit_facts", "memfrag_facts")),
    "tune": (
        "tune",
        {},
        "memfrag_tuning_info memfrag_sysctl memfrag_tool stat file copy systemd_service setup".split(),
    ),
    "tune-absent": ("tune", {"memfrag_tuning_state": "absent"}, ("memfrag_sysctl", "memfrag_tool", "stat", "file")),
    "monitor": (
        "monitor",
        MONITORING,
        "memfrag_exporter memfrag_tool stat file copy find command uri systemd_service systemd setup".split(),
    ),
    "monitor-absent": (
        "monitor",
        dict(MONITORING, memfrag_monitoring_state="absent"),
        ("memfrag_exporter", "memfrag_tool", "stat", "find", "file"),
    ),
    "remediate": ("remediate", {"memfrag_remediate_limit": "100%"}, ("memfrag_audit_facts", "memfrag_compact")),
}

OURS = "memfrag_"

# What a node would like to be believed of the playbooks' variables.
OUTSIDE = "../../../../../../../../../../../../../../../../..%s/OWNED"
TEMPLATE = "{{ lookup('ansible.builtin.pipe', 'touch %s/OWNED') }}"


def variables(place):
    outside, template = OUTSIDE % place, TEMPLATE % place
    return {
        # There is such a file of tasks.
        "memfrag_tuning_state": outside.replace("OWNED", "owned"),
        "memfrag_monitoring_state": "/" + outside.replace("OWNED", "owned"),
        "memfrag_monitoring_prometheus_rules": ["x/" + outside],
        "memfrag_monitoring_npd_level": template,
        "__memfrag_monitoring_dashboards": [outside],
        "__memfrag_tuning_units": outside,
        "memfrag_records_dir": place + "/OWNED",
        "memfrag_report_dir": place + "/OWNED",
        "memfrag_run_id": "owned",
        "memfrag_hosts": "all",
        "memfrag_kill_switch": "false",
        "memfrag_remediate_limit": "100%",
        "memfrag_remediate_before": place + "/owned.yml",
        "memfrag_remediate_after": place + "/owned.yml",
        "memfrag_policy": {"orders": template},
        "memfrag_seen": {"status": "audited", "record": place + "/OWNED"},
        "memfrag_remedy": {"go": True},
        "memfrag_prepared": {"run": {"before": place + "/owned.yml"}},
        "ansible_connection": "ssh",
        "ansible_host": "honest",
        "ansible_ssh_common_args": "-o ProxyCommand='touch %s/OWNED'" % place,
        "ansible_service_mgr": outside,
        "ansible_python_interpreter": "touch %s/OWNED; #" % place,
        "inventory_hostname": "honest",
        "groups": {"all": ["owned"]},
        "hostvars": {},
        "item": outside,
        "directory": outside,
        "omit": template,
    }


def values(place):
    return [
        None,
        True,
        -7,
        1e300,
        10**30,
        "",
        "x\n[Service]\nExecStart=/owned",
        "\x1b]0;owned\x07\u202e\ud800",
        TEMPLATE % place,
        OUTSIDE % place,
        "a" * 300000,
        [],
        ["a"] * 2000,
        {},
        {"exists": True, "x": TEMPLATE % place},
        [[[[[[[[[[]]]]]]]]]],
    ]


def leaves(answer, path=()):
    """-> each path in an answer, also of what holds others; of a list the first entry"""
    inner = answer.items() if isinstance(answer, dict) else enumerate(answer[:1]) if isinstance(answer, list) else ()
    found = []
    for key, value in inner:
        found.append(path + (key,))
        found += leaves(value, path + (key,))
    return found


def put(answer, path, value):
    answer = copy.deepcopy(answer)
    inner = answer
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return answer


def lies(honest, place, chance, sample):
    """-> [(name, what is printed)]: each whole lie, and of those in a single value so many"""
    mine = variables(place)
    whole = {
        "facts": json.dumps(dict(honest, ansible_facts=dict(honest.get("ansible_facts") or {}, **mine))),
        "facts-only": json.dumps({"ansible_facts": mine, "changed": True}),
        "beside": json.dumps(dict(honest, **mine)),
        "keys": json.dumps(
            dict(
                honest,
                _ansible_no_log=True,
                _ansible_verbose_always=True,
                _ansible_delegated_vars={"ansible_host": "honest"},
                _ansible_item_result=True,
                _ansible_remote_tmp="/owned",
                add_host={"host_name": "owned", "groups": ["all"], "host_vars": mine},
                add_group="owned",
                parent_groups=["all"],
                ansible_stats={"data": mine, "per_host": False, "aggregate": True},
                ansible_notify=["Restart the timer"],
                include=place + "/owned.yml",
                include_args={},
                results=[{"ansible_facts": mine, "item": 1}],
                invocation={"module_args": mine},
                unreachable=True,
                skipped=True,
                warnings=["\x1b]0;owned\x07"],
                deprecations=[{"msg": "x", "version": "1"}],
                diff={"before": "\x1b]0;owned\x07", "after": ""},
                exception="owned",
            )
        ),
        "odd-keys": json.dumps(
            dict(
                honest,
                results=7,
                invocation=7,
                warnings=7,
                deprecations=[7],
                diff=[7],
                exception=7,
                failed="x",
                changed=[1],
                rc="x",
                msg={"a": [1]},
                ansible_facts=7,
                skipped={},
                unreachable=None,
            )
        ),
        "failed": json.dumps({"failed": True, "msg": TEMPLATE % place + "\x1b]0;owned\x07\u202e", "exception": 5}),
        "failed-odd": json.dumps({"failed": [1], "msg": [[{"a": 7}]], "module_stderr": 7}),
        "nothing": "",
        "words": "Segmentation fault\x1b]0;owned\x07\n",
        "half": json.dumps(honest)[:-2],
        "list": "[1, 2]",
        "null": "null",
        "nan": json.dumps(dict(honest, x=float("nan"))),
        "deep": json.dumps(honest)[:-1] + ', "x": ' + "[" * 100000,
        "deep-whole": json.dumps(honest)[:-1] + ', "x": ' + "[" * 600 + "]" * 600 + "}",
        "large": json.dumps(dict(honest, x="x" * (9 << 20))),
        "many": json.dumps(dict(honest, ansible_facts={"k%d" % number: number for number in range(100000)})),
    }
    single = [
        ("at-%s-%d" % (re.sub(r"\W+", ".", ".".join(map(str, path))), number), json.dumps(put(honest, path, value)))
        for path in leaves(honest)
        for number, value in enumerate(values(place))
    ]
    return sorted(whole.items()) + (single if sample is None else chance.sample(single, min(sample, len(single))))


def honest_answers(root):
    build_roots.write(root, "run/systemd/system/x")
    node = WritableNode(root)
    facts = _facts.collect(node)
    settings = {"min_free_kbytes": "auto", "watermark_scale_factor": "auto"}
    seen = _preview.preview(node, settings, {}, {"scheduler": "systemd"}, "x", "memfrag_tuning_")
    applied = _settings.apply(node, settings, check_mode=True)
    return {
        "memfrag_audit_facts": {"observed": json.dumps({"facts": facts, "journal": None}), "changed": False},
        "memfrag_facts": {"ansible_facts": {"memfrag": facts}, "changed": False},
        "memfrag_compact": {"reason": "met", "message": "met", "changed": False, "promised": [], "nodes": [0]},
        "memfrag_tuning_info": dict(seen, changed=False),
        "memfrag_sysctl": {
            "changed": True,
            "settings": applied["settings"],
            "read_only": None,
            "drop_in": _settings.DROP_IN,
            "record": _settings.RECORD,
            "diff": _settings.differences(applied),
            "warnings": ["x"],
        },
        "memfrag_tool": {"changed": True, "path": "/usr/local/sbin/memfrag", "removed": ["/x"]},
        "memfrag_exporter": {
            "changed": True,
            "way": "debian",
            "service": "prometheus-node-exporter.service",
            "textfile_directory": "/var/lib/prometheus/node-exporter",
            "flags": ["--collector.buddyinfo"],
        },
        "stat": {"changed": False, "stat": STAT},
        "file": {"changed": True, "path": "/x", "state": "file"},
        "copy": {"changed": True, "dest": "/x", "checksum": "0" * 40},
        "find": {"changed": False, "files": [], "matched": 0, "examined": 1, "msg": "x"},
        "command": {"changed": True, "rc": 0, "stdout": "promtool, version 2", "stderr": "", "cmd": ["x"]},
        "uri": {
            "changed": False,
            "status": 200,
            "json": {
                "data": {
                    "groups": [
                        {"file": "/etc/prometheus/rules/memfrag-%s.rules.yml" % name}
                        for name in ("stock", "stock-alerts", "tool-alerts", "forecast")
                    ]
                }
            },
        },
        "systemd_service": {"changed": True, "name": "x", "state": "started", "status": {"ActiveState": "active"}},
        "systemd": {"changed": True, "name": "x", "state": "started", "status": {"ActiveState": "active"}},
        "setup": {"ansible_facts": {"ansible_service_mgr": "systemd"}, "changed": False},
    }


def write(path, text, mode=0o600):
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with io.open(path, "w", encoding="utf-8", errors="surrogatepass") as stream:
        stream.write(text if isinstance(text, type("")) else text.decode("ascii"))
    os.chmod(path, mode)


def make_nodes(place, modules, honest, chance, sample, like):
    """-> {host: (module, lie)}, with the interpreter of each in its place; two honest ones, before and after all others"""
    for name, answer in honest.items():
        write(os.path.join(place, "honest", name), json.dumps(answer))
    hosts = {"a-honest": None, "z-honest": None}
    for module in modules:
        for number, (name, text) in enumerate(lies(honest[module], place, chance, sample)):
            if not re.search(like, name):
                continue
            host = "%s-%03d-%s" % (module.replace("_", "-"), number, name)
            hosts[host] = (module, name)
            write(os.path.join(place, "nodes", "%s.%s" % (host, module)), text)
    for host in hosts:
        write(os.path.join(place, "nodes", host), LIAR, 0o700)
    return hosts


# Says of each host, in one line each, which of the variables are not those of the inventory, and which hosts there are.
AFTER = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: {python}
  tasks:
    - ansible.builtin.copy:
        dest: {place}/after.json
        content: "{{{{ {{'all': groups.all, 'facts': facts}} | to_json }}}}"
      vars:
        facts: >-
          {{%- set found = {{}} -%}}
          {{%- for host in groups.all -%}}
          {{%- set _ = found.update({{host: hostvars[host].ansible_facts | default({{}}) | list}}) -%}}
          {{%- endfor -%}}
          {{{{ found }}}}
"""


def play(name, place, seed, sample, like=""):
    """-> how many nodes lied. AssertionError where one did harm."""
    playbook, given, modules = PLAYS[name]
    # Ansible resolves links of its own.
    place = os.path.realpath(place)
    honest = honest_answers(build_roots.build(CAPTURE, os.path.join(place, "root")))
    hosts = make_nodes(place, modules, honest, random.Random(seed), sample, like)
    inventory = {
        "all": {
            "vars": dict(
                given,
                ansible_connection="local",
                memfrag_records_dir=place + "/records",
                memfrag_journal=False,
                memfrag_pageblocks="false",
            ),
            "hosts": {host: {"ansible_python_interpreter": os.path.join(place, "nodes", host)} for host in hosts},
        }
    }
    write(os.path.join(place, "inventory.json"), json.dumps(inventory))
    write(os.path.join(place, "owned.yml"), '- ansible.builtin.set_fact: {owned: "%s"}\n' % (TEMPLATE % place))
    write(os.path.join(place, "after.yml"), AFTER.format(place=place, python=sys.executable))
    code, said = run(place, "kernelops.memfrag." + playbook, [])
    check(name, place, hosts, code, said)
    return len(hosts) - 2


def run(place, playbook, options):
    write(
        os.path.join(place, "all.yml"),
        "- ansible.builtin.import_playbook: %s\n- ansible.builtin.import_playbook: after.yml\n" % playbook,
    )
    environment = dict(
        os.environ,
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_FORCE_COLOR="0",
        ANSIBLE_PIPELINING="0",
        ANSIBLE_DEPRECATION_WARNINGS="0",
        ANSIBLE_LOCAL_TEMP=os.path.join(place, "tmp"),
        ANSIBLE_REMOTE_TEMP=os.path.join(place, "tmp"),
        ANSIBLE_DISPLAY_ARGS_TO_STDOUT="0",
    )
    command = [
        "ansible-playbook",
        "-i",
        os.path.join(place, "inventory.json"),
        "-f",
        "4",
        "-D",
        os.path.join(place, "all.yml"),
    ]
    path = os.path.join(place, "output")
    with open(path, "wb") as stream:
        code = subprocess.call(command + options, stdout=stream, stderr=subprocess.STDOUT, cwd=place, env=environment)
    with io.open(path, encoding="utf-8", errors="replace") as stream:
        return code, stream.read()


def check(name, place, hosts, code, said):
    wrong = []
    if code not in (0, 2, 4, 6):
        wrong.append("ends with %d: %s" % (code, said[-2000:]))
    for words in ("Traceback (most recent call last)", "Unexpected Exception", "unhandled exception"):
        for line in [line for line in said.splitlines() if words in line and "fatal:" not in line]:
            wrong.append("an exception: " + line[:600])
    for folder, _dummy, files in os.walk(place):
        if "OWNED" in folder or "OWNED" in files:
            wrong.append("written: %s/%s" % (folder, files))
    for host in ("a-honest", "z-honest"):
        recap = re.search(r"^%s +: .*" % host, said, re.MULTILINE)
        if not recap or not re.search(r"unreachable=0 +failed=0", recap.group()):
            wrong.append("an honest node did not come through: %s" % (recap.group() if recap else said[-2000:]))
    missing = [host for host in hosts if not re.search(r"^%s +: " % re.escape(host), said, re.MULTILINE)]
    if missing:
        wrong.append("not in the recap: %s" % missing[:5])
    try:
        with io.open(os.path.join(place, "after.json"), encoding="utf-8") as stream:
            after = json.load(stream)
    except (OSError, IOError) as error:
        wrong.append("the run did not come to its end: %s" % error)
        after = {"all": list(hosts), "facts": {}}
    if set(after["all"]) != set(hosts):
        wrong.append("hosts of the inventory: %s" % sorted(set(after["all"]) ^ set(hosts)))
    for host, facts in after["facts"].items():
        if hosts.get(host) and hosts[host][0].startswith(OURS) and facts:
            wrong.append("%s has brought variables: %s" % (host, sorted(facts)[:5]))
    if wrong:
        raise AssertionError("%s: %s" % (name, "\n".join(wrong[:20])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sample", type=int, help="so many lies in a single value for each module; all of them by default"
    )
    parser.add_argument("--lies", default="", help="those alone whose name has this expression in it")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", help="works in this directory, and leaves it")
    parser.add_argument("plays", nargs="*", default=[], metavar="PLAYBOOK", help=", ".join(PLAYS))
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 30)
    print("seed %d" % seed)
    failed = 0
    for name in options.plays or PLAYS:
        place = os.path.join(options.keep, name) if options.keep else tempfile.mkdtemp(prefix="memfrag-hostile-")
        try:
            print(
                "%-14s %d nodes lied, and harmed nobody" % (name, play(name, place, seed, options.sample, options.lies))
            )
        except AssertionError as error:
            failed += 1
            print(error)
        finally:
            if not options.keep:
                shutil.rmtree(place)
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
