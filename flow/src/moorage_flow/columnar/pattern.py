"""`every A -> B within` in columns: each A waits, found by key, until a B completes it or its time
is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..flow import Flow, Holder
from ..language.syntax import Type
from ..streams import Direct
from . import kernels
from .batch import Batch, Column, Index
from .completing import Found, Numbering, completing
from .conditions import like
from .following import Following, Mask, Test
from .kernels import packed
from .kernels.matching import OF_KEY, OF_POSITION, OF_TIME, UNKNOWN
from .kernels.plain_patterns import BOTH, FIRST, SECOND, Waiting
from .matching import Held, Matcher, Told, letter_of
from .pending import State
from .planned import Keys, Paired
from .selection import Output
from .store import grown
from .vector import Vector, View
from .windows import Steps


@dataclass(slots=True)
class Matching:
    """What takes batches whole, and tells of all that is read of pairs, or of `chosen` attributes
    where these are what is selected.
    """

    matcher: Matcher
    every: Told
    chosen: list[tuple[int, int]]
    told: Told | None


def _told(
    matcher: Matcher,
    kinds: tuple[list[Type], list[Type]],
    places: list[tuple[int, int]],
    more: list[int],
) -> Told:
    wanted = [(frame, place, letter_of(kinds[frame][place])) for frame, place in places]
    return Told(matcher, wanted, more)


class Taker:
    """Takes the events of a pattern's stream."""

    def __init__(self, query: PatternQuery, mode: int) -> None:
        self._query = query
        self._mode = mode

    def __call__(self, batch: Batch) -> None:
        """Take events."""
        self._query.take(batch, self._mode)

    def coded(self, batch: Batch, codes: Index, table: Index) -> bool:
        """Take events by the codes of their partitions, as `PatternQuery.take_coded` does."""
        return self._query.take_coded(batch, self._mode, codes, table)


