# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The flags of a node_exporter that is there: which it has, which contiguous memory needs, and where its textfiles are.

Packages give node_exporter its flags in a file of variables for systemd, EnvironmentFile of systemd.exec(5). Of such a file nothing is
changed: the last assignment is repeated, with what is missing, in a block of our own at its end. Taken away, the file is as it was.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import re
import select

from ._commands import running
from ._node import NodeError, TimedOut, seconds_now

# How packages do it: (name, file of variables, the variable, service, programs, directory of textfiles that is built in or usual, whether
# it is built in).
_UPSTREAM = ("/usr/sbin/node_exporter", "/usr/bin/node_exporter", "/usr/local/bin/node_exporter")
_UPSTREAM_DIRECTORY = "/var/lib/node_exporter/textfile_collector"
# fmt: off
WAYS = (
    # Debian and Ubuntu.
    ("debian", "/etc/default/prometheus-node-exporter", "ARGS", "prometheus-node-exporter.service",
     ("/usr/bin/prometheus-node-exporter",), "/var/lib/prometheus/node-exporter", True),
    # EL: the project's own example (examples/systemd of node_exporter), and packages made by it.
    ("sysconfig", "/etc/sysconfig/node_exporter", "OPTIONS", "node_exporter.service", _UPSTREAM, _UPSTREAM_DIRECTORY, False),
    # EL: the packages of prometheus-rpm.
    ("default", "/etc/default/node_exporter", "NODE_EXPORTER_OPTS", "node_exporter.service", _UPSTREAM, _UPSTREAM_DIRECTORY, False),
)
# fmt: on
# The role node_exporter of the collection prometheus.prometheus writes all flags into the unit.
COLLECTION = "prometheus_collection"
COLLECTION_SERVICE = "node_exporter.service"
COLLECTION_DIRECTORY = "/var/lib/node_exporter"
NAMES = tuple(way[0] for way in WAYS) + (COLLECTION,)

_UNITS = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")

_DIRECTORY_FLAG = "collector.textfile.directory"
VMSTAT_FIELDS = "^(oom_kill|pgpg|pswp|pg.*fault|allocstall|compact_).*"
# What rules and dashboards read, and what is off by itself.
_WANTED = (("collector.buddyinfo", None), ("collector.zoneinfo", None), ("collector.vmstat.fields", VMSTAT_FIELDS))
# What is on by itself, unless the defaults are off.
_DEFAULTS_OFF = "collector.disable-defaults"
_DEFAULTS = ("textfile", "vmstat", "meminfo", "uname", "pressure")

_BEGIN = "# BEGIN kernelops.memfrag: the assignment from above, with flags that it lacks. Each run of the role makes it anew.\n"
_END = "# END kernelops.memfrag\n"
_BLOCK = re.compile("^# BEGIN kernelops\\.memfrag.*?^# END kernelops\\.memfrag\n", re.MULTILINE | re.DOTALL)

_HELP_BYTES = 262144
HELP_SECONDS = 15


class Exporter:
    """What is there of a node_exporter.

    way         of NAMES
    file, text  its file of variables and what is in there without our block, None for COLLECTION
    before      what is in the file
    variable    the one that has the flags
    service     its unit, and start the command of it, "" where there is no unit
    """

    def __init__(
        self, way, service, start, file=None, before=None, variable=None, programs=(), directory=None, built_in=False
    ):
        self.way, self.service, self.start, self.file, self.before = way, service, start, file, before
        self.text = None if before is None else _BLOCK.sub("", before)
        self.variable, self.programs = variable, programs
        self.usual_directory, self.built_in = directory, built_in

    @property
    def flags(self):
        """All flags that it is started with, as text."""
        return self.start + " " + (_last(self.text, self.variable) if self.file else "")

    @property
    def directory(self):
        """Where it looks for textfiles, by its flags; None if they do not say."""
        found = re.findall(r"--%s[=\s]+[\"']?([^\s\"'\\]+)" % re.escape(_DIRECTORY_FLAG), self.flags)
        return found[-1] if found else None

    @property
    def textfiles(self):
        """Where it looks for them, or is to be told to."""
        return self.directory or self.usual_directory

    def where(self):
        return self.file or self.service


