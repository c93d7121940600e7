"""The kernels of windows that lie in one piece for each key: see `rings.c`. They are only here
where the library is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import library
from .library import address

Array = NDArray[Any]

COLUMNS = 4
"""So many words of a piece stand before its columns, as in `rings.c`: the first two are where its
oldest row is and how many it holds.
"""
UNKNOWN = -1
"""What `find` gives where a key is not known."""

_FIND, _COPY, _NEEDED, _PUT, _SPREAD = map(struct.Struct, ("12q", "8q", "5q", "6q", "6q"))


class Found(NamedTuple):
    """What rows meet: their keys, how many rows each meets, where these begin among the rows of all
    keys that are met, of which there are `total`, and how many pairs there are.
    """

    keys: Array
    met: Array
    places: Array
    total: int
    pairs: int


def find(codes: Array, table: Array | None, known: int, pieces: Array | None, turn: int) -> Found:
    """Find what rows meet.

    Args:
        codes: the rows' keys, or words whose keys stand in `table`.
        table: the keys of words, -1 for one that has none.
        known: how many keys there are; `pieces` has as many.
        pieces: what is held, shape (keys, words); None: nothing is met.
        turn: another number in each call.
    """
    assert library.opened is not None
    count = len(codes)
    room = np.empty(3 * count + 1, np.int64)
    at, width = address(room), 8 * count
    pairs = library.opened.flow_ring_find(
        _FIND.pack(
            *(count, address(codes)),
            *((0, 0) if table is None else (address(table), len(table))),
            *(known, at),
            *((0, 0) if pieces is None else (address(pieces), pieces.shape[1])),
            *(turn, at + width, at + 2 * width, at + 3 * width),
        )
    )
    total = room.item(3 * count) if pairs > 0 else 0
    parts = room[:count], room[count : 2 * count], room[2 * count : 3 * count]
    return Found(*parts, total, pairs)


def copy(found: Found, pieces: Array, room: int, columns: Sequence[int]) -> Array:
    """Give columns of what is met, one behind the other; of each key's rows the oldest first."""
    assert library.opened is not None
    held = np.empty((len(columns), found.total), np.int64)
    words: list[int] = []
    to, width = address(held), 8 * found.total
    for column in columns:
        words += column, to
        to += width
    before = [len(found.keys), address(found.keys), address(found.met), address(found.places)]
    before += address(pieces), pieces.shape[1], room, len(columns)
    library.opened.flow_ring_copy(_COPY.pack(*before) + struct.pack(f"{len(words)}q", *words))
    return held


def needed(keys: Array, pieces: Array, turn: int) -> int:
    """Tell how many rows the fullest of the keys has, with those that come; `turn` as in `find`."""
    assert library.opened is not None
    before = (len(keys), address(keys), address(pieces), pieces.shape[1], turn)
    return int(library.opened.flow_ring_needed(_NEEDED.pack(*before)))


def put(keys: Array, pieces: Array, room: int, given: Sequence[Array]) -> None:
    """Let rows into their keys' windows of `room` rows, the oldest out of those that are full."""
    assert library.opened is not None
    words: list[int] = []
    for column in given:
        words += address(column), column.itemsize
    before = (len(keys), address(keys), address(pieces), pieces.shape[1], room, len(given))
    library.opened.flow_ring_put(_PUT.pack(*before) + struct.pack(f"{len(words)}q", *words))


def spread(found: Found, column: Array, dtype: Any, *, held: bool) -> Array:
    """Give a column of the pairs: of what is met, where it is `held`, or of the rows that came."""
    assert library.opened is not None
    made: Array = np.empty(found.pairs, dtype)
    places = address(found.places) if held else 0
    before = (len(found.keys), address(found.met), places, address(column))
    library.opened.flow_ring_spread(_SPREAD.pack(*before, made.itemsize, address(made)))
    return made
