# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Shapes of JSON values: what ``_contracts`` is written in. A shape checks a value, and says itself as JSON schema.

``check(value)`` returns nothing, or raises ShapeError with the place of what does not hold: ``zones[3].free_blocks[2]``.
It runs for each answer of a fleet, so lists of numbers are looked at as a whole before one by one.
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.kernelops.memfrag.plugins.plugin_utils._shape_values import (
    MOST,
    Bool,
    Int,
    Number,
    OneOf,
    PowerOfTwo,
    Shape,
    ShapeError,
    Text,
    quoted,
)

__all__ = [
    "LONGEST_TEXT",
    "MOST",
    "AnyOf",
    "Anything",
    "Bool",
    "Fields",
    "Int",
    "ListOf",
    "MapOf",
    "Nullable",
    "Number",
    "OneOf",
    "PowerOfTwo",
    "Shape",
    "ShapeError",
    "Text",
]

# A key that the contract does not know may hold anything of JSON within these bounds.
DEEPEST = 8
LONGEST_TEXT = 65536
LONGEST_LIST = 4096


class Nullable(Shape):
    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._check = shape.check

    def check(self, value: t.Any) -> None:
        if value is not None:
            self._check(value)

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return self.shape.all_hold([value for value in values if value is not None])

    def schema(self) -> dict[str, t.Any]:
        schema = self.shape.schema()
        if "enum" in schema:
            return {**schema, "enum": [*schema["enum"], None]}
        if isinstance(schema.get("type"), str):
            return {**schema, "type": [schema["type"], "null"]}
        return {"anyOf": [schema, {"type": "null"}]}


class AnyOf(Shape):
    """One of several shapes; ``what`` names them in errors."""

    def __init__(self, what: str, *shapes: Shape) -> None:
        self.what, self.shapes = what, shapes

    def check(self, value: t.Any) -> None:
        for shape in self.shapes:
            try:
                shape.check(value)
                return
            except ShapeError:
                continue
        raise ShapeError(f"must be {self.what}, not {quoted(value)}")

    def schema(self) -> dict[str, t.Any]:
        return {"anyOf": [shape.schema() for shape in self.shapes]}


class ListOf(Shape):
    def __init__(self, shape: Shape, most: int) -> None:
        self.shape, self.most = shape, most
        self._check = shape.check
        self._all_hold = shape.all_hold

    def check(self, value: t.Any) -> None:
        if value.__class__ is not list:
            raise ShapeError(f"must be a list, not {quoted(value)}")
        if len(value) > self.most:
            raise ShapeError(f"must have at most {self.most} entries, not {len(value)}")
        if self._all_hold(value):
            return
        check, place = self._check, 0
        try:
            for entry in value:
                check(entry)
                place += 1
        except ShapeError as error:
            raise error.inside(place) from None

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return not values or (
            set(map(type, values)) == {list}
            and max(map(len, values)) <= self.most
            and self._all_hold(list(itertools.chain.from_iterable(values)))
        )

    def schema(self) -> dict[str, t.Any]:
        return {"type": "array", "items": self.shape.schema(), "maxItems": self.most}


class MapOf(Shape):
    """A mapping with keys that the contract does not name one by one."""

    def __init__(self, key: Text, shape: Shape, most: int) -> None:
        self.key, self.shape, self.most = key, shape, most
        self._check = shape.check
        self._all_hold = shape.all_hold
        # The same few hundred names come from every node.
        self.seen: set[str] = set()

    def check(self, value: t.Any) -> None:
        if value.__class__ is not dict:
            raise ShapeError(f"must be a mapping, not {quoted(value)}")
        if len(value) > self.most:
            raise ShapeError(f"must have at most {self.most} keys, not {len(value)}")
        if not self.seen.issuperset(value):
            self._check_keys(value)
        if self._all_hold(value.values()):
            return
        check, key = self._check, ""
        try:
            for key, entry in value.items():  # noqa: B007 (the error names it)
                check(entry)
        except ShapeError as error:
            raise error.inside(key) from None

    def _check_keys(self, value: dict[str, t.Any]) -> None:
        for key in value:
            try:
                self.key.check(key)
            except ShapeError as error:
                raise ShapeError(f"has a wrong key: {error.why}") from None
        if len(self.seen) < LONGEST_LIST:
            self.seen.update(value)

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        return not values or (
            set(map(type, values)) == {dict}
            and max(map(len, values)) <= self.most
            and self.seen.issuperset(itertools.chain.from_iterable(values))
            and self._all_hold([entry for value in values for entry in value.values()])
        )

    def schema(self) -> dict[str, t.Any]:
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.shape.schema(),
            "maxProperties": self.most,
        }


