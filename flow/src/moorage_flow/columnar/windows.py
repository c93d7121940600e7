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
from .store import Buffer, Kept, grown


@dataclass(slots=True)
class Steps:
    """What passes a window: rows of its store, what each means and when, the selection's chunk and
    the call each belongs to.
    """

    rows: Index
    kinds: NDArray[np.int8]
    ts: Index
    chunks: Index
    calls: Index


@dataclass(slots=True)
class Arriving:
    """A batch on its way into a window: its first row in the store, its times, its chunks and
    partitions; `notify` sets a timer for a partition.
    """

    first: int
    ts: Index
    chunks: Index
    parts: Index
    time: Index
    now: int
    notify: Callable[[int, int], None]

    def __len__(self) -> int:
        return len(self.ts)


class Rows(Kept):
    """The rows a window holds: the columns needed later, each row's time and partition."""

    def __init__(self, kinds: list[Type]) -> None:
        self.columns = [Buffer(kind) for kind in kinds]
        self.ts = np.empty(0, np.int64)
        self.parts = np.empty(0, np.int64)
        self.groups = np.empty(0, np.int64)
        self.size = 0

    def put(self, columns: list[Column], ts: Index, parts: Index, groups: Index) -> int:
        """Add rows; give the position of the first."""
        first, end = self.size, self.size + len(ts)
        for buffer, column in zip(self.columns, columns, strict=True):
            buffer.put(first, column)
        for name, values in (("ts", ts), ("parts", parts), ("groups", groups)):
            array = grown(getattr(self, name), end)
            array[first:end] = values
            setattr(self, name, array)
        self.size = end
        return first

    def keep(self, index: Index) -> None:
        """Keep only the rows of an index."""
        for buffer in self.columns:
            buffer.keep(index)
        self.ts, self.parts, self.groups = self.ts[index], self.parts[index], self.groups[index]
        self.size = len(index)


class State(Kept):
    """The base of a window's state; `live` gives the rows still needed, `move` takes their new
    positions.
    """

    def __init__(self, kinds: list[Type]) -> None:
        self.rows = Rows(kinds)

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
        if self.rows.size < 1024 or self.count() * 2 > self.rows.size:
            return
        live = self.live()
        where = np.full(self.rows.size, -1, np.int64)
        where[live] = np.arange(len(live))
        self.rows.keep(live)
        self.move(where)
