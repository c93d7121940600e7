"""Queries over one stream in columns: filters, a window, the selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..events import CURRENT, Chunk
from ..flow import Flow
from ..language import syntax as s
from .batch import Batch, Column, Index
from .direct_query import DirectQuery
from .gathering import Gathered
from .kernels.plain import LAST_OF_GROUP
from .planned import pair_texts_of, texts_of
from .rings import Pieced
from .selection import Groups
from .sliding import Sliding
from .store import Buffer
from .tumbling import TimeBatch, Writer
from .vector import View
from .windows import Arriving, Steps


class State(Pieced):
    """All a query remembers."""

    def __init__(self, groups: Groups, window: Any) -> None:
        self.groups = groups
        self.window = window


class SingleQuery(DirectQuery):
    """A running query over one stream."""

    def _make(self) -> State:
        window = self._plan.window
        held: Any = None
        if window is not None:
            held = (
                Gathered(self._kinds[: len(self._kept)])
                if self._gathers
                else window.make(self._kinds)
            )
        return State(self._plan.selecting.make(), held)

    def activate(self) -> None:
        """Take over the timers of the reference's window."""
        timers = self.side_timers[0]
        if timers is not None:
            sliding = isinstance(self._plan.window, Sliding)
            timers.handler = self._expire if sliding else self._let_out

    def taker(self, at: int) -> Callable[[Batch], None]:
        return self._take

    def _take(self, batch: Batch) -> None:
        filters = self._plan.filters
        for at, condition in enumerate(filters, 1):
            index = condition(self._view(batch)).nonzero()[0]
            if not len(index):
                return
            if len(index) < len(batch):
                batch = batch.narrow(index, self._used if at == len(filters) else None)
        if not self.stateless:
            self._keep(batch)
        elif batch.kinds is None and self.output.passes:
            view = self._view(batch)
            columns = [vector.run(view) for vector in self._plan.selecting.vectors]
            self.output.pass_on(Batch(columns, batch.ts, chunks=batch.chunks, parts=batch.parts))
        else:
            self._keep(batch)

    def _view(self, batch: Batch) -> View:
        return View([batch.columns], batch.ts, self._flow.clock.now, batch.events)

    def _keep(self, batch: Batch) -> None:
        """Take rows into the window, or without one right into the selection."""
        if self._gathers:
            self._gather(batch)
            return
        self._held = None  # Its arrays may grow.
        state: State = self._holder.of_all()
        state.release(len(batch))
        plan, count, parts = self._plan, len(batch), batch.parts
        by = [batch.columns[place] for _, place in plan.selecting.group]
        groups, texts, sizes = self.group(state.groups, by, parts)
        view = self._view(batch)
        arguments = [None if a is None else a.run(view) for a in self._arguments]
        if plan.window is None:
            kinds = np.zeros(count, np.int8) if batch.kinds is None else batch.kinds
            steps = Steps(np.arange(count), kinds, batch.ts, None, batch.chunks, batch.chunks)
            source = _of_batch(batch, self._flow)
            groups = np.zeros(count, np.int64) if groups is None else groups
            self.output.select(state.groups, steps, source, arguments, groups, parts, texts, sizes)
            return
        held = state.window
        held.settle()
        columns = [batch.columns[place] for _, place in self._kept]
        columns += [a for a in arguments if a is not None]
        first = held.rows.put(columns, batch.ts, parts, groups)
        time = plan.time.run(view).cells()[0] if plan.time is not None else batch.ts
        coming = Arriving(
            first,
            batch.ts,
            batch.chunks,
            parts,
            time,
            view.now,
            self._notify,
            self.output.tells_expired,
            self._summed,
        )
        passed: Steps | None = plan.window.pass_on(held, coming)
        if passed is not None:
            fresh = (batch, first) if not self._kept else None
            self._finish(state, passed, texts, sizes, fresh)

    def _gather(self, batch: Batch) -> None:
        """Take rows into the sums of their batch, chunk by chunk as long as batches end."""
        window, state = self._plan.window, self._holder.of_all()
        assert isinstance(window, TimeBatch)
        held, now = state.window, self._flow.clock.now
        coming: Batch | None = batch
        while coming is not None:
            over = window.due(held.part, now, lambda time: self.notify(0, 0, [time]))
            chunk, coming = coming, None
            cuts = chunk.cuts() if over else []
            if len(cuts) > 1:
                end = cuts[0][1]
                chunk, coming = chunk.take(slice(0, end)), chunk.take(slice(end, None))
            self._add(state, chunk)
            if over:
                self._tell_gathered(state)

    def _add(self, state: State, batch: Batch) -> None:
        self._ready = None  # Its arrays may grow.
        by = [batch.columns[place] for _, place in self._plan.selecting.group]
        groups, _, sizes = self.group(state.groups, by, None)
        count, view = len(batch), self._view(batch)
        groups = np.zeros(count, np.int64) if groups is None else groups
        arguments = [None if a is None else a.run(view) for a in self._arguments]
        steps = Steps(np.arange(count), np.zeros(count, np.int8), batch.ts)
        last, _ = state.groups.run(
            steps, groups, None, arguments, sizes, 1 << CURRENT, LAST_OF_GROUP
        )
        columns = [batch.columns[place].take(last) for _, place in self._kept]
        state.window.put(columns, batch.ts[last], groups[last], sizes[0])

    def _tell_gathered(self, state: State) -> None:
        """Tell what a batch has come to."""
        held, known = state.window, state.groups
        rows = held.told()
        if len(rows):
            found = [of.at(rows) for of in known.aggregates]
            texts, sizes = self._sizes(state)
            steps = Steps(rows, np.zeros(len(rows), np.int8), held.ts)
            of_groups = np.arange(sizes[0])
            every = np.arange(len(rows))
            source = self._of_columns(held.columns)
            self.output.tell(steps, every, found, source, of_groups, None, texts, sizes)
        known.epochs.parts += 1
        held.clear()

    def _notify(self, part: int, times: list[int]) -> None:
        self.notify(0, part, times)

    def _finish(
        self,
        state: State,
        steps: Steps,
        texts: Any,
        sizes: tuple[int, int],
        fresh: tuple[Batch, int] | None,
    ) -> None:
        rows = state.window.rows
        arguments: list[Column | None] = []
        at = len(self._kept)
        for argument in self._arguments:
            arguments.append(None if argument is None else rows.columns[at].take(rows.filled))
            at += argument is not None
        parts = None if self.parts is None else rows.parts
        if fresh is not None:
            source = _of_batch(fresh[0], self._flow, fresh[1])
        else:
            source = self._of_columns(rows.columns)
        self.output.select(state.groups, steps, source, arguments, rows.groups, parts, texts, sizes)

    def _of_columns(self, held: list[Buffer]) -> Any:
        """Give a source of the columns held."""
        width = len(self._plan.attributes)
        now = self._flow.clock.now

        def source(at: Index, ts: Index, found: list[Column]) -> View:
            columns: list[Column] = [Column(s.Type.OBJECT)] * width
            for buffer, (_, place) in zip(held, self._kept, strict=False):
                columns[place] = buffer.take(at)
            whole = Batch(columns, ts)
            return View([columns], ts, now, lambda: _events(whole), found)

        return source

    # --- Time ---

    def _part(self) -> int:
        return 0 if self.parts is None else self.parts().by_text[self._flow.partition]

    def _sizes(self, state: State) -> tuple[Any, tuple[int, int]]:
        parts = 1 if self.parts is None else len(self.parts())
        if not self._plan.selecting.group:
            return None, (parts, parts)
        known = state.groups
        if self.parts is None:
            return texts_of(known), (len(known.keys), parts)
        return pair_texts_of(known), (len(known.pairs), parts)

    def _expire(self, _ts: int) -> None:
        assert isinstance(self._plan.window, Sliding)
        self._held = None
        state: State = self._holder.of_all()
        steps = self._plan.window.expire(state.window, self._part(), self._flow.clock.now)
        if steps is not None:
            texts, sizes = self._sizes(state)
            self._finish(state, steps, texts, sizes, None)

    def _let_out(self, _ts: int) -> None:
        assert isinstance(self._plan.window, TimeBatch)
        state: State = self._holder.of_all()
        held, now = state.window, self._flow.clock.now
        if self._gathers:
            if self._plan.window.due(held.part, now, lambda time: self.notify(0, 0, [time])):
                self._tell_gathered(state)
            return
        part = held.part(self._part())
        writer = Writer(held.rows)
        if self._plan.window.due(part, now, lambda time: self.notify(0, self._part(), [time])):
            self._plan.window.let_out(part, now, writer)
        steps = writer.steps()
        if steps is not None:
            texts, sizes = self._sizes(state)
            self._finish(state, steps, texts, sizes, None)


def _of_batch(batch: Batch, flow: Flow, first: int = 0) -> Any:
    """Give a source of a batch's columns; its first row is row `first` of the store."""
    now = flow.clock.now

    def source(at: Index, ts: Index, found: list[Column]) -> View:
        rows = at - first if first else at
        if len(rows) == len(batch) and bool((rows[1:] > rows[:-1]).all()):
            return View([batch.columns], ts, now, batch.events, found)
        part = batch.take(rows)
        return View([part.columns], ts, now, part.events, found)

    return source


def _events(batch: Batch) -> Chunk:
    held = [
        c if len(c) else Column(c.kind, objects=np.full(len(batch), None)) for c in batch.columns
    ]
    return Batch(held, batch.ts).events()
