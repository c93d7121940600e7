"""Windows of a number of rows, one for each key, whose rows lie in one piece of memory each."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch import Index, Values
from .kernels.pieces import COLUMNS
from .sliding import Queues
from .store import Buffer, Kept

OLDEST, HELD = range(2)
LEAST = 4
SPARE = 1 << 16
"""So much room more than is needed is no waste, in rows."""
WASTE = 4
"""So many times the rows held may all windows have room for: as much memory as rows in queues."""


class Pieced(Kept):
    """What a query remembers. Where windows lie in pieces (`rings`, whose `give_up` ends that)
    there are no other rows; `later` are those that come in steps before it is tried again.
    """

    rings: Any = None
    later = 0

    def release(self, coming: int = 0) -> None:
        """Take the rows from the pieces they lie in; `coming` go in steps now."""
        if self.rings is not None:
            self.later = self.rings.give_up(self)
            self.rings = None
        self.later -= coming

    def __getstate__(self) -> dict[str, Any]:
        later = 0 if self.rings is not None else self.later
        self.release()
        self.later = later
        plain = super().__getstate__()
        for name in ("rings", "later"):
            plain.pop(name, None)
        return plain


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

    def _width(self, room: int) -> int:
        return COLUMNS + len(self.dtypes) * room

    def next(self) -> int:
        """Begin a turn: give its number."""
        self.turn += 1
        return self.turn

    @property
    def held(self) -> int:
        """How many rows are held."""
        return int(self.pieces[:, HELD].sum())

    def keys(self, known: int) -> bool:
        """Make room for keys; tell whether that is no waste."""
        have = len(self.pieces)
        if known <= have:
            return True
        held = self.held
        sizes = (max(known, 2 * have), max(known, have + have // 4))
        size = next((size for size in sizes if _fits(size, self.room, held)), 0)
        if size:
            more = np.zeros((size, self.pieces.shape[1]), np.int64)
            more[:have] = self.pieces
            self.pieces = more
        return size > 0

    def longer(self, needed: int, coming: int) -> bool:
        """Make room for the rows that come, of one key for `needed` with those it holds; tell
        whether that is no waste.
        """
        room = self._room(needed)
        if room > self.room:
            if not _fits(len(self.pieces), room, self.held + coming):
                return False
            keys, columns = self.rows()
            self.room = room
            self._fill(len(self.pieces), keys, columns)
        return True

    def _room(self, needed: int) -> int:
        room = self.room
        while room < min(needed, self.most):
            room = min(self.most, 2 * room)
        return room

    def rows(self) -> tuple[Index, list[Index]]:
        """Give the rows held, by key and each key's oldest first: their keys and columns."""
        held, oldest = self.pieces[:, HELD], self.pieces[:, OLDEST]
        keys = np.repeat(np.arange(len(held)), held)
        nth = np.arange(len(keys)) - np.repeat(np.cumsum(held) - held, held)
        at = COLUMNS + (oldest[keys] + nth) % max(1, self.room)
        columns = [self.pieces[keys, at + j * self.room] for j in range(len(self.dtypes))]
        return keys, columns

    def load(self, known: int, keys: Index, columns: list[Values], needed: int) -> bool:
        """Take over rows, of each key the oldest first and at most `needed`; tell whether that is
        no waste.
        """
        self.room = self._room(needed)
        if not _fits(known, self.room, len(keys)):
            return False
        wide = [c.astype(np.int64) if c.itemsize < 8 else c.view(np.int64) for c in columns]
        order = np.argsort(keys, kind="stable")
        self._fill(known, keys[order], [column[order] for column in wide])
        return True

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


def _fits(keys: int, room: int, held: int) -> bool:
    """Tell whether room for so many rows of each key is no waste, where so many are held."""
    return keys * room <= WASTE * held + SPARE


def taken_over(
    state: Pieced, side: Queues, buffers: list[Buffer], dtypes: list[Any], most: int, known: int
) -> Rings | None:
    """Give the rows of queues by key in pieces; None where too few came since they last lay so,
    where a column kept is not plain, or where it would be a waste.

    Args:
        state: what the query remembers.
        side: the queues.
        buffers: the columns that are kept, in the types `dtypes`.
        dtypes: what numpy holds them as.
        most: how many rows a window has.
        known: how many keys there are.
    """
    if state.later > 0:
        return None
    ring = Rings(dtypes, most)
    index = side.live() if len(side.head) else np.empty(0, np.int64)
    if not len(index):
        return ring
    if all(_plain(b, index, dtype) for b, dtype in zip(buffers, dtypes, strict=True)):
        ring.words = [buffer.words for buffer in buffers]
        values = [buffer.values[index] for buffer in buffers]
        if ring.load(known, side.rows.parts[index], values, int(side.length.max())):
            return ring
    state.later = len(index)
    return None


def _plain(buffer: Buffer, index: Index, dtype: Any) -> bool:
    """Tell whether some rows of a buffer are numbers, bools or codes, none of which is null."""
    if buffer.nulls is not None and buffer.nulls[index].any():
        return False
    return (buffer.typed or buffer.words is not None) and buffer.values.dtype == dtype


def queue(side: Queues, keys: Index) -> Index:
    """Put all rows of a side, those of one key together, into the queues of their keys; give where
    each key's begin.
    """
    count = len(keys)
    rows = side.rows
    # No row leaves by its time, so that nobody asks for it.
    rows.ts, rows.parts, rows.size = np.zeros(count, np.int64), keys, count
    rows.groups = keys.copy()
    ends = np.append(keys[1:] != keys[:-1], True)
    last = np.flatnonzero(ends)
    first = np.append(0, last[:-1] + 1)
    side.room(int(keys.max()) + 1)
    of = keys[first]
    side.head[of], side.tail[of], side.length[of] = first, last, last - first + 1
    side.following[:count] = np.where(ends, -1, np.arange(1, count + 1))
    return first