def find(node, wanted=None):
    """-> the Exporter of a node, None if there is none. ``wanted`` is one of NAMES, or the first that is there."""
    for name, path, variable, service, programs, directory, built_in in WAYS:
        if wanted not in (None, name) or not node.exists(path):
            continue
        start, text = _start(node, service), node.read_text(path)
        named = [other for other in re.findall(r"\$\{?(\w+)", start) if other in _assigned(text)]
        return Exporter(name, service, start, path, text, (named or [variable])[-1], programs, directory, built_in)
    start = _start(node, COLLECTION_SERVICE)
    if wanted in (None, COLLECTION) and start:
        return Exporter(COLLECTION, COLLECTION_SERVICE, start, directory=COLLECTION_DIRECTORY)
    return None


def missing(exporter, directory):
    """-> [flag] that it lacks. Raises NodeError for one that contradicts."""
    said = exporter.flags
    wanted = list(_WANTED)
    if _has(said, _DEFAULTS_OFF):
        wanted += [("collector." + name, None) for name in _DEFAULTS]
    if not exporter.built_in or directory != exporter.usual_directory:
        wanted.append((_DIRECTORY_FLAG, directory))
    for name in [name for name, dummy in _WANTED] + ["collector." + name for name in _DEFAULTS]:
        if _has(said, "no-" + name):
            raise NodeError(
                exporter.where(), "--no-%s is there, and the metrics need that collector" % name, errno.EINVAL
            )
    if exporter.directory not in (None, directory):
        reason = "node_exporter reads textfiles of %s, and not of %s" % (exporter.directory, directory)
        raise NodeError(exporter.where(), reason, errno.EINVAL)
    return ["--" + name + ("" if value is None else "=" + value) for name, value in wanted if not _has(said, name)]


def with_flags(exporter, flags):
    """-> the text of the file of variables, with ``flags`` in a block of ours. Without flags there is none."""
    if not flags:
        return exporter.text
    assigned = _last(exporter.text, exporter.variable)
    quote = assigned[:1] if assigned[:1] in ("'", '"') else ""
    inner = assigned[1:-1] if quote else assigned
    if quote and (len(assigned) < 2 or assigned[-1] != quote) or not quote and re.search("[\"'\\\\]", assigned):
        raise NodeError(
            exporter.file, "the quotes of %s=%s are not understood" % (exporter.variable, assigned), errno.EINVAL
        )
    line = "%s=%s%s%s\n" % (exporter.variable, quote or '"', " ".join([inner] * bool(inner) + flags), quote or '"')
    newline = "" if exporter.text.endswith("\n") or not exporter.text else "\n"
    return exporter.text + newline + _BEGIN + line + _END


def check_known(node, exporter, flags):
    """Raises NodeError where its program does not know one of the flags: it would not start any more; or is not root's alone."""
    program = next((path for path in exporter.programs if node.exists(path)), None)
    if program is None:
        raise NodeError(exporter.programs[0], "no such program; %s is there" % exporter.file, errno.ENOENT)
    # A service runs it as a user of its own; here root would, to look at it.
    weak = node.weakness(program, follow=True)
    if weak:
        raise NodeError(program, "not asked for its flags as root, since " + weak, errno.EPERM)
    known = set(re.findall(r"--(?:\[no-\])?([a-z][\w.-]*)", _help(node, program).decode("utf-8", "replace")))
    unknown = [flag for flag in flags if flag[2:].partition("=")[0] not in known]
    if unknown:
        raise NodeError(
            program, "it does not know %s; a newer node_exporter is needed" % ", ".join(unknown), errno.EINVAL
        )


