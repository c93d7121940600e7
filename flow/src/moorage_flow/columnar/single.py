"""Queries over one stream in columns: filters, a window, the selection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..events import Chunk
from ..flow import Flow
from ..language import syntax as s
from ..scheduler import Scheduler
from ..streams import ColumnReceiver
from .batch import Batch, Column, Index
from .selection import Groups, Output, Selecting
from .sliding import Sliding
from .store import Codes, Kept
from .tumbling import TimeBatch, Tumbling, Writer
from .vector import Vector, View
from .windows import Arriving, Rows, Steps

Window = Sliding | Tumbling


class State(Kept):
    """All a query remembers."""

    def __init__(self, groups: Groups, window: Any) -> None:
        self.groups = groups
        self.window = window


@dataclass(slots=True)
class Plan:
    """What a query over one stream does, compiled."""

    attributes: tuple[s.Attribute, ...]
    filters: list[Callable[[View], Any]]
    selecting: Selecting
    window: Window | None
    time: Vector | None


class Planned:
    """A query on columns; `parts` gives the partitions' codes where it stands in one.

    `receiver` is set where a query without state may leave few rows to the reference path;
    `side_timers` are those of its windows.
    """

    receiver: ColumnReceiver | None = None
    parts: Callable[[], Codes] | None = None
    stateless = False

    def __init__(self, flow: Flow, output: Output) -> None:
        self._flow = flow
        self.output = output
        self.side_timers: list[Scheduler | None] = [None, None]

    def activate(self) -> None:
        """Begin to work in the reference's place."""

    def taker(self, at: int) -> Callable[[Batch], None]:
        """Give what takes the events of its input `at`."""
        raise NotImplementedError

    def notify(self, at: int, part: int, time: int) -> None:
        """Set a timer of the window of input `at`, for a partition."""
        timers, outer = self.side_timers[at], self._flow.partition
        assert timers is not None
        if self.parts is not None:
            self._flow.partition = self.parts().texts()[part]
        try:
            timers.notify_at(time)
        finally:
            self._flow.partition = outer

    def group(self, known: Groups, columns: list[Column], parts: Index) -> tuple[Index, Any, int]:
        """Give each row's group, what gives the groups' texts, and how many there are."""
        if not columns:
            return parts, None, 1 if self.parts is None else len(self.parts())
        codes = known.keys.of(columns)
        if self.parts is None:
            return codes, _texts_of(known), len(known.keys)
        return known.pairs.of_pairs(parts, codes), _pair_texts_of(known), len(known.pairs)


class Paired(Planned):
    """A query whose rows are pairs of events: a pattern or a join."""

    def __init__(self, flow: Flow, output: Output, selecting: Selecting) -> None:
        super().__init__(flow, output)
        self._selecting = selecting

    def tell(
        self, known: Groups, steps: Steps, frames: list[list[Column]], parts: Index, now: int
    ) -> None:
        """Select from pairs; the rows of the steps are their positions, `parts` of each pair."""
        selecting = self._selecting
        columns = [frames[frame][place] for frame, place in selecting.group]
        groups, texts, size = self.group(known, columns, parts)
        sizes = (size, 1 if self.parts is None else len(self.parts()))
        whole = View(frames, steps.ts, now, list)
        found = [
            state.run(steps, groups, parts, a.argument and a.argument.run(whole), sizes)
            for state, a in zip(known.aggregates, selecting.aggregates, strict=True)
        ]

        def source(rows: Index, ts: Index, at: list[Column]) -> View:
            taken = [[c.take(rows) if len(c) else c for c in frame] for frame in frames]
            return View(taken, ts, now, list, at)

        self.output.select(steps, source, found, groups, parts, texts, size)


