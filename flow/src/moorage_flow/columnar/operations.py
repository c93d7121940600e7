"""Operations on columns: the same values, types and nulls as the reference gives row by row.

Source: The Java Language Specification, Java SE 8, 4.2 (types), 5.1 (conversions), 15.17 and 15.18
(arithmetic).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..language.syntax import Type
from ..values import NUMERIC
from .batch import DTYPES, Column, Nulls, Unfit, Values, absent, objects_of
from .vector import EXACT, WHOLE, Cells, Run, Vector, View

OUT = -1
"""The frame of the selected columns."""


def rowwise(get: Callable[[Any], Any], kind: Type, view: View) -> Column:
    """Work an expression out for each row."""
    return Column(kind, objects=objects_of((get(event) for event in view.rows()), len(view)))


def judged(keeps: Callable[[Any], Any] | None, shown: list[Column], view: View) -> Values:
    """Ask of each row, by what is selected of it, whether it is kept; give a mask."""
    assert keeps is not None
    held = np.zeros(len(view), np.bool_)
    rows = zip(*(column.to_list() for column in shown), strict=True)
    for at, (event, row) in enumerate(zip(view.rows(), rows, strict=True)):
        told = event.copy()
        told.out = list(row)
        held[at] = keeps(told) is True
    return held


def constant(value: Any, kind: Type) -> Vector:
    """Make a vector of one value."""
    return Vector(kind, lambda view: filled(value, kind, view), constant=True, value=value)


def filled(value: Any, kind: Type, view: View) -> Column:
    """Give a column of one value."""
    return Column(kind, np.full(len(view), value, DTYPES[kind]))


def reader(frame: int, place: int) -> Run:
    """Give what reads an attribute."""
    if frame == OUT:
        return lambda view: view.out[place]
    return lambda view: view.frames[frame][place]


def mask(vector: Vector) -> Callable[[View], Values]:
    """Give what works a condition out; null counts as false."""

    def mask(view: View) -> Values:
        values, nulls = vector.run(view).cells()
        held: Values = values if nulls is None else values & ~nulls
        return held

    return mask


def _cells(vector: Vector) -> Callable[[View], Cells]:
    """Give typed cells; a constant as one value, which numpy spreads."""
    if vector.constant:
        value = vector.value
        fixed: Any = value if vector.kind is Type.STRING else DTYPES[vector.kind](value)
        return lambda _view: (fixed, None)
    run = vector.run
    return lambda view: run(view).cells()


def _either(left: Nulls, right: Nulls) -> Nulls:
    if left is None or right is None:
        return right if left is None else left
    return left | right


def both(kind: Type, left: Vector, right: Vector, compute: Callable[[Any, Any], Cells]) -> Vector:
    """Make an operation of two vectors; null where one of them is."""
    get_left, get_right = _cells(left), _cells(right)
    fixed = left.constant and right.constant

    def run(view: View) -> Column:
        a, a_nulls = get_left(view)
        b, b_nulls = get_right(view)
        if fixed:
            a = np.full(len(view), a)
        with np.errstate(all="ignore"):
            values, nulls = compute(a, b)
        return Column(kind, values, _either(nulls, _either(a_nulls, b_nulls)))

    return Vector(kind, run)


def _float32(values: Any) -> Any:
    return np.asarray(values, np.float64).astype(np.float32).astype(np.float64)


def narrowed(values: Any, kind: Type) -> Values:
    """Wrap or round what an operation gave into its type."""
    if kind is Type.INT:
        return np.asarray(values).astype(np.int32).astype(np.int64)
    if kind is Type.FLOAT:
        return np.asarray(_float32(values))
    return np.asarray(values, DTYPES[kind])


def arithmetic(op: str, kind: Type) -> Callable[[Any, Any], Cells]:
    """Give an operation on numbers; a division by zero gives null."""
    whole = kind in WHOLE

    def operands(a: Any, b: Any) -> tuple[Any, Any]:
        if whole:
            return a, b
        if kind is Type.FLOAT:
            return _float32(a), _float32(b)
        return np.asarray(a, np.float64), np.asarray(b, np.float64)

    plain = {"+": np.add, "-": np.subtract, "*": np.multiply}.get(op)
    if plain is not None:

        def computed(a: Any, b: Any) -> Cells:
            return narrowed(plain(*operands(a, b)), kind), None

        return computed

    def divided(a: Any, b: Any) -> Cells:
        a, b = operands(a, b)
        zero = np.broadcast_to(b == 0, np.broadcast_shapes(np.shape(a), np.shape(b)))
        divisor = np.where(b == 0, np.asarray(1, np.asarray(b).dtype), b)
        if not whole:
            values = np.divide(a, divisor) if op == "/" else np.fmod(a, divisor)
        else:
            rest = np.fmod(a, divisor)
            values = rest if op == "%" else (a - rest) // divisor
        return narrowed(values, kind), zero if zero.any() else None

    return divided


_COMPARE: dict[str, Any] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def comparison(op: str, left: Vector, right: Vector) -> Vector:
    """Make a comparison; with null only `!=` holds."""
    if left.constant and not right.constant:
        return comparison(_FLIPPED[op], right, left)
    test = _COMPARE[op]
    kinds = {left.kind, right.kind}
    narrow = Type.FLOAT in kinds and Type.DOUBLE not in kinds and kinds & set(WHOLE)
    mixed = not narrow and kinds & set(WHOLE) and kinds & {Type.FLOAT, Type.DOUBLE}
    get_left, get_right = _cells(left), _cells(right)
    text = left.kind is Type.STRING and right.constant and left.place is not None
    if right.constant and not (left.constant or text or narrow or mixed):
        return _against(test, left, right, unequal=op == "!=")

    def run(view: View) -> Column:
        if text:
            column = left.run(view)
            if column.codes is not None:
                assert column.words is not None
                held = np.asarray(test(column.words, right.value), np.bool_)
                missing = absent(column.words)
                held = held | missing if op == "!=" else held & ~missing
                return Column(Type.BOOL, held[column.codes])
        a, a_nulls = get_left(view)
        b, b_nulls = get_right(view)
        if narrow:
            a, b = _float32(a), _float32(b)
        elif mixed and (_inexact(a) or _inexact(b)):
            a, b = np.asarray(a, np.object_), np.asarray(b, np.object_)
        with np.errstate(all="ignore"):
            found = np.asarray(test(a, b), np.bool_)
        if found.ndim == 0:
            found = np.full(len(view), found)
        nulls = _either(a_nulls, b_nulls)
        if nulls is not None:
            # Nothing is different from every value, and from nothing.
            found = found | nulls if op == "!=" else found & ~nulls
        return Column(Type.BOOL, found)

    return Vector(Type.BOOL, run)


def _against(test: Any, left: Vector, right: Vector, *, unequal: bool) -> Vector:
    """Make a comparison with a constant of the same kind."""
    get = left.run
    value = right.value if right.kind is Type.STRING else DTYPES[right.kind](right.value)

    def run(view: View) -> Column:
        values, nulls = get(view).cells()
        found = np.asarray(test(values, value), np.bool_)
        if nulls is not None:
            found = found | nulls if unequal else found & ~nulls
        return Column(Type.BOOL, found)

    return Vector(Type.BOOL, run)


def _inexact(values: Any) -> bool:
    array = np.asarray(values)
    return array.dtype.kind == "i" and bool(((array > EXACT) | (array < -EXACT)).any())


def is_null(vector: Vector) -> Vector:
    """Make the test whether there is a value."""
    run = vector.run

    def missing(view: View) -> Column:
        nulls = run(view).cells()[1]
        return Column(Type.BOOL, np.zeros(len(view), np.bool_) if nulls is None else nulls.copy())

    return Vector(Type.BOOL, missing)


def _spread(cells: Cells, kind: Type, count: int) -> tuple[Values, Values]:
    values, nulls = cells
    if np.ndim(values) == 0:
        values = np.full(count, values, DTYPES[kind])
    return values, np.zeros(count, np.bool_) if nulls is None else nulls


def choice(condition: Vector, then: Vector, other: Vector) -> Vector:
    """Make `ifThenElse`."""
    holds, get_then, get_other = mask(condition), _cells(then), _cells(other)
    kind = then.kind

    def run(view: View) -> Column:
        held = holds(view)
        a, a_nulls = _spread(get_then(view), kind, len(view))
        b, b_nulls = _spread(get_other(view), kind, len(view))
        nulls = np.where(held, a_nulls, b_nulls)
        return Column(kind, np.where(held, a, b), nulls if nulls.any() else None)

    return Vector(kind, run)


def coalesced(arguments: list[Vector]) -> Vector:
    """Make the first value there is."""
    kind = arguments[0].kind
    getters = [_cells(a) for a in arguments]

    def run(view: View) -> Column:
        values, nulls = _spread(getters[0](view), kind, len(view))
        for get in getters[1:]:
            if not nulls.any():
                break
            others, missing = _spread(get(view), kind, len(view))
            values = np.where(nulls, others, values)
            nulls = nulls & missing
        return Column(kind, values, nulls if nulls.any() else None)

    return Vector(kind, run)


def known(vector: Vector) -> Vector:
    """Make a function's result: a bool that is null is false."""
    if vector.kind is not Type.BOOL:
        return vector
    run = vector.run

    def held(view: View) -> Column:
        values, nulls = run(view).cells()
        return Column(Type.BOOL, values if nulls is None else values & ~nulls)

    return Vector(Type.BOOL, held)


