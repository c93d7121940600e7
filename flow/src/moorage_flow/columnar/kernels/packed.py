"""Kernels that take a whole batch in one call, over columns that are plain: 8 bytes or a bool a
value, without nulls.

What they are given is packed into words of 64 bits, which costs less than twenty arguments. They
are only here where the library is: without it, callers go the way in steps, which gives the same
rows.
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

INTEGERS, REALS, BOOLS, AS_REALS = range(4)
"""How a column is compared with a constant; the last: whole numbers with a real one."""

_TOGETHER = 8
"""So many of those that ask are looked at side by side, as in `join.c`."""


class Condition(NamedTuple):
    """A comparison of one column with a constant: how, the place of the comparison in
    `== != < <= > >=`, the column's place, the bits of the constant.
    """

    kind: int
    op: int
    place: int
    bits: int

    def words(self, values: Array) -> tuple[int, int, int, int]:
        """Give it for a column's values, packed."""
        return self.kind, self.op, address(values), self.bits


def bits_of(value: float) -> int:
    """Give the bits of a real number."""
    return int(struct.unpack("q", struct.pack("d", value))[0])


def _packed(words: Sequence[int]) -> bytes:
    return struct.pack(f"{len(words)}q", *words)


def here() -> bool:
    """Tell whether these kernels are here."""
    return library.opened is not None


def take(wanted: Sequence[tuple[Array, Array]]) -> list[Array]:
    """Give some rows of some columns, for each column and index."""
    assert library.opened is not None
    moved = [np.empty(len(index), column.dtype) for column, index in wanted]
    words = [len(wanted)]
    for (column, index), to in zip(wanted, moved, strict=True):
        words += len(index), address(index), address(column), address(to), column.itemsize
    library.opened.flow_gather(_packed(words))
    return moved


def look_up(codes: Array, table: Array) -> tuple[Array, bool, bool]:
    """Give the code of each word, whether one is new, and whether one is missing."""
    assert library.opened is not None
    found = np.empty(len(codes), np.int64)
    bad = library.opened.flow_look_up(
        len(codes), address(codes), len(table), address(table), address(found)
    )
    return found, bool(bad & 1), bool(bad & 2)


def runs(codes: Array, table: Array, before: Array | None) -> tuple[Array, Array, int]:
    """Give the partition of each word, the number of its run of rows of one partition and of one
    of the runs before, and the last number; -1 where a word is new or missing.
    """
    assert library.opened is not None
    parts, numbers = np.empty(len(codes), np.int64), np.empty(len(codes), np.int64)
    last = library.opened.flow_runs(
        len(codes),
        *(address(codes), address(table), None if before is None else address(before)),
        *(address(parts), address(numbers)),
    )
    return parts, numbers, last


def slide_chain(
    count: int,
    parts: Array | None,
    queues: tuple[Array, Array, Array, Array],
    time: Array,
    limit: Array | int | None,
    first: int,
    length: int,
    keys: Array,
    chains: tuple[Array, Array, Array, Array],
) -> None:
    """Let rows into windows that slide, out what must leave before each, and chain them by key."""
    assert library.opened is not None
    one = limit if isinstance(limit, int) else 0
    limits = None if limit is None or isinstance(limit, int) else limit
    library.opened.flow_slide_chain(
        count,
        None if parts is None else address(parts),
        *map(address, queues),
        address(time),
        *(int(limit is not None), one, None if limits is None else address(limits)),
        *(first, length, address(keys)),
        *map(address, chains),
    )


def pairs(
    asked: Array,
    chains: tuple[Array, Array, Array],
    mine: Sequence[Array],
    others: Sequence[Array],
) -> tuple[int, list[Array], list[Array]]:
    """Give how many rows of their keys' chains (heads, how many are held, what follows) rows meet,
    and the columns of these pairs: of those that ask and of those met.
    """
    assert library.opened is not None
    head, held, following = chains
    most = np.zeros(1, np.int64)
    count = library.opened.flow_meeting(len(asked), address(asked), address(held), address(most))
    if not count:
        return 0, [], []
    rows = np.empty(_TOGETHER * int(most[0]), np.int64)
    of_mine = [np.empty(count, column.dtype) for column in mine]
    of_others = [np.empty(count, column.dtype) for column in others]
    words = [len(asked), address(asked), address(head), address(held), address(following)]
    words += address(rows), len(mine), len(others), len(following)
    for columns, moved in ((mine, of_mine), (others, of_others)):
        for column, to in zip(columns, moved, strict=True):
            words += address(column), address(to), column.itemsize
    library.opened.flow_meet(_packed(words))
    return count, of_mine, of_others
