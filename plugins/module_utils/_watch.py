# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Looking at a node in a child process that can be given up, so that there is an answer whatever hangs.

A call into a file system that no longer answers (NFS, FUSE, a dying disk) waits in the kernel where neither signals nor threads reach it:
fuse's request_wait_answer() sleeps on even after SIGKILL. So the parent touches nothing of the node. The child leaves word in shared memory
of what it looks at next. When that has not changed for some seconds it is killed, not waited for, and another child leaves that one thing
out. Nobody inherits the output of the module, so that whoever waits for its end is not kept waiting by a child that cannot die.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import gc
import json
import mmap
import os
import select
import signal

from ._node import ON_LEAVING, Deadline, NodeError, seconds_now

DEADLINE_SECONDS = 120
# Without a sign of life for so long, or a quarter of the deadline, a child hangs; so often it is looked.
STUCK_SECONDS = 15.0
TICK = 0.5
# What a child may take beyond its deadline to put its answer together.
GRACE_SECONDS = 5.0
# Never more than an audit keeps; and at most so many things are left out one after the other.
MAX_ANSWER = 64 * 1024 * 1024
MAX_TRIES = 8

_WORD = 1024


class CollectError(Exception):
    """Nothing could be seen at all; ``str()`` says why."""


class Parts(dict):
    """What a child has told, JSON text by name. ``gave_up``: why it has not told all, None if it has."""

    gave_up = None


def collect(seconds, work):
    """work(deadline, tell) in a child -> Parts of what it told with tell(name, data).

    CollectError for what work() raises as NodeError or ValueError, RuntimeError with the traceback for anything else. ``seconds`` is the deadline.
    """
    if seconds <= 0:
        raise CollectError("deadline_seconds: %d is not positive" % seconds)
    end = seconds_now() + seconds
    stuck_after = min(STUCK_SECONDS, seconds / 4.0)
    parts, hung = Parts(), []
    while True:
        left = max(0.1, end - seconds_now())
        try:
            child = _Child(left, hung, work)
        except (IOError, OSError) as error:
            if error.errno not in (errno.EAGAIN, errno.ENOMEM) or parts:
                raise
            # A node that can no longer hand out contiguous memory may not have it for another process.
            return _unwatched(Deadline(left, hung), work)
        parts.gave_up, stuck_at = child.listen(parts, left + GRACE_SECONDS, stuck_after)
        if not stuck_at or stuck_at in hung or len(hung) >= MAX_TRIES or seconds_now() >= end:
            break
        hung.append(stuck_at)
    if "error" in parts:
        raise CollectError(json.loads(parts["error"]))
    if "traceback" in parts:
        raise RuntimeError(json.loads(parts["traceback"]))
    return parts


def _unwatched(deadline, work):
    parts = Parts()
    try:
        work(deadline, lambda name, data: parts.update({name: as_text(data)}))
    except (NodeError, ValueError) as error:
        raise CollectError(str(error))
    return parts


def as_text(data):
    return json.dumps(data, separators=(",", ":"), sort_keys=True)


class _Child:
    """One try."""

    def __init__(self, seconds, hung, work):
        self.word = mmap.mmap(-1, _WORD)
        self.pipe, writing = os.pipe()
        try:
            self.pid = os.fork()
        except (IOError, OSError):
            os.close(self.pipe)
            os.close(writing)
            raise
        if not self.pid:
            os.close(self.pipe)
            self._work(writing, seconds, hung, work)
        os.close(writing)

    def _work(self, writing, seconds, hung, work):
        """The child's side. It never returns."""
        parent, word, count = os.getppid(), self.word, [0]

        def leave(*dummy_signal):
            for end in ON_LEAVING:
                end()
            os._exit(1)

        def pulse(what):
            if os.getppid() != parent:
                leave()
            count[0] = (count[0] + 1) % 1000000
            text = ("%06d%s" % (count[0], what)).encode("utf-8", "replace")[: _WORD - 1]
            word[: len(text) + 1] = text + b"\0"

        def tell(name, data):
            text = (name + " " + as_text(data) + "\n").encode("utf-8")
            while text:
                text = text[os.write(writing, text) :]

        try:
            # A collection would write to all that the two still share, which the kernel then has to copy. This one soon ends.
            gc.disable()
            # Of a terminal they come to the parent and to this one, and not to the commands that it has started.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) != signal.SIG_IGN:
                    signal.signal(number, leave)
            try:
                null = os.open(os.devnull, os.O_RDWR)
            except OSError:
                # A root without devices. Of a pipe without a writer nothing comes.
                null, other = os.pipe()
                os.close(other)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            try:
                work(Deadline(seconds, hung, pulse), tell)
            except (NodeError, ValueError) as error:
                tell("error", str(error))
            except Exception:
                import traceback

                tell("traceback", traceback.format_exc())
        finally:
            os._exit(0)

    def listen(self, parts, seconds, stuck_after):
        """Takes what the child tells. -> (why it was given up, at what it got stuck): None for a child that came to its end."""
        waiting = select.poll()
        waiting.register(self.pipe, select.POLLIN)
        end, told, size = seconds_now() + seconds, [], 0
        word, since = None, seconds_now()
        gave_up = at = None
        while gave_up is None:
            now = seconds_now()
            if self.word[:_WORD] != word:
                word, since = self.word[:_WORD], now
            if now - since >= stuck_after:
                at = word[6:].split(b"\0", 1)[0].decode("utf-8", "replace")
                gave_up = "%s gave no answer for %d seconds" % (at or "the node", now - since)
            elif now >= end:
                gave_up = "the time was up (%d seconds)" % seconds
            elif size > MAX_ANSWER:
                gave_up = "its answer was larger than %d MB" % (MAX_ANSWER // 1000000)
            elif _ready(waiting, min(TICK, end - now)):
                data = os.read(self.pipe, 65536)
                if not data:
                    break
                told.append(data)
                size += len(data)
        os.close(self.pipe)
        for line in b"".join(told).split(b"\n")[:-1]:
            name, _blank, text = line.partition(b" ")
            parts[name.decode("ascii")] = text.decode("utf-8")
        status = self._end(gave_up is not None)
        if gave_up is None and status:
            gave_up = "it was ended by a signal, or by the kernel for want of memory, before it had seen all"
        return gave_up, at

    def _end(self, kill):
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        # A child that hangs in the kernel is not waited for; init does that.
        end = seconds_now() + (0.5 if kill else GRACE_SECONDS)
        ended = os.waitpid(self.pid, os.WNOHANG)
        while ended == (0, 0) and seconds_now() < end:
            select.select([], [], [], 0.005)
            ended = os.waitpid(self.pid, os.WNOHANG)
        self.word.close()
        return ended[1]


def _ready(waiting, seconds):
    try:
        return waiting.poll(int(seconds * 1000) + 1)
    except select.error as error:
        if error.args[0] != errno.EINTR:
            raise
        return []
