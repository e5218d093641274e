# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The heads of the kernel's reports, and the lines that end one.

Each function takes the KernelLog, a Line and its text (with a NUL behind it where no more of it will come), and says whether it was
its line. HEADS, at the end, tells which literal leads to which.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from .._releases import order_of
from . import breaks, patterns
from .report import MAX_VICTIMS, held

# Kinds of suppressed messages that are counted.
MAX_SUPPRESSED = 16
# What the names of constraints are made of.
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
# alloc_vmap_area() speaks directly before vmalloc() does; other CPUs may come between.
VMAP_REACH = 12


def page_failure(log, line, text):
    last = text.endswith("\0")
    match = patterns.FAILURE.search(text) or patterns.FAILURE_TORN.search(text)
    match = match or last and patterns.FAILURE_SHORT.search(text)
    if match:
        rest, before = text[match.end() :], text[: match.start()].rstrip()
        # A bracket that is not closed was cut by a line end.
        if match.groupdict().get("flags") is None and rest[:1] == "(" and not last:
            return log.wait(line, breaks.brackets_closed)
        if before and not before.endswith(":"):
            return False
        old_form = text.startswith("page allocation failure.", match.start())
        report = log.start(
            line, "page_allocation_failure", comm=before[:-1] or None, old_form=old_form, **match.groupdict()
        )
        seen, host, failed = log.vmalloc_failed
        # vmalloc() reports through the page allocator: its own line, then this one with order 0.
        if report.order == 0 and host == line.host and log.seen - seen <= 2:
            report.of_vmalloc, failed.second = failed, report
            complete_vmalloc(log, report)
        log.failure = report
        report.nodes(rest)
        if "omm: " in rest:
            log.who(line, rest)
        return True
    return not last and bool(patterns.FAILURE_CUT.search(text[-120:])) and log.wait(line, breaks.failure_ends)


def complete_vmalloc(log, report):
    """What the line of vmalloc() itself did not say up to 4.x stands in the one that the page allocator added."""
    for other in log.open:
        if other.kind == "vmalloc_failure" and other.mask is None and other.host == report.host:
            other.mask, other.flags, other.comm = report.mask, report.flags, other.comm or report.comm


def old_failure(log, line, text):
    match = patterns.OLD_FAILURE.search(text)
    if match:
        log.start(line, "page_allocation_failure", comm=None, **match.groupdict())
    return bool(match)


def oom(log, line, text):
    at, before = text.find("oom-killer:"), None
    if at < 0:
        return False
    if text[:at].endswith(" invoked ") and at > 9:
        before = text[: at - 9]
    elif at or not text.startswith("oom-killer: gfp_mask="):
        # Up to 2.6.9 it did not say for whom.
        return False
    # The format itself, or an expression that searches for it: a patch, source, a rule of a monitor.
    behind = text[at + 11 :].strip(" \0")
    if behind.startswith("gfp_mask=%") or not behind.startswith("gfp_mask="[: len(behind)]) or before == "#":
        return False
    found, rest = breaks.oom_fields(text[at + 11 :])
    if before is None:
        found["order"] = found["order"] or 0
    if (found["mask"] is None or found["order"] is None) and not text.endswith("\0"):
        return log.wait(line, breaks.oom_ends)
    report = log.start(line, "oom_kill", comm=before, **found)
    nodemask = patterns.NODEMASK.search(rest)
    report.nodemask = nodemask and nodemask.group(1)
    report.nodes(rest)
    return True


def oom_broken(log, line, text):
    if text.rstrip().endswith(("invoked", "invoked oom-killer:")) and not text.endswith("\0"):
        return log.wait(line, breaks.oom_ends)
    return False


def stall(log, line, text):
    match = patterns.STALL.search(text)
    if match:
        found = match.groupdict()
        seconds, unit = int(found.pop("time")), found.pop("unit")
        if int(found["order"]):
            found["seconds"] = seconds // 1000 if unit == "ms" else seconds
            comm = text[: match.start()]
            log.start(line, "compaction_stall", function="__alloc_pages_slowpath", comm=comm or None, **found)
    return bool(match)


def slab_failure(log, line, text):
    match = patterns.SLAB.search(text)
    if match:
        log.end_slab()
        log.slab = log.new(line, "slab_allocation_failure", **match.groupdict())
        current = log.current(line)
        if current and current.kind == "page_allocation_failure":
            log.slab.after = current
    return bool(match)


def slab_cache(log, line, text):
    match = patterns.SLAB_CACHE.search(text)
    if not match or log.slab is None or log.slab.cache:
        return False
    order = patterns.SLAB_ORDER.search(match.group("orders"))
    if order is None and not text.endswith("\0") and match.group("orders"):
        return log.wait(line, breaks.slab_ends)
    log.slab.cache = match.group("cache")
    log.slab.object_size = int(match.group("size"))
    log.slab.order = int(order.group(1)) if order else None
    log.slab.last = log.seen
    return True


