# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Lines that a mail client, a terminal, a web form or a runtime has broken, made whole again; and logs that were printed newest first.

Only small sources come through here, those of which every line is looked at. Two things show that a line goes on: it ends before what
it says is complete (OPEN), or the first word of the next would not have fitted into the width of the text. A line goes on in one
that has no prefix of its own, and that does not itself begin as the messages of the kernel and of the runtimes do (BEGINS).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .lazy import Lazy
from .prefixes import MAX_LINE, split
from .tokens import is_field

# So many lines are looked at together for the width of the text; of these the last may still be waiting for their end.
WINDOW = 512
LAG = 8
# Narrower or wider text has not been wrapped by anybody.
NARROW, TERMINAL, WIDE = 40, 140, 250
# Widths of terminals: two lines of such a width are a sign already.
COLUMNS = frozenset((80, 100, 120, 128, 132, 160, 200, 240))
# Longer than any message of the kernel.
MAX_MESSAGE = 8192
# A message of the kernel that syslog has made one line can be wrapped into so many.
MAX_PARTS = 48
MAX_GUESSES = 12
# Times that go down this often, and not up, are those of a log that was printed newest first.
FALLING = 3
# Of so many lines that begin alike none goes on with the one before.
FEW = 2

# What a line that is not complete contains, and what shows that it is. The formats are the kernel's: mm/page_alloc.c, mm/show_mem.c,
# mm/oom_kill.c, mm/slub.c, mm/vmalloc.c, mm/memcontrol.c, kernel/hung_task.c, lib/dump_stack.c.
OPEN = tuple(
    (literals, Lazy(complete))
    for literals, complete in (
        (("page allocation failure", "page allocation stall"), r"mode:0x[0-9a-fA-F]+(?:\([^()]*\)|(?![0-9a-fA-F(])|$)"),
        (("invoked oom-killer",), r"order=-?\d+, \S*adj\w*=|order=-?\d+$"),
        (("Comm: ", "comm: "), r"ainted:? .{0,160}\d\.\d"),
        (("nable to allocate memory on",), r"gfp=0x[0-9a-f]+(?:\([^()]*\))?"),
        (("object size: ",), r"min order: \d|[^nt] order: \d"),
        (("slabs: ",), r"free: \d"),
        (("kB min:", " free:"), r"high:\d+kB|free:\d+(?: |$)"),
        (("*4kB", "*16kB", "*64kB"), r"= ?\d+kB"),
        (("oom-kill:constraint",), r"uid=\d"),
        (("ill process ", "illed process "), r"\)"),
        (("killed as a result",), r"limit of \S"),
        (("memory: usage", "swap: usage", "kmem: usage"), r"failcnt \d"),
        (("vmap allocation for",), r"increase size|$^"),
        (("vmalloc: allocation failure", "vmalloc error"), r"mode:0x[0-9a-f]+(?:\([^()]*\)|(?![0-9a-f(])|$)|bytes$"),
        (("blocked for more than",), r"seconds"),
        (("soft lockup",), r"\]"),
        (("cma_alloc:",), r"ret: -?\d"),
        (("kmem_cache_create(",), r"error -?\d"),
        ((" possible memory allocation deadlock",), r"\(mode:\s?0x[0-9a-f]+\)"),
        (("Memory cgroup stats for",), r":"),
    )
)
# What breaks off in the middle of a word or of a phrase that has only one end.
_BROKEN_OFF = Lazy(
    r"(?: invoked|: vmalloc|page|page allocation|Unable to allocate|Out of|Memory cgroup|Memory cgroup out of|out of|Not|Kill|Killed|Task in \S{1,200}"
    r"|kmem_cache_create|vmap allocation|vmap|gfp_mask=\S{0,99}|order:|mode:|[|,=(\\]|code =|desc =|err=|error:|caused:?|failed:|[a-z0-9]-|[IWEF]\d{4})$"
)
# How messages begin that stand without any prefix, and the lines within the kernel's reports.
BEGINS = Lazy(
    r"\s*(?:"
    + "|".join(
        (
            r"Node \d|(?:DMA|DMA32|Normal|HighMem|Movable|Device)(?: free:|: | per-cpu)|lowmem_reserve|CPU:? *\d|P[iI][dD]: \d",
            r"Call [Tt]race|Hardware name|Mem-[Ii]nfo|(?:in)?active(?:_anon|_file)?:\d+ |(?:unevictable|mapped|free|slab_\w+):\d+ ",
            r"\d+ (?:total pagecache|pages |slab pages)|Swap cache|Free swap|Total swap|Tasks state|\[ *(?:pid|\d+) *\]",
            r"oom-kill:|oom_reaper|[Oo]ut of [Mm]emory|Memory cgroup (?:out|stats)|(?:memory|swap|kmem|memory\+swap): usage|Task in /",
            r"Killed process|Kernel panic|\[<|\[[0-9a-f]{8,16}\]|\? |[A-Za-z_][\w.]{2,80}\+0x[0-9a-f]+/",
            r"(?:RIP|R[A-D]X|RSP|RBP|R\d\d|Code|EFLAGS|CS|DR\d|FS|CR\d|pc|lr|sp|x\d+) ?:|Workqueue|Modules linked|-{3,}(?:\[|$)|={3,}|</?[A-Z]{3,4}>",
            r"\S{1,48}: (?:page allocation|vmalloc)|\S{1,15} invoked oom|INFO: |BUG: |WARNING: |SL[UA]B: |cma: |vmap alloc|cache: |Unable to ",
            r"node \d+: slabs|warn_alloc|kmem_cache_create|Name +Used|[\w.-]+ +\d+KB +\d+KB|[a-z_]+ \d+$",
            # klog, logrus, logfmt, JSON, events of the kubelet, what people type between
            r"[IWEF]\d{4} \d\d:|time=\"|ts=|level=|\{\"|\[?(?:ERRO|WARN|FATA|INFO|DEBU)\[?|(?:Normal|Warning) +[A-Z][a-z]+[A-Z]",
            r"(?:Events|Error|Message|Reason|State|Last State):|```|\$ |# |-- ",
        )
    )
    + ")"
)
# One token of a list a line: the kernel's continuation lines, each with a prefix from journald.
_LIST_PART = Lazy(r"\s*(?:\d{1,9}\*\d{1,9}kB|\([UMRECHI]{1,8}\)|= ?\d{1,12}kB)")
# What stands before the first blank or bracket and ends in a mark; numbers in it may differ.
_UNKNOWN = Lazy(r"[^\s\[\]()]{0,128}?[:|>#;](?=[\s\[(]|\S)")
_DIGITS = re.compile(r"\d+")
_QUOTED_PRINTABLE = Lazy(r"=([0-9A-F]{2})")


