"""Aggregators over the steps of a window: one value a step, kept for each group.

Sums, counts, means and extremes run in kernels over arrays; the others in Python, with the states
of the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import aggregators
from ..events import CURRENT, RESET
from ..language.syntax import Type
from ..values import to_type
from . import kernels
from .batch import DTYPES, Column, Index, Unfit, objects_of
from .expressions import Aggregate
from .kernels.plain import Sum
from .store import Kept, grown
from .vector import EXACT, WHOLE
from .windows import Steps


class Epochs(Kept):
    """Which groups were begun since their partition's last reset."""

    def __init__(self) -> None:
        self.groups = np.empty(0, np.int64)
        self.parts = np.empty(0, np.int64)

    def room(self, groups: int, parts: int) -> None:
        """Make room for groups and partitions."""
        self.groups = grown(self.groups, groups)
        self.parts = grown(self.parts, parts)


class Total(Kept):
    """Sums by group, and how many values each holds; without a kind only the counts."""

    def __init__(self, kind: Type | None) -> None:
        self.totals = np.empty(0, DTYPES[kind or Type.LONG])
        self.held = np.empty(0, np.int64)

    def over(self, values: Any, nulls: Any, groups: int) -> Sum:
        """Give what a kernel sums, for so many groups."""
        if groups > len(self.held):
            self.totals, self.held = grown(self.totals, groups), grown(self.held, groups)
        if values is not None:
            values = np.ascontiguousarray(values, self.totals.dtype)
        return Sum(values, nulls, self.totals, self.held)


class Sums(Kept):
    """`sum`, `avg` and `count`; a mean of longs sums upper and lower halves, so that none
    overflows.
    """

    def __init__(self, name: str, kind: Type) -> None:
        self.name = name
        self.kind = kind
        whole = Type.LONG if kind in WHOLE else Type.DOUBLE
        split = name == "avg" and kind is Type.LONG
        self.totals = [Total(None if name == "count" else whole) for _ in range(1 + split)]

    def over(self, column: Column | None, groups: int) -> list[Sum]:
        """Give what a kernel sums, for so many groups."""
        if self.name == "count" or column is None:
            return [self.totals[0].over(None, None, groups)]
        values, nulls = column.cells()
        if len(self.totals) == 1:
            return [self.totals[0].over(values, nulls, groups)]
        halves = (values >> 32, values & 0xFFFF_FFFF)
        return [t.over(half, nulls, groups) for t, half in zip(self.totals, halves, strict=True)]

    def column(self, found: list[tuple[Any, Any, bool]]) -> Column:
        """Give the values told, from the totals, counts and whether one is of nothing."""
        total, held, any_empty = found[0]
        if self.name == "count":
            return Column(Type.LONG, held)
        nulls = held == 0 if any_empty else None
        if self.name == "sum":
            return Column(Type.LONG if self.kind in WHOLE else Type.DOUBLE, total, nulls)
        if len(found) == 1:
            return Column(Type.DOUBLE, _ratio(total, held, nulls), nulls)
        high, low = total, found[1][0]
        ratios = _ratio((high << 32) + low, held, nulls)
        for at in np.flatnonzero(np.abs(high) >= 1 << 20).tolist():
            if held[at]:
                ratios[at] = ((int(high[at]) << 32) + int(low[at])) / int(held[at])
        return Column(Type.DOUBLE, ratios, nulls)

    def added(self, told: Column, argument: Column, kinds: Any) -> Column:
        """Tell the sum where a value came, of nothing too: of what left before it came, as a join's
        pairs do, no value is held then (`aggregators.Sum`).
        """
        values, nulls = told.cells()
        if self.name != "sum" or nulls is None:
            return told
        missing = argument.cells()[1]
        came = kinds == CURRENT
        nulls = nulls & ~(came if missing is None else came & ~missing)
        return Column(told.kind, values, nulls if nulls.any() else None)

    def at(self, groups: Index) -> Column:
        """Give the values of some groups."""
        of = [(total.totals[groups], total.held[groups]) for total in self.totals]
        return self.column([(total, held, not held.all()) for total, held in of])

    def keep(self, groups: Index) -> None:
        """Keep only some groups."""
        for total in self.totals:
            total.totals, total.held = total.totals[groups], total.held[groups]


def _ratio(total: Any, held: Any, empty: Any) -> Any:
    divisor = held if empty is None else np.where(empty, 1, held)
    ratios = total / divisor
    if total.dtype == np.int64:
        for at in np.flatnonzero((total > EXACT) | (total < -EXACT)).tolist():
            ratios[at] = int(total[at]) / int(divisor[at])
    return ratios


