"""Queries over one stream in columns: filters, a window, the selection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..events import CURRENT, Chunk
from ..flow import Flow
from ..language import syntax as s
from ..language.syntax import Type
from ..scheduler import Scheduler
from ..streams import ColumnReceiver, Direct
from .batch import Batch, Column, Index
from .direct import Collected, Collecting, Sifting
from .gathering import Gathered
from .gliding import Held, gliding, held_of
from .kernels import single
from .kernels.plain import LAST_OF_GROUP
from .rings import Pieced
from .rolling import Keys, rolling
from .selection import Groups, Output, Selecting
from .sliding import Sliding
from .steps import Program
from .store import Buffer, Codes
from .tumbling import TimeBatch, Tumbling, Writer
from .vector import WHOLE, Vector, View
from .windows import Arriving, Steps

Window = Sliding | Tumbling


class State(Pieced):
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
    program: Program | None = None
    # Of each attribute selected the stream's column, or the complement of the aggregator's place;
    # None where something is worked out of them.
    places: list[int] | None = None


class Planned:
    """A query on columns; `parts` gives the partitions' codes where it stands in one.

    `receiver` is set where a query without state may leave few rows to the reference path;
    `side_timers` are those of its windows. `active` tells that it takes the reference's place: not
    where its partition does not run on columns.
    """

    receiver: ColumnReceiver | None = None
    parts: Callable[[], Codes] | None = None
    stateless = False
    active = True

    def __init__(self, flow: Flow, output: Output) -> None:
        self._flow = flow
        self.output = output
        self.side_timers: list[Scheduler | None] = [None, None]

    def activate(self) -> None:
        """Begin to work in the reference's place."""

    def taker(self, at: int) -> Callable[[Batch], None]:
        """Give what takes the events of its input `at`."""
        raise NotImplementedError

    def direct(self) -> Direct | None:
        """Give what takes what is sent to its only stream as it is; None where nothing does."""
        return None

    def direct_by_key(self, place: int, keys: Keys) -> Direct | None:
        """Give what takes what is sent to its only stream as it is, where it stands alone in a
        partition by one of the stream's attributes; None where nothing does.
        """
        return None

    def notify(self, at: int, part: int, times: list[int]) -> None:
        """Set timers of the window of input `at`, for a partition."""
        timers, outer = self.side_timers[at], self._flow.partition
        assert timers is not None
        if self.parts is not None:
            self._flow.partition = self.parts().texts()[part]
        try:
            timers.notify_all(times)
        finally:
            self._flow.partition = outer

    def group(
        self, known: Groups, columns: list[Column], parts: Index | None
    ) -> tuple[Index | None, Any, tuple[int, int]]:
        """Give each row's group (None: all are one), what gives the groups' texts, and how many
        groups and partitions there are.
        """
        part_count = 1 if self.parts is None else len(self.parts())
        if not columns:
            return parts, None, (part_count, part_count)
        codes = known.keys.of(columns)
        if parts is None:
            return codes, _texts_of(known), (len(known.keys), part_count)
        codes = known.pairs.of(parts, codes)
        return codes, _pair_texts_of(known), (len(known.pairs), part_count)


class Paired(Planned):
    """A query whose rows are pairs of events: a pattern or a join."""

    def __init__(self, flow: Flow, output: Output, selecting: Selecting) -> None:
        super().__init__(flow, output)
        self._selecting = selecting

    def tell_plainly(
        self, frames: list[list[Column]], ts: Index, calls: Index | None, parts: Index | None
    ) -> None:
        """Select from pairs that are each told as they are, where `Output.passes` holds and nothing
        is aggregated.
        """
        view = View(frames, ts, self._flow.clock.now, list)
        columns = [vector.run(view) for vector in self._selecting.vectors]
        chunks = None if calls is None or calls[0] == calls[-1] else calls
        self.output.pass_on(Batch(columns, ts, chunks=chunks, parts=parts))

    def tell(
        self, known: Groups, steps: Steps, frames: list[list[Column]], parts: Index | None, now: int
    ) -> None:
        """Select from pairs; the rows of the steps are their positions, `parts` of each pair."""
        selecting, count = self._selecting, len(steps.rows)
        columns = [frames[frame][place] for frame, place in selecting.group]
        groups, texts, sizes = self.group(known, columns, parts)
        whole = View(frames, steps.times, now, list)
        arguments = [a.argument.run(whole) if a.argument else None for a in selecting.aggregates]

        def source(rows: Index, ts: Index, found: list[Column]) -> View:
            if len(rows) == count:  # They are all, in their order.
                return View(frames, ts, now, list, found)
            taken = [[c.take(rows) if len(c) else c for c in frame] for frame in frames]
            return View(taken, ts, now, list, found)

        groups = np.zeros(count, np.int64) if groups is None else groups
        self.output.select(known, steps, source, arguments, groups, parts, texts, sizes)


