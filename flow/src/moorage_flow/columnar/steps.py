"""Conditions and what is selected as steps that kernels take over whole columns: attributes,
constants, comparisons, what joins them, arithmetic. Nothing in them is null, so that whatever could
be is refused: attributes come without nulls, and only what is not 0 divides.

The values are those of `moorage_flow.columnar.operations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..language import syntax as s
from ..language.syntax import Type
from ..values import to_float32, wider
from .batch import absent
from .conditions import FLIPPED, OPS
from .expressions import Vectoriser
from .kernels import packed, single
from .vector import EXACT, WHOLE, Refused, Vector

_VALUES, _CONSTANTS, _BOOLS = 64, 128, 192
"""Where registers of values, constants and bools begin, behind the columns; as in `steps.h`."""
MOST = 8
"""So many registers of each there are."""

_NAMES = (
    *(f"whole {op}" for op in OPS),
    *(f"real {op}" for op in OPS),
    *("and", "or", "not", "true", "word"),
    *("whole +", "whole -", "whole *", "whole /", "whole %", "as int"),
    *("real +", "real -", "real *", "real /", "as real", "as float"),
)
"""The steps in the order of `steps.h`."""

_REAL = (Type.FLOAT, Type.DOUBLE)


@dataclass(frozen=True, slots=True)
class Operand:
    """What a step reads: its place and type; the value of a constant."""

    place: int
    kind: Type
    value: Any = None


@dataclass(frozen=True, slots=True)
class WordTest:
    """A comparison of a column of words with one word."""

    column: int
    op: str
    value: str

    def of(self, words: Any) -> Any:
        """Give the test of each word, the last of them none, as bytes."""
        missing = absent(words)
        held = np.asarray(np.equal(words, self.value), np.bool_) & ~missing
        return np.ascontiguousarray(~held if self.op == "!=" else held).view(np.uint8)


class Steps:
    """The steps of one query, their constants and their tests of words; `width` attributes come."""

    def __init__(self, vectoriser: Vectoriser, attributes: tuple[s.Attribute, ...]) -> None:
        self._vectoriser = vectoriser
        self._kinds = [a.type for a in attributes]
        self._used = {_VALUES: 0, _BOOLS: 0}
        self._listed: list[tuple[int, int, int, int]] = []
        self.constants: list[int] = []
        self.tests: list[WordTest] = []

    def taken(self) -> list[tuple[int, int, int, int]]:
        """Give the steps written since this was asked last."""
        listed, self._listed = self._listed, []
        return listed

    # --- Writing ---

    def _register(self, of: int) -> int:
        if self._used[of] == MOST:
            raise Refused("it takes too many registers")
        self._used[of] += 1
        return of + self._used[of] - 1

    def _step(self, name: str, to: int, left: int, right: int = 0) -> int:
        register = self._register(to)
        self._listed.append((_NAMES.index(name), register, left, right))
        return register

    def _constant(self, value: Any, kind: Type) -> Operand:
        whole = kind in WHOLE
        bits = int(value) if whole else packed.bits_of(float(value))
        if not -(1 << 63) <= bits < 1 << 63:
            raise Refused("a constant is beyond the whole numbers")
        if bits not in self.constants:
            if len(self.constants) == MOST:
                raise Refused("it has too many constants")
            self.constants.append(bits)
        return Operand(_CONSTANTS + self.constants.index(bits), kind, value)

    # --- Values ---

    def value(self, expression: s.Expression) -> Operand:
        """Write what works out a number. Raises Refused."""
        match expression:
            case s.Constant(value=value, type=kind) if kind in WHOLE or kind in _REAL:
                return self._constant(to_float32(value) if kind is Type.FLOAT else value, kind)
            case s.Variable():
                at = self._column(expression)
                if self._kinds[at] in WHOLE or self._kinds[at] in _REAL:
                    return Operand(at, self._kinds[at])
            case s.Arithmetic(op=op, left=left, right=right):
                return self._arithmetic(op, self.value(left), self.value(right))
        raise Refused("it is no number that steps give")

    def _column(self, variable: s.Variable) -> int:
        frame, at = self._vectoriser.place(variable)
        if frame != 0:
            raise Refused("it reads what is selected")
        return at

    def _as(self, operand: Operand, kind: Type) -> Operand:
        """Give a number as a real one of a kind."""
        if operand.kind is kind or (operand.kind is Type.FLOAT and kind is Type.DOUBLE):
            return operand
        if operand.value is not None:
            real = float(operand.value)
            return self._constant(to_float32(real) if kind is Type.FLOAT else real, kind)
        place = operand.place
        if operand.kind in WHOLE:
            place = self._step("as real", _VALUES, place)
        if kind is Type.FLOAT:
            place = self._step("as float", _VALUES, place)
        return Operand(place, kind)

    def _arithmetic(self, op: str, left: Operand, right: Operand) -> Operand:
        kind = wider(left.kind, right.kind)
        whole = kind in WHOLE
        if not whole:
            left, right = self._as(left, kind), self._as(right, kind)
        divides = bool(right.value) and (right.value != -1 if whole else op == "/")
        if op in {"/", "%"} and not divides:
            raise Refused("it divides by what may be nothing")
        if left.value is not None and right.value is not None:
            raise Refused("it is of constants alone")
        place = self._step(f"{'whole' if whole else 'real'} {op}", _VALUES, left.place, right.place)
        if kind is Type.INT:
            place = self._step("as int", _VALUES, place)
        elif kind is Type.FLOAT:
            place = self._step("as float", _VALUES, place)
        return Operand(place, kind)

    # --- Conditions ---

    def condition(self, expression: s.Expression) -> int:
        """Write what works out a condition; give its register. Raises Refused."""
        match expression:
            case s.Compare(op=op, left=left, right=right):
                return self._compare(op, left, right)
            case s.And(left=left, right=right):
                return self._join("and", left, right)
            case s.Or(left=left, right=right):
                return self._join("or", left, right)
            case s.Not(operand=operand):
                return self._step("not", _BOOLS, self.condition(operand))
            case s.Variable():
                at = self._column(expression)
                if self._kinds[at] is Type.BOOL:
                    return self._step("true", _BOOLS, at)
        raise Refused("it is no condition that steps tell")

    def conditions(self, expressions: list[s.Expression]) -> int:
        """Write what works out conditions that must all hold; give the register, -1 where there are
        none. Raises Refused.
        """
        result = -1
        for expression in expressions:
            held = self.condition(expression)
            result = held if result < 0 else self._step("and", _BOOLS, result, held)
        return result

    def _join(self, name: str, left: s.Expression, right: s.Expression) -> int:
        return self._step(name, _BOOLS, self.condition(left), self.condition(right))

    def _compare(self, op: str, left: s.Expression, right: s.Expression) -> int:
        if isinstance(left, s.Constant) and not isinstance(right, s.Constant):
            return self._compare(FLIPPED[op], right, left)
        if isinstance(left, s.Variable) and isinstance(right, s.Constant):
            at = self._column(left)
            if self._kinds[at] is Type.STRING and right.type is Type.STRING:
                return self._word(at, op, right.value)
            if self._kinds[at] is Type.BOOL and right.type is Type.BOOL and op in {"==", "!="}:
                held = self._step("true", _BOOLS, at)
                return held if right.value == (op == "==") else self._step("not", _BOOLS, held)
        return self._numbers(op, self.value(left), self.value(right))

    def _word(self, column: int, op: str, value: Any) -> int:
        if op not in {"==", "!="} or len(self.tests) == MOST:
            raise Refused("words are compared otherwise")
        self.tests.append(WordTest(column, op, value))
        return self._step("word", _BOOLS, column, len(self.tests) - 1)

    def _numbers(self, op: str, left: Operand, right: Operand) -> int:
        kinds = {left.kind, right.kind}
        if kinds <= set(WHOLE):
            return self._step(f"whole {op}", _BOOLS, left.place, right.place)
        if not kinds & set(WHOLE):
            return self._step(f"real {op}", _BOOLS, left.place, right.place)
        kind = Type.FLOAT if Type.FLOAT in kinds else Type.DOUBLE
        for side in (left, right):
            # Beyond 2^53 a long and a double are compared exactly.
            exact = side.value is not None and -EXACT <= side.value <= EXACT
            if kind is Type.DOUBLE and side.kind is Type.LONG and not exact:
                raise Refused("a long stands beside a double")
        left, right = self._as(left, kind), self._as(right, kind)
        return self._step(f"real {op}", _BOOLS, left.place, right.place)

    # --- What is selected ---

    def lane(self, expression: s.Expression, vector: Vector) -> int:
        """Write what works out a column that is selected; give its place. Raises Refused."""
        if vector.place is not None and isinstance(expression, s.Variable):
            return self._column(expression)
        if vector.kind is Type.BOOL:
            return self.condition(expression)
        made = self.value(expression)
        if made.value is not None or made.kind is not vector.kind:
            raise Refused("it selects a constant")
        return made.place


@dataclass(frozen=True, slots=True)
class Program:
    """What a kernel does with a batch: the kinds of its columns, the filter and its result's place
    (-1: there is none), what is selected and each column's place.
    """

    kinds: list[int]
    constants: list[int]
    tests: list[WordTest]
    filters: list[tuple[int, int, int, int]]
    result: int
    selects: list[tuple[int, int, int, int]]
    lanes: list[int]

    def packed(self, words: list[tuple[int, int, int, int]], rest: list[int]) -> Any:
        """Give it as the words of 64 bits that a kernel takes; `words` are each test's column, the
        address of the array of its words and of the test, and how many words they are; `rest` is
        what else the kernel goes by.
        """
        sizes = [len(self.kinds), len(self.constants), len(self.tests), len(self.filters)]
        sizes += [self.result, len(self.selects), len(self.lanes)]
        flat = [word for step in (*words, *self.filters, *self.selects) for word in step]
        listed = [*sizes, *self.kinds, *self.constants]
        return np.array([*listed, *flat, *self.lanes, *rest], np.int64)


def program(
    attributes: tuple[s.Attribute, ...],
    vectoriser: Vectoriser,
    conditions: list[s.Expression],
    selected: list[tuple[s.Expression, Vector]],
) -> Program | None:
    """Compile filters and what is selected; None where there are no such steps."""
    kinds = [single.KINDS.get(a.type.value, -1) for a in attributes]
    if -1 in kinds or not 0 < len(kinds) <= _VALUES:
        return None
    steps = Steps(vectoriser, attributes)
    try:
        result = steps.conditions(conditions)
        filters = steps.taken()
        lanes = [steps.lane(expression, vector) for expression, vector in selected]
    except Refused:
        return None
    return Program(kinds, steps.constants, steps.tests, filters, result, steps.taken(), lanes)
