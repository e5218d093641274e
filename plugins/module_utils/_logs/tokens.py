# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The pieces that stand in front of messages: times, levels, hosts and programs, uptimes, callers, CPUs, quotes.

Each is an expression that is matched where the line begins; prefixes.py takes them off in any order until none matches. None of
them has an unbounded repetition beside another that could take the same characters.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from .lazy import Lazy

# --- times ------------------------------------------------------------------------------------------------------------

# A day or month in whatever language: "Jul", "sept.", "7" with the sign for month.
_NAME = r"[^\s\d:,;\[\]<>(){}=\"'|/+-]{1,12}"
_MONTH = r"(?:" + _NAME + r"|\d{1,2}[^\s\d:.,;/\[\]-]{1,2})"
_CLOCK = r"\d{1,2}:\d\d:\d\d(?:[.,:]\d{1,9})?(?:\s?[AaPp]\.?[Mm]\.?(?![^\W\d_]))?"
_ZONE = r"(?:\s?(?:Z|[+-]\d\d:?\d\d)(?!\d)|\s(?:UTC|GMT|MSK|[A-Z]{2,4}T)(?=[\s\]),]))?"
_YEAR = r"(?:\s(?:19|20)\d\d(?=[\s\]),:]))?"
_DATED = (
    # 2020-07-01T00:45:31.5+08:00, Wed 2020-07-01 00:45:31 UTC, 2020/07/01 00:45:31, the signs of East Asia between
    r"(?:" + _NAME + r",?\s)?\d{4}[^\s\d:]\d{1,2}[^\s\d:]\d{1,2}[^\d:]{1,4}" + _CLOCK + _ZONE,
    # Jul  1 00:45:31, Wed Jul  1 00:45:31 CEST 2020, Jul 1, 2020 @ 00:45:31.000
    r"(?:" + _NAME + r",?\s{1,2})?" + _MONTH + r"\s{1,2}\d{1,2}[^\s\d:]{0,2}\s(?:(?:@|at|(?:19|20)\d\d,?)\s){0,2}"
    # what follows is the same for all
    + _CLOCK + _ZONE + _YEAR,
    # 01/Jul/2020:00:45:31 +0000, Wed, 01 Jul 2020 00:45:31 +0200, 1. Juli 00:45:31
    r"(?:" + _NAME + r",?\s)?\d{1,2}\.?[-/\s]" + _NAME + r"[-/\s]{1,2}(?:\d{2,4}[\s:,]{1,2})?" + _CLOCK + _ZONE + _YEAR,
    # 01/07/2020 00:45:31, 01.07.2020, 09-22 15:36:44.117
    r"\d{1,2}[-/.]\d{1,2}(?:[-/.]\d{2,4})?[\sT,@]{1,3}" + _CLOCK + _ZONE,
    r"\d{8}[\sT_-]\d\d:?\d\d:?\d\d(?:[.,]\d{1,9})?" + _ZONE,
    # seconds since the epoch
    r"\d{9,10}\.\d{1,9}",
)  # fmt: skip
_END = r"(?=[\s\]):|,;>\"']|$)"
STAMP = Lazy(r"(?P<stamp>" + "|".join(_DATED) + r"|" + _CLOCK + r")" + _END, re.UNICODE)
# dmesg -T and -H, terminals and conserver: in brackets, then also without seconds.
BRACKETED = Lazy(
    r"[\[(]\s?(?P<stamp>" + "|".join(_DATED) + r"|" + _CLOCK + r"|" + _NAME + r"\s{0,2}\d{1,2}\s\d\d:\d\d)\s?[\])]:?",
    re.UNICODE,
)
# What has no date in it.
CLOCK_ONLY = Lazy(r"\d{1,2}:\d\d")

# --- the kernel's own -------------------------------------------------------------------------------------------------

