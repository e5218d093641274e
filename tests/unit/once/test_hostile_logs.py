# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A log line costs what it weighs: no text that a tenant can put into a log may keep a node busy, and none may end the reading.

Every expression of the package is found by looking through its modules, and attacked with text made from its own parts: what leads to
each of its pieces, then 64 kB of what that piece repeats, then something that it does not expect.
"""

import ast
import importlib
import itertools
import json
import os
import pkgutil
import re
import signal
import time

import pytest

from ansible_collections.kernelops.memfrag.plugins.module_utils import _logs
from ansible_collections.kernelops.memfrag.plugins.module_utils._logs import journal, presentation, sink
from ansible_collections.kernelops.memfrag.plugins.module_utils._node import Deadline, Node
from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _answer, _contracts

try:
    from re import _parser as sre_parse
except ImportError:
    import sre_parse

SIZE = 65536
SECONDS = 0.2
# Texts are tried at this size first: what grows with the square takes this long there when it takes SECONDS for all.
SMALL = 2048
SUSPICIOUS = SECONDS * (float(SMALL) / SIZE) ** 2
WORST = 3
clock = getattr(time, "process_time", None) or time.clock
PUMPS = (
    "1",
    "a",
    " ",
    "\\",
    '"',
    "[",
    "(",
    "0x1",
    ":",
    "=",
    ".",
    "/",
    "-",
    ",",
    "a ",
    "1 ",
    "a:",
    "a=",
    "\n",
    "\t",
    "1-1",
    "a/",
    "a|",
    '\\"',
    "]",
    ")",
    "_",
)


# --- every expression -------------------------------------------------------------------------------------------------


def modules():
    for _finder, name, _package in pkgutil.iter_modules(_logs.__path__):
        yield importlib.import_module(_logs.__name__ + "." + name)


def _made_of(thing):
    """(pattern, flags) of a compiled expression, or of one that is compiled when it is first used."""
    lazy = getattr(thing, "_made_of", None)
    if isinstance(lazy, tuple):
        return lazy[0], lazy[1] if len(lazy) > 1 else 0
    if hasattr(thing, "groupindex") and hasattr(thing, "pattern"):
        return thing.pattern, thing.flags
    return None


def _within(thing, path, seen, depth=6):
    """(where, pattern, flags) of all expressions in tables, rows and objects."""
    if id(thing) in seen or depth < 0 or isinstance(thing, (str, bytes, int, float)):
        return
    seen.add(id(thing))
    made = _made_of(thing)
    if made:
        yield (path,) + made
        return
    if isinstance(thing, dict):
        inner = [(f"{path}[{key!r}]", value) for key, value in thing.items()]
    elif isinstance(thing, (list, tuple, set, frozenset)):
        inner = [("%s[%d]" % (path, number), value) for number, value in enumerate(thing)]
    elif type(thing).__module__.startswith(_logs.__name__):
        names = list(getattr(thing, "__dict__", ())) + list(getattr(thing, "__slots__", ()))
        inner = [(f"{path}.{name}", getattr(thing, name, None)) for name in names]
    else:
        inner = []
    for where, value in inner:
        yield from _within(value, where, seen, depth - 1)


def _written(module):
    """Expressions in the middle of functions."""
    with open(module.__file__.replace(".pyc", ".py"), encoding="utf-8") as stream:
        tree = ast.parse(stream.read().encode("utf-8"))
    for node in ast.walk(tree):
        called = getattr(node, "func", None)
        if (
            isinstance(node, ast.Call)
            and isinstance(called, ast.Attribute)
            and getattr(called.value, "id", None) == "re"
        ):
            try:
                pattern = ast.literal_eval(node.args[0])
            except (ValueError, IndexError):
                continue
            yield "%s:%d" % (module.__name__.rsplit(".", 1)[-1], node.lineno), pattern, 0


def expressions():
    found, seen = {}, set()
    sources = ""
    for module in modules():
        with open(module.__file__.replace(".pyc", ".py"), encoding="utf-8") as stream:
            sources += stream.read()
    for module in modules():
        name = module.__name__.rsplit(".", 1)[-1]
        for thing, value in sorted(vars(module).items()):
            for where, pattern, flags in _within(value, f"{name}.{thing}", seen):
                found.setdefault((pattern, flags), (where, _used(thing, where, sources)))
        for where, pattern, flags in _written(module):
            if not any(pattern == known for known, _flags in found):
                found[pattern, flags] = (where, "search")
    return sorted((where, method, pattern, flags) for (pattern, flags), (where, method) in found.items())


def _used(name, where, sources):
    """An expression that is only ever matched at the beginning need not be fast in the middle."""
    if not where.endswith("." + name):
        return "search"
    methods = set(re.findall(rf"\b{re.escape(name)}\.(search|match|findall|finditer|sub|split)\b", sources))
    return "match" if methods == {"match"} else "search"


EXPRESSIONS = expressions()


# --- hostile text -----------------------------------------------------------------------------------------------------


def _sample(tokens, cuts):
    """A text that the parsed expression matches; what it is after each of its pieces is added to ``cuts``."""
    text = ""
    for what, value in tokens:
        what = str(what)
        if what == "LITERAL":
            text += _letter(value)
        elif what == "IN":
            text += _of_class(value)
        elif what in ("ANY", "NOT_LITERAL"):
            text += "a"
        elif what == "CATEGORY":
            text += _of_category(str(value))
        elif what in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, _most, inner = value
            before = text
            inner_cuts = []
            piece = _sample(inner, inner_cuts)
            cuts.append((before, piece))
            cuts.extend((before + head, pump) for head, pump in inner_cuts)
            text += piece * max(1, min(least, 64))
        elif what == "SUBPATTERN":
            inner_cuts = []
            piece = _sample(value[-1], inner_cuts)
            cuts.extend((text + head, pump) for head, pump in inner_cuts)
            text += piece
        elif what == "BRANCH":
            pieces = []
            for branch in value[1]:
                inner_cuts = []
                pieces.append(_sample(branch, inner_cuts))
                cuts.extend((text + head, pump) for head, pump in inner_cuts)
            text += pieces[0]
            cuts.extend((text, piece) for piece in pieces)
        elif what in ("ASSERT", "ATOMIC_GROUP"):
            inner = value[1] if isinstance(value, tuple) else value
            text += _sample(inner, []) if what == "ATOMIC_GROUP" else ""
        if what in ("LITERAL", "IN", "SUBPATTERN", "BRANCH"):
            cuts.append((text, ""))
    return text


def _letter(value):
    return chr(value) if value < 128 else "x"


def _of_class(items):
    kinds = [(str(what), value) for what, value in items]
    if kinds and kinds[0][0] == "NEGATE":
        taboo = {_letter(value) for what, value in kinds[1:] if what == "LITERAL"}
        return next((candidate for candidate in "a1 ." if candidate not in taboo), "a")
    what, value = kinds[0]
    if what == "LITERAL":
        return _letter(value)
    if what == "RANGE":
        return _letter(value[0])
    return _of_category(str(value))


def _of_category(name):
    if "NOT" in name:
        return "a"
    return "1" if "DIGIT" in name else " " if "SPACE" in name else "a"


def hostile(pattern, flags):
    """(head, what is repeated, end) of texts; build() makes them."""
    cuts = []
    whole = _sample(sre_parse.parse(pattern, flags), cuts)
    found = re.findall(r"[A-Za-z_][\w /:=-]{2,}", re.sub(r"\\.|\(\?P<\w+>|\{[\d,]+\}", "|", pattern))
    literals = found[:8]
    heads = sorted({head for head, _pump in cuts} | {"", whole})
    sure, texts = set(), set()
    for head in heads:
        texts.update((head, pump, "") for pump in PUMPS)
        if head:
            sure.update((("", head, "\0"), ("", head + " ", "")))
    for head, pump in cuts:
        if pump:
            texts.add((head, pump, "\0"))
    for first, second in itertools.islice(itertools.product(literals, repeat=2), 24):
        texts.update((("", first + second, "\0"), (first, second + " ", "\0")))
    # The heads of one expression are long and alike: some of them are enough.
    texts = sorted(texts)[:: len(texts) // 100 + 1] + sorted(sure)[:: len(sure) // 50 + 1]
    return texts


def build(piece, size):
    head, pump, tail = piece
    return (head + pump * ((size - len(head)) // len(pump)) + tail)[:size]


class TooSlow(Exception):
    """An expression did not come to an end."""


def _ring(_number, _frame):
    raise TooSlow()


def taken(call, text):
    """Seconds; not more than a few of them, however long it would take: the engine listens to signals."""
    before = signal.signal(signal.SIGVTALRM, _ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * SECONDS)
    started = clock()
    try:
        call(text)
    except TooSlow:
        pass
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return clock() - started


def _call(pattern, flags, method):
    compiled = re.compile(pattern, flags)
    return compiled.match if method == "match" else lambda text: compiled.sub("", text)


def test_the_expressions_are_found():
    places = {where.split(".")[0].split(":")[0] for where, _method, _pattern, _flags in EXPRESSIONS}
    assert {"tokens", "prefixes", "runtimes", "clock", "window"} <= places
    assert len(EXPRESSIONS) > 100


def slowest(pattern, flags, method):
    """(seconds, text) of the text that takes longest, measured at the size where it does."""
    call = _call(pattern, flags, method)
    pieces = hostile(pattern, flags)
    for size in (32, SMALL):
        timed = []
        for number, piece in enumerate(pieces):
            text = build(piece, size)
            spent = taken(call, text)
            if spent > SECONDS:
                # No need to look at worse: what takes that long here takes longer still there.
                return spent, text
            timed.append((spent, number))
    worst = (0, "")
    for spent, number in sorted(timed, reverse=True)[:WORST]:
        if spent > SUSPICIOUS and worst[0] <= SECONDS:
            text = build(pieces[number], SIZE)
            spent = taken(call, text)
            worst = max(
                worst, (min([spent] + [taken(call, text) for _try in (1, 2)]) if spent > SECONDS else spent, text)
            )
    return worst


@pytest.mark.parametrize("pattern", [r"mkdir \S*/cgroup/\S*.*: cannot", r"(?:a+)+b", r"\\+(?=\")"])
def test_the_attack_finds_what_it_is_for(pattern):
    assert slowest(pattern, 0, "search")[0] > SECONDS


# Those for bytes are of journalctl's own remarks, which nobody else writes.
OF_TEXT = [row for row in EXPRESSIONS if not isinstance(row[2], bytes)]


@pytest.mark.parametrize("where,method,pattern,flags", OF_TEXT, ids=[row[0] for row in OF_TEXT])
def test_every_expression_is_linear(where, method, pattern, flags):
    spent, text = slowest(pattern, flags, method)
    assert spent < SECONDS, "%s takes %.2f s for %d characters that begin with %r" % (
        where,
        spent,
        len(text),
        text[:80],
    )


# --- whole lines ------------------------------------------------------------------------------------------------------

KUBELET = "Jul  1 00:45:31 node kubelet[12227]: E0701 00:45:31.465721   12227 pod_workers.go:190] Error syncing pod, skipping: "
KERNEL = "Jul  1 00:45:31 node kernel: "
FILLERS = (
    "\\",
    '\\"',
    '"',
    "[",
    "{",
    "(",
    "a",
    "a ",
    "9",
    " ",
    ":",
    "=",
    "/",
    "mkdir /cgroup/",
    "network ",
    "failed ",
    "error: ",
    "container ",
    "pod",
)
SPEECH = (
    KUBELET
    + 'failed to "CreatePodSandbox" for "%s" with CreatePodSandboxError: "rpc error: code = Unknown desc = failed"',
    KUBELET + "RunPodSandbox failed: rpc error: code = Unknown desc = %s: cannot allocate memory",
    KUBELET + "StartContainer failed: mkdir /sys/fs/cgroup/%s no space left on device",
    'Jul  1 00:45:31 node dockerd[1]: time="2020-07-01T00:45:31Z" level=error msg="OCI runtime create failed: %s"',
    KERNEL + "%s: page allocation failure: order:5, mode:0x10c0d0",
    KERNEL + "java invoked oom-killer: gfp_mask=0x%s",
    KERNEL + "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/%s,task=x,pid=1,uid=0",
    KERNEL + "SLUB: Unable to allocate memory on node -1, gfp=0x800(%s",
    "%s[   12.345678] x",
    '{"log":"%s"}',
    "> %s",
)


@pytest.mark.parametrize("speech", SPEECH, ids=[row[-40:] for row in SPEECH])
def test_a_long_line_costs_what_it_weighs(speech, tmp_path):
    """What a pod's command may be."""
    path = tmp_path / "log"
    text = "\n".join(speech % (filler * (SIZE // len(filler))) for filler in FILLERS)
    with open(str(path), "wb") as stream:
        stream.write(text.encode("utf-8") + b"\n")
    started = clock()
    result = journal.collect(Node("/"), {"files": [str(path)], "since": "1970-01-01"})
    # A share of the limit for each line, and what the work around them takes.
    assert clock() - started < SECONDS * len(FILLERS) + 0.5
    assert result["sources"][0]["status"] == "read"


NUMBERS = ("9" * 60000, "16000000000", "-1", "4294967296", "0", "-9" * 3)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
def test_numbers_of_a_stranger_are_harmless(number, tmp_path):
    lines = [
        "x: page allocation failure: order:%s, mode:0xcc0",
        "x: page allocation failure: order:3, mode:0x%s",
        "CPU: %s PID: %s Comm: x Not tainted 1.1".replace("%s PID", "0 PID"),
        "Node %s Normal free:10kB min:1kB low:1kB high:1kB",
        "Node 0 Normal free:%skB min:1kB low:1kB high:1kB",
        "Node 0 Normal: %s*4kB 1*8kB = 12kB",
        "lowmem_reserve[]: %s",
        "y invoked oom-killer: gfp_mask=0xcc0, order=%s, oom_score_adj=0",
        "memory: usage %skB, limit 1kB, failcnt 1",
        "Out of memory: Killed process %s (y)",
        "SLUB: Unable to allocate memory on node %s, gfp=0xcc0",
        "  cache: c, object size: %s, buffer size: 64, default order: 0, min order: 0",
        "vmap allocation for size %s failed: use vmalloc=<size> to increase size",
        "cma: cma_alloc: alloc failed, req-size: %s pages, ret: -12",
        "INFO: task kcompactd0:%s blocked for more than 120 seconds.",
        "oom_kill_process: %s callbacks suppressed",
    ]
    path = tmp_path / "log"
    with open(str(path), "wb") as stream:
        for form in ("[   12.000000] ", f"[{number}.000000] ", f"4,1,{number},-;", KERNEL + ""):
            for line in lines:
                stream.write((form + (line % number if "%s" in line else line) + "\n").encode("utf-8"))
    started = clock()
    result = journal.collect(Node("/"), {"files": [str(path)], "since": "1970-01-01"})
    assert clock() - started < 3
    assert result["sources"][0]["status"] == "read"
    json.dumps(result)


def test_nesting_is_harmless(tmp_path):
    path = tmp_path / "log"
    deep = ['{"log":' * 9000 + '"x"' + "}" * 9000, "[" * 60000, '{"a":' + "[" * 30000 + "]" * 30000 + "}"]
    onion = "Jul  1 00:45:31 node kernel: x: page allocation failure: order:1, mode:0xcc0"
    for _layer in range(8):
        onion = json.dumps({"log": onion})
    with open(str(path), "wb") as stream:
        stream.write(("\n".join(deep + [onion]) + "\n").encode("utf-8"))
    started = clock()
    result = journal.collect(Node("/"), {"files": [str(path)], "since": "1970-01-01"})
    assert clock() - started < 3
    assert result["sources"][0]["status"] == "read"


# --- a node that has much to tell -------------------------------------------------------------------------------------


def _storm(tmp_path):
    """Nothing but reports, and more of them than are looked at line by line."""
    path = tmp_path / "messages"
    line = KERNEL + "java: page allocation failure: order:5, mode:0x10c0d0(GFP_KERNEL|__GFP_COMP)\n"
    path.write_bytes(line.encode("ascii") * (3 * 1024 * 1024 // len(line)))
    return str(path)


@pytest.fixture(name="taken")
def _taken(monkeypatch):
    """How many lines have been taken, in a list that one may change."""
    taken, take = [0], sink.Sink.take

    def counted(self, *arguments):
        taken[0] += 1
        return take(self, *arguments)

    monkeypatch.setattr(sink.Sink, "take", counted)
    return taken


def test_who_is_busy_shows_that_he_lives(tmp_path, taken):
    """Taken for one that hangs, a log full of evidence would be left out."""
    waits = []

    def pulse(_what):
        waits.append(taken[0])
        taken[0] = 0

    result = journal.collect(Node("/", Deadline(None, (), pulse)), {"files": [_storm(tmp_path)], "since": "1970-01-01"})
    assert result["counts"]["events"] > 20000
    assert max(waits) < 1000


def test_who_is_busy_hears_that_the_time_is_up(tmp_path, taken):
    deadline = Deadline(3600)
    deadline.pulse = lambda _what: setattr(deadline, "_end", 0) if taken[0] > 5000 else None
    result = journal.collect(Node("/", deadline), {"files": [_storm(tmp_path)], "since": "1970-01-01"})
    assert 5000 < result["counts"]["events"] < 10000
    assert [(source["status"], source["timed_out"]) for source in result["sources"]] == [("partial", True)]


# --- whatever a log says, the answer is one that the controller takes --------------------------------------------------


def _answered(files):
    result = journal.collect(Node("/"), {"files": files, "since": "1000-01-01"})
    _answer._check("journal", json.loads(json.dumps(result)), _contracts.JOURNAL)
    return result


@pytest.mark.parametrize(
    "stamp", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "253402300800.000000", "0999-12-31T00:00:00Z"]
)
def test_a_year_that_no_calendar_has(stamp, tmp_path):
    path = tmp_path / "messages"
    path.write_text(f"{stamp} node kernel: java: page allocation failure: order:5, mode:0x10c0d0\n")
    assert {event["time"] for event in _answered([str(path)])["events"]} <= {None}


def test_more_logs_than_anybody_wants_to_hear_of(tmp_path):
    for number in range(4200):
        (tmp_path / ("container-%04d.log" % number)).write_text("x\n")
    (tmp_path / "z.log").write_bytes(b"\x1f\x8b\x08garbage")
    told = _answered([str(tmp_path / "*.log")])["sources"]
    assert len(told) == 500
    assert (told[0]["source"][-5:], told[0]["status"]) == ("z.log", "failed")
    assert (told[-1]["source"], told[-1]["status"]) == ("3702 more", "read")


def test_more_evidence_than_a_controller_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(presentation, "MAX_EVIDENCE", 20000)
    path = tmp_path / "messages"
    lines = []
    for number in range(30):
        lines.append("java%d: page allocation failure: order:5, mode:0x10c0d0(GFP_KERNEL|__GFP_COMP)" % number)
        lines.append("CPU: 1 PID: %d Comm: java%d Not tainted 5.%d.0" % (number, number, number))
        lines += ["Call Trace:", " f%d+0x1/0x2" % number]
        lines += ["Node %d Normal free:10kB min:1kB low:1kB high:1kB present:100kB" % node for node in range(20)]
    path.write_text("".join(KERNEL + line + "\n" for line in lines))
    result = _answered([str(path)])
    evidence = [len(json.dumps(event["zones"])) for event in result["events"]]
    assert 10000 < sum(evidence) < 20000 + 2 * len(evidence)
    assert evidence[result["incidents"][0]["events"][0]] > 1000
    assert "without their zones and traces" in result["sources"][0]["notes"][0]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_what_windows_makes_of_a_log_is_no_silence(encoding, tmp_path):
    path = tmp_path / "pasted.txt"
    text = "\ufeff" + KERNEL + "java: page allocation failure: order:5, mode:0x10c0d0\r\n"
    path.write_bytes((text + "\ud83d\r\n").encode(encoding, "surrogatepass") + b"\0")
    result = _answered([str(path)])
    assert [(event["kind"], event["order"]) for event in result["events"]] == [("page_allocation_failure", 5)]
    assert [(source["kind"], source["status"]) for source in result["sources"]] == [("utf-16", "read")]


def test_a_file_of_the_future_does_not_tell_of_which_year_its_lines_are(tmp_path):
    path = tmp_path / "messages"
    path.write_text(KERNEL + "java: page allocation failure: order:5, mode:0x10c0d0\n")
    for ahead, dated in ((3600, True), (400 * 86400, False)):
        os.utime(str(path), (time.time() + ahead,) * 2)
        assert [event["time"] is not None for event in _answered([str(path)])["events"]] == [dated]
