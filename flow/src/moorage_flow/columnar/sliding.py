"""Windows that slide: rows leave one by one, by number or by age.

The rows are those of `moorage_flow.windows.sliding`, in its order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..events import CURRENT, EXPIRED
from ..language.syntax import Type
from . import kernels
from .batch import Index
from .kernels import packed
from .kernels.plain import Moving
from .store import grown, kept
from .windows import Arriving, State, Steps


class Queues(State):
    """For each partition a queue of rows, linked through `following`; times by which rows leave in
    `time`, where they are not the rows' own.
    """

    def __init__(self, kinds: list[Type]) -> None:
        super().__init__(kinds)
        self.following = np.empty(0, np.int64)
        self.time = np.empty(0, np.int64)
        self.head = np.empty(0, np.int64)
        self.tail = np.empty(0, np.int64)
        self.length = np.empty(0, np.int64)
        self.last = np.empty(0, np.int64)

    def room(self, parts: int) -> None:
        """Make room for rows and partitions."""
        if self.rows.size > len(self.following):
            self.following = grown(self.following, self.rows.size, -1)
        if parts > len(self.head):
            self.head = grown(self.head, parts, -1)
            self.tail = grown(self.tail, parts, -1)
            self.length = grown(self.length, parts)
            self.last = grown(self.last, parts, -(1 << 63))

    def count(self) -> int:
        return int(self.length.sum())

    def live(self) -> Index:
        # Rows enter a queue in the order of the store: what is behind its head is still in it.
        size = self.rows.size
        parts = self.rows.parts[:size]
        first = np.where(self.length > 0, self.head, size)
        return np.flatnonzero(np.arange(size) >= first[parts])

    def move(self, where: Index) -> None:
        old = np.flatnonzero(where >= 0)
        after = self.following[old]
        self.following = kept(self.following, old)
        self.following[: len(old)] = np.where(after >= 0, where[after], -1)
        if len(self.time):
            self.time = kept(self.time, old)
        for ends in (self.head, self.tail):
            filled = self.length > 0
            ends[filled] = where[ends[filled]]
            ends[~filled] = -1

    def held(self, part: int) -> Index:
        """Give the rows a partition's window holds, oldest first."""
        if part >= len(self.head):
            return np.empty(0, np.int64)
        found = []
        at = int(self.head[part])
        for _ in range(int(self.length[part])):
            found.append(at)
            at = int(self.following[at])
        return np.array(found, np.int64)


class Chained(Queues):
    """A window's rows, chained by key as well; the key of a row is its group."""

    def __init__(self, kinds: list[Type]) -> None:
        super().__init__(kinds)
        self.key_head = np.empty(0, np.int64)
        self.key_tail = np.empty(0, np.int64)
        self.key_held = np.empty(0, np.int64)
        self.key_following = np.empty(0, np.int64)

    def keys(self, count: int) -> None:
        """Make room for keys and rows."""
        self.key_head = grown(self.key_head, count, -1)
        self.key_tail = grown(self.key_tail, count, -1)
        self.key_held = grown(self.key_held, count)
        self.key_following = grown(self.key_following, self.rows.size, -1)

    def move(self, where: Index) -> None:
        super().move(where)
        whole = np.append(where, -1)  # The last stands for no row.
        old = np.flatnonzero(where >= 0)
        size = len(where)
        after = self.key_following[old]
        self.key_following = kept(self.key_following, old)
        self.key_following[: len(old)] = whole[np.where(after < 0, size, after)]
        for ends in (self.key_head, self.key_tail):
            held = self.key_held > 0
            ends[held] = where[ends[held]]
            ends[~held] = -1

    def pass_by(self, steps: Steps) -> None:
        """Follow what enters and leaves the window."""
        kernels.chain(
            steps.rows,
            steps.kinds,
            self.rows.groups,
            self.key_head,
            self.key_tail,
            self.key_held,
            self.key_following,
        )