# [ 1197.288649], with dmesg -d [ 1197.288649 <    0.000012>], and what CONFIG_PRINTK_CALLER adds.
_CALLER = r"(?:\s?\[\s*(?P<caller>[TC]\d{1,9})(?:@\w{1,16})?\])?"
UPTIME = Lazy(r"\[\s{0,12}(?P<uptime>\d{1,12}\.\d{1,9})(?:\s<[^>]{0,24}>|\s\([^)]{0,24}\))?\]:?" + _CALLER)
# dmesg --reltime and -d without times: how long after the line before.
RELATIVE = Lazy(r"\[\s{0,12}(?:\+\s{0,12}\d{1,12}\.\d{1,9}|<\s{0,12}\d{1,12}\.\d{1,9}>)\s?\]" + _CALLER)
# LXC src/lxc/log.c: the program, since 3.0 the container as well, year to milliseconds, and what it calls its levels.
LXC = Lazy(
    r"(?P<tag>lx[cd](?:-[a-z]{1,12})?)\s{1,12}(?:(?P<name>[\w.-]{1,64})\s{1,4})?(?P<date>\d{8})(?P<clock>\d{6}\.\d{3})\s{1,4}(?P<level>[A-Z]{4,6})\s{1,8}"
)
# The stamp of an excerpt's first line, its beginning cut off: how much of the number, nobody knows.
CUT_UPTIME = Lazy(r"\d{0,12}\.\d{6}\]" + _CALLER + r"(?=\s)")
CALLER = Lazy(r"\[\s*(?P<caller>[TC]\d{1,9})(?:@\w{1,16})?\]")
# /dev/kmsg and netconsole: level and facility, number, microseconds, flag, more; ends with a semicolon.
KMSG = Lazy(r"(?P<level>\d{1,4}),\d{1,20},(?P<usec>\d{1,20}),[-+c](?P<more>(?:,\w{1,16}=[^;,\s]{0,40}){0,8});")
KMSG_CALLER = Lazy(r",caller=([TC]\d{1,9})")
# What vendors print behind the uptime: the CPU, the task. [3:  swapper/3:    0], (0)[1:swapper/0], c2, CPU0:, <0>
CPU = Lazy(
    r"(?:[cC]\d{1,4}\s(?=\S)|CPU\d{1,4}:\s|<\d{1,4}>|-?\(\d{1,4}\)(?=\[)"
    r"|I?\[\s{0,4}(?:pid:)?\d{1,7}[:,|][\w\s:,./|@-]{1,40}\]\s?|-\[[\w\s:,./|@-]{1,40}\]\s?)"
)
# The same where the stamp is off, of which only Samsung's is told from others: "%c[%1d:%15s:%5d] ", I in interrupts, CPU, task and its pid.
TASK = Lazy(r"I?\[\d{1,2}:\s{0,14}[^\s\d\[\]][^\[\]]{0,14}:\s{0,5}\d{1,7}\]\s")
KERNEL = Lazy(
    r"(?:[iweWEI]/)?(?:kernel|KERNEL|vmlinux)(?:\[\d{1,7}\]|\s{0,2}\(\s{0,6}\d{1,7}\))?\s{0,6}:(?:\s?:(?=\s))?\s?"
)

# --- levels, programs, transports -------------------------------------------------------------------------------------