def _help(node, program):
    """What a program says of its flags, on either output. NodeError where it does not come to an end."""
    said, end = b"", seconds_now() + HELP_SECONDS
    with running(node, [node.path(program), "--help"]) as process:
        listening = [process.stdout.fileno(), process.stderr.fileno()]
        while listening and len(said) < _HELP_BYTES:
            left = end - seconds_now()
            if left <= 0:
                raise TimedOut(program, "--help did not come to an end within %d seconds" % HELP_SECONDS)
            for descriptor in select.select(listening, [], [], left)[0]:
                data = os.read(descriptor, 65536)
                said += data
                if not data:
                    listening.remove(descriptor)
    return said


def collection_variables(exporter, flags):
    """-> what to tell whoever uses the collection prometheus.prometheus, whose role writes the unit."""
    return (
        "%s lacks %s. The role prometheus.prometheus.node_exporter writes that unit: have node_exporter_enabled_collectors contain "
        "buddyinfo, zoneinfo, {vmstat: {fields: '%s'}} and {textfile: {directory: %s}}"
        % (exporter.service, " ".join(flags), VMSTAT_FIELDS, exporter.textfiles)
    )


def configure(node, state, way=None, directory=None, check_mode=False):
    """-> {changed, way, service, textfile_directory, flags, diff} of a node, see the module. Raises NodeError."""
    exporter = find(node, way)
    if exporter is None:
        if state == "present":
            raise NodeError(
                WAYS[0][1],
                "no node_exporter that could be configured%s: neither that file nor %s, and no unit %s"
                % (" as " + way if way else "", " nor ".join(row[1] for row in WAYS[1:]), COLLECTION_SERVICE),
                errno.ENOENT,
            )
        return {"changed": False, "way": "none", "service": "", "textfile_directory": directory or "", "flags": []}
    directory = (directory or exporter.textfiles).rstrip("/")
    flags = missing(exporter, directory) if state == "present" else []
    result = {"way": exporter.way, "service": exporter.service, "textfile_directory": directory, "flags": flags}
    if exporter.file is None or state == "found":
        if flags:
            raise NodeError(exporter.service, collection_variables(exporter, flags), errno.EINVAL)
        return dict(result, changed=False)
    if flags:
        check_known(node, exporter, flags)
    text = with_flags(exporter, flags)
    if text != exporter.before and not check_mode:
        # Whatever its mode is: it is the package's, and may hold a password.
        node.write_file(exporter.file, text, node.mode(exporter.file))
    headers = {"before_header": exporter.file, "after_header": exporter.file}
    return dict(result, changed=text != exporter.before, diff=dict(headers, before=exporter.before, after=text))


# --- text ---------------------------------------------------------------------------------------------------------


def _has(flags, name):
    return bool(re.search(r"(?:^|[\s\"'])--%s(?:[=\s\"']|$)" % re.escape(name), flags))


def _assignments(text):
    """[(name, value as it stands there)] of a file of variables; a backslash at its end goes on with the next line."""
    joined = re.sub(r"\\\n\s*", "", text)
    return re.findall(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=[ \t]*(.*?)[ \t]*$", joined, re.MULTILINE)


def _assigned(text):
    return [name for name, dummy in _assignments(_BLOCK.sub("", text))]


def _last(text, variable):
    values = [value for name, value in _assignments(text) if name == variable]
    return values[-1] if values else ""


def _start(node, service):
    """-> the command of a unit, with its drop-ins; "" where there is none."""
    path = next((place + service for place in _UNITS if node.exists(place + service)), None)
    if path is None:
        return ""
    start = ""
    for name in [path] + sorted(
        (drop_in for place in _UNITS for drop_in in node.glob(place + service + ".d/*.conf")),
        key=lambda drop_in: drop_in.rpartition("/")[2],
    ):
        text = re.sub(r"\\\n", " ", node.read_text(name))
        for value in re.findall(r"^ExecStart=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE):
            # An empty one takes back those before.
            start = value
    return start
