# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""usage: loops.py DIRECTORY PYTHON     alerts about the nodes of a small fleet; the first that is wrong ends it"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import io
import json
import os
import subprocess
import sys
import threading

try:
    from http.server import BaseHTTPRequestHandler, HTTPServer
except ImportError:
    from BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "playbook_remediate"))

import fleet
import remediation


class Listener(BaseHTTPRequestHandler):
    """Takes the place of Alertmanager and of Grafana."""

    heard = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
        self.heard.append((self.path, self.headers.get("Authorization"), json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *dummy):
        pass


def loop(nodes, playbook, limit, variables, check=False):
    """-> exit status of a playbook of the loop, run as ansible-rulebook does: somewhere else, with a limit and variables."""
    command = ["ansible-playbook", "kernelops.memfrag." + playbook, "-i", nodes.path("inventory.json"), "-l", limit]
    command += ["-e", json.dumps(variables)] + (["--check"] if check else [])
    process = subprocess.Popen(
        command,
        cwd=nodes.path("cwd"),
        env=dict(os.environ, ANSIBLE_COLLECTIONS_PATH=nodes.collections),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    print(process.communicate()[0].decode("utf-8", "replace"))
    return process.returncode


def main():
    directory, python = sys.argv[1:]
    nodes = remediation.Fleet(os.path.join(directory, "fleet"), python, fleet.COLLECTIONS)
    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.daemon = True
    thread.start()
    url = "http://127.0.0.1:%d" % server.server_port
    records = nodes.path("records")
    common = {
        "memfrag_records_dir": records,
        "memfrag_remediate_before": nodes.path("drain.yml"),
        "memfrag_remediate_after": nodes.path("return.yml"),
        "memfrag_loop_alertmanager": url + "/am/",
        "memfrag_loop_grafana": url + "/grafana",
        "memfrag_loop_grafana_headers": {"Authorization": "Bearer s3cret"},
    }

    def variables(run_id, host, **more):
        return dict(common, memfrag_loop_run_id=run_id, memfrag_loop_host=host, **more)

    def alert(run_id, host, **more):
        """-> exit statuses of both playbooks, and why the node was not let in"""
        status = loop(nodes, "loop_remediate", host, variables(run_id, host, **more))
        return status, loop(nodes, "loop_tell", host, variables(run_id, host, **more)), entries(records)[run_id]

    # What must lead to nothing. The limit alone is what ansible-rulebook makes of the same label, or somebody else's.
    pwned = nodes.path("pwned")
    template = "{{ lookup('ansible.builtin.pipe', 'touch %s') }}" % pwned
    with io.open(nodes.path("hosts.txt"), "w", encoding="ascii") as stream:
        stream.write(b"a\nb\n".decode("ascii"))
    # The unit tests have more of them.
    odd = [
        ("all", "all"),
        ("a", "a,b"),
        ("b", "a"),
        ("a,b", "a,b"),
        ("@" + nodes.path("hosts.txt"),) * 2,
        (template, "a"),
    ]
    for host, limit in odd:
        assert loop(nodes, "loop_remediate", limit, variables("odd", host, memfrag_hosts="all")), (host, limit)
    assert loop(nodes, "loop_tell", "a", variables("odd", template))
    assert loop(nodes, "loop_remediate", "a", common)
    assert loop(nodes, "loop_remediate", "nowhere", variables("odd", "nowhere"))
    assert not os.path.exists(pwned) and not os.path.exists(records) and not Listener.heard, Listener.heard
    assert not any(nodes.compacted(host) for host in fleet.FLEET) and not nodes.drained()

    # Check mode notes nothing, and the loop is as free to begin afterwards.
    assert loop(nodes, "loop_remediate", "a", variables("check", "a"), check=True) == 0
    assert not entries(records) and not nodes.compacted("a")
    assert nodes.outcomes(records, "check")["a"]["outcome"] == "waiting"

    # The node of the alert, and no other, whatever somebody else has said about hosts.
    assert alert("r1", "a", memfrag_hosts="all") == (0, 0, None)
    assert {host: one["outcome"] for host, one in nodes.outcomes(records, "r1").items()} == {"a": "mended"}
    assert [host for host in fleet.FLEET if nodes.compacted(host)] == ["a"] and not nodes.drained()
    (where, dummy, (said,)), (there, token, note) = Listener.heard
    assert (where, there, token) == ("/am/api/v2/alerts", "/grafana/api/annotations", "Bearer s3cret")
    assert said["labels"] == {
        "alertname": "MemfragRemediation",
        "instance": "a",
        "outcome": "mended",
        "severity": "info",
    }, said
    assert said["annotations"]["summary"] == note["text"] and note["text"].startswith("a was mended, score "), note
    assert note["tags"] == ["memfrag", "remediation", "a", "mended"] and note["time"] <= note["timeEnd"]

    # Not again so soon; and after one that is no better no other one.
    assert loop(nodes, "loop_remediate", "a", variables("r2", "a")) == 0 and "it was taken" in entries(records)["r2"]
    status, told, entry = alert("r3", "same")
    assert (status != 0, told, entry) == (True, 0, None)
    assert nodes.outcomes(records, "r3")["same"]["outcome"] == "no_better"
    status, told, entry = alert("r4", "b")
    assert (status, told) == (0, 0) and "same was compacted, and is no better" in entry, entry
    outcomes = [body[0]["labels"]["outcome"] for path, dummy, body in Listener.heard if path.startswith("/am")]
    assert outcomes == ["mended", "no_better", "refused"], outcomes
    # The kill switch of the remediation is that of the loop.
    switched_off = variables("r5", "b", memfrag_loop_pause_minutes=0, memfrag_kill_switch=True)
    assert loop(nodes, "loop_remediate", "b", switched_off) == 0 and "kill switch" in entries(records)["r5"]
    assert not nodes.compacted("b") and not os.path.exists(os.path.join(records, "r4"))

    # Whoever is not there to be told keeps nobody else from being told, and it is said in the end.
    server.shutdown()
    server.server_close()
    assert loop(nodes, "loop_tell", "b", variables("r4", "b"))
    print("The loop does what it should, and nothing else.")


def entries(records):
    """{run: why it was refused, or None}"""
    path = os.path.join(records, "loop.jsonl")
    if not os.path.exists(path):
        return {}
    with io.open(path, encoding="utf-8") as stream:
        return {one["run_id"]: one["refused"] for one in map(json.loads, stream)}


if __name__ == "__main__":
    main()
