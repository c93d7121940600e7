"""Expressions.

Source: Siddhi 5.1 query guide, https://siddhi.io/en/v5.1/docs/query-guide/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .basics import NOWHERE, Place, Type


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; `time` when it was written with units (`5 sec`, in milliseconds)."""

    value: Any
    type: Type
    time: bool = False
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Variable:
    """`attribute`, `stream.attribute`, `e[index].attribute`, `#inner.attribute`."""

    attribute: str
    stream: str | None = None
    index: int | None = None
    function: str | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left op right`, op one of `+ - * / %`."""

    op: str
    left: Expression
    right: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`, op one of `== != < <= > >=`."""

    op: str
    left: Expression
    right: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class And:
    """Both hold."""

    left: Expression
    right: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Or:
    """One of the two holds."""

    left: Expression
    right: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Not:
    """The operand does not hold."""

    operand: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class IsNull:
    """The operand has no value."""

    operand: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class IsNullStream:
    """The event of a pattern or join, or the bare attribute of this name, is missing."""

    stream: str
    index: int | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class InTable:
    """Some row of `table` meets `condition`."""

    condition: Expression
    table: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Call:
    """`namespace:name(arguments)`; `star` for `name(*)`."""

    name: str
    arguments: tuple[Expression, ...] = ()
    namespace: str | None = None
    star: bool = False
    place: Place = NOWHERE


Expression = (
    Constant
    | Variable
    | Arithmetic
    | Compare
    | And
    | Or
    | Not
    | IsNull
    | IsNullStream
    | InTable
    | Call
)