class Joiner:
    """Takes the lines of one source one after the other and gives whole ones to ``give(line)``, in the order of their times.

    time_of(line) is when a line was written, or None.
    """

    def __init__(self, give, time_of):
        self._give, self._time_of = give, time_of
        self._lines = []
        self._falling = None

    def add(self, line):
        self._lines.append(line)
        if len(self._lines) >= WINDOW:
            if self._falling is None:
                self._falling = self._newest_first()
            if not self._falling:
                self._work(LAG)

    def finish(self):
        """The source ends, or is too large to be looked at line by line."""
        if self._falling or self._falling is None and self._newest_first():
            self._turn()
        self._work(0)
        self._falling = None

    @property
    def waiting(self):
        return bool(self._lines)

    # -- the other way round ----------------------------------------------------------------------------------------

    def _newest_first(self):
        falling = 0
        before = None
        for line in self._lines:
            now = float(line.uptime) if line.stamp is None and line.uptime else self._time_of(line)
            if now is None:
                continue
            if before is not None and now > before:
                return False
            falling += before is not None and now < before
            before = now
        return falling >= FALLING

    def _turn(self):
        """The last message first; lines without a prefix stay behind the one they belong to."""
        messages = []
        for line in self._lines:
            if messages and not line.prefixed:
                messages[-1].append(line)
            else:
                messages.append([line])
        places = [line.place for line in self._lines]
        self._lines = [line for message in reversed(messages) for line in message]
        for line, place in zip(self._lines, places):
            line.place = place

    # -- joining ----------------------------------------------------------------------------------------------------

    def _work(self, keep):
        width, hard = _width(self._lines)
        alike = _alike(self._lines)
        whole = []
        for line in self._lines:
            target, glue = _continued(whole, line, width, hard)
            if target is not None and not target.part and (alike and alike(line.text) or _begins_as(target, line)):
                target = None
            if target is None:
                whole.append(line)
            else:
                _join(target, line, glue)
        done = max(0, len(whole) - keep)
        self._lines = whole[done:]
        for line in whole[:done]:
            self._give(line)


def _width(lines):
    """(width of the text or None, whether it was cut in the middle of words) of some lines."""
    widths = [line.width for line in lines if line.prefixed or " " in line.text.strip()]
    widest = max(widths) if widths else 0
    if not NARROW <= widest <= WIDE:
        return None, False
    # Who wraps at words seldom fills a line, who cuts always does.
    broken = [
        (line.width, len(after.text.split(None, 1)[0]))
        for line, after in zip(lines, lines[1:])
        if not after.prefixed and after.text.strip() and (line.prefixed or not BEGINS.match(after.text))
    ]
    at_end = sum(1 for width, _word in broken if width == widest)
    near = sum(1 for width, word in broken if width < widest < max(width + 1 + word, width + 13))
    return widest, at_end > near and at_end >= (2 if widest in COLUMNS else 4)


def _shape(text):
    """How a text begins, up to the first mark: "XFS:"; numbers are all the same. None where no mark is near."""
    match = _UNKNOWN.match(text.lstrip())
    return match and _DIGITS.sub("0", match.group())