@dataclass(slots=True)
class Sliding:
    """`length`, `time`, `timeLength` and `externalTime`: rows leave by number, by age or both."""

    length: int | None
    span: int | None
    external: bool = False
    each: bool = False

    def make(self, kinds: list[Type]) -> Queues:
        """Make its state."""
        return Queues(kinds)

    def pass_on(self, state: Queues, coming: Arriving) -> Steps:
        """Let rows in, and out what must leave before each."""
        parts = coming.parts
        time, limit = self._leaving(state, coming, 1 if parts is None else int(parts.max()) + 1)
        if coming.summed and self.length != 0 and not coming.watched:
            if parts is not None and self.span is not None and not self.external:
                self._set_alarms(state, coming)
            return self._moving(state, coming, time, limit)
        rows, kinds, at = kernels.slide(
            (state.following, state.head, state.tail, state.length),
            time,
            len(coming),
            parts,
            limit,
            coming.first,
            -1 if self.length is None else self.length,
            resets=self.span is None,
        )
        # Before a row comes, all that is too old has left: without partitions and with nobody who
        # looks at it, nothing has to leave before.
        if (coming.watched or parts is not None) and self.span is not None and not self.external:
            self._set_alarms(state, coming)
        chunks = None if coming.chunks is None else coming.chunks[at]
        ts = None
        if coming.watched:
            left = coming.time[at] if self.external else np.int64(coming.now)
            # With a length of 0 a row leaves as it comes, at its own time.
            own = (kinds == CURRENT) | (rows == coming.first + at)
            ts = np.where(own, state.rows.ts[rows], left)
        return Steps(rows, kinds, state.rows.ts, ts, chunks, chunks)

    def chain(self, state: Chained, coming: Arriving, parts: int) -> None:
        """Let rows in, and out what must leave before each, and follow them by key."""
        time, limit = self._leaving(state, coming, parts)
        packed.slide_chain(
            len(coming),
            coming.parts,
            (state.following, state.head, state.tail, state.length),
            time,
            limit if limit is None or isinstance(limit, int) else np.ascontiguousarray(limit),
            coming.first,
            -1 if self.length is None else self.length,
            state.rows.groups,
            (state.key_head, state.key_tail, state.key_held, state.key_following),
        )
        if self.span is not None and not self.external:
            self._set_alarms(state, coming)

    def _leaving(
        self, state: Queues, coming: Arriving, parts: int
    ) -> tuple[Index, Index | int | None]:
        """Make room for rows and partitions; give the times rows leave by and the last that do."""
        state.room(parts)
        time, limit = state.rows.ts, None
        if self.external:
            end = coming.first + len(coming)
            time = state.time = grown(state.time, end)
            time[coming.first : end] = coming.time
        if self.span is not None:
            limit = coming.time - self.span if self.external else coming.now - self.span
        return time, limit

    def _moving(
        self, state: Queues, coming: Arriving, time: Index, limit: Index | int | None
    ) -> Steps:
        """Give what comes, its way into the window still before it."""
        count, first = len(coming), coming.first
        queues = (state.following, state.head, state.tail, state.length)
        length = -1 if self.length is None else self.length
        if limit is not None and not isinstance(limit, int):
            limit = np.ascontiguousarray(limit)
        return Steps(
            np.arange(first, first + count),
            np.zeros(count, np.int8),
            state.rows.ts,
            None,
            coming.chunks,
            coming.chunks,
            Moving(queues, time, count, limit, first, length),
        )

    def _set_alarms(self, state: Queues, coming: Arriving) -> None:
        """Set timers for when what comes will be too old."""
        assert self.span is not None
        rows = self.alarms(state, coming)
        times = coming.ts[rows] + self.span
        if coming.parts is None:
            if len(times):
                coming.notify(0, times.tolist())
            return
        by_part: dict[int, list[int]] = {}
        for part, time in zip(coming.parts[rows].tolist(), times.tolist(), strict=True):
            by_part.setdefault(part, []).append(time)
        for part, asked in by_part.items():
            coming.notify(part, asked)

    def expire(self, state: Queues, part: int, now: int) -> Steps | None:
        """Let out what is too old at a time."""
        assert self.span is not None
        if part >= len(state.head):
            return None
        time = state.time if self.external else state.rows.ts
        rows = kernels.expire(
            state.following, state.head, state.length, time, part, now - self.span
        )
        if not len(rows):
            return None
        ts = np.full(len(rows), now, np.int64)
        return Steps(rows, np.full(len(rows), EXPIRED, np.int8), state.rows.ts, ts)

    def alarms(self, state: Queues, coming: Arriving) -> Index:
        """Give the arriving rows a timer is set for: those later than all before them, or each."""
        if self.each:
            return np.arange(len(coming))
        if coming.parts is None:
            before = np.maximum.accumulate(coming.ts)[:-1]
            first = np.concatenate([state.last[:1], np.maximum(before, state.last[0])])
            later = np.flatnonzero(coming.ts > first)
            if len(later):
                state.last[0] = coming.ts[later[-1]]
            return later
        found = []
        later = np.flatnonzero(coming.ts > state.last[coming.parts])
        for at in later.tolist():
            part, ts = coming.parts[at], coming.ts[at]
            if ts > state.last[part]:
                state.last[part] = ts
                found.append(at)
        return np.array(found, np.int64)
