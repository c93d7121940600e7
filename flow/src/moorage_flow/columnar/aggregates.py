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
    """Running sums and how many values each holds."""

    def __init__(self, kind: Type) -> None:
        self.epochs = Epochs()
        self.totals = np.empty(0, DTYPES[kind])
        self.held = np.empty(0, np.int64)

    def run(
        self, steps: Steps, groups: Index, parts: Index, column: Column, sizes: tuple[int, int]
    ) -> tuple[Any, Any]:
        """Give the total and count at each step."""
        self.epochs.room(*sizes)
        self.totals, self.held = grown(self.totals, sizes[0]), grown(self.held, sizes[0])
        values, nulls = column.cells()
        return kernels.running_sum(
            steps.rows,
            steps.kinds,
            groups,
            parts,
            (self.epochs.groups, self.epochs.parts),
            (values, nulls),
            (self.totals, self.held),
        )


class Sums(Kept):
    """`sum` and `avg`; a mean of longs sums upper and lower halves, so that none overflows."""

    def __init__(self, kind: Type, mean: bool) -> None:
        self.kind = kind
        self.mean = mean
        split = mean and kind is Type.LONG
        self.totals = [Total(Type.LONG if kind in WHOLE else Type.DOUBLE) for _ in range(1 + split)]

    def run(
        self, steps: Steps, groups: Index, parts: Index, column: Column, sizes: tuple[int, int]
    ) -> Column:
        """Give the value at each step."""
        if len(self.totals) == 2:
            return self._split_mean(steps, groups, parts, column, sizes)
        total, held = self.totals[0].run(steps, groups, parts, column, sizes)
        empty = held == 0
        nulls = empty if empty.any() else None
        if not self.mean:
            return Column(Type.LONG if self.kind in WHOLE else Type.DOUBLE, total, nulls)
        return Column(Type.DOUBLE, _ratio(total, held, empty), nulls)

    def _split_mean(
        self, steps: Steps, groups: Index, parts: Index, column: Column, sizes: tuple[int, int]
    ) -> Column:
        values, nulls = column.cells()
        halves = (
            Column(Type.LONG, values >> 32, nulls),
            Column(Type.LONG, values & 0xFFFF_FFFF, nulls),
        )
        (high, held), (low, _) = (
            total.run(steps, groups, parts, half, sizes)
            for total, half in zip(self.totals, halves, strict=True)
        )
        empty = held == 0
        whole = (high << 32) + low
        ratios = _ratio(whole, held, empty)
        large = np.flatnonzero((np.abs(high) >= 1 << 20) & ~empty)
        for at in large.tolist():
            ratios[at] = ((int(high[at]) << 32) + int(low[at])) / int(held[at])
        return Column(Type.DOUBLE, ratios, empty if empty.any() else None)


def _ratio(total: Any, held: Any, empty: Any) -> Any:
    divisor = np.where(empty, 1, held)
    ratios = total / divisor
    if total.dtype == np.int64:
        for at in np.flatnonzero((total > EXACT) | (total < -EXACT)).tolist():
            ratios[at] = int(total[at]) / int(divisor[at])
    return ratios


class Counts(Kept):
    """`count`."""

    def __init__(self) -> None:
        self.epochs = Epochs()
        self.held = np.empty(0, np.int64)

    def run(
        self,
        steps: Steps,
        groups: Index,
        parts: Index,
        _column: Column | None,
        sizes: tuple[int, int],
    ) -> Column:
        """Give the value at each step."""
        self.epochs.room(*sizes)
        self.held = grown(self.held, sizes[0])
        out = kernels.running_count(
            steps.rows,
            steps.kinds,
            groups,
            parts,
            (self.epochs.groups, self.epochs.parts),
            self.held,
        )
        return Column(Type.LONG, out)


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


def make(aggregate: Aggregate, *, tracked: bool) -> Any:
    """Make an aggregator's state."""
    kind = aggregate.argument.kind if aggregate.argument is not None else Type.LONG
    match aggregate.name:
        case "sum" | "avg":
            return Sums(kind, aggregate.name == "avg")
        case "count":
            return Counts()
        case "min" | "max":
            return Extremes(kind, 1 if aggregate.name == "max" else -1, tracked)
        case name:
            return OneByOne(aggregate.kind, name, tracked)


__all__ = ["NAMES", "Unfit", "make"]
