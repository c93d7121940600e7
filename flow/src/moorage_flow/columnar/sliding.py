"""Windows that slide: rows leave one by one, by number or by age.

The rows are those of `moorage_flow.windows.sliding`, in its order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..events import CURRENT, EXPIRED
from ..language.syntax import Type
from . import kernels
from .batch import Index
from .store import grown
from .windows import Arriving, State, Steps


class Queues(State):
    """For each partition a queue of rows, linked through `following`; times by which rows leave in
    `time`.
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
        self.following = grown(self.following, self.rows.size, -1)
        self.time = grown(self.time, self.rows.size)
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
        size = self.rows.size
        old = np.flatnonzero(where >= 0)
        after = self.following[old]
        self.following = np.where(after >= 0, where[after], -1)
        self.time = self.time[old]
        for ends in (self.head, self.tail):
            kept = self.length > 0
            ends[kept] = where[ends[kept]]
            ends[~kept] = -1
        assert len(self.following) == size

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
        count = len(coming)
        parts_seen = int(coming.parts.max()) + 1 if count else 1
        state.room(parts_seen)
        end = coming.first + count
        state.time[coming.first : end] = coming.time if self.external else coming.ts
        limit: Any = None
        if self.span is not None:
            now = coming.time if self.external else np.full(count, coming.now)
            limit = now - self.span
        rows, kinds, at = kernels.slide(
            state.following,
            state.head,
            state.tail,
            state.length,
            state.time,
            coming.parts,
            limit,
            coming.first,
            -1 if self.length is None else self.length,
            resets=self.span is None,
        )
        if self.span is not None and not self.external:
            for row in self.alarms(state, coming).tolist():
                coming.notify(int(coming.parts[row]), int(coming.ts[row]) + self.span)
        left = coming.time[at] if self.external else np.int64(coming.now)
        # With a length of 0 a row leaves as it comes, at its own time.
        ts = np.where((kinds == CURRENT) | (rows == coming.first + at), state.rows.ts[rows], left)
        return Steps(rows, kinds, ts, coming.chunks[at], coming.chunks[at])

    def expire(self, state: Queues, part: int, now: int) -> Steps | None:
        """Let out what is too old at a time."""
        assert self.span is not None
        if part >= len(state.head):
            return None
        rows = kernels.expire(
            state.following, state.head, state.length, state.time, part, now - self.span
        )
        if not len(rows):
            return None
        zeros = np.zeros(len(rows), np.int64)
        return Steps(rows, np.full(len(rows), EXPIRED, np.int8), zeros + now, zeros, zeros)

    def alarms(self, state: Queues, coming: Arriving) -> Index:
        """Give the arriving rows a timer is set for: those later than all before them, or each."""
        if self.each:
            return np.arange(len(coming))
        later = np.flatnonzero(coming.ts > state.last[coming.parts])
        if not coming.parts.any():
            before = np.maximum.accumulate(coming.ts)[:-1]
            first = np.concatenate([state.last[:1], np.maximum(before, state.last[0])])
            later = np.flatnonzero(coming.ts > first)
            if len(later):
                state.last[0] = coming.ts[later[-1]]
            return later
        found = []
        for at in later.tolist():
            part, ts = coming.parts[at], coming.ts[at]
            if ts > state.last[part]:
                state.last[part] = ts
                found.append(at)
        return np.array(found, np.int64)
