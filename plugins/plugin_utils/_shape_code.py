# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Shapes of ``_shapes`` as Python code without a call per value, for who looks at the records of 10,000 nodes.

The code only tells whether a value surely holds. Where it does not, the shape itself looks, and says what is wrong.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable

from ansible_collections.kernelops.memfrag.plugins.plugin_utils import _shapes
from ansible_collections.kernelops.memfrag.plugins.plugin_utils._shapes import Shape, ShapeError


@functools.cache
def compiled(shape: Shape) -> Callable[[t.Any], None]:
    """-> ``shape.check``, the same and sooner. It takes some milliseconds to make."""
    holds, check = surely(shape), shape.check

    def look(value: t.Any) -> None:
        if not holds(value):
            check(value)

    return look


def surely(shape: Shape) -> Callable[[t.Any], bool]:
    """-> a function that is true of values that hold, and of most of them that come from this version's own modules."""
    code = _Code()
    name = code.function(shape)
    exec(compile("\n".join(code.lines), "<shapes>", "exec"), code.names)
    return t.cast("Callable[[t.Any], bool]", code.names[name])


class _Code:
    """Functions in ``lines`` that return whether a value holds, with the objects in ``names`` that they speak of."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        # A key that is missing is not null.
        self.names: dict[str, t.Any] = {"missing": object(), "whole": {int}, "words": {str}}
        self._locals = 0

    def bind(self, value: t.Any) -> str:
        name = f"_{len(self.names)}"
        self.names[name] = value
        return name

    def local(self) -> str:
        """-> a variable that no other part of the function has"""
        self._locals += 1
        return f"v{self._locals}"

    def function(self, shape: Shape) -> str:
        """-> name of the function for a shape"""
        name = self.bind(None)
        self.lines += [f"def {name}(v):", *self.statements(shape, "v", "    "), "    return True"]
        return name

    def statements(self, shape: Shape, value: str, margin: str) -> list[str]:
        """-> lines that return False where the value of that name does not hold"""
        make = _STATEMENTS.get(shape.__class__)
        return make(self, shape, value, margin) if make else _unless(self.expression(shape, value), margin)

    def expression(self, shape: Shape, value: str) -> str:
        """-> what is true where the value of that name holds"""
        make = _EXPRESSIONS.get(shape.__class__)
        if make:
            return make(self, shape, value)
        return f"{self.function(shape)}({value})" if shape.__class__ in _STATEMENTS else _asked(self, shape, value)


def _unless(expression: str, margin: str) -> list[str]:
    return [f"{margin}if not ({expression}): return False"]


def _asked(code: _Code, shape: Shape, value: str) -> str:
    """By the shape itself."""

    def holds(value: t.Any) -> bool:
        try:
            shape.check(value)
        except ShapeError:
            return False
        return True

    return f"{code.bind(holds)}({value})"


def _int(_code: _Code, shape: t.Any, value: str) -> str:
    return f"{value}.__class__ is int and {shape.lowest} <= {value} <= {shape.highest}"


def _number(_code: _Code, shape: t.Any, value: str) -> str:
    return (
        f"({value}.__class__ is int or {value}.__class__ is float) and {shape.lowest!r} <= {value} <= {shape.highest!r}"
    )


def _text(code: _Code, shape: t.Any, value: str) -> str:
    like = f" and {code.bind(shape.matches)}({value})" if shape.matches else ""
    return f"{value}.__class__ is str and len({value}) <= {shape.longest}{like}"


def _nullable(code: _Code, shape: t.Any, value: str) -> str:
    return f"({value} is None or {code.expression(shape.shape, value)})"


def _any(code: _Code, shape: t.Any, value: str) -> str:
    return "(" + " or ".join(f"({code.expression(each, value)})" for each in shape.shapes) + ")"


# Shape -> an expression that is true where a value holds.
_EXPRESSIONS: dict[type[Shape], Callable[[_Code, t.Any, str], str]] = {
    _shapes.Bool: lambda code, shape, value: f"({value} is True or {value} is False)",
    _shapes.Int: _int,
    _shapes.PowerOfTwo: lambda code, shape, value: f"{_int(code, shape, value)} and not {value} & ({value} - 1)",
    _shapes.Number: _number,
    _shapes.Text: _text,
    _shapes.OneOf: lambda code, shape, value: (
        f"{value}.__class__ is str and {value} in {code.bind(frozenset(shape.words))}"
    ),
    _shapes.Nullable: _nullable,
    _shapes.AnyOf: _any,
}


def _ints(_code: _Code, shape: t.Any, values: str) -> str:
    return (
        f"not {values} or set(map(type, {values})) == whole"
        f" and min({values}) >= {shape.lowest} and max({values}) <= {shape.highest}"
    )


def _one_of(code: _Code, shape: t.Any, values: str) -> str:
    return f"set(map(type, {values})) <= words and {code.bind(frozenset(shape.words))}.issuperset({values})"


# Of these many are looked at as a whole: shape -> an expression that is true where each of the values holds.
_AT_ONCE: dict[type[Shape], Callable[[_Code, t.Any, str], str]] = {
    _shapes.Bool: lambda code, shape, values: f"{code.bind(shape.all_hold)}({values})",
    _shapes.Int: _ints,
    _shapes.OneOf: _one_of,
}


def _each(code: _Code, shape: Shape, values: str, margin: str) -> list[str]:
    at_once = _AT_ONCE.get(shape.__class__)
    if at_once:
        return _unless(at_once(code, shape, values), margin)
    each = code.local()
    return [f"{margin}for {each} in {values}:", *code.statements(shape, each, margin + "    ")]


def _list(code: _Code, shape: t.Any, value: str, margin: str) -> list[str]:
    return [
        *_unless(f"{value}.__class__ is list and len({value}) <= {shape.most}", margin),
        *_each(code, shape.shape, value, margin),
    ]


def _map(code: _Code, shape: t.Any, value: str, margin: str) -> list[str]:
    """Keys that are new to the shape are its own affair."""
    known = f"{code.bind(shape.seen)}.issuperset({value})"
    entries = code.local()
    return [
        *_unless(f"{value}.__class__ is dict and len({value}) <= {shape.most} and {known}", margin),
        f"{margin}{entries} = {value}.values()",
        *_each(code, shape.shape, entries, margin),
    ]


def _fields(code: _Code, shape: t.Any, value: str, margin: str) -> list[str]:
    lines = _unless(f"{value}.__class__ is dict", margin)
    if shape.others:
        lines += _unless(f"{code.bind({**shape.needed, **shape.optional}.keys())} >= {value}.keys()", margin)
    get = code.local()
    lines.append(f"{margin}{get} = {value}.get")
    for key, each in shape.needed.items():
        entry = code.local()
        lines += [f"{margin}{entry} = {get}({key!r}, missing)", *code.statements(each, entry, margin)]
    for key, each in shape.optional.items():
        entry = code.local()
        lines += [
            f"{margin}{entry} = {get}({key!r})",
            f"{margin}if {entry} is not None:",
            *code.statements(each, entry, margin + "    "),
        ]
    return lines


# Shape -> lines of a function, for what takes more than an expression.
_STATEMENTS: dict[type[Shape], Callable[[_Code, t.Any, str, str], list[str]]] = {
    _shapes.ListOf: _list,
    _shapes.MapOf: _map,
    _shapes.Fields: _fields,
}