class SingleQuery(Planned):
    """A running query over one stream."""

    def __init__(self, flow: Flow, plan: Plan, output: Output) -> None:
        super().__init__(flow, output)
        self._plan = plan
        selecting, window = plan.selecting, plan.window
        self._summed = selecting.summed
        self.stateless = window is None and not selecting.aggregates
        # What rows need once they are in the window: the aggregators' arguments, and what is
        # selected later on.
        leaves = not isinstance(window, Sliding) or output.tells_expired
        used = sorted(selecting.used | set(selecting.group))
        self._kept = used if leaves else []
        self._used = {place for _, place in used}
        if plan.time is not None and plan.time.place is not None:
            self._used.add(plan.time.place[1])
        kinds = [plan.attributes[place].type for _, place in self._kept]
        self._arguments = [a.argument for a in selecting.aggregates]
        kinds += [a.kind for a in self._arguments if a is not None]
        self._kinds = kinds
        # Where only sums and last rows are told of a batch, its rows need not be held.
        plainly = isinstance(window, TimeBatch) and not window.expects and not window.streams
        self._sums_only = plainly and selecting.summed and output.tells_last
        self._ready: Collected | None = None
        self._held: Held | None = None
        self._holder = flow.holder(self._make)

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

    @property
    def _gathers(self) -> bool:
        """Tell whether rows go into sums as they come."""
        return self._sums_only and self.parts is None

    def activate(self) -> None:
        """Take over the timers of the reference's window."""
        timers = self.side_timers[0]
        if timers is not None:
            sliding = isinstance(self._plan.window, Sliding)
            timers.handler = self._expire if sliding else self._let_out

    def taker(self, at: int) -> Callable[[Batch], None]:
        return self._take

    def direct(self) -> Direct | None:
        plan, program = self._plan, self._plan.program
        if program is not None and self._gathers:
            return self._collecting(program)
        if program is not None and isinstance(plan.window, Sliding):
            return self._gliding(program, plan.window)
        if program is None or not (self.stateless and self.output.may_pass):
            return None
        kernel = single.kernel("flow_sift")
        if kernel is None:
            return None
        kinds = [a.type for a in plan.selecting.attributes]
        return Sifting(plan.attributes, program, kinds, self.output, kernel).take

    def _collecting(self, program: Program) -> Direct | None:
        kernel, grouping = single.kernel("flow_collect"), self._grouping()
        if kernel is None or grouping is None:
            return None
        by, sums = grouping
        rest = [by, len(self._kept), len(sums) // 2]
        rest += [*(place for _, place in self._kept), *sums]
        of = self._plan.attributes
        return Collecting(of, program, rest, self._flow, self._collected, kernel).take

    def _gliding(self, program: Program, window: Sliding) -> Direct | None:
        plan, grouping, output = self._plan, self._grouping(), self.output
        if plan.places is None or grouping is None or not (self._summed and output.tells_last):
            return None
        taking = gliding(
            plan.attributes,
            program,
            window,
            plan.selecting,
            plan.places,
            grouping,
            self._flow,
            output,
            self._window,
        )
        return None if taking is None else taking.take

    def direct_by_key(self, place: int, keys: Keys) -> Direct | None:
        plan, program, grouping, parts = (
            self._plan,
            self._plan.program,
            self._grouping(),
            self.parts,
        )
        if program is None or not isinstance(plan.window, Sliding) or plan.places is None:
            return None
        if grouping is None or grouping[0] >= 0 or self._kept or parts is None:
            return None
        if not (self._summed and self.output.tells_last):
            return None
        taking = rolling(
            plan.attributes,
            program,
            plan.window,
            plan.selecting,
            plan.places,
            grouping[1],
            (place, keys, parts),
            self._flow,
            self.output,
            self._holder.of_all,
        )
        return None if taking is None else taking.take

    def _window(self) -> Held | None:
        """Give what a window that slides remembers as a kernel takes it; None where it is not
        ready.
        """
        if self.parts is not None:
            return None
        state: State = self._holder.of_all()
        if self._held is None or self._held.queues is not state.window:
            self._held = held_of(state.groups, state.window, self._plan.selecting)
        return self._held

    def _grouping(self) -> tuple[int, list[int]] | None:
        """Give the column of words that rows are grouped by, -1: none, and the kind and column of
        each sum; None where kernels do not group or sum so.
        """
        kinds = [a.type for a in self._plan.attributes]
        by = [place for _, place in self._plan.selecting.group]
        if len(by) > 1 or any(kinds[at] is not Type.STRING for at in by):
            return None
        sums: list[int] = []
        for aggregate in self._plan.selecting.aggregates:
            argument = aggregate.argument
            if argument is None:
                sums += 0, 0
            elif argument.place is None or (aggregate.name, argument.kind) == ("avg", Type.LONG):
                return None
            else:
                sums += 1 if argument.kind in WHOLE else 2, argument.place[1]
        if len(sums) > 2 * single.MOST_COLUMNS:
            return None
        return by[0] if by else -1, sums

    def _collected(self) -> Collected | None:
        """Give what a batch remembers as a kernel takes it; None where it is not ready."""
        if self.parts is not None:
            return None
        state: State = self._holder.of_all()
        if self._ready is not None and self._ready.held is state.window:
            return self._ready
        known, group = state.groups, self._plan.selecting.group
        count = len(known.keys) if group else 1
        held = state.window.arrays(count)
        if held is None or not len(known.epochs.parts):
            return None
        codes = known.keys.columns[0] if group else None
        arrays = (*(codes.numbering if codes else (None, None)), known.epochs.groups)
        totals = [a for of in known.aggregates for t in of.totals for a in (t.totals, t.held)]
        self._ready = Collected(state.window, (*arrays, known.epochs.parts, *held, *totals), count)
        return self._ready

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
            return _texts_of(known), (len(known.keys), parts)
        return _pair_texts_of(known), (len(known.pairs), parts)

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


def _texts_of(known: Groups) -> Callable[[int], str]:
    return lambda code: known.keys.texts()[code]


def _pair_texts_of(known: Groups) -> Callable[[int], str]:
    return lambda code: known.keys.texts()[int(known.pairs.seconds[code])]
