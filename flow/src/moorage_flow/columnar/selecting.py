"""What a selection over columns is, compiled."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..expressions import Compiler
from ..language import syntax as s
from ..scope import Scope
from ..selector import expand
from . import aggregates
from .expressions import Aggregate, Vectoriser
from .operations import OUT
from .selection import Groups
from .vector import Refused, Vector


@dataclass(slots=True)
class Selecting:
    """A compiled selection over columns."""

    attributes: list[s.Attribute]
    vectors: list[Vector]
    aggregates: list[Aggregate]
    group: list[tuple[int, int]]
    having: Any
    used: set[tuple[int, int]]
    grouped: bool
    tracked: bool

    @property
    def summed(self) -> bool:
        """Tell whether kernels that sum are all there is to aggregate with."""
        return all(a.name in aggregates.SUMS for a in self.aggregates)

    def make(self) -> Groups:
        """Make its state."""
        kinds = [aggregates.make(a, tracked=self.tracked) for a in self.aggregates]
        return Groups(kinds, len(self.group))


def compile_selection(compiler: Compiler, select: s.Select, builtin: set[str]) -> Selecting:
    """Compile a selection over columns. Raises Refused."""
    scope = compiler.scope
    inner = dataclasses.replace(compiler, may_aggregate=True, grouped=bool(select.group_by))
    vectoriser = Vectoriser(inner, builtin=builtin)
    listed = expand(select, scope)
    vectors = [vectoriser.compile(a.expression) for a in listed]
    attributes = [s.Attribute(a.name, v.kind) for a, v in zip(listed, vectors, strict=True)]
    for aggregate in vectoriser.aggregates:
        if aggregate.name not in aggregates.NAMES:
            raise Refused(f"{aggregate.name} is worked out row by row")
    group = [vectoriser.place(variable) for variable in select.group_by]
    having = None
    after = Scope(scope.frames, scope.state, None, scope.default_index, attributes)
    used = set(vectoriser.used)
    if select.having is not None:
        over = Vectoriser(dataclasses.replace(inner, scope=after), builtin=builtin)
        having = over.condition(select.having)
        if over.aggregates:
            raise Refused("having has an aggregator of its own")
        used |= over.used
    order = Vectoriser(dataclasses.replace(inner, scope=after), builtin=builtin)
    for variable, _ in select.order_by:
        if order.place(variable)[0] != OUT:
            raise Refused("it is ordered by what it does not select")
    used = {place for place in used if place[0] != OUT}
    if compiler.aggregates != bool(vectoriser.aggregates):
        raise Refused("an aggregator stands where columns have none")
    return Selecting(
        attributes,
        vectors,
        vectoriser.aggregates,
        group,
        having,
        used,
        bool(select.group_by),
        compiler.tracks,
    )
