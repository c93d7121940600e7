"""Conditions that compare single attributes with constants: kernels work them out for a whole batch
at once, where its columns are plain.
"""

from __future__ import annotations

from ..expressions import conjuncts
from ..language import syntax as s
from ..language.syntax import Type
from .batch import Column, Unfit, Values
from .expressions import Vectoriser
from .kernels import packed
from .kernels.packed import Condition
from .vector import EXACT, WHOLE, Refused, Vector

OPS = ("==", "!=", "<", "<=", ">", ">=")
"""The comparisons, in the order the kernels count them."""
FLIPPED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

_REAL = (Type.FLOAT, Type.DOUBLE)
_LONG = (1 << 63) - 1


def beside_constants(
    expression: s.Expression, vectoriser: Vectoriser, frame: int
) -> list[Condition] | None:
    """Give a condition as comparisons of a frame's attributes with constants, all of which hold;
    None where it is another.
    """
    found: list[Condition] = []
    for part in conjuncts(expression):
        one = _condition(part, vectoriser, frame)
        if one is None:
            return None
        found.append(one)
    return found


def _condition(part: s.Expression, vectoriser: Vectoriser, frame: int) -> Condition | None:
    if not isinstance(part, s.Compare):
        return None
    try:
        left, right = vectoriser.compile(part.left), vectoriser.compile(part.right)
    except Refused:
        return None
    op = part.op
    if left.constant:
        left, right, op = right, left, FLIPPED[op]
    if not right.constant or left.place is None or left.place[0] != frame:
        return None
    how = _how(left, right, op)
    if how is None:
        return None
    whole = how in {packed.INTEGERS, packed.BOOLS}
    bits = int(right.value) if whole else packed.bits_of(float(right.value))
    return Condition(how, OPS.index(op), left.place[1], bits)


def _how(left: Vector, right: Vector, op: str) -> int | None:
    """Tell how a kernel compares two sides as `operations.comparison` does; None: it does not."""
    kind, value = left.kind, right.value
    if kind is Type.BOOL and right.kind is Type.BOOL:
        return packed.BOOLS if op in {"==", "!="} else None
    if kind in WHOLE and right.kind in WHOLE:
        return packed.INTEGERS if -_LONG <= value <= _LONG else None
    if kind in _REAL and right.kind in _REAL:
        return packed.REALS
    if kind is Type.DOUBLE and right.kind in WHOLE:
        return packed.REALS if -EXACT <= value <= EXACT else None
    if kind is Type.INT and right.kind is Type.DOUBLE:
        return packed.AS_REALS
    return None


_PLAIN = "ld?"
"""The types of arrays that kernels read, in numpy's letters: int64, float64 and bool."""


def plain(column: Column) -> Values | None:
    """Give a column's values, or its codes, as kernels read them: in one piece and without nulls;
    None where they are not. A code may be that of no word.
    """
    values = column.codes
    if values is None:
        try:
            values, nulls = column.cells()
        except (Unfit, OverflowError):
            return None
        if nulls is not None or values.dtype.char not in _PLAIN:
            return None
    return values if values.flags.c_contiguous else None


def like(column: Column, values: Values) -> Column:
    """Give other values as a column of the same kind, codes as those of the same words."""
    if column.codes is not None:
        return Column(column.kind, codes=values, words=column.words)
    return Column(column.kind, values)
