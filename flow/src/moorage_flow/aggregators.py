"""The aggregators: values over the events a window holds, kept up to date as events enter and
leave.

Source: Siddhi 5.1 API (core); the running variance is Welford's method, B. P. Welford, Note on a
Method
for Calculating Corrected Sums of Squares and Products, Technometrics 4 (1962).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import AppInvalid, EvaluationFailed
from .events import CURRENT, EXPIRED, RESET
from .expressions import Compiled, Compiler
from .functions import expect, expect_type
from .language.syntax import Call, Type
from .values import NUMERIC, to_int64, to_type

if TYPE_CHECKING:
    from .extensions import FunctionMaker


class Sum:
    """A running sum; null while it holds nothing.

    A window may let an event leave before it came (`expression` does with one that does not fit by
    itself): adding then gives the sum all the same, as Siddhi's does.
    """

    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.total: Any = 0
        self.count = 0

    def add(self, value: Any) -> Any:
        if value is None:
            return self.value()
        self.total += value
        self.count += 1
        return self.held()

    def remove(self, value: Any) -> Any:
        if value is not None:
            self.total -= value
            self.count -= 1
            if self.count == 0:
                self.total = 0
        return self.value()

    def value(self) -> Any:
        return self.held() if self.count else None

    def held(self) -> Any:
        """Give the sum of whatever was counted."""
        return to_int64(self.total) if isinstance(self.total, int) else self.total


class Average(Sum):
    """A running mean; null while it holds nothing."""

    __slots__ = ()

    def held(self) -> Any:
        return self.total / self.count if self.count else None


class Count:
    """How many events."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def add(self, _value: Any) -> int:
        self.count += 1
        return self.count

    def remove(self, _value: Any) -> int:
        self.count -= 1
        return self.count


class DistinctCount:
    """How many different values."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[Any, int] = {}

    def add(self, value: Any) -> int:
        self.counts[value] = self.counts.get(value, 0) + 1
        return len(self.counts)

    def remove(self, value: Any) -> int:
        left = self.counts.get(value, 0) - 1
        if left > 0:
            self.counts[value] = left
        else:
            self.counts.pop(value, None)
        return len(self.counts)


class Deviation:
    """The population's standard deviation."""

    __slots__ = ("count", "mean", "squares", "total")

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.total = self.squares = 0.0

    def add(self, value: Any) -> Any:
        if value is None:
            return self.value()
        self.count += 1
        self.total += value
        if self.count == 0:
            return None
        if self.count == 1:
            self.total = self.mean = float(value)
            self.squares = 0.0
            return 0.0
        before, self.mean = self.mean, self.total / self.count
        self.squares += (value - before) * (value - self.mean)
        return self.value()

    def remove(self, value: Any) -> Any:
        if value is None:
            return self.value()
        self.count -= 1
        self.total -= value
        if self.count == 0:
            self.total = self.mean = self.squares = 0.0
            return None
        before, self.mean = self.mean, self.total / self.count
        self.squares -= (value - before) * (value - self.mean)
        return self.value()

    def value(self) -> Any:
        if self.count == 0:
            return None
        if self.count == 1:
            return 0.0
        # What left before it came makes both negative.
        return math.sqrt(max(self.squares / self.count, 0.0))


class Extreme:
    """The greatest or least of the events held; `tracked` keeps those that may come to be it."""

    __slots__ = ("candidates", "sign", "tracked")

    def __init__(self, sign: int, tracked: bool) -> None:
        self.sign = sign
        self.tracked = tracked
        self.candidates: deque[Any] = deque()

    def add(self, value: Any) -> Any:
        if value is not None:
            held = self.candidates
            while held and self.sign * held[-1] < self.sign * value:
                held.pop()
            if self.tracked or not held:
                held.append(value)
        return self.value()

    def remove(self, value: Any) -> Any:
        held = self.candidates
        if value is not None and math.isnan(value):  # NaN is NaN here, as Java's equals says.
            at = next((at for at, one in enumerate(held) if math.isnan(one)), None)
            if at is not None:
                del held[at]
        elif value is not None and value in held:
            held.remove(value)
        return self.value()

    def value(self) -> Any:
        return self.candidates[0] if self.candidates else None


