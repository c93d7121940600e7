"""Windows over columns: each batch of rows becomes the steps its events take through the window.

A step is a row of the window's store and what it means: current, expired or reset. The rows are the
reference's (`moorage_flow.windows`), in its order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..language.syntax import Type
from .batch import Column, Index
from .kernels.plain import Moving
from .store import Buffer, Kept, grown, kept


@dataclass(slots=True)
class Steps:
    """What passes a window: rows of its store and what each means; the selection's chunk and the
    call each belongs to, ascending, None where all are one.

    `times` are those of the store's rows, `ts` the steps' own where they are others. With `moving`
    the steps are only those that come; what leaves before each is settled with the aggregators.
    """

    rows: Index
    kinds: NDArray[np.int8]
    times: Index
    ts: Index | None = None
    chunks: Index | None = None
    calls: Index | None = None
    moving: Moving | None = None

    def when(self, chosen: Index) -> Index:
        """Give the times of some steps."""
        return self.times[self.rows[chosen]] if self.ts is None else self.ts[chosen]


@dataclass(slots=True)
class Arriving:
    """A batch on its way into a window: its first row in the store, its times, its chunks and
    partitions (None: all are one); `notify` sets timers for a partition.

    `watched` tells whether what leaves is looked at; unwatched it may leave with what comes next.
    `summed` tells that nothing but kernels that sum sees the steps.
    """

    first: int
    ts: Index
    chunks: Index | None
    parts: Index | None
    time: Index
    now: int
    notify: Callable[[int, list[int]], None]
    watched: bool = True
    summed: bool = False

    def __len__(self) -> int:
        return len(self.ts)

    def part(self, at: int) -> int:
        """Give a row's partition."""
        return 0 if self.parts is None else int(self.parts[at])


LEAST = 8192
"""So many rows are not worth dropping any."""


class Rows(Kept):
    """The rows a window holds: the columns needed later, each row's time, partition and group."""

    def __init__(self, kinds: list[Type]) -> None:
        self.columns = [Buffer(kind) for kind in kinds]
        self.ts = np.empty(0, np.int64)
        self.parts = np.empty(0, np.int64)
        self.groups = np.empty(0, np.int64)
        self.size = 0

    def put(
        self, columns: list[Column], ts: Index, parts: Index | None, groups: Index | None
    ) -> int:
        """Add rows, of partition or group 0 where there is none; give the position of the first."""
        first, end = self.size, self.size + len(ts)
        for buffer, column in zip(self.columns, columns, strict=True):
            buffer.put(first, column)
        if end > len(self.ts):
            self.ts, self.parts = grown(self.ts, end), grown(self.parts, end)
            self.groups = grown(self.groups, end)
        self.ts[first:end] = ts
        self.parts[first:end] = 0 if parts is None else parts
        self.groups[first:end] = 0 if groups is None else groups
        self.size = end
        return first

    @property
    def filled(self) -> slice:
        """The part of the arrays that holds rows."""
        return slice(0, self.size)

    def keep(self, index: Index) -> None:
        """Keep only the rows of an index."""
        for buffer in self.columns:
            buffer.keep(index)
        self.ts, self.parts = kept(self.ts, index), kept(self.parts, index)
        self.groups = kept(self.groups, index)
        self.size = len(index)


class State(Kept):
    """The base of a window's state; `live` gives the rows still needed, `move` takes their new
    positions.
    """

    def __init__(self, kinds: list[Type]) -> None:
        self.rows = Rows(kinds)
        self.full = LEAST

    def live(self) -> Index:
        """Give the rows still needed, ascending."""
        raise NotImplementedError

    def move(self, where: Index) -> None:
        """Take the rows' new positions."""
        raise NotImplementedError

    def count(self) -> int:
        """Tell how many rows are still needed."""
        raise NotImplementedError

    def settle(self) -> None:
        """Drop rows no longer needed once they are most of all."""
        if self.rows.size < self.full:
            return
        held = self.count()
        if held * 2 > self.rows.size:
            self.full = held * 2
            return
        self.full = max(LEAST, held * 2)
        live = self.live()
        where = np.full(self.rows.size, -1, np.int64)
        where[live] = np.arange(len(live))
        self.rows.keep(live)
        self.move(where)