class Anything(Shape):
    """JSON of bounded size and depth, for what this version does not know."""

    def __init__(self, deepest: int = DEEPEST) -> None:
        self.deepest = deepest

    def check(self, value: t.Any) -> None:
        self._check(value, self.deepest)

    def _check(self, value: t.Any, left: int) -> None:
        kind = type(value)
        if value is None or kind is bool:
            return
        if kind is int or kind is float:
            _ANY_NUMBER.check(value)
        elif kind is str:
            _ANY_TEXT.check(value)
        elif not left:
            raise ShapeError(f"is nested deeper than {self.deepest} levels")
        elif kind is list or kind is dict:
            if len(value) > LONGEST_LIST:
                raise ShapeError(f"must have at most {LONGEST_LIST} entries, not {len(value)}")
            for key, entry in enumerate(value) if kind is list else value.items():
                try:
                    if kind is dict:
                        _ANY_KEY.check(key)
                    self._check(entry, left - 1)
                except ShapeError as error:
                    raise error.inside(key) from None
        else:
            raise ShapeError(f"must be JSON, not {kind.__name__}")

    def schema(self) -> dict[str, t.Any]:
        return {}


_ANY_NUMBER = Number(-MOST, 2.0**64)
_ANY_TEXT = Text(LONGEST_TEXT)
_ANY_KEY = Text(256)
_ANYTHING = Anything()


class Fields(Shape):
    """A mapping with named keys. Others are let through as Anything: newer modules have more to tell.

    needed    key -> shape, must be there
    optional  key -> shape, may be missing or null
    others    False: keys without a name are not looked at, for readers that do not, either
    """

    # More keys than that have nothing to do with any version of ours.
    MOST_UNKNOWN = 64

    def __init__(self, needed: dict[str, Shape], optional: dict[str, Shape] | None = None, others: bool = True) -> None:
        self.needed, self.optional, self.others = needed, optional or {}, others
        self._checks = {
            **{name: shape.check for name, shape in needed.items()},
            **{name: shape.check for name, shape in self.optional.items()},
        }
        self._needed = frozenset(needed)

    def check(self, value: t.Any) -> None:
        if value.__class__ is not dict:
            raise ShapeError(f"must be a mapping, not {quoted(value)}")
        needed = self._needed
        if not needed <= value.keys():
            raise ShapeError(f"has no {', '.join(sorted(needed - value.keys()))}")
        checks, key = self._checks, ""
        if not self.others:
            self._check_named(value)
            return
        if len(value) > len(checks) + self.MOST_UNKNOWN:
            raise ShapeError(f"has {len(value)} keys")
        try:
            for key, entry in value.items():
                if entry is None and key not in needed:
                    continue
                check = checks.get(key)
                if check is None:
                    _ANY_KEY.check(key)
                    check = _ANYTHING.check
                check(entry)
        except ShapeError as error:
            raise error.inside(key) from None

    def _check_named(self, value: dict[str, t.Any]) -> None:
        needed, key = self._needed, ""
        try:
            for key, check in self._checks.items():
                entry = value.get(key)
                if entry is not None or key in needed:
                    check(entry)
        except ShapeError as error:
            raise error.inside(key) from None

    def all_hold(self, values: t.Collection[t.Any]) -> bool:
        """Column by column: a node has dozens of rows of the same keys."""
        if set(map(type, values)) != {dict}:
            return not values
        if self.others and not self._checks.keys() >= set().union(*values):
            return False
        for key, shape in self.needed.items():
            column = [value.get(key) for value in values]
            if None in column or not shape.all_hold(column):
                return False
        return all(
            shape.all_hold([entry for value in values if (entry := value.get(key)) is not None])
            for key, shape in self.optional.items()
        )

    def schema(self) -> dict[str, t.Any]:
        return {
            "type": "object",
            "required": sorted(self.needed),
            "properties": {
                **{name: shape.schema() for name, shape in self.needed.items()},
                **{name: Nullable(shape).schema() for name, shape in self.optional.items()},
            },
        }
