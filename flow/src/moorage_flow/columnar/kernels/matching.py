"""The kernel of `every A -> B within`, which keeps what waits in its own memory: see `match.c`."""

from __future__ import annotations

import struct
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import library
from .library import address

Array = NDArray[Any]

ENTERS, ASKS, ABLE = 1, 2, 4
"""What an event is: one that waits, one that completes, one that may be completed."""
UNKNOWN, UNORDERED = -1, -2
"""What `Block.run` gives where it has done nothing: a key is new, or event time went back."""
OF_TIME, OF_POSITION, OF_KEY = range(1 << 20, (1 << 20) + 3)
"""Columns of pairs besides those of their events: when each was complete, by which event of the
batch, and its key.
"""


def packed(words: Sequence[int]) -> bytes:
    """Give words of 64 bits one behind the other."""
    return struct.pack(f"{len(words)}q", *words)


class Block:
    """What waits of one pattern, its memory the kernel's own."""

    def __init__(self, plan: bytes) -> None:
        """Take a plan as `flow_match_new` says. Raises MemoryError."""
        assert library.opened is not None
        self._library = library.opened  # Another's address would mean nothing.
        self.at = self._library.flow_match_new(plan)
        if not self.at:
            raise MemoryError
        self._take, self._told = self._library.flow_match, self._library.flow_match_told
        weakref.finalize(self, self._library.flow_match_free, self.at)

    def run(self, words: bytes) -> int:
        """Take a batch; give how many pairs are complete, UNKNOWN or UNORDERED."""
        return _got(self._take(self.at, words))

    def told(self, words: bytes, columns: int) -> None:
        """Write columns of the pairs just told of, while their batch is there."""
        self._told(self.at, words, columns)

    def waiting(self) -> int:
        """Let go what is too old, and tell how many wait."""
        return int(self._library.flow_match_settle(self.at))

    def load(
        self, keys: Array, fresh: Array, latest: int, words: Sequence[Array], known: int
    ) -> None:
        """Take over what waits, in its order; `words` are the columns of its entries."""
        _got(self._library.flow_match_load(self.at, _moved(keys, fresh, latest, words, known)))

    def save(self, dtypes: Sequence[Any]) -> tuple[Array, Array, list[Array]]:
        """Give the keys of what waits, whether each is fresh, and the columns of its entries."""
        count = self.waiting()
        keys, fresh = np.empty(count, np.int64), np.empty(count, np.bool_)
        words = [np.empty(count, dtype) for dtype in dtypes]
        self._library.flow_match_save(self.at, _moved(keys, fresh, 0, words, 0))
        return keys, fresh, words


def _moved(keys: Array, fresh: Array, latest: int, words: Sequence[Array], known: int) -> bytes:
    given = [len(keys), known, latest, address(keys), address(fresh)]
    for column in words:
        given += address(column), column.itemsize
    return packed(given)


def _got(found: int) -> int:
    if found < UNORDERED:
        raise MemoryError
    return found


def order(head: Array, fresh_head: Array, following: Array, rows: int) -> tuple[Array, Array]:
    """Give the rows that wait in queues by partition, in their order, and which are fresh."""
    assert library.opened is not None
    found, fresh = np.empty(rows, np.int64), np.empty(rows, np.bool_)
    count = library.opened.flow_match_order(
        len(head), *map(address, (head, fresh_head, following, found, fresh))
    )
    return found[:count], fresh[:count]
