# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Puts the node tool on a node, made of the very library that runs here, and takes it away with all that it left."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import importlib
import io
import marshal
import struct
import sys
import time
import zipfile

from . import _bundle, _entry, _metrics, _metrics_state, _node_locks, _policy_file, _yields
from ._compaction import run, state
from ._compaction.target import OPTIONS
from ._library import LIBRARY
from ._node import Node, NodeError
from ._node_writes import WritableNode

PACKAGE = "memfrag_lib"
PATH = "/usr/local/sbin/memfrag"
_POLICY_DIRECTORY = _policy_file.POLICY_FILE.rpartition("/")[0]
_OWN_DIRECTORIES = (state.DIRECTORY, _POLICY_DIRECTORY)

# What the tool was installed for, a word a line: it goes with the last of them.
NEEDED_FOR = state.DIRECTORY + "/needed_for"
PURPOSES = ("compaction", "metrics")

# Of a line that names an interpreter kernels before 5.1 read 127 bytes (include/uapi/linux/binfmts.h, BINPRM_BUF_SIZE).
_LONGEST_INTERPRETER = 120

# What a job may take beyond its time limit: the kernel ends a compaction when it comes to it.
_GRACE_SECONDS = 60
# How long one look at the node may take that is under way when the tool is removed.
_METRICS_SECONDS = 30

_MAIN = """\
from __future__ import absolute_import, division, print_function

__metaclass__ = type

from %(package)s import %(bundle)s

%(bundle)s.use(__loader__)

from %(package)s.%(entry)s import run

run()
""" % {
    "package": PACKAGE,
    "bundle": _bundle.__name__.rpartition(".")[2],
    "entry": _entry.__name__.rpartition(".")[2],
}
# Of the compiled code what is imported before the bundle is.
_BEFORE_BUNDLE = ("__main__.py", PACKAGE + "/__init__.py", PACKAGE + "/_bundle.py")
# A docstring would be enough to make it a package; its first line is what somebody who looks into it reads.
_INIT = b'"""The library of the Ansible collection kernelops.memfrag."""\n'

# A fixed date, the first that a zip archive can hold: the same library always makes the same file.
_DATE = (1980, 1, 1, 0, 0, 0)


def build(interpreter, compiled=False):
    """-> the tool as one file: a line that names its Python, and an uncompressed archive of the library, which Python runs as it is.

    -E and -s keep the caller's environment and home from choosing what is imported; Python 2.7 knows no -I. With -S nothing is looked
    for among installed packages either, and no code of theirs is run at each start (.pth files, sitecustomize).
    compiled   with the code beside its source, as the Python that runs this makes it: compiling is most of what a short run costs.
               Any other Python passes over it, and takes the source.
    """
    files = [(PACKAGE + "/__init__.py", _INIT)]
    files += [("%s/%s.py" % (PACKAGE, _file_of(name)), _source(name)) for name in LIBRARY]
    files += [("__main__.py", _MAIN.encode("ascii"))]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path, source in files:
            # Before 3.8 Python has an importer of archives that is fast enough.
            if compiled and (sys.version_info < (3, 8) or path in _BEFORE_BUNDLE):
                _add(archive, path + "c", _header(source) + marshal.dumps(_code(path, source)))
            _add(archive, path, source)
        if compiled and sys.version_info >= (3, 8):
            _add(archive, _bundle.ENTRY, _bundle.pack(_header(b""), _modules()))
    options = "-EsS" if compiled and not _is_virtual() else "-Es"
    return ("#!%s %s\n" % (interpreter, options)).encode("ascii") + stream.getvalue()


def _is_virtual():
    """Whether this Python is one of a virtual environment. Those of Python 2 find the standard library by what -S leaves out."""
    return hasattr(sys, "real_prefix") or getattr(sys, "base_prefix", sys.prefix) != sys.prefix


def _modules():
    """-> {full name: (whether it is a package, its code)} of the library"""
    return {
        "%s.%s" % (PACKAGE, name): (
            _is_package(name),
            _code("%s/%s.py" % (PACKAGE, _file_of(name)), _source(name)),
        )
        for name in LIBRARY
    }


def _code(path, source):
    return compile(source, path, "exec", 0, True)


def _header(source):
    """Of a .pyc: since 3.7 of one that is not compared with its source, before that of one with the date that the archive has (PEP 552)."""
    if sys.version_info < (3,):
        import py_compile

        return py_compile.MAGIC + struct.pack("<I", _archive_seconds())
    from importlib import util

    if sys.version_info < (3, 7):
        return util.MAGIC_NUMBER + struct.pack("<II", _archive_seconds(), len(source))
    return util.MAGIC_NUMBER + struct.pack("<I", 1) + util.source_hash(source)