def _begins_as(target, line):
    """Whether a line names what the one before it names: each is a message of its own."""
    if line.prefixed or line.text[:1] == "" or target.text.lstrip()[:2] != line.text.lstrip()[:2]:
        return False
    shape = _shape(line.text)
    return shape is not None and len(shape) > 2 and shape == _shape(target.text)


def _alike(lines):
    """Whether a text begins as nearly all lines without a known prefix do: then they have one that is not known. None where they have not."""
    texts = [line.text for line in lines if not line.prefixed and line.text.strip()]
    if len(texts) < FEW:
        return None
    begun = {}
    for text in texts:
        shape = _shape(text)
        if shape is not None:
            begun[shape] = begun.get(shape, 0) + 1
    shape = max(begun, key=begun.get) if begun else ""
    if not shape or begun[shape] * 10 < len(texts) * 9:
        return None

    return lambda text: _shape(text) == shape


def _continued(whole, line, width, hard):
    """(the line that this one goes on with, what comes between), (None, "") when it begins by itself."""
    if not whole:
        return None, ""
    last = whole[-1]
    text = line.text.strip()
    if last.part:
        return last, ""
    if not text or last.parts >= MAX_PARTS or len(last.text) + len(text) > MAX_LINE:
        return None, ""
    if not line.prefixed and (is_field(text) or is_field(last.text)):
        return None, ""
    if line.prefixed:
        return _goes_on_with_prefix(last, line, text)
    if last.text[-1:] == "\\":
        return last, None
    if last.text[-1:] == "=" and _QUOTED_PRINTABLE.search(last.text):
        return last, "="
    begins = BEGINS.match(text)
    if hard and last.width == width and (last.prefixed or not begins):
        return last, "|"
    full = width is not None and not hard and last.width + 1 + len(text.split(None, 1)[0]) > width
    if begins:
        # Nothing but a prefix fitted into the line before, or every message here has one and this has not.
        wrapped = last.prefixed and (
            not last.text.strip() or full and width <= TERMINAL and not line.text[:1].isspace()
        )
        return (last, " ") if wrapped else (None, "")
    if full:
        return last, "|" if _cut(last, text) else " "
    # Another line may have come between: what is certainly not complete waits.
    for earlier in (last,) if not last.prefixed else (last,) + tuple(whole[-2:-4:-1]):
        if earlier.text.strip() and earlier.parts < MAX_GUESSES and is_open(earlier):
            return earlier, "|" if _cut(earlier, text) else " "
    return None, ""


def _cut(line, text):
    """Whether a line that is as wide as a terminal was cut in the middle of a word: only then it is complete with what comes next."""
    if line.width not in COLUMNS or line.trailing:
        return False
    return _complete(line.text + text) and not _complete(line.text + " " + text)


def _goes_on_with_prefix(last, line, text):
    if (
        last.tag == line.tag
        and last.host == line.host
        and "kB" in last.text[:200] + text
        and _LIST_PART.match(text)
        and is_open(last)
    ):
        return last, " "
    if line.stamp and line.stamp[2:3] == ":" and line.tag is None and re.search(r"(?:^|\s)[IWEF]\d{4}$", last.text):
        # klog's day stood at the end of the line before: the time is no prefix.
        line.text = line.stamp + " " + text
        return last, " "
    return None, ""


def _complete(text):
    """Whether a text has all that those of its kind have."""
    for literals, complete in OPEN:
        for literal in literals:
            if literal in text:
                if complete.search(text):
                    break
                return False
    return True


def is_open(line):
    """Whether a line ends before what it says is complete."""
    text = line.text.rstrip()[:MAX_MESSAGE]
    if not _complete(text) or _BROKEN_OFF.search(text[-256:]):
        return True
    return line.userland and (text.replace('\\"', "").count('"') % 2 == 1 or text[-1:] == ":")


def _join(target, line, glue):
    """Appends a line to the one that it goes on with."""
    head, tail = target.text.rstrip(), line.text.strip()
    if glue is None:
        head, glue = head.rstrip("\\"), ""
    elif glue == "=":
        head, glue = head[:-1], ""
        tail = _QUOTED_PRINTABLE.sub(lambda match: chr(int(match.group(1), 16)), tail)
        head = _QUOTED_PRINTABLE.sub(lambda match: chr(int(match.group(1), 16)), head)
    elif glue == "|":
        head, tail, glue = target.text, line.text, " " if target.trailing else ""
    elif glue == " " and (head[-1:] in ("-", "/") and head[-2:-1].isalnum()):
        # Broken after a hyphen, as word processors do.
        glue = ""
    if target.part:
        head, tail = target.text, line.text
        target.part = line.part
    target.text = head + glue + tail if head else tail
    target.width, target.trailing = line.width, line.trailing
    target.parts += 1


def lines_of(raws):
    """Whole Lines of a short text given as raw lines: for tests and tools."""
    found = []
    joiner = Joiner(found.append, lambda line: None)
    for number, raw in enumerate(raws, 1):
        line = split(raw)
        line.number = number
        joiner.add(line)
    joiner.finish()
    return found
