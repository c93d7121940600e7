"""The selection of a columnar query: aggregates, groups, `having`, and what reaches the output."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..events import EXPIRED, RESET, Chunk, Event
from ..expressions import Compiler
from ..flow import Flow
from ..language import syntax as s
from ..output import Limiter
from ..scope import Scope
from ..selector import Selector, expand
from ..streams import Stream
from . import aggregates, kernels
from .batch import Batch, Column, Index
from .expressions import Aggregate, Vectoriser
from .operations import OUT
from .store import Codes, Joined, Kept
from .vector import Refused, Vector, View
from .windows import Steps


class Groups(Kept):
    """The state of a selection: codes of groups, and each aggregator's."""

    def __init__(self, kinds: list[Any], width: int) -> None:
        self.aggregates = kinds
        self.keys = Joined(width)
        self.pairs = Codes()
        self.count = 1


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


class Output:
    """Hands a columnar query's rows to its callbacks and on, as columns where it can.

    The rate, tables and callbacks are the reference's: they get events, chunk by chunk.
    """

    def __init__(self, flow: Flow, selector: Selector, selecting: Selecting) -> None:
        self._flow = flow
        self._selector = selector
        self._selecting = selecting
        selection = selector.selection
        self._limit_none = selection.limit is None and not selection.offset and not selection.order
        self._events = selector.wanted
        self._kinds = np.array([kind in selector.wanted for kind in range(4)])
        self._last = selector.batches and selection.has_aggregates and not selecting.grouped
        self._by_group = selecting.grouped and selector.batches
        self._resets = not selecting.grouped and not self._last
        self.parts: Callable[[], Codes] | None = None
        self.stream: Stream | None = None
        self.listeners: list[Callable[[Batch], None]] = []

    @property
    def tells_expired(self) -> bool:
        """Tell whether rows that leave are told of."""
        return EXPIRED in self._events

    @property
    def whole(self) -> bool:
        """Tell whether what is selected is what is told, with no rate, order or limit behind it."""
        return type(self._selector.limiter) is Limiter and self._limit_none

    def select(
        self,
        steps: Steps,
        column: Any,
        found: list[Column],
        groups: Index,
        parts: Index,
        texts: Any,
        count: int,
    ) -> None:
        """Select the rows of steps and hand them on.

        Args:
            steps: what passes the window.
            column: gives an input's column by place at some rows of the store.
            found: the aggregates at each step.
            groups: by row of the store, the code of its group.
            parts: by row of the store, the code of its partition.
            texts: gives the texts of the groups by code.
            count: how many groups there are.
        """
        selecting = self._selecting
        wanted = self._kinds[steps.kinds]
        shown: list[Column] | None = None
        if not wanted.any() and not (self._resets and (steps.kinds == RESET).any()):
            return
        if selecting.having is not None:
            at = np.flatnonzero(wanted)
            view = self._view(steps, at, column, found)
            shown = [vector.run(view) for vector in selecting.vectors]
            view.out = shown
            held = selecting.having(view)
            at, shown = at[held], [c.take(held) for c in shown]
            wanted = np.zeros(len(wanted), np.bool_)
            wanted[at] = True
            position = np.empty(len(wanted), np.int64)
            position[at] = np.arange(len(at))
        if self._by_group:
            chosen = kernels.last_of_groups(steps.rows, wanted, groups, steps.chunks, count)
        elif self._last:
            chosen = np.flatnonzero(wanted)
            if len(chosen):
                ends = np.flatnonzero(np.diff(steps.chunks[chosen]))
                chosen = chosen[np.append(ends, len(chosen) - 1)]
            if self._selector.selection.offset or self._selector.selection.limit == 0:
                return
        else:
            chosen = np.flatnonzero(wanted)
        if shown is not None:
            shown = [c.take(position[chosen]) for c in shown]
        resets = np.empty(0, np.int64)
        if self._resets:
            resets = np.flatnonzero(steps.kinds == RESET)
        if not len(chosen) and not len(resets):
            return
        if shown is None and len(chosen):
            view = self._view(steps, chosen, column, found)
            shown = [vector.run(view) for vector in selecting.vectors]
        self._hand_on(steps, chosen, shown or [], resets, groups, parts, texts)

    def _view(self, steps: Steps, at: Index, column: Any, found: list[Column]) -> View:
        rows = steps.rows[at]
        view: View = column(rows, steps.ts[at], [c.take(at) for c in found])
        return view

    # --- Onwards ---

    @property
    def _plain(self) -> bool:
        limiter = self._selector.limiter
        return (
            self.whole
            and not limiter.callbacks
            and (self.stream is not None or limiter.sink is None)
        )

    def _hand_on(
        self,
        steps: Steps,
        chosen: Index,
        columns: list[Column],
        resets: Index,
        groups: Index,
        parts: Index,
        texts: Any,
    ) -> None:
        if self.listeners or self._plain:
            if not len(chosen):
                return
            calls = steps.calls[chosen]
            one = calls[0] == calls[-1]
            batch = Batch(
                columns,
                steps.ts[chosen],
                chunks=None if one else calls,
                parts=parts[steps.rows[chosen]] if self.parts is not None else None,
                kinds=steps.kinds[chosen],
            )
            for listener in self.listeners:
                listener(batch)
            if self._plain:
                if self.stream is not None:
                    self.stream.send_columns(
                        Batch(columns, batch.ts, chunks=batch.chunks, parts=batch.parts)
                    )
                return
        self._by_events(steps, chosen, columns, resets, groups, parts, texts)

    def _by_events(
        self,
        steps: Steps,
        chosen: Index,
        columns: list[Column],
        resets: Index,
        groups: Index,
        parts: Index,
        texts: Any,
    ) -> None:
        lists = [c.to_list() for c in columns]
        rows: Any = zip(*lists, strict=True) if lists else [()] * len(chosen)
        events: list[tuple[int, Event]] = []
        of_group = groups[steps.rows[chosen]].tolist() if self._selecting.grouped else None
        for at, (step, row) in enumerate(zip(chosen.tolist(), rows, strict=True)):
            event = Event(int(steps.ts[step]), list(row), int(steps.kinds[step]))
            if of_group is not None:
                event.group = texts(of_group[at])
            events.append((step, event))
        if len(resets):
            events += [(r, Event(int(steps.ts[r]), [], RESET)) for r in resets.tolist()]
            events.sort(key=lambda pair: pair[0])
        calls: dict[int, dict[int, Chunk]] = {}
        first: dict[int, int] = {}
        for step, event in events:
            call = int(steps.calls[step])
            calls.setdefault(call, {}).setdefault(int(steps.chunks[step]), []).append(event)
            first.setdefault(call, step)
        flow, outer = self._flow, self._flow.partition
        names = self.parts().texts() if self.parts is not None else []
        try:
            for call, chunks in calls.items():
                if self.parts is not None:
                    flow.partition = names[int(parts[steps.rows[first[call]]])]
                arranged = [self._selector.arranged(chunk) for chunk in chunks.values()]
                if len(arranged) == 1:
                    self._selector.limiter.process(arranged[0])
                else:
                    self._selector.limiter.process_chunks(arranged)
        finally:
            flow.partition = outer
