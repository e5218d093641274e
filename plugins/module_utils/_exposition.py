# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The text exposition format of Prometheus, version 0.0.4, written for the node's metrics and the fleet's.

A collector refuses a whole file for one line that is amiss, or for a series that is there twice: what is given here keeps to
the format, or is refused with the name that is wrong before anything is written.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import math
import re

# Those of other types have series of several names.
KINDS = ("counter", "gauge", "untyped")

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*\Z")


class Exposition:
    """Families of metrics in the order in which they were named first."""

    def __init__(self):
        self._families = []
        self._by_name = {}

    def family(self, name, kind, words):
        """-> the Family of a name. Asked for again, it is the same one: the samples of a name stand together.

        kind     one of KINDS
        words    what it measures, with the unit, a sentence
        """
        known = self._by_name.get(name)
        if known is None:
            known = self._by_name[name] = Family(name, kind, words)
            self._families.append(known)
        elif known.kind != kind:
            raise ValueError("metric %s: it is a %s already and cannot be a %s" % (name, known.kind, kind))
        return known

    def text(self):
        return "".join(line + "\n" for family in self._families for line in family.lines())


class Family:
    """All series of one name."""

    def __init__(self, name, kind, words):
        if not _NAME.match(name):
            raise ValueError("metric %r: not a name of Prometheus'" % (name,))
        if kind not in KINDS:
            raise ValueError("metric %s: the type %r is none of %s" % (name, kind, ", ".join(KINDS)))
        self.name, self.kind, self.words = name, kind, words
        self._samples = []
        self._there = set()

    def sample(self, labels, value):
        """A series and its value; of the same labels twice the first counts.

        labels    pairs of name and text, in the order in which they are to be written, or a dict
        value     a number; a boolean is 1 or 0
        """
        pairs = [(label, _text(text)) for label, text in (labels.items() if hasattr(labels, "items") else labels)]
        for label, _value in pairs:
            if not _LABEL.match(label):
                raise ValueError("metric %s: the label %r is not a name of Prometheus'" % (self.name, label))
        key = tuple(sorted(pairs))
        if len(dict(pairs)) != len(pairs):
            raise ValueError(
                "metric %s: a label is there twice in %s" % (self.name, ", ".join(name for name, _value in key))
            )
        if key in self._there:
            return
        inside = ",".join('%s="%s"' % (label, _escaped(text).replace('"', '\\"')) for label, text in pairs)
        self._there.add(key)
        self._samples.append("%s%s %s" % (self.name, "{%s}" % inside if inside else "", number(value)))

    def lines(self):
        """Without a sample, the two lines that say what it would be: whoever wants none of them names no family."""
        return [
            "# HELP %s %s" % (self.name, _escaped(_text(self.words))),
            "# TYPE %s %s" % (self.name, self.kind),
        ] + self._samples


def number(value):
    """3, 0.25, +Inf, NaN: as Go's ParseFloat takes it. ValueError for what is no number."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "+Inf" if value > 0 else "-Inf"
        # Python 2 has 12 digits in str(); an integer of its long type has an L in repr().
        return repr(value)
    try:
        return "%d" % value
    except TypeError:
        raise ValueError("%r is no number" % (value,))


def _text(value):
    """Any value as text that UTF-8 can hold: the format knows no other encoding."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    text = value if hasattr(value, "splitlines") else "%s" % (value,)
    return text.encode("utf-8", "replace").decode("utf-8")


def _escaped(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n")
