# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audits one host: runs the module there, assesses what it saw, keeps the record here and returns a summary."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.kernelops.memfrag.plugins.module_utils import _audit
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import policy
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _records

RUN_ID_FORMAT = "%Y%m%dT%H%M%SZ"

# So many of the newest runs are looked through for an earlier record of the host.
EARLIER_RUNS = 20


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        options = self.validate_argument_spec(_audit.OPTIONS)[1]
        started = time.time()
        run_id = options["run_id"] or time.strftime(RUN_ID_FORMAT, time.gmtime(started))
        try:
            # Before the node is troubled: these are the same mistake on every host.
            policy.complete(options["policy"])
            _records.run_directory(options["records_dir"], run_id)
        except (policy.PolicyError, _records.RecordError) as error:
            raise AnsibleActionFail(str(error)) from error
        record: dict[str, t.Any] = {
            "schema_version": _records.SCHEMA_VERSION,
            "host": task_vars["inventory_hostname"],
            "groups": sorted(task_vars.get("group_names", [])),
            "status": "failed",
            "error": None,
            "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "duration_seconds": None,
            "facts": None,
            "journal": None,
            "assessment": None,
        }

        # Who wants no journal does not pay for sending the log readers, which are most of the audit's module.
        module_name, node_options = "kernelops.memfrag.memfrag_facts", _audit.FACTS_OPTIONS
        if options["journal"]:
            module_name, node_options = "kernelops.memfrag.memfrag_audit", _audit.NODE_OPTIONS

        def keep() -> str:
            record["duration_seconds"] = round(time.time() - started, 3)
            try:
                return os.path.abspath(_records.write(options["records_dir"], run_id, record))
            except OSError as error:
                raise AnsibleActionFail(f"Cannot write the record: {error}") from error

        try:
            answer = self._execute_module(
                module_name=module_name,
                module_args={name: options[name] for name in node_options if options[name] is not None},
                task_vars=task_vars,
            )
            record.update(_seen(answer))
        except AnsibleConnectionFailure as error:
            record.update(status="unreachable", error=str(error))
            keep()
            raise
        except ValueError as error:
            record.update(_failure({"msg": f"the module's answer is not JSON: {error}"}))

        if record["error"] is None:
            record["status"] = "audited"
            record["assessment"] = assess(
                record["facts"],
                record["journal"],
                options["policy"],
                previous=_earlier_facts(options["records_dir"], run_id, record["host"]),
                now=started,
            )
        result.update(
            changed=False,
            failed=record["status"] == "failed",
            status=record["status"],
            record=keep(),
            run_id=run_id,
            level=(record["assessment"] or {}).get("level"),
            summary=(record["assessment"] or {}).get("summary"),
        )
        if record["error"]:
            result["msg"] = record["error"]
        return result


def _earlier_facts(records_dir: str, run_id: str, host: str) -> dict[str, t.Any] | None:
    """The facts of the host's newest record of an earlier run; run ids sort by time unless somebody names them otherwise."""
    try:
        runs = sorted(os.listdir(records_dir), reverse=True)
    except OSError:
        return None
    for name in [run for run in runs if run < run_id][:EARLIER_RUNS]:
        path = os.path.join(records_dir, name, _records.file_name(host))
        try:
            facts = _records.load(path).get("facts") if os.path.isfile(path) else None
        except _records.RecordError:
            continue
        if facts:
            return dict(facts)
    return None


def _seen(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the node has answered, as the record holds it: of memfrag_audit one string, of memfrag_facts the facts alone."""
    if "seen" in answer:
        return dict(json.loads(answer["seen"]))
    facts = (answer.get("ansible_facts") or {}).get("memfrag")
    return {"facts": facts} if facts else _failure(answer)


def _failure(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """A module that did not come through, in the words that a person can act on."""
    message = str(answer.get("msg") or "the module failed without a message")
    lines = [line.strip() for line in str(answer.get("module_stderr") or "").splitlines() if line.strip()]
    if lines:
        # A traceback says it last, everything else (a missing interpreter, a shell) says it first.
        message += ": " + (lines[-1] if "Traceback" in lines[0] else lines[0])
    return {"status": "failed", "error": message}
