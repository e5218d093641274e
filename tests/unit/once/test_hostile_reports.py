# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that were written to hurt: every expression is linear, every number bounded, nothing raises."""

import re
import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import lazy, patterns, prefixes
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs.kernel import KernelLog

SIZE = 65536
# What one expression may cost on such a line; ordinary machines need a tenth.
SECONDS = 0.2
EXPRESSIONS = sorted(name for name in dir(patterns) if isinstance(getattr(patterns, name), lazy.Lazy))


def literals(source):
    """The literal parts of a regular expression."""
    source = re.sub(r"\(\?P<\w+>|\(\?[:=!<]*", "(", source)
    found = re.findall(r"(?:[A-Za-z0-9_:,= -]|\\[.\[\]()/+])+", source)
    return [re.sub(r"\\(.)", r"\1", part) for part in found if part.strip()]


def hostile(source):
    parts = literals(source)
    units = {"a", " ", "0", "[ ", "".join(parts), " ".join(parts)}
    for part in parts:
        units.update((part + "a", part + " "))
    for unit in sorted(units - {""}):
        # Its last character is in no expression, so that what looks for an end has to go back.
        yield (unit * (SIZE // len(unit) + 1))[: SIZE - 1] + "\x01"


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_is_linear(name):
    expression = getattr(patterns, name)
    expression.search("")
    for text in hostile(expression._made_of[0]):
        started = time.process_time()
        expression.search(text)
        assert time.process_time() - started < SECONDS, (name, text[:80])


NUMBERS = [
    "x: page allocation failure: order:16000000000, mode:0xcc0",
    "x: page allocation failure: order:99, mode:0xcc0",
    "x: page allocation failure: order:-1, mode:0xcc0",
    "x: page allocation failure: order:3, mode:0x%s" % ("f" * 5000),
    "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0",
    "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=16000000000, oom_score_adj=0",
    "SLUB: Unable to allocate memory on node -99999999999 (gfp=0x20)",
    "  cache: a, object size: %s, buffer size: 8, default order: 3, min order: 99999" % ("9" * 4000),
    "cma: cma_alloc: alloc failed, req-size: %s pages, ret: -12" % ("9" * 4000),
    "vmap allocation for size %s failed: use vmalloc=<size> to increase size." % ("9" * 4000),
    "Out of memory: Killed process %s (x) total-vm:1kB" % ("9" * 4000),
]
MEMORY = [
    "CPU: 1 PID: 7 Comm: x Not tainted %s #1",
    "Node 0 Normal free:%skB min:1kB low:2kB high:3kB managed:0kB",
    "lowmem_reserve[]: 0 %s -5",
    "Node 0 Normal: %s*4kB (U) 1*8kB 0*0kB = 12kB",
    "oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=0-%s,cpuset=/,mems_allowed=0-%s,global_oom,task_memcg=/,task=x,pid=%s,uid=0",
]


@pytest.mark.parametrize("head", NUMBERS)
@pytest.mark.parametrize("number", ["1.1", "0.0", "9" * 14, "9" * 300, "-1", "99999.99999.99999"])
def test_numbers_that_no_kernel_prints(head, number):
    found = []
    log = KernelLog(found.append)
    started = time.process_time()
    for text in [head] + [line.replace("%s", number) for line in MEMORY]:
        log.feed(prefixes.split(text))
    log.close()
    assert time.process_time() - started < 5 * SECONDS
    assert log.unjudged == []
    for report in found:
        assert report.order is None or -1 <= report.order <= 63
        assert len(report.zones) <= 1


@pytest.mark.parametrize(
    "unit",
    [
        "x invoked oom-killer: gfp_mask=0x1 ",
        "cache: ",
        "vmalloc: ",
        "oom-kill:constraint=CONSTRAINT_,task=",
        "a+0x",
        "Node 0 Normal free:1kB ",
    ],
)
def test_a_log_of_hostile_lines(unit):
    log = KernelLog(lambda report: None)
    text = (unit * (SIZE // len(unit)))[:SIZE]
    started = time.process_time()
    for _number in range(5):
        log.feed(prefixes.split(text))
    log.close()
    assert time.process_time() - started < 5 * SECONDS + 1