def _archive_seconds():
    return int(time.mktime(_DATE + (0, 0, -1))) & 0xFFFFFFFF


def sources(tool):
    """-> what is decisive of a tool: its first line, and the sources in its archive. Compiling the same twice need not give the same bytes."""
    line, dummy, rest = tool.partition(b"\n")
    try:
        with zipfile.ZipFile(io.BytesIO(rest)) as archive:
            names = archive.namelist()
            kept = tuple((name, archive.read(name)) for name in names if not name.endswith(".pyc"))
            magic = {archive.read(name)[:4] for name in names if name.endswith(".pyc")}
            return line, kept, tuple(name for name in names if name.endswith(".pyc")), sorted(magic)
    except (zipfile.BadZipfile, KeyError, ValueError, EOFError, IOError):
        return line, rest


def _add(archive, name, content):
    about = zipfile.ZipInfo(name, _DATE)
    about.external_attr = 0o644 << 16
    about.create_system = 3
    archive.writestr(about, content)


def _file_of(name):
    path = name.replace(".", "/")
    return path + "/__init__" if _is_package(name) else path


def _is_package(name):
    return any(other.startswith(name + ".") for other in LIBRARY)


def _source(name):
    """The source of a module of the library, wherever it was loaded from: files, or the archive of an Ansible module."""
    module = importlib.import_module("%s.%s" % (__name__.rpartition(".")[0], name))
    path = module.__file__[:-1] if module.__file__.endswith("c") else module.__file__
    loader = getattr(module, "__loader__", None)
    return loader.get_data(path) if hasattr(loader, "get_data") else Node("/").read_bytes(path)


# --- put it there -------------------------------------------------------------------------------------------------


def install(node, path=PATH, interpreter=None, check_mode=False, purpose=None):
    """-> whether something had to be done: content, owner and mode of the tool, and of the directories that are its own.

    purpose   of PURPOSES; noted, so that another one's removal leaves the tool there
    Raises NodeError, also where somebody else than root could change the tool, or the Python that it is run by.
    """
    interpreter = checked_interpreter(node, interpreter or sys.executable)
    wanted = build(interpreter, compiled=is_this_python(node, interpreter))
    directory = path.rpartition("/")[0] or "/"
    changed = False
    if not node.exists(directory):
        changed = True
        if not check_mode:
            node.make_directory(directory)
    if node.exists(directory):
        reason = node.weakness(directory, follow=True)
        if reason:
            raise NodeError(path, "root could be made to run something else, since " + reason, errno.EPERM)
    for own in _OWN_DIRECTORIES:
        if node.exists(own):
            changed = node.own_directory(own, check_mode=check_mode) or changed
    changed = _forget_untrusted_state(node, check_mode) or changed
    known = purposes(node)
    if purpose and purpose not in known:
        changed = True
        if not check_mode:
            node.own_directory(state.DIRECTORY)
            node.write_file(NEEDED_FOR, "".join(word + "\n" for word in known + [purpose]))
    if node.file_differs(path, wanted, 0o755) and (
        node.file_differs(path, _read(node, path), 0o755) or sources(_read(node, path)) != sources(wanted)
    ):
        changed = True
        if not check_mode:
            node.write_file(path, wanted, 0o755)
    return changed


def purposes(node):
    """-> what the tool is noted to be needed for, nothing of a list that others could have written. NodeError where it cannot be read."""
    try:
        found = node.read_trusted(NEEDED_FOR).split("\n")
    except NodeError as error:
        if not (error.missing or error.errno == errno.EPERM):
            # Taken for empty, one role's removal would take the tool from the other.
            raise
        return []
    return [word for word in PURPOSES if word in found]


def _read(node, path):
    try:
        return node.read_bytes(path)
    except NodeError:
        return b""


def is_this_python(node, interpreter):
    """Whether code compiled here is for the Python that the tool is to be run by."""
    where = node if node.exists(interpreter) else Node("/")
    return where.same_file(interpreter, sys.executable)


def checked_interpreter(node, path):
    """-> the path, of a program that only root could have written. A Python in a user's virtual environment is none."""
    if not path.startswith("/") or set(path) & set(" \t\r\n"):
        raise NodeError(path, "no absolute path that a script can name as its interpreter", errno.EINVAL)
    if len(path) > _LONGEST_INTERPRETER:
        reason = "longer than the %d characters of an interpreter that kernels read" % _LONGEST_INTERPRETER
        raise NodeError(path, reason, errno.ENAMETOOLONG)
    # The Python that runs this is here; below another root there may be one as well.
    where = node if node.exists(path) else WritableNode()
    reason = where.weakness(path, follow=True)
    if reason:
        raise NodeError(
            path,
            "no interpreter for a tool that root runs, since %s; name another one as interpreter" % reason,
            errno.EPERM,
        )
    return path