class PatternQuery(Paired):
    """A running pattern."""

    def __init__(self, flow: Flow, plan: Following, output: Output) -> None:
        super().__init__(flow, output, plan.selecting)
        self._plan = plan
        used = plan.selecting.used | set(plan.selecting.group)
        self._kept = sorted(place for frame, place in used if frame == 0)
        self._of_second = sorted(place for frame, place in used if frame == 1)
        self._kinds = [plan.attributes[0][place].type for place in self._kept]
        self._dtypes = [np.float64 if t.real else np.int64 for t in plan.tests]
        self._matching: Matching | None = None
        self._holder: Holder[State] = flow.holder(self.make)

    def make(self) -> State:
        """Make its state."""
        return State(self._plan.selecting.make(), self._kinds, self._dtypes)

    def taker(self, stream: int) -> Taker:
        """Give what takes the events of the first (0) or second (1) position's stream."""
        return Taker(self, BOTH if self._plan.same else (FIRST, SECOND)[stream])

    def take(self, batch: Batch, mode: int) -> None:
        """Take events as an A, a B or both."""
        plan, count = self._plan, len(batch)
        state: State = self._holder.of_all()
        if plan.plainly is not None and packed.here() and self._match(state, batch, mode):
            return
        state.release(0)
        state.spared += count
        state.settle()
        parts = np.zeros(count, np.int64) if batch.parts is None else batch.parts
        views = [self._view(batch)] * 2
        entering = np.full(count, -1, np.int64)
        asking = np.full(count, -1, np.int64)
        if mode != SECOND:
            index = _all(plan.enters, views[0], count).nonzero()[0]
            if len(index):
                entering[index] = self._enter(state, batch.take(index), parts[index])
        seconds: list[tuple[Any, Any]] = []
        if mode != FIRST:
            held = _all(plan.asks, views[1], count)
            for test in plan.tests:
                values, nulls = self._side(state, test.second, test, views[1])
                seconds.append((test.op, values))
                held = held if nulls is None else held & ~nulls
            keys, known = self._keys(state, 1, views[1], parts)
            asking = np.where(held if known is None else held & known, keys, -1)
        else:
            seconds = [(test.op, np.empty(0)) for test in plan.tests]
        part_count = 1 if self.parts is None else len(self.parts())
        queues = state.room(part_count, self._key_count(state, part_count))
        size = state.rows.size
        tests = [
            (op, values[:size], other)
            for values, (op, other) in zip(state.tests, seconds, strict=True)
        ]
        self._run(state, batch, mode, (batch.ts, parts, entering, asking), queues, tests)

    def _view(self, batch: Batch) -> View:
        return View([batch.columns] * 2, batch.ts, self._flow.clock.now, batch.events)

    def _run(
        self,
        state: State,
        batch: Batch,
        mode: int,
        coming: tuple[Index, Index, Index, Index],
        queues: Waiting,
        tests: list[tuple[int, Any, Any]],
    ) -> None:
        """Let events wait, and tell of what they complete."""
        rows = (state.rows.ts, state.keys, state.able)
        first, second = kernels.follow(mode, self._plan.within, coming, rows, queues, tests)
        if not len(first):
            return
        kept = [buffer.take(first) for buffer in state.rows.columns]
        others = {place: batch.columns[place].take(second) for place in self._of_second}
        calls = second if self._plan.same else np.arange(len(first))
        self._tell(state, kept, others, batch.ts[second], coming[1][second], calls)

    # --- In one call ---

    def direct(self) -> Direct | None:
        key = self._plan.key
        if key is None:
            return self.directly(-1, lambda: (None, None))
        place = key[0].place
        if place is None or key[0].kind is not Type.STRING:
            return None
        return self.directly(place[1], lambda: self._holder.of_all().codes.numbering)

    def direct_by_key(self, place: int, keys: Keys) -> Direct | None:
        if self._plan.attributes[0][place].type is not Type.STRING:
            return None
        return self.directly(place, keys.numbering)

    def directly(self, by: int, numbering: Callable[[], Numbering]) -> Direct | None:
        """Give what takes what is sent to the only stream as it is; None where nothing does.

        Args:
            by: the attribute of words that holds the keys; -1: there are none.
            numbering: gives the numbers of the keys by the codes of the words that came last, and
            these words.
        """
        plan, attributes = self._plan, self._plan.attributes[0]
        apart = plan.key is not None and self.parts is not None
        if plan.plainly is None or not plan.same or apart or not packed.here():
            return None
        matching = self._matching = self._matching or self._prepared(by)
        if matching.told is None:
            return None

        def find() -> Found | None:
            state: State = self._holder.of_all()
            if state.held is None:
                return None
            keys = 1 if by < 0 else len(state.codes if self.parts is None else self.parts())
            return state.held, numbering(), keys

        of = (matching.matcher, matching.chosen)
        return completing(attributes, of, by, self._flow, self.output, find)

    def take_coded(self, batch: Batch, mode: int, codes: Index, table: Index) -> bool:
        """Take events of known partitions, whose numbers stand in `table` by their codes; tell
        whether it could be done.
        """
        if self._plan.plainly is None or self._plan.key is not None or self.parts is None:
            return False
        state: State = self._holder.of_all()
        return self._run_kernel(state, batch, mode, codes, table, len(self.parts())) == 1

    def _match(self, state: State, batch: Batch, mode: int) -> bool:
        """Do it all in one call; tell whether it could be done."""
        key = self._plan.key
        if key is None:
            parts = 1 if self.parts is None else len(self.parts())
            return self._run_kernel(state, batch, mode, batch.parts, None, parts) == 1
        if self.parts is not None:
            return False
        side = key[mode == SECOND]
        column = side.run(self._view(batch)) if side.place is None else batch.columns[side.place[1]]
        table = state.codes.table(column)
        if table is not None and column.codes is not None:
            keys = len(state.codes)
            done = self._run_kernel(state, batch, mode, column.codes, table, keys)
            if done != UNKNOWN:
                return done == 1
        if column.missing() is not None:
            return False
        codes = state.codes.of(column)
        return self._run_kernel(state, batch, mode, codes, None, len(state.codes)) == 1

    def _run_kernel(
        self,
        state: State,
        batch: Batch,
        mode: int,
        codes: Index | None,
        table: Index | None,
        keys: int,
    ) -> int:
        """Take a batch as `Matcher.run` does: give 1 where it is done, 0 where it cannot be, or
        UNKNOWN.
        """
        matching = self._matching
        if matching is None:
            matching = self._matching = self._prepared()
        found = matching.matcher.run(state, batch, mode, codes, table, keys)
        if found is None:
            return 0
        if found < 0:
            return UNKNOWN
        if found:
            assert state.held is not None
            self._tell_found(state, state.held, matching, batch, found)
        return 1

    def _prepared(self, by: int = -1) -> Matching:
        """Prepare what takes batches whole; `by` is the attribute of words that is the key of both
        events, -1: there is none.
        """
        plan, passing = self._plan, self._selecting.vectors
        assert plan.plainly is not None
        of_first, of_second = plan.attributes
        kinds = [a.type for a in of_first], [a.type for a in of_second]
        matcher = Matcher(
            plan.plainly,
            plan.within,
            alone=plan.key is None,
            kinds=kinds,
            kept=self._kept,
            seconds=self._of_second,
            key=None if by < 0 else (by, self._texts),
        )
        places = [(0, place) for place in self._kept] + [(1, place) for place in self._of_second]
        every = _told(matcher, kinds, places, [OF_TIME, OF_POSITION, OF_KEY])
        chosen = [vector.place for vector in passing if vector.place is not None]
        if len(chosen) < len(passing) or self._selecting.aggregates:
            return Matching(matcher, every, [], None)
        told = _told(matcher, kinds, chosen, [OF_TIME, OF_POSITION])
        return Matching(matcher, every, chosen, told)

    def _texts(self, state: State) -> list[str]:
        """Give the words of the keys by their numbers."""
        return (state.codes if self.parts is None else self.parts()).texts()

    def _tell_found(
        self, state: State, held: Held, matching: Matching, batch: Batch, count: int
    ) -> None:
        """Tell of the pairs a kernel has found."""
        first = dict(zip(self._kept, held.words, strict=True))
        kinds = self._plan.attributes

        def column(frame: int, place: int, values: Any) -> Column:
            if frame or place == matching.matcher.key:
                return like(batch.columns[place], values)
            kind = kinds[0][place].type
            if kind is Type.STRING:
                return Column(kind, codes=values, words=first[place])
            return Column(kind, values)

        if matching.told is not None and self.output.passes and not self.output.inner:
            *found, ts, calls = matching.told.of(held, count)
            columns = [
                column(frame, place, values)
                for (frame, place), values in zip(matching.chosen, found, strict=True)
            ]
            if not self._plan.same:
                calls = np.arange(count)
            chunks = None if calls[0] == calls[-1] else calls
            self.output.pass_on(Batch(columns, ts, chunks=chunks))
            return
        *found, ts, calls, parts = matching.every.of(held, count)
        if not self._plan.same:
            calls = np.arange(count)
        kept = [column(0, p, v) for p, v in zip(self._kept, found, strict=False)]
        others = zip(self._of_second, found[len(kept) :], strict=True)
        of_second = {place: column(1, place, values) for place, values in others}
        self._tell(state, kept, of_second, ts, parts, calls)

    # --- Rows that wait ---

    def _enter(self, state: State, come: Batch, parts: Index) -> Index:
        plan = self._plan
        view = View([come.columns] * 2, come.ts, self._flow.clock.now, come.events)
        able = _all(plan.able, view, len(come))
        keys, known = self._keys(state, 0, view, parts)
        able = able if known is None else able & known
        columns = [come.columns[place] for place in self._kept]
        first = state.rows.put(columns, come.ts, parts, None)
        size = state.rows.size
        for at, test in enumerate(plan.tests):
            values, nulls = self._side(state, test.first, test, view)
            state.tests[at] = grown(state.tests[at], size)
            state.tests[at][first:size] = values
            able = able if nulls is None else able & ~nulls
        state.able, state.keys = grown(state.able, size), grown(state.keys, size)
        state.able[first:size], state.keys[first:size] = able, keys
        return np.arange(first, size)

    def _keys(self, state: State, side: int, view: View, parts: Index) -> tuple[Index, Any]:
        """Give each row's key, and which rows have one (None: all)."""
        if self._plan.key is None:
            return parts, None
        column = self._plan.key[side].run(view)
        nulls = column.missing()
        codes = state.codes.of(column)
        if self.parts is not None:
            codes = state.pairs.of(parts, codes)
        return codes, None if nulls is None else ~nulls

    def _key_count(self, state: State, parts: int) -> int:
        if self._plan.key is None:
            return parts
        return len(state.codes if self.parts is None else state.pairs)

    def _side(self, state: State, vector: Vector, test: Test, view: View) -> tuple[Any, Any]:
        column = vector.run(view)
        if vector.kind in {Type.STRING, Type.BOOL}:
            return state.texts.of(column), column.missing()
        values, nulls = column.cells()
        return np.ascontiguousarray(values, np.float64 if test.real else np.int64), nulls

    # --- Complete ones ---

    def _tell(
        self,
        state: State,
        kept: list[Column],
        others: dict[int, Column],
        ts: Index,
        parts: Index,
        calls: Index,
    ) -> None:
        """Tell of complete pairs: the columns kept of the first events, those of the second by
        place, when each was complete, its partition and its call.
        """
        frames = [[Column(a.type) for a in attributes] for attributes in self._plan.attributes]
        for column, place in zip(kept, self._kept, strict=True):
            frames[0][place] = column
        for place, column in others.items():
            frames[1][place] = column
        of = None if self.parts is None else parts
        if self.output.passes and not self._selecting.aggregates:
            self.tell_plainly(frames, ts, calls, of)
            return
        pairs = np.arange(len(ts))
        steps = Steps(pairs, np.zeros(len(ts), np.int8), ts, None, pairs, calls)
        self.tell(state.groups, steps, frames, of, self._flow.clock.now)


def _all(masks: list[Mask], view: View, count: int) -> Any:
    if not masks:
        return np.ones(count, np.bool_)
    held = masks[0](view)
    for mask in masks[1:]:
        held = held & mask(view)
    return held
