# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""One report of the kernel about memory: what its lines said, by name.

All amounts of zones are kept as printed (kB), lowmem_reserve in pages. take() reads the lines that come after the head; what they
mean is judged later, by clusters and diagnosis.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from . import patterns
from .lazy import Lazy

# Frames of a call trace, zones and victims that are kept.
MAX_FRAMES = 32
MAX_ZONES = 1024
MAX_VICTIMS = 1024
# More than any kernel has (MAX_ORDER of 64 KiB pages is 13).
MAX_ORDER = 63

_FIELDS = {
    # of every report: where it stands, who asked, for what
    "kind": None,
    "line": None,
    "message": None,
    "host": None,
    "caller": None,
    "headless": False,
    "comm": None,
    "pid": None,
    "cpu": None,
    "order": None,
    "mask": None,
    "flags": None,
    "gfp_flags": None,
    "kernel": None,
    "trace": (),
    "doubtful": (),
    "modules": (),
    # Mem-Info
    "zones": (),
    "memory_info": False,
    "truncated": False,
    "page_kb": 4,
    "ram_pages": None,
    "free_pages": None,
    "slab_reclaimable": None,
    "slab_unreclaimable": None,
    "biggest_slab": None,
    "cpuset": None,
    "mems_allowed": None,
    "nodemask": None,
    # of an OOM kill
    "constraint": None,
    "said_system": False,
    "said_memcg": False,
    "scope": None,
    "killed": (),
    "chosen": None,
    "summary_victim": None,
    "limit_cgroup": None,
    "task_cgroup": None,
    "usage_kb": None,
    "limit_kb": None,
    "kmem_usage_kb": None,
    "kmem_limit_kb": None,
    "group": False,
    "tasks": False,
    "panic": False,
    # of the others
    "node": None,
    "cache": None,
    "object_size": None,
    "errno": None,
    "size": None,
    "problem": None,
    "pages": None,
    "seconds": None,
    "function": None,
    # a form that only kernels up to 2.6.39 print
    "old_form": False,
    # what it belongs to
    "after": None,
    "of_vmalloc": None,
    "second": None,
    "tries": 1,
    "fell_back": False,
    "verdict": None,
    # how reading it stands
    "begun": 0,
    "last": 0,
    "until": None,
    "last_zone": None,
    "complete": False,
}