def _forget_untrusted_state(node, check_mode):
    """What the runs before have learned counts only if nobody else could have written it. -> whether there was such a thing"""
    changed = False
    for path in (state.FILE, _yields.FILE, _metrics_state.FILE, _metrics.WRITTEN, NEEDED_FOR):
        if node.exists(path) and (node.weakness(path) or node.mode(path) != 0o644):
            changed = True
            if not check_mode:
                node.remove(path)
    return changed


# --- take it away -------------------------------------------------------------------------------------------------


def remove(node, path=PATH, check_mode=False, wait_seconds=None, purpose=None):
    """Removes the tool, its policy, its metrics and what its runs have left; the record of settings is not its own. -> what was there

    purpose   where the tool is needed for something else as well, only what belongs to this one goes
    A job that is running is waited for, as long as its policy lets it run; NodeError where it goes on longer than that. The kill
    switch is its owner's, and stays.
    """
    lock = run.lock_file(node)
    there = _remove(node, path, lock, True, purpose)
    if check_mode or not there:
        return there
    # Where there is no lock yet, it is made: a job that begins now waits for it, and sees that it is no longer wanted.
    wait_seconds = _longest_run(node) if wait_seconds is None else wait_seconds
    with _locked(node, lock, wait_seconds) as held:
        if not held:
            raise NodeError(lock, "a job is still running; nothing was removed", errno.EBUSY)
        metrics = _metrics.lock_file(node)
        with _locked(node, metrics, _METRICS_SECONDS) as free:
            if not free:
                raise NodeError(metrics, "metrics are being written; nothing was removed", errno.EBUSY)
            gone = _remove(node, path, None, False, purpose)
    return gone + [one for one in (lock,) if one in there]


@contextlib.contextmanager
def _locked(node, lock, wait_seconds):
    """Gives whether nobody else holds the lock, and takes it away at the end. Without a directory for one nobody can."""
    if lock is None:
        yield True
        return
    with _node_locks.lock(node, lock, wait_seconds=wait_seconds, remove=True) as held:
        yield held


def _longest_run(node):
    try:
        limit = float(node.read_json(_policy_file.POLICY_FILE)["time_limit_seconds"])
        # NaN, which JSON can have, is neither; whoever waits for it waits for ever.
        if limit >= 0:
            return min(limit, OPTIONS["time_limit_seconds"]["max"]) + _GRACE_SECONDS
    except (NodeError, ValueError, KeyError, TypeError):
        pass
    return OPTIONS["time_limit_seconds"]["default"] + _GRACE_SECONDS


def _remove(node, path, lock, check_mode, purpose):
    others = [other for other in purposes(node) if other != purpose] if purpose else []
    # First what starts runs, and at the end what says where the rest is: a removal that is killed can be taken up again.
    left = [] if others else [path]
    if not others or purpose == "metrics":
        left += _metrics_files(node) + [_metrics.WRITTEN, _metrics_state.FILE]
    if not others or purpose == "compaction":
        left += [_yields.FILE, state.FILE, _policy_file.POLICY_FILE]
        left += node.glob(_POLICY_DIRECTORY + "/.ansible_tmp*policy.json")
    left += ([lock] if lock else []) + ([] if others else [NEEDED_FOR])
    # Directories are all that a removal which was killed at its very end has left.
    there = [one for one in left if node.left_of(one)] or _empty_directories(node)
    if others and purpose in purposes(node):
        there.append(NEEDED_FOR)
    if not check_mode:
        for one in left:
            node.remove(one)
        if others and NEEDED_FOR in there:
            node.write_file(NEEDED_FOR, "".join(other + "\n" for other in others))
        for one in _empty_directories(node):
            node.remove(one)
    return there


def _empty_directories(node):
    return [path for path in _OWN_DIRECTORIES if node.is_empty_directory(path)]


def _metrics_files(node):
    """The metrics wherever runs have written them, and where the policy would have the next one write them."""
    paths = set(_metrics.written(node))
    try:
        directory = node.read_json(_policy_file.POLICY_FILE).get("textfile_directory")
        if directory and _policy_file.ABSOLUTE.match(directory):
            paths.add(directory.rstrip("/") + "/" + _metrics.FILE_NAME)
    except (NodeError, ValueError, AttributeError):
        pass
    return sorted(paths)
