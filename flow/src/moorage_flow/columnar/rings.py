"""Windows of a number of rows, one for each key, whose rows lie in one piece of memory each."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch import Index, Values
from .kernels import pieces
from .kernels.pieces import COLUMNS

OLDEST, HELD = range(2)
LEAST = 4
SPARE = 1 << 16
"""So much room more than is needed is no waste, in rows."""
WASTE = 4
"""So many times the rows held may all windows have room for: as much memory as rows in queues."""


class Rings:
    """The windows of all keys, of `most` rows each; `pieces` are their words, shape (keys, words),
    with room for `room` rows each. `words` are those the codes of each column stand for.
    """

    def __init__(self, dtypes: list[Any], most: int) -> None:
        self.dtypes = dtypes
        self.words: list[Values | None] = [None] * len(dtypes)
        self.most = most
        self.room = min(most, LEAST)
        self.pieces = np.zeros((0, self._width(self.room)), np.int64)
        self.turn = 0
        self._judged = self.pieces

    def _width(self, room: int) -> int:
        return COLUMNS + len(self.dtypes) * room

    @property
    def held(self) -> int:
        """How many rows are held."""
        return int(self.pieces[:, HELD].sum())

    def wasteful(self) -> bool:
        """Tell whether most of the memory holds nothing; it is looked at where there is more."""
        if self._judged is self.pieces:
            return False
        self._judged = self.pieces
        return len(self.pieces) * self.room > WASTE * self.held + SPARE

    def keys(self, known: int) -> None:
        """Make room for keys."""
        if known > len(self.pieces):
            more = np.zeros((max(known, 2 * len(self.pieces)), self.pieces.shape[1]), np.int64)
            more[: len(self.pieces)] = self.pieces
            self.pieces = more

    def longer(self) -> None:
        """Make windows twice as long."""
        keys, columns = self.rows()
        self.room = min(self.most, 2 * self.room)
        self._fill(len(self.pieces), keys, columns)

    def rows(self) -> tuple[Index, list[Index]]:
        """Give the rows held, by key and each key's oldest first: their keys and columns."""
        held, oldest = self.pieces[:, HELD], self.pieces[:, OLDEST]
        keys = np.repeat(np.arange(len(held)), held)
        nth = np.arange(len(keys)) - np.repeat(np.cumsum(held) - held, held)
        at = COLUMNS + (oldest[keys] + nth) % max(1, self.room)
        columns = [self.pieces[keys, at + j * self.room] for j in range(len(self.dtypes))]
        return keys, columns

    def load(self, known: int, keys: Index, columns: list[Values], room: int) -> None:
        """Take over rows, of each key the oldest first, none of which holds more than `room`."""
        while self.room < room:
            self.room = min(self.most, 2 * self.room)
        wide = [c.astype(np.int64) if c.itemsize < 8 else c.view(np.int64) for c in columns]
        order = np.argsort(keys, kind="stable")
        self._fill(known, keys[order], [column[order] for column in wide])

    def _fill(self, known: int, keys: Index, columns: list[Index]) -> None:
        """Begin anew with rows by key."""
        self.pieces = np.zeros((known, self._width(self.room)), np.int64)
        held = np.bincount(keys, minlength=known)
        self.pieces[:, HELD] = held
        nth = np.arange(len(keys)) - np.repeat(np.cumsum(held) - held, held)
        for j, column in enumerate(columns):
            self.pieces[keys, COLUMNS + j * self.room + nth] = column

    def values(self, column: int, words: Index) -> Values:
        """Give what a column's words stand for, in the type of its values."""
        dtype = self.dtypes[column]
        return words.astype(dtype) if dtype.itemsize < 8 else words.view(dtype)

    def put(self, keys: Index, given: list[Values]) -> None:
        """Let rows into their keys' windows."""
        at = 0
        while (at := pieces.put(keys, at, self.pieces, self.room, self.most, given)) < len(keys):
            self.longer()