_FACILITY = r"(?:kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local\d)"
_LEVEL = r"(?:emerg|alert|crit|err|error|warn|warning|notice|info|debug|panic)"
# Where logs of many nodes come together (talosctl dmesg), the node stands before it.
LEVEL = Lazy(
    r"<\d{1,4}>(?!\d{1,3}\s\d{4}-)|(?:(?P<host>[\w.-]{1,128}):\s)?"
    + _FACILITY
    + r"\s{0,8}[:.]\s?"
    + _LEVEL
    + r"\s{0,8}(?::\s{0,2}|\s|(?=\[))"
)
WORD_OF_LEVEL = Lazy(r"^(?:" + _FACILITY + r"\." + _LEVEL + r"|" + _LEVEL + r"|\d+|[VDIWEF]|-+)$", re.I)
_HOST = r"[^\s:\[\]<>(){}=\"'|,;]{1,255}"
# Host and program after a time. The words of the kernel's own messages that look alike are no programs.
TAG = Lazy(
    r"(?:\s{1,8}(?P<host>"
    + _HOST
    + r"))?\s{1,8}(?P<tag>(?!\d+:)[^\s:\[\]<>(){}=\"'|,;]{1,64})(?:\[(?P<pid>\d{1,10})\])?:"
    r"(?=\s|$)(?!\s(?:page allocation|vmalloc|vmap ))"
)
NO_PROGRAM = frozenset(
    "Trace trace name Info Workqueue Code INFO BUG WARNING memory swap kmem cache failure killer cma oom-kill oom_reaper "
    "DMA DMA32 Normal HighMem Movable Device per-cpu normal".split()
)
# A program that wrote to the kernel's log.
PROGRAM = Lazy(r"(?:(?P<host>[A-Za-z][\w.-]{0,255}) )?(?P<tag>[A-Za-z][\w.@-]{0,63})\[\d{1,10}\]: ")
KERNELS = frozenset(("kernel", "vmunix", "vmlinux", "klogd"))
PROGRAMS = frozenset("kernel kubelet dockerd docker containerd crio cri-o runc podman systemd nomad k3s rke2".split())
# Programs that only pass on what the kernel said.
RELAYS = frozenset(
    "dmesg klog netconsole syslog syslogd rsyslogd syslog-ng fluentd fluent-bit vector promtail filebeat logstash logger".split()
)
RFC5424 = Lazy(
    r"(?:<\d{1,4}>)?\d{1,2} (?P<stamp>\d{4}-[^\s]{10,40}) (?P<host>\S{1,255}) (?P<tag>\S{1,64}) (?P<pid>\S{1,128}) \S{1,64} "
    r"(?:-|(?:\[(?:[^\]\"]|\"[^\"]*\")*\]){1,16}) ?"
)
# The container runtimes' own files: stream, F for a whole line and P for a part of one.
CRI = Lazy(r"\s?(?:stdout|stderr) (?P<part>[FP])(?:\s|$)")
# Loki's and others' labels, key="value" in braces.
LABELS = Lazy(r"\{(?:[\w.-]{1,64}=\"[^\"]{0,256}\"[,\s]{0,2}){1,40}\}\s?")
LABEL_HOST = Lazy(r"\b(?:host|hostname|nodename|node|instance)=\"([^\":]{1,255})")
# grep's file names and numbers, numbers of cat, less and nl.
_NEXT = r"(?=\[\s*\d|[{<(]|\d{4}-\d|kernel:|[^\W\d_]{2,5}\.?\s{1,2}\d{1,2}\s\d\d:\d\d)"
NUMBER = Lazy(r"\d{1,9}(?:\t|[:)-]\s{0,4}" + _NEXT + ")", re.UNICODE)
FILE = Lazy(
    r"(?:(?:[\w@+-]{0,64}[./][\w./@+-]{0,200}|messages|syslog|dmesg)(?::\d{1,9})?:\s?|\[[\w./@:-]{1,128}\]\s{1,4})"
    + _NEXT
    # With a number it is grep's, whatever follows; what ends like a source file may be part of a message.
    + r"|(?:/[\w./@+-]{1,200}|[\w@+-]{0,64}(?:messages|syslog|dmesg|\.log|\.txt)[\w.-]{0,32})(?<!\.go)(?<!\.c)(?<!\.h)(?<!\.rs)(?<!\.py):\d{1,9}:",
    re.UNICODE,
)
# Mail and tables: "> ", ">> > ", "| ", "JD> ".
QUOTE = Lazy(r"(?:[>|]\s?)+|[A-Z][A-Za-z]{0,2}>\s(?:>\s?)*")
# fluentd, fluent-bit: a tag, a time, then the record.
RECORD = Lazy(
    r"\[\d{1,9}\]\s[\w.*/-]{1,128}:\s\[{1,2}\s?(?P<stamp>\d{9,10}\.\d{1,9}),\s(?:\{\}\],\s)?(?=\{)"
    r"|(?P<tag>[\w.*/-]{1,128})(?::\s|\t)\s{0,4}(?=\{\")"
)
# One field a line: journalctl -o json-pretty, verbose and export, logstash's rubydebug.
FIELD = Lazy(r"\s*\"?(?P<name>[_A-Za-z@][\w@.]{0,63})\"?\s{0,40}(?P<is>=>|:|=)\s{0,4}(?P<value>\"|(?<==)(?!>))")
# The other fields of a record of the journal (-o export, json-pretty), each in a line of its own. The id of a container is no name of one.
OTHER_FIELD = Lazy(
    r"\s{0,8}\"(?![0-9a-f]{64}\")[\w@.]{1,64}\"\s{0,40}:\s|(?:_[A-Z][A-Z0-9_]{1,63}|__[A-Z][A-Z0-9_]{1,63}|PRIORITY|SYSLOG_\w{1,40}|CODE_\w{1,40}|ERRNO)="
)
MESSAGE_FIELDS = frozenset(("MESSAGE", "message", "log", "_raw", "@message"))

# A stamp of the kernel after something unknown, and the tag of the kernel after words: both mean that all before was put there.
FOREIGN = Lazy(r"(?:[^\[]|\[[\w./@ -]{1,64}\]\s){1,80}?(?=\[\s{0,12}\d{1,9}\.\d{6}\](?:\s|\[|$))")
WORDS = Lazy(
    r"(?P<words>(?:\S{1,128}\s{1,8}){0,8}?)(?=(?:[iweWEI]/)?(?:kernel|KERNEL)(?:\[\d{1,7}\]|\s{0,2}\(\s{0,6}\d{1,7}\))?\s{0,6}:)"
)


def is_field(text):
    """Whether a line is a field of a record in the journal, but not its message, or the brace that begins or ends one."""
    first = text[:2].lstrip()[:1]
    return first in _FIELDS_BEGIN and (OTHER_FIELD.match(text) is not None or text in _BRACES)


_FIELDS_BEGIN = frozenset('_"PSCE{}')
_BRACES = frozenset(("{", "}", "},"))
