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
        self.names: dict[str, t.Any] = {"missing": object()}

    def bind(self, value: t.Any) -> str:
        name = f"_{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, shape: Shape) -> str:
        """-> name of the function for a shape"""
        name = self.bind(None)
        body = [f"def {name}(v):", *_BODIES.get(shape.__class__, _body)(self, shape), "    return True"]
        self.lines += body
        return name

    def expression(self, shape: Shape, value: str) -> str:
        """-> what is true where the value of that name holds"""
        make = _EXPRESSIONS.get(shape.__class__)
        return make(self, shape, value) if make else f"{self.function(shape)}({value})"


def _body(code: _Code, shape: Shape) -> list[str]:
    make = _EXPRESSIONS.get(shape.__class__)
    return [f"    if not ({make(code, shape, 'v') if make else _asked(code, shape, 'v')}): return False"]


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
# Of these many are looked at as a whole.
_AT_ONCE = (_shapes.Bool, _shapes.Int, _shapes.OneOf)


def _each(code: _Code, shape: Shape, values: str) -> list[str]:
    if shape.__class__ in _AT_ONCE:
        return [f"    if not {code.bind(shape.all_hold)}({values}): return False"]
    return [f"    for each in {values}:", f"        if not ({code.expression(shape, 'each')}): return False"]


def _list(code: _Code, shape: t.Any) -> list[str]:
    return [
        f"    if v.__class__ is not list or len(v) > {shape.most}: return False",
        *_each(code, shape.shape, "v"),
    ]


def _map(code: _Code, shape: t.Any) -> list[str]:
    """Keys that are new to the shape are its own affair."""
    return [
        f"    if v.__class__ is not dict or len(v) > {shape.most} or not {code.bind(shape.seen)}.issuperset(v): return False",
        *_each(code, shape.shape, "v.values()"),
    ]


def _fields(code: _Code, shape: t.Any) -> list[str]:
    lines = ["    if v.__class__ is not dict: return False"]
    if shape.others:
        lines.append(f"    if not {code.bind({**shape.needed, **shape.optional}.keys())} >= v.keys(): return False")
    lines.append("    get = v.get")
    for key, each in shape.needed.items():
        lines += [f"    x = get({key!r}, missing)", f"    if not ({code.expression(each, 'x')}): return False"]
    for key, each in shape.optional.items():
        lines += [
            f"    x = get({key!r})",
            f"    if x is not None and not ({code.expression(each, 'x')}): return False",
        ]
    return lines


# Shape -> the lines of a function, for what takes more than an expression.
_BODIES: dict[type[Shape], Callable[[_Code, t.Any], list[str]]] = {
    _shapes.ListOf: _list,
    _shapes.MapOf: _map,
    _shapes.Fields: _fields,
}
