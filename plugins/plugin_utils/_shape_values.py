# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Shapes of single values, numbers and words, and the error of those that do not hold. Lists and mappings of them are in ``_shapes``."""

from __future__ import annotations

import math
import re
import typing as t

# An integer of the kernel's: what does not fit into 64 bits is no count of anything.
MOST = 2**63 - 1

# So much of an offending value is repeated in an error.
_QUOTED = 60


class ShapeError(ValueError):
    """A value that does not hold what its contract says."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.place = ""

    def inside(self, key: str | int) -> ShapeError:
        """The same error, seen from the value around."""
        step = f"[{key}]" if isinstance(key, int) else quoted(key) if not _PLAIN_KEY.fullmatch(key) else key
        gap = "" if not self.place or self.place.startswith("[") else "."
        self.place = step + gap + self.place
        return self

    def __str__(self) -> str:
        return f"{self.place}: {self.why}" if self.place else self.why


_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.()-]{1,60}")


def quoted(value: t.Any) -> str:
    """At most so much of the value, in ASCII: it may be anybody's text."""
    if isinstance(value, str):
        value = value[: _QUOTED + 1]
    elif isinstance(value, (dict, list)):
        return f"a {'list' if isinstance(value, list) else 'mapping'} of {len(value)}"
    elif isinstance(value, int) and not -MOST <= value <= MOST:
        return f"a number of {value.bit_length()} bits"
    text = ascii(value)
    return text if len(text) <= _QUOTED else text[: _QUOTED - 3] + "..."


class Shape:
    """A kind of value."""

    def check(self, value: t.Any) -> None:
        """Raises ShapeError for a value that is not of this kind."""
        raise NotImplementedError

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        """Whether each of the values is of this kind, where that can be told at once; False may mean either."""
        return not values

    def schema(self) -> dict[str, t.Any]:
        """The same as JSON schema (draft 2020-12)."""
        raise NotImplementedError


class Bool(Shape):
    def check(self, value: t.Any) -> None:
        if value is not True and value is not False:
            raise ShapeError(f"must be true or false, not {quoted(value)}")

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return set(map(type, values)) <= {bool}

    def schema(self) -> dict[str, t.Any]:
        return {"type": "boolean"}


class Int(Shape):
    def __init__(self, lowest: int = 0, highest: int = MOST) -> None:
        self.lowest, self.highest = lowest, highest

    def check(self, value: t.Any) -> None:
        if value.__class__ is not int:
            raise ShapeError(f"must be a whole number, not {quoted(value)}")
        if not self.lowest <= value <= self.highest:
            raise ShapeError(f"must be from {self.lowest} to {self.highest}, not {quoted(value)}")

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return not values or (
            set(map(type, values)) == {int} and min(values) >= self.lowest and max(values) <= self.highest
        )

    def schema(self) -> dict[str, t.Any]:
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}


class PowerOfTwo(Int):
    def check(self, value: t.Any) -> None:
        super().check(value)
        if value & (value - 1):
            raise ShapeError(f"must be a power of two, not {value}")

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return False

    def schema(self) -> dict[str, t.Any]:
        return {"enum": [1 << bit for bit in range(64) if self.lowest <= 1 << bit <= self.highest]}


class Number(Shape):
    """A whole number or a fraction; neither infinite nor not a number."""

    def __init__(self, lowest: float = 0, highest: float = MOST) -> None:
        self.lowest, self.highest = lowest, highest

    def check(self, value: t.Any) -> None:
        # An int may be too large for isfinite(), which makes a float of it.
        if value.__class__ not in (int, float) or (value.__class__ is float and not math.isfinite(value)):
            raise ShapeError(f"must be a number, not {quoted(value)}")
        if not self.lowest <= value <= self.highest:
            raise ShapeError(f"must be from {self.lowest} to {self.highest}, not {quoted(value)}")

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return not values or (
            set(map(type, values)) <= {int, float}
            and min(values) >= self.lowest
            and max(values) <= self.highest
            # Last: what is too large for it has been found by now. "Not a number" is neither least nor most.
            and all(map(math.isfinite, values))
        )

    def schema(self) -> dict[str, t.Any]:
        return {"type": "number", "minimum": self.lowest, "maximum": self.highest}


class Text(Shape):
    """``like``: a regular expression that the whole text matches; ``what`` names it in errors."""

    def __init__(self, longest: int, like: str = "", what: str = "") -> None:
        self.longest, self.like, self.what = longest, like, what
        self.matches = re.compile(like).fullmatch if like else None

    def check(self, value: t.Any) -> None:
        if value.__class__ is not str:
            raise ShapeError(f"must be text, not {quoted(value)}")
        if len(value) > self.longest:
            raise ShapeError(f"must have at most {self.longest} characters, not {len(value)}")
        if self.matches and not self.matches(value):
            raise ShapeError(f"must be {self.what}, not {quoted(value)}")

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return not values or (
            not self.matches and set(map(type, values)) == {str} and max(map(len, values)) <= self.longest
        )

    def schema(self) -> dict[str, t.Any]:
        schema: dict[str, t.Any] = {"type": "string", "maxLength": self.longest}
        if self.like:
            schema["pattern"] = f"^(?:{self.like})$"
        return schema


class OneOf(Shape):
    def __init__(self, *words: str) -> None:
        self.words = words
        self._known = frozenset(words)

    def check(self, value: t.Any) -> None:
        if value.__class__ is not str or value not in self._known:
            raise ShapeError(f"must be one of {', '.join(self.words)}, not {quoted(value)}")

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return set(map(type, values)) <= {str} and self._known.issuperset(values)

    def schema(self) -> dict[str, t.Any]:
        return {"enum": list(self.words)}