class Report:
    """What the lines of one report said; the fields are named in the table above."""

    def __init__(self, line, kind, **found):
        self.trace, self.doubtful, self.modules, self.zones, self.killed = [], [], {}, {}, []
        self.line, self.kind, self.message = line, kind, line.text
        self.host, self.caller = line.host, line.caller
        for name, value in found.items():
            setattr(self, name, value)
        if self.comm is not None:
            self.comm = task_name(self.comm)
        if hasattr(self.mask, "lower"):
            self.mask = int(self.mask, 16)
        for name in ("order", "pid", "cpu", "node", "errno", "pages", "seconds", "size"):
            if getattr(self, name) is not None:
                setattr(self, name, int(getattr(self, name)))
        if self.order is not None and not -1 <= self.order <= MAX_ORDER:
            self.order = None
        if self.flags is not None:
            self.flags = [flag for flag in patterns.SPLIT_FLAGS.sub("", self.flags).split("|") if flag]

    @property
    def functions(self):
        """Names of the trace without what compilers and the kernel's own naming appended."""
        return [plain(name) for name in self.trace]

    # -- lines ------------------------------------------------------------------------------------------------------

    def take(self, text):
        """One line after the head -> whether it belongs to the report."""
        if "+0x" in text:
            return self.frame(text)
        if text[:1] == "[" and patterns.TASK_ROW.match(text):
            return True
        if "kB" in text:
            if "free:" in text:
                return self.zone(text)
            if "*" in text or "_" in text:
                match = patterns.FREE_LIST.search(text)
                if match:
                    return self.free_list(match, text)
            if self.last_zone is not None:
                # The rest of a zone's line that was wrapped behind its watermarks.
                self._amounts(self.zones[self.last_zone], " " + text)
            if "limit" in text:
                return self.cgroup(text)
        if "lowmem_reserve" in text:
            match = patterns.RESERVE.search(text)
            if match and self.last_zone is not None:
                self.zones[self.last_zone]["lowmem_reserve"] = [int(word) for word in match.group(1).split()]
                self.last_zone = None
            return True
        if "slab_" in text or " free_pcp:" in text or " free_cma:" in text:
            return self.totals(text)
        if "pages R" in text or "pages r" in text:
            return self.machine(text)
        if "cgroup" in text or "Task in" in text or "Tasks in" in text:
            return self.cgroup(text)
        if "cpuset=" in text:
            return self.nodes(text)
        return self.other(text)

    def other(self, text):
        if "KB" in text:
            match = patterns.SLAB_ROW.match(text)
            if match:
                row = (int(match.group("total")), match.group("name"))
                self.biggest_slab = max(self.biggest_slab or row, row)
                return True
        if text[:8] == "Mem-Info" or text[:8] == "Mem-info":
            self.memory_info = True
            return True
        match = patterns.DECODED.match(text) if "(" in text and ":" in text else None
        if match:
            return self.frame(text, match)
        return patterns.FILLER.match(text) is not None or "[<" in text

    def frame(self, text, match=None):
        if patterns.REGISTER.match(text):
            return True
        match = match or patterns.FRAME.search(text)
        if match and not self.zones:
            name = match.group("name")
            frames = self.doubtful if match.group("doubt") else self.trace
            if len(frames) < MAX_FRAMES:
                frames.append(name)
                if match.group("module"):
                    self.modules[name] = match.group("module")
        return match is not None

    def _zone_of(self, match):
        """-> (key, dict to fill) of the zone that a line names."""
        key = (match.group("node") and int(match.group("node")), match.group("zone"))
        if key in self.zones or len(self.zones) < MAX_ZONES:
            return key, self.zones.setdefault(key, {})
        return key, {}

    @staticmethod
    def _amounts(zone, text):
        for name, amount in patterns.AMOUNT.findall(text):
            zone.setdefault(name, int(amount))

    def zone(self, text):
        match = patterns.ZONE.search(text)
        if not match:
            # The totals: "free:115901 free_pcp:2004", and the lines of each node.
            return self.totals(text)
        key, zone = self._zone_of(match)
        zone["free"] = int(match.group("free"))
        self._amounts(zone, text[match.end() :])
        self.last_zone = key if key in self.zones else None
        self.memory_info = True
        return True

    def free_list(self, match, text):
        _key, zone = self._zone_of(match)
        blocks = patterns.FREE_BLOCK.findall(text[match.start("blocks") :])[: MAX_ORDER + 1]
        end = patterns.LIST_END.search(text)
        # The sum is of the counts before it: where it is another, somebody left some of them out.
        if blocks and end and sum(int(count) * int(size) for count, size, types in blocks) == int(end.group(1)):
            zone["free_blocks"] = [int(count) for count, size, types in blocks]
            zone["migratetypes"] = [types for count, size, types in blocks]
            self.page_kb = max(1, int(blocks[0][1]))
        elif blocks:
            self.truncated = True
        self.memory_info = True
        return True

    def totals(self, text):
        """The first lines of Mem-Info, about the whole machine, in pages."""
        for name, count in patterns.SLAB_PAGES.findall(text):
            if getattr(self, "slab_" + name) is None:
                setattr(self, "slab_" + name, int(count))
        match = patterns.TOTAL_FREE.search(text)
        if match and self.free_pages is None:
            self.free_pages = int(match.group(1))
        self.memory_info = True
        return True

    def machine(self, text):
        """ "4194158 pages RAM", "98441 pages reserved": among the last lines of Mem-Info."""
        if "pages RAM" in text:
            number = patterns.RAM.search(text)
            self.ram_pages = int(number.group(1)) if number else None
        elif "pages reserved" in text and self.kind == "page_allocation_failure":
            self.complete = True
        return True

    def cgroup(self, text):
        """The lines that only the OOM killer of a memory cgroup prints."""
        match = patterns.KILLED_BY_LIMIT.search(text)
        if match:
            self.task_cgroup = match.group("task")
            self.limit_cgroup = match.group("limit") or match.group("limit2")
        elif patterns.USAGE.match(text):
            match = patterns.USAGE.match(text)
            if match.group("what") in ("memory", "kmem"):
                prefix = "" if match.group("what") == "memory" else "kmem_"
                setattr(self, prefix + "usage_kb", int(match.group("usage")))
                setattr(self, prefix + "limit_kb", int(match.group("limit")))
        elif patterns.STATS.search(text):
            self.limit_cgroup = self.limit_cgroup or patterns.STATS.search(text).group("cgroup")
        elif patterns.GROUP_KILL.search(text):
            self.group = True
            self.limit_cgroup = self.limit_cgroup or patterns.GROUP_KILL.search(text).group("cgroup")
        else:
            return False
        self.said_memcg = True
        return True

    def nodes(self, text):
        match = patterns.CPUSET.search(text)
        if match:
            self.cpuset, self.mems_allowed = match.group("cpuset"), match.group("mems").rstrip(",-")
        return match is not None


for _name, _default in _FIELDS.items():
    # What a report does not say is the class's: setting it all for each report would cost more than its head.
    setattr(Report, _name, _default)


def base_name(function):
    """ "__alloc_pages_slowpath.constprop.0" -> "__alloc_pages_slowpath": what the compiler appended is cut off."""
    return function.split(".", 1)[0]


def plain(function):
    """base_name() without the suffix that allocation profiling (6.10 and later) gives to the functions it wraps."""
    name = base_name(function)
    return name[:-7] if name.endswith("_noprof") else name


# include/linux/sched.h, TASK_COMM_LEN: with the final NUL.
MAX_COMM = 15
# Of a worker, tools print its queue as well (kernel/workqueue.c, wq_worker_comm()).
_WORKER = Lazy(r"kworker/(?:u?\d{1,5}:\d{1,5}H?|R)[+-][\w:./-]{1,48}$")


def held(name):
    """The name of a task, None where it is longer than the kernel keeps one and so is more, or another thing, than a name."""
    return name if name and (len(name) <= MAX_COMM or _WORKER.match(name)) else None


def task_name(text):
    """The name of a task out of what stands before a message."""
    name = text.strip()
    if held(name) is None:
        # A prefix that was not known, or prose. A name may hold spaces, but then it is not known where it begins.
        name = name.rsplit(None, 1)[-1].lstrip(">\"'`(") if name else ""
    return held(name)
