"""Incremental aggregations in columns: a row for each duration, stretch of time and group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..events import Chunk, Event
from ..expressions import Compiler
from ..flow import Flow, Holder
from ..language import syntax as s
from ..selector import expand
from ..values import to_type
from . import aggregates, kernels
from .batch import Batch, Column, Index
from .expressions import Aggregate, Vectoriser
from .kernels.plain import EACH
from .plan import own
from .selection import Groups
from .store import Buffer, Joined, Kept, grown
from .vector import Refused, Vector, View
from .windows import Steps

_FIXED_MS = {"sec": 1_000, "min": 60_000, "hour": 3_600_000, "day": 86_400_000}
_BEFORE_ALL = -(1 << 63)
_AGGREGATORS = frozenset({"avg", "count", "max", "min", "sum"})


def starts_of(times: Index, duration: str) -> Index:
    """Give where the second, minute, … of each time begins, in milliseconds since 1970."""
    if duration in _FIXED_MS:
        return times - times % _FIXED_MS[duration]
    unit = "Y" if duration == "year" else "M"
    months = times.astype("M8[ms]").astype(f"M8[{unit}]")
    return months.astype("M8[ms]").astype(np.int64)


class Buckets(Kept):
    """The buckets of one duration, in the order they were begun: each one's beginning, group, time
    of its latest event, aggregates, and plain attributes of the latest event.
    """

    def __init__(self, sums: Groups, kinds: list[s.Type]) -> None:
        self.starts = np.empty(0, np.int64)
        self.groups = np.empty(0, np.int64)
        self.latest = np.empty(0, np.int64)
        self.size = 0
        self.sums = sums
        self.plain = [Buffer(kind) for kind in kinds]
        self._index: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_index": None}

    def find(self, starts: Index, groups: Index, times: Index) -> tuple[Index, Index]:
        """Give each event's bucket, a new one where there is none, and which events are the latest
        of theirs so far.
        """
        most = self.size + len(starts)
        if most > len(self.starts):
            self.starts, self.groups = grown(self.starts, most), grown(self.groups, most)
            self.latest = grown(self.latest, most)
        held = (self.starts, self.groups, self.latest)
        self._index = kernels.bucket_index(self._index, held, self.size, most)
        found, latest, self.size = kernels.find_buckets(
            self._index, (starts, groups, times), held, self.size
        )
        return found, latest.nonzero()[0]

    def keep(self, index: Index) -> None:
        """Keep only the buckets of an index."""
        self.starts, self.groups = self.starts[index], self.groups[index]
        self.latest = self.latest[index]
        for state in self.sums.aggregates:
            state.keep(index)
        for buffer in self.plain:
            buffer.keep(index)
        self.size, self._index = len(index), None


class State(Kept):
    """All an aggregation remembers: the groups' codes, and the buckets of each duration."""

    def __init__(self, width: int, durations: dict[str, Buckets]) -> None:
        self.keys = Joined(width)
        self.durations = durations

    def forget(self) -> None:
        """Forget the groups that no bucket is of, once they are most of all."""
        if not self.keys.columns:
            return
        held = [b.groups[: b.size] for b in self.durations.values()]
        used = np.unique(np.concatenate(held))
        if len(self.keys) < 2 * len(used) + 1024:
            return
        where = np.full(len(self.keys), -1, np.int64)
        where[used] = np.arange(len(used))
        self.keys = self.keys.only(used.tolist())
        for buckets in self.durations.values():
            buckets.groups = where[buckets.groups[: buckets.size]]
            buckets.keep(np.arange(buckets.size))


@dataclass(slots=True)
class Output:
    """One selected attribute: an aggregator's, or a plain one."""

    kind: s.Type
    aggregate: Aggregate | None
    vector: Vector | None


@dataclass(slots=True)
class Plan:
    """What an aggregation over a stream of these attributes does, compiled."""

    attributes: tuple[s.Attribute, ...]
    filters: list[Callable[[View], Any]]
    group: list[tuple[int, int]]
    outputs: list[Output]
    durations: tuple[str, ...]


