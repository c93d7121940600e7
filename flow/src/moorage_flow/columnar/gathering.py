"""Batches by time whose rows are only summed: sums are taken as rows come, and of each group the
last row is kept. What a batch costs at its end, and in memory, goes by its groups, not its rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..language.syntax import Type
from .batch import Column, Index
from .store import Buffer, Kept, grown
from .tumbling import Part


class Gathered(Kept):
    """What has come of a batch: by group the last row's columns and time, and the groups in the
    order of their first rows. `part` knows when the batch ends; its reset is due once a row is in.
    """

    def __init__(self, kinds: list[Type]) -> None:
        self.part = Part()
        self.columns = [Buffer(kind) for kind in kinds]
        self.ts = np.empty(0, np.int64)
        self.groups = np.empty(0, np.int64)
        self.size = 0
        # By group the batch it was last in; this one is `_turn`.
        self._batches = np.empty(0, np.int64)
        self._turn = 1

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._batches, self._turn = np.zeros(len(self.ts), np.int64), 1
        self._batches[self.told()] = self._turn

    def put(self, columns: list[Column], ts: Index, groups: Index, count: int) -> None:
        """Take the last rows of some groups, in the order they first came; `count` are known."""
        known = len(self.ts)
        if count > known:
            self.ts, self._batches = grown(self.ts, count), grown(self._batches, count)
        for buffer, column in zip(self.columns, columns, strict=True):
            buffer.write(groups, column, min(known, count), count)
        self.ts[groups] = ts
        fresh = groups[self._batches[groups] != self._turn]
        if len(fresh):
            end = self.size + len(fresh)
            self.groups = grown(self.groups, end)
            self.groups[self.size : end] = fresh
            self._batches[fresh] = self._turn
            self.size = end
        self.part.reset = 0

    @property
    def turn(self) -> int:
        """The number of this batch."""
        return self._turn

    def arrays(self, known: int) -> tuple[Any, ...] | None:
        """Give the times, turns and groups as a kernel takes them, and the columns, each with the
        words its codes are of; None where a column has nulls. So many groups are known.
        """
        self.groups = grown(self.groups, known)
        listed: list[Any] = [self.ts, self._batches, self.groups]
        for buffer in self.columns:
            if buffer.nulls is not None:
                return None
            listed += buffer.values, buffer.words
        return tuple(listed)

    def told(self) -> Index:
        """Give the groups of the batch."""
        return self.groups[: self.size]

    def clear(self) -> None:
        """Begin the next batch."""
        self.size = 0
        self._turn += 1
        self.part.reset = -1