def cache_create(log, line, text):
    match = patterns.CACHE_CREATE.search(text)
    if match:
        log.failed_create = (log.seen, line.host)
        before = log.failure
        report = log.start(line, "slab_cache_create_failure", **match.groupdict())
        if before and before.host == line.host and log.seen - before.last <= 20:
            report.after = before
    return bool(match)


def conntrack(log, line, text):
    if not patterns.CONNTRACK.match(text):
        return False
    seen, log.failed_create = log.failed_create, None
    # The last line of the report that kmem_cache_create() began, or all that there is.
    if not (seen and seen[1] == line.host and log.seen - seen[0] < 80):
        log.start(line, "slab_cache_create_failure", cache="nf_conntrack", errno=-12)
    return True


def fell_back(log, line, text):
    if not patterns.FALLING_BACK.match(text):
        return False
    for report in log.open:
        if report.kind == "slab_cache_create_failure" and report.host == line.host:
            report.fell_back = True
    return True


def vmap(log, line, text):
    match = patterns.VMAP.search(text)
    if match:
        report = log.new(line, "vmalloc_failure", size=match.group("size"), problem="address space")
        log.vmalloc_failed = log.vmapped = (log.seen, line.host, report)
        log.deliver(report)
    elif patterns.VMAP_CUT.search(text[-80:]):
        return log.wait(line, patterns.VMAP.search)
    return bool(match)


def vmalloc(log, line, text):
    match = patterns.VMALLOC.search(text)
    if not match:
        return False
    if text.rstrip().endswith(",") and not text.endswith("\0"):
        return log.wait(line, patterns.MODE.search)
    before, why = text[: match.start()].strip(), match.group("why") or ""
    problem = "pages" if match.group("done") is not None or "pages" in why else None
    if "exceeds" in why:
        problem = "size"
    elif "vm_struct" in why:
        problem = "area"
    seen, host, _report = log.vmapped
    if problem in (None, "area") and host == line.host and log.seen - seen <= VMAP_REACH:
        problem = "address space"
    mode = patterns.MODE.search(text, match.end())
    found = mode.groupdict() if mode else {}
    size = match.group("size") or match.group("size2") or match.group("size3")
    blocks = patterns.PAGE_ORDER.search(why)
    found["order"] = blocks and blocks.group(1)
    report = log.start(line, "vmalloc_failure", size=size, problem=problem, comm=before.rstrip(":") or None, **found)
    log.vmalloc_failed = (log.seen, line.host, report)
    return True


def cma(log, line, text):
    match = patterns.CMA.search(text)
    if match:
        log.deliver(log.new(line, "cma_allocation_failure", **match.groupdict()))
    return bool(match)


def xfs(log, line, text):
    match = patterns.XFS.search(text)
    if match:
        found = match.groupdict()
        size = int(found.pop("size") or 0)
        report = log.new(line, "page_allocation_failure", **found)
        # kmalloc() asks for a block from this size on, and of smaller objects for a slab of whatever order.
        if size > 2048 * report.page_kb:
            report.order = order_of(size, 1024 * report.page_kb)
        report.tries = 100
        log.deliver(report)
    return bool(match)


def lockup(log, line, text):
    match = patterns.LOCKUP.search(text) or patterns.HUNG.search(text)
    if match:
        found = match.groupdict()
        log.start(line, "soft_lockup" if "cpu" in found else "hung_task", **found)
    elif patterns.HUNG_CUT.search(text[-60:]) and not text.endswith("\0"):
        return log.wait(line, patterns.HUNG.search)
    return bool(match)


def show_memory(log, line, text):
    """SysRq-m: the Mem-Info that follows is no failure."""
    log.asked = log.seen
    return False


# --- OOM kills -----------------------------------------------------------------------------------------------------------


def summary(log, line, text):
    found = _summary_fields(text)
    if found is False:
        return False
    if found is None or "uid=" not in text and not text.endswith("\0") and found["pid"] is None:
        return not text.endswith("\0") and log.wait(line, lambda joined: ",uid=" in joined)
    report = oom_report(log, line)
    report.constraint, report.last, report.until = found["constraint"], log.seen, line
    report.limit_cgroup, report.task_cgroup = found["oom_memcg"], found["task_memcg"]
    if found["pid"] is not None:
        report.summary_victim = (held(found["task"].strip()), found["pid"])
    report.nodes(text)
    return True


def kill(log, line, text):
    match = patterns.KILL.search(text)
    if not match:
        return kill_broken(log, line, text)
    victim = (held(match.group("comm")), int(match.group("pid")))
    why = match.group("why") or ""
    if not why and match.group("verb") == "Kill":
        return False
    report = oom_report(log, line, victim, bool(why))
    report.last, report.until = log.seen, line
    if report.headless and not report.chosen and not report.killed and report.kind == "oom_kill":
        # Without the head, this line is the one that says what happened.
        report.line, report.message = line, text
    if "cgroup" in why or " in UB" in why:
        # OpenVZ mm/oom_kill.c out_of_memory_in_ub(): the beancounter of a container, which is its limit.
        report.said_memcg = True
    elif why:
        report.said_system = True
    if match.group("verb").lower() == "killed":
        if len(report.killed) < MAX_VICTIMS:
            report.killed.append(victim)
        report.complete = True
    else:
        report.chosen = victim
    return True