class SingleQuery(Planned):
    """A running query over one stream."""

    def __init__(self, flow: Flow, plan: Plan, output: Output) -> None:
        super().__init__(flow, output)
        self._plan = plan
        selecting, window = plan.selecting, plan.window
        self.stateless = window is None and not selecting.aggregates
        # What rows need once they are in the window: the aggregators' arguments, and what is
        # selected later on.
        leaves = not isinstance(window, Sliding) or output.tells_expired
        self._kept = sorted(selecting.used | set(selecting.group)) if leaves else []
        kinds = [plan.attributes[place].type for _, place in self._kept]
        self._arguments = [a.argument for a in selecting.aggregates]
        kinds += [a.kind for a in self._arguments if a is not None]
        self._holder = flow.holder(
            lambda: State(selecting.make(), window.make(kinds) if window is not None else None)
        )

    def activate(self) -> None:
        """Take over the timers of the reference's window."""
        timers = self.side_timers[0]
        if timers is not None:
            sliding = isinstance(self._plan.window, Sliding)
            timers.handler = self._expire if sliding else self._let_out

    def taker(self, at: int) -> Callable[[Batch], None]:
        return self._take

    def _take(self, batch: Batch) -> None:
        for condition in self._plan.filters:
            held = condition(self._view(batch))
            if not held.all():
                batch = batch.take(held)
            if not len(batch):
                return
        if self.stateless:
            self._pass(batch)
        else:
            self._keep(batch)

    def _view(self, batch: Batch) -> View:
        return View([batch.columns], batch.ts, self._flow.clock.now, batch.events)

    # --- Without state ---

    def _pass(self, batch: Batch) -> None:
        count = len(batch)
        rows = np.arange(count)
        zeros = np.zeros(count, np.int64)
        kinds = np.zeros(count, np.int8) if batch.kinds is None else batch.kinds
        chunks = zeros if batch.chunks is None else batch.chunks
        steps = Steps(rows, kinds, batch.ts, chunks, chunks)
        parts = zeros if batch.parts is None else batch.parts
        state: State = self._holder.of_all()
        groups, texts, size = self._groups(state, batch, parts)
        self.output.select(steps, _of_batch(batch, self._flow), [], groups, parts, texts, size)

    # --- With state ---

    def _groups(self, state: State, batch: Batch, parts: Index) -> tuple[Index, Any, int]:
        selecting = self._plan.selecting
        columns = [batch.columns[place] for _, place in selecting.group]
        return self.group(state.groups, columns, parts)

    def _keep(self, batch: Batch) -> None:
        state: State = self._holder.of_all()
        plan, count = self._plan, len(batch)
        parts = np.zeros(count, np.int64) if batch.parts is None else batch.parts
        chunks = np.zeros(count, np.int64) if batch.chunks is None else batch.chunks
        groups, texts, size = self._groups(state, batch, parts)
        sizes = (size, 1 if self.parts is None else len(self.parts()))
        view = self._view(batch)
        arguments = [None if a is None else a.run(view) for a in self._arguments]
        if plan.window is None:
            kinds = np.zeros(count, np.int8) if batch.kinds is None else batch.kinds
            steps = Steps(np.arange(count), kinds, batch.ts, chunks, chunks)
            found = self._aggregate(state, steps, groups, parts, arguments, sizes)
            source = _of_batch(batch, self._flow)
            self.output.select(steps, source, found, groups, parts, texts, size)
            return
        held = state.window
        held.settle()
        columns = [batch.columns[place] for _, place in self._kept]
        columns += [a for a in arguments if a is not None]
        first = held.rows.put(columns, batch.ts, parts, groups)
        time = plan.time.run(view).cells()[0] if plan.time is not None else batch.ts
        now = self._flow.clock.now
        coming = Arriving(
            first, batch.ts, chunks, parts, time, now, lambda p, t: self.notify(0, p, t)
        )
        passed: Steps | None = plan.window.pass_on(held, coming)
        if passed is not None:
            fresh = (batch, first) if not self._kept else None
            self._finish(state, passed, texts, sizes, fresh)

    def _finish(
        self,
        state: State,
        steps: Steps,
        texts: Any,
        sizes: tuple[int, int],
        fresh: tuple[Batch, int] | None,
    ) -> None:
        rows = state.window.rows
        kept = len(self._kept)
        arguments: list[Column | None] = []
        at = kept
        for argument in self._arguments:
            arguments.append(
                None if argument is None else rows.columns[at].take(slice(0, rows.size))
            )
            at += argument is not None
        groups, parts = rows.groups[: rows.size], rows.parts[: rows.size]
        found = self._aggregate(state, steps, groups, parts, arguments, sizes)
        if fresh is not None:
            source = _of_batch(fresh[0], self._flow, fresh[1])
        else:
            source = self._of_rows(rows)
        self.output.select(steps, source, found, groups, parts, texts, sizes[0])

    def _aggregate(
        self,
        state: State,
        steps: Steps,
        groups: Index,
        parts: Index,
        arguments: list[Column | None],
        sizes: tuple[int, int],
    ) -> list[Column]:
        return [
            aggregate.run(steps, groups, parts, argument, sizes)
            for aggregate, argument in zip(state.groups.aggregates, arguments, strict=True)
        ]

    def _of_rows(self, rows: Rows) -> Any:
        """Give a source of the columns the window holds."""
        width = len(self._plan.attributes)
        now = self._flow.clock.now

        def source(at: Index, ts: Index, found: list[Column]) -> View:
            columns: list[Column] = [Column(s.Type.OBJECT)] * width
            for buffer, (_, place) in zip(rows.columns, self._kept, strict=False):
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
            return _texts_of(known), (len(known.keys), parts)
        return _pair_texts_of(known), (len(known.pairs), parts)

    def _expire(self, _ts: int) -> None:
        assert isinstance(self._plan.window, Sliding)
        state: State = self._holder.of_all()
        steps = self._plan.window.expire(state.window, self._part(), self._flow.clock.now)
        if steps is not None:
            texts, sizes = self._sizes(state)
            self._finish(state, steps, texts, sizes, None)

    def _let_out(self, _ts: int) -> None:
        assert isinstance(self._plan.window, TimeBatch)
        state: State = self._holder.of_all()
        held, now = state.window, self._flow.clock.now
        part = held.part(self._part())
        writer = Writer(held.rows)
        if self._plan.window.due(part, now, lambda time: self.notify(0, self._part(), time)):
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
        if len(rows) == len(batch) and bool((rows == np.arange(len(batch))).all()):
            return View([batch.columns], ts, now, batch.events, found)
        part = batch.take(rows)
        return View([part.columns], ts, now, part.events, found)

    return source


def _events(batch: Batch) -> Chunk:
    held = [
        c if len(c) else Column(c.kind, objects=np.full(len(batch), None)) for c in batch.columns
    ]
    return Batch(held, batch.ts).events()


def _texts_of(known: Groups) -> Callable[[int], str]:
    return lambda code: known.keys.texts()[code]


def _pair_texts_of(known: Groups) -> Callable[[int], str]:
    return lambda code: known.keys.texts()[int(known.pairs.texts()[code].partition(":")[2])]
