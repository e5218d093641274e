# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Checks options against a table that says what each may be. Pure functions.

An entry of such a table is a dict:

    type      "int", "float", "bool", "str" or "list"
    elements  of a list, the type of what is in it
    default   the value of an option that is not given
    min, max  of a number, both included; None for no limit
    unit      what follows the limits in a message, such as " kB"
    words     what may stand in place of a number, such as ("leave", "auto")
    choices   the texts that are allowed
    pattern   the expression that a text has to match, and
    form      how a message describes it
    may_be_none  whether None is a value of its own, which switches the option off
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import re

# Python 2 has two types of text.
TEXT_TYPES = (str, type(b"".decode("ascii")))

# Through Jinja a number may arrive as text. Eighteen digits are more than any option has, and cost nothing to convert.
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?\Z")


class OptionError(ValueError):
    """An option that is unknown or out of range; the message names it and what is allowed."""


def shown(value):
    """A wrong value as its author wrote it, or nearly so."""
    return json.dumps(value, default=str)


def known(name, names):
    """Refuses a name that is not one of ``names``."""
    if name not in names:
        raise OptionError("%s: no such option; there are %s" % (name, ", ".join(sorted(names))))


def complete(options, table):
    """-> every option of the table: as given, checked, or its default. None counts as not given, unless it may be None."""
    for name in options:
        known(name, table)
    return {name: _completed(name, options.get(name, about["default"]), about) for name, about in table.items()}


def _completed(name, value, about):
    if value is None and not about.get("may_be_none"):
        value = about["default"]
    return None if value is None else check(name, value, about)


def check(name, value, about):
    """-> the value in the type that the table asks for. Raises OptionError."""
    return _CHECKS[about["type"]](name, value, about)


def check_all(checks):
    """Runs ``{key: function without arguments}`` to the end. -> {key: what it gave}; raises one OptionError with all that is wrong."""
    done, wrong = {}, []
    for key in sorted(checks):
        try:
            done[key] = checks[key]()
        except OptionError as error:
            wrong.append(str(error))
    if wrong:
        raise OptionError("; ".join(wrong))
    return done


def _check_list(name, value, about):
    if not isinstance(value, (list, tuple)):
        raise OptionError("%s: %s is not a list" % (name, shown(value)))
    return [check(name, item, dict(about, type=about["elements"])) for item in value]


def _check_bool(name, value, dummy_about):
    if not isinstance(value, bool):
        raise OptionError("%s: %s is neither true nor false" % (name, shown(value)))
    return value


def _check_number(name, value, about):
    words = about.get("words", ())
    text = "%s" % (value,)
    # A boolean is no number, although Python would take it for one; its text is none.
    if text in words and not isinstance(value, bool):
        return text
    number = float(text) if _NUMBER.match(text) else None
    whole = about["type"] == "int"
    if number is None or whole and number != int(number):
        raise OptionError("%s: %s is not %s" % (name, shown(value), _allowed_numbers(about, "allowed: ")))
    if number < about["min"] or about["max"] is not None and number > about["max"]:
        raise OptionError("%s: %s is %s" % (name, shown(value), _allowed_numbers(about, "out of range: ", "not ")))
    return int(number) if whole else number


def _allowed_numbers(about, wrong, otherwise=""):
    """ "a number from 0 to 100", or where words are allowed as well "out of range: leave, auto or a whole number from 1 to 3000" """
    words = ", ".join(about.get("words", ()))
    what = "a whole number" if about["type"] == "int" else "a number"
    limits = "of at least %s" % about["min"] if about["max"] is None else "from %s to %s" % (about["min"], about["max"])
    return "%s%s %s%s" % (wrong + words + " or " if words else otherwise, what, limits, about.get("unit", ""))


def _check_text(name, value, about):
    text = value if isinstance(value, TEXT_TYPES) else None
    if "choices" in about and text not in about["choices"]:
        raise OptionError("%s: %s is not one of %s" % (name, shown(value), ", ".join(about["choices"])))
    if "pattern" in about and not (text is not None and re.match(about["pattern"], text)):
        raise OptionError("%s: %s is not of the form %s" % (name, shown(value), about["form"]))
    return text


_CHECKS = {
    "list": _check_list,
    "bool": _check_bool,
    "int": _check_number,
    "float": _check_number,
    "str": _check_text,
}