def kill_broken(log, line, text):
    """A kill whose line was wrapped: behind the reason, or within what follows it."""
    broken = patterns.KILL_CUT.search(text[-160:])
    return bool(broken) and not text.endswith("\0") and log.wait(line, patterns.KILL.search)


def old_kill(log, line, text):
    match = patterns.OLD_KILL.search(text)
    if match:
        report = log.start(line, "oom_kill", said_system=True)
        report.killed.append((held(match.group("comm")), None))
    return bool(match)


def no_victim(log, line, text):
    """The OOM killer found nobody to kill, or was told not to look for one."""
    panic = patterns.PANIC.search(text)
    if not panic and not patterns.NO_KILLABLE.search(text):
        return False
    report = oom_report(log, line)
    report.last, report.until, report.panic = log.seen, line, bool(panic)
    # "Out of memory and no killable processes" is also said of a cgroup.
    report.said_system = report.said_system or bool(panic) and not report.said_memcg
    return True


def oom_report(log, line, victim=None, begins=False):
    """The OOM report that a line belongs to; a new one when its head is not in the log.

    Each kills one process, but for oom.group. ``begins``: the line says why as well, so another kill has been reported before it.
    """
    for report in reversed(log.open):
        if report.kind not in ("oom_kill", None) or not (
            line.caller is None or report.caller is None or report.caller == line.caller
        ):
            continue
        if report.killed and victim and not report.group and (begins or victim not in report.killed):
            break
        if begins and report.chosen and victim != report.chosen:
            # oom_kill_process() says once whom it has chosen, before whatever it kills in place of it.
            break
        report.kind = "oom_kill"
        return report
    return log.start(line, "oom_kill", headless=True)


def suppression(log, line, text):
    match = patterns.SUPPRESSED.search(text)
    if match and len(log.suppressed) < MAX_SUPPRESSED:
        what = match.group("what")
        log.suppressed[what] = log.suppressed.get(what, 0) + int(match.group("count"))
    return bool(match)


def boot(log, line, text):
    match = patterns.BOOT.match(text)
    if match:
        log.release(line, None, match.group("kernel"))
    return False


def _summary_fields(text):
    """ "oom-kill:constraint=CONSTRAINT_NONE,...,task=x,pid=12,uid=0" -> its parts; names may hold commas, so they are found by key.

    None when it breaks off, False when it is none.
    """
    at = text.find("oom-kill:constraint=CONSTRAINT_")
    if at < 0:
        return None
    text = text[at + 31 :]
    if text.lstrip(_CAPITALS)[:1] not in (",", "", " ", "\0"):
        # A sentence about such a line: mm/oom_kill.c dump_oom_summary() goes on with a comma.
        return False
    marks = [(text.find(key), key) for key in (",oom_memcg=", ",global_oom", ",task_memcg=", ",task=")]
    marks.append((text.rfind(",pid="), ",pid="))
    marks = sorted(mark for mark in marks if mark[0] >= 0)
    found = {"constraint": text.split(",", 1)[0][:32], "oom_memcg": None, "task_memcg": None, "task": None, "pid": None}
    for number, (start, key) in enumerate(marks):
        end = marks[number + 1][0] if number + 1 < len(marks) else len(text)
        value, name = text[start + len(key) : end], key.strip(",=")
        if name == "pid":
            digits = patterns.NUMBER.match(value)
            found["pid"] = int(digits.group()) if digits and found["task"] is not None else None
        elif name in found:
            found[name] = value[:1000]
    return found


# What a line must contain to begin (or end) a report, the likeliest first.
HEADS = (
    ("page allocation f", page_failure),
    ("page allocation", page_failure),
    ("oom-killer", oom),
    ("invoked", oom_broken),
    ("oom-kill:", summary),
    ("ill process", kill),
    ("illed process", kill),
    ("nable to allocate memory on", slab_failure),
    ("cache: ", slab_cache),
    ("kmem_cache_create", cache_create),
    ("nf_conn slab", conntrack),
    ("falling back to vmalloc", fell_back),
    ("vmap allocation", vmap),
    ("vmalloc_node_range for", vmap),
    ("vmalloc", vmalloc),
    ("alloc failed", cma),
    ("allocation deadlock", xfs),
    ("soft lockup", lockup),
    ("blocked for more", lockup),
    ("page allocation stall", stall),
    ("-order allocation failed", old_failure),
    ("killing process", old_kill),
    ("ut of memory", kill_broken),
    ("Out of memory", no_victim),
    ("deadlocked on memory", no_victim),
    ("how Memory", show_memory),
    ("callbacks suppressed", suppression),
    ("Linux version", boot),
)