class ColumnAggregation:
    """A running aggregation on columns."""

    def __init__(self, flow: Flow, plan: Plan) -> None:
        self._flow = flow
        self._plan = plan
        self._aggregates = [o.aggregate for o in plan.outputs if o.aggregate is not None]
        self._arguments = [a.argument for a in self._aggregates]
        self._plain = [o.vector for o in plan.outputs if o.vector is not None]
        self._holder: Holder[State] = flow.holder(self._make)

    def _make(self) -> State:
        kinds = [vector.kind for vector in self._plain]
        durations = {
            duration: Buckets(
                Groups([aggregates.make(a, tracked=False) for a in self._aggregates], 0), kinds
            )
            for duration in self._plan.durations
        }
        return State(len(self._plan.group), durations)

    def take_rows(self, chunk: Chunk) -> None:
        """Count events, given one by one."""
        self.take(Batch.of_events(self._plan.attributes, chunk))

    def take(self, batch: Batch) -> None:
        """Count events into every duration's buckets, whatever the order they come in."""
        plan = self._plan
        for condition in plan.filters:
            index = condition(self._view(batch)).nonzero()[0]
            if not len(index):
                return
            if len(index) < len(batch):
                batch = batch.take(index)
        state, view, count = self._holder.of_all(), self._view(batch), len(batch)
        times = batch.ts
        groups = np.zeros(count, np.int64)
        if plan.group:
            groups = state.keys.of([batch.columns[place] for _, place in plan.group])
        arguments = [None if a is None else a.run(view) for a in self._arguments]
        plain = [vector.run(view) for vector in self._plain]
        steps = Steps(np.arange(count), np.zeros(count, np.int8), batch.ts)
        for duration, buckets in state.durations.items():
            before = buckets.size
            found, latest = buckets.find(starts_of(times, duration), groups, times)
            buckets.sums.run(steps, found, None, arguments, (buckets.size, 1), 0, EACH)
            for buffer, column in zip(buckets.plain, plain, strict=True):
                buffer.write(found[latest], column.take(latest), before, buckets.size)

    def _view(self, batch: Batch) -> View:
        return View([batch.columns], batch.ts, self._flow.clock.now, batch.events)

    def rows(self, start: int, end: int, duration: str) -> list[Event]:
        """Give the buckets that begin from `start` to before `end`, earliest first."""
        buckets = self._holder.of_all().durations[duration]
        starts = buckets.starts[: buckets.size]
        at = np.flatnonzero((starts >= start) & (starts < end))
        at = at[np.argsort(starts[at], kind="stable")]
        aggregated = (state.at(at) for state in buckets.sums.aggregates)
        plain = (buffer.take(at) for buffer in buckets.plain)
        lists = []
        for output in self._plan.outputs:
            column: Column = next(plain) if output.aggregate is None else next(aggregated)
            lists.append([to_type(value, output.kind) for value in column.to_list()])
        begins = starts[at].tolist()
        return [Event(row[0], list(row)) for row in zip(begins, *lists, strict=True)]

    def sweep(self, kept_ms: dict[str, int | None], now: int) -> None:
        """Forget the buckets that began longer ago than they are kept."""
        state = self._holder.of_all()
        for duration, buckets in state.durations.items():
            kept = kept_ms[duration]
            if kept is not None:
                live = np.flatnonzero(buckets.starts[: buckets.size] >= now - kept)
                if len(live) < buckets.size:
                    buckets.keep(live)
        state.forget()


def aggregation(
    flow: Flow, definition: s.AggregationDefinition, compiler: Compiler, types: list[s.Type]
) -> ColumnAggregation:
    """Plan an aggregation.

    Args:
        flow: what the application's operators share.
        definition: the aggregation.
        compiler: that of its selection; its scope is the stream's.
        types: the types of its attributes.

    Raises:
        Refused: it has no columnar form.
    """
    builtin = own(compiler)
    vectoriser = Vectoriser(compiler, builtin=builtin)
    filters = []
    for handler in definition.source.handlers:
        if not isinstance(handler, s.Filter):
            raise Refused("a stream function is worked out row by row")
        filters.append(Vectoriser(compiler, builtin=builtin).condition(handler.condition))
    outputs = []
    for attribute, kind in zip(expand(definition.select, compiler.scope), types, strict=True):
        expression = attribute.expression
        if isinstance(expression, s.Call):
            if expression.name not in _AGGREGATORS or expression.name not in builtin:
                raise Refused(f"{expression.name} is worked out row by row")
            argument = None
            if expression.name != "count":
                argument = vectoriser.compile(expression.arguments[0])
            outputs.append(Output(kind, Aggregate(expression.name, argument, kind), None))
            continue
        vector = vectoriser.compile(expression)
        if vector.place is None:
            raise Refused("an attribute is neither aggregated nor a bare one")
        outputs.append(Output(kind, None, vector))
    if definition.by is not None:
        raise Refused("it goes by an attribute")
    attributes = tuple(compiler.scope.frames[0].attributes)
    group = [vectoriser.place(variable) for variable in definition.select.group_by]
    return ColumnAggregation(flow, Plan(attributes, filters, group, outputs, definition.durations))