class Extremes(Kept):
    """`min` and `max`: for each group what may come to be it, in a pool of linked nodes."""

    def __init__(self, kind: Type, sign: int, tracked: bool) -> None:
        self.kind = kind
        self.sign = sign
        self.tracked = tracked
        self.epochs = Epochs()
        self.heads = np.empty(0, np.int64)
        self.tails = np.empty(0, np.int64)
        self.before = np.empty(0, np.int64)
        self.after = np.empty(0, np.int64)
        self.nodes = np.empty(0, DTYPES[kind])
        self.pool = np.array([-1, 0], np.int64)

    def run(
        self, steps: Steps, groups: Index, parts: Index, column: Column, sizes: tuple[int, int]
    ) -> Column:
        """Give the value at each step."""
        self.epochs.room(*sizes)
        self.heads, self.tails = grown(self.heads, sizes[0], -1), grown(self.tails, sizes[0], -1)
        most = int(self.pool[1]) + len(steps.rows)
        self.before, self.after = grown(self.before, most), grown(self.after, most)
        self.nodes = grown(self.nodes, most)
        values, nulls = kernels.extreme(
            steps.rows,
            steps.kinds,
            groups,
            parts,
            (self.epochs.groups, self.epochs.parts),
            column.cells(),
            (self.sign, int(self.tracked)),
            (self.heads, self.tails, self.before, self.after, self.nodes, self.pool),
        )
        return Column(self.kind, values, nulls if nulls.any() else None)

    def at(self, groups: Index) -> Column:
        """Give the values of some groups."""
        heads = self.heads[groups]
        nulls = heads < 0
        if not len(self.nodes):
            return Column(self.kind, np.zeros(len(heads), self.nodes.dtype), nulls)
        return Column(self.kind, self.nodes[heads], nulls if nulls.any() else None)

    def keep(self, groups: Index) -> None:
        """Keep only some groups, where no value leaves again: each then has one candidate."""
        assert not self.tracked
        heads = self.heads[groups]
        held = np.flatnonzero(heads >= 0)
        self.nodes = self.nodes[heads[held]]
        self.heads = np.full(len(heads), -1, np.int64)
        self.heads[held] = np.arange(len(held))
        self.tails = self.heads.copy()
        self.before = np.full(len(held), -1, np.int64)
        self.after = self.before.copy()
        self.pool = np.array([-1, len(held)], np.int64)


class OneByOne(Kept):
    """The aggregators without a kernel: the reference's state for each group."""

    def __init__(self, kind: Type, name: str, tracked: bool) -> None:
        self.kind = kind
        self.name = name
        self.tracked = tracked
        self.states: dict[int, dict[int, Any]] = {}

    def _make(self) -> Any:
        return _STATES[self.name](self.tracked)

    def run(
        self,
        steps: Steps,
        groups: Index,
        parts: Index,
        column: Column | None,
        _sizes: tuple[int, int],
    ) -> Column:
        """Give the value at each step."""
        out: list[Any] = []
        values = column.to_list() if column is not None else None
        rows = steps.rows
        for row, kind, group, part in zip(
            rows.tolist(),
            steps.kinds.tolist(),
            groups[rows].tolist(),
            parts[rows].tolist(),
            strict=True,
        ):
            of_part = self.states.setdefault(part, {})
            if kind == RESET:
                of_part.clear()
                out.append(None)
                continue
            state = of_part.get(group)
            if state is None:
                state = of_part[group] = self._make()
            value = None if values is None else values[row]
            found = state.add(value) if kind == CURRENT else state.remove(value)
            out.append(to_type(found, self.kind))
        return Column(self.kind, objects=objects_of(out, len(out)))


_STATES: dict[str, Callable[[bool], Any]] = {
    "and": lambda _tracked: aggregators.Junction(True),
    "avg": lambda _tracked: aggregators.Average(),
    "count": lambda _tracked: aggregators.Count(),
    "distinctCount": lambda _tracked: aggregators.DistinctCount(),
    "max": lambda tracked: aggregators.Extreme(1, tracked),
    "maxForever": lambda _tracked: aggregators.Forever(1),
    "min": lambda tracked: aggregators.Extreme(-1, tracked),
    "minForever": lambda _tracked: aggregators.Forever(-1),
    "or": lambda _tracked: aggregators.Junction(False),
    "stdDev": lambda _tracked: aggregators.Deviation(),
    "sum": lambda _tracked: aggregators.Sum(),
    "unionSet": lambda _tracked: aggregators.UnionSet(),
}

NAMES = frozenset(_STATES)
SUMS = frozenset({"avg", "count", "sum"})


def make(aggregate: Aggregate, *, tracked: bool) -> Any:
    """Make an aggregator's state: `Sums`, or one that is run step by step."""
    kind = aggregate.argument.kind if aggregate.argument is not None else Type.LONG
    match aggregate.name:
        case name if name in SUMS:
            return Sums(name, kind)
        case "min" | "max":
            return Extremes(kind, 1 if aggregate.name == "max" else -1, tracked)
        case name:
            return OneByOne(aggregate.kind, name, tracked)


__all__ = ["NAMES", "SUMS", "Unfit", "make"]