def instance(argument: Vector, same: bool) -> Vector:
    """Make `instanceOf…`: `same` tells that the type is the one asked for."""
    run = argument.run

    def holds(view: View) -> Column:
        values, nulls = run(view).cells()
        if argument.kind is Type.STRING:
            _expect_text(values, nulls)
        held = np.full(len(view), same)
        return Column(Type.BOOL, held if nulls is None or not same else ~nulls)

    return Vector(Type.BOOL, holds)


def _expect_text(values: Values, nulls: Nulls) -> None:
    if not set(map(type, values)) <= {str, type(None)}:
        raise Unfit


def converted(argument: Vector, wanted: str, *, cast: bool) -> Vector | None:
    """Convert numbers to numbers; None where it takes a row at a time."""
    kind = next((t for t in NUMERIC if t.value == wanted), None)
    source = argument.kind
    if kind is None or source not in NUMERIC:
        return None
    if cast:
        # A cast gives the value as it is; only the type it is held to be of changes.
        return argument if kind is source else None
    get = _cells(argument)

    def run(view: View) -> Column:
        values, nulls = get(view)
        if np.ndim(values) == 0:
            values = np.full(len(view), values)
        with np.errstate(all="ignore"):
            return Column(kind, to_kind(values, source, kind), nulls)

    return Vector(kind, run)


def to_kind(values: Values, source: Type, kind: Type) -> Values:
    """Convert numbers as a Java cast does: integers wrap, floats saturate, NaN is 0."""
    if kind not in WHOLE:
        return narrowed(values, kind)
    if source in WHOLE:
        return narrowed(values, kind)
    low, high = (-(1 << 31), (1 << 31) - 1) if kind is Type.INT else (-(1 << 63), (1 << 63) - 1)
    clean = np.where(np.isnan(values), 0.0, values)
    inside = (clean > low) & (clean < high)
    whole = np.where(inside, clean, 0.0).astype(np.int64)
    return np.where(inside, whole, np.where(clean <= low, low, np.where(clean >= high, high, 0)))
