# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audits one host: runs the module there, assesses what it saw, keeps the record here and returns a summary."""

from __future__ import annotations

import functools
import os
import time
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.kernelops.memfrag.plugins.module_utils import _audit, _text
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment import policy, remediation
from ansible_collections.kernelops.memfrag.plugins.module_utils._assessment.assess import assess
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import (
    _answer,
    _contracts,
    _host_files,
    _paths,
    _records,
    _shapes,
    _variables,
)

PAGEBLOCKS = "pageblocks"

# Where what a watch saw is in the facts, and how long one may take: as in module_utils/_fragmenters.py, which nodes alone need.
WATCH = "watch"
LONGEST_WATCH = 600

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
        _variables.refuse_facts(task_vars)
        options = self.validate_argument_spec(_audit.OPTIONS)[1]
        options["records_dir"] = _paths.absolute(options["records_dir"])
        started = time.time()
        run_id = options["run_id"] or time.strftime(RUN_ID_FORMAT, time.gmtime(started))
        _check(options, run_id)
        record = _records.empty(task_vars["inventory_hostname"], task_vars.get("group_names", []), started)
        keep = functools.partial(_keep, record, options["records_dir"], run_id, time.monotonic())
        try:
            self._audit(record, options, run_id, started, task_vars)
        except AnsibleConnectionFailure as error:
            # What ssh says may be the node's own words.
            said = _text.strip_controls(str(error))
            record.update(status="unreachable", error=said)
            keep()
            if said != str(error):
                raise AnsibleConnectionFailure(said) from None
            raise
        except Exception as error:
            _fail(record, _text.strip_controls(str(error) or type(error).__name__))
        except BaseException as error:
            # The task's timeout comes as one that is no Exception. Whatever hangs, there is a record.
            if record["status"] == "audited":
                ended = f"the audit was ended before the node had answered all of it ({type(error).__name__})"
                record["facts"]["unavailable"]["audit"] = ended
            else:
                _fail(record, f"the audit was ended before the node had answered ({type(error).__name__})")
            keep()
            raise
        result.update(_summary(record, keep(), run_id))
        return result

    def _audit(
        self,
        record: dict[str, t.Any],
        options: dict[str, t.Any],
        run_id: str,
        started: float,
        task_vars: dict[str, t.Any],
    ) -> None:
        """Fills the record, or raises: AnsibleConnectionFailure, AnswerError, and what assessing it may raise."""
        # Who wants no journal does not pay for sending the log readers, which are most of the audit's module.
        module_name, node_options = "kernelops.memfrag.memfrag_audit_facts", _audit.FACTS_OPTIONS
        if options["journal"]:
            module_name, node_options = "kernelops.memfrag.memfrag_audit", _audit.NODE_OPTIONS
        record.update(
            self._ask(
                module_name, {name: options[name] for name in node_options if options[name] is not None}, task_vars
            )
        )
        previous = _earlier_facts(options["records_dir"], run_id, record["host"])

        def assessment() -> dict[str, t.Any]:
            return dict(assess(record["facts"], record["journal"], options["policy"], previous=previous, now=started))

        try:
            record["assessment"] = assessment()
        except Exception as error:
            # The answer holds its contract; that it cannot be judged is a fault of ours, and this host's failure all the same.
            raise _answer.AnswerError(
                f"the node's answer cannot be assessed: {type(error).__name__}: {error}"
            ) from error
        # From here on there is an answer. What is asked beyond it adds to it, or is noted as unavailable.
        record["status"] = "audited"
        more = []
        if _looks_closer(options, record):
            more.append(PAGEBLOCKS)
            self._survey(record["facts"], options, task_vars)
        if options["watch_seconds"]:
            more.append(WATCH)
            self._watch(record["facts"], options["watch_seconds"], task_vars)
        if more:
            _assess_again(record, assessment, more)

    def _ask(self, module_name: str, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """-> {facts, journal} of the node, checked."""
        self._answer: dict[str, t.Any] | None = None
        returned = self._execute_module(module_name=module_name, module_args=arguments, task_vars=task_vars)
        return _answer.take(self._answer or _answer.from_ansible(returned))

    def _survey(self, facts: dict[str, t.Any], options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> None:
        """Goes to the node once more, for what holds its pageblocks. That it cannot be had costs nothing of the audit."""
        arguments = {name: options[name] for name in ("root", "deadline_seconds")}
        try:
            seen = self._ask(
                "kernelops.memfrag.memfrag_facts",
                {**arguments, "gather_subset": list(remediation.SURVEY_SUBSET)},
                task_vars,
            )["facts"]
            why = None
            if not seen.get("pageblock_survey"):
                why = seen["unavailable"].get(PAGEBLOCKS) or "the node did not say what holds its pageblocks"
            for name in ("pageblock_survey", "hugepages"):
                facts[name] = seen.get(name)
        except Exception as error:
            why = _text.strip_controls(str(error) or type(error).__name__)
        if why:
            facts["unavailable"][PAGEBLOCKS] = why[: _answer.LONGEST_MESSAGE]

    def _watch(self, facts: dict[str, t.Any], seconds: int, task_vars: dict[str, t.Any]) -> None:
        """Watches who fragments the node for so many seconds. That it cannot be watched costs nothing of the audit."""
        try:
            self._answer = None
            returned = self._execute_module(
                module_name="kernelops.memfrag.memfrag_watch", module_args={"seconds": seconds}, task_vars=task_vars
            )
            facts[WATCH] = _answer.take_watch(returned)
        except Exception as error:
            why = _text.strip_controls(str(error) or type(error).__name__)
            facts["unavailable"][WATCH] = why[: _answer.LONGEST_MESSAGE]

    def _parse_returned_data(self, res: dict[str, t.Any], *more: t.Any) -> t.Any:
        """Keeps the answer of the node from Ansible, which walks each leaf of it, and too large a one from any parser.

        Everything else (a shell's error, a traceback, a module that failed) is Ansible's to understand, without what a
        terminal would obey: it warns of text around an answer in that text's own words.
        """
        output = res.get("stdout") or ""
        self._answer = _answer.from_output(output)
        if self._answer is not None:
            res = {**res, "stdout": "{}"}
        else:
            res = {**res, **{name: _answer.lines(res.get(name) or "") for name in ("stdout", "stderr")}}
        return super()._parse_returned_data(res, *more)


def _check(options: dict[str, t.Any], run_id: str) -> None:
    """AnsibleActionFail before the node is troubled: these are the same mistake on every host."""
    if not 0 <= options["watch_seconds"] <= LONGEST_WATCH:
        raise AnsibleActionFail(f"watch_seconds must be from 0 to {LONGEST_WATCH}, not {options['watch_seconds']}")
    try:
        policy.complete(options["policy"])
        _records.run_directory(options["records_dir"], run_id)
    except (policy.PolicyError, _records.RecordError) as error:
        raise AnsibleActionFail(str(error)) from error


def _keep(record: dict[str, t.Any], records_dir: str, run_id: str, begun: float) -> str:
    """-> path of the record as it is now. One that no report would read is that of a failed audit, whatever has ended it.

    begun is of the clock that nobody sets back: a record that took less than no time would be none.
    """
    record["duration_seconds"] = round(time.monotonic() - begun, 3)
    try:
        try:
            return _records.write(records_dir, run_id, record, check=True)
        except _records.RecordError as error:
            _fail(record, str(error))
            return _records.write(records_dir, run_id, record)
    except OSError as error:
        raise AnsibleActionFail(f"Cannot write the record: {error}") from error


def _summary(record: dict[str, t.Any], path: str, run_id: str) -> dict[str, t.Any]:
    """What the task returns: where the record is and its verdict, not the record."""
    assessment = record["assessment"] or {}
    returned = {
        "changed": False,
        "failed": record["status"] == "failed",
        "status": record["status"],
        "record": path,
        "run_id": run_id,
        "level": assessment.get("level"),
        "summary": _shown(assessment.get("summary")),
    }
    if record["error"]:
        returned["msg"] = _shown(record["error"])
    return returned


def _looks_closer(options: dict[str, t.Any], record: dict[str, t.Any]) -> bool:
    """Whether to survey the pageblocks: where that is asked for, and of itself on a running node whose assessment hinges on it."""
    if options["pageblocks"] != "auto":
        return bool(options["pageblocks"] == "true")
    return options["root"] == "/" and remediation.hinges_on_survey(record["facts"], record["assessment"])


def _assess_again(record: dict[str, t.Any], assessment: t.Callable[[], dict[str, t.Any]], more: list[str]) -> None:
    """With what the later looks have brought. What makes that fail is left out again: the first assessment stands."""
    try:
        record["assessment"] = assessment()
    except Exception as error:
        facts = record["facts"]
        facts.update(pageblock_survey=None, hugepages=None)
        facts.pop(WATCH, None)
        why = f"cannot be assessed: {type(error).__name__}: {error}"[: _answer.LONGEST_MESSAGE]
        facts["unavailable"].update(dict.fromkeys(more, why))


def _shown(text: str | None) -> t.Any:
    """Text for the terminal and for registered variables: never a template, on one line, and not without end."""
    return None if text is None else wrap_var(_text.strip_controls(str(text)[: _answer.LONGEST_MESSAGE]))


def _fail(record: dict[str, t.Any], why: str) -> None:
    record.update(status="failed", error=why[: _answer.LONGEST_MESSAGE], facts=None, journal=None, assessment=None)


def _earlier_facts(records_dir: str, run_id: str, host: str) -> dict[str, t.Any] | None:
    """The facts of the host's newest record of an earlier run; run ids sort by time unless somebody names them otherwise."""
    try:
        runs = sorted(os.listdir(records_dir), reverse=True)
    except OSError:
        return None
    for name in [run for run in runs if run < run_id][:EARLIER_RUNS]:
        path = _host_files.path(os.path.join(records_dir, name), host)
        try:
            facts = _records.load(path).get("facts") if os.path.isfile(path) else None
            if facts:
                _contracts.FACTS.check(facts)
                return dict(facts)
        except (_records.RecordError, _shapes.ShapeError):
            continue
    return None
