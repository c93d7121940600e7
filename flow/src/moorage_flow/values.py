"""Values as Java has them: wrapping integers, 32-bit floats, null, and how each is written as text.

Source: The Java Language Specification, Java SE 8, 4.2 (types), 15.17 and 15.18 (arithmetic).
"""

from __future__ import annotations

import math
import struct
from typing import Any

from .language.syntax import Type

_FLOAT = struct.Struct("<f")

NUMERIC = (Type.INT, Type.LONG, Type.FLOAT, Type.DOUBLE)


def to_float32(value: float) -> float:
    """Round to the nearest 32-bit float; beyond its range, to infinity."""
    try:
        rounded: float = _FLOAT.unpack(_FLOAT.pack(value))[0]
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return rounded


def to_int32(value: int) -> int:
    """Wrap into a signed 32-bit integer."""
    return ((value + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


def to_int64(value: int) -> int:
    """Wrap into a signed 64-bit integer."""
    return ((value + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


def _truncate(value: Any, low: int, high: int) -> int:
    """Narrow as Java's casts do: floats saturate, NaN is 0."""
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        return low if value <= low else high if value >= high else int(value)
    return int(value)


def to_type(value: Any, kind: Type) -> Any:
    """Convert a number to `kind` as a Java cast does; anything else, and null, stays as it is."""
    if value is None or isinstance(value, bool):
        return value
    if kind is Type.INT:
        return to_int32(_truncate(value, -(1 << 31), (1 << 31) - 1))
    if kind is Type.LONG:
        return to_int64(_truncate(value, -(1 << 63), (1 << 63) - 1))
    if kind is Type.FLOAT:
        return to_float32(float(value))
    return float(value) if kind is Type.DOUBLE else value


def wider(left: Type, right: Type) -> Type:
    """Give the type of an arithmetic operation on two numbers."""
    for kind in (Type.DOUBLE, Type.FLOAT, Type.LONG):
        if kind in {left, right}:
            return kind
    return Type.INT


def divide(left: int, right: int) -> int:
    """Divide integers towards zero; `right` is not 0."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def remainder(left: int, right: int) -> int:
    """Give the remainder with the sign of `left`; `right` is not 0."""
    return left - right * divide(left, right)


def shortest_float32(value: float) -> float:
    """Give the float whose shortest text is the shortest one for this 32-bit float."""
    if math.isnan(value) or math.isinf(value) or value == 0:
        return value
    for digits in range(1, 10):
        text = float(f"{value:.{digits}g}")
        if to_float32(text) == value:
            return text
    return value


def text(value: Any, kind: Type | None = None) -> str:
    """Write a value as Java's String.valueOf does."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(shortest_float32(value) if kind is Type.FLOAT else value)
    return str(value)


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = repr(value)
        return format(value, "f") if "e" in plain else plain
    mantissa, _, exponent = (
        f"{value!r}".partition("e") if "e" in repr(value) else _scientific(value)
    )
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _scientific(value: float) -> tuple[str, str, str]:
    for digits in range(17):
        written = f"{value:.{digits}e}"
        if float(written) == value:
            mantissa, _, exponent = written.partition("e")
            return mantissa, "e", exponent
    return repr(value), "e", "0"


class Int(int):
    """An int where the attribute's type does not say so."""


class Long(int):
    """A long where the attribute's type does not say so."""


class Float(float):
    """A float where the attribute's type does not say so."""


class Double(float):
    """A double where the attribute's type does not say so."""


_TYPED: dict[Type, type] = {Type.INT: Int, Type.LONG: Long, Type.FLOAT: Float, Type.DOUBLE: Double}


def typed(value: Any, kind: Type) -> Any:
    """Let a number carry its type, for `object` attributes and values that are not of the declared
    type.
    """
    return _TYPED[kind](value)


def own_type(value: Any) -> Type | None:
    """Give the type a number carries; None where it carries none."""
    return next((kind for kind, cls in _TYPED.items() if type(value) is cls), None)


def type_of(value: Any) -> Type:
    """Give the type of a value that its attribute's type does not tell."""
    if (own := own_type(value)) is not None:
        return own
    if isinstance(value, bool):
        return Type.BOOL
    if isinstance(value, int):
        return Type.INT if -(1 << 31) <= value < 1 << 31 else Type.LONG
    if isinstance(value, float):
        return Type.DOUBLE
    return Type.STRING if isinstance(value, str) else Type.OBJECT