class Forever:
    """The greatest or least value ever seen."""

    __slots__ = ("best", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.best: Any = None

    def add(self, value: Any) -> Any:
        if value is not None and (self.best is None or self.sign * value > self.sign * self.best):
            self.best = value
        return self.best

    remove = add


class Junction:
    """Whether all, or any, of the events held are true."""

    __slots__ = ("both", "false", "true")

    def __init__(self, both: bool) -> None:
        self.both = both
        self.true = self.false = 0

    def add(self, value: Any) -> bool:
        return self._count(value, 1)

    def remove(self, value: Any) -> bool:
        return self._count(value, -1)

    def _count(self, value: Any, by: int) -> bool:
        if value:
            self.true += by
        else:
            self.false += by
        return self.true > 0 and self.false == 0 if self.both else self.true > 0


class UnionSet:
    """The union of the sets held."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[Any, int] = {}

    def add(self, value: Any) -> Any:
        for one in self._members(value):
            self.counts[one] = self.counts.get(one, 0) + 1
        return set(self.counts)

    def remove(self, value: Any) -> Any:
        for one in self._members(value):
            left = self.counts.get(one, 0) - 1
            if left > 0:
                self.counts[one] = left
            else:
                self.counts.pop(one, None)
        return set(self.counts)

    @staticmethod
    def _members(value: Any) -> Any:
        if value is None:
            return ()
        if not isinstance(value, set | frozenset):
            raise EvaluationFailed("unionSet takes a set")
        return value


def aggregator(
    compiler: Compiler, argument: Compiled | None, make: Callable[[], Any], kind: Type
) -> Compiled:
    """Compile an aggregator: a state with `add` and `remove`, one for each group and partition."""
    holder = compiler.flow.holder(make, grouped=compiler.grouped)
    get = argument.get if argument else lambda _event: None

    def update(event: Any) -> Any:
        if event.kind == CURRENT:
            return to_type(holder.get().add(get(event)), kind)
        if event.kind == EXPIRED:
            return to_type(holder.get().remove(get(event)), kind)
        if event.kind == RESET:
            partition = compiler.flow.partition
            holder.states = {k: s for k, s in holder.states.items() if k[0] != partition}
        return None

    return Compiled(update, kind)


def _numeric(make: Callable[[], Any], kind: Callable[[Type], Type]) -> FunctionMaker:
    def maker(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
        expect(call, arguments, 1)
        expect_type(call, arguments[0], 0, *NUMERIC)
        return aggregator(compiler, arguments[0], make, kind(arguments[0].type))

    return maker


def _sum_type(kind: Type) -> Type:
    return Type.LONG if kind in {Type.INT, Type.LONG} else Type.DOUBLE


def _extreme(sign: int) -> FunctionMaker:
    def maker(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
        expect(call, arguments, 1)
        expect_type(call, arguments[0], 0, *NUMERIC)
        tracked = compiler.tracks
        return aggregator(compiler, arguments[0], lambda: Extreme(sign, tracked), arguments[0].type)

    return maker


def _forever(sign: int) -> FunctionMaker:
    def maker(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
        expect(call, arguments, 1)
        expect_type(call, arguments[0], 0, *NUMERIC)
        return aggregator(compiler, arguments[0], lambda: Forever(sign), arguments[0].type)

    return maker


def _count(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    if not call.star:
        expect(call, arguments, 0, 1)
    return aggregator(compiler, None, Count, Type.LONG)


def _distinct_count(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 1)
    expect_type(call, arguments[0], 0, *NUMERIC, Type.STRING)
    return aggregator(compiler, arguments[0], DistinctCount, Type.LONG)


def _junction(both: bool) -> FunctionMaker:
    def maker(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
        expect(call, arguments, 1)
        expect_type(call, arguments[0], 0, Type.BOOL)
        return aggregator(compiler, arguments[0], lambda: Junction(both), Type.BOOL)

    return maker


def _union_set(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 1)
    if arguments[0].type is not Type.OBJECT:
        raise AppInvalid(f"unionSet takes a set, not a {arguments[0].type.value}", call.place)
    return aggregator(compiler, arguments[0], UnionSet, Type.OBJECT)


AGGREGATORS: dict[str, FunctionMaker] = {
    "and": _junction(True),
    "avg": _numeric(Average, lambda _kind: Type.DOUBLE),
    "count": _count,
    "distinctCount": _distinct_count,
    "max": _extreme(1),
    "maxForever": _forever(1),
    "min": _extreme(-1),
    "minForever": _forever(-1),
    "or": _junction(False),
    "stdDev": _numeric(Deviation, lambda _kind: Type.DOUBLE),
    "sum": _numeric(Sum, _sum_type),
    "unionSet": _union_set,
}
