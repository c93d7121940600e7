"""`every A -> B within` in one call of a kernel for a batch, where its columns are plain: which
events become an A, what is kept of them, and which pairs are complete.

State and rows are those of the way in steps (`pattern`), so that each batch may go either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .batch import Batch, Column, Index, Values
from .conditions import plain
from .kernels import packed
from .kernels.library import address as at
from .kernels.packed import Condition
from .kernels.plain_patterns import FIRST, SECOND
from .store import Buffer, grown

if TYPE_CHECKING:
    from .pattern import State


_LETTERS = "ld?l"
"""How the values of a condition are held, by how it is compared."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A comparison of an A's attribute with its B's: whether of real numbers, its position in
    `TESTS` of the kernels, both places.
    """

    real: bool
    op: int
    first: int
    second: int


@dataclass(slots=True)
class Plainly:
    """A pattern whose conditions compare single attributes: which become an A, which A any B
    completes, which may be a B, and what must hold between the two.
    """

    enters: list[Condition]
    able: list[Condition]
    asks: list[Condition]
    tests: list[Beside]


class Matcher:
    """Runs batches of one pattern; `kept` are the places of an A's attributes that are kept."""

    def __init__(self, plan: Plainly, within: int, kept: list[int]) -> None:
        self._plan = plan
        self._within = within
        self._kept = kept
        # By place, how the values read must be held, in numpy's letters; what is only kept goes by
        # its buffer.
        reals = {test: "d" if test.real else "l" for test in plan.tests}
        self._of_first = dict.fromkeys(kept, "")
        self._of_first |= {c.place: _LETTERS[c.kind] for c in (*plan.enters, *plan.able)}
        self._of_first |= {test.first: letter for test, letter in reals.items()}
        self._of_second = {c.place: _LETTERS[c.kind] for c in plan.asks}
        self._of_second |= {test.second: letter for test, letter in reals.items()}
        self._found = np.empty(0, np.int64), np.empty(0, np.int64)

    def run(
        self, state: State, batch: Batch, mode: int, keys: Index | None, sizes: tuple[int, int]
    ) -> tuple[Index, Index] | None:
        """Let events wait, and give the rows and events of the pairs they complete, to be used
        before the next call; None, and nothing is done, where columns are not plain.

        Args:
            state: what waits.
            batch: the events.
            mode: whether they are an A, a B or both.
            keys: their keys; None: their partitions are.
            sizes: how many partitions and keys there are.
        """
        columns = batch.columns
        held: dict[int, Values] = {}
        for letters, other in ((self._of_first, SECOND), (self._of_second, FIRST)):
            for place, letter in letters.items() if mode != other else ():
                values = plain(columns[place])
                if values is None or (letter and values.dtype.char != letter):
                    return None
                held[place] = values
        if mode != SECOND:
            for place, buffer in zip(self._kept, state.rows.columns, strict=True):
                if not _takes(buffer, columns[place], held[place]):
                    return None
        count = len(batch)
        self._room(state, 0 if mode == SECOND else count, sizes)
        size = np.array([state.rows.size])
        masks = np.empty(2 * count, np.uint8)
        n = packed.match(self._words(state, batch, mode, keys, held, (size, masks)))
        state.rows.size = int(size[0])
        firsts, seconds = self._found
        return firsts[:n], seconds[:n]

    def _room(self, state: State, count: int, sizes: tuple[int, int]) -> None:
        """Make room for all events of a batch to wait."""
        rows = state.rows
        most = rows.size + count
        if most > len(rows.ts):
            rows.ts, rows.parts = grown(rows.ts, most), grown(rows.parts, most)
            rows.groups = grown(rows.groups, most)
        if most > len(state.keys):
            state.able, state.keys = grown(state.able, most), grown(state.keys, most)
            state.tests = [grown(values, most) for values in state.tests]
        for buffer in rows.columns:
            if count and most > len(buffer.values):
                buffer.values = grown(buffer.values, most)
        state.room(*sizes, most)
        if len(state.waiting) > len(self._found[0]):
            room = len(state.waiting)
            self._found = np.empty(room, np.int64), np.empty(room, np.int64)

    def _words(
        self,
        state: State,
        batch: Batch,
        mode: int,
        keys: Index | None,
        held: dict[int, Values],
        scratch: tuple[Values, Values],
    ) -> list[int]:
        plan, rows, count = self._plan, state.rows, len(batch)
        parts = 0 if batch.parts is None else at(batch.parts)
        of_keys = 0 if keys is None else at(keys)
        size, masks = scratch
        entering = at(masks)
        enters, able = ([], []) if mode == SECOND else (plan.enters, plan.able)
        asks = [] if mode == FIRST else plan.asks
        kept = [] if mode == SECOND else self._kept
        words = [count, mode, self._within, at(batch.ts), parts, of_keys]
        words += entering, entering + count, at(size)
        words += map(at, (rows.ts, rows.parts, rows.groups, state.keys, state.able))
        words += map(at, (*state.links, state.waiting, *self._found))
        words += len(enters), len(able), len(asks), len(kept), len(plan.tests)
        for condition in (*enters, *able, *asks):
            words += condition.words(held[condition.place])
        for place, buffer in zip(kept, rows.columns, strict=False):
            values = held[place]
            words += at(values), at(buffer.values), values.itemsize
        for test, values in zip(plan.tests, state.tests, strict=True):
            first = 0 if mode == SECOND else at(held[test.first])
            second = 0 if mode == FIRST else at(held[test.second])
            words += int(test.real), test.op, first, at(values), second
        return words


def _takes(buffer: Buffer, column: Column, values: Values) -> bool:
    """Tell whether a kernel can write a plain column's values to a buffer as they are."""
    if column.codes is not None:
        return buffer.words is column.words
    return buffer.typed and buffer.nulls is None and buffer.values.dtype == values.dtype
