# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The policy that an administrator has put on a node: what the compaction job is to see to, and how the assessment judges."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import json
import re

from ._compaction.target import OPTIONS, complete
from ._node import NodeError
from ._node_trust import TrustingNode
from ._options import TEXT_TYPES, OptionError

# Of signs that one sees, and that any Python can make bytes of.
ABSOLUTE = re.compile(b"/[^\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]*".decode("unicode_escape") + r"\Z")

POLICY_FILE = "/etc/memfrag/policy.json"


class PolicyFileError(Exception):
    """A policy that makes no sense, or is not to be obeyed. The message names the file."""


def load(node, path=None, typed=None):
    """-> {"target": options of the job, complete, "textfile": directory or None, "assessment": keys of the assessment's policy}

    path    a file here, in place of POLICY_FILE on the node; NodeError where it cannot be read
    typed   {option of the target: value} of the command line, which go before those of the file
    """
    typed, named = typed or {}, path is not None
    path = path or POLICY_FILE
    options = {}
    try:
        # A file that is named lies here, the usual one on the node. Root obeys only what root has written.
        options = (TrustingNode() if named else node).read_json(path)
        if not isinstance(options, dict):
            raise ValueError("it is not an object")
    except NodeError as error:
        if error.errno == errno.EPERM:
            raise PolicyFileError(str(error))
        if named or not error.missing:
            raise
    except ValueError as error:
        raise PolicyFileError("%s: this is not a policy: %s" % (path, error))
    textfile, assessment = options.pop("textfile_directory", None), options.pop("assessment", None)
    if textfile is not None and not (isinstance(textfile, TEXT_TYPES) and ABSOLUTE.match(textfile)):
        raise PolicyFileError("%s: textfile_directory: %s is not an absolute path" % (path, json.dumps(textfile)))
    if assessment is not None and not isinstance(assessment, dict):
        raise PolicyFileError("%s: assessment: %s is not an object" % (path, json.dumps(assessment)))
    if assessment:
        _check_assessment(assessment, path)
    options.update(typed)
    try:
        return {"target": complete(options), "textfile": textfile, "assessment": assessment or {}}
    except OptionError as error:
        # Whoever typed an option knows where it is; who did not is told the file.
        name = str(error).partition(":")[0]
        raise PolicyFileError(
            str(error) if name in typed or name not in OPTIONS and typed else "%s: %s" % (path, error)
        )


def _check_assessment(assessment, path):
    # Most policies have none.
    from ._assessment.policy import PolicyError
    from ._assessment.policy import complete as complete_assessment

    try:
        complete_assessment(assessment)
    except PolicyError as error:
        raise PolicyFileError("%s: assessment: %s" % (path, error))
