"""Joins in columns: each side's rows are chained by key, and met by the events of the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..events import CURRENT, EXPIRED, RESET, Event, StateEvent
from ..flow import Flow
from ..language.syntax import Type
from . import kernels
from .batch import Batch, Column, Index, concat, objects_of
from .conditions import like, plain
from .joining import Joining, Side, Taker
from .kernels import packed
from .meeting import Meeting, meeting
from .planned import Paired
from .rings import Pieced
from .selection import Groups, Output
from .sliding import Chained
from .store import Codes, Pairs
from .vector import View
from .windows import Arriving, Steps

MOST_PAIRS = 1 << 18
"""So many pairs, or those of one event, are looked at together."""


class State(Pieced):
    """All a join remembers."""

    def __init__(self, groups: Groups, left: Chained, right: Chained) -> None:
        self.groups = groups
        self.left = left
        self.right = right
        self.codes = Codes()
        self.pairs = Pairs()

    def side(self, at: int) -> Chained:
        """Give a side's rows."""
        return self.right if at else self.left


class JoinQuery(Paired):
    """A running join."""

    def __init__(self, flow: Flow, plan: Joining, output: Output) -> None:
        super().__init__(flow, output, plan.selecting)
        self._plan = plan
        # What leaves a window is paired only where it is told of or taken out of aggregates.
        self._expired = output.tells_expired or bool(plan.selecting.aggregates)
        # Pairs are told as they are where neither what leaves nor what is alone is told of.
        bare = plan.rest is None and not plan.selecting.aggregates and not output.tells_expired
        self._plain_from = [
            bare and not mine.outer and other.find is None
            for mine, other in (plan.sides, plan.sides[::-1])
        ]
        used = plan.used | plan.selecting.used | set(plan.selecting.group)
        self._kept = [sorted(p for frame, p in used if frame == at) for at in (0, 1)]
        kinds = [
            [side.attributes[place].type for place in kept]
            for side, kept in zip(plan.sides, self._kept, strict=True)
        ]
        self._keyed = [-1, -1]
        self._meeting: Meeting | None = None
        self._holder = flow.holder(
            lambda: State(plan.selecting.make(), Chained(kinds[0]), Chained(kinds[1]))
        )

    def activate(self) -> None:
        for at, timers in enumerate(self.side_timers):
            if timers is not None:
                timers.handler = self._expirer(at)

    def _expirer(self, at: int) -> Callable[[int], None]:
        return lambda _ts: self._expire(at)

    def taker(self, at: int) -> Taker:
        return Taker(self, at)

    def keyed(self, at: int, place: int) -> None:
        """Learn which attribute of a side the partition goes by."""
        self._keyed[at] = place
        if self.parts is not None and all(self._plain_from) and -1 not in self._keyed:
            self._meeting = meeting(self._plan, self._kept, self._keyed, self.parts, self.output)

    # --- Events of a side ---

    def _frames(self, at: int, columns: list[Column]) -> list[list[Column]]:
        frames: list[list[Column]] = [[], []]
        frames[at] = columns
        return frames

    def _view(self, at: int, batch: Batch) -> View:
        now = self._flow.clock.now
        return View(self._frames(at, batch.columns), batch.ts, now, batch.events)

    def take_coded(self, at: int, batch: Batch, codes: Index, table: Index | None) -> bool:
        """Take events of partitions whose numbers stand in `table` by their codes (None: the codes
        are these); tell whether it could be done.
        """
        met = self._meeting
        if met is None or not (self.output.passes and packed.here()):
            return False
        if table is not None and self._plan.sides[at].filters:
            return False  # Rows belong together as they come.
        pairs = met.take(self._holder.of_all(), at, batch, codes, table, self._flow.clock.now)
        if pairs:
            self.output.pass_on(pairs)
        return pairs is not None

    def take(self, at: int, batch: Batch) -> None:
        """Take events of a side."""
        side = self._plan.sides[at]
        for condition in side.filters:
            held = condition(self._view(at, batch))
            batch = batch if held.all() else batch.take(held)
            if not len(batch):
                return
        assert side.window is not None
        parts = batch.parts
        if parts is not None and self.take_coded(at, batch, parts, None):
            return
        state: State = self._holder.of_all()
        state.release(len(batch))
        window = state.side(at)
        view = self._view(at, batch)
        keys = self._keys(state, at, view, parts)
        window.settle()
        columns = [batch.columns[place] for place in self._kept[at]]
        first = window.rows.put(columns, batch.ts, parts, keys)
        for each in (state.left, state.right):
            each.keys(max(1, self._key_count(state)))
        if (
            self._plain_from[at]
            and self.output.passes
            and packed.here()
            and side.window.length != 0
        ):
            self._slide(state, at, batch, view, first)
            if side.triggers:
                self._meet_plainly(state, at, batch, keys)
            return
        now = self._flow.clock.now
        time = side.time.run(view).cells()[0] if side.time is not None else batch.ts

        def notify(part: int, due: list[int]) -> None:
            self.notify(at, part, due)

        coming = Arriving(first, batch.ts, batch.chunks, parts, time, now, notify)
        steps = side.window.pass_on(window, coming)
        if side.bare:
            assert steps.ts is not None
            steps.ts = np.where(steps.kinds == EXPIRED, np.int64(now), steps.ts)
        elif side.window.length != 0:
            window.pass_by(steps)
        if not side.triggers:
            return
        if self._plain_from[at] and self.output.passes:
            self._meet_plainly(state, at, batch, keys)
        else:
            self._meet(state, at, steps)

    def _slide(self, state: State, at: int, batch: Batch, view: View, first: int) -> None:
        """Let rows into a side's window and its chains, where nobody looks at what leaves."""
        side, held = self._plan.sides[at], state.side(at)
        assert side.window is not None
        time = side.time.run(view).cells()[0] if side.time is not None else batch.ts

        def notify(part: int, due: list[int]) -> None:
            self.notify(at, part, due)

        now, chunks, parts = self._flow.clock.now, batch.chunks, batch.parts
        coming = Arriving(first, batch.ts, chunks, parts, time, now, notify)
        side.window.chain(held, coming, self._part_count())

    def _part_count(self) -> int:
        return 1 if self.parts is None else len(self.parts())

    def _meet_plainly(self, state: State, at: int, batch: Batch, keys: Index | None) -> None:
        """Pair what comes with what the other side holds, where nothing else is told."""
        held = state.side(1 - at)
        asked = np.zeros(len(batch), np.int64) if keys is None else keys
        pairs = self._pairs(held, at, batch, asked) if packed.here() else None
        if pairs is not None:
            frames, ts, calls, parts = pairs
            if len(ts):
                self.tell_plainly(frames, ts, calls, parts)
            return
        probes, rows = kernels.probe(asked, held.key_head, held.key_held, held.key_following)
        if not len(probes):
            return
        frames = self._unread()
        for place in self._kept[at]:
            frames[at][place] = batch.columns[place].take(probes)
        for place, buffer in zip(self._kept[1 - at], held.rows.columns, strict=True):
            frames[1 - at][place] = buffer.take(rows)
        calls = None if batch.chunks is None else batch.chunks[probes]
        parts = None if self.parts is None or batch.parts is None else batch.parts[probes]
        self.tell_plainly(frames, batch.ts[probes], calls, parts)

    def _unread(self) -> list[list[Column]]:
        return [[Column(a.type) for a in side.attributes] for side in self._plan.sides]

    def _pairs(
        self, held: Chained, at: int, batch: Batch, asked: Index
    ) -> tuple[list[list[Column]], Index, Index | None, Index | None] | None:
        """Give the columns of all pairs, their times, chunks and partitions in one call; None where
        columns are not plain.
        """
        mine, columns, buffers = self._kept[at], batch.columns, held.rows.columns
        given = [values for place in mine if (values := plain(columns[place])) is not None]
        if len(given) < len(mine) or not all(buffer.plain for buffer in buffers):
            return None
        beside = [batch.ts]
        if batch.chunks is not None:
            beside.append(batch.chunks)
        inner = self.parts is not None and batch.parts is not None and self.output.inner
        if inner and batch.parts is not None:
            beside.append(batch.parts)
        chains = held.key_head, held.key_held, held.key_following
        count, of_mine, of_others = packed.pairs(
            np.ascontiguousarray(asked, np.int64),
            chains,
            [*given, *beside],
            [buffer.values for buffer in buffers],
        )
        frames = self._unread()
        if not count:
            return frames, batch.ts[:0], None, None
        for place, values in zip(mine, of_mine, strict=False):
            frames[at][place] = like(columns[place], values)
        for place, buffer, values in zip(self._kept[1 - at], buffers, of_others, strict=True):
            frames[1 - at][place] = buffer.holding(values)
        ts, *rest = of_mine[len(mine) :]
        calls = rest.pop(0) if batch.chunks is not None else None
        return frames, ts, calls, rest.pop() if inner else None

    def _keys(self, state: State, at: int, view: View, parts: Index | None) -> Index | None:
        """Give each row's key (None: all have one), -1 where it has none."""
        key = self._plan.key
        if key is None:
            return parts
        column = key[at].run(view)
        codes = state.codes.of(column)
        if parts is not None:
            codes = state.pairs.of(parts, codes)
        nulls = column.missing()
        return codes if nulls is None else np.where(nulls, -1, codes)

    def _key_count(self, state: State) -> int:
        if self._plan.key is not None:
            return len(state.codes if self.parts is None else state.pairs)
        return self._part_count()

    def _expire(self, at: int) -> None:
        side = self._plan.sides[at]
        state: State = self._holder.of_all()
        assert side.window is not None
        part = 0 if self.parts is None else self.parts().by_text[self._flow.partition]
        steps = side.window.expire(state.side(at), part, self._flow.clock.now)
        if steps is None:
            return
        state.side(at).pass_by(steps)
        if side.triggers:
            self._meet(state, at, steps)

    # --- Pairs ---

    def _meet(self, state: State, at: int, steps: Steps) -> None:
        """Pair each step with what the other side holds, and select from the pairs."""
        other = self._plan.sides[1 - at]
        asking = steps.kinds == CURRENT
        if self._expired:
            asking |= steps.kinds == EXPIRED
        if other.find is not None:
            probes, columns = self._find(state, at, steps, asking, other)
        else:
            probes, columns = self._probe(state, at, steps, asking)
        # A step without a pair is told with nothing: a reset, or where the join is an outer one.
        alone = steps.kinds == RESET
        if self._plan.sides[at].outer:
            lonely = asking.copy()
            lonely[probes] = False
            alone = alone | lonely
        single = np.flatnonzero(alone)
        if not len(probes) and not len(single):
            return
        if len(single):
            nothing = [_nothing(column.kind, len(single)) for column in columns]
            order = np.argsort(np.concatenate([probes, single]), kind="stable")
            probes = np.concatenate([probes, single])[order]
            columns = [
                concat([column, none]).take(order)
                for column, none in zip(columns, nothing, strict=True)
            ]
        rows = state.side(at).rows
        taken = steps.rows[probes]
        frames: list[list[Column]] = [[], []]
        for frame, places, held in (
            (at, self._kept[at], [b.take(taken) for b in rows.columns]),
            (1 - at, self._kept[1 - at], columns),
        ):
            frames[frame] = [Column(Type.OBJECT)] * len(self._plan.sides[frame].attributes)
            for place, column in zip(places, held, strict=True):
                frames[frame][place] = column
        pairs = Steps(
            np.arange(len(probes)),
            steps.kinds[probes],
            steps.when(probes),
            None,
            probes,
            None if steps.calls is None else steps.calls[probes],
        )
        parts = None if self.parts is None else rows.parts[taken]
        self.tell(state.groups, pairs, frames, parts, self._flow.clock.now)

    def _find(
        self, state: State, at: int, steps: Steps, asking: Any, other: Side
    ) -> tuple[Index, list[Column]]:
        """Look a table's rows up for each step that asks."""
        assert other.find is not None
        side, held = self._plan.sides[at], state.side(at)
        lists = {
            p: b.take(steps.rows).to_list()
            for p, b in zip(self._kept[at], held.rows.columns, strict=True)
        }
        width = len(side.attributes)
        times = steps.when(np.arange(len(steps.rows))).tolist()
        probes: list[int] = []
        found: list[Event] = []
        kinds = steps.kinds.tolist()
        for step in np.flatnonzero(asking).tolist():
            kind = kinds[step]
            probe = StateEvent(2, times[step], kind)
            data = [lists[p][step] if p in lists else None for p in range(width)]
            probe.streams[at] = [Event(times[step], data, kind)]
            rows = other.find(probe)
            probes += [step] * len(rows)
            found += rows
        columns = [
            Column(
                other.attributes[p].type, objects=objects_of((e.data[p] for e in found), len(found))
            )
            for p in self._kept[1 - at]
        ]
        return np.array(probes, np.int64), columns

    def _probe(
        self, state: State, at: int, steps: Steps, asking: Any
    ) -> tuple[Index, list[Column]]:
        """Find the rows of the other side's window with the same key that meet the rest."""
        mine, held = state.side(at), state.side(1 - at)
        asked = np.where(asking, mine.rows.groups[steps.rows], -1)
        rest = self._plan.rest
        if rest is None:
            probes, rows = kernels.probe(asked, held.key_head, held.key_held, held.key_following)
            return probes, [b.take(rows) for b in held.rows.columns]
        sizes = np.where(asked >= 0, held.key_held[asked], 0)
        cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // MOST_PAIRS)) + 1
        pieces: list[tuple[Index, Index]] = []
        for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(asked)], strict=True):
            probes, rows = kernels.probe(
                asked[start:end], held.key_head, held.key_held, held.key_following
            )
            probes = probes + start
            frames: list[list[Column]] = [[], []]
            for frame, index, side in ((at, steps.rows[probes], mine), (1 - at, rows, held)):
                frames[frame] = [Column(Type.OBJECT)] * len(self._plan.sides[frame].attributes)
                for place, buffer in zip(self._kept[frame], side.rows.columns, strict=True):
                    frames[frame][place] = buffer.take(index)
            met = rest(View(frames, steps.when(probes), self._flow.clock.now, list))
            pieces.append((probes[met], rows[met]))
        rows = np.concatenate([rows for _, rows in pieces])
        return np.concatenate([p for p, _ in pieces]), [b.take(rows) for b in held.rows.columns]


def _nothing(kind: Type, count: int) -> Column:
    return Column(kind, objects=np.full(count, None, np.object_))
